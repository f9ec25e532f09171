//! The log: events of `tracing`, printed as Redis prints its lines, or as logfmt or JSON.
//!
//! ```text
//! 4242:M 20 Nov 2026 12:56:52.745 * Ready to accept connections
//! ```
//! Process id, role, local time, severity, message, and after it the event's fields as
//! ` key=value`. `error!` and `warn!` are Redis's warning (`#`), `info!` its notice (`*`), `debug!`
//! its verbose (`-`), `trace!` its debug (`.`).
//!
//! Each line is one `write`, at once and without a lock, so that threads do not mix their lines and
//! a forked child may log. Text from clients cannot start a line of its own: control characters
//! are escaped.

mod line;
pub(crate) mod sink;
mod syslog;
pub(crate) mod zone;

use std::fmt::{self, Write as _};
use std::io;
use std::os::fd::RawFd;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use tracing::level_filters::LevelFilter;
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt};

pub use syslog::{Facility, Syslog};

use super::errno;
use sink::{FdWriter, Sink};
use zone::{Caller, Stamp};

/// The least severe events that are printed; the directive `loglevel`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verbosity {
    /// Everything.
    Debug,
    /// All but debug events.
    Verbose,
    /// What an operator wants to see.
    #[default]
    Notice,
    /// Warnings and errors.
    Warning,
    /// Nothing at all.
    Nothing,
}

impl Verbosity {
    const ALL: [Verbosity; 5] = [
        Verbosity::Debug,
        Verbosity::Verbose,
        Verbosity::Notice,
        Verbosity::Warning,
        Verbosity::Nothing,
    ];

    fn filter(self) -> LevelFilter {
        match self {
            Verbosity::Debug => LevelFilter::TRACE,
            Verbosity::Verbose => LevelFilter::DEBUG,
            Verbosity::Notice => LevelFilter::INFO,
            Verbosity::Warning => LevelFilter::WARN,
            Verbosity::Nothing => LevelFilter::OFF,
        }
    }
}

/// How a line looks; the directive `log-format`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// As Redis prints it.
    #[default]
    Plain,
    /// `key=value` pairs throughout.
    Logfmt,
    /// One JSON object.
    Json,
}

impl Format {
    const ALL: [Format; 3] = [Format::Plain, Format::Logfmt, Format::Json];
}

/// What the process is at the moment; the letter after its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// `C`: a child that saves, or a server before it has read its configuration.
    Child,
    /// `M`.
    Primary,
    /// `S`.
    Replica,
    /// `X`.
    Sentinel,
}

impl Role {
    const ALL: [Role; 4] = [Role::Child, Role::Primary, Role::Replica, Role::Sentinel];

    fn letter(self) -> char {
        match self {
            Role::Child => 'C',
            Role::Primary => 'M',
            Role::Replica => 'S',
            Role::Sentinel => 'X',
        }
    }

    fn name(self) -> &'static str {
        match self {
            Role::Child => "child",
            Role::Primary => "master",
            Role::Replica => "slave",
            Role::Sentinel => "sentinel",
        }
    }
}

/// Redis's name for an event's level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Severity {
    Debug,
    Verbose,
    Notice,
    Warning,
}

impl Severity {
    fn of(level: Level) -> Severity {
        match level {
            Level::ERROR | Level::WARN => Severity::Warning,
            Level::INFO => Severity::Notice,
            Level::DEBUG => Severity::Verbose,
            Level::TRACE => Severity::Debug,
        }
    }

    fn mark(self) -> char {
        match self {
            Severity::Debug => '.',
            Severity::Verbose => '-',
            Severity::Notice => '*',
            Severity::Warning => '#',
        }
    }

    fn name(self) -> &'static str {
        match self {
            Severity::Debug => "debug",
            Severity::Verbose => "verbose",
            Severity::Notice => "notice",
            Severity::Warning => "warning",
        }
    }
}

/// Everything about the log that the configuration decides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogOptions {
    /// What is printed at all.
    pub verbosity: Verbosity,
    /// What a line looks like.
    pub format: Format,
    /// The file lines are appended to; `None`: the standard output.
    pub file: Option<PathBuf>,
    /// The system log, which gets every line as well.
    pub syslog: Option<Syslog>,
}

/// The log file could not be opened.
#[derive(Debug)]
pub struct OpenError {
    /// The file.
    pub path: PathBuf,
    /// Why.
    pub source: io::Error,
}

impl fmt::Display for OpenError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, reason) = (self.path.display(), errno::text(&self.source));
        write!(out, "Can't open the log file {path}: {reason}")
    }
}

impl std::error::Error for OpenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

/// The state behind the functions of this module; tests make their own.
struct Logger {
    verbosity: AtomicU8,
    format: AtomicU8,
    role: AtomicU8,
    to_syslog: AtomicBool,
    syslog: Mutex<Option<Syslog>>,
    sink: Sink,
}

static LOGGER: Logger = Logger::new();

impl Logger {
    const fn new() -> Logger {
        Logger {
            verbosity: AtomicU8::new(2),
            format: AtomicU8::new(0),
            role: AtomicU8::new(0),
            to_syslog: AtomicBool::new(false),
            syslog: Mutex::new(None),
            sink: Sink::stdout(),
        }
    }

    fn set(&self, options: &LogOptions) -> Result<(), OpenError> {
        self.sink.set(options.file.as_deref()).map_err(|source| {
            let path = options.file.clone().unwrap_or_default();
            OpenError { path, source }
        })?;
        self.set_syslog(options.syslog.as_ref());
        self.format.store(code_of(&Format::ALL, options.format), Ordering::Relaxed);
        self.verbosity.store(code_of(&Verbosity::ALL, options.verbosity), Ordering::Relaxed);
        // Each event's call site remembers whether it is wanted.
        tracing::callsite::rebuild_interest_cache();
        Ok(())
    }

    fn set_syslog(&self, wanted: Option<&Syslog>) {
        let mut open = self.syslog.lock().expect("no code panics while it holds the options");
        if open.as_ref() == wanted {
            return;
        }
        match wanted {
            Some(options) => syslog::open(options),
            None => syslog::close(),
        }
        self.to_syslog.store(wanted.is_some(), Ordering::Relaxed);
        *open = wanted.cloned();
    }

    fn verbosity(&self) -> Verbosity {
        Verbosity::ALL[usize::from(self.verbosity.load(Ordering::Relaxed))]
    }

    fn role(&self) -> Role {
        Role::ALL[usize::from(self.role.load(Ordering::Relaxed))]
    }

    fn is_wanted(&self, level: &Level) -> bool {
        self.verbosity().filter() >= *level
    }

    fn print(&self, event: &Event<'_>) {
        let mut content = line::Content::default();
        event.record(&mut content);
        let severity = Severity::of(*event.metadata().level());
        let format = Format::ALL[usize::from(self.format.load(Ordering::Relaxed))];
        let role = self.role();
        let caller = if role == Role::Child { Caller::MustNotLock } else { Caller::Ordinary };
        let line = line::render(format, severity, role, &Stamp::now(caller), &content);
        self.sink.write(line.as_bytes());
        if self.to_syslog.load(Ordering::Relaxed) {
            syslog::send(severity, &content.plain());
        }
    }
}

/// Where `value` stands among `all`.
fn code_of<T: PartialEq>(all: &[T], value: T) -> u8 {
    let index = all.iter().position(|other| *other == value);
    index.and_then(|index| u8::try_from(index).ok()).expect("the list names every value")
}

/// The layer that prints.
struct LineLayer(&'static Logger);

impl<S: Subscriber> Layer<S> for LineLayer {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.0.is_wanted(metadata.level()) { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        self.0.is_wanted(metadata.level())
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.0.verbosity().filter())
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        self.0.print(event);
    }
}

/// Starts printing the process's events: notices and above, on the standard output, as a
/// [`Role::Child`], until [`set`] and [`set_role`] say otherwise.
///
/// # Panics
/// If the process already has a subscriber: call it once, first thing in main.
pub fn install() {
    // The zone is known before anything forks.
    let _ = Stamp::now(Caller::Ordinary);
    let subscriber = tracing_subscriber::registry().with(LineLayer(&LOGGER));
    tracing::subscriber::set_global_default(subscriber).expect("the log is installed once");
}

/// Changes the log, at any time. A relative file is one of the working directory at this moment.
///
/// # Errors
/// If the file cannot be opened; then nothing has changed.
pub fn set(options: &LogOptions) -> Result<(), OpenError> {
    LOGGER.set(options)
}

/// The local time zone's offset from UTC at a time, seconds.
#[must_use]
pub fn utc_offset_s(unix_s: i64) -> i32 {
    zone::offset_s(unix_s, zone::Caller::Ordinary)
}

/// Changes the letter after the process's id.
pub fn set_role(role: Role) {
    LOGGER.role.store(code_of(&Role::ALL, role), Ordering::Relaxed);
}

/// Writes `text` as it is (a logo, a report), unless `loglevel` is above notice.
pub fn raw(text: &str) {
    if LOGGER.is_wanted(&Level::INFO) {
        LOGGER.sink.write(text.as_bytes());
    }
}

/// The descriptor lines go to. It stays open for ever.
pub(crate) fn fd() -> RawFd {
    LOGGER.sink.fd()
}

/// A line from inside a signal handler, as Redis writes them there: without the date, since that
/// could not be had safely. No heap, no lock.
pub(crate) fn line_from_handler(message: &str) {
    if LOGGER.is_wanted(&Level::WARN) {
        let (pid, unix_s) = (std::process::id(), super::clock::unix_ms() / 1000);
        let _ = writeln!(FdWriter::new(fd()), "{pid}:signal-handler ({unix_s}) {message}");
    }
}

/// A warning in Redis's form to `out`, whatever the format: for crash reports. No heap, no lock.
pub(crate) fn warning_from_handler(out: &mut dyn fmt::Write, message: fmt::Arguments<'_>) {
    let (pid, role) = (std::process::id(), LOGGER.role().letter());
    let _ = writeln!(out, "{pid}:{role} {} # {message}", Stamp::now(Caller::MustNotLock));
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// What a logger of its own prints while `body` runs, with the process's id as `PID`.
    fn printed(options: LogOptions, role: Role, body: impl FnOnce(&Logger)) -> Vec<String> {
        // Who is interested in which event is known to the whole process, and `set` asks the
        // subscriber of its own thread: one at a time.
        static ONE: std::sync::Mutex<()> = std::sync::Mutex::new(());
        let one = ONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("log");
        let logger: &'static Logger = Box::leak(Box::new(Logger::new()));
        logger.set(&LogOptions { file: Some(path.clone()), ..options }).unwrap();
        logger.role.store(code_of(&Role::ALL, role), Ordering::Relaxed);
        let subscriber = tracing_subscriber::registry().with(LineLayer(logger));
        tracing::subscriber::with_default(subscriber, || {
            tracing::callsite::rebuild_interest_cache();
            body(logger);
        });
        drop(one);
        let text = fs::read_to_string(path).unwrap();
        let pid = std::process::id().to_string();
        text.lines().map(|line| line.replacen(&pid, "PID", 1)).collect()
    }

    /// Splits `PID:M 20 Nov 2026 12:56:52.745 * message` and checks all but mark and message.
    fn check_plain(line: &str, role: char, mark: char, message: &str) {
        let words: Vec<&str> = line.splitn(7, ' ').collect();
        let [process, day, month, year, time, found_mark, rest] = words[..] else {
            panic!("too few words: {line}")
        };
        assert_eq!(process, format!("PID:{role}"));
        let is_number = |text: &str, len: usize| {
            text.len() == len && text.bytes().all(|byte| byte.is_ascii_digit())
        };
        assert!(is_number(day, 2) && is_number(year, 4), "{line}");
        assert!(month.len() == 3 && month.starts_with(char::is_uppercase), "{line}");
        let (clock, millis) = time.split_once('.').unwrap();
        assert!(clock.split(':').all(|part| is_number(part, 2)), "{line}");
        assert!(clock.split(':').count() == 3 && is_number(millis, 3), "{line}");
        assert_eq!((found_mark, rest), (mark.to_string().as_str(), message));
    }

    fn one_of_each() {
        tracing::trace!("t");
        tracing::debug!("d");
        tracing::info!("i");
        tracing::warn!("w");
        tracing::error!("e");
    }

    #[test]
    fn every_level_has_its_mark_and_every_role_its_letter() {
        let roles =
            [(Role::Child, 'C'), (Role::Primary, 'M'), (Role::Replica, 'S'), (Role::Sentinel, 'X')];
        for (role, letter) in roles {
            let options = LogOptions { verbosity: Verbosity::Debug, ..LogOptions::default() };
            let lines = printed(options, role, |_| one_of_each());
            let expected = [('.', "t"), ('-', "d"), ('*', "i"), ('#', "w"), ('#', "e")];
            assert_eq!(lines.len(), expected.len());
            for (line, (mark, message)) in lines.iter().zip(expected) {
                check_plain(line, letter, mark, message);
            }
        }
    }

    #[test]
    fn verbosity_can_change_while_running() {
        let lines = printed(LogOptions::default(), Role::Primary, |logger| {
            let path = logger.sink_path();
            for verbosity in Verbosity::ALL {
                let file = Some(path.clone());
                logger.set(&LogOptions { verbosity, file, ..LogOptions::default() }).unwrap();
                one_of_each();
            }
        });
        let marks: String = lines.iter().map(|line| line.split(' ').nth(5).unwrap()).collect();
        assert_eq!(marks, ".-*##-*##*####");
    }

    #[test]
    fn fields_follow_the_message() {
        let lines = printed(LogOptions::default(), Role::Primary, |_| {
            let peer = std::net::Ipv4Addr::LOCALHOST;
            tracing::info!(clients = 3, idle_s = -1, %peer, name = "a b", up = true, "Closed");
        });
        check_plain(
            &lines[0],
            'M',
            '*',
            "Closed clients=3 idle_s=-1 peer=127.0.0.1 name=\"a b\" up=true",
        );
    }

    #[test]
    fn text_of_clients_cannot_forge_a_line() {
        let lines = printed(LogOptions::default(), Role::Primary, |_| {
            let name = "x\n1:M 01 Jan 2026 00:00:00.000 * forged";
            tracing::info!(name, "Bye {name}");
        });
        assert_eq!(lines.len(), 1);
    }

    #[test]
    fn logfmt_and_json() {
        let body = |_: &Logger| tracing::warn!(count = 2, why = "no \"room\"", "Full: {}", "a");
        let with = |format| LogOptions { format, ..LogOptions::default() };
        let without_time = |line: &str| {
            let start = line.find("20").unwrap();
            let (time, rest) = line[start..].split_at("2026-11-20T12:56:52.745+01:00".len());
            assert!(time.contains('T') && time.contains('.'), "{time}");
            format!("{}TIME{rest}", &line[..start])
        };
        let lines = printed(with(Format::Logfmt), Role::Primary, body);
        assert_eq!(
            without_time(&lines[0]),
            "pid=PID role=master timestamp=TIME level=warning message=\"Full: a\" count=2 \
             why=\"no \\\"room\\\"\"",
        );
        let lines = printed(with(Format::Json), Role::Replica, body);
        assert_eq!(
            without_time(&lines[0]),
            r#"{"pid":PID,"role":"slave","timestamp":"TIME","level":"warning","#.to_owned()
                + r#""message":"Full: a","count":2,"why":"no \"room\""}"#,
        );
    }

    impl Logger {
        fn sink_path(&self) -> PathBuf {
            self.sink.path().expect("the test logs to a file")
        }
    }
}
