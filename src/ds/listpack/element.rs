//! One element: how it is seen, and its bytes.
//!
//! ```text
//! 0xxxxxxx                                  an integer, 0 to 127
//! 10llllll  bytes                           a string of up to 63 bytes
//! 110xxxxx xxxxxxxx                         an integer of 13 bits
//! 1110llll llllllll  bytes                  a string of up to 4,095 bytes
//! 11110000  length (4 bytes)  bytes         a longer string
//! 11110001 to 11110100  2, 3, 4, 8 bytes    an integer of 16, 24, 32, 64 bits
//! ```
//! Multi-byte integers and the last length are little endian, those that share a byte with their
//! mark big endian. After this comes the *backlen*: its size, seven bits a byte, most significant
//! first, every byte but the first marked with its high bit, so that it can be read backwards.

use crate::base::num;

/// Longest text that may be an integer, bytes: `-9223372036854775808`.
pub const INTEGER_TEXT_LEN_MAX: usize = 20;

/// The mark behind the last element.
pub(super) const END: u8 = 0xff;

/// Longest start of an element, up to the bytes of its string.
const HEAD_LEN_MAX: usize = 9;
/// Longest backlen.
const BACKLEN_LEN_MAX: usize = 5;

/// An element of a listpack. Text that is the canonical decimal form of an `i64` is kept as that
/// integer; two elements are equal if their texts are.
#[derive(Clone, Copy, Debug)]
pub enum Element<'a> {
    /// The text is the decimal form of this integer.
    Integer(i64),
    /// Any text.
    Bytes(&'a [u8]),
}

/// Room for the text of an integer.
#[derive(Default)]
pub struct Digits(itoa::Buffer);

impl std::fmt::Debug for Digits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Digits").finish_non_exhaustive()
    }
}

impl Digits {
    /// Room for one integer.
    #[must_use]
    pub fn new() -> Self {
        Self(itoa::Buffer::new())
    }
}

impl<'a> Element<'a> {
    /// The text; that of an integer is written into `digits`.
    #[inline]
    pub fn text<'b>(&self, digits: &'b mut Digits) -> &'b [u8]
    where
        'a: 'b,
    {
        match self {
            Self::Integer(n) => digits.0.format(*n).as_bytes(),
            Self::Bytes(bytes) => bytes,
        }
    }

    /// What `use_text` makes of the text.
    #[inline]
    pub fn with_text<R>(&self, use_text: impl FnOnce(&[u8]) -> R) -> R {
        use_text(self.text(&mut Digits::new()))
    }

    /// Length of the text, bytes.
    #[inline]
    #[must_use]
    pub const fn text_len(&self) -> usize {
        match self {
            Self::Integer(n) => num::digits_signed(*n),
            Self::Bytes(bytes) => bytes.len(),
        }
    }

    /// Appends the text.
    pub fn write_text(&self, out: &mut Vec<u8>) {
        match self {
            Self::Integer(n) => num::write_i64(out, *n),
            Self::Bytes(bytes) => out.extend_from_slice(bytes),
        }
    }

    /// The text as a vector of its own.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        let mut text = Vec::with_capacity(self.text_len());
        self.write_text(&mut text);
        text
    }

    /// The integer that the text is the canonical form of, however the element is kept.
    #[inline]
    #[must_use]
    pub fn integer(&self) -> Option<i64> {
        match self {
            Self::Integer(n) => Some(*n),
            Self::Bytes(bytes) => num::parse_i64(bytes),
        }
    }

    /// Whether this is its text.
    #[inline]
    #[must_use]
    pub fn is(&self, text: &[u8]) -> bool {
        match self {
            Self::Integer(n) => num::parse_i64(text) == Some(*n),
            Self::Bytes(bytes) => *bytes == text,
        }
    }

    /// Bytes it takes in a listpack, backlen included.
    #[inline]
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        Encoded::of(*self).size_with_backlen()
    }
}

impl PartialEq for Element<'_> {
    fn eq(&self, other: &Element<'_>) -> bool {
        match (self, other) {
            (Self::Integer(a), Element::Integer(b)) => a == b,
            (Self::Integer(_), Element::Bytes(text)) => self.is(text),
            (Self::Bytes(text), Element::Integer(_) | Element::Bytes(_)) => other.is(text),
        }
    }
}

impl Eq for Element<'_> {}

impl<'a> From<&'a [u8]> for Element<'a> {
    #[inline]
    fn from(text: &'a [u8]) -> Self {
        Self::Bytes(text)
    }
}

impl<'a, const N: usize> From<&'a [u8; N]> for Element<'a> {
    #[inline]
    fn from(text: &'a [u8; N]) -> Self {
        Self::Bytes(text)
    }
}

impl<'a> From<&'a Vec<u8>> for Element<'a> {
    #[inline]
    fn from(text: &'a Vec<u8>) -> Self {
        Self::Bytes(text)
    }
}

impl From<i64> for Element<'_> {
    #[inline]
    fn from(n: i64) -> Self {
        Self::Integer(n)
    }
}

/// A text to be looked for among elements. The integer that it may be is read once.
#[derive(Clone, Copy, Debug)]
pub struct Needle<'a> {
    text: &'a [u8],
    integer: Option<i64>,
}

impl<'a> Needle<'a> {
    /// Looks for this text.
    #[inline]
    #[must_use]
    pub const fn new(text: &'a [u8]) -> Self {
        Self { text, integer: num::parse_i64(text) }
    }

    /// Whether the element has the text.
    #[inline]
    #[must_use]
    pub fn is(&self, element: Element<'_>) -> bool {
        match element {
            Element::Integer(n) => self.integer == Some(n),
            Element::Bytes(found) => found == self.text,
        }
    }
}

/// Bytes that this text takes in a listpack, backlen included.
#[inline]
#[must_use]
pub fn encoded_len(text: &[u8]) -> usize {
    Element::Bytes(text).encoded_len()
}

/// An element on its way into a listpack.
pub(super) struct Encoded<'a> {
    head: [u8; HEAD_LEN_MAX],
    head_len: usize,
    body: &'a [u8],
}

impl<'a> Encoded<'a> {
    #[inline]
    pub(super) fn of(element: Element<'a>) -> Self {
        match element {
            Element::Integer(n) => Self::integer(n),
            Element::Bytes(text) => match num::parse_i64(text) {
                Some(n) => Self::integer(n),
                None => Self::string(text),
            },
        }
    }

    fn with_head(bytes: &[u8], body: &'a [u8]) -> Self {
        let mut head = [0; HEAD_LEN_MAX];
        head[..bytes.len()].copy_from_slice(bytes);
        Self { head, head_len: bytes.len(), body }
    }

    fn integer(n: i64) -> Self {
        let [a, b, c, d, e, f, g, h] = n.to_le_bytes();
        if (0..=127).contains(&n) {
            Self::with_head(&[a], &[])
        } else if (-0x1000..0x1000).contains(&n) {
            Self::with_head(&[0xc0 | (b & 0x1f), a], &[])
        } else if (-0x8000..0x8000).contains(&n) {
            Self::with_head(&[0xf1, a, b], &[])
        } else if (-0x80_0000..0x80_0000).contains(&n) {
            Self::with_head(&[0xf2, a, b, c], &[])
        } else if (-0x8000_0000..0x8000_0000).contains(&n) {
            Self::with_head(&[0xf3, a, b, c, d], &[])
        } else {
            Self::with_head(&[0xf4, a, b, c, d, e, f, g, h], &[])
        }
    }

    fn string(text: &'a [u8]) -> Self {
        let len = num::u32_of(text.len(), "a listpack stays below 4 GiB");
        let [a, b, c, d] = len.to_le_bytes();
        if len < 64 {
            Self::with_head(&[0x80 | a], text)
        } else if len < 4096 {
            Self::with_head(&[0xe0 | b, a], text)
        } else {
            Self::with_head(&[0xf0, a, b, c, d], text)
        }
    }

    pub(super) fn head(&self) -> &[u8] {
        &self.head[..self.head_len]
    }

    pub(super) const fn body(&self) -> &[u8] {
        self.body
    }

    /// Bytes without the backlen.
    pub(super) const fn size(&self) -> usize {
        self.head_len + self.body.len()
    }

    pub(super) const fn size_with_backlen(&self) -> usize {
        self.size() + backlen_len(self.size())
    }
}

/// Bytes of the start of the element that begins with `first`, up to those of its string; `None` if
/// no element begins so.
#[inline]
pub(super) const fn head_len(first: u8) -> Option<usize> {
    match first {
        0x00..=0xbf => Some(1),
        0xc0..=0xef => Some(2),
        0xf0 | 0xf3 => Some(5),
        0xf1 => Some(3),
        0xf2 => Some(4),
        0xf4 => Some(9),
        0xf5..=END => None,
    }
}

/// The length of the string in the element at the start of `bytes`; 0 for an integer.
#[inline]
fn body_len(bytes: &[u8]) -> usize {
    match bytes[0] {
        first @ 0x80..=0xbf => usize::from(first & 0x3f),
        first @ 0xe0..=0xef => usize::from(first & 0x0f) << 8 | usize::from(bytes[1]),
        0xf0 => {
            let len = [bytes[1], bytes[2], bytes[3], bytes[4]];
            num::usize_of_u32(u32::from_le_bytes(len))
        }
        0x00..=0x7f | 0xc0..=0xdf | 0xf1..=END => 0,
    }
}

/// Bytes of the element at the start of `bytes`, without its backlen.
#[inline]
pub(super) fn size_at(bytes: &[u8]) -> usize {
    head_len(bytes[0]).expect("elements are well formed") + body_len(bytes)
}

/// The element at the start of `bytes`, and its size without the backlen.
#[inline]
pub(super) fn decode(bytes: &[u8]) -> (Element<'_>, usize) {
    let integer = |n: i64, size| (Element::Integer(n), size);
    match bytes[0] {
        first @ 0x00..=0x7f => integer(i64::from(first), 1),
        first @ 0x80..=0xbf => {
            let size = 1 + usize::from(first & 0x3f);
            (Element::Bytes(&bytes[1..size]), size)
        }
        first @ 0xc0..=0xdf => {
            // Thirteen bits: moved up and down again, so that their sign fills the three above.
            let bits = u16::from_be_bytes([first, bytes[1]]) << 3;
            integer(i64::from(bits.cast_signed() >> 3), 2)
        }
        0xe0..=0xf0 => {
            let head = if bytes[0] == 0xf0 { 5 } else { 2 };
            let size = head + body_len(bytes);
            (Element::Bytes(&bytes[head..size]), size)
        }
        0xf1 => integer(i64::from(i16::from_le_bytes([bytes[1], bytes[2]])), 3),
        0xf2 => {
            let n = i32::from_le_bytes([0, bytes[1], bytes[2], bytes[3]]) >> 8;
            integer(i64::from(n), 4)
        }
        0xf3 => {
            let n = i32::from_le_bytes([bytes[1], bytes[2], bytes[3], bytes[4]]);
            integer(i64::from(n), 5)
        }
        0xf4 => {
            let digits = bytes[1..9].first_chunk().expect("eight bytes");
            integer(i64::from_le_bytes(*digits), 9)
        }
        0xf5..=END => unreachable!("elements are well formed"),
    }
}

/// Bytes of the backlen of an element of `size` bytes. (The format's own limits, each but the first
/// one lower than it had to be.)
#[inline]
pub(super) const fn backlen_len(size: usize) -> usize {
    match size {
        0..128 => 1,
        128..16_383 => 2,
        16_383..2_097_151 => 3,
        2_097_151..268_435_455 => 4,
        268_435_455.. => 5,
    }
}

/// The backlen of an element of `size` bytes, and its length.
#[inline]
pub(super) fn backlen(size: usize) -> ([u8; BACKLEN_LEN_MAX], usize) {
    let len = backlen_len(size);
    let mut bytes = [0; BACKLEN_LEN_MAX];
    let mut rest = num::u64_of(size);
    for byte in bytes[..len].iter_mut().rev() {
        *byte = 0x80 | num::low_u8(rest & 0x7f);
        rest >>= 7;
    }
    bytes[0] &= 0x7f;
    (bytes, len)
}

/// The size that the backlen at the end of `bytes` states; `None` if none ends there.
#[inline]
pub(super) fn size_before(bytes: &[u8]) -> Option<usize> {
    let mut size = 0;
    let mut shift = 0;
    for &byte in bytes.iter().rev().take(BACKLEN_LEN_MAX) {
        size |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(size);
        }
        shift += 7;
    }
    None
}
