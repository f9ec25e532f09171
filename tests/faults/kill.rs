//! `kill -9` at random moments, while clients write and sometimes a rewrite or a save is under way.
//!
//! The kernel keeps what a killed process has written, so nothing acknowledged may be lost: neither
//! with `always` nor with `everysec`, however slow an fsync is.

use std::thread;
use std::time::Duration;

use crate::daemon::Failure;
use crate::fleet::{Fleet, transactions_of};
use crate::options::{Evidence, Options};
use crate::place::{Fsync, Keeping, Place, Server, run_kill};
use crate::rng::Rng;
use crate::session::{OnTrouble, Pace};
use crate::shim::{Action, Calls, Rule, Scope, Tools};
use crate::tally::Tally;

/// Cycles after which a directory is emptied: enough for several rewrites, few enough to be quick.
const CYCLES_PER_DIRECTORY: u64 = 25;
/// Makes the child of a save or rewrite live for some milliseconds.
const KEY_SAVE_DELAY_US: &str = "60";
/// With this rest between writes a slow cycle does not occupy a core.
const SLOW_REST_US: u64 = 500;
/// What is under way, as often as it is listed.
const BACKGROUNDS: [Background; 10] = [
    Background::Nothing,
    Background::Nothing,
    Background::Nothing,
    Background::Rewrite,
    Background::Rewrite,
    Background::Rewrite,
    Background::Rewrite,
    Background::Save,
    Background::Save,
    Background::Automatic,
];
/// The first write that the canary's file system swallows, and the operations of its cycle: many, as
/// each one alone might change nothing or be overwritten.
const CANARY_WRITE: u64 = 20;
const CANARY_OPERATIONS: usize = 100;

/// How a run kills.
pub(crate) struct Plan {
    pub(crate) fsync: Fsync,
    pub(crate) cycles: u64,
    /// Each fsync lasts so much longer.
    pub(crate) slow_fsync_ms: u64,
}

/// What is under way when the server is killed.
#[derive(Clone, Copy, Debug)]
enum Background {
    Nothing,
    Rewrite,
    Save,
    /// The server decides by itself to rewrite.
    Automatic,
}

/// Who is killed.
#[derive(Clone, Copy, Debug)]
enum Blow {
    Server,
    Both,
    ChildFirst,
}

/// Runs the plan, in several directories at once with `--jobs`.
pub(crate) fn run(tools: &Tools, options: &Options, plan: &Plan) -> Result<Tally, Failure> {
    let jobs = options.jobs.max(1);
    let outcomes = thread::scope(|scope| {
        let work = |job| move || run_job(tools, options, plan, job);
        let handles: Vec<_> = (0..jobs).map(|job| scope.spawn(work(job))).collect();
        let join = |handle: thread::ScopedJoinHandle<'_, _>| {
            handle.join().unwrap_or_else(|_| Err(Failure::Other("a job panicked".to_owned())))
        };
        handles.into_iter().map(join).collect::<Vec<_>>()
    });
    let mut total = Tally::default();
    for outcome in outcomes {
        total.merge(outcome?);
    }
    Ok(total)
}

fn run_job(tools: &Tools, options: &Options, plan: &Plan, job: u64) -> Result<Tally, Failure> {
    let mut place =
        Place::new(tools, &options.server, &options.dir, None, Keeping::Log(plan.fsync))?;
    place.set(&["--rdb-key-save-delay", KEY_SAVE_DELAY_US]);
    place.set(&["--auto-aof-rewrite-percentage", "100", "--auto-aof-rewrite-min-size", "256kb"]);
    if options.evidence == Evidence::BeforeAndAfter {
        place.set_aside();
    }
    let mut server = place.start()?;
    let fleet = Fleet::new(options.clients, options.seed ^ job, transactions_of(&server)?);
    let mut loops = Loop { options, plan, place, fleet, tally: Tally::default() };
    for cycle in (job..plan.cycles).step_by(usize::try_from(options.jobs).unwrap_or(1)) {
        let mut rng = Rng::new(options.seed, cycle);
        if let Err(failure) = loops.write_and_kill(server, &mut rng) {
            let kept = loops.place.keep(&format!("kill-{}-{cycle}", options.seed))?;
            let log = loops.place.log_tail();
            loops.tally.complain(format!("cycle {cycle}: {failure}\n{log}\n  {}", kept.display()));
        }
        loops.tally.cycles += 1;
        server = loops.compare(cycle)?;
    }
    server.kill()?;
    loops.tally.acknowledged = loops.fleet.acknowledged();
    Ok(loops.tally)
}

struct Loop<'a> {
    options: &'a Options,
    plan: &'a Plan,
    place: Place,
    fleet: Fleet,
    tally: Tally,
}

impl Loop<'_> {
    fn write_and_kill(&mut self, mut server: Server, rng: &mut Rng) -> Result<(), Failure> {
        let slow = self.plan.slow_fsync_ms > 0;
        let pace = if slow { Pace::Resting(SLOW_REST_US) } else { Pace::Pipelined };
        let background = *rng.pick(&BACKGROUNDS);
        let blow = *rng.pick(&[Blow::Server, Blow::Both, Blow::ChildFirst]);
        let before = random_time(rng, slow, background);
        let after = Duration::from_micros(u64::try_from(rng.below(12_000)).unwrap_or(0));
        let (place, tally) = (&mut self.place, &mut self.tally);
        place.shim.slow_down(self.plan.slow_fsync_ms);
        self.fleet.write_while(server.address(), pace, OnTrouble::Stop, || {
            thread::sleep(before);
            let command = match background {
                Background::Rewrite => Some("BGREWRITEAOF"),
                Background::Save => Some("BGSAVE"),
                Background::Nothing | Background::Automatic => None,
            };
            if let Some(command) = command {
                server.command(&[command])?;
                thread::sleep(after);
            }
            if server.has_ended()? {
                return Err(Failure::Other("the server ended by itself".to_owned()));
            }
            strike(place, server, blow, tally)
        })?;
        place.shim.slow_down(0);
        let refusals = self.fleet.take_refusals();
        if !refusals.is_empty() {
            self.tally.complain(format!("writes were refused: {}", refusals.join("; ")));
        }
        Ok(())
    }

    /// Starts a server and compares what it holds.
    fn compare(&mut self, cycle: u64) -> Result<Server, Failure> {
        let name = format!("kill-{}-{}-{cycle}", self.plan.fsync.word(), self.options.seed);
        let server = match self.place.start() {
            Ok(server) => server,
            Err(failure) => {
                let kept = self.place.keep(&name)?;
                let text = format!("cycle {cycle}: no start: {failure}\n  {}", kept.display());
                self.tally.complain(text);
                return self.begin_anew();
            }
        };
        let verdict = self.fleet.settle(&server)?;
        self.tally.judge(&verdict);
        if let Some(text) = verdict.complaint() {
            let kept = self.place.keep(&name)?;
            let text = format!("cycle {cycle}: {text}\n  {}", kept.display());
            self.tally.complain(text);
        }
        if verdict.wrong.is_empty() && !(cycle + 1).is_multiple_of(CYCLES_PER_DIRECTORY) {
            return Ok(server);
        }
        server.kill_group()?;
        self.begin_anew()
    }

    fn begin_anew(&mut self) -> Result<Server, Failure> {
        self.fleet.forget();
        self.place.empty()?;
        self.place.start()
    }
}

/// Kills, and notes what was under way at that moment.
fn strike(place: &mut Place, server: Server, blow: Blow, tally: &mut Tally) -> Result<(), Failure> {
    let children = server.children();
    let during = if children.is_empty() { "nothing else under way" } else { "a child at work" };
    match blow {
        Blow::ChildFirst if !children.is_empty() => {
            for child in &children {
                run_kill(&["-KILL", &child.to_string()])?;
            }
            place.kill_alone(server)?;
        }
        Blow::Both => server.kill_group()?,
        Blow::Server | Blow::ChildFirst => place.kill_alone(server)?,
    }
    let who = match blow {
        Blow::ChildFirst if !children.is_empty() => "child and then server",
        Blow::Both if !children.is_empty() => "server and child at once",
        Blow::Server if !children.is_empty() => "server, its child lived on",
        Blow::Server | Blow::Both | Blow::ChildFirst => "server",
    };
    tally.note("killed with", during);
    tally.note("killed", who);
    Ok(())
}

/// Short mostly; long enough for the timers of the server at times.
fn random_time(rng: &mut Rng, slow: bool, background: Background) -> Duration {
    let ms = match background {
        _ if slow => rng.between(300, 3300),
        Background::Automatic => rng.between(50, 300),
        Background::Nothing | Background::Rewrite | Background::Save => match rng.below(10) {
            0 => rng.between(50, 400),
            _ => rng.between(0, 50),
        },
    };
    Duration::from_millis(u64::try_from(ms).unwrap_or(0))
}

/// Proves that lost writes are noticed: a lying file system swallows some.
pub(crate) fn find_canary(tools: &Tools, options: &Options) -> Result<(), Failure> {
    let mut place =
        Place::new(tools, &options.server, &options.dir, None, Keeping::Log(Fsync::Always))?;
    let server = place.start()?;
    let mut fleet = Fleet::new(1, options.seed, transactions_of(&server)?);
    let lie = Rule::lasting(Calls::WRITE, Scope::Server, Action::Swallow);
    place.shim.arm(Rule { nth: CANARY_WRITE, ..lie });
    fleet.write(&server, CANARY_OPERATIONS)?;
    place.shim.disarm();
    if place.shim.fired().is_none() {
        return Err(Failure::Other("the server's writes are not seen by shim.c".to_owned()));
    }
    server.kill()?;
    // A server that refuses to start with such a file is right, too.
    let Ok(server) = place.start() else { return Ok(()) };
    let verdict = fleet.settle(&server)?;
    server.kill()?;
    match verdict.complaint() {
        Some(_) => Ok(()),
        None => Err(Failure::Other("swallowed writes were not noticed".to_owned())),
    }
}
