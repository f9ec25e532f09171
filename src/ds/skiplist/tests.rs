//! The set against a sorted vector.

use super::*;
use crate::base::num;

fn empty() -> ScoredSet {
    ScoredSet::new(HashKey::new(3, 4))
}

fn member(n: usize) -> Vec<u8> {
    format!("member:{n:07}").into_bytes()
}

/// The naive set: sorted pairs.
#[derive(Default)]
struct Oracle(Vec<(f64, Vec<u8>)>);

impl Oracle {
    fn set(&mut self, member: &[u8], score: f64) -> Updated {
        let updated = match self.remove(member) {
            Some(old) if old == score => Updated::Same,
            Some(_) => Updated::Changed,
            None => Updated::Added,
        };
        let at = self.0.partition_point(|(s, m)| *s < score || (*s == score && &m[..] < member));
        self.0.insert(at, (score, member.to_vec()));
        updated
    }

    fn remove(&mut self, member: &[u8]) -> Option<f64> {
        let at = self.0.iter().position(|(_, m)| m == member)?;
        Some(self.0.remove(at).0)
    }
}

fn same(set: &ScoredSet, oracle: &Oracle) {
    set.check_invariants();
    assert!(set.iter().eq(oracle.0.iter().map(|(score, member)| (&member[..], *score))));
}

/// Scores of few values, of many, and ends.
fn score(rng: &mut Rng, kinds: u64) -> f64 {
    match rng.below(40) {
        0 => f64::INFINITY,
        1 => f64::NEG_INFINITY,
        2 => -0.0,
        _ => num::f64_of_u64(rng.below(kinds)) / 4.0,
    }
}

fn step(set: &mut ScoredSet, oracle: &mut Oracle, rng: &mut Rng, range: usize, kinds: u64) {
    let name = member(rng.below_usize(range));
    let len = oracle.0.len();
    let (a, b) = (rng.below_usize(len + 1), rng.below_usize(len + 1));
    let ranks = a.min(b)..a.max(b);
    match rng.below(16) {
        0..=7 => {
            let score = score(rng, kinds);
            assert_eq!(set.update(&name, Some(score), |_| Some(score)), oracle.set(&name, score));
        }
        8..=10 => assert_eq!(set.remove(&name), oracle.remove(&name)),
        11 => {
            let expected = oracle.0.iter().position(|(_, m)| *m == name);
            assert_eq!(set.rank(&name).map(|(rank, _)| rank), expected);
        }
        12 => {
            let forward: Vec<_> = set.range(ranks.clone(), Direction::Forward).collect();
            let mut backward: Vec<_> = set.range(ranks.clone(), Direction::Backward).collect();
            backward.reverse();
            assert_eq!(forward, backward);
            assert!(forward.into_iter().eq(oracle.0[ranks].iter().map(|(s, m)| (&m[..], *s))));
        }
        13 => {
            let score = score(rng, kinds);
            let before = set.rank_of_edge(Edge::Score(score, Side::Before));
            let after = set.rank_of_edge(Edge::Score(score, Side::After));
            assert_eq!(before, oracle.0.partition_point(|(s, _)| *s < score));
            assert_eq!(after, oracle.0.partition_point(|(s, _)| *s <= score));
        }
        14 => {
            if len > 0 {
                let end = if rng.below(2) == 0 { 0 } else { len - 1 };
                set.remove_range(end..end + 1);
                oracle.0.remove(end);
            }
        }
        _ if rng.below(20) == 0 => {
            set.remove_range(ranks.clone());
            oracle.0.drain(ranks);
        }
        _ => {
            let few = ranks.start..ranks.end.min(ranks.start + 5);
            set.remove_range(few.clone());
            oracle.0.drain(few);
        }
    }
}

#[test]
fn random_operations_agree_with_a_sorted_vector() {
    for seed in 0..150 {
        let mut rng = Rng::seeded(seed);
        let (mut set, mut oracle) = (empty(), Oracle::default());
        let range = 1 << rng.below_usize(12);
        let kinds = 1 << rng.below(14);
        for round in 0..rng.below_usize(3000) {
            step(&mut set, &mut oracle, &mut rng, range, kinds);
            if round % 128 == 0 {
                same(&set, &oracle);
            }
        }
        same(&set, &oracle);
    }
}

#[test]
fn members_of_equal_scores_are_found_by_their_bytes() {
    let mut set = empty();
    for n in (0..2000).step_by(2) {
        set.update(&member(n), Some(1.0), |_| Some(1.0));
    }
    for n in 0..2000 {
        let before = set.rank_of_edge(Edge::Member(&member(n), Side::Before));
        let after = set.rank_of_edge(Edge::Member(&member(n), Side::After));
        assert_eq!((before, after), (n.div_ceil(2), n / 2 + 1));
    }
}

#[test]
fn an_empty_set_answers_and_fills_again() {
    let mut set = empty();
    for round in 0..3 {
        assert_eq!(set.len(), 0);
        assert_eq!(set.rank_of_edge(Edge::Score(0.0, Side::After)), 0);
        assert_eq!((set.iter().count(), set.score(b"x"), set.rank(b"x")), (0, None, None));
        set.remove_range(0..0);
        assert_eq!(set.update(b"x", Some(1.0), |_| None), Updated::Declined);
        for n in 0..500 {
            set.update(&member(n), Some(num::f64_of_usize(n)), |_| Some(num::f64_of_usize(n)));
        }
        set.check_invariants();
        match round {
            0 => set.remove_range(0..500),
            1 => (0..500).for_each(|n| assert!(set.remove(&member(499 - n)).is_some())),
            _ => (0..500).for_each(|n| set.remove_range(499 - n..500 - n)),
        }
        set.check_invariants();
    }
}

/// Bytes of nodes for each member after inserting scores in this order.
fn node_bytes(scores: impl Iterator<Item = f64>) -> f64 {
    let mut set = empty();
    for (n, score) in scores.enumerate() {
        set.update(&member(n), Some(score), |_| Some(score));
    }
    set.list.check_invariants();
    num::f64_of_usize(set.list.memory_bytes()) / num::f64_of_usize(set.len())
}

#[test]
fn nodes_are_well_filled() {
    // So many that there are nodes of several heights, which differ in room.
    const N: usize = 200_000;
    let mut rng = Rng::seeded(1);
    let random = node_bytes((0..N).map(|_| num::f64_of_u64(rng.below(1 << 40))));
    assert!(random < 22.0, "{random}");
    let ascending = node_bytes((0..N).map(num::f64_of_usize));
    assert!(ascending < 17.6, "{ascending}");
    let descending = node_bytes((0..N).map(|n| -num::f64_of_usize(n)));
    assert!(descending < 17.6, "{descending}");
}

#[test]
fn removing_most_members_gives_most_memory_back() {
    let mut set = empty();
    let mut rng = Rng::seeded(1);
    for n in 0..20_000 {
        set.update(&member(n), None, |_| Some(rng.next_f64()));
    }
    let full = set.list.memory_bytes();
    for n in 0..18_000 {
        set.remove(&member(n));
    }
    set.check_invariants();
    assert!(set.list.memory_bytes() < full / 4, "{} of {full}", set.list.memory_bytes());
}

#[test]
fn a_score_that_keeps_the_order_changes_in_place() {
    let mut set = empty();
    for n in 0..1000 {
        set.update(&member(n), Some(num::f64_of_usize(n)), |_| Some(num::f64_of_usize(n)));
    }
    for n in 0..1000 {
        let score = num::f64_of_usize(n) + 0.5;
        assert_eq!(set.update(&member(n), Some(score), |_| Some(score)), Updated::Changed);
        assert_eq!(set.update(&member(n), None, |_| None), Updated::Declined);
        assert_eq!(set.rank(&member(n)), Some((n, score)));
    }
    set.check_invariants();
}

#[test]
fn random_insertion_keeps_what_it_promises_under_every_secret() {
    for seed in 0..400 {
        let mut rng = Rng::seeded(seed);
        let mut set = ScoredSet::new(HashKey::new(seed, 7));
        let range = [10, 1000, 1 << 40][rng.below_usize(3)];
        for n in 0..200 + rng.below(2500) {
            let score = num::f64_of_u64(rng.below(range));
            let name = format!("m{}", rng.below(if n % 2 == 0 { 5000 } else { 50 }));
            if rng.below(5) == 0 {
                set.remove(name.as_bytes());
            } else {
                set.update(name.as_bytes(), Some(score), |_| Some(score));
            }
        }
        set.check_invariants();
    }
}
