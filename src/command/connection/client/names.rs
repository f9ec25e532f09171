//! What a client says of itself: CLIENT SETNAME, GETNAME, SETINFO.

use crate::command::spec::{Arg, ArgType, Categories, Flags, Group};
use crate::command::{Command, Context, Error, Outcome, Spec};

/// CLIENT SETNAME connection-name
pub(super) static SETNAME: Command =
    Command { spec: SETNAME_SPEC, handler: Some(set_name), subcommands: &[] };

const SETNAME_SPEC: Spec = Spec {
    name: "setname",
    summary: "Sets the name of the connection.",
    complexity: "O(1)",
    since: "2.6.9",
    group: Group::Connection,
    arity: 3,
    flags: Flags::NOSCRIPT.union(Flags::LOADING).union(Flags::STALE).union(Flags::SENTINEL),
    categories: Categories::CONNECTION,
    args: &[Arg::new("connection-name", ArgType::String)],
    tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
    ..Spec::EMPTY
};

/// CLIENT GETNAME
pub(super) static GETNAME: Command =
    Command { spec: GETNAME_SPEC, handler: Some(get_name), subcommands: &[] };

const GETNAME_SPEC: Spec = Spec {
    name: "getname",
    summary: "Returns the name of the connection.",
    complexity: "O(1)",
    since: "2.6.9",
    group: Group::Connection,
    arity: 2,
    flags: Flags::NOSCRIPT.union(Flags::LOADING).union(Flags::STALE).union(Flags::SENTINEL),
    categories: Categories::CONNECTION,
    ..Spec::EMPTY
};

/// CLIENT SETINFO (LIB-NAME libname | LIB-VER libver)
pub(super) static SETINFO: Command =
    Command { spec: SETINFO_SPEC, handler: Some(set_info), subcommands: &[] };

const SETINFO_SPEC: Spec = Spec {
    name: "setinfo",
    summary: "Sets what the connection says of its client library.",
    complexity: "O(1)",
    since: "7.2.0",
    group: Group::Connection,
    arity: 4,
    flags: Flags::NOSCRIPT.union(Flags::LOADING).union(Flags::STALE).union(Flags::SENTINEL),
    categories: Categories::CONNECTION,
    args: &[Arg::one_of(
        "attr",
        &[
            Arg::new("libname", ArgType::String).token("LIB-NAME"),
            Arg::new("libver", ArgType::String).token("LIB-VER"),
        ],
    )],
    tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
    ..Spec::EMPTY
};

const BAD_NAME: Error =
    Error::fixed("ERR Client names cannot contain spaces, newlines or special characters.");

/// Whether CLIENT LIST can show it: one word of printable ASCII, or nothing.
fn is_printable(text: &[u8]) -> bool {
    text.iter().all(u8::is_ascii_graphic)
}

/// A name for a client; empty takes the name away.
///
/// # Errors
/// Bytes that a name cannot have.
pub(in crate::command::connection) fn client_name(text: &[u8]) -> Result<&[u8], Error> {
    if is_printable(text) { Ok(text) } else { Err(BAD_NAME) }
}

fn set_name(ctx: &mut Context<'_>) -> Outcome {
    ctx.session.name = client_name(ctx.args.at(2))?.into();
    ctx.ok()
}

fn get_name(ctx: &mut Context<'_>) -> Outcome {
    let session = &mut *ctx.session;
    if session.name.is_empty() {
        session.output.null();
    } else {
        session.output.bulk(&session.name);
    }
    Ok(())
}

fn set_info(ctx: &mut Context<'_>) -> Outcome {
    let (attribute, value) = (ctx.args.at(2), ctx.args.at(3));
    let field = if ctx.is_word(2, "LIB-NAME") {
        &mut ctx.session.lib_name
    } else if ctx.is_word(2, "LIB-VER") {
        &mut ctx.session.lib_version
    } else {
        return Err(Error::new([b"ERR Unrecognized option '", attribute, b"'"].concat()));
    };
    if !is_printable(value) {
        let why = &b" cannot contain spaces, newlines or special characters."[..];
        return Err(Error::new([b"ERR ", attribute, why].concat()));
    }
    *field = value.into();
    ctx.ok()
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{Bench, check};

    #[test]
    fn a_name_is_one_word_of_printable_ascii() {
        check("CLIENT GETNAME; CLIENT SETNAME a~!; CLIENT GETNAME", "$_ +OK $a~!");
        check("CLIENT SETNAME a; CLIENT SETNAME ''; CLIENT GETNAME", "+OK +OK $_");
        for name in ["'a b'", "\"a\\n\"", "\"\\x7f\"", "\"\\xe9\"", "\"\\x00\""] {
            let text = "-ERR Client names cannot contain spaces, newlines or special characters.";
            check(&format!("CLIENT SETNAME {name}; CLIENT GETNAME"), &format!("{text} $_"));
        }
    }

    #[test]
    fn the_library_has_a_name_and_a_version() {
        let mut bench = Bench::new();
        bench.check("CLIENT SETINFO lib-name redis-py; CLIENT SETINFO LIB-VER 5.0", "+OK +OK");
        assert_eq!(&*bench.session.lib_name, b"redis-py");
        assert_eq!(&*bench.session.lib_version, b"5.0");
        let unprintable = "cannot contain spaces, newlines or special characters.";
        bench.check("CLIENT SETINFO LIB-Name 'a b'", &format!("-ERR LIB-Name {unprintable}"));
        bench.check("CLIENT SETINFO lib-ver \"\\r\"", &format!("-ERR lib-ver {unprintable}"));
        bench.check("CLIENT SETINFO lib-foo x", "-ERR Unrecognized option 'lib-foo'");
        bench.check(
            "CLIENT SETINFO lib-name",
            "-ERR wrong number of arguments for 'client|setinfo' command",
        );
        assert_eq!(&*bench.session.lib_name, b"redis-py");
        bench.check("CLIENT SETINFO lib-name ''", "+OK");
        assert!(bench.session.lib_name.is_empty());
    }
}
