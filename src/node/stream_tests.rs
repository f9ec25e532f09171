//! Clients that wait for entries of streams.

use super::Node;
use crate::command::server::Now;
use crate::command::testing::Bench;
use crate::session::Endpoint;

/// A node with some clients, and the time.
struct Sample {
    node: Node,
    now: Now,
}

impl Sample {
    /// Client 0 does things, the others wait.
    fn new(waiting: usize) -> Self {
        let node = Node::new(Bench::new().server);
        let mut sample = Self { now: node.server.now, node };
        for client in 0..=waiting {
            let end = Endpoint::Tcp(([127, 0, 0, 1], 1).into());
            assert_eq!(sample.node.connected(end.clone(), end, 9), client);
        }
        sample
    }

    /// What a client is sent when it sends these commands, on one line.
    fn send(&mut self, client: usize, script: &str) -> String {
        for line in script.split(';') {
            let buf = [self.node.take_tail(client), line.trim().into(), b"\r\n".to_vec()].concat();
            self.node.input(self.now, client, &buf);
        }
        self.received(client)
    }

    fn pass(&mut self, millis: u64) {
        self.now = self.now.later(millis * 1_000_000);
        self.node.tick(self.now);
    }

    fn received(&mut self, client: usize) -> String {
        let session = self.node.server.sessions.get_mut(client).expect("it is connected");
        let bytes: Vec<u8> = session.output.pieces().flatten().copied().collect();
        session.output.advance(bytes.len());
        let text = String::from_utf8(bytes).expect("text");
        // Lengths say nothing here.
        let words = text.split("\r\n").filter(|word| !word.starts_with('$') && !word.is_empty());
        words.collect::<Vec<_>>().join(" ")
    }

    #[track_caller]
    fn expect(&mut self, client: usize, expected: &str) {
        assert_eq!(self.received(client), expected, "client {client}");
    }
}

/// A client waits with a command after some others; then others still make it get a reply, or none.
#[track_caller]
fn check(before: &str, waits: &str, then: &str, reply: &str) {
    let mut sample = Sample::new(1);
    sample.send(0, before);
    assert_eq!(sample.send(1, waits), "", "{waits} waits");
    sample.send(0, then);
    assert_eq!(sample.received(1), reply, "{before}; {waits}; {then}");
    assert_eq!(sample.node.server.waits.len(), usize::from(reply.is_empty()));
}

const XREAD: &str = "XREAD BLOCK 0 STREAMS s $";
const XREADGROUP: &str = "XREADGROUP GROUP g c BLOCK 0 STREAMS s >";
const GROUP: &str = "XADD s 1 f v; XGROUP CREATE s g $";

#[test]
fn a_reader_waits_for_what_comes_behind_the_end() {
    let entry = |id: &str| format!("*1 *2 s *1 *2 {id} *2 f v");
    for (before, then, reply) in [
        ("PING", "XADD s 1 f v", entry("1-0")),
        (GROUP, "XADD s 2 f v", entry("2-0")),
        (GROUP, "XADD s MAXLEN 0 2 f v", String::new()),
        (GROUP, "XADD s MAXLEN 0 2 f v; XADD s 3 f v", entry("3-0")),
        (GROUP, "XSETID s 5; XDEL s 1; XGROUP SETID s g 0; XGROUP DESTROY s g", String::new()),
        (GROUP, "DEL s; XADD s 1 f v", String::new()),
        (GROUP, "DEL s; XADD s 1-1 f v", entry("1-1")),
        (GROUP, "SET s v; DEL s; XADD s 7 f v", entry("7-0")),
        (GROUP, "XADD t 5 f v; RENAME t s", entry("5-0")),
        (GROUP, "XADD t 1 f v; RENAME t s", String::new()),
        (GROUP, "XADD t 5 f v; COPY t s REPLACE", entry("5-0")),
        (GROUP, "SELECT 1; XADD s 5 f v; MOVE s 0; SELECT 0", String::new()),
        (GROUP, "SELECT 1; XADD s 5 f v; SWAPDB 0 1; SELECT 0", entry("5-0")),
    ] {
        check(before, XREAD, then, &reply);
    }
    check("XADD s 1 f v; XDEL s 1", "XREAD BLOCK 0 STREAMS s +", "XADD s 2 f v", &entry("2-0"));
    check(
        "PING",
        "XREAD COUNT 1 BLOCK 0 STREAMS t s $ 5",
        "XADD s 5 f v; XADD s 6 f v",
        &entry("6-0"),
    );
}

#[test]
fn a_consumer_is_told_when_its_group_goes() {
    let no_group = "-NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option";
    let wrong_type = "-WRONGTYPE Operation against a key holding the wrong kind of value";
    for (then, reply) in [
        ("XADD s 2 f v", "*1 *2 s *1 *2 2-0 *2 f v"),
        ("XADD s MAXLEN 0 2 f v", ""),
        ("XGROUP SETID s g 0", ""),
        ("XGROUP DELCONSUMER s g c; XADD s 2 f v", "*1 *2 s *1 *2 2-0 *2 f v"),
        ("DEL s", no_group),
        ("UNLINK s", no_group),
        ("FLUSHDB", no_group),
        ("FLUSHALL ASYNC", no_group),
        ("XGROUP DESTROY s g", no_group),
        ("RENAME s t", no_group),
        ("MOVE s 1", no_group),
        ("SWAPDB 0 1", no_group),
        ("XADD t 5 f v; RENAME t s", no_group),
        ("XADD t 5 f v; COPY t s REPLACE", no_group),
        ("COPY s t; COPY t s REPLACE", ""),
        ("XADD t 5 f v; XGROUP CREATE t g 0; RENAME t s", "*1 *2 s *1 *2 5-0 *2 f v"),
        ("SET s v", wrong_type),
        ("SETEX s 9 v", wrong_type),
        ("MSET s v", wrong_type),
        ("EXPIRE s -1", no_group),
    ] {
        check(GROUP, XREADGROUP, then, reply);
    }
}

#[test]
fn a_consumer_is_told_when_its_key_expires() {
    let no_group = "-NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option";
    for finds_it in ["GET s", "PING"] {
        let mut sample = Sample::new(1);
        sample.send(0, GROUP);
        sample.send(0, "PEXPIRE s 5");
        assert_eq!(sample.send(1, XREADGROUP), "");
        sample.pass(if finds_it == "PING" { 1000 } else { 5 });
        sample.send(0, finds_it);
        sample.expect(1, no_group);
    }
}

#[test]
fn consumers_are_served_in_their_order_and_readers_all() {
    let mut sample = Sample::new(4);
    sample.send(0, GROUP);
    assert_eq!(sample.send(3, "XREADGROUP GROUP g c3 COUNT 1 BLOCK 0 STREAMS s >"), "");
    assert_eq!(sample.send(1, "XREADGROUP GROUP g c1 COUNT 1 BLOCK 0 STREAMS s >"), "");
    assert_eq!(sample.send(2, XREAD), "");
    assert_eq!(sample.send(4, XREAD), "");
    sample.send(0, "XADD s 2 f v");
    sample.expect(3, "*1 *2 s *1 *2 2-0 *2 f v");
    sample.expect(2, "*1 *2 s *1 *2 2-0 *2 f v");
    sample.expect(4, "*1 *2 s *1 *2 2-0 *2 f v");
    sample.expect(1, "");
    sample.send(0, "XADD s 3 f v");
    sample.expect(1, "*1 *2 s *1 *2 3-0 *2 f v");
}

#[test]
fn a_reader_gets_a_null_when_its_time_has_run_out() {
    let mut sample = Sample::new(2);
    sample.send(0, GROUP);
    assert_eq!(sample.send(1, "XREAD BLOCK 10 STREAMS s $"), "");
    assert_eq!(sample.send(2, "XREADGROUP GROUP g c BLOCK 20 STREAMS s >"), "");
    sample.pass(10);
    sample.expect(1, "*-1");
    sample.expect(2, "");
    sample.pass(10);
    sample.expect(2, "*-1");
}

#[test]
fn what_is_not_new_is_there_at_once() {
    let mut sample = Sample::new(1);
    sample.send(0, GROUP);
    assert_eq!(sample.send(1, "XREADGROUP GROUP g c BLOCK 0 STREAMS s 0"), "*1 *2 s *0");
    assert_eq!(sample.send(1, "XREAD BLOCK 0 STREAMS s +"), "*1 *2 s *1 *2 1-0 *2 f v");
}
