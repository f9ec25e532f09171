//! HyperLogLog against one that keeps a byte for each register.

use super::*;
use crate::base::rng::Rng;

const LEN_MAX: usize = 3000;

fn add(bytes: &mut Vec<u8>, len_max: usize, element: &[u8]) -> Changed {
    HllMut::of(bytes, len_max).expect("a HyperLogLog").add(element).expect("a sound one")
}

fn registers(bytes: &[u8]) -> Registers {
    let mut registers = [0; REGISTER_COUNT];
    let hll = Hll::of(bytes).expect("a HyperLogLog");
    hll.merge_into(&mut registers).expect("a sound one");
    registers
}

#[test]
fn an_empty_one_is_18_bytes_and_counts_nothing() {
    let bytes = empty();
    assert_eq!(bytes, b"HYLL\x01\0\0\0\0\0\0\0\0\0\0\0\x7f\xff");
    let hll = Hll::of(&bytes).expect("a HyperLogLog");
    assert_eq!((hll.cached(), hll.count(), hll.encoding()), (Some(0), Ok(0), Encoding::Sparse));
}

/// What redis-server 7.0.15 has after `PFADD h a b c d e f g` and `PFCOUNT h`.
#[test]
fn bytes_and_estimates_are_redis_s() {
    let mut bytes = empty();
    for element in [b"a", b"b", b"c", b"d", b"e", b"f", b"g"] {
        assert_eq!(add(&mut bytes, LEN_MAX, element), Changed::Yes);
        assert_eq!(add(&mut bytes, LEN_MAX, element), Changed::No);
    }
    assert_eq!(bytes[15], STALE);
    let count = Hll::of(&bytes).expect("a HyperLogLog").count().expect("a sound one");
    set_cached(&mut bytes, count);
    let expected: &[u8] =
        b"HYLL\x01\0\0\0\x07\0\0\0\0\0\0\0Fm\x80V\x0c\x80D<\x848\x80P\xb1\x84I\x8c\x80Bm\x80BZ";
    assert_eq!((bytes.escape_ascii().to_string(), count), (expected.escape_ascii().to_string(), 7));
}

#[test]
fn registers_are_those_of_a_plain_array_at_every_limit() {
    let mut rng = Rng::seeded(31);
    for len_max in [0, 17, 20, 100, 700, 3000, 40_000] {
        let mut bytes = empty();
        let mut plain = [0; REGISTER_COUNT];
        for n in 0..12_000 {
            let element = rng.next_u64().to_le_bytes();
            let (index, value) = place(&element);
            let expected = if plain[index] < value { Changed::Yes } else { Changed::No };
            plain[index] = value.max(plain[index]);
            assert_eq!(add(&mut bytes, len_max, &element), expected);
            if n % 1000 == 0 || n < 5 {
                assert!(registers(&bytes) == plain, "after {n} with {len_max}");
            }
            let hll = Hll::of(&bytes).expect("a HyperLogLog");
            assert!(hll.encoding() == Encoding::Dense || bytes.len() <= len_max.max(18));
        }
        let hll = Hll::of(&bytes).expect("a HyperLogLog");
        assert_eq!(hll.count(), Ok(count_registers(&plain)));
        assert_eq!(hll.cached(), None);
    }
}

/// Storing registers gives the bytes that raising them one by one, each from the start, gives.
#[test]
fn storing_registers_is_raising_each() {
    let mut rng = Rng::seeded(32);
    for round in 0..200 {
        let mut bytes = empty();
        let spread = [8, 64, 1000, REGISTER_COUNT][round % 4];
        let few = 1 + rng.below(4);
        let mut any = |registers: &mut Registers, count: usize| {
            for _ in 0..count {
                let value = num::low_u8(1 + rng.below(few));
                let register = &mut registers[rng.below_usize(spread)];
                *register = value.max(*register);
            }
        };
        let mut plain = [0; REGISTER_COUNT];
        any(&mut plain, 100);
        let mut first: Vec<usize> = (0..REGISTER_COUNT).filter(|&at| plain[at] > 0).collect();
        any(&mut plain, 100);
        // A sparse one whose runs came about in another order.
        first.reverse();
        for &index in &first {
            let mut hll = HllMut::of(&mut bytes, LEN_MAX).expect("a HyperLogLog");
            hll.raise(index, 1, Cursor::START).expect("a sound one");
        }
        let mut slow = bytes.clone();
        let mut hll = HllMut::of(&mut slow, LEN_MAX).expect("a HyperLogLog");
        for (index, &value) in plain.iter().enumerate().filter(|&(_, &value)| value > 0) {
            hll.raise(index, value, Cursor::START).expect("a sound one");
        }
        hll.invalidate();
        let mut hll = HllMut::of(&mut bytes, LEN_MAX).expect("a HyperLogLog");
        hll.store(&plain, Encoding::Sparse).expect("a sound one");
        assert!(bytes == slow, "round {round}");
        assert!(registers(&bytes) == plain);
    }
}

#[test]
fn estimates_are_close() {
    assert_eq!(self_test(&mut Rng::seeded(33)), Ok(()));
}

#[test]
fn headers_are_checked() {
    let sound = empty();
    for (at, byte) in [(0, b'h'), (3, 0), (4, 2), (4, 0), (4, 0xff)] {
        let mut bytes = sound.clone();
        bytes[at] = byte;
        assert!(Hll::of(&bytes).is_none(), "{at} {byte}");
    }
    assert!(Hll::of(&sound[..15]).is_none() && Hll::of(b"").is_none());
    let mut dense = sound;
    HllMut::of(&mut dense, LEN_MAX).expect("a HyperLogLog").make_dense().expect("a sound one");
    assert_eq!(dense.len(), DENSE_LEN);
    assert!(Hll::of(&dense).is_some());
    assert!(Hll::of(&dense[..DENSE_LEN - 1]).is_none());
}

#[test]
fn corrupt_bytes_are_refused_and_never_panic() {
    let mut rng = Rng::seeded(34);
    let mut sound = empty();
    for n in 0..300u32 {
        add(&mut sound, LEN_MAX, &n.to_le_bytes());
    }
    for _ in 0..3000 {
        let mut bytes = sound.clone();
        bytes.truncate(HEADER_LEN + rng.below_usize(bytes.len() - HEADER_LEN));
        for _ in 0..rng.below(3) {
            if bytes.len() > HEADER_LEN {
                let at = HEADER_LEN + rng.below_usize(bytes.len() - HEADER_LEN);
                bytes[at] = num::low_u8(rng.next_u64());
            }
        }
        let hll = Hll::of(&bytes).expect("the header is sound");
        let counted = hll.count();
        assert_eq!(hll.merge_into(&mut [0; REGISTER_COUNT]).is_ok(), counted.is_ok());
        let mut hll = HllMut::of(&mut bytes, LEN_MAX).expect("the header is sound");
        for n in 0..20u32 {
            let _either = hll.add(&rng.next_u64().to_le_bytes()[..num::usize_of_u32(n % 8)]);
        }
        let _either = hll.make_dense();
    }
}
