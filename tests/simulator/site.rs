//! One server on its machine: it starts, hears, speaks, and ends, with or without warning.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;

use carnelian::base::hash::HashKey;
use carnelian::base::rng::Rng as ServerRng;
use carnelian::command::host::LogMode;
use carnelian::command::replication::role::LinkState;
use carnelian::command::server::{Now, Server};
use carnelian::config::{AppendFsync, Config, Permission, PrimaryAddress};
use carnelian::ds::listpack::Digits;
use carnelian::node::Node;
use carnelian::persist::Progress;
use carnelian::session::{Closing, Endpoint, SessionFlags};
use carnelian::store::Keyspace;
use carnelian::value::list::Direction;
use carnelian::value::stream::StreamId;
use carnelian::value::{Entry, HashRef, ListRef, SetRef, SortedSetRef, Str, Stream};

use crate::client::Token;
use crate::disk::{Drive, Late};
use crate::machine::Machine;
use crate::network::Place;
use crate::options::Bug;
use crate::reply;
use crate::rng::Rng;
use crate::talk;
use crate::world::now_of;

const PORT: u16 = 6379;
const DATABASES: usize = 4;
/// Nanoseconds between two looks at the clock that times commands.
const TICK_NS: u64 = 500;

thread_local! {
    static TICKS: Cell<u64> = const { Cell::new(0) };
}

fn ticks() -> u64 {
    TICKS.set(TICKS.get() + TICK_NS);
    TICKS.get()
}

/// When a value expires, and what it holds.
type Held = (Option<i64>, Vec<u8>);
/// All data, by database and key.
type Data = BTreeMap<(usize, Vec<u8>), Held>;

/// What a server says in a turn.
#[derive(Debug)]
pub(crate) enum Said {
    /// To the client at a place of its table.
    Bytes(usize, Vec<u8>),
    /// The connection of that place is closed.
    Closed(usize),
    /// It wants a connection.
    Dial { to: Place, attempt: u64 },
}

/// The address of a machine.
pub(crate) fn address(place: Place) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(10, 0, 0, u8::try_from(place + 1).expect("few machines")))
}

fn place_of(host: &str) -> Option<Place> {
    host.strip_prefix("10.0.0.")?.parse::<Place>().ok()?.checked_sub(1)
}

/// One server and what is left of it when it is down.
#[derive(Debug)]
pub(crate) struct Site {
    place: Place,
    node: Option<Node>,
    pub(crate) drive: Drive,
    late: Option<Late>,
    clock: Rc<Cell<u64>>,
    /// Of the configuration file.
    primary: Option<Place>,
    settings: Settings,
    /// Counts what it was woken for.
    turn: u64,
    bug: Bug,
    unsent: Vec<usize>,
    disturbed_at: u64,
    linked: LinkState,
    /// Confirmed writes of which this server has said that they are on its disk, as long as it has them.
    on_disk: BTreeSet<u64>,
    /// Whether it is to log from when its log has a base.
    begins_to_log: bool,
}

/// What of its configuration differs from seed to seed.
#[derive(Clone, Copy, Debug)]
struct Settings {
    backlog_bytes: u64,
    spilled_bytes: u64,
    is_diskless: bool,
    hz: u32,
    logs: bool,
    fsync: AppendFsync,
    has_snapshot_base: bool,
    has_timestamps: bool,
    spares_children: bool,
}

impl Site {
    pub(crate) fn new(place: Place, seed: u64, bug: Bug) -> Site {
        let part = 10 + u64::try_from(place).expect("few machines");
        let mut rng = Rng::new(seed, part);
        let settings = Settings {
            backlog_bytes: *rng.pick(&[16_384, 65_536, 1 << 20]),
            spilled_bytes: *rng.pick(&[0, 0, 100_000, 1 << 30]),
            is_diskless: rng.chance(50),
            hz: 10,
            logs: rng.chance(60),
            fsync: *rng.pick(&[AppendFsync::Always, AppendFsync::Everysec, AppendFsync::Everysec]),
            has_snapshot_base: rng.chance(70),
            has_timestamps: rng.chance(20),
            spares_children: rng.chance(20),
        };
        let failing_permille = *rng.pick(&[0, 0, 0, 10]);
        Site {
            place,
            node: None,
            drive: Drive::new(Rng::new(rng.next(), 1), failing_permille, bug),
            late: None,
            clock: Rc::default(),
            primary: None,
            settings,
            turn: 0,
            bug,
            unsent: Vec::new(),
            disturbed_at: 0,
            linked: LinkState::Connect,
            on_disk: BTreeSet::new(),
            begins_to_log: false,
        }
    }

    pub(crate) const fn place(&self) -> Place {
        self.place
    }

    pub(crate) const fn turn(&self) -> u64 {
        self.turn
    }

    pub(crate) const fn is_up(&self) -> bool {
        self.node.is_some()
    }

    /// Whether it has bytes for somebody who had no room for them.
    pub(crate) const fn has_unsent(&self) -> bool {
        !self.unsent.is_empty()
    }

    fn speaks(&self, now: Now) {
        talk::speaks(self.place, now.mono_ms() - 1000);
    }

    fn server(&self) -> Option<&Server> {
        self.node.as_ref().map(|node| &node.server)
    }

    fn config(&self) -> Config {
        Config {
            databases: DATABASES,
            protected_mode: false,
            enable_debug_command: Permission::Yes,
            latency_tracking: false,
            hz: self.settings.hz,
            repl_timeout: 10,
            repl_ping_replica_period: 2,
            repl_backlog_size: self.settings.backlog_bytes,
            repl_backlog_spill_size: self.settings.spilled_bytes,
            repl_diskless_sync: self.settings.is_diskless,
            repl_diskless_sync_delay: 0,
            replicaof: self.primary.map(|place| PrimaryAddress {
                host: address(place).to_string().as_str().into(),
                port: PORT,
            }),
            appendonly: self.settings.logs,
            appendfsync: self.settings.fsync,
            aof_use_rdb_preamble: self.settings.has_snapshot_base,
            aof_timestamp_enabled: self.settings.has_timestamps,
            no_appendfsync_on_rewrite: self.settings.spares_children,
            auto_aof_rewrite_min_size: 20_000,
            ..Config::default()
        }
    }

    /// Starts with what the disk holds; or why that cannot be.
    pub(crate) fn start(&mut self, now: Now, rng: &mut Rng) -> Result<(), String> {
        let config = self.config();
        self.clock.set(now.mono_ms());
        let part = rng.next();
        let mut machine =
            Machine::new(self.drive.clone(), Rc::clone(&self.clock), Rng::new(part, 3));
        let keyspace = |seed| {
            let key = HashKey::new(1, 2);
            let mut keyspace = Keyspace::new(DATABASES, key, ServerRng::seeded(seed));
            keyspace.set_now(now.unix_ms());
            keyspace
        };
        let own = keyspace(rng.next());
        machine.load(keyspace(rng.next()), &config, now)?;
        self.late = Some(machine.late());
        let host = Box::new(machine);
        let mut server = Server::new(config, own, host, ticks, ServerRng::seeded(rng.next()), now);
        server.begin_loading(Arc::new(Progress::new()), 1);
        server.follow_configured();
        self.node = Some(Node::new(server));
        self.turn += 1;
        self.unsent.clear();
        self.disturb(now.mono_ns);
        Ok(())
    }

    fn log_mode(&self) -> LogMode {
        let log = self.server().and_then(|server| server.host.append_only_file());
        log.map_or(LogMode::Off, |log| log.mode())
    }

    /// Has it log from now on, or no longer; so it is when it starts again, once there is something to start
    /// with.
    pub(crate) fn switch_log(&mut self, now: Now) -> (String, Vec<u8>) {
        let logs = self.log_mode() == LogMode::Off;
        let command = format!("CONFIG SET appendonly {}", if logs { "yes" } else { "no" });
        let reply = self.order(now, &command);
        if reply.starts_with(b"+OK") {
            self.begins_to_log = logs;
            if !logs {
                self.settings.logs = false;
                self.on_disk.clear();
            }
        }
        (command, reply)
    }

    /// A write of which it has said that it is on its disk.
    pub(crate) fn put_on_disk(&mut self, number: u64) {
        if self.log_mode() != LogMode::Off && self.holds(number) {
            self.on_disk.insert(number);
        }
    }

    /// How many writes it has said are on its disk.
    pub(crate) fn on_disk(&self) -> u64 {
        u64::try_from(self.on_disk.len()).expect("few")
    }

    /// A write that was on its disk when it ended, as it had said, and is not there any more.
    pub(crate) fn lacks_of_disk(&self) -> Option<u64> {
        self.on_disk.iter().copied().find(|&number| !self.holds(number))
    }

    /// Whether the server has ended by itself.
    pub(crate) fn has_ended(&self) -> bool {
        self.server().is_some_and(|server| server.shutdown.is_some())
    }

    /// Ends it; its disk stays.
    pub(crate) fn stop(&mut self, at: u64) {
        self.settings.logs |= self.begins_to_log && self.log_mode() == LogMode::On;
        self.forget_on_disk();
        self.node = None;
        self.late = None;
        self.turn += 1;
        self.disturb(at);
    }

    /// What it has not got at present it need not have later.
    fn forget_on_disk(&mut self) {
        let mut on_disk = std::mem::take(&mut self.on_disk);
        on_disk.retain(|&number| self.holds(number));
        self.on_disk = on_disk;
    }

    /// Notes that the server may have lost something that it had, `at` nanoseconds.
    pub(crate) fn disturb(&mut self, at: u64) {
        self.disturbed_at = self.disturbed_at.max(at);
    }

    /// Whether it may have lost something since then.
    pub(crate) fn was_disturbed_since(&self, at: u64) -> bool {
        self.disturbed_at >= at || !self.is_linked()
    }

    /// Whom it follows once it starts again.
    pub(crate) const fn should_follow(&mut self, primary: Option<Place>) {
        self.primary = primary;
    }

    /// Somebody connects from another machine.
    pub(crate) fn accept(&mut self, now: Now, from: Place) -> Option<usize> {
        let node = self.node.as_mut()?;
        node.server.set_now(now);
        let peer = Endpoint::Tcp(SocketAddr::new(address(from), 40_000));
        if node.server.refusal(&peer).is_some() {
            return None;
        }
        let local = Endpoint::Tcp(SocketAddr::new(address(self.place), PORT));
        Some(node.connected(peer, local, 9))
    }

    /// Whether it reads from a connection at present.
    pub(crate) fn reads(&self, index: usize) -> bool {
        self.server().is_none_or(|server| {
            let session = server.sessions.get(index);
            let is_link = session.is_some_and(|one| one.flags.contains(SessionFlags::PRIMARY));
            !is_link || server.wants_primary_input()
        })
    }

    pub(crate) fn hear(&mut self, now: Now, index: usize, bytes: &[u8]) {
        self.speaks(now);
        let Some(node) = self.node.as_mut() else { return };
        let mut input = node.take_tail(index);
        input.extend_from_slice(bytes);
        let before = node.server.replication.partial_syncs;
        node.input(now, index, &input);
        let books = &mut node.server.replication;
        if self.bug == Bug::SkippedByte
            && books.partial_syncs > before
            && let Some(replica) = books.replicas.get_mut(index)
        {
            replica.next = replica.next.map(|next| next + 1);
        }
    }

    /// A connection is gone.
    pub(crate) fn ended(&mut self, now: Now, index: usize) {
        let Some(node) = self.node.as_mut() else { return };
        node.server.set_now(now);
        node.disconnected(index);
    }

    /// The connection that it wanted is there; its place in the table, if it still wants it.
    pub(crate) fn dialled(&mut self, now: Now, attempt: u64) -> Option<usize> {
        let node = self.node.as_mut()?;
        node.server.set_now(now);
        let end = Endpoint::Tcp(SocketAddr::new(address(self.place), PORT));
        let index = node.desk().dialled(attempt, end.clone(), end, 9)?;
        node.desk().link_connected(index);
        Some(index)
    }

    pub(crate) fn dial_failed(&mut self, now: Now, attempt: u64) {
        let Some(node) = self.node.as_mut() else { return };
        node.server.set_now(now);
        node.server.dial_failed(attempt, "Connection refused");
    }

    /// Does what is due; what the server says, at most as much as there is room for, and after how many
    /// milliseconds there is more to do.
    pub(crate) fn turn_over(
        &mut self,
        now: Now,
        room: &dyn Fn(usize) -> usize,
    ) -> (Vec<Said>, u64) {
        self.turn += 1;
        self.clock.set(now.mono_ms());
        self.speaks(now);
        let mut said = Vec::new();
        let Some(node) = self.node.as_mut() else { return (said, 0) };
        let wait_ms = node.tick(now);
        node.server.commit();
        let mut writable = std::mem::take(&mut node.server.writable);
        writable.append(&mut self.unsent);
        let books = &mut node.server.replication;
        if books.unsent.is_some() {
            books.unsent.clear();
            let ready = books.replicas.iter().filter(|replica| replica.wants_from().is_some());
            writable.extend(ready.map(|replica| replica.place));
        }
        while let Some(index) = node.server.pushes.take_next() {
            writable.push(index);
        }
        writable.sort_unstable();
        writable.dedup();
        for index in writable {
            write(node, index, room(index), &mut said, &mut self.unsent);
        }
        for index in std::mem::take(&mut node.server.doomed) {
            let session = node.server.sessions.get(index);
            if session.is_some_and(|session| session.closing == Closing::Now) {
                node.disconnected(index);
                said.push(Said::Closed(index));
            }
        }
        if let Some(dial) = node.server.take_dial() {
            match place_of(&dial.host) {
                Some(to) => said.push(Said::Dial { to, attempt: dial.attempt }),
                None => node.server.dial_failed(dial.attempt, "there is no such machine"),
            }
        }
        self.note_link();
        let late_ms = self.late.as_ref().and_then(Late::next_due_ms);
        let late_ms = late_ms.map_or(u64::MAX, |at_ms| at_ms.saturating_sub(now.mono_ms()));
        (said, wait_ms.min(late_ms))
    }

    /// Notes when the link to the primary comes up or goes down.
    fn note_link(&mut self) {
        let link = self.link();
        if link != self.linked {
            self.linked = link;
            self.forget_on_disk();
            self.disturbed_at = self.disturbed_at.max(self.clock.get() * 1_000_000);
        }
    }

    /// How far the link to the primary is.
    fn link(&self) -> LinkState {
        let following = self.server().and_then(|server| server.replication.role.following());
        following.map_or(LinkState::Connect, |following| following.link)
    }

    /// Whom it follows.
    pub(crate) fn follows(&self) -> Option<Place> {
        let following = self.server()?.replication.role.following();
        following.and_then(|following| place_of(&following.host))
    }

    pub(crate) fn is_linked(&self) -> bool {
        self.is_primary() || self.link() == LinkState::Connected
    }

    pub(crate) fn is_primary(&self) -> bool {
        self.server().is_some_and(|server| server.replication.role.is_primary())
    }

    /// Whether a FAILOVER is under way.
    pub(crate) fn is_handing_over(&mut self, at: u64) -> bool {
        let info = self.order(now_of(at), "INFO replication");
        !String::from_utf8_lossy(&info).contains("master_failover_state:no-failover")
    }

    /// Whether a confirmed write is among the data.
    pub(crate) fn holds(&self, number: u64) -> bool {
        let Some(server) = self.server() else { return false };
        let key = Token::key(number).into_bytes();
        server.keyspace.glimpse(0, server.keyspace.key(&key)).is_some()
    }

    /// Where the stream is.
    pub(crate) fn offset(&self) -> u64 {
        self.server().map_or(0, |server| server.replication.history.offset())
    }

    /// Synchronisations that it was asked for: full ones, and partial ones.
    pub(crate) fn syncs(&self) -> (u64, u64) {
        let books = self.server().map(|server| &server.replication);
        books.map_or((0, 0), |books| (books.full_syncs, books.partial_syncs))
    }

    /// Has it execute a command that comes from nowhere; the reply.
    pub(crate) fn order(&mut self, now: Now, command: &str) -> Vec<u8> {
        self.speaks(now);
        let Some(node) = self.node.as_mut() else { return Vec::new() };
        let here = Endpoint::Unix("operator".into());
        let index = node.connected(here.clone(), here, 9);
        let mut bytes = Vec::new();
        reply::encode(&command.split(' ').collect::<Vec<_>>(), &mut bytes);
        node.input(now, index, &bytes);
        node.server.commit();
        let mut replied = Vec::new();
        if let Some(session) = node.server.sessions.get(index) {
            session.output.pieces().for_each(|piece| replied.extend_from_slice(piece));
        }
        node.server.writable.retain(|&place| place != index);
        node.disconnected(index);
        replied
    }

    /// Keys that are not the same here and there.
    pub(crate) fn differing_keys(&self, other: &Site) -> Vec<String> {
        let (here, there) = (self.all(), other.all());
        let keys: BTreeSet<_> = here.keys().chain(there.keys()).collect();
        let differing = keys.into_iter().filter(|key| here.get(*key) != there.get(*key));
        let show = |value: Option<&Held>| match value {
            None => "nothing".to_owned(),
            Some((expiry, bytes)) => {
                format!("{} (expires {expiry:?})", bytes[..bytes.len().min(200)].escape_ascii())
            }
        };
        differing
            .map(|(db, key)| {
                let at = (*db, key.clone());
                let (here, there) = (show(here.get(&at)), show(there.get(&at)));
                format!("{} of {db}: {here} instead of {there}", key.escape_ascii())
            })
            .collect()
    }

    /// Whose stream the data are, and up to where, unless another snapshot is being taken.
    pub(crate) fn position(&self) -> Option<(String, u64)> {
        let server = self.server().filter(|_| self.is_linked())?;
        let history = &server.replication.history;
        Some((history.id().to_string(), history.offset()))
    }

    /// Everything, by database and key: when it expires, and its value as DUMP gives it.
    fn all(&self) -> Data {
        let mut all = BTreeMap::new();
        let Some(server) = self.server() else { return all };
        for db in 0..server.keyspace.len() {
            for entry in server.keyspace.db(db).iter() {
                all.insert((db, entry.key().to_vec()), (entry.expiry(), elements(&entry)));
            }
        }
        all
    }

    /// The digest of all data.
    pub(crate) fn digest(&mut self, at: u64) -> String {
        let reply = self.order(now_of(at), "DEBUG DIGEST");
        String::from_utf8_lossy(&reply).trim().to_owned()
    }
}

/// What a value holds, in whatever encoding and order a server keeps it. Of streams only the entries:
/// when a consumer was seen is each server's own affair.
fn elements(entry: &Entry) -> Vec<u8> {
    let mut digits = Digits::new();
    let mut found: Vec<Vec<u8>> = Vec::new();
    if let Some(string) = Str::of(entry) {
        found.push(string.to_vec());
    } else if let Some(list) = ListRef::of(entry) {
        list.for_each(0, list.len(), Direction::Forward, |element| {
            found.push(element.text(&mut digits).to_vec());
        });
    } else if let Some(set) = SetRef::of(entry) {
        found.extend(set.iter().map(|member| member.to_vec()));
        found.sort();
    } else if let Some(set) = SortedSetRef::of(entry) {
        found.extend(set.iter().map(|(member, score)| {
            [&member.to_vec()[..], &score.to_bits().to_le_bytes()].concat()
        }));
    } else if let Some(hash) = HashRef::of(entry) {
        for field in hash.iter() {
            let name = field.name.text(&mut digits).to_vec();
            let value = field.value.text(&mut digits).to_vec();
            found.push([&name[..], b"=", &value].concat());
        }
        found.sort();
    } else if let Some(stream) = Stream::of(entry) {
        let all = stream.log.range(StreamId::MIN, StreamId::MAX);
        found.extend(all.map(|(id, _)| format!("{id:?}").into_bytes()));
    }
    found.join(&b' ')
}

/// Has a server write to one of its clients, as the reactor does.
fn write(
    node: &mut Node,
    index: usize,
    room: usize,
    said: &mut Vec<Said>,
    unsent: &mut Vec<usize>,
) {
    let server = &mut node.server;
    let mut left = room;
    let mut bytes = Vec::new();
    loop {
        let Some(session) = server.sessions.get_mut(index) else { return };
        if session.closing == Closing::Now {
            return;
        }
        let is_replica = session.flags.contains(SessionFlags::REPLICA);
        let changed_in_turn = session.changed_in_turn;
        if !is_replica && !server.may_reply(changed_in_turn) {
            unsent.push(index);
            break;
        }
        let Some(session) = server.sessions.get_mut(index) else { return };
        session.is_queued_for_write = false;
        session.is_queued_for_push = false;
        let before = bytes.len();
        if session.output.is_empty() {
            let goes_on = is_replica && session.closing == Closing::No;
            if !(goes_on && server.prepare_replica(index)) {
                break;
            }
            take(server.replica_pieces(index), &mut left, &mut bytes);
            server.replica_sent(index, bytes.len() - before);
        } else {
            take(session.output.pieces(), &mut left, &mut bytes);
            session.output.advance(bytes.len() - before);
        }
        if left == 0 || bytes.len() == before {
            unsent.push(index);
            break;
        }
    }
    let is_over = server.sessions.get(index).is_some_and(|session| {
        session.closing == Closing::AfterReplies && session.output.is_empty()
    });
    if !bytes.is_empty() {
        said.push(Said::Bytes(index, bytes));
    }
    if is_over {
        node.disconnected(index);
        said.push(Said::Closed(index));
    } else {
        node.server.reclaim_buffer(index);
    }
}

/// Takes as much as there is room for.
fn take<'a>(pieces: impl Iterator<Item = &'a [u8]>, left: &mut usize, bytes: &mut Vec<u8>) {
    for piece in pieces {
        let piece = &piece[..piece.len().min(*left)];
        bytes.extend_from_slice(piece);
        *left -= piece.len();
    }
}
