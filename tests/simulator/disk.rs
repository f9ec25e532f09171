//! A simulated disk: files, and what of them is left when the power fails. Bytes that no fsync covered, and
//! names that no fsync of their folder covered, may then be gone.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Cursor, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use carnelian::os::aof::{Disk, Helper, Open, Synced};

use crate::options::Bug;
use crate::rng::Rng;

/// What a file holds.
#[derive(Debug, Default)]
pub(crate) struct Content {
    bytes: Vec<u8>,
    /// How many of them are on disk.
    synced: usize,
    /// An fsync has failed: what was not on disk then never gets there.
    is_lost: bool,
}

impl Content {
    fn complete(bytes: Vec<u8>) -> File {
        let synced = bytes.len();
        Rc::new(RefCell::new(Content { bytes, synced, is_lost: false }))
    }

    /// The power fails: some of what is not on disk is gone, and there may be zeroes in its place.
    fn fail(&mut self, rng: &mut Rng) {
        let unsynced = self.bytes.len() - self.synced;
        let kept = if self.is_lost { 0 } else { rng.below(unsynced + 1) };
        self.bytes.truncate(self.synced + kept);
        if rng.chance(20) {
            let len = self.bytes.len() + rng.below(unsynced - kept + 1);
            self.bytes.resize(len, 0);
        }
        self.synced = self.bytes.len();
        self.is_lost = false;
    }
}

/// An open file; it is there until nobody has it open and it has no name.
pub(crate) type File = Rc<RefCell<Content>>;

/// A name stands for another file than before, or for none any more.
#[derive(Debug)]
struct Renaming {
    name: PathBuf,
    before: Option<File>,
}

#[derive(Debug)]
struct State {
    names: BTreeMap<PathBuf, File>,
    /// What happened to names of a folder since it was last brought to disk. What is in one of these happens
    /// whole or not at all.
    unsynced: Vec<(PathBuf, Vec<Renaming>)>,
    rng: Rng,
    is_full: bool,
    /// How many of a thousand fsyncs fail.
    failing_permille: usize,
    /// Whether an fsync has failed.
    has_failed: bool,
    bug: Bug,
}

/// The disk of a machine, which outlives the servers on it.
#[derive(Clone, Debug)]
pub(crate) struct Drive(Rc<RefCell<State>>);

fn folder_of(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new(""))
}

impl State {
    /// Gives a name to another file, or to none.
    fn name(&mut self, name: &Path, file: Option<File>) -> Renaming {
        let before = match file {
            Some(file) => self.names.insert(name.to_owned(), file),
            None => self.names.remove(name),
        };
        Renaming { name: name.to_owned(), before }
    }

    fn note(&mut self, folder: &Path, renamings: Vec<Renaming>) {
        self.unsynced.push((folder.to_owned(), renamings));
    }

    fn find(&self, path: &Path) -> io::Result<&File> {
        self.names.get(path).ok_or_else(|| ErrorKind::NotFound.into())
    }

    /// Brings so many bytes of a file to disk.
    fn sync(&mut self, file: &File, len: usize) -> io::Result<()> {
        let mut content = file.borrow_mut();
        if self.rng.below(1000) < self.failing_permille {
            content.is_lost = true;
            self.has_failed = true;
            return Err(io::Error::other("Input/output error"));
        }
        if !content.is_lost {
            content.synced = content.synced.max(len.min(content.bytes.len()));
        }
        Ok(())
    }
}

impl Drive {
    /// An empty one; of a thousand fsyncs so many fail.
    pub(crate) fn new(rng: Rng, failing_permille: usize, bug: Bug) -> Drive {
        Drive(Rc::new(RefCell::new(State {
            names: BTreeMap::new(),
            unsynced: Vec::new(),
            rng,
            is_full: false,
            failing_permille,
            has_failed: false,
            bug,
        })))
    }

    pub(crate) fn read_file(&self, path: &Path) -> io::Result<Vec<u8>> {
        Ok(self.0.borrow().find(path)?.borrow().bytes.clone())
    }

    /// A file that was written under another name, brought to disk and named: it is there whole or not at all.
    pub(crate) fn put(&self, path: &Path, bytes: Vec<u8>) -> io::Result<()> {
        let mut state = self.0.borrow_mut();
        if state.is_full {
            return Err(ErrorKind::StorageFull.into());
        }
        state.name(path, Some(Content::complete(bytes)));
        state.unsynced.retain(|(folder, _)| folder != folder_of(path));
        Ok(())
    }

    /// Fills it up, or makes room again.
    pub(crate) fn set_full(&self, is_full: bool) {
        self.0.borrow_mut().is_full = is_full;
    }

    pub(crate) fn is_full(&self) -> bool {
        self.0.borrow().is_full
    }

    /// Whether an fsync has failed since this was asked last.
    pub(crate) fn take_failure(&self) -> bool {
        std::mem::take(&mut self.0.borrow_mut().has_failed)
    }

    /// Whether an fsync of a file has failed, so that a part of it is in the kernel and will never be on disk.
    pub(crate) fn has_lost(&self) -> bool {
        self.0.borrow().names.values().any(|file| file.borrow().is_lost)
    }

    /// The power fails.
    pub(crate) fn lose_power(&self) {
        let mut state = self.0.borrow_mut();
        let State { names, unsynced, rng, .. } = &mut *state;
        let kept = rng.below(unsynced.len() + 1);
        for Renaming { name, before } in unsynced
            .drain(..)
            .skip(kept)
            .rev()
            .flat_map(|(_, renamings)| renamings.into_iter().rev())
        {
            match before {
                Some(file) => drop(names.insert(name, file)),
                None => drop(names.remove(&name)),
            }
        }
        for file in names.values() {
            file.borrow_mut().fail(rng);
        }
    }
}

impl Disk for Drive {
    type File = File;
    type Helper = Late;

    fn create_folder(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn open(&self, path: &Path, how: Open) -> io::Result<File> {
        let mut state = self.0.borrow_mut();
        let found = state.find(path).ok().cloned();
        let file = match found {
            Some(file) => file,
            None if state.is_full => return Err(ErrorKind::StorageFull.into()),
            None => {
                let file = File::default();
                let renaming = state.name(path, Some(Rc::clone(&file)));
                state.note(folder_of(path), vec![renaming]);
                file
            }
        };
        if how == Open::Emptied {
            *file.borrow_mut() = Content::default();
        }
        Ok(file)
    }

    fn hold(&self, path: &Path) -> io::Result<File> {
        self.0.borrow().find(path).cloned()
    }

    fn write(&self, file: &File, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.0.borrow_mut();
        let mut len = bytes.len();
        if state.is_full {
            len = if state.rng.chance(30) { len / 2 } else { 0 };
            if len == 0 {
                return Err(ErrorKind::StorageFull.into());
            }
        }
        file.borrow_mut().bytes.extend_from_slice(&bytes[..len]);
        Ok(len)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        self.0.borrow_mut().sync(file, usize::MAX)
    }

    fn truncate(&self, file: &File, len: u64) -> io::Result<()> {
        let mut content = file.borrow_mut();
        content.bytes.truncate(usize::try_from(len).expect("memory is bounded"));
        content.synced = content.synced.min(content.bytes.len());
        Ok(())
    }

    fn len(&self, path: &Path) -> io::Result<u64> {
        let len = self.0.borrow().find(path)?.borrow().bytes.len();
        Ok(u64::try_from(len).expect("memory is bounded"))
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.read_file(path)
    }

    fn reader(&self, path: &Path) -> io::Result<(Box<dyn Read>, u64)> {
        let bytes = self.read_file(path)?;
        let len = u64::try_from(bytes.len()).expect("memory is bounded");
        Ok((Box::new(Cursor::new(bytes)), len))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.0.borrow_mut();
        let file = state.find(from).cloned()?;
        let renamings = vec![state.name(from, None), state.name(to, Some(file))];
        state.note(folder_of(to), renamings);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.0.borrow_mut();
        state.find(path)?;
        let renaming = state.name(path, None);
        state.note(folder_of(path), vec![renaming]);
        Ok(())
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        let mut state = self.0.borrow_mut();
        state.unsynced.retain(|(folder, _)| folder != path);
        Ok(())
    }
}

/// An fsync that will have happened at some time.
#[derive(Debug)]
struct Sync {
    at_ms: u64,
    file: Arc<File>,
    /// How many bytes of the file it covers.
    len: usize,
    written: u64,
}

#[derive(Debug)]
struct Queue {
    drive: Drive,
    clock: Rc<Cell<u64>>,
    rng: Rng,
    due: VecDeque<Sync>,
}

/// Brings files to disk, one after the other, each in its time.
#[derive(Clone, Debug)]
pub(crate) struct Late(Rc<RefCell<Queue>>);

impl Late {
    pub(crate) fn new(drive: Drive, clock: Rc<Cell<u64>>, rng: Rng) -> Late {
        Late(Rc::new(RefCell::new(Queue { drive, clock, rng, due: VecDeque::new() })))
    }

    /// When the next fsync will have happened, milliseconds.
    pub(crate) fn next_due_ms(&self) -> Option<u64> {
        self.0.borrow().due.front().map(|sync| sync.at_ms)
    }
}

impl Helper<File> for Late {
    fn sync(&self, file: Arc<File>, written: u64) {
        let mut queue = self.0.borrow_mut();
        let took_ms = if queue.rng.chance(10) {
            queue.rng.between(200, 3000)
        } else {
            queue.rng.between(1, 30)
        };
        let begun_ms = queue.due.back().map_or(0, |last| last.at_ms).max(queue.clock.get());
        let at_ms = begun_ms + u64::try_from(took_ms).expect("small");
        let len = file.borrow().bytes.len();
        queue.due.push_back(Sync { at_ms, file, len, written });
    }

    fn close(&self, file: File) {
        drop(file);
    }

    fn poll(&self) -> Option<Synced> {
        let mut queue = self.0.borrow_mut();
        let now_ms = queue.clock.get();
        let is_due = queue.due.front().is_some_and(|sync| sync.at_ms <= now_ms);
        let Sync { file, len, written, .. } = is_due.then(|| queue.due.pop_front()).flatten()?;
        let mut state = queue.drive.0.borrow_mut();
        let len = if state.bug == Bug::UnsyncedLog { 0 } else { len };
        let result = state.sync(&file, len);
        Some(Synced { written, result: result.map_err(|error| error.to_string()) })
    }
}
