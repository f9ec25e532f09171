//! Where log lines go: the standard output or a file.
//!
//! Invariant: `fd` is open at every moment, so that any thread, a forked child and a signal
//! handler may write to it without a lock. Another file is put behind the same descriptor number
//! with `dup3`, never by closing it.
//!
//! A file that was renamed or removed (logrotate, without telling us) is noticed within a second
//! and opened anew, as Redis does, which opens its log for each line.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::{AsRawFd, IntoRawFd, RawFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicI32, Ordering};

use super::super::clock;

/// An open destination.
pub(super) struct Sink {
    fd: AtomicI32,
    files: Mutex<Files>,
}

struct Files {
    /// The descriptor number of files, once there was one.
    reserved: Option<RawFd>,
    current: Option<LogFile>,
}

struct LogFile {
    path: PathBuf,
    device: u64,
    inode: u64,
    checked_s: u64,
}

impl Sink {
    pub(super) const fn stdout() -> Sink {
        let files = Mutex::new(Files { reserved: None, current: None });
        Sink { fd: AtomicI32::new(libc::STDOUT_FILENO), files }
    }

    pub(super) fn fd(&self) -> RawFd {
        self.fd.load(Ordering::Relaxed)
    }

    /// Directs what follows to `path`, or to the standard output. Does nothing if it goes there
    /// already.
    ///
    /// # Errors
    /// If the file cannot be opened; then nothing has changed.
    pub(super) fn set(&self, path: Option<&Path>) -> io::Result<()> {
        let mut files = self.files.lock().expect("no code panics while it holds the log's files");
        let Some(path) = path else {
            if let (Some(reserved), Some(_)) = (files.reserved, files.current.take()) {
                self.fd.store(libc::STDOUT_FILENO, Ordering::Relaxed);
                replace(reserved, libc::STDOUT_FILENO)?;
            }
            return Ok(());
        };
        let path = std::path::absolute(path)?;
        if files.current.as_ref().is_some_and(|current| current.path == path) {
            return Ok(());
        }
        let (file, log_file) = open(&path)?;
        self.install(&mut files, file, log_file)
    }

    fn install(&self, files: &mut Files, file: File, log_file: LogFile) -> io::Result<()> {
        let fd = match files.reserved {
            Some(reserved) => replace(reserved, file.as_raw_fd()).map(|()| reserved)?,
            None => file.into_raw_fd(),
        };
        files.reserved = Some(fd);
        files.current = Some(log_file);
        self.fd.store(fd, Ordering::Relaxed);
        Ok(())
    }

    /// Writes one line at once. A line that cannot be written is lost: there is nobody to tell.
    pub(super) fn write(&self, line: &[u8]) {
        self.follow_rotation();
        write_all(self.fd(), line);
    }

    /// Opens the file anew if another one, or none, is at its path. Once a second at most.
    fn follow_rotation(&self) {
        // Held by a thread that changes the file, or by one that a fork left behind: not now.
        let Ok(mut files) = self.files.try_lock() else { return };
        let Some(current) = &mut files.current else { return };
        let now_s = clock::unix_us() / 1_000_000;
        if current.checked_s == now_s {
            return;
        }
        current.checked_s = now_s;
        let there = fs::metadata(&current.path);
        if there.is_ok_and(|it| it.dev() == current.device && it.ino() == current.inode) {
            return;
        }
        // On failure the old file goes on, and the next second tries again.
        if let Ok((file, log_file)) = open(&current.path) {
            let _ = self.install(&mut files, file, log_file);
        }
    }
}

fn open(path: &Path) -> io::Result<(File, LogFile)> {
    let file = OpenOptions::new().append(true).create(true).open(path)?;
    let metadata = file.metadata()?;
    let (device, inode) = (metadata.dev(), metadata.ino());
    Ok((file, LogFile { path: path.to_owned(), device, inode, checked_s: 0 }))
}

/// Puts what is behind `source` behind `reserved` too.
fn replace(reserved: RawFd, source: RawFd) -> io::Result<()> {
    // SAFETY: `reserved` belongs to a sink, which owns whatever is behind it, and `source` is
    // open for the length of the call.
    let status = unsafe { libc::dup3(source, reserved, libc::O_CLOEXEC) };
    if status < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Writes all of `bytes`, in one call unless the kernel takes less. Safe in a signal handler.
pub(crate) fn write_all(fd: RawFd, bytes: &[u8]) {
    let mut rest = bytes;
    while !rest.is_empty() {
        // SAFETY: the pointer and length are those of one live slice.
        let written = unsafe { libc::write(fd, rest.as_ptr().cast(), rest.len()) };
        match usize::try_from(written) {
            Ok(0) => return,
            Ok(count) => rest = &rest[count..],
            Err(_) if io::Error::last_os_error().kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}

/// Formats to a descriptor without the heap: for signal handlers. What was written reaches the
/// descriptor when the buffer is full, on [`FdWriter::flush`] and when the writer is dropped.
pub(crate) struct FdWriter {
    fd: RawFd,
    buffer: [u8; 256],
    filled: usize,
}

impl FdWriter {
    pub(crate) fn new(fd: RawFd) -> FdWriter {
        FdWriter { fd, buffer: [0; 256], filled: 0 }
    }

    pub(crate) fn flush(&mut self) {
        write_all(self.fd, &self.buffer[..self.filled]);
        self.filled = 0;
    }
}

impl fmt::Write for FdWriter {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for chunk in text.as_bytes().chunks(self.buffer.len()) {
            if self.filled + chunk.len() > self.buffer.len() {
                self.flush();
            }
            self.buffer[self.filled..self.filled + chunk.len()].copy_from_slice(chunk);
            self.filled += chunk.len();
        }
        Ok(())
    }
}

impl Drop for FdWriter {
    fn drop(&mut self) {
        self.flush();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write;

    impl Sink {
        pub(in super::super) fn path(&self) -> Option<PathBuf> {
            self.files.lock().unwrap().current.as_ref().map(|current| current.path.clone())
        }
    }

    #[test]
    fn lines_follow_a_change_of_file_and_back() {
        let scratch = tempfile::tempdir().unwrap();
        let [first, second] = ["first", "second"].map(|name| scratch.path().join(name));
        let sink = Sink::stdout();
        sink.set(Some(&first)).unwrap();
        sink.write(b"one\n");
        let fd = sink.fd();
        sink.set(Some(&second)).unwrap();
        sink.write(b"two\n");
        assert_eq!(sink.fd(), fd, "one number for all files");
        sink.set(None).unwrap();
        assert_eq!(sink.fd(), libc::STDOUT_FILENO);
        sink.set(Some(&first)).unwrap();
        sink.write(b"three\n");
        assert_eq!(fs::read_to_string(first).unwrap(), "one\nthree\n");
        assert_eq!(fs::read_to_string(second).unwrap(), "two\n");
    }

    #[test]
    fn a_renamed_file_is_replaced_by_a_new_one() {
        let scratch = tempfile::tempdir().unwrap();
        let [path, old] = ["log", "log.1"].map(|name| scratch.path().join(name));
        let sink = Sink::stdout();
        sink.set(Some(&path)).unwrap();
        sink.write(b"one\n");
        fs::rename(&path, &old).unwrap();
        sink.files.lock().unwrap().current.as_mut().unwrap().checked_s = 0;
        sink.write(b"two\n");
        assert_eq!(fs::read_to_string(old).unwrap(), "one\n");
        assert_eq!(fs::read_to_string(path).unwrap(), "two\n");
    }

    #[test]
    fn a_file_that_cannot_be_opened_changes_nothing() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("log");
        let sink = Sink::stdout();
        sink.set(Some(&path)).unwrap();
        sink.set(Some(&scratch.path().join("none/log"))).unwrap_err();
        sink.write(b"here\n");
        assert_eq!(fs::read_to_string(path).unwrap(), "here\n");
    }

    #[test]
    fn the_heapless_writer_loses_nothing() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("out");
        let file = File::create(&path).unwrap();
        let mut expected = String::new();
        let mut writer = FdWriter::new(file.as_raw_fd());
        for number in 0..500 {
            write!(writer, "{number} ").unwrap();
            write!(expected, "{number} ").unwrap();
        }
        let long = "x".repeat(5000);
        writer.write_str(&long).unwrap();
        drop(writer);
        assert_eq!(fs::read_to_string(path).unwrap(), expected + &long);
    }
}
