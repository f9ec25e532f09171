//! Moving what a value has allocated, in steps.

use super::Heap;
use super::hash::Hash;
use super::list::List;
use super::set::Set;
use super::sorted_set::SortedSet;
use super::stream;
use crate::ds::relocate::{Relocator, boxed};

/// Where moving a value goes on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Cursor {
    /// At the beginning.
    #[default]
    Start,
    /// In the table.
    Table(u64),
    /// In the nodes.
    Nodes(usize),
    /// In a stream.
    Stream(stream::Place),
}

impl Cursor {
    /// The place in the table, from the beginning on.
    const fn in_table(&self) -> Option<u64> {
        match self {
            Self::Start => Some(0),
            Self::Table(at) => Some(*at),
            Self::Nodes(_) | Self::Stream(_) => None,
        }
    }

    /// Where to go on in a table; `None` at its end.
    fn after_table(next: u64) -> Option<Self> {
        (next != 0).then_some(Self::Table(next))
    }
}

/// Moves some of what a value has allocated, O(1) elements, and returns where to go on; `None` at the end.
/// A cursor of a value that was here before is taken for what it can be.
pub fn relocate(value: &mut Heap, cursor: Cursor, to: &mut dyn Relocator) -> Option<Cursor> {
    match value {
        Heap::Text(text) => {
            boxed(text, to);
            text.relocate(to);
            None
        }
        Heap::List(list) => relocate_list(list, cursor, to),
        Heap::Set(set) => relocate_set(set, cursor, to),
        Heap::SortedSet(set) => relocate_sorted_set(set, cursor, to),
        Heap::Hash(hash) => relocate_hash(hash, cursor, to),
        Heap::Stream(stream) => {
            let place = match cursor {
                Cursor::Stream(place) => place,
                Cursor::Start | Cursor::Table(_) | Cursor::Nodes(_) => {
                    boxed(stream, to);
                    stream::Place::START
                }
            };
            stream.relocate(place, to).map(Cursor::Stream)
        }
    }
}

fn relocate_list(list: &mut List, cursor: Cursor, to: &mut dyn Relocator) -> Option<Cursor> {
    match list {
        List::Packed(listpack) => {
            listpack.relocate(to);
            None
        }
        List::Linked(quicklist) => {
            let from = match cursor {
                Cursor::Start | Cursor::Table(_) | Cursor::Stream(_) => {
                    boxed(quicklist, to);
                    0
                }
                Cursor::Nodes(from) => from,
            };
            quicklist.relocate_node(from, to).map(Cursor::Nodes)
        }
    }
}

fn relocate_set(set: &mut Set, cursor: Cursor, to: &mut dyn Relocator) -> Option<Cursor> {
    match set {
        Set::Integers(integers) => integers.relocate(to),
        Set::Listing(listpack) => listpack.relocate(to),
        Set::Table(table) => {
            let at = cursor.in_table()?;
            if at == 0 {
                boxed(table, to);
                table.relocate_table(to);
            }
            let next = table.relocate_bucket(at, to, |member, to| member.relocate(to));
            return Cursor::after_table(next);
        }
    }
    None
}

fn relocate_hash(hash: &mut Hash, cursor: Cursor, to: &mut dyn Relocator) -> Option<Cursor> {
    match hash {
        Hash::Pack(pack) | Hash::ExpiringPack(pack) => {
            pack.relocate(to);
            None
        }
        Hash::Table(table) => {
            let at = cursor.in_table()?;
            if at == 0 {
                boxed(table, to);
            }
            Cursor::after_table(table.relocate_bucket(at, to))
        }
    }
}

fn relocate_sorted_set(
    set: &mut SortedSet,
    cursor: Cursor,
    to: &mut dyn Relocator,
) -> Option<Cursor> {
    match set {
        SortedSet::Packed(listpack) => {
            listpack.relocate(to);
            None
        }
        SortedSet::Scored(set) => {
            let at = match cursor {
                Cursor::Nodes(rank) => return set.relocate_node(rank, to).map(Cursor::Nodes),
                Cursor::Start | Cursor::Stream(_) => {
                    boxed(set, to);
                    0
                }
                Cursor::Table(at) => at,
            };
            let next = set.relocate_bucket(at, to);
            Some(Cursor::after_table(next).unwrap_or(Cursor::Nodes(0)))
        }
    }
}
