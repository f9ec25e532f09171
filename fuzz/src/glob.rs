//! Glob patterns: the matcher against a table of all prefixes, on inputs small enough for one, and
//! on large ones its time: a matcher that is exponential runs into the fuzzer's time limit.
//!
//! Input: flags (bit 0: letters in either case; bits 1 and 2: pattern and text are repeated), the pattern's
//! length, pattern, text.

use super::input::Input;
use carnelian::base::glob::{self, Case};

/// The table has at most this many cells.
const CELLS_MAX: usize = 1 << 14;
/// What is repeated grows to about this length, bytes; exponential time is long then, and the allowed
/// time, at most its square, is short.
const REPEATED_LEN: usize = 500;

/// Checks one pattern and one text.
pub fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let flags = input.byte();
    let case = if flags & 1 == 0 { Case::Sensitive } else { Case::Insensitive };
    let pattern_len = input.below(256);
    let (pattern, text) = (input.bytes(pattern_len), input.rest());
    let matched = glob::matches(pattern, text, case);
    if (pattern.len() + 1) * (text.len() + 1) <= CELLS_MAX {
        let expected = naive(pattern, text, case);
        let shown = (pattern.escape_ascii(), text.escape_ascii());
        assert_eq!(matched, expected, "{} {} {case:?}", shown.0, shown.1);
    }
    if flags & 6 == 6 && !pattern.is_empty() && !text.is_empty() {
        let pattern = pattern.repeat(1 + REPEATED_LEN / pattern.len());
        let text = text.repeat(1 + REPEATED_LEN / text.len());
        // Only that it ends.
        let _ = glob::matches(&pattern, &text, case);
    }
}

/// What one part of a pattern takes.
enum Part {
    /// Any run of bytes.
    Run,
    /// One byte of these.
    One(Box<[bool; 256]>),
}

fn one_of(takes: impl Fn(u8) -> bool) -> Part {
    Part::One(Box::new(std::array::from_fn(|byte| {
        takes(u8::try_from(byte).expect("the array has 256 places"))
    })))
}

/// `reached[n]` says whether the parts so far can take the first `n` bytes.
fn naive(pattern: &[u8], text: &[u8], case: Case) -> bool {
    if text.is_empty() {
        return pattern.is_empty();
    }
    let mut reached = vec![false; text.len() + 1];
    reached[0] = true;
    for part in parts(pattern, case) {
        let mut next = vec![false; text.len() + 1];
        match part {
            Part::Run => {
                let first = reached.iter().position(|&there| there);
                next.iter_mut().skip(first.unwrap_or(text.len() + 1)).for_each(|n| *n = true);
            }
            Part::One(takes) => {
                for (at, &byte) in text.iter().enumerate() {
                    next[at + 1] = reached[at] && takes[usize::from(byte)];
                }
            }
        }
        reached = next;
    }
    reached[text.len()]
}

fn parts(pattern: &[u8], case: Case) -> Vec<Part> {
    let fold = |byte: u8| match case {
        Case::Sensitive => byte,
        Case::Insensitive => byte.to_ascii_lowercase(),
    };
    let mut parts = Vec::new();
    let mut rest = pattern;
    while let [first, behind @ ..] = rest {
        rest = behind;
        let literal = match (first, behind) {
            (b'*', _) => {
                parts.push(Part::Run);
                continue;
            }
            (b'?', _) => {
                parts.push(one_of(|_| true));
                continue;
            }
            (b'[', _) => {
                let (part, after) = class(behind, fold);
                parts.push(part);
                rest = after;
                continue;
            }
            (b'\\', [escaped, after @ ..]) => {
                rest = after;
                *escaped
            }
            (byte, _) => *byte,
        };
        parts.push(one_of(|byte| fold(byte) == fold(literal)));
    }
    parts
}

/// A class from behind its `[`, and what follows it.
fn class(class: &[u8], fold: impl Fn(u8) -> u8) -> (Part, &[u8]) {
    let negated = class.first() == Some(&b'^');
    let mut rest = &class[usize::from(negated)..];
    let mut members = [false; 256];
    loop {
        rest = match rest {
            [] => break,
            [b'\\', exact, after @ ..] => {
                members[usize::from(*exact)] = true;
                after
            }
            [b']', after @ ..] => {
                rest = after;
                break;
            }
            [low, b'-', high, after @ ..] => {
                let (low, high) = (fold(*low.min(high)), fold(*low.max(high)));
                for byte in 0..=u8::MAX {
                    members[usize::from(byte)] |= low <= fold(byte) && fold(byte) <= high;
                }
                after
            }
            [member, after @ ..] => {
                for byte in 0..=u8::MAX {
                    members[usize::from(byte)] |= fold(byte) == fold(*member);
                }
                after
            }
        };
    }
    (one_of(|byte| members[usize::from(byte)] != negated), rest)
}
