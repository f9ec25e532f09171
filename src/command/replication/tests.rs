//! A primary and what a replica of it is sent, without sockets.

use crate::base::num;
use crate::command::testing::Bench;
use crate::config::Config;
use crate::repl::Stage;
use crate::session::SessionFlags;

#[test]
fn replconf_is_answered_and_remembered() {
    let mut bench = Bench::new();
    bench.check("REPLCONF listening-port 6380 capa eof capa psync2 ip-address 10.1.1.1", "+OK");
    let announced = bench.session.announced.as_ref().expect("it said something");
    assert_eq!((announced.port, &*announced.address), (6380, &b"10.1.1.1"[..]));
    bench.check("REPLCONF capa unheard-of version 9.1.2 rdb-only 1", "+OK");
    bench.check("REPLCONF nonsense 1", "-ERR Unrecognized REPLCONF option: nonsense");
    bench.check("REPLCONF capa", "-ERR syntax error");
    bench.check("REPLCONF rdb-only 2", "-ERR value is out of range, value must between 0 and 1");
    bench.check("REPLCONF rdb-filter-only 'functions'", "+OK");
    bench.check("REPLCONF rdb-filter-only keys", "-ERR Unsupported rdb-filter-only option: keys");
    // Who is no replica may say how far it is, and hears nothing.
    bench.check("REPLCONF ACK 100; REPLCONF GETACK *", "");
}

#[test]
fn a_primary_without_replicas_says_so() {
    let mut bench = Bench::new();
    bench.check("ROLE; WAIT 0 0", "[$master :0 []] :0");
    let info = String::from_utf8(bench.raw(&["INFO", "replication"])).expect("text");
    assert!(
        info.contains("role:master\r\nconnected_slaves:0\r\nmaster_failover_state:no-failover")
    );
    assert!(info.contains("repl_backlog_active:0"));
}

#[test]
fn writes_need_as_many_replicas_as_configured() {
    let config = Config { min_replicas_to_write: 1, ..Config::default() };
    let mut bench = Bench::with(config);
    bench.server.judge_replicas();
    bench.check("SET k v; GET k", "-NOREPLICAS Not enough good replicas to write. $_");
}

#[test]
fn a_replica_that_becomes_a_primary_needs_replicas_at_once() {
    let config = Config { min_replicas_to_write: 1, ..Config::default() };
    let mut bench = Bench::with(config);
    bench.server.judge_replicas();
    let refusal = "-NOREPLICAS Not enough good replicas to write.";
    bench.check("REPLICAOF 10.1.1.1 6379; CONFIG SET replica-read-only no; SET k v", "+OK +OK +OK");
    bench.check("REPLICAOF NO ONE; SET k w; GET k", &format!("+OK {refusal} $v"));
    bench.check("REPLICAOF 10.1.1.1 6379; SET k w", "+OK +OK");
}

#[test]
fn a_replica_is_told_of_the_snapshot_at_the_end_of_the_turn() {
    let mut bench = Bench::new();
    bench.raw(&["SET", "k", "v"]);
    bench.check("REPLCONF capa psync2; PSYNC ? -1", "+OK");
    assert!(bench.session.flags.contains(SessionFlags::REPLICA));
    let stage =
        |bench: &Bench| bench.server.replication.replicas.iter().next().map(|one| one.stage);
    assert_eq!(stage(&bench), Some(Stage::WaitsForStart));
    bench.server.commit();
    assert_eq!(stage(&bench), Some(Stage::WaitsForEnd));
    assert_eq!(bench.server.replication.history.offset(), 0);
    assert!(bench.server.effects.feeds_replicas());
}

#[test]
fn a_snapshot_is_not_begun_together_with_that_of_a_replica() {
    let mut bench = Bench::new();
    bench.raw(&["SET", "k", "v"]);
    bench.check("REPLCONF capa psync2; PSYNC ? -1", "+OK");
    bench.server.start_snapshot().expect("a child"); // of somebody else, in the same turn
    assert_eq!(bench.server.persistence.forks, 1);
    bench.server.commit();
    assert_eq!(bench.server.persistence.forks, 1);
}

/// Puts the client into the table, where those are to whom something is sent.
fn settle(bench: &mut Bench) -> usize {
    let end = bench.session.peer.clone();
    let user = std::sync::Arc::clone(&bench.session.user);
    let id = bench.server.sessions.next_id();
    let other = crate::session::Session::new(id, end.clone(), end, 3, 0, &user);
    let place = bench.server.sessions.insert(Box::new(other));
    bench.session.index = place;
    place
}

/// What is sent to the replica next.
fn sent(bench: &mut Bench, place: usize) -> Vec<u8> {
    let mut all = Vec::new();
    while bench.server.prepare_replica(place) {
        let bytes: Vec<u8> = bench.server.replica_pieces(place).flatten().copied().collect();
        bench.server.replica_sent(place, bytes.len());
        all.extend(bytes);
    }
    all
}

#[test]
fn a_snapshot_through_the_pipe_ends_with_its_mark_and_the_stream_waits() {
    let config = Config { repl_diskless_sync_delay: 0, ..Config::default() };
    let mut bench = Bench::with(config);
    let place = settle(&mut bench);
    bench.raw(&["SET", "k", "v"]);
    bench.check("REPLCONF capa eof capa psync2; PSYNC ? -1", "+OK");
    bench.server.commit();
    bench.server.extend_stream(b"changed meanwhile");
    bench.server.relay(); // the pipe is read, and its child has ended
    let bytes = sent(&mut bench, place);
    let (head, rest) = bytes.split_at(b"$EOF:".len() + 40 + 2);
    assert!(head.starts_with(b"$EOF:") && rest.starts_with(b"REDIS00"));
    assert_eq!(&rest[rest.len() - 40..], &head[5..45]);
    let replica = bench.server.replication.replicas.get(place).expect("it follows");
    assert_eq!((replica.stage, replica.starts_with_ack), (Stage::Online, true));
    bench.session.flags.insert(SessionFlags::REPLICA);
    bench.check("REPLCONF ACK 0", "");
    assert_eq!(sent(&mut bench, place), b"changed meanwhile");
}

#[test]
fn a_file_that_no_replica_waits_for_is_not_written_to_its_end() {
    for (save, is_left) in [("''", false), ("'900 1'", true)] {
        let mut bench = Bench::new();
        bench.check(&format!("CONFIG SET repl-diskless-sync no save {save}"), "+OK");
        settle(&mut bench);
        bench.check("REPLCONF capa psync2; PSYNC ? -1", "+OK");
        bench.server.commit();
        assert!(bench.server.persistence.child.is_some());
        bench.server.replica_gone(&bench.session);
        assert_eq!(bench.server.persistence.child.is_some(), is_left, "save {save}");
    }
}

#[test]
fn a_replica_may_not_touch_keys() {
    let mut bench = Bench::new();
    bench.session.flags.insert(SessionFlags::REPLICA);
    let refused = "-ERR Replica can't interact with the keyspace";
    for command in ["GET k", "SET k v", "PUBLISH c m", "EVAL 'return 1' 0"] {
        bench.check(command, refused);
    }
    bench.check("PING", "+PONG");
}

#[test]
fn a_replica_goes_on_if_the_stream_is_still_there() {
    let mut bench = Bench::new();
    bench.server.open_backlog();
    bench.raw(&["SET", "k", "v"]);
    bench.server.commit();
    let history = &bench.server.replication.history;
    let (id, next) = (history.id().to_string(), history.offset() + 1);
    let place = settle(&mut bench);
    let reply = bench.raw(&["PSYNC", &id, "1"]);
    assert_eq!(reply, b"+CONTINUE\r\n");
    let bytes = sent(&mut bench, place);
    assert_eq!(num::u64_of(bytes.len()), next - 1);
    assert!(bytes.starts_with(b"*2\r\n$6\r\nSELECT"));
    assert_eq!(bench.server.replication.partial_syncs, 1);
    assert_eq!(bench.server.replication.held_up_by(place), 0);
}

#[test]
fn what_a_replica_holds_up_is_told() {
    let mut bench = Bench::new();
    bench.server.config.repl_backlog_size = 16_384;
    bench.server.open_backlog();
    bench.check("SET k v", "+OK");
    bench.server.commit();
    let place = settle(&mut bench);
    let id = bench.server.replication.history.id().to_string();
    assert_eq!(bench.raw(&["PSYNC", &id, "1"]), b"+CONTINUE\r\n");
    sent(&mut bench, place);
    let mut replica = bench.server.sessions.take(place).expect("it is there");
    replica.flags.insert(SessionFlags::REPLICA);
    bench.server.sessions.put(replica);
    bench.session.flags.remove(SessionFlags::REPLICA);
    bench.session.index = place + 1;
    bench.session.reply_mode = crate::session::ReplyMode::On;
    let field = |bench: &mut Bench, command: &[&str], name: &str| -> usize {
        let text = String::from_utf8(bench.raw(command)).expect("text");
        let (_, rest) = text.split_once(name).expect("the field");
        let digits = rest.find(|c: char| !c.is_ascii_digit()).expect("more behind it");
        rest[..digits].parse().expect("a number")
    };
    let list = ["CLIENT", "LIST", "TYPE", "replica"];
    let own = field(&mut bench, &list, " tot-mem=");
    assert_eq!(field(&mut bench, &list, " omem="), 0, "it was sent everything");
    bench.server.extend_stream(&vec![b'x'; 100_000]);
    let held = field(&mut bench, &list, " omem=");
    assert!((100_000..120_000).contains(&held), "{held}");
    assert_eq!(field(&mut bench, &list, " oll="), 7);
    assert_eq!(field(&mut bench, &list, " tot-mem="), own + held);
    let memory = ["INFO", "memory"];
    let total = field(&mut bench, &memory, "mem_total_replication_buffers:");
    let held_up = field(&mut bench, &memory, "mem_clients_slaves:");
    assert_eq!(field(&mut bench, &memory, "mem_replication_backlog:"), 16_384);
    assert_eq!(total, 16_384 + held_up);
    assert!(total >= held && field(&mut bench, &memory, "mem_not_counted_for_evict:") >= held_up);
    let clients = field(&mut bench, &["INFO", "clients"], "connected_clients:");
    assert_eq!(clients + 1, bench.server.sessions.len(), "the replica is none");
    bench.server.replication.replicas.remove(place);
    bench.server.trim_backlog();
    assert_eq!(field(&mut bench, &memory, "mem_clients_slaves:"), 0, "nobody holds it up");
}

#[test]
fn a_snapshot_is_not_begun_while_another_one_is_relayed() {
    let config = Config { repl_diskless_sync_delay: 0, ..Config::default() };
    let mut bench = Bench::with(config);
    let first = settle(&mut bench);
    bench.check("REPLCONF capa eof; PSYNC ? -1", "+OK");
    bench.server.commit();
    bench.server.relay(); // the child has ended; the replica was sent nothing yet
    let second = settle(&mut bench);
    bench.session.flags.remove(SessionFlags::REPLICA);
    bench.session.reply_mode = crate::session::ReplyMode::On;
    bench.check("REPLCONF capa eof; PSYNC ? -1", "+OK");
    bench.server.commit();
    let stage =
        |bench: &Bench, place| bench.server.replication.replicas.get(place).map(|one| one.stage);
    assert_eq!(stage(&bench, second), Some(Stage::WaitsForStart));
    let one = sent(&mut bench, first);
    bench.server.commit();
    assert_eq!(stage(&bench, second), Some(Stage::WaitsForEnd));
    bench.server.relay();
    let other = sent(&mut bench, second);
    assert_eq!(one[47..one.len() - 40], other[47..other.len() - 40]);
}

#[test]
fn who_takes_nothing_is_closed_and_who_has_all_there_is_waits() {
    let config = Config { repl_diskless_sync_delay: 0, ..Config::default() };
    let mut bench = Bench::with(config);
    let place = settle(&mut bench);
    bench.check("REPLCONF capa eof; PSYNC ? -1", "+OK");
    bench.server.commit();
    let is_open_later = |bench: &mut Bench| {
        bench.pass(70_000);
        bench.server.look_after_replicas();
        let session = bench.server.sessions.get(place);
        session.is_some_and(|session| session.closing == crate::session::Closing::No)
    };
    assert!(
        is_open_later(&mut bench),
        "nothing has come through the pipe, as if another were slow"
    );
    bench.server.relay();
    assert!(!is_open_later(&mut bench));
}

#[test]
fn a_backlog_out_of_a_snapshot_waits_for_replicas_as_long_as_any_other() {
    let mut bench = Bench::with(Config { repl_backlog_ttl: 10, ..Config::default() });
    bench.pass(60_000);
    bench.server.open_backlog();
    bench.pass(9_000);
    bench.server.look_after_replicas();
    assert!(bench.server.replication.backlog.is_some());
    bench.pass(2_000);
    bench.server.look_after_replicas();
    assert!(bench.server.replication.backlog.is_none());
}
