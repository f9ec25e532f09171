//! A node of a stream: a listpack of entries, laid out as in Redis.
//!
//! ```text
//! count, deleted, number of fields, field ..., 0                  the master entry
//! flags, ms, seq, value ..., elements                             an entry with the master's fields
//! flags, ms, seq, number of fields, field, value, ..., elements   any other entry
//! ```
//! `ms` and `seq` are differences to the ID that the node is filed under; the last element of an entry
//! counts those in front of it, for walks backwards. Flags: 1 deleted, 2 the master's fields.
//!
//! Invariant: the elements are laid out so, `count` and `deleted` count the entries without and with the
//! flag of deleted ones, and their IDs ascend. Foreign bytes are taken after [`Node::check`] only; what
//! passes by it ends a walk early and does nothing worse.

use super::id::StreamId;
use super::limits::Limits;
use crate::base::num;
use crate::ds::listpack::{self, Element, Listpack};

/// The entry is deleted.
const DELETED: i64 = 1;
/// The entry has the fields of the master entry, which are not repeated.
const SAME_FIELDS: i64 = 2;
/// Elements of an entry beside fields, values and their number: flags, ms, seq.
const FIXED: usize = 3;

/// A node's entries, under the ID that the node is filed under.
#[derive(Clone, Debug)]
pub struct Node {
    list: Listpack,
}

/// A node that somebody else wrote is not as it has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadNode {
    /// It is no listpack.
    Malformed(listpack::Malformed),
    /// The master entry lacks something.
    BadMaster,
    /// There are no entries in it.
    Empty,
    /// An entry lacks something or has what does not belong there.
    BadEntry {
        /// Which one, from 0.
        index: usize,
    },
    /// The entry's ID is not larger than the one before it, or out of range.
    BadId {
        /// Which one, from 0.
        index: usize,
    },
    /// The master entry counts other entries.
    WrongCount,
}

impl std::fmt::Display for BadNode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Malformed(why) => why.fmt(f),
            Self::BadMaster => write!(f, "the stream node's master entry is malformed"),
            Self::Empty => write!(f, "the stream node has no entries"),
            Self::BadEntry { index } => write!(f, "entry {index} of the stream node is malformed"),
            Self::BadId { index } => write!(f, "entry {index} of the stream node has a wrong ID"),
            Self::WrongCount => write!(f, "the stream node counts other entries than it has"),
        }
    }
}

impl std::error::Error for BadNode {}

/// The start of a node.
#[derive(Clone, Debug)]
struct Master<'a> {
    count: i64,
    deleted: i64,
    field_count: usize,
    fields: listpack::Iter<'a>,
    /// What follows the master entry.
    entries: listpack::Iter<'a>,
}

/// The fields and values of an entry, borrowed.
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    /// The master's fields, if they are the entry's.
    names: Option<listpack::Iter<'a>>,
    rest: listpack::Iter<'a>,
    left: usize,
}

impl<'a> Iterator for Fields<'a> {
    type Item = (Element<'a>, Element<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let name = match &mut self.names {
            Some(names) => names.next()?,
            None => self.rest.next()?,
        };
        Some((name, self.rest.next()?))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Fields<'_> {}

/// An entry as it lies in a node.
#[derive(Clone, Debug)]
pub(super) struct Found<'a> {
    pub(super) id: StreamId,
    pub(super) fields: Fields<'a>,
    /// Offset of its flags, bytes.
    at: usize,
    flags: i64,
}

#[inline]
fn integer(element: Option<Element<'_>>) -> Option<i64> {
    match element? {
        Element::Integer(n) => Some(n),
        Element::Bytes(_) => None,
    }
}

/// The part of an ID that a difference stands for.
#[inline]
fn shifted(id: StreamId, ms: i64, seq: i64) -> StreamId {
    StreamId::new(id.ms.wrapping_add_signed(ms), id.seq.wrapping_add_signed(seq))
}

fn difference(id: u64, base: u64) -> i64 {
    id.wrapping_sub(base).cast_signed()
}

impl Node {
    /// A node with one entry, whose ID it is filed under.
    pub(super) fn new<'f>(fields: impl ExactSizeIterator<Item = &'f [u8]> + Clone) -> Self {
        let pairs = fields.len() / 2;
        let names = fields.clone().step_by(2).map(Element::Bytes);
        let mut list = Listpack::new();
        let head = [1, 0, num::i64_of(pairs)].map(Element::Integer);
        list.push_back_iter(head.into_iter().chain(names).chain([Element::Integer(0)]));
        let mut node = Self { list };
        node.push(StreamId::MIN, StreamId::MIN, fields);
        node
    }

    /// Whether an entry with texts of `added` bytes belongs into another node.
    #[inline]
    pub(super) fn is_full(&self, added: usize, limits: Limits) -> bool {
        let (count, deleted) = self.counts();
        limits.is_full(self.list.bytes(), added, count.saturating_add(deleted))
    }

    /// Bytes asked of the allocator.
    pub(super) fn allocated_bytes(&self) -> usize {
        self.list.allocated_bytes()
    }

    /// The listpack.
    #[must_use]
    pub fn listpack(&self) -> &Listpack {
        &self.list
    }

    /// Adds an entry behind the others, without counting it.
    fn push<'f>(
        &mut self,
        base: StreamId,
        id: StreamId,
        fields: impl ExactSizeIterator<Item = &'f [u8]> + Clone,
    ) {
        let pairs = fields.len() / 2;
        let is_same = self.has_fields(fields.clone().step_by(2), pairs);
        let flags = if is_same { SAME_FIELDS } else { 0 };
        let head =
            [flags, difference(id.ms, base.ms), difference(id.seq, base.seq)].map(Element::Integer);
        let texts = fields.map(Element::Bytes);
        if is_same {
            let foot = Element::Integer(num::i64_of(FIXED + pairs));
            let values = texts.skip(1).step_by(2);
            self.list.push_back_iter(head.into_iter().chain(values).chain([foot]));
        } else {
            let count = Element::Integer(num::i64_of(pairs));
            let foot = Element::Integer(num::i64_of(FIXED + 1 + 2 * pairs));
            let all = head.into_iter().chain([count]).chain(texts).chain([foot]);
            self.list.push_back_iter(all);
        }
    }

    /// Adds an entry with an ID larger than all here.
    pub(super) fn append<'f>(
        &mut self,
        base: StreamId,
        id: StreamId,
        fields: impl ExactSizeIterator<Item = &'f [u8]> + Clone,
    ) {
        self.push(base, id, fields);
        self.add_to_counts(1, 0);
    }

    /// Whether these are the master's fields, in their order.
    fn has_fields<'f>(&self, names: impl Iterator<Item = &'f [u8]>, pairs: usize) -> bool {
        let Some(master) = self.master() else { return false };
        // The names come first: `zip` asks them first and stops at their end.
        master.field_count == pairs && names.zip(master.fields).all(|(name, own)| own.is(name))
    }

    fn master(&self) -> Option<Master<'_>> {
        let mut iter = self.list.iter();
        let count = integer(iter.next())?;
        let deleted = integer(iter.next())?;
        let field_count = usize::try_from(integer(iter.next())?).ok()?;
        let fields = iter.clone();
        for _ in 0..field_count {
            iter.next()?;
        }
        (integer(iter.next())? == 0).then_some(Master {
            count,
            deleted,
            field_count,
            fields,
            entries: iter,
        })
    }

    /// Entries that are there, and those marked as deleted.
    pub(super) fn counts(&self) -> (u64, u64) {
        let mut iter = self.list.iter();
        let mut count =
            || integer(iter.next()).and_then(|count| u64::try_from(count).ok()).unwrap_or(0);
        (count(), count())
    }

    fn add_to_counts(&mut self, count: i64, deleted: i64) {
        let Some(first) = self.list.first() else { return };
        let (now, now_deleted) = self.counts();
        let changed = |now: u64, by| Element::Integer(num::i64_clamped(now).saturating_add(by));
        self.list.replace(first, changed(now, count));
        if deleted != 0
            && let Some(second) = self.list.next(first)
        {
            self.list.replace(second, changed(now_deleted, deleted));
        }
    }

    /// All entries, deleted ones included.
    #[inline]
    pub(super) fn entries(&self, base: StreamId) -> Entries<'_> {
        match self.master() {
            Some(master) => {
                let at = self.list.bytes_before(&master.entries);
                let Master { field_count, fields, entries, .. } = master;
                Entries { base, names: fields, field_count, rest: entries, at }
            }
            None => {
                let nothing = || listpack::Iter::default();
                Entries { base, names: nothing(), field_count: 0, rest: nothing(), at: 0 }
            }
        }
    }

    /// Marks the entry as deleted.
    pub(super) fn delete(&mut self, entry: Place) {
        self.mark(entry);
        self.add_to_counts(-1, 1);
    }

    fn mark(&mut self, entry: Place) {
        if let Some(at) = self.list.cursor_at(entry.at) {
            self.list.replace(at, Element::Integer(entry.flags | DELETED));
        }
    }

    /// Marks the first entries that are not deleted, as long as `is_to_go` says so; gives how many.
    pub(super) fn delete_while(
        &mut self,
        base: StreamId,
        mut is_to_go: impl FnMut(StreamId) -> bool,
    ) -> u64 {
        let mut places = Vec::new();
        for entry in self.entries(base).take_while(|entry| is_to_go(entry.id)) {
            if !entry.is_deleted() {
                places.push(entry.place());
            }
        }
        for place in &places {
            self.mark(*place);
        }
        let count = num::i64_of(places.len());
        self.add_to_counts(-count, count);
        num::u64_of(places.len())
    }

    /// The node that foreign bytes are, if all of them are as they have to be. O(bytes).
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn from_bytes(base: StreamId, bytes: &[u8]) -> Result<Self, BadNode> {
        let list = Listpack::from_bytes(bytes).map_err(BadNode::Malformed)?;
        let node = Self { list };
        node.check(base)?;
        Ok(node)
    }

    /// Whether all is as it has to be, under this ID; gives the last entry's ID.
    fn check(&self, base: StreamId) -> Result<StreamId, BadNode> {
        let master = self.master().ok_or(BadNode::BadMaster)?;
        let stated = (master.count, master.deleted);
        let mut entries = self.entries(base);
        let (mut found, mut deleted) = (0i64, 0i64);
        let mut last: Option<StreamId> = None;
        let mut index = 0;
        while entries.rest.bytes_left() > 0 {
            let entry = entries.front().ok_or(BadNode::BadEntry { index })?;
            if !matches!(entry.flags, 0..=3) {
                return Err(BadNode::BadEntry { index });
            }
            if entry.id < base || last.is_some_and(|last| entry.id <= last) {
                return Err(BadNode::BadId { index });
            }
            last = Some(entry.id);
            if entry.is_deleted() {
                deleted += 1;
            } else {
                found += 1;
            }
            index += 1;
        }
        let last = last.ok_or(BadNode::Empty)?;
        if (found, deleted) == stated { Ok(last) } else { Err(BadNode::WrongCount) }
    }
}

/// Where an entry is, until the node changes size in front of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    at: usize,
    flags: i64,
}

impl Found<'_> {
    #[inline]
    pub(super) const fn is_deleted(&self) -> bool {
        self.flags & DELETED != 0
    }

    pub(super) const fn place(&self) -> Place {
        Place { at: self.at, flags: self.flags }
    }
}

/// The entries of a node from either end.
#[derive(Clone, Debug)]
pub(super) struct Entries<'a> {
    base: StreamId,
    names: listpack::Iter<'a>,
    field_count: usize,
    rest: listpack::Iter<'a>,
    /// Offset of `rest`, bytes.
    at: usize,
}

impl<'a> Entries<'a> {
    /// The next entry; `None` at the end, or if what follows is none.
    #[inline]
    fn front(&mut self) -> Option<Found<'a>> {
        let before = self.rest.bytes_left();
        let at = self.at;
        let mut rest = self.rest.clone();
        let entry = self.read(&mut rest, at)?;
        let foot = integer(rest.next())?;
        if usize::try_from(foot) != Ok(entry.elements()) {
            return None;
        }
        self.at += before - rest.bytes_left();
        self.rest = rest;
        Some(entry)
    }

    /// The last entry; `None` at the start, or if what is in front is none.
    #[inline]
    fn back(&mut self) -> Option<Found<'a>> {
        let mut rest = self.rest.clone();
        let foot = usize::try_from(integer(rest.next_back())?).ok()?;
        let mut elements = rest.take_back(foot)?;
        let entry = self.read(&mut elements, self.at + rest.bytes_left())?;
        if elements.bytes_left() > 0 {
            return None;
        }
        self.rest = rest;
        Some(entry)
    }

    /// Reads an entry up to its last element.
    #[inline]
    fn read(&self, from: &mut listpack::Iter<'a>, at: usize) -> Option<Found<'a>> {
        let flags = integer(from.next())?;
        let id = shifted(self.base, integer(from.next())?, integer(from.next())?);
        let (names, left, elements) = if flags & SAME_FIELDS != 0 {
            (Some(self.names.clone()), self.field_count, self.field_count)
        } else {
            let count = usize::try_from(integer(from.next())?).ok()?;
            (None, count, count.checked_mul(2)?)
        };
        let rest = from.take_front(elements)?;
        Some(Found { id, fields: Fields { names, rest, left }, at, flags })
    }
}

impl Found<'_> {
    /// How many elements it has in front of its last.
    #[inline]
    const fn elements(&self) -> usize {
        match self.fields.names {
            Some(_) => FIXED + self.fields.left,
            None => FIXED + 1 + 2 * self.fields.left,
        }
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Found<'a>;

    #[inline]
    fn next(&mut self) -> Option<Found<'a>> {
        let entry = self.front();
        if entry.is_none() {
            self.rest = listpack::Iter::default();
        }
        entry
    }
}

impl DoubleEndedIterator for Entries<'_> {
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        let entry = self.back();
        if entry.is_none() {
            self.rest = listpack::Iter::default();
        }
        entry
    }
}
