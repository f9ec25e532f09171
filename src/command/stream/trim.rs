//! Trimming: XTRIM, and the options that it has in common with XADD.

use super::ids::{self, IdText};
use super::listed;
use crate::base::num;
use crate::command::effects::Effects;
use crate::command::spec::{Arg, ArgType, Categories, Flags, Group, KeyFlags, KeySpec};
use crate::command::{Command, Context, Error, Outcome, Spec};
use crate::resp::Args;
use crate::session::SessionFlags;
use crate::store::Event;
use crate::value::stream::{Keep, Precision, References, Stream, StreamId, Trimmed};

const MAXLEN_NEGATIVE: Error = Error::fixed("ERR The MAXLEN argument must be >= 0.");
const LIMIT_NEGATIVE: Error = Error::fixed("ERR The LIMIT argument must be >= 0.");
const TWO_STRATEGIES: Error =
    Error::fixed("ERR syntax error, MAXLEN and MINID options at the same time are not compatible");
const LIMIT_WITHOUT_STRATEGY: Error =
    Error::fixed("ERR syntax error, LIMIT cannot be used without specifying a trimming strategy");
const LIMIT_WITHOUT_ABOUT: Error =
    Error::fixed("ERR syntax error, LIMIT cannot be used without the special ~ option");
const NO_STRATEGY: Error =
    Error::fixed("ERR syntax error, XTRIM must be called with a trimming strategy");

/// Entries were removed from the front.
pub(super) const TRIMMED: Event = Event::stream("xtrim");

/// Nodes whose entries are removed at most in one go, unless LIMIT says otherwise.
const NODES_MAX: u64 = 100;
/// Entries removed at most in one go if nodes have no limit, and in any case.
const ENTRIES_UNLIMITED: u64 = 10_000;
const ENTRIES_MAX: u64 = 1_000_000;

/// What is trimmed, as XADD's and XTRIM's argument.
pub(super) const TRIM_ARG: Arg = Arg::block(
    "trim",
    &[
        Arg::one_of(
            "strategy",
            &[Arg::flag("maxlen", "MAXLEN"), Arg::flag("minid", "MINID").since("6.2.0")],
        ),
        Arg::one_of("operator", &[Arg::flag("equal", "="), Arg::flag("approximately", "~")])
            .optional(),
        Arg::new("threshold", ArgType::String),
        Arg::new("count", ArgType::Integer).token("LIMIT").optional().since("6.2.0"),
    ],
);

/// XTRIM key MAXLEN|MINID [=|~] threshold [LIMIT count] [KEEPREF|DELREF|ACKED]
pub(super) static XTRIM: Command =
    Command { spec: XTRIM_SPEC, handler: Some(xtrim), subcommands: &[] };

const XTRIM_SPEC: Spec = Spec {
    name: "xtrim",
    summary: "Removes the first entries of a stream.",
    complexity: "O(N), N being the number of entries removed; whole nodes of them go at once.",
    since: "5.0.0",
    group: Group::Stream,
    arity: -4,
    flags: Flags::WRITE,
    categories: Categories::STREAM,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RW.union(KeyFlags::DELETE))],
    args: &[Arg::key("key", 0), TRIM_ARG, listed::REFERENCES_ARG.since("8.2.0")],
    history: &[
        ("6.2.0", "The strategy MINID and the option LIMIT."),
        ("8.2.0", "The options KEEPREF, DELREF and ACKED."),
    ],
    tips: &["nondeterministic_output"],
    ..Spec::EMPTY
};

/// How a stream is to be trimmed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trim {
    keep: Keep,
    precision: Precision,
    references: References,
    /// The argument that says what is kept; in front of it `~`, if trimming is by nodes.
    threshold_at: usize,
}

impl Trim {
    /// Trims; gives what went, and what to record in place of a strategy that depends on how entries are
    /// divided into nodes.
    pub(super) fn apply(self, stream: &mut Stream) -> (Trimmed, Option<Exactly>) {
        let trimmed = stream.trim(self.keep, self.precision, self.references);
        let exactly = match self.precision {
            Precision::Exact => None,
            Precision::Nodes { .. } => {
                let keep = trimmed.threshold(self.keep, &stream.log);
                Some(Exactly { keep, threshold_at: self.threshold_at })
            }
        };
        (trimmed, exactly)
    }
}

/// The threshold that removes just what was removed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Exactly {
    keep: Keep,
    threshold_at: usize,
}

/// Records a command with other words for the threshold and, in XADD, for the new ID.
pub(super) fn record(
    effects: &mut Effects,
    args: Args<'_>,
    exactly: Option<Exactly>,
    new_id: Option<(usize, StreamId)>,
) {
    for (index, word) in args.from(0).enumerate() {
        match (exactly, new_id) {
            (Some(exactly), _) if index + 1 == exactly.threshold_at => effects.word(b"="),
            (Some(Exactly { keep, threshold_at }), _) if index == threshold_at => match keep {
                Keep::Last(count) => effects.count(num::usize_of(count)),
                Keep::From(id) => effects.word(IdText::of(id).as_bytes()),
            },
            (_, Some((at, id))) if index == at => effects.word(IdText::of(id).as_bytes()),
            (Some(_) | None, Some(_) | None) => effects.word(word),
        };
    }
}

/// The options in front of XADD's ID, or all of XTRIM's.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Options {
    keep: Option<Keep>,
    is_about: bool,
    threshold_at: usize,
    limit: Option<u64>,
    references: Option<References>,
}

impl Options {
    /// Reads the option at argument `at`; gives the argument behind it, or `None` if it is none of these.
    ///
    /// # Errors
    /// The option is given twice, or something is wrong with what it needs.
    pub(super) fn take(&mut self, ctx: &Context<'_>, at: usize) -> Result<Option<usize>, Error> {
        if let Some(references) = listed::references(ctx, at) {
            let before = self.references.replace(references);
            return if before.is_some() { Err(Error::SYNTAX) } else { Ok(Some(at + 1)) };
        }
        let more = ctx.args.len() - 1 - at;
        if more == 0 {
            return Ok(None);
        }
        if ctx.is_word(at, "MAXLEN") {
            let at = self.take_operator(ctx, at, more)?;
            let len = u64::try_from(ctx.integer(at)?).map_err(|_| MAXLEN_NEGATIVE)?;
            self.keep = Some(Keep::Last(len));
            Ok(Some(at + 1))
        } else if ctx.is_word(at, "MINID") {
            let at = self.take_operator(ctx, at, more)?;
            self.keep = Some(Keep::From(ids::id(ctx, at)?));
            Ok(Some(at + 1))
        } else if ctx.is_word(at, "LIMIT") {
            let limit = u64::try_from(ctx.integer(at + 1)?).map_err(|_| LIMIT_NEGATIVE)?;
            self.limit = Some(limit);
            Ok(Some(at + 2))
        } else {
            Ok(None)
        }
    }

    /// Reads `=` or `~` behind a strategy; gives where the threshold is.
    fn take_operator(&mut self, ctx: &Context<'_>, at: usize, more: usize) -> Result<usize, Error> {
        if self.keep.is_some() {
            return Err(TWO_STRATEGIES);
        }
        // An operator that nothing follows is the threshold, and a wrong one.
        let operator = if more > 1 { ctx.args.at(at + 1) } else { b"" };
        self.is_about = operator == b"~";
        let has_operator = matches!(operator, b"~" | b"=");
        self.threshold_at = at + 1 + usize::from(has_operator);
        Ok(self.threshold_at)
    }

    /// What to do, if anything is to be trimmed.
    ///
    /// # Errors
    /// LIMIT does not go with the rest.
    pub(super) fn finish(self, ctx: &Context<'_>) -> Result<Option<Trim>, Error> {
        let Some(keep) = self.keep else {
            let is_limited = self.limit.is_some_and(|limit| limit > 0);
            return if is_limited {
                Err(LIMIT_WITHOUT_STRATEGY)
            } else {
                self.without_strategy(ctx)
            };
        };
        let precision = match (self.is_about, self.limit) {
            // The threshold was chosen when the command was executed first: LIMIT is of no use any more.
            (is_about, _) if ctx.session.flags.contains(SessionFlags::OBEYED) => {
                if is_about {
                    Precision::Nodes { limit: None }
                } else {
                    Precision::Exact
                }
            }
            (false, None) => Precision::Exact,
            (false, Some(_)) => return Err(LIMIT_WITHOUT_ABOUT),
            (true, Some(0)) => Precision::Nodes { limit: None },
            (true, Some(limit)) => Precision::Nodes { limit: Some(limit) },
            (true, None) => Precision::Nodes { limit: Some(usual_limit(ctx)) },
        };
        let references = self.references.unwrap_or_default();
        Ok(Some(Trim { keep, precision, references, threshold_at: self.threshold_at }))
    }

    /// Redis complains of a LIMIT of 0 in other words.
    fn without_strategy(self, ctx: &Context<'_>) -> Result<Option<Trim>, Error> {
        let is_obeyed = ctx.session.flags.contains(SessionFlags::OBEYED);
        if self.limit.is_some() && !is_obeyed { Err(LIMIT_WITHOUT_ABOUT) } else { Ok(None) }
    }
}

/// Entries that are removed at most where the client does not say.
fn usual_limit(ctx: &Context<'_>) -> u64 {
    match ctx.server.config.stream_node_max_entries {
        0 => ENTRIES_UNLIMITED,
        entries => entries.saturating_mul(NODES_MAX).min(ENTRIES_MAX),
    }
}

fn xtrim(ctx: &mut Context<'_>) -> Outcome {
    let mut options = Options::default();
    let mut at = 2;
    while at < ctx.args.len() {
        at = options.take(ctx, at)?.ok_or(Error::SYNTAX)?;
    }
    if options.keep.is_none() && options.limit.is_none_or(|limit| limit == 0) {
        return Err(NO_STRATEGY);
    }
    let trim = options.finish(ctx)?.ok_or(NO_STRATEGY)?;
    let (scope, key) = (ctx.scope(), ctx.key(1));
    let trimmed = super::change(ctx.server, scope, key, |stream| trim.apply(stream))?;
    let (Trimmed { removed, .. }, exactly) = trimmed.unwrap_or_default();
    ctx.session.output.count(num::usize_of(removed));
    if removed == 0 {
        return Ok(());
    }
    ctx.server.keyspace.dirty += removed;
    ctx.note(key, TRIMMED);
    let args = ctx.args;
    if exactly.is_some()
        && let Some(mut effects) = ctx.effects_instead()
    {
        record(effects.add(args.len()), args, exactly, None);
    }
    Ok(())
}
