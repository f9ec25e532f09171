//! Listpacks inside larger buffers: many behind one another in one allocation.
//!
//! The bytes are those of a listpack, kept well formed by the owner of the buffer, as a
//! [`Listpack`](super::Listpack) keeps its own; where they are not, reading panics at worst.

use super::element::{self, END, Encoded};
use super::{COUNT_UNKNOWN, EMPTY, Element, HEADER_LEN, Header, Iter};
use crate::base::num;

/// Most bytes that an element has beside its text; an integer has no more altogether.
pub const ELEMENT_EXTRA_MAX: usize = 10;

/// The elements of the listpack that these bytes are.
#[inline]
#[must_use]
pub fn elements(listpack: &[u8]) -> Iter<'_> {
    Iter { rest: &listpack[HEADER_LEN..listpack.len() - 1] }
}

/// The bytes of the listpack that begins here.
#[inline]
#[must_use]
pub fn first(bytes: &[u8]) -> &[u8] {
    &bytes[..Header::of(bytes).total]
}

/// Offset of the first element in a listpack.
pub const FIRST_AT: usize = HEADER_LEN;

/// Puts another element at the place of the one at `at`, if it takes as many bytes; says whether.
#[inline]
pub fn overwrite(bytes: &mut [u8], at: usize, new: Element<'_>) -> bool {
    let new = Encoded::of(new);
    let size = element::size_at(&bytes[at..]);
    if size != new.size() {
        return false;
    }
    // Equal sizes have equal backlens, which follow.
    let (head, body) = bytes[at..at + size].split_at_mut(new.head().len());
    head.copy_from_slice(new.head());
    body.copy_from_slice(new.body());
    true
}

/// Puts another element of any size at the place of the one at `at`, in the listpack that begins at
/// `start`; by how much the bytes behind it moved. O(bytes behind it).
pub fn replace(bytes: &mut Vec<u8>, start: usize, at: usize, new: Element<'_>) -> isize {
    let old_len = super::walk::skip(&bytes[at..]);
    let total = Header::of(&bytes[start..]).total;
    let mut encoded = Vec::new();
    put(&mut encoded, new);
    let new_total = num::u32_of(total - old_len + encoded.len(), "a listpack stays below 4 GiB");
    let moved = encoded.len().cast_signed() - old_len.cast_signed();
    bytes.splice(at..at + old_len, encoded);
    bytes[start..start + 4].copy_from_slice(&new_total.to_le_bytes());
    moved
}

#[inline]
fn put(out: &mut Vec<u8>, new: Element<'_>) {
    let new = Encoded::of(new);
    out.extend_from_slice(new.head());
    out.extend_from_slice(new.body());
    let (backlen, len) = element::backlen(new.size());
    out.extend_from_slice(&backlen[..len]);
}

/// Adds elements to the listpack that a buffer ends with. Until it is finished that is none.
#[derive(Debug)]
pub struct Extension<'a> {
    bytes: &'a mut Vec<u8>,
    start: usize,
    count: usize,
}

impl<'a> Extension<'a> {
    /// Begins a listpack at the end of the buffer.
    #[inline]
    pub fn begin(bytes: &'a mut Vec<u8>) -> Self {
        let start = bytes.len();
        bytes.extend_from_slice(&EMPTY[..HEADER_LEN]);
        Self { bytes, start, count: 0 }
    }

    /// Goes on with the listpack that begins at `start` and ends where the buffer does.
    #[inline]
    pub fn of(bytes: &'a mut Vec<u8>, start: usize) -> Self {
        debug_assert_eq!(bytes.last(), Some(&END));
        bytes.pop();
        Self { bytes, start, count: 0 }
    }

    /// Adds an element.
    #[inline]
    pub fn push(&mut self, element: Element<'_>) {
        put(self.bytes, element);
        self.count += 1;
    }

    /// Adds an integer.
    #[inline]
    pub fn push_integer(&mut self, n: i64) {
        match u8::try_from(n) {
            Ok(byte @ 0..=0x7f) => {
                self.bytes.extend_from_slice(&[byte, 1]);
                self.count += 1;
            }
            Ok(_) | Err(_) => self.push(Element::Integer(n)),
        }
    }

    /// Adds a text.
    #[inline]
    pub fn push_text(&mut self, text: &[u8]) {
        self.push(Element::Bytes(text));
    }

    /// Ends the listpack.
    ///
    /// # Panics
    /// If it has more than 4 GiB.
    #[inline]
    pub fn finish(self) {
        self.bytes.push(END);
        let header = &mut self.bytes[self.start..];
        let total = num::u32_of(header.len(), "a listpack stays below 4 GiB");
        let count = usize::from(Header::of(header).count) + self.count;
        let count = u16::try_from(count).unwrap_or(COUNT_UNKNOWN);
        header[..4].copy_from_slice(&total.to_le_bytes());
        header[4..6].copy_from_slice(&count.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Listpack, check};
    use super::*;

    #[test]
    fn listpacks_lie_behind_one_another() {
        let mut bytes = b"front".to_vec();
        let mut first_pack = Extension::begin(&mut bytes);
        first_pack.push_integer(100);
        first_pack.push_text(b"text");
        first_pack.finish();
        let start = bytes.len();
        Extension::begin(&mut bytes).finish();
        for n in [-1, 5, 127, 128, 70_000] {
            let mut extension = Extension::of(&mut bytes, start);
            extension.push_integer(n);
            extension.push(Element::Bytes(&[b'x'; 100]));
            extension.finish();
        }
        let mut same = Listpack::new();
        for n in [-1, 5, 127, 128, 70_000] {
            same.push_back(n);
            same.push_back(&[b'x'; 100]);
        }
        assert_eq!(&bytes[start..], same.as_bytes());
        assert_eq!(check(first(&bytes[5..])), Ok(2));
        assert!(overwrite(&mut bytes, 5 + FIRST_AT, Element::Integer(3)));
        assert!(!overwrite(&mut bytes, 5 + FIRST_AT, Element::Integer(128)));
        assert_eq!(replace(&mut bytes, 5, 5 + FIRST_AT, Element::Integer(128)), 1);
        let packed = Listpack::from_bytes(first(&bytes[5..])).expect("well formed");
        let texts: Vec<_> = elements(packed.as_bytes()).map(|element| element.to_vec()).collect();
        assert_eq!(texts, [&b"128"[..], b"text"]);
        assert_eq!(&bytes[start + 1..], same.as_bytes());
    }
}
