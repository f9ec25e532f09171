#!/usr/bin/env python3
"""Debian's packages of Redis 7.0.15, source and programs, on whatever Debian this machine runs.

Everything is fetched from bookworm into a cache under target/, with apt directories of our own:
the machine's package lists and sources stay as they are, nothing is installed, no daemon starts,
and no root rights are needed. Nothing of it is ever committed.

Run as a program, it prints a folder with redis-server, redis-cli, redis-benchmark,
redis-check-aof, redis-check-rdb and prometheus-redis-exporter, to be put in front of PATH.
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
CACHE = os.path.join(REPOSITORY, "target", "debian")
KEYRINGS = "/usr/share/keyrings/debian-archive-keyring.*"

# redis-tools holds the whole server as well: the check tools are the server under other names.
PROGRAMS = {
    "redis-server": "redis-check-rdb",
    "redis-cli": "redis-cli",
    "redis-benchmark": "redis-benchmark",
    "redis-check-aof": "redis-check-aof",
    "redis-check-rdb": "redis-check-rdb",
    "prometheus-redis-exporter": "prometheus-redis-exporter",
}
# With the libraries that a machine may lack or have in another version.
PACKAGES = ["redis-tools", "prometheus-redis-exporter",
            "libatomic1", "libjemalloc2", "liblzf1", "libssl3"]


class SetupError(Exception):
    """Something that must be put right before any test can run."""


def source_tree():
    """The unpacked source package; fetched on first use."""
    return cached(f"redis-{VERSION}", unpack_source)


def programs():
    """The folder of the programs; fetched on first use."""
    return os.path.join(cached("programs", unpack_programs), "bin")


def tcl_tls():
    """The folder of Tcl's TLS package; fetched on first use."""
    return glob.glob(cached("tcl-tls", unpack_tcl_tls) + "/usr/lib/tcltk/*/tcltls*")[0]


def cached(name, unpack):
    """CACHE/name, made by `unpack(apt, part)` in a scratch folder and moved into place whole."""
    path, part = os.path.join(CACHE, name), os.path.join(CACHE, "part")
    os.makedirs(CACHE, exist_ok=True)
    with open(os.path.join(CACHE, ".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.isdir(path):
            print(f"fetching {name} from Debian", file=sys.stderr)
            shutil.rmtree(part, ignore_errors=True)
            os.makedirs(part)
            try:
                unpack(prepare_apt(part), part, path)
            except FileNotFoundError as error:
                raise SetupError(f"{error.filename} is missing (Debian's apt and dpkg-dev)") from error
            shutil.rmtree(part)
    return path


def unpack_source(apt, part, path):
    run([*apt, "source", "redis"], part)
    unpacked = os.path.join(part, f"redis-{VERSION}")
    if not os.path.isdir(unpacked):
        raise SetupError(f"bookworm's redis is no longer version {VERSION}")
    os.rename(unpacked, path)


def unpack_programs(apt, part, path):
    run([*apt, "download", *PACKAGES], part)
    root = os.path.join(part, "root")
    for package in glob.glob(part + "/*.deb"):
        run(["dpkg-deb", "-x", package, root], part)
    whole = os.path.join(part, "whole")
    os.makedirs(whole + "/bin")
    os.makedirs(whole + "/lib")
    for library in glob.glob(f"{root}/usr/lib/*/*.so*") + glob.glob(f"{root}/lib/*/*.so*"):
        shutil.copy2(library, whole + "/lib")  # follows links
    for name, file in PROGRAMS.items():
        shutil.copy2(f"{root}/usr/bin/{file}", f"{whole}/lib/{name}")
        # `exec` keeps the process id; the name it is called by tells the server what to be.
        with open(f"{whole}/bin/{name}", "w") as f:
            f.write(f'#!/bin/bash\nexport LD_LIBRARY_PATH="{path}/lib"\n'
                    f'exec -a "$0" "{path}/lib/{name}" "$@"\n')
        os.chmod(f"{whole}/bin/{name}", 0o755)
    os.rename(whole, path)


def unpack_tcl_tls(apt, part, path):
    run([*apt, "download", "tcl-tls"], part)
    whole = os.path.join(part, "whole")
    for package in glob.glob(part + "/*.deb"):
        run(["dpkg-deb", "-x", package, whole], part)
    os.rename(whole, path)


def prepare_apt(part):
    """An apt-get with its own directories, its package lists up to date."""
    for directory in ("lists/partial", "cache/archives/partial"):
        os.makedirs(os.path.join(part, directory))
    with open(f"{part}/sources.list", "w") as f:
        f.write(bookworm_sources())
    with open(f"{part}/status", "w"):
        pass  # no package is installed: what this machine has does not count
    apt = ["apt-get", "-qq", "-o", f"Dir::Etc::SourceList={part}/sources.list",
           "-o", "Dir::Etc::SourceParts=-", "-o", f"Dir::State::Lists={part}/lists",
           "-o", f"Dir::State::Status={part}/status", "-o", f"Dir::Cache={part}/cache",
           "-o", "APT::Sandbox::User=", "-o", "Acquire::Retries=3", "-o", "Acquire::Languages=none"]
    run([*apt, "update"], part)
    return apt


def bookworm_sources():
    """deb and deb-src lines for bookworm, from the mirrors that this machine uses already."""
    configured = ""
    for path in glob.glob("/etc/apt/sources.list") + glob.glob("/etc/apt/sources.list.d/*"):
        with open(path, errors="replace") as f:
            configured += f.read()
    keyring = next(iter(sorted(glob.glob(KEYRINGS))), None)
    option = f" [signed-by={keyring}]" if keyring else ""
    lines = ""
    for archive, suite in (("debian", "bookworm"), ("debian-security", "bookworm-security")):
        mirror = re.search(rf"(?m)^[^#\n]*?(https?://\S+/{archive})/?(?=\s|$)", configured)
        url = mirror.group(1) if mirror else f"http://deb.debian.org/{archive}"
        lines += "".join(f"{kind}{option} {url} {suite} main\n" for kind in ("deb", "deb-src"))
    return lines


def run(command, directory):
    done = subprocess.run(command, cwd=directory, stdin=subprocess.DEVNULL, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        raise SetupError(" ".join(command) + ":\n" + done.stdout)


if __name__ == "__main__":
    try:
        print(programs())
    except SetupError as error:
        sys.exit(f"debian.py: {error}")
