//! GET, and the reply with a string that other commands share.

use crate::command::spec::{Arg, Categories, Flags, Group, KeyFlags, KeySpec};
use crate::command::{Command, Context, Error, Outcome, Spec};
use crate::resp::{Output, SHARED_LEN_MIN};
use crate::store::Slot;
use crate::value::{Heap, Str};
use std::ops::Range;

/// GET key
pub(super) static GET: Command = Command { spec: GET_SPEC, handler: Some(get), subcommands: &[] };

const GET_SPEC: Spec = Spec {
    name: "get",
    summary: "Returns the string at a key.",
    complexity: "O(1)",
    group: Group::String,
    arity: 2,
    flags: Flags::READONLY.union(Flags::FAST),
    categories: Categories::STRING,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RO.union(KeyFlags::ACCESS))],
    args: &[Arg::key("key", 0)],
    ..Spec::EMPTY
};

fn get(ctx: &mut Context<'_>) -> Outcome {
    let (scope, key) = (ctx.scope(), ctx.key(1));
    match ctx.server.keyspace.read_mut(scope, key) {
        Some(mut slot) => reply(&mut ctx.session.output, &mut slot),
        None => {
            ctx.session.output.null();
            Ok(())
        }
    }
}

/// Replies with the string in a slot.
///
/// # Errors
/// Another type; nothing is written then.
#[inline]
pub(super) fn reply(out: &mut Output, slot: &mut Slot<'_>) -> Outcome {
    reply_part(out, slot, |len| 0..len)
}

/// Replies with the part of a string that `part` chooses by its length. A long part is referred to
/// instead of copied, unless that would hold on to several times as much.
///
/// # Errors
/// Another type; nothing is written then.
#[inline]
pub(super) fn reply_part(
    out: &mut Output,
    slot: &mut Slot<'_>,
    part: impl FnOnce(usize) -> Range<usize>,
) -> Outcome {
    let long = {
        let entry = slot.get();
        let string = Str::of(&entry).ok_or(Error::WRONG_TYPE)?;
        string.with_bytes(|bytes| {
            let range = part(bytes.len());
            if range.len() >= SHARED_LEN_MIN && range.len() >= bytes.len() / 4 {
                return Some(range);
            }
            out.bulk(&bytes[range]);
            None
        })
    };
    if let Some(range) = long {
        match slot.get_mut().payload_mut().as_deref_mut() {
            Some(Heap::Text(text)) => {
                let bytes = text.share().expect("a part is long, so the whole is");
                out.bulk_shared(&bytes.slice(range));
            }
            Some(
                Heap::List(_) | Heap::Set(_) | Heap::Hash(_) | Heap::SortedSet(_) | Heap::Stream(_),
            )
            | None => {
                unreachable!("a string too long to embed lives outside its entry")
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::testing::{Bench, check};

    #[test]
    fn get_reads_every_form() {
        check(
            "SET k v; GET k; SET k -12; GET k; GET x; SET k \"\"; GET k",
            "+OK $v +OK $-12 $_ +OK $",
        );
        check(
            "GET; GET a b",
            "-ERR wrong number of arguments for 'get' command \
            -ERR wrong number of arguments for 'get' command",
        );
    }

    #[test]
    fn long_values_are_replied_in_full_and_may_change_while_they_are_sent() {
        for len in [1024, 1025, SHARED_LEN_MIN - 1, SHARED_LEN_MIN, 10 * SHARED_LEN_MIN] {
            let mut bench = Bench::new();
            let value = "x".repeat(len);
            bench.raw(&["SET", "k", &value]);
            let expected = format!("${len}\r\n{value}\r\n");
            assert_eq!(bench.raw(&["GET", "k"]), expected.as_bytes());
            bench.raw(&["APPEND", "k", "y"]);
            assert_eq!(
                bench.raw(&["GET", "k"]),
                format!("${}\r\n{value}y\r\n", len + 1).as_bytes()
            );
        }
    }
}
