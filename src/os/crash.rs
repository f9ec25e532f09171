//! The crash report: what the log says when the process dies of a fault or a panic.
//!
//! Everything here runs after the process has broken, so each part is best effort. The report is a
//! row of stages, and the stage counter moves on *before* a stage runs: if a stage faults, the same
//! handler starts again with the next one, and if it hangs, an alarm does so. Heap and locks are
//! used by the later stages only (names of functions, sections of the server), when the addresses
//! are in the log already.
//!
//! Handlers run on an alternate stack, since the ordinary one may be what overflowed. At the end
//! the signal gets its default action back and is raised again, for the exit status and the core.

use std::backtrace::Backtrace;
use std::fmt::{self, Write};
use std::io;
use std::panic::PanicHookInfo;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, AtomicU64, AtomicUsize, Ordering};

use super::log;
use super::log::sink::{self, FdWriter};
use super::signal::{Action, set_action};

/// A part of the report that the server itself writes: `INFO OUTPUT`, `CLIENT LIST OUTPUT`.
///
/// The function is called in a signal handler while the server's data may be half changed; what it
/// does wrong costs its own part of the report only.
#[derive(Debug)]
pub struct Section {
    /// The heading, in capitals.
    pub title: &'static str,
    /// Writes the text.
    pub write: fn(&mut dyn fmt::Write),
}

const FAULTS: [libc::c_int; 5] =
    [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGABRT];
const SECTIONS_MAX: usize = 4;
/// Addresses, names, registers and the sections.
const STAGES: usize = 3 + SECTIONS_MAX;
const STAGE_TIMEOUT_S: u32 = if cfg!(test) { 2 } else { 5 };
const FRAMES_MAX: usize = 128;
/// Room for the unwinder and the reader of debug information.
const STACK_BYTES: usize = 512 * 1024;

static SECTIONS: [AtomicPtr<Section>; SECTIONS_MAX] =
    [const { AtomicPtr::new(ptr::null_mut()) }; SECTIONS_MAX];
/// True while faults are reported and not left to the kernel.
static IS_ENABLED: AtomicBool = AtomicBool::new(false);
/// The thread that writes the report; 0: none yet.
static REPORTER: AtomicI32 = AtomicI32::new(0);
/// The next stage to run.
static STAGE: AtomicUsize = AtomicUsize::new(0);
/// The signal that is raised again at the end.
static CAUSE: AtomicI32 = AtomicI32::new(0);
/// The registers at the first fault, in the order of [`REGISTER_NAMES`]; zeros after a panic.
/// Copied, since a handler that runs out of stack starts again at its top, over the first frame.
static REGISTERS: [AtomicU64; REGISTER_NAMES.len()] =
    [const { AtomicU64::new(0) }; REGISTER_NAMES.len()];
/// Faults so far, the report's own included.
static FAULTS_SEEN: AtomicUsize = AtomicUsize::new(0);
/// How many frames the unwinder found.
static FRAMES: AtomicUsize = AtomicUsize::new(0);

/// Whether a fault is reported; the directive `crash-log-enabled`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrashLog {
    /// A report, then the default action.
    On,
    /// The default action.
    Off,
}

/// Installs or removes the handlers for SIGSEGV, SIGBUS, SIGFPE, SIGILL and SIGABRT. Any time; call
/// it on the main thread first, which gets its alternate stack by that.
///
/// # Errors
/// If there is no memory for the stack.
pub fn set(crash_log: CrashLog) -> io::Result<()> {
    let action = match crash_log {
        CrashLog::On => {
            if !IS_ENABLED.load(Ordering::Relaxed) {
                // The main thread keeps its stack until the process ends.
                std::mem::forget(AlternateStack::install()?);
                // The first unwinding loads a library, which needs the heap: now, not in a handler.
                unwind();
            }
            Action::Fault(on_fault)
        }
        CrashLog::Off => Action::Default,
    };
    IS_ENABLED.store(crash_log == CrashLog::On, Ordering::Relaxed);
    for signal in FAULTS {
        set_action(signal, action);
    }
    Ok(())
}

/// Adds a section to the report, after those added before. At most four; later ones are left out.
pub fn add_section(section: &'static Section) {
    let entry = ptr::from_ref(section).cast_mut();
    for slot in &SECTIONS {
        let exchange =
            slot.compare_exchange(ptr::null_mut(), entry, Ordering::AcqRel, Ordering::Acquire);
        if exchange.is_ok() {
            return;
        }
    }
}

/// Makes every panic, on any thread, a report and the end of the process: a server with half its
/// threads is worse than none. Replaces the standard hook.
pub fn set_panic_hook() {
    std::panic::set_hook(Box::new(on_panic));
}

/// Crashes the process by writing to memory that is not there: DEBUG SEGFAULT.
pub fn segfault() -> ! {
    // SAFETY: none is possible. To fault here is what the operator asked for; page zero is never
    // mapped for a process, so nothing is overwritten.
    unsafe { ptr::without_provenance_mut::<u8>(16).write_volatile(1) };
    std::process::abort()
}

/// A stack for this thread's fault handlers; gone when dropped.
///
/// Each helper thread keeps one for its lifetime; without it a fault there is reported from the
/// small stack that Rust's own runtime installs, perhaps without the names of functions.
#[derive(Debug)]
pub struct AlternateStack {
    base: *mut libc::c_void,
}

impl AlternateStack {
    /// Gives the calling thread its stack.
    ///
    /// # Errors
    /// If there is no memory.
    pub fn install() -> io::Result<AlternateStack> {
        let (access, kind) =
            (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // SAFETY: a fresh anonymous mapping, at an address of the kernel's choice.
        let base = unsafe { libc::mmap(ptr::null_mut(), STACK_BYTES, access, kind, -1, 0) };
        if base == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let page = usize::try_from(super::sysinfo::page_bytes()).unwrap_or(STACK_BYTES);
        // SAFETY: the first page of the mapping, which nobody uses: an overflow of this stack
        // faults instead of writing elsewhere.
        unsafe { libc::mprotect(base, page, libc::PROT_NONE) };
        let stack = libc::stack_t { ss_sp: base, ss_flags: 0, ss_size: STACK_BYTES };
        // SAFETY: `stack` describes the mapping, which lives until `drop` disables it.
        if unsafe { libc::sigaltstack(&raw const stack, ptr::null_mut()) } != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(AlternateStack { base })
    }
}

impl Drop for AlternateStack {
    fn drop(&mut self) {
        let none = libc::stack_t { ss_sp: ptr::null_mut(), ss_flags: libc::SS_DISABLE, ss_size: 0 };
        // SAFETY: `none` is live; the type is neither Send nor Sync, so this is the same thread.
        unsafe { libc::sigaltstack(&raw const none, ptr::null_mut()) };
        // SAFETY: the mapping is ours and no handler can run on it any more.
        unsafe { libc::munmap(self.base, STACK_BYTES) };
    }
}

extern "C" fn on_fault(
    signal: libc::c_int,
    info: *mut libc::siginfo_t,
    context: *mut libc::c_void,
) {
    if become_reporter() == Turn::First {
        CAUSE.store(signal, Ordering::Release);
        // SAFETY: the kernel passes a valid context to a handler that asked for one.
        let values = register_values(unsafe { &*context.cast() });
        for (register, value) in REGISTERS.iter().zip(values) {
            register.store(value, Ordering::Release);
        }
        arm();
        // SAFETY: the kernel passes a valid siginfo to a handler that asked for one.
        describe_fault(signal, unsafe { &*info });
    }
    // A handler whose stack is too small for a stage, or for any, starts again at its top.
    if FAULTS_SEEN.fetch_add(1, Ordering::AcqRel) > STAGES {
        finish();
    }
    run_stages();
}

fn on_panic(panic: &PanicHookInfo<'_>) {
    let first = become_reporter() == Turn::First;
    CAUSE.store(libc::SIGABRT, Ordering::Release);
    if !IS_ENABLED.load(Ordering::Relaxed) {
        log::warning_from_handler(
            &mut FdWriter::new(log::fd()),
            format_args!("{}", OneLine(panic)),
        );
        finish();
    }
    if first {
        arm();
        let mut out = begin();
        log::warning_from_handler(&mut out, format_args!("=== ASSERTION FAILED ==="));
        log::warning_from_handler(&mut out, format_args!("==> {}", OneLine(panic)));
    }
    run_stages();
}

/// A stage has taken too long, maybe waiting for a lock it holds itself: the next one, please.
extern "C" fn on_hang(_: libc::c_int) {
    // SAFETY: no preconditions.
    REPORTER.store(unsafe { libc::gettid() }, Ordering::Release);
    run_stages();
}

#[derive(PartialEq, Eq)]
enum Turn {
    /// This fault starts the report.
    First,
    /// The report itself faulted.
    Again,
}

/// Lets one thread through. Any other that faults meanwhile waits for the process to end.
fn become_reporter() -> Turn {
    // SAFETY: no preconditions.
    let me = unsafe { libc::gettid() };
    match REPORTER.compare_exchange(0, me, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => Turn::First,
        Err(reporter) if reporter == me => Turn::Again,
        Err(_) => loop {
            // SAFETY: no preconditions.
            unsafe { libc::pause() };
        },
    }
}

/// Restarts the time a stage has.
fn arm() {
    set_action(libc::SIGALRM, Action::Plain(on_hang));
    // SAFETY: no preconditions.
    unsafe { libc::alarm(STAGE_TIMEOUT_S) };
}

fn begin() -> FdWriter {
    let mut out = FdWriter::new(log::fd());
    let _ = out.write_str("\n\n=== REDIS BUG REPORT START: Cut & paste starting from here ===\n");
    out
}

#[inline(never)]
fn describe_fault(signal: libc::c_int, info: &libc::siginfo_t) {
    let out = &mut begin();
    let (version, code) = (env!("CARGO_PKG_VERSION"), info.si_code);
    let headline = format_args!("Carnelian {version} crashed by signal: {signal}, si_code: {code}");
    log::warning_from_handler(out, headline);
    if code <= 0 {
        // SAFETY: a code of zero or less says that a process sent the signal, and who.
        let (pid, uid) = unsafe { (info.si_pid(), info.si_uid()) };
        log::warning_from_handler(out, format_args!("Killed by PID: {pid}, UID: {uid}"));
    } else {
        // SAFETY: a positive code of one of `FAULTS` comes with an address.
        let address = unsafe { info.si_addr() };
        log::warning_from_handler(out, format_args!("Accessing address: {address:p}"));
    }
    let counter = REGISTER_NAMES.iter().position(|name| matches!(*name, "RIP" | "PC"));
    if let Some(register) = counter.and_then(|index| REGISTERS.get(index)) {
        let counter = register.load(Ordering::Acquire);
        let text = format_args!("Crashed running the instruction at: {counter:#x}");
        log::warning_from_handler(out, text);
    }
}

/// Runs the stages that are left and ends the process.
fn run_stages() -> ! {
    loop {
        let stage = STAGE.fetch_add(1, Ordering::AcqRel);
        arm();
        match stage {
            0 => addresses(),
            1 => names(),
            2 => registers(),
            3..STAGES => section(&SECTIONS[stage - 3]),
            _ => break,
        }
    }
    sink::write_all(
        log::fd(),
        b"\n=== REDIS BUG REPORT END. Make sure to include from START to END. ===\n\n       \
          This is a bug in Carnelian, or broken memory. Please report it with all of the\n       \
          text above and the last lines of the log before it.\n\n",
    );
    finish()
}

/// Loads what [`print_calls`] needs, which takes the heap.
pub(super) fn prepare_to_unwind() {
    unwind();
}

/// Writes the addresses of the calls that are under way to the log; without the heap.
pub(super) fn print_calls() {
    let (frames, count) = unwind();
    print_frames(&frames[..count]);
}

/// The calls that led here, as addresses the linker's tools can read.
#[inline(never)]
fn addresses() {
    sink::write_all(log::fd(), b"\n------ STACK TRACE ------\nAddresses:\n");
    let (frames, count) = unwind();
    FRAMES.store(count, Ordering::Relaxed);
    print_frames(&frames[..count]);
}

/// The same with names and lines, which needs the heap.
#[inline(never)]
fn names() {
    let out = &mut FdWriter::new(log::fd());
    if FRAMES.load(Ordering::Relaxed) == FRAMES_MAX {
        let _ = out.write_str("\nThe stack is too deep to name its frames.\n");
    } else {
        let _ = write!(out, "\nBacktrace:\n{}", Backtrace::force_capture());
    }
    let _ = out.write_str("\n------ STACK TRACE DONE ------\n");
}

#[inline(never)]
fn registers() {
    let out = &mut FdWriter::new(log::fd());
    let values = REGISTERS.each_ref().map(|register| register.load(Ordering::Acquire));
    if values.iter().all(|value| *value == 0) {
        return;
    }
    let _ = out.write_str("\n------ REGISTERS ------\n");
    for (index, (name, value)) in REGISTER_NAMES.iter().zip(values).enumerate() {
        let separator = if index % 4 == 3 { '\n' } else { ' ' };
        let _ = write!(out, "{name:>3}:{value:016x}{separator}");
    }
    let _ = out.write_str("\n");
}

#[inline(never)]
fn section(slot: &AtomicPtr<Section>) {
    // SAFETY: the slot is null or holds a `&'static Section`; `add_section` is the only writer.
    let Some(section) = (unsafe { slot.load(Ordering::Acquire).as_ref() }) else { return };
    let out = &mut FdWriter::new(log::fd());
    let _ = write!(out, "\n------ {} ------\n", section.title);
    out.flush();
    (section.write)(out);
}

/// Ends the process with the signal it died of.
fn finish() -> ! {
    let cause = CAUSE.load(Ordering::Acquire);
    // SAFETY: no preconditions.
    unsafe { libc::alarm(0) };
    set_action(cause, Action::Default);
    // SAFETY: no preconditions. The default action of all of `FAULTS` ends the process.
    unsafe { libc::raise(cause) };
    // Only a blocked signal gets here.
    // SAFETY: no preconditions.
    unsafe { libc::_exit(128 + cause) }
}

/// A panic's place and message on one line of text.
struct OneLine<'a>(&'a PanicHookInfo<'a>);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let payload = self.0.payload();
        let text = payload.downcast_ref::<&str>().copied();
        let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        if let Some(place) = self.0.location() {
            write!(out, "{}:{} ", place.file(), place.line())?;
        }
        write!(out, "'{}'", text.unwrap_or("a panic without a message").escape_debug())
    }
}

#[cfg(target_env = "gnu")]
fn unwind() -> ([*mut libc::c_void; FRAMES_MAX], usize) {
    let mut frames = [ptr::null_mut(); FRAMES_MAX];
    let room = i32::try_from(FRAMES_MAX).expect("the constant is small");
    // SAFETY: the pointer and length are those of one live array.
    let count = unsafe { libc::backtrace(frames.as_mut_ptr(), room) };
    (frames, usize::try_from(count).unwrap_or(0))
}

#[cfg(target_env = "gnu")]
fn print_frames(frames: &[*mut libc::c_void]) {
    let count = i32::try_from(frames.len()).unwrap_or(0);
    // SAFETY: the pointer and length are those of one live slice of addresses. This variant of
    // the function writes to the descriptor without the heap.
    unsafe { libc::backtrace_symbols_fd(frames.as_ptr(), count, log::fd()) };
}

#[cfg(not(target_env = "gnu"))]
fn unwind() -> ([*mut libc::c_void; FRAMES_MAX], usize) {
    ([ptr::null_mut(); FRAMES_MAX], 0)
}

#[cfg(not(target_env = "gnu"))]
fn print_frames(_: &[*mut libc::c_void]) {}

#[cfg(target_arch = "x86_64")]
const REGISTER_NAMES: [&str; 19] = [
    "RAX", "RBX", "RCX", "RDX", "RDI", "RSI", "RBP", "RSP", "R8", "R9", "R10", "R11", "R12", "R13",
    "R14", "R15", "RIP", "EFL", "ERR",
];

#[cfg(target_arch = "x86_64")]
fn register_values(context: &libc::ucontext_t) -> [u64; REGISTER_NAMES.len()] {
    [
        libc::REG_RAX,
        libc::REG_RBX,
        libc::REG_RCX,
        libc::REG_RDX,
        libc::REG_RDI,
        libc::REG_RSI,
        libc::REG_RBP,
        libc::REG_RSP,
        libc::REG_R8,
        libc::REG_R9,
        libc::REG_R10,
        libc::REG_R11,
        libc::REG_R12,
        libc::REG_R13,
        libc::REG_R14,
        libc::REG_R15,
        libc::REG_RIP,
        libc::REG_EFL,
        libc::REG_ERR,
    ]
    .map(|number| {
        let index = usize::try_from(number).expect("register numbers are positive");
        context.uc_mcontext.gregs[index].cast_unsigned()
    })
}

#[cfg(target_arch = "aarch64")]
const REGISTER_NAMES: [&str; 4] = ["FP", "LR", "SP", "PC"];

#[cfg(target_arch = "aarch64")]
fn register_values(context: &libc::ucontext_t) -> [u64; REGISTER_NAMES.len()] {
    let registers = &context.uc_mcontext;
    [registers.regs[29], registers.regs[30], registers.sp, registers.pc]
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const REGISTER_NAMES: [&str; 0] = [];

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn register_values(_: &libc::ucontext_t) -> [u64; 0] {
    []
}

#[cfg(test)]
mod tests {
    use super::super::signal::tests::in_child;
    use super::*;

    static INFO: Section = Section {
        title: "INFO OUTPUT",
        write: |out| {
            let _ = out.write_str("# Server\n");
        },
    };
    static BROKEN: Section = Section { title: "BROKEN", write: |_| segfault() };
    static STUCK: Section = Section {
        title: "STUCK",
        write: |_| loop {
            // SAFETY: no preconditions.
            unsafe { libc::pause() };
        },
    };

    /// The report of a child that dies in `body`, which must be of `signal`.
    fn report(signal: libc::c_int, body: impl FnOnce()) -> String {
        let (text, status) = in_child(|| {
            set(CrashLog::On).unwrap();
            set_panic_hook();
            body();
        });
        assert!(libc::WIFSIGNALED(status), "{status} {text}");
        assert_eq!(libc::WTERMSIG(status), signal, "{text}");
        text
    }

    fn check_in_order(text: &str, parts: &[&str]) {
        let mut rest = text;
        for part in parts {
            let Some((_, after)) = rest.split_once(part) else {
                panic!("{part} is not where it belongs in {text}")
            };
            rest = after;
        }
    }

    #[test]
    fn a_fault_is_reported_in_full() {
        let text = report(libc::SIGSEGV, || {
            add_section(&INFO);
            segfault();
        });
        check_in_order(
            &text,
            &[
                "=== REDIS BUG REPORT START: Cut & paste starting from here ===\n",
                " # Carnelian ",
                " crashed by signal: 11, si_code: 1\n",
                " # Accessing address: 0x10\n",
                " # Crashed running the instruction at: 0x",
                "------ STACK TRACE ------\n",
                "Backtrace:\n",
                "segfault\n",
                "------ REGISTERS ------\n",
                "------ INFO OUTPUT ------\n# Server\n",
                "=== REDIS BUG REPORT END. Make sure to include from START to END. ===\n",
            ],
        );
    }

    #[test]
    fn a_signal_from_outside_names_its_sender() {
        let text = report(libc::SIGABRT, || {
            // SAFETY: no preconditions.
            unsafe { libc::kill(libc::getpid(), libc::SIGABRT) };
        });
        check_in_order(&text, &["crashed by signal: 6, si_code: 0", "# Killed by PID: ", "END"]);
    }

    #[test]
    fn a_section_that_faults_costs_only_itself() {
        let text = report(libc::SIGBUS, || {
            add_section(&BROKEN);
            add_section(&INFO);
            // SAFETY: no preconditions.
            unsafe { libc::raise(libc::SIGBUS) };
        });
        check_in_order(&text, &["signal: 7", "- BROKEN -", "# Server\n", "REPORT END"]);
        assert_eq!(text.matches("REPORT START").count(), 1, "{text}");
    }

    #[test]
    fn a_section_that_hangs_costs_only_itself() {
        let text = report(libc::SIGFPE, || {
            add_section(&STUCK);
            add_section(&INFO);
            // SAFETY: no preconditions.
            unsafe { libc::raise(libc::SIGFPE) };
        });
        check_in_order(&text, &["signal: 8", "- STUCK -", "# Server\n", "REPORT END"]);
    }

    #[test]
    fn an_overflowing_stack_is_reported() {
        fn deeper(bytes: &[u8; 512]) -> u8 {
            let mut copy = std::hint::black_box(*bytes);
            copy[0] = copy[0].wrapping_add(1);
            if copy == [9; 512] { 0 } else { deeper(&copy).wrapping_add(copy[511]) }
        }
        let text = report(libc::SIGSEGV, || {
            std::hint::black_box(deeper(&[0; 512]));
        });
        check_in_order(&text, &["signal: 11", "too deep", "REGISTERS", "REPORT END"]);
    }

    #[test]
    fn a_panic_is_reported_with_its_place() {
        let text = report(libc::SIGABRT, || panic!("no {}\nsuch key", "way"));
        check_in_order(
            &text,
            &[
                "REPORT START",
                "=== ASSERTION FAILED ===\n",
                "==> src/os/crash.rs:",
                " 'no way\\nsuch key'\n",
                "STACK TRACE",
                "a_panic_is_reported_with_its_place",
                "REPORT END",
            ],
        );
        assert!(!text.contains("REGISTERS") && !text.contains("crashed by"), "{text}");
    }

    #[test]
    fn switched_off_it_leaves_faults_to_the_kernel() {
        let text = report(libc::SIGSEGV, || {
            set(CrashLog::Off).unwrap();
            segfault();
        });
        assert_eq!(text, "");
        let text = report(libc::SIGABRT, || {
            set(CrashLog::Off).unwrap();
            panic!("short");
        });
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.contains("src/os/crash.rs:") && text.ends_with("'short'\n"), "{text}");
    }
}
