//! The value types, over encodings.
//!
//! An [`Entry`] holds a key with its value: integers and short strings inside itself, everything else
//! as one [`Heap`] pointer.
#![expect(
    unsafe_code,
    reason = "thin_payload! expands to the packing of Heap; none is written here"
)]

pub mod hash;
pub mod list;
mod relocate;
pub mod set;
pub mod sorted_set;
pub mod stream;
pub mod string;
mod text;

use crate::base::num;
use crate::ds::dict::Loader;
use crate::ds::entry::{self, thin_payload};

pub use entry::NewValue;
pub use hash::{Hash, HashRef};
pub use list::{List, ListRef};
pub use relocate::{Cursor, relocate};
pub use set::{Set, SetRef};
pub use sorted_set::{SortedSet, SortedSetRef};
pub use stream::Stream;
pub use string::Str;
pub use text::Text;

thin_payload! {
    /// Values with an allocation of their own.
    Heap, HeapRef {
        /// A string too long to embed.
        Text(Box<Text>) = 2,
        /// A stream.
        Stream(Box<Stream>) = 13;
        /// A list.
        List(List) = 3..=4,
        /// A set.
        Set(Set) = 5..=7,
        /// A sorted set.
        SortedSet(SortedSet) = 11..=12,
        /// A hash.
        Hash(Hash) = 8..=10,
    }
}

/// A key with its value.
pub type Entry = entry::Entry<Heap>;
/// A value seen in its entry.
pub type ValueRef<'a> = entry::ValueRef<'a, HeapRef<'a>>;

/// A type whose values are made of elements. A key goes with the last element of its value.
///
/// What else a type brings, each in a file of its own: a borrowed form to read, and an arm in the
/// functions below.
pub trait Collection: Sized {
    /// The collection that a value is, to change it; `None` if it is of another type.
    fn of_mut(value: &mut Heap) -> Option<&mut Self>;

    /// The collection as a value.
    fn into_heap(self) -> Heap;

    /// Whether it has no elements.
    fn is_empty(&self) -> bool;
}

/// A value's type, as TYPE names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// A string.
    String,
    /// A list.
    List,
    /// A set.
    Set,
    /// A sorted set.
    SortedSet,
    /// A hash.
    Hash,
    /// A stream.
    Stream,
}

impl Type {
    /// All types.
    pub const ALL: [Self; 6] =
        [Self::String, Self::List, Self::Set, Self::SortedSet, Self::Hash, Self::Stream];

    /// The name TYPE and SCAN use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::List => "list",
            Self::Set => "set",
            Self::SortedSet => "zset",
            Self::Hash => "hash",
            Self::Stream => "stream",
        }
    }
}

/// The type of an entry's value.
pub fn type_of(entry: &Entry) -> Type {
    match entry.value() {
        ValueRef::Integer(_) | ValueRef::Embedded(_) | ValueRef::Payload(HeapRef::Text(_)) => {
            Type::String
        }
        ValueRef::Payload(HeapRef::List(_)) => Type::List,
        ValueRef::Payload(HeapRef::Set(_)) => Type::Set,
        ValueRef::Payload(HeapRef::SortedSet(_)) => Type::SortedSet,
        ValueRef::Payload(HeapRef::Hash(_)) => Type::Hash,
        ValueRef::Payload(HeapRef::Stream(_)) => Type::Stream,
    }
}

/// Bytes of a string, elements of a collection, entries of a stream.
pub fn len_of(entry: &Entry) -> usize {
    match entry.value() {
        ValueRef::Integer(n) => num::digits_signed(n),
        ValueRef::Embedded(bytes) => bytes.len(),
        ValueRef::Payload(HeapRef::Text(text)) => text.as_slice().len(),
        ValueRef::Payload(HeapRef::List(list)) => list.len(),
        ValueRef::Payload(HeapRef::Set(set)) => set.len(),
        ValueRef::Payload(HeapRef::SortedSet(set)) => set.len(),
        ValueRef::Payload(HeapRef::Hash(hash)) => hash.len(),
        ValueRef::Payload(HeapRef::Stream(stream)) => num::usize_of(stream.log.len()),
    }
}

/// The encoding's name, as OBJECT ENCODING prints it.
pub fn encoding_of(entry: &Entry) -> &'static str {
    match entry.value() {
        ValueRef::Integer(_) => "int",
        ValueRef::Embedded(bytes) if bytes.len() <= string::EMBSTR_LEN_MAX => {
            if entry.is_marked_raw() { "raw" } else { "embstr" }
        }
        ValueRef::Embedded(_) | ValueRef::Payload(HeapRef::Text(_)) => "raw",
        ValueRef::Payload(HeapRef::List(list)) => list.encoding_name(),
        ValueRef::Payload(HeapRef::Set(set)) => set.encoding_name(),
        ValueRef::Payload(HeapRef::SortedSet(set)) => set.encoding(),
        ValueRef::Payload(HeapRef::Hash(hash)) => hash.encoding(),
        ValueRef::Payload(HeapRef::Stream(_)) => "stream",
    }
}

/// Bytes of memory the entry and its value take. What many elements take is estimated from `samples` of
/// them.
pub fn memory_bytes(entry: &Entry, samples: usize) -> usize {
    let own = match entry.value() {
        ValueRef::Integer(_) | ValueRef::Embedded(_) => 0,
        ValueRef::Payload(HeapRef::Text(text)) => size_of::<Text>() + text.memory_bytes(),
        ValueRef::Payload(HeapRef::List(list)) => list.memory_bytes(),
        ValueRef::Payload(HeapRef::Set(set)) => set.memory_bytes(samples),
        ValueRef::Payload(HeapRef::SortedSet(set)) => set.memory_bytes(),
        ValueRef::Payload(HeapRef::Hash(hash)) => hash.memory_bytes(samples),
        ValueRef::Payload(HeapRef::Stream(stream)) => stream.memory_bytes(),
    };
    entry.allocated_bytes() + own
}

/// Bytes of memory the entry and its value take, about, in few steps.
pub fn estimated_bytes(entry: &Entry) -> usize {
    const SAMPLES: usize = 16;
    if let ValueRef::Payload(HeapRef::List(list)) = entry.value() {
        return entry.allocated_bytes() + list.estimated_bytes(SAMPLES);
    }
    memory_bytes(entry, SAMPLES)
}

/// A deep copy of the value under another key, with the given access clock and expiry.
pub fn copy_of(entry: &Entry, key: &[u8], access: u32, expiry: Option<i64>) -> Entry {
    let value = match entry.value() {
        ValueRef::Integer(n) => NewValue::Integer(n),
        ValueRef::Embedded(bytes) if entry.is_marked_raw() => NewValue::EmbeddedRaw(bytes),
        ValueRef::Embedded(bytes) => NewValue::Embedded(bytes),
        ValueRef::Payload(HeapRef::Text(text)) => {
            NewValue::Payload(Heap::Text(Box::new(text.duplicate())))
        }
        ValueRef::Payload(HeapRef::List(list)) => NewValue::Payload(Heap::List(list.duplicate())),
        ValueRef::Payload(HeapRef::Set(set)) => NewValue::Payload(Heap::Set(set.duplicate())),
        ValueRef::Payload(HeapRef::SortedSet(set)) => {
            NewValue::Payload(Heap::SortedSet(set.duplicate()))
        }
        ValueRef::Payload(HeapRef::Hash(hash)) => NewValue::Payload(Heap::Hash(hash.duplicate())),
        ValueRef::Payload(HeapRef::Stream(stream)) => {
            NewValue::Payload(Heap::Stream(Box::new(stream.clone())))
        }
    };
    Entry::new(key, value, access, expiry)
}

/// Steps that freeing the value takes, about; large ones are freed on a helper thread.
pub fn free_effort(entry: &Entry) -> usize {
    match entry.value() {
        ValueRef::Integer(_) | ValueRef::Embedded(_) => 1,
        // One call, but returning many pages to the system takes as long as many small frees.
        ValueRef::Payload(HeapRef::Text(text)) => 1 + text.memory_bytes() / (64 * 1024),
        ValueRef::Payload(HeapRef::List(list)) => list.free_effort(),
        ValueRef::Payload(HeapRef::Set(set)) => set.free_effort(),
        ValueRef::Payload(HeapRef::SortedSet(set)) => set.free_effort(),
        ValueRef::Payload(HeapRef::Hash(hash)) => hash.free_effort(),
        ValueRef::Payload(HeapRef::Stream(stream)) => stream.free_effort(),
    }
}

/// The table that finds the members of the value by name, if it is large enough to have one.
pub fn table_of(entry: &Entry) -> Option<&dyn Loader> {
    match entry.value() {
        ValueRef::Payload(HeapRef::Set(SetRef::Table(table))) => Some(table),
        ValueRef::Payload(HeapRef::Hash(HashRef::Table(table))) => Some(table.names()),
        ValueRef::Payload(HeapRef::SortedSet(SortedSetRef::Scored(set))) => Some(set.members()),
        ValueRef::Integer(_)
        | ValueRef::Embedded(_)
        | ValueRef::Payload(
            HeapRef::Text(_)
            | HeapRef::List(_)
            | HeapRef::Stream(_)
            | HeapRef::Set(SetRef::Integers(_) | SetRef::Listing(_))
            | HeapRef::Hash(HashRef::Pack(_) | HashRef::ExpiringPack(_))
            | HeapRef::SortedSet(SortedSetRef::Packed(_)),
        ) => None,
    }
}
