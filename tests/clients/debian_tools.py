#!/usr/bin/env python3
"""Debian's own tools at work on the server: redis-cli, redis-benchmark, prometheus-redis-exporter.

  tests/clients/debian_tools.py [SERVER]     default: target/release/carnelian-server
"""
import json
import re
import subprocess
import sys
import time
import unittest
import urllib.error
import urllib.request

sys.dont_write_bytecode = True
from server import PATIENCE_SECONDS, Server, choose_binary, free_port  # noqa: E402

BENCHMARKS = ["PING_INLINE", "PING_MBULK", "SET", "GET", "INCR", "MSET (10 keys)"]


class Tools(unittest.TestCase):
    def setUp(self):
        self.server = Server()
        self.addCleanup(self.server.stop)

    def cli(self, *arguments, given=b""):
        done = subprocess.run(["redis-cli", "-p", str(self.server.port), *arguments], input=given,
                              capture_output=True, timeout=PATIENCE_SECONDS, check=True)
        self.assertEqual(done.stderr, b"")
        return done.stdout.decode()

    def fill(self, count):
        commands = "".join(f"SET key:{n} {'v' * (1 + n % 100)}\r\n" for n in range(count))
        return self.cli("--pipe", given=commands.encode())

    def test_cli_runs_commands(self):
        self.assertEqual(self.cli("SET", "k", "a b"), "OK\n")
        self.assertEqual(self.cli("-x", "APPEND", "k", given=b"\0"), "4\n")
        self.assertEqual(self.cli("--no-raw", "GET", "k"), '"a b\\x00"\n')
        self.assertEqual(json.loads(self.cli("-3", "--json", "CONFIG", "GET", "port")),
                         {"port": str(self.server.port)})
        self.assertIn("ERR unknown command 'nosuch'", self.cli("nosuch"))
        self.assertEqual(self.cli("-r", "3", "INCR", "n"), "1\n2\n3\n")

    def test_cli_loads_a_stream_of_commands(self):
        self.assertIn("errors: 0, replies: 5000", self.fill(5000))
        self.assertEqual(self.cli("DBSIZE"), "5000\n")

    def test_cli_looks_for_keys(self):
        self.fill(300)
        self.assertEqual(len(self.cli("--scan", "--pattern", "key:1??").split()), 100)
        self.assertRegex(self.cli("--bigkeys"), "300 strings with .* bytes")
        self.assertRegex(self.cli("--memkeys"), "300 strings with .* bytes")

    def test_benchmark_runs(self):
        done = subprocess.run(
            ["redis-benchmark", "-p", str(self.server.port), "-q", "-n", "20000", "-P", "16",
             "-r", "1000", "-t", "ping,set,get,incr,mset"],
            capture_output=True, text=True, timeout=60, check=True)
        self.assertNotRegex(done.stdout + done.stderr, "(?i)error|warning")
        for name in BENCHMARKS:
            self.assertRegex(done.stdout, rf"{re.escape(name)}: [0-9.]+ requests per second")

    def test_exporter_scrapes_without_an_error(self):
        self.fill(10)
        metrics, log = self.scrape()
        self.assertIn("redis_up 1", metrics)
        self.assertIn('redis_exporter_last_scrape_error{err=""} 0', metrics)
        self.assertIn('redis_db_keys{db="db0"} 10', metrics)
        self.assertIn('redis_commands_total{cmd="set"} 10', metrics)
        self.assertRegex(metrics, r"redis_memory_used_bytes [1-9]")
        self.assertNotRegex(log, "level=(warning|error|fatal)")

    def scrape(self):
        """The metrics, and what the exporter logged while it fetched them."""
        address = f"127.0.0.1:{free_port()}"
        exporter = subprocess.Popen(
            ["prometheus-redis-exporter", "-redis.addr", f"redis://127.0.0.1:{self.server.port}",
             "-web.listen-address", address, "-include-system-metrics", "-export-client-list",
             "-include-config-metrics", "-check-keys", "key:*"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            metrics = self.fetch(f"http://{address}/metrics")
        finally:
            exporter.terminate()
            log, _ = exporter.communicate(timeout=PATIENCE_SECONDS)
        return metrics, log

    def fetch(self, url):
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                with urllib.request.urlopen(url, timeout=PATIENCE_SECONDS) as reply:
                    return reply.read().decode()
            except urllib.error.URLError:
                self.assertLess(time.monotonic(), deadline, "the exporter does not start")
                time.sleep(0.05)


if __name__ == "__main__":
    choose_binary()
    unittest.main()
