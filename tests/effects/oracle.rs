//! What a genuine server writes into its append-only file for the same commands.

use crate::daemon::{Daemon, Launch};
use crate::grammar::{self, Step, Words};
use crate::machine::Machine;
use crate::reply::Compare;
use crate::rng::Rng;
use crate::wire::{Connection, encode};
use crate::{families, shown};
use carnelian::command::server::ActiveExpire;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Commands sent at once.
const BATCH: usize = 100;
/// Batches from one empty state to the next.
const ROUND: usize = 20;
const STEPS_PER_PART: u64 = 2000;
/// Follows each command, so that what stands before it is what the command left.
const MARK: &[u8] = b"the-mark";
/// Times that are this close are the same, milliseconds.
const SLACK_MS: i64 = 60_000;
/// Numbers from here on may be times.
const TIMES_FROM: i64 = 100_000_000_000;
/// So few commands may find a key expired that the other server still found.
const LATE_ONE_IN: usize = 2000;
/// Differences that are shown.
const SHOWN_MAX: usize = 20;

/// Draws so many commands and panics if any is recorded otherwise.
pub(crate) fn run(seed: u64, steps: u64) {
    let scratch = tempfile::tempdir().expect("a scratch directory");
    let dir = scratch.path().to_str().expect("text").to_owned();
    let words = ["--appendonly", "yes", "--aof-use-rdb-preamble", "no", "--appendfsync", "no"];
    let words = words.into_iter().chain(["--auto-aof-rewrite-percentage", "0"]);
    let mut args: Vec<String> = words.map(ToOwned::to_owned).collect();
    args.extend(["--enable-debug-command", "yes", "--dir", &dir].map(ToOwned::to_owned));
    let launch =
        Launch { name: "redis".to_owned(), program: "redis-server".into(), args, core: None };
    let daemon = match Daemon::start(&launch) {
        Ok(daemon) => daemon,
        Err(failure) => panic!("no genuine server: {failure}"),
    };
    let mut pair =
        Pair::new(Connection::open(daemon.address()).expect("it listens"), scratch.path());
    pair.play(&[["DEBUG", "SET-ACTIVE-EXPIRE", "0"].map(Into::into).into()]);
    let mut differences = BTreeMap::new();
    let mut late = 0;
    for part in 0..steps.div_ceil(STEPS_PER_PART) {
        let mut rng = Rng::new(seed, part);
        pair.play(&[vec![b"FLUSHALL".to_vec()], vec![b"SELECT".to_vec(), b"0".to_vec()]]);
        for _ in 0..ROUND {
            for (command, theirs, ours) in pair.play(&draw(&mut rng)) {
                if is_same(&theirs, &ours) || is_excused(&command, &theirs, &ours) {
                    continue;
                }
                if is_same(&without_deletions(&theirs), &without_deletions(&ours)) {
                    late += 1;
                } else {
                    let name = command[0].to_ascii_uppercase();
                    differences.entry(name).or_insert_with(|| (command, theirs, ours));
                }
            }
        }
    }
    daemon.stop().expect("it ends");
    println!("{} commands with seed {seed}, {late} late", pair.commands);
    for (command, theirs, ours) in differences.values().take(SHOWN_MAX) {
        println!(
            "{}\n  redis     {}\n  carnelian {}",
            shown(std::slice::from_ref(command)),
            shown(theirs),
            shown(ours)
        );
    }
    assert!(late <= 3 + pair.commands / LATE_ONE_IN, "{late} keys are deleted by other commands");
    assert!(differences.is_empty(), "{} commands are recorded otherwise", differences.len());
}

/// Commands that leave both servers alike: SPOP takes another member from each.
fn draw(rng: &mut Rng) -> Vec<Words> {
    let mut commands = Vec::new();
    while commands.len() < BATCH {
        let Step::Commands(drawn) = grammar::draw(&families(), rng) else { continue };
        for command in drawn {
            let words = command.words;
            let is_random = command.compare == Compare::MemberOfNext && words.len() > 1;
            let spopped = words[0].eq_ignore_ascii_case(b"SPOP") && words.len() > 1;
            let key = words.get(1).cloned();
            commands.push(words);
            if let Some(key) = key.filter(|_| spopped || is_random) {
                commands.push(vec![b"DEL".to_vec(), key]);
            }
        }
    }
    commands
}

/// Both servers.
struct Pair {
    connection: Connection,
    log: File,
    machine: Machine,
    client: usize,
    commands: usize,
}

impl Pair {
    fn new(connection: Connection, scratch: &Path) -> Pair {
        let dir = scratch.join("appendonlydir");
        let incremental = fs::read_dir(dir).expect("the server made it").find_map(|entry| {
            let path = entry.expect("it is readable").path();
            path.to_str().is_some_and(|path| path.ends_with(".incr.aof")).then_some(path)
        });
        let log = File::open(incremental.expect("it is there")).expect("it is readable");
        let mut machine = Machine::new(1, now_ms());
        machine.node.server.active_expire = ActiveExpire::Off;
        let client = machine.connect();
        machine.listen();
        Pair { connection, log, machine, client, commands: 0 }
    }

    /// Executes commands on both; each with what it left on either.
    fn play(&mut self, commands: &[Words]) -> Vec<(Words, Vec<Words>, Vec<Words>)> {
        self.commands += commands.len();
        let mark = vec![b"SET".to_vec(), MARK.to_vec(), b"1".to_vec()];
        let mut bytes = Vec::new();
        let mut ours = Vec::new();
        for words in commands {
            for words in [words, &mark] {
                encode(words, &mut bytes);
                self.machine.pass(self.late_ms());
                self.machine.send(self.client, words);
                while self.machine.is_waiting(self.client) {
                    thread::sleep(Duration::from_millis(1));
                    self.machine.pass(self.late_ms());
                    self.machine.tick();
                }
            }
            ours.extend(self.machine.recorded());
        }
        let (replies, outcome) = self.connection.exchange(&bytes, 2 * commands.len());
        outcome.expect("the genuine server answers");
        assert_eq!(replies.len(), 2 * commands.len());
        let mut theirs = Vec::new();
        self.log.read_to_end(&mut theirs).expect("the log is readable");
        let theirs = parts(crate::parsed(&theirs));
        let ours = parts(ours);
        assert_eq!((theirs.len(), ours.len()), (commands.len(), commands.len()));
        let left = theirs.into_iter().zip(ours);
        commands.iter().cloned().zip(left).map(|(words, (a, b))| (words, a, b)).collect()
    }
}

impl Pair {
    /// How far the clock is ahead of ours.
    fn late_ms(&self) -> u64 {
        u64::try_from(now_ms() - self.machine.unix_ms()).unwrap_or(0)
    }
}

fn now_ms() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    i64::try_from(now.as_millis()).expect("before the end of time")
}

/// Cuts a log at the marks.
fn parts(log: Vec<Words>) -> Vec<Vec<Words>> {
    let mut parts = vec![Vec::new()];
    for words in log {
        if words.get(1).is_some_and(|key| key == MARK) && words[0] == b"SET" {
            parts.push(Vec::new());
        } else {
            parts.last_mut().expect("never empty").push(words);
        }
    }
    let rest = parts.pop();
    assert!(rest.is_some_and(|rest| rest.is_empty()), "the last is a mark");
    parts
}

/// Whether two servers recorded the same. Names are the same in any case, times if they are close.
fn is_same(theirs: &[Words], ours: &[Words]) -> bool {
    let same_word = |a: &[u8], b: &[u8]| {
        let time =
            |word: &[u8]| str::from_utf8(word).ok().and_then(|text| text.parse::<i64>().ok());
        a == b
            || time(a).zip(time(b)).is_some_and(|(a, b)| {
                a >= TIMES_FROM && a.checked_sub(b).is_some_and(|apart| apart.abs() < SLACK_MS)
            })
    };
    let same_words = |a: &Words, b: &Words| {
        let words = || a.iter().zip(b).skip(1);
        a.len() == b.len()
            && a[0].eq_ignore_ascii_case(&b[0])
            && words().all(|(a, b)| same_word(a, b))
    };
    theirs.len() == ours.len() && theirs.iter().zip(ours).all(|(a, b)| same_words(a, b))
}

/// A log without what keys that expired leave in it.
fn without_deletions(log: &[Words]) -> Vec<Words> {
    let is_kept = |words: &&Words| !matches!(words[0].as_slice(), b"MULTI" | b"DEL" | b"EXEC");
    log.iter().filter(is_kept).cloned().collect()
}

/// A log without what it says of groups and their consumers, but for pending entries.
fn without_groups(log: &[Words]) -> Vec<Words> {
    let is_kept = |words: &&Words| !matches!(words[0].as_slice(), b"MULTI" | b"XGROUP" | b"EXEC");
    log.iter().filter(is_kept).cloned().collect()
}

/// Whether what differs is meant to.
fn is_excused(command: &Words, theirs: &[Words], ours: &[Words]) -> bool {
    // Redis 7.0 takes the range error of a number in an earlier command for one of SORT's own.
    if command[0].eq_ignore_ascii_case(b"SORT") && theirs.is_empty() {
        return true;
    }
    // Of these Redis records nothing though they change data, before they fail: BITFIELD makes room, and
    // PFADD adds elements to a counter before it finds that corrupt.
    let is_partial =
        |name: &str| command[0].eq_ignore_ascii_case(name.as_bytes()) && theirs.is_empty();
    if is_partial("BITFIELD") || is_partial("PFADD") {
        return true;
    }
    // Redis 7.0 does not say that a consumer was made which was given nothing, and says how far a group has
    // read only if no entry does; since 7.2 it says the latter always.
    let reads: [&[u8]; 3] = [b"XREADGROUP", b"XCLAIM", b"XAUTOCLAIM"];
    if reads.iter().any(|name| command[0].eq_ignore_ascii_case(name)) {
        let (theirs, ours) = (without_groups(theirs), without_groups(ours));
        return is_same(&theirs, &ours);
    }
    // It may be one of those consumers that is deleted.
    if command.len() > 1 && command[1].eq_ignore_ascii_case(b"DELCONSUMER") && theirs.is_empty() {
        return true;
    }
    // Deleted entries that a node still has are no reason for another threshold here.
    if let ([theirs], [ours]) = (theirs, ours)
        && theirs.iter().any(|word| word.eq_ignore_ascii_case(b"MINID"))
    {
        let differing = theirs.iter().zip(ours).filter(|(a, b)| a != b).count();
        return theirs.len() == ours.len() && differing == 1;
    }
    // Any member may be taken; and since 7.2 those taken together are removed together.
    let members = |log: &[Words]| {
        let removed = log.iter().filter(|words| words[0] == b"SREM");
        removed.map(|words| words.len() - 2).sum::<usize>()
    };
    command[0].eq_ignore_ascii_case(b"SPOP") && members(theirs) == members(ours) && !ours.is_empty()
}
