//! A simulated machine: children and loads that take their time, and a disk that outlives the server.

use std::any::Any;
use std::cell::Cell;
use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Cursor, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use carnelian::command::host::{
    AppendOnlyFile, Arrived, CertificateFacts, ChildEnd, ChildKind, ChildProgress, Collation,
    CpuUse, Crash, Facts, Forked, Host, Intake, MemoryUse, NewFile, Plan, Relocations, Write,
};
use carnelian::command::persist::{self, Loaded, Origin};
use carnelian::command::server::Now;
use carnelian::config::{Config, Trigger};
use carnelian::ds::relocate::{Nothing, Relocator};
use carnelian::os::aof::{AppendLog, Disk, load};
use carnelian::persist::Progress;
use carnelian::persist::rdb;
use carnelian::repl::{Answer, SpillFile};
use carnelian::store::Keyspace;

use crate::disk::{Drive, Late};
use crate::rng::Rng;

/// The snapshot's file.
const DUMP: &str = "dump.rdb";
/// A child, or a load, takes between so many milliseconds.
const WORK_MS: (usize, usize) = (5, 3000);

/// Work that is done at some time.
#[derive(Debug)]
struct Later<T> {
    at_ms: u64,
    result: T,
}

/// A file of older bytes of the stream: slow at times, and full or broken now and then.
#[derive(Debug)]
struct Spill {
    clock: Rc<Cell<u64>>,
    rng: Rng,
    bytes: BTreeMap<u64, Vec<u8>>,
    answers: VecDeque<Later<Answer>>,
}

impl Spill {
    fn answer(&mut self, result: Answer) {
        let last_ms = self.answers.back().map_or(0, |last| last.at_ms);
        let took_ms = if self.rng.chance(10) { 2000 } else { 5 };
        let at_ms = last_ms.max(self.clock.get() + took_ms);
        self.answers.push_back(Later { at_ms, result });
    }
}

impl SpillFile for Spill {
    fn write(&mut self, at: u64, bytes: Arc<Vec<u8>>) {
        let written = if self.rng.chance(3) {
            Err("No space left on device".to_owned())
        } else {
            self.bytes.insert(at, bytes.to_vec());
            Ok(())
        };
        self.answer(Answer::Written(written));
    }

    fn read(&mut self, at: u64, len: usize) {
        let is_broken = self.rng.chance(1);
        let bytes = self.bytes.get(&at).filter(|_| !is_broken).and_then(|bytes| bytes.get(..len));
        let bytes = bytes.map(<[u8]>::to_vec).ok_or_else(|| "Input/output error".to_owned());
        self.answer(Answer::Read(bytes));
    }

    fn poll(&mut self) -> Option<Answer> {
        let is_due = self.answers.front().is_some_and(|first| first.at_ms <= self.clock.get());
        is_due.then(|| self.answers.pop_front()).flatten().map(|first| first.result)
    }
}

#[derive(Debug)]
struct Child {
    path: PathBuf,
    bytes: Vec<u8>,
}

/// What a child writes little by little.
#[derive(Debug)]
struct Pipe {
    begun_ms: u64,
    done_ms: u64,
    bytes: Vec<u8>,
    read: usize,
}

impl Pipe {
    /// Takes what the child has written by now.
    fn read(&mut self, now_ms: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.bytes.len();
        let (elapsed, whole) = (now_ms - self.begun_ms, self.done_ms - self.begun_ms);
        let share = num_of(elapsed.min(whole)) * len / num_of(whole).max(1);
        let written = if elapsed >= whole { len } else { share };
        if self.read == written && written < len {
            return Err(ErrorKind::WouldBlock.into());
        }
        let count = (written - self.read).min(buffer.len());
        buffer[..count].copy_from_slice(&self.bytes[self.read..self.read + count]);
        self.read += count;
        Ok(count)
    }
}

fn num_of(millis: u64) -> usize {
    usize::try_from(millis).expect("a run is short")
}

/// The machine of one server.
#[derive(Debug)]
pub(crate) struct Machine {
    facts: Facts,
    drive: Drive,
    late: Late,
    /// Milliseconds, set by who lets time pass.
    clock: Rc<Cell<u64>>,
    child: Option<Later<Child>>,
    pipe: Option<Pipe>,
    progress: Progress,
    loader: Loader,
    /// What the server finds when it starts, and the log that goes on from it.
    loaded: Option<(Loaded, AppendLog<Drive>)>,
    log: Option<AppendLog<Drive>>,
    relocator: Nothing,
    rng: Rng,
}

impl Machine {
    pub(crate) fn new(drive: Drive, clock: Rc<Cell<u64>>, mut rng: Rng) -> Machine {
        let run_id = (0..40).map(|_| char::from(b"0123456789abcdef"[rng.below(16)])).collect();
        let loader = Loader {
            drive: drive.clone(),
            clock: Rc::clone(&clock),
            rng: Rng::new(rng.next(), 1),
            config: Config::default(),
            received: Vec::new(),
            stored: None,
            plan: None,
            result: None,
        };
        Machine {
            facts: Facts { run_id, ..Facts::default() },
            late: Late::new(drive.clone(), Rc::clone(&clock), Rng::new(rng.next(), 5)),
            drive,
            clock,
            child: None,
            pipe: None,
            progress: Progress::new(),
            loader,
            loaded: None,
            log: None,
            relocator: Nothing::default(),
            rng,
        }
    }

    /// Loads what the disk holds, and begins to log; or what is wrong.
    #[expect(clippy::arc_with_non_send_sync, reason = "real disks are used by several threads")]
    pub(crate) fn load(
        &mut self,
        keyspace: Keyspace,
        config: &Config,
        now: Now,
    ) -> Result<(), String> {
        let mut log = AppendLog::new(Arc::new(self.drive.clone()), self.late.clone(), config);
        let loaded = load_own(&self.drive, &mut log, keyspace, config, now)?;
        self.loaded = Some((loaded, log));
        Ok(())
    }

    /// Brings the log to disk.
    pub(crate) fn late(&self) -> Late {
        self.late.clone()
    }

    fn done_at_ms(&mut self) -> u64 {
        done_at_ms(&self.clock, &mut self.rng)
    }
}

fn done_at_ms(clock: &Cell<u64>, rng: &mut Rng) -> u64 {
    let (least, most) = WORK_MS;
    clock.get() + u64::try_from(rng.between(least, most)).expect("small")
}

/// Loads what a server finds when it starts, and opens the log.
fn load_own(
    drive: &Drive,
    log: &mut AppendLog<Drive>,
    keyspace: Keyspace,
    config: &Config,
    now: Now,
) -> Result<Loaded, String> {
    if config.appendonly {
        load::find(log)?;
    }
    let snapshot = drive.read_file(Path::new(DUMP)).ok();
    let loaded = match snapshot.filter(|_| log.manifest().is_empty()) {
        Some(bytes) => load_snapshot(&bytes, keyspace, config)?,
        None => load::load(config, log, keyspace, &Progress::new(), now)?,
    };
    if config.appendonly {
        let write_base = |path: &Path| {
            let mut bytes = Vec::new();
            load::write_base(config, &loaded, &mut bytes)?;
            drive.put(path, bytes)
        };
        log.open_at_start(write_base, config)?;
        let _nothing_given = log.poll(now);
    }
    Ok(loaded)
}

fn load_snapshot(bytes: &[u8], mut keyspace: Keyspace, config: &Config) -> Result<Loaded, String> {
    let len = u64::try_from(bytes.len()).expect("memory is bounded");
    let mut options = persist::load_options(config, &keyspace, len, &|_| ());
    if config.replicaof.is_some() {
        options.expired = rdb::Expired::Keep;
    } else {
        keyspace.removals.start();
    }
    let loaded = rdb::load(bytes, &mut keyspace, &options, &Progress::new());
    let loaded = loaded.map_err(|error| error.to_string())?;
    let origin = Origin::of(&loaded.aux);
    let rdb::Loaded { libraries, keys, expired, .. } = loaded;
    Ok(Loaded { keyspace, libraries, keys, expired, origin })
}

/// Loads what a primary has sent.
fn load_received(bytes: &[u8], keyspace: Keyspace, config: &Config) -> Result<Arrived, String> {
    let len = u64::try_from(bytes.len()).ok();
    let loaded = persist::load_received(bytes, keyspace, len, config, &Progress::new(), &|_| ())?;
    Ok(Arrived::Loaded(Box::new(loaded)))
}

/// Takes snapshots that primaries send.
#[derive(Debug)]
struct Loader {
    drive: Drive,
    clock: Rc<Cell<u64>>,
    rng: Rng,
    config: Config,
    received: Vec<u8>,
    /// A snapshot that is complete and has no name yet.
    stored: Option<Vec<u8>>,
    plan: Option<Plan>,
    result: Option<Later<Result<Arrived, String>>>,
}

impl Intake for Loader {
    fn begin(&mut self, plan: Plan, config: &Config) -> Result<Arc<Progress>, String> {
        let stored = self.stored.take();
        self.cancel();
        self.config = config.clone();
        if let Plan::LoadStored(keyspace) = plan {
            let bytes = stored.ok_or("there is no snapshot")?;
            let result = load_received(&bytes, keyspace, config);
            self.drive.put(Path::new(DUMP), bytes).map_err(|error| error.to_string())?;
            let at_ms = done_at_ms(&self.clock, &mut self.rng);
            self.result = Some(Later { at_ms, result });
        } else {
            self.plan = Some(plan);
        }
        Ok(Arc::new(Progress::new()))
    }

    fn give(&mut self, bytes: &[u8]) {
        self.received.extend_from_slice(bytes);
    }

    fn end(&mut self) {
        let bytes = std::mem::take(&mut self.received);
        let result = match self.plan.take() {
            Some(Plan::Store) => {
                self.stored = Some(bytes);
                Ok(Arrived::Stored)
            }
            Some(Plan::Load(keyspace)) => load_received(&bytes, keyspace, &self.config),
            Some(Plan::LoadStored(_)) | None => return,
        };
        self.result = Some(Later { at_ms: done_at_ms(&self.clock, &mut self.rng), result });
    }

    fn poll(&mut self, _: &Config) -> Option<Result<Arrived, String>> {
        let now_ms = self.clock.get();
        self.result.take_if(|later| later.at_ms <= now_ms).map(|later| later.result)
    }

    fn cancel(&mut self) {
        self.received.clear();
        self.stored = None;
        self.plan = None;
        self.result = None;
    }
}

fn unsupported<T>() -> io::Result<T> {
    Err(ErrorKind::Unsupported.into())
}

impl Host for Machine {
    fn memory(&mut self) -> MemoryUse {
        MemoryUse { allocated: 1 << 20, active: 2 << 20, resident: 3 << 20, ..MemoryUse::default() }
    }
    fn allocated(&mut self) -> u64 {
        1 << 20
    }
    fn cpu(&self) -> CpuUse {
        CpuUse::default()
    }
    fn facts(&self) -> &Facts {
        &self.facts
    }
    fn apply(&mut self, _: Trigger, _: &Config) -> Result<(), String> {
        Ok(())
    }
    fn read_file(&mut self, path: &Path) -> io::Result<Vec<u8>> {
        self.drive.read_file(path)
    }
    fn replace_file(&mut self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.drive.put(path, bytes.to_vec())
    }
    fn fill_random(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        buffer.copy_from_slice(&self.rng.bytes(buffer.len()));
        Ok(())
    }
    fn open_file(&mut self, path: &Path) -> io::Result<(Box<dyn Read>, u64)> {
        let bytes = self.read_file(path)?;
        let len = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        Ok((Box::new(Cursor::new(bytes)), len))
    }
    fn write_file(&mut self, file: NewFile<'_>, write: &mut Write<'_>) -> io::Result<()> {
        let mut bytes = Vec::new();
        write(&mut bytes, &self.progress)?;
        self.replace_file(file.path, &bytes)
    }
    fn write_file_in_child(
        &mut self,
        _: ChildKind,
        file: NewFile<'_>,
        write: &mut Write<'_>,
    ) -> io::Result<Forked> {
        let mut bytes = Vec::new();
        write(&mut bytes, &self.progress)?;
        let child = Child { path: file.path.to_owned(), bytes };
        self.child = Some(Later { at_ms: self.done_at_ms(), result: child });
        Ok(Forked { pid: 1234, took_us: 5 })
    }
    fn remove_file(&mut self, path: &Path) -> io::Result<()> {
        Disk::remove(&self.drive, path)
    }
    fn write_pipe_in_child(&mut self, write: &mut Write<'_>) -> io::Result<Forked> {
        let mut bytes = Vec::new();
        write(&mut bytes, &self.progress)?;
        let at_ms = self.done_at_ms();
        self.pipe = Some(Pipe { begun_ms: self.clock.get(), done_ms: at_ms, bytes, read: 0 });
        self.child =
            Some(Later { at_ms, result: Child { path: PathBuf::new(), bytes: Vec::new() } });
        Ok(Forked { pid: 1234, took_us: 5 })
    }
    fn read_pipe(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(pipe) = &mut self.pipe else { return Ok(0) };
        pipe.read(self.clock.get(), buffer)
    }
    fn close_pipe(&mut self) {
        self.pipe = None;
    }
    fn child_progress(&self) -> ChildProgress {
        ChildProgress { keys: self.progress.keys(), ..ChildProgress::default() }
    }
    fn take_child_end(&mut self) -> Option<ChildEnd> {
        let now_ms = self.clock.get();
        let Child { path, bytes } = self.child.take_if(|child| child.at_ms <= now_ms)?.result;
        if path.as_os_str().is_empty() {
            return Some(ChildEnd::Done);
        }
        Some(match self.drive.put(&path, bytes) {
            Ok(()) => ChildEnd::Done,
            Err(_) => ChildEnd::Failed,
        })
    }
    fn stop_child(&mut self) {
        self.child = None;
        self.pipe = None;
    }
    fn intake(&mut self) -> Option<&mut dyn Intake> {
        Some(&mut self.loader)
    }
    fn spill_file(&mut self) -> Result<Box<dyn SpillFile>, String> {
        Ok(Box::new(Spill {
            clock: Rc::clone(&self.clock),
            rng: Rng::new(self.rng.next(), 4),
            bytes: BTreeMap::new(),
            answers: VecDeque::new(),
        }))
    }
    fn certificates(&self) -> CertificateFacts {
        CertificateFacts::default()
    }
    fn forget_signal(&mut self) {}
    fn announce_ready(&mut self) {}
    fn load_log(&mut self, _: Keyspace, _: &Config) -> Result<Loaded, String> {
        Err("there is none".to_owned())
    }
    fn append_only_file(&self) -> Option<&dyn AppendOnlyFile> {
        self.log.as_ref().map(|log| -> &dyn AppendOnlyFile { log })
    }
    fn append_only_file_mut(&mut self) -> Option<&mut dyn AppendOnlyFile> {
        self.log.as_mut().map(|log| -> &mut dyn AppendOnlyFile { log })
    }
    fn take_loaded(&mut self) -> Option<Result<Loaded, String>> {
        let (loaded, log) = self.loaded.take()?;
        self.log = Some(log);
        Some(Ok(loaded))
    }
    fn drop_later(&mut self, garbage: Box<dyn Any + Send>) {
        drop(garbage);
    }
    fn drops_pending(&self) -> u64 {
        0
    }
    fn sleeper(&self) -> fn(Duration) {
        |_| ()
    }
    fn relocator(&mut self) -> &mut dyn Relocator {
        &mut self.relocator
    }
    fn relocations(&self) -> Relocations {
        Relocations::default()
    }
    fn purge_memory(&mut self) -> io::Result<()> {
        Ok(())
    }
    fn allocator_number(&mut self, _: &str, _: Option<i64>) -> io::Result<i64> {
        unsupported()
    }
    fn allocator_text(&mut self, _: &str, _: Option<&str>) -> io::Result<Option<String>> {
        unsupported()
    }
    fn allocator_report(&mut self) -> String {
        String::new()
    }
    fn crash(&mut self, _: Crash) {}
    fn utc_offset_s(&self, _: i64) -> i32 {
        0
    }
    fn collation(&self) -> Collation {
        Collation::Bytes
    }
    fn put_collation_key(&self, text: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(text);
    }
}
