//! CLIENT PAUSE: what is held back comes later, in order, and from nobody who has gone.

use crate::common::{Client, Server, encode, wait_until};
use crate::{accepted, assert_silent, client_with_id, figure, settle};

/// Longer than any test takes.
const FOR_GOOD: &str = "600000";

fn pause_writes(server: &Server) -> Client {
    let mut keeper = server.connect();
    keeper.check(&format!("CLIENT PAUSE {FOR_GOOD} WRITE"), "+OK");
    keeper
}

#[test]
fn writes_wait_for_the_end_of_the_pause_and_reads_do_not() {
    let server = Server::start();
    let mut keeper = pause_writes(&server);
    let mut writer = accepted(&server);
    writer.check("GET k", "$_");
    writer.send(b"PING a\r\nSET k 1\r\nGET k\r\n");
    assert_eq!(writer.reply().to_string(), "$a");
    settle(&mut keeper);
    assert_silent(&writer);
    writer.send(b"INCR k\r\nPING b\r\n");
    settle(&mut keeper);
    assert_silent(&writer);
    keeper.check("GET k; CLIENT UNPAUSE", "$_ +OK");
    for expected in ["+OK", "$1", ":2", "$b"] {
        assert_eq!(writer.reply().to_string(), expected);
    }
}

#[test]
fn whatever_is_sent_during_a_pause_is_executed_after_it_in_order() {
    let server = Server::start();
    let mut keeper = pause_writes(&server);
    let mut writer = accepted(&server);
    let long = vec![b'x'; 300_000];
    let mut input = encode(&["SET", "n", "0"]);
    let mut expected = vec!["+OK".to_owned()];
    for number in 1..=20_000 {
        input.extend(encode(&["INCR", "n"]));
        expected.push(format!(":{number}"));
    }
    input.extend(encode(&[b"APPEND", &b"long"[..], &long]));
    input.extend(encode(&["STRLEN", "long"]));
    expected.extend([":300000".to_owned(), ":300000".to_owned()]);
    // In pieces that cut commands anywhere.
    for piece in input.chunks(70_001) {
        writer.send(piece);
        settle(&mut keeper);
    }
    assert_silent(&writer);
    keeper.check("CLIENT UNPAUSE", "+OK");
    for reply in expected {
        assert_eq!(writer.reply().to_string(), reply);
    }
}

#[test]
fn a_long_argument_that_is_completed_during_a_pause_waits() {
    let server = Server::start();
    let long = vec![b'x'; 1_000_000];
    let input = [encode(&[b"SET", &b"long"[..], &long]), encode(&["STRLEN", "long"])].concat();
    let mut writer = accepted(&server);
    writer.send(&input[..500_000]);
    let mut keeper = pause_writes(&server);
    writer.send(&input[500_000..]);
    settle(&mut keeper);
    assert_silent(&writer);
    keeper.check("CLIENT UNPAUSE", "+OK");
    assert_eq!(writer.reply().to_string(), "+OK");
    assert_eq!(writer.reply().to_string(), ":1000000");
}

#[test]
fn who_leaves_during_a_pause_has_written_nothing() {
    let server = Server::start();
    let mut keeper = pause_writes(&server);
    let mut writer = accepted(&server);
    writer.send(b"SET k 1\r\n");
    settle(&mut keeper);
    drop(writer);
    wait_until("it to be gone", || figure(&mut keeper, "connected_clients") == 1);
    let mut successor = accepted(&server); // in the same place of the table
    successor.send(b"SET other 2\r\n");
    settle(&mut keeper);
    keeper.check("CLIENT UNPAUSE", "+OK");
    assert_eq!(successor.reply().to_string(), "+OK");
    successor.check("MGET k other", "[$_ $2]");
}

#[test]
fn who_is_killed_during_a_pause_has_written_nothing() {
    let server = Server::start();
    let mut keeper = pause_writes(&server);
    let (mut writer, id) = client_with_id(&server);
    writer.send(b"SET k 1\r\n");
    settle(&mut keeper);
    keeper.check(&format!("CLIENT KILL ID {id}; CLIENT UNPAUSE; EXISTS k"), ":1 +OK :0");
    assert_eq!(writer.read_to_end(), b"");
    keeper.check("EXISTS k", ":0");
}

#[test]
fn a_pause_of_everything_ends_by_itself() {
    let server = Server::start();
    let mut keeper = accepted(&server);
    let mut other = accepted(&server);
    keeper.send(b"CLIENT PAUSE 300 ALL\r\nPING a\r\nCLIENT UNPAUSE\r\n");
    assert_eq!(keeper.reply().to_string(), "+OK");
    other.send(b"PING b\r\nPING c\r\n");
    assert_eq!(other.reply().to_string(), "$b");
    assert_eq!(other.reply().to_string(), "$c");
    assert_eq!(keeper.reply().to_string(), "$a");
    assert_eq!(keeper.reply().to_string(), "+OK");
}

#[test]
fn a_pause_that_begins_while_another_ends_holds_again() {
    let server = Server::start();
    let mut keeper = pause_writes(&server);
    let mut writer = accepted(&server);
    // What was held back begins a new pause in the midst of itself.
    writer.send(
        format!("SET k 1\r\nCLIENT PAUSE {FOR_GOOD} WRITE\r\nSET k 2\r\nPING\r\n").as_bytes(),
    );
    settle(&mut keeper);
    keeper.check("CLIENT UNPAUSE", "+OK");
    assert_eq!(writer.reply().to_string(), "+OK");
    assert_eq!(writer.reply().to_string(), "+OK");
    settle(&mut keeper);
    assert_silent(&writer);
    keeper.check("GET k; CLIENT UNPAUSE", "$1 +OK");
    assert_eq!(writer.reply().to_string(), "+OK");
    assert_eq!(writer.reply().to_string(), "+PONG");
}

#[test]
fn quit_behind_a_held_command_waits_for_it() {
    let server = Server::start();
    let mut keeper = pause_writes(&server);
    let mut writer = accepted(&server);
    writer.send(b"SET k 1\r\nQUIT\r\nSET k 2\r\n");
    settle(&mut keeper);
    keeper.check("CLIENT UNPAUSE", "+OK");
    assert_eq!(crate::read_to_orderly_end(&writer), b"+OK\r\n+OK\r\n");
    keeper.check("GET k", "$1");
}

#[test]
fn too_much_input_during_a_pause_closes_the_connection() {
    let server = Server::with(&["--client-query-buffer-limit", "1mb"]);
    let mut keeper = pause_writes(&server);
    let mut writer = accepted(&server);
    let pings = b"PING\r\n".repeat(200_000);
    writer.send(b"SET k 1\r\n");
    // The connection may break while this is being sent.
    let _ = std::io::Write::write_all(&mut writer.stream(), &pings);
    assert_eq!(writer.read_to_end(), b"");
    assert_eq!(figure(&mut keeper, "client_query_buffer_limit_disconnections"), 1);
}

#[test]
fn what_a_waiting_client_sent_survives_a_read_that_finds_nothing() {
    let server = Server::start();
    let mut sleeper = accepted(&server);
    let mut waiting = accepted(&server);
    // All of it is there when the server wakes, and fills its buffer to the last byte, so that it reads
    // once more.
    let mut input = b"BLPOP k 0\r\n".to_vec();
    let pings = (65_536 - input.len()) / 6;
    input.extend(b"PING\r\n".repeat(pings));
    input.resize(65_536, b'\n');
    sleeper.send(b"DEBUG SLEEP 0.3\r\n");
    waiting.send(&input);
    assert_eq!(sleeper.reply().to_string(), "+OK");
    sleeper.check("RPUSH k v", ":1");
    assert_eq!(waiting.reply().to_string(), "[$k $v]");
    for _ in 0..pings {
        assert_eq!(waiting.reply().to_string(), "+PONG");
    }
}
