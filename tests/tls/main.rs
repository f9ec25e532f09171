//! TLS from outside: who gets in, as whom, with which certificates; what becomes of those who do not
//! speak it.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

#[path = "../common/mod.rs"]
mod common;
#[path = "../replication/fleet.rs"]
#[expect(dead_code, reason = "another program uses the rest of it")]
mod fleet;
#[path = "../replication_of/proxy.rs"]
mod proxy;

mod authority;
mod client;
mod directives;
mod identity;
mod reload;
mod replicas;
mod strangers;
mod streams;

use authority::{Authority, Pair, Wish};
use client::{BOTH, TlsClient, config};
use common::{Server, free_port, scratch};
use std::fs;
use std::rc::Rc;
use tempfile::TempDir;

/// A server that speaks TLS, and those who vouch.
struct World {
    server: Server,
    authority: Authority,
    dir: Rc<TempDir>,
    port: u16,
}

/// The directives of a server whose files are in its directory.
const FILES: [&str; 6] = [
    "--tls-cert-file",
    "server.crt",
    "--tls-key-file",
    "server.key",
    "--tls-ca-cert-file",
    "ca.crt",
];

/// A directory with `ca.crt`, `server.crt` and `server.key`.
fn prepared(authority: &Authority) -> Rc<TempDir> {
    let dir = Rc::new(scratch());
    fs::write(dir.path().join("ca.crt"), authority.pem()).unwrap();
    authority.issue(Wish::named("the server")).save(dir.path(), "server");
    dir
}

impl World {
    fn with(arguments: &[&str]) -> Self {
        let authority = Authority::new();
        let dir = prepared(&authority);
        Self::in_directory(authority, dir, arguments)
    }

    fn in_directory(authority: Authority, dir: Rc<TempDir>, arguments: &[&str]) -> Self {
        let port = free_port();
        let number = port.to_string();
        let arguments = [&["--tls-port", &number][..], &FILES, arguments].concat();
        let server = Server::in_directory(&dir, &arguments);
        Self { server, authority, dir, port }
    }

    /// A certificate of the server's authority.
    fn issue(&self, name: &str) -> Pair {
        self.authority.issue(Wish::named(name))
    }

    fn connect(&self, own: Option<&Pair>) -> TlsClient {
        TlsClient::to(self.port, &config(own, BOTH))
    }

    /// A number from INFO.
    fn figure(&self, field: &str) -> i64 {
        let text = self.server.connect().command(&["INFO", "everything"]).text();
        let prefix = format!("{field}:");
        let line = text.lines().find_map(|line| line.strip_prefix(&prefix));
        line.unwrap_or_else(|| panic!("INFO lacks {field}")).trim().parse().unwrap()
    }
}
