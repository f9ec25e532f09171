//! HGETEX: reading fields and changing when they expire.

use super::arguments::{self, FIELDS, Fields};
use super::expire::expiry_event;
use super::record;
use crate::command::expiry::Unit;
use crate::command::spec::{
    Arg, ArgType, BeginSearch, Categories, FindKeys, Flags, Group, KeyFlags, KeySpec,
};
use crate::command::{Command, Context, Error, Outcome, Spec};
use crate::store::Event;
use crate::value::Hash;

/// HGETEX key [EX seconds | PX milliseconds | EXAT unix-time-seconds |
/// PXAT unix-time-milliseconds | PERSIST] FIELDS numfields field [field ...]
pub(super) static HGETEX: Command =
    Command { spec: HGETEX_SPEC, handler: Some(hgetex), subcommands: &[] };

const HGETEX_SPEC: Spec = Spec {
    name: "hgetex",
    summary: "Returns the values of fields and changes when the fields expire.",
    complexity: "O(N), N being the number of fields.",
    since: "8.0.0",
    group: Group::Hash,
    arity: -5,
    flags: Flags::WRITE.union(Flags::FAST),
    categories: Categories::HASH,
    keys: &[KeySpec {
        begin: BeginSearch::Index(1),
        find: FindKeys::Range { last: 0, step: 1, limit: 0 },
        flags: KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::UPDATE),
        notes: "RW and UPDATE because the expiries may change.",
    }],
    args: &[
        Arg::key("key", 0),
        Arg::one_of(
            "expiration",
            &[
                Arg::new("seconds", ArgType::Integer).token("EX"),
                Arg::new("milliseconds", ArgType::Integer).token("PX"),
                Arg::new("unix-time-seconds", ArgType::UnixTime).token("EXAT"),
                Arg::new("unix-time-milliseconds", ArgType::UnixTime).token("PXAT"),
                Arg::flag("persist", "PERSIST"),
            ],
        )
        .optional(),
        FIELDS,
    ],
    ..Spec::EMPTY
};

/// What becomes of the expiry of a field that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    /// It stays.
    None,
    /// It goes.
    Persist,
    /// It is this one, Unix milliseconds.
    At(i64),
}

impl Change {
    /// The option at argument 2, if there is one, and where FIELDS should stand.
    fn parse(ctx: &Context<'_>) -> Result<(Self, usize), Error> {
        let word = ctx.args.at(2);
        if word.eq_ignore_ascii_case(b"persist") {
            return Ok((Self::Persist, 3));
        }
        match Unit::of_word(word) {
            Some(unit) => Ok((Self::At(arguments::deadline_ms(ctx, 3, unit)?), 4)),
            None => Ok((Self::None, 2)),
        }
    }

    /// Changes the expiry of a field that there is; whether that was a change.
    fn apply(self, hash: &mut Hash, name: &[u8], old: Option<i64>, now_ms: i64) -> bool {
        match self {
            Self::None => return false,
            Self::Persist if old.is_none() => return false,
            Self::Persist => hash.set_expiry(name, None),
            Self::At(at_ms) if at_ms <= now_ms => _ = hash.remove(name, now_ms),
            Self::At(at_ms) => hash.set_expiry(name, Some(at_ms)),
        }
        true
    }
}

fn hgetex(ctx: &mut Context<'_>) -> Outcome {
    let (scope, key, now_ms) = (ctx.scope(), ctx.key(1), ctx.server.keyspace.now_ms());
    ctx.server.keyspace.has_hash(scope, key)?;
    let (change, fields_at) = Change::parse(ctx)?;
    let names = Fields::at(fields_at).parse(ctx)?;
    let out = &mut ctx.session.output;
    out.array(names.len());
    let keyspace = &mut ctx.server.keyspace;
    let mut changed_names = Vec::new();
    let changed = keyspace.change_hash(scope, key, |hash| {
        if matches!(change, Change::At(_)) {
            hash.allow_expiries();
        }
        let mut changed = 0;
        for name in names.clone() {
            let Some(field) = hash.as_ref().find(name, now_ms) else {
                out.null();
                continue;
            };
            field.value.reply(out);
            let old = field.expiry;
            if change.apply(hash, name, old, now_ms) {
                changed += 1;
                changed_names.push(name);
            }
        }
        changed
    })?;
    match changed {
        Some(changed) => keyspace.dirty += changed,
        None => names.for_each(|_| out.null()),
    }
    if !changed_names.is_empty() {
        let event = match change {
            Change::At(at_ms) => expiry_event(at_ms, now_ms),
            Change::None | Change::Persist => Event::hash("hpersist"),
        };
        keyspace.note(scope.db, key, event);
    }
    match change {
        Change::At(at_ms) => record::expiry(ctx, at_ms, None, &changed_names),
        Change::Persist if !changed_names.is_empty() => record::persistence(ctx, &changed_names),
        Change::None | Change::Persist => {}
    }
    Ok(())
}
