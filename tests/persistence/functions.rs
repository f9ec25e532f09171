//! Libraries of functions, which are kept as they are: whatever is read and written, their sources stay.

use crate::common::{Client, Server, scratch};
use crate::{info, wait_for_info};
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

const SOURCES: [&str; 2] = [
    "#!lua name=first\nredis.register_function('f', function() return 1 end)",
    "#!lua name=second\nredis.register_function('g', function() return 2 end)",
];

fn command(words: &[&str]) -> String {
    let words: Vec<String> =
        words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len())).collect();
    format!("*{}\r\n{}", words.len(), words.concat())
}

/// Whether a file holds both sources, each once.
fn holds_both(path: &Path) -> bool {
    let bytes = fs::read(path).unwrap();
    let count =
        |text: &str| bytes.windows(text.len()).filter(|window| *window == text.as_bytes()).count();
    SOURCES.iter().all(|source| count(source) == 1)
}

/// The newest base of the append-only file.
fn base(dir: &Path) -> PathBuf {
    let folder = dir.join("appendonlydir");
    let manifest = fs::read_to_string(folder.join("appendonly.aof.manifest")).unwrap();
    let line = manifest.lines().find(|line| line.ends_with("type b")).unwrap();
    folder.join(line.split(' ').nth(1).unwrap())
}

fn rewrite(client: &mut Client) {
    client.command(&["BGREWRITEAOF"]);
    wait_for_info(client, "aof_rewrite_in_progress", "0");
    wait_for_info(client, "aof_rewrite_scheduled", "0");
}

#[test]
fn their_sources_survive_every_way_of_reading_and_writing() {
    let dir = Rc::new(scratch());
    let log: String = SOURCES.iter().map(|source| command(&["FUNCTION", "LOAD", source])).collect();
    let log = log + &command(&["SET", "k", "v"]);
    fs::write(dir.path().join("appendonly.aof"), log).unwrap();
    // Without compression they can be found in the files.
    let options = ["--appendonly", "yes", "--rdbcompression", "no"];
    let server = Server::in_directory(&dir, &options);
    let mut client = server.connect();
    assert_eq!(info(&mut client, "number_of_libraries"), "2");
    client.check("GET k; CONFIG SET aof-use-rdb-preamble no", "$v +OK");
    rewrite(&mut client);
    assert!(holds_both(&base(dir.path())), "a base of commands");
    let server = server.killed_and_restarted(&options);
    let mut client = server.connect();
    rewrite(&mut client);
    assert!(holds_both(&base(dir.path())), "a base as a snapshot");
    client.check("DEBUG LOADAOF; DEBUG RELOAD; SAVE", "+OK +OK +OK");
    assert!(holds_both(&dir.path().join("dump.rdb")), "a snapshot");
    client.check(
        "FLUSHALL; CONFIG SET appendonly no; SET k w; BGSAVE",
        "+OK +OK +OK +Background saving started",
    );
    wait_for_info(&mut client, "rdb_bgsave_in_progress", "0");
    assert!(holds_both(&dir.path().join("dump.rdb")), "a snapshot in the background");
    let server = server.killed_and_restarted(&["--rdbcompression", "no"]);
    server.check("GET k; SAVE", "$w +OK");
    assert!(holds_both(&dir.path().join("dump.rdb")), "a snapshot that was loaded");
}

#[test]
fn what_cannot_be_followed_stops_the_start() {
    let dir = Rc::new(scratch());
    let log = command(&["FUNCTION", "RESTORE", "anything"]);
    fs::write(dir.path().join("appendonly.aof"), log).unwrap();
    let mut server = Server::starting_in(&dir, &["--appendonly", "yes"]);
    assert_eq!(server.wait_for_exit().code(), Some(1));
    let said = "Command 'function' failed (Bad payload) reading the append only file";
    assert!(server.log().contains(said), "{}", server.log());
}
