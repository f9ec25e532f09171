//! Three servers, each in its namespace: started, killed, asked.

use std::fs::OpenOptions;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::daemon::Failure;
use crate::net::{Net, SERVERS};
use crate::wire::{Connection, Reply};

/// Every server's port.
pub(crate) const PORT: u16 = 7000;
/// `min-replicas-max-lag`, seconds.
pub(crate) const LAG_S: u64 = 1;
/// What is waited for happens in so much time, or not at all.
const PATIENCE: Duration = Duration::from_secs(90);

/// The servers.
pub(crate) struct Fleet {
    program: PathBuf,
    dir: PathBuf,
    children: Vec<Option<Child>>,
}

/// Where a server listens, for this process.
pub(crate) fn address(server: usize) -> SocketAddr {
    SocketAddr::new(Net::public(server), PORT)
}

/// Asks until something holds.
pub(crate) fn wait_for(
    what: &str,
    mut holds: impl FnMut() -> Result<bool, Failure>,
) -> Result<(), Failure> {
    let start = Instant::now();
    while !holds()? {
        if start.elapsed() > PATIENCE {
            return Err(Failure::Other(format!("waited in vain for {what}")));
        }
        thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

impl Fleet {
    pub(crate) fn new(program: &Path, dir: &Path) -> Fleet {
        let children = (0..SERVERS).map(|_| None).collect();
        Fleet { program: program.to_owned(), dir: dir.to_owned(), children }
    }

    /// Starts a server with what is in its directory; it follows a primary if one is named.
    pub(crate) fn start(
        &mut self,
        net: &Net,
        server: usize,
        primary: Option<usize>,
    ) -> Result<(), Failure> {
        let dir = self.dir.join(server.to_string());
        std::fs::create_dir_all(&dir).map_err(Failure::io("making a directory"))?;
        let log = OpenOptions::new().append(true).create(true).open(dir.join("log"));
        let log = log.map_err(Failure::io("opening a log"))?;
        let words = net.prefix(server);
        let mut command = Command::new(&words[0]);
        command
            .args(&words[1..])
            .arg(&self.program)
            .args(["--port", &PORT.to_string(), "--bind", "0.0.0.0", "--protected-mode", "no"])
            .args(["--save", "", "--appendonly", "yes", "--appendfsync", "everysec"])
            .args(["--enable-debug-command", "yes", "--repl-diskless-sync-delay", "0"])
            .args(["--repl-ping-replica-period", "1", "--repl-timeout", "15"])
            .args(["--repl-backlog-size", "32mb", "--min-replicas-to-write", "1"])
            .args(["--min-replicas-max-lag", &LAG_S.to_string(), "--dir"])
            .arg(&dir);
        if let Some(primary) = primary {
            let host = net.address(primary, server).to_string();
            command.args(["--replicaof", &host, &PORT.to_string()]);
        }
        let errors = log.try_clone().map_err(Failure::io("sharing a log"))?;
        let child = command.stdin(Stdio::null()).stdout(log).stderr(errors).spawn();
        self.children[server] = Some(child.map_err(Failure::io("starting a server"))?);
        wait_for("a server to answer", || self.answers(server))
    }

    fn answers(&mut self, server: usize) -> Result<bool, Failure> {
        if let Some(child) = &mut self.children[server]
            && let Some(status) = child.try_wait().map_err(Failure::io("asking for a child"))?
        {
            return Err(Failure::Other(format!("server {server} ended: {status}")));
        }
        let reply = Connection::open(address(server)).and_then(|mut one| one.command(&["PING"]));
        Ok(reply.is_ok_and(|reply| reply == Reply::Status("PONG".to_owned())))
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self, server: usize) {
        if let Some(mut child) = self.children[server].take() {
            // One that has ended by itself is noticed when it is started again or asked.
            drop(child.kill());
            drop(child.wait());
        }
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        (0..SERVERS).for_each(|server| self.kill(server));
    }
}

/// One command to a server, whose failure is the end of the run.
pub(crate) fn ask(server: usize, words: &[&str]) -> Result<Reply, Failure> {
    Connection::open(address(server))
        .and_then(|mut connection| connection.command(words))
        .map_err(Failure::io(format!("asking server {server} for {words:?}")))
}

/// As [`ask`], where the reply is to be OK.
pub(crate) fn tell(server: usize, words: &[&str]) -> Result<(), Failure> {
    match ask(server, words)? {
        Reply::Status(text) if text.starts_with("OK") => Ok(()),
        other => Err(Failure::Other(format!("server {server}: {words:?}: {other:?}"))),
    }
}

/// INFO of a server.
pub(crate) struct Info(String);

impl Info {
    pub(crate) fn of(server: usize) -> Result<Info, Failure> {
        match ask(server, &["INFO", "everything"])? {
            Reply::Bulk(bytes) => Ok(Info(String::from_utf8_lossy(&bytes).into_owned())),
            other => Err(Failure::Other(format!("server {server}: INFO: {other:?}"))),
        }
    }

    pub(crate) fn text(&self, field: &str) -> &str {
        let line = self.0.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        line.unwrap_or_default()
    }

    pub(crate) fn number(&self, field: &str) -> u64 {
        self.text(field).parse().unwrap_or(0)
    }
}
