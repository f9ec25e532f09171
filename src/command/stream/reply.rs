//! IDs and entries as replies.

use super::ids::IdText;
use crate::ds::listpack::Element;
use crate::resp::Output;
use crate::value::stream::{Fields, Group, Log, Nack, StreamId};

/// An ID.
#[inline]
pub(super) fn id(out: &mut Output, id: StreamId) {
    out.bulk(IdText::of(id).as_bytes());
}

/// An entry: its ID, and its fields and values.
#[inline]
pub(super) fn entry(out: &mut Output, id: StreamId, entry: Fields<'_>) {
    out.array(2);
    self::id(out, id);
    fields(out, entry);
}

/// The entry with an ID, if there is one; says whether there is.
#[inline]
pub(super) fn entry_with(out: &mut Output, log: &Log, id: StreamId) -> bool {
    let found = log.get(id);
    let is_there = found.is_some();
    if let Some(fields) = found {
        entry(out, id, fields);
    }
    is_there
}

/// Several entries, as many as there are.
pub(super) fn entries<'a>(out: &mut Output, entries: impl Iterator<Item = (StreamId, Fields<'a>)>) {
    let head = out.defer_len();
    let mut count = 0;
    for (id, fields) in entries {
        entry(out, id, fields);
        count += 1;
    }
    out.fill_array(head, count);
}

#[inline]
fn fields(out: &mut Output, fields: Fields<'_>) {
    out.array(2 * fields.len());
    for (name, value) in fields {
        element(out, name);
        element(out, value);
    }
}

#[inline]
fn element(out: &mut Output, element: Element<'_>) {
    match element {
        Element::Integer(n) => out.bulk_integer(n),
        Element::Bytes(text) => out.bulk(text),
    }
}

/// The name of the consumer that a pending entry belongs to.
pub(super) fn owner<'g>(group: &'g Group, nack: &Nack) -> &'g [u8] {
    nack.consumer.map_or(b"", |consumer| group.consumer(consumer).name())
}
