//! AUTH, and what it shares with HELLO: becoming another user.

use crate::acl::{self, DEFAULT_USER, Reason, Refusal, User};
use crate::command::secrets::Secrets;
use crate::command::spec::{Arg, ArgType, Categories, Flags, Group};
use crate::command::{Command, Context, Error, Outcome, Server, Spec};
use crate::resp::parse::Trust;
use crate::session::SessionFlags;

/// AUTH [username] password
pub(super) static AUTH: Command =
    Command { spec: AUTH_SPEC, handler: Some(auth), subcommands: &[] };

const AUTH_SPEC: Spec = Spec {
    name: "auth",
    summary: "Authenticates the connection.",
    complexity: "O(N), N being the number of passwords of the user.",
    group: Group::Connection,
    arity: -2,
    flags: Flags::NOSCRIPT
        .union(Flags::LOADING)
        .union(Flags::STALE)
        .union(Flags::FAST)
        .union(Flags::NO_AUTH)
        .union(Flags::ALLOW_BUSY)
        .union(Flags::SENTINEL),
    categories: Categories::CONNECTION,
    args: &[
        Arg::new("username", ArgType::String).optional().since("6.0.0"),
        Arg::new("password", ArgType::String),
    ],
    history: &[("6.0.0", "A user name may be given.")],
    secrets: Secrets::From(1),
    ..Spec::EMPTY
};

const NO_PASSWORD_SET: Error = Error::fixed(
    "ERR AUTH <password> called without any password configured for the default user. Are you \
     sure your configuration is correct?",
);
const WRONG_PASSWORD: Error =
    Error::fixed("WRONGPASS invalid username-password pair or user is disabled.");

fn auth(ctx: &mut Context<'_>) -> Outcome {
    let (user, password) = match ctx.args.len() {
        2 if ctx.server.users.default_user().takes_any_password() => {
            return Err(NO_PASSWORD_SET);
        }
        2 => (DEFAULT_USER, ctx.args.at(1)),
        3 => (ctx.args.at(1), ctx.args.at(2)),
        _ => return Err(Error::SYNTAX),
    };
    authenticate(ctx, user, password)?;
    ctx.ok()
}

/// Makes a client the user it says it is. A client that fails stays what it was.
///
/// # Errors
/// `WRONGPASS`.
pub(super) fn authenticate(ctx: &mut Context<'_>, name: &[u8], password: &[u8]) -> Outcome {
    let user = ctx.server.users.get(name);
    // A name that nobody has takes as long.
    let lets_in =
        user.map_or_else(|| User::nobody_lets_in(password), |user| user.lets_in(password));
    if let Some(user) = user.filter(|_| lets_in) {
        ctx.session.become_user(user);
        ctx.session.trust = Trust::Authenticated;
        return Ok(());
    }
    let context = if ctx.session.flags.contains(SessionFlags::MULTI) {
        acl::Context::Multi
    } else {
        acl::Context::Toplevel
    };
    let object = ctx.args.at(0);
    let refusal = Refusal { reason: Reason::Auth, context, object, username: name };
    ctx.server.note_refusal(ctx.session, refusal);
    Err(WRONG_PASSWORD)
}

impl Server {
    /// Makes a client that has just connected the first enabled user of these names, which its certificate
    /// holds. If there is none it stays the default user, and that is noted.
    pub fn log_in_as_one_of(&mut self, index: usize, names: &[String]) {
        let Some(mut session) = self.sessions.take(index) else { return };
        let users = names.iter().filter_map(|name| self.users.get(name.as_bytes()));
        if let Some(user) = users.clone().find(|user| user.is_enabled()) {
            session.become_user(user);
            session.trust = Trust::Authenticated;
        } else if let Some(username) = names.first().map(String::as_bytes) {
            let context = acl::Context::Toplevel;
            let reason = Reason::TlsCertificate;
            self.note_refusal(&session, Refusal { reason, context, object: b"", username });
        }
        self.sessions.put(session);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::testing::Bench;
    use crate::config::Config;

    /// A server with this password and a client that has not said it yet.
    fn locked(password: &str) -> Bench {
        let config = Config { requirepass: password.into(), ..Config::default() };
        let mut bench = Bench::with(config);
        bench.session.trust = Trust::Unauthenticated;
        bench
    }

    #[test]
    fn without_a_password_only_the_user_counts() {
        let no_password = "-ERR AUTH <password> called without any password configured for the \
                           default user. Are you sure your configuration is correct?";
        let mut bench = Bench::new();
        bench.check("AUTH x", no_password);
        bench.check("AUTH default x", "+OK");
        bench.check(
            "AUTH Default x",
            "-WRONGPASS invalid username-password pair or user is disabled.",
        );
        bench.check("AUTH a b c", "-ERR syntax error");
        bench.check("AUTH", "-ERR wrong number of arguments for 'auth' command");
    }

    #[test]
    fn a_password_opens_the_server() {
        let wrong = "-WRONGPASS invalid username-password pair or user is disabled.";
        let mut bench = locked("secret");
        bench.check("PING", "-NOAUTH Authentication required.");
        for attempt in ["secre", "secrets", "Secret", "''", "secretsecret"] {
            bench.check(&format!("AUTH {attempt}"), wrong);
        }
        bench.check("AUTH other secret", wrong);
        assert_eq!(bench.server.stats.acl_denied_auth, 6);
        bench.check("AUTH secret; PING", "+OK +PONG");
        bench.check("AUTH wrong; PING", &format!("{wrong} +PONG"));
        bench.check("RESET; PING", "+RESET -NOAUTH Authentication required.");
        bench.check("AUTH default secret; PING", "+OK +PONG");
    }

    #[test]
    fn a_password_may_be_any_bytes() {
        let mut bench = locked("");
        bench.server.config.requirepass = (&b"a\0b\xff"[..]).into();
        bench.server.adopt_password();
        assert_eq!(bench.raw(&[&b"AUTH"[..], b"a\0b\xff"]), b"+OK\r\n");
        assert!(bench.raw(&[&b"AUTH"[..], b"a"]).starts_with(b"-WRONGPASS"));
    }

    #[test]
    fn quitting_needs_no_password() {
        locked("x").check("QUIT", "+OK");
    }
}
