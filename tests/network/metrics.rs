//! The listener of `metrics-port`: what it answers, and that no client of it holds up anything.

use crate::common::{PATIENCE, Server, free_port, wait_until};
use crate::{open_descriptors, resident_kb};
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// How many connections the listener keeps.
const CONNECTIONS_MAX: usize = 16;

/// A server that tells its metrics on a port.
fn telling() -> (Server, u16) {
    let port = free_port();
    (Server::with(&["--metrics-port", &port.to_string()]), port)
}

fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// What is answered to the bytes of a request, up to the end of the connection.
fn answered(port: u16, request: &[u8]) -> String {
    let mut stream = connect(port);
    stream.write_all(request).unwrap();
    rest(&mut stream)
}

fn rest(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an orderly end");
    String::from_utf8(answer).unwrap()
}

#[track_caller]
fn assert_status(answer: &str, status: &str) {
    assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{status}: {answer}");
}

/// The body of an answer, whose length its head tells.
fn body(answer: &str) -> &str {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).unwrap();
    assert_eq!(length.parse::<usize>().unwrap(), body.len());
    body
}

#[test]
fn nothing_listens_unless_it_is_asked_for() {
    let server = Server::start();
    server.check("CONFIG GET metrics-port", "[$metrics-port $0]");
    // A server that tells its metrics has one more descriptor for each of its addresses, here one.
    let (telling, _) = telling();
    assert_eq!(open_descriptors(telling.pid()), open_descriptors(server.pid()) + 1);
}

#[test]
fn requests_get_what_they_ask_for() {
    let (server, port) = telling();
    server.check("SET k v; SELECT 3; SET k v EX 100", "+OK +OK +OK");
    let answer = answered(port, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_status(&answer, "200");
    assert!(answer.contains("\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
    let metrics = body(&answer);
    for line in
        ["redis_up 1", "redis_db_keys{db=\"db0\"} 1", "redis_db_keys_expiring{db=\"db3\"} 1"]
    {
        assert!(metrics.lines().any(|found| found == line), "{line}");
    }
    let head = answered(port, b"HEAD /metrics HTTP/1.1\r\n\r\n");
    assert_status(&head, "200");
    assert!(head.ends_with("\r\n\r\n") && head.contains("\r\nContent-Length: "));
    assert!(body(&answered(port, b"GET / HTTP/1.0\r\n\r\n")).contains("/metrics"));
    assert_status(&answered(port, b"GET /metrics/x HTTP/1.1\r\n\r\n"), "404");
    assert_status(&answered(port, b"HEAD /nosuch HTTP/1.1\r\n\r\n"), "404");
    assert_status(
        &answered(port, b"POST /metrics HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc"),
        "405",
    );
}

#[test]
fn requests_that_make_no_sense_are_refused() {
    let (server, port) = telling();
    for request in
        ["\r\n\r\n", "GET /metrics\r\n\r\n", "*1\r\n$4\r\nPING\r\n\r\n", "\0\u{1}\u{2}\n\n"]
    {
        assert_status(&answered(port, request.as_bytes()), "400");
    }
    let mut long = b"GET /metrics HTTP/1.1\r\nX: ".to_vec();
    long.resize(20_000, b'x');
    assert_status(&answered(port, &long), "431");
    // A client that goes away in the middle, whatever it has said.
    for request in [&b""[..], b"GET", b"GET /metrics HTTP/1.1\r\n"] {
        connect(port).write_all(request).unwrap();
    }
    server.check("PING", "+PONG");
    assert_status(&answered(port, b"GET / HTTP/1.1\r\n\r\n"), "200");
}

#[test]
fn a_slow_request_is_answered_once_it_is_there() {
    let (server, port) = telling();
    let mut slow = connect(port);
    for piece in b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n".chunks(5) {
        slow.write_all(piece).unwrap();
        // Meanwhile the others are served.
        server.check("PING", "+PONG");
        assert_status(&answered(port, b"GET / HTTP/1.1\r\n\r\n"), "200");
    }
    assert_status(&rest(&mut slow), "200");
}

#[test]
fn the_oldest_connection_makes_room_for_the_newest() {
    let (server, port) = telling();
    // All at once, so that many are accepted in the same millisecond.
    let mut streams: Vec<TcpStream> = (0..3 * CONNECTIONS_MAX).map(|_| connect(port)).collect();
    server.check("PING; PING", "+PONG +PONG");
    let kept = streams.split_off(2 * CONNECTIONS_MAX);
    for mut dropped in streams {
        assert_eq!(rest(&mut dropped), "");
    }
    for mut stream in kept {
        stream.write_all(b"GET /metrics HTTP/1.1\r\n\r\n").unwrap();
        assert_status(&rest(&mut stream), "200");
    }
}

#[test]
fn connections_that_say_nothing_are_closed_in_the_end() {
    let (server, port) = telling();
    let before = open_descriptors(server.pid());
    let mut silent = connect(port);
    silent.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let early = silent.read(&mut [0; 1]).expect_err("it is given time");
    assert!(matches!(early.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut));
    silent.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(rest(&mut silent), "");
    wait_until("the descriptor to be closed", || open_descriptors(server.pid()) == before);
}

#[test]
fn clients_that_never_read_hold_little() {
    let (server, port) = telling();
    let before_kb = resident_kb(server.pid());
    let unread: Vec<TcpStream> = (0..500)
        .map(|_| {
            let mut stream = connect(port);
            stream.write_all(b"GET /metrics HTTP/1.1\r\n\r\n").unwrap();
            stream
        })
        .collect();
    server.check("PING; PING", "+PONG +PONG");
    assert_status(&answered(port, b"GET /metrics HTTP/1.1\r\n\r\n"), "200");
    assert!(resident_kb(server.pid()) < before_kb + 16 * 1024);
    drop(unread);
}
