//! Becoming a daemon, and the pid file.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use super::errno;

/// Goes to the background: the parent ends with status 0, the child leads a session of its own and
/// has `/dev/null` for its standard streams.
///
/// Call it before anything starts a thread: only the calling one survives in the child.
///
/// # Errors
/// If the process has other threads, or the system has no room for another process.
pub fn daemonize() -> io::Result<()> {
    if fs::read_dir("/proc/self/task").is_ok_and(|threads| threads.count() > 1) {
        return Err(io::Error::other("a process with several threads cannot become a daemon"));
    }
    // SAFETY: the child goes on as the only thread, so no lock is held by a thread it has lost.
    match unsafe { libc::fork() } {
        -1 => return Err(io::Error::last_os_error()),
        0 => {}
        // SAFETY: no preconditions; the child owns what is left to do at the exit.
        _parent => unsafe { libc::_exit(0) },
    }
    // SAFETY: no preconditions; a fresh child leads no group, so it cannot fail.
    unsafe { libc::setsid() };
    let null = OpenOptions::new().read(true).write(true).open("/dev/null")?;
    for stream in [libc::STDIN_FILENO, libc::STDOUT_FILENO, libc::STDERR_FILENO] {
        // SAFETY: `null` is open; whoever uses the standard streams expects them to be redirected.
        if unsafe { libc::dup2(null.as_raw_fd(), stream) } < 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

/// Whether the log says what is taken away before the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Farewell {
    /// It does.
    Logged,
    /// It does not: what keeps the server from starting is the last line.
    Silent,
}

impl Farewell {
    /// Says a line, if lines are said.
    pub fn say(self, line: &str) {
        if self == Self::Logged {
            tracing::info!("{line}");
        }
    }
}

/// The file that holds this process's id.
#[derive(Debug)]
pub struct PidFile {
    path: PathBuf,
    pid: u32,
}

impl PidFile {
    /// Writes it, over one that is there. After daemonizing.
    ///
    /// # Errors
    /// If it cannot be written; Redis says so and goes on.
    pub fn create(path: &Path) -> io::Result<PidFile> {
        // A working directory that changes later must not move it.
        let path = std::path::absolute(path)?;
        let pid = std::process::id();
        fs::write(&path, format!("{pid}\n"))?;
        Ok(PidFile { path, pid })
    }

    /// Removes it, unless another process has written its own meanwhile.
    pub fn remove(self, farewell: Farewell) {
        let ours = format!("{}\n", self.pid);
        if fs::read_to_string(&self.path).is_ok_and(|text| text == ours) {
            farewell.say("Removing the pid file.");
            if let Err(error) = fs::remove_file(&self.path) {
                tracing::warn!("Could not remove the pid file: {}", errno::text(&error));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::signal::tests::in_child;
    use super::*;

    #[test]
    fn the_pid_file_holds_the_pid_and_goes_away() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("server.pid");
        fs::write(&path, "a longer text that was there before\n").unwrap();
        let file = PidFile::create(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{}\n", std::process::id()));
        file.remove(Farewell::Logged);
        assert!(!path.exists());
        PidFile::create(&scratch.path().join("none/server.pid")).unwrap_err();
    }

    #[test]
    fn the_pid_file_of_a_successor_stays() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("server.pid");
        let file = PidFile::create(&path).unwrap();
        fs::write(&path, "1\n").unwrap();
        file.remove(Farewell::Logged);
        assert!(path.exists());
    }

    #[test]
    fn a_daemon_has_its_own_session_and_no_terminal() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("facts");
        let (text, status) = in_child(|| {
            daemonize().unwrap();
            // SAFETY: no preconditions.
            let (session, pid) = unsafe { (libc::getsid(0), libc::getpid()) };
            let stdout = fs::read_link("/proc/self/fd/1").unwrap();
            let temporary = path.with_extension("part");
            fs::write(&temporary, format!("{} {}", session == pid, stdout.display())).unwrap();
            fs::rename(&temporary, &path).unwrap();
        });
        assert!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0, "{status}");
        assert_eq!(text, "");
        let facts = (0..500).find_map(|_| {
            std::thread::sleep(std::time::Duration::from_millis(10));
            fs::read_to_string(&path).ok()
        });
        assert_eq!(facts.as_deref(), Some("true /dev/null"));
    }
}
