//! Several byte strings combined bit by bit into one.
//!
//! The result is made piece by piece in a buffer that stays in the fastest cache, so that every source
//! is read once and the result written once.

/// How bits of several strings, at the same place, become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Combine {
    /// Set in all.
    And,
    /// Set in any.
    Or,
    /// Set in an odd number.
    Xor,
    /// Not set in the first, which is the only one.
    Not,
    /// Set in the first and in no other.
    Diff,
    /// Set in another but not in the first.
    Diff1,
    /// Set in the first and in another.
    AndOr,
    /// Set in exactly one.
    One,
}

const PIECE_BYTES: usize = 4096;

/// The strings combined; as long as the longest of them, the others continued by zeros. O(all bytes).
#[must_use]
pub fn combine(how: Combine, sources: &[&[u8]]) -> Vec<u8> {
    let len = sources.iter().map(|source| source.len()).max().unwrap_or(0);
    let mut result = Vec::with_capacity(len);
    let mut buffer = [0; PIECE_BYTES];
    for start in (0..len).step_by(PIECE_BYTES) {
        let piece = &mut buffer[..PIECE_BYTES.min(len - start)];
        let parts = sources.iter().map(|source| {
            let end = source.len().min(start + PIECE_BYTES);
            source.get(start..end).unwrap_or_default()
        });
        fill(how, piece, parts);
        result.extend_from_slice(piece);
    }
    result
}

/// Fills a piece from the parts of the sources that belong there.
fn fill<'a>(how: Combine, piece: &mut [u8], mut parts: impl Iterator<Item = &'a [u8]>) {
    let first = parts.next().unwrap_or_default();
    match how {
        Combine::And | Combine::Or | Combine::Xor | Combine::Not => put(piece, first),
        Combine::Diff | Combine::Diff1 | Combine::AndOr | Combine::One => piece.fill(0),
    }
    match how {
        Combine::And => parts.for_each(|part| and(piece, part)),
        Combine::Or => parts.for_each(|part| or(piece, part)),
        Combine::Xor => parts.for_each(|part| each(piece, part, |own, other| own ^ other)),
        Combine::Not => piece.iter_mut().for_each(|byte| *byte = !*byte),
        Combine::Diff => {
            parts.for_each(|part| or(piece, part));
            piece.iter_mut().for_each(|byte| *byte = !*byte);
            and(piece, first);
        }
        Combine::Diff1 => {
            parts.for_each(|part| or(piece, part));
            each(piece, first, |own, other| own & !other);
        }
        Combine::AndOr => {
            parts.for_each(|part| or(piece, part));
            and(piece, first);
        }
        Combine::One => {
            let mut twice = [0; PIECE_BYTES];
            put(piece, first);
            parts.for_each(|part| once_more(piece, &mut twice, part));
            each(piece, &twice, |own, other| own & !other);
        }
    }
}

/// The part itself, continued by zeros.
fn put(piece: &mut [u8], part: &[u8]) {
    piece[..part.len()].copy_from_slice(part);
    piece[part.len()..].fill(0);
}

fn and(piece: &mut [u8], part: &[u8]) {
    each(piece, part, |own, other| own & other);
    piece[part.len()..].fill(0);
}

fn or(piece: &mut [u8], part: &[u8]) {
    each(piece, part, |own, other| own | other);
}

#[inline(always)]
fn each(piece: &mut [u8], part: &[u8], operation: impl Fn(u8, u8) -> u8) {
    for (own, &other) in piece.iter_mut().zip(part) {
        *own = operation(*own, other);
    }
}

/// Adds a part to the bits that were seen in `any`, and to those seen more than once in `twice`.
fn once_more(any: &mut [u8], twice: &mut [u8], part: &[u8]) {
    for ((any, twice), &byte) in any.iter_mut().zip(twice).zip(part) {
        *twice |= *any & byte;
        *any |= byte;
    }
}

#[cfg(test)]
mod tests {
    use super::super::{len_of, place};
    use super::*;
    use crate::base::rng::Rng;

    const ALL: [Combine; 8] = [
        Combine::And,
        Combine::Or,
        Combine::Xor,
        Combine::Not,
        Combine::Diff,
        Combine::Diff1,
        Combine::AndOr,
        Combine::One,
    ];

    /// The definitions, bit by bit.
    fn naive(how: Combine, sources: &[&[u8]]) -> Vec<u8> {
        let len = sources.iter().map(|source| source.len()).max().unwrap_or(0);
        let mut result = vec![0; len];
        for bit in 0..len_of(&result) {
            let (byte, mask) = place(bit);
            let bits: Vec<bool> = sources
                .iter()
                .map(|source| source.get(byte).is_some_and(|byte| byte & mask != 0))
                .collect();
            let (first, others) = (bits[0], bits[1..].contains(&true));
            let count = bits.iter().filter(|&&bit| bit).count();
            let set = match how {
                Combine::And => count == bits.len(),
                Combine::Or => count > 0,
                Combine::Xor => count % 2 == 1,
                Combine::Not => !first,
                Combine::Diff => first && !others,
                Combine::Diff1 => !first && others,
                Combine::AndOr => first && others,
                Combine::One => count == 1,
            };
            if set {
                result[byte] |= mask;
            }
        }
        result
    }

    #[test]
    fn results_are_those_of_the_definitions() {
        let mut rng = Rng::seeded(13);
        for round in 0..160 {
            let how = ALL[round % ALL.len()];
            let count = if how == Combine::Not { 1 } else { 1 + rng.below_usize(5) };
            let len_max = if round < 80 { 40 } else { 3 * PIECE_BYTES };
            let sources: Vec<Vec<u8>> = (0..count)
                .map(|_| {
                    let mut bytes = vec![0; rng.below_usize(len_max)];
                    rng.fill(&mut bytes);
                    bytes
                })
                .collect();
            let sources: Vec<&[u8]> = sources.iter().map(Vec::as_slice).collect();
            assert!(combine(how, &sources) == naive(how, &sources), "{how:?} of {count}");
        }
    }

    #[test]
    fn nothing_combined_is_nothing() {
        for how in ALL {
            assert!(combine(how, &[b""]).is_empty());
            assert!(combine(how, &[b"", b""]).is_empty());
        }
    }
}
