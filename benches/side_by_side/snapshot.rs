//! Snapshots: the time of SAVE and of loading, the pause at BGSAVE, and the memory that writes cost while
//! a snapshot is being written.
//!
//! The servers run on any core, as they would in production: a forked child must not compete with its
//! parent for one. Wall time is what users see; the CPU time beside it is what a shared machine cannot
//! blur. Files are written to the scratch directory of the system (`TMPDIR`).

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::daemon::{Daemon, Failure, Launch};
use crate::data_sets::{DATA_SETS, DataSet, STRINGS};
use crate::options::Options;
use crate::procfs;
use crate::servers::{Kind, Server};
use crate::stats::{Samples, mebibytes, micros};
use crate::wire::{Client, put_command};

/// How long a background save may take.
const PATIENCE: Duration = Duration::from_secs(120);
/// Between two looks at whether a background save has ended.
const POLL: Duration = Duration::from_millis(5);
/// Between two pings, so that the client leaves its core to the child.
const PING_PAUSE: Duration = Duration::from_micros(100);
/// Between two looks at the memory: each makes the kernel walk the page tables.
const MEMORY_POLL: Duration = Duration::from_millis(40);
/// The server's log, in its directory.
const LOG: &str = "server.log";

/// One quantity of a data set, with a cell for each server.
pub(crate) struct Row {
    pub(crate) data: &'static str,
    pub(crate) what: &'static str,
    pub(crate) decimals: usize,
    pub(crate) cells: Vec<Samples>,
}

/// All rows, and what a server could not do.
pub(crate) struct Report {
    pub(crate) rows: Vec<Row>,
    pub(crate) missing: Vec<String>,
}

/// What is measured, in the order of the rows: name and decimals.
const QUANTITIES: [(&str, usize); 9] = [
    ("SAVE, s", 3),
    ("SAVE, s of CPU", 2),
    ("file, MiB", 1),
    ("load, s", 3),
    ("load, s of CPU", 2),
    ("BGSAVE: fork, ms", 2),
    ("BGSAVE: longest ping, ms", 2),
    ("writes during BGSAVE: peak MiB", 0),
    ("writes during BGSAVE: peak of before", 2),
];
const SAVE: usize = 0;
const LOAD: usize = 3;
const FORK: usize = 5;
const PEAK: usize = 7;

/// Measures both data sets; the servers' order is that of the cells.
pub(crate) fn measure(options: &Options, servers: &[Server]) -> Result<Report, Failure> {
    let mut report = Report { rows: Vec::new(), missing: Vec::new() };
    for data in &DATA_SETS {
        measure_data(options, servers, data, &mut report)?;
    }
    report.rows.retain(|row| row.cells.iter().any(|samples| samples.median().is_some()));
    Ok(report)
}

/// A server with its data, and where it saves.
struct Contender<'a> {
    server: &'a Server,
    daemon: Daemon,
    dir: TempDir,
}

fn measure_data(
    options: &Options,
    servers: &[Server],
    data: &DataSet,
    report: &mut Report,
) -> Result<(), Failure> {
    let mut contenders = Vec::new();
    for server in servers {
        contenders.push(prepare(options, server, data)?);
    }
    let first = report.rows.len();
    report.rows.extend(QUANTITIES.map(|(what, decimals)| Row {
        data: data.title,
        what,
        decimals,
        cells: vec![Samples::default(); servers.len()],
    }));
    let steps: [(usize, Step); 4] =
        [(SAVE, save_once), (LOAD, load_once), (FORK, pause_once), (PEAK, peak_once)];
    // The writes of the last step replace values by strings, so that it comes last.
    for (quantity, step) in steps {
        if quantity == PEAK && data.title != STRINGS.title {
            continue;
        }
        let mut able = vec![true; servers.len()];
        for round in 1..=options.snapshot_repeats {
            for (column, contender) in contenders.iter_mut().enumerate() {
                if !able[column] {
                    continue;
                }
                let what = QUANTITIES[quantity].0;
                eprintln!("{} of {}: {what}, round {round}", contender.server.title, data.title);
                let figures = match step(options, contender) {
                    Ok(figures) => figures,
                    Err(failure) if contender.server.kind == Kind::Carnelian => {
                        report.missing.push(format!("{}, {what}: {failure}", data.title));
                        able[column] = false;
                        continue;
                    }
                    Err(failure) => return Err(failure),
                };
                for (row, figure) in report.rows[first + quantity..].iter_mut().zip(figures) {
                    row.cells[column].push(figure);
                }
            }
        }
    }
    contenders.into_iter().try_for_each(|contender| contender.daemon.stop())
}

/// Measures once: the figures of a few rows in their order.
type Step = fn(&Options, &mut Contender) -> Result<Vec<f64>, Failure>;

fn prepare<'a>(
    options: &Options,
    server: &'a Server,
    data: &DataSet,
) -> Result<Contender<'a>, Failure> {
    eprintln!("filling {} with {} {}", server.title, options.snapshot_keys, data.title);
    let dir = tempfile::tempdir().map_err(Failure::io("making a directory for snapshots"))?;
    let daemon = Daemon::start(&launch(server, dir.path(), LOG))?;
    Client::connect(daemon.address())?.fill(options.snapshot_keys, data.put)?;
    Ok(Contender { server, daemon, dir })
}

/// A server on any core that works in `dir` and logs there.
fn launch(server: &Server, dir: &Path, log: &str) -> Launch {
    let mut launch = server.launch_free();
    launch.args.extend(["--dir".to_owned(), dir.display().to_string()]);
    launch.args.extend(["--logfile".to_owned(), log.to_owned()]);
    launch
}

/// Wall time, CPU time and size.
fn save_once(_options: &Options, contender: &mut Contender) -> Result<Vec<f64>, Failure> {
    let mut client = Client::connect(contender.daemon.address())?;
    let before = procfs::cpu_ns_by_ticks(contender.daemon.pid())?;
    let start = Instant::now();
    client.run(&[b"SAVE"])?;
    let elapsed = start.elapsed();
    let cpu = procfs::cpu_ns_by_ticks(contender.daemon.pid())? - before;
    let path = contender.dir.path().join("dump.rdb");
    let size = fs::metadata(path).map_err(Failure::io("looking at the snapshot"))?.len();
    Ok(vec![elapsed.as_secs_f64(), micros(cpu) / 1e6, mebibytes(size)])
}

/// Starts a second server on the file: what its log says, and its CPU time when it is ready.
fn load_once(_options: &Options, contender: &mut Contender) -> Result<Vec<f64>, Failure> {
    let log = contender.dir.path().join("loader.log");
    drop(fs::remove_file(&log)); // of the round before
    let loader = Daemon::start(&launch(contender.server, contender.dir.path(), "loader.log"))?;
    let cpu = procfs::cpu_ns_by_ticks(loader.pid())?;
    let keys = Client::connect(loader.address())?.text(&[b"DBSIZE"])?;
    let expected = Client::connect(contender.daemon.address())?.text(&[b"DBSIZE"])?;
    loader.stop()?;
    if keys != expected {
        return Err(Failure::Other(format!("loaded {keys} keys of {expected}")));
    }
    let text = fs::read_to_string(&log).map_err(Failure::io("reading a server's log"))?;
    let seconds = text
        .lines()
        .find_map(|line| line.split_once("DB loaded from disk: ")?.1.split_once(' '))
        .and_then(|(seconds, _)| seconds.parse().ok())
        .ok_or_else(|| Failure::Other("the log does not say how long loading took".to_owned()))?;
    Ok(vec![seconds, micros(cpu) / 1e6])
}

/// What the server says of its fork, and the longest ping until the child has ended.
fn pause_once(_options: &Options, contender: &mut Contender) -> Result<Vec<f64>, Failure> {
    let address = contender.daemon.address();
    let mut client = Client::connect(address)?;
    let done = AtomicBool::new(false);
    let longest = thread::scope(|scope| {
        let pinging = scope.spawn(|| longest_ping(Client::connect(address)?, &done));
        let saved = background_save(&mut client, || Ok(()));
        done.store(true, Ordering::Relaxed);
        let longest = pinging.join().map_err(|_| Failure::Other("pinging panicked".to_owned()))?;
        saved.and(longest)
    })?;
    let fork = client.info_number("stats", "latest_fork_usec")?;
    let fork_ms = Duration::from_micros(fork).as_secs_f64() * 1e3;
    Ok(vec![fork_ms, longest.as_secs_f64() * 1e3])
}

fn longest_ping(mut client: Client, done: &AtomicBool) -> Result<Duration, Failure> {
    let mut ping = Vec::new();
    put_command(&mut ping, &[b"PING"]);
    let mut longest = Duration::ZERO;
    while !done.load(Ordering::Relaxed) {
        let start = Instant::now();
        client.exchange(&ping, 1)?;
        longest = longest.max(start.elapsed());
        thread::sleep(PING_PAUSE);
    }
    Ok(longest)
}

/// Runs BGSAVE and calls `look` again and again until it has ended.
fn background_save(
    client: &mut Client,
    mut look: impl FnMut() -> Result<(), Failure>,
) -> Result<(), Failure> {
    client.run(&[b"BGSAVE"])?;
    let start = Instant::now();
    while client.info_number("persistence", "rdb_bgsave_in_progress")? != 0 {
        if start.elapsed() > PATIENCE {
            return Err(Failure::Other("BGSAVE does not end".to_owned()));
        }
        look()?;
        thread::sleep(POLL);
    }
    match client.info("persistence", "rdb_last_bgsave_status")?.as_str() {
        "ok" => Ok(()),
        status => Err(Failure::Other(format!("BGSAVE failed: {status}"))),
    }
}

/// The most memory that the server and its children hold while it is overwritten at full speed.
fn peak_once(options: &Options, contender: &mut Contender) -> Result<Vec<f64>, Failure> {
    let pid = contender.daemon.pid();
    let mut client = Client::connect(contender.daemon.address())?;
    let mut writers = Writers::start(options, &contender.daemon)?;
    thread::sleep(Duration::from_millis(500)); // the values have their final sizes soon
    let before = procfs::resident_bytes(pid)?;
    let (mut peak, mut looked) = (before, Instant::now());
    background_save(&mut client, || {
        if looked.elapsed() >= MEMORY_POLL {
            peak = peak.max(family_bytes(pid)?);
            looked = Instant::now();
        }
        Ok(())
    })?;
    writers.stop()?;
    contender.daemon.check_alive()?;
    Ok(vec![mebibytes(peak), mebibytes(peak) / mebibytes(before)])
}

/// What the server holds, and what its children hold that is not shared with it.
fn family_bytes(pid: u32) -> Result<u64, Failure> {
    let mut total = procfs::resident_bytes(pid)?;
    for child in procfs::descendants(pid)? {
        total += procfs::private_bytes(child).unwrap_or(0); // it may have ended
    }
    Ok(total)
}

/// A `redis-benchmark` that overwrites random keys until it is stopped.
struct Writers {
    child: Child,
}

impl Writers {
    fn start(options: &Options, daemon: &Daemon) -> Result<Writers, Failure> {
        const VALUE: &str = "0123456789abcdefghijklmnopqrstuvwxyzABCD";
        let child = Command::new("taskset")
            .args(["-c", &options.client_core.to_string()])
            .args(["setpriv", "--pdeathsig", "KILL", "redis-benchmark", "-q"])
            .args(["-h", "127.0.0.1", "-p", &daemon.address().port().to_string()])
            .args(["-c", "50", "-P", "16", "-n", "1000000000"])
            .args(["-r", &options.snapshot_keys.to_string()])
            .args(["set", "key:__rand_int__", VALUE])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(Failure::io("running redis-benchmark"))?;
        Ok(Writers { child })
    }

    /// Ends it; errs if it had ended by itself.
    fn stop(&mut self) -> Result<(), Failure> {
        match self.child.try_wait().map_err(Failure::io("asking for a child's state"))? {
            Some(status) => Err(Failure::Other(format!("redis-benchmark ended: {status}"))),
            None => self.child.kill().map_err(Failure::io("ending redis-benchmark")),
        }
    }
}

impl Drop for Writers {
    fn drop(&mut self) {
        // Both fail harmlessly on a process that has already ended.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
