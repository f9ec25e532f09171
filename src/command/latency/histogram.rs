//! LATENCY HISTOGRAM: how many executions of a command took how long at most.

use crate::command::table::{CommandId, CommandTable, Registered};
use crate::command::{Context, Outcome};
use crate::resp::Output;
use hdrhistogram::Histogram;

/// Where the first step ends, nanoseconds; each further one ends at twice the time.
const FIRST_STEP_NS: u64 = 1024;
/// The end of the last step.
const END_NS: u64 = (1 << 30) - 1;
/// Steps until beyond the longest duration that is told apart.
const STEPS: u32 = 21;

/// Numbers of executions of up to so many microseconds, where there are more than at the step before.
fn cumulative(histogram: &Histogram<u64>) -> Vec<(u64, u64)> {
    let mut counted = 0;
    let mut steps = Vec::new();
    for step in 0..STEPS {
        let end_ns = histogram.highest_equivalent(FIRST_STEP_NS << step).min(END_NS);
        let count = histogram.count_between(0, end_ns);
        if count > counted {
            steps.push((end_ns / 1000, count));
        }
        counted = count;
        if counted >= histogram.len() {
            break;
        }
    }
    steps
}

pub(super) fn histogram(ctx: &mut Context<'_>) -> Outcome {
    let commands = &ctx.server.commands;
    let measured: Vec<&Registered> = if ctx.args.len() == 2 {
        commands
            .iter()
            .map(|(_, command)| command)
            .filter(|command| command.latency.is_some())
            .collect()
    } else {
        let named = ctx.args.from(2).filter_map(|name| find(commands, name));
        let all = named.flat_map(|id| {
            let command = commands.get(id);
            std::iter::once(command).chain(command.subcommands.iter().map(|&id| commands.get(id)))
        });
        all.filter(|command| command.latency.is_some()).collect()
    };
    let out = &mut ctx.session.output;
    out.map(measured.len());
    for command in measured {
        out.text(command.full_name);
        if let Some(durations) = &command.latency {
            write(&durations.histogram(), out);
        }
    }
    Ok(())
}

/// The command of a name, or the subcommand of a name as `config|get`.
fn find(commands: &CommandTable, name: &[u8]) -> Option<CommandId> {
    match name.iter().position(|&byte| byte == b'|') {
        None => commands.find(name),
        Some(bar) => commands.subcommand(commands.find(&name[..bar])?, &name[bar + 1..]),
    }
}

fn write(histogram: &Histogram<u64>, out: &mut Output) {
    let steps = cumulative(histogram);
    out.map(2);
    out.text("calls");
    out.integer(crate::base::num::i64_clamped(histogram.len()));
    out.text("histogram_usec");
    out.map(steps.len());
    for (micros, count) in steps {
        out.integer(crate::base::num::i64_clamped(micros));
        out.integer(crate::base::num::i64_clamped(count));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::testing::Bench;

    #[test]
    fn steps_are_those_of_redis() {
        let mut histogram = Histogram::new_with_bounds(1, 1_000_000_000, 2).expect("bounds");
        for nanos in [1, 1023, 2_000_000, 5_000_000, 100_000_000, 300_000_000, 1_000_000_000] {
            histogram.record(nanos).expect("within the bounds");
        }
        let expected = [(1, 2), (2113, 3), (8454, 4), (135_266, 5), (541_065, 6), (1_073_741, 7)];
        assert_eq!(cumulative(&histogram), expected);
    }

    #[test]
    fn commands_are_asked_for_by_name() {
        let mut bench = Bench::new();
        bench.run("SET k v; SET k v; CLIENT ID; CONFIG GET hz; GET k");
        bench.check(
            "LATENCY HISTOGRAM nosuch Set client|ID config nosuch|x config|nosuch hset",
            "[$set [$calls :2 $histogram_usec [:1 :2]] $client|id [$calls :1 $histogram_usec [:1 \
             :1]] $config|get [$calls :1 $histogram_usec [:1 :1]]]",
        );
        bench.check("CONFIG RESETSTAT", "+OK");
        bench.check("LATENCY HISTOGRAM", "[$config|resetstat [$calls :1 $histogram_usec [:1 :1]]]");
        bench.check(
            "CONFIG SET latency-tracking no; CONFIG RESETSTAT; LATENCY HISTOGRAM",
            "+OK +OK []",
        );
    }
}
