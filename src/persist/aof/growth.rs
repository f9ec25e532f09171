//! When the append-only file is rewritten by itself: when it has grown enough, and not too often after
//! rewrites that failed.

use crate::base::num;

/// So many failed rewrites in a row are tried again at once.
const FREE_FAILURES: u64 = 3;
/// The longest wait between two tries, minutes.
const WAIT_MINUTES_MAX: i64 = 60;

/// Whether a rewrite may begin by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// Yes.
    Granted,
    /// Not now.
    Denied,
    /// Not for so many minutes, beginning now: worth a line in the log.
    DeniedFor {
        /// How many.
        minutes: i64,
    },
}

/// Sizes, and how rewrites went.
#[derive(Clone, Copy, Debug, Default)]
pub struct Growth {
    /// Bytes of all files.
    pub current_bytes: u64,
    /// Bytes of all files after the last rewrite.
    pub base_bytes: u64,
    /// Rewrites that failed since one succeeded.
    pub failures: u64,
    wait_minutes: i64,
    next_try_s: Option<i64>,
}

impl Growth {
    /// By how many percent the files have grown, if that is enough for a rewrite.
    pub fn wants_rewrite(&self, percentage: u32, min_bytes: u64) -> Option<u64> {
        if percentage == 0 || self.current_bytes <= min_bytes {
            return None;
        }
        let base = u128::from(self.base_bytes.max(1));
        let grown = (u128::from(self.current_bytes) * 100 / base).saturating_sub(100);
        (grown >= u128::from(percentage)).then(|| num::low_u64(grown))
    }

    /// Whether a rewrite may begin by itself. `now_s` is Unix time.
    pub fn may_rewrite(&mut self, now_s: i64) -> Permission {
        if self.failures < FREE_FAILURES {
            self.wait_minutes = 0;
            self.next_try_s = None;
            return Permission::Granted;
        }
        if let Some(next_try_s) = self.next_try_s {
            if now_s < next_try_s {
                return Permission::Denied;
            }
            self.next_try_s = None;
            return Permission::Granted;
        }
        self.wait_minutes = (self.wait_minutes * 2).clamp(1, WAIT_MINUTES_MAX);
        self.next_try_s = Some(now_s + self.wait_minutes * 60);
        Permission::DeniedFor { minutes: self.wait_minutes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_is_counted_from_the_last_rewrite() {
        let check = |current_bytes, base_bytes, percentage, min_bytes| {
            let growth = Growth { current_bytes, base_bytes, ..Growth::default() };
            growth.wants_rewrite(percentage, min_bytes)
        };
        assert_eq!(check(200, 100, 100, 50), Some(100));
        assert_eq!(check(199, 100, 100, 50), None);
        assert_eq!(check(200, 100, 100, 200), None);
        assert_eq!(check(200, 100, 0, 50), None);
        assert_eq!(check(60, 0, 1, 50), Some(5900));
        assert_eq!(check(50, 100, 1, 0), None);
        assert_eq!(
            check(u64::MAX, 1, 100, 0),
            Some(num::low_u64(u128::from(u64::MAX) * 100 - 100))
        );
    }

    #[test]
    fn rewrites_that_keep_failing_are_tried_less_and_less_often() {
        let mut growth = Growth { failures: 2, ..Growth::default() };
        assert_eq!(growth.may_rewrite(0), Permission::Granted);
        growth.failures = 3;
        let mut now_s = 0;
        for minutes in [1, 2, 4, 8, 16, 32, 60, 60] {
            assert_eq!(growth.may_rewrite(now_s), Permission::DeniedFor { minutes });
            assert_eq!(growth.may_rewrite(now_s + minutes * 60 - 1), Permission::Denied);
            now_s += minutes * 60;
            assert_eq!(growth.may_rewrite(now_s), Permission::Granted);
        }
        growth.failures = 0;
        assert_eq!(growth.may_rewrite(now_s), Permission::Granted);
        growth.failures = 3;
        assert_eq!(growth.may_rewrite(now_s), Permission::DeniedFor { minutes: 1 });
    }
}
