//! Clients that do nothing cost little, and so does a server that has nothing to do.

use crate::common::{Client, Server, wait_until};
use crate::{accepted, cpu_ms, figure, open_descriptors, resident_kb};
use std::io::Read;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

const IDLE_CLIENTS: u64 = 2_100;

/// Lets this process open enough sockets.
fn allow_open_files(count: u64) {
    let (pid, soft) = (std::process::id().to_string(), format!("--nofile={count}:"));
    let status = Command::new("prlimit").args(["--pid", &pid, &soft]).status().unwrap();
    assert!(status.success(), "the hard limit of open files is below {count}");
}

#[test]
fn thousands_of_idle_clients_fit_in_little_memory() {
    allow_open_files(IDLE_CLIENTS + 300);
    let server = Server::start();
    let mut witness = accepted(&server);
    let before_kb = resident_kb(server.pid());
    let mut clients: Vec<Client> = (1..IDLE_CLIENTS).map(|_| server.connect()).collect();
    for client in &mut clients {
        client.check("SET k v; GET k", "+OK $v");
    }
    assert_eq!(figure(&mut witness, "connected_clients"), IDLE_CLIENTS);
    let grown_kb = resident_kb(server.pid()).saturating_sub(before_kb);
    assert!(grown_kb < IDLE_CLIENTS * 2, "{IDLE_CLIENTS} idle clients take {grown_kb} kB");
    // More than 200 of them a run: the work is spread over more runs a second.
    wait_until("hz to follow", || figure(&mut witness, "hz") == 20);
    witness.check("CONFIG SET dynamic-hz no", "+OK");
    wait_until("hz to stay", || figure(&mut witness, "hz") == 10);
    assert_eq!(figure(&mut witness, "configured_hz"), 10);
}

#[test]
fn a_server_without_work_sleeps() {
    let server = Server::start();
    let mut witness = server.connect();
    let clients: Vec<Client> = (0..10).map(|_| server.connect()).collect();
    witness.check("SET k v EX 1000", "+OK");
    let turns_before = figure(&mut witness, "eventloop_cycles");
    let (started, cpu_before) = (Instant::now(), cpu_ms(server.pid()));
    sleep(Duration::from_secs(2));
    let cpu = cpu_ms(server.pid()) - cpu_before;
    let turns = figure(&mut witness, "eventloop_cycles") - turns_before;
    let seconds = 1 + started.elapsed().as_secs();
    assert!(cpu < 20 * seconds, "{cpu} ms of processor time in {seconds} s");
    assert!(turns < 20 * seconds, "{turns} turns in {seconds} s");
    drop(clients);
}

#[test]
fn clients_that_were_sent_away_and_do_not_go_cost_nothing() {
    let server = Server::with(&["--maxclients", "1"]);
    let mut witness = accepted(&server);
    let descriptors = open_descriptors(server.pid());
    let sent_away: Vec<Client> = (0..5).map(|_| server.connect()).collect();
    for client in &sent_away {
        client.stream().read_exact(&mut [0; 20]).unwrap();
    }
    let (started, before) = (Instant::now(), figure(&mut witness, "eventloop_cycles"));
    // They neither send anything nor close their ends until the server's patience ends.
    wait_until("the server to close", || open_descriptors(server.pid()) == descriptors);
    sleep(Duration::from_secs(1));
    let turns = figure(&mut witness, "eventloop_cycles") - before;
    let seconds = 1 + started.elapsed().as_secs();
    assert!(turns < 20 * seconds, "{turns} turns in {seconds} s");
}

#[test]
fn hz_is_how_often_a_server_without_work_wakes() {
    let server = Server::start();
    let mut witness = server.connect();
    witness.check("CONFIG SET hz 100; CONFIG SET hz 1000; CONFIG GET hz", "+OK +OK [$hz $500]");
    let before = figure(&mut witness, "eventloop_cycles");
    wait_until("a hundred turns", || {
        sleep(Duration::from_millis(100));
        figure(&mut witness, "eventloop_cycles") > before + 100
    });
    assert_eq!(figure(&mut witness, "hz"), 500);
}

#[test]
fn keys_expire_though_nobody_asks_for_them() {
    let server = Server::start();
    let mut client = server.connect();
    let many: Vec<String> = (0..500).map(|number| format!("SET k{number} v PX 100")).collect();
    client.send((many.join("\r\n") + "\r\nSET stays v EX 1000\r\n").as_bytes());
    for _ in 0..501 {
        assert_eq!(client.reply().to_string(), "+OK");
    }
    wait_until("all but one to be gone", || client.command(&["DBSIZE"]).integer() == 1);
    assert_eq!(figure(&mut client, "expired_keys"), 500);
}
