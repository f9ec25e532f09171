//! What XDELEX and XACKDEL have in common: IDs that are counted, and what becomes of references.

use super::ids;
use crate::base::num;
use crate::command::spec::{Arg, ArgType};
use crate::command::{Context, Error};
use crate::value::stream::{References, StreamId};

const BAD_COUNT: Error = Error::fixed("ERR Number of IDs must be a positive integer");
const WRONG_COUNT: Error =
    Error::fixed("ERR The `numids` parameter must match the number of arguments");

/// What becomes of references, as all commands document it.
pub(super) const REFERENCES_ARG: Arg = Arg::one_of(
    "condition",
    &[Arg::flag("keepref", "KEEPREF"), Arg::flag("delref", "DELREF"), Arg::flag("acked", "ACKED")],
)
.optional();
/// IDs behind their number.
pub(super) const IDS_ARG: Arg = Arg::block(
    "ids",
    &[Arg::new("numids", ArgType::Integer), Arg::new("id", ArgType::String).multiple()],
)
.token("IDS");

/// What is replied for an ID that names nothing.
pub(super) const NO_SUCH_ID: i64 = -1;
/// The entry was deleted.
pub(super) const DELETED: i64 = 1;
/// It was not, since a group wants it.
pub(super) const STILL_WANTED: i64 = 2;

/// The word at argument `at`, if it says what becomes of references.
pub(super) fn references(ctx: &Context<'_>, at: usize) -> Option<References> {
    if ctx.is_word(at, "KEEPREF") {
        Some(References::Keep)
    } else if ctx.is_word(at, "DELREF") {
        Some(References::Remove)
    } else if ctx.is_word(at, "ACKED") {
        Some(References::Acked)
    } else {
        None
    }
}

/// The arguments behind the key and, if there is one, the group.
#[derive(Clone, Copy, Debug)]
pub(super) struct Listed {
    pub(super) references: References,
    ids_at: usize,
    /// How many IDs there are.
    pub(super) count: usize,
}

impl Listed {
    /// Reads the arguments from `at` on; the IDs themselves are not looked at.
    pub(super) fn parse(ctx: &Context<'_>, mut at: usize) -> Result<Self, Error> {
        let (mut found, mut ids) = (None, None);
        while at < ctx.args.len() {
            if let Some(references) = references(ctx, at) {
                if found.replace(references).is_some() {
                    return Err(Error::SYNTAX);
                }
                at += 1;
            } else if at + 1 < ctx.args.len() && ctx.is_word(at, "IDS") && ids.is_none() {
                let count = counted(ctx, at + 1)?;
                ids = Some((at + 2, count));
                at += 2 + count;
            } else {
                return Err(Error::SYNTAX);
            }
        }
        let (ids_at, count) = ids.ok_or(Error::SYNTAX)?;
        Ok(Self { references: found.unwrap_or_default(), ids_at, count })
    }

    /// The IDs.
    ///
    /// # Errors
    /// One is none.
    pub(super) fn ids(self, ctx: &Context<'_>) -> Result<Vec<StreamId>, Error> {
        (self.ids_at..self.ids_at + self.count).map(|at| ids::id(ctx, at)).collect()
    }

    /// Replies that there is nothing under any of the IDs.
    pub(super) fn reply_nothing(self, ctx: &mut Context<'_>) {
        let out = &mut ctx.session.output;
        out.array(self.count);
        (0..self.count).for_each(|_| out.integer(NO_SUCH_ID));
    }
}

/// How many IDs follow argument `at`, which says so.
fn counted(ctx: &Context<'_>, at: usize) -> Result<usize, Error> {
    let count = ctx.integer(at).ok().and_then(|count| u64::try_from(count).ok());
    let count = count.filter(|&count| count > 0).map(num::usize_of).ok_or(BAD_COUNT)?;
    if count > ctx.args.len() - 1 - at { Err(WRONG_COUNT) } else { Ok(count) }
}
