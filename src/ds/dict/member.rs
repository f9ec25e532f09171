//! An item that is nothing but its key: what a set holds.
//!
//! One allocation: the length, then the bytes. A length below 255 takes one byte, so members of up
//! to 15 bytes fit an allocator's 16.

use super::Item;
use crate::base::num;
use crate::ds::relocate::{self, Relocator};
use std::alloc::{self, Layout};
use std::ptr::NonNull;

/// An owned byte string behind one thin pointer.
pub struct Member(NonNull<u8>);

// SAFETY: a member owns its allocation, like a boxed slice.
unsafe impl Send for Member {}
// SAFETY: `&Member` only reads.
unsafe impl Sync for Member {}

/// The first byte of a member whose length is in the eight bytes after it.
const LONG: u8 = u8::MAX;
const LONG_HEADER: usize = 1 + size_of::<u64>();

impl Member {
    /// A copy of `bytes`. O(length).
    #[must_use]
    pub fn new(bytes: &[u8]) -> Member {
        let layout = layout(bytes.len());
        // SAFETY: there is a header, so the size is not zero.
        let pointer = unsafe { alloc::alloc(layout) };
        let start = NonNull::new(pointer).unwrap_or_else(|| alloc::handle_alloc_error(layout));
        let mut header = [LONG; LONG_HEADER];
        let header = match u8::try_from(bytes.len()) {
            Ok(short) if short < LONG => {
                header[0] = short;
                &header[..1]
            }
            _ => {
                header[1..].copy_from_slice(&num::u64_of(bytes.len()).to_le_bytes());
                &header[..]
            }
        };
        // SAFETY: the allocation begins with room for the header.
        unsafe { start.copy_from_nonoverlapping(NonNull::from(header).cast(), header.len()) };
        // SAFETY: the header lies within the allocation.
        let body = unsafe { start.add(header.len()) };
        // SAFETY: the allocation ends with room for the bytes.
        unsafe { body.copy_from_nonoverlapping(NonNull::from(bytes).cast(), bytes.len()) };
        Member(start)
    }

    /// The bytes.
    #[inline]
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        // SAFETY: `self` owns the allocation and is borrowed as long as the result.
        unsafe { Member::key_of(self.0) }
    }

    /// Moves the allocation.
    pub fn relocate(&mut self, to: &mut dyn Relocator) {
        let layout = layout(self.as_bytes().len());
        // SAFETY: the member owns its block, allocated in `new` with the layout of this length; it is
        // borrowed exclusively, and the address is kept here alone.
        self.0 = unsafe { relocate::block(self.0, layout, to) };
    }

    /// Bytes asked of the allocator.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        layout(self.as_bytes().len()).size()
    }
}

fn header_len(len: usize) -> usize {
    if len < usize::from(LONG) { 1 } else { LONG_HEADER }
}

fn layout(len: usize) -> Layout {
    let size = len.checked_add(header_len(len)).expect("a slice is shorter than this");
    Layout::from_size_align(size, 8).expect("a slice and nine bytes fit the address space")
}

impl Drop for Member {
    fn drop(&mut self) {
        let layout = layout(self.as_bytes().len());
        // SAFETY: allocated in `new` with the layout of this length, which never changes.
        unsafe { alloc::dealloc(self.0.as_ptr(), layout) };
    }
}

// SAFETY: the allocation is 8-aligned and in user space, below 2^48; `Member` is a plain pointer
// and never changes.
unsafe impl Item for Member {
    #[inline]
    fn into_raw(self) -> NonNull<u8> {
        std::mem::ManuallyDrop::new(self).0
    }

    #[inline]
    unsafe fn from_raw(raw: NonNull<u8>) -> Member {
        Member(raw)
    }

    #[inline]
    unsafe fn key_of<'a>(raw: NonNull<u8>) -> &'a [u8] {
        // SAFETY: a member begins with a header byte.
        let first = unsafe { raw.read() };
        let (header, len) = if first == LONG {
            // SAFETY: after LONG come eight bytes of length.
            let at = unsafe { raw.add(1) };
            // SAFETY: as above; arrays of bytes need no alignment.
            let length = unsafe { at.cast::<[u8; 8]>().read() };
            (LONG_HEADER, num::usize_of(u64::from_le_bytes(length)))
        } else {
            (1, usize::from(first))
        };
        // SAFETY: the bytes follow the header.
        let bytes = unsafe { raw.add(header) };
        // SAFETY: `new` wrote `len` bytes there; they stay as long as the item, says the caller.
        unsafe { std::slice::from_raw_parts(bytes.as_ptr(), len) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_of_every_header_give_their_bytes_back() {
        for len in [0, 1, 7, 15, 16, 253, 254, 255, 256, 70_000] {
            let bytes: Vec<u8> = (0..len).map(|n| num::low_u8(num::u64_of(n * 7))).collect();
            let member = Member::new(&bytes);
            assert_eq!(member.as_bytes(), bytes);
            let header = if len < 255 { 1 } else { 9 };
            assert_eq!(member.memory_bytes(), len + header);
            let raw = member.into_raw();
            // SAFETY: from `into_raw` just now.
            let again = unsafe { Member::from_raw(raw) };
            assert_eq!(again.as_bytes(), bytes);
        }
    }
}
