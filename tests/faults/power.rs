//! The power fails: an ext4 file system is shut down without a flush, mounted again, and the server
//! started on what its disk holds.
//!
//! With `always` nothing acknowledged may be lost; with `everysec`, the last second of it.

use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use crate::daemon::Failure;
use crate::fleet::{Fleet, transactions_of};
use crate::mounts::Mount;
use crate::options::{Evidence, Extent, Options};
use crate::place::{Fsync, Keeping, Place, Server};
use crate::points::{Blow, Task, run_tasks};
use crate::prepared::Prepared;
use crate::rng::Rng;
use crate::session::{OnTrouble, Pace};
use crate::shim::{Action, Scope, Tools};
use crate::tally::Tally;

const IMAGE_MB: u64 = 256;
/// Cycles after which a directory is emptied.
const CYCLES_PER_DIRECTORY: u64 = 20;
/// What `everysec` may lose: the second, and the time that an fsync takes.
const WINDOW: Duration = Duration::from_millis(1250);
/// Clients go on for so long after the power is cut: nothing may be acknowledged then by `always`.
const AFTERMATH: Duration = Duration::from_millis(5);
/// Rest of `everysec`'s clients after each write: seconds of writes need not fill the image.
const REST_US: u64 = 200;

/// Cuts the power at random moments.
pub(crate) fn run(
    tools: &Tools,
    options: &Options,
    fsync: Fsync,
    cycles: u64,
) -> Result<Tally, Failure> {
    let disk = Disk::new(options)?;
    let data = disk.mount.point.join("data");
    let mut place =
        Place::new(tools, &options.server, &options.dir, Some(&data), Keeping::Log(fsync))?;
    place.set(&["--auto-aof-rewrite-percentage", "100", "--auto-aof-rewrite-min-size", "256kb"]);
    if options.evidence == Evidence::BeforeAndAfter {
        place.set_aside();
    }
    let mut server = place.start()?;
    let fleet = Fleet::new(options.clients, options.seed, transactions_of(&server)?);
    let mut power = Power { tools, options, fsync, disk, place, fleet, tally: Tally::default() };
    for cycle in 0..cycles {
        let mut rng = Rng::new(options.seed, cycle);
        let cut = power.write_and_cut(server, &mut rng)?;
        power.tally.cycles += 1;
        server = power.compare(cycle, cut)?;
    }
    server.kill_group()?;
    power.tally.acknowledged = power.fleet.acknowledged();
    Ok(power.tally)
}

/// Cuts the power at each file call of the tasks.
pub(crate) fn run_points(tools: &Tools, options: &Options) -> Result<Tally, Failure> {
    const CUTS: [Blow; 2] = [
        Blow { scope: Scope::Server, action: Action::CutPower },
        Blow { scope: Scope::Child, action: Action::CutPower },
    ];
    let disk = Disk::new(options)?;
    let data = disk.mount.point.join("data");
    let mut prepared = Prepared::new(tools, options, Keeping::Log(Fsync::Always), Some(data))?;
    let (tasks, blows) = match options.extent {
        Extent::Short => (&[Task::Rewrite] as &[Task], &CUTS[..1]),
        Extent::Long => (Task::ALL.as_slice(), CUTS.as_slice()),
    };
    run_tasks(&mut prepared, options, tasks, blows, &|_| disk.mount.remount())
}

/// An image that is mounted.
struct Disk {
    mount: Mount,
    _scratch: tempfile::TempDir,
}

impl Disk {
    fn new(options: &Options) -> Result<Disk, Failure> {
        let scratch = tempfile::tempdir_in(&options.dir).map_err(Failure::io("a directory"))?;
        let root: PathBuf =
            scratch.path().canonicalize().map_err(Failure::io("finding a directory"))?;
        let mount = Mount::ext4(&root.join("image"), &root.join("disk"), IMAGE_MB)?;
        Ok(Disk { mount, _scratch: scratch })
    }
}

struct Power<'a> {
    tools: &'a Tools,
    options: &'a Options,
    fsync: Fsync,
    disk: Disk,
    place: Place,
    fleet: Fleet,
    tally: Tally,
}

impl Power<'_> {
    /// Returns when the power was cut.
    fn write_and_cut(&mut self, server: Server, rng: &mut Rng) -> Result<Instant, Failure> {
        let (pace, ms) = match self.fsync {
            Fsync::Always => (Pace::Pipelined, rng.between(10, 400)),
            Fsync::Everysec => (Pace::Resting(REST_US), rng.between(300, 3500)),
        };
        let before = Duration::from_millis(u64::try_from(ms).unwrap_or(0));
        let after = Duration::from_micros(u64::try_from(rng.below(30_000)).unwrap_or(0));
        let background = match rng.below(3) {
            0 => Some("BGREWRITEAOF"),
            1 => Some("BGSAVE"),
            _ => None,
        };
        let (tools, tally) = (self.tools, &mut self.tally);
        let point: &Path = &self.disk.mount.point;
        self.fleet.write_while(server.address(), pace, OnTrouble::Stop, || {
            thread::sleep(before);
            if let Some(command) = background {
                server.command(&[command])?;
                thread::sleep(after);
            }
            let busy = !server.children().is_empty();
            tally.note("cut with", if busy { "a child at work" } else { "nothing else under way" });
            let cut = Instant::now();
            tools.cut_power(point)?;
            thread::sleep(AFTERMATH);
            server.kill_group()?;
            Ok(cut)
        })
    }

    /// Starts a server on what the disk holds, and compares.
    fn compare(&mut self, cycle: u64, cut: Instant) -> Result<Server, Failure> {
        // Refusals after the cut are what a server should give.
        self.fleet.take_refusals();
        self.disk.mount.remount()?;
        let name = format!("power-{}-{}-{cycle}", self.fsync.word(), self.options.seed);
        let server = match self.place.start() {
            Ok(server) => server,
            Err(failure) => {
                let kept = self.place.keep(&name)?;
                let text = format!("cycle {cycle}: no start: {failure}\n  {}", kept.display());
                self.tally.complain(text);
                return self.begin_anew();
            }
        };
        let mut verdict = self.fleet.settle(&server)?;
        let window = verdict.first_lost_at.and_then(|at| cut.checked_duration_since(at));
        if verdict.lost > 0 && window.is_none() {
            // A shutdown takes its time, and an fsync that runs meanwhile may report a success that
            // did not happen. When power fails, nobody hears of that.
            self.tally.note("acknowledged during the cut, and lost", "times");
            verdict.lost = 0;
        }
        self.tally.judge(&verdict);
        if let (Fsync::Everysec, Some(window)) = (self.fsync, window) {
            self.tally.note_time("time before the cut of a lost write", window);
            if window <= WINDOW || self.options.extent == Extent::Short {
                // That much is what the policy allows.
                verdict.lost = 0;
            }
        }
        if let Some(text) = verdict.complaint() {
            let kept = self.place.keep(&name)?;
            let when = window.map_or(0, |window| window.as_millis());
            let text = format!("cycle {cycle}: {text} (from {when} ms before the cut)");
            self.tally.complain(format!("{text}\n  {}", kept.display()));
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
