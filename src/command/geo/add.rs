//! GEOADD.

use super::position;
use crate::base::num;
use crate::command::sorted_set::limits;
use crate::command::spec::{Arg, ArgType, Categories, Flags, Group, KeyFlags, KeySpec};
use crate::command::{Command, Context, Error, Outcome, Spec};
use crate::store::Event;
use crate::value::SortedSet;
use crate::value::sorted_set::Updated;

/// GEOADD key [NX | XX] [CH] longitude latitude member ...
pub(super) static GEOADD: Command =
    Command { spec: GEOADD_SPEC, handler: Some(geo_add), subcommands: &[] };

const GEOADD_SPEC: Spec = Spec {
    name: "geoadd",
    summary: "Adds members with their positions.",
    complexity: "O(log(N)) for each member, N being the size of the index.",
    since: "3.2.0",
    group: Group::Geo,
    arity: -5,
    flags: Flags::WRITE.union(Flags::DENYOOM),
    categories: Categories::GEO,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RW.union(KeyFlags::UPDATE))],
    args: &[
        Arg::key("key", 0),
        Arg::one_of("condition", &[Arg::flag("nx", "NX"), Arg::flag("xx", "XX")])
            .optional()
            .since("6.2.0"),
        Arg::flag("change", "CH").optional().since("6.2.0"),
        Arg::block(
            "data",
            &[
                Arg::new("longitude", ArgType::Double),
                Arg::new("latitude", ArgType::Double),
                Arg::new("member", ArgType::String),
            ],
        )
        .multiple(),
    ],
    history: &[("6.2.0", "Options CH, NX and XX.")],
    ..Spec::EMPTY
};

/// Which members may be touched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Which {
    All,
    New,
    Existing,
}

/// What the reply counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Counted {
    Added,
    Changed,
}

/// The options, and the argument that is the first longitude.
fn parse(ctx: &Context<'_>) -> Result<(Which, Counted, usize), Error> {
    let (mut nx, mut xx, mut ch) = (false, false, false);
    let mut at = 2;
    loop {
        let seen = if ctx.is_word(at, "nx") {
            &mut nx
        } else if ctx.is_word(at, "xx") {
            &mut xx
        } else if ctx.is_word(at, "ch") {
            &mut ch
        } else {
            break;
        };
        *seen = true;
        at += 1;
    }
    let rest = ctx.args.len() - at;
    let which = match (nx, xx) {
        (true, true) => return Err(Error::SYNTAX),
        (true, false) => Which::New,
        (false, true) => Which::Existing,
        (false, false) => Which::All,
    };
    if rest == 0 || !rest.is_multiple_of(3) {
        return Err(Error::SYNTAX);
    }
    Ok((which, if ch { Counted::Changed } else { Counted::Added }, at))
}

/// Records the members with their scores, which another server could compute otherwise.
fn record(ctx: &mut Context<'_>, first: usize, members: &[(f64, &[u8])]) {
    let args = ctx.args;
    let Some(mut effects) = ctx.effects_instead() else { return };
    let words = effects.add(first + 2 * members.len()).word(b"ZADD");
    words.words(args.from(1).take(first - 1));
    for &(score, member) in members {
        words.number(num::i64_truncated(score)).word(member);
    }
}

fn geo_add(ctx: &mut Context<'_>) -> Outcome {
    let (which, counted, first) = parse(ctx)?;
    let args = ctx.args;
    let mut members = Vec::with_capacity((args.len() - first) / 3);
    for at in (first..args.len()).step_by(3) {
        let score = num::f64_of_u64(position(args, at)?.score());
        members.push((score, args.at(at + 2)));
    }
    let (scope, key, limits) = (ctx.scope(), ctx.key(1), limits(ctx.server));
    let (mut added, mut changed) = (0u64, 0u64);
    let mut change = |set: &mut SortedSet| {
        set.reserve(members.len(), &limits);
        for &(score, member) in &members {
            let updated = set.update(member, &limits, Some(score), |old| match (which, old) {
                (Which::New, Some(_)) | (Which::Existing, None) => None,
                (Which::All, _) | (Which::New, None) | (Which::Existing, Some(_)) => Some(score),
            });
            match updated {
                Updated::Added => added += 1,
                Updated::Changed => changed += 1,
                Updated::Same | Updated::Declined => {}
            }
        }
    };
    let keyspace = &mut ctx.server.keyspace;
    if which == Which::Existing {
        keyspace.change(scope, key, change)?;
    } else {
        let new = || SortedSet::new(members.len(), members[0].1.len(), &limits);
        keyspace.change_or_create(scope, key, new, &mut change)?;
    }
    keyspace.dirty += added + changed;
    if added + changed > 0 {
        keyspace.note(scope.db, key, Event::sorted_set("zadd"));
        record(ctx, first, &members);
    }
    let count = match counted {
        Counted::Added => added,
        Counted::Changed => added + changed,
    };
    ctx.reply_integer(num::i64_clamped(count))
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{Bench, check};

    #[test]
    fn positions_become_scores() {
        check(
            "GEOADD k 13.361389 38.115556 Palermo 15.087269 37.502669 Catania; ZRANGE k 0 -1 WITHSCORES",
            ":2 [$Palermo $3479099956230698 $Catania $3479447370796909]",
        );
        check("GEOADD k 180 85.05112878 a; ZSCORE k a", ":1 $13510798882111488");
    }

    #[test]
    fn options_choose_members_and_what_is_counted() {
        check(
            "GEOADD k 1 1 a; GEOADD k 2 2 a; GEOADD k CH 3 3 a 1 1 b; GEOADD k CH 3 3 a",
            ":1 :0 :2 :0",
        );
        check(
            "GEOADD k XX 1 1 a; EXISTS k; GEOADD k NX 1 1 a; GEOADD k NX CH 2 2 a",
            ":0 :0 :1 :0",
        );
        let mut bench = Bench::new();
        bench.check("GEOADD k 1 1 a 2 2 b; GEOADD k 3 3 a 2 2 b", ":2 :0");
        assert_eq!(bench.server.keyspace.dirty, 3);
    }

    #[test]
    fn wrong_arguments_change_nothing() {
        for line in
            ["GEOADD k NX XX 1 1 a", "GEOADD k CH CH CH", "GEOADD k 1 1 a 2", "GEOADD k NX 1 1"]
        {
            check(&format!("{line}; EXISTS k"), "-ERR syntax error :0");
        }
        check("GEOADD k 1 1 a 1 x b; EXISTS k", "-ERR value is not a valid float :0");
        for (longitude, latitude, shown) in [
            ("181", "0", "181.000000,0.000000"),
            ("0", "-86", "0.000000,-86.000000"),
            ("inf", "-inf", "inf,-inf"),
            ("1e30", "1", "1000000000000000019884624838656.000000,1.000000"),
        ] {
            check(
                &format!("GEOADD k 1 1 a {longitude} {latitude} b; EXISTS k"),
                &format!("-ERR invalid longitude,latitude pair {shown} :0"),
            );
        }
        check(
            "SET k v; GEOADD k 1 1 a",
            "+OK -WRONGTYPE Operation against a key holding the wrong kind of value",
        );
    }
}
