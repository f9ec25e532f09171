//! An item that is its key and a score: what a large sorted set holds.
//!
//! ```text
//! byte 0..8   score
//! byte 8      length, if below 255; otherwise 255 and eight bytes of length follow
//! then        the bytes
//! ```
//! A member of 14 bytes takes 23, which an allocator serves from 32.

use crate::base::num;
use crate::ds::dict::Item;
use crate::ds::relocate::Relocator;
use std::alloc::{self, Layout};
use std::mem::ManuallyDrop;
use std::ptr::NonNull;

/// An owned byte string with a score, behind one thin pointer.
pub struct Scored(NonNull<u8>);

// SAFETY: it owns its allocation, like a boxed slice.
unsafe impl Send for Scored {}
// SAFETY: `&Scored` only reads.
unsafe impl Sync for Scored {}

const SCORE_LEN: usize = size_of::<f64>();
/// The length byte of a member whose length is in the eight bytes after it.
const LONG: u8 = u8::MAX;
const LONG_LEN: usize = 1 + size_of::<u64>();

impl Scored {
    /// A copy of `bytes` with its score. O(length).
    #[must_use]
    pub fn new(score: f64, bytes: &[u8]) -> Scored {
        let layout = layout(bytes.len());
        // SAFETY: there is a score, so the size is not zero.
        let pointer = unsafe { alloc::alloc(layout) };
        let start = NonNull::new(pointer).unwrap_or_else(|| alloc::handle_alloc_error(layout));
        // SAFETY: the allocation begins with an aligned score.
        unsafe { start.cast::<f64>().write(score) };
        let mut length = [LONG; LONG_LEN];
        let length = match u8::try_from(bytes.len()) {
            Ok(short) if short < LONG => {
                length[0] = short;
                &length[..1]
            }
            _ => {
                length[1..].copy_from_slice(&num::u64_of(bytes.len()).to_le_bytes());
                &length[..]
            }
        };
        // SAFETY: the length follows the score within the allocation.
        let at = unsafe { start.add(SCORE_LEN) };
        // SAFETY: as above; a new allocation overlaps nothing.
        unsafe { at.copy_from_nonoverlapping(NonNull::from(length).cast(), length.len()) };
        // SAFETY: the bytes follow the length within the allocation.
        let body = unsafe { at.add(length.len()) };
        // SAFETY: the allocation ends with room for the bytes.
        unsafe { body.copy_from_nonoverlapping(NonNull::from(bytes).cast(), bytes.len()) };
        Scored(start)
    }

    /// The member.
    #[inline]
    #[must_use]
    pub fn member(&self) -> &[u8] {
        // SAFETY: `self` owns the allocation and is borrowed as long as the result.
        unsafe { Scored::key_of(self.0) }
    }

    /// The score.
    #[inline]
    #[must_use]
    pub fn score(&self) -> f64 {
        // SAFETY: `self` owns the allocation, which begins with the score.
        unsafe { self.0.cast::<f64>().read() }
    }

    /// Changes the score; the key stays.
    #[inline]
    pub(super) fn set_score(&mut self, score: f64) {
        // SAFETY: `self` owns the allocation, exclusively borrowed, which begins with the score.
        unsafe { self.0.cast::<f64>().write(score) };
    }

    /// Whether the allocation should be moved.
    pub(super) fn is_worth_moving(&self, to: &mut dyn Relocator) -> bool {
        to.is_worth_moving(self.0, layout(self.member().len()))
    }

    /// Moves the allocation. Whoever keeps its address, as the list does, must be told.
    pub(super) fn relocate(&mut self, to: &mut dyn Relocator) {
        let layout = layout(self.member().len());
        // SAFETY: it owns its block, allocated in `new` with the layout of this length, and is borrowed
        // exclusively; the set that holds it replaces the address that its list keeps.
        self.0 = unsafe { to.relocate(self.0, layout) };
    }

    /// Bytes asked of the allocator.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        layout(self.member().len()).size()
    }
}

fn layout(len: usize) -> Layout {
    let header = SCORE_LEN + if len < usize::from(LONG) { 1 } else { LONG_LEN };
    let size = len.checked_add(header).expect("a slice is shorter than this");
    Layout::from_size_align(size, align_of::<f64>())
        .expect("a slice and 17 bytes fit the address space")
}

impl Drop for Scored {
    fn drop(&mut self) {
        let layout = layout(self.member().len());
        // SAFETY: allocated in `new` with the layout of this length, which never changes.
        unsafe { alloc::dealloc(self.0.as_ptr(), layout) };
    }
}

// SAFETY: the allocation is 8-aligned and in user space, below 2^48; `Scored` is a plain pointer
// and its bytes never change.
unsafe impl Item for Scored {
    #[inline]
    fn into_raw(self) -> NonNull<u8> {
        ManuallyDrop::new(self).0
    }

    #[inline]
    unsafe fn from_raw(raw: NonNull<u8>) -> Scored {
        Scored(raw)
    }

    #[inline]
    unsafe fn key_of<'a>(raw: NonNull<u8>) -> &'a [u8] {
        // SAFETY: the length follows the score.
        let at = unsafe { raw.add(SCORE_LEN) };
        // SAFETY: a living item has a length byte there.
        let first = unsafe { at.read() };
        let (header, len) = if first == LONG {
            // SAFETY: after LONG come eight bytes of length.
            let at = unsafe { at.add(1) };
            // SAFETY: as above; arrays of bytes need no alignment.
            let length = unsafe { at.cast::<[u8; 8]>().read() };
            (LONG_LEN, num::usize_of(u64::from_le_bytes(length)))
        } else {
            (1, usize::from(first))
        };
        // SAFETY: the bytes follow the length.
        let bytes = unsafe { at.add(header) };
        // SAFETY: `new` wrote `len` bytes there; they stay as long as the item, says the caller.
        unsafe { std::slice::from_raw_parts(bytes.as_ptr(), len) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_of_every_length_give_their_bytes_and_score_back() {
        for len in [0, 1, 14, 15, 254, 255, 256, 70_000] {
            let bytes: Vec<u8> = (0..len).map(|n| num::low_u8(num::u64_of(n * 7))).collect();
            let mut item = Scored::new(1.5, &bytes);
            assert_eq!((item.score(), item.member()), (1.5, &bytes[..]));
            item.set_score(-0.25);
            assert_eq!((item.score(), item.member()), (-0.25, &bytes[..]));
            assert_eq!(item.memory_bytes(), 8 + if len < 255 { 1 } else { 9 } + len);
        }
    }
}
