#!/usr/bin/env python3
"""Python libraries that live on scripts of their own, doing their job: locks and job queues.

  tests/clients/script_users.py [SERVER]     default: target/release/carnelian-server

redis-py's Lock, Redlock over three servers (as two libraries have it), and rq with its workers. And libraries of
functions that a genuine server and this one hand to each other.
"""
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import types
import unittest

import pottery
import redis
import redlock
import rq
from redis.exceptions import LockError, LockNotOwnedError
from rq.job import JobStatus

sys.dont_write_bytecode = True
from server import Server, choose_binary  # noqa: E402


class OneServer(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        cls.addClassCleanup(cls.server.stop)

    def setUp(self):
        self.r = redis.Redis(port=self.server.port)
        self.addCleanup(self.r.close)
        self.r.flushall()


class LockOfRedisPy(OneServer):
    def test_one_of_two_gets_it(self):
        first = self.r.lock("lock", timeout=10)
        self.assertTrue(first.acquire(blocking=False))
        self.assertFalse(self.r.lock("lock", timeout=10).acquire(blocking=False))
        first.release()
        self.assertTrue(self.r.lock("lock", timeout=10).acquire(blocking=False))

    def test_only_its_owner_releases_it(self):
        lock = self.r.lock("lock", timeout=10)
        lock.acquire()
        self.r.set("lock", "somebody else")
        with self.assertRaises(LockNotOwnedError):
            lock.release()
        self.assertEqual(self.r.get("lock"), b"somebody else")

    def test_extended_reacquired_and_lost(self):
        lock = self.r.lock("lock", timeout=10)
        lock.acquire()
        self.assertTrue(lock.extend(20))
        self.assertTrue(20_000 < self.r.pttl("lock") <= 30_000)
        self.assertTrue(lock.extend(5, replace_ttl=True))
        self.assertTrue(self.r.pttl("lock") <= 5_000)
        self.assertTrue(lock.reacquire())
        self.assertTrue(5_000 < self.r.pttl("lock") <= 10_000)
        self.r.delete("lock")
        with self.assertRaises(LockError):
            lock.extend(5)

    def test_threads_take_turns(self):
        inside, most, done = [], [], []

        def work():
            client = redis.Redis(port=self.server.port)
            for _ in range(20):
                with client.lock("lock", timeout=20, sleep=0.001):
                    inside.append(1)
                    most.append(len(inside))
                    inside.pop()
            done.append(1)
            client.close()

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual((max(most), len(most), len(done)), (1, 80, 4))

    def test_a_registered_script_is_loaded_again_after_a_flush(self):
        script = self.r.register_script("return redis.call('INCRBY', KEYS[1], ARGV[1])")
        self.assertEqual(script(keys=["n"], args=[2]), 2)
        self.r.script_flush()
        self.assertEqual(script(keys=["n"], args=[3]), 5)
        pipeline = self.r.pipeline()
        script(keys=["n"], args=[4], client=pipeline)
        self.assertEqual(pipeline.execute(), [9])


class Redlock(unittest.TestCase):
    def setUp(self):
        self.servers = [Server() for _ in range(3)]
        for server in self.servers:
            self.addCleanup(server.stop)
        self.clients = [redis.Redis(port=server.port) for server in self.servers]
        for client in self.clients:
            self.addCleanup(client.close)

    def held(self, key):
        return sum(client.exists(key) for client in self.clients)

    def test_the_library_redlock_locks_a_majority(self):
        addresses = [{"host": "127.0.0.1", "port": server.port} for server in self.servers]
        lock = redlock.RedLock("thing", connection_details=addresses, ttl=20_000, retry_times=1)
        other = redlock.RedLock("thing", connection_details=addresses, ttl=20_000, retry_times=1)
        self.assertTrue(lock.acquire())
        self.assertEqual(self.held("thing"), 3)
        self.assertFalse(other.acquire())
        lock.release()
        self.assertEqual(self.held("thing"), 0)
        self.assertTrue(other.acquire())
        other.release()

    def test_pottery_locks_extends_and_releases(self):
        lock = pottery.Redlock(key="thing", masters=set(self.clients), auto_release_time=20)
        other = pottery.Redlock(key="thing", masters=set(self.clients), auto_release_time=20)
        self.assertTrue(lock.acquire())
        self.assertFalse(other.acquire(blocking=False))
        self.assertTrue(10 < lock.locked() <= 20)
        lock.extend()
        self.assertTrue(lock.locked())
        lock.release()
        self.assertEqual(lock.locked(), 0)
        self.assertTrue(other.acquire(blocking=False))
        other.release()


class Rq(OneServer):
    def work(self, *queues):
        rq.SimpleWorker(queues, connection=self.r).work(burst=True, logging_level="ERROR")

    def test_jobs_are_done_in_order_and_their_results_kept(self):
        queue = rq.Queue("jobs", connection=self.r)
        jobs = [queue.enqueue("operator.mul", n, n) for n in range(20)]
        self.assertEqual(queue.count, 20)
        self.work(queue)
        self.assertEqual([job.return_value() for job in jobs], [n * n for n in range(20)])
        self.assertEqual(queue.count, 0)
        self.assertEqual(len(queue.finished_job_registry), 20)

    def test_a_failed_job_is_tried_again_and_then_kept_with_its_error(self):
        queue = rq.Queue("jobs", connection=self.r)
        job = queue.enqueue("operator.truediv", 1, 0, retry=rq.Retry(max=2))
        for _ in range(3):
            self.work(queue)
        self.assertEqual(job.get_status(), JobStatus.FAILED)
        self.assertIn(job.id, queue.failed_job_registry.get_job_ids())
        self.assertIn("ZeroDivisionError", job.latest_result().exc_string)

    def test_a_job_waits_for_those_it_depends_on(self):
        queue = rq.Queue("jobs", connection=self.r)
        first = queue.enqueue("operator.add", 1, 2)
        second = queue.enqueue("operator.add", 3, 4, depends_on=first)
        self.assertEqual(second.get_status(), JobStatus.DEFERRED)
        self.work(queue)
        self.assertEqual((first.return_value(), second.return_value()), (3, 7))

    def test_jobs_of_several_queues_have_their_order(self):
        low, high = (rq.Queue(name, connection=self.r) for name in ("low", "high"))
        jobs = [low.enqueue("time.monotonic"), high.enqueue("time.monotonic")]
        self.work(high, low)
        self.assertTrue(jobs[1].return_value() < jobs[0].return_value())
        jobs[0].delete()
        self.assertFalse(rq.job.Job.exists(jobs[0].id, connection=self.r))


LIBRARIES = [
    "#!lua name=counters\nlocal function step(keys, args)\n  return redis.call('INCRBY', keys[1], args[1])\nend\n"
    "redis.register_function('step', step)\n"
    "redis.register_function{function_name='peek', description='what it is',\n"
    "  callback=function(keys) return redis.call('GET', keys[1]) end, flags={'no-writes', 'allow-stale'}}",
    "#!lua name=Texts\nredis.register_function('twice', function(_, args) return args[1] .. args[1] end)\n"
    "-- " + "é" * 3000,
]


@unittest.skipUnless(shutil.which("redis-server"), "there is no redis-server")
class FunctionsOfGenuineServers(unittest.TestCase):
    """Libraries that one server wrote, in each kind of file, and the other reads."""

    def hand_over(self, writer, reader, directives, keep):
        with tempfile.TemporaryDirectory(prefix="carnelian-functions-") as name:
            place = types.SimpleNamespace(name=name)
            server = Server(*directives, program=writer, directory=place)
            r = redis.Redis(port=server.port, decode_responses=True)
            for library in LIBRARIES:
                r.function_load(library)
            r.fcall("step", 1, "n", 5)
            keep(r)
            listed = self.list(r)
            r.close()
            self.assertEqual(server.stop(), 0)
            server = Server(*directives, program=reader, directory=place)
            r = redis.Redis(port=server.port, decode_responses=True)
            self.assertEqual(self.list(r), listed)
            self.assertEqual(r.fcall("step", 1, "n", 2), 7)
            self.assertEqual(r.fcall_ro("peek", 1, "n"), "7")
            self.assertEqual(r.fcall("TWICE", 0, "ab"), "abab")
            r.close()
            self.assertEqual(server.stop(), 0)

    def list(self, r):
        """What there is; the order of functions is nobody's business."""
        def told(library):
            fields = dict(zip(library[::2], library[1::2]))
            functions = sorted(map(str, fields["functions"]))
            return fields["library_name"], fields["library_code"], functions
        return sorted(map(told, r.function_list(withcode=True)))

    def both_ways(self, directives, keep):
        for writer, reader in [(None, "redis-server"), ("redis-server", None)]:
            with self.subTest(writer=writer or "ours"):
                self.hand_over(writer, reader, directives, keep)

    def test_through_a_snapshot(self):
        for compression in ["yes", "no"]:
            self.both_ways(["--rdbcompression", compression], lambda r: r.save())

    def test_through_a_log(self):
        self.both_ways(["--appendonly", "yes"], lambda r: None)

    def test_through_a_rewritten_log(self):
        def rewrite(r):
            r.bgrewriteaof()
            deadline = time.monotonic() + 20
            while any(r.info("persistence")[name] for name in
                      ("aof_rewrite_in_progress", "aof_rewrite_scheduled")):
                self.assertLess(time.monotonic(), deadline)
                time.sleep(0.01)
        for preamble in ["yes", "no"]:
            self.both_ways(["--appendonly", "yes", "--aof-use-rdb-preamble", preamble], rewrite)

    def test_through_dump_and_restore(self):
        servers = [Server(), Server(program="redis-server")]
        clients = [redis.Redis(port=server.port) for server in servers]
        for one, other in [clients, clients[::-1]]:
            one.function_flush()
            other.function_flush()
            for library in LIBRARIES:
                one.function_load(library)
            payload = one.execute_command("FUNCTION", "DUMP")
            self.assertEqual(other.execute_command("FUNCTION", "RESTORE", payload), b"OK")
            self.assertEqual(other.fcall("twice", 0, "x"), b"xx")
        for client, server in zip(clients, servers):
            client.close()
            server.stop()


DEBUGGED = """local total = 1
local count = redis.call("INCR", KEYS[1])
for index = 1, 3 do
  total = total + index
end
if total > 100 then redis.breakpoint() end
redis.debug("total", total)
return {total, count, ARGV[1]}
"""
TOLD = """\
* Stopped at 1, stop reason = step over
-> 1   local total = 1
* Stopped at 2, stop reason = step over
-> 2   local count = redis.call("INCR", KEYS[1])
<value> total = 1
   3   for index = 1, 3 do
  #4     total = total + index
   5   end
<redis> INCR n
<reply> 1
* Stopped at 3, stop reason = step over
-> 3   for index = 1, 3 do
* Stopped at 4, stop reason = break point
->#4     total = total + index
<value> 1
In top level:
->#4     total = total + index
<retval> "n"
<redis> get n
<reply> "1"
All breakpoints removed.
<debug> line 7: "total", 7
"""


class Debugger(OneServer):
    """SCRIPT DEBUG, as Debian's redis-cli talks to it."""

    def debug(self, mode, commands, patience=20):
        with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
            script.write(DEBUGGED)
            script.flush()
            done = subprocess.run(
                ["redis-cli", "-p", str(self.server.port), mode, "--eval", script.name, "n", ",", "x"],
                input=commands, capture_output=True, text=True, timeout=patience, check=True)
        return re.sub(r"\x1b\[[0-9;]*m", "", done.stdout)

    @unittest.skipUnless(shutil.which("redis-cli"), "there is no redis-cli")
    def test_a_session(self):
        commands = "s\np\nb 4\ns\nc\np index\nt\ne KEYS[1]\nr get n\nb 0\nc\nrestart\na\n"
        for mode, kept, words in [("--ldb", None, "-- dataset changes rolled back"), ("--ldb-sync-mode", b"1", "")]:
            told = self.debug(mode, commands)
            self.assertIn(TOLD, told)
            self.assertIn('1) (integer) 7\n2) (integer) 1\n3) "x"\n', told)
            self.assertIn(words, told)
            self.assertIn("script aborted for user request", told)
            self.assertEqual(self.r.get("n"), kept)
            self.r.delete("n")

    def session(self, mode):
        client = socket.create_connection(("127.0.0.1", self.server.port), 20)
        script = "while true do redis.call('INCR', 'n') end"
        client.sendall(f"SCRIPT DEBUG {mode}\r\n".encode())
        self.assertEqual(client.recv(100), b"+OK\r\n")
        client.sendall(f"*3\r\n$4\r\nEVAL\r\n${len(script)}\r\n{script}\r\n$1\r\n0\r\n".encode())
        self.assertIn(b"Stopped at 1", client.recv(1000))
        return client

    def test_cve_2021_32672_malformed_commands_end_the_session(self):
        for mode in ["YES", "SYNC"]:
            for malformed in [b"s\r\n", b"*1\r\n$-5\r\n", b"*1\r\n$100000000000\r\n", b"*1000000\r\n$1\r\ns\r\n",
                              b"*-1\r\n", b"*0\r\n", b"*1\r\n$0\r\n\r\n", b"*1\r\n$1\r\nsss\r\n"]:
                with self.session(mode) as client:
                    client.sendall(malformed)
                    told = b""
                    while piece := client.recv(1000):
                        told += piece
                    self.assertIn(b"+<endsession>\r\n-ERR protocol error", told)
        self.assertTrue(self.r.ping())

    def test_others_go_on_while_a_script_is_debugged_apart(self):
        with self.session("YES") as client:
            self.r.set("other", 1)
            client.sendall(b"*1\r\n$1\r\na\r\n")
            heard = b""
            while b"aborted" not in heard:
                piece = client.recv(1000)  # the two processes' words need not come at once
                self.assertTrue(piece, heard)
                heard += piece
        self.assertIsNone(self.r.get("n"))

    def test_the_server_ends_while_a_script_is_debugged(self):
        server = Server()
        client = socket.create_connection(("127.0.0.1", server.port), 20)
        client.sendall(b"SCRIPT DEBUG YES\r\n*3\r\n$4\r\nEVAL\r\n$8\r\nreturn 1\r\n$1\r\n0\r\n")
        client.recv(1000)
        self.assertEqual(server.stop(), 0)
        client.close()


if __name__ == "__main__":
    choose_binary()
    unittest.main()
