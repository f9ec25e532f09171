//! Sets: integers in a sorted array, a few short members in a listing, all others in a hash table.
//!
//! A set begins in the smallest form that its members allow, and moves on to a larger one when it
//! outgrows that; it never moves back. [`Limits`] says when, and when is Redis's choice exactly,
//! since OBJECT ENCODING tells.

mod limits;
mod random;
#[cfg(test)]
mod tests;

use super::{Collection, Entry, Heap, HeapRef, ValueRef};
use crate::ds::dict::{self, Dict, Mark, Member};
use crate::ds::entry::thin_payload;
use crate::ds::intset::{self, IntSet};
use crate::ds::listpack::{self, Digits, Element, Listpack};
use std::cell::OnceCell;

pub use limits::Limits;
pub use random::Selection;

thin_payload! {
    /// A set.
    Set, SetRef {
        /// Integers, ascending.
        Integers(IntSet) = 5,
        /// A few short members, in the order they came.
        Listing(Listpack) = 6,
        /// Any members.
        Table(Box<Dict<Member>>) = 7,
    }
}

impl Collection for Set {
    #[inline]
    fn of_mut(value: &mut Heap) -> Option<&mut Self> {
        if let Heap::Set(set) = value { Some(set) } else { None }
    }

    fn into_heap(self) -> Heap {
        Heap::Set(self)
    }

    #[inline]
    fn is_empty(&self) -> bool {
        self.view().is_empty()
    }
}

/// A text to be looked for in several sets: what they need of it is computed once.
pub struct Probe<'a> {
    text: &'a [u8],
    integer: OnceCell<Option<i64>>,
    hash: OnceCell<u64>,
}

impl<'a> Probe<'a> {
    /// For this member; an integer's text is written into `digits`.
    #[inline]
    pub fn new(member: &'a Element<'a>, digits: &'a mut Digits) -> Self {
        let integer = OnceCell::new();
        if let Element::Integer(n) = *member {
            let _is_new = integer.set(Some(n));
        }
        Self { text: member.text(digits), integer, hash: OnceCell::new() }
    }

    #[inline]
    fn integer(&self) -> Option<i64> {
        *self.integer.get_or_init(|| Element::Bytes(self.text).integer())
    }

    /// The hash for `table`, which is that for all: they share the process's key.
    #[inline]
    fn hash(&self, table: &Dict<Member>) -> u64 {
        *self.hash.get_or_init(|| table.hash(self.text))
    }
}

impl<'a> SetRef<'a> {
    /// The set in an entry; `None` if the entry holds another type.
    #[inline]
    pub fn of(entry: &'a Entry) -> Option<Self> {
        if let ValueRef::Payload(HeapRef::Set(set)) = entry.value() { Some(set) } else { None }
    }

    /// Members in the set.
    #[inline]
    pub fn len(self) -> usize {
        match self {
            Self::Integers(ints) => ints.len(),
            Self::Listing(list) => list.len(),
            Self::Table(table) => table.len(),
        }
    }

    /// Whether there are none: only of sets that no key holds.
    #[inline]
    pub fn is_empty(self) -> bool {
        match self {
            Self::Integers(ints) => ints.is_empty(),
            Self::Listing(list) => list.is_empty(),
            Self::Table(table) => table.is_empty(),
        }
    }

    /// Whether the set has a member of this text. O(1), O(log n) or O(n) of a few.
    #[inline]
    pub fn contains(self, text: &[u8]) -> bool {
        match self {
            Self::Integers(ints) => {
                Element::Bytes(text).integer().is_some_and(|int| ints.contains(int))
            }
            Self::Listing(list) => find(list, text).is_some(),
            Self::Table(table) => table.find(table.hash(text), text).is_some(),
        }
    }

    /// As [`SetRef::contains`], for a text that other sets are asked for as well.
    #[inline]
    pub fn holds(self, probe: &Probe<'_>) -> bool {
        match self {
            Self::Integers(ints) => probe.integer().is_some_and(|int| ints.contains(int)),
            Self::Listing(list) => find(list, probe.text).is_some(),
            Self::Table(table) => table.find(probe.hash(table), probe.text).is_some(),
        }
    }

    /// All members: integers ascending, a listing's in the order they came, a table's in any.
    #[inline]
    pub fn iter(self) -> Iter<'a> {
        match self {
            Self::Integers(ints) => Iter::Integers(ints.iter()),
            Self::Listing(list) => Iter::Listing(list.iter()),
            Self::Table(table) => Iter::Table(table.iter()),
        }
    }

    /// Visits some members and returns the cursor to go on at; 0 starts and ends. Members that are
    /// there throughout are visited at least once.
    pub fn scan(self, cursor: u64, mut f: impl FnMut(Element<'a>)) -> u64 {
        match self {
            Self::Integers(_) | Self::Listing(_) => {
                self.iter().for_each(f);
                0
            }
            Self::Table(table) => table.scan(cursor, |member| f(Element::Bytes(member.into_key()))),
        }
    }

    /// The encoding's name, as OBJECT ENCODING prints it.
    pub const fn encoding_name(self) -> &'static str {
        match self {
            Self::Integers(_) => "intset",
            Self::Listing(_) => "listpack",
            Self::Table(_) => "hashtable",
        }
    }

    /// Bytes of memory the set takes. The members of a table are estimated from `samples` of them.
    pub fn memory_bytes(self, samples: usize) -> usize {
        match self {
            Self::Integers(ints) => ints.memory_bytes(),
            Self::Listing(list) => list.allocated_bytes(),
            Self::Table(table) => {
                let sampled = table.len().min(samples);
                let bytes: usize = table.iter().take(sampled).map(|one| one.memory_bytes()).sum();
                let members = (bytes * table.len()).checked_div(sampled).unwrap_or(0);
                size_of::<Dict<Member>>() + table.memory_bytes() + members
            }
        }
    }

    /// Steps that freeing the set takes, about.
    pub fn free_effort(self) -> usize {
        match self {
            Self::Integers(_) | Self::Listing(_) => 1,
            Self::Table(table) => table.len(),
        }
    }

    /// A deep copy.
    pub fn duplicate(self) -> Set {
        match self {
            Self::Integers(ints) => Set::Integers(ints.clone()),
            Self::Listing(list) => Set::Listing(list.clone()),
            Self::Table(table) => {
                let mut copy = table.new_like();
                for member in table {
                    insert_new(&mut copy, member.as_bytes());
                }
                Set::Table(Box::new(copy))
            }
        }
    }
}

impl<'a> IntoIterator for SetRef<'a> {
    type Item = Element<'a>;
    type IntoIter = Iter<'a>;

    #[inline]
    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

/// The members of a set.
pub enum Iter<'a> {
    /// Integers, ascending.
    Integers(intset::Iter<'a>),
    /// In the order they came.
    Listing(listpack::Iter<'a>),
    /// In any order.
    Table(dict::Iter<'a, Member>),
}

impl<'a> Iterator for Iter<'a> {
    type Item = Element<'a>;

    #[inline]
    fn next(&mut self) -> Option<Element<'a>> {
        match self {
            Self::Integers(ints) => ints.next().map(Element::Integer),
            Self::Listing(elements) => elements.next(),
            Self::Table(members) => members.next().map(|member| Element::Bytes(member.into_key())),
        }
    }
}

impl Set {
    /// The set, to be read.
    #[inline]
    pub fn view(&self) -> SetRef<'_> {
        match self {
            Self::Integers(ints) => SetRef::Integers(ints),
            Self::Listing(list) => SetRef::Listing(list),
            Self::Table(table) => SetRef::Table(table),
        }
    }

    /// Adds a member; false if it was there.
    #[inline]
    pub fn add(&mut self, member: Element<'_>, limits: &Limits) -> bool {
        if let Self::Table(table) = self {
            return member.with_text(|text| insert(table, text));
        }
        self.add_to_small(member, limits)
    }

    /// Takes a member out; false if it was not there.
    #[inline]
    pub fn remove(&mut self, text: &[u8]) -> bool {
        match self {
            Self::Integers(ints) => {
                Element::Bytes(text).integer().is_some_and(|int| ints.remove(int))
            }
            Self::Listing(list) => match find(list, text) {
                Some(at) => {
                    list.delete(at);
                    true
                }
                None => false,
            },
            Self::Table(table) => table.remove(table.hash(text), text).is_some(),
        }
    }
}

#[inline]
fn find(list: &Listpack, text: &[u8]) -> Option<listpack::Cursor> {
    list.find(text, list.first()?, 0)
}

/// Adds a member; false if it was there.
#[inline]
fn insert(table: &mut Dict<Member>, text: &[u8]) -> bool {
    match table.entry(table.hash(text), text) {
        dict::Entry::Occupied(_) => false,
        dict::Entry::Vacant(vacant) => {
            vacant.insert(Member::new(text), Mark::Clear);
            true
        }
    }
}

/// Adds a member that is known not to be there.
fn insert_new(table: &mut Dict<Member>, text: &[u8]) {
    table.insert(table.hash(text), Member::new(text), Mark::Clear);
}
