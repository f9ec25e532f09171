//! SAVE, BGSAVE, `save` points, and what becomes of them when something goes wrong.

use crate::common::{Client, Server, wait_until};
use crate::{children, files, info, signal, wait_for_info};
use std::fs;

/// One value of each type and encoding, in two databases.
const FILL: &str = "MSET int 1 short v long xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; \
    RPUSH list a b 3; SADD ints 1 2 3; SADD words a b 1; ZADD zset 1 a 2.5 b; HSET hash f v g 2; \
    SET volatile v PX 100000000; SELECT 3; SET other db";

fn fill(client: &mut Client) {
    for line in FILL.split(';') {
        let words: Vec<&str> = line.split_whitespace().collect();
        client.command(&words);
    }
    for n in 0..600 {
        let n = n.to_string();
        let long = n.repeat(30);
        client.command(&["RPUSH", "biglist", &long]);
        client.command(&["SADD", "bigset", &long]);
        client.command(&["ZADD", "bigzset", &n, &long]);
        client.command(&["HSET", "bighash", &long, &n]);
    }
    client.command(&["SELECT", "0"]);
}

fn digest(client: &mut Client) -> String {
    client.command(&["DEBUG", "DIGEST"]).text()
}

#[test]
fn what_was_saved_is_there_after_a_restart() {
    for command in ["SAVE", "BGSAVE"] {
        let server = Server::start();
        let mut client = server.connect();
        fill(&mut client);
        let before = digest(&mut client);
        let expires_at = client.command(&["PEXPIRETIME", "volatile"]).to_string();
        assert_ne!(info(&mut client, "rdb_changes_since_last_save"), "0");
        client.command(&[command]);
        wait_for_info(&mut client, "rdb_bgsave_in_progress", "0");
        assert_eq!(info(&mut client, "rdb_changes_since_last_save"), "0");
        assert_eq!(info(&mut client, "rdb_last_bgsave_status"), "ok");
        assert_eq!(files(server.dir()), ["dump.rdb"]);
        client.check("SET lost 1", "+OK");
        let server = server.killed_and_restarted(&[]);
        let mut client = server.connect();
        assert_eq!(digest(&mut client), before, "{command}");
        client.check("GET lost; GET short; SELECT 3; GET other; TTL other", "$_ $v +OK $db :-1");
        client.check("SELECT 0", "+OK");
        assert_eq!(client.command(&["PEXPIRETIME", "volatile"]).to_string(), expires_at);
    }
}

#[test]
fn a_shutdown_saves_if_there_are_points() {
    let mut server = Server::with(&["--save", "900 1"]);
    let mut client = server.connect();
    fill(&mut client);
    let before = digest(&mut client);
    client.send_command(&["SHUTDOWN"]);
    assert_eq!(client.read_to_end(), b"");
    server.wait_for_exit();
    let server = server.killed_and_restarted(&[]);
    assert_eq!(digest(&mut server.connect()), before);
}

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

#[test]
fn flushall_ends_the_child_and_saves_what_is_left() {
    let server = Server::with(&["--save", "900 100000"]);
    let mut client = server.connect();
    client.check(
        "SET k v; SAVE; CONFIG SET rdb-key-save-delay 10000000; BGSAVE",
        "+OK +OK +OK +Background saving started",
    );
    client.check("FLUSHALL", "+OK");
    assert_eq!(info(&mut client, "rdb_bgsave_in_progress"), "0");
    let server = server.killed_and_restarted(&[]);
    server.check("DBSIZE", ":0");
}

#[test]
fn a_snapshot_that_cannot_be_written_leaves_the_old_one() {
    let server = Server::with(&["--enable-protected-configs", "yes"]);
    let mut client = server.connect();
    client.check("SET k old; SAVE; CONFIG SET dbfilename folder; SET k new", "+OK +OK +OK +OK");
    fs::create_dir(server.dir().join("folder")).unwrap();
    client.check("SAVE", "-ERR");
    assert!(server.log().contains("Failed naming folder: Is a directory"), "{}", server.log());
    assert_eq!(files(server.dir()), ["dump.rdb", "folder"]);
    let before = info(&mut client, "rdb_changes_since_last_save");
    client.check("BGSAVE", "+Background saving started");
    wait_for_info(&mut client, "rdb_last_bgsave_status", "err");
    assert_eq!(info(&mut client, "rdb_changes_since_last_save"), before);
    assert_eq!(files(server.dir()), ["dump.rdb", "folder"]);
    let server = server.killed_and_restarted(&[]);
    server.check("GET k", "$old");
}

#[test]
fn a_reload_keeps_the_data() {
    let server = Server::start();
    let mut client = server.connect();
    fill(&mut client);
    let before = digest(&mut client);
    client.check("DEBUG RELOAD", "+OK");
    assert_eq!(digest(&mut client), before);
    client.check("SET extra 1; DEBUG RELOAD NOSAVE; EXISTS extra", "+OK +OK :0");
    client.check("SET extra 1; DEBUG RELOAD NOSAVE NOFLUSH MERGE; EXISTS extra", "+OK +OK :1");
    client.check(
        "DEBUG RELOAD NOPE",
        "-ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.",
    );
}

#[test]
fn a_rewrite_is_begun_however_much_is_not_on_disk_yet() {
    let options = ["--appendonly", "yes", "--auto-aof-rewrite-percentage", "0"];
    let server = Server::with(&options);
    let mut client = server.connect();
    let value = "v".repeat(2 << 20);
    // The first is brought to disk at once, the second once a second has passed.
    client.check(&format!("SET a {value}; SET b {value}; SET c {value}"), "+OK +OK +OK");
    client.send(b"BGREWRITEAOF\r\n");
    let reply = client.reply().to_string();
    assert!(reply.starts_with("+Background append only file rewriting s"), "{reply}");
    wait_for_info(&mut client, "aof_rewrites", "1");
    wait_for_info(&mut client, "aof_rewrite_in_progress", "0");
    client.check("SET d 1", "+OK");
    assert_eq!(info(&mut client, "aof_rewrite_scheduled"), "0");
    let server = server.killed_and_restarted(&options);
    server.check("STRLEN a; STRLEN c; GET d", ":2097152 :2097152 $1");
}
