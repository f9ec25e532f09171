//! A primary that is none: it sends what it wants, and gets the link closed at worst.

use crate::common::{Server, wait_until};
use crate::follow;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

/// Waits for a replica and answers its handshake.
fn accept(listener: &TcpListener) -> TcpStream {
    let (mut stream, _) = listener.accept().unwrap();
    for reply in ["+PONG\r\n", "+OK\r\n+OK\r\n"] {
        assert_ne!(stream.read(&mut [0; 4096]).unwrap(), 0);
        stream.write_all(reply.as_bytes()).unwrap();
    }
    assert_ne!(stream.read(&mut [0; 4096]).unwrap(), 0);
    stream
}

/// An empty snapshot, from a server that is none.
fn snapshot() -> Vec<u8> {
    let source = Server::start();
    source.check("SAVE", "+OK");
    std::fs::read(source.dir().join("dump.rdb")).unwrap()
}

#[test]
fn commands_that_are_no_business_of_a_primary_are_not_executed() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let replica = Server::start();
    follow(&replica, listener.local_addr().unwrap().port());
    let mut stream = accept(&listener);
    let id = "a".repeat(40);
    let snapshot = snapshot();
    let head = format!("+FULLRESYNC {id} 1\r\n${}\r\n", snapshot.len());
    stream.write_all(&[head.as_bytes(), &snapshot].concat()).unwrap();
    for line in [
        "SHUTDOWN NOSAVE",
        "DEBUG SEGFAULT",
        "CONFIG SET maxmemory 1",
        "REPLICAOF NO ONE",
        "CLIENT KILL TYPE normal",
        "MONITOR",
        "SUBSCRIBE c",
        "QUIT",
        "RESET",
        "NOSUCH",
        "LPUSH",
        "BLPOP l 0",
        "SET k v",
    ] {
        stream.write_all(format!("{line}\r\n").as_bytes()).unwrap();
    }
    let mut reader = replica.connect();
    wait_until("the stream", || reader.command(&["GET", "k"]).to_string() == "$v");
    reader.check("CONFIG GET maxmemory", "[$maxmemory $0]");
    assert_eq!(crate::info(&mut reader, "master_link_status"), "up");
    // What is no stream ends the link.
    stream.write_all(b"*1\r\n:1\r\n").unwrap();
    accept(&listener);
    reader.check("GET k", "$v");
}

#[test]
fn a_snapshot_that_is_none_leaves_the_server_as_it_can() {
    for load in ["disabled", "on-empty-db", "swapdb"] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let replica = Server::with(&["--repl-diskless-load", load]);
        follow(&replica, listener.local_addr().unwrap().port());
        let id = "a".repeat(40);
        for header in ["$9\r\nREDIS0011", "$20\r\nREDIS9999xxxxxxxxxxx", "$0\r\n"] {
            let mut stream = accept(&listener);
            stream.write_all(format!("+FULLRESYNC {id} 1\r\n{header}").as_bytes()).unwrap();
            // The replica leaves, and comes again.
            let mut rest = Vec::new();
            let _ = stream.read_to_end(&mut rest);
        }
        replica.check("PING", "+PONG");
    }
}

/// A snapshot that comes while a script runs, which still sees what it replaces.
#[test]
fn cve_2026_23631_a_snapshot_that_comes_during_a_script_waits_for_it() {
    for load in ["disabled", "swapdb"] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let replica = Server::with(&["--repl-diskless-load", load, "--busy-reply-threshold", "1"]);
        replica.check("SET k before; FUNCTION LOAD \"#!lua name=l\\nredis.register_function{function_name='f', callback=function(keys) local n = 0 repeat local v = redis.call('GET', keys[1]) n = n + 1 until v == 'never' end, flags={'no-writes'}}\"", "+OK $l");
        follow(&replica, listener.local_addr().unwrap().port());
        let mut stream = accept(&listener);
        let mut caller = replica.connect();
        caller.send_command(&["FCALL_RO", "f", "1", "k"]);
        let mut other = replica.connect();
        wait_until("the function to be slow", || {
            other.command(&["PING"]).to_string().starts_with("-BUSY")
        });
        let snapshot = snapshot();
        let head = format!("+FULLRESYNC {} 1\r\n${}\r\n", "a".repeat(40), snapshot.len());
        let sent = [head.as_bytes(), &snapshot, b"SET k after\r\n"].concat();
        stream.write_all(&sent).unwrap();
        for _ in 0..50 {
            assert!(other.command(&["PING"]).to_string().starts_with("-BUSY"));
        }
        other.check("FUNCTION KILL", "+OK");
        assert!(caller.reply().to_string().starts_with('-'));
        if load == "swapdb" {
            // What would go straight into memory is asked for again.
            stream = accept(&listener);
            stream.write_all(&sent).unwrap();
        }
        wait_until("the stream", || other.command(&["GET", "k"]).to_string() == "$after");
        other.check("FUNCTION LIST", "[]");
    }
}
