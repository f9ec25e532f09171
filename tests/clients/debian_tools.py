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

# Series of the exporter about itself and its scrape.
ABOUT_THE_EXPORTER = re.compile(
    r"redis_exporter_|redis_target_scrape_request_errors_total|redis_last_key_groups_scrape_duration|"
    r"(go|process|promhttp)_")
# Series that the exporter's own connection and requests change, there and back again.
ABOUT_THE_SCRAPE = re.compile(
    r"redis_(connected_clients|mem_clients_normal|client_recent_max_\w+|latency_percentiles_usec|"
    r"cluster_connections|"
    r"(memory|allocator|mem)_(used|used_dataset|used_overhead|used_rss|fragmentation|allocated|active|"
    r"resident|frag|rss)_(bytes|ratio))$")
BENCHMARKS = ["PING_INLINE", "PING_MBULK", "SET", "GET", "INCR", "MSET (10 keys)"]
EVERYTHING = ["-include-system-metrics", "-export-client-list", "-include-config-metrics",
              "-check-keys", "key:*"]
ALL_TYPES = """SET s v
SET volatile v EX 1000
RPUSH l a b
SADD t a b c
ZADD z 1 a 2 b
HSET h f v
XADD x * f v
GET nosuch
NOSUCH
LPUSH s x
DEBUG SLEEP 0.05
SELECT 3
SET s v EX 1000
SET t v
"""


def series(text):
    """The value of each series, by its name and its labels."""
    values = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            name, labels, value = re.fullmatch(r"(\w+)(?:{(.*)})? (\S+)", line).groups()
            labels = tuple(sorted(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', labels or "")))
            values[name, labels] = float(value)
    return values


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

    def test_cli_finds_hot_keys(self):
        self.cli("CONFIG", "SET", "maxmemory-policy", "allkeys-lfu")
        self.fill(20)
        self.cli("-r", "2000", "GET", "key:7")
        self.assertRegex(self.cli("--hotkeys"), r"hot key found with counter: \d+\s+keyname: \"key:7\"")

    def test_the_endpoint_and_the_exporter_agree(self):
        """What changes between two requests to the endpoint is in between for the exporter."""
        self.server.stop()
        port = free_port()
        self.server = Server("--metrics-port", str(port), "--slowlog-log-slower-than", "20000",
                             "--latency-monitor-threshold", "20", "--enable-debug-command", "yes")
        self.addCleanup(self.server.stop)
        self.cli(given=ALL_TYPES.encode())
        url = f"http://127.0.0.1:{port}/metrics"
        before = series(self.fetch(url))
        theirs = series(self.scrape("-include-system-metrics")[0])
        after = series(self.fetch(url))
        compared = 0
        for name, value in theirs.items():
            if ABOUT_THE_EXPORTER.match(name[0]):
                continue
            self.assertIn(name, after, "the endpoint lacks it")
            if ABOUT_THE_SCRAPE.match(name[0]):
                continue
            ends = sorted((before.get(name, 0.0), after[name]))
            if name[0] == "redis_start_time_seconds":  # which the exporter tells from whole seconds
                ends = [ends[0] - 1, ends[1] + 1]
            self.assertTrue(ends[0] <= value <= ends[1], f"{name}: {value}, not within {ends}")
            compared += 1
        self.assertGreater(compared, 200)
        for name in ("redis_db_keys", "redis_db_keys_expiring", "redis_db_keys_cached"):
            self.assertIn((name, (("db", "db3"),)), theirs)
        self.assertEqual(theirs["redis_db_keys", (("db", "db0"),)], 7)

    def scrape(self, *options):
        """The metrics, and what the exporter logged while it fetched them."""
        address = f"127.0.0.1:{free_port()}"
        exporter = subprocess.Popen(
            ["prometheus-redis-exporter", "-redis.addr", f"redis://127.0.0.1:{self.server.port}",
             "-web.listen-address", address, *(options or EVERYTHING)],
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
