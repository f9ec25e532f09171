//! GET.

use crate::command::spec::{Arg, Categories, Flags, Group, KeyFlags, KeySpec};
use crate::command::{Command, Context, Error, Outcome, Spec};
use crate::resp::SHARED_LEN_MIN;
use crate::value::{HeapMut, Str};

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
    let Some(mut slot) = ctx.server.keyspace.read_mut(scope, key) else {
        ctx.session.output.null();
        return Ok(());
    };
    {
        let entry = slot.get();
        match Str::of(&entry) {
            Some(Str::Integer(n)) => {
                ctx.session.output.bulk_integer(n);
                return Ok(());
            }
            Some(Str::Bytes(bytes)) if bytes.len() < SHARED_LEN_MIN => {
                ctx.session.output.bulk(bytes);
                return Ok(());
            }
            Some(Str::Bytes(_)) => {}
            None => return Err(Error::WRONG_TYPE),
        }
    }
    // A long value: the reply refers to it instead of copying it.
    if let Some(HeapMut::Text(text)) = slot.get_mut().payload_mut()
        && let Some(bytes) = text.share()
    {
        ctx.session.output.bulk_shared(&bytes);
    }
    Ok(())
}
