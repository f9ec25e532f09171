//! Medians and spreads of a few samples, and a histogram for millions of latencies.

use std::time::Duration;

/// Samples of one quantity.
#[derive(Clone, Debug, Default)]
pub(crate) struct Samples(Vec<f64>);

impl Samples {
    pub(crate) fn push(&mut self, sample: f64) {
        self.0.push(sample);
    }

    /// The sample that was added last.
    pub(crate) fn last(&self) -> Option<f64> {
        self.0.last().copied()
    }

    /// The middle sample, or the mean of the two in the middle; `None` without samples.
    pub(crate) fn median(&self) -> Option<f64> {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        let upper = *sorted.get(middle)?;
        if sorted.len() % 2 == 1 {
            return Some(upper);
        }
        Some(f64::midpoint(sorted[middle - 1], upper))
    }

    /// Half of what lies between the least and the greatest sample, in percent of the median.
    pub(crate) fn spread_percent(&self) -> f64 {
        let least = self.0.iter().copied().fold(f64::INFINITY, f64::min);
        let greatest = self.0.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        match self.median() {
            Some(median) if median > 0.0 => (greatest - least) / 2.0 / median * 100.0,
            Some(_) | None => 0.0,
        }
    }
}

/// Nanoseconds as a number of microseconds.
pub(crate) fn micros(nanoseconds: u64) -> f64 {
    Duration::from_nanos(nanoseconds).as_secs_f64() * 1e6
}

/// Bytes as a number of MiB, whole KiB of them.
pub(crate) fn mebibytes(bytes: u64) -> f64 {
    // Exact up to 4 TiB, since memory comes in pages.
    f64::from(u32::try_from(bytes / 1024).unwrap_or(u32::MAX)) / 1024.0
}

/// The latency that all but one in `one_in` samples stay within; sorts the samples.
pub(crate) fn percentile(samples: &mut [u64], one_in: usize) -> u64 {
    samples.sort_unstable();
    let above = samples.len() / one_in;
    samples.get(samples.len().saturating_sub(1 + above)).copied().unwrap_or(0)
}
