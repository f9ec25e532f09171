//! Users and what each may do: rules, the permissions they make, passwords, and the log of refusals. No
//! clients, no commands' code, no files: names, bytes and the time come in, verdicts go out.
//!
//! A user has a root permission and any number of selectors; a command may be run if one of them allows
//! all of it: the command, each of its keys, its channels and its databases. Nothing adds up across them.
//!
//! Invariant: a [`User`] never changes once it is in [`Users`]; a change puts another in its place. So
//! rules that fail in the middle leave nothing behind, and whoever holds a user sees it whole.

mod catalog;
mod category;
mod commands;
mod file;
mod log;
mod password;
mod pattern;
mod selector;
mod user;
mod users;

pub use catalog::Catalog;
pub use category::Categories;
pub use commands::{CommandSet, Sign};
pub use file::{FileError, ListError};
pub use log::{Context, Entry, Log, Reason, Refusal};
pub use password::Password;
pub use pattern::{Access, ChannelName, ChannelSet, KeyPatterns, KeySet, Pattern};
pub use selector::{DatabaseSet, Selector};
pub use user::{Login, NewChannels, User, merge_selectors};
pub use users::{DEFAULT_USER, Users};

use std::fmt;

/// Why a rule was refused. `Display` is the sentence that Redis has for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleError {
    /// No rule looks like that.
    Syntax,
    /// There is no such command or category.
    UnknownCommand,
    /// Keys are all allowed already.
    KeyAfterAll,
    /// Channels are all allowed already.
    ChannelAfterAll,
    /// The user does not have that password.
    NoSuchPassword,
    /// It is no SHA-256 in hexadecimal digits.
    NotAHash,
    /// A subcommand cannot be allowed with some arguments only.
    FirstArgOfSubcommand,
    /// A number that no database has.
    DatabaseOutOfRange,
}

impl fmt::Display for RuleError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Syntax => "Syntax error",
            Self::UnknownCommand => "Unknown command or category name in ACL",
            Self::KeyAfterAll => {
                "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does \
                 not have any effect. Try 'resetkeys' to start with an empty list of patterns"
            }
            Self::ChannelAfterAll => {
                "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and \
                 does not have any effect. Try 'resetchannels' to start with an empty list of channels"
            }
            Self::NoSuchPassword => {
                "The password you are trying to remove from the user does not exist"
            }
            Self::NotAHash => {
                "The password hash must be exactly 64 characters and contain only lowercase \
                 hexadecimal characters"
            }
            Self::FirstArgOfSubcommand => "Allowing first-arg of a subcommand is not supported",
            Self::DatabaseOutOfRange => "The provided database ID is out of range",
        })
    }
}

impl std::error::Error for RuleError {}

#[cfg(test)]
mod tests;

#[cfg(test)]
pub(crate) mod testing {
    //! Users for the tests of others.

    use super::{Catalog, DEFAULT_USER, User};
    use std::sync::Arc;

    /// A user who may do everything.
    pub(crate) fn anyone() -> Arc<User> {
        Arc::new(User::unrestricted(DEFAULT_USER, &Catalog::default()))
    }
}
