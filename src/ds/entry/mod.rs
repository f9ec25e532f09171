//! A key and its value in one allocation.
//!
//! ```text
//! byte 0..4   access clock (24 bits), kind (8 bits)
//! byte 4      flags: has an expiry, wide key, reported raw
//! byte 5      key length, when it fits
//! byte 6..8   length of the embedded bytes
//! then        expiry, i64             only if the flag is set
//!             key length, u64         only for keys of 255 bytes and more
//!             word, u64               only if the value is an integer or lives elsewhere
//!             key bytes
//!             embedded bytes          only if the value is embedded
//! ```
//!
//! Invariant: the allocation's size is `size_class` of what the header says the entry needs, so that
//! it can be freed without storing its capacity, and a value may be overwritten in place whenever
//! the class stays the same.
//! Why: a 16-byte key with a 16-byte value and an expiry takes exactly 48 bytes, one cache line
//! holds nearly all of it, and a lookup touches one allocation. See `docs/design/entry.md`.
#![expect(unsafe_code, reason = "a packed layout in raw memory")]

mod payload;

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ptr::{self, NonNull};

pub(crate) use payload::thin_payload;
pub use payload::{Payload, PayloadMut, Thin};

use crate::base::num;
use crate::ds::dict::{self, Item};
use crate::ds::relocate::{self, Relocator};
use crate::ds::size_class::size_class;

/// Longest value kept inside the entry, bytes.
pub const EMBEDDED_LEN_MAX: usize = 1024;

/// Kinds below this one belong to the entry itself; a [`Payload`] numbers its own from here.
pub const PAYLOAD_KIND_MIN: u8 = 2;

const KIND_INTEGER: u8 = 0;
const KIND_EMBEDDED: u8 = 1;

const FLAG_EXPIRY: u8 = 1;
const FLAG_WIDE_KEY: u8 = 2;
const FLAG_RAW: u8 = 4;

const KEY_LEN_WIDE: usize = 255;
const ACCESS_MASK: u32 = 0x00ff_ffff;

#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Header {
    access_kind: u32,
    flags: u8,
    key_len: u8,
    embedded_len: u16,
}

const HEADER_LEN: usize = size_of::<Header>();
const WORD_LEN: usize = size_of::<u64>();
const _: () = assert!(HEADER_LEN == 8 && WORD_LEN == 8);
const _: () = assert!(EMBEDDED_LEN_MAX <= u16::MAX as usize);

/// A value on its way into an entry.
#[derive(Debug)]
pub enum NewValue<'a, P> {
    /// A 64-bit integer, kept as such.
    Integer(i64),
    /// Bytes to embed; at most [`EMBEDDED_LEN_MAX`].
    Embedded(&'a [u8]),
    /// Embedded bytes that OBJECT ENCODING reports as `raw`.
    EmbeddedRaw(&'a [u8]),
    /// A value with an allocation of its own.
    Payload(P),
}

/// A value seen in its entry.
#[derive(Debug)]
pub enum ValueRef<'a, R> {
    /// A 64-bit integer.
    Integer(i64),
    /// Embedded bytes.
    Embedded(&'a [u8]),
    /// A value with an allocation of its own.
    Payload(R),
}

/// One key with its value; owns its allocation.
#[repr(transparent)]
pub struct Entry<P: Payload> {
    start: NonNull<u8>,
    payload: PhantomData<P>,
}

// SAFETY: an entry owns its allocation and its payload, and the payload may cross threads.
unsafe impl<P: Payload> Send for Entry<P> {}

/// Sizes of the parts of an entry, in bytes.
#[derive(Clone, Copy)]
struct Shape {
    expiry: bool,
    wide_key: bool,
    word: bool,
    key_len: usize,
    embedded_len: usize,
}

impl Shape {
    const fn word_at(self) -> usize {
        let mut at = HEADER_LEN;
        if self.expiry {
            at += WORD_LEN;
        }
        if self.wide_key {
            at += WORD_LEN;
        }
        at
    }

    const fn key_at(self) -> usize {
        if self.word { self.word_at() + WORD_LEN } else { self.word_at() }
    }

    const fn size(self) -> usize {
        self.key_at() + self.key_len + self.embedded_len
    }

    fn layout(self) -> Layout {
        Layout::from_size_align(size_class(self.size()), align_of::<Header>())
            .expect("a key is shorter than isize::MAX")
    }
}

impl<P: Payload> Entry<P> {
    /// A new entry. `access` is the 24-bit access clock, `expiry` in Unix milliseconds.
    pub fn new(key: &[u8], value: NewValue<'_, P>, access: u32, expiry: Option<i64>) -> Self {
        let (kind, raw, word, embedded): (u8, bool, Option<u64>, &[u8]) = match value {
            NewValue::Integer(n) => (KIND_INTEGER, false, Some(n.cast_unsigned()), &[]),
            NewValue::Embedded(bytes) => (KIND_EMBEDDED, false, None, bytes),
            NewValue::EmbeddedRaw(bytes) => (KIND_EMBEDDED, true, None, bytes),
            NewValue::Payload(payload) => {
                let (kind, word) = payload.into_word();
                debug_assert!(kind >= PAYLOAD_KIND_MIN);
                (kind, false, Some(word), &[])
            }
        };
        let shape = Shape {
            expiry: expiry.is_some(),
            wide_key: key.len() >= KEY_LEN_WIDE,
            word: word.is_some(),
            key_len: key.len(),
            embedded_len: embedded.len(),
        };
        assert!(embedded.len() <= EMBEDDED_LEN_MAX, "the caller chooses what to embed");
        let mut flags = 0;
        for (is_set, flag) in
            [(shape.expiry, FLAG_EXPIRY), (shape.wide_key, FLAG_WIDE_KEY), (raw, FLAG_RAW)]
        {
            if is_set {
                flags |= flag;
            }
        }
        let header = Header {
            access_kind: (access & ACCESS_MASK) | (u32::from(kind) << 24),
            flags,
            key_len: num::low_u8(num::u64_of(key.len().min(KEY_LEN_WIDE))),
            embedded_len: num::low_u16(num::u64_of(embedded.len())),
        };
        let entry = Self::allocate(shape, header);
        if let Some(at_ms) = expiry {
            entry.write_word(HEADER_LEN, at_ms.cast_unsigned());
        }
        if shape.wide_key {
            entry.write_word(shape.word_at() - WORD_LEN, num::u64_of(key.len()));
        }
        if let Some(word) = word {
            entry.write_word(shape.word_at(), word);
        }
        entry.write_bytes(shape.key_at(), key);
        entry.write_bytes(shape.key_at() + key.len(), embedded);
        entry
    }

    fn allocate(shape: Shape, header: Header) -> Self {
        let layout = shape.layout();
        // SAFETY: the layout's size is at least the header's.
        let start = unsafe { alloc(layout) };
        let Some(start) = NonNull::new(start) else { handle_alloc_error(layout) };
        // SAFETY: freshly allocated for at least a header, with the header's alignment.
        unsafe { start.cast::<Header>().write(header) };
        Self { start, payload: PhantomData }
    }

    fn write_word(&self, at: usize, word: u64) {
        // SAFETY: every caller passes the offset of a word that the shape, hence the allocation, has;
        // offsets of words are multiples of eight.
        unsafe { self.start.add(at).cast::<u64>().write(word) };
    }

    fn read_word(&self, at: usize) -> u64 {
        // SAFETY: as in `write_word`; `new` initialised every word of the shape.
        unsafe { self.start.add(at).cast::<u64>().read() }
    }

    fn write_bytes(&self, at: usize, bytes: &[u8]) {
        // SAFETY: `at + bytes.len()` is within the shape's size, and a new allocation does not
        // overlap the caller's slice.
        unsafe {
            ptr::copy_nonoverlapping(bytes.as_ptr(), self.start.add(at).as_ptr(), bytes.len())
        };
    }

    #[inline]
    fn header(&self) -> Header {
        // SAFETY: `allocate` wrote a header at the start.
        unsafe { self.start.cast::<Header>().read() }
    }

    #[inline]
    fn header_mut(&mut self) -> &mut Header {
        // SAFETY: as in `header`, and `&mut self` makes the access exclusive.
        unsafe { self.start.cast::<Header>().as_mut() }
    }

    #[inline]
    fn shape(&self) -> Shape {
        let header = self.header();
        let wide_key = header.flags & FLAG_WIDE_KEY != 0;
        let mut shape = Shape {
            expiry: header.flags & FLAG_EXPIRY != 0,
            wide_key,
            word: header.kind() != KIND_EMBEDDED,
            key_len: usize::from(header.key_len),
            embedded_len: usize::from(header.embedded_len),
        };
        if wide_key {
            shape.key_len = num::usize_of(self.read_word(shape.word_at() - WORD_LEN));
        }
        shape
    }

    /// The key.
    #[inline]
    pub fn key(&self) -> &[u8] {
        let shape = self.shape();
        // SAFETY: the shape's key bytes lie in the allocation and `new` wrote them.
        unsafe {
            std::slice::from_raw_parts(self.start.add(shape.key_at()).as_ptr(), shape.key_len)
        }
    }

    /// The value.
    #[inline]
    pub fn value(&self) -> ValueRef<'_, P::Ref<'_>> {
        let shape = self.shape();
        match self.header().kind() {
            KIND_INTEGER => ValueRef::Integer(self.read_word(shape.word_at()).cast_signed()),
            KIND_EMBEDDED => {
                let at = shape.key_at() + shape.key_len;
                // SAFETY: the shape's embedded bytes lie in the allocation and `new` wrote them.
                let bytes = unsafe {
                    std::slice::from_raw_parts(self.start.add(at).as_ptr(), shape.embedded_len)
                };
                ValueRef::Embedded(bytes)
            }
            kind => {
                // SAFETY: a word of eight aligned bytes lies there, for as long as `self`.
                let word = unsafe { self.start.add(shape.word_at()).cast::<u64>().as_ref() };
                // SAFETY: kind and word came from `into_word` of the payload that the entry owns.
                ValueRef::Payload(unsafe { P::borrow(kind, word) })
            }
        }
    }

    /// The value's own allocation, to change it in place; `None` for integers and embedded bytes.
    #[inline]
    pub fn payload_mut(&mut self) -> Option<PayloadMut<'_, P>> {
        PayloadMut::new(self)
    }

    /// Starts loading the value if it is elsewhere. Reads the entry.
    #[inline]
    pub fn prefetch_payload(&self) {
        if self.header().kind() >= PAYLOAD_KIND_MIN {
            let address = num::usize_of(self.read_word(self.shape().word_at()));
            dict::prefetch(ptr::without_provenance(address));
        }
    }

    /// Whether the string is reported as `raw` although it is embedded.
    pub fn is_marked_raw(&self) -> bool {
        self.header().flags & FLAG_RAW != 0
    }

    /// The 24-bit access clock (LRU seconds or LFU counter).
    #[inline]
    pub fn access(&self) -> u32 {
        self.header().access_kind & ACCESS_MASK
    }

    /// Sets the 24-bit access clock. Readers do so, hence the shared reference: the clock is a cell,
    /// and an entry is not `Sync`.
    #[inline]
    pub fn set_access(&self, access: u32) {
        let mut header = self.header();
        header.access_kind = (header.access_kind & !ACCESS_MASK) | (access & ACCESS_MASK);
        // SAFETY: the header is in the allocation, and nobody holds a reference to it: it is read and
        // written as a whole, and `header_mut` needs `&mut self`.
        unsafe { self.start.cast::<Header>().write(header) };
    }

    /// When the entry expires, Unix milliseconds.
    #[inline]
    pub fn expiry(&self) -> Option<i64> {
        if self.header().flags & FLAG_EXPIRY == 0 {
            return None;
        }
        Some(self.read_word(HEADER_LEN).cast_signed())
    }

    /// Overwrites an integer value in place; false (and nothing done) if the value is none.
    #[inline]
    pub fn overwrite_integer(&mut self, value: i64) -> bool {
        if self.header().kind() != KIND_INTEGER {
            return false;
        }
        self.write_word(self.shape().word_at(), value.cast_unsigned());
        true
    }

    /// Overwrites embedded bytes in place when the size class allows; false (and nothing done)
    /// otherwise. The value is no longer reported as `raw`.
    #[inline]
    pub fn overwrite_embedded(&mut self, bytes: &[u8]) -> bool {
        if self.header().kind() != KIND_EMBEDDED || bytes.len() > EMBEDDED_LEN_MAX {
            return false;
        }
        let shape = self.shape();
        let new = Shape { embedded_len: bytes.len(), ..shape };
        if size_class(new.size()) != size_class(shape.size()) {
            return false;
        }
        self.write_bytes(shape.key_at() + shape.key_len, bytes);
        let header = self.header_mut();
        header.embedded_len = num::low_u16(num::u64_of(bytes.len()));
        header.flags &= !FLAG_RAW;
        true
    }

    /// The embedded bytes at another length, to be changed in place; new ones are zero. From then
    /// on the value is reported as `raw`. `None` (and nothing done) if the value is not embedded or
    /// the size class does not allow the length.
    #[inline]
    pub fn resize_embedded(&mut self, len: usize) -> Option<&mut [u8]> {
        if self.header().kind() != KIND_EMBEDDED || len > EMBEDDED_LEN_MAX {
            return None;
        }
        let shape = self.shape();
        let new = Shape { embedded_len: len, ..shape };
        if size_class(new.size()) != size_class(shape.size()) {
            return None;
        }
        let at = shape.key_at() + shape.key_len;
        if let Some(added) = len.checked_sub(shape.embedded_len) {
            // SAFETY: the added bytes end where the new shape does, within the same size class.
            unsafe { self.start.add(at + shape.embedded_len).write_bytes(0, added) };
        }
        let header = self.header_mut();
        header.embedded_len = num::low_u16(num::u64_of(len));
        header.flags |= FLAG_RAW;
        // SAFETY: the shape's embedded bytes lie in the allocation, are initialised, and `&mut self`
        // makes the access exclusive.
        Some(unsafe { std::slice::from_raw_parts_mut(self.start.add(at).as_ptr(), len) })
    }

    /// Moves the expiry, Unix milliseconds, in place; false (and nothing done) if there is none.
    #[inline]
    pub fn move_expiry(&mut self, at_ms: i64) -> bool {
        if self.header().flags & FLAG_EXPIRY == 0 {
            return false;
        }
        self.write_word(HEADER_LEN, at_ms.cast_unsigned());
        true
    }

    /// The same key, access clock and expiry with another value.
    #[must_use]
    pub fn with_value(self, value: NewValue<'_, P>) -> Self {
        Self::new(self.key(), value, self.access(), self.expiry())
    }

    /// The same entry with another expiry (Unix milliseconds) or none. Moves only if it must.
    #[must_use]
    pub fn with_expiry(mut self, expiry: Option<i64>) -> Self {
        if expiry.is_some_and(|at_ms| self.move_expiry(at_ms)) {
            return self;
        }
        if self.expiry().is_none() && expiry.is_none() {
            return self;
        }
        self.rebuild(None, expiry)
    }

    /// The same value, access clock and expiry under another key.
    #[must_use]
    pub fn with_key(mut self, key: &[u8]) -> Self {
        let expiry = self.expiry();
        self.rebuild(Some(key), expiry)
    }

    /// A new entry that takes over this one's value. `self` is left with an integer and freed.
    fn rebuild(&mut self, key: Option<&[u8]>, expiry: Option<i64>) -> Self {
        let access = self.access();
        let raw = self.is_marked_raw();
        match self.take_payload() {
            Some(payload) => {
                let key = key.unwrap_or_else(|| self.key());
                Self::new(key, NewValue::Payload(payload), access, expiry)
            }
            None => {
                let key = key.unwrap_or_else(|| self.key());
                let value = match self.value() {
                    ValueRef::Integer(n) => NewValue::Integer(n),
                    ValueRef::Embedded(bytes) if raw => NewValue::EmbeddedRaw(bytes),
                    ValueRef::Embedded(bytes) => NewValue::Embedded(bytes),
                    ValueRef::Payload(_) => unreachable!("take_payload returned none"),
                };
                Self::new(key, value, access, expiry)
            }
        }
    }

    /// Takes the value's own allocation out, leaving the integer 0; `None` for integers and embedded
    /// bytes.
    #[inline]
    pub fn take_payload(&mut self) -> Option<P> {
        let kind = self.header().kind();
        if kind < PAYLOAD_KIND_MIN {
            return None;
        }
        let at = self.shape().word_at();
        let word = self.read_word(at);
        self.header_mut().access_kind &= ACCESS_MASK; // kind 0: integer, which has a word as well
        self.write_word(at, 0);
        // SAFETY: kind and word came from `into_word`, and the entry no longer refers to them.
        Some(unsafe { P::from_word(kind, word) })
    }

    /// Gives an integer entry a value with its own allocation instead.
    #[inline]
    fn put_payload(&mut self, payload: P) {
        debug_assert_eq!(self.header().kind(), KIND_INTEGER);
        let (kind, word) = payload.into_word();
        self.write_word(self.shape().word_at(), word);
        let header = self.header_mut();
        header.access_kind = (header.access_kind & ACCESS_MASK) | (u32::from(kind) << 24);
    }

    /// Moves this allocation, not a payload's own.
    #[inline]
    pub fn relocate(&mut self, to: &mut dyn Relocator) {
        let layout = self.shape().layout();
        // SAFETY: the entry owns its block, allocated with the layout of the same shape class (the
        // module's invariant); it is borrowed exclusively, and the address is kept here alone.
        self.start = unsafe { relocate::block(self.start, layout, to) };
    }

    /// Bytes of this allocation; a payload's own are not counted.
    pub fn allocated_bytes(&self) -> usize {
        size_class(self.shape().size())
    }
}

// SAFETY: an entry is a plain pointer to an 8-aligned heap allocation, which user space has below
// 2^48; the key only changes through `with_key`, which takes the entry by value.
unsafe impl<P: Payload> Item for Entry<P> {
    #[inline]
    fn into_raw(self) -> NonNull<u8> {
        let start = self.start;
        std::mem::forget(self);
        start
    }

    #[inline]
    unsafe fn from_raw(start: NonNull<u8>) -> Self {
        Self { start, payload: PhantomData }
    }

    #[inline]
    unsafe fn key_of<'a>(start: NonNull<u8>) -> &'a [u8] {
        let entry = ManuallyDrop::new(Self { start, payload: PhantomData });
        let key = ptr::from_ref(entry.key());
        // SAFETY: the key lies in the allocation, which the caller keeps unchanged for `'a`.
        unsafe { &*key }
    }
}

impl Header {
    #[inline]
    const fn kind(self) -> u8 {
        self.access_kind.to_be_bytes()[0]
    }
}

impl<P: Payload> Drop for Entry<P> {
    fn drop(&mut self) {
        drop(self.take_payload());
        let layout = self.shape().layout();
        // SAFETY: allocated with the layout of the same shape class (the invariant above).
        unsafe { dealloc(self.start.as_ptr(), layout) };
    }
}

impl<P: Payload> std::fmt::Debug for Entry<P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Entry").field("key", &self.key()).field("expiry", &self.expiry()).finish()
    }
}

#[cfg(test)]
mod tests;
