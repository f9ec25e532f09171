//! Single bits: SETBIT and GETBIT.

use super::{Grown, Unit, change, parse_offset};
use crate::base::bits;
use crate::command::spec::{Arg, ArgType, Categories, Flags, Group, KeyFlags, KeySpec};
use crate::command::{Command, Context, Error, Outcome, Spec};
use crate::store::Event;
use crate::value::Str;

const BAD_BIT: Error = Error::fixed("ERR bit is not an integer or out of range");

/// SETBIT key offset value
pub(super) static SETBIT: Command =
    Command { spec: SETBIT_SPEC, handler: Some(set_bit), subcommands: &[] };

const SETBIT_SPEC: Spec = Spec {
    name: "setbit",
    summary: "Sets the bit at an offset of a string and returns its old value.",
    complexity: "O(1)",
    since: "2.2.0",
    group: Group::Bitmap,
    arity: 4,
    flags: Flags::WRITE.union(Flags::DENYOOM),
    categories: Categories::BITMAP,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::UPDATE))],
    args: &[
        Arg::key("key", 0),
        Arg::new("offset", ArgType::Integer),
        Arg::new("value", ArgType::Integer),
    ],
    ..Spec::EMPTY
};

/// GETBIT key offset
pub(super) static GETBIT: Command =
    Command { spec: GETBIT_SPEC, handler: Some(get_bit), subcommands: &[] };

const GETBIT_SPEC: Spec = Spec {
    name: "getbit",
    summary: "Returns the bit at an offset of a string.",
    complexity: "O(1)",
    since: "2.2.0",
    group: Group::Bitmap,
    arity: 3,
    flags: Flags::READONLY.union(Flags::FAST),
    categories: Categories::BITMAP,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RO.union(KeyFlags::ACCESS))],
    args: &[Arg::key("key", 0), Arg::new("offset", ArgType::Integer)],
    ..Spec::EMPTY
};

fn set_bit(ctx: &mut Context<'_>) -> Outcome {
    let len_max = ctx.server.config.proto_max_bulk_len;
    let (byte, mask) = bits::place(parse_offset(ctx.args.at(2), Unit::Bits, len_max)?);
    let set = match ctx.args.at(3) {
        b"0" => 0,
        b"1" => mask,
        _ => return Err(BAD_BIT),
    };
    let (scope, key) = (ctx.scope(), ctx.key(1));
    let keyspace = &mut ctx.server.keyspace;
    let (old, grown) = change(keyspace, scope, key, byte + 1, |bytes, grown| {
        let old = bytes[byte] & mask;
        bytes[byte] = (bytes[byte] & !mask) | set;
        (old, grown)
    })?;
    if grown == Grown::Yes || old != set {
        keyspace.dirty += 1;
        keyspace.note(scope.db, key, Event::string("setbit"));
    }
    ctx.reply_integer(i64::from(old != 0))
}

fn get_bit(ctx: &mut Context<'_>) -> Outcome {
    let len_max = ctx.server.config.proto_max_bulk_len;
    let (byte, mask) = bits::place(parse_offset(ctx.args.at(2), Unit::Bits, len_max)?);
    let (scope, key) = (ctx.scope(), ctx.key(1));
    let bit = match ctx.server.keyspace.read(scope, key) {
        Some(entry) => Str::of(&entry)
            .ok_or(Error::WRONG_TYPE)?
            .with_bytes(|bytes| bytes.get(byte).is_some_and(|byte| byte & mask != 0)),
        None => false,
    };
    ctx.reply_integer(i64::from(bit))
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{Bench, check};
    use crate::config::Config;

    const OFFSET: &str = "-ERR bit offset is not an integer or out of range";
    const BIT: &str = "-ERR bit is not an integer or out of range";

    #[test]
    fn bits_are_set_and_read() {
        check(
            "SETBIT k 1 1; GET k; SETBIT k 7 1; GET k; SETBIT k 1 0; GET k; GETBIT k 7; GETBIT k 6",
            ":0 $@ :0 $A :1 $\\x01 :1 :0",
        );
        check(
            "SET k 1; GETBIT k 2; GETBIT k 7; GETBIT k 8; GETBIT k 4294967295",
            "+OK :1 :1 :0 :0",
        );
        check("SET k 12; SETBIT k 7 0; GET k; OBJECT ENCODING k", "+OK :1 $02 $raw");
        check("GETBIT k 0; SETBIT k 0 0; GET k; OBJECT ENCODING k", ":0 :0 $\\x00 $raw");
    }

    #[test]
    fn a_string_grows_to_hold_the_bit() {
        for (offset, len) in
            [(7, 1), (8, 2), (8191, 1024), (8192, 1025), (4_294_967_295u64, 1 << 29)]
        {
            check(
                &format!("SETBIT k {offset} 1; STRLEN k; GETBIT k {offset}; BITCOUNT k"),
                &format!(":0 :{len} :1 :1"),
            );
            check(
                &format!("SET k abc; SETBIT k {offset} 1; STRLEN k; GETRANGE k 2 2"),
                &format!("+OK :{} :{} $c", i32::from(offset == 7), len.max(3)),
            );
        }
    }

    #[test]
    fn offsets_and_bits_are_checked_in_order() {
        for offset in
            ["-1", "a", "4294967296", "9223372036854775807", "-9223372036854775808", "\"\"", "01"]
        {
            check(
                &format!("SETBIT k {offset} 2; GETBIT k {offset}; EXISTS k"),
                &format!("{OFFSET} {OFFSET} :0"),
            );
        }
        for bit in ["2", "-1", "a", "01", "\"\"", "4294967297", "9223372036854775807"] {
            check(&format!("SETBIT k 0 {bit}; EXISTS k"), &format!("{BIT} :0"));
        }
    }

    #[test]
    fn no_bit_is_beyond_proto_max_bulk_len() {
        let config = Config { proto_max_bulk_len: 1 << 20, ..Config::default() };
        let mut bench = Bench::with(config);
        bench.check(
            "SETBIT k 8388607 1; SETBIT k 8388608 1; GETBIT k 8388608",
            &format!(":0 {OFFSET} {OFFSET}"),
        );
    }

    #[test]
    fn only_what_changed_counts_as_a_change() {
        let mut bench = Bench::new();
        bench.check(
            "SETBIT k 0 0; SETBIT k 0 0; SETBIT k 9 0; SETBIT k 9 1; SETBIT k 9 1",
            ":0 :0 :0 :0 :1",
        );
        assert_eq!(bench.server.keyspace.dirty, 3);
    }

    #[test]
    fn setting_a_bit_keeps_the_expiry_and_what_a_reply_refers_to() {
        let mut bench = Bench::new();
        bench.check("SETEX k 10 abc; SETBIT k 100 1", "+OK :0");
        bench.pass(9999);
        bench.check("STRLEN k", ":13");
        bench.pass(1);
        bench.check("STRLEN k", ":0");
        let value = "x".repeat(100_000);
        bench.raw(&["SET", "k", &value]);
        assert_eq!(bench.raw(&["GET", "k"]), format!("$100000\r\n{value}\r\n").as_bytes());
        bench.check("SETBIT k 799999 1; GETRANGE k 99998 -1; STRLEN k", ":0 $xy :100000");
    }
}
