//! Commands however they are cut into packets.

use crate::common::{Client, Reply, Server, encode};
use crate::{accepted, read_to_orderly_end, settle};
use std::io::Write;
use std::thread;

/// A little of everything, and the replies to it.
fn pipeline() -> (Vec<u8>, &'static [u8]) {
    let mut input = Vec::new();
    input.extend_from_slice(b"PING\r\n");
    input.extend(encode(&["SET", "k", "a\r\nb"]));
    input.extend_from_slice(b"\r\n*0\r\n*-1\r\n");
    input.extend_from_slice(b"set q \"x y\\n\" \n");
    input.extend(encode(&["GET", "k"]));
    input.extend(encode(&["MGET", "q", "", "k"]));
    input.extend(encode(&["NONSENSE", "*2", "$1"]));
    input.extend(encode(&["ECHO", ""]));
    let replies =
        b"+PONG\r\n+OK\r\n+OK\r\n$4\r\na\r\nb\r\n*3\r\n$4\r\nx y\n\r\n$-1\r\n$4\r\na\r\nb\r\n\
        -ERR unknown command 'NONSENSE', with args beginning with: '*2' '$1' \r\n$0\r\n\r\n";
    (input, replies)
}

/// Sends the pieces one by one, each read by the server before the next is sent.
fn replies_to_pieces(server: &Server, witness: &mut Client, pieces: &[&[u8]]) -> Vec<u8> {
    let mut client = accepted(server);
    for piece in pieces {
        client.send(piece);
        settle(witness);
    }
    client.stream().shutdown(std::net::Shutdown::Write).unwrap();
    read_to_orderly_end(&client)
}

#[test]
fn every_cut_of_a_pipeline_gives_the_same_replies() {
    let server = Server::start();
    let mut witness = server.connect();
    let (input, expected) = pipeline();
    for cut in 0..=input.len() {
        let (front, back) = input.split_at(cut);
        let replies = replies_to_pieces(&server, &mut witness, &[front, back]);
        let (replies, expected) = (replies.escape_ascii(), expected.escape_ascii());
        assert_eq!(replies.to_string(), expected.to_string(), "cut at {cut}");
    }
}

#[test]
fn single_bytes_give_the_same_replies() {
    let server = Server::start();
    let mut witness = server.connect();
    let (input, expected) = pipeline();
    let pieces: Vec<&[u8]> = input.chunks(1).collect();
    let replies = replies_to_pieces(&server, &mut witness, &pieces);
    assert_eq!(replies.escape_ascii().to_string(), expected.escape_ascii().to_string());
}

#[test]
fn a_pipeline_longer_than_the_read_buffer_is_executed_in_order() {
    let server = Server::start();
    let mut client = server.connect();
    let mut input = Vec::new();
    // Lengths without a common divisor, so that reads end in every part of a command.
    for number in 0..20_000_usize {
        input.extend(encode(&[&b"APPEND"[..], b"log", number.to_string().as_bytes()]));
        input.extend(encode(&["ECHO", &"x".repeat(number % 97)]));
    }
    let mut sender = client.stream().try_clone().unwrap();
    let sending = thread::spawn(move || sender.write_all(&input).unwrap());
    let mut total = 0;
    for number in 0..20_000_usize {
        total += number.to_string().len();
        assert_eq!(client.reply().to_string(), format!(":{total}"));
        assert_eq!(client.reply().text().len(), number % 97);
    }
    sending.join().unwrap();
}

#[test]
fn arguments_of_every_size_arrive_whole() {
    let server = Server::start();
    let mut client = server.connect();
    let sizes = [
        0, 1, 16_383, 16_384, 16_385, 32_766, 32_767, 32_768, 32_769, 65_500, 65_535, 65_536,
        65_537, 131_072, 1_000_000, 10_485_760,
    ];
    for size in sizes {
        let value: Vec<u8> = (0..size).map(|at| b"0123456789a"[at % 11]).collect();
        let set = encode(&[&b"SET"[..], b"k", &value]);
        // Commands before and behind it in the same packet.
        client.send(&[&b"PING 1\r\n"[..], &set, b"GET k\r\nSTRLEN k\r\nPING 2\r\n"].concat());
        assert_eq!(client.reply().to_string(), "$1");
        assert_eq!(client.reply().to_string(), "+OK", "size {size}");
        assert!(client.reply() == Reply::Bulk(value), "size {size}");
        assert_eq!(client.reply().to_string(), format!(":{size}"));
        assert_eq!(client.reply().to_string(), "$2");
    }
}

#[test]
fn long_arguments_arrive_in_any_place_and_number() {
    let server = Server::start();
    let mut client = server.connect();
    let long = |byte: u8, len: usize| vec![byte; len];
    let command = [
        b"MSET".to_vec(),
        long(b'a', 40_000),
        long(b'b', 70_000),
        long(b'c', 10),
        long(b'd', 200_000),
        long(b'e', 32_768),
        long(b'f', 1),
    ];
    client.send_command(&command);
    assert_eq!(client.reply().to_string(), "+OK");
    for pair in command[1..].chunks(2) {
        assert!(client.command(&[&b"GET"[..], &pair[0]]) == Reply::Bulk(pair[1].clone()));
    }
}

#[test]
fn many_arguments_make_one_command() {
    let server = Server::start();
    let mut client = server.connect();
    let mut words = vec!["MSET".to_owned()];
    for number in 0..20_000 {
        words.extend([format!("key:{number}"), number.to_string()]);
    }
    assert_eq!(client.command(&words).to_string(), "+OK");
    client.check("DBSIZE; GET key:0; GET key:19999", ":20000 $0 $19999");
}

#[test]
fn what_follows_quit_is_not_executed() {
    let server = Server::start();
    let mut witness = server.connect();
    let together: &[&[u8]] = &[b"SET k 1\r\nQUIT\r\nSET k 2\r\n"];
    let apart: &[&[u8]] = &[b"SET k 1\r\n", b"QUIT\r\n", b"SET k 2\r\n"];
    for pieces in [together, apart] {
        let mut client = accepted(&server);
        for piece in pieces {
            client.send(piece);
            settle(&mut witness);
        }
        assert_eq!(read_to_orderly_end(&client), b"+OK\r\n+OK\r\n");
        witness.check("GET k", "$1");
    }
}

#[test]
fn a_flood_from_one_client_leaves_others_their_turn() {
    let server = Server::start();
    let mut flooding = server.connect();
    flooding.command(&["CLIENT", "REPLY", "ON"]);
    flooding.send(b"CLIENT REPLY OFF\r\n");
    let mut sender = flooding.stream().try_clone().unwrap();
    let flood = thread::spawn(move || {
        let commands = b"SET k v\r\n".repeat(10_000);
        // Until the server is gone.
        while sender.write_all(&commands).is_ok() {}
    });
    let mut other = server.connect();
    for turn in 0..500_u32 {
        let turn = turn.to_string();
        assert_eq!(other.command(&["ECHO", &turn]).text(), turn);
    }
    flooding.stream().shutdown(std::net::Shutdown::Both).unwrap();
    flood.join().unwrap();
}
