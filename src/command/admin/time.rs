//! TIME.

use crate::command::spec::{Flags, Group};
use crate::command::{Command, Context, Outcome, Spec};

/// TIME
pub(super) static TIME: Command =
    Command { spec: TIME_SPEC, handler: Some(time), subcommands: &[] };

const TIME_SPEC: Spec = Spec {
    name: "time",
    summary: "Returns the server's clock.",
    complexity: "O(1)",
    since: "2.6.0",
    group: Group::Server,
    flags: Flags::LOADING.union(Flags::STALE).union(Flags::FAST),
    tips: &["nondeterministic_output"],
    ..Spec::EMPTY
};

fn time(ctx: &mut Context<'_>) -> Outcome {
    let unix_us = ctx.server.now.unix_us;
    let out = ctx.out();
    out.array(2);
    out.bulk_integer(unix_us / 1_000_000);
    out.bulk_integer(unix_us % 1_000_000);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{Bench, check};

    #[test]
    fn time_is_seconds_and_microseconds() {
        check("TIME", "[$1000000 $0]");
        let mut bench = Bench::new();
        bench.pass(1234);
        bench.check("TIME", "[$1000001 $234000]");
        bench.check("TIME x", "-ERR wrong number of arguments for 'time' command");
    }
}
