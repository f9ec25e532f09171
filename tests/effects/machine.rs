//! A server in process and its clients.

use crate::grammar::Words;
use crate::host::FlakyHost;
use crate::wire;
use carnelian::base::hash::HashKey;
use carnelian::base::rng::Rng;
use carnelian::command::effects::Listener;
use carnelian::command::server::{Now, Server};
use carnelian::config::{Config, Permission};
use carnelian::node::Node;
use carnelian::session::{Endpoint, SessionFlags};
use carnelian::store::Keyspace;

/// A server and its time.
pub(crate) struct Machine {
    pub(crate) node: Node,
    now: Now,
}

impl Machine {
    /// An empty server at a Unix time, milliseconds. The seed decides its hashes and what it draws.
    pub(crate) fn new(seed: u64, unix_ms: i64) -> Machine {
        let now = Now { unix_us: unix_ms * 1000, mono_ns: 1_000_000_000 };
        let config = Config {
            enable_debug_command: Permission::Yes,
            proto_max_bulk_len: 8 << 20,
            ..Config::default()
        };
        let keyspace = Keyspace::new(16, HashKey::new(seed, 7), Rng::seeded(seed));
        let host = Box::new(FlakyHost::new(std::rc::Rc::default()));
        let mut server = Server::new(config, keyspace, host, || 0, Rng::seeded(!seed), now);
        server.set_now(now);
        Machine { node: Node::new(server), now }
    }

    /// Begins to record what commands change.
    pub(crate) fn listen(&mut self) {
        self.node.server.listen(Listener::AppendOnlyFile);
    }

    pub(crate) fn unix_ms(&self) -> i64 {
        self.now.unix_ms()
    }

    /// Lets milliseconds pass.
    pub(crate) fn pass(&mut self, millis: u64) {
        self.now = self.now.later(millis * 1_000_000);
    }

    /// Does what is due.
    pub(crate) fn tick(&mut self) {
        self.node.tick(self.now);
        self.settle();
    }

    /// Connects a client whose commands were executed elsewhere before.
    pub(crate) fn connect_obeyed(&mut self) -> usize {
        let client = self.connect();
        let session = self.node.server.sessions.get_mut(client).expect("it is connected");
        session.flags.insert(SessionFlags::OBEYED);
        client
    }

    pub(crate) fn connect(&mut self) -> usize {
        let end = Endpoint::Unix("/socket".into());
        self.node.connected(end.clone(), end, 9)
    }

    /// Whether a client waits for a reply.
    pub(crate) fn is_waiting(&mut self, client: usize) -> bool {
        self.node.server.sessions.get_mut(client).is_some_and(|session| session.blocked.is_some())
    }

    /// What a client is sent for a command at once.
    pub(crate) fn send(&mut self, client: usize, words: &Words) -> Vec<u8> {
        let mut bytes = self.node.take_tail(client);
        wire::encode(words, &mut bytes);
        self.node.input(self.now, client, &bytes);
        let session = self.node.server.sessions.get_mut(client).expect("it is connected");
        let reply: Vec<u8> = session.output.pieces().flatten().copied().collect();
        self.settle();
        reply
    }

    /// Takes all replies and what was recorded.
    pub(crate) fn recorded(&mut self) -> Vec<Words> {
        self.settle();
        crate::parsed(&self.node.server.effects.take())
    }

    /// Ends a turn.
    fn settle(&mut self) {
        for index in std::mem::take(&mut self.node.server.writable) {
            let session = self.node.server.sessions.get_mut(index).expect("it is connected");
            session.is_queued_for_write = false;
            let len = session.output.pieces().map(<[u8]>::len).sum();
            session.output.advance(len);
            self.node.server.reclaim_buffer(index);
        }
        assert!(self.node.server.doomed.is_empty(), "no command here ends a connection");
    }
}
