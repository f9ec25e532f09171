//! `maxmemory`: before a command is executed, keys are evicted until memory is within the limit.
//!
//! That is bounded in time by `maxmemory-eviction-tenacity`: what is left goes between commands, a slice
//! in each turn. Only when nothing is left that may go are commands refused that need memory.
//!
//! Not counted, as in Redis, is what grows because keys are evicted: what waits to be logged. Nor is
//! what the helper thread is about to free; counting it, the server would evict twice.

use super::persist::Conditions;
use super::server::Server;
use crate::base::num;
use crate::config::MaxmemoryPolicy;
use crate::store::Garbage;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Keys evicted between two looks at the clock.
const KEYS_PER_LOOK: usize = 8;
/// How long a command is held up for each step of the tenacity up to the tenth, nanoseconds.
const STEP_NS: u64 = 50_000;
/// The tenacity from which on the time grows by `GROWTH_PERCENT` with each step.
const LINEAR_MAX: u32 = 10;
const GROWTH_PERCENT: u64 = 15;
/// The tenacity with which a command is held up until memory is within the limit.
const UNBOUNDED: u32 = 100;

/// Whether there is memory for a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// There is.
    Enough,
    /// There will be: more is being freed.
    Coming,
    /// There is none, and nothing may be evicted.
    None,
}

/// How the limit is kept.
#[derive(Debug, Default)]
pub struct Eviction {
    /// Whether keys are to be evicted between commands, too.
    pub is_running: bool,
    /// Since when memory has been above the limit, by the clock that times commands.
    above_since_ns: Option<u64>,
    /// How long it was above the limit before that, nanoseconds.
    above_ns: u64,
    /// Bytes on their way to be freed.
    leaving: Arc<AtomicU64>,
}

impl Eviction {
    fn leaving_bytes(&self) -> u64 {
        self.leaving.load(Ordering::Relaxed)
    }

    /// Notes whether memory is above the limit.
    fn note(&mut self, room: Room, tick_ns: u64) {
        match room {
            Room::Enough => {
                let since = self.above_since_ns.take().unwrap_or(tick_ns);
                self.above_ns += tick_ns.saturating_sub(since);
            }
            Room::Coming | Room::None => _ = self.above_since_ns.get_or_insert(tick_ns),
        }
    }

    /// For how long memory has been above the limit, nanoseconds: since it last was not, and
    /// altogether.
    pub fn above_ns(&self, tick_ns: u64) -> (u64, u64) {
        let current = self.above_since_ns.map_or(0, |since| tick_ns.saturating_sub(since));
        (current, self.above_ns + current)
    }

    /// Forgets for how long memory has been above the limit.
    pub fn reset_times(&mut self) {
        (self.above_since_ns, self.above_ns) = (None, 0);
    }
}

/// Something that is being freed elsewhere.
struct Leaving {
    garbage: Option<Garbage>,
    bytes: u64,
    total: Arc<AtomicU64>,
}

impl Drop for Leaving {
    fn drop(&mut self) {
        drop(self.garbage.take());
        self.total.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// For how long a command is held up, nanoseconds.
fn budget_ns(tenacity: u32) -> u64 {
    match tenacity {
        0..=LINEAR_MAX => STEP_NS * u64::from(tenacity),
        UNBOUNDED.. => u64::MAX,
        _ => (LINEAR_MAX..tenacity).fold(STEP_NS * u64::from(LINEAR_MAX), |budget, _| {
            budget / 100 * (100 + GROWTH_PERCENT)
        }),
    }
}

impl Server {
    /// Evicts keys until memory is within `maxmemory`, which is not 0, or for as long as a command may
    /// be held up.
    #[inline]
    pub(super) fn make_room(&mut self) -> Room {
        if self.host.allocated() <= self.config.maxmemory && self.eviction.above_since_ns.is_none()
        {
            return Room::Enough;
        }
        self.evict_for_a_while()
    }

    /// Goes on with what commands have left to do.
    pub fn evict_between_commands(&mut self) {
        self.eviction.is_running = false;
        if self.config.maxmemory > 0 {
            self.make_room();
        }
    }

    #[cold]
    fn evict_for_a_while(&mut self) -> Room {
        if self.conditions.contains(Conditions::REPLICA) && self.config.replica_ignore_maxmemory {
            return Room::Enough; // the primary says what is to go
        }
        if self.pause.is_some() {
            return Room::Enough; // it is a write, which even the mildest pause holds back
        }
        let started = (self.ticks)();
        let room = self.evict_until(
            started.saturating_add(budget_ns(self.config.maxmemory_eviction_tenacity)),
        );
        let ended = (self.ticks)();
        self.eviction.note(room, ended);
        self.note_event("eviction-cycle", ended.saturating_sub(started));
        room
    }

    fn evict_until(&mut self, deadline_ns: u64) -> Room {
        let policy = self.config.maxmemory_policy;
        let samples = num::usize_of_u32(self.config.maxmemory_samples);
        // Keys that went for the sake of spare reply buffers would be told of in more of them.
        let aside = self.uncounted_bytes() + num::u64_of(self.buffers.free_bytes());
        let mut limit = self.config.maxmemory.saturating_add(aside);
        loop {
            for _ in 0..KEYS_PER_LOOK {
                if self.host.allocated() <= limit.saturating_add(self.eviction.leaving_bytes()) {
                    return Room::Enough;
                }
                if policy == MaxmemoryPolicy::Noeviction || !self.keyspace.evict(policy, samples) {
                    let is_freeing = self.host.drops_pending() > 0;
                    return if is_freeing { Room::Coming } else { Room::None };
                }
                if self.keyspace.has_garbage() {
                    self.drop_garbage();
                }
                limit = limit.saturating_add(self.tell_evicted());
            }
            if (self.ticks)() >= deadline_ns {
                self.eviction.is_running = true;
                return Room::Coming;
            }
        }
    }

    /// Tells those who listen of the key that was evicted; bytes of memory that this takes, for which no
    /// other key is to go: those who are told of many would have all evicted.
    #[inline]
    fn tell_evicted(&mut self) -> u64 {
        if self.keyspace.removals.is_empty() && self.keyspace.events.is_empty() {
            return 0;
        }
        let before = self.host.allocated();
        self.record_removals();
        self.host.allocated().saturating_sub(before)
    }

    /// Bytes in use that do not count for the limit.
    pub fn uncounted_bytes(&self) -> u64 {
        let held_up = num::u64_of(self.replication.held_up_bytes());
        num::u64_of(self.effects.allocated_bytes()) + self.log_buffer_bytes() + held_up
    }

    /// Bytes that wait to be written to the append-only file.
    pub fn log_buffer_bytes(&self) -> u64 {
        let log = self.host.append_only_file();
        log.map_or(0, |log| num::u64_of(log.figures().pending_bytes))
    }

    /// `maxmemory` has changed.
    pub(super) fn follow_memory_limit(&mut self) {
        let limit = self.config.maxmemory;
        let used = self.host.allocated();
        if limit == 0 || used <= limit {
            return;
        }
        tracing::warn!(
            maxmemory = limit,
            used,
            "maxmemory is less than what is in use: keys are evicted, or commands refused that need \
             memory, as maxmemory-policy says"
        );
        self.eviction.is_running = true;
    }

    /// Hands what commands threw away to the helper thread.
    pub fn drop_garbage(&mut self) {
        for garbage in self.keyspace.take_garbage() {
            self.stats.lazy_freed += num::u64_of(garbage.objects());
            let bytes = num::u64_of(garbage.memory_bytes());
            let total = Arc::clone(&self.eviction.leaving);
            total.fetch_add(bytes, Ordering::Relaxed);
            self.host.drop_later(Box::new(Leaving { garbage: Some(garbage), bytes, total }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::effects::Listener;
    use crate::command::testing::{Bench, FakeHost, recorded};
    use crate::config::Config;

    const LIMIT: u64 = 1000;

    /// A server whose memory is above the limit for the next so many times it is asked for, and holds ten
    /// keys.
    fn bench(policy: MaxmemoryPolicy, times: usize) -> Bench {
        let mut bench = Bench::with(Config { maxmemory_policy: policy, ..Config::default() });
        for n in 0..10 {
            bench.raw(&["SET", &format!("k{n}"), "v"]);
        }
        let mut host = FakeHost::default();
        host.uses.extend((0..times).map(|_| LIMIT + 1).chain([LIMIT]));
        bench.server.host = Box::new(host);
        bench.server.config.maxmemory = LIMIT;
        bench
    }

    #[test]
    fn keys_are_evicted_until_memory_is_within_the_limit() {
        let mut bench = bench(MaxmemoryPolicy::AllkeysLru, 5);
        bench.check("SET x y; DBSIZE", "+OK :7");
        assert_eq!(bench.server.keyspace.evicted, 4);
    }

    #[test]
    fn what_was_evicted_is_deleted_in_the_log_before_the_command() {
        for (lazy, word) in [(false, "DEL"), (true, "UNLINK")] {
            // Telling of a key looks twice.
            let mut bench = bench(MaxmemoryPolicy::AllkeysLru, 1 + 3 * 3);
            bench.server.config.lazyfree_lazy_eviction = lazy;
            bench.server.listen(Listener::AppendOnlyFile);
            bench.run("SET x y");
            let log = recorded(&mut bench.server);
            let mut commands = log.split('|');
            assert_eq!(commands.next(), Some("SELECT 0"));
            for _ in 0..3 {
                let command = commands.next().expect("a deletion");
                assert!(command.starts_with(&format!("{word} k")), "{log}");
            }
            assert_eq!(commands.collect::<Vec<_>>(), ["SET x y"]);
        }
    }

    #[test]
    fn what_needs_memory_is_refused_only_when_nothing_may_go() {
        let oom = "-OOM command not allowed when used memory > 'maxmemory'.";
        let mut none = bench(MaxmemoryPolicy::Noeviction, 1000);
        none.check("SET x y; GET k1; DEL k1; DBSIZE", &format!("{oom} $v :1 :9"));
        let mut volatile = bench(MaxmemoryPolicy::VolatileLru, 1000);
        volatile.check("SET x y; DBSIZE", &format!("{oom} :10"));
        volatile.server.config.maxmemory = u64::MAX;
        volatile.check("EXPIRE k1 100", ":1");
        volatile.server.config.maxmemory = LIMIT;
        volatile.check("GET k1; DBSIZE; SET x y", &format!("$_ :9 {oom}"));
    }

    #[test]
    fn a_command_is_not_held_up_for_long() {
        let mut bench = bench(MaxmemoryPolicy::AllkeysLru, 1000);
        for n in 0..30 {
            bench.server.config.maxmemory = u64::MAX;
            bench.raw(&["SET", &format!("more{n}"), "v"]);
        }
        bench.server.config.maxmemory = LIMIT;
        bench.server.config.maxmemory_eviction_tenacity = 0;
        bench.check("SET x y; DBSIZE", "+OK :25");
        assert!(bench.server.eviction.is_running);
        bench.server.evict_between_commands();
        assert!(bench.server.eviction.is_running);
        bench.check("PING", "+PONG");
        assert_eq!(bench.server.keyspace.evicted, 32);
    }

    #[test]
    fn what_is_told_of_evicted_keys_does_not_pile_up() {
        let mut bench = bench(MaxmemoryPolicy::AllkeysLru, 3 * 5);
        bench.server.config.maxmemory = 0;
        bench.run("CONFIG SET notify-keyspace-events KEA");
        bench.server.listen(Listener::AppendOnlyFile);
        bench.server.config.maxmemory = LIMIT;
        assert_eq!(bench.server.evict_until(u64::MAX), Room::Enough);
        assert_eq!(bench.server.keyspace.evicted, 5);
        assert!(bench.server.keyspace.removals.is_empty());
        assert!(bench.server.keyspace.events.is_empty());
        assert_eq!(recorded(&mut bench.server).split('|').count(), 6); // SELECT among them
    }

    #[test]
    fn a_client_hears_of_an_evicted_key_before_its_reply() {
        let mut bench = Bench::with(Config {
            maxmemory_policy: MaxmemoryPolicy::VolatileRandom,
            ..Config::default()
        });
        bench.run("HELLO 3; CLIENT TRACKING ON; SET k v EX 100; GET k; SET other v");
        let mut host = FakeHost::default();
        host.uses.extend([LIMIT + 1, LIMIT + 1, LIMIT]);
        bench.server.host = Box::new(host);
        bench.server.config.maxmemory = LIMIT;
        bench.check("GET other", ">[$invalidate [$k]] $v");
    }

    #[test]
    fn nothing_is_evicted_in_a_pause() {
        let mut bench = bench(MaxmemoryPolicy::AllkeysLru, 1000);
        bench.check("CLIENT PAUSE 100 WRITE", "+OK");
        let before = bench.server.keyspace.db(0).len();
        bench.check("GET nosuch", "$_");
        assert_eq!(bench.server.keyspace.db(0).len(), before);
    }

    #[test]
    fn the_time_above_the_limit_is_counted() {
        let mut eviction = Eviction::default();
        eviction.note(Room::Coming, 100);
        eviction.note(Room::None, 200);
        assert_eq!(eviction.above_ns(300), (200, 200));
        eviction.note(Room::Enough, 400);
        eviction.note(Room::Enough, 500);
        assert_eq!(eviction.above_ns(600), (0, 300));
        eviction.note(Room::Coming, 700);
        assert_eq!(eviction.above_ns(750), (50, 350));
        eviction.reset_times();
        assert_eq!(eviction.above_ns(900), (0, 0));
    }

    #[test]
    fn tenacity_is_redis_s() {
        let micros = |tenacity| budget_ns(tenacity) / 1000;
        assert_eq!([0, 1, 10].map(micros), [0, 50, 500]);
        assert_eq!(micros(11), 575);
        assert_eq!(micros(20) / 10, 202);
        assert!((120_000_000..130_000_000).contains(&micros(99)), "{}", micros(99));
        assert_eq!(budget_ns(100), u64::MAX);
    }

    #[test]
    fn what_is_being_freed_counts_no_more() {
        let mut bench = bench(MaxmemoryPolicy::AllkeysLru, 1000);
        bench.server.eviction.leaving.store(1, Ordering::Relaxed);
        bench.check("SET x y; DBSIZE", "+OK :11");
        let total = Arc::clone(&bench.server.eviction.leaving);
        total.store(10, Ordering::Relaxed);
        drop(Leaving { garbage: None, bytes: 7, total: Arc::clone(&total) });
        assert_eq!(total.load(Ordering::Relaxed), 3);
    }
}
