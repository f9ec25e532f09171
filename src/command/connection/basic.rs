//! PING, ECHO, SELECT, RESET and QUIT.

use crate::command::spec::{Arg, ArgType, Categories, Deprecation, Flags, Group};
use crate::command::{Command, Context, Error, Outcome, Spec, pubsub, tracking, transaction};
use crate::resp::Protocol;
use crate::session::{ReplyMode, SessionFlags};

/// PING [message]
pub(super) static PING: Command =
    Command { spec: PING_SPEC, handler: Some(ping), subcommands: &[] };

const PING_SPEC: Spec = Spec {
    name: "ping",
    summary: "Returns PONG, or its argument.",
    complexity: "O(1)",
    group: Group::Connection,
    arity: -1,
    flags: Flags::FAST.union(Flags::SENTINEL),
    categories: Categories::CONNECTION,
    args: &[Arg::new("message", ArgType::String).optional()],
    tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
    ..Spec::EMPTY
};

/// ECHO message
pub(super) static ECHO: Command =
    Command { spec: ECHO_SPEC, handler: Some(echo), subcommands: &[] };

const ECHO_SPEC: Spec = Spec {
    name: "echo",
    summary: "Returns its argument.",
    complexity: "O(1)",
    group: Group::Connection,
    arity: 2,
    flags: Flags::LOADING.union(Flags::STALE).union(Flags::FAST),
    categories: Categories::CONNECTION,
    args: &[Arg::new("message", ArgType::String)],
    ..Spec::EMPTY
};

/// SELECT index
pub(super) static SELECT: Command =
    Command { spec: SELECT_SPEC, handler: Some(select), subcommands: &[] };

const SELECT_SPEC: Spec = Spec {
    name: "select",
    summary: "Selects the database of the connection.",
    complexity: "O(1)",
    group: Group::Connection,
    arity: 2,
    flags: Flags::LOADING.union(Flags::STALE).union(Flags::FAST),
    categories: Categories::CONNECTION,
    args: &[Arg::new("index", ArgType::Integer)],
    ..Spec::EMPTY
};

/// RESET
pub(super) static RESET: Command =
    Command { spec: RESET_SPEC, handler: Some(reset), subcommands: &[] };

const RESET_SPEC: Spec = Spec {
    name: "reset",
    summary: "Puts the connection back into the state of a new one.",
    complexity: "O(1)",
    since: "6.2.0",
    group: Group::Connection,
    flags: Flags::NOSCRIPT
        .union(Flags::LOADING)
        .union(Flags::STALE)
        .union(Flags::FAST)
        .union(Flags::NO_AUTH)
        .union(Flags::ALLOW_BUSY),
    categories: Categories::CONNECTION,
    ..Spec::EMPTY
};

/// QUIT
pub(super) static QUIT: Command =
    Command { spec: QUIT_SPEC, handler: Some(quit), subcommands: &[] };

const QUIT_SPEC: Spec = Spec {
    name: "quit",
    summary: "Closes the connection.",
    complexity: "O(1)",
    group: Group::Connection,
    arity: -1,
    flags: Flags::NOSCRIPT
        .union(Flags::LOADING)
        .union(Flags::STALE)
        .union(Flags::FAST)
        .union(Flags::NO_AUTH)
        .union(Flags::ALLOW_BUSY),
    categories: Categories::CONNECTION,
    deprecated: Some(Deprecation { since: "7.2.0", replaced_by: "closing the connection" }),
    ..Spec::EMPTY
};

fn ping(ctx: &mut Context<'_>) -> Outcome {
    let (is_subscriber, protocol) =
        (ctx.session.flags.contains(SessionFlags::SUBSCRIBED), ctx.session.output.protocol);
    if is_subscriber && protocol == Protocol::Resp2 && ctx.args.len() <= 2 {
        // Among messages its reply looks like one.
        let message = ctx.args.get(1).unwrap_or(b"");
        let out = ctx.out();
        out.array(2);
        out.text("pong");
        out.bulk(message);
        return Ok(());
    }
    match (ctx.args.len(), ctx.args.get(1)) {
        (1, _) => ctx.out().simple("PONG"),
        (2, Some(message)) => ctx.out().bulk(message),
        _ => return Err(Error::arity(ctx.name())),
    }
    Ok(())
}

fn echo(ctx: &mut Context<'_>) -> Outcome {
    match ctx.args.shared(1) {
        Some(message) => ctx.session.output.bulk_shared(message),
        None => ctx.session.output.bulk(ctx.args.at(1)),
    }
    Ok(())
}

fn select(ctx: &mut Context<'_>) -> Outcome {
    ctx.session.db = ctx.database(1)?;
    ctx.ok()
}

/// Puts the connection back into the state of a new one; what its library said of itself stays.
fn reset(ctx: &mut Context<'_>) -> Outcome {
    let session = &mut *ctx.session;
    session.db = 0;
    session.output.protocol = Protocol::Resp2;
    session.name = Box::default();
    session.trust = ctx.server.initial_trust();
    session.stranger_since_s = ctx.server.now.unix_s();
    session.become_user(ctx.server.users.default_user());
    session.flags.remove(SessionFlags::NO_EVICT | SessionFlags::NO_TOUCH);
    ctx.server.end_monitor(session);
    match session.reply_mode {
        ReplyMode::Off => session.reply_mode = ReplyMode::On,
        // CLIENT REPLY SKIP holds for the next command, whichever it is.
        ReplyMode::On
        | ReplyMode::SkipNext
        | ReplyMode::Skip
        | ReplyMode::FollowsNext
        | ReplyMode::Follows => {}
    }
    pubsub::unsubscribe_from_all(ctx.server, session);
    transaction::drop_transaction(ctx.server, session);
    tracking::disable(ctx.server, session);
    session.output.simple("RESET");
    Ok(())
}

fn quit(ctx: &mut Context<'_>) -> Outcome {
    ctx.session.close_after_replies();
    ctx.ok()
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{Bench, check};
    use crate::session::Closing;

    #[test]
    fn ping_answers_pong_or_its_argument() {
        check("PING", "+PONG");
        check("ping a", "$a");
        check("PING a b", "-ERR wrong number of arguments for 'ping' command");
    }

    #[test]
    fn echo_returns_its_argument() {
        check("ECHO \"a b\"", "$a b");
        check("ECHO", "-ERR wrong number of arguments for 'echo' command");
        let mut bench = Bench::new();
        let long = [b'x'; 100_000];
        let reply = bench.raw(&[&b"ECHO"[..], &long]);
        assert_eq!(reply, [b"$100000\r\n", &long[..], b"\r\n"].concat());
    }

    #[test]
    fn select_takes_the_number_of_a_database() {
        check("SELECT 3; SET k v; SELECT 0; GET k; SELECT 3; GET k", "+OK +OK +OK $_ +OK $v");
        for index in ["16", "-1", "2147483647"] {
            check(&format!("SELECT {index}"), "-ERR DB index is out of range");
        }
        for index in ["x", "''", "99999999999999999999", "1.0"] {
            check(&format!("SELECT {index}"), "-ERR value is not an integer or out of range");
        }
        check(
            "SELECT 2147483648",
            "-ERR value is out of range, value must between -2147483648 and 2147483647",
        );
    }

    #[test]
    fn a_refused_select_leaves_the_database() {
        check("SELECT 3; SET k v; SELECT 16; GET k", "+OK +OK -ERR DB index is out of range $v");
    }

    #[test]
    fn reset_makes_a_connection_new() {
        let mut bench = Bench::new();
        bench.check(
            "HELLO 3 SETNAME n; SELECT 2; CLIENT NO-EVICT ON; CLIENT NO-TOUCH ON; CLIENT SETINFO \
             LIB-NAME lib",
            "%[$server $redis $version $7.4.0 $proto :3 $id :1 $mode $standalone $role $master \
             $modules []] +OK +OK +OK +OK",
        );
        bench.check("RESET; CLIENT GETNAME", "+RESET $_");
        assert_eq!(bench.session.db, 0);
        assert!(bench.session.flags.is_empty());
        assert_eq!(&*bench.session.lib_name, b"lib");
        bench.check("RESET x", "-ERR wrong number of arguments for 'reset' command");
    }

    #[test]
    fn quit_closes_after_its_reply() {
        let mut bench = Bench::new();
        bench.check("QUIT", "+OK");
        assert_eq!(bench.session.closing, Closing::AfterReplies);
        Bench::new().check("QUIT now", "+OK");
    }
}
