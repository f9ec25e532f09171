//! Moving allocations: what defragmentation does.
//!
//! An allocator serves small blocks from slabs of equal ones, and gives a slab back only when all its
//! blocks are free. Blocks that survive alone in their slabs are copied into fuller ones. Each
//! structure knows its own blocks, and whatever refers to them; a [`Relocator`] knows which are worth
//! it.
//!
//! Invariant: a block is moved only through an exclusive reference to its owner, and every address of
//! it that is kept anywhere is replaced before that reference ends. See
//! `docs/design/defragmentation.md`, which lists who keeps addresses of what.
#![expect(unsafe_code, reason = "takes boxes and vectors apart and puts them together elsewhere")]

use std::alloc::Layout;
use std::collections::VecDeque;
use std::mem::ManuallyDrop;
use std::ptr::{self, NonNull};

/// Moves blocks that are worth it.
///
/// # Safety
/// [`Relocator::relocate`] must do what it says, and neither function may panic: callers are in the
/// midst of a change.
pub unsafe trait Relocator {
    /// Whether a block should be moved: one of the global allocator, with this layout.
    fn is_worth_moving(&mut self, block: NonNull<u8>, layout: Layout) -> bool;

    /// Blocks moved so far.
    fn moved(&self) -> u64;

    /// Copies a block elsewhere and frees it; returns the new address, or the old one if there is no
    /// memory.
    ///
    /// # Safety
    /// The global allocator gave the block for this layout, the caller owns it, and does not use it at
    /// the old address any more.
    unsafe fn relocate(&mut self, block: NonNull<u8>, layout: Layout) -> NonNull<u8>;
}

/// Moves a block if that is worth it.
///
/// # Safety
/// As for [`Relocator::relocate`].
#[inline]
pub(in crate::ds) unsafe fn block(
    block: NonNull<u8>,
    layout: Layout,
    to: &mut dyn Relocator,
) -> NonNull<u8> {
    if !to.is_worth_moving(block, layout) {
        return block;
    }
    // SAFETY: our own contract.
    unsafe { to.relocate(block, layout) }
}

/// Moves what a box holds. Nothing may keep an address within it; a borrow cannot, since the box is
/// borrowed exclusively.
pub fn boxed<T>(owner: &mut Box<T>, to: &mut dyn Relocator) {
    let layout = Layout::new::<T>();
    if layout.size() == 0 {
        return;
    }
    // SAFETY: the duplicate is given up for its address at once, and `owner` overwritten below before
    // anything can look at it: neither function in between panics.
    let raw = Box::into_raw(unsafe { ptr::read(owner) });
    let start = NonNull::new(raw).expect("a box is not null");
    // SAFETY: the box owned the block, which the global allocator gave for this layout.
    let moved = unsafe { block(start.cast(), layout, to) };
    // SAFETY: the block holds the same bytes, and is ours as it was the box's.
    let again = unsafe { Box::from_raw(moved.cast::<T>().as_ptr()) };
    // SAFETY: `owner` is writable; what it held was given up above, so that it must not be dropped.
    unsafe { ptr::write(owner, again) };
}

/// Moves the bytes of a boxed slice.
pub fn boxed_bytes(owner: &mut Box<[u8]>, to: &mut dyn Relocator) {
    let mut bytes = Vec::from(std::mem::take(owner));
    vector(&mut bytes, to);
    // No reallocation: length and capacity are equal, as they were.
    *owner = bytes.into_boxed_slice();
}

/// Moves the buffer of a vector.
pub fn vector<T>(owner: &mut Vec<T>, to: &mut dyn Relocator) {
    let layout = Layout::array::<T>(owner.capacity()).expect("the vector has it");
    if layout.size() == 0 {
        return;
    }
    let mut parts = ManuallyDrop::new(std::mem::take(owner));
    let (len, capacity) = (parts.len(), parts.capacity());
    let start = NonNull::new(parts.as_mut_ptr()).expect("a vector's buffer is not null");
    // SAFETY: the vector owned the block, which the global allocator gave for this layout.
    let moved = unsafe { block(start.cast(), layout, to) };
    // SAFETY: the block holds the same elements, and is ours as it was the vector's.
    *owner = unsafe { Vec::from_raw_parts(moved.cast::<T>().as_ptr(), len, capacity) };
}

/// Moves the buffer of a queue; O(length) even if it stays.
pub fn queue<T>(owner: &mut VecDeque<T>, to: &mut dyn Relocator) {
    let mut elements = Vec::from(std::mem::take(owner));
    vector(&mut elements, to);
    *owner = VecDeque::from(elements);
}

/// Finds nothing worth moving.
#[derive(Clone, Copy, Debug, Default)]
pub struct Nothing(());

// SAFETY: every block stays as it is, which "no memory" allows for.
unsafe impl Relocator for Nothing {
    fn is_worth_moving(&mut self, _block: NonNull<u8>, _layout: Layout) -> bool {
        false
    }

    fn moved(&self) -> u64 {
        0
    }

    unsafe fn relocate(&mut self, block: NonNull<u8>, _layout: Layout) -> NonNull<u8> {
        block
    }
}

/// Relocators for tests.
#[cfg(any(test, fuzzing))]
pub mod testing {
    use super::Relocator;
    use std::alloc::{Layout, alloc, dealloc};
    use std::ptr::NonNull;

    /// Finds every block worth moving, and leaves rubbish where it was.
    #[derive(Debug, Default)]
    pub struct Everything {
        /// Blocks it has moved.
        pub moved: u64,
    }

    // SAFETY: copies the whole block to a new one of the same layout, and frees the old one.
    unsafe impl Relocator for Everything {
        fn is_worth_moving(&mut self, _block: NonNull<u8>, _layout: Layout) -> bool {
            true
        }

        fn moved(&self) -> u64 {
            self.moved
        }

        unsafe fn relocate(&mut self, block: NonNull<u8>, layout: Layout) -> NonNull<u8> {
            assert!(block.addr().get().is_multiple_of(layout.align()));
            // SAFETY: nobody has blocks of no bytes.
            let new = NonNull::new(unsafe { alloc(layout) }).expect("memory");
            // SAFETY: both blocks have so many bytes, and do not overlap.
            unsafe { new.copy_from_nonoverlapping(block, layout.size()) };
            // SAFETY: the caller does not use the block any more.
            unsafe { block.write_bytes(0xdd, layout.size()) };
            // SAFETY: allocated with this layout, says the caller.
            unsafe { dealloc(block.as_ptr(), layout) };
            self.moved += 1;
            new
        }
    }
}

#[cfg(test)]
mod tests {
    use super::testing::Everything;
    use super::*;

    #[test]
    fn what_is_moved_stays_the_same() {
        let mut to = Everything::default();
        let mut number = Box::new((7_u64, String::from("inside")));
        let mut bytes: Box<[u8]> = (*b"some bytes").into();
        let mut words: Vec<String> = ["a", "b"].map(String::from).into();
        words.reserve_exact(10);
        let capacity = words.capacity();
        let mut deque: VecDeque<u32> = (0..10).collect();
        deque.rotate_left(3);
        deque.push_front(99);
        boxed(&mut number, &mut to);
        boxed_bytes(&mut bytes, &mut to);
        vector(&mut words, &mut to);
        queue(&mut deque, &mut to);
        assert_eq!(to.moved, 4);
        assert_eq!((number.0, &*number.1, &*bytes), (7, "inside", &b"some bytes"[..]));
        assert_eq!(
            (&words[..], words.capacity()),
            (&["a".to_owned(), "b".to_owned()][..], capacity)
        );
        assert!(deque.iter().eq(&[99, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2]));
    }

    #[test]
    fn what_has_no_block_is_not_moved() {
        let mut to = Everything::default();
        boxed(&mut Box::new(()), &mut to);
        boxed_bytes(&mut Box::default(), &mut to);
        vector(&mut Vec::<u8>::new(), &mut to);
        queue(&mut VecDeque::<u8>::new(), &mut to);
        assert_eq!(to.moved, 0);
    }
}
