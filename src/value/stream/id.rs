//! IDs of entries: a time in milliseconds and a number within it.

use crate::base::num;

/// The ID of an entry. IDs of a stream only ascend.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId {
    /// Unix time, milliseconds, if the server chose it.
    pub ms: u64,
    /// Tells entries of one millisecond apart.
    pub seq: u64,
}

/// Longest text that is read as an ID, bytes.
const TEXT_LEN_MAX: usize = 127;

/// What a new entry's ID may be given as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewId {
    /// `*`: the server chooses it.
    Auto,
    /// `ms-*`: the server chooses the number within the millisecond.
    AutoSeq {
        /// The millisecond.
        ms: u64,
    },
    /// The whole ID.
    Explicit(StreamId),
}

impl StreamId {
    /// `0-0`, the smallest one; no entry has it.
    pub const MIN: Self = Self::new(0, 0);
    /// The largest one.
    pub const MAX: Self = Self::new(u64::MAX, u64::MAX);

    /// The ID of these parts.
    #[must_use]
    pub const fn new(ms: u64, seq: u64) -> Self {
        Self { ms, seq }
    }

    /// The next larger one; `None` after the largest.
    #[inline]
    #[must_use]
    pub fn next(self) -> Option<Self> {
        self.to_u128().checked_add(1).map(Self::of_u128)
    }

    /// The next smaller one; `None` before the smallest.
    #[inline]
    #[must_use]
    pub fn prev(self) -> Option<Self> {
        self.to_u128().checked_sub(1).map(Self::of_u128)
    }

    /// Both parts as one number.
    #[inline]
    fn to_u128(self) -> u128 {
        u128::from(self.ms) << 64 | u128::from(self.seq)
    }

    #[inline]
    fn of_u128(number: u128) -> Self {
        Self { ms: num::low_u64(number >> 64), seq: num::low_u64(number) }
    }

    /// As files and keys of radix trees have it: both parts big endian, so that bytes sort as IDs do.
    #[inline]
    #[must_use]
    pub fn to_bytes(self) -> [u8; 16] {
        self.to_u128().to_be_bytes()
    }

    /// The ID that these bytes are.
    #[inline]
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self::of_u128(u128::from_be_bytes(bytes))
    }

    /// Reads `ms` or `ms-seq`; `seq_missing` stands in for a number that is not given.
    ///
    /// Fact: Redis reads both numbers as C's `strtoull` does, and at most 127 bytes, up to the first
    /// zero byte.
    #[must_use]
    pub fn parse(text: &[u8], seq_missing: u64) -> Option<Self> {
        let (ms, seq) = split(text)?;
        let seq = match seq {
            Some(seq) => num::parse_u64_loose(seq)?,
            None => seq_missing,
        };
        Some(Self { ms: num::parse_u64_loose(ms)?, seq })
    }

    /// As [`StreamId::parse`]; `-` and `+` are the smallest and the largest ID.
    #[must_use]
    pub fn parse_bound(text: &[u8], seq_missing: u64) -> Option<Self> {
        match text {
            b"-" => Some(Self::MIN),
            b"+" => Some(Self::MAX),
            text => Self::parse(text, seq_missing),
        }
    }

    /// Appends `ms-seq`.
    pub fn write(self, out: &mut Vec<u8>) {
        num::write_u64(out, self.ms);
        out.push(b'-');
        num::write_u64(out, self.seq);
    }
}

impl std::fmt::Display for StreamId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.ms, self.seq)
    }
}

impl NewId {
    /// Reads `*`, `ms-*`, `ms-seq`, or `ms`, which means `ms-0`.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        if text == b"*" {
            return Some(Self::Auto);
        }
        let (ms, seq) = split(text)?;
        let ms = num::parse_u64_loose(ms)?;
        match seq {
            Some(b"*") => Some(Self::AutoSeq { ms }),
            Some(seq) => Some(Self::Explicit(StreamId { ms, seq: num::parse_u64_loose(seq)? })),
            None => Some(Self::Explicit(StreamId { ms, seq: 0 })),
        }
    }
}

/// The parts of an ID's text.
fn split(text: &[u8]) -> Option<(&[u8], Option<&[u8]>)> {
    if text.len() > TEXT_LEN_MAX {
        return None;
    }
    let text = text.split(|&byte| byte == 0).next()?;
    Some(match text.iter().position(|&byte| byte == b'-') {
        Some(dash) => (&text[..dash], Some(&text[dash + 1..])),
        None => (text, None),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_carry_into_the_milliseconds() {
        let id = StreamId::new(1, u64::MAX);
        assert_eq!(id.next(), Some(StreamId::new(2, 0)));
        assert_eq!(StreamId::new(2, 0).prev(), Some(id));
        assert_eq!((StreamId::MAX.next(), StreamId::MIN.prev()), (None, None));
        assert_eq!(StreamId::from_bytes(id.to_bytes()), id);
        assert_eq!(StreamId::new(1, 2).to_bytes()[7..9], [1, 0]);
    }

    #[test]
    fn ids_are_read_as_redis_reads_them() {
        let id = |ms, seq| Some(StreamId::new(ms, seq));
        assert_eq!(StreamId::parse(b"5", 7), id(5, 7));
        assert_eq!(StreamId::parse(b"5-3", 7), id(5, 3));
        assert_eq!(StreamId::parse(b"05- 3", 7), id(5, 3));
        assert_eq!(StreamId::parse(b"1-2\0rest", 7), id(1, 2));
        for text in
            [&b""[..], b"-", b"+", b"a", b"5-", b"-5", b"5-3-1", b"5-*", b"5 ", &[b'1'; 128]]
        {
            assert_eq!(StreamId::parse(text, 0), None, "{}", text.escape_ascii());
        }
        assert_eq!(StreamId::parse_bound(b"+", 0), Some(StreamId::MAX));
        assert_eq!(StreamId::parse_bound(b"-", 0), Some(StreamId::MIN));
        assert_eq!(NewId::parse(b"*"), Some(NewId::Auto));
        assert_eq!(NewId::parse(b"9-*"), Some(NewId::AutoSeq { ms: 9 }));
        assert_eq!(NewId::parse(b"9"), Some(NewId::Explicit(StreamId::new(9, 0))));
        assert_eq!(NewId::parse(b"9-4"), Some(NewId::Explicit(StreamId::new(9, 4))));
        assert_eq!(NewId::parse(b"*-4"), None);
    }

    #[test]
    fn ids_are_written_with_a_dash() {
        let mut text = Vec::new();
        StreamId::new(12, 3).write(&mut text);
        assert_eq!(text, b"12-3");
        assert_eq!(StreamId::MAX.to_string(), "18446744073709551615-18446744073709551615");
    }
}
