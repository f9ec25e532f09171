//! The sorted set: random operations against a sorted vector.
//!
//! Input: how many members and scores there may be, then steps, each a byte that says what happens and
//! what that takes. Under a fuzzer the set also checks its own invariants.

use super::input::Input;
use carnelian::base::hash::HashKey;
use carnelian::ds::skiplist::{Direction, Edge, ScoredSet, Side, Updated};
use std::ops::Range;

/// Steps of one run.
const STEPS_MAX: usize = 300;
/// A run stops after so much work: members added, removed and checked.
const WORK_MAX: usize = 10_000;

/// Checks one sequence of operations.
pub fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let mut pair = Pair {
        set: ScoredSet::new(HashKey::new(3, 4)),
        oracle: Vec::new(),
        names: [4, 100, 1000, 4000][input.below(4)],
        scores: [1, 4, 256, 60_000][input.below(4)],
        work: 0,
        unchecked: 0,
    };
    for _ in 0..STEPS_MAX {
        if input.is_empty() || pair.work >= WORK_MAX {
            break;
        }
        pair.step(&mut input);
        pair.unchecked += 1;
        // Small sets after every step, large ones when as many steps were done.
        if pair.unchecked * pair.unchecked >= pair.oracle.len() {
            pair.check();
        }
    }
    pair.check();
}

/// The set and what should be in it, in order.
struct Pair {
    set: ScoredSet,
    oracle: Vec<(f64, Vec<u8>)>,
    names: usize,
    scores: usize,
    work: usize,
    /// Steps since the last check.
    unchecked: usize,
}

fn name_of(number: usize) -> Vec<u8> {
    format!("m{number}").into_bytes()
}

impl Pair {
    fn score(&self, input: &mut Input<'_>) -> f64 {
        match input.below(self.scores) {
            0 => f64::NEG_INFINITY,
            1 => f64::INFINITY,
            n => f64::from(u32::try_from(n).expect("below 65,536")) / 4.0,
        }
    }

    /// A range of the ranks there are.
    fn ranks(&self, input: &mut Input<'_>) -> Range<usize> {
        let start = input.below(65_536) % (self.oracle.len() + 1);
        let end = input.below(65_536) % (self.oracle.len() + 1);
        start.min(end)..start.max(end)
    }

    fn step(&mut self, input: &mut Input<'_>) {
        match input.below(10) {
            0..=3 => {
                let (name, score) = (input.below(self.names), self.score(input));
                self.put(name, score);
            }
            4 => {
                let (first, score) = (input.below(self.names), self.score(input));
                let count = input.below(256);
                for name in first..(first + count).min(self.names) {
                    self.put(name, score);
                }
            }
            5 => {
                let name = name_of(input.below(self.names));
                let at = self.oracle.iter().position(|(_, other)| *other == name);
                let expected = at.map(|at| self.oracle.remove(at).0);
                assert_eq!(self.set.remove(&name), expected);
            }
            6 => {
                let ranks = self.ranks(input);
                let end = ranks.end.min(ranks.start + input.below(256));
                self.set.remove_range(ranks.start..end);
                self.oracle.drain(ranks.start..end);
            }
            7 => self.walk(input),
            _ => self.look(input),
        }
    }

    fn put(&mut self, name: usize, score: f64) {
        self.work += 1;
        let name = name_of(name);
        let at = self.oracle.iter().position(|(_, other)| *other == name);
        let old = at.map(|at| self.oracle.remove(at).0);
        let updated = self.set.update(&name, Some(score), |found| {
            assert_eq!(found, old);
            Some(score)
        });
        let expected = match old {
            None => Updated::Added,
            Some(old) if old == score => Updated::Same,
            Some(_) => Updated::Changed,
        };
        assert_eq!(updated, expected);
        let is_before = |(other, member): &(f64, Vec<u8>)| {
            *other < score || (*other == score && *member < name)
        };
        let at = self.oracle.partition_point(is_before);
        self.oracle.insert(at, (score, name));
    }

    fn walk(&mut self, input: &mut Input<'_>) {
        let ranks = self.ranks(input);
        self.work += ranks.len();
        let expected =
            || self.oracle[ranks.clone()].iter().map(|(score, name)| (&name[..], *score));
        assert!(self.set.range(ranks.clone(), Direction::Forward).eq(expected()));
        assert!(self.set.range(ranks.clone(), Direction::Backward).eq(expected().rev()));
    }

    fn look(&self, input: &mut Input<'_>) {
        let name = name_of(input.below(self.names));
        let at = self.oracle.iter().position(|(_, other)| *other == name);
        assert_eq!(self.set.rank(&name), at.map(|at| (at, self.oracle[at].0)));
        let score = self.score(input);
        let before = self.oracle.partition_point(|(other, _)| *other < score);
        assert_eq!(self.set.rank_of_edge(Edge::Score(score, Side::Before)), before);
        let after = self.oracle.partition_point(|(other, _)| *other <= score);
        assert_eq!(self.set.rank_of_edge(Edge::Score(score, Side::After)), after);
    }

    fn check(&mut self) {
        self.work += self.oracle.len();
        self.unchecked = 0;
        #[cfg(fuzzing)]
        self.set.check_invariants();
        assert_eq!(self.set.len(), self.oracle.len());
        let expected = self.oracle.iter().map(|(score, name)| (&name[..], *score));
        assert!(self.set.iter().eq(expected));
    }
}
