//! The only place with sockets, files, signals, threads and clocks.

#![expect(unsafe_code, reason = "system calls; each block carries its proof")]

pub mod clock;
pub mod crash;
pub mod daemon;
pub mod errno;
pub mod kernel;
pub mod listen;
pub mod locale;
pub mod log;
pub mod memory;
pub mod oom;
pub mod random;
pub mod reactor;
pub mod rlimit;
pub mod signal;
pub mod stream;
pub mod supervise;
pub mod sysinfo;
pub mod title;
