//! The older searches, of circles only: GEORADIUS and its forms.

use super::query::{self, Centre, Form, Storing};
use super::{COUNT, ORDER, UNIT, WITH_COORD, WITH_DIST, WITH_HASH};
use crate::command::spec::{
    Arg, ArgType, BeginSearch, Categories, Deprecation, FindKeys, Flags, Group, KeyFlags, KeySpec,
};
use crate::command::{Command, Context, Outcome, Spec};

/// GEORADIUS key longitude latitude radius unit [options]
pub(super) static GEORADIUS: Command =
    Command { spec: GEORADIUS_SPEC, handler: Some(geo_radius), subcommands: &[] };

const GEORADIUS_SPEC: Spec = Spec {
    name: "georadius",
    summary: "Finds the members within a distance of a point, and may store them.",
    complexity: "O(N+log(M)), N being the number of members in the bounding box and M that of \
          the whole index.",
    since: "3.2.0",
    group: Group::Geo,
    arity: -6,
    flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::MOVABLE_KEYS),
    categories: Categories::GEO,
    keys: &[
        KeySpec::range(1, 0, 1, KeyFlags::RO.union(KeyFlags::ACCESS)),
        KeySpec {
            begin: BeginSearch::Keyword { keyword: "STORE", start_from: 6 },
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: KeyFlags::OW.union(KeyFlags::UPDATE),
            notes: "",
        },
        KeySpec {
            begin: BeginSearch::Keyword { keyword: "STOREDIST", start_from: 6 },
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: KeyFlags::OW.union(KeyFlags::UPDATE),
            notes: "",
        },
    ],
    args: &[
        Arg::key("key", 0),
        Arg::new("longitude", ArgType::Double),
        Arg::new("latitude", ArgType::Double),
        Arg::new("radius", ArgType::Double),
        UNIT,
        WITH_COORD,
        WITH_DIST,
        WITH_HASH,
        Arg::block(
            "count-block",
            &[
                Arg::new("count", ArgType::Integer).token("COUNT"),
                Arg::flag("any", "ANY").optional().since("6.2.0"),
            ],
        )
        .optional(),
        ORDER,
        Arg::one_of(
            "store",
            &[
                Arg::key("storekey", 1).display("key").token("STORE"),
                Arg::key("storedistkey", 2).display("key").token("STOREDIST"),
            ],
        )
        .optional(),
    ],
    history: &[("6.2.0", "Modifier ANY of COUNT."), ("7.0.0", "Units may be in upper case.")],
    deprecated: Some(Deprecation {
        since: "6.2.0",
        replaced_by: "`GEOSEARCH` and `GEOSEARCHSTORE` with `BYRADIUS`",
    }),
    ..Spec::EMPTY
};

/// GEORADIUS_RO key longitude latitude radius unit [options]
pub(super) static GEORADIUS_RO: Command =
    Command { spec: GEORADIUS_RO_SPEC, handler: Some(geo_radius_ro), subcommands: &[] };

const GEORADIUS_RO_SPEC: Spec = Spec {
    name: "georadius_ro",
    summary: "Finds the members within a distance of a point.",
    complexity: "O(N+log(M)), N being the number of members in the bounding box and M that of \
          the whole index.",
    since: "3.2.10",
    group: Group::Geo,
    arity: -6,
    flags: Flags::READONLY,
    categories: Categories::GEO,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RO.union(KeyFlags::ACCESS))],
    args: &[
        Arg::key("key", 0),
        Arg::new("longitude", ArgType::Double),
        Arg::new("latitude", ArgType::Double),
        Arg::new("radius", ArgType::Double),
        UNIT,
        WITH_COORD,
        WITH_DIST,
        WITH_HASH,
        Arg::block(
            "count-block",
            &[
                Arg::new("count", ArgType::Integer).token("COUNT"),
                Arg::flag("any", "ANY").optional().since("6.2.0"),
            ],
        )
        .optional(),
        ORDER,
    ],
    history: &[("6.2.0", "Modifier ANY of COUNT."), ("7.0.0", "Units may be in upper case.")],
    deprecated: Some(Deprecation { since: "6.2.0", replaced_by: "`GEOSEARCH` with `BYRADIUS`" }),
    ..Spec::EMPTY
};

/// GEORADIUSBYMEMBER key member radius unit [options]
pub(super) static GEORADIUSBYMEMBER: Command =
    Command { spec: GEORADIUSBYMEMBER_SPEC, handler: Some(geo_radius_by_member), subcommands: &[] };

const GEORADIUSBYMEMBER_SPEC: Spec = Spec {
    name: "georadiusbymember",
    summary: "Finds the members within a distance of a member, and may store them.",
    complexity: "O(N+log(M)), N being the number of members in the bounding box and M that of \
          the whole index.",
    since: "3.2.0",
    group: Group::Geo,
    arity: -5,
    flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::MOVABLE_KEYS),
    categories: Categories::GEO,
    keys: &[
        KeySpec::range(1, 0, 1, KeyFlags::RO.union(KeyFlags::ACCESS)),
        KeySpec {
            begin: BeginSearch::Keyword { keyword: "STORE", start_from: 5 },
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: KeyFlags::OW.union(KeyFlags::UPDATE),
            notes: "",
        },
        KeySpec {
            begin: BeginSearch::Keyword { keyword: "STOREDIST", start_from: 5 },
            find: FindKeys::Range { last: 0, step: 1, limit: 0 },
            flags: KeyFlags::OW.union(KeyFlags::UPDATE),
            notes: "",
        },
    ],
    args: &[
        Arg::key("key", 0),
        Arg::new("member", ArgType::String),
        Arg::new("radius", ArgType::Double),
        UNIT,
        WITH_COORD,
        WITH_DIST,
        WITH_HASH,
        COUNT,
        ORDER,
        Arg::one_of(
            "store",
            &[
                Arg::key("storekey", 1).display("key").token("STORE"),
                Arg::key("storedistkey", 2).display("key").token("STOREDIST"),
            ],
        )
        .optional(),
    ],
    history: &[("6.2.0", "Modifier ANY of COUNT."), ("7.0.0", "Units may be in upper case.")],
    deprecated: Some(Deprecation {
        since: "6.2.0",
        replaced_by: "`GEOSEARCH` and `GEOSEARCHSTORE` with `BYRADIUS` and `FROMMEMBER`",
    }),
    ..Spec::EMPTY
};

/// GEORADIUSBYMEMBER_RO key member radius unit [options]
pub(super) static GEORADIUSBYMEMBER_RO: Command = Command {
    spec: GEORADIUSBYMEMBER_RO_SPEC,
    handler: Some(geo_radius_by_member_ro),
    subcommands: &[],
};

const GEORADIUSBYMEMBER_RO_SPEC: Spec = Spec {
    name: "georadiusbymember_ro",
    summary: "Finds the members within a distance of a member.",
    complexity: "O(N+log(M)), N being the number of members in the bounding box and M that of \
          the whole index.",
    since: "3.2.10",
    group: Group::Geo,
    arity: -5,
    flags: Flags::READONLY,
    categories: Categories::GEO,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RO.union(KeyFlags::ACCESS))],
    args: &[
        Arg::key("key", 0),
        Arg::new("member", ArgType::String),
        Arg::new("radius", ArgType::Double),
        UNIT,
        WITH_COORD,
        WITH_DIST,
        WITH_HASH,
        COUNT,
        ORDER,
    ],
    history: &[("6.2.0", "Modifier ANY of COUNT."), ("7.0.0", "Units may be in upper case.")],
    deprecated: Some(Deprecation {
        since: "6.2.0",
        replaced_by: "`GEOSEARCH` with `BYRADIUS` and `FROMMEMBER`",
    }),
    ..Spec::EMPTY
};

const BY_POSITION: Form =
    Form { source: 1, centre: Centre::Position, storing: Storing::Option, event: "georadiusstore" };
const BY_MEMBER: Form =
    Form { source: 1, centre: Centre::Member, storing: Storing::Option, event: "georadiusstore" };

fn geo_radius(ctx: &mut Context<'_>) -> Outcome {
    query::run(ctx, BY_POSITION)
}

fn geo_radius_ro(ctx: &mut Context<'_>) -> Outcome {
    query::run(ctx, Form { storing: Storing::Never, ..BY_POSITION })
}

fn geo_radius_by_member(ctx: &mut Context<'_>) -> Outcome {
    query::run(ctx, BY_MEMBER)
}

fn geo_radius_by_member_ro(ctx: &mut Context<'_>) -> Outcome {
    query::run(ctx, Form { storing: Storing::Never, ..BY_MEMBER })
}
