//! HOTKEYS: which keys take most time and traffic, as Redis 8.6 has it.
//!
//! While nothing is tracked this costs nothing: commands are looked at closely only if
//! [`super::Attention`] is drawn to all of them, which a session of tracking does. A session then looks at
//! one command in `SAMPLE`, picked at random, and divides its time and its bytes evenly among its keys.
//! What it keeps is bounded ([`sketch`]). The figures of keys are those of the commands looked at; they are
//! not multiplied by `SAMPLE`.

mod sketch;

use super::Seen;
use crate::base::num;
use crate::command::host::CpuUse;
use crate::command::keys::{self, Scope};
use crate::command::spec::{Arg, ArgType, Flags, Group};
use crate::command::transaction;
use crate::command::{Command, Context, Error, Outcome, Server, Spec};
use crate::resp::Output;
use crate::session::Session;
use sketch::Sketch;

/// HOTKEYS
pub(super) static HOTKEYS: Command = Command {
    spec: HOTKEYS_SPEC,
    handler: None,
    subcommands: &[&GET, &HELP, &RESET, &START, &STOP],
};

const HOTKEYS_SPEC: Spec = Spec {
    name: "hotkeys",
    summary: "Tracks which keys take most time and traffic.",
    complexity: "That of the subcommand.",
    since: "8.6.0",
    group: Group::Server,
    arity: -2,
    ..Spec::EMPTY
};

const FLAGS: Flags = Flags::ADMIN.union(Flags::NOSCRIPT);

/// HOTKEYS GET
static GET: Command = Command { spec: GET_SPEC, handler: Some(get), subcommands: &[] };

const GET_SPEC: Spec = Spec {
    name: "get",
    summary: "Returns the keys that took most, and the figures of the session.",
    complexity: "O(N log N), N being the number of keys tracked, at most 4096.",
    since: "8.6.0",
    group: Group::Server,
    arity: 2,
    flags: FLAGS,
    ..Spec::EMPTY
};

/// HOTKEYS HELP
static HELP: Command = Command { spec: HELP_SPEC, handler: Some(help), subcommands: &[] };

const HELP_SPEC: Spec = Spec {
    name: "help",
    summary: "Lists the subcommands of HOTKEYS.",
    complexity: "O(1)",
    since: "8.6.1",
    group: Group::Server,
    arity: 2,
    flags: Flags::LOADING.union(Flags::STALE),
    ..Spec::EMPTY
};

/// HOTKEYS RESET
static RESET: Command = Command { spec: RESET_SPEC, handler: Some(reset), subcommands: &[] };

const RESET_SPEC: Spec = Spec {
    name: "reset",
    summary: "Forgets a session that has ended.",
    complexity: "O(N), N being the number of keys tracked, at most 4096.",
    since: "8.6.0",
    group: Group::Server,
    arity: 2,
    flags: FLAGS,
    ..Spec::EMPTY
};

/// HOTKEYS START METRICS count [CPU] [NET] [COUNT k] [DURATION seconds] [SAMPLE ratio]
/// [SLOTS count slot [slot ...]]
static START: Command = Command { spec: START_SPEC, handler: Some(start), subcommands: &[] };

const START_SPEC: Spec = Spec {
    name: "start",
    summary: "Begins a session of tracking.",
    complexity: "O(1)",
    since: "8.6.0",
    group: Group::Server,
    arity: -2,
    flags: FLAGS,
    args: &[
        Arg::block(
            "metrics",
            &[
                Arg::new("count", ArgType::Integer),
                Arg::flag("cpu", "CPU").optional(),
                Arg::flag("net", "NET").optional(),
            ],
        )
        .token("METRICS"),
        Arg::new("k", ArgType::Integer).token("COUNT").optional(),
        Arg::new("seconds", ArgType::Integer).token("DURATION").optional(),
        Arg::new("ratio", ArgType::Integer).token("SAMPLE").optional(),
        Arg::block(
            "slots",
            &[Arg::new("count", ArgType::Integer), Arg::new("slot", ArgType::Integer).multiple()],
        )
        .token("SLOTS")
        .optional(),
    ],
    ..Spec::EMPTY
};

/// HOTKEYS STOP
static STOP: Command = Command { spec: STOP_SPEC, handler: Some(stop), subcommands: &[] };

const STOP_SPEC: Spec = Spec {
    name: "stop",
    summary: "Ends a session; its figures are kept.",
    complexity: "O(1)",
    since: "8.6.0",
    group: Group::Server,
    arity: 2,
    flags: FLAGS,
    ..Spec::EMPTY
};

const STARTED: Error = Error::fixed("ERR hotkey tracking session already in progress");
const RUNNING: Error = Error::fixed("ERR hotkey tracking session in progress, stop tracking first");
const NO_METRICS: Error = Error::fixed("ERR METRICS parameter is required");
const METRICS_COUNT: Error = Error::fixed("ERR METRICS count must be > 0 and <= 2");
const METRICS_MISMATCH: Error =
    Error::fixed("ERR METRICS count does not match number of metric types provided");
const METRICS_UNKNOWN: Error =
    Error::fixed("ERR METRICS no valid metrics passed. Supported: CPU|NET");
const CPU_TWICE: Error = Error::fixed("ERR METRICS CPU defined more than once!");
const NET_TWICE: Error = Error::fixed("ERR METRICS NET defined more than once!");
const BAD_COUNT: Error = Error::fixed("ERR COUNT must be between 1 and 64");
const BAD_DURATION: Error = Error::fixed("ERR DURATION must be between 1 and 1000000");
const BAD_SAMPLE: Error = Error::fixed("ERR SAMPLE ratio must be positive");
const NO_CLUSTER: Error = Error::fixed("ERR SLOTS parameter cannot be used in non-cluster mode");

const HELP_LINES: &[&str] = &[
    "START METRICS <count> [CPU] [NET] [COUNT <k>] [DURATION <seconds>] [SAMPLE <ratio>]",
    "    Begin to track which keys take most time (CPU), most traffic (NET), or both.",
    "    COUNT: how many keys GET returns, 1 to 64, 10 by default. DURATION: for how",
    "    long, until STOP by default. SAMPLE: look at one command in <ratio> only.",
    "STOP",
    "    End tracking. What was found is kept.",
    "GET",
    "    Return what was found.",
    "RESET",
    "    Forget what was found. Tracking must have ended.",
];

/// What to track.
#[derive(Clone, Copy, Debug)]
struct Options {
    cpu: bool,
    net: bool,
    count: usize,
    duration_s: Option<u64>,
    sample: u64,
}

/// What the whole process had used.
#[derive(Clone, Copy, Debug)]
struct Use {
    cpu: CpuUse,
    net_bytes: u64,
}

/// One session.
#[derive(Debug)]
struct Tracked {
    options: Options,
    started_ms: i64,
    /// When it ended, Unix milliseconds.
    ended_ms: Option<i64>,
    at_start: Use,
    at_end: Option<Use>,
    nanos: u64,
    net_bytes: u64,
    /// Commands until the next one that is looked at.
    skipped: u64,
    by_nanos: Sketch,
    by_net_bytes: Sketch,
}

/// The session that runs or was the last, if it was not reset.
#[derive(Debug, Default)]
pub struct Hotkeys(Option<Box<Tracked>>);

impl Hotkeys {
    /// Whether commands are to be looked at.
    pub fn is_tracking(&self) -> bool {
        self.0.as_ref().is_some_and(|tracked| tracked.ended_ms.is_none())
    }
}

impl Tracked {
    /// When it ends by itself, Unix milliseconds.
    fn deadline_ms(&self) -> Option<i64> {
        self.options
            .duration_s
            .map(|seconds| self.started_ms.saturating_add_unsigned(seconds * 1000))
    }

    fn write(&self, now_ms: i64, now: Use, out: &mut Output) {
        let Options { cpu, net, count, sample, .. } = self.options;
        let end = self.at_end.unwrap_or(now);
        let millis = |from: f64, to: f64| num::i64_truncated(((to - from) * 1000.0).max(0.0));
        out.array(1);
        out.map(7 + if cpu { 3 } else { 0 } + if net { 2 } else { 0 });
        let mut field = |name: &str, value: i64| {
            out.text(name);
            out.integer(value);
        };
        field("tracking-active", i64::from(self.ended_ms.is_none()));
        field("sample-ratio", num::i64_clamped(sample));
        out.text("selected-slots");
        out.array(1);
        out.array(2);
        out.integer(0);
        out.integer(16383);
        let mut field = |name: &str, value: i64| {
            out.text(name);
            out.integer(value);
        };
        field("all-commands-all-slots-us", num::i64_clamped(self.nanos / 1000));
        field("net-bytes-all-commands-all-slots", num::i64_clamped(self.net_bytes));
        field("collection-start-time-unix-ms", self.started_ms);
        field("collection-duration-ms", self.ended_ms.unwrap_or(now_ms) - self.started_ms);
        if cpu {
            field("total-cpu-time-user-ms", millis(self.at_start.cpu.user, end.cpu.user));
            field("total-cpu-time-sys-ms", millis(self.at_start.cpu.sys, end.cpu.sys));
        }
        if net {
            let bytes = end.net_bytes.saturating_sub(self.at_start.net_bytes);
            field("total-net-bytes", num::i64_clamped(bytes));
        }
        if cpu {
            out.text("by-cpu-time-us");
            write_top(&self.by_nanos, count, 1000, out);
        }
        if net {
            out.text("by-net-bytes");
            write_top(&self.by_net_bytes, count, 1, out);
        }
    }
}

/// The keys with the largest sums, each with its sum in units.
fn write_top(sketch: &Sketch, count: usize, unit: u64, out: &mut Output) {
    let top = sketch.top(count);
    out.array(2 * top.len());
    for (key, sum) in top {
        out.bulk(key);
        out.integer(num::i64_clamped(sum / unit));
    }
}

impl Options {
    fn parse(ctx: &Context<'_>) -> Result<Self, Error> {
        if !ctx.is_word(2, "METRICS") {
            return Err(NO_METRICS);
        }
        let mut options = Self { cpu: false, net: false, count: 10, duration_s: None, sample: 1 };
        let metrics = number(ctx, 3, 1, 2).ok_or(METRICS_COUNT)?;
        let mut at = 4 + num::usize_of(metrics);
        if at > ctx.args.len() {
            return Err(METRICS_MISMATCH);
        }
        for index in 4..at {
            if ctx.is_word(index, "CPU") {
                if std::mem::replace(&mut options.cpu, true) {
                    return Err(CPU_TWICE);
                }
            } else if ctx.is_word(index, "NET") && std::mem::replace(&mut options.net, true) {
                return Err(NET_TWICE);
            }
        }
        if !options.cpu && !options.net {
            return Err(METRICS_UNKNOWN);
        }
        while at < ctx.args.len() {
            if at + 1 == ctx.args.len() {
                return Err(Error::SYNTAX);
            } else if ctx.is_word(at, "COUNT") {
                let count = number(ctx, at + 1, 1, 64).ok_or(BAD_COUNT)?;
                options.count = num::usize_of(count);
            } else if ctx.is_word(at, "DURATION") {
                options.duration_s = Some(number(ctx, at + 1, 1, 1_000_000).ok_or(BAD_DURATION)?);
            } else if ctx.is_word(at, "SAMPLE") {
                let ratio =
                    number(ctx, at + 1, 1, i32::MAX.unsigned_abs().into()).ok_or(BAD_SAMPLE)?;
                options.sample = ratio;
            } else if ctx.is_word(at, "SLOTS") {
                return Err(NO_CLUSTER);
            } else {
                return Err(Error::SYNTAX);
            }
            at += 2;
        }
        Ok(options)
    }
}

/// The integer at an argument, if it is one of these.
fn number(ctx: &Context<'_>, index: usize, least: u64, most: u64) -> Option<u64> {
    let number = num::parse_u64(ctx.args.get(index)?)?;
    (least..=most).contains(&number).then_some(number)
}

fn start(ctx: &mut Context<'_>) -> Outcome {
    ctx.server.end_hotkeys_in_time();
    if ctx.server.hotkeys.is_tracking() {
        return Err(STARTED);
    }
    let options = Options::parse(ctx)?;
    let server = &mut *ctx.server;
    server.hotkeys.0 = Some(Box::new(Tracked {
        options,
        started_ms: server.now.unix_ms(),
        ended_ms: None,
        at_start: server.current_use(),
        at_end: None,
        nanos: 0,
        net_bytes: 0,
        skipped: 0,
        by_nanos: Sketch::default(),
        by_net_bytes: Sketch::default(),
    }));
    server.adopt_attention();
    ctx.ok()
}

fn stop(ctx: &mut Context<'_>) -> Outcome {
    ctx.server.end_hotkeys_in_time();
    if !ctx.server.hotkeys.is_tracking() {
        ctx.out().null();
        return Ok(());
    }
    let now_ms = ctx.server.now.unix_ms();
    ctx.server.end_hotkeys(now_ms);
    ctx.ok()
}

fn get(ctx: &mut Context<'_>) -> Outcome {
    ctx.server.end_hotkeys_in_time();
    let (now_ms, now) = (ctx.server.now.unix_ms(), ctx.server.current_use());
    match &ctx.server.hotkeys.0 {
        Some(tracked) => tracked.write(now_ms, now, &mut ctx.session.output),
        None => ctx.session.output.null(),
    }
    Ok(())
}

fn reset(ctx: &mut Context<'_>) -> Outcome {
    ctx.server.end_hotkeys_in_time();
    if ctx.server.hotkeys.is_tracking() {
        return Err(RUNNING);
    }
    ctx.server.hotkeys = Hotkeys::default();
    ctx.ok()
}

fn help(ctx: &mut Context<'_>) -> Outcome {
    ctx.help(HELP_LINES)
}

/// Counts a command for the keys it has.
pub(super) fn note(server: &mut Server, session: &Session, seen: &Seen<'_>) {
    server.end_hotkeys_in_time();
    // The commands of a transaction were counted one by one.
    if transaction::is_exec(server, seen.id) {
        return;
    }
    let Some(tracked) = server.hotkeys.0.as_mut().filter(|tracked| tracked.ended_ms.is_none())
    else {
        return;
    };
    let request_bytes = seen.args.wire_len();
    let bytes = num::u64_of(request_bytes + session.output.bytes_since(seen.reply));
    tracked.nanos += seen.nanos;
    tracked.net_bytes += bytes;
    let Options { cpu, net, sample, .. } = tracked.options;
    if tracked.skipped > 0 {
        tracked.skipped -= 1;
        return;
    }
    // As many as asked for, in the mean, and never in step with what a client repeats.
    tracked.skipped = if sample > 1 { server.rng.below(sample.saturating_mul(2) - 1) } else { 0 };
    let spec = &server.commands.get(seen.id).command.spec;
    let args: Vec<&[u8]> = seen.args.from(0).collect();
    let found = keys::find(spec, &args[..], Scope::Keys);
    let count = num::u64_of(found.clone().count()).max(1);
    for key in found {
        if cpu {
            tracked.by_nanos.add(args[key.index], seen.nanos / count);
        }
        if net {
            tracked.by_net_bytes.add(args[key.index], bytes / count);
        }
    }
}

impl Server {
    fn current_use(&self) -> Use {
        let net_bytes = self.stats.input_bytes + self.stats.output_bytes;
        Use { cpu: self.host.cpu(), net_bytes }
    }

    /// Ends a session whose time is over.
    fn end_hotkeys_in_time(&mut self) {
        let tracked = self.hotkeys.0.as_ref().filter(|tracked| tracked.ended_ms.is_none());
        let deadline_ms = tracked.and_then(|tracked| tracked.deadline_ms());
        if let Some(deadline_ms) = deadline_ms.filter(|&at_ms| at_ms <= self.now.unix_ms()) {
            self.end_hotkeys(deadline_ms);
        }
    }

    fn end_hotkeys(&mut self, at_ms: i64) {
        let at_end = self.current_use();
        if let Some(tracked) = &mut self.hotkeys.0 {
            (tracked.ended_ms, tracked.at_end) = (Some(at_ms), Some(at_end));
        }
        self.adopt_attention();
    }
}

#[cfg(test)]
mod tests;
