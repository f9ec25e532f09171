#!/usr/bin/env python3
"""TLS with the clients that people have: redis-py, redis-cli and redis-benchmark, all of them over OpenSSL.

  tests/clients/tls_session.py [SERVER]     default: target/release/carnelian-server

Makes certificates with openssl, starts the server on free ports and ends it afterwards. Debian's redis-cli and
redis-benchmark are taken from the PATH.
"""
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

import redis

sys.dont_write_bytecode = True
from server import Server, choose_binary, free_port  # noqa: E402

OPENSSL = ["openssl"]
EXTENSIONS = "subjectAltName=DNS:localhost,IP:127.0.0.1\n"


def openssl(directory, *arguments, text=None):
    subprocess.run([*OPENSSL, *arguments], cwd=directory, check=True, input=text, text=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def make_key(directory, name, kind):
    if kind == "rsa":
        openssl(directory, "genrsa", "-out", f"{name}.key", "2048")
    else:
        openssl(directory, "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", f"{name}.key")


def make_authority(directory):
    make_key(directory, "ca", "ec")
    openssl(directory, "req", "-x509", "-new", "-key", "ca.key", "-days", "9", "-subj", "/CN=authority",
            "-out", "ca.crt")


def make_certificate(directory, name, subject, kind="ec"):
    make_key(directory, name, kind)
    openssl(directory, "req", "-new", "-key", f"{name}.key", "-subj", f"/CN={subject}", "-out", "request")
    with open(os.path.join(directory, "extensions"), "w") as f:
        f.write(EXTENSIONS)
    openssl(directory, "x509", "-req", "-in", "request", "-CA", "ca.crt", "-CAkey", "ca.key",
            "-CAcreateserial", "-days", "9", "-extfile", "extensions", "-out", f"{name}.crt")


class Tls(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        scratch = tempfile.TemporaryDirectory(prefix="carnelian-tls-")
        cls.addClassCleanup(scratch.cleanup)
        cls.files = scratch.name
        make_authority(cls.files)
        make_certificate(cls.files, "server", "localhost")
        make_certificate(cls.files, "rsa", "localhost", kind="rsa")
        make_certificate(cls.files, "alice", "alice")
        cls.tls_port = free_port()
        cls.server = Server(
            "--tls-port", str(cls.tls_port), "--tls-cert-file", cls.path("server.crt"),
            "--tls-key-file", cls.path("server.key"), "--tls-ca-cert-file", cls.path("ca.crt"),
            "--tls-auth-clients", "optional", "--tls-auth-clients-user", "CN")
        cls.addClassCleanup(cls.server.stop)
        redis.Redis(port=cls.server.port).acl_setuser(
            "alice", enabled=True, keys=["*"], commands=["+@all"])

    @classmethod
    def path(cls, name):
        return os.path.join(cls.files, name)

    def client(self, **options):
        r = redis.Redis(host="localhost", port=self.tls_port, ssl=True,
                        ssl_ca_certs=self.path("ca.crt"), **options)
        self.addCleanup(r.close)
        return r

    def as_alice(self):
        return {"ssl_certfile": self.path("alice.crt"), "ssl_keyfile": self.path("alice.key")}

    def arguments(self, *more):
        return ["-h", "localhost", "-p", str(self.tls_port), "--tls", "--cacert", self.path("ca.crt"), *more]

    def run_cli(self, *words):
        done = subprocess.run(["redis-cli", *self.arguments(*words)], capture_output=True, text=True,
                              timeout=20, check=True)
        return done.stdout.strip()

    def test_redis_py_checks_the_server_and_is_served(self):
        for protocol in (2, 3):
            r = self.client(protocol=protocol)
            value = os.urandom(300_000)
            self.assertTrue(r.set("k", value))
            self.assertEqual(r.get("k"), value)
            with r.pipeline(transaction=True) as pipeline:
                for number in range(1000):
                    pipeline.incrby("n", number)
                self.assertEqual(len(pipeline.execute()), 1000)
            r.delete("n")

    def test_redis_py_shows_a_certificate(self):
        self.assertEqual(self.client().acl_whoami(), "default")
        self.assertEqual(self.client(**self.as_alice()).acl_whoami(), "alice")

    def test_redis_py_does_not_trust_another_authority(self):
        with tempfile.TemporaryDirectory() as directory:
            make_authority(directory)
            r = redis.Redis(host="localhost", port=self.tls_port, ssl=True,
                            ssl_ca_certs=os.path.join(directory, "ca.crt"))
            with self.assertRaises(redis.ConnectionError):
                r.ping()

    def test_messages_arrive(self):
        listener = self.client().pubsub()
        self.addCleanup(listener.close)
        listener.subscribe("c")
        self.assertEqual(listener.get_message(timeout=5)["type"], "subscribe")
        self.client().publish("c", "m" * 50_000)
        self.assertEqual(listener.get_message(timeout=5)["data"], b"m" * 50_000)

    def test_keys_of_rsa_are_served_too(self):
        r = self.client()
        r.config_set("tls-cert-file", self.path("rsa.crt"), "tls-key-file", self.path("rsa.key"))
        try:
            self.assertTrue(self.client().ping())
        finally:
            r.config_set("tls-cert-file", self.path("server.crt"), "tls-key-file", self.path("server.key"))

    @unittest.skipUnless(shutil.which("redis-cli"), "there is no redis-cli")
    def test_redis_cli_is_served(self):
        self.assertEqual(self.run_cli("ping"), "PONG")
        alice = ["--cert", self.path("alice.crt"), "--key", self.path("alice.key")]
        self.assertEqual(self.run_cli(*alice, "acl", "whoami"), "alice")
        self.assertEqual(self.run_cli("--tls-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256", "ping"), "PONG")
        self.assertEqual(self.run_cli("-2", "echo", "x" * 100_000), "x" * 100_000)

    @unittest.skipUnless(shutil.which("redis-benchmark"), "there is no redis-benchmark")
    def test_redis_benchmark_is_served(self):
        for depth in ("1", "16"):
            done = subprocess.run(
                ["redis-benchmark", *self.arguments("-n", "5000", "-P", depth, "-t", "set,get", "--csv")],
                capture_output=True, text=True, timeout=60, check=True)
            self.assertEqual(len(done.stdout.strip().splitlines()), 3, done.stdout + done.stderr)


if __name__ == "__main__":
    choose_binary()
    unittest.main()
