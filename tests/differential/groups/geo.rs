//! Positions.

use crate::grammar::Arg::{
    Degrees, GeoKey, Key, Maybe, Metres, OneOf, Place, Repeat, Results, Value, Word,
};
use crate::grammar::{Arg, Group, Row, row};

pub(crate) const GROUP: Group = Group { name: "geo", rows: ROWS };

const ROWS: &[Row] = &[
    row(30, "GEOADD", &[GeoKey, Maybe(30, &[ADDED]), Repeat(1, 6, &[Degrees, Degrees, Place])]),
    row(3, "GEOADD", &[GeoKey, Repeat(100, 200, &[Degrees, Degrees, Place])]),
    row(2, "GEOADD", &[Key, Degrees, Degrees, Value]),
    row(10, "GEODIST", &[GeoKey, Place, Place, Maybe(60, &[UNIT])]),
    row(10, "GEOPOS", &[GeoKey, Repeat(0, 4, &[Place])]),
    row(10, "GEOHASH", &[GeoKey, Repeat(0, 4, &[Place])]),
    row(15, "GEOSEARCH", &[GeoKey, FROM, BY, Maybe(60, &[WITH]), Maybe(50, &[ORDER])]),
    row(15, "GEOSEARCH", &[GeoKey, BY, FROM, ORDER, COUNT, Maybe(60, &[WITH])]),
    row(5, "GEOSEARCHSTORE", &[GeoKey, GeoKey, FROM, BY, Maybe(40, &[COUNT])]),
    row(3, "GEOSEARCHSTORE", &[DISTANCES, GeoKey, FROM, BY, Word("STOREDIST")]),
    row(6, "GEORADIUS", &[GeoKey, Degrees, Degrees, Metres, UNIT, Maybe(50, &[WITH])]),
    row(6, "GEORADIUS", &[GeoKey, Degrees, Degrees, Metres, UNIT, Maybe(50, &[STORE])]),
    row(6, "GEORADIUSBYMEMBER", &[GeoKey, Place, Metres, UNIT, Maybe(50, &[ORDER])]),
    row(3, "GEORADIUSBYMEMBER", &[GeoKey, Place, Metres, UNIT, Maybe(50, &[STORE])]),
    row(3, "GEORADIUS_RO", &[GeoKey, Degrees, Degrees, Metres, UNIT, Maybe(50, &[WITH])]),
    row(3, "GEORADIUSBYMEMBER_RO", &[GeoKey, Place, Metres, UNIT, Maybe(50, &[WITH])]),
    row(2, "DEL", &[GeoKey]),
];

const ADDED: Arg = OneOf(&[&[Word("NX")], &[Word("XX")], &[Word("CH")], &[Word("XX"), Word("CH")]]);

const UNIT: Arg = OneOf(&[&[Word("M")], &[Word("KM")], &[Word("FT")], &[Word("MI")]]);

const FROM: Arg = OneOf(&[&[Word("FROMMEMBER"), Place], &[Word("FROMLONLAT"), Degrees, Degrees]]);

const BY: Arg = OneOf(&[&[Word("BYRADIUS"), Metres, UNIT], &[Word("BYBOX"), Metres, Metres, UNIT]]);

const WITH: Arg = OneOf(&[
    &[Word("WITHDIST")],
    &[Word("WITHHASH")],
    &[Word("WITHCOORD")],
    &[Word("WITHCOORD"), Word("WITHDIST"), Word("WITHHASH")],
]);

const ORDER: Arg = OneOf(&[&[Word("ASC")], &[Word("DESC")]]);

const COUNT: Arg = OneOf(&[&[Word("COUNT"), Results], &[Word("COUNT"), Results, Word("ANY")]]);

const STORE: Arg = OneOf(&[&[Word("STORE"), GeoKey], &[Word("STOREDIST"), DISTANCES]]);

/// Never searched: as positions, small distances are all the same place, and members that are equally far
/// away come in any order.
const DISTANCES: Arg = Word("geo:distances");
