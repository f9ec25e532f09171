//! Small sorted sets: members and scores in turn in a listpack, in the order of the set.
//!
//! A score that is an integer is kept as one, any other as its text, so a negative zero loses its sign,
//! as it does in Redis.

use crate::base::{float, num};
use crate::ds::listpack::{Cursor, Element, Listpack};
use crate::ds::skiplist::{Edge, Side, Updated};
use std::cmp::Ordering;

/// Integers up to this are kept as such; doubles above are not all integers that `i64` holds.
const INTEGER_SCORE_MAX: u64 = 1 << 62;

/// The score that an element of a listpack states.
pub(super) fn score_of(element: Element<'_>) -> f64 {
    match element {
        Element::Integer(n) => num::f64_of(n),
        // Text that is no number, which only foreign bytes have, counts as C's `strtod` would.
        Element::Bytes(text) => float::parse_f64(text).unwrap_or(0.0),
    }
}

/// Whether an element of a listpack states a score.
pub(super) fn is_score(element: Element<'_>) -> bool {
    match element {
        Element::Integer(_) => true,
        Element::Bytes(text) => float::parse_f64(text).is_some(),
    }
}

/// Whether members and scores in turn are in the order of the set.
pub(super) fn is_sorted(list: &Listpack) -> bool {
    let mut elements = list.iter();
    let mut last: Option<(Element<'_>, f64)> = None;
    while let (Some(member), Some(score)) = (elements.next(), elements.next()) {
        let score = score_of(score);
        if let Some((other, found)) = last
            && !member.with_text(|member| precedes(other, found, member, score))
        {
            return false;
        }
        last = Some((member, score));
    }
    true
}

/// Calls `f` with the element for a score.
pub(super) fn with_score<R>(score: f64, f: impl FnOnce(Element<'_>) -> R) -> R {
    match num::i64_exactly(score) {
        Some(n) if n.unsigned_abs() <= INTEGER_SCORE_MAX => f(Element::Integer(n)),
        Some(_) | None => {
            let mut text = Vec::with_capacity(float::F64_LEN_MAX);
            float::format_f64(score, &mut text);
            f(Element::Bytes(&text))
        }
    }
}

/// How the text of an element compares with a member.
fn compare(element: Element<'_>, member: &[u8]) -> Ordering {
    element.with_text(|text| text.cmp(member))
}

/// The place of a member; its score is the next element.
pub(super) fn find(list: &Listpack, member: &[u8]) -> Option<Cursor> {
    list.find(member, list.first()?, 1)
}

/// The score behind a member.
fn score_behind(list: &Listpack, member: Cursor) -> (Cursor, f64) {
    let at = list.next(member).expect("a score stands behind each member");
    (at, score_of(list.get(at)))
}

/// The score of a member.
pub(super) fn score(list: &Listpack, member: &[u8]) -> Option<f64> {
    Some(score_behind(list, find(list, member)?).1)
}

/// The first member for which `is_before` is false, and how many there are in front.
fn seek(
    list: &Listpack,
    mut is_before: impl FnMut(Element<'_>, f64) -> bool,
) -> (Option<Cursor>, usize) {
    let (mut at, mut rank) = (list.first(), 0);
    while let Some(member) = at {
        let (behind, score) = score_behind(list, member);
        if !is_before(list.get(member), score) {
            break;
        }
        rank += 1;
        at = list.next(behind);
    }
    (at, rank)
}

/// How many members come before one with this score.
pub(super) fn rank(list: &Listpack, member: &[u8], score: f64) -> usize {
    seek(list, |other, found| precedes(other, found, member, score)).1
}

fn precedes(other: Element<'_>, found: f64, member: &[u8], score: f64) -> bool {
    found < score || (found == score && compare(other, member) == Ordering::Less)
}

/// How many members come before a place.
pub(super) fn rank_of_edge(list: &Listpack, edge: Edge<'_>) -> usize {
    let is_before = |member: Element<'_>, found: f64| match edge {
        Edge::Score(score, Side::Before) => found < score,
        Edge::Score(score, Side::After) => found <= score,
        Edge::Member(name, Side::Before) => compare(member, name) == Ordering::Less,
        Edge::Member(name, Side::After) => compare(member, name) != Ordering::Greater,
    };
    seek(list, is_before).1
}

/// Adds a member that the list does not hold.
pub(super) fn insert(list: &mut Listpack, member: &[u8], score: f64) {
    let (at, _) = seek(list, |other, found| precedes(other, found, member, score));
    with_score(score, |score| {
        let pair = [Element::Bytes(member), score];
        match at {
            Some(at) => {
                list.insert_all_before(at, &pair);
            }
            None => list.push_back_all(&pair),
        }
    });
}

/// Gives the member at a place, which has the score `old`, another one.
pub(super) fn change(
    list: &mut Listpack,
    at: Cursor,
    member: &[u8],
    old: f64,
    new: f64,
) -> Updated {
    if old == new {
        return Updated::Same;
    }
    list.delete_run(at, 2);
    insert(list, member, new);
    Updated::Changed
}

/// Takes a member out and returns its score.
pub(super) fn remove(list: &mut Listpack, member: &[u8]) -> Option<f64> {
    let at = find(list, member)?;
    let (_, score) = score_behind(list, at);
    list.delete_run(at, 2);
    Some(score)
}
