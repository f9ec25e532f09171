//! A machine of which nothing is real, and which can be told to fail.

use carnelian::command::following::AtOnce;
use carnelian::command::host::{
    AppendOnlyFile, CertificateFacts, ChildEnd, ChildKind, ChildProgress, Collation, CpuUse, Crash,
    Facts, Forked, Host, Intake, MemoryUse, NewFile, Relocations, Write,
};
use carnelian::command::persist::Loaded;
use carnelian::config::{Config, Trigger};
#[cfg(not(fuzzing))]
use carnelian::ds::relocate::Nothing as Mover;
use carnelian::ds::relocate::Relocator;
#[cfg(fuzzing)]
use carnelian::ds::relocate::testing::Everything as Mover;
use carnelian::persist::Progress;
use carnelian::store::Keyspace;
use std::any::Any;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::{self, Cursor, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

thread_local! {
    static TICKS: Cell<u64> = const { Cell::new(0) };
}

/// Nanoseconds between two looks at the clock.
const TICK_NS: u64 = 1000;

/// A clock that goes on each time it is looked at, so that runs can be repeated.
pub fn ticks() -> u64 {
    TICKS.set(TICKS.get() + TICK_NS);
    TICKS.get()
}

/// The machine.
#[derive(Debug)]
pub struct FlakyHost {
    facts: Facts,
    files: BTreeMap<PathBuf, Vec<u8>>,
    failing: Rc<Cell<bool>>,
    progress: Progress,
    child_end: Option<ChildEnd>,
    mover: Mover,
    intake: AtOnce,
}

impl FlakyHost {
    /// A machine that fails while the cell says so. Its clock starts anew.
    pub fn new(failing: Rc<Cell<bool>>) -> Self {
        TICKS.set(0);
        let facts = Facts { config_file: "/redis.conf".to_owned(), ..Facts::default() };
        let files = [(PathBuf::from("/redis.conf"), b"# empty\nhz 20\n".to_vec())].into();
        Self {
            facts,
            files,
            failing,
            progress: Progress::new(),
            child_end: None,
            mover: Mover::default(),
            intake: AtOnce::default(),
        }
    }

    fn check(&self) -> io::Result<()> {
        if self.failing.get() { Err(ErrorKind::PermissionDenied.into()) } else { Ok(()) }
    }
}

impl Host for FlakyHost {
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

    fn certificates(&self) -> CertificateFacts {
        CertificateFacts::default()
    }
    fn apply(&mut self, _: Trigger, _: &Config) -> Result<(), String> {
        self.check().map_err(|error| error.to_string())
    }

    fn read_file(&mut self, path: &Path) -> io::Result<Vec<u8>> {
        self.check()?;
        self.files.get(path).cloned().ok_or_else(|| ErrorKind::NotFound.into())
    }

    fn replace_file(&mut self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.check()?;
        self.files.insert(path.to_owned(), bytes.to_vec());
        Ok(())
    }

    fn fill_random(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        buffer.fill(0);
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
        self.check()?;
        let written = self.write_file(file, write);
        self.child_end = Some(if written.is_ok() { ChildEnd::Done } else { ChildEnd::Failed });
        Ok(Forked { pid: 1234, took_us: 5 })
    }

    fn child_progress(&self) -> ChildProgress {
        ChildProgress { keys: self.progress.keys(), ..ChildProgress::default() }
    }

    fn take_child_end(&mut self) -> Option<ChildEnd> {
        self.child_end.take()
    }

    fn stop_child(&mut self) {
        self.child_end = None;
    }

    fn forget_signal(&mut self) {}

    fn announce_ready(&mut self) {}

    fn load_log(&mut self, _keyspace: Keyspace, _config: &Config) -> Result<Loaded, String> {
        Err("there is none".to_owned())
    }
    fn append_only_file(&self) -> Option<&dyn AppendOnlyFile> {
        None
    }
    fn append_only_file_mut(&mut self) -> Option<&mut dyn AppendOnlyFile> {
        None
    }
    fn take_loaded(&mut self) -> Option<Result<Loaded, String>> {
        None
    }

    fn intake(&mut self) -> Option<&mut dyn Intake> {
        Some(&mut self.intake)
    }

    fn drop_later(&mut self, garbage: Box<dyn Any + Send>) {
        drop(garbage);
    }

    fn drops_pending(&self) -> u64 {
        0
    }

    fn sleeper(&self) -> fn(Duration) {
        |time| {
            let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
            TICKS.set(TICKS.get().saturating_add(nanos).min(1 << 62));
        }
    }

    fn relocator(&mut self) -> &mut dyn Relocator {
        &mut self.mover
    }

    fn relocations(&self) -> Relocations {
        Relocations { moved: self.mover.moved(), kept: 0 }
    }

    fn purge_memory(&mut self) -> io::Result<()> {
        self.check()
    }

    fn allocator_number(&mut self, _: &str, value: Option<i64>) -> io::Result<i64> {
        self.check().map(|()| value.unwrap_or(7))
    }

    fn allocator_text(&mut self, name: &str, _: Option<&str>) -> io::Result<Option<String>> {
        self.check().map(|()| Some(name.to_owned()))
    }

    fn allocator_report(&mut self) -> String {
        "nothing to report".to_owned()
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
