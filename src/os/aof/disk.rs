//! The system calls of the append-only file, behind a trait, so that tests can make each of them fail.

use super::helper::{Helper, Thread};
use std::fmt::Debug;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

/// What becomes of what is in a file that is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Open {
    /// It stays, and is continued.
    Continued,
    /// It goes.
    Emptied,
}

/// A disk.
pub trait Disk: Debug + 'static {
    /// A file that is appended to.
    type File: Debug + 'static;
    /// Who waits for it.
    type Helper: Helper<Self::File>;

    /// Makes a folder; one that is there stays.
    ///
    /// # Errors
    /// As the system gives them.
    fn create_folder(&self, path: &Path) -> io::Result<()>;
    /// Opens a file to append to it, and makes it if it is not there.
    ///
    /// # Errors
    /// As the system gives them.
    fn open(&self, path: &Path, how: Open) -> io::Result<Self::File>;
    /// Opens a file that is there, to hold it.
    ///
    /// # Errors
    /// As the system gives them.
    fn hold(&self, path: &Path) -> io::Result<Self::File>;
    /// Appends some of the bytes; how many.
    ///
    /// # Errors
    /// As the system gives them, interruptions included.
    fn write(&self, file: &Self::File, bytes: &[u8]) -> io::Result<usize>;
    /// Brings the content to disk.
    ///
    /// # Errors
    /// As the system gives them.
    fn sync(&self, file: &Self::File) -> io::Result<()>;
    /// Cuts a file.
    ///
    /// # Errors
    /// As the system gives them.
    fn truncate(&self, file: &Self::File, len: u64) -> io::Result<()>;
    /// The size of a file.
    ///
    /// # Errors
    /// As the system gives them.
    fn len(&self, path: &Path) -> io::Result<u64>;
    /// The content of a file.
    ///
    /// # Errors
    /// As the system gives them.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;
    /// The content of a file, piece by piece, and its size.
    ///
    /// # Errors
    /// As the system gives them.
    fn reader(&self, path: &Path) -> io::Result<(Box<dyn Read>, u64)>;
    /// Gives a file another name.
    ///
    /// # Errors
    /// As the system gives them.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    ///
    /// # Errors
    /// As the system gives them.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Brings the names in a folder to disk.
    ///
    /// # Errors
    /// As the system gives them.
    fn sync_folder(&self, path: &Path) -> io::Result<()>;
}

/// The real one.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealDisk;

impl Disk for RealDisk {
    type File = File;
    type Helper = Thread<Self>;

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        match DirBuilder::new().mode(0o755).create(path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
            result => result,
        }
    }

    fn open(&self, path: &Path, how: Open) -> io::Result<File> {
        let file = OpenOptions::new().append(true).create(true).mode(0o644).open(path)?;
        if how == Open::Emptied {
            file.set_len(0)?;
        }
        Ok(file)
    }

    fn hold(&self, path: &Path) -> io::Result<File> {
        File::open(path)
    }

    fn write(&self, mut file: &File, bytes: &[u8]) -> io::Result<usize> {
        file.write(bytes)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_data()
    }

    fn truncate(&self, file: &File, len: u64) -> io::Result<()> {
        file.set_len(len)
    }

    fn len(&self, path: &Path) -> io::Result<u64> {
        fs::metadata(path).map(|metadata| metadata.len())
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        fs::read(path)
    }

    fn reader(&self, path: &Path) -> io::Result<(Box<dyn Read>, u64)> {
        let file = File::open(path)?;
        let len = file.metadata()?.len();
        Ok((Box::new(file), len))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }
}

/// Appends bytes until all are written or the system refuses more; how many were written, and why not
/// all.
pub(super) fn write_through<D: Disk>(
    disk: &D,
    file: &D::File,
    bytes: &[u8],
) -> (usize, Option<io::Error>) {
    let mut written = 0;
    while written < bytes.len() {
        match disk.write(file, &bytes[written..]) {
            Ok(0) => return (written, Some(ErrorKind::WriteZero.into())),
            Ok(count) => written += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return (written, Some(error)),
        }
    }
    (written, None)
}

/// Repeats a call that a signal may interrupt.
///
/// # Errors
/// As the call gives them.
pub(super) fn uninterrupted<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
