"""Rows with many turns in flight at once: E1 (CPU a turn), S3 and M1 (memory), M2 (what stays of a
conversation that is over), and how the CPU grows with their number.

A wave is so many customers who write once. The model stand-in keeps each call back until all are in
flight, then streams 20 chunks. A wave counts only if 95 % of its calls were open at one moment.
"""

import http.server
import re
import statistics
import threading
import time

from measure import SYSTEM_CPU, TlsFront, cpu_seconds, exact_cpu_seconds, pin, rss_bytes, rss_mb
from procs import Failure

CHUNK_MS = 50      # between two of the 20 chunks of a reply
HOLD_MAX_MS = 25000  # first chunk; a tenant's model has 30 s in all
KEPT_ENTRY = 48    # bytes: the least that one kept conversation could cost (a hash entry)
KIB = 1024


class Waves:
    """Sends waves and remembers how long the model has to keep them back."""

    def __init__(self, trial):
        self.trial = trial
        self.bench = trial.bench
        self.desk = trial.desk
        self.hold_ms = {}
        self.rest = 0  # what the engine uses anyway, seconds a second: subtracted

    def wave(self, turns, cpu=cpu_seconds):
        """(engine CPU in microseconds a turn, memory of the engine in bytes and of all in MB while
        all were in flight)."""
        hold = self.hold_ms.setdefault(turns, min(HOLD_MAX_MS, 4000 + 2 * turns))
        self.desk.faults("model", {"path": "/v1/chat/completions",
                                   "action": {"type": "delay", "ms": hold}})
        nonces, load = self.bench.fresh(turns)
        engine = self.bench.pids(("engine",))
        begin, since = cpu(engine), time.monotonic()
        self.bench.send(load)
        self.desk.wait(lambda: self.open_calls() >= turns * 0.95, hold / 1000 + 10,
                       lambda: f"{turns} turns in flight at once, {self.open_calls()} are")
        took_ms = (time.monotonic() - since) * 1000
        of_engine, of_all = rss_bytes(engine[0]), rss_mb(self.bench.pids())
        self.bench.settle(nonces)
        self.hold_ms[turns] = int(min(HOLD_MAX_MS, max(1000, took_ms * 1.3 + 1500)))
        used = cpu(engine) - begin - self.rest * (time.monotonic() - since)
        return used / turns * 1e6, of_engine, of_all

    def measure_rest(self, seconds=5):
        engine = self.bench.pids(("engine",))
        begin = exact_cpu_seconds(engine)
        time.sleep(seconds)  # the rest that is measured
        self.rest = (exact_cpu_seconds(engine) - begin) / seconds

    def open_calls(self):
        return self.desk.stats("model")["open"]


def wanted_prompt(trial):
    """The body of a model request as the engine sends it: what the floor is to send, too. In place
    of the model stand-in a server answers one text and keeps what it was asked."""
    if not getattr(trial, "prompt", None):
        trial.prompt = capture(trial)
    return trial.prompt


def capture(trial):
    asked = []

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_POST(self):  # noqa: N802  (the library's name)
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            asked.append(body)
            nonce = re.findall(r"n-w[0-9a-z]+", body)[-1]
            events = "".join(
                'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m",'
                f'"choices":[{{"index":0,"delta":{delta},"finish_reason":{finish}}}]}}\n\n'
                for delta, finish in ((f'{{"role":"assistant","content":"You wrote {nonce}."}}',
                                       "null"), ("{}", '"stop"')))
            data = (events + "data: [DONE]\n\n").encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_):
            pass

    here = trial.desk.installation
    here.model.stop()
    server = http.server.HTTPServer(("127.0.0.1", here.stand_ports["model"]), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        nonces, load = trial.bench.fresh(1)
        trial.bench.send(load)
        trial.bench.settle(nonces)
    finally:
        server.shutdown()
        server.server_close()
        trial.desk.model_with()
    return asked[-1]


def prepare(trial):
    """(waves, body) with new services; all tenants' assistants have been read."""
    bench = trial.start()
    body = wanted_prompt(trial)
    trial.desk.model_with("--delay-ms", CHUNK_MS)
    waves = Waves(trial)
    waves.wave(2 * len(trial.desk.tenants))
    return bench, waves, body


def in_flight(trial):
    """E1: engine CPU a turn with so many in flight, against bare libcurl making the same calls. S3:
    memory of all our processes then. M2: what the engine has allocated more at rest, a conversation:
    allocated and not resident, since each wave's peak leaves other gaps behind."""
    turns = trial.size(10000)
    bench, waves, body = prepare(trial)
    engine = trial.desk.service("engine-1")
    costs, ratios, memory, rests = [], [], [], []
    for pair in range(bench.pairs + 1):
        cost, _, of_all = waves.wave(turns)
        bare = trial.bare_calls(body, turns, max(2000, turns * 2 // 3), CHUNK_MS)
        rests.append(engine.metrics()["frontdesk_heap_bytes"])
        memory.append(of_all)
        if pair == 0:
            continue  # warm-up
        costs.append(cost)
        ratios.append(cost / bare["cpu_us_per_unit"])
    bench.row("E1", statistics.median(costs), f"us_cpu/turn@{turns}", 3.0, floor=ratios, goal=2.0,
              wave_ms=waves.hold_ms[turns])
    bench.row("S3", max(memory), f"MB_rss@{turns}", 600.0, goal=300.0)
    stays = max(0, rests[-1] - rests[0]) / (turns * bench.pairs)
    bench.row("M2", stays, f"bytes/idle_conversation@{turns * bench.pairs}", KEPT_ENTRY,
              goal=KEPT_ENTRY, rests=rests)


def fresh_engine(trial, environment=None):
    service = trial.desk.service("engine-1")
    service.environment.update(environment or {})
    service.stop()
    service.start().wait_ready()
    pin(service.pid, SYSTEM_CPU)
    return service


def turn_memory(trial, waves, turns, environment=None):
    """Bytes of a new engine that one turn in flight adds; a first wave has read the assistants."""
    engine = fresh_engine(trial, environment)
    waves.wave(2 * len(trial.desk.tenants))
    rest = rss_bytes(engine.pid)
    _, of_engine, _ = waves.wave(turns)
    return (of_engine - rest) / turns


def point_models_at(trial, base_url):
    here = trial.desk.installation
    here.secrets["OPENAI_BASE_URL"] = base_url
    trial.desk.apply(trial.desk.files)


def memory(trial):
    """M1: memory a turn in flight beyond its prompt, plain and over TLS with HTTP/2, against libcurl
    alone. With new engines: what a process has once used it keeps."""
    turns = trial.size(10000)
    bench, waves, body = prepare(trial)
    prompt = len(body)
    plain = turn_memory(trial, waves, turns)
    first_token = max(2000, turns * 2 // 3)
    bare = trial.bare_calls(body, turns, first_token, CHUNK_MS)["rss_bytes_per_unit"]
    memory_row(bench, "M1", turns, plain, prompt, bare, (20, 16))
    front = TlsFront(trial.root / "tls", trial.desk.installation.stand_ports["model"])
    back = None
    try:
        point_models_at(trial, front.url + "/v1")
        tls = turn_memory(trial, waves, turns, {"SSL_CERT_FILE": str(front.certificate)})
        url = trial.floor_stand("--first-token-ms", first_token, "--delay-ms", CHUNK_MS)
        back = TlsFront(trial.root / "tls-2", int(url.split(":")[2].split("/")[0]))
        bare = bench.floor("sse", back.url + "/v1/chat/completions", body, turns, turns,
                           back.certificate, cpus=SYSTEM_CPU)["rss_bytes_per_unit"]
    finally:
        point_models_at(trial, trial.desk.installation.model_url)
        for nginx in (front, back):
            if nginx:
                nginx.child.stop()
    memory_row(bench, "M1_tls", turns, tls, prompt, bare, (64, 40))


def memory_row(bench, name, turns, turn, prompt, bare, bars):
    if bare <= 0:
        raise Failure(f"{name}: the floor's calls were not all in flight at once")
    bench.report.note(f"{name}: {turn / KIB:.1f} KiB a turn, of which {prompt / KIB:.1f} are its "
                      f"prompt; libcurl alone {bare / KIB:.1f}")
    bench.report.row(name, (turn - prompt) / KIB, f"KiB/turn@{turns}", bars[0], goal=bars[1],
                     floor_kib=bare / KIB, prompt_kib=prompt / KIB)


def growth(trial):
    """Engine CPU a turn from 100 to 10,000 in flight, without what the engine uses at rest, which
    would count most where few turns share it; small waves are repeated."""
    greatest = trial.size(10000)
    points = []
    _, waves, _ = prepare(trial)
    waves.measure_rest()
    for turns, rounds in ((greatest // 100, 10), (greatest // 10, 2), (greatest, 1)):
        waves.wave(turns)
        points.append((turns, statistics.fmean(
            waves.wave(turns, exact_cpu_seconds)[0] for _ in range(rounds))))
    trial.report.growth("G_in_flight", "us_cpu/turn", points, 1.15)
