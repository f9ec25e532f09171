//! Signals: a request to stop becomes a flag and a readable descriptor.
//!
//! SIGTERM and SIGINT note the request and wake the reactor through an eventfd; a second SIGINT
//! while the first is being obeyed ends the process at once. SIGHUP and SIGPIPE are ignored,
//! SIGCHLD keeps its default, SIGUSR1 means "give up" to a forked child and nothing to the server.
//! Crashes are `crash.rs`'s.
//!
//! Handlers here use atomics, `write`, `unlink` and `_exit` only.

use std::ffi::{CString, c_char};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, Ordering};

use super::log;

/// The status a child ends with when it was told to give up, as Redis's do: not a failure.
pub const CHILD_GAVE_UP_STATUS: i32 = 255;

/// The eventfd, or -1 before [`Signals::install`].
static WAKE_FD: AtomicI32 = AtomicI32::new(-1);
/// The signal not yet taken, or 0.
static PENDING: AtomicI32 = AtomicI32::new(0);
/// True from the first request until [`forget`].
static REQUESTED: AtomicBool = AtomicBool::new(false);
/// True while a request ends the process at once.
static LOADING: AtomicBool = AtomicBool::new(false);
/// A file to remove when a handler ends the process, or null.
static EXIT_FILE: AtomicPtr<c_char> = AtomicPtr::new(ptr::null_mut());

/// Which signal asks the server to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShutdownSignal {
    /// SIGINT: `shutdown-on-sigint` applies.
    Interrupt,
    /// SIGTERM: `shutdown-on-sigterm` applies.
    Terminate,
}

/// What a request to stop finds the server doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Loading its data: there is nothing to save, it exits at once with status 0.
    Loading,
    /// Serving: it shuts down in order.
    Serving,
}

/// The reactor's end: readable when there is something to [`Signals::take`].
#[derive(Debug)]
pub struct Signals {
    wake: OwnedFd,
}

impl Signals {
    /// Installs the handlers. Call once, after daemonizing.
    ///
    /// # Errors
    /// If the process has no descriptor left.
    pub fn install() -> io::Result<Signals> {
        // SAFETY: no preconditions.
        let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: `fd` was opened just now and nobody else owns it.
        let wake = unsafe { OwnedFd::from_raw_fd(fd) };
        WAKE_FD.store(fd, Ordering::Relaxed);
        set_action(libc::SIGHUP, Action::Ignore);
        set_action(libc::SIGPIPE, Action::Ignore);
        set_action(libc::SIGTERM, Action::Plain(on_shutdown));
        set_action(libc::SIGINT, Action::Plain(on_shutdown));
        Ok(Signals { wake })
    }

    /// The request that has come since the last call, and clears the descriptor's readiness.
    pub fn take(&self) -> Option<ShutdownSignal> {
        let mut count = [0_u8; 8];
        // SAFETY: the pointer and length are those of one live array. The descriptor does not
        // block; the count itself tells nothing that `PENDING` does not.
        unsafe { libc::read(self.wake.as_raw_fd(), count.as_mut_ptr().cast(), count.len()) };
        match PENDING.swap(0, Ordering::AcqRel) {
            libc::SIGINT => Some(ShutdownSignal::Interrupt),
            libc::SIGTERM => Some(ShutdownSignal::Terminate),
            _ => None,
        }
    }
}

/// Whether a request has come that was not taken yet.
pub fn is_pending() -> bool {
    PENDING.load(Ordering::Acquire) != 0
}

/// The shutdown was given up (SHUTDOWN ABORT, or saving failed): the next SIGINT asks again instead of
/// ending the process.
pub fn forget() {
    REQUESTED.store(false, Ordering::Release);
}

impl AsRawFd for Signals {
    fn as_raw_fd(&self) -> RawFd {
        self.wake.as_raw_fd()
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        WAKE_FD.store(-1, Ordering::Relaxed);
    }
}

/// Says what a request to stop will find the server doing; [`Phase::Serving`] until told.
pub fn set_phase(phase: Phase) {
    LOADING.store(phase == Phase::Loading, Ordering::Release);
}

/// Names the half-written file that has to go if a handler ends the process.
///
/// # Errors
/// If the path holds a NUL.
pub fn unlink_on_exit(path: Option<&Path>) -> io::Result<()> {
    let name = match path {
        Some(path) => CString::new(path.as_os_str().as_bytes())?.into_raw(),
        None => ptr::null_mut(),
    };
    // The former name is not freed: a handler on another thread may be reading it. The server
    // saves in the foreground only a few times in its life.
    EXIT_FILE.store(name, Ordering::Release);
    Ok(())
}

/// Replaces the server's handlers in a forked child: SIGUSR1 ends it with
/// [`CHILD_GAVE_UP_STATUS`]; SIGINT and SIGTERM, which a terminal or a service manager sends to the
/// whole group, are left to the parent, which ends its children.
pub fn install_child() {
    WAKE_FD.store(-1, Ordering::Relaxed);
    set_action(libc::SIGINT, Action::Ignore);
    set_action(libc::SIGTERM, Action::Ignore);
    set_action(libc::SIGUSR1, Action::Plain(on_give_up));
}

extern "C" fn on_shutdown(signal: libc::c_int) {
    let is_interrupt = signal == libc::SIGINT;
    if REQUESTED.swap(true, Ordering::AcqRel) && is_interrupt {
        end("You insist... exiting now.", 1);
    }
    if LOADING.load(Ordering::Acquire) {
        end("Received shutdown signal during loading, exiting now.", 0);
    }
    let errno = io::Error::last_os_error();
    log::line_from_handler(if is_interrupt {
        "Received SIGINT scheduling shutdown..."
    } else {
        "Received SIGTERM scheduling shutdown..."
    });
    PENDING.store(signal, Ordering::Release);
    let one = 1_u64.to_ne_bytes();
    // SAFETY: the pointer and length are those of one live array; a descriptor of -1, or a full
    // counter, is refused with an error and no harm.
    unsafe { libc::write(WAKE_FD.load(Ordering::Relaxed), one.as_ptr().cast(), one.len()) };
    restore_errno(&errno);
}

extern "C" fn on_give_up(_: libc::c_int) {
    end("Received SIGUSR1 in child, exiting now.", CHILD_GAVE_UP_STATUS);
}

/// Ends the process from within a handler.
fn end(message: &str, status: i32) -> ! {
    log::line_from_handler(message);
    let file = EXIT_FILE.load(Ordering::Acquire);
    if !file.is_null() {
        // SAFETY: a pointer in `EXIT_FILE` comes from `CString::into_raw` and is never freed.
        unsafe { libc::unlink(file) };
    }
    // SAFETY: no preconditions.
    unsafe { libc::_exit(status) }
}

/// Does something in a handler after which the interrupted code finds its own `errno` again.
pub(super) fn keeping_errno(body: impl FnOnce()) {
    let before = io::Error::last_os_error();
    body();
    restore_errno(&before);
}

/// The interrupted code must find its own `errno` again.
fn restore_errno(before: &io::Error) {
    // SAFETY: the C library returns this thread's own, always valid location.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: as above.
    unsafe { *errno = before.raw_os_error().unwrap_or(0) };
}

/// What a signal does.
#[derive(Clone, Copy)]
pub(super) enum Action {
    Default,
    Ignore,
    /// A handler on the thread's own stack; interrupted system calls go on.
    Plain(extern "C" fn(libc::c_int)),
    /// A handler on the alternate stack, which may itself be interrupted by the same signal.
    Fault(extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void)),
}

/// Changes what `signal` does, for the whole process.
///
/// # Panics
/// If the kernel does not let the signal be caught; callers name ones that can.
pub(super) fn set_action(signal: libc::c_int, action: Action) {
    let (handler, flags) = match action {
        Action::Default => (libc::SIG_DFL, 0),
        Action::Ignore => (libc::SIG_IGN, 0),
        Action::Plain(handler) => ((handler as *const ()).expose_provenance(), libc::SA_RESTART),
        Action::Fault(handler) => {
            let flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_NODEFER;
            ((handler as *const ()).expose_provenance(), flags)
        }
    };
    // SAFETY: all-zero bytes are a valid sigaction: integers, an empty mask, no restorer.
    let mut new: libc::sigaction = unsafe { std::mem::zeroed() };
    new.sa_sigaction = handler;
    new.sa_flags = flags;
    // SAFETY: `new` is live, and holds a handler of the shape that its flags announce: `Fault`
    // alone sets SA_SIGINFO. The handlers are async-signal-safe, as the modules that own them say.
    let status = unsafe { libc::sigaction(signal, &raw const new, ptr::null_mut()) };
    assert_eq!(status, 0, "signal {signal} can be caught");
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use std::fs::{self, File};
    use std::io::Read;
    use std::os::fd::IntoRawFd;

    /// Runs `body` in a forked child whose standard output is a pipe. Returns what it wrote and
    /// its wait status. `body` must not rely on other threads, and not take locks they may hold.
    pub(in super::super) fn in_child(body: impl FnOnce()) -> (String, libc::c_int) {
        let (mut reader, writer) = io::pipe().unwrap();
        let writer = writer.into_raw_fd();
        // SAFETY: the child runs `body` alone and ends with `_exit`.
        let pid = unsafe { libc::fork() };
        assert!(pid >= 0);
        if pid == 0 {
            // Another thread may have held a lock at the fork: not for ever.
            // SAFETY: no preconditions.
            unsafe { libc::alarm(30) };
            // SAFETY: both descriptors are open.
            unsafe { libc::dup2(writer, libc::STDOUT_FILENO) };
            // A failed assertion must not run on into the test harness.
            let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(body));
            // SAFETY: no preconditions.
            unsafe { libc::_exit(if ended.is_ok() { 77 } else { 78 }) };
        }
        // SAFETY: the parent owns its copy of the descriptor and gives it up here.
        drop(unsafe { File::from_raw_fd(writer) });
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        let mut status = 0;
        // SAFETY: `status` is live.
        assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
        (text, status)
    }

    fn raise(signal: libc::c_int) {
        // SAFETY: no preconditions.
        assert_eq!(unsafe { libc::raise(signal) }, 0);
    }

    fn exit_with(status: libc::c_int) {
        // SAFETY: no preconditions.
        unsafe { libc::_exit(status) };
    }

    #[test]
    fn a_request_is_taken_once_and_wakes() {
        let (text, status) = in_child(|| {
            let signals = Signals::install().unwrap();
            raise(libc::SIGHUP);
            raise(libc::SIGPIPE);
            let quiet = signals.take().is_none();
            raise(libc::SIGTERM);
            let mut poll =
                libc::pollfd { fd: signals.as_raw_fd(), events: libc::POLLIN, revents: 0 };
            // SAFETY: one live entry.
            let ready = unsafe { libc::poll(&raw mut poll, 1, 0) };
            let taken = signals.take() == Some(ShutdownSignal::Terminate);
            // SAFETY: as above.
            let still_ready = unsafe { libc::poll(&raw mut poll, 1, 0) };
            let once = signals.take().is_none();
            let good = quiet && ready == 1 && taken && still_ready == 0 && once;
            exit_with(i32::from(!good));
        });
        assert!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0, "{status} {text}");
        assert!(text.contains(":signal-handler ("), "{text}");
        assert!(text.ends_with(") Received SIGTERM scheduling shutdown...\n"), "{text}");
    }

    #[test]
    fn a_second_interrupt_ends_the_process_and_removes_the_file() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("temp.rdb");
        fs::write(&path, "half").unwrap();
        let (text, status) = in_child(|| {
            let _signals = Signals::install().unwrap();
            unlink_on_exit(Some(&path)).unwrap();
            raise(libc::SIGINT);
            raise(libc::SIGINT);
        });
        assert!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 1, "{status}");
        assert!(text.contains("Received SIGINT scheduling shutdown...\n"), "{text}");
        assert!(text.ends_with(") You insist... exiting now.\n"), "{text}");
        assert!(!path.exists());
    }

    #[test]
    fn an_abandoned_shutdown_can_be_asked_for_again() {
        let (text, status) = in_child(|| {
            let signals = Signals::install().unwrap();
            raise(libc::SIGINT);
            let first = signals.take();
            forget();
            raise(libc::SIGINT);
            exit_with(i32::from(!(first == signals.take() && first.is_some())));
        });
        assert!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0, "{status} {text}");
    }

    #[test]
    fn loading_ends_at_once_without_failure() {
        let (text, status) = in_child(|| {
            let _signals = Signals::install().unwrap();
            set_phase(Phase::Loading);
            raise(libc::SIGTERM);
        });
        assert!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0, "{status}");
        assert!(text.contains("during loading, exiting now."), "{text}");
    }

    #[test]
    fn a_child_gives_up_on_usr1_alone() {
        let (text, status) = in_child(|| {
            install_child();
            raise(libc::SIGINT);
            raise(libc::SIGTERM);
            raise(libc::SIGUSR1);
        });
        assert!(libc::WIFEXITED(status), "{status}");
        assert_eq!(libc::WEXITSTATUS(status), CHILD_GAVE_UP_STATUS);
        assert!(text.ends_with("Received SIGUSR1 in child, exiting now.\n"), "{text}");
    }
}
