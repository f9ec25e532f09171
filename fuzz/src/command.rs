//! A whole server in memory: whatever clients send, it does not panic, its replies are well formed, and
//! its tables stay what they promise to be.
//!
//! Input: lines of text, so that the corpus can be read and outlives new commands. A line is a command,
//! its words quoted as in `redis-cli`; one whose quotes do not close is sent as it is. Lines that follow
//! each other are sent at once. A line that begins with `@` is for the machine:
//!
//! * `@0` to `@3`: the next lines come from this client; it connects if it has to;
//! * `@x`: this client disconnects;
//! * `@t N`: N milliseconds pass;
//! * `@c N`: from now on bytes arrive N at a time (0: all at once);
//! * `@w N`: sockets take N bytes at a time (0: all);
//! * `@d N`: values are moved in memory, in N steps or a few more, wherever the last such line left off;
//! * `@r WORDS`: these bytes are sent as they are, one word behind the other;
//! * `@f`: files and settings of the machine begin to fail, or cease to.
//!
//! An empty line ends a run of lines that are sent at once.

use super::host::{FlakyHost, ticks};
use super::reply;
use carnelian::base::hash::HashKey;
use carnelian::base::quote;
use carnelian::base::rng::Rng;
use carnelian::command::server::{Now, Server};
use carnelian::config::{Config, Permission};
use carnelian::node::Node;
use carnelian::session::{Closing, Endpoint};
use carnelian::store::Keyspace;
use std::cell::Cell;
use std::collections::BTreeSet;
use std::rc::Rc;

/// Lines of one run.
const LINES_MAX: usize = 200;
/// Clients of one run.
const CLIENTS: usize = 4;
/// `DEBUG POPULATE` may ask for this much.
const POPULATE_MAX: u64 = 2000;
/// `@d` may ask for so many steps.
const DEFRAGMENTING_STEPS_MAX: u64 = 1000;
/// Values of more elements are moved in steps of their own: few, so that scripts have such values.
const DEFRAGMENTED_AT_ONCE: usize = 4;
/// Longest time that passes at once, milliseconds.
const PASS_MAX_MS: u64 = 1 << 40;

/// Checks one script.
pub fn run(bytes: &[u8]) {
    let mut bench = Bench::new();
    for line in bytes.split(|&byte| byte == b'\n').take(LINES_MAX) {
        match line.strip_prefix(b"@") {
            Some(control) => {
                bench.turn();
                bench.control(control);
            }
            None if line.is_empty() => bench.turn(),
            None => bench.queue(line),
        }
        if bench.node.server.shutdown.is_some() {
            break;
        }
    }
    bench.turn();
    bench.pass(10_000);
    bench.check();
}

/// A server, the machine around it, and its clients.
struct Bench {
    node: Node,
    now: Now,
    failing: Rc<Cell<bool>>,
    /// Their places.
    clients: [Option<usize>; CLIENTS],
    /// The one whose lines come now.
    speaker: usize,
    /// What it is about to send.
    pending: Vec<u8>,
    /// What each was sent.
    received: [Vec<u8>; CLIENTS],
    read_len: usize,
    write_len: usize,
}

impl Bench {
    fn new() -> Self {
        let now = Now { unix_us: 1_700_000_000_000_000, mono_ns: 1_000_000_000_000 };
        let config = Config {
            enable_debug_command: Permission::Yes,
            enable_protected_configs: Permission::Yes,
            latency_tracking: false,
            proto_max_bulk_len: 1 << 20,
            ..Config::default()
        };
        let failing = Rc::new(Cell::new(false));
        let host = Box::new(FlakyHost::new(Rc::clone(&failing)));
        let keyspace = Keyspace::new(4, HashKey::new(1, 2), Rng::seeded(3));
        let server = Server::new(config, keyspace, host, ticks, Rng::seeded(4), now);
        Self {
            node: Node::new(server),
            now,
            failing,
            clients: [None; CLIENTS],
            speaker: 0,
            pending: Vec::new(),
            received: Default::default(),
            read_len: usize::MAX,
            write_len: usize::MAX,
        }
    }

    fn control(&mut self, control: &[u8]) {
        let (kind, rest) = control.split_first().unwrap_or((&b' ', b""));
        let number = || {
            let text = std::str::from_utf8(rest).unwrap_or_default();
            text.trim().parse::<u64>().unwrap_or(0)
        };
        let len = || usize::try_from(number()).ok().filter(|&len| len > 0).unwrap_or(usize::MAX);
        match kind {
            b'0'..=b'3' => self.speaker = usize::from(kind - b'0'),
            b'x' => {
                if let Some(index) = self.clients[self.speaker] {
                    self.disconnect(index);
                }
            }
            b't' => self.pass(number().min(PASS_MAX_MS)),
            b'c' => self.read_len = len(),
            b'w' => self.write_len = len(),
            b'r' => {
                let words = quote::split_args(rest).unwrap_or_default();
                self.pending.extend(words.concat());
            }
            b'd' => self.defragment(number()),
            b'f' => self.failing.set(!self.failing.get()),
            _ => {}
        }
    }

    /// Moves some of what is in memory, as active defragmentation does between commands. The mover of a
    /// fuzzer moves every block and leaves rubbish where it was; elsewhere nothing is moved.
    fn defragment(&mut self, steps: u64) {
        let Server { keyspace, host, .. } = &mut self.node.server;
        let mut left = steps.min(DEFRAGMENTING_STEPS_MAX);
        keyspace.defragment(host.relocator(), DEFRAGMENTED_AT_ONCE, || {
            left = left.saturating_sub(1);
            left == 0
        });
    }

    /// Adds a line to what is sent next.
    fn queue(&mut self, line: &[u8]) {
        let out = &mut self.pending;
        match quote::split_args(line) {
            Ok(words) if is_bounded(&words) => {
                out.extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
                for word in words {
                    out.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
                    out.extend_from_slice(&word);
                    out.extend_from_slice(b"\r\n");
                }
            }
            Ok(_) => {}
            Err(_) => {
                out.extend_from_slice(line);
                out.push(b'\n');
            }
        }
    }

    /// Sends what is pending, and lets the server do what the reactor has it do in a turn.
    fn turn(&mut self) {
        let pending = std::mem::take(&mut self.pending);
        for piece in pending.chunks(self.read_len.max(1 + pending.len() / 100)) {
            let Some(index) = self.connected() else { break };
            let mut input = self.node.take_tail(index);
            input.extend_from_slice(piece);
            self.node.input(self.now, index, &input);
            self.flush();
        }
        self.node.tick(self.now);
        self.flush();
        self.now = self.now.later(1_000_000);
    }

    fn pass(&mut self, millis: u64) {
        self.now = self.now.later(millis * 1_000_000);
        // Once for what is due, and some more for what that left over.
        for _ in 0..3 {
            self.node.tick(self.now);
            self.flush();
            self.now = self.now.later(1_000_000_000);
        }
    }

    /// The place of the client that speaks, if the server lets it in.
    fn connected(&mut self) -> Option<usize> {
        if self.clients[self.speaker].is_none() {
            let peer = match self.speaker {
                0 | 1 => Endpoint::Tcp(([127, 0, 0, 1], 50_000).into()),
                2 => Endpoint::Tcp(([10, 0, 0, 7], 50_000).into()),
                _ => Endpoint::Unix("/tmp/s".into()),
            };
            if let Some(refusal) = self.node.server.refusal(&peer) {
                reply::check(refusal);
                return None;
            }
            let local = Endpoint::Tcp(([127, 0, 0, 1], 6379).into());
            self.clients[self.speaker] = Some(self.node.connected(peer, local, 9));
        }
        self.clients[self.speaker]
    }

    /// Writes what waits for the clients, as the reactor does it.
    fn flush(&mut self) {
        for index in std::mem::take(&mut self.node.server.writable) {
            self.write(index);
        }
        while let Some(index) = self.node.server.pushes.take_next() {
            self.write(index);
        }
        for index in std::mem::take(&mut self.node.server.doomed) {
            self.disconnect(index);
        }
    }

    fn write(&mut self, index: usize) {
        let Some(session) = self.node.server.sessions.get_mut(index) else { return };
        session.is_queued_for_write = false;
        session.is_queued_for_push = false;
        let client = self.clients.iter().position(|place| *place == Some(index));
        let received = &mut self.received[client.expect("a session belongs to a client")];
        let least = 1 + session.output.pending_bytes() / 100;
        while !session.output.is_empty() {
            let most = self.write_len.max(least);
            let before = received.len();
            for piece in session.output.pieces() {
                let room = most - (received.len() - before);
                received.extend_from_slice(&piece[..piece.len().min(room)]);
            }
            session.output.advance(received.len() - before);
        }
        reply::check(&std::mem::take(received));
        if session.closing == Closing::AfterReplies {
            self.disconnect(index);
        } else {
            self.node.server.reclaim_buffer(index);
        }
    }

    fn disconnect(&mut self, index: usize) {
        self.node.disconnected(index);
        for place in &mut self.clients {
            *place = place.filter(|&place| place != index);
        }
    }

    fn check(&self) {
        let server = &self.node.server;
        for db in 0..server.keyspace.len() {
            let table = server.keyspace.db(db);
            #[cfg(fuzzing)]
            table.check_invariants();
            let mut keys = BTreeSet::new();
            let mut volatile = 0;
            for entry in table.iter() {
                assert!(keys.insert(entry.key().to_vec()), "a key is there twice");
                volatile += usize::from(entry.expiry().is_some());
                let found = server.keyspace.glimpse(db, server.keyspace.key(entry.key()));
                let found = found.map(|found| found.key().to_vec());
                let expected = server.keyspace.is_live(&entry).then(|| entry.key().to_vec());
                assert_eq!(found, expected);
            }
            assert_eq!((table.len(), table.volatile_len()), (keys.len(), volatile));
        }
        let waiting = server.sessions.iter().filter(|session| session.blocked.is_some());
        assert_eq!(server.waits.len(), waiting.count());
        let clients = self.clients.iter().flatten().count();
        assert_eq!(server.sessions.len(), clients);
    }
}

/// Whether a command asks for no more than a run has time and memory for. The server itself sets no
/// bounds there: who may use these commands may use all of the machine.
fn is_bounded(words: &[Vec<u8>]) -> bool {
    let is = |at: usize, name: &str| {
        words.get(at).is_some_and(|word| word.eq_ignore_ascii_case(name.as_bytes()))
    };
    if is(0, "debug") && is(1, "populate") {
        let number = |word: &Vec<u8>| String::from_utf8_lossy(word).parse::<u64>().unwrap_or(0);
        return words.iter().all(|word| number(word) <= POPULATE_MAX);
    }
    if is(0, "config") && is(1, "set") {
        let raises = |word: &Vec<u8>| word.to_ascii_lowercase().ends_with(b"bulk-len");
        return !words.iter().any(raises);
    }
    !words.is_empty()
}
