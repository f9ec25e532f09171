//! Directives that take one word of a few: an enum and its words in one table each.

/// An enum whose values have a word in the configuration.
pub trait Word: Copy + PartialEq + Send + Sync + 'static {
    /// Every word with its value, in the order error messages list them.
    const WORDS: &'static [(&'static str, Self)];

    /// The word for this value.
    fn word(self) -> &'static str {
        Self::WORDS
            .iter()
            .find(|(_, value)| *value == self)
            .map(|(word, _)| *word)
            .expect("the macro gives every value a word")
    }

    /// The value of a word, in upper or lower case.
    fn of(word: &[u8]) -> Option<Self> {
        let same = |text: &&(&'static str, Self)| text.0.as_bytes().eq_ignore_ascii_case(word);
        Self::WORDS.iter().find(same).map(|(_, value)| *value)
    }
}

macro_rules! words {
    ($(
        $(#[doc = $about:literal])*
        $name:ident { $( $(#[doc = $doc:literal])* $word:literal $value:ident, )* }
    )*) => { $(
        $(#[doc = $about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $( $(#[doc = $doc])* $value, )* }

        impl Word for $name {
            const WORDS: &'static [(&'static str, Self)] = &[ $( ($word, $name::$value), )* ];
        }
    )* };
}

words! {
    /// `loglevel`: the least severe message that is logged.
    LogLevel {
        /// Everything, for development.
        "debug" Debug,
        /// Rarely useful details too.
        "verbose" Verbose,
        /// What an operator wants to know.
        "notice" Notice,
        /// Only what needs attention.
        "warning" Warning,
        /// Nothing at all.
        "nothing" Nothing,
    }

    /// `log-format`: the shape of a log line.
    LogFormat {
        /// Redis's line.
        "plain" Plain,
        /// One JSON object a line.
        "json" Json,
        /// `key=value` pairs.
        "logfmt" Logfmt,
    }

    /// `supervised`: which init system is told that the server is ready.
    Supervised {
        /// Upstart, by stopping itself.
        "upstart" Upstart,
        /// systemd, through its notification socket.
        "systemd" Systemd,
        /// Whichever the environment shows.
        "auto" Auto,
        /// None.
        "no" No,
    }

    /// `syslog-facility`.
    SyslogFacility {
        /// LOG_USER
        "user" User,
        /// LOG_LOCAL0
        "local0" Local0,
        /// LOG_LOCAL1
        "local1" Local1,
        /// LOG_LOCAL2
        "local2" Local2,
        /// LOG_LOCAL3
        "local3" Local3,
        /// LOG_LOCAL4
        "local4" Local4,
        /// LOG_LOCAL5
        "local5" Local5,
        /// LOG_LOCAL6
        "local6" Local6,
        /// LOG_LOCAL7
        "local7" Local7,
    }

    /// `maxmemory-policy`: which keys go when memory is full.
    MaxmemoryPolicy {
        /// Least recently used, of the keys with a time to live.
        "volatile-lru" VolatileLru,
        /// Least frequently used, of the keys with a time to live.
        "volatile-lfu" VolatileLfu,
        /// Any key with a time to live.
        "volatile-random" VolatileRandom,
        /// The key that expires first.
        "volatile-ttl" VolatileTtl,
        /// Least recently used.
        "allkeys-lru" AllkeysLru,
        /// Least frequently used.
        "allkeys-lfu" AllkeysLfu,
        /// Any key.
        "allkeys-random" AllkeysRandom,
        /// None: commands that need memory fail.
        "noeviction" Noeviction,
    }

    /// `appendfsync`: when the append-only file is forced to disk.
    AppendFsync {
        /// Once a second.
        "everysec" Everysec,
        /// Before a reply goes out.
        "always" Always,
        /// When the operating system likes.
        "no" No,
    }

    /// `oom-score-adj`: whether and how the kernel's out-of-memory score is adjusted.
    OomScoreAdj {
        /// Not at all.
        "no" No,
        /// As `relative`.
        "yes" Yes,
        /// Relative to the score the process started with.
        "relative" Relative,
        /// To exactly the configured values.
        "absolute" Absolute,
    }

    /// `acl-pubsub-default`: which channels a new user may use.
    AclPubsubDefault {
        /// All.
        "allchannels" Allchannels,
        /// None.
        "resetchannels" Resetchannels,
    }

    /// `sanitize-dump-payload`: when loaded and restored values are checked in depth.
    SanitizeDumpPayload {
        /// Never.
        "no" No,
        /// Always.
        "yes" Yes,
        /// Only in RESTORE sent by clients.
        "clients" Clients,
    }

    /// Who may use something that is dangerous in the wrong hands.
    Permission {
        /// Nobody.
        "no" No,
        /// Everybody.
        "yes" Yes,
        /// Clients on this machine.
        "local" Local,
    }

    /// `repl-diskless-load`: whether a replica loads its primary's data from the socket.
    ReplDisklessLoad {
        /// No: through a file.
        "disabled" Disabled,
        /// Only when it holds no data.
        "on-empty-db" OnEmptyDb,
        /// Beside its present data, which it goes on serving.
        "swapdb" Swapdb,
    }

    /// `cluster-preferred-endpoint-type`: how nodes are named to clients.
    ClusterEndpointType {
        /// By address.
        "ip" Ip,
        /// By announced host name.
        "hostname" Hostname,
        /// Not at all: clients use the address they connected to.
        "unknown-endpoint" UnknownEndpoint,
    }

    /// `propagation-error-behavior`: what a replica does with a command that fails.
    PropagationErrorBehavior {
        /// Goes on.
        "ignore" Ignore,
        /// Stops.
        "panic" Panic,
        /// Stops if it is a replica.
        "panic-on-replicas" PanicOnReplicas,
    }

    /// `tls-auth-clients`: whether clients must show a certificate.
    TlsAuthClients {
        /// They are not asked for one.
        "no" No,
        /// They must.
        "yes" Yes,
        /// One that is shown must be valid.
        "optional" Optional,
    }

    /// `tls-auth-clients-user`: what of a client's certificate names its user.
    TlsClientUser {
        /// Nothing.
        "off" Off,
        /// The common name of its subject.
        "CN" CommonName,
        /// An alternative name that is a URI.
        "URI" Uri,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_in_any_case_and_printed_in_lower_case() {
        assert_eq!(LogLevel::of(b"WARNING"), Some(LogLevel::Warning));
        assert_eq!(LogLevel::of(b"warn"), None);
        assert_eq!(MaxmemoryPolicy::AllkeysLru.word(), "allkeys-lru");
    }
}
