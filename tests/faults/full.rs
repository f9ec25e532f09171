//! A disk that fills up: a real one, a small tmpfs, with clients that go on writing.
//!
//! Reads are served, writes are refused with MISCONF, and once there is space again, writes are
//! accepted within a second and nothing acknowledged is missing.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use crate::daemon::Failure;
use crate::errors::{HEALED_AFTER_FULL, Watch, is_read_served, short_text};
use crate::fleet::{Fleet, transactions_of};
use crate::mounts::Mount;
use crate::options::{Evidence, Extent, Options};
use crate::place::{Fsync, Keeping, Place, Server};
use crate::rng::Rng;
use crate::session::{OnTrouble, Pace};
use crate::shim::Tools;
use crate::tally::Tally;

const DISK_BYTES: u64 = 16 << 20;
/// Freed when the disk is full.
const BALLAST_BYTES: usize = 8 << 20;
/// How long the clients may take to fill the disk.
const FILL_TIMEOUT: Duration = Duration::from_secs(60);
/// The disk stays full for so long.
const FULL_MS: (usize, usize) = (100, 1500);
/// Many large values: the disk is full soon.
const LARGE_ONE_IN: usize = 10;

/// Fills a disk and makes room, again and again, each time with a new directory.
pub(crate) fn run(
    tools: &Tools,
    options: &Options,
    fsync: Fsync,
    cycles: u64,
) -> Result<Tally, Failure> {
    let scratch = tempfile::tempdir_in(&options.dir).map_err(Failure::io("a directory"))?;
    let root = scratch.path().canonicalize().map_err(Failure::io("finding a directory"))?;
    let mount = Mount::tmpfs(&root.join("disk"), DISK_BYTES)?;
    let data = mount.point.join("data");
    let mut place =
        Place::new(tools, &options.server, &options.dir, Some(&data), Keeping::Log(fsync))?;
    place.set(&["--auto-aof-rewrite-percentage", "0"]);
    if options.evidence == Evidence::BeforeAndAfter {
        place.set_aside();
    }
    let server = place.start()?;
    let fleet = Fleet::new(options.clients, options.seed, transactions_of(&server)?);
    server.kill()?;
    let mut disk = Disk { options, fsync, mount, place, fleet, tally: Tally::default() };
    for cycle in 0..cycles {
        disk.cycle(cycle)?;
    }
    disk.tally.acknowledged = disk.fleet.acknowledged();
    Ok(disk.tally)
}

struct Disk<'a> {
    options: &'a Options,
    fsync: Fsync,
    mount: Mount,
    place: Place,
    fleet: Fleet,
    tally: Tally,
}

impl Disk<'_> {
    fn cycle(&mut self, cycle: u64) -> Result<(), Failure> {
        let mut rng = Rng::new(self.options.seed, cycle);
        self.fleet.forget();
        self.fleet.set_large_one_in(LARGE_ONE_IN);
        self.place.empty()?;
        let ballast = self.mount.point.join("ballast");
        fs::write(&ballast, vec![1; BALLAST_BYTES]).map_err(Failure::io("writing ballast"))?;
        let mut server = self.place.start()?;
        let watch = Watch::new(&self.fleet, &server);
        let full_for = u64::try_from(rng.between(FULL_MS.0, FULL_MS.1)).unwrap_or(0);
        // A rewrite under way when the disk fills up, and one that starts on the full disk.
        let (early, late) = (rng.chance(30), rng.chance(30));
        let address = server.address();
        let (end, reads, refusal) =
            self.fleet.write_while(address, Pace::OneByOne, OnTrouble::GoOn, || {
                if early {
                    server.command(&["BGREWRITEAOF"])?;
                }
                let refusal = watch.wait_for_refusal(FILL_TIMEOUT)?;
                if late {
                    server.command(&["BGREWRITEAOF"])?;
                }
                thread::sleep(Duration::from_millis(full_for));
                let reads = is_read_served(&server);
                fs::remove_file(&ballast).map_err(Failure::io("removing ballast"))?;
                let end = Instant::now();
                watch.wait_for_everyone();
                Ok((end, reads, refusal))
            })?;
        self.tally.cycles += 1;
        self.judge(cycle, &mut server, end, reads, refusal)?;
        server.kill_group()?;
        self.compare(cycle)
    }

    /// What can be said while the server runs.
    fn judge(
        &mut self,
        cycle: u64,
        server: &mut Server,
        end: Instant,
        reads: Result<(), String>,
        refusal: Option<String>,
    ) -> Result<(), Failure> {
        let mut problems: Vec<String> = reads.err().into_iter().collect();
        if server.has_ended()? {
            problems.push("the server ended".to_owned());
        }
        let mut refusals = self.fleet.take_refusals();
        refusals.extend(refusal);
        if let Some(other) = refusals.iter().find(|text| !text.starts_with("MISCONF")) {
            problems.push(format!("refused with {other}"));
        }
        self.tally.note("refused with", short_text(&refusals));
        match self.fleet.healed_after(end) {
            None => problems.push("writes were never accepted again".to_owned()),
            Some(time) => {
                self.tally.note_time("refusal after space returned", time);
                if self.options.extent == Extent::Long && time > HEALED_AFTER_FULL {
                    problems.push(format!("writes accepted only after {} ms", time.as_millis()));
                }
            }
        }
        if !problems.is_empty() {
            let log = self.place.log_tail();
            self.tally.complain(format!("cycle {cycle}: {}\n{log}", problems.join("\n  ")));
        }
        Ok(())
    }

    fn compare(&mut self, cycle: u64) -> Result<(), Failure> {
        let name = format!("full-{}-{}-{cycle}", self.fsync.word(), self.options.seed);
        let problem = match self.place.start() {
            Err(failure) => Some(format!("no start: {failure}")),
            Ok(server) => {
                let verdict = self.fleet.settle(&server)?;
                self.tally.judge(&verdict);
                server.kill()?;
                verdict.complaint()
            }
        };
        if let Some(text) = problem {
            let kept = self.place.keep(&name)?;
            self.tally.complain(format!("cycle {cycle}: {text}\n  {}", kept.display()));
        }
        Ok(())
    }
}
