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
//! flag of deleted ones, and their IDs ascend. Foreign bytes are taken after [`check`] only; what passes
//! by it ends a walk early and does nothing worse.

use super::id::StreamId;
use super::limits::Limits;
use crate::base::num;
use crate::ds::listpack::{self, Element, raw};

/// The entry is deleted.
pub(super) const DELETED: i64 = 1;
/// The entry has the fields of the master entry, which are not repeated.
const SAME_FIELDS: i64 = 2;
/// Elements of an entry beside fields, values and their number: flags, ms, seq.
const FIXED: usize = 3;
/// Most bytes of what a node or an entry has beside texts.
pub(super) const OVERHEAD_MAX: usize = raw::FIRST_AT + 1 + 9 * raw::ELEMENT_EXTRA_MAX;

/// A node, to be read.
#[derive(Clone, Copy, Debug)]
pub struct Node<'a> {
    base: StreamId,
    bytes: &'a [u8],
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
    /// Offset of its flags in the node, bytes.
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

    /// How many elements it has in front of its last.
    #[inline]
    const fn elements(&self) -> usize {
        match self.fields.names {
            Some(_) => FIXED + self.fields.left,
            None => FIXED + 1 + 2 * self.fields.left,
        }
    }
}

/// Where an entry is, until its node changes size in front of it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Place {
    /// Offset of the flags in the node, bytes.
    pub(super) at: usize,
    pub(super) flags: i64,
}

#[inline]
fn integer(element: Option<Element<'_>>) -> Option<i64> {
    match element? {
        Element::Integer(n) => Some(n),
        Element::Bytes(_) => None,
    }
}

/// The ID that differs from another by this.
#[inline]
const fn shifted(id: StreamId, ms: i64, seq: i64) -> StreamId {
    StreamId::new(id.ms.wrapping_add_signed(ms), id.seq.wrapping_add_signed(seq))
}

#[inline]
const fn difference(id: u64, base: u64) -> i64 {
    id.wrapping_sub(base).cast_signed()
}

// ---- Writing ----

/// Writes a node with one entry at the end of a buffer.
pub(super) fn begin<'f>(
    bytes: &mut Vec<u8>,
    fields: impl ExactSizeIterator<Item = &'f [u8]> + Clone,
) {
    let pairs = num::i64_of(fields.len() / 2);
    let mut out = raw::Extension::begin(bytes);
    for n in [1, 0, pairs] {
        out.push_integer(n);
    }
    fields.clone().step_by(2).for_each(|name| out.push_text(name));
    for n in [0, SAME_FIELDS, 0, 0] {
        out.push_integer(n);
    }
    fields.skip(1).step_by(2).for_each(|value| out.push_text(value));
    out.push_integer(num::i64_of(FIXED) + pairs);
    out.finish();
}

/// Adds an entry, with an ID larger than all there, to the node that begins at `start` and ends where
/// the buffer does; does not count it.
#[inline]
pub(super) fn append<'f>(
    bytes: &mut Vec<u8>,
    start: usize,
    base: StreamId,
    id: StreamId,
    mut fields: impl ExactSizeIterator<Item = &'f [u8]> + Clone,
) {
    let is_same = Node::new(base, &bytes[start..]).has_fields(fields.clone());
    let pairs = fields.len() / 2;
    let mut out = raw::Extension::of(bytes, start);
    out.push_integer(if is_same { SAME_FIELDS } else { 0 });
    out.push_integer(difference(id.ms, base.ms));
    out.push_integer(difference(id.seq, base.seq));
    let elements = if is_same {
        while let (Some(_), Some(value)) = (fields.next(), fields.next()) {
            out.push_text(value);
        }
        FIXED + pairs
    } else {
        out.push_integer(num::i64_of(pairs));
        fields.for_each(|text| out.push_text(text));
        FIXED + 1 + 2 * pairs
    };
    out.push_integer(num::i64_of(elements));
    out.finish();
}

// ---- Reading ----

impl<'a> Node<'a> {
    #[inline]
    pub(super) const fn new(base: StreamId, bytes: &'a [u8]) -> Self {
        Self { base, bytes }
    }

    /// The ID that it is filed under.
    #[inline]
    #[must_use]
    pub const fn base(self) -> StreamId {
        self.base
    }

    /// The bytes of its listpack.
    #[inline]
    #[must_use]
    pub const fn bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// Whether an entry with texts of `added` bytes belongs into another node.
    #[inline]
    pub(super) fn is_full(self, added: usize, limits: Limits) -> bool {
        let (count, deleted) = self.counts();
        limits.is_full(self.bytes.len(), added, count.saturating_add(deleted))
    }

    /// Whether the master entry has these fields, in their order; each is followed by its value.
    #[inline]
    fn has_fields<'f>(self, mut fields: impl ExactSizeIterator<Item = &'f [u8]>) -> bool {
        let mut own = raw::elements(self.bytes);
        let count = own.nth(2);
        if integer(count) != Some(num::i64_of(fields.len() / 2)) {
            return false;
        }
        while let (Some(name), Some(_)) = (fields.next(), fields.next()) {
            if !own.next().is_some_and(|own| own.is(name)) {
                return false;
            }
        }
        true
    }

    #[inline]
    fn master(self) -> Option<Master<'a>> {
        let mut iter = raw::elements(self.bytes);
        let count = integer(iter.next())?;
        let deleted = integer(iter.next())?;
        let field_count = usize::try_from(integer(iter.next())?).ok()?;
        let fields = iter.take_front(field_count)?;
        let is_ended = integer(iter.next())? == 0;
        is_ended.then_some(Master { count, deleted, field_count, fields, entries: iter })
    }

    /// Entries that are there, and those marked as deleted.
    #[inline]
    pub(super) fn counts(self) -> (u64, u64) {
        let mut iter = raw::elements(self.bytes);
        let mut count =
            || integer(iter.next()).and_then(|count| u64::try_from(count).ok()).unwrap_or(0);
        (count(), count())
    }

    /// Offset of the number of deleted entries, bytes; that of the others is at [`raw::FIRST_AT`].
    pub(super) fn deleted_at(self) -> usize {
        let mut iter = raw::elements(self.bytes);
        let before = iter.bytes_left();
        let _count = iter.next();
        raw::FIRST_AT + before - iter.bytes_left()
    }

    /// All entries, deleted ones included.
    #[inline]
    pub(super) fn entries(self) -> Entries<'a> {
        match self.master() {
            Some(Master { field_count, fields, entries, .. }) => {
                let at = self.bytes.len() - 1 - entries.bytes_left();
                Entries { base: self.base, names: fields, field_count, rest: entries, at }
            }
            None => {
                let nothing = listpack::Iter::default;
                Entries {
                    base: self.base,
                    names: nothing(),
                    field_count: 0,
                    rest: nothing(),
                    at: self.bytes.len(),
                }
            }
        }
    }

    /// The ID of the last entry, deleted ones included.
    pub(super) fn last_id(self) -> Option<StreamId> {
        self.entries().next_back().map(|last| last.id)
    }
}

/// Whether foreign bytes are a node, filed under this ID. O(bytes).
///
/// # Errors
/// The first thing that is wrong.
pub fn check(base: StreamId, bytes: &[u8]) -> Result<(), BadNode> {
    listpack::check(bytes).map_err(BadNode::Malformed)?;
    let node = Node::new(base, bytes);
    let master = node.master().ok_or(BadNode::BadMaster)?;
    let stated = (master.count, master.deleted);
    let mut entries = node.entries();
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
    if index == 0 {
        return Err(BadNode::Empty);
    }
    if (found, deleted) == stated { Ok(()) } else { Err(BadNode::WrongCount) }
}

/// The entries of a node from either end.
#[derive(Clone, Debug)]
pub(super) struct Entries<'a> {
    base: StreamId,
    names: listpack::Iter<'a>,
    field_count: usize,
    rest: listpack::Iter<'a>,
    /// Offset of `rest` in the node, bytes.
    at: usize,
}

impl<'a> Entries<'a> {
    /// Skips entries until only so many bytes of them are left.
    pub(super) fn leave(&mut self, bytes: usize) {
        let skipped = self.rest.bytes_left().saturating_sub(bytes);
        if self.rest.skip_bytes(skipped) {
            self.at += skipped;
        }
    }

    /// Bytes of the entries still to come.
    pub(super) const fn bytes_left(&self) -> usize {
        self.rest.bytes_left()
    }

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
