//! An item with a value: what a hash holds.
//!
//! ```text
//! byte 0      length of the name (7 bits; 127: in 8 bytes of its own), whether there is an expiry
//! byte 1      length of the value (254: in 4 bytes of its own; 255: the value lives elsewhere)
//! then        name length, u64        only for names of 127 bytes and more
//!             name
//!             expiry, i64             only if the flag is set
//!             value length, u32       only for values of 254 bytes and more
//!             value, or a pointer to `Bytes` if it lives elsewhere
//! ```
//!
//! Invariant: the allocation's size is `size_class` of what the header says the field needs, so that
//! it is freed without storing its capacity, and a value is overwritten in place whenever the class
//! stays the same. A value lives elsewhere exactly if it has `SHARED_LEN_MIN` bytes or more.
//! Why: a name and a value of 14 bytes take 30 bytes, one allocation of 32, and a lookup touches
//! little else. Values from 16 KiB on are reference-counted: they are taken over from the buffer they
//! were read into, and replies share them.

use super::{Item, Ref};
use crate::base::num;
use crate::ds::relocate::{self, Relocator};
use crate::ds::size_class::size_class;
use bytes::Bytes;
use std::alloc::{self, Layout};
use std::mem::ManuallyDrop;
use std::ptr::NonNull;

/// An owned name with its value, and perhaps a time at which it expires, behind one thin pointer.
pub struct Field(NonNull<u8>);

// SAFETY: a field owns its allocation, like a boxed slice, and `Bytes` may cross threads.
unsafe impl Send for Field {}
// SAFETY: `&Field` only reads.
unsafe impl Sync for Field {}

/// Values from this length on live elsewhere, bytes.
pub const SHARED_LEN_MIN: usize = 16 * 1024;

/// A value on its way into a field.
#[derive(Clone, Copy, Debug)]
pub enum NewValue<'a> {
    /// To be copied.
    Copied(&'a [u8]),
    /// To be shared if it is long, else copied.
    Shared(&'a Bytes),
}

impl NewValue<'_> {
    /// The bytes.
    #[inline]
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        match self {
            NewValue::Copied(bytes) => bytes,
            NewValue::Shared(bytes) => bytes,
        }
    }
}

/// In byte 0: there is an expiry.
const EXPIRES: u8 = 0x80;
/// In byte 0, without the flag: the length of the name is in eight bytes.
const WIDE_NAME: u8 = 0x7f;
/// Byte 1 of values whose length is in four bytes.
const WIDE_VALUE: u8 = 254;
/// Byte 1 of values that live elsewhere.
const ELSEWHERE: u8 = 255;

const HEADER_LEN: usize = 2;
const NAME_LEN_LEN: usize = size_of::<u64>();
const EXPIRY_LEN: usize = size_of::<i64>();
const VALUE_LEN_LEN: usize = size_of::<u32>();

/// A box of `Bytes`, as it lies in a field.
type Elsewhere = NonNull<Bytes>;

/// Names from this length on have it in eight bytes.
const WIDE_NAME_LEN_MIN: usize = 0x7f;
/// Values from this length on have it in four bytes, or live elsewhere.
const WIDE_VALUE_LEN_MIN: usize = 254;

const _: () = assert!(WIDE_VALUE_LEN_MIN < SHARED_LEN_MIN && SHARED_LEN_MIN < 1 << 31);

/// Where the parts of a field are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shape {
    name_len: usize,
    has_expiry: bool,
    value_len: usize,
}

impl Shape {
    const fn has_wide_name(self) -> bool {
        self.name_len >= WIDE_NAME_LEN_MIN
    }

    const fn lives_elsewhere(self) -> bool {
        self.value_len >= SHARED_LEN_MIN
    }

    const fn has_wide_value(self) -> bool {
        self.value_len >= WIDE_VALUE_LEN_MIN && !self.lives_elsewhere()
    }

    const fn name_at(self) -> usize {
        if self.has_wide_name() { HEADER_LEN + NAME_LEN_LEN } else { HEADER_LEN }
    }

    const fn expiry_at(self) -> usize {
        self.name_at() + self.name_len
    }

    const fn value_len_at(self) -> usize {
        if self.has_expiry { self.expiry_at() + EXPIRY_LEN } else { self.expiry_at() }
    }

    const fn value_at(self) -> usize {
        if self.has_wide_value() {
            self.value_len_at() + VALUE_LEN_LEN
        } else {
            self.value_len_at()
        }
    }

    /// Bytes of the allocation.
    const fn capacity(self) -> usize {
        let value = if self.lives_elsewhere() { size_of::<Elsewhere>() } else { self.value_len };
        size_class(self.value_at() + value)
    }

    fn layout(self) -> Layout {
        Layout::from_size_align(self.capacity(), 8).expect("a name is shorter than isize::MAX")
    }

    fn first_byte(self) -> u8 {
        let len =
            if self.has_wide_name() { WIDE_NAME } else { num::low_u8(num::u64_of(self.name_len)) };
        if self.has_expiry { len | EXPIRES } else { len }
    }

    fn second_byte(self) -> u8 {
        if self.lives_elsewhere() {
            ELSEWHERE
        } else if self.has_wide_value() {
            WIDE_VALUE
        } else {
            num::low_u8(num::u64_of(self.value_len))
        }
    }
}

impl Field {
    /// A field of copies of the name and, unless it is long and shared, the value; `expiry` in Unix
    /// milliseconds. O(length).
    #[must_use]
    pub fn new(name: &[u8], value: NewValue<'_>, expiry: Option<i64>) -> Field {
        let shape = Shape {
            name_len: name.len(),
            has_expiry: expiry.is_some(),
            value_len: value.as_slice().len(),
        };
        let mut field = Field::allocate(shape);
        field.write_head(shape);
        field.write(shape.name_at(), name);
        if let Some(at_ms) = expiry {
            field.write(shape.expiry_at(), &at_ms.to_le_bytes());
        }
        field.write_value(shape, value);
        field
    }

    /// The name.
    #[inline]
    #[must_use]
    pub fn name(&self) -> &[u8] {
        // SAFETY: `self` owns the allocation and is borrowed as long as the result.
        unsafe { Field::key_of(self.0) }
    }

    /// The value.
    #[inline]
    #[must_use]
    pub fn value(&self) -> &[u8] {
        let (at, len) = match self.find_value() {
            Place::Here { at, len } => (at, len),
            Place::Elsewhere { at } => return self.elsewhere(at),
        };
        // SAFETY: the value begins within the allocation.
        let start = unsafe { self.0.add(at) };
        // SAFETY: the header says that so many bytes lie there; they stay as long as the borrow.
        unsafe { std::slice::from_raw_parts(start.as_ptr(), len) }
    }

    /// The value's own buffer if it lives elsewhere, for replies to share.
    #[inline]
    #[must_use]
    pub fn shared_value(&self) -> Option<&Bytes> {
        match self.find_value() {
            Place::Here { .. } => None,
            Place::Elsewhere { at } => Some(self.elsewhere(at)),
        }
    }

    /// When the field expires, Unix milliseconds.
    #[inline]
    #[must_use]
    pub fn expiry(&self) -> Option<i64> {
        if self.read::<1>(0)[0] & EXPIRES == 0 {
            return None;
        }
        Some(i64::from_le_bytes(self.read(HEADER_LEN + self.name_len_len() + self.name().len())))
    }

    /// Gives the field another value, in place if the size class stays the same. The expiry stays.
    pub fn set_value(&mut self, value: NewValue<'_>) {
        let old = self.shape();
        let new = Shape { value_len: value.as_slice().len(), ..old };
        if new.capacity() == old.capacity() {
            self.drop_elsewhere();
            self.write_head(new);
            self.write_value(new, value);
        } else {
            *self = Field::new(self.name(), value, self.expiry());
        }
    }

    /// Gives the field another expiry, Unix milliseconds, or none. In place if it has one already.
    pub fn set_expiry(&mut self, expiry: Option<i64>) {
        match (self.expiry(), expiry) {
            (None, None) => {}
            (Some(_), Some(at_ms)) => {
                self.write(self.shape().expiry_at(), &at_ms.to_le_bytes());
            }
            (Some(_), None) | (None, Some(_)) => {
                let value = match self.shared_value() {
                    Some(bytes) => NewValue::Shared(bytes),
                    None => NewValue::Copied(self.value()),
                };
                *self = Field::new(self.name(), value, expiry);
            }
        }
    }

    /// A field equal to this one; a value that lives elsewhere is shared by both.
    #[must_use]
    pub fn duplicate(&self) -> Field {
        let value = match self.shared_value() {
            Some(bytes) => NewValue::Shared(bytes),
            None => NewValue::Copied(self.value()),
        };
        Field::new(self.name(), value, self.expiry())
    }

    /// Moves the allocations, but for the bytes of a value that lives elsewhere.
    pub fn relocate(&mut self, to: &mut dyn Relocator) {
        let layout = self.shape().layout();
        // SAFETY: the field owns its block, whose size is the class of its shape (the module's
        // invariant); it is borrowed exclusively, and the address is kept here alone.
        self.0 = unsafe { relocate::block(self.0, layout, to) };
        if let Place::Elsewhere { at } = self.find_value() {
            let pointer = self.elsewhere_pointer(at);
            // SAFETY: the box was leaked in `write_value`; what lies there is written again below.
            let mut elsewhere = unsafe { Box::from_raw(pointer.as_ptr()) };
            relocate::boxed(&mut elsewhere, to);
            let address = NonNull::from(Box::leak(elsewhere));
            // SAFETY: the pointer begins within the allocation.
            let place = unsafe { self.0.add(at) };
            // SAFETY: the header says that a pointer lies there, at any alignment.
            unsafe { place.cast::<Elsewhere>().write_unaligned(address) };
        }
    }

    /// Bytes of memory, those of a value that lives elsewhere included.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let elsewhere = self.shared_value().map_or(0, |bytes| size_of::<Bytes>() + bytes.len());
        self.shape().capacity() + elsewhere
    }

    fn allocate(shape: Shape) -> Field {
        let layout = shape.layout();
        // SAFETY: there is a header, so the size is not zero.
        let pointer = unsafe { alloc::alloc(layout) };
        Field(NonNull::new(pointer).unwrap_or_else(|| alloc::handle_alloc_error(layout)))
    }

    fn shape(&self) -> Shape {
        let value_len = match self.find_value() {
            Place::Here { len, .. } => len,
            Place::Elsewhere { at } => self.elsewhere(at).len(),
        };
        Shape {
            name_len: self.name().len(),
            has_expiry: self.read::<1>(0)[0] & EXPIRES != 0,
            value_len,
        }
    }

    /// Bytes between the header and the name.
    #[inline]
    fn name_len_len(&self) -> usize {
        if self.read::<1>(0)[0] & !EXPIRES == WIDE_NAME { NAME_LEN_LEN } else { 0 }
    }

    #[inline]
    fn find_value(&self) -> Place {
        let [first, second] = self.read(0);
        let expiry = if first & EXPIRES == 0 { 0 } else { EXPIRY_LEN };
        let at = HEADER_LEN + self.name_len_len() + self.name().len() + expiry;
        match second {
            ELSEWHERE => Place::Elsewhere { at },
            WIDE_VALUE => Place::Here {
                at: at + VALUE_LEN_LEN,
                len: num::usize_of_u32(u32::from_le_bytes(self.read(at))),
            },
            len => Place::Here { at, len: usize::from(len) },
        }
    }

    /// The buffer of a value that lives elsewhere, whose pointer lies at `at`.
    #[inline]
    fn elsewhere(&self, at: usize) -> &Bytes {
        let pointer = self.elsewhere_pointer(at);
        // SAFETY: `write_value` leaked the box there, which the field owns as long as the borrow.
        unsafe { pointer.as_ref() }
    }

    fn elsewhere_pointer(&self, at: usize) -> Elsewhere {
        // SAFETY: the pointer begins within the allocation.
        let place = unsafe { self.0.add(at) };
        // SAFETY: the callers saw in the header that a pointer lies there, at any alignment.
        unsafe { place.cast::<Elsewhere>().read_unaligned() }
    }

    /// Frees the buffer of a value that lives elsewhere; the caller writes another value then, or
    /// frees the field.
    fn drop_elsewhere(&mut self) {
        if let Place::Elsewhere { at } = self.find_value() {
            let pointer = self.elsewhere_pointer(at);
            // SAFETY: the box was leaked in `write_value`, and this field, its owner, forgets it.
            drop(unsafe { Box::from_raw(pointer.as_ptr()) });
        }
    }

    #[inline]
    fn read<const N: usize>(&self, at: usize) -> [u8; N] {
        // SAFETY: the offset of a part that the header says there is, so within the allocation.
        let place = unsafe { self.0.add(at) };
        // SAFETY: that part is initialised; arrays of bytes need no alignment.
        unsafe { place.cast::<[u8; N]>().read() }
    }

    /// Writes what the two bytes and the lengths of a shape are.
    fn write_head(&mut self, shape: Shape) {
        self.write(0, &[shape.first_byte(), shape.second_byte()]);
        if shape.has_wide_name() {
            self.write(HEADER_LEN, &num::u64_of(shape.name_len).to_le_bytes());
        }
        if shape.has_wide_value() {
            let len = num::u32_of(shape.value_len, "longer ones live elsewhere");
            self.write(shape.value_len_at(), &len.to_le_bytes());
        }
    }

    fn write_value(&mut self, shape: Shape, value: NewValue<'_>) {
        if !shape.lives_elsewhere() {
            return self.write(shape.value_at(), value.as_slice());
        }
        let bytes = match value {
            NewValue::Copied(bytes) => Bytes::copy_from_slice(bytes),
            NewValue::Shared(bytes) => bytes.clone(),
        };
        let pointer: Elsewhere = NonNull::from(Box::leak(Box::new(bytes)));
        // SAFETY: the shape has room for a pointer at this offset.
        let place = unsafe { self.0.add(shape.value_at()) };
        // SAFETY: as above; the pointer may lie at any alignment.
        unsafe { place.cast::<Elsewhere>().write_unaligned(pointer) };
    }

    /// Writes bytes at an offset where the shape has room for them.
    #[inline]
    fn write(&mut self, at: usize, bytes: &[u8]) {
        // SAFETY: the callers pass the offset of a part of the shape, so within the allocation.
        let place = unsafe { self.0.add(at) };
        // SAFETY: the part has so many bytes. It may only overlap with `bytes` if those are from this
        // very field, which `&mut self` excludes.
        unsafe { place.copy_from_nonoverlapping(NonNull::from(bytes).cast(), bytes.len()) };
    }
}

/// Where a field's value is.
enum Place {
    Here { at: usize, len: usize },
    Elsewhere { at: usize },
}

impl Drop for Field {
    fn drop(&mut self) {
        let layout = self.shape().layout();
        self.drop_elsewhere();
        // SAFETY: allocated with the layout of a shape of the same capacity (the module's invariant).
        unsafe { alloc::dealloc(self.0.as_ptr(), layout) };
    }
}

/// A field in a dict, seen for as long as the dict is borrowed.
#[derive(Clone, Copy, Debug)]
pub struct FieldRef<'a> {
    /// Its name.
    pub name: &'a [u8],
    /// Its value.
    pub value: &'a [u8],
    /// The value's own buffer if it lives elsewhere, for replies to share.
    pub shared_value: Option<&'a Bytes>,
    /// When it expires, Unix milliseconds.
    pub expiry: Option<i64>,
}

impl<'a> Ref<'a, Field> {
    /// The parts of the field.
    #[inline]
    #[must_use]
    pub fn parts(&self) -> FieldRef<'a> {
        // The parts lie in the field's allocations, not in this duplicate of its pointer.
        let (name, value) = (std::ptr::from_ref(self.name()), std::ptr::from_ref(self.value()));
        let shared_value = self.shared_value().map(NonNull::from);
        FieldRef {
            // SAFETY: a `Ref` promises that the field is neither changed nor freed for `'a`.
            name: unsafe { &*name },
            // SAFETY: as above.
            value: unsafe { &*value },
            // SAFETY: as above.
            shared_value: shared_value.map(|bytes| unsafe { bytes.as_ref() }),
            expiry: self.expiry(),
        }
    }
}

impl std::fmt::Debug for Field {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Field").field("name", &self.name()).finish_non_exhaustive()
    }
}

// SAFETY: the allocation is 8-aligned and in user space, below 2^48; `Field` is a plain pointer, and
// the name is only written by `new`.
unsafe impl Item for Field {
    #[inline]
    fn into_raw(self) -> NonNull<u8> {
        ManuallyDrop::new(self).0
    }

    #[inline]
    unsafe fn from_raw(raw: NonNull<u8>) -> Field {
        Field(raw)
    }

    #[inline]
    unsafe fn key_of<'a>(raw: NonNull<u8>) -> &'a [u8] {
        // SAFETY: a field begins with its header.
        let first = unsafe { raw.read() } & !EXPIRES;
        let (at, len) = if first == WIDE_NAME {
            // SAFETY: eight bytes of length follow the header of such a field.
            let place = unsafe { raw.add(HEADER_LEN) };
            // SAFETY: as above; arrays of bytes need no alignment.
            let len = unsafe { place.cast::<[u8; NAME_LEN_LEN]>().read() };
            (HEADER_LEN + NAME_LEN_LEN, num::usize_of(u64::from_le_bytes(len)))
        } else {
            (HEADER_LEN, usize::from(first))
        };
        // SAFETY: the name lies there, within the allocation.
        let name = unsafe { raw.add(at) };
        // SAFETY: `new` wrote `len` bytes there; they stay as long as the item, says the caller.
        unsafe { std::slice::from_raw_parts(name.as_ptr(), len) }
    }
}

#[cfg(any(test, fuzzing))]
impl Field {
    /// Checks what the module promises.
    pub(crate) fn check_invariants(&self) {
        let shape = self.shape();
        assert_eq!(self.read(0), [shape.first_byte(), shape.second_byte()]);
        assert_eq!(self.shared_value().is_some(), self.value().len() >= SHARED_LEN_MIN);
        assert_eq!(self.expiry().is_some(), shape.has_expiry);
        assert_eq!((self.name().len(), self.value().len()), (shape.name_len, shape.value_len));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::hash::HashKey;
    use crate::base::rng::Rng;
    use crate::ds::dict::{Dict, Entry, Mark};
    use std::collections::BTreeMap;

    fn bytes(rng: &mut Rng, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        rng.fill(&mut bytes);
        bytes
    }

    const NAME_LENS: [usize; 9] = [0, 1, 14, 126, 127, 128, 255, 256, 70_000];
    const VALUE_LENS: [usize; 10] =
        [0, 1, 14, 253, 254, 255, 256, SHARED_LEN_MIN - 1, SHARED_LEN_MIN, 70_000];

    #[test]
    fn fields_of_every_shape_give_their_parts_back() {
        let mut rng = Rng::seeded(1);
        for name_len in NAME_LENS {
            for value_len in VALUE_LENS {
                for expiry in [None, Some(i64::MAX), Some(-1)] {
                    let (name, value) = (bytes(&mut rng, name_len), bytes(&mut rng, value_len));
                    let field = Field::new(&name, NewValue::Copied(&value), expiry);
                    field.check_invariants();
                    assert_eq!((field.name(), field.value()), (&name[..], &value[..]));
                    assert_eq!(field.expiry(), expiry);
                    let twin = field.duplicate();
                    drop(field);
                    twin.check_invariants();
                    assert_eq!((twin.name(), twin.value()), (&name[..], &value[..]));
                    assert_eq!(twin.expiry(), expiry);
                }
            }
        }
    }

    #[test]
    fn a_name_and_a_value_of_14_bytes_take_32() {
        let field = Field::new(&[b'f'; 14], NewValue::Copied(&[b'v'; 14]), None);
        assert_eq!(field.memory_bytes(), 32);
        let field = Field::new(&[b'f'; 18], NewValue::Copied(&[b'v'; 20]), Some(5));
        assert_eq!(field.memory_bytes(), 48);
    }

    #[test]
    fn values_are_overwritten_in_place_within_the_size_class() {
        let mut field = Field::new(&[b'f'; 14], NewValue::Copied(&[b'v'; 14]), None);
        let place = field.0;
        for len in [16, 1, 5] {
            field.set_value(NewValue::Copied(&vec![b'w'; len]));
            field.check_invariants();
            assert_eq!(field.value(), vec![b'w'; len]);
        }
        assert_eq!(field.0, place);
        field.set_value(NewValue::Copied(&[b'x'; 17]));
        assert_eq!((field.name(), field.value()), (&[b'f'; 14][..], &[b'x'; 17][..]));
    }

    #[test]
    fn long_values_are_taken_over_and_shared() {
        let long = Bytes::from(vec![b'x'; 100_000]);
        let mut field = Field::new(b"f", NewValue::Shared(&long), None);
        let at = |field: &Field| field.shared_value().expect("it is long").as_ptr();
        assert_eq!(at(&field), long.as_ptr());
        field.set_expiry(Some(9));
        field.set_expiry(Some(10));
        assert_eq!((at(&field), field.expiry()), (long.as_ptr(), Some(10)));
        field.set_expiry(None);
        let other = Bytes::from(vec![b'y'; 20_000]);
        field.set_value(NewValue::Shared(&other));
        assert_eq!(at(&field), other.as_ptr());
        let short = Bytes::from_static(b"short");
        field.set_value(NewValue::Shared(&short));
        assert!(field.shared_value().is_none());
        assert_eq!(field.value(), b"short");
    }

    /// Random changes to fields in a dict, against a tree.
    #[test]
    fn random_changes_agree_with_a_tree() {
        for seed in 0..200 {
            let mut rng = Rng::seeded(seed);
            let mut dict: Dict<Field> = Dict::new(HashKey::new(1, 2));
            let mut oracle: BTreeMap<Vec<u8>, (Vec<u8>, Option<i64>)> = BTreeMap::new();
            for _ in 0..300 {
                let name_len = NAME_LENS[rng.below_usize(8)];
                let name = vec![b'a' + num::low_u8(rng.below(3)); name_len];
                let value_len = match rng.below(40) {
                    0 => VALUE_LENS[rng.below_usize(VALUE_LENS.len())],
                    _ => rng.below_usize(300),
                };
                let value = bytes(&mut rng, value_len);
                let expiry = (rng.below(2) == 0).then(|| i64::MAX - num::i64_of(value_len));
                match dict.entry(dict.hash(&name), &name) {
                    Entry::Vacant(vacant) => {
                        vacant.insert(
                            Field::new(&name, NewValue::Copied(&value), expiry),
                            Mark::Clear,
                        );
                        assert_eq!(oracle.insert(name, (value, expiry)), None);
                    }
                    Entry::Occupied(mut slot) => {
                        let known = oracle.get_mut(&name).expect("the dict has it");
                        match rng.below(3) {
                            0 => {
                                slot.get_mut().set_value(NewValue::Copied(&value));
                                known.0 = value;
                            }
                            1 => {
                                slot.get_mut().set_expiry(expiry);
                                known.1 = expiry;
                            }
                            _ => {
                                drop(slot.remove());
                                oracle.remove(&name);
                            }
                        }
                    }
                }
            }
            dict.check_invariants();
            assert_eq!(dict.len(), oracle.len());
            for (name, (value, expiry)) in &oracle {
                let field = dict.find(dict.hash(name), name).expect("the tree has it");
                field.check_invariants();
                let parts = field.parts();
                assert_eq!((parts.name, parts.value), (&name[..], &value[..]));
                assert_eq!(parts.expiry, *expiry);
                assert_eq!(parts.shared_value.is_some(), value.len() >= SHARED_LEN_MIN);
            }
        }
    }
}
