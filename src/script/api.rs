//! What a running script may ask of the server.

use super::debug::{Answer, Remark, Request};
use crate::resp::{Args, Output, Protocol};

/// What became of a command that a script called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Called {
    /// It was executed.
    Executed,
    /// It was not, and the reply says why. That was counted, as any error of a command is.
    Refused,
}

/// Whether a script goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interrupt {
    /// It does.
    GoOn,
    /// It was killed.
    Killed,
}

/// Who repeats what a script changes from now on: bits as `redis.set_repl` takes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replication(pub u8);

impl Replication {
    /// The append-only file.
    pub const LOG: u8 = 1;
    /// Replicas.
    pub const REPLICAS: u8 = 2;
    /// Everybody.
    pub const ALL: Self = Self(Self::LOG | Self::REPLICAS);
}

/// How loud a line of the log is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// `redis.LOG_DEBUG`
    Debug,
    /// `redis.LOG_VERBOSE`
    Verbose,
    /// `redis.LOG_NOTICE`
    Notice,
    /// `redis.LOG_WARNING`
    Warning,
}

/// The server as a running script sees it.
///
/// Scripts are left by long jumps, which run no destructors: none of these may call back into Lua.
pub trait Api {
    /// Executes a command.
    fn call(&mut self, args: Args<'_>) -> Called;
    /// The reply to the last command, as RESP.
    fn reply(&self) -> &[u8];
    /// Chooses the protocol of the replies to come.
    fn set_protocol(&mut self, protocol: Protocol);
    /// Chooses who repeats changes.
    fn set_replication(&mut self, replication: Replication);
    /// Writes a line to the log.
    fn log(&mut self, level: Level, text: &[u8]);
    /// Whether the user may execute a command; `None` if there is no such command.
    fn may_execute(&mut self, args: Args<'_>) -> Option<bool>;
    /// Called every now and then.
    fn interrupt(&mut self) -> Interrupt;
    /// What a script that is debugged is to do next.
    fn debug(&mut self, _answer: Answer) -> Request {
        Request::GoOn
    }
    /// Takes a remark of a script's; whether somebody debugs it.
    fn note_remark(&mut self, _remark: Remark<'_>) -> bool {
        false
    }
    /// Where the reply to the client goes.
    fn output(&mut self) -> &mut Output;
}
