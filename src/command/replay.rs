//! Executing the commands of a log: a server without clients, on a machine on which nothing happens, so
//! that it can be done on any thread.
//!
//! Nothing expires meanwhile: a key that expired before the log was written is deleted in it, and one
//! that was made to stay (PERSIST, SET) in time must still be there when that is executed, however much
//! later. Times that a command gives from now on are counted from the real time.

use super::context::KeyHashes;
use super::dispatch::{self, Flow};
use super::error::printed;
use super::quiet_host::QuietHost;
use super::replay_library::Libraries;
use super::server::{Now, Server};
use super::table::CommandId;
use crate::base::rng::Rng;
use crate::config::{Config, PropagationErrorBehavior};
use crate::persist::aof::replay::{Execute, Unit};
use crate::resp::parse::Trust;
use crate::resp::{Args, OwnedArgs};
use crate::session::{Endpoint, Session, SessionFlags};
use crate::store::Keyspace;
use bytes::Bytes;
use std::fmt;

/// Commands that may give a time from now on.
const WITH_RELATIVE_TIMES: [&str; 16] = [
    "expire",
    "getex",
    "hexpire",
    "hgetex",
    "hpexpire",
    "hsetex",
    "pexpire",
    "psetex",
    "restore",
    "set",
    "setex",
    "xadd",
    "xautoclaim",
    "xclaim",
    "xgroup|createconsumer",
    "xreadgroup",
];
/// Longest part of a name that an error repeats, bytes.
const NAME_SHOWN_MAX: usize = 128;

/// Why a log cannot be executed further.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReplayError {
    /// There is no such command, or no such subcommand.
    Unknown {
        /// Its name.
        name: String,
    },
    /// There are too few databases.
    NoDatabase {
        /// The one that was selected.
        index: String,
    },
    /// A command failed, and `propagation-error-behavior` says not to go on.
    Failed {
        /// Its name.
        name: String,
        /// Its reply.
        error: String,
    },
}

impl fmt::Display for ReplayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { name } => write!(f, "Unknown command '{name}'"),
            Self::NoDatabase { index } => write!(
                f,
                "Data of database {index} found, but there are fewer (see 'databases') when"
            ),
            Self::Failed { name, error } => write!(f, "Command '{name}' failed ({error})"),
        }
    }
}

impl std::error::Error for ReplayError {}

/// Executes the commands of logs, one after the other.
#[derive(Debug)]
pub struct Replayer {
    server: Server,
    session: Session,
    now: Now,
    /// The commands of a transaction that is not complete yet.
    unit: Option<Vec<OwnedArgs>>,
    /// Commands that replied with an error.
    failures: u64,
    libraries: Libraries,
}

impl Replayer {
    /// Continues with what is in a keyspace. `now` is the real time.
    ///
    /// # Errors
    /// `rename-command` cannot be followed.
    pub fn new(config: &Config, keyspace: Keyspace, now: Now) -> Result<Self, &'static str> {
        let mut config = config.clone();
        // What was executed once is executed again, whoever may do so now and however little memory
        // there is.
        config.requirepass = crate::config::Text::default();
        config.maxmemory = 0;
        config.latency_tracking = false;
        let renamed = std::mem::take(&mut config.rename_command);
        let host = Box::new(QuietHost::default());
        let mut server = Server::new(config, keyspace, host, || 0, Rng::seeded(0), now);
        for renamed in &renamed {
            server.commands.rename(&renamed.from, &renamed.to)?;
        }
        let end = Endpoint::Unix("aof".into());
        let id = server.sessions.next_id();
        let user = server.users.default_user();
        let mut session = Session::new(id, end.clone(), end, -1, now.unix_s(), user);
        session.trust = Trust::Authenticated;
        session.flags.insert(SessionFlags::OBEYED);
        let mut replayer =
            Self { server, session, now, unit: None, failures: 0, libraries: Libraries::default() };
        replayer.stop_time();
        Ok(replayer)
    }

    /// The data, to load a snapshot into it.
    pub const fn keyspace_mut(&mut self) -> &mut Keyspace {
        &mut self.server.keyspace
    }

    /// Commands that replied with an error so far.
    pub const fn failures(&self) -> u64 {
        self.failures
    }

    /// Begins another log: its commands go to database 0, and a transaction that the log before left open
    /// is forgotten.
    pub fn begin(&mut self) {
        self.session.db = 0;
        self.unit = None;
    }

    /// Adds libraries of functions, out of a snapshot.
    pub fn add_libraries(&mut self, libraries: Vec<Bytes>) {
        let mut sources = std::mem::take(&mut self.libraries).into_sources();
        sources.extend(libraries);
        self.libraries = Libraries::of(sources);
    }

    /// The libraries of functions.
    pub fn take_libraries(&mut self) -> Vec<Bytes> {
        std::mem::take(&mut self.libraries).into_sources()
    }

    /// Gives the data back.
    pub fn into_keyspace(mut self) -> Keyspace {
        self.server.drop_garbage();
        let mut keyspace = self.server.keyspace;
        keyspace.set_now(self.now.unix_ms());
        keyspace
    }

    /// Sets a time at which nothing has expired.
    fn stop_time(&mut self) {
        self.server.now = Now { unix_us: 0, ..self.now };
        self.server.keyspace.set_now_without_expiry(self.now.unix_ms());
    }

    fn run(&mut self, args: Args<'_>, id: CommandId) -> Result<(), ReplayError> {
        let name = self.server.commands.get(id).full_name;
        let is_relative = WITH_RELATIVE_TIMES.contains(&name) && !gives_absolute_time(args);
        if is_relative {
            self.server.now = self.now;
        }
        let Self { server, session, .. } = self;
        server.pause = None;
        let (flow, _) = dispatch::execute(server, session, args, Some(id), KeyHashes::default(), 0);
        match flow {
            Flow::Done | Flow::Held => {}
            // A log has no commands that wait; here nobody could end the waiting.
            Flow::Blocked => drop(server.end_wait(session)),
        }
        if is_relative {
            self.stop_time();
        }
        self.check_reply(args, name)
    }

    /// Drops the reply of a command; an error is one if it must stop loading.
    fn check_reply(&mut self, args: Args<'_>, name: &str) -> Result<(), ReplayError> {
        let output = &mut self.session.output;
        let pending = output.pending_bytes();
        let first = output.pieces().find(|piece| !piece.is_empty());
        let error = first.filter(|piece| piece.first() == Some(&b'-')).map(|piece| {
            String::from_utf8_lossy(piece).trim_end().trim_start_matches('-').to_owned()
        });
        output.advance(pending);
        let Some(error) = error else { return Ok(()) };
        self.failures += 1;
        tracing::warn!(
            "== CRITICAL == This server is sending an error to its AOF-loading-client: '{error}' \
             after processing the command '{name}'"
        );
        if name == "select" && args.len() == 2 {
            // What follows would change the data of another database.
            return Err(ReplayError::NoDatabase { index: shown(args.at(1)) });
        }
        match self.server.config.propagation_error_behavior {
            PropagationErrorBehavior::Panic => {
                Err(ReplayError::Failed { name: name.to_owned(), error })
            }
            PropagationErrorBehavior::Ignore | PropagationErrorBehavior::PanicOnReplicas => Ok(()),
        }
    }

    fn find(&self, args: &Args<'_>) -> Result<CommandId, ReplayError> {
        let commands = &self.server.commands;
        let found = commands.find(args.at(0));
        // Counted and refused as any command, but for names that there are not.
        match found.filter(|_| dispatch::resolve(commands, args, found).is_ok()) {
            Some(id) => Ok(id),
            None => Err(ReplayError::Unknown { name: shown(args.at(0)) }),
        }
    }

    fn execute_one(&mut self, args: Args<'_>) -> Result<(), ReplayError> {
        if self.libraries.execute(args)? {
            return Ok(());
        }
        let id = self.find(&args)?;
        self.run(args, id)
    }

    fn execute_unit(&mut self, commands: &[OwnedArgs]) -> Result<(), ReplayError> {
        for args in commands {
            self.execute_one(args.as_args())?;
        }
        Ok(())
    }
}

/// Whether a command that may give a time from now on gives a Unix time instead. What has expired by now
/// had not when it was logged, and what followed may have kept it.
fn gives_absolute_time(args: Args<'_>) -> bool {
    let words: [&[u8]; 3] = [b"PXAT", b"EXAT", b"ABSTTL"];
    // The name, the key and a value may be any words.
    args.from(3).any(|arg| words.iter().any(|word| arg.eq_ignore_ascii_case(word)))
}

fn shown(name: &[u8]) -> String {
    let name = printed(name);
    String::from_utf8_lossy(&name[..name.len().min(NAME_SHOWN_MAX)]).into_owned()
}

impl Execute for Replayer {
    type Error = ReplayError;

    fn execute(&mut self, args: Args<'_>) -> Result<Unit, ReplayError> {
        let name = args.at(0);
        if let Some(mut unit) = self.unit.take() {
            if name.eq_ignore_ascii_case(b"exec") {
                self.execute_unit(&unit)?;
            } else if !name.eq_ignore_ascii_case(b"discard") {
                if !name.eq_ignore_ascii_case(b"function") {
                    self.find(&args)?;
                }
                unit.push(args.to_owned());
                self.unit = Some(unit);
            }
        } else if name.eq_ignore_ascii_case(b"multi") {
            self.unit = Some(Vec::new());
        } else if !name.eq_ignore_ascii_case(b"exec") {
            self.execute_one(args)?;
        }
        Ok(if self.unit.is_some() { Unit::Open } else { Unit::Closed })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::hash::HashKey;
    use crate::base::num;
    use crate::command::testing::Bench;
    use crate::persist::Progress;
    use crate::persist::aof::read::Reader;
    use crate::persist::aof::replay::{End, replay};
    use crate::persist::aof::rewrite::{RewriteOptions, rewrite};

    const NOW: Now = Now { unix_us: 1_000_000_000_000, mono_ns: 0 };
    const PLAIN: RewriteOptions<'_> = RewriteOptions {
        timestamp: None,
        libraries: &[],
        key_delay_us: 0,
        sleep: |_| (),
        progress: None,
    };

    /// A log of commands separated by `;`, words by blanks.
    fn log(script: &str) -> Vec<u8> {
        let mut out = Vec::new();
        for line in script.split(';') {
            let words: Vec<&str> = line.split_whitespace().collect();
            out.extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
            for word in words {
                out.extend_from_slice(format!("${}\r\n{word}\r\n", word.len()).as_bytes());
            }
        }
        out
    }

    fn empty() -> Keyspace {
        Keyspace::new(16, HashKey::new(1, 2), Rng::seeded(3))
    }

    fn load_with(config: &Config, log: &[u8]) -> Result<Keyspace, ReplayError> {
        let mut replayer = Replayer::new(config, empty(), NOW).expect("nothing is renamed");
        let replayed = replay(&mut Reader::new(log, 0), &mut replayer, &Progress::default())?;
        assert!(matches!(replayed.end, End::Clean | End::OpenUnit), "{:?}", replayed.end);
        Ok(replayer.into_keyspace())
    }

    /// A server with what a log makes.
    fn bench(log: &[u8]) -> Bench {
        let mut bench = Bench::new();
        bench.server.keyspace = load_with(&Config::default(), log).expect("a good log");
        bench.pass(0);
        bench
    }

    #[track_caller]
    fn check(script: &str, then: &str, expected: &str) {
        bench(&log(script)).check(then, expected);
    }

    #[track_caller]
    fn check_refused(script: &str, error: &str) {
        let result = load_with(&Config::default(), &log(script));
        assert_eq!(result.map(|_| ()).expect_err("refused").to_string(), error, "{script}");
    }

    #[test]
    fn commands_change_the_data() {
        check(
            "SET a 1; INCR a; SELECT 3; RPUSH l x y",
            "GET a; SELECT 3; LRANGE l 0 -1",
            "$2 +OK [$x $y]",
        );
        check("SADD s a b; SPOP s; EXEC", "SCARD s", ":1");
    }

    #[test]
    fn transactions_count_as_a_whole() {
        check("SET a 1; MULTI; SET a 2; INCR b; EXEC", "MGET a b", "[$2 $1]");
        check("SET a 1; multi; SET a 2; INCR b", "MGET a b", "[$1 $_]");
        check("MULTI; SET a 2; DISCARD; INCR b", "MGET a b", "[$_ $1]");
    }

    #[test]
    fn nothing_expires_before_the_log_ends() {
        check("RPUSH l foo; PEXPIREAT l 1000; RPUSH l bar", "LLEN l", ":0");
        check("SET k v; PEXPIREAT k 1000; PERSIST k", "GET k", "$v");
        check("SET k v PXAT 1000; APPEND k w; SET k x KEEPTTL; PERSIST k", "GET k", "$x");
        check("SET k v PXAT 1000; PERSIST k", "GET k", "$v");
        check("HSET h f v; HPEXPIREAT h 1000 FIELDS 1 f; HPERSIST h FIELDS 1 f", "HGET h f", "$v");
        check("HSET h f v g w; HPEXPIREAT h 1000 FIELDS 1 f", "HGET h f; HGET h g", "$_ $w");
    }

    #[test]
    fn times_from_now_on_are_counted_from_now() {
        check(
            "SETEX a 100 v; SET b v PX 5000; SET c v; EXPIRE c 7; GETEX c EX 9",
            "PTTL a; PTTL b; PTTL c",
            ":100000 :5000 :9000",
        );
        check("SET k v; PEXPIREAT k 1000000500", "PTTL k; OBJECT IDLETIME k", ":500 :0");
    }

    #[test]
    fn what_there_is_not_stops_loading() {
        check_refused("SET a 1; bla foo", "Unknown command 'bla'");
        check_refused("MULTI; bla foo", "Unknown command 'bla'");
        check_refused("CONFIG NOPE", "Unknown command 'CONFIG'");
        check_refused(
            "SELECT 16; SET a 1",
            "Data of database 16 found, but there are fewer (see 'databases') when",
        );
    }

    #[test]
    fn commands_that_fail_are_skipped_unless_that_is_forbidden() {
        let script = "SET a x; INCR a; LPUSH a b; GET; SET b 1";
        check(script, "MGET a b", "[$x $1]");
        let panics = Config {
            propagation_error_behavior: PropagationErrorBehavior::Panic,
            ..Config::default()
        };
        let error = load_with(&panics, &log(script)).map(|_| ()).expect_err("refused");
        assert!(matches!(error, ReplayError::Failed { name, .. } if name == "incr"));
    }

    #[test]
    fn settings_of_clients_do_not_stand_in_the_way() {
        let strict = Config { requirepass: "pw".into(), maxmemory: 1, ..Config::default() };
        let keyspace =
            load_with(&strict, &log("SET a 1; CLIENT PAUSE 100000; SET b 1; BLPOP l 0; SET c 1"));
        assert_eq!(keyspace.expect("a good log").db(0).len(), 3);
    }

    /// Everything a rewrite must get through, in several databases.
    fn rich() -> Bench {
        let mut bench = Bench::new();
        bench.check("SET s v; SET n 12; SET e \"\"; SETEX t 100 v", "+OK +OK +OK +OK");
        for n in 0..200 {
            let member = format!("member-{n}");
            let score = format!("{}", num::f64_of(n) / 7.0);
            bench.raw(&["RPUSH", "list", &member]);
            bench.raw(&["SADD", "set", &member]);
            bench.raw(&["SADD", "ints", &n.to_string()]);
            bench.raw(&["ZADD", "zset", &score, &member]);
            bench.raw(&["HSET", "hash", &member, &n.to_string()]);
        }
        bench.check(
            "SELECT 9; ZADD z inf a -inf b 1e300 c; RPUSH l 1 2 x; HSET h f v g w",
            "+OK :3 :3 :2",
        );
        bench.check("HPEXPIREAT h 1000000900 FIELDS 1 f; PEXPIREAT l 1000000700", "[:1] :1");
        bench.raw(&[b"SET".to_vec(), b"\0\r\n\xff".to_vec(), vec![b'x'; 200_000]]);
        bench
    }

    #[test]
    fn a_rewritten_log_makes_the_same_data() {
        let mut before = rich();
        let mut written = Vec::new();
        let keys = rewrite(&before.server.keyspace, &PLAIN, &mut written).expect("written");
        assert_eq!(keys, 13);
        let mut after = bench(&written);
        let digest = |bench: &mut Bench| bench.raw(&["DEBUG", "DIGEST"]);
        before.server.config.enable_debug_command = crate::config::Permission::Yes;
        after.server.config.enable_debug_command = crate::config::Permission::Yes;
        assert_eq!(digest(&mut before), digest(&mut after));
        after
            .check("PTTL t; SELECT 9; PTTL l; HPTTL h FIELDS 2 f g", ":100000 +OK :700 [:900 :-1]");
        after.check("ZSCORE z c; LRANGE l 0 -1", "$1e+300 [$1 $2 $x]");
    }

    #[test]
    fn elements_are_added_sixty_four_at_a_time() {
        let mut bench = Bench::new();
        for n in 0..130 {
            bench.raw(&["RPUSH", "l", &n.to_string()]);
        }
        let mut written = Vec::new();
        let options = RewriteOptions { timestamp: Some(5), ..PLAIN };
        rewrite(&bench.server.keyspace, &options, &mut written).expect("written");
        let text = String::from_utf8(written).expect("plain");
        assert!(text.starts_with(
            "#TS:5\r\n*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*66\r\n$5\r\nRPUSH\r\n$1\r\nl\r\n"
        ));
        assert_eq!((text.matches("*66\r\n").count(), text.matches("*4\r\n").count()), (2, 1));
    }

    #[test]
    fn a_write_that_fails_ends_a_rewrite() {
        struct Full(usize);
        impl std::io::Write for Full {
            fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
                self.0 = self.0.checked_sub(bytes.len()).ok_or(std::io::ErrorKind::StorageFull)?;
                Ok(bytes.len())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let bench = rich();
        for room in [0, 70_000, 150_000] {
            let error = rewrite(&bench.server.keyspace, &PLAIN, Full(room)).expect_err("no room");
            assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
        }
    }
}
