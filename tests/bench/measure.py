"""What the rows of tests/bench/run measure with: processor time, memory, a load client, peers."""

import os
import select
import socket
import time
from pathlib import Path

import yaml

from procs import Child, Failure, free_port, own_dir, port_open
from tenants import read_document

TICK = os.sysconf("SC_CLK_TCK")
SYSTEM_CPU, LOAD_CPU = {0}, {1}


def cpu_seconds(pids):
    """User and system time so far of these processes, all threads."""
    total = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICK


def rss_mb(pids):
    total = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                total += int(line.split()[1])
    return total / 1024


def pin(pid, cpus):
    """All threads of the process."""
    if os.cpu_count() < 2:
        return
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            os.sched_setaffinity(int(task.name), cpus)
        except ProcessLookupError:
            pass


class StaticNginx:
    """The peer of I1: nginx with one worker that answers every request with two bytes."""

    request = b"GET / HTTP/1.1\r\nHost: desk\r\n\r\n"

    def __init__(self, folder):
        self.port = free_port()
        own_dir(folder)
        (folder / "nginx.conf").write_text(
            f"worker_processes 1; daemon off; pid {folder}/pid; error_log {folder}/error.log;\n"
            "events { worker_connections 1024; }\n"
            f"http {{ access_log off; keepalive_requests 1000000; server {{ listen "
            f"127.0.0.1:{self.port}; location / {{ return 200 ok; }} }} }}\n")
        self.child = Child("nginx-static", ["nginx", "-p", folder, "-c", folder / "nginx.conf"],
                           folder / "log").start()
        self.child.wait_ready(lambda: port_open(self.port), 10, "is nginx installed?")
        children = Path(f"/proc/{self.child.pid}/task/{self.child.pid}/children").read_text()
        self.worker = int(children.split()[0])
        pin(self.worker, SYSTEM_CPU)


def write_tenants(folder, pattern, count):
    """So many businesses like the one of the file `pattern`, each with a number, an account and
    secrets of its own. Returns the files."""
    own_dir(folder)
    base = read_document(pattern)
    files = []
    for number in range(1, count + 1):
        tenant = dict(base, name=f"bench-{number:03d}")
        channel = dict(base["channels"][0], number=f"+1555020{number:04d}",
                       account_sid=f"AC{number:032d}", auth_token=f"env:BENCH_TOKEN_{number:03d}")
        tenant["channels"] = [channel]
        file = folder / f"{tenant['name']}.yaml"
        file.write_text(yaml.safe_dump(tenant, sort_keys=False))
        files.append(file)
    return files


class Connection:
    """One keep-alive connection of the load client."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.begin, self.had = 0, b""

    def send(self, data):
        self.begin, self.had = time.perf_counter(), b""
        self.socket.sendall(data)

    def receive(self):
        """Seconds when the answer is whole, else None."""
        more = self.socket.recv(65536)
        if not more:
            raise Failure("a connection was closed while an answer was due")
        self.had += more
        head, end, body = self.had.partition(b"\r\n\r\n")
        length = next((int(line.split(b":")[1]) for line in head.split(b"\r\n")
                       if line.lower().startswith(b"content-length:")), 0)
        if not end or len(body) < length:
            return None
        if b" 200 " not in head.split(b"\r\n")[0] + b" ":
            raise Failure(f"answered {head[:80]!r}")
        return time.perf_counter() - self.begin


def fire(requests, connections, port):
    """Sends them all, each connection one after the other; returns latencies in seconds. Every
    answer must be a 200."""
    latencies, waiting = [], list(reversed(requests))
    poller, open_ = select.epoll(), {}
    for _ in range(min(connections, len(requests))):
        connection = Connection(port)
        open_[connection.socket.fileno()] = connection
        poller.register(connection.socket.fileno(), select.EPOLLIN)
        connection.send(waiting.pop())
    while open_:
        for fd, _ in poller.poll(30):
            seconds = open_[fd].receive()
            if seconds is None:
                continue
            latencies.append(seconds)
            if waiting:
                open_[fd].send(waiting.pop())
            else:
                poller.unregister(fd)
                open_.pop(fd).socket.close()
    return latencies
