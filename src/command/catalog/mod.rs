//! COMMAND: the commands, described from their specs.

mod docs;
mod getkeys;
mod info;
mod list;
mod names;

use super::table::{CommandId, CommandTable};
use super::{Command, Context, Outcome, Spec};
use crate::command::spec::{Categories, Flags, Group};

/// The family.
pub static COMMANDS: &[&Command] = &[&COMMAND];

/// COMMAND
static COMMAND: Command = Command {
    spec: COMMAND_SPEC,
    handler: Some(info::all),
    subcommands: &[
        &list::COUNT,
        &docs::DOCS,
        &getkeys::GETKEYS,
        &getkeys::GETKEYSANDFLAGS,
        &HELP,
        &info::INFO,
        &list::LIST,
    ],
};

const COMMAND_SPEC: Spec = Spec {
    name: "command",
    summary: "Describes all commands.",
    complexity: "O(N), N being the number of commands.",
    since: "2.8.13",
    group: Group::Server,
    arity: -1,
    flags: Flags::LOADING.union(Flags::STALE).union(Flags::SENTINEL),
    categories: Categories::CONNECTION,
    tips: &["nondeterministic_output_order"],
    ..Spec::EMPTY
};

static HELP: Command = Command { spec: HELP_SPEC, handler: Some(help), subcommands: &[] };

const HELP_SPEC: Spec = Spec {
    name: "help",
    summary: "Lists the subcommands of COMMAND.",
    complexity: "O(1)",
    since: "5.0.0",
    group: Group::Server,
    arity: 2,
    flags: Flags::LOADING.union(Flags::STALE).union(Flags::SENTINEL),
    categories: Categories::CONNECTION,
    ..Spec::EMPTY
};

fn help(ctx: &mut Context<'_>) -> Outcome {
    ctx.help(&[
        "(no subcommand)",
        "    Describe all commands.",
        "COUNT",
        "    Count the commands.",
        "DOCS [<command-name> ...]",
        "    Document the named commands, or all.",
        "GETKEYS <full-command>",
        "    Show which arguments of a command line are keys.",
        "GETKEYSANDFLAGS <full-command>",
        "    Show the keys of a command line and what happens to each.",
        "INFO [<command-name> ...]",
        "    Describe the named commands, or all.",
        "LIST [FILTERBY (MODULE <module-name> | ACLCAT <category> | PATTERN <pattern>)]",
        "    List the names of commands and subcommands.",
    ])
}

/// The commands that have a name, containers without their subcommands, in the order of the table.
fn top(commands: &CommandTable) -> Vec<CommandId> {
    let mut ids: Vec<CommandId> = commands.named().map(|(_, id)| id).collect();
    ids.sort_unstable_by_key(|id| id.index());
    ids
}

/// The command of a name, or the subcommand of a name like `config|get`.
fn find(commands: &CommandTable, name: &[u8]) -> Option<CommandId> {
    let mut words = name.splitn(2, |&byte| byte == b'|');
    let id = commands.find(words.next()?)?;
    match words.next() {
        None => Some(id),
        Some(word) => commands.subcommand(id, word),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::testing::{Bench, check};

    #[test]
    fn subcommands_there_are_not() {
        check("COMMAND nosuch", "-ERR unknown subcommand 'nosuch'. Try COMMAND HELP.");
        check("COMMAND COUNT x", "-ERR wrong number of arguments for 'command|count' command");
    }

    #[test]
    fn names_with_a_bar_are_subcommands() {
        let commands = CommandTable::default();
        let name = |name: &str| Some(commands.get(find(&commands, name.as_bytes())?).full_name);
        assert_eq!(name("GET"), Some("get"));
        assert_eq!(name("Config|GET"), Some("config|get"));
        for nothing in ["", "|", "config|", "|get", "get|x", "config|get|x", "nosuch"] {
            assert_eq!(name(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn a_renamed_command_keeps_its_name_here_and_a_removed_one_is_gone() {
        let mut bench = Bench::new();
        let count = top(&bench.server.commands).len();
        bench.server.commands.rename(b"get", b"fetch").expect("free");
        bench.server.commands.rename(b"echo", b"").expect("known");
        bench.check("COMMAND LIST FILTERBY PATTERN get; COMMAND DOCS echo get", "[$get] []");
        bench.check("COMMAND COUNT", &format!(":{}", count - 1));
        let reply = bench.raw(&["COMMAND", "INFO", "fetch"]);
        assert!(reply.starts_with(b"*1\r\n*10\r\n$3\r\nget\r\n"));
    }

    #[test]
    fn help_lists_the_subcommands() {
        let reply = Bench::new().raw(&["COMMAND", "HELP"]);
        let text = String::from_utf8(reply).expect("text");
        for subcommand in COMMAND.subcommands {
            let name = subcommand.spec.name.to_ascii_uppercase();
            assert!(text.contains(&format!("\r\n+{name}")), "{name}");
        }
    }
}
