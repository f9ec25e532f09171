//! Walking in steps: what SCAN, HSCAN, SSCAN and ZSCAN share.

use super::{Context, Error};
use crate::base::glob::{self, Case};
use crate::base::num;
use crate::resp::Output;

/// Elements looked at in one call, about, unless COUNT says otherwise.
const COUNT_DEFAULT: usize = 10;
/// Buckets visited for each element asked for, at most: in a table that is nearly empty, a call may
/// end without an element.
const BUCKETS_PER_ELEMENT: usize = 10;

const INVALID_CURSOR: Error = Error::fixed("ERR invalid cursor");
const NO_VALUES_ELSEWHERE: Error = Error::fixed("ERR NOVALUES option can only be used in HSCAN");

/// What is walked over; each has options of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Walked {
    /// The keys of a database.
    Keys,
    /// The fields of a hash.
    Fields,
    /// The members of a set or sorted set.
    Members,
}

/// Whether a hash's values are wanted with its fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Values {
    /// Yes.
    Shown,
    /// NOVALUES.
    Hidden,
}

/// The options of one call.
#[derive(Clone, Copy, Debug)]
pub struct WalkOptions<'a> {
    /// COUNT: elements to look at, about; at least 1.
    pub count: usize,
    /// MATCH; `None` if it excludes nothing.
    pub pattern: Option<&'a [u8]>,
    /// TYPE.
    pub type_name: Option<&'a [u8]>,
    /// NOVALUES.
    pub values: Values,
}

impl<'a> WalkOptions<'a> {
    /// The options from argument `from` on.
    ///
    /// # Errors
    /// Unknown ones, those of another command, a count that is no positive integer.
    pub fn parse(ctx: &Context<'a>, from: usize, walked: Walked) -> Result<Self, Error> {
        let mut options =
            Self { count: COUNT_DEFAULT, pattern: None, type_name: None, values: Values::Shown };
        let mut at = from;
        while at < ctx.args.len() {
            match ctx.args.get(at + 1) {
                Some(_) if ctx.is_word(at, "count") => {
                    let count = ctx.integer(at + 1)?;
                    options.count = usize::try_from(count).unwrap_or(0);
                    if options.count == 0 {
                        return Err(Error::SYNTAX);
                    }
                    at += 2;
                }
                Some(pattern) if ctx.is_word(at, "match") => {
                    options.pattern = Some(pattern).filter(|pattern| !glob::is_all(pattern));
                    at += 2;
                }
                Some(name) if walked == Walked::Keys && ctx.is_word(at, "type") => {
                    options.type_name = Some(name);
                    at += 2;
                }
                Some(_) | None if ctx.is_word(at, "novalues") => {
                    if walked != Walked::Fields {
                        return Err(NO_VALUES_ELSEWHERE);
                    }
                    options.values = Values::Hidden;
                    at += 1;
                }
                Some(_) | None => return Err(Error::SYNTAX),
            }
        }
        Ok(options)
    }

    /// Whether the pattern takes an element.
    #[inline]
    pub fn matches(&self, element: &[u8]) -> bool {
        self.pattern.is_none_or(|pattern| glob::matches(pattern, element, Case::Sensitive))
    }

    /// Goes from `cursor` on until enough was looked at, and returns the cursor to go on from; 0 is
    /// the end. `step` visits one bucket of a table (`Dict::scan`), adds to the number how many
    /// elements it held, and returns the next cursor.
    pub fn walk(&self, cursor: u64, mut step: impl FnMut(u64, &mut usize) -> u64) -> u64 {
        let (mut cursor, mut visited, mut buckets) = (cursor, 0, 0);
        while visited < self.count && buckets < self.count.saturating_mul(BUCKETS_PER_ELEMENT) {
            cursor = step(cursor, &mut visited);
            buckets += 1;
            if cursor == 0 {
                break;
            }
        }
        cursor
    }
}

/// The cursor at argument `index`.
///
/// # Errors
/// It is no number of 64 bits.
pub fn parse_cursor(ctx: &Context<'_>, index: usize) -> Result<u64, Error> {
    num::parse_u64_loose(ctx.args.at(index)).ok_or(INVALID_CURSOR)
}

/// Writes the head of a reply: the next cursor, and that `len` elements follow.
pub fn reply_head(out: &mut Output, cursor: u64, len: usize) {
    out.array(2);
    out.text(itoa::Buffer::new().format(cursor));
    out.array(len);
}
