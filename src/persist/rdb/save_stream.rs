//! Streams, as Redis 7.0 writes them; the layout is drawn in [`super::load`]'s module of that name.
//!
//! What Redis 7.2 added, when a consumer was last given an entry, is not written, so that 7.0 reads the
//! file; who reads it takes the time when the consumer was last seen.

use super::write::Writer;
use crate::value::Stream;
use crate::value::stream::{ConsumerId, Group, StreamId};
use std::io;

/// What stands for a number that is not known.
const UNKNOWN: u64 = u64::MAX;

pub(super) fn write_stream<W: io::Write>(
    out: &mut Writer<'_, W>,
    stream: &Stream,
) -> io::Result<()> {
    let log = &stream.log;
    out.len(log.node_count());
    for node in log.raw_nodes() {
        out.string(&node.base().to_bytes())?;
        out.string(node.bytes())?;
    }
    out.number(log.len());
    for id in [log.last_id(), log.first_id(), log.max_deleted_id()] {
        write_id(out, id)?;
    }
    out.number(log.entries_added());
    out.len(stream.groups.len());
    stream.groups.iter().try_for_each(|(name, group)| {
        out.string(name)?;
        write_group(out, group)
    })
}

fn write_id<W: io::Write>(out: &mut Writer<'_, W>, id: StreamId) -> io::Result<()> {
    out.number(id.ms);
    out.number(id.seq);
    // Passes the buffer on in time: there is no string in between.
    out.raw(&[])
}

fn write_group<W: io::Write>(out: &mut Writer<'_, W>, group: &Group) -> io::Result<()> {
    write_id(out, group.last_id())?;
    out.number(group.entries_read().unwrap_or(UNKNOWN));
    out.len(group.pending_len());
    for (id, nack) in group.pending_range(StreamId::MIN..=StreamId::MAX) {
        out.raw(&id.to_bytes())?;
        out.time_ms(nack.delivered_ms);
        out.number(nack.deliveries);
    }
    out.len(group.consumer_count());
    let mut consumers = group.consumers();
    consumers.try_for_each(|(consumer, _)| write_consumer(out, group, consumer))
}

fn write_consumer<W: io::Write>(
    out: &mut Writer<'_, W>,
    group: &Group,
    consumer: ConsumerId,
) -> io::Result<()> {
    let consumer = group.consumer(consumer);
    out.string(consumer.name())?;
    out.time_ms(consumer.seen_ms);
    out.len(consumer.pending_len());
    let mut ids = consumer.pending_ids(StreamId::MIN..=StreamId::MAX);
    ids.try_for_each(|id| out.raw(&id.to_bytes()))
}
