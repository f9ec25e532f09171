//! A client that writes, and remembers what was acknowledged and when.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::model::{History, Model, Unknown};
use crate::operations::{Operation, Transactions, Writer, database};
use crate::place::{Fsync, Keeping};
use crate::recovered;
use crate::rng::Rng;
use crate::wire::{Connection, Reply, encode};

/// The deepest pipeline.
const PIPELINE_MAX: usize = 48;
/// Between attempts of a client that was refused.
const RETRY: Duration = Duration::from_millis(5);
/// Refusals kept as text.
const TEXTS_MAX: usize = 5;

/// How a client sends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Pace {
    /// As fast as it can, in pipelines of random depth.
    Pipelined,
    /// As fast as it can, one operation at a time.
    OneByOne,
    /// One operation at a time, and a rest of so many microseconds after each.
    Resting(u64),
}

/// What a client does when the server refuses a write or closes the connection.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum OnTrouble {
    Stop,
    /// It reads its keys, to learn what became of the write, and tries again until told to stop.
    GoOn,
}

/// One client, over all the lives of a server.
#[derive(Clone)]
pub(crate) struct Session {
    pub(crate) client: usize,
    pub(crate) writer: Writer,
    rng: Rng,
    pub(crate) history: History,
    /// What an acknowledgement promises.
    pub(crate) keeping: Keeping,
    /// When each operation was acknowledged; those of the history start at `history_from`.
    pub(crate) acknowledged_at: Vec<Instant>,
    history_from: usize,
    /// When each acknowledged operation that changed something was sent, and when it was acknowledged.
    pub(crate) effective: Vec<(Instant, Instant)>,
    /// Operations acknowledged since the session exists; others look while it writes.
    pub(crate) total: Arc<AtomicU64>,
    /// The first few texts of refusals.
    pub(crate) refused: Vec<String>,
    /// What must not happen and did while the server ran.
    pub(crate) violations: Vec<String>,
}

/// How a recovered state compares with what was acknowledged.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Settled {
    /// Acknowledged operations that are gone.
    pub(crate) lost: u64,
    /// When the first of them was acknowledged.
    pub(crate) first_lost_at: Option<Instant>,
    /// Operations sent and not acknowledged that are there: allowed.
    pub(crate) unacknowledged_kept: u64,
}

impl Session {
    pub(crate) fn new(client: usize, seed: u64, transactions: Transactions) -> Session {
        Session {
            client,
            writer: Writer::new(client, transactions),
            rng: Rng::new(seed, u64::try_from(client).expect("a small number")),
            history: History::default(),
            keeping: Keeping::Log(Fsync::Always),
            acknowledged_at: Vec::new(),
            history_from: 0,
            effective: Vec::new(),
            total: Arc::default(),
            refused: Vec::new(),
            violations: Vec::new(),
        }
    }

    /// Writes until `stop` is set or the server is gone.
    pub(crate) fn run(
        &mut self,
        address: SocketAddr,
        pace: Pace,
        on_trouble: OnTrouble,
        stop: &AtomicBool,
    ) {
        while !stop.load(Ordering::Relaxed) {
            // An error is the end of the server, or trouble as any other.
            drop(self.write_until(address, pace, |_| stop.load(Ordering::Relaxed)));
            match on_trouble {
                OnTrouble::Stop => break,
                OnTrouble::GoOn => self.reconcile(address),
            }
            thread::sleep(RETRY);
        }
    }

    /// Writes one by one until `count` operations are acknowledged, however often the server
    /// refuses; returns the longest time that took, or `None` when the patience ended.
    pub(crate) fn insist(
        &mut self,
        address: SocketAddr,
        count: usize,
        patience: Duration,
    ) -> Option<Duration> {
        let goal = self.acknowledged_at.len() + count;
        let start = Instant::now();
        let mut longest = Duration::ZERO;
        let mut trouble = None;
        while start.elapsed() < patience {
            let done = |session: &Session| session.acknowledged_at.len() >= goal;
            let before = self.acknowledged_at.len();
            drop(self.write_until(address, Pace::OneByOne, done));
            if let (Some(since), Some(&first)) = (trouble, self.acknowledged_at.get(before)) {
                longest = longest.max(first.duration_since(since));
                trouble = None;
            }
            if done(self) {
                return Some(longest);
            }
            trouble = trouble.or_else(|| Some(Instant::now()));
            if Connection::open(address).is_err() {
                return None; // the server is gone
            }
            self.reconcile(address);
            thread::sleep(RETRY);
        }
        None
    }

    /// Writes on one connection until `done`, or a refusal; errs when the connection breaks.
    fn write_until(
        &mut self,
        address: SocketAddr,
        pace: Pace,
        done: impl Fn(&Session) -> bool,
    ) -> io::Result<()> {
        let mut connection = self.connect(address)?;
        while !done(self) {
            let depth = match pace {
                Pace::Pipelined if self.rng.chance(60) => self.rng.between(2, PIPELINE_MAX),
                Pace::Pipelined | Pace::OneByOne | Pace::Resting(_) => 1,
            };
            if self.exchange(&mut connection, depth)? != Accepted::All {
                break;
            }
            if let Pace::Resting(us) = pace {
                thread::sleep(Duration::from_micros(us));
            }
        }
        Ok(())
    }

    /// A connection with the client's database selected.
    pub(crate) fn connect(&self, address: SocketAddr) -> io::Result<Connection> {
        let mut connection = Connection::open(address)?;
        connection.command(&["SELECT", &database(self.client).to_string()])?;
        Ok(connection)
    }

    /// Sends `depth` operations at once and reads their replies.
    pub(crate) fn exchange(
        &mut self,
        connection: &mut Connection,
        depth: usize,
    ) -> io::Result<Accepted> {
        let mut request = Vec::new();
        let mut replies = Vec::new();
        for _ in 0..depth {
            let before = self.writer.state.fingerprint();
            let Operation { commands, changes } = self.writer.draw(&mut self.rng);
            let effect = self.writer.state.fingerprint() != before;
            for words in &commands {
                encode(words, &mut request);
            }
            replies.push((commands.len(), effect));
            self.history.operations.push(changes);
        }
        let sent_at = Instant::now();
        connection.send(&request)?;
        let mut accepted = Accepted::All;
        for (commands, effect) in replies {
            let mut error = None;
            for _ in 0..commands {
                error = error.or(first_error(connection.reply()?));
            }
            match error {
                None if accepted == Accepted::All => {
                    let at = self.acknowledge();
                    self.effective.extend(effect.then_some((sent_at, at)));
                }
                None => {}
                Some(text) => {
                    accepted = Accepted::Part;
                    self.refuse(text);
                }
            }
        }
        Ok(accepted)
    }

    fn acknowledge(&mut self) -> Instant {
        let now = Instant::now();
        self.acknowledged_at.push(now);
        match self.keeping {
            Keeping::Log(_) => self.history.acknowledged += 1,
            Keeping::Snapshots => {}
        }
        self.total.fetch_add(1, Ordering::Relaxed);
        now
    }

    /// Operations of the history that the server replied to.
    pub(crate) fn replied(&self) -> usize {
        self.acknowledged_at.len() - self.history_from
    }

    /// The first `replied` operations of the history are in an acknowledged snapshot.
    pub(crate) fn saved(&mut self, replied: usize) {
        self.history.acknowledged = self.history.acknowledged.max(replied);
    }

    fn refuse(&mut self, text: String) {
        if self.refused.len() < TEXTS_MAX && !self.refused.contains(&text) {
            self.refused.push(text);
        }
    }

    /// Reads the client's own keys from the running server and goes on from there.
    fn reconcile(&mut self, address: SocketAddr) {
        let read = Connection::open(address)
            .and_then(|mut connection| recovered::read(&mut connection, self.client));
        // Without an answer the server is gone, which others notice.
        let Ok(found) = read else { return };
        match self.settle(&found) {
            Ok(settled) if settled.lost == 0 => {}
            Ok(settled) => {
                let text = format!("{} acknowledged writes left the memory", settled.lost);
                self.violations.push(text);
            }
            Err(Unknown(text)) => self.violations.push(format!("in memory: {text}")),
        }
    }

    /// Compares a state read back with the history, and makes it the base of what follows.
    pub(crate) fn settle(&mut self, found: &Model) -> Result<Settled, Unknown> {
        let located = self.history.locate(found);
        let outcome = located.map(|place| {
            let acknowledged = self.history.acknowledged;
            let count = |difference: usize| u64::try_from(difference).unwrap_or(u64::MAX);
            let settled = Settled {
                lost: count(acknowledged.saturating_sub(place)),
                first_lost_at: self.acknowledged_at.get(self.history_from + place).copied(),
                unacknowledged_kept: count(place.saturating_sub(acknowledged)),
            };
            (settled, self.history.state_after(place))
        });
        match outcome {
            Ok((settled, state)) => {
                self.go_on_from(state);
                Ok(settled)
            }
            Err(unknown) => {
                self.go_on_from(found.clone());
                Err(unknown)
            }
        }
    }

    fn go_on_from(&mut self, state: Model) {
        self.history = History { base: state.clone(), ..History::default() };
        self.history_from = self.acknowledged_at.len();
        self.writer.state = state;
    }

    /// Supposes an empty server.
    pub(crate) fn forget(&mut self) {
        self.acknowledged_at.clear();
        self.effective.clear();
        self.go_on_from(Model::default());
    }
}

/// Whether every operation of a pipeline was accepted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Accepted {
    All,
    /// Those from the first refused one on are in doubt.
    Part,
}

fn first_error(reply: Reply) -> Option<String> {
    match reply {
        Reply::Error(text) => Some(text),
        Reply::Array(elements) => elements.into_iter().find_map(first_error),
        Reply::Status(_) | Reply::Integer(_) | Reply::Bulk(_) | Reply::Null => None,
    }
}
