"""The Tcl suite of Redis 7.0.15: what it needs, and how a tree for running it is laid out."""
import glob
import os
import shutil
import subprocess
import sys

import debian

LOGS = os.path.join(debian.REPOSITORY, "target", "conformance", "logs")

# What must be on the PATH, and the Debian package that brings it.
NEEDED = {"dpkg-source": "dpkg-dev", "ps": "procps", "pgrep": "procps", "tclsh": "tcl"}
HELPERS = ("redis-cli", "redis-benchmark", "redis-check-aof", "redis-check-rdb")

# Expectations that stand outside of any test, so that they would end their file, and that 7.4 does not
# meet: file, the text, the same for 7.4. deviations.tsv is for all that stand in tests.
NEWER = [
    # Since 7.2 a short list is one listpack.
    ("unit/sort", '16 lpush quicklist "Old Ziplist"', '16 lpush listpack "Old Ziplist"'),
]

# Tests that only run over TLS and that ours need not pass: file, test, reason.
NOT_OVER_TLS = [
    ("unit/tls", "TLS: Verify tls-ciphers behaves as expected",
     "its ciphers are without forward secrecy, which is refused"),
    ("unit/tls", "TLS: Verify tls-prefer-server-ciphers behaves as expected",
     "its ciphers are without forward secrecy, which is refused"),
    ("unit/tls", "TLS: Verify tls-cert-file is also used as a client cert if none specified",
     "its certificate is of X.509 version 1, which is refused"),
]


def install_missing_packages():
    """Installs what the suite needs where that is possible, else says what to install."""
    packages = sorted({p for program, p in NEEDED.items() if not shutil.which(program)})
    if not packages:
        return
    command = ["apt-get", "install", "-y", "-q", "--no-install-recommends", *packages]
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise debian.SetupError("missing programs; as root: " + " ".join(command))
    print("conformance: installing " + " ".join(packages), file=sys.stderr)
    environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    for step in (["apt-get", "update", "-q"], command):
        subprocess.run(step, check=True, stdout=subprocess.DEVNULL, env=environment)


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


def lay_out(tree, programs, directory, server, with_modules):
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
    for name in HELPERS:
        shutil.copy2(f"{programs}/{name}", f"{directory}/src/{name}")
    shutil.copy2(os.path.realpath(server), f"{directory}/src/redis-server")
    os.symlink("redis-server", f"{directory}/src/redis-sentinel")
    if with_modules:
        subprocess.run(["make", "-s", "-C", f"{directory}/tests/modules"], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def prepare_tls(directory, is_genuine):
    """Certificates for a scratch tree, by the suite's own script. Parameters of a Diffie-Hellman exchange,
    which ours refuses, are left out of the configuration."""
    os.makedirs(f"{directory}/tests/tls")
    if not is_genuine:
        with open(f"{directory}/tests/tls/redis.dh", "w"):
            pass  # takes long to make, and is not used
        path = f"{directory}/tests/support/server.tcl"
        with open(path) as f:
            lines = f.readlines()
        with open(path, "w") as f:
            f.writelines(line for line in lines if "tls-dh-params-file" not in line)
    subprocess.run(["bash", "utils/gen-test-certs.sh"], cwd=directory, check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def expect_newer(directory):
    """Puts the expectations of `NEWER` into a scratch tree, for a server that answers as 7.4."""
    for file, old, new in NEWER:
        path = f"{directory}/tests/{file}.tcl"
        with open(path) as f:
            text = f.read()
        if text.count(old) != 1:
            raise debian.SetupError(f"{file}.tcl does not say once: {old}")
        with open(path, "w") as f:
            f.write(text.replace(old, new))
