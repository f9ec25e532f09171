//! The start with data: while they are loaded, and when they cannot be.

use crate::common::{Client, Server, scratch};
use crate::{files, info, signal, wait_for_info};
use std::fs;
use std::rc::Rc;

#[test]
fn clients_are_answered_while_the_data_are_loaded() {
    let server = Server::start();
    server.check("DEBUG POPULATE 1000; SAVE", "+OK +OK");
    let dir = Rc::new(scratch());
    fs::copy(server.dir().join("dump.rdb"), dir.path().join("dump.rdb")).unwrap();
    // It would take more than a quarter of an hour: nobody waits for it.
    let mut server = Server::starting_in(&dir, &["--key-load-delay", "1000000"]);
    server.wait_for_log("Server initialized");
    let mut client = Client::to(server.port());
    assert_eq!(info(&mut client, "loading"), "1");
    assert_eq!(
        info(&mut client, "loading_total_bytes").parse::<u64>().unwrap(),
        fs::metadata(dir.path().join("dump.rdb")).unwrap().len()
    );
    client.check("GET key:0; PING", "-LOADING Redis is loading the dataset in memory -LOADING Redis is loading the dataset in memory");
    client.check("DEBUG LOG bla; CONFIG GET key-load-delay", "+OK [$key-load-delay $1000000]");
    assert!(!server.log().contains("Ready to accept"));
    signal(server.pid(), "TERM");
    assert_eq!(server.wait_for_exit().code(), Some(0));
    assert_eq!(files(dir.path()), ["dump.rdb"]);
}

#[test]
fn keys_that_have_expired_are_not_loaded() {
    let server = Server::start();
    let mut client = server.connect();
    client.check("DEBUG SET-ACTIVE-EXPIRE 0; SET gone v PX 1; SET k v; SAVE", "+OK +OK +OK +OK");
    std::thread::sleep(std::time::Duration::from_millis(2)); // its time must have come
    let server = server.killed_and_restarted(&[]);
    let mut client = server.connect();
    assert_eq!(info(&mut client, "rdb_last_load_keys_expired"), "1");
    assert_eq!(info(&mut client, "rdb_last_load_keys_loaded"), "1");
    client.check("DBSIZE", ":1");
    wait_for_info(&mut client, "loading", "0");
}

#[test]
fn a_corrupt_snapshot_stops_the_start_and_stays_as_it_is() {
    let server = Server::start();
    server.check("SET k v; SET other vvvvvv; SAVE", "+OK +OK +OK");
    let good = fs::read(server.dir().join("dump.rdb")).unwrap();
    for at in [0, 6, good.len() / 2, good.len() - 20, good.len() - 3] {
        let dir = Rc::new(scratch());
        let mut bad = good.clone();
        bad[at] ^= 0x20;
        fs::write(dir.path().join("dump.rdb"), &bad).unwrap();
        let mut server = Server::starting_in(&dir, &[]);
        assert_eq!(server.wait_for_exit().code(), Some(1), "byte {at}: {}", server.log());
        assert!(server.log().contains("dump.rdb"), "{}", server.log());
        assert_eq!(fs::read(dir.path().join("dump.rdb")).unwrap(), bad);
    }
}

#[test]
fn an_unreadable_snapshot_stops_the_start() {
    let dir = Rc::new(scratch());
    fs::create_dir(dir.path().join("dump.rdb")).unwrap();
    let mut server = Server::starting_in(&dir, &[]);
    assert_eq!(server.wait_for_exit().code(), Some(1));
    assert!(server.log().contains("dump.rdb"), "{}", server.log());
}
