//! SLOWLOG, and COMMANDLOG, which is the same for three logs.

use super::log::{CommandLogs, Kind};
use crate::base::num;
use crate::command::spec::{Arg, ArgType, Flags, Group};
use crate::command::{Command, Context, Error, Outcome, Spec};
use crate::resp::Output;

/// SLOWLOG subcommand
pub static SLOWLOG: Command = Command {
    spec: SLOWLOG_SPEC,
    handler: None,
    subcommands: &[
        &Command { spec: SLOW_GET_SPEC, handler: Some(slow_get), subcommands: &[] },
        &Command { spec: SLOW_HELP_SPEC, handler: Some(slow_help), subcommands: &[] },
        &Command { spec: SLOW_LEN_SPEC, handler: Some(slow_len), subcommands: &[] },
        &Command { spec: SLOW_RESET_SPEC, handler: Some(slow_reset), subcommands: &[] },
    ],
};

/// COMMANDLOG subcommand
pub static COMMANDLOG: Command = Command {
    spec: COMMANDLOG_SPEC,
    handler: None,
    subcommands: &[
        &Command { spec: GET_SPEC, handler: Some(get), subcommands: &[] },
        &Command { spec: HELP_SPEC, handler: Some(help), subcommands: &[] },
        &Command { spec: LEN_SPEC, handler: Some(len), subcommands: &[] },
        &Command { spec: RESET_SPEC, handler: Some(reset), subcommands: &[] },
    ],
};

const FLAGS: Flags = Flags::ADMIN.union(Flags::LOADING).union(Flags::STALE);

const SLOWLOG_SPEC: Spec = Spec {
    name: "slowlog",
    summary: "Looks at the slow log.",
    complexity: "That of the subcommand.",
    since: "2.2.12",
    group: Group::Server,
    arity: -2,
    ..Spec::EMPTY
};

const SLOW_GET_SPEC: Spec = Spec {
    name: "get",
    summary: "Returns the last entries of the slow log.",
    complexity: "O(N), N being the number of entries returned.",
    since: "2.2.12",
    group: Group::Server,
    arity: -2,
    flags: FLAGS,
    args: &[Arg::new("count", ArgType::Integer).optional()],
    history: &[("4.0.0", "The client's address and name.")],
    tips: &["request_policy:all_nodes", "nondeterministic_output"],
    ..Spec::EMPTY
};

const SLOW_HELP_SPEC: Spec = Spec {
    name: "help",
    summary: "Lists the subcommands of SLOWLOG.",
    complexity: "O(1)",
    since: "6.2.0",
    group: Group::Server,
    arity: 2,
    flags: Flags::LOADING.union(Flags::STALE),
    ..Spec::EMPTY
};

const SLOW_LEN_SPEC: Spec = Spec {
    name: "len",
    summary: "Returns the number of entries in the slow log.",
    complexity: "O(1)",
    since: "2.2.12",
    group: Group::Server,
    arity: 2,
    flags: FLAGS,
    tips: &["request_policy:all_nodes", "response_policy:agg_sum", "nondeterministic_output"],
    ..Spec::EMPTY
};

const SLOW_RESET_SPEC: Spec = Spec {
    name: "reset",
    summary: "Empties the slow log.",
    complexity: "O(N), N being the number of entries.",
    since: "2.2.12",
    group: Group::Server,
    arity: 2,
    flags: FLAGS,
    tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
    ..Spec::EMPTY
};

const COMMANDLOG_SPEC: Spec = Spec {
    name: "commandlog",
    summary: "Looks at the logs of slow and of large commands.",
    complexity: "That of the subcommand.",
    since: "8.1.0",
    group: Group::Server,
    arity: -2,
    ..Spec::EMPTY
};

const TYPE: Arg = Arg::one_of(
    "type",
    &[
        Arg::flag("slow", "SLOW"),
        Arg::flag("large-request", "LARGE-REQUEST"),
        Arg::flag("large-reply", "LARGE-REPLY"),
    ],
);

const GET_SPEC: Spec = Spec {
    name: "get",
    summary: "Returns the last entries of a log.",
    complexity: "O(N), N being the number of entries returned.",
    since: "8.1.0",
    group: Group::Server,
    arity: 4,
    flags: FLAGS,
    args: &[Arg::new("count", ArgType::Integer), TYPE],
    tips: &["request_policy:all_nodes", "nondeterministic_output"],
    ..Spec::EMPTY
};

const HELP_SPEC: Spec = Spec {
    name: "help",
    summary: "Lists the subcommands of COMMANDLOG.",
    complexity: "O(1)",
    since: "8.1.0",
    group: Group::Server,
    arity: 2,
    flags: Flags::LOADING.union(Flags::STALE),
    ..Spec::EMPTY
};

const LEN_SPEC: Spec = Spec {
    name: "len",
    summary: "Returns the number of entries in a log.",
    complexity: "O(1)",
    since: "8.1.0",
    group: Group::Server,
    arity: 3,
    flags: FLAGS,
    args: &[TYPE],
    tips: &["request_policy:all_nodes", "response_policy:agg_sum", "nondeterministic_output"],
    ..Spec::EMPTY
};

const RESET_SPEC: Spec = Spec {
    name: "reset",
    summary: "Empties a log.",
    complexity: "O(N), N being the number of entries.",
    since: "8.1.0",
    group: Group::Server,
    arity: 3,
    flags: FLAGS,
    args: &[TYPE],
    tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
    ..Spec::EMPTY
};

/// Entries that SLOWLOG GET returns unless told otherwise.
const COUNT_DEFAULT: usize = 10;

const BAD_COUNT: Error = Error::fixed("ERR count should be greater than or equal to -1");
const BAD_TYPE: Error =
    Error::fixed("ERR type should be one of the following: slow, large-request, large-reply");

fn slow_help(ctx: &mut Context<'_>) -> Outcome {
    ctx.help(&[
        "GET [<count>]",
        "    The last <count> slow commands (10 unless given, -1 for all): number, Unix time,",
        "    microseconds, arguments, address and name of the client.",
        "LEN",
        "    How many there are.",
        "RESET",
        "    Forget them.",
    ])
}

fn help(ctx: &mut Context<'_>) -> Outcome {
    ctx.help(&[
        "GET <count> <type>",
        "    The last <count> commands of a log (-1 for all): number, Unix time, value, arguments,",
        "    address and name of the client. The value is microseconds in the log `slow`, bytes in",
        "    `large-request` and `large-reply`.",
        "LEN <type>",
        "    How many there are.",
        "RESET <type>",
        "    Forget them.",
    ])
}

fn slow_get(ctx: &mut Context<'_>) -> Outcome {
    let count = match ctx.args.len() {
        2 => COUNT_DEFAULT,
        3 => count(ctx, 2)?,
        _ => {
            let word = crate::command::error::printed(ctx.args.at(1));
            let line = [
                b"ERR unknown subcommand or wrong number of arguments for '",
                &word[..word.len().min(128)],
                b"'. Try SLOWLOG HELP.",
            ];
            return Err(Error::new(line.concat()));
        }
    };
    write(&ctx.server.command_logs, Kind::Slow, count, &mut ctx.session.output);
    Ok(())
}

fn slow_len(ctx: &mut Context<'_>) -> Outcome {
    let len = ctx.server.command_logs.of(Kind::Slow).len();
    ctx.reply_integer(num::i64_of(len))
}

fn slow_reset(ctx: &mut Context<'_>) -> Outcome {
    ctx.server.command_logs.of_mut(Kind::Slow).clear();
    ctx.ok()
}

fn get(ctx: &mut Context<'_>) -> Outcome {
    let count = count(ctx, 2)?;
    write(&ctx.server.command_logs, kind(ctx, 3)?, count, &mut ctx.session.output);
    Ok(())
}

fn len(ctx: &mut Context<'_>) -> Outcome {
    let len = ctx.server.command_logs.of(kind(ctx, 2)?).len();
    ctx.reply_integer(num::i64_of(len))
}

fn reset(ctx: &mut Context<'_>) -> Outcome {
    let kind = kind(ctx, 2)?;
    ctx.server.command_logs.of_mut(kind).clear();
    ctx.ok()
}

/// How many entries argument `index` asks for.
fn count(ctx: &Context<'_>, index: usize) -> Result<usize, Error> {
    match num::parse_i64(ctx.args.at(index)) {
        Some(-1) => Ok(usize::MAX),
        Some(count) => usize::try_from(count).map_err(|_| BAD_COUNT),
        None => Err(BAD_COUNT),
    }
}

/// The log that argument `index` names.
fn kind(ctx: &Context<'_>, index: usize) -> Result<Kind, Error> {
    let names = ["slow", "large-request", "large-reply"];
    let mut named = names.into_iter().zip(Kind::ALL);
    named.find(|(name, _)| ctx.is_word(index, name)).map(|(_, kind)| kind).ok_or(BAD_TYPE)
}

fn write(logs: &CommandLogs, kind: Kind, count: usize, out: &mut Output) {
    let entries = logs.of(kind).newest(count);
    out.array(entries.len());
    for entry in entries {
        entry.write(out);
    }
}

#[cfg(test)]
mod tests {
    use crate::command::testing::Bench;
    use crate::config::Config;

    /// A server that logs every command.
    fn logging() -> Bench {
        Bench::with(Config { slowlog_log_slower_than: 0, ..Config::default() })
    }

    /// The arguments in the slow log, oldest first.
    fn logged(bench: &mut Bench) -> Vec<String> {
        let reply = bench.raw(&["SLOWLOG", "GET", "-1"]);
        let reply = String::from_utf8(reply).expect("ASCII");
        let mut lines = reply.split("\r\n");
        let count: usize = lines.next().unwrap()[1..].parse().unwrap();
        let mut commands: Vec<String> = (0..count)
            .map(|_| {
                let args: usize = lines.by_ref().nth(4).unwrap()[1..].parse().unwrap();
                let words: Vec<&str> = lines.by_ref().take(2 * args).collect();
                assert_eq!(lines.by_ref().take(4).count(), 4);
                words.iter().skip(1).step_by(2).copied().collect::<Vec<_>>().join(" ")
            })
            .collect();
        commands.reverse();
        commands
    }

    #[test]
    fn an_entry_has_number_time_duration_arguments_address_and_name() {
        let mut bench = logging();
        bench.check("CLIENT SETNAME me; GET k", "+OK $_");
        bench.check(
            "SLOWLOG GET 1; SLOWLOG LEN",
            "[[:1 :1000000 :0 [$GET $k] $127.0.0.1:6379 $me]] :3",
        );
        bench.check("SLOWLOG GET 0; SLOWLOG RESET; SLOWLOG LEN", "[] +OK :1");
    }

    #[test]
    fn what_is_not_executed_is_not_logged() {
        let mut bench = logging();
        bench.run("GET; NOSUCH x; GET k v; GET k");
        assert_eq!(logged(&mut bench), ["GET k"]);
    }

    #[test]
    fn the_log_is_bounded_and_can_be_off() {
        let mut bench = logging();
        bench.run("CONFIG SET slowlog-max-len 2; GET a; GET b; GET c");
        assert_eq!(logged(&mut bench), ["GET b", "GET c"]);
        bench.check("CONFIG SET slowlog-max-len 0; GET d; SLOWLOG LEN", "+OK $_ :2");
        bench.check("CONFIG SET slowlog-max-len 5 slowlog-log-slower-than -1", "+OK");
        bench.check("GET e; SLOWLOG LEN; SLOWLOG RESET; SLOWLOG LEN", "$_ :2 +OK :0");
        bench.check("CONFIG SET slowlog-log-slower-than 1; GET e; SLOWLOG LEN", "+OK $_ :0");
    }

    #[test]
    fn long_commands_are_shortened() {
        let mut bench = logging();
        let long = ["SADD s", &" 1".repeat(30)].concat();
        bench.run(&long);
        bench.run(&format!("{long} 2"));
        bench.run(&format!("SADD s {} {}", "A".repeat(128), "A".repeat(130)));
        let logged = logged(&mut bench);
        assert_eq!(logged[0], long);
        assert_eq!(logged[1], format!("SADD s{} ... (2 more arguments)", " 1".repeat(29)));
        let a = "A".repeat(128);
        assert_eq!(logged[2], format!("SADD s {a} {a}... (2 more bytes)"));
    }

    #[test]
    fn counts_and_types_are_checked() {
        let bad = "-ERR count should be greater than or equal to -1";
        let mut bench = Bench::new();
        for count in ["-2", "x", "9999999999999999999"] {
            bench.check(&format!("SLOWLOG GET {count}"), bad);
            bench.check(&format!("COMMANDLOG GET {count} nosuch"), bad);
        }
        bench.check(
            "SLOWLOG GET 1 2",
            "-ERR unknown subcommand or wrong number of arguments for 'GET'. Try SLOWLOG HELP.",
        );
        let bad = "-ERR type should be one of the following: slow, large-request, large-reply";
        for command in ["GET 1", "LEN", "RESET"] {
            bench.check(&format!("COMMANDLOG {command} nosuch"), bad);
        }
        bench.check(
            "COMMANDLOG GET 1 SLOW; COMMANDLOG LEN slow; COMMANDLOG RESET Slow",
            "[] :0 +OK",
        );
    }

    #[test]
    fn large_commands_and_replies_have_logs_of_their_own() {
        let mut bench = Bench::new();
        bench.run("CONFIG SET commandlog-request-larger-than 30 commandlog-reply-larger-than 10");
        let v = "v".repeat(20);
        bench.run(&format!("SET k {v}; GET k; GET x"));
        bench.check("COMMANDLOG LEN slow; COMMANDLOG LEN large-request", ":0 :3");
        bench.check(
            "COMMANDLOG GET 1 large-reply",
            "[[:0 :1000000 :27 [$GET $k] $127.0.0.1:6379 $]]",
        );
        let reply = bench.raw(&["COMMANDLOG", "GET", "-1", "large-request"]);
        let reply = String::from_utf8(reply).expect("ASCII");
        assert!(
            reply.starts_with("*5\r\n") && reply.contains(":1\r\n:1000000\r\n:47\r\n"),
            "{reply}"
        );
        bench.check("COMMANDLOG RESET large-request; COMMANDLOG LEN large-reply", "+OK :3");
    }

    #[test]
    fn secrets_are_hidden() {
        let mut bench = logging();
        bench.run("AUTH pw; HELLO 2 AUTH u pw; CONFIG SET masterauth pw hz 10; CONFIG SET requirepass pw x");
        assert_eq!(
            logged(&mut bench),
            [
                "AUTH (redacted)",
                "HELLO 2 AUTH (redacted) (redacted)",
                "CONFIG SET masterauth (redacted) hz 10",
                "CONFIG SET requirepass (redacted) x",
            ]
        );
    }
}
