//! REPLCONF: what a replica says about itself, and how far it is.

use crate::base::{num, quote};
use crate::command::error::printed;
use crate::command::server::Server;
use crate::command::spec::{Flags, Group};
use crate::command::{Command, Context, Error, Outcome, Spec};
use crate::repl::{Announcement, Capabilities, Stage};
use crate::session::{Session, SessionFlags};

/// REPLCONF option value [option value ...]
pub(super) static REPLCONF: Command =
    Command { spec: REPLCONF_SPEC, handler: Some(replconf), subcommands: &[] };

const REPLCONF_SPEC: Spec = Spec {
    name: "replconf",
    summary: "Tells a primary about its replica, and how far it is.",
    complexity: "O(1)",
    since: "3.0.0",
    group: Group::Server,
    arity: -1,
    flags: Flags::ADMIN
        .union(Flags::NOSCRIPT)
        .union(Flags::LOADING)
        .union(Flags::STALE)
        .union(Flags::ALLOW_BUSY),
    ..Spec::EMPTY
};

/// Longest address, bytes.
const ADDRESS_LEN_MAX: usize = 255;

fn replconf(ctx: &mut Context<'_>) -> Outcome {
    if ctx.args.len().is_multiple_of(2) {
        return Err(Error::SYNTAX);
    }
    for at in (1..ctx.args.len()).step_by(2) {
        if ctx.is_word(at, "ack") {
            acknowledge(ctx, at);
            return Ok(());
        }
        if ctx.is_word(at, "getack") {
            return Ok(()); // a primary asks its replica on the link, not here
        }
        announce(ctx, at)?;
    }
    ctx.ok()
}

fn announce(ctx: &mut Context<'_>, at: usize) -> Outcome {
    let value = ctx.args.at(at + 1);
    if ctx.is_word(at, "listening-port") {
        let port = ctx.integer(at + 1)?;
        announcement(ctx.session).port = u16::try_from(port).unwrap_or(0);
    } else if ctx.is_word(at, "ip-address") {
        if value.len() > ADDRESS_LEN_MAX {
            let len = value.len();
            return Err(Error::new(format!(
                "ERR REPLCONF ip-address provided by replica instance is too long: {len} bytes"
            )));
        }
        announcement(ctx.session).address = value.into();
    } else if ctx.is_word(at, "capa") {
        if ctx.is_word(at + 1, "eof") {
            announcement(ctx.session).capabilities |= Capabilities::EOF;
        } else if ctx.is_word(at + 1, "psync2") {
            announcement(ctx.session).capabilities |= Capabilities::PSYNC2;
        }
    } else if ctx.is_word(at, "rdb-only") {
        let is_wanted = match ctx.integer(at + 1)? {
            0 => false,
            1 => true,
            _ => return Err(Error::fixed("ERR value is out of range, value must between 0 and 1")),
        };
        announcement(ctx.session).capabilities.set(Capabilities::SNAPSHOT_ONLY, is_wanted);
    } else if ctx.is_word(at, "rdb-filter-only") {
        filter(ctx.session, value)?;
    } else if !ctx.is_word(at, "version") {
        let option = printed(ctx.args.at(at));
        return Err(Error::new(
            [b"ERR Unrecognized REPLCONF option: ".as_slice(), option].concat(),
        ));
    }
    Ok(())
}

/// Leaves out of the snapshot what is not named.
fn filter(session: &mut Session, value: &[u8]) -> Outcome {
    const MALFORMED: Error = Error::fixed("ERR Missing rdb-filter-only values");
    let words = quote::split_args(value).map_err(|_| MALFORMED)?;
    let capabilities = &mut announcement(session).capabilities;
    *capabilities |= Capabilities::NO_KEYS | Capabilities::NO_FUNCTIONS;
    for word in words.iter() {
        if !word.eq_ignore_ascii_case(b"functions") {
            let text = [b"ERR Unsupported rdb-filter-only option: ".as_slice(), printed(word)];
            return Err(Error::new(text.concat()));
        }
        *capabilities -= Capabilities::NO_FUNCTIONS;
    }
    Ok(())
}

fn announcement(session: &mut Session) -> &mut Announcement {
    session.announced.get_or_insert_default()
}

/// A replica says how far it is. There is no reply, nor one to somebody who is no replica.
fn acknowledge(ctx: &mut Context<'_>, at: usize) {
    if !ctx.session.flags.contains(SessionFlags::REPLICA) {
        return;
    }
    let number =
        |at| ctx.args.get(at).and_then(num::parse_i64).map(|n| u64::try_from(n).unwrap_or(0));
    let Some(offset) = number(at + 1) else { return };
    let on_disk = if ctx.is_word(at + 2, "fack") { number(at + 3) } else { None };
    if ctx.server.acknowledged(ctx.session.index, offset, on_disk) == Begins::Now {
        ctx.server.log_online(ctx.session);
        ctx.server.queue_write(ctx.session); // the stream has grown meanwhile
    }
}

/// Whether a replica is sent the stream from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Begins {
    Now,
    Before,
}

impl Server {
    fn acknowledged(&mut self, place: usize, offset: u64, on_disk: Option<u64>) -> Begins {
        let now_ms = self.now.mono_ms();
        let Some(replica) = self.replication.replicas.get_mut(place) else { return Begins::Before };
        replica.acknowledged = replica.acknowledged.max(offset);
        replica.on_disk = replica.on_disk.max(on_disk.unwrap_or(0));
        replica.acknowledged_at_ms = now_ms;
        let begins = replica.starts_with_ack && replica.stage == Stage::Online;
        if begins {
            replica.starts_with_ack = false;
        }
        self.replication.has_news = true;
        self.judge_replicas();
        if begins { Begins::Now } else { Begins::Before }
    }
}
