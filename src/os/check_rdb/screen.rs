//! Lines on the standard output, and a progress bar on a terminal that they do not run into.

use super::super::clock;
use crate::base::num;
use crate::base::units::human_size;
use crate::persist::Progress;
use std::io::{IsTerminal, Write, stderr, stdout};
use std::sync::{Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

/// How often the bar is drawn.
const PERIOD: Duration = Duration::from_millis(100);
/// Characters of the bar.
const WIDTH: u64 = 30;
/// Moves the cursor to the line's begin and erases the line.
const ERASE: &str = "\r\x1b[K";

/// What is on the screen.
#[derive(Debug, PartialEq, Eq)]
enum Bar {
    /// No bar is drawn: nobody would see it.
    Never,
    /// None is there at the moment.
    Hidden,
    /// One is there.
    Drawn,
}

/// Where the tool writes to.
pub(in crate::os) struct Screen {
    bar: Mutex<Bar>,
}

impl Screen {
    /// The standard output, and a bar if the standard error is a terminal.
    pub(in crate::os) fn of_process() -> Self {
        let bar = if stderr().is_terminal() { Bar::Hidden } else { Bar::Never };
        Self { bar: Mutex::new(bar) }
    }

    fn lock(&self) -> MutexGuard<'_, Bar> {
        self.bar.lock().expect("whoever draws does not panic")
    }

    /// Prints a line. Who closes the standard output misses it, and still gets the exit status.
    pub(in crate::os) fn line(&self, text: &str) {
        let mut bar = self.lock();
        erase(&mut bar);
        drop(writeln!(stdout(), "{text}"));
    }

    /// Prints a question, whose answer is typed behind it.
    pub(in crate::os) fn ask(&self, text: &str) {
        let mut bar = self.lock();
        erase(&mut bar);
        drop(write!(stdout(), "{text}").and_then(|()| stdout().flush()));
    }

    fn draw(&self, text: &str) {
        let mut bar = self.lock();
        drop(write!(stderr(), "{ERASE}{text}"));
        *bar = Bar::Drawn;
    }
}

fn erase(bar: &mut Bar) {
    if *bar == Bar::Drawn {
        drop(write!(stderr(), "{ERASE}"));
        *bar = Bar::Hidden;
    }
}

/// Does the work, of `size` bytes, while a bar shows how far it is.
pub(super) fn with_bar<T>(
    screen: &Screen,
    progress: &Progress,
    size: u64,
    work: impl FnOnce() -> T,
) -> T {
    if *screen.lock() == Bar::Never {
        return work();
    }
    let (is_done, wake) = (Mutex::new(false), Condvar::new());
    thread::scope(|scope| {
        scope.spawn(|| {
            let start = clock::monotonic_ns();
            let mut done = is_done.lock().expect("nothing panics under this lock");
            while !*done {
                let waited = wake.wait_timeout(done, PERIOD);
                done = waited.expect("nothing panics under this lock").0;
                if !*done {
                    let elapsed = Duration::from_nanos(clock::monotonic_ns() - start);
                    screen.draw(&text(progress, size, elapsed));
                }
            }
            erase(&mut screen.lock());
        });
        let result = work();
        *is_done.lock().expect("nothing panics under this lock") = true;
        wake.notify_one();
        result
    })
}

fn text(progress: &Progress, size: u64, elapsed: Duration) -> String {
    let (bytes, keys) = (progress.bytes().min(size), progress.keys());
    let part = |of: u64| num::u64_truncated(num::ratio(bytes, size.max(1)) * num::f64_of_u64(of));
    let filled = num::usize_of(part(WIDTH));
    let empty = num::usize_of(WIDTH) - filled;
    let rate = num::u64_truncated(num::f64_of_u64(bytes) / elapsed.as_secs_f64().max(1e-3));
    format!(
        "[{}{}] {:>3} %  {} of {}, {}/s, {keys} keys",
        "#".repeat(filled),
        ".".repeat(empty),
        part(100),
        human_size(bytes),
        human_size(size),
        human_size(rate)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_fills() {
        let progress = Progress::new();
        let at = |progress: &Progress| text(progress, 2048, Duration::from_secs(2));
        assert_eq!(at(&progress), format!("[{}]   0 %  0B of 2.00K, 0B/s, 0 keys", ".".repeat(30)));
        progress.add_bytes(1024);
        progress.add_keys(7);
        let half = format!("[{}{}]", "#".repeat(15), ".".repeat(15));
        assert_eq!(at(&progress), format!("{half}  50 %  1.00K of 2.00K, 512B/s, 7 keys"));
        progress.add_bytes(5000); // the file has grown meanwhile
        assert!(at(&progress).starts_with(&format!("[{}] 100 %", "#".repeat(30))));
    }
}
