//! `kill -9`, and the end of the power, at every single file call of a rewrite, a save, a shutdown
//! and a start.

use crate::daemon::Failure;
use crate::fleet::Fleet;
use crate::options::{Extent, Options};
use crate::place::{Keeping, Server};
use crate::prepared::{Prepared, wait_until_idle};
use crate::shim::{Action, Calls, Rule, Scope};
use crate::tally::Tally;
use crate::wire::Reply;

/// Operations of each client before, during and after the task.
const OPERATIONS: usize = 3;
/// Points of each kind in a short run.
const SAMPLE: u64 = 3;

/// What the server does when it is killed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Task {
    Rewrite,
    BackgroundSave,
    Save,
    Shutdown,
    /// In an empty directory.
    FirstStart,
    /// With a base file, increments and a manifest.
    Restart,
    /// With the single file of Redis before 7.0.
    Upgrade,
}

impl Task {
    pub(crate) const ALL: [Task; 7] = [
        Task::Rewrite,
        Task::BackgroundSave,
        Task::Save,
        Task::Shutdown,
        Task::FirstStart,
        Task::Restart,
        Task::Upgrade,
    ];
    const SHORT: [Task; 2] = [Task::Rewrite, Task::BackgroundSave];
    /// Those that make snapshots.
    const SAVES: [Task; 3] = [Task::BackgroundSave, Task::Save, Task::Shutdown];

    fn is_start(self) -> bool {
        matches!(self, Task::FirstStart | Task::Restart | Task::Upgrade)
    }

    /// Whether anybody of this scope works on the task.
    fn concerns(self, scope: Scope) -> bool {
        scope != Scope::Child || matches!(self, Task::Rewrite | Task::BackgroundSave)
    }

    fn name(self) -> &'static str {
        match self {
            Task::Rewrite => "BGREWRITEAOF",
            Task::BackgroundSave => "BGSAVE",
            Task::Save => "SAVE",
            Task::Shutdown => "SHUTDOWN SAVE",
            Task::FirstStart => "first start",
            Task::Restart => "start",
            Task::Upgrade => "upgrade",
        }
    }
}

/// Something that is done to a task at each of its calls.
#[derive(Clone, Copy)]
pub(crate) struct Blow {
    pub(crate) scope: Scope,
    pub(crate) action: Action,
}

impl Blow {
    fn spares_server(self) -> bool {
        self.scope == Scope::Child && matches!(self.action, Action::KillOne | Action::KillOneAfter)
    }
}

const KILLS: [Blow; 3] = [
    Blow { scope: Scope::Server, action: Action::KillAll },
    Blow { scope: Scope::Child, action: Action::KillAll },
    Blow { scope: Scope::Child, action: Action::KillOne },
];
const KILLS_AFTER: [Blow; 3] = [
    Blow { scope: Scope::Server, action: Action::KillAllAfter },
    Blow { scope: Scope::Child, action: Action::KillAllAfter },
    Blow { scope: Scope::Child, action: Action::KillOneAfter },
];

/// Kills at every point, or at a sample of them.
pub(crate) fn run(
    mut prepared: Prepared,
    keeping: Keeping,
    options: &Options,
) -> Result<Tally, Failure> {
    let (tasks, blows) = match (keeping, options.extent) {
        (Keeping::Log(_), Extent::Short) => (Task::SHORT.as_slice(), KILLS.to_vec()),
        (Keeping::Log(_), Extent::Long) => (Task::ALL.as_slice(), [KILLS, KILLS_AFTER].concat()),
        (Keeping::Snapshots, Extent::Short) => (&Task::SAVES[..2], KILLS[..2].to_vec()),
        (Keeping::Snapshots, Extent::Long) => {
            (Task::SAVES.as_slice(), [KILLS, KILLS_AFTER].concat())
        }
    };
    run_tasks(&mut prepared, options, tasks, &blows, &|_| Ok(()))
}

/// Strikes `blows` at the calls of `tasks`; `revive` makes the directory usable again after one.
pub(crate) fn run_tasks(
    prepared: &mut Prepared,
    options: &Options,
    tasks: &[Task],
    blows: &[Blow],
    revive: &dyn Fn(&mut Prepared) -> Result<(), Failure>,
) -> Result<Tally, Failure> {
    let mut points = Points { prepared, revive, tally: Tally::default() };
    for &task in tasks {
        for &blow in blows.iter().filter(|blow| task.concerns(blow.scope)) {
            match options.extent {
                Extent::Short => points.strike_some(task, blow)?,
                Extent::Long => {
                    let mut nth = 1;
                    while points.strike(task, blow, nth)? {
                        nth += 1;
                    }
                }
            }
        }
    }
    Ok(points.tally)
}

struct Points<'a> {
    prepared: &'a mut Prepared,
    revive: &'a dyn Fn(&mut Prepared) -> Result<(), Failure>,
    tally: Tally,
}

impl Points<'_> {
    /// Strikes at a few calls, evenly apart.
    fn strike_some(&mut self, task: Task, blow: Blow) -> Result<(), Failure> {
        let mut fleet = self.clients(task)?;
        let mut server = self.start(task, Blow { action: Action::Count, ..blow }, 1)?;
        self.perform(task, &mut server, &mut fleet)?;
        let calls = self.prepared.place.shim.matched();
        server.kill_group()?;
        for part in 0..SAMPLE {
            self.strike(task, blow, 1 + part * calls / SAMPLE)?;
        }
        Ok(())
    }

    /// Performs the task with a blow at its `nth` call and looks at what is left. False when the
    /// task has fewer calls.
    fn strike(&mut self, task: Task, blow: Blow, nth: u64) -> Result<bool, Failure> {
        let mut fleet = self.clients(task)?;
        let outcome = match self.start(task, blow, nth) {
            Ok(mut server) => {
                let outcome = self.perform(task, &mut server, &mut fleet);
                let fired = self.prepared.place.shim.fired().is_some();
                self.prepared.place.shim.disarm();
                match server.has_ended()? || !fired {
                    true => outcome.and_then(|()| server.kill_group()),
                    false => survive(server, &mut fleet),
                }
            }
            Err(failure) => Err(failure),
        };
        let shim = &self.prepared.place.shim;
        shim.disarm();
        let Some(fired) = shim.fired() else { return outcome.map(|()| false) };
        if blow.spares_server() {
            outcome?;
        }
        (self.revive)(self.prepared)?;
        self.tally.cycles += 1;
        self.tally.note(task.name(), fired.site());
        if let Err(text) = self.look(&mut fleet)? {
            let site =
                format!("{}, {:?} at call {nth}, {}", task.name(), blow.action, fired.site());
            let kept = self.prepared.place.keep(&format!("{task:?}-{:?}-{nth}", blow.action))?;
            self.tally.complain(format!("{site}: {text}\n  {}", kept.display()));
        }
        self.tally.acknowledged += fleet.acknowledged();
        Ok(true)
    }

    /// The clients of a directory that is ready for the task.
    fn clients(&mut self, task: Task) -> Result<Fleet, Failure> {
        let mut fleet = self.prepared.put_back()?;
        match task {
            Task::FirstStart => {
                self.prepared.place.empty()?;
                self.prepared.sync()?;
                fleet.forget();
            }
            Task::Upgrade => self.prepared.downgrade()?,
            Task::Rewrite | Task::BackgroundSave | Task::Save | Task::Shutdown | Task::Restart => {}
        }
        Ok(fleet)
    }

    fn start(&mut self, task: Task, blow: Blow, nth: u64) -> Result<Server, Failure> {
        let place = &mut self.prepared.place;
        let rule = Rule::once(Calls::ALL, blow.scope, nth, blow.action);
        if task.is_start() {
            place.shim.set_server(0);
            place.shim.arm(rule);
            return place.start();
        }
        let server = place.start()?;
        place.shim.arm(rule);
        Ok(server)
    }

    /// Writes, lets the server do its task, writes meanwhile, and waits for the end of the task.
    fn perform(&self, task: Task, server: &mut Server, fleet: &mut Fleet) -> Result<(), Failure> {
        fleet.write(server, OPERATIONS)?;
        let snapshot = fleet.snapshot();
        let command: &[&str] = match task {
            Task::Rewrite => &["BGREWRITEAOF"],
            Task::BackgroundSave => &["BGSAVE"],
            Task::Save => &["SAVE"],
            Task::Shutdown => {
                // The reply is the end of the connection.
                drop(server.command(&["SHUTDOWN", "SAVE"]));
                if server.wait()?.success() {
                    fleet.saved(&snapshot);
                }
                return Ok(());
            }
            Task::FirstStart | Task::Restart | Task::Upgrade => return Ok(()),
        };
        let reply = server.command(command)?;
        if task == Task::Save && reply == Reply::Status("OK".to_owned()) {
            fleet.saved(&snapshot);
        }
        fleet.write(server, OPERATIONS)?;
        wait_until_idle(server)?;
        let is_saved = server.info("persistence", "rdb_last_bgsave_status")? == "ok";
        if task == Task::BackgroundSave && is_saved {
            fleet.saved(&snapshot);
        }
        Ok(())
    }

    /// Two starts, with writes in between: all of it must be there.
    fn look(&mut self, fleet: &mut Fleet) -> Result<Result<(), String>, Failure> {
        for _ in 0..2 {
            let server = match self.prepared.place.start() {
                Ok(server) => server,
                Err(failure) => return Ok(Err(format!("no start: {failure}"))),
            };
            let verdict = fleet.settle(&server)?;
            self.tally.judge(&verdict);
            if let Some(text) = verdict.complaint() {
                return Ok(Err(text));
            }
            if let Err(failure) = fleet.write(&server, OPERATIONS) {
                return Ok(Err(failure.to_string()));
            }
            server.kill()?;
        }
        Ok(Ok(()))
    }
}

/// A server whose child was killed goes on.
fn survive(server: Server, fleet: &mut Fleet) -> Result<(), Failure> {
    wait_until_idle(&server)?;
    fleet.write(&server, OPERATIONS)?;
    server.kill_group()
}
