//! Genuine servers beside the one under test: replicas of it, or primaries for it.

use crate::common::{Client, Reply, free_port, scratch, wait_until};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// A running server of another make, ended when dropped.
pub(crate) struct Foreign {
    child: Child,
    port: u16,
    _dir: TempDir,
}

impl Foreign {
    /// Starts the program.
    pub(crate) fn start(program: &Path, arguments: &[&str]) -> Foreign {
        Foreign::try_start(program, arguments).expect("it starts")
    }

    /// Starts the program; `None` if it ends, because it does not know what it is told.
    pub(crate) fn try_start(program: &Path, arguments: &[&str]) -> Option<Foreign> {
        let dir = scratch();
        let port = free_port();
        let log = std::fs::File::create(dir.path().join("log")).unwrap();
        let mut child = Command::new(program)
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""])
            .args(["--enable-debug-command", "yes", "--dir"])
            .arg(dir.path())
            .args(arguments)
            .stdin(Stdio::null())
            .stderr(log.try_clone().unwrap())
            .stdout(log)
            .spawn()
            .unwrap();
        let mut has_ended = false;
        wait_until("a server to listen", || {
            has_ended = child.try_wait().unwrap().is_some();
            has_ended || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        (!has_ended).then(|| Foreign { child, port, _dir: dir })
    }

    /// A new connection.
    pub(crate) fn connect(&self) -> Client {
        Client::to(self.port)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        // An error means that the process has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The genuine servers of this machine: from the variables `REDIS_SERVER` and `VALKEY_SERVER`, or the path.
pub(crate) fn genuine() -> Vec<PathBuf> {
    let all = [("REDIS_SERVER", "redis-server"), ("VALKEY_SERVER", "valkey-server")];
    let found: Vec<PathBuf> =
        all.iter().filter_map(|(variable, name)| find(variable, name)).collect();
    if found.is_empty() {
        println!("left out: there is neither redis-server nor valkey-server");
    }
    found
}

fn find(variable: &str, name: &str) -> Option<PathBuf> {
    if let Some(named) = std::env::var_os(variable) {
        return Some(named.into());
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// A field of INFO; empty if it is not there.
pub(crate) fn info(client: &mut Client, field: &str) -> String {
    let text = client.command(&["INFO", "everything"]).text();
    let prefix = format!("{field}:");
    let line = text.lines().find_map(|line| line.strip_prefix(&prefix));
    line.unwrap_or_default().trim().to_owned()
}

/// Makes a server follow another one and waits until it does.
pub(crate) fn follow(replica: &mut Client, port: u16) {
    assert_eq!(replica.command(&["REPLICAOF", "127.0.0.1", &port.to_string()]).to_string(), "+OK");
    wait_until("the link to be up", || info(replica, "master_link_status") == "up");
}

/// Waits until a replica has all that its primary has, and compares the data.
pub(crate) fn expect_same(primary: &mut Client, replica: &mut Client) {
    wait_until("the replica to have everything", || {
        let offset = info(primary, "master_repl_offset");
        info(replica, "slave_repl_offset") == offset
            && info(primary, "master_repl_offset") == offset
    });
    let digest = |client: &mut Client| client.command(&["DEBUG", "DIGEST"]).to_string();
    assert_eq!(digest(primary), digest(replica));
}

/// Executes commands, none of which may fail.
pub(crate) fn run(client: &mut Client, lines: &[&str]) {
    for line in lines {
        let words: Vec<&str> = line.split(' ').collect();
        let reply = client.command(&words);
        assert!(!matches!(reply, Reply::Error(_)), "{line}: {reply}");
    }
}
