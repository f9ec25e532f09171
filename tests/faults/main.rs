//! A server loses its process, its disk's good will, its disk's space and its power, at random and
//! at every single call; what it acknowledged must be there when it starts again.
//!
//! `README.md` beside this file says how to run each program at length;
//! `cargo test --test faults -- --help` lists the options.

#[path = "../support/daemon.rs"]
#[allow(dead_code, reason = "only its failures are used here: servers here are meant to be killed")]
mod daemon;
mod errors;
mod fleet;
mod full;
mod kill;
mod model;
mod mounts;
mod operations;
mod options;
mod place;
mod points;
mod power;
mod prepared;
mod recovered;
#[path = "../differential/rng.rs"]
#[allow(dead_code, reason = "each test program uses its own part")]
mod rng;
mod session;
mod shim;
mod tally;
mod wire;

use std::process::ExitCode;
use std::thread;
use std::time::Instant;

use daemon::Failure;
use mounts::Need;
use options::{Extent, Mounts, Options, Program, Request};
use place::{Fsync, Keeping};
use prepared::Prepared;
use shim::Tools;
use tally::Tally;

/// The delay of an fsync with which Redis 7.0.15 loses half of what it acknowledged.
const SLOW_FSYNC_MS: u64 = 1500;

fn main() -> ExitCode {
    let outcome = match options::from_command_line() {
        Ok(Request::Run(options)) => run(&options),
        Ok(Request::Nothing(text)) => {
            println!("{text}");
            Ok(0)
        }
        Err(failure) => Err(failure),
    };
    match outcome {
        Ok(0) => ExitCode::SUCCESS,
        Ok(bad) => {
            println!("faults: {bad} bad cycles");
            ExitCode::FAILURE
        }
        Err(failure) => {
            eprintln!("faults: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// Returns the number of cycles in which something was wrong.
fn run(options: &Options) -> Result<u64, Failure> {
    let scratch = tempfile::tempdir().map_err(Failure::io("making a scratch directory"))?;
    let tools = Tools::build(scratch.path())?;
    if options.mounts == Mounts::Shared {
        kill::find_canary(&tools, options)?;
    }
    let run_one = |program: Program| match program {
        Program::Kill => run_kill(&tools, options),
        Program::Points => run_points(&tools, options),
        Program::Errors => run_errors(&tools, options),
        Program::Full => run_full(&tools, options),
        Program::Power => run_power(&tools, options),
    };
    let programs = options.programs.iter().copied();
    match options.extent {
        Extent::Long => programs.map(run_one).sum(),
        // They wait for disks most of the time.
        Extent::Short => thread::scope(|scope| {
            let run_one = &run_one;
            let threads: Vec<_> =
                programs.map(|program| scope.spawn(move || run_one(program))).collect();
            let panicked = |_| Err(Failure::Other("a program panicked".to_owned()));
            threads.into_iter().map(|thread| thread.join().unwrap_or_else(panicked)).sum()
        }),
    }
}

fn run_kill(tools: &Tools, options: &Options) -> Result<u64, Failure> {
    let always = kill::Plan {
        fsync: Fsync::Always,
        cycles: options.cycles(15, 10_000),
        slow_fsync_ms: options.slow_fsync_ms.unwrap_or(0),
    };
    let everysec = kill::Plan {
        fsync: Fsync::Everysec,
        cycles: options.cycles(2, 1000),
        slow_fsync_ms: options.slow_fsync_ms.unwrap_or(SLOW_FSYNC_MS),
    };
    let mut bad = 0;
    for plan in [always, everysec] {
        if options.fsync.is_none_or(|only| only == plan.fsync) {
            let name = format!("kill -9, {}, fsync + {} ms", plan.fsync.word(), plan.slow_fsync_ms);
            bad += report(&name, || kill::run(tools, options, &plan))?;
        }
    }
    Ok(bad)
}

fn run_points(tools: &Tools, options: &Options) -> Result<u64, Failure> {
    let logs = options.policies().into_iter().map(Keeping::Log);
    let snapshots = options.fsync.is_none().then_some(Keeping::Snapshots);
    let mut bad = 0;
    for keeping in logs.chain(snapshots) {
        let prepared = Prepared::new(tools, options, keeping, None)?;
        let name = format!("kill -9 at each file call, {}", keeping.word());
        bad += report(&name, || points::run(prepared, keeping, options))?;
    }
    Ok(bad)
}

fn run_errors(tools: &Tools, options: &Options) -> Result<u64, Failure> {
    let mut bad = 0;
    for fsync in options.policies() {
        let prepared = Prepared::new(tools, options, Keeping::Log(fsync), None)?;
        let name = format!("failing file calls, {}", fsync.word());
        bad += report(&name, || errors::run(prepared, fsync, options))?;
    }
    Ok(bad)
}

fn run_full(tools: &Tools, options: &Options) -> Result<u64, Failure> {
    if options.mounts == Mounts::Shared {
        return mounts::run_apart(options, Program::Full, Need::Tmpfs);
    }
    let mut bad = 0;
    for fsync in options.policies() {
        let name = format!("full disk, {}", fsync.word());
        let cycles = options.cycles(1, 50);
        bad += report(&name, || full::run(tools, options, fsync, cycles))?;
    }
    Ok(bad)
}

fn run_power(tools: &Tools, options: &Options) -> Result<u64, Failure> {
    if options.mounts == Mounts::Shared {
        return mounts::run_apart(options, Program::Power, Need::Image);
    }
    let mut bad = 0;
    for fsync in options.policies() {
        let name = format!("power loss, {}", fsync.word());
        let cycles = options.cycles(3, 200);
        bad += report(&name, || power::run(tools, options, fsync, cycles))?;
    }
    if options.fsync != Some(Fsync::Everysec) {
        let name = "power loss at each file call, always";
        bad += report(name, || power::run_points(tools, options))?;
    }
    Ok(bad)
}

/// Runs one part, prints its counts and returns its bad cycles.
fn report(name: &str, part: impl FnOnce() -> Result<Tally, Failure>) -> Result<u64, Failure> {
    let start = Instant::now();
    let tally = part()?;
    println!("faults: {name}: {tally} ({:.1} s)", start.elapsed().as_secs_f64());
    Ok(tally.bad_cycles)
}
