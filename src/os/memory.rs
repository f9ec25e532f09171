//! Memory: what the allocator has handed out, what the process occupies, and the allocator's
//! controls.
//!
//! The allocator is jemalloc, the global one of every binary. Its statistics are up to date only
//! after 16 us of work, far too slow for a check before each write. But it keeps two exact counters
//! for each thread, bytes allocated and bytes freed, that cost two loads. [`used_memory`] is the
//! calling thread's difference plus what the other threads have added with [`settle_thread`].
//!
//! Measured: [`used_memory`] 1.1 ns, [`settle_thread`] 9 ns, [`allocator_stats`] 17 us,
//! [`rss_bytes`] 3 us.

use std::cell::{Cell, OnceCell};
use std::ffi::{CStr, CString, c_char};
use std::fs;
use std::io;
use std::ptr;
use std::sync::atomic::{AtomicI64, Ordering};

use tikv_jemalloc_ctl::{epoch, raw, stats, thread, version};

use super::sysinfo::page_bytes;
use crate::base::num::{low_u8, low_u32, u64_of};

/// Net bytes of all threads as of their last [`settle_thread`].
static SETTLED: AtomicI64 = AtomicI64::new(0);

/// This thread's counters; they never move.
type Counters = (thread::ThreadLocal<u64>, thread::ThreadLocal<u64>);

thread_local! {
    static COUNTERS: OnceCell<Option<Counters>> = const { OnceCell::new() };
    /// This thread's part of [`SETTLED`].
    static SETTLED_HERE: Cell<i64> = const { Cell::new(0) };
}

/// Bytes this thread has allocated minus those it has freed: negative for one that frees what
/// others made.
#[inline]
fn net_here() -> i64 {
    COUNTERS.with(|counters| {
        let open = || Some((thread::allocatedp::read().ok()?, thread::deallocatedp::read().ok()?));
        match counters.get_or_init(open) {
            Some((allocated, freed)) => allocated.get().wrapping_sub(freed.get()).cast_signed(),
            None => 0,
        }
    })
}

/// Bytes the program has allocated and not freed, as the allocator rounds them up. Exact for the
/// calling thread, and for others as of their last [`settle_thread`]. Costs a few loads.
#[inline]
#[must_use]
pub fn used_memory() -> u64 {
    let elsewhere = SETTLED.load(Ordering::Relaxed) - SETTLED_HERE.get();
    // A thread that has freed another's bytes may settle before that one does.
    u64::try_from(elsewhere + net_here()).unwrap_or(0)
}

/// Lets other threads know of what this one has allocated and freed. Helper threads call it after
/// each job.
pub fn settle_thread() {
    let net = net_here();
    SETTLED.fetch_add(net - SETTLED_HERE.replace(net), Ordering::Relaxed);
}

/// Gives back what the allocator keeps at hand for this thread.
pub fn flush_thread_cache() {
    // It fails only where there is no cache.
    let _ = void_control(c"thread.tcache.flush");
}

/// The allocator's statistics, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AllocatorStats {
    /// Handed out to the program, all threads.
    pub allocated: u64,
    /// In pages that hold something handed out.
    pub active: u64,
    /// For the allocator's own use.
    pub metadata: u64,
    /// Occupied in memory, with free pages not given back yet.
    pub resident: u64,
    /// In mappings.
    pub mapped: u64,
    /// Address space kept for later, without memory behind it.
    pub retained: u64,
    /// In free pages the kernel may take when it wants to.
    pub muzzy: u64,
}

/// Fresh statistics; zeros if the allocator keeps none.
#[must_use]
pub fn allocator_stats() -> AllocatorStats {
    if epoch::advance().is_err() {
        return AllocatorStats::default();
    }
    let bytes = |value: tikv_jemalloc_ctl::Result<usize>| value.map_or(0, u64_of);
    // SAFETY: 4096 stands for all arenas, and this statistic is a `size_t`.
    let muzzy_pages = unsafe { raw::read::<usize>(b"stats.arenas.4096.pmuzzy\0") };
    AllocatorStats {
        allocated: bytes(stats::allocated::read()),
        active: bytes(stats::active::read()),
        metadata: bytes(stats::metadata::read()),
        resident: bytes(stats::resident::read()),
        mapped: bytes(stats::mapped::read()),
        retained: bytes(stats::retained::read()),
        muzzy: bytes(muzzy_pages) * page_bytes(),
    }
}

/// The allocator's name and version as INFO prints them: `jemalloc-5.3.0`.
#[must_use]
pub fn allocator_name() -> String {
    let full = version::read().unwrap_or_default();
    format!("jemalloc-{}", full.split(['-', '\0']).next().unwrap_or_default())
}

/// Gives every free page back to the kernel. Milliseconds for each gigabyte.
///
/// # Errors
/// The allocator's, as an error of the system.
pub fn purge() -> io::Result<()> {
    void_control(c"arena.4096.purge")
}

/// Whether the allocator purges free pages on a thread of its own; the directive
/// `jemalloc-bg-thread`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackgroundPurge {
    /// On its own thread.
    On,
    /// In passing, on the threads that allocate.
    Off,
}

/// Starts or stops the allocator's thread. After daemonizing: a fork loses it.
///
/// # Errors
/// If the allocator was built without, as an error of the system.
pub fn set_background_purge(purge: BackgroundPurge) -> io::Result<()> {
    write_number(c"background_thread", i64::from(purge == BackgroundPurge::On))
}

/// The allocator's own report, some tens of kilobytes of text.
#[must_use]
pub fn allocator_report() -> String {
    extern "C" fn append(report: *mut libc::c_void, text: *const libc::c_char) {
        // SAFETY: the pointer is the one passed below, to a live vector that nobody else uses.
        let report = unsafe { &mut *report.cast::<Vec<u8>>() };
        // SAFETY: the allocator passes a string that ends in a NUL.
        let text = unsafe { std::ffi::CStr::from_ptr(text) };
        report.extend_from_slice(text.to_bytes());
    }
    // Large enough that `append`, called by the allocator, need not allocate at every line.
    let mut report: Vec<u8> = Vec::with_capacity(256 * 1024);
    let pointer: *mut Vec<u8> = &raw mut report;
    // SAFETY: `append` is only called during this call, with `pointer`, which stays valid; the
    // options may be null.
    unsafe {
        tikv_jemalloc_sys::malloc_stats_print(Some(append), pointer.cast(), std::ptr::null());
    }
    String::from_utf8_lossy(&report).into_owned()
}

/// What a control of the allocator says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Control {
    /// The value it has, or had before it was set.
    Number(i64),
    /// The text it has.
    Text(String),
    /// It has no value.
    Done,
}

/// Reads or sets a numeric control by its name: DEBUG MALLCTL.
///
/// Only what is harmless can be set: a wrong value elsewhere would be as good as a wild pointer.
///
/// # Errors
/// The allocator's, as an error of the system: `ENOENT` for an unknown name, `EPERM` for one that
/// cannot be read or set, `EINVAL` for a wrong value.
pub fn number_control(name: &str, value: Option<i64>) -> io::Result<Control> {
    let name_c = c_name(name)?;
    let Some(value) = value else { return read_number(&name_c).map(Control::Number) };
    if !is_settable(name) {
        return Err(io::Error::from_raw_os_error(libc::EPERM));
    }
    let before = read_number(&name_c)?;
    write_number(&name_c, value)?;
    Ok(Control::Number(before))
}

/// Reads a control whose value is text, or runs one that has none (the value `VOID`): DEBUG
/// MALLCTL-STR.
///
/// # Errors
/// As [`number_control`]; text cannot be set.
pub fn text_control(name: &str, value: Option<&str>) -> io::Result<Control> {
    let name_c = c_name(name)?;
    match value {
        Some("VOID") if is_harmless_action(name) => void_control(&name_c).map(|()| Control::Done),
        None if is_text(name) => read_text(&name_c).map(Control::Text),
        Some(_) | None => Err(io::Error::from_raw_os_error(libc::EPERM)),
    }
}

/// `name` without its numbers: `arena.0.purge` is `arena.*.purge`.
fn pattern_of(name: &str) -> String {
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    name.split('.')
        .map(|part| if is_number(part) { "*" } else { part })
        .collect::<Vec<_>>()
        .join(".")
}

/// The numeric controls that may be set.
fn is_settable(name: &str) -> bool {
    matches!(
        pattern_of(name).as_str(),
        "background_thread"
            | "max_background_threads"
            | "epoch"
            | "thread.tcache.enabled"
            | "arenas.dirty_decay_ms"
            | "arenas.muzzy_decay_ms"
            | "arena.*.dirty_decay_ms"
            | "arena.*.muzzy_decay_ms"
    )
}

/// The controls without a value that leave the program's memory alone.
fn is_harmless_action(name: &str) -> bool {
    matches!(
        pattern_of(name).as_str(),
        "thread.tcache.flush" | "thread.idle" | "arena.*.purge" | "arena.*.decay"
    )
}

/// The controls whose value is a pointer to text. Of no other may the value be followed.
fn is_text(name: &str) -> bool {
    matches!(
        pattern_of(name).as_str(),
        "version"
            | "config.malloc_conf"
            | "opt.dss"
            | "opt.junk"
            | "opt.metadata_thp"
            | "opt.percpu_arena"
            | "opt.thp"
            | "opt.zero_realloc"
            | "arena.*.dss"
            | "stats.arenas.*.dss"
    )
}

fn c_name(name: &str) -> io::Result<CString> {
    CString::new(name).map_err(|_| io::Error::from_raw_os_error(libc::ENOENT))
}

fn result_of(status: libc::c_int) -> io::Result<()> {
    if status == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(status)) }
}

fn void_control(name: &CStr) -> io::Result<()> {
    // SAFETY: `name` is a live string, and without value pointers the allocator touches none. The
    // callers name actions that do not invalidate memory in use.
    result_of(unsafe {
        tikv_jemalloc_sys::mallctl(
            name.as_ptr(),
            ptr::null_mut(),
            ptr::null_mut(),
            ptr::null_mut(),
            0,
        )
    })
}

/// Reads into as many bytes as the control has: the allocator tells by refusing other lengths.
fn read_number(name: &CStr) -> io::Result<i64> {
    for width in [8_usize, 4, 1] {
        let mut value = [0_u8; 8];
        let mut length = width;
        // SAFETY: `name` is a live string; the value pointer is to `length` writable bytes.
        let status = unsafe {
            tikv_jemalloc_sys::mallctl(
                name.as_ptr(),
                value.as_mut_ptr().cast(),
                &raw mut length,
                ptr::null_mut(),
                0,
            )
        };
        if status != libc::EINVAL {
            return result_of(status).map(|()| i64::from_le_bytes(to_little_endian(value, width)));
        }
    }
    Err(io::Error::from_raw_os_error(libc::EINVAL))
}

/// The first `width` bytes, of the machine's order, as a 64-bit little-endian number.
fn to_little_endian(mut value: [u8; 8], width: usize) -> [u8; 8] {
    if cfg!(target_endian = "big") {
        value[..width].reverse();
    }
    value
}

/// Sets a control that [`is_settable`] lists: a `bool`, a 32-bit or a 64-bit number.
fn write_number(name: &CStr, value: i64) -> io::Result<()> {
    let unsigned = value.cast_unsigned();
    // A byte is a `bool`: no other value may get in.
    let byte = [low_u8(unsigned & 1)];
    let candidates: [(&[u8], bool); 3] = [
        (&unsigned.to_ne_bytes(), true),
        (&low_u32(unsigned).to_ne_bytes(), u32::try_from(value).is_ok()),
        (&byte, value == 0 || value == 1),
    ];
    for (bytes, fits) in candidates {
        if !fits {
            continue;
        }
        // SAFETY: `name` is a live string; the value is as many readable bytes as said, and valid
        // for each type of that length among the settable controls. The allocator copies it.
        let status = unsafe {
            tikv_jemalloc_sys::mallctl(
                name.as_ptr(),
                ptr::null_mut(),
                ptr::null_mut(),
                bytes.as_ptr().cast_mut().cast(),
                bytes.len(),
            )
        };
        if status != libc::EINVAL {
            return result_of(status);
        }
    }
    Err(io::Error::from_raw_os_error(libc::EINVAL))
}

/// Reads a control that [`is_text`] lists.
fn read_text(name: &CStr) -> io::Result<String> {
    let mut text: *const c_char = ptr::null();
    let mut length = size_of_val(&text);
    // SAFETY: `name` is a live string; the value pointer is to `length` writable bytes.
    result_of(unsafe {
        tikv_jemalloc_sys::mallctl(
            name.as_ptr(),
            (&raw mut text).cast(),
            &raw mut length,
            ptr::null_mut(),
            0,
        )
    })?;
    if text.is_null() {
        return Ok(String::new());
    }
    // SAFETY: the listed controls hold pointers to static strings.
    Ok(unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned())
}

/// Bytes of this process in memory; 0 where `/proc` does not tell.
#[must_use]
pub fn rss_bytes() -> u64 {
    let pages = fs::read_to_string("/proc/self/statm").ok().and_then(|text| rss_pages(&text));
    pages.unwrap_or(0) * page_bytes()
}

/// The most bytes this process has had in memory; 0 where `/proc` does not tell.
#[must_use]
pub fn peak_rss_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    kib_field(&status, "VmHWM:").unwrap_or(0) * 1024
}

/// The second field is the resident set.
fn rss_pages(statm: &str) -> Option<u64> {
    statm.split_whitespace().nth(1)?.parse().ok()
}

/// The number of kibibytes on the line that starts with `label`.
fn kib_field(text: &str, label: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(label))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::alloc::{GlobalAlloc, Layout};

    /// The tests run on the system's allocator; jemalloc is asked directly.
    struct Block(*mut u8, Layout);

    impl Block {
        fn new(size: usize) -> Block {
            let layout = Layout::from_size_align(size, 8).unwrap();
            // SAFETY: the size is not zero.
            Block(unsafe { tikv_jemallocator::Jemalloc.alloc(layout) }, layout)
        }
    }

    impl Drop for Block {
        fn drop(&mut self) {
            // SAFETY: allocated in `new` with this layout.
            unsafe { tikv_jemallocator::Jemalloc.dealloc(self.0, self.1) };
        }
    }

    // SAFETY: the block is owned by one place, and any thread may free it.
    unsafe impl Send for Block {}

    #[test]
    fn used_memory_counts_every_thread() {
        let before = used_memory();
        let block = Block::new(3 << 20);
        let small = Block::new(32);
        assert_eq!(used_memory() - before, (3 << 20) + 32);
        drop(small);
        assert_eq!(used_memory() - before, 3 << 20);
        settle_thread();
        assert_eq!(used_memory() - before, 3 << 20, "settling changes nothing here");
        let seen = std::thread::spawn(move || {
            let seen = used_memory();
            drop(block);
            settle_thread();
            seen
        });
        assert!(seen.join().unwrap() >= 3 << 20, "another thread sees it");
        assert_eq!(used_memory(), before, "and this one sees it freed");
    }

    #[test]
    fn statistics_are_ordered_as_they_must_be() {
        let _block = Block::new(1 << 20);
        let stats = allocator_stats();
        assert!(stats.allocated >= 1 << 20);
        assert!(stats.active >= stats.allocated && stats.mapped >= stats.active, "{stats:?}");
        assert!(stats.resident > 0 && stats.metadata > 0, "{stats:?}");
        assert!(allocator_name().starts_with("jemalloc-5."), "{}", allocator_name());
        purge().unwrap();
    }

    #[test]
    fn numbers_of_every_width_are_read() {
        let check = |name: &str, expected: Result<i64, i32>| {
            let found = number_control(name, None).map_err(|error| error.raw_os_error().unwrap());
            assert_eq!(found, expected.map(Control::Number), "{name}");
        };
        check("arenas.page", Ok(4096));
        check("config.stats", Ok(1));
        check("arenas.nbins", Ok(read_number(c"arenas.nbins").unwrap()));
        check("no.such.name", Err(libc::ENOENT));
        check("arena.0.reset", Err(libc::EPERM));
        check("a\0b", Err(libc::ENOENT));
    }

    #[test]
    fn only_the_harmless_is_set() {
        let refusal = |name: &str, value| {
            number_control(name, Some(value)).unwrap_err().raw_os_error().unwrap()
        };
        let name = "arena.0.muzzy_decay_ms";
        let Control::Number(before) = number_control(name, Some(1234)).unwrap() else { panic!() };
        assert_eq!(number_control(name, Some(before)).unwrap(), Control::Number(1234));
        assert_eq!(refusal("arena.0.extent_hooks", 8), libc::EPERM);
        assert_eq!(refusal("thread.arena", 1), libc::EPERM);
        assert_eq!(refusal("thread.tcache.enabled", 7), libc::EINVAL, "not a truth value");
    }

    #[test]
    fn text_is_read_and_actions_are_run() {
        assert_eq!(text_control("thread.tcache.flush", Some("VOID")).unwrap(), Control::Done);
        assert_eq!(text_control("arena.0.purge", Some("VOID")).unwrap(), Control::Done);
        assert!(
            matches!(text_control("version", None), Ok(Control::Text(text)) if text.starts_with('5'))
        );
        text_control("arena.0.reset", Some("VOID")).unwrap_err();
        text_control("arenas.page", None).unwrap_err();
        text_control("arena.0.dss", Some("primary")).unwrap_err();
    }

    #[test]
    fn the_process_occupies_memory() {
        assert!(rss_bytes() > 1 << 20);
        assert!(peak_rss_bytes() >= rss_bytes() / 2);
        assert_eq!(rss_pages("900 300 200 1 0 2 0\n"), Some(300));
        assert_eq!(kib_field("VmPeak:\t 9 kB\nVmHWM:\t    7108 kB\n", "VmHWM:"), Some(7108));
        assert_eq!(kib_field("VmPeak:\t 9 kB\n", "VmHWM:"), None);
    }
}
