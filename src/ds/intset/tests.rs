//! The intset against the standard library's tree, and its bytes against Redis's.

use super::*;
use std::collections::BTreeSet;

/// The borders of the encodings, and what lies next to them.
const BORDERS: [i64; 14] = [
    0,
    -1,
    32_767,
    32_768,
    -32_768,
    -32_769,
    2_147_483_647,
    2_147_483_648,
    -2_147_483_648,
    -2_147_483_649,
    i64::MAX,
    i64::MIN,
    i64::MAX - 1,
    i64::MIN + 1,
];

fn set(values: &[i64]) -> IntSet {
    values.iter().copied().collect()
}

/// A value that meets others: near zero, near a border, or anything of up to 64 bits.
fn value(rng: &mut Rng, range: u64) -> i64 {
    match rng.below(20) {
        0 => BORDERS[rng.below_usize(BORDERS.len())],
        1 => (rng.next_u64() >> rng.below(64)).cast_signed(),
        _ => num::i64_clamped(rng.below(range)) - num::i64_clamped(range / 2),
    }
}

#[test]
fn random_operations_agree_with_a_tree() {
    for seed in 0..300 {
        let mut rng = Rng::seeded(seed);
        let (mut set, mut oracle) = (IntSet::new(), BTreeSet::new());
        let range = 1 << rng.below(18);
        for _ in 0..rng.below(600) {
            let value = value(&mut rng, range);
            match rng.below(10) {
                0..=4 => assert_eq!(set.insert(value), oracle.insert(value)),
                5..=6 => assert_eq!(set.remove(value), oracle.remove(&value)),
                7 => assert_eq!(set.contains(value), oracle.contains(&value)),
                8 if rng.below(20) == 0 => {
                    set.retain(|value| value % 3 != 0);
                    oracle.retain(|value| value % 3 != 0);
                }
                8 => {
                    let index = rng.below_usize(oracle.len() + 2);
                    let expected = oracle.iter().nth(index).copied();
                    assert_eq!(set.get(index), expected);
                    assert_eq!(set.remove_at(index), expected);
                    expected.inspect(|value| assert!(oracle.remove(value)));
                }
                _ => set = set.clone(),
            }
            set.check_invariants();
            assert!(set.iter().eq(oracle.iter().copied()), "seed {seed}");
            assert!(set.iter().rev().eq(oracle.iter().rev().copied()));
        }
    }
}

#[test]
fn every_integer_fits_whatever_was_there_before() {
    for first in BORDERS {
        for second in BORDERS {
            for third in BORDERS {
                let set = set(&[first, second, third]);
                set.check_invariants();
                let expected = BTreeSet::from([first, second, third]);
                assert!(set.iter().eq(expected.iter().copied()), "{set:?}");
                let all = BORDERS.iter().filter(|value| set.contains(**value)).count();
                assert_eq!(all, expected.len());
            }
        }
    }
}

/// What Redis 7.0.15's DUMP has between the type byte and the footer, the string's length taken off.
#[test]
fn bytes_are_redis_s() {
    for (values, bytes) in [
        (&[1, 2][..], &b"\x02\0\0\0\x02\0\0\0\x01\0\x02\0"[..]),
        (&[-5, 70_000], b"\x04\0\0\0\x02\0\0\0\xfb\xff\xff\xff\x70\x11\x01\0"),
        (&[1, 5_000_000_000], b"\x08\0\0\0\x02\0\0\0\x01\0\0\0\0\0\0\0\x00\xf2\x05\x2a\x01\0\0\0"),
    ] {
        assert_eq!(set(values).as_bytes(), bytes);
        assert_eq!(IntSet::from_bytes(bytes), Ok(set(values)));
    }
}

#[test]
fn the_encoding_never_narrows() {
    let mut set = set(&[1, i64::MAX]);
    assert!(set.remove(i64::MAX));
    assert_eq!(set.as_bytes(), b"\x08\0\0\0\x01\0\0\0\x01\0\0\0\0\0\0\0");
    set.check_invariants();
}

#[test]
fn foreign_bytes_are_told_from_sets() {
    let good = set(&[1, 2, 70_000]);
    let good = good.as_bytes();
    for len in 0..good.len() {
        let error = IntSet::from_bytes(&good[..len]).expect_err("cut off");
        match error {
            Malformed::Truncated { found } => assert!(found == len && len < HEADER_LEN),
            Malformed::WrongLength { expected: 20, found } => assert_eq!(found, len),
            other => panic!("{other}"),
        }
    }
    let malformed = |bytes: &[u8]| IntSet::from_bytes(bytes).expect_err("not a set");
    assert_eq!(
        malformed(&[good, &[0]].concat()),
        Malformed::WrongLength { expected: 20, found: 21 }
    );
    assert_eq!(malformed(b"\x03\0\0\0\0\0\0\0"), Malformed::UnknownEncoding { found: 3 });
    assert_eq!(malformed(b"\0\0\0\x02\0\0\0\0"), Malformed::UnknownEncoding { found: 1 << 25 });
    assert_eq!(malformed(b"\x02\0\0\0\0\0\0\0"), Malformed::Empty);
    let expected = 8 + 8 * u64::from(u32::MAX);
    assert_eq!(
        malformed(b"\x08\0\0\0\xff\xff\xff\xff"),
        Malformed::WrongLength { expected, found: 8 }
    );
    for (first, second) in [(1, 1), (2, 1), (0, -1), (i16::MAX, i16::MIN)] {
        let bytes = [b"\x02\0\0\0\x02\0\0\0", &first.to_le_bytes()[..], &second.to_le_bytes()];
        assert_eq!(malformed(&bytes.concat()), Malformed::OutOfOrder { index: 1 });
    }
}

#[test]
fn random_bytes_are_a_set_or_an_error() {
    let mut rng = Rng::seeded(1);
    for _ in 0..20_000 {
        let mut bytes = vec![0; rng.below_usize(40)];
        rng.fill(&mut bytes);
        for byte in bytes.iter_mut().take(HEADER_LEN) {
            // Mostly plausible headers.
            *byte = if rng.below(40) == 0 { *byte } else { 0 };
        }
        if let [encoding, _, _, _, len, ..] = bytes.as_mut_slice() {
            *encoding = [2, 4, 8, 3][rng.below_usize(4)];
            *len = num::low_u8(rng.below(8));
        }
        if let Ok(set) = IntSet::from_bytes(&bytes) {
            set.check_invariants();
            assert_eq!(set.as_bytes(), bytes);
        }
    }
}

#[test]
fn random_integers_are_evenly_spread() {
    let set: IntSet = (0..10).collect();
    let mut rng = Rng::seeded(1);
    let mut counts = [0u32; 10];
    for _ in 0..10_000 {
        let value = set.random(&mut rng).expect("there are some");
        counts[usize::try_from(value).expect("0 to 9")] += 1;
    }
    assert!(counts.iter().all(|count| (850..1150).contains(count)), "{counts:?}");
    assert_eq!(IntSet::new().random(&mut rng), None);
}

#[test]
fn a_set_is_one_word_and_its_allocation_follows_its_length() {
    assert_eq!(size_of::<Option<IntSet>>(), 8);
    let mut set = IntSet::new();
    assert_eq!(set.memory_bytes(), 16);
    (0..512).for_each(|value| assert!(set.insert(value)));
    assert_eq!(set.memory_bytes(), 1280);
    set.retain(|value| value < 4);
    assert_eq!(set.memory_bytes(), 16);
    let word = set.into_word();
    // SAFETY: the word is a set's, and ours.
    assert!(unsafe { IntSet::borrow(&word) }.contains(3));
    // SAFETY: as above, used once.
    let mut set = unsafe { IntSet::from_word(word) };
    assert!(set.insert(i64::MIN));
}
