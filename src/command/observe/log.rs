//! The logs themselves: the last commands that were slow, or large, or had large replies.

use crate::base::num;
use crate::command::secrets::Secrets;
use crate::config::Config;
use crate::resp::{Args, Output};
use crate::session::Session;
use std::collections::VecDeque;

/// Arguments of a command that are kept; the last of them tells how many more there were.
const ARGS_MAX: usize = 32;
/// Bytes of an argument that are kept.
const ARG_LEN_MAX: usize = 128;

/// What a log is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Commands that ran long; their value is microseconds.
    Slow,
    /// Commands with many bytes; their value is those.
    LargeRequest,
    /// Commands with a long reply; their value is its bytes.
    LargeReply,
}

impl Kind {
    /// All.
    pub const ALL: [Self; 3] = [Self::Slow, Self::LargeRequest, Self::LargeReply];

    /// From which value on a command is logged; `None`: none is.
    pub fn limit(self, config: &Config) -> Option<u64> {
        let limit = match self {
            Self::Slow => config.slowlog_log_slower_than,
            Self::LargeRequest => config.commandlog_request_larger_than,
            Self::LargeReply => config.commandlog_reply_larger_than,
        };
        u64::try_from(limit).ok().filter(|_| self.len_max(config) > 0)
    }

    /// Most entries kept.
    pub fn len_max(self, config: &Config) -> usize {
        num::usize_of(match self {
            Self::Slow => config.slowlog_max_len,
            Self::LargeRequest => config.commandlog_large_request_max_len,
            Self::LargeReply => config.commandlog_large_reply_max_len,
        })
    }
}

/// A command that was logged.
#[derive(Debug)]
pub(super) struct Entry {
    id: u64,
    at_s: i64,
    value: u64,
    args: Vec<Box<[u8]>>,
    peer: String,
    name: Box<[u8]>,
}

impl Entry {
    pub(super) fn new(
        at_s: i64,
        value: u64,
        args: &Args<'_>,
        secrets: Secrets,
        session: &Session,
    ) -> Self {
        let name = session.name.clone();
        Self { id: 0, at_s, value, args: kept(args, secrets), peer: session.peer.to_string(), name }
    }

    pub(super) fn write(&self, out: &mut Output) {
        out.array(6);
        out.integer(num::i64_clamped(self.id));
        out.integer(self.at_s);
        out.integer(num::i64_clamped(self.value));
        out.array(self.args.len());
        for arg in &self.args {
            out.bulk(arg);
        }
        out.text(&self.peer);
        out.bulk(&self.name);
    }
}

/// What is kept of arguments.
fn kept(args: &Args<'_>, secrets: Secrets) -> Vec<Box<[u8]>> {
    let whole = if args.len() > ARGS_MAX { ARGS_MAX - 1 } else { args.len() };
    let mut kept: Vec<Box<[u8]>> = secrets.shown(args).take(whole).map(shortened).collect();
    if whole < args.len() {
        let text = format!("... ({} more arguments)", args.len() - whole);
        kept.push(text.into_bytes().into());
    }
    kept
}

fn shortened(arg: &[u8]) -> Box<[u8]> {
    match arg.split_at_checked(ARG_LEN_MAX) {
        Some((start, rest)) if !rest.is_empty() => {
            [start, format!("... ({} more bytes)", rest.len()).as_bytes()].concat().into()
        }
        Some(_) | None => arg.into(),
    }
}

/// One log, the newest entry first.
#[derive(Debug, Default)]
pub struct CommandLog {
    entries: VecDeque<Entry>,
    next_id: u64,
}

impl CommandLog {
    /// Adds an entry; the oldest go while there are more than `most`.
    pub(super) fn push(&mut self, mut entry: Entry, most: usize) {
        entry.id = self.next_id;
        self.next_id += 1;
        self.entries.push_front(entry);
        self.entries.truncate(most);
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The number of the newest entry ever made; `None` before the first.
    pub fn last_id(&self) -> Option<u64> {
        self.next_id.checked_sub(1)
    }

    /// The value of the newest entry that is still there.
    pub fn last_value(&self) -> Option<u64> {
        self.entries.front().map(|entry| entry.value)
    }

    pub(super) fn clear(&mut self) {
        self.entries.clear();
    }

    pub(super) fn newest(&self, count: usize) -> impl ExactSizeIterator<Item = &Entry> {
        self.entries.iter().take(count)
    }
}

/// The three logs.
#[derive(Debug, Default)]
pub struct CommandLogs {
    slow: CommandLog,
    large_request: CommandLog,
    large_reply: CommandLog,
}

impl CommandLogs {
    /// One of them.
    pub fn of(&self, kind: Kind) -> &CommandLog {
        match kind {
            Kind::Slow => &self.slow,
            Kind::LargeRequest => &self.large_request,
            Kind::LargeReply => &self.large_reply,
        }
    }

    /// As [`CommandLogs::of`], to change it.
    pub fn of_mut(&mut self, kind: Kind) -> &mut CommandLog {
        match kind {
            Kind::Slow => &mut self.slow,
            Kind::LargeRequest => &mut self.large_request,
            Kind::LargeReply => &mut self.large_reply,
        }
    }
}
