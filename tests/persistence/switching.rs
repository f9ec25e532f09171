//! `appendonly` changed within a transaction: of a transaction the log has all or nothing.

use crate::common::{Client, Server};
use crate::{info, wait_for_info};
use std::fs;
use std::path::Path;

const LOGGING: [&str; 2] = ["--appendonly", "yes"];

/// Sends commands in one piece and forgets the replies, of which none may be an error.
fn send(client: &mut Client, script: &[&str]) {
    client.send((script.join("\r\n") + "\r\n").as_bytes());
    for line in script {
        let reply = client.reply().to_string();
        assert!(!reply.contains('-'), "{line}: {reply}");
    }
}

/// All logs, one after the other.
fn logged(dir: &Path) -> String {
    let mut text = String::new();
    for entry in fs::read_dir(dir.join("appendonlydir")).unwrap() {
        let path = entry.unwrap().path();
        if path.to_string_lossy().ends_with(".incr.aof") {
            text += &fs::read_to_string(path).unwrap();
        }
    }
    text
}

#[test]
fn a_log_that_a_transaction_ends_has_nothing_of_that_transaction() {
    let server = Server::with(&LOGGING);
    let mut client = server.connect();
    let off = "CONFIG SET appendonly no";
    send(
        &mut client,
        &["SET x 1", "MULTI", "SET a 1", "SET b 1", off, "SET c 1", "EXEC", "SET d 1"],
    );
    assert_eq!(info(&mut client, "aof_enabled"), "0");
    let text = logged(server.dir());
    assert!(text.contains("x\r\n") && !text.contains("MULTI"), "{text}");
    let server = server.killed_and_restarted(&LOGGING);
    server.check("MGET x a b c d", "[$1 $_ $_ $_ $_]");
}

#[test]
fn a_log_that_a_transaction_begins_has_all_of_it() {
    for policy in ["always", "everysec"] {
        let server = Server::with(&["--appendfsync", policy]);
        let mut client = server.connect();
        let on = "CONFIG SET appendonly yes";
        send(&mut client, &["SET x 1", "MULTI", "SET a 1", on, "SET b 1", "EXEC", "SET c 1"]);
        wait_for_info(&mut client, "aof_rewrite_scheduled", "0");
        wait_for_info(&mut client, "aof_rewrite_in_progress", "0");
        client.check("SET d 1; APPEND x 2", "+OK :2");
        let server = server.killed_and_restarted(&LOGGING);
        server.check("MGET x a b c d", "[$12 $1 $1 $1 $1]");
    }
}

#[test]
fn off_and_on_again_in_one_transaction_loses_nothing() {
    let server = Server::with(&LOGGING);
    let mut client = server.connect();
    let (off, on) = ("CONFIG SET appendonly no", "CONFIG SET appendonly yes");
    send(&mut client, &["MULTI", "SET a 1", "SET b 1", off, "SET c 1", on, "APPEND c 2", "EXEC"]);
    wait_for_info(&mut client, "aof_rewrite_scheduled", "0");
    wait_for_info(&mut client, "aof_rewrite_in_progress", "0");
    client.check("APPEND c 3", ":3");
    let server = server.killed_and_restarted(&LOGGING);
    server.check("MGET a b c", "[$1 $1 $123]");
    // Already on, or off twice: nothing happens, and the transaction is logged as a whole.
    let mut client = server.connect();
    send(&mut client, &["MULTI", "SET a 2", on, "SET b 2", "EXEC"]);
    let server = server.killed_and_restarted(&LOGGING);
    server.check(
        "MGET a b; MULTI; SET a 3; DEBUG LOADAOF; SET b 3; EXEC",
        "[$2 $2] +OK +QUEUED \
        +QUEUED +QUEUED [+OK -ERR DEBUG LOADAOF is not possible inside a transaction +OK]",
    );
    let server = server.killed_and_restarted(&LOGGING);
    server.check("MGET a b", "[$3 $3]");
}
