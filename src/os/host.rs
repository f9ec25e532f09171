//! The machine, as commands ask for it.

use super::affinity::{self, CpuList};
use super::aof::AppendLog;
use super::child::{self, Children, Reporter};
use super::defrag::Defragmenter;
use super::intake::SnapshotIntake;
use super::listen::{Listener, Transport};
use super::load::{self, Load, Outcome};
use super::memory::{self, BackgroundPurge, Control};
use super::new_file::NewFile;
use super::oom::{OomAdjuster, OomMode, OomScores, ProcessClass};
use super::reactor::{self, Listeners};
use super::reclaim::Reclaimer;
use super::spill::NamelessFile;
use super::supervise::{Notice, Supervisor};
use super::sysinfo::{self, CpuScope};
use super::title::{ProcessTitle, TitleFields};
use super::tls::Keeper;
use super::{crash, errno, listen, locale, log, options, random, rlimit, signal, title, watchdog};
use crate::base::num;
use crate::command::host::{
    self, AppendOnlyFile, CertificateFacts, ChildEnd, ChildKind, ChildProgress, Collation, CpuUse,
    Crash, Facts, Forked, Host, MemoryUse, Relocations, Sync,
};
use crate::command::persist::Loaded;
use crate::command::replication::Role;
use crate::command::server::Now;
use crate::config::{Config, Trigger};
use crate::ds::relocate::Relocator;
use crate::persist::Progress;
use crate::repl::SpillFile;
use crate::store::Keyspace;
use mio::unix::pipe::{self, Receiver};
use mio::{Interest, Registry, Waker};
use std::any::Any;
use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// Bytes that a child writes into a pipe at once.
const PIPE_WRITE_BYTES: usize = 64 * 1024;

/// The real machine.
#[derive(Debug)]
pub struct Machine {
    facts: Facts,
    registry: Registry,
    listeners: Listeners,
    tls: Keeper,
    reclaimer: Reclaimer,
    defragmenter: Defragmenter,
    oom: OomAdjuster,
    oom_setting: (OomMode, OomScores),
    class: ProcessClass,
    title: Option<ProcessTitle>,
    /// The configuration whose listeners are open.
    listening: Config,
    children: Children,
    supervisor: Rc<Supervisor>,
    /// What the child writes; it is there no more once it is complete.
    unfinished: Option<PathBuf>,
    /// What a child writes for replicas.
    pipe: Option<Receiver>,
    /// The load at the start, until it is over.
    load: Option<Load>,
    /// The append-only file, once the data are loaded.
    log: Option<AppendLog>,
    /// Snapshots that a primary sends.
    intake: SnapshotIntake,
    /// Ends the reactor's wait.
    waker: Arc<Waker>,
}

/// What [`Machine::new`] is given: what `start` has set up already.
#[derive(Debug)]
pub struct Parts {
    /// What does not change.
    pub facts: Facts,
    /// Where sockets are registered.
    pub registry: Registry,
    /// The listening sockets.
    pub listeners: Listeners,
    /// What TLS connections are made with.
    pub tls: Keeper,
    /// The process's title, if it can be changed.
    pub title: Option<ProcessTitle>,
    /// Who started the process.
    pub supervisor: Rc<Supervisor>,
    /// The load of the data that was begun.
    pub load: Load,
    /// Who takes snapshots that a primary sends.
    pub intake: SnapshotIntake,
    /// Ends the reactor's wait.
    pub waker: Arc<Waker>,
}

impl Machine {
    /// The machine, with the configuration in force.
    ///
    /// # Errors
    /// The helper thread cannot be started.
    pub fn new(parts: Parts, config: &Config) -> io::Result<Self> {
        let mut machine = Self {
            facts: parts.facts,
            registry: parts.registry,
            listeners: parts.listeners,
            tls: parts.tls,
            reclaimer: Reclaimer::start()?,
            defragmenter: Defragmenter::default(),
            oom: OomAdjuster::new(),
            oom_setting: options::oom(config),
            class: ProcessClass::Primary,
            title: parts.title,
            listening: config.clone(),
            children: Children::new()?,
            supervisor: parts.supervisor,
            load: Some(parts.load),
            log: None,
            intake: parts.intake,
            waker: parts.waker,
            unfinished: None,
            pipe: None,
        };
        machine.set_title(config);
        // Failures are logged; the server runs without, as Redis does.
        let _ = machine.set_oom_score(config);
        Ok(machine)
    }

    fn set_oom_score(&mut self, config: &Config) -> Result<(), String> {
        self.oom_setting = options::oom(config);
        let (mode, scores) = self.oom_setting;
        let applied = self.oom.apply(mode, scores, self.class);
        applied.map_err(|_| {
            "Failed to apply new oom_score_adj configuration, check server logs.".to_owned()
        })
    }

    fn set_title(&mut self, config: &Config) {
        let Some(shown) = &mut self.title else { return };
        if !config.set_proc_title {
            return;
        }
        let hosts: Vec<String> = config.bind.iter().map(|bind| bind.host.to_string()).collect();
        let hosts: Vec<&str> = hosts.iter().map(String::as_str).collect();
        let unixsocket = config.unixsocket.to_string();
        let called = shown.called().to_owned();
        let fields = TitleFields {
            title: &called,
            listen_addr: &title::listen_address(&hosts, config.port, config.tls_port, &unixsocket),
            server_mode: "",
            port: config.port,
            tls_port: config.tls_port,
            unixsocket: &unixsocket,
            config_file: &self.facts.config_file,
        };
        if let Ok(text) = title::expand(&config.proc_title_template.to_string(), &fields) {
            shown.set(&text);
        }
    }

    /// Removes what a child has left half-written.
    fn remove_unfinished(&mut self) {
        if let Some(path) = self.unfinished.take() {
            let _ = fs::remove_file(path); // it has its name, or was removed by the child
        }
    }

    /// Reads certificates and keys.
    fn adopt_certificates(&mut self, config: &Config) -> Result<(), String> {
        self.tls.adopt(config).map_err(|reason| {
            tracing::warn!("Failed to configure TLS: {reason}");
            "Unable to update TLS configuration. Check server logs.".to_owned()
        })
    }

    /// Listens on the addresses of `config` instead of those before; if that fails, on those again.
    fn move_listeners(&mut self, config: &Config) -> Result<(), String> {
        self.move_transport(config, Transport::Tcp)?;
        if let Err(reason) = self.move_transport(config, Transport::Tls) {
            let before = self.listening.clone();
            self.listening = config.clone();
            if let Err(reason) = self.move_transport(&before, Transport::Tcp) {
                tracing::warn!("Cannot listen as before: {reason}");
            }
            self.listening = before;
            return Err(reason);
        }
        self.listening = config.clone();
        Ok(())
    }

    fn move_transport(&mut self, config: &Config, transport: Transport) -> Result<(), String> {
        let port = |config: &Config| match transport {
            Transport::Tcp => config.port,
            Transport::Tls => config.tls_port,
            Transport::Unix => 0,
        };
        if port(config) != port(&self.listening) {
            self.move_port(config, transport)
        } else if config.bind == self.listening.bind {
            Ok(())
        } else {
            self.move_addresses(config, transport)
        }
    }

    /// Another port: the old listeners stay until the new ones are open.
    fn move_port(&mut self, config: &Config, transport: Transport) -> Result<(), String> {
        let opened = open_listeners(config, transport)
            .map_err(|_| "Unable to listen on this port. Check server logs.")?;
        self.replace_listeners(transport, opened)
    }

    /// Other addresses on the same port: two sockets cannot listen there at once.
    fn move_addresses(&mut self, config: &Config, transport: Transport) -> Result<(), String> {
        self.replace_listeners(transport, Vec::new())?;
        match open_listeners(config, transport) {
            Ok(opened) => self.replace_listeners(transport, opened),
            Err(_) => {
                match open_listeners(&self.listening, transport) {
                    Ok(reopened) => self.replace_listeners(transport, reopened)?,
                    Err(reason) => tracing::warn!("Cannot listen as before: {reason}"),
                }
                Err("Failed to bind to specified addresses.".to_owned())
            }
        }
    }

    /// Closes the listeners of a transport and takes others instead. Tokens are positions, so that all
    /// are registered anew.
    fn replace_listeners(
        &mut self,
        transport: Transport,
        others: Vec<Listener>,
    ) -> Result<(), String> {
        let mut listeners = self.listeners.borrow_mut();
        for listener in listeners.iter_mut() {
            // One that was never registered has nothing to take back.
            let _ = listener.deregister(&self.registry);
        }
        listeners.retain(|listener| listener.transport != transport);
        listeners.extend(others);
        for (index, listener) in listeners.iter_mut().enumerate() {
            let token = reactor::listener_token(index);
            listener.register(&self.registry, token).map_err(|error| errno::text(&error))?;
        }
        Ok(())
    }
}

fn open_listeners(config: &Config, transport: Transport) -> Result<Vec<Listener>, String> {
    let options = options::listen(config);
    match transport {
        Transport::Tcp => listen::listen_tcp(&options),
        Transport::Tls => listen::listen_tls(&options),
        Transport::Unix => Ok(Vec::new()),
    }
}

/// Makes a child known for what it is, and lets it run where the configuration says.
fn prepare_child(kind: ChildKind, title: &mut Option<ProcessTitle>, config: &Config) {
    let (name, cpus) = match kind {
        ChildKind::Snapshot => ("redis-rdb-bgsave", &config.bgsave_cpulist),
        ChildKind::Rewrite => ("redis-aof-rewrite", &config.aof_rewrite_cpulist),
    };
    if let Some(title) = title {
        title.set(name);
    }
    if cpus.is_empty() {
        return;
    }
    let list = CpuList::parse(&cpus.to_string()).ok();
    let bound = list.is_some_and(|list| affinity::bind_thread(&list).is_ok());
    if !bound {
        tracing::warn!("The child cannot run on the CPUs '{cpus}' only");
    }
}

fn seconds(micros: u64) -> f64 {
    num::f64_of_u64(micros) / 1e6
}

impl Host for Machine {
    fn memory(&mut self) -> MemoryUse {
        let stats = memory::allocator_stats();
        MemoryUse {
            used: memory::used_memory(),
            allocated: stats.allocated,
            active: stats.active,
            resident: stats.resident,
            retained: stats.retained,
            muzzy: stats.muzzy,
            rss: memory::rss_bytes(),
            system: sysinfo::available_memory_bytes(),
        }
    }

    fn allocated(&mut self) -> u64 {
        memory::used_memory()
    }

    fn cpu(&self) -> CpuUse {
        let [process, children, thread] =
            [CpuScope::Process, CpuScope::Children, CpuScope::Thread].map(sysinfo::cpu_usage);
        CpuUse {
            sys: seconds(process.system_us),
            user: seconds(process.user_us),
            sys_children: seconds(children.system_us),
            user_children: seconds(children.user_us),
            sys_main_thread: seconds(thread.system_us),
            user_main_thread: seconds(thread.user_us),
        }
    }

    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn certificates(&self) -> CertificateFacts {
        self.tls.facts()
    }

    fn look_after_certificates(&mut self, config: &Config, now: Now) {
        self.tls.look(config, now);
    }

    fn apply(&mut self, trigger: Trigger, config: &Config) -> Result<(), String> {
        match trigger {
            Trigger::Tls => self.adopt_certificates(config)?,
            Trigger::ListenPorts => {
                if config.tls_port != self.listening.tls_port {
                    self.adopt_certificates(config)?;
                }
                self.move_listeners(config)?;
                self.set_title(config);
            }
            Trigger::MaxClients => {
                let wanted = u64::from(config.maxclients);
                let room = rlimit::fit_open_files(wanted);
                let maxclients = room.maxclients(wanted).unwrap_or(0);
                if maxclients < wanted {
                    return Err(format!(
                        "The operating system is not able to handle the specified number of \
                         clients, try with {maxclients}"
                    ));
                }
            }
            Trigger::LogLevel | Trigger::LogFormat => {
                log::set(&options::log(config)).map_err(|error| error.to_string())?;
            }
            Trigger::OomScore => self.set_oom_score(config)?,
            Trigger::ProcTitle => self.set_title(config),
            Trigger::Directory => std::env::set_current_dir(config.dir.as_path())
                .map_err(|error| errno::text(&error))?,
            Trigger::CrashLog => {
                let crash_log = if config.crash_log_enabled {
                    crash::CrashLog::On
                } else {
                    crash::CrashLog::Off
                };
                crash::set(crash_log).map_err(|error| error.to_string())?;
            }
            Trigger::Watchdog => watchdog::set(config.watchdog_period),
            Trigger::AllocatorThread => set_background_purge(config)?,
            // These concern the server itself, which has dealt with them.
            Trigger::Hz
            | Trigger::RequirePass
            | Trigger::AppendOnly
            | Trigger::AppendSync
            | Trigger::MemoryLimit
            | Trigger::ClientMemoryLimit
            | Trigger::TrackingLimit
            | Trigger::Replicas
            | Trigger::Defragmentation => {}
        }
        Ok(())
    }

    fn read_file(&mut self, path: &Path) -> io::Result<Vec<u8>> {
        fs::read(path)
    }

    fn replace_file(&mut self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        replace_file(path, bytes)
    }

    fn fill_random(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        random::fill(buffer)
    }

    fn open_file(&mut self, path: &Path) -> io::Result<(Box<dyn Read>, u64)> {
        let file = File::open(path)?;
        let len = file.metadata()?.len();
        Ok((Box::new(file), len))
    }

    fn remove_file(&mut self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn write_file(
        &mut self,
        file: host::NewFile<'_>,
        write: &mut host::Write<'_>,
    ) -> io::Result<()> {
        let temporary = file.path.with_file_name(temporary_name(&file, std::process::id()));
        // A path with a NUL was refused when it was configured.
        let _ = signal::unlink_on_exit(Some(&temporary));
        let progress = Progress::new();
        let written = write_new_file(&file, |new| write(new, &progress));
        let _ = signal::unlink_on_exit(None);
        written.inspect_err(|error| tracing::warn!("{error}"))
    }

    fn write_file_in_child(
        &mut self,
        kind: ChildKind,
        file: host::NewFile<'_>,
        write: &mut host::Write<'_>,
    ) -> io::Result<Forked> {
        let Self { children, oom, oom_setting, title, listening: config, .. } = self;
        let forked = children.start(kind, &mut |reporter| {
            // It works without; the log says why it is not as asked for.
            let _ = oom.apply(oom_setting.0, oom_setting.1, ProcessClass::Child);
            prepare_child(kind, title, config);
            write_new_file(&file, |new| {
                let progress = reporter.progress();
                write(&mut Reporting { file: new, reporter }, progress)
            })
        })?;
        self.unfinished = Some(file.path.with_file_name(temporary_name(&file, forked.pid)));
        Ok(forked)
    }

    fn write_pipe_in_child(&mut self, write: &mut host::Write<'_>) -> io::Result<Forked> {
        let (sender, mut receiver) = pipe::new()?;
        child::enlarge_pipe(&sender);
        // The child waits when the pipe is full; the server does not when it is empty.
        sender.set_nonblocking(false)?;
        self.registry.register(&mut receiver, reactor::PIPE_TOKEN, Interest::READABLE)?;
        let Self { children, oom, oom_setting, title, listening: config, .. } = self;
        let kind = ChildKind::Snapshot;
        let forked = children.start(kind, &mut |reporter| {
            let _ = oom.apply(oom_setting.0, oom_setting.1, ProcessClass::Child);
            prepare_child(kind, title, config);
            let mut out = BufWriter::with_capacity(PIPE_WRITE_BYTES, &sender);
            let progress = reporter.progress();
            write(&mut Reporting { file: &mut out, reporter }, progress)?;
            out.flush()
        })?;
        self.pipe = Some(receiver);
        Ok(forked)
    }

    fn read_pipe(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.pipe.as_mut().map_or(Ok(0), |pipe| pipe.read(buffer))
    }

    fn close_pipe(&mut self) {
        self.pipe = None; // closing the descriptor also removes it from the poll
    }

    fn child_progress(&self) -> ChildProgress {
        self.children.progress()
    }

    fn take_child_end(&mut self) -> Option<ChildEnd> {
        let end = self.children.take_end()?;
        self.remove_unfinished();
        Some(end)
    }

    fn stop_child(&mut self) {
        if self.children.stop().is_some() {
            self.remove_unfinished();
        }
    }

    fn forget_signal(&mut self) {
        signal::forget();
    }

    fn announce_ready(&mut self) {
        let kind = |listener: &Listener| listener.transport.name();
        let mut kinds: Vec<&str> = self.listeners.borrow().iter().map(kind).collect();
        kinds.dedup(); // one line for all addresses
        for kind in kinds {
            tracing::info!("Ready to accept connections {kind}");
        }
        self.supervisor.notify(Notice::Status("Ready to accept connections"));
        self.supervisor.notify(Notice::Ready);
    }

    fn load_log(&mut self, keyspace: Keyspace, config: &Config) -> Result<Loaded, String> {
        let log = self.log.as_mut().ok_or("there is no append-only file")?;
        load::again(config, log, keyspace)
    }

    fn append_only_file(&self) -> Option<&dyn AppendOnlyFile> {
        self.log.as_ref().map(|log| -> &dyn AppendOnlyFile { log })
    }

    fn append_only_file_mut(&mut self) -> Option<&mut dyn AppendOnlyFile> {
        self.log.as_mut().map(|log| -> &mut dyn AppendOnlyFile { log })
    }

    fn take_loaded(&mut self) -> Option<Result<Loaded, String>> {
        let outcome = self.load.as_mut()?.take()?;
        self.load = None;
        Some(outcome.map(|Outcome { loaded, log }| {
            self.log = Some(log);
            loaded
        }))
    }

    fn intake(&mut self) -> Option<&mut dyn host::Intake> {
        Some(&mut self.intake)
    }

    fn has_intake_room(&self) -> bool {
        self.intake.has_room()
    }

    fn spill_file(&mut self) -> Result<Box<dyn SpillFile>, String> {
        // `dir` is the folder that the process is in.
        let file = NamelessFile::create(Path::new(""), Arc::clone(&self.waker))?;
        Ok(Box::new(file))
    }

    fn collect_packets(&mut self, descriptor: i32) {
        if let Err(error) = listen::collect_packets(descriptor) {
            tracing::debug!("Letting packets be collected: {}", errno::text(&error));
        }
    }

    fn follow_role(&mut self, role: &Role) {
        let (class, shown) = match role {
            Role::Primary => (ProcessClass::Primary, log::Role::Primary),
            Role::Replica(_) => (ProcessClass::Replica, log::Role::Replica),
        };
        log::set_role(shown);
        self.class = class;
        let (mode, scores) = self.oom_setting;
        // It works without; the log says why it is not as asked for.
        let _ = self.oom.apply(mode, scores, class);
    }

    fn drop_later(&mut self, garbage: Box<dyn Any + Send>) {
        self.reclaimer.drop_later(garbage);
    }

    fn drops_pending(&self) -> u64 {
        self.reclaimer.pending()
    }

    fn sleeper(&self) -> fn(Duration) {
        std::thread::sleep
    }

    fn relocator(&mut self) -> &mut dyn Relocator {
        self.defragmenter.begin_slice();
        &mut self.defragmenter
    }

    fn relocations(&self) -> Relocations {
        Relocations { moved: self.defragmenter.moved(), kept: self.defragmenter.kept() }
    }

    fn purge_memory(&mut self) -> io::Result<()> {
        memory::purge()
    }

    fn allocator_number(&mut self, name: &str, value: Option<i64>) -> io::Result<i64> {
        match memory::number_control(name, value)? {
            Control::Number(number) => Ok(number),
            Control::Text(_) | Control::Done => Ok(0),
        }
    }

    fn allocator_text(&mut self, name: &str, value: Option<&str>) -> io::Result<Option<String>> {
        match memory::text_control(name, value)? {
            Control::Text(text) => Ok(Some(text)),
            Control::Number(number) => Ok(Some(number.to_string())),
            Control::Done => Ok(None),
        }
    }

    fn allocator_report(&mut self) -> String {
        memory::allocator_report()
    }

    fn crash(&mut self, how: Crash) {
        match how {
            Crash::Segfault => crash::segfault(),
            Crash::Panic => panic!("asked to panic by DEBUG PANIC"),
            Crash::Assert => panic!("=== ASSERTION FAILED === asked for by DEBUG ASSERT"),
            Crash::Exit => std::process::exit(1),
        }
    }

    fn utc_offset_s(&self, unix_s: i64) -> i32 {
        log::utc_offset_s(unix_s)
    }
    fn collation(&self) -> Collation {
        locale::collation()
    }
    fn put_collation_key(&self, text: &[u8], out: &mut Vec<u8>) {
        locale::put_key(text, out);
    }
}

/// Starts or stops the allocator's own thread.
///
/// # Errors
/// A sentence for the log or the client.
pub fn set_background_purge(config: &Config) -> Result<(), String> {
    let purge = if config.jemalloc_bg_thread { BackgroundPurge::On } else { BackgroundPurge::Off };
    memory::set_background_purge(purge).map_err(|error| errno::text(&error))
}

/// Replaces a file as a whole: whatever happens, the name stands for the old bytes or the new ones.
///
/// # Errors
/// As the system gives them; the old file is then untouched.
pub fn replace_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = format!(".{name}-{}.tmp", std::process::id());
    let mut file = NewFile::create(path, &temporary, Sync::AtEnd)?;
    if let Ok(old) = fs::metadata(path) {
        fs::set_permissions(file.temporary(), old.permissions())?;
    }
    file.write_all(bytes)?;
    file.commit()
}

/// The name a file has while a process writes it: `temp-4242.rdb`.
fn temporary_name(file: &host::NewFile<'_>, pid: u32) -> String {
    let extension = file.path.extension().unwrap_or_default().to_string_lossy();
    format!("{}{pid}.{extension}", file.temporary)
}

/// Writes a file whole, in this process.
fn write_new_file(
    file: &host::NewFile<'_>,
    mut write: impl FnMut(&mut NewFile) -> io::Result<()>,
) -> io::Result<()> {
    let temporary = temporary_name(file, std::process::id());
    let mut new = NewFile::create(file.path, &temporary, file.sync)?;
    write(&mut new)?;
    new.commit()
}

/// What a child writes to: it measures itself now and then.
struct Reporting<'a, W> {
    file: &'a mut W,
    reporter: &'a mut Reporter,
}

impl<W: Write> Write for Reporting<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.reporter.tick();
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Sets the collation of SORT … ALPHA and warns if there is none of that name.
pub fn set_collation(config: &Config) {
    let name = config.locale_collate.to_string();
    if locale::set_collation(&name).is_err() {
        tracing::warn!("Failed to configure LOCALE for invalid locale name.");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_keeps_its_mode() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("redis.conf");
        fs::write(&path, b"old").expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("set");
        replace_file(&path, b"new").expect("replaced");
        assert_eq!(fs::read(&path).expect("read"), b"new");
        assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o640);
        assert_eq!(fs::read_dir(folder.path()).expect("listed").count(), 1);
        assert!(replace_file(&folder.path().join("no/such"), b"x").is_err());
    }
}
