//! What a replica does with the bytes of its primary: a node whose primary is a test.

use super::Node;
use crate::command::server::Now;
use crate::command::testing::Bench;
use crate::config::{Config, PrimaryAddress, PropagationErrorBehavior};
use crate::persist::rdb::{SaveOptions, save};
use crate::session::Endpoint;

const ID: &str = "0123456789abcdef0123456789abcdef01234567";

/// A replica in the midst of the stream.
struct Sample {
    node: Node,
    link: usize,
    client: usize,
    now: Now,
}

impl Sample {
    fn new(config: Config) -> Self {
        let bench = Bench::with(config);
        let mut snapshot = Vec::new();
        save(&bench.server.keyspace, &SaveOptions::default(), &mut snapshot).expect("memory");
        let node = Node::new(bench.server);
        let mut sample = Self { now: node.server.now, link: 0, client: 0, node };
        let end = Endpoint::Tcp(([127, 0, 0, 1], 1).into());
        sample.client = sample.node.connected(end.clone(), end, 9);
        sample.node.server.follow(PrimaryAddress { host: "p".into(), port: 1 });
        sample.connect();
        let head =
            format!("+PONG\r\n+OK\r\n+OK\r\n+FULLRESYNC {ID} 100\r\n${}\r\n", snapshot.len());
        sample.receive(&[head.as_bytes(), &snapshot].concat());
        sample.node.tick(sample.now);
        sample.node.tick(sample.now);
        sample.sent();
        sample
    }

    fn connect(&mut self) {
        let dial = self.node.server.take_dial().expect("a connection is wanted");
        let end = Endpoint::Tcp(([127, 0, 0, 1], 2).into());
        let link = self.node.desk().dialled(dial.attempt, end.clone(), end, 8);
        self.link = link.expect("it is wanted");
        self.node.desk().link_connected(self.link);
    }

    fn receive(&mut self, bytes: &[u8]) {
        self.node.input(self.now, self.link, bytes);
    }

    /// The stream as text, and how far the replica is then, from where it began.
    #[track_caller]
    fn check_offset(&mut self, stream: &str, expected: u64) {
        self.receive(stream.as_bytes());
        assert_eq!(self.node.server.replication.history.offset() - 100, expected, "{stream}");
    }

    /// What was said to the primary.
    fn sent(&mut self) -> String {
        take(&mut self.node, self.link)
    }

    /// What a client is replied.
    #[track_caller]
    fn check(&mut self, command: &str, expected: &str) {
        self.node.input(self.now, self.client, format!("{command}\r\n").as_bytes());
        assert_eq!(take(&mut self.node, self.client), expected, "{command}");
    }
}

fn take(node: &mut Node, index: usize) -> String {
    let session = node.server.sessions.get_mut(index).expect("it is connected");
    let bytes: Vec<u8> = session.output.pieces().flatten().copied().collect();
    session.output.advance(bytes.len());
    String::from_utf8(bytes).expect("text").replace("\r\n", " ")
}

fn sample() -> Sample {
    Sample::new(Config::default())
}

#[test]
fn what_is_executed_counts() {
    let mut sample = sample();
    sample.check_offset("SET k v\r\nINCR n\r\n", 17);
    sample.check("GET k", "$1 v ");
    sample.check_offset("INCR n\r\nINC", 25);
    sample.check_offset("R n\r\n", 33);
    sample.check("GET n", "$1 3 ");
}

#[test]
fn a_transaction_counts_when_it_ends() {
    let mut sample = sample();
    sample.check_offset("SET k v\r\nMULTI\r\nSET k w\r\n", 9);
    sample.check("GET k", "$1 v ");
    sample.check_offset("INCR n\r\n", 9);
    sample.check_offset("EXEC\r\n", 39);
    sample.check("MGET k n", "*2 $1 w $1 1 ");
}

#[test]
fn a_long_argument_counts_when_it_is_complete() {
    let mut sample = sample();
    let value = "x".repeat(100_000);
    let command = format!("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$100000\r\n{value}\r\n");
    let whole = u64::try_from(command.len()).expect("short");
    let (first, rest) = command.split_at(50_000);
    sample.check_offset(first, 0);
    let (second, third) = rest.split_at(20_000);
    sample.check_offset(second, 0);
    sample.check_offset(&format!("{third}INCR n\r\n"), whole + 8);
    sample.check("STRLEN k", ":100000 ");
}

#[test]
fn the_bytes_are_passed_on_as_they_came() {
    let mut sample = sample();
    let stream = "set  k 'v'\r\n*2\r\n$4\r\nincr\r\n$1\r\nn\r\n\r\nSELECT 3\r\nSPOP s\r\n";
    sample.receive(stream.as_bytes());
    let backlog = sample.node.server.replication.backlog.as_ref().expect("it is kept");
    let kept: Vec<u8> = backlog.pieces(101).flatten().copied().collect();
    assert_eq!(String::from_utf8(kept).expect("text"), stream);
}

#[test]
fn a_confirmation_tells_what_came_before_it() {
    let mut sample = sample();
    sample.receive(b"INCR n\r\nREPLCONF GETACK *\r\nINCR n\r\n");
    assert_eq!(sample.sent(), "*3 $8 REPLCONF $3 ACK $3 108 ");
}

#[test]
fn what_has_expired_is_there_for_the_primary_and_for_nobody_else() {
    let mut sample = sample();
    sample.receive(b"SET k v PXAT 1\r\nRPUSH l a\r\nPEXPIREAT l 1\r\n");
    sample.check("GET k", "$-1 ");
    sample.check("EXISTS k l", ":0 ");
    sample.receive(b"APPEND k w\r\nRPUSH l b\r\nPERSIST k\r\nPERSIST l\r\n");
    sample.check("GET k", "$2 vw ");
    sample.check("LLEN l", ":2 ");
}

#[test]
fn clients_do_not_write_and_the_primary_does() {
    let mut sample = sample();
    let refused = "-READONLY You can't write against a read only replica. ";
    sample.check("SET k v", refused);
    sample.receive(b"SET k v\r\n");
    sample.check("GET k", "$1 v ");
}

#[test]
fn what_is_no_business_of_a_primary_is_left_out() {
    let mut sample = sample();
    sample.check_offset("SHUTDOWN NOSAVE\r\nREPLICAOF NO ONE\r\nGET k\r\nSET k v\r\n", 51);
    assert!(sample.node.server.shutdown.is_none());
    sample.check("GET k", "$1 v ");
    assert!(!sample.node.server.replication.role.is_primary());
}

#[test]
fn a_link_that_breaks_is_gone_on_with() {
    let mut sample = sample();
    sample.check_offset("SELECT 2\r\nMULTI\r\nINCR n\r\n", 10);
    sample.node.disconnected(sample.link);
    sample.connect();
    sample.receive(b"+PONG\r\n+OK\r\n+OK\r\n");
    assert!(sample.sent().ends_with(&format!("*3 $5 PSYNC $40 {ID} $3 111 ")));
    let other = "f".repeat(40);
    sample.receive(format!("+CONTINUE {other}\r\nMULTI\r\nINCR n\r\nEXEC\r\n").as_bytes());
    sample.check("SELECT 2", "+OK ");
    sample.check("GET n", "$1 1 ");
    let history = &sample.node.server.replication.history;
    assert_eq!(history.id().to_string(), other);
    assert_eq!(history.second().map(|second| second.id.to_string()), Some(ID.to_owned()));
}

#[test]
fn a_promoted_replica_goes_on_under_another_name() {
    let mut sample = sample();
    sample.check("REPLICAOF NO ONE", "+OK ");
    sample.check("SET k v", "+OK ");
    let history = &sample.node.server.replication.history;
    assert_ne!(history.id().to_string(), ID);
    assert_eq!(history.second().map(|second| second.id.to_string()), Some(ID.to_owned()));
}

#[test]
fn keys_of_a_writable_replica_expire_by_themselves() {
    let mut sample = Sample::new(Config { replica_read_only: false, ..Config::default() });
    sample.receive(b"SET theirs v PXAT 1\r\n");
    sample.check("SET own v PX 10", "+OK ");
    sample.check("MULTI", "+OK ");
    sample.check("SET also v PX 10", "+QUEUED ");
    sample.check("EXEC", "*1 +OK ");
    assert_eq!(sample.node.server.own_keys_len(), 2);
    sample.now = sample.now.later(1_000_000_000);
    sample.node.tick(sample.now);
    assert_eq!(sample.node.server.own_keys_len(), 0);
    assert_eq!(sample.node.server.keyspace.db(0).len(), 1, "the primary deletes its own");
}

#[test]
fn a_pause_holds_the_stream_back() {
    let mut sample = sample();
    sample.check("CLIENT PAUSE 100", "+OK ");
    sample.check_offset("INCR n\r\n", 0);
    sample.check_offset("INCR n\r\n", 0);
    assert_eq!(sample.node.server.read_offset(), 116, "what was read is told as such");
    sample.now = sample.now.later(200_000_000);
    sample.node.tick(sample.now);
    sample.check_offset("INCR n\r\n", 24);
    sample.check("GET n", "$1 3 ");
}

#[test]
fn an_error_in_the_stream_stops_only_who_has_no_data_of_its_own() {
    for replica_read_only in [true, false] {
        let mut sample = Sample::new(Config {
            replica_read_only,
            propagation_error_behavior: PropagationErrorBehavior::Panic,
            ..Config::default()
        });
        sample.receive(b"SET k v\r\nINCR k\r\n");
        assert_eq!(sample.node.server.shutdown.is_some(), replica_read_only);
    }
}

#[test]
fn scripts_on_stale_data_run_only_if_they_say_that_they_may() {
    let mut sample = Sample::new(Config { replica_serve_stale_data: false, ..Config::default() });
    sample.receive(b"SET k v\r\n");
    sample.node.disconnected(sample.link);
    let down = "-MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'. ";
    sample.check("EVAL 'return 1' 0", down);
    sample.check("EVAL \"#!lua flags=no-writes\\nreturn 1\" 0", down);
    let may = |code: &str| format!("EVAL \"#!lua flags=allow-stale,no-writes\\n{code}\" 0");
    sample.check(&may("return 1"), ":1 ");
    sample.check(&may("return redis.call('echo','x')"), "$1 x ");
    let reply = "-ERR Can not execute the command on a stale replica ";
    sample.check(&may("return redis.pcall('get','k')"), reply);
}

#[test]
fn room_for_a_large_command_is_given_back() {
    let mut sample = sample();
    let value = "x".repeat(5_000_000);
    sample.receive(format!("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5000000\r\n{value}\r\n").as_bytes());
    sample.check("STRLEN k", ":5000000 ");
    let work = sample.node.server.work_mut().expect("it follows");
    assert!(work.inflow.pending.is_empty() && work.inflow.pending.capacity() <= 1 << 20);
}

#[test]
fn the_primary_before_is_gone_on_with_until_a_snapshot_is_loaded() {
    let mut sample = sample();
    sample.receive(b"SET k v\r\n");
    sample.node.server.follow(PrimaryAddress { host: "other".into(), port: 2 });
    sample.connect();
    sample.sent();
    let other = "f".repeat(40);
    sample
        .receive(format!("+PONG\r\n+OK\r\n+OK\r\n+FULLRESYNC {other} 7\r\n$1000\r\nRE").as_bytes());
    sample.node.server.follow(PrimaryAddress { host: "p".into(), port: 1 });
    sample.connect();
    sample.sent();
    sample.receive(b"+PONG\r\n+OK\r\n+OK\r\n");
    assert!(sample.sent().ends_with(&format!("*3 $5 PSYNC $40 {ID} $3 110 ")));
    sample.receive(b"+CONTINUE\r\nSET k w\r\n");
    sample.check("GET k", "$1 w ");
}
