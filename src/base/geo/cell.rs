//! Rectangles of the map: each side of the map is halved `step` times.

use super::{LATITUDE_MAX, LONGITUDE_MAX, Position};
use crate::base::num;
use std::ops::Range;

/// The finest division: two coordinates of 26 bits are exact as a double.
pub(super) const STEP_MAX: u32 = 26;

/// Letters of a geohash.
pub const GEOHASH_LEN: usize = 11;
const LETTERS: &[u8; 32] = b"0123456789bcdefghjkmnpqrstuvwxyz";

/// One rectangle. Numbers count from the south-west; those of a position at the very end of the map are
/// one too great, and stay so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cell {
    longitude: u32,
    latitude: u32,
    step: u32,
}

impl Cell {
    /// The cell of a position, on a map that ends at a latitude of `latitude_max`.
    pub(super) fn of(position: Position, latitude_max: f64, step: u32) -> Self {
        let index = |value: f64, max: f64| {
            let share = (value + max) / (max + max);
            num::low_u32(num::u64_truncated(share * num::f64_of_u64(1 << step)))
        };
        Self {
            longitude: index(position.longitude, LONGITUDE_MAX),
            latitude: index(position.latitude, latitude_max),
            step,
        }
    }

    /// The cell whose numbers, interleaved, are `bits`.
    pub(super) const fn of_bits(bits: u64, step: u32) -> Self {
        Self { longitude: every_second(bits >> 1), latitude: every_second(bits), step }
    }

    /// Its numbers interleaved, longitude first.
    pub(super) const fn bits(self) -> u64 {
        spread(self.longitude) << 1 | spread(self.latitude)
    }

    /// Its longitudes and latitudes, degrees.
    pub(super) fn sides(self) -> [Range<f64>; 2] {
        let count = num::f64_of_u64(1 << self.step);
        let side = |index: u32, max: f64| {
            let edge = |index: u64| -max + (num::f64_of_u64(index) / count) * (max + max);
            edge(u64::from(index))..edge(u64::from(index) + 1)
        };
        [side(self.longitude, LONGITUDE_MAX), side(self.latitude, LATITUDE_MAX)]
    }

    /// The scores of the positions inside.
    pub(super) const fn scores(self) -> Range<u64> {
        let shift = 2 * (STEP_MAX - self.step);
        self.bits() << shift..(self.bits() + 1) << shift
    }

    /// The cell so many steps to the east and to the north; the map has no ends.
    pub(super) const fn moved(self, east: i32, north: i32) -> Self {
        Self {
            longitude: self.turned(self.longitude, east),
            latitude: self.turned(self.latitude, north),
            ..self
        }
    }

    const fn turned(self, index: u32, by: i32) -> u32 {
        if by == 0 { index } else { index.wrapping_add_signed(by) & ((1 << self.step) - 1) }
    }
}

/// A zero bit before each bit.
const fn spread(index: u32) -> u64 {
    let mut bits = num::u64_of(num::usize_of_u32(index));
    bits = (bits | bits << 16) & 0x0000_ffff_0000_ffff;
    bits = (bits | bits << 8) & 0x00ff_00ff_00ff_00ff;
    bits = (bits | bits << 4) & 0x0f0f_0f0f_0f0f_0f0f;
    bits = (bits | bits << 2) & 0x3333_3333_3333_3333;
    (bits | bits << 1) & 0x5555_5555_5555_5555
}

/// The reverse of [`spread`]; the bits between are dropped.
const fn every_second(bits: u64) -> u32 {
    let bits = bits & 0x5555_5555_5555_5555;
    let bits = (bits | bits >> 1) & 0x3333_3333_3333_3333;
    let bits = (bits | bits >> 2) & 0x0f0f_0f0f_0f0f_0f0f;
    let bits = (bits | bits >> 4) & 0x00ff_00ff_00ff_00ff;
    let bits = (bits | bits >> 8) & 0x0000_ffff_0000_ffff;
    num::low_u32(bits | bits >> 16)
}

/// See [`Position::geohash`].
pub(super) fn geohash(position: Position) -> [u8; GEOHASH_LEN] {
    let bits = Cell::of(position, 90.0, STEP_MAX).bits();
    let mut letters = [LETTERS[0]; GEOHASH_LEN];
    // The last letter has no bits left.
    for (nth, letter) in (1..GEOHASH_LEN).zip(&mut letters) {
        *letter = LETTERS[num::usize_of(bits >> (52 - 5 * nth) & 31)];
    }
    letters
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::Rng;

    #[test]
    fn bits_are_those_of_both_numbers_in_turn() {
        let mut rng = Rng::seeded(41);
        for _ in 0..1000 {
            let bits = rng.next_u64();
            let cell = Cell::of_bits(bits, STEP_MAX);
            assert_eq!(cell.bits(), bits);
            for bit in 0..32 {
                assert_eq!(u64::from(cell.latitude >> bit & 1), bits >> (2 * bit) & 1);
                assert_eq!(u64::from(cell.longitude >> bit & 1), bits >> (2 * bit + 1) & 1);
            }
        }
    }

    #[test]
    fn a_cell_contains_its_positions() {
        let mut rng = Rng::seeded(42);
        for step in 1..=STEP_MAX {
            for _ in 0..100 {
                let longitude = (rng.next_f64() - 0.5) * 2.0 * LONGITUDE_MAX;
                let latitude = (rng.next_f64() - 0.5) * 2.0 * LATITUDE_MAX;
                let position = Position::new(longitude, latitude).expect("on the map");
                let cell = Cell::of(position, LATITUDE_MAX, step);
                let [longitudes, latitudes] = cell.sides();
                assert!(longitudes.contains(&longitude) && latitudes.contains(&latitude));
                assert!(cell.scores().contains(&position.score()));
            }
        }
    }

    #[test]
    fn the_map_is_round() {
        let cell = Cell { longitude: 0, latitude: 7, step: 3 };
        assert_eq!(cell.moved(-1, 1), Cell { longitude: 7, latitude: 0, step: 3 });
        assert_eq!(cell.moved(1, 0), Cell { longitude: 1, latitude: 7, step: 3 });
    }
}
