//! Whether keys exist, what type they have, how many there are: EXISTS, TOUCH, TYPE, RANDOMKEY,
//! DBSIZE.

use crate::command::spec::{Arg, Categories, Flags, Group, KeyFlags, KeySpec};
use crate::command::{Command, Context, Outcome, Spec};
use crate::store::{Scope, Touch};
use crate::value;

/// EXISTS key [key ...]
pub(super) static EXISTS: Command =
    Command { spec: EXISTS_SPEC, handler: Some(exists), subcommands: &[] };

const EXISTS_SPEC: Spec = Spec {
    name: "exists",
    summary: "Counts those of the given keys that exist.",
    complexity: "O(N), N being the number of keys.",
    arity: -2,
    flags: Flags::READONLY.union(Flags::FAST),
    categories: Categories::KEYSPACE,
    keys: &[KeySpec::range(1, -1, 1, KeyFlags::RO)],
    args: &[Arg::key("key", 0).multiple()],
    history: &[("3.0.3", "Several keys may be given.")],
    tips: &["request_policy:multi_shard", "response_policy:agg_sum"],
    ..Spec::EMPTY
};

/// TOUCH key [key ...]
pub(super) static TOUCH: Command =
    Command { spec: TOUCH_SPEC, handler: Some(touch), subcommands: &[] };

const TOUCH_SPEC: Spec = Spec {
    name: "touch",
    summary: "Counts those of the given keys that exist and marks them as just accessed.",
    complexity: "O(N), N being the number of keys.",
    since: "3.2.1",
    arity: -2,
    flags: Flags::READONLY.union(Flags::FAST),
    categories: Categories::KEYSPACE,
    keys: &[KeySpec::range(1, -1, 1, KeyFlags::RO)],
    args: &[Arg::key("key", 0).multiple()],
    tips: &["request_policy:multi_shard", "response_policy:agg_sum"],
    ..Spec::EMPTY
};

/// TYPE key
pub(super) static TYPE: Command =
    Command { spec: TYPE_SPEC, handler: Some(type_of), subcommands: &[] };

const TYPE_SPEC: Spec = Spec {
    name: "type",
    summary: "Returns the name of the type of a value.",
    complexity: "O(1)",
    arity: 2,
    flags: Flags::READONLY.union(Flags::FAST),
    categories: Categories::KEYSPACE,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RO)],
    args: &[Arg::key("key", 0)],
    ..Spec::EMPTY
};

/// RANDOMKEY
pub(super) static RANDOMKEY: Command =
    Command { spec: RANDOMKEY_SPEC, handler: Some(randomkey), subcommands: &[] };

const RANDOMKEY_SPEC: Spec = Spec {
    name: "randomkey",
    summary: "Returns the name of a key picked at random.",
    complexity: "O(1)",
    flags: Flags::READONLY.union(Flags::TOUCHES_ARBITRARY_KEYS),
    categories: Categories::KEYSPACE,
    tips: &["request_policy:all_shards", "response_policy:special", "nondeterministic_output"],
    ..Spec::EMPTY
};

/// DBSIZE
pub(super) static DBSIZE: Command =
    Command { spec: DBSIZE_SPEC, handler: Some(dbsize), subcommands: &[] };

const DBSIZE_SPEC: Spec = Spec {
    name: "dbsize",
    summary: "Returns the number of keys of the selected database.",
    complexity: "O(1)",
    group: Group::Server,
    flags: Flags::READONLY.union(Flags::FAST),
    categories: Categories::KEYSPACE,
    tips: &["request_policy:all_shards", "response_policy:agg_sum"],
    ..Spec::EMPTY
};

fn exists(ctx: &mut Context<'_>) -> Outcome {
    count(ctx, Touch::No)
}

/// TOUCH counts as an access even for clients whose other lookups do not (CLIENT NO-TOUCH).
fn touch(ctx: &mut Context<'_>) -> Outcome {
    count(ctx, Touch::Yes)
}

fn count(ctx: &mut Context<'_>, touch: Touch) -> Outcome {
    let scope = Scope { db: ctx.session.db, touch };
    let mut found = 0;
    for index in 1..ctx.args.len() {
        let key = ctx.key(index);
        found += usize::from(ctx.server.keyspace.read(scope, key).is_some());
    }
    ctx.out().count(found);
    Ok(())
}

fn type_of(ctx: &mut Context<'_>) -> Outcome {
    let scope = Scope { db: ctx.session.db, touch: Touch::No };
    let key = ctx.key(1);
    let found = ctx.server.keyspace.read(scope, key).map(|entry| value::type_of(&entry));
    ctx.out().simple(found.map_or("none", value::Type::name));
    Ok(())
}

fn randomkey(ctx: &mut Context<'_>) -> Outcome {
    let db = ctx.session.db;
    ctx.effects_loose();
    match ctx.server.keyspace.random_key(db) {
        Some(key) => ctx.out().bulk(&key),
        None => ctx.out().null(),
    }
    Ok(())
}

/// Expired keys that nobody has noticed yet count.
fn dbsize(ctx: &mut Context<'_>) -> Outcome {
    let len = ctx.server.keyspace.db(ctx.session.db).len();
    ctx.out().count(len);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{Bench, check};
    use crate::resp::Protocol;
    use crate::session::SessionFlags;
    use std::collections::BTreeSet;

    #[test]
    fn exists_and_touch_count_a_key_as_often_as_it_is_named() {
        check("SET k v; EXISTS k x k; TOUCH k x k; EXISTS x; TOUCH x", "+OK :2 :2 :0 :0");
        check("EXISTS", "-ERR wrong number of arguments for 'exists' command");
        check("TOUCH", "-ERR wrong number of arguments for 'touch' command");
    }

    #[test]
    fn hits_and_misses_are_counted() {
        let mut bench = Bench::new();
        bench.check("SET k v; EXISTS k x k; TOUCH k x; TYPE k; TYPE x", "+OK :2 :1 +string +none");
        assert_eq!((bench.server.keyspace.hits, bench.server.keyspace.misses), (4, 3));
        assert_eq!(bench.server.keyspace.dirty, 1);
    }

    #[test]
    fn only_touch_counts_as_an_access() {
        let mut bench = Bench::new();
        bench.check("SET k v", "+OK");
        bench.pass(5000);
        bench.check("EXISTS k; TYPE k; OBJECT IDLETIME k", ":1 +string :5");
        bench.check("TOUCH k; OBJECT IDLETIME k", ":1 :0");
        bench.pass(5000);
        bench.session.flags.insert(SessionFlags::NO_TOUCH);
        bench.check("GET k; OBJECT IDLETIME k; TOUCH k; OBJECT IDLETIME k", "$v :5 :1 :0");
    }

    #[test]
    fn an_expired_key_does_not_exist_but_counts_until_it_is_noticed() {
        let mut bench = Bench::new();
        bench.check("SET k v PX 10; SET l v PX 10; SET m v PX 10", "+OK +OK +OK");
        bench.pass(10);
        bench.check("DBSIZE; EXISTS k; DBSIZE; TYPE l; TOUCH m; DBSIZE", ":3 :0 :2 +none :0 :0");
    }

    #[test]
    fn random_keys_come_from_the_selected_database() {
        check("RANDOMKEY; SET k v; RANDOMKEY", "$_ +OK $k");
        let mut bench = Bench::new();
        bench.check("SET k v; SET l v PX 10", "+OK +OK");
        bench.pass(10);
        bench.check("RANDOMKEY; DEL k; RANDOMKEY; DBSIZE", "$k :1 $_ :0");
        bench.check("SET k v", "+OK");
        bench.session.db = 1;
        bench.session.output.protocol = Protocol::Resp3;
        bench.check("RANDOMKEY; DBSIZE", "_ :0");
    }

    #[test]
    fn while_clients_are_paused_random_keys_leave_expired_ones_where_they_are() {
        let mut bench = Bench::new();
        bench.check("SET k v PX 10; SET l v PX 10; SET m v", "+OK +OK +OK");
        bench.pass(10);
        bench.server.keyspace.keeps_expired = true;
        for _ in 0..20 {
            bench.check("RANDOMKEY; DBSIZE", "$m :3");
        }
        bench.check("DEL m; EXISTS k l", ":1 :0");
        let key = bench.raw(&["RANDOMKEY"]);
        assert!(
            key == b"$1\r\nk\r\n" || key == b"$1\r\nl\r\n",
            "there is none that has not expired"
        );
        bench.server.keyspace.keeps_expired = false;
        bench.check("DBSIZE; RANDOMKEY; DBSIZE", ":2 $_ :0");
    }

    #[test]
    fn every_key_comes_up_at_random() {
        let mut bench = Bench::new();
        for n in 0..20 {
            bench.raw(&["SET", &format!("k{n}"), "v"]);
        }
        let drawn: BTreeSet<Vec<u8>> = (0..2000).map(|_| bench.raw(&["RANDOMKEY"])).collect();
        assert_eq!(drawn.len(), 20);
    }
}
