//! A replica's link to its primary, without sockets: bytes come in, bytes and events go out.
//!
//! The two sides introduce themselves, one word at a time. Then the replica says what it has, and the
//! primary either goes on from there or sends a snapshot first. What follows is the stream of commands,
//! which the link hands on as it comes: who executes it counts how far it got.
//!
//! Invariant: of what the primary sends nothing is kept but one line, of bounded length, and the last bytes
//! of a snapshot whose end is told by a mark. A primary that says something else than it should gets the
//! link closed; [`Failure`] says why.

use super::id::ReplId;
use crate::base::num;
use std::fmt;

/// Bytes of the mark at the end of a snapshot.
const MARK_LEN: usize = 40;

type Mark = [u8; MARK_LEN];

/// Longest line a primary may send, bytes.
const LINE_LEN_MAX: usize = 4096;
/// How often the replica says how far it is, milliseconds.
const ACK_MS: u64 = 1000;
/// How often a replica that loads says that it is still there, milliseconds.
const BLANK_MS: u64 = 1000;

/// Where the replica is in another server's history: it has everything up to there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Whose history.
    pub id: ReplId,
    /// Bytes of it.
    pub offset: u64,
}

/// How a replica introduces itself.
#[derive(Clone, Debug, Default)]
pub struct Introduction {
    /// `masteruser`; empty for the default user.
    pub user: Vec<u8>,
    /// `masterauth`; empty if the primary wants none.
    pub password: Vec<u8>,
    /// The port on which it is reached.
    pub port: u16,
    /// The address on which it is reached, if it is not the one it connects from.
    pub address: Vec<u8>,
    /// What it has.
    pub position: Option<Position>,
    /// Whether it tells a replica to take its place as primary.
    pub handover: Handover,
}

/// Whether a primary that follows tells its new primary to be one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Handover {
    /// No: it is one already.
    #[default]
    No,
    /// Yes: FAILOVER.
    Yes,
}

/// How far a link is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The connection is being made.
    Connecting,
    /// The two introduce themselves.
    Handshake,
    /// The snapshot comes, or is to come.
    Transfer,
    /// The snapshot has come and is being loaded.
    Loading,
    /// Commands come.
    Streaming,
}

/// What is to come next.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Expected {
    /// That there is a connection.
    Connection,
    /// The reply to PING.
    Pong,
    /// The reply to AUTH.
    Authenticated,
    /// The reply to REPLCONF listening-port.
    PortNoted,
    /// The reply to REPLCONF ip-address.
    AddressNoted,
    /// The reply to REPLCONF capa.
    CapabilitiesNoted,
    /// The reply to PSYNC.
    Answer,
    /// How long the snapshot is.
    Header,
    /// So many more bytes of the snapshot.
    Bytes(u64),
    /// The snapshot, up to a mark.
    Marked(Mark),
    /// Nothing before the snapshot is loaded.
    Loaded,
    /// Commands.
    Commands,
}

/// How long a snapshot is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// So many bytes.
    Known(u64),
    /// Its end is marked.
    Marked,
}

/// What the caller is to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// The primary will send everything. It goes on from the position, unless it is too old to say one.
    Full(Option<Position>),
    /// The primary goes on from where the replica is, perhaps under another name.
    Continued(Option<ReplId>),
    /// A snapshot begins.
    Begun(Length),
    /// Bytes of the snapshot.
    Snapshot(&'a [u8]),
    /// Bytes of the snapshot that were held back.
    Withheld(Vec<u8>),
    /// The snapshot is complete. [`Link::loaded`] is to be told when it is loaded.
    Complete,
    /// Bytes of the stream of commands.
    Commands(&'a [u8]),
}

/// Why a link cannot go on. `Display` says it to the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// PING was answered with an error.
    Ping(Vec<u8>),
    /// AUTH was answered with an error.
    Auth(Vec<u8>),
    /// The primary cannot serve a replica at present.
    Later(Vec<u8>),
    /// The primary answered PSYNC with something else than it should.
    WrongAnswer(Vec<u8>),
    /// The primary gave up before the snapshot.
    Aborted(Vec<u8>),
    /// What should be the length of a snapshot is none.
    WrongHeader(Vec<u8>),
    /// A line without an end.
    LineTooLong,
    /// Bytes came where none should.
    Unexpected,
    /// The connection was not made, or the primary did not answer, in time.
    ConnectTimeout,
    /// The snapshot stopped coming.
    TransferTimeout,
    /// No commands came, not even PING.
    StreamTimeout,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ping(line) => write!(f, "Error reply to PING from master: '{}'", shown(line)),
            Self::Auth(line) => write!(f, "Unable to AUTH to MASTER: {}", shown(line)),
            Self::Later(line) => write!(
                f,
                "Master is currently unable to PSYNC but should be in the future: {}",
                shown(line)
            ),
            Self::WrongAnswer(line) => {
                write!(f, "Unexpected reply to PSYNC from master: {}", shown(line))
            }
            Self::Aborted(line) => {
                write!(f, "MASTER aborted replication with an error: {}", shown(line))
            }
            Self::WrongHeader(line) => write!(
                f,
                "Bad protocol from MASTER, the first byte is not '$' (we received '{}'), are you \
                 sure the host and port are right?",
                shown(line)
            ),
            Self::LineTooLong => f.write_str("The master sent a line that is too long"),
            Self::Unexpected => f.write_str("The master sent bytes while none were due"),
            Self::ConnectTimeout => f.write_str("Timeout connecting to the MASTER..."),
            Self::TransferTimeout => f.write_str(
                "Timeout receiving bulk data from MASTER... If the problem persists try to set the \
                 'repl-timeout' parameter in redis.conf to a larger value.",
            ),
            Self::StreamTimeout => f.write_str("MASTER timeout: no data nor PING received..."),
        }
    }
}

/// A line as the log shows it: what a stranger sent does not move the terminal's cursor.
fn shown(line: &[u8]) -> String {
    line.escape_ascii().to_string()
}

/// What a primary answers to PSYNC.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Full(Option<Position>),
    Continue(Option<ReplId>),
    Later,
    /// It does not know PSYNC.
    Unknown,
    Wrong,
}

/// The link.
#[derive(Debug)]
pub struct Link {
    introduction: Introduction,
    expected: Expected,
    /// The beginning of a line.
    line: Vec<u8>,
    /// The last bytes of the snapshot so far, if they may be the mark.
    withheld: Vec<u8>,
    /// What is to be sent.
    output: Vec<u8>,
    /// When something was last received, milliseconds of the rising clock.
    received_ms: u64,
    /// When something was last sent by itself.
    told_ms: u64,
    /// What the primary said that is no reason to give up.
    remarks: Vec<String>,
}

impl Link {
    /// A link whose connection is being made.
    pub fn new(introduction: Introduction, now_ms: u64) -> Self {
        Self {
            introduction,
            expected: Expected::Connection,
            line: Vec::new(),
            withheld: Vec::new(),
            output: Vec::new(),
            received_ms: now_ms,
            told_ms: now_ms,
            remarks: Vec::new(),
        }
    }

    /// How far it is.
    pub const fn stage(&self) -> Stage {
        match self.expected {
            Expected::Connection => Stage::Connecting,
            Expected::Pong
            | Expected::Authenticated
            | Expected::PortNoted
            | Expected::AddressNoted
            | Expected::CapabilitiesNoted
            | Expected::Answer => Stage::Handshake,
            Expected::Header | Expected::Bytes(_) | Expected::Marked(_) => Stage::Transfer,
            Expected::Loaded => Stage::Loading,
            Expected::Commands => Stage::Streaming,
        }
    }

    /// Whether PING was sent and not answered yet: nothing was heard of the primary so far.
    pub const fn is_first_reply_due(&self) -> bool {
        matches!(self.expected, Expected::Pong)
    }

    /// When something was last received, milliseconds of the rising clock.
    pub const fn received_ms(&self) -> u64 {
        self.received_ms
    }

    /// What the replica said it has.
    pub const fn asked_for(&self) -> Option<Position> {
        self.introduction.position
    }

    /// Takes what is to be sent.
    pub fn take_output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.output)
    }

    /// Takes what the log should say.
    pub fn take_remarks(&mut self) -> Vec<String> {
        std::mem::take(&mut self.remarks)
    }

    /// The connection is there.
    pub fn connected(&mut self, now_ms: u64) {
        if self.expected == Expected::Connection {
            self.received_ms = now_ms;
            self.send(&[b"PING"]);
            self.expected = Expected::Pong;
        }
    }

    /// The snapshot is loaded: commands may come. The replica has everything up to `offset`.
    pub fn loaded(&mut self, now_ms: u64, offset: Option<u64>) {
        debug_assert_eq!(self.expected, Expected::Loaded, "the snapshot was complete");
        self.expected = Expected::Commands;
        self.received_ms = now_ms;
        if let Some(offset) = offset {
            self.acknowledge(now_ms, &Acknowledged { offset, synced: None });
        }
    }

    /// Whether the link wants to be given bytes: while a snapshot is loaded it does not.
    pub fn wants_input(&self) -> bool {
        self.expected != Expected::Loaded
    }

    /// Says how far the replica is.
    pub fn acknowledge(&mut self, now_ms: u64, how_far: &Acknowledged) {
        self.told_ms = now_ms;
        let offset = how_far.offset.to_string();
        match how_far.synced {
            None => self.send(&[b"REPLCONF", b"ACK", offset.as_bytes()]),
            Some(synced) => {
                let synced = synced.to_string();
                let words: [&[u8]; 5] =
                    [b"REPLCONF", b"ACK", offset.as_bytes(), b"FACK", synced.as_bytes()];
                self.send(&words);
            }
        }
    }

    /// Does what is due by itself. `timeout_s` is `repl-timeout`.
    ///
    /// # Errors
    /// The primary has been silent for too long.
    pub fn tick(
        &mut self,
        now_ms: u64,
        timeout_s: u32,
        how_far: &Acknowledged,
    ) -> Result<(), Failure> {
        let is_silent = now_ms.saturating_sub(self.received_ms) > u64::from(timeout_s) * 1000;
        match self.stage() {
            Stage::Connecting | Stage::Handshake if is_silent => Err(Failure::ConnectTimeout),
            Stage::Transfer if is_silent => Err(Failure::TransferTimeout),
            Stage::Streaming if is_silent => Err(Failure::StreamTimeout),
            Stage::Streaming if now_ms.saturating_sub(self.told_ms) >= ACK_MS => {
                self.acknowledge(now_ms, how_far);
                Ok(())
            }
            Stage::Transfer | Stage::Loading
                if self.has_begun() && now_ms.saturating_sub(self.told_ms) >= BLANK_MS =>
            {
                // A primary that waits for a replica to load would otherwise take it for dead.
                self.told_ms = now_ms;
                self.output.push(b'\n');
                Ok(())
            }
            Stage::Connecting
            | Stage::Handshake
            | Stage::Transfer
            | Stage::Loading
            | Stage::Streaming => Ok(()),
        }
    }

    fn has_begun(&self) -> bool {
        !matches!(self.expected, Expected::Header)
    }

    /// Takes bytes that the primary sent: how many of them, and what they mean, if anything yet. To be
    /// called until all are taken, or [`Link::wants_input`] says no.
    ///
    /// # Errors
    /// They are not what a primary sends; the link is to be closed.
    pub fn receive<'a>(
        &mut self,
        now_ms: u64,
        input: &'a [u8],
    ) -> Result<(usize, Option<Event<'a>>), Failure> {
        self.received_ms = now_ms;
        match self.expected {
            Expected::Commands => Ok((input.len(), Some(Event::Commands(input)))),
            Expected::Bytes(left) => Ok(self.snapshot(input, left)),
            Expected::Marked(mark) => Ok(self.marked_snapshot(input, &mark)),
            Expected::Loaded | Expected::Connection => Err(Failure::Unexpected),
            Expected::Pong
            | Expected::Authenticated
            | Expected::PortNoted
            | Expected::AddressNoted
            | Expected::CapabilitiesNoted
            | Expected::Answer
            | Expected::Header => {
                let (taken, line) = self.take_line(input)?;
                let event = line.map_or(Ok(None), |line| self.line(&line))?;
                Ok((taken, event))
            }
        }
    }

    fn snapshot<'a>(&mut self, input: &'a [u8], left: u64) -> (usize, Option<Event<'a>>) {
        if left == 0 {
            self.expected = Expected::Loaded;
            return (0, Some(Event::Complete));
        }
        let len = usize::try_from(left).unwrap_or(usize::MAX).min(input.len());
        self.expected = Expected::Bytes(left - num::u64_of(len));
        (len, Some(Event::Snapshot(&input[..len])))
    }

    /// Whether the last byte of the snapshot was received, which [`Link::receive`] tells when it is called
    /// again, with or without more bytes.
    pub const fn is_complete(&self) -> bool {
        matches!(self.expected, Expected::Bytes(0))
    }

    /// A mark may lie across the ends of pieces, so that as many bytes as might be the first ones of it are
    /// withheld.
    fn marked_snapshot<'a>(&mut self, input: &'a [u8], mark: &Mark) -> (usize, Option<Event<'a>>) {
        if !self.withheld.is_empty() {
            return self.seam(input, mark);
        }
        let found = memchr::memmem::find(input, mark);
        if let Some(at) = found {
            self.expected = Expected::Bytes(0);
            return (at + MARK_LEN, (at > 0).then_some(Event::Snapshot(&input[..at])));
        }
        let (certain, last) = input.split_at(input.len().saturating_sub(MARK_LEN - 1));
        self.withheld.extend_from_slice(last);
        (input.len(), (!certain.is_empty()).then_some(Event::Snapshot(certain)))
    }

    /// Looks at what was withheld together with what follows it.
    fn seam<'a>(&mut self, input: &[u8], mark: &Mark) -> (usize, Option<Event<'a>>) {
        let seen = input.len().min(MARK_LEN);
        let mut seam = std::mem::take(&mut self.withheld);
        let before = seam.len();
        seam.extend_from_slice(&input[..seen]);
        let released = |bytes: Vec<u8>| (!bytes.is_empty()).then_some(Event::Withheld(bytes));
        if let Some(at) = memchr::memmem::find(&seam, mark) {
            self.expected = Expected::Bytes(0);
            seam.truncate(at);
            return (at + MARK_LEN - before, released(seam));
        }
        if seen == MARK_LEN {
            seam.truncate(before); // a mark that begins there would have been seen as a whole
            return (0, released(seam));
        }
        self.withheld = seam.split_off(seam.len().saturating_sub(MARK_LEN - 1));
        (seen, released(seam))
    }

    /// A line without its end, once it is complete.
    fn take_line(&mut self, input: &[u8]) -> Result<(usize, Option<Vec<u8>>), Failure> {
        let end = memchr::memchr(b'\n', input);
        let taken = end.map_or(input.len(), |at| at + 1);
        if self.line.len() + taken > LINE_LEN_MAX {
            return Err(Failure::LineTooLong);
        }
        self.line.extend_from_slice(&input[..taken]);
        if end.is_none() {
            return Ok((taken, None));
        }
        let mut line = std::mem::take(&mut self.line);
        line.pop();
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        Ok((taken, Some(line)))
    }

    fn line<'a>(&mut self, line: &[u8]) -> Result<Option<Event<'a>>, Failure> {
        match self.expected {
            Expected::Pong => self.pong(line)?,
            Expected::Authenticated => {
                if line.first() == Some(&b'-') {
                    return Err(Failure::Auth(line.to_vec()));
                }
                self.expected = Expected::PortNoted;
            }
            Expected::PortNoted => {
                self.note_refusal("REPLCONF listening-port", line);
                self.expected = match self.introduction.address.is_empty() {
                    true => Expected::CapabilitiesNoted,
                    false => Expected::AddressNoted,
                };
            }
            Expected::AddressNoted => {
                self.note_refusal("REPLCONF ip-address", line);
                self.expected = Expected::CapabilitiesNoted;
            }
            Expected::CapabilitiesNoted => {
                self.note_refusal("REPLCONF capa", line);
                self.ask();
            }
            Expected::Answer => return self.answer(line),
            Expected::Header => return self.header(line),
            Expected::Connection
            | Expected::Bytes(_)
            | Expected::Marked(_)
            | Expected::Loaded
            | Expected::Commands => {}
        }
        Ok(None)
    }

    /// The primary is there. That it wants a password is no error yet; and if it cannot write to its disk, its
    /// data had better be somewhere else too.
    fn pong(&mut self, line: &[u8]) -> Result<(), Failure> {
        let tolerated: [&[u8]; 5] =
            [b"+", b"-NOAUTH", b"-NOPERM", b"-ERR operation not permitted", b"-MISCONF"];
        if !tolerated.iter().any(|start| line.starts_with(start)) {
            return Err(Failure::Ping(line.to_vec()));
        }
        self.remarks.push("Master replied to PING, replication can continue...".to_owned());
        let Introduction { user, password, port, address, .. } = self.introduction.clone();
        self.expected = Expected::PortNoted;
        if !password.is_empty() {
            match user.is_empty() {
                true => self.send(&[b"AUTH", &password]),
                false => self.send(&[b"AUTH", &user, &password]),
            }
            self.expected = Expected::Authenticated;
        }
        self.send(&[b"REPLCONF", b"listening-port", port.to_string().as_bytes()]);
        if !address.is_empty() {
            self.send(&[b"REPLCONF", b"ip-address", &address]);
        }
        self.send(&[b"REPLCONF", b"capa", b"eof", b"capa", b"psync2"]);
        Ok(())
    }

    fn note_refusal(&mut self, what: &str, line: &[u8]) {
        if line.first() == Some(&b'-') {
            let line = shown(line);
            self.remarks.push(format!("(Non critical) Master does not understand {what}: {line}"));
        }
    }

    fn ask(&mut self) {
        self.expected = Expected::Answer;
        let (id, offset) = match self.introduction.position {
            None => (b"?".to_vec(), "-1".to_owned()),
            Some(position) => {
                let next = position.offset.saturating_add(1);
                let id = position.id;
                self.remarks
                    .push(format!("Trying a partial resynchronization (request {id}:{next})."));
                (position.id.bytes().to_vec(), next.to_string())
            }
        };
        match self.introduction.handover {
            Handover::No => self.send(&[b"PSYNC", &id, offset.as_bytes()]),
            Handover::Yes => self.send(&[b"PSYNC", &id, offset.as_bytes(), b"FAILOVER"]),
        }
    }

    fn answer<'a>(&mut self, line: &[u8]) -> Result<Option<Event<'a>>, Failure> {
        if line.is_empty() {
            return Ok(None); // a sign of life
        }
        match read_answer(line) {
            Answer::Full(position) => {
                self.expected = Expected::Header;
                Ok(Some(Event::Full(position)))
            }
            Answer::Continue(_) if self.introduction.position.is_none() => {
                Err(Failure::WrongAnswer(line.to_vec()))
            }
            Answer::Continue(id) => {
                self.expected = Expected::Commands;
                Ok(Some(Event::Continued(id)))
            }
            Answer::Later => Err(Failure::Later(line.to_vec())),
            Answer::Wrong => Err(Failure::WrongAnswer(line.to_vec())),
            Answer::Unknown if self.introduction.handover == Handover::Yes => {
                Err(Failure::WrongAnswer(line.to_vec()))
            }
            Answer::Unknown => {
                let line = shown(line);
                self.remarks.push(format!(
                    "Master does not support PSYNC or is in error state (reply: {line})"
                ));
                self.remarks.push("Retrying with SYNC...".to_owned());
                self.send(&[b"SYNC"]);
                self.expected = Expected::Header;
                Ok(Some(Event::Full(None)))
            }
        }
    }

    fn header<'a>(&mut self, line: &[u8]) -> Result<Option<Event<'a>>, Failure> {
        match line {
            [] => Ok(None), // a sign of life
            [b'-', ..] => Err(Failure::Aborted(line.to_vec())),
            [b'$', b'E', b'O', b'F', b':', mark @ ..] => {
                let mark = mark.try_into().map_err(|_| Failure::WrongHeader(line.to_vec()))?;
                self.expected = Expected::Marked(mark);
                Ok(Some(Event::Begun(Length::Marked)))
            }
            [b'$', digits @ ..] => {
                let length = num::parse_i64(digits).and_then(|length| u64::try_from(length).ok());
                let length = length.ok_or_else(|| Failure::WrongHeader(line.to_vec()))?;
                self.expected = Expected::Bytes(length);
                Ok(Some(Event::Begun(Length::Known(length))))
            }
            _ => Err(Failure::WrongHeader(line.to_vec())),
        }
    }

    /// Sends a command.
    fn send(&mut self, words: &[&[u8]]) {
        self.output.extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
        for word in words {
            self.output.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
            self.output.extend_from_slice(word);
            self.output.extend_from_slice(b"\r\n");
        }
    }
}

/// How far a replica is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Acknowledged {
    /// Bytes of the stream that were executed.
    pub offset: u64,
    /// Bytes of the stream whose changes are on disk, if they are logged.
    pub synced: Option<u64>,
}

fn read_answer(line: &[u8]) -> Answer {
    let mut words = line.split(|&byte| byte == b' ');
    match words.next().unwrap_or_default() {
        b"+FULLRESYNC" => {
            let id = words.next().and_then(ReplId::parse);
            let offset = words.next().and_then(num::parse_i64);
            match (id, offset.map(u64::try_from)) {
                (Some(id), Some(Ok(offset))) => Answer::Full(Some(Position { id, offset })),
                _ => Answer::Wrong,
            }
        }
        b"+CONTINUE" => match words.next() {
            None => Answer::Continue(None),
            Some(id) => match ReplId::parse(id) {
                Some(id) => Answer::Continue(Some(id)),
                None => Answer::Wrong,
            },
        },
        b"-NOMASTERLINK" | b"-LOADING" => Answer::Later,
        b"-ERR" => Answer::Unknown,
        _ => Answer::Wrong,
    }
}

#[cfg(test)]
mod tests;
