//! Settings of the kernel that make a data server slow or unsafe, and what can be done about them.

use std::fs;
use std::io;

use tracing::warn;

/// Whether this process may get huge pages unasked; the directive `disable-thp`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HugePages {
    /// Switched off for this process where the kernel has them on for all.
    Disable,
    /// Left as the kernel has them.
    Keep,
}

/// Warns of memory settings that hurt, and switches transparent huge pages off for this process.
/// Call it once, before the data is loaded.
pub fn prepare_memory(huge_pages: HugePages) {
    let setting = |path: &str| fs::read_to_string(path).unwrap_or_default();
    if refuses_overcommit(&setting("/proc/sys/vm/overcommit_memory")) {
        warn!(
            "WARNING Memory overcommit must be enabled! Without it, a background save or \
             replication may fail under low memory condition. To fix this issue add \
             'vm.overcommit_memory = 1' to /etc/sysctl.conf and then reboot or run the command \
             'sysctl vm.overcommit_memory=1' for this to take effect."
        );
    }
    if !are_huge_pages_on(&setting("/sys/kernel/mm/transparent_hugepage/enabled")) {
        return;
    }
    let disabled = match huge_pages {
        HugePages::Disable => disable_huge_pages().is_ok(),
        HugePages::Keep => false,
    };
    if !disabled {
        warn!(
            "WARNING You have Transparent Huge Pages (THP) support enabled in your kernel. This \
             costs memory and latency while a background save runs. To fix this issue run the \
             command 'echo madvise > /sys/kernel/mm/transparent_hugepage/enabled' as root, add it \
             to your start-up scripts, and restart the server."
        );
    }
}

/// A fork needs as much memory as the parent has only on paper; the kernel may insist on it.
fn refuses_overcommit(setting: &str) -> bool {
    matches!(setting.trim(), "0" | "2")
}

/// The active choice stands in brackets.
fn are_huge_pages_on(setting: &str) -> bool {
    setting.contains("[always]")
}

fn disable_huge_pages() -> io::Result<()> {
    // SAFETY: the option takes four numbers and no pointer.
    let status = unsafe { libc::prctl(libc::PR_SET_THP_DISABLE, 1, 0, 0, 0) };
    if status != 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::super::signal::tests::in_child;
    use super::*;

    #[test]
    fn settings_are_read_as_the_kernel_writes_them() {
        assert!(refuses_overcommit("0\n") && refuses_overcommit("2\n"));
        assert!(!refuses_overcommit("1\n") && !refuses_overcommit(""));
        assert!(are_huge_pages_on("[always] madvise never\n"));
        assert!(!are_huge_pages_on("always [madvise] never\n") && !are_huge_pages_on(""));
    }

    #[test]
    fn huge_pages_can_be_switched_off() {
        let (text, status) = in_child(|| {
            disable_huge_pages().unwrap();
            let status = fs::read_to_string("/proc/self/status").unwrap();
            let line = status.lines().find(|line| line.starts_with("THP_enabled")).unwrap();
            assert!(line.ends_with('0'), "{line}");
        });
        assert_eq!(libc::WEXITSTATUS(status), 77, "{text}");
    }
}
