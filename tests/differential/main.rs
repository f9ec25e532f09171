//! Random commands to Carnelian and to Debian's `redis-server` 7.0, every reply compared byte for
//! byte, the whole state compared after each round; failures are minimised and shown with their
//! seed.
//!
//! `cargo test --test differential -- --help` lists the options. Rules for what newer versions of
//! Redis changed stand in the file `deviations`. To cover a new family of commands, add a table in
//! `groups/`, and to `state.rs` the command that shows a value of its type.

#[path = "../support/daemon.rs"]
mod daemon;
mod deviations;
mod grammar;
mod groups;
mod minimise;
mod options;
mod pair;
mod raw;
mod reply;
mod rng;
mod side;
mod snippets;
mod state;
mod transaction;
mod values;
mod wire;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant, SystemTime};

use daemon::{Failure, Launch};
use deviations::Deviations;
use grammar::{Group, Step};
use options::{Options, Request};
use pair::{Difference, Pair, show_words};
use rng::Rng;
use side::{Fault, Protocol};

/// Steps from one empty state to the next.
const ROUND: usize = 1000;
/// How long a server may be silent while a known hang is minimised.
const IMPATIENCE: Duration = Duration::from_secs(1);
/// Far more steps than the canary needs to be found.
const CANARY_STEPS: usize = 2000;
/// Long enough for any machine: the sequence is short only at the end.
const CANARY_BUDGET: Duration = Duration::from_secs(900);

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
        Ok(found) => {
            println!("differential: {found} differences");
            ExitCode::FAILURE
        }
        Err(failure) => {
            eprintln!("differential: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// Returns the number of differences found.
fn run(options: &Options) -> Result<usize, Failure> {
    check_version(&options.oracle)?;
    find_canary(options)?;
    let rules = Deviations::parse(include_str!("deviations"))?;
    let oracle = launch("redis", &options.oracle);
    let subject = launch("carnelian", &options.subject);
    let pair = Pair::start(oracle, subject, Fault::None, rules)?;
    let mut hunt = Hunt { options, pair, found: BTreeSet::new(), steps: 0, raw_cases: 0 };
    let start = Instant::now();
    let mut seeds = options.seeds.clone().into_iter();
    while !hunt.is_over() {
        let seed = match (seeds.next(), options.duration) {
            (Some(seed), _) => seed,
            (None, Some(duration)) if start.elapsed() < duration => random_seed(),
            (None, Some(_) | None) => break,
        };
        hunt.run_seed(seed)?;
    }
    let (steps, raw_cases, found) = (hunt.steps, hunt.raw_cases, hunt.found.len());
    let seconds = start.elapsed().as_secs_f64();
    println!("differential: {steps} steps and {raw_cases} raw inputs in {seconds:.1} s");
    for (why, times) in &hunt.pair.excused {
        println!("differential: excused {times} times: {why}");
    }
    hunt.pair.stop()?;
    Ok(found)
}

/// The search for differences.
struct Hunt<'a> {
    options: &'a Options,
    pair: Pair,
    /// The signatures of what was found, so that one cause is shown once.
    found: BTreeSet<String>,
    steps: usize,
    raw_cases: usize,
}

impl Hunt<'_> {
    fn is_over(&self) -> bool {
        self.found.len() >= self.options.failures_max
    }

    fn run_seed(&mut self, seed: u64) -> Result<(), Failure> {
        println!("differential: seed {seed}");
        for &protocol in &self.options.protocols {
            let mut left = if self.options.groups.is_empty() { 0 } else { self.options.steps };
            let mut part = 0;
            while left > 0 && !self.is_over() {
                let steps = draw_round(&self.options.groups, seed, part, left.min(ROUND));
                left -= steps.len();
                part += 1;
                self.steps += steps.len();
                if let Some(difference) = self.pair.play(&steps, protocol)? {
                    self.report(seed, protocol, &steps, &difference)?;
                }
            }
        }
        self.run_raw(seed)
    }

    /// Shows a difference unless one of the same signature has been shown.
    fn report(
        &mut self,
        seed: u64,
        protocol: Protocol,
        steps: &[Step],
        difference: &Difference,
    ) -> Result<(), Failure> {
        if !self.found.insert(difference.signature()) {
            return Ok(());
        }
        let (steps, difference) =
            minimise::minimise(&mut self.pair, steps, protocol, difference, minimise::BUDGET)?;
        println!("\nDIFFERENCE with --seed {seed} --resp {}:", protocol.number());
        for step in &steps {
            match step {
                Step::Commands(commands) => {
                    for command in commands {
                        println!("    {}", show_words(&command.words));
                    }
                }
                Step::Scan(options) => println!("    SCAN to the end {}", show_words(options)),
            }
        }
        show(&difference);
        Ok(())
    }

    fn run_raw(&mut self, seed: u64) -> Result<(), Failure> {
        // One hang is told once: each might take half a minute.
        if self.options.raw_cases == 0 || self.found.contains(pair::HANG) {
            return Ok(());
        }
        self.pair.reset(Protocol::Resp2)?;
        let mut rng = Rng::new(seed, u64::MAX);
        let random = (0..self.options.raw_cases).map(|_| raw::draw(&mut rng));
        for case in raw::fixed().chain(random) {
            if self.is_over() {
                break;
            }
            self.raw_cases += 1;
            let framed = raw::framed(&case);
            let Some(difference) = self.pair.compare_raw(&framed, wire::PATIENCE) else { continue };
            let signature = difference.signature();
            if self.found.insert(signature.clone()) {
                self.report_raw(seed, case, difference)?;
            }
            if signature == pair::HANG {
                println!("  the other raw inputs are left out");
                break;
            }
        }
        Ok(())
    }

    fn report_raw(
        &mut self,
        seed: u64,
        case: Vec<u8>,
        difference: Difference,
    ) -> Result<(), Failure> {
        let signature = difference.signature();
        let mut last = difference;
        let case = minimise::shrink(case, minimise::BUDGET, |bytes| {
            self.pair.reset(Protocol::Resp2)?;
            let found = self.pair.compare_raw(&raw::framed(bytes), IMPATIENCE);
            let same = found.filter(|found| found.signature() == signature);
            Ok(same.map(|found| last = found).is_some())
        })?;
        println!("\nDIFFERENCE with --seed {seed} --only raw, in the bytes");
        println!("    {}", reply::shown(&case));
        show(&last);
        self.pair.reset(Protocol::Resp2)
    }
}

fn show(difference: &Difference) {
    println!("  at        {}", difference.command);
    println!("  redis     {}", difference.oracle);
    println!("  carnelian {}", difference.subject);
}

/// The same for the same arguments, whatever the servers answer.
fn draw_round(groups: &[&Group], seed: u64, part: u64, count: usize) -> Vec<Step> {
    let mut rng = Rng::new(seed, part);
    (0..count).map(|_| grammar::draw(groups, &mut rng)).collect()
}

/// Proves that this program finds a bug: one is planted in the replies of a genuine server.
fn find_canary(options: &Options) -> Result<(), Failure> {
    let genuine = launch("redis", &options.oracle);
    let mut pair = Pair::start(genuine.clone(), genuine, Fault::ShortRange, Deviations::none())?;
    let groups: Vec<&Group> =
        groups::GROUPS.iter().copied().filter(|group| group.name == "strings").collect();
    let steps = draw_round(&groups, 1, 0, CANARY_STEPS);
    let Some(difference) = pair.play(&steps, Protocol::Resp2)? else {
        return Err(Failure::Other("the planted bug was not found".to_owned()));
    };
    let (steps, _) =
        minimise::minimise(&mut pair, &steps, Protocol::Resp2, &difference, CANARY_BUDGET)?;
    if steps.len() > 3 || !difference.command.to_ascii_uppercase().starts_with("GETRANGE") {
        let text = format!("the planted bug was mistaken: {} steps, {difference:?}", steps.len());
        return Err(Failure::Other(text));
    }
    pair.stop()
}

fn launch(name: &str, program: &Path) -> Launch {
    Launch { name: name.to_owned(), program: program.to_owned(), args: Vec::new(), core: None }
}

/// The rules for deviations suppose Redis 7.0.
fn check_version(program: &Path) -> Result<(), Failure> {
    let shown = program.display();
    let hint = "it comes with Debian's package redis-server; --oracle names another place";
    let output = Command::new(program)
        .arg("--version")
        .output()
        .map_err(Failure::io(format!("no genuine server at {shown} ({hint})")))?;
    let version = String::from_utf8_lossy(&output.stdout);
    match version.contains("v=7.0.") {
        true => Ok(()),
        false => Err(Failure::Other(format!("{shown} is not Redis 7.0: {version}"))),
    }
}

/// A seed from the clock.
fn random_seed() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::from(now.subsec_nanos())
}
