//! COMMAND GETKEYS and GETKEYSANDFLAGS.

use super::info::words;
use super::names;
use crate::command::keys::{self, Key};
use crate::command::spec::{Arg, ArgType, Categories, Flags, Group};
use crate::command::{Command, Context, Error, Outcome, Spec};

/// COMMAND GETKEYS command [arg ...]
pub(super) static GETKEYS: Command =
    Command { spec: GETKEYS_SPEC, handler: Some(get_keys), subcommands: &[] };

const GETKEYS_SPEC: Spec = Spec {
    name: "getkeys",
    summary: "Returns the keys of a command line.",
    complexity: "O(N), N being the number of arguments.",
    since: "2.8.13",
    group: Group::Server,
    arity: -3,
    flags: Flags::LOADING.union(Flags::STALE).union(Flags::SENTINEL),
    categories: Categories::CONNECTION,
    args: &[
        Arg::new("command", ArgType::String),
        Arg::new("arg", ArgType::String).optional().multiple(),
    ],
    ..Spec::EMPTY
};

/// COMMAND GETKEYSANDFLAGS command [arg ...]
pub(super) static GETKEYSANDFLAGS: Command =
    Command { spec: GETKEYSANDFLAGS_SPEC, handler: Some(get_keys_and_flags), subcommands: &[] };

const GETKEYSANDFLAGS_SPEC: Spec = Spec {
    name: "getkeysandflags",
    summary: "Returns the keys of a command line and what happens to each.",
    complexity: "O(N), N being the number of arguments.",
    since: "7.0.0",
    group: Group::Server,
    arity: -3,
    flags: Flags::LOADING.union(Flags::STALE).union(Flags::SENTINEL),
    categories: Categories::CONNECTION,
    args: &[
        Arg::new("command", ArgType::String),
        Arg::new("arg", ArgType::String).optional().multiple(),
    ],
    ..Spec::EMPTY
};

fn get_keys(ctx: &mut Context<'_>) -> Outcome {
    let keys = keys_of_line(ctx)?;
    let out = &mut ctx.session.output;
    out.array(keys.len());
    for (bytes, _) in keys {
        out.bulk(bytes);
    }
    Ok(())
}

fn get_keys_and_flags(ctx: &mut Context<'_>) -> Outcome {
    let keys = keys_of_line(ctx)?;
    let out = &mut ctx.session.output;
    out.array(keys.len());
    for (bytes, key) in keys {
        out.array(2);
        out.bulk(bytes);
        words(out, &names::key_flags(key.flags));
    }
    Ok(())
}

/// The keys of the command line behind the subcommand's word.
fn keys_of_line<'a>(ctx: &Context<'a>) -> Result<Vec<(&'a [u8], Key)>, Error> {
    const NO_SUCH_COMMAND: Error = Error::fixed("ERR Invalid command specified");
    let commands = &ctx.server.commands;
    let line: Vec<&'a [u8]> = ctx.args.from(2).collect();
    let mut id = commands.find(line[0]).ok_or(NO_SUCH_COMMAND)?;
    if let (false, Some(word)) = (commands.get(id).subcommands.is_empty(), line.get(1)) {
        id = commands.subcommand(id, word).ok_or(NO_SUCH_COMMAND)?;
    }
    let found = keys::find_or_explain(&commands.get(id).command.spec, line.as_slice());
    let found = found.map_err(|reason| Error::new(format!("ERR {reason}")))?;
    Ok(found.map(|key| (line[key.index], key)).collect())
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{Bench, check};
    use crate::resp::Protocol;

    #[test]
    fn keys_are_found_in_a_command_line() {
        check("COMMAND GETKEYS get a", "[$a]");
        check("COMMAND GETKEYS SET a b", "[$a]");
        check("COMMAND GETKEYSANDFLAGS set a b", "[[$a [+OW +update]]]");
        check("COMMAND GETKEYSANDFLAGS set a b GET", "[[$a [+RW +access +update]]]");
        let mut bench = Bench::new();
        bench.session.output.protocol = Protocol::Resp3;
        bench.check("COMMAND GETKEYSANDFLAGS get a", "[[$a ~[+RO +access]]]");
    }

    #[test]
    fn lines_without_keys_are_explained() {
        let none = "-ERR The command has no key arguments";
        for line in ["ping", "client id", "config get x"] {
            check(&format!("COMMAND GETKEYS {line}"), none);
        }
        let unknown = "-ERR Invalid command specified";
        for line in ["nosuch", "nosuch x", "client nosuch", "config|get x"] {
            check(&format!("COMMAND GETKEYS {line}"), unknown);
        }
        check("COMMAND GETKEYS get", "-ERR Invalid number of arguments specified for command");
        check("COMMAND GETKEYS", "-ERR wrong number of arguments for 'command|getkeys' command");
    }
}
