//! Whole servers in one process, on a simulated network, with simulated disks and clocks: crashes, partitions,
//! cut connections, REPLICAOF and FAILOVER at random, while clients write. In the end all have the same data,
//! and what WAIT confirmed is where it said.
//!
//! A run is a function of its seed: `cargo test --test simulator -- --seed N --seeds 1 -v` shows one again.
//! `--help` lists the options.

mod check;
mod client;
mod disk;
mod machine;
mod network;
mod operator;
mod options;
mod reply;
#[path = "../differential/rng.rs"]
#[allow(dead_code, reason = "each test program uses its own part")]
mod rng;
mod site;
mod talk;
mod workload;
mod world;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use operator::Operator;
use options::{Bug, Options, Repeats, Talk};
use world::{Figures, SECOND, World};

/// How long the servers have to become the same once there is order, seconds.
const SETTLING_SECONDS: u64 = 240;
/// Seeds in which a planted bug has to be found.
const CANARY_SEEDS: u64 = 40;

fn main() -> ExitCode {
    let options = match options::from_command_line() {
        Ok(options) => options,
        Err(text) => {
            println!("{text}");
            return ExitCode::SUCCESS;
        }
    };
    if options.talk == Talk::Everything {
        talk::listen();
    }
    let bugs = [Bug::SkippedByte, Bug::UnsyncedLog];
    let are_found = bugs.into_iter().all(|bug| find_canary(&options, bug));
    let passed = are_found && (options.bug != Bug::None || run_seeds(&options));
    if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs seeds until the time or their number is used up; whether nothing was wrong.
fn run_seeds(options: &Options) -> bool {
    let started = Instant::now();
    let mut total = Figures::default();
    let mut runs = 0;
    let mut bad = 0;
    for seed in options.seed.. {
        let is_over = match options.seeds {
            Some(seeds) => runs >= seeds,
            None => started.elapsed() >= Duration::from_secs(options.seconds),
        };
        if is_over {
            break;
        }
        runs += 1;
        match run(seed, options) {
            Ok(figures) => total.add(&figures),
            Err(wrong) => {
                bad += 1;
                println!("simulator: seed {seed}: {wrong}");
            }
        }
    }
    let hours = total.virtual_time / SECOND / 3600;
    let seconds = started.elapsed().as_secs_f64();
    println!(
        "simulator: {runs} seeds, {bad} bad; {hours} virtual hours in {seconds:.0} s; {} replies, {} \
         confirmed writes, {} crashes, {} times \
         loss of power, {} writes found on disks afterwards, {} promotions, {} failovers, {} full and {} partial \
         synchronisations",
        total.replies,
        total.confirmed,
        total.crashes,
        total.power_losses,
        total.found_on_disk,
        total.promotions,
        total.failovers,
        total.full_syncs,
        total.partial_syncs
    );
    bad == 0
}

/// A planted bug has to be found, or finding nothing means nothing.
fn find_canary(options: &Options, bug: Bug) -> bool {
    let options = Options { bug, repeats: Repeats::Once, talk: Talk::Summary, ..options.clone() };
    if options.seeds == Some(1) {
        return true; // somebody looks at that seed
    }
    let found = (1..=CANARY_SEEDS).find_map(|seed| Some((seed, run(seed, &options).err()?)));
    match &found {
        Some((seed, wrong)) => {
            println!("simulator: the planted {bug:?} is found by seed {seed}: {wrong}")
        }
        None => println!("simulator: the planted {bug:?} was NOT found in {CANARY_SEEDS} seeds"),
    }
    found.is_some()
}

/// One seed, perhaps twice; or what was wrong.
fn run(seed: u64, options: &Options) -> Result<Figures, String> {
    let figures = run_once(seed, options)?;
    if options.repeats == Repeats::Twice && run_once(seed, options)?.trace != figures.trace {
        return Err("another run of it is another one".to_owned());
    }
    Ok(figures)
}

fn run_once(seed: u64, options: &Options) -> Result<Figures, String> {
    let mut world = World::new(seed, options.talk, options.bug);
    let mut operator = Operator::new(seed, world.sites.len());
    world.begin();
    operator.begin(&mut world);
    let disorder = options.virtual_minutes * 60 * SECOND;
    world.run_until(disorder, &mut operator);
    world.calm();
    operator.settle(&mut world);
    let mut difference = Some(String::new());
    for _ in 0..SETTLING_SECONDS / 5 {
        world.run_until(world.now + 5 * SECOND, &mut operator);
        difference = operator.difference(&mut world);
        if difference.is_none() || world.checker.wrong.is_some() {
            break;
        }
    }
    if difference.is_none() {
        world.check_end();
    }
    match world.checker.wrong.take().or(difference) {
        Some(wrong) => Err(wrong),
        None => Ok(world.finish()),
    }
}
