//! The test support tests itself on bytes, without a server.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod common;

use std::io::Write;
use std::net::TcpListener;
use std::thread;

use common::{Client, encode};

/// A listener that sends `bytes` to whoever connects, then closes.
fn peer_that_sends(bytes: &'static [u8]) -> Client {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(bytes).unwrap();
    });
    Client::to(port)
}

#[test]
fn every_type_of_reply_is_rendered_on_one_line() {
    let cases: &[(&[u8], &str)] = &[
        (b"+OK\r\n", "+OK"),
        (b"-ERR no\r\n", "-ERR no"),
        (b":-1\r\n", ":-1"),
        (b"$3\r\na\0\n\r\n", "$a\\x00\\n"),
        (b"$-1\r\n", "$_"),
        (b"*-1\r\n", "*_"),
        (b"*2\r\n:1\r\n*0\r\n", "[:1 []]"),
        (b"_\r\n", "_"),
        (b",1.5\r\n", ",1.5"),
        (b"(12\r\n", "(12"),
        (b"#t\r\n", "#t"),
        (b"=7\r\ntxt:abc\r\n", "=txt:abc"),
        (b"%1\r\n+a\r\n:1\r\n", "%[+a :1]"),
        (b"~1\r\n+a\r\n", "~[+a]"),
        (b">1\r\n+a\r\n", ">[+a]"),
        (b"|1\r\n+a\r\n:1\r\n+b\r\n", "|[+a :1] +b"),
    ];
    for (bytes, expected) in cases {
        assert_eq!(peer_that_sends(bytes).reply().to_string(), *expected);
    }
}

#[test]
fn a_script_is_split_into_commands_and_compared() {
    let mut client = peer_that_sends(b"+OK\r\n$-1\r\n");
    client.check(r#"SET "a \x41;" 'b c'; GET k"#, "+OK $_");
}

#[test]
#[should_panic(expected = "in: PING")]
fn a_differing_reply_fails() {
    peer_that_sends(b"+PONG\r\n").check("PING", "+PANG");
}

#[test]
fn commands_are_encoded_as_arrays_of_bulk_strings() {
    assert_eq!(encode(&["GET", "k"]), b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n");
}
