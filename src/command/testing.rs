//! Commands in unit tests: one server in memory, one client, and [`check`].
//!
//! Scripts and replies are written as in the integration tests: commands separated by `;`, words by
//! spaces, quotes as in redis-cli; replies by their type's byte and content, nulls as `$_`, `*_` or
//! `_`, aggregates in brackets: `check("SET k v; GET k; MGET k x", "+OK $v [$v $_]")`.

use super::context::{Context, KeyHashes};
use super::dispatch::{self, Flow};
use super::following::AtOnce;
use super::host::{
    AppendOnlyFile, CertificateFacts, ChildEnd, ChildKind, ChildProgress, Collation, CpuUse, Crash,
    Facts, Forked, Host, Intake, MemoryUse, NewFile, Relocations, Write,
};
use super::persist::Loaded;
use super::server::{Now, Server};
use super::{Handler, effects};
use crate::base::hash::HashKey;
use crate::base::rng::Rng;
use crate::base::{num, quote};
use crate::config::{Config, Trigger};
use crate::ds::relocate::Relocator;
use crate::ds::relocate::testing::Everything;
use crate::persist::Progress;
use crate::repl::{FakeFile, SpillFile};
use crate::resp::OwnedArgs;
use crate::resp::parse::Trust;
use crate::session::{Endpoint, Session};
use crate::store::Keyspace;
use std::any::Any;
use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

/// A machine of which nothing is real.
#[derive(Debug, Default)]
pub(crate) struct FakeHost {
    pub(crate) facts: Facts,
    pub(crate) files: BTreeMap<PathBuf, Vec<u8>>,
    /// With keys, the case of letters does not count.
    pub(crate) collation: Collation,
    /// A change that cannot be put into effect, and why.
    pub(crate) refuses: Option<(Trigger, &'static str)>,
    /// How the child ended, which is over as soon as it is begun.
    pub(crate) child_end: Option<ChildEnd>,
    pub(crate) progress: Progress,
    /// What the child has written into the pipe.
    pub(crate) pipe: Option<io::Cursor<Vec<u8>>>,
    /// Whether no file can be written.
    pub(crate) is_full: bool,
    /// Moves everything, always.
    pub(crate) relocator: Everything,
    /// What [`Host::allocated`] says next, the last of it from then on; without any 1 MiB.
    pub(crate) uses: VecDeque<u64>,
    /// Takes snapshots of primaries.
    pub(crate) intake: AtOnce,
    /// What a load has brought.
    pub(crate) loaded: Option<Result<Loaded, String>>,
    /// The changes it was asked to put into effect.
    pub(crate) applied: Rc<RefCell<Vec<Trigger>>>,
}

impl Host for FakeHost {
    fn intake(&mut self) -> Option<&mut dyn Intake> {
        Some(&mut self.intake)
    }

    fn spill_file(&mut self) -> Result<Box<dyn SpillFile>, String> {
        Ok(Box::<FakeFile>::default())
    }
    fn memory(&mut self) -> MemoryUse {
        MemoryUse {
            used: 1 << 20,
            allocated: 1 << 20,
            active: 2 << 20,
            resident: 3 << 20,
            ..MemoryUse::default()
        }
    }
    fn allocated(&mut self) -> u64 {
        let next = self.uses.front().copied().unwrap_or(1 << 20);
        if self.uses.len() > 1 {
            self.uses.pop_front();
        }
        next
    }
    fn cpu(&self) -> CpuUse {
        CpuUse::default()
    }
    fn facts(&self) -> &Facts {
        &self.facts
    }
    fn certificates(&self) -> CertificateFacts {
        CertificateFacts::default()
    }
    fn apply(&mut self, trigger: Trigger, _config: &Config) -> Result<(), String> {
        self.applied.borrow_mut().push(trigger);
        match self.refuses {
            Some((refused, reason)) if refused == trigger => Err(reason.to_owned()),
            Some(_) | None => Ok(()),
        }
    }
    fn read_file(&mut self, path: &Path) -> io::Result<Vec<u8>> {
        self.files.get(path).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
    fn replace_file(&mut self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.files.insert(path.to_owned(), bytes.to_vec());
        Ok(())
    }
    fn fill_random(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        buffer.fill(0xa5);
        Ok(())
    }
    fn open_file(&mut self, path: &Path) -> io::Result<(Box<dyn io::Read>, u64)> {
        let bytes = self.read_file(path)?;
        let len = num::u64_of(bytes.len());
        Ok((Box::new(io::Cursor::new(bytes)), len))
    }
    fn write_file(&mut self, file: NewFile<'_>, write: &mut Write<'_>) -> io::Result<()> {
        if self.is_full {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let mut bytes = Vec::new();
        write(&mut bytes, &self.progress)?;
        self.replace_file(file.path, &bytes)
    }
    fn write_file_in_child(
        &mut self,
        _kind: ChildKind,
        file: NewFile<'_>,
        write: &mut Write<'_>,
    ) -> io::Result<Forked> {
        let written = self.write_file(file, write);
        self.child_end = Some(if written.is_ok() { ChildEnd::Done } else { ChildEnd::Failed });
        Ok(Forked { pid: 1234, took_us: 5 })
    }
    fn write_pipe_in_child(&mut self, write: &mut Write<'_>) -> io::Result<Forked> {
        let mut bytes = Vec::new();
        let written = write(&mut bytes, &self.progress);
        self.pipe = Some(io::Cursor::new(bytes));
        self.child_end = Some(if written.is_ok() { ChildEnd::Done } else { ChildEnd::Failed });
        Ok(Forked { pid: 1234, took_us: 5 })
    }
    fn read_pipe(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.pipe.as_mut().map_or(Ok(0), |pipe| io::Read::read(pipe, buffer))
    }
    fn close_pipe(&mut self) {
        self.pipe = None;
    }
    fn child_progress(&self) -> ChildProgress {
        ChildProgress { keys: self.progress.keys(), ..ChildProgress::default() }
    }
    fn take_child_end(&mut self) -> Option<ChildEnd> {
        self.child_end.take()
    }
    fn stop_child(&mut self) {
        self.child_end = None;
    }
    fn announce_ready(&mut self) {}
    fn forget_signal(&mut self) {}
    fn load_log(&mut self, _keyspace: Keyspace, _config: &Config) -> Result<Loaded, String> {
        Err("there is none".to_owned())
    }
    fn append_only_file(&self) -> Option<&dyn AppendOnlyFile> {
        None
    }
    fn append_only_file_mut(&mut self) -> Option<&mut dyn AppendOnlyFile> {
        None
    }
    fn take_loaded(&mut self) -> Option<Result<Loaded, String>> {
        self.loaded.take()
    }
    fn drop_later(&mut self, garbage: Box<dyn Any + Send>) {
        drop(garbage);
    }
    fn drops_pending(&self) -> u64 {
        0
    }
    fn sleeper(&self) -> fn(Duration) {
        |_| ()
    }
    fn relocator(&mut self) -> &mut dyn Relocator {
        &mut self.relocator
    }
    fn relocations(&self) -> Relocations {
        Relocations { moved: self.relocator.moved(), kept: 0 }
    }
    fn purge_memory(&mut self) -> io::Result<()> {
        Ok(())
    }
    fn allocator_number(&mut self, _name: &str, _value: Option<i64>) -> io::Result<i64> {
        Err(io::ErrorKind::NotFound.into())
    }
    fn allocator_text(&mut self, _name: &str, _: Option<&str>) -> io::Result<Option<String>> {
        Err(io::ErrorKind::NotFound.into())
    }
    fn allocator_report(&mut self) -> String {
        "nothing to report".to_owned()
    }
    fn crash(&mut self, how: Crash) {
        panic!("asked to crash: {how:?}");
    }
    fn utc_offset_s(&self, _unix_s: i64) -> i32 {
        0
    }
    fn collation(&self) -> Collation {
        self.collation
    }
    fn put_collation_key(&self, text: &[u8], out: &mut Vec<u8>) {
        out.extend(text.iter().map(u8::to_ascii_lowercase));
    }
}

/// A server and a client of it.
pub(crate) struct Bench {
    pub(crate) server: Server,
    pub(crate) session: Session,
}

impl Bench {
    /// An empty server at Unix time 1,000,000 s, and a client that may do everything.
    pub(crate) fn new() -> Self {
        Self::with(Config::default())
    }

    /// As [`Bench::new`] with a configuration.
    pub(crate) fn with(config: Config) -> Self {
        Self::on(FakeHost::default(), config)
    }

    /// As [`Bench::with`], on this machine.
    pub(crate) fn on(host: FakeHost, config: Config) -> Self {
        let now = Now { unix_us: 1_000_000_000_000, mono_ns: 0 };
        let keyspace = Keyspace::new(16, HashKey::new(1, 2), Rng::seeded(3));
        let mut server = Server::new(config, keyspace, Box::new(host), || 0, Rng::seeded(4), now);
        server.set_now(now);
        let end = Endpoint::Tcp(([127, 0, 0, 1], 6379).into());
        let id = server.sessions.next_id();
        let mut session =
            Session::new(id, end.clone(), end, 8, now.unix_s(), server.users.default_user());
        session.trust = Trust::Authenticated;
        Self { server, session }
    }

    /// Lets time pass, milliseconds.
    pub(crate) fn pass(&mut self, millis: u64) {
        let now = self.server.now.later(millis * 1_000_000);
        self.server.set_now(now);
    }

    /// Executes one command and returns the bytes of its reply.
    pub(crate) fn raw<W: AsRef<[u8]>>(&mut self, words: &[W]) -> Vec<u8> {
        let args: OwnedArgs = words.iter().collect();
        let view = args.as_args();
        let found = self.server.commands.find(view.at(0));
        let hashes = KeyHashes::default();
        let (flow, _) =
            dispatch::execute(&mut self.server, &mut self.session, view, found, hashes, 0);
        assert_eq!(flow, Flow::Done);
        let reply: Vec<u8> = self.session.output.pieces().flatten().copied().collect();
        self.session.output.advance(reply.len());
        reply
    }

    /// Runs a handler as if it were a command's.
    pub(crate) fn handle(&mut self, handler: Handler, words: &[&str]) {
        let args: OwnedArgs = words.iter().collect();
        let Self { server, session } = self;
        let id = server.commands.find(b"ping").expect("it exists");
        let hashes = KeyHashes::default();
        let mut ctx = Context { args: args.as_args(), session, server, id, hashes };
        effects::run(handler, &mut ctx).expect("it succeeds");
    }

    /// Executes a script, whatever the replies.
    pub(crate) fn run(&mut self, script: &str) {
        for line in script.split(';') {
            self.raw(&quote::split_args(line.trim().as_bytes()).expect("balanced quotes"));
        }
    }

    /// Executes a script and compares the replies.
    #[track_caller]
    pub(crate) fn check(&mut self, script: &str, expected: &str) {
        let mut replies = Vec::new();
        for line in script.split(';') {
            let words = quote::split_args(line.trim().as_bytes()).expect("balanced quotes");
            let reply = self.raw(&words);
            if !reply.is_empty() {
                let mut rest = reply.as_slice();
                while !rest.is_empty() {
                    replies.push(render(&mut rest));
                }
            }
        }
        assert_eq!(replies.join(" "), expected, "replies to {script}");
    }
}

/// Takes what a server recorded of changes, as text.
pub(crate) fn recorded(server: &mut Server) -> String {
    let bytes = server.effects.take();
    let mut rest = bytes.as_slice();
    let mut commands = Vec::new();
    while !rest.is_empty() {
        let count: usize = line(&mut rest)[1..].parse().expect("a count");
        let words: Vec<String> = (0..count).map(|_| render(&mut rest)[1..].to_owned()).collect();
        let shown = |word: &String| if word.is_empty() { "''".to_owned() } else { word.clone() };
        commands.push(words.iter().map(shown).collect::<Vec<_>>().join(" "));
    }
    commands.join("|")
}

/// Executes a script on an empty server and compares the replies.
#[track_caller]
pub(crate) fn check(script: &str, expected: &str) {
    Bench::new().check(script, expected);
}

fn line<'a>(rest: &mut &'a [u8]) -> &'a str {
    let end = rest.windows(2).position(|pair| pair == b"\r\n").expect("a line end");
    let (line, after) = rest.split_at(end);
    *rest = &after[2..];
    std::str::from_utf8(line).expect("a line of text")
}

fn render(rest: &mut &[u8]) -> String {
    let head = line(rest);
    let (kind, text) = head.split_at(1);
    match kind {
        "$" | "*" if text == "-1" => format!("{kind}_"),
        "$" | "=" => {
            let len: usize = text.parse().expect("a length");
            let (body, after) = rest.split_at(len);
            *rest = &after[2..];
            format!("{kind}{}", body.escape_ascii())
        }
        "*" | "~" | ">" | "%" => {
            let len: usize = text.parse().expect("a length");
            let len = if kind == "%" { 2 * len } else { len };
            let items: Vec<String> = (0..len).map(|_| render(rest)).collect();
            let kind = if kind == "*" { "" } else { kind };
            format!("{kind}[{}]", items.join(" "))
        }
        _ => head.to_owned(),
    }
}

#[test]
fn scripts_and_replies_read_as_the_integration_tests_do() {
    check("SET k v; GET k; GET x; SET k v NX", "+OK $v $_ $_");
    check("SET k", "-ERR wrong number of arguments for 'set' command");
    check("NOPE a b", "-ERR unknown command 'NOPE', with args beginning with: 'a' 'b' ");
    check(
        r#"OBJECT "a\x00b"; "NO\x00PE" "a\x00b" "\x00""#,
        "-ERR unknown subcommand 'a'. Try OBJECT HELP. \
         -ERR unknown command 'NO', with args beginning with: 'a' '' ",
    );
}

#[test]
fn time_passes_when_told_to() {
    let mut bench = Bench::new();
    bench.check("SET k v PX 100; GET k", "+OK $v");
    bench.pass(100);
    bench.check("GET k", "$_");
}

#[test]
fn a_web_request_ends_the_connection_without_a_reply() {
    for line in ["POST / HTTP/1.1", "Host: localhost:6379"] {
        let mut bench = Bench::new();
        bench.check(line, "");
        assert_eq!(bench.session.closing, crate::session::Closing::Now);
    }
}
