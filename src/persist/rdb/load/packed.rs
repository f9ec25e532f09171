//! Collections whose elements are packed in one string.
//!
//! The structure of foreign bytes is always checked to the last element, since everything that reads
//! them later trusts it.

use super::distinct::are_distinct;
use super::rules::{Rules, Sanitize};
use crate::ds::intset::IntSet;
use crate::ds::listpack::{Element, Listpack};
use crate::ds::quicklist::{End, Quicklist};
use crate::persist::rdb::error::Reason;
use crate::persist::rdb::format::{kind, node};
use crate::persist::rdb::old::{ziplist, zipmap};
use crate::persist::rdb::read::{Reader, Text};
use crate::value::hash::NewValue;
use crate::value::{Collection, Hash, Heap, List, Set, SortedSet};
use std::io::Read;

const BAD_NODE: &str = "Quicklist integrity check failed.";

pub(super) fn list_of_ziplists<R: Read>(
    reader: &mut Reader<'_, R>,
    rules: &Rules,
) -> Result<Option<Heap>, Reason> {
    let mut nodes = Quicklist::new(rules.encodings.list);
    for _ in 0..reader.number()? {
        let list = reader.text()?.with_bytes(listpack_of_ziplist);
        let list = list.ok_or(Reason::corrupt("Ziplist integrity check failed."))?;
        nodes.append_packed(list);
    }
    Ok(list_of(nodes))
}

pub(super) fn list_of_listpacks<R: Read>(
    reader: &mut Reader<'_, R>,
    rules: &Rules,
) -> Result<Option<Heap>, Reason> {
    let mut nodes = Quicklist::new(rules.encodings.list);
    for _ in 0..reader.number()? {
        match u8::try_from(reader.number()?) {
            Ok(node::PLAIN) => {
                let text = reader.text()?;
                if text.as_element().text_len() == 0 {
                    return Err(Reason::corrupt(BAD_NODE));
                }
                text.with_bytes(|text| nodes.append_plain(text));
            }
            Ok(node::PACKED) => {
                let list = reader.text()?.with_bytes(Listpack::from_bytes);
                let list = list.map_err(|_| Reason::corrupt("Listpack integrity check failed."))?;
                nodes.append_packed(list);
            }
            Ok(_) | Err(_) => return Err(Reason::corrupt(BAD_NODE)),
        }
    }
    Ok(list_of(nodes))
}

fn list_of(nodes: Quicklist) -> Option<Heap> {
    (!nodes.is_empty()).then(|| List::of_nodes(nodes).into_heap())
}

/// A collection that is one string.
pub(super) fn value<R: Read>(
    reader: &mut Reader<'_, R>,
    code: u8,
    rules: &Rules,
) -> Result<Option<Heap>, Reason> {
    let what = bad(code);
    let heap = match reader.text()? {
        Text::Lent(bytes) => parse(bytes, code, rules),
        Text::Owned(bytes) => parse(&bytes, code, rules),
        // Too few bytes for anything.
        Text::Integer(_) => None,
    };
    let heap = heap.ok_or(Reason::corrupt(what))?;
    Ok((!is_empty(&heap)).then_some(heap))
}

/// What is wrong with the value of a type that is not as it should be.
const fn bad(code: u8) -> &'static str {
    match code {
        kind::HASH_ZIPMAP => "Zipmap integrity check failed.",
        kind::LIST_ZIPLIST => "List ziplist integrity check failed.",
        kind::SET_INTSET => "Intset integrity check failed.",
        kind::SET_LISTPACK => "Set listpack integrity check failed.",
        kind::ZSET_ZIPLIST => "Zset ziplist integrity check failed.",
        kind::ZSET_LISTPACK => "Zset listpack integrity check failed.",
        kind::HASH_ZIPLIST => "Hash ziplist integrity check failed.",
        _ => "Hash listpack integrity check failed.",
    }
}

fn is_empty(heap: &Heap) -> bool {
    match heap {
        Heap::Text(_) | Heap::Stream(_) => false,
        Heap::List(list) => list.is_empty(),
        Heap::Set(set) => set.is_empty(),
        Heap::SortedSet(set) => set.is_empty(),
        Heap::Hash(hash) => hash.is_empty(),
    }
}

/// The collection; `None` if the bytes are not as they should be.
fn parse(bytes: &[u8], code: u8, rules: &Rules) -> Option<Heap> {
    let encodings = &rules.encodings;
    let hash_key = encodings.hash.hash_key;
    // What was converted is looked at as closely as Redis does: always.
    let ziplist =
        |step| listpack_of_ziplist(bytes).filter(|list| are_distinct(list, step, hash_key));
    match code {
        kind::HASH_ZIPMAP => hash_of_zipmap(bytes, rules),
        kind::LIST_ZIPLIST => list_of_ziplist(bytes, rules),
        kind::SET_INTSET => {
            let ints = IntSet::from_bytes(bytes).ok()?;
            Some(Set::of_integers(ints, &encodings.set).into_heap())
        }
        kind::SET_LISTPACK => {
            let list = distinct(bytes, 1, rules)?;
            Some(Set::of_listing(list, &encodings.set).into_heap())
        }
        kind::ZSET_ZIPLIST => sorted_set(ziplist(2)?, rules),
        kind::ZSET_LISTPACK => sorted_set(distinct(bytes, 2, rules)?, rules),
        kind::HASH_ZIPLIST => Some(Hash::of_pack(ziplist(2)?, &encodings.hash)?.into_heap()),
        kind::HASH_LISTPACK => {
            Some(Hash::of_pack(distinct(bytes, 2, rules)?, &encodings.hash)?.into_heap())
        }
        kind::HASH_LISTPACK_EX | kind::HASH_LISTPACK_EX_PRE_GA => {
            Some(Hash::of_expiring_pack(distinct(bytes, 3, rules)?, &encodings.hash)?.into_heap())
        }
        _ => None,
    }
}

/// A listpack whose elements, taken `step` at a time, begin with distinct ones, if that is to be checked
/// or will be needed: tables hold each name once.
fn distinct(bytes: &[u8], step: usize, rules: &Rules) -> Option<Listpack> {
    let list = Listpack::from_bytes(bytes).ok()?;
    let encodings = &rules.encodings;
    let stays = match step {
        1 => encodings.set.allows_listing(list.len()),
        _ => list.len() / step <= encodings.hash.entries_max,
    };
    let is_checked = rules.sanitize == Sanitize::Yes || !stays;
    (!is_checked || are_distinct(&list, step, encodings.hash.hash_key)).then_some(list)
}

fn sorted_set(list: Listpack, rules: &Rules) -> Option<Heap> {
    let is_whole = list.len().is_multiple_of(2)
        && (rules.sanitize == Sanitize::No || SortedSet::has_scores(&list));
    is_whole.then(|| SortedSet::of_packed(list, &rules.encodings.sorted_set).into_heap())
}

/// The elements of a ziplist as a listpack.
fn listpack_of_ziplist(bytes: &[u8]) -> Option<Listpack> {
    let mut list = Listpack::new();
    ziplist::read(bytes, |element| push(&mut list, element))?;
    Some(list)
}

/// Adds an element, if there is room.
fn push(list: &mut Listpack, element: Element<'_>) -> Option<()> {
    list.is_safe_to_add(element.encoded_len()).then(|| list.push_back(element))
}

/// A list whose elements are divided into nodes anew.
fn list_of_ziplist(bytes: &[u8], rules: &Rules) -> Option<Heap> {
    let mut nodes = Quicklist::new(rules.encodings.list);
    ziplist::read(bytes, |element| {
        element.with_text(|text| nodes.push(End::Back, text));
        Some(())
    })?;
    Some(List::of_nodes(nodes).into_heap())
}

fn hash_of_zipmap(bytes: &[u8], rules: &Rules) -> Option<Heap> {
    let rules = &rules.encodings.hash;
    let mut hash = Hash::new();
    zipmap::read(bytes, |name, value| {
        hash.add_field(name, NewValue::Copied(value), None, rules).then_some(())
    })?;
    Some(hash.into_heap())
}
