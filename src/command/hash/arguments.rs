//! Arguments that the commands on field expiry share.

use crate::base::num;
use crate::command::expiry::Unit;
use crate::command::spec::{Arg, ArgType};
use crate::command::{Context, Error};

/// FIELDS numfields field [field ...]
pub(super) const FIELDS: Arg = Arg::block(
    "fields",
    &[Arg::new("numfields", ArgType::Integer), Arg::new("field", ArgType::String).multiple()],
)
.token("FIELDS");

/// The reply for a field that does not exist.
pub(super) const NO_FIELD: i64 = -2;

/// The latest time at which a field may expire, Unix milliseconds: 2^46 - 1, as in Redis, which packs it.
pub(super) const DEADLINE_MS_MAX: i64 = (1 << 46) - 1;

const NO_FIELDS: Error =
    Error::fixed("ERR Mandatory argument FIELDS is missing or not at the right position");
const BAD_COUNT: Error = Error::fixed("ERR Number of fields must be a positive integer");
const OTHER_COUNT: Error =
    Error::fixed("ERR The `numfields` parameter must match the number of arguments");
const NEGATIVE: Error = Error::fixed("ERR invalid expire time, must be >= 0");

/// `FIELDS numfields field [field ...]`, to the end of the arguments.
pub(super) struct Fields {
    /// The argument that should be the word FIELDS.
    pub(super) word_at: usize,
    /// The error for a number of fields that is not positive.
    pub(super) bad_count: Error,
}

impl Fields {
    /// The word FIELDS at argument `word_at`.
    pub(super) const fn at(word_at: usize) -> Self {
        Self { word_at, bad_count: BAD_COUNT }
    }

    /// The names.
    ///
    /// # Errors
    /// The word is missing, or the number is not that of the names, or there are none.
    pub(super) fn parse<'a>(
        self,
        ctx: &Context<'a>,
    ) -> Result<impl ExactSizeIterator<Item = &'a [u8]> + Clone + use<'a>, Error> {
        if !ctx.is_word(self.word_at, "fields") {
            return Err(NO_FIELDS);
        }
        let Some(count) = ctx.args.get(self.word_at + 1) else {
            return Err(Error::arity(ctx.name()));
        };
        let count = num::parse_i64(count).filter(|&count| count > 0).ok_or(self.bad_count)?;
        let first = self.word_at + 2;
        if count != num::i64_of(ctx.args.len() - first) {
            return Err(OTHER_COUNT);
        }
        let args = ctx.args;
        Ok((first..args.len()).map(move |index| args.at(index)))
    }
}

/// The time that argument `index` gives, Unix milliseconds; it may have passed.
///
/// # Errors
/// No integer, a negative one, or too far away.
pub(super) fn deadline_ms(ctx: &Context<'_>, index: usize, unit: Unit) -> Result<i64, Error> {
    let value = ctx.integer(index)?;
    if value < 0 {
        return Err(NEGATIVE);
    }
    let at_ms = unit.to_unix_ms(value, ctx.server.now.unix_ms());
    at_ms.filter(|&at_ms| at_ms <= DEADLINE_MS_MAX).ok_or_else(|| Error::invalid_expire(ctx.name()))
}
