//! One node of the tree: an allocation that it owns, with all that hangs from it.
//!
//! ```text
//! header     lengths; whether there is room for a value of its own, and one in it
//! own        [V; 0 or 1]           the value of the key that ends here
//! prefix     [u8; prefix_len]      what all keys below have in common, after the byte that leads here
//! tail       [u8; tail_len]        how the keys of values in slots go on, after the slot's byte
//! bytes      [u8; capacity]        the slots' bytes, ascending, the first `len` in use
//! kinds      [u8; capacity / 8]    a bit for each slot: 1 for a value, 0 for a node
//! slots      [Slot; capacity]      the first `len` in use, from the next multiple of eight on
//! ```
//! Invariant: `len` and `capacity` are at most 256, all parts lie within the allocation in this order,
//! and kind bits say what slots hold. What keys mean is up to [`super::edit`].

use crate::base::num;
use crate::ds::relocate::{self, Relocator};
use crate::ds::size_class::size_class;
use std::alloc::{self, Layout};
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ptr::{self, NonNull};

/// The longest tail.
pub(super) const TAIL_LEN_MAX: usize = 255;
/// Slots of a node that has one for every byte.
pub(super) const CAPACITY_MAX: usize = 256;

/// A node, owned.
#[repr(transparent)]
pub(super) struct Node<V> {
    start: NonNull<Header>,
    owns: PhantomData<Slot<V>>,
}

// SAFETY: a node owns its allocation and what is in there, and shares them with nobody.
unsafe impl<V: Send> Send for Node<V> {}
// SAFETY: `&Node` gives out `&V` only.
unsafe impl<V: Sync> Sync for Node<V> {}

#[derive(Clone, Copy)]
#[repr(C)]
struct Header {
    prefix_len: usize,
    len: u16,
    capacity: u16,
    tail_len: u8,
    /// 1 if there is room for a value of the node's own.
    own_room: u8,
    /// 1 if there is a value in it.
    own_len: u8,
}

const HEADER_LEN: usize = size_of::<Header>();
const _: () = assert!(HEADER_LEN == 16 && align_of::<Header>() == SLOT_ALIGN);
const SLOT_ALIGN: usize = 8;

/// What hangs from a byte; the kind bit says which.
union Slot<V> {
    node: ManuallyDrop<Node<V>>,
    value: ManuallyDrop<V>,
}

/// What hangs from a byte of a node, owned.
pub(super) enum Child<V> {
    /// All keys that go on with this byte.
    Node(Node<V>),
    /// The value of the one key that goes on with this byte and the node's tail.
    Value(V),
}

/// What hangs from a byte of a node.
pub(super) enum ChildRef<'a, V> {
    /// See [`Child::Node`].
    Node(&'a Node<V>),
    /// See [`Child::Value`].
    Value(&'a V),
}

/// What hangs from a byte of a node, to be changed.
pub(super) enum ChildMut<'a, V> {
    /// See [`Child::Node`].
    Node(&'a mut Node<V>),
    /// See [`Child::Value`].
    Value(&'a mut V),
}

/// What a new node is made for.
#[derive(Clone, Copy)]
pub(super) struct Shape<'a> {
    /// The parts of its prefix.
    pub(super) prefix: [&'a [u8]; 3],
    /// Its tail, of at most [`TAIL_LEN_MAX`] bytes.
    pub(super) tail: &'a [u8],
    /// Slots that must have room; there may be room for more.
    pub(super) capacity: usize,
    /// Whether a value of its own must have room.
    pub(super) own: Own,
}

/// Whether a node has room for a value of its own.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Own {
    /// It has.
    Room,
    /// It has not.
    No,
}

impl Header {
    const fn own_len_max(&self, slot_len: usize) -> usize {
        if self.own_room == 0 { 0 } else { slot_len }
    }

    fn kinds_len(&self) -> usize {
        usize::from(self.capacity).div_ceil(8)
    }

    fn prefix_at(&self, slot_len: usize) -> usize {
        HEADER_LEN + self.own_len_max(slot_len)
    }

    fn tail_at(&self, slot_len: usize) -> usize {
        self.prefix_at(slot_len) + self.prefix_len
    }

    fn bytes_at(&self, slot_len: usize) -> usize {
        self.tail_at(slot_len) + usize::from(self.tail_len)
    }

    fn kinds_at(&self, slot_len: usize) -> usize {
        self.bytes_at(slot_len) + usize::from(self.capacity)
    }

    fn slots_at(&self, slot_len: usize) -> usize {
        (self.kinds_at(slot_len) + self.kinds_len()).next_multiple_of(SLOT_ALIGN)
    }

    fn size(&self, slot_len: usize) -> usize {
        match usize::from(self.capacity) {
            0 => self.bytes_at(slot_len),
            capacity => self.slots_at(slot_len) + capacity * slot_len,
        }
    }

    /// Raises the capacity to what the allocator would give anyway.
    fn fill(&mut self, slot_len: usize) {
        if self.capacity == 0 {
            return;
        }
        let class = size_class(self.size(slot_len));
        let spare = class - self.size(slot_len);
        let more = usize::from(self.capacity) + spare / (slot_len + 1);
        let exact = self.capacity;
        self.capacity = num::u16_of(more.min(CAPACITY_MAX), "at most 256");
        while self.size(slot_len) > class && self.capacity > exact {
            self.capacity -= 1;
        }
    }
}

impl<V> Node<V> {
    const SLOT_LEN: usize = {
        assert!(align_of::<V>() <= SLOT_ALIGN);
        assert!(align_of::<Slot<V>>() == SLOT_ALIGN);
        size_of::<Slot<V>>()
    };

    /// A node without slots and values.
    pub(super) fn new(shape: Shape<'_>) -> Node<V> {
        assert!(shape.capacity <= CAPACITY_MAX);
        let mut header = Header {
            prefix_len: shape.prefix.iter().map(|part| part.len()).sum(),
            len: 0,
            capacity: num::u16_of(shape.capacity, "asserted above"),
            tail_len: num::u8_of(shape.tail.len(), "the caller keeps to TAIL_LEN_MAX"),
            own_room: match shape.own {
                Own::Room => 1,
                Own::No => 0,
            },
            own_len: 0,
        };
        header.fill(Self::SLOT_LEN);
        let layout = Self::layout(&header);
        // SAFETY: there is a header, so the size is not zero.
        let pointer = unsafe { alloc::alloc(layout) };
        let Some(start) = NonNull::new(pointer) else { alloc::handle_alloc_error(layout) };
        // SAFETY: the allocation begins with an aligned header.
        unsafe { start.cast::<Header>().write(header) };
        let node = Node { start: start.cast(), owns: PhantomData };
        let mut at = header.prefix_at(Self::SLOT_LEN);
        for part in shape.prefix.into_iter().chain([shape.tail]) {
            // SAFETY: prefix and tail lie one behind the other in the new allocation, which does
            // not overlap with what the caller has.
            unsafe { ptr::copy_nonoverlapping(part.as_ptr(), node.at(at).as_ptr(), part.len()) };
            at += part.len();
        }
        // SAFETY: the bytes' and the kinds' parts lie one behind the other. They are read as slices.
        unsafe { node.at(at).write_bytes(0, usize::from(header.capacity) + header.kinds_len()) };
        node
    }

    /// A node that has a value and nothing else.
    pub(super) fn leaf(prefix: [&[u8]; 3], value: V) -> Node<V> {
        let mut node = Node::new(Shape { prefix, tail: &[], capacity: 0, own: Own::Room });
        node.put_own(value);
        node
    }

    fn layout(header: &Header) -> Layout {
        let size = header.size(Self::SLOT_LEN);
        Layout::from_size_align(size, SLOT_ALIGN).expect("a key has less than half the memory")
    }

    #[inline]
    fn header(&self) -> &Header {
        // SAFETY: the allocation begins with a header, written by `new`.
        unsafe { self.start.as_ref() }
    }

    #[inline]
    fn header_mut(&mut self) -> &mut Header {
        // SAFETY: as above, and the node is borrowed to be changed.
        unsafe { self.start.as_mut() }
    }

    #[inline]
    fn at(&self, offset: usize) -> NonNull<u8> {
        debug_assert!(offset <= self.size());
        // SAFETY: every caller passes the offset of a part, which lies within the allocation.
        unsafe { self.start.cast::<u8>().add(offset) }
    }

    /// Bytes that the allocator gives, without what hangs from the node.
    #[inline]
    pub(super) fn size(&self) -> usize {
        size_class(self.header().size(Self::SLOT_LEN))
    }

    /// Moves the node, without what hangs from it, if that is worth it.
    pub(super) fn relocate(&mut self, to: &mut dyn Relocator) {
        let layout = Self::layout(self.header());
        // SAFETY: allocated with this layout by `new`; `self` owns the block and has its only address.
        self.start = unsafe { relocate::block(self.start.cast(), layout, to) }.cast();
    }

    /// Slots in use.
    #[inline]
    pub(super) fn len(&self) -> usize {
        usize::from(self.header().len)
    }

    /// Slots there are.
    #[inline]
    pub(super) fn capacity(&self) -> usize {
        usize::from(self.header().capacity)
    }

    /// Whether the node has no slots in use: then it has a value of its own, unless it is being made.
    #[inline]
    pub(super) fn is_leaf(&self) -> bool {
        self.header().len == 0
    }

    /// The shape that has room for exactly what the node has.
    pub(super) fn shape(&self) -> Shape<'_> {
        Shape {
            prefix: [self.prefix(), &[], &[]],
            tail: self.tail(),
            capacity: self.len(),
            own: if self.own().is_some() { Own::Room } else { Own::No },
        }
    }

    /// Whether no other slot has room.
    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.header().len == self.header().capacity
    }

    /// Whether a value of the node's own has room.
    #[inline]
    pub(super) fn has_own_room(&self) -> bool {
        self.header().own_room == 1
    }

    #[inline]
    fn part(&self, offset: usize, len: usize) -> &[u8] {
        // SAFETY: every caller passes a part of bytes, and `new` wrote all of them.
        unsafe { std::slice::from_raw_parts(self.at(offset).as_ptr(), len) }
    }

    #[inline]
    fn part_mut(&mut self, offset: usize, len: usize) -> &mut [u8] {
        // SAFETY: as above, and the node is borrowed to be changed.
        unsafe { std::slice::from_raw_parts_mut(self.at(offset).as_ptr(), len) }
    }

    /// What all keys below have in common, after the byte that leads here.
    #[inline]
    pub(super) fn prefix(&self) -> &[u8] {
        self.part(self.header().prefix_at(Self::SLOT_LEN), self.header().prefix_len)
    }

    /// How the keys of values in slots go on.
    #[inline]
    pub(super) fn tail(&self) -> &[u8] {
        let header = self.header();
        self.part(header.tail_at(Self::SLOT_LEN), usize::from(header.tail_len))
    }

    /// The slots' bytes, ascending.
    #[inline]
    pub(super) fn bytes(&self) -> &[u8] {
        self.part(self.header().bytes_at(Self::SLOT_LEN), self.len())
    }

    #[inline]
    fn kinds(&self) -> &[u8] {
        let header = self.header();
        self.part(header.kinds_at(Self::SLOT_LEN), header.kinds_len())
    }

    #[inline]
    fn kinds_mut(&mut self) -> &mut [u8] {
        let header = self.header();
        let (at, len) = (header.kinds_at(Self::SLOT_LEN), header.kinds_len());
        self.part_mut(at, len)
    }

    /// Whether a slot holds a value, not a node.
    #[inline]
    pub(super) fn is_value(&self, index: usize) -> bool {
        self.kinds()[index / 8] >> (index % 8) & 1 == 1
    }

    /// How many slots hold values.
    pub(super) fn values(&self) -> usize {
        (0..self.len()).filter(|&index| self.is_value(index)).count()
    }

    /// The slot of a byte, or where it would be.
    #[inline]
    pub(super) fn find(&self, byte: u8) -> Result<usize, usize> {
        let bytes = self.bytes();
        let (Some(&first), Some(&last)) = (bytes.first(), bytes.last()) else { return Err(0) };
        if last < byte {
            return Err(bytes.len());
        }
        // In a run without gaps, as numbers that are counted up leave behind, this is the place.
        let guess = usize::from(byte.wrapping_sub(first));
        if bytes.get(guess) == Some(&byte) {
            return Ok(guess);
        }
        // No branches: it is done for many bytes at a time. There are at most 255 smaller ones.
        let smaller = bytes.iter().fold(0, |sum: u8, other| sum + u8::from(*other < byte));
        let index = usize::from(smaller);
        if bytes[index] == byte { Ok(index) } else { Err(index) }
    }

    /// The slots of a node that has some.
    #[inline]
    fn slots(&self) -> NonNull<Slot<V>> {
        self.at(self.header().slots_at(Self::SLOT_LEN)).cast()
    }

    /// The slot at `index`, which may be the first unused one.
    #[inline]
    fn slot(&self, index: usize) -> NonNull<Slot<V>> {
        debug_assert!(index <= self.capacity());
        // SAFETY: every caller has checked that there are so many slots.
        unsafe { self.slots().add(index) }
    }

    /// What hangs from the byte at `index`.
    #[inline]
    pub(super) fn child(&self, index: usize) -> ChildRef<'_, V> {
        assert!(index < self.len());
        // SAFETY: a slot in use, borrowed as long as the node.
        let slot = unsafe { self.slot(index).as_ref() };
        if self.is_value(index) {
            // SAFETY: so the kind says.
            ChildRef::Value(unsafe { &slot.value })
        } else {
            // SAFETY: so the kind says.
            ChildRef::Node(unsafe { &slot.node })
        }
    }

    /// The node that hangs from the byte at `index`, if it is one.
    pub(super) fn node_at(&self, index: usize) -> Option<&Node<V>> {
        match self.child(index) {
            ChildRef::Node(child) => Some(child),
            ChildRef::Value(_) => None,
        }
    }

    /// What hangs from the byte at `index`, to be changed.
    #[inline]
    pub(super) fn child_mut(&mut self, index: usize) -> ChildMut<'_, V> {
        assert!(index < self.len());
        let is_value = self.is_value(index);
        // SAFETY: a slot in use, and the node is borrowed to be changed as long as the result.
        let slot = unsafe { self.slot(index).as_mut() };
        if is_value {
            // SAFETY: so the kind says.
            ChildMut::Value(unsafe { &mut slot.value })
        } else {
            // SAFETY: so the kind says.
            ChildMut::Node(unsafe { &mut slot.node })
        }
    }

    /// Adds a slot before the one at `index`. There must be room.
    #[inline]
    pub(super) fn insert(&mut self, index: usize, byte: u8, child: Child<V>) {
        let len = self.len();
        assert!(index <= len && !self.is_full());
        let (slot, kind) = match child {
            Child::Node(node) => (Slot { node: ManuallyDrop::new(node) }, 0),
            Child::Value(value) => (Slot { value: ManuallyDrop::new(value) }, 1),
        };
        let (at, behind) = (self.slot(index).as_ptr(), len - index);
        // SAFETY: `len + 1` slots have room, so those from `index` on may move up by one.
        unsafe { ptr::copy(at, at.add(1), behind) };
        // SAFETY: there are more than `index` slots.
        unsafe { at.write(slot) };
        self.header_mut().len += 1;
        let bytes_at = self.header().bytes_at(Self::SLOT_LEN);
        let bytes = self.part_mut(bytes_at, len + 1);
        bytes.copy_within(index..len, index + 1);
        bytes[index] = byte;
        insert_bit(&mut self.kinds_mut()[..(len + 1).div_ceil(8)], index, kind);
    }

    /// Takes a slot out.
    #[inline]
    pub(super) fn remove(&mut self, index: usize) -> Child<V> {
        let len = self.len();
        assert!(index < len);
        let is_value = self.is_value(index);
        let at = self.slot(index).as_ptr();
        // SAFETY: a slot in use; from here on it is not the node's any more.
        let slot = unsafe { at.read() };
        // SAFETY: the slots behind it are in use, too, and move down by one.
        unsafe { ptr::copy(at.add(1), at, len - index - 1) };
        self.header_mut().len -= 1;
        let bytes_at = self.header().bytes_at(Self::SLOT_LEN);
        self.part_mut(bytes_at, len).copy_within(index + 1.., index);
        remove_bit(&mut self.kinds_mut()[..len.div_ceil(8)], index);
        Self::child_of(slot, is_value.into())
    }

    fn child_of(slot: Slot<V>, kind: u8) -> Child<V> {
        if kind == 1 {
            // SAFETY: so the kind says.
            Child::Value(ManuallyDrop::into_inner(unsafe { slot.value }))
        } else {
            // SAFETY: so the kind says.
            Child::Node(ManuallyDrop::into_inner(unsafe { slot.node }))
        }
    }

    /// Puts something else into a slot and returns what was there.
    pub(super) fn replace(&mut self, index: usize, child: Child<V>) -> Child<V> {
        let byte = self.bytes()[index];
        let old = self.remove(index);
        self.insert(index, byte, child);
        old
    }

    fn own_slot(&self) -> NonNull<V> {
        debug_assert!(self.has_own_room());
        self.at(HEADER_LEN).cast()
    }

    /// The value of the key that ends here.
    #[inline]
    pub(super) fn own(&self) -> Option<&V> {
        if self.header().own_len == 0 {
            return None;
        }
        // SAFETY: there is a value, borrowed as long as the node.
        Some(unsafe { self.own_slot().as_ref() })
    }

    /// The value of the key that ends here, to be changed.
    #[inline]
    pub(super) fn own_mut(&mut self) -> Option<&mut V> {
        if self.header().own_len == 0 {
            return None;
        }
        // SAFETY: there is a value, and the node is borrowed to be changed as long as the result.
        Some(unsafe { self.own_slot().as_mut() })
    }

    /// Gives the key that ends here a value. There must be room for it, and none there.
    pub(super) fn put_own(&mut self, value: V) {
        assert!(self.has_own_room() && self.header().own_len == 0);
        // SAFETY: there is room for a value, aligned as a slot.
        unsafe { self.own_slot().write(value) };
        self.header_mut().own_len = 1;
    }

    /// Takes the value of the key that ends here.
    pub(super) fn take_own(&mut self) -> Option<V> {
        if self.header().own_len == 0 {
            return None;
        }
        self.header_mut().own_len = 0;
        // SAFETY: there was a value; from here on it is not the node's any more.
        Some(unsafe { self.own_slot().read() })
    }

    /// Moves all slots of `other`, and its own value, to this node, which must be empty and have room.
    pub(super) fn take_all(&mut self, other: &mut Node<V>) {
        let len = other.len();
        assert!(self.len() == 0 && self.capacity() >= len);
        if len > 0 {
            // SAFETY: `len` slots are in use there and have room here; two nodes do not overlap.
            unsafe { self.slots().copy_from_nonoverlapping(other.slots(), len) };
        }
        // From here on the slots are not the other's any more.
        other.header_mut().len = 0;
        self.header_mut().len = num::u16_of(len, "at most 256");
        let (to, from) = (self.header().bytes_at(Self::SLOT_LEN), other.header());
        self.part_mut(to, len).copy_from_slice(other.part(from.bytes_at(Self::SLOT_LEN), len));
        let kinds_len = len.div_ceil(8);
        self.kinds_mut()[..kinds_len].copy_from_slice(&other.kinds()[..kinds_len]);
        if let Some(value) = other.take_own() {
            self.put_own(value);
        }
    }

    /// Frees the values and leaves the nodes below in `below`.
    fn empty(&mut self, below: &mut Vec<Node<V>>) {
        drop(self.take_own());
        while let Some(last) = self.len().checked_sub(1) {
            match self.remove(last) {
                Child::Node(node) => below.push(node),
                Child::Value(value) => drop(value),
            }
        }
    }
}

impl<V> Drop for Node<V> {
    /// Frees the node and all below it. Not recursive: keys may be built so that the tree is deep.
    fn drop(&mut self) {
        let mut below = Vec::new();
        self.empty(&mut below);
        while let Some(mut node) = below.pop() {
            node.empty(&mut below);
        }
        let layout = Self::layout(self.header());
        // SAFETY: allocated with this layout by `new`; what it depends on never changes.
        unsafe { alloc::dealloc(self.start.as_ptr().cast(), layout) };
    }
}

/// Moves the bits from `index` on up by one and puts `bit` there; the last bit is lost.
#[inline]
fn insert_bit(bits: &mut [u8], index: usize, bit: u8) {
    let at = index / 8;
    for above in (at + 1..bits.len()).rev() {
        bits[above] = bits[above] << 1 | bits[above - 1] >> 7;
    }
    let below = (1 << (index % 8)) - 1;
    bits[at] = bits[at] & below | (bits[at] & !below) << 1 | bit << (index % 8);
}

/// Moves the bits behind `index` down by one; the last becomes 0.
#[inline]
fn remove_bit(bits: &mut [u8], index: usize) {
    let at = index / 8;
    let below = (1 << (index % 8)) - 1;
    bits[at] = bits[at] & below | bits[at] >> 1 & !below;
    for above in at + 1..bits.len() {
        bits[above - 1] |= bits[above] << 7;
        bits[above] >>= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::Rng;

    #[test]
    fn bits_move_as_elements_of_a_vector_do() {
        let mut rng = Rng::seeded(1);
        for _ in 0..50 {
            let (mut bits, mut plain) = ([0; 32], Vec::new());
            for _ in 0..400 {
                let index = rng.below_usize(plain.len() + 1);
                if plain.len() < 256 && (plain.len() < 8 || rng.below(2) == 0) {
                    let bit = rng.below(2) == 1;
                    plain.insert(index, bit);
                    insert_bit(&mut bits[..plain.len().div_ceil(8)], index, bit.into());
                } else if index < plain.len() {
                    remove_bit(&mut bits[..plain.len().div_ceil(8)], index);
                    plain.remove(index);
                }
                for (index, bit) in plain.iter().enumerate() {
                    assert_eq!(bits[index / 8] >> (index % 8) & 1 == 1, *bit);
                }
            }
        }
    }

    #[test]
    fn a_node_fills_what_the_allocator_gives() {
        for prefix_len in 0..40 {
            for capacity in 1..256 {
                let prefix = vec![b'p'; prefix_len];
                let prefix = [&prefix[..], &[], &[]];
                let node = Node::<u64>::new(Shape { prefix, tail: b"t", capacity, own: Own::No });
                assert!(node.capacity() >= capacity);
                let spare = node.size() - Node::<u64>::layout(node.header()).size();
                assert!(node.capacity() == CAPACITY_MAX || spare < 8 + 9);
            }
        }
    }
}
