//! Replies of RESP2 and RESP3 as they are on the wire, how they are shown and how two compare.

use std::fmt;
use std::io::{self, BufRead};

/// Deeper replies than any command's are an error of the server.
const DEPTH_MAX: u32 = 32;

/// One reply. The first byte is kept, so equality is equality of bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reply {
    /// What fits in a line: `+ - : , ( # _`, and `$-1` and `*-1`.
    Line(u8, Vec<u8>),
    /// Bytes of announced length: `$ = !`.
    Bulk(u8, Vec<u8>),
    /// Replies of announced number, keys and values of maps in turn: `* ~ > %`.
    Aggregate(u8, Vec<Reply>),
}

impl Reply {
    /// Reads one reply.
    pub(crate) fn read(input: &mut impl BufRead) -> io::Result<Reply> {
        Reply::read_nested(input, 0)
    }

    fn read_nested(input: &mut impl BufRead, depth: u32) -> io::Result<Reply> {
        let mut line = Vec::new();
        input.read_until(b'\n', &mut line)?;
        if line.is_empty() {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "connection closed"));
        }
        let malformed = || {
            let text = format!("not a reply: {}", line.escape_ascii());
            io::Error::new(io::ErrorKind::InvalidData, text)
        };
        let [kind, text @ .., b'\r', b'\n'] = line.as_slice() else { return Err(malformed()) };
        let (kind, text) = (*kind, text.to_vec());
        let length = || {
            let digits = str::from_utf8(&text).map_err(|_| malformed())?;
            digits.parse::<usize>().map_err(|_| malformed())
        };
        match kind {
            b'+' | b'-' | b':' | b',' | b'(' | b'#' | b'_' => Ok(Reply::Line(kind, text)),
            b'$' | b'*' if text == b"-1" => Ok(Reply::Line(kind, text)),
            b'$' | b'=' | b'!' => {
                let mut bytes = vec![0; length()? + 2];
                input.read_exact(&mut bytes)?;
                if !bytes.ends_with(b"\r\n") {
                    return Err(malformed());
                }
                bytes.truncate(bytes.len() - 2);
                Ok(Reply::Bulk(kind, bytes))
            }
            b'*' | b'~' | b'>' | b'%' if depth < DEPTH_MAX => {
                let count = length()? * if kind == b'%' { 2 } else { 1 };
                let nested = (0..count).map(|_| Reply::read_nested(input, depth + 1));
                Ok(Reply::Aggregate(kind, nested.collect::<io::Result<_>>()?))
            }
            _ => Err(malformed()),
        }
    }

    /// The bytes of a string.
    pub(crate) fn string(&self) -> Option<&[u8]> {
        match self {
            Reply::Bulk(_, bytes) | Reply::Line(b'+', bytes) => Some(bytes),
            Reply::Line(..) | Reply::Aggregate(..) => None,
        }
    }

    /// The elements of an aggregate.
    pub(crate) fn elements(&self) -> Option<&[Reply]> {
        match self {
            Reply::Aggregate(_, elements) => Some(elements),
            Reply::Line(..) | Reply::Bulk(..) => None,
        }
    }

    fn integer(&self) -> Option<i64> {
        match self {
            Reply::Line(b':', text) => str::from_utf8(text).ok()?.parse().ok(),
            Reply::Line(..) | Reply::Bulk(..) | Reply::Aggregate(..) => None,
        }
    }

    /// The same with every aggregate's elements in order.
    fn sorted(&self) -> Reply {
        match self {
            Reply::Aggregate(kind, elements) => {
                let mut elements: Vec<Reply> = elements.iter().map(Reply::sorted).collect();
                elements.sort();
                Reply::Aggregate(*kind, elements)
            }
            Reply::Line(..) | Reply::Bulk(..) => self.clone(),
        }
    }
}

/// How the replies of the two servers are compared. Errors are always compared exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compare {
    /// Byte for byte, but doubles of RESP3 by value.
    Exact,
    /// As sets of elements.
    Unordered,
    /// Strings that are numbers agree if these are one: Redis 7.0 prints 17 digits of scores.
    Scores,
    /// Integers that a clock enters: up to so much apart if neither is negative.
    Within(i64),
    /// A string that is among the elements of the same server's next reply, or a null if that
    /// is empty.
    MemberOfNext,
    /// Only the type is the same.
    Shape,
    /// The type is the same, and so is the number of elements.
    Length,
    /// Lists of lists, but for what stands at this place in each.
    ListsBut(usize),
    /// Maps, or arrays in their stead, but for the values of these keys.
    MapBut(&'static [&'static str]),
}

/// A reply and the one that the same server gave next.
#[derive(Clone, Copy)]
pub(crate) struct Given<'a> {
    pub(crate) reply: &'a Reply,
    pub(crate) next: Option<&'a Reply>,
}

impl Compare {
    /// Whether the replies agree.
    pub(crate) fn agree(self, oracle: Given<'_>, subject: Given<'_>) -> bool {
        let (left, right) = (oracle.reply, subject.reply);
        if same(left, right) {
            return true;
        }
        if kind(left) != kind(right) || kind(left) == b'-' {
            return false;
        }
        match self {
            Compare::Exact => false,
            Compare::Unordered => same(&left.sorted(), &right.sorted()),
            Compare::Scores => same_scores(left, right),
            Compare::Within(tolerance) => match (left.integer(), right.integer()) {
                (Some(left), Some(right)) => {
                    left >= 0 && right >= 0 && left.abs_diff(right) <= tolerance.unsigned_abs()
                }
                (Some(_) | None, Some(_) | None) => false,
            },
            Compare::MemberOfNext => is_member(oracle) && is_member(subject),
            Compare::Shape => true,
            Compare::Length => left.elements().map(<[_]>::len) == right.elements().map(<[_]>::len),
            Compare::ListsBut(place) => same_lists(left, right, place),
            Compare::MapBut(excepted) => same_map(left, right, excepted),
        }
    }
}

fn kind(reply: &Reply) -> u8 {
    match reply {
        Reply::Line(kind, _) | Reply::Bulk(kind, _) | Reply::Aggregate(kind, _) => *kind,
    }
}

fn same(left: &Reply, right: &Reply) -> bool {
    match (left, right) {
        (Reply::Line(b',', left), Reply::Line(b',', right)) => {
            left == right || number(left).is_some_and(|value| number(right) == Some(value))
        }
        (Reply::Aggregate(kind, left), Reply::Aggregate(other, right)) => {
            kind == other
                && left.len() == right.len()
                && left.iter().zip(right).all(|(left, right)| same(left, right))
        }
        (left, right) => left == right,
    }
}

fn same_scores(left: &Reply, right: &Reply) -> bool {
    match (left, right) {
        (Reply::Bulk(_, left), Reply::Bulk(_, right)) => {
            left == right || number(left).is_some_and(|value| number(right) == Some(value))
        }
        (Reply::Aggregate(_, left), Reply::Aggregate(_, right)) => {
            left.len() == right.len()
                && left.iter().zip(right).all(|(left, right)| same_scores(left, right))
        }
        (left, right) => same(left, right),
    }
}

fn number(text: &[u8]) -> Option<f64> {
    str::from_utf8(text).ok()?.parse().ok()
}

fn is_member(given: Given<'_>) -> bool {
    let elements = given.next.and_then(Reply::elements).unwrap_or_default();
    match given.reply {
        Reply::Line(..) => elements.is_empty(),
        Reply::Bulk(..) => elements.contains(given.reply),
        Reply::Aggregate(..) => false,
    }
}

fn same_lists(left: &Reply, right: &Reply, excepted: usize) -> bool {
    let (Some(left), Some(right)) = (left.elements(), right.elements()) else { return false };
    let same_list = |left: &Reply, right: &Reply| {
        let (Some(left), Some(right)) = (left.elements(), right.elements()) else { return false };
        let mut pairs = left.iter().zip(right).enumerate();
        left.len() == right.len() && pairs.all(|(place, (a, b))| place == excepted || same(a, b))
    };
    left.len() == right.len() && left.iter().zip(right).all(|(a, b)| same_list(a, b))
}

fn same_map(left: &Reply, right: &Reply, excepted: &[&str]) -> bool {
    let (Some(left), Some(right)) = (left.elements(), right.elements()) else { return false };
    left.len() == right.len()
        && left.chunks(2).zip(right.chunks(2)).all(|(left, right)| {
            let key = left[0].string().unwrap_or_default();
            let free = excepted.iter().any(|name| name.as_bytes() == key);
            left[0] == right[0] && (free || left.get(1) == right.get(1))
        })
}

impl fmt::Display for Reply {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reply::Line(kind, text) => write!(out, "{}{}", char::from(*kind), shown(text)),
            Reply::Bulk(kind, bytes) => write!(out, "{}\"{}\"", char::from(*kind), shown(bytes)),
            Reply::Aggregate(kind, elements) => {
                let elements: Vec<String> = elements.iter().map(Reply::to_string).collect();
                write!(out, "{}[{}]", char::from(*kind), elements.join(" "))
            }
        }
    }
}

/// Bytes as text on one line, the middle of long ones left out.
pub(crate) fn shown(bytes: &[u8]) -> String {
    const SHOWN_MAX: usize = 400;
    if bytes.len() <= SHOWN_MAX {
        return escaped(bytes);
    }
    let (head, tail) = (&bytes[..SHOWN_MAX / 2], &bytes[bytes.len() - 20..]);
    format!("{}…{} bytes…{}", escaped(head), bytes.len(), escaped(tail))
}

/// As in double quotes: an apostrophe is itself.
fn escaped(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string().replace("\\'", "'")
}
