//! Active defragmentation: when to move values together, and how much of the processor that may take.
//!
//! Once a second the allocator is asked how much of what it holds lies idle between values. Above
//! `active-defrag-threshold-lower` percent and `active-defrag-ignore-bytes`, a walk over all databases
//! begins (`store/defrag`), in slices of at most two milliseconds' share: with the default limits a slice
//! is half a millisecond long, and as much time as the limit asks for goes to commands before the next.
//! A walk that brought little is not repeated at once.

use super::host::MemoryUse;
use super::server::Server;
use crate::base::num;
use crate::store::Slice;

/// How often it is decided whether to begin, milliseconds.
const DECISION_MS: u64 = 1000;
/// How long there is no walk after one that brought little, milliseconds.
const FRUITLESS_MS: u64 = 30_000;
/// A walk brought little if it freed less than one part in so many of what lay idle.
const FRUITLESS_PART: u64 = 20;
/// A slice and the pause after it, nanoseconds.
const PERIOD_NS: u64 = 2_000_000;

/// What a walk goes through, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Keys,
    Scripts,
}

/// A walk under way.
#[derive(Clone, Copy, Debug)]
struct Walk {
    part: Part,
    /// Its share of the processor.
    percent: u64,
    /// When its next slice is due, by the clock that times commands.
    next_ns: u64,
    /// What lay idle when it began, bytes.
    idle_bytes: u64,
}

/// How defragmentation stands.
#[derive(Debug, Default)]
pub struct Defragmentation {
    walk: Option<Walk>,
    decide_at_ms: u64,
    /// Since when it has been at work, by the clock that times commands.
    since_ns: Option<u64>,
    /// Nanoseconds that it was at work before.
    worked_ns: u64,
    /// Blocks moved.
    pub hits: u64,
    /// Blocks looked at and left where they are.
    pub misses: u64,
    /// Keys of which something was moved.
    pub key_hits: u64,
    /// Keys of which nothing was.
    pub key_misses: u64,
}

impl Defragmentation {
    /// The share of the processor that it takes at present, percent; 0 if it rests.
    pub fn percent(&self) -> u64 {
        self.walk.map_or(0, |walk| walk.percent)
    }

    /// For how long it has been at work, nanoseconds: since it last was not, and altogether.
    pub fn worked_ns(&self, tick_ns: u64) -> (u64, u64) {
        let current = self.since_ns.map_or(0, |since| tick_ns.saturating_sub(since));
        (current, self.worked_ns + current)
    }

    /// Forgets what was counted.
    pub fn reset(&mut self) {
        (self.hits, self.misses, self.key_hits, self.key_misses) = (0, 0, 0, 0);
        (self.since_ns, self.worked_ns) = (None, 0);
    }

    fn rest(&mut self, tick_ns: u64) {
        self.worked_ns = self.worked_ns(tick_ns).1;
        (self.walk, self.since_ns) = (None, None);
    }
}

/// What lies idle between values: bytes, and percent of what they take.
fn waste(memory: MemoryUse) -> (u64, u64) {
    let idle = memory.active.saturating_sub(memory.allocated);
    (idle, idle.saturating_mul(100) / memory.allocated.max(1))
}

impl Server {
    /// Does what is due and returns after how many milliseconds there is more.
    pub fn defragment(&mut self) -> u64 {
        let now_ms = self.now.mono_ms();
        // A forked child shares memory, of which whatever is moved becomes a second copy.
        if self.persistence.child.is_some() || self.persistence.loading.is_some() {
            return DECISION_MS;
        }
        if self.defragmentation.walk.is_none() {
            if now_ms < self.defragmentation.decide_at_ms {
                return self.defragmentation.decide_at_ms - now_ms;
            }
            self.defragmentation.decide_at_ms = now_ms + DECISION_MS;
            let memory = self.host.memory();
            self.defragmentation.walk = self.begin_walk(memory);
        }
        let Some(walk) = self.defragmentation.walk else { return DECISION_MS };
        let tick = (self.ticks)();
        if tick < walk.next_ns {
            return (walk.next_ns - tick).div_ceil(1_000_000);
        }
        self.defragmentation.since_ns.get_or_insert(tick);
        self.run_slice(walk)
    }

    /// Ends the walk: `activedefrag` was switched off.
    pub(super) fn follow_defragmentation(&mut self) {
        if !self.config.activedefrag {
            self.keyspace.stop_defragmenting();
            let tick = (self.ticks)();
            self.defragmentation.rest(tick);
        }
        self.defragmentation.decide_at_ms = 0;
    }

    fn begin_walk(&self, memory: MemoryUse) -> Option<Walk> {
        let config = &self.config;
        let (idle_bytes, percent) = waste(memory);
        let [lower, upper, least, most] = [
            config.active_defrag_threshold_lower,
            config.active_defrag_threshold_upper,
            config.active_defrag_cycle_min,
            config.active_defrag_cycle_max,
        ]
        .map(u64::from);
        if percent < lower || idle_bytes < config.active_defrag_ignore_bytes {
            return None;
        }
        // From the lower threshold to the upper one the share rises from the least to the most.
        let span = upper.saturating_sub(lower).max(1);
        let share = least + most.saturating_sub(least) * (percent - lower).min(span) / span;
        Some(Walk { part: Part::Keys, percent: share.clamp(1, 99), next_ns: 0, idle_bytes })
    }

    /// Runs a slice and returns after how many milliseconds the next is due.
    fn run_slice(&mut self, walk: Walk) -> u64 {
        let ticks = self.ticks;
        let started = ticks();
        let budget_ns = PERIOD_NS * walk.percent / 100;
        let most = num::usize_of(self.config.active_defrag_max_scan_fields);
        let before = self.host.relocations();
        let out_of_time = || ticks().saturating_sub(started) >= budget_ns;
        let slice = self.move_slice(walk.part, most, out_of_time);
        let after = self.host.relocations();
        let ended = ticks();
        let state = &mut self.defragmentation;
        state.hits += after.moved - before.moved;
        state.misses += after.kept - before.kept;
        state.key_hits += slice.moved_keys;
        state.key_misses += slice.unmoved_keys;
        let spent_ns = ended.saturating_sub(started);
        let pause_ns = spent_ns * (100 - walk.percent) / walk.percent;
        state.walk = Some(Walk { next_ns: ended + pause_ns, ..walk });
        let threshold_ms = self.config.latency_monitor_threshold;
        if threshold_ms > 0 && spent_ns / 1_000_000 >= threshold_ms {
            self.latency.note("active-defrag-cycle", self.now.unix_s(), spent_ns / 1_000_000);
        }
        match (slice.is_complete, walk.part) {
            (true, Part::Keys) if self.scripting.begin_moving() => {
                state.walk = Some(Walk { part: Part::Scripts, next_ns: ended + pause_ns, ..walk });
            }
            (true, Part::Keys | Part::Scripts) => self.end_walk(walk, ended),
            (false, _) => {}
        }
        pause_ns.div_ceil(1_000_000)
    }

    fn move_slice(&mut self, part: Part, most: usize, out_of_time: impl FnMut() -> bool) -> Slice {
        let to = self.host.relocator();
        match part {
            Part::Keys => self.keyspace.defragment(to, most, out_of_time),
            Part::Scripts => Slice {
                is_complete: self.scripting.move_texts(to, out_of_time),
                ..Slice::default()
            },
        }
    }

    /// Begins another walk if there is reason to, or rests.
    fn end_walk(&mut self, walk: Walk, tick_ns: u64) {
        let memory = self.host.memory();
        let (idle_bytes, _) = waste(memory);
        let freed = walk.idle_bytes.saturating_sub(idle_bytes);
        let is_fruitless = freed < walk.idle_bytes / FRUITLESS_PART;
        match self.begin_walk(memory).filter(|_| !is_fruitless) {
            Some(next) => {
                let next_ns = self.defragmentation.walk.map_or(0, |walk| walk.next_ns);
                self.defragmentation.walk = Some(Walk { next_ns, ..next });
            }
            None => {
                self.defragmentation.rest(tick_ns);
                let rest_ms = if is_fruitless { FRUITLESS_MS } else { DECISION_MS };
                self.defragmentation.decide_at_ms = self.now.mono_ms() + rest_ms;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::Rng;
    use crate::command::testing::Bench;
    use crate::ds::relocate::testing::Everything;
    use crate::value::{Entry, HashRef, HeapRef, ListRef, SetRef, SortedSetRef, ValueRef};

    /// Adds values of every encoding, or changes them.
    fn change(bench: &mut Bench, rng: &mut Rng, turns: usize) {
        for _ in 0..turns {
            let (n, len) = (rng.below(40), rng.below_usize(3000));
            let text = "ab".repeat(len / 2);
            let many: Vec<String> =
                (0..rng.below(300)).map(|i| format!("m{}", i * 7 % 311)).collect();
            let key = |kind: &str| format!("{kind}{n}");
            let mut words: Vec<String> = match rng.below(19) {
                0 => vec!["SET".into(), key("s"), n.to_string()],
                1 | 2 => vec!["SET".into(), key("s"), text],
                3 => vec!["SET".into(), key("s"), text, "EX".into(), "1000".into()],
                4 => vec!["APPEND".into(), key("s"), "x".into()],
                5 => vec!["RPUSH".into(), key("l"), text, "x".into(), "b".repeat(9000)],
                6 => vec!["LPOP".into(), key("l"), (rng.below(30) + 1).to_string()],
                7 => vec!["SADD".into(), key("i"), len.to_string(), n.to_string()],
                8 => vec!["HSET".into(), key("h"), "f".into(), "v".repeat(20_000)],
                9 => {
                    vec!["HPEXPIRE".into(), key("h"), "100000".into(), "FIELDS".into(), "1".into()]
                }
                10 => vec!["DEL".into(), key("l"), key("h"), key("z"), key("t")],
                11 => vec!["SELECT".into(), rng.below(3).to_string()],
                12 => vec!["RPUSH".into(), key("l")],
                13 => vec!["SADD".into(), key("t")],
                14 => vec!["HSET".into(), key("h")],
                15 => vec!["XADD".into(), key("x"), "*".into(), "f".into(), text],
                16 => ["XGROUP", "CREATE", &key("x"), "g", "0", "MKSTREAM"].map(Into::into).into(),
                17 => {
                    let consumer = format!("consumer-{}", rng.below(20));
                    let words = ["XREADGROUP", "GROUP", "g", &consumer, "STREAMS", &key("x"), ">"];
                    words.map(Into::into).into()
                }
                _ => vec!["ZADD".into(), key("z")],
            };
            let pairs = words[0] == "HSET" || words[0] == "ZADD";
            let is_bare = words.len() == 2 && words[0] != "SELECT";
            for (i, member) in many.iter().enumerate().filter(|_| is_bare) {
                if words[0] == "ZADD" {
                    words.push((i / 50).to_string());
                }
                words.push(member.clone());
                if words[0] == "HSET" {
                    words.push(text_of(i));
                }
            }
            if words[0] == "HPEXPIRE" {
                words.push("m7".into());
            }
            if words.len() > 2 || words[0] == "SELECT" || !pairs {
                bench.raw(&words);
            }
        }
    }

    fn text_of(i: usize) -> String {
        format!("value {i} {}", "y".repeat(i % 90))
    }

    fn check_value(entry: &Entry) {
        let ValueRef::Payload(payload) = entry.value() else { return };
        match payload {
            HeapRef::Text(_) => {}
            HeapRef::Stream(stream) => {
                stream.log.check_invariants();
                stream.groups.iter().for_each(|(_, group)| group.check_invariants());
            }
            HeapRef::List(ListRef::Packed(pack)) => pack.check_invariants(),
            HeapRef::List(ListRef::Linked(list)) => list.check_invariants(),
            HeapRef::Set(SetRef::Integers(set)) => set.check_invariants(),
            HeapRef::Set(SetRef::Listing(pack)) => pack.check_invariants(),
            HeapRef::Set(SetRef::Table(table)) => table.check_invariants(),
            HeapRef::SortedSet(SortedSetRef::Packed(pack)) => pack.check_invariants(),
            HeapRef::SortedSet(SortedSetRef::Scored(set)) => set.check_invariants(),
            HeapRef::Hash(HashRef::Pack(pack) | HashRef::ExpiringPack(pack)) => {
                pack.check_invariants();
            }
            HeapRef::Hash(HashRef::Table(table)) => table.iter().for_each(|field| {
                assert!(!field.name().is_empty());
            }),
        }
    }

    fn check_all(bench: &Bench) {
        for db in 0..3 {
            bench.server.keyspace.db(db).check_invariants();
            bench.server.keyspace.db(db).iter().for_each(|entry| check_value(&entry));
        }
    }

    #[test]
    fn moving_everything_changes_nothing() {
        for seed in 0..12 {
            let mut rng = Rng::seeded(seed);
            let mut bench = Bench::new();
            bench.run("CONFIG SET list-max-listpack-size 5 list-compress-depth 1");
            change(&mut bench, &mut rng, 300);
            let before = bench.raw(&["DEBUG", "DIGEST"]);
            let mut to = Everything::default();
            let mut slices = 0;
            while !bench.server.keyspace.defragment(&mut to, 50, || true).is_complete {
                check_all(&bench);
                slices += 1;
            }
            assert!(slices > 20 && to.moved > 1000, "{slices} slices, {} blocks", to.moved);
            check_all(&bench);
            assert_eq!(bench.raw(&["DEBUG", "DIGEST"]), before, "seed {seed}");
        }
    }

    #[test]
    fn texts_of_scripts_are_moved() {
        let mut bench = Bench::new();
        assert!(!bench.server.scripting.begin_moving(), "there are none");
        let script = |n: usize| format!("return 'script {n}'");
        (0..50).for_each(|n| _ = bench.raw(&["SCRIPT", "LOAD", &script(n)]));
        let mut to = Everything::default();
        assert!(bench.server.scripting.begin_moving());
        assert!(!bench.server.scripting.move_texts(&mut to, || true), "not all at once");
        bench.run("EVAL 'return 1' 0");
        while !bench.server.scripting.move_texts(&mut to, || true) {}
        assert_eq!(to.moved, 50);
        for n in 0..50 {
            let name = crate::script::sha1_hex(script(n).as_bytes());
            let shown = bench.raw(&["SCRIPT".as_bytes(), b"SHOW", &name]);
            assert!(shown.windows(script(n).len()).any(|text| text == script(n).as_bytes()));
        }
        assert!(bench.server.scripting.begin_moving());
        bench.run("SCRIPT FLUSH");
        assert!(bench.server.scripting.move_texts(&mut to, || true), "they are gone");
    }

    #[test]
    fn commands_between_slices_do_no_harm() {
        for seed in 0..12 {
            let mut rng = Rng::seeded(1000 + seed);
            let mut bench = Bench::new();
            bench.run("CONFIG SET list-max-listpack-size 5 list-compress-depth 1");
            change(&mut bench, &mut rng, 200);
            let mut to = Everything::default();
            for _ in 0..150 {
                change(&mut bench, &mut rng, 3);
                let before = bench.raw(&["DEBUG", "DIGEST"]);
                bench.server.keyspace.defragment(&mut to, 50, || true);
                check_all(&bench);
                assert_eq!(bench.raw(&["DEBUG", "DIGEST"]), before, "seed {seed}");
            }
        }
    }

    #[test]
    fn it_begins_above_the_thresholds_and_works_its_share() {
        let mut bench = Bench::new();
        bench.run("MSET a 1 b 2; CONFIG SET activedefrag yes");
        assert_eq!(bench.server.defragment(), DECISION_MS, "a megabyte is below what is ignored");
        bench.run("CONFIG SET active-defrag-ignore-bytes 1mb active-defrag-threshold-upper 190");
        bench.pass(DECISION_MS);
        assert_eq!(bench.server.defragment(), 0, "the clock of the tests stands still");
        // Of 10 to 190 percent 100 is the middle: so is 13 of 1 to 25.
        assert_eq!(bench.server.defragmentation.percent(), 0, "it is over at once");
        let state = &bench.server.defragmentation;
        assert_eq!((state.key_hits, state.key_misses), (2, 0));
        assert!(state.hits >= 3 && state.walk.is_none(), "two entries and the table");
        let memory = bench.server.host.memory();
        let walk = bench.server.begin_walk(memory).expect("a reason to begin");
        assert_eq!((walk.percent, walk.idle_bytes), (13, 1 << 20));
        assert!(bench.server.defragment() > FRUITLESS_MS - DECISION_MS, "nothing was gained");
        bench.run("CONFIG RESETSTAT");
        assert_eq!(bench.server.defragmentation.hits, 0);
    }
}
