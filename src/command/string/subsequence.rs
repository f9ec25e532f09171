//! The longest common subsequence of two byte strings.
//!
//! The classic table has, for a row and a column, the length L of the longest common subsequence of the
//! first `row` bytes of one string and the first `column` bytes of the other. Along a row it rises by
//! one or not at all, so a row is kept as one bit a column, and 64 columns of it follow from the row
//! above with one addition (Hyyrö, "Bit-parallel LCS-length computation revisited", 2004). Columns are
//! taken 64 at a time, with all rows: only the carry of the addition passes from one such block to the
//! next, one bit a row.
//!
//! Of equally long subsequences the one is given that Redis gives: going back from the end of both
//! strings, equal bytes are taken, otherwise one byte of the first string is passed over if L without
//! it is larger than L without the other's, else one of the second. As L is then the larger of these
//! two, that is so exactly if L rises from the column before to this one, which is the bit at hand.

use crate::base::num;
use std::collections::TryReserveError;

/// Columns of a block.
const BLOCK_LEN: usize = 64;

/// Equal bytes at `a..a + len` of the first string and `b..b + len` of the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Match {
    pub(super) a: usize,
    pub(super) b: usize,
    pub(super) len: usize,
}

/// A longest common subsequence.
#[derive(Clone, Debug)]
pub(super) struct Subsequence {
    pub(super) len: usize,
    /// The last first. Between two, at least one string has bytes that are passed over.
    pub(super) matches: Vec<Match>,
}

/// The length of the longest common subsequence. O(a * b / 64) time, O(a / 8) bytes of memory.
pub(super) fn len(a: &[u8], b: &[u8]) -> usize {
    sweep(a, b, |_| {})
}

/// The longest common subsequence. Time as [`len`]; memory of one bit for each pair of bytes.
///
/// # Errors
/// There is not so much memory.
pub(super) fn find(a: &[u8], b: &[u8]) -> Result<Subsequence, TryReserveError> {
    let mut table: Vec<u64> = Vec::new();
    table.try_reserve_exact(a.len() * b.len().div_ceil(BLOCK_LEN))?;
    let len = sweep(a, b, |word| table.push(word));
    Ok(Subsequence { len, matches: trace(a, b, &table) })
}

/// Fills the table in and returns the length. `keep` is given a word for each block and each row of
/// it: bit n is clear if L rises at column n of the block.
#[inline]
fn sweep(a: &[u8], b: &[u8], mut keep: impl FnMut(u64)) -> usize {
    let mut carries = vec![0u64; a.len().div_ceil(64)];
    let mut columns_of = [0u64; 256];
    let mut len = 0;
    for block in b.chunks(BLOCK_LEN) {
        for (column, &byte) in block.iter().enumerate() {
            columns_of[usize::from(byte)] |= 1 << column;
        }
        let mut row = u64::MAX;
        for (rows, carries) in a.chunks(64).zip(&mut carries) {
            let (mut old, mut new) = (*carries, 0);
            for (nth, &byte) in rows.iter().enumerate() {
                let equal = columns_of[usize::from(byte)];
                let (sum, first) = row.overflowing_add(row & equal);
                let (sum, second) = sum.overflowing_add(old & 1);
                row = sum | (row & !equal);
                new |= u64::from(first | second) << nth;
                old >>= 1;
                keep(row);
            }
            *carries = new;
        }
        len += num::usize_of_u32(row.count_zeros());
        for &byte in block {
            columns_of[usize::from(byte)] = 0;
        }
    }
    len
}

/// Goes back from the end.
fn trace(a: &[u8], b: &[u8], table: &[u64]) -> Vec<Match> {
    let mut matches = Vec::new();
    let (mut row, mut column) = (a.len(), b.len());
    let mut len = 0;
    while row > 0 && column > 0 {
        if a[row - 1] == b[column - 1] {
            (row, column, len) = (row - 1, column - 1, len + 1);
            continue;
        }
        if len > 0 {
            matches.push(Match { a: row, b: column, len });
            len = 0;
        }
        let word = table[(column - 1) / BLOCK_LEN * a.len() + row - 1];
        if word >> ((column - 1) % BLOCK_LEN) & 1 == 0 {
            row -= 1;
        } else {
            column -= 1;
        }
    }
    if len > 0 {
        matches.push(Match { a: row, b: column, len });
    }
    matches
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::Rng;

    /// The classic table, and the way back through it.
    fn naive(a: &[u8], b: &[u8]) -> Subsequence {
        let mut table = vec![vec![0; b.len() + 1]; a.len() + 1];
        for i in 1..=a.len() {
            for j in 1..=b.len() {
                table[i][j] = if a[i - 1] == b[j - 1] {
                    table[i - 1][j - 1] + 1
                } else {
                    table[i - 1][j].max(table[i][j - 1])
                };
            }
        }
        let (mut i, mut j) = (a.len(), b.len());
        let mut matches: Vec<Match> = Vec::new();
        let mut is_open = false;
        while i > 0 && j > 0 {
            if a[i - 1] == b[j - 1] {
                (i, j) = (i - 1, j - 1);
                match matches.last_mut() {
                    Some(found) if is_open => *found = Match { a: i, b: j, len: found.len + 1 },
                    Some(_) | None => matches.push(Match { a: i, b: j, len: 1 }),
                }
                is_open = true;
            } else {
                is_open = false;
                if table[i - 1][j] > table[i][j - 1] { i -= 1 } else { j -= 1 }
            }
        }
        Subsequence { len: table[a.len()][b.len()], matches }
    }

    fn text(rng: &mut Rng, len: usize, letters: u64) -> Vec<u8> {
        (0..len).map(|_| b'a' + num::low_u8(rng.below(letters))).collect()
    }

    #[test]
    fn bits_give_what_the_table_gives() {
        let mut rng = Rng::seeded(9);
        for round in 0..400 {
            let (len_a, len_b) = (rng.below_usize(200), rng.below_usize(200));
            let letters = 1 + round % 6;
            let (a, b) = (text(&mut rng, len_a, letters), text(&mut rng, len_b, letters));
            let (found, expected) = (find(&a, &b).expect("little memory"), naive(&a, &b));
            assert_eq!(found.len, expected.len);
            assert_eq!(found.matches, expected.matches);
            assert_eq!(len(&a, &b), expected.len);
            assert_eq!(found.matches.iter().map(|found| found.len).sum::<usize>(), found.len);
        }
    }

    #[test]
    fn block_ends_are_no_special_place() {
        for len_b in [63, 64, 65, 127, 128, 129, 192] {
            for len_a in [1, 63, 64, 65, 128] {
                let (a, b) = (vec![b'x'; len_a], vec![b'x'; len_b]);
                let found = find(&a, &b).expect("little memory");
                let len = len_a.min(len_b);
                assert_eq!(found.len, len);
                assert_eq!(found.matches, [Match { a: len_a - len, b: len_b - len, len }]);
            }
        }
    }

    #[test]
    fn empty_strings_have_nothing_in_common() {
        for (a, b) in [(&b""[..], &b""[..]), (b"a", b""), (b"", b"a"), (b"a", b"b")] {
            let found = find(a, b).expect("little memory");
            assert_eq!((found.len, found.matches.len(), len(a, b)), (0, 0, 0));
        }
    }

    #[test]
    fn a_table_for_no_machine_is_refused() {
        let mut table: Vec<u64> = Vec::new();
        assert!(table.try_reserve_exact(usize::MAX / 8).is_err());
    }
}
