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
    Supervised, SyslogFacility, TlsAuthClients, TlsClientUser, Word,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::num::low_u8;
    use crate::base::rng::Rng;
    use std::collections::BTreeSet;
    use std::path::Path;

    const CALLER: Caller = Caller { peer: Peer::Local, data_set: DataSet::Ready };

    /// What `CONFIG GET *` of Redis 7.4 prints on a fresh server, but for `dir` and for directives of its
    /// successors and our own.
    const REDIS_DEFAULTS: &str = include_str!("defaults.tsv");

    fn names(config: &Config, patterns: &[&str]) -> Vec<String> {
        let patterns: Vec<&[u8]> = patterns.iter().map(|pattern| pattern.as_bytes()).collect();
        config.get_matching(&patterns).into_iter().map(|(name, _)| name.to_string()).collect()
    }

    #[test]
    fn names_are_unique_and_fields_are_called_after_them() {
        let mut seen = BTreeSet::new();
        for name in DIRECTIVES.iter().flat_map(Directive::names) {
            assert!(seen.insert(name), "{name}");
        }
        for (name, field) in table::FIELDS {
            assert_eq!(name.replace('-', "_"), *field);
        }
    }

    #[test]
    fn defaults_are_those_of_redis() {
        let config = Config::default();
        for line in REDIS_DEFAULTS.lines() {
            let (name, value) = line.split_once('\t').unwrap();
            let found = config.get(name.as_bytes()).map(|value| String::from_utf8(value).unwrap());
            assert_eq!(found.as_deref(), Some(value), "{name}");
        }
        let listed: BTreeSet<_> = names(&config, &["*"]).into_iter().collect();
        let expected: BTreeSet<_> = REDIS_DEFAULTS
            .lines()
            .map(|line| line.split_once('\t').unwrap().0)
            .chain([
                "aof-load-corrupt-tail-max-size",
                "dir",
                "log-format",
                "metrics-port",
                "repl-backlog-spill-size",
                "tls-auth-clients-user",
                "tls-auto-reload-interval",
                "unauthenticated-timeout",
            ])
            .chain(["commandlog-execution-slower-than", "commandlog-slow-execution-max-len"])
            .chain(["commandlog-request-larger-than", "commandlog-large-request-max-len"])
            .chain(["commandlog-reply-larger-than", "commandlog-large-reply-max-len"])
            .map(str::to_owned)
            .collect();
        assert_eq!(listed, expected);
    }

    #[test]
    fn directives_are_found_by_pattern_name_and_alias() {
        let config = Config::default();
        assert_eq!(names(&config, &["h?", "HZ", "hz", "HZ*"]), ["hz"]);
        assert_eq!(names(&config, &["Hz", "nosuch"]), ["Hz"]);
        assert_eq!(
            names(&config, &["*max-ziplist-value", "SLAVE-PRIORITY"]),
            ["hash-max-ziplist-value", "zset-max-ziplist-value", "SLAVE-PRIORITY"]
        );
        assert_eq!(names(&config, &["key-load*"]), [""; 0]);
        assert_eq!(names(&config, &["key-load-delay"]), ["key-load-delay"]);
        assert_eq!(names(&config, &["rename-command", "user", "include"]), [""; 0]);
    }

    #[test]
    fn secrets_do_not_show() {
        let config = Config { requirepass: "tops3cret".into(), hz: 20, ..Config::default() };
        assert_eq!(format!("{config:?}"), "Config { hz: \"20\", requirepass: \"(secret)\", .. }");
    }

    /// Directives that CONFIG SET changes, with permission for all of them.
    fn mutable() -> impl Iterator<Item = &'static Directive> {
        DIRECTIVES.iter().filter(|directive| directive.change != Change::Fixed)
    }

    fn permissive() -> Config {
        Config { enable_protected_configs: Permission::Yes, ..Config::default() }
    }

    #[test]
    fn what_get_prints_set_takes_without_a_change() {
        let mut config = permissive();
        for directive in mutable() {
            let value = directive.value(&config);
            let pair = (directive.name.as_bytes(), value.as_slice());
            let changes = config.set_many(&[pair], CALLER);
            // An empty title is one that cannot be set.
            // What is behind the name of a file may be another.
            let expected = usize::from(directive.traits.contains(Traits::VOLATILE));
            assert_eq!(changes.unwrap().names().count(), expected, "{}", directive.name);
        }
        assert_eq!(config, permissive());
    }

    /// A value that some directive may well take, or nearly.
    fn plausible(rng: &mut Rng) -> Vec<u8> {
        const WORDS: [&str; 24] = [
            "",
            "yes",
            "NO",
            "0",
            "1",
            "-1",
            "100",
            "65536",
            "2147483647",
            "5%",
            "101%",
            "1gb",
            "64mb",
            "KEA",
            "gxn",
            "save now",
            "nosave",
            "900 1 60 5",
            "normal 1kb 2kb 3",
            "0 200 800",
            "50 99.9",
            "127.0.0.1 -::1",
            "everysec",
            "{port} x",
        ];
        let word = |rng: &mut Rng| {
            let directive = &DIRECTIVES[rng.below_usize(DIRECTIVES.len())];
            match rng.below_usize(3) {
                0 => directive.value(&Config::default()),
                1 => directive.accepts().unwrap_or_default().into_bytes(),
                _ => WORDS[rng.below_usize(WORDS.len())].as_bytes().to_vec(),
            }
        };
        let mut value = word(rng);
        match rng.below_usize(4) {
            0 => {
                let at = rng.below_usize(value.len() + 1);
                value.insert(at, byte(rng));
            }
            1 => {
                let end = rng.below_usize(value.len() + 1);
                value.truncate(end);
            }
            _ => {}
        }
        value
    }

    fn byte(rng: &mut Rng) -> u8 {
        low_u8(rng.next_u64())
    }

    fn reload(text: &[u8]) -> Config {
        let command_line = CommandLine::parse(["f".into()]);
        let mut read = |path: &Path| Ok(vec![(path.to_owned(), text.to_vec())]);
        load(&command_line, b"", &mut read)
            .unwrap_or_else(|error| panic!("{error}\n{}", String::from_utf8_lossy(text)))
            .config
    }

    #[test]
    fn whatever_is_accepted_comes_back_the_same() {
        let mut rng = Rng::seeded(7);
        let mut config = permissive();
        let mut accepted = 0;
        // A relative directory adds to the one before.
        let tried: Vec<_> = mutable().filter(|directive| directive.name != "dir").collect();
        for round in 0..5_000 {
            let directive = tried[rng.below_usize(tried.len())];
            let value = plausible(&mut rng);
            if config.set_many(&[(directive.name.as_bytes(), &value)], CALLER).is_err() {
                continue;
            }
            accepted += 1;
            let printed = directive.value(&config);
            let mut copy = config.clone();
            copy.set_many(&[(directive.name.as_bytes(), &printed)], CALLER).unwrap();
            assert_eq!(directive.value(&copy), printed, "{} {value:?}", directive.name);
            if round % 50 == 0 {
                assert_eq!(reload(&rewrite(b"", &config, Defaults::Omitted, &[])), config);
            }
        }
        assert!(accepted > 500, "{accepted}");
    }

    #[test]
    fn no_line_makes_the_parser_panic() {
        let mut rng = Rng::seeded(11);
        for _ in 0..5_000 {
            let directive = &DIRECTIVES[rng.below_usize(DIRECTIVES.len())];
            let mut line = directive.name.as_bytes().to_vec();
            for _ in 0..rng.below_usize(4) {
                line.push(b' ');
                line.extend(plausible(&mut rng));
            }
            for _ in 0..rng.below_usize(3) {
                let at = rng.below_usize(line.len());
                line[at] = byte(&mut rng);
            }
            let command_line = CommandLine::parse(["f".into()]);
            let mut read = |path: &Path| match path.to_str() {
                Some("f") => Ok(vec![(path.to_owned(), line.clone())]),
                _ => Ok(Vec::new()),
            };
            if let Err(error) = load(&command_line, b"", &mut read) {
                assert!(!error.to_string().is_empty());
            }
            let _ = rewrite(&line, &Config::default(), Defaults::Written, &[]);
        }
    }
}
