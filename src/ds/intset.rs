//! A sorted array of distinct integers in one allocation: what a small set of integers is.
//!
//! ```text
//! byte 0..4   encoding, u32: bytes of each integer, 2, 4 or 8
//! byte 4..8   length, u32: number of integers
//! then        the integers, signed, ascending
//! ```
//! All little-endian. These are the bytes that snapshots and modules see, so they are Redis's.
//!
//! Invariants: the integers ascend strictly; the encoding is wide enough for each (it widens when
//! one is added that does not fit, and never narrows); the allocation's size is [`size_class`] of
//! what header and integers need, so that it can be freed without storing its capacity.
//! Why: an integer takes 2 to 8 bytes where a member of a table takes 30, and a search in a few
//! hundred of them stays within some cache lines.
#![expect(unsafe_code, reason = "a packed layout in raw memory behind one pointer")]

use super::entry::Thin;
use super::relocate::{self, Relocator};
use super::size_class::size_class;
use crate::base::num;
use crate::base::rng::Rng;
use std::alloc::{Layout, alloc, dealloc, handle_alloc_error, realloc};
use std::cmp::Ordering;
use std::num::NonZeroU64;
use std::ops::Range;
use std::ptr::{self, NonNull};

/// Most integers in a set. Types convert to another encoding long before.
pub const LEN_MAX: usize = 1 << 30;

const HEADER_LEN: usize = 8;
const LENGTH_AT: usize = 4;
const ALIGN: usize = 8;
// The integers begin where the widest of them may.
const _: () = assert!(HEADER_LEN.is_multiple_of(ALIGN) && align_of::<i64>() <= ALIGN);

/// A set of integers, ascending; owns its allocation.
///
/// It is its allocation's address (with exposed provenance), not a pointer, since that is what an
/// entry keeps and lends.
#[repr(transparent)]
pub struct IntSet(NonZeroU64);

/// Bytes of each integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Encoding {
    I16,
    I32,
    I64,
}

impl Encoding {
    const fn width(self) -> usize {
        match self {
            Self::I16 => 2,
            Self::I32 => 4,
            Self::I64 => 8,
        }
    }

    const fn code(self) -> u32 {
        match self {
            Self::I16 => 2,
            Self::I32 => 4,
            Self::I64 => 8,
        }
    }

    const fn of_code(code: u32) -> Option<Self> {
        match code {
            2 => Some(Self::I16),
            4 => Some(Self::I32),
            8 => Some(Self::I64),
            _ => None,
        }
    }

    /// The narrowest that holds `value`.
    fn of_value(value: i64) -> Self {
        if i16::try_from(value).is_ok() {
            Self::I16
        } else if i32::try_from(value).is_ok() {
            Self::I32
        } else {
            Self::I64
        }
    }
}

/// An integer as the array holds it: little-endian.
trait Int: Copy + TryFrom<i64> {
    fn get(self) -> i64;
    fn put(value: i64) -> Option<Self>;
}

macro_rules! ints {
    ($($ty:ty),+) => { $(
        impl Int for $ty {
            #[inline]
            fn get(self) -> i64 {
                Self::from_le(self).into()
            }
            #[inline]
            fn put(value: i64) -> Option<Self> {
                Self::try_from(value).ok().map(Self::to_le)
            }
        }
    )+ };
}
ints!(i16, i32, i64);

/// The integers, by their width.
#[derive(Clone, Copy)]
enum Ints<'a> {
    I16(&'a [i16]),
    I32(&'a [i32]),
    I64(&'a [i64]),
}

impl Ints<'_> {
    #[inline]
    fn get(self, index: usize) -> Option<i64> {
        match self {
            Self::I16(ints) => ints.get(index).map(|int| int.get()),
            Self::I32(ints) => ints.get(index).map(|int| int.get()),
            Self::I64(ints) => ints.get(index).map(|int| int.get()),
        }
    }

    #[inline]
    fn search(self, value: i64) -> Result<usize, usize> {
        match self {
            Self::I16(ints) => search(ints, value),
            Self::I32(ints) => search(ints, value),
            Self::I64(ints) => search(ints, value),
        }
    }

    /// The first index whose integer is not above the one before it.
    fn disorder(self) -> Option<usize> {
        match self {
            Self::I16(ints) => disorder(ints),
            Self::I32(ints) => disorder(ints),
            Self::I64(ints) => disorder(ints),
        }
    }
}

/// Where `value` is, or where it would go. (The standard search selects without branches, which for
/// an order nobody can predict is what counts.)
#[inline]
fn search<T: Int>(ints: &[T], value: i64) -> Result<usize, usize> {
    match ints.last() {
        // Growing sets of identifiers end here.
        Some(last) if last.get() < value => Err(ints.len()),
        Some(_) | None => ints.binary_search_by(|int| int.get().cmp(&value)),
    }
}

fn disorder<T: Int>(ints: &[T]) -> Option<usize> {
    let at = ints.windows(2).position(|pair| pair[0].get() >= pair[1].get())?;
    Some(at + 1)
}

/// Why bytes are no intset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// Shorter than a header.
    Truncated {
        /// How many bytes there are.
        found: usize,
    },
    /// An encoding that is none.
    UnknownEncoding {
        /// The one in the header.
        found: u32,
    },
    /// Not as long as the header says.
    WrongLength {
        /// Bytes there should be.
        expected: u64,
        /// Bytes there are.
        found: usize,
    },
    /// Without integers; a set has some.
    Empty,
    /// More than [`LEN_MAX`] integers.
    TooMany {
        /// How many.
        found: u32,
    },
    /// Not ascending.
    OutOfOrder {
        /// The first integer that is not above the one before it.
        index: usize,
    },
}

impl std::fmt::Display for Malformed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Truncated { found } => write!(f, "{found} bytes are shorter than a header"),
            Self::UnknownEncoding { found } => write!(f, "there is no encoding {found}"),
            Self::WrongLength { expected, found } => {
                write!(f, "the header says {expected} bytes, there are {found}")
            }
            Self::Empty => f.write_str("there are no integers"),
            Self::TooMany { found } => write!(f, "{found} integers are too many"),
            Self::OutOfOrder { index } => write!(f, "integer {index} is out of order"),
        }
    }
}

impl std::error::Error for Malformed {}

impl Default for IntSet {
    fn default() -> Self {
        Self::new()
    }
}

impl IntSet {
    /// An empty set. Allocates its header.
    #[must_use]
    pub fn new() -> Self {
        Self::allocate(Encoding::I16, 0)
    }

    /// A set from bytes that may come from anywhere. O(n).
    ///
    /// # Errors
    /// They are not exactly one intset with at least one integer.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Malformed> {
        let Some((header, _)) = bytes.split_first_chunk::<HEADER_LEN>() else {
            return Err(Malformed::Truncated { found: bytes.len() });
        };
        let [a, b, c, d, e, f, g, h] = *header;
        let code = u32::from_le_bytes([a, b, c, d]);
        let Some(encoding) = Encoding::of_code(code) else {
            return Err(Malformed::UnknownEncoding { found: code });
        };
        let len = u32::from_le_bytes([e, f, g, h]);
        let width = num::u64_of(encoding.width());
        let expected = num::u64_of(HEADER_LEN) + u64::from(len) * width;
        if expected != num::u64_of(bytes.len()) {
            return Err(Malformed::WrongLength { expected, found: bytes.len() });
        }
        if len == 0 {
            return Err(Malformed::Empty);
        }
        if num::usize_of_u32(len) > LEN_MAX {
            return Err(Malformed::TooMany { found: len });
        }
        let set = Self::copy_of(encoding, num::usize_of_u32(len), bytes);
        match set.ints().disorder() {
            Some(index) => Err(Malformed::OutOfOrder { index }),
            None => Ok(set),
        }
    }

    /// Its bytes, as [`IntSet::from_bytes`] takes them.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        let len = size(self.encoding(), self.len());
        // SAFETY: the allocation holds header and integers, all initialised, while `self` is lent.
        unsafe { std::slice::from_raw_parts(self.start().as_ptr(), len) }
    }

    /// Integers in the set.
    #[inline]
    pub fn len(&self) -> usize {
        // SAFETY: the allocation begins with a header of two words, the second of which is the
        // length; it is aligned for them.
        num::usize_of_u32(u32::from_le(unsafe { self.start().add(LENGTH_AT).cast().read() }))
    }

    /// Whether there are none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether `value` is in the set. O(log n).
    #[inline]
    pub fn contains(&self, value: i64) -> bool {
        self.ints().search(value).is_ok()
    }

    /// The integer at `index`, ascending.
    #[inline]
    pub fn get(&self, index: usize) -> Option<i64> {
        self.ints().get(index)
    }

    /// Adds `value`; false if it was there. O(log n), and O(n) to move those above it, or all if
    /// it needs more bytes than they.
    ///
    /// # Panics
    /// If there are [`LEN_MAX`] already.
    pub fn insert(&mut self, value: i64) -> bool {
        let (encoding, len) = (self.encoding(), self.len());
        if Encoding::of_value(value) > encoding {
            self.widen(Encoding::of_value(value), value);
            return true;
        }
        let Err(at) = self.ints().search(value) else { return false };
        self.resize(encoding, len + 1);
        self.shift(encoding, at..len, at + 1);
        self.write(encoding, at, value);
        true
    }

    /// Takes `value` out; false if it was not there. O(log n), and O(n) to move those above it.
    pub fn remove(&mut self, value: i64) -> bool {
        match self.ints().search(value) {
            Ok(at) => {
                self.remove_at(at);
                true
            }
            Err(_) => false,
        }
    }

    /// Takes the integer at `index` out and returns it. O(n).
    pub fn remove_at(&mut self, index: usize) -> Option<i64> {
        let value = self.get(index)?;
        let (encoding, len) = (self.encoding(), self.len());
        self.shift(encoding, index + 1..len, index);
        self.resize(encoding, len - 1);
        Some(value)
    }

    /// Keeps those integers, asked for in ascending order, for which `f` is true. O(n).
    pub fn retain(&mut self, mut f: impl FnMut(i64) -> bool) {
        let (encoding, len) = (self.encoding(), self.len());
        let mut kept = 0;
        for index in 0..len {
            let value = self.get(index).expect("an index below the length");
            if f(value) {
                if kept < index {
                    self.write(encoding, kept, value);
                }
                kept += 1;
            }
        }
        self.resize(encoding, kept);
    }

    /// A random integer, each as likely as the others. O(1).
    pub fn random(&self, rng: &mut Rng) -> Option<i64> {
        if self.is_empty() { None } else { self.get(rng.below_usize(self.len())) }
    }

    /// All integers, ascending.
    #[inline]
    pub fn iter(&self) -> Iter<'_> {
        Iter { ints: self.ints(), range: 0..self.len() }
    }

    /// Bytes of the allocation.
    pub fn memory_bytes(&self) -> usize {
        size_class(size(self.encoding(), self.len()))
    }

    /// Moves the allocation.
    pub fn relocate(&mut self, to: &mut dyn Relocator) {
        let layout = layout(self.encoding(), self.len());
        // SAFETY: the set owns its block, allocated with the layout of its header's numbers (the
        // module's invariant); it is borrowed exclusively, and the address is kept here alone.
        let moved = unsafe { relocate::block(self.start(), layout, to) };
        self.set_start(moved);
    }

    #[inline]
    fn start(&self) -> NonNull<u8> {
        NonNull::new(ptr::with_exposed_provenance_mut(num::usize_of(self.0.get())))
            .expect("an address that is not zero")
    }

    fn set_start(&mut self, start: NonNull<u8>) {
        let address = start.expose_provenance().get();
        self.0 = NonZeroU64::new(num::u64_of(address)).expect("pointers are not null");
    }

    #[inline]
    fn encoding(&self) -> Encoding {
        // SAFETY: the allocation begins with a header of two words, the first of which is the
        // encoding; it is aligned for them.
        match u32::from_le(unsafe { self.start().cast().read() }) {
            2 => Encoding::I16,
            4 => Encoding::I32,
            _ => Encoding::I64,
        }
    }

    #[inline]
    fn ints(&self) -> Ints<'_> {
        let (encoding, len) = (self.encoding(), self.len());
        // SAFETY: the header lies within the allocation.
        let first = unsafe { self.start().add(HEADER_LEN) };
        match encoding {
            Encoding::I16 => Ints::I16(
                // SAFETY: `len` initialised integers of this width follow the header, aligned as the
                // allocation is, and do not change while `self` is lent.
                unsafe { std::slice::from_raw_parts(first.cast().as_ptr(), len) },
            ),
            Encoding::I32 => Ints::I32(
                // SAFETY: as above.
                unsafe { std::slice::from_raw_parts(first.cast().as_ptr(), len) },
            ),
            Encoding::I64 => Ints::I64(
                // SAFETY: as above.
                unsafe { std::slice::from_raw_parts(first.cast().as_ptr(), len) },
            ),
        }
    }

    /// A set with room for `len` integers, which are yet to be written if there are any.
    fn allocate(encoding: Encoding, len: usize) -> Self {
        let layout = layout(encoding, len);
        // SAFETY: there is a header, so the size is not zero.
        let start = unsafe { alloc(layout) };
        let Some(start) = NonNull::new(start) else { handle_alloc_error(layout) };
        let mut set = Self(NonZeroU64::MIN);
        set.set_start(start);
        set.write_header(encoding, len);
        set
    }

    /// A set of the bytes of a whole one, header included.
    fn copy_of(encoding: Encoding, len: usize, bytes: &[u8]) -> Self {
        assert_eq!(bytes.len(), size(encoding, len), "callers compare this");
        let set = Self::allocate(encoding, len);
        // SAFETY: a new allocation of at least this size, which overlaps nothing.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), set.start().as_ptr(), bytes.len()) };
        set
    }

    fn write_header(&mut self, encoding: Encoding, len: usize) {
        let len = num::u32_of(len, "an intset is shorter than LEN_MAX");
        let header = [encoding.code().to_le(), len.to_le()];
        // SAFETY: the allocation begins with the header's two words, aligned for them.
        unsafe { self.start().cast::<[u32; 2]>().write(header) };
    }

    /// Makes the allocation fit, and the header say, so many integers of this width; callers write
    /// those that were not there.
    fn resize(&mut self, encoding: Encoding, len: usize) {
        assert!(len <= LEN_MAX, "types convert sets that grow longer");
        let old = layout(self.encoding(), self.len());
        let new = layout(encoding, len);
        if new.size() != old.size() {
            // SAFETY: allocated with the layout of its header's numbers (the invariant above); the
            // new size is not zero.
            let moved = unsafe { realloc(self.start().as_ptr(), old, new.size()) };
            let Some(moved) = NonNull::new(moved) else { handle_alloc_error(new) };
            self.set_start(moved);
        }
        self.write_header(encoding, len);
    }

    /// Moves the integers at `from` so that the first is at index `to`.
    fn shift(&mut self, encoding: Encoding, from: Range<usize>, to: usize) {
        let (count, width) = (from.len() * encoding.width(), encoding.width());
        let base = HEADER_LEN;
        let (source, target) = (base + from.start * width, base + to * width);
        debug_assert!(source.max(target) + count <= self.memory_bytes());
        // SAFETY: callers name integers within the allocation and room for as many; it covers both.
        let source = unsafe { self.start().add(source) };
        // SAFETY: as above.
        let target = unsafe { self.start().add(target) };
        // SAFETY: as above; the ranges may overlap.
        unsafe { ptr::copy(source.as_ptr(), target.as_ptr(), count) };
    }

    /// Writes `value`, which fits the width, at `index`.
    fn write(&mut self, encoding: Encoding, index: usize, value: i64) {
        match encoding {
            Encoding::I16 => self.write_int::<i16>(index, value),
            Encoding::I32 => self.write_int::<i32>(index, value),
            Encoding::I64 => self.write_int::<i64>(index, value),
        }
    }

    fn write_int<T: Int>(&mut self, index: usize, value: i64) {
        let int = T::put(value).expect("the encoding is wide enough");
        let at = HEADER_LEN + index * size_of::<T>();
        debug_assert!(at + size_of::<T>() <= self.memory_bytes());
        // SAFETY: callers name an index below the length that the allocation was made for.
        let place = unsafe { self.start().add(at) };
        // SAFETY: as above; integers begin at a multiple of their width in an 8-aligned allocation.
        unsafe { place.cast::<T>().write(int) };
    }

    /// The integer of this width at `index`.
    fn read(&self, encoding: Encoding, index: usize) -> i64 {
        match encoding {
            Encoding::I16 => self.read_int::<i16>(index),
            Encoding::I32 => self.read_int::<i32>(index),
            Encoding::I64 => self.read_int::<i64>(index),
        }
    }

    fn read_int<T: Int>(&self, index: usize) -> i64 {
        // SAFETY: callers name an integer that was written with this width; the allocation covers it.
        let place = unsafe { self.start().add(HEADER_LEN + index * size_of::<T>()) };
        // SAFETY: as above, and aligned as in `write_int`.
        unsafe { place.cast::<T>().read() }.get()
    }

    /// Adds `value`, which no narrower encoding holds: hence it is below or above all others.
    #[cold]
    fn widen(&mut self, encoding: Encoding, value: i64) {
        let (old, len) = (self.encoding(), self.len());
        self.resize(encoding, len + 1);
        let first = usize::from(value < 0);
        // From the last on, so that none is overwritten before it was moved.
        for index in (0..len).rev() {
            let moved = self.read(old, index);
            self.write(encoding, first + index, moved);
        }
        self.write(encoding, if value < 0 { 0 } else { len }, value);
    }
}

/// Bytes of header and integers.
#[inline]
const fn size(encoding: Encoding, len: usize) -> usize {
    HEADER_LEN + len * encoding.width()
}

fn layout(encoding: Encoding, len: usize) -> Layout {
    Layout::from_size_align(size_class(size(encoding, len)), ALIGN)
        .expect("LEN_MAX integers fit the address space")
}

impl Drop for IntSet {
    fn drop(&mut self) {
        let layout = layout(self.encoding(), self.len());
        // SAFETY: allocated with the layout of its header's numbers (the invariant above).
        unsafe { dealloc(self.start().as_ptr(), layout) };
    }
}

impl Clone for IntSet {
    fn clone(&self) -> Self {
        Self::copy_of(self.encoding(), self.len(), self.as_bytes())
    }
}

impl std::fmt::Debug for IntSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl PartialEq for IntSet {
    fn eq(&self, other: &Self) -> bool {
        self.iter().cmp(other.iter()) == Ordering::Equal
    }
}

impl Eq for IntSet {}

impl FromIterator<i64> for IntSet {
    fn from_iter<I: IntoIterator<Item = i64>>(values: I) -> Self {
        let mut set = Self::new();
        for value in values {
            set.insert(value);
        }
        set
    }
}

/// The integers of a set, ascending.
#[derive(Clone)]
pub struct Iter<'a> {
    ints: Ints<'a>,
    range: Range<usize>,
}

impl Iterator for Iter<'_> {
    type Item = i64;

    #[inline]
    fn next(&mut self) -> Option<i64> {
        self.ints.get(self.range.next()?)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.range.size_hint()
    }
}

impl DoubleEndedIterator for Iter<'_> {
    #[inline]
    fn next_back(&mut self) -> Option<i64> {
        self.ints.get(self.range.next_back()?)
    }
}

impl ExactSizeIterator for Iter<'_> {}

impl<'a> IntoIterator for &'a IntSet {
    type Item = i64;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

// SAFETY: the word is the set itself, whose provenance is exposed.
unsafe impl Thin for IntSet {
    type Target = IntSet;

    fn into_word(self) -> u64 {
        std::mem::ManuallyDrop::new(self).0.get()
    }

    unsafe fn from_word(word: u64) -> Self {
        Self(NonZeroU64::new(word).expect("a set's address is not zero"))
    }

    #[inline]
    unsafe fn borrow(word: &u64) -> &Self {
        // SAFETY: the caller lends a set's word, and a set is nothing but that word.
        unsafe { NonNull::from(word).cast().as_ref() }
    }
}

#[cfg(any(test, fuzzing))]
impl IntSet {
    /// Checks everything the module promises. O(n).
    pub fn check_invariants(&self) {
        assert_eq!(self.ints().disorder(), None, "integers ascend");
        let widest = self.iter().map(Encoding::of_value).max();
        assert!(widest.is_none_or(|widest| widest <= self.encoding()));
        if !self.is_empty() {
            let again = Self::from_bytes(self.as_bytes()).expect("these are the bytes of a set");
            assert_eq!(again.as_bytes(), self.as_bytes());
        }
    }
}

#[cfg(test)]
mod tests;
