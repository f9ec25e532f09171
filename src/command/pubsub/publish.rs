//! PUBLISH and SPUBLISH.

use crate::command::spec::{Arg, ArgType, Categories, Flags, Group, KeyFlags, KeySpec};
use crate::command::{Command, Context, Outcome, Spec};

/// PUBLISH channel message
pub(super) static PUBLISH: Command =
    Command { spec: PUBLISH_SPEC, handler: Some(publish), subcommands: &[] };

const FLAGS: Flags = Flags::PUBSUB
    .union(Flags::LOADING)
    .union(Flags::STALE)
    .union(Flags::FAST)
    .union(Flags::MAY_REPLICATE);

const PUBLISH_SPEC: Spec = Spec {
    name: "publish",
    summary: "Sends a message to all who listen to a channel.",
    complexity: "O(N+M), N being the number of clients that listen to the channel and M that of \
                 patterns.",
    since: "2.0.0",
    group: Group::Pubsub,
    arity: 3,
    flags: FLAGS.union(Flags::SENTINEL),
    categories: Categories::PUBSUB,
    args: &[Arg::new("channel", ArgType::String), Arg::new("message", ArgType::String)],
    ..Spec::EMPTY
};

/// SPUBLISH shardchannel message
pub(super) static SPUBLISH: Command =
    Command { spec: SPUBLISH_SPEC, handler: Some(publish_to_shard), subcommands: &[] };

const SPUBLISH_SPEC: Spec = Spec {
    name: "spublish",
    summary: "Sends a message to all who listen to a shard channel.",
    complexity: "O(N), N being the number of clients that listen to the shard channel.",
    since: "7.0.0",
    group: Group::Pubsub,
    arity: 3,
    flags: FLAGS,
    categories: Categories::PUBSUB,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::NOT_KEY)],
    args: &[Arg::new("shardchannel", ArgType::String), Arg::new("message", ArgType::String)],
    ..Spec::EMPTY
};

fn publish(ctx: &mut Context<'_>) -> Outcome {
    let (channel, payload) = (ctx.args.at(1), ctx.args.at(2));
    let receivers = ctx.server.publish(channel, payload);
    ctx.effects_for_replicas();
    ctx.session.output.count(receivers);
    Ok(())
}

fn publish_to_shard(ctx: &mut Context<'_>) -> Outcome {
    let (channel, payload) = (ctx.args.at(1), ctx.args.at(2));
    let receivers = ctx.server.publish_to_shard(channel, payload);
    ctx.effects_for_replicas();
    ctx.session.output.count(receivers);
    Ok(())
}
