//! HSCAN.

use super::hash_in;
use crate::command::cursor::{self, Values, WalkOptions, Walked};
use crate::command::spec::{Arg, ArgType, Categories, Flags, Group, KeyFlags, KeySpec};
use crate::command::{Command, Context, Outcome, Spec};
use crate::ds::listpack::Digits;
use crate::value::HashRef;
use crate::value::hash::{Named, scan_table};

/// HSCAN key cursor [MATCH pattern] [COUNT count] [NOVALUES]
pub(super) static HSCAN: Command =
    Command { spec: HSCAN_SPEC, handler: Some(hscan), subcommands: &[] };

const HSCAN_SPEC: Spec = Spec {
    name: "hscan",
    summary: "Walks over the fields and values of a hash in steps.",
    complexity: "O(1) for a call, O(N) for a whole walk, N being the number of elements.",
    since: "2.8.0",
    group: Group::Hash,
    arity: -3,
    flags: Flags::READONLY,
    categories: Categories::HASH,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RO.union(KeyFlags::ACCESS))],
    args: &[
        Arg::key("key", 0),
        Arg::new("cursor", ArgType::Integer),
        Arg::new("pattern", ArgType::Pattern).token("MATCH").optional(),
        Arg::new("count", ArgType::Integer).token("COUNT").optional(),
        Arg::flag("novalues", "NOVALUES").optional(),
    ],
    tips: &["nondeterministic_output"],
    ..Spec::EMPTY
};

fn hscan(ctx: &mut Context<'_>) -> Outcome {
    let cursor = cursor::parse_cursor(ctx, 2)?;
    let (scope, key, now_ms) = (ctx.scope(), ctx.key(1), ctx.server.keyspace.now_ms());
    // The options of a walk over nothing are not looked at.
    if !ctx.server.keyspace.has_hash(scope, key)? {
        ctx.server.keyspace.read_hash(scope, key)?;
        cursor::reply_head(&mut ctx.session.output, 0, 0);
        return Ok(());
    }
    let options = WalkOptions::parse(ctx, 3, Walked::Fields)?;
    let found = ctx.server.keyspace.read_hash(scope, key)?;
    let Some(hash) = hash_in(&found) else {
        // The last of many fields that had expired are removed now.
        cursor::reply_head(&mut ctx.session.output, 0, 0);
        return Ok(());
    };
    let mut digits = Digits::new();
    let mut wanted =
        |field: &Named<'_>| field.is_live(now_ms) && options.matches(field.name.text(&mut digits));
    let mut fields: Vec<Named<'_>> = Vec::new();
    let next = match hash {
        HashRef::Pack(_) | HashRef::ExpiringPack(_) => {
            fields.extend(hash.iter().filter(wanted));
            0
        }
        HashRef::Table(table) => options.walk(cursor, |cursor, visited| {
            scan_table(table, cursor, |field| {
                *visited += 1;
                if wanted(&field) {
                    fields.push(field);
                }
            })
        }),
    };
    let out = &mut ctx.session.output;
    let elements = match options.values {
        Values::Shown => 2 * fields.len(),
        Values::Hidden => fields.len(),
    };
    cursor::reply_head(out, next, elements);
    for field in fields {
        field.name.reply(out);
        if options.values == Values::Shown {
            field.value.reply(out);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::command::testing::Bench;

    #[test]
    fn a_hash_of_many_fields_that_have_expired_is_walked_as_nothing() {
        let fields: Vec<String> = (0..600).map(|n| format!("f{n}")).collect();
        let mut bench = Bench::new();
        for field in &fields {
            bench.raw(&["HSET", "h", field, "v"]);
        }
        let mut words = vec!["HPEXPIRE", "h", "1", "FIELDS", "600"];
        words.extend(fields.iter().map(String::as_str));
        bench.raw(&words);
        bench.pass(10);
        bench.check("HSCAN h 0; EXISTS h", "[$0 []] :0");
    }
}
