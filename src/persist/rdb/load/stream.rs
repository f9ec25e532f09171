//! Streams: nodes as they are, counters, groups with their pending entries and consumers.
//!
//! ```text
//! count  (ID as a string of 16 bytes, listpack as a string)...
//! entries, last ID  [first ID, largest deleted ID, entries added]
//! count of groups
//!   name, last ID  [entries read]
//!   count  (ID, time of the last delivery, deliveries)...
//!   count of consumers
//!     name, time it was seen  {time it was active}
//!     count  (ID)...
//! ```
//! In brackets: since Redis 7.0; in braces: since 7.2. IDs in lists are 16 raw bytes, others two numbers;
//! times are eight bytes. Everything is checked, however closely values are to be looked at: each entry
//! of each node, that each pending entry has one consumer, and that nothing is there twice.

use super::rules::{Rules, Sanitize};
use crate::persist::rdb::error::Reason;
use crate::persist::rdb::format::kind;
use crate::persist::rdb::read::Reader;
use crate::value::stream::{ConsumerId, Group, Groups, Log, Nack, StreamId};
use crate::value::{Collection, Heap, Stream};
use std::io::Read;

/// What Redis writes for a consumer that never was active.
const NEVER_MS: i64 = -1;

/// Which of the three layouts it is, in the order of their age.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Layout {
    /// Of Redis 5.
    First,
    /// Of Redis 7.0.
    Second,
    /// Of Redis 7.2.
    Third,
}

pub(super) fn stream<R: Read>(
    reader: &mut Reader<'_, R>,
    code: u8,
    rules: &Rules,
) -> Result<Option<Heap>, Reason> {
    let layout = match code {
        kind::STREAM_LISTPACKS => Layout::First,
        kind::STREAM_LISTPACKS_2 => Layout::Second,
        _ => Layout::Third,
    };
    let mut stream = Box::new(Stream::new());
    nodes(reader, &mut stream.log)?;
    counters(reader, layout, rules, &mut stream.log)?;
    for _ in 0..reader.number()? {
        let name = reader.text()?.to_vec();
        group(reader, layout, &name, &stream.log, &mut stream.groups)?;
    }
    Ok(Some(stream.into_heap()))
}

fn nodes<R: Read>(reader: &mut Reader<'_, R>, log: &mut Log) -> Result<(), Reason> {
    for _ in 0..reader.number()? {
        let key = reader.text()?.with_bytes(|bytes| bytes.try_into().ok());
        let base = key.map(StreamId::from_bytes);
        let base =
            base.ok_or(Reason::corrupt("Stream node key entry is not the size of a stream ID"))?;
        let pushed = reader.text()?.with_bytes(|bytes| log.push_node(base, bytes));
        pushed.map_err(|why| {
            Reason::Corrupt(format!("Stream listpack integrity check failed: {why}").into())
        })?;
    }
    Ok(())
}

fn counters<R: Read>(
    reader: &mut Reader<'_, R>,
    layout: Layout,
    rules: &Rules,
    log: &mut Log,
) -> Result<(), Reason> {
    // What was counted is what is kept. That a file says otherwise is no reason not to load it.
    let len = reader.number()?;
    if len != log.len() && (log.is_empty() || rules.sanitize == Sanitize::Yes) {
        return Err(Reason::corrupt("Stream length inconsistent with rax entries"));
    }
    let last_id = id(reader)?;
    if log.greatest_id().is_some_and(|greatest| last_id < greatest) {
        return Err(Reason::corrupt("Stream whose last ID is smaller than that of an entry"));
    }
    log.set_last_id(last_id);
    if layout == Layout::First {
        log.set_entries_added(log.len());
        return Ok(());
    }
    // That of the first entry is known.
    let _first_id = id(reader)?;
    let (max_deleted_id, entries_added) = (id(reader)?, reader.number()?);
    // Nobody has added more entries than a signed number can count; one more must not be none.
    let is_countable = i64::try_from(entries_added).is_ok();
    if max_deleted_id > last_id || entries_added < log.len() || !is_countable {
        return Err(Reason::corrupt("Stream whose counters contradict each other"));
    }
    log.set_max_deleted_id(max_deleted_id);
    log.set_entries_added(entries_added);
    Ok(())
}

fn group<R: Read>(
    reader: &mut Reader<'_, R>,
    layout: Layout,
    name: &[u8],
    log: &Log,
    groups: &mut Groups,
) -> Result<(), Reason> {
    let last_id = id(reader)?;
    let entries_read = match layout {
        Layout::First => log.entries_up_to(last_id),
        // Unknown is -1; nobody has read more entries than a signed number can count.
        Layout::Second | Layout::Third => {
            Some(reader.number()?).filter(|&read| i64::try_from(read).is_ok())
        }
    };
    let group = groups.create(name, Group::new(last_id, entries_read));
    let group = group.ok_or(Reason::corrupt("Duplicated consumer group name"))?;
    for _ in 0..reader.number()? {
        let id = StreamId::from_bytes(reader.array()?);
        let (delivered_ms, deliveries) = (reader.i64()?, reader.number()?);
        if group.pending(id).is_some() {
            return Err(Reason::corrupt(
                "Duplicated global PEL entry loading stream consumer group",
            ));
        }
        group.put(id, Nack { delivered_ms, deliveries, consumer: None });
    }
    for _ in 0..reader.number()? {
        let name = reader.text()?.to_vec();
        let consumer = consumer(reader, layout, &name, group)?;
        for _ in 0..reader.number()? {
            let id = StreamId::from_bytes(reader.array()?);
            if !group.assign(id, consumer) {
                return Err(Reason::corrupt(match group.pending(id) {
                    Some(_) => "Stream consumer PEL entry already has a consumer assigned",
                    None => "Consumer entry not found in group global PEL",
                }));
            }
        }
    }
    if group.is_assigned() { Ok(()) } else { Err(Reason::corrupt("NACK entry without consumer")) }
}

fn consumer<R: Read>(
    reader: &mut Reader<'_, R>,
    layout: Layout,
    name: &[u8],
    group: &mut Group,
) -> Result<ConsumerId, Reason> {
    let seen_ms = reader.i64()?;
    let active_ms = match layout {
        // The best that is known.
        Layout::First | Layout::Second => Some(seen_ms),
        Layout::Third => Some(reader.i64()?).filter(|&active_ms| active_ms != NEVER_MS),
    };
    let consumer = group.create_consumer(name, seen_ms);
    let consumer = consumer.ok_or(Reason::corrupt("Duplicate stream consumer detected"))?;
    group.consumer_mut(consumer).active_ms = active_ms;
    Ok(consumer)
}

/// An ID as two numbers.
fn id<R: Read>(reader: &mut Reader<'_, R>) -> Result<StreamId, Reason> {
    Ok(StreamId::new(reader.number()?, reader.number()?))
}
