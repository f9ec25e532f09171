//! How long one command on a value of a million elements holds up everybody else.
//!
//! All servers run at once, each with the same large values, and take turns command by command. What
//! counts is the CPU time of the server's main thread, the only one that serves clients in each of
//! them: on a shared machine the round trip says more about the neighbours. It includes writing the
//! reply; what other threads free later is not in it.

use std::thread;
use std::time::Duration;

use crate::daemon::{Daemon, Failure};
use crate::large_cases::{CASES, Case, VALUES};
use crate::options::Options;
use crate::procfs::RunTime;
use crate::servers::{Kind, Server};
use crate::stats::{Samples, micros};
use crate::wire::{Client, put_inline};

/// Longer than a server takes to go to sleep; only then the scheduler has added up what it ran.
const SETTLE: Duration = Duration::from_millis(4);

/// One row: a command, with the milliseconds of each server.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) cells: Vec<Samples>,
}

/// A server with its large values.
struct Contender {
    title: String,
    kind: Kind,
    /// Ends the process when it goes.
    _daemon: Daemon,
    client: Client,
    run_time: RunTime,
}

/// Measures every chosen command; the servers' order is that of the cells.
pub(crate) fn measure(options: &Options, servers: &[Server]) -> Result<Vec<Row>, Failure> {
    let cases: Vec<&Case> = CASES.iter().filter(|case| options.takes_case(case.name)).collect();
    let mut contenders = Vec::new();
    for server in servers {
        eprintln!("filling {}", server.title);
        contenders.push(Contender::start(options, server)?);
    }
    let mut rows: Vec<Row> = Vec::new();
    for case in &cases {
        rows.push(Row { name: case.name, cells: vec![Samples::default(); servers.len()] });
    }
    for round in 1..=options.repeats {
        for (case, row) in cases.iter().zip(&mut rows) {
            eprintln!("large values round {round}/{} {}", options.repeats, case.name);
            for (contender, cell) in contenders.iter_mut().zip(&mut row.cells) {
                contender.run(case, cell)?;
            }
        }
    }
    Ok(rows)
}

impl Contender {
    fn start(options: &Options, server: &Server) -> Result<Contender, Failure> {
        let mut launch = server.launch(options.server_core, 10_000);
        // For DEBUG SET-ACTIVE-EXPIRE.
        launch.args.extend(["--enable-debug-command", "yes"].map(str::to_owned));
        let daemon = Daemon::start(&launch)?;
        let mut client = Client::connect(daemon.address())?;
        client.run(&[b"DEBUG", b"SET-ACTIVE-EXPIRE", b"0"])?;
        for put in VALUES {
            client.fill(options.keys, *put)?;
        }
        let run_time = RunTime::of_process(daemon.pid())?;
        let Server { kind, title, .. } = server.clone();
        Ok(Contender { title, kind, _daemon: daemon, client, run_time })
    }

    fn run(&mut self, case: &Case, cell: &mut Samples) -> Result<(), Failure> {
        let mut bytes = Vec::new();
        for line in case.before {
            bytes.clear();
            put_inline(&mut bytes, line);
            self.client.exchange(&bytes, 1)?;
        }
        bytes.clear();
        put_inline(&mut bytes, case.command);
        thread::sleep(SETTLE);
        let before = self.run_time.read_ns()?;
        match self.client.exchange(&bytes, 1) {
            Ok(()) => {}
            // A command that this version does not have.
            Err(Failure::Other(text)) if self.kind != Kind::Carnelian => {
                eprintln!("{}: {}: {text}", self.title, case.command);
                return Ok(());
            }
            Err(failure) => return Err(failure),
        }
        thread::sleep(SETTLE);
        cell.push(micros(self.run_time.read_ns()? - before) / 1000.0);
        Ok(())
    }
}
