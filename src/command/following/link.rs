//! From one link to the next: whom the server follows, connecting, what the primary says before the stream,
//! and what becomes of all that when the link breaks.

use super::work::{Connected, Dialling, LogPlaces, Work};
use crate::command::host::LogMode;
use crate::command::persist::{Conditions, Origin};
use crate::command::replication::Role;
use crate::command::replication::role::{Following, LinkState};
use crate::command::server::{Now, Server};
use crate::config::PrimaryAddress;
use crate::repl::ReplId;
use crate::repl::link::{
    Acknowledged, Event, Failure, Handover, Introduction, Link, Position, Stage,
};
use crate::session::{Closing, Session, SessionFlags};

/// How long after a failure the next try is, milliseconds.
const RETRY_MS: u64 = 1000;

/// A connection to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dial {
    /// Address or name.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// The address to come from, if it is not to be the system's choice.
    pub source: Option<String>,
    /// To be given back with what becomes of it.
    pub attempt: u64,
}

/// What became of bytes that the primary sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// So many were dealt with.
    Taken(usize),
    /// The first ones of them are commands, to be executed.
    Commands(usize),
    /// The others are nothing to listen to.
    Nothing,
}

impl Server {
    /// What it has in hand, if it follows somebody.
    #[inline]
    pub fn work(&self) -> Option<&Work> {
        self.replication.role.following().map(|following| &following.work)
    }

    /// As [`Server::work`], to change it.
    #[inline]
    pub fn work_mut(&mut self) -> Option<&mut Work> {
        self.following_mut().map(|following| &mut following.work)
    }

    pub(super) fn following_mut(&mut self) -> Option<&mut Following> {
        match &mut self.replication.role {
            Role::Primary => None,
            Role::Replica(following) => Some(following),
        }
    }

    /// Follows a primary from now on. If the server was one itself, what it has may be where that one can go
    /// on from.
    pub fn follow(&mut self, address: PrimaryAddress) {
        let is_within_unit = self.effects.is_within_unit();
        if !is_within_unit {
            self.commit(); // what was changed so far belongs to the stream of a primary
        }
        let was_primary = self.replication.role.is_primary();
        self.leave_link();
        let resumable = match self.work() {
            // What the transaction has changed so far is in no stream.
            None if is_within_unit => None,
            None => Some(0), // a primary that has been promoted begins with SELECT
            Some(work) => work.resumable,
        };
        self.begin_following(&address, resumable);
        if was_primary {
            self.open_backlog();
            self.force_unblock();
        }
        self.config.replicaof = Some(address);
        self.role_changed();
        self.dial();
    }

    /// As [`Server::follow`] of a replica of its own, which is asked to be the primary.
    pub(in crate::command) fn hand_over(&mut self, address: PrimaryAddress) {
        self.follow(address);
        if let Some(work) = self.work_mut() {
            work.handover = Handover::Yes;
        }
    }

    /// Follows the primary of the configuration, at the start.
    pub fn follow_configured(&mut self) {
        if let Some(address) = self.config.replicaof.clone() {
            self.begin_following(&address, None);
            self.role_changed();
        }
    }

    /// The data at the start are those of a stream: of the primary, which may be asked to go on from there, or
    /// of one that this server's replicas may ask to go on with.
    pub(in crate::command) fn adopt_origin(&mut self, origin: Option<Origin>) {
        let Some(Origin { id, offset, stream_db }) = origin else { return };
        if self.replication.role.is_primary() {
            self.replication.history.resume(id, offset);
        } else {
            self.replication.history.adopt(id, offset);
            if let Some(work) = self.work_mut() {
                work.resumable = Some(stream_db);
            }
        }
        self.open_backlog();
    }

    /// The database that the stream has selected where the history ends, if the data are those of a stream
    /// that somebody may go on with.
    pub fn stream_db(&self) -> Option<usize> {
        match &self.replication.role {
            // Without one the next command begins with SELECT.
            Role::Primary => Some(self.effects.selected_db().unwrap_or(0)),
            Role::Replica(following) if following.link == LinkState::Connected => {
                (!following.work.is_old).then_some(following.work.stream_db)
            }
            Role::Replica(following) => following.work.resumable,
        }
    }

    fn begin_following(&mut self, address: &PrimaryAddress, resumable: Option<usize>) {
        let following = Following {
            host: address.host.to_string(),
            port: address.port,
            down_since_s: Some(self.now.unix_s()),
            work: Work { resumable, ..Work::default() },
            ..Following::default()
        };
        self.replication.role = Role::Replica(Box::new(following));
    }

    /// Becomes a primary, with the data it has.
    pub fn follow_nobody(&mut self) {
        if self.replication.role.is_primary() {
            return;
        }
        self.leave_link();
        self.config.replicaof = None;
        self.replication.role = Role::Primary;
        let id = self.new_repl_id();
        self.replication.history.shift(id);
        self.disconnect_replicas();
        self.role_changed();
        self.log_again();
    }

    /// Makes everything that depends on the role follow it.
    fn role_changed(&mut self) {
        let is_replica = !self.replication.role.is_primary();
        self.conditions.set(Conditions::REPLICA, is_replica);
        self.mark_stale();
        self.keyspace.keeps_expired = is_replica || self.pause.is_some();
        self.host.follow_role(&self.replication.role);
        self.follow_stream();
        self.replication.alone_since_ms = self.now.mono_ms();
        self.judge_replicas();
    }

    /// Closes the link, if there is one, and forgets what was under way.
    fn leave_link(&mut self) {
        self.give_up_transfer();
        let Some(work) = self.work_mut() else { return };
        work.dialling = Dialling::No;
        if let Some(connected) = work.connected.take() {
            let is_streaming = connected.link.stage() == Stage::Streaming;
            if let Some(mut session) = self.sessions.take(connected.place) {
                if session.id == connected.client {
                    if is_streaming {
                        self.keep_place(session.db);
                    }
                    self.close(&mut session);
                }
                self.sessions.put(session);
            }
        }
        self.forget_inflow();
    }

    /// Notes that the primary may be asked to go on where the history ends.
    pub(super) fn keep_place(&mut self, db: usize) {
        if let Some(work) = self.work_mut() {
            work.resumable = (!work.is_old).then_some(db);
        }
    }

    fn forget_inflow(&mut self) {
        if let Some(work) = self.work_mut() {
            work.inflow = super::Inflow::default();
        }
    }

    /// Wants a connection.
    fn dial(&mut self) {
        let Some(following) = self.following_mut() else { return };
        following.link = LinkState::Connecting;
        following.work.dialling = Dialling::Wanted;
        tracing::info!("Connecting to MASTER {}:{}", following.host, following.port);
        tracing::info!("MASTER <-> REPLICA sync started");
    }

    /// The connection that is to be made now, if there is one.
    #[inline]
    pub fn take_dial(&mut self) -> Option<Dial> {
        let source = &self.config.bind_source_addr;
        let source = (!source.is_empty()).then(|| source.to_string());
        let Role::Replica(following) = &mut self.replication.role else { return None };
        if following.work.dialling != Dialling::Wanted {
            return None;
        }
        following.work.dialling = Dialling::UnderWay;
        following.work.attempts += 1;
        let (host, port) = (following.host.clone(), following.port);
        Some(Dial { host, port, source, attempt: following.work.attempts })
    }

    /// The connection cannot be made.
    pub fn dial_failed(&mut self, attempt: u64, reason: &str) {
        let retry_ms = self.now.mono_ms() + RETRY_MS;
        let Some(following) = self.following_mut() else { return };
        let work = &mut following.work;
        if work.dialling != Dialling::UnderWay || work.attempts != attempt {
            return;
        }
        tracing::warn!("Unable to connect to MASTER: {reason}");
        work.dialling = Dialling::No;
        work.retry_ms = retry_ms;
        following.link = LinkState::Connect;
    }

    /// The connection is being made by this client, if it is still wanted.
    pub fn dialled(&mut self, attempt: u64, session: &mut Session) -> Option<()> {
        let introduction = self.introduction();
        let now_ms = self.now.mono_ms();
        let work = self.work_mut()?;
        if work.dialling != Dialling::UnderWay || work.attempts != attempt {
            return None;
        }
        work.dialling = Dialling::No;
        let link = Link::new(introduction, now_ms);
        work.connected = Some(Connected { client: session.id, place: session.index, link });
        Some(())
    }

    fn introduction(&self) -> Introduction {
        let config = &self.config;
        let history = &self.replication.history;
        let work = self.work();
        let position = work.filter(|work| work.resumable.is_some());
        let position = position.map(|_| Position { id: *history.id(), offset: history.offset() });
        let port = match config.replica_announce_port {
            0 if config.tls_replication && config.tls_port != 0 => config.tls_port,
            0 => config.port,
            announced => announced,
        };
        Introduction {
            user: config.masteruser.as_bytes().to_vec(),
            password: config.masterauth.as_bytes().to_vec(),
            port,
            address: config.replica_announce_ip.as_bytes().to_vec(),
            position,
            handover: work.map_or_else(Default::default, |work| work.handover),
        }
    }

    /// The connection to the primary is there.
    pub fn link_connected(&mut self, session: &mut Session) {
        let now_ms = self.now.mono_ms();
        let Some(work) = self.work_mut().filter(|work| work.is_link(session.id)) else { return };
        let Some(connected) = &mut work.connected else { return };
        if connected.link.stage() == Stage::Connecting {
            tracing::info!("Non blocking connect for SYNC fired the event.");
            connected.link.connected(now_ms);
            if let Some(following) = self.following_mut() {
                following.link = LinkState::Handshake;
            }
            self.speak(session);
        }
    }

    /// Takes bytes that came from a primary. To be called until all of them are dealt with.
    pub fn primary_sent(&mut self, session: &mut Session, input: &[u8]) -> Heard {
        let now = self.now;
        let Some(following) =
            self.following_mut().filter(|following| following.work.is_link(session.id))
        else {
            self.close(session);
            return Heard::Nothing;
        };
        following.heard_at_s = Some(now.unix_s());
        let connected = following.work.connected.as_mut().expect("it is the link");
        match connected.link.receive(now.mono_ms(), input) {
            Ok((taken, Some(Event::Commands(_)))) => Heard::Commands(taken),
            Ok((taken, event)) => {
                if let Some(event) = event {
                    self.primary_said(session, event);
                }
                self.note_last_byte(session);
                self.speak(session);
                Heard::Taken(taken)
            }
            Err(failure) => {
                self.link_failed(session, &failure);
                Heard::Nothing
            }
        }
    }

    /// The end of a snapshot is no byte of its own.
    fn note_last_byte(&mut self, session: &mut Session) {
        let now_ms = self.now.mono_ms();
        let work = self.work_mut().filter(|work| work.is_link(session.id));
        let link =
            work.and_then(|work| work.connected.as_mut()).map(|connected| &mut connected.link);
        if let Some(link) = link.filter(|link| link.is_complete())
            && let Ok((_, Some(event))) = link.receive(now_ms, &[])
        {
            self.primary_said(session, event);
        }
    }

    fn primary_said(&mut self, session: &mut Session, event: Event<'_>) {
        match event {
            Event::Full(position) => self.full_sync_announced(position),
            Event::Continued(id) => self.partial_sync_announced(session, id),
            Event::Begun(length) => self.snapshot_begun(session, length),
            Event::Snapshot(bytes) => self.snapshot_came(bytes),
            Event::Withheld(bytes) => self.snapshot_came(&bytes),
            Event::Complete => self.snapshot_complete(),
            Event::Commands(_) => {}
        }
    }

    fn full_sync_announced(&mut self, position: Option<Position>) {
        if let Some(Position { id, offset }) = position {
            tracing::info!("Full resync from master: {id}:{offset}");
        }
        self.failover_done();
        let now_s = self.now.unix_s();
        let Some(following) = self.following_mut() else { return };
        following.link = LinkState::Sync;
        following.sync_heard_at_s = now_s;
        (following.sync_bytes, following.sync_bytes_total) = (0, None);
        let work = &mut following.work;
        work.begins = position;
        work.is_old = position.is_none();
        // A primary that was told to take over has done so.
        work.handover = Default::default();
    }

    fn partial_sync_announced(&mut self, session: &mut Session, id: Option<ReplId>) {
        tracing::info!("Successful partial resynchronization with master.");
        self.failover_done();
        if let Some(id) = id.filter(|id| id != self.replication.history.id()) {
            tracing::info!("Master replication ID changed to {id}");
            self.replication.history.shift(id);
            self.disconnect_replicas();
        }
        self.open_backlog();
        let Some(work) = self.work_mut() else { return };
        session.db = work.resumable.take().unwrap_or(0);
        work.stream_db = session.db;
        work.handover = Default::default();
        tracing::info!("MASTER <-> REPLICA sync: Master accepted a Partial Resynchronization.");
        self.link_is_up();
    }

    /// The stream comes from now on.
    pub(super) fn link_is_up(&mut self) {
        let Some(following) = self.following_mut() else { return };
        following.link = LinkState::Connected;
        following.down_since_s = None;
        self.mark_stale();
    }

    /// Sends what the link has to say, and logs what it noted.
    pub(super) fn speak(&mut self, session: &mut Session) {
        let Some(work) = self.work_mut() else { return };
        let Some(connected) = &mut work.connected else { return };
        for remark in connected.link.take_remarks() {
            tracing::info!("{remark}");
        }
        let output = connected.link.take_output();
        if !output.is_empty() {
            self.lend_buffer(session);
            session.output.raw(&output);
            self.queue_write(session);
        }
    }

    pub(super) fn link_failed(&mut self, session: &mut Session, failure: &Failure) {
        tracing::warn!("{failure}");
        self.close(session);
        self.link_lost(session);
        let is_refused = matches!(failure, Failure::WrongAnswer(_) | Failure::Later(_));
        if is_refused && self.work().is_some_and(|work| work.handover == Handover::Yes) {
            self.abort_failover("Failover target rejected psync request");
        }
    }

    /// The stream is no stream: what comes after it is nothing to go on with.
    pub fn distrust(&mut self, session: &mut Session) {
        self.close(session);
        self.link_lost(session);
        if let Some(work) = self.work_mut() {
            work.resumable = None;
        }
    }

    /// The connection to a primary is gone, or will be.
    #[cold]
    pub fn link_lost(&mut self, session: &Session) {
        let (now, client) = (self.now, session.id);
        let Some(following) = self.following_mut() else { return };
        if !following.work.is_link(client) {
            return; // it is followed no more
        }
        let connected = following.work.connected.take().expect("it is the link");
        let stage = connected.link.stage();
        following.link = LinkState::Connect;
        following.work.retry_ms = now.mono_ms() + RETRY_MS;
        match stage {
            Stage::Streaming => {
                following.down_since_s = Some(now.unix_s());
                tracing::info!("Connection with master lost.");
                self.keep_place(session.db);
                tracing::info!("Caching the disconnected master state.");
                self.mark_stale();
                if self.shutdown.is_none() {
                    self.reconnect();
                }
            }
            Stage::Transfer => self.give_up_transfer(),
            // The old data are gone, or will be: the new ones do not depend on who sent them.
            Stage::Loading if following.work.transfer.is_none() => {}
            Stage::Loading => {
                tracing::info!("Connection with master lost. Loading what it has sent goes on.");
            }
            Stage::Connecting => {
                tracing::warn!("Error condition on socket for SYNC: the connection was not made");
            }
            Stage::Handshake => {
                tracing::warn!(
                    "The connection to the MASTER was lost before it could be synced with"
                );
            }
        }
        self.forget_inflow();
    }

    fn reconnect(&mut self) {
        let Some(following) = self.following_mut() else { return };
        tracing::info!("Reconnecting to MASTER {}:{}", following.host, following.port);
        self.dial();
    }

    /// Notes whether the data may be stale.
    fn mark_stale(&mut self) {
        let following = self.replication.role.following();
        let is_down = following.is_some_and(|following| following.link != LinkState::Connected);
        self.conditions.set(Conditions::STALE, is_down);
    }

    /// Does what is due about the primary; called often on a replica.
    #[cold]
    pub fn look_after_link(&mut self) {
        let now = self.now;
        self.look_after_transfer();
        let Some(work) = self.work() else { return };
        if work.transfer.is_none() && self.conditions.contains(Conditions::LOADING) {
            return; // the data of the start come first
        }
        let Some(connected) = &work.connected else {
            if work.transfer.is_some() {
                return; // it is being loaded, and the next link goes on from there
            }
            if work.dialling == Dialling::No && now.mono_ms() >= work.retry_ms {
                self.dial();
            }
            return;
        };
        let Some(mut session) = self.sessions.take(connected.place) else { return };
        if session.closing == Closing::No {
            self.tick_link(&mut session, now);
        }
        self.sessions.put(session);
    }

    fn tick_link(&mut self, session: &mut Session, now: Now) {
        let how_far = self.how_far();
        let timeout_s = self.config.repl_timeout;
        let Some(work) = self.work_mut().filter(|work| work.is_link(session.id)) else { return };
        let Some(connected) = &mut work.connected else { return };
        match connected.link.tick(now.mono_ms(), timeout_s, &how_far) {
            Ok(()) => self.speak(session),
            Err(failure) => self.link_failed(session, &failure),
        }
    }

    fn how_far(&mut self) -> Acknowledged {
        let offset = self.replication.history.offset();
        let log = self.log_places();
        let synced = self.work_mut().and_then(|work| work.synced.follow(log, offset));
        Acknowledged { offset, synced }
    }

    /// How far the log is, with what this turn has changed; `None` if there is none to rely on.
    fn log_places(&self) -> Option<LogPlaces> {
        let log = self.host.append_only_file();
        let log = log.filter(|log| log.mode() == LogMode::On && log.error().is_none())?;
        Some(LogPlaces { end: self.log_position(), synced: log.figures().synced_position })
    }

    /// Tells the primary at once how far the replica is, and later what of that has come to disk.
    pub(super) fn acknowledge(&mut self, session: &mut Session) {
        let (how_far, now_ms) = (self.how_far(), self.now.mono_ms());
        let Some(work) = self.work_mut() else { return };
        work.synced.owe_rest();
        if let Some(connected) = &mut work.connected {
            connected.link.acknowledge(now_ms, &how_far);
            self.speak(session);
        }
    }

    /// Tells the primary of what it has asked about and has come to disk meanwhile.
    pub fn tell_what_is_on_disk(&mut self) {
        let Some(work) = self.work().filter(|work| work.synced.is_owed()) else { return };
        let Some(connected) = &work.connected else { return };
        if connected.link.stage() != Stage::Streaming || !work.synced.is_due(self.log_places()) {
            return;
        }
        let place = connected.place;
        let Some(mut session) = self.sessions.take(place) else { return };
        if session.closing == Closing::No {
            self.acknowledge(&mut session);
        }
        self.sessions.put(session);
    }

    /// Whether the reactor may read what the primary sends.
    pub fn wants_primary_input(&self) -> bool {
        let Some(work) = self.work() else { return true };
        let wants = work.connected.as_ref().is_none_or(|connected| connected.link.wants_input());
        wants && work.inflow.has_room() && self.transfer_has_room()
    }

    /// A number that grows with each byte of the stream that was read, executed or not.
    pub fn read_offset(&self) -> u64 {
        let pending = self.work().map_or(0, Work::pending_bytes);
        self.replication.history.offset() + pending
    }

    /// Closes the connections of all replicas: what they have is no longer what this server has.
    pub(super) fn disconnect_replicas(&mut self) {
        let places: Vec<usize> = self.sessions.indexes().collect();
        for place in places {
            let Some(mut session) = self.sessions.take(place) else { continue };
            if session.flags.contains(SessionFlags::REPLICA) {
                self.close(&mut session);
            }
            self.sessions.put(session);
        }
    }
}
