//! CLIENT TRACKING, CACHING, GETREDIR and TRACKINGINFO.

use crate::base::num;
use crate::command::spec::{Arg, ArgType, Categories, Flags, Group};
use crate::command::{Command, Context, Error, Outcome, Spec, tracking};
use crate::session::tracking::{Caching, Mode, OwnChanges, Tracker};
use crate::session::{ClientId, SessionFlags};
use std::collections::BTreeSet;

const FLAGS: Flags = Flags::NOSCRIPT.union(Flags::LOADING).union(Flags::STALE);

/// CLIENT TRACKING (ON | OFF) [REDIRECT client-id] [PREFIX prefix ...] [BCAST] [OPTIN] [OPTOUT] [NOLOOP]
pub(super) static TRACKING: Command =
    Command { spec: TRACKING_SPEC, handler: Some(track), subcommands: &[] };

const TRACKING_SPEC: Spec = Spec {
    name: "tracking",
    summary: "Says whether the connection is told when keys change that it has read.",
    complexity: "O(1); some options O(N), N being the number of prefixes.",
    since: "6.0.0",
    group: Group::Connection,
    arity: -3,
    flags: FLAGS,
    categories: Categories::CONNECTION,
    args: &[
        Arg::one_of("status", &[Arg::flag("on", "ON"), Arg::flag("off", "OFF")]),
        Arg::new("client-id", ArgType::Integer).token("REDIRECT").optional(),
        Arg::new("prefix", ArgType::String).token("PREFIX").optional().multiple_token(),
        Arg::flag("bcast", "BCAST").optional(),
        Arg::flag("optin", "OPTIN").optional(),
        Arg::flag("optout", "OPTOUT").optional(),
        Arg::flag("noloop", "NOLOOP").optional(),
    ],
    ..Spec::EMPTY
};

/// CLIENT CACHING (YES | NO)
pub(super) static CACHING: Command =
    Command { spec: CACHING_SPEC, handler: Some(caching), subcommands: &[] };

const CACHING_SPEC: Spec = Spec {
    name: "caching",
    summary: "Says whether the keys of the next command are tracked.",
    complexity: "O(1)",
    since: "6.0.0",
    group: Group::Connection,
    arity: 3,
    flags: FLAGS,
    categories: Categories::CONNECTION,
    args: &[Arg::one_of("mode", &[Arg::flag("yes", "YES"), Arg::flag("no", "NO")])],
    ..Spec::EMPTY
};

/// CLIENT GETREDIR
pub(super) static GETREDIR: Command =
    Command { spec: GETREDIR_SPEC, handler: Some(get_redirect), subcommands: &[] };

const GETREDIR_SPEC: Spec = Spec {
    name: "getredir",
    summary: "Returns the number of the connection that is told in this one's stead.",
    complexity: "O(1)",
    since: "6.0.0",
    group: Group::Connection,
    arity: 2,
    flags: FLAGS,
    categories: Categories::CONNECTION,
    ..Spec::EMPTY
};

/// CLIENT TRACKINGINFO
pub(super) static TRACKINGINFO: Command =
    Command { spec: TRACKINGINFO_SPEC, handler: Some(info), subcommands: &[] };

const TRACKINGINFO_SPEC: Spec = Spec {
    name: "trackinginfo",
    summary: "Describes what the connection tracks.",
    complexity: "O(1)",
    since: "6.2.0",
    group: Group::Connection,
    arity: 2,
    flags: FLAGS,
    categories: Categories::CONNECTION,
    ..Spec::EMPTY
};

const ONE_TARGET: Error = Error::fixed("ERR A client can only redirect to a single other client");
const NO_TARGET: Error = Error::fixed("ERR The client ID you want redirect to does not exist");
const PREFIX_WITHOUT_BCAST: Error =
    Error::fixed("ERR PREFIX option requires BCAST mode to be enabled");
const BCAST_SWITCHED: Error = Error::fixed(
    "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then \
     re-enabling it with a different mode.",
);
const OPT_WITH_BCAST: Error = Error::fixed("ERR OPTIN and OPTOUT are not compatible with BCAST");
const BOTH_OPTS: Error = Error::fixed("ERR You can't specify both OPTIN mode and OPTOUT mode");
const OPT_SWITCHED: Error = Error::fixed(
    "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then \
     re-enabling it with a different mode.",
);
const NOT_TRACKING: Error = Error::fixed(
    "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT \
     mode enabled",
);
const NOT_OPTIN: Error =
    Error::fixed("ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.");
const NOT_OPTOUT: Error =
    Error::fixed("ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.");

/// What a client asks for.
#[derive(Default)]
struct Options<'a> {
    redirect: Option<ClientId>,
    prefixes: Vec<&'a [u8]>,
    has_bcast: bool,
    has_optin: bool,
    has_optout: bool,
    has_noloop: bool,
}

fn parse<'a>(ctx: &Context<'a>) -> Result<Options<'a>, Error> {
    let mut options = Options::default();
    let mut at = 3;
    while at < ctx.args.len() {
        let value = ctx.args.get(at + 1);
        if ctx.is_word(at, "REDIRECT") && value.is_some() {
            at += 1;
            if options.redirect.is_some() {
                return Err(ONE_TARGET);
            }
            options.redirect = target(ctx, ctx.integer(at)?)?;
        } else if ctx.is_word(at, "BCAST") {
            options.has_bcast = true;
        } else if ctx.is_word(at, "OPTIN") {
            options.has_optin = true;
        } else if ctx.is_word(at, "OPTOUT") {
            options.has_optout = true;
        } else if ctx.is_word(at, "NOLOOP") {
            options.has_noloop = true;
        } else if let (true, Some(prefix)) = (ctx.is_word(at, "PREFIX"), value) {
            at += 1;
            options.prefixes.push(prefix);
        } else {
            return Err(Error::SYNTAX);
        }
        at += 1;
    }
    Ok(options)
}

/// The client to be told in this one's stead, which must be there now.
fn target(ctx: &Context<'_>, number: i64) -> Result<Option<ClientId>, Error> {
    let id = u64::try_from(number).map(ClientId).map_err(|_| NO_TARGET)?;
    let exists = id == ctx.session.id || ctx.server.sessions.index_of(id).is_some();
    if exists { Ok(Some(id)) } else { Err(NO_TARGET) }
}

fn track(ctx: &mut Context<'_>) -> Outcome {
    let options = parse(ctx)?;
    if ctx.is_word(2, "OFF") {
        tracking::disable(ctx.server, ctx.session);
        return ctx.ok();
    }
    if !ctx.is_word(2, "ON") {
        return Err(Error::SYNTAX);
    }
    let mode = mode(ctx, &options)?;
    check_prefixes(ctx, &options)?;
    let names: &[&[u8]] = if options.prefixes.is_empty() { &[b""] } else { &options.prefixes };
    let prefixes: BTreeSet<Box<[u8]>> = match mode {
        Mode::Broadcast => names.iter().map(|&name| name.into()).collect(),
        Mode::All | Mode::OptIn | Mode::OptOut => BTreeSet::new(),
    };
    let tracker = Tracker {
        place: ctx.session.index,
        mode,
        own: if options.has_noloop { OwnChanges::Kept } else { OwnChanges::Told },
        redirect: options.redirect,
        is_broken: false,
        caching: Caching::AsUsual,
        prefixes,
    };
    ctx.session.prefix_bytes = ctx.server.tracking.enable(ctx.session.id, tracker);
    ctx.session.flags.insert(SessionFlags::TRACKING);
    ctx.session.flags.set(SessionFlags::TRACKS_READS, mode == Mode::All);
    ctx.server.adopt_change_listeners();
    ctx.ok()
}

/// The mode that the options ask for.
fn mode(ctx: &Context<'_>, options: &Options<'_>) -> Result<Mode, Error> {
    let current = ctx.server.tracking.get(ctx.session.id).map(|tracker| tracker.mode);
    if !options.has_bcast && !options.prefixes.is_empty() {
        return Err(PREFIX_WITHOUT_BCAST);
    }
    if current.is_some_and(|mode| (mode == Mode::Broadcast) != options.has_bcast) {
        return Err(BCAST_SWITCHED);
    }
    match (options.has_bcast, options.has_optin, options.has_optout) {
        (true, true, _) | (true, _, true) => Err(OPT_WITH_BCAST),
        (_, true, true) => Err(BOTH_OPTS),
        (_, true, _) if current == Some(Mode::OptOut) => Err(OPT_SWITCHED),
        (_, _, true) if current == Some(Mode::OptIn) => Err(OPT_SWITCHED),
        (true, false, false) => Ok(Mode::Broadcast),
        (false, true, false) => Ok(Mode::OptIn),
        (false, false, true) => Ok(Mode::OptOut),
        (false, false, false) => Ok(Mode::All),
    }
}

/// Refuses prefixes one of which begins with another, so that no key is told twice.
fn check_prefixes(ctx: &Context<'_>, options: &Options<'_>) -> Outcome {
    let overlap = |a: &[u8], b: &[u8]| a.starts_with(b) || b.starts_with(a);
    let refusal = |prefix: &[u8], what: &str, other: &[u8]| {
        let what = format!("' overlaps with {what} prefix '");
        let end: &[u8] = b"'. Prefixes for a single client must not overlap.";
        Error::new([&b"ERR Prefix '"[..], prefix, what.as_bytes(), other, end].concat())
    };
    let existing = ctx.server.tracking.get(ctx.session.id);
    for (index, prefix) in options.prefixes.iter().enumerate() {
        let held = existing.into_iter().flat_map(|tracker| &tracker.prefixes);
        if let Some(other) = held.into_iter().find(|held| overlap(held, prefix)) {
            return Err(refusal(prefix, "an existing", other));
        }
        let given = &options.prefixes[index + 1..];
        if let Some(other) = given.iter().find(|other| overlap(other, prefix)) {
            return Err(refusal(prefix, "another provided", other));
        }
    }
    Ok(())
}

fn caching(ctx: &mut Context<'_>) -> Outcome {
    let Some(tracker) = ctx.server.tracking.get_mut(ctx.session.id) else {
        return Err(NOT_TRACKING);
    };
    let word = ctx.args.at(2);
    let (wanted, refusal) = if word.eq_ignore_ascii_case(b"yes") {
        (Mode::OptIn, NOT_OPTIN)
    } else if word.eq_ignore_ascii_case(b"no") {
        (Mode::OptOut, NOT_OPTOUT)
    } else {
        return Err(Error::SYNTAX);
    };
    if tracker.mode != wanted {
        return Err(refusal);
    }
    tracker.caching = Caching::Excepted;
    ctx.ok()
}

fn get_redirect(ctx: &mut Context<'_>) -> Outcome {
    let number = redirect_of(ctx.server.tracking.get(ctx.session.id));
    ctx.reply_integer(number)
}

/// The number of the client that is told in another's stead: 0 if there is none, -1 if nothing is tracked.
pub(super) fn redirect_of(tracker: Option<&Tracker>) -> i64 {
    let Some(tracker) = tracker else { return -1 };
    tracker.redirect.map_or(0, |target| num::i64_clamped(target.0))
}

fn info(ctx: &mut Context<'_>) -> Outcome {
    let tracker = ctx.server.tracking.get(ctx.session.id);
    let mut flags = vec![if tracker.is_some() { "on" } else { "off" }];
    if let Some(tracker) = tracker {
        let is_excepted = tracker.caching == Caching::Excepted;
        flags.extend(match tracker.mode {
            Mode::All => &[][..],
            Mode::Broadcast => &["bcast"],
            Mode::OptIn if is_excepted => &["optin", "caching-yes"],
            Mode::OptIn => &["optin"],
            Mode::OptOut if is_excepted => &["optout", "caching-no"],
            Mode::OptOut => &["optout"],
        });
        flags.extend((tracker.own == OwnChanges::Kept).then_some("noloop"));
        flags.extend(tracker.is_broken.then_some("broken_redirect"));
    }
    let out = &mut ctx.session.output;
    out.map(3);
    out.text("flags");
    out.set(flags.len());
    flags.iter().for_each(|flag| out.text(flag));
    out.text("redirect");
    out.integer(redirect_of(tracker));
    out.text("prefixes");
    let prefixes = || tracker.into_iter().flat_map(|tracker| &tracker.prefixes);
    out.array(prefixes().count());
    prefixes().for_each(|prefix| out.bulk(prefix));
    Ok(())
}
