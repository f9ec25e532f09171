//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use crate::daemon::Failure;
use crate::grammar::Group;
use crate::groups::GROUPS;
use crate::side::Protocol;

/// The name that `--only` takes for malformed frames.
const RAW: &str = "raw";
/// Seeds of every run without `--seed`. A random one is added, but not in continuous integration,
/// where a run has to give the same result again.
const SEEDS: [u64; 4] = [1, 2, 3, 4];

/// What was asked for.
pub(crate) struct Options {
    /// The seeds to run in turn.
    pub(crate) seeds: Vec<u64>,
    /// Steps for each seed and protocol.
    pub(crate) steps: usize,
    /// Random malformed inputs for each seed.
    pub(crate) raw_cases: usize,
    /// Go on with random seeds for so long.
    pub(crate) duration: Option<Duration>,
    pub(crate) protocols: Vec<Protocol>,
    pub(crate) groups: Vec<&'static Group>,
    /// Give up after so many differences.
    pub(crate) failures_max: usize,
    pub(crate) oracle: PathBuf,
    pub(crate) subject: PathBuf,
}

/// What the command line asks of a test program.
pub(crate) enum Request {
    Run(Options),
    /// `--list`, or a filter that means other tests.
    Nothing(&'static str),
}

/// Parses the process's arguments.
pub(crate) fn from_command_line() -> Result<Request, Failure> {
    let matches = command().get_matches();
    if matches.get_flag("list") {
        return Ok(Request::Nothing("differential: test"));
    }
    let filters: Vec<&String> = matches.get_many("filter").unwrap_or_default().collect();
    if !filters.is_empty() && !filters.iter().any(|filter| "differential".contains(*filter)) {
        return Ok(Request::Nothing("differential: filtered out"));
    }
    options(&matches).map(Request::Run)
}

fn options(matches: &ArgMatches) -> Result<Options, Failure> {
    let number = |name: &str| matches.get_one::<u64>(name).copied();
    let count = |name: &str| {
        let value = number(name).unwrap_or_default();
        usize::try_from(value).map_err(|_| Failure::Other(format!("--{name} {value} is too many")))
    };
    let names: Vec<&String> = matches.get_many("only").unwrap_or_default().collect();
    let known = |name: &str| name == RAW || GROUPS.iter().any(|group| group.name == name);
    if let Some(name) = names.iter().find(|name| !known(name)) {
        let known: Vec<&str> = GROUPS.iter().map(|group| group.name).collect();
        return Err(Failure::Other(format!("no {name:?} among {}, {RAW}", known.join(", "))));
    }
    let wanted = |name: &str| names.is_empty() || names.iter().any(|wanted| *wanted == name);
    let path = |name: &str| matches.get_one::<PathBuf>(name).cloned().unwrap_or_default();
    let seeds = match number("seed") {
        Some(seed) => vec![seed],
        None if std::env::var_os("CI").is_some() => SEEDS.to_vec(),
        None => SEEDS.into_iter().chain([crate::random_seed()]).collect(),
    };
    Ok(Options {
        seeds,
        steps: count("commands")?,
        raw_cases: if wanted(RAW) { count("raw-cases")? } else { 0 },
        duration: number("seconds").map(Duration::from_secs),
        protocols: match number("resp") {
            Some(2) => vec![Protocol::Resp2],
            Some(3) => vec![Protocol::Resp3],
            Some(other) => return Err(Failure::Other(format!("there is no RESP{other}"))),
            None => vec![Protocol::Resp2, Protocol::Resp3],
        },
        groups: GROUPS.iter().copied().filter(|group| wanted(group.name)).collect(),
        failures_max: count("failures")?,
        oracle: path("oracle"),
        subject: path("subject"),
    })
}

fn command() -> Command {
    let number = |name: &'static str| {
        Arg::new(name).long(name).value_name("N").value_parser(value_parser!(u64))
    };
    let path = |name: &'static str| {
        Arg::new(name).long(name).value_name("PATH").value_parser(value_parser!(PathBuf))
    };
    let harness_flag = |name: &'static str| {
        Arg::new(name).long(name).action(ArgAction::SetTrue).hide(true).help("for `cargo test`")
    };
    Command::new("differential")
        .about("Sends random commands to Carnelian and to Redis 7.0 and compares every reply")
        .args([
            number("seed").help("Only this seed, instead of 1 to 4 and a random one"),
            number("commands").default_value("2000").help("Commands for each seed and protocol"),
            number("raw-cases").default_value("1000").help("Malformed inputs for each seed"),
            number("seconds").conflicts_with("seed").help("Go on with random seeds for so long"),
            number("resp").help("Only this protocol, 2 or 3"),
            number("failures").default_value("5").help("Give up after so many differences"),
            Arg::new("only")
                .long("only")
                .value_name("GROUP,…")
                .value_delimiter(',')
                .help("Only these families of commands; `raw` for malformed inputs"),
            path("oracle").default_value("redis-server").help("The genuine server, of Redis 7.0"),
            path("subject")
                .default_value(env!("CARGO_BIN_EXE_carnelian-server"))
                .help("The server to be judged"),
            Arg::new("filter").num_args(0..).help("Runs only if part of `differential`"),
            harness_flag("list"),
            harness_flag("nocapture"),
            harness_flag("no-capture"),
            harness_flag("quiet").short('q'),
            harness_flag("exact"),
            Arg::new("test-threads").long("test-threads").num_args(1).hide(true),
        ])
}
