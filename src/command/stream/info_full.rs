//! XINFO STREAM FULL.

use super::info::{known, reply_counters};
use super::reply;
use crate::base::num;
use crate::resp::Output;
use crate::value::stream::{ConsumerId, Group, Nack, Stream, StreamId};

/// All IDs there are.
const ALL: std::ops::RangeInclusive<StreamId> = StreamId::MIN..=StreamId::MAX;

/// All that is known of a stream, with up to `count` items of each list.
pub(super) fn reply_in_full(out: &mut Output, stream: &Stream, count: usize) {
    let Stream { log, groups } = stream;
    out.map(9);
    reply_counters(out, log);
    out.text("entries");
    reply::entries(out, log.range(StreamId::MIN, StreamId::MAX).take(count));
    out.text("groups");
    out.array(groups.len());
    for (name, group) in groups.iter() {
        out.map(7);
        out.text("name");
        out.bulk(name);
        out.text("last-delivered-id");
        reply::id(out, group.last_id());
        out.text("entries-read");
        known(out, group.entries_read().map(u64::cast_signed));
        out.text("lag");
        known(out, group.lag(log));
        out.text("pel-count");
        out.count(group.pending_len());
        out.text("pending");
        out.array(group.pending_len().min(count));
        for (id, nack) in group.pending_range(ALL).take(count) {
            out.array(4);
            reply::id(out, id);
            out.bulk(reply::owner(group, nack));
            delivery(out, nack);
        }
        out.text("consumers");
        out.array(group.consumer_count());
        for (id, _) in group.consumers() {
            consumer(out, group, id, count);
        }
    }
}

fn consumer(out: &mut Output, group: &Group, id: ConsumerId, count: usize) {
    let consumer = group.consumer(id);
    out.map(5);
    out.text("name");
    out.bulk(consumer.name());
    out.text("seen-time");
    out.integer(consumer.seen_ms);
    out.text("active-time");
    out.integer(consumer.active_ms.unwrap_or(-1));
    out.text("pel-count");
    out.count(consumer.pending_len());
    out.text("pending");
    out.array(consumer.pending_len().min(count));
    for (id, nack) in group.pending_of(id, ALL).take(count) {
        out.array(3);
        reply::id(out, id);
        delivery(out, nack);
    }
}

fn delivery(out: &mut Output, nack: &Nack) {
    out.integer(nack.delivered_ms);
    out.count(num::usize_of(nack.deliveries));
}
