//! MONITOR: a client is shown what all clients execute.

use crate::base::quote;
use crate::command::spec::{Flags, Group};
use crate::command::table::CommandId;
use crate::command::{Command, Context, Outcome, Server, Spec};
use crate::resp::Args;
use crate::session::{Closing, Endpoint, ReplyMode, Session, SessionFlags};

/// MONITOR
pub(super) static MONITOR: Command =
    Command { spec: MONITOR_SPEC, handler: Some(monitor), subcommands: &[] };

const MONITOR_SPEC: Spec = Spec {
    name: "monitor",
    summary: "Shows what all clients execute, as it happens.",
    group: Group::Server,
    arity: 1,
    flags: Flags::ADMIN.union(Flags::NOSCRIPT).union(Flags::LOADING).union(Flags::STALE),
    ..Spec::EMPTY
};

/// The places of the clients that look on. Each has [`SessionFlags::MONITOR`], and no other client has.
#[derive(Debug, Default)]
pub struct Monitors(Vec<usize>);

impl Monitors {
    /// Whether nobody looks on.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn monitor(ctx: &mut Context<'_>) -> Outcome {
    let session = &mut *ctx.session;
    if session.flags.contains(SessionFlags::MONITOR) {
        return Ok(()); // without a reply, as in Redis
    }
    session.flags.insert(SessionFlags::MONITOR);
    ctx.server.monitors.0.push(session.index);
    ctx.server.adopt_attention();
    ctx.ok()
}

impl Server {
    /// Shows a client nothing more, if it looked on.
    pub fn end_monitor(&mut self, session: &mut Session) {
        if session.flags.contains(SessionFlags::MONITOR) {
            session.flags.remove(SessionFlags::MONITOR);
            self.monitors.0.retain(|&index| index != session.index);
            self.adopt_attention();
        }
    }
}

/// Shows a command to all who look on, the client that executed it among them.
#[cold]
pub(super) fn show(server: &mut Server, session: &mut Session, id: CommandId, args: &Args<'_>) {
    let spec = &server.commands.get(id).command.spec;
    let is_hidden = spec.flags.intersects(Flags::SKIP_MONITOR | Flags::ADMIN);
    if is_hidden || server.persistence.loading.is_some() {
        return;
    }
    let words = spec.secrets.shown(args);
    show_line(server, session, words);
}

/// Shows words to all who look on.
pub(super) fn show_line<'w>(
    server: &mut Server,
    session: &mut Session,
    words: impl Iterator<Item = &'w [u8]>,
) {
    let mut line = Vec::new();
    write_head(server.now.unix_us, session, &mut line);
    for arg in words {
        line.push(b' ');
        quote::write_quoted(arg, &mut line);
    }
    line.extend_from_slice(b"\r\n");
    if session.flags.contains(SessionFlags::MONITOR) {
        send(server, session, &line);
    }
    for at in 0..server.monitors.0.len() {
        let index = server.monitors.0[at];
        // The one being served is not in its place.
        if let Some(mut other) = server.sessions.take(index) {
            send(server, &mut other, &line);
            server.sessions.put(other);
        }
    }
}

/// `+seconds.micros [db address]`
fn write_head(unix_us: i64, session: &Session, line: &mut Vec<u8>) {
    let (seconds, micros) = (unix_us / 1_000_000, unix_us % 1_000_000);
    let head = match &session.peer {
        _ if session.flags.contains(SessionFlags::SCRIPT) => {
            format!("+{seconds}.{micros:06} [{} lua]", session.db)
        }
        Endpoint::Tcp(address) => format!("+{seconds}.{micros:06} [{} {address}]", session.db),
        Endpoint::Unix(path) => format!("+{seconds}.{micros:06} [{} unix:{path}]", session.db),
    };
    line.extend_from_slice(head.as_bytes());
}

fn send(server: &mut Server, session: &mut Session, line: &[u8]) {
    if session.closing != Closing::No || session.reply_mode == ReplyMode::Off {
        return;
    }
    server.lend_buffer(session);
    session.output.raw(line);
    server.queue_write(session);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::testing::Bench;

    /// Adds a client that looks on; its place.
    fn look_on(bench: &mut Bench) -> usize {
        let end = Endpoint::Unix("/s".into());
        let id = bench.server.sessions.next_id();
        let index = bench.server.sessions.insert(Box::new(Session::new(
            id,
            end.clone(),
            end,
            9,
            0,
            &bench.session.user,
        )));
        let mut other = bench.server.sessions.take(index).expect("it was put there");
        std::mem::swap(&mut bench.session, &mut other);
        bench.session.trust = other.trust;
        bench.check("MONITOR", "+OK");
        std::mem::swap(&mut bench.session, &mut other);
        bench.server.sessions.put(other);
        bench.server.now.unix_us = 1_000_000_000_042;
        index
    }

    /// What a client was shown, without the times.
    fn shown(bench: &mut Bench, index: usize) -> String {
        let session = bench.server.sessions.get_mut(index).expect("it is there");
        let bytes: Vec<u8> = session.output.pieces().flatten().copied().collect();
        session.output.advance(bytes.len());
        let text = String::from_utf8(bytes).expect("ASCII");
        text.replace("+1000000.000042 ", "").replace("\r\n", ";")
    }

    #[test]
    fn commands_are_shown_as_they_are_executed() {
        let mut bench = Bench::new();
        let index = look_on(&mut bench);
        bench.run(r#"SELECT 3; set "a\x00b\r\n\"" ""; GET; NOSUCH x; CONFIG GET hz"#);
        assert_eq!(
            shown(&mut bench, index),
            r#"[3 127.0.0.1:6379] "SELECT" "3";[3 127.0.0.1:6379] "set" "a\x00b\r\n\"" "";"#
        );
    }

    #[test]
    fn secrets_are_not_shown() {
        let mut bench = Bench::new();
        let index = look_on(&mut bench);
        bench.run("AUTH x; HELLO 2 AUTH u p SETNAME n; CONFIG SET requirepass x");
        assert_eq!(
            shown(&mut bench, index),
            "[0 127.0.0.1:6379] \"AUTH\" \"(redacted)\";[0 127.0.0.1:6379] \"HELLO\" \"2\" \"AUTH\" \
             \"(redacted)\" \"(redacted)\" \"SETNAME\" \"n\";"
        );
    }

    #[test]
    fn who_looks_on_sees_itself_and_may_not_touch_data() {
        let mut bench = Bench::new();
        bench.check("MONITOR", "+OK");
        bench.check("PING; MONITOR", "+PONG +1000000.000000 [0 127.0.0.1:6379] \"PING\"");
        let refused = "-ERR Replica can't interact with the keyspace";
        bench.check("GET k; SET k v", &format!("{refused} {refused}"));
        assert_eq!(bench.server.attention.nanos, 0);
        bench.check("RESET; GET k", "+RESET $_");
        assert!(bench.server.monitors.is_empty());
        assert_eq!(bench.server.attention.nanos, super::super::SLOW_NS);
    }
}
