//! Input that is no command, or too much of one.

use crate::common::{Client, Server, encode, wait_until};
use crate::{accepted, figure, read_to_orderly_end, resident_kb, settle};
use std::io::{ErrorKind, Write};

fn malformed() -> Vec<(Vec<u8>, &'static str)> {
    let endless = |prefix: &[u8]| [prefix, &[b'1'; 65 * 1024]].concat();
    let short: &[(&[u8], &str)] = &[
        (b"*x\r\n", "invalid multibulk length"),
        (b"*\r\n", "invalid multibulk length"),
        (b"*1 \r\n", "invalid multibulk length"),
        (b"*01\r\n", "invalid multibulk length"),
        (b"*2147483648\r\n", "invalid multibulk length"),
        (b"*99999999999999999999\r\n", "invalid multibulk length"),
        (b"*1\r\nPING\r\n", "expected '$', got 'P'"),
        (b"*3\r\n$3\r\nSET\r\n:1\r\n", "expected '$', got ':'"),
        (b"*1\r\n\r\n", "expected '$', got ' '"),
        (b"*1\r\n$\r\n", "invalid bulk length"),
        (b"*1\r\n$x\r\n", "invalid bulk length"),
        (b"*1\r\n$-1\r\n", "invalid bulk length"),
        (b"*1\r\n$536870913\r\n", "invalid bulk length"),
        (b"*2\r\n$4\r\nPING\r\n$99999999999999999999\r\n", "invalid bulk length"),
        (b"PING \"x\r\n", "unbalanced quotes in request"),
        (b"PING 'x\r\n", "unbalanced quotes in request"),
        (b"PING \"x\"y\r\n", "unbalanced quotes in request"),
    ];
    let mut all: Vec<_> = short.iter().map(|&(input, text)| (input.to_vec(), text)).collect();
    all.push((endless(b"PING "), "too big inline request"));
    all.push((endless(b"\0"), "too big inline request"));
    all.push((endless(b"*"), "too big mbulk count string"));
    all.push((endless(b"*1\r\n$"), "too big bulk count string"));
    all
}

fn error_reply(text: &str) -> Vec<u8> {
    format!("-ERR Protocol error: {text}\r\n").into_bytes()
}

#[track_caller]
fn assert_bytes(found: &[u8], expected: &[u8], input: &[u8]) {
    let input = input[..input.len().min(60)].escape_ascii();
    assert_eq!(
        found.escape_ascii().to_string(),
        expected.escape_ascii().to_string(),
        "for {input}"
    );
}

#[test]
fn what_is_no_command_gets_an_error_and_the_end() {
    let server = Server::start();
    let mut witness = server.connect();
    for (input, text) in malformed() {
        let mut client = server.connect();
        // What comes before is executed, what comes behind is not.
        client.send(&[b"PING 1\r\n", &input[..], b"\r\nSET behind yes\r\n"].concat());
        let expected = [&b"$1\r\n1\r\n"[..], &error_reply(text)].concat();
        assert_bytes(&read_to_orderly_end(&client), &expected, &input);
        witness.check("EXISTS behind", ":0");
    }
    let errors = u64::try_from(malformed().len()).unwrap();
    assert_eq!(figure(&mut witness, "total_error_replies"), errors);
}

#[test]
fn an_error_is_the_same_however_the_input_is_cut() {
    let server = Server::start();
    let mut witness = server.connect();
    for (input, text) in malformed() {
        let mut client = accepted(&server);
        let step = 1 + input.len() / 20;
        for piece in input.chunks(step) {
            client.send(piece);
            settle(&mut witness);
        }
        assert_bytes(&read_to_orderly_end(&client), &error_reply(text), &input);
    }
}

#[test]
fn who_is_still_writing_can_read_the_error() {
    let server = Server::start();
    let mut witness = server.connect();
    for (input, text) in malformed() {
        let mut client = accepted(&server);
        client.send(&input);
        settle(&mut witness);
        for _ in 0..64 {
            client.send(&[b'x'; 16 * 1024]);
        }
        assert_bytes(&read_to_orderly_end(&client), &error_reply(text), &input);
    }
}

#[test]
fn who_never_stops_writing_is_closed_in_the_end() {
    let server = Server::start();
    let mut client = server.connect();
    client.send(b"*x\r\n");
    let mut written = 0_usize;
    let ended = loop {
        match client.stream().write(&[b'x'; 64 * 1024]) {
            Ok(count) => written += count,
            Err(error) => break error.kind(),
        }
        assert!(written < 1 << 30, "the server reads on for ever");
    };
    assert!(matches!(ended, ErrorKind::BrokenPipe | ErrorKind::ConnectionReset), "{ended:?}");
    assert_bytes(&client.read_to_end(), &error_reply("invalid multibulk length"), b"*x");
}

#[test]
fn what_is_declared_and_never_sent_costs_nothing() {
    let server = Server::start();
    let mut witness = accepted(&server);
    let before_kb = resident_kb(server.pid());
    let heads: [&[u8]; 3] = [
        b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$536870912\r\n",
        b"*2147483647\r\n$4\r\nMGET\r\n",
        b"*2\r\n$536870912\r\nx",
    ];
    let clients: Vec<Client> = (0..60)
        .map(|number| {
            let mut client = accepted(&server);
            client.send(heads[number % heads.len()]);
            client
        })
        .collect();
    settle(&mut witness);
    assert_eq!(figure(&mut witness, "connected_clients"), 61);
    let grown_kb = resident_kb(server.pid()).saturating_sub(before_kb);
    assert!(grown_kb < 10 * 1024, "10 GB that were announced took {grown_kb} kB");
    drop(clients);
}

#[test]
fn proto_max_bulk_len_bounds_an_argument() {
    let server = Server::with(&["--proto-max-bulk-len", "1mb"]);
    let mut client = server.connect();
    let most = vec![b'x'; 1024 * 1024];
    assert_eq!(client.command(&[&b"SET"[..], b"k", &most]).to_string(), "+OK");
    client.send(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1048577\r\n");
    assert_bytes(&read_to_orderly_end(&client), &error_reply("invalid bulk length"), b"$1048577");
    let mut client = server.connect();
    client.check("CONFIG SET proto-max-bulk-len 2mb", "+OK");
    assert_eq!(
        client.command(&[&b"SET"[..], b"k", &[&most[..], b"x"].concat()]).to_string(),
        "+OK"
    );
}

#[test]
fn client_query_buffer_limit_bounds_all_of_a_command() {
    let server = Server::with(&["--client-query-buffer-limit", "1mb"]);
    let mut witness = server.connect();
    // One long argument, many of middle size, many small ones: never completed.
    let middle: Vec<u8> =
        (0..60).flat_map(|_| encode(&["x".repeat(40_000)]).split_off(4)).collect();
    let small: Vec<u8> = (0..400_000).flat_map(|_| *b"$1\r\nx\r\n").collect();
    let long = [&b"$4000000\r\n"[..], &[b'x'; 3_000_000]].concat();
    for (round, arguments) in (1..).zip([long, middle, small]) {
        let mut client = accepted(&server);
        // The connection may break while this is being sent.
        let _ =
            client.stream().write_all(&[&b"*1000000\r\n$4\r\nMGET\r\n"[..], &arguments].concat());
        assert_eq!(client.read_to_end(), b"");
        let disconnections = figure(&mut witness, "client_query_buffer_limit_disconnections");
        assert_eq!(disconnections, round);
    }
    server.wait_for_log("reached max query buffer length");
}

#[test]
fn before_authentication_little_may_be_sent() {
    let server = Server::with(&["--requirepass", "secret"]);
    let input: [(Vec<u8>, &str); 2] = [
        (b"*11\r\n".to_vec(), "unauthenticated multibulk length"),
        (b"*2\r\n$4\r\nAUTH\r\n$16385\r\n".to_vec(), "unauthenticated bulk length"),
    ];
    for (input, text) in &input {
        let mut client = server.connect();
        client.send(input);
        assert_bytes(&read_to_orderly_end(&client), &error_reply(text), input);
        let mut client = server.connect();
        client.check("AUTH secret", "+OK");
        client.send(input);
        settle(&mut client_that_knows(&server));
        crate::assert_silent(&client);
    }
    let mut client = server.connect();
    client.check(
        "MGET 1 2 3 4 5 6 7 8 9; AUTH secret; MGET 1 2 3 4 5 6 7 8 9 10",
        "-NOAUTH Authentication required. +OK [$_ $_ $_ $_ $_ $_ $_ $_ $_ $_]",
    );
}

fn client_that_knows(server: &Server) -> Client {
    let mut client = server.connect();
    client.check("AUTH secret", "+OK");
    client
}

#[test]
fn before_authentication_little_may_be_left_unread() {
    let server = Server::with(&["--requirepass", "secret"]);
    let mut witness = client_that_knows(&server);
    let mut stranger = server.connect();
    stranger.check("PING", "-NOAUTH Authentication required.");
    stranger.stream().set_nonblocking(true).unwrap();
    let commands = b"PING\r\n".repeat(1000);
    wait_until("the stranger to be closed", || {
        // What the socket does not take is left out; only the amount of replies matters.
        for _ in 0..200 {
            let _ = stranger.stream().write(&commands);
        }
        figure(&mut witness, "connected_clients") == 1
    });
    assert_eq!(figure(&mut witness, "client_output_buffer_limit_disconnections"), 1);
    // Whoever reads its replies may go on asking. A burst's replies are below the limit, so that it
    // does not matter how fast this reads.
    let mut reader = server.connect();
    for _ in 0..500 {
        reader.send(&b"PING\r\n".repeat(20));
        for _ in 0..20 {
            assert_eq!(reader.reply().to_string(), "-NOAUTH Authentication required.");
        }
    }
}
