//! Decoding LZF into a buffer that serves for many strings; [`super::lzf`] describes the format.
//!
//! Why beside the `lzf` crate: that allocates for each string, copies byte by byte and counts in 31
//! bits, where snapshots hold many short strings and may hold very long ones.

/// Bytes that one byte of the compressed form stands for, at most: three say 264.
const EXPANSION_MAX: usize = 88;

/// Whether so many bytes may have a compressed form of `packed_len` bytes: what to ask before memory is
/// set aside for a length that somebody else wrote.
#[must_use]
pub const fn is_plausible(packed_len: usize, len: usize) -> bool {
    len <= packed_len.saturating_mul(EXPANSION_MAX)
}

/// Replaces what is in `out` by the `len` bytes of which `input` is the compressed form; `None`, with
/// anything in `out`, if it is not. O(bytes); memory only if [`is_plausible`].
#[must_use]
pub fn decompress_into(input: &[u8], len: usize, out: &mut Vec<u8>) -> Option<()> {
    out.clear();
    if !is_plausible(input.len(), len) {
        return None;
    }
    out.try_reserve_exact(len).ok()?;
    let mut rest = input;
    while let Some((&control, behind)) = rest.split_first() {
        let (count, high) = (usize::from(control >> 5), usize::from(control & 0x1f));
        if count == 0 {
            let (literals, behind) = behind.split_at_checked(high + 1)?;
            if literals.len() > len - out.len() {
                return None;
            }
            out.extend_from_slice(literals);
            rest = behind;
            continue;
        }
        let (more, behind) = match (count, behind) {
            (7, [more, behind @ ..]) => (usize::from(*more), behind),
            (7, []) => return None,
            _ => (0, behind),
        };
        let (&low, behind) = behind.split_first()?;
        let distance = (high << 8 | usize::from(low)) + 1;
        let start = out.len().checked_sub(distance)?;
        let count = count + more + 2;
        if count > len - out.len() {
            return None;
        }
        repeat(out, start, count);
        rest = behind;
    }
    (out.len() == len).then_some(())
}

/// Appends `count` bytes that begin at `start`, some of which may be those appended here.
fn repeat(out: &mut Vec<u8>, start: usize, mut count: usize) {
    while count > 0 {
        // What has been appended repeats what is before it, so each step may copy twice as much.
        let step = count.min(out.len() - start);
        out.extend_from_within(start..start + step);
        count -= step;
    }
}

#[cfg(test)]
mod tests {
    use super::super::lzf;
    use super::*;
    use crate::base::num;
    use crate::base::rng::Rng;

    fn decompress(input: &[u8], len: usize) -> Option<Vec<u8>> {
        let mut out = b"before".to_vec();
        decompress_into(input, len, &mut out).map(|()| out)
    }

    #[test]
    fn bytes_come_back() {
        let mut rng = Rng::seeded(1);
        for _ in 0..500 {
            let (len, alphabet) = (1 + rng.below_usize(20_000), 1 + rng.below(20));
            let input: Vec<u8> =
                (0..len).map(|_| b'a' + num::low_u8(rng.below(alphabet))).collect();
            let packed = lzf::compress(&input, usize::MAX / 2).expect("no limit");
            assert_eq!(decompress(&packed, len).as_deref(), Some(&input[..]));
            assert_eq!(decompress(&packed, len + 1), None);
            assert_eq!(decompress(&packed, len - 1), None);
        }
        let packed = lzf::compress(&vec![b'x'; 1 << 20], 1 << 20).expect("it is shorter");
        assert!(is_plausible(packed.len(), 1 << 20), "{} bytes", packed.len());
    }

    #[test]
    fn corrupt_forms_agree_with_another_decoder() {
        let mut rng = Rng::seeded(2);
        let text: Vec<u8> = (0..400).map(|_| b'a' + num::low_u8(rng.below(3))).collect();
        let packed = lzf::compress(&text, 400).expect("it is shorter");
        for _ in 0..20_000 {
            let mut bytes = packed.clone();
            for _ in 0..1 + rng.below(3) {
                let at = rng.below_usize(bytes.len());
                bytes[at] = num::low_u8(rng.next_u64());
            }
            bytes.truncate(bytes.len() - rng.below_usize(4));
            assert_eq!(decompress(&bytes, 400), lzf::decompress(&bytes, 400));
        }
    }

    #[test]
    fn no_memory_is_set_aside_for_lengths_that_cannot_be() {
        assert_eq!(decompress(&[0xe0, 255, 0], usize::MAX), None);
        assert_eq!(decompress(&[], 1), None);
        assert_eq!(decompress(&[0x00, b'a', 0xe0, 255, 0], 265).map(|out| out.len()), Some(265));
    }
}
