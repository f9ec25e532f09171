"""Starts the server once, the way the suite will, and says plainly what is missing.

Without it a server that cannot start costs the suite two minutes for each start.
"""
import os
import re
import shutil
import signal
import socket
import subprocess
import time

PATIENCE_SECONDS = 15


def complaint(tree, port):
    """What keeps the suite from starting this server; empty if nothing does."""
    directory = f"{tree}/tests/tmp/preflight"
    os.makedirs(directory)
    with open(f"{tree}/tests/assets/default.conf") as f:
        configuration = re.sub(r"(?m)^(port|dir) .*$", "", f.read())
    with open(f"{directory}/server.conf", "w") as f:
        f.write(f"{configuration}\nport {port}\ndir {directory}\nunixsocket {directory}/socket\n")
    log = f"{directory}/log"
    with open(log, "ab") as output:
        server = subprocess.Popen([f"{tree}/src/redis-server", f"{directory}/server.conf"], cwd=tree,
                                  stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                  start_new_session=True)
    try:
        problem = start_problem(server, log) or answer_problem(port) or stop_problem(server)
        return f"{problem}\n{read(log)[-800:]}" if problem else ""
    finally:
        if server.poll() is None:
            server.kill()
            server.wait()
        shutil.rmtree(directory, ignore_errors=True)


def start_problem(server, log):
    wanted = (rf" PID: {server.pid}\b", "Ready to accept")
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        text = read(log)
        if server.poll() is not None:
            return f"the server ended with {server.returncode} on the suite's default configuration"
        if all(re.search(pattern, text) for pattern in wanted):
            return ""
        time.sleep(0.02)
    missing = [pattern for pattern in wanted if not re.search(pattern, read(log))]
    return f"standard output never matched {missing}"


def answer_problem(port):
    received = b""
    try:
        with socket.create_connection(("127.0.0.1", port), 5) as connection:
            connection.settimeout(5)
            connection.sendall(b"PING\r\n\n*2\r\n$6\r\nselect\r\n$1\r\n9\r\n")
            while received.count(b"\n") < 2 and (chunk := connection.recv(100)):
                received += chunk
    except OSError as error:
        return f"no answer to an inline PING and SELECT 9: {error}"
    if received != b"+PONG\r\n+OK\r\n":
        return f"an inline PING and SELECT 9 were answered {received!r}"
    return ""


def stop_problem(server):
    server.send_signal(signal.SIGTERM)
    try:
        server.wait(10)
    except subprocess.TimeoutExpired:
        return "the server does not end within 10 s of SIGTERM"
    return ""


def read(path):
    with open(path, errors="replace") as f:
        return f.read()
