//! What access control costs: the same commands as the default user, who may do everything, and as one of
//! twenty rules. Both go to the same server, in turn within each round.

use crate::daemon::{Daemon, Failure};
use crate::options::Options;
use crate::servers::Server;
use crate::throughput::{self, Cell, Load};
use crate::wire::Client;
use crate::workloads::{WORKLOADS, Workload};

/// The rules of the user; the keys that are used match the last pattern.
const RULES: &str = "-@all +@read +@write +@connection -@dangerous +info +config|get -flushall -flushdb \
                     +select|0 ~app:* %R~shared:* ~cache:* ~session:* %W~queue:* ~tmp:? ~key:* &events:* \
                     &news +ping";
const RULE_COUNT: usize = 20;

/// The rows.
const NAMES: &[&str] = &["get", "set"];

/// One row: a workload at a depth, as the default user and as the other, for each server.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) depth: u32,
    pub(crate) cells: Vec<[Cell; 2]>,
}

/// Measures; the servers' order is that of the cells.
pub(crate) fn measure(options: &Options, servers: &[Server]) -> Result<Vec<Row>, Failure> {
    let mut rows = Vec::new();
    for workload in WORKLOADS.iter().filter(|workload| NAMES.contains(&workload.name)) {
        rows.extend(measure_workload(options, servers, workload)?);
    }
    Ok(rows)
}

fn prepare(options: &Options, server: &Server, workload: &Workload) -> Result<Daemon, Failure> {
    let daemon = Daemon::start(&server.launch(options.server_core, 10_000))?;
    let mut client = Client::connect(daemon.address())?;
    client.fill(options.keys, workload.preload)?;
    let words: Vec<&str> =
        ["ACL", "SETUSER", "u", "on", ">pw"].into_iter().chain(RULES.split(' ')).collect();
    assert_eq!(words.len() - 5, RULE_COUNT, "so the table says");
    let words: Vec<&[u8]> = words.into_iter().map(str::as_bytes).collect();
    client.run(&words)?;
    Ok(daemon)
}

fn measure_workload(
    options: &Options,
    servers: &[Server],
    workload: &'static Workload,
) -> Result<Vec<Row>, Failure> {
    let mut daemons = Vec::new();
    for server in servers {
        daemons.push(prepare(options, server, workload)?);
    }
    let depths = options.depths.iter().filter(|depth| workload.depths.contains(depth));
    let cells = || servers.iter().map(|_| <[Cell; 2]>::default()).collect();
    let mut rows: Vec<Row> =
        depths.map(|&depth| Row { name: workload.name, depth, cells: cells() }).collect();
    for round in 1..=options.repeats {
        for row in &mut rows {
            eprintln!("{} depth {} round {round}/{}", row.name, row.depth, options.repeats);
            let load = Load {
                clients: throughput::CLIENTS,
                depth: row.depth,
                keys: options.keys,
                requests: throughput::request_count(options, workload, row.depth),
                command: workload.command(),
            };
            for (daemon, [default, other]) in daemons.iter_mut().zip(&mut row.cells) {
                // Who comes first takes turns as well.
                let mut turns = [(default, &[][..]), (other, &["--user", "u", "-a", "pw"][..])];
                if round % 2 == 0 {
                    turns.reverse();
                }
                for (cell, login) in turns {
                    throughput::run_as(options, &load, login, daemon, cell)?;
                }
            }
        }
    }
    for daemon in daemons {
        daemon.stop()?;
    }
    Ok(rows)
}
