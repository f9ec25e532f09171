//! Facts about the machine and the process that INFO prints.

use std::ffi::CStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Whose processor time [`cpu_usage`] reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CpuScope {
    /// All threads of this process.
    Process,
    /// Children that have ended and been waited for.
    Children,
    /// The calling thread alone.
    Thread,
}

/// Processor time consumed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CpuUsage {
    /// In user mode, microseconds.
    pub user_us: u64,
    /// In the kernel, microseconds.
    pub system_us: u64,
}

/// Processor time of `scope` so far. One system call.
pub fn cpu_usage(scope: CpuScope) -> CpuUsage {
    let who = match scope {
        CpuScope::Process => libc::RUSAGE_SELF,
        CpuScope::Children => libc::RUSAGE_CHILDREN,
        CpuScope::Thread => libc::RUSAGE_THREAD,
    };
    // SAFETY: all-zero bytes are a valid rusage, a struct of integers.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: `usage` is a live rusage to write to.
    let status = unsafe { libc::getrusage(who, &raw mut usage) };
    assert_eq!(status, 0, "getrusage accepts its three scopes");
    CpuUsage { user_us: micros(usage.ru_utime), system_us: micros(usage.ru_stime) }
}

fn micros(time: libc::timeval) -> u64 {
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    seconds * 1_000_000 + u64::try_from(time.tv_usec).unwrap_or(0)
}

/// The operating system as INFO prints it: name, release and machine, as in `Linux 6.1.0 x86_64`.
pub fn os_description() -> String {
    let uname = uname();
    let [name, release, machine] =
        [&uname.sysname, &uname.release, &uname.machine].map(|field| text(field));
    format!("{name} {release} {machine}")
}

/// The machine's name.
pub fn hostname() -> String {
    text(&uname().nodename)
}

fn uname() -> libc::utsname {
    // SAFETY: all-zero bytes are a valid utsname, a struct of character arrays.
    let mut name: libc::utsname = unsafe { std::mem::zeroed() };
    // SAFETY: `name` is a live utsname to write to.
    let status = unsafe { libc::uname(&raw mut name) };
    assert_eq!(status, 0, "uname fails on a bad pointer only");
    name
}

fn text(field: &[libc::c_char]) -> String {
    // SAFETY: the kernel ends every field of a utsname with a NUL inside the array.
    let text = unsafe { CStr::from_ptr(field.as_ptr()) };
    text.to_string_lossy().into_owned()
}

/// The absolute path of the running executable.
///
/// # Errors
/// Where `/proc` is not mounted.
pub fn executable() -> io::Result<PathBuf> {
    std::env::current_exe()
}

/// Physical memory of the machine in bytes.
pub fn total_memory_bytes() -> u64 {
    // SAFETY: sysconf has no preconditions.
    let pages = unsafe { libc::sysconf(libc::_SC_PHYS_PAGES) };
    u64::try_from(pages).unwrap_or(0) * page_bytes()
}

/// Bytes of a memory page.
pub fn page_bytes() -> u64 {
    // SAFETY: sysconf has no preconditions.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    u64::try_from(size).expect("the page size is always known")
}

/// The tightest memory limit among the control groups this process is in; `None` if it has none.
pub fn memory_limit_bytes() -> Option<u64> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    memory_limit_in(Path::new("/sys/fs/cgroup"), &groups)
}

/// Physical memory of the machine, or what a control group leaves of it, bytes.
pub fn available_memory_bytes() -> u64 {
    let machine = total_memory_bytes();
    memory_limit_bytes().map_or(machine, |limit| limit.min(machine))
}

/// The limit among `groups` (the text of `/proc/self/cgroup`), whose tree is mounted at `mount`.
/// Version 2 has one tree with `memory.max`, version 1 a tree for memory alone.
fn memory_limit_in(mount: &Path, groups: &str) -> Option<u64> {
    groups
        .lines()
        .filter_map(|line| {
            let mut fields = line.splitn(3, ':').skip(1);
            let (controllers, path) = (fields.next()?, fields.next()?);
            if controllers.is_empty() {
                return tightest(mount, path, "memory.max");
            }
            let is_memory = controllers.split(',').any(|name| name == "memory");
            is_memory.then(|| tightest(&mount.join("memory"), path, "memory.limit_in_bytes"))?
        })
        .min()
}

/// The smallest number in the files called `file` from group `path` up to the tree's root. A limit
/// of an outer group binds the inner ones. Inside a container the path may not be visible, only
/// the root, which then is the container's own group.
fn tightest(tree: &Path, path: &str, file: &str) -> Option<u64> {
    /// Version 1 writes "no limit" as the largest multiple of the page size.
    const UNLIMITED: u64 = 1 << 62;
    let group = tree.join(path.trim_start_matches('/'));
    group
        .ancestors()
        .take_while(|directory| directory.starts_with(tree))
        .filter_map(|directory| fs::read_to_string(directory.join(file)).ok())
        .filter_map(|text| text.trim().parse().ok())
        .filter(|limit| *limit < UNLIMITED)
        .min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_os_is_named_in_three_words() {
        let name = os_description();
        assert!(name.starts_with("Linux "), "{name}");
        assert_eq!(name.split(' ').count(), 3, "{name}");
        assert!(!hostname().is_empty());
    }

    #[test]
    fn processor_time_grows() {
        let before = cpu_usage(CpuScope::Process);
        let mut x = 1_u64;
        while cpu_usage(CpuScope::Process) == before {
            x = std::hint::black_box(x.wrapping_mul(31));
        }
        let total = |usage: CpuUsage| usage.user_us + usage.system_us;
        assert!(total(cpu_usage(CpuScope::Thread)) <= total(cpu_usage(CpuScope::Process)));
    }

    #[test]
    fn memory_is_counted_in_pages() {
        assert!(page_bytes().is_power_of_two());
        assert!(total_memory_bytes() > (1 << 26));
    }

    #[test]
    fn the_outer_control_group_binds_the_inner() {
        let mount = tempfile::tempdir().unwrap();
        let inner = mount.path().join("a/b");
        fs::create_dir_all(&inner).unwrap();
        fs::write(inner.join("memory.max"), "max\n").unwrap();
        assert_eq!(memory_limit_in(mount.path(), "0::/a/b\n"), None);
        fs::write(mount.path().join("a/memory.max"), "1073741824\n").unwrap();
        assert_eq!(memory_limit_in(mount.path(), "0::/a/b\n"), Some(1 << 30));
        fs::write(inner.join("memory.max"), "4096\n").unwrap();
        assert_eq!(memory_limit_in(mount.path(), "0::/a/b\n"), Some(4096));
    }

    #[test]
    fn version_one_groups_and_hidden_paths() {
        let mount = tempfile::tempdir().unwrap();
        fs::create_dir_all(mount.path().join("memory")).unwrap();
        let limit = mount.path().join("memory/memory.limit_in_bytes");
        fs::write(&limit, "9223372036854771712\n").unwrap();
        let groups = "5:cpu,cpuacct:/x\n4:memory:/docker/hidden\n";
        assert_eq!(memory_limit_in(mount.path(), groups), None);
        fs::write(&limit, "268435456\n").unwrap();
        assert_eq!(memory_limit_in(mount.path(), groups), Some(1 << 28));
    }
}
