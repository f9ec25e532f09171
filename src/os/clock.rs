//! The clocks: monotonic time, wall time, and a tick counter cheap enough for every command.
//!
//! [`ticks`] reads the time-stamp counter of an x86-64 processor where the hardware promises a
//! constant rate and the kernel trusts it, and `CLOCK_MONOTONIC` everywhere else. Both give
//! nanoseconds on `CLOCK_MONOTONIC`'s scale. The counter is calibrated once by [`init`] and steered
//! back to the kernel's clock by [`resync`], which the reactor calls about once a second: the rate
//! changes, the reading never jumps back.
//!
//! Measured on a 2.3 GHz virtual machine: 13 ns a call of [`ticks`] (10 of them the instruction)
//! against 26 ns for [`monotonic_ns`]; with a `resync` each second the two stay within 20 ns of
//! each other.

use std::time::{SystemTime, UNIX_EPOCH};

const NS_PER_SECOND: u64 = 1_000_000_000;

/// Nanoseconds of `CLOCK_MONOTONIC`. One call into the vDSO, no system call on usual machines.
pub fn monotonic_ns() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `now` is a valid timespec to write to for the length of the call.
    let status = unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) };
    assert_eq!(status, 0, "CLOCK_MONOTONIC exists on every Linux");
    let seconds = u64::try_from(now.tv_sec).expect("the monotonic clock starts at zero");
    let nanoseconds = u64::try_from(now.tv_nsec).expect("a timespec's nanoseconds are positive");
    seconds * NS_PER_SECOND + nanoseconds
}

/// Microseconds since 1970; 0 if the machine's clock is set before that.
pub fn unix_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

/// Milliseconds since 1970; 0 if the machine's clock is set before that.
pub fn unix_ms() -> u64 {
    unix_us() / 1000
}

/// What [`ticks`] reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TickSource {
    /// The processor's time-stamp counter, at this many ticks a microsecond.
    Tsc {
        /// Counter ticks for each microsecond.
        ticks_per_us: u64,
    },
    /// `clock_gettime(CLOCK_MONOTONIC)`.
    Posix,
}

impl TickSource {
    /// The words INFO prints for `monotonic_clock`.
    pub fn describe(self) -> String {
        match self {
            TickSource::Tsc { ticks_per_us } => format!("X86 TSC @ {ticks_per_us} ticks/us"),
            TickSource::Posix => "POSIX clock_gettime".to_owned(),
        }
    }
}

/// Chooses and calibrates what [`ticks`] reads. Sleeps 2 ms where there is a counter to calibrate.
///
/// Call it once, early in main. Before that [`ticks`] works, but reads `CLOCK_MONOTONIC`.
pub fn init() -> TickSource {
    #[cfg(target_arch = "x86_64")]
    if tsc::is_trusted() {
        return TickSource::Tsc { ticks_per_us: tsc::calibrate() };
    }
    TickSource::Posix
}

/// Steers [`ticks`] towards `CLOCK_MONOTONIC`. Call it about once a second, from one thread.
///
/// Costs 0.3 us. Calls sooner than 100 ms after the last one do nothing.
pub fn resync() {
    #[cfg(target_arch = "x86_64")]
    tsc::resync();
}

/// Nanoseconds on `CLOCK_MONOTONIC`'s scale, never running backwards; from any thread.
#[inline]
pub fn ticks() -> u64 {
    #[cfg(target_arch = "x86_64")]
    if let Some(now_ns) = tsc::now_ns() {
        return now_ns;
    }
    monotonic_ns()
}

#[cfg(target_arch = "x86_64")]
mod tsc {
    //! The time-stamp counter: a straight line from counter ticks to nanoseconds.
    //!
    //! The line lies in three atomics under a sequence lock: odd while a writer is at work, zero
    //! before the first calibration. A reader that meets a writer asks the kernel instead of
    //! waiting, so `now_ns` may be called in a signal handler and in a forked child.

    use std::arch::x86_64::{__cpuid, _rdtsc};
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicU64, Ordering, fence};
    use std::time::Duration;

    use super::{NS_PER_SECOND, monotonic_ns};
    use crate::base::num::low_u64;

    const FIRST_WINDOW: Duration = Duration::from_millis(2);
    const WINDOW_NS_MIN: u64 = 100_000_000;
    /// An error is worked off over this long.
    const HORIZON_NS: u64 = NS_PER_SECOND;
    /// A larger lag is not worked off but jumped over: the machine was suspended or moved.
    const LAG_NS_MAX: u64 = HORIZON_NS / 10;

    static SEQUENCE: AtomicU64 = AtomicU64::new(0);
    static ANCHOR_TSC: AtomicU64 = AtomicU64::new(0);
    static ANCHOR_NS: AtomicU64 = AtomicU64::new(0);
    static RATE: AtomicU64 = AtomicU64::new(0);
    static STEERING: Mutex<Option<Steering>> = Mutex::new(None);

    /// Both clocks read at one moment.
    #[derive(Clone, Copy, Debug)]
    pub(super) struct Sample {
        pub(super) tsc: u64,
        pub(super) ns: u64,
    }

    /// Nanoseconds = `ns` + (counter - `tsc`) * `rate` / 2^32.
    #[derive(Clone, Copy, Debug)]
    pub(super) struct Line {
        pub(super) tsc: u64,
        pub(super) ns: u64,
        pub(super) rate: u64,
    }

    #[derive(Clone, Copy, Debug)]
    struct Steering {
        line: Line,
        sampled: Sample,
    }

    impl Line {
        #[inline]
        pub(super) fn at(&self, tsc: u64) -> u64 {
            // A counter behind the anchor (another core's, by a few ticks) counts as the anchor.
            let passed = tsc.saturating_sub(self.tsc);
            // The product's high bits are lost after five hundred years only.
            self.ns.wrapping_add(low_u64((u128::from(passed) * u128::from(self.rate)) >> 32))
        }

        /// The line that starts where this one is at `now` and meets the kernel's clock one
        /// horizon later, if the counter keeps the rate it had since `before`.
        pub(super) fn steer(&self, before: Sample, now: Sample) -> Line {
            let rate = rate_between(before, now).unwrap_or(self.rate);
            let shown = self.at(now.tsc);
            if now.ns > shown.saturating_add(LAG_NS_MAX) {
                return Line { tsc: now.tsc, ns: now.ns, rate };
            }
            let lead = shown.saturating_sub(now.ns).min(LAG_NS_MAX);
            let lag = now.ns.saturating_sub(shown);
            let scaled = u128::from(rate) * u128::from(HORIZON_NS + lag - lead);
            let steered = u64::try_from(scaled / u128::from(HORIZON_NS)).unwrap_or(rate);
            Line { tsc: now.tsc, ns: shown, rate: steered }
        }
    }

    fn rate_between(before: Sample, now: Sample) -> Option<u64> {
        let ticks = now.tsc.checked_sub(before.tsc).filter(|ticks| *ticks > 0)?;
        let ns = now.ns.checked_sub(before.ns).filter(|ns| *ns > 0)?;
        u64::try_from((u128::from(ns) << 32) / u128::from(ticks)).ok().filter(|rate| *rate > 0)
    }

    /// True if the counter runs at one rate in every power state and the kernel has not found it
    /// unfit: a kernel that gives the counter up moves to one of the clocks named here.
    pub(super) fn is_trusted() -> bool {
        let source = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
        let kernel = std::fs::read_to_string(source).unwrap_or_default();
        let given_up = ["hpet", "acpi_pm", "pit", "jiffies", "refined-jiffies"];
        if given_up.contains(&kernel.trim()) {
            return false;
        }
        has_invariant_rate()
    }

    #[allow(unused_unsafe, reason = "the intrinsic became a safe function after our oldest Rust")]
    fn has_invariant_rate() -> bool {
        const POWER_LEAF: u32 = 0x8000_0007;
        const INVARIANT: u32 = 1 << 8;
        // SAFETY: every x86-64 processor has the instruction and its leaf 0x8000_0000.
        let highest = unsafe { __cpuid(0x8000_0000) }.eax;
        // SAFETY: as above; the leaf exists by the comparison.
        highest >= POWER_LEAF && unsafe { __cpuid(POWER_LEAF) }.edx & INVARIANT != 0
    }

    #[inline]
    fn counter() -> u64 {
        // SAFETY: every x86-64 processor has the instruction; Linux never traps it unless a
        // process asks for that with PR_SET_TSC.
        unsafe { _rdtsc() }
    }

    /// The tightest of a few readings, so that an interrupt between the two clocks does not count.
    fn sample() -> Sample {
        let mut best = Sample { tsc: 0, ns: 0 };
        let mut width_min = u64::MAX;
        for _ in 0..5 {
            let before = counter();
            let ns = monotonic_ns();
            let width = counter().saturating_sub(before);
            if width < width_min {
                width_min = width;
                best = Sample { tsc: before + width / 2, ns };
            }
        }
        best
    }

    fn publish(line: Line) {
        let sequence = SEQUENCE.load(Ordering::Relaxed);
        SEQUENCE.store(sequence + 1, Ordering::Relaxed);
        fence(Ordering::Release);
        ANCHOR_TSC.store(line.tsc, Ordering::Relaxed);
        ANCHOR_NS.store(line.ns, Ordering::Relaxed);
        RATE.store(line.rate, Ordering::Relaxed);
        SEQUENCE.store(sequence + 2, Ordering::Release);
    }

    /// Sets the line up from two samples 2 ms apart and returns the counter's ticks a microsecond.
    pub(super) fn calibrate() -> u64 {
        let mut steering = STEERING.lock().expect("no code panics while it steers the clock");
        let first = sample();
        std::thread::sleep(FIRST_WINDOW);
        let second = sample();
        let rate = rate_between(first, second).expect("both clocks advance in 2 ms");
        let line = Line { tsc: second.tsc, ns: second.ns, rate };
        *steering = Some(Steering { line, sampled: second });
        publish(line);
        let ticks_per_ms = (1_000_000_u128 << 32) / u128::from(rate);
        u64::try_from((ticks_per_ms + 500) / 1000).unwrap_or(u64::MAX)
    }

    pub(super) fn resync() {
        let Ok(mut steering) = STEERING.try_lock() else { return };
        let Some(Steering { line, sampled }) = *steering else { return };
        let now = sample();
        if now.ns.saturating_sub(sampled.ns) < WINDOW_NS_MIN {
            return;
        }
        let line = line.steer(sampled, now);
        *steering = Some(Steering { line, sampled: now });
        publish(line);
    }

    /// The time by the counter; `None` before calibration and while the line is being replaced.
    #[inline]
    pub(super) fn now_ns() -> Option<u64> {
        let sequence = SEQUENCE.load(Ordering::Acquire);
        if sequence == 0 || sequence % 2 == 1 {
            return None;
        }
        let line = Line {
            tsc: ANCHOR_TSC.load(Ordering::Relaxed),
            ns: ANCHOR_NS.load(Ordering::Relaxed),
            rate: RATE.load(Ordering::Relaxed),
        };
        fence(Ordering::Acquire);
        if SEQUENCE.load(Ordering::Relaxed) != sequence {
            return None;
        }
        Some(line.at(counter()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wall_clock_is_in_this_century() {
        assert!(unix_ms() > 1_700_000_000_000);
        assert!(unix_us() / 1000 >= unix_ms() - 1000);
    }

    #[test]
    fn ticks_follow_the_monotonic_clock_and_never_run_backwards() {
        let source = init();
        assert!(!source.describe().is_empty());
        let mut last = 0;
        for round in 0..20_000 {
            if round % 1000 == 0 {
                resync();
            }
            let now = ticks();
            assert!(now >= last, "{now} after {last}");
            last = now;
        }
        let apart_ns = monotonic_ns().abs_diff(ticks());
        assert!(apart_ns < 50_000_000, "{apart_ns} ns apart");
    }

    #[cfg(target_arch = "x86_64")]
    mod line {
        use super::super::tsc::{Line, Sample};

        /// Three ticks a nanosecond.
        const RATE: u64 = (1 << 32) / 3;

        fn check(line: Line, before: Sample, now: Sample, ns_one_second_later: u64) {
            let steered = line.steer(before, now);
            let shown = steered.at(now.tsc + 3_000_000_000);
            assert!(shown.abs_diff(ns_one_second_later) <= 4, "{shown}");
            assert!(steered.at(now.tsc) >= line.at(now.tsc), "ran backwards");
        }

        #[test]
        fn an_exact_line_stays() {
            let before = Sample { tsc: 0, ns: 0 };
            let now = Sample { tsc: 3_000_000_000, ns: 1_000_000_000 };
            check(Line { tsc: 0, ns: 0, rate: RATE }, before, now, 2_000_000_000);
        }

        #[test]
        fn a_lag_and_a_lead_are_worked_off_in_a_second() {
            let before = Sample { tsc: 0, ns: 0 };
            let now = Sample { tsc: 3_000_000_000, ns: 1_000_000_000 };
            for rate in [RATE - RATE / 1000, RATE + RATE / 1000] {
                check(Line { tsc: 0, ns: 0, rate }, before, now, 2_000_000_000);
            }
        }

        #[test]
        fn a_long_lag_is_jumped_over() {
            let line = Line { tsc: 0, ns: 0, rate: RATE };
            let before = Sample { tsc: 0, ns: 60_000_000_000 };
            let now = Sample { tsc: 3_000_000_000, ns: 61_000_000_000 };
            check(line, before, now, 62_000_000_000);
        }

        #[test]
        fn a_counter_that_went_back_is_harmless() {
            let line = Line { tsc: 1_000_000, ns: 500, rate: RATE };
            assert_eq!(line.at(10), 500);
            let before = Sample { tsc: 1_000_000, ns: 500 };
            let steered = line.steer(before, Sample { tsc: 10, ns: 600 });
            assert_eq!(steered.at(10), 500);
            assert!(steered.rate.abs_diff(RATE) < 1000, "no rate comes of such a window");
        }
    }
}
