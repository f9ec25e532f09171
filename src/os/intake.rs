//! Snapshots that other servers send: written to the file of snapshots or loaded by a thread of its own,
//! which is given the bytes as they come from the socket.
//!
//! The thread says when it has dealt with bytes; until then the reactor reads no more than a bounded number
//! of them.

use super::crash::AlternateStack;
use super::new_file::NewFile;
use super::{clock, memory};
use crate::base::num;
use crate::command::host::{Arrived, Intake, Plan, Sync};
use crate::command::persist::{self, Loaded};
use crate::config::Config;
use crate::persist::Progress;
use crate::store::Keyspace;
use mio::Waker;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender, TryRecvError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Bytes that may wait for the thread.
const WAITING_BYTES_MAX: usize = 8 * 1024 * 1024;

/// How long the thread sleeps at most before it looks whether it still should.
const PAUSE_STEP: Duration = Duration::from_millis(5);

/// What the thread is given.
#[derive(Debug)]
enum Part {
    Bytes(Vec<u8>),
    End,
}

/// What both sides see.
#[derive(Debug, Default)]
struct Shared {
    waiting_bytes: AtomicUsize,
    is_cancelled: AtomicBool,
    /// How long a test wants it to wait after each key, at present.
    delay_us_max: AtomicU32,
}

#[derive(Debug)]
struct Work {
    parts: Sender<Part>,
    outcome: Receiver<Result<Outcome, String>>,
    shared: Arc<Shared>,
    thread: JoinHandle<()>,
}

/// What the thread brings.
enum Outcome {
    Stored(NewFile),
    Loaded(Box<Loaded>),
}

/// Takes snapshots.
#[derive(Debug)]
pub struct SnapshotIntake {
    waker: Arc<Waker>,
    work: Option<Work>,
    /// Complete, but without its name until it is loaded: a child of ours may still be about to give the name to
    /// a snapshot of the old data.
    stored: Option<NewFile>,
}

impl SnapshotIntake {
    /// `waker` ends the reactor's wait when there is something to tell.
    pub const fn new(waker: Arc<Waker>) -> Self {
        Self { waker, work: None, stored: None }
    }

    /// Whether more bytes may be given.
    pub fn has_room(&self) -> bool {
        let waiting = self.work.as_ref().map(|work| &work.shared.waiting_bytes);
        waiting.is_none_or(|bytes| bytes.load(Ordering::Relaxed) < WAITING_BYTES_MAX)
    }

    fn give_part(&self, part: Part) {
        if let Some(work) = &self.work {
            // If the thread has ended it has told why.
            let _ = work.parts.send(part);
        }
    }
}

impl Intake for SnapshotIntake {
    fn begin(&mut self, plan: Plan, config: &Config) -> Result<Arc<Progress>, String> {
        let stored = self.stored.take();
        self.cancel();
        let progress = Arc::new(Progress::new());
        let shared = Arc::new(Shared::default());
        let delay_us = u32::try_from(config.key_load_delay).unwrap_or(u32::MAX);
        shared.delay_us_max.store(delay_us, Ordering::Relaxed);
        let (parts, receiver) = mpsc::channel();
        let (sender, outcome) = mpsc::channel();
        let incoming = Incoming::new(receiver, Arc::clone(&shared), Arc::clone(&self.waker));
        let (config, noted, waker) =
            (config.clone(), Arc::clone(&progress), Arc::clone(&self.waker));
        let work = move || {
            // Kept for a crash report; without one the thread still does its work.
            let _stack = AlternateStack::install();
            let outcome = take(plan, stored, incoming, &config, &noted);
            memory::settle_thread();
            // Nobody waits for it any more if it was given up.
            let _ = sender.send(outcome);
            // The reactor would find out by itself, a little later.
            let _ = waker.wake();
        };
        let thread = thread::Builder::new().name("intake".to_owned()).spawn(work);
        let thread = thread.map_err(|error| format!("Can't start a thread: {error}"))?;
        self.work = Some(Work { parts, outcome, shared, thread });
        Ok(progress)
    }

    fn give(&mut self, bytes: &[u8]) {
        if let Some(work) = &self.work {
            work.shared.waiting_bytes.fetch_add(bytes.len(), Ordering::Relaxed);
        }
        self.give_part(Part::Bytes(bytes.to_vec()));
    }

    fn end(&mut self) {
        self.give_part(Part::End);
    }

    fn poll(&mut self, config: &Config) -> Option<Result<Arrived, String>> {
        if let Some(work) = &self.work {
            let delay_us = u32::try_from(config.key_load_delay).unwrap_or(0);
            work.shared.delay_us_max.store(delay_us, Ordering::Relaxed);
        }
        let outcome = match self.work.as_ref()?.outcome.try_recv() {
            Ok(outcome) => outcome,
            Err(TryRecvError::Empty) => return None,
            Err(TryRecvError::Disconnected) => {
                Err("The thread that takes the snapshot has ended".to_owned())
            }
        };
        self.work = None;
        Some(outcome.map(|outcome| match outcome {
            Outcome::Stored(file) => {
                self.stored = Some(file);
                Arrived::Stored
            }
            Outcome::Loaded(loaded) => Arrived::Loaded(loaded),
        }))
    }

    fn cancel(&mut self) {
        self.stored = None;
        let Some(Work { parts, shared, thread, .. }) = self.work.take() else { return };
        shared.is_cancelled.store(true, Ordering::Relaxed);
        drop(parts);
        // It stops at the next read; a panic was reported by its hook.
        let _ = thread.join();
    }
}

/// The bytes as they come, to be read. Fails when the snapshot is given up.
struct Incoming {
    parts: Receiver<Part>,
    shared: Arc<Shared>,
    waker: Arc<Waker>,
    part: Vec<u8>,
    at: usize,
    has_ended: bool,
}

fn given_up() -> io::Error {
    io::Error::new(ErrorKind::ConnectionAborted, "the snapshot is not wanted any more")
}

impl Incoming {
    const fn new(parts: Receiver<Part>, shared: Arc<Shared>, waker: Arc<Waker>) -> Self {
        Self { parts, shared, waker, part: Vec::new(), at: 0, has_ended: false }
    }

    fn is_cancelled(&self) -> bool {
        self.shared.is_cancelled.load(Ordering::Relaxed)
    }

    /// What comes next; nothing at the end.
    fn next(&mut self) -> io::Result<&[u8]> {
        let dealt_with = self.part.len();
        if dealt_with > 0 {
            let before = self.shared.waiting_bytes.fetch_sub(dealt_with, Ordering::Relaxed);
            if before >= WAITING_BYTES_MAX && before - dealt_with < WAITING_BYTES_MAX {
                // The reactor would find out by itself, a little later.
                let _ = self.waker.wake();
            }
            self.part = Vec::new();
        }
        self.at = 0;
        if !self.has_ended {
            match self.parts.recv() {
                Ok(Part::Bytes(bytes)) => self.part = bytes,
                Ok(Part::End) => self.has_ended = true,
                Err(mpsc::RecvError) => return Err(given_up()),
            }
        }
        if self.is_cancelled() { Err(given_up()) } else { Ok(&self.part) }
    }
}

impl Read for Incoming {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while self.at == self.part.len() && !self.has_ended {
            self.next()?;
        }
        let rest = &self.part[self.at..];
        let count = rest.len().min(buf.len());
        buf[..count].copy_from_slice(&rest[..count]);
        self.at += count;
        Ok(count)
    }
}

/// A file that is read until the snapshot is given up.
struct Stored<'a> {
    file: File,
    incoming: &'a Incoming,
}

impl Read for Stored<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.incoming.is_cancelled() {
            return Err(given_up());
        }
        self.file.read(buf)
    }
}

/// The thread's work.
fn take(
    plan: Plan,
    stored: Option<NewFile>,
    mut incoming: Incoming,
    config: &Config,
    progress: &Progress,
) -> Result<Outcome, String> {
    let shared = Arc::clone(&incoming.shared);
    let sleep = |micros| pause(micros, &shared);
    let loading = Loading { config, progress, sleep: &sleep };
    match plan {
        Plan::Store => store(&mut incoming, config).map(Outcome::Stored),
        // However many bytes the primary says there are, they have to come first.
        Plan::Load(keyspace) => loading.load(&mut incoming, keyspace, None),
        Plan::LoadStored(keyspace) => {
            let file = stored.ok_or("No snapshot was received")?;
            file.commit().map_err(|error| error.to_string())?;
            loading.load_stored(&incoming, keyspace)
        }
    }
}

fn store(incoming: &mut Incoming, config: &Config) -> Result<NewFile, String> {
    let path = config.dbfilename.as_path();
    let seconds = clock::unix_ms() / 1000;
    let temporary = format!("temp-{seconds}.{}.rdb", std::process::id());
    let mut stored = || {
        let mut file = NewFile::create(path, &temporary, Sync::Gradually)?;
        loop {
            let bytes = incoming.next()?;
            if bytes.is_empty() {
                break;
            }
            file.write_all(bytes)?;
        }
        Ok(file)
    };
    let stored: io::Result<NewFile> = stored();
    stored.map_err(|error| {
        format!("Write error or short write writing to the MASTER <-> REPLICA sync file: {error}")
    })
}

/// How a snapshot is loaded.
struct Loading<'a> {
    config: &'a Config,
    progress: &'a Progress,
    sleep: &'a dyn Fn(u64),
}

impl Loading<'_> {
    fn load_stored(&self, incoming: &Incoming, keyspace: Keyspace) -> Result<Outcome, String> {
        let config = self.config;
        let path = config.dbfilename.as_path();
        let opened = File::open(path).and_then(|file| Ok((file.metadata()?.len(), file)));
        let (bytes, file) = opened.map_err(|error| format!("{}: {error}", path.display()))?;
        let arrived = self.load(Stored { file, incoming }, keyspace, Some(bytes));
        let is_kept = !config.save.is_empty() || config.appendonly;
        if config.rdb_del_sync_files && !is_kept {
            tracing::info!("Removing the RDB file used to sync from the MASTER");
            if let Err(error) = fs::remove_file(path) {
                tracing::warn!("{} cannot be removed: {error}", path.display());
            }
        }
        arrived
    }

    fn load<R: Read>(
        &self,
        input: R,
        mut keyspace: Keyspace,
        bytes: Option<u64>,
    ) -> Result<Outcome, String> {
        let started = Instant::now();
        keyspace.set_now(num::i64_clamped(clock::unix_ms()));
        let Self { config, progress, sleep } = self;
        let loaded = persist::load_received(input, keyspace, bytes, config, progress, sleep)?;
        let seconds = started.elapsed().as_secs_f64();
        tracing::info!("DB loaded from the MASTER: {seconds:.3} seconds");
        Ok(Outcome::Loaded(Box::new(loaded)))
    }
}

/// Waits as a test asked for, microseconds, unless it is no longer wanted.
fn pause(micros: u64, shared: &Shared) {
    let started = Instant::now();
    loop {
        let wanted = u64::from(shared.delay_us_max.load(Ordering::Relaxed)).min(micros);
        let left = Duration::from_micros(wanted).saturating_sub(started.elapsed());
        if left.is_zero() || shared.is_cancelled.load(Ordering::Relaxed) {
            return;
        }
        thread::sleep(left.min(PAUSE_STEP));
    }
}
