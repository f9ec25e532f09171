//! What we write for other servers: DUMP payloads beside those of `redis-server`, and snapshots that
//! `redis-server`, `redis-check-rdb` and `valkey-server` read.
//!
//! The same commands fill our server and a genuine one. A genuine server then judges what we wrote by
//! its own digests, so nothing here depends on ours. A server that is not installed (`redis-server` on
//! the path, or what `REDIS_SERVER` and `VALKEY_SERVER` name) is left out, with a line that says so.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod common;
#[path = "support/daemon.rs"]
#[expect(dead_code, reason = "benchmarks use the rest of it")]
mod daemon;

use carnelian::base::rng::Rng;
use common::{Client, Server};
use daemon::{Daemon, Launch};
use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Far in the future, Unix milliseconds.
const EXPIRY_MS: &str = "4000000000000";

/// A sorted set with scores that are no integers.
const FRACTIONS: &str = "fractions";

type Words = Vec<Vec<u8>>;

/// Limits of encodings: what Redis has, and ones that little stays below. With them go ways of eviction,
/// which decide what is said of accesses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Limits {
    Default,
    Low,
}

impl Limits {
    /// As arguments of a server.
    fn arguments(self) -> Vec<String> {
        let arguments = match self {
            Limits::Default => "--maxmemory-policy allkeys-lru",
            Limits::Low => {
                "--hash-max-listpack-entries 2 --zset-max-listpack-entries 2 \
                 --set-max-intset-entries 2 --list-max-listpack-size 3 --list-compress-depth 1 \
                 --maxmemory-policy allkeys-lfu"
            }
        };
        arguments.split_whitespace().map(str::to_owned).collect()
    }

    /// From which length on an element of a list is a node by itself.
    fn set_threshold(self, client: &mut Client) {
        let threshold = match self {
            Limits::Default => return,
            Limits::Low => "100b",
        };
        client.command(&["DEBUG", "QUICKLIST-PACKED-THRESHOLD", threshold]);
    }
}

/// The server that an environment variable or else a name on the path stands for.
fn find(variable: &str, name: &str) -> Option<PathBuf> {
    let program = env::var_os(variable).map_or_else(|| PathBuf::from(name), PathBuf::from);
    let found = Command::new(&program).arg("--version").output().is_ok();
    if !found {
        println!("{name} is not installed: left out");
    }
    found.then_some(program)
}

fn start(program: &Path, arguments: &[String]) -> (Daemon, Client) {
    let debug = ["--enable-debug-command", "yes"].map(str::to_owned);
    let launch = Launch {
        name: program.display().to_string(),
        program: program.to_owned(),
        args: [&debug, arguments].concat(),
        core: None,
    };
    let daemon = Daemon::start(&launch).unwrap();
    let client = Client::to(daemon.address().port());
    (daemon, client)
}

fn ours(arguments: &[String]) -> Server {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    Server::with(&arguments)
}

fn words(line: &str) -> Words {
    line.split(' ').map(|word| word.as_bytes().to_vec()).collect()
}

/// Values of every type: keys and the commands that make them.
fn values() -> Vec<(String, Vec<Words>)> {
    let mut rng = Rng::seeded(11);
    let mut values = Vec::new();
    let mut add = |key: String, commands: Vec<Words>| values.push((key, commands));
    for (index, text) in strings(&mut rng).into_iter().enumerate() {
        let key = format!("string:{index}");
        add(key.clone(), vec![vec![b"SET".to_vec(), key.into_bytes(), text]]);
    }
    for count in [1, 3, 40, 200] {
        let each = |verb: &str, argument: &dyn Fn(i64) -> String| -> Vec<Words> {
            let lines = (0..count).map(|n| format!("{verb} {verb}:{count} {}", argument(n)));
            lines.map(|line| words(&line)).collect()
        };
        for (verb, argument) in [
            ("RPUSH", &(|n| format!("element:{n} {}", n * n * n)) as &dyn Fn(i64) -> String),
            ("LPUSH", &|n| "x".repeat(usize::try_from(n * 7).unwrap())),
            ("SADD", &|n| format!("member:{n} {n}")),
            ("ZADD", &|n| format!("{} member:{n} {n} {n}", (n - 20) * 3)),
            ("HSET", &|n| format!("field:{n} {n} {n} value:{n}")),
        ] {
            add(format!("{verb}:{count}"), each(verb, argument));
        }
        for (width, step) in [(16, 7), (32, 70_000), (64, 70_000_000_000_i64)] {
            let key = format!("intset:{count}:{width}");
            let lines = (0..count).map(|n| words(&format!("SADD {key} {}", (n - 3) * step)));
            add(key.clone(), lines.collect());
        }
    }
    for (key, line) in [
        (FRACTIONS, "ZADD fractions inf a -inf b 0.1 c 1e300 d -0 e 3 f 12345678901234567 g"),
        ("long", &*format!("HSET long field {}", "value".repeat(5000))),
    ] {
        add(key.to_owned(), vec![words(line)]);
    }
    values
}

/// Strings of every form.
fn strings(rng: &mut Rng) -> Vec<Vec<u8>> {
    let mut strings: Vec<Vec<u8>> = [
        "",
        "0",
        "-1",
        "127",
        "128",
        "-32768",
        "32768",
        "2147483647",
        "2147483648",
        "-2147483649",
        "9223372036854775807",
        "012",
        "abc",
        "{\"a\":[1,1,1,1,1,1,1,1,1,1,1,1,1],\"b\":[1,1,1]}",
    ]
    .map(|text| text.as_bytes().to_vec())
    .into();
    for len in [20, 21, 63, 64, 1024, 1025, 16_383, 16_384, 65_536, 300_000] {
        let mut noise = vec![0; len];
        rng.fill(&mut noise);
        strings.push(noise);
        strings.push((0..len).map(|_| if rng.below(5) == 0 { b'b' } else { b'a' }).collect());
    }
    strings
}

/// Runs the commands, of which none may fail.
fn fill(client: &mut Client, values: &[(String, Vec<Words>)]) {
    for command in values.iter().flat_map(|(_, commands)| commands) {
        let reply = client.command(command).to_string();
        assert!(!reply.starts_with('-'), "{reply}");
    }
}

fn digest(client: &mut Client, key: &str) -> String {
    client.command(&["DEBUG", "DIGEST-VALUE", key]).to_string()
}

fn dump(client: &mut Client, key: &str) -> Vec<u8> {
    match client.command(&["DUMP", key]) {
        common::Reply::Bulk(payload) => payload,
        other => panic!("{other}"),
    }
}

/// Whether two servers keep a value in the same bytes. Tables have no order, Redis 7.0 knows fewer
/// encodings of lists and sets, and it prints fractions of scores with more digits than are needed.
fn is_same_form(key: &str, ours: &str, theirs: &str) -> bool {
    match ours {
        "$hashtable" => false,
        "$listpack" if key == FRACTIONS => false,
        "$listpack" | "$quicklist" if theirs == "$quicklist" => true,
        _ => ours == theirs,
    }
}

fn check_payloads(program: &Path, limits: Limits) {
    let mut arguments = limits.arguments();
    let uncompressed = ["--rdbcompression", "no", "--list-compress-depth", "0"].map(str::to_owned);
    arguments.extend(uncompressed);
    let (server, (_daemon, mut theirs)) = (ours(&arguments), start(program, &arguments));
    let mut ours = server.connect();
    let values = values();
    for client in [&mut ours, &mut theirs] {
        limits.set_threshold(client);
        fill(client, &values);
    }
    let mut same = 0;
    for (key, _) in &values {
        let payload = dump(&mut ours, key);
        let [our_form, their_form] = [&mut ours, &mut theirs]
            .map(|client| client.command(&["OBJECT", "ENCODING", key]).to_string());
        if is_same_form(key, &our_form, &their_form) {
            same += 1;
            let expected = dump(&mut theirs, key).escape_ascii().to_string();
            assert_eq!(payload.escape_ascii().to_string(), expected, "{key}, {our_form}");
        }
        restore(&mut theirs, key, &payload);
    }
    assert!(same > values.len() / 2, "{same}");
    // The same, but compressed.
    ours.check("CONFIG SET rdbcompression yes list-compress-depth 1", "+OK");
    ours.check("FLUSHALL", "+OK");
    fill(&mut ours, &values);
    for (key, _) in &values {
        let payload = dump(&mut ours, key);
        restore(&mut theirs, key, &payload);
    }
}

/// Gives a genuine server a payload, which it must take for the value it has itself.
fn restore(theirs: &mut Client, key: &str, payload: &[u8]) {
    let reply = theirs.command(&[b"RESTORE", &b"copy"[..], b"0", payload, b"REPLACE"]);
    assert_eq!(reply.to_string(), "+OK", "{key}");
    assert_eq!(digest(theirs, "copy"), digest(theirs, key), "{key}");
}

#[test]
fn payloads_are_those_of_redis() {
    if let Some(program) = find("REDIS_SERVER", "redis-server") {
        check_payloads(&program, Limits::Default);
        check_payloads(&program, Limits::Low);
    }
}

/// Fills several databases, with expiries.
fn fill_databases(client: &mut Client, values: &[(String, Vec<Words>)]) {
    for db in ["0", "3", "15"] {
        client.command(&["SELECT", db]);
        fill(client, values);
        for (key, _) in values.iter().step_by(3) {
            client.command(&["PEXPIREAT", key, EXPIRY_MS]);
        }
    }
}

fn check_file(program: &Path, limits: Limits, compression: &str) {
    let mut arguments = limits.arguments();
    arguments.extend(["--rdbcompression", compression].map(str::to_owned));
    let (server, (_daemon, mut theirs)) = (ours(&arguments), start(program, &arguments));
    let mut ours = server.connect();
    let values = values();
    for client in [&mut ours, &mut theirs] {
        limits.set_threshold(client);
        fill_databases(client, &values);
    }
    ours.check("SAVE", "+OK");
    let file = server.dir().join("dump.rdb");
    check_by_tool(&file);
    // The digest of a score depends on its encoding.
    arguments.extend(["--dir", &server.dir().display().to_string()].map(str::to_owned));
    let (_reader, mut reader) = start(program, &arguments);
    let [expected, found] = [&mut theirs, &mut reader].map(|client| {
        ["0", "3", "15"].map(|db| {
            client.command(&["SELECT", db]);
            let expiry = client.command(&["PEXPIRETIME", "string:0"]).to_string();
            (client.command(&["DBSIZE"]).to_string(), expiry)
        })
    });
    assert_eq!(found, expected);
    assert_eq!(found[0].1, format!(":{EXPIRY_MS}"));
    let [expected, found] =
        [&mut theirs, &mut reader].map(|client| client.command(&["DEBUG", "DIGEST"]).to_string());
    assert_eq!(found, expected, "{limits:?}, compression {compression}");
}

fn check_by_tool(file: &Path) {
    let Some(tool) = find("REDIS_CHECK_RDB", "redis-check-rdb") else { return };
    let output = Command::new(tool).arg(file).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("RDB looks OK"), "{text}");
}

fn check_files(program: &Path) {
    check_file(program, Limits::Default, "yes");
    check_file(program, Limits::Low, "yes");
    check_file(program, Limits::Low, "no");
}

#[test]
fn redis_loads_our_files() {
    if let Some(program) = find("REDIS_SERVER", "redis-server") {
        check_files(&program);
    }
}

#[test]
fn valkey_loads_our_files() {
    if let Some(program) = find("VALKEY_SERVER", "valkey-server") {
        check_files(&program);
    }
}
