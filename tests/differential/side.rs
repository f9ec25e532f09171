//! One of the two servers: its process, the connection to it, and what it answers.

use std::collections::BTreeSet;
use std::io;
use std::time::Duration;

use crate::daemon::{Daemon, Failure, Launch};
use crate::grammar::{Command, Words};
use crate::pair::HANG;
use crate::reply::{Compare, Reply, shown};
use crate::wire::{Connection, encode};

/// All events but those that depend on when a server looks for expired keys, or for a key at all: newer
/// versions look at the arguments first.
const EVENTS: &str = "KEg$lshzetd";
/// More calls of SCAN than any data set here needs.
const SCAN_CALLS_MAX: usize = 10_000;

/// The version of the protocol that a connection starts with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Resp2,
    Resp3,
}

impl Protocol {
    /// As HELLO and the command line say it.
    pub(crate) fn number(self) -> &'static str {
        match self {
            Protocol::Resp2 => "2",
            Protocol::Resp3 => "3",
        }
    }
}

/// A bug planted in the subject's replies, to prove that this program would find one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// GETRANGE loses the last byte of replies longer than 20.
    ShortRange,
}

/// What a server said to some commands: fewer replies than commands if it failed.
pub(crate) struct Answers {
    pub(crate) replies: Vec<Reply>,
    pub(crate) failure: Option<String>,
}

/// A server.
pub(crate) struct Side {
    launch: Launch,
    daemon: Daemon,
    connection: Option<Connection>,
    /// A second client, which listens to all channels: those of keyspace events among them.
    ears: Option<Connection>,
    fault: Fault,
}

impl Side {
    pub(crate) fn start(launch: Launch, fault: Fault) -> Result<Side, Failure> {
        let daemon = Daemon::start(&launch)?;
        Ok(Side { launch, daemon, connection: None, ears: None, fault })
    }

    /// Empties the server and opens a new connection; starts the server anew if it has ended or
    /// hangs.
    pub(crate) fn reset(&mut self, protocol: Protocol) -> Result<(), Failure> {
        if self.daemon.check_alive().is_err() || self.connection.is_none() {
            self.daemon = Daemon::start(&self.launch)?;
        }
        self.connect()?;
        let hello = format!("HELLO {}", protocol.number());
        let users = "ACL SETUSER default reset on nopass ~* &* +@all";
        let greeting = ["ACL DELUSER u1 u2 u3 nobody", users, "FLUSHALL", hello.as_str()]
            .map(|text| Command::of(text, Compare::Exact));
        let answers = self.run(&greeting);
        match answers.replies.as_slice() {
            [_, _, Reply::Line(b'+', _), Reply::Aggregate(..)] => self.listen(&hello),
            replies => {
                let replies: Vec<String> = replies.iter().map(Reply::to_string).collect();
                let failure = answers.failure.unwrap_or_default();
                let name = &self.launch.name;
                let text = format!("{name} answers FLUSHALL and HELLO: {replies:?} {failure}");
                Err(Failure::Other(text))
            }
        }
    }

    /// Lets the second client hear everything from now on.
    fn listen(&mut self, hello: &str) -> Result<(), Failure> {
        let failed = |error| Failure::io("listening")(error);
        let mut ears = Connection::open(self.daemon.address()).map_err(failed)?;
        let events = format!("CONFIG SET notify-keyspace-events {EVENTS}");
        let mut bytes = Vec::new();
        for text in [hello, &events, "PSUBSCRIBE *", "SUBSCRIBE news", "SSUBSCRIBE news"] {
            encode(&Command::of(text, Compare::Exact).words, &mut bytes);
        }
        ears.exchange(&bytes, 5).1.map_err(failed)?;
        self.ears = Some(ears);
        Ok(())
    }

    /// What the second client has heard, up to now.
    pub(crate) fn heard(&mut self) -> Vec<String> {
        let Some(mut ears) = self.ears.take() else { return Vec::new() };
        // A connection of its own: the first may be in a transaction, or gone.
        let mut bytes = Vec::new();
        encode(&Command::of("PUBLISH the end", Compare::Exact).words, &mut bytes);
        let told = Connection::open(self.daemon.address())
            .map(|mut connection| connection.exchange(&bytes, 1));
        if told.is_err() {
            return vec!["nothing more".to_owned()];
        }
        let mut heard = Vec::new();
        loop {
            let (replies, outcome) = ears.exchange(b"", 1);
            let Some(reply) = replies.first() else {
                heard.push(outcome.err().map_or_else(String::new, |error| wire_error(&error)));
                return heard;
            };
            let text = reply.to_string();
            if text.ends_with("\"the\" $\"end\"]") {
                return heard;
            }
            heard.push(text);
        }
    }

    fn connect(&mut self) -> Result<(), Failure> {
        let connection = Connection::open(self.daemon.address());
        self.connection = Some(connection.map_err(Failure::io("connecting"))?);
        Ok(())
    }

    /// Sends the commands at once and reads their replies.
    pub(crate) fn run(&mut self, commands: &[Command]) -> Answers {
        let mut bytes = Vec::new();
        for command in commands {
            encode(&command.words, &mut bytes);
        }
        let Some(connection) = self.connection.as_mut() else {
            let failure = Some("there is no connection any more".to_owned());
            return Answers { replies: Vec::new(), failure };
        };
        let (mut replies, outcome) = connection.exchange(&bytes, commands.len());
        if self.fault == Fault::ShortRange {
            plant_short_range(commands, &mut replies);
        }
        let failure = outcome.err().map(|error| {
            self.connection = None;
            match self.daemon.check_alive() {
                Ok(()) => format!("{}; process {} lives", wire_error(&error), self.daemon.pid()),
                Err(death) => format!("{}; {death}", wire_error(&error)),
            }
        });
        Answers { replies, failure }
    }

    /// Iterates with SCAN from start to end: the elements in order, or what went wrong.
    pub(crate) fn scan(&mut self, options: &Words) -> String {
        let mut found = BTreeSet::new();
        let mut cursor = b"0".to_vec();
        for _ in 0..SCAN_CALLS_MAX {
            let mut words = vec![b"SCAN".to_vec(), cursor];
            words.extend_from_slice(options);
            let answers = self.run(&[Command { words, compare: Compare::Exact }]);
            let Some(reply) = answers.replies.first() else {
                return answers.failure.unwrap_or_default();
            };
            let Some([next, elements]) = reply.elements() else { return reply.to_string() };
            let elements = elements.elements().unwrap_or_default();
            found.extend(elements.iter().filter_map(Reply::string).map(shown));
            cursor = next.string().unwrap_or_default().to_vec();
            if cursor == b"0" {
                return format!("{found:?}");
            }
        }
        "the iteration does not end".to_owned()
    }

    /// What the server says to raw bytes on a connection of their own, until it closes.
    pub(crate) fn raw(&mut self, bytes: &[u8], patience: Duration) -> String {
        let outcome = Connection::open(self.daemon.address())
            .and_then(|stream| stream.exchange_raw(bytes, patience));
        match outcome {
            Ok(received) => shown(&received),
            Err(error) => {
                // Reset starts the server anew.
                self.connection = None;
                wire_error(&error)
            }
        }
    }

    pub(crate) fn stop(self) -> Result<(), Failure> {
        self.daemon.stop()
    }
}

fn plant_short_range(commands: &[Command], replies: &mut [Reply]) {
    for (command, reply) in commands.iter().zip(replies) {
        if let Reply::Bulk(_, bytes) = reply
            && bytes.len() > 20
            && command.words[0].eq_ignore_ascii_case(b"GETRANGE")
        {
            bytes.pop();
        }
    }
}

fn wire_error(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => HANG.to_owned(),
        _ => error.to_string(),
    }
}
