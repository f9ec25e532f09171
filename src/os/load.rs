//! Loading the data at the start, on a thread of its own: the reactor answers meanwhile.
//!
//! With `appendonly`, the append-only file has the data; where there is none yet, the snapshot has, and
//! the append-only file begins with what it holds. Otherwise the snapshot has them.

use super::aof::AppendLog;
use super::aof::load as append_only;
use super::crash::AlternateStack;
use super::new_file::{NewFile, Sync};
use super::signal::{self, Phase};
use super::{clock, memory, reactor};
use crate::base::num;
use crate::command::persist::{self, Loaded, Origin};
use crate::config::Config;
use crate::persist::Progress;
use crate::persist::rdb::{self, Expired, LoadError, Reason};
use crate::store::Keyspace;
use mio::Waker;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, TryRecvError};
use std::thread;
use std::time::Instant;

/// Data, and the append-only file that goes on from them.
#[derive(Debug)]
pub struct Outcome {
    /// The data.
    pub loaded: Loaded,
    /// The append-only file; not open unless `appendonly`.
    pub log: AppendLog,
}

/// A load that was begun.
#[derive(Debug)]
pub struct Load {
    outcome: Receiver<Result<Outcome, String>>,
    progress: Arc<Progress>,
    total_bytes: u64,
}

/// A snapshot of so many bytes.
#[derive(Debug)]
struct Snapshot {
    file: File,
    bytes: u64,
}

impl Load {
    /// Begins to load what the configuration names. `waker` ends the reactor's wait when it is over.
    ///
    /// # Errors
    /// There is something, but it cannot be opened: a sentence for the log.
    pub fn begin(
        config: &Config,
        keyspace: Keyspace,
        mut log: AppendLog,
        waker: Arc<Waker>,
    ) -> Result<Self, String> {
        if config.appendonly {
            append_only::find(&mut log)?;
        }
        let snapshot = match log.manifest().is_empty() {
            true => find_snapshot(config.dbfilename.as_path())?,
            false => None,
        };
        let total_bytes = match &snapshot {
            Some(snapshot) => snapshot.bytes,
            None => append_only::total_bytes(&log),
        };
        let progress = Arc::new(Progress::new());
        let (shared, config) = (Arc::clone(&progress), config.clone());
        signal::set_phase(Phase::Loading);
        let (sender, receiver) = mpsc::sync_channel(1);
        let work = move || {
            // Kept for a crash report; without one the thread still does its work.
            let _stack = AlternateStack::install();
            let outcome = load(snapshot, log, &config, keyspace, &shared);
            memory::settle_thread();
            // Nobody waits for it any more if the server was told to end meanwhile.
            let _ = sender.send(outcome);
            // The reactor would find out by itself, a little later.
            let _ = waker.wake();
        };
        let thread = thread::Builder::new().name("load".to_owned()).spawn(work);
        thread.map_err(|error| format!("Can't start a thread to load: {error}"))?;
        Ok(Self { outcome: receiver, progress, total_bytes })
    }

    /// How far it is.
    pub fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.progress)
    }

    /// Bytes there are to load.
    pub fn total_bytes(&self) -> u64 {
        self.total_bytes
    }

    /// What it brought, once it is over.
    pub fn take(&mut self) -> Option<Result<Outcome, String>> {
        let outcome = match self.outcome.try_recv() {
            Ok(outcome) => outcome,
            Err(TryRecvError::Empty) => return None,
            Err(TryRecvError::Disconnected) => {
                Err("The thread that loads the data has ended".to_owned())
            }
        };
        signal::set_phase(Phase::Serving);
        Some(outcome)
    }
}

/// The snapshot, if there is one.
fn find_snapshot(path: &Path) -> Result<Option<Snapshot>, String> {
    let opened = File::open(path).and_then(|file| Ok((file.metadata()?.len(), file)));
    match opened {
        Ok((bytes, file)) => Ok(Some(Snapshot { file, bytes })),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(append_only::unreadable(path, &error)),
    }
}

/// Loads, and opens the append-only file.
fn load(
    snapshot: Option<Snapshot>,
    mut log: AppendLog,
    config: &Config,
    mut keyspace: Keyspace,
    progress: &Progress,
) -> Result<Outcome, String> {
    keyspace.set_now(num::i64_clamped(clock::unix_ms()));
    let is_empty = snapshot.is_none() && log.manifest().is_empty();
    let loaded = match snapshot {
        Some(snapshot) => load_snapshot(snapshot, config, keyspace, progress)?,
        None => append_only::load(config, &mut log, keyspace, progress, reactor::now())?,
    };
    if config.appendonly {
        let now = reactor::now();
        log.open_at_start(|path| write_base(config, &loaded, path), config)?;
        let _nothing_given = log.poll(now);
    }
    if !is_empty {
        memory::settle_thread();
    }
    Ok(Outcome { loaded, log })
}

fn load_snapshot(
    snapshot: Snapshot,
    config: &Config,
    mut keyspace: Keyspace,
    progress: &Progress,
) -> Result<Loaded, String> {
    let started = Instant::now();
    let mut options = persist::load_options(config, &keyspace, snapshot.bytes, &append_only::pause);
    if config.replicaof.is_some() {
        options.expired = Expired::Keep; // the primary says what is gone
    } else {
        keyspace.removals.start(); // replicas may have what is left out
    }
    let loaded = rdb::load(snapshot.file, &mut keyspace, &options, progress)
        .map_err(|error| corrupt(config.dbfilename.as_path(), &error))?;
    persist::log_loaded(&loaded, keyspace.now_ms() / 1000);
    tracing::info!("DB loaded from disk: {:.3} seconds", started.elapsed().as_secs_f64());
    let origin = Origin::of(&loaded.aux);
    let rdb::Loaded { libraries, keys, expired, .. } = loaded;
    Ok(Loaded { keyspace, libraries, keys, expired, origin })
}

/// Loads the append-only file once more, on the calling thread (DEBUG LOADAOF).
///
/// # Errors
/// What is wrong with it: a sentence for the log.
pub fn again(config: &Config, log: &mut AppendLog, keyspace: Keyspace) -> Result<Loaded, String> {
    append_only::load(config, log, keyspace, &Progress::new(), reactor::now())
}

/// Writes a base of the append-only file from data that were loaded from somewhere else.
///
/// # Errors
/// The system's.
fn write_base(config: &Config, loaded: &Loaded, path: &Path) -> io::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = format!("temp-{}-{name}", std::process::id());
    let mut file = NewFile::create(path, &temporary, Sync::AtEnd)?;
    append_only::write_base(config, loaded, &mut file)?;
    file.commit()
}

/// What an operator is told of a snapshot that cannot be loaded.
fn corrupt(path: &Path, error: &LoadError) -> String {
    let path = path.display();
    tracing::warn!("{error}");
    if matches!(error.reason, Reason::WrongChecksum { .. }) {
        tracing::warn!("RDB CRC error");
    }
    tracing::warn!("Terminating server after rdb file reading failure.");
    format!(
        "Fatal error loading the DB from {path}: {error}. Nothing was changed. What is readable of it \
         says: carnelian-check-rdb {path}"
    )
}
