//! COMMAND DOCS: summaries and the grammar of arguments, for people and for the hints of redis-cli.

use super::info::words;
use super::{find, names, top};
use crate::command::spec::{Arg, ArgType, Categories, Flags, Group};
use crate::command::table::{CommandId, CommandTable};
use crate::command::{Command, Context, Outcome, Spec};
use crate::resp::Output;

/// COMMAND DOCS [command-name ...]
pub(super) static DOCS: Command =
    Command { spec: DOCS_SPEC, handler: Some(docs), subcommands: &[] };

const DOCS_SPEC: Spec = Spec {
    name: "docs",
    summary: "Returns the documentation of commands.",
    complexity: "O(N), N being the number of commands asked for.",
    since: "7.0.0",
    group: Group::Server,
    arity: -2,
    flags: Flags::LOADING.union(Flags::STALE).union(Flags::SENTINEL),
    categories: Categories::CONNECTION,
    args: &[Arg::new("command-name", ArgType::String).optional().multiple()],
    tips: &["nondeterministic_output_order"],
    ..Spec::EMPTY
};

fn docs(ctx: &mut Context<'_>) -> Outcome {
    let commands = &ctx.server.commands;
    let ids = if ctx.args.len() == 2 {
        top(commands)
    } else {
        ctx.args.from(2).filter_map(|name| find(commands, name)).collect()
    };
    document_all(&mut ctx.session.output, commands, &ids);
    Ok(())
}

/// A map from names to documentation.
fn document_all(out: &mut Output, commands: &CommandTable, ids: &[CommandId]) {
    out.map(ids.len());
    for &id in ids {
        out.text(commands.get(id).full_name);
        document(out, commands, id);
    }
}

/// What stands under a name in a map.
enum Field<'a> {
    Text(&'a str),
    /// Shown even when empty: it may stand for an empty argument.
    Token(&'a str),
    Number(i64),
    Words(Vec<&'a str>),
    History(&'a [(&'a str, &'a str)]),
    Args(&'a [Arg]),
    Subcommands(&'a [CommandId]),
}

/// A map that leaves out what is empty.
fn write_map(out: &mut Output, commands: &CommandTable, mut fields: Vec<(&str, Field<'_>)>) {
    fields.retain(|(_, field)| match field {
        Field::Text(text) => !text.is_empty(),
        Field::Token(_) | Field::Number(_) => true,
        Field::Words(words) => !words.is_empty(),
        Field::History(history) => !history.is_empty(),
        Field::Args(args) => !args.is_empty(),
        Field::Subcommands(ids) => !ids.is_empty(),
    });
    out.map(fields.len());
    for (name, field) in fields {
        out.text(name);
        match field {
            Field::Text(text) | Field::Token(text) => out.text(text),
            Field::Number(number) => out.integer(number),
            Field::Words(names) => words(out, &names),
            Field::History(history) => write_history(out, history),
            Field::Args(args) => {
                out.array(args.len());
                for arg in args {
                    document_arg(out, commands, arg);
                }
            }
            Field::Subcommands(ids) => document_all(out, commands, ids),
        }
    }
}

fn write_history(out: &mut Output, history: &[(&str, &str)]) {
    out.set(history.len());
    for (version, change) in history {
        out.array(2);
        out.text(version);
        out.text(change);
    }
}

fn document(out: &mut Output, commands: &CommandTable, id: CommandId) {
    let registered = commands.get(id);
    let spec = &registered.command.spec;
    let mut doc_flags = Vec::new();
    if spec.deprecated.is_some() {
        doc_flags.push("deprecated");
    }
    if spec.flags.contains(Flags::SYSTEM) {
        doc_flags.push("syscmd");
    }
    let deprecation = spec.deprecated;
    let fields = vec![
        ("summary", Field::Text(spec.summary)),
        ("since", Field::Text(spec.since)),
        ("group", Field::Text(names::group(spec.group))),
        ("complexity", Field::Text(spec.complexity)),
        ("doc_flags", Field::Words(doc_flags)),
        ("deprecated_since", Field::Text(deprecation.map_or("", |notice| notice.since))),
        ("replaced_by", Field::Text(deprecation.map_or("", |notice| notice.replaced_by))),
        ("history", Field::History(spec.history)),
        ("arguments", Field::Args(spec.args)),
        ("subcommands", Field::Subcommands(&registered.subcommands)),
    ];
    write_map(out, commands, fields);
}

fn document_arg(out: &mut Output, commands: &CommandTable, arg: &Arg) {
    let mut fields =
        vec![("name", Field::Text(arg.name)), ("type", Field::Text(names::arg_type(arg.kind)))];
    match arg.kind {
        ArgType::OneOf | ArgType::Block => {}
        ArgType::String
        | ArgType::Integer
        | ArgType::Double
        | ArgType::Key
        | ArgType::Pattern
        | ArgType::UnixTime
        | ArgType::PureToken => {
            let shown = if arg.display.is_empty() { arg.name } else { arg.display };
            fields.push(("display_text", Field::Text(shown)));
        }
    }
    if let Some(index) = arg.key_spec {
        fields.push(("key_spec_index", Field::Number(i64::from(index))));
    }
    if !arg.token.is_empty() || arg.kind == ArgType::PureToken {
        fields.push(("token", Field::Token(arg.token)));
    }
    fields.extend([
        ("since", Field::Text(arg.since)),
        ("deprecated_since", Field::Text(arg.deprecated_since)),
        ("flags", Field::Words(names::arg_flags(arg))),
        ("arguments", Field::Args(arg.members)),
    ]);
    write_map(out, commands, fields);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::testing::{Bench, check};
    use crate::resp::Protocol;

    #[test]
    fn a_command_is_documented() {
        check(
            "COMMAND DOCS nosuch GET",
            "[$get [$summary $Returns the string at a key. $since $1.0.0 $group $string \
             $complexity $O(1) $arguments [[$name $key $type $key $display_text $key \
             $key_spec_index :0]]]]",
        );
        check("COMMAND DOCS nosuch", "[]");
    }

    #[test]
    fn resp3_has_maps_and_sets() {
        let mut bench = Bench::new();
        bench.session.output.protocol = Protocol::Resp3;
        bench.check(
            "COMMAND DOCS command|info",
            "%[$command|info %[$summary $Describes the given commands, or all. $since $2.8.13 \
             $group $server $complexity $O(N), N being the number of commands asked for. $history \
             ~[[$7.0.0 $Without names it describes all commands.]] $arguments [%[$name \
             $command-name $type $string $display_text $command-name $flags ~[+optional \
             +multiple]]]]]",
        );
    }

    #[test]
    fn deprecated_commands_say_so() {
        check(
            "COMMAND DOCS quit",
            "[$quit [$summary $Closes the connection. $since $1.0.0 $group $connection \
             $complexity $O(1) $doc_flags [+deprecated] $deprecated_since $7.2.0 $replaced_by \
             $closing the connection]]",
        );
    }

    #[test]
    fn containers_document_their_subcommands() {
        let reply = Bench::new().raw(&["COMMAND", "DOCS", "config"]);
        let text = String::from_utf8(reply).expect("text");
        assert!(text.contains("$11\r\nsubcommands\r\n"));
        assert!(text.contains("$10\r\nconfig|get\r\n"));
        assert!(
            text.contains("$4\r\nname\r\n$4\r\ndata\r\n$4\r\ntype\r\n$5\r\nblock\r\n$5\r\nflags")
        );
    }

    #[test]
    fn the_grammar_keeps_tokens_and_choices() {
        const CHOICES: &[Arg] = &[Arg::flag("nx", "NX"), Arg::flag("empty", "")];
        let arg = Arg::one_of("when", CHOICES).token("IF").optional().since("2.0.0");
        let mut out = Output::default();
        document_arg(&mut out, &CommandTable::default(), &arg);
        let bytes: Vec<u8> = out.pieces().flatten().copied().collect();
        let text = String::from_utf8(bytes).expect("text");
        let values = text.split("\r\n").filter(|line| !line.starts_with(['$', '*']));
        assert_eq!(
            values.collect::<Vec<_>>().join(" "),
            "name when type oneof token IF since 2.0.0 flags +optional arguments name nx type \
             pure-token display_text nx token NX name empty type pure-token display_text empty \
             token  "
        );
    }
}
