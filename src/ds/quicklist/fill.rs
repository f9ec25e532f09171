//! How much belongs in one node: the meaning of `list-max-listpack-size`.

use crate::base::num;

/// Longest node where elements are counted, bytes.
const COUNTED_BYTES_MAX: usize = 8192;
/// Longest nodes for -1, -2 and so on, bytes.
const BYTES_MAX: [usize; 5] = [4096, 8192, 16_384, 32_768, 65_536];

/// How much belongs in one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fill {
    bytes_max: usize,
    /// `None` if bytes alone are the limit.
    count_max: Option<u32>,
    /// Elements of so many bytes stand alone; `None`: those longer than `bytes_max`.
    pub plain_from: Option<usize>,
}

impl Fill {
    /// What a value of the directive means: so many elements, or for -1 to -5 so many bytes: 4, 8, 16,
    /// 32, 64 KiB. Every number has a meaning.
    #[must_use]
    pub fn of_directive(size: i32) -> Self {
        match u32::try_from(size) {
            Ok(count) => Self {
                bytes_max: COUNTED_BYTES_MAX,
                count_max: Some(count.max(1)),
                plain_from: None,
            },
            Err(_) => {
                let level = num::usize_of_u32(size.unsigned_abs()).min(BYTES_MAX.len());
                Self { bytes_max: BYTES_MAX[level - 1], count_max: None, plain_from: None }
            }
        }
    }

    /// The same, but at most so many elements.
    pub(super) fn at_most(self, count_max: u32) -> Self {
        Self { count_max: self.count_max.map(|count| count.min(count_max)), ..self }
    }

    /// Whether this is more than belongs in one node.
    #[inline]
    #[must_use]
    pub fn is_exceeded(&self, bytes: usize, count: usize) -> bool {
        bytes > self.bytes_max
            || self.count_max.is_some_and(|count_max| count > num::usize_of_u32(count_max))
    }

    /// Whether this is more than half of what belongs in one node; counted elements may be of any size.
    #[must_use]
    pub fn is_half_exceeded(&self, bytes: usize, count: usize) -> bool {
        match self.count_max {
            Some(count_max) => count > num::usize_of_u32(count_max / 2),
            None => bytes > self.bytes_max / 2,
        }
    }

    /// Whether an element of so many bytes stands alone.
    #[inline]
    #[must_use]
    pub fn is_large(&self, text_len: usize) -> bool {
        match self.plain_from {
            Some(plain_from) => text_len >= plain_from,
            None => text_len > self.bytes_max,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn negative_sizes_are_bytes_and_others_counts() {
        for (size, bytes) in
            [(-1, 4096), (-2, 8192), (-5, 65_536), (-6, 65_536), (i32::MIN, 65_536)]
        {
            let fill = Fill::of_directive(size);
            assert!(!fill.is_exceeded(bytes, usize::MAX) && fill.is_exceeded(bytes + 1, 1));
            assert!(!fill.is_large(bytes) && fill.is_large(bytes + 1));
            assert!(
                !fill.is_half_exceeded(bytes / 2, 9) && fill.is_half_exceeded(bytes / 2 + 1, 1)
            );
        }
        for (size, count) in [(0, 1), (1, 1), (128, 128), (i32::MAX, 2_147_483_647)] {
            let fill = Fill::of_directive(size);
            assert!(!fill.is_exceeded(8192, count) && fill.is_exceeded(7, count + 1));
            assert!(fill.is_exceeded(8193, 1));
            assert!(!fill.is_half_exceeded(8193, count / 2));
            assert!(fill.is_half_exceeded(7, count / 2 + 1));
        }
    }

    #[test]
    fn a_threshold_makes_elements_stand_alone() {
        let fill = Fill { plain_from: Some(10), ..Fill::of_directive(-2) };
        assert!(fill.is_large(10) && !fill.is_large(9));
    }
}
