//! Commands out of a log, as a stream.
//!
//! Memory follows the bytes of the command under way, never a length that the file declares: a log with
//! a wrong length is noticed at its end, not by running out of memory. Long arguments get buffers of
//! their own, which values keep without a copy.

use crate::base::num;
use crate::resp::Args;
use crate::resp::parse::{BIG_ARG_LEN_MIN, Span};
use bytes::Bytes;
use memchr::memchr;
use std::fmt;
use std::io::{self, ErrorKind, Read};

/// Bytes read at once.
const CHUNK_BYTES: usize = 64 * 1024;
/// Longest annotation with its line end, bytes.
pub const LINE_LEN_MAX: usize = 1023;
/// Once a command is so long, each further argument gets a buffer of its own, bytes.
const SHARED_BUFFER_MAX: usize = 256 << 20;
/// What begins the annotation of a time.
const TIMESTAMP: &[u8] = b"#TS:";

/// What was found next in a log.
#[derive(Debug)]
pub enum Item<'a> {
    /// A command.
    Command(Args<'a>),
    /// What follows was written at this time or later, Unix seconds.
    Timestamp(i64),
    /// A line that says nothing about the data.
    Comment,
    /// The log ends here, between two commands.
    End,
}

/// Why there is no next command.
#[derive(Debug)]
pub enum Fault {
    /// The log ends inside a command.
    Torn,
    /// These are not the bytes of a log.
    Garbage(Garbage),
    /// It cannot be read.
    Io(io::Error),
}

/// Bytes that cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Garbage {
    /// Where they are, bytes from the start of the file.
    pub offset: u64,
    /// What should be there.
    pub expected: Expected,
    /// The first of them.
    pub found: u8,
}

/// What a log must have at some place. `Display` is for the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// `*` and the number of arguments.
    Count,
    /// `$` and the length of an argument.
    Length,
    /// The end of a line.
    LineEnd,
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Count => "a command",
            Self::Length => "the length of an argument",
            Self::LineEnd => "the end of a line",
        })
    }
}

impl fmt::Display for Garbage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { offset, expected, found } = self;
        write!(f, "offset {offset}: expected {expected}, found byte 0x{found:02x}")
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// What a log is read from, and where in it the reader is.
#[derive(Debug)]
pub struct Reader<R> {
    input: R,
    /// Bytes of the file; those from `filled` on are room.
    buf: Vec<u8>,
    filled: usize,
    /// How much of `buf` was dealt with.
    at: usize,
    /// Where in the file `buf` starts.
    start: u64,
    spans: Vec<Span>,
    big: Vec<Bytes>,
}

impl<R: Read> Reader<R> {
    /// Reads a log whose first byte is at `offset` of its file.
    pub const fn new(input: R, offset: u64) -> Self {
        Self {
            input,
            buf: Vec::new(),
            filled: 0,
            at: 0,
            start: offset,
            spans: Vec::new(),
            big: Vec::new(),
        }
    }

    /// Where in the file the next item starts.
    pub fn offset(&self) -> u64 {
        self.start + num::u64_of(self.at)
    }

    /// The next item.
    ///
    /// # Errors
    /// There is none: the fault says why. Afterwards [`Reader::offset`] is somewhere behind the last
    /// item.
    pub fn read(&mut self) -> Result<Item<'_>, Fault> {
        self.spans.clear();
        self.big.clear();
        if self.at >= CHUNK_BYTES || self.at == self.filled {
            self.forget();
        }
        if self.at == self.filled && self.fill()? == 0 {
            return Ok(Item::End);
        }
        match self.buf[self.at] {
            b'#' => self.annotation(),
            b'*' => self.command(),
            found => Err(self.garbage(self.at, Expected::Count, found)),
        }
    }

    /// Whether there is nothing but zeroes from a place on that is still to be read, to the end.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn is_zero_from(&mut self, offset: u64) -> io::Result<bool> {
        let Some(skip) = offset.checked_sub(self.start) else { return Ok(false) };
        let mut from = num::usize_of(skip).min(self.filled);
        loop {
            if self.buf[from..self.filled].iter().any(|&byte| byte != 0) {
                return Ok(false);
            }
            (self.filled, from) = (0, 0);
            if self.fill()? == 0 {
                return Ok(true);
            }
        }
    }

    /// Makes room for more by letting go of what was dealt with. Never within a command: its spans count
    /// from the buffer's start.
    fn forget(&mut self) {
        self.buf.copy_within(self.at..self.filled, 0);
        self.start += num::u64_of(self.at);
        self.filled -= self.at;
        self.at = 0;
    }

    /// Reads more behind what there is; how much, 0 at the end.
    fn fill(&mut self) -> io::Result<usize> {
        if self.buf.len() < self.filled + CHUNK_BYTES {
            self.buf.resize(self.filled + self.filled / 2 + 2 * CHUNK_BYTES, 0);
        }
        loop {
            let room = &mut self.buf[self.filled..][..CHUNK_BYTES];
            match self.input.read(room) {
                Ok(count) => {
                    self.filled += count;
                    return Ok(count);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Makes sure that there are `len` bytes from `from` on.
    #[inline]
    fn need(&mut self, from: usize, len: usize) -> Result<(), Fault> {
        while self.filled - from < len {
            if self.fill()? == 0 {
                return Err(Fault::Torn);
            }
        }
        Ok(())
    }

    fn garbage(&self, at: usize, expected: Expected, found: u8) -> Fault {
        Fault::Garbage(Garbage { offset: self.start + num::u64_of(at), expected, found })
    }

    fn annotation(&mut self) -> Result<Item<'_>, Fault> {
        let mut searched = self.at;
        let end = loop {
            if let Some(len) = memchr(b'\n', &self.buf[searched..self.filled]) {
                break searched + len + 1;
            }
            searched = self.filled;
            if searched - self.at > LINE_LEN_MAX {
                return Err(self.garbage(self.at, Expected::LineEnd, b'#'));
            }
            if self.fill()? == 0 {
                return Err(Fault::Torn);
            }
        };
        if end - self.at > LINE_LEN_MAX {
            return Err(self.garbage(self.at, Expected::LineEnd, b'#'));
        }
        let line = &self.buf[self.at..end];
        self.at = end;
        let time = line.strip_prefix(TIMESTAMP).map(<[u8]>::trim_ascii_end);
        Ok(match time.and_then(num::parse_i64) {
            Some(unix_s) => Item::Timestamp(unix_s),
            None => Item::Comment,
        })
    }

    fn command(&mut self) -> Result<Item<'_>, Fault> {
        let (count, mut next) = self.number(self.at, b'*', Expected::Count)?;
        if count < 1 || i32::try_from(count).is_err() {
            return Err(self.garbage(self.at, Expected::Count, b'*'));
        }
        for _ in 0..count {
            next = self.argument(next)?;
        }
        self.at = next;
        Ok(Item::Command(Args::new(&self.buf, &self.spans, &self.big)))
    }

    /// Reads the line of a number that follows `mark`; the number and where the line ends.
    #[inline]
    fn number(&mut self, from: usize, mark: u8, what: Expected) -> Result<(u64, usize), Fault> {
        self.need(from, 1)?;
        if self.buf[from] != mark {
            return Err(self.garbage(from, what, self.buf[from]));
        }
        let mut index = from + 1;
        let mut value: u64 = 0;
        loop {
            self.need(index, 1)?;
            let digit = self.buf[index].wrapping_sub(b'0');
            if digit > 9 {
                break;
            }
            let shifted = value.checked_mul(10).and_then(|value| value.checked_add(digit.into()));
            value = shifted.ok_or_else(|| self.garbage(from, what, mark))?;
            index += 1;
        }
        if index == from + 1 {
            return Err(self.garbage(index, what, self.buf[index]));
        }
        self.line_end(index).map(|end| (value, end))
    }

    #[inline]
    fn line_end(&mut self, from: usize) -> Result<usize, Fault> {
        for (index, expected) in (from..).zip(*b"\r\n") {
            self.need(index, 1)?;
            if self.buf[index] != expected {
                return Err(self.garbage(index, Expected::LineEnd, self.buf[index]));
            }
        }
        Ok(from + 2)
    }

    /// Reads one argument; where it ends.
    #[inline]
    fn argument(&mut self, from: usize) -> Result<usize, Fault> {
        let (len, start) = self.number(from, b'$', Expected::Length)?;
        let len = usize::try_from(len).ok().filter(|&len| len <= isize::MAX.unsigned_abs());
        let len = len.ok_or_else(|| self.garbage(from, Expected::Length, b'$'))?;
        if len >= BIG_ARG_LEN_MIN || start - self.at > SHARED_BUFFER_MAX {
            return self.big_argument(start, len);
        }
        self.need(start, len)?;
        let invariant = "a command's shared buffer is bounded";
        let span = Span { start: num::u32_of(start, invariant), len: num::u32_of(len, invariant) };
        self.spans.push(span);
        self.line_end(start + len)
    }

    /// Reads an argument into a buffer of its own. The bytes of the line end stay in the shared buffer,
    /// right behind the argument's length, as if the argument were not there.
    fn big_argument(&mut self, start: usize, len: usize) -> Result<usize, Fault> {
        let here = len.min(self.filled - start);
        let mut bytes = Vec::with_capacity(len.min(here + 4 * CHUNK_BYTES));
        bytes.extend_from_slice(&self.buf[start..start + here]);
        self.buf.copy_within(start + here..self.filled, start);
        self.filled -= here;
        let missing = num::u64_of(len - here);
        let read = self.input.by_ref().take(missing).read_to_end(&mut bytes)?;
        // Offsets are counted from the buffer's start, as if these bytes had been in front of it.
        self.start += num::u64_of(here + read);
        if bytes.len() < len {
            return Err(Fault::Torn);
        }
        let index = num::u32_of(self.big.len(), "each takes bytes of the shared buffer");
        self.spans.push(Span { start: Span::BIG, len: index });
        self.big.push(Bytes::from(bytes));
        self.line_end(start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::Rng;

    /// Gives at most so many bytes at once, and is interrupted before each.
    struct Slow<'a> {
        bytes: &'a [u8],
        step: usize,
        is_interrupted: bool,
    }

    impl Read for Slow<'_> {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            self.is_interrupted = !self.is_interrupted;
            if self.is_interrupted {
                return Err(ErrorKind::Interrupted.into());
            }
            let step = self.step.min(buf.len()).min(self.bytes.len());
            self.bytes.read(&mut buf[..step])
        }
    }

    fn command(words: &[&[u8]]) -> Vec<u8> {
        let mut out = format!("*{}\r\n", words.len()).into_bytes();
        for word in words {
            out.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
            out.extend_from_slice(word);
            out.extend_from_slice(b"\r\n");
        }
        out
    }

    /// All items of a log, each with the offset behind it, and the fault at its end if there is one.
    fn read_all(bytes: &[u8], step: usize) -> (Vec<(String, u64)>, Option<Fault>) {
        let mut reader = Reader::new(Slow { bytes, step, is_interrupted: false }, 0);
        let mut items = Vec::new();
        loop {
            let item = match reader.read() {
                Ok(Item::End) => return (items, None),
                Err(fault) => return (items, Some(fault)),
                Ok(Item::Timestamp(at)) => format!("at {at}"),
                Ok(Item::Comment) => "#".to_owned(),
                Ok(Item::Command(args)) => {
                    let words = args.from(0).map(|word| match word {
                        word if word.len() > 20 => format!("{} bytes", word.len()),
                        word => word.escape_ascii().to_string(),
                    });
                    words.collect::<Vec<_>>().join(" ")
                }
            };
            items.push((item, reader.offset()));
        }
    }

    #[track_caller]
    fn check(bytes: &[u8], expected: &[&str]) {
        for step in [1, 2, 7, CHUNK_BYTES] {
            let (items, fault) = read_all(bytes, step);
            assert!(fault.is_none(), "{fault:?}");
            let items: Vec<&str> = items.iter().map(|(text, _)| text.as_str()).collect();
            assert_eq!(items, expected, "steps of {step}");
        }
    }

    #[track_caller]
    fn check_garbage(bytes: &[u8], offset: u64, text: &str) {
        for step in [1, 3, CHUNK_BYTES] {
            match read_all(bytes, step).1 {
                Some(Fault::Garbage(garbage)) => {
                    assert_eq!(
                        (garbage.offset, garbage.expected.to_string().as_str()),
                        (offset, text)
                    );
                }
                other => panic!("{other:?} in {}", bytes.escape_ascii()),
            }
        }
    }

    #[test]
    fn commands_and_annotations_come_in_order() {
        check(b"", &[]);
        let log = [
            &b"#TS:1628217470\r\n"[..],
            &command(&[b"SET", b"", b"a\r\nb"]),
            b"#TS:x\r\n# anything\n",
            &command(&[b"DEL"]),
        ];
        check(&log.concat(), &["at 1628217470", "SET  a\\r\\nb", "#", "#", "DEL"]);
    }

    #[test]
    fn long_arguments_come_between_short_ones() {
        let long = vec![b'x'; 3 * CHUNK_BYTES + 5];
        let edge = vec![b'y'; BIG_ARG_LEN_MIN];
        let one = command(&[b"MSET", b"a", &long, b"b", &edge, b"c", b"v"]);
        let log = [one, command(&[b"GET", b"a"])].concat();
        let text = "MSET a 196613 bytes b 32768 bytes c v";
        check(&log, &[text, "GET a"]);
        let (items, _) = read_all(&log, 5000);
        let ends: Vec<u64> = items.iter().map(|&(_, end)| end).collect();
        assert_eq!(ends, [num::u64_of(log.len()) - 20, num::u64_of(log.len())]);
    }

    #[test]
    fn wherever_a_log_is_cut_what_is_before_counts() {
        let commands = [command(&[b"SET", b"k", b"v"]), b"#TS:12\r\n".to_vec(), command(&[b"A"])];
        let log = commands.concat();
        let ends: Vec<usize> =
            commands.iter().scan(0, |end, part| (*end += part.len(), Some(*end)).1).collect();
        for cut in 0..=log.len() {
            let (items, fault) = read_all(&log[..cut], 3);
            let whole = ends.iter().filter(|&&end| end <= cut).count();
            assert_eq!(items.len(), whole, "cut at {cut}");
            if cut == 0 || ends.contains(&cut) {
                assert!(fault.is_none(), "cut at {cut}: {fault:?}");
            } else {
                assert!(matches!(fault, Some(Fault::Torn)), "cut at {cut}: {fault:?}");
            }
        }
    }

    #[test]
    fn what_cannot_be_is_found_where_it_is() {
        let good = command(&[b"SET", b"k", b"v"]);
        let behind = |bad: &[u8]| [&good[..], bad].concat();
        let at = num::u64_of(good.len());
        check_garbage(&behind(b"!!!"), at, "a command");
        check_garbage(&behind(b"\0\0\0"), at, "a command");
        check_garbage(&behind(b"*0\r\n"), at, "a command");
        check_garbage(&behind(b"*-1\r\n"), at + 1, "a command");
        check_garbage(&behind(b"*99999999999\r\n$1\r\n"), at, "a command");
        check_garbage(&behind(b"*99999999999999999999999\r\n"), at, "a command");
        check_garbage(&behind(b"*1\n$1\r\n"), at + 2, "the end of a line");
        check_garbage(&behind(b"*1\r\n+OK\r\n"), at + 4, "the length of an argument");
        check_garbage(&behind(b"*1\r\n$\r\n"), at + 5, "the length of an argument");
        check_garbage(
            &behind(b"*1\r\n$18446744073709551615\r\nab"),
            at + 4,
            "the length of an argument",
        );
        check_garbage(&behind(b"*1\r\n$1\r\nab\r\n"), at + 9, "the end of a line");
        let annotation = |len: usize| [b"#", &b"x".repeat(len - 2)[..], b"\n"].concat();
        assert!(read_all(&annotation(LINE_LEN_MAX), 64).1.is_none());
        check_garbage(&annotation(LINE_LEN_MAX + 1), 0, "the end of a line");
        check_garbage(&annotation(9000), 0, "the end of a line");
    }

    #[test]
    fn a_length_that_is_a_lie_takes_no_memory() {
        for lie in ["*1\r\n$999999999999\r\nabc", "*2147483647\r\n$1\r\na\r\n"] {
            assert!(matches!(read_all(lie.as_bytes(), 64).1, Some(Fault::Torn)), "{lie}");
        }
    }

    #[test]
    fn zeroes_to_the_end_are_recognised() {
        let good = command(&[b"A"]);
        for (tail, expected) in
            [(vec![0; 200_000], true), ([vec![0; 200_000], vec![1]].concat(), false)]
        {
            let log = [&good[..], &tail].concat();
            let mut reader = Reader::new(Slow { bytes: &log, step: 999, is_interrupted: false }, 0);
            assert!(matches!(reader.read(), Ok(Item::Command(_))));
            assert!(matches!(reader.read(), Err(Fault::Garbage(_))));
            assert_eq!(reader.is_zero_from(num::u64_of(good.len())).unwrap(), expected);
        }
    }

    #[test]
    fn any_mixture_of_lengths_reads_back() {
        let mut rng = Rng::seeded(5);
        for step in [1000, 70_000] {
            let sizes: Vec<Vec<usize>> = (0..40)
                .map(|_| (0..=rng.below_usize(5)).map(|_| 1 << rng.below_usize(18)).collect())
                .collect();
            let mut log = Vec::new();
            for sizes in &sizes {
                let words: Vec<Vec<u8>> = sizes.iter().map(|&len| vec![b'w'; len - 1]).collect();
                let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
                log.extend_from_slice(&command(&words));
            }
            let mut reader = Reader::new(Slow { bytes: &log, step, is_interrupted: false }, 100);
            for sizes in &sizes {
                let Ok(Item::Command(args)) = reader.read() else { panic!("a command") };
                assert_eq!(args.from(0).map(|word| word.len() + 1).collect::<Vec<_>>(), *sizes);
            }
            assert!(matches!(reader.read(), Ok(Item::End)));
            assert_eq!(reader.offset(), num::u64_of(log.len()) + 100);
        }
    }
}
