//! The kernel's readiness to kill this process when memory runs out: `oom-score-adj`.
//!
//! A primary should outlive its replicas on the same machine, and both their children that save.
//! So each class of process has a score of its own, which is set when the class is known and again
//! when it changes.

use std::fs;
use std::io;
use std::path::PathBuf;

use tracing::warn;

use super::errno;

/// What the scores mean; the directive `oom-score-adj`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OomMode {
    /// Nothing: the score stays, or returns to, what it was at the start.
    No,
    /// They are added to what it was (`yes` and `relative`).
    Relative,
    /// They replace it.
    Absolute,
}

/// Which of the scores applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProcessClass {
    /// A primary.
    Primary,
    /// A replica.
    Replica,
    /// A child that saves.
    Child,
}

/// The scores; the directive `oom-score-adj-values`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OomScores {
    /// Of a [`ProcessClass::Primary`].
    pub primary: i32,
    /// Of a [`ProcessClass::Replica`].
    pub replica: i32,
    /// Of a [`ProcessClass::Child`].
    pub child: i32,
}

impl OomScores {
    fn of(&self, class: ProcessClass) -> i32 {
        match class {
            ProcessClass::Primary => self.primary,
            ProcessClass::Replica => self.replica,
            ProcessClass::Child => self.child,
        }
    }
}

/// Sets the score and remembers what it was before.
#[derive(Clone, Debug)]
pub struct OomAdjuster {
    path: PathBuf,
    /// The score before we changed it; `None` while it is not ours.
    base: Option<i32>,
}

impl Default for OomAdjuster {
    fn default() -> OomAdjuster {
        OomAdjuster::new()
    }
}

impl OomAdjuster {
    /// For the calling process; a forked child uses its copy for itself.
    #[must_use]
    pub fn new() -> OomAdjuster {
        OomAdjuster { path: PathBuf::from("/proc/self/oom_score_adj"), base: None }
    }

    /// Sets the score of `class`. On a failure it is logged, and the score is what it was.
    ///
    /// # Errors
    /// Mostly for lack of privilege: only root may lower a score.
    pub fn apply(
        &mut self,
        mode: OomMode,
        scores: OomScores,
        class: ProcessClass,
    ) -> io::Result<()> {
        let result = self.try_apply(mode, scores, class);
        if let Err(error) = &result {
            warn!("Unable to write oom_score_adj: {}", errno::text(error));
        }
        result
    }

    fn try_apply(
        &mut self,
        mode: OomMode,
        scores: OomScores,
        class: ProcessClass,
    ) -> io::Result<()> {
        let Some(base) = self.base.or(match mode {
            OomMode::No => None,
            OomMode::Relative | OomMode::Absolute => Some(self.read()?),
        }) else {
            return Ok(()); // never ours, and not to be
        };
        let (score, base_after) = match mode {
            OomMode::No => (base, None),
            OomMode::Relative => (base.saturating_add(scores.of(class)), Some(base)),
            OomMode::Absolute => (scores.of(class), Some(base)),
        };
        fs::write(&self.path, score.clamp(-1000, 1000).to_string())?;
        self.base = base_after;
        Ok(())
    }

    fn read(&self) -> io::Result<i32> {
        let text = fs::read_to_string(&self.path)?;
        text.trim().parse().map_err(|_| io::ErrorKind::InvalidData.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCORES: OomScores = OomScores { primary: 10, replica: 20, child: 30 };

    #[test]
    fn scores_are_set_and_the_base_returns() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut adjuster = OomAdjuster { path: file.path().to_owned(), base: None };
        let set = |score: &str| fs::write(file.path(), score).unwrap();
        let mut check = |mode, class, expected: &str| {
            adjuster.apply(mode, SCORES, class).unwrap();
            assert_eq!(fs::read_to_string(file.path()).unwrap().trim(), expected);
        };
        set("7\n");
        check(OomMode::No, ProcessClass::Primary, "7");
        check(OomMode::Relative, ProcessClass::Primary, "17");
        check(OomMode::Relative, ProcessClass::Replica, "27");
        check(OomMode::Absolute, ProcessClass::Child, "30");
        check(OomMode::No, ProcessClass::Primary, "7");
        // Someone else changed it while it was not ours: that is the new base.
        set("22\n");
        check(OomMode::No, ProcessClass::Primary, "22");
        check(OomMode::Relative, ProcessClass::Primary, "32");
        check(OomMode::No, ProcessClass::Primary, "22");
        set("-995");
        check(OomMode::Relative, ProcessClass::Primary, "-985");
    }

    #[test]
    fn the_score_stays_within_the_kernels_bounds() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "990").unwrap();
        let mut adjuster = OomAdjuster { path: file.path().to_owned(), base: None };
        adjuster.apply(OomMode::Relative, SCORES, ProcessClass::Child).unwrap();
        assert_eq!(fs::read_to_string(file.path()).unwrap(), "1000");
    }

    #[test]
    fn a_refusal_changes_nothing() {
        let mut adjuster = OomAdjuster { path: PathBuf::from("/nonexistent/score"), base: None };
        adjuster.apply(OomMode::No, SCORES, ProcessClass::Primary).unwrap();
        adjuster.apply(OomMode::Relative, SCORES, ProcessClass::Primary).unwrap_err();
        assert_eq!(adjuster.base, None);
    }
}
