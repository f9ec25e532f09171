//! COMMAND LIST and COUNT.

use super::top;
use crate::base::glob::{self, Case};
use crate::command::spec::{Arg, ArgType, Categories, Flags, Group};
use crate::command::table::{CommandId, Registered};
use crate::command::{Command, Context, Error, Outcome, Spec};

/// COMMAND COUNT
pub(super) static COUNT: Command =
    Command { spec: COUNT_SPEC, handler: Some(count), subcommands: &[] };

const COUNT_SPEC: Spec = Spec {
    name: "count",
    summary: "Returns the number of commands.",
    complexity: "O(1)",
    since: "2.8.13",
    group: Group::Server,
    arity: 2,
    flags: Flags::LOADING.union(Flags::STALE).union(Flags::SENTINEL),
    categories: Categories::CONNECTION,
    ..Spec::EMPTY
};

/// COMMAND LIST [FILTERBY (MODULE name | ACLCAT category | PATTERN pattern)]
pub(super) static LIST: Command =
    Command { spec: LIST_SPEC, handler: Some(list), subcommands: &[] };

const LIST_SPEC: Spec = Spec {
    name: "list",
    summary: "Returns the names of commands.",
    complexity: "O(N), N being the number of commands.",
    since: "7.0.0",
    group: Group::Server,
    arity: -2,
    flags: Flags::LOADING.union(Flags::STALE).union(Flags::SENTINEL),
    categories: Categories::CONNECTION,
    args: &[Arg::one_of(
        "filterby",
        &[
            Arg::new("module-name", ArgType::String).token("MODULE"),
            Arg::new("category", ArgType::String).token("ACLCAT"),
            Arg::new("pattern", ArgType::Pattern).token("PATTERN"),
        ],
    )
    .token("FILTERBY")
    .optional()],
    tips: &["nondeterministic_output_order"],
    ..Spec::EMPTY
};

/// Which commands are listed.
#[derive(Clone, Copy, Debug)]
enum Filter<'a> {
    /// All.
    All,
    /// None: a module that is not loaded, or a category there is not.
    None,
    /// Those of a category.
    Category(Categories),
    /// Those whose full name matches.
    Pattern(&'a [u8]),
}

impl Filter<'_> {
    fn passes(self, registered: &Registered) -> bool {
        match self {
            Self::All => true,
            Self::None => false,
            Self::Category(category) => registered.command.spec.all_categories().contains(category),
            Self::Pattern(pattern) => {
                glob::matches(pattern, registered.full_name.as_bytes(), Case::Insensitive)
            }
        }
    }
}

fn count(ctx: &mut Context<'_>) -> Outcome {
    let count = ctx.server.commands.named().count();
    ctx.session.output.count(count);
    Ok(())
}

/// Subcommands are listed behind their container, whether or not that passes.
fn list(ctx: &mut Context<'_>) -> Outcome {
    let filter = parse(ctx)?;
    let commands = &ctx.server.commands;
    let with_subcommands = |id: CommandId| {
        let subcommands = commands.get(id).subcommands.iter().copied();
        std::iter::once(id).chain(subcommands)
    };
    let all = top(commands).into_iter().flat_map(with_subcommands).map(|id| commands.get(id));
    let listed: Vec<&str> =
        all.filter(|command| filter.passes(command)).map(|command| command.full_name).collect();
    let out = &mut ctx.session.output;
    out.array(listed.len());
    for name in listed {
        out.text(name);
    }
    Ok(())
}

fn parse<'a>(ctx: &Context<'a>) -> Result<Filter<'a>, Error> {
    match ctx.args.len() {
        2 => Ok(Filter::All),
        5 if ctx.is_word(2, "FILTERBY") => {
            let value = ctx.args.at(4);
            if ctx.is_word(3, "MODULE") {
                Ok(Filter::None)
            } else if ctx.is_word(3, "ACLCAT") {
                Ok(Categories::of_name(value).map_or(Filter::None, Filter::Category))
            } else if ctx.is_word(3, "PATTERN") {
                Ok(Filter::Pattern(value))
            } else {
                Err(Error::SYNTAX)
            }
        }
        _ => Err(Error::SYNTAX),
    }
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{Bench, check};

    #[test]
    fn names_are_listed_with_those_of_subcommands() {
        let mut bench = Bench::new();
        let reply = String::from_utf8(bench.raw(&["COMMAND", "LIST"])).expect("text");
        for name in ["get", "set", "config", "config|get", "command|list"] {
            assert!(reply.contains(&format!("\r\n{name}\r\n")), "{name}");
        }
        let count = bench.server.commands.iter().count();
        assert!(reply.starts_with(&format!("*{count}\r\n")));
        let tops = bench.server.commands.named().count();
        bench.check("COMMAND COUNT", &format!(":{tops}"));
    }

    #[test]
    fn filters_are_three() {
        check("COMMAND LIST FILTERBY PATTERN CONFIG|s*", "[$config|set]");
        check("COMMAND LIST filterby pattern config|re*", "[$config|resetstat $config|rewrite]");
        check("COMMAND LIST FILTERBY MODULE nosuch", "[]");
        check("COMMAND LIST FILTERBY ACLCAT nosuch", "[]");
        check("COMMAND LIST FILTERBY ACLCAT @string", "[]");
        let reply = Bench::new().raw(&["COMMAND", "LIST", "FILTERBY", "ACLCAT", "Connection"]);
        let reply = String::from_utf8(reply).expect("text");
        assert!(reply.contains("\r\nping\r\n") && reply.contains("\r\nclient|id\r\n"));
        assert!(!reply.contains("\r\nget\r\n") && !reply.contains("\r\nclient\r\n"));
    }

    #[test]
    fn what_no_form_of_list_takes() {
        for rest in
            ["x", "FILTERBY", "FILTERBY MODULE", "FILTERBY x y", "FILTERBY MODULE a b", "x y z"]
        {
            check(&format!("COMMAND LIST {rest}"), "-ERR syntax error");
        }
    }
}
