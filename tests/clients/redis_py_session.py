#!/usr/bin/env python3
"""A session of redis-py, as an application would have it, in RESP2 and in RESP3.

  tests/clients/redis_py_session.py [SERVER]     default: target/release/carnelian-server

Starts the server on a free port in a scratch directory and ends it afterwards.
"""
import datetime
import os
import sys
import threading
import time
import unittest

import redis

sys.dont_write_bytecode = True
from server import Server, choose_binary  # noqa: E402


class Session:
    """The same session for both protocols."""

    protocol = None

    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        cls.addClassCleanup(cls.server.stop)

    def setUp(self):
        self.r = self.client()
        self.addCleanup(self.r.close)
        self.r.flushall()

    def client(self, **options):
        return redis.Redis(port=self.server.port, protocol=self.protocol, **options)

    # Connection

    def test_hello_names_the_protocol(self):
        self.assertTrue(self.r.ping())
        info = self.r.client_info()
        self.assertEqual(int(info["resp"]), self.protocol)
        self.assertEqual(info["lib-name"], "redis-py")

    def test_echo_keeps_every_byte(self):
        every = bytes(range(256))
        self.assertEqual(self.r.echo(every), every)

    def test_databases_are_apart(self):
        with self.client(db=9) as nine:
            nine.set("k", "nine")
            self.assertIsNone(self.r.get("k"))
            self.assertEqual(self.r.dbsize(), 0)
            self.assertEqual(nine.dbsize(), 1)
            self.assertTrue(self.r.swapdb(0, 9))
            self.assertEqual(self.r.get("k"), b"nine")

    def test_a_unix_socket_serves_as_well(self):
        with redis.Redis(unix_socket_path=self.server.socket, protocol=self.protocol) as r:
            r.set("k", "v")
        self.assertEqual(self.r.get("k"), b"v")

    def test_client_names_and_lists(self):
        self.assertTrue(self.r.client_setname("session"))
        self.assertEqual(self.r.client_info()["name"], "session")
        mine = self.r.client_id()
        listed = self.r.client_list(client_id=[mine])
        self.assertEqual([entry["name"] for entry in listed], ["session"])
        with self.client() as other:
            victim = other.client_id()
            self.assertEqual(self.r.client_kill_filter(_id=victim), 1)

    def test_no_evict_and_no_touch(self):
        self.assertEqual(self.r.client_no_evict("ON"), b"OK")
        self.assertEqual(self.r.client_no_touch("ON"), b"OK")

    # Strings

    def test_set_and_get_with_every_option(self):
        self.assertTrue(self.r.set("k", "1", ex=100))
        self.assertIsNone(self.r.set("k", "2", nx=True))
        self.assertEqual(self.r.set("k", "3", xx=True, keepttl=True, get=True), b"1")
        self.assertGreater(self.r.ttl("k"), 90)
        self.assertEqual(self.r.getex("k", persist=True), b"3")
        self.assertEqual(self.r.ttl("k"), -1)
        self.assertEqual(self.r.getset("k", "4"), b"3")
        self.assertEqual(self.r.getdel("k"), b"4")
        self.assertIsNone(self.r.get("k"))

    def test_many_keys_at_once(self):
        pairs = {f"k{n}": str(n) for n in range(1000)}
        self.assertTrue(self.r.mset(pairs))
        self.assertFalse(self.r.msetnx({"k1": "x", "new": "y"}))
        self.assertEqual(self.r.mget(list(pairs)), [value.encode() for value in pairs.values()])
        self.assertEqual(self.r.exists(*pairs), 1000)
        self.assertEqual(self.r.touch("k1", "k2", "nope"), 2)
        self.assertEqual(self.r.unlink(*pairs), 1000)

    def test_numbers(self):
        self.assertEqual(self.r.incr("n"), 1)
        self.assertEqual(self.r.incrby("n", 2**62), 2**62 + 1)
        self.assertEqual(self.r.decrby("n", 2**62), 1)
        self.assertEqual(self.r.incrbyfloat("f", 0.1), 0.1)
        self.assertEqual(self.r.incrbyfloat("f", 0.2), 0.3)
        self.r.set("n", 2**63 - 1)
        with self.assertRaisesRegex(redis.ResponseError, "increment or decrement would overflow"):
            self.r.incr("n")

    def test_parts_of_strings(self):
        self.assertEqual(self.r.append("k", "Hello"), 5)
        self.assertEqual(self.r.setrange("k", 6, "World"), 11)
        self.assertEqual(self.r.getrange("k", 4, 6), b"o\0W")
        self.assertEqual(self.r.strlen("k"), 11)
        self.r.mset({"a": "ohmytext", "b": "mynewtext"})
        self.assertEqual(self.r.lcs("a", "b"), b"mytext")
        self.assertEqual(self.r.lcs("a", "b", len=True), 6)

    def test_binary_keys_and_large_values(self):
        key, value = bytes(range(256)), os.urandom(10_000_000)
        self.r.set(key, value)
        self.assertEqual(self.r.get(key), value)
        self.assertEqual(self.r.keys(), [key])
        self.assertGreater(self.r.memory_usage(key), len(value))

    # Keys

    def test_expiry(self):
        self.r.set("k", "v")
        self.assertTrue(self.r.expire("k", datetime.timedelta(seconds=100)))
        self.assertFalse(self.r.expire("k", 200, nx=True))
        self.assertFalse(self.r.expire("k", 50, gt=True))
        self.assertTrue(self.r.expire("k", 50, lt=True))
        at = int(time.time()) + 1000
        self.assertTrue(self.r.expireat("k", at))
        self.assertEqual(self.r.expiretime("k"), at)
        self.assertEqual(self.r.pexpiretime("k"), at * 1000)
        self.assertTrue(self.r.persist("k"))
        self.assertEqual((self.r.ttl("k"), self.r.pttl("nope")), (-1, -2))
        self.r.psetex("soon", 30, "v")
        time.sleep(0.06)
        self.assertIsNone(self.r.get("soon"))

    def test_scan_meets_every_key(self):
        self.r.mset({f"user:{n}": n for n in range(2000)} | {f"other:{n}": n for n in range(500)})
        self.assertEqual(len(set(self.r.scan_iter())), 2500)
        self.assertEqual(len(set(self.r.scan_iter("user:*", count=100))), 2000)
        self.assertEqual(len(set(self.r.scan_iter(_type="string"))), 2500)
        self.assertEqual(list(self.r.scan_iter(_type="list")), [])

    def test_renames_copies_and_moves(self):
        self.r.set("a", "v", ex=100)
        self.assertTrue(self.r.rename("a", "b"))
        self.assertTrue(self.r.copy("b", "c"))
        self.assertFalse(self.r.copy("b", "c"))
        self.assertFalse(self.r.renamenx("b", "c"))
        self.assertTrue(self.r.move("c", 3))
        self.assertEqual(self.r.keys("*"), [b"b"])
        self.assertEqual(self.r.type("b"), b"string")
        self.assertEqual(self.r.randomkey(), b"b")
        self.assertGreater(self.r.ttl("b"), 90)

    def test_encodings(self):
        self.r.mset({"int": 12345, "short": "text", "long": "x" * 1000})
        encodings = [self.r.object("encoding", key) for key in ("int", "short", "long")]
        self.assertEqual(encodings, [b"int", b"embstr", b"raw"])

    # Server

    def test_info_is_understood(self):
        info = self.r.info()
        self.assertEqual(info["tcp_port"], self.server.port)
        self.assertEqual(info["process_id"], self.server.process.pid)
        self.assertEqual(info["role"], "master")
        self.r.set("k", "v", ex=100)
        self.assertEqual(self.r.info("keyspace")["db0"]["keys"], 1)
        self.assertGreater(self.r.info("commandstats")["cmdstat_set"]["calls"], 0)
        self.assertGreater(self.r.info("memory")["used_memory"], 100_000)

    def test_configuration(self):
        before = self.r.config_get("maxclients")
        self.assertTrue(self.r.config_set("maxclients", 500))
        self.assertEqual(self.r.config_get("maxclients"), {"maxclients": "500"})
        self.r.config_set("maxclients", before["maxclients"])
        self.assertGreater(len(self.r.config_get("*")), 150)
        with self.assertRaisesRegex(redis.ResponseError, "Unknown option|no-such"):
            self.r.config_set("no-such", 1)
        self.assertTrue(self.r.config_resetstat())

    def test_commands_describe_themselves(self):
        self.assertGreater(self.r.command_count(), 50)
        commands = self.r.command()
        self.assertEqual(commands["get"]["arity"], 2)
        keys = self.r.command_getkeys("MSET", "a", 1, "b", 2)
        self.assertEqual([str(key, "ascii") if self.protocol == 3 else key for key in keys], ["a", "b"])
        seconds, micros = self.r.time()
        self.assertLess(abs(seconds + micros / 1e6 - time.time()), 5)

    def test_errors_are_of_the_right_class(self):
        with self.assertRaisesRegex(redis.ResponseError, "unknown command 'NOSUCH'"):
            self.r.execute_command("NOSUCH", "x")
        with self.assertRaisesRegex(redis.ResponseError, "wrong number of arguments for 'get' command"):
            self.r.execute_command("GET")
        self.r.set("k", "text")
        with self.assertRaisesRegex(redis.ResponseError, "not an integer or out of range"):
            self.r.incr("k")

    # Many at once

    def test_a_pipeline_of_thousands(self):
        with self.r.pipeline(transaction=False) as pipe:
            for n in range(5000):
                pipe.set(f"k{n}", n)
                pipe.get(f"k{n}")
            replies = pipe.execute()
        self.assertEqual(replies[::2], [True] * 5000)
        self.assertEqual(replies[1::2], [str(n).encode() for n in range(5000)])

    def test_an_error_in_a_pipeline_stays_in_its_place(self):
        self.r.set("k", "text")
        with self.r.pipeline(transaction=False) as pipe:
            replies = pipe.incr("k").get("k").execute(raise_on_error=False)
        self.assertIsInstance(replies[0], redis.ResponseError)
        self.assertEqual(replies[1], b"text")

    def test_threads_share_a_pool(self):
        def count():
            for _ in range(500):
                self.r.incr("hits")

        threads = [threading.Thread(target=count) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(self.r.get("hits"), b"4000")

    # Transactions

    def test_a_transaction_is_executed_as_a_whole(self):
        with self.r.pipeline(transaction=True) as pipe:
            pipe.set("a", 1).incr("a").lpush("a", "x").get("a")
            replies = pipe.execute(raise_on_error=False)
        self.assertEqual((replies[0], replies[1], replies[3]), (True, 2, b"2"))
        self.assertIsInstance(replies[2], redis.ResponseError)

    def test_a_watched_key_that_changes_ends_the_transaction(self):
        with self.r.pipeline() as pipe:
            pipe.watch("k")
            self.r.set("k", "other")
            pipe.multi()
            pipe.set("k", "mine")
            with self.assertRaises(redis.WatchError):
                pipe.execute()
        self.assertEqual(self.r.get("k"), b"other")

    def test_retry_loops_count_every_time(self):
        def work():
            with self.client() as r:
                for _ in range(50):
                    r.transaction(
                        lambda pipe: increment(pipe, int(pipe.get("n") or 0)), "n")

        def increment(pipe, number):
            pipe.multi()
            pipe.set("n", number + 1)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(self.r.get("n"), b"200")

    # Messages

    def messages(self, pubsub, count):
        """The next messages, those about subscriptions included."""
        found = []
        deadline = time.monotonic() + 20
        while len(found) < count and time.monotonic() < deadline:
            message = pubsub.get_message(timeout=1)
            if message:
                found.append((message["type"], message["channel"], message["data"]))
        return found

    def test_messages_reach_channels_and_patterns(self):
        with self.r.pubsub() as pubsub:
            pubsub.subscribe("news")
            pubsub.psubscribe("n*")
            self.assertEqual(self.messages(pubsub, 2),
                             [("subscribe", b"news", 1), ("psubscribe", b"n*", 2)])
            self.assertEqual(self.r.publish("news", "hello"), 2)
            self.assertEqual(self.messages(pubsub, 2),
                             [("message", b"news", b"hello"), ("pmessage", b"news", b"hello")])
            self.assertEqual(self.r.pubsub_numsub("news", "x"), [(b"news", 1), (b"x", 0)])
            self.assertEqual(self.r.pubsub_channels(), [b"news"])
            self.assertEqual(self.r.pubsub_numpat(), 1)
            pubsub.ping()
            pubsub.unsubscribe()
            pubsub.punsubscribe()
            kinds = {kind for kind, _, _ in self.messages(pubsub, 3)}
            self.assertEqual(kinds, {"pong", "unsubscribe", "punsubscribe"})
        self.assertEqual(self.r.publish("news", "nobody"), 0)

    def test_handlers_in_a_thread_get_everything_in_order(self):
        got = []
        pubsub = self.r.pubsub(ignore_subscribe_messages=True)
        pubsub.subscribe(news=lambda message: got.append(int(message["data"])))
        thread = pubsub.run_in_thread(sleep_time=0.01)
        with self.r.pipeline(transaction=False) as pipe:
            for number in range(2000):
                pipe.publish("news", number)
            pipe.execute()
        deadline = time.monotonic() + 20
        while len(got) < 2000 and time.monotonic() < deadline:
            time.sleep(0.01)
        thread.stop()
        thread.join()
        pubsub.close()
        self.assertEqual(got, list(range(2000)))

    def test_events_of_keys_are_published(self):
        self.r.config_set("notify-keyspace-events", "KEA")
        self.addCleanup(self.r.config_set, "notify-keyspace-events", "")
        with self.r.pubsub() as pubsub:
            pubsub.psubscribe("__key*__:*")
            self.messages(pubsub, 1)
            self.r.set("k", "v", px=1)
            self.assertEqual(self.messages(pubsub, 4), [
                ("pmessage", b"__keyspace@0__:k", b"set"), ("pmessage", b"__keyevent@0__:set", b"k"),
                ("pmessage", b"__keyspace@0__:k", b"expire"),
                ("pmessage", b"__keyevent@0__:expire", b"k")])
            self.assertEqual(self.messages(pubsub, 2), [
                ("pmessage", b"__keyspace@0__:k", b"expired"),
                ("pmessage", b"__keyevent@0__:expired", b"k")])


class Resp2(Session, unittest.TestCase):
    protocol = 2


class Resp3(Session, unittest.TestCase):
    protocol = 3

    def test_a_cache_forgets_what_changes(self):
        from redis.cache import CacheConfig
        with self.client(cache_config=CacheConfig()) as cached:
            self.r.set("k", "one")
            self.assertEqual([cached.get("k") for _ in range(3)], [b"one"] * 3)
            self.assertEqual(cached.get_cache().size, 1)
            for value in (b"two", b"three"):
                self.r.set("k", value)
                deadline = time.monotonic() + 20
                while cached.get("k") != value and time.monotonic() < deadline:
                    time.sleep(0.01)
                self.assertEqual(cached.get("k"), value)
            self.r.flushall()
            deadline = time.monotonic() + 20
            while cached.get("k") is not None and time.monotonic() < deadline:
                time.sleep(0.01)
            self.assertIsNone(cached.get("k"))


class Password(unittest.TestCase):
    def test_the_right_password_is_needed(self):
        server = Server("--requirepass", "secret")
        self.addCleanup(server.stop)
        once = redis.retry.Retry(redis.backoff.NoBackoff(), 0)
        for password in (None, "wrong"):
            with redis.Redis(port=server.port, password=password, retry=once) as r, \
                    self.assertRaises(redis.AuthenticationError):
                r.ping()
        with redis.Redis(port=server.port, username="default", password="secret", protocol=3) as r:
            self.assertTrue(r.ping())

    def test_sigterm_ends_the_server_well(self):
        self.assertEqual(Server().stop(), 0)


if __name__ == "__main__":
    choose_binary()
    unittest.main()
