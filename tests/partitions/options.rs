//! The command line.

use std::path::PathBuf;

use clap::{Arg, ArgAction, Command, value_parser};

/// How much is run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Extent {
    /// Each blow once; no time is asserted.
    Short,
    /// Promises about time as well.
    Long,
}

/// Where this process is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Place {
    Outside,
    /// In a network namespace of its own.
    Apart,
}

/// What was asked for.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) extent: Extent,
    pub(crate) rounds: u64,
    pub(crate) jobs: u64,
    pub(crate) seed: u64,
    pub(crate) place: Place,
    pub(crate) server: PathBuf,
}

/// The process's arguments; `None` if they ask for a list or for other tests.
pub(crate) fn from_command_line() -> Option<Options> {
    let matches = command().get_matches();
    let mut filters = matches.get_many::<String>("filter").unwrap_or_default();
    if matches.get_flag("list") {
        println!("partitions: test");
        return None;
    }
    if !filters.all(|filter| "partitions".contains(filter.as_str())) {
        return None;
    }
    let number = |name: &str, default| matches.get_one::<u64>(name).copied().unwrap_or(default);
    let built = env!("CARGO_BIN_EXE_carnelian-server");
    let default = std::env::var_os("CARNELIAN_TEST_SERVER").map_or(built.into(), PathBuf::from);
    let is_long = matches.get_flag("long");
    Some(Options {
        extent: if is_long { Extent::Long } else { Extent::Short },
        rounds: number("rounds", if is_long { 500 } else { 6 }),
        jobs: number("jobs", 1).max(1),
        seed: number("seed", 1),
        place: if matches.get_flag("apart") { Place::Apart } else { Place::Outside },
        server: matches.get_one::<PathBuf>("server").cloned().unwrap_or(default),
    })
}

fn command() -> Command {
    let number = |name: &'static str| {
        Arg::new(name).long(name).value_name("N").value_parser(value_parser!(u64))
    };
    let flag = |name: &'static str| Arg::new(name).long(name).action(ArgAction::SetTrue);
    let harness_flag = |name: &'static str| flag(name).hide(true).help("for `cargo test`");
    Command::new("partitions")
        .about("Parts servers, kills them, promotes others, and looks for what WAIT confirmed")
        .args([
            flag("long").help("500 rounds, and promises about time"),
            number("rounds").help("Rounds of a job [default: each blow once]"),
            number("jobs").help("Fleets side by side [default: 1]"),
            number("seed").help("Of what happens when [default: 1]"),
            Arg::new("server")
                .long("server")
                .value_name("PATH")
                .value_parser(value_parser!(PathBuf))
                .help("The server to be judged"),
            Arg::new("filter").num_args(0..).hide(true),
            flag("apart").hide(true).help("This process has a network namespace of its own"),
            harness_flag("list"),
            harness_flag("nocapture"),
            harness_flag("no-capture"),
            harness_flag("quiet").short('q'),
            harness_flag("exact"),
            Arg::new("test-threads").long("test-threads").num_args(1).hide(true),
        ])
}
