//! The only place with sockets, files, signals, threads and clocks.

#![expect(unsafe_code, reason = "system calls; each block carries its proof")]

pub mod clock;
pub mod crash;
pub mod log;
pub mod random;
pub mod signal;
pub mod sysinfo;
