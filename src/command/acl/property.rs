//! A property of access control: random commands by random users touch only what they may.
//!
//! Two servers hold the same keys, but for the values of those that a user has no permission for at all.
//! The user sends both the same commands. What is refused changes nothing; what is not refused changes
//! only keys that the user may write; and as the replies are the same, they tell nothing of the others.
//!
//! `CARNELIAN_ACL_COMMANDS` says how many commands are sent, 40,000 if it is not set.

use crate::base::rng::Rng;
use crate::command::testing::Bench;
use crate::command::transaction;
use crate::session::{Session, SessionFlags};

const KEYS: [&str; 8] = ["k0", "k1", "k2", "k3", "l0", "l1", "l2", "m"];

/// Command lines; `K` is a key, `V` something else.
const LINES: &[&str] = &[
    "GET K",
    "SET K V",
    "SET K V GET",
    "SET K V NX",
    "GETEX K PERSIST",
    "GETDEL K",
    "GETSET K V",
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
    "DEL K K",
    "UNLINK K",
    "EXISTS K K",
    "TOUCH K",
    "TYPE K",
    "TTL K",
    "EXPIRE K 100",
    "PERSIST K",
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
    "GEOADD K 1 1 V",
    "GEOPOS K V",
    "GEODIST K V V",
    "GEORADIUS K 1 1 9 km",
    "GEORADIUS K 1 1 9 km STORE K",
    "GEORADIUS K 1 1 9 km STOREDIST K STORE K",
    "GEOSEARCH K FROMLONLAT 1 1 BYRADIUS 9 km",
    "GEOSEARCHSTORE K K FROMLONLAT 1 1 BYRADIUS 9 km",
    "PFADD K V",
    "PFMERGE K K K",
    "XADD K * V V",
    "XLEN K",
    "XRANGE K - +",
    "XDEL K 1-1",
    "XTRIM K MAXLEN 1",
    "XREAD STREAMS K K 0 0",
    "XGROUP CREATE K V 0 MKSTREAM",
    "XINFO STREAM K",
    "WATCH K",
    "EVAL return(redis.call('get',KEYS[1])) 1 K",
    "EVAL return(redis.call('set','k1','x')) 0",
    "EVAL return(redis.call('get','l1')) 1 K",
];

/// Words that lines are spoilt with.
const WORDS: &[&str] = &[
    "K",
    "V",
    "STORE",
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
}

impl World {
    fn new() -> Self {
        let mut bench = Bench::new();
        let end = bench.session.peer.clone();
        let id = bench.server.sessions.next_id();
        let mut user = Session::new(id, end.clone(), end, 9, 0, &bench.session.user);
        user.trust = bench.session.trust;
        user.flags.insert(SessionFlags::DENY_BLOCKING);
        Self { bench, user }
    }

    /// Makes the keys anew, with these values, and the user with these rules.
    fn reset(&mut self, rules: &str, values: &[String; KEYS.len()]) {
        self.bench.run("FLUSHALL");
        for (key, value) in KEYS.iter().zip(values) {
            self.bench.run(&value.replace("KEY", key));
        }
        self.bench.check(&format!("ACL SETUSER u reset on nopass +@all {rules}"), "+OK");
        let user = self.bench.server.users.get(b"u").expect("it was made").clone();
        self.user.become_user(&user);
    }

    /// What the user is told.
    fn send(&mut self, words: &[&str]) -> Vec<u8> {
        std::mem::swap(&mut self.bench.session, &mut self.user);
        let reply = self.bench.raw(words);
        let Bench { server, session } = &mut self.bench;
        transaction::drop_transaction(server, session);
        std::mem::swap(&mut self.bench.session, &mut self.user);
        reply
    }

    fn values(&mut self) -> Vec<Vec<u8>> {
        KEYS.iter().map(|key| self.bench.raw(&["DUMP", key])).collect()
    }
}

/// What a user may do with each key: read, write.
type May = [(bool, bool); KEYS.len()];

fn random_rules(rng: &mut Rng) -> (String, May) {
    const PATTERNS: &[(&str, &[usize])] = &[
        ("k*", &[0, 1, 2, 3]),
        ("l*", &[4, 5, 6]),
        ("?0", &[0, 4]),
        ("k[12]", &[1, 2]),
        ("m", &[7]),
        ("k3", &[3]),
    ];
    let mut may = [(false, false); KEYS.len()];
    let mut rules = String::new();
    for _ in 0..=rng.below_usize(3) {
        let (pattern, keys) = PATTERNS[rng.below_usize(PATTERNS.len())];
        let (sign, read, write) =
            [("~", true, true), ("%R~", true, false), ("%W~", false, true)][rng.below_usize(3)];
        rules.push_str(&format!(" {sign}{pattern}"));
        for &key in keys {
            may[key] = (may[key].0 || read, may[key].1 || write);
        }
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
            _ => {}
        }
    }
    words
}

#[test]
fn what_is_touched_is_what_is_allowed() {
    let commands = std::env::var("CARNELIAN_ACL_COMMANDS").ok();
    let commands: u64 = commands.and_then(|count| count.parse().ok()).unwrap_or(40_000);
    let mut rng = Rng::seeded(8);
    let (mut left, mut right) = (World::new(), World::new());
    let (mut refused, mut changed) = (0u64, 0u64);
    for round in 0..commands.div_ceil(40) {
        let (rules, may) = random_rules(&mut rng);
        let mut values: [String; KEYS.len()] = std::array::from_fn(|_| random_value(&mut rng));
        left.reset(&rules, &values);
        for (value, may) in values.iter_mut().zip(&may) {
            if *may == (false, false) {
                *value = random_value(&mut rng);
            }
        }
        right.reset(&rules, &values);
        for _ in 0..40 {
            let line = random_line(&mut rng);
            let before = left.values();
            let replies = [left.send(&line), right.send(&line)];
            let context = || format!("round {round}: {line:?} as {rules}");
            assert_eq!(replies[0], replies[1], "{}", context());
            let after = left.values();
            if replies[0].starts_with(b"-NOPERM") {
                refused += 1;
                assert_eq!(before, after, "{}", context());
            }
            for (index, key) in KEYS.iter().enumerate() {
                if before[index] != after[index] {
                    changed += 1;
                    assert!(may[index].1, "{key} is changed; {}", context());
                }
            }
        }
    }
    println!("{commands} commands, {refused} refused, {changed} changes");
    assert!(refused > commands / 20 && changed > commands / 100, "{refused} {changed}");
}
