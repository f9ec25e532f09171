//! What no load generator expresses: messages to many subscribers, transactions, and reading with
//! client-side caching. CPU time of the server for each message delivered, transaction or GET.

use std::io::Read;
use std::net::SocketAddr;
use std::thread;

use crate::daemon::{Daemon, Failure};
use crate::data_sets::STRINGS;
use crate::options::Options;
use crate::procfs;
use crate::servers::Server;
use crate::stats::{Samples, micros};
use crate::wire::{Client, put_command};

const SUBSCRIBERS: u32 = 50;
/// Bytes of a message.
const PAYLOAD: [u8; 64] = [b'x'; 64];
/// What a subscriber is sent of each message.
const MESSAGE_LEN: u32 = 98;
/// Keys of transactions, and keys that are tracked.
const KEYS: u32 = 10_000;
/// Batches that are sent again and again.
const BATCHES: u32 = 100;

/// One row: what is measured, with a cell for each server.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) depth: u32,
    pub(crate) cells: Vec<Samples>,
}

/// A load, and how many commands are sent together.
#[derive(Clone, Copy)]
enum Load {
    Publish,
    Transaction,
    TrackedGet,
}

const LOADS: [(&str, Load, u32); 5] = [
    ("message to one of 50 subscribers", Load::Publish, 1),
    ("message to one of 50 subscribers", Load::Publish, 16),
    ("MULTI of 10 SETs", Load::Transaction, 16),
    ("GET of one of 10,000 tracked keys", Load::TrackedGet, 1),
    ("GET of one of 10,000 tracked keys", Load::TrackedGet, 64),
];

/// Measures; the servers' order is that of the cells.
pub(crate) fn measure(options: &Options, servers: &[Server]) -> Result<Vec<Row>, Failure> {
    let mut daemons = Vec::new();
    for server in servers {
        let mut launch = server.launch_free();
        launch.core = Some(options.server_core);
        let daemon = Daemon::start(&launch)?;
        Client::connect(daemon.address())?.fill(KEYS, STRINGS.put)?;
        daemons.push(daemon);
    }
    let cells = || vec![Samples::default(); servers.len()];
    let rows = LOADS.map(|(name, _, depth)| Row { name, depth, cells: cells() });
    let mut rows = Vec::from(rows);
    for round in 1..=options.repeats {
        for ((name, load, depth), row) in LOADS.into_iter().zip(&mut rows) {
            eprintln!("{name} depth {depth} round {round}/{}", options.repeats);
            for (daemon, cell) in daemons.iter_mut().zip(&mut row.cells) {
                cell.push(run_once(options, load, depth, daemon)?);
            }
        }
    }
    for daemon in daemons {
        daemon.stop()?;
    }
    Ok(rows)
}

/// Microseconds of CPU time for each unit.
fn run_once(
    options: &Options,
    load: Load,
    depth: u32,
    daemon: &mut Daemon,
) -> Result<f64, Failure> {
    let times = |count: u32| (count / options.divide).max(BATCHES);
    let spent = match load {
        Load::Publish => publish(daemon, depth, times(20_000))? / f64::from(SUBSCRIBERS),
        Load::Transaction => repeat(daemon, &[], put_transaction, 12, depth, times(20_000))?,
        Load::TrackedGet => {
            let greeting: &[&[&[u8]]] = &[&[b"CLIENT", b"TRACKING", b"ON"]];
            let count = if depth == 1 { 100_000 } else { 1_000_000 };
            repeat(daemon, greeting, put_get, 1, depth, times(count))?
        }
    };
    Ok(spent)
}

/// Key numbers in an order that looks like chance.
fn scattered(index: u32) -> u32 {
    index.wrapping_mul(2_654_435_761) % KEYS
}

fn put_get(out: &mut Vec<u8>, index: u32) {
    let key = format!("key:{:012}", scattered(index));
    put_command(out, &[b"GET", key.as_bytes()]);
}

fn put_transaction(out: &mut Vec<u8>, index: u32) {
    put_command(out, &[b"MULTI"]);
    for nth in 0..10 {
        let key = format!("key:{:012}", scattered(index * 10 + nth));
        put_command(out, &[b"SET", key.as_bytes(), b"xxx"]);
    }
    put_command(out, &[b"EXEC"]);
}

/// Sends units of commands, `depth` at a time; microseconds for each unit.
fn repeat(
    daemon: &Daemon,
    greeting: &[&[&[u8]]],
    put: fn(&mut Vec<u8>, u32),
    replies: u32,
    depth: u32,
    count: u32,
) -> Result<f64, Failure> {
    let mut client = Client::connect(daemon.address())?;
    for words in greeting {
        client.run(words)?;
    }
    let batches: Vec<Vec<u8>> = (0..BATCHES.max(KEYS / depth))
        .map(|batch| {
            let mut bytes = Vec::new();
            (batch * depth..(batch + 1) * depth).for_each(|index| put(&mut bytes, index));
            bytes
        })
        .collect();
    // Once unmeasured, so that all is in place.
    for batch in &batches {
        client.exchange(batch, depth * replies)?;
    }
    let rounds = (count / depth).max(1);
    let before = procfs::cpu_ns(daemon.pid())?;
    for batch in batches.iter().cycle().zip(0..rounds).map(|(batch, _)| batch) {
        client.exchange(batch, depth * replies)?;
    }
    let spent = procfs::cpu_ns(daemon.pid())? - before;
    Ok(micros(spent) / f64::from(rounds * depth))
}

/// Publishes to subscribers that read; microseconds for each message published.
fn publish(daemon: &Daemon, depth: u32, count: u32) -> Result<f64, Failure> {
    let rounds = (count / depth).max(1);
    let address = daemon.address();
    let subscribed = (0..SUBSCRIBERS).map(|_| subscribe(address));
    let subscribers = subscribed.collect::<Result<Vec<Client>, Failure>>()?;
    let mut publisher = Client::connect(address)?;
    let mut batch = Vec::new();
    for _ in 0..depth {
        put_command(&mut batch, &[b"PUBLISH", b"news", &PAYLOAD]);
    }
    let before = procfs::cpu_ns(daemon.pid())?;
    thread::scope(|scope| {
        for subscriber in subscribers {
            scope.spawn(move || {
                let mut stream = subscriber.into_stream();
                let mut left = u64::from(rounds * depth) * u64::from(MESSAGE_LEN);
                let mut buffer = vec![0; 64 * 1024];
                while left > 0 {
                    match stream.read(&mut buffer) {
                        Ok(0) | Err(_) => return,
                        Ok(read) => left = left.saturating_sub(u64::try_from(read).unwrap_or(left)),
                    }
                }
            });
        }
        (0..rounds).try_for_each(|_| publisher.exchange(&batch, depth))
    })?;
    let spent = procfs::cpu_ns(daemon.pid())? - before;
    Ok(micros(spent) / f64::from(rounds * depth))
}

fn subscribe(address: SocketAddr) -> Result<Client, Failure> {
    let mut client = Client::connect(address)?;
    client.run(&[b"SUBSCRIBE", b"news"])?;
    Ok(client)
}
