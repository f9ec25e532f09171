//! REPLICAOF and SLAVEOF.

use crate::base::num;
use crate::command::spec::{Arg, ArgType, Deprecation, Flags, Group};
use crate::command::{Command, Context, Error, Outcome, Spec};
use crate::config::{PrimaryAddress, Text};
use crate::session::SessionFlags;

/// REPLICAOF host port | NO ONE
pub(super) static REPLICAOF: Command =
    Command { spec: REPLICAOF_SPEC, handler: Some(replicaof), subcommands: &[] };

const REPLICAOF_SPEC: Spec = Spec {
    name: "replicaof",
    summary: "Makes the server a replica of another one, or a primary.",
    complexity: "O(1)",
    since: "5.0.0",
    group: Group::Server,
    arity: 3,
    flags: Flags::ADMIN.union(Flags::NOSCRIPT).union(Flags::STALE).union(Flags::NO_ASYNC_LOADING),
    args: ARGS,
    ..Spec::EMPTY
};

/// SLAVEOF host port | NO ONE
pub(super) static SLAVEOF: Command =
    Command { spec: SLAVEOF_SPEC, handler: Some(replicaof), subcommands: &[] };

const SLAVEOF_SPEC: Spec = Spec {
    name: "slaveof",
    summary: "Makes the server a replica of another one, or a primary.",
    since: "1.0.0",
    deprecated: Some(Deprecation { since: "5.0.0", replaced_by: "`REPLICAOF`" }),
    ..REPLICAOF_SPEC
};

const ARGS: &[Arg] = &[Arg::one_of(
    "args",
    &[
        Arg::block(
            "host-port",
            &[Arg::new("host", ArgType::String), Arg::new("port", ArgType::Integer)],
        ),
        Arg::block("no-one", &[Arg::flag("no", "NO"), Arg::flag("one", "ONE")]),
    ],
)];

fn replicaof(ctx: &mut Context<'_>) -> Outcome {
    if ctx.server.replication.failover.is_under_way() {
        return Err(Error::fixed("ERR REPLICAOF not allowed while failing over."));
    }
    if ctx.is_word(1, "no") && ctx.is_word(2, "one") {
        if !ctx.server.replication.role.is_primary() {
            ctx.server.follow_nobody();
            tracing::info!("MASTER MODE enabled (user request from 'client {}')", ctx.session.id.0);
        }
        return ctx.ok();
    }
    if ctx.session.flags.contains(SessionFlags::REPLICA) {
        return Err(Error::fixed("ERR Command is not valid when client is a replica."));
    }
    let port = num::parse_i64(ctx.args.at(2)).and_then(|port| u16::try_from(port).ok());
    let port = port.ok_or_else(|| Error::fixed("ERR Invalid master port"))?;
    let host = Text::from(ctx.args.at(1));
    let followed = ctx.server.config.replicaof.as_ref();
    if followed.is_some_and(|followed| followed.port == port && followed.host == host) {
        tracing::info!(
            "REPLICAOF would result into synchronization with the master we are already connected \
             with. No operation performed."
        );
        ctx.out().simple("OK Already connected to specified master");
        return Ok(());
    }
    tracing::info!(
        "REPLICAOF {host}:{port} enabled (user request from 'client {}')",
        ctx.session.id.0
    );
    ctx.server.follow(PrimaryAddress { host, port });
    ctx.ok()
}
