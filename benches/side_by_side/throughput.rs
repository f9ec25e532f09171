//! Server CPU time per operation and operations per second, under `redis-benchmark`.
//!
//! The machine may be shared and noisy, hence: CPU time and not wall time, servers in turn within
//! each round so that a slow minute hits all of them, and medians over the rounds.

use std::process::Command;

use crate::daemon::{Daemon, Failure};
use crate::options::Options;
use crate::procfs;
use crate::servers::{Kind, Server};
use crate::stats::{Samples, micros};
use crate::wire::Client;
use crate::workloads::{Data, WORKLOADS, Workload};

/// Connections that `redis-benchmark` opens.
pub(crate) const CLIENTS: u32 = 50;

/// What `redis-benchmark -r` replaces with a random number.
const PLACEHOLDER: &str = "__rand_int__";

/// What one server did at one depth.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cell {
    pub(crate) cpu_us: Samples,
    pub(crate) per_second: Samples,
}

/// One row: a workload at a depth, with a cell for each server.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) depth: u32,
    pub(crate) cells: Vec<Cell>,
}

/// Measures every chosen workload; the servers' order is that of the cells.
pub(crate) fn measure(options: &Options, servers: &[Server]) -> Result<Vec<Row>, Failure> {
    let mut rows = Vec::new();
    for workload in WORKLOADS {
        if options.takes_workload(workload.name) {
            rows.extend(measure_workload(options, servers, workload)?);
        }
    }
    Ok(rows)
}

fn measure_workload(
    options: &Options,
    servers: &[Server],
    workload: &Workload,
) -> Result<Vec<Row>, Failure> {
    let mut daemons = Vec::new();
    for server in servers {
        daemons.push(prepare(options, server, workload)?);
    }
    let mut rows: Vec<Row> = options
        .depths
        .iter()
        .filter(|depth| workload.depths.contains(depth))
        .map(|&depth| Row {
            name: workload.name,
            depth,
            cells: vec![Cell::default(); servers.len()],
        })
        .collect();
    for round in 1..=options.repeats {
        for row in &mut rows {
            eprintln!("{} depth {} round {round}/{}", row.name, row.depth, options.repeats);
            for (daemon, cell) in daemons.iter_mut().zip(&mut row.cells) {
                if let Some(daemon) = daemon {
                    if workload.data == Data::Fresh {
                        let mut client = Client::connect(daemon.address())?;
                        client.run(&[b"FLUSHALL", b"SYNC"])?;
                        client.fill(options.keys, workload.preload)?;
                    }
                    let load = Load {
                        clients: CLIENTS,
                        depth: row.depth,
                        keys: options.keys * workload.spread,
                        requests: request_count(options, workload, row.depth),
                        command: workload.command(),
                    };
                    run_once(options, &load, daemon, cell)?;
                }
            }
        }
    }
    for daemon in daemons.into_iter().flatten() {
        daemon.stop()?;
    }
    Ok(rows)
}

/// Starts a server, fills it and tries the command once. `None` if it does not know the command.
fn prepare(
    options: &Options,
    server: &Server,
    workload: &Workload,
) -> Result<Option<Daemon>, Failure> {
    let daemon = Daemon::start(&server.launch(options.server_core, 10_000))?;
    let mut client = Client::connect(daemon.address())?;
    for line in workload.setup {
        let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        client.run(&words)?;
    }
    let ready = client.fill(options.keys, workload.preload).and_then(|()| {
        let words: Vec<String> =
            workload.command().iter().map(|word| word.replace(PLACEHOLDER, "1")).collect();
        let words: Vec<&[u8]> = words.iter().map(String::as_bytes).collect();
        client.run(&words)
    });
    match ready {
        Ok(()) => Ok(Some(daemon)),
        Err(failure) => {
            // The servers that set the yardstick must work; ours may not have the command yet.
            if server.kind != Kind::Carnelian {
                return Err(failure);
            }
            eprintln!("{} cannot run {}: {failure}", server.title, workload.name);
            daemon.stop()?;
            Ok(None)
        }
    }
}

/// What `redis-benchmark` is to do.
pub(crate) struct Load<'a> {
    pub(crate) clients: u32,
    pub(crate) depth: u32,
    /// The range of the random keys.
    pub(crate) keys: u32,
    pub(crate) requests: u32,
    pub(crate) command: Vec<&'a str>,
}

/// Runs `redis-benchmark` once and adds a sample to the cell.
pub(crate) fn run_once(
    options: &Options,
    load: &Load<'_>,
    daemon: &mut Daemon,
    cell: &mut Cell,
) -> Result<(), Failure> {
    run_as(options, load, &[], daemon, cell)
}

/// As [`run_once`], with these options of `redis-benchmark` about the user.
pub(crate) fn run_as(
    options: &Options,
    load: &Load<'_>,
    login: &[&str],
    daemon: &mut Daemon,
    cell: &mut Cell,
) -> Result<(), Failure> {
    let before = procfs::cpu_ns(daemon.pid())?;
    let output = Command::new("taskset")
        .args(["-c", &options.client_core.to_string()])
        .args(["setpriv", "--pdeathsig", "KILL", "redis-benchmark", "--csv"])
        .args(["-h", "127.0.0.1", "-p", &daemon.address().port().to_string()])
        .args(["-c", &load.clients.to_string(), "-P", &load.depth.to_string()])
        .args(["-r", &load.keys.to_string(), "-n", &load.requests.to_string()])
        .args(login)
        .args(&load.command)
        .output()
        .map_err(Failure::io("running redis-benchmark"))?;
    let after = procfs::cpu_ns(daemon.pid())?;
    daemon.check_alive()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let per_second = requests_per_second(&text).filter(|_| output.status.success());
    let Some(per_second) = per_second else {
        let errors = String::from_utf8_lossy(&output.stderr);
        return Err(Failure::Other(format!("redis-benchmark failed: {text}{errors}")));
    };
    cell.cpu_us.push(micros(after.saturating_sub(before)) / f64::from(load.requests));
    cell.per_second.push(per_second);
    Ok(())
}

/// Enough for one to three seconds of Redis.
pub(crate) fn request_count(options: &Options, workload: &Workload, depth: u32) -> u32 {
    let base = match depth {
        0..4 => 200_000,
        4..32 => 1_000_000,
        32.. => 2_000_000,
    };
    (base / workload.cost / options.divide).max(1)
}

/// The second column of the line after the header: `"get key","1081081.12",…`.
fn requests_per_second(csv: &str) -> Option<f64> {
    let line = csv.lines().find(|line| !line.starts_with("\"test\"") && line.starts_with('"'))?;
    line.split("\",\"").nth(1)?.parse().ok()
}
