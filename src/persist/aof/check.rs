//! Reading a log without executing it: how far it is in order, and what is wrong behind that.
//!
//! Offsets, numbers of lines and what counts as a flaw are those of `redis-check-aof`; where the server
//! is stricter than that tool (a command of no words, a sign or a blank in front of a number or none, an
//! annotation that is too long or has no line end), so is this.

use super::read::LINE_LEN_MAX;
use crate::base::num;
use std::fmt;
use std::io::{self, BufRead, ErrorKind};

/// Longest line of a number, bytes.
const NUMBER_LEN_MAX: usize = 127;
/// So much of a command's name is looked at.
const NAME_LEN_MAX: usize = 8;
/// What begins the annotation of a time.
const TIMESTAMP: &[u8] = b"#TS:";

/// What is wrong with a log. `Display` is the tool's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// Another byte than this begins a number.
    Prefix {
        /// `*` or `$`.
        expected: u8,
        /// What is there.
        found: u8,
    },
    /// A line does not end where it should.
    LineEnd([u8; 2]),
    /// An argument of this length cannot be.
    Length(i64),
    /// An argument without a length. Redis takes it for an empty one; no server writes that, and none
    /// is to be loaded out of a damaged log.
    NoLength,
    /// An argument is cut off; both with the end of its line.
    Short {
        /// Bytes it should have.
        expected: u64,
        /// Bytes it has.
        found: u64,
    },
    /// A transaction within a transaction.
    Multi,
    /// The end of a transaction that was not begun.
    Exec,
    /// The log ends inside a transaction.
    NoExec,
    /// It ends where the next number should begin.
    End,
    /// Neither a command nor an annotation.
    NoCommand,
}

impl Flaw {
    /// As it is said of a log of this name; nothing if only the offset tells.
    pub fn describe(&self, log: &impl fmt::Display) -> Option<String> {
        let shown = |byte: &u8| char::from(*byte).escape_default().to_string();
        Some(match self {
            Self::Prefix { expected, found } => {
                format!("Expected prefix '{}', got: '{}'", shown(expected), shown(found))
            }
            Self::LineEnd([first, second]) => {
                format!("Expected \\r\\n, got: {first:02x}{second:02x}")
            }
            Self::Length(len) => {
                format!(
                    "Expected to read string of {len} bytes, which is not in the suitable range"
                )
            }
            Self::NoLength => "Expected the length of a string, got no number".to_owned(),
            Self::Short { expected, found } => {
                format!("Expected to read {expected} bytes, got {found} bytes")
            }
            Self::Multi => format!("Unexpected MULTI in AOF {log}"),
            Self::Exec => format!("Unexpected EXEC in AOF {log}"),
            Self::NoExec => "Reached EOF before reading EXEC for MULTI".to_owned(),
            Self::End => return None,
            Self::NoCommand => format!("AOF {log} format error"),
        })
    }
}

/// What is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Where what was being read begins, bytes from the start of the file.
    pub offset: u64,
    /// What is wrong.
    pub flaw: Flaw,
}

/// Why a log was not read to its end.
#[derive(Debug)]
pub enum Stop {
    /// Nothing is wrong: it was.
    End,
    /// Something is wrong.
    Flaw(Found),
    /// What follows is younger than what is wanted.
    Younger,
    /// An annotation of a time has none.
    Timestamp,
}

/// What was found in a log.
#[derive(Debug)]
pub struct Analysis {
    /// Where the last whole command, transaction or annotation ends, bytes from the start of the file.
    pub ok_up_to: u64,
    /// Why it ends there.
    pub stop: Stop,
}

/// A command's name, as far as it matters.
enum Name {
    Multi,
    Exec,
    Other,
}

impl Name {
    fn of(name: &[u8]) -> Self {
        if name.eq_ignore_ascii_case(b"MULTI") {
            Self::Multi
        } else if name.eq_ignore_ascii_case(b"EXEC") {
            Self::Exec
        } else {
            Self::Other
        }
    }
}

/// Why reading stops within a command.
enum Fault {
    Flaw(Flaw),
    Io(io::Error),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<Flaw> for Fault {
    fn from(flaw: Flaw) -> Self {
        Self::Flaw(flaw)
    }
}

/// Reads a log whose first byte is at `offset` of its file, until something is wrong, or younger than
/// `until_s`, Unix seconds. `lines` counts the lines dealt with.
///
/// # Errors
/// The file cannot be read.
pub fn analyse(
    input: impl BufRead,
    offset: u64,
    until_s: Option<i64>,
    lines: &mut u64,
) -> io::Result<Analysis> {
    let mut source = Source { input, offset, item: offset, lines };
    let mut ok_up_to = offset;
    let mut is_open = false;
    let stop = loop {
        if !is_open {
            ok_up_to = source.offset;
        }
        let result = match source.peek()? {
            None if is_open => Err(Fault::Flaw(Flaw::NoExec)),
            None => break Stop::End,
            Some(b'#') => match source.annotation(until_s) {
                Ok(Annotation::Older) => Ok(()),
                Ok(Annotation::Younger) => break Stop::Younger,
                Ok(Annotation::Wrong) => break Stop::Timestamp,
                Err(fault) => Err(fault),
            },
            Some(b'*') => source.command(&mut is_open),
            Some(_) => {
                source.item = source.offset;
                Err(Flaw::NoCommand.into())
            }
        };
        match result {
            Ok(()) => {}
            Err(Fault::Io(error)) => return Err(error),
            Err(Fault::Flaw(flaw)) => {
                let flaw = if is_open && flaw == Flaw::End { Flaw::NoExec } else { flaw };
                break Stop::Flaw(Found { offset: source.item, flaw });
            }
        }
    };
    Ok(Analysis { ok_up_to, stop })
}

/// What an annotation says.
enum Annotation {
    /// Nothing, or a time that is wanted.
    Older,
    /// A time that is not.
    Younger,
    /// A time that is none.
    Wrong,
}

struct Source<'a, R> {
    input: R,
    /// Where the next byte is.
    offset: u64,
    /// Where what is being read began.
    item: u64,
    lines: &'a mut u64,
}

impl<R: BufRead> Source<'_, R> {
    fn peek(&mut self) -> io::Result<Option<u8>> {
        loop {
            match self.input.fill_buf() {
                Ok(bytes) => return Ok(bytes.first().copied()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn next(&mut self) -> io::Result<Option<u8>> {
        let byte = self.peek()?;
        if byte.is_some() {
            self.input.consume(1);
            self.offset += 1;
        }
        Ok(byte)
    }

    /// A line with its end, or as much of it as there is up to `max` bytes.
    fn line(&mut self, max: usize) -> io::Result<Vec<u8>> {
        let mut line = Vec::new();
        while line.len() < max
            && let Some(byte) = self.next()?
        {
            line.push(byte);
            if byte == b'\n' {
                break;
            }
        }
        Ok(line)
    }

    fn annotation(&mut self, until_s: Option<i64>) -> Result<Annotation, Fault> {
        self.item = self.offset;
        let line = self.line(LINE_LEN_MAX)?;
        if !line.ends_with(b"\n") {
            return Err(Flaw::LineEnd([0; 2]).into());
        }
        let (Some(until_s), Some(time)) = (until_s, line.strip_prefix(TIMESTAMP)) else {
            return Ok(Annotation::Older);
        };
        Ok(match time.strip_suffix(b"\r\n").and_then(num::parse_i64) {
            Some(unix_s) if unix_s > until_s => Annotation::Younger,
            Some(_) => Annotation::Older,
            None => Annotation::Wrong,
        })
    }

    fn command(&mut self, is_open: &mut bool) -> Result<(), Fault> {
        let count = self.number(b'*')?;
        if count < 1 {
            return Err(Flaw::NoCommand.into());
        }
        for index in 0..count {
            let name = self.argument()?;
            if index > 0 {
                continue;
            }
            match Name::of(&name) {
                Name::Multi if *is_open => return Err(Flaw::Multi.into()),
                Name::Multi => *is_open = true,
                Name::Exec if !*is_open => return Err(Flaw::Exec.into()),
                Name::Exec => *is_open = false,
                Name::Other => {}
            }
        }
        Ok(())
    }

    /// Reads the line of a number.
    fn number(&mut self, mark: u8) -> Result<i64, Fault> {
        self.item = self.offset;
        let line = self.line(NUMBER_LEN_MAX)?;
        let Some((&first, rest)) = line.split_first() else { return Err(Flaw::End.into()) };
        if first != mark {
            return Err(Flaw::Prefix { expected: mark, found: first }.into());
        }
        let is_negative = rest.starts_with(b"-");
        let digits = &rest[usize::from(is_negative)..];
        let count = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.line_end(if count == 0 { rest } else { &digits[count..] })?;
        let is_zero = digits[..count].iter().all(|&digit| digit == b'0');
        if mark == b'$' && (count == 0 || is_negative && is_zero) {
            return Err(Flaw::NoLength.into());
        }
        let size = digits[..count].iter().fold(0_i64, |size, &digit| {
            size.saturating_mul(10).saturating_add(i64::from(digit - b'0'))
        });
        Ok(if is_negative { -size } else { size })
    }

    /// What is at the end of a line.
    fn line_end(&mut self, end: &[u8]) -> Result<(), Fault> {
        if !end.starts_with(b"\r\n") {
            let at = |index| end.get(index).copied().unwrap_or(0);
            return Err(Flaw::LineEnd([at(0), at(1)]).into());
        }
        *self.lines += 1;
        Ok(())
    }

    /// Reads an argument; the first bytes of it, one more than a name that matters has at most.
    fn argument(&mut self) -> Result<Vec<u8>, Fault> {
        let len = self.number(b'$')?;
        let Some(len) = u64::try_from(len).ok().filter(|_| len < i64::MAX - 1) else {
            return Err(Flaw::Length(len).into());
        };
        self.item = self.offset;
        let mut start = Vec::new();
        let mut left = len;
        while left > 0 && self.peek()?.is_some() {
            let bytes = self.input.fill_buf()?;
            let here = num::u64_of(bytes.len()).min(left);
            let part = &bytes[..num::usize_of(here)];
            let room = (NAME_LEN_MAX - start.len()).min(part.len());
            start.extend_from_slice(&part[..room]);
            self.input.consume(num::usize_of(here));
            self.offset += here;
            left -= here;
        }
        let mut end = Vec::new();
        while left == 0
            && end.len() < 2
            && let Some(byte) = self.next()?
        {
            end.push(byte);
        }
        let found = len - left + num::u64_of(end.len());
        if found < len + 2 {
            return Err(Flaw::Short { expected: len + 2, found }.into());
        }
        self.line_end(&end)?;
        Ok(if len > num::u64_of(NAME_LEN_MAX) { Vec::new() } else { start })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::Rng;
    use std::io::BufReader;

    fn command(words: &[&str]) -> String {
        let words = words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len()));
        format!("*{}\r\n{}", words.len(), words.collect::<String>())
    }

    /// What is found in a log: up to where it is in order, lines, and what is wrong at which offset.
    fn find(log: &[u8], until_s: Option<i64>) -> String {
        let mut lines = 1;
        let analysis = analyse(log, 0, until_s, &mut lines).expect("memory can be read");
        let mut byte_by_byte = 1;
        let slow = analyse(BufReader::with_capacity(1, log), 0, until_s, &mut byte_by_byte);
        assert_eq!(format!("{:?}", slow.ok()), format!("{:?}", Some(&analysis)));
        let wrong = match analysis.stop {
            Stop::End => String::new(),
            Stop::Younger => " younger".to_owned(),
            Stop::Timestamp => " no time".to_owned(),
            Stop::Flaw(Found { offset, flaw }) => {
                format!(" {offset}: {}", flaw.describe(&"x").unwrap_or_default())
            }
        };
        format!("{} {lines}{wrong}", analysis.ok_up_to)
    }

    #[track_caller]
    fn check(behind: &str, expected: &str) {
        let log = command(&["SET", "a", "b"]) + behind;
        assert_eq!(find(log.as_bytes(), None), expected, "{behind:?}");
    }

    #[test]
    fn a_whole_log_is_in_order_to_its_end() {
        check("", "27 8");
        check(&command(&["DEL", "a\r\nb"]), "50 13");
        check("#TS:x\r\n# more\n", "41 8");
        let longest = |len: usize| format!("#{}\n", "x".repeat(len - 2));
        check(&longest(LINE_LEN_MAX), "1050 8");
        let end = "Expected \\r\\n, got: 0000";
        check(&longest(LINE_LEN_MAX + 1), &format!("27 8 27: {end}"));
        check(longest(LINE_LEN_MAX + 1).trim_end(), &format!("27 8 27: {end}"));
        let unit = [command(&["multi"]), command(&["DEL", "a"]), command(&["Exec"])].concat();
        check(&unit, "76 19");
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        check("!!!", "27 8 27: AOF x format error");
        check("*0\r\n", "27 9 27: AOF x format error");
        check("*x\r\n", "27 8 27: Expected \\r\\n, got: 780d");
        check("*2\n", "27 8 27: Expected \\r\\n, got: 0a00");
        check("*2\r\n+1\r\n", "27 9 31: Expected prefix '$', got: '+'");
        check("*2\r\n", "27 9 31: ");
        check("*1\r\n$3\r\nDE", "27 10 35: Expected to read 5 bytes, got 2 bytes");
        check("*1\r\n$3\r\nDEL\r", "27 10 35: Expected to read 5 bytes, got 4 bytes");
        check("*1\r\n$3\r\nDELxyz", "27 10 35: Expected \\r\\n, got: 7879");
        let range = "bytes, which is not in the suitable range";
        check("*1\r\n$-3\r\n", &format!("27 10 31: Expected to read string of -3 {range}"));
        check("*1\r\n$\r\n\r\n", "27 10 31: Expected the length of a string, got no number");
        check("*1\r\n$-0\r\n\r\n", "27 10 31: Expected the length of a string, got no number");
        let huge = format!("27 10 31: Expected to read string of {} {range}", i64::MAX);
        check("*1\r\n$99999999999999999999\r\n", &huge);
        check(
            "*1\r\n$99999999999\r\nx",
            "27 10 45: Expected to read 100000000001 bytes, got 1 bytes",
        );
    }

    #[test]
    fn a_transaction_counts_as_a_whole() {
        let (multi, set) = (command(&["MULTI"]), command(&["DEL", "a"]));
        let at = "27 16 59: Reached EOF before reading EXEC for MULTI";
        check(&(multi.clone() + &set), at);
        check(&(multi.clone() + &multi), "27 14 50: Unexpected MULTI in AOF x");
        check(&command(&["EXEC"]), "27 11 35: Unexpected EXEC in AOF x");
        check(&(multi + &set + "!"), "27 16 62: AOF x format error");
    }

    #[test]
    fn times_say_what_is_younger() {
        let at = |time: &str| format!("#TS:{time}\r\n") + &command(&["A"]);
        let log = at("100") + &at("200");
        let find = |until_s| find(log.as_bytes(), Some(until_s));
        assert_eq!(find(99), "0 1 younger");
        assert_eq!(find(100), "20 4 younger");
        assert_eq!(find(200), "40 7");
        let wrong = super::tests::find(at("2x").as_bytes(), Some(5));
        assert_eq!(wrong, "0 1 no time");
        // Within a transaction nothing can be cut.
        let inside = command(&["MULTI"]) + &log;
        assert_eq!(super::tests::find(inside.as_bytes(), Some(100)), "0 7 younger");
    }

    #[test]
    fn wherever_a_log_is_cut_or_changed_what_is_before_counts() {
        let parts = [command(&["SET", "k", "v"]), "#TS:12\r\n".to_owned(), command(&["A"])];
        let log = parts.concat().into_bytes();
        let ends = parts.iter().scan(0, |end, part| (*end += part.len(), Some(*end)).1);
        let ends: Vec<usize> = ends.collect();
        let mut rng = Rng::seeded(9);
        for cut in 0..=log.len() {
            let whole = ends.iter().copied().filter(|&end| end <= cut).max().unwrap_or(0);
            let text = find(&log[..cut], None);
            assert!(text.starts_with(&format!("{whole} ")), "{cut}: {text}");
            let mut changed = log.clone();
            if let Some(byte) = changed.get_mut(cut) {
                *byte = u8::try_from(rng.below_usize(256)).expect("a byte");
            }
            find(&changed, None); // whatever it finds
        }
    }
}
