//! Full and partial synchronisation.

use crate::common::{Server, wait_until};
use crate::load::{self, Numbers};
use crate::proxy::Proxy;
use crate::{compare, follow, info, replica_of, wait_for_link, wait_for_offset, with_primaries};
use std::time::{Duration, Instant};

#[test]
fn a_replica_has_what_its_primary_has_however_it_is_sent() {
    for diskless_sync in ["yes", "no"] {
        with_primaries(&["--repl-diskless-sync", diskless_sync], |primary| {
            for diskless_load in ["disabled", "on-empty-db", "swapdb"] {
                let mut numbers = Numbers::seeded(1);
                let mut writer = primary.connect();
                load::write(&mut writer, &mut numbers, 500);
                let replica = replica_of(
                    primary.port(),
                    &["--repl-diskless-load", diskless_load, "--appendonly", "yes"],
                );
                // Some of these are in the snapshot, others behind it.
                load::write(&mut writer, &mut numbers, 500);
                wait_for_link(&replica);
                load::write(&mut writer, &mut numbers, 500);
                let mut reader = replica.connect();
                wait_for_offset(&mut writer, &mut reader);
                compare(&mut writer, &mut reader);
                // What came is in the append-only file.
                wait_until("the log", || info(&mut reader, "aof_rewrite_in_progress") == "0");
                reader.check("DEBUG LOADAOF", "+OK");
                compare(&mut writer, &mut reader);
                assert!(replica.log().contains("Finished with success"), "{}", primary.name);
            }
        });
    }
}

#[test]
fn a_link_that_is_cut_is_gone_on_with() {
    with_primaries(&["--repl-backlog-size", "100mb"], |primary| {
        let proxy = Proxy::to(primary.port());
        let replica = replica_of(proxy.port(), &[]);
        wait_for_link(&replica);
        let mut numbers = Numbers::seeded(2);
        let (mut writer, mut reader) = (primary.connect(), replica.connect());
        for _ in 0..30 {
            load::write(&mut writer, &mut numbers, 20);
            proxy.cut();
            load::write(&mut writer, &mut numbers, 20);
        }
        wait_for_offset(&mut writer, &mut reader);
        compare(&mut writer, &mut reader);
        assert_eq!(info(&mut writer, "sync_full"), "1", "{}", primary.name);
        assert_ne!(info(&mut writer, "sync_partial_ok"), "0");
    });
}

#[test]
fn a_replica_goes_on_after_a_restart() {
    with_primaries(&[], |primary| {
        let arguments = ["--save", "900 1"];
        let replica = replica_of(primary.port(), &arguments);
        wait_for_link(&replica);
        let mut numbers = Numbers::seeded(3);
        let mut writer = primary.connect();
        load::write(&mut writer, &mut numbers, 200);
        wait_for_offset(&mut writer, &mut replica.connect());
        let dir = replica.shut_down();
        load::write(&mut writer, &mut numbers, 200);
        let port = primary.port().to_string();
        let replica = Server::in_directory(&dir, &["--replicaof", &format!("127.0.0.1 {port}")]);
        wait_for_link(&replica);
        wait_for_offset(&mut writer, &mut replica.connect());
        compare(&mut writer, &mut replica.connect());
        assert_eq!(info(&mut writer, "sync_full"), "1", "{}", primary.name);
        assert_eq!(info(&mut writer, "sync_partial_ok"), "1");
    });
}

#[test]
fn a_demoted_primary_asks_for_what_it_lacks() {
    with_primaries(&[], |primary| {
        // The genuine server follows first, so that both share a history, and takes over then.
        let old = Server::start();
        let mut numbers = Numbers::seeded(4);
        load::write(&mut old.connect(), &mut numbers, 100);
        let mut new = primary.connect();
        new.check(&format!("REPLICAOF 127.0.0.1 {}", old.port()), "+OK");
        wait_until("the link", || info(&mut new, "master_link_status") == "up");
        load::write(&mut old.connect(), &mut numbers, 100);
        wait_until("the stream", || {
            info(&mut old.connect(), "master_repl_offset") == info(&mut new, "slave_repl_offset")
        });
        new.check("REPLICAOF NO ONE", "+OK");
        load::write(&mut new, &mut numbers, 100);
        follow(&old, primary.port());
        wait_for_link(&old);
        wait_for_offset(&mut new, &mut old.connect());
        compare(&mut new, &mut old.connect());
        assert_eq!(info(&mut new, "sync_partial_ok"), "1", "{}", primary.name);
        assert_eq!(info(&mut new, "sync_full"), "0");
    });
}

#[test]
fn what_has_come_is_loaded_though_the_primary_dies_meanwhile() {
    for load in ["disabled", "swapdb"] {
        let primary = Server::with(&["--repl-diskless-sync-delay", "0"]);
        primary.check("DEBUG POPULATE 3000; SET k v", "+OK +OK");
        let arguments = ["--repl-diskless-load", load, "--key-load-delay", "1000"];
        let replica = replica_of(primary.port(), &arguments);
        let mut reader = replica.connect();
        wait_until("the snapshot to be loaded", || info(&mut reader, "loading") == "1");
        drop(primary);
        replica.wait_for_log("Connection with master lost. Loading what it has sent goes on.");
        assert_eq!(info(&mut reader, "loading"), "1", "the link was lost too late to tell");
        wait_until("it to be loaded", || info(&mut reader, "loading") == "0");
        reader.check("DBSIZE; GET k", ":3001 $v");
        assert_eq!(info(&mut reader, "master_link_status"), "down");
        reader.check("REPLICAOF NO ONE; DBSIZE", "+OK :3001");
    }
}

#[test]
fn a_link_lost_while_a_snapshot_is_loaded_is_gone_on_with() {
    let primary = Server::with(&["--repl-diskless-sync-delay", "0"]);
    primary.check("DEBUG POPULATE 3000", "+OK");
    let replica = replica_of(primary.port(), &["--key-load-delay", "1000"]);
    let mut reader = replica.connect();
    wait_until("the snapshot to be loaded", || info(&mut reader, "loading") == "1");
    let mut writer = primary.connect();
    writer.check("SET k v; CLIENT KILL TYPE replica", "+OK :1");
    replica.wait_for_log("Loading what it has sent goes on.");
    wait_for_link(&replica);
    wait_for_offset(&mut writer, &mut reader);
    reader.check("DBSIZE; GET k", ":3001 $v");
    assert_eq!(
        (info(&mut writer, "sync_full"), info(&mut writer, "sync_partial_ok")),
        ("1".into(), "1".into())
    );
}

#[test]
fn what_was_asked_about_is_confirmed_as_soon_as_it_is_on_disk() {
    let primary = Server::with(&["--repl-diskless-sync-delay", "0"]);
    let arguments = ["--appendonly", "yes", "--appendfsync", "always"];
    let replica = replica_of(primary.port(), &arguments);
    wait_for_link(&replica);
    let mut reader = replica.connect();
    wait_until("the log", || info(&mut reader, "aof_rewrite_in_progress") == "0");
    let mut writer = primary.connect();
    let start = Instant::now();
    for n in 1..=40 {
        writer.check("INCR n; WAITAOF 0 1 0", &format!(":{n} [:0 :1]"));
    }
    // What a replica says by itself comes once a second.
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
}
