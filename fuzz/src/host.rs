//! A machine of which nothing is real, and which can be told to fail.

use carnelian::command::host::{CpuUse, Crash, Facts, Host, MemoryUse};
use carnelian::config::{Config, Trigger};
use std::any::Any;
use std::cell::Cell;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::rc::Rc;

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
}

impl FlakyHost {
    /// A machine that fails while the cell says so. Its clock starts anew.
    pub fn new(failing: Rc<Cell<bool>>) -> Self {
        TICKS.set(0);
        let facts = Facts { config_file: "/redis.conf".to_owned(), ..Facts::default() };
        let files = [(PathBuf::from("/redis.conf"), b"# empty\nhz 20\n".to_vec())].into();
        Self { facts, files, failing }
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

    fn drop_later(&mut self, garbage: Box<dyn Any + Send>) {
        drop(garbage);
    }

    fn drops_pending(&self) -> u64 {
        0
    }

    fn sleep(&mut self, micros: u64) {
        TICKS.set(TICKS.get().saturating_add(micros.saturating_mul(1000)).min(1 << 62));
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

    fn collate(&self, a: &[u8], b: &[u8]) -> Ordering {
        a.cmp(b)
    }
}
