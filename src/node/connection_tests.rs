//! Commands about connections, as clients meet them: several clients, pipelines, time.

use super::Node;
use crate::command::server::Now;
use crate::command::testing::Bench;
use crate::config::{ClientMemory, Config};
use crate::repl::Stage;
use crate::session::{Closing, Endpoint};

/// A node and the time.
struct World {
    node: Node,
    now: Now,
}

impl World {
    fn new() -> Self {
        Self::with(Config::default())
    }

    fn with(config: Config) -> Self {
        let server = Bench::with(config).server;
        Self { now: server.now, node: Node::new(server) }
    }

    /// Connects a client from this port. The first one has number 2.
    fn connect(&mut self, port: u16) -> usize {
        let [peer, local] = [port, 6379].map(|port| Endpoint::Tcp(([127, 0, 0, 1], port).into()));
        self.node.connected(peer, local, 9)
    }

    /// Sends lines in one piece and returns the replies as text, line ends as `|`.
    fn send(&mut self, index: usize, lines: &str) -> String {
        let mut input = self.node.take_tail(index);
        let lines: String = lines.split(';').map(|line| format!("{}\r\n", line.trim())).collect();
        input.extend_from_slice(lines.as_bytes());
        self.node.input(self.now, index, &input);
        self.replies(index)
    }

    /// What waits to be sent to a client.
    fn replies(&mut self, index: usize) -> String {
        let Some(session) = self.node.server.sessions.get_mut(index) else { return String::new() };
        let bytes: Vec<u8> = session.output.pieces().flatten().copied().collect();
        session.output.advance(bytes.len());
        String::from_utf8(bytes).expect("text").replace("\r\n", "|")
    }

    /// Lets time pass and does what is due.
    fn pass(&mut self, millis: u64) {
        self.now = self.now.later(millis * 1_000_000);
        self.node.tick(self.now);
    }

    fn closing(&self, index: usize) -> Closing {
        self.node.server.sessions.get(index).expect("it is connected").closing
    }
}

fn locked() -> World {
    World::with(Config { requirepass: "pw".into(), ..Config::default() })
}

const NO_AUTH: &str = "-NOAUTH Authentication required.|";

#[test]
fn nothing_is_executed_after_quit() {
    let mut world = World::new();
    let one = world.connect(1);
    assert_eq!(world.send(one, "SET k 1; QUIT; SET k 2"), "+OK|+OK|");
    assert_eq!(world.send(one, "SET k 3"), "");
    assert_eq!(world.closing(one), Closing::AfterReplies);
    let other = world.connect(2);
    assert_eq!(world.send(other, "GET k"), "$1|1|");
}

#[test]
fn a_killed_client_is_deaf_and_closed() {
    let mut world = World::new();
    let (one, other) = (world.connect(1), world.connect(2));
    assert_eq!(world.send(one, "CLIENT KILL 127.0.0.1:2; CLIENT KILL ID 3"), "+OK|:0|");
    assert_eq!(world.node.server.doomed, [other]);
    assert_eq!(world.send(other, "SET k 1"), "");
    assert_eq!(world.send(one, "GET k"), "$-1|");
    world.node.disconnected(other);
    assert_eq!(world.send(one, "CLIENT LIST ID 3"), "$0||");
}

#[test]
fn one_that_kills_itself_gets_its_reply_and_no_more() {
    let mut world = World::new();
    let one = world.connect(1);
    let script = "PING; CLIENT KILL TYPE normal SKIPME no; SET k 1";
    assert_eq!(world.send(one, script), "+PONG|:1|");
    assert_eq!(world.closing(one), Closing::AfterReplies);
    assert!(world.node.server.doomed.is_empty());
    let other = world.connect(2);
    assert_eq!(world.send(other, "GET k"), "$-1|");
}

#[test]
fn a_pause_of_writes_holds_them_back_and_unpause_lets_them_go() {
    let mut world = World::new();
    let (one, other) = (world.connect(1), world.connect(2));
    assert_eq!(world.send(one, "CLIENT PAUSE 1000 WRITE; GET k"), "+OK|$-1|");
    assert_eq!(world.send(other, "PING; SET k 1; PING"), "+PONG|");
    let list = world.send(one, "CLIENT LIST ID 3");
    assert!(list.contains(" flags=b ") && list.contains(" cmd=set "), "{list}");
    world.pass(500);
    assert_eq!(world.replies(other), "");
    assert_eq!(world.send(one, "GET k; CLIENT UNPAUSE"), "$-1|+OK|");
    world.pass(1);
    assert_eq!(world.replies(other), "+OK|+PONG|");
    assert!(world.send(one, "CLIENT LIST ID 3").contains(" flags=N "));
}

#[test]
fn a_pause_of_all_holds_back_even_the_one_that_asked_until_it_is_over() {
    let mut world = World::new();
    let (one, other) = (world.connect(1), world.connect(2));
    assert_eq!(world.send(one, "CLIENT PAUSE 1000; PING; CLIENT UNPAUSE"), "+OK|");
    assert_eq!(world.send(other, "PING"), "");
    world.pass(999);
    assert_eq!(world.replies(one) + &world.replies(other), "");
    world.pass(1);
    assert_eq!(world.replies(one), "+PONG|+OK|");
    assert_eq!(world.replies(other), "+PONG|");
}

#[test]
fn nothing_expires_by_itself_during_a_pause() {
    let mut world = World::new();
    let one = world.connect(1);
    assert_eq!(world.send(one, "SET k v PX 100; CLIENT PAUSE 1000 WRITE"), "+OK|+OK|");
    world.pass(500);
    assert_eq!(world.node.server.keyspace.expired, 0);
    world.pass(500);
    world.pass(200);
    assert_eq!(world.node.server.keyspace.expired, 1);
}

#[test]
fn a_held_back_client_can_be_killed() {
    let mut world = World::new();
    let (one, other) = (world.connect(1), world.connect(2));
    assert_eq!(world.send(one, "CLIENT PAUSE 1000 WRITE"), "+OK|");
    assert_eq!(world.send(other, "SET k 1"), "");
    assert_eq!(world.send(one, "CLIENT KILL ID 3"), ":1|");
    world.node.disconnected(other);
    world.pass(1000);
    assert_eq!(world.send(one, "GET k"), "$-1|");
}

#[test]
fn unwanted_replies_do_not_get_in_between() {
    let mut world = World::new();
    let one = world.connect(1);
    let script = "PING; CLIENT REPLY SKIP; SET k 1; GET k; CLIENT REPLY OFF; GET k; NOSUCH; \
                  CLIENT REPLY ON; PING";
    assert_eq!(world.send(one, script), "+PONG|$1|1|+OK|+PONG|");
    assert_eq!(world.send(one, "CLIENT REPLY OFF; QUIT"), "");
    assert_eq!(world.closing(one), Closing::AfterReplies);
}

#[test]
fn a_password_in_a_pipeline_opens_what_follows() {
    let mut world = locked();
    let one = world.connect(1);
    let script = "PING; AUTH pw; PING; RESET; PING; HELLO 2 AUTH default pw; GET k";
    let replies = world.send(one, script);
    assert!(replies.starts_with(&format!("{NO_AUTH}+OK|+PONG|+RESET|{NO_AUTH}*14|")), "{replies}");
    assert!(replies.ends_with("*0|$-1|"));
}

#[test]
fn strangers_may_not_send_much() {
    let mut world = locked();
    let one = world.connect(1);
    assert_eq!(world.send(one, "*11"), "-ERR Protocol error: unauthenticated multibulk length|");
    let other = world.connect(2);
    assert_eq!(world.send(other, "AUTH pw"), "+OK|");
    assert_eq!(world.send(other, "*11"), "");
    let third = world.connect(3);
    assert_eq!(world.send(third, "CONFIG SET requirepass x"), NO_AUTH);
}

#[test]
fn strangers_who_do_not_read_are_closed() {
    let mut world = locked();
    let (one, other) = (world.connect(1), world.connect(2));
    world.send(other, "AUTH pw");
    let pings = "PING\r\n".repeat(40);
    for index in [one, other] {
        world.node.input(world.now, index, &pings.as_bytes()[..30 * 6]);
        world.node.check_output(index);
        assert_eq!(world.closing(index), Closing::No);
        for _ in 0..100 {
            world.node.input(world.now, index, pings.as_bytes());
        }
        world.node.check_output(index);
    }
    assert_eq!((world.closing(one), world.closing(other)), (Closing::Now, Closing::No));
    assert_eq!(world.node.server.stats.output_buffer_limit_disconnections, 1);
}

#[test]
fn clients_that_take_most_are_cut_off_first() {
    let mut world = World::new();
    let [control, small, large, larger] = [1, 2, 3, 4].map(|port| world.connect(port));
    world.send(control, "CLIENT NO-EVICT ON; CONFIG SET maxmemory-clients 1mb");
    for (client, bytes) in [(small, 70_000), (large, 200_000), (larger, 400_000)] {
        let input = format!("*2\r\n${bytes}\r\n{}", "v".repeat(bytes));
        world.node.input(world.now, client, input.as_bytes());
    }
    let closing = |world: &World| [control, small, large, larger].map(|one| world.closing(one));
    assert_eq!(closing(&world), [Closing::No; 4]);
    world.send(control, "CONFIG SET maxmemory-clients 300000");
    assert_eq!(closing(&world), [Closing::No, Closing::No, Closing::No, Closing::Now]);
    world.send(control, "CONFIG SET maxmemory 2mb; CONFIG SET maxmemory-clients 10%");
    assert_eq!(closing(&world), [Closing::No, Closing::No, Closing::Now, Closing::Now]);
    assert_eq!(world.node.server.stats.evicted_clients, 2);
    world.send(control, "CONFIG SET maxmemory-clients 0");
    let late = world.connect(5);
    let input = format!("*2\r\n$3000000\r\n{}", "v".repeat(3_000_000));
    world.node.input(world.now, late, input.as_bytes());
    assert_eq!(world.closing(late), Closing::No);
    assert_eq!(world.node.server.ledger.total_bytes(), 0);
}

#[test]
fn a_client_that_asks_for_too_much_is_cut_off_in_the_midst_of_it() {
    let config = Config { maxmemory_clients: ClientMemory::Bytes(1 << 20), ..Config::default() };
    let mut world = World::with(config);
    let one = world.connect(1);
    world.send(one, "SETRANGE k 200000 x");
    let asked = b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n".repeat(30);
    world.node.input(world.now, one, &asked);
    assert_eq!(world.closing(one), Closing::Now);
    let commands = world.node.server.stats.commands;
    assert!(commands < 10, "{commands}");
    world.node.disconnected(one);
    assert_eq!(world.node.server.ledger.total_bytes(), 0);
}

#[test]
fn a_large_argument_counts_before_it_has_come() {
    let mut world = World::new();
    let [control, other] = [1, 2].map(|port| world.connect(port));
    world.node.input(world.now, other, b"*1\r\n$400000\r\nv");
    let list = world.send(control, "CLIENT LIST");
    let lines = list.lines().filter_map(|line| line.split_once(" tot-mem="));
    let bytes = lines.filter_map(|(_, rest)| rest.split(' ').next()?.parse::<usize>().ok());
    assert_eq!(bytes.filter(|&bytes| bytes >= 400_000).count(), 1, "{list}");
}

#[test]
fn strangers_stay_for_a_minute() {
    let mut world = locked();
    let (stranger, known) = (world.connect(1), world.connect(2));
    world.send(known, "AUTH pw");
    world.pass(59_000);
    assert_eq!(world.closing(stranger), Closing::No);
    // One that was known is a stranger from then on.
    assert_eq!(world.send(known, "RESET"), "+RESET|");
    world.pass(3_000);
    assert_eq!(world.closing(stranger), Closing::Now);
    assert_eq!(world.closing(known), Closing::No);
    world.pass(60_000);
    assert_eq!(world.closing(known), Closing::Now);
}

#[test]
fn a_primary_refuses_writes_as_soon_as_its_replica_is_silent_for_too_long() {
    let config = Config { min_replicas_to_write: 1, min_replicas_max_lag: 1, ..Config::default() };
    let mut world = World::with(config);
    let (client, replica) = (world.connect(1), world.connect(2));
    let refusal = "-NOREPLICAS Not enough good replicas to write.|";
    world.pass(1);
    assert_eq!(world.send(client, "SET k v"), refusal);
    assert_eq!(world.send(replica, "PSYNC ? -1"), "");
    let own = world.node.server.replication.replicas.get_mut(replica).expect("it follows");
    own.stage = Stage::Online;
    for _ in 0..3 {
        world.send(replica, "REPLCONF ACK 0");
        world.pass(1499);
        assert_eq!(world.send(client, "SET k v"), "+OK|");
    }
    // Nothing else is due by then.
    assert_eq!(world.node.tick(world.now), 1);
    world.pass(1);
    assert_eq!(world.send(client, "SET k v"), refusal);
    world.send(replica, "REPLCONF ACK 0");
    assert_eq!(world.send(client, "SET k v"), "+OK|");
}
