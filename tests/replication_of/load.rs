//! Commands of every type that change data, by a seed.

use crate::common::{Client, encode};

/// A small generator of numbers: the same ones for the same seed.
pub(crate) struct Numbers(u64);

impl Numbers {
    pub(crate) fn seeded(seed: u64) -> Numbers {
        Numbers(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

/// Templates: `K` is a key of the type the line is about, `N` a number, `V` a value.
const LINES: &[&str] = &[
    "SET sK V",
    "SET sK V EX 1000",
    "SET sK V PX 1",
    "SETRANGE sK N V",
    "APPEND sK V",
    "INCRBY iK N",
    "INCRBYFLOAT fK 0.N",
    "GETDEL sK",
    "GETEX sK PX 100000",
    "MSET sK V s1 V s2 V",
    "EXPIRE sK 1000",
    "PEXPIRE lK 2",
    "PERSIST sK",
    "DEL sK lK hK",
    "RPUSH lK V V V",
    "LPUSH lK V",
    "LPOP lK N",
    "LMOVE lK l1 LEFT RIGHT",
    "LTRIM lK 0 20",
    "LINSERT lK BEFORE V V",
    "BLPOP lK 0.01",
    "SADD eK V N V N",
    "SPOP eK 2",
    "SREM eK N",
    "SUNIONSTORE e1 eK e2",
    "ZADD zK N V N V",
    "ZINCRBY zK N V",
    "ZPOPMIN zK",
    "ZRANGESTORE z1 zK 0 5",
    "HSET hK N V V N",
    "HINCRBYFLOAT hK n 1.5",
    "HDEL hK N",
    "XADD xK * N V",
    "XADD xK MAXLEN ~ 50 * N V",
    "XGROUP CREATE xK g 0 MKSTREAM",
    "XREADGROUP GROUP g c COUNT 3 STREAMS xK >",
    "XTRIM xK MAXLEN 20",
    "PFADD pK V N",
    "SETBIT bK N 1",
    "GEOADD gK 13.N 38.N V",
    "COPY sK s1 REPLACE",
    "RENAME sK s2",
    "MOVE sK 1",
    "SELECT 0",
    "SELECT 1",
    "SELECT 2",
    "EVAL redis.call('incr','i1');redis.call('rpush','l2',ARGV[1]) 0 V",
    "MULTI;SET sK V;INCR iK;RPUSH lK V;EXEC",
    "SORT lK ALPHA STORE l2",
];

fn commands(numbers: &mut Numbers) -> Vec<Vec<String>> {
    let count = u64::try_from(LINES.len()).unwrap();
    let line = LINES[usize::try_from(numbers.below(count)).unwrap()];
    let mut commands = Vec::new();
    for part in line.split(';').filter(|_| !line.starts_with("EVAL")) {
        commands.push(words(part, numbers));
    }
    if line.starts_with("EVAL") {
        let script = "redis.call('incr','i1');redis.call('rpush','l2',ARGV[1])";
        let value = value(numbers);
        commands.push(["EVAL", script, "0", &value].map(str::to_owned).to_vec());
    }
    commands
}

fn words(part: &str, numbers: &mut Numbers) -> Vec<String> {
    part.split(' ')
        .map(|word| match word {
            "V" => value(numbers),
            "N" => numbers.below(100).to_string(),
            word if word.ends_with('K') => {
                format!("{}{}", &word[..word.len() - 1], numbers.below(8))
            }
            word if word.ends_with(".N") => {
                format!("{}{}", &word[..word.len() - 1], numbers.below(100))
            }
            word => word.to_owned(),
        })
        .collect()
}

fn value(numbers: &mut Numbers) -> String {
    let long = if numbers.below(50) == 0 { 40_000 } else { 10 };
    format!("v{}", "x".repeat(usize::try_from(numbers.below(long)).unwrap()))
}

/// Has a server execute some commands, whatever it replies.
pub(crate) fn write(client: &mut Client, numbers: &mut Numbers, count: usize) {
    let mut bytes = Vec::new();
    let mut replies = 0;
    for _ in 0..count {
        for words in commands(numbers) {
            bytes.extend(encode(&words));
            replies += 1;
        }
    }
    bytes.extend(encode(&["SELECT", "0"]));
    client.send(&bytes);
    for _ in 0..=replies {
        client.reply();
    }
}
