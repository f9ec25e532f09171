//! GEOSEARCH and GEOSEARCHSTORE.

use super::query::{self, Centre, Form, Storing};
use super::{COUNT, ORDER, UNIT, WITH_COORD, WITH_DIST, WITH_HASH};
use crate::command::spec::{Arg, ArgType, Categories, Flags, Group, KeyFlags, KeySpec};
use crate::command::{Command, Context, Outcome, Spec};

const POLYGON: Arg = Arg::block(
    "polygon",
    &[
        Arg::new("num-vertices", ArgType::Integer).token("BYPOLYGON"),
        Arg::block(
            "vertices",
            &[Arg::new("longitude", ArgType::Double), Arg::new("latitude", ArgType::Double)],
        )
        .multiple(),
    ],
)
.since("9.0.0");

/// GEOSEARCH key centre shape [options]
pub(super) static GEOSEARCH: Command =
    Command { spec: GEOSEARCH_SPEC, handler: Some(geo_search), subcommands: &[] };

const GEOSEARCH_SPEC: Spec = Spec {
    name: "geosearch",
    summary: "Finds the members inside a circle, a box or a polygon.",
    complexity: "O(N+log(M)), N being the number of members in the bounding box and M that of \
          the whole index.",
    since: "6.2.0",
    group: Group::Geo,
    arity: -7,
    flags: Flags::READONLY,
    categories: Categories::GEO,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RO.union(KeyFlags::ACCESS))],
    args: &[
        Arg::key("key", 0),
        Arg::one_of(
            "from",
            &[
                Arg::new("member", ArgType::String).token("FROMMEMBER"),
                Arg::block(
                    "fromlonlat",
                    &[
                        Arg::new("longitude", ArgType::Double),
                        Arg::new("latitude", ArgType::Double),
                    ],
                )
                .token("FROMLONLAT"),
            ],
        )
        .optional(),
        Arg::one_of(
            "by",
            &[
                Arg::block(
                    "circle",
                    &[Arg::new("radius", ArgType::Double).token("BYRADIUS"), UNIT],
                ),
                Arg::block(
                    "box",
                    &[
                        Arg::new("width", ArgType::Double).token("BYBOX"),
                        Arg::new("height", ArgType::Double),
                        UNIT,
                    ],
                ),
                POLYGON,
            ],
        ),
        ORDER,
        COUNT,
        WITH_COORD,
        WITH_DIST,
        WITH_HASH,
    ],
    history: &[("7.0.0", "Units may be in upper case."), ("9.0.0", "Polygons, as in Valkey.")],
    ..Spec::EMPTY
};

/// GEOSEARCHSTORE destination source centre shape [options]
pub(super) static GEOSEARCHSTORE: Command =
    Command { spec: GEOSEARCHSTORE_SPEC, handler: Some(geo_search_store), subcommands: &[] };

const GEOSEARCHSTORE_SPEC: Spec = Spec {
    name: "geosearchstore",
    summary: "Stores the members inside a circle, a box or a polygon at another key.",
    complexity: "O(N+log(M)), N being the number of members in the bounding box and M that of \
          the whole index.",
    since: "6.2.0",
    group: Group::Geo,
    arity: -8,
    flags: Flags::WRITE.union(Flags::DENYOOM),
    categories: Categories::GEO,
    keys: &[
        KeySpec::range(1, 0, 1, KeyFlags::OW.union(KeyFlags::UPDATE)),
        KeySpec::range(2, 0, 1, KeyFlags::RO.union(KeyFlags::ACCESS)),
    ],
    args: &[
        Arg::key("destination", 0),
        Arg::key("source", 1),
        Arg::one_of(
            "from",
            &[
                Arg::new("member", ArgType::String).token("FROMMEMBER"),
                Arg::block(
                    "fromlonlat",
                    &[
                        Arg::new("longitude", ArgType::Double),
                        Arg::new("latitude", ArgType::Double),
                    ],
                )
                .token("FROMLONLAT"),
            ],
        )
        .optional(),
        Arg::one_of(
            "by",
            &[
                Arg::block(
                    "circle",
                    &[Arg::new("radius", ArgType::Double).token("BYRADIUS"), UNIT],
                ),
                Arg::block(
                    "box",
                    &[
                        Arg::new("width", ArgType::Double).token("BYBOX"),
                        Arg::new("height", ArgType::Double),
                        UNIT,
                    ],
                ),
                POLYGON,
            ],
        ),
        ORDER,
        COUNT,
        Arg::flag("storedist", "STOREDIST").optional(),
    ],
    history: &[("7.0.0", "Units may be in upper case."), ("9.0.0", "Polygons, as in Valkey.")],
    ..Spec::EMPTY
};

fn geo_search(ctx: &mut Context<'_>) -> Outcome {
    query::run(
        ctx,
        Form { source: 1, centre: Centre::Option, storing: Storing::Never, event: "geosearch" },
    )
}

fn geo_search_store(ctx: &mut Context<'_>) -> Outcome {
    query::run(
        ctx,
        Form {
            source: 2,
            centre: Centre::Option,
            storing: Storing::Always,
            event: "geosearchstore",
        },
    )
}
