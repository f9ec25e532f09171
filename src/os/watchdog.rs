//! The watchdog: the log says where the reactor is when a turn takes longer than `watchdog-period`.
//!
//! A timer of the system's runs during each turn of the reactor, not while that waits for input; when it
//! rings, a signal's handler writes the addresses of the calls that are under way. They are all that it may
//! find out: whatever it interrupts may be holding the heap. `addr2line -Cfe program address` names them.
//! Without a period a turn costs two reads of a number.

use super::crash;
use super::log;
use super::log::sink::FdWriter;
use super::signal::{self, Action, set_action};
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};

/// Milliseconds; 0: there is no watchdog.
static PERIOD_MS: AtomicU32 = AtomicU32::new(0);

/// Reports turns that take longer than this from now on, the next one first; 0 is none.
pub fn set(period_ms: u32) {
    if period_ms > 0 {
        crash::prepare_to_unwind();
        set_action(libc::SIGALRM, Action::Plain(on_time));
    }
    PERIOD_MS.store(period_ms, Ordering::Relaxed);
    if period_ms == 0 {
        ring_in(0);
    }
}

/// The reactor has something to do.
#[inline]
pub fn turn_begins() {
    let period_ms = PERIOD_MS.load(Ordering::Relaxed);
    if period_ms > 0 {
        ring_in(period_ms);
    }
}

/// The reactor waits.
#[inline]
pub fn turn_ends() {
    if PERIOD_MS.load(Ordering::Relaxed) > 0 {
        ring_in(0);
    }
}

/// Sets the process's timer; 0 stops it.
#[cold]
fn ring_in(millis: u32) {
    let (seconds, micros) = (millis / 1000, millis % 1000 * 1000);
    let value = libc::timeval { tv_sec: seconds.into(), tv_usec: micros.into() };
    let once = libc::timeval { tv_sec: 0, tv_usec: 0 };
    let timer = libc::itimerval { it_interval: once, it_value: value };
    // SAFETY: `timer` is live, and nobody asks for the one before.
    unsafe { libc::setitimer(libc::ITIMER_REAL, &raw const timer, ptr::null_mut()) };
}

extern "C" fn on_time(_: libc::c_int) {
    signal::keeping_errno(|| {
        let out = &mut FdWriter::new(log::fd());
        log::warning_from_handler(out, format_args!("--- WATCHDOG TIMER EXPIRED ---"));
        out.flush();
        crash::print_calls();
        log::warning_from_handler(out, format_args!("--------"));
    });
}

#[cfg(test)]
mod tests {
    use super::super::signal::tests::in_child;
    use super::*;
    use std::thread::sleep;
    use std::time::Duration;

    #[test]
    fn a_turn_that_takes_long_is_reported_once() {
        let (text, status) = in_child(|| {
            set(20);
            turn_begins();
            sleep(Duration::from_millis(100));
            turn_ends();
        });
        assert!(libc::WIFEXITED(status), "{text}");
        assert_eq!(text.matches("# --- WATCHDOG TIMER EXPIRED ---").count(), 1, "{text}");
        assert!(text.lines().count() > 4 && text.contains("[0x"), "{text}");
    }

    #[test]
    fn neither_waiting_nor_short_turns_are() {
        let (text, status) = in_child(|| {
            set(1000);
            for _ in 0..3 {
                turn_begins();
                turn_ends();
            }
            set(20);
            turn_begins();
            turn_ends();
            sleep(Duration::from_millis(60));
            turn_begins();
            set(0);
            sleep(Duration::from_millis(60));
        });
        assert_eq!((text.as_str(), libc::WIFEXITED(status)), ("", true));
    }
}
