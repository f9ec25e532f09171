//! What it costs to be watched: GETs with the latencies of commands recorded and the latency monitor on,
//! beside the same without. Counters of commands cannot be turned off in any of the servers.

use crate::daemon::{Daemon, Failure};
use crate::options::Options;
use crate::servers::Server;
use crate::stats::Samples;
use crate::throughput::{self, Cell, Load};
use crate::wire::Client;
use crate::workloads::WORKLOADS;

/// The microseconds of one server, not watched and watched.
#[derive(Clone, Default)]
pub(crate) struct Pair {
    pub(crate) off: Cell,
    pub(crate) on: Cell,
    /// What is watched as a multiple of what is not, round by round.
    pub(crate) ratio: Samples,
}

/// One row: a depth, with a pair for each server.
pub(crate) struct Row {
    pub(crate) depth: u32,
    pub(crate) pairs: Vec<Pair>,
}

const OFF: [(&str, &str); 2] = [("latency-tracking", "no"), ("latency-monitor-threshold", "0")];
const ON: [(&str, &str); 2] = [("latency-tracking", "yes"), ("latency-monitor-threshold", "100")];

/// Measures; the servers' order is that of the pairs.
pub(crate) fn measure(options: &Options, servers: &[Server]) -> Result<Vec<Row>, Failure> {
    let get = WORKLOADS.iter().find(|row| row.name == "get").expect("GET is the first row");
    let mut daemons = Vec::new();
    for server in servers {
        let daemon = Daemon::start(&server.launch(options.server_core, 10_000))?;
        Client::connect(daemon.address())?.fill(options.keys, get.preload)?;
        daemons.push(daemon);
    }
    let row = |&depth: &u32| Row { depth, pairs: vec![Pair::default(); servers.len()] };
    let mut rows: Vec<Row> = options.depths.iter().map(row).collect();
    for round in 1..=options.repeats {
        for row in &mut rows {
            eprintln!("watched GET depth {} round {round}/{}", row.depth, options.repeats);
            let load = Load {
                clients: throughput::CLIENTS,
                depth: row.depth,
                keys: options.keys,
                requests: throughput::request_count(options, get, row.depth),
                command: get.command(),
            };
            for (daemon, pair) in daemons.iter_mut().zip(&mut row.pairs) {
                let off = run_once(options, &load, daemon, &OFF, &mut pair.off)?;
                let on = run_once(options, &load, daemon, &ON, &mut pair.on)?;
                pair.ratio.push(on / off);
            }
        }
    }
    for daemon in daemons {
        daemon.stop()?;
    }
    Ok(rows)
}

/// Runs the load with these directives; its microseconds of CPU time for each GET.
fn run_once(
    options: &Options,
    load: &Load<'_>,
    daemon: &mut Daemon,
    directives: &[(&str, &str)],
    cell: &mut Cell,
) -> Result<f64, Failure> {
    let mut client = Client::connect(daemon.address())?;
    for (name, value) in directives {
        client.run(&[b"CONFIG", b"SET", name.as_bytes(), value.as_bytes()])?;
    }
    throughput::run_once(options, load, daemon, cell)?;
    cell.cpu_us.last().ok_or_else(|| Failure::Other("nothing was measured".to_owned()))
}
