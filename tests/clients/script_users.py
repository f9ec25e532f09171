#!/usr/bin/env python3
"""Python libraries that live on scripts of their own, doing their job: locks and job queues.

  tests/clients/script_users.py [SERVER]     default: target/release/carnelian-server

redis-py's Lock, Redlock over three servers (as two libraries have it), and rq with its workers.
"""
import sys
import threading
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


if __name__ == "__main__":
    choose_binary()
    unittest.main()
