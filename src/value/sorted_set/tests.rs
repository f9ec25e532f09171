//! Both encodings against a sorted vector.

use super::*;
use crate::base::rng::Rng;

const LIMITS: Limits = Limits { members: 40, member_len: 64, hash_key: HashKey::new(1, 2) };

type Naive = Vec<(f64, Vec<u8>)>;

fn pairs<'a>(iter: impl Iterator<Item = (Element<'a>, f64)>) -> Naive {
    iter.map(|(member, score)| (score, member.to_vec())).collect()
}

fn sort(naive: &mut Naive) {
    naive.sort_by(|a, b| a.0.total_cmp(&b.0).then_with(|| a.1.cmp(&b.1)));
}

fn same(set: &SortedSet, naive: &Naive) {
    let view = set.view();
    assert_eq!((view.len(), view.is_empty()), (naive.len(), naive.is_empty()));
    assert_eq!(&pairs(view.iter()), naive);
    let mut backward = pairs(view.range(0..naive.len(), Direction::Backward));
    backward.reverse();
    assert_eq!(&backward, naive);
}

fn step(set: &mut SortedSet, naive: &mut Naive, rng: &mut Rng, names: u64) {
    // Some are integers, some are not.
    let n = rng.below(names);
    let member = if n.is_multiple_of(2) { n.to_string() } else { format!("m{n}") }.into_bytes();
    let score =
        [0.5, 1.0, -3.25, 1e300, f64::INFINITY][rng.below_usize(5)] + num::f64_of_u64(n % 7);
    let at = naive.iter().position(|(_, other)| *other == member);
    assert_eq!(set.view().score(&member), at.map(|at| naive[at].0));
    assert_eq!(set.view().rank(&member), at.map(|at| (at, naive[at].0)));
    let (a, b) = (rng.below_usize(naive.len() + 1), rng.below_usize(naive.len() + 1));
    match rng.below(8) {
        0..=4 => {
            let updated = set.update(&member, &LIMITS, Some(score), |_| Some(score));
            match at {
                None => assert_eq!(updated, Updated::Added),
                Some(at) => {
                    let (old, _) = naive.remove(at);
                    assert_eq!(updated == Updated::Same, old == score);
                }
            }
            naive.push((score, member));
            sort(naive);
        }
        5 => assert_eq!(set.remove(&member), at.map(|at| naive.remove(at).0)),
        6 => {
            let ranks = a.min(b)..a.max(b).min(a.min(b) + 3);
            assert_eq!(
                pairs(set.view().range(ranks.clone(), Direction::Forward)),
                naive[ranks.clone()]
            );
            set.remove_range(ranks.clone());
            naive.drain(ranks);
        }
        _ => {
            for side in [Side::Before, Side::After] {
                let expected = naive.partition_point(|(other, _)| {
                    *other < score || (*other == score && side == Side::After)
                });
                assert_eq!(set.view().rank_of_edge(Edge::Score(score, side)), expected);
            }
        }
    }
}

#[test]
fn both_encodings_agree_with_a_sorted_vector() {
    for seed in 0..200 {
        let mut rng = Rng::seeded(seed);
        let (mut set, mut naive) = (SortedSet::new(1, 1, &LIMITS), Naive::new());
        let names = 1 << rng.below(8);
        for _ in 0..300 {
            step(&mut set, &mut naive, &mut rng, names);
            same(&set, &naive);
        }
        same(&set.view().duplicate(), &naive);
        let compacted = set.compacted(&LIMITS);
        assert_eq!(compacted.view().encoding() == "listpack", naive.len() <= 40);
        same(&compacted, &naive);
    }
}

#[test]
fn equal_scores_are_ordered_by_the_bytes_of_the_text() {
    let mut set = SortedSet::new(0, 0, &LIMITS);
    for member in ["b", "10", "9", "a", "-1", "", "9a"] {
        set.update(member.as_bytes(), &LIMITS, Some(1.0), |_| Some(1.0));
    }
    let members: Vec<_> = set.view().iter().map(|(member, _)| member.to_vec()).collect();
    assert_eq!(members, [&b""[..], b"-1", b"10", b"9", b"9a", b"a", b"b"]);
    let before = |member: &[u8]| set.view().rank_of_edge(Edge::Member(member, Side::Before));
    let after = |member: &[u8]| set.view().rank_of_edge(Edge::Member(member, Side::After));
    assert_eq!((before(b"9"), after(b"9"), before(b"5"), after(b"5")), (3, 4, 3, 3));
}

#[test]
fn scores_are_kept_as_redis_keeps_them_in_a_listpack() {
    let mut set = SortedSet::new(0, 0, &LIMITS);
    for (member, score) in [
        ("a", 3.0),
        ("b", 0.1),
        ("c", f64::INFINITY),
        ("d", -0.0),
        ("e", 4_611_686_018_427_387_904.0),
    ] {
        set.update(member.as_bytes(), &LIMITS, Some(score), |_| Some(score));
    }
    let SortedSet::Packed(list) = &set else { panic!("a small set") };
    let texts: Vec<_> =
        list.iter().map(|element| String::from_utf8(element.to_vec()).unwrap()).collect();
    assert_eq!(texts, ["d", "0", "b", "0.1", "a", "3", "e", "4611686018427387904", "c", "inf"]);
}
