"""Suite sms: what a text costs on its whole way (rows S1, S2, S3, I1, I2 and E1 at 1,000).

The rows are explained in docs/BENCHMARKS.md.
"""

import json
import statistics
import subprocess
import time
from types import SimpleNamespace

import rows_flight
from bench import (CLIENTS, HOT, INBOUND_PARTITIONS, PRODUCTION, QUARANTINE_PARTITIONS, Bench,
                   BenchDesk)
from harness import oracle
from measure import LOAD_CPU, SYSTEM_CPU, StaticNginx, fire
from procs import Failure

ROWS = ("S2", "S1", "E1", "S3", "I1", "I2")
# A model may take as long as a tenant may allow: the turns of a wave are to meet.
PATIENT = {"first_token": "30s", "total": "30s"}
RATE = 5  # texts a second of the latency row: each is done, receipts and all, before the next


class SmsBench(Bench):
    def __init__(self, desk, report, static):
        super().__init__(desk, report)
        self.static = static

    def ingress_rows(self):
        """I1: CPU a webhook; I2: latency at one client. Straight to ingress, as the peers are, and
        ingress alone: what it took is looked up in the topic."""
        topic = self.desk.topic("quarantine")
        stand = self.desk.stand_url("model") + "/_stats"
        pid = self.pids(("ingress",))
        peers, ratios, costs, p50s = [], [], [], []
        for pair in range(self.pairs + 1):
            addresses = [self.desk.new_address() for _ in range(2000)]
            sent, load = self.requests(2000, addresses, f"a{pair}")
            cost = self.cpu_of(pid, lambda data=load: fire(data, CLIENTS, self.port)) / len(load)
            static = [self.static.request] * 4000
            web = self.cpu_of([self.static.worker],
                              lambda data=static: fire(data, CLIENTS, self.static.port)) / len(static)
            bare = self.floor("produce", self.kafka, topic, 20000, 64, cpus=SYSTEM_CPU)
            nonces, single = self.requests(200, addresses, f"b{pair}")
            latencies = fire(single, 1, self.port)
            self.check_records(sent + nonces)
            echo = self.floor("http", stand, 1000, HOT, cpus=LOAD_CPU)
            alone = self.floor("produce", self.kafka, topic, 500, 1, cpus=SYSTEM_CPU)
            if pair == 0:
                continue  # warm-up
            peers.append(cost / (web + bare["cpu_us_per_unit"]))
            costs.append(cost)
            p50s.append(statistics.median(latencies) * 1e6)
            ratios.append(p50s[-1] / (echo["p50_us"] + alone["p50_us"]))
        self.row("I1", statistics.median(costs), "us_cpu/webhook", 4.0, peer=peers)
        self.row("I2", statistics.median(p50s), "us_p50", 1.5, floor=ratios)

    def check_records(self, nonces):
        """Each text is in the topic once."""
        bodies = [json.loads(record.value)["body"]
                  for record in self.desk.kafka_records("inbound.sms", 60)]
        found = [nonce for body in bodies for nonce in oracle.new_nonces(body)]
        wrong = [nonce for nonce in nonces if found.count(nonce) != 1] \
            if len(set(found)) != len(found) or not set(nonces) <= set(found) else []
        if wrong:
            raise Failure(f"{len(wrong)} texts are lost or doubled; no speed is reported")

    def latency_row(self):
        """S1: webhook to POST at the Twilio stand-in, texts that do not meet, open loop from the
        moment when each was to be sent; the model takes 0 ms. The floor goes at the same pace: a
        machine that rests between two texts is cold for both. S1_hot is against the same hops
        without rest."""
        topic = self.desk.topic("quarantine")
        stand = self.desk.stand_url("model") + "/_stats"
        database = self.desk.servers.pgbouncer.url(self.desk.installation.database, "postgres")
        ratios, hot_ratios, values = [], [], []
        for pair in range(self.pairs + 1):
            addresses = [self.desk.new_address() for _ in range(30)]
            nonces, load = self.requests(30, addresses, f"c{pair}")
            begin = time.time() + 0.2
            sent = {nonce: begin + number / RATE for number, nonce in enumerate(nonces)}
            for nonce, data in zip(nonces, load):
                time.sleep(max(0, sent[nonce] - time.time()))  # the pace of the generator
                fire([data], 1, self.port)
            times = self.settle(nonces)
            took = [times[nonce] - sent[nonce] for nonce in nonces]
            paced, hot = (
                3 * self.floor("http", stand, count, rate, cpus=LOAD_CPU)["p50_us"]
                + 2 * self.floor("hop", self.kafka, topic, QUARANTINE_PARTITIONS, count, rate,
                                 cpus=SYSTEM_CPU)["p50_us"]
                + 4 * self.floor("commit", database, count, rate, cpus=SYSTEM_CPU)["p50_us"]
                for count, rate in ((30, RATE), (300, HOT)))
            if pair == 0:
                continue
            values.append(statistics.median(took) * 1e6)
            ratios.append(values[-1] / paced)
            hot_ratios.append(values[-1] / hot)
        self.row("S1", statistics.median(values) / 1000, "ms_p50", 3.0, floor=ratios)
        self.row("S1_hot", statistics.median(values) / 1000, "ms_p50", None, floor=hot_ratios)

    def in_flight_rows(self, turns=1000):
        """E1: engine CPU a turn with so many in flight, against bare libcurl making the same calls;
        S3: memory of all our processes then."""
        trial = SimpleNamespace(bench=self, desk=self.desk)
        body = rows_flight.capture(trial)
        waves = rows_flight.Waves(trial)
        model = self.desk.stand_url("model") + "/v1/chat/completions"
        ratios, costs, memory = [], [], []
        for pair in range(self.pairs + 1):
            cost, _, of_all = waves.wave(turns)
            memory.append(of_all)
            bare = self.floor("sse", model, body, turns, turns, "-", cpus=SYSTEM_CPU)
            if pair == 0:
                continue
            costs.append(cost)
            ratios.append(cost / bare["cpu_us_per_unit"])
        self.desk.faults("model")
        self.row("E1", statistics.median(costs), f"us_cpu/turn@{turns}", 3.0, floor=ratios)
        self.row("S3", max(memory), f"MB_rss@{turns}", 600.0)

    def rest_row(self, seconds=10):
        """S2: CPU of all our processes at rest, against as many bare Kafka clients: ingress and engine
        have a producer and a consumer for texts and the same for calls, the responder a producer and
        three consumers (texts, mails, receipts)."""
        topic = self.desk.topic("inbound.sms")
        pids = self.pids()
        ratios, values = [], []
        for pair in range(self.pairs + 1):
            ours = self.cpu_of(pids, lambda: time.sleep(seconds))  # the rest that is measured
            bare = [subprocess.Popen([str(self.floor_program), "idle", self.kafka, topic,
                                      str(INBOUND_PARTITIONS), str(consumers), str(seconds)],
                                     stdout=subprocess.PIPE, text=True) for consumers in (1, 1, 1, 1, 3)]
            idle = sum(json.loads(child.communicate(timeout=seconds * 3 + 30)[0])["cpu_us_per_unit"]
                       for child in bare)
            if pair == 0:
                continue
            values.append(ours / seconds / 1e4)
            ratios.append(ours / seconds / idle)
        self.row("S2", statistics.median(values), "percent_of_a_core", 2.5, peer=ratios)


def run(servers, root, report, wanted):
    """The wanted rows, on an installation of their own."""
    desk = BenchDesk(servers, root / "desk", "bench", model=PATIENT)
    static = None
    try:
        static = StaticNginx(root / "static")
        desk.start(ingresses=1, engines=1, responders=1, config=PRODUCTION)
        bench = SmsBench(desk, report, static)
        bench.pin_all()
        if "S2" in wanted:
            bench.rest_row()
        if "S1" in wanted:
            bench.latency_row()
        if wanted & {"E1", "S3"}:
            bench.in_flight_rows()
        if wanted & {"I1", "I2"}:
            desk.start(ingresses=1, engines=0, responders=0, config=PRODUCTION)
            bench.pin_all()
            bench.ingress_rows()
    except Failure as problem:
        raise Failure(f"{problem}\n{desk.last_words()}") from None
    finally:
        if static is not None:
            static.child.stop()
        desk.finish()
