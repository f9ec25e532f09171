//! From the command line to the event loop and back.

use super::aof::{AppendLog, RealDisk, Thread};
use super::crash::{self, CrashLog};
use super::daemon::{self, Farewell, PidFile};
use super::host::{self, Machine, Parts};
use super::intake::SnapshotIntake;
use super::kernel::{self, HugePages};
use super::load::Load;
use super::log::{self, Role};
use super::reactor::{self, Reactor, Turn};
use super::signal::{ShutdownSignal, Signals};
use super::supervise::{Notice, Supervisor};
use super::title::ProcessTitle;
use super::tls::{self, Keeper};
use super::{
    banner, clock, config_file, errno, listen, memory, options, random, rlimit, sysinfo, watchdog,
};
use crate::base::hash::HashKey;
use crate::base::rng::Rng;
use crate::command::Server;
use crate::command::acl::BadUsers;
use crate::command::host::Facts;
use crate::command::persist::{Ending, Patience, Save, Unsaved};
use crate::config::{
    BindAddress, CommandLine, Config, LoadError, Loaded, Reason, ShutdownFlags, Stdin, Text,
};
use crate::node::Node;
use crate::store::Keyspace;
use mio::unix::SourceFd;
use mio::{Interest, Poll, Waker};
use std::fmt;
use std::io::{self, Read};
use std::net::IpAddr;
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

/// Why the server could not start. `Display` says it to the operator.
#[derive(Debug)]
pub enum StartError {
    /// The configuration is wrong.
    Config(Box<LoadError>),
    /// An address cannot be listened on, the limit of open files is too low, and the like; the log says
    /// what.
    Logged,
    /// The system refused something else.
    Io(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(error) => error.fmt(f),
            Self::Logged => f.write_str("the log says why"),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for StartError {}

impl From<io::Error> for StartError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<LoadError> for StartError {
    fn from(error: LoadError) -> Self {
        Self::Config(Box::new(error))
    }
}

/// Says in the log why the server cannot start.
fn refused(reason: &str) -> StartError {
    tracing::warn!("{reason}");
    StartError::Logged
}

/// Reads the configuration that a command line names.
///
/// # Errors
/// The first line that is wrong.
pub fn configure(command_line: &CommandLine) -> Result<Loaded, StartError> {
    let mut text = Vec::new();
    if command_line.stdin == Stdin::Configuration {
        io::stdin().read_to_end(&mut text)?;
    }
    Ok(crate::config::load(command_line, &text, &mut config_file::read)?)
}

/// Runs the server until it is told to end; returns the exit status.
///
/// # Errors
/// What keeps it from starting.
pub fn serve(command_line: &CommandLine) -> Result<i32, StartError> {
    let started_from = std::env::current_dir()?;
    let mut loaded = configure(command_line)?;
    let title = ProcessTitle::take();
    log::install();
    crash::set_panic_hook();
    let supervisor = Rc::new(Supervisor::find(options::supervised(&loaded.config)));
    if loaded.config.daemonize && matches!(*supervisor, Supervisor::Nobody) {
        daemon::daemonize()?;
    }
    enter_directory(&mut loaded)?;
    log::set(&options::log(&loaded.config))
        .map_err(|error| loaded.error("logfile", error.to_string()))?;
    let config_file = command_line.file.as_ref().map(|file| started_from.join(file));
    announce(&loaded, config_file.as_ref());
    let mut traces = Traces { pid_file: create_pid_file(&loaded.config), ..Traces::default() };
    let ended = serve_as(&mut loaded, config_file, title, &supervisor, &mut traces);
    let farewell = if matches!(ended, Ok(0)) { Farewell::Logged } else { Farewell::Silent };
    traces.remove(farewell);
    if farewell == Farewell::Logged {
        tracing::warn!("Redis is now ready to exit, bye bye...");
    }
    ended
}

/// What a server has in the file system only as long as it runs.
#[derive(Default)]
struct Traces {
    pid_file: Option<PidFile>,
    listeners: reactor::Listeners,
}

impl Traces {
    fn remove(self, farewell: Farewell) {
        if let Some(pid_file) = self.pid_file {
            pid_file.remove(farewell);
        }
        for listener in self.listeners.borrow().iter() {
            listener.unlink(farewell);
        }
    }
}

fn serve_as(
    loaded: &mut Loaded,
    config_file: Option<PathBuf>,
    title: Option<ProcessTitle>,
    supervisor: &Rc<Supervisor>,
    traces: &mut Traces,
) -> Result<i32, StartError> {
    let signals = Signals::install()?;
    let clock = prepare_process(&mut loaded.config)?;
    let facts = facts(config_file.unwrap_or_default(), supervisor, clock)?;
    let machine = Surroundings { facts, title, supervisor: Rc::clone(supervisor) };
    let mut reactor = build(loaded, machine, &signals, &traces.listeners)?;
    let status = run(&mut reactor, &signals)?;
    supervisor.notify(Notice::Stopping);
    std::mem::forget(reactor); // the system takes the data back at once, not value by value
    Ok(status)
}

fn enter_directory(loaded: &mut Loaded) -> Result<(), StartError> {
    let dir = loaded.config.dir.as_path();
    if !dir.as_os_str().is_empty() {
        std::env::set_current_dir(dir).map_err(|error| {
            let reason = format!("Can't chdir to '{}': {}", dir.display(), errno::text(&error));
            loaded.error("dir", reason)
        })?;
    }
    // CONFIG GET and REWRITE print where the server is, not how it was told to get there.
    loaded.config.dir = Text::from(std::env::current_dir()?.as_path());
    Ok(())
}

fn announce(loaded: &Loaded, config_file: Option<&PathBuf>) {
    tracing::info!("oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo");
    tracing::info!(
        "Redis version={}, bits=64, commit={}, modified=0, pid={}, just started",
        crate::config::REDIS_VERSION,
        banner::version_text(),
        std::process::id()
    );
    match config_file {
        Some(_) => tracing::info!("Configuration loaded"),
        None => tracing::warn!(
            "Warning: no config file specified, using the default config. In order to specify a \
             config file use carnelian-server /path/to/redis.conf"
        ),
    }
    for note in &loaded.notes {
        tracing::info!("{note}");
    }
}

fn create_pid_file(config: &Config) -> Option<PidFile> {
    let path = config.pidfile.as_path();
    let path = match (path.as_os_str().is_empty(), config.daemonize) {
        (false, _) => path.to_owned(),
        (true, true) => PathBuf::from("/var/run/redis.pid"),
        (true, false) => return None,
    };
    match PidFile::create(&path) {
        Ok(file) => Some(file),
        Err(error) => {
            tracing::warn!("Failed to write PID file {}: {error}", path.display());
            None
        }
    }
}

/// Limits, clocks, memory settings and the crash report; the name of the clock.
fn prepare_process(config: &mut Config) -> Result<String, StartError> {
    let wanted = u64::from(config.maxclients);
    let room = rlimit::fit_open_files(wanted);
    room.log();
    let Some(maxclients) = room.maxclients(wanted) else {
        return Err(StartError::Logged);
    };
    config.maxclients = u32::try_from(maxclients).unwrap_or(config.maxclients);
    let huge_pages = if config.disable_thp { HugePages::Disable } else { HugePages::Keep };
    kernel::prepare_memory(huge_pages);
    note_memory_limit(config);
    let source = clock::init();
    tracing::info!("monotonic clock: {}", source.describe());
    if let Err(reason) = host::set_background_purge(config) {
        tracing::debug!("The allocator has no thread of its own: {reason}");
    }
    host::set_collation(config);
    watchdog::set(config.watchdog_period);
    if config.crash_log_enabled {
        // Without it a crash would still end the process, only silently.
        let _ = rlimit::raise_core_limit();
        crash::set(CrashLog::On)?;
    }
    Ok(source.describe())
}

/// Says how much memory a control group leaves to the server, and whether `maxmemory` fits in.
fn note_memory_limit(config: &Config) {
    let available = sysinfo::available_memory_bytes();
    if available < sysinfo::total_memory_bytes() {
        tracing::info!(bytes = available, "A control group limits the memory of this process");
    }
    if config.maxmemory > available {
        tracing::warn!(
            maxmemory = config.maxmemory,
            available,
            "maxmemory is more than the memory there is: the system may end the server before it \
             evicts a key"
        );
    }
}

/// What [`build`] is given besides the configuration.
struct Surroundings {
    facts: Facts,
    title: Option<ProcessTitle>,
    supervisor: Rc<Supervisor>,
}

fn build(
    loaded: &Loaded,
    surroundings: Surroundings,
    signals: &Signals,
    listeners: &reactor::Listeners,
) -> Result<Reactor, StartError> {
    let config = &loaded.config;
    let contexts = tls::Shared::default();
    let certificates = read_certificates(config, &contexts)?;
    let poll = Poll::new()?;
    let opened = listen::listen_all(&options::listen(config));
    listeners.replace(opened.map_err(|reason| refused(&reason))?);
    if listeners.borrow().is_empty() {
        return Err(refused("Configured to not listen anywhere, exiting."));
    }
    for (index, listener) in listeners.borrow_mut().iter_mut().enumerate() {
        listener.register(poll.registry(), reactor::listener_token(index))?;
    }
    let mut source = SourceFd(&signals.as_raw_fd());
    let registry = poll.registry();
    mio::event::Source::register(&mut source, registry, reactor::SIGNAL_TOKEN, Interest::READABLE)?;
    let [first, second, third, fourth] = random::seed()?;
    let hash_key = HashKey::new(first, second);
    let mut rng = Rng::seeded(third);
    let mut keyspace = || Keyspace::new(config.databases, hash_key, Rng::seeded(rng.next_u64()));
    log::set_role(Role::Primary);
    banner::print(config);
    tracing::info!("Server initialized");
    let waker = Arc::new(Waker::new(poll.registry(), reactor::WAKER_TOKEN)?);
    let notified = Arc::clone(&waker);
    // The reactor would find out by itself, a little later.
    let notify = Box::new(move || drop(notified.wake()));
    let disk = Arc::new(RealDisk);
    let helper = Thread::start(Arc::clone(&disk), notify)?;
    let append_log = AppendLog::new(disk, helper, config);
    let load = Load::begin(config, keyspace(), append_log, Arc::clone(&waker));
    let load = load.map_err(|reason| refused(&reason))?;
    let (progress, total_bytes) = (load.progress(), load.total_bytes());
    let Surroundings { facts, title, supervisor } = surroundings;
    let registry = poll.registry().try_clone()?;
    let intake = SnapshotIntake::new(Arc::clone(&waker));
    let parts = Parts {
        facts,
        registry,
        listeners: Rc::clone(listeners),
        tls: certificates,
        title,
        supervisor,
        load,
        intake,
        waker: Arc::clone(&waker),
    };
    let machine = Machine::new(parts, config)?;
    let now = reactor::now();
    let rng = Rng::seeded(fourth);
    let mut server =
        Server::new(config.clone(), keyspace(), Box::new(machine), clock::ticks, rng, now);
    server.begin_loading(progress, total_bytes);
    server.follow_configured();
    rename_commands(&mut server, loaded)?;
    load_users(&mut server)?;
    warn_if_open(&server);
    let listeners = Rc::clone(listeners);
    let mut reactor = Reactor::new(poll, Node::new(server), listeners, contexts, waker);
    if config.metrics_port != 0 {
        let opened = listen::listen_tcp(&options::metrics(config));
        reactor.serve_metrics(opened.map_err(|reason| refused(&reason))?)?;
    }
    Ok(reactor)
}

fn read_certificates(config: &Config, contexts: &tls::Shared) -> Result<Keeper, StartError> {
    let mut keeper = Keeper::new(Rc::clone(contexts));
    let adopted = keeper.adopt(config);
    adopted.map_err(|reason| refused(&format!("Failed to configure TLS: {reason}")))?;
    Ok(keeper)
}

fn facts(
    config_file: PathBuf,
    supervisor: &Supervisor,
    clock: String,
) -> Result<Facts, StartError> {
    Ok(Facts {
        pid: std::process::id(),
        run_id: String::from_utf8_lossy(&random::run_id()?).into_owned(),
        os: sysinfo::os_description(),
        executable: sysinfo::executable()?.display().to_string(),
        config_file: config_file.display().to_string(),
        supervised: supervisor.name(),
        allocator: memory::allocator_name(),
        clock,
        multiplexing: "epoll",
    })
}

fn rename_commands(server: &mut Server, loaded: &Loaded) -> Result<(), StartError> {
    for renamed in &loaded.config.rename_command {
        server
            .commands
            .rename(&renamed.from, &renamed.to)
            .map_err(|reason| refused(&format!("{reason}: '{}'", renamed.origin.text)))?;
    }
    Ok(())
}

fn load_users(server: &mut Server) -> Result<(), StartError> {
    server.load_users().map_err(|BadUsers { origin, reason }| match origin {
        Some(_) => LoadError { origin, reason: Reason::Failure(reason) }.into(),
        None => refused(&reason),
    })
}

/// Says so if anybody who reaches this machine may do everything.
fn warn_if_open(server: &Server) {
    let config = &server.config;
    let is_loopback = |address: &BindAddress| {
        let host = address.host.to_string();
        host == "localhost"
            || host.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
    };
    let is_reachable = (config.port != 0 || config.tls_port != 0)
        && (config.bind.is_empty() || !config.bind.iter().all(is_loopback));
    if is_reachable && !config.protected_mode && server.users.is_open() {
        tracing::warn!(
            "WARNING: Redis does not require authentication and is not protected by network \
             restrictions. Redis will accept connections from any IP address that can reach it. Set \
             a password (requirepass, ACL SETUSER), or protected-mode yes, or bind to 127.0.0.1."
        );
    }
}

/// Runs the loop until the end; the exit status.
fn run(reactor: &mut Reactor, signals: &Signals) -> io::Result<i32> {
    loop {
        match reactor.run()? {
            Turn::Continue => {}
            Turn::Signal => {
                // The handler has logged which signal it was.
                let Some(signal) = signals.take() else { continue };
                let server = &mut reactor.node_mut().server;
                server.ask_to_end(ending(signal, &server.config));
            }
            Turn::Shutdown => {
                let shutdown = reactor.node_mut().server.shutdown;
                return Ok(shutdown.map_or(0, |shutdown| shutdown.status));
            }
        }
    }
}

/// What a signal asks for, by `shutdown-on-sigterm` and `shutdown-on-sigint`.
fn ending(signal: ShutdownSignal, config: &Config) -> Ending {
    let flags = match signal {
        ShutdownSignal::Interrupt => config.shutdown_on_sigint,
        ShutdownSignal::Terminate => config.shutdown_on_sigterm,
    };
    let save = if flags.contains(ShutdownFlags::SAVE) {
        Save::Yes
    } else if flags.contains(ShutdownFlags::NOSAVE) {
        Save::No
    } else {
        Save::Configured
    };
    let unsaved = if flags.contains(ShutdownFlags::FORCE) { Unsaved::End } else { Unsaved::Stay };
    let is_hasty = flags.contains(ShutdownFlags::NOW);
    let patience = if is_hasty { Patience::None } else { Patience::Some };
    Ending { save, unsaved, patience }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_signal_asks_for_is_configured() {
        let mut config = Config::default();
        let mut check = |flags, save, unsaved| {
            config.shutdown_on_sigterm = flags;
            let asked = ending(ShutdownSignal::Terminate, &config);
            assert_eq!((asked.save, asked.unsaved), (save, unsaved), "{flags:?}");
            let other = ending(ShutdownSignal::Interrupt, &config);
            let patience = Patience::Some;
            let usual = Ending { save: Save::Configured, unsaved: Unsaved::Stay, patience };
            assert_eq!(other, usual);
        };
        let (save, force) = (ShutdownFlags::SAVE, ShutdownFlags::FORCE);
        check(ShutdownFlags::empty(), Save::Configured, Unsaved::Stay);
        check(ShutdownFlags::NOSAVE, Save::No, Unsaved::Stay);
        check(ShutdownFlags::NOW, Save::Configured, Unsaved::Stay);
        check(save, Save::Yes, Unsaved::Stay);
        check(save | ShutdownFlags::NOW, Save::Yes, Unsaved::Stay);
        check(save | force, Save::Yes, Unsaved::End);
    }
}
