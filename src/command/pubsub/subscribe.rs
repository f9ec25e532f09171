//! SUBSCRIBE and its kin.
//!
//! Each name is told of in a message of its own, which is a push in RESP3: a client that wants no replies
//! (CLIENT REPLY OFF) gets it all the same.

use crate::base::num;
use crate::command::spec::{Arg, ArgType, Categories, Flags, Group, KeyFlags, KeySpec};
use crate::command::{Command, Context, Outcome, Server, Spec};
use crate::pubsub::Kind;
use crate::resp::Output;
use crate::session::{ReplyMode, Session, SessionFlags};
use bytes::Bytes;

const FLAGS: Flags = Flags::PUBSUB.union(Flags::NOSCRIPT).union(Flags::LOADING).union(Flags::STALE);

/// SUBSCRIBE channel [channel ...]
pub(super) static SUBSCRIBE: Command = Command {
    spec: SUBSCRIBE_SPEC,
    handler: Some(|ctx| subscribe(ctx, Kind::Channel)),
    subcommands: &[],
};

const SUBSCRIBE_SPEC: Spec = Spec {
    name: "subscribe",
    summary: "Listens to channels.",
    complexity: "O(N), N being the number of channels.",
    since: "2.0.0",
    group: Group::Pubsub,
    arity: -2,
    flags: FLAGS.union(Flags::SENTINEL),
    categories: Categories::PUBSUB,
    args: &[Arg::new("channel", ArgType::String).multiple()],
    ..Spec::EMPTY
};

/// PSUBSCRIBE pattern [pattern ...]
pub(super) static PSUBSCRIBE: Command = Command {
    spec: PSUBSCRIBE_SPEC,
    handler: Some(|ctx| subscribe(ctx, Kind::Pattern)),
    subcommands: &[],
};

const PSUBSCRIBE_SPEC: Spec = Spec {
    name: "psubscribe",
    summary: "Listens to channels whose names match patterns.",
    complexity: "O(N), N being the number of patterns.",
    since: "2.0.0",
    group: Group::Pubsub,
    arity: -2,
    flags: FLAGS.union(Flags::SENTINEL),
    categories: Categories::PUBSUB,
    args: &[Arg::new("pattern", ArgType::Pattern).multiple()],
    ..Spec::EMPTY
};

/// SSUBSCRIBE shardchannel [shardchannel ...]
pub(super) static SSUBSCRIBE: Command = Command {
    spec: SSUBSCRIBE_SPEC,
    handler: Some(|ctx| subscribe(ctx, Kind::Shard)),
    subcommands: &[],
};

const SSUBSCRIBE_SPEC: Spec = Spec {
    name: "ssubscribe",
    summary: "Listens to shard channels.",
    complexity: "O(N), N being the number of shard channels.",
    since: "7.0.0",
    group: Group::Pubsub,
    arity: -2,
    flags: FLAGS,
    categories: Categories::PUBSUB,
    keys: &[KeySpec::range(1, -1, 1, KeyFlags::NOT_KEY)],
    args: &[Arg::new("shardchannel", ArgType::String).multiple()],
    ..Spec::EMPTY
};

/// UNSUBSCRIBE [channel [channel ...]]
pub(super) static UNSUBSCRIBE: Command = Command {
    spec: UNSUBSCRIBE_SPEC,
    handler: Some(|ctx| unsubscribe(ctx, Kind::Channel)),
    subcommands: &[],
};

const UNSUBSCRIBE_SPEC: Spec = Spec {
    name: "unsubscribe",
    summary: "Listens to channels no longer.",
    complexity: "O(N), N being the number of channels.",
    since: "2.0.0",
    group: Group::Pubsub,
    arity: -1,
    flags: FLAGS.union(Flags::SENTINEL),
    categories: Categories::PUBSUB,
    args: &[Arg::new("channel", ArgType::String).optional().multiple()],
    ..Spec::EMPTY
};

/// PUNSUBSCRIBE [pattern [pattern ...]]
pub(super) static PUNSUBSCRIBE: Command = Command {
    spec: PUNSUBSCRIBE_SPEC,
    handler: Some(|ctx| unsubscribe(ctx, Kind::Pattern)),
    subcommands: &[],
};

const PUNSUBSCRIBE_SPEC: Spec = Spec {
    name: "punsubscribe",
    summary: "Listens to patterns no longer.",
    complexity: "O(N), N being the number of patterns.",
    since: "2.0.0",
    group: Group::Pubsub,
    arity: -1,
    flags: FLAGS.union(Flags::SENTINEL),
    categories: Categories::PUBSUB,
    args: &[Arg::new("pattern", ArgType::Pattern).optional().multiple()],
    ..Spec::EMPTY
};

/// SUNSUBSCRIBE [shardchannel [shardchannel ...]]
pub(super) static SUNSUBSCRIBE: Command = Command {
    spec: SUNSUBSCRIBE_SPEC,
    handler: Some(|ctx| unsubscribe(ctx, Kind::Shard)),
    subcommands: &[],
};

const SUNSUBSCRIBE_SPEC: Spec = Spec {
    name: "sunsubscribe",
    summary: "Listens to shard channels no longer.",
    complexity: "O(N), N being the number of shard channels.",
    since: "7.0.0",
    group: Group::Pubsub,
    arity: -1,
    flags: FLAGS,
    categories: Categories::PUBSUB,
    keys: &[KeySpec::range(1, -1, 1, KeyFlags::NOT_KEY)],
    args: &[Arg::new("shardchannel", ArgType::String).optional().multiple()],
    ..Spec::EMPTY
};

fn subscribe(ctx: &mut Context<'_>, kind: Kind) -> Outcome {
    let word = match kind {
        Kind::Channel => "subscribe",
        Kind::Pattern => "psubscribe",
        Kind::Shard => "ssubscribe",
    };
    let place = ctx.session.index;
    let mut own = ctx.session.subscriptions.take().unwrap_or_default();
    for name in ctx.args.from(1) {
        ctx.server.hub.subscribe(&mut own, place, kind, name);
        tell(ctx, word, Some(name), own.told_count(kind));
    }
    settle(ctx.session, own);
    Ok(())
}

fn unsubscribe(ctx: &mut Context<'_>, kind: Kind) -> Outcome {
    let word = match kind {
        Kind::Channel => "unsubscribe",
        Kind::Pattern => "punsubscribe",
        Kind::Shard => "sunsubscribe",
    };
    let place = ctx.session.index;
    let mut own = ctx.session.subscriptions.take().unwrap_or_default();
    if ctx.args.len() == 1 {
        let names = own.all(kind);
        for name in &names {
            ctx.server.hub.unsubscribe(&mut own, place, kind, name);
            tell(ctx, word, Some(name), own.told_count(kind));
        }
        if names.is_empty() {
            tell(ctx, word, None, own.told_count(kind));
        }
    }
    for name in ctx.args.from(1) {
        ctx.server.hub.unsubscribe(&mut own, place, kind, name);
        tell(ctx, word, Some(name), own.told_count(kind));
    }
    settle(ctx.session, own);
    Ok(())
}

/// Gives the client what it subscribed to, unless that is nothing.
fn settle(session: &mut Session, own: Box<crate::pubsub::Subscriptions>) {
    let listens = !own.is_empty();
    session.flags.set(SessionFlags::SUBSCRIBED, listens);
    session.subscriptions = listens.then_some(own);
}

/// Tells the client what it now listens to, or no longer.
fn tell(ctx: &mut Context<'_>, word: &str, name: Option<&[u8]>, count: usize) {
    let write = |out: &mut Output| {
        out.push(3);
        out.text(word);
        match name {
            Some(name) => out.bulk(name),
            None => out.null(),
        }
        out.integer(num::i64_of(count));
    };
    if ctx.session.reply_mode == ReplyMode::On {
        return write(&mut ctx.session.output);
    }
    let mut out = Output::default();
    out.protocol = ctx.session.output.protocol;
    write(&mut out);
    let bytes: Vec<u8> = out.pieces().flatten().copied().collect();
    ctx.server.push_later(ctx.session.index, Bytes::from(bytes));
}

/// Ends all subscriptions of a client without a word, for RESET and when it leaves.
pub(crate) fn unsubscribe_from_all(server: &mut Server, session: &mut Session) {
    if let Some(own) = session.subscriptions.take() {
        server.hub.leave(&own, session.index);
        session.flags.remove(SessionFlags::SUBSCRIBED);
    }
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{Bench, check};
    use crate::session::SessionFlags;

    #[test]
    fn each_name_is_told_of_with_the_count() {
        check(
            "SUBSCRIBE a b a; PSUBSCRIBE p*; SSUBSCRIBE s; UNSUBSCRIBE b; UNSUBSCRIBE x",
            "[$subscribe $a :1] [$subscribe $b :2] [$subscribe $a :2] [$psubscribe $p* :3] \
             [$ssubscribe $s :1] [$unsubscribe $b :2] [$unsubscribe $x :2]",
        );
        check(
            "UNSUBSCRIBE; PUNSUBSCRIBE; SUNSUBSCRIBE",
            "[$unsubscribe $_ :0] [$punsubscribe $_ :0] [$sunsubscribe $_ :0]",
        );
        check(
            "PSUBSCRIBE p; SUBSCRIBE b a; UNSUBSCRIBE; PUNSUBSCRIBE",
            "[$psubscribe $p :1] [$subscribe $b :2] [$subscribe $a :3] [$unsubscribe $a :2] \
             [$unsubscribe $b :1] [$punsubscribe $p :0]",
        );
    }

    #[test]
    fn a_subscriber_of_resp2_may_do_little_else() {
        let refused = "-ERR Can't execute 'get': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / \
                       QUIT / RESET are allowed in this context";
        for (on, off) in [("", ""), ("P", "P"), ("S", "S")] {
            let mut bench = Bench::new();
            bench.run(&format!("{on}SUBSCRIBE a"));
            bench.check("GET k; PING; PING x", &format!("{refused} [$pong $] [$pong $x]"));
            bench.run(&format!("{off}UNSUBSCRIBE a"));
            bench.check("GET k; PING", "$_ +PONG");
        }
        let mut bench = Bench::new();
        bench.run("HELLO 3; SUBSCRIBE a");
        bench.check("GET k; PING", "_ +PONG");
    }

    #[test]
    fn reset_ends_all() {
        let mut bench = Bench::new();
        bench.run("SUBSCRIBE a; PSUBSCRIBE b; SSUBSCRIBE c");
        bench.check("RESET; GET k", "+RESET $_");
        assert!(bench.server.hub.is_empty());
        assert_eq!(bench.session.flags, SessionFlags::empty());
    }

    #[test]
    fn who_wants_no_replies_is_told_of_subscriptions() {
        check("CLIENT REPLY OFF; SUBSCRIBE a; PING", "[$subscribe $a :1]");
        check("CLIENT REPLY SKIP; SUBSCRIBE a; PING", "[$subscribe $a :1] [$pong $]");
    }
}
