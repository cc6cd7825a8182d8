"""What the rows of tests/bench/run measure with: processor time, memory, a load client, peers."""

import os
import select
import socket
import time
from pathlib import Path

import yaml

from procs import Child, Failure, free_port, own_dir, port_open, run_tool
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


def cpu_by_pid(pids):
    """{process: seconds so far} to the nanosecond, for few units. What a thread used that has ended
    is not in it, nor a process that has."""
    used = {}
    for pid in pids:
        try:
            used[pid] = sum(int((task / "schedstat").read_text().split()[0])
                            for task in Path(f"/proc/{pid}/task").iterdir()) / 1e9
        except (FileNotFoundError, ProcessLookupError):
            continue
    return used


def exact_cpu_seconds(pids):
    return sum(cpu_by_pid(pids).values())


def rss_bytes(pid):
    """Resident memory as the page tables have it; /proc/PID/status lags behind."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Rss:"):
            return int(line.split()[1]) * 1024
    raise Failure(f"/proc/{pid}/smaps_rollup has no Rss")


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


def nginx_worker(child, port):
    """The process of its one worker, once it is there. The port is the master's: it may be open
    before."""
    children = Path(f"/proc/{child.pid}/task/{child.pid}/children")
    child.wait_ready(lambda: port_open(port) and children.read_text().split(), 10,
                     "is nginx installed?")
    return int(children.read_text().split()[0])


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
        self.worker = nginx_worker(self.child, self.port)
        pin(self.worker, SYSTEM_CPU)


class TlsFront:
    """TLS and HTTP/2 before a stand-in, on a certificate of its own (`certificate`): nginx."""

    def __init__(self, folder, upstream_port):
        self.port = free_port()
        own_dir(folder)
        self.certificate = folder / "certificate.pem"
        run_tool(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                  "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
                  "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", folder / "key.pem",
                  "-out", self.certificate], "making a certificate", "Is openssl installed?")
        (folder / "nginx.conf").write_text(
            f"worker_processes 1; daemon off; pid {folder}/pid; error_log {folder}/error.log;\n"
            "events { worker_connections 18000; }\n"
            "http { access_log off; keepalive_requests 1000000; client_body_buffer_size 64k;\n"
            f"upstream stand {{ server 127.0.0.1:{upstream_port}; keepalive 64; }}\n"
            f"server {{ listen 127.0.0.1:{self.port} ssl http2 backlog=4096;\n"
            f"ssl_certificate {self.certificate}; ssl_certificate_key {folder}/key.pem;\n"
            "location / { proxy_pass http://stand; proxy_http_version 1.1; proxy_buffering off;\n"
            "proxy_set_header Connection \"\"; proxy_read_timeout 120s; } } }\n")
        self.child = Child("nginx-tls", ["nginx", "-p", folder, "-c", folder / "nginx.conf"],
                           folder / "log").start()
        pin(nginx_worker(self.child, self.port), LOAD_CPU)

    @property
    def url(self):
        return f"https://127.0.0.1:{self.port}"


def write_tenants(folder, pattern, count, model=None, kinds=("sms",)):
    """So many businesses like the one of the file `pattern`, each with a number for channels of these
    kinds, an account and secrets of its own; `model` replaces settings of its model. Returns the
    files."""
    own_dir(folder)
    base = read_document(pattern)
    base["assistant"]["models"][0].update(model or {})
    own = {"name": "@name@", "number": "@number@", "account_sid": "@account@", "token": "@token@"}
    base["name"] = own["name"]
    base["channels"] = [dict(channel, number=own["number"], account_sid=own["account_sid"],
                             auth_token=f"env:{own['token']}")
                        for channel in base["channels"] if channel["kind"] in kinds]
    if "voice" not in kinds:
        base.pop("calls", None)  # there is no number to call from
    text = yaml.safe_dump(base, sort_keys=False)
    files = []
    for number in range(1, count + 1):
        made, known = text, own_of(number)
        for key, mark in own.items():
            made = made.replace(f"'{mark}'", mark).replace(
                mark, f"'{known[key]}'" if key == "number" else known[key])
        files.append(folder / f"{known['name']}.yaml")
        files[-1].write_text(made)
    return files


def own_of(number):
    """What is a business's own."""
    return {"name": f"bench-{number:03d}", "number": f"+1555020{number:04d}",
            "account_sid": f"AC{number:032d}", "token": f"BENCH_TOKEN_{number:03d}"}


REFUSED_S = 0.1  # until what was refused is sent again


class Connection:
    """One keep-alive connection of the load client, known to its poller. Ingress closes one that is
    idle for half a second, maybe just when the next request is on its way: nobody has taken that,
    and it is sent again over a new one."""

    def __init__(self, port, poller):
        self.port, self.poller = port, poller
        self.begin, self.had, self.sent = 0, b"", None
        self.may_again = self.refused = False
        self._connect()

    def _connect(self):
        self.socket = socket.create_connection(("127.0.0.1", self.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.poller.register(self.socket.fileno(), select.EPOLLIN)

    def close(self):
        self.poller.unregister(self.socket.fileno())
        self.socket.close()

    def send(self, data):
        self.may_again = True
        self.begin, self.had, self.sent = time.perf_counter(), b"", data
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass  # receive() is told, too

    def _again(self):
        if self.had or not self.may_again:
            raise Failure("a connection was closed while an answer was due")
        old = self.socket
        self.poller.unregister(old.fileno())
        self._connect()  # before the close: the descriptor is another one
        old.close()
        self.may_again = False
        self.socket.sendall(self.sent)

    def receive(self):
        """Seconds when the answer is whole, else None. Afterwards `socket` may be another one."""
        try:
            more = self.socket.recv(65536)
        except ConnectionResetError:
            more = b""
        if not more:
            self._again()
            return None
        self.had += more
        head, end, body = self.had.partition(b"\r\n\r\n")
        length = next((int(line.split(b":")[1]) for line in head.split(b"\r\n")
                       if line.lower().startswith(b"content-length:")), 0)
        if not end or len(body) < length:
            return None
        self.refused = head.startswith(b"HTTP/1.1 503 ")
        if not self.refused and b" 200 " not in head.split(b"\r\n")[0] + b" ":
            raise Failure(f"answered {head[:80]!r}")
        return time.perf_counter() - self.begin


def fire(requests, connections, port):
    """Sends them all, each connection one after the other; returns latencies in seconds. Every
    answer must be a 200."""
    latencies, waiting = [], list(reversed(requests))
    poller, open_ = select.epoll(), {}
    for _ in range(min(connections, len(requests))):
        connection = Connection(port, poller)
        open_[connection.socket.fileno()] = connection
        connection.send(waiting.pop())
    while open_:
        for fd, _ in poller.poll(30):
            connection = open_.pop(fd)
            seconds = connection.receive()
            if seconds is not None:
                if connection.refused:
                    raise Failure("ingress answered 503")
                latencies.append(seconds)
                if not waiting:
                    connection.close()
                    continue
                connection.send(waiting.pop())
            open_[connection.socket.fileno()] = connection
    return latencies


def paced(requests, port, rate):
    """Sends them open loop, `rate` a second, each over the connection that was freed last, else over
    a new one, whether or not earlier ones have been answered; returns when each was to be sent
    (time.time()). Every answer must be a 200; after a 503 (too many inside) it is sent again a
    little later, and late."""
    poller, busy, again = select.epoll(), {}, []

    idle = [Connection(port, poller) for _ in range(max(2, min(64, int(rate * 0.2))))]
    begin = time.time() + 0.05
    intended = [begin + number / rate for number in range(len(requests))]
    sent = answered = 0
    while answered < len(requests):
        while sent < len(requests) and time.time() >= intended[sent]:
            connection = idle.pop() if idle else Connection(port, poller)
            busy[connection.socket.fileno()] = connection
            connection.send(requests[sent])
            sent += 1
        while again and time.time() >= again[0][0]:
            connection = Connection(port, poller)
            busy[connection.socket.fileno()] = connection
            connection.send(again.pop(0)[1])
        due = min(intended[sent] - time.time() if sent < len(requests) else 1,
                  again[0][0] - time.time() if again else 1)
        for fd, _ in poller.poll(max(0, due)):
            if fd not in busy:  # ingress has closed one that was idle
                gone = next(each for each in idle if each.socket.fileno() == fd)
                idle.remove(gone)
                gone.close()
                continue
            connection = busy.pop(fd)
            if connection.receive() is None:
                busy[connection.socket.fileno()] = connection
            elif connection.refused:
                again.append((time.time() + REFUSED_S, connection.sent))
                connection.close()
            else:
                answered += 1
                idle.append(connection)
    for connection in idle:
        connection.close()
    return intended
