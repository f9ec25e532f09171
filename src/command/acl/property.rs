//! A property of access control: random commands by random users touch only what they may.
//!
//! Two servers hold the same keys in several databases, but for the values of those that a user has no
//! permission for at all. The user sends both the same commands. What is refused changes nothing and is
//! heard by nobody; what is not refused changes only keys that the user may write, in databases that it may
//! use, and is heard only on channels that it may use; and as the replies are the same, they tell nothing of
//! the others.
//!
//! `CARNELIAN_ACL_COMMANDS` says how many commands are sent, 40,000 if it is not set, and `CARNELIAN_ACL_SEED`
//! with which seed that begins. Each seed is a world, a user and [`ROUND`] commands of its own: what fails
//! tells its seed, and `CARNELIAN_ACL_COMMANDS=1` with it does the same again.

use crate::base::glob::{self, Case};
use crate::base::rng::Rng;
use crate::command::testing::Bench;
use crate::command::{pubsub, transaction};
use crate::pubsub::{Kind, Subscriptions};
use crate::session::{Session, SessionFlags};

const KEYS: [&str; 8] = ["k0", "k1", "k2", "k3", "l0", "l1", "l2", "m"];

/// How many databases hold keys.
const DATABASES: usize = 3;

/// How many commands a user sends.
const ROUND: u64 = 40;

const CHANNELS: [&str; 4] = ["c0", "c1", "d0", "e"];
const CHANNEL_PATTERNS: [&str; 4] = ["c*", "?0", "e", "d*"];

/// Command lines; `K` is a key, `D` a database, `C` a channel, `P` a pattern of channels, `V` something
/// else.
const LINES: &[&str] = &[
    "GET K",
    "SET K V",
    "SET K V GET",
    "SET K V NX",
    "GETEX K PERSIST",
    "GETDEL K",
    "GETSET K V",
    "SETEX K 10 V",
    "PSETEX K 10000 V",
    "SETNX K V",
    "SET K V IFEQ V",
    "SET K GET",
    "SUBSTR K 0 -1",
    "INCRBY K 2",
    "INCRBYFLOAT K 2",
    "DECR K",
    "DECRBY K 2",
    "MSETEX 2 K V K V EX 10",
    "DELEX K IFEQ V",
    "DIGEST K",
    "MGET K K K",
    "MSET K V K V",
    "MSETNX K V K V",
    "APPEND K V",
    "STRLEN K",
    "INCR K",
    "LCS K K",
    "SETRANGE K 1 V",
    "GETRANGE K 0 -1",
    "SETBIT K 3 1",
    "GETBIT K 3",
    "BITCOUNT K",
    "BITPOS K 1",
    "BITOP AND K K K",
    "BITOP NOT K K",
    "BITFIELD K GET u8 0",
    "BITFIELD K SET u8 0 V",
    "BITFIELD_RO K GET u8 0",
    "BITFIELD K OVERFLOW WRAP GET u8 0 INCRBY u8 0 1",
    "BITFIELD K GET u8 0 GET u8 0 OVERFLOW SAT",
    "BITFIELD K",
    "DEL K K",
    "UNLINK K",
    "EXISTS K K",
    "TOUCH K",
    "TYPE K",
    "TTL K",
    "EXPIRE K 100",
    "PERSIST K",
    "PEXPIREAT K 9999999999999",
    "PTTL K",
    "EXPIRETIME K",
    "OBJECT REFCOUNT K",
    "RENAME K K",
    "RENAMENX K K",
    "COPY K K",
    "COPY K K REPLACE",
    "DUMP K",
    "OBJECT ENCODING K",
    "MEMORY USAGE K",
    "RESTORE K 0 V",
    "SORT K",
    "SORT K BY k* GET l*",
    "SORT K ALPHA STORE K",
    "SORT K BY nosort GET # STORE K",
    "SORT K ALPHA STORE K STORE K",
    "SORT K ALPHA STORE BY STORE K",
    "SORT K ALPHA STORE LIMIT STORE K",
    "SORT K BY STORE ALPHA STORE GET STORE K",
    "SORT K ALPHA LIMIT 0 2 STORE STORE STORE K",
    "SORT_RO K BY k*",
    "LPUSH K V",
    "RPUSH K V V",
    "LPOP K",
    "RPOP K 2",
    "LRANGE K 0 -1",
    "LINDEX K 0",
    "LLEN K",
    "LSET K 0 V",
    "LREM K 0 V",
    "LPOS K V",
    "LINSERT K BEFORE V V",
    "LTRIM K 0 1",
    "LMOVE K K LEFT RIGHT",
    "RPOPLPUSH K K",
    "LMPOP 2 K K LEFT",
    "BLPOP K K 1",
    "BRPOP K K 1",
    "BRPOPLPUSH K K 1",
    "LPUSHX K V",
    "RPUSHX K V",
    "BLMOVE K K LEFT LEFT 1",
    "BLMPOP 1 2 K K LEFT",
    "SADD K V V",
    "SREM K V",
    "SMOVE K K V",
    "SMEMBERS K",
    "SCARD K",
    "SISMEMBER K V",
    "SPOP K",
    "SRANDMEMBER K",
    "SINTER K K",
    "SUNION K K",
    "SDIFF K K",
    "SINTERSTORE K K K",
    "SUNIONSTORE K K K",
    "SDIFFSTORE K K K",
    "SINTERCARD 2 K K",
    "SSCAN K 0",
    "SMISMEMBER K V V",
    "ZADD K 1 V",
    "ZINCRBY K 1 V",
    "ZREM K V",
    "ZRANGE K 0 -1",
    "ZRANGESTORE K K 0 -1",
    "ZSCORE K V",
    "ZCARD K",
    "ZCOUNT K 0 9",
    "ZUNION 2 K K",
    "ZUNIONSTORE K 2 K K",
    "ZINTERSTORE K 2 K K WEIGHTS 1 2",
    "ZDIFFSTORE K 2 K K",
    "ZDIFF 2 K K",
    "ZINTERCARD 2 K K",
    "ZPOPMIN K",
    "ZMPOP 2 K K MIN",
    "BZPOPMIN K K 1",
    "ZRANDMEMBER K",
    "BZMPOP 1 2 K K MAX",
    "BZPOPMAX K K 1",
    "ZPOPMAX K 2",
    "ZMSCORE K V V",
    "ZRANK K V",
    "ZREVRANGE K 0 -1",
    "ZRANGEBYSCORE K 0 9",
    "ZREVRANGEBYLEX K + -",
    "ZLEXCOUNT K - +",
    "ZREMRANGEBYRANK K 0 0",
    "ZREMRANGEBYSCORE K 0 1",
    "ZREMRANGEBYLEX K - +",
    "ZINTER 2 K K",
    "ZSCAN K 0",
    "HSET K V V",
    "HGET K V",
    "HGETALL K",
    "HDEL K V",
    "HINCRBY K V 1",
    "HEXISTS K V",
    "HLEN K",
    "HSTRLEN K V",
    "HRANDFIELD K",
    "HSCAN K 0",
    "HEXPIRE K 10 FIELDS 1 V",
    "HPERSIST K FIELDS 1 V",
    "HTTL K FIELDS 1 V",
    "HGETEX K EX 10 FIELDS 1 V",
    "HGETDEL K FIELDS 1 V",
    "HSETEX K EX 10 FIELDS 1 V V",
    "HMSET K V V",
    "HMGET K V V",
    "HKEYS K",
    "HVALS K",
    "HSETNX K V V",
    "HINCRBYFLOAT K V 1",
    "GEOADD K 1 1 V",
    "GEOPOS K V",
    "GEODIST K V V",
    "GEORADIUS K 1 1 9 km",
    "GEORADIUS K 1 1 9 km STORE K",
    "GEORADIUS K 1 1 9 km STOREDIST K STORE K",
    "GEORADIUS K 1 1 9 km STORE K STORE K",
    "GEORADIUS K 1 1 9 km STOREDIST K COUNT 1 STOREDIST K",
    "GEORADIUS K 1 1 9 km STORE STORE STORE K",
    "GEORADIUS K 1 1 9 km STOREDIST STORE STORE K",
    "GEORADIUSBYMEMBER K V 9 km STORE K STORE K",
    "GEORADIUSBYMEMBER K V 9 km ASC STORE COUNT STORE K",
    "GEORADIUSBYMEMBER_RO K V 9 km",
    "GEOHASH K V",
    "GEOSEARCH K FROMLONLAT 1 1 BYRADIUS 9 km",
    "GEOSEARCHSTORE K K FROMLONLAT 1 1 BYRADIUS 9 km",
    "PFADD K V",
    "PFMERGE K K K",
    "PFCOUNT K K",
    "XADD K * V V",
    "XLEN K",
    "XRANGE K - +",
    "XDEL K 1-1",
    "XTRIM K MAXLEN 1",
    "XREAD STREAMS K K 0 0",
    "XREAD COUNT 1 STREAMS STREAMS K 0 0",
    "XREADGROUP GROUP a V STREAMS K >",
    "XREADGROUP GROUP STREAMS V STREAMS K K > 0",
    "XREADGROUP GROUP STREAMS STREAMS STREAMS K >",
    "XREADGROUP NOACK GROUP STREAMS STREAMS STREAMS K >",
    "XREADGROUP COUNT 1 GROUP STREAMS STREAMS STREAMS K >",
    "XREADGROUP COUNT 1 BLOCK 1 GROUP STREAMS STREAMS STREAMS K K > >",
    "XACK K STREAMS 1-1",
    "XACKDEL K STREAMS ACKED IDS 1 1-1",
    "XDELEX K DELREF IDS 1 1-1",
    "XPENDING K STREAMS",
    "XCLAIM K STREAMS V 0 1-1",
    "XAUTOCLAIM K STREAMS V 0 0",
    "XREVRANGE K + -",
    "XSETID K 9-9",
    "XGROUP CREATECONSUMER K STREAMS V",
    "XGROUP DELCONSUMER K STREAMS V",
    "XGROUP SETID K STREAMS 0",
    "XGROUP DESTROY K STREAMS",
    "XINFO GROUPS K",
    "XINFO STREAM K FULL",
    "XGROUP CREATE K V 0 MKSTREAM",
    "XINFO STREAM K",
    "WATCH K",
    "SELECT D",
    "SELECT D",
    "SELECT D",
    "MOVE K D",
    "COPY K K DB D",
    "COPY K K DB D REPLACE",
    "COPY K K DB D DB D",
    "COPY K K DB D REPLACE DB D",
    "SWAPDB D D",
    "FLUSHDB",
    "FLUSHALL",
    "PUBLISH C V",
    "SPUBLISH C V",
    "SUBSCRIBE C C",
    "SSUBSCRIBE C",
    "PSUBSCRIBE P P",
    "EVAL return(redis.call('publish','c0','x')) 0",
    "EVAL return(redis.call('select','1')) 0",
    "EVAL return(redis.call('get',KEYS[1])) 1 K",
    "EVAL return(redis.call('set','k1','x')) 0",
    "EVAL return(redis.call('get','l1')) 1 K",
    "EVAL_RO return(redis.call('get',KEYS[1])) 1 K",
    "EVAL return(redis.call('sort',KEYS[1],'ALPHA','STORE','BY','STORE',KEYS[2])) 2 K K",
    "EVAL return(redis.call('georadius',KEYS[1],1,1,9,'km','STORE',KEYS[2],'STORE','k1')) 2 K K",
    "EVAL return(redis.call('copy',KEYS[1],KEYS[2],'DB',0,'DB',1)) 2 K K",
];

/// Words that lines are spoilt with.
const WORDS: &[&str] = &[
    "K",
    "V",
    "STORE",
    "STOREDIST",
    "GROUP",
    "NOACK",
    "GET",
    "BY",
    "k*",
    "#",
    "0",
    "1",
    "2",
    "-1",
    "3",
    "STREAMS",
    "DB",
    "REPLACE",
    "LIMIT",
    "COUNT",
    "KEYS",
    "WITHSCORES",
    "x",
    "",
    "K",
    "K",
];

/// A server, its administrator, and a user of it.
struct World {
    bench: Bench,
    user: Session,
    /// The place of one who listens to all channels.
    listener: usize,
}

impl World {
    fn new() -> Self {
        let mut bench = Bench::new();
        let end = bench.session.peer.clone();
        let id = bench.server.sessions.next_id();
        let mut user = Session::new(id, end.clone(), end, 9, 0, &bench.session.user);
        user.trust = bench.session.trust;
        user.flags.insert(SessionFlags::DENY_BLOCKING);
        let id = bench.server.sessions.next_id();
        let end = bench.session.peer.clone();
        let listener = Session::new(id, end.clone(), end, 10, 0, &bench.session.user);
        let listener = bench.server.sessions.insert(Box::new(listener));
        let mut own = Subscriptions::default();
        for name in CHANNELS {
            bench.server.hub.subscribe(&mut own, listener, Kind::Channel, name.as_bytes());
            bench.server.hub.subscribe(&mut own, listener, Kind::Shard, name.as_bytes());
        }
        let session = bench.server.sessions.get_mut(listener).expect("it was inserted");
        session.subscriptions = Some(Box::new(own));
        session.flags.insert(SessionFlags::SUBSCRIBED);
        Self { bench, user, listener }
    }

    /// Makes the keys anew, with these values, and the user with these rules.
    fn reset(&mut self, rules: &str, values: &Values) {
        self.bench.run("FLUSHALL");
        for (db, values) in values.iter().enumerate() {
            self.bench.session.db = db;
            for (key, value) in KEYS.iter().zip(values) {
                self.bench.run(&value.replace("KEY", key));
            }
        }
        self.bench.check(&format!("ACL SETUSER u reset on nopass +@all {rules}"), "+OK");
        let user = self.bench.server.users.get(b"u").expect("it was made").clone();
        self.user.become_user(&user);
        self.user.db = 0;
    }

    /// What was published since this was last called.
    fn heard(&mut self) -> Vec<u8> {
        let listener = self.bench.server.sessions.get_mut(self.listener).expect("it stays");
        let heard: Vec<u8> = listener.output.pieces().flatten().copied().collect();
        listener.output.clear();
        heard
    }

    /// What the user is told.
    fn send(&mut self, words: &[&str]) -> Vec<u8> {
        std::mem::swap(&mut self.bench.session, &mut self.user);
        let reply = self.bench.raw(words);
        let Bench { server, session } = &mut self.bench;
        transaction::drop_transaction(server, session);
        pubsub::unsubscribe_from_all(server, session);
        std::mem::swap(&mut self.bench.session, &mut self.user);
        reply
    }

    fn values(&mut self) -> Vec<Vec<u8>> {
        let mut values = Vec::with_capacity(DATABASES * KEYS.len());
        for db in 0..DATABASES {
            self.bench.session.db = db;
            values.extend(KEYS.iter().map(|key| self.bench.raw(&["DUMP", key])));
        }
        values
    }
}

/// The commands that make the keys of each database.
type Values = [[String; KEYS.len()]; DATABASES];

/// What a user may do.
struct May {
    /// With each key: read, write.
    keys: [(bool, bool); KEYS.len()],
    databases: [bool; DATABASES],
    /// Patterns of the channels it may use.
    channels: Vec<&'static str>,
}

impl May {
    fn uses_channel(&self, name: &str) -> bool {
        self.channels
            .iter()
            .any(|pattern| glob::matches(pattern.as_bytes(), name.as_bytes(), Case::Sensitive))
    }
}

fn random_rules(rng: &mut Rng) -> (String, May) {
    const PATTERNS: &[(&str, &[usize])] = &[
        ("k*", &[0, 1, 2, 3]),
        ("l*", &[4, 5, 6]),
        ("?0", &[0, 4]),
        ("k[12]", &[1, 2]),
        ("m", &[7]),
        ("k3", &[3]),
    ];
    let mut may = May {
        keys: [(false, false); KEYS.len()],
        databases: [true; DATABASES],
        channels: Vec::new(),
    };
    let mut rules = String::new();
    for _ in 0..=rng.below_usize(3) {
        let (pattern, keys) = PATTERNS[rng.below_usize(PATTERNS.len())];
        let (sign, read, write) =
            [("~", true, true), ("%R~", true, false), ("%W~", false, true)][rng.below_usize(3)];
        rules.push_str(&format!(" {sign}{pattern}"));
        for &key in keys {
            may.keys[key] = (may.keys[key].0 || read, may.keys[key].1 || write);
        }
    }
    for _ in 0..rng.below_usize(3) {
        let pattern = CHANNEL_PATTERNS[rng.below_usize(CHANNEL_PATTERNS.len())];
        rules.push_str(&format!(" &{pattern}"));
        may.channels.push(pattern);
    }
    if rng.below_usize(2) == 0 {
        // Keys that have the names of options, so that options may be their own operands.
        rules.push_str(" ~[A-Z]*");
    }
    if rng.below_usize(2) == 0 {
        may.databases = std::array::from_fn(|_| rng.below_usize(2) == 0);
        let named = (0..DATABASES).filter(|&db| may.databases[db]).map(|db| db.to_string());
        let list = named.collect::<Vec<_>>().join(",");
        rules.push_str(&if list.is_empty() {
            " resetdbs".to_owned()
        } else {
            format!(" db={list}")
        });
    }
    (rules.trim_start().to_owned(), may)
}

fn random_value(rng: &mut Rng) -> String {
    let n = rng.below_usize(90) + 10;
    let kinds = [
        format!("SET KEY {n}"),
        format!("RPUSH KEY {n} 1 2"),
        format!("SADD KEY {n} a b"),
        format!("ZADD KEY {n} a 2 b"),
        format!("HSET KEY a {n} b 2"),
        format!("XADD KEY 1-1 a {n}"),
        format!("XADD KEY 1-1 a {n};XGROUP CREATE KEY a 0;XGROUP CREATE KEY STREAMS 0"),
        format!("GEOADD KEY 1 1 a{n}"),
        "DEL KEY".to_owned(),
    ];
    kinds[rng.below_usize(kinds.len())].clone()
}

fn random_line(rng: &mut Rng) -> Vec<&'static str> {
    let mut words: Vec<&str> = LINES[rng.below_usize(LINES.len())].split(' ').collect();
    if rng.below_usize(4) == 0 {
        let at = 1 + rng.below_usize(words.len());
        let word = WORDS[rng.below_usize(WORDS.len())];
        match rng.below_usize(3) {
            0 => words.insert(at, word),
            1 if at < words.len() => words[at] = word,
            _ if at < words.len() => drop(words.remove(at)),
            _ => words.push(word),
        }
    }
    for word in &mut words {
        match *word {
            "K" => *word = KEYS[rng.below_usize(KEYS.len())],
            "V" => *word = ["a", "b", "1", "7"][rng.below_usize(4)],
            "D" => *word = ["0", "1", "2"][rng.below_usize(DATABASES)],
            "C" => *word = CHANNELS[rng.below_usize(CHANNELS.len())],
            "P" => *word = CHANNEL_PATTERNS[rng.below_usize(CHANNEL_PATTERNS.len())],
            _ => {}
        }
    }
    words
}

/// The channels, or patterns of channels, that a command line subscribes to.
fn subscribed<'a>(line: &'a [&'a str]) -> (Kind, &'a [&'a str]) {
    match line[0] {
        "SUBSCRIBE" => (Kind::Channel, &line[1..]),
        "SSUBSCRIBE" => (Kind::Shard, &line[1..]),
        "PSUBSCRIBE" => (Kind::Pattern, &line[1..]),
        _ => (Kind::Channel, &[]),
    }
}

/// Checks what a command line that was not refused has done.
fn check_done(
    may: &May,
    line: &[&str],
    before: &[Vec<u8>],
    after: &[Vec<u8>],
    context: &str,
) -> u64 {
    // These are about databases as a whole, whatever the keys.
    let is_of_keys = !["FLUSHDB", "FLUSHALL", "SWAPDB"].contains(&line[0]);
    // It changes the group of a stream that it may read: a known limit, as in Redis.
    let reads_as_group = line[0] == "XREADGROUP";
    let mut changed = 0;
    for (at, (old, new)) in before.iter().zip(after).enumerate() {
        let (db, key) = (at / KEYS.len(), at % KEYS.len());
        if old != new {
            changed += 1;
            assert!(may.databases[db], "database {db} is changed; {context}");
            let (reads, writes) = may.keys[key];
            let may_change = writes || !is_of_keys || (reads && reads_as_group);
            assert!(may_change, "{} is changed; {context}", KEYS[key]);
        }
    }
    changed
}

/// What happened, to see that something does.
#[derive(Default)]
struct Tally {
    refused: u64,
    changed: u64,
    published: u64,
    listened: u64,
}

/// Two worlds that differ in what a user may not see.
fn worlds(rng: &mut Rng, rules: &str, may: &May) -> [World; 2] {
    let (mut left, mut right) = (World::new(), World::new());
    let mut values: Values = std::array::from_fn(|_| std::array::from_fn(|_| random_value(rng)));
    left.reset(rules, &values);
    for (db, values) in values.iter_mut().enumerate() {
        for (value, key) in values.iter_mut().zip(&may.keys) {
            if *key == (false, false) || !may.databases[db] {
                *value = random_value(rng);
            }
        }
    }
    right.reset(rules, &values);
    [left, right]
}

/// Checks what is heard, and what a command line that was executed listens to.
fn check_channels(may: &May, line: &[&str], reply: &[u8], heard: &[u8], context: &str) -> [u64; 2] {
    let [mut published, mut listened] = [0; 2];
    for name in CHANNELS {
        let needle = format!("${}\r\n{name}\r\n", name.len());
        if memchr::memmem::find(heard, needle.as_bytes()).is_some() {
            published += 1;
            assert!(may.uses_channel(name), "{name} is told; {context}");
        }
    }
    if reply.starts_with(b"-") {
        assert!(heard.is_empty(), "{context}");
        return [published, listened];
    }
    let (kind, names) = subscribed(line);
    for name in names {
        listened += 1;
        let is_allowed = match kind {
            Kind::Pattern => may.channels.contains(name),
            Kind::Channel | Kind::Shard => may.uses_channel(name),
        };
        assert!(is_allowed, "{name} is listened to; {context}");
    }
    [published, listened]
}

/// A user and its commands.
fn round(seed: u64, tally: &mut Tally) {
    let mut rng = Rng::seeded(seed);
    let (rules, may) = random_rules(&mut rng);
    let [mut left, mut right] = worlds(&mut rng, &rules, &may);
    let mut before = left.values();
    for _ in 0..ROUND {
        let line = random_line(&mut rng);
        let replies = [left.send(&line), right.send(&line)];
        let context = format!("seed {seed}: {line:?} as {rules}");
        assert_eq!(replies[0], replies[1], "{context}");
        let (after, heard) = (left.values(), left.heard());
        assert_eq!(heard, right.heard(), "{context}");
        let [published, listened] = check_channels(&may, &line, &replies[0], &heard, &context);
        tally.published += published;
        tally.listened += listened;
        if replies[0].starts_with(b"-NOPERM") {
            tally.refused += 1;
            assert_eq!(before, after, "{context}");
        }
        tally.changed += check_done(&may, &line, &before, &after, &context);
        before = after;
    }
}

#[test]
fn what_is_touched_is_what_is_allowed() {
    let number = |name: &str, default| {
        std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok()).unwrap_or(default)
    };
    let rounds = number("CARNELIAN_ACL_COMMANDS", 40_000).div_ceil(ROUND);
    let first = number("CARNELIAN_ACL_SEED", 8);
    let mut tally = Tally::default();
    for index in 0..rounds {
        round(first + index, &mut tally);
        if index % 25_000 == 24_999 {
            println!("{} commands", (index + 1) * ROUND);
        }
    }
    let (commands, Tally { refused, changed, published, listened }) = (rounds * ROUND, tally);
    println!(
        "{commands} commands, {refused} refused, {changed} changes, {published} messages, {listened} names"
    );
    if rounds > 500 {
        assert!(refused > commands / 20 && changed > commands / 100, "{refused} {changed}");
        assert!(
            published > commands / 2000 && listened > commands / 2000,
            "{published} {listened}"
        );
    }
}
