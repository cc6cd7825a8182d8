"""Rows P1 and P2: durable turns a second on one connection, and the way from a commit to the
acknowledged wake-up, both with the store's own functions (durable.c) and no service running."""

import statistics
import uuid

from bench import BenchDesk
from measure import LOAD_CPU
from procs import Failure

BATCH = 200  # what the engine puts into one statement under load
COUNTS = ("SELECT (SELECT count(*) FROM inbox_events WHERE state = 'answered'),"
          " (SELECT count(*) FROM turns WHERE state = 'finished'),"
          " (SELECT count(*) FROM deliveries), (SELECT count(*) FROM messages) / 2")


class Store:
    """A database of its own: nobody takes the deliveries up."""

    def __init__(self, trial):
        self.bench = trial.bench
        self.desk = BenchDesk(trial.servers, trial.root / "store", "store", tenant_count=20)
        self.desk.prepare()
        here = self.desk.installation
        self.url = trial.servers.postgres.url(here.database, "frontdesk_engine")
        self.worker = str(uuid.uuid4())
        self.desk.sql("INSERT INTO workers (id, kind, process, lease_until) VALUES (%s, 'engine',"
                      " 'bench', clock_timestamp() + interval '1 day')", self.worker)
        self.finished = 0

    def run(self, mode, *words, units):
        """One measurement; afterwards exactly so many more turns are there whole, those included
        that went ahead of it."""
        measured = self.bench.floor(mode, self.url, self.worker, *words, cpus=LOAD_CPU,
                                    program="bench-durable")
        self.finished += units
        counts = self.desk.sql(COUNTS)[0]
        if set(counts) != {self.finished}:
            raise Failure(f"{mode}: {self.finished} turns were to be there, texts, turns, deliveries "
                          f"and pairs of messages are {counts}; no speed is reported")
        return measured


def durable(trial):
    store = Store(trial)
    try:
        if "P1" in trial.wanted:
            turns_row(trial, store)
        if "P2" in trial.wanted:
            publish_row(trial, store)
    finally:
        store.desk.finish()


def turns_row(trial, store):
    """P1: claim, start and commit of turns of known customers. The peer's eight statements are one
    prepared transaction: insert the text, update the session, insert the message, read the history,
    insert turn, reply and delivery, settle the text."""
    ours, theirs = trial.size(6000), trial.size(2000)
    store.run("store", 0, ours, BATCH, units=ours + BATCH)  # the customers' first texts
    ratios, rates, lone, cpu, cpu_lone = [], [], [], [], []
    for pair in range(trial.pairs + 1):
        batched = store.run("store", 0, ours, BATCH, units=ours + BATCH)
        plain = store.run("plain", 0, theirs, units=theirs)
        if pair == 0:
            continue  # warm-up
        rates.append(batched["rate"])
        ratios.append(batched["rate"] / plain["rate"])
        lone.append(plain["rate"])
        cpu.append(batched["server_cpu_us_per_unit"])
        cpu_lone.append(plain["server_cpu_us_per_unit"])
    trial.report.note(f"P1: as eight statements {statistics.median(lone):.0f} turns a second; the "
                      f"server's own processor time a turn {statistics.median(cpu):.0f} us, as eight "
                      f"statements {statistics.median(cpu_lone):.0f} us")
    trial.report.row("P1", statistics.median(rates), "turns/s", 10.0, peer=ratios, goal=20.0,
                     at_least=True, peer_rates=lone)


def publish_row(trial, store):
    """P2: one turn after the other; from the commit's answer to the acknowledged record, against a
    thread that is woken and produces a bare record."""
    count = trial.size(400)
    here = store.desk.installation
    topic = here.prefix + "outbound.sms"
    ratios, values = [], []
    if "P1" not in trial.wanted:
        store.run("store", 0, max(count, BATCH), BATCH, units=max(count, BATCH) + BATCH)
    for pair in range(trial.pairs + 1):
        ours = store.run("publish", trial.bench.kafka, here.prefix, 0, count, units=count + 20)
        bare = trial.bench.floor("wake", trial.bench.kafka, topic, count, cpus=LOAD_CPU)
        if pair == 0:
            continue  # warm-up
        values.append(ours["p50_us"])
        ratios.append(ours["p50_us"] / bare["p50_us"])
    trial.report.row("P2", statistics.median(values), "us_p50", 3.0, floor=ratios, goal=2.0)
