//! The memory behind a listpack: one allocation that holds its total length in its first four bytes.
//!
//! Invariant: those four bytes (little endian) count the bytes in use, all of which are
//! initialised, and the allocation's size is the size class of that count.
#![expect(unsafe_code, reason = "raw memory without a stored capacity")]

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error, realloc};
use std::num::NonZeroUsize;
use std::ptr::{self, NonNull};

use super::Listpack;
use crate::base::num;
use crate::ds::entry::Thin;
use crate::ds::relocate::{self, Relocator};
use crate::ds::size_class::size_class;

/// Bytes of the total length.
pub(super) const TOTAL_LEN: usize = size_of::<u32>();

const ALIGN: usize = align_of::<u64>();

/// An owned allocation.
///
/// It is kept as an address whose provenance is exposed, not as a pointer, because an entry keeps
/// its value's word as an integer, and lends it as it is.
#[repr(transparent)]
pub(super) struct Buffer(NonZeroUsize);

const _: () = assert!(size_of::<Option<Listpack>>() == size_of::<u64>());
const _: () = assert!(align_of::<Listpack>() == align_of::<u64>());

/// The allocation for `total` bytes in use.
fn layout(total: usize) -> Layout {
    Layout::from_size_align(size_class(total), ALIGN).expect("a total length has 32 bits")
}

/// Room in the middle of a buffer, to be filled from its start.
pub(super) struct Gap {
    next: NonNull<u8>,
    left: usize,
}

impl Gap {
    /// Fills the next bytes of the room.
    ///
    /// # Panics
    /// If there is not so much room left.
    #[inline]
    pub(super) fn put(&mut self, bytes: &[u8]) {
        assert!(bytes.len() <= self.left, "the room was asked for these bytes");
        // SAFETY: `left` bytes from `next` on belong to the buffer that is being changed, and its
        // exclusive borrow keeps `bytes` from overlapping them.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), self.next.as_ptr(), bytes.len()) };
        // SAFETY: at most one past the room.
        self.next = unsafe { self.next.add(bytes.len()) };
        self.left -= bytes.len();
    }
}

impl Buffer {
    /// A buffer of these bytes, which begin with their own number.
    ///
    /// # Panics
    /// If they do not.
    pub(super) fn new(bytes: &[u8]) -> Self {
        let stated = bytes.first_chunk().map(|total| u32::from_le_bytes(*total));
        assert!(stated.map(num::usize_of_u32) == Some(bytes.len()), "a listpack states its length");
        let layout = layout(bytes.len());
        // SAFETY: at least four bytes, asserted above.
        let start = unsafe { alloc(layout) };
        let Some(start) = NonNull::new(start) else { handle_alloc_error(layout) };
        // SAFETY: freshly allocated for at least so many bytes.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), start.as_ptr(), bytes.len()) };
        Self::owning(start)
    }

    fn owning(start: NonNull<u8>) -> Self {
        Self(start.expose_provenance())
    }

    #[inline]
    fn start(&self) -> NonNull<u8> {
        NonNull::with_exposed_provenance(self.0)
    }

    /// Moves the allocation.
    pub(super) fn relocate(&mut self, to: &mut dyn Relocator) {
        let layout = layout(self.total());
        // SAFETY: the buffer owns its block, whose size is the class of what is in use (the module's
        // invariant); it is borrowed exclusively, and the address is kept here alone.
        let moved = unsafe { relocate::block(self.start(), layout, to) };
        self.0 = moved.expose_provenance();
    }

    /// How many bytes are in use.
    #[inline]
    pub(super) fn total(&self) -> usize {
        // SAFETY: the allocation begins with these four bytes, aligned to eight.
        num::usize_of_u32(u32::from_le(unsafe { self.start().cast::<u32>().read() }))
    }

    /// The bytes in use.
    #[inline]
    pub(super) fn bytes(&self) -> &[u8] {
        // SAFETY: `total` initialised bytes are in the allocation, which `self` lends.
        unsafe { std::slice::from_raw_parts(self.start().as_ptr(), self.total()) }
    }

    /// Changes bytes behind the total length in place.
    ///
    /// # Panics
    /// If they are not behind it, or not in use.
    #[inline]
    pub(super) fn overwrite(&mut self, at: usize, bytes: &[u8]) {
        assert!(at >= TOTAL_LEN, "only a splice changes the length");
        // SAFETY: `total` initialised bytes are in the allocation, which `self` lends exclusively.
        let used = unsafe { std::slice::from_raw_parts_mut(self.start().as_ptr(), self.total()) };
        used[at..at + bytes.len()].copy_from_slice(bytes);
    }

    /// Bytes asked of the allocator.
    pub(super) fn allocated_bytes(&self) -> usize {
        layout(self.total()).size()
    }

    /// Replaces `removed` bytes from `at` on by `added` others, which `fill` puts in. O(bytes that
    /// follow), and a move of all where the size class changes.
    ///
    /// # Panics
    /// If the bytes to be removed are not in use or include the total length; if there would be more
    /// than 4 GiB; if `fill` fills less.
    #[inline]
    pub(super) fn splice(
        &mut self,
        at: usize,
        removed: usize,
        added: usize,
        fill: impl FnOnce(&mut Gap),
    ) {
        let total = self.total();
        assert!(at >= TOTAL_LEN && removed <= total && at <= total - removed, "bytes in use");
        let new_total = (total - removed) + added;
        let header = num::u32_of(new_total, "a listpack stays below 4 GiB").to_le_bytes();
        if new_total > total {
            self.resize(total, new_total);
        }
        let start = self.start();
        let follow = total - removed - at;
        // SAFETY: `at + removed + follow == total`, all in the allocation.
        let from = unsafe { start.add(at + removed) };
        // SAFETY: `at + added + follow == new_total`, all in the allocation, which has room for the
        // larger of both totals.
        let to = unsafe { start.add(at + added) };
        // SAFETY: as above; the ranges may overlap.
        unsafe { ptr::copy(from.as_ptr(), to.as_ptr(), follow) };
        // SAFETY: the allocation begins with these four bytes.
        unsafe { start.cast::<[u8; TOTAL_LEN]>().write(header) };
        if new_total < total {
            self.resize(total, new_total);
        }
        // SAFETY: `at` is within the allocation, which may have moved.
        let next = unsafe { self.start().add(at) };
        let mut gap = Gap { next, left: added };
        fill(&mut gap);
        assert!(gap.left == 0, "the room was asked for more bytes");
    }

    /// Moves the allocation from the size class of `from` bytes to that of `to`.
    #[inline]
    fn resize(&mut self, from: usize, to: usize) {
        let (old, new) = (layout(from), layout(to));
        if old == new {
            return;
        }
        // SAFETY: allocated with the layout of `from` bytes; the new size is a size class above 0.
        let start = unsafe { realloc(self.start().as_ptr(), old, new.size()) };
        let Some(start) = NonNull::new(start) else { handle_alloc_error(new) };
        self.0 = start.expose_provenance();
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let layout = layout(self.total());
        // SAFETY: allocated with the layout of the total length (the invariant above).
        unsafe { dealloc(self.start().as_ptr(), layout) };
    }
}

// SAFETY: a listpack is the address of an allocation that it owns, exposed by `Buffer::owning`, in
// one word; `repr(transparent)` makes a word that holds such an address a listpack.
unsafe impl Thin for Listpack {
    type Target = Self;
    #[inline]
    fn into_word(self) -> u64 {
        num::u64_of(std::mem::ManuallyDrop::new(self).buffer.0.get())
    }
    #[inline]
    unsafe fn from_word(word: u64) -> Self {
        let address = NonZeroUsize::new(num::usize_of(word)).expect("the word of a listpack");
        Self { buffer: Buffer(address) }
    }
    #[inline]
    unsafe fn borrow(word: &u64) -> &Self {
        // SAFETY: the word holds the address of a listpack, which is all that one is.
        unsafe { NonNull::from(word).cast::<Self>().as_ref() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_owner_is_one_word() {
        let mut list = Listpack::new();
        list.push_back(b"a");
        list.push_back(b"5");
        let word = list.into_word();
        // SAFETY: still owned.
        assert_eq!(unsafe { Listpack::borrow(&word) }.len(), 2);
        // SAFETY: used once.
        let list = unsafe { Listpack::from_word(word) };
        let texts: Vec<_> = list.iter().map(|element| element.to_vec()).collect();
        assert_eq!(texts, [b"a", b"5"]);
    }
}
