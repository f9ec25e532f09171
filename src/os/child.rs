//! Child processes: a fork has the data as they were at that moment, for as long as it takes to write
//! them to a file.
//!
//! A child runs on the one thread that called `fork`. It allocates (the allocator takes its locks at the
//! fork and gives them back on both sides) and logs (without a lock); it never touches a socket.

use super::{clock, log, signal};
use crate::base::num;
use crate::command::host::{ChildEnd, ChildKind, ChildProgress, Forked};
use crate::persist::Progress;
use std::fs;
use std::io;
use std::os::fd::AsRawFd;
use std::panic::{self, AssertUnwindSafe};
use std::ptr;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// The memory that a child does not share is measured this often, milliseconds: the kernel walks its
/// page tables.
const MEASURE_MS: u64 = 1000;
/// Status of a child that could not write its file.
const FAILED_STATUS: i32 = 1;

/// What a child tells its parent, in memory that both see.
#[derive(Debug, Default)]
struct Shared {
    progress: Progress,
    cow_bytes: AtomicU64,
    cow_peak_bytes: AtomicU64,
    measured_at_s: AtomicI64,
}

/// The children of a process, one at a time.
#[derive(Debug)]
pub struct Children {
    shared: &'static Shared,
    current: Option<Child>,
}

#[derive(Clone, Copy, Debug)]
struct Child {
    pid: libc::pid_t,
}

/// What a child is given besides its work: it says how far it is.
#[derive(Debug)]
pub struct Reporter {
    shared: &'static Shared,
    next_measure_ms: u64,
    cow_sum_bytes: u64,
    measures: u64,
}

impl Children {
    /// None yet.
    ///
    /// # Errors
    /// The system has no memory to share.
    pub fn new() -> io::Result<Self> {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_SHARED | libc::MAP_ANONYMOUS;
        // SAFETY: a new mapping, wherever the kernel likes; it is never unmapped.
        let page =
            unsafe { libc::mmap(ptr::null_mut(), size_of::<Shared>(), protection, flags, -1, 0) };
        if page == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let shared = page.cast::<Shared>();
        // SAFETY: the mapping is writable, page-aligned, large enough, and nobody else has it.
        unsafe { shared.write(Shared::default()) };
        // SAFETY: initialised just now, of atomics only, and mapped for as long as the process lives.
        let shared = unsafe { &*shared };
        Ok(Self { shared, current: None })
    }

    /// Forks. In the child, runs `work`, and ends with a status that says whether it succeeded.
    ///
    /// # Errors
    /// The system has no process to give.
    pub fn start(
        &mut self,
        kind: ChildKind,
        work: &mut dyn FnMut(&mut Reporter) -> io::Result<()>,
    ) -> io::Result<Forked> {
        debug_assert!(self.current.is_none(), "one child at a time");
        self.shared.reset();
        let parent = std::process::id();
        let started_ns = clock::monotonic_ns();
        // SAFETY: the child relies on no other thread: the allocator is ready for a fork, the log takes
        // no lock, and everything else it touches is data that this thread owns.
        let pid = unsafe { libc::fork() };
        if pid < 0 {
            return Err(io::Error::last_os_error());
        }
        if pid == 0 {
            let status = run_child(parent, Reporter::new(self.shared), kind, work);
            // SAFETY: no preconditions. Nothing of the parent's is flushed or closed.
            unsafe { libc::_exit(status) }
        }
        self.current = Some(Child { pid });
        let took_us = (clock::monotonic_ns() - started_ns) / 1000;
        Ok(Forked { pid: pid.unsigned_abs(), took_us })
    }

    /// How far the child is, or the last one was.
    pub fn progress(&self) -> ChildProgress {
        ChildProgress {
            keys: self.shared.progress.keys(),
            cow_bytes: self.shared.cow_bytes.load(Ordering::Relaxed),
            cow_peak_bytes: self.shared.cow_peak_bytes.load(Ordering::Relaxed),
            measured_at_s: self.shared.measured_at_s.load(Ordering::Relaxed),
        }
    }

    /// How the child ended, if it has.
    pub fn take_end(&mut self) -> Option<ChildEnd> {
        let child = self.current?;
        let end = wait(child.pid, libc::WNOHANG)?;
        self.current = None;
        Some(end)
    }

    /// Tells the child to give up and waits until it is gone. Its number is the result.
    pub fn stop(&mut self) -> Option<u32> {
        let child = self.current.take()?;
        // SAFETY: no memory is involved; the child has not been waited for, so the number is still its.
        unsafe { libc::kill(child.pid, libc::SIGUSR1) };
        // A stopped child would never see the signal.
        // SAFETY: as above.
        unsafe { libc::kill(child.pid, libc::SIGCONT) };
        wait(child.pid, 0);
        Some(child.pid.unsigned_abs())
    }
}

/// Bytes that a pipe for a snapshot should hold.
const PIPE_BYTES: libc::c_int = 1 << 20;

/// Lets a pipe hold more than usual, so that the two at its ends take turns less often. It works without.
pub fn enlarge_pipe(end: &impl AsRawFd) {
    // SAFETY: no memory is involved; the descriptor is open as long as it is borrowed.
    unsafe { libc::fcntl(end.as_raw_fd(), libc::F_SETPIPE_SZ, PIPE_BYTES) };
}

/// How a child ended; `None` if it has not.
fn wait(pid: libc::pid_t, flags: libc::c_int) -> Option<ChildEnd> {
    let mut status = 0;
    loop {
        // SAFETY: `status` is live.
        let waited = unsafe { libc::waitpid(pid, &raw mut status, flags) };
        if waited == pid {
            break;
        }
        if waited == 0 {
            return None;
        }
        if io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
            return Some(ChildEnd::Failed); // somebody else has waited for it: nothing is known
        }
    }
    Some(if libc::WIFSIGNALED(status) {
        match libc::WTERMSIG(status) {
            libc::SIGUSR1 => ChildEnd::GaveUp,
            signal => ChildEnd::Killed(signal),
        }
    } else {
        match libc::WEXITSTATUS(status) {
            0 => ChildEnd::Done,
            signal::CHILD_GAVE_UP_STATUS => ChildEnd::GaveUp,
            _ => ChildEnd::Failed,
        }
    })
}

/// How much a child gives way to others, steps of niceness.
const NICENESS: i32 = 10;

/// The child's whole life; its exit status.
fn run_child(
    parent: u32,
    mut reporter: Reporter,
    kind: ChildKind,
    work: &mut dyn FnMut(&mut Reporter) -> io::Result<()>,
) -> i32 {
    // A child that outlives a killed server would put old data in the place of newer.
    // SAFETY: no memory is involved.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
    // SAFETY: no preconditions.
    if unsafe { libc::getppid() }.unsigned_abs() != parent {
        return FAILED_STATUS; // the parent was gone before that
    }
    signal::install_child();
    log::set_role(log::Role::Child);
    // Where the two share a core the server's clients come first: at equal priority they wait for whole slices of
    // the child's, some milliseconds each. That it cannot be changed would be no reason to do nothing.
    // SAFETY: no memory is involved.
    let _ = unsafe { libc::nice(NICENESS) };
    // A panic must not run on into the server's own code.
    let outcome = panic::catch_unwind(AssertUnwindSafe(|| work(&mut reporter)));
    match outcome {
        Ok(Ok(())) => {
            reporter.measure();
            reporter.log(kind);
            0
        }
        Ok(Err(error)) => {
            tracing::warn!("{error}");
            FAILED_STATUS
        }
        Err(_) => FAILED_STATUS,
    }
}

impl Shared {
    fn reset(&self) {
        self.progress.reset();
        self.cow_bytes.store(0, Ordering::Relaxed);
        self.cow_peak_bytes.store(0, Ordering::Relaxed);
        self.measured_at_s.store(0, Ordering::Relaxed);
    }
}

impl Reporter {
    fn new(shared: &'static Shared) -> Self {
        Self { shared, next_measure_ms: 0, cow_sum_bytes: 0, measures: 0 }
    }

    /// Where the work counts its keys.
    pub fn progress(&self) -> &'static Progress {
        &self.shared.progress
    }

    /// Measures now and then; to be called for every buffer that is written.
    pub fn tick(&mut self) {
        let now_ms = clock::monotonic_ns() / 1_000_000;
        if now_ms >= self.next_measure_ms {
            self.next_measure_ms = now_ms + MEASURE_MS;
            self.measure();
        }
    }

    fn measure(&mut self) {
        let bytes = private_bytes();
        self.cow_sum_bytes += bytes;
        self.measures += 1;
        self.shared.cow_bytes.store(bytes, Ordering::Relaxed);
        self.shared.cow_peak_bytes.fetch_max(bytes, Ordering::Relaxed);
        let now_s = num::i64_clamped(clock::unix_us() / 1_000_000);
        self.shared.measured_at_s.store(now_s, Ordering::Relaxed);
    }

    fn log(&self, kind: ChildKind) {
        let name = match kind {
            ChildKind::Snapshot => "RDB",
            ChildKind::Rewrite => "AOF rewrite",
        };
        let mib = |bytes: u64| bytes >> 20;
        tracing::info!(
            "Fork CoW for {name}: current {} MB, peak {} MB, average {} MB",
            mib(self.shared.cow_bytes.load(Ordering::Relaxed)),
            mib(self.shared.cow_peak_bytes.load(Ordering::Relaxed)),
            mib(self.cow_sum_bytes / self.measures.max(1))
        );
    }
}

/// Bytes of pages that only this process has, by the kernel's count; 0 if it does not tell.
fn private_bytes() -> u64 {
    let text = fs::read_to_string("/proc/self/smaps_rollup").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("Private_Dirty:"));
    let kib = line.and_then(|rest| rest.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    /// How a child ends that does this.
    fn end_of(work: &mut dyn FnMut(&mut Reporter) -> io::Result<()>) -> (ChildEnd, ChildProgress) {
        let mut children = Children::new().expect("a page");
        let forked = children.start(ChildKind::Snapshot, work).expect("a process");
        assert!(forked.pid > 0);
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            if let Some(end) = children.take_end() {
                assert_eq!(children.take_end(), None);
                return (end, children.progress());
            }
            assert!(Instant::now() < deadline, "the child is stuck");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn a_child_says_how_far_it_came_and_how_it_ended() {
        let (end, progress) = end_of(&mut |reporter| {
            reporter.progress().add_keys(7);
            reporter.tick();
            Ok(())
        });
        assert_eq!((end, progress.keys), (ChildEnd::Done, 7));
        assert!(progress.cow_bytes > 0 && progress.cow_peak_bytes >= progress.cow_bytes);
        assert!(progress.measured_at_s > 0);
    }

    #[test]
    fn errors_panics_and_signals_are_told_apart() {
        let (end, _) = end_of(&mut |_| Err(io::ErrorKind::StorageFull.into()));
        assert_eq!(end, ChildEnd::Failed);
        let (end, _) = end_of(&mut |_| panic!("on purpose, in a child"));
        assert_eq!(end, ChildEnd::Failed);
        let (end, _) = end_of(&mut |_| {
            // SAFETY: no preconditions.
            unsafe { libc::raise(libc::SIGKILL) };
            Ok(())
        });
        assert_eq!(end, ChildEnd::Killed(libc::SIGKILL));
    }

    #[test]
    fn a_child_gives_up_when_it_is_told_to() {
        let mut children = Children::new().expect("a page");
        let forked = children.start(ChildKind::Rewrite, &mut |_| {
            loop {
                std::thread::sleep(Duration::from_secs(1));
            }
        });
        let pid = forked.expect("a process").pid;
        assert_eq!(children.take_end(), None);
        assert_eq!(children.stop(), Some(pid));
        assert_eq!((children.stop(), children.take_end()), (None, None));
    }
}
