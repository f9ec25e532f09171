//! When a command acts: NX, XX, and the comparisons of Redis 8.4 (IFEQ, IFNE, IFDEQ, IFDNE).

use crate::command::Error;
use crate::resp::Args;
use crate::value::Str;

/// A digest is printed with this many hexadecimal digits.
const DIGEST_LEN: usize = 16;
const BAD_DIGEST: Error = Error::fixed("ERR must be exactly 16 hexadecimal characters");

/// What a key must hold for a command to act on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    /// Anything or nothing.
    Always,
    /// Nothing.
    Missing,
    /// Anything.
    Exists,
    /// A string that argument `.0` compares to.
    Compared(Comparison, usize),
}

/// How a string compares to an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    /// They are the same.
    Equal,
    /// They differ; a missing string does, too.
    NotEqual,
    /// The argument is the string's digest.
    DigestEqual,
    /// The argument is not the string's digest; a missing string has none.
    DigestNotEqual,
}

impl Comparison {
    /// The comparison that a word names.
    pub(super) fn of_word(word: &[u8]) -> Option<Self> {
        let is = |name: &[u8]| word.eq_ignore_ascii_case(name);
        if is(b"ifeq") {
            Some(Self::Equal)
        } else if is(b"ifne") {
            Some(Self::NotEqual)
        } else if is(b"ifdeq") {
            Some(Self::DigestEqual)
        } else if is(b"ifdne") {
            Some(Self::DigestNotEqual)
        } else {
            None
        }
    }

    /// Whether `string` compares so to `operand`.
    ///
    /// # Errors
    /// A digest of another length than digests have.
    pub(super) fn holds(self, string: Str<'_>, operand: &[u8]) -> Result<bool, Error> {
        match self {
            Self::Equal => Ok(string.with_bytes(|bytes| bytes == operand)),
            Self::NotEqual => Ok(string.with_bytes(|bytes| bytes != operand)),
            Self::DigestEqual => digest_is(string, operand),
            Self::DigestNotEqual => digest_is(string, operand).map(|is| !is),
        }
    }
}

impl Condition {
    /// Whether a key that does not exist meets it.
    pub(super) const fn holds_for_missing(self) -> bool {
        match self {
            Self::Always
            | Self::Missing
            | Self::Compared(Comparison::NotEqual | Comparison::DigestNotEqual, _) => true,
            Self::Exists | Self::Compared(Comparison::Equal | Comparison::DigestEqual, _) => false,
        }
    }

    /// Whether a key that exists meets it; `string` is what it holds, if that is a string.
    ///
    /// # Errors
    /// A comparison with no string, or with what can be no digest.
    pub(super) fn holds(self, string: Option<Str<'_>>, args: Args<'_>) -> Result<bool, Error> {
        match self {
            Self::Always | Self::Exists => Ok(true),
            Self::Missing => Ok(false),
            Self::Compared(comparison, index) => {
                comparison.holds(string.ok_or(Error::WRONG_TYPE)?, args.at(index))
            }
        }
    }
}

/// The digest of a string: XXH3 with 64 bits, as hexadecimal digits.
pub(super) fn digest(string: Str<'_>) -> String {
    format!("{:0DIGEST_LEN$x}", string.with_bytes(xxhash_rust::xxh3::xxh3_64))
}

fn digest_is(string: Str<'_>, expected: &[u8]) -> Result<bool, Error> {
    if expected.len() != DIGEST_LEN {
        return Err(BAD_DIGEST);
    }
    Ok(digest(string).as_bytes().eq_ignore_ascii_case(expected))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_those_of_redis_8_4() {
        for (bytes, expected) in [
            (&b"hello"[..], "9555e8555c62dcfd"),
            (b"", "2d06800538d394c2"),
            (b"v8", "0cc76dbb41381419"),
            (b"Hello world", "b6acb9d84a38ff74"),
            (
                b"v8lf0c11xh8ymlqztfd3eeq16kfn4sspw7fqmnuuq3k3t75em5wdizgcdw7uc26nnf961u2jkfzkjytls2kwlj7626sd",
                "00006c38adf31777",
            ),
        ] {
            assert_eq!(digest(Str::Bytes(bytes)), expected, "{}", bytes.escape_ascii());
        }
        assert_eq!(digest(Str::Integer(123)), "404a763b3f4c8c9a");
    }

    #[test]
    fn a_digest_compares_in_any_case_and_only_at_full_length() {
        let hello = Str::Bytes(b"hello");
        assert_eq!(Comparison::DigestEqual.holds(hello, b"9555E8555c62dcfd"), Ok(true));
        assert_eq!(Comparison::DigestNotEqual.holds(hello, b"zzzzzzzzzzzzzzzz"), Ok(true));
        for short in [&b""[..], b"9555e8555c62dcf", b"09555e8555c62dcfd"] {
            assert_eq!(Comparison::DigestEqual.holds(hello, short), Err(BAD_DIGEST));
            assert_eq!(Comparison::DigestNotEqual.holds(hello, short), Err(BAD_DIGEST));
        }
    }
}
