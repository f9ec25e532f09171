//! CONFIG: the directives of `redis.conf` while the server runs.

use crate::command::secrets::Secrets;
use crate::command::server::Server;
use crate::command::spec::{Arg, ArgType, Flags, Group};
use crate::command::{Command, Context, Error, Outcome, Spec};
use crate::config::{self, Caller, Changes, DataSet, Defaults, Peer, SetError, Trigger};
use std::io;
use std::path::Path;

/// CONFIG
pub(super) static CONFIG: Command = Command {
    spec: CONFIG_SPEC,
    handler: None,
    subcommands: &[&GET, &HELP, &RESETSTAT, &REWRITE, &SET],
};

const CONFIG_SPEC: Spec = Spec {
    name: "config",
    summary: "Reads and changes the configuration.",
    complexity: "That of the subcommand.",
    since: "2.0.0",
    group: Group::Server,
    arity: -2,
    ..Spec::EMPTY
};

/// CONFIG GET parameter [parameter ...]
static GET: Command = Command { spec: GET_SPEC, handler: Some(get), subcommands: &[] };

const GET_SPEC: Spec = Spec {
    name: "get",
    summary: "Returns the parameters that match the patterns.",
    complexity: "O(N), N being the number of parameters.",
    since: "2.0.0",
    group: Group::Server,
    arity: -3,
    flags: Flags::ADMIN.union(Flags::NOSCRIPT).union(Flags::LOADING).union(Flags::STALE),
    args: &[Arg::new("parameter", ArgType::String).multiple()],
    history: &[("7.0.0", "Several patterns may be given.")],
    ..Spec::EMPTY
};

/// CONFIG SET parameter value [parameter value ...]
static SET: Command = Command { spec: SET_SPEC, handler: Some(set), subcommands: &[] };

const SET_SPEC: Spec = Spec {
    name: "set",
    summary: "Changes parameters while the server runs, all or none.",
    complexity: "O(N), N being the number of parameters.",
    since: "2.0.0",
    group: Group::Server,
    arity: -4,
    flags: Flags::ADMIN.union(Flags::NOSCRIPT).union(Flags::LOADING).union(Flags::STALE),
    args: &[Arg::block(
        "data",
        &[Arg::new("parameter", ArgType::String), Arg::new("value", ArgType::String)],
    )
    .multiple()],
    history: &[("7.0.0", "Several parameters may be given.")],
    tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
    secrets: Secrets::OfDirectives(2),
    ..Spec::EMPTY
};

/// CONFIG RESETSTAT
static RESETSTAT: Command =
    Command { spec: RESETSTAT_SPEC, handler: Some(reset_stat), subcommands: &[] };

const RESETSTAT_SPEC: Spec = Spec {
    name: "resetstat",
    summary: "Sets the statistics of INFO back to zero.",
    complexity: "O(1)",
    since: "2.0.0",
    group: Group::Server,
    arity: 2,
    flags: Flags::ADMIN.union(Flags::NOSCRIPT).union(Flags::LOADING).union(Flags::STALE),
    tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
    ..Spec::EMPTY
};

/// CONFIG REWRITE
static REWRITE: Command = Command { spec: REWRITE_SPEC, handler: Some(rewrite), subcommands: &[] };

const REWRITE_SPEC: Spec = Spec {
    name: "rewrite",
    summary: "Writes the parameters in effect to the configuration file.",
    complexity: "O(1)",
    since: "2.8.0",
    group: Group::Server,
    arity: 2,
    flags: Flags::ADMIN.union(Flags::NOSCRIPT).union(Flags::LOADING).union(Flags::STALE),
    tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
    ..Spec::EMPTY
};

/// CONFIG HELP
static HELP: Command = Command { spec: HELP_SPEC, handler: Some(help), subcommands: &[] };

const HELP_SPEC: Spec = Spec {
    name: "help",
    summary: "Lists the subcommands of CONFIG.",
    complexity: "O(1)",
    since: "5.0.0",
    group: Group::Server,
    arity: 2,
    flags: Flags::LOADING.union(Flags::STALE),
    ..Spec::EMPTY
};

fn help(ctx: &mut Context<'_>) -> Outcome {
    ctx.help(&[
        "GET <pattern> [<pattern> ...]",
        "    Show the directives whose names match.",
        "RESETSTAT",
        "    Set the counters of INFO back to zero.",
        "REWRITE",
        "    Write the values in force into the configuration file.",
        "SET <directive> <value> [<directive> <value> ...]",
        "    Change directives, all or none.",
    ])
}

fn get(ctx: &mut Context<'_>) -> Outcome {
    let patterns: Vec<&[u8]> = ctx.args.from(2).collect();
    let found = ctx.server.config.get_matching(&patterns);
    let out = ctx.out();
    out.map(found.len());
    for (name, value) in found {
        out.bulk(&name);
        out.bulk(&value);
    }
    Ok(())
}

fn set(ctx: &mut Context<'_>) -> Outcome {
    if ctx.args.len() % 2 == 1 {
        return Err(Error::SYNTAX);
    }
    let args: Vec<&[u8]> = ctx.args.from(2).collect();
    let (pairs, _) = args.as_chunks::<2>();
    let pairs: Vec<(&[u8], &[u8])> = pairs.iter().map(|&[name, value]| (name, value)).collect();
    let peer = if ctx.session.peer.is_local() { Peer::Local } else { Peer::Remote };
    let data_set = match ctx.server.persistence.loading {
        Some(_) => DataSet::Loading,
        None => DataSet::Ready,
    };
    let caller = Caller { peer, data_set };
    let changed = ctx.server.configure(&pairs, caller);
    let changes = changed.map_err(|error| Error::new(error.to_string()))?;
    for note in changes.notes(&ctx.server.config) {
        tracing::warn!("{note}");
    }
    ctx.ok()
}

impl Server {
    /// Changes directives and puts the change into effect; if one of them cannot be, none is changed.
    ///
    /// # Errors
    /// The first value that is refused, or the first that has no effect.
    fn configure(&mut self, pairs: &[(&[u8], &[u8])], caller: Caller) -> Result<Changes, SetError> {
        let before = self.config.clone();
        let changes = self.config.set_many(pairs, caller)?;
        let triggers = changes.triggers();
        for (index, &trigger) in triggers.iter().enumerate() {
            if let Err(reason) = self.apply(trigger) {
                self.config = before;
                self.undo(&triggers[..index]);
                return Err(changes.failed(trigger, reason));
            }
        }
        self.adopt_access_policy();
        self.adopt_event_classes();
        self.adopt_attention();
        Ok(changes)
    }

    /// Puts the old values into effect again.
    fn undo(&mut self, triggers: &[Trigger]) {
        for &trigger in triggers {
            if let Err(reason) = self.apply(trigger) {
                tracing::warn!("Failed to restore the configuration: {reason}");
            }
        }
    }

    fn apply(&mut self, trigger: Trigger) -> Result<(), String> {
        match trigger {
            Trigger::Hz => self.hz = self.config.hz,
            Trigger::RequirePass => self.adopt_password(),
            Trigger::MemoryLimit => self.follow_memory_limit(),
            Trigger::Defragmentation => self.follow_defragmentation(),
            Trigger::ClientMemoryLimit => self.follow_client_memory_limit(),
            Trigger::TrackingLimit => self.forget_tracked_keys(),
            Trigger::Replicas => self.follow_replica_settings(),
            Trigger::AppendOnly => return self.switch_log(),
            Trigger::AppendSync => {
                if let Some(log) = self.host.append_only_file_mut() {
                    log.adopt(&self.config);
                }
            }
            Trigger::ListenPorts
            | Trigger::MaxClients
            | Trigger::LogLevel
            | Trigger::LogFormat
            | Trigger::OomScore
            | Trigger::ProcTitle
            | Trigger::Directory
            | Trigger::CrashLog
            | Trigger::Watchdog
            | Trigger::Tls
            | Trigger::AllocatorThread => return self.host.apply(trigger, &self.config),
        }
        Ok(())
    }
}

fn reset_stat(ctx: &mut Context<'_>) -> Outcome {
    let server = &mut *ctx.server;
    server.stats.reset();
    server.commands.reset_stats();
    server.keyspace.hits = 0;
    server.keyspace.misses = 0;
    server.keyspace.expired = 0;
    server.keyspace.evicted = 0;
    server.eviction.reset_times();
    server.defragmentation.reset();
    server.keyspace.expired_stale_percent = 0.0;
    let replication = &mut server.replication;
    (replication.full_syncs, replication.partial_syncs) = (0, 0);
    (replication.refused_syncs, replication.sent_bytes) = (0, 0);
    ctx.ok()
}

fn rewrite(ctx: &mut Context<'_>) -> Outcome {
    ctx.server.rewrite_config(Defaults::Omitted)?;
    ctx.ok()
}

impl Server {
    /// Writes the values in force into the configuration file, which is made if it is gone.
    ///
    /// # Errors
    /// There is no such file, or it cannot be read or replaced.
    pub fn rewrite_config(&mut self, defaults: Defaults) -> Outcome {
        const NO_FILE: Error = Error::fixed("ERR The server is running without a config file");
        let file = self.host.facts().config_file.clone();
        if file.is_empty() {
            return Err(NO_FILE);
        }
        let path = Path::new(&file);
        let old = match self.host.read_file(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            read => read,
        };
        let written = old.and_then(|old| {
            let users = self.users_to_declare();
            self.host.replace_file(path, &config::rewrite(&old, &self.config, defaults, &users))
        });
        written.map_err(|error| {
            let reason = words(&error);
            tracing::warn!("CONFIG REWRITE failed: {reason}");
            Error::new(format!("ERR Rewriting config file: {reason}"))
        })?;
        tracing::info!("CONFIG REWRITE executed with success.");
        Ok(())
    }
}

/// The system's words for an error, without the number that Rust adds.
fn words(error: &io::Error) -> String {
    let text = error.to_string();
    match text.rfind(" (os error ") {
        Some(end) if error.raw_os_error().is_some() => text[..end].to_owned(),
        Some(_) | None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::host::Facts;
    use crate::command::testing::{Bench, FakeHost, check};
    use crate::config::{Config, MaxmemoryPolicy};
    use crate::resp::parse::Trust;
    use crate::session::Endpoint;
    use crate::store::AccessPolicy;
    use std::rc::Rc;

    const HELLO: &str = "[$server $redis $version $7.4.0 $proto :2 $id :1 $mode $standalone $role \
                         $master $modules []]";

    #[test]
    fn directives_are_found_by_patterns() {
        check("CONFIG GET hz", "[$hz $10]");
        check("CONFIG GET nosuch", "[]");
        check("CONFIG GET databases hz DATABASES", "[$databases $16 $hz $10]");
        check(
            "CONFIG GET maxmemory-p* lfu-decay-*",
            "[$maxmemory-policy $noeviction $lfu-decay-time $1]",
        );
        check(
            "HELLO 3 x; CONFIG GET",
            "-ERR Syntax error in HELLO option 'x' -ERR wrong number of arguments for 'config|get' command",
        );
        let mut bench = Bench::new();
        bench.session.output.protocol = crate::resp::Protocol::Resp3;
        bench.check("CONFIG GET hz", "%[$hz $10]");
    }

    #[test]
    fn directives_are_set_all_or_none() {
        check("CONFIG SET hz 20 timeout 7; CONFIG GET hz timeout", "+OK [$hz $20 $timeout $7]");
        check(
            "CONFIG SET timeout 7 hz x; CONFIG GET timeout",
            "-ERR CONFIG SET failed (possibly related to argument 'hz') - argument couldn't be \
             parsed into an integer [$timeout $0]",
        );
        check("CONFIG SET hz 5 hz; CONFIG SET a b c", "-ERR syntax error -ERR syntax error");
        check(
            "CONFIG SET nosuch 1",
            "-ERR Unknown option or number of arguments for CONFIG SET - 'nosuch'",
        );
        check("CONFIG SET hz", "-ERR wrong number of arguments for 'config|set' command");
    }

    #[test]
    fn a_change_of_hz_reaches_the_timers() {
        let mut bench = Bench::new();
        bench.check("CONFIG SET hz 50", "+OK");
        assert_eq!(bench.server.hz, 50);
    }

    #[test]
    fn protected_directives_are_for_those_allowed() {
        let mut bench = Bench::new();
        let refused = "-ERR CONFIG SET failed (possibly related to argument 'dbfilename') - can't \
                       set protected config";
        bench.check("CONFIG SET dbfilename x", refused);
        bench.server.config.enable_protected_configs = config::Permission::Local;
        bench.check("CONFIG SET dbfilename x", "+OK");
        bench.session.peer = Endpoint::Tcp(([10, 0, 0, 1], 5).into());
        bench.check("CONFIG SET dbfilename y", refused);
        bench.session.peer = Endpoint::Unix("/tmp/s".into());
        bench.check("CONFIG SET dbfilename y", "+OK");
    }

    #[test]
    fn frequencies_are_counted_once_the_policy_wants_them() {
        let mut bench = Bench::new();
        assert!(matches!(bench.server.keyspace.policy(), AccessPolicy::Lru { .. }));
        bench.check("CONFIG SET maxmemory-policy allkeys-lfu lfu-log-factor 3", "+OK");
        let minutes = 16_666; // 1,000,000 seconds
        assert_eq!(
            bench.server.keyspace.policy(),
            AccessPolicy::Lfu { minutes, log_factor: 3, decay_minutes: 1 }
        );
        bench.check("CONFIG SET maxmemory-policy volatile-ttl", "+OK");
        assert_eq!(bench.server.keyspace.policy(), AccessPolicy::Lru { clock: 1_000_000 });
    }

    #[test]
    fn a_server_starts_with_the_policy_of_its_configuration() {
        let config = Config { maxmemory_policy: MaxmemoryPolicy::VolatileLfu, ..Config::default() };
        let bench = Bench::with(config);
        assert!(matches!(bench.server.keyspace.policy(), AccessPolicy::Lfu { .. }));
    }

    #[test]
    fn a_password_is_asked_of_those_who_never_said_it() {
        let no_auth = "-NOAUTH Authentication required.";
        let mut bench = Bench::new();
        bench.check(
            "CONFIG SET requirepass pw; PING; RESET; PING",
            &format!("+OK +PONG +RESET {no_auth}"),
        );
        bench.check("AUTH pw; CONFIG GET requirepass", "+OK [$requirepass $pw]");
        bench.session.trust = Trust::Unauthenticated;
        bench.server.config.requirepass = "".into();
        bench.server.adopt_password();
        bench.check(
            "PING; HELLO 2 SETNAME x; CONFIG SET requirepass other",
            &format!("+PONG {HELLO} +OK"),
        );
        bench.check("PING; CONFIG GET requirepass", &[no_auth; 2].join(" "));
    }

    #[test]
    fn what_cannot_take_effect_is_put_back() {
        let refuses = Some((Trigger::ListenPorts, "Unable to listen on this port."));
        let host = FakeHost { refuses, ..FakeHost::default() };
        let applied = Rc::clone(&host.applied);
        let mut bench = Bench::on(host, Config::default());
        bench.check(
            "CONFIG SET loglevel debug hz 20 port 1 timeout 5",
            "-ERR CONFIG SET failed (possibly related to argument 'port') - Unable to listen on \
             this port.",
        );
        bench.check(
            "CONFIG GET hz port timeout loglevel",
            "[$hz $10 $port $6379 $timeout $0 $loglevel $notice]",
        );
        assert_eq!(bench.server.hz, 10);
        assert_eq!(*applied.borrow(), [Trigger::LogLevel, Trigger::ListenPorts, Trigger::LogLevel]);
    }

    #[test]
    fn resetstat_forgets_what_was_counted() {
        let mut bench = Bench::new();
        bench.check(
            "SET k v; GET k; GET x; NOSUCH",
            "+OK $v $_ -ERR unknown command 'NOSUCH', with args beginning with: ",
        );
        assert!(bench.server.stats.commands > 0 && bench.server.keyspace.hits > 0);
        bench.check("CONFIG RESETSTAT", "+OK");
        // The command itself is counted after it ran.
        assert_eq!((bench.server.stats.commands, bench.server.stats.errors), (1, 0));
        assert!(bench.server.stats.errors_by_code.is_empty());
        assert_eq!((bench.server.keyspace.hits, bench.server.keyspace.misses), (0, 0));
        let id = bench.server.commands.find(b"get").expect("it exists");
        assert_eq!(bench.server.commands.get(id).stats.calls, 0);
    }

    #[test]
    fn rewrite_needs_a_file() {
        check("CONFIG REWRITE", "-ERR The server is running without a config file");
        let facts = Facts { config_file: "/etc/redis.conf".to_owned(), ..Facts::default() };
        let host = FakeHost { facts, ..FakeHost::default() };
        let mut bench = Bench::on(host, Config::default());
        bench.check("CONFIG SET timeout 5; CONFIG REWRITE", "+OK +OK");
        let path = Path::new("/etc/redis.conf");
        let text = bench.server.host.read_file(path).expect("it was written");
        let text = String::from_utf8(text).expect("text");
        assert!(text.contains("\ntimeout 5\n"), "{text}");
        bench.server.host.replace_file(path, b"# mine\ntimeout 1\n").expect("in memory");
        bench.check("CONFIG REWRITE", "+OK");
        let text = bench.server.host.read_file(path).expect("it was written");
        assert!(text.starts_with(b"# mine\ntimeout 5\n"));
    }

    #[test]
    fn errors_of_the_system_have_no_number() {
        assert_eq!(words(&io::Error::from_raw_os_error(13)), "Permission denied");
        assert_eq!(words(&io::Error::other("full (os error )")), "full (os error )");
    }
}
