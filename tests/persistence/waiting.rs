//! WAITAOF, and what the latency monitor notes of the log.

use crate::common::{Client, Server, wait_until};
use crate::{info, wait_for_info};
use std::time::{Duration, Instant};

const REFUSED: &str =
    "-ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.";

fn logging(policy: &str) -> Server {
    Server::with(&["--appendonly", "yes", "--appendfsync", policy])
}

#[test]
fn writes_are_on_disk_at_once_with_always() {
    let server = logging("always");
    let mut client = server.connect();
    client.check("WAITAOF 1 0 0; WAITAOF 0 0 0", "[:1 :0] [:1 :0]");
    client.check("SET k v; WAITAOF 1 0 0; WAITAOF 0 0 0; GET k", "+OK [:1 :0] [:1 :0] $v");
    // In one turn: what is written in it is on disk at its end.
    client.send(b"SET k w\r\nWAITAOF 1 0 0\r\nGET k\r\n");
    assert_eq!(client.reply().text(), "OK");
    assert_eq!(client.reply().to_string(), "[:1 :0]");
    assert_eq!(client.reply().text(), "w");
}

#[test]
fn with_everysec_it_waits_for_the_fsync() {
    let server = logging("everysec");
    let mut client = server.connect();
    client.check("SET k v; WAITAOF 1 0 0; WAITAOF 0 0 0", "+OK [:1 :0] [:1 :0]");
    // The last fsync was just now, so that the next is a second away.
    let begun = Instant::now();
    client.check("SET k w; WAITAOF 0 0 0; WAITAOF 1 0 10", "+OK [:0 :0] [:0 :0]");
    assert!(begun.elapsed() >= Duration::from_millis(10));
    client.check("WAITAOF 1 0 0; GET k", "[:1 :0] $w");
    // Who has changed nothing has nothing to wait for; replicas are waited for in vain.
    let mut other = server.connect();
    client.check("SET k x", "+OK");
    other.check("WAITAOF 1 0 0", "[:1 :0]");
    client.check("WAITAOF 1 1 1500; WAITAOF 0 2 1", "[:1 :0] [:1 :0]");
}

#[test]
fn in_a_transaction_nothing_is_waited_for() {
    let server = logging("everysec");
    let mut client = server.connect();
    client.check("SET k v; WAITAOF 1 0 0", "+OK [:1 :0]"); // the next fsync is a second away
    client.check(
        "MULTI; WAIT 1 0; WAITAOF 1 0 0; WAITAOF 0 1 0; SET k w; WAITAOF 1 0 0; WAITAOF 0 0 0; EXEC",
        "+OK +QUEUED +QUEUED +QUEUED +QUEUED +QUEUED +QUEUED [:0 [:1 :0] [:1 :0] +OK [:0 :0] [:0 :0]]",
    );
    client.check("WAITAOF 1 0 0; MULTI; WAITAOF 1 1 0; EXEC", "[:1 :0] +OK +QUEUED [[:1 :0]]");
}

#[test]
fn who_waits_is_seen_and_can_be_released() {
    let server = logging("no");
    let (mut client, mut other) = (server.connect(), server.connect());
    client.check("SET k v; WAITAOF 0 0 0; WAITAOF 1 0 5", "+OK [:0 :0] [:0 :0]");
    let id = client.command(&["CLIENT", "ID"]).integer().to_string();
    client.send(b"WAITAOF 1 0 0\r\nGET k\r\n");
    wait_for_info(&mut other, "blocked_clients", "1");
    assert!(other.command(&["CLIENT", "LIST", "ID", &id]).text().contains("flags=b"));
    other.check(&format!("CLIENT UNBLOCK {id}"), ":1");
    assert_eq!(client.reply().to_string(), "[:0 :0]");
    assert_eq!(client.reply().text(), "v");
    client.send(b"WAITAOF 1 0 0\r\n");
    wait_for_info(&mut other, "blocked_clients", "1");
    other.check(&format!("CLIENT UNBLOCK {id} ERROR"), ":1");
    assert_eq!(client.reply().to_string(), "-UNBLOCKED client unblocked via CLIENT UNBLOCK");
    // Who has gone is no trouble.
    client.send(b"WAITAOF 1 0 0\r\n");
    wait_for_info(&mut other, "blocked_clients", "1");
    drop(client);
    wait_for_info(&mut other, "blocked_clients", "0");
    other.check("CONFIG SET appendfsync always; SET k w; WAITAOF 1 0 0", "+OK +OK [:1 :0]");
}

#[test]
fn without_the_log_it_is_refused_also_while_it_waits() {
    let server = logging("no");
    let (mut client, mut other) = (server.connect(), server.connect());
    client.check("SET k v", "+OK");
    client.send(b"WAITAOF 1 0 0\r\n");
    wait_for_info(&mut other, "blocked_clients", "1");
    other.check("CONFIG SET appendonly no", "+OK");
    assert_eq!(client.reply().to_string(), REFUSED);
    client.check("WAITAOF 1 0 0; WAITAOF 0 0 0", &format!("{REFUSED} [:0 :0]"));
    // Switched on again, changes count once there is a base.
    client
        .check("SET k w; CONFIG SET appendonly yes; CONFIG SET appendfsync always", "+OK +OK +OK");
    client.check("SET k x; WAITAOF 1 0 0", "+OK [:1 :0]");
    assert_eq!(info(&mut other, "aof_rewrite_in_progress"), "0");
}

fn events(client: &mut Client) -> Vec<String> {
    let latest = client.command(&["LATENCY", "LATEST"]);
    latest.elements().iter().map(|event| event.elements()[0].text()).collect()
}

#[test]
fn slow_writes_of_the_log_are_noted() {
    let server = Server::with(&["--appendonly", "yes", "--latency-monitor-threshold", "20"]);
    let mut client = server.connect();
    client.check("SET k v", "+OK");
    assert!(!events(&mut client).contains(&"aof-write".to_owned()));
    for (line, reply) in [
        ("DEBUG AOF-FLUSH-SLEEP 30000", "+OK"),
        ("SET k w", "+OK"),
        ("DEBUG AOF-FLUSH-SLEEP 0", "+OK"),
    ] {
        client.check(line, reply); // each in a turn of its own
    }
    wait_until("the write to be noted", || events(&mut client).contains(&"aof-write".to_owned()));
    let history = client.command(&["LATENCY", "HISTORY", "aof-write"]);
    assert!(history.elements()[0].elements()[1].integer() >= 30);
    let names = ["aof-write-alone", "aof-write-pending-fsync"];
    assert!(events(&mut client).iter().any(|event| names.contains(&event.as_str())));
}
