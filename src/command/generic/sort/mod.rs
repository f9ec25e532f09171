//! SORT and SORT_RO.
//!
//! The elements are copied together with what they are sorted by, sorted, and then replied or stored
//! one by one; what BY and GET name is looked up as any client would.

mod gather;
mod options;
mod pattern;

use crate::command::spec::{
    Arg, ArgType, BeginSearch, Categories, FindKeys, Flags, KeyFlags, KeySpec,
};
use crate::command::{Command, Context, Error, Outcome, Spec};
use crate::ds::listpack::Element;
use crate::store::{Event, Free, KeepTtl, Key};
use crate::value::list::{End, List};
use crate::value::{Collection, NewValue};
use gather::Gathered;
use options::{Options, Storing};
use pattern::Pattern;

const SORTED: KeySpec = KeySpec::range(1, 0, 1, KeyFlags::RO.union(KeyFlags::ACCESS));
const NAMED: KeySpec = KeySpec {
    begin: BeginSearch::Unknown,
    find: FindKeys::Unknown,
    flags: KeyFlags::RO.union(KeyFlags::ACCESS),
    notes: "BY and GET: key names that follow from the elements sorted.",
};
const BY: Arg =
    Arg::new("by-pattern", ArgType::Pattern).key_spec(1).display("pattern").token("BY").optional();
const LIMIT: Arg = Arg::block(
    "limit",
    &[Arg::new("offset", ArgType::Integer), Arg::new("count", ArgType::Integer)],
)
.token("LIMIT")
.optional();
const GET: Arg = Arg::new("get-pattern", ArgType::Pattern)
    .key_spec(1)
    .display("pattern")
    .token("GET")
    .optional()
    .multiple_token();
const ORDER: Arg =
    Arg::one_of("order", &[Arg::flag("asc", "ASC"), Arg::flag("desc", "DESC")]).optional();
const ALPHA: Arg = Arg::flag("sorting", "ALPHA").optional();

/// SORT key [BY pattern] [LIMIT offset count] [GET pattern …] [ASC | DESC] [ALPHA]
/// [STORE destination]
pub(super) static SORT: Command =
    Command { spec: SORT_SPEC, handler: Some(sort), subcommands: &[] };

const SORT_SPEC: Spec = Spec {
    name: "sort",
    summary: "Sorts the elements of a list, set or sorted set and returns or stores them.",
    complexity: "O(N+M*log(M)), N being the number of elements and M the number returned.",
    arity: -2,
    flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::MOVABLE_KEYS),
    categories: Categories::SET
        .union(Categories::SORTEDSET)
        .union(Categories::LIST)
        .union(Categories::DANGEROUS),
    keys: &[
        SORTED,
        NAMED,
        KeySpec {
            begin: BeginSearch::Unknown,
            find: FindKeys::Unknown,
            flags: KeyFlags::OW.union(KeyFlags::UPDATE),
            notes: "STORE: the keyword may stand anywhere after the key.",
        },
    ],
    args: &[
        Arg::key("key", 0),
        BY,
        LIMIT,
        GET,
        ORDER,
        ALPHA,
        Arg::key("destination", 2).token("STORE").optional(),
    ],
    ..Spec::EMPTY
};

/// SORT_RO key [BY pattern] [LIMIT offset count] [GET pattern …] [ASC | DESC] [ALPHA]
pub(super) static SORT_RO: Command =
    Command { spec: SORT_RO_SPEC, handler: Some(sort_ro), subcommands: &[] };

const SORT_RO_SPEC: Spec = Spec {
    name: "sort_ro",
    summary: "Sorts the elements of a list, set or sorted set and returns them.",
    complexity: "O(N+M*log(M)), N being the number of elements and M the number returned.",
    since: "7.0.0",
    arity: -2,
    flags: Flags::READONLY.union(Flags::MOVABLE_KEYS),
    categories: Categories::SET
        .union(Categories::SORTEDSET)
        .union(Categories::LIST)
        .union(Categories::DANGEROUS),
    keys: &[SORTED, NAMED],
    args: &[Arg::key("key", 0), BY, LIMIT, GET, ORDER, ALPHA],
    ..Spec::EMPTY
};

const NOT_DOUBLES: Error = Error::fixed("ERR One or more scores can't be converted into double");

fn sort(ctx: &mut Context<'_>) -> Outcome {
    run(ctx, Storing::Allowed)
}

fn sort_ro(ctx: &mut Context<'_>) -> Outcome {
    run(ctx, Storing::Refused)
}

fn run(ctx: &mut Context<'_>, storing: Storing) -> Outcome {
    let options = Options::parse(ctx, storing)?;
    let mut gathered = Gathered::of(ctx, &options)?;
    if let Some(weighing) = gathered.weighing {
        gathered.weigh(ctx, &options, weighing)?;
        gathered.sort(ctx, &options);
    }
    match options.store {
        Some(place) => store(ctx, &gathered, &options.get, place),
        None => {
            let count = gathered.chosen().len();
            ctx.session.output.array(count * options.get.len().max(1));
            for text in gathered.texts() {
                reply(ctx, text, &options.get);
            }
            Ok(())
        }
    }
}

/// Replies with what stands for one element.
fn reply(ctx: &mut Context<'_>, text: &[u8], get: &[Pattern<'_>]) {
    if get.is_empty() {
        ctx.session.output.bulk(text);
    }
    let scope = ctx.scope();
    for pattern in get {
        let out = &mut ctx.session.output;
        pattern.look_up(&mut ctx.server.keyspace, scope, text, |found| match found {
            Some(Element::Integer(n)) => out.bulk_integer(n),
            Some(Element::Bytes(bytes)) => out.bulk(bytes),
            None => out.null(),
        });
    }
}

/// Stores what stands for the elements as a list at the key of argument `place`, or removes that key if
/// there is nothing to store.
fn store(ctx: &mut Context<'_>, gathered: &Gathered, get: &[Pattern<'_>], place: usize) -> Outcome {
    let scope = ctx.scope();
    let key: Key<'_> = ctx.key(place);
    let shape = crate::command::list::shape(ctx.server);
    let mut list = List::new();
    let mut push = |text: &[u8]| {
        list.prepare([text].into_iter(), shape);
        list.push(End::Back, text);
    };
    for text in gathered.texts() {
        if get.is_empty() {
            push(text);
        }
        for pattern in get {
            pattern.look_up(&mut ctx.server.keyspace, scope, text, |found| {
                found.unwrap_or(Element::Bytes(b"")).with_text(&mut push);
            });
        }
    }
    let len = list.view().len();
    let keyspace = &mut ctx.server.keyspace;
    if len == 0 {
        if keyspace.remove(scope.db, key, Free::Here) {
            keyspace.dirty += 1;
            keyspace.note(scope.db, key, Event::DEL);
        }
    } else {
        list.settle(shape);
        let value = NewValue::Payload(list.into_heap());
        keyspace.set(scope.db, key, value, None, KeepTtl::No);
        keyspace.dirty += crate::base::num::u64_of(len);
        keyspace.note(scope.db, key, Event::list("sortstore"));
    }
    ctx.session.output.count(len);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::base::rng::Rng;
    use crate::command::host::Collation;
    use crate::command::testing::{Bench, FakeHost, check};
    use crate::config::Config;
    use crate::resp::Protocol;

    const LIST: &str = "RPUSH l 3 1 2 10; SADD s 3 1 2 10; ZADD z 4 3 3 1 2 2 1 10";
    const ADDED: &str = ":4 :4 :4";

    fn with_all(script: &str, expected: &str) {
        check(&format!("{LIST}; {script}"), &format!("{ADDED} {expected}"));
    }

    #[test]
    fn every_type_of_several_elements_is_sorted() {
        for key in ["l", "s", "z"] {
            with_all(&format!("SORT {key}"), "[$1 $2 $3 $10]");
            with_all(&format!("SORT {key} DESC"), "[$10 $3 $2 $1]");
            with_all(&format!("SORT {key} ALPHA"), "[$1 $10 $2 $3]");
            with_all(&format!("SORT_RO {key} ALPHA DESC LIMIT 1 2"), "[$2 $10]");
        }
        check("SORT none; SORT none STORE d; SORT_RO none", "[] :0 []");
        let error = "-WRONGTYPE Operation against a key holding the wrong kind of value";
        check(
            "SET k v; SORT k; SORT_RO k; SORT k LIMIT 1",
            &format!("+OK {error} {error} -ERR syntax error"),
        );
    }

    #[test]
    fn limits_are_clamped_as_in_redis() {
        for (limit, expected) in [
            ("0 -1", "[$1 $2 $3 $10]"),
            ("1 2", "[$2 $3]"),
            ("-5 2", "[$1 $2]"),
            ("1 -5", "[$2 $3 $10]"),
            ("10 1", "[]"),
            ("0 0", "[]"),
            ("3 9", "[$10]"),
            ("1 9223372036854775807", "[$2 $3 $10]"),
            ("9223372036854775807 9223372036854775807", "[]"),
            ("-9223372036854775808 -9223372036854775808", "[$1 $2 $3 $10]"),
        ] {
            with_all(&format!("SORT l LIMIT {limit}"), expected);
        }
    }

    #[test]
    fn wrong_arguments_are_refused() {
        for line in ["FOO", "LIMIT 0", "LIMIT", "BY", "GET", "STORE", "LIMIT 0 1 2", "ASC FOO"] {
            check(&format!("SORT none {line}"), "-ERR syntax error");
        }
        for line in ["LIMIT a b", "LIMIT 0 a FOO", "LIMIT 1.5 2", "LIMIT 9223372036854775808 1"] {
            check(&format!("SORT none {line}"), "-ERR value is not an integer or out of range");
        }
        check(
            "SORT_RO none STORE d; SORT",
            "-ERR syntax error -ERR wrong number of arguments for 'sort' command",
        );
    }

    #[test]
    fn keys_named_by_a_pattern_give_the_order() {
        with_all("MSET w1 3 w2 2 w3 1; SORT l BY w*", "+OK [$10 $3 $2 $1]");
        with_all("MSET w1 3 w2 2 w3 1; SORT l BY w* DESC LIMIT 0 2", "+OK [$1 $2]");
        with_all("MSET w1x c w2x b w3x a; SORT l BY w*x ALPHA", "+OK [$10 $3 $2 $1]");
        with_all(
            "MSET w1 1.5 w2 x; SORT l BY w*",
            "+OK -ERR One or more scores can't be converted into double",
        );
        with_all("RPUSH w1 5; SORT l BY w*", ":1 [$1 $10 $2 $3]");
        check("RPUSH t b a; SORT t BY w*", ":2 [$a $b]");
    }

    #[test]
    fn a_pattern_without_a_star_keeps_the_order_there_is() {
        with_all("SORT l BY nosort; SORT l BY nosort DESC", "[$3 $1 $2 $10] [$10 $2 $1 $3]");
        with_all("SORT l BY x LIMIT 1 2; SORT l BY x DESC LIMIT 1 2", "[$1 $2] [$2 $1]");
        with_all("SORT z BY x; SORT z BY x DESC", "[$10 $2 $1 $3] [$3 $1 $2 $10]");
        with_all(
            "SORT z BY x LIMIT 1 2; SORT z BY x DESC LIMIT 1 9; SORT z BY # LIMIT 9 9",
            "[$2 $1] [$1 $2 $10] []",
        );
        with_all("SORT l BY x BY w*; SORT l BY w* BY x", "[$3 $1 $2 $10] [$3 $1 $2 $10]");
        with_all("SORT l BY x LIMIT 9 9; SORT l BY x DESC LIMIT 4 1; SORT l LIMIT 9 9", "[] [] []");
        with_all("SORT s BY x LIMIT 1 2; SORT s BY x LIMIT 9 9", "[$2 $3] []");
        with_all("SORT s BY x STORE d; LRANGE d 0 -1", ":4 [$1 $10 $2 $3]");
        with_all("SORT s BY x DESC STORE d; LRANGE d 0 -1", ":4 [$3 $2 $10 $1]");
    }

    #[test]
    fn what_get_names_is_replied_instead() {
        with_all(
            "MSET o1 a o3 c; SORT l GET o* GET # GET x",
            "+OK [$a $1 $_ $_ $2 $_ $c $3 $_ $_ $10 $_]",
        );
        with_all("SORT l LIMIT 0 0 GET #; SORT l GET nothing LIMIT 0 1", "[] [$_]");
        with_all("RPUSH o1 x; SORT l GET o* LIMIT 0 1", ":1 [$_]");
        let mut bench = Bench::new();
        bench.session.output.protocol = Protocol::Resp3;
        bench.check("RPUSH l 1; SORT l GET x*", ":1 [_]");
    }

    #[test]
    fn fields_of_hashes_are_named_by_an_arrow() {
        let script = "HSET h1 w 3 n one; HSET h2 w 2 n two; HSET h3 w 1; SORT l BY h*->w GET h*->n";
        with_all(script, ":2 :2 :1 [$_ $_ $two $one]");
        with_all("SET h1 v; SORT l BY h*->w LIMIT 0 1 GET h*->w", "+OK [$_]");
        with_all(
            "HSET h2x ->a b; SET h1-> v; SORT l GET h*-> GET h*x->->a",
            ":1 +OK [$v $_ $_ $b $_ $_ $_ $_]",
        );
    }

    #[test]
    fn results_are_stored_as_lists() {
        with_all("SORT l STORE d; LRANGE d 0 -1; OBJECT ENCODING d", ":4 [$1 $2 $3 $10] $listpack");
        with_all("SET o2 x; SORT l GET o* STORE d; LRANGE d 0 -1", "+OK :4 [$ $x $ $]");
        with_all("SET d v EX 9; SORT l LIMIT 0 1 STORE d; TYPE d; TTL d", "+OK :1 +list :-1");
        with_all("SORT l STORE l; LRANGE l 0 -1", ":4 [$1 $2 $3 $10]");
        with_all(
            "SET d v; SORT none STORE d; EXISTS d; SORT l STORE a STORE b; EXISTS a b",
            "+OK :0 :0 :4 :1",
        );
        let mut bench = Bench::new();
        bench.check(
            "RPUSH l 1 2; SORT l STORE d; SORT none STORE d; SORT none STORE d",
            ":2 :2 :0 :0",
        );
        assert_eq!(bench.server.keyspace.dirty, 5);
    }

    #[test]
    fn numbers_are_read_as_strtod_does() {
        const ERROR: &str = "-ERR One or more scores can't be converted into double";
        for (text, expected) in [
            ("''", "[$ $3]"),
            ("' 1'", "[$ 1 $3]"),
            ("0x10", "[$3 $0x10]"),
            ("inf", "[$3 $inf]"),
            ("-Infinity", "[$-Infinity $3]"),
            ("+5", "[$3 $+5]"),
            ("0x1p-1074", "[$0x1p-1074 $3]"),
            ("-0", "[$-0 $3]"),
            ("3.0", "[$3 $3.0]"),
            ("5e-324", ERROR),
            ("1e400", ERROR),
            ("nan", ERROR),
            ("'1 '", ERROR),
            ("' '", ERROR),
            ("1e", ERROR),
            ("x", ERROR),
        ] {
            check(&format!("RPUSH t {text} 3; SORT t"), &format!(":2 {expected}"));
        }
        check(r#"RPUSH t "1\x00abc" 3 "\x00"; SORT t"#, r":3 [$\x00 $1\x00abc $3]");
    }

    #[test]
    fn text_is_sorted_by_the_keys_of_its_language() {
        let host = FakeHost { collation: Collation::Keys, ..FakeHost::default() };
        let mut bench = Bench::on(host, Config::default());
        bench.check("RPUSH l b C a B A; MSET wa 2 wb X wc y", ":5 +OK");
        bench.check("SORT l ALPHA; SORT l ALPHA DESC", "[$a $A $b $B $C] [$C $b $B $a $A]");
        bench.check(
            "SORT l ALPHA LIMIT 4 1; SORT l ALPHA STORE d; LRANGE d 0 -1",
            "[$C] :5 [$A $B $C $a $b]",
        );
        bench.check("RPUSH m b a c; SORT m BY w* ALPHA DESC", ":3 [$c $b $a]");
    }

    #[test]
    fn many_texts_are_sorted_by_their_bytes() {
        let mut rng = Rng::seeded(2);
        let mut bench = Bench::new();
        let mut words: Vec<String> =
            (0..500).map(|_| format!("member:{}", rng.below(300))).collect();
        for word in &words {
            bench.raw(&["RPUSH", "l", word]);
        }
        words.sort();
        let expected: Vec<String> = words.iter().map(|word| format!("${word}")).collect();
        bench.check("SORT l ALPHA", &format!("[{}]", expected.join(" ")));
        let expected: Vec<String> = expected.into_iter().rev().collect();
        bench.check("SORT l ALPHA DESC", &format!("[{}]", expected.join(" ")));
    }

    #[test]
    fn parts_are_the_parts_of_the_whole() {
        let mut rng = Rng::seeded(1);
        for _ in 0..50 {
            let mut bench = Bench::new();
            let numbers: Vec<i64> = (0..1 + rng.below(60))
                .map(|_| i64::try_from(rng.below(50)).expect("small") - 25)
                .collect();
            let words: Vec<String> = numbers.iter().map(i64::to_string).collect();
            for word in &words {
                bench.raw(&["RPUSH", "l", word]);
            }
            let mut sorted = numbers.clone();
            sorted.sort_unstable();
            let (start, count) = (rng.below_usize(70), rng.below_usize(70));
            let expected: Vec<String> =
                sorted.iter().skip(start).take(count).map(|n| format!("${n}")).collect();
            bench.check(
                &format!("SORT l LIMIT {start} {count}"),
                &format!("[{}]", expected.join(" ")),
            );
        }
    }
}
