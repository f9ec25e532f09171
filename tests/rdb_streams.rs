//! Streams of genuine servers, with groups, consumers and pending entries: payloads of DUMP and files are
//! read here, and what is written here, as payload, file or commands, makes the same stream there.
//!
//! A server that is not installed (`redis-server` on the path, or what `REDIS_SERVER` and
//! `VALKEY_SERVER` name) is left out, with a line that says so.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod common;
#[path = "support/daemon.rs"]
#[expect(dead_code, reason = "benchmarks use the rest of it")]
mod daemon;

use carnelian::base::hash::HashKey;
use carnelian::base::rng::Rng;
use carnelian::config::Config;
use carnelian::persist::Progress;
use carnelian::persist::aof::rewrite::{RewriteOptions, rewrite};
use carnelian::persist::rdb::{self, Compression, Encodings, LoadOptions, SaveOptions};
use carnelian::store::Keyspace;
use common::{Client, Reply, Server};
use daemon::{Daemon, Launch};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const HASH_KEY: HashKey = HashKey::new(1, 2);

/// The server that an environment variable or else a name on the path stands for.
fn find(variable: &str, name: &str) -> Option<PathBuf> {
    let program = env::var_os(variable).map_or_else(|| PathBuf::from(name), PathBuf::from);
    let found = Command::new(&program).arg("--version").output().is_ok();
    if !found {
        println!("{name} is not installed: left out");
    }
    found.then_some(program)
}

fn start(program: &Path, arguments: &[&str]) -> (Daemon, Client) {
    let debug = ["--enable-debug-command", "yes", "--rdbcompression", "no"];
    let launch = Launch {
        name: program.display().to_string(),
        program: program.to_owned(),
        args: debug.iter().chain(arguments).map(|word| (*word).to_owned()).collect(),
        core: None,
    };
    let daemon = Daemon::start(&launch).unwrap();
    let client = Client::to(daemon.address().port());
    (daemon, client)
}

#[track_caller]
fn run(client: &mut Client, line: &str) -> Reply {
    let reply = client.command(&line.split(' ').collect::<Vec<_>>());
    assert!(!matches!(reply, Reply::Error(_)), "{line}: {reply}");
    reply
}

/// Streams of every kind; returns their keys.
fn fill(client: &mut Client) -> Vec<String> {
    let mut keys = Vec::new();
    run(client, "CONFIG SET stream-node-max-entries 10");
    // Entries alike and not, in several nodes, and what is left after some were deleted and trimmed.
    for (key, count) in [("one", 1), ("ten", 10), ("many", 250)] {
        for n in 1..=count {
            let (ms, seq) = (1_700_000_000_000_u64 + n / 3, n % 3);
            let fields = match n % 7 {
                5 => format!("field {n} other {}", n * n),
                6 => format!("big {} n -{n}", "x".repeat(500)),
                _ => format!("a {n} b value:{n}"),
            };
            run(client, &format!("XADD {key} {ms}-{seq} {fields}"));
        }
        keys.push(key.to_owned());
    }
    for n in (9..200).step_by(4) {
        run(client, &format!("XDEL many {}-{}", 1_700_000_000_000_u64 + n / 3, n % 3));
    }
    run(client, "XTRIM many MAXLEN 180");
    run(client, "XADD empty 5-5 f v");
    run(client, "XDEL empty 5-5");
    run(client, "XGROUP CREATE never g $ MKSTREAM");
    run(client, "XADD top 18446744073709551615-18446744073709551615 f v");
    run(client, "XSETID ten 1800000000000-7 ENTRIESADDED 1000 MAXDELETEDID 1700000000001-0");
    keys.extend(["empty", "never", "top"].map(str::to_owned));
    for (key, group) in [("many", "first"), ("many", "second group"), ("ten", ""), ("one", "g")] {
        client.command(&["XGROUP", "CREATE", key, group, "0"]);
        for (consumer, count) in [("alice", "3"), ("bob", "40"), ("carol", "1"), ("alice", "4")] {
            let read =
                ["XREADGROUP", "GROUP", group, consumer, "COUNT", count, "STREAMS", key, ">"];
            client.command(&read);
        }
        client.command(&["XGROUP", "CREATECONSUMER", key, group, "idle"]);
    }
    run(client, "XCLAIM many first carol 0 1700000000007-1 TIME 1234567 RETRYCOUNT 77");
    run(client, "XACK many first 1700000000009-0 1700000000010-0");
    run(client, "XGROUP CREATE many third 1700000000020-0");
    run(client, "XGROUP CREATE top far 5-0 ENTRIESREAD 3");
    keys
}

/// What XINFO STREAM FULL says, but for how nodes are laid out and what is known of times.
fn about(client: &mut Client, key: &str) -> String {
    let reply = client.command(&["XINFO", "STREAM", key, "FULL", "COUNT", "0"]).to_string();
    let mut words = reply.split(' ');
    let mut kept = Vec::new();
    while let Some(word) = words.next() {
        match word.trim_start_matches('$') {
            "radix-tree-keys" | "radix-tree-nodes" | "seen-time" | "active-time" => {
                words.next();
            }
            _ => kept.push(word),
        }
    }
    kept.join(" ")
}

fn digest(client: &mut Client, key: &str) -> String {
    client.command(&["DEBUG", "DIGEST-VALUE", key]).to_string()
}

fn dump(client: &mut Client, key: &str) -> Vec<u8> {
    match client.command(&["DUMP", key]) {
        Reply::Bulk(payload) => payload,
        other => panic!("{other}"),
    }
}

#[track_caller]
fn same(keys: &[String], expected: &mut Client, found: &mut Client) {
    for key in keys {
        assert_eq!(digest(found, key), digest(expected, key), "{key}");
        assert_eq!(about(found, key), about(expected, key), "{key}");
    }
}

/// Payloads go to our server and back.
fn check_payloads(program: &Path, is_same_form: bool) {
    let (_daemon, mut theirs) = start(program, &[]);
    let (_other, mut other) = start(program, &[]);
    let server = Server::with(&["--rdbcompression", "no"]);
    let mut ours = server.connect();
    let keys = fill(&mut theirs);
    // What is pending stays so when it is deleted.
    run(&mut theirs, "XDEL many 1700000000030-2 1700000000031-0 1700000000031-1");
    assert!(about(&mut theirs, "many").contains("$alice"));
    for key in &keys {
        let payload = dump(&mut theirs, key);
        let reply = ours.command(&[b"RESTORE", key.as_bytes(), b"0", &payload]);
        assert_eq!(reply.to_string(), "+OK", "{key}");
        assert_eq!(digest(&mut ours, key), digest(&mut theirs, key), "{key}");
        assert_eq!(ours.command(&["OBJECT", "ENCODING", key]).to_string(), "$stream");
        assert!(ours.command(&["MEMORY", "USAGE", key]).integer() > 100, "{key}");
        let back = dump(&mut ours, key);
        if is_same_form {
            assert_eq!(
                back.escape_ascii().to_string(),
                payload.escape_ascii().to_string(),
                "{key}"
            );
        }
        let reply = other.command(&[b"RESTORE", key.as_bytes(), b"0", &back]);
        assert_eq!(reply.to_string(), "+OK", "{key}");
        // Cut, it is refused.
        for len in (0..payload.len()).step_by(7) {
            let cut = ours.command(&[b"RESTORE", &b"cut"[..], b"0", &payload[..len]]);
            assert!(matches!(cut, Reply::Error(_)), "{key}, {len}: {cut}");
        }
    }
    same(&keys, &mut theirs, &mut other);
    ours.check("DEBUG RELOAD", "+OK");
    for key in &keys {
        assert_eq!(digest(&mut ours, key), digest(&mut theirs, key), "{key}");
    }
}

/// A file goes here, and back as a file and as commands.
fn check_files(program: &Path) {
    let (_daemon, mut theirs) = start(program, &[]);
    let keys = fill(&mut theirs);
    run(&mut theirs, "SAVE");
    let Reply::Array(found) = run(&mut theirs, "CONFIG GET dir") else { panic!("an array") };
    let folder = found[1].to_string();
    let file = fs::read(Path::new(&folder[1..]).join("dump.rdb")).unwrap();
    let mut keyspace = Keyspace::new(16, HASH_KEY, Rng::seeded(1));
    let mut options = LoadOptions::new(Encodings::of(&Config::default(), HASH_KEY, 0));
    options.sanitize = rdb::Sanitize::Yes;
    rdb::load(&file[..], &mut keyspace, &options, &Progress::new()).unwrap();

    for compression in [Compression::None, Compression::Lzf] {
        let folder = tempfile::tempdir().unwrap();
        let mut file = Vec::new();
        let options = SaveOptions { compression, ..SaveOptions::default() };
        rdb::save(&keyspace, &options, &mut file).unwrap();
        assert_eq!(&file[..9], b"REDIS0010");
        fs::write(folder.path().join("dump.rdb"), file).unwrap();
        let (_other, mut other) = start(program, &["--dir", &folder.path().display().to_string()]);
        same(&keys, &mut theirs, &mut other);
    }
    check_commands(program, &keyspace, |other| same(&keys, &mut theirs, other));
}

/// The keys as commands go to another server.
fn check_commands(program: &Path, keyspace: &Keyspace, check: impl FnOnce(&mut Client)) {
    let folder = tempfile::tempdir().unwrap();
    let options = RewriteOptions {
        timestamp: None,
        libraries: &[],
        key_delay_us: 0,
        sleep: |_| (),
        progress: None,
    };
    let mut log = Vec::new();
    rewrite(keyspace, &options, &mut log).unwrap();
    fs::create_dir(folder.path().join("appendonlydir")).unwrap();
    let part = |name: &str| folder.path().join("appendonlydir").join(name);
    fs::write(part("appendonly.aof.1.incr.aof"), log).unwrap();
    let manifest = "file appendonly.aof.1.incr.aof seq 1 type i\n";
    fs::write(part("appendonly.aof.manifest"), manifest).unwrap();
    let (_other, mut other) =
        start(program, &["--appendonly", "yes", "--dir", &folder.path().display().to_string()]);
    check(&mut other);
}

#[test]
fn payloads_of_redis_come_and_go() {
    if let Some(program) = find("REDIS_SERVER", "redis-server") {
        check_payloads(&program, true);
    }
}

#[test]
fn payloads_of_valkey_come_and_go() {
    if let Some(program) = find("VALKEY_SERVER", "valkey-server") {
        check_payloads(&program, false);
    }
}

#[test]
fn files_of_redis_come_and_go() {
    if let Some(program) = find("REDIS_SERVER", "redis-server") {
        check_files(&program);
    }
}

#[test]
fn files_of_valkey_come_and_go() {
    if let Some(program) = find("VALKEY_SERVER", "valkey-server") {
        check_files(&program);
    }
}
