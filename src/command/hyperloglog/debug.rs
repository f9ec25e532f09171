//! PFDEBUG and PFSELFTEST, for tests.

use super::{change, hll_of};
use crate::command::error::printed;
use crate::command::spec::{Arg, ArgType, Categories, Flags, Group, KeyFlags, KeySpec};
use crate::command::{Command, Context, Error, Outcome, Spec};
use crate::ds::hll::{self, Changed, Encoding, Failure, Opcode, REGISTER_COUNT};
use crate::store::Key;

const NO_KEY: Error = Error::fixed("ERR The specified key does not exist");
const NOT_SPARSE: Error = Error::fixed("ERR HLL encoding is not sparse");

/// PFDEBUG (GETREG | DECODE | ENCODING | TODENSE) key
pub(super) static PFDEBUG: Command =
    Command { spec: PFDEBUG_SPEC, handler: Some(pf_debug), subcommands: &[] };

const PFDEBUG_SPEC: Spec = Spec {
    name: "pfdebug",
    summary: "Looks inside a counter; for tests.",
    complexity: "N/A",
    since: "2.8.9",
    group: Group::Hyperloglog,
    arity: 3,
    flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::ADMIN).union(Flags::SYSTEM),
    categories: Categories::HYPERLOGLOG,
    keys: &[KeySpec::range(2, 0, 1, KeyFlags::RW.union(KeyFlags::ACCESS))],
    args: &[Arg::new("subcommand", ArgType::String), Arg::key("key", 0)],
    ..Spec::EMPTY
};

/// PFSELFTEST
pub(super) static PFSELFTEST: Command =
    Command { spec: PFSELFTEST_SPEC, handler: Some(pf_self_test), subcommands: &[] };

const PFSELFTEST_SPEC: Spec = Spec {
    name: "pfselftest",
    summary: "Tests the counters' code; slow.",
    complexity: "N/A",
    since: "2.8.9",
    group: Group::Hyperloglog,
    flags: Flags::ADMIN.union(Flags::SYSTEM),
    categories: Categories::HYPERLOGLOG,
    ..Spec::EMPTY
};

fn pf_debug(ctx: &mut Context<'_>) -> Outcome {
    let (scope, key) = (ctx.scope(), ctx.key(2));
    let encoding = {
        let slot = ctx.server.keyspace.write(scope, key).ok_or(NO_KEY)?;
        hll_of(&slot.get())?.encoding()
    };
    if ctx.is_word(1, "getreg") {
        make_dense(ctx, key)?;
        registers(ctx, key)
    } else if ctx.is_word(1, "decode") {
        decode(ctx, key)
    } else if ctx.is_word(1, "encoding") {
        ctx.session.output.simple(match encoding {
            Encoding::Dense => "dense",
            Encoding::Sparse => "sparse",
        });
        Ok(())
    } else if ctx.is_word(1, "todense") {
        let changed = make_dense(ctx, key)?;
        ctx.reply_integer(i64::from(changed == Changed::Yes))
    } else {
        let mut line = b"ERR Unknown PFDEBUG subcommand '".to_vec();
        line.extend_from_slice(printed(ctx.args.at(1)));
        line.push(b'\'');
        Err(Error::new(line))
    }
}

/// Makes the HyperLogLog at a key dense, and counts that as a change.
fn make_dense(ctx: &mut Context<'_>, key: Key<'_>) -> Result<Changed, Error> {
    let scope = ctx.scope();
    let slot = ctx.server.keyspace.write(scope, key).ok_or(NO_KEY)?;
    if hll_of(&slot.get())?.encoding() == Encoding::Dense {
        return Ok(Changed::No);
    }
    change(slot, 0, |hll| hll.make_dense())?;
    ctx.server.keyspace.dirty += 1;
    Ok(Changed::Yes)
}

fn registers(ctx: &mut Context<'_>, key: Key<'_>) -> Outcome {
    let mut registers = [0; REGISTER_COUNT];
    let entry = ctx.server.keyspace.peek(ctx.session.db, key).ok_or(NO_KEY)?;
    hll_of(&entry)?.merge_into(&mut registers)?;
    ctx.session.output.array(REGISTER_COUNT);
    for register in registers {
        ctx.session.output.integer(i64::from(register));
    }
    Ok(())
}

/// Replies with the run lengths, as `z:5` (zeros in one byte), `Z:500` (in two), `v:3,1` (value, length).
fn decode(ctx: &mut Context<'_>, key: Key<'_>) -> Outcome {
    let entry = ctx.server.keyspace.peek(ctx.session.db, key).ok_or(NO_KEY)?;
    let opcodes = hll_of(&entry)?.opcodes().ok_or(NOT_SPARSE)?;
    let words: Vec<String> = opcodes
        .map(|opcode| match opcode {
            Opcode::Zeros { len } => format!("z:{len}"),
            Opcode::ManyZeros { len } => format!("Z:{len}"),
            Opcode::Run { value, len } => format!("v:{value},{len}"),
        })
        .collect();
    ctx.session.output.text(&words.join(" "));
    Ok(())
}

fn pf_self_test(ctx: &mut Context<'_>) -> Outcome {
    hll::self_test(&mut ctx.server.rng).map_err(|failure| {
        Error::new(match failure {
            Failure::Register { index, expected, found } => {
                format!("TESTFAILED Register {index} should be {expected} but is {found}")
            }
            Failure::Estimate { expected, found } => {
                let off = found.abs_diff(expected);
                format!("TESTFAILED Too big error. card:{expected} abserr:{off}")
            }
            Failure::Encodings { elements } => {
                format!("TESTFAILED dense/sparse disagree. card:{elements}")
            }
        })
    })?;
    ctx.ok()
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{Bench, check};

    #[test]
    fn run_lengths_are_shown() {
        check(
            "PFADD k a b c; PFDEBUG DECODE k",
            ":1 $Z:8436 v:1,1 Z:4274 v:2,1 Z:3068 v:1,1 Z:603",
        );
        check(
            "PFADD k a; PFDEBUG TODENSE k; PFDEBUG decode k",
            ":1 :1 -ERR HLL encoding is not sparse",
        );
    }

    #[test]
    fn a_sparse_one_becomes_dense_when_asked() {
        let mut bench = Bench::new();
        bench.check(
            "PFADD k a; PFDEBUG TODENSE k; PFDEBUG TODENSE k; PFDEBUG ENCODING k; PFCOUNT k",
            ":1 :1 :0 +dense :1",
        );
        assert_eq!(bench.server.keyspace.dirty, 4);
        bench.raw(&["PFADD", "x", "a"]);
        let reply = bench.raw(&["PFDEBUG", "GETREG", "x"]);
        assert!(reply.starts_with(b"*16384\r\n:0\r\n"));
        assert_eq!(
            reply.split(|&byte| byte == b'\n').filter(|line| *line == b":0\r").count(),
            16_383
        );
        bench.check("PFDEBUG ENCODING x", "+dense");
    }

    #[test]
    fn what_is_no_subcommand_or_key_is_refused() {
        check(
            "PFDEBUG DECODE k; PFDEBUG nope k; PFADD k; PFDEBUG nope k; PFDEBUG GETREG",
            "\
            -ERR The specified key does not exist \
            -ERR The specified key does not exist :1 \
            -ERR Unknown PFDEBUG subcommand 'nope' \
            -ERR wrong number of arguments for 'pfdebug' command",
        );
    }

    #[test]
    fn the_self_test_passes() {
        check("PFSELFTEST", "+OK");
    }
}
