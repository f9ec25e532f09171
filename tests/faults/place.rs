//! The directory a server keeps its data in, and the servers started there one after another.
//!
//! Invariant: a process started here is killed by its own id, or with its group while it is the
//! group's living leader; processes it left behind are killed before the directory is emptied.

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::daemon::Failure;
use crate::shim::{Shim, Tools};
use crate::wire::{Connection, Reply};

/// How long a server may take until it serves.
const READY_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a killed process may take to vanish.
const VANISH_TIMEOUT: Duration = Duration::from_secs(20);
const START_ATTEMPTS: usize = 3;
/// Ports of the servers: these, and so many.
const PORT_MIN: u32 = 10_000;
const PORTS: u32 = 20_000;
const POLL: Duration = Duration::from_millis(1);
/// Lines of the log in messages.
const LOG_LINES: usize = 25;

/// When the append-only file is synced.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fsync {
    Always,
    Everysec,
}

impl Fsync {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Fsync::Always => "always",
            Fsync::Everysec => "everysec",
        }
    }
}

/// What is meant to outlive the server.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Keeping {
    /// Every acknowledged write, in an append-only file.
    Log(Fsync),
    /// What the last acknowledged snapshot holds; there is no append-only file.
    Snapshots,
}

impl Keeping {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Keeping::Log(fsync) => fsync.word(),
            Keeping::Snapshots => "snapshots only",
        }
    }
}

/// Where and what to start.
pub(crate) struct Place {
    program: PathBuf,
    /// The server's directory.
    pub(crate) data: PathBuf,
    /// Its log, and the file that controls its faults, are not in its own directory.
    log: PathBuf,
    pub(crate) shim: Shim,
    arguments: Vec<String>,
    /// Where the data is copied to before each start, if it is.
    aside: Option<PathBuf>,
    /// Processes that outlived their server.
    orphans: Vec<u32>,
    _scratch: tempfile::TempDir,
}

impl Place {
    /// An empty directory below `parent`; `data` may be on another file system.
    pub(crate) fn new(
        tools: &Tools,
        program: &Path,
        parent: &Path,
        data: Option<&Path>,
        keeping: Keeping,
    ) -> Result<Place, Failure> {
        let scratch = tempfile::Builder::new()
            .prefix("carnelian-faults-")
            .tempdir_in(parent)
            .map_err(Failure::io("making a scratch directory"))?;
        let root = scratch.path().canonicalize().map_err(Failure::io("finding a directory"))?;
        let data = data.map_or_else(|| root.join("data"), Path::to_owned);
        fs::create_dir_all(&data).map_err(Failure::io("making a data directory"))?;
        let shim = Shim::new(tools, root.join("control"))?;
        let mut place = Place {
            program: program.to_owned(),
            data,
            log: root.join("log"),
            shim,
            arguments: Vec::new(),
            aside: None,
            orphans: Vec::new(),
            _scratch: scratch,
        };
        place.set(&["--save", ""]);
        match keeping {
            Keeping::Log(fsync) => {
                place.set(&["--appendonly", "yes", "--appendfsync", fsync.word()])
            }
            Keeping::Snapshots => place.set(&["--appendonly", "no"]),
        }
        Ok(place)
    }

    /// Adds words to the command line of the servers to come.
    pub(crate) fn set(&mut self, words: &[&str]) {
        self.arguments.extend(words.iter().map(|&word| word.to_owned()));
    }

    /// From now on, what [`Place::keep`] keeps includes the data as it was before the last start.
    pub(crate) fn set_aside(&mut self) {
        self.aside = Some(self.log.with_file_name("before"));
    }

    /// Starts a server and waits until it serves.
    pub(crate) fn start(&mut self) -> Result<Server, Failure> {
        if let Some(aside) = &self.aside {
            drop(fs::remove_dir_all(aside));
            copy(&[&self.data], aside)?;
        }
        let mut attempt = 1;
        loop {
            let mut server = self.spawn()?;
            match server.wait_until_ready(&self.log) {
                Ok(()) => {
                    self.shim.set_server(server.pid());
                    return Ok(server);
                }
                // The port was free a moment ago, and is not now.
                Err(Failure::Exited { log, .. })
                    if attempt < START_ATTEMPTS && log.contains("Failed listening") =>
                {
                    attempt += 1;
                }
                Err(failure) => return Err(failure),
            }
        }
    }

    /// Starts a server without waiting for it.
    pub(crate) fn spawn(&self) -> Result<Server, Failure> {
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.log)
            .map_err(Failure::io("opening a log"))?;
        let errors = log.try_clone().map_err(Failure::io("sharing a log"))?;
        let port = free_port()?;
        // The kernel ends the server with this program, and as the leader of a group it can be
        // killed together with the processes it forks.
        let mut words: Vec<OsString> =
            ["--pdeathsig", "KILL"].into_iter().map(OsString::from).collect();
        words.push(self.program.clone().into());
        let child = Command::new("setpriv")
            .args(words)
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--dir"])
            .arg(&self.data)
            .args(&self.arguments)
            .envs(self.shim.environment(&self.data))
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .spawn()
            .map_err(Failure::io(format!("starting {}", self.program.display())))?;
        Ok(Server { child, port })
    }

    /// Kills the server alone; what it forked lives on until the directory is emptied.
    pub(crate) fn kill_alone(&mut self, server: Server) -> Result<(), Failure> {
        let children = server.children();
        server.kill()?;
        self.orphans.extend(children);
        Ok(())
    }

    /// The end of the log.
    pub(crate) fn log_tail(&self) -> String {
        log_tail(&self.log)
    }

    /// Removes the data, and first the processes that might write more.
    pub(crate) fn empty(&mut self) -> Result<(), Failure> {
        self.end_orphans()?;
        drop(fs::remove_file(&self.log));
        let entries = fs::read_dir(&self.data).map_err(Failure::io("reading a directory"))?;
        for entry in entries {
            let entry = entry.map_err(Failure::io("reading a directory"))?;
            // What mkfs made is not the server's.
            if entry.file_name() == "lost+found" {
                continue;
            }
            let removed = match entry.path().is_dir() {
                true => fs::remove_dir_all(entry.path()),
                false => fs::remove_file(entry.path()),
            };
            removed.map_err(Failure::io("emptying a directory"))?;
        }
        Ok(())
    }

    pub(crate) fn end_orphans(&mut self) -> Result<(), Failure> {
        for pid in std::mem::take(&mut self.orphans) {
            if is_process(pid, &self.program) {
                run_kill(&["-KILL", &pid.to_string()])?;
                wait_until_gone(pid, &self.program)?;
            }
        }
        Ok(())
    }

    /// Keeps data and log for whoever looks into a failure; returns where.
    pub(crate) fn keep(&self, name: &str) -> Result<PathBuf, Failure> {
        let plain = |character: char| if character.is_alphanumeric() { character } else { '-' };
        let name: String = name.chars().map(plain).collect();
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("faults").join(name);
        drop(fs::remove_dir_all(&target));
        fs::create_dir_all(&target).map_err(Failure::io("making a directory"))?;
        let before = self.aside.iter().filter(|path| path.exists());
        let sources: Vec<&Path> =
            [&self.data, &self.log].into_iter().chain(before).map(PathBuf::as_path).collect();
        copy(&sources, &target)?;
        Ok(target)
    }
}

/// Copies files and directories to `target`, which need not be there if there is one source.
fn copy(sources: &[&Path], target: &Path) -> Result<(), Failure> {
    let output = Command::new("cp")
        .arg("-a")
        .args(sources)
        .arg(target)
        .output()
        .map_err(Failure::io("running cp"))?;
    // A process that lived on may remove a file meanwhile.
    match output.status.success() || target.exists() {
        true => Ok(()),
        false => Err(Failure::Other(format!("cannot copy to {}", target.display()))),
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // Nothing can be done about a process that does not die.
        drop(self.end_orphans());
    }
}

/// A running server; killed when dropped.
pub(crate) struct Server {
    child: Child,
    port: u16,
}

impl Server {
    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn connect(&self) -> Result<Connection, Failure> {
        Connection::open(self.address()).map_err(Failure::io("connecting"))
    }

    /// Sends one command on a connection of its own.
    pub(crate) fn command(&self, words: &[&str]) -> Result<Reply, Failure> {
        self.connect()?.command(words).map_err(Failure::io(words.join(" ")))
    }

    /// The value of a field of INFO, empty when there is none.
    pub(crate) fn info(&self, section: &str, field: &str) -> Result<String, Failure> {
        let text = match self.command(&["INFO", section])? {
            Reply::Bulk(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            other => return Err(Failure::Other(format!("INFO replied {other:?}"))),
        };
        let value = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        Ok(value.unwrap_or_default().to_owned())
    }

    /// Whether the process has ended by itself.
    pub(crate) fn has_ended(&mut self) -> Result<bool, Failure> {
        let status = self.child.try_wait().map_err(Failure::io("asking for a child's state"))?;
        Ok(status.is_some())
    }

    /// Waits until the process has ended.
    pub(crate) fn wait(&mut self) -> Result<ExitStatus, Failure> {
        self.child.wait().map_err(Failure::io("waiting for a child"))
    }

    /// Processes it has forked.
    pub(crate) fn children(&self) -> Vec<u32> {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.pid()));
        let lists = tasks
            .into_iter()
            .flatten()
            .filter_map(Result::ok)
            .filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
        let pids: Vec<Vec<u32>> = lists
            .map(|list| list.split(' ').filter_map(|pid| pid.parse().ok()).collect())
            .collect();
        pids.concat()
    }

    /// `kill -9` of this process.
    pub(crate) fn kill(mut self) -> Result<(), Failure> {
        self.child.kill().map_err(Failure::io("killing a server"))?;
        self.wait().map(drop)
    }

    /// `kill -9` of the process and of all that it forked.
    pub(crate) fn kill_group(mut self) -> Result<(), Failure> {
        // While the leader is not waited for, the group's id belongs to no one else.
        run_kill(&["-KILL", "--", &format!("-{}", self.pid())])?;
        self.wait().map(drop)
    }

    fn wait_until_ready(&mut self, log: &Path) -> Result<(), Failure> {
        let start = Instant::now();
        while start.elapsed() < READY_TIMEOUT {
            if let Some(status) =
                self.child.try_wait().map_err(Failure::io("asking for a child's state"))?
            {
                let name = "the server".to_owned();
                return Err(Failure::Exited { name, status, log: log_tail(log) });
            }
            let pong = Connection::open(self.address())
                .and_then(|mut connection| connection.command(&["PING"]));
            // Another server may hold the port: then ours is about to end.
            if matches!(pong, Ok(Reply::Status(_)))
                && self.info("server", "process_id").is_ok_and(|id| id == self.pid().to_string())
            {
                return Ok(());
            }
            thread::sleep(POLL);
        }
        Err(Failure::Silent { name: "the server".to_owned(), log: log_tail(log) })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail harmlessly on a process that has already ended.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Runs `kill`, the one way to signal a group without unsafe code.
pub(crate) fn run_kill(arguments: &[&str]) -> Result<(), Failure> {
    // A process that is gone already makes it fail, and is what was wanted.
    let output = Command::new("kill").args(arguments).output();
    output.map(drop).map_err(Failure::io("running kill"))
}

/// Whether `pid` is alive and runs `program`.
fn is_process(pid: u32, program: &Path) -> bool {
    let (Ok(runs), Ok(program)) =
        (fs::read_link(format!("/proc/{pid}/exe")), program.canonicalize())
    else {
        return false;
    };
    runs == program
}

fn wait_until_gone(pid: u32, program: &Path) -> Result<(), Failure> {
    let start = Instant::now();
    while is_process(pid, program) {
        if start.elapsed() > VANISH_TIMEOUT {
            return Err(Failure::Other(format!("process {pid} does not die")));
        }
        thread::sleep(POLL);
    }
    Ok(())
}

/// A port of 127.0.0.1 that is free now and that no other directory of this process will take soon: from
/// below those that the kernel gives away, each in turn. Clients that outlive their server must not
/// find another one there.
fn free_port() -> Result<u16, Failure> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // Different processes begin in different places.
    let from = std::process::id().wrapping_mul(997);
    for _ in 0..PORTS {
        let step = from.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % PORTS;
        let port = u16::try_from(PORT_MIN + step).expect("ports end below 32768");
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    Err(Failure::Other("no port is free".to_owned()))
}

fn log_tail(path: &Path) -> String {
    let bytes = fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LOG_LINES)..].join("\n")
}
