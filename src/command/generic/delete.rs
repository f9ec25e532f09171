//! DEL, UNLINK.

use crate::base::num;
use crate::command::spec::{Arg, Categories, Flags, KeyFlags, KeySpec};
use crate::command::{Command, Context, Outcome, Spec};
use crate::store::{Event, Free};

/// DEL key [key ...]
pub(super) static DEL: Command =
    Command { spec: DEL_SPEC, handler: Some(delete), subcommands: &[] };

const DEL_SPEC: Spec = Spec {
    name: "del",
    summary: "Deletes keys.",
    complexity: "O(N), N being the number of keys; for a collection O(M), M being the number of \
          its elements.",
    arity: -2,
    flags: Flags::WRITE,
    categories: Categories::KEYSPACE,
    keys: &[KeySpec::range(1, -1, 1, KeyFlags::RM.union(KeyFlags::DELETE))],
    args: &[Arg::key("key", 0).multiple()],
    tips: &["request_policy:multi_shard", "response_policy:agg_sum"],
    ..Spec::EMPTY
};

/// UNLINK key [key ...]
pub(super) static UNLINK: Command =
    Command { spec: UNLINK_SPEC, handler: Some(delete), subcommands: &[] };

const UNLINK_SPEC: Spec = Spec {
    name: "unlink",
    summary: "Deletes keys and frees their values in the background.",
    complexity: "O(1) for each key; freeing takes O(N) elsewhere, N being the number of \
          allocations.",
    since: "4.0.0",
    arity: -2,
    flags: Flags::WRITE.union(Flags::FAST),
    categories: Categories::KEYSPACE,
    keys: &[KeySpec::range(1, -1, 1, KeyFlags::RM.union(KeyFlags::DELETE))],
    args: &[Arg::key("key", 0).multiple()],
    tips: &["request_policy:multi_shard", "response_policy:agg_sum"],
    ..Spec::EMPTY
};

/// DEL and UNLINK are the same: neither waits until a large value is freed.
fn delete(ctx: &mut Context<'_>) -> Outcome {
    let mut deleted = 0;
    for index in 1..ctx.args.len() {
        let key = ctx.key(index);
        if ctx.server.keyspace.remove(ctx.session.db, key, Free::Here) {
            ctx.note(key, Event::DEL);
            deleted += 1;
        }
    }
    ctx.server.keyspace.dirty += deleted;
    ctx.reply_integer(num::i64_clamped(deleted))
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{Bench, check};

    #[test]
    fn each_key_that_existed_counts_once() {
        check("SET a 1; SET b 2; DEL a b c a; EXISTS a b", "+OK +OK :2 :0");
        check("SET a 1; SET b 2; UNLINK a b c a; EXISTS a b", "+OK +OK :2 :0");
        check("DEL", "-ERR wrong number of arguments for 'del' command");
        check("UNLINK", "-ERR wrong number of arguments for 'unlink' command");
        check("SET '' x; DEL ''; DEL ''", "+OK :1 :0");
    }

    #[test]
    fn an_expired_key_is_not_there_to_delete() {
        for command in ["DEL", "UNLINK"] {
            let mut bench = Bench::new();
            bench.check("SET k v PX 10", "+OK");
            bench.pass(10);
            let dirty = bench.server.keyspace.dirty;
            bench.check(&format!("{command} k; DBSIZE"), ":0 :0");
            assert_eq!((bench.server.keyspace.dirty, bench.server.keyspace.expired), (dirty, 1));
        }
    }

    #[test]
    fn each_key_deleted_is_a_change() {
        let mut bench = Bench::new();
        bench.check("SET a 1; SET b 2; DEL a b c; DEL c", "+OK +OK :2 :0");
        assert_eq!(bench.server.keyspace.dirty, 4);
    }

    #[test]
    fn a_large_value_is_freed_elsewhere() {
        for command in ["DEL k", "UNLINK k"] {
            let mut bench = Bench::new();
            bench.raw(&[&b"SET"[..], b"k", &vec![b'x'; 100 << 20]]);
            bench.check(command, ":1");
            assert_eq!(bench.server.stats.lazy_freed, 1);
        }
    }

    #[test]
    fn many_keys_are_deleted_at_once() {
        let mut bench = Bench::new();
        let keys: Vec<String> = (0..1000).map(|n| format!("k{n}")).collect();
        for key in &keys {
            bench.raw(&["SET", key, "v"]);
        }
        let command: Vec<&str> =
            std::iter::once("DEL").chain(keys.iter().map(String::as_str)).collect();
        assert_eq!(bench.raw(&command), b":1000\r\n");
        bench.check("DBSIZE", ":0");
    }
}
