//! What was refused to whom, for ACL LOG.

use std::collections::VecDeque;

/// Refusals of the same kind within this time are one entry, milliseconds.
const GROUPED_WITHIN_MS: i64 = 60_000;
/// How many of the latest entries a refusal may join.
const GROUPED_AMONG: usize = 10;
/// How much of a name is kept, bytes: a key may have half a gigabyte.
const NAME_BYTES_MAX: usize = 4096;

/// What was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// A command.
    Command,
    /// A key.
    Key,
    /// A login.
    Auth,
    /// A channel.
    Channel,
    /// A database.
    Database,
    /// A certificate that names no user.
    TlsCertificate,
}

impl Reason {
    /// Its name in ACL LOG.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Key => "key",
            Self::Auth => "auth",
            Self::Channel => "channel",
            Self::Database => "database",
            Self::TlsCertificate => "tls-cert",
        }
    }
}

/// What the client was doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Context {
    /// It sent the command.
    Toplevel,
    /// The command is part of a transaction.
    Multi,
    /// A script ran the command.
    Lua,
}

impl Context {
    /// Its name in ACL LOG.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Toplevel => "toplevel",
            Self::Multi => "multi",
            Self::Lua => "lua",
        }
    }
}

/// A refusal to be noted.
#[derive(Clone, Copy, Debug)]
pub struct Refusal<'a> {
    /// What was refused.
    pub reason: Reason,
    /// What the client was doing.
    pub context: Context,
    /// The name of the command, key, channel or database.
    pub object: &'a [u8],
    /// The user, or who the client said it is.
    pub username: &'a [u8],
}

/// One entry: refusals of one kind.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its number, from 0 on.
    pub id: u64,
    /// How many refusals.
    pub count: u64,
    /// What was refused.
    pub reason: Reason,
    /// What the client was doing.
    pub context: Context,
    /// The name of what was refused.
    pub object: Box<[u8]>,
    /// The user.
    pub username: Box<[u8]>,
    /// The line of CLIENT LIST about the client that was refused last.
    pub client: Box<[u8]>,
    /// When the first was, Unix milliseconds.
    pub created_ms: i64,
    /// When the last was, Unix milliseconds.
    pub updated_ms: i64,
}

impl Entry {
    fn is_like(&self, refusal: &Refusal<'_>, now_ms: i64) -> bool {
        self.reason == refusal.reason
            && self.context == refusal.context
            && now_ms - self.updated_ms <= GROUPED_WITHIN_MS
            && *self.object == *refusal.object
            && *self.username == *refusal.username
    }
}

/// The log, latest first.
#[derive(Clone, Debug, Default)]
pub struct Log {
    entries: VecDeque<Entry>,
    next_id: u64,
}

impl Log {
    /// Notes a refusal; at most `len_max` entries are kept. `client` is asked for the client's line.
    pub fn note(
        &mut self,
        mut refusal: Refusal<'_>,
        client: Box<[u8]>,
        now_ms: i64,
        len_max: usize,
    ) {
        let cut = |name: &[u8]| name.len().min(NAME_BYTES_MAX);
        refusal.object = &refusal.object[..cut(refusal.object)];
        refusal.username = &refusal.username[..cut(refusal.username)];
        let known = self.entries.iter().take(GROUPED_AMONG);
        let known = known.enumerate().find(|(_, entry)| entry.is_like(&refusal, now_ms));
        let entry = match known.map(|(index, _)| index).and_then(|at| self.entries.remove(at)) {
            Some(entry) => Entry { count: entry.count + 1, client, updated_ms: now_ms, ..entry },
            None => {
                self.next_id += 1;
                Entry {
                    id: self.next_id - 1,
                    count: 1,
                    reason: refusal.reason,
                    context: refusal.context,
                    object: refusal.object.into(),
                    username: refusal.username.into(),
                    client,
                    created_ms: now_ms,
                    updated_ms: now_ms,
                }
            }
        };
        self.entries.push_front(entry);
        self.entries.truncate(len_max);
    }

    /// The entries, latest first.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Entry> {
        self.entries.iter()
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.entries.clear();
    }
}
