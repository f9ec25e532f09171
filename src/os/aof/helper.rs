//! Who waits for the disk in the server's stead: fsync once a second, and closing files, which takes long if
//! they have no name any more. One thing after the other.

use super::disk::{Disk, uninterrupted};
use crate::os::crash::AlternateStack;
use crate::os::errno;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

/// Works for the append-only file while the server goes on.
pub trait Helper<F>: fmt::Debug {
    /// Brings what is written to disk. The file is closed afterwards if nobody else holds it.
    fn sync(&self, file: Arc<F>, written: u64);
    /// Closes a file.
    fn close(&self, file: F);
    /// The next fsync that has ended.
    fn poll(&self) -> Option<Synced>;
}

/// Something to do.
enum Job<D: Disk> {
    Sync { file: Arc<D::File>, written: u64 },
    Close(Arc<D::File>),
}

/// The end of an fsync.
#[derive(Debug)]
pub struct Synced {
    /// The position that was given with it.
    pub written: u64,
    /// Whether it succeeded; if not, why.
    pub result: Result<(), String>,
}

/// Called on the helper's thread when an fsync has ended.
pub type Notify = Box<dyn Fn() + Send>;

/// A thread that does the work.
pub struct Thread<D: Disk> {
    jobs: Sender<Job<D>>,
    ended: Receiver<Synced>,
}

impl<D: Disk> fmt::Debug for Thread<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Thread").finish_non_exhaustive()
    }
}

impl<D: Disk + Send + Sync> Thread<D>
where
    D::File: Send + Sync,
{
    /// Starts the thread. `notify` is called on it when there is something for [`Helper::poll`].
    ///
    /// # Errors
    /// The system has no thread to give.
    pub fn start(disk: Arc<D>, notify: Notify) -> io::Result<Self> {
        let (jobs, received) = mpsc::channel::<Job<D>>();
        let (results, ended) = mpsc::channel();
        thread::Builder::new().name("aof".to_owned()).spawn(move || {
            // Kept for a crash report; without one the thread still does its work.
            let _stack = AlternateStack::install();
            for job in received {
                match job {
                    Job::Sync { file, written } => {
                        let result = uninterrupted(|| disk.sync(&file));
                        let result = result.map_err(|error| errno::text(&error));
                        // Without a receiver the log is closed, and nobody asks.
                        let _ = results.send(Synced { written, result });
                        notify();
                    }
                    Job::Close(file) => drop(file),
                }
            }
        })?;
        Ok(Self { jobs, ended })
    }

    /// Waits for the next fsync to end.
    #[cfg(test)]
    pub(super) fn wait(&self) -> Synced {
        let limit = std::time::Duration::from_secs(20);
        self.ended.recv_timeout(limit).expect("the thread answers")
    }
}

impl<D: Disk> Helper<D::File> for Thread<D> {
    fn sync(&self, file: Arc<D::File>, written: u64) {
        // The thread ends only with this side of the channel.
        let _ = self.jobs.send(Job::Sync { file, written });
    }

    fn close(&self, file: D::File) {
        let _ = self.jobs.send(Job::Close(Arc::new(file)));
    }

    fn poll(&self) -> Option<Synced> {
        self.ended.try_recv().ok()
    }
}
