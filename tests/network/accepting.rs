//! Who is let in, who is turned away, and who is put out.

use crate::common::{Client, Server, wait_until};
use crate::{accepted, figure, open_descriptors, read_to_orderly_end, settle, signal};
use std::fs;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

const FULL: &[u8] = b"-ERR max number of clients reached\r\n";

#[test]
fn one_client_too_many_is_told_so() {
    let server = Server::with(&["--maxclients", "3"]);
    let mut clients: Vec<Client> = (0..3).map(|_| server.connect()).collect();
    for client in &mut clients {
        settle(client);
    }
    for number in 1..=40 {
        let mut refused = server.connect();
        refused.send(b"SET executed yes\r\n"); // a client does not wait for a greeting
        assert_eq!(read_to_orderly_end(&refused), FULL);
        assert_eq!(figure(&mut clients[0], "rejected_connections"), number);
    }
    clients[0].check("EXISTS executed; CONFIG SET maxclients 4", ":0 +OK");
    server.check("PING", "+PONG");
    clients.pop();
    wait_until("a place to be free", || figure(&mut clients[0], "connected_clients") == 2);
    server.check("PING", "+PONG");
}

#[test]
fn a_storm_of_connections_is_served() {
    let server = Server::with(&["--max-new-connections-per-cycle", "1"]);
    let mut clients: Vec<Client> = (0..300).map(|_| server.connect()).collect();
    for client in &mut clients {
        client.send(b"PING\r\n");
    }
    for client in &mut clients {
        assert_eq!(client.reply().to_string(), "+PONG");
    }
}

#[test]
fn who_is_idle_for_too_long_is_put_out() {
    let server = Server::with(&["--timeout", "2"]);
    let idle = server.connect();
    let mut busy = server.connect();
    idle.stream().set_nonblocking(true).unwrap();
    let ended = |client: &Client| matches!(client.stream().peek(&mut [0]), Ok(0));
    wait_until("the idle client to be put out", || {
        settle(&mut busy);
        ended(&idle)
    });
    settle(&mut busy);
    busy.check("CONFIG SET timeout 0", "+OK");
    assert_eq!(figure(&mut busy, "connected_clients"), 1);
}

/// The timer that the kernel runs for the server's end of a connection: none, or `02` if it is the one
/// for keepalive. For a moment after a reply there is another.
fn timer(server: &Server, client: &Client) -> String {
    let [ours, theirs] = [server.port(), client.stream().local_addr().unwrap().port()];
    let suffixes = [format!(":{ours:04X}"), format!(":{theirs:04X}")];
    let table = fs::read_to_string("/proc/net/tcp").unwrap();
    let line =
        table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).find(|words| {
            words.len() > 5 && words[1].ends_with(&suffixes[0]) && words[2].ends_with(&suffixes[1])
        });
    line.expect("the kernel lists the connection")[5][..2].to_owned()
}

#[test]
fn tcp_keepalive_applies_to_connections_made_after_it() {
    let server = Server::start();
    let mut first = accepted(&server);
    wait_until("the keepalive timer", || timer(&server, &first) == "02");
    first.check("CONFIG SET tcp-keepalive 0", "+OK");
    let second = accepted(&server);
    wait_until("no timer", || timer(&server, &second) == "00");
    wait_until("the keepalive timer", || timer(&server, &first) == "02");
}

#[test]
fn descriptors_may_run_out() {
    let server = Server::start();
    let mut witness = accepted(&server);
    let pid = server.pid().to_string();
    let open = open_descriptors(server.pid());
    let limit = |soft: usize| {
        let soft = format!("--nofile={soft}:");
        assert!(Command::new("prlimit").args(["--pid", &pid, &soft]).status().unwrap().success());
    };
    limit(open + 2);
    let mut clients: Vec<Client> = (0..6).map(|_| server.connect()).collect();
    for client in &mut clients {
        client.send(b"PING\r\n");
    }
    server.wait_for_log("Accepting client connection: accept: Too many open files");
    // The server does not spin on those it cannot accept, and serves those it has.
    let (started, before) = (Instant::now(), figure(&mut witness, "eventloop_cycles"));
    sleep(Duration::from_secs(1));
    let turns = figure(&mut witness, "eventloop_cycles") - before;
    assert!(turns < 100 * (1 + started.elapsed().as_secs()), "{turns} turns");
    assert_eq!(server.log().matches("Too many open files").count(), 1);
    // They are accepted once there is room again.
    limit(open + 100);
    for client in &mut clients {
        assert_eq!(client.reply().to_string(), "+PONG");
    }
}

#[test]
fn a_place_that_changed_hands_is_not_closed_in_the_predecessors_stead() {
    let server = Server::start();
    let mut sleeper = server.connect();
    let mut killer = server.connect();
    let mut victim = server.connect();
    let id = victim.command(&["CLIENT", "ID"]).integer();
    settle(&mut killer);
    // All of this waits until the server wakes, and is then dealt with in one turn.
    sleeper.send(b"DEBUG SLEEP 0.5\r\n");
    killer.send(format!("CLIENT KILL ID {id}\r\n").as_bytes());
    drop(victim);
    let mut successor = server.connect();
    successor.send(b"PING\r\n");
    assert_eq!(sleeper.reply().to_string(), "+OK");
    assert_eq!(killer.reply().to_string(), ":1");
    assert_eq!(successor.reply().to_string(), "+PONG");
    settle(&mut successor);
}

#[test]
fn clients_of_a_stopped_server_wait() {
    let server = Server::start();
    let mut client = accepted(&server);
    signal(server.pid(), "STOP");
    client.send(&b"INCR n\r\n".repeat(1000));
    let mut late = server.connect();
    late.send(b"PING\r\n");
    signal(server.pid(), "CONT");
    for number in 1..=1000 {
        assert_eq!(client.reply().to_string(), format!(":{number}"));
    }
    assert_eq!(late.reply().to_string(), "+PONG");
}
