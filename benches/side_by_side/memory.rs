//! Resident memory: bytes per item for data sets of several shapes, and of idle connections.

use std::net::TcpStream;
use std::process::Command;
use std::thread;
use std::time::Duration;

use crate::daemon::{Daemon, Failure};
use crate::options::Options;
use crate::procfs::resident_bytes;
use crate::servers::{Kind, Server};
use crate::stats::{Samples, mebibytes};
use crate::wire::{Client, put_command};
use crate::workloads::{SHAPES, Shape};

/// Descriptors beyond one for each connection that this process and a server need.
const SPARE_DESCRIPTORS: u32 = 1000;

/// One row: a shape, with the bytes per item of each server.
pub(crate) struct Row {
    pub(crate) title: &'static str,
    pub(crate) cells: Vec<Samples>,
}

/// Measures every chosen shape; the servers' order is that of the cells.
pub(crate) fn measure(options: &Options, servers: &[Server]) -> Result<Vec<Row>, Failure> {
    let mut rows = Vec::new();
    for shape in SHAPES.iter().filter(|shape| options.takes_shape(shape.name)) {
        let mut cells = vec![Samples::default(); servers.len()];
        for round in 1..=options.memory_repeats {
            eprintln!("memory of {} round {round}/{}", shape.name, options.memory_repeats);
            for (server, cell) in servers.iter().zip(&mut cells) {
                match bytes_per_item(options, server, shape) {
                    Ok(bytes) => cell.push(bytes),
                    Err(failure) if server.kind == Kind::Carnelian => {
                        eprintln!("{} cannot hold {}: {failure}", server.title, shape.name);
                    }
                    Err(failure) => return Err(failure),
                }
            }
        }
        rows.push(Row { title: shape.title, cells });
    }
    Ok(rows)
}

fn bytes_per_item(options: &Options, server: &Server, shape: &Shape) -> Result<f64, Failure> {
    let daemon = Daemon::start(&server.launch(options.server_core, 10_000))?;
    let before = settled_bytes(&daemon)?;
    let mut client = Client::connect(daemon.address())?;
    client.fill(options.keys, shape.put)?;
    drop(client);
    let after = settled_bytes(&daemon)?;
    daemon.stop()?;
    let counted = f64::from(options.keys) / f64::from(shape.items);
    Ok(mebibytes(after.saturating_sub(before)) * 1024.0 * 1024.0 / counted)
}

/// Waits until rehashing, freeing and purging in the background have ended: three equal readings
/// 200 ms apart, or five seconds.
fn settled_bytes(daemon: &Daemon) -> Result<u64, Failure> {
    let mut last = resident_bytes(daemon.pid())?;
    let mut equal = 0;
    for _ in 0..25 {
        thread::sleep(Duration::from_millis(200));
        let now = resident_bytes(daemon.pid())?;
        equal = if now == last { equal + 1 } else { 0 };
        last = now;
        if equal == 2 {
            break;
        }
    }
    Ok(last)
}

/// What idle connections cost one server.
#[derive(Clone, Debug, Default)]
pub(crate) struct Idle {
    /// Resident with all of them connected, in MiB.
    pub(crate) total_mib: Samples,
    /// The growth for each connection, in bytes.
    pub(crate) bytes_each: Samples,
}

/// Connects `options.idle_clients` clients, each of which says PING once and then nothing.
pub(crate) fn measure_idle(options: &Options, servers: &[Server]) -> Result<Vec<Idle>, Failure> {
    raise_descriptor_limit(options.idle_clients + SPARE_DESCRIPTORS)?;
    let mut cells = vec![Idle::default(); servers.len()];
    for round in 1..=options.memory_repeats {
        eprintln!("idle clients round {round}/{}", options.memory_repeats);
        for (server, cell) in servers.iter().zip(&mut cells) {
            idle_once(options, server, cell)?;
        }
    }
    Ok(cells)
}

fn idle_once(options: &Options, server: &Server, cell: &mut Idle) -> Result<(), Failure> {
    let count = options.idle_clients;
    let daemon = Daemon::start(&server.launch(options.server_core, count + 100))?;
    let before = settled_bytes(&daemon)?;
    let mut streams: Vec<TcpStream> = Vec::new();
    let mut ping = Vec::new();
    put_command(&mut ping, &[b"PING"]);
    for _ in 0..count {
        let mut client = Client::connect(daemon.address())?;
        client.exchange(&ping, 1)?;
        streams.push(client.into_stream());
    }
    let after = settled_bytes(&daemon)?;
    drop(streams);
    daemon.stop()?;
    cell.total_mib.push(mebibytes(after));
    let growth = mebibytes(after.saturating_sub(before)) * 1024.0 * 1024.0;
    cell.bytes_each.push(growth / f64::from(count));
    Ok(())
}

/// Raises this process's limit, which the servers inherit.
fn raise_descriptor_limit(wanted: u32) -> Result<(), Failure> {
    let status = Command::new("prlimit")
        .args(["--pid", &std::process::id().to_string(), &format!("--nofile={wanted}:")])
        .status()
        .map_err(Failure::io("running prlimit"))?;
    if status.success() {
        return Ok(());
    }
    Err(Failure::Other(format!("cannot raise the limit of open files to {wanted}: ulimit -n")))
}
