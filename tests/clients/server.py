"""A server process for the sessions of this folder: a free port, a scratch directory, a clean end."""
import os
import socket
import subprocess
import sys
import tempfile
import time

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PATIENCE_SECONDS = 20
binary = os.path.join(REPOSITORY, "target/release/carnelian-server")


def choose_binary():
    """Takes another server from the first argument of the command line."""
    global binary
    if len(sys.argv) > 1 and not sys.argv[1].startswith("-"):
        binary = sys.argv.pop(1)


class Server:
    """One server process, with its scratch directory and its Unix socket."""

    def __init__(self, *directives, program=None, directory=None):
        """A server, or another program in its place; in a directory that stays, if one is given."""
        self.directory = directory or tempfile.TemporaryDirectory(prefix="carnelian-client-")
        self.stays = directory is not None
        self.port = free_port()
        self.socket = os.path.join(self.directory.name, "socket")
        self.log = os.path.join(self.directory.name, "log")
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [program or binary, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "",
                 "--dir", self.directory.name, "--unixsocket", self.socket, *directives],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.wait_until_ready()

    def wait_until_ready(self):
        deadline = time.monotonic() + PATIENCE_SECONDS
        while "Ready to accept connections" not in self.read_log():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the server does not start; its log:\n" + self.read_log())
            time.sleep(0.01)

    def read_log(self):
        with open(self.log, errors="replace") as log:
            return log.read()

    def stop(self):
        self.process.terminate()
        try:
            return self.process.wait(PATIENCE_SECONDS)
        finally:
            self.process.kill()
            if not self.stays:
                self.directory.cleanup()


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]
