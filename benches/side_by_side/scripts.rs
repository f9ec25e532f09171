//! Scripts that are called by their SHA-1: one command, a rate limiter of 20 lines, and Lua alone.

use crate::daemon::{Daemon, Failure};
use crate::options::Options;
use crate::servers::Server;
use crate::throughput::{self, Cell, Load};
use crate::wire::Client;
use crate::workloads::WORKLOADS;

/// A script and how it is called.
pub(crate) struct Script {
    /// The row's title.
    pub(crate) title: &'static str,
    text: &'static str,
    /// What follows the SHA-1.
    args: &'static [&'static str],
    requests: u32,
}

/// How deep the pipelines are.
pub(crate) const DEPTH: u32 = 16;

/// The rows.
const SCRIPTS: &[Script] = &[
    Script {
        title: "one GET",
        text: "return redis.call('get',KEYS[1])",
        args: &["1", "key:__rand_int__"],
        requests: 1_000_000,
    },
    Script {
        title: "a rate limiter of 20 lines",
        text: LIMITER,
        args: &["1", "limit:__rand_int__", "1000000", "60000", "100"],
        requests: 300_000,
    },
    Script {
        title: "100,000 steps of a loop",
        text: "local sum = 0 for i = 1, 100000 do sum = sum + i end return sum",
        args: &["0"],
        requests: 2_000,
    },
];

/// So many calls in a window of time.
const LIMITER: &str = "\
local key = KEYS[1]
local now = tonumber(ARGV[1])
local window = tonumber(ARGV[2])
local limit = tonumber(ARGV[3])
local state = redis.call('HMGET', key, 'start', 'count')
local start = tonumber(state[1])
local count = tonumber(state[2])
if not start or now - start >= window then
  start = now
  count = 0
end
local allowed = 0
if count < limit then
  count = count + 1
  allowed = 1
end
redis.call('HSET', key, 'start', start, 'count', count)
redis.call('PEXPIRE', key, window * 2)
local left, reset = limit - count, start + window - now
return {allowed, left, reset}";

/// One row, with a cell for each server.
pub(crate) struct Row {
    pub(crate) script: &'static Script,
    pub(crate) cells: Vec<Cell>,
}

/// Measures; the servers' order is that of the cells.
pub(crate) fn measure(options: &Options, servers: &[Server]) -> Result<Vec<Row>, Failure> {
    let get = WORKLOADS.iter().find(|row| row.name == "get").expect("GET is the first row");
    let mut daemons = Vec::new();
    for server in servers {
        let daemon = Daemon::start(&server.launch(options.server_core, 10_000))?;
        Client::connect(daemon.address())?.fill(options.keys, get.preload)?;
        daemons.push(daemon);
    }
    let mut rows: Vec<Row> = SCRIPTS
        .iter()
        .filter(|script| options.takes_case(script.title))
        .map(|script| Row { script, cells: vec![Cell::default(); servers.len()] })
        .collect();
    for round in 1..=options.repeats {
        for Row { script, cells } in &mut rows {
            eprintln!("{} round {round}/{}", script.title, options.repeats);
            for (daemon, cell) in daemons.iter_mut().zip(cells) {
                let mut client = Client::connect(daemon.address())?;
                let name = client.text(&[b"SCRIPT", b"LOAD", script.text.as_bytes()])?;
                let mut command = vec!["evalsha", name.as_str()];
                command.extend(script.args);
                let load = Load {
                    clients: throughput::CLIENTS,
                    depth: DEPTH,
                    keys: options.keys,
                    requests: (script.requests / options.divide).max(1),
                    command,
                };
                throughput::run_once(options, &load, daemon, cell)?;
            }
        }
    }
    for daemon in daemons {
        daemon.stop()?;
    }
    Ok(rows)
}
