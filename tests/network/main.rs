//! What the reactor promises, seen from outside: connections, limits, slow readers, hostile input,
//! pauses, signals.
//!
//! Nothing here depends on how fast the machine is: where the server must have read something before
//! the test goes on, [`settle`] makes sure of that; where something happens by itself, the test waits
//! until it has.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

#[path = "../common/mod.rs"]
mod common;

mod accepting;
mod chaos;
mod ending;
mod listening;
mod malformed;
mod metrics;
mod output;
mod pausing;
mod pipelines;
mod publishing;
mod quiet;
mod scripting;
mod starting;
mod waiting;

use common::{Client, Server};
use std::fs;
use std::io::{ErrorKind, Read};
use std::process::Command;

/// Returns once the server has read everything that was sent to it before the call, over connections
/// that it has accepted: it serves them in turns, and the replies of a turn leave at its end.
fn settle(witness: &mut Client) {
    for _ in 0..2 {
        assert_eq!(witness.command(&["PING"]).to_string(), "+PONG");
    }
}

/// A client that the server has accepted.
fn accepted(server: &Server) -> Client {
    let mut client = server.connect();
    settle(&mut client);
    client
}

/// A number from INFO.
fn figure(client: &mut Client, field: &str) -> u64 {
    let text = client.command(&["INFO", "everything"]).text();
    let prefix = format!("{field}:");
    let line = text.lines().find_map(|line| line.strip_prefix(&prefix));
    line.unwrap_or_else(|| panic!("INFO lacks {field}")).trim().parse().unwrap()
}

/// The kilobytes that a process has in memory.
fn resident_kb(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// The processor time that a process's first thread has used, milliseconds.
fn cpu_ms(pid: u32) -> u64 {
    let figures = fs::read_to_string(format!("/proc/{pid}/schedstat")).unwrap();
    figures.split(' ').next().unwrap().parse::<u64>().unwrap() / 1_000_000
}

/// How many descriptors a process has open.
fn open_descriptors(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count()
}

/// Sends a signal by name, such as `TERM`.
fn signal(pid: u32, name: &str) {
    let status = Command::new("kill").args(["-s", name, &pid.to_string()]).status().unwrap();
    assert!(status.success());
}

/// Asserts that the server has sent a client nothing that it has not read.
fn assert_silent(client: &Client) {
    client.stream().set_nonblocking(true).unwrap();
    let peeked = client.stream().peek(&mut [0; 256]);
    client.stream().set_nonblocking(false).unwrap();
    match peeked {
        Err(error) if error.kind() == ErrorKind::WouldBlock => {}
        other => panic!("something was sent: {other:?}"),
    }
}

/// Reads until the server ends the connection, which it must do in an orderly way: a reset could have
/// destroyed the last reply.
fn read_to_orderly_end(client: &Client) -> Vec<u8> {
    let mut bytes = Vec::new();
    client.stream().read_to_end(&mut bytes).expect("an end of the stream, not a reset");
    bytes
}

/// A client of the server whose number is known.
fn client_with_id(server: &Server) -> (Client, String) {
    let mut client = server.connect();
    let id = client.command(&["CLIENT", "ID"]).integer();
    (client, id.to_string())
}
