//! The types of directives that are more than a number, a word or a switch.

use std::ffi::OsStr;
use std::fmt;
use std::ops::Deref;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bitflags::bitflags;

/// A string as the configuration holds it: any bytes, usually UTF-8. Empty also means "not set".
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Text(Box<[u8]>);

impl Text {
    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The same bytes as a path.
    #[must_use]
    pub fn as_path(&self) -> &Path {
        Path::new(OsStr::from_bytes(&self.0))
    }
}

impl Deref for Text {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl AsRef<[u8]> for Text {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Text {
        Text(text.as_bytes().into())
    }
}

impl From<&[u8]> for Text {
    fn from(text: &[u8]) -> Text {
        Text(text.into())
    }
}

impl From<&Path> for Text {
    fn from(path: &Path) -> Text {
        Text(path.as_os_str().as_bytes().into())
    }
}

/// For messages: bytes that are not UTF-8 show as the replacement character.
impl fmt::Display for Text {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&String::from_utf8_lossy(&self.0))
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:?}", String::from_utf8_lossy(&self.0))
    }
}

/// Where the text of a line was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A file, by the path that was opened.
    File(Arc<PathBuf>),
    /// Standard input.
    Stdin,
    /// The arguments of the process.
    CommandLine,
}

/// One line of configuration, kept so that a value that turns out not to work, long after it was
/// read, can still be shown to the user where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// What the line is part of.
    pub place: Place,
    /// Counted from 1; on the command line, the number of the option.
    pub line: usize,
    /// The line without surrounding blanks.
    pub text: Text,
}

/// What to do when an address of `bind` does not exist on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absence {
    /// Fail to start.
    Fatal,
    /// Go on without it: the address is written with a `-` in front.
    Tolerated,
}

/// One address of `bind`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BindAddress {
    /// An IPv4 or IPv6 address or a host name; `*` and `::*` are all IPv4 and all IPv6 addresses.
    pub host: Text,
    /// Whether the server can do without it.
    pub absence: Absence,
}

impl BindAddress {
    pub(super) fn parse(text: &[u8]) -> BindAddress {
        match text {
            [b'-', host @ ..] => {
                BindAddress { host: Text::from(host), absence: Absence::Tolerated }
            }
            host => BindAddress { host: Text::from(host), absence: Absence::Fatal },
        }
    }

    pub(super) fn print(&self, out: &mut Vec<u8>) {
        match self.absence {
            Absence::Fatal => {}
            Absence::Tolerated => out.push(b'-'),
        }
        out.extend_from_slice(&self.host);
    }
}

/// A snapshot is due `seconds` after the last one if at least `changes` keys changed since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SavePoint {
    /// At least 1.
    pub seconds: u64,
    /// Number of changes.
    pub changes: u32,
}

/// When a client that does not read its replies is disconnected. 0 switches a limit off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutputLimit {
    /// At once when more than this is waiting.
    pub hard_bytes: u64,
    /// When more than this is waiting for `soft_seconds` without a break.
    pub soft_bytes: u64,
    /// See `soft_bytes`.
    pub soft_seconds: u32,
}

/// `client-output-buffer-limit`, for each class of clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutputLimits {
    /// Clients of commands, those in MONITOR included.
    pub normal: OutputLimit,
    /// Replicas.
    pub replica: OutputLimit,
    /// Clients with at least one subscription.
    pub pubsub: OutputLimit,
}

/// `oom-score-adj-values`: how willingly the kernel kills this process, by its role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OomScores {
    /// As a primary.
    pub primary: i32,
    /// As a replica.
    pub replica: i32,
    /// Child processes.
    pub child: i32,
}

/// `replicaof`: the primary to follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrimaryAddress {
    /// Address or host name.
    pub host: Text,
    /// TCP port.
    pub port: u16,
}

/// `maxmemory-clients`: the memory that all clients together may take; 0 is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientMemory {
    /// So many bytes.
    Bytes(u64),
    /// A share of `maxmemory`, from 1 to 100.
    Percent(u8),
}

bitflags! {
    /// How a signal shuts the server down; nothing set is the default behaviour.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct ShutdownFlags: u8 {
        /// Write a snapshot even when none is configured.
        const SAVE = 1 << 0;
        /// Write no snapshot even when one is configured.
        const NOSAVE = 1 << 1;
        /// Do not wait for replicas.
        const NOW = 1 << 2;
        /// Go down even when the snapshot fails.
        const FORCE = 1 << 3;
    }
}

bitflags! {
    /// `notify-keyspace-events`: what is published, and on which channels.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Events: u16 {
        /// `K`: on the channel of the key.
        const KEYSPACE = 1 << 0;
        /// `E`: on the channel of the event.
        const KEYEVENT = 1 << 1;
        /// `g`: commands that work on any type.
        const GENERIC = 1 << 2;
        /// `$`: string commands.
        const STRING = 1 << 3;
        /// `l`: list commands.
        const LIST = 1 << 4;
        /// `s`: set commands.
        const SET = 1 << 5;
        /// `h`: hash commands.
        const HASH = 1 << 6;
        /// `z`: sorted set commands.
        const ZSET = 1 << 7;
        /// `x`: a key expired.
        const EXPIRED = 1 << 8;
        /// `e`: a key was evicted.
        const EVICTED = 1 << 9;
        /// `t`: stream commands.
        const STREAM = 1 << 10;
        /// `d`: events of module types.
        const MODULE = 1 << 11;
        /// `m`: a key was looked up and is absent.
        const KEY_MISS = 1 << 12;
        /// `n`: a key was created.
        const NEW = 1 << 13;
        /// The two kinds of channels.
        const CHANNELS = Events::KEYSPACE.bits() | Events::KEYEVENT.bits();
        /// `A`: every class but `m` and `n`.
        const ALL = Events::GENERIC.bits() | Events::STRING.bits() | Events::LIST.bits()
            | Events::SET.bits() | Events::HASH.bits() | Events::ZSET.bits()
            | Events::EXPIRED.bits() | Events::EVICTED.bits() | Events::STREAM.bits()
            | Events::MODULE.bits();
    }
}

/// `rename-command`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenamedCommand {
    /// The name the command is known by.
    pub from: Text,
    /// Its new name; empty removes the command.
    pub to: Text,
    /// The line, for the message when there is no such command or the new name is taken.
    pub origin: Origin,
}

/// `loadmodule`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModuleToLoad {
    /// Path of the shared library.
    pub path: Text,
    /// Arguments for the module.
    pub arguments: Vec<Text>,
    /// The line.
    pub origin: Origin,
}

/// `user`: one ACL user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserRules {
    /// The user's name, then its rules.
    pub words: Vec<Text>,
    /// The line.
    pub origin: Origin,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dash_marks_an_address_the_server_can_do_without() {
        for text in ["127.0.0.1", "-::1", "*", "-::*", "", "-"] {
            let mut printed = Vec::new();
            BindAddress::parse(text.as_bytes()).print(&mut printed);
            assert_eq!(printed, text.as_bytes());
        }
        assert_eq!(BindAddress::parse(b"-::1").absence, Absence::Tolerated);
        assert_eq!(BindAddress::parse(b"::1").absence, Absence::Fatal);
    }

    #[test]
    fn text_that_is_not_utf8_can_be_shown() {
        assert_eq!(Text::from(&b"a\xff"[..]).to_string(), "a\u{fffd}");
    }
}
