//! Visiting items: all of them, in steps, at random, the marked ones.

use super::bucket::{Bucket, Place};
use super::{AHEAD, Dict, Item, Mark, Ref, Slot};
use crate::base::rng::Rng;

/// Random buckets tried before the search goes on from neighbour to neighbour.
const RANDOM_TRIES: usize = 100;
/// Random buckets loaded together.
const RANDOM_AHEAD: usize = 4;

/// The shape of a table, for DEBUG HTSTATS.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Items in the dict.
    pub items: usize,
    /// Marked items.
    pub marked: usize,
    /// Buckets, children not counted.
    pub buckets: usize,
    /// Child buckets.
    pub children: usize,
    /// Buckets of the longest chain.
    pub longest_chain: usize,
    /// `fill[n]` buckets hold `n` items, children's included; the last counts the fuller ones too.
    pub fill: [usize; 24],
    /// `depth[n]` items lie in the `n`th bucket of their chain; the last counts the deeper ones.
    pub depth: [usize; 8],
    /// Bytes of the table, items not included.
    pub memory_bytes: usize,
}

impl<T: Item> Dict<T> {
    /// Visits the items of one bucket and returns the cursor of the next; 0 starts, and 0 is the
    /// end. O(1).
    ///
    /// An item that is in the dict from the first call to the last is visited at least once,
    /// however much the dict grows and shrinks between calls. Items may be visited twice.
    pub fn scan<'a>(&'a self, cursor: u64, f: impl FnMut(Ref<'a, T>)) -> u64 {
        let Some(home) = self.segments.home(cursor) else { return 0 };
        // Think of hashes with their bits reversed, as numbers. Each bucket then is an interval,
        // and the buckets cover all numbers at any time, whatever was split or merged. The cursor
        // is a number up to which everything has been visited: go to the end of its interval.
        self.items_in(home.index).for_each(f);
        (cursor | !home.mask).reverse_bits().wrapping_add(1).reverse_bits()
    }

    /// All items, in no order of use.
    #[must_use]
    pub fn iter(&self) -> Iter<'_, T> {
        Iter { dict: self, next_bucket: 0, bucket: None, slot: 0, left: self.len }
    }

    /// A random item, each as likely as the others. O(1) expected.
    ///
    /// (Those in a bucket with over twice the average are a little less likely.)
    #[inline]
    pub fn random(&self, rng: &mut Rng) -> Option<Ref<'_, T>> {
        let (_, place) = self.random_place(rng)?;
        // SAFETY: the place is taken, and `self` is borrowed as long as the result.
        Some(unsafe { Ref::new(place) })
    }

    /// As [`Dict::random`], to change or remove the item.
    #[inline]
    pub fn random_mut(&mut self, rng: &mut Rng) -> Option<Slot<'_, T>> {
        let (home, place) = self.random_place(rng)?;
        Some(Slot { dict: self, home, place })
    }

    /// A taken slot, each as likely as the others, and the bucket its chain starts at.
    fn random_place(&self, rng: &mut Rng) -> Option<(usize, Place)> {
        if self.len == 0 {
            return None;
        }
        let count = self.segments.count();
        // A bucket is taken with a chance proportional to its items, so that all are equal.
        let full = 2 * (self.len / count) + 4;
        for _ in 0..RANDOM_TRIES / RANDOM_AHEAD {
            // About half of the tries fail: the waits for their buckets overlap.
            let tries: [usize; RANDOM_AHEAD] = std::array::from_fn(|_| {
                let index = rng.below_usize(count);
                super::prefetch(self.segments.pointer(index).as_ptr().cast());
                index
            });
            for index in tries {
                let items = self.count_in(index);
                if items > rng.below_usize(full) {
                    return Some((index, self.nth_in(index, rng.below_usize(items))?));
                }
            }
        }
        // Few items in many buckets: only while shrinking is put off.
        let start = rng.below_usize(count);
        let mut buckets = (start..count).chain(0..start);
        buckets.find_map(|index| Some((index, self.nth_in(index, 0)?)))
    }

    /// Visits up to `items` items from neighbouring buckets, beginning at a random one. Visits all,
    /// once, if there are no more than `items`. O(items) expected.
    pub fn sample<'a>(&'a self, rng: &mut Rng, items: usize, mut f: impl FnMut(Ref<'a, T>)) {
        let count = self.segments.count();
        let mut left = items.min(self.len);
        let mut index = if left == 0 { 0 } else { rng.below_usize(count) };
        while left > 0 {
            for item in self.items_in(index).take(left) {
                left -= 1;
                f(item);
            }
            index = if index + 1 == count { 0 } else { index + 1 };
        }
    }

    /// Visits the items of whole buckets, from bucket number `from` on and around the end, until
    /// `items` or more of them were visited, or all; returns the bucket to go on at. Meanwhile the
    /// items of the next call are loaded into the cache. O(items) expected.
    ///
    /// A number that is no bucket's is taken for 0. Items that a resize moves between calls may be
    /// missed, or visited again, until the next time around.
    pub fn sweep<'a>(&'a self, from: usize, items: usize, mut f: impl FnMut(Ref<'a, T>)) -> usize {
        let count = self.segments.count();
        let mut left = items.min(self.len);
        let mut at = if from < count { from } else { 0 };
        for _ in 0..count {
            if left == 0 {
                break;
            }
            self.prefetch_head(at + 2 * AHEAD);
            self.prefetch_items_of(at + AHEAD);
            for item in self.items_in(at) {
                left = left.saturating_sub(1);
                f(item);
            }
            at = if at + 1 == count { 0 } else { at + 1 };
        }
        at
    }

    /// As [`Dict::sweep`], the marked items only.
    pub fn sweep_marked<'a>(
        &'a self,
        from: usize,
        items: usize,
        mut f: impl FnMut(Ref<'a, T>),
    ) -> usize {
        let Some(marks) = &self.marks else { return 0 };
        let mut left = items.min(marks.len);
        let (mut at, mut has_wrapped) = (from, false);
        while left > 0 {
            let Some(index) = marks.next(at).filter(|&index| !has_wrapped || index < from) else {
                if has_wrapped {
                    break;
                }
                (at, has_wrapped) = (0, true);
                continue;
            };
            for item in self.marked_in(index) {
                left = left.saturating_sub(1);
                f(item);
            }
            at = index + 1;
            if let Some(next) = marks.next(at) {
                self.prefetch_items_of(next);
            }
        }
        at
    }

    /// Starts loading the first bucket of a chain. Of one that is not there, nothing.
    #[inline]
    fn prefetch_head(&self, index: usize) {
        if index < self.segments.count() {
            super::prefetch(self.segments.pointer(index).as_ptr().cast());
        }
    }

    /// Marked items in the dict.
    #[inline]
    #[must_use]
    pub fn marked_len(&self) -> usize {
        self.marks.as_ref().map_or(0, |marks| marks.len)
    }

    /// Visits the marked items of up to `buckets` buckets that hold some, from position `from` on,
    /// and returns the position to go on at; 0 starts, and 0 says that the end was reached.
    ///
    /// Unmarked buckets cost next to nothing: 4096 are skipped at once. Unlike [`Dict::scan`],
    /// items that a resize moves between calls may be missed until the next pass.
    pub fn scan_marked<'a>(
        &'a self,
        from: usize,
        buckets: usize,
        mut f: impl FnMut(Ref<'a, T>),
    ) -> usize {
        let Some(marks) = &self.marks else { return 0 };
        let mut at = from;
        for _ in 0..buckets {
            let Some(index) = marks.next(at) else { return 0 };
            self.marked_in(index).for_each(&mut f);
            at = index + 1;
        }
        if marks.next(at).is_some() { at } else { 0 }
    }

    /// A random marked item. All have a chance, larger if the buckets before have no marked items.
    /// O(1), not counting the skipping of unmarked buckets.
    pub fn random_marked(&self, rng: &mut Rng) -> Option<Ref<'_, T>> {
        let marks = self.marks.as_ref()?;
        if marks.len == 0 {
            return None;
        }
        let start = rng.below_usize(self.segments.count());
        let index = marks.next(start).or_else(|| marks.next(0))?;
        let count = self.marked_in(index).count();
        // Not 0, unless a guard was forgotten.
        self.marked_in(index).nth(rng.below_usize(count.max(1)))
    }

    /// The shape of the table. O(n).
    #[must_use]
    pub fn stats(&self) -> Stats {
        let mut stats = Stats {
            items: self.len,
            marked: self.marked_len(),
            buckets: self.segments.count(),
            children: self.children,
            memory_bytes: self.memory_bytes(),
            ..Stats::default()
        };
        for index in 0..self.segments.count() {
            let (mut items, mut chain) = (0, 0);
            for bucket in self.segments.bucket(index).chain() {
                stats.depth[chain.min(stats.depth.len() - 1)] += bucket.count();
                items += bucket.count();
                chain += 1;
            }
            stats.fill[items.min(stats.fill.len() - 1)] += 1;
            stats.longest_chain = stats.longest_chain.max(chain);
        }
        stats
    }

    /// The marked items of bucket `index`.
    fn marked_in(&self, index: usize) -> impl Iterator<Item = Ref<'_, T>> {
        let words = self.segments.bucket(index).chain_words();
        let marked = words.filter(|word| word.mark() == Mark::Set);
        // SAFETY: an item of ours, and `self` is borrowed as long as the result.
        marked.map(|word| unsafe { Ref::from_raw(word.raw()) })
    }

    /// How many items bucket `index` has, its children's included.
    #[inline]
    fn count_in(&self, index: usize) -> usize {
        self.segments.bucket(index).chain().map(Bucket::count).sum()
    }

    /// The `n`th taken slot of bucket `index` and its children.
    #[inline]
    fn nth_in(&self, index: usize, mut n: usize) -> Option<Place> {
        let mut at = self.segments.pointer(index);
        loop {
            // SAFETY: a bucket of ours or a child of one, not changed while `self` is borrowed.
            let bucket = unsafe { at.as_ref() };
            if let Some(slot) = bucket.taken().nth(n) {
                return Some(Place { bucket: at, slot });
            }
            n -= bucket.count();
            at = bucket.child()?;
        }
    }

    /// The items of bucket `index`.
    fn items_in(&self, index: usize) -> impl Iterator<Item = Ref<'_, T>> {
        let words = self.segments.bucket(index).chain_words();
        // SAFETY: an item of ours, and `self` is borrowed as long as the result.
        words.map(|word| unsafe { Ref::from_raw(word.raw()) })
    }
}

/// All items of a dict, by reference.
pub struct Iter<'a, T: Item> {
    dict: &'a Dict<T>,
    next_bucket: usize,
    bucket: Option<&'a Bucket>,
    slot: usize,
    left: usize,
}

impl<'a, T: Item> Iterator for Iter<'a, T> {
    type Item = Ref<'a, T>;

    fn next(&mut self) -> Option<Ref<'a, T>> {
        loop {
            if let Some(bucket) = self.bucket {
                if let Some(slot) = bucket.taken_from(self.slot) {
                    self.slot = slot + 1;
                    self.left = self.left.saturating_sub(1);
                    // SAFETY: an item of the dict, borrowed for `'a`.
                    return Some(unsafe { Ref::from_raw(bucket.word(slot).raw()) });
                }
                self.bucket = bucket.next();
            } else if self.next_bucket < self.dict.segments.count() {
                self.bucket = Some(self.dict.segments.bucket(self.next_bucket));
                self.next_bucket += 1;
                self.dict.prefetch_items_of(self.next_bucket + AHEAD);
            } else {
                return None;
            }
            self.slot = 0;
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl<'a, T: Item> IntoIterator for &'a Dict<T> {
    type Item = Ref<'a, T>;
    type IntoIter = Iter<'a, T>;

    fn into_iter(self) -> Iter<'a, T> {
        self.iter()
    }
}

/// All items of a dict, by value. Buckets are freed on the way; dropping it drops what is left.
pub struct IntoIter<T: Item>(Dict<T>);

impl<T: Item> Iterator for IntoIter<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.0.pop_any()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.0.len, Some(self.0.len))
    }
}

impl<T: Item> ExactSizeIterator for IntoIter<T> {}

impl<T: Item> IntoIterator for Dict<T> {
    type Item = T;
    type IntoIter = IntoIter<T>;

    fn into_iter(self) -> IntoIter<T> {
        IntoIter(self)
    }
}

#[cfg(any(test, fuzzing))]
impl<T: Item> Dict<T> {
    /// Checks everything the module promises. O(n).
    pub fn check_invariants(&self) {
        use crate::base::num;
        self.segments.check_invariants();
        let (mut items, mut children, mut marked) = (0, 0, 0);
        let mut next_marked = self.marks.as_ref().and_then(|marks| marks.next(0));
        for index in 0..self.segments.count() {
            let head = self.segments.bucket(index);
            head.check_chain(&mut children);
            let home = self.segments.home(num::u64_of(index)).expect("a bucket");
            let before = marked;
            for (tag, word) in head.tagged() {
                let hash = self.hash_of(word);
                let found = self.segments.home(hash).expect("a bucket").index;
                assert_eq!(found, index, "an item in the wrong bucket");
                assert_eq!(tag, super::tag(hash));
                assert_eq!(word.fragment(), home.window.fragment(hash));
                items += 1;
                marked += usize::from(word.mark() == Mark::Set);
            }
            assert_eq!(marked > before, next_marked == Some(index), "bucket {index}");
            if next_marked == Some(index) {
                next_marked = self.marks.as_ref().and_then(|marks| marks.next(index + 1));
            }
        }
        assert_eq!(next_marked, None);
        assert_eq!((items, children, marked), (self.len, self.children, self.marked_len()));
    }
}
