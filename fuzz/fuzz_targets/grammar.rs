//! Changes to scripts that know what a command is: lines come, go, move and change a word; new ones
//! are drawn from the specs of the commands, so a new command is fuzzed as soon as it has a spec.

use carnelian::base::quote;
use carnelian::base::rng::Rng;
use carnelian::command::spec::{Arg, ArgType};
use carnelian::command::{Command, FAMILIES};

/// Changes made at once, at most.
const CHANGES_MAX: usize = 4;
/// Repetitions of an argument, at most.
const REPEATS_MAX: usize = 3;
/// One line in this many is for the machine.
const CONTROLS_ONE_IN: usize = 6;

const KEYS: &[&str] = &["k", "k", "x", "y", "{a}1", "{a}2", "\"\"", "\"\\xff\\x00\""];
const STRINGS: &[&str] = &[
    "v",
    "\"\"",
    "0",
    "10",
    "-1",
    "3.5",
    "hello",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "\"a b\"",
    "\"\\x00\\xff\"",
    "1.0e10",
    "nan",
    "*",
    "9223372036854775807",
];
const INTEGERS: &[&str] = &[
    "0",
    "1",
    "2",
    "-1",
    "10",
    "100",
    "5000",
    "64",
    "-9223372036854775808",
    "9223372036854775807",
    "4294967296",
    "1000000",
    "x",
    "1.5",
    "1700000000",
    "1700000001000",
];
const DOUBLES: &[&str] = &["0", "1.5", "-2", "inf", "-inf", "nan", "1e300", "3.0e-5", "x"];
const PATTERNS: &[&str] = &["*", "k*", "?", "[a-k]", "\\\\*", "*a*b*c"];
const CONTROLS: &[&str] = &[
    "@0",
    "@1",
    "@2",
    "@3",
    "@x",
    "@t 1",
    "@t 1000",
    "@t 100000",
    "@c 1",
    "@c 0",
    "@w 1",
    "@w 0",
    "@f",
    "@d 5",
    "@d 200",
    "",
    "",
    "@r \"*1\\r\\n\"",
];

/// A script that differs from `script` in a few lines.
pub fn change(script: &[u8], rng: &mut Rng) -> Vec<u8> {
    let mut lines: Vec<Vec<u8>> = script.split(|&byte| byte == b'\n').map(<[u8]>::to_vec).collect();
    for _ in 0..=rng.below_usize(CHANGES_MAX) {
        change_once(&mut lines, rng);
    }
    lines.join(&b'\n')
}

fn change_once(lines: &mut Vec<Vec<u8>>, rng: &mut Rng) {
    let at = rng.below_usize(lines.len() + 1);
    let Some(line) = lines.get_mut(at) else {
        return lines.push(new_line(rng));
    };
    match rng.below(8) {
        0..3 => lines.insert(at, new_line(rng)),
        3 => drop(lines.remove(at)),
        4 => {
            let copy = line.clone();
            let to = rng.below_usize(lines.len() + 1);
            lines.insert(to, copy);
        }
        5 => {
            let other = rng.below_usize(lines.len());
            lines.swap(at, other);
        }
        _ => *line = changed_words(line, rng),
    }
}

/// The line with a word more, less, or another one.
fn changed_words(line: &[u8], rng: &mut Rng) -> Vec<u8> {
    let Ok(words) = quote::split_args(line) else { return new_line(rng) };
    let mut words: Vec<Vec<u8>> = words.iter().map(|word| quote::quoted(word)).collect();
    let at = rng.below_usize(words.len() + 1);
    let word = any_word(rng).into_bytes();
    match rng.below(3) {
        0 => words.insert(at, word),
        1 if at < words.len() => drop(words.remove(at)),
        _ if at < words.len() => words[at] = word,
        _ => words.push(word),
    }
    words.join(&b' ')
}

fn pick<'a>(words: &[&'a str], rng: &mut Rng) -> &'a str {
    words[rng.below_usize(words.len())]
}

fn any_word(rng: &mut Rng) -> String {
    match rng.below(4) {
        0 => pick(KEYS, rng).to_owned(),
        1 => pick(INTEGERS, rng).to_owned(),
        2 => pick(STRINGS, rng).to_owned(),
        _ => {
            // A word out of the arguments of some command: most likely an option.
            let line = command_line(rng);
            let words: Vec<&str> = line.split(' ').collect();
            pick(&words, rng).to_owned()
        }
    }
}

fn new_line(rng: &mut Rng) -> Vec<u8> {
    if rng.below_usize(CONTROLS_ONE_IN) == 0 {
        return pick(CONTROLS, rng).into();
    }
    command_line(rng).into_bytes()
}

/// Any command with arguments that suit it.
fn command_line(rng: &mut Rng) -> String {
    let commands: Vec<&Command> = FAMILIES.iter().copied().flatten().copied().collect();
    let mut command = commands[rng.below_usize(commands.len())];
    let mut words = vec![command.spec.name.to_owned()];
    if !command.subcommands.is_empty() {
        command = command.subcommands[rng.below_usize(command.subcommands.len())];
        words.push(command.spec.name.to_owned());
    }
    for arg in command.spec.args {
        add(arg, &mut words, rng);
    }
    words.join(" ")
}

fn add(arg: &Arg, words: &mut Vec<String>, rng: &mut Rng) {
    if arg.optional && rng.below(2) == 0 {
        return;
    }
    let repeats = if arg.multiple { 1 + rng.below_usize(REPEATS_MAX) } else { 1 };
    for repeat in 0..repeats {
        if !arg.token.is_empty() && (repeat == 0 || arg.multiple_token) {
            words.push(arg.token.to_owned());
        }
        match arg.kind {
            ArgType::String => words.push(pick(STRINGS, rng).to_owned()),
            ArgType::Integer | ArgType::UnixTime => words.push(pick(INTEGERS, rng).to_owned()),
            ArgType::Double => words.push(pick(DOUBLES, rng).to_owned()),
            ArgType::Key => words.push(pick(KEYS, rng).to_owned()),
            ArgType::Pattern => words.push(pick(PATTERNS, rng).to_owned()),
            ArgType::PureToken => {}
            ArgType::OneOf => {
                let members = arg.members;
                if !members.is_empty() {
                    add(&members[rng.below_usize(members.len())], words, rng);
                }
            }
            ArgType::Block => arg.members.iter().for_each(|member| add(member, words, rng)),
        }
    }
}
