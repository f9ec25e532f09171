//! A small fast generator of random numbers: xoshiro256** (Blackman and Vigna, 2018).
//!
//! For sampling, eviction, SPOP and the like, never for secrets. The seed is always passed in, so a
//! run can be repeated.

use super::num;

/// The state of one generator: 256 bits, never all zero.
#[derive(Clone, Debug)]
pub struct Rng([u64; 4]);

impl Rng {
    /// Stretches a seed with SplitMix64, as the authors advise; any seed is good.
    #[must_use]
    pub fn seeded(seed: u64) -> Rng {
        let mut state = seed;
        Rng(std::array::from_fn(|_| {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let z = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ z >> 31
        }))
    }

    /// 64 random bits.
    #[inline]
    pub fn next_u64(&mut self) -> u64 {
        let s = &mut self.0;
        let result = s[1].wrapping_mul(5).rotate_left(7).wrapping_mul(9);
        let t = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = s[3].rotate_left(45);
        result
    }

    /// A number in `0..n`, each as likely as the others. (Lemire 2018: a multiplication, and a
    /// division only in the rare case that may be rejected.)
    ///
    /// # Panics
    /// If `n` is 0.
    #[inline]
    pub fn below(&mut self, n: u64) -> u64 {
        assert!(n > 0, "there is no number below 0");
        let mut product = u128::from(self.next_u64()) * u128::from(n);
        if num::low_u64(product) < n {
            let unfair = n.wrapping_neg() % n;
            while num::low_u64(product) < unfair {
                product = u128::from(self.next_u64()) * u128::from(n);
            }
        }
        num::low_u64(product >> 64)
    }

    /// An index in `0..n`, each as likely as the others.
    ///
    /// # Panics
    /// If `n` is 0.
    #[inline]
    pub fn below_usize(&mut self, n: usize) -> usize {
        num::usize_of(self.below(num::u64_of(n)))
    }

    /// A number in `0.0..1.0`, a multiple of 2^-53.
    #[inline]
    pub fn next_f64(&mut self) -> f64 {
        num::ratio(self.next_u64() >> 11, 1 << 53)
    }

    /// Overwrites `bytes` with random ones.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.next_u64().to_le_bytes()[..chunk.len()]);
        }
    }

    /// Puts `items` in random order, every order as likely as the others.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below_usize(last + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first outputs of the authors' reference for the state 1, 2, 3, 4.
    #[test]
    fn outputs_are_those_of_the_reference() {
        let mut rng = Rng([1, 2, 3, 4]);
        let outputs: [u64; 4] = std::array::from_fn(|_| rng.next_u64());
        assert_eq!(outputs, [11520, 0, 1_509_978_240, 1_215_971_899_390_074_240]);
    }

    #[test]
    fn a_seed_stretches_as_splitmix64() {
        assert_eq!(Rng::seeded(0).0[0], 0xe220_a839_7b1d_cdaf);
        assert_eq!(Rng::seeded(0).0[1], 0x6e78_9e6a_a1b9_65f4);
    }

    #[test]
    fn numbers_below_a_bound_are_even_spread() {
        let mut rng = Rng::seeded(1);
        let mut counts = [0u32; 6];
        for _ in 0..60_000 {
            counts[rng.below_usize(6)] += 1;
        }
        assert!(counts.iter().all(|count| (9_600..10_400).contains(count)), "{counts:?}");
        assert_eq!(rng.below(1), 0);
        // Two thirds of 2^64: without rejection the lower half would come up twice as often.
        let bound = 0xaaaa_aaaa_aaaa_aaaa;
        let low = (0..30_000).filter(|_| rng.below(bound) < bound / 2).count();
        assert!((14_500..15_500).contains(&low), "{low}");
        let mean = (0..10_000).map(|_| rng.next_f64()).sum::<f64>() / 10_000.0;
        assert!((0.48..0.52).contains(&mean), "{mean}");
    }

    #[test]
    fn shuffling_reaches_every_order() {
        let mut rng = Rng::seeded(2);
        let mut seen = std::collections::BTreeMap::new();
        for _ in 0..2_400 {
            let mut items = [0, 1, 2, 3];
            rng.shuffle(&mut items);
            *seen.entry(items).or_insert(0) += 1;
        }
        assert_eq!(seen.len(), 24);
        assert!(seen.values().all(|count| (60..140).contains(count)), "{seen:?}");
    }

    #[test]
    fn filling_reaches_the_last_byte() {
        let mut rng = Rng::seeded(5);
        let mut touched = [0u8; 13];
        for _ in 0..10 {
            let mut bytes = [0; 13];
            rng.fill(&mut bytes);
            touched.iter_mut().zip(bytes).for_each(|(all, byte)| *all |= byte);
        }
        assert!(touched.iter().all(|&byte| byte != 0));
    }
}
