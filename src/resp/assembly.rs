//! One large command, collected across many reads.
//!
//! Small arguments gather in one buffer; an argument of [`BIG_ARG_LEN_MIN`] bytes and more gets a
//! buffer of its own, which the socket is read into directly and the keyspace may keep.
//! Invariant: memory follows the bytes received; what is merely declared is never reserved.

use super::args::OwnedArgs;
use super::parse::{
    BIG_ARG_LEN_MIN, INLINE_LEN_MAX, Limits, Line, ProtocolError, Span, check_count, check_len,
    number_line,
};
use crate::base::num;
use bytes::Bytes;
use memchr::memchr;

/// How far a big argument's buffer runs ahead of the bytes received, bytes.
const READ_AHEAD_MIN: usize = 64 * 1024;
/// As above, once it is long: half of what there is, at most this.
const READ_AHEAD_MAX: usize = 16 * 1024 * 1024;

/// Small arguments share one buffer up to this many bytes; later ones get their own.
const SMALL_BYTES_MAX: usize = 1 << 31;

/// What comes next on the wire.
#[derive(Debug)]
enum State {
    /// `*count`
    Count,
    /// `$length`
    Length,
    /// Bytes of a small argument, and the line end, still to come.
    Small { left: usize },
    /// Bytes of a big argument up to `len`.
    Big { arg: Vec<u8>, len: usize },
    /// The line end after a big argument.
    BigEnd { left: usize },
}

/// A command in the making.
#[derive(Debug)]
pub struct Assembly {
    state: State,
    /// A number line that a read cut in two.
    line: Vec<u8>,
    args_left: u32,
    buf: Vec<u8>,
    spans: Vec<Span>,
    big: Vec<Bytes>,
    big_bytes: usize,
}

/// What feeding bytes led to.
#[derive(Debug)]
pub enum Fed {
    /// All bytes were taken and the command needs more.
    More,
    /// The command is complete; so many bytes were taken.
    Complete(usize, OwnedArgs),
}

impl Default for Assembly {
    fn default() -> Self {
        Self {
            state: State::Count,
            line: Vec::new(),
            args_left: 0,
            buf: Vec::new(),
            spans: Vec::new(),
            big: Vec::new(),
            big_bytes: 0,
        }
    }
}

impl Assembly {
    /// Takes bytes until the command is complete or there are none left.
    ///
    /// # Errors
    /// The bytes can be no command.
    pub fn feed(&mut self, input: &[u8], limits: Limits) -> Result<Fed, ProtocolError> {
        let mut at = 0;
        while at < input.len() {
            let rest = &input[at..];
            at += match &mut self.state {
                State::Count => self.feed_count(rest, limits)?,
                State::Length => self.feed_length(rest, limits)?,
                State::Small { left } => {
                    let take = rest.len().min(*left);
                    *left -= take;
                    let done = *left == 0;
                    self.buf.extend_from_slice(&rest[..take]);
                    if done && self.next_arg() {
                        return Ok(Fed::Complete(at + take, self.finish()));
                    }
                    take
                }
                State::Big { arg, len } => {
                    let take = rest.len().min(*len - arg.len());
                    arg.extend_from_slice(&rest[..take]);
                    self.end_big();
                    take
                }
                State::BigEnd { left } => {
                    let take = rest.len().min(*left);
                    *left -= take;
                    if *left == 0 && self.next_arg() {
                        return Ok(Fed::Complete(at + take, self.finish()));
                    }
                    take
                }
            };
        }
        Ok(Fed::More)
    }

    /// The buffer that the next bytes belong to, and how many of them, when a big argument is being
    /// collected: the reader may append up to that many bytes to it and must then call
    /// [`Assembly::filled`].
    pub fn target(&mut self) -> Option<(&mut Vec<u8>, usize)> {
        let State::Big { arg, len } = &mut self.state else { return None };
        let left = *len - arg.len();
        let ahead = (arg.len() / 2).clamp(READ_AHEAD_MIN, READ_AHEAD_MAX).min(left);
        if arg.capacity() - arg.len() < ahead.min(READ_AHEAD_MIN) {
            arg.reserve_exact(ahead);
        }
        let room = (arg.capacity() - arg.len()).min(left);
        Some((arg, room))
    }

    /// To be called after bytes were appended to what [`Assembly::target`] gave.
    pub fn filled(&mut self) {
        self.end_big();
    }

    /// Bytes of arguments received so far.
    pub fn received_bytes(&self) -> usize {
        let filling = if let State::Big { arg, .. } = &self.state { arg.len() } else { 0 };
        self.buf.len() + self.big_bytes + filling
    }

    /// Bytes of memory that the argument under way will need besides what is held.
    pub fn missing_bytes(&self) -> usize {
        if let State::Big { arg, len } = &self.state {
            len.saturating_sub(arg.capacity())
        } else {
            0
        }
    }

    /// Bytes of memory held.
    pub fn memory_bytes(&self) -> usize {
        let filling = if let State::Big { arg, .. } = &self.state { arg.capacity() } else { 0 };
        let spans = self.spans.capacity() * size_of::<Span>();
        self.line.capacity() + self.buf.capacity() + spans + self.big_bytes + filling
    }

    fn feed_count(&mut self, rest: &[u8], limits: Limits) -> Result<usize, ProtocolError> {
        let (too_long, invalid) = (ProtocolError::CountTooLong, ProtocolError::InvalidCount);
        let (taken, value) = self.take_line(rest, too_long, invalid)?;
        if let Some(value) = value {
            self.args_left = check_count(value, limits.trust)?.unwrap_or(0);
            self.state = State::Length;
        }
        Ok(taken)
    }

    fn feed_length(&mut self, rest: &[u8], limits: Limits) -> Result<usize, ProtocolError> {
        let (too_long, invalid) = (ProtocolError::LengthTooLong, ProtocolError::InvalidLength);
        if self.line.is_empty() && rest[0] != b'$' {
            return Err(ProtocolError::ExpectedBulk(rest[0]));
        }
        let (taken, value) = self.take_line(rest, too_long, invalid)?;
        if let Some(value) = value {
            let len = check_len(value, limits)?;
            if len >= BIG_ARG_LEN_MIN || self.buf.len() >= SMALL_BYTES_MAX {
                let index =
                    num::u32_of(self.big.len(), "one for each argument, counted in 31 bits");
                self.spans.push(Span { start: Span::BIG, len: index });
                self.state = State::Big { arg: Vec::new(), len };
                self.end_big(); // an empty one has no bytes to wait for
            } else {
                let invariant = "below SMALL_BYTES_MAX and BIG_ARG_LEN_MIN";
                let start = num::u32_of(self.buf.len(), invariant);
                self.spans.push(Span { start, len: num::u32_of(len, invariant) });
                self.state = State::Small { left: len + 2 };
            }
        }
        Ok(taken)
    }

    /// Takes a type byte and a number line, or the part of it that is there.
    fn take_line(
        &mut self,
        rest: &[u8],
        too_long: ProtocolError,
        invalid: ProtocolError,
    ) -> Result<(usize, Option<i64>), ProtocolError> {
        if self.line.is_empty() {
            return Ok(match number_line(rest, 1, too_long, invalid)? {
                Line::Value { value, end } => (end, Some(value)),
                Line::Incomplete => {
                    self.line.extend_from_slice(rest);
                    (rest.len(), None)
                }
            });
        }
        let held = self.line.len();
        // The line is complete one byte behind its first CR.
        let needed = match self.line.last() {
            Some(b'\r') => 1,
            Some(_) | None => memchr(b'\r', rest).map_or(rest.len(), |at| at + 2),
        };
        let window = &rest[..rest.len().min(needed).min(INLINE_LEN_MAX + 4)];
        self.line.extend_from_slice(window);
        match number_line(&self.line, 1, too_long, invalid)? {
            Line::Value { value, end } => {
                self.line.clear();
                Ok((end - held, Some(value)))
            }
            Line::Incomplete => Ok((window.len(), None)),
        }
    }

    fn end_big(&mut self) {
        if let State::Big { arg, len } = &mut self.state
            && arg.len() == *len
        {
            let mut arg = std::mem::take(arg);
            arg.shrink_to_fit();
            self.big_bytes += arg.len();
            self.big.push(Bytes::from(arg));
            self.state = State::BigEnd { left: 2 };
        }
    }

    /// Goes on to the next argument; true if that was the last.
    fn next_arg(&mut self) -> bool {
        self.args_left -= 1;
        self.state = State::Length;
        self.args_left == 0
    }

    fn finish(&mut self) -> OwnedArgs {
        let done = std::mem::take(self);
        OwnedArgs::from_parts(done.buf, done.spans, done.big)
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse::Trust;
    use super::*;

    const OPEN: Limits = Limits { bulk_len_max: 512 << 20, trust: Trust::Authenticated };

    fn command(args: &[&[u8]]) -> Vec<u8> {
        let mut out = format!("*{}\r\n", args.len()).into_bytes();
        for arg in args {
            out.extend_from_slice(format!("${}\r\n", arg.len()).as_bytes());
            out.extend_from_slice(arg);
            out.extend_from_slice(b"\r\n");
        }
        out
    }

    fn collect(input: &[u8], step: usize) -> Vec<Vec<u8>> {
        let mut assembly = Assembly::default();
        let mut at = 0;
        loop {
            let piece = &input[at..input.len().min(at + step)];
            match assembly.feed(piece, OPEN).expect("well-formed") {
                Fed::More => at += piece.len(),
                Fed::Complete(taken, args) => {
                    assert_eq!(at + taken, input.len());
                    return args.as_args().from(0).map(<[u8]>::to_vec).collect();
                }
            }
        }
    }

    #[test]
    fn any_cut_gives_the_same_command() {
        let big = vec![b'x'; BIG_ARG_LEN_MIN + 5];
        let args: [&[u8]; 4] = [b"MSET", b"", &big, b"tail"];
        let input = command(&args);
        for step in [1, 2, 3, 7, 1000, input.len()] {
            assert_eq!(collect(&input, step), args, "pieces of {step}");
        }
    }

    #[test]
    fn declared_bytes_reserve_nothing() {
        let mut assembly = Assembly::default();
        let input = b"*2\r\n$3\r\nSET\r\n$536870912\r\nabc";
        assert!(matches!(assembly.feed(input, OPEN), Ok(Fed::More)));
        assert!(assembly.memory_bytes() < 1024);
        let (_, room) = assembly.target().expect("a big argument is awaited");
        assert_eq!(room, READ_AHEAD_MIN);
    }

    #[test]
    fn many_small_arguments_copy_their_bytes_once() {
        // A million arguments in pieces as they are read: seconds, if each length line copied what
        // follows it.
        let input = command(&vec![&b"x"[..]; 1_000_000]);
        let mut assembly = Assembly::default();
        let mut pieces = input.chunks(64 * 1024).peekable();
        while let Some(piece) = pieces.next() {
            let fed = assembly.feed(piece, OPEN).expect("well-formed");
            assert!(assembly.line.capacity() < 64);
            match fed {
                Fed::More => assert!(pieces.peek().is_some()),
                Fed::Complete(taken, args) => {
                    assert_eq!((taken, args.as_args().len()), (piece.len(), 1_000_000));
                }
            }
        }
    }

    #[test]
    fn bytes_may_be_appended_directly() {
        let big = vec![b'x'; 3 * READ_AHEAD_MIN];
        let input = command(&[b"GET", &big]);
        let mut assembly = Assembly::default();
        let head = 40;
        assert!(matches!(assembly.feed(&input[..head], OPEN), Ok(Fed::More)));
        let mut at = head;
        while let Some((buffer, room)) = assembly.target() {
            buffer.extend_from_slice(&input[at..at + room]);
            at += room;
            assembly.filled();
        }
        let Ok(Fed::Complete(2, args)) = assembly.feed(&input[at..], OPEN) else {
            panic!("the command is complete");
        };
        assert_eq!(args.as_args().at(1), big);
    }

    #[test]
    fn errors_are_found_in_the_middle() {
        let mut assembly = Assembly::default();
        assert!(matches!(assembly.feed(b"*2\r\n$3\r\nSET\r\n", OPEN), Ok(Fed::More)));
        assert_eq!(assembly.feed(b"x", OPEN).err(), Some(ProtocolError::ExpectedBulk(b'x')));
    }
}
