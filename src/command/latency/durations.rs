//! How long the executions of a command took.

use hdrhistogram::Histogram;

/// Longest duration told apart, nanoseconds: one second, as in Redis.
const LONGEST_NS: u64 = 1_000_000_000;
/// Durations below this are counted one by one, as the histogram would count them: most of them are, and one
/// addition is all that costs.
const SHORT_NS: usize = 256;

/// Numbers of durations, told apart by their first two digits.
#[derive(Clone, Debug)]
pub struct Durations {
    short: [u64; SHORT_NS],
    longer: Histogram<u64>,
}

impl Durations {
    /// None yet.
    #[cold]
    pub fn new() -> Box<Self> {
        let longer = Histogram::new_with_bounds(1, LONGEST_NS, 2);
        let longer = longer.expect("the bounds are constants that fit");
        Box::new(Self { short: [0; SHORT_NS], longer })
    }

    /// Adds one, nanoseconds.
    #[inline]
    pub fn add(&mut self, nanos: u64) {
        let short = usize::try_from(nanos).ok().and_then(|nanos| self.short.get_mut(nanos));
        match short {
            Some(count) => *count += 1,
            None => self.longer.saturating_record(nanos),
        }
    }

    /// All of them.
    pub fn histogram(&self) -> Histogram<u64> {
        let mut all = self.longer.clone();
        for (nanos, &count) in (0..).zip(&self.short).filter(|(_, count)| **count > 0) {
            all.saturating_record_n(std::cmp::max(nanos, 1), count);
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_counted_as_a_histogram_counts_them() {
        let mut durations = Durations::new();
        let mut expected = Histogram::<u64>::new_with_bounds(1, LONGEST_NS, 2).expect("bounds");
        for nanos in [0, 0, 1, 7, 7, 254, 255, 256, 257, 1000, 999_999_999, 1 << 40] {
            durations.add(nanos);
            expected.saturating_record(nanos.max(1));
        }
        assert_eq!(durations.histogram(), expected);
        assert_eq!(expected.count_at(7), 2);
    }
}
