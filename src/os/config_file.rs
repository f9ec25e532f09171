//! Configuration files, one or all that match a pattern.

use crate::base::glob::{self, Case};
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

/// Reads a file, or every file that matches a pattern, in the order of their names. A pattern that
/// matches none gives none.
///
/// # Errors
/// A file that is named cannot be read.
pub fn read(path: &Path) -> io::Result<Vec<(PathBuf, Vec<u8>)>> {
    if !is_pattern(path.as_os_str().as_bytes()) {
        return Ok(vec![(path.to_owned(), fs::read(path)?)]);
    }
    let mut found = vec![PathBuf::new()];
    for component in path.components() {
        found = found.iter().flat_map(|folder| step(folder, component)).collect();
    }
    found.sort();
    found.retain(|path| path.is_file());
    found.into_iter().map(|path| fs::read(&path).map(|text| (path, text))).collect()
}

fn is_pattern(name: &[u8]) -> bool {
    name.iter().any(|byte| matches!(byte, b'*' | b'?' | b'['))
}

/// What a component of a pattern leads to from a folder.
fn step(folder: &Path, component: Component<'_>) -> Vec<PathBuf> {
    let pattern = component.as_os_str().as_bytes();
    if !is_pattern(pattern) {
        return vec![folder.join(component)];
    }
    let listed = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let Ok(entries) = fs::read_dir(listed) else { return Vec::new() };
    let names = entries.filter_map(|entry| entry.ok().map(|entry| entry.file_name()));
    names
        .filter(|name| {
            let name = name.as_bytes();
            let is_hidden = name.starts_with(b".") && !pattern.starts_with(b".");
            !is_hidden && glob::matches(pattern, name, Case::Sensitive)
        })
        .map(|name| folder.join(name))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_reads_what_it_matches_in_order() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["b.conf", "a.conf", ".hidden.conf", "c.txt"] {
            fs::write(folder.path().join(name), name).expect("written");
        }
        let found = read(&folder.path().join("*.conf")).expect("read");
        let texts: Vec<&[u8]> = found.iter().map(|(_, text)| text.as_slice()).collect();
        assert_eq!(texts, [&b"a.conf"[..], b"b.conf"]);
        assert!(read(&folder.path().join("x*.conf")).expect("none is fine").is_empty());
        assert!(read(&folder.path().join("missing.conf")).is_err());
    }
}
