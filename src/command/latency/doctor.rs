//! LATENCY DOCTOR: what was slow, in words, and what helps.

use super::Event;
use crate::base::num;
use crate::command::Server;
use std::fmt::Write;

/// What can be said of an event's samples.
#[derive(Debug, PartialEq, Eq)]
struct Figures {
    samples: u64,
    mean_ms: u64,
    /// The mean distance from the mean.
    deviation_ms: u64,
    /// Seconds from one to the next on average, in hundredths.
    period_cs: u64,
}

impl Figures {
    fn of(event: &Event, now_s: i64) -> Self {
        let samples = num::u64_of(event.samples.len()).max(1);
        let values = || event.samples.iter().map(|&(_, took_ms)| took_ms);
        let mean_ms = values().fold(0, u64::saturating_add) / samples;
        let distances = values().map(|took_ms| took_ms.abs_diff(mean_ms));
        let deviation_ms = distances.fold(0, u64::saturating_add) / samples;
        let first_s = event.samples.front().map_or(now_s, |&(at_s, _)| at_s);
        let seconds = u64::try_from(now_s - first_s).unwrap_or(0).max(1);
        Self { samples, mean_ms, deviation_ms, period_cs: seconds.saturating_mul(100) / samples }
    }
}

/// What is done about events whose name begins with one of these.
const ADVICE: &[(&[&str], &str)] = &[
    (
        &["command", "fast-command"],
        "SLOWLOG GET shows which commands took long, LATENCY HISTOGRAM how often. Commands that look \
         at a whole large value or at all keys (KEYS, SMEMBERS, SORT) have relatives that go on bit \
         by bit (SCAN, SSCAN).",
    ),
    (
        &["fork"],
        "A fork takes longer the more memory the process has. Transparent huge pages off \
         (disable-thp) and a machine that maps memory directly make it faster; saving more seldom \
         makes it rarer.",
    ),
    (
        &["aof-", "rdb-"],
        "The disk is slow or shared. appendfsync everysec waits for it less than always; \
         no-appendfsync-on-rewrite keeps a rewrite from holding up the log.",
    ),
    (
        &["expire-", "eviction-"],
        "Many keys expire at the same time, or are evicted at once. Expiry times spread at random, \
         and a lower maxmemory-eviction-tenacity, spread the work.",
    ),
    (&["active-defrag-"], "A lower active-defrag-cycle-max takes less time for defragmentation."),
];

/// The report.
pub(super) fn report(server: &Server) -> String {
    let events = &server.latency.0;
    let threshold_ms = server.config.latency_monitor_threshold;
    if events.is_empty() {
        return match threshold_ms {
            0 => "Nothing is observed: CONFIG SET latency-monitor-threshold <milliseconds> starts \
                  the latency monitor.\n"
                .to_owned(),
            _ => format!("Nothing has taken {threshold_ms} ms or more so far.\n"),
        };
    }
    let mut text = String::from("These events took long:\n\n");
    for (number, (name, event)) in (1..).zip(events) {
        let figures = Figures::of(event, server.now.unix_s());
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{number}. {name}: {} latency spikes (average {}ms, mean deviation {}ms, period {}.{:02} \
             sec). Worst all time event {}ms.",
            figures.samples,
            figures.mean_ms,
            figures.deviation_ms,
            figures.period_cs / 100,
            figures.period_cs % 100,
            event.longest_ms
        );
    }
    text.push_str("\nWhat may help:\n\n");
    for (starts, advice) in ADVICE {
        let applies = |name: &&str| starts.iter().any(|start| name.starts_with(start));
        if events.keys().any(applies) {
            let _ = writeln!(text, "- {advice}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::testing::Bench;

    #[test]
    fn figures_are_those_of_the_samples() {
        let samples = [(10, 300), (11, 100), (12, 2), (13, 5), (14, 900)].into();
        let figures = Figures::of(&Event { longest_ms: 900, samples }, 16);
        let expected = Figures { samples: 5, mean_ms: 261, deviation_ms: 270, period_cs: 120 };
        assert_eq!(figures, expected);
    }

    #[test]
    fn the_report_names_what_was_slow_and_what_helps() {
        let mut bench = Bench::new();
        assert!(report(&bench.server).contains("latency-monitor-threshold"));
        bench.server.config.latency_monitor_threshold = 7;
        assert_eq!(report(&bench.server), "Nothing has taken 7 ms or more so far.\n");
        bench.server.latency.note("fork", 999_990, 12);
        let text = report(&bench.server);
        assert!(text.contains("1. fork: 1 latency spikes (average 12ms, mean deviation 0ms, period 10.00 sec). Worst all time event 12ms.\n"));
        assert!(text.contains("- A fork ") && !text.contains("SLOWLOG"), "{text}");
    }
}
