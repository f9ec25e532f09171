//! The arguments of commands that take some elements from the first of several keys: LMPOP, ZMPOP and
//! the forms that wait.

use super::{Context, Error};
use std::ops::Range;

const KEYS_NOT_POSITIVE: Error = Error::fixed("ERR numkeys should be greater than 0");
const COUNT_NOT_POSITIVE: Error = Error::fixed("ERR count should be greater than 0");

/// Which keys, from which end of what they hold, and how many elements.
#[derive(Clone, Debug)]
pub struct Several<End> {
    /// The arguments that are the keys.
    pub keys: Range<usize>,
    /// The end.
    pub end: End,
    /// Elements at most, one if the client does not say.
    pub count: usize,
}

impl<End> Several<End> {
    /// Reads `numkeys key [key ...] end [COUNT count]` from argument `at` on; `end_of` reads the end from
    /// an argument.
    ///
    /// # Errors
    /// The first thing that is wrong: the number of keys, the end, the count, what comes after it.
    pub fn parse(
        ctx: &Context<'_>,
        at: usize,
        end_of: impl FnOnce(&Context<'_>, usize) -> Result<End, Error>,
    ) -> Result<Self, Error> {
        let positive = |index, error: Error| {
            let number = ctx.integer(index).ok().and_then(|number| usize::try_from(number).ok());
            number.filter(|&number| number > 0).ok_or(error)
        };
        let keys = positive(at, KEYS_NOT_POSITIVE)?;
        let word = (at + 1).checked_add(keys).filter(|&word| word < ctx.args.len());
        let word = word.ok_or(Error::SYNTAX)?;
        let end = end_of(ctx, word)?;
        let count = match ctx.args.len() - word {
            1 => 1,
            3 if ctx.is_word(word + 1, "COUNT") => positive(word + 2, COUNT_NOT_POSITIVE)?,
            // A count that is wrong is complained about before what comes after it.
            4.. if ctx.is_word(word + 1, "COUNT") => {
                positive(word + 2, COUNT_NOT_POSITIVE)?;
                return Err(Error::SYNTAX);
            }
            _ => return Err(Error::SYNTAX),
        };
        Ok(Self { keys: at + 1..word, end, count })
    }
}
