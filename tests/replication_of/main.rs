//! A replica of genuine servers: what `redis-server` and `valkey-server` replicate is the same here, byte
//! for byte of the stream and key by key of the data.
//!
//! A server that is not installed (`redis-server` on the path, or what `REDIS_SERVER` and `VALKEY_SERVER`
//! name) is left out, with a line that says so.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

#[path = "../common/mod.rs"]
mod common;
#[path = "../support/daemon.rs"]
#[expect(dead_code, reason = "benchmarks use the rest of it")]
mod daemon;
mod hostile;
mod load;
mod proxy;
mod roles;
mod sync;

use common::{Client, Server, wait_until};
use daemon::{Daemon, Launch};
use std::env;
use std::path::PathBuf;
use std::process::Command;

/// A genuine server to follow.
struct Primary {
    daemon: Daemon,
    name: &'static str,
}

impl Primary {
    fn start(name: &'static str, arguments: &[&str]) -> Option<Primary> {
        let variable = format!("{}_SERVER", name.to_ascii_uppercase());
        let program = env::var_os(variable)
            .map_or_else(|| PathBuf::from(format!("{name}-server")), PathBuf::from);
        if Command::new(&program).arg("--version").output().is_err() {
            println!("{name}-server is not installed: left out");
            return None;
        }
        let fixed = ["--enable-debug-command", "yes", "--repl-diskless-sync-delay", "0"];
        let args = fixed.iter().chain(arguments).map(|&word| word.to_owned()).collect();
        let launch = Launch { name: name.to_owned(), program, args, core: None };
        Some(Primary { daemon: Daemon::start(&launch).unwrap(), name })
    }

    fn port(&self) -> u16 {
        self.daemon.address().port()
    }

    fn connect(&self) -> Client {
        Client::to(self.port())
    }
}

/// Does the same with each genuine server that is installed.
fn with_primaries(arguments: &[&str], test: impl Fn(&Primary)) {
    for name in ["redis", "valkey"] {
        if let Some(primary) = Primary::start(name, arguments) {
            test(&primary);
        }
    }
}

/// A replica of what listens on a port.
fn replica_of(port: u16, arguments: &[&str]) -> Server {
    let replica = Server::with(arguments);
    follow(&replica, port);
    replica
}

fn follow(replica: &Server, port: u16) {
    let reply = replica.connect().command(&["REPLICAOF", "127.0.0.1", &port.to_string()]);
    assert_eq!(reply.to_string(), "+OK");
}

/// A field of INFO; empty if there is none of that name.
fn info(client: &mut Client, field: &str) -> String {
    let text = client.command(&["INFO", "everything"]).text();
    let prefix = format!("{field}:");
    let line = text.lines().find_map(|line| line.strip_prefix(&prefix));
    line.unwrap_or_default().trim().to_owned()
}

/// Waits until the link of a replica is up.
fn wait_for_link(replica: &Server) {
    let mut client = replica.connect();
    wait_until("the link to be up", || info(&mut client, "master_link_status") == "up");
}

/// Waits until a replica has all that its primary has sent.
fn wait_for_offset(primary: &mut Client, replica: &mut Client) {
    wait_until("the replica to have the stream", || {
        let is_up = info(replica, "master_link_status") == "up";
        is_up && info(primary, "master_repl_offset") == info(replica, "slave_repl_offset")
    });
}

/// Compares the data of two servers key by key.
fn compare(primary: &mut Client, replica: &mut Client) {
    for db in 0..3 {
        for client in [&mut *primary, &mut *replica] {
            client.check(&format!("SELECT {db}"), "+OK");
        }
        let keys = |client: &mut Client| {
            let mut keys: Vec<String> =
                client.command(&["KEYS", "*"]).elements().iter().map(common::Reply::text).collect();
            keys.sort();
            keys
        };
        let names = keys(primary);
        assert_eq!(names, keys(replica), "the keys of database {db}");
        for chunk in names.chunks(100) {
            let mut words = vec!["DEBUG", "DIGEST-VALUE"];
            words.extend(chunk.iter().map(String::as_str));
            let (theirs, ours) = (primary.command(&words), replica.command(&words));
            let pairs = theirs.elements().iter().zip(ours.elements()).zip(chunk);
            for ((theirs, ours), key) in pairs {
                assert_eq!(theirs, ours, "the value of {key} in database {db}");
            }
            for key in chunk {
                let words = ["PEXPIRETIME", key.as_str()];
                assert_eq!(primary.command(&words), replica.command(&words), "expiry of {key}");
            }
        }
    }
    for client in [primary, replica] {
        client.check("SELECT 0", "+OK");
    }
}
