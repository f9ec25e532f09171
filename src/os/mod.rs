//! The only place with sockets, files, signals, threads and clocks.

#![expect(unsafe_code, reason = "system calls; each block carries its proof")]

pub mod affinity;
pub mod aof;
pub mod banner;
pub mod check_aof;
pub mod check_rdb;
pub mod child;
pub mod clock;
pub mod config_file;
pub mod crash;
pub mod daemon;
pub mod defrag;
pub mod dial;
pub mod errno;
pub mod host;
pub mod intake;
pub mod kernel;
pub mod linger;
pub mod listen;
pub mod load;
pub mod locale;
pub mod log;
pub mod memory;
pub mod metrics;
pub mod new_file;
pub mod oom;
pub mod options;
pub mod random;
pub mod reactor;
pub mod reclaim;
pub mod rlimit;
pub mod signal;
pub mod spill;
pub mod start;
pub mod stream;
pub mod supervise;
pub mod sysinfo;
pub mod title;
pub mod tls;
pub mod watchdog;
