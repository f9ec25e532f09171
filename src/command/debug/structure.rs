//! How data is laid out: DEBUG HTSTATS, HTSTATS-KEY, LISTPACK and QUICKLIST.
//!
//! The last two write to the log, which by default is the standard output that their replies speak of.

use crate::base::num;
use crate::command::{Context, Error, Outcome};
use crate::ds::dict::Stats;
use crate::ds::listpack::Listpack;
use crate::value::{Entry, HashRef, HeapRef, ListRef, SetRef, SortedSetRef, ValueRef, table_of};
use std::fmt::Write;

const OUT_OF_RANGE: Error = Error::fixed("ERR Out of range database");
const NO_TABLE: Error = Error::fixed(
    "ERR The value stored at the specified key is not represented using an hash table",
);
const NO_LISTPACK: Error = Error::fixed("ERR Not a listpack encoded object.");
const NO_QUICKLIST: Error = Error::fixed("ERR Not a quicklist encoded object.");

/// DEBUG HTSTATS dbid
pub(super) fn table_of_database(ctx: &mut Context<'_>) -> Outcome {
    let index = usize::try_from(ctx.integer(2)?).map_err(|_| OUT_OF_RANGE)?;
    if index >= ctx.server.keyspace.len() {
        return Err(OUT_OF_RANGE);
    }
    let stats = ctx.server.keyspace.db(index).table_stats();
    let text = format!("[Dictionary HT]\n{}", described(&stats));
    ctx.session.output.verbatim("txt", text.as_bytes());
    Ok(())
}

/// DEBUG HTSTATS-KEY key
pub(super) fn table_of_key(ctx: &mut Context<'_>) -> Outcome {
    let (db, key) = (ctx.session.db, ctx.key(2));
    let entry = ctx.server.keyspace.peek(db, key).ok_or(Error::NO_SUCH_KEY)?;
    let stats = table_of(&entry).ok_or(NO_TABLE)?.stats();
    ctx.session.output.verbatim("txt", described(&stats).as_bytes());
    Ok(())
}

fn described(stats: &Stats) -> String {
    let mut text = String::from("Hash table 0 stats (main hash table):\n");
    if stats.items == 0 {
        text.push_str("No stats available for empty dictionaries\n");
        return text;
    }
    // Writing to a string cannot fail.
    let _ = write!(
        text,
        " table size: {}\n number of elements: {}\n buckets: {}\n child buckets: {}\n \
         elements with an expiry: {}\n longest chain: {}\n",
        stats.buckets * 7,
        stats.items,
        stats.buckets,
        stats.children,
        stats.marked,
        stats.longest_chain
    );
    text
}

/// DEBUG LISTPACK key
pub(super) fn listpack(ctx: &mut Context<'_>) -> Outcome {
    let (db, key) = (ctx.session.db, ctx.key(2));
    let entry = ctx.server.keyspace.peek(db, key).ok_or(Error::NO_SUCH_KEY)?;
    let listpack = listpack_of(&entry).ok_or(NO_LISTPACK)?;
    tracing::warn!("DEBUG LISTPACK: {} bytes, {} elements", listpack.bytes(), listpack.len());
    for (index, element) in listpack.iter().enumerate() {
        let kind = if element.integer().is_some() { "int" } else { "str" };
        element.with_text(|text| {
            tracing::warn!("DEBUG LISTPACK: {index}: [{kind}] {}", text.escape_ascii());
        });
    }
    ctx.session.output.simple("Listpack structure printed on stdout");
    Ok(())
}

/// The listpack that a value is.
fn listpack_of(entry: &Entry) -> Option<&Listpack> {
    match entry.value() {
        ValueRef::Payload(HeapRef::List(ListRef::Packed(listpack)))
        | ValueRef::Payload(HeapRef::Set(SetRef::Listing(listpack)))
        | ValueRef::Payload(HeapRef::SortedSet(SortedSetRef::Packed(listpack)))
        | ValueRef::Payload(HeapRef::Hash(
            HashRef::Pack(listpack) | HashRef::ExpiringPack(listpack),
        )) => Some(listpack),
        ValueRef::Integer(_)
        | ValueRef::Embedded(_)
        | ValueRef::Payload(
            HeapRef::Text(_)
            | HeapRef::List(ListRef::Linked(_))
            | HeapRef::Set(SetRef::Integers(_) | SetRef::Table(_))
            | HeapRef::Stream(_)
            | HeapRef::SortedSet(SortedSetRef::Scored(_))
            | HeapRef::Hash(HashRef::Table(_)),
        ) => None,
    }
}

/// DEBUG QUICKLIST key [0|1]
pub(super) fn quicklist(ctx: &mut Context<'_>) -> Outcome {
    let (db, key) = (ctx.session.db, ctx.key(2));
    let with_elements = ctx.args.get(3).and_then(num::parse_i64).is_some_and(|flag| flag != 0);
    let entry = ctx.server.keyspace.peek(db, key).ok_or(Error::NO_SUCH_KEY)?;
    let Some(ListRef::Linked(list)) = ListRef::of(&entry) else { return Err(NO_QUICKLIST) };
    tracing::warn!(
        "DEBUG QUICKLIST: {} elements, {} nodes, {} bytes",
        list.len(),
        list.node_count(),
        list.memory_bytes()
    );
    let mut first = 0;
    for (index, node) in list.node_summaries().enumerate() {
        tracing::warn!(
            "DEBUG QUICKLIST: node {index}: {} elements, {} bytes, {}, {} allocated",
            node.elements,
            node.bytes,
            node.form,
            node.allocated_bytes
        );
        if with_elements {
            let direction = crate::value::list::Direction::Forward;
            ListRef::Linked(list).for_each(first, node.elements, direction, |element| {
                element
                    .with_text(|text| tracing::warn!("DEBUG QUICKLIST: {}", text.escape_ascii()));
            });
        }
        first += node.elements;
    }
    ctx.session.output.simple("Quicklist structure printed on stdout");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::tests::bench;

    #[test]
    fn tables_of_keys_are_described() {
        let mut bench = bench();
        let words: Vec<String> = (0..200).map(|n| format!("m{n}")).collect();
        let mut command = vec!["SADD", "s"];
        command.extend(words.iter().map(String::as_str));
        bench.raw(&command);
        let reply = String::from_utf8(bench.raw(&["DEBUG", "HTSTATS-KEY", "s"])).expect("text");
        assert!(reply.contains("\n number of elements: 200\n"), "{reply}");
        bench.check(
            "SET k v; DEBUG HTSTATS-KEY k; DEBUG HTSTATS-KEY none",
            "+OK -ERR The value stored at the specified key is not represented using an hash table \
             -ERR no such key",
        );
    }

    #[test]
    fn small_values_and_long_lists_are_printed() {
        let mut bench = bench();
        bench.check(
            "HSET h a 1; DEBUG LISTPACK h; SET k v; DEBUG LISTPACK k; DEBUG LISTPACK none",
            ":1 +Listpack structure printed on stdout +OK -ERR Not a listpack encoded object. \
             -ERR no such key",
        );
        bench.check(
            "CONFIG SET list-max-listpack-size 2; RPUSH l a b c d e; DEBUG QUICKLIST l 1; \
             DEBUG QUICKLIST l; DEBUG QUICKLIST h; DEBUG QUICKLIST none",
            "+OK :5 +Quicklist structure printed on stdout +Quicklist structure printed on stdout \
             -ERR Not a quicklist encoded object. -ERR no such key",
        );
    }
}
