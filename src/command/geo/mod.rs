//! Positions on the earth, kept as the scores of sorted sets.

mod add;
mod lookup;
mod query;
mod radius;
mod reply;
mod search;

use super::spec::{Arg, ArgType};
use super::{Command, Error};
use crate::base::geo::Position;
use crate::base::{float, num};
use crate::resp::Args;
use crate::value::SortedSetRef;

/// The family.
pub static COMMANDS: &[&Command] = &[
    &add::GEOADD,
    &lookup::GEODIST,
    &lookup::GEOHASH,
    &lookup::GEOPOS,
    &radius::GEORADIUS,
    &radius::GEORADIUSBYMEMBER,
    &radius::GEORADIUSBYMEMBER_RO,
    &radius::GEORADIUS_RO,
    &search::GEOSEARCH,
    &search::GEOSEARCHSTORE,
];

// Arguments that several commands document.
const UNIT: Arg = Arg::one_of(
    "unit",
    &[Arg::flag("m", "M"), Arg::flag("km", "KM"), Arg::flag("ft", "FT"), Arg::flag("mi", "MI")],
);
const ORDER: Arg =
    Arg::one_of("order", &[Arg::flag("asc", "ASC"), Arg::flag("desc", "DESC")]).optional();
const COUNT: Arg = Arg::block(
    "count-block",
    &[Arg::new("count", ArgType::Integer).token("COUNT"), Arg::flag("any", "ANY").optional()],
)
.optional();
const WITH_COORD: Arg = Arg::flag("withcoord", "WITHCOORD").optional();
const WITH_DIST: Arg = Arg::flag("withdist", "WITHDIST").optional();
const WITH_HASH: Arg = Arg::flag("withhash", "WITHHASH").optional();

const BAD_UNIT: Error = Error::fixed("ERR unsupported unit provided. please use M, KM, FT, MI");

/// The metres of the unit at argument `index`.
fn unit(args: Args<'_>, index: usize) -> Result<f64, Error> {
    const UNITS: [(&[u8], f64); 4] =
        [(b"m", 1.0), (b"km", 1000.0), (b"ft", 0.3048), (b"mi", 1609.34)];
    let found = UNITS.iter().find(|(name, _)| args.at(index).eq_ignore_ascii_case(name));
    found.map(|&(_, metres)| metres).ok_or(BAD_UNIT)
}

/// The position at arguments `index` (longitude) and `index + 1` (latitude).
fn position(args: Args<'_>, index: usize) -> Result<Position, Error> {
    let number = |index| float::parse_f64(args.at(index)).ok_or(Error::NOT_A_FLOAT);
    let (longitude, latitude) = (number(index)?, number(index + 1)?);
    Position::new(longitude, latitude).ok_or_else(|| {
        Error::new(format!("ERR invalid longitude,latitude pair {longitude:.6},{latitude:.6}"))
    })
}

/// Where a member is, and the score that says so.
fn position_of(set: SortedSetRef<'_>, member: &[u8]) -> Option<Position> {
    set.score(member).map(position_of_score)
}

fn position_of_score(score: f64) -> Position {
    Position::of_score(num::u64_truncated(score))
}
