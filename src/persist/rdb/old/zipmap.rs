//! Zipmaps: small hashes before Redis 2.6.
//!
//! ```text
//! byte 0       number of fields; 254: not known
//! then, for each field
//!              length of the name, the name
//!              length of the value, free bytes behind it (one byte), the value, the free bytes
//! last         0xFF
//! ```
//! A length is one byte, or from 254 on four behind 0xFE, little endian.

use crate::base::num;

const END: u8 = 0xff;
const WIDE: u8 = 0xfe;

/// Shows `f` all names with their values, of which it may refuse any; `None` if one was refused, or if
/// the bytes are no zipmap with at least one field.
pub(in crate::persist::rdb) fn read<'a>(
    bytes: &'a [u8],
    mut f: impl FnMut(&'a [u8], &'a [u8]) -> Option<()>,
) -> Option<()> {
    let (&stated, rest) = bytes.split_first()?;
    let (&last, mut rest) = rest.split_last()?;
    let mut count = 0usize;
    while !rest.is_empty() {
        // An end mark in front of the end is no length, and refused.
        let (name_len, behind) = length(rest)?;
        let (name, behind) = behind.split_at_checked(name_len)?;
        let (value_len, behind) = length(behind)?;
        let (&free, behind) = behind.split_first()?;
        let (value, behind) = behind.split_at_checked(value_len)?;
        let (_, behind) = behind.split_at_checked(usize::from(free))?;
        f(name, value)?;
        rest = behind;
        count += 1;
    }
    let is_whole = last == END && count > 0 && (stated == WIDE || usize::from(stated) == count);
    is_whole.then_some(())
}

fn length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (&first, rest) = bytes.split_first()?;
    match first {
        WIDE => {
            let (wide, rest) = rest.split_first_chunk()?;
            let len = num::usize_of_u32(u32::from_le_bytes(*wide));
            (len >= usize::from(WIDE)).then_some((len, rest))
        }
        END => None,
        short => Some((usize::from(short), rest)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(bytes: &[u8]) -> Option<Vec<(Vec<u8>, Vec<u8>)>> {
        let mut fields = Vec::new();
        read(bytes, |name, value| {
            fields.push((name.to_vec(), value.to_vec()));
            Some(())
        })?;
        Some(fields)
    }

    #[test]
    fn fields_are_read_and_free_bytes_passed_over() {
        let long = vec![b'v'; 300];
        let bytes =
            [&[2][..], b"\x03foo\x03\x02bar..", &[1, b'n', WIDE, 0x2c, 1, 0, 0, 0], &long, &[END]]
                .concat();
        let expected = vec![(b"foo".to_vec(), b"bar".to_vec()), (b"n".to_vec(), long)];
        assert_eq!(fields(&bytes), Some(expected));
        for len in 0..bytes.len() {
            assert_eq!(fields(&bytes[..len]), None, "{len} bytes");
        }
        let mut changed = bytes;
        changed[0] = 3;
        assert_eq!(fields(&changed), None, "another number of fields");
        changed[0] = WIDE;
        assert!(fields(&changed).is_some(), "the number need not be known");
    }

    #[test]
    fn what_is_no_zipmap_is_refused() {
        assert_eq!(fields(&[0, END]), None, "no field");
        assert_eq!(fields(b"\x01\x01a\xff\x00b\xff"), None, "an end mark as a length");
        assert_eq!(fields(&[1, WIDE, 1, 0, 0, 0, b'a', 1, 0, b'b', END]), None, "a short long one");
    }
}
