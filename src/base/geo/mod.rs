//! Positions on the earth: distances, their order along a curve, and the areas that searches ask for.
//!
//! A position is kept as a 52-bit number, which sorted sets take as a score: latitude and longitude cut
//! into 2^26 steps each, their bits interleaved. Positions that are near each other mostly have near
//! numbers, so that a search reads a few ranges of numbers ([`Area::ranges`]) and looks at each position
//! found there ([`Area::distance_to`]).
//!
//! Everything is computed in the order of operations that Redis uses: replies show so many digits that a
//! last bit would be seen.

mod area;
mod cell;

pub use area::{Area, Shape};
pub use cell::GEOHASH_LEN;

use cell::{Cell, STEP_MAX};

/// Mean radius of the earth, metres.
const EARTH_RADIUS_M: f64 = 6_372_797.560_856;
const RADIANS: f64 = std::f64::consts::PI / 180.0;
/// Where the map ends, degrees of longitude.
const LONGITUDE_MAX: f64 = 180.0;
/// Where the map ends, degrees of latitude: Mercator's square map (EPSG:900913) ends there, too.
const LATITUDE_MAX: f64 = 85.051_128_78;

/// A place on the map. Its coordinates are within the limits above.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Position {
    /// Degrees.
    pub longitude: f64,
    /// Degrees.
    pub latitude: f64,
}

impl Position {
    /// The position of these coordinates, in degrees, if the map has it.
    #[must_use]
    pub fn new(longitude: f64, latitude: f64) -> Option<Self> {
        let inside = (-LONGITUDE_MAX..=LONGITUDE_MAX).contains(&longitude)
            && (-LATITUDE_MAX..=LATITUDE_MAX).contains(&latitude);
        inside.then_some(Self { longitude, latitude })
    }

    /// The number that is kept for the position: of 52 bits, and of 54 at the very ends of the map.
    #[must_use]
    pub fn score(self) -> u64 {
        Cell::of(self, LATITUDE_MAX, STEP_MAX).bits()
    }

    /// About where the position of a score was: the middle of all with this score.
    #[must_use]
    pub fn of_score(score: u64) -> Self {
        let [longitude, latitude] = Cell::of_bits(score, STEP_MAX).sides();
        Self {
            longitude: ((longitude.start + longitude.end) / 2.0)
                .clamp(-LONGITUDE_MAX, LONGITUDE_MAX),
            latitude: ((latitude.start + latitude.end) / 2.0).clamp(-LATITUDE_MAX, LATITUDE_MAX),
        }
    }

    /// The position as the public geohash, which spans all latitudes. It has one letter more than 52 bits
    /// can say; that is always `0`.
    #[must_use]
    pub fn geohash(self) -> [u8; GEOHASH_LEN] {
        cell::geohash(self)
    }

    /// The distance along a great circle, metres (haversine).
    #[must_use]
    pub fn distance_to(self, other: Self) -> f64 {
        let v = ((other.longitude * RADIANS - self.longitude * RADIANS) / 2.0).sin();
        if v == 0.0 {
            return self.latitude_distance_to(other);
        }
        let (from, to) = (self.latitude * RADIANS, other.latitude * RADIANS);
        let u = ((to - from) / 2.0).sin();
        let a = u * u + from.cos() * to.cos() * v * v;
        2.0 * EARTH_RADIUS_M * a.sqrt().asin()
    }

    /// The distance between the latitudes, metres.
    fn latitude_distance_to(self, other: Self) -> f64 {
        EARTH_RADIUS_M * (other.latitude * RADIANS - self.latitude * RADIANS).abs()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(longitude: f64, latitude: f64) -> Position {
        Position::new(longitude, latitude).expect("on the map")
    }

    /// What redis-server 7.0.15 keeps, and the geohash it shows for that.
    #[test]
    fn scores_and_geohashes_are_redis_s() {
        for (longitude, latitude, score, geohash) in [
            (13.361389, 38.115556, 3_479_099_956_230_698, "sqc8b49rny0"),
            (15.087269, 37.502669, 3_479_447_370_796_909, "sqdtr74hyu0"),
            (180.0, 85.051_128_78, 13_510_798_882_111_488, "bp05b5048p0"),
            (-180.0, -85.051_128_78, 0, "00bh0hbj200"),
            (0.0, 0.0, 3_377_699_720_527_872, "s0000000000"),
            (-0.000_000_1, 0.000_000_1, 1_876_499_844_737_706, "ebpbpbpbpb0"),
            (-122.4194, 37.7749, 1_367_859_919_124_626, "9q8yyk8ytp0"),
        ] {
            let position = at(longitude, latitude);
            assert_eq!(position.score(), score);
            let kept = Position::of_score(position.score()).geohash();
            assert_eq!(std::str::from_utf8(&kept), Ok(geohash));
        }
    }

    /// Distances between what is kept, as redis-server 7.0.15 replies with them.
    #[test]
    fn distances_are_redis_s() {
        let kept = |longitude, latitude| Position::of_score(at(longitude, latitude).score());
        let palermo = kept(13.361389, 38.115556);
        for (longitude, latitude, distance) in [
            (15.087269, 37.502669, "166274.1516"),
            (180.0, 85.051_128_78, "6307362.7206"),
            (-180.0, -85.051_128_78, "14784257.5187"),
            (0.0, 0.0, "4454733.0204"),
            (-122.4194, 37.7749, "10441392.8274"),
            (151.2093, -33.8688, "16230616.4547"),
            (179.999_999_9, -85.0, "14789766.0595"),
            (13.361389, 38.115556, "0.0000"),
        ] {
            assert_eq!(format!("{:.4}", palermo.distance_to(kept(longitude, latitude))), distance);
        }
    }

    #[test]
    fn the_map_has_ends() {
        for (longitude, latitude) in [
            (180.1, 0.0),
            (-180.1, 0.0),
            (0.0, 85.06),
            (0.0, -85.06),
            (f64::NAN, 0.0),
            (0.0, f64::INFINITY),
        ] {
            assert_eq!(Position::new(longitude, latitude), None);
        }
    }

    #[test]
    fn every_score_is_a_position() {
        for score in [0, 1, (1 << 52) - 1, 1 << 52, u64::MAX] {
            let Position { longitude, latitude } = Position::of_score(score);
            assert!(Position::new(longitude, latitude).is_some());
        }
    }
}
