//! CLIENT KILL.

use super::{Class, unknown_class};
use crate::base::num;
use crate::command::error::printed;
use crate::command::spec::{Arg, ArgType, Categories, Flags, Group};
use crate::command::{Command, Context, Error, Outcome, Spec};
use crate::session::{ClientId, Closing, Session};

/// CLIENT KILL (ip:port | filter value [filter value ...])
pub(super) static KILL: Command =
    Command { spec: KILL_SPEC, handler: Some(kill), subcommands: &[] };

const KILL_SPEC: Spec = Spec {
    name: "kill",
    summary: "Closes connections.",
    complexity: "O(N), N being the number of connections.",
    since: "2.4.0",
    group: Group::Connection,
    arity: -3,
    flags: Flags::ADMIN
        .union(Flags::NOSCRIPT)
        .union(Flags::LOADING)
        .union(Flags::STALE)
        .union(Flags::SENTINEL),
    categories: Categories::CONNECTION,
    args: &[Arg::one_of(
        "filter",
        &[
            Arg::new("old-format", ArgType::String).display("ip:port").deprecated("2.8.12"),
            Arg::one_of(
                "new-format",
                &[
                    Arg::new("client-id", ArgType::Integer).token("ID").optional().since("2.8.12"),
                    Arg::one_of(
                        "client-type",
                        &[
                            Arg::flag("normal", "NORMAL"),
                            Arg::flag("master", "MASTER").since("3.2.0"),
                            Arg::flag("slave", "SLAVE"),
                            Arg::flag("replica", "REPLICA").since("5.0.0"),
                            Arg::flag("pubsub", "PUBSUB"),
                        ],
                    )
                    .token("TYPE")
                    .optional()
                    .since("2.8.12"),
                    Arg::new("username", ArgType::String).token("USER").optional(),
                    Arg::new("addr", ArgType::String).display("ip:port").token("ADDR").optional(),
                    Arg::new("laddr", ArgType::String)
                        .display("ip:port")
                        .token("LADDR")
                        .optional()
                        .since("6.2.0"),
                    Arg::one_of("skipme", &[Arg::flag("yes", "YES"), Arg::flag("no", "NO")])
                        .token("SKIPME")
                        .optional(),
                    Arg::new("maxage", ArgType::Integer).token("MAXAGE").optional().since("7.4.0"),
                ],
            )
            .multiple(),
        ],
    )],
    history: &[
        ("2.8.12", "Filters instead of one address."),
        ("2.8.12", "Filter ID."),
        ("3.2.0", "TYPE takes `master`."),
        ("5.0.0", "TYPE takes `replica`; `slave` still works."),
        ("6.2.0", "Filter LADDR."),
        ("7.4.0", "Filter MAXAGE."),
    ],
    ..Spec::EMPTY
};

/// Whether the client that asks may be among those closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
enum Me {
    /// It is left out.
    #[default]
    Skipped,
    /// It is closed like any other.
    Included,
}

/// What a client must be to be closed; what is not given does not matter.
#[derive(Debug, Default)]
struct Filter<'a> {
    id: Option<ClientId>,
    user: Option<&'a [u8]>,
    class: Option<Class>,
    peer: Option<&'a [u8]>,
    local: Option<&'a [u8]>,
    age_s_min: i64,
    me: Me,
}

impl Filter<'_> {
    fn matches(&self, session: &Session, now_s: i64) -> bool {
        let is_at =
            |end: &crate::session::Endpoint, address: &[u8]| end.to_string().as_bytes() == address;
        session.closing != Closing::Now
            && self.id.is_none_or(|id| id == session.id)
            && self.user.is_none_or(|name| session.user.name() == name)
            && self.class.is_none_or(|class| class == Class::of(session))
            && now_s - session.connected_at_s >= self.age_s_min
            && self.peer.is_none_or(|address| is_at(&session.peer, address))
            && self.local.is_none_or(|address| is_at(&session.local, address))
    }
}

fn kill(ctx: &mut Context<'_>) -> Outcome {
    const NO_SUCH_CLIENT: Error = Error::fixed("ERR No such client");
    if ctx.args.len() == 3 {
        let filter = Filter { peer: Some(ctx.args.at(2)), me: Me::Included, ..Filter::default() };
        return if close(ctx, &filter) > 0 { ctx.ok() } else { Err(NO_SUCH_CLIENT) };
    }
    let filter = parse(ctx)?;
    let closed = close(ctx, &filter);
    ctx.session.output.count(closed);
    Ok(())
}

/// Filters in pairs; of one given twice the last counts.
fn parse<'a>(ctx: &Context<'a>) -> Result<Filter<'a>, Error> {
    let mut filter = Filter::default();
    let mut at = 2;
    while at < ctx.args.len() {
        let value = ctx.args.get(at + 1).ok_or(Error::SYNTAX)?;
        if ctx.is_word(at, "ID") {
            filter.id = Some(parse_id(value)?);
        } else if ctx.is_word(at, "TYPE") {
            filter.class = Some(Class::of_word(value).ok_or_else(|| unknown_class(value))?);
        } else if ctx.is_word(at, "ADDR") {
            filter.peer = Some(value);
        } else if ctx.is_word(at, "LADDR") {
            filter.local = Some(value);
        } else if ctx.is_word(at, "USER") {
            if ctx.server.users.get(value).is_none() {
                return Err(Error::new([b"ERR No such user '", printed(value), b"'"].concat()));
            }
            filter.user = Some(value);
        } else if ctx.is_word(at, "MAXAGE") {
            filter.age_s_min = parse_age(value)?;
        } else if ctx.is_word(at, "SKIPME") {
            filter.me = parse_skip_me(value)?;
        } else {
            return Err(Error::SYNTAX);
        }
        at += 2;
    }
    Ok(filter)
}

fn parse_id(value: &[u8]) -> Result<ClientId, Error> {
    const BAD_ID: Error = Error::fixed("ERR client-id should be greater than 0");
    let id = num::parse_i64(value).and_then(|id| u64::try_from(id).ok());
    id.filter(|&id| id > 0).map(ClientId).ok_or(BAD_ID)
}

fn parse_age(value: &[u8]) -> Result<i64, Error> {
    const NOT_AN_INTEGER: Error = Error::fixed("ERR maxage is not an integer or out of range");
    const NOT_POSITIVE: Error = Error::fixed("ERR maxage should be greater than 0");
    let age_s = num::parse_i64(value).ok_or(NOT_AN_INTEGER)?;
    if age_s > 0 { Ok(age_s) } else { Err(NOT_POSITIVE) }
}

fn parse_skip_me(value: &[u8]) -> Result<Me, Error> {
    if value.eq_ignore_ascii_case(b"yes") {
        Ok(Me::Skipped)
    } else if value.eq_ignore_ascii_case(b"no") {
        Ok(Me::Included)
    } else {
        Err(Error::SYNTAX)
    }
}

/// Closes the clients that match and returns how many did. The one that asks is sent its reply first.
fn close(ctx: &mut Context<'_>, filter: &Filter<'_>) -> usize {
    let now_s = ctx.server.now.unix_s();
    let sessions = &ctx.server.sessions;
    let matching = sessions.iter().filter(|session| filter.matches(session, now_s));
    let indexes: Vec<usize> = matching.map(|session| session.index).collect();
    for &index in &indexes {
        if let Some(mut session) = ctx.server.sessions.take(index) {
            ctx.server.close(&mut session);
            ctx.server.sessions.put(session);
        }
    }
    let mut closed = indexes.len();
    if filter.me == Me::Included && filter.matches(ctx.session, now_s) {
        ctx.session.close_after_replies();
        closed += 1;
    }
    closed
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{Bench, check};
    use crate::session::{ClientId, Closing, Endpoint, Session};

    /// A server with clients 2 and 3 from ports 2 and 3, connected 20 and 30 seconds ago; client 1 is
    /// the bench's own, connected 10 seconds ago.
    fn three() -> Bench {
        let mut bench = Bench::new();
        let now_s = bench.server.now.unix_s();
        for port in [2_u16, 3] {
            let id = bench.server.sessions.next_id();
            let [peer, local] =
                [port, 6379].map(|port| Endpoint::Tcp(([127, 0, 0, 1], port).into()));
            let since_s = now_s - 10 * i64::from(port);
            bench.server.sessions.insert(Box::new(Session::new(
                id,
                peer,
                local,
                9,
                since_s,
                &bench.session.user,
            )));
        }
        bench.session.peer = Endpoint::Tcp(([127, 0, 0, 1], 1).into());
        bench.session.connected_at_s = now_s - 10;
        bench
    }

    /// Kills, and lists the clients that are closed after it.
    #[track_caller]
    fn kills(filter: &str, reply: &str, closed: &[u64]) {
        let mut bench = three();
        bench.check(&format!("CLIENT KILL {filter}"), reply);
        let sessions = bench.server.sessions.iter();
        let mut ids: Vec<u64> = sessions
            .filter(|session| session.closing == Closing::Now)
            .map(|session| session.id.0)
            .collect();
        assert_eq!(bench.server.doomed.len(), ids.len(), "{filter}");
        match bench.session.closing {
            Closing::No => {}
            Closing::AfterReplies => ids.insert(0, 1),
            Closing::Now => panic!("its reply would be lost"),
        }
        assert_eq!(ids, closed, "{filter}");
    }

    #[test]
    fn the_old_form_closes_one_address_even_the_own() {
        kills("127.0.0.1:2", "+OK", &[2]);
        kills("127.0.0.1:1", "+OK", &[1]);
        kills("127.0.0.1:4", "-ERR No such client", &[]);
        kills("ID", "-ERR No such client", &[]);
    }

    #[test]
    fn filters_must_all_match() {
        kills("ID 2", ":1", &[2]);
        kills("id 9", ":0", &[]);
        kills("ADDR 127.0.0.1:3", ":1", &[3]);
        kills("ADDR 127.0.0.1:3 ID 2", ":0", &[]);
        kills("LADDR 127.0.0.1:6379", ":2", &[2, 3]);
        kills("LADDR 127.0.0.1:6380", ":0", &[]);
        kills("TYPE normal", ":2", &[2, 3]);
        kills("TYPE pubsub", ":0", &[]);
        kills("USER default", ":2", &[2, 3]);
        kills("MAXAGE 30", ":1", &[3]);
        kills("MAXAGE 11", ":2", &[2, 3]);
        kills("ID 2 ID 3", ":1", &[3]);
    }

    #[test]
    fn the_asking_client_is_left_out_unless_told_otherwise() {
        kills("ID 1", ":0", &[]);
        kills("ID 1 SKIPME yes", ":0", &[]);
        kills("ID 1 skipme NO", ":1", &[1]);
        kills("TYPE normal SKIPME no", ":3", &[1, 2, 3]);
        kills("MAXAGE 10 SKIPME no", ":3", &[1, 2, 3]);
        kills("MAXAGE 11 SKIPME no", ":2", &[2, 3]);
    }

    #[test]
    fn nobody_is_closed_twice() {
        let mut bench = three();
        bench.check("CLIENT KILL ID 2; CLIENT KILL ID 2; CLIENT KILL TYPE normal", ":1 :0 :1");
        assert_eq!(bench.server.doomed.len(), 2);
        let index = bench.server.sessions.index_of(ClientId(2)).expect("not removed yet");
        assert!(bench.server.doomed.contains(&index));
    }

    #[test]
    fn replies_left_out_do_not_keep_a_client() {
        let mut bench = Bench::new();
        bench.check("CLIENT REPLY OFF; CLIENT KILL ID 1 SKIPME no", "");
        assert_eq!(bench.session.closing, Closing::AfterReplies);
    }

    #[test]
    fn filters_that_make_no_sense() {
        for rest in ["ID 2 x", "ID 2 SKIPME", "ID 2 SKIPME maybe", "x 1", "ID 2 x 3"] {
            kills(rest, "-ERR syntax error", &[]);
        }
        for id in ["0", "-1", "x", "99999999999999999999"] {
            kills(&format!("ID {id}"), "-ERR client-id should be greater than 0", &[]);
        }
        kills("TYPE foo", "-ERR Unknown client type 'foo'", &[]);
        kills("USER nope", "-ERR No such user 'nope'", &[]);
        kills("MAXAGE x", "-ERR maxage is not an integer or out of range", &[]);
        kills("MAXAGE 0", "-ERR maxage should be greater than 0", &[]);
        check("CLIENT KILL", "-ERR wrong number of arguments for 'client|kill' command");
    }
}
