//! The estimate from how many registers have which value (Ertl 2017, algorithm 6).
//!
//! Computed in the order of operations that Redis uses, so that rounding gives the same number.

use super::{COUNTED_BITS, REGISTER_COUNT, Registers};
use crate::base::num;

/// How many registers have each value.
pub(super) type Histogram = [u32; 64];

/// 1 / (2 ln 2)
const ALPHA: f64 = 0.721_347_520_444_481_7;
/// The greatest value a register has unless somebody wrote it by hand.
const VALUE_MAX: usize = num::usize_of_u32(COUNTED_BITS) + 1;

/// Counts registers by value. Neighbours are counted apart, so that equal ones do not wait for each
/// other.
pub(super) fn histogram(registers: &Registers) -> Histogram {
    let mut parts = [[0u32; 64]; 4];
    let (fours, _) = registers.as_chunks::<4>();
    for four in fours {
        for (part, &value) in parts.iter_mut().zip(four) {
            part[usize::from(value % 64)] += 1;
        }
    }
    std::array::from_fn(|value| parts.iter().map(|part| part[value]).sum())
}

/// The estimated number of distinct elements.
pub(super) fn of_histogram(histogram: &Histogram) -> u64 {
    let m = num::f64_of_usize(REGISTER_COUNT);
    let share = |value: usize| f64::from(histogram[value]) / m;
    let below_max = (m - f64::from(histogram[VALUE_MAX])) / m;
    let mut z = m * tau(below_max);
    for &count in histogram[1..VALUE_MAX].iter().rev() {
        z += f64::from(count);
        z *= 0.5;
    }
    z += m * sigma(share(0));
    let estimate = (ALPHA * m * m / z).round();
    // Registers that no element can have brought about; the reply is what `llroundl` makes of them.
    if estimate.is_finite() { num::u64_truncated(estimate) } else { 1 << 63 }
}

fn sigma(mut x: f64) -> f64 {
    if x == 1.0 {
        return f64::INFINITY;
    }
    let (mut y, mut z) = (1.0, x);
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if z == before {
            return z;
        }
    }
}

fn tau(mut x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let (mut y, mut z) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = z;
        y *= 0.5;
        z -= (1.0 - x) * (1.0 - x) * y;
        if z == before {
            return z / 3.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn histograms_count_every_register() {
        let registers: Registers =
            std::array::from_fn(|index| num::low_u8(num::u64_of(index % 61)));
        let histogram = histogram(&registers);
        for (value, &count) in histogram.iter().enumerate() {
            let expected = registers.iter().filter(|&&other| usize::from(other) == value).count();
            assert_eq!(num::usize_of_u32(count), expected);
        }
    }

    #[test]
    fn extremes_end() {
        let all = |value: usize| {
            let mut histogram = [0; 64];
            histogram[value] = 16_384;
            of_histogram(&histogram)
        };
        assert_eq!((all(0), all(51), all(63)), (0, 1 << 63, 1 << 63));
        assert!((all(1)..all(50)).contains(&all(20)));
    }
}
