//! Telling what happened to keys: to who watches or tracks them, and as messages on the channels of
//! keyspace events.
//!
//! The store notes events while somebody wants to hear of them (`store::KeyEvents`); they are told when
//! the command is over, before its client gets the reply.

use super::context::Context;
use super::server::Server;
use super::{Handler, Outcome, effects};
use crate::config::Events as Classes;
use crate::session::ClientId;
use crate::store::Event;

/// Executes a command's code while somebody listens: what it changed is recorded, and what happened to
/// keys is told.
#[cold]
pub(super) fn run(handler: Handler, ctx: &mut Context<'_>) -> Outcome {
    let outcome =
        if ctx.server.effects.wanted() { effects::run(handler, ctx) } else { handler(ctx) };
    if !ctx.server.keyspace.events.is_empty() {
        ctx.server.tell_events(Some(ctx.session.id));
    }
    outcome
}

impl Server {
    /// Wants to hear of what `notify-keyspace-events` names.
    pub fn adopt_event_classes(&mut self) {
        self.keyspace.events.want_classes(self.config.notify_keyspace_events);
    }

    /// Tells what happened to keys, by the command of a client or by itself.
    #[cold]
    pub fn tell_events(&mut self, origin: Option<ClientId>) {
        let happened = self.keyspace.events.take();
        let classes = self.config.notify_keyspace_events;
        for (db, key, event) in happened.iter() {
            if !self.keyspace.watched().is_empty() {
                self.keyspace.touch_watched(db, key, event);
            }
            if event.is_change() && !self.tracking.is_empty() {
                let is_command = event != Event::EXPIRED && event != Event::EVICTED;
                self.invalidate(key, origin.filter(|_| is_command));
            }
            if event.is_of(classes) && !self.hub.is_silent() {
                self.notify(classes, db, key, event);
            }
        }
        self.keyspace.events.give_back(happened);
    }

    /// Publishes an event on its channels.
    fn notify(&mut self, classes: Classes, db: usize, key: &[u8], event: Event) {
        if classes.contains(Classes::KEYSPACE) {
            let channel = [format!("__keyspace@{db}__:").as_bytes(), key].concat();
            self.publish(&channel, event.name().as_bytes());
        }
        if classes.contains(Classes::KEYEVENT) {
            let channel = format!("__keyevent@{db}__:{}", event.name());
            self.publish(channel.as_bytes(), key);
        }
    }
}

#[cfg(test)]
mod tests;
