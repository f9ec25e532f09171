//! Whether the files behind the certificates have changed.
//!
//! A certificate and its key are two files, and are rarely replaced at once. So a change counts only when
//! the files have stayed the same from one look to the next.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

/// What tells one state of a file from another: device, inode, length, times of data and inode.
type Print = Option<(u64, u64, u64, i64, i64, i64, i64)>;

/// The files, and how they were.
#[derive(Debug, Default)]
pub(super) struct Watch {
    files: Vec<PathBuf>,
    /// As they were when they were read.
    read: Vec<Print>,
    /// As they were when they were last looked at.
    seen: Vec<Print>,
}

fn print(path: &PathBuf) -> Print {
    let meta = fs::metadata(path).ok()?;
    let times = (meta.mtime(), meta.mtime_nsec(), meta.ctime(), meta.ctime_nsec());
    Some((meta.dev(), meta.ino(), meta.len(), times.0, times.1, times.2, times.3))
}

impl Watch {
    /// Watches these, which are to be read after this call.
    pub(super) fn new(files: Vec<PathBuf>) -> Self {
        let read: Vec<Print> = files.iter().map(print).collect();
        Self { files, seen: read.clone(), read }
    }

    /// Looks at the files: whether they are to be read again. Says so once for each change.
    pub(super) fn has_changed(&mut self) -> bool {
        let now: Vec<Print> = self.files.iter().map(print).collect();
        let is_stable = now == self.seen;
        self.seen.clone_from(&now);
        if !is_stable || now == self.read {
            return false;
        }
        self.read = now;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_counts_once_it_has_settled() {
        let dir = tempfile::tempdir().expect("a directory");
        let [a, b] = ["a", "b"].map(|name| dir.path().join(name));
        fs::write(&a, "1").expect("written");
        let mut watch = Watch::new(vec![a.clone(), b.clone()]);
        assert!(!watch.has_changed());
        fs::write(&a, "22").expect("written");
        assert!(!watch.has_changed(), "the other may follow");
        fs::write(&b, "1").expect("written");
        assert!(!watch.has_changed());
        assert!(watch.has_changed());
        assert!(!watch.has_changed());
        fs::remove_file(&b).expect("removed");
        assert_eq!([watch.has_changed(), watch.has_changed()], [false, true]);
    }
}
