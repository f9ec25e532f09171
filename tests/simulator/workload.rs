//! What clients write: every type, every way of recording it, few keys, so that commands meet.

use crate::rng::Rng;

/// Keys of each kind.
const KEYS: usize = 12;

/// A command, or several that belong together, their words separated by spaces.
pub(crate) fn commands(rng: &mut Rng) -> Vec<String> {
    match rng.below(100) {
        0..=4 => {
            let mut unit = vec!["MULTI".to_owned()];
            unit.extend((0..rng.between(1, 4)).map(|_| command(rng)));
            unit.push("EXEC".to_owned());
            unit
        }
        5..=7 => vec![format!("SELECT {}", rng.below(3)), command(rng), "SELECT 0".to_owned()],
        8..=30 => (0..rng.between(2, 6)).map(|_| command(rng)).collect(),
        _ => vec![command(rng)],
    }
}

fn command(rng: &mut Rng) -> String {
    match rng.below(9) {
        0 | 1 => string(rng),
        2 => list(rng),
        3 => set(rng),
        4 => sorted_set(rng),
        5 => hash(rng),
        6 => stream(rng),
        7 => generic(rng),
        _ => scripted(rng),
    }
}

fn value(rng: &mut Rng) -> String {
    match rng.below(20) {
        0 => "x".repeat(rng.between(100, 9000)),
        1..=8 => rng.below(1000).to_string(),
        _ => format!("v{}", rng.below(1_000_000)),
    }
}

fn string(rng: &mut Rng) -> String {
    let (key, value) = (rng.below(KEYS), value(rng));
    match rng.below(10) {
        0..=2 => format!("SET s:{key} {value}"),
        3 => format!("SET s:{key} {value} PX {}", rng.between(1, 20_000)),
        4 => format!("INCRBY n:{key} {}", rng.below(100)),
        5 => format!("INCRBYFLOAT n:{key} 0.25"),
        6 => format!("APPEND a:{} {value}", rng.below(3)),
        7 => format!("SETRANGE a:{} {} z", rng.below(3), rng.below(2000)),
        8 => format!("GETEX s:{key} EX {}", rng.between(1, 30)),
        _ => format!("GETDEL s:{key}"),
    }
}

fn list(rng: &mut Rng) -> String {
    let (key, value) = (rng.below(KEYS), value(rng));
    match rng.below(7) {
        0 | 1 => format!("RPUSH l:{key} {value} {value}"),
        2 => format!("LPUSH l:{key} {value}"),
        3 => format!("LPOP l:{key} 2"),
        4 => format!("LMOVE l:{key} l:{} LEFT RIGHT", rng.below(KEYS)),
        5 => format!("LTRIM l:{key} -20 -1"),
        _ => format!("BLMPOP 0.3 2 l:{key} l:{} RIGHT COUNT 2", rng.below(KEYS)),
    }
}

fn set(rng: &mut Rng) -> String {
    let (key, member) = (rng.below(KEYS), rng.below(50));
    match rng.below(6) {
        0 | 1 => format!("SADD S:{key} {member} m{member}"),
        2 => format!("SPOP S:{key}"),
        3 => format!("SPOP S:{key} 3"),
        4 => format!("SREM S:{key} {member}"),
        _ => format!("SUNIONSTORE S:{key} S:{} S:{}", rng.below(KEYS), rng.below(KEYS)),
    }
}

fn sorted_set(rng: &mut Rng) -> String {
    let (key, member) = (rng.below(KEYS), rng.below(50));
    match rng.below(6) {
        0 | 1 => format!("ZADD z:{key} {}.5 m{member}", rng.below(100)),
        2 => format!("ZINCRBY z:{key} 0.1 m{member}"),
        3 => format!("ZPOPMIN z:{key} 2"),
        4 => format!("ZREMRANGEBYRANK z:{key} 20 -1"),
        _ => format!("BZPOPMAX z:{key} z:{} 0.2", rng.below(KEYS)),
    }
}

fn hash(rng: &mut Rng) -> String {
    let (key, field) = (rng.below(KEYS), rng.below(30));
    match rng.below(6) {
        0 | 1 => format!("HSET h:{key} f{field} {} g{field} 1", value(rng)),
        2 => format!("HINCRBYFLOAT h:{key} n 1.5"),
        3 => format!("HDEL h:{key} f{field}"),
        4 => format!("HINCRBY h:{key} i 7"),
        _ => format!("HSETNX h:{key} f{field} once"),
    }
}

fn stream(rng: &mut Rng) -> String {
    let key = rng.below(4);
    match rng.below(8) {
        0..=2 => format!("XADD x:{key} MAXLEN ~ 100 * field {}", value(rng)),
        3 => format!("XGROUP CREATE x:{key} g 0 MKSTREAM"),
        4 => format!("XREADGROUP GROUP g c{} COUNT 3 STREAMS x:{key} >", rng.below(3)),
        5 => format!("XAUTOCLAIM x:{key} g c{} 100 0 COUNT 2", rng.below(3)),
        6 => format!("XTRIM x:{key} MAXLEN 20"),
        _ => format!("XGROUP DELCONSUMER x:{key} g c{}", rng.below(3)),
    }
}

fn generic(rng: &mut Rng) -> String {
    let kind = *rng.pick(&["s", "n", "l", "S", "z", "h"]);
    let (key, other) = (rng.below(KEYS), rng.below(KEYS));
    match rng.below(9) {
        0 => format!("DEL {kind}:{key} {kind}:{other}"),
        1 => format!("PEXPIRE {kind}:{key} {}", rng.between(1, 30_000)),
        2 => format!("EXPIRE {kind}:{key} {}", rng.below(40)),
        3 => format!("PERSIST {kind}:{key}"),
        4 => format!("RENAME {kind}:{key} {kind}:{other}"),
        5 => format!("COPY {kind}:{key} {kind}:{other} REPLACE"),
        6 => format!("UNLINK {kind}:{key}"),
        7 => format!("PFADD p:{} {}", rng.below(3), rng.below(1000)),
        _ => format!("SORT S:{key} ALPHA STORE l:{other}"),
    }
}

fn scripted(rng: &mut Rng) -> String {
    let key = rng.below(KEYS);
    match rng.below(3) {
        0 => format!("EVAL return{{redis.call('incr',KEYS[1]),redis.call('time')}} 1 n:{key}"),
        1 => format!("EVAL return(redis.call('srandmember',KEYS[1])) 1 S:{key}"),
        _ => format!(
            "EVAL local\tm=redis.call('spop',KEYS[1]);if(m)then(redis.call)('lpush',KEYS[2],m)end \
             2 S:{key} l:{key}"
        ),
    }
}
