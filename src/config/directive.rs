//! What one row of the table says, and the only ways to read and write the value behind it.

use bitflags::bitflags;

use super::Config;
use super::kind::{Arity, Defaults, Effect, Kind, Line, Source};
use super::reason::Reason;

/// One directive. The rows are in `table/`.
pub struct Directive {
    /// Its name in files, on the command line and in CONFIG.
    pub name: &'static str,
    /// Older names, which work everywhere the name does.
    pub aliases: &'static [&'static str],
    /// Its chapter in `redis.conf`.
    pub group: Group,
    /// What it does, line by line.
    pub doc: &'static [&'static str],
    /// Whether CONFIG SET may change it, and what a change sets off.
    pub change: Change,
    /// Whether this version acts on it.
    pub status: Status,
    /// What else is special about it.
    pub traits: Traits,
    /// Its line in `redis.conf`.
    pub(super) sample: Sample,
    pub(super) row: &'static dyn Row,
}

/// The line `redis.conf` has about a directive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sample {
    /// One that sets the default value, if there is one.
    Default,
    /// This one, within a comment.
    Example(&'static str),
    /// This one.
    Setting(&'static str),
}

/// When a directive can change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Only at start.
    Fixed,
    /// At any time; whoever uses the value reads it anew each time.
    Free,
    /// At any time, and then something has to be done about it.
    Then(Trigger),
}

/// What the caller of CONFIG SET has to do after a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// Listen on the new port and addresses, and no longer on the old ones.
    ListenPorts,
    /// Make room for more connections, or refuse if the operating system does not allow it.
    MaxClients,
    /// Filter the log by the new level.
    LogLevel,
    /// Print log lines in the new shape.
    LogFormat,
    /// Set the period of the timer anew.
    Hz,
    /// Tell the kernel the new out-of-memory score.
    OomScore,
    /// Set the title of the process.
    ProcTitle,
    /// Change the working directory, or refuse if there is none of that name.
    Directory,
    /// Give the default user the new password, or none.
    RequirePass,
    /// Begin or end to log changes.
    AppendOnly,
    /// Log changes the new way.
    AppendSync,
    /// Install or remove the handlers that write a crash report.
    CrashLog,
    /// Report turns of the reactor that take longer, or none.
    Watchdog,
    /// Start or stop the allocator's background thread.
    AllocatorThread,
    /// Evict keys if more memory is in use than the new limit.
    MemoryLimit,
    /// Begin or end to move values together in memory.
    Defragmentation,
    /// Disconnect clients that take more memory together than the new limit.
    ClientMemoryLimit,
    /// Judge replicas, and keep what is sent to them, the new way.
    Replicas,
    /// Forget keys that clients track if there are more than the new limit.
    TrackingLimit,
    /// Read certificates and keys, and use them for connections from now on.
    Tls,
}

/// Whether a directive does anything in this version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Yes.
    Live,
    /// No, nor will it: the reason, as the end of a sentence that begins with "because".
    NoEffect(&'static str),
    /// Not before the server can do what it is about. The value is kept and printed.
    Later(Capability),
}

/// What this version cannot do yet. A value of a directive about it is kept, and said to be idle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capability {
    /// Append-only file.
    AppendOnlyFile,
    /// Cluster.
    Cluster,
    /// Modules.
    Modules,
    /// Scripts and functions.
    Scripting,
    /// Sets.
    Sets,
    /// RDB snapshots, DUMP and RESTORE.
    Snapshots,
    /// SORT.
    Sorting,
}

impl Capability {
    /// Its name within a sentence.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Capability::AppendOnlyFile => "the append-only file",
            Capability::Cluster => "cluster mode",
            Capability::Modules => "modules",
            Capability::Scripting => "scripting",
            Capability::Sets => "sets",
            Capability::Snapshots => "snapshots",
            Capability::Sorting => "SORT",
        }
    }
}

bitflags! {
    /// What is special about a directive.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Traits: u8 {
        /// CONFIG GET shows it only when asked by its full name.
        const HIDDEN = 1 << 0;
        /// CONFIG SET needs `enable-protected-configs`.
        const PROTECTED = 1 << 1;
        /// Never to be seen in logs, the slow log or MONITOR.
        const SECRET = 1 << 2;
        /// CONFIG SET refuses it while the data set is loading.
        const NOT_WHILE_LOADING = 1 << 3;
        /// For files and the command line; CONFIG does not know it.
        const FILE_ONLY = 1 << 4;
        /// It names something outside, which may have changed: CONFIG SET to the same value counts as a
        /// change.
        const VOLATILE = 1 << 5;
    }
}

/// A chapter of `redis.conf`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Other files.
    Files,
    /// Sockets.
    Network,
    /// The process.
    Process,
    /// The log.
    Log,
    /// Passwords, users, dangerous commands.
    Security,
    /// Connections and their buffers.
    Clients,
    /// Memory.
    Memory,
    /// Databases, expiry, background work.
    Keyspace,
    /// Encodings of values.
    Encodings,
    /// Keyspace events.
    Events,
    /// Slow log, latency.
    Observability,
    /// RDB.
    Snapshots,
    /// AOF.
    AppendOnlyFile,
    /// Replication.
    Replication,
    /// Cluster.
    Cluster,
    /// TLS.
    Tls,
    /// Scripts and modules.
    Extensions,
    /// For tests of the server.
    Testing,
}

impl Group {
    /// Every chapter, in the order of `redis.conf`.
    pub const ALL: [Group; 18] = [
        Group::Files,
        Group::Network,
        Group::Process,
        Group::Log,
        Group::Security,
        Group::Clients,
        Group::Memory,
        Group::Keyspace,
        Group::Encodings,
        Group::Events,
        Group::Observability,
        Group::Snapshots,
        Group::AppendOnlyFile,
        Group::Replication,
        Group::Cluster,
        Group::Tls,
        Group::Extensions,
        Group::Testing,
    ];

    /// The heading.
    #[must_use]
    pub const fn heading(self) -> &'static str {
        match self {
            Group::Files => "Other files",
            Group::Network => "Network",
            Group::Process => "Process",
            Group::Log => "Log",
            Group::Security => "Security",
            Group::Clients => "Clients",
            Group::Memory => "Memory",
            Group::Keyspace => "Databases and background work",
            Group::Encodings => "Encodings of values",
            Group::Events => "Keyspace notifications",
            Group::Observability => "Slow log and latency",
            Group::Snapshots => "Snapshots (RDB)",
            Group::AppendOnlyFile => "Append-only file (AOF)",
            Group::Replication => "Replication",
            Group::Cluster => "Cluster",
            Group::Tls => "TLS",
            Group::Extensions => "Scripts and modules",
            Group::Testing => "Testing and diagnosis",
        }
    }
}

/// The value behind a directive, whatever its type.
pub(super) trait Row: Sync {
    fn arity(&self) -> Arity;
    fn set(
        &self,
        config: &mut Config,
        args: &[&[u8]],
        source: Source<'_>,
    ) -> Result<Effect, Reason>;
    fn print(&self, config: &Config, out: &mut Vec<u8>);
    fn is_default(&self, config: &Config) -> bool;
    fn lines(&self, name: &str, config: &Config, defaults: Defaults, out: &mut Vec<Line>);
    fn accepts(&self) -> Option<String>;
}

/// A field of [`Config`] with its kind and default.
pub(super) struct Field<K: Kind> {
    pub(super) kind: K,
    pub(super) get: fn(&Config) -> &K::Value,
    pub(super) get_mut: fn(&mut Config) -> &mut K::Value,
    pub(super) default: fn() -> K::Value,
}

impl<K: Kind> Row for Field<K> {
    fn arity(&self) -> Arity {
        self.kind.arity()
    }

    fn set(
        &self,
        config: &mut Config,
        args: &[&[u8]],
        source: Source<'_>,
    ) -> Result<Effect, Reason> {
        self.kind.set((self.get_mut)(config), args, source)
    }

    fn print(&self, config: &Config, out: &mut Vec<u8>) {
        self.kind.print((self.get)(config), out);
    }

    fn is_default(&self, config: &Config) -> bool {
        *(self.get)(config) == (self.default)()
    }

    fn lines(&self, name: &str, config: &Config, defaults: Defaults, out: &mut Vec<Line>) {
        let start = out.len();
        self.kind.lines(name, (self.get)(config), &(self.default)(), out);
        match defaults {
            Defaults::Omitted => {}
            Defaults::Written => out[start..].iter_mut().for_each(Line::require),
        }
    }

    fn accepts(&self) -> Option<String> {
        self.kind.accepts()
    }
}

impl Directive {
    /// Its name and its aliases.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.name).chain(self.aliases.iter().copied())
    }

    /// The value, as CONFIG GET prints it.
    #[must_use]
    pub fn value(&self, config: &Config) -> Vec<u8> {
        let mut value = Vec::new();
        self.row.print(config, &mut value);
        value
    }

    /// Whether the value is what it is when nobody sets it.
    #[must_use]
    pub fn is_default(&self, config: &Config) -> bool {
        self.row.is_default(config)
    }

    /// What values it takes, for people: `0 to 65535`. `None` for `yes` or `no` and for any text.
    #[must_use]
    pub fn accepts(&self) -> Option<String> {
        self.row.accepts()
    }

    /// Whether CONFIG may show it in answer to a pattern.
    #[must_use]
    pub(super) fn is_listed(&self) -> bool {
        !self.traits.intersects(Traits::HIDDEN | Traits::FILE_ONLY)
    }

    /// What the log should say about a value that does nothing, if it is not the default.
    #[must_use]
    pub fn note(&self, config: &Config) -> Option<String> {
        if self.is_default(config) {
            return None;
        }
        let name = self.name;
        match self.status {
            Status::Live => None,
            Status::NoEffect(why) => Some(format!("{name} has no effect here, because {why}")),
            Status::Later(capability) => Some(format!(
                "{name} has no effect in this version, which is without {}",
                capability.name()
            )),
        }
    }

    /// CONFIG SET: one argument, which some directives split at its spaces.
    pub(super) fn set_from_config_set(
        &self,
        config: &mut Config,
        value: &[u8],
    ) -> Result<Effect, Reason> {
        match self.row.arity() {
            Arity::One => self.row.set(config, &[value], Source::ConfigSet),
            Arity::Many => self.row.set(config, &words(value), Source::ConfigSet),
        }
    }

    /// A line of a file or an option of the command line, already split. A single argument of a
    /// directive that takes several is split again, which lets one quote them together.
    pub(super) fn set_from_line(
        &self,
        config: &mut Config,
        args: &[&[u8]],
        source: Source<'_>,
    ) -> Result<(), Reason> {
        match (self.row.arity(), args) {
            (Arity::Many, &[only]) if !self.traits.contains(Traits::FILE_ONLY) => {
                self.row.set(config, &words(only), source)
            }
            (Arity::Many | Arity::One, args) => self.row.set(config, args, source),
        }
        .map(|_| ())
    }
}

/// Splits at every single space; nothing gives no words.
fn words(text: &[u8]) -> Vec<&[u8]> {
    if text.is_empty() { Vec::new() } else { text.split(|&byte| byte == b' ').collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_spaces_hold_an_empty_word_between_them() {
        assert_eq!(words(b"a  b"), [&b"a"[..], b"", b"b"]);
        assert!(words(b"").is_empty());
    }

    #[test]
    fn every_group_is_listed_once() {
        for (index, group) in Group::ALL.iter().enumerate() {
            assert!(!Group::ALL[..index].contains(group), "{}", group.heading());
        }
    }
}
