#!/usr/bin/env python3
"""TLS beside Debian's Redis: server CPU per operation with redis-benchmark --tls.

  benches/tls.py [ROUNDS [SERVER]]     default: 3 rounds, target/release/carnelian-server

The server runs on core 1, the client on core 0. Prints rows for docs/benchmarks.md. Needs redis-server,
redis-benchmark, openssl and taskset on the PATH.
"""
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

CASES = [(test, depth) for depth in (1, 16) for test in ("get", "set")]
REQUESTS = {1: 200_000, 16: 1_500_000, 64: 4_000_000}


def openssl(directory, *arguments):
    subprocess.run(["openssl", *arguments], cwd=directory, check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def make_certificate(directory):
    openssl(directory, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-days", "9", "-subj", "/CN=localhost", "-keyout", "key", "-out", "crt",
            "-addext", "subjectAltName=IP:127.0.0.1")


def cpu_us(pid):
    """Processor time of all threads, microseconds."""
    total = 0
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/schedstat") as f:
            total += int(f.read().split()[0])
    return total / 1000


class Server:
    def __init__(self, program, directory, port):
        self.port = port
        # A script around the program would be another process than the one to be measured.
        self.process = subprocess.Popen(
            ["taskset", "-c", "1", program, "--port", "0", "--tls-port", str(port), "--tls-cert-file", "crt",
             "--tls-key-file", "key", "--tls-ca-cert-file", "crt", "--tls-auth-clients", "no", "--save", "",
             "--loglevel", "warning"],
            cwd=directory, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        time.sleep(1)

    def measure(self, directory, test, depth):
        before = cpu_us(self.process.pid)
        done = subprocess.run(
            ["taskset", "-c", "0", "redis-benchmark", "-p", str(self.port), "--tls", "--cacert", "crt",
             "-c", "50", "-r", "1000000", "-n", str(REQUESTS[depth]), "-P", str(depth), "-t", test, "--csv"],
            cwd=directory, check=True, capture_output=True, text=True)
        rate = float(done.stdout.splitlines()[1].split(",")[1].strip('"'))
        return (cpu_us(self.process.pid) - before) / REQUESTS[depth], rate

    def stop(self):
        self.process.terminate()
        self.process.wait()


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    ours = os.path.abspath(sys.argv[2] if len(sys.argv) > 2 else "target/release/carnelian-server")
    programs = {"Carnelian": ours, "Redis 7.0.15": shutil.which("redis-server")}
    found = {}
    with tempfile.TemporaryDirectory() as directory:
        make_certificate(directory)
        for number in range(rounds):
            for port, (name, program) in enumerate(programs.items(), 17800 + 2 * number):
                server = Server(program, directory, port)
                for test, depth in CASES:
                    found.setdefault((name, test, depth), []).append(server.measure(directory, test, depth))
                server.stop()
    for test, depth in CASES:
        us = {name: statistics.median(cost for cost, _ in found[name, test, depth]) for name in programs}
        rate = {name: statistics.median(rate for _, rate in found[name, test, depth]) for name in programs}
        mine, other = us.values()
        fast, slow = rate.values()
        print(f"| {test.upper()} | {depth} | {mine:.3f} | {other:.3f} | **{mine / other:.2f}** | "
              f"{fast / 1000:.0f} k | {slow / 1000:.0f} k |", flush=True)


if __name__ == "__main__":
    main()
