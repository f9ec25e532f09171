//! The file of older bytes of the stream ([`crate::repl::Spill`]): a thread writes and reads it.
//!
//! The file loses its name as soon as it is open: its bytes are worth nothing to another process, and go when this
//! one ends, however it does.

use super::crash::AlternateStack;
use super::errno;
use crate::repl::{Answer, SpillFile};
use mio::Waker;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

/// Something to do.
#[derive(Debug)]
enum Job {
    Write { at: u64, bytes: Arc<Vec<u8>> },
    Read { at: u64, len: usize },
}

/// The file, and the thread that has it.
#[derive(Debug)]
pub struct NamelessFile {
    jobs: Sender<Job>,
    answers: Receiver<Answer>,
}

impl NamelessFile {
    /// Makes the file in a folder. `waker` ends the reactor's wait when there is something to tell.
    ///
    /// # Errors
    /// It cannot be made, or the system has no thread to give: a sentence for the log.
    pub fn create(dir: &Path, waker: Arc<Waker>) -> Result<Self, String> {
        let path = dir.join(format!("temp-backlog-{}.spill", std::process::id()));
        let shown = path.display();
        let failed = |error: io::Error| format!("{shown}: {}", errno::text(&error));
        let file = File::options().read(true).write(true).create_new(true).open(&path);
        let file = file.map_err(failed)?;
        fs::remove_file(&path).map_err(failed)?;
        let (jobs, received) = mpsc::channel();
        let (sender, answers) = mpsc::channel();
        let work = move || {
            // Kept for a crash report; without one the thread still does its work.
            let _stack = AlternateStack::install();
            for job in received {
                // Nobody waits for it any more if the backlog was given up.
                let _ = sender.send(answer(&file, &job));
                drop(job);
                // The reactor would find out by itself, a little later.
                let _ = waker.wake();
            }
        };
        let thread = thread::Builder::new().name("spill".to_owned()).spawn(work);
        thread.map_err(|error| format!("Can't start a thread: {}", errno::text(&error)))?;
        Ok(Self { jobs, answers })
    }
}

fn answer(file: &File, job: &Job) -> Answer {
    match job {
        Job::Write { at, bytes } => {
            let result = file.write_all_at(bytes, *at);
            Answer::Written(result.map_err(|error| errno::text(&error)))
        }
        Job::Read { at, len } => {
            let mut bytes = vec![0; *len];
            let result = file.read_exact_at(&mut bytes, *at);
            Answer::Read(result.map(|()| bytes).map_err(|error| errno::text(&error)))
        }
    }
}

impl SpillFile for NamelessFile {
    fn write(&mut self, at: u64, bytes: Arc<Vec<u8>>) {
        // The thread ends only with this side of the channel.
        let _ = self.jobs.send(Job::Write { at, bytes });
    }

    fn read(&mut self, at: u64, len: usize) {
        let _ = self.jobs.send(Job::Read { at, len });
    }

    fn poll(&mut self) -> Option<Answer> {
        self.answers.try_recv().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mio::{Poll, Token};
    use std::time::{Duration, Instant};

    fn wait(file: &mut NamelessFile) -> Answer {
        let limit = Instant::now() + Duration::from_secs(20);
        loop {
            match file.poll() {
                Some(answer) => return answer,
                None if Instant::now() > limit => panic!("the thread does not answer"),
                None => thread::sleep(Duration::from_millis(1)),
            }
        }
    }

    #[test]
    fn what_was_written_is_read_and_no_name_is_left() {
        let dir = tempfile::tempdir().expect("a folder");
        let poll = Poll::new().expect("a poll");
        let waker = Arc::new(Waker::new(poll.registry(), Token(0)).expect("a waker"));
        let mut file = NamelessFile::create(dir.path(), Arc::clone(&waker)).expect("a file");
        assert_eq!(fs::read_dir(dir.path()).expect("it is there").count(), 0);
        file.write(1 << 20, Arc::new(b"later".to_vec()));
        file.write(0, Arc::new(b"first".to_vec()));
        file.read(1 << 20, 5);
        file.read(2 << 20, 5);
        assert!(matches!(wait(&mut file), Answer::Written(Ok(()))));
        assert!(matches!(wait(&mut file), Answer::Written(Ok(()))));
        assert!(matches!(wait(&mut file), Answer::Read(Ok(bytes)) if bytes == b"later"));
        assert!(matches!(wait(&mut file), Answer::Read(Err(_))), "there is nothing");
        let missing = NamelessFile::create(&dir.path().join("nothing"), waker);
        let reason = missing.expect_err("there is no such folder");
        assert!(reason.ends_with(".spill: No such file or directory"), "{reason}");
    }
}
