//! What commands that pick elements at random have in common: SRANDMEMBER, ZRANDMEMBER, HRANDFIELD.
//!
//! With a negative count they repeat elements as often as the client likes. Redis has no bound, and builds
//! replies until memory is used up; here a reply that could not be held is refused.

use super::{Context, Error, Outcome};
use crate::base::num;
use crate::resp::Output;

/// Most elements that are repeated in one reply.
const REPEATED_MAX: u64 = 1 << 26;
/// The reply is given up when it gets longer than this, bytes.
const REPEATED_BYTES_MAX: usize = 1 << 30;

const COUNT_LOWEST: Error = Error::fixed(
    "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807",
);
const COUNT_OUT_OF_RANGE: Error = Error::fixed("ERR value is out of range");
const TOO_MANY_REPEATED: Error =
    Error::fixed("ERR value is out of range, the reply would be too long");

/// How many elements are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// So many different ones, or all if there are fewer.
    Distinct(usize),
    /// So many, each of which may be any.
    Repeated(u64),
}

impl Count {
    /// The count in argument 2: negative for elements that may repeat.
    ///
    /// # Errors
    /// No integer, or one whose sign cannot be turned.
    pub fn parse(ctx: &Context<'_>) -> Result<Self, Error> {
        match ctx.integer(2)? {
            i64::MIN => Err(COUNT_LOWEST),
            count => Ok(match usize::try_from(count) {
                Ok(count) => Self::Distinct(count),
                Err(_) => Self::Repeated(count.unsigned_abs()),
            }),
        }
    }

    /// The same count, of elements that are replied with something else beside each.
    ///
    /// # Errors
    /// One that cannot be doubled.
    pub fn of_pairs(self) -> Result<Self, Error> {
        let count = match self {
            Self::Distinct(count) => num::u64_of(count),
            Self::Repeated(count) => count,
        };
        if count > i64::MAX.unsigned_abs() / 2 { Err(COUNT_OUT_OF_RANGE) } else { Ok(self) }
    }
}

/// Writes `head`, which is told how many elements follow, and then `each` of them.
///
/// # Errors
/// More than a reply may have; then nothing was written.
pub fn repeat(
    out: &mut Output,
    count: u64,
    head: impl FnOnce(&mut Output, usize),
    mut each: impl FnMut(&mut Output),
) -> Outcome {
    if count > REPEATED_MAX {
        return Err(TOO_MANY_REPEATED);
    }
    let point = out.checkpoint();
    head(out, num::usize_of(count));
    for _ in 0..count {
        each(out);
        if out.pending_bytes() > REPEATED_BYTES_MAX {
            out.roll_back(point);
            return Err(TOO_MANY_REPEATED);
        }
    }
    Ok(())
}
