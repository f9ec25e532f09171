//! A primary and what a replica of it is sent, without sockets.

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
