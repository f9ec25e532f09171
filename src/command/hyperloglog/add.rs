//! PFADD.

use super::change;
use crate::base::num;
use crate::command::spec::{Arg, ArgType, Categories, Flags, Group, KeyFlags, KeySpec};
use crate::command::{Command, Context, Outcome, Spec};
use crate::ds::hll::{self, Changed, Corrupt, HllMut};
use crate::store::{Event, Key};
use crate::value::{Str, string};

/// PFADD key [element ...]
pub(super) static PFADD: Command =
    Command { spec: PFADD_SPEC, handler: Some(pf_add), subcommands: &[] };

const PFADD_SPEC: Spec = Spec {
    name: "pfadd",
    summary: "Counts elements in; creates the counter if it is missing.",
    complexity: "O(1) for each element.",
    since: "2.8.9",
    group: Group::Hyperloglog,
    arity: -2,
    flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST),
    categories: Categories::HYPERLOGLOG,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RW.union(KeyFlags::INSERT))],
    args: &[Arg::key("key", 0), Arg::new("element", ArgType::String).optional().multiple()],
    ..Spec::EMPTY
};

fn pf_add(ctx: &mut Context<'_>) -> Outcome {
    let (scope, key, elements) = (ctx.scope(), ctx.key(1), ctx.args.from(2));
    let sparse_len_max = ctx.server.config.hll_sparse_max_bytes;
    let mut changes = 0;
    let add = |hll: &mut HllMut<'_>| -> Result<(), Corrupt> {
        for element in elements {
            match hll.add(element)? {
                Changed::Yes => changes += 1,
                Changed::No => {}
            }
        }
        Ok(())
    };
    let keyspace = &mut ctx.server.keyspace;
    let outcome = match keyspace.write(scope, key) {
        Some(slot) => change(slot, sparse_len_max, add),
        None => {
            let mut bytes = hll::empty();
            let mut new = HllMut::of(&mut bytes, sparse_len_max).expect("it was just made");
            new.invalidate();
            add(&mut new)?;
            keyspace.insert(scope.db, key, string::changed_value_of_vec(&mut bytes), None);
            changes += 1;
            Ok(())
        }
    };
    keyspace.dirty += num::u64_of(changes);
    match outcome {
        Ok(()) if changes > 0 => keyspace.note(scope.db, key, Event::string("pfadd")),
        // As in Redis no notification tells of what an error leaves; whoever watches or caches the key is told.
        Err(_) if changes > 0 => {
            keyspace.note(scope.db, key, Event::SILENT);
            record_whole(ctx, key);
        }
        Ok(()) | Err(_) => {}
    }
    outcome?;
    ctx.reply_integer(i64::from(changes > 0))
}

/// Records what a corrupt counter has become: some elements were added before its fault was found.
#[cold]
fn record_whole(ctx: &mut Context<'_>, key: Key<'_>) {
    let entry = ctx.server.keyspace.peek(ctx.session.db, key);
    let Some(bytes) = entry.and_then(|entry| Str::of(&entry).map(Str::to_vec)) else { return };
    ctx.effects_as(&[b"SET", key.bytes, &bytes, b"KEEPTTL"]);
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{Bench, check};
    use crate::config::Config;

    #[test]
    fn elements_are_added_once() {
        check("PFADD k a b c; PFADD k a b c; PFADD k a d; PFCOUNT k", ":1 :0 :1 :4");
        check("PFADD k; PFADD k; PFCOUNT k; OBJECT ENCODING k", ":1 :0 :0 $raw");
        let mut bench = Bench::new();
        bench.check("PFADD k a b c a; PFADD k a; PFADD k d", ":1 :0 :1");
        assert_eq!(bench.server.keyspace.dirty, 5);
    }

    #[test]
    fn bytes_are_redis_s() {
        check(
            "PFADD k a b c d e f g; PFCOUNT k; GET k",
            concat!(
                ":1 :7 $HYLL\\x01\\x00\\x00\\x00\\x07\\x00\\x00\\x00\\x00\\x00\\x00\\x00",
                "Fm\\x80V\\x0c\\x80D<\\x848\\x80P\\xb1\\x84I\\x8c\\x80Bm\\x80BZ"
            ),
        );
    }

    #[test]
    fn strings_that_are_none_are_refused() {
        let invalid = "-WRONGTYPE Key is not a valid HyperLogLog string value.";
        for value in [
            "abc",
            "12",
            "\"\"",
            "HYLL",
            r#""HYLL\x02\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00""#,
            r#""HYLL\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00""#,
        ] {
            check(
                &format!(
                    "SET k {value}; PFADD k a; PFCOUNT k; PFCOUNT x k; PFMERGE d k; EXISTS d; PFDEBUG DECODE k"
                ),
                &format!("+OK {invalid} {invalid} {invalid} {invalid} :0 {invalid}"),
            );
        }
    }

    #[test]
    fn corrupt_ones_are_refused() {
        let corrupt = "-INVALIDOBJ Corrupted HLL object detected";
        for tail in [r"\x7f\xfe", r"\x00", r"\x7f\xff\x00", ""] {
            check(
                &format!(
                    r#"SET k "HYLL\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80{tail}"; PFCOUNT k; PFCOUNT k k; PFMERGE d k; PFDEBUG GETREG k"#
                ),
                &format!("+OK {corrupt} {corrupt} {corrupt} {corrupt}"),
            );
        }
        check(
            r#"SET k "HYLL\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80"; PFADD k a"#,
            &format!("+OK {corrupt}"),
        );
    }

    #[test]
    fn the_limit_of_sparse_ones_is_live() {
        let mut bench = Bench::with(Config { hll_sparse_max_bytes: 30, ..Config::default() });
        bench.check("PFADD k a b c; PFDEBUG ENCODING k; PFADD k d e f g; PFDEBUG ENCODING k; STRLEN k; PFCOUNT k", ":1 +sparse :1 +dense :12304 :7");
        bench.check(
            "CONFIG SET hll-sparse-max-bytes 100; PFADD x a b c d e f g; PFDEBUG ENCODING x",
            "+OK :1 +sparse",
        );
        bench.check("CONFIG SET hll-sparse-max-bytes 0; PFADD y; PFDEBUG ENCODING y; PFADD y a; PFDEBUG ENCODING y", "+OK :1 +sparse :1 +dense");
    }

    #[test]
    fn adding_keeps_the_expiry() {
        let mut bench = Bench::new();
        bench.check("PFADD k a; EXPIRE k 10; PFADD k b; PFCOUNT k; PFMERGE k k", ":1 :1 :1 :2 +OK");
        bench.pass(10_000);
        bench.check("EXISTS k", ":0");
    }
}
