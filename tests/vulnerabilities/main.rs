//! Known vulnerabilities of Redis and Valkey, by number or by class: what each sent is an error or a value
//! here, and the server goes on. `docs/security.md` lists all of them, those of Lua included.
//!
//! What would have crashed a server shows as a lost connection; what would have taken forever, or for ever
//! more memory, as a reply that does not come.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

#[path = "../common/mod.rs"]
mod common;

mod access;
mod blocked;
mod patterns;
mod payloads;
mod strangers;
mod structures;

use common::{Client, Server};

/// A server on which a user `u`, whose rules these are, is logged in.
fn user(rules: &str) -> (Server, Client) {
    let server = Server::start();
    let rules: Vec<&str> = rules.split(' ').collect();
    let make = [&["ACL", "SETUSER", "u", "on", ">pw"][..], &rules].concat();
    assert_eq!(server.connect().command(&make).to_string(), "+OK");
    let mut client = server.connect();
    client.check("AUTH u pw", "+OK");
    (server, client)
}

/// A number from INFO.
fn figure(client: &mut Client, field: &str) -> u64 {
    let text = client.command(&["INFO", "everything"]).text();
    let prefix = format!("{field}:");
    let line = text.lines().find_map(|line| line.strip_prefix(&prefix));
    line.unwrap_or_else(|| panic!("INFO lacks {field}")).trim().parse().unwrap()
}
