//! What commands are recorded as: random commands are executed in process and what they leave is
//! executed on another server, which must then hold the same; and it is compared with what Debian's
//! `redis-server` writes into its append-only file for the same commands.
//!
//! `EFFECTS_STEPS` is how many commands are drawn, `EFFECTS_SEED` with which seed.

#[path = "../support/daemon.rs"]
mod daemon;
#[path = "../differential/grammar.rs"]
#[expect(dead_code, reason = "it serves another program as well")]
mod grammar;
#[path = "../differential/groups/mod.rs"]
mod groups;
#[path = "../../fuzz/src/host.rs"]
#[expect(dead_code, unreachable_pub, reason = "it is part of another library as well")]
mod host;
mod machine;
mod oracle;
mod replay;
#[path = "../differential/reply.rs"]
#[expect(dead_code, reason = "it serves another program as well")]
mod reply;
#[path = "../differential/rng.rs"]
mod rng;
mod rows;
#[path = "../differential/snippets.rs"]
mod snippets;
mod state;
#[path = "../differential/values.rs"]
mod values;
#[path = "../differential/wire.rs"]
#[expect(dead_code, reason = "it serves another program as well")]
mod wire;

use grammar::{Group, Words};

/// Commands of a run, unless the environment says otherwise.
const STEPS: u64 = 20_000;
/// Families whose commands say nothing of data, and two that hold others back.
const SILENT: [&str; 6] =
    ["acl", "connection", "server", "publishing", "transactions", "libraries"];

/// The families of which commands are drawn.
fn families() -> Vec<&'static Group> {
    groups::GROUPS.iter().copied().filter(|group| !SILENT.contains(&group.name)).collect()
}

fn setting(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().expect("a number"),
        Err(_) => default,
    }
}

/// Commands as one would type them.
fn shown(commands: &[Words]) -> String {
    let word = |word: &Vec<u8>| match word.is_empty() {
        true => "''".to_owned(),
        false => word.escape_ascii().to_string().chars().take(80).collect(),
    };
    let line = |words: &Words| words.iter().map(word).collect::<Vec<_>>().join(" ");
    commands.iter().map(line).collect::<Vec<_>>().join(" | ")
}

/// Takes a log apart.
fn parsed(mut bytes: &[u8]) -> Vec<Words> {
    fn number(bytes: &mut &[u8], kind: u8) -> usize {
        let end = bytes.windows(2).position(|pair| pair == b"\r\n").expect("a line end");
        assert_eq!(bytes[0], kind, "{}", bytes[..end].escape_ascii());
        let number = str::from_utf8(&bytes[1..end]).expect("digits").parse().expect("a number");
        *bytes = &bytes[end + 2..];
        number
    }
    let mut commands = Vec::new();
    while !bytes.is_empty() {
        let count = number(&mut bytes, b'*');
        let mut words = Words::new();
        for _ in 0..count {
            let len = number(&mut bytes, b'$');
            words.push(bytes[..len].to_vec());
            assert_eq!(&bytes[len..len + 2], b"\r\n");
            bytes = &bytes[len + 2..];
        }
        commands.push(words);
    }
    commands
}

#[test]
fn what_is_recorded_repeats_what_happened() {
    replay::run(setting("EFFECTS_SEED", 1), setting("EFFECTS_STEPS", STEPS));
}

#[test]
fn redis_records_the_same() {
    oracle::run(setting("EFFECTS_SEED", 1), setting("EFFECTS_STEPS", STEPS));
}
