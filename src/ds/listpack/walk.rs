//! Reading: cursors, search, iterators.

use super::element::{self, END};
use super::{Cursor, Element, HEADER_LEN, Listpack, Needle};
use crate::base::num;

/// Bytes from one element to the next.
#[inline]
pub(super) fn skip(bytes: &[u8]) -> usize {
    let size = element::size_at(bytes);
    size + element::backlen_len(size)
}

/// Number of elements in bytes that hold nothing else.
pub(super) fn count(mut bytes: &[u8]) -> usize {
    let mut count = 0;
    while !bytes.is_empty() {
        bytes = &bytes[skip(bytes)..];
        count += 1;
    }
    count
}

impl Listpack {
    /// Offset of the end mark.
    #[inline]
    pub(super) fn end(&self) -> usize {
        self.bytes() - 1
    }

    /// Bytes of the element at `at` with its backlen.
    #[inline]
    pub(super) fn element_len(&self, at: Cursor) -> usize {
        skip(&self.as_bytes()[at.0..])
    }

    /// The element at this offset, unless it is the end.
    #[inline]
    pub(super) fn at(&self, offset: usize) -> Option<Cursor> {
        (offset < self.end()).then_some(Cursor(offset))
    }

    /// The first element. O(1).
    #[inline]
    #[must_use]
    pub fn first(&self) -> Option<Cursor> {
        self.at(HEADER_LEN)
    }

    /// The last element. O(1).
    #[inline]
    #[must_use]
    pub fn last(&self) -> Option<Cursor> {
        self.before(self.end())
    }

    /// The element behind the one at `at`. O(1).
    #[inline]
    #[must_use]
    pub fn next(&self, at: Cursor) -> Option<Cursor> {
        self.at(at.0 + self.element_len(at))
    }

    /// The element in front of the one at `at`. O(1).
    #[inline]
    #[must_use]
    pub fn prev(&self, at: Cursor) -> Option<Cursor> {
        self.before(at.0)
    }

    /// The element that ends at this offset.
    #[inline]
    fn before(&self, offset: usize) -> Option<Cursor> {
        if offset == HEADER_LEN {
            return None;
        }
        let size = element::size_before(&self.as_bytes()[HEADER_LEN..offset])
            .expect("elements are well formed");
        Some(Cursor(offset - size - element::backlen_len(size)))
    }

    /// The element at an index, counted from the end (-1 is the last one) if negative. O(elements),
    /// from the nearer end.
    #[must_use]
    pub fn seek(&self, index: i64) -> Option<Cursor> {
        let index = match self.counted() {
            Some(len) => nearer(index, num::i64_of(len))?,
            None => index,
        };
        let mut at = if index < 0 { self.last() } else { self.first() };
        if index < 0 {
            for _ in index..-1 {
                at = self.prev(at?);
            }
        } else {
            for _ in 0..index {
                at = self.next(at?);
            }
        }
        at
    }

    /// The element at `at`. O(1).
    ///
    /// # Panics
    /// If no element is there: the cursor is not one of this listpack as it is now.
    #[inline]
    #[must_use]
    pub fn get(&self, at: Cursor) -> Element<'_> {
        element::decode(&self.as_bytes()[at.0..]).0
    }

    /// The first element from `from` on that has this text, `skipped` elements being left out after
    /// each one that is compared. O(elements).
    #[must_use]
    pub fn find(&self, text: &[u8], from: Cursor, skipped: usize) -> Option<Cursor> {
        let bytes = self.as_bytes();
        let needle = Needle::new(text);
        let mut at = from.0;
        while bytes[at] != END {
            let (element, size) = element::decode(&bytes[at..]);
            if needle.is(element) {
                return Some(Cursor(at));
            }
            at += size + element::backlen_len(size);
            for _ in 0..skipped {
                if bytes[at] == END {
                    return None;
                }
                at += skip(&bytes[at..]);
            }
        }
        None
    }

    /// All elements, first to last.
    #[inline]
    #[must_use]
    pub fn iter(&self) -> Iter<'_> {
        Iter { rest: &self.as_bytes()[HEADER_LEN..self.end()] }
    }

    /// The elements from the one at `from` on.
    #[inline]
    #[must_use]
    pub fn iter_from(&self, from: Cursor) -> Iter<'_> {
        Iter { rest: &self.as_bytes()[from.0..self.end()] }
    }

    /// All elements, last to first.
    #[inline]
    #[must_use]
    pub fn rev_iter(&self) -> RevIter<'_> {
        RevIter { rest: &self.as_bytes()[HEADER_LEN..self.end()] }
    }

    /// The elements from the one at `from` down to the first.
    #[inline]
    #[must_use]
    pub fn rev_iter_from(&self, from: Cursor) -> RevIter<'_> {
        RevIter { rest: &self.as_bytes()[HEADER_LEN..from.0 + self.element_len(from)] }
    }
}

/// An index in the half of the list nearer to its sign's end, for the same element; `None` if there is
/// none.
fn nearer(index: i64, len: i64) -> Option<i64> {
    if index >= len || index < -len {
        None
    } else if index >= 0 {
        Some(if index > len / 2 { index - len } else { index })
    } else {
        Some(if index < -(len / 2) { index + len } else { index })
    }
}

impl<'a> IntoIterator for &'a Listpack {
    type Item = Element<'a>;
    type IntoIter = Iter<'a>;
    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

/// Elements in order, from either end.
#[derive(Clone, Debug, Default)]
pub struct Iter<'a> {
    /// The elements still to come.
    pub(super) rest: &'a [u8],
}

impl<'a> Iterator for Iter<'a> {
    type Item = Element<'a>;

    #[inline]
    fn next(&mut self) -> Option<Element<'a>> {
        if self.rest.is_empty() {
            return None;
        }
        let (element, size) = element::decode(self.rest);
        self.rest = &self.rest[size + element::backlen_len(size)..];
        Some(element)
    }

    fn count(self) -> usize {
        count(self.rest)
    }
}

impl std::iter::FusedIterator for Iter<'_> {}

impl DoubleEndedIterator for Iter<'_> {
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let last = self.rest.split_off(self.last_at()..)?;
        Some(element::decode(last).0)
    }
}

impl<'a> Iter<'a> {
    /// Bytes of the elements still to come.
    #[inline]
    #[must_use]
    pub const fn bytes_left(&self) -> usize {
        self.rest.len()
    }

    /// Skips so many bytes, which are whole elements; says whether there are as many.
    #[inline]
    pub fn skip_bytes(&mut self, bytes: usize) -> bool {
        self.rest.split_off(..bytes).is_some()
    }

    /// Takes the next `count` elements as an iterator of their own; `None`, and takes nothing, if there
    /// are fewer. O(count).
    #[inline]
    pub fn take_front(&mut self, count: usize) -> Option<Self> {
        let mut end = 0;
        for _ in 0..count {
            if end == self.rest.len() {
                return None;
            }
            end += skip(&self.rest[end..]);
        }
        self.rest.split_off(..end).map(|rest| Self { rest })
    }

    /// Takes the last `count` elements as an iterator of their own; `None`, and takes nothing, if there
    /// are fewer. O(count).
    #[inline]
    pub fn take_back(&mut self, count: usize) -> Option<Self> {
        let mut before = self.clone();
        for _ in 0..count {
            if before.rest.is_empty() {
                return None;
            }
            before.rest = &before.rest[..before.last_at()];
        }
        self.rest.split_off(before.rest.len()..).map(|rest| Self { rest })
    }

    /// Offset of the last element, which there is.
    #[inline]
    fn last_at(&self) -> usize {
        let size = element::size_before(self.rest).expect("elements are well formed");
        self.rest.len() - size - element::backlen_len(size)
    }
}

/// Elements in reverse order.
#[derive(Clone, Debug)]
pub struct RevIter<'a> {
    /// The elements still to come, the next one at the end.
    rest: &'a [u8],
}

impl<'a> Iterator for RevIter<'a> {
    type Item = Element<'a>;

    #[inline]
    fn next(&mut self) -> Option<Element<'a>> {
        if self.rest.is_empty() {
            return None;
        }
        let size = element::size_before(self.rest).expect("elements are well formed");
        let (rest, last) = self.rest.split_at(self.rest.len() - size - element::backlen_len(size));
        self.rest = rest;
        Some(element::decode(last).0)
    }
}

impl std::iter::FusedIterator for RevIter<'_> {}
