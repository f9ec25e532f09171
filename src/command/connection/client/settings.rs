//! Switches of the own connection: CLIENT REPLY, NO-EVICT, NO-TOUCH.

use crate::command::spec::{Arg, Categories, Flags, Group};
use crate::command::{Command, Context, Error, Outcome, Spec};
use crate::session::{ReplyMode, SessionFlags};

/// CLIENT REPLY (ON | OFF | SKIP)
pub(super) static REPLY: Command =
    Command { spec: REPLY_SPEC, handler: Some(reply), subcommands: &[] };

const REPLY_SPEC: Spec = Spec {
    name: "reply",
    summary: "Says whether the connection gets replies.",
    complexity: "O(1)",
    since: "3.2.0",
    group: Group::Connection,
    arity: 3,
    flags: Flags::NOSCRIPT.union(Flags::LOADING).union(Flags::STALE).union(Flags::SENTINEL),
    categories: Categories::CONNECTION,
    args: &[Arg::one_of(
        "action",
        &[Arg::flag("on", "ON"), Arg::flag("off", "OFF"), Arg::flag("skip", "SKIP")],
    )],
    ..Spec::EMPTY
};

/// CLIENT NO-EVICT (ON | OFF)
pub(super) static NO_EVICT: Command =
    Command { spec: NO_EVICT_SPEC, handler: Some(no_evict), subcommands: &[] };

const NO_EVICT_SPEC: Spec = Spec {
    name: "no-evict",
    summary: "Exempts the connection from client eviction, or no longer.",
    complexity: "O(1)",
    since: "7.0.0",
    group: Group::Connection,
    arity: 3,
    flags: Flags::ADMIN
        .union(Flags::NOSCRIPT)
        .union(Flags::LOADING)
        .union(Flags::STALE)
        .union(Flags::SENTINEL),
    categories: Categories::CONNECTION,
    args: &[Arg::one_of("enabled", &[Arg::flag("on", "ON"), Arg::flag("off", "OFF")])],
    ..Spec::EMPTY
};

/// CLIENT NO-TOUCH (ON | OFF)
pub(super) static NO_TOUCH: Command =
    Command { spec: NO_TOUCH_SPEC, handler: Some(no_touch), subcommands: &[] };

const NO_TOUCH_SPEC: Spec = Spec {
    name: "no-touch",
    summary: "Says whether the connection's commands count as access to keys.",
    complexity: "O(1)",
    since: "7.2.0",
    group: Group::Connection,
    arity: 3,
    flags: Flags::NOSCRIPT.union(Flags::LOADING).union(Flags::STALE),
    categories: Categories::CONNECTION,
    args: &[Arg::one_of("enabled", &[Arg::flag("on", "ON"), Arg::flag("off", "OFF")])],
    ..Spec::EMPTY
};

/// Only ON is answered. The dispatcher drops what the mode does not want.
fn reply(ctx: &mut Context<'_>) -> Outcome {
    if ctx.is_word(2, "ON") {
        ctx.session.reply_mode = ReplyMode::On;
        return ctx.ok();
    }
    if ctx.is_word(2, "OFF") {
        ctx.session.reply_mode = ReplyMode::Off;
    } else if ctx.is_word(2, "SKIP") {
        match ctx.session.reply_mode {
            ReplyMode::Off | ReplyMode::FollowsNext | ReplyMode::Follows => {}
            ReplyMode::On | ReplyMode::SkipNext | ReplyMode::Skip => {
                ctx.session.reply_mode = ReplyMode::SkipNext;
            }
        }
    } else {
        return Err(Error::SYNTAX);
    }
    Ok(())
}

fn no_evict(ctx: &mut Context<'_>) -> Outcome {
    switch(ctx, SessionFlags::NO_EVICT)
}

fn no_touch(ctx: &mut Context<'_>) -> Outcome {
    switch(ctx, SessionFlags::NO_TOUCH)
}

/// Sets or clears a flag by the word ON or OFF.
fn switch(ctx: &mut Context<'_>, flag: SessionFlags) -> Outcome {
    if ctx.is_word(2, "ON") {
        ctx.session.flags.insert(flag);
    } else if ctx.is_word(2, "OFF") {
        ctx.session.flags.remove(flag);
    } else {
        return Err(Error::SYNTAX);
    }
    ctx.ok()
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{Bench, check};
    use crate::session::SessionFlags;

    #[test]
    fn skip_leaves_out_one_reply() {
        check("CLIENT REPLY SKIP; PING; PING", "+PONG");
        check("CLIENT REPLY SKIP; CLIENT REPLY SKIP; PING; PING", "+PONG");
        check("CLIENT REPLY SKIP; NOSUCH; PING", "+PONG");
        check("CLIENT REPLY SKIP; GET; PING", "+PONG");
        check("CLIENT REPLY SKIP; CLIENT REPLY x; PING", "+PONG");
        check("CLIENT REPLY SKIP; RESET; PING", "+PONG");
    }

    #[test]
    fn off_leaves_out_all_until_on() {
        check("CLIENT REPLY OFF; PING; SET k v; NOSUCH; CLIENT REPLY ON; GET k", "+OK $v");
        check("CLIENT REPLY OFF; CLIENT REPLY SKIP; PING; CLIENT REPLY ON; PING", "+OK +PONG");
        check("CLIENT REPLY SKIP; CLIENT REPLY OFF; PING; CLIENT REPLY ON", "+OK");
        check("CLIENT REPLY SKIP; CLIENT REPLY ON; PING", "+OK +PONG");
        check("CLIENT REPLY OFF; CLIENT REPLY x; RESET; PING", "+RESET +PONG");
    }

    #[test]
    fn reply_takes_three_words() {
        check("CLIENT REPLY on; PING", "+OK +PONG");
        check("CLIENT REPLY maybe", "-ERR syntax error");
        check("CLIENT REPLY", "-ERR wrong number of arguments for 'client|reply' command");
    }

    #[test]
    fn switches_are_on_or_off() {
        let mut bench = Bench::new();
        bench.check("CLIENT NO-EVICT on; CLIENT NO-TOUCH ON", "+OK +OK");
        assert_eq!(bench.session.flags, SessionFlags::NO_EVICT | SessionFlags::NO_TOUCH);
        bench.check("CLIENT NO-EVICT off; CLIENT NO-TOUCH maybe", "+OK -ERR syntax error");
        assert_eq!(bench.session.flags, SessionFlags::NO_TOUCH);
        bench.check("CLIENT NO-EVICT 1; CLIENT NO-TOUCH OFF", "-ERR syntax error +OK");
        assert!(bench.session.flags.is_empty());
    }
}
