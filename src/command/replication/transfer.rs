//! Snapshots on their way to replicas: through a pipe as a child writes them, or from a file.
//!
//! What comes through the pipe is kept in blocks, as the stream is, and each replica is a position in them:
//! they are read from the pipe only while the slowest is less than [`RELAYED_BYTES_MAX`] behind.

use crate::base::num;
use crate::command::host::{ChildEnd, ChildKind};
use crate::command::persist::Target;
use crate::command::server::Server;
use crate::repl::{Backlog, Capabilities, Stage};
use crate::session::Session;
use std::fmt;
use std::io::{self, Read};

/// Bytes of a snapshot that may wait for the slowest replica.
const RELAYED_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// Bytes that are read from the pipe in one turn, and at once.
const RELAYED_PER_TURN_MAX: usize = 1024 * 1024;
const PIPE_READ_BYTES: usize = 256 * 1024;
/// Bytes of a file that are read at once.
const FILE_READ_BYTES: usize = 256 * 1024;
/// When there is nothing to relay, milliseconds.
const NEVER_MS: u64 = u64::MAX;

/// A snapshot that comes through the pipe.
#[derive(Debug)]
struct Relay {
    blocks: Backlog,
    buffer: Vec<u8>,
    /// Whether the pipe has ended.
    is_read: bool,
    /// Whether the child has ended well, so that what was read is all.
    is_whole: bool,
}

/// Where a replica gets its snapshot from.
enum Source {
    /// The relay; the next byte.
    Relay(u64),
    /// A file of its own.
    File(OpenFile),
}

/// A file that is being sent.
struct OpenFile {
    file: Box<dyn Read>,
    /// Bytes that were not read yet.
    left: u64,
    /// Those that were read last, and how many of them are sent.
    bytes: Vec<u8>,
    sent: usize,
}

impl fmt::Debug for Source {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Relay(next) => write!(out, "Relay({next})"),
            Self::File(file) => write!(out, "File({} left)", file.left),
        }
    }
}

/// All snapshots on their way.
#[derive(Debug, Default)]
pub struct Transfers {
    relay: Option<Relay>,
    list: Vec<(usize, Source)>,
}

impl Transfers {
    fn get_mut(&mut self, place: usize) -> Option<&mut Source> {
        self.list.iter_mut().find(|(at, _)| *at == place).map(|(_, source)| source)
    }

    /// Says that the pipe has ended.
    fn log_read(&self) {
        let up = self.relayed().count();
        tracing::info!("Diskless rdb transfer, done reading from pipe, {up} replicas still up.");
    }

    fn remove(&mut self, place: usize) -> Option<Source> {
        let at = self.list.iter().position(|(at, _)| *at == place)?;
        Some(self.list.swap_remove(at).1)
    }

    /// Whether a replica is being sent a snapshot.
    pub(super) fn serves(&self, place: usize) -> bool {
        self.list.iter().any(|(at, _)| *at == place)
    }

    fn relayed(&self) -> impl Iterator<Item = (usize, u64)> {
        self.list.iter().filter_map(|(place, source)| match source {
            Source::Relay(next) => Some((*place, *next)),
            Source::File(_) => None,
        })
    }

    /// Replicas that have taken all that came through the pipe so far.
    pub(super) fn up_to_date(&self) -> Vec<usize> {
        let Some(relay) = &self.relay else { return Vec::new() };
        let end = relay.blocks.next();
        self.relayed().filter(|(_, next)| *next == end).map(|(place, _)| place).collect()
    }

    /// Whether replicas are still to be sent a part of what came through the pipe.
    pub const fn is_relaying(&self) -> bool {
        self.relay.is_some()
    }

    /// Bytes of memory that they take.
    pub fn memory_bytes(&self) -> usize {
        let relay = self.relay.as_ref();
        let files = self.list.iter().map(|(_, source)| match source {
            Source::Relay(_) => 0,
            Source::File(file) => file.bytes.capacity(),
        });
        relay.map_or(0, |relay| relay.blocks.memory_bytes() + relay.buffer.capacity())
            + files.sum::<usize>()
    }
}

impl Server {
    /// Begins to send replicas what a child writes into the pipe.
    pub(super) fn begin_relay(&mut self, places: &[usize]) {
        let relay = Relay {
            blocks: Backlog::passing(PIPE_READ_BYTES),
            buffer: vec![0; PIPE_READ_BYTES],
            is_read: false,
            is_whole: false,
        };
        let transfers = &mut self.replication.transfers;
        debug_assert!(transfers.relay.is_none(), "one at a time");
        transfers.relay = Some(relay);
        transfers.list.extend(places.iter().map(|&place| (place, Source::Relay(1))));
    }

    /// Begins to send a replica a file.
    pub(super) fn begin_file(&mut self, place: usize, file: Box<dyn Read>, len: u64) {
        let open = OpenFile { file, left: len, bytes: Vec::new(), sent: 0 };
        self.replication.transfers.list.push((place, Source::File(open)));
    }

    /// Reads the pipe, if there is one; after how many milliseconds there is more to do.
    #[inline]
    pub fn relay(&mut self) -> u64 {
        if self.replication.transfers.relay.is_none() {
            return NEVER_MS;
        }
        self.read_relay()
    }

    #[cold]
    fn read_relay(&mut self) -> u64 {
        let mut taken = 0;
        let wait_ms = loop {
            let Self { replication, host, .. } = self;
            let transfers = &mut replication.transfers;
            let slowest = transfers.relayed().map(|(_, next)| next).min();
            let Some(relay) = &mut transfers.relay else { return NEVER_MS };
            if relay.is_read {
                break 1; // the child is about to end
            }
            let slowest = slowest.unwrap_or_else(|| relay.blocks.next());
            if relay.blocks.next() - slowest >= RELAYED_BYTES_MAX {
                break NEVER_MS; // until a replica takes more
            }
            if taken >= RELAYED_PER_TURN_MAX {
                break 0;
            }
            match host.read_pipe(&mut relay.buffer) {
                Ok(0) => {
                    relay.is_read = true;
                    transfers.log_read();
                }
                Ok(count) => {
                    taken += count;
                    relay.blocks.append(&relay.buffer[..count]);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break NEVER_MS,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    tracing::warn!("Diskless rdb transfer, read error from pipe: {error}");
                    relay.is_read = true;
                }
            }
        };
        if taken > 0 {
            self.queue_relayed();
        }
        if wait_ms == 1 {
            self.look_after_files(); // whether the child has ended
        }
        wait_ms
    }

    fn queue_relayed(&mut self) {
        for (place, _) in self.replication.transfers.relayed() {
            if let Some(session) = self.sessions.get_mut(place)
                && !session.is_queued_for_write
            {
                session.is_queued_for_write = true;
                self.writable.push(place);
            }
        }
    }

    /// The child that wrote into the pipe has ended.
    pub(in crate::command) fn relay_ended(&mut self, end: ChildEnd) {
        match end {
            ChildEnd::Done => {
                tracing::info!("Background RDB transfer terminated with success");
                if self.replication.transfers.relay.as_ref().is_some_and(|relay| !relay.is_read) {
                    while self.read_rest() {}
                    self.replication.transfers.log_read();
                }
            }
            ChildEnd::Failed => tracing::warn!("Background transfer error"),
            ChildEnd::GaveUp => tracing::warn!("Background transfer was told to give up"),
            ChildEnd::Killed(signal) => {
                tracing::warn!("Background transfer terminated by signal {signal}");
            }
        }
        self.host.close_pipe();
        if end != ChildEnd::Done {
            self.give_up_relay();
            return;
        }
        if let Some(relay) = &mut self.replication.transfers.relay {
            (relay.is_read, relay.is_whole) = (true, true);
        }
        let done: Vec<usize> = self.replication.transfers.relayed().map(|(at, _)| at).collect();
        for place in done {
            self.finish_if_sent(place);
        }
        self.queue_relayed();
        self.end_idle_relay();
        self.replication.has_news = true; // others may wait for a snapshot of their own
    }

    /// Reads what is left in the pipe of a child that has ended, however much waits; whether there was some.
    fn read_rest(&mut self) -> bool {
        let Self { replication, host, .. } = self;
        let Some(relay) = &mut replication.transfers.relay else { return false };
        match host.read_pipe(&mut relay.buffer) {
            Ok(count) if count > 0 => relay.blocks.append(&relay.buffer[..count]),
            Ok(_) | Err(_) => return false,
        }
        true
    }

    /// Closes those who were to get a snapshot that there will not be.
    pub(in crate::command) fn give_up_relay(&mut self) {
        let places: Vec<usize> = self.replication.transfers.relayed().map(|(at, _)| at).collect();
        for place in places {
            self.close_replica(place);
        }
        self.replication.transfers.list.retain(|(_, source)| matches!(source, Source::File(_)));
        self.replication.transfers.relay = None;
        self.replication.has_news = true;
        self.host.close_pipe();
    }

    /// Ends the relay if nobody gets anything from it any more, and its child, which would write in vain.
    fn end_idle_relay(&mut self) {
        let transfers = &mut self.replication.transfers;
        let Some(relay) = &transfers.relay else { return };
        if transfers.relayed().next().is_some() {
            return;
        }
        let is_whole = relay.is_whole;
        transfers.relay = None;
        self.replication.has_news = true; // others may wait for a snapshot of their own
        if !is_whole {
            tracing::warn!("Diskless rdb transfer, last replica dropped, killing fork child.");
            self.cancel_relay_child();
        }
    }

    /// Ends the child that writes a file for replicas if none waits for it any more and no `save` point would ask
    /// for it either.
    fn end_useless_snapshot(&mut self) {
        let mut replicas = self.replication.replicas.iter();
        let is_wanted = replicas.any(|replica| replica.stage == Stage::WaitsForEnd);
        let child = self.persistence.child_of(ChildKind::Snapshot);
        let writes_file = child.is_some_and(|child| child.target == Target::File);
        if writes_file && !is_wanted && self.config.save.is_empty() {
            tracing::info!("The RDB child is stopped: no replica waits for the file");
            self.cancel_snapshot();
        }
    }

    /// A replica's connection is gone.
    pub fn replica_gone(&mut self, session: &Session) {
        let place = session.index;
        let Some(replica) = self.replication.replicas.remove(place) else { return };
        let announced = &replica.announced;
        let name = self.name_of(session, &announced.address, announced.port);
        tracing::info!("Connection with replica {name} lost.");
        if self.replication.transfers.remove(place).is_some() {
            self.end_idle_relay();
        }
        if replica.stage == Stage::WaitsForEnd {
            self.end_useless_snapshot();
        }
        if self.replication.replicas.is_empty() {
            self.replication.alone_since_ms = self.now.mono_ms();
        }
        self.judge_replicas();
        self.trim_backlog();
    }

    pub(super) fn close_replica(&mut self, place: usize) {
        if let Some(mut session) = self.sessions.take(place) {
            self.close(&mut session);
            self.sessions.put(session);
        }
    }

    /// Whether there is something to be sent to a replica besides what is in its output; what comes next of a
    /// file is read.
    pub fn prepare_replica(&mut self, place: usize) -> bool {
        let replication = &mut self.replication;
        if let Some(source) = replication.transfers.get_mut(place) {
            return match source {
                Source::Relay(next) => {
                    let next = *next;
                    let relay = replication.transfers.relay.as_ref();
                    relay.is_some_and(|relay| relay.blocks.next() > next)
                }
                Source::File(open) => match open.prepare() {
                    Ok(has_more) => has_more,
                    Err(error) => {
                        tracing::warn!("Read error sending DB to replica: {error}");
                        self.close_replica(place);
                        false
                    }
                },
            };
        }
        self.is_at_hand(place)
    }

    /// What comes next for a replica, in pieces.
    pub fn replica_pieces(&self, place: usize) -> impl Iterator<Item = &[u8]> {
        let replication = &self.replication;
        let source = replication.transfers.list.iter().find(|(at, _)| *at == place);
        let (mut blocks, mut chunk) = (None, None);
        match source {
            Some((_, Source::Relay(next))) => {
                blocks = replication.transfers.relay.as_ref().map(|relay| (&relay.blocks, *next));
            }
            Some((_, Source::File(open))) => chunk = Some(&open.bytes[open.sent..]),
            None => {
                let wanted = replication.replicas.get(place).and_then(|one| one.wants_from());
                blocks = wanted.and_then(|from| Some((replication.backlog.as_ref()?, from)));
            }
        }
        let pieces = blocks.into_iter().flat_map(|(blocks, from)| blocks.pieces(from));
        chunk.into_iter().chain(pieces)
    }

    /// So many bytes of that were sent.
    pub fn replica_sent(&mut self, place: usize, count: usize) {
        let now_s = self.now.unix_s();
        let bytes = num::u64_of(count);
        let replication = &mut self.replication;
        replication.sent_bytes += bytes;
        match replication.transfers.get_mut(place) {
            Some(Source::Relay(next)) => *next += bytes,
            Some(Source::File(open)) => open.sent += count,
            None => {
                if let Some(replica) = replication.replicas.get_mut(place)
                    && let Some(next) = &mut replica.next
                {
                    *next += bytes;
                }
                return;
            }
        }
        if let Some(replica) = replication.replicas.get_mut(place) {
            replica.took_at_s = now_s;
        }
        let slowest = replication.transfers.relayed().map(|(_, next)| next).min();
        if let (Some(relay), Some(slowest)) = (&mut replication.transfers.relay, slowest) {
            relay.blocks.trim(slowest);
        }
        self.finish_if_sent(place);
    }

    /// Ends a replica's transfer if it was sent all of the snapshot.
    fn finish_if_sent(&mut self, place: usize) {
        let transfers = &mut self.replication.transfers;
        let is_whole = match transfers.list.iter().find(|(at, _)| *at == place) {
            Some((_, Source::Relay(next))) => transfers
                .relay
                .as_ref()
                .is_some_and(|relay| relay.is_whole && relay.blocks.next() == *next),
            Some((_, Source::File(open))) => open.left == 0 && open.sent == open.bytes.len(),
            None => false,
        };
        if !is_whole {
            return;
        }
        let source = transfers.remove(place);
        let now_ms = self.now.mono_ms();
        let Some(replica) = self.replication.replicas.get_mut(place) else { return };
        replica.stage = Stage::Online;
        replica.acknowledged_at_ms = now_ms;
        // It looks for a mark at the end of what it reads: what follows must not come in the same read.
        replica.starts_with_ack = matches!(source, Some(Source::Relay(_)));
        if replica.announced.capabilities.contains(Capabilities::SNAPSHOT_ONLY) {
            self.replica_has_all(place);
        } else if replica.starts_with_ack {
            let name = self.replication.replicas.get(place).map(|one| self.name_of_replica(one));
            tracing::info!(
                "Streamed replica synchronization with replica {} succeeded. Waiting for REPLCONF ACK \
                 from replica to enable streaming",
                name.unwrap_or_default()
            );
        } else if let Some(session) = self.sessions.get(place) {
            self.log_online(session);
        }
        self.judge_replicas();
        self.end_idle_relay();
    }

    /// Closes a replica that wanted nothing but the snapshot.
    fn replica_has_all(&mut self, place: usize) {
        if let Some(replica) = self.replication.replicas.get(place) {
            let name = self.name_of_replica(replica);
            tracing::info!("Close the connection with replica {name} as RDB transfer is complete");
        }
        if let Some(session) = self.sessions.get_mut(place) {
            session.close_after_replies();
            if !session.is_queued_for_write {
                session.is_queued_for_write = true;
                self.writable.push(place);
            }
        }
    }
}

impl OpenFile {
    /// Reads more once what was read is sent; whether there is something to be sent.
    fn prepare(&mut self) -> io::Result<bool> {
        if self.sent == self.bytes.len() && self.left > 0 {
            let wanted = FILE_READ_BYTES.min(num::usize_of(self.left));
            self.bytes.resize(wanted, 0);
            self.file.read_exact(&mut self.bytes)?;
            self.left -= num::u64_of(wanted);
            self.sent = 0;
        }
        Ok(self.sent < self.bytes.len())
    }
}
