//! File systems of our own: a small tmpfs, and an ext4 image on a loop device.
//!
//! They are mounted in a mount namespace of this process (`--private-mounts`), so that nothing is
//! left behind however the process ends.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::daemon::Failure;
use crate::options::{Options, Program};

/// How long a file system may be busy after its server's death.
const UNMOUNT_TIMEOUT: Duration = Duration::from_secs(10);

/// What a program needs to mount.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Need {
    /// Any namespace will do, that of an ordinary user included.
    Tmpfs,
    /// Root, and loop devices.
    Image,
}

/// Runs this program again where it may mount; prints why not if that is not possible here. Returns
/// whether something was wrong, as a number.
pub(crate) fn run_apart(options: &Options, program: Program, need: Need) -> Result<u64, Failure> {
    let Some(prefix) = namespace(need) else {
        let what = match need {
            Need::Tmpfs => "mount namespaces (unshare --mount)",
            Need::Image => "root, loop devices and mkfs.ext4",
        };
        println!(
            "faults: SKIPPED {}: it needs {what}, which this machine does not give",
            program.name()
        );
        return Ok(0);
    };
    let own = std::env::current_exe().map_err(Failure::io("finding this program"))?;
    let status = Command::new("setpriv")
        .args(["--pdeathsig", "KILL"])
        .args(prefix)
        .arg(own)
        .args([program.name(), "--private-mounts"])
        .args(options.words())
        .status()
        .map_err(Failure::io("running unshare"))?;
    Ok(u64::from(!status.success()))
}

/// The command that starts another one in a mount namespace of its own.
fn namespace(need: Need) -> Option<&'static [&'static str]> {
    const ROOT: &[&str] = &["unshare", "--mount"];
    const USER: &[&str] = &["unshare", "--user", "--map-root-user", "--mount"];
    let works = |prefix: &[&str], test: &str| {
        let output = Command::new(prefix[0]).args(&prefix[1..]).args(["sh", "-c", test]).output();
        output.is_ok_and(|output| output.status.success())
    };
    const TMPFS: &str = "mount -t tmpfs -o size=64k tmpfs /mnt";
    // A loop mount is tried in full: containers have root, and the command, and not the device.
    const IMAGE: &str = "mount -t tmpfs -o size=8m tmpfs /mnt && truncate -s 4M /mnt/i && \
        mkfs.ext4 -q /mnt/i && mkdir /mnt/m && mount -o loop /mnt/i /mnt/m";
    match need {
        Need::Tmpfs => [ROOT, USER].into_iter().find(|prefix| works(prefix, TMPFS)),
        Need::Image => works(ROOT, IMAGE).then_some(ROOT),
    }
}

/// A mounted file system; unmounted when dropped.
pub(crate) struct Mount {
    pub(crate) point: PathBuf,
    /// The image, if there is one.
    image: Option<PathBuf>,
}

impl Mount {
    /// An empty tmpfs of a fixed size.
    pub(crate) fn tmpfs(point: &Path, size_bytes: u64) -> Result<Mount, Failure> {
        make_folder(point)?;
        let size = format!("size={size_bytes}");
        run("mount", &["-t", "tmpfs", "-o", &size, "tmpfs"], &[point])?;
        Ok(Mount { point: point.to_owned(), image: None })
    }

    /// A new ext4 in the file `image`.
    pub(crate) fn ext4(image: &Path, point: &Path, size_mb: u64) -> Result<Mount, Failure> {
        make_folder(point)?;
        drop(std::fs::remove_file(image));
        run("truncate", &["-s", &format!("{size_mb}M")], &[image])?;
        run("mkfs.ext4", &["-q"], &[image])?;
        let mount = Mount { point: point.to_owned(), image: Some(image.to_owned()) };
        mount.mount_image()?;
        Ok(mount)
    }

    fn mount_image(&self) -> Result<(), Failure> {
        match &self.image {
            Some(image) => run("mount", &["-o", "loop"], &[image, &self.point]),
            None => Ok(()),
        }
    }

    /// Unmounts and mounts again: the journal is replayed, as when a machine starts again.
    pub(crate) fn remount(&self) -> Result<(), Failure> {
        self.unmount()?;
        self.mount_image()
    }

    fn unmount(&self) -> Result<(), Failure> {
        let start = Instant::now();
        loop {
            match run("umount", &[], &[&self.point]) {
                Ok(()) => return Ok(()),
                Err(failure) if start.elapsed() > UNMOUNT_TIMEOUT => return Err(failure),
                // The last process is about to close its files.
                Err(_) => thread::sleep(Duration::from_millis(5)),
            }
        }
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // The namespace ends with this process, whatever happens here.
        drop(self.unmount());
    }
}

fn make_folder(path: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(path).map_err(Failure::io("making a directory"))
}

fn run(program: &str, words: &[&str], paths: &[&Path]) -> Result<(), Failure> {
    let output = Command::new(program)
        .args(words)
        .args(paths)
        .output()
        .map_err(Failure::io(format!("running {program}")))?;
    match output.status.success() {
        true => Ok(()),
        false => {
            let text = String::from_utf8_lossy(&output.stderr).into_owned();
            Err(Failure::Other(format!("{program} {words:?} {paths:?}: {text}")))
        }
    }
}
