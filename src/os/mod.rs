//! The only place with sockets, files, signals, threads and clocks.

#![expect(unsafe_code, reason = "system calls; each block carries its proof")]

pub mod clock;
pub mod random;
pub mod sysinfo;
