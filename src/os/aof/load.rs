//! Loading the append-only file: its base, then the logs behind it.

use super::{AppendLog, Disk, Open};
use crate::base::num;
use crate::command::persist::{self, Loaded};
use crate::command::replay::{ReplayError, Replayer};
use crate::command::server::Now;
use crate::config::Config;
use crate::persist::Progress;
use crate::persist::aof::manifest::{BaseFormat, Part};
use crate::persist::aof::read::Reader;
use crate::persist::aof::replay::{Position, Refusal, Replayed, Tail, Tolerance, Verdict};
use crate::persist::aof::replay::{judge, replay};
use crate::persist::aof::rewrite::{RewriteOptions, base_format, rewrite};
use crate::persist::rdb::{self, SaveOptions};
use crate::store::Keyspace;
use std::io::{self, Cursor, Read, Write};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

/// How a snapshot begins.
const SNAPSHOT_SIGNATURE: &[u8] = b"REDIS";
/// As [`SNAPSHOT_SIGNATURE`], of Valkey.
const VALKEY_SIGNATURE: &[u8] = b"VALKEY";

/// Reads the manifest; moves an append-only file of before Redis 7 to where it is now expected.
///
/// # Errors
/// What is wrong with it: a sentence for the log.
pub fn find<D: Disk>(log: &mut AppendLog<D>) -> Result<(), String> {
    log.read_manifest()
        .and_then(|()| log.upgrade())
        .map_err(|_| "Fatal error loading the DB, check server logs. Exiting.".to_owned())?;
    for part in log.manifest().live() {
        let path = log.settings.path(&part.name);
        log.disk.len(&path).map_err(|error| unreadable(&path, &error))?;
    }
    Ok(())
}

/// What an operator is told of a file that cannot be opened.
pub(in crate::os) fn unreadable(path: &Path, error: &io::Error) -> String {
    let reason = crate::os::errno::text(error);
    format!("Fatal error loading the DB: can't open {} for reading: {reason}", path.display())
}

/// Waits as a test asked for, microseconds.
pub(in crate::os) fn pause(micros: u64) {
    thread::sleep(Duration::from_micros(micros));
}

/// Bytes of all files there are to load.
pub fn total_bytes<D: Disk>(log: &AppendLog<D>) -> u64 {
    log.manifest().live().map(|part| bytes_of(log, part)).sum()
}

fn bytes_of<D: Disk>(log: &AppendLog<D>, part: &Part) -> u64 {
    log.disk.len(&log.settings.path(&part.name)).unwrap_or(0)
}

/// Loads all files.
///
/// # Errors
/// What is wrong with one of them: a sentence for the log.
pub fn load<D: Disk>(
    config: &Config,
    log: &mut AppendLog<D>,
    keyspace: Keyspace,
    progress: &Progress,
    now: Now,
) -> Result<Loaded, String> {
    let started = Instant::now();
    let manifest = log.manifest();
    let parts: Vec<&Part> = manifest.live().collect();
    let replayer = Replayer::new(config, keyspace, now).map_err(str::to_owned)?;
    let disk = &*log.disk;
    let mut loader = Loader { disk, config, progress, replayer, keys: 0, expired: 0 };
    let bases = usize::from(manifest.base().is_some());
    // Nothing is written to a log before the one in front of it is on disk: if the end of that is missing, the
    // last one is empty.
    let last = parts.iter().rposition(|part| bytes_of(log, part) > 0).unwrap_or(0);
    for (index, part) in parts.iter().enumerate() {
        let what = if index < bases { "base" } else { "incr" };
        let position = if index < last { Position::Inner } else { Position::Last };
        let begun = Instant::now();
        let path = log.settings.path(&part.name);
        loader.load_file(&path, position)?;
        tracing::info!(
            "DB loaded from {what} file {}: {:.3} seconds",
            part.name.escape_ascii(),
            begun.elapsed().as_secs_f64()
        );
    }
    if !parts.is_empty() {
        let seconds = started.elapsed().as_secs_f64();
        tracing::info!("DB loaded from append only file: {seconds:.3} seconds");
    }
    let loaded = loader.finish();
    log.growth.current_bytes = total_bytes(log);
    log.growth.base_bytes = log.manifest().base().map_or(0, |base| bytes_of(log, base));
    Ok(loaded)
}

/// Loads files one after the other.
struct Loader<'a, D> {
    disk: &'a D,
    config: &'a Config,
    progress: &'a Progress,
    replayer: Replayer,
    keys: u64,
    expired: u64,
}

impl<D: Disk> Loader<'_, D> {
    fn load_file(&mut self, path: &Path, position: Position) -> Result<(), String> {
        let opened = self.disk.reader(path).and_then(|(mut file, len)| {
            let head = head_of(&mut file)?;
            Ok((head, file, len))
        });
        let (head, rest, len) = opened.map_err(|error| unreadable(path, &error))?;
        let is_snapshot =
            head.starts_with(SNAPSHOT_SIGNATURE) || head.starts_with(VALKEY_SIGNATURE);
        let file = Cursor::new(head).chain(rest);
        self.replayer.begin();
        if is_snapshot {
            self.load_snapshot(path, file, len, position)
        } else {
            self.replay(path, Reader::new(file, 0), len, position)
        }
    }

    /// Loads a file that begins with a snapshot; a log may follow it.
    fn load_snapshot(
        &mut self,
        path: &Path,
        file: impl Read,
        len: u64,
        position: Position,
    ) -> Result<(), String> {
        tracing::info!("Reading RDB base file on AOF loading...");
        let keyspace = self.replayer.keyspace_mut();
        let mut options = persist::load_options(self.config, keyspace, len, &pause);
        // Commands follow that were executed while these keys were there.
        options.expired = rdb::Expired::Keep;
        let mut reader = rdb::Reader::new(file, options.verify, self.progress);
        let loaded = rdb::load_from(&mut reader, keyspace, &options, self.progress);
        let loaded = loaded.map_err(|error| {
            tracing::warn!("Error reading the RDB preamble of the AOF file, AOF loading aborted");
            refused(path, &error.to_string())
        })?;
        persist::log_loaded(&loaded, keyspace.now_ms() / 1000);
        self.keys += loaded.keys;
        self.expired += loaded.expired;
        self.replayer.add_libraries(loaded.libraries);
        self.replay(path, Reader::new(reader.into_rest(), loaded.bytes_read), len, position)
    }

    fn replay<R: Read>(
        &mut self,
        path: &Path,
        mut reader: Reader<R>,
        len: u64,
        position: Position,
    ) -> Result<(), String> {
        let mut replayer = Delayed { replayer: &mut self.replayer, config: self.config };
        let replayed = replay(&mut reader, &mut replayer, self.progress).map_err(|error| {
            let text = format!(
                "{error} reading the append only file {} at offset {}",
                path.display(),
                reader.offset()
            );
            tracing::warn!("{text}");
            refused(path, &text)
        })?;
        self.judge(path, replayed, len, position)
    }

    /// Cuts off what a crash has left at the end of a file, or refuses it.
    fn judge(
        &self,
        path: &Path,
        replayed: Replayed,
        len: u64,
        position: Position,
    ) -> Result<(), String> {
        let shown = path.display();
        match judge(replayed, len, Tolerance::of(self.config)) {
            Verdict::Good => Ok(()),
            Verdict::Cut { at, tail } if position == Position::Last => {
                let (what, why) = match tail {
                    Tail::Torn => ("truncated", "aof-load-truncated is enabled"),
                    Tail::Zeroes => ("zeroed", "a loss of power leaves zeroes at its end"),
                    Tail::Garbage => ("corrupt", "aof-load-corrupt-tail-max-size allows it"),
                };
                tracing::warn!("!!! Warning: short read while loading the AOF file {shown}!!!");
                tracing::warn!("AOF {shown} loaded anyway because {why}");
                tracing::warn!("Truncating the {what} AOF {shown} at offset {at}");
                self.cut(path, at).map_err(|error| {
                    refused(path, &format!("it cannot be cut: {}", crate::os::errno::text(&error)))
                })
            }
            Verdict::Cut { at, .. } => {
                let text = "the file ends early, and it is not the last one";
                tracing::warn!("Unexpected end of file reading the append only file {shown}");
                Err(refused(path, &format!("{text} (at offset {at})")))
            }
            Verdict::Refused(refusal) => {
                let text = reason(path, &refusal);
                tracing::warn!("{text}");
                Err(refused(path, &text))
            }
        }
    }

    fn cut(&self, path: &Path, at: u64) -> io::Result<()> {
        let file = self.disk.open(path, Open::Continued)?;
        self.disk.truncate(&file, at)?;
        self.disk.sync(&file)
    }

    fn finish(self) -> Loaded {
        let Self { mut replayer, keys, expired, .. } = self;
        let libraries = replayer.take_libraries();
        Loaded { keyspace: replayer.into_keyspace(), libraries, keys, expired, origin: None }
    }
}

/// A replayer that a test has slowed down.
struct Delayed<'a> {
    replayer: &'a mut Replayer,
    config: &'a Config,
}

impl crate::persist::aof::replay::Execute for Delayed<'_> {
    type Error = ReplayError;

    fn execute(
        &mut self,
        args: crate::resp::Args<'_>,
    ) -> Result<crate::persist::aof::replay::Unit, ReplayError> {
        if let Ok(micros) = u64::try_from(self.config.key_load_delay)
            && micros > 0
        {
            pause(micros);
        }
        self.replayer.execute(args)
    }
}

/// Why a log is refused, as the log says it.
fn reason(path: &Path, refusal: &Refusal) -> String {
    let shown = path.display();
    match refusal {
        Refusal::Torn => format!(
            "Unexpected end of file reading the append only file {shown}. You can: 1) Make a backup of \
             your AOF file, then use carnelian-check-aof --fix <filename.manifest>. 2) Alternatively you \
             can set the 'aof-load-truncated' configuration option to yes and restart the server."
        ),
        Refusal::Garbage(garbage) => format!(
            "Bad file format reading the append only file {shown} at {garbage}: make a backup of your \
             AOF file, then use carnelian-check-aof --fix <filename.manifest>"
        ),
        Refusal::Unreadable(error) => format!(
            "Unrecoverable error reading the append only file {shown}: {}",
            crate::os::errno::text(error)
        ),
        Refusal::Cancelled => "Loading was cancelled".to_owned(),
    }
}

fn refused(path: &Path, reason: &str) -> String {
    format!("Fatal error loading the DB from {}: {reason}. Nothing was changed.", path.display())
}

/// The first bytes of a file, as many as say whether it begins with a snapshot.
fn head_of(file: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    let longest = num::u64_of(SNAPSHOT_SIGNATURE.len().max(VALKEY_SIGNATURE.len()));
    file.take(longest).read_to_end(&mut head)?;
    Ok(head)
}

/// Writes a base from data that were loaded from somewhere else.
///
/// # Errors
/// The system's.
pub fn write_base(config: &Config, loaded: &Loaded, out: &mut dyn Write) -> io::Result<()> {
    match base_format(config) {
        BaseFormat::Dump => {
            let aux = [
                ("redis-ver", crate::config::REDIS_VERSION.to_owned()),
                ("redis-bits", usize::BITS.to_string()),
                ("ctime", (loaded.keyspace.now_ms() / 1000).to_string()),
                ("aof-base", "1".to_owned()),
            ];
            let aux = aux.into_iter().map(|(name, value)| (name.into(), value.into_bytes()));
            let options = SaveOptions {
                aux: aux.collect(),
                libraries: &loaded.libraries,
                ..SaveOptions::default()
            };
            rdb::save(&loaded.keyspace, &options, out)?;
        }
        BaseFormat::Commands => {
            let options = RewriteOptions {
                timestamp: None,
                libraries: &loaded.libraries,
                key_delay_us: 0,
                sleep: thread::sleep,
                progress: None,
            };
            rewrite(&loaded.keyspace, &options, out)?;
        }
    }
    Ok(())
}
