//! Files of real servers: what `redis-server` and `valkey-server` save is loaded, and given back to them
//! key by key in our own form the data has the same digest.
//!
//! A server that is not installed (`redis-server` on the path, or what `REDIS_SERVER` and
//! `VALKEY_SERVER` name) is left out, with a line that says so.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

#[path = "support/daemon.rs"]
#[expect(dead_code, reason = "benchmarks use the rest of it")]
mod daemon;

use carnelian::base::hash::HashKey;
use carnelian::base::rng::Rng;
use carnelian::config::Config;
use carnelian::persist::Progress;
use carnelian::persist::rdb::{self, Compression, Encodings, LoadOptions, Loaded};
use carnelian::store::Keyspace;
use carnelian::value::HashRef;
use daemon::{Daemon, Launch};
use redis::{Client, Connection, cmd};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

const KEY: HashKey = HashKey::new(1, 2);
/// Some limits, and what they make of the same data: packed, and not.
const LIMITS: [i32; 2] = [128, 1];

fn now_ms() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(now.as_millis()).unwrap()
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

fn start(program: &Path) -> (Daemon, Connection) {
    let launch = Launch {
        name: program.display().to_string(),
        program: program.to_owned(),
        args: ["--enable-debug-command", "yes"].map(str::to_owned).into(),
        core: None,
    };
    let daemon = Daemon::start(&launch).unwrap();
    let url = format!("redis://{}", daemon.address());
    let connection = Client::open(url).unwrap().get_connection().unwrap();
    (daemon, connection)
}

fn run(con: &mut Connection, line: &str) {
    let mut words = line.split(' ');
    let mut command = cmd(words.next().unwrap());
    words.for_each(|word| {
        command.arg(word);
    });
    command.exec(con).unwrap();
}

fn fill(con: &mut Connection, limit: i32) {
    for directive in ["hash-max-listpack-entries", "zset-max-listpack-entries"] {
        run(con, &format!("CONFIG SET {directive} {limit}"));
    }
    run(con, &format!("CONFIG SET set-max-intset-entries {limit}"));
    run(con, &format!("CONFIG SET list-max-listpack-size {limit}"));
    for db in [0, 7] {
        run(con, &format!("SELECT {db}"));
        for n in 0..300_usize {
            run(con, &format!("SET string:{n} value:{n}"));
            run(con, &format!("SET int:{n} {}", n * 1_000_000_007));
            run(con, &format!("SET long:{n} {} PX 100000000", "abcdefgh".repeat(n)));
            run(con, &format!("SET gone:{n} x PXAT 1"));
        }
        run(con, &format!("SET huge {}", "0123456789".repeat(100_000)));
        for n in 0..60 {
            for member in 0..=n {
                run(con, &format!("RPUSH list:{n} {} element:{member}", member * member * member));
                run(con, &format!("SADD set:{n} member:{member}"));
                run(con, &format!("SADD intset:{n} {}", member * 30_000 - 60_000));
                run(con, &format!("ZADD zset:{n} {} member:{member}", f64::from(member) / 4.0));
                run(con, &format!("HSET hash:{n} field:{member} {member}"));
            }
        }
        run(con, &format!("ZADD zset inf a -inf b 1e300 c -0.1 {}", "d".repeat(100)));
        run(con, &format!("HSET hash field {}", "v".repeat(100_000)));
    }
    run(con, "SAVE");
}

/// Loads what a server has saved.
fn loaded(con: &mut Connection) -> (Loaded, Keyspace) {
    let setting = |con: &mut Connection, name: &str| {
        let found: Vec<String> = cmd("CONFIG").arg("GET").arg(name).query(con).unwrap();
        found[1].clone()
    };
    let folder = PathBuf::from(setting(con, "dir"));
    let file = fs::File::open(folder.join(setting(con, "dbfilename"))).unwrap();
    let mut keyspace = Keyspace::new(16, KEY, Rng::seeded(1));
    keyspace.set_now(now_ms());
    let mut options = LoadOptions::new(Encodings::of(&Config::default(), KEY, now_ms()));
    options.input_bytes = Some(file.metadata().unwrap().len());
    options.sanitize = rdb::Sanitize::Yes;
    let loaded = rdb::load(file, &mut keyspace, &options, &Progress::new()).unwrap();
    (loaded, keyspace)
}

/// Gives all keys to a server that has none.
fn give_back(keyspace: &Keyspace, con: &mut Connection) {
    for db in 0..keyspace.len() {
        run(con, &format!("SELECT {db}"));
        for entry in keyspace.db(db).iter() {
            let mut payload = Vec::new();
            rdb::dump(&entry, Compression::Lzf, &mut payload);
            let mut restore = cmd("RESTORE");
            restore.arg(entry.key()).arg(entry.expiry().unwrap_or(0)).arg(payload).arg("ABSTTL");
            restore.exec(con).unwrap();
        }
    }
}

fn check(program: &Path) {
    for limit in LIMITS {
        let (_first, mut con) = start(program);
        fill(&mut con, limit);
        let (loaded, keyspace) = loaded(&mut con);
        let keys: usize = (0..keyspace.len()).map(|db| keyspace.db(db).len()).sum();
        assert_eq!((usize::try_from(loaded.keys).unwrap(), loaded.empty), (keys, 0));
        assert_eq!(loaded.verified, rdb::Verified::Yes);
        let (_second, mut other) = start(program);
        give_back(&keyspace, &mut other);
        // The digest takes in what has expired and nobody has asked for since.
        for db in [0, 7] {
            run(&mut con, &format!("SELECT {db}"));
            (0..300).for_each(|n| run(&mut con, &format!("EXISTS gone:{n}")));
        }
        let digest =
            |con: &mut Connection| -> String { cmd("DEBUG").arg("DIGEST").query(con).unwrap() };
        assert_eq!(digest(&mut con), digest(&mut other), "limit {limit}");
    }
}

#[test]
fn files_of_redis_are_loaded() {
    if let Some(program) = find("REDIS_SERVER", "redis-server") {
        check(&program);
    }
}

#[test]
fn files_of_valkey_are_loaded() {
    if let Some(program) = find("VALKEY_SERVER", "valkey-server") {
        check(&program);
    }
}

#[test]
fn fields_that_expire_in_valkey_expire_here() {
    let Some(program) = find("VALKEY_SERVER", "valkey-server") else { return };
    let (_daemon, mut con) = start(&program);
    run(&mut con, "HSET h f v g w n x");
    run(&mut con, "HPEXPIREAT h 4000000000000 FIELDS 1 f");
    run(&mut con, "HPEXPIREAT h 4000000000009 FIELDS 1 g");
    run(&mut con, "SAVE");
    let (_, mut keyspace) = loaded(&mut con);
    let key = keyspace.key(b"h");
    let entry = keyspace.peek(0, key).unwrap();
    let hash = HashRef::of(&entry).unwrap();
    let expiry = |name: &[u8]| hash.find(name, 0).map(|field| field.expiry);
    assert_eq!(expiry(b"f"), Some(Some(4_000_000_000_000)));
    assert_eq!(expiry(b"g"), Some(Some(4_000_000_000_009)));
    assert_eq!(expiry(b"n"), Some(None));
}
