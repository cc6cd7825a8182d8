"""Suite engine: which rows there are, and what they share.

Rows that need the same installation follow each other. A row that fails says so and the next one
goes on; the run then ends with 1. The rows are explained in docs/BENCHMARKS.md.
"""

import copy
import os
import time
import traceback

import rows_crash
import rows_fair
import rows_flight
import rows_growth
import rows_peers
import rows_store
from bench import PRODUCTION, TENANTS, Bench, BenchDesk
from measure import LOAD_CPU, SYSTEM_CPU, pin
from procs import Failure
from service import Stand
from stack import free_ports

# The rows of a group are measured together: any of them brings the others along for nothing.
GROUPS = (
    (("E1", "S3", "M2"), rows_flight.in_flight),
    (("M1",), rows_flight.memory),
    (("E4",), rows_crash.crash),
    (("E3",), rows_fair.stuck),
    (("E5",), rows_fair.flood),
    (("P1", "P2"), rows_store.durable),
    (("E2",), rows_peers.throughput),
    (("G_in_flight",), rows_flight.growth),
    (("G_conversations",), rows_growth.conversations),
    (("G_history",), rows_growth.history),
    (("G_knowledge",), rows_growth.knowledge),
    (("G_tenants",), rows_growth.tenants),  # last: with --long the others would have as many, too
)
ROWS = tuple(row for rows, _ in GROUPS for row in rows)
# A model may take as long as a tenant may allow: the turns of a wave are to meet.
PATIENT = {"first_token": "30s", "total": "30s"}


class Trial:
    """One run: its size, its installation, and what is started once for several rows."""

    def __init__(self, servers, root, report, wanted, small, is_long, kinds=("sms",)):
        self.servers = servers
        self.root = root
        self.report = report
        self.wanted = wanted
        self.small = small
        self.is_long = is_long
        self.pairs = 1 if small else 5
        self.desk = BenchDesk(servers, root / "desk", "bench", self.size(TENANTS), PATIENT,
                              kinds)
        self.bench = Bench(self.desk, report, self.pairs, 90 if small else 180)
        self._stand = None

    def size(self, full):
        return max(20, full // 20) if self.small else full

    def start(self, ingresses=1, engines=1, responders=1, **engine):
        """The installation with the services of production and these settings of the engine. Each
        row starts with new processes."""
        config = copy.deepcopy(PRODUCTION)
        config["engine"].update(max_in_flight=12000, provider_in_flight=12000, turn_deadline_ms=120000, loop_replies=0)
        config["engine"].update(engine)
        self.config = config
        self.desk.stop()
        self.desk.start(ingresses, engines, responders, config)
        self.desk.model_with()
        self.bench.pin_all()
        return self.bench

    def floor_stand(self, *options):
        """A second model stand-in, for floors: the first one is full of the engine's connections."""
        if self._stand:
            self._stand.stop()
        here = self.desk.installation
        self._stand = Stand("stand-model-2", here.bin / "stand-model", here.folder / "log",
                            free_ports("model"), *options, "--die-with-parent")
        self._stand.start().wait_ready()
        pin(self._stand.pid, LOAD_CPU)
        return self._stand.url + "/v1/chat/completions"

    def bare_calls(self, body, turns, first_token_ms, chunk_ms):
        """The floor of a wave: the same calls by a bare libcurl loop."""
        url = self.floor_stand("--first-token-ms", first_token_ms, "--delay-ms", chunk_ms)
        return self.bench.floor("sse", url, body, turns, turns, "-", cpus=SYSTEM_CPU)

    def finish(self):
        if self._stand:
            self._stand.stop()
        self.desk.finish()


def run(servers, root, report, wanted, small, is_long):
    """The wanted rows."""
    run_groups(Trial(servers, root, report, wanted, small, is_long), GROUPS)


def run_groups(trial, groups):
    """Those of the trial's wanted rows; report.failed names what could not be measured."""
    report, wanted = trial.report, trial.wanted
    try:
        for rows, measure in groups:
            if not wanted & set(rows):
                continue
            begin = time.monotonic()
            try:
                measure(trial)
                report.note(f"{'/'.join(rows)} took {time.monotonic() - begin:.0f} s")
            except Exception as problem:  # the other rows can still be measured
                report.failed += sorted(wanted & set(rows))
                kind = "" if isinstance(problem, Failure) else f"{type(problem).__name__}: "
                print(f"{'/'.join(rows)}: {kind}{problem}", flush=True)
                if os.environ.get("FRONTDESK_BENCH_LOGS") == "1":
                    traceback.print_exc()
                    print(trial.desk.last_words(), flush=True)
    finally:
        trial.finish()
