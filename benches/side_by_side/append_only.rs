//! The append-only file: what it costs while commands run, and the time of rewriting it.
//!
//! A server for each policy, all of them in turn within each round; the load is `SET` of random keys that
//! exist. Files are in the scratch directory of the system (`TMPDIR`): `always` measures its disk.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::daemon::{Daemon, Failure};
use crate::data_sets::STRINGS;
use crate::options::Options;
use crate::procfs;
use crate::servers::{Kind, Server};
use crate::stats::{Samples, mebibytes, micros};
use crate::throughput::{self, Cell, Load};
use crate::wire::Client;

/// How long a rewrite may take.
const PATIENCE: Duration = Duration::from_secs(120);
/// Between two looks at whether a rewrite has ended.
const POLL: Duration = Duration::from_millis(5);
/// The depths of the pipelines that are measured.
const DEPTHS: [u32; 2] = [16, 1];

/// How commands become durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Policy {
    /// No file.
    Off,
    /// An fsync once a second.
    EverySecond,
    /// An fsync before each reply.
    Always,
}

impl Policy {
    const ALL: [Policy; 3] = [Policy::Off, Policy::EverySecond, Policy::Always];

    /// The name in the rows.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Policy::Off => "off",
            Policy::EverySecond => "everysec",
            Policy::Always => "always",
        }
    }

    fn arguments(self) -> Vec<String> {
        let words: &[&str] = match self {
            Policy::Off => &["--appendonly", "no"],
            Policy::EverySecond => &["--appendonly", "yes", "--appendfsync", "everysec"],
            Policy::Always => &["--appendonly", "yes", "--appendfsync", "always"],
        };
        // A rewrite in the middle of a run would be measured with it.
        let all = words.iter().chain(&["--auto-aof-rewrite-percentage", "0"]);
        all.map(|&word| word.to_owned()).collect()
    }

    /// Enough for one to five seconds of Redis.
    fn requests(self, options: &Options, depth: u32) -> u32 {
        let base = match (self, depth) {
            (Policy::Off | Policy::EverySecond, 1) => 300_000,
            (Policy::Off | Policy::EverySecond, _) => 3_000_000,
            (Policy::Always, 1) => 20_000,
            (Policy::Always, _) => 300_000,
        };
        (base / options.divide).max(1)
    }
}

/// One row of the table of throughput.
pub(crate) struct Row {
    pub(crate) policy: Policy,
    pub(crate) depth: u32,
    pub(crate) cells: Vec<Cell>,
}

/// What rewriting took one server.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rewrite {
    pub(crate) seconds: Samples,
    /// Of the server and the child that writes.
    pub(crate) cpu_seconds: Samples,
    pub(crate) mebibytes: Samples,
}

/// Both tables, and what a server could not do.
pub(crate) struct Report {
    pub(crate) rows: Vec<Row>,
    pub(crate) rewrites: Vec<Rewrite>,
    pub(crate) missing: Vec<String>,
}

/// Measures; the servers' order is that of the cells.
pub(crate) fn measure(options: &Options, servers: &[Server]) -> Result<Report, Failure> {
    let mut report = Report { rows: Vec::new(), rewrites: Vec::new(), missing: Vec::new() };
    measure_throughput(options, servers, &mut report)?;
    measure_rewrites(options, servers, &mut report)?;
    Ok(report)
}

fn measure_throughput(
    options: &Options,
    servers: &[Server],
    report: &mut Report,
) -> Result<(), Failure> {
    let mut groups = Vec::new();
    for policy in Policy::ALL {
        let mut logged = Vec::new();
        for server in servers {
            logged.push(prepare(options, server, policy, options.keys, &mut report.missing)?);
        }
        groups.push((policy, logged));
        for depth in DEPTHS {
            report.rows.push(Row { policy, depth, cells: vec![Cell::default(); servers.len()] });
        }
    }
    for round in 1..=options.repeats {
        for row in &mut report.rows {
            eprintln!(
                "{} depth {} round {round}/{}",
                row.policy.title(),
                row.depth,
                options.repeats
            );
            let load = Load {
                clients: 50,
                depth: row.depth,
                keys: options.keys,
                requests: row.policy.requests(options, row.depth),
                command: vec!["set", "key:__rand_int__", "0123456789abcdefghijklmnopqrstuv"],
            };
            let groups = groups.iter_mut().filter(|(policy, _)| *policy == row.policy);
            for (logged, cell) in groups.flat_map(|(_, logged)| logged).zip(&mut row.cells) {
                if let Some(logged) = logged {
                    throughput::run_once(options, &load, &mut logged.daemon, cell)?;
                }
            }
        }
    }
    let all = groups.into_iter().flat_map(|(_, logged)| logged).flatten();
    for logged in all {
        logged.daemon.stop()?;
    }
    Ok(())
}

/// A server, and where it keeps its log.
struct Logged {
    daemon: Daemon,
    dir: TempDir,
}

/// Starts a server with a policy and fills it. `None`, with a line in `missing`, if ours does not keep
/// an append-only file.
fn prepare(
    options: &Options,
    server: &Server,
    policy: Policy,
    keys: u32,
    missing: &mut Vec<String>,
) -> Result<Option<Logged>, Failure> {
    eprintln!("filling {}, {}", server.title, policy.title());
    let dir = tempfile::tempdir().map_err(Failure::io("making a directory for logs"))?;
    let mut launch = server.launch_free();
    launch.core = Some(options.server_core);
    launch.args.extend(policy.arguments());
    launch.args.extend(["--dir".to_owned(), dir.path().display().to_string()]);
    let daemon = Daemon::start(&launch)?;
    let mut client = Client::connect(daemon.address())?;
    client.fill(keys, STRINGS.put)?;
    let logged = Logged { daemon, dir };
    // A server may take the directive and not have the feature.
    let keeps = policy == Policy::Off || log_bytes(&logged)? > u64::from(keys);
    match (keeps, server.kind) {
        (true, _) => Ok(Some(logged)),
        (false, Kind::Carnelian) => {
            missing.push(format!("appendfsync {}: no file is written", policy.title()));
            logged.daemon.stop()?;
            Ok(None)
        }
        (false, Kind::Redis | Kind::Valkey) => {
            Err(Failure::Other(format!("{} writes no append-only file", server.title)))
        }
    }
}

/// The size of all files of the log; none if there is no directory of them.
fn log_bytes(logged: &Logged) -> Result<u64, Failure> {
    let Ok(entries) = fs::read_dir(logged.dir.path().join("appendonlydir")) else { return Ok(0) };
    let mut total = 0;
    for entry in entries {
        let entry = entry.map_err(Failure::io("listing append-only files"))?;
        total += entry.metadata().map_err(Failure::io("looking at an append-only file"))?.len();
    }
    Ok(total)
}

fn measure_rewrites(
    options: &Options,
    servers: &[Server],
    report: &mut Report,
) -> Result<(), Failure> {
    let mut contenders = Vec::new();
    let mut ignored = Vec::new(); // said before, with the throughput
    for server in servers {
        let keys = options.snapshot_keys;
        contenders.push(prepare(options, server, Policy::EverySecond, keys, &mut ignored)?);
    }
    report.rewrites = vec![Rewrite::default(); servers.len()];
    for round in 1..=options.snapshot_repeats {
        eprintln!("rewrite round {round}/{}", options.snapshot_repeats);
        for ((server, logged), cell) in
            servers.iter().zip(&mut contenders).zip(&mut report.rewrites)
        {
            let Some(contender) = logged else { continue };
            match rewrite_once(contender, cell) {
                Ok(()) => {}
                Err(failure) if server.kind == Kind::Carnelian => {
                    report.missing.push(format!("rewriting: {failure}"));
                    *logged = None;
                }
                Err(failure) => return Err(failure),
            }
        }
    }
    for contender in contenders.into_iter().flatten() {
        contender.daemon.stop()?;
    }
    Ok(())
}

fn rewrite_once(logged: &mut Logged, cell: &mut Rewrite) -> Result<(), Failure> {
    let pid = logged.daemon.pid();
    let mut client = Client::connect(logged.daemon.address())?;
    let before = procfs::family_cpu_ns(pid)?;
    let start = Instant::now();
    client.run(&[b"BGREWRITEAOF"])?;
    while client.info_number("persistence", "aof_rewrite_in_progress")? != 0
        || client.info_number("persistence", "aof_rewrite_scheduled")? != 0
    {
        if start.elapsed() > PATIENCE {
            return Err(Failure::Other("BGREWRITEAOF does not end".to_owned()));
        }
        thread::sleep(POLL);
    }
    let elapsed = start.elapsed();
    let status = client.info("persistence", "aof_last_bgrewrite_status")?;
    if status != "ok" {
        return Err(Failure::Other(format!("BGREWRITEAOF failed: {status}")));
    }
    cell.seconds.push(elapsed.as_secs_f64());
    cell.cpu_seconds.push(micros(procfs::family_cpu_ns(pid)? - before) / 1e6);
    cell.mebibytes.push(mebibytes(log_bytes(logged)?));
    Ok(())
}
