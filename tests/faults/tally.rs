//! Counts of a run, in words that can be quoted.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::fleet::Verdict;

/// Complaints told in full.
const COMPLAINTS_MAX: usize = 8;

/// What happened in the cycles of one program.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) cycles: u64,
    pub(crate) acknowledged: u64,
    pub(crate) lost: u64,
    pub(crate) unacknowledged_kept: u64,
    /// Cycles in which something was wrong.
    pub(crate) bad_cycles: u64,
    /// How often each kind of thing happened, by group and name.
    kinds: BTreeMap<(&'static str, String), u64>,
    /// The longest time of each kind that was measured.
    longest: BTreeMap<&'static str, Duration>,
    complaints: Vec<String>,
}

impl Tally {
    pub(crate) fn note(&mut self, group: &'static str, name: impl Into<String>) {
        *self.kinds.entry((group, name.into())).or_default() += 1;
    }

    pub(crate) fn note_time(&mut self, what: &'static str, time: Duration) {
        let longest = self.longest.entry(what).or_default();
        *longest = time.max(*longest);
    }

    /// Tells of something that must not be; the cycle counts as bad once.
    pub(crate) fn complain(&mut self, text: String) {
        self.bad_cycles += 1;
        if self.complaints.len() < COMPLAINTS_MAX {
            println!("faults: BAD: {text}");
        }
        self.complaints.push(text);
    }

    pub(crate) fn judge(&mut self, verdict: &Verdict) {
        self.lost += verdict.lost;
        self.unacknowledged_kept += verdict.unacknowledged_kept;
    }

    pub(crate) fn merge(&mut self, other: Tally) {
        self.cycles += other.cycles;
        self.acknowledged += other.acknowledged;
        self.lost += other.lost;
        self.unacknowledged_kept += other.unacknowledged_kept;
        self.bad_cycles += other.bad_cycles;
        for (kind, count) in other.kinds {
            *self.kinds.entry(kind).or_default() += count;
        }
        for (what, time) in other.longest {
            self.note_time(what, time);
        }
        self.complaints.extend(other.complaints);
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "{} cycles ({} bad), {} acknowledged writes, {} lost, {} unacknowledged found",
            self.cycles, self.bad_cycles, self.acknowledged, self.lost, self.unacknowledged_kept
        )?;
        let mut last = "";
        for ((group, name), count) in &self.kinds {
            if *group != last {
                write!(out, "\n  {group}:")?;
                last = group;
            }
            write!(out, " {name} {count};")?;
        }
        for (what, time) in &self.longest {
            write!(out, "\n  longest {what}: {} ms", time.as_millis())?;
        }
        Ok(())
    }
}
