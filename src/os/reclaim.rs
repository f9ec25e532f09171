//! The thread that frees what takes long to free.

use super::crash::AlternateStack;
use super::memory;
use std::any::Any;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Sender};
use std::thread;

type Garbage = Box<dyn Any + Send>;

/// Hands garbage to the thread.
#[derive(Debug)]
pub struct Reclaimer {
    sender: Sender<Garbage>,
    pending: Arc<AtomicU64>,
}

impl Reclaimer {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system has no thread to give.
    pub fn start() -> io::Result<Self> {
        let (sender, receiver) = mpsc::channel::<Garbage>();
        let pending = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&pending);
        thread::Builder::new().name("reclaim".to_owned()).spawn(move || {
            // Kept for a crash report; without one the thread still does its work.
            let _stack = AlternateStack::install();
            for garbage in receiver {
                drop(garbage);
                // Nothing is allocated here: what the thread keeps at hand serves nobody.
                memory::flush_thread_cache();
                memory::settle_thread();
                counter.fetch_sub(1, Ordering::Relaxed);
            }
        })?;
        Ok(Self { sender, pending })
    }

    /// Frees something soon.
    pub fn drop_later(&self, garbage: Garbage) {
        self.pending.fetch_add(1, Ordering::Relaxed);
        if let Err(unsent) = self.sender.send(garbage) {
            drop(unsent.0); // the thread is gone: free it here
            self.pending.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// How many things are still to be freed.
    pub fn pending(&self) -> u64 {
        self.pending.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    #[test]
    fn everything_is_freed_in_the_end() {
        let reclaimer = Reclaimer::start().expect("a thread");
        let witness = Arc::new(());
        for _ in 0..100 {
            reclaimer.drop_later(Box::new(Arc::clone(&witness)));
        }
        let deadline = Instant::now() + Duration::from_secs(20);
        while reclaimer.pending() > 0 {
            assert!(Instant::now() < deadline, "the thread is stuck");
            thread::yield_now();
        }
        assert_eq!(Arc::strong_count(&witness), 1);
    }
}
