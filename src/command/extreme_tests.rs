//! Every argument of every command with the most extreme words there are: an error or an answer, never a
//! panic, never a reply or an allocation without bound.
//!
//! The argument lists come from the commands' specs, so a new command is covered once it is listed.

use super::context::KeyHashes;
use super::dispatch::{self, Flow};
use super::persist::Conditions;
use super::spec::{Arg, ArgType};
use super::testing::Bench;
use super::{Command, FAMILIES};
use crate::base::rng::Rng;
use crate::config::Config;
use crate::resp::OwnedArgs;
use crate::session::{Closing, ReplyMode};

/// Argument lists made for each command.
const LINES: usize = 12;
/// Repetitions of an argument, at most.
const REPEATS_MAX: usize = 3;
/// Strings may be as long as this, bytes, so that a large offset is refused and not allocated.
const STRING_BYTES_MAX: usize = 1 << 20;
/// No reply to a command on these small values is longer, bytes.
const REPLY_BYTES_MAX: usize = 64 << 20;

/// What a number may be at worst.
const EXTREMES: &[&str] = &[
    "-9223372036854775808",
    "-9223372036854775807",
    "9223372036854775807",
    "9223372036854775806",
    "9223372036854775808",
    "-9223372036854775809",
    "18446744073709551615",
    "-4611686018427387904",
    "-2147483648",
    "-2147483649",
    "2147483647",
    "2147483648",
    "4294967295",
    "4294967296",
    "4294967297",
    "-1",
    "0",
    "nan",
    "-nan",
    "inf",
    "-inf",
    "1e308",
    "-1e309",
    "1e-400",
    "0x7fffffffffffffff",
    "1.5",
    " 1",
    "+1",
    "01",
    "1 ",
    "",
    "\0",
    "\u{ff}",
];

/// Keys of every type and encoding, and one that does not exist.
const VALUES: &[&[&str]] = &[
    &["SET", "text", "some text"],
    &["SET", "number", "10"],
    &["SET", "float", "3.5"],
    &["SETBIT", "bits", "1000", "1"],
    &["PFADD", "hll", "a", "b", "c"],
    &["RPUSH", "list", "a", "1", "-5", "b", "a"],
    &["SADD", "ints", "1", "2", "3"],
    &["SADD", "set", "a", "1", "b"],
    &["HSET", "hash", "f", "1", "g", "x"],
    &["ZADD", "zset", "1", "a", "2", "b", "-inf", "c"],
    &["GEOADD", "geo", "13.361389", "38.115556", "a", "15.087269", "37.502669", "b"],
    &["XADD", "stream", "1-1", "f", "1", "g", "x"],
    &["XADD", "stream", "1-2", "f", "2"],
    &["XADD", "stream", "2-1", "f", "3"],
    &["XGROUP", "CREATE", "stream", "a", "0"],
    &["XREADGROUP", "GROUP", "a", "b", "COUNT", "2", "STREAMS", "stream", ">"],
    &["XDEL", "stream", "1-1"],
];
const KEYS: &[&str] = &[
    "text",
    "number",
    "float",
    "bits",
    "hll",
    "list",
    "ints",
    "set",
    "hash",
    "zset",
    "geo",
    "stream",
    "missing",
    "long list",
    "large set",
    "large hash",
    "large zset",
    "large stream",
];

/// Not executed: what ends or stops the process on purpose.
const LEFT_OUT: &[&str] = &["debug", "shutdown"];

fn filled() -> Bench {
    let config = Config { proto_max_bulk_len: STRING_BYTES_MAX, ..Config::default() };
    let mut bench = Bench::with(config);
    for words in VALUES {
        run(&mut bench, words);
    }
    for n in 0..700 {
        let n = n.to_string();
        let long = format!("{n:x<70}");
        run(&mut bench, &["RPUSH", "long list", &long]);
        run(&mut bench, &["SADD", "large set", &n, "x"]);
        run(&mut bench, &["HSET", "large hash", &n, "x"]);
        run(&mut bench, &["ZADD", "large zset", &n, &long]);
        run(&mut bench, &["XADD", "large stream", "1-*", "f", &long]);
    }
    bench
}

/// Executes a command and returns how many bytes its reply has.
fn run<W: AsRef<[u8]>>(bench: &mut Bench, words: &[W]) -> usize {
    let args: OwnedArgs = words.iter().collect();
    let view = args.as_args();
    let found = bench.server.commands.find(view.at(0));
    let Bench { server, session } = bench;
    let (flow, _) = dispatch::execute(server, session, view, found, KeyHashes::default(), 0);
    match flow {
        Flow::Done => {}
        Flow::Held => server.pause = None,
        Flow::Blocked => drop(server.end_wait(session)),
    }
    session.reply_mode = ReplyMode::On;
    session.closing = Closing::No;
    session.db = 0;
    server.pause = None;
    server.shutdown = None;
    server.conditions = Conditions::default();
    server.keyspace.take_garbage();
    let bytes = session.output.pending_bytes();
    session.output.clear();
    bytes
}

fn pick<'a>(words: &[&'a str], rng: &mut Rng) -> &'a str {
    words[rng.below_usize(words.len())]
}

/// Appends words that suit an argument.
fn add(arg: &Arg, words: &mut Vec<String>, rng: &mut Rng) {
    if arg.optional && rng.below(2) == 0 {
        return;
    }
    let repeats = if arg.multiple { 1 + rng.below_usize(REPEATS_MAX) } else { 1 };
    for repeat in 0..repeats {
        if !arg.token.is_empty() && (repeat == 0 || arg.multiple_token) {
            words.push(arg.token.to_owned());
        }
        let word = match arg.kind {
            ArgType::String => pick(&["a", "b", "1", "f", "x"], rng),
            ArgType::Integer => pick(&["1", "2", "3"], rng),
            ArgType::UnixTime => "2000000000",
            ArgType::Double => pick(&["1", "2.5"], rng),
            ArgType::Key => pick(KEYS, rng),
            ArgType::Pattern => "*",
            ArgType::PureToken => continue,
            ArgType::OneOf => {
                add(&arg.members[rng.below_usize(arg.members.len())], words, rng);
                continue;
            }
            ArgType::Block => {
                arg.members.iter().for_each(|member| add(member, words, rng));
                continue;
            }
        };
        words.push(word.to_owned());
    }
}

/// Argument lists of a command that are likely to be taken.
fn lines(prefix: &[&str], command: &Command, rng: &mut Rng) -> Vec<Vec<String>> {
    (0..LINES)
        .map(|_| {
            let mut words: Vec<String> = prefix.iter().map(|&word| word.to_owned()).collect();
            command.spec.args.iter().for_each(|arg| add(arg, &mut words, rng));
            // Where keys are counted, mostly with the right count.
            let counter = command.spec.args.iter().position(|arg| arg.name == "numkeys");
            if let Some(at) = counter.map(|at| at + prefix.len()).filter(|&at| at < words.len()) {
                let keys = words[at + 1..].iter().take_while(|word| KEYS.contains(&&word[..]));
                words[at] = keys.count().to_string();
            }
            words
        })
        .collect()
}

fn shortened(word: &str) -> &str {
    word.get(..40).unwrap_or(word)
}

fn try_all(prefix: &[&str], command: &Command) {
    let mut rng = Rng::seeded(7);
    let mut bench = filled();
    let huge = ["9", "x"].map(|word| word.repeat(STRING_BYTES_MAX));
    for (nth, line) in lines(prefix, command, &mut rng).into_iter().enumerate() {
        let huge = huge.iter().map(String::as_str).filter(|_| nth < 3);
        let extremes: Vec<&str> = EXTREMES.iter().copied().chain(huge).collect();
        for at in prefix.len()..line.len() {
            for extreme in &extremes {
                let mut words: Vec<&str> = line.iter().map(String::as_str).collect();
                words[at] = extreme;
                if rng.below(8) == 0 {
                    let other = prefix.len() + rng.below_usize(words.len() - prefix.len());
                    words[other] = pick(EXTREMES, &mut rng);
                }
                let bytes = run(&mut bench, &words);
                let shown: Vec<&str> = words.iter().copied().map(shortened).collect();
                assert!(bytes < REPLY_BYTES_MAX, "{shown:?}: a reply of {bytes} bytes");
            }
        }
        bench = filled();
    }
}

#[test]
fn extreme_words_get_an_error_or_an_answer() {
    for command in FAMILIES.iter().copied().flatten() {
        let name = command.spec.name;
        if LEFT_OUT.contains(&name) {
            continue;
        }
        if command.handler.is_some() {
            try_all(&[name], command);
        }
        for subcommand in command.subcommands {
            try_all(&[name, subcommand.spec.name], subcommand);
        }
    }
}
