//! PSYNC and SYNC: a replica asks to follow.

use crate::base::num;
use crate::command::error::printed;
use crate::command::replication::role::LinkState;
use crate::command::server::Server;
use crate::command::spec::{Arg, ArgType, Flags, Group};
use crate::command::{Command, Context, Error, Outcome, Spec};
use crate::repl::{Capabilities, Replica, Stage};
use crate::session::{ReplyMode, Session, SessionFlags};

/// PSYNC id offset [FAILOVER]
pub(super) static PSYNC: Command =
    Command { spec: PSYNC_SPEC, handler: Some(psync), subcommands: &[] };

const FLAGS: Flags =
    Flags::ADMIN.union(Flags::NO_MULTI).union(Flags::NOSCRIPT).union(Flags::NO_ASYNC_LOADING);

const PSYNC_SPEC: Spec = Spec {
    name: "psync",
    summary: "Asks for the stream of changes, from an offset on if that is still there.",
    complexity: "O(1)",
    since: "2.8.0",
    group: Group::Server,
    arity: -3,
    flags: FLAGS,
    args: &[Arg::new("replicationid", ArgType::String), Arg::new("offset", ArgType::Integer)],
    ..Spec::EMPTY
};

/// SYNC
pub(super) static SYNC: Command =
    Command { spec: SYNC_SPEC, handler: Some(sync), subcommands: &[] };

const SYNC_SPEC: Spec = Spec {
    name: "sync",
    summary: "Asks for a snapshot and the stream of changes behind it.",
    complexity: "O(1)",
    group: Group::Server,
    flags: FLAGS,
    ..Spec::EMPTY
};

fn sync(ctx: &mut Context<'_>) -> Outcome {
    if is_settled(ctx) {
        return Ok(());
    }
    check(ctx)?;
    full(ctx, Asked::WithSync);
    Ok(())
}

fn psync(ctx: &mut Context<'_>) -> Outcome {
    if is_settled(ctx) {
        return Ok(());
    }
    let id = ctx.args.at(1);
    if ctx.is_word(3, "failover") {
        takes_over(ctx, id)?;
    }
    check(ctx)?;
    let Some(from) = num::parse_i64(ctx.args.at(2)) else {
        tracing::warn!(
            "Replica {} asks for synchronization but with a wrong offset",
            name(ctx.server, ctx.session)
        );
        return Err(Error::NOT_AN_INTEGER);
    };
    // Who has nothing asks for `? -1`, and for `id 0` if he wants everything anew.
    let from = u64::try_from(from).unwrap_or(0);
    if goes_on(ctx, id, from) {
        ctx.server.replication.partial_syncs += 1;
        return Ok(());
    }
    if id != b"?" {
        ctx.server.replication.refused_syncs += 1;
    }
    full(ctx, Asked::WithPsync);
    Ok(())
}

/// Whether it follows already, or looks on: then there is nothing to do and nothing to say.
fn is_settled(ctx: &Context<'_>) -> bool {
    ctx.session.flags.intersects(SessionFlags::REPLICA | SessionFlags::MONITOR)
}

/// What keeps anybody from following.
fn check(ctx: &Context<'_>) -> Outcome {
    let replication = &ctx.server.replication;
    if replication.failover.is_under_way() {
        return Err(Error::fixed("NOMASTERLINK Can't SYNC while failing over"));
    }
    let link = replication.role.following().map(|following| following.link);
    if link.is_some_and(|link| link != LinkState::Connected) {
        return Err(Error::fixed("NOMASTERLINK Can't SYNC while not connected with my master"));
    }
    if ctx.session.output.pending_bytes() > 0 {
        return Err(Error::fixed("ERR SYNC and PSYNC are invalid with pending output"));
    }
    let wanted = ctx.session.announced.as_ref().map(|announced| announced.capabilities);
    let is_filtered = wanted.is_some_and(|wanted| {
        wanted.intersects(Capabilities::NO_KEYS | Capabilities::NO_FUNCTIONS)
    });
    if is_filtered && wanted.is_some_and(|wanted| !wanted.contains(Capabilities::EOF)) {
        return Err(Error::fixed("ERR Filtered replica requires EOF capability"));
    }
    Ok(())
}

/// A primary that wants to follow this replica of its own, and asks it to be the primary.
fn takes_over(ctx: &mut Context<'_>, id: &[u8]) -> Outcome {
    let shown = printed(id).escape_ascii();
    tracing::warn!("Failover request received for replid {shown}.");
    if ctx.server.replication.role.is_primary() {
        return Err(Error::fixed("ERR PSYNC FAILOVER can't be sent to a master."));
    }
    if ctx.server.replication.history.id().bytes() != id {
        return Err(Error::fixed("ERR PSYNC FAILOVER replid must match my replid."));
    }
    ctx.server.follow_nobody();
    let line = ctx.server.client_line(ctx.session);
    tracing::info!("MASTER MODE enabled (failover request from '{line}')");
    Ok(())
}

/// How a replica asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    WithSync,
    WithPsync,
}

/// Lets a replica go on where it is, if the stream is still there from that byte on.
fn goes_on(ctx: &mut Context<'_>, id: &[u8], from: u64) -> bool {
    let who = name(ctx.server, ctx.session);
    let replication = &ctx.server.replication;
    if !replication.history.holds(id, from) {
        let id = printed(id).escape_ascii();
        if id.to_string() == "?" {
            tracing::info!("Full resync requested by replica {who}");
        } else {
            tracing::info!(
                "Partial resynchronization not accepted: Replication ID mismatch (Replica asked for \
                 '{id}', my replication IDs are '{}' and '{}')",
                replication.history.id(),
                replication.second_id(),
            );
        }
        return false;
    }
    let offset = replication.history.offset();
    if !replication.backlog.as_ref().is_some_and(|backlog| backlog.holds(from)) {
        tracing::info!(
            "Unable to partial resync with replica {who} for lack of backlog (Replica request was: {from})."
        );
        if from > offset + 1 {
            tracing::warn!(
                "Warning: replica {who} tried to PSYNC with an offset that is greater than the master replication offset."
            );
        }
        return false;
    }
    let mut replica = Replica::new(ctx.session.index, announced(ctx.session));
    replica.stage = Stage::Online;
    replica.next = Some(from);
    replica.acknowledged_at_ms = ctx.server.now.mono_ms();
    if replica.announced.capabilities.contains(Capabilities::PSYNC2) {
        let line = format!("CONTINUE {}", replication.history.id());
        ctx.session.output.simple(&line);
    } else {
        ctx.session.output.simple("CONTINUE");
    }
    tracing::info!(
        "Partial resynchronization request from {who} accepted. Sending {} bytes of backlog starting \
         from offset {from}.",
        offset + 1 - from
    );
    follow(ctx, replica);
    true
}

/// Notes that a replica wants a snapshot.
fn full(ctx: &mut Context<'_>, asked: Asked) {
    let who = name(ctx.server, ctx.session);
    let server = &mut *ctx.server;
    server.replication.full_syncs += 1;
    if server.replication.backlog.is_none() {
        // Nothing of the stream was kept so far: nobody can have a part of it.
        if server.replication.role.is_primary() {
            let id = server.new_repl_id();
            server.replication.history.restart(id);
            tracing::info!(
                "Replication backlog created, my new replication IDs are '{id}' and '{}'",
                server.replication.second_id()
            );
        }
        server.open_backlog();
    }
    let mut replica = Replica::new(ctx.session.index, announced(ctx.session));
    replica.is_old = asked == Asked::WithSync;
    replica.asked_at_ms = server.now.mono_ms();
    replica.took_at_s = server.now.unix_s();
    tracing::info!("Replica {who} asks for synchronization");
    follow(ctx, replica);
}

fn announced(session: &mut Session) -> crate::repl::Announcement {
    session.announced.take().map_or_else(Default::default, |announced| *announced)
}

fn follow(ctx: &mut Context<'_>, replica: Replica) {
    let session = &mut *ctx.session;
    session.flags.insert(SessionFlags::REPLICA);
    if ctx.server.config.repl_disable_tcp_nodelay {
        ctx.server.host.collect_packets(session.descriptor);
    }
    session.reply_mode = ReplyMode::FollowsNext;
    ctx.server.replication.replicas.add(replica);
    ctx.server.replication.has_news = true;
    ctx.server.judge_replicas();
    ctx.server.queue_write(session);
}

/// How the log names a replica that is just asking.
fn name(server: &Server, session: &Session) -> String {
    let announced = session.announced.as_ref();
    let address = announced.map_or(&[][..], |announced| &announced.address);
    let port = announced.map_or(0, |announced| announced.port);
    server.name_of(session, address, port)
}
