//! Client-side caching as commands see it: what a client has read is remembered, and who has read what
//! changes is told.
//!
//! Order, as in Redis: a client is told of what its own command changed behind that command's reply;
//! others at once; who is told of prefixes at the end of the turn.

use super::context::Context;
use super::keys::{self, Scope};
use super::push::Invalidation;
use super::server::Server;
use super::spec::Flags;
use crate::base::num;
use crate::session::tracking::{Broadcast, Caching, Mode, OwnChanges};
use crate::session::{ClientId, Session, SessionFlags};

/// Keys forgotten for each command while the table is over its limit, at most.
const FORGOTTEN_AT_ONCE: usize = 100;

/// Remembers the keys that a command has read, if its client wants to be told of them.
#[inline]
pub(super) fn after_command(ctx: &mut Context<'_>) {
    if ctx.session.flags.contains(SessionFlags::TRACKING) {
        remember(ctx);
    }
}

fn remember(ctx: &mut Context<'_>) {
    let is_reading = ctx.server.commands.get(ctx.id).command.spec.flags.contains(Flags::READONLY);
    let client = ctx.session.id;
    if ctx.session.flags.contains(SessionFlags::TRACKS_READS) {
        if is_reading {
            remember_keys(ctx, client);
        }
        return;
    }
    let Some(tracker) = ctx.server.tracking.get(client) else { return };
    let wanted = match tracker.mode {
        Mode::All => true,
        Mode::OptIn => tracker.caching == Caching::Excepted,
        Mode::OptOut => tracker.caching == Caching::AsUsual,
        Mode::Broadcast => false,
    };
    if wanted && is_reading {
        remember_keys(ctx, client);
    }
    // What CLIENT CACHING said ends with the first command that is not CLIENT, or with EXEC.
    let is_inside = ctx.session.flags.intersects(SessionFlags::MULTI | SessionFlags::DENY_BLOCKING);
    if !is_inside
        && !ctx.name().starts_with("client|")
        && let Some(tracker) = ctx.server.tracking.get_mut(client)
    {
        tracker.caching = Caching::AsUsual;
    }
}

fn remember_keys(ctx: &mut Context<'_>, client: ClientId) {
    let registered = ctx.server.commands.get(ctx.id);
    let spec = &registered.command.spec;
    let range = registered.keys;
    if spec.keys.len() == 1 && (range.first, range.last, range.step) == (1, 1, 1) {
        let key = ctx.key(1); // which has a hash already
        ctx.server.tracking.remember(client, key.hash, key.bytes);
    } else {
        let args: Vec<&[u8]> = ctx.args.from(0).collect();
        for found in keys::find(spec, &args[..], Scope::Keys) {
            let key = ctx.server.keyspace.key(ctx.args.at(found.index));
            ctx.server.tracking.remember(client, key.hash, key.bytes);
        }
    }
    ctx.server.forget_tracked_keys();
}

impl Server {
    /// Forgets keys that were read, and tells who has, as long as there are more than
    /// `tracking-table-max-keys`; some at a time.
    pub fn forget_tracked_keys(&mut self) {
        let limit = self.config.tracking_table_max_keys;
        for _ in 0..FORGOTTEN_AT_ONCE {
            if limit == 0 || num::u64_of(self.tracking.keys()) <= limit {
                return;
            }
            let Some((key, clients)) = self.tracking.take_any(&mut self.rng) else { return };
            self.tell_readers(&key, clients, None);
        }
    }

    /// Tells who has read a key that it is not what it was, and notes it for who is told of prefixes.
    pub(super) fn invalidate(&mut self, key: &[u8], by: Option<ClientId>) {
        self.tracking.note_change(key, by);
        let hash = self.keyspace.hash_key().hash(key);
        let clients = self.tracking.take(hash, key);
        self.tell_readers(key, clients, by);
    }

    fn tell_readers(&mut self, key: &[u8], clients: Vec<ClientId>, by: Option<ClientId>) {
        for client in clients {
            let Some(tracker) = self.tracking.get(client) else { continue };
            let is_own = tracker.own == OwnChanges::Kept && by == Some(client);
            if tracker.mode != Mode::Broadcast && !is_own {
                self.send_invalidation(client, &Invalidation::of_keys(std::iter::once(key)));
            }
        }
    }

    /// Tells all who track keys that all keys are gone.
    pub fn invalidate_all(&mut self) {
        for client in self.tracking.clients() {
            self.send_invalidation(client, &Invalidation::of_all());
        }
        self.tracking.forget_keys();
    }

    /// Tells who is told of prefixes of what has changed in this turn.
    #[inline]
    pub fn broadcast_invalidations(&mut self) {
        if self.tracking.has_changed() {
            for Broadcast { client, keys } in self.tracking.take_broadcasts() {
                let keys = keys.iter().map(|key| &**key);
                self.send_invalidation(client, &Invalidation::of_keys(keys));
            }
            self.evict_clients();
        }
    }

    /// Tells a client, or the one it named in its stead.
    fn send_invalidation(&mut self, client: ClientId, invalidation: &Invalidation) {
        let Some(tracker) = self.tracking.get(client) else { return };
        let (place, redirect) = (tracker.place, tracker.redirect);
        let Some(target) = redirect else { return self.push_invalidation(place, invalidation) };
        match self.sessions.index_of(target) {
            Some(place) => self.push_invalidation(place, &invalidation.redirected()),
            None => {
                if let Some(tracker) = self.tracking.get_mut(client) {
                    tracker.is_broken = true;
                }
                self.push_invalidation(place, &Invalidation::broken(target));
            }
        }
    }
}

/// Lets a client track nothing.
pub(crate) fn disable(server: &mut Server, session: &mut Session) {
    if session.flags.contains(SessionFlags::TRACKING) {
        session.flags.remove(SessionFlags::TRACKING | SessionFlags::TRACKS_READS);
        server.tracking.disable(session.id);
        session.prefix_bytes = 0;
        server.adopt_change_listeners();
    }
}

#[cfg(test)]
mod tests;
