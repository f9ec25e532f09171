//! Commands that wait for keys.
//!
//! A handler that finds nothing to reply with calls [`Context::wait_for_keys`] and writes no reply. When
//! one of the keys is created or given elements with the right type, the command is executed again for
//! the client that waits longest; if again there is nothing to reply with, the client keeps its turn.

use super::context::Context;
use super::dispatch::{self, Served};
use super::persist::Conditions;
use super::server::Server;
use super::{Error, Outcome};
use crate::base::long_double::LongDouble;
use crate::base::num;
use crate::resp::{Args, Output, OwnedArgs};
pub use crate::session::WhenGone;
use crate::session::{AwaitedKeys, Blocked, ClientId, Closing, Session, SessionFlags};
use crate::value::{self, Type};
use std::ops::Range;

const TIMEOUT_NOT_A_FLOAT: Error = Error::fixed("ERR timeout is not a float or out of range");
const TIMEOUT_NOT_AN_INTEGER: Error = Error::fixed("ERR timeout is not an integer or out of range");
const TIMEOUT_NEGATIVE: Error = Error::fixed("ERR timeout is negative");
const TIMEOUT_OUT_OF_RANGE: Error = Error::fixed("ERR timeout is out of range");
/// The reply that CLIENT UNBLOCK ERROR makes a client get.
const UNBLOCKED: Error = Error::fixed("UNBLOCKED client unblocked via CLIENT UNBLOCK");

/// 2^63, which is more milliseconds than any time has.
const MILLIS_END: f64 = 9_223_372_036_854_775_808.0;

/// What a command waits for.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The arguments that are the keys.
    pub keys: Range<usize>,
    /// The type they must have.
    pub kind: Type,
    /// Whether it is executed again, too, when one of them goes or is given another type.
    pub when_gone: WhenGone,
    /// When it stops waiting, from [`Context::timeout`].
    pub until_ns: Option<u64>,
    /// Writes the reply for a time that has run out.
    pub timed_out: fn(&mut Output),
}

/// How a client's waiting is ended before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// As if its time had run out.
    Timeout,
    /// With an error.
    Error,
}

impl Context<'_> {
    /// The end of a timeout in seconds given as argument `index`, by the clock that only rises; `None`
    /// for 0, which is no end.
    ///
    /// # Errors
    /// No number, a negative one, or one too large.
    pub fn timeout(&self, index: usize) -> Result<Option<u64>, Error> {
        let seconds = LongDouble::parse(self.args.at(index)).ok_or(TIMEOUT_NOT_A_FLOAT)?;
        let millis = seconds.to_f64() * 1000.0;
        if millis >= MILLIS_END {
            return Err(TIMEOUT_OUT_OF_RANGE);
        }
        if millis.ceil() < 0.0 {
            return Err(TIMEOUT_NEGATIVE);
        }
        self.until(num::i64_exactly(millis.ceil()).map_or(0, i64::unsigned_abs))
    }

    /// As [`Context::timeout`], of a timeout in milliseconds.
    ///
    /// # Errors
    /// No integer, a negative one, or one too large.
    pub fn timeout_ms(&self, index: usize) -> Result<Option<u64>, Error> {
        let millis = self.integer(index).map_err(|_| TIMEOUT_NOT_AN_INTEGER)?;
        self.until(u64::try_from(millis).map_err(|_| TIMEOUT_NEGATIVE)?)
    }

    fn until(&self, millis: u64) -> Result<Option<u64>, Error> {
        let now = self.server.now;
        if now.unix_ms().checked_add_unsigned(millis).is_none() {
            return Err(TIMEOUT_OUT_OF_RANGE);
        }
        let until_ns = now.mono_ns.saturating_add(millis.saturating_mul(1_000_000));
        Ok((millis > 0).then_some(until_ns))
    }

    /// Whether the command is a part of something that cannot wait, such as a transaction: it gets the
    /// reply of one whose time has run out, at once.
    pub fn may_not_wait(&self) -> bool {
        self.session.flags.contains(SessionFlags::DENY_BLOCKING)
    }

    /// Lets the client wait; its handler writes no reply. A command that is executed again goes on
    /// waiting as it did.
    pub fn wait_for_keys(&mut self, wanted: Wanted) -> Outcome {
        self.wait_for_keys_with(wanted, |args| args.from(0).collect())
    }

    /// As [`Context::wait_for_keys`]; the command is executed again with the arguments that `args` makes of
    /// those it came with.
    pub fn wait_for_keys_with(
        &mut self,
        wanted: Wanted,
        args: impl FnOnce(Args<'_>) -> OwnedArgs,
    ) -> Outcome {
        if self.session.blocked.is_some() {
            return Ok(());
        }
        let Wanted { keys: range, kind, when_gone, until_ns, timed_out } = wanted;
        if self.may_not_wait() {
            timed_out(&mut self.session.output);
            return Ok(());
        }
        let db = self.session.db;
        let mut keys = AwaitedKeys { db, kind, when_gone, args: args(self.args), range, turn: 0 };
        keys.turn = self.server.keyspace.awaited.add(db, keys.names(), self.session.id.0);
        let blocked = Blocked { until_ns, timed_out, keys: Some(Box::new(keys)), copies: None };
        self.server.waits.add(self.session, blocked);
        Ok(())
    }
}

impl Server {
    /// Ends a client's waiting, if it waits; gives what it waited for.
    pub fn end_wait(&mut self, session: &mut Session) -> Option<Blocked> {
        let blocked = self.waits.remove(session)?;
        if let Some(keys) = &blocked.keys {
            self.keyspace.awaited.remove(keys.db, keys.names(), keys.turn);
        }
        Some(blocked)
    }

    /// Gives the keys that were noted as ready to the clients that wait for them, and those that this
    /// makes ready in turn.
    #[cold]
    pub fn serve_waiting(&mut self) {
        if self.conditions.contains(Conditions::BUSY) {
            return; // not in the midst of what a script does
        }
        while self.keyspace.awaited.has_ready() {
            for (db, key) in self.keyspace.awaited.take_ready() {
                self.serve_waiting_for(db, &key);
            }
        }
        self.record_removals();
    }

    fn serve_waiting_for(&mut self, db: usize, key: &[u8]) {
        let mut turn = 0;
        loop {
            let hashed = self.keyspace.key(key);
            let kind = self.keyspace.peek(db, hashed).map(|entry| value::type_of(&entry));
            let Some((next, client)) = self.keyspace.awaited.next_after(db, key, turn) else {
                return;
            };
            turn = next;
            let index = self.sessions.index_of(ClientId(client)).expect("who leaves does not wait");
            let mut session = self.sessions.take(index).expect("who waits executes nothing");
            if session.closing == Closing::No {
                self.serve(&mut session, kind);
            }
            self.sessions.put(session);
        }
    }

    /// Executes the command of a client that waits for a key of this type, if it does, or for one that has
    /// gone.
    fn serve(&mut self, session: &mut Session, kind: Option<Type>) {
        let blocked = session.blocked.as_mut().expect("it is listed as waiting");
        let is_due = |keys: &AwaitedKeys| match keys.when_gone {
            WhenGone::Wait => kind == Some(keys.kind),
            WhenGone::TryAgain => true,
        };
        let Some(keys) = blocked.keys.take_if(|keys| is_due(keys)) else { return };
        self.lend_buffer(session);
        let view = keys.args.as_args();
        let id = self.commands.find(view.at(0)).expect("it was found before");
        let served = dispatch::execute_again(self, session, view, id);
        if let Some(blocked) = &mut session.blocked {
            blocked.keys = Some(keys);
        }
        match served {
            Served::Yes => {
                self.end_wait(session);
                self.resume_soon(session);
            }
            Served::No => self.take_buffer_back(session),
        }
    }

    /// Ends a client's waiting before its time. `None` if it does not wait.
    pub fn unblock(&mut self, session: &mut Session, ending: Ending) -> Option<()> {
        let blocked = self.end_wait(session)?;
        self.lend_buffer(session);
        match ending {
            Ending::Timeout => self.reply_in_vain(session, &blocked),
            Ending::Error => dispatch::reply_later(self, session, |_| Err(UNBLOCKED)),
        }
        self.resume_soon(session);
        Some(())
    }

    /// Ends the waiting of all clients, and their connections: on a replica they would wait for what its
    /// primary's clients get.
    pub(in crate::command) fn force_unblock(&mut self) {
        const FORCED: Error = Error::fixed(
            "UNBLOCKED force unblock from blocking operation, instance state changed (master -> \
             replica?)",
        );
        let places: Vec<usize> = self.sessions.indexes().collect();
        for place in places {
            let Some(mut session) = self.sessions.take(place) else { continue };
            if self.end_wait(&mut session).is_some() {
                self.lend_buffer(&mut session);
                dispatch::reply_later(self, &mut session, |_| Err(FORCED));
                session.close_after_replies();
                self.queue_write(&mut session);
            }
            self.sessions.put(session);
        }
    }

    fn reply_in_vain(&mut self, session: &mut Session, blocked: &Blocked) {
        let copies = blocked.copies.map(|awaited| self.copies(&awaited));
        dispatch::reply_later(self, session, |out| {
            match copies {
                Some(copies) => copies.reply(out),
                None => (blocked.timed_out)(out),
            }
            Ok(())
        });
    }

    /// Sends a client its reply and makes it go on with what it sent meanwhile.
    pub(super) fn resume_soon(&mut self, session: &mut Session) {
        session.flags.insert(SessionFlags::PAUSED);
        self.resumable.push(session.index);
        self.queue_write(session);
    }
}

#[cfg(test)]
mod tests {
    use crate::command::testing::check;

    #[test]
    fn timeouts_out_of_range_are_refused() {
        let reply = |timeout: &str, error: &str| {
            check(&format!("BLPOP k '{timeout}'"), &format!("-ERR timeout is {error}"));
        };
        for timeout in ["1e400", "inf", "1e16", "9223372036854775807", "9223372036854775"] {
            reply(timeout, "out of range");
        }
        for timeout in ["-1", "-0.9999", "-1e400", "-inf"] {
            reply(timeout, "negative");
        }
        for timeout in ["abc", "", "nan", " 1", "1 ", "1x"] {
            reply(timeout, "not a float or out of range");
        }
    }
}
