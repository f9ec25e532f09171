//! Growing and shrinking, a bucket at a time.
//!
//! Bucket `n` (of a table that has `n`) takes half of the items of bucket `n` without its top bit:
//! those whose hash has that bit. Merging the last bucket undoes the last split.

use super::segments::SEGMENT;
use super::{Dict, Item, Mark, bucket, prefetch};

/// Items per bucket, on average, at which the table grows. Six fill a cache line's seven slots
/// well; `docs/design/dict.md` has the bytes and probes for other choices.
pub(super) const LOAD: usize = 6;
/// The table shrinks below this part of `LOAD` as items are removed.
const SHRINK_BELOW: (usize, usize) = (1, 2);
/// The table shrinks below this part of `LOAD` when [`Dict::maintain`] has time for it.
const TRIM_BELOW: (usize, usize) = (3, 4);
/// Under [`Resize::Avoid`] the table grows at this many times `LOAD` only.
const AVOID_FACTOR: usize = 4;
/// Splits for one insertion, merges for one removal. One suffices to keep up; the second makes up
/// for a time of [`Resize::Avoid`].
const STEPS: usize = 2;

/// Whether a table may move items to follow their number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resize {
    /// It may.
    Allow,
    /// Not unless it becomes slow: a forked child shares the memory, and each page written to is
    /// copied.
    Avoid,
}

impl<T: Item> Dict<T> {
    /// Tells the dict whether it may grow and shrink.
    pub fn set_resize(&mut self, resize: Resize) {
        self.resize = resize;
    }

    /// Makes the table as large as so many items will need, so that none of them has to move meanwhile.
    /// Memory and time: a bucket for each [`LOAD`] of them.
    pub fn reserve(&mut self, items: usize) {
        let buckets = items.div_ceil(LOAD);
        while self.segments.count() < buckets {
            if self.len == 0 {
                self.segments.push();
            } else {
                self.split();
            }
        }
    }

    /// Brings the table closer to the size its items need, by at most `buckets` splits or merges.
    /// Returns whether there is more to do. For idle time.
    pub fn maintain(&mut self, buckets: usize) -> bool {
        let (part, whole) = TRIM_BELOW;
        for _ in 0..buckets {
            if self.is_crowded(self.len) {
                self.split();
            } else if self.is_sparse(part, whole) {
                self.merge();
            } else {
                break;
            }
        }
        self.release_if_empty();
        self.is_crowded(self.len) || self.is_sparse(part, whole)
    }

    /// Takes all items out of one bucket, if there is one, and the bucket out of the table; other
    /// keys are found as before. Returns whether items are left. Calling it until they are not
    /// empties the dict in slices of some [`LOAD`] items.
    pub fn take_bucket(&mut self, mut f: impl FnMut(T)) -> bool {
        if self.segments.count() > 0 {
            let taken = self.detach_last();
            self.len -= taken.left();
            for (word, _) in taken {
                if word.mark() == Mark::Set {
                    self.marks_mut().len -= 1;
                }
                // SAFETY: the word was the only owner of the item.
                f(unsafe { T::from_raw(word.raw()) });
            }
        }
        self.release_if_empty();
        self.len > 0
    }

    /// Makes the table fit for one more item.
    #[inline]
    pub(super) fn make_room(&mut self) {
        if self.segments.count() == 0 {
            self.segments.push();
        } else if self.is_crowded(self.len + 1) {
            self.split();
            for _ in 1..STEPS {
                if self.is_crowded(self.len + 1) {
                    self.split();
                }
            }
        }
    }

    /// Makes the table fit for one item less than before.
    #[inline]
    pub(super) fn give_back(&mut self) {
        let (part, whole) = SHRINK_BELOW;
        for _ in 0..STEPS {
            if !self.is_sparse(part, whole) {
                break;
            }
            self.merge();
        }
        self.release_if_empty();
    }

    /// Frees the buckets of a small table without items.
    #[inline]
    fn release_if_empty(&mut self) {
        // Children without items are left by leaked guards only; merging frees them.
        if self.len == 0 && self.children == 0 && self.segments.count() <= SEGMENT {
            self.segments.clear();
            self.marks = None;
        }
    }

    /// Adds a bucket and moves to it the items that belong there now.
    fn split(&mut self) {
        let added = self.segments.count();
        let bit = added.ilog2();
        let source = added ^ (1 << bit);
        let before = self.segments.window(source);
        self.segments.push();
        let window = self.segments.window(added);
        let head = self.segments.pointer(source);
        self.unlist(source);
        // SAFETY: `head` is a bucket of ours, and `self` is borrowed exclusively.
        let taken = unsafe { bucket::take_all(head, &mut self.children) };
        // The next split will need the neighbour.
        prefetch(head.as_ptr().wrapping_add(1).cast());
        for (word, tag) in taken {
            let (word, moves) = if before == window {
                (word, window.is_set(word.fragment(), bit))
            } else {
                let hash = self.hash_of(word);
                (word.with_fragment(window.fragment(hash)), hash >> bit & 1 != 0)
            };
            self.place(if moves { added } else { source }, word, tag);
        }
    }

    /// Moves the items of the last bucket to the one it was split from. There must be two.
    fn merge(&mut self) {
        let last = self.segments.count() - 1;
        let buddy = last ^ (1 << last.ilog2());
        let before = self.segments.window(last);
        let taken = self.detach_last();
        let window = self.segments.window(buddy);
        for (word, tag) in taken {
            let word = if before == window {
                word
            } else {
                word.with_fragment(window.fragment(self.hash_of(word)))
            };
            self.place(buddy, word, tag);
        }
    }

    /// Takes the last bucket out of the table; its items belong to its buddy from now on.
    fn detach_last(&mut self) -> bucket::Taken {
        let last = self.segments.count() - 1;
        let before = self.segments.window(last);
        self.unlist(last);
        let head = self.segments.pointer(last);
        // SAFETY: `head` is a bucket of ours, and `self` is borrowed exclusively.
        let taken = unsafe { bucket::take_all(head, &mut self.children) };
        self.segments.pop();
        if let Some(marks) = &mut self.marks {
            marks.truncate(last);
        }
        if last > 0 {
            let buddy = last ^ (1 << last.ilog2());
            if before != self.segments.window(buddy) {
                self.rewrite(buddy);
            }
        }
        taken
    }

    /// Stores the hash bits that fit the bucket's width now, after the window moved down.
    #[cold]
    fn rewrite(&mut self, index: usize) {
        let window = self.segments.window(index);
        let head = self.segments.pointer(index);
        // SAFETY: `head` is a bucket of ours, and `self` is borrowed exclusively.
        let taken = unsafe { bucket::take_all(head, &mut self.children) };
        for (word, tag) in taken {
            let word = word.with_fragment(window.fragment(self.hash_of(word)));
            self.place(index, word, tag);
        }
    }

    /// Forgets that bucket `index` holds marked items, before they are moved.
    #[inline]
    fn unlist(&mut self, index: usize) {
        if let Some(marks) = &mut self.marks {
            marks.clear(index);
        }
    }

    /// Whether `items` are too many for the buckets there are.
    #[inline]
    fn is_crowded(&self, items: usize) -> bool {
        let load = match self.resize {
            Resize::Allow => LOAD,
            Resize::Avoid => LOAD * AVOID_FACTOR,
        };
        items > self.segments.count() * load
    }

    /// Whether the load is less than `part / whole` of [`LOAD`], and the table may shrink.
    #[inline]
    fn is_sparse(&self, part: usize, whole: usize) -> bool {
        match self.resize {
            Resize::Allow => {
                self.len * whole < self.segments.count().saturating_sub(1) * LOAD * part
            }
            Resize::Avoid => false,
        }
    }
}
