//! A directory with data, to which every point of failure is tried anew.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::daemon::Failure;
use crate::fleet::{Fleet, transactions_of};
use crate::options::{Evidence, Options};
use crate::place::{Keeping, Place, Server};
use crate::shim::Tools;

/// Clients; two share a database with none.
const CLIENTS: usize = 3;
/// Operations of each client before and after the rewrite that makes the base file.
const OPERATIONS: usize = 80;
/// Large values are common: base files and snapshots take several writes.
const LARGE_ONE_IN: usize = 12;
/// How long a rewrite or save may take.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// A place whose data can be put back as it was.
pub(crate) struct Prepared {
    pub(crate) place: Place,
    copy: PathBuf,
    /// Where the data is if its file system loses what is not synced.
    volatile: Option<PathBuf>,
    fleet: Fleet,
    _scratch: tempfile::TempDir,
}

impl Prepared {
    /// Lets clients write, rewrites, lets them write again, and keeps a copy of the result.
    pub(crate) fn new(
        tools: &Tools,
        options: &Options,
        keeping: Keeping,
        data: Option<PathBuf>,
    ) -> Result<Prepared, Failure> {
        let scratch = tempfile::tempdir_in(&options.dir).map_err(Failure::io("a directory"))?;
        let mut place = Place::new(tools, &options.server, &options.dir, data.as_deref(), keeping)?;
        let server = place.start()?;
        let mut fleet = Fleet::new(CLIENTS, options.seed, transactions_of(&server)?);
        fleet.set_large_one_in(LARGE_ONE_IN);
        fleet.write(&server, OPERATIONS)?;
        match keeping {
            Keeping::Log(_) => {
                server.command(&["BGREWRITEAOF"])?;
                wait_until_idle(&server)?;
                fleet.write(&server, OPERATIONS)?;
            }
            Keeping::Snapshots => {
                server.command(&["SAVE"])?;
            }
        }
        let verdict = fleet.settle(&server)?;
        server.kill()?;
        if let Some(text) = verdict.complaint() {
            return Err(Failure::Other(format!("without any fault: {text}")));
        }
        if options.evidence == Evidence::BeforeAndAfter {
            place.set_aside();
        }
        let copy = scratch.path().join("copy");
        copy_all(&place.data, &copy)?;
        fleet.set_keeping(keeping);
        Ok(Prepared { place, copy, volatile: data, fleet, _scratch: scratch })
    }

    /// Puts the data back, and returns the clients as they were then.
    pub(crate) fn put_back(&mut self) -> Result<Fleet, Failure> {
        self.place.shim.disarm();
        self.place.empty()?;
        copy_all(&self.copy, &self.place.data)?;
        self.sync()?;
        Ok(self.fleet.clone().own_counts())
    }

    /// Turns the data into what Redis before 7.0 left: one file, a snapshot followed by commands.
    pub(crate) fn downgrade(&self) -> Result<(), Failure> {
        let folder = self.place.data.join(FOLDER);
        let manifest = fs::read_to_string(folder.join(format!("{OLD_FILE}.manifest")))
            .map_err(Failure::io("reading the manifest"))?;
        let mut whole = Vec::new();
        for line in manifest.lines() {
            let mut words = line.split(' ');
            if let (Some("file"), Some(name), Some(_), Some(_), Some(_), Some("b" | "i")) =
                (words.next(), words.next(), words.next(), words.next(), words.next(), words.next())
            {
                whole.extend(fs::read(folder.join(name)).map_err(Failure::io("reading a part"))?);
            }
        }
        fs::write(self.place.data.join(OLD_FILE), whole).map_err(Failure::io("writing a file"))?;
        fs::remove_dir_all(folder).map_err(Failure::io("removing a directory"))?;
        self.sync()
    }

    /// Makes what a test did to the data outlive the end of the power.
    pub(crate) fn sync(&self) -> Result<(), Failure> {
        let Some(data) = &self.volatile else { return Ok(()) };
        let status =
            Command::new("sync").arg("-f").arg(data).status().map_err(Failure::io("sync"))?;
        match status.success() {
            true => Ok(()),
            false => Err(Failure::Other(format!("cannot sync {}", data.display()))),
        }
    }
}

/// The single append-only file of a directory as Redis before 7.0 left it.
const OLD_FILE: &str = "appendonly.aof";
const FOLDER: &str = "appendonlydir";

/// Waits until no rewrite and no save is under way or about to be.
pub(crate) fn wait_until_idle(server: &Server) -> Result<(), Failure> {
    const FIELDS: [&str; 3] =
        ["aof_rewrite_in_progress", "aof_rewrite_scheduled", "rdb_bgsave_in_progress"];
    let start = Instant::now();
    while start.elapsed() < IDLE_TIMEOUT {
        let mut busy = false;
        for field in FIELDS {
            busy |= server.info("persistence", field)? == "1";
        }
        if !busy {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(2));
    }
    Err(Failure::Other("a rewrite or save does not end".to_owned()))
}

fn copy_all(from: &Path, to: &Path) -> Result<(), Failure> {
    fs::create_dir_all(to).map_err(Failure::io("making a directory"))?;
    let status = Command::new("cp")
        .arg("-a")
        .arg(from.join("."))
        .arg(to)
        .status()
        .map_err(Failure::io("running cp"))?;
    match status.success() {
        true => Ok(()),
        false => Err(Failure::Other(format!("cannot copy {}", from.display()))),
    }
}
