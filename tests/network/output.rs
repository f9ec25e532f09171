//! Clients that read slowly, or do not want to read.

use crate::common::{Server, encode, wait_until};
use crate::{accepted, client_with_id, figure, read_to_orderly_end, resident_kb, settle};
use std::io::Read;
use std::net::Shutdown;

const MEGABYTE: usize = 1024 * 1024;

/// Bytes in which every piece differs from its neighbours.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

fn store(server: &Server, key: &str, value: &[u8]) {
    let mut client = server.connect();
    assert_eq!(client.command(&[b"SET", key.as_bytes(), value]).to_string(), "+OK");
}

#[test]
fn who_reads_slowly_delays_nobody() {
    let server = Server::start();
    let value = noise(100 * MEGABYTE);
    store(&server, "long", &value);
    let mut slow = server.connect();
    slow.send_command(&["GET", "long"]);
    let mut other = server.connect();
    for turn in 0..2000_u32 {
        let turn = turn.to_string();
        assert_eq!(other.command(&["SET", "turn", &turn]).to_string(), "+OK");
        assert_eq!(other.command(&["GET", "turn"]).text(), turn);
    }
    // All that while the slow one has read nothing.
    let reply = slow.reply();
    assert!(reply == crate::common::Reply::Bulk(value), "the value arrives whole");
}

#[test]
fn a_value_that_many_wait_for_is_held_once() {
    let server = Server::start();
    let value = noise(10 * MEGABYTE);
    store(&server, "long", &value);
    let mut witness = server.connect();
    let before_kb = resident_kb(server.pid());
    let mut waiting: Vec<_> = (0..50).map(|_| accepted(&server)).collect();
    for client in &mut waiting {
        client.send_command(&["GET", "long"]);
    }
    settle(&mut witness);
    assert_eq!(figure(&mut witness, "connected_clients"), 51);
    let grown_kb = resident_kb(server.pid()).saturating_sub(before_kb);
    assert!(grown_kb < 20 * 1024, "50 replies of 10 MB took {grown_kb} kB");
    for client in waiting.iter_mut().take(3) {
        assert!(client.reply() == crate::common::Reply::Bulk(value.clone()));
    }
}

#[test]
fn a_value_on_its_way_is_not_changed_any_more() {
    let server = Server::start();
    let value = noise(30 * MEGABYTE);
    let mut witness = server.connect();
    for change in [&["SET", "long", "x"][..], &["APPEND", "long", "x"], &["DEL", "long"]] {
        store(&server, "long", &value);
        let mut slow = accepted(&server);
        slow.send_command(&["GET", "long"]);
        settle(&mut witness);
        witness.command(change);
        assert!(slow.reply() == crate::common::Reply::Bulk(value.clone()), "after {change:?}");
    }
}

#[test]
fn replies_gather_while_nobody_reads_and_arrive_in_order() {
    let server = Server::start();
    let value = noise(20_000);
    store(&server, "k", &value);
    let mut client = server.connect();
    for number in 0..2000_u32 {
        client.send_command(&["GET", "k"]);
        client.send_command(&["PING", &number.to_string()]);
    }
    for number in 0..2000_u32 {
        assert!(client.reply() == crate::common::Reply::Bulk(value.clone()));
        assert_eq!(client.reply().text(), number.to_string());
    }
}

#[test]
fn over_the_hard_limit_of_output_a_client_is_closed() {
    let server = Server::with(&["--client-output-buffer-limit", "normal 1mb 0 0"]);
    store(&server, "long", &noise(64 * MEGABYTE));
    let mut witness = server.connect();
    let mut greedy = server.connect();
    greedy.send_command(&["GET", "long"]);
    wait_until("the client to be closed", || figure(&mut witness, "connected_clients") == 1);
    assert_eq!(figure(&mut witness, "client_output_buffer_limit_disconnections"), 1);
    assert!(greedy.read_to_end().len() < 64 * MEGABYTE);
    server.wait_for_log("closed ASAP for overcoming of output buffer limits");
}

#[test]
fn the_hard_limit_ends_a_pipeline_in_the_midst() {
    let server = Server::with(&["--client-output-buffer-limit", "normal 3mb 0 0"]);
    store(&server, "long", &noise(MEGABYTE));
    let mut greedy = server.connect();
    let pipeline: Vec<u8> = (0..50).flat_map(|_| encode(&["GET", "long"])).collect();
    greedy.send(&[pipeline, encode(&["SET", "executed", "yes"])].concat());
    greedy.read_to_end();
    server.check("EXISTS executed", ":0");
}

#[test]
fn over_the_soft_limit_for_too_long_a_client_is_closed() {
    let server = Server::with(&["--client-output-buffer-limit", "normal 0 1mb 1"]);
    store(&server, "long", &noise(64 * MEGABYTE));
    let mut witness = server.connect();
    let mut greedy = accepted(&server);
    greedy.send_command(&["GET", "long"]);
    settle(&mut witness);
    assert_eq!(figure(&mut witness, "connected_clients"), 2, "not yet");
    wait_until("the client to be closed", || figure(&mut witness, "connected_clients") == 1);
    assert_eq!(figure(&mut witness, "client_output_buffer_limit_disconnections"), 1);
}

#[test]
fn a_client_killed_while_it_waits_for_output_is_gone_at_once() {
    let server = Server::start();
    let value = noise(64 * MEGABYTE);
    store(&server, "long", &value);
    let (mut waiting, id) = client_with_id(&server);
    waiting.send_command(&["GET", "long"]);
    let mut witness = accepted(&server);
    witness.check(&format!("CLIENT KILL ID {id}"), ":1");
    settle(&mut witness);
    assert_eq!(figure(&mut witness, "connected_clients"), 1);
    assert!(waiting.read_to_end().len() < value.len());
}

#[test]
fn a_client_that_ends_its_half_still_gets_its_replies() {
    let server = Server::start();
    let value = noise(30 * MEGABYTE);
    store(&server, "long", &value);
    let mut client = server.connect();
    client.send(&[encode(&["GET", "long"]), encode(&["PING"])].concat());
    client.stream().shutdown(Shutdown::Write).unwrap();
    assert!(client.reply() == crate::common::Reply::Bulk(value));
    assert_eq!(client.reply().to_string(), "+PONG");
    assert_eq!(client.stream().read(&mut [0; 8]).unwrap(), 0);
}

#[test]
fn clients_that_vanish_leave_nothing_behind() {
    let server = Server::start();
    let mut witness = server.connect();
    for round in 0..300 {
        let mut client = server.connect();
        match round % 4 {
            0 => {}
            1 => client.send(b"PING\r\n"),
            2 => client.send(b"*2\r\n$3\r\nGET\r\n$1000000\r\nabc"),
            _ => {
                client.send(b"PING\r\n");
                client.stream().shutdown(Shutdown::Write).unwrap();
                assert_eq!(read_to_orderly_end(&client), b"+PONG\r\n");
            }
        }
    }
    wait_until("all to be gone", || figure(&mut witness, "connected_clients") == 1);
}

#[test]
fn replies_can_be_switched_off_and_skipped() {
    let server = Server::start();
    let mut client = server.connect();
    let commands = [
        "CLIENT REPLY SKIP",
        "PING a",
        "PING b",
        "CLIENT REPLY OFF",
        "PING c",
        "SET k v",
        "NONSENSE",
        "CLIENT REPLY SKIP",
        "CLIENT REPLY ON",
        "PING d",
    ];
    client.send((commands.join("\r\n") + "\r\n").as_bytes());
    for expected in ["$b", "+OK", "$d"] {
        assert_eq!(client.reply().to_string(), expected);
    }
    client.check("GET k", "$v");
}

#[test]
fn long_replies_are_switched_off_too() {
    let server = Server::start();
    store(&server, "long", &noise(MEGABYTE));
    let mut client = server.connect();
    client.send(
        b"PING a\r\nCLIENT REPLY OFF\r\nGET long\r\nGET long\r\nCLIENT REPLY ON\r\nPING b\r\n",
    );
    for expected in ["$a", "+OK", "$b"] {
        assert_eq!(client.reply().to_string(), expected);
    }
}

#[test]
fn without_replies_a_protocol_error_is_silent_too() {
    let server = Server::start();
    let mut client = server.connect();
    client.send(b"CLIENT REPLY OFF\r\n*x\r\n");
    assert_eq!(read_to_orderly_end(&client), b"");
}
