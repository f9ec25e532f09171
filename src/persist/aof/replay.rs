//! Executing a log, command by command, and judging how it ends.
//!
//! A crash leaves a log that ends inside a command, or inside a transaction: what comes before counts,
//! the rest is cut off. Anything else that is wrong was not caused by a crash of the server, and is
//! refused unless the operator allows it and it is short.

use super::read::{Fault, Garbage, Item, Reader};
use crate::persist::Progress;
use crate::resp::Args;
use std::io::{self, Read};

/// Commands between two looks at the clock of progress.
const COMMANDS_PER_REPORT: u64 = 64;

/// Executes the commands of a log.
pub trait Execute {
    /// Why one cannot be executed.
    type Error;

    /// Executes one.
    ///
    /// # Errors
    /// Loading must stop.
    fn execute(&mut self, args: Args<'_>) -> Result<Unit, Self::Error>;
}

/// Whether the log may be cut behind a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// No transaction is open.
    Closed,
    /// A transaction is open: its commands count together or not at all.
    Open,
}

/// How a log ends.
#[derive(Debug)]
pub enum End {
    /// Between two commands.
    Clean,
    /// Inside a command.
    Torn,
    /// Inside a transaction.
    OpenUnit,
    /// In zeroes, as a file system may leave them after a loss of power.
    Zeroes(Garbage),
    /// In bytes that are no log.
    Garbage(Garbage),
    /// Somewhere: it cannot be read on.
    Unreadable(io::Error),
    /// Somewhere: loading was asked to stop.
    Cancelled,
}

/// What became of a log.
#[derive(Debug)]
pub struct Replayed {
    /// Where the last whole unit ends, bytes from the start of the file.
    pub valid_up_to: u64,
    /// Commands executed, those of an open transaction included.
    pub commands: u64,
    /// How the log ends.
    pub end: End,
}

/// Executes the commands of a log until it ends.
///
/// # Errors
/// A command cannot be executed.
pub fn replay<R: Read, E: Execute>(
    reader: &mut Reader<R>,
    executor: &mut E,
    progress: &Progress,
) -> Result<Replayed, E::Error> {
    let mut valid_up_to = reader.offset();
    let mut unit = Unit::Closed;
    let mut commands: u64 = 0;
    let mut reported = valid_up_to;
    let end = loop {
        match reader.read() {
            Ok(Item::Command(args)) => {
                unit = executor.execute(args)?;
                commands += 1;
            }
            Ok(Item::Timestamp(_) | Item::Comment) => {}
            Ok(Item::End) => {
                break match unit {
                    Unit::Closed => End::Clean,
                    Unit::Open => End::OpenUnit,
                };
            }
            Err(fault) => break end_of(fault, reader),
        }
        let offset = reader.offset();
        if unit == Unit::Closed {
            valid_up_to = offset;
        }
        if commands.is_multiple_of(COMMANDS_PER_REPORT) {
            progress.add_bytes(offset - reported);
            reported = offset;
            if progress.is_cancelled() {
                break End::Cancelled;
            }
        }
    };
    progress.add_bytes(reader.offset().saturating_sub(reported));
    Ok(Replayed { valid_up_to, commands, end })
}

fn end_of<R: Read>(fault: Fault, reader: &mut Reader<R>) -> End {
    match fault {
        Fault::Torn => End::Torn,
        Fault::Io(error) => End::Unreadable(error),
        // They may begin inside a command, and inside an argument: where a page does.
        Fault::Garbage(garbage) if garbage.found == 0 => {
            match reader.is_zero_from(garbage.offset) {
                Ok(true) => End::Zeroes(garbage),
                Ok(false) => End::Garbage(garbage),
                Err(error) => End::Unreadable(error),
            }
        }
        Fault::Garbage(garbage) => End::Garbage(garbage),
    }
}

/// Whether a log may follow another: only the end of the last can have been torn by a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Position {
    /// Others follow.
    Inner,
    /// It is the last.
    Last,
}

/// What the operator allows.
#[derive(Clone, Copy, Debug)]
pub struct Tolerance {
    /// `aof-load-truncated`: whether a torn end is cut off.
    pub torn: Torn,
    /// `aof-load-corrupt-tail-max-size`: how many bytes at the end may be garbage, to be cut off; 0
    /// allows none.
    pub garbage_bytes_max: u64,
}

/// What becomes of a torn end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Torn {
    /// It is cut off.
    CutOff,
    /// The log is refused.
    Refused,
}

/// What is to become of a log.
#[derive(Debug)]
pub enum Verdict {
    /// It is whole.
    Good,
    /// It is to be cut at this offset, and is then good.
    Cut {
        /// Where.
        at: u64,
        /// What is cut off.
        tail: Tail,
    },
    /// It is refused.
    Refused(Refusal),
}

/// What is at the end of a log that is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tail {
    /// The beginning of a command or of a transaction.
    Torn,
    /// Zeroes.
    Zeroes,
    /// Something else.
    Garbage,
}

/// Why a log is refused.
#[derive(Debug)]
pub enum Refusal {
    /// It ends early.
    Torn,
    /// It is no log from here on.
    Garbage(Garbage),
    /// It cannot be read.
    Unreadable(io::Error),
    /// Loading was asked to stop.
    Cancelled,
}

/// Judges a log of `len` bytes.
pub fn judge(replayed: Replayed, len: u64, tolerance: Tolerance) -> Verdict {
    let at = replayed.valid_up_to;
    let is_short = len.saturating_sub(at) <= tolerance.garbage_bytes_max;
    match replayed.end {
        End::Clean => Verdict::Good,
        End::Torn | End::OpenUnit => match tolerance.torn {
            Torn::CutOff => Verdict::Cut { at, tail: Tail::Torn },
            Torn::Refused => Verdict::Refused(Refusal::Torn),
        },
        // A loss of power leaves them where a file had grown and its data were on their way: torn, too.
        End::Zeroes(_) if is_short || tolerance.torn == Torn::CutOff => {
            Verdict::Cut { at, tail: Tail::Zeroes }
        }
        End::Garbage(_) if is_short => Verdict::Cut { at, tail: Tail::Garbage },
        End::Zeroes(garbage) | End::Garbage(garbage) => Verdict::Refused(Refusal::Garbage(garbage)),
        End::Unreadable(error) => Verdict::Refused(Refusal::Unreadable(error)),
        End::Cancelled => Verdict::Refused(Refusal::Cancelled),
    }
}

impl Tolerance {
    /// What a configuration allows.
    pub fn of(config: &crate::config::Config) -> Self {
        let torn = if config.aof_load_truncated { Torn::CutOff } else { Torn::Refused };
        Self { torn, garbage_bytes_max: config.aof_load_corrupt_tail_max_size }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::num;

    /// Notes the names of commands; `MULTI` and `EXEC` open and close units, `BAD` stops.
    #[derive(Default)]
    struct Recorder {
        names: Vec<String>,
        is_open: bool,
    }

    impl Execute for Recorder {
        type Error = String;

        fn execute(&mut self, args: Args<'_>) -> Result<Unit, String> {
            let name = String::from_utf8_lossy(args.at(0)).into_owned();
            match name.as_str() {
                "BAD" => return Err(name),
                "MULTI" => self.is_open = true,
                "EXEC" => self.is_open = false,
                _ => {}
            }
            self.names.push(name);
            Ok(if self.is_open { Unit::Open } else { Unit::Closed })
        }
    }

    const fn tolerance(torn: Torn, garbage_bytes_max: u64) -> Tolerance {
        Tolerance { torn, garbage_bytes_max }
    }

    fn log(names: &[&str]) -> Vec<u8> {
        let commands = names.iter().map(|name| format!("*1\r\n${}\r\n{name}\r\n", name.len()));
        commands.collect::<String>().into_bytes()
    }

    fn run(bytes: &[u8]) -> Replayed {
        let mut reader = Reader::new(bytes, 0);
        let progress = Progress::default();
        replay(&mut reader, &mut Recorder::default(), &progress).expect("nothing bad")
    }

    #[track_caller]
    fn check(bytes: &[u8], tolerance: Tolerance, expected: &str) {
        let verdict = match judge(run(bytes), num::u64_of(bytes.len()), tolerance) {
            Verdict::Good => "good".to_owned(),
            Verdict::Cut { at, tail } => format!("cut {tail:?} at {at}"),
            Verdict::Refused(Refusal::Garbage(garbage)) => format!("garbage at {}", garbage.offset),
            Verdict::Refused(Refusal::Torn) => "torn".to_owned(),
            Verdict::Refused(other) => format!("{other:?}"),
        };
        assert_eq!(verdict, expected, "{}", bytes.escape_ascii());
    }

    #[test]
    fn a_torn_end_is_cut_off_if_that_is_allowed() {
        let whole = log(&["A", "B"]);
        let strict = tolerance(Torn::Refused, 1 << 20);
        check(&whole, strict, "good");
        check(b"", strict, "good");
        for cut in 12..21 {
            check(&whole[..cut], tolerance(Torn::CutOff, 0), "cut Torn at 11");
            check(&whole[..cut], strict, "torn");
        }
    }

    #[test]
    fn a_transaction_that_is_not_finished_is_cut_off_as_a_whole() {
        let whole = log(&["A", "MULTI", "B", "C", "EXEC", "D"]);
        for cut in 12..whole.len() - 11 {
            check(&whole[..cut], tolerance(Torn::CutOff, 0), "cut Torn at 11");
        }
        let end = whole.len() - 11;
        check(&whole[..end], tolerance(Torn::CutOff, 0), "good");
        check(&whole[..end + 1], tolerance(Torn::CutOff, 0), &format!("cut Torn at {end}"));
        check(&log(&["MULTI"]), tolerance(Torn::Refused, 0), "torn");
    }

    #[test]
    fn zeroes_to_the_end_are_torn_wherever_they_begin() {
        let whole = log(&["A", "COMMAND"]);
        for cut in 11..whole.len() - 1 {
            let zeroed = [&whole[..cut], &[0; 5000]].concat();
            check(&zeroed, tolerance(Torn::CutOff, 0), "cut Zeroes at 11");
            let more = [&zeroed[..], b"x"].concat();
            let verdict = judge(run(&more), num::u64_of(more.len()), tolerance(Torn::CutOff, 0));
            assert!(matches!(verdict, Verdict::Refused(_)), "{cut}: {verdict:?}");
        }
    }

    #[test]
    fn garbage_is_cut_off_only_if_it_is_as_short_as_is_allowed() {
        let with_tail = |tail: &[u8]| [&log(&["A"])[..], tail].concat();
        check(&with_tail(b"!!!"), tolerance(Torn::CutOff, 0), "garbage at 11");
        check(&with_tail(b"!!!"), tolerance(Torn::CutOff, 2), "garbage at 11");
        check(&with_tail(b"!!!"), tolerance(Torn::CutOff, 3), "cut Garbage at 11");
        check(&with_tail(&[0; 100]), tolerance(Torn::Refused, 99), "garbage at 11");
        check(&with_tail(&[0; 100]), tolerance(Torn::Refused, 100), "cut Zeroes at 11");
        let inside = log(&["MULTI", "B"]);
        let inside = [&with_tail(&inside)[..], b"!"].concat();
        check(&inside, tolerance(Torn::CutOff, 100), "cut Garbage at 11");
        check(&inside, tolerance(Torn::CutOff, 0), "garbage at 37");
    }

    #[test]
    fn a_command_that_cannot_be_executed_ends_it() {
        let bytes = log(&["A", "BAD", "B"]);
        let mut recorder = Recorder::default();
        let mut reader = Reader::new(&bytes[..], 0);
        let result = replay(&mut reader, &mut recorder, &Progress::default());
        assert_eq!(result.map(|_| ()), Err("BAD".to_owned()));
        assert_eq!(recorder.names, ["A"]);
    }

    #[test]
    fn bytes_are_counted_and_loading_can_be_stopped() {
        let bytes = log(&vec!["A"; 1000]);
        let progress = Progress::default();
        let mut reader = Reader::new(&bytes[..], 0);
        let all = replay(&mut reader, &mut Recorder::default(), &progress).expect("nothing bad");
        assert_eq!((all.commands, progress.bytes()), (1000, num::u64_of(bytes.len())));
        progress.cancel();
        let mut reader = Reader::new(&bytes[..], 0);
        let some = replay(&mut reader, &mut Recorder::default(), &progress).expect("nothing bad");
        assert!(matches!(some.end, End::Cancelled) && some.commands < 1000);
    }
}
