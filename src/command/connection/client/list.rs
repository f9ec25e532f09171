//! CLIENT LIST, INFO and ID.

use super::tracking::redirect_of;
use super::{Class, unknown_class};
use crate::base::num;
use crate::command::replication::Replication;
use crate::command::spec::{Arg, ArgType, Categories, Flags, Group};
use crate::command::{Command, Context, Error, Outcome, Server, Spec};
use crate::pubsub::Kind;
use crate::resp::{OwnedArgs, Protocol};
use crate::session::tracking::{Mode, Tracking};
use crate::session::{ClientId, Closing, Session, SessionFlags, Sessions};
use crate::store::Watched;

/// CLIENT LIST [TYPE type] [ID client-id ...]
pub(super) static LIST: Command =
    Command { spec: LIST_SPEC, handler: Some(list), subcommands: &[] };

const LIST_SPEC: Spec = Spec {
    name: "list",
    summary: "Describes connections, one line each.",
    complexity: "O(N), N being the number of connections.",
    since: "2.4.0",
    group: Group::Connection,
    arity: -2,
    flags: Flags::ADMIN
        .union(Flags::NOSCRIPT)
        .union(Flags::LOADING)
        .union(Flags::STALE)
        .union(Flags::SENTINEL),
    categories: Categories::CONNECTION,
    args: &[
        Arg::one_of(
            "client-type",
            &[
                Arg::flag("normal", "NORMAL"),
                Arg::flag("master", "MASTER"),
                Arg::flag("replica", "REPLICA"),
                Arg::flag("pubsub", "PUBSUB"),
            ],
        )
        .token("TYPE")
        .optional()
        .since("5.0.0"),
        Arg::new("client-id", ArgType::Integer).token("ID").optional().multiple().since("6.2.0"),
    ],
    history: &[
        ("2.8.12", "Field `id`."),
        ("5.0.0", "Filter TYPE."),
        ("6.0.0", "Field `user`."),
        ("6.2.0", "Fields `argv-mem`, `tot-mem`, `laddr` and `redir`; filter ID."),
        ("7.0.0", "Fields `resp`, `multi-mem`, `rbs` and `rbp`."),
        ("7.0.3", "Field `ssub`."),
        ("7.2.0", "Fields `lib-name` and `lib-ver`."),
        ("7.4.0", "Field `watch`."),
    ],
    tips: &["nondeterministic_output"],
    ..Spec::EMPTY
};

/// CLIENT INFO
pub(super) static INFO: Command =
    Command { spec: INFO_SPEC, handler: Some(info), subcommands: &[] };

const INFO_SPEC: Spec = Spec {
    name: "info",
    summary: "Describes the connection in one line.",
    complexity: "O(1)",
    since: "6.2.0",
    group: Group::Connection,
    arity: 2,
    flags: Flags::NOSCRIPT.union(Flags::LOADING).union(Flags::STALE).union(Flags::SENTINEL),
    categories: Categories::CONNECTION,
    tips: &["nondeterministic_output"],
    ..Spec::EMPTY
};

/// CLIENT ID
pub(super) static ID: Command = Command { spec: ID_SPEC, handler: Some(id), subcommands: &[] };

const ID_SPEC: Spec = Spec {
    name: "id",
    summary: "Returns the number of the connection.",
    complexity: "O(1)",
    since: "5.0.0",
    group: Group::Connection,
    arity: 2,
    flags: Flags::NOSCRIPT.union(Flags::LOADING).union(Flags::STALE).union(Flags::SENTINEL),
    categories: Categories::CONNECTION,
    ..Spec::EMPTY
};

const BAD_ID: Error = Error::fixed("ERR Invalid client ID");

fn id(ctx: &mut Context<'_>) -> Outcome {
    let id = ctx.session.id.0;
    ctx.reply_integer(num::i64_clamped(id))
}

fn info(ctx: &mut Context<'_>) -> Outcome {
    let mut text = String::new();
    View::of(ctx).describe(ctx.session, &mut text);
    ctx.session.output.verbatim("txt", text.as_bytes());
    Ok(())
}

fn list(ctx: &mut Context<'_>) -> Outcome {
    let view = View::of(ctx);
    let mut text = String::new();
    match ctx.args.len() {
        2 => {
            for session in everyone(&ctx.server.sessions, ctx.session) {
                view.describe(session, &mut text);
            }
        }
        4 if ctx.is_word(2, "TYPE") => {
            let word = ctx.args.at(3);
            let class = Class::of_word(word).ok_or_else(|| unknown_class(word))?;
            let all = everyone(&ctx.server.sessions, ctx.session);
            for session in all.filter(|session| Class::of(session) == class) {
                view.describe(session, &mut text);
            }
        }
        4.. if ctx.is_word(2, "ID") => {
            for arg in ctx.args.from(3) {
                let id = num::parse_i64(arg).ok_or(BAD_ID)?;
                let id = u64::try_from(id).map(ClientId);
                let found = id.ok().and_then(|id| find(&ctx.server.sessions, ctx.session, id));
                if let Some(session) = found {
                    view.describe(session, &mut text);
                }
            }
        }
        _ => return Err(Error::SYNTAX),
    }
    ctx.session.output.verbatim("txt", text.as_bytes());
    Ok(())
}

/// All clients that stay, oldest first. The one that asks is not in the table while it does.
fn everyone<'a>(
    sessions: &'a Sessions,
    me: &'a Session,
) -> impl Iterator<Item = &'a Session> + use<'a> {
    let older = sessions.iter().take_while(|session| session.id < me.id);
    let younger = sessions.iter().skip_while(|session| session.id < me.id);
    let all = older.chain(std::iter::once(me)).chain(younger);
    all.filter(|session| session.closing != Closing::Now)
}

fn find<'a>(sessions: &'a Sessions, me: &'a Session, id: ClientId) -> Option<&'a Session> {
    if id == me.id {
        return Some(me);
    }
    let session = sessions.get(sessions.index_of(id)?)?;
    (session.closing != Closing::Now).then_some(session)
}

/// From where clients are looked at.
#[derive(Clone, Copy)]
struct View<'a> {
    now_s: i64,
    watched: &'a Watched,
    tracking: &'a Tracking,
    replication: &'a Replication,
    /// The client that asks, whose command is under way.
    me: ClientId,
    /// Bytes of its arguments.
    argument_bytes: usize,
}

impl<'a> View<'a> {
    fn of(ctx: &'a Context<'_>) -> Self {
        let argument_bytes = ctx.args.from(0).map(<[u8]>::len).sum();
        let watched = ctx.server.keyspace.watched();
        let tracking = &ctx.server.tracking;
        Self {
            now_s: ctx.server.now.unix_s(),
            watched,
            tracking,
            replication: &ctx.server.replication,
            me: ctx.session.id,
            argument_bytes,
        }
    }

    /// Appends a client's line. `qbuf` counts what is kept between turns: a command that arrives whole
    /// is executed where it was read. Likewise a reply buffer is lent for a turn, so that `rbs` is 0
    /// for a client that waits for nothing, and `rbp`, its peak, is its size.
    fn describe(self, session: &Session, text: &mut String) {
        let is_me = session.id == self.me;
        let tracker = self.tracking.get(session.id);
        let held = session.held.as_ref().map_or(0, OwnedArgs::memory_bytes);
        let argument_bytes = if is_me { self.argument_bytes } else { held };
        let output = &session.output;
        let (chunks, buffer_bytes) = output.shape();
        let stream = self.replication.held_for(session.index);
        let unsent_bytes = output.pieces().last().map_or(0, <[u8]>::len);
        let protocol = match output.protocol {
            Protocol::Resp2 => 2,
            Protocol::Resp3 => 3,
        };
        let command = if session.last_command.is_empty() { "NULL" } else { session.last_command };
        let is_queued = session.is_queued_for_write || session.is_queued_for_push;
        let has_unsent = !output.is_empty() || stream.blocks > 0;
        let is_stuck = !is_me && has_unsent && !is_queued;
        text.push_str(&format!(
            "id={} addr={} laddr={} fd={} name={} age={} idle={} flags={} db={} sub={} psub={} \
             ssub={} multi={} watch={} qbuf={} qbuf-free={} argv-mem={} multi-mem={} rbs={} rbp={} \
             obl={} oll={} omem={} tot-mem={} events={} cmd={} user={} redir={} resp={} \
             lib-name={} lib-ver={}\n",
            session.id.0,
            session.peer,
            session.local,
            session.descriptor,
            String::from_utf8_lossy(&session.name),
            self.now_s - session.connected_at_s,
            self.now_s - session.active_at_s,
            letters(session, self.watched, self.tracking),
            session.db,
            session.subscribed(Kind::Channel),
            session.subscribed(Kind::Pattern),
            session.subscribed(Kind::Shard),
            session
                .transaction
                .as_ref()
                .map_or(-1, |transaction| num::i64_of(transaction.queue.len())),
            self.watched.watched_by(session.id.0),
            session.waiting_input_bytes(),
            session.tail.capacity() - session.tail.len(),
            argument_bytes,
            session.transaction_bytes(),
            buffer_bytes,
            buffer_bytes,
            unsent_bytes,
            chunks + stream.blocks,
            output.memory_bytes() - buffer_bytes + stream.bytes,
            session.claimed_bytes() + stream.bytes + if is_me { argument_bytes } else { 0 },
            if is_stuck { "rw" } else { "r" },
            command,
            String::from_utf8_lossy(session.user.name()),
            redirect_of(tracker),
            protocol,
            String::from_utf8_lossy(&session.lib_name),
            String::from_utf8_lossy(&session.lib_version),
        ));
    }
}

impl Server {
    /// The line of CLIENT LIST about the client that is being served, without its end.
    pub(in crate::command) fn client_line(&self, session: &Session) -> String {
        let view = View {
            now_s: self.now.unix_s(),
            watched: self.keyspace.watched(),
            tracking: &self.tracking,
            replication: &self.replication,
            me: session.id,
            argument_bytes: 0,
        };
        let mut line = String::new();
        view.describe(session, &mut line);
        line.truncate(line.trim_end_matches('\n').len());
        line
    }
}

/// The letters of the field `flags`.
fn letters(session: &Session, watched: &Watched, tracking: &Tracking) -> String {
    let has = |flag| session.flags.contains(flag);
    let tracker = tracking.get(session.id);
    let letters: String = [
        (has(SessionFlags::REPLICA), 'S'),
        (has(SessionFlags::PRIMARY), 'M'),
        (has(SessionFlags::MONITOR), 'O'),
        (has(SessionFlags::SUBSCRIBED), 'P'),
        (has(SessionFlags::MULTI), 'x'),
        (session.is_held_back(), 'b'),
        (tracker.is_some(), 't'),
        (tracker.is_some_and(|tracker| tracker.is_broken), 'R'),
        (tracker.is_some_and(|tracker| tracker.mode == Mode::Broadcast), 'B'),
        (watched.is_stale(session.id.0), 'd'),
        (session.closing == Closing::AfterReplies, 'c'),
        (session.closing == Closing::Now, 'A'),
        (has(SessionFlags::UNIX_SOCKET), 'U'),
        (has(SessionFlags::NO_EVICT), 'e'),
        (has(SessionFlags::NO_TOUCH), 'T'),
    ]
    .into_iter()
    .filter_map(|(holds, letter)| holds.then_some(letter))
    .collect();
    if letters.is_empty() { "N".to_owned() } else { letters }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::testing::{Bench, check};
    use crate::session::Endpoint;

    /// Adds a client from this port, connected now.
    fn add(bench: &mut Bench, port: u16) -> ClientId {
        let id = bench.server.sessions.next_id();
        let ends = [port, 6379].map(|port| Endpoint::Tcp(([127, 0, 0, 1], port).into()));
        let [peer, local] = ends;
        let now_s = bench.server.now.unix_s();
        bench.server.sessions.insert(Box::new(Session::new(
            id,
            peer,
            local,
            9,
            now_s,
            &bench.session.user,
        )));
        id
    }

    /// The text of a reply that is one bulk string.
    fn text(bench: &mut Bench, words: &[&str]) -> String {
        let reply = String::from_utf8(bench.raw(words)).expect("ASCII");
        let (_, text) = reply.split_once("\r\n").expect("a bulk string");
        text.strip_suffix("\r\n").expect("its end").to_owned()
    }

    fn field<'a>(line: &'a str, name: &str) -> &'a str {
        let mut fields = line.trim_end().split(' ').filter_map(|field| field.split_once('='));
        fields.find(|&(key, _)| key == name).expect("a field").1
    }

    #[test]
    fn a_line_has_the_fields_of_redis_in_order() {
        let mut bench = Bench::new();
        bench.pass(5000);
        bench.check("CLIENT SETNAME me; SELECT 3; CLIENT SETINFO LIB-NAME l", "+OK +OK +OK");
        let line = text(&mut bench, &["CLIENT", "INFO"]);
        let names: Vec<&str> =
            line.trim_end().split(' ').filter_map(|field| Some(field.split_once('=')?.0)).collect();
        let expected = "id addr laddr fd name age idle flags db sub psub ssub multi watch qbuf \
                        qbuf-free argv-mem multi-mem rbs rbp obl oll omem tot-mem events cmd user \
                        redir resp lib-name lib-ver";
        assert_eq!(names.join(" "), expected);
        assert!(line.ends_with(" lib-ver=\n"), "{line}");
        assert!(line.starts_with("id=1 addr=127.0.0.1:6379 laddr=127.0.0.1:6379 fd=8 name=me "));
        for (name, value) in [
            ("age", "5"),
            ("flags", "N"),
            ("db", "3"),
            ("multi", "-1"),
            ("argv-mem", "10"),
            ("events", "r"),
            ("cmd", "client|info"),
            ("user", "default"),
            ("redir", "-1"),
            ("resp", "2"),
            ("lib-name", "l"),
        ] {
            assert_eq!(field(&line, name), value, "{name}");
        }
    }

    #[test]
    fn resp3_marks_the_text_as_such() {
        let mut bench = Bench::new();
        bench.session.output.protocol = Protocol::Resp3;
        let reply = bench.raw(&["CLIENT", "LIST"]);
        assert!(reply.starts_with(b"="));
        assert!(reply.windows(9).any(|window| window == b"\r\ntxt:id="));
    }

    #[test]
    fn all_clients_are_listed_oldest_first_the_asking_one_among_them() {
        let mut bench = Bench::new();
        let second = add(&mut bench, 2);
        add(&mut bench, 3);
        bench.session.id = ClientId(2);
        bench.server.sessions.remove(0).expect("the second client");
        assert_eq!(second, ClientId(2));
        let mut older = Session::new(
            ClientId(1),
            bench.session.peer.clone(),
            bench.session.local.clone(),
            7,
            0,
            &bench.session.user,
        );
        older.name = (*b"older").into();
        bench.server.sessions.insert(Box::new(older));
        let lines = text(&mut bench, &["CLIENT", "LIST"]);
        let ids: Vec<&str> = lines.lines().map(|line| field(line, "id")).collect();
        assert_eq!(ids, ["1", "2", "3"]);
        let lines = text(&mut bench, &["CLIENT", "LIST", "ID", "3", "9", "2", "3", "-1"]);
        let ids: Vec<&str> = lines.lines().map(|line| field(line, "id")).collect();
        assert_eq!(ids, ["3", "2", "3"]);
        assert_eq!(field(&lines, "cmd"), "NULL");
        assert_eq!(field(&lines, "argv-mem"), "0");
    }

    #[test]
    fn one_that_was_killed_is_gone() {
        let mut bench = Bench::new();
        let id = add(&mut bench, 2);
        bench.check("CLIENT KILL ID 2", ":1");
        assert_eq!(text(&mut bench, &["CLIENT", "LIST"]).lines().count(), 1);
        assert_eq!(text(&mut bench, &["CLIENT", "LIST", "ID", &id.0.to_string()]), "");
    }

    #[test]
    fn types_filter() {
        let mut bench = Bench::new();
        add(&mut bench, 2);
        assert_eq!(text(&mut bench, &["CLIENT", "LIST", "TYPE", "Normal"]).lines().count(), 2);
        for class in ["master", "replica", "slave", "PUBSUB"] {
            bench.check(&format!("CLIENT LIST type {class}"), "$");
        }
        bench.check("CLIENT LIST TYPE foo", "-ERR Unknown client type 'foo'");
        bench.check(r#"CLIENT LIST TYPE "fo\x00o""#, "-ERR Unknown client type 'fo'");
    }

    #[test]
    fn what_no_form_of_list_takes() {
        for rest in ["foo", "TYPE", "TYPE normal x", "ID", "TYPE normal ID 1"] {
            check(&format!("CLIENT LIST {rest}"), "-ERR syntax error");
        }
        check("CLIENT LIST ID 1 x", "-ERR Invalid client ID");
        check("CLIENT ID", ":1");
    }

    #[test]
    fn flags_are_letters() {
        let mut bench = Bench::new();
        let mut flags = |set: SessionFlags, closing| {
            bench.session.flags = set;
            bench.session.closing = closing;
            letters(&bench.session, bench.server.keyspace.watched(), &bench.server.tracking)
        };
        assert_eq!(flags(SessionFlags::empty(), Closing::No), "N");
        assert_eq!(flags(SessionFlags::RESUMING, Closing::No), "N");
        assert_eq!(flags(SessionFlags::MONITOR, Closing::No), "O");
        assert_eq!(flags(SessionFlags::PAUSED, Closing::AfterReplies), "bc");
        let rest = SessionFlags::UNIX_SOCKET | SessionFlags::NO_EVICT | SessionFlags::NO_TOUCH;
        assert_eq!(flags(rest, Closing::Now), "AUeT");
    }
}
