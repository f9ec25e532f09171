//! PUBSUB: who listens to what.

use crate::base::num;
use crate::command::spec::{Arg, ArgType, Categories, Flags, Group};
use crate::command::{Command, Context, Outcome, Spec};
use crate::pubsub::Kind;

/// PUBSUB
pub(super) static PUBSUB: Command = Command {
    spec: PUBSUB_SPEC,
    handler: None,
    subcommands: &[&CHANNELS, &HELP, &NUMPAT, &NUMSUB, &SHARDCHANNELS, &SHARDNUMSUB],
};

const PUBSUB_SPEC: Spec = Spec {
    name: "pubsub",
    summary: "Looks at channels and who listens to them.",
    complexity: "That of the subcommand.",
    since: "2.8.0",
    group: Group::Pubsub,
    arity: -2,
    flags: Flags::empty(),
    ..Spec::EMPTY
};

const FLAGS: Flags = Flags::PUBSUB.union(Flags::LOADING).union(Flags::STALE);

static CHANNELS: Command = Command {
    spec: CHANNELS_SPEC,
    handler: Some(|ctx| names(ctx, Kind::Channel)),
    subcommands: &[],
};

const CHANNELS_SPEC: Spec = Spec {
    name: "channels",
    summary: "Lists the channels that somebody listens to.",
    complexity: "O(N), N being the number of channels that somebody listens to.",
    since: "2.8.0",
    group: Group::Pubsub,
    arity: -2,
    flags: FLAGS,
    categories: Categories::PUBSUB,
    args: &[Arg::new("pattern", ArgType::Pattern).optional()],
    ..Spec::EMPTY
};

static HELP: Command = Command { spec: HELP_SPEC, handler: Some(help), subcommands: &[] };

const HELP_SPEC: Spec = Spec {
    name: "help",
    summary: "Lists the subcommands of PUBSUB.",
    complexity: "O(1)",
    since: "6.2.0",
    group: Group::Pubsub,
    arity: 2,
    flags: Flags::LOADING.union(Flags::STALE),
    ..Spec::EMPTY
};

static NUMPAT: Command = Command { spec: NUMPAT_SPEC, handler: Some(num_pat), subcommands: &[] };

const NUMPAT_SPEC: Spec = Spec {
    name: "numpat",
    summary: "Returns the number of different patterns that somebody listens to.",
    complexity: "O(1)",
    since: "2.8.0",
    group: Group::Pubsub,
    arity: 2,
    flags: FLAGS,
    categories: Categories::PUBSUB,
    ..Spec::EMPTY
};

static NUMSUB: Command = Command {
    spec: NUMSUB_SPEC,
    handler: Some(|ctx| counts(ctx, Kind::Channel)),
    subcommands: &[],
};

const NUMSUB_SPEC: Spec = Spec {
    name: "numsub",
    summary: "Returns how many clients listen to channels, patterns not counted.",
    complexity: "O(N), N being the number of channels.",
    since: "2.8.0",
    group: Group::Pubsub,
    arity: -2,
    flags: FLAGS,
    categories: Categories::PUBSUB,
    args: &[Arg::new("channel", ArgType::String).optional().multiple()],
    ..Spec::EMPTY
};

static SHARDCHANNELS: Command = Command {
    spec: SHARDCHANNELS_SPEC,
    handler: Some(|ctx| names(ctx, Kind::Shard)),
    subcommands: &[],
};

const SHARDCHANNELS_SPEC: Spec = Spec {
    name: "shardchannels",
    summary: "Lists the shard channels that somebody listens to.",
    complexity: "O(N), N being the number of shard channels that somebody listens to.",
    since: "7.0.0",
    group: Group::Pubsub,
    arity: -2,
    flags: FLAGS,
    categories: Categories::PUBSUB,
    args: &[Arg::new("pattern", ArgType::Pattern).optional()],
    ..Spec::EMPTY
};

static SHARDNUMSUB: Command = Command {
    spec: SHARDNUMSUB_SPEC,
    handler: Some(|ctx| counts(ctx, Kind::Shard)),
    subcommands: &[],
};

const SHARDNUMSUB_SPEC: Spec = Spec {
    name: "shardnumsub",
    summary: "Returns how many clients listen to shard channels.",
    complexity: "O(N), N being the number of shard channels.",
    since: "7.0.0",
    group: Group::Pubsub,
    arity: -2,
    flags: FLAGS,
    categories: Categories::PUBSUB,
    args: &[Arg::new("shardchannel", ArgType::String).optional().multiple()],
    ..Spec::EMPTY
};

fn names(ctx: &mut Context<'_>, kind: Kind) -> Outcome {
    if ctx.args.len() > 3 {
        return Err(too_many_arguments(ctx));
    }
    let names: Vec<&[u8]> = ctx.server.hub.names(kind, ctx.args.get(2)).collect();
    let out = &mut ctx.session.output;
    out.array(names.len());
    names.iter().for_each(|name| out.bulk(name));
    Ok(())
}

fn too_many_arguments(ctx: &Context<'_>) -> crate::command::Error {
    let word = crate::command::error::printed(ctx.args.at(1));
    let text = [b"ERR unknown subcommand or wrong number of arguments for '", word];
    crate::command::Error::new([&text.concat(), &b"'. Try PUBSUB HELP."[..]].concat())
}

fn counts(ctx: &mut Context<'_>, kind: Kind) -> Outcome {
    let out = &mut ctx.session.output;
    out.array(2 * (ctx.args.len() - 2));
    for name in ctx.args.from(2) {
        out.bulk(name);
        out.count(ctx.server.hub.listeners(kind, name));
    }
    Ok(())
}

fn num_pat(ctx: &mut Context<'_>) -> Outcome {
    let patterns = ctx.server.hub.len(Kind::Pattern);
    ctx.reply_integer(num::i64_of(patterns))
}

fn help(ctx: &mut Context<'_>) -> Outcome {
    ctx.help(&[
        "CHANNELS [<pattern>]",
        "    List the channels that somebody listens to, or those that match.",
        "NUMPAT",
        "    Count the patterns that somebody listens to.",
        "NUMSUB [<channel> ...]",
        "    Count who listens to channels by name.",
        "SHARDCHANNELS [<pattern>]",
        "    List the shard channels that somebody listens to, or those that match.",
        "SHARDNUMSUB [<shardchannel> ...]",
        "    Count who listens to shard channels.",
    ])
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{Bench, check};

    #[test]
    fn who_listens_is_counted_by_name() {
        let mut bench = Bench::new();
        bench.run("HELLO 3; SUBSCRIBE a ab; PSUBSCRIBE a* b*; SSUBSCRIBE s");
        bench.check(
            "PUBSUB NUMSUB a b; PUBSUB NUMPAT; PUBSUB CHANNELS ab*; PUBSUB NUMSUB; \
             PUBSUB SHARDCHANNELS; PUBSUB SHARDNUMSUB s a",
            "[$a :1 $b :0] :2 [$ab] [] [$s] [$s :1 $a :0]",
        );
    }

    #[test]
    fn wrong_words_are_refused() {
        check("PUBSUB", "-ERR wrong number of arguments for 'pubsub' command");
        check("PUBSUB FOO", "-ERR unknown subcommand 'FOO'. Try PUBSUB HELP.");
        check("PUBSUB NUMPAT x", "-ERR wrong number of arguments for 'pubsub|numpat' command");
        check(
            "PUBSUB CHANNELS a b",
            "-ERR unknown subcommand or wrong number of arguments for 'CHANNELS'. Try PUBSUB HELP.",
        );
    }
}
