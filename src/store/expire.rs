//! Active expiry: keys whose time has come are removed though nobody asks for them.
//!
//! The table keeps the volatile keys findable without an index of its own, so a pass visits only
//! buckets that hold some. A round goes on while it finds many expired keys; otherwise what is left
//! will be found by the next rounds or when it is asked for.

use super::{Event, Free, Key, Keyspace};

/// Buckets with volatile keys visited between two looks at the clock.
const BUCKETS_PER_STEP: usize = 16;
/// Steps that sample a database even if none of its keys has expired.
const STEPS_MIN: usize = 2;
/// A database is left when fewer than one in this many visited keys had expired.
const STALE_ONE_IN: usize = 10;

/// What one step found.
#[derive(Clone, Copy, Default)]
struct Step {
    visited: usize,
    expired: usize,
    ttl_sum_ms: i64,
}

impl Keyspace {
    /// Removes expired keys until few are left or `out_of_time` says so; true in the latter case.
    pub fn expire_some(&mut self, mut out_of_time: impl FnMut() -> bool) -> bool {
        let (mut visited, mut expired) = (0, 0);
        let mut timed_out = false;
        for _ in 0..self.dbs.len() {
            let db = self.expire_db % self.dbs.len();
            let mut steps = 0;
            while self.dbs[db].volatile_len() > 0 {
                let step = self.expire_step(db);
                visited += step.visited;
                expired += step.expired;
                steps += 1;
                let few = step.expired * STALE_ONE_IN <= step.visited;
                if out_of_time() {
                    timed_out = true;
                    break;
                }
                if few && (steps >= STEPS_MIN || self.dbs[db].expire_cursor == 0) {
                    break;
                }
            }
            if timed_out {
                break;
            }
            self.expire_db = (db + 1) % self.dbs.len();
        }
        self.note_stale(visited, expired);
        timed_out
    }

    /// When a key expires, Unix milliseconds, whether or not it has.
    pub fn expiry_of(&self, db: usize, key: Key<'_>) -> Option<i64> {
        self.dbs[db].dict.find(key.hash, key.bytes)?.expiry()
    }

    /// Removes a key whose time has come.
    pub fn expire_now(&mut self, db: usize, key: Key<'_>) {
        if let Some(entry) = self.dbs[db].dict.remove(key.hash, key.bytes) {
            self.dbs[db].field_deadlines.leave(&entry);
            self.expired += 1;
            self.removals.expired(db, key.bytes);
            self.events.note(db, key.bytes, Event::EXPIRED);
            self.awaited.note(db, key.bytes);
            self.discard(entry, Free::Here);
        }
    }

    fn expire_step(&mut self, db: usize) -> Step {
        let now_ms = self.now_ms;
        let mut step = Step::default();
        let mut doomed: Vec<Vec<u8>> = Vec::new();
        let table = &mut self.dbs[db];
        let from = table.expire_cursor;
        table.expire_cursor = table.dict.scan_marked(from, BUCKETS_PER_STEP, |entry| {
            let Some(at_ms) = entry.expiry() else { return };
            step.visited += 1;
            if at_ms <= now_ms {
                doomed.push(entry.key().to_vec());
            } else {
                step.ttl_sum_ms = step.ttl_sum_ms.saturating_add(at_ms - now_ms);
            }
        });
        step.expired = doomed.len();
        let left = i64::try_from(step.visited - step.expired).unwrap_or(i64::MAX);
        if left > 0 {
            let mean_ms = step.ttl_sum_ms / left;
            let old = table.mean_ttl_ms;
            table.mean_ttl_ms = if old == 0 { mean_ms } else { old / 50 * 49 + mean_ms / 50 };
        }
        for key in doomed {
            self.expire_now(db, self.key(&key));
        }
        if self.dbs[db].volatile_len() == 0 {
            self.dbs[db].mean_ttl_ms = 0;
        }
        step
    }

    fn note_stale(&mut self, visited: usize, expired: usize) {
        use crate::base::num::{ratio, u64_of};
        let percent =
            if visited == 0 { 0.0 } else { ratio(u64_of(expired), u64_of(visited)) * 100.0 };
        self.expired_stale_percent = self.expired_stale_percent * 0.95 + percent * 0.05;
    }
}
