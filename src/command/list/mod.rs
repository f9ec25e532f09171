//! Lists.

mod edit;
mod pop;
mod position;
mod push;
mod read;
mod transfer;

use super::{Command, Context, Error, Server};
use crate::base::num;
use crate::ds::listpack::Element;
use crate::resp::Output;
use crate::store::Event;
use crate::value::list::{End, Fill, Shape};
use std::ops::Range;

/// The family.
pub static COMMANDS: &[&Command] = &[
    &edit::LINSERT,
    &edit::LREM,
    &edit::LSET,
    &edit::LTRIM,
    &pop::BLMPOP,
    &pop::BLPOP,
    &pop::BRPOP,
    &pop::LMPOP,
    &pop::LPOP,
    &pop::RPOP,
    &position::LPOS,
    &push::LPUSH,
    &push::LPUSHX,
    &push::RPUSH,
    &push::RPUSHX,
    &read::LINDEX,
    &read::LLEN,
    &read::LRANGE,
    &transfer::BLMOVE,
    &transfer::BRPOPLPUSH,
    &transfer::LMOVE,
    &transfer::RPOPLPUSH,
];

const COUNT_OUT_OF_RANGE: Error = Error::fixed(
    "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807",
);

/// How lists are divided into nodes at present.
pub(in crate::command) fn shape(server: &Server) -> Shape {
    let mut fill = Fill::of_directive(server.config.list_max_listpack_size);
    fill.plain_from = server.list_plain_from;
    Shape { fill, depth: num::usize_of_u32(server.config.list_compress_depth) }
}

/// The event of elements that were added at an end.
const fn pushed_to(end: End) -> Event {
    match end {
        End::Front => Event::list("lpush"),
        End::Back => Event::list("rpush"),
    }
}

/// The event of elements that were taken from an end.
const fn popped_from(end: End) -> Event {
    match end {
        End::Front => Event::list("lpop"),
        End::Back => Event::list("rpop"),
    }
}

/// An element as a bulk string.
#[inline]
fn reply_element(out: &mut Output, element: Element<'_>) {
    match element {
        Element::Integer(n) => out.bulk_integer(n),
        Element::Bytes(text) => out.bulk(text),
    }
}

/// The end named at argument `index`.
fn parse_end(ctx: &Context<'_>, index: usize) -> Result<End, Error> {
    if ctx.is_word(index, "LEFT") {
        Ok(End::Front)
    } else if ctx.is_word(index, "RIGHT") {
        Ok(End::Back)
    } else {
        Err(Error::SYNTAX)
    }
}

/// The number at argument `index`, which its sign gives another meaning, so that both have to exist.
fn signed_count(ctx: &Context<'_>, index: usize) -> Result<i64, Error> {
    let count = ctx.integer(index)?;
    if count == i64::MIN { Err(COUNT_OUT_OF_RANGE) } else { Ok(count) }
}

/// An index counted from the end if negative, in a list of `len` elements.
fn place(index: i64, len: usize) -> Option<usize> {
    let index = if index < 0 { index.checked_add(num::i64_of(len))? } else { index };
    usize::try_from(index).ok().filter(|&index| index < len)
}

/// The indexes from `start` to `stop`, both inclusive and counted from the end if negative, that are
/// in a list of `len` elements.
fn span(start: i64, stop: i64, len: usize) -> Range<usize> {
    let end = num::i64_of(len);
    let from_front = |index: i64| if index < 0 { index.saturating_add(end) } else { index };
    let start = usize::try_from(from_front(start)).unwrap_or(0).min(len);
    let stop = from_front(stop).saturating_add(1).clamp(0, end);
    let stop = usize::try_from(stop).expect("clamped");
    start..stop.max(start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_cut_to_the_list() {
        assert_eq!(span(0, -1, 5), 0..5);
        assert_eq!(span(1, 2, 5), 1..3);
        assert_eq!(span(-2, 100, 5), 3..5);
        assert!(span(3, 1, 5).is_empty());
        assert!(span(5, 9, 5).is_empty());
        assert!(span(i64::MAX, i64::MAX, 5).is_empty());
        assert!(span(i64::MIN, i64::MIN, 5).is_empty());
        assert_eq!(span(i64::MIN, i64::MAX, 5), 0..5);
        assert_eq!(place(-5, 5), Some(0));
        assert_eq!(place(i64::MIN, 5), None);
        assert_eq!(place(i64::MAX, 5), None);
    }
}
