//! What reading and claiming come to, as commands that repeat it.

use super::ids::IdText;
use crate::base::num;
use crate::command::Context;
use crate::value::stream::{Nack, StreamId};

/// A consumer of a group, by name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Owner<'a> {
    pub(super) key: &'a [u8],
    pub(super) group: &'a [u8],
    pub(super) consumer: &'a [u8],
}

/// An entry as it is pending now.
#[derive(Clone, Debug)]
pub(super) struct Claimed<'a> {
    pub(super) id: StreamId,
    /// The client's text of the ID, if it gave one.
    pub(super) text: Option<&'a [u8]>,
    pub(super) nack: Nack,
    /// The last ID that the group was delivered.
    pub(super) last_id: StreamId,
    /// The consumer that it was pending for, if it was found gone.
    pub(super) former: Option<Box<[u8]>>,
}

/// Records that an entry is pending for a consumer.
pub(super) fn claim(ctx: &mut Context<'_>, owner: Owner<'_>, claimed: &Claimed<'_>) {
    let Owner { key, group, consumer } = owner;
    let Claimed { id, text, nack, last_id, former } = claimed;
    let consumer = former.as_deref().unwrap_or(consumer);
    let id = IdText::of(*id);
    let id = text.unwrap_or_else(|| id.as_bytes());
    let Some(mut effects) = ctx.effects_instead() else { return };
    let words = effects.add(14).word(b"XCLAIM").word(key).word(group).word(consumer).word(b"0");
    let words = words.word(id).word(b"TIME").number(nack.delivered_ms);
    let words = words.word(b"RETRYCOUNT").number(num::i64_clamped(nack.deliveries));
    let words = words.word(b"FORCE").word(b"JUSTID").word(b"LASTID");
    words.word(IdText::of(*last_id).as_bytes());
}

/// Records how far a group has read.
pub(super) fn last_id(
    ctx: &mut Context<'_>,
    key: &[u8],
    group: &[u8],
    last_id: StreamId,
    entries_read: Option<u64>,
) {
    let Some(mut effects) = ctx.effects_instead() else { return };
    let words = effects.add(7).word(b"XGROUP").word(b"SETID").word(key).word(group);
    let words = words.word(IdText::of(last_id).as_bytes()).word(b"ENTRIESREAD");
    words.number(entries_read.map_or(-1, u64::cast_signed));
}

/// Records that a consumer was made.
pub(super) fn consumer(ctx: &mut Context<'_>, owner: Owner<'_>) {
    let Owner { key, group, consumer } = owner;
    ctx.effects_as(&[b"XGROUP", b"CREATECONSUMER", key, group, consumer]);
}
