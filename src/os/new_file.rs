//! A file that replaces another as a whole: written under another name, forced to disk, renamed, and the
//! folder forced to disk. Whatever happens, the name stands for the old bytes or the new ones.

use super::errno;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

/// With gradual forcing, so many bytes are written between two calls.
const SYNC_BYTES: u64 = 4 * 1024 * 1024;

/// When bytes are forced to disk.
pub use crate::command::host::Sync;

/// A file that is being written.
#[derive(Debug)]
pub struct NewFile {
    file: File,
    path: PathBuf,
    temporary: PathBuf,
    sync: Sync,
    written: u64,
    synced: u64,
    /// Whether it has its name.
    is_named: bool,
}

/// What to do with a file failed; the system's error says why.
fn failed(what: &str, path: &Path, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{what} {}: {}", path.display(), errno::text(&error)))
}

impl NewFile {
    /// Opens a file to be written under the name `temporary`, in the same folder.
    ///
    /// # Errors
    /// The system's, with the file's name.
    pub fn create(path: &Path, temporary: &str, sync: Sync) -> io::Result<Self> {
        let temporary = path.with_file_name(temporary);
        let file = File::create(&temporary)
            .map_err(|error| failed("Failed opening the temporary file", &temporary, error))?;
        let path = path.to_owned();
        Ok(Self { file, path, temporary, sync, written: 0, synced: 0, is_named: false })
    }

    /// The name it has until it is complete.
    pub fn temporary(&self) -> &Path {
        &self.temporary
    }

    /// Forces all to disk and gives the file its name.
    ///
    /// # Errors
    /// The system's, with the file's name; the old file is untouched.
    pub fn commit(mut self) -> io::Result<()> {
        self.file
            .sync_all()
            .map_err(|error| failed("Failed forcing to disk", &self.temporary, error))?;
        fs::rename(&self.temporary, &self.path)
            .map_err(|error| failed("Failed naming", &self.path, error))?;
        self.is_named = true;
        let folder = folder_of(&self.path);
        File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(|error| failed("Failed forcing to disk the folder", folder, error))
    }

    /// Forces what was written to disk in the background, and waits for what was before that, so that
    /// little is left for the end.
    fn sync_some(&mut self) {
        let (from, len) = (self.synced, self.written - self.synced);
        let flags = libc::SYNC_FILE_RANGE_WRITE | libc::SYNC_FILE_RANGE_WAIT_BEFORE;
        let offsets = (i64::try_from(from), i64::try_from(len));
        if let (Ok(from), Ok(len)) = offsets {
            // A hint; errors show at the end, when all is forced to disk.
            // SAFETY: the descriptor is open; the call touches no memory of ours.
            unsafe { libc::sync_file_range(self.file.as_raw_fd(), from, len, flags) };
        }
        self.synced = self.written;
    }
}

/// The folder of a file.
pub fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) | None => Path::new("."),
    }
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.file.write(bytes)?;
        self.written += u64::try_from(count).unwrap_or(0);
        if self.sync == Sync::Gradually && self.written - self.synced >= SYNC_BYTES {
            self.sync_some();
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.is_named {
            // The error that led here is the one that matters.
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_its_name_when_it_is_complete() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("dump.rdb");
        fs::write(&path, b"old").expect("written");
        for sync in [Sync::AtEnd, Sync::Gradually] {
            let mut file = NewFile::create(&path, "temp-1.rdb", sync).expect("created");
            file.write_all(&vec![b'x'; 9 << 20]).expect("written");
            assert_ne!(fs::read(&path).expect("read").len(), 9 << 20);
            file.commit().expect("named");
            assert_eq!(fs::read(&path).expect("read").len(), 9 << 20);
            fs::write(&path, b"old").expect("written");
        }
        assert_eq!(fs::read_dir(folder.path()).expect("listed").count(), 1);
    }

    #[test]
    fn a_file_that_is_given_up_leaves_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("dump.rdb");
        fs::write(&path, b"old").expect("written");
        let mut file = NewFile::create(&path, "temp-1.rdb", Sync::AtEnd).expect("created");
        file.write_all(b"new").expect("written");
        drop(file);
        assert_eq!(fs::read(&path).expect("read"), b"old");
        assert_eq!(fs::read_dir(folder.path()).expect("listed").count(), 1);
    }

    #[test]
    fn an_error_names_the_file() {
        let nowhere = Path::new("/no/such/dump.rdb");
        let error = NewFile::create(nowhere, "temp-1.rdb", Sync::AtEnd).expect_err("no folder");
        assert_eq!(
            error.to_string(),
            "Failed opening the temporary file /no/such/temp-1.rdb: No such file or directory"
        );
    }
}
