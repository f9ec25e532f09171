//! What the kernel says about a process: CPU time, resident memory and descendants.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use crate::daemon::Failure;

/// CPU time of all threads of a process since each began, user and system, in nanoseconds.
///
/// `/proc/PID/stat` holds the same in ticks of 10 ms; the scheduler's own counters are finer. A
/// thread that ends takes its share with it, so take the difference over a stretch of steady work.
pub(crate) fn cpu_ns(pid: u32) -> Result<u64, Failure> {
    let folder = PathBuf::from(format!("/proc/{pid}/task"));
    let what = || format!("reading {}", folder.display());
    let mut total = 0;
    for entry in fs::read_dir(&folder).map_err(Failure::io(what()))? {
        let path = entry.map_err(Failure::io(what()))?.path().join("schedstat");
        // A thread may end between the listing and the reading.
        if let Ok(text) = fs::read_to_string(path) {
            total += field(&text, 0)?;
        }
    }
    Ok(total)
}

/// CPU time of a process, user and system, in nanoseconds: threads that have ended count as well, but
/// the kernel counts in ticks of 10 ms.
pub(crate) fn cpu_ns_by_ticks(pid: u32) -> Result<u64, Failure> {
    ticks_ns(pid, [11, 12])
}

/// As [`cpu_ns_by_ticks`], with the children that have ended and were waited for.
pub(crate) fn family_cpu_ns(pid: u32) -> Result<u64, Failure> {
    ticks_ns(pid, [11, 12, 13, 14])
}

/// The sum of some fields of a `stat` file.
fn ticks_ns<const COUNT: usize>(pid: u32, indexes: [usize; COUNT]) -> Result<u64, Failure> {
    const TICK_NS: u64 = 10_000_000; // USER_HZ is 100 on every architecture that these servers run on
    let path = format!("/proc/{pid}/stat");
    let text = fs::read_to_string(&path).map_err(Failure::io(format!("reading {path}")))?;
    let mut ticks = 0;
    for index in indexes {
        ticks += field(after_name(&text), index)?;
    }
    Ok(ticks * TICK_NS)
}

/// Resident memory in bytes, exact: `statm` lags behind by up to 64 pages for each core.
pub(crate) fn resident_bytes(pid: u32) -> Result<u64, Failure> {
    memory_bytes(pid, &["Rss:"])
}

/// Memory in bytes that a process shares with nobody: what it costs beside those it was forked from.
pub(crate) fn private_bytes(pid: u32) -> Result<u64, Failure> {
    memory_bytes(pid, &["Private_Clean:", "Private_Dirty:"])
}

/// The sum of some lines of `smaps_rollup`.
fn memory_bytes(pid: u32, names: &[&str]) -> Result<u64, Failure> {
    let path = format!("/proc/{pid}/smaps_rollup");
    let text = fs::read_to_string(&path).map_err(Failure::io(format!("reading {path}")))?;
    let mut total = 0;
    for name in names {
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .ok_or_else(|| Failure::Other(format!("{path} has no {name} line")))?;
        total += field(line, 0)? * 1024;
    }
    Ok(total)
}

/// The processes that `pid` has started, and those that they have started, as far as they still run.
pub(crate) fn descendants(pid: u32) -> Result<Vec<u32>, Failure> {
    let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for entry in fs::read_dir("/proc").map_err(Failure::io("listing processes"))? {
        let name = entry.map_err(Failure::io("listing processes"))?.file_name();
        let Some(child) = name.to_str().and_then(|name| name.parse().ok()) else { continue };
        // A process may end between the listing and the reading.
        let Ok(text) = fs::read_to_string(format!("/proc/{child}/stat")) else { continue };
        if let Ok(parent) = u32::try_from(field(after_name(&text), 1)?) {
            children.entry(parent).or_default().push(child);
        }
    }
    let mut found = children.remove(&pid).unwrap_or_default();
    let mut next = 0;
    while let Some(&parent) = found.get(next) {
        found.extend(children.remove(&parent).unwrap_or_default());
        next += 1;
    }
    Ok(found)
}

/// The fields of a `stat` file behind the name, which may hold anything: state, parent, ….
fn after_name(stat: &str) -> &str {
    stat.rsplit_once(')').map_or(stat, |(_, fields)| fields)
}

/// The scheduler's counter of the time that one thread has run.
pub(crate) struct RunTime {
    file: File,
}

impl RunTime {
    /// Of the main thread of process `pid`.
    pub(crate) fn of_process(pid: u32) -> Result<RunTime, Failure> {
        let path = format!("/proc/{pid}/schedstat");
        let file = File::open(&path).map_err(Failure::io(format!("opening {path}")))?;
        Ok(RunTime { file })
    }

    /// Nanoseconds so far. While the thread runs, what it ran since it last slept may be missing.
    pub(crate) fn read_ns(&self) -> Result<u64, Failure> {
        let mut buffer = [0; 96];
        let length =
            self.file.read_at(&mut buffer, 0).map_err(Failure::io("reading a schedstat file"))?;
        let text = str::from_utf8(&buffer[..length])
            .map_err(|_| Failure::Other("a schedstat file is not text".to_owned()))?;
        field(text, 0)
    }
}

fn field(text: &str, index: usize) -> Result<u64, Failure> {
    text.split_ascii_whitespace()
        .nth(index)
        .and_then(|word| word.parse().ok())
        .ok_or_else(|| Failure::Other(format!("no number in field {index} of {text:?}")))
}
