//! Seeing what clients do: logs of slow and of large commands, MONITOR, and HOTKEYS.
//!
//! Most commands are of no interest to anybody. What may be of interest is told from three numbers that
//! are at hand after each command ([`Attention`]); only then is it looked at closely.

pub mod commandlog;
mod hotkeys;
mod log;
mod monitor;

use super::dispatch;
use super::persist::Conditions;
use super::spec::Flags;
use super::table::CommandId;
use super::{Command, Error, Outcome, Server};
use crate::base::num;
use crate::config::Config;
use crate::resp::{Args, Checkpoint, Output};
use crate::session::{Session, SessionFlags};
pub use hotkeys::Hotkeys;
pub use log::{CommandLogs, Kind};
pub use monitor::Monitors;

/// The commands of this family.
pub static COMMANDS: &[&Command] =
    &[&commandlog::COMMANDLOG, &hotkeys::HOTKEYS, &monitor::MONITOR, &commandlog::SLOWLOG];

/// Commands slower than this bring the turn's clock forward, nanoseconds.
const SLOW_NS: u64 = 1_000_000;
/// More than RESP adds to an argument or a command, bytes.
const HEAD_LEN_MAX: usize = 16;

/// From when on a command is looked at closely. A command below all three limits is of no interest;
/// one above may be.
#[derive(Clone, Copy, Debug)]
pub struct Attention {
    nanos: u64,
    /// From when on the log of slow commands is for them.
    logged_nanos: u64,
    request_bytes: usize,
    reply_bytes: usize,
}

/// Which commands are of interest, apart from those that the logs are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interest {
    /// Slow ones.
    Slow,
    /// All.
    All,
}

impl Attention {
    /// What a configuration is interested in.
    pub fn of(config: &Config, interest: Interest) -> Self {
        let slow_ns = Kind::Slow.limit(config).map_or(u64::MAX, |micros| micros * 1000);
        let bytes = |kind: Kind| kind.limit(config).map_or(usize::MAX, num::usize_of);
        Self {
            nanos: match interest {
                Interest::Slow => slow_ns.min(SLOW_NS),
                Interest::All => 0,
            },
            logged_nanos: slow_ns,
            request_bytes: bytes(Kind::LargeRequest),
            reply_bytes: bytes(Kind::LargeReply),
        }
    }

    /// Whether a command may be of interest.
    #[inline]
    pub fn is_drawn(self, nanos: u64, args: &Args<'_>, output: &Output) -> bool {
        // No branch but the caller's.
        (nanos >= self.nanos) | self.is_long(args, output)
    }

    /// Whether one may be for a log.
    fn is_logged(self, seen: &Seen<'_>, output: &Output) -> bool {
        seen.nanos >= self.logged_nanos || self.is_long(&seen.args, output)
    }

    #[inline]
    fn is_long(self, args: &Args<'_>, output: &Output) -> bool {
        (output.pending_bytes() >= self.reply_bytes)
            | (args.wire_len_max(HEAD_LEN_MAX) >= self.request_bytes)
    }
}

/// A command that was executed.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// Its arguments.
    pub args: Args<'a>,
    /// The command.
    pub id: CommandId,
    /// How long it took.
    pub nanos: u64,
    /// Where its reply begins.
    pub reply: Checkpoint,
    /// How often it was executed.
    pub attempt: Attempt,
}

/// Whether a command was executed before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// It was not.
    First,
    /// It was, and its client has waited since.
    Again,
}

/// Whether a client that looks on may execute a command with these flags: none that has to do with
/// data. Called while somebody looks on.
///
/// # Errors
/// It may not.
pub fn check(session: &Session, flags: Flags) -> Outcome {
    const REFUSED: Error = Error::fixed("ERR Replica can't interact with the keyspace");
    let touches_data = flags.intersects(Flags::READONLY | Flags::WRITE | Flags::MAY_REPLICATE);
    if touches_data && session.flags.contains(SessionFlags::MONITOR) {
        return Err(REFUSED);
    }
    Ok(())
}

/// Looks closely at a command that drew attention.
#[cold]
pub fn look_closer(server: &mut Server, session: &mut Session, seen: &Seen<'_>) {
    let spec = &server.commands.get(seen.id).command.spec;
    let is_skipped = spec.flags.contains(Flags::SKIP_SLOWLOG);
    if !is_skipped && server.attention.is_logged(seen, &session.output) {
        log_command(server, session, seen);
    }
    if server.hotkeys.is_tracking() {
        hotkeys::note(server, session, seen);
    }
    if seen.attempt == Attempt::First {
        show(server, session, seen.id, &seen.args);
    }
    if seen.nanos > SLOW_NS {
        dispatch::note_latency(server, seen.id, seen.nanos);
        // For the commands of a transaction it is one moment.
        if !session.flags.contains(SessionFlags::DENY_BLOCKING) {
            let now = server.now.later(seen.nanos);
            server.set_now(now);
        }
    }
}

fn log_command(server: &mut Server, session: &Session, seen: &Seen<'_>) {
    for kind in Kind::ALL {
        let Some(limit) = kind.limit(&server.config) else { continue };
        let value = match kind {
            Kind::Slow => seen.nanos / 1000,
            Kind::LargeRequest => num::u64_of(seen.args.wire_len()),
            Kind::LargeReply => num::u64_of(session.output.bytes_since(seen.reply)),
        };
        if value >= limit {
            let secrets = server.commands.get(seen.id).command.spec.secrets;
            let entry = log::Entry::new(server.now.unix_s(), value, &seen.args, secrets, session);
            let most = kind.len_max(&server.config);
            server.command_logs.of_mut(kind).push(entry, most);
        }
    }
}

/// Shows a command to the monitors. To be called for one that makes its client wait; for others
/// [`look_closer`] does it.
pub fn show(server: &mut Server, session: &mut Session, id: CommandId, args: &Args<'_>) {
    if !server.monitors.is_empty() {
        monitor::show(server, session, id, args);
    }
}

/// Shows a command that runs a script to the monitors, in front of the commands that the script calls.
pub fn show_script(server: &mut Server, session: &mut Session, args: &Args<'_>) {
    if !server.monitors.is_empty() {
        monitor::show_line(server, session, args.from(0));
    }
}

impl Server {
    /// Follows a changed configuration, or a change of who looks on.
    pub fn adopt_attention(&mut self) {
        let is_all = !self.monitors.is_empty() || self.hotkeys.is_tracking();
        let interest = if is_all { Interest::All } else { Interest::Slow };
        self.attention = Attention::of(&self.config, interest);
        self.conditions.set(Conditions::MONITORED, !self.monitors.is_empty());
    }
}
