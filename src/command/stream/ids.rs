//! IDs as arguments.

use crate::command::{Context, Error};
use crate::value::stream::StreamId;

pub(super) const INVALID_ID: Error =
    Error::fixed("ERR Invalid stream ID specified as stream command argument");
const INVALID_START: Error = Error::fixed("ERR invalid start ID for the interval");
const INVALID_END: Error = Error::fixed("ERR invalid end ID for the interval");

/// The ID at argument `index`; without its second number it is the first of its millisecond.
///
/// # Errors
/// It is none.
#[inline]
pub(super) fn id(ctx: &Context<'_>, index: usize) -> Result<StreamId, Error> {
    StreamId::parse(ctx.args.at(index), 0).ok_or(INVALID_ID)
}

/// The IDs at all arguments from `start` on.
///
/// # Errors
/// One is none.
pub(super) fn ids_from(ctx: &Context<'_>, start: usize) -> Result<Vec<StreamId>, Error> {
    (start..ctx.args.len()).map(|index| id(ctx, index)).collect()
}

/// The ID at argument `index`; `-` and `+` are the smallest and the largest.
///
/// # Errors
/// It is none.
pub(super) fn bound(ctx: &Context<'_>, index: usize) -> Result<StreamId, Error> {
    StreamId::parse_bound(ctx.args.at(index), 0).ok_or(INVALID_ID)
}

/// The first ID of an interval that starts with argument `index`: with `(` in front that one is left out.
///
/// # Errors
/// It is none, or there is none behind it.
pub(super) fn start(ctx: &Context<'_>, index: usize) -> Result<StreamId, Error> {
    match excluded(ctx.args.at(index)) {
        Some(text) => StreamId::parse(text, 0).ok_or(INVALID_ID)?.next().ok_or(INVALID_START),
        None => bound(ctx, index),
    }
}

/// The last ID of an interval that ends with argument `index`: with `(` in front that one is left out.
/// Without its second number an ID is the last of its millisecond.
///
/// # Errors
/// It is none, or there is none in front of it.
pub(super) fn end(ctx: &Context<'_>, index: usize) -> Result<StreamId, Error> {
    let text = ctx.args.at(index);
    match excluded(text) {
        Some(text) => StreamId::parse(text, u64::MAX).ok_or(INVALID_ID)?.prev().ok_or(INVALID_END),
        None => StreamId::parse_bound(text, u64::MAX).ok_or(INVALID_ID),
    }
}

fn excluded(text: &[u8]) -> Option<&[u8]> {
    text.strip_prefix(b"(").filter(|rest| !rest.is_empty())
}

/// The text of an ID, on the stack.
#[derive(Clone, Copy, Debug)]
pub(super) struct IdText {
    bytes: [u8; Self::LEN_MAX],
    len: usize,
}

impl IdText {
    /// Two numbers of twenty digits and a dash.
    const LEN_MAX: usize = 41;

    #[inline]
    pub(super) fn of(id: StreamId) -> Self {
        let mut digits = itoa::Buffer::new();
        let mut text = Self { bytes: [b'-'; Self::LEN_MAX], len: 0 };
        text.push(digits.format(id.ms).as_bytes());
        text.len += 1;
        text.push(digits.format(id.seq).as_bytes());
        text
    }

    #[inline]
    fn push(&mut self, digits: &[u8]) {
        let end = self.len + digits.len();
        self.bytes[self.len..end].copy_from_slice(digits);
        self.len = end;
    }

    #[inline]
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_ids_have_both_numbers() {
        for id in [StreamId::MIN, StreamId::MAX, StreamId::new(12, 345)] {
            assert_eq!(IdText::of(id).as_bytes(), id.to_string().as_bytes());
        }
    }
}
