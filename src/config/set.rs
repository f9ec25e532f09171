//! CONFIG SET: several directives at once, all or none.

use std::fmt;

use super::directive::{Change, Directive, Traits, Trigger};
use super::find_in_config;
use super::kind::Effect;
use super::reason::Reason;
use super::table::Config;
use super::values::Text;
use super::words::Permission;

/// Where a client connects from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// This machine: a loopback address or the Unix socket.
    Local,
    /// Any other.
    Remote,
}

/// Whether the data set can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataSet {
    /// It can.
    Ready,
    /// It is being loaded.
    Loading,
}

/// Under what circumstances a client changes the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Where it connects from.
    pub peer: Peer,
    /// The state of the server.
    pub data_set: DataSet,
}

/// Why CONFIG SET failed. `Display` prints the error reply, with its code and without the dash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SetError {
    /// There is no such directive.
    Unknown {
        /// The name as the client gave it.
        name: Text,
    },
    /// Not while the data set is loading.
    Loading,
    /// The value is refused, or could not be put into effect.
    Refused {
        /// The directive at fault, or the name the client gave for it.
        name: Text,
        /// Why.
        reason: Reason,
    },
}

impl fmt::Display for SetError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SetError::Unknown { name } => {
                write!(out, "ERR Unknown option or number of arguments for CONFIG SET - '{name}'")
            }
            SetError::Loading => out.write_str("LOADING Redis is loading the dataset in memory"),
            SetError::Refused { name, reason } => write!(
                out,
                "ERR CONFIG SET failed (possibly related to argument '{name}') - {reason}"
            ),
        }
    }
}

impl std::error::Error for SetError {}

/// The directives whose values a CONFIG SET changed.
#[derive(Clone, Default)]
pub struct Changes(Vec<&'static Directive>);

impl Changes {
    /// What has to be done about them, each thing once, in the order of the arguments.
    #[must_use]
    pub fn triggers(&self) -> Vec<Trigger> {
        let mut triggers = Vec::new();
        for directive in &self.0 {
            match directive.change {
                Change::Then(trigger) if !triggers.contains(&trigger) => triggers.push(trigger),
                Change::Then(_) | Change::Free | Change::Fixed => {}
            }
        }
        triggers
    }

    /// The error for a trigger that could not be carried out. The caller then puts back the
    /// configuration it had, and carries out again, for the old values, the triggers before this one.
    #[must_use]
    pub fn failed(&self, trigger: Trigger, reason: String) -> SetError {
        let at_fault = |directive: &&&Directive| directive.change == Change::Then(trigger);
        let name = self.0.iter().find(at_fault).map_or("", |directive| directive.name);
        SetError::Refused { name: Text::from(name), reason: Reason::Failure(reason) }
    }

    /// What the log should say about new values that do nothing.
    #[must_use]
    pub fn notes(&self, config: &Config) -> Vec<String> {
        self.0.iter().filter_map(|directive| directive.note(config)).collect()
    }

    /// The names of the directives.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().map(|directive| directive.name)
    }
}

impl fmt::Debug for Changes {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_list().entries(self.names()).finish()
    }
}

/// One pair of arguments, looked up.
struct Assignment<'a> {
    directive: &'static Directive,
    /// The name or alias, as the table has it.
    name: &'static str,
    value: &'a [u8],
}

impl Config {
    /// CONFIG SET: gives all these directives their new values, or on an error none.
    ///
    /// The fields change at once; what has to follow is in the returned triggers. To undo it all when
    /// one of them fails, keep a clone from before and see [`Changes::failed`].
    ///
    /// # Errors
    /// The first pair that is refused, in the order Redis checks them: all names before any value.
    pub fn set_many(
        &mut self,
        pairs: &[(&[u8], &[u8])],
        caller: Caller,
    ) -> Result<Changes, SetError> {
        let assignments = self.assignments(pairs, caller)?;
        let mut next = self.clone();
        let mut changes = Changes::default();
        for Assignment { directive, name, value } in assignments {
            match directive.set_from_config_set(&mut next, value) {
                Ok(Effect::Changed) => changes.0.push(directive),
                Ok(Effect::Same) if directive.traits.contains(Traits::VOLATILE) => {
                    changes.0.push(directive);
                }
                Ok(Effect::Same) => {}
                Err(reason) => return Err(SetError::Refused { name: Text::from(name), reason }),
            }
        }
        *self = next;
        Ok(changes)
    }

    fn assignments<'a>(
        &self,
        pairs: &[(&[u8], &'a [u8])],
        caller: Caller,
    ) -> Result<Vec<Assignment<'a>>, SetError> {
        let mut assignments: Vec<Assignment<'a>> = Vec::with_capacity(pairs.len());
        for &(given, value) in pairs {
            let refused = |rule| {
                let name = Text::from(given);
                Err(SetError::Refused { name, reason: Reason::Rule(rule) })
            };
            let Some((directive, name)) = find_in_config(given) else {
                return Err(SetError::Unknown { name: Text::from(given) });
            };
            match directive.change {
                Change::Fixed => return refused("can't set immutable config"),
                Change::Free | Change::Then(_) => {}
            }
            if directive.traits.contains(Traits::PROTECTED) && !self.may_set_protected(caller.peer)
            {
                return refused("can't set protected config");
            }
            match caller.data_set {
                DataSet::Loading if directive.traits.contains(Traits::NOT_WHILE_LOADING) => {
                    return Err(SetError::Loading);
                }
                DataSet::Loading | DataSet::Ready => {}
            }
            // The same directive under two of its names is no duplicate to Redis.
            if assignments.iter().any(|earlier| earlier.name == name) {
                return refused("duplicate parameter");
            }
            assignments.push(Assignment { directive, name, value });
        }
        Ok(assignments)
    }

    fn may_set_protected(&self, peer: Peer) -> bool {
        match (self.enable_protected_configs, peer) {
            (Permission::Yes, Peer::Local | Peer::Remote) | (Permission::Local, Peer::Local) => {
                true
            }
            (Permission::No, Peer::Local | Peer::Remote) | (Permission::Local, Peer::Remote) => {
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCAL: Caller = Caller { peer: Peer::Local, data_set: DataSet::Ready };

    fn set(config: &mut Config, pairs: &[(&str, &str)], caller: Caller) -> Result<Changes, String> {
        let pairs: Vec<(&[u8], &[u8])> =
            pairs.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
        config.set_many(&pairs, caller).map_err(|error| error.to_string())
    }

    /// The error of setting these pairs, which must not change anything.
    fn error(pairs: &[(&str, &str)]) -> String {
        let mut config = Config::default();
        let error = set(&mut config, pairs, LOCAL).unwrap_err();
        assert_eq!(config, Config::default());
        error
    }

    #[test]
    fn errors_are_those_of_redis() {
        let refused = |name: &str, reason: &str| {
            format!("ERR CONFIG SET failed (possibly related to argument '{name}') - {reason}")
        };
        assert_eq!(
            error(&[("hz", "5"), ("nosuch", "1")]),
            "ERR Unknown option or number of arguments for CONFIG SET - 'nosuch'"
        );
        assert_eq!(
            error(&[("include", "x")]),
            "ERR Unknown option or number of arguments for CONFIG SET - 'include'"
        );
        let immutable = "can't set immutable config";
        assert_eq!(error(&[("Databases", "3")]), refused("Databases", immutable));
        assert_eq!(error(&[("slaveof", "x")]), refused("slaveof", immutable));
        assert_eq!(error(&[("dir", "/")]), refused("dir", "can't set protected config"));
        assert_eq!(error(&[("hz", "1"), ("HZ", "2")]), refused("HZ", "duplicate parameter"));
        let malformed = "argument couldn't be parsed into an integer";
        assert_eq!(
            error(&[("hz", "33"), ("HASH-max-ziplist-entries", "x")]),
            refused("hash-max-ziplist-entries", malformed)
        );
        assert_eq!(error(&[("save", "900  1")]), refused("save", "Invalid save parameters"));
        assert_eq!(
            error(&[("oom-score-adj-values", "0 200 3000")]),
            refused(
                "oom-score-adj-values",
                "Invalid oom-score-adj-values, elements must be between -2000 and 2000."
            )
        );
        assert_eq!(
            error(&[("maxmemory-clients", "101%")]),
            refused("maxmemory-clients", "percentage argument must be less or equal to 100")
        );
        assert_eq!(
            error(&[("client-output-buffer-limit", "master 1 2 3")]),
            refused(
                "client-output-buffer-limit",
                "Invalid client class specified in buffer limit configuration."
            )
        );
    }

    #[test]
    fn one_bad_value_undoes_the_good_ones_before_it() {
        assert!(error(&[("hz", "33"), ("activerehashing", "x")]).contains("'activerehashing'"));
    }

    #[test]
    fn triggers_come_once_and_only_for_what_changed() {
        let mut config = Config::default();
        let pairs =
            [("maxclients", "10000"), ("port", "1"), ("loglevel", "debug"), ("bind", "::1")];
        let changes = set(&mut config, &pairs, LOCAL).unwrap();
        assert_eq!(changes.triggers(), [Trigger::ListenPorts, Trigger::LogLevel]);
        assert_eq!((config.port, config.bind.len()), (1, 1));
        assert_eq!(
            changes.failed(Trigger::ListenPorts, "Unable to listen.".to_owned()).to_string(),
            "ERR CONFIG SET failed (possibly related to argument 'port') - Unable to listen."
        );
    }

    #[test]
    fn a_name_and_its_alias_are_no_duplicates() {
        let mut config = Config::default();
        let pairs = [("min-slaves-to-write", "1"), ("min-replicas-to-write", "2")];
        set(&mut config, &pairs, LOCAL).unwrap();
        assert_eq!(config.min_replicas_to_write, 2);
    }

    #[test]
    fn protected_directives_need_permission() {
        let remote = Caller { peer: Peer::Remote, ..LOCAL };
        for (permission, caller, allowed) in [
            (Permission::No, LOCAL, false),
            (Permission::Local, LOCAL, true),
            (Permission::Local, remote, false),
            (Permission::Yes, remote, true),
        ] {
            let mut config = Config { enable_protected_configs: permission, ..Config::default() };
            let result = set(&mut config, &[("dbfilename", "x")], caller);
            assert_eq!(result.is_ok(), allowed, "{permission:?} {caller:?}");
        }
    }

    #[test]
    fn some_directives_wait_until_the_data_set_is_loaded() {
        let loading = Caller { data_set: DataSet::Loading, ..LOCAL };
        let mut config = Config::default();
        assert_eq!(
            set(&mut config, &[("appendonly", "yes")], loading).unwrap_err(),
            "LOADING Redis is loading the dataset in memory"
        );
        assert!(set(&mut config, &[("hz", "20")], loading).is_ok());
    }

    #[test]
    fn values_that_do_nothing_are_noted() {
        let mut config = Config::default();
        let changes =
            set(&mut config, &[("cluster-node-timeout", "9"), ("hz", "9")], LOCAL).unwrap();
        assert_eq!(
            changes.notes(&config),
            ["cluster-node-timeout has no effect in this version, which is without cluster mode"]
        );
    }
}
