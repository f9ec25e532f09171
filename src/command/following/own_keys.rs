//! Keys with an expiry that clients have set on a writable replica: the primary does not know of them and
//! says nothing when their time comes, so that the replica looks after them itself.
//!
//! Noted are the keys of all commands that write; those that turn out to have no expiry are forgotten at the
//! next look.

use crate::command::keys::{self, Scope};
use crate::command::persist::Conditions;
use crate::command::server::Server;
use crate::command::spec::Flags;
use crate::command::table::CommandId;
use crate::resp::Args;
use crate::session::Session;
use std::collections::BTreeSet;

/// Keys looked at between two looks at the clock.
const KEYS_PER_STEP: usize = 32;

/// The keys, with their databases.
#[derive(Debug, Default)]
pub(super) struct OwnKeys {
    keys: BTreeSet<(usize, Box<[u8]>)>,
    /// The last one that was looked at.
    at: Option<(usize, Box<[u8]>)>,
}

impl OwnKeys {
    /// The next key in turn.
    fn next(&mut self) -> Option<(usize, Box<[u8]>)> {
        let after = self.at.take().and_then(|at| {
            use std::ops::Bound::{Excluded, Unbounded};
            self.keys.range((Excluded(at), Unbounded)).next()
        });
        let next = after.or_else(|| self.keys.first()).cloned();
        self.at.clone_from(&next);
        next
    }
}

impl Server {
    /// Notes the keys of a command that a client has sent to a replica.
    #[cold]
    pub(in crate::command) fn note_own_keys(
        &mut self,
        session: &Session,
        id: CommandId,
        args: &Args<'_>,
    ) {
        let spec = &self.commands.get(id).command.spec;
        if !spec.flags.contains(Flags::WRITE) || self.config.replica_read_only {
            return;
        }
        let found: Vec<usize> = keys::find(spec, args, Scope::Keys).map(|key| key.index).collect();
        let db = session.db;
        let Some(work) = self.work_mut() else { return };
        for index in found {
            work.own_keys.keys.insert((db, args.at(index).into()));
        }
    }

    /// How many keys are looked after.
    pub fn own_keys_len(&self) -> usize {
        self.work().map_or(0, |work| work.own_keys.keys.len())
    }

    /// Lets those expire whose time has come, until it is over.
    #[cold]
    pub fn expire_own_keys(&mut self, mut out_of_time: impl FnMut() -> bool) {
        debug_assert!(self.conditions.contains(Conditions::REPLICA));
        let most = self.own_keys_len();
        for looked_at in 1..=most {
            let Some(work) = self.work_mut() else { return };
            let Some((db, name)) = work.own_keys.next() else { return };
            if self.is_settled(db, &name)
                && let Some(work) = self.work_mut()
            {
                work.own_keys.keys.remove(&(db, name));
            }
            if looked_at % KEYS_PER_STEP == 0 && out_of_time() {
                break;
            }
        }
        self.record_removals();
        self.drop_garbage();
    }

    /// Whether a key needs not to be looked at any more: it has no expiry, or has just expired.
    fn is_settled(&mut self, db: usize, name: &[u8]) -> bool {
        let key = self.keyspace.key(name);
        let now_ms = self.keyspace.now_ms();
        match self.keyspace.expiry_of(db, key) {
            None => true,
            Some(at_ms) if at_ms <= now_ms => {
                self.keyspace.expire_now(db, key);
                true
            }
            Some(_) => false,
        }
    }
}
