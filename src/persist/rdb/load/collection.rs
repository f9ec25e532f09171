//! Collections element by element.
//!
//! A count says how many elements follow; nothing is set aside for it, since it may be a lie.

use super::rules::Rules;
use super::value::Expiries;
use crate::base::num;
use crate::ds::quicklist::{End, Quicklist};
use crate::persist::rdb::error::Reason;
use crate::persist::rdb::read::{Reader, Text};
use crate::value::hash::{FIELD_EXPIRY_MAX, NewValue};
use crate::value::sorted_set::Builder;
use crate::value::{Collection, Hash, Heap, List, Set, SortedSet};
use bytes::Bytes;
use std::io::Read;

/// What Valkey writes for a field that does not expire.
const VALKEY_NEVER: i64 = -1;
/// Score lengths that are none: not a number, and the infinities.
const SCORE_NAN: u8 = 253;
const SCORE_INFINITY: u8 = 254;
const SCORE_NEGATIVE_INFINITY: u8 = 255;

pub(super) fn list<R: Read>(
    reader: &mut Reader<'_, R>,
    rules: &Rules,
) -> Result<Option<Heap>, Reason> {
    let mut nodes = Quicklist::new(rules.encodings.list);
    for _ in 0..reader.number()? {
        reader.text()?.with_bytes(|text| nodes.push(End::Back, text));
    }
    Ok((!nodes.is_empty()).then(|| List::of_nodes(nodes).into_heap()))
}

pub(super) fn set<R: Read>(
    reader: &mut Reader<'_, R>,
    rules: &Rules,
) -> Result<Option<Heap>, Reason> {
    let count = reader.number()?;
    let limits = &rules.encodings.set;
    let mut set = Set::for_count(count, limits);
    for _ in 0..count {
        if !set.add(reader.text()?.as_element(), limits) {
            return Err(Reason::corrupt("Duplicate set members detected"));
        }
    }
    Ok((count > 0).then(|| set.into_heap()))
}

/// A sorted set, whose scores `score` reads.
pub(super) fn sorted_set<'p, R: Read>(
    reader: &mut Reader<'p, R>,
    rules: &Rules,
    mut score: impl FnMut(&mut Reader<'p, R>) -> Result<f64, Reason>,
) -> Result<Option<Heap>, Reason> {
    let count = reader.number()?;
    let limits = &rules.encodings.sorted_set;
    let mut set = Builder::new(limits.hash_key);
    let mut member = Vec::new();
    for nth in 0..count {
        copy(&reader.text()?, &mut member);
        let score = score(reader)?;
        if score.is_nan() {
            return Err(Reason::corrupt("Zset with NAN score detected"));
        }
        set.add_or_change(&member, score, |old| old);
        if num::u64_of(set.len()) == nth {
            return Err(Reason::corrupt("Duplicate zset fields detected"));
        }
    }
    Ok((count > 0).then(|| SortedSet::built(set).compacted(limits).into_heap()))
}

/// A score as text, as it was written before Redis 4.0.
pub(super) fn text_score<R: Read>(reader: &mut Reader<'_, R>) -> Result<f64, Reason> {
    match reader.byte()? {
        SCORE_NAN => Ok(f64::NAN),
        SCORE_INFINITY => Ok(f64::INFINITY),
        SCORE_NEGATIVE_INFINITY => Ok(f64::NEG_INFINITY),
        len => {
            let text = reader.short(len)?;
            let score = std::str::from_utf8(text).ok().and_then(|text| text.trim().parse().ok());
            score.ok_or_else(|| Reason::corrupt("Zset with a score that is no number"))
        }
    }
}

pub(super) fn hash<R: Read>(
    reader: &mut Reader<'_, R>,
    rules: &Rules,
) -> Result<Option<Heap>, Reason> {
    fields(reader, rules, |_| Ok(None), |_| Ok(None))
}

/// A hash with expiring fields: in front of each its expiry; 0: it has none.
pub(super) fn expiring_hash<R: Read>(
    reader: &mut Reader<'_, R>,
    rules: &Rules,
    expiries: Expiries,
) -> Result<Option<Heap>, Reason> {
    let earliest_ms = match expiries {
        Expiries::Absolute => 1,
        Expiries::Relative => u64::from_le_bytes(reader.array()?),
    };
    let expiry = |reader: &mut Reader<'_, R>| match reader.number()? {
        0 => Ok(None),
        ttl_ms => {
            let at_ms = earliest_ms.checked_add(ttl_ms - 1);
            let at_ms = at_ms.and_then(|at_ms| i64::try_from(at_ms).ok());
            let at_ms = at_ms.filter(|&at_ms| at_ms <= FIELD_EXPIRY_MAX);
            at_ms.map(Some).ok_or_else(|| Reason::corrupt("invalid expireAt time"))
        }
    };
    fields(reader, rules, expiry, |_| Ok(None))
}

/// A hash with expiring fields in Valkey's form: behind each its expiry.
pub(super) fn valkey_hash<R: Read>(
    reader: &mut Reader<'_, R>,
    rules: &Rules,
) -> Result<Option<Heap>, Reason> {
    let expiry = |reader: &mut Reader<'_, R>| match reader.i64()? {
        VALKEY_NEVER => Ok(None),
        at_ms => Ok(Some(at_ms.min(FIELD_EXPIRY_MAX))),
    };
    fields(reader, rules, |_| Ok(None), expiry)
}

/// Fields, whose expiries `before` and `behind` read in front of and behind them.
fn fields<'p, R: Read>(
    reader: &mut Reader<'p, R>,
    rules: &Rules,
    before: impl Fn(&mut Reader<'p, R>) -> Result<Option<i64>, Reason>,
    behind: impl Fn(&mut Reader<'p, R>) -> Result<Option<i64>, Reason>,
) -> Result<Option<Heap>, Reason> {
    let count = reader.number()?;
    let rules = &rules.encodings.hash;
    let mut hash = Hash::for_count(count, rules);
    let (mut name, mut value) = (Vec::new(), Vec::new());
    for _ in 0..count {
        let early = before(reader)?;
        copy(&reader.text()?, &mut name);
        let long = match reader.text()? {
            Text::Owned(bytes) => Some(Bytes::from(bytes)),
            text @ (Text::Integer(_) | Text::Lent(_)) => {
                copy(&text, &mut value);
                None
            }
        };
        // 0 means no expiry where fields are packed; times before 1970 are as much in the past as 1 is.
        let expiry = behind(reader)?.or(early).map(|at_ms| at_ms.max(1));
        let new = long.as_ref().map_or(NewValue::Copied(&value), NewValue::Shared);
        if !hash.add_field(&name, new, expiry, rules) {
            return Err(Reason::corrupt("Duplicate hash fields detected"));
        }
    }
    Ok((count > 0).then(|| hash.into_heap()))
}

/// Puts the bytes of a string in the place of those in `out`.
#[inline]
fn copy(text: &Text<'_>, out: &mut Vec<u8>) {
    out.clear();
    text.with_bytes(|bytes| out.extend_from_slice(bytes));
}
