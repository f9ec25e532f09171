//! The server under test as a primary, genuine servers as its replicas.

use crate::common::{Client, Server, wait_until};
use crate::fleet::{Foreign, expect_same, follow, genuine, info, run};

/// Commands of every type, some that are repeated in another form.
const SAMPLE: [&str; 24] = [
    "SET text some-text",
    "SET later v EX 1000",
    "SETRANGE text 3 xyz",
    "APPEND text more",
    "INCRBYFLOAT float 1.5",
    "RPUSH list a b c d",
    "LPOP list",
    "LMOVE list other LEFT RIGHT",
    "SADD set a b c d e f",
    "SPOP set 2",
    "ZADD zset 1 a 2 b 3 c",
    "ZPOPMIN zset",
    "HSET hash f v g w",
    "HINCRBYFLOAT hash n 0.25",
    "XADD stream * f v",
    "XGROUP CREATE stream group 0",
    "XREADGROUP GROUP group me STREAMS stream >",
    "PFADD hll a b c",
    "SETBIT bits 77 1",
    "GEOADD geo 13.36 38.11 Palermo",
    "COPY text copied",
    "EXPIRE copied 500",
    "EVAL redis.call('set',KEYS[1],redis.call('time')[1]) 1 scripted",
    "SELECT 0",
];

fn primary_with(arguments: &[&str]) -> (Server, Client) {
    let server = Server::with(arguments);
    let client = server.connect();
    (server, client)
}

fn fill(client: &mut Client, keys: usize) {
    let mut left = keys;
    while left > 0 {
        let count = left.min(1000);
        for nth in 0..count {
            client.send_command(&["SET", &format!("key:{}", left - nth), &"x".repeat(100)]);
        }
        (0..count).for_each(|_| _ = client.reply());
        left -= count;
    }
}

#[test]
fn genuine_replicas_get_a_snapshot_and_then_the_stream() {
    for program in genuine() {
        for diskless in ["yes", "no"] {
            let arguments = ["--repl-diskless-sync", diskless, "--repl-diskless-sync-delay", "0"];
            let (server, mut primary) = primary_with(&arguments);
            run(&mut primary, &SAMPLE);
            fill(&mut primary, 3000);
            let foreign = Foreign::start(&program, &[]);
            let mut replica = foreign.connect();
            follow(&mut replica, server.port());
            expect_same(&mut primary, &mut replica);
            run(&mut primary, &["SELECT 3", "SET in-another-db 1", "SELECT 0"]);
            run(&mut primary, &SAMPLE[..15]);
            run(&mut primary, &["MULTI", "SET a 1", "INCR a", "EXEC", "FLUSHDB", "SET b 2"]);
            expect_same(&mut primary, &mut replica);
            assert_eq!(info(&mut primary, "sync_full"), "1");
            assert!(info(&mut primary, "slave0").contains("state=online"));
            assert_eq!(primary.command(&["WAIT", "1", "5000"]).to_string(), ":1");
        }
    }
}

#[test]
fn a_replica_that_was_cut_off_goes_on_where_it_was() {
    for program in genuine() {
        let (server, mut primary) = primary_with(&["--repl-diskless-sync-delay", "0"]);
        let foreign = Foreign::start(&program, &[]);
        let mut replica = foreign.connect();
        follow(&mut replica, server.port());
        for round in 0..20 {
            run(&mut primary, &["INCR n", "RPUSH list x", "SADD set a"]);
            let killed = primary.command(&["CLIENT", "KILL", "TYPE", "replica"]).to_string();
            assert_eq!(killed, ":1", "round {round}");
            run(&mut primary, &["INCR n", "RPUSH list y", "SET last z"]);
            wait_until("the replica to be back", || {
                info(&mut primary, "sync_partial_ok") == (round + 1).to_string()
                    && info(&mut replica, "master_link_status") == "up"
            });
        }
        expect_same(&mut primary, &mut replica);
        assert_eq!(info(&mut primary, "sync_full"), "1");
    }
}

#[test]
fn several_replicas_share_a_snapshot() {
    for program in genuine() {
        let arguments =
            ["--repl-diskless-sync-delay", "30", "--repl-diskless-sync-max-replicas", "3"];
        let (server, mut primary) = primary_with(&arguments);
        fill(&mut primary, 5000);
        let fleet: Vec<Foreign> = (0..3).map(|_| Foreign::start(&program, &[])).collect();
        let mut replicas: Vec<Client> = fleet.iter().map(Foreign::connect).collect();
        let port = server.port().to_string();
        for replica in &mut replicas {
            replica.command(&["REPLICAOF", "127.0.0.1", &port]);
        }
        for replica in &mut replicas {
            wait_until("the link to be up", || info(replica, "master_link_status") == "up");
        }
        assert_eq!(info(&mut primary, "total_forks"), "1");
        run(&mut primary, &SAMPLE);
        assert_eq!(primary.command(&["WAIT", "3", "10000"]).to_string(), ":3");
        for replica in &mut replicas {
            expect_same(&mut primary, replica);
        }
    }
}

#[test]
fn replicas_of_replicas_follow_the_same_stream() {
    for program in genuine() {
        let (server, mut primary) = primary_with(&["--repl-diskless-sync-delay", "0"]);
        let near = Foreign::start(&program, &["--repl-diskless-sync-delay", "0"]);
        let far = Foreign::start(&program, &[]);
        let (mut near_client, mut far_client) = (near.connect(), far.connect());
        follow(&mut near_client, server.port());
        follow(&mut far_client, near.port());
        run(&mut primary, &SAMPLE);
        expect_same(&mut primary, &mut far_client);
        // The far one goes on directly with this server, with what it knows.
        follow(&mut far_client, server.port());
        run(&mut primary, &["SET after move"]);
        expect_same(&mut primary, &mut far_client);
        assert_eq!(info(&mut primary, "sync_partial_ok"), "1");
    }
}

#[test]
fn writes_are_refused_when_replicas_are_few() {
    for program in genuine() {
        let (server, mut primary) =
            primary_with(&["--min-replicas-to-write", "1", "--repl-diskless-sync-delay", "0"]);
        let refused = "-NOREPLICAS Not enough good replicas to write.";
        primary.check("SET k v", refused);
        let foreign = Foreign::start(&program, &[]);
        follow(&mut foreign.connect(), server.port());
        wait_until("writes to be let in", || {
            primary.command(&["SET", "k", "v"]).to_string() == "+OK"
        });
        primary.check("CONFIG SET min-replicas-to-write 2; SET k v", &format!("+OK {refused}"));
        primary.check("CONFIG SET min-replicas-to-write 1; SET k v", "+OK +OK");
        primary.check("CLIENT KILL TYPE replica", ":1");
        drop(foreign);
        wait_until("writes to be refused", || {
            primary.command(&["SET", "k", "v"]).to_string() == refused
        });
    }
}

#[test]
fn what_is_published_reaches_replicas() {
    for program in genuine() {
        let (server, mut primary) = primary_with(&["--repl-diskless-sync-delay", "0"]);
        let foreign = Foreign::start(&program, &[]);
        follow(&mut foreign.connect(), server.port());
        let mut listener = foreign.connect();
        listener.check("SUBSCRIBE channel", "[$subscribe $channel :1]");
        run(&mut primary, &["PUBLISH channel hello"]);
        assert_eq!(listener.reply().to_string(), "[$message $channel $hello]");
    }
}

#[test]
fn a_replica_that_speaks_out_of_turn_is_closed() {
    let (server, mut primary) = primary_with(&["--repl-diskless-sync-delay", "100"]);
    let mut rogue = server.connect();
    rogue.send_command(&["SYNC"]);
    rogue.send_command(&["PING"]);
    assert!(!rogue.read_to_end().starts_with(b"+PONG"));
    server.wait_for_log("Replica generated a reply to command 'ping', disconnecting it");
    primary.check("PING", "+PONG");
}

#[test]
fn a_restart_from_a_snapshot_keeps_the_past() {
    for program in genuine() {
        let dir = std::rc::Rc::new(crate::common::scratch());
        let server = Server::in_directory(&dir, &["--repl-diskless-sync-delay", "0"]);
        let foreign = Foreign::start(&program, &[]);
        let mut replica = foreign.connect();
        follow(&mut replica, server.port());
        let mut primary = server.connect();
        // The link is up once the snapshot has come; the process that sent it may still be ending.
        wait_until("the snapshot's sender to end", || {
            info(&mut primary, "rdb_bgsave_in_progress") == "0"
        });
        run(&mut primary, &["SET k v", "SAVE"]);
        assert_eq!(primary.command(&["WAIT", "1", "5000"]).to_string(), ":1");
        let saved = std::fs::read(dir.path().join("dump.rdb")).unwrap();
        let has = |name: &[u8]| saved.windows(name.len()).any(|window| window == name);
        assert!(has(b"repl-id") && has(b"repl-offset") && has(b"repl-stream-db"));
    }
}

#[test]
fn a_primary_hands_over_to_a_genuine_replica() {
    for program in genuine() {
        let (server, mut primary) = primary_with(&["--repl-diskless-sync-delay", "0"]);
        let foreign = Foreign::start(&program, &["--repl-diskless-sync-delay", "0"]);
        let mut replica = foreign.connect();
        primary.check("FAILOVER", "-ERR FAILOVER requires connected replicas.");
        follow(&mut replica, server.port());
        run(&mut primary, &SAMPLE);
        primary.check("FAILOVER ABORT", "-ERR No failover in progress.");
        primary.check(
            "FAILOVER TO 127.0.0.1 1",
            "-ERR FAILOVER target HOST and PORT is not a replica.",
        );
        let port = foreign.port().to_string();
        let reply = primary.command(&["FAILOVER", "TO", "127.0.0.1", &port, "TIMEOUT", "10000"]);
        assert_eq!(reply.to_string(), "+OK");
        wait_until("the roles to have changed", || {
            info(&mut replica, "role") == "master"
                && info(&mut primary, "master_link_status") == "up"
                && info(&mut primary, "master_failover_state") == "no-failover"
        });
        run(&mut replica, &["SET after failover", "RPUSH list more"]);
        expect_same(&mut replica, &mut primary);
        assert_eq!(info(&mut replica, "sync_partial_ok"), "1");
        assert!(primary.command(&["SET", "k", "v"]).to_string().starts_with("-READONLY"));
    }
}

#[test]
fn a_failover_is_given_up_when_the_replica_does_not_catch_up() {
    for program in genuine() {
        let (server, mut primary) = primary_with(&["--repl-diskless-sync-delay", "0"]);
        let foreign = Foreign::start(&program, &[]);
        follow(&mut foreign.connect(), server.port());
        let mut sleeper = foreign.connect();
        sleeper.send_command(&["DEBUG", "SLEEP", "2"]);
        run(&mut primary, &["SET k v", "FAILOVER TIMEOUT 100"]);
        wait_until("the failover to be over", || {
            info(&mut primary, "master_failover_state") == "no-failover"
        });
        primary.check("SET k w", "+OK");
        assert_eq!(info(&mut primary, "role"), "master");
    }
}
