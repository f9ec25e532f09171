//! LZF, as Redis uses it: Marc Lehmann's format of literal runs and references backwards.
//!
//! ```text
//! 000nnnnn  bytes               n + 1 bytes as they are
//! lllooooo oooooooo             l + 2 bytes (l from 1 to 6) from o + 1 bytes back
//! 111ooooo llllllll oooooooo    l + 9 bytes from o + 1 bytes back
//! ```
//! Why an encoder of our own: that of the `lzf` crate clears a table of 512 KiB for each call, which
//! takes longer than to compress what is compressed here.

use crate::base::num;

const HASH_BITS: u32 = 13;
const LITERALS_MAX: usize = 32;
const DISTANCE_MAX: usize = 1 << 13;
const MATCH_MIN: usize = 3;
const MATCH_MAX: usize = 264;
/// Longest match whose length fits in the first byte.
const SHORT_MATCH_MAX: usize = 8;

/// The compressed form of `input`, if it has at most `len_max` bytes. O(bytes).
#[must_use]
pub fn compress(input: &[u8], len_max: usize) -> Option<Vec<u8>> {
    // Positions, plus one, at which three bytes of a hash were seen last.
    let mut seen = [0u32; 1 << HASH_BITS];
    let mut out = Vec::with_capacity(len_max.min(input.len()));
    let (mut at, mut literals_from) = (0, 0);
    while let Some(next) = input[at..].first_chunk() {
        let bucket = &mut seen[hash(*next)];
        let earlier = num::usize_of_u32(*bucket).checked_sub(1);
        *bucket = num::u32_of(at + 1, "what is compressed is shorter than 4 GiB");
        let len = match earlier {
            Some(earlier) if at - earlier <= DISTANCE_MAX => common(input, earlier, at),
            Some(_) | None => 0,
        };
        if len < MATCH_MIN {
            at += 1;
            continue;
        }
        put_literals(&mut out, &input[literals_from..at]);
        put_match(&mut out, at - earlier.expect("a match has a place"), len);
        at += len;
        literals_from = at;
        if out.len() > len_max {
            return None;
        }
    }
    put_literals(&mut out, &input[literals_from..]);
    (out.len() <= len_max).then_some(out)
}

/// The bytes of which `input` is the compressed form; `None` if it is that of no `len` bytes.
#[must_use]
pub fn decompress(input: &[u8], len: usize) -> Option<Vec<u8>> {
    let bytes = lzf::decompress(input, len).ok()?;
    (bytes.len() == len).then_some(bytes)
}

fn hash(bytes: [u8; MATCH_MIN]) -> usize {
    let [a, b, c] = bytes;
    let bits = u32::from_le_bytes([a, b, c, 0]).wrapping_mul(0x9e37_79b1);
    num::usize_of_u32(bits >> (u32::BITS - HASH_BITS))
}

/// How many bytes from two places on are the same, at most as many as one reference can say.
fn common(input: &[u8], earlier: usize, at: usize) -> usize {
    let pairs = input[earlier..].iter().zip(&input[at..]).take(MATCH_MAX);
    pairs.take_while(|(old, new)| old == new).count()
}

fn put_literals(out: &mut Vec<u8>, literals: &[u8]) {
    for run in literals.chunks(LITERALS_MAX) {
        out.push(num::u8_of(run.len() - 1, "a run has at most 32 bytes"));
        out.extend_from_slice(run);
    }
}

fn put_match(out: &mut Vec<u8>, distance: usize, len: usize) {
    let [low, high, ..] = num::u64_of(distance - 1).to_le_bytes();
    if len <= SHORT_MATCH_MAX {
        out.push(num::u8_of(len - 2, "1 to 6") << 5 | high);
    } else {
        out.push(7 << 5 | high);
        out.push(num::u8_of(len - SHORT_MATCH_MAX - 1, "a match has at most 264 bytes"));
    }
    out.push(low);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::Rng;

    #[track_caller]
    fn check(input: &[u8]) -> usize {
        let packed = compress(input, usize::MAX / 2).expect("no limit");
        if !input.is_empty() {
            assert_eq!(decompress(&packed, input.len()).as_deref(), Some(input));
            assert_eq!(compress(input, packed.len()).as_ref(), Some(&packed));
            assert_eq!(compress(input, packed.len() - 1), None);
        }
        packed.len()
    }

    #[test]
    fn bytes_come_back() {
        for len in [0, 1, 2, 3, 4, 31, 32, 33, 64, 263, 264, 265, 10_000] {
            let packed = check(&vec![b'x'; len]);
            assert!(len < 10 || packed < 6 + len / 80, "{packed} of {len}");
        }
        let mut rng = Rng::seeded(1);
        for _ in 0..300 {
            let (len, alphabet) = (rng.below_usize(20_000), 1 + rng.below(20));
            let input: Vec<u8> =
                (0..len).map(|_| b'a' + num::low_u8(rng.below(alphabet))).collect();
            check(&input);
        }
        let mut noise = vec![0; 9000];
        rng.fill(&mut noise);
        assert!(check(&noise) < 9300);
        // The same again, just within and just beyond reach.
        for distance in [DISTANCE_MAX, DISTANCE_MAX + 1] {
            let twice = [&noise[..distance], &noise[..500]].concat();
            let packed = check(&twice);
            assert_eq!(packed < distance + 400, distance == DISTANCE_MAX);
        }
    }

    #[test]
    fn what_is_no_compressed_form_is_refused() {
        assert_eq!(decompress(&[0x20, 0x00], 3), None);
        assert_eq!(decompress(&[0x05, b'a'], 6), None);
        assert_eq!(decompress(&[0x00, b'a'], 2), None);
        assert_eq!(decompress(&[0x00, b'a'], 0), None);
    }
}
