//! Several clients at once, and what they agree on after a restart.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::daemon::Failure;
use crate::model::Unknown;
use crate::operations::Transactions;
use crate::place::{Keeping, Server};
use crate::recovered;
use crate::session::{Accepted, OnTrouble, Pace, Session};
use crate::wire::Reply;

/// A server that refuses writes for so long after a fault has not recovered.
const PATIENCE: Duration = Duration::from_secs(15);

/// The clients of one directory.
#[derive(Clone)]
pub(crate) struct Fleet {
    pub(crate) sessions: Vec<Session>,
}

/// How many operations of each client a snapshot holds.
pub(crate) struct Snapshot(Vec<usize>);

/// How a server's data compares with what its clients know.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    /// Acknowledged writes that are gone.
    pub(crate) lost: u64,
    /// When the first of them was acknowledged.
    pub(crate) first_lost_at: Option<Instant>,
    /// Writes that were sent, not acknowledged, and are there.
    pub(crate) unacknowledged_kept: u64,
    /// States that no client's operations lead to, told in words.
    pub(crate) wrong: Vec<String>,
}

impl Verdict {
    /// What must not be, in words; `None` when all is well.
    pub(crate) fn complaint(&self) -> Option<String> {
        let mut texts = self.wrong.clone();
        if self.lost > 0 {
            texts.push(format!("{} acknowledged writes are lost", self.lost));
        }
        (!texts.is_empty()).then(|| texts.join("\n  "))
    }
}

impl Fleet {
    pub(crate) fn new(clients: usize, seed: u64, transactions: Transactions) -> Fleet {
        let session = |client| Session::new(client, seed, transactions);
        Fleet { sessions: (0..clients).map(session).collect() }
    }

    /// Lets all clients write, each in a thread, while `body` runs; they stop when it returns or
    /// the server is gone.
    pub(crate) fn write_while<T>(
        &mut self,
        address: SocketAddr,
        pace: Pace,
        on_trouble: OnTrouble,
        body: impl FnOnce() -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            for session in &mut self.sessions {
                scope.spawn(|| session.run(address, pace, on_trouble, &stop));
            }
            let outcome = body();
            stop.store(true, Ordering::Relaxed);
            outcome
        })
    }

    /// Reads everything from the server, compares it with what each client knows, and makes it what
    /// the clients go on from.
    pub(crate) fn settle(&mut self, server: &Server) -> Result<Verdict, Failure> {
        let mut connection = server.connect()?;
        let models = recovered::read_all(&mut connection, self.sessions.len())
            .map_err(Failure::io("reading the data back"))?;
        let mut verdict = Verdict::default();
        for (session, found) in self.sessions.iter_mut().zip(models) {
            match session.settle(&found) {
                Ok(settled) => {
                    verdict.lost += settled.lost;
                    verdict.unacknowledged_kept += settled.unacknowledged_kept;
                    let first = [verdict.first_lost_at, settled.first_lost_at];
                    verdict.first_lost_at = first.into_iter().flatten().min();
                }
                Err(Unknown(text)) => {
                    verdict.wrong.push(format!("client {}: {text}", session.client))
                }
            }
            for text in session.violations.drain(..) {
                verdict.wrong.push(format!("client {}: {text}", session.client));
            }
        }
        Ok(verdict)
    }

    /// Supposes an empty server.
    pub(crate) fn forget(&mut self) {
        self.sessions.iter_mut().for_each(Session::forget);
    }

    /// Operations acknowledged so far.
    pub(crate) fn acknowledged(&self) -> u64 {
        self.sessions.iter().map(|session| session.total.load(Ordering::Relaxed)).sum()
    }

    /// Operations that changed something, both sent and acknowledged between two moments.
    pub(crate) fn effective_between(&self, begin: Instant, end: Instant) -> usize {
        let spans = self.sessions.iter().flat_map(|session| &session.effective);
        spans.filter(|&&(sent, acknowledged)| sent >= begin && acknowledged < end).count()
    }

    /// The time from `end` until the last client was acknowledged something.
    pub(crate) fn healed_after(&self, end: Instant) -> Option<Duration> {
        let mut longest = Duration::ZERO;
        for session in &self.sessions {
            let first = session.acknowledged_at.iter().find(|&&at| at >= end)?;
            longest = longest.max(first.duration_since(end));
        }
        Some(longest)
    }

    /// The texts of replies that refused a write since the last call.
    pub(crate) fn take_refusals(&mut self) -> Vec<String> {
        let mut texts: Vec<String> =
            self.sessions.iter_mut().flat_map(|session| session.refused.drain(..)).collect();
        texts.sort_unstable();
        texts.dedup();
        texts
    }

    /// Makes one value in so many large.
    pub(crate) fn set_large_one_in(&mut self, number: usize) {
        self.sessions.iter_mut().for_each(|session| session.writer.large_one_in = number);
    }

    /// Tells the clients what they are promised.
    pub(crate) fn set_keeping(&mut self, keeping: Keeping) {
        self.sessions.iter_mut().for_each(|session| session.keeping = keeping);
    }

    /// What is acknowledged up to now, as a snapshot that begins now holds it.
    pub(crate) fn snapshot(&self) -> Snapshot {
        Snapshot(self.sessions.iter().map(Session::replied).collect())
    }

    /// That snapshot was acknowledged.
    pub(crate) fn saved(&mut self, snapshot: &Snapshot) {
        for (session, &replied) in self.sessions.iter_mut().zip(&snapshot.0) {
            session.saved(replied);
        }
    }

    /// Counts from 0 again, apart from the clients this was cloned from.
    pub(crate) fn own_counts(mut self) -> Fleet {
        for session in &mut self.sessions {
            session.total = Arc::default();
        }
        self
    }

    /// Lets the clients write `each` operations one by one, in turns, until they are accepted;
    /// the longest time that one was refused.
    pub(crate) fn insist(&mut self, server: &Server, each: usize) -> Result<Duration, Failure> {
        let mut longest = Duration::ZERO;
        for session in &mut self.sessions {
            match session.insist(server.address(), each, PATIENCE) {
                Some(time) => longest = longest.max(time),
                None => {
                    let refused = session.refused.join("; ");
                    let seconds = PATIENCE.as_secs();
                    let text = format!("no write was accepted in {seconds} s: {refused}");
                    return Err(Failure::Other(text));
                }
            }
        }
        Ok(longest)
    }

    /// Lets the clients write `each` operations one by one, in turns, and errs when one is refused.
    pub(crate) fn write(&mut self, server: &Server, each: usize) -> Result<(), Failure> {
        for session in &mut self.sessions {
            let mut connection =
                session.connect(server.address()).map_err(Failure::io("connecting"))?;
            for _ in 0..each {
                let accepted = session
                    .exchange(&mut connection, 1)
                    .map_err(Failure::io("waiting for a reply"))?;
                if accepted != Accepted::All {
                    let text = format!("a write was refused: {:?}", session.refused);
                    return Err(Failure::Other(text));
                }
            }
        }
        Ok(())
    }
}

/// Whether the server knows MULTI.
pub(crate) fn transactions_of(server: &Server) -> Result<Transactions, Failure> {
    Ok(match server.command(&["MULTI"])? {
        Reply::Error(_) => Transactions::Absent,
        _ => Transactions::Included,
    })
}
