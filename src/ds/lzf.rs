//! LZF, as Redis uses it: Marc Lehmann's format of literal runs and references backwards.
//!
//! ```text
//! 000nnnnn  bytes               n + 1 bytes as they are
//! lllooooo oooooooo             l + 2 bytes (l from 1 to 6) from o + 1 bytes back
//! 111ooooo llllllll oooooooo    l + 9 bytes from o + 1 bytes back
//! ```
//! Why an encoder of our own: that of the `lzf` crate clears a table of 512 KiB for each call, which
//! takes longer than to compress what is compressed here.

#![expect(unsafe_code, reason = "the encoder reads at places it has checked once")]

use crate::base::num;

const HASH_BITS_MAX: u32 = 13;
const HASHES: usize = 1 << HASH_BITS_MAX;
/// Short inputs use only the beginning of the table, which then stays in the cache.
const HASH_BITS_MIN: u32 = 7;
const LITERALS_MAX: usize = 32;
const DISTANCE_MAX: usize = 1 << 13;
const MATCH_MIN: usize = 3;
const MATCH_MAX: usize = 264;
/// Longest match whose length fits in the first byte.
const SHORT_MATCH_MAX: usize = 8;
/// Of four bytes as a number, those of a match's beginning: the low bits.
const MATCH_BITS: u32 = 24;
/// After 2 to the power of this many places without a match, one more place is passed over each time:
/// bytes that do not compress are not worth the time.
const PATIENCE_BITS: u32 = 6;

/// Compresses, with a table that serves for one input after another.
///
/// Each entry of the table is the place at which bytes of a hash were seen last, counted from `base` on.
/// The base moves past each input, so what earlier ones left is below it, and nothing has to be cleared:
/// it counts as the first place, like entries that are new.
#[derive(Debug)]
pub struct Encoder {
    seen: Box<[u32; HASHES]>,
    base: u32,
    out: Vec<u8>,
}

impl Default for Encoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Encoder {
    /// Ready to compress. Allocates 32 KiB.
    #[must_use]
    pub fn new() -> Self {
        Self { seen: Box::new([0; HASHES]), base: 1, out: Vec::new() }
    }

    /// The compressed form of `input`, if it has at most `len_max` bytes. O(bytes).
    #[must_use]
    pub fn compress(&mut self, input: &[u8], len_max: usize) -> Option<&[u8]> {
        let len = u32::try_from(input.len()).ok().filter(|len| *len < u32::MAX)?;
        let end = self.base.checked_add(len).unwrap_or_else(|| {
            self.seen.fill(0);
            self.base = 1;
            1 + len
        });
        self.out.clear();
        self.out.reserve(len_max.min(input.len()) + MATCH_MIN);
        let fits = encode(&mut self.seen, self.base, input, len_max, &mut self.out);
        self.base = end;
        fits.then_some(&*self.out)
    }

    /// Gives memory back that only long inputs need.
    pub fn shrink(&mut self, len: usize) {
        self.out.clear();
        self.out.shrink_to(len);
    }
}

/// The compressed form of `input`, if it has at most `len_max` bytes. O(bytes). For many inputs, or short
/// ones, there is [`Encoder`].
#[must_use]
pub fn compress(input: &[u8], len_max: usize) -> Option<Vec<u8>> {
    if input.len() >= num::usize_of_u32(u32::MAX) {
        return None;
    }
    let mut out = Vec::with_capacity(len_max.min(input.len()));
    encode(&mut [0; HASHES], 1, input, len_max, &mut out).then_some(out)
}

/// The bytes of which `input` is the compressed form; `None` if it is that of no `len` bytes.
#[must_use]
pub fn decompress(input: &[u8], len: usize) -> Option<Vec<u8>> {
    let bytes = lzf::decompress(input, len).ok()?;
    (bytes.len() == len).then_some(bytes)
}

/// Appends the compressed form to `out`; false, with some of it appended, if it has more than `len_max`
/// bytes.
fn encode(
    seen: &mut [u32; HASHES],
    base: u32,
    input: &[u8],
    len_max: usize,
    out: &mut Vec<u8>,
) -> bool {
    let hash_bits = (input.len().max(1).ilog2() + 1).clamp(HASH_BITS_MIN, HASH_BITS_MAX);
    let places = Places { seen, base, input, shift: u32::BITS - hash_bits };
    if input.len() <= DISTANCE_MAX {
        encode_within::<{ usize::MAX }>(places, len_max, out)
    } else {
        encode_within::<DISTANCE_MAX>(places, len_max, out)
    }
}

/// As [`encode`], of an input in which no two places are farther than `REACH` from one another, or with
/// references of that distance at most.
fn encode_within<const REACH: usize>(
    mut places: Places<'_>,
    len_max: usize,
    out: &mut Vec<u8>,
) -> bool {
    let input = places.input;
    let (mut at, mut literals_from) = (1, 0);
    if let Some(end) = input.len().checked_sub(size_of::<u32>()) {
        places.visit_first();
        while at <= end {
            let (earlier, same) = places.visit(at);
            // All is computed before anything is decided: of bytes that do not compress, nobody can
            // foretell which were seen before, and each wrong guess of the processor takes longer than
            // to compare some for nothing.
            if same & (at - earlier <= REACH) {
                put_literals(out, &input[literals_from..at]);
                let len = MATCH_MIN + common(input, earlier, at);
                put_match(out, at - earlier, len);
                at += len;
                literals_from = at;
                if out.len() > len_max {
                    return false;
                }
            } else {
                at += 1 + ((at - literals_from) >> PATIENCE_BITS);
            }
        }
    }
    put_literals(out, &input[literals_from..]);
    out.len() <= len_max
}

/// Where the bytes of each hash were seen last.
///
/// Invariant: what `seen` has of this input, which is `base` and more, are places that were visited; those
/// are visited in ascending order, each with four bytes at it.
struct Places<'a> {
    seen: &'a mut [u32; HASHES],
    base: u32,
    input: &'a [u8],
    /// At least `u32::BITS - HASH_BITS_MAX`.
    shift: u32,
}

impl Places<'_> {
    /// Notes the first place, where there are four bytes.
    fn visit_first(&mut self) {
        if let Some(bytes) = self.input.first_chunk() {
            self.seen[hash(u32::from_le_bytes(*bytes), self.shift)] = self.base;
        }
    }

    /// Notes place `at`, which is no first one; gives the place before it that has its hash, or the first
    /// one, and whether it has the same three bytes.
    #[inline]
    fn visit(&mut self, at: usize) -> (usize, bool) {
        debug_assert!(at > 0 && at + size_of::<u32>() <= self.input.len());
        // SAFETY: the caller, `encode_within`, goes up to the last place that has four bytes.
        let next = unsafe { self.word(at) };
        let here = self.base + num::low_u32(num::u64_of(at));
        let old = std::mem::replace(&mut self.seen[hash(next, self.shift)], here);
        let earlier = num::usize_of_u32(old.max(self.base) - self.base);
        debug_assert!(earlier < at);
        // SAFETY: by the invariant it is a place visited before, or the first one, below `at`.
        let found = unsafe { self.word(earlier) };
        (earlier, (next ^ found) << (u32::BITS - MATCH_BITS) == 0)
    }

    /// The four bytes at a place.
    ///
    /// # Safety
    /// There are so many.
    #[inline]
    unsafe fn word(&self, at: usize) -> u32 {
        // SAFETY: the caller upholds it; the bytes need no alignment.
        let bytes = unsafe { self.input.as_ptr().add(at).cast::<[u8; 4]>().read() };
        u32::from_le_bytes(bytes)
    }
}

/// Of the three bytes of a match, which are the lower ones.
#[inline]
fn hash(next: u32, shift: u32) -> usize {
    let bits = (next << (u32::BITS - MATCH_BITS)).wrapping_mul(0x9e37_79b1) >> shift;
    num::usize_of_u32(bits) & (HASHES - 1)
}

/// How many bytes behind the first three at two places are the same, as far as one reference can say.
#[inline]
fn common(input: &[u8], earlier: usize, at: usize) -> usize {
    let (old, new) = (&input[earlier + MATCH_MIN..], &input[at + MATCH_MIN..]);
    let max = new.len().min(MATCH_MAX - MATCH_MIN);
    let (old, new) = (&old[..max], &new[..max]);
    let words = old.chunks_exact(8).zip(new.chunks_exact(8));
    let mut len = 0;
    for (old, new) in words {
        let differ = word(old) ^ word(new);
        if differ != 0 {
            return len + num::usize_of_u32(differ.trailing_zeros() / 8);
        }
        len += 8;
    }
    len + old[len..].iter().zip(&new[len..]).take_while(|(old, new)| old == new).count()
}

#[inline]
fn word(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(*bytes.first_chunk().expect("chunks of eight bytes"))
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

    /// What earlier inputs left in the table neither helps nor hurts.
    #[test]
    fn one_encoder_serves_many_inputs() {
        let mut rng = Rng::seeded(2);
        let mut encoder = Encoder::new();
        for round in 0..2000 {
            if round % 500 == 499 {
                encoder.base = u32::MAX - 1000;
            }
            let (len, alphabet) = (rng.below_usize(700), 1 + rng.below(9));
            let input: Vec<u8> =
                (0..len).map(|_| b'a' + num::low_u8(rng.below(alphabet))).collect();
            let limit = rng.below_usize(len + 20);
            let packed = encoder.compress(&input, limit).map(<[u8]>::to_vec);
            assert_eq!(packed, compress(&input, limit), "input {round}");
            if let Some(packed) = packed.filter(|packed| !packed.is_empty()) {
                assert!(packed.len() <= limit);
                assert_eq!(decompress(&packed, len), Some(input));
            }
            encoder.shrink(100);
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
