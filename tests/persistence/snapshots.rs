//! SAVE, BGSAVE, `save` points, and what becomes of them when something goes wrong.

use crate::common::{Server, wait_until};
use crate::{children, files, info, signal, wait_for_info};

#[test]
fn points_make_snapshots() {
    let server = Server::with(&["--save", "1 2"]);
    let mut client = server.connect();
    client.check("SET k v", "+OK");
    client.check("SET k w", "+OK");
    wait_until("a snapshot", || server.dir().join("dump.rdb").exists());
    wait_for_info(&mut client, "rdb_bgsave_in_progress", "0");
    assert_eq!(info(&mut client, "rdb_changes_since_last_save"), "0");
    assert!(server.log().contains("2 changes in 1 seconds. Saving..."));
}

#[test]
fn a_killed_child_is_a_failure_and_writes_are_refused_until_a_snapshot_succeeds() {
    let server = Server::with(&["--save", "900 100000"]);
    let mut client = server.connect();
    client.check(
        "SET k v; CONFIG SET rdb-key-save-delay 10000000; BGSAVE",
        "+OK +OK +Background saving started",
    );
    let child = children(server.pid());
    assert_eq!(child.len(), 1);
    client.check(
        "BGSAVE; SAVE",
        "-ERR Background save already in progress -ERR Background save already in progress",
    );
    wait_until("the temporary file", || files(server.dir()) == [format!("temp-{}.rdb", child[0])]);
    signal(child[0], "KILL");
    wait_for_info(&mut client, "rdb_last_bgsave_status", "err");
    assert_eq!(files(server.dir()), [""; 0]);
    client.check("GET k", "$v");
    assert!(
        client.command(&["SET", "k", "w"]).to_string().starts_with("-MISCONF Redis is configured")
    );
    assert!(client.command(&["PING"]).to_string().starts_with("-MISCONF "));
    client.check("CONFIG SET stop-writes-on-bgsave-error no; SET k w; CONFIG SET stop-writes-on-bgsave-error yes", "+OK +OK +OK");
    client.check("CONFIG SET rdb-key-save-delay 0; BGSAVE", "+OK +Background saving started");
    wait_for_info(&mut client, "rdb_last_bgsave_status", "ok");
    client.check("SET k x; PING", "+OK +PONG");
}

#[test]
fn a_child_that_is_told_to_give_up_is_no_failure() {
    let server = Server::with(&["--save", "900 100000"]);
    let mut client = server.connect();
    client.check(
        "SET k v; CONFIG SET rdb-key-save-delay 10000000; BGSAVE",
        "+OK +OK +Background saving started",
    );
    let child = children(server.pid());
    client.check("BGSAVE CANCEL; BGSAVE CANCEL", "+Background saving cancelled -ERR Background saving is currently not in progress or scheduled");
    assert_eq!(info(&mut client, "rdb_bgsave_in_progress"), "0");
    assert_eq!(files(server.dir()), [""; 0]);
    assert_eq!(children(server.pid()), []);
    client.check("SET k w; BGSAVE", "+OK +Background saving started");
    let other = children(server.pid());
    assert_ne!(child, other);
    signal(other[0], "USR1");
    wait_for_info(&mut client, "rdb_bgsave_in_progress", "0");
    client.check("SET k x", "+OK");
}
