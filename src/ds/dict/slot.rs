//! Views of one item: to read it, to change it, to move or remove it.
//!
//! A slot's word has data in the pointer's spare bits, so there is no `T` in the table to refer to.
//! A view holds a duplicate of the pointer that it never drops.

use super::bucket::Place;
use super::{Dict, Item, Mark};
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

/// A shared reference to an item in a dict.
pub struct Ref<'a, T> {
    item: ManuallyDrop<T>,
    dict: PhantomData<&'a T>,
}

impl<'a, T: Item> Ref<'a, T> {
    /// # Safety
    /// `place` is a taken slot, and stays so, unchanged, for `'a`.
    #[inline]
    pub(super) unsafe fn new(place: Place) -> Ref<'a, T> {
        // SAFETY: the bucket is live and shared for `'a`.
        let word = unsafe { place.bucket.as_ref() }.word(place.slot);
        // SAFETY: the word of a taken slot holds an item, not changed for `'a`.
        unsafe { Ref::from_raw(word.raw()) }
    }

    /// # Safety
    /// `raw` is an item in the dict, which stays there, unchanged, for `'a`.
    #[inline]
    pub(super) unsafe fn from_raw(raw: NonNull<u8>) -> Ref<'a, T> {
        // SAFETY: this duplicate is never dropped and only lent out shared.
        Ref { item: ManuallyDrop::new(unsafe { T::from_raw(raw) }), dict: PhantomData }
    }

    /// The item's key, for as long as the dict is borrowed.
    #[inline]
    #[must_use]
    pub fn into_key(self) -> &'a [u8] {
        // SAFETY: the item stays in the dict, unchanged, for `'a`.
        unsafe { T::key_of(self.as_raw()) }
    }

    /// The address the item points to, valid for `'a`.
    #[inline]
    #[must_use]
    pub fn as_raw(&self) -> NonNull<u8> {
        // SAFETY: the copy is turned back into the address at once, so it is never dropped.
        let copy: ManuallyDrop<T> = unsafe { std::ptr::read(&raw const self.item) };
        ManuallyDrop::into_inner(copy).into_raw()
    }
}

impl<T> Deref for Ref<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.item
    }
}

/// An exclusive reference to an item in a dict.
///
/// The item may be replaced as a whole, so its slot counts as free while this lives and is taken
/// again when it is dropped. Forgetting one therefore loses the item, nothing more.
pub struct RefMut<'a, T: Item> {
    item: ManuallyDrop<T>,
    place: Place,
    len: &'a mut usize,
    dict: PhantomData<&'a mut T>,
}

impl<T: Item> Deref for RefMut<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.item
    }
}

/// Whoever assigns a whole item must keep the key, or it will not be found again.
impl<T: Item> DerefMut for RefMut<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        &mut self.item
    }
}

impl<T: Item> Drop for RefMut<'_, T> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: this is the last use of `item`.
        let item = unsafe { ManuallyDrop::take(&mut self.item) };
        // SAFETY: the dict is borrowed exclusively as long as `self` lives.
        let bucket = unsafe { self.place.bucket.as_mut() };
        let word = bucket.word(self.place.slot).with_raw(item.into_raw());
        bucket.reveal(self.place.slot, word);
        *self.len += 1;
    }
}

/// The slot of an item, found or just inserted.
pub struct Slot<'a, T: Item> {
    pub(super) dict: &'a mut Dict<T>,
    /// The bucket the chain starts at.
    pub(super) home: usize,
    /// A taken slot in that chain.
    pub(super) place: Place,
}

impl<'a, T: Item> Slot<'a, T> {
    /// The item.
    #[inline]
    #[must_use]
    pub fn get(&self) -> Ref<'_, T> {
        // SAFETY: `place` is taken, and `self` is borrowed as long as the result.
        unsafe { Ref::new(self.place) }
    }

    /// The item, for as long as the dict was borrowed.
    #[inline]
    #[must_use]
    pub fn into_ref(self) -> Ref<'a, T> {
        // SAFETY: `place` is taken, and `self`, the dict's only borrower, is gone.
        unsafe { Ref::new(self.place) }
    }

    /// The item, to change. It may be moved or replaced, as long as its key stays the same.
    #[inline]
    pub fn get_mut(&mut self) -> RefMut<'_, T> {
        let item = ManuallyDrop::new(self.hide());
        RefMut { item, place: self.place, len: &mut self.dict.len, dict: PhantomData }
    }

    /// As `get_mut`, for as long as the dict was borrowed.
    #[inline]
    #[must_use]
    pub fn into_mut(mut self) -> RefMut<'a, T> {
        let item = ManuallyDrop::new(self.hide());
        RefMut { item, place: self.place, len: &mut self.dict.len, dict: PhantomData }
    }

    /// Puts `item`, which must have the same key, in the place of the one there, and returns that.
    #[inline]
    pub fn replace(&mut self, item: T) -> T {
        std::mem::replace(&mut *self.get_mut(), item)
    }

    /// Passes the item through `change`, which must return one with the same key.
    ///
    /// If `change` panics the slot is left empty.
    #[inline]
    #[must_use = "the slot is still there"]
    pub fn update(mut self, change: impl FnOnce(T) -> T) -> Slot<'a, T> {
        let item = change(self.hide());
        let place = self.place;
        let item = ManuallyDrop::new(item);
        drop(RefMut { item, place, len: &mut self.dict.len, dict: PhantomData });
        self
    }

    /// Whether the item is marked.
    #[inline]
    #[must_use]
    pub fn mark(&self) -> Mark {
        // SAFETY: the dict is borrowed exclusively through `self`.
        unsafe { self.place.bucket.as_ref() }.word(self.place.slot).mark()
    }

    /// Marks the item or clears its mark. O(1).
    #[inline]
    pub fn set_mark(&mut self, mark: Mark) {
        if self.mark() == mark {
            return;
        }
        // SAFETY: the dict is borrowed exclusively through `self`.
        let bucket = unsafe { self.place.bucket.as_mut() };
        bucket.set_word(self.place.slot, bucket.word(self.place.slot).with_mark(mark));
        match mark {
            Mark::Clear => self.dict.unmark(self.home),
            Mark::Set => {
                let marks = self.dict.marks_mut();
                marks.len += 1;
                marks.set(self.home);
            }
        }
    }

    /// Takes the item out. O(1): at most two buckets are merged.
    #[inline]
    pub fn remove(self) -> T {
        self.dict.remove_at(self.home, self.place)
    }

    /// Takes the item but keeps the slot for it.
    #[inline]
    fn hide(&mut self) -> T {
        // SAFETY: the dict is borrowed exclusively through `self`.
        let bucket = unsafe { self.place.bucket.as_mut() };
        bucket.hide(self.place.slot);
        self.dict.len -= 1;
        // SAFETY: the slot does not count as taken any more, so this is the only owner.
        unsafe { T::from_raw(bucket.word(self.place.slot).raw()) }
    }
}

/// The place of a key in a dict.
pub enum Entry<'a, T: Item> {
    /// The dict holds an item with the key.
    Occupied(Slot<'a, T>),
    /// It does not.
    Vacant(Vacant<'a, T>),
}

/// A key that a dict does not hold.
pub struct Vacant<'a, T: Item> {
    pub(super) dict: &'a mut Dict<T>,
    pub(super) hash: u64,
}

impl<'a, T: Item> Vacant<'a, T> {
    /// Adds the item with that key. O(1): at most two buckets are split.
    #[inline]
    pub fn insert(self, item: T, mark: Mark) -> Slot<'a, T> {
        self.dict.insert(self.hash, item, mark)
    }
}
