//! How far a load or a save has come, seen from another thread or process.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Counters that a load or a save raises while it runs. The one who started it may read them at any
/// time, and may ask it to stop.
///
/// Each number stands alone, so all of it is relaxed: a reader may see one counter newer than another.
#[derive(Debug, Default)]
pub struct Progress {
    bytes: AtomicU64,
    keys: AtomicU64,
    cancelled: AtomicBool,
}

impl Progress {
    /// Nothing done yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            bytes: AtomicU64::new(0),
            keys: AtomicU64::new(0),
            cancelled: AtomicBool::new(false),
        }
    }

    /// Bytes read or written.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Keys read or written.
    pub fn keys(&self) -> u64 {
        self.keys.load(Ordering::Relaxed)
    }

    /// Whether somebody asked to stop.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    /// Begins anew.
    pub fn reset(&self) {
        self.bytes.store(0, Ordering::Relaxed);
        self.keys.store(0, Ordering::Relaxed);
        self.cancelled.store(false, Ordering::Relaxed);
    }

    /// Counts bytes.
    pub fn add_bytes(&self, count: u64) {
        self.bytes.fetch_add(count, Ordering::Relaxed);
    }

    /// Counts keys.
    pub fn add_keys(&self, count: u64) {
        self.keys.fetch_add(count, Ordering::Relaxed);
    }

    /// Asks to stop: what runs ends with an error soon.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_seen_from_another_thread() {
        let progress = Progress::new();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                progress.add_bytes(10);
                progress.add_bytes(5);
                progress.add_keys(1);
                progress.cancel();
            });
        });
        assert_eq!((progress.bytes(), progress.keys()), (15, 1));
        assert!(progress.is_cancelled());
    }
}
