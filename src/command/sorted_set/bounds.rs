//! Ranges as arguments: of ranks, of scores, of members.

use crate::base::float;
use crate::command::Error;
use crate::value::SortedSetRef;
use crate::value::sorted_set::{Edge, Side};
use std::ops::Range;

const NOT_A_SCORE: Error = Error::fixed("ERR min or max is not a float");
const NOT_A_MEMBER: Error = Error::fixed("ERR min or max not valid string range item");

/// A range of members, yet without a set.
#[derive(Clone, Copy, Debug)]
pub(super) enum Bounds<'a> {
    /// First and last rank; negative ones count from the end.
    Ranks(i64, i64),
    /// Lower and upper bound.
    Scores(Bound<f64>, Bound<f64>),
    /// Lower and upper bound.
    Members(Limit<'a>, Limit<'a>),
}

/// A score that ends a range.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bound<T> {
    value: T,
    /// Whether members with this very value are in the range.
    reach: Reach,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    Inclusive,
    Exclusive,
}

/// A member that ends a range.
#[derive(Clone, Copy, Debug)]
pub(super) enum Limit<'a> {
    /// `-`: before all.
    Lowest,
    /// `+`: behind all.
    Highest,
    /// `[member` or `(member`.
    At(Bound<&'a [u8]>),
}

/// The number that C's `strtod` reads, if it reads all of the text: as a C string, which ends at a zero
/// byte, with blanks in front. Nothing at all is 0; NaN is refused.
fn parse_score(text: &[u8]) -> Option<f64> {
    let text = text.split(|&byte| byte == 0).next().unwrap_or_default();
    if text.is_empty() {
        return Some(0.0);
    }
    let blanks = text.iter().take_while(|byte| matches!(byte, b' ' | b'\t'..=b'\r')).count();
    let text = &text[blanks..];
    if let Some(score) = float::parse_f64(text) {
        return Some(score);
    }
    // Too large or too small a number is not refused here, but becomes infinite or 0.
    let decimal = |byte: &u8| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-');
    let text = std::str::from_utf8(text).ok().filter(|text| text.as_bytes().iter().all(decimal))?;
    text.parse().ok()
}

impl Bound<f64> {
    fn parse(text: &[u8]) -> Result<Self, Error> {
        let (reach, number) = match text {
            [b'(', number @ ..] => (Reach::Exclusive, number),
            number => (Reach::Inclusive, number),
        };
        let value = parse_score(number).ok_or(NOT_A_SCORE)?;
        Ok(Self { value, reach })
    }

    /// The place where a range that begins here begins.
    fn lower(self) -> Edge<'static> {
        Edge::Score(self.value, self.reach.lower())
    }

    fn upper(self) -> Edge<'static> {
        Edge::Score(self.value, self.reach.upper())
    }
}

impl Reach {
    const fn lower(self) -> Side {
        match self {
            Self::Inclusive => Side::Before,
            Self::Exclusive => Side::After,
        }
    }

    const fn upper(self) -> Side {
        match self {
            Self::Inclusive => Side::After,
            Self::Exclusive => Side::Before,
        }
    }
}

impl<'a> Limit<'a> {
    fn parse(text: &'a [u8]) -> Result<Self, Error> {
        match text {
            b"-" => Ok(Self::Lowest),
            b"+" => Ok(Self::Highest),
            [b'[', value @ ..] => Ok(Self::At(Bound { value, reach: Reach::Inclusive })),
            [b'(', value @ ..] => Ok(Self::At(Bound { value, reach: Reach::Exclusive })),
            _ => Err(NOT_A_MEMBER),
        }
    }

    /// The rank that this place has in a set, `side` telling on which side of a member it is.
    fn rank(self, set: SortedSetRef<'_>, side: impl FnOnce(Reach) -> Side) -> usize {
        match self {
            Self::Lowest => 0,
            Self::Highest => set.len(),
            Self::At(Bound { value, reach }) => set.rank_of_edge(Edge::Member(value, side(reach))),
        }
    }
}

impl<'a> Bounds<'a> {
    /// A range of scores.
    ///
    /// # Errors
    /// No floats.
    pub(super) fn scores(min: &[u8], max: &[u8]) -> Result<Self, Error> {
        Ok(Self::Scores(Bound::parse(min)?, Bound::parse(max)?))
    }

    /// A range of members.
    ///
    /// # Errors
    /// Neither `-` nor `+` nor `[` or `(` before a member.
    pub(super) fn members(min: &'a [u8], max: &'a [u8]) -> Result<Self, Error> {
        Ok(Self::Members(Limit::parse(min)?, Limit::parse(max)?))
    }

    /// The ranks, ascending, of the members that a set has in the range. O(log n).
    pub(super) fn ranks(self, set: SortedSetRef<'_>) -> Range<usize> {
        let (start, end) = match self {
            Self::Ranks(start, stop) => return clamp_ranks(start, stop, set.len()),
            Self::Scores(min, max) => {
                (set.rank_of_edge(min.lower()), set.rank_of_edge(max.upper()))
            }
            Self::Members(min, max) => (min.rank(set, Reach::lower), max.rank(set, Reach::upper)),
        };
        start..end.max(start)
    }
}

/// The ranks from `start` to `stop`, negative ones being counted from the end, that a set has.
pub(super) fn clamp_ranks(start: i64, stop: i64, len: usize) -> Range<usize> {
    // A rank that is still negative is before all.
    let from_end = |rank: i64| {
        if rank < 0 {
            len.checked_sub(usize_of(rank.unsigned_abs()))
        } else {
            Some(usize_of(rank.unsigned_abs()))
        }
    };
    let start = from_end(start).unwrap_or(0);
    let end = from_end(stop).map_or(0, |stop| stop.saturating_add(1)).min(len);
    start.min(end)..end
}

use crate::base::num::usize_of;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_clamped_to_the_set() {
        for (start, stop, len, expected) in [
            (0, -1, 5, 0..5),
            (0, 10, 5, 0..5),
            (-3, -2, 5, 2..4),
            (-100, 1, 5, 0..2),
            (i64::MIN, i64::MAX, 5, 0..5),
            (3, 1, 5, 2..2),
            (5, 9, 5, 5..5),
            (0, -6, 5, 0..0),
            (i64::MAX, i64::MIN, 5, 0..0),
        ] {
            assert_eq!(clamp_ranks(start, stop, len), expected, "{start} {stop}");
        }
    }

    #[test]
    fn scores_are_read_as_strtod_does() {
        for (text, expected) in [
            (&b""[..], Some(0.0)),
            (b" ", None),
            (b" 1", Some(1.0)),
            (b"1 ", None),
            (b"1\0x", Some(1.0)),
            (b"1e500", Some(f64::INFINITY)),
            (b"-1e500", Some(f64::NEG_INFINITY)),
            (b"1e-500", Some(0.0)),
            (b"0x10", Some(16.0)),
            (b"-inf", Some(f64::NEG_INFINITY)),
            (b"nan", None),
            (b"1e", None),
            (b"abc", None),
        ] {
            assert_eq!(parse_score(text), expected, "{}", text.escape_ascii());
        }
    }
}
