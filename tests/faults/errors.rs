//! File calls that fail: each one once, and all of them for a while.
//!
//! A fault that passes must leave a server that accepts writes, can rewrite, and has lost nothing.

use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::daemon::Failure;
use crate::fleet::Fleet;
use crate::options::{Extent, Options};
use crate::place::{Fsync, Server};
use crate::prepared::{Prepared, wait_until_idle};
use crate::rng::Rng;
use crate::session::{OnTrouble, Pace};
use crate::shim::{Action, Calls, Errno, Rule, Scope};
use crate::tally::Tally;
use crate::wire::{Connection, Reply};

/// Operations of each client in each step.
const OPERATIONS: usize = 3;
/// How long a short run waits for the recovery that it does not time.
const PATIENCE: Duration = Duration::from_secs(20);
/// Writes before a lasting fault begins.
const HEALTHY: Duration = Duration::from_millis(100);
/// After the end of a fault, a server accepts writes within so long: promised for a failed fsync, and
/// for a full disk.
const HEALED_AFTER_SYNC: Duration = Duration::from_secs(5);
pub(crate) const HEALED_AFTER_FULL: Duration = Duration::from_secs(1);

/// A way for calls to fail.
#[derive(Clone, Copy)]
struct Kind {
    name: &'static str,
    calls: Calls,
    action: Action,
}

const fn kind(name: &'static str, calls: Calls, action: Action) -> Kind {
    Kind { name, calls, action }
}

/// Failures that concern one call.
const SINGLE: [Kind; 10] = [
    kind("write EIO", Calls::WRITE, Action::Fail(Errno::Io)),
    kind("write ENOSPC", Calls::WRITE, Action::Fail(Errno::NoSpace)),
    kind("write EINTR", Calls::WRITE, Action::Fail(Errno::Intr)),
    kind("short write", Calls::WRITE, Action::Short),
    kind("fsync EIO", Calls::FSYNC, Action::Fail(Errno::Io)),
    kind("fsync ENOSPC", Calls::FSYNC, Action::Fail(Errno::NoSpace)),
    kind("fsync EINTR", Calls::FSYNC, Action::Fail(Errno::Intr)),
    kind("open, rename, unlink, truncate EIO", Calls::NAMES, Action::Fail(Errno::Io)),
    kind("open, rename, unlink, truncate ENOSPC", Calls::NAMES, Action::Fail(Errno::NoSpace)),
    kind("open, rename, unlink, truncate EINTR", Calls::NAMES, Action::Fail(Errno::Intr)),
];

/// Failures that last, and how soon after their end writes must be accepted.
const LASTING: [(Kind, Duration); 5] = [
    (kind("fsync EIO", Calls::FSYNC, Action::Fail(Errno::Io)), HEALED_AFTER_SYNC),
    (kind("fsync ENOSPC", Calls::FSYNC, Action::Fail(Errno::NoSpace)), HEALED_AFTER_SYNC),
    (kind("write ENOSPC", Calls::WRITE, Action::Fail(Errno::NoSpace)), HEALED_AFTER_FULL),
    (kind("write EIO", Calls::WRITE, Action::Fail(Errno::Io)), HEALED_AFTER_SYNC),
    (
        kind(
            "everything EIO",
            Calls::WRITE.and(Calls::FSYNC).and(Calls::NAMES),
            Action::Fail(Errno::Io),
        ),
        HEALED_AFTER_SYNC,
    ),
];

/// Runs all of it with one policy.
pub(crate) fn run(prepared: Prepared, fsync: Fsync, options: &Options) -> Result<Tally, Failure> {
    let rng = Rng::new(options.seed, 0);
    let mut errors = Errors { prepared, fsync, options, rng, tally: Tally::default() };
    for kind in SINGLE {
        for scope in [Scope::Server, Scope::Child] {
            match options.extent {
                Extent::Short => errors.fail_some(kind, scope)?,
                Extent::Long => {
                    let mut nth = 1;
                    while errors.fail_at(kind, scope, nth)? {
                        nth += 1;
                    }
                }
            }
        }
    }
    for (kind, limit) in LASTING {
        errors.fail_for_a_while(kind, limit)?;
    }
    Ok(errors.tally)
}

struct Errors<'a> {
    prepared: Prepared,
    fsync: Fsync,
    options: &'a Options,
    rng: Rng,
    tally: Tally,
}

impl Errors<'_> {
    /// One site, chosen by the seed.
    fn fail_some(&mut self, kind: Kind, scope: Scope) -> Result<(), Failure> {
        let mut fleet = self.prepared.put_back()?;
        let mut server = self.prepared.place.start()?;
        let count = Rule::lasting(kind.calls, scope, Action::Count);
        self.prepared.place.shim.arm(count);
        self.perform(&mut server, &mut fleet)?;
        let calls = self.prepared.place.shim.matched();
        server.kill_group()?;
        let nth = 1 + self.rng.next() % calls.max(1);
        self.fail_at(kind, scope, nth).map(drop)
    }

    /// Lets the `nth` call fail; false when there are fewer.
    fn fail_at(&mut self, kind: Kind, scope: Scope, nth: u64) -> Result<bool, Failure> {
        let mut fleet = self.prepared.put_back()?;
        let mut server = self.prepared.place.start()?;
        self.prepared.place.shim.arm(Rule::once(kind.calls, scope, nth, kind.action));
        let outcome = self.perform(&mut server, &mut fleet);
        let shim = &self.prepared.place.shim;
        shim.disarm();
        let Some(fired) = shim.fired() else {
            outcome?;
            server.kill_group()?;
            return Ok(false);
        };
        self.tally.cycles += 1;
        self.tally.note(kind.name, fired.site());
        let outcome = outcome.and_then(|()| {
            // Whatever failed, the next rewrite does not.
            server.command(&["BGREWRITEAOF"])?;
            wait_until_idle(&server)?;
            match server.info("persistence", "aof_last_bgrewrite_status")?.as_str() {
                "ok" => Ok(()),
                status => Err(Failure::Other(format!("the next rewrite was {status}"))),
            }
        });
        let alive = !server.has_ended()?;
        server.kill_group()?;
        let problem = match (alive, outcome) {
            (false, _) => Some("the server ended".to_owned()),
            (true, Err(failure)) => Some(failure.to_string()),
            (true, Ok(())) => None,
        };
        let name = format!("{} {nth}, {}", kind.name, fired.site());
        self.conclude(&name, problem, fleet)?;
        Ok(true)
    }

    /// Writes, a rewrite and a save, each followed by more writes.
    fn perform(&mut self, server: &mut Server, fleet: &mut Fleet) -> Result<(), Failure> {
        for command in ["PING", "BGREWRITEAOF", "BGSAVE"] {
            // A command that cannot start its child says so.
            server.command(&[command])?;
            wait_until_idle(server)?;
            let refused = fleet.insist(server, OPERATIONS)?;
            self.tally.note_time("refusal of writes after one failed call", refused);
        }
        Ok(())
    }

    /// Starts again and compares; tells what was wrong, before or now.
    fn conclude(
        &mut self,
        name: &str,
        problem: Option<String>,
        mut fleet: Fleet,
    ) -> Result<(), Failure> {
        self.tally.acknowledged += fleet.acknowledged();
        let mut problems: Vec<String> = problem.into_iter().collect();
        match self.prepared.place.start() {
            Err(failure) => problems.push(format!("no start: {failure}")),
            Ok(server) => {
                let verdict = fleet.settle(&server)?;
                self.tally.judge(&verdict);
                problems.extend(verdict.complaint());
                server.kill()?;
            }
        }
        if !problems.is_empty() {
            let policy = self.fsync.word();
            let kept = self.prepared.place.keep(&format!("{policy} {name}"))?;
            let texts = problems.join("\n  ");
            self.tally.complain(format!("{policy}, {name}: {texts}\n  {}", kept.display()));
        }
        Ok(())
    }

    /// Lets all calls fail for a while, under clients that go on writing.
    fn fail_for_a_while(&mut self, kind: Kind, limit: Duration) -> Result<(), Failure> {
        let mut fleet = self.prepared.put_back()?;
        let mut server = self.prepared.place.start()?;
        let duration = Duration::from_millis(match self.options.extent {
            Extent::Short => 300,
            Extent::Long => 2500,
        });
        let shim = &self.prepared.place.shim;
        let watch = Watch::new(&fleet, &server);
        let rule = Rule::lasting(kind.calls, Scope::Anybody, kind.action);
        let (begin, end, reads) =
            fleet.write_while(server.address(), Pace::OneByOne, OnTrouble::GoOn, || {
                thread::sleep(HEALTHY);
                shim.arm(rule);
                let begin = Instant::now();
                thread::sleep(duration);
                let reads = is_read_served(&server);
                // First the time: what is acknowledged before it is acknowledged during the fault.
                let end = Instant::now();
                shim.disarm();
                watch.wait_for_everyone();
                Ok((begin, end, reads))
            })?;
        self.tally.cycles += 1;
        self.tally.note("lasting", kind.name);
        let mut problems = Vec::new();
        if server.has_ended()? {
            problems.push("the server ended".to_owned());
        }
        problems.extend(reads.err());
        // Not what was sent before, whose sync may have gone well, nor what changed nothing and needs none.
        let syncs = kind.calls.includes(Calls::FSYNC) && self.fsync == Fsync::Always;
        let acknowledged = fleet.effective_between(begin, end);
        if syncs && acknowledged > 0 {
            problems.push(format!("{acknowledged} writes acknowledged that were not synced"));
        }
        self.tally.note("refused with", short_text(&fleet.take_refusals()));
        match fleet.healed_after(end) {
            None => problems.push("writes were never accepted again".to_owned()),
            Some(time) => {
                self.tally.note_time(kind.name, time);
                if self.options.extent == Extent::Long && time > limit {
                    problems.push(format!("writes accepted only after {} ms", time.as_millis()));
                }
            }
        }
        server.kill_group()?;
        let problem = (!problems.is_empty()).then(|| problems.join("\n  "));
        self.conclude(&format!("lasting {}", kind.name), problem, fleet)
    }
}

/// The clients' counters, seen from outside while they write.
pub(crate) struct Watch {
    totals: Vec<Arc<AtomicU64>>,
    address: SocketAddr,
}

impl Watch {
    pub(crate) fn new(fleet: &Fleet, server: &Server) -> Watch {
        Watch {
            totals: fleet.sessions.iter().map(|session| session.total.clone()).collect(),
            address: server.address(),
        }
    }

    /// Waits until every client was acknowledged something, the patience ends, or the server is
    /// gone.
    pub(crate) fn wait_for_everyone(&self) {
        let (start, before) = (Instant::now(), load(&self.totals));
        while start.elapsed() < PATIENCE && TcpStream::connect(self.address).is_ok() {
            if load(&self.totals).iter().zip(&before).all(|(now, before)| now > before) {
                return;
            }
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Waits until writes are refused, and returns the text; `None` if the server is gone.
    pub(crate) fn wait_for_refusal(&self, patience: Duration) -> Result<Option<String>, Failure> {
        let start = Instant::now();
        while start.elapsed() < patience {
            // A write that changes nothing. The clients may all be waiting for held replies.
            let reply = Connection::open(self.address)
                .and_then(|mut connection| connection.command(&["DEL", "nothing"]));
            match reply {
                Ok(Reply::Error(text)) => return Ok(Some(text)),
                Ok(_) => thread::sleep(Duration::from_millis(2)),
                Err(_) => return Ok(None),
            }
        }
        Err(Failure::Other("no write was refused".to_owned()))
    }
}

fn load(counters: &[Arc<AtomicU64>]) -> Vec<u64> {
    counters.iter().map(|counter| counter.load(Ordering::Relaxed)).collect()
}

/// Whether a read is answered while writes fail.
pub(crate) fn is_read_served(server: &Server) -> Result<(), String> {
    match server.command(&["GET", "c0:s0"]) {
        Ok(Reply::Bulk(_) | Reply::Null) => Ok(()),
        other => Err(format!("a read was answered with {other:?}")),
    }
}

/// The first words of the texts with which writes were refused.
pub(crate) fn short_text(refusals: &[String]) -> String {
    let words = |text: &String| text.split(' ').take(12).collect::<Vec<_>>().join(" ");
    let mut texts: Vec<String> = refusals.iter().map(words).collect();
    texts.sort_unstable();
    texts.dedup();
    match texts.is_empty() {
        true => "nothing".to_owned(),
        false => texts.join(" / "),
    }
}
