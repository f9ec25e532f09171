//! The hash table: a set of owned, pointer-sized items found by a byte string inside them.
//!
//! The keyspace is one, and so are large hashes and sets. It grows and shrinks by linear hashing
//! (Litwin, 1980): one bucket is split, or two are merged, at a time, so there is one table, never
//! two, no operation is slow, and memory follows the number of items closely. A bucket is a cache
//! line with seven items; few have a second line. Looking up costs one line of the table and the
//! item itself, and both can be prefetched.
//!
//! Everything takes the key's hash, computed once by [`Dict::hash`]. Items may carry one bit, the
//! [`Mark`], and marked items are found without looking at the others.
//!
//! Invariants: every item is in the bucket [`segments::Segments::home`] names for its hash;
//! chains are as [`bucket`] says; `marks` has the buckets that hold a marked item.
//! Layout, numbers and reasons: `docs/design/dict.md`.
#![expect(
    unsafe_code,
    reason = "packed pointers, raw segments and buckets chained by raw pointers"
)]

mod bucket;
pub mod field;
mod hash_bits;
mod marks;
mod member;
mod relocate;
mod resize;
mod segments;
mod slot;
#[cfg(test)]
mod tests;
mod visit;

pub use field::Field;
pub use member::Member;
pub use resize::Resize;
pub use slot::{Entry, Ref, RefMut, Slot, Vacant};
pub use visit::{IntoIter, Iter, Stats};

use crate::base::hash::HashKey;
use bucket::{Bucket, Place, Word};
use hash_bits::tag;
use marks::Marks;
use segments::{Home, Segments};
use std::marker::PhantomData;
use std::ptr::NonNull;

/// An owned pointer to an allocation that knows its key.
///
/// # Safety
/// - `into_raw` gives an address that is a multiple of 8 and below 2^48, and `from_raw` turns it
///   back into an equal item.
/// - An item may be duplicated by `from_raw` while only shared references to the duplicates are
///   used and none of them is dropped. So it is a plain pointer, such as a newtype of [`NonNull`]:
///   not a `Box`, which claims its allocation whenever it is moved.
/// - The key does not change but through `&mut Self`.
pub unsafe trait Item: Sized {
    /// Gives up the item for the address it points to.
    fn into_raw(self) -> NonNull<u8>;

    /// The item back.
    ///
    /// # Safety
    /// `raw` came from `into_raw` of this type, and the caller honours the trait's second rule.
    unsafe fn from_raw(raw: NonNull<u8>) -> Self;

    /// The item's key. Must not panic.
    ///
    /// # Safety
    /// `raw` came from `into_raw`, and for `'a` the item is neither dropped nor changed.
    unsafe fn key_of<'a>(raw: NonNull<u8>) -> &'a [u8];
}

/// A bit of the table's own for each item; the keyspace sets it on items that expire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Not marked.
    Clear,
    /// Marked.
    Set,
}

/// A set of items by key. Memory: about 14 bytes an item; nothing while empty.
pub struct Dict<T: Item> {
    segments: Segments,
    len: usize,
    /// Child buckets, each allocated alone.
    children: usize,
    key: HashKey,
    /// Allocated when an item is first marked.
    marks: Option<Box<Marks>>,
    resize: Resize,
    items: PhantomData<T>,
}

impl<T: Item> std::fmt::Debug for Dict<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dict").field("len", &self.len).finish_non_exhaustive()
    }
}

// SAFETY: a dict owns its items and its buckets, and shares them with nobody.
unsafe impl<T: Item + Send> Send for Dict<T> {}
// SAFETY: `&Dict` gives out `&T` only.
unsafe impl<T: Item + Sync> Sync for Dict<T> {}

impl<T: Item> Dict<T> {
    /// An empty dict that hashes under `key`. Allocates nothing.
    #[must_use]
    pub const fn new(key: HashKey) -> Dict<T> {
        Dict {
            segments: Segments::new(),
            len: 0,
            children: 0,
            key,
            marks: None,
            resize: Resize::Allow,
            items: PhantomData,
        }
    }

    /// An empty dict that hashes as this one does. Allocates nothing.
    #[must_use]
    pub const fn new_like(&self) -> Dict<T> {
        Dict::new(self.key)
    }

    /// Items in the dict.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no items.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The hash of a key, which all other functions ask for.
    #[inline]
    #[must_use]
    pub fn hash(&self, key: &[u8]) -> u64 {
        self.key.hash(key)
    }

    /// The key it hashes under.
    #[must_use]
    pub const fn hash_key(&self) -> HashKey {
        self.key
    }

    /// The item with this key. O(1).
    #[inline]
    #[must_use]
    pub fn find(&self, hash: u64, key: &[u8]) -> Option<Ref<'_, T>> {
        let (_, place) = self.locate(hash, key)?;
        // SAFETY: `place` was just found, and `self` is borrowed as long as the result.
        Some(unsafe { Ref::new(place) })
    }

    /// The item with this key, to change, move or remove it. O(1).
    #[inline]
    #[must_use]
    pub fn find_mut(&mut self, hash: u64, key: &[u8]) -> Option<Slot<'_, T>> {
        let (home, place) = self.locate(hash, key)?;
        Some(Slot { dict: self, home, place })
    }

    /// An item of this hash that `wanted` takes, whatever its key. O(1).
    pub fn find_by_hash(
        &mut self,
        hash: u64,
        mut wanted: impl FnMut(&T) -> bool,
    ) -> Option<Slot<'_, T>> {
        let (home, place) = self.locate_word(hash, |word| {
            // SAFETY: the word holds an item, which stays as long as this duplicate.
            let item: Ref<'_, T> = unsafe { Ref::from_raw(word.raw()) };
            self.hash_of(word) == hash && wanted(&item)
        })?;
        Some(Slot { dict: self, home, place })
    }

    /// The place of this key, taken or not. O(1).
    #[inline]
    pub fn entry(&mut self, hash: u64, key: &[u8]) -> Entry<'_, T> {
        match self.locate(hash, key) {
            Some((home, place)) => Entry::Occupied(Slot { dict: self, home, place }),
            None => Entry::Vacant(Vacant { dict: self, hash }),
        }
    }

    /// Adds an item whose key the dict does not hold; `hash` is its key's. O(1): at most two
    /// buckets are split.
    ///
    /// Adding a key twice is safe but wrong: one of the items hides the other.
    #[inline]
    pub fn insert(&mut self, hash: u64, item: T, mark: Mark) -> Slot<'_, T> {
        self.make_room();
        let Home { index: home, head, window, .. } =
            self.segments.home(hash).expect("`make_room` made the first bucket");
        let word = Word::new(item.into_raw(), window.fragment(hash), mark);
        self.len += 1;
        if mark == Mark::Set {
            let marks = self.marks_mut();
            marks.len += 1;
            marks.set(home);
        }
        // SAFETY: `head` is a bucket of ours, and `self` is borrowed exclusively.
        let place = unsafe { bucket::push(head, word, tag(hash), &mut self.children) };
        Slot { dict: self, home, place }
    }

    /// Takes the item with this key out. O(1): at most two buckets are merged.
    #[inline]
    pub fn remove(&mut self, hash: u64, key: &[u8]) -> Option<T> {
        Some(self.find_mut(hash, key)?.remove())
    }

    /// Drops all items at once. O(n); to do it in slices see [`Dict::take_bucket`], to do it
    /// elsewhere [`Dict::take`].
    pub fn clear(&mut self) {
        drop(self.take());
    }

    /// Leaves the dict empty and returns its contents. O(1).
    #[must_use]
    pub fn take(&mut self) -> Dict<T> {
        let mut empty = Dict::new(self.key);
        empty.resize = self.resize;
        std::mem::replace(self, empty)
    }

    /// Starts loading the bucket of `hash` into the cache: the first of three steps that hide the
    /// wait for memory when many keys are known before the first is needed.
    #[inline]
    pub fn prefetch_bucket(&self, hash: u64) {
        if let Some(home) = self.segments.home(hash) {
            prefetch(home.head.as_ptr().cast());
        }
    }

    /// Starts loading the item of `hash`, the second step. Reads the bucket. Most of the time that
    /// is all; some items are in a child bucket, which is loaded now and looked at in the third
    /// step, if [`Prefetch::Unfinished`] asks for it.
    #[inline]
    pub fn prefetch_item(&self, hash: u64) -> Prefetch {
        let Some(Home { head, window, .. }) = self.segments.home(hash) else {
            return Prefetch::Done;
        };
        // SAFETY: a bucket of ours, not changed while `self` is borrowed.
        let bucket = unsafe { head.as_ref() };
        if prefetch_match(bucket, tag(hash), window.fragment(hash)) {
            return Prefetch::Done;
        }
        match bucket.child() {
            Some(child) => {
                prefetch(child.as_ptr().cast());
                Prefetch::Unfinished
            }
            None => Prefetch::Done,
        }
    }

    /// Starts loading the item of `hash` from a child bucket, the third step.
    pub fn prefetch_child_item(&self, hash: u64) {
        let Some(Home { index, window, .. }) = self.segments.home(hash) else { return };
        let (tag, fragment) = (tag(hash), window.fragment(hash));
        let mut next = self.segments.bucket(index).next();
        while let Some(bucket) = next {
            if prefetch_match(bucket, tag, fragment) {
                return;
            }
            next = bucket.next();
        }
    }

    /// Bytes of the table itself, items not included.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.segments.memory_bytes()
            + self.children * size_of::<Bucket>()
            + self.marks.as_ref().map_or(0, |marks| marks.memory_bytes())
    }

    /// Finds an item: the bucket its chain starts at, and its place in the chain.
    #[inline]
    fn locate(&self, hash: u64, key: &[u8]) -> Option<(usize, Place)> {
        // SAFETY: the word holds an item, which stays as long as the borrow.
        self.locate_word(hash, |word| unsafe { T::key_of(word.raw()) } == key)
    }

    /// As `locate`, among the items that may have this hash.
    #[inline]
    fn locate_word(
        &self,
        hash: u64,
        mut wanted: impl FnMut(Word) -> bool,
    ) -> Option<(usize, Place)> {
        let Home { index: home, head, window, .. } = self.segments.home(hash)?;
        let (tag, fragment) = (tag(hash), window.fragment(hash));
        let mut at = head;
        loop {
            // SAFETY: a bucket below `count` or a child of one, not changed while `self` is borrowed.
            let bucket = unsafe { at.as_ref() };
            for slot in bucket.matches(tag) {
                let word = bucket.word(slot);
                if word.fragment() == fragment && wanted(word) {
                    return Some((home, Place { bucket: at, slot }));
                }
            }
            at = bucket.child()?;
        }
    }

    /// Puts a word into the chain of bucket `home`, and notes the bucket if the word is marked.
    #[inline]
    fn place(&mut self, home: usize, word: Word, tag: u8) -> Place {
        if word.mark() == Mark::Set {
            self.marks_mut().set(home);
        }
        // SAFETY: `pointer` names a bucket of ours, and `self` is borrowed exclusively.
        unsafe { bucket::push(self.segments.pointer(home), word, tag, &mut self.children) }
    }

    /// Takes out the item at `place` in the chain of bucket `home`, which must be a taken slot.
    fn remove_at(&mut self, home: usize, place: Place) -> T {
        let head = self.segments.pointer(home);
        // SAFETY: `head` is ours and `self` borrowed exclusively; `place` is taken, says the caller.
        let word = unsafe { bucket::remove(head, place, &mut self.children) };
        self.len -= 1;
        if word.mark() == Mark::Set {
            self.unmark(home);
        }
        self.give_back();
        // SAFETY: the word was the only owner of the item.
        unsafe { T::from_raw(word.raw()) }
    }

    /// Counts one marked item less, in bucket `home`, whose word is already clear or gone.
    fn unmark(&mut self, home: usize) {
        let head = self.segments.bucket(home);
        let marked = head.chain_words().any(|word| word.mark() == Mark::Set);
        let marks = self.marks_mut();
        marks.len -= 1;
        if !marked {
            marks.clear(home);
        }
    }

    fn marks_mut(&mut self) -> &mut Marks {
        self.marks.get_or_insert_default()
    }

    /// The hash of the item in a taken slot's word.
    fn hash_of(&self, word: Word) -> u64 {
        // SAFETY: the word holds an item of ours; the slice is not kept.
        self.key.hash(unsafe { T::key_of(word.raw()) })
    }

    /// Takes any item out, from the last bucket; leaves buckets that are out of date. Only for
    /// dicts that nothing is looked up in any more.
    fn pop_any(&mut self) -> Option<T> {
        while self.segments.count() > 0 {
            let last = self.segments.pointer(self.segments.count() - 1);
            // SAFETY: a bucket of ours, and `self` is borrowed exclusively.
            if let Some(word) = unsafe { bucket::pop(last, &mut self.children) } {
                self.len -= 1;
                // SAFETY: the word was the only owner of the item.
                return Some(unsafe { T::from_raw(word.raw()) });
            }
            self.segments.pop();
            self.prefetch_items_of(self.segments.count().wrapping_sub(AHEAD));
        }
        None
    }

    /// Starts loading the items in the first bucket of a chain, for whoever visits all in order. Of
    /// a bucket that is not there, none.
    #[inline]
    fn prefetch_items_of(&self, index: usize) {
        if index < self.segments.count() {
            let bucket = self.segments.bucket(index);
            for slot in bucket.taken() {
                prefetch_item(bucket.word(slot));
            }
        }
    }
}

/// How many buckets ahead items are prefetched when all are visited.
const AHEAD: usize = 4;

impl<T: Item> Drop for Dict<T> {
    fn drop(&mut self) {
        while let Some(item) = self.pop_any() {
            drop(item);
        }
    }
}

/// A dict whose items may be loaded ahead of their use, whatever they are.
#[expect(clippy::len_without_is_empty, reason = "whoever loads ahead asks for many")]
pub trait Loader {
    /// See [`Dict::len`].
    fn len(&self) -> usize;
    /// See [`Dict::hash`].
    fn hash(&self, key: &[u8]) -> u64;
    /// See [`Dict::prefetch_bucket`].
    fn prefetch_bucket(&self, hash: u64);
    /// See [`Dict::prefetch_item`].
    fn prefetch_item(&self, hash: u64) -> Prefetch;
    /// See [`Dict::prefetch_child_item`].
    fn prefetch_child_item(&self, hash: u64);
    /// See [`Dict::stats`].
    fn stats(&self) -> Stats;
}

impl<T: Item> Loader for Dict<T> {
    fn len(&self) -> usize {
        self.len
    }

    fn hash(&self, key: &[u8]) -> u64 {
        Dict::hash(self, key)
    }

    fn prefetch_bucket(&self, hash: u64) {
        Dict::prefetch_bucket(self, hash);
    }

    fn prefetch_item(&self, hash: u64) -> Prefetch {
        Dict::prefetch_item(self, hash)
    }

    fn prefetch_child_item(&self, hash: u64) {
        Dict::prefetch_child_item(self, hash);
    }

    fn stats(&self) -> Stats {
        Dict::stats(self)
    }
}

/// What [`Dict::prefetch_item`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prefetch {
    /// All there is to do.
    Done,
    /// A child bucket is being loaded, for [`Dict::prefetch_child_item`].
    Unfinished,
}

const CACHE_LINE: usize = 64;

/// Starts loading the item in `bucket` that matches; returns whether there is one.
#[inline]
fn prefetch_match(bucket: &Bucket, tag: u8, fragment: u16) -> bool {
    for slot in bucket.matches(tag) {
        let word = bucket.word(slot);
        if word.fragment() == fragment {
            prefetch_item(word);
            return true;
        }
    }
    false
}

/// Starts loading the beginning of an item.
#[inline]
fn prefetch_item(word: Word) {
    let item = word.raw().as_ptr();
    prefetch(item);
    // Most items are small but not aligned to a line: take the one they may end in.
    prefetch(item.wrapping_add(CACHE_LINE - 1));
}

/// Starts loading the cache line at `address`, which may be any.
#[inline]
pub(in crate::ds) fn prefetch(address: *const u8) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch is a hint; it does not access memory.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}
