//! Replicas that follow by TLS: the first snapshot, going on after a cut, handing over, and primaries that
//! are not what they should be.

use super::*;
use crate::common::{Reply, wait_until};
use crate::fleet::{expect_same, follow, info};
use crate::proxy::Proxy;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;
use std::time::Duration;

/// The directives of a server that follows by TLS and can be followed so.
const FOLLOWS: [&str; 6] =
    ["--tls-replication", "yes", "--repl-diskless-sync-delay", "0", "--repl-timeout", "20"];

/// A server that follows by TLS, with a certificate of the authority.
fn world(authority: &Authority, arguments: &[&str]) -> World {
    let dir = prepared(authority);
    World::in_directory(authority.clone(), dir, &[&FOLLOWS[..], arguments].concat())
}

fn link(world: &World) -> String {
    info(&mut world.server.connect(), "master_link_status")
}

fn wait_for_link(world: &World) {
    wait_until("the link to be up", || link(world) == "up");
}

fn replicaof(world: &World, port: u16) {
    world.server.check(&format!("REPLICAOF 127.0.0.1 {port}"), "+OK");
}

/// Values of all sizes, 10 MB together.
fn fill(world: &World) {
    let mut client = world.server.connect();
    for (at, len) in [1, 16_384, 70_000, 3_000_000].into_iter().enumerate() {
        let value: Vec<u8> = (0..len).map(|n: usize| b"abcdefghijk"[n * 7 % 11]).collect();
        client.command(&[b"SET", format!("s{at}").as_bytes(), &value]);
    }
    client
        .check("DEBUG POPULATE 20000 p 300; SADD set a b; SELECT 3; RPUSH l a b", "+OK :2 +OK :2");
}

#[test]
fn everything_comes_by_tls_from_a_pipe_and_from_a_file() {
    let authority = Authority::new();
    for (sync, load) in [("yes", "disabled"), ("no", "disabled"), ("yes", "swapdb")] {
        let primary = world(&authority, &["--repl-diskless-sync", sync]);
        fill(&primary);
        let replica = world(&authority, &["--repl-diskless-load", load]);
        follow(&mut replica.server.connect(), primary.port);
        let mut writer = primary.server.connect();
        let value = "v".repeat(1_000_000);
        for at in 0..8 {
            writer.command(&["SET", &format!("later{at}"), &value]);
            writer.command(&["INCR", "n"]);
        }
        expect_same(&mut writer, &mut replica.server.connect());
        let line = info(&mut writer, "slave0");
        let expected = format!("ip=127.0.0.1,port={},state=online", replica.port);
        assert!(line.starts_with(&expected), "{line}");
        assert_eq!(writer.command(&["WAIT", "1", "10000"]).integer(), 1);
    }
}

#[test]
fn a_link_that_was_cut_goes_on_and_replicas_have_replicas() {
    let authority = Authority::new();
    let keeps_all = ["--repl-backlog-size", "64mb"];
    let primary = world(&authority, &keeps_all);
    let proxy = Proxy::to(primary.port);
    let middle = world(&authority, &keeps_all);
    follow(&mut middle.server.connect(), proxy.port());
    let last = world(&authority, &[]);
    follow(&mut last.server.connect(), middle.port);
    let mut writer = primary.server.connect();
    for _ in 0..10 {
        let value = "v".repeat(100_000);
        for at in 0..20 {
            writer.send_command(&["APPEND", &format!("k{}", at % 7), &value]);
        }
        proxy.cut();
        for _ in 0..20 {
            writer.reply();
        }
    }
    for replica in [&middle, &last] {
        wait_for_link(replica);
        expect_same(&mut writer, &mut replica.server.connect());
    }
    assert_eq!(info(&mut writer, "sync_full"), "1");
}

#[test]
fn a_replica_takes_over_by_tls() {
    let authority = Authority::new();
    let (primary, replica) = (world(&authority, &[]), world(&authority, &[]));
    follow(&mut replica.server.connect(), primary.port);
    let mut client = primary.server.connect();
    client.check("SET k v; WAIT 1 0", "+OK :1");
    client.check(&format!("FAILOVER TO 127.0.0.1 {}", replica.port), "+OK");
    wait_for_link(&primary);
    let mut new = replica.server.connect();
    wait_until("the replica to be the primary", || info(&mut new, "role") == "master");
    new.check("SET k w", "+OK");
    expect_same(&mut new, &mut primary.server.connect());
    assert_eq!(info(&mut new, "sync_full"), "0");
}

#[test]
fn whether_it_is_tls_can_be_changed_while_the_server_runs() {
    let authority = Authority::new();
    let primary = world(&authority, &[]);
    primary.server.check("SET k v", "+OK");
    let replica = world(&authority, &["--tls-replication", "no"]);
    // Without TLS the TLS port is none to follow.
    replicaof(&replica, primary.port);
    replica.server.wait_for_log("The connection to the MASTER was lost before it could be synced");
    replica.server.check("CONFIG SET tls-replication yes", "+OK");
    wait_for_link(&replica);
    // A link stays as it is; the next one is without.
    replica.server.check("CONFIG SET tls-replication no", "+OK");
    assert_eq!(link(&replica), "up");
    replicaof(&replica, primary.server.port());
    wait_for_link(&replica);
    let line = info(&mut primary.server.connect(), "slave0");
    assert!(line.contains(&format!("port={},", replica.server.port())), "{line}");
    // A server without an authority to check the primary by cannot do it.
    let alone = Server::start();
    alone.check(
        "CONFIG SET tls-replication yes; CONFIG GET tls-replication",
        "-ERR CONFIG SET failed (possibly related to argument 'tls-replication') - Unable to update \
         TLS configuration. Check server logs. [$tls-replication $no]",
    );
}

/// Follows a port; waits until the log of the replica says something of that twice: it is tried again.
fn says_twice(world: &World, port: u16, text: &str) {
    let count = || world.server.log().matches(text).count();
    let before = count();
    replicaof(world, port);
    wait_until(&format!("{text:?} twice in the log"), || count() >= before + 2);
    assert_eq!(link(world), "down");
}

#[test]
fn a_primary_of_a_stranger_is_not_followed() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let primary = world(&stranger, &["--tls-auth-clients", "no"]);
    let replica = world(&authority, &[]);
    let text = "Error condition on socket for SYNC: invalid peer certificate: ";
    says_twice(&replica, primary.port, text);
    fs::write(replica.dir.path().join("ca.crt"), stranger.pem()).unwrap();
    replica.server.check("CONFIG SET tls-ca-cert-file ca.crt", "+OK");
    wait_for_link(&replica);
}

#[test]
fn a_replica_shows_its_certificate() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let primary = world(&authority, &[]);
    let replica = world(&authority, &["--tls-auth-clients", "no"]);
    // The one of a stranger gets it nowhere; in TLS 1.3 it hears that after its half of the handshake.
    stranger.issue(Wish::named("x")).save(replica.dir.path(), "client");
    let set = "CONFIG SET tls-client-cert-file client.crt tls-client-key-file client.key";
    replica.server.check(set, "+OK");
    for version in ["TLSv1.3", "TLSv1.2"] {
        replica.server.check(&format!("CONFIG SET tls-protocols {version}"), "+OK");
        says_twice(&replica, primary.port, "Error condition on socket for SYNC: ");
        assert!(primary.figure("tls_failed_handshakes") >= 2);
        replica.server.check("REPLICAOF NO ONE", "+OK");
    }
    authority.issue(Wish::named("a replica")).save(replica.dir.path(), "client");
    replica.server.check(set, "+OK");
    replicaof(&replica, primary.port);
    wait_for_link(&replica);
}

/// Listens, sends what `speak` sends to each who connects, and keeps the connection.
fn impostor(speak: impl Fn(&mut std::net::TcpStream) + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        let mut kept = Vec::new();
        for mut stream in listener.incoming().flatten() {
            stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
            let _ = stream.read(&mut [0; 4096]); // the first words, if there are any
            speak(&mut stream);
            kept.push(stream);
        }
    });
    port
}

#[test]
fn handshakes_that_lead_nowhere_end() {
    let authority = Authority::new();
    let replica = world(&authority, &["--repl-timeout", "1"]);
    says_twice(&replica, impostor(|_| ()), "Timeout connecting to the MASTER...");
    let error = "Error condition on socket for SYNC: ";
    says_twice(&replica, impostor(|stream| _ = stream.write_all(b"-ERR what is this\r\n")), error);
    replica.server.check("PING", "+PONG");
    // Records of a handshake, one after the other: the longest there are, and no end of them.
    let endless = impostor(|stream| {
        let record = [&[22, 3, 3, 0x40, 0][..], &[2, 0xff, 0xff, 0xff], &[0; 0x3ffc]].concat();
        (0..64).for_each(|_| _ = stream.write_all(&record));
    });
    says_twice(&replica, endless, error);
    // A server that ends the connection at once, and then one that is right.
    replicaof(&replica, impostor(|stream| _ = stream.shutdown(std::net::Shutdown::Both)));
    replica.server.wait_for_log(&format!("{error}unexpected end of file"));
    let primary = world(&authority, &[]);
    replica.server.check("CONFIG SET repl-timeout 20", "+OK");
    replicaof(&replica, primary.port);
    wait_for_link(&replica);
}

#[test]
fn bytes_may_come_one_by_one() {
    let authority = Authority::new();
    let primary = world(&authority, &[]);
    primary.server.check("SET k v", "+OK");
    let dripping = Proxy::in_pieces(primary.port, 1);
    let replica = world(&authority, &[]);
    follow(&mut replica.server.connect(), dripping.port());
    let mut writer = primary.server.connect();
    writer.check("SET k w; INCR n", "+OK :1");
    expect_same(&mut writer, &mut replica.server.connect());
}

/// What a genuine server is started with to speak TLS with files of a directory.
fn foreign_words(dir: &TempDir, port: u16) -> Vec<String> {
    let file = |name: &str| dir.path().join(name).display().to_string();
    let mut words: Vec<String> =
        FOLLOWS.iter().chain(&["--tls-port"]).map(|&word| word.to_owned()).collect();
    words.push(port.to_string());
    for (directive, name) in [
        ("--tls-cert-file", "server.crt"),
        ("--tls-key-file", "server.key"),
        ("--tls-ca-cert-file", "ca.crt"),
    ] {
        words.extend([directive.to_owned(), file(name)]);
    }
    words
}

#[test]
fn genuine_servers_follow_and_are_followed_by_tls() {
    let authority = Authority::new();
    let dir = prepared(&authority);
    for program in fleet::genuine() {
        let port = free_port();
        let words = foreign_words(&dir, port);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let Some(foreign) = fleet::Foreign::try_start(&program, &words) else {
            println!("left out: {} is without TLS", program.display());
            continue;
        };
        for sync in ["yes", "no"] {
            let ours = world(&authority, &["--repl-diskless-sync", sync]);
            fill(&ours);
            let mut theirs = foreign.connect();
            follow(&mut theirs, ours.port);
            let mut own = ours.server.connect();
            expect_same(&mut own, &mut theirs);
            let line = info(&mut own, "slave0");
            assert!(line.contains(&format!("port={port},")), "{line}");
            for cuts in 1..=5 {
                own.check("APPEND cut x; CLIENT KILL TYPE replica", &format!(":{cuts} :1"));
                wait_until("the link to be up", || {
                    info(&mut theirs, "master_link_status") == "up"
                        && info(&mut own, "connected_slaves") == "1"
                });
            }
            expect_same(&mut own, &mut theirs);
            assert_eq!(info(&mut own, "sync_full"), "1");
            // The other way round.
            theirs.check("REPLICAOF NO ONE", "+OK");
            assert!(!matches!(
                theirs.command(&["CONFIG", "SET", "repl-diskless-sync", sync]),
                Reply::Error(_)
            ));
            follow(&mut own, port);
            theirs.check("SET theirs 1; LPUSH list a b c", "+OK :3");
            theirs.check("CLIENT KILL TYPE replica; INCR n2", ":1 :1");
            wait_for_link(&ours);
            expect_same(&mut theirs, &mut own);
            let line = info(&mut theirs, "slave0");
            assert!(line.contains(&format!("port={},", ours.port)), "{line}");
            theirs.check("FLUSHALL", "+OK");
        }
    }
}
