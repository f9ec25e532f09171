//! Ziplists: what listpacks replaced in Redis 7.0.
//!
//! ```text
//! byte 0..4    total length in bytes
//! byte 4..8    offset of the last element
//! byte 8..10   number of elements; 65,535: not known
//! then         the elements
//! last         0xFF
//! ```
//! An element begins with the size of the one before it, in one byte, or from 254 on in four behind
//! 0xFE. Then:
//! ```text
//! 00llllll  bytes                       a string of up to 63 bytes
//! 01llllll llllllll  bytes              a string of up to 16,383 bytes, big endian
//! 10xxxxxx  length (4 bytes)  bytes     a longer string, big endian
//! 11000000 11010000 11100000            integers of 2, 4, 8 bytes
//! 11110000 11111110                     integers of 3 bytes and of 1
//! 1111xxxx                              x - 1, for x from 1 to 13
//! ```
//! All numbers but the lengths of strings are little endian.

use crate::base::num;
use crate::ds::listpack::Element;

const HEADER_LEN: usize = 10;
const END: u8 = 0xff;
/// In front of a size of four bytes.
const WIDE: u8 = 0xfe;
const COUNT_UNKNOWN: u16 = u16::MAX;

/// The numbers in front.
struct Header {
    total: usize,
    last: usize,
    count: u16,
}

impl Header {
    fn of(bytes: &[u8]) -> Option<Self> {
        let (&[a, b, c, d, e, f, g, h, low, high], _) = bytes.split_first_chunk::<HEADER_LEN>()?;
        Some(Self {
            total: num::usize_of_u32(u32::from_le_bytes([a, b, c, d])),
            last: num::usize_of_u32(u32::from_le_bytes([e, f, g, h])),
            count: u16::from_le_bytes([low, high]),
        })
    }
}

/// Shows `f` all elements, of which it may refuse any; `None` if one was refused, or if the bytes are no
/// ziplist.
pub(in crate::persist::rdb) fn read<'a>(
    bytes: &'a [u8],
    mut f: impl FnMut(Element<'a>) -> Option<()>,
) -> Option<()> {
    let header = Header::of(bytes)?;
    let end = header.total.checked_sub(1)?;
    if header.total != bytes.len() || end < HEADER_LEN || bytes[end] != END || header.last > end {
        return None;
    }
    let (mut at, mut previous, mut count) = (HEADER_LEN, None, 0usize);
    while bytes[at] != END {
        let before = previous.map_or(0, |from: usize| at - from);
        let (element, len) = element(&bytes[at..end], before)?;
        f(element)?;
        previous = Some(at);
        at += len;
        count += 1;
    }
    let is_whole = at == end
        && previous.is_none_or(|from| from == header.last)
        && (header.count == COUNT_UNKNOWN || usize::from(header.count) == count);
    is_whole.then_some(())
}

/// The element at the start of `bytes` and its length; `before` is the length of the one before it.
fn element(bytes: &[u8], before: usize) -> Option<(Element<'_>, usize)> {
    let (&first, mut rest) = bytes.split_first()?;
    let mut stated = usize::from(first);
    if first == WIDE {
        let (wide, behind) = rest.split_first_chunk()?;
        stated = num::usize_of_u32(u32::from_le_bytes(*wide));
        rest = behind;
    }
    if stated != before {
        return None;
    }
    let (&code, body) = rest.split_first()?;
    let (element, rest) = match code {
        0x00..=0x3f => string(body, usize::from(code))?,
        0x40..=0x7f => {
            let (&low, body) = body.split_first()?;
            string(body, usize::from(code & 0x3f) << 8 | usize::from(low))?
        }
        0x80..=0xbf => {
            let (len, body) = body.split_first_chunk()?;
            string(body, num::usize_of_u32(u32::from_be_bytes(*len)))?
        }
        0xc0 => integer(body, |bytes| i64::from(i16::from_le_bytes(bytes)))?,
        0xd0 => integer(body, |bytes| i64::from(i32::from_le_bytes(bytes)))?,
        0xe0 => integer(body, i64::from_le_bytes)?,
        0xf0 => integer(body, |[a, b, c]| i64::from(i32::from_le_bytes([0, a, b, c]) >> 8))?,
        0xfe => integer(body, |bytes| i64::from(i8::from_le_bytes(bytes)))?,
        0xf1..=0xfd => (Element::Integer(i64::from(code & 0x0f) - 1), body),
        0xc1..=0xcf | 0xd1..=0xdf | 0xe1..=0xef | END => return None,
    };
    Some((element, bytes.len() - rest.len()))
}

fn string(body: &[u8], len: usize) -> Option<(Element<'_>, &[u8])> {
    let (text, rest) = body.split_at_checked(len)?;
    Some((Element::Bytes(text), rest))
}

fn integer<const N: usize>(
    body: &[u8],
    value: impl FnOnce([u8; N]) -> i64,
) -> Option<(Element<'_>, &[u8])> {
    let (bytes, rest) = body.split_first_chunk()?;
    Some((Element::Integer(value(*bytes)), rest))
}

#[cfg(test)]
pub(in crate::persist::rdb) mod tests {
    use super::*;

    /// A ziplist of these elements, each without the size of the one before it.
    pub(in crate::persist::rdb) fn ziplist(elements: &[&[u8]]) -> Vec<u8> {
        let mut body = Vec::new();
        let (mut last, mut previous) = (HEADER_LEN, 0);
        for element in elements {
            last = HEADER_LEN + body.len();
            let from = body.len();
            match u8::try_from(previous) {
                Ok(short) if short < WIDE => body.push(short),
                _ => {
                    body.push(WIDE);
                    body.extend(num::u32_of(previous, "short").to_le_bytes());
                }
            }
            body.extend_from_slice(element);
            previous = body.len() - from;
        }
        let mut bytes = Vec::new();
        bytes.extend(num::u32_of(HEADER_LEN + body.len() + 1, "short").to_le_bytes());
        bytes.extend(num::u32_of(last, "short").to_le_bytes());
        bytes.extend(num::u16_of(elements.len(), "few").to_le_bytes());
        bytes.extend(body);
        bytes.push(END);
        bytes
    }

    fn texts(bytes: &[u8]) -> Option<Vec<String>> {
        let mut texts = Vec::new();
        read(bytes, |element| {
            texts.push(String::from_utf8_lossy(&element.to_vec()).into_owned());
            Some(())
        })?;
        Some(texts)
    }

    #[test]
    fn elements_of_every_form_are_read() {
        let long = [&[0x41, 0x2c][..], &[b'x'; 300]].concat();
        let longest = [&[0x80, 0, 1, 0, 0][..], &[b'y'; 65_536]].concat();
        let bytes = ziplist(&[
            b"\x02ab",
            b"\x00",
            &long,
            &longest,
            &[0xfe, 0x80],
            &[0xc0, 0, 0x80],
            &[0xf0, 0, 0, 0x80],
            &[0xd0, 0, 0, 0, 0x80],
            &[0xe0, 0, 0, 0, 0, 0, 0, 0, 0x80],
            &[0xf1],
            &[0xfd],
        ]);
        let expected = [
            "ab".into(),
            String::new(),
            "x".repeat(300),
            "y".repeat(65_536),
            "-128".into(),
            "-32768".into(),
            "-8388608".into(),
            "-2147483648".into(),
            "-9223372036854775808".into(),
            "0".into(),
            "12".into(),
        ];
        assert_eq!(texts(&bytes).as_deref(), Some(&expected[..]));
        assert_eq!(texts(&ziplist(&[])), Some(Vec::new()));
    }

    #[test]
    fn what_is_cut_off_or_changed_in_its_structure_is_refused() {
        let bytes = ziplist(&[b"\x02ab", &[0xfe, 7], b"\x01c"]);
        assert!(texts(&bytes).is_some());
        for len in 0..bytes.len() {
            assert_eq!(texts(&bytes[..len]), None, "{len} bytes");
        }
        // Total, offset of the last, count, sizes of those before, lengths, the end.
        for at in [0, 4, 8, 10, 11, 14, 17, 18, 20] {
            let mut changed = bytes.clone();
            changed[at] ^= 0x20;
            assert_eq!(texts(&changed), None, "byte {at}");
        }
        let mut unknown = bytes;
        unknown[8..10].fill(0xff);
        assert!(texts(&unknown).is_some(), "the number need not be known");
    }
}
