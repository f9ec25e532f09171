//! What the searches have in common: their options, the search, and its reply or the set it stores.

use super::{position, position_of, position_of_score, reply, unit};
use crate::base::geo::{Area, Position, Shape};
use crate::base::{float, num};
use crate::command::error::printed;
use crate::command::sorted_set::{limits, store, view};
use crate::command::{Context, Error, Outcome};
use crate::ds::listpack::Element;
use crate::resp::{Args, Output};
use crate::store::Event;
use crate::value::sorted_set::{Direction, Edge, Limits, Side};
use crate::value::{SortedSet, SortedSetRef};

const NO_MEMBER: Error = Error::fixed("ERR could not decode requested zset member");
const BAD_RADIUS: Error = Error::fixed("ERR need numeric radius");
const BAD_WIDTH: Error = Error::fixed("ERR need numeric width");
const BAD_HEIGHT: Error = Error::fixed("ERR need numeric height");
const NEGATIVE_RADIUS: Error = Error::fixed("ERR radius cannot be negative");
const NEGATIVE_BOX: Error = Error::fixed("ERR height or width cannot be negative");
const BAD_CORNERS: Error = Error::fixed("ERR invalid number of vertices");
const FEW_CORNERS: Error = Error::fixed("ERR GEOSEARCH BYPOLYGON must have at least 3 vertices");
const COUNT_NOT_POSITIVE: Error = Error::fixed("ERR COUNT must be > 0");
const ANY_WITHOUT_COUNT: Error = Error::fixed("ERR the ANY argument requires COUNT argument");

/// Where a command names the centre.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Centre {
    /// Longitude, latitude and radius follow the key.
    Position,
    /// A member and a radius follow the key.
    Member,
    /// Options name centre and shape.
    Option,
}

/// Whether a command stores what it finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Storing {
    /// It replies with it.
    Never,
    /// If an option says so.
    Option,
    /// At the key that is argument 1.
    Always,
}

/// A command's arguments.
#[derive(Clone, Copy, Debug)]
pub(super) struct Form {
    /// The argument that is the key to search.
    pub(super) source: usize,
    /// Where it names the centre.
    pub(super) centre: Centre,
    /// Whether it stores what it finds.
    pub(super) storing: Storing,
    /// What storing is told as.
    pub(super) event: &'static str,
}

/// What the centre was named by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum From {
    Nothing,
    Member,
    Position,
}

/// The order of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    /// As found.
    Any,
    Nearest,
    Farthest,
}

/// The scores of a stored result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scores {
    Positions,
    Distances,
}

/// Everything that a command asks for.
struct Query<'a, 's> {
    args: Args<'a>,
    form: Form,
    /// What is searched, if it exists.
    set: Option<SortedSetRef<'s>>,
    from: From,
    /// Not known if it is a member and there is no set.
    centre: Option<Position>,
    shape: Option<Shape>,
    /// Metres in the unit of distances.
    metres: f64,
    with_distance: bool,
    with_score: bool,
    with_position: bool,
    order: Order,
    count: Option<usize>,
    any: bool,
    /// The argument that is the key to store at.
    target: Option<usize>,
    scores: Scores,
}

/// A member in the area.
struct Found<'s> {
    member: Element<'s>,
    score: f64,
    position: Position,
    /// From the centre, metres.
    distance: f64,
}

/// Searches, and replies or stores.
pub(super) fn run(ctx: &mut Context<'_>, form: Form) -> Outcome {
    let (scope, key, limits) = (ctx.scope(), ctx.key(form.source), limits(ctx.server));
    let entry = ctx.server.keyspace.read(scope, key);
    let set = view(&entry)?;
    let query = Query::parse(ctx.args, form, set)?;
    let found = match set {
        Some(set) => query.search(set),
        None => Vec::new(),
    };
    let Some(target) = query.target else {
        query.reply(&mut ctx.session.output, &found);
        return Ok(());
    };
    let result = query.collect(&found, &limits);
    let len = store(ctx, target, result, Event::sorted_set(form.event));
    // Storing counted one change, or none if there was nothing to remove either.
    ctx.server.keyspace.dirty += num::u64_of(len.saturating_sub(1));
    ctx.session.output.count(len);
    Ok(())
}

impl<'a, 's> Query<'a, 's> {
    fn parse(args: Args<'a>, form: Form, set: Option<SortedSetRef<'s>>) -> Result<Self, Error> {
        let mut query = Self {
            args,
            form,
            set,
            from: From::Nothing,
            centre: None,
            shape: None,
            metres: 1.0,
            with_distance: false,
            with_score: false,
            with_position: false,
            order: Order::Any,
            count: None,
            any: false,
            target: (form.storing == Storing::Always).then_some(1),
            scores: Scores::Positions,
        };
        let mut at = query.fixed_arguments()?;
        while at < args.len() {
            at += match query.flag(at) {
                Some(len) => len,
                None => query.option(at)?,
            };
        }
        query.check()?;
        if query.count.is_some() && query.order == Order::Any && !query.any {
            query.order = Order::Nearest;
        }
        Ok(query)
    }

    /// Reads what stands between the key and the options; returns the first option's argument.
    fn fixed_arguments(&mut self) -> Result<usize, Error> {
        match (self.form.centre, self.set) {
            (Centre::Position, _) => {
                self.centre = Some(position(self.args, 2)?);
                self.circle(4)?;
                Ok(6)
            }
            (Centre::Member, Some(set)) => {
                self.centre = Some(position_of(set, self.args.at(2)).ok_or(NO_MEMBER)?);
                self.circle(3)?;
                Ok(5)
            }
            // Nothing will be found; whether the radius is one is not looked at.
            (Centre::Member, None) => Ok(5),
            (Centre::Option, _) => Ok(self.form.source + 1),
        }
    }

    fn is(&self, at: usize, word: &str) -> bool {
        self.args.at(at).eq_ignore_ascii_case(word.as_bytes())
    }

    /// Notes an option of one word; returns its length if it is one.
    fn flag(&mut self, at: usize) -> Option<usize> {
        if self.is(at, "withdist") {
            self.with_distance = true;
        } else if self.is(at, "withhash") {
            self.with_score = true;
        } else if self.is(at, "withcoord") {
            self.with_position = true;
        } else if self.is(at, "any") {
            self.any = true;
        } else if self.is(at, "asc") {
            self.order = Order::Nearest;
        } else if self.is(at, "desc") {
            self.order = Order::Farthest;
        } else if self.form.storing == Storing::Always && self.is(at, "storedist") {
            self.scores = Scores::Distances;
        } else {
            return None;
        }
        Some(1)
    }

    /// Notes an option of several words; returns their number.
    fn option(&mut self, at: usize) -> Result<usize, Error> {
        let following = self.args.len() - at - 1;
        if self.is(at, "count") && following >= 1 {
            let count = num::parse_i64(self.args.at(at + 1)).ok_or(Error::NOT_AN_INTEGER)?;
            let count = usize::try_from(count).ok().filter(|&count| count > 0);
            self.count = Some(count.ok_or(COUNT_NOT_POSITIVE)?);
            return Ok(2);
        }
        if self.form.storing == Storing::Option && following >= 1 {
            let distances = self.is(at, "storedist");
            if distances || self.is(at, "store") {
                self.scores = if distances { Scores::Distances } else { Scores::Positions };
                self.target = Some(at + 1);
                return Ok(2);
            }
        }
        if self.form.centre != Centre::Option {
            return Err(Error::SYNTAX);
        }
        self.area_option(at, following)
    }

    /// Notes an option that names the centre or the shape.
    fn area_option(&mut self, at: usize, following: usize) -> Result<usize, Error> {
        let (circle_fits, box_fits, polygon_fits) = match self.shape {
            None => (true, true, self.from == From::Nothing),
            Some(Shape::Circle { .. }) => (true, false, false),
            Some(Shape::Box { .. }) => (false, true, false),
            Some(Shape::Polygon { .. }) => (false, false, true),
        };
        // A polygon has its own centre.
        let centre_fits = circle_fits || box_fits;
        if self.is(at, "frommember") && following >= 1 && centre_fits && self.from != From::Position
        {
            if let Some(set) = self.set {
                let member = self.args.at(at + 1);
                self.centre = Some(position_of(set, member).ok_or(NO_MEMBER)?);
            }
            self.from = From::Member;
            Ok(2)
        } else if self.is(at, "fromlonlat")
            && following >= 2
            && centre_fits
            && self.from != From::Member
        {
            self.centre = Some(position(self.args, at + 1)?);
            self.from = From::Position;
            Ok(3)
        } else if self.is(at, "byradius") && following >= 2 && circle_fits {
            self.circle(at + 1)?;
            Ok(3)
        } else if self.is(at, "bybox") && following >= 3 && box_fits {
            self.rectangle(at + 1)?;
            Ok(4)
        } else if self.is(at, "bypolygon") && following >= 2 && polygon_fits {
            self.polygon(at + 1)
        } else {
            Err(Error::SYNTAX)
        }
    }

    /// Reads a radius and its unit.
    fn circle(&mut self, at: usize) -> Result<(), Error> {
        let radius = float::parse_f64(self.args.at(at)).ok_or(BAD_RADIUS)?;
        if radius < 0.0 {
            return Err(NEGATIVE_RADIUS);
        }
        self.metres = unit(self.args, at + 1)?;
        self.shape = Some(Shape::Circle { radius: radius * self.metres });
        Ok(())
    }

    /// Reads a width, a height and their unit.
    fn rectangle(&mut self, at: usize) -> Result<(), Error> {
        let width = float::parse_f64(self.args.at(at)).ok_or(BAD_WIDTH)?;
        let height = float::parse_f64(self.args.at(at + 1)).ok_or(BAD_HEIGHT)?;
        if width < 0.0 || height < 0.0 {
            return Err(NEGATIVE_BOX);
        }
        self.metres = unit(self.args, at + 2)?;
        let (width, height) = (width * self.metres, height * self.metres);
        self.shape = Some(Shape::Box { width, height });
        Ok(())
    }

    /// Reads the number of corners and so many positions; returns the length of the whole option.
    fn polygon(&mut self, at: usize) -> Result<usize, Error> {
        let count = num::parse_i64(self.args.at(at)).and_then(|count| i32::try_from(count).ok());
        let count = usize::try_from(count.ok_or(BAD_CORNERS)?).unwrap_or(0);
        let first = at + 1;
        if count < 3 || (self.args.len() - first) / 2 < count {
            return Err(FEW_CORNERS);
        }
        let corners = (0..count).map(|nth| position(self.args, first + 2 * nth));
        let corners = corners.collect::<Result<Vec<Position>, Error>>()?;
        self.shape = Some(Shape::Polygon { corners });
        Ok(2 + 2 * count)
    }

    /// Checks that the options go together and that nothing is missing.
    fn check(&self) -> Result<(), Error> {
        let with = self.with_distance || self.with_score || self.with_position;
        if self.target.is_some() && with {
            let what = match self.form.storing {
                Storing::Always => "GEOSEARCHSTORE",
                Storing::Option | Storing::Never => "STORE option in GEORADIUS",
            };
            return Err(Error::new(format!(
                "ERR {what} is not compatible with WITHDIST, WITHHASH and WITHCOORD options"
            )));
        }
        if self.form.centre == Centre::Option {
            let has_centre = matches!(self.shape, Some(Shape::Polygon { .. }));
            if self.from == From::Nothing && !has_centre {
                return Err(self.exactly_one("FROMMEMBER or FROMLONLAT"));
            }
            if self.shape.is_none() {
                return Err(self.exactly_one("BYRADIUS and BYBOX"));
            }
        }
        if self.any && self.count.is_none() {
            return Err(ANY_WITHOUT_COUNT);
        }
        Ok(())
    }

    fn exactly_one(&self, what: &str) -> Error {
        let mut line = format!("ERR exactly one of {what} can be specified for ").into_bytes();
        line.extend_from_slice(printed(self.args.at(0)));
        Error::new(line)
    }

    fn area(&self) -> Option<Area> {
        match self.shape.clone()? {
            Shape::Polygon { corners } => Some(Area::polygon(corners)),
            shape @ (Shape::Circle { .. } | Shape::Box { .. }) => {
                Some(Area::around(self.centre?, shape))
            }
        }
    }

    /// The members in the area, in order, no more than wanted. O(log n + members in the ranges looked at).
    fn search(&self, set: SortedSetRef<'s>) -> Vec<Found<'s>> {
        let Some(area) = self.area() else { return Vec::new() };
        let enough = match self.count {
            Some(count) if self.any => count,
            Some(_) | None => usize::MAX,
        };
        let rank = |score: u64| set.rank_of_edge(Edge::Score(num::f64_of_u64(score), Side::Before));
        let ranges = area.ranges().into_iter();
        let members = ranges
            .flat_map(|range| set.range(rank(range.start)..rank(range.end), Direction::Forward));
        let inside = members.filter_map(|(member, score)| {
            let position = position_of_score(score);
            let distance = area.distance_to(position)?;
            Some(Found { member, score, position, distance })
        });
        let mut found: Vec<Found<'s>> = inside.take(enough).collect();
        self.sort(&mut found);
        found
    }

    /// Brings what was found into order, and drops what is not wanted of it.
    fn sort(&self, found: &mut Vec<Found<'_>>) {
        let wanted = self.count.unwrap_or(usize::MAX).min(found.len());
        let compare = match self.order {
            Order::Any => return found.truncate(wanted),
            Order::Nearest => |a: &Found<'_>, b: &Found<'_>| a.distance.total_cmp(&b.distance),
            Order::Farthest => |a: &Found<'_>, b: &Found<'_>| b.distance.total_cmp(&a.distance),
        };
        if (1..found.len()).contains(&wanted) {
            found.select_nth_unstable_by(wanted - 1, compare);
            found.truncate(wanted);
        }
        found.sort_by(compare);
    }

    fn reply(&self, out: &mut Output, found: &[Found<'_>]) {
        let extras = [self.with_distance, self.with_score, self.with_position];
        let extras = extras.iter().filter(|&&wanted| wanted).count();
        out.array(found.len());
        for Found { member, score, position, distance } in found {
            if extras > 0 {
                out.array(1 + extras);
            }
            match member {
                Element::Integer(n) => out.bulk_integer(*n),
                Element::Bytes(bytes) => out.bulk(bytes),
            }
            if self.with_distance {
                reply::distance(out, distance / self.metres);
            }
            if self.with_score {
                out.integer(num::i64_truncated(*score));
            }
            if self.with_position {
                reply::coordinates(out, *position);
            }
        }
    }

    /// What was found as a sorted set.
    fn collect(&self, found: &[Found<'_>], limits: &Limits) -> SortedSet {
        let longest = found.iter().map(|found| found.member.with_text(<[u8]>::len)).max();
        let mut set = SortedSet::new(found.len(), longest.unwrap_or(0), limits);
        for found in found {
            let score = match self.scores {
                Scores::Positions => found.score,
                Scores::Distances => found.distance / self.metres,
            };
            found
                .member
                .with_text(|member| set.update(member, limits, Some(score), |_| Some(score)));
        }
        set
    }
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{Bench, check};

    const SYNTAX: &str = "-ERR syntax error";

    fn sicily() -> Bench {
        let mut bench = Bench::new();
        bench.check(
            "GEOADD k 13.361389 38.115556 Palermo 15.087269 37.502669 Catania; \
             GEOADD k 12.758489 38.788135 edge1 17.241510 38.788135 edge2",
            ":2 :2",
        );
        bench
    }

    #[test]
    fn circles_and_boxes_are_searched() {
        let mut bench = sicily();
        bench.check(
            "GEOSEARCH k FROMLONLAT 15 37 BYRADIUS 200 km ASC; GEOSEARCH k FROMLONLAT 15 37 BYBOX 400 400 km ASC WITHDIST",
            "[$Catania $Palermo] \
            [[$Catania $56.4413] [$Palermo $190.4424] [$edge2 $279.7403] [$edge1 $279.7405]]",
        );
        bench.check(
            "GEOSEARCH k FROMMEMBER Palermo BYRADIUS 200000 m DESC COUNT 2; GEORADIUSBYMEMBER k Palermo 200 km ASC",
            "[$Catania $edge1] [$Palermo $edge1 $Catania]",
        );
        bench.check(
            "GEORADIUS k 15 37 200 KM WITHDIST WITHHASH WITHCOORD COUNT 1; GEORADIUS_RO k 15 37 200 km DESC",
            "[[$Catania $56.4413 :3479447370796909 [$15.08726745843887329 $37.50266842333162032]]] [$Palermo $Catania]",
        );
        bench.check(
            "GEOSEARCH k FROMLONLAT 15 37 BYRADIUS 500 km COUNT 1 ANY; GEORADIUS k 15 37 0 m",
            "[$Palermo] []",
        );
    }

    /// As valkey-server 9.1.2 replies.
    #[test]
    fn polygons_are_searched() {
        check(
            "GEOADD k 0.1 0.1 a 1.5 1.5 b 3 3 c 0.5 1.9 d; \
             GEOSEARCH k BYPOLYGON 4 0 0 2 0 2 2 0 2 WITHDIST ASC; GEOSEARCH k BYPOLYGON 3 0 0 2 0 2 2; \
             GEOSEARCHSTORE x k BYPOLYGON 4 0 0 2 0 2 2 0 2 STOREDIST; ZSCORE x b",
            ":4 [[$b $78627.5929] [$d $114490.8595] [$a $141575.8080]] [$b] :3 $7.862759293761109e+4",
        );
        let few = "-ERR GEOSEARCH BYPOLYGON must have at least 3 vertices";
        for (arguments, error) in [
            ("2 0 0 2 0 ASC", few),
            ("3 0 0 2 0 2", few),
            ("-1 0 0 2 0 2", few),
            ("x 0 0 2 0 2", "-ERR invalid number of vertices"),
            ("9223372036854775807 0 0 2 0 2", "-ERR invalid number of vertices"),
            ("3 0 0 2 0 2 90", "-ERR invalid longitude,latitude pair 2.000000,90.000000"),
            ("3 0 0 2 0 2 2 FROMLONLAT 0 0", SYNTAX),
            ("3 0 0 2 0 2 2 BYRADIUS 1 m", SYNTAX),
            ("3 0 0 2 0 2 2 5", SYNTAX),
        ] {
            check(&format!("GEOSEARCH k BYPOLYGON {arguments}"), error);
        }
        check("GEOSEARCH k FROMLONLAT 0 0 BYPOLYGON 3 0 0 2 0 2 2", SYNTAX);
    }

    #[test]
    fn results_are_stored() {
        let mut bench = sicily();
        bench.check(
            "GEOSEARCHSTORE d k FROMLONLAT 15 37 BYBOX 400 400 km ASC COUNT 3; ZRANGE d 0 -1; OBJECT ENCODING d",
            ":3 [$Palermo $Catania $edge2] $listpack",
        );
        bench.check(
            "GEORADIUS k 15 37 200 km STORE d; GEORADIUS k 15 37 200 km STORE x STOREDIST d; ZRANGE d 0 -1 WITHSCORES; EXISTS x",
            ":2 :2 [$Catania $56.4412578701582 $Palermo $190.44242984775784] :0",
        );
        let before = bench.server.keyspace.dirty;
        bench.check(
            "GEORADIUS k 15 37 200 km STORE d; GEORADIUS k 15 37 1 m STORE d; EXISTS d",
            ":2 :0 :0",
        );
        assert_eq!(bench.server.keyspace.dirty - before, 3);
        bench.check("SET d v; GEOSEARCHSTORE d x FROMMEMBER a BYRADIUS 1 m; EXISTS d", "+OK :0 :0");
        bench.check("GEORADIUSBYMEMBER x a b c STORE k; EXISTS k", ":0 :0");
    }

    #[test]
    fn what_is_missing_has_nothing_around_it() {
        check(
            "GEOSEARCH x FROMMEMBER a BYRADIUS 1 m; GEORADIUSBYMEMBER x a b c; GEORADIUS x 0 0 1 m",
            "[] [] []",
        );
        let mut bench = sicily();
        let missing = "-ERR could not decode requested zset member";
        bench.check(
            "GEOSEARCH k FROMMEMBER a BYRADIUS 1 m; GEORADIUSBYMEMBER k a b c",
            &format!("{missing} {missing}"),
        );
    }

    #[test]
    fn options_have_to_go_together() {
        let with = "is not compatible with WITHDIST, WITHHASH and WITHCOORD options";
        let one = "-ERR exactly one of";
        for (line, error) in [
            (
                "GEORADIUS k 0 0 1 m WITHDIST STORE d",
                format!("-ERR STORE option in GEORADIUS {with}"),
            ),
            (
                "GEOSEARCHSTORE d k FROMLONLAT 0 0 BYRADIUS 1 m WITHCOORD",
                format!("-ERR GEOSEARCHSTORE {with}"),
            ),
            (
                "GeoSearch k FROMLONLAT 0 0 ASC ASC ASC",
                format!("{one} BYRADIUS and BYBOX can be specified for GeoSearch"),
            ),
            (
                "GEOSEARCH k BYRADIUS 1 m ASC ASC ASC",
                format!("{one} FROMMEMBER or FROMLONLAT can be specified for GEOSEARCH"),
            ),
            ("GEORADIUS k 0 0 1 m ANY", "-ERR the ANY argument requires COUNT argument".to_owned()),
        ] {
            check(line, &error);
        }
        for line in [
            "GEOSEARCH k FROMLONLAT 0 0 FROMMEMBER a BYRADIUS 1 m",
            "GEOSEARCH k FROMMEMBER a FROMLONLAT 0 0 BYRADIUS 1 m",
            "GEOSEARCH k FROMLONLAT 0 0 BYRADIUS 1 m BYBOX 1 1 m",
            "GEOSEARCH k FROMLONLAT 0 0 BYBOX 1 1 m BYRADIUS 1 m",
            "GEOSEARCH k FROMLONLAT 0 0 BYRADIUS 1 m STOREDIST",
            "GEOSEARCH k FROMLONLAT 0 0 BYRADIUS 1 m COUNT",
            "GEORADIUS_RO k 0 0 1 m STORE d",
            "GEORADIUS k 0 0 1 m BYRADIUS 1 m",
            "GEORADIUS k 0 0 1 m STORE",
        ] {
            check(line, SYNTAX);
        }
    }

    #[test]
    fn numbers_are_checked() {
        for (line, error) in [
            ("GEORADIUS k 0 0 -1 m", "-ERR radius cannot be negative"),
            ("GEORADIUS k 0 0 x m", "-ERR need numeric radius"),
            ("GEORADIUS k 0 0 nan m", "-ERR need numeric radius"),
            ("GEORADIUS k 0 0 1 y", "-ERR unsupported unit provided. please use M, KM, FT, MI"),
            ("GEORADIUS k 0 0 1 m COUNT 0", "-ERR COUNT must be > 0"),
            ("GEORADIUS k 0 0 1 m COUNT -9223372036854775808", "-ERR COUNT must be > 0"),
            ("GEORADIUS k 0 0 1 m COUNT x", "-ERR value is not an integer or out of range"),
            ("GEOSEARCH k FROMLONLAT 0 0 BYBOX x 1 m", "-ERR need numeric width"),
            ("GEOSEARCH k FROMLONLAT 0 0 BYBOX 1 x m", "-ERR need numeric height"),
            ("GEOSEARCH k FROMLONLAT 0 0 BYBOX 1 -1 m", "-ERR height or width cannot be negative"),
            ("GEOSEARCH k FROMLONLAT 0 x BYBOX 1 1 m", "-ERR value is not a valid float"),
        ] {
            check(line, error);
        }
        let mut bench = sicily();
        for radius in ["inf", "1e308", "1e300"] {
            bench.check(
                &format!("GEORADIUS k 0 0 {radius} mi COUNT 9223372036854775807 DESC"),
                "[$edge2 $edge1 $Palermo $Catania]",
            );
        }
    }
}
