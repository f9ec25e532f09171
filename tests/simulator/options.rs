//! The command line.

use clap::{Arg, ArgAction, Command, value_parser};

/// What was asked for.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// The first of them.
    pub(crate) seed: u64,
    /// How many; as many as there is time for if none is given.
    pub(crate) seeds: Option<u64>,
    /// Seconds after which no further seed is begun.
    pub(crate) seconds: u64,
    /// Virtual time of disorder in each run.
    pub(crate) virtual_minutes: u64,
    /// Whether each seed is run twice, to be compared.
    pub(crate) repeats: Repeats,
    pub(crate) bug: Bug,
    pub(crate) talk: Talk,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Repeats {
    Once,
    Twice,
}

/// A planted bug.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Bug {
    None,
    /// Whoever goes on without a snapshot is sent the stream from one byte too late.
    SkippedByte,
    /// What is brought to disk in the background is not there afterwards.
    UnsyncedLog,
}

/// What is printed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Talk {
    Summary,
    /// What is done to the servers, too, and what they log.
    Everything,
}

/// Parses the process's arguments; or the text to print instead of a run.
pub(crate) fn from_command_line() -> Result<Options, String> {
    let matches = command().get_matches();
    if matches.get_flag("list") {
        return Err("simulator: test".to_owned());
    }
    let filters: Vec<&String> = matches.get_many("filter").unwrap_or_default().collect();
    if !filters.is_empty() && !filters.iter().any(|filter| "simulator".contains(filter.as_str())) {
        return Err("simulator: filtered out".to_owned());
    }
    let number = |name: &str| matches.get_one::<u64>(name).copied();
    let either = |flag, yes, no| if matches.get_flag(flag) { yes } else { no };
    Ok(Options {
        seed: number("seed").unwrap_or(1),
        seeds: number("seeds"),
        seconds: number("seconds").unwrap_or(60),
        virtual_minutes: number("minutes").unwrap_or(10),
        repeats: either("twice", Repeats::Twice, Repeats::Once),
        bug: if matches.get_flag("canary") { Bug::SkippedByte } else { Bug::None },
        talk: if matches.get_flag("verbose") { Talk::Everything } else { Talk::Summary },
    })
}

fn command() -> Command {
    let number = |name: &'static str| {
        Arg::new(name).long(name).value_name("N").value_parser(value_parser!(u64))
    };
    let flag = |name: &'static str| Arg::new(name).long(name).action(ArgAction::SetTrue);
    let harness_flag = |name: &'static str| flag(name).hide(true).help("for `cargo test`");
    Command::new("simulator")
        .about(
            "Servers on a simulated network with simulated disks: crashes, partitions, failovers",
        )
        .args([
            number("seed").help("The first seed [default: 1]"),
            number("seeds").help("How many seeds [default: as many as there is time for]"),
            number("seconds").help("No seed is begun after N seconds [default: 60]"),
            number("minutes").help("Virtual minutes of disorder in each run [default: 10]"),
            flag("twice").help("Runs each seed twice, and compares every byte"),
            flag("canary").help("Only plants a bug, which has to be found"),
            flag("verbose").short('v').help("Tells what happens to the servers"),
            Arg::new("filter").num_args(0..).help("for `cargo test`").hide(true),
            harness_flag("list"),
            harness_flag("nocapture"),
            harness_flag("no-capture"),
            harness_flag("quiet").short('q'),
            harness_flag("exact"),
            Arg::new("test-threads").long("test-threads").num_args(1).hide(true),
        ])
}
