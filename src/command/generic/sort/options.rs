//! The arguments of SORT.

use super::pattern::Pattern;
use crate::command::host::Collation;
use crate::command::{Context, Error, Outcome, access};
use crate::session::SessionFlags;
use std::ops::Range;

/// Whether STORE is an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Storing {
    /// In SORT.
    Allowed,
    /// In SORT_RO.
    Refused,
}

/// What elements are compared as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Numbers.
    Numbers,
    /// Text (ALPHA).
    Text,
}

/// The order of the elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// ASC, or the order the elements have.
    Forward,
    /// DESC.
    Backward,
}

/// The options of one call; of those given twice the last counts.
#[derive(Debug)]
pub(super) struct Options<'a> {
    /// BY.
    pub(super) by: Option<Pattern<'a>>,
    /// GET, each of them.
    pub(super) get: Vec<Pattern<'a>>,
    /// LIMIT: offset and count.
    limit: (i64, i64),
    /// ASC or DESC.
    pub(super) order: Order,
    /// ALPHA.
    pub(super) kind: Kind,
    /// STORE: the argument with the key.
    pub(super) store: Option<usize>,
}

const BY_DENIED: Error =
    Error::fixed("ERR BY option of SORT denied due to insufficient ACL permissions.");
const GET_DENIED: Error =
    Error::fixed("ERR GET option of SORT denied due to insufficient ACL permissions.");

/// Patterns read keys that are not among the arguments, so that all must be allowed.
fn may_read_all(ctx: &Context<'_>, otherwise: Error) -> Outcome {
    if !ctx.session.flags.contains(SessionFlags::RESTRICTED)
        || access::reads_every_key(
            &ctx.server.commands,
            &ctx.session.user,
            ctx.session.db,
            ctx.id,
            &ctx.args,
        )
    {
        Ok(())
    } else {
        Err(otherwise)
    }
}

impl<'a> Options<'a> {
    /// The options from argument 2 on.
    ///
    /// # Errors
    /// Unknown ones, incomplete ones, a limit that is no integer.
    pub(super) fn parse(ctx: &Context<'a>, storing: Storing) -> Result<Self, Error> {
        let mut options = Self {
            by: None,
            get: Vec::new(),
            limit: (0, -1),
            order: Order::Forward,
            kind: Kind::Numbers,
            store: None,
        };
        let mut at = 2;
        while at < ctx.args.len() {
            let operand = ctx.args.get(at + 1);
            at += if ctx.is_word(at, "asc") {
                options.order = Order::Forward;
                1
            } else if ctx.is_word(at, "desc") {
                options.order = Order::Backward;
                1
            } else if ctx.is_word(at, "alpha") {
                options.kind = Kind::Text;
                1
            } else if ctx.is_word(at, "limit") && at + 2 < ctx.args.len() {
                options.limit = (ctx.integer(at + 1)?, ctx.integer(at + 2)?);
                3
            } else {
                let operand = operand.ok_or(Error::SYNTAX)?;
                if ctx.is_word(at, "by") {
                    if operand.contains(&b'*') {
                        may_read_all(ctx, BY_DENIED)?;
                    }
                    // As in Redis, a pattern without a star is not taken back by a later one.
                    if !matches!(options.by, Some(Pattern::Element | Pattern::Nothing)) {
                        options.by = Some(Pattern::parse(operand));
                    }
                } else if ctx.is_word(at, "get") {
                    may_read_all(ctx, GET_DENIED)?;
                    options.get.push(Pattern::parse(operand));
                } else if ctx.is_word(at, "store") && storing == Storing::Allowed {
                    options.store = Some(at + 1);
                } else {
                    return Err(Error::SYNTAX);
                }
                2
            };
        }
        Ok(options)
    }

    /// How texts are compared. What is stored must not depend on the language of the machine.
    pub(super) fn collation(&self, ctx: &Context<'_>) -> Collation {
        match self.store {
            Some(_) => Collation::Bytes,
            None => ctx.server.host.collation(),
        }
    }

    /// Which of `len` elements in order are wanted.
    pub(super) fn range(&self, len: usize) -> Range<usize> {
        let (offset, count) = self.limit;
        let start = usize::try_from(offset).unwrap_or(0).min(len);
        let count = usize::try_from(count).unwrap_or(len);
        start..start.saturating_add(count).min(len)
    }
}
