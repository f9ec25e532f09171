//! Configuration: one row for each directive.
//!
//! [`Config`] holds every value in a plain field of its own type, for code that uses it; the table
//! [`DIRECTIVES`] knows the fields by name, for everything that handles them alike: CONFIG GET
//! ([`Config::get_matching`]), CONFIG SET ([`Config::set_many`]), files and the command line
//! ([`load`]), CONFIG REWRITE ([`rewrite`]) and `redis.conf` ([`sample`]). Both come from the rows in
//! `table/`, so a directive is added there and nowhere else.
//!
//! There is no I/O here: the caller reads the files, and puts into effect what a [`Trigger`] names.
#![forbid(unsafe_code)]

mod directive;
mod kind;
mod lists;
mod load;
mod reason;
mod rewrite;
mod rules;
mod sample;
mod set;
mod special;
mod table;
mod values;
mod words;

use std::fmt;

use crate::base::glob::{self, Case};

pub use directive::{Capability, Change, Directive, Group, Status, Traits, Trigger};
pub use kind::Defaults;
pub use load::{CommandLine, LoadError, Loaded, ModuleSetting, Reader, Stdin, load};
pub use reason::Reason;
pub use rewrite::rewrite;
pub use rules::expand_template;
pub use sample::sample;
pub use set::{Caller, Changes, DataSet, Peer, SetError};
pub use table::{Config, DIRECTIVES};
pub use values::{
    Absence, BindAddress, ClientMemory, Events, ModuleToLoad, OomScores, Origin, OutputLimit,
    OutputLimits, Place, PrimaryAddress, RenamedCommand, SavePoint, ShutdownFlags, Text, UserRules,
};
pub use words::{
    AclPubsubDefault, AppendFsync, ClusterEndpointType, LogFormat, LogLevel, MaxmemoryPolicy,
    OomScoreAdj, Permission, PropagationErrorBehavior, ReplDisklessLoad, SanitizeDumpPayload,
    Supervised, SyslogFacility, TlsAuthClients, Word,
};

/// The version of Redis whose directives and behaviour these are.
pub const REDIS_VERSION: &str = "7.4.0";

/// The directive of this name or alias, in upper or lower case, and the name as the table has it.
#[must_use]
pub fn find(name: &[u8]) -> Option<(&'static Directive, &'static str)> {
    DIRECTIVES.iter().find_map(|directive| {
        let mut names = directive.names();
        let known = names.find(|known| known.as_bytes().eq_ignore_ascii_case(name))?;
        Some((directive, known))
    })
}

/// As [`find`], but only what CONFIG knows.
fn find_in_config(name: &[u8]) -> Option<(&'static Directive, &'static str)> {
    find(name).filter(|(directive, _)| !directive.traits.contains(Traits::FILE_ONLY))
}

impl Config {
    /// The value of a directive as CONFIG GET prints it; `None` if there is none of that name.
    #[must_use]
    pub fn get(&self, name: &[u8]) -> Option<Vec<u8>> {
        find_in_config(name).map(|(directive, _)| directive.value(self))
    }

    /// CONFIG GET: names and values of all directives that match one of the patterns, each once.
    ///
    /// A pattern without wildcards is a name, and comes back as the client spelled it. Wildcards also
    /// match aliases, but nothing hidden.
    #[must_use]
    pub fn get_matching(&self, patterns: &[&[u8]]) -> Vec<(Text, Vec<u8>)> {
        let mut found: Vec<(Text, Vec<u8>)> = Vec::new();
        for pattern in patterns {
            if !pattern.iter().any(|byte| matches!(byte, b'*' | b'?' | b'[')) {
                if let Some(value) = self.get(pattern) {
                    add(&mut found, pattern, || value);
                }
                continue;
            }
            for directive in DIRECTIVES.iter().filter(|directive| directive.is_listed()) {
                for name in directive.names() {
                    if glob::matches(pattern, name.as_bytes(), Case::Insensitive) {
                        add(&mut found, name.as_bytes(), || directive.value(self));
                    }
                }
            }
        }
        found
    }

    /// What the log should say at start about values that were set and do nothing.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        DIRECTIVES.iter().filter_map(|directive| directive.note(self)).collect()
    }
}

/// Adds an answer unless the name is among them.
fn add(found: &mut Vec<(Text, Vec<u8>)>, name: &[u8], value: impl FnOnce() -> Vec<u8>) {
    if !found.iter().any(|(other, _)| other.eq_ignore_ascii_case(name)) {
        found.push((Text::from(name), value()));
    }
}

/// Shows what differs from the defaults, and no secrets.
impl fmt::Debug for Config {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut fields = out.debug_struct("Config");
        for directive in DIRECTIVES.iter().filter(|directive| !directive.is_default(self)) {
            let value = if directive.traits.contains(Traits::SECRET) {
                "(secret)".to_owned()
            } else {
                String::from_utf8_lossy(&directive.value(self)).into_owned()
            };
            fields.field(directive.name, &value);
        }
        fields.finish_non_exhaustive()
    }
}
