//! One server process that a test or a benchmark starts, waits for and ends by its own pid.
//!
//! Invariant: a process started here never outlives its starter: `stop` asks and then kills, `Drop`
//! kills, and `setpriv --pdeathsig` lets the kernel do it when the starter itself is killed.

use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How long a server may take until it answers PING.
const READY_TIMEOUT: Duration = Duration::from_secs(20);
/// How long a server may take to end when asked to.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);
/// A port found free may be taken by the time the server binds it.
const START_ATTEMPTS: u32 = 3;

/// Why a process could not be started, asked or ended.
#[derive(Debug)]
pub(crate) enum Failure {
    /// A system call failed while doing `what`.
    Io { what: String, source: io::Error },
    /// The process ended by itself; `log` is the end of what it wrote.
    Exited { name: String, status: ExitStatus, log: String },
    /// The process runs and does not answer.
    Silent { name: String, log: String },
    /// Something else that the message says.
    Other(String),
}

impl Failure {
    /// Makes the closure that `map_err` wants, naming what was tried.
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Failure {
        let what = what.into();
        move |source| Failure::Io { what, source }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Io { what, source } => write!(out, "{what}: {source}"),
            Failure::Exited { name, status, log } => write!(out, "{name} ended: {status}\n{log}"),
            Failure::Silent { name, log } => write!(out, "{name} does not answer\n{log}"),
            Failure::Other(text) => out.write_str(text),
        }
    }
}

impl std::error::Error for Failure {}

/// What to start.
#[derive(Clone, Debug)]
pub(crate) struct Launch {
    /// The name in messages.
    pub(crate) name: String,
    /// The server's binary.
    pub(crate) program: PathBuf,
    /// Its arguments but for address, port, directory and persistence, which `Daemon` adds.
    pub(crate) args: Vec<String>,
    /// The one core it may use.
    pub(crate) core: Option<usize>,
}

/// A running server on a loopback port, with a scratch directory of its own.
pub(crate) struct Daemon {
    name: String,
    child: Child,
    port: u16,
    scratch: tempfile::TempDir,
}

impl Daemon {
    /// Starts the server and returns once it answers PING.
    pub(crate) fn start(launch: &Launch) -> Result<Daemon, Failure> {
        let mut attempt = 1;
        loop {
            let mut daemon = Daemon::spawn(launch)?;
            match daemon.wait_until_ready() {
                Ok(()) => return Ok(daemon),
                Err(Failure::Exited { .. }) if attempt < START_ATTEMPTS => attempt += 1,
                Err(failure) => return Err(failure),
            }
        }
    }

    fn spawn(launch: &Launch) -> Result<Daemon, Failure> {
        let scratch = tempfile::tempdir().map_err(Failure::io("making a scratch directory"))?;
        let log = File::create(log_path(scratch.path())).map_err(Failure::io("creating a log"))?;
        let errors = log.try_clone().map_err(Failure::io("sharing a log"))?;
        let port = free_port()?;
        let mut words: Vec<OsString> = Vec::new();
        if let Some(core) = launch.core {
            words.extend(["taskset", "-c"].map(OsString::from));
            words.push(core.to_string().into());
        }
        words.extend(["setpriv", "--pdeathsig", "KILL"].map(OsString::from));
        words.push(launch.program.clone().into());
        let child = Command::new(&words[0])
            .args(&words[1..])
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""])
            .arg("--dir")
            .arg(scratch.path())
            .args(&launch.args)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .spawn()
            .map_err(Failure::io(format!("starting {}", launch.program.display())))?;
        Ok(Daemon { name: launch.name.clone(), child, port, scratch })
    }

    fn wait_until_ready(&mut self) -> Result<(), Failure> {
        let start = Instant::now();
        while start.elapsed() < READY_TIMEOUT {
            self.check_alive()?;
            if answers_ping(self.address()) {
                // Another server may hold the port: then ours has ended, or is about to.
                thread::sleep(Duration::from_millis(20));
                return self.check_alive();
            }
            thread::sleep(Duration::from_millis(20));
        }
        Err(Failure::Silent { name: self.name.clone(), log: self.log_tail() })
    }

    /// Errs, with the end of its log, if the process has ended.
    pub(crate) fn check_alive(&mut self) -> Result<(), Failure> {
        match self.child.try_wait().map_err(Failure::io("asking for a child's state"))? {
            None => Ok(()),
            Some(status) => {
                Err(Failure::Exited { name: self.name.clone(), status, log: self.log_tail() })
            }
        }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The last lines it wrote.
    fn log_tail(&self) -> String {
        let bytes = fs::read(log_path(self.scratch.path())).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }

    /// Ends it as an operator would, with SIGTERM, and errs if it does not obey.
    pub(crate) fn stop(mut self) -> Result<(), Failure> {
        self.check_alive()?;
        let status = Command::new("kill")
            .args(["-TERM", &self.pid().to_string()])
            .status()
            .map_err(Failure::io("running kill"))?;
        if !status.success() {
            return Err(Failure::Other(format!("{} cannot be asked to end", self.name)));
        }
        let start = Instant::now();
        while start.elapsed() < STOP_TIMEOUT {
            let ended = self.child.try_wait().map_err(Failure::io("asking for a child's state"))?;
            match ended {
                Some(status) if status.success() => return Ok(()),
                Some(status) => {
                    let log = self.log_tail();
                    return Err(Failure::Exited { name: self.name.clone(), status, log });
                }
                None => thread::sleep(Duration::from_millis(10)),
            }
        }
        Err(Failure::Other(format!("{} did not end when asked to", self.name)))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Both fail harmlessly on a process that has already ended.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn log_path(scratch: &Path) -> PathBuf {
    scratch.join("server.log")
}

fn free_port() -> Result<u16, Failure> {
    let listener =
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(Failure::io("finding a free port"))?;
    let address = listener.local_addr().map_err(Failure::io("reading a port"))?;
    Ok(address.port())
}

/// Any reply will do but that of a server that still loads its data.
fn answers_ping(address: SocketAddr) -> bool {
    let Ok(mut stream) = TcpStream::connect_timeout(&address, Duration::from_millis(200)) else {
        return false;
    };
    let mut reply = [0; 7];
    stream.set_read_timeout(Some(Duration::from_secs(1))).is_ok()
        && stream.write_all(b"PING\r\n").is_ok()
        && stream.read_exact(&mut reply).is_ok()
        && &reply != b"-LOADIN"
}
