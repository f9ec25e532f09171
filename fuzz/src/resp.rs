//! Bytes to commands. However a stream is cut, the same commands come out of it, or the same error;
//! and they are those that a naive parser finds.
//!
//! Input: flags (bit 0: authenticated; 1, 2: `proto-max-bulk-len`; 4 to 7: how many cuts follow), the
//! cuts, one byte each, then the stream.
//!
//! [`run_long`] is the same for streams that reach the limits of 16, 32 and 64 KiB: in its input
//! `FF n b` stands for 1000 * (n + 1) times `b`.

use super::input::Input;
use carnelian::resp::parse::{
    BIG_ARG_LEN_MIN, INLINE_LEN_MAX, Incomplete, Limits, Parsed, ProtocolError, Span, Trust, parse,
};
use carnelian::resp::{Args, Assembly, Fed};

/// A stream is not expanded further, bytes.
const EXPANDED_LEN_MAX: usize = 140_000;
/// A stream comes in about this many pieces at most.
const PIECES_MAX: usize = 40;

/// Checks one stream.
pub fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let (limits, cuts) = head(&mut input);
    check(input.rest(), cuts, limits);
}

/// Checks one stream whose runs of a byte are packed.
pub fn run_long(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let (limits, cuts) = head(&mut input);
    check(&expand(input.rest()), cuts, limits);
}

/// What a client may send, and how its stream is cut.
fn head<'a>(input: &mut Input<'a>) -> (Limits, &'a [u8]) {
    let flags = input.byte();
    let trust = if flags & 1 == 0 { Trust::Unauthenticated } else { Trust::Authenticated };
    let bulk_len_max = [512 << 20, 1 << 20, 40_000, i64::MAX][usize::from(flags >> 1 & 3)];
    (Limits { bulk_len_max, trust }, input.bytes(usize::from(flags >> 4)))
}

fn check(stream: &[u8], cuts: &[u8], limits: Limits) {
    let expected = reference(stream, limits);
    let mut whole = Reader::new(stream, limits, Fill::Copied);
    whole.read(stream);
    whole.log.check(&expected, "whole");
    for fill in [Fill::Copied, Fill::Direct] {
        let mut reader = Reader::new(stream, limits, fill);
        for piece in Pieces::new(stream, cuts) {
            reader.read(piece);
        }
        reader.log.check(&expected, "in pieces");
        if !reader.met_large {
            break; // nothing to be filled the other way
        }
    }
    assembled(stream, cuts, limits).check(&expected, "assembled");
}

fn expand(packed: &[u8]) -> Vec<u8> {
    let mut stream = Vec::new();
    let mut rest = packed;
    while stream.len() < EXPANDED_LEN_MAX {
        match rest {
            [0xff, count, byte, behind @ ..] => {
                let len = stream.len() + 1000 * (usize::from(*count) + 1);
                stream.resize(len, *byte);
                rest = behind;
            }
            [byte, behind @ ..] => {
                stream.push(*byte);
                rest = behind;
            }
            [] => break,
        }
    }
    stream
}

/// A stream as the cuts deliver it.
struct Pieces<'a> {
    rest: &'a [u8],
    cuts: &'a [u8],
    next: usize,
    /// The shortest piece, bytes.
    least: usize,
}

impl<'a> Pieces<'a> {
    fn new(stream: &'a [u8], cuts: &'a [u8]) -> Self {
        let cuts = if cuts.is_empty() { &[6] } else { cuts };
        Self { rest: stream, cuts, next: 0, least: stream.len() / PIECES_MAX }
    }
}

impl<'a> Iterator for Pieces<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if self.rest.is_empty() {
            return None;
        }
        let cut = self.cuts[self.next % self.cuts.len()];
        self.next += 1;
        let len = match cut {
            0..0xc0 => usize::from(cut) + 1,
            _ => 1021 * (usize::from(cut) - 0xbf),
        };
        let (piece, rest) = self.rest.split_at(len.max(self.least).min(self.rest.len()));
        self.rest = rest;
        Some(piece)
    }
}

/// What came out of a stream, packed so that comparing costs little.
struct Log(Vec<u8>);

impl Log {
    /// Nothing yet, and room for what may come out of a stream.
    fn new(stream: &[u8]) -> Self {
        Self(Vec::with_capacity(2 * stream.len() + 64))
    }

    fn put_len(&mut self, len: usize) {
        self.0.extend_from_slice(&u32::try_from(len).expect("streams are short").to_le_bytes());
    }

    fn command<'a>(&mut self, words: impl ExactSizeIterator<Item = &'a [u8]>) {
        self.0.push(b'*');
        self.put_len(words.len());
        for word in words {
            self.put_len(word.len());
            self.0.extend_from_slice(word);
        }
    }

    fn inline(&mut self, line: &[u8]) {
        self.0.push(b'i');
        self.put_len(line.len());
        self.0.extend_from_slice(line);
    }

    fn error(&mut self, error: ProtocolError) {
        self.0.push(b'-');
        self.0.extend_from_slice(&error.text());
    }

    #[track_caller]
    fn check(&self, expected: &Log, how: &str) {
        assert!(
            self.0 == expected.0,
            "{how}: {}\nexpected: {}",
            self.0.escape_ascii(),
            expected.0.escape_ascii()
        );
    }
}

/// How bytes get into a large argument.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fill {
    /// Through [`Assembly::feed`].
    Copied,
    /// Into [`Assembly::target`], as the reactor does it.
    Direct,
}

/// Puts parser and assembly together as the node does.
struct Reader {
    limits: Limits,
    fill: Fill,
    tail: Vec<u8>,
    assembly: Option<Assembly>,
    spans: Vec<Span>,
    received: usize,
    /// Whether a large argument was collected.
    met_large: bool,
    failed: bool,
    log: Log,
}

impl Reader {
    fn new(stream: &[u8], limits: Limits, fill: Fill) -> Self {
        Self {
            limits,
            fill,
            tail: Vec::with_capacity(64),
            assembly: None,
            spans: Vec::with_capacity(64),
            received: 0,
            met_large: false,
            failed: false,
            log: Log::new(stream),
        }
    }

    fn read(&mut self, piece: &[u8]) {
        self.received += piece.len();
        if self.failed {
            return;
        }
        let piece = match self.assembly.take() {
            Some(assembly) => match self.feed(assembly, piece) {
                Some(rest) => rest,
                None => &[],
            },
            None => piece,
        };
        if self.tail.is_empty() {
            let kept_from = self.parse(piece);
            self.tail.extend_from_slice(&piece[kept_from..]);
        } else {
            let mut joined = std::mem::take(&mut self.tail);
            joined.extend_from_slice(piece);
            let kept_from = self.parse(&joined);
            joined.drain(..kept_from);
            self.tail = joined;
        }
        let held = self.assembly.as_ref().map_or(0, Assembly::memory_bytes);
        assert!(held <= 4 * self.received + 128 * 1024, "{held} for {}", self.received);
    }

    /// Logs the commands in `buf`; the offset of what is to be kept.
    fn parse(&mut self, buf: &[u8]) -> usize {
        let mut at = 0;
        self.spans.clear();
        while at < buf.len() {
            let first = self.spans.len();
            let found = parse(buf, at, self.limits, &mut self.spans);
            if !matches!(found, Ok(Parsed::Command { .. })) {
                assert_eq!(self.spans.len(), first, "nothing is pushed but by a command");
            }
            match found {
                Ok(Parsed::Command { end }) => {
                    self.check_spans(at, first, end);
                    let words = Args::new(buf, &self.spans[first..], &[]).from(0);
                    self.log.command(words);
                    at = advance(buf, at, end);
                }
                Ok(Parsed::Nothing { end }) => at = advance(buf, at, end),
                Ok(Parsed::Inline { start, len, end }) => {
                    assert_eq!(start, at);
                    self.log.inline(&buf[start..start + len]);
                    at = advance(buf, at, end);
                }
                Ok(Parsed::Incomplete(Incomplete::Small)) => {
                    let most = if buf[at] == b'*' { BIG_ARG_LEN_MIN } else { INLINE_LEN_MAX + 1 };
                    assert!(buf.len() - at < most, "a tail of {}", buf.len() - at);
                    return at;
                }
                Ok(Parsed::Incomplete(Incomplete::Large)) => {
                    let rest = self.feed(Assembly::default(), &buf[at..]);
                    assert!(rest.is_none(), "the parser found the command incomplete");
                    break;
                }
                Err(error) => {
                    self.failed = true;
                    self.log.error(error);
                    break;
                }
            }
        }
        buf.len()
    }

    /// Arguments follow each other, inside the command and apart.
    fn check_spans(&self, at: usize, first: usize, end: usize) {
        let mut least = at + "*1\r\n$0\r\n".len();
        for span in &self.spans[first..] {
            let (start, len) = (index(span.start), index(span.len));
            assert!(start >= least && start + len + 2 <= end, "{span:?} of {at}..{end}");
            least = start + len + 2 + "$0\r\n".len();
        }
        assert!(self.spans.len() > first);
    }

    /// Feeds a large command; what follows it if it is complete.
    fn feed<'a>(&mut self, mut assembly: Assembly, mut piece: &'a [u8]) -> Option<&'a [u8]> {
        if let Some((target, room)) = assembly.target()
            && self.fill == Fill::Direct
        {
            let (taken, rest) = piece.split_at(room.min(piece.len()));
            target.extend_from_slice(taken);
            assembly.filled();
            piece = rest;
        }
        match assembly.feed(piece, self.limits) {
            Ok(Fed::More) => {
                self.met_large |= assembly.target().is_some();
                self.assembly = Some(assembly);
                None
            }
            Ok(Fed::Complete(taken, args)) => {
                self.log.command(args.as_args().from(0));
                Some(&piece[taken..])
            }
            Err(error) => {
                self.failed = true;
                self.log.error(error);
                None
            }
        }
    }
}

fn advance(buf: &[u8], at: usize, end: usize) -> usize {
    assert!(end > at && end <= buf.len(), "{at}..{end} of {}", buf.len());
    end
}

fn index(n: u32) -> usize {
    usize::try_from(n).expect("32 bits")
}

/// What comes out if every command goes through an [`Assembly`].
fn assembled(stream: &[u8], cuts: &[u8], limits: Limits) -> Log {
    let mut log = Log::new(stream);
    let mut at = 0;
    let mut words = Vec::new();
    while at < stream.len() {
        match step(stream, at, limits, &mut words) {
            Step::Inline(line, end) => {
                log.inline(line);
                at = end;
                continue;
            }
            Step::Nothing(end) => {
                at = end;
                continue;
            }
            Step::Failed(error) if stream[at] != b'*' => {
                log.error(error);
                return log;
            }
            Step::Incomplete if stream[at] != b'*' => return log,
            Step::Failed(_) | Step::Incomplete | Step::Command(_) => {}
        }
        let mut assembly = Assembly::default();
        let mut pieces = Pieces::new(&stream[at..], cuts);
        loop {
            let Some(piece) = pieces.next() else { return log };
            match assembly.feed(piece, limits) {
                Ok(Fed::More) => at += piece.len(),
                Ok(Fed::Complete(taken, args)) => {
                    log.command(args.as_args().from(0));
                    at += taken;
                    break;
                }
                Err(error) => {
                    log.error(error);
                    return log;
                }
            }
        }
    }
    log
}

// ---- The naive parser ----

enum Step<'a> {
    Command(usize),
    Inline(&'a [u8], usize),
    Nothing(usize),
    Incomplete,
    Failed(ProtocolError),
}

fn reference(stream: &[u8], limits: Limits) -> Log {
    let mut log = Log::new(stream);
    let mut at = 0;
    let mut words = Vec::new();
    while at < stream.len() {
        at = match step(stream, at, limits, &mut words) {
            Step::Command(end) => {
                log.command(words.iter().copied());
                end
            }
            Step::Inline(line, end) => {
                log.inline(line);
                end
            }
            Step::Nothing(end) => end,
            Step::Incomplete => break,
            Step::Failed(error) => {
                log.error(error);
                break;
            }
        }
    }
    log
}

/// What begins at `at`; the words of a command are left in `words`.
fn step<'a>(stream: &'a [u8], at: usize, limits: Limits, words: &mut Vec<&'a [u8]>) -> Step<'a> {
    if stream[at] == b'*' { multibulk(stream, at, limits, words) } else { inline(stream, at) }
}

fn inline(stream: &[u8], at: usize) -> Step<'_> {
    let rest = &stream[at..];
    match rest.iter().position(|&byte| byte == b'\n') {
        Some(end) if end <= INLINE_LEN_MAX => match &rest[..end] {
            [] | [b'\r'] => Step::Nothing(at + end + 1),
            [line @ .., b'\r'] | line => Step::Inline(line, at + end + 1),
        },
        _ if rest.len() > INLINE_LEN_MAX => Step::Failed(ProtocolError::InlineTooLong),
        _ => Step::Incomplete,
    }
}

fn multibulk<'a>(
    stream: &'a [u8],
    at: usize,
    limits: Limits,
    words: &mut Vec<&'a [u8]>,
) -> Step<'a> {
    words.clear();
    let closed = limits.trust == Trust::Unauthenticated;
    let (count, mut at) = match number(stream, at + 1) {
        Number::Is(count, end) => (count, end),
        Number::Incomplete => return Step::Incomplete,
        Number::TooLong => return Step::Failed(ProtocolError::CountTooLong),
        Number::Invalid => return Step::Failed(ProtocolError::InvalidCount),
    };
    match count {
        2_147_483_648.. => return Step::Failed(ProtocolError::InvalidCount),
        11.. if closed => return Step::Failed(ProtocolError::UnauthenticatedCount),
        ..1 => return Step::Nothing(at),
        _ => {}
    }
    for _ in 0..count {
        match stream.get(at) {
            None => return Step::Incomplete,
            Some(b'$') => {}
            Some(&other) => return Step::Failed(ProtocolError::ExpectedBulk(other)),
        }
        let (len, start) = match number(stream, at + 1) {
            Number::Is(len, end) => (len, end),
            Number::Incomplete => return Step::Incomplete,
            Number::TooLong => return Step::Failed(ProtocolError::LengthTooLong),
            Number::Invalid => return Step::Failed(ProtocolError::InvalidLength),
        };
        if len < 0 || len > limits.bulk_len_max {
            return Step::Failed(ProtocolError::InvalidLength);
        }
        if closed && len > 16 * 1024 {
            return Step::Failed(ProtocolError::UnauthenticatedLength);
        }
        let len = usize::try_from(len).expect("not negative");
        if stream.len() - start < 2 || stream.len() - start - 2 < len {
            return Step::Incomplete;
        }
        words.push(&stream[start..start + len]);
        at = start + len + 2;
    }
    Step::Command(at)
}

enum Number {
    /// The number, and where its line ends.
    Is(i64, usize),
    Incomplete,
    TooLong,
    Invalid,
}

/// A decimal number as it would be printed, a carriage return, and one byte more.
fn number(stream: &[u8], at: usize) -> Number {
    let rest = &stream[at..];
    match rest.iter().position(|&byte| byte == b'\r') {
        Some(len) if len <= INLINE_LEN_MAX => {
            if len + 1 == rest.len() {
                return Number::Incomplete;
            }
            let text = std::str::from_utf8(&rest[..len]).unwrap_or_default();
            let digits = text.strip_prefix('-').unwrap_or(text);
            match text.parse::<i64>() {
                Ok(n) if text == "0" || !digits.starts_with(['0', '+']) => {
                    Number::Is(n, at + len + 2)
                }
                _ => Number::Invalid,
            }
        }
        _ if rest.len() > INLINE_LEN_MAX => Number::TooLong,
        _ => Number::Incomplete,
    }
}
