//! What the kernel says about a process: CPU time and resident memory.

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

/// Resident memory in bytes, exact: `statm` lags behind by up to 64 pages for each core.
pub(crate) fn resident_bytes(pid: u32) -> Result<u64, Failure> {
    let path = format!("/proc/{pid}/smaps_rollup");
    let text = fs::read_to_string(&path).map_err(Failure::io(format!("reading {path}")))?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("Rss:"))
        .ok_or_else(|| Failure::Other(format!("{path} has no Rss line")))?;
    Ok(field(line, 0)? * 1024)
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
