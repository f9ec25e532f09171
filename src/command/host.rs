//! What commands need from the machine, rarely: statistics, files, listeners, the helper thread.
//!
//! The operating system's side is in `os/`; tests and the simulator bring their own.

use crate::config::Config;
use std::any::Any;
use std::cmp::Ordering;
use std::fmt::Debug;
use std::io;
use std::path::Path;

/// Memory figures, bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct MemoryUse {
    /// Bytes the program holds, by the allocator's count.
    pub allocated: u64,
    /// Bytes in pages the allocator uses.
    pub active: u64,
    /// Bytes in pages the allocator has mapped.
    pub resident: u64,
    /// Bytes of address space the allocator keeps for later.
    pub retained: u64,
    /// Bytes of the allocator's dirty and muzzy pages.
    pub muzzy: u64,
    /// Resident set of the process.
    pub rss: u64,
    /// Memory of the machine (or of the control group, if less).
    pub system: u64,
}

/// Processor time, seconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct CpuUse {
    /// Kernel, whole process.
    pub sys: f64,
    /// User, whole process.
    pub user: f64,
    /// Kernel, children.
    pub sys_children: f64,
    /// User, children.
    pub user_children: f64,
    /// Kernel, reactor thread.
    pub sys_main_thread: f64,
    /// User, reactor thread.
    pub user_main_thread: f64,
}

/// What does not change while the server runs.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Process number.
    pub pid: u32,
    /// 40 hexadecimal digits, new at each start.
    pub run_id: String,
    /// System name, release and machine.
    pub os: String,
    /// Absolute path of the program.
    pub executable: String,
    /// Absolute path of the configuration file; empty without one.
    pub config_file: String,
    /// What supervises the process: `no`, `systemd`, `upstart`.
    pub supervised: &'static str,
    /// The allocator's name and version.
    pub allocator: String,
    /// The clock that times commands.
    pub clock: String,
    /// Name of the readiness call.
    pub multiplexing: &'static str,
}

/// How DEBUG makes the process end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    /// An access to memory that is not there.
    Segfault,
    /// A panic.
    Panic,
    /// A failed assertion.
    Assert,
    /// Exit without any clean-up.
    Exit,
}

/// The machine.
pub trait Host: Debug {
    /// Memory figures now; takes some microseconds.
    fn memory(&mut self) -> MemoryUse;
    /// Bytes the program holds; costs a few loads.
    fn allocated(&mut self) -> u64;
    /// Processor time.
    fn cpu(&self) -> CpuUse;
    /// What does not change.
    fn facts(&self) -> &Facts;
    /// Makes a changed directive take effect outside: listeners, log, limits.
    ///
    /// # Errors
    /// A sentence that says why it could not; the configuration is then put back.
    fn apply(&mut self, trigger: crate::config::Trigger, config: &Config) -> Result<(), String>;
    /// Reads a file.
    ///
    /// # Errors
    /// As the system gives them.
    fn read_file(&mut self, path: &Path) -> io::Result<Vec<u8>>;
    /// Replaces a file as a whole: temporary name, fsync, rename, fsync of the directory.
    ///
    /// # Errors
    /// As the system gives them; the old file is then untouched.
    fn replace_file(&mut self, path: &Path, bytes: &[u8]) -> io::Result<()>;
    /// Drops something on the helper thread.
    fn drop_later(&mut self, garbage: Box<dyn Any + Send>);
    /// Things handed to [`Host::drop_later`] that are not freed yet.
    fn drops_pending(&self) -> u64;
    /// Blocks the reactor (DEBUG SLEEP).
    fn sleep(&mut self, micros: u64);
    /// Gives free pages back to the system.
    ///
    /// # Errors
    /// The allocator's.
    fn purge_memory(&mut self) -> io::Result<()>;
    /// Reads a numeric setting of the allocator by name, or sets it and gives the value before
    /// (DEBUG MALLCTL).
    ///
    /// # Errors
    /// The allocator's.
    fn allocator_number(&mut self, name: &str, value: Option<i64>) -> io::Result<i64>;
    /// Reads a setting of the allocator that is text, or does something that has no value
    /// (DEBUG MALLCTL-STR).
    ///
    /// # Errors
    /// The allocator's.
    fn allocator_text(&mut self, name: &str, value: Option<&str>) -> io::Result<Option<String>>;
    /// The allocator's own report.
    fn allocator_report(&mut self) -> String;
    /// Ends the process in an unfriendly way, for tests.
    fn crash(&mut self, how: Crash);
    /// The wall clock's offset from UTC, seconds, and whether daylight saving is in force, at a time.
    fn utc_offset_s(&self, unix_s: i64) -> i32;
    /// The order of two texts in the language of `locale-collate`.
    fn collate(&self, a: &[u8], b: &[u8]) -> Ordering;
}
