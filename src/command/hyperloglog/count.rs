//! PFCOUNT and PFMERGE.

use super::{change, hll_of};
use crate::command::spec::{
    Arg, BeginSearch, Categories, FindKeys, Flags, Group, KeyFlags, KeySpec,
};
use crate::command::{Command, Context, Error, Outcome, Spec};
use crate::ds::hll::{self, Encoding, HllMut, REGISTER_COUNT, Registers};
use crate::store::{Event, Key};
use crate::value::string;

/// PFCOUNT key [key ...]
pub(super) static PFCOUNT: Command =
    Command { spec: PFCOUNT_SPEC, handler: Some(pf_count), subcommands: &[] };

const PFCOUNT_SPEC: Spec = Spec {
    name: "pfcount",
    summary: "Estimates how many distinct elements counters have seen together.",
    complexity: "O(1) for one key, O(N) for N keys.",
    since: "2.8.9",
    group: Group::Hyperloglog,
    arity: -2,
    flags: Flags::READONLY.union(Flags::MAY_REPLICATE),
    categories: Categories::HYPERLOGLOG,
    keys: &[KeySpec {
        begin: BeginSearch::Index(1),
        find: FindKeys::Range { last: -1, step: 1, limit: 0 },
        flags: KeyFlags::RW.union(KeyFlags::ACCESS),
        notes: "RW because the cached cardinality may be written and replicated.",
    }],
    args: &[Arg::key("key", 0).multiple()],
    ..Spec::EMPTY
};

/// PFMERGE destkey [sourcekey ...]
pub(super) static PFMERGE: Command =
    Command { spec: PFMERGE_SPEC, handler: Some(pf_merge), subcommands: &[] };

const PFMERGE_SPEC: Spec = Spec {
    name: "pfmerge",
    summary: "Merges counters into one.",
    complexity: "O(N) for N counters, with a high constant.",
    since: "2.8.9",
    group: Group::Hyperloglog,
    arity: -2,
    flags: Flags::WRITE.union(Flags::DENYOOM),
    categories: Categories::HYPERLOGLOG,
    keys: &[
        KeySpec::range(1, 0, 1, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::INSERT)),
        KeySpec::range(2, -1, 1, KeyFlags::RO.union(KeyFlags::ACCESS)),
    ],
    args: &[Arg::key("destkey", 0), Arg::key("sourcekey", 1).optional().multiple()],
    ..Spec::EMPTY
};

fn pf_count(ctx: &mut Context<'_>) -> Outcome {
    let count = if ctx.args.len() == 2 {
        count_one(ctx)?
    } else {
        let mut registers = [0; REGISTER_COUNT];
        union(ctx, &mut registers)?;
        hll::count_registers(&registers)
    };
    ctx.reply_integer(count.cast_signed())
}

/// The count of the only key, which is kept with it for the next time.
fn count_one(ctx: &mut Context<'_>) -> Result<u64, Error> {
    let (scope, key) = (ctx.scope(), ctx.key(1));
    let keyspace = &mut ctx.server.keyspace;
    let Some(slot) = keyspace.read_mut(scope, key) else { return Ok(0) };
    let count = {
        let entry = slot.get();
        let hll = hll_of(&entry)?;
        if let Some(count) = hll.cached() {
            return Ok(count);
        }
        hll.count()?
    };
    let _slot =
        slot.update(|entry| string::edit(entry, 0, |bytes| hll::set_cached(bytes, count)).0);
    // What a read keeps is a change, too: a copy of the data would have to have it.
    keyspace.dirty += 1;
    keyspace.note(scope.db, key, Event::SILENT);
    Ok(count)
}

/// Raises registers to those of all keys; tells whether one of these is dense.
fn union(ctx: &mut Context<'_>, registers: &mut Registers) -> Result<Encoding, Error> {
    let keys: Vec<Key<'_>> = (1..ctx.args.len()).map(|index| ctx.key(index)).collect();
    let scope = ctx.scope();
    let mut encoding = Encoding::Sparse;
    for entry in ctx.server.keyspace.read_many(scope, &keys).iter().flatten() {
        let hll = hll_of(entry)?;
        if hll.encoding() == Encoding::Dense {
            encoding = Encoding::Dense;
        }
        hll.merge_into(registers)?;
    }
    Ok(encoding)
}

fn pf_merge(ctx: &mut Context<'_>) -> Outcome {
    let mut registers = [0; REGISTER_COUNT];
    let encoding = union(ctx, &mut registers)?;
    let (scope, key) = (ctx.scope(), ctx.key(1));
    let sparse_len_max = ctx.server.config.hll_sparse_max_bytes;
    let keyspace = &mut ctx.server.keyspace;
    match keyspace.write(scope, key) {
        Some(slot) => change(slot, sparse_len_max, |hll| hll.store(&registers, encoding))?,
        None => {
            let mut bytes = hll::empty();
            let mut new = HllMut::of(&mut bytes, sparse_len_max).expect("it was just made");
            new.store(&registers, encoding)?;
            keyspace.insert(scope.db, key, string::changed_value_of_vec(&mut bytes), None);
        }
    }
    keyspace.dirty += 1;
    keyspace.note(scope.db, key, Event::string("pfadd"));
    ctx.ok()
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{Bench, check};

    #[test]
    fn counts_are_of_the_union() {
        check(
            "PFADD a 1 2 3; PFADD b 3 4; PFCOUNT a b; PFCOUNT a x b; PFCOUNT x; PFCOUNT x x",
            ":1 :1 :4 :4 :0 :0",
        );
    }

    #[test]
    fn a_count_is_kept_until_something_is_added() {
        let mut bench = Bench::new();
        bench.check("PFADD k a b c; PFCOUNT k; PFCOUNT k; PFCOUNT k k", ":1 :3 :3 :3");
        assert_eq!(bench.server.keyspace.dirty, 5);
        bench.check(
            "GETRANGE k 8 15; PFADD k a; GETRANGE k 15 15; PFADD k d; GETRANGE k 15 15",
            r"$\x03\x00\x00\x00\x00\x00\x00\x00 :0 $\x00 :1 $\x80",
        );
    }

    #[test]
    fn merging_takes_the_target_in() {
        check(
            "PFADD a 1 2; PFADD b 3; PFADD d 4; PFMERGE d a b x; PFCOUNT d; PFDEBUG ENCODING d",
            ":1 :1 :1 +OK :4 +sparse",
        );
        check("PFMERGE d; PFCOUNT d; STRLEN d; PFMERGE d x", "+OK :0 :18 +OK");
        check(
            "PFADD a 1; PFDEBUG TODENSE a; PFMERGE d a; PFDEBUG ENCODING d; PFCOUNT d",
            ":1 :1 +OK +dense :1",
        );
        check("PFADD a 1; PFADD d 2; PFDEBUG TODENSE d; PFMERGE d a; PFCOUNT d", ":1 :1 :1 +OK :2");
    }

    #[test]
    fn many_elements_count_right_in_every_encoding() {
        let mut bench = Bench::new();
        for n in 0..3000 {
            bench.raw(&["PFADD", if n % 2 == 0 { "even" } else { "odd" }, &n.to_string()]);
        }
        bench.check(
            "PFDEBUG ENCODING even; PFCOUNT even odd; PFMERGE d even odd; PFDEBUG ENCODING d; PFCOUNT d",
            "+sparse :3004 +OK +dense :3004",
        );
        bench.raw(&["FLUSHALL"]);
        for n in 0..3000 {
            bench.raw(&["PFADD", "all", &n.to_string()]);
        }
        bench.check("PFCOUNT all", ":3004");
    }

    #[test]
    fn hand_made_registers_beyond_all_values_have_a_count() {
        let mut bench = Bench::new();
        let bytes = [b"HYLL\0\0\0\0\0\0\0\0\0\0\0\x80".as_slice(), &[0xff; 12288]].concat();
        bench.raw(&[b"SET".as_slice(), b"k", &bytes]);
        bench.check("PFCOUNT k; PFCOUNT k k", ":-9223372036854775808 :-9223372036854775808");
    }
}
