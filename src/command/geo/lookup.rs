//! Of members that are named: GEODIST, GEOHASH, GEOPOS.

use super::{UNIT, position_of, reply, unit};
use crate::base::geo::Position;
use crate::command::sorted_set::view;
use crate::command::spec::{Arg, ArgType, Categories, Flags, Group, KeyFlags, KeySpec};
use crate::command::{Command, Context, Error, Outcome, Spec};
use crate::resp::Output;

/// GEODIST key member1 member2 [M | KM | FT | MI]
pub(super) static GEODIST: Command =
    Command { spec: GEODIST_SPEC, handler: Some(geo_dist), subcommands: &[] };

const GEODIST_SPEC: Spec = Spec {
    name: "geodist",
    summary: "Returns the distance between two members.",
    complexity: "O(1)",
    since: "3.2.0",
    group: Group::Geo,
    arity: -4,
    flags: Flags::READONLY,
    categories: Categories::GEO,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RO.union(KeyFlags::ACCESS))],
    args: &[
        Arg::key("key", 0),
        Arg::new("member1", ArgType::String),
        Arg::new("member2", ArgType::String),
        UNIT.optional(),
    ],
    ..Spec::EMPTY
};

/// GEOHASH key [member ...]
pub(super) static GEOHASH: Command =
    Command { spec: GEOHASH_SPEC, handler: Some(geo_hash), subcommands: &[] };

const GEOHASH_SPEC: Spec = Spec {
    name: "geohash",
    summary: "Returns the positions of members as geohash strings.",
    complexity: "O(1) for each member.",
    since: "3.2.0",
    group: Group::Geo,
    arity: -2,
    flags: Flags::READONLY,
    categories: Categories::GEO,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RO.union(KeyFlags::ACCESS))],
    args: &[Arg::key("key", 0), Arg::new("member", ArgType::String).optional().multiple()],
    ..Spec::EMPTY
};

/// GEOPOS key [member ...]
pub(super) static GEOPOS: Command =
    Command { spec: GEOPOS_SPEC, handler: Some(geo_pos), subcommands: &[] };

const GEOPOS_SPEC: Spec = Spec {
    name: "geopos",
    summary: "Returns the longitudes and latitudes of members.",
    complexity: "O(1) for each member.",
    since: "3.2.0",
    group: Group::Geo,
    arity: -2,
    flags: Flags::READONLY,
    categories: Categories::GEO,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RO.union(KeyFlags::ACCESS))],
    args: &[Arg::key("key", 0), Arg::new("member", ArgType::String).optional().multiple()],
    ..Spec::EMPTY
};

fn geo_dist(ctx: &mut Context<'_>) -> Outcome {
    let args = ctx.args;
    let metres = match args.len() {
        4 => 1.0,
        5 => unit(args, 4)?,
        _ => return Err(Error::SYNTAX),
    };
    let (scope, key) = (ctx.scope(), ctx.key(1));
    let entry = ctx.server.keyspace.read(scope, key);
    let distance = view(&entry)?.and_then(|set| {
        let (from, to) = (position_of(set, args.at(2))?, position_of(set, args.at(3))?);
        Some(from.distance_to(to) / metres)
    });
    let out = &mut ctx.session.output;
    match distance {
        Some(distance) => reply::distance(out, distance),
        None => out.null(),
    }
    Ok(())
}

fn geo_hash(ctx: &mut Context<'_>) -> Outcome {
    for_each(ctx, |out, position| match position {
        Some(position) => out.bulk(&position.geohash()),
        None => out.null(),
    })
}

fn geo_pos(ctx: &mut Context<'_>) -> Outcome {
    for_each(ctx, |out, position| match position {
        Some(position) => reply::coordinates(out, position),
        None => out.null_array(),
    })
}

/// Replies with an array of what `write` writes for each member.
fn for_each(ctx: &mut Context<'_>, write: impl Fn(&mut Output, Option<Position>)) -> Outcome {
    let (scope, key, members) = (ctx.scope(), ctx.key(1), ctx.args.from(2));
    let entry = ctx.server.keyspace.read(scope, key);
    let set = view(&entry)?;
    let out = &mut ctx.session.output;
    out.array(members.len());
    for member in members {
        write(out, set.and_then(|set| position_of(set, member)));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{Bench, check};

    fn sicily() -> Bench {
        let mut bench = Bench::new();
        bench.check("GEOADD k 13.361389 38.115556 Palermo 15.087269 37.502669 Catania", ":2");
        bench
    }

    #[test]
    fn distances_are_in_the_unit_asked_for() {
        let mut bench = sicily();
        for (unit, distance) in [
            ("", "166274.1516"),
            ("m", "166274.1516"),
            ("KM", "166.2742"),
            ("mi", "103.3182"),
            ("ft", "545518.8700"),
        ] {
            bench.check(&format!("GEODIST k Palermo Catania {unit}"), &format!("${distance}"));
        }
        bench.check(
            "GEODIST k Palermo Palermo; GEODIST k Palermo x; GEODIST x a b",
            "$0.0000 $_ $_",
        );
        bench.check(
            "GEODIST k Palermo Catania yd; GEODIST x a b m m",
            "-ERR unsupported unit provided. please use M, KM, FT, MI -ERR syntax error",
        );
    }

    #[test]
    fn positions_and_geohashes_of_members() {
        let mut bench = sicily();
        bench.check(
            "GEOHASH k Palermo x Catania; GEOHASH k; GEOHASH x a",
            "[$sqc8b49rny0 $_ $sqdtr74hyu0] [] [$_]",
        );
        bench.check(
            "GEOPOS k Palermo x Catania; GEOPOS k; GEOPOS x a b",
            "[[$13.36138933897018433 $38.11555639549629859] *_ \
            [$15.08726745843887329 $37.50266842333162032]] [] [*_ *_]",
        );
        bench.check(
            "GEOADD e 180 85.05112878 a 0 0 b; HELLO 3 SETNAME x",
            ":2 %[$server $redis $version $7.4.0 $proto :3 $id :1 $mode $standalone $role $master $modules []]",
        );
        bench.check(
            "GEOPOS e a b c",
            "[[,180 ,85.0511287799999991] [,0.00000268220901489 ,0.00000126736058093] _]",
        );
    }

    #[test]
    fn other_types_are_refused() {
        for line in [
            "GEODIST k a b",
            "GEOHASH k",
            "GEOPOS k a",
            "GEORADIUS k 0 0 a b",
            "GEOSEARCH k a b c d e",
        ] {
            check(
                &format!("SET k v; {line}"),
                "+OK -WRONGTYPE Operation against a key holding the wrong kind of value",
            );
        }
    }
}
