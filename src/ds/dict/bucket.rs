//! One cache line of the table: seven words, seven tags and a byte that says which slots are taken.
//!
//! ```text
//! byte  0        8        16       24       32       40       48       56                    63
//!       | word 0 | word 1 | word 2 | word 3 | word 4 | word 5 | word 6 | tag 0 .. tag 6 | state |
//! ```
//! State holds a bit for each taken slot and, on top, `CHAINED`: then slot 6 is not taken and word 6
//! points to a child bucket, allocated alone, which this one owns.
//!
//! A chain is a head in a segment and its children. Invariants, kept by every function here but not
//! by a leaked guard (which leaves a free slot in the middle): all buckets but the last are full
//! (six items and a child), and a last bucket that is a child holds at least two items.

use super::Mark;
use crate::base::num;
use crate::ds::relocate::{self, Relocator};
use std::ptr::NonNull;

/// Items a bucket holds when it has no child.
pub(super) const SLOTS: usize = 7;
/// The slot that gives way to the child pointer.
const CHILD_SLOT: usize = SLOTS - 1;
/// The state byte's bits, where they lie in the control word.
const STATE_SHIFT: u32 = 56;
const CHAINED: u64 = 1 << 63;
const TAKEN: u64 = 0x7f << STATE_SHIFT;

/// The item's address (48 bits, the low bit is the mark) under 16 bits of its hash.
///
/// It is a pointer whose unused bits carry data, never an integer, so that it keeps the provenance
/// of the allocation it points to.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(super) struct Word(*mut u8);

const FRAGMENT_SHIFT: u32 = 48;
const FRAGMENT_BITS: usize = 0xffff << FRAGMENT_SHIFT;
const MARK_BIT: usize = 1;
const ADDRESS_BITS: usize = !FRAGMENT_BITS & !7;

impl Word {
    const EMPTY: Word = Word(std::ptr::null_mut());

    /// Packs `raw`, which must be 8-aligned and below 2^48, with 16 bits of hash and a mark.
    #[inline]
    pub(super) fn new(raw: NonNull<u8>, fragment: u16, mark: Mark) -> Word {
        let address = raw.addr().get();
        assert!(address & !ADDRESS_BITS == 0, "items are 8-aligned, in the low 2^48 bytes");
        Word(raw.as_ptr()).with_fragment(fragment).with_mark(mark)
    }

    /// The item's address. The word must hold an item.
    #[inline]
    pub(super) fn raw(self) -> NonNull<u8> {
        let pointer = self.0.map_addr(|bits| bits & ADDRESS_BITS);
        debug_assert!(!pointer.is_null());
        // SAFETY: `new` packed a non-null pointer whose address lies within ADDRESS_BITS, and the
        // other functions keep those bits; empty words are not handed out of this module.
        unsafe { NonNull::new_unchecked(pointer) }
    }

    /// The word for the item moved to `raw`.
    #[inline]
    pub(super) fn with_raw(self, raw: NonNull<u8>) -> Word {
        Word::new(raw, self.fragment(), self.mark())
    }

    #[inline]
    pub(super) fn fragment(self) -> u16 {
        num::low_u16(num::u64_of(self.0.addr()) >> FRAGMENT_SHIFT)
    }

    #[inline]
    pub(super) fn with_fragment(self, fragment: u16) -> Word {
        let fragment = num::usize_of(u64::from(fragment)) << FRAGMENT_SHIFT;
        Word(self.0.map_addr(|bits| (bits & !FRAGMENT_BITS) | fragment))
    }

    #[inline]
    pub(super) fn mark(self) -> Mark {
        if self.0.addr() & MARK_BIT == 0 { Mark::Clear } else { Mark::Set }
    }

    #[inline]
    pub(super) fn with_mark(self, mark: Mark) -> Word {
        let bit = match mark {
            Mark::Clear => 0,
            Mark::Set => MARK_BIT,
        };
        Word(self.0.map_addr(|bits| (bits & !MARK_BIT) | bit))
    }
}

/// Seven slots and their control word; see the module's page.
#[repr(C, align(64))]
pub(super) struct Bucket {
    words: [Word; SLOTS],
    control: u64,
}

const _: () = assert!(size_of::<Bucket>() == 64);
const _: () = assert!(align_of::<Bucket>() == 64);

/// A set of slot numbers, one bit each.
#[derive(Clone, Copy)]
pub(super) struct SlotSet(u64);

impl Iterator for SlotSet {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        if self.0 == 0 {
            return None;
        }
        let slot = self.0.trailing_zeros();
        self.0 &= self.0 - 1;
        Some(num::usize_of_u32(slot))
    }
}

impl Bucket {
    pub(super) const EMPTY: Bucket = Bucket { words: [Word::EMPTY; SLOTS], control: 0 };

    /// The slots that hold an item.
    #[inline]
    pub(super) fn taken(&self) -> SlotSet {
        SlotSet((self.control & TAKEN) >> STATE_SHIFT)
    }

    /// The first taken slot at or after `slot`.
    #[inline]
    pub(super) fn taken_from(&self, slot: usize) -> Option<usize> {
        SlotSet((self.control & TAKEN) >> STATE_SHIFT & (u64::MAX << slot)).next()
    }

    /// Items in this bucket, its children not counted.
    #[inline]
    pub(super) fn count(&self) -> usize {
        num::usize_of_u32((self.control & TAKEN).count_ones())
    }

    /// The taken slots whose tag is `tag`.
    #[inline]
    pub(super) fn matches(&self, tag: u8) -> SlotSet {
        SlotSet(equal_tags(self.control, tag) & (self.control >> STATE_SHIFT) & 0x7f)
    }

    #[inline]
    pub(super) fn word(&self, slot: usize) -> Word {
        self.words[slot]
    }

    #[inline]
    fn tag(&self, slot: usize) -> u8 {
        num::low_u8(self.control >> (8 * slot))
    }

    /// The pointer to the child, which this bucket owns.
    #[inline]
    pub(super) fn child(&self) -> Option<NonNull<Bucket>> {
        if self.control & CHAINED == 0 {
            return None;
        }
        NonNull::new(self.words[CHILD_SLOT].0.cast::<Bucket>())
    }

    /// The child for reading.
    #[inline]
    pub(super) fn next(&self) -> Option<&Bucket> {
        // SAFETY: `child` is a live allocation owned by `self` (CHAINED says so, set by `link` and
        // cleared by `unlink` alone); whoever borrowed `self` borrowed its children.
        self.child().map(|child| unsafe { child.as_ref() })
    }

    /// This bucket and those chained to it.
    #[inline]
    pub(super) fn chain(&self) -> impl Iterator<Item = &Bucket> {
        std::iter::successors(Some(self), |bucket| bucket.next())
    }

    /// The words of all items in the chain.
    #[inline]
    pub(super) fn chain_words(&self) -> impl Iterator<Item = Word> {
        self.chain().flat_map(|bucket| bucket.taken().map(|slot| bucket.word(slot)))
    }

    /// A free slot.
    #[inline]
    fn vacancy(&self) -> Option<usize> {
        let usable = if self.control & CHAINED == 0 { 0x7f } else { 0x3f };
        SlotSet(!(self.control >> STATE_SHIFT) & usable).next()
    }

    #[inline]
    fn put(&mut self, slot: usize, word: Word, tag: u8) {
        let shift = 8 * slot;
        self.words[slot] = word;
        self.control = (self.control & !(0xff << shift)) | u64::from(tag) << shift;
        self.control |= 1 << slot << STATE_SHIFT;
    }

    /// Overwrites the word of a slot; its tag stays.
    #[inline]
    pub(super) fn set_word(&mut self, slot: usize, word: Word) {
        self.words[slot] = word;
    }

    /// Frees a slot but keeps its tag, so that `reveal` can take it back.
    #[inline]
    pub(super) fn hide(&mut self, slot: usize) {
        self.control &= !(1 << slot << STATE_SHIFT);
    }

    /// Takes back a slot freed by `hide`, now with `word`.
    #[inline]
    pub(super) fn reveal(&mut self, slot: usize, word: Word) {
        self.words[slot] = word;
        self.control |= 1 << slot << STATE_SHIFT;
    }

    /// Empties the highest taken slot.
    #[inline]
    fn pop(&mut self) -> Option<(Word, u8)> {
        let slot = self.taken().last()?;
        self.hide(slot);
        Some((self.words[slot], self.tag(slot)))
    }

    /// Moves the child, if there is one.
    #[inline]
    pub(super) fn relocate_child(&mut self, to: &mut dyn Relocator) {
        if self.control & CHAINED == 0 {
            return;
        }
        let mut child = self.unlink().expect("it is chained");
        relocate::boxed(&mut child, to);
        self.link(child);
    }

    /// Makes `child` this bucket's child; slot 6 must be free.
    fn link(&mut self, child: Box<Bucket>) {
        debug_assert!(self.control & (CHAINED | 1 << CHILD_SLOT << STATE_SHIFT) == 0);
        self.words[CHILD_SLOT] = Word(Box::into_raw(child).cast::<u8>());
        self.control |= CHAINED;
    }

    /// Gives up the child.
    fn unlink(&mut self) -> Option<Box<Bucket>> {
        let child = self.child()?;
        self.control &= !CHAINED;
        // SAFETY: the pointer came from `Box::into_raw` in `link`; CHAINED, just cleared, was the
        // only claim to it.
        Some(unsafe { Box::from_raw(child.as_ptr()) })
    }
}

/// Bit `i` is set if byte `i` of `control` equals `tag`. The top bit is meaningless.
#[cfg(target_arch = "x86_64")]
#[inline]
fn equal_tags(control: u64, tag: u8) -> u64 {
    #[inline]
    #[target_feature(enable = "sse2")]
    fn compare(control: u64, tag: u8) -> u64 {
        use std::arch::x86_64 as simd;
        let control = simd::_mm_cvtsi64_si128(control.cast_signed());
        let equal = simd::_mm_cmpeq_epi8(control, simd::_mm_set1_epi8(tag.cast_signed()));
        u64::from(simd::_mm_movemask_epi8(equal).cast_unsigned() & 0xff)
    }
    // SAFETY: every processor of this architecture has SSE2.
    unsafe { compare(control, tag) }
}

/// As above, in plain arithmetic.
#[cfg(any(test, not(target_arch = "x86_64")))]
#[inline]
fn equal_tags_portable(control: u64, tag: u8) -> u64 {
    const LOW: u64 = 0x0101_0101_0101_0101;
    const SEVEN: u64 = 0x7f7f_7f7f_7f7f_7f7f;
    // Exact for every byte: adding 0x7f to seven bits carries into the eighth unless they are 0.
    let differing = control ^ (LOW * u64::from(tag));
    let zero = !(((differing & SEVEN) + SEVEN) | differing | SEVEN) >> 7;
    // Byte i's lowest bit moves to bit 56 + i.
    zero.wrapping_mul(0x0102_0408_1020_4080) >> 56
}

#[cfg(not(target_arch = "x86_64"))]
use equal_tags_portable as equal_tags;

/// Where an item lies: the bucket that holds it, a child perhaps, and the slot in it.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) bucket: NonNull<Bucket>,
    pub(super) slot: usize,
}

/// Adds an item to the chain of `head`; `children` counts the table's child buckets.
///
/// # Safety
/// `head` starts a chain of a table the caller has borrowed exclusively.
#[inline]
pub(super) unsafe fn push(
    head: NonNull<Bucket>,
    word: Word,
    tag: u8,
    children: &mut usize,
) -> Place {
    let mut at = head;
    loop {
        // SAFETY: `at` is `head` or a child of it, ours alone by the contract.
        let bucket = unsafe { at.as_mut() };
        if let Some(slot) = bucket.vacancy() {
            bucket.put(slot, word, tag);
            return Place { bucket: at, slot };
        }
        at = match bucket.child() {
            Some(child) => child,
            None => {
                grow_chain(bucket);
                *children += 1;
                bucket.child().expect("the chain was just grown")
            }
        };
    }
}

/// Moves the last item of a full bucket to a new child.
#[cold]
fn grow_chain(bucket: &mut Bucket) {
    let mut child = Box::new(Bucket::EMPTY);
    let (word, tag) = (bucket.words[CHILD_SLOT], bucket.tag(CHILD_SLOT));
    bucket.hide(CHILD_SLOT);
    child.put(0, word, tag);
    bucket.link(child);
}

/// Takes the item at `place` out of the chain of `head` and closes the gap with the chain's last.
///
/// # Safety
/// `head` starts a chain of a table the caller has borrowed exclusively; `place` is a taken slot of
/// that chain.
#[inline]
pub(super) unsafe fn remove(head: NonNull<Bucket>, mut place: Place, children: &mut usize) -> Word {
    // SAFETY: `place` is in the chain, ours alone by the contract.
    let bucket = unsafe { place.bucket.as_mut() };
    let word = bucket.word(place.slot);
    bucket.hide(place.slot);
    // SAFETY: as above; `head` is reborrowed after the last use of `bucket`.
    if unsafe { head.as_ref() }.child().is_some() {
        // SAFETY: our own contract.
        unsafe { close_gap(head, place, children) };
    }
    word
}

/// Fills the free slot `gap` with the last item of the chain, and drops a child with one item left.
///
/// # Safety
/// As for `remove`, but `gap` is free, and `head` has a child.
#[cold]
unsafe fn close_gap(head: NonNull<Bucket>, mut gap: Place, children: &mut usize) {
    let (mut parent, mut last) = (head, head);
    // SAFETY: `last` is `head` or a child of it, ours alone by the contract.
    while let Some(child) = unsafe { last.as_ref() }.child() {
        (parent, last) = (last, child);
    }
    // SAFETY: as above.
    let tail = unsafe { last.as_mut() };
    let moved = if last == gap.bucket { None } else { tail.pop() };
    let left = if tail.count() <= 1 { Some(tail.pop()) } else { None };
    if let Some((word, tag)) = moved {
        // SAFETY: `gap.bucket` is in the chain and is not `tail`.
        unsafe { gap.bucket.as_mut() }.put(gap.slot, word, tag);
    }
    if let Some(left) = left {
        // SAFETY: `parent` is not `tail`, because `head` has a child.
        let parent = unsafe { parent.as_mut() };
        drop(parent.unlink());
        *children -= 1;
        if let Some((word, tag)) = left {
            parent.put(CHILD_SLOT, word, tag);
        }
    }
}

/// Takes any item out of the chain of `head`.
///
/// # Safety
/// `head` starts a chain of a table the caller has borrowed exclusively.
pub(super) unsafe fn pop(head: NonNull<Bucket>, children: &mut usize) -> Option<Word> {
    let mut at = head;
    loop {
        // SAFETY: `at` is `head` or a child of it, ours alone by the contract.
        let bucket = unsafe { at.as_ref() };
        match (bucket.taken().last(), bucket.child()) {
            (Some(slot), _) => {
                // SAFETY: `at` is in the chain and `slot` is taken.
                return Some(unsafe { remove(head, Place { bucket: at, slot }, children) });
            }
            // Only a leaked guard leaves an empty bucket with a child.
            (None, Some(child)) => at = child,
            (None, None) => return None,
        }
    }
}

/// Empties the chain of `head`. What the iterator is not asked for is leaked, not freed.
///
/// # Safety
/// `head` starts a chain of a table the caller has borrowed exclusively.
pub(super) unsafe fn take_all(mut head: NonNull<Bucket>, children: &mut usize) -> Taken {
    // SAFETY: our own contract.
    let head = unsafe { head.as_mut() };
    let bucket = std::mem::replace(head, Bucket::EMPTY);
    let (mut count, mut next) = (bucket.count(), bucket.next());
    while let Some(child) = next {
        *children -= 1;
        count += child.count();
        next = child.next();
    }
    Taken { slots: bucket.taken(), bucket, count }
}

/// The items of a chain taken apart, with their tags. Children are freed on the way.
pub(super) struct Taken {
    bucket: Bucket,
    slots: SlotSet,
    count: usize,
}

impl Taken {
    /// Items still to come.
    pub(super) fn left(&self) -> usize {
        self.count
    }
}

impl Iterator for Taken {
    type Item = (Word, u8);

    #[inline]
    fn next(&mut self) -> Option<(Word, u8)> {
        loop {
            if let Some(slot) = self.slots.next() {
                self.count -= 1;
                return Some((self.bucket.word(slot), self.bucket.tag(slot)));
            }
            self.bucket = *self.bucket.unlink()?;
            self.slots = self.bucket.taken();
        }
    }
}

#[cfg(any(test, fuzzing))]
impl Bucket {
    /// Checks the chain this bucket starts; `children` counts its children.
    pub(super) fn check_chain(&self, children: &mut usize) {
        if let Some(child) = self.next() {
            assert_eq!(self.taken().count(), CHILD_SLOT, "a bucket with a child is full");
            assert!(child.count() >= 2, "a child holds at least two items");
            *children += 1;
            child.check_chain(children);
        }
    }

    /// The tag and word of every item of the chain.
    pub(super) fn tagged(&self) -> Vec<(u8, Word)> {
        let mut all: Vec<_> = self.taken().map(|i| (self.tag(i), self.word(i))).collect();
        if let Some(child) = self.next() {
            all.extend(child.tagged());
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A word that points nowhere, told apart by its number.
    fn word(n: usize) -> Word {
        let pointer = std::ptr::without_provenance_mut((n + 1) * 8);
        Word::new(NonNull::new(pointer).expect("not null"), 0, Mark::Clear)
    }

    fn number(word: Word) -> usize {
        word.raw().addr().get() / 8 - 1
    }

    #[test]
    fn word_keeps_address_fragment_and_mark_apart() {
        let pointer = std::ptr::without_provenance_mut(0x7fff_ffff_fff8);
        let raw = NonNull::new(pointer).expect("not null");
        for mark in [Mark::Clear, Mark::Set] {
            for fragment in [0, 1, 0x8000, 0xffff] {
                let word = Word::new(raw, fragment, mark);
                assert_eq!((word.raw(), word.fragment(), word.mark()), (raw, fragment, mark));
                let other = word.with_fragment(0x1234).with_mark(Mark::Set);
                assert_eq!((other.raw(), other.fragment()), (raw, 0x1234));
            }
        }
    }

    #[test]
    #[should_panic(expected = "8-aligned")]
    fn word_refuses_an_address_that_does_not_fit() {
        let pointer = std::ptr::without_provenance_mut(1 << 48);
        Word::new(NonNull::new(pointer).expect("not null"), 0, Mark::Clear);
    }

    #[test]
    fn equal_tags_agrees_with_a_loop() {
        let mut control = 0x9e37_79b9_7f4a_7c15u64;
        for round in 0..20_000u32 {
            control ^= control << 13;
            control ^= control >> 7;
            control ^= control << 17;
            let bytes = control.to_le_bytes();
            for tag in [bytes[0], bytes[3] ^ 0x80, 0, 1, 0xff, num::low_u8(u64::from(round))] {
                for control in [control, control & 0x0001_01ff_0080_ff00] {
                    let expected = (0..7)
                        .filter(|&i| control.to_le_bytes()[i] == tag)
                        .fold(0, |set, i| set | 1 << i);
                    for found in [equal_tags(control, tag), equal_tags_portable(control, tag)] {
                        assert_eq!(found & 0x7f, expected, "{control:x} {tag:x}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_chain_grows_and_shrinks_without_gaps() {
        for size in 0..40 {
            for victim in 0..size {
                let mut owner = Bucket::EMPTY;
                let head = NonNull::from(&mut owner);
                let mut children = 0;
                for n in 0..size {
                    // SAFETY: `owner` is not used but through `head`.
                    unsafe { push(head, word(n), num::low_u8(num::u64_of(n)), &mut children) };
                }
                let mut left: Vec<usize> = (0..size).collect();
                let mut at = victim;
                while !left.is_empty() {
                    let n = left.swap_remove(at % left.len());
                    at += 5;
                    let place = place_of(head, n);
                    // SAFETY: as above.
                    let word = unsafe { remove(head, place, &mut children) };
                    assert_eq!(number(word), n);
                    check(head, &left, children);
                }
            }
        }
    }

    #[test]
    fn taking_a_chain_apart_yields_every_item_with_its_tag() {
        for size in 0..40 {
            let mut owner = Bucket::EMPTY;
            let head = NonNull::from(&mut owner);
            let mut children = 0;
            for n in 0..size {
                // SAFETY: `owner` is not used but through `head`.
                unsafe { push(head, word(n), num::low_u8(num::u64_of(n)), &mut children) };
            }
            // SAFETY: as above.
            let taken = unsafe { take_all(head, &mut children) };
            assert_eq!((taken.left(), children), (size, 0));
            let mut items: Vec<_> = taken.map(|(word, tag)| (number(word), tag)).collect();
            items.sort_unstable();
            let expected: Vec<_> = (0..size).map(|n| (n, num::low_u8(num::u64_of(n)))).collect();
            assert_eq!(items, expected);
            check(head, &[], children);
        }
    }

    fn place_of(head: NonNull<Bucket>, n: usize) -> Place {
        let mut at = Some(head);
        while let Some(bucket) = at {
            // SAFETY: a bucket of the test's chain.
            let view = unsafe { bucket.as_ref() };
            if let Some(slot) = view.taken().find(|&slot| number(view.word(slot)) == n) {
                return Place { bucket, slot };
            }
            at = view.child();
        }
        panic!("{n} is in the chain");
    }

    fn check(head: NonNull<Bucket>, expected: &[usize], children: usize) {
        // SAFETY: a bucket of the test's chain.
        let head = unsafe { head.as_ref() };
        let mut counted = 0;
        head.check_chain(&mut counted);
        assert_eq!(counted, children);
        let mut found: Vec<_> = head.tagged().iter().map(|(_, word)| number(*word)).collect();
        let mut expected = expected.to_vec();
        found.sort_unstable();
        expected.sort_unstable();
        assert_eq!(found, expected);
    }
}
