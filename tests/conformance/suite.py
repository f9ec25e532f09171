"""The Tcl suite of Redis 7.0.15: where it comes from and how a tree for running it is laid out.

The source package is fetched from Debian's bookworm with apt-get into a cache under target/, with
apt directories of our own: the machine's package lists and sources stay as they are, and no root
rights are needed for it. Nothing of it is ever committed.
"""
import fcntl
import glob
import os
import re
import shutil
import subprocess
import sys

VERSION = "7.0.15"
REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CACHE = os.path.join(REPOSITORY, "target", "conformance")

# What must be on the PATH, and the Debian package that brings it.
NEEDED = {
    "dpkg-source": "dpkg-dev",
    "ps": "procps",
    "pgrep": "procps",
    "tclsh": "tcl",
    "redis-cli": "redis-tools",
    "redis-benchmark": "redis-tools",
    "redis-check-aof": "redis-tools",
    "redis-check-rdb": "redis-tools",
}
HELPERS = ("redis-cli", "redis-benchmark", "redis-check-aof", "redis-check-rdb")


class SetupError(Exception):
    """Something that must be put right before any test can run."""


def install_missing_packages():
    """Installs what the suite needs where that is possible, else says what to install."""
    packages = sorted({p for program, p in NEEDED.items() if not shutil.which(program)})
    if not packages:
        return
    command = ["apt-get", "install", "-y", "-q", "--no-install-recommends", *packages]
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise SetupError("missing programs; as root: " + " ".join(command))
    print("conformance: installing " + " ".join(packages), file=sys.stderr)
    environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    for step in (["apt-get", "update", "-q"], command):
        subprocess.run(step, check=True, stdout=subprocess.DEVNULL, env=environment)


def source_tree():
    """The unpacked source package; fetched on first use."""
    tree = os.path.join(CACHE, f"redis-{VERSION}")
    os.makedirs(CACHE, exist_ok=True)
    with open(os.path.join(CACHE, ".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(os.path.join(tree, "tests", "test_helper.tcl")):
            fetch(tree)
    return tree


def fetch(tree):
    print(f"conformance: fetching Debian's source package of Redis {VERSION}", file=sys.stderr)
    part = os.path.join(CACHE, "part")
    shutil.rmtree(part, ignore_errors=True)
    for directory in ("lists/partial", "cache/archives/partial"):
        os.makedirs(os.path.join(part, directory))
    with open(os.path.join(part, "sources.list"), "w") as f:
        f.write(apt_sources())
    apt = ["apt-get", "-qq", "-o", f"Dir::Etc::SourceList={part}/sources.list",
           "-o", "Dir::Etc::SourceParts=-", "-o", f"Dir::State::Lists={part}/lists",
           "-o", f"Dir::Cache={part}/cache", "-o", "APT::Sandbox::User=",
           "-o", "Acquire::Retries=3", "-o", "Acquire::Languages=none"]
    subprocess.run([*apt, "update"], check=True)
    subprocess.run([*apt, "source", "redis"], check=True, cwd=part, stdout=subprocess.DEVNULL)
    unpacked = os.path.join(part, f"redis-{VERSION}")
    if not os.path.isdir(unpacked):
        found = [os.path.basename(p) for p in glob.glob(part + "/redis-*") if os.path.isdir(p)]
        raise SetupError(f"Debian's package is {found}, not redis-{VERSION}")
    shutil.rmtree(tree, ignore_errors=True)
    os.rename(unpacked, tree)
    shutil.rmtree(part)


def apt_sources():
    """deb-src lines for bookworm, from the mirrors that this machine uses already."""
    configured = ""
    for path in glob.glob("/etc/apt/sources.list") + glob.glob("/etc/apt/sources.list.d/*"):
        with open(path, errors="replace") as f:
            configured += f.read()
    keyring = next((k for k in glob.glob("/usr/share/keyrings/debian-archive-keyring.*")), None)
    option = f"[signed-by={keyring}] " if keyring else ""
    lines = ""
    for archive, suite in (("debian", "bookworm"), ("debian-security", "bookworm-security")):
        mirror = re.search(rf"(?m)^[^#\n]*?(https?://\S+/{archive})/?(?=\s|$)", configured)
        url = mirror.group(1) if mirror else f"http://deb.debian.org/{archive}"
        lines += f"deb-src {option}{url} {suite} main\n"
    return lines


def test_files(tree):
    """Every test file the baseline may know, by the key that is used for it everywhere."""
    keys = []
    for directory in ("unit", "unit/type", "unit/cluster", "unit/moduleapi", "integration"):
        for path in sorted(glob.glob(f"{tree}/tests/{directory}/*.tcl")):
            keys.append(f"{directory}/{os.path.basename(path)[:-4]}")
    for directory in ("cluster", "sentinel"):
        for path in sorted(glob.glob(f"{tree}/tests/{directory}/tests/*.tcl")):
            keys.append(f"{directory}/{os.path.basename(path)[:-4]}")
    return keys


def lay_out(tree, directory, server, with_modules):
    """One scratch tree: the tests, Debian's helper tools, and `server` as src/redis-server."""
    os.makedirs(f"{directory}/src")
    shutil.copytree(f"{tree}/tests", f"{directory}/tests", symlinks=True)
    shutil.copytree(f"{tree}/utils", f"{directory}/utils", symlinks=True)
    for temporary in ("tests/tmp", "tests/cluster/tmp", "tests/sentinel/tmp"):
        os.makedirs(f"{directory}/{temporary}", exist_ok=True)
    for path in glob.glob(f"{tree}/runtest*") + glob.glob(f"{tree}/*.conf"):
        shutil.copy2(path, directory)
    for path in glob.glob(f"{tree}/src/*.h") + glob.glob(f"{tree}/src/*.rb"):
        shutil.copy2(path, f"{directory}/src")
    # Copies, not links: a check tool is Debian's server binary under another name.
    for name in HELPERS:
        shutil.copy2(os.path.realpath(shutil.which(name)), f"{directory}/src/{name}")
    shutil.copy2(os.path.realpath(server), f"{directory}/src/redis-server")
    os.symlink("redis-server", f"{directory}/src/redis-sentinel")
    if with_modules:
        subprocess.run(["make", "-s", "-C", f"{directory}/tests/modules"], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def debian_server():
    """The genuine server: redis-tools holds the whole binary, under a check tool's name."""
    return os.path.realpath(shutil.which("redis-check-rdb"))
