//! Counts of a run, which runs side by side add up.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// Complaints told in full.
const COMPLAINTS_MAX: u64 = 8;
/// The figure that counts what must not be.
const BAD: &str = "complaints";
/// In front of a figure of which the largest counts.
const LONGEST: &str = "longest";

/// Figures by what they count.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    figures: BTreeMap<String, u64>,
    voice: Voice,
}

/// Whether complaints are printed.
#[derive(Debug, Default, PartialEq)]
enum Voice {
    #[default]
    Loud,
    Silent,
}

impl Tally {
    /// One whose complaints are expected.
    pub(crate) fn silent() -> Tally {
        Tally { voice: Voice::Silent, ..Tally::default() }
    }

    pub(crate) fn add(&mut self, what: &str, count: usize) {
        *self.figures.entry(what.to_owned()).or_default() +=
            u64::try_from(count).unwrap_or(u64::MAX);
    }

    pub(crate) fn longest(&mut self, what: &str, time: Duration) {
        let ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let longest = self.figures.entry(format!("{LONGEST}: {what}")).or_default();
        *longest = ms.max(*longest);
    }

    pub(crate) fn complain(&mut self, text: String) {
        self.add(BAD, 1);
        if self.voice == Voice::Loud && self.complaints() <= COMPLAINTS_MAX {
            println!("partitions: BAD: {text}");
        }
    }

    pub(crate) fn complaints(&self) -> u64 {
        self.figures.get(BAD).copied().unwrap_or(0)
    }

    /// Adds a figure that another process has printed; whether the line is one.
    pub(crate) fn read(&mut self, line: &str) -> bool {
        let Some((what, number)) = line.rsplit_once('\t') else { return false };
        let Ok(number) = number.parse::<u64>() else { return false };
        let figure = self.figures.entry(what.to_owned()).or_default();
        *figure = if what.starts_with(LONGEST) { number.max(*figure) } else { *figure + number };
        true
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.figures.iter().try_for_each(|(what, number)| writeln!(out, "{what}\t{number}"))
    }
}
