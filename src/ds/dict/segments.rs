//! The buckets in memory: an array that grows and shrinks by one bucket and never moves many.
//!
//! Buckets lie in segments of 4096 (256 KiB). All segments but the last are full-sized; the last is
//! resized in steps of a quarter or less, so at most a fifth of the buckets paid for are unused.
//! While one segment is enough there is no directory: a small table costs its buckets only.
//!
//! Invariant: `2^level <= count < 2^(level + 1)` and `low_mask == 2^level - 1`, or both are zero.
//! Every bucket below `count` is initialised; those above are not.

use super::bucket::Bucket;
use super::hash_bits::Window;
use crate::base::num;
use crate::ds::relocate::{self, Relocator};
use std::alloc::{self, Layout};
use std::ptr::NonNull;

/// Buckets in a full segment.
pub(super) const SEGMENT: usize = 1 << SEGMENT_SHIFT;
pub(super) const SEGMENT_SHIFT: u32 = 12;

/// Where a hash lives.
#[derive(Clone, Copy)]
pub(super) struct Home {
    /// The number of its bucket.
    pub(super) index: usize,
    /// The bucket.
    pub(super) head: NonNull<Bucket>,
    /// The hash bits that chose the bucket.
    pub(super) mask: u64,
    /// The hash bits stored with the bucket's items.
    pub(super) window: Window,
}

/// The array of buckets. It frees its segments, not the children: whoever drops it empties it first.
pub(super) struct Segments {
    /// The only segment, unless there is a directory.
    first: NonNull<Bucket>,
    /// All segments, once there are more than one.
    directory: Vec<NonNull<Bucket>>,
    count: usize,
    capacity: usize,
    low_mask: u64,
    /// The windows of buckets chosen by `level` bits and by one more.
    windows: [Window; 2],
}

impl Segments {
    pub(super) const fn new() -> Segments {
        Segments {
            first: NonNull::dangling(),
            directory: Vec::new(),
            count: 0,
            capacity: 0,
            low_mask: 0,
            windows: [Window::of(0); 2],
        }
    }

    /// Buckets in use.
    #[inline]
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Bytes allocated.
    pub(super) fn memory_bytes(&self) -> usize {
        self.capacity * size_of::<Bucket>()
            + self.directory.capacity() * size_of::<NonNull<Bucket>>()
    }

    /// The bucket of `hash`, if there are buckets.
    ///
    /// Linear hashing: with `2^level + split` buckets, those below `split` have been split in two
    /// and are told apart by one more bit.
    #[inline]
    pub(super) fn home(&self, hash: u64) -> Option<Home> {
        if self.count == 0 {
            return None;
        }
        let buddy = (hash & self.low_mask) + self.low_mask + 1;
        let [low, high] = self.windows;
        let (mask, window) = if buddy < num::u64_of(self.count) {
            (self.low_mask << 1 | 1, high)
        } else {
            (self.low_mask, low)
        };
        let index = num::usize_of(hash & mask);
        // SAFETY: `index` is below 2^level, which is not above `count`; or one bit was added and
        // it is `buddy` or below, which is below `count`. `count` is not above `capacity`.
        let head = unsafe { self.slot(index) };
        Some(Home { index, head, mask, window })
    }

    /// The window of bucket `index`, which must be below `count`.
    pub(super) fn window(&self, index: usize) -> Window {
        // Seen as a hash, a bucket's number leads to that bucket.
        self.home(num::u64_of(index)).expect("there is a bucket").window
    }

    /// The address of bucket `index`, which must be below `count`.
    #[inline]
    pub(super) fn pointer(&self, index: usize) -> NonNull<Bucket> {
        assert!(index < self.count);
        // SAFETY: `count` is not above `capacity`.
        unsafe { self.slot(index) }
    }

    /// The bucket `index` for reading, below `count`.
    #[inline]
    pub(super) fn bucket(&self, index: usize) -> &Bucket {
        // SAFETY: buckets below `count` are initialised; they change only under `&mut self`.
        unsafe { self.pointer(index).as_ref() }
    }

    /// The address of bucket `index`.
    ///
    /// # Safety
    /// `index < self.capacity`
    #[inline]
    unsafe fn slot(&self, index: usize) -> NonNull<Bucket> {
        debug_assert!(index < self.capacity);
        let (segment, offset) = if self.directory.is_empty() {
            (self.first, index)
        } else {
            // SAFETY: the directory's segments hold `capacity` buckets, SEGMENT each.
            let segment = unsafe { self.directory.get_unchecked(index >> SEGMENT_SHIFT) };
            (*segment, index & (SEGMENT - 1))
        };
        // SAFETY: `index < capacity`, so the segment has more than `offset` buckets.
        unsafe { segment.add(offset) }
    }

    /// Adds an empty bucket at the end. Moves at most a segment.
    pub(super) fn push(&mut self) {
        if self.count == self.capacity {
            self.grow();
        }
        // SAFETY: `count` is below `capacity`, after `grow` at the latest.
        let slot = unsafe { self.slot(self.count) };
        // SAFETY: within the allocation; nothing initialised is overwritten.
        unsafe { slot.write(Bucket::EMPTY) };
        self.set_count(self.count + 1);
    }

    /// Forgets the last bucket, which must be empty and without a child.
    pub(super) fn pop(&mut self) {
        self.set_count(self.count - 1);
        // Two steps down, so that a count that swings around a step does not resize each time.
        let lower = step_down(self.capacity);
        if self.count == 0 {
            self.clear();
        } else if self.count <= step_down(lower) {
            self.shrink(lower);
        }
    }

    /// Forgets all buckets at once; all must be empty and without children.
    pub(super) fn clear(&mut self) {
        self.set_count(0);
        while self.capacity > 0 {
            self.release_last();
        }
    }

    /// Moves the segments that are small enough for that to make sense, all but the full-sized ones,
    /// and the directory. Nobody may keep the address of a bucket.
    pub(super) fn relocate(&mut self, to: &mut dyn Relocator) {
        relocate::vector(&mut self.directory, to);
        if self.capacity == 0 {
            return;
        }
        let base = (self.capacity - 1) & !(SEGMENT - 1);
        let layout = layout(self.capacity - base);
        let last = self.directory.last_mut().unwrap_or(&mut self.first);
        // SAFETY: the last segment has this many buckets and is ours; it is borrowed exclusively, and
        // its address is kept here alone, or in the directory.
        *last = unsafe { relocate::block(last.cast(), layout, to) }.cast();
    }

    fn set_count(&mut self, count: usize) {
        self.count = count;
        let level = count.checked_ilog2().unwrap_or(0);
        self.low_mask = (1 << level) - 1;
        self.windows = [Window::of(level), Window::of(level + 1)];
    }

    fn grow(&mut self) {
        let capacity = step_up(self.capacity);
        let base = self.capacity & !(SEGMENT - 1);
        if self.capacity == 0 {
            self.first = allocate(capacity);
        } else if self.capacity == base {
            if self.directory.is_empty() {
                self.directory.push(self.first);
            }
            self.directory.push(allocate(capacity - base));
        } else {
            self.resize_last(self.capacity - base, capacity - base);
        }
        self.capacity = capacity;
    }

    /// Goes one step down to `capacity`: in the last segment, or by releasing it whole.
    fn shrink(&mut self, capacity: usize) {
        let base = (self.capacity - 1) & !(SEGMENT - 1);
        if capacity > base {
            self.resize_last(self.capacity - base, capacity - base);
            self.capacity = capacity;
        } else {
            self.release_last();
        }
    }

    fn release_last(&mut self) {
        let base = (self.capacity - 1) & !(SEGMENT - 1);
        let last = self.directory.pop().unwrap_or(self.first);
        // SAFETY: the last segment has this many buckets, and none of them is in use: callers have
        // lowered `count` to `base` or less.
        unsafe { release(last, self.capacity - base) };
        self.capacity = base;
        if self.directory.len() == 1 {
            self.first = self.directory[0];
            self.directory = Vec::new();
        }
    }

    fn resize_last(&mut self, from: usize, to: usize) {
        let last = self.directory.last_mut().unwrap_or(&mut self.first);
        // SAFETY: the last segment was allocated with `from` buckets, and nothing points into it.
        *last = unsafe { reallocate(*last, from, to) };
    }
}

impl Drop for Segments {
    fn drop(&mut self) {
        self.clear();
    }
}

/// The next capacity: a quarter more, by at most a whole segment, never across a segment's end.
fn step_up(capacity: usize) -> usize {
    match capacity {
        0..4 => capacity + 1,
        // Beyond this a segment is less than a sixteenth.
        LARGE.. => capacity + SEGMENT,
        _ => capacity + (1 << (capacity.ilog2() - 2)).min(SEGMENT / 4),
    }
}

/// The capacity that `step_up` takes to `capacity`; 0 for 0.
fn step_down(capacity: usize) -> usize {
    match capacity {
        0 => 0,
        1..=4 => capacity - 1,
        _ if capacity > LARGE => capacity - SEGMENT,
        _ => capacity - (1 << ((capacity - 1).ilog2() - 2)).min(SEGMENT / 4),
    }
}

/// Capacity from which only whole segments are added.
const LARGE: usize = 16 * SEGMENT;

fn layout(buckets: usize) -> Layout {
    Layout::array::<Bucket>(buckets).expect("a segment fits the address space")
}

fn allocate(buckets: usize) -> NonNull<Bucket> {
    let layout = layout(buckets);
    // SAFETY: callers ask for one bucket at least, so the size is not zero.
    let pointer = unsafe { alloc::alloc(layout) };
    NonNull::new(pointer.cast()).unwrap_or_else(|| alloc::handle_alloc_error(layout))
}

/// # Safety
/// `segment` was allocated here with `from` buckets, and `to > 0`.
unsafe fn reallocate(segment: NonNull<Bucket>, from: usize, to: usize) -> NonNull<Bucket> {
    let to_layout = layout(to);
    // SAFETY: the layout it was allocated with; the new size is not zero, and fits as `layout` checks.
    let pointer =
        unsafe { alloc::realloc(segment.as_ptr().cast(), layout(from), to_layout.size()) };
    NonNull::new(pointer.cast()).unwrap_or_else(|| alloc::handle_alloc_error(to_layout))
}

/// # Safety
/// `segment` was allocated here with `buckets` buckets, and nothing uses it any more.
unsafe fn release(segment: NonNull<Bucket>, buckets: usize) {
    // SAFETY: the layout it was allocated with.
    unsafe { alloc::dealloc(segment.as_ptr().cast(), layout(buckets)) };
}

#[cfg(any(test, fuzzing))]
impl Segments {
    pub(super) fn check_invariants(&self) {
        assert!(self.count <= self.capacity);
        assert_eq!(self.capacity == 0, self.count == 0, "an empty table allocates nothing");
        if self.count > 0 {
            assert_eq!(self.low_mask, (1 << self.count.ilog2()) - 1);
            let slack = self.capacity - self.count;
            assert!(slack * 2 <= self.capacity, "{} of {}", self.count, self.capacity);
        }
        if !self.directory.is_empty() {
            assert!(self.capacity > SEGMENT);
            assert_eq!(self.directory.len(), self.capacity.div_ceil(SEGMENT));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_go_up_and_down_the_same_way_and_stop_at_segments() {
        let mut capacity = 0;
        while capacity < 20 * SEGMENT {
            let next = step_up(capacity);
            assert_eq!(step_down(next), capacity);
            assert!(next - capacity <= (capacity / 4).max(1), "{capacity} to {next}");
            assert!(capacity / SEGMENT == (next - 1) / SEGMENT, "{capacity} to {next}");
            capacity = next;
        }
        assert_eq!(step_down(0), 0);
    }

    #[test]
    fn addresses_follow_linear_hashing() {
        let mut segments = Segments::new();
        for count in 1..300usize {
            segments.push();
            let level = count.ilog2();
            for hash in 0..1000u64 {
                let home = segments.home(hash).expect("there are buckets");
                let wide = num::usize_of(hash & ((2 << level) - 1));
                let expected = if wide < count { wide } else { wide - (1 << level) };
                assert_eq!(home.index, expected);
                assert_eq!(num::usize_of(hash & home.mask), expected);
                assert_eq!(home.head, segments.pointer(expected));
                assert_eq!(home.window, Window::of(home.mask.count_ones()));
                assert_eq!(home.window, segments.window(expected));
            }
        }
    }

    #[test]
    fn growing_and_shrinking_keeps_the_buckets_in_place() {
        let mut segments = Segments::new();
        for _ in 0..2 {
            for _ in 0..3 * SEGMENT + 5 {
                segments.push();
                segments.check_invariants();
            }
            while segments.count() > 0 {
                segments.pop();
                segments.check_invariants();
                assert!(segments.count() == 0 || segments.bucket(0).count() == 0);
            }
            assert_eq!(segments.memory_bytes(), 0);
        }
        for _ in 0..2 * SEGMENT {
            segments.push();
        }
        segments.clear();
        assert_eq!(segments.memory_bytes(), 0);
    }
}
