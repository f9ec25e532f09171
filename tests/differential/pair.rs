//! Both servers side by side: the same commands to both, and the first reply that differs.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use crate::daemon::{Failure, Launch};
use crate::deviations::Deviations;
use crate::grammar::{Command, Step, Words};
use crate::reply::{Compare, Given, Reply, shown};
use crate::side::{Answers, Fault, Protocol, Side};
use crate::state;
use crate::transaction::{Transaction, Verdict};

/// Commands per write.
const BATCH: usize = 200;

/// How a reply is shown that did not come in time, or whose end did not.
pub(crate) const HANG: &str = "no answer in time";

/// Two replies that should agree and do not.
#[derive(Clone, Debug)]
pub(crate) struct Difference {
    /// The step at which it showed; the number of steps if only the final state differs.
    pub(crate) place: usize,
    pub(crate) command: String,
    pub(crate) oracle: String,
    pub(crate) subject: String,
}

impl Difference {
    /// What two reports of the same cause have in common: the command's name and the replies
    /// without their digits.
    pub(crate) fn signature(&self) -> String {
        if self.oracle.starts_with(HANG) || self.subject.starts_with(HANG) {
            return HANG.to_owned();
        }
        let name = self.command.split(' ').next().unwrap_or_default().to_ascii_uppercase();
        let rough = |text: &str| -> String {
            text.chars().filter(|letter| letter.is_ascii_alphabetic()).take(24).collect()
        };
        format!("{name} {} {}", rough(&self.oracle), rough(&self.subject))
    }
}

/// The two servers.
pub(crate) struct Pair {
    oracle: Side,
    subject: Side,
    deviations: Deviations,
    /// The transaction that the commands are in.
    transaction: Transaction,
    /// How often each deviation was met, by its reason.
    pub(crate) excused: BTreeMap<String, usize>,
}

impl Pair {
    pub(crate) fn start(
        oracle: Launch,
        subject: Launch,
        fault: Fault,
        deviations: Deviations,
    ) -> Result<Pair, Failure> {
        let oracle = Side::start(oracle, Fault::None)?;
        let subject = Side::start(subject, fault)?;
        let transaction = Transaction::default();
        Ok(Pair { oracle, subject, deviations, transaction, excused: BTreeMap::new() })
    }

    pub(crate) fn stop(self) -> Result<(), Failure> {
        self.oracle.stop()?;
        self.subject.stop()
    }

    /// Empties both and opens new connections.
    pub(crate) fn reset(&mut self, protocol: Protocol) -> Result<(), Failure> {
        self.oracle.reset(protocol)?;
        self.subject.reset(protocol)
    }

    /// Runs the steps from an empty state and then compares the whole state.
    pub(crate) fn play(
        &mut self,
        steps: &[Step],
        protocol: Protocol,
    ) -> Result<Option<Difference>, Failure> {
        self.reset(protocol)?;
        self.transaction = Transaction::default();
        let mut batch = Vec::new();
        let mut places = Vec::new();
        for (place, step) in steps.iter().enumerate() {
            if let Step::Commands(commands) = step {
                batch.extend_from_slice(commands);
                places.resize(batch.len(), place);
                if batch.len() < BATCH && place + 1 < steps.len() {
                    continue;
                }
            }
            if let Some(difference) = self.compare(&batch, |index| places[index]) {
                return Ok(Some(difference));
            }
            batch.clear();
            places.clear();
            // In a transaction an iteration could not go on.
            if let Step::Scan(options) = step
                && !self.transaction.is_open()
                && let Some(difference) = self.scan(place, options)
            {
                return Ok(Some(difference));
            }
        }
        let end = [Command::of("DISCARD", Compare::Exact)];
        if let Some(difference) = self.compare(&end, |_| steps.len()) {
            return Ok(Some(difference));
        }
        let heard = self.compare_heard(steps.len());
        Ok(heard.or_else(|| state::compare(self, steps.len())))
    }

    /// Compares what was published meanwhile, by commands and as keyspace events.
    fn compare_heard(&mut self, place: usize) -> Option<Difference> {
        let (oracle, subject) = self.both(Side::heard);
        let nothing = || "nothing more".to_owned();
        for index in 0..oracle.len().max(subject.len()) {
            let said = |heard: &[String]| heard.get(index).cloned().unwrap_or_else(nothing);
            let (oracle, subject) = (said(&oracle), said(&subject));
            if oracle != subject {
                let command = format!("message {index}");
                return self.judge(Difference { place, command, oracle, subject });
            }
        }
        None
    }

    /// Sends the commands to both; `place` says to which step the i-th belongs.
    pub(crate) fn compare(
        &mut self,
        commands: &[Command],
        place: impl Fn(usize) -> usize,
    ) -> Option<Difference> {
        let (oracle, subject) = self.run(commands);
        for (index, command) in commands.iter().enumerate() {
            self.transaction.note(command, oracle.replies.get(index));
            let given = (given(&oracle, index), given(&subject, index));
            let judge = |queued: &Command, oracle: &Reply, subject: &Reply| {
                let difference = Difference {
                    place: place(index),
                    command: show_words(&queued.words),
                    oracle: oracle.to_string(),
                    subject: subject.to_string(),
                };
                match self.deviations.excuse(&difference) {
                    Some(_) => Verdict::Excused,
                    None => Verdict::Wrong,
                }
            };
            if let (Some(oracle), Some(subject)) = given
                && (command.compare.agree(oracle, subject)
                    || self.transaction.agree(command, oracle, subject, judge))
            {
                continue;
            }
            let difference = Difference {
                place: place(index),
                command: show_words(&command.words),
                oracle: show_answer(&oracle, index),
                subject: show_answer(&subject, index),
            };
            if let Some(difference) = self.judge(difference) {
                return Some(difference);
            }
            if given.0.is_none() || given.1.is_none() {
                // Excused, but the connection is gone.
                return None;
            }
        }
        None
    }

    /// Sends the commands to both and returns what each answered.
    pub(crate) fn run(&mut self, commands: &[Command]) -> (Answers, Answers) {
        self.both(|side| side.run(commands))
    }

    fn scan(&mut self, place: usize, options: &Words) -> Option<Difference> {
        let (oracle, subject) = self.both(|side| side.scan(options));
        if oracle == subject {
            return None;
        }
        let command = format!("SCAN 0 {}", show_words(options));
        self.judge(Difference { place, command, oracle, subject })
    }

    /// Sends raw bytes to both, each on a new connection.
    pub(crate) fn compare_raw(&mut self, bytes: &[u8], patience: Duration) -> Option<Difference> {
        let (oracle, subject) = self.both(|side| side.raw(bytes, patience));
        if oracle == subject {
            return None;
        }
        let command = format!("RAW {}", shown(bytes));
        self.judge(Difference { place: 0, command, oracle, subject })
    }

    fn both<T: Send>(&mut self, work: impl Fn(&mut Side) -> T + Sync) -> (T, T) {
        let (oracle, subject) = (&mut self.oracle, &mut self.subject);
        thread::scope(|scope| {
            let theirs = scope.spawn(|| work(oracle));
            let ours = work(subject);
            (theirs.join().expect("reading replies does not panic"), ours)
        })
    }

    /// The difference, unless a rule excuses it.
    fn judge(&mut self, difference: Difference) -> Option<Difference> {
        match self.deviations.excuse(&difference) {
            None => Some(difference),
            Some(reason) => {
                *self.excused.entry(reason.to_owned()).or_default() += 1;
                None
            }
        }
    }
}

fn given(answers: &Answers, index: usize) -> Option<Given<'_>> {
    let reply = answers.replies.get(index)?;
    Some(Given { reply, next: answers.replies.get(index + 1) })
}

fn show_answer(answers: &Answers, index: usize) -> String {
    match (answers.replies.get(index), &answers.failure) {
        (Some(reply), _) => reply.to_string(),
        (None, Some(failure)) => failure.clone(),
        (None, None) => "no reply".to_owned(),
    }
}

/// A command as one would type it into redis-cli.
pub(crate) fn show_words(words: &Words) -> String {
    let words: Vec<String> = words
        .iter()
        .map(|word| {
            let plain = |byte: &u8| byte.is_ascii_graphic() && !b"\"'\\".contains(byte);
            match !word.is_empty() && word.iter().all(plain) {
                true => shown(word),
                false => format!("\"{}\"", shown(word)),
            }
        })
        .collect();
    words.join(" ")
}
