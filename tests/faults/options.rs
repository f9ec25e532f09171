//! The command line.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use crate::daemon::Failure;
use crate::place::Fsync;

/// The programs, by name.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Program {
    Kill,
    Points,
    Errors,
    Full,
    Power,
}

pub(crate) const PROGRAMS: [(Program, &str); 5] = [
    (Program::Kill, "kill"),
    (Program::Points, "points"),
    (Program::Errors, "errors"),
    (Program::Full, "full"),
    (Program::Power, "power"),
];

/// How much is run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Extent {
    /// A sample that takes seconds; no time is asserted.
    Short,
    /// Every point and every promise about time.
    Long,
}

/// What is kept of a bad cycle.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Evidence {
    /// The data as the start that told left them.
    After,
    /// As they were before it, too: every cycle copies them.
    BeforeAndAfter,
}

/// Whether this process may mount.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Mounts {
    /// No: it has to start itself again in a namespace.
    Shared,
    Private,
}

/// What was asked for.
pub(crate) struct Options {
    pub(crate) programs: Vec<Program>,
    pub(crate) extent: Extent,
    /// Instead of the number of the extent.
    pub(crate) cycles: Option<u64>,
    /// Only this policy.
    pub(crate) fsync: Option<Fsync>,
    pub(crate) slow_fsync_ms: Option<u64>,
    pub(crate) seed: u64,
    pub(crate) clients: usize,
    pub(crate) mounts: Mounts,
    pub(crate) jobs: u64,
    pub(crate) evidence: Evidence,
    pub(crate) server: PathBuf,
    /// Where the servers' directories are made.
    pub(crate) dir: PathBuf,
}

impl Program {
    pub(crate) fn name(self) -> &'static str {
        let known = PROGRAMS.into_iter().find(|(program, _)| *program == self);
        known.map_or("", |(_, name)| name)
    }
}

impl Options {
    /// The words that make another process run with the same options.
    pub(crate) fn words(&self) -> Vec<OsString> {
        let mut words: Vec<OsString> = Vec::new();
        let mut add = |name: &str, value: OsString| words.extend([name.into(), value]);
        add("--seed", self.seed.to_string().into());
        add("--clients", self.clients.to_string().into());
        add("--server", self.server.clone().into());
        add("--dir", self.dir.clone().into());
        if let Some(cycles) = self.cycles {
            add("--cycles", cycles.to_string().into());
        }
        if let Some(fsync) = self.fsync {
            add("--fsync", fsync.word().into());
        }
        if self.evidence == Evidence::BeforeAndAfter {
            words.push("--evidence".into());
        }
        if self.extent == Extent::Long {
            words.push("--long".into());
        }
        words
    }

    /// The number of cycles for this extent, unless one was given.
    pub(crate) fn cycles(&self, short: u64, long: u64) -> u64 {
        self.cycles.unwrap_or(match self.extent {
            Extent::Short => short,
            Extent::Long => long,
        })
    }

    /// The policies that programs other than kill try: a short run is content with `always`.
    pub(crate) fn policies(&self) -> Vec<Fsync> {
        match (self.fsync, self.extent) {
            (Some(only), _) => vec![only],
            (None, Extent::Short) => vec![Fsync::Always],
            (None, Extent::Long) => vec![Fsync::Always, Fsync::Everysec],
        }
    }
}

/// What the command line asks of a test program.
pub(crate) enum Request {
    Run(Options),
    /// `--list`, or a filter that means other tests.
    Nothing(String),
}

/// Parses the process's arguments.
pub(crate) fn from_command_line() -> Result<Request, Failure> {
    let matches = command().get_matches();
    if matches.get_flag("list") {
        let lines = PROGRAMS.map(|(_, name)| format!("faults::{name}: test"));
        return Ok(Request::Nothing(lines.join("\n")));
    }
    let filters: Vec<&String> = matches.get_many("filter").unwrap_or_default().collect();
    let wanted = |name: &str| {
        let name = format!("faults::{name}");
        filters.is_empty() || filters.iter().any(|filter| name.contains(filter.as_str()))
    };
    let programs: Vec<Program> =
        PROGRAMS.into_iter().filter(|(_, name)| wanted(name)).map(|(program, _)| program).collect();
    if programs.is_empty() {
        return Ok(Request::Nothing("faults: filtered out".to_owned()));
    }
    options(&matches, programs).map(Request::Run)
}

fn options(matches: &ArgMatches, programs: Vec<Program>) -> Result<Options, Failure> {
    let number = |name: &str| matches.get_one::<u64>(name).copied();
    let path = |name: &str| matches.get_one::<PathBuf>(name).cloned();
    let fsync = match matches.get_one::<String>("fsync").map(String::as_str) {
        None => None,
        Some("always") => Some(Fsync::Always),
        Some("everysec") => Some(Fsync::Everysec),
        Some(other) => return Err(Failure::Other(format!("--fsync {other}: always or everysec"))),
    };
    let clients = number("clients").unwrap_or(1).max(1);
    Ok(Options {
        programs,
        extent: if matches.get_flag("long") { Extent::Long } else { Extent::Short },
        cycles: number("cycles"),
        fsync,
        slow_fsync_ms: number("slow-fsync"),
        seed: number("seed").unwrap_or(1),
        clients: usize::try_from(clients).map_err(|_| too_many("clients"))?,
        mounts: match matches.get_flag("private-mounts") {
            true => Mounts::Private,
            false => Mounts::Shared,
        },
        evidence: match matches.get_flag("evidence") {
            true => Evidence::BeforeAndAfter,
            false => Evidence::After,
        },
        jobs: number("jobs").unwrap_or(1).max(1),
        server: find_program(&path("server").unwrap_or_else(default_server))?,
        dir: path("dir").unwrap_or_else(std::env::temp_dir),
    })
}

fn too_many(name: &str) -> Failure {
    Failure::Other(format!("--{name} is too large"))
}

fn default_server() -> PathBuf {
    let built = env!("CARGO_BIN_EXE_carnelian-server");
    std::env::var_os("CARNELIAN_TEST_SERVER").map_or(built.into(), PathBuf::from)
}

/// A bare name is looked for in `PATH`; links stay, as a server may go by its name.
fn find_program(name: &Path) -> Result<PathBuf, Failure> {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&folders).map(|folder| folder.join(name));
    found
        .chain([name.to_owned()])
        .find(|path| path.is_file())
        .and_then(|path| std::path::absolute(path).ok())
        .ok_or_else(|| Failure::Other(format!("there is no server {}", name.display())))
}

fn command() -> Command {
    let number = |name: &'static str| {
        Arg::new(name).long(name).value_name("N").value_parser(value_parser!(u64))
    };
    let path = |name: &'static str| {
        Arg::new(name).long(name).value_name("PATH").value_parser(value_parser!(PathBuf))
    };
    let flag = |name: &'static str| Arg::new(name).long(name).action(ArgAction::SetTrue);
    let harness_flag = |name: &'static str| flag(name).hide(true).help("for `cargo test`");
    Command::new("faults")
        .about("Kills servers, cuts their power, fills their disks, and looks for lost writes")
        .args([
            flag("long").help("Every point of failure, and promises about time"),
            number("cycles").help("Cycles of kill, power and full"),
            Arg::new("fsync").long("fsync").value_name("POLICY").help("Only always, or everysec"),
            number("slow-fsync").help("Each fsync of kill takes N ms longer"),
            number("seed").help("Of what clients write and when they are killed [default: 1]"),
            number("clients").default_value("4").help("Clients that write"),
            number("jobs").default_value("1").help("Directories that kill works in at once"),
            flag("evidence")
                .help("Keep of a bad cycle what the start found, not only what it left"),
            path("server").help("The server to be judged"),
            path("dir").help("Where its directories are made"),
            Arg::new("filter").num_args(0..).help("kill, points, errors, full, power"),
            flag("private-mounts").hide(true).help("This process has a mount namespace of its own"),
            harness_flag("list"),
            harness_flag("nocapture"),
            harness_flag("no-capture"),
            harness_flag("quiet").short('q'),
            harness_flag("exact"),
            Arg::new("test-threads").long("test-threads").num_args(1).hide(true),
        ])
}
