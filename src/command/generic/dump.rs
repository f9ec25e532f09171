//! DUMP: a value as bytes.

use crate::command::spec::{Arg, Categories, Flags, KeyFlags, KeySpec};
use crate::command::{Command, Context, Outcome, Spec};
use crate::persist::rdb::{self, Compression};
use bytes::Bytes;

/// DUMP key
pub(super) static DUMP: Command =
    Command { spec: DUMP_SPEC, handler: Some(dump), subcommands: &[] };

const DUMP_SPEC: Spec = Spec {
    name: "dump",
    summary: "Returns a value serialized, in the form RESTORE takes.",
    complexity: "O(N*M), N being the number of parts of the value and M their mean size.",
    since: "2.6.0",
    arity: 2,
    flags: Flags::READONLY,
    categories: Categories::KEYSPACE,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RO.union(KeyFlags::ACCESS))],
    args: &[Arg::key("key", 0)],
    tips: &["nondeterministic_output"],
    ..Spec::EMPTY
};

fn dump(ctx: &mut Context<'_>) -> Outcome {
    let (scope, key) = (ctx.scope(), ctx.key(1));
    let compression =
        if ctx.server.config.rdbcompression { Compression::Lzf } else { Compression::None };
    let Some(entry) = ctx.server.keyspace.read(scope, key) else {
        ctx.session.output.null();
        return Ok(());
    };
    let mut payload = Vec::new();
    rdb::dump(&entry, compression, &mut payload);
    ctx.session.output.bulk_shared(&Bytes::from(payload));
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{Bench, check};

    /// Read off Redis 7.0.15.
    #[test]
    fn payloads_are_redis_s() {
        let bytes = [
            ("SET k hello", "+OK", r"\x00\x05hello\n\x00cr\xdfve4 \n"),
            ("SET k 12345", "+OK", r"\x00\xc190\n\x00\x9d\x94\xea\'\x93\xfc\x08\xb9"),
            ("SET k 99999999999", "+OK", r"\x00\x0b99999999999\n\x00#\xb0H\xfb\x0e\xdb\xef\x7f"),
            (
                "RPUSH k a 1 300",
                ":3",
                r"\x12\x01\x02\x0f\x0f\x00\x00\x00\x03\x00\x81a\x02\x01\x01\xc1,\x02\xff\n\x00\xc9\x19#\x95\xa7\xba\x06\x0f",
            ),
            (
                "SADD k 1 2 70000",
                ":3",
                r"\x0b\x14\x04\x00\x00\x00\x03\x00\x00\x00\x01\x00\x00\x00\x02\x00\x00\x00p\x11\x01\x00\n\x00\x85\xd5\xc1\x06[\x1d\xd0U",
            ),
            (
                "ZADD k 1 a 2.5 b",
                ":2",
                r"\x11\x14\x14\x00\x00\x00\x04\x00\x81a\x02\x01\x01\x81b\x02\x832.5\x04\xff\n\x00\xd4Ln\xa4\xf6D\xd9\xd7",
            ),
            (
                "HSET k f v n 12",
                ":2",
                r"\x10\x12\x12\x00\x00\x00\x04\x00\x81f\x02\x81v\x02\x81n\x02\x0c\x01\xff\n\x00\x016\x94\x81\xd3[\x89t",
            ),
        ];
        for (command, reply, payload) in bytes {
            check(&format!("{command}; DUMP k"), &format!("{reply} ${payload}"));
        }
        check("DUMP nothing", "$_");
    }

    /// Read off Redis 7.0.15, with the limits of the small encodings at 0.
    #[test]
    fn payloads_of_large_encodings_are_redis_s() {
        let mut bench = Bench::new();
        bench.check(
            "CONFIG SET zset-max-listpack-entries 0 hash-max-listpack-entries 0 list-max-listpack-size 1",
            "+OK",
        );
        bench.check(
            "ZADD z 1 a 2.5 b; DUMP z",
            r":2 $\x05\x02\x01b\x00\x00\x00\x00\x00\x00\x04@\x01a\x00\x00\x00\x00\x00\x00\xf0?\n\x00\xf4n\xb79\x19vr\x91",
        );
        bench
            .check("HSET h f v; DUMP h", r":1 $\x04\x01\x01f\x01v\n\x00\xad\xf2CV\xb1\x86\x0e\xfc");
        bench.check(
            "RPUSH q a 12; DUMP q",
            r":2 $\x12\x02\x02\n\n\x00\x00\x00\x01\x00\x81a\x02\xff\x02\t\t\x00\x00\x00\x01\x00\x0c\x01\xff\n\x00\xe2\xa0T.\xda\x03\xdc\xb5",
        );
    }

    /// Redis 7.0 knows no sets that are listpacks.
    #[test]
    fn sets_of_text_are_written_member_by_member() {
        check(
            "SADD k one 2; DUMP k",
            r":2 $\x02\x02\x03one\xc0\x02\n\x00\xd6\x8e\xfeG\x89\xff\x96\x1d",
        );
    }

    /// The layouts of Redis 7.4: the time of the first expiry, then the listpack, or each field with
    /// its expiry counted from the first, plus 1.
    #[test]
    fn fields_that_expire_need_a_newer_version() {
        let mut bench = Bench::new();
        bench.check("HSET h f v g w; HPEXPIREAT h 2000000000000 FIELDS 1 g", ":2 [:1]");
        let payload = bench.raw(&["DUMP", "h"]);
        let expected = b"\x19\x00\x20\x4a\xa9\xd1\x01\x00\x00\x1f\x1f\x00\x00\x00\x06\x00\x81g\x02\x81w\x02\xf4\x00\x20\x4a\xa9\xd1\x01\x00\x00\x09\x81f\x02\x81v\x02\x00\x01\xff\x0c\x00";
        assert_eq!(
            payload[5..payload.len() - 10].escape_ascii().to_string(),
            expected.escape_ascii().to_string()
        );
        bench.check("HPERSIST h FIELDS 1 g; OBJECT ENCODING h", "[:1] $listpackex");
        bench.check("HDEL h f; DUMP h", r":1 $\x04\x01\x01g\x01w\n\x00\r\x17\xa5\x03\x132\x18=");
        bench.check("CONFIG SET hash-max-listpack-entries 0; HSET t f v g w", "+OK :2");
        bench.check("HPEXPIREAT t 2000000000000 FIELDS 1 f", "[:1]");
        bench.check("HPEXPIREAT t 2000000000299 FIELDS 1 g; HSET t n 1", "[:1] :1");
        let payload = bench.raw(&["DUMP", "t"]);
        let head = b"\x18\x00\x20\x4a\xa9\xd1\x01\x00\x00\x03";
        assert_eq!(&payload[5..15], head);
        for field in [&b"\x01\x01f\x01v"[..], b"\x41\x2c\x01g\x01w", b"\x00\x01n\xc0\x01"] {
            assert!(payload.windows(field.len()).any(|part| part == field), "{payload:?}");
        }
    }

    #[test]
    fn long_strings_are_compressed_unless_that_is_turned_off() {
        let mut bench = Bench::new();
        let text = "abcdefgh".repeat(100);
        bench.raw(&["SET", "k", &text]);
        assert!(bench.raw(&["DUMP", "k"]).len() < 60);
        bench.check("CONFIG SET rdbcompression no", "+OK");
        assert!(bench.raw(&["DUMP", "k"]).len() > 800);
    }
}
