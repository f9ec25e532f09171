//! A primary and two replicas whose links are cut and whose processes are killed: what WAIT and WAITAOF
//! confirmed is there, and a primary without replicas accepts nothing.
//!
//! `README.md` beside this file says what is checked; `cargo test --test partitions -- --help` lists the
//! options.

#[path = "../support/daemon.rs"]
#[allow(dead_code, reason = "only its failures are used here: servers here are meant to be killed")]
mod daemon;
mod fleet;
mod ledger;
mod net;
mod options;
#[path = "../differential/rng.rs"]
#[allow(dead_code, reason = "each test program uses its own part")]
mod rng;
mod round;
mod tally;
#[path = "../faults/wire.rs"]
#[allow(dead_code, reason = "each test program uses its own part")]
mod wire;

use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Instant;

use daemon::Failure;
use fleet::Fleet;
use net::Net;
use options::{Extent, Options, Place};
use rng::Rng;
use round::{BLOWS, Blow, Creed, World};
use tally::Tally;

/// Cut-offs after which an unbelievable creed must have been found out.
const CANARY_ROUNDS: u64 = 5;

fn main() -> ExitCode {
    let Some(options) = options::from_command_line() else { return ExitCode::SUCCESS };
    let outcome = match options.place {
        Place::Outside => run_apart(&options),
        Place::Apart => run(&options),
    };
    match outcome {
        Ok(0) => ExitCode::SUCCESS,
        Ok(bad) => {
            println!("partitions: {bad} complaints");
            ExitCode::FAILURE
        }
        Err(failure) => {
            eprintln!("partitions: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// Runs this program again in network namespaces of its own; how much was wrong.
fn run_apart(options: &Options) -> Result<u64, Failure> {
    let Some(prefix) = net::namespace() else {
        println!(
            "partitions: SKIPPED: it needs network namespaces (unshare, nsenter, ip), which this machine does \
             not give"
        );
        return Ok(0);
    };
    let start = Instant::now();
    let jobs: Vec<Child> =
        (0..options.jobs).map(|job| start_job(prefix, options, job)).collect::<Result<_, _>>()?;
    let mut total = Tally::default();
    let mut failed = 0;
    for job in jobs {
        let output = job.wait_with_output().map_err(Failure::io("waiting for a run"))?;
        for line in String::from_utf8_lossy(&output.stdout).lines() {
            if !total.read(line) {
                println!("{line}");
            }
        }
        failed += u64::from(!output.status.success());
    }
    print!("{total}");
    println!("partitions: {:.1} s", start.elapsed().as_secs_f64());
    Ok(failed.max(total.complaints()))
}

fn start_job(prefix: &[&str], options: &Options, job: u64) -> Result<Child, Failure> {
    let own = std::env::current_exe().map_err(Failure::io("finding this program"))?;
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]).args(prefix).arg(own).arg("--apart");
    command.args(["--seed", &(options.seed + job).to_string()]);
    command.args(["--rounds", &options.rounds.div_ceil(options.jobs).to_string()]);
    command.arg("--server").arg(&options.server);
    if options.extent == Extent::Long {
        command.arg("--long");
    }
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
    child.map_err(Failure::io("running unshare"))
}

fn run(options: &Options) -> Result<u64, Failure> {
    let scratch = tempfile::tempdir().map_err(Failure::io("making a scratch directory"))?;
    let outcome = find_canary(options, &scratch.path().join("canary"))
        .and_then(|()| run_rounds(options, &scratch.path().join("run")));
    if !matches!(outcome, Ok(0)) {
        println!("partitions: data and logs are kept in {}", scratch.keep().display());
    }
    outcome
}

fn world(options: &Options, dir: &Path, creed: Creed) -> Result<World, Failure> {
    let mut world = World {
        net: Net::build()?,
        fleet: Fleet::new(&options.server, dir),
        primary: 0,
        extent: options.extent,
        creed,
        tally: Tally::default(),
    };
    world.begin()?;
    Ok(world)
}

fn run_rounds(options: &Options, dir: &Path) -> Result<u64, Failure> {
    let mut world = world(options, dir, Creed::Told)?;
    let mut rng = Rng::new(options.seed, 1);
    for round in 0..options.rounds {
        // Each of them in turn, so that a short run has all.
        let blow = BLOWS[usize::try_from(round).unwrap_or(0) % BLOWS.len()];
        let name = format!("r{round}");
        if let Err(failure) = world.round(blow, &name, &mut rng) {
            print!("{}", world.tally);
            return Err(Failure::Other(format!(
                "seed {}, {name}, {blow:?}: {failure}",
                options.seed
            )));
        }
    }
    print!("{}", world.tally);
    Ok(world.tally.complaints())
}

/// Whoever believes that what was acknowledged is safe must be proved wrong.
fn find_canary(options: &Options, dir: &Path) -> Result<(), Failure> {
    let mut world = world(options, dir, Creed::Acknowledged)?;
    let mut rng = Rng::new(options.seed, 2);
    for round in 0..CANARY_ROUNDS {
        world.tally = Tally::silent();
        world.round(Blow::PrimaryReplaced, &format!("c{round}"), &mut rng)?;
        if world.tally.complaints() > 0 {
            return Ok(());
        }
    }
    Err(Failure::Other(
        "the canary lives: no acknowledged write was lost with its primary".to_owned(),
    ))
}
