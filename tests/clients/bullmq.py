#!/usr/bin/env python3
"""BullMQ, the job queue of Node.js, doing its job: `bullmq_jobs.mjs` on a server of its own.

  tests/clients/bullmq.py [SERVER]     default: target/release/carnelian-server

Installs the packages of `package.json` into target/node unless they are there.
"""
import os
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
from server import REPOSITORY, Server, choose_binary  # noqa: E402

FOLDER = os.path.join(REPOSITORY, "target/node")
FILES = ["package.json", "bullmq_jobs.mjs"]


def install():
    """Copies the session beside its packages, and fetches these if they changed."""
    os.makedirs(FOLDER, exist_ok=True)
    here = os.path.dirname(os.path.abspath(__file__))
    known = os.path.join(FOLDER, "installed.json")
    for name in FILES:
        shutil.copy(os.path.join(here, name), FOLDER)
    with open(os.path.join(FOLDER, "package.json")) as wanted:
        wanted = wanted.read()
    if os.path.exists(known) and open(known).read() == wanted:
        return
    subprocess.run(["npm", "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"],
                   cwd=FOLDER, check=True)
    with open(known, "w") as file:
        file.write(wanted)


def main():
    choose_binary()
    install()
    server = Server()
    try:
        environment = {**os.environ, "PORT": str(server.port)}
        session = subprocess.run(["node", "--test", "bullmq_jobs.mjs"], cwd=FOLDER,
                                 env=environment, timeout=120)
        return session.returncode
    finally:
        server.stop()


if __name__ == "__main__":
    sys.exit(main())
