//! What a search asks for: a shape on the map, and the cells that cover it.

use super::cell::{Cell, STEP_MAX};
use super::{EARTH_RADIUS_M, LATITUDE_MAX, Position, RADIANS};
use std::ops::Range;

/// Half the way around the world on Mercator's map, metres.
const MERCATOR_MAX_M: f64 = 20_037_726.37;

/// A shape; lengths in metres.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// Everything as near to the centre.
    Circle {
        /// The greatest distance.
        radius: f64,
    },
    /// A box around the centre.
    Box {
        /// From west to east.
        width: f64,
        /// From south to north.
        height: f64,
    },
    /// What is inside a line through these corners and back to the first one, on a flat map.
    Polygon {
        /// At least three.
        corners: Vec<Position>,
    },
}

/// A shape where it lies.
#[derive(Clone, Debug, PartialEq)]
pub struct Area {
    centre: Position,
    shape: Shape,
}

/// The four sides around an area, degrees.
struct Bounds {
    west: f64,
    south: f64,
    east: f64,
    north: f64,
}

/// Steps to the east and to the north, in the order in which cells are searched.
const AROUND: [(i32, i32); 9] =
    [(0, 0), (0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (-1, 1), (1, -1), (-1, -1)];

impl Area {
    /// A circle or a box around a position.
    #[must_use]
    pub const fn around(centre: Position, shape: Shape) -> Self {
        Self { centre, shape }
    }

    /// A polygon. Its centre is the mean of its corners on the globe.
    #[must_use]
    pub fn polygon(corners: Vec<Position>) -> Self {
        let count = crate::base::num::f64_of_usize(corners.len());
        let (mut x, mut y, mut z) = (0.0, 0.0, 0.0);
        for corner in &corners {
            let (longitude, latitude) = (corner.longitude * RADIANS, corner.latitude * RADIANS);
            x += latitude.cos() * longitude.cos();
            y += latitude.cos() * longitude.sin();
            z += latitude.sin();
        }
        let (x, y, z) = (x / count, y / count, z / count);
        let centre = Position {
            longitude: y.atan2(x) / RADIANS,
            latitude: z.atan2((x * x + y * y).sqrt()) / RADIANS,
        };
        Self { centre, shape: Shape::Polygon { corners } }
    }

    /// How far a position is from the centre, metres; `None` if it is not in the area.
    #[must_use]
    pub fn distance_to(&self, position: Position) -> Option<f64> {
        match &self.shape {
            Shape::Circle { radius } => {
                let distance = self.centre.distance_to(position);
                (distance <= *radius).then_some(distance)
            }
            Shape::Box { width, height } => {
                // Along the position's own circle of latitude.
                let beside = Position { latitude: position.latitude, ..self.centre };
                let inside = position.latitude_distance_to(self.centre) <= height / 2.0
                    && position.distance_to(beside) <= width / 2.0;
                inside.then(|| self.centre.distance_to(position))
            }
            Shape::Polygon { corners } => {
                is_inside(position, corners).then(|| self.centre.distance_to(position))
            }
        }
    }

    /// The ranges of scores to look at, in the order in which Redis does, which a reply that is not sorted
    /// shows. They contain every position of the area, and others.
    #[must_use]
    pub fn ranges(&self) -> Vec<Range<u64>> {
        let mut searched: Vec<Cell> = Vec::with_capacity(AROUND.len());
        for cell in self.cells().into_iter().flatten() {
            // Around a cell that is half the map, its neighbours to both sides are one.
            if searched.last() != Some(&cell) {
                searched.push(cell);
            }
        }
        searched.into_iter().map(Cell::scores).collect()
    }

    /// The cell in the middle and those around it, without the ones that the area does not reach.
    fn cells(&self) -> [Option<Cell>; 9] {
        let bounds = self.bounds();
        let mut step = self.step();
        let mut middle = self.middle(step);
        // Once is enough for circles and boxes. A flat polygon may lie anywhere around its centre, which is
        // one on the globe.
        let coarsest = match self.shape {
            Shape::Circle { .. } | Shape::Box { .. } => step.saturating_sub(1).max(1),
            Shape::Polygon { .. } => 1,
        };
        while step > coarsest && !reaches(middle, &bounds) {
            step -= 1;
            middle = self.middle(step);
        }
        let [longitudes, latitudes] = middle.sides();
        AROUND.map(|(east, north)| {
            let beyond = step >= 2
                && ((north < 0 && latitudes.start < bounds.south)
                    || (north > 0 && latitudes.end > bounds.north)
                    || (east < 0 && longitudes.start < bounds.west)
                    || (east > 0 && longitudes.end > bounds.east));
            (!beyond).then(|| middle.moved(east, north))
        })
    }

    /// The cell of the centre. That of a polygon may be beyond the map, or at its very end, where a cell has
    /// no neighbours to both sides.
    fn middle(&self, step: u32) -> Cell {
        let Position { mut longitude, mut latitude } = self.centre;
        match self.shape {
            Shape::Circle { .. } | Shape::Box { .. } => {}
            Shape::Polygon { .. } => {
                longitude = longitude.clamp(-179.0, 179.0);
                latitude = latitude.clamp(-85.0, 85.0);
            }
        }
        Cell::of(Position { longitude, latitude }, LATITUDE_MAX, step)
    }

    /// How fine cells may be, so that nine of them cover the area.
    fn step(&self) -> u32 {
        let mut radius = self.radius();
        if radius == 0.0 {
            return STEP_MAX;
        }
        let mut step: u32 = 1;
        while radius < MERCATOR_MAX_M {
            radius *= 2.0;
            step += 1;
        }
        let mut coarser = 2;
        // Towards the poles a degree of longitude is shorter.
        if self.centre.latitude.abs() > 66.0 {
            coarser += 1;
            if self.centre.latitude.abs() > 80.0 {
                coarser += 1;
            }
        }
        step.saturating_sub(coarser).clamp(1, STEP_MAX)
    }

    /// The distance from the centre that everything is within, metres.
    fn radius(&self) -> f64 {
        match &self.shape {
            Shape::Circle { radius } => *radius,
            Shape::Box { width, height } => {
                let (width, height) = (width / 2.0, height / 2.0);
                (width * width + height * height).sqrt()
            }
            Shape::Polygon { corners } => {
                corners.iter().map(|corner| self.centre.distance_to(*corner)).fold(0.0, f64::max)
            }
        }
    }

    fn bounds(&self) -> Bounds {
        let (width, height) = match &self.shape {
            Shape::Circle { radius } => (*radius, *radius),
            Shape::Box { width, height } => (width / 2.0, height / 2.0),
            Shape::Polygon { corners } => return bounds_of(corners),
        };
        let Position { longitude, latitude } = self.centre;
        let up = height / EARTH_RADIUS_M / RADIANS;
        // Where the area is nearest to a pole, it spans the most degrees of longitude.
        let outermost = if latitude < 0.0 { latitude - up } else { latitude + up };
        let aside = width / EARTH_RADIUS_M / (outermost * RADIANS).cos() / RADIANS;
        Bounds {
            west: longitude - aside,
            south: latitude - up,
            east: longitude + aside,
            north: latitude + up,
        }
    }
}

/// Whether the cells around `middle` reach the sides of the area.
fn reaches(middle: Cell, bounds: &Bounds) -> bool {
    let [_, north] = middle.moved(0, 1).sides();
    let [_, south] = middle.moved(0, -1).sides();
    let [east, _] = middle.moved(1, 0).sides();
    let [west, _] = middle.moved(-1, 0).sides();
    north.end >= bounds.north
        && south.start <= bounds.south
        && east.end >= bounds.east
        && west.start <= bounds.west
}

fn bounds_of(corners: &[Position]) -> Bounds {
    let least = |of: fn(&Position) -> f64| corners.iter().map(of).fold(f64::INFINITY, f64::min);
    let most = |of: fn(&Position) -> f64| corners.iter().map(of).fold(f64::NEG_INFINITY, f64::max);
    Bounds {
        west: least(|corner| corner.longitude),
        south: least(|corner| corner.latitude),
        east: most(|corner| corner.longitude),
        north: most(|corner| corner.latitude),
    }
}

/// Whether a line from the position to the west crosses the polygon's an odd number of times.
fn is_inside(Position { longitude, latitude }: Position, corners: &[Position]) -> bool {
    let before = corners.iter().cycle().skip(corners.len() - 1);
    let crosses = |(from, to): &(&Position, &Position)| {
        (to.latitude > latitude) != (from.latitude > latitude)
            && longitude
                < (from.longitude - to.longitude) * (latitude - to.latitude)
                    / (from.latitude - to.latitude)
                    + to.longitude
    };
    before.zip(corners).filter(crosses).count() % 2 == 1
}

#[cfg(test)]
mod tests {
    use super::super::LONGITUDE_MAX;
    use super::*;
    use crate::base::num;
    use crate::base::rng::Rng;

    fn kept(longitude: f64, latitude: f64) -> Position {
        let position = Position::new(longitude, latitude).expect("on the map");
        Position::of_score(position.score())
    }

    fn anywhere(rng: &mut Rng, spread: f64) -> Position {
        let coordinate = |rng: &mut Rng, max: f64| (rng.next_f64() - 0.5) * 2.0 * max * spread;
        kept(coordinate(rng, LONGITUDE_MAX), coordinate(rng, LATITUDE_MAX))
    }

    /// Every position in an area is in its ranges, wherever the area lies but at the ends of the map.
    #[test]
    fn ranges_cover_the_area() {
        let mut rng = Rng::seeded(43);
        let mut found = 0;
        for _ in 0..20_000 {
            let centre = anywhere(&mut rng, 0.9);
            let size = 10f64.powf(1.0 + 5.3 * rng.next_f64());
            let height = size * rng.next_f64();
            let shape = match rng.below(2) {
                0 => Shape::Circle { radius: size },
                _ => Shape::Box { width: size, height },
            };
            let area = Area::around(centre, shape);
            let ranges = area.ranges();
            for _ in 0..5 {
                let degrees = size / 111_000.0;
                let longitude = centre.longitude + (rng.next_f64() - 0.5) * 2.0 * degrees;
                let latitude = centre.latitude + (rng.next_f64() - 0.5) * 2.0 * degrees;
                let Some(position) = Position::new(longitude, latitude) else { continue };
                let score = position.score();
                if area.distance_to(Position::of_score(score)).is_some() {
                    found += 1;
                    let in_ranges = ranges.iter().filter(|range| range.contains(&score)).count();
                    assert_eq!(in_ranges, 1, "{area:?} {position:?}");
                }
            }
        }
        assert!(found > 20_000, "{found}");
    }

    #[test]
    fn boxes_and_circles_have_the_size_they_say() {
        let (palermo, catania) = (kept(13.361389, 38.115556), kept(15.087269, 37.502669));
        let distance = palermo.distance_to(catania);
        for (radius, inside) in [(distance, true), (distance - 0.001, false), (0.0, false)] {
            let area = Area::around(palermo, Shape::Circle { radius });
            assert_eq!(area.distance_to(catania).is_some(), inside);
        }
        let sides = [
            (310_000.0, 140_000.0, true),
            (290_000.0, 140_000.0, false),
            (310_000.0, 130_000.0, false),
        ];
        for (width, height, inside) in sides {
            let area = Area::around(palermo, Shape::Box { width, height });
            assert_eq!(area.distance_to(catania).is_some(), inside, "{width} {height}");
        }
    }

    #[test]
    fn polygons_contain_what_is_inside_their_line() {
        let corner = |(longitude, latitude): (i32, i32)| {
            Position::new(f64::from(longitude), f64::from(latitude)).expect("on the map")
        };
        // An arrow that points to the north, with a notch.
        let arrow = Area::polygon([(0, 0), (2, 1), (4, 0), (2, 4)].map(corner).to_vec());
        for (place, inside) in [((2, 2), true), ((2, 3), true), ((1, 0), false), ((4, 3), false)] {
            assert_eq!(arrow.distance_to(corner(place)).is_some(), inside, "{place:?}");
        }
        // Its centre is on the other side of the globe, at the very end of the map.
        let band = Area::polygon([(170, -9), (-170, -9), (-170, 9), (170, 9)].map(corner).to_vec());
        for longitude in [-169, -91, -1, 1, 91, 169] {
            let position = corner((longitude, 1));
            assert!(band.distance_to(position).is_some());
            let ranges = band.ranges();
            assert!(ranges.iter().any(|range| range.contains(&position.score())), "{longitude}");
        }
        let mut rng = Rng::seeded(44);
        for _ in 0..2000 {
            let spread = if rng.below(2) == 0 { 0.1 } else { 1.0 };
            let corners = (0..3 + rng.below_usize(5)).map(|_| anywhere(&mut rng, spread)).collect();
            let area = Area::polygon(corners);
            let (position, ranges) = (anywhere(&mut rng, spread), area.ranges());
            if area.distance_to(position).is_some() {
                let score = position.score();
                let in_ranges = ranges.iter().filter(|range| range.contains(&score)).count();
                assert_eq!(in_ranges, 1, "{area:?} {position:?}");
            }
        }
    }

    #[test]
    fn extreme_sizes_end() {
        let origin = kept(0.0, 0.0);
        for size in [0.0, f64::MIN_POSITIVE, 1e300, f64::MAX, f64::INFINITY] {
            for shape in [Shape::Circle { radius: size }, Shape::Box { width: size, height: size }]
            {
                let area = Area::around(origin, shape);
                assert!((1..=9).contains(&num::u64_of(area.ranges().len())), "{area:?}");
            }
        }
    }
}
