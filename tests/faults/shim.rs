//! The library that is loaded into the server to make its file calls fail (`shim.c`), and the file
//! that tells it when.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::daemon::Failure;

/// The kinds of calls, in the order of `enum call` in `shim.c`.
pub(crate) const CALLS: [&str; 9] =
    ["open", "write", "fsync", "rename", "unlink", "close", "truncate", "allocate", "mkdir"];
/// A set of calls.
#[derive(Clone, Copy)]
pub(crate) struct Calls(u64);

impl Calls {
    pub(crate) const ALL: Calls = Calls(u64::MAX);
    pub(crate) const WRITE: Calls = Calls(1 << 1);
    pub(crate) const FSYNC: Calls = Calls(1 << 2);
    /// Calls on names and descriptors.
    pub(crate) const NAMES: Calls = Calls(1 | 1 << 3 | 1 << 4 | 1 << 6 | 1 << 8);

    pub(crate) const fn and(self, other: Calls) -> Calls {
        Calls(self.0 | other.0)
    }

    pub(crate) const fn includes(self, other: Calls) -> bool {
        self.0 & other.0 == other.0
    }
}

/// Whose calls a rule concerns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Scope {
    Anybody,
    /// The server, not the processes it forks.
    Server,
    /// The processes it forks.
    Child,
}

/// What happens at the chosen call.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Action {
    /// Nothing; calls are counted.
    Count,
    /// The whole process group is killed before, or right after, the call.
    KillAll,
    KillAllAfter,
    /// Only the process that makes the call is killed.
    KillOne,
    KillOneAfter,
    /// The call fails with this error and does nothing.
    Fail(Errno),
    /// Half of the bytes are written.
    Short,
    /// The call does nothing and reports success: a lie that a test has to notice.
    Swallow,
    /// The power of the file system is cut before the call, and the process group killed.
    CutPower,
}

impl Action {
    fn number(self) -> u64 {
        match self {
            Action::Count => 0,
            Action::KillAll => 1,
            Action::KillAllAfter => 2,
            Action::KillOne => 3,
            Action::KillOneAfter => 4,
            Action::Fail(_) => 5,
            Action::Short => 6,
            Action::Swallow => 7,
            Action::CutPower => 8,
        }
    }
}

/// The errors that file calls are made to return.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Errno {
    Intr = 4,
    Io = 5,
    NoSpace = 28,
}

/// "At the `nth` matching call, and at `times` in all (0: at every one from then on), do this."
#[derive(Clone, Copy)]
pub(crate) struct Rule {
    pub(crate) calls: Calls,
    pub(crate) scope: Scope,
    pub(crate) nth: u64,
    pub(crate) times: u64,
    pub(crate) action: Action,
    /// Part of the names of the files concerned; empty for every file.
    pub(crate) only: &'static str,
}

impl Rule {
    /// `action` at the `nth` of these calls, once.
    pub(crate) fn once(calls: Calls, scope: Scope, nth: u64, action: Action) -> Rule {
        Rule { calls, scope, nth, times: 1, action, only: "" }
    }

    /// `action` at each of these calls from now on.
    pub(crate) fn lasting(calls: Calls, scope: Scope, action: Action) -> Rule {
        Rule { calls, scope, nth: 1, times: 0, action, only: "" }
    }
}

/// The call at which a rule was applied first.
#[derive(Clone, Debug)]
pub(crate) struct Fired {
    pub(crate) call: &'static str,
    pub(crate) scope: Scope,
    pub(crate) path: String,
}

impl Fired {
    /// Such as `write of appendonly.aof.N.incr.aof in the server`: numbers do not make a difference.
    pub(crate) fn site(&self) -> String {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        let mut kind = String::new();
        for character in name.chars() {
            match character {
                '0'..='9' if kind.ends_with('N') => {}
                '0'..='9' => kind.push('N'),
                other => kind.push(other),
            }
        }
        let whose = match self.scope {
            Scope::Child => "child",
            Scope::Anybody | Scope::Server => "server",
        };
        format!("{} {kind} ({whose})", self.call)
    }
}

/// The compiled library and the power cutter.
pub(crate) struct Tools {
    library: PathBuf,
    cutter: PathBuf,
}

impl Tools {
    /// Compiles `shim.c` with the C compiler that Rust's own linking needs, too.
    pub(crate) fn build(scratch: &Path) -> Result<Tools, Failure> {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults/shim.c");
        let compile = |flags: &[&str], name: &str| {
            let path = scratch.join(name);
            let output = Command::new("cc")
                .args(["-O2", "-Wall"])
                .args(flags)
                .arg("-o")
                .args([&path, &source])
                .output()
                .map_err(Failure::io("running cc"))?;
            match output.status.success() {
                true => Ok(path),
                false => Err(Failure::Other(String::from_utf8_lossy(&output.stderr).into_owned())),
            }
        };
        Ok(Tools {
            library: compile(&["-shared", "-fPIC"], "shim.so")?,
            cutter: compile(&["-DCUTTER"], "cutter")?,
        })
    }

    /// Cuts the power of the file system that holds `directory`: what was not synced is lost.
    pub(crate) fn cut_power(&self, directory: &Path) -> Result<(), Failure> {
        let status = Command::new(&self.cutter)
            .arg(directory)
            .status()
            .map_err(Failure::io("running the cutter"))?;
        match status.success() {
            true => Ok(()),
            false => Err(Failure::Other("the file system cannot be shut down".to_owned())),
        }
    }
}

/// Words of `struct control`, by index.
mod word {
    pub(super) const ARMED: u64 = 0;
    pub(super) const CALLS: u64 = 1;
    pub(super) const SYNC_DELAY_US: u64 = 7;
    pub(super) const SERVER: u64 = 8;
    pub(super) const ONLY: u64 = 9;
    pub(super) const SEEN: u64 = 17;
    pub(super) const MATCHED: u64 = 33;
    pub(super) const FIRED: u64 = 34;
    pub(super) const FIRED_CALL: u64 = 35;
    pub(super) const FIRED_IN_CHILD: u64 = 36;
    pub(super) const FIRED_PATH: u64 = 37;
    pub(super) const COUNT: u64 = 69;
}
const ONLY_BYTES: usize = 64;
const PATH_BYTES: usize = 256;

/// The rules of one server and of those started after it in the same place.
pub(crate) struct Shim {
    library: PathBuf,
    path: PathBuf,
    control: File,
}

impl Shim {
    /// No rule yet; `path` becomes the control file.
    pub(crate) fn new(tools: &Tools, path: PathBuf) -> Result<Shim, Failure> {
        let control = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(&path)
            .map_err(Failure::io("creating a control file"))?;
        control.set_len(word::COUNT * 8).map_err(Failure::io("sizing a control file"))?;
        Ok(Shim { library: tools.library.clone(), path, control })
    }

    /// What the server's environment needs for the data in `directory`.
    pub(crate) fn environment(&self, directory: &Path) -> [(&'static str, PathBuf); 3] {
        [
            ("LD_PRELOAD", self.library.clone()),
            ("FAULTS_CONTROL", self.path.clone()),
            ("FAULTS_DIR", directory.to_owned()),
        ]
    }

    /// Tells which process is the server.
    pub(crate) fn set_server(&self, pid: u32) {
        self.write(word::SERVER, u64::from(pid));
    }

    /// Makes each fsync last so much longer.
    pub(crate) fn slow_down(&self, delay_ms: u64) {
        self.write(word::SYNC_DELAY_US, delay_ms * 1000);
    }

    /// Sets the rule that holds from now on; counts start anew.
    pub(crate) fn arm(&self, rule: Rule) {
        self.disarm();
        for at in word::SEEN..word::COUNT {
            self.write(at, 0);
        }
        let error = match rule.action {
            Action::Fail(errno) => errno as u64,
            _ => 0,
        };
        let scope = match rule.scope {
            Scope::Anybody => 0,
            Scope::Server => 1,
            Scope::Child => 2,
        };
        let words = [rule.calls.0, scope, rule.nth, rule.times, rule.action.number(), error];
        for (at, value) in (word::CALLS..).zip(words) {
            self.write(at, value);
        }
        let mut only = [0; ONLY_BYTES];
        only[..rule.only.len()].copy_from_slice(rule.only.as_bytes());
        self.write_bytes(word::ONLY, &only);
        self.write(word::ARMED, 1);
    }

    /// No rule holds any more; the counts stay.
    pub(crate) fn disarm(&self) {
        self.write(word::ARMED, 0);
    }

    /// Calls that the rule concerned.
    pub(crate) fn matched(&self) -> u64 {
        self.read(word::MATCHED)
    }

    /// Where the rule was applied first, if it was.
    pub(crate) fn fired(&self) -> Option<Fired> {
        if self.read(word::FIRED) == 0 {
            return None;
        }
        let mut path = [0; PATH_BYTES];
        self.control
            .read_exact_at(&mut path, word::FIRED_PATH * 8)
            .expect("the control file has its full size");
        let length = path.iter().position(|&byte| byte == 0).unwrap_or(path.len());
        let call = usize::try_from(self.read(word::FIRED_CALL)).expect("the number of a call");
        let scope = match self.read(word::FIRED_IN_CHILD) {
            0 => Scope::Server,
            _ => Scope::Child,
        };
        let path = String::from_utf8_lossy(&path[..length]).into_owned();
        Some(Fired { call: CALLS[call], scope, path })
    }

    fn read(&self, at: u64) -> u64 {
        let mut bytes = [0; 8];
        self.control.read_exact_at(&mut bytes, at * 8).expect("the control file has its full size");
        u64::from_ne_bytes(bytes)
    }

    fn write(&self, at: u64, value: u64) {
        self.write_bytes(at, &value.to_ne_bytes());
    }

    fn write_bytes(&self, at: u64, bytes: &[u8]) {
        self.control.write_all_at(bytes, at * 8).expect("the control file can be written");
    }
}
