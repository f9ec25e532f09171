//! Bytes on their way: small ones, many, large ones, and the end.

use super::*;
use crate::common::encode;
use std::io::{Read, Write};

fn open_world() -> World {
    World::with(&["--tls-auth-clients", "no"])
}

#[test]
fn a_pipeline_is_answered_whole() {
    let world = open_world();
    for version in [&[&rustls::version::TLS13][..], &[&rustls::version::TLS12]] {
        let mut client = TlsClient::to(world.port, &config(None, version));
        // The first bytes go out with the end of the handshake.
        let count = 20_000;
        let request = encode(&["ECHO", "0123456789"]).repeat(count);
        client.stream.write_all(&request).unwrap();
        let mut reply = vec![0; count * b"$10\r\n0123456789\r\n".len()];
        client.stream.read_exact(&mut reply).unwrap();
        assert!(reply.chunks(17).all(|one| one == b"$10\r\n0123456789\r\n"));
        client.is_served();
    }
}

#[test]
fn long_values_arrive_whole_in_both_directions() {
    let world = open_world();
    let mut client = world.connect(None);
    for len in [1_usize, 16_383, 16_384, 16_385, 65_535, 65_536, 100_000, 5_000_000] {
        let value: String = (0..len).map(|at| char::from(b"abcdefghijk"[at * 7 % 11])).collect();
        client.check(&["SET", "k", &value], "+OK\r\n");
        client.check(&["GET", "k"], &format!("${len}\r\n{value}\r\n"));
        client.check(&["STRLEN", "k"], &format!(":{len}\r\n"));
        let pair = format!("${len}\r\n{value}\r\n");
        client.check(&["MGET", "k", "x", "k"], &format!("*3\r\n{pair}$-1\r\n{pair}"));
    }
}

#[test]
fn who_reads_slowly_gets_everything_and_holds_up_nobody() {
    let world = open_world();
    let mut slow = world.connect(None);
    let value = "v".repeat(1_000_000);
    slow.check(&["SET", "k", &value], "+OK\r\n");
    slow.stream.write_all(&encode(&["GET", "k"]).repeat(30)).unwrap();
    let mut other = world.connect(None);
    (0..100).for_each(|_| other.is_served());
    let mut reply = vec![0; 30 * (value.len() + "$1000000\r\n\r\n".len())];
    slow.stream.read_exact(&mut reply).unwrap();
    slow.is_served();
}

#[test]
fn one_byte_at_a_time_is_enough() {
    let world = open_world();
    let mut client = world.connect(None);
    client.is_served();
    for byte in encode(&["ECHO", "slowly"]) {
        client.stream.write_all(&[byte]).unwrap();
    }
    let mut reply = [0; 12];
    client.stream.read_exact(&mut reply).unwrap();
    assert_eq!(&reply, b"$6\r\nslowly\r\n");
}

#[test]
fn an_end_is_announced_by_both_sides() {
    let world = open_world();
    let mut client = world.connect(None);
    client.stream.write_all(b"PING\r\nQUIT\r\n").unwrap();
    let mut reply = Vec::new();
    // Without a goodbye this would be an error.
    client.stream.read_to_end(&mut reply).unwrap();
    assert_eq!(reply, b"+PONG\r\n+OK\r\n");
    let mut client = world.connect(None);
    client.is_served();
    client.stream.write_all(&encode(&["PING"]).repeat(1000)).unwrap();
    client.stream.conn.send_close_notify();
    client.stream.flush().unwrap();
    let mut reply = Vec::new();
    client.stream.read_to_end(&mut reply).unwrap();
    assert_eq!(reply.len(), 7 * 1000, "who ends its half gets what it has asked for");
    let mut client = world.connect(None);
    client.is_served();
    world.server.check("CLIENT KILL TYPE normal SKIPME yes", ":1");
    let mut reply = Vec::new();
    client.stream.read_to_end(&mut reply).unwrap();
    assert!(reply.is_empty());
}

#[test]
fn keys_are_renewed_on_request() {
    let world = open_world();
    let mut client = TlsClient::to(world.port, &config(None, &[&rustls::version::TLS13]));
    client.is_served();
    for _ in 0..5 {
        client.stream.conn.refresh_traffic_keys().unwrap();
        client.is_served();
    }
}

#[test]
fn messages_are_published_over_tls() {
    let world = open_world();
    let mut listener = world.connect(None);
    listener.check(&["SUBSCRIBE", "c"], "*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n");
    let mut publisher = world.connect(None);
    let text = "m".repeat(3000);
    publisher.check(&["PUBLISH", "c", &text], ":1\r\n");
    let mut push = vec![0; format!("*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$3000\r\n{text}\r\n").len()];
    listener.stream.read_exact(&mut push).unwrap();
    assert!(push.ends_with(b"m\r\n"));
}
