//! A keyed hash of byte strings: SipHash-1-2 (Aumasson and Bernstein, 2012).
//!
//! Clients choose the keys of every dictionary here, so the hash must keep its collisions secret:
//! each process draws a random [`HashKey`], and without it nobody can aim keys at one bucket. One
//! compression and two finalization rounds are what Redis runs as well: far from a MAC, but no
//! way is known to find collisions through a server's answers, and short keys stay cheap (three
//! compressions for a key of 16 bytes).
//!
//! Input is read in 8-byte little-endian words; the last word holds the 0 to 7 bytes left over and,
//! on top, the low byte of the length.

use super::num;

/// The secret under which a process hashes: 128 random bits.
#[derive(Clone, Copy)]
pub struct HashKey([u64; 2]);

impl HashKey {
    /// A key of two words, which the caller draws at random.
    #[must_use]
    pub const fn new(a: u64, b: u64) -> HashKey {
        HashKey([a, b])
    }

    /// The hash of `bytes` under this key. O(length), 8 bytes a step.
    #[inline]
    #[must_use]
    pub fn hash(&self, bytes: &[u8]) -> u64 {
        sip::<1, 2>(self.0, bytes)
    }
}

/// Never prints the secret.
impl std::fmt::Debug for HashKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HashKey(..)")
    }
}

/// SipHash with `C` rounds for each word and `D` to finish.
#[inline]
fn sip<const C: usize, const D: usize>(key: [u64; 2], bytes: &[u8]) -> u64 {
    // The constants spell "somepseudorandomlygeneratedbytes".
    let mut v = [
        key[0] ^ 0x736f_6d65_7073_6575,
        key[1] ^ 0x646f_7261_6e64_6f6d,
        key[0] ^ 0x6c79_6765_6e65_7261,
        key[1] ^ 0x7465_6462_7974_6573,
    ];
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        absorb::<C>(&mut v, u64::from_le_bytes(*word));
    }
    let tail = match bytes.last_chunk::<8>() {
        // The last 8 bytes end with the rest: shift the others out, in two steps because a shift by
        // 64 is not defined.
        Some(last) => (u64::from_le_bytes(*last) >> 8) >> (8 * (7 - rest.len())),
        None => short_word(rest),
    };
    absorb::<C>(&mut v, num::u64_of(bytes.len()) << 56 | tail);
    v[2] ^= 0xff;
    for _ in 0..D {
        round(&mut v);
    }
    v[0] ^ v[1] ^ v[2] ^ v[3]
}

#[inline(always)]
fn absorb<const C: usize>(v: &mut [u64; 4], word: u64) {
    v[3] ^= word;
    for _ in 0..C {
        round(v);
    }
    v[0] ^= word;
}

#[inline(always)]
fn round(v: &mut [u64; 4]) {
    v[0] = v[0].wrapping_add(v[1]);
    v[2] = v[2].wrapping_add(v[3]);
    v[1] = v[1].rotate_left(13) ^ v[0];
    v[3] = v[3].rotate_left(16) ^ v[2];
    v[0] = v[0].rotate_left(32);
    v[2] = v[2].wrapping_add(v[1]);
    v[0] = v[0].wrapping_add(v[3]);
    v[1] = v[1].rotate_left(17) ^ v[2];
    v[3] = v[3].rotate_left(21) ^ v[0];
    v[2] = v[2].rotate_left(32);
}

/// Up to 7 bytes as a little-endian word, by loads that may overlap (they agree where they do).
#[inline(always)]
fn short_word(bytes: &[u8]) -> u64 {
    let len = bytes.len();
    if let (Some(low), Some(high)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        let high = u64::from(u32::from_le_bytes(*high)) << (8 * (len - 4));
        return u64::from(u32::from_le_bytes(*low)) | high;
    }
    if len == 0 {
        return 0;
    }
    let middle = len / 2;
    u64::from(bytes[0])
        | u64::from(bytes[middle]) << (8 * middle)
        | u64::from(bytes[len - 1]) << (8 * (len - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key of the paper's test vectors: bytes 00, 01 .. 0f.
    const PAPER: [u64; 2] = [0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908];

    fn counting(len: u8) -> Vec<u8> {
        (0..len).collect()
    }

    #[test]
    fn two_and_four_rounds_give_the_published_vectors() {
        let vectors = [
            (0, 0x726f_db47_dd0e_0e31),
            (1, 0x74f8_39c5_93dc_67fd),
            (7, 0xab02_00f5_8b01_d137),
            (8, 0x93f5_f579_9a93_2462),
            (15, 0xa129_ca61_49be_45e5),
            (63, 0x958a_324c_eb06_4572),
        ];
        for (len, expected) in vectors {
            assert_eq!(sip::<2, 4>(PAPER, &counting(len)), expected, "{len} bytes");
        }
    }

    /// Computed by a separate big-integer implementation written from the paper.
    #[test]
    fn one_and_two_rounds_agree_with_another_implementation() {
        let vectors = [
            (0, 0xcea2_8b51_565c_12e2),
            (1, 0x94aa_f38c_34ce_7ba6),
            (3, 0x1c0d_2552_29c3_364c),
            (4, 0x8be7_847a_474d_fdf5),
            (7, 0xf03c_4cbc_f492_b05a),
            (8, 0x6068_45b4_d093_af74),
            (9, 0xe304_e782_71c7_4a56),
            (12, 0xa437_7b74_fbbf_e0da),
            (15, 0xec8f_61bc_1c89_66a6),
            (16, 0x1311_f4df_e747_a751),
            (20, 0xe424_7448_e02a_a65a),
            (63, 0xff6d_07af_acba_d6d9),
        ];
        let key = HashKey::new(PAPER[0], PAPER[1]);
        for (len, expected) in vectors {
            assert_eq!(key.hash(&counting(len)), expected, "{len} bytes");
        }
        let folded = (0..=255).fold(0u64, |sum, len| sum.rotate_left(1) ^ key.hash(&counting(len)));
        assert_eq!(folded, 0xe340_b13e_6f75_c47a);
    }

    #[test]
    fn every_length_agrees_with_the_standard_library() {
        use std::hash::Hasher;
        let mut bytes = Vec::new();
        let mut seed = 1u64;
        for _ in 0..600 {
            #[expect(deprecated, reason = "the only SipHash-2-4 of the standard library")]
            let mut oracle = std::hash::SipHasher::new_with_keys(seed, !seed);
            oracle.write(&bytes);
            assert_eq!(sip::<2, 4>([seed, !seed], &bytes), oracle.finish());
            seed = seed.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
            bytes.push(seed.to_le_bytes()[7]);
        }
    }

    #[test]
    fn the_key_changes_the_hash_and_is_never_printed() {
        assert_ne!(HashKey::new(1, 2).hash(b"key"), HashKey::new(2, 1).hash(b"key"));
        assert_eq!(format!("{:?}", HashKey::new(1, 2)), "HashKey(..)");
    }
}
