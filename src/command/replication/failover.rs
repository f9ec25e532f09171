//! FAILOVER: a primary hands over to a replica of its own, and follows it.
//!
//! Clients may not change data from the start on; once the replica has everything, this server follows it, and
//! asks it with the words that it uses for that to be the primary.

use crate::command::server::{Pause, PauseKind, Server};
use crate::command::spec::{Arg, ArgType, Flags, Group};
use crate::command::{Command, Context, Error, Outcome, Spec};
use crate::config::PrimaryAddress;
use crate::repl::Replica;

/// FAILOVER [TO host port [FORCE]] [ABORT] [TIMEOUT milliseconds]
pub(super) static FAILOVER: Command =
    Command { spec: FAILOVER_SPEC, handler: Some(failover), subcommands: &[] };

const FAILOVER_SPEC: Spec = Spec {
    name: "failover",
    summary: "Makes a replica of this server the primary, and this server a replica of it.",
    complexity: "O(1)",
    since: "6.2.0",
    group: Group::Server,
    arity: -1,
    flags: Flags::ADMIN.union(Flags::NOSCRIPT).union(Flags::STALE),
    args: &[
        Arg::block(
            "target",
            &[
                Arg::new("host", ArgType::String),
                Arg::new("port", ArgType::Integer),
                Arg::flag("force", "FORCE").optional(),
            ],
        )
        .token("TO")
        .optional(),
        Arg::flag("abort", "ABORT").optional(),
        Arg::new("milliseconds", ArgType::Integer).token("TIMEOUT").optional(),
    ],
    ..Spec::EMPTY
};

/// What happens when the time is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AtTimeout {
    /// All is as before.
    Abort,
    /// The replica becomes the primary with what it has.
    TakeOver,
}

/// Whether a replica is to take over.
#[derive(Debug, Default)]
pub struct Failover(State);

#[derive(Debug, Default)]
enum State {
    /// No.
    #[default]
    None,
    /// Once it has everything.
    Waiting { target: Option<(String, u16)>, until_ms: Option<u64>, then: AtTimeout },
    /// It is asked to.
    UnderWay,
}

impl Failover {
    /// As INFO says it.
    pub const fn name(&self) -> &'static str {
        match self.0 {
            State::None => "no-failover",
            State::Waiting { .. } => "waiting-for-sync",
            State::UnderWay => "failover-in-progress",
        }
    }

    /// Whether there is one.
    pub const fn is_under_way(&self) -> bool {
        !matches!(self.0, State::None)
    }

    /// Whether a replica is waited for.
    pub const fn is_waiting(&self) -> bool {
        matches!(self.0, State::Waiting { .. })
    }

    /// Whether this server asks a replica to take over.
    pub const fn is_asking(&self) -> bool {
        matches!(self.0, State::UnderWay)
    }
}

#[derive(Default)]
struct Request {
    target: Option<(String, u16)>,
    timeout_ms: Option<u64>,
    is_forced: bool,
}

fn failover(ctx: &mut Context<'_>) -> Outcome {
    if ctx.args.len() == 2 && ctx.is_word(1, "ABORT") {
        if !ctx.server.replication.failover.is_under_way() {
            return Err(Error::fixed("ERR No failover in progress."));
        }
        ctx.server.abort_failover("Failover manually aborted");
        return ctx.ok();
    }
    let request = parse(ctx)?;
    check(ctx.server, &request)?;
    let Request { target, timeout_ms, is_forced } = request;
    if let Some((host, port)) = &target {
        tracing::info!("FAILOVER requested to {host}:{port}.");
    } else {
        tracing::info!("FAILOVER requested.");
    }
    let until_ms = timeout_ms.map(|millis| ctx.server.now.mono_ms().saturating_add(millis));
    let then = if is_forced { AtTimeout::TakeOver } else { AtTimeout::Abort };
    ctx.server.replication.failover = Failover(State::Waiting { target, until_ms, then });
    ctx.server.set_pause(Some(Pause { until_ms: i64::MAX, kind: PauseKind::Write }));
    ctx.server.ask_replicas();
    ctx.ok()
}

fn parse(ctx: &Context<'_>) -> Result<Request, Error> {
    let mut request = Request::default();
    let mut at = 1;
    while at < ctx.args.len() {
        if ctx.is_word(at, "TIMEOUT") && at + 1 < ctx.args.len() && request.timeout_ms.is_none() {
            let millis = ctx.integer(at + 1)?;
            if millis <= 0 {
                return Err(Error::fixed("ERR FAILOVER timeout must be greater than 0"));
            }
            request.timeout_ms = Some(millis.unsigned_abs());
            at += 2;
        } else if ctx.is_word(at, "TO") && at + 2 < ctx.args.len() && request.target.is_none() {
            let port = ctx.integer(at + 2)?;
            let host = String::from_utf8_lossy(ctx.args.at(at + 1)).into_owned();
            request.target = Some((host, u16::try_from(port).unwrap_or(0)));
            at += 3;
        } else if ctx.is_word(at, "FORCE") && !request.is_forced {
            request.is_forced = true;
            at += 1;
        } else {
            return Err(Error::SYNTAX);
        }
    }
    Ok(request)
}

fn check(server: &Server, request: &Request) -> Outcome {
    let replication = &server.replication;
    if replication.failover.is_under_way() {
        return Err(Error::fixed("ERR FAILOVER already in progress."));
    }
    if !replication.role.is_primary() {
        return Err(Error::fixed("ERR FAILOVER is not valid when server is a replica."));
    }
    if replication.replicas.is_empty() {
        return Err(Error::fixed("ERR FAILOVER requires connected replicas."));
    }
    if request.is_forced && (request.timeout_ms.is_none() || request.target.is_none()) {
        return Err(Error::fixed(
            "ERR FAILOVER with force option requires both a timeout and target HOST and IP to be set.",
        ));
    }
    let Some((host, port)) = &request.target else { return Ok(()) };
    let Some(replica) = server.replica_at(host, *port) else {
        return Err(Error::fixed("ERR FAILOVER target HOST and PORT is not a replica."));
    };
    if !replica.is_online() {
        return Err(Error::fixed("ERR FAILOVER target replica is not online."));
    }
    Ok(())
}

impl Server {
    fn replica_at(&self, host: &str, port: u16) -> Option<&Replica> {
        self.replication.replicas.iter().find(|replica| {
            let session = self.sessions.get(replica.place);
            let address =
                session.map(|session| super::report::address(session, &replica.announced.address));
            replica.announced.port == port && address.is_some_and(|address| address == host)
        })
    }

    /// Goes on with a failover, if there is one: at the end of each turn in which a replica said something, and
    /// now and then.
    pub(super) fn advance_failover(&mut self) {
        let State::Waiting { target, until_ms, then } = &self.replication.failover.0 else {
            return;
        };
        let is_late = until_ms.is_some_and(|until_ms| self.now.mono_ms() >= until_ms);
        let offset = self.replication.history.offset();
        let has_all = |replica: &&Replica| replica.is_online() && replica.acknowledged == offset;
        let ready = match target {
            Some((host, port)) => self.replica_at(host, *port).filter(|replica| has_all(replica)),
            None => self.replication.replicas.iter().find(has_all),
        };
        let named = ready.and_then(|replica| {
            let session = self.sessions.get(replica.place)?;
            let host = super::report::address(session, &replica.announced.address);
            Some((host, replica.announced.port))
        });
        match (named, is_late, then, target) {
            (_, true, AtTimeout::Abort, _) => {
                self.abort_failover("Replica never caught up before timeout");
            }
            (_, true, AtTimeout::TakeOver, Some((host, port))) => {
                tracing::info!("Failover to {host}:{port} time out exceeded, failing over.");
                let target = (host.clone(), *port);
                self.hand_over_to(target);
            }
            (Some(target), ..) => {
                tracing::info!("Failover target is synced, failing over.");
                self.hand_over_to(target);
            }
            (None, ..) => {}
        }
    }

    fn hand_over_to(&mut self, (host, port): (String, u16)) {
        self.replication.failover = Failover(State::UnderWay);
        self.hand_over(PrimaryAddress { host: host.as_str().into(), port });
    }

    /// The replica has taken over.
    pub(in crate::command) fn failover_done(&mut self) {
        if self.replication.failover.is_under_way() {
            self.replication.failover = Failover::default();
            self.set_pause(None);
        }
    }

    /// All is as before the failover.
    pub(in crate::command) fn abort_failover(&mut self, why: &str) {
        match &self.replication.failover.0 {
            State::None => return,
            State::Waiting { target: Some((host, port)), .. } => {
                tracing::warn!("Aborting failover to {host}:{port}: {why}");
            }
            State::Waiting { .. } | State::UnderWay => tracing::warn!("Aborting failover: {why}"),
        }
        let is_asking = self.replication.failover.is_asking();
        self.replication.failover = Failover::default();
        if is_asking {
            self.follow_nobody();
        }
        self.set_pause(None);
    }
}
