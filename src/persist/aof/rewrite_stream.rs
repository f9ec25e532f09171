//! Streams as commands: entries, counters, groups, consumers and what they have not acknowledged.
//!
//! As in Redis, an entry that is pending and was deleted from the stream is not written: XCLAIM does not
//! make it pending again.

use super::rewrite::Log;
use crate::base::num;
use crate::ds::listpack::Digits;
use crate::value::Stream;
use crate::value::stream::{ConsumerId, Group, StreamId};
use std::io::{self, Write};

/// What ENTRIESREAD takes for a number that is not known.
const UNKNOWN: i64 = -1;

impl<W: Write> Log<'_, W> {
    pub(super) fn stream(&mut self, key: &[u8], stream: &Stream) -> io::Result<()> {
        let log = &stream.log;
        if log.is_empty() {
            // Adds one and removes it at once.
            self.command(&[b"XADD", key, b"MAXLEN", b"0", b"0-1", b"x", b"y"])?;
        }
        let mut digits = Digits::new();
        for (id, fields) in log.range(StreamId::MIN, StreamId::MAX) {
            self.count(b'*', 3 + 2 * fields.len());
            self.word(b"XADD")?;
            self.word(key)?;
            self.id(id)?;
            for (name, value) in fields {
                self.word(name.text(&mut digits))?;
                self.word(value.text(&mut digits))?;
            }
        }
        self.count(b'*', 7);
        self.word(b"XSETID")?;
        self.word(key)?;
        self.id(log.last_id())?;
        self.word(b"ENTRIESADDED")?;
        self.word(log.entries_added().to_string().as_bytes())?;
        self.word(b"MAXDELETEDID")?;
        self.id(log.max_deleted_id())?;
        stream.groups.iter().try_for_each(|(name, group)| self.group(key, name, group))
    }

    fn id(&mut self, id: StreamId) -> io::Result<()> {
        let mut text = Vec::new();
        id.write(&mut text);
        self.word(&text)
    }

    fn group(&mut self, key: &[u8], name: &[u8], group: &Group) -> io::Result<()> {
        self.count(b'*', 7);
        self.word(b"XGROUP")?;
        self.word(b"CREATE")?;
        self.word(key)?;
        self.word(name)?;
        self.id(group.last_id())?;
        self.word(b"ENTRIESREAD")?;
        let read = group.entries_read().map_or(UNKNOWN, num::i64_clamped);
        self.integer(read)?;
        let mut consumers = group.consumers();
        consumers.try_for_each(|(consumer, _)| self.consumer(key, name, group, consumer))
    }

    fn consumer(
        &mut self,
        key: &[u8],
        group_name: &[u8],
        group: &Group,
        consumer: ConsumerId,
    ) -> io::Result<()> {
        let name = group.consumer(consumer).name();
        if group.consumer(consumer).pending_len() == 0 {
            return self.command(&[b"XGROUP", b"CREATECONSUMER", key, group_name, name]);
        }
        for (id, nack) in group.pending_of(consumer, StreamId::MIN..=StreamId::MAX) {
            self.count(b'*', 12);
            for word in [b"XCLAIM", key, group_name, name, b"0"] {
                self.word(word)?;
            }
            self.id(id)?;
            self.word(b"TIME")?;
            self.integer(nack.delivered_ms)?;
            self.word(b"RETRYCOUNT")?;
            self.integer(num::i64_clamped(nack.deliveries))?;
            self.word(b"JUSTID")?;
            self.word(b"FORCE")?;
        }
        Ok(())
    }
}
