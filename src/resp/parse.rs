//! Commands out of bytes, as offsets: nothing is copied and nothing allocated for a command or its
//! arguments.
//!
//! [`parse`] looks at complete commands in a buffer. A command that is not complete yet leaves its
//! bytes where they are; one that is large is collected by [`super::Assembly`] instead.

use crate::base::num;
use memchr::memchr;

/// Longest inline command, and longest line of a length, bytes.
pub const INLINE_LEN_MAX: usize = 64 * 1024;
/// Arguments from this length on are collected in a buffer of their own, bytes.
pub const BIG_ARG_LEN_MIN: usize = 32 * 1024;
/// Most arguments of a command before authentication.
const UNAUTHENTICATED_ARGS_MAX: i64 = 10;
/// Longest argument before authentication, bytes.
const UNAUTHENTICATED_LEN_MAX: i64 = 16_384;

/// Where an argument lies in its buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Offset of the first byte; for an argument of its own, [`Span::BIG`].
    pub start: u32,
    /// Length in bytes; for an argument of its own, its index among those.
    pub len: u32,
}

impl Span {
    /// Marks, in `start`, an argument that has a buffer of its own.
    pub const BIG: u32 = u32::MAX;

    fn new(start: usize, len: usize) -> Self {
        let invariant = "a read buffer is far below 4 GiB";
        Self { start: num::u32_of(start, invariant), len: num::u32_of(len, invariant) }
    }
}

/// What a client may send at this moment.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// `proto-max-bulk-len`, bytes.
    pub bulk_len_max: i64,
    /// Whether the client has authenticated; before that, small limits hold.
    pub trust: Trust,
}

/// Whether a client has authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Not yet.
    Unauthenticated,
    /// It may do what its user may.
    Authenticated,
}

/// Why a stream of bytes cannot be a stream of commands. `Display` is the text after `ERR Protocol
/// error: `.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProtocolError {
    /// An inline command without an end within [`INLINE_LEN_MAX`].
    InlineTooLong,
    /// Quotes of an inline command do not close.
    UnbalancedQuotes,
    /// The count of arguments has no end within [`INLINE_LEN_MAX`].
    CountTooLong,
    /// The count of arguments is no number or out of range.
    InvalidCount,
    /// More arguments than an unauthenticated client may send.
    UnauthenticatedCount,
    /// The length of an argument has no end within [`INLINE_LEN_MAX`].
    LengthTooLong,
    /// A `$` was expected and this byte found.
    ExpectedBulk(u8),
    /// The length of an argument is no number or out of range.
    InvalidLength,
    /// A longer argument than an unauthenticated client may send.
    UnauthenticatedLength,
}

impl ProtocolError {
    /// The bytes of the error's text.
    pub fn text(self) -> Vec<u8> {
        let text: &[u8] = match self {
            Self::InlineTooLong => b"too big inline request",
            Self::UnbalancedQuotes => b"unbalanced quotes in request",
            Self::CountTooLong => b"too big mbulk count string",
            Self::InvalidCount => b"invalid multibulk length",
            Self::UnauthenticatedCount => b"unauthenticated multibulk length",
            Self::LengthTooLong => b"too big bulk count string",
            Self::ExpectedBulk(found) => {
                return [b"expected '$', got '", &[found][..], b"'"].concat();
            }
            Self::InvalidLength => b"invalid bulk length",
            Self::UnauthenticatedLength => b"unauthenticated bulk length",
        };
        text.to_vec()
    }
}

/// What [`parse`] found at the front of a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// A command; its arguments were pushed, its bytes end at this offset.
    Command {
        /// Offset of the byte after it.
        end: usize,
    },
    /// An inline command: one line of words, still to be split.
    Inline {
        /// Offset of the line.
        start: usize,
        /// Its length without the line end.
        len: usize,
        /// Offset of the byte after it.
        end: usize,
    },
    /// An empty line or an empty array, which mean nothing; they end at this offset.
    Nothing {
        /// Offset of the byte after it.
        end: usize,
    },
    /// The command is not complete; nothing was pushed.
    Incomplete(Incomplete),
}

/// How to go on with an incomplete command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Incomplete {
    /// Keep its bytes and parse again when there are more.
    Small,
    /// It declares an argument of at least [`BIG_ARG_LEN_MIN`], or is long already: collect it.
    Large,
}

/// A number line: its value and the offset after it, or that it has no end yet.
pub(super) enum Line {
    Value { value: i64, end: usize },
    Incomplete,
}

/// Reads `digits CR LF` at `at`. Like Redis it looks for CR and skips the byte after it unseen.
#[inline]
pub(super) fn number_line(
    buf: &[u8],
    at: usize,
    too_long: ProtocolError,
    invalid: ProtocolError,
) -> Result<Line, ProtocolError> {
    let mut value: i64 = 0;
    let mut index = at;
    // The common case, up to six digits, without a search and a second pass.
    while let Some(digit) = buf.get(index).map(|byte| byte.wrapping_sub(b'0'))
        && digit <= 9
        && index - at < 6
    {
        value = value * 10 + i64::from(digit);
        index += 1;
    }
    if index > at && buf.get(index) == Some(&b'\r') && (buf[at] != b'0' || index == at + 1) {
        return Ok(match buf.get(index + 1) {
            Some(_) => Line::Value { value, end: index + 2 },
            None => Line::Incomplete,
        });
    }
    number_line_slow(&buf[at..], too_long, invalid).map(|line| match line {
        Line::Value { value, end } => Line::Value { value, end: at + end },
        Line::Incomplete => Line::Incomplete,
    })
}

#[cold]
fn number_line_slow(
    rest: &[u8],
    too_long: ProtocolError,
    invalid: ProtocolError,
) -> Result<Line, ProtocolError> {
    // What is found must not depend on how much has arrived behind the longest line.
    let window = &rest[..rest.len().min(INLINE_LEN_MAX + 1)];
    let Some(len) = memchr(b'\r', window) else {
        return if rest.len() > INLINE_LEN_MAX { Err(too_long) } else { Ok(Line::Incomplete) };
    };
    if len + 1 >= rest.len() {
        return Ok(Line::Incomplete);
    }
    match num::parse_i64(&rest[..len]) {
        Some(value) => Ok(Line::Value { value, end: len + 2 }),
        None => Err(invalid),
    }
}

/// Checks a count of arguments; `None` for an array that means nothing.
pub(super) fn check_count(value: i64, trust: Trust) -> Result<Option<u32>, ProtocolError> {
    if value > i64::from(i32::MAX) {
        return Err(ProtocolError::InvalidCount);
    }
    if trust == Trust::Unauthenticated && value > UNAUTHENTICATED_ARGS_MAX {
        return Err(ProtocolError::UnauthenticatedCount);
    }
    Ok(u32::try_from(value).ok().filter(|&count| count > 0))
}

/// Checks the length of an argument.
pub(super) fn check_len(value: i64, limits: Limits) -> Result<usize, ProtocolError> {
    let len = usize::try_from(value).map_err(|_| ProtocolError::InvalidLength)?;
    if value > limits.bulk_len_max {
        return Err(ProtocolError::InvalidLength);
    }
    if limits.trust == Trust::Unauthenticated && value > UNAUTHENTICATED_LEN_MAX {
        return Err(ProtocolError::UnauthenticatedLength);
    }
    Ok(len)
}

/// Looks for one command in `buf` from `at` on and pushes its arguments to `spans`.
///
/// # Errors
/// The bytes can be no command, whatever follows.
#[inline]
pub fn parse(
    buf: &[u8],
    at: usize,
    limits: Limits,
    spans: &mut Vec<Span>,
) -> Result<Parsed, ProtocolError> {
    if buf[at] != b'*' {
        return inline(buf, at);
    }
    let first = spans.len();
    let found = multibulk(buf, at, limits, spans);
    if !matches!(found, Ok(Parsed::Command { .. })) {
        spans.truncate(first);
    }
    found
}

#[inline]
fn multibulk(
    buf: &[u8],
    at: usize,
    limits: Limits,
    spans: &mut Vec<Span>,
) -> Result<Parsed, ProtocolError> {
    let line = number_line(buf, at + 1, ProtocolError::CountTooLong, ProtocolError::InvalidCount)?;
    let Line::Value { value, end: mut pos } = line else { return Ok(incomplete(buf, at)) };
    let Some(count) = check_count(value, limits.trust)? else {
        return Ok(Parsed::Nothing { end: pos });
    };
    for _ in 0..count {
        match buf.get(pos) {
            Some(b'$') => {}
            Some(&other) => return Err(ProtocolError::ExpectedBulk(other)),
            None => return Ok(incomplete(buf, at)),
        }
        let line =
            number_line(buf, pos + 1, ProtocolError::LengthTooLong, ProtocolError::InvalidLength)?;
        let Line::Value { value, end: start } = line else { return Ok(incomplete(buf, at)) };
        let len = check_len(value, limits)?;
        pos = start + len + 2;
        if pos > buf.len() {
            if len >= BIG_ARG_LEN_MIN {
                return Ok(Parsed::Incomplete(Incomplete::Large));
            }
            return Ok(incomplete(buf, at));
        }
        spans.push(Span::new(start, len));
    }
    Ok(Parsed::Command { end: pos })
}

fn incomplete(buf: &[u8], at: usize) -> Parsed {
    let large = buf.len() - at >= BIG_ARG_LEN_MIN;
    Parsed::Incomplete(if large { Incomplete::Large } else { Incomplete::Small })
}

#[cold]
fn inline(buf: &[u8], at: usize) -> Result<Parsed, ProtocolError> {
    let rest = &buf[at..];
    let window = &rest[..rest.len().min(INLINE_LEN_MAX + 1)];
    let Some(len) = memchr(b'\n', window) else {
        return if rest.len() > INLINE_LEN_MAX {
            Err(ProtocolError::InlineTooLong)
        } else {
            Ok(Parsed::Incomplete(Incomplete::Small))
        };
    };
    let end = at + len + 1;
    let line = rest[..len].strip_suffix(b"\r").unwrap_or(&rest[..len]);
    if line.is_empty() {
        return Ok(Parsed::Nothing { end });
    }
    Ok(Parsed::Inline { start: at, len: line.len(), end })
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPEN: Limits = Limits { bulk_len_max: 512 << 20, trust: Trust::Authenticated };
    const CLOSED: Limits = Limits { bulk_len_max: 512 << 20, trust: Trust::Unauthenticated };

    fn check(input: &[u8], expected: &[&[u8]]) {
        let mut spans = Vec::new();
        let found = parse(input, 0, OPEN, &mut spans);
        assert_eq!(found, Ok(Parsed::Command { end: input.len() }), "{}", input.escape_ascii());
        let words: Vec<&[u8]> = spans
            .iter()
            .map(|span| &input[num::usize_of_u32(span.start)..][..num::usize_of_u32(span.len)])
            .collect();
        assert_eq!(words, expected);
        for cut in 1..input.len() {
            let mut spans = Vec::new();
            let found = parse(&input[..cut], 0, OPEN, &mut spans);
            assert_eq!(found, Ok(Parsed::Incomplete(Incomplete::Small)), "cut at {cut}");
            assert!(spans.is_empty());
        }
    }

    fn fails(input: &[u8], limits: Limits, error: ProtocolError) {
        assert_eq!(
            parse(input, 0, limits, &mut Vec::new()),
            Err(error),
            "{}",
            input.escape_ascii()
        );
    }

    #[test]
    fn commands_are_found_whole_or_not_at_all() {
        check(b"*1\r\n$4\r\nPING\r\n", &[b"PING"]);
        check(b"*3\r\n$3\r\nSET\r\n$0\r\n\r\n$2\r\n\r\n\r\n", &[b"SET", b"", b"\r\n"]);
    }

    #[test]
    fn empty_arrays_and_lines_mean_nothing() {
        for (input, end) in [(&b"*0\r\n"[..], 4), (b"*-1\r\n", 5), (b"\r\n", 2), (b"\n", 1)] {
            let found = parse(input, 0, OPEN, &mut Vec::new());
            assert_eq!(found, Ok(Parsed::Nothing { end }));
        }
    }

    #[test]
    fn what_no_command_begins_with_is_refused() {
        fails(b"*x\r\n", OPEN, ProtocolError::InvalidCount);
        fails(b"*01\r\n", OPEN, ProtocolError::InvalidCount);
        fails(b"*2147483648\r\n", OPEN, ProtocolError::InvalidCount);
        fails(b"*99999999999999999999\r\n", OPEN, ProtocolError::InvalidCount);
        fails(b"*1\r\n+", OPEN, ProtocolError::ExpectedBulk(b'+'));
        fails(b"*1\r\n$-1\r\n", OPEN, ProtocolError::InvalidLength);
        fails(b"*1\r\n$536870913\r\n", OPEN, ProtocolError::InvalidLength);
        fails(b"*1\r\n$\r\n", OPEN, ProtocolError::InvalidLength);
        fails(b"*11\r\n", CLOSED, ProtocolError::UnauthenticatedCount);
        fails(b"*1\r\n$16385\r\n", CLOSED, ProtocolError::UnauthenticatedLength);
        fails(&[b'a'; INLINE_LEN_MAX + 1], OPEN, ProtocolError::InlineTooLong);
        let long = [b"*".as_slice(), &[b'1'; INLINE_LEN_MAX + 2]].concat();
        fails(&long, OPEN, ProtocolError::CountTooLong);
        let long = [b"*1\r\n$".as_slice(), &[b'1'; INLINE_LEN_MAX + 2]].concat();
        fails(&long, OPEN, ProtocolError::LengthTooLong);
    }

    #[test]
    fn a_line_too_long_is_refused_even_if_its_end_has_arrived() {
        for (head, error) in [
            (&b""[..], ProtocolError::InlineTooLong),
            (b"*", ProtocolError::CountTooLong),
            (b"*1\r\n$", ProtocolError::LengthTooLong),
        ] {
            let line = [head, &[b'1'; INLINE_LEN_MAX + 1], b"\r\n"].concat();
            fails(&line, OPEN, error);
            fails(&line[..line.len() - 2], OPEN, error);
        }
        let line = [&[b'a'; INLINE_LEN_MAX][..], b"\n"].concat();
        let found = parse(&line, 0, OPEN, &mut Vec::new());
        assert_eq!(
            found,
            Ok(Parsed::Inline { start: 0, len: INLINE_LEN_MAX, end: INLINE_LEN_MAX + 1 })
        );
    }

    #[test]
    fn a_long_argument_is_announced_as_large() {
        let found = parse(b"*1\r\n$40000\r\nabc", 0, OPEN, &mut Vec::new());
        assert_eq!(found, Ok(Parsed::Incomplete(Incomplete::Large)));
    }
}
