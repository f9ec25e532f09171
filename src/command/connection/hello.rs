//! HELLO: protocol, authentication and name in one step.

use super::auth;
use super::client::names;
use crate::base::num;
use crate::command::secrets::Secrets;
use crate::command::spec::{Arg, ArgType, Categories, Flags, Group};
use crate::command::{Command, Context, Error, Outcome, Spec};
use crate::config::REDIS_VERSION;
use crate::resp::Protocol;
use crate::resp::parse::Trust;

/// HELLO [protover [AUTH username password] [SETNAME clientname]]
pub(super) static HELLO: Command =
    Command { spec: HELLO_SPEC, handler: Some(hello), subcommands: &[] };

const HELLO_SPEC: Spec = Spec {
    name: "hello",
    summary: "Chooses the protocol, authenticates and names the connection.",
    complexity: "O(1)",
    since: "6.0.0",
    group: Group::Connection,
    arity: -1,
    flags: Flags::NOSCRIPT
        .union(Flags::LOADING)
        .union(Flags::STALE)
        .union(Flags::FAST)
        .union(Flags::NO_AUTH)
        .union(Flags::ALLOW_BUSY)
        .union(Flags::SENTINEL),
    categories: Categories::CONNECTION,
    args: &[Arg::block(
        "arguments",
        &[
            Arg::new("protover", ArgType::Integer),
            Arg::block(
                "auth",
                &[Arg::new("username", ArgType::String), Arg::new("password", ArgType::String)],
            )
            .token("AUTH")
            .optional(),
            Arg::new("clientname", ArgType::String).token("SETNAME").optional(),
        ],
    )
    .optional()],
    history: &[(
        "6.2.0",
        "The protocol version may be left out; the reply then describes the connection.",
    )],
    secrets: Secrets::Behind(2, &[("AUTH", 2)]),
    ..Spec::EMPTY
};

const NOT_A_VERSION: Error = Error::fixed("ERR Protocol version is not an integer or out of range");
const UNKNOWN_VERSION: Error = Error::fixed("NOPROTO unsupported protocol version");
const NOT_AUTHENTICATED: Error = Error::fixed(
    "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO \
     <proto> AUTH <user> <pass> option can be used to authenticate the client and select the RESP \
     protocol version at the same time",
);

/// What a client asks for.
#[derive(Default)]
struct Request<'a> {
    protocol: Option<Protocol>,
    credentials: Option<(&'a [u8], &'a [u8])>,
    name: Option<&'a [u8]>,
}

fn hello(ctx: &mut Context<'_>) -> Outcome {
    let request = parse(ctx)?;
    if let Some((user, password)) = request.credentials {
        auth::authenticate(ctx, user, password)?;
    }
    if ctx.server.trust_of(ctx.session) == Trust::Unauthenticated {
        return Err(NOT_AUTHENTICATED);
    }
    if let Some(name) = request.name {
        ctx.session.name = name.into();
    }
    if let Some(protocol) = request.protocol {
        ctx.session.output.protocol = protocol;
    }
    introduce(ctx);
    Ok(())
}

fn parse<'a>(ctx: &Context<'a>) -> Result<Request<'a>, Error> {
    let mut request = Request::default();
    let Some(version) = ctx.args.get(1) else { return Ok(request) };
    request.protocol = match num::parse_i64(version) {
        None => return Err(NOT_A_VERSION),
        Some(2) => Some(Protocol::Resp2),
        Some(3) => Some(Protocol::Resp3),
        Some(_) => return Err(UNKNOWN_VERSION),
    };
    let mut at = 2;
    while let Some(option) = ctx.args.get(at) {
        let rest = ctx.args.len() - at - 1;
        if ctx.is_word(at, "AUTH") && rest >= 2 {
            request.credentials = Some((ctx.args.at(at + 1), ctx.args.at(at + 2)));
            at += 3;
        } else if ctx.is_word(at, "SETNAME") && rest >= 1 {
            request.name = Some(names::client_name(ctx.args.at(at + 1))?);
            at += 2;
        } else {
            let text = [b"ERR Syntax error in HELLO option '", option, b"'"].concat();
            return Err(Error::new(text));
        }
    }
    Ok(request)
}

/// Says what this server is.
fn introduce(ctx: &mut Context<'_>) {
    let id = ctx.session.id.0;
    let out = ctx.out();
    let protocol = match out.protocol {
        Protocol::Resp2 => 2,
        Protocol::Resp3 => 3,
    };
    out.map(7);
    out.text("server");
    out.text("redis");
    out.text("version");
    out.text(REDIS_VERSION);
    out.text("proto");
    out.integer(protocol);
    out.text("id");
    out.integer(num::i64_clamped(id));
    out.text("mode");
    out.text("standalone");
    out.text("role");
    out.text("master");
    out.text("modules");
    out.array(0);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::testing::{Bench, check};
    use crate::config::Config;

    const RESP2: &str = "[$server $redis $version $7.4.0 $proto :2 $id :1 $mode $standalone $role \
                         $master $modules []]";
    const RESP3: &str = "%[$server $redis $version $7.4.0 $proto :3 $id :1 $mode $standalone \
                         $role $master $modules []]";
    const WRONG_PASSWORD: &str = "-WRONGPASS invalid username-password pair or user is disabled.";

    #[test]
    fn hello_chooses_the_protocol() {
        check("HELLO", RESP2);
        check("HELLO 2; HELLO 3; HELLO; GET k", &format!("{RESP2} {RESP3} {RESP3} _"));
        check("HELLO 3; HELLO 2; GET k", &format!("{RESP3} {RESP2} $_"));
    }

    #[test]
    fn versions_there_are_not() {
        for version in ["0", "1", "4", "-1"] {
            check(&format!("HELLO {version}"), "-NOPROTO unsupported protocol version");
        }
        for version in ["x", "''", "3.0", "99999999999999999999"] {
            let text = "-ERR Protocol version is not an integer or out of range";
            check(&format!("HELLO {version}"), text);
        }
        check("HELLO 3 SETNAME", "-ERR Syntax error in HELLO option 'SETNAME'");
        check("HELLO 3 auth default", "-ERR Syntax error in HELLO option 'auth'");
        check("HELLO 3 x; GET k", "-ERR Syntax error in HELLO option 'x' $_");
        check("HELLO 3 \"x\\ny\"", "-ERR Syntax error in HELLO option 'x y'");
    }

    #[test]
    fn a_name_may_come_with_it() {
        check("HELLO 2 SETNAME a; CLIENT GETNAME", &format!("{RESP2} $a"));
        check("HELLO 2 SETNAME a setname b; CLIENT GETNAME", &format!("{RESP2} $b"));
        check(
            "HELLO 3 SETNAME \"a b\"; CLIENT GETNAME",
            "-ERR Client names cannot contain spaces, newlines or special characters. $_",
        );
    }

    #[test]
    fn nothing_changes_unless_all_is_right() {
        let config = Config { requirepass: "pw".into(), ..Config::default() };
        let mut bench = Bench::with(config);
        bench.session.trust = Trust::Unauthenticated;
        let refused = format!("-{}", String::from_utf8_lossy(NOT_AUTHENTICATED.line()));
        bench.check("HELLO; HELLO 3; HELLO 3 SETNAME x", &[&*refused; 3].join(" "));
        bench.check("HELLO 3 AUTH default no SETNAME x", WRONG_PASSWORD);
        bench.check("HELLO 4 AUTH default pw", "-NOPROTO unsupported protocol version");
        bench.check(
            "HELLO 3 AUTH default pw SETNAME ' '",
            "-ERR Client names cannot contain spaces, newlines or special characters.",
        );
        bench.check("PING", "-NOAUTH Authentication required.");
        assert_eq!(bench.session.output.protocol, Protocol::Resp2);
        bench.check("HELLO 3 AUTH default pw SETNAME x; CLIENT GETNAME", &format!("{RESP3} $x"));
    }

    #[test]
    fn one_who_is_known_may_try_again_in_vain() {
        check("HELLO 3 AUTH nobody x; PING", &format!("{WRONG_PASSWORD} +PONG"));
        check("HELLO 2 AUTH default x; PING", &format!("{RESP2} +PONG"));
    }
}
