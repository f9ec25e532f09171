//! The append-only file on a disk in memory, of which each call can fail, and which forgets on a loss of
//! power what was not brought to disk.
//!
//! Commands are numbers that rise. Whatever happens, what is on disk must be all of them up to some
//! number, each once, and no number that was acknowledged may be missing.

use super::disk::{Disk, Open};
use super::{AppendLog, Child, Ending, Mode, Notify, Thread};
use crate::base::num;
use crate::base::rng::Rng;
use crate::command::server::Now;
use crate::config::{AppendFsync, Config};
use crate::persist::aof::log::Commit;
use crate::persist::aof::manifest::{BaseFormat, Manifest};
use crate::persist::aof::read::{Fault, Item, Reader};
use std::collections::BTreeMap;
use std::io::{self, Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

/// What a call does instead of what it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    /// It fails with this number.
    Errno(i32),
    /// A write takes one byte only.
    Short,
    /// A write takes some bytes, and the next call has no space.
    Torn,
}

const TROUBLES: [Trouble; 5] = [
    Trouble::Errno(libc::EIO),
    Trouble::Errno(libc::ENOSPC),
    Trouble::Errno(libc::EINTR),
    Trouble::Short,
    Trouble::Torn,
];

#[derive(Clone, Debug, Default)]
struct Inode {
    data: Vec<u8>,
    /// What a loss of power leaves.
    durable: Vec<u8>,
    /// An fsync has failed: later ones bring nothing to disk.
    is_lost: bool,
}

#[derive(Debug, Default)]
struct State {
    inodes: Vec<Inode>,
    names: BTreeMap<PathBuf, usize>,
    durable_names: BTreeMap<PathBuf, usize>,
    calls: usize,
    /// Calls by number, and what each does.
    troubles: BTreeMap<usize, Trouble>,
    is_full: bool,
}

/// A disk in memory.
#[derive(Clone, Debug, Default)]
struct MemoryDisk(Arc<Mutex<State>>);

/// What is looked at after a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Crash {
    /// The process was killed.
    Kill,
    /// The power failed.
    PowerLoss,
}

impl MemoryDisk {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no test panics while it holds the disk")
    }

    /// Counts a call; the error it is to give.
    fn call(&self) -> (MutexGuard<'_, State>, io::Result<()>) {
        let mut state = self.state();
        let number = state.calls;
        state.calls += 1;
        let result = match state.troubles.get(&number) {
            Some(Trouble::Errno(errno)) => Err(io::Error::from_raw_os_error(*errno)),
            Some(Trouble::Short | Trouble::Torn) | None => Ok(()),
        };
        (state, result)
    }

    /// A file that a child process has written and brought to disk.
    fn put(&self, path: &Path, data: Vec<u8>) {
        let mut state = self.state();
        let inode = Inode { durable: data.clone(), data, is_lost: false };
        state.inodes.push(inode);
        let number = state.inodes.len() - 1;
        state.names.insert(path.to_owned(), number);
    }

    fn content(&self, path: &Path, crash: Crash) -> Option<Vec<u8>> {
        let state = self.state();
        let (names, inodes) = match crash {
            Crash::Kill => (&state.names, &state.inodes),
            Crash::PowerLoss => (&state.durable_names, &state.inodes),
        };
        let inode = &inodes[*names.get(path)?];
        Some(match crash {
            Crash::Kill => inode.data.clone(),
            Crash::PowerLoss => inode.durable.clone(),
        })
    }
}

/// A log on the disk that is not open yet.
fn opened(disk: &MemoryDisk, config: &Config, notify: Notify) -> AppendLog<MemoryDisk> {
    let disk = Arc::new(disk.clone());
    let helper = Thread::start(Arc::clone(&disk), notify).expect("a thread");
    AppendLog::new(disk, helper, config)
}

impl Disk for MemoryDisk {
    type File = usize;
    type Helper = Thread<Self>;

    fn create_folder(&self, _path: &Path) -> io::Result<()> {
        self.call().1
    }

    fn open(&self, path: &Path, how: Open) -> io::Result<usize> {
        let (mut state, result) = self.call();
        result?;
        let number = match state.names.get(path) {
            Some(&number) => number,
            None => {
                state.inodes.push(Inode::default());
                let number = state.inodes.len() - 1;
                state.names.insert(path.to_owned(), number);
                number
            }
        };
        if how == Open::Emptied {
            // What is written from now on is new to the kernel too.
            state.inodes[number].data.clear();
            state.inodes[number].is_lost = false;
        }
        Ok(number)
    }

    fn hold(&self, path: &Path) -> io::Result<usize> {
        self.state().names.get(path).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn write(&self, file: &usize, bytes: &[u8]) -> io::Result<usize> {
        let (mut state, result) = self.call();
        result?;
        if std::mem::take(&mut state.is_full) {
            return Err(io::Error::from_raw_os_error(libc::ENOSPC));
        }
        let number = state.calls - 1;
        let len = match state.troubles.get(&number) {
            Some(Trouble::Short) => 1,
            Some(Trouble::Torn) => {
                state.is_full = true;
                bytes.len() / 2
            }
            Some(Trouble::Errno(_)) | None => bytes.len(),
        };
        if len == 0 {
            state.is_full = false;
            return Err(io::Error::from_raw_os_error(libc::ENOSPC));
        }
        state.inodes[*file].data.extend_from_slice(&bytes[..len]);
        Ok(len)
    }

    fn sync(&self, file: &usize) -> io::Result<()> {
        let (mut state, result) = self.call();
        let inode = &mut state.inodes[*file];
        match &result {
            Ok(()) if !inode.is_lost => inode.durable = inode.data.clone(),
            Err(error) if error.kind() != io::ErrorKind::Interrupted => inode.is_lost = true,
            Ok(()) | Err(_) => {}
        }
        result
    }

    fn truncate(&self, file: &usize, len: u64) -> io::Result<()> {
        let (mut state, result) = self.call();
        result?;
        state.inodes[*file].data.truncate(num::usize_of(len));
        Ok(())
    }

    fn len(&self, path: &Path) -> io::Result<u64> {
        self.read(path).map(|data| num::u64_of(data.len()))
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.content(path, Crash::Kill).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn reader(&self, path: &Path) -> io::Result<(Box<dyn Read>, u64)> {
        let data = self.read(path)?;
        let len = num::u64_of(data.len());
        Ok((Box::new(Cursor::new(data)), len))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let (mut state, result) = self.call();
        result?;
        let number = state.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        state.names.insert(to.to_owned(), number);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let (mut state, result) = self.call();
        result?;
        state.names.remove(path).map(|_| ()).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn sync_folder(&self, _path: &Path) -> io::Result<()> {
        let (mut state, result) = self.call();
        result?;
        state.durable_names = state.names.clone();
        Ok(())
    }
}

fn command(number: u64) -> Vec<u8> {
    let text = number.to_string();
    format!("*2\r\n$3\r\nADD\r\n${}\r\n{text}\r\n", text.len()).into_bytes()
}

/// A server that adds numbers.
struct Scene {
    disk: MemoryDisk,
    log: AppendLog<MemoryDisk>,
    policy: AppendFsync,
    now: Now,
    /// Numbers added so far.
    added: u64,
    /// Numbers whose replies went out.
    acknowledged: u64,
    is_rewriting: bool,
}

fn config(policy: AppendFsync) -> Config {
    Config { appendfsync: policy, aof_use_rdb_preamble: false, ..Config::default() }
}

impl Scene {
    fn new(policy: AppendFsync) -> Self {
        let disk = MemoryDisk::default();
        let notify: Notify = Box::new(|| {});
        let config = config(policy);
        let log = opened(&disk, &config, notify);
        let now = Now { unix_us: 1_000_000_000, mono_ns: 10_000_000_000 };
        let mut scene =
            Self { disk, log, policy, now, added: 0, acknowledged: 0, is_rewriting: false };
        let disk = scene.disk.clone();
        let base = |path: &Path| {
            disk.put(path, Vec::new());
            Ok(())
        };
        scene.log.open_at_start(base, &config).expect("nothing fails yet");
        scene
    }

    fn troubles(&self, troubles: impl IntoIterator<Item = (usize, Trouble)>) {
        let mut state = self.disk.state();
        let calls = state.calls;
        state.troubles = troubles.into_iter().map(|(at, what)| (calls + at, what)).collect();
    }

    fn pass(&mut self, millis: u64) {
        self.now = self.now.later(millis * 1_000_000);
        self.settle();
        self.poll();
    }

    /// Waits for the helper, so that what it does has an order.
    fn settle(&mut self) {
        while self.log.log.is_syncing() {
            let ended = self.log.helper.wait();
            self.log.sync_ended(self.now.mono_ms(), ended);
        }
    }

    fn note(&mut self, commit: Commit) {
        if commit == Commit::Done {
            self.acknowledged = self.added;
        }
        self.settle();
        self.check();
    }

    fn poll(&mut self) {
        let commit = self.log.poll(self.now);
        self.note(commit);
        if self.log.is_heal_due(self.now) && !self.is_rewriting {
            self.begin();
        }
    }

    /// One command of a client, if changes are allowed.
    fn add(&mut self) {
        if self.log.error().is_some() {
            return;
        }
        let bytes = command(self.added);
        self.added += 1;
        let commit = self.log.commit(self.now, &bytes);
        self.note(commit);
    }

    fn begin(&mut self) {
        assert!(!self.is_rewriting);
        if self.log.begin_rewrite(self.now).is_ok() {
            self.is_rewriting = true;
            let data = (0..self.added).flat_map(command).collect();
            self.disk.put(&self.log.base_path(), data);
        }
        self.settle();
        self.check();
    }

    fn finish(&mut self) {
        if std::mem::take(&mut self.is_rewriting) {
            let _logged = self.log.finish_rewrite(self.now, BaseFormat::Commands);
            self.settle();
            self.check();
        }
    }

    /// The numbers that a crash now would leave.
    fn survivors(&self, crash: Crash) -> Vec<u64> {
        let path = |name: &[u8]| self.log.settings.path(name);
        let text = self.disk.content(&path(b"appendonly.aof.manifest"), crash);
        let Some(text) = text else { return Vec::new() };
        let manifest = Manifest::parse(&text).expect("a whole manifest");
        let mut numbers = Vec::new();
        let count = manifest.live().count();
        for (index, part) in manifest.live().enumerate() {
            let data = self.disk.content(&path(&part.name), crash).expect("a file that is named");
            let mut reader = Reader::new(&data[..], 0);
            loop {
                match reader.read() {
                    Ok(Item::Command(args)) => {
                        numbers.push(num::parse_u64(args.at(1)).expect("a number"));
                    }
                    Ok(Item::Timestamp(_) | Item::Comment) => {}
                    Ok(Item::End) => break,
                    Err(Fault::Torn) if index + 1 == count => break,
                    // A log whose fsync failed is torn in the middle until it is replaced.
                    Err(Fault::Torn) if crash == Crash::PowerLoss => return numbers,
                    Err(fault) => panic!("{crash:?}: {fault:?} in {}", part.name.escape_ascii()),
                }
            }
        }
        numbers
    }

    #[track_caller]
    fn check(&self) {
        let numbers = self.survivors(Crash::Kill);
        assert!(numbers.iter().copied().eq(0..num::u64_of(numbers.len())), "{numbers:?}");
        assert!(num::u64_of(numbers.len()) >= self.acknowledged, "killed: {numbers:?}");
        if self.policy == AppendFsync::Always {
            let numbers = self.survivors(Crash::PowerLoss);
            let whole = numbers.iter().zip(0..).take_while(|(a, b)| **a == *b).count();
            let lost = self.acknowledged.saturating_sub(num::u64_of(whole));
            assert_eq!(lost, 0, "of {} acknowledged: {numbers:?}", self.acknowledged);
        }
    }

    /// Lets time pass until all is well again.
    #[track_caller]
    fn recover(&mut self) {
        for _ in 0..60 {
            self.pass(200);
            self.finish();
            self.poll();
            if self.log.error().is_none() && self.acknowledged == self.added {
                return;
            }
        }
        panic!("it does not heal: {:?}", self.log);
    }
}

/// Everything that makes calls: commits, seconds, a rewrite, and a rewrite that fails.
fn story(scene: &mut Scene) {
    for step in 0..3 {
        for _ in 0..3 {
            scene.add();
        }
        scene.pass(1100);
        if !scene.is_rewriting {
            scene.begin();
        }
        scene.add();
        scene.add();
        if step == 1 && std::mem::take(&mut scene.is_rewriting) {
            scene.log.abandon_rewrite(scene.now, Ending::Failed);
        }
        scene.finish();
        scene.add();
    }
}

const POLICIES: [AppendFsync; 3] = [AppendFsync::Always, AppendFsync::Everysec, AppendFsync::No];

#[test]
fn without_troubles_all_is_acknowledged_at_once() {
    for policy in POLICIES {
        let mut scene = Scene::new(policy);
        story(&mut scene);
        assert_eq!((scene.acknowledged, scene.added), (18, 18));
        assert_eq!(scene.survivors(Crash::Kill).len(), 18);
        assert_eq!(scene.log.manifest().live().count(), 2);
        assert_eq!(scene.log.growth.failures, 0);
    }
}

#[test]
fn each_call_may_fail_once_and_nothing_acknowledged_is_lost() {
    for policy in POLICIES {
        for trouble in TROUBLES {
            let mut site = 0;
            loop {
                let mut scene = Scene::new(policy);
                let start = scene.disk.state().calls;
                scene.troubles([(site, trouble)]);
                story(&mut scene);
                let calls = scene.disk.state().calls - start;
                scene.recover();
                scene.add();
                scene.recover();
                assert_eq!(scene.survivors(Crash::Kill).len(), num::usize_of(scene.added));
                site += 1;
                if site >= calls {
                    break;
                }
            }
            assert!(site > 20, "{site} sites");
        }
    }
}

#[test]
fn calls_may_fail_in_a_row_and_nothing_acknowledged_is_lost() {
    let mut rng = Rng::seeded(7);
    for round in 0..300 {
        let mut scene = Scene::new(POLICIES[round % 3]);
        let chance = 2 + rng.below_usize(20);
        let troubles: Vec<(usize, Trouble)> = (0..200)
            .map(|site| (site, rng.below_usize(chance), rng.below_usize(TROUBLES.len())))
            .filter_map(|(site, dice, which)| (dice == 0).then_some((site, TROUBLES[which])))
            .collect();
        scene.troubles(troubles);
        story(&mut scene);
        scene.troubles([]);
        scene.recover();
        scene.add();
        scene.recover();
        assert_eq!(scene.survivors(Crash::Kill).len(), num::usize_of(scene.added));
    }
}

#[test]
fn a_full_disk_is_noticed_and_recovered_from_within_a_second() {
    for policy in POLICIES {
        let mut scene = Scene::new(policy);
        scene.add();
        scene.troubles((0..200).map(|site| (site, Trouble::Errno(libc::ENOSPC))));
        scene.add();
        assert_eq!(scene.log.error(), Some("No space left on device"));
        assert_eq!((scene.acknowledged, scene.log.mode()), (1, Mode::On));
        scene.pass(30_000);
        assert!(!scene.is_rewriting, "a rewrite would need more space");
        scene.troubles([]);
        scene.pass(100);
        assert_eq!((scene.log.error(), scene.acknowledged), (None, 2));
    }
}

#[test]
fn a_log_enabled_while_the_server_runs_counts_once_there_is_a_base() {
    let mut scene = Scene::new(AppendFsync::Everysec);
    scene.add();
    scene.log.stop(scene.now);
    assert_eq!(scene.log.mode(), Mode::Off);
    let unlogged = scene.log.commit(scene.now, b"ignored");
    assert_eq!(unlogged, Commit::Done);
    scene.added = 5;
    scene.log.start();
    scene.begin();
    scene.log.abandon_rewrite(scene.now, Ending::Failed);
    scene.is_rewriting = false;
    assert_eq!(scene.log.mode(), Mode::Waiting);
    scene.begin();
    let _held = scene.log.commit(scene.now, &command(5));
    let _held = scene.log.commit(scene.now, &command(6));
    assert_eq!(scene.survivors(Crash::Kill), [0]);
    scene.added = 7;
    scene.finish();
    assert_eq!((scene.log.mode(), scene.survivors(Crash::Kill).len()), (Mode::On, 7));
    let names: Vec<String> =
        scene.log.manifest().live().map(|part| part.name.escape_ascii().to_string()).collect();
    assert_eq!(names, ["appendonly.aof.2.base.aof", "appendonly.aof.2.incr.aof"]);
}

#[test]
fn a_rewrite_with_the_log_off_makes_a_base_without_logs() {
    let mut scene = Scene::new(AppendFsync::Everysec);
    scene.add();
    scene.log.stop(scene.now);
    scene.begin();
    scene.finish();
    assert_eq!((scene.log.mode(), scene.log.manifest().live().count()), (Mode::Off, 1));
    assert_eq!(scene.survivors(Crash::Kill), [0]);
}

#[test]
fn history_is_kept_while_that_is_wanted() {
    let mut scene = Scene::new(AppendFsync::Everysec);
    let keeping = Config { aof_disable_auto_gc: true, ..config(AppendFsync::Everysec) };
    scene.log.adopt(&keeping);
    for _ in 0..2 {
        scene.begin();
        scene.finish();
    }
    assert_eq!(scene.log.manifest().history().len(), 4);
    scene.log.adopt(&config(AppendFsync::Everysec));
    assert!(scene.log.manifest().history().is_empty());
    scene.check();
}

#[test]
fn times_are_noted_once_a_second() {
    let mut scene = Scene::new(AppendFsync::No);
    let marking = Config { aof_timestamp_enabled: true, ..config(AppendFsync::No) };
    scene.log.adopt(&marking);
    for _ in 0..3 {
        scene.add();
        scene.now = scene.now.later(500_000_000);
    }
    let path = scene.log.settings.path(b"appendonly.aof.1.incr.aof");
    let text = scene.disk.read(&path).expect("there");
    let marks = text.split(|&byte| byte == b'\n').filter(|line| line.starts_with(b"#TS:"));
    assert_eq!(marks.collect::<Vec<_>>(), [&b"#TS:1000\r"[..], b"#TS:1001\r"]);
}

#[test]
fn children_can_be_spared_fsyncs() {
    let mut scene = Scene::new(AppendFsync::Always);
    let sparing = Config { no_appendfsync_on_rewrite: true, ..config(AppendFsync::Always) };
    scene.log.adopt(&sparing);
    scene.log.set_child(Child::Writing);
    let added = scene.log.commit(scene.now, &command(0));
    assert_eq!((added, scene.log.synced_position()), (Commit::Done, 0));
    scene.log.set_child(Child::None);
    assert_eq!(scene.log.poll(scene.now), Commit::Done);
    assert_eq!(scene.log.synced_position(), scene.log.position());
}

#[test]
fn the_newest_log_is_continued_after_a_restart() {
    let mut scene = Scene::new(AppendFsync::Always);
    scene.add();
    scene.add();
    scene.log.flush(scene.now);
    let config = config(AppendFsync::Always);
    let notify: Notify = Box::new(|| {});
    scene.log = opened(&scene.disk, &config, notify);
    scene.log.read_manifest().expect("a good manifest");
    let never = |_: &Path| panic!("there is a base");
    scene.log.open_at_start(never, &config).expect("nothing fails");
    scene.add();
    assert_eq!(scene.survivors(Crash::PowerLoss), [0, 1, 2]);
}

#[test]
fn what_a_killed_server_left_in_the_kernel_is_brought_to_disk() {
    for fails in [false, true] {
        let mut scene = Scene::new(AppendFsync::Everysec);
        scene.add();
        scene.add();
        assert_eq!(scene.survivors(Crash::PowerLoss), [0]);
        let config = config(AppendFsync::Everysec);
        scene.log = opened(&scene.disk, &config, Box::new(|| {}));
        scene.log.read_manifest().expect("a good manifest");
        // Behind the calls for the folder, the file, and the folder again.
        scene.troubles(fails.then_some((3, Trouble::Errno(libc::EIO))));
        let never = |_: &Path| panic!("there is a base");
        scene.log.open_at_start(never, &config).expect("it is read");
        assert_eq!(scene.log.error().is_some(), fails);
        if fails {
            assert!(scene.log.is_heal_due(scene.now));
            scene.begin();
            scene.finish();
            assert_eq!(scene.log.error(), None);
        }
        assert_eq!(scene.survivors(Crash::PowerLoss), [0, 1]);
    }
}

#[test]
fn a_rewrite_begins_when_little_is_not_on_disk() {
    let mut scene = Scene::new(AppendFsync::Everysec);
    let much = vec![b'\n'; 3 << 20];
    let give = |scene: &mut Scene| {
        let _not_replied_to = scene.log.commit(scene.now, &much);
    };
    give(&mut scene); // brought to disk at once, the first of its second
    scene.settle();
    assert!(scene.log.is_ready_to_rewrite(scene.now));
    // Whoever writes without end gets a rewrite, too.
    for _ in 0..4 {
        give(&mut scene);
        assert!(!scene.log.is_ready_to_rewrite(scene.now));
        scene.settle();
    }
    give(&mut scene);
    assert!(scene.log.is_ready_to_rewrite(scene.now));
    assert_eq!(scene.log.begin_rewrite(scene.now), Ok(()));
    scene.settle();
    give(&mut scene);
    assert!(!scene.log.is_ready_to_rewrite(scene.now), "it begins anew");
    scene.settle();
    assert!(scene.log.is_ready_to_rewrite(scene.now));
}

/// A server that finds files on its disk and no manifest.
fn started_on(files: &[(&str, &[u8])]) -> Scene {
    let mut scene = Scene::new(AppendFsync::Always);
    scene.disk = MemoryDisk::default();
    for (name, data) in files {
        scene.disk.put(&scene.log.settings.path(name.as_bytes()), data.to_vec());
    }
    let config = config(AppendFsync::Always);
    scene.log = opened(&scene.disk, &config, Box::new(|| {}));
    scene.log.read_manifest().expect("there is none");
    let disk = scene.disk.clone();
    let base = |path: &Path| {
        disk.put(path, Vec::new());
        Ok(())
    };
    scene.log.open_at_start(base, &config).expect("nothing fails");
    scene
}

fn live_names(scene: &Scene) -> Vec<String> {
    let names = scene.log.manifest().live().map(|part| part.name.escape_ascii().to_string());
    names.collect()
}

#[test]
fn files_that_no_manifest_names_are_neither_continued_nor_replaced() {
    let strays: [(&str, &[u8]); 4] = [
        ("appendonly.aof.1.base.aof", b"somebody's"),
        ("appendonly.aof.1.incr.aof", b"*2\r\n$3\r\nADD\r\n$2\r\n77\r\n"),
        ("appendonly.aof.3.base.aof", b"still"),
        ("appendonly.aof.4.incr.aof", b"wanted"),
    ];
    let mut scene = started_on(&strays);
    assert_eq!(live_names(&scene), ["appendonly.aof.2.base.aof", "appendonly.aof.2.incr.aof"]);
    for round in 0..3 {
        scene.add();
        scene.begin();
        scene.add();
        scene.finish();
        assert_eq!(scene.survivors(Crash::PowerLoss).len(), 2 * (round + 1));
    }
    assert_eq!(live_names(&scene), ["appendonly.aof.6.base.aof", "appendonly.aof.6.incr.aof"]);
    // Switched off and on again: the log that was collected meanwhile gets a name of its own, too.
    scene.disk.put(&scene.log.settings.path(b"appendonly.aof.7.incr.aof"), b"and this".to_vec());
    scene.log.stop(scene.now);
    scene.log.start();
    scene.begin();
    let _held = scene.log.commit(scene.now, &command(scene.added));
    scene.added += 1;
    scene.finish();
    assert_eq!(scene.survivors(Crash::PowerLoss).len(), 7);
    assert_eq!(live_names(&scene), ["appendonly.aof.7.base.aof", "appendonly.aof.8.incr.aof"]);
    for (name, data) in strays.into_iter().chain([("appendonly.aof.7.incr.aof", &b"and this"[..])])
    {
        let path = scene.log.settings.path(name.as_bytes());
        assert_eq!(scene.disk.read(&path).expect("it stays"), data, "{name}");
    }
}

#[test]
fn an_empty_file_that_a_crash_left_is_used() {
    let scene = started_on(&[("appendonly.aof.1.incr.aof", b"")]);
    assert_eq!(live_names(&scene), ["appendonly.aof.1.base.aof", "appendonly.aof.1.incr.aof"]);
}

#[test]
fn of_two_old_files_none_replaces_the_other() {
    let mut scene = started_on(&[]);
    scene.log.manifest = Manifest::default();
    scene.disk.put(Path::new("appendonly.aof"), b"outside".to_vec());
    let inside = scene.log.settings.path(b"appendonly.aof");
    scene.disk.put(&inside, b"inside".to_vec());
    let error = scene.log.upgrade().expect_err("which one counts?").to_string();
    assert!(error.contains("appendonlydir/appendonly.aof"), "{error}");
    assert_eq!(scene.disk.read(&inside).expect("it stays"), b"inside");
}

#[test]
fn without_a_number_left_nothing_is_begun() {
    let mut scene = started_on(&[]);
    scene.add();
    let last = format!("file appendonly.aof.{0}.incr.aof seq {0} type i\n", i64::MAX);
    scene.log.manifest = Manifest::parse(last.as_bytes()).expect("a good manifest");
    let path = scene.log.settings.path(format!("appendonly.aof.{}.incr.aof", i64::MAX).as_bytes());
    scene.disk.put(&path, b"the log".to_vec());
    let error = scene.log.begin_rewrite(scene.now).expect_err("no name is free");
    assert!(error.starts_with("No number is left"), "{error}");
    assert_eq!(scene.disk.read(&path).expect("it stays"), b"the log");
}
