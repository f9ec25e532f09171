//! A replica whose primary sends what it likes: the handshake, a snapshot and the stream of commands. The
//! replica does not panic, goes on to serve, and comes to the same data however the bytes are cut.
//!
//! Input: a byte of choices, a byte that says how the bytes are cut, then what the primary sends. With bit 0
//! of the choices the handshake up to the snapshot is sent first, with bit 1 the snapshot too (an empty one),
//! so that what follows is the stream; bits 2 and 3 choose `repl-diskless-load`, bit 4 lets the stream go on
//! from where the replica is.

use super::host::{FlakyHost, ticks};
use carnelian::base::hash::HashKey;
use carnelian::base::rng::Rng;
use carnelian::command::effects::Effects;
use carnelian::command::persist::Conditions;
use carnelian::command::replication::Replication;
use carnelian::command::server::{Now, Server};
use carnelian::command::spec::Flags;
use carnelian::config::{Config, PrimaryAddress, ReplDisklessLoad};
use carnelian::node::Node;
use carnelian::persist::rdb::{SaveOptions, save};
use carnelian::session::{Closing, Endpoint};
use carnelian::store::Keyspace;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

const HANDSHAKE: &[u8] = b"+PONG\r\n+OK\r\n+OK\r\n";
const FULL: &[u8] = b"+FULLRESYNC 0123456789abcdef0123456789abcdef01234567 100\r\n";

/// What the first byte says.
#[derive(Clone, Copy)]
struct Choices(u8);

impl Choices {
    fn diskless_load(self) -> ReplDisklessLoad {
        match self.0 >> 2 & 3 {
            0 | 1 => ReplDisklessLoad::Disabled,
            2 => ReplDisklessLoad::OnEmptyDb,
            _ => ReplDisklessLoad::Swapdb,
        }
    }

    /// What is sent before the input.
    fn prelude(self) -> Vec<u8> {
        let mut bytes = Vec::new();
        if self.0 & 3 == 0 {
            return bytes;
        }
        bytes.extend_from_slice(HANDSHAKE);
        if self.0 & 16 != 0 {
            bytes.extend_from_slice(b"+CONTINUE\r\n");
        } else {
            bytes.extend_from_slice(FULL);
        }
        if self.0 & (2 | 16) == 2 {
            EMPTY_SNAPSHOT.with(|snapshot| {
                bytes.extend_from_slice(format!("${}\r\n", snapshot.len()).as_bytes());
                bytes.extend_from_slice(snapshot);
            });
        }
        bytes
    }
}

const NOW: Now = Now { unix_us: 1_700_000_000_000_000, mono_ns: 1_000_000_000_000 };

/// Commands that leave nothing with the server, though they are not there for keys.
const HARMLESS: &[&str] =
    &["discard", "echo", "exec", "multi", "ping", "publish", "replconf", "select"];

thread_local! {
    /// A server for further inputs: making one takes longer than most of them.
    static SERVER: RefCell<Option<Server>> = const { RefCell::new(None) };
    static EMPTY_SNAPSHOT: Vec<u8> = {
        let mut snapshot = Vec::new();
        save(&keyspace(), &SaveOptions::default(), &mut snapshot).expect("memory");
        snapshot
    };
}

fn keyspace() -> Keyspace {
    Keyspace::new(4, HashKey::new(1, 2), Rng::seeded(3))
}

/// A server without keys or clients that follows nobody.
fn server(choices: Choices) -> Server {
    let mut server = SERVER.take().unwrap_or_else(|| {
        let config =
            Config { latency_tracking: false, proto_max_bulk_len: 1 << 20, ..Config::default() };
        let host = Box::new(FlakyHost::new(Rc::new(Cell::new(false))));
        Server::new(config, keyspace(), host, ticks, Rng::seeded(4), NOW)
    });
    server.config.repl_diskless_load = choices.diskless_load();
    server.set_now(NOW);
    server
}

/// Keeps the server for the next input, unless this one may have left something with it.
fn keep(mut server: Server) {
    let does_more = |flags: Flags| !flags.intersects(Flags::WRITE | Flags::READONLY);
    let did_more = server.commands.iter().any(|(_, command)| {
        command.stats.calls > 0
            && does_more(command.command.spec.flags)
            && !HARMLESS.contains(&command.command.spec.name)
    });
    if did_more || server.shutdown.is_some() || !server.persistence.libraries.is_empty() {
        return;
    }
    server.follow_nobody();
    if server.conditions != Conditions::default() {
        return;
    }
    server.rng = Rng::seeded(4);
    server.keyspace = keyspace();
    server.effects = Effects::default();
    server.replication = Replication::new(&mut Rng::seeded(5));
    server.writable.clear();
    server.doomed.clear();
    SERVER.set(Some(server));
}

/// Checks one primary.
pub fn run(bytes: &[u8]) {
    let [choices, cut, sent @ ..] = bytes else { return };
    let choices = Choices(*choices);
    let whole = follow(choices, sent, usize::MAX);
    let cut = follow(choices, sent, usize::from(*cut % 32) + 1);
    if let (Some(whole), Some(cut)) = (whole, cut) {
        assert_eq!(whole, cut, "the data depend on how the bytes were cut");
    }
}

/// What became of the data: offset, keys, and their names. `None` if the link was closed, after which it
/// depends on what had come by then.
fn follow(choices: Choices, sent: &[u8], at_once: usize) -> Option<(u64, Vec<Vec<u8>>)> {
    let now = NOW;
    let mut node = Node::new(server(choices));
    node.server.follow(PrimaryAddress { host: "127.0.0.1".into(), port: 1 });
    let dial = node.server.take_dial().expect("a connection is wanted");
    let end = Endpoint::Tcp(([127, 0, 0, 1], 1).into());
    let link =
        node.desk().dialled(dial.attempt, end.clone(), end.clone(), -1).expect("it is wanted");
    node.desk().link_connected(link);
    let bytes = [choices.prelude(), sent.to_vec()].concat();
    for piece in bytes.chunks(at_once) {
        let is_open = |node: &Node| {
            let session = node.server.sessions.get(link);
            session.is_some_and(|session| session.closing == Closing::No)
        };
        if !is_open(&node) || !node.server.wants_primary_input() || node.server.shutdown.is_some() {
            break;
        }
        node.input(now, link, piece);
        node.tick(now);
        discard_output(&mut node, link);
    }
    node.tick(now.later(2_000_000_000));
    serve(&mut node, now.later(2_000_000_000));
    let session = node.server.sessions.get(link);
    let is_followed = session.is_some_and(|session| session.closing == Closing::No);
    let outcome = is_followed.then(|| (node.server.replication.history.offset(), names(&node)));
    node.disconnected(link);
    keep(node.server);
    outcome
}

/// The names of all keys.
fn names(node: &Node) -> Vec<Vec<u8>> {
    let keyspace = &node.server.keyspace;
    let entries = (0..keyspace.len()).flat_map(|db| keyspace.db(db).iter());
    let mut names: Vec<Vec<u8>> = entries.map(|entry| entry.key().to_vec()).collect();
    names.sort();
    names
}

/// What the replica says goes nowhere.
fn discard_output(node: &mut Node, index: usize) {
    if let Some(session) = node.server.sessions.get_mut(index) {
        let pending = session.output.pending_bytes();
        session.output.advance(pending);
        session.is_queued_for_write = false;
    }
    node.server.writable.clear();
}

/// The server is there for clients.
fn serve(node: &mut Node, now: Now) {
    if node.server.shutdown.is_some() {
        return;
    }
    let end = Endpoint::Tcp(([127, 0, 0, 1], 2).into());
    let client = node.connected(end.clone(), end, -1);
    node.input(now, client, b"ECHO sing\r\n");
    let session = node.server.sessions.get_mut(client).expect("it is connected");
    let reply: Vec<u8> = session.output.pieces().flatten().copied().collect();
    assert!(
        reply == b"$4\r\nsing\r\n" || reply.starts_with(b"-LOADING"),
        "{}",
        reply.escape_ascii()
    );
    node.disconnected(client);
}
