//! Configuration: no text makes the reader panic; what it accepts, or CONFIG SET accepts, is read back
//! the same from the file that CONFIG REWRITE writes.
//!
//! Input: the file, with included files `1` to `9` behind bytes FE; then, behind bytes FD, words: each
//! two are a name and a value for CONFIG SET, and all of them are arguments of the process.

use carnelian::config::{
    Caller, CommandLine, Config, DIRECTIVES, DataSet, Defaults, Loaded, Peer, Permission, load,
    rewrite,
};
use std::ffi::OsString;
use std::io::{Error, ErrorKind};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

const CALLER: Caller = Caller { peer: Peer::Local, data_set: DataSet::Ready };

/// Checks one file and one CONFIG SET.
pub fn run(bytes: &[u8]) {
    let mut parts = bytes.split(|&byte| byte == 0xfd);
    let files: Vec<_> = parts.next().unwrap_or_default().split(|&byte| byte == 0xfe).collect();
    let words: Vec<&[u8]> = parts.collect();
    check_command_line(&files, &words);
    let Some(loaded) = read(&files) else { return };
    let is_alone = loaded.config.include.is_empty();
    if is_alone {
        check_rewrite(files[0], &loaded);
    }
    let changed = set(loaded, &words);
    if is_alone {
        check_rewrite(files[0], &changed);
    }
}

/// What comes of the first file; it and the others have their number for a name.
fn read(files: &[&[u8]]) -> Option<Loaded> {
    let command_line = CommandLine::parse(["0".into()]);
    read_with(&command_line, files)
}

fn read_with(command_line: &CommandLine, files: &[&[u8]]) -> Option<Loaded> {
    let mut left = 100;
    let mut reader = |path: &Path| {
        // Files that include each other twice grow without end otherwise.
        left -= 1;
        let number = path.to_str().and_then(|name| name.parse::<usize>().ok());
        let file = number.and_then(|number| files.get(number)).filter(|_| left > 0);
        let text = file.ok_or_else(|| Error::from(ErrorKind::NotFound))?;
        Ok(vec![(PathBuf::from(path), text.to_vec())])
    };
    match load(command_line, files[0], &mut reader) {
        Ok(loaded) => {
            assert!(loaded.notes.iter().all(|note| !note.is_empty()));
            Some(loaded)
        }
        Err(error) => {
            assert!(error.to_string().starts_with("*** FATAL CONFIG FILE ERROR"));
            assert!(!error.reason.to_string().is_empty());
            None
        }
    }
}

fn check_command_line(files: &[&[u8]], words: &[&[u8]]) {
    let args = words.iter().map(|word| OsString::from_vec(word.to_vec()));
    let command_line = CommandLine::parse(args);
    let _ = read_with(&command_line, files);
}

/// CONFIG SET of all pairs; where they are refused nothing changes.
fn set(mut loaded: Loaded, words: &[&[u8]]) -> Loaded {
    let pairs: Vec<(&[u8], &[u8])> = words.chunks_exact(2).map(|two| (two[0], two[1])).collect();
    loaded.config.enable_protected_configs = Permission::Yes;
    let before = loaded.config.clone();
    match loaded.config.set_many(&pairs, CALLER) {
        Ok(changes) => {
            let _ = (changes.triggers(), changes.notes(&loaded.config));
            let same = loaded.config == before;
            assert_eq!(changes.names().next().is_none(), same, "{changes:?} changed it: {same}");
            changes.names().for_each(|name| check_get(&loaded.config, name));
        }
        Err(error) => {
            assert!(!error.to_string().is_empty());
            assert!(loaded.config == before, "{error} undoes the rest");
        }
    }
    loaded
}

/// What CONFIG GET prints of a directive, CONFIG SET takes without a change.
fn check_get(config: &Config, name: &str) {
    if name == "dir" {
        return; // a relative one adds to the one before
    }
    let value = config.get(name.as_bytes()).expect("the table has it");
    let mut copy = config.clone();
    let set = copy.set_many(&[(name.as_bytes(), &value)], CALLER);
    assert!(set.is_ok(), "{name} '{}': {set:?}", value.escape_ascii());
    assert!(copy == *config, "{name} '{}'", value.escape_ascii());
}

/// The rewritten file says the same, also when it is rewritten again, and soon stays as it is.
fn check_rewrite(text: &[u8], loaded: &Loaded) {
    let defaults = if text.len().is_multiple_of(8) { Defaults::Written } else { Defaults::Omitted };
    let mut old = text.to_vec();
    let users: Vec<_> = loaded.config.user.iter().map(|user| user.origin.text.to_vec()).collect();
    for _ in 0..REWRITES_MAX {
        let new = rewrite(&old, &loaded.config, defaults, &users);
        if new == old {
            return;
        }
        let Some(again) = read(&[&new]) else {
            panic!("not read back: {}\nfrom: {}", new.escape_ascii(), old.escape_ascii());
        };
        check_same(&again, loaded, &new);
        old = new;
    }
    panic!("each time another: {}", old.escape_ascii());
}

/// A directive with several lines moves one of them at a time to the end, where new ones go.
const REWRITES_MAX: usize = 5;

fn check_same(again: &Loaded, loaded: &Loaded, text: &[u8]) {
    if again.config != loaded.config {
        // Perhaps they differ in line numbers only.
        for directive in DIRECTIVES {
            let values = [again, loaded].map(|loaded| directive.value(&loaded.config));
            let shown = values.each_ref().map(|value| value.escape_ascii());
            let [new, old] = shown;
            assert!(
                values[0] == values[1],
                "{} {new} {old} {}",
                directive.name,
                text.escape_ascii()
            );
        }
    }
    assert_eq!(lists(again), lists(loaded));
}

/// What only files say, without the lines' numbers.
fn lists(loaded: &Loaded) -> Vec<Vec<Vec<u8>>> {
    let config = &loaded.config;
    let renamed = config.rename_command.iter().map(|row| vec![row.from.to_vec(), row.to.to_vec()]);
    let users = config.user.iter().map(|row| row.words.iter().map(|word| word.to_vec()).collect());
    let modules = config.loadmodule.iter().map(|row| {
        std::iter::once(&row.path).chain(&row.arguments).map(|word| word.to_vec()).collect()
    });
    let settings =
        loaded.module_settings.iter().map(|row| vec![row.name.to_vec(), row.value.to_vec()]);
    renamed.chain(users).chain(modules).chain(settings).collect()
}
