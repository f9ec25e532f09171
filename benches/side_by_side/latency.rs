//! The latency of inserting keys one by one, where a rehash that stops the server would show.
//!
//! One connection, one command at a time: the longest round trip bounds the longest command. On a
//! shared machine the longest round trip is mostly somebody else's time slice, so beside it stands
//! the most CPU time that the server took between two commands, which a rehash cannot hide from.
//! Interrupts are charged to whom they interrupt, so that figure has noise too; a pause that the
//! data structure makes comes at the same key in every round, and noise does not: the last figure
//! takes the least CPU time over the rounds for each key, and of these the most.

use std::thread;
use std::time::{Duration, Instant};

use crate::daemon::{Daemon, Failure};
use crate::options::Options;
use crate::procfs::RunTime;
use crate::servers::Server;
use crate::stats::{Samples, micros, percentile};
use crate::wire::Client;
use crate::workloads::put_string;

/// A round trip worth a closer look.
const LONG: Duration = Duration::from_micros(500);

/// The latencies of one server, in microseconds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cell {
    pub(crate) median: Samples,
    pub(crate) one_in_ten_thousand: Samples,
    pub(crate) longest: Samples,
    /// The most CPU time of the server's main thread within one round trip.
    pub(crate) most_cpu: Samples,
    /// For each key the least CPU time over the rounds, in nanoseconds.
    least_cpu_ns: Vec<u64>,
}

impl Cell {
    /// The most CPU time, in microseconds, that some key took in every round.
    pub(crate) fn repeated_cpu(&self) -> f64 {
        micros(self.least_cpu_ns.iter().copied().max().unwrap_or(0))
    }

    fn note_cpu(&mut self, index: usize, cpu_ns: u64) {
        match self.least_cpu_ns.get_mut(index) {
            Some(least) => *least = cpu_ns.min(*least),
            None => self.least_cpu_ns.push(cpu_ns),
        }
    }
}

/// Inserts `options.keys` keys into each server, `options.memory_repeats` times.
pub(crate) fn measure(options: &Options, servers: &[Server]) -> Result<Vec<Cell>, Failure> {
    let mut cells = vec![Cell::default(); servers.len()];
    for round in 1..=options.memory_repeats {
        eprintln!("insert latency round {round}/{}", options.memory_repeats);
        for (server, cell) in servers.iter().zip(&mut cells) {
            insert_all(options, server, cell)?;
        }
    }
    Ok(cells)
}

fn insert_all(options: &Options, server: &Server, cell: &mut Cell) -> Result<(), Failure> {
    let daemon = Daemon::start(&server.launch(options.server_core, 10_000))?;
    let mut client = Client::connect(daemon.address())?;
    let run_time = RunTime::of_process(daemon.pid())?;
    let mut round_trips = Vec::new();
    let mut most_cpu = 0;
    let mut bytes = Vec::new();
    let mut cpu_before = run_time.read_ns()?;
    for index in 0..options.keys {
        bytes.clear();
        put_string::<16>(&mut bytes, index);
        let start = Instant::now();
        client.exchange(&bytes, 1)?;
        let round_trip = start.elapsed();
        if round_trip > LONG {
            // The scheduler adds up when the thread goes to sleep.
            thread::sleep(Duration::from_millis(2));
        }
        let cpu_after = run_time.read_ns()?;
        let round_trip = nanoseconds(round_trip);
        let cpu = round_trip.min(cpu_after - cpu_before);
        most_cpu = most_cpu.max(cpu);
        cell.note_cpu(round_trips.len(), cpu);
        round_trips.push(round_trip);
        cpu_before = cpu_after;
    }
    daemon.stop()?;
    cell.one_in_ten_thousand.push(micros(percentile(&mut round_trips, 10_000)));
    cell.median.push(micros(percentile(&mut round_trips, 2)));
    cell.longest.push(micros(percentile(&mut round_trips, usize::MAX)));
    cell.most_cpu.push(micros(most_cpu));
    Ok(())
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
