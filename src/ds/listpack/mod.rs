//! Byte strings packed in one allocation, as Redis lays them out: files, replicas and modules get
//! these very bytes.
//!
//! ```text
//! byte 0..4   total length in bytes, little endian
//! byte 4..6   number of elements, little endian; 65,535: so many or more, to be counted
//! then        the elements (see `element.rs`), each followed by its own size to be read backwards
//! last        0xFF
//! ```
//!
//! Invariant: the bytes are well formed ([`check`] accepts them): the owner only writes such, and
//! takes foreign ones only after that check. So reading them needs no errors, and a wrong
//! [`Cursor`] can at worst panic.
//! Why: a small collection takes little more than its bytes, and a walk through it reads memory in
//! order. The owner is one pointer and stores no capacity: the allocation has the size class of the
//! total length. See `docs/design/listpack.md`.

mod buffer;
mod check;
mod element;
pub mod raw;
mod walk;

use buffer::{Buffer, Gap, TOTAL_LEN};
use element::{END, Encoded};

pub use check::{Malformed, check, check_header};
pub use element::{Digits, Element, INTEGER_TEXT_LEN_MAX, Needle, encoded_len};
pub use walk::{Iter, RevIter};

use crate::base::num;
use crate::ds::relocate::Relocator;

/// Bytes in front of the first element.
const HEADER_LEN: usize = 6;
/// Bytes of an empty listpack.
const LEN_MIN: usize = HEADER_LEN + 1;
/// Bytes of the shortest element.
const ELEMENT_LEN_MIN: usize = 2;
/// The count of a listpack whose elements have to be counted.
const COUNT_UNKNOWN: u16 = u16::MAX;
const EMPTY: [u8; LEN_MIN] = [7, 0, 0, 0, 0, 0, END];

/// Collections leave this encoding before they reach this many bytes; the format itself ends at four
/// times that.
pub const SAFE_LEN_MAX: usize = 1 << 30;

/// The place of an element: its offset, valid until the listpack changes at it or before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor(usize);

/// Packed byte strings; one pointer.
#[repr(transparent)]
pub struct Listpack {
    buffer: Buffer,
}

/// The first bytes of a listpack.
#[derive(Clone, Copy)]
struct Header {
    total: usize,
    count: u16,
}

impl Header {
    /// Reads it from the start of at least [`HEADER_LEN`] bytes.
    #[inline]
    fn of(bytes: &[u8]) -> Self {
        Self {
            total: num::usize_of_u32(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])),
            count: u16::from_le_bytes([bytes[4], bytes[5]]),
        }
    }
}

impl Default for Listpack {
    fn default() -> Self {
        Self::new()
    }
}

impl Clone for Listpack {
    fn clone(&self) -> Self {
        Self { buffer: Buffer::new(self.as_bytes()) }
    }
}

impl std::fmt::Debug for Listpack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self).finish()
    }
}

impl Listpack {
    /// An empty listpack.
    #[must_use]
    pub fn new() -> Self {
        Self { buffer: Buffer::new(&EMPTY) }
    }

    /// A copy of bytes that somebody else wrote. O(bytes).
    ///
    /// # Errors
    /// What is wrong with them, see [`check`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Malformed> {
        check(bytes)?;
        Ok(Self { buffer: Buffer::new(bytes) })
    }

    /// A copy of the bytes of another listpack.
    pub(super) fn of_own_bytes(bytes: &[u8]) -> Self {
        debug_assert!(check(bytes).is_ok());
        Self { buffer: Buffer::new(bytes) }
    }

    /// The bytes, in Redis's layout.
    #[inline]
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.buffer.bytes()
    }

    /// Bytes in use, the seven of an empty listpack included.
    #[inline]
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.buffer.total()
    }

    /// Moves the allocation.
    pub fn relocate(&mut self, to: &mut dyn Relocator) {
        self.buffer.relocate(to);
    }

    /// Bytes asked of the allocator.
    #[must_use]
    pub fn allocated_bytes(&self) -> usize {
        self.buffer.allocated_bytes()
    }

    /// Whether there is room for elements of `added` encoded bytes below [`SAFE_LEN_MAX`].
    #[inline]
    #[must_use]
    pub fn is_safe_to_add(&self, added: usize) -> bool {
        self.bytes().saturating_add(added) <= SAFE_LEN_MAX
    }

    /// Number of elements. O(1), and O(elements) from 65,535 on.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        self.counted().unwrap_or_else(|| self.iter().count())
    }

    /// The number of elements, if the header knows it.
    #[inline]
    fn counted(&self) -> Option<usize> {
        match Header::of(self.as_bytes()).count {
            COUNT_UNKNOWN => None,
            count => Some(usize::from(count)),
        }
    }

    /// Whether there is no element.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes() == LEN_MIN
    }

    // ---- Changes ----

    /// Puts an element in front of all others. O(bytes).
    ///
    /// # Panics
    /// If there would be more than 4 GiB: callers ask [`Listpack::is_safe_to_add`] first. So do all
    /// other ways to add elements.
    #[inline]
    pub fn push_front<'e>(&mut self, element: impl Into<Element<'e>>) {
        self.splice_one(HEADER_LEN, 0, 0, element.into());
    }

    /// Puts an element behind all others. O(length), and O(bytes) where the allocation must grow.
    #[inline]
    pub fn push_back<'e>(&mut self, element: impl Into<Element<'e>>) {
        self.splice_one(self.end(), 0, 0, element.into());
    }

    /// Puts several elements behind all others, in their order, in one step.
    pub fn push_back_all(&mut self, elements: &[Element<'_>]) {
        self.splice_all(self.end(), elements);
    }

    /// Puts several elements in front of the one at `at`, in their order, in one step. O(bytes).
    /// Gives the place of the first.
    pub fn insert_all_before(&mut self, at: Cursor, elements: &[Element<'_>]) -> Cursor {
        self.splice_all(at.0, elements);
        at
    }

    /// Puts an element in front of the one at `at`; gives its place. O(bytes).
    #[inline]
    pub fn insert_before<'e>(&mut self, at: Cursor, element: impl Into<Element<'e>>) -> Cursor {
        self.splice_one(at.0, 0, 0, element.into());
        at
    }

    /// Puts an element behind the one at `at`; gives its place. O(bytes).
    #[inline]
    pub fn insert_after<'e>(&mut self, at: Cursor, element: impl Into<Element<'e>>) -> Cursor {
        let next = at.0 + self.element_len(at);
        self.splice_one(next, 0, 0, element.into());
        Cursor(next)
    }

    /// Puts another element at the place of the one at `at`. O(bytes).
    #[inline]
    pub fn replace<'e>(&mut self, at: Cursor, element: impl Into<Element<'e>>) {
        self.expect_place(at.0);
        let new = Encoded::of(element.into());
        let old_len = self.element_len(at);
        if old_len == new.size_with_backlen() {
            // Equal sizes have equal backlens, which follow.
            self.buffer.overwrite(at.0, new.head());
            self.buffer.overwrite(at.0 + new.head().len(), new.body());
        } else {
            self.buffer.splice(at.0, old_len, new.size_with_backlen(), |gap| put(gap, &new));
        }
    }

    /// Removes the element at `at`; gives the place of the next one. O(bytes).
    #[inline]
    pub fn delete(&mut self, at: Cursor) -> Option<Cursor> {
        let len = self.element_len(at);
        self.remove_bytes(at.0, len, 1);
        self.at(at.0)
    }

    /// Removes up to `count` elements from the one at `at` on; gives the place of the next one.
    /// O(bytes).
    pub fn delete_run(&mut self, at: Cursor, count: usize) -> Option<Cursor> {
        self.remove_run(at, count);
        self.at(at.0)
    }

    /// Removes up to `count` elements from the one at `index` on, counted from the end if negative;
    /// gives how many there were. O(bytes).
    pub fn delete_range(&mut self, index: i64, count: usize) -> usize {
        match self.seek(index) {
            Some(at) => self.remove_run(at, count),
            None => 0,
        }
    }

    fn remove_run(&mut self, at: Cursor, count: usize) -> usize {
        let bytes = self.as_bytes();
        let (mut end, mut removed) = (at.0, 0);
        while removed < count && bytes[end] != END {
            end += walk::skip(&bytes[end..]);
            removed += 1;
        }
        self.remove_bytes(at.0, end - at.0, removed);
        removed
    }

    /// Removes all elements.
    pub fn clear(&mut self) {
        *self = Self::new();
    }

    /// Puts copies of all elements of `other` behind those here, in one step.
    pub fn append(&mut self, other: &Self) {
        let elements = &other.as_bytes()[HEADER_LEN..other.end()];
        let count = other.len();
        self.buffer.splice(self.end(), 0, elements.len(), |gap| gap.put(elements));
        self.recount(0, count);
    }

    /// Moves the elements from the one at `at` on to a listpack of their own. O(bytes).
    #[must_use]
    pub fn split_off(&mut self, at: Cursor) -> Self {
        let mut behind = Self::new();
        let elements = &self.as_bytes()[at.0..self.end()];
        behind.buffer.splice(HEADER_LEN, 0, elements.len(), |gap| gap.put(elements));
        let moved = walk::count(elements);
        behind.recount(0, moved);
        self.remove_bytes(at.0, behind.bytes() - LEN_MIN, moved);
        behind
    }

    /// Replaces `removed` elements of `removed_len` bytes from the offset `at` on by one.
    #[inline]
    fn splice_one(&mut self, at: usize, removed_len: usize, removed: usize, new: Element<'_>) {
        self.expect_place(at);
        let new = Encoded::of(new);
        self.buffer.splice(at, removed_len, new.size_with_backlen(), |gap| put(gap, &new));
        self.recount(removed, 1);
    }

    fn splice_all(&mut self, at: usize, elements: &[Element<'_>]) {
        self.expect_place(at);
        let len = elements.iter().map(Element::encoded_len).sum();
        self.buffer.splice(at, 0, len, |gap| {
            for element in elements {
                put(gap, &Encoded::of(*element));
            }
        });
        self.recount(0, elements.len());
    }

    fn remove_bytes(&mut self, at: usize, len: usize, removed: usize) {
        self.expect_place(at);
        self.buffer.splice(at, len, 0, |_| ());
        self.recount(removed, 0);
    }

    /// Elements stand between the header and the end mark, whatever cursor a caller made up.
    #[inline]
    fn expect_place(&self, at: usize) {
        assert!((HEADER_LEN..=self.end()).contains(&at), "a cursor of this listpack");
    }

    /// Brings the count up to date.
    #[inline]
    fn recount(&mut self, removed: usize, added: usize) {
        let count = match self.counted() {
            Some(count) => count + added - removed,
            // So few bytes cannot hold elements beyond what the header can count.
            None if self.bytes() < LEN_MIN + usize::from(COUNT_UNKNOWN) * ELEMENT_LEN_MIN => {
                self.iter().count()
            }
            None => return,
        };
        let count = u16::try_from(count).unwrap_or(COUNT_UNKNOWN);
        self.buffer.overwrite(TOTAL_LEN, &count.to_le_bytes());
    }

    /// Checks every byte.
    #[cfg(any(test, fuzzing))]
    pub fn check_invariants(&self) {
        assert_eq!(check(self.as_bytes()), Ok(self.iter().count()));
        assert_eq!(self.allocated_bytes(), crate::ds::size_class::size_class(self.bytes()));
        let mut backwards: Vec<_> = self.rev_iter().collect();
        backwards.reverse();
        assert_eq!(backwards, self.iter().collect::<Vec<_>>());
    }
}

#[inline]
fn put(gap: &mut Gap, element: &Encoded<'_>) {
    gap.put(element.head());
    gap.put(element.body());
    let (backlen, len) = element::backlen(element.size());
    gap.put(&backlen[..len]);
}

#[cfg(test)]
mod tests;
