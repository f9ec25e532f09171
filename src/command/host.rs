//! What commands need from the machine, rarely: statistics, files, listeners, the helper thread.
//!
//! The operating system's side is in `os/`; tests and the simulator bring their own.

use super::persist::Loaded;
use super::replication::Role;
use super::server::{Now, Server};
use crate::config::Config;
use crate::ds::relocate::Relocator;
use crate::persist::Progress;
use crate::persist::aof::growth::Growth;
use crate::persist::aof::log::Commit;
use crate::persist::aof::manifest::BaseFormat;
use crate::repl::SpillFile;
use crate::store::Keyspace;
use std::any::Any;
use std::fmt::Debug;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Memory figures, bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct MemoryUse {
    /// Bytes the program holds, as [`Host::allocated`] says.
    pub used: u64,
    /// The same by the allocator's count, to which what its threads keep at hand belongs.
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

/// Blocks of memory that were looked at to be moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Relocations {
    /// Those that were.
    pub moved: u64,
    /// Those that stayed where they are.
    pub kept: u64,
}

/// How text is ordered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Collation {
    /// By its bytes.
    #[default]
    Bytes,
    /// By the keys that [`Host::put_collation_key`] makes.
    Keys,
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

/// What is told of a certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CertificateFact {
    /// Its number, in hexadecimal digits.
    pub serial: String,
    /// Until when it is valid, Unix seconds.
    pub expires_at_s: i64,
}

/// The certificates in use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CertificateFacts {
    /// The server's own.
    pub server: Option<CertificateFact>,
    /// That for connections which the server opens, if it is another.
    pub client: Option<CertificateFact>,
    /// The authority whose certificate expires first.
    pub authority: Option<CertificateFact>,
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

/// A file to be written as a whole: under another name first, so that its own stands for the old bytes
/// or the new ones.
#[derive(Clone, Copy, Debug)]
pub struct NewFile<'a> {
    /// Its name.
    pub path: &'a Path,
    /// What its name begins with while it is written; the process number and the extension follow.
    pub temporary: &'a str,
    /// When its bytes are forced to disk.
    pub sync: Sync,
}

/// When the bytes of a new file are forced to disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sync {
    /// At its end.
    AtEnd,
    /// Bit by bit while it is written, so that the end does not take long.
    Gradually,
}

/// What writes the contents of a file.
pub type Write<'a> = dyn FnMut(&mut dyn io::Write, &Progress) -> io::Result<()> + 'a;

/// What a child process is for. There is one at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChildKind {
    /// It writes a snapshot.
    Snapshot,
    /// It rewrites the append-only file.
    Rewrite,
}

/// How a child process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChildEnd {
    /// Its file is complete and has its name.
    Done,
    /// It could not write the file; the log says why.
    Failed,
    /// It was told to give up.
    GaveUp,
    /// A signal ended it.
    Killed(i32),
}

/// A child process that has been started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forked {
    /// Its process number.
    pub pid: u32,
    /// How long the fork held up the server, microseconds.
    pub took_us: u64,
}

/// How far the child is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChildProgress {
    /// Keys written.
    pub keys: u64,
    /// Memory that it does not share with the server any more, bytes.
    pub cow_bytes: u64,
    /// The most of that so far.
    pub cow_peak_bytes: u64,
    /// When that was measured, Unix seconds; 0 before the first time.
    pub measured_at_s: i64,
}

/// Whether changes are logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogMode {
    /// No.
    Off,
    /// They will be once a rewrite has made a base; from its start on they are collected.
    Waiting,
    /// Yes.
    On,
}

/// How a rewrite ended that made no base.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RewriteEnding {
    /// It failed.
    Failed,
    /// It was no longer wanted.
    Cancelled,
}

/// How far the log is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogFigures {
    /// Bytes that are not in the kernel yet.
    pub pending_bytes: usize,
    /// Whether an fsync is under way.
    pub is_syncing: bool,
    /// Fsyncs that took long.
    pub delayed_syncs: u64,
    /// Position of the last byte logged.
    pub position: u64,
    /// Position up to which everything is on disk.
    pub synced_position: u64,
}

/// Something that took the log a millisecond or more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogDelay {
    /// The event of the latency monitor.
    pub event: &'static str,
    /// How long it took, milliseconds.
    pub took_ms: u64,
}

/// The append-only file.
pub trait AppendOnlyFile: Debug {
    /// Whether changes are logged.
    fn mode(&self) -> LogMode;
    /// Logs what commands changed: whole commands, or nothing. To be called before their replies go out.
    fn commit(&mut self, now: Now, bytes: &[u8]) -> Commit;
    /// When `commit` has something to do without bytes, on the clock that only rises, milliseconds.
    fn deadline_ms(&self) -> Option<u64>;
    /// Why clients may not change data, as the system says it.
    fn error(&self) -> Option<&str>;
    /// Whether a rewrite is to be started so that the log can be relied on again.
    fn is_heal_due(&self, now: Now) -> bool;
    /// Follows a changed configuration.
    fn adopt(&mut self, config: &Config);
    /// Notes whether a child process uses the disk.
    fn set_child(&mut self, child: Option<ChildKind>);
    /// Will log from the next rewrite on.
    fn start(&mut self);
    /// Logs no longer: what was given is brought to disk, and the files stay.
    fn stop(&mut self, now: Now);
    /// Brings everything to disk now, as far as the disk lets it.
    fn flush(&mut self, now: Now);
    /// Whether a rewrite would hold replies for a short time only, until what was written so far is on disk. If
    /// not, that is begun; to be asked again soon.
    fn is_ready_to_rewrite(&mut self, now: Now) -> bool;
    /// Prepares a rewrite; the path where the base is to be written. The child is to be forked next, before
    /// anything else is given. What is given afterwards must begin with SELECT.
    ///
    /// # Errors
    /// It cannot be; why, is in the log as well.
    fn begin_rewrite(&mut self, now: Now) -> Result<PathBuf, String>;
    /// The child has written a base: it counts from now on.
    ///
    /// # Errors
    /// It does not; why, is in the log as well. All is as before the rewrite.
    fn finish_rewrite(&mut self, now: Now, format: BaseFormat) -> Result<(), String>;
    /// The child has not written a base.
    fn abandon_rewrite(&mut self, now: Now, ending: RewriteEnding);
    /// Sizes, and how rewrites went.
    fn growth(&self) -> &Growth;
    /// As [`AppendOnlyFile::growth`], to note it.
    fn growth_mut(&mut self) -> &mut Growth;
    /// How far it is.
    fn figures(&self) -> LogFigures;
    /// What took long since the last call.
    fn take_delays(&mut self) -> Vec<LogDelay>;
    /// Waits before each write, microseconds (DEBUG AOF-FLUSH-SLEEP).
    fn set_write_delay(&mut self, micros: u64);
}

/// Whether a script asks for the first time that others be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Round {
    /// It does.
    First,
    /// It does again.
    Next,
}

/// What becomes of a snapshot that another server sends.
#[derive(Debug)]
pub enum Plan {
    /// It is stored, and will be the file of snapshots.
    Store,
    /// What was stored becomes that file, and is loaded into this keyspace, which is empty.
    LoadStored(Keyspace),
    /// It is loaded into this keyspace as it comes.
    Load(Keyspace),
}

/// What has become of it.
#[derive(Debug)]
pub enum Arrived {
    /// It is stored, and has no name yet.
    Stored,
    /// It is loaded.
    Loaded(Box<Loaded>),
}

/// Takes snapshots that other servers send, on another thread; one at a time.
pub trait Intake: Debug {
    /// Begins, whatever was begun before.
    ///
    /// # Errors
    /// It cannot be: a sentence for the log.
    fn begin(&mut self, plan: Plan, config: &Config) -> Result<Arc<Progress>, String>;
    /// The next bytes of it.
    fn give(&mut self, bytes: &[u8]);
    /// It is complete.
    fn end(&mut self);
    /// What has become of it, once; `None` before that. It goes on as this configuration says.
    ///
    /// # Errors
    /// What is wrong with it: a sentence for the log.
    fn poll(&mut self, config: &Config) -> Option<Result<Arrived, String>>;
    /// Gives it up, and waits until nothing is left of it.
    fn cancel(&mut self);
}

/// In which process one is after a fork.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The one that was there.
    Parent,
    /// The new one.
    Child,
}

/// Who can serve clients while the one that is being served waits for a script.
pub trait Bystander: Debug {
    /// Serves other clients for a moment, if there is something to do.
    fn serve(self: Box<Self>, server: &mut Server, round: Round) -> Box<dyn Bystander>;
    /// Sends bytes to the client of a script that is debugged, and waits until they are on their way.
    ///
    /// # Errors
    /// It has gone, or reads nothing.
    fn send(&mut self, _client: usize, _bytes: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
    /// Waits for what that client sends, and appends it.
    ///
    /// # Errors
    /// It has gone, or the server is to end.
    fn receive(&mut self, _client: usize, _into: &mut Vec<u8>) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
    /// Makes a second process, which has everything as it is now and that client.
    ///
    /// # Errors
    /// The system has none to give.
    fn fork(&mut self, _client: usize) -> io::Result<Side> {
        Err(io::ErrorKind::Unsupported.into())
    }
    /// Ends that process.
    fn leave(&mut self) {}
    /// Itself, for who knows what it is.
    fn into_any(self: Box<Self>) -> Box<dyn Any>;
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
    /// The certificates in use.
    fn certificates(&self) -> CertificateFacts;
    /// Looks after them: files that have changed, certificates that expire.
    fn look_after_certificates(&mut self, _config: &Config, _now: Now) {}
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
    /// Removes a file.
    ///
    /// # Errors
    /// As the system gives them.
    fn remove_file(&mut self, path: &Path) -> io::Result<()> {
        let _stays = path;
        Err(io::ErrorKind::Unsupported.into())
    }
    /// Fills a buffer with random bytes fit for secrets.
    ///
    /// # Errors
    /// As the system gives them.
    fn fill_random(&mut self, buffer: &mut [u8]) -> io::Result<()>;
    /// Opens a file to read it; its length comes along.
    ///
    /// # Errors
    /// As the system gives them.
    fn open_file(&mut self, path: &Path) -> io::Result<(Box<dyn io::Read>, u64)>;
    /// Writes a file here and now, which may take long.
    ///
    /// # Errors
    /// The system's, or those of `write`. The old file is then untouched, and the log says what failed.
    fn write_file(&mut self, file: NewFile<'_>, write: &mut Write<'_>) -> io::Result<()>;
    /// Writes a file in a child process, which sees the data as they are now.
    ///
    /// # Errors
    /// The system has no process to give.
    fn write_file_in_child(
        &mut self,
        kind: ChildKind,
        file: NewFile<'_>,
        write: &mut Write<'_>,
    ) -> io::Result<Forked>;
    /// As [`Host::write_file_in_child`], into a pipe, which [`Host::read_pipe`] reads.
    ///
    /// # Errors
    /// The system has no process or no pipe to give.
    fn write_pipe_in_child(&mut self, write: &mut Write<'_>) -> io::Result<Forked> {
        let _never_written = write;
        Err(io::ErrorKind::Unsupported.into())
    }
    /// Reads what the child has written into the pipe; 0 bytes are its end.
    ///
    /// # Errors
    /// `WouldBlock` if there is nothing yet: then the reactor's wait ends when there is. Otherwise the
    /// system's.
    fn read_pipe(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let _never_read = buffer;
        Err(io::ErrorKind::Unsupported.into())
    }
    /// Closes the pipe, if there is one.
    fn close_pipe(&mut self) {}
    /// How far the child is, or the last one was.
    fn child_progress(&self) -> ChildProgress;
    /// How the child ended, if it has; once.
    fn take_child_end(&mut self) -> Option<ChildEnd>;
    /// Tells the child to give up, and waits until it has; the half-written file is removed.
    fn stop_child(&mut self);
    /// The end that a signal asked for was given up: the next signal asks again.
    fn forget_signal(&mut self);
    /// Tells whoever waits for it that the server answers from now on.
    fn announce_ready(&mut self);
    /// Loads the append-only file into a keyspace, here and now.
    ///
    /// # Errors
    /// What is wrong with it: a sentence for the log.
    fn load_log(&mut self, keyspace: Keyspace, config: &Config) -> Result<Loaded, String>;
    /// The append-only file; `None` where there is none.
    fn append_only_file(&self) -> Option<&dyn AppendOnlyFile>;
    /// As [`Host::append_only_file`], to use it.
    fn append_only_file_mut(&mut self) -> Option<&mut dyn AppendOnlyFile>;
    /// What a load that was begun at the start has brought, once it is over; `None` before.
    ///
    /// # Errors
    /// Why the data could not be loaded: a sentence for the log.
    fn take_loaded(&mut self) -> Option<Result<Loaded, String>>;
    /// Who takes snapshots that other servers send; `None` where there is nobody.
    fn intake(&mut self) -> Option<&mut dyn Intake> {
        None
    }
    /// Whether it may be given more bytes before it has dealt with those it has.
    fn has_intake_room(&self) -> bool {
        true
    }
    /// Makes a file for older bytes of the stream.
    ///
    /// # Errors
    /// It cannot be made: a sentence for the log.
    fn spill_file(&mut self) -> Result<Box<dyn SpillFile>, String> {
        Err("there is no disk".to_owned())
    }
    /// Lets the kernel collect small packets of a connection, by its descriptor.
    fn collect_packets(&mut self, descriptor: i32) {
        let _there_are_none = descriptor;
    }
    /// Shows outside whether this server follows another one.
    fn follow_role(&mut self, role: &Role) {
        let _shown_nowhere = role;
    }
    /// Drops something on the helper thread.
    fn drop_later(&mut self, garbage: Box<dyn Any + Send>);
    /// Things handed to [`Host::drop_later`] that are not freed yet.
    fn drops_pending(&self) -> u64;
    /// What blocks the thread for a time, for tests.
    fn sleeper(&self) -> fn(Duration);
    /// Moves blocks of memory that lie badly; to be asked for anew for each slice of that.
    fn relocator(&mut self) -> &mut dyn Relocator;
    /// What it has done so far.
    fn relocations(&self) -> Relocations;
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
    /// How text is ordered in the language of `locale-collate`.
    fn collation(&self) -> Collation;
    /// Appends bytes whose order is that of the text in the language of `locale-collate`.
    fn put_collation_key(&self, text: &[u8], out: &mut Vec<u8>);
}
