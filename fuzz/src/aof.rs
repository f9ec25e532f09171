//! Append-only files: manifests and logs, read, executed, judged and cut without a panic, whatever they are.
//! What is left of a log that was cut is in order, and what the checker calls so is.
//!
//! Input: a byte of choices, then a manifest or a log.

use carnelian::base::hash::HashKey;
use carnelian::base::rng::Rng;
use carnelian::command::FAMILIES;
use carnelian::command::replay::Replayer;
use carnelian::command::server::Now;
use carnelian::command::spec::Flags;
use carnelian::config::{Config, PropagationErrorBehavior};
use carnelian::persist::Progress;
use carnelian::persist::aof::check::{Stop, analyse};
use carnelian::persist::aof::manifest::{BaseFormat, Manifest, Newest};
use carnelian::persist::aof::read::Reader;
use carnelian::persist::aof::replay::{End, Tail, Tolerance, Torn, Verdict, judge, replay};
use carnelian::store::Keyspace;
use std::cell::RefCell;
use std::collections::HashSet;
use std::io::{self, BufReader, Read};

const KEY: HashKey = HashKey::new(1, 2);
const NOW: Now = Now { unix_us: 1_700_000_000_000_000, mono_ns: 1_000_000_000 };

/// What the first byte says.
#[derive(Clone, Copy)]
struct Choices {
    is_manifest: bool,
    tolerance: Tolerance,
    /// Bytes read at once.
    step: usize,
    fails_at_errors: bool,
}

impl Choices {
    fn of(byte: u8) -> Self {
        let torn = if byte & 2 == 0 { Torn::CutOff } else { Torn::Refused };
        let garbage_bytes_max = if byte & 4 == 0 { 0 } else { 40 };
        Self {
            is_manifest: byte & 1 != 0,
            tolerance: Tolerance { torn, garbage_bytes_max },
            step: if byte & 8 == 0 { usize::MAX } else { 1 + usize::from(byte >> 4) },
            fails_at_errors: byte & 16 != 0,
        }
    }
}

/// Gives at most so many bytes at once.
struct Slow<'a> {
    bytes: &'a [u8],
    step: usize,
}

impl Read for Slow<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let len = self.step.min(buf.len()).min(self.bytes.len());
        self.bytes.read(&mut buf[..len])
    }
}

/// A manifest or a log.
pub fn run(bytes: &[u8]) {
    let Some((&choices, bytes)) = bytes.split_first() else { return };
    let choices = Choices::of(choices);
    if choices.is_manifest { run_manifest(bytes) } else { run_log(bytes, choices) }
}

fn run_manifest(text: &[u8]) {
    let mut manifest = match Manifest::parse(text) {
        Ok(manifest) => manifest,
        Err(error) => {
            assert!(!error.lines().is_empty());
            return;
        }
    };
    read_back(&manifest);
    // A few rewrites, with and without a log.
    for newest in [Newest::Kept, Newest::Retired, Newest::Kept] {
        let log = manifest.begin_log(b"name");
        let base = manifest.begin_base(b"name", BaseFormat::Dump);
        manifest.retire_logs(newest);
        assert_eq!(manifest.base().map(|part| &part.name), Some(&base));
        assert_eq!(manifest.logs().iter().any(|part| part.name == log), newest == Newest::Kept);
        read_back(&manifest);
    }
    assert!(manifest.take_history().len() > 2);
    assert!(manifest.history().is_empty());
}

/// What is written reads back, unless a number or a name is beyond what is read.
fn read_back(manifest: &Manifest) {
    let again = match Manifest::parse(&manifest.format()) {
        Ok(again) => again,
        Err(_) => return, // numbers at the end of their range, a line that has become too long
    };
    assert!(again.live().eq(manifest.live()));
    assert_eq!(again.history(), manifest.history());
}

thread_local! {
    /// Those that did not fail at errors, and that did, for further logs: making one takes longer than most logs.
    static REPLAYERS: RefCell<[Option<Replayer>; 2]> = const { RefCell::new([None, None]) };
}

fn keyspace() -> Keyspace {
    let mut keyspace = Keyspace::new(3, KEY, Rng::seeded(1));
    keyspace.set_now_without_expiry(NOW.unix_ms());
    keyspace
}

/// One without keys and libraries.
fn replayer(choices: Choices) -> Replayer {
    let kept = REPLAYERS.with_borrow_mut(|kept| kept[usize::from(choices.fails_at_errors)].take());
    let mut replayer = kept.unwrap_or_else(|| {
        let config = Config {
            databases: 3,
            propagation_error_behavior: match choices.fails_at_errors {
                true => PropagationErrorBehavior::Panic,
                false => PropagationErrorBehavior::Ignore,
            },
            ..Config::default()
        };
        Replayer::new(&config, keyspace(), NOW).expect("nothing is renamed")
    });
    replayer.begin();
    replayer.take_libraries();
    replayer
}

/// Whether a log may leave something with the server or the session that is not in the keyspace: a line of it
/// is the name of a command that does more than read or write keys.
fn changes_more_than_keys(log: &[u8]) -> bool {
    thread_local! {
        static NAMES: HashSet<&'static [u8]> = FAMILIES
            .iter()
            .copied()
            .flatten()
            .filter(|command| !command.spec.flags.intersects(Flags::WRITE | Flags::READONLY))
            .map(|command| command.spec.name.as_bytes())
            .collect();
    }
    let mut lines = log.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii_end);
    NAMES.with(|names| lines.any(|line| names.contains(&line.to_ascii_lowercase()[..])))
}

/// How a log was read, and how many keys there are then; nothing if a command could not be executed.
fn executed(
    bytes: &[u8],
    choices: Choices,
) -> Option<(carnelian::persist::aof::replay::Replayed, usize)> {
    let mut replayer = replayer(choices);
    let mut reader = Reader::new(Slow { bytes, step: choices.step }, 0);
    let replayed = replay(&mut reader, &mut replayer, &Progress::new());
    let mut keyspace = std::mem::replace(replayer.keyspace_mut(), keyspace());
    if !changes_more_than_keys(bytes) {
        REPLAYERS
            .with_borrow_mut(|kept| kept[usize::from(choices.fails_at_errors)] = Some(replayer));
    }
    let replayed = replayed.ok()?;
    keyspace.set_now(NOW.unix_ms());
    #[cfg(fuzzing)]
    for db in 0..keyspace.len() {
        keyspace.db(db).check_invariants();
    }
    let keys = (0..keyspace.len()).map(|db| keyspace.db(db).len()).sum();
    Some((replayed, keys))
}

fn run_log(bytes: &[u8], choices: Choices) {
    let analysis = analyse(bytes, 0, None, &mut 0).expect("memory can be read");
    let slow = BufReader::with_capacity(choices.step.min(9), bytes);
    let same = analyse(slow, 0, Some(1000), &mut 0).expect("memory can be read");
    assert!(same.ok_up_to <= analysis.ok_up_to);
    let len = u64::try_from(bytes.len()).expect("it is in memory");
    assert!(analysis.ok_up_to <= len);
    let Some((replayed, keys)) = executed(bytes, choices) else { return };
    assert!(replayed.valid_up_to <= len);
    if matches!(analysis.stop, Stop::End) {
        assert!(matches!(replayed.end, End::Clean), "called valid, but: {replayed:?}");
    }
    let end = replayed.valid_up_to;
    match judge(replayed, len, choices.tolerance) {
        Verdict::Good => assert_eq!(end, len),
        Verdict::Refused(_) => {}
        Verdict::Cut { at, tail } => {
            assert_eq!(at, end);
            assert!(tail != Tail::Garbage || len - at <= choices.tolerance.garbage_bytes_max);
            let cut = &bytes[..usize::try_from(at).expect("it is in memory")];
            let (again, same_keys) = executed(cut, choices).expect("it was executed before");
            assert!(matches!(again.end, End::Clean), "{again:?}");
            assert_eq!(same_keys, keys);
        }
    }
}
