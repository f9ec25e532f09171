//! COMMAND and COMMAND INFO: arity, flags and keys, for client libraries.

use super::{find, names, top};
use crate::command::spec::{
    Arg, ArgType, BeginSearch, Categories, FindKeys, Flags, Group, KeySpec,
};
use crate::command::table::{CommandId, CommandTable};
use crate::command::{Command, Context, Outcome, Spec};
use crate::resp::Output;

/// COMMAND INFO [command-name ...]
pub(super) static INFO: Command =
    Command { spec: INFO_SPEC, handler: Some(info), subcommands: &[] };

const INFO_SPEC: Spec = Spec {
    name: "info",
    summary: "Describes the given commands, or all.",
    complexity: "O(N), N being the number of commands asked for.",
    since: "2.8.13",
    group: Group::Server,
    arity: -2,
    flags: Flags::LOADING.union(Flags::STALE).union(Flags::SENTINEL),
    categories: Categories::CONNECTION,
    args: &[Arg::new("command-name", ArgType::String).optional().multiple()],
    history: &[("7.0.0", "Without names it describes all commands.")],
    tips: &["nondeterministic_output_order"],
    ..Spec::EMPTY
};

/// COMMAND without a subcommand.
pub(super) fn all(ctx: &mut Context<'_>) -> Outcome {
    let commands = &ctx.server.commands;
    let out = &mut ctx.session.output;
    let ids = top(commands);
    out.array(ids.len());
    for id in ids {
        describe(out, commands, id);
    }
    Ok(())
}

fn info(ctx: &mut Context<'_>) -> Outcome {
    if ctx.args.len() == 2 {
        return all(ctx);
    }
    let commands = &ctx.server.commands;
    let out = &mut ctx.session.output;
    let names = ctx.args.from(2);
    out.array(names.len());
    for name in names {
        match find(commands, name) {
            Some(id) => describe(out, commands, id),
            None => out.null(),
        }
    }
    Ok(())
}

/// A set of words.
pub(super) fn words<W: AsRef<str>>(out: &mut Output, words: &[W]) {
    out.set(words.len());
    for word in words {
        out.simple(word.as_ref());
    }
}

fn describe(out: &mut Output, commands: &CommandTable, id: CommandId) {
    let registered = commands.get(id);
    let spec = &registered.command.spec;
    let range = registered.keys;
    out.array(10);
    out.text(registered.full_name);
    out.integer(i64::from(spec.arity));
    words(out, &names::flags(spec.flags));
    for number in [range.first, range.last, range.step] {
        out.integer(i64::from(number));
    }
    words(out, &names::categories(spec.all_categories()));
    out.set(spec.tips.len());
    for tip in spec.tips {
        out.text(tip);
    }
    out.set(spec.keys.len());
    for rule in spec.keys {
        describe_keys(out, rule);
    }
    out.set(registered.subcommands.len());
    for &subcommand in &registered.subcommands {
        describe(out, commands, subcommand);
    }
}

/// One key spec.
fn describe_keys(out: &mut Output, rule: &KeySpec) {
    if rule.notes.is_empty() {
        out.map(3);
    } else {
        out.map(4);
        out.text("notes");
        out.text(rule.notes);
    }
    out.text("flags");
    words(out, &names::key_flags(rule.flags));
    out.text("begin_search");
    match rule.begin {
        BeginSearch::Index(index) => numbers(out, "index", &[("index", index)]),
        BeginSearch::Keyword { keyword, start_from } => {
            head(out, "keyword", 2);
            out.text("keyword");
            out.text(keyword);
            number(out, "startfrom", start_from);
        }
        BeginSearch::Unknown => head(out, "unknown", 0),
    }
    out.text("find_keys");
    match rule.find {
        FindKeys::Range { last, step, limit } => {
            numbers(out, "range", &[("lastkey", last), ("keystep", step), ("limit", limit)]);
        }
        FindKeys::KeyNum { count, first, step } => {
            let fields = [("keynumidx", count), ("firstkey", first), ("keystep", step)];
            numbers(out, "keynum", &fields);
        }
        FindKeys::Unknown => head(out, "unknown", 0),
    }
}

/// The start of one half of a key spec: its type, and how many fields follow.
fn head(out: &mut Output, kind: &str, fields: usize) {
    out.map(2);
    out.text("type");
    out.text(kind);
    out.text("spec");
    out.map(fields);
}

fn numbers(out: &mut Output, kind: &str, fields: &[(&str, i32)]) {
    head(out, kind, fields.len());
    for &(name, value) in fields {
        number(out, name, value);
    }
}

fn number(out: &mut Output, name: &str, value: i32) {
    out.text(name);
    out.integer(i64::from(value));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::spec::KeyFlags;
    use crate::command::testing::{Bench, check};
    use crate::resp::Protocol;

    const GET: &str = "[$get :2 [+readonly +fast] :1 :1 :1 [+@read +@string +@fast] [] [[$flags \
                       [+RO +access] $begin_search [$type $index $spec [$index :1]] $find_keys \
                       [$type $range $spec [$lastkey :0 $keystep :1 $limit :0]]]] []]";

    #[test]
    fn a_command_is_described_in_ten_fields() {
        check("COMMAND INFO get", &format!("[{GET}]"));
        check("COMMAND INFO nosuch GET |", &format!("[$_ {GET} $_]"));
    }

    #[test]
    fn resp3_has_sets_and_maps() {
        let mut bench = Bench::new();
        bench.session.output.protocol = Protocol::Resp3;
        bench.check(
            "COMMAND INFO GET nosuch",
            "[[$get :2 ~[+readonly +fast] :1 :1 :1 ~[+@read +@string +@fast] ~[] ~[%[$flags ~[+RO \
             +access] $begin_search %[$type $index $spec %[$index :1]] $find_keys %[$type $range \
             $spec %[$lastkey :0 $keystep :1 $limit :0]]]] ~[]] _]",
        );
    }

    #[test]
    fn subcommands_are_described_with_their_container_and_by_themselves() {
        check(
            "COMMAND INFO client|id",
            "[[$client|id :2 [+noscript +loading +stale] :0 :0 :0 [+@slow +@connection] [] [] []]]",
        );
        let reply = Bench::new().raw(&["COMMAND", "INFO", "client"]);
        let text = String::from_utf8(reply).expect("text");
        assert!(text.starts_with("*1\r\n*10\r\n$6\r\nclient\r\n:-2\r\n*0\r\n:0\r\n:0\r\n:0\r\n"));
        assert!(text.contains("*10\r\n$9\r\nclient|id\r\n"));
    }

    #[test]
    fn without_names_all_commands_are_described() {
        let mut bench = Bench::new();
        let all = bench.raw(&["COMMAND"]);
        assert_eq!(bench.raw(&["COMMAND", "INFO"]), all);
        let count = top(&bench.server.commands).len();
        assert!(all.starts_with(format!("*{count}\r\n*10\r\n").as_bytes()));
    }

    #[test]
    fn key_specs_of_every_kind() {
        let show = |begin, find, notes| {
            let mut out = Output::default();
            describe_keys(&mut out, &KeySpec { begin, find, flags: KeyFlags::OW, notes });
            let bytes: Vec<u8> = out.pieces().flatten().copied().collect();
            let text = String::from_utf8(bytes).expect("text");
            let values = text.split("\r\n").filter(|line| !line.starts_with(['$', '*']));
            values.collect::<Vec<_>>().join(" ")
        };
        let keyword = BeginSearch::Keyword { keyword: "KEYS", start_from: -2 };
        let counted = FindKeys::KeyNum { count: 0, first: 1, step: 2 };
        assert_eq!(
            show(keyword, counted, "why"),
            "notes why flags +OW begin_search type keyword spec keyword KEYS startfrom :-2 \
             find_keys type keynum spec keynumidx :0 firstkey :1 keystep :2 "
        );
        assert_eq!(
            show(BeginSearch::Unknown, FindKeys::Unknown, ""),
            "flags +OW begin_search type unknown spec find_keys type unknown spec "
        );
    }
}
