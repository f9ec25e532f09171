//! The start with data: while they are loaded, and when they cannot be.

use crate::common::{Client, Server, scratch};
use crate::{files, info, signal, wait_for_info};
use std::fs;
use std::process::{Command, Stdio};
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

#[test]
fn what_is_wrong_with_a_log_is_the_last_line_and_no_signal_saves_over_the_snapshot() {
    let folder = "appendonlydir";
    let logs = ["*1\r\n$7\r\nNOTHING\r\n", "*1\r\n!", "*2\r\n$3\r\nDEL"];
    for (log, signals) in logs.into_iter().flat_map(|log| [(log, false), (log, true)]) {
        let dir = Rc::new(scratch());
        let path = |name: &str| dir.path().join(name);
        fs::write(path("dump.rdb"), "somebody may still want it").unwrap();
        fs::create_dir(path(folder)).unwrap();
        let manifest = "file appendonly.aof.1.incr.aof seq 1 type i\n";
        fs::write(path("appendonlydir/appendonly.aof.manifest"), manifest).unwrap();
        fs::write(path("appendonlydir/appendonly.aof.1.incr.aof"), log).unwrap();
        let options = ["--appendonly", "yes", "--aof-load-truncated", "no", "--save", "1 1"];
        let mut server = Server::starting_in(&dir, &options);
        if signals {
            server.wait_for_log("Server initialized");
            // While it loads, or while it ends, if it has not ended.
            let _ = Command::new("kill").args(["-s", "TERM", &server.pid().to_string()]).output();
        }
        let status = server.wait_for_exit().code();
        let log = server.log();
        let is_told = log.contains("Received");
        assert!(status == Some(1) || is_told && signals, "{status:?}: {log}");
        if status == Some(1) {
            let last = log.lines().rfind(|line| !line.contains("signal-handler")).unwrap();
            assert!(last.contains("# Fatal error loading the DB from appendonlydir"), "{log}");
        }
        assert_eq!(fs::read(path("dump.rdb")).unwrap(), b"somebody may still want it", "{log}");
    }
}

#[test]
fn a_torn_log_is_cut_if_nothing_was_logged_after_it() {
    let whole = "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n";
    let next = whole.replace('a', "b");
    for (next, loads) in [("", true), (&next[..], false)] {
        let dir = Rc::new(scratch());
        let folder = dir.path().join("appendonlydir");
        fs::create_dir(&folder).unwrap();
        let put = |name: &str, text: &str| fs::write(folder.join(name), text).unwrap();
        put("appendonly.aof.1.incr.aof", &format!("{whole}*3\r\n$3\r\nSE"));
        put("appendonly.aof.2.incr.aof", next);
        put(
            "appendonly.aof.manifest",
            "file appendonly.aof.1.incr.aof seq 1 type i\n\
             file appendonly.aof.2.incr.aof seq 2 type i\n",
        );
        let checked = Command::new(env!("CARGO_BIN_EXE_carnelian-check-aof"))
            .arg("--fix")
            .arg(folder.join("appendonly.aof.manifest"))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = String::from_utf8(checked.stdout).unwrap();
        assert_eq!(said.contains("Continue? [y/N]"), loads, "{said}");
        if loads {
            let server = Server::in_directory(&dir, &["--appendonly", "yes"]);
            server.check("GET a; DBSIZE", "$1 :1");
            let cut = fs::read_to_string(folder.join("appendonly.aof.1.incr.aof")).unwrap();
            assert_eq!(cut, whole);
        } else {
            let mut server = Server::starting_in(&dir, &["--appendonly", "yes"]);
            assert_eq!(server.wait_for_exit().code(), Some(1));
            assert!(server.log().contains("the file ends early, and it is not the last one"));
        }
    }
}
