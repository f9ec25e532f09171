//! The server's whole state: what the single thread owns.

use super::buffers::ReplyBuffers;
use super::defrag::Defragmentation;
use super::effects::Effects;
use super::eviction::Eviction;
use super::host::{Bystander, Host};
use super::latency::LatencyMonitor;
use super::observe::{Attention, CommandLogs, Hotkeys, Interest, Monitors};
use super::persist::{Conditions, Persistence};
use super::push::Pushes;
use super::replication::Replication;
use super::scripting::Scripting;
use super::stats::Stats;
use super::table::CommandTable;
use super::waits::Waits;
use crate::acl::{self, Users};
use crate::base::num;
use crate::base::rng::Rng;
use crate::config::{Config, MaxmemoryPolicy};
use crate::persist::rdb::Verify;
use crate::pubsub::Hub;
use crate::resp::parse::Trust;
use crate::session::tracking::Tracking;
use crate::session::{Closing, Endpoint, Ledger, Session, Sessions, Transaction};
use crate::store::{AccessPolicy, Keyspace};
use std::sync::Arc;

/// The time at the start of a turn.
#[derive(Clone, Copy, Debug, Default)]
pub struct Now {
    /// Unix time, microseconds.
    pub unix_us: i64,
    /// A clock that only rises, nanoseconds.
    pub mono_ns: u64,
}

impl Now {
    /// Unix time, milliseconds.
    pub const fn unix_ms(self) -> i64 {
        self.unix_us / 1000
    }

    /// Unix time, seconds.
    pub const fn unix_s(self) -> i64 {
        self.unix_us / 1_000_000
    }

    /// The rising clock, milliseconds.
    pub const fn mono_ms(self) -> u64 {
        self.mono_ns / 1_000_000
    }

    /// The same moment, later.
    #[must_use]
    pub fn later(self, nanos: u64) -> Self {
        Self {
            unix_us: self.unix_us.saturating_add_unsigned(nanos / 1000),
            mono_ns: self.mono_ns + nanos,
        }
    }
}

/// Which commands CLIENT PAUSE holds back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PauseKind {
    /// Those that may write.
    Write,
    /// All.
    All,
}

/// A pause of all clients.
#[derive(Clone, Copy, Debug)]
pub struct Pause {
    /// When it ends, Unix milliseconds.
    pub until_ms: i64,
    /// What it holds back.
    pub kind: PauseKind,
}

/// How the server should end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shutdown {
    /// The exit status.
    pub status: i32,
}

/// Everything the server owns.
#[derive(Debug)]
pub struct Server {
    /// The configuration in force.
    pub config: Config,
    /// The data.
    pub keyspace: Keyspace,
    /// All clients but the one being served.
    pub sessions: Sessions,
    /// What clients take, if there is a limit for all of them together.
    pub ledger: Ledger,
    /// The commands and their figures.
    pub commands: CommandTable,
    /// Who there is and what each may do.
    pub users: Users,
    /// What was refused to whom.
    pub acl_log: acl::Log,
    /// Who listens to which channel.
    pub hub: Hub,
    /// Which clients are told when keys change.
    pub tracking: Tracking,
    /// What is to be sent to clients behind their replies.
    pub pushes: Pushes,
    /// What commands changed, for who repeats it elsewhere.
    pub effects: Effects,
    /// Scripts and functions.
    pub scripting: Scripting,
    /// Who serves other clients while a script takes long; nobody in tests.
    pub bystander: Option<Box<dyn Bystander>>,
    /// How often it took over input that was being worked through.
    pub takeovers: u64,
    /// How `maxmemory` is kept.
    pub eviction: Eviction,
    /// How values are moved together in memory.
    pub defragmentation: Defragmentation,
    /// Counters.
    pub stats: Stats,
    /// What took too long.
    pub latency: LatencyMonitor,
    /// From when on a command is looked at closely.
    pub attention: Attention,
    /// Slow and large commands.
    pub command_logs: CommandLogs,
    /// Clients that look on.
    pub monitors: Monitors,
    /// Which keys take most.
    pub hotkeys: Hotkeys,
    /// The time at the start of the turn, brought forward after slow commands.
    pub now: Now,
    /// When the server started.
    pub started: Now,
    /// A cheap clock that only rises, nanoseconds; times each command.
    pub ticks: fn() -> u64,
    /// Randomness.
    pub rng: Rng,
    /// The machine.
    pub host: Box<dyn Host>,
    /// Bytes in use before the first client.
    pub startup_memory_bytes: u64,
    /// CLIENT PAUSE.
    pub pause: Option<Pause>,
    /// Places of clients whose input waits for the pause to end.
    pub paused: Vec<usize>,
    /// Clients that wait for a reply.
    pub waits: Waits,
    /// Places of clients that got theirs and are to go on with what they sent meanwhile.
    pub resumable: Vec<usize>,
    /// Snapshots.
    pub persistence: Persistence,
    /// Who follows this server, and whom it follows.
    pub replication: Replication,
    /// What keeps commands from being executed.
    pub conditions: Conditions,
    /// Set once the server is to end.
    pub shutdown: Option<Shutdown>,
    /// Whether active expiry runs (DEBUG SET-ACTIVE-EXPIRE).
    pub active_expire: ActiveExpire,
    /// Whether checksums of payloads and snapshots are verified (DEBUG SET-SKIP-CHECKSUM-VALIDATION).
    pub verify: Verify,
    /// Whether the periodic work is done (DEBUG PAUSE-CRON).
    pub periodic_work: PeriodicWork,
    /// Elements of lists from which length on stand alone in a node (DEBUG QUICKLIST-PACKED-THRESHOLD).
    pub list_plain_from: Option<usize>,
    /// Places of clients with output to send in this turn.
    pub writable: Vec<usize>,
    /// Places of clients to close in this turn.
    pub doomed: Vec<usize>,
    /// Whether the commands of a transaction are being executed: what a child would see now is half of it.
    pub in_transaction: bool,
    /// Allocations of a transaction that is over, for the next one.
    pub spare_transaction: Option<Box<Transaction>>,
    /// Buffers for replies, waiting to be lent.
    pub buffers: ReplyBuffers,
    /// Times the reactor may run its periodic work per second at present.
    pub hz: u32,
    /// Peak of clients' input and output, bytes, for INFO clients.
    pub largest_input_bytes: usize,
    /// See `largest_input_bytes`.
    pub largest_output_bytes: u64,
}

/// Whether the periodic work is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeriodicWork {
    /// Yes.
    Runs,
    /// Not for the time being.
    Paused,
}

/// Whether keys are expired when nobody asks for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActiveExpire {
    /// Yes.
    On,
    /// Only when they are asked for.
    Off,
}

/// What a client from another machine is told while there is no password.
const PROTECTED_MODE: &[u8] = b"-DENIED Redis is running in protected mode because protected mode \
is enabled and no password is set for the default user. In this mode connections are only accepted \
from the loopback interface. To connect from other machines, do one of the following: 1) set a \
password for the default user (requirepass, ACL SETUSER); 2) switch protected mode off from this \
machine with CONFIG SET protected-mode no, and CONFIG REWRITE to keep it, once you made sure that \
the server cannot be reached from the internet; 3) start the server with --protected-mode no.\r\n";

/// What accesses write into entries under a configuration.
const fn access_policy(config: &Config) -> AccessPolicy {
    match config.maxmemory_policy {
        MaxmemoryPolicy::VolatileLfu | MaxmemoryPolicy::AllkeysLfu => AccessPolicy::Lfu {
            minutes: 0,
            log_factor: config.lfu_log_factor,
            decay_minutes: config.lfu_decay_time,
        },
        MaxmemoryPolicy::VolatileLru
        | MaxmemoryPolicy::VolatileRandom
        | MaxmemoryPolicy::VolatileTtl
        | MaxmemoryPolicy::AllkeysLru
        | MaxmemoryPolicy::AllkeysRandom
        | MaxmemoryPolicy::Noeviction => AccessPolicy::Lru { clock: 0 },
    }
}

impl Server {
    /// A server without data or clients.
    pub fn new(
        config: Config,
        mut keyspace: Keyspace,
        mut host: Box<dyn Host>,
        ticks: fn() -> u64,
        mut rng: Rng,
        now: Now,
    ) -> Self {
        keyspace.set_policy(access_policy(&config));
        keyspace.events.want_classes(config.notify_keyspace_events);
        let tracking = Tracking::new(keyspace.hash_key());
        let attention = Attention::of(&config, Interest::Slow);
        let commands = CommandTable::default();
        let users = Users::new(Arc::new(commands.catalog()));
        let scripting = Scripting::new(&config);
        let mut server = Self {
            hz: config.hz,
            config,
            keyspace,
            sessions: Sessions::default(),
            ledger: Ledger::default(),
            commands,
            users,
            acl_log: acl::Log::default(),
            hub: Hub::default(),
            tracking,
            pushes: Pushes::default(),
            effects: Effects::default(),
            scripting,
            bystander: None,
            takeovers: 0,
            eviction: Eviction::default(),
            defragmentation: Defragmentation::default(),
            stats: Stats::default(),
            latency: LatencyMonitor::default(),
            attention,
            command_logs: CommandLogs::default(),
            monitors: Monitors::default(),
            hotkeys: Hotkeys::default(),
            now,
            started: now,
            ticks,
            replication: Replication::new(&mut rng),
            rng,
            startup_memory_bytes: host.allocated(),
            host,
            pause: None,
            paused: Vec::new(),
            waits: Waits::default(),
            resumable: Vec::new(),
            persistence: Persistence { saved_at_s: now.unix_s(), ..Persistence::default() },
            conditions: Conditions::default(),
            shutdown: None,
            active_expire: ActiveExpire::On,
            verify: Verify::Checksum,
            periodic_work: PeriodicWork::Runs,
            list_plain_from: None,
            writable: Vec::new(),
            doomed: Vec::new(),
            in_transaction: false,
            spare_transaction: None,
            buffers: ReplyBuffers::default(),
            largest_input_bytes: 0,
            largest_output_bytes: 0,
        };
        server.follow_client_memory_limit();
        server.adopt_password();
        server
    }

    /// Sets the time, for commands and for the keyspace.
    pub fn set_now(&mut self, now: Now) {
        self.now = now;
        self.keyspace.set_now(now.unix_ms());
    }

    /// Begins or ends a pause of clients. Expiry is a write, which even the mildest pause holds back.
    pub fn set_pause(&mut self, pause: Option<Pause>) {
        self.pause = pause;
        self.replication.has_news |= self.replication.asks;
        self.keyspace.keeps_expired = pause.is_some() || !self.replication.role.is_primary();
    }

    /// Makes accesses leave what `maxmemory-policy` needs, as it and the `lfu` directives now are.
    pub fn adopt_access_policy(&mut self) {
        self.keyspace.set_policy(access_policy(&self.config));
    }

    /// The error line for a connection that cannot be accepted; `None` if it can.
    pub fn refusal(&self, peer: &Endpoint) -> Option<&'static [u8]> {
        if self.sessions.len() >= num::usize_of_u32(self.config.maxclients) {
            return Some(b"-ERR max number of clients reached\r\n");
        }
        (!self.lets_in(peer)).then_some(PROTECTED_MODE)
    }

    /// Whether `protected-mode` lets in who comes from there.
    pub fn lets_in(&self, peer: &Endpoint) -> bool {
        let is_open = self.users.default_user().takes_any_password();
        !self.config.protected_mode || !is_open || peer.is_local()
    }

    /// What a client may do before it has said who it is.
    pub fn initial_trust(&self) -> Trust {
        if self.users.is_open() { Trust::Authenticated } else { Trust::Unauthenticated }
    }

    /// How far a client is trusted now: without a password there is nothing to prove.
    #[inline]
    pub fn trust_of(&self, session: &Session) -> Trust {
        match session.trust {
            Trust::Unauthenticated if !self.users.is_open() => Trust::Unauthenticated,
            Trust::Unauthenticated | Trust::Authenticated => Trust::Authenticated,
        }
    }

    /// Gives a client a buffer for its replies.
    #[inline]
    pub fn lend_buffer(&mut self, session: &mut Session) {
        let buffers = &mut self.buffers;
        session.output.lend_buffer(|| buffers.take());
    }

    /// Takes a client's buffer back if all its replies were sent.
    pub fn reclaim_buffer(&mut self, session_index: usize) {
        if let Some(session) = self.sessions.get_mut(session_index)
            && let Some(buffer) = session.output.reclaim_buffer()
        {
            self.buffers.give_back(buffer);
            if self.ledger.is_kept() && session.closing != Closing::Now {
                self.ledger.note(session);
            }
        }
    }

    /// As [`Server::reclaim_buffer`], of a client that is out of its place.
    pub fn take_buffer_back(&mut self, session: &mut Session) {
        if let Some(buffer) = session.output.reclaim_buffer() {
            self.buffers.give_back(buffer);
        }
    }

    /// Notes that a client has output to send.
    #[inline]
    pub fn queue_write(&mut self, session: &mut Session) {
        if !session.is_queued_for_write {
            session.is_queued_for_write = true;
            self.writable.push(session.index);
        }
    }

    /// Closes a client at the end of the turn, whatever is left to send.
    pub fn close(&mut self, session: &mut Session) {
        if session.closing != Closing::Now {
            session.closing = Closing::Now;
            self.ledger.forget(session);
            self.doomed.push(session.index);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::testing::Bench;
    use std::net::SocketAddr;

    #[derive(Debug, PartialEq, Eq)]
    enum Verdict {
        Accepted,
        Denied,
        Full,
    }

    fn verdict(config: Config, peer: &str) -> Verdict {
        let server = Bench::with(config).server;
        let peer = match peer.parse::<SocketAddr>() {
            Ok(address) => Endpoint::Tcp(address),
            Err(_) => Endpoint::Unix(peer.into()),
        };
        match server.refusal(&peer) {
            None => Verdict::Accepted,
            Some(line) if line.starts_with(b"-DENIED ") => Verdict::Denied,
            Some(line) if line == b"-ERR max number of clients reached\r\n" => Verdict::Full,
            Some(line) => panic!("{}", line.escape_ascii()),
        }
    }

    #[test]
    fn strangers_from_elsewhere_are_denied_while_there_is_no_password() {
        for local in ["127.0.0.1:1", "127.0.0.2:1", "[::1]:1", "[::ffff:127.0.0.1]:1", "/s.sock"] {
            assert_eq!(verdict(Config::default(), local), Verdict::Accepted, "{local}");
        }
        for remote in ["10.0.0.1:1", "128.0.0.1:1", "[::2]:1", "[::ffff:10.0.0.1]:1"] {
            assert_eq!(verdict(Config::default(), remote), Verdict::Denied, "{remote}");
            let secret = Config { requirepass: "pw".into(), ..Config::default() };
            assert_eq!(verdict(secret, remote), Verdict::Accepted, "{remote}");
            let open = Config { protected_mode: false, ..Config::default() };
            assert_eq!(verdict(open, remote), Verdict::Accepted, "{remote}");
        }
    }

    #[test]
    fn nobody_is_accepted_beyond_maxclients() {
        let full = Config { maxclients: 0, ..Config::default() };
        assert_eq!(verdict(full, "127.0.0.1:1"), Verdict::Full);
    }

    #[test]
    fn a_refusal_is_one_line() {
        assert!(PROTECTED_MODE.ends_with(b"\r\n"));
        assert_eq!(PROTECTED_MODE.iter().filter(|&&byte| byte == b'\n').count(), 1);
    }
}
