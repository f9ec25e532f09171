//! LATENCY: what took longer than `latency-monitor-threshold`, by event, and how long commands took.

mod doctor;
mod durations;
mod graph;
mod histogram;

pub use durations::Durations;

use super::spec::{Arg, ArgType, Flags, Group};
use super::{Command, Context, Error, Outcome, Server, Spec};
use crate::base::num;
use std::collections::{BTreeMap, VecDeque};

/// Samples kept for an event; later ones push the oldest out.
const SAMPLES_MAX: usize = 160;

/// LATENCY subcommand
pub static LATENCY: Command = Command {
    spec: LATENCY_SPEC,
    handler: None,
    subcommands: &[
        &Command { spec: DOCTOR_SPEC, handler: Some(doctor), subcommands: &[] },
        &Command { spec: GRAPH_SPEC, handler: Some(graph), subcommands: &[] },
        &Command { spec: HELP_SPEC, handler: Some(help), subcommands: &[] },
        &Command { spec: HISTOGRAM_SPEC, handler: Some(histogram::histogram), subcommands: &[] },
        &Command { spec: HISTORY_SPEC, handler: Some(history), subcommands: &[] },
        &Command { spec: LATEST_SPEC, handler: Some(latest), subcommands: &[] },
        &Command { spec: RESET_SPEC, handler: Some(reset), subcommands: &[] },
    ],
};

const FLAGS: Flags = Flags::ADMIN.union(Flags::NOSCRIPT).union(Flags::LOADING).union(Flags::STALE);

const LATENCY_SPEC: Spec = Spec {
    name: "latency",
    summary: "Looks at what made the server slow.",
    complexity: "That of the subcommand.",
    since: "2.8.13",
    group: Group::Server,
    arity: -2,
    ..Spec::EMPTY
};

const DOCTOR_SPEC: Spec = Spec {
    name: "doctor",
    summary: "Reports in words what was slow.",
    complexity: "O(1)",
    since: "2.8.13",
    group: Group::Server,
    arity: 2,
    flags: FLAGS,
    tips: &["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"],
    ..Spec::EMPTY
};

const GRAPH_SPEC: Spec = Spec {
    name: "graph",
    summary: "Draws the latency spikes of an event.",
    complexity: "O(1)",
    since: "2.8.13",
    group: Group::Server,
    arity: 3,
    flags: FLAGS,
    args: &[Arg::new("event", ArgType::String)],
    tips: &["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"],
    ..Spec::EMPTY
};

const HISTOGRAM_SPEC: Spec = Spec {
    name: "histogram",
    summary: "Returns how long executions of some commands took, or of all.",
    complexity: "O(N), N being the number of commands.",
    since: "7.0.0",
    group: Group::Server,
    arity: -2,
    flags: FLAGS,
    args: &[Arg::new("command", ArgType::String).optional().multiple()],
    tips: &["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"],
    ..Spec::EMPTY
};

const HELP_SPEC: Spec = Spec {
    name: "help",
    summary: "Lists the subcommands of LATENCY.",
    complexity: "O(1)",
    since: "2.8.13",
    group: Group::Server,
    arity: 2,
    flags: Flags::LOADING.union(Flags::STALE),
    ..Spec::EMPTY
};

const HISTORY_SPEC: Spec = Spec {
    name: "history",
    summary: "Returns the latency spikes of an event.",
    complexity: "O(1)",
    since: "2.8.13",
    group: Group::Server,
    arity: 3,
    flags: FLAGS,
    args: &[Arg::new("event", ArgType::String)],
    tips: &["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"],
    ..Spec::EMPTY
};

const LATEST_SPEC: Spec = Spec {
    name: "latest",
    summary: "Returns the latest spike of every event.",
    complexity: "O(1)",
    since: "2.8.13",
    group: Group::Server,
    arity: 2,
    flags: FLAGS,
    tips: &["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"],
    ..Spec::EMPTY
};

const RESET_SPEC: Spec = Spec {
    name: "reset",
    summary: "Forgets the spikes of some events, or of all.",
    complexity: "O(1)",
    since: "2.8.13",
    group: Group::Server,
    arity: -2,
    flags: FLAGS,
    args: &[Arg::new("event", ArgType::String).optional().multiple()],
    tips: &["request_policy:all_nodes", "response_policy:agg_sum"],
    ..Spec::EMPTY
};

/// One event: its longest occurrence ever, and the last ones with their Unix seconds, milliseconds.
#[derive(Debug, Default)]
struct Event {
    longest_ms: u64,
    samples: VecDeque<(i64, u64)>,
}

/// The events that took too long.
#[derive(Debug, Default)]
pub struct LatencyMonitor(BTreeMap<&'static str, Event>);

impl LatencyMonitor {
    /// The last occurrence of each event: its name, Unix seconds, milliseconds.
    pub fn latest(&self) -> impl Iterator<Item = (&'static str, i64, u64)> {
        let latest = |event: &Event| event.samples.back().copied().unwrap_or_default();
        self.0.iter().map(move |(name, event)| {
            let (at_s, took_ms) = latest(event);
            (*name, at_s, took_ms)
        })
    }

    /// Notes an event. Those of one second count as one, the longest.
    #[cold]
    pub fn note(&mut self, name: &'static str, at_s: i64, took_ms: u64) {
        let event = self.0.entry(name).or_default();
        event.longest_ms = event.longest_ms.max(took_ms);
        match event.samples.back_mut() {
            Some((last_s, last_ms)) if *last_s == at_s => *last_ms = (*last_ms).max(took_ms),
            Some(_) | None => {
                if event.samples.len() == SAMPLES_MAX {
                    event.samples.pop_front();
                }
                event.samples.push_back((at_s, took_ms));
            }
        }
    }
}

impl Server {
    /// Tells the latency monitor how long something held up the server.
    #[inline]
    pub fn note_event(&mut self, name: &'static str, nanos: u64) {
        let threshold_ms = self.config.latency_monitor_threshold;
        if threshold_ms > 0 && nanos / 1_000_000 >= threshold_ms {
            self.latency.note(name, self.now.unix_s(), nanos / 1_000_000);
        }
    }
}

fn help(ctx: &mut Context<'_>) -> Outcome {
    ctx.help(&[
        "DOCTOR",
        "    Report in words what was slow and what may help.",
        "GRAPH <event>",
        "    Draw the last occurrences of an event.",
        "HISTOGRAM [<command> ...]",
        "    How many executions of these commands, or of all, took how many microseconds at most.",
        "HISTORY <event>",
        "    Time and latency of the last occurrences of an event.",
        "LATEST",
        "    The last and the longest occurrence of every event.",
        "RESET [<event> ...]",
        "    Forget these events, or all.",
    ])
}

fn doctor(ctx: &mut Context<'_>) -> Outcome {
    let text = doctor::report(ctx.server);
    ctx.session.output.verbatim("txt", text.as_bytes());
    Ok(())
}

fn graph(ctx: &mut Context<'_>) -> Outcome {
    let wanted = ctx.args.at(2);
    let found = ctx.server.latency.0.iter().find(|(name, _)| name.as_bytes() == wanted);
    let Some((name, event)) = found else {
        let wanted = super::error::printed(wanted);
        let line = [b"ERR No samples available for event '", wanted, b"'"].concat();
        return Err(Error::new(line));
    };
    let now_s = ctx.server.now.unix_s();
    let columns: Vec<graph::Column> = (event.samples.iter())
        .map(|&(at_s, value)| graph::Column { value, label: graph::age(now_s - at_s) })
        .collect();
    let values = || event.samples.iter().map(|&(_, took_ms)| took_ms);
    let text = format!(
        "{name} - high {} ms, low {} ms (all time high {} ms)\n{}\n{}",
        values().max().unwrap_or(0),
        values().min().unwrap_or(0),
        event.longest_ms,
        "-".repeat(80),
        graph::draw(&columns)
    );
    ctx.session.output.verbatim("txt", text.as_bytes());
    Ok(())
}

fn latest(ctx: &mut Context<'_>) -> Outcome {
    let out = &mut ctx.session.output;
    out.array(ctx.server.latency.0.len());
    for (name, event) in &ctx.server.latency.0 {
        let (at_s, took_ms) = event.samples.back().copied().unwrap_or_default();
        out.array(4);
        out.text(name);
        out.integer(at_s);
        out.integer(num::i64_clamped(took_ms));
        out.integer(num::i64_clamped(event.longest_ms));
    }
    Ok(())
}

fn history(ctx: &mut Context<'_>) -> Outcome {
    let wanted = ctx.args.at(2);
    let found = ctx.server.latency.0.iter().find(|(name, _)| name.as_bytes() == wanted);
    let samples = found.map(|(_, event)| &event.samples);
    let out = &mut ctx.session.output;
    out.array(samples.map_or(0, VecDeque::len));
    for &(at_s, took_ms) in samples.into_iter().flatten() {
        out.array(2);
        out.integer(at_s);
        out.integer(num::i64_clamped(took_ms));
    }
    Ok(())
}

fn reset(ctx: &mut Context<'_>) -> Outcome {
    let (args, events) = (ctx.args, &mut ctx.server.latency.0);
    let before = events.len();
    events.retain(|name, _| args.len() > 2 && !args.from(2).any(|arg| arg == name.as_bytes()));
    let forgotten = before - events.len();
    ctx.session.output.count(forgotten);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{Bench, check};

    #[test]
    fn nothing_is_noted_at_first() {
        check("LATENCY LATEST; LATENCY HISTORY command; LATENCY RESET", "[] [] :0");
    }

    #[test]
    fn the_longest_of_a_second_is_kept() {
        let mut bench = Bench::new();
        for (at_s, took_ms) in [(5, 10), (5, 30), (6, 20)] {
            bench.server.latency.note("command", at_s, took_ms);
        }
        bench.check(
            "LATENCY LATEST; LATENCY HISTORY command; LATENCY RESET nope; LATENCY RESET command",
            "[[$command :6 :20 :30]] [[:5 :30] [:6 :20]] :0 :1",
        );
    }

    #[test]
    fn a_graph_is_drawn_of_an_event() {
        let mut bench = Bench::new();
        bench.check("LATENCY GRAPH command", "-ERR No samples available for event 'command'");
        bench.server.latency.note("command", 999_990, 30);
        bench.server.latency.note("command", 999_999, 10);
        let text = String::from_utf8(bench.raw(&["LATENCY", "GRAPH", "command"])).expect("ASCII");
        let line = "command - high 30 ms, low 10 ms (all time high 30 ms)\n---";
        assert!(
            text.contains(line) && text.ends_with("-\n# \n| \n| \n|_\n  \n11\n0s\ns \n\r\n"),
            "{text}"
        );
    }

    #[test]
    fn only_what_takes_as_long_as_the_threshold_is_noted() {
        let mut bench = Bench::new();
        bench.server.note_event("fork", 9_000_000_000);
        bench.server.config.latency_monitor_threshold = 5;
        bench.server.note_event("fork", 4_999_999);
        bench.server.note_event("expire-cycle", 5_000_000);
        bench.check("LATENCY LATEST", "[[$expire-cycle :1000000 :5 :5]]");
    }

    #[test]
    fn samples_are_bounded() {
        let mut bench = Bench::new();
        for at_s in 0..1000 {
            bench.server.latency.note("command", at_s, 1);
        }
        let history = bench.raw(&["LATENCY", "HISTORY", "command"]);
        assert!(history.starts_with(b"*160\r\n"));
    }
}
