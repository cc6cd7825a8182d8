"""Rows E3 and E5: what one slow session, and one tenant that floods, cost all the others."""

import json
import statistics
import subprocess
import sys

from confluent_kafka import Producer

from bench import INBOUND_PARTITIONS
from measure import LOAD_CPU, paced
from procs import Failure
from report import percentile

PATH = "/v1/chat/completions"
STUCK_MS = 28000  # a model that takes longer is given up, and the tenant's fallback is the reply
PARTITION = 7
PAIRS = 3         # each takes over a minute


def murmur2(data):
    """Kafka's hash of a record key."""
    mask, m = 0xFFFFFFFF, 0x5BD1E995
    h = 0x9747B28C ^ len(data)
    whole = len(data) & ~3
    for at in range(0, whole, 4):
        k = int.from_bytes(data[at:at + 4], "little") * m & mask
        k = (k ^ k >> 24) * m & mask
        h = h * m & mask ^ k
    if len(data) > whole:
        h = (h ^ int.from_bytes(data[whole:], "little")) * m & mask
    h = (h ^ h >> 13) * m & mask
    return h ^ h >> 15


class Partition:
    """Customers whose texts all lie on one partition."""

    def __init__(self, trial):
        self.bench = trial.bench
        self.desk = trial.desk
        ids = dict(self.desk.sql("SELECT name, id::text FROM tenants"))
        self.tenants = [(tenant, ids[tenant["name"]]) for tenant in self.desk.tenants]

    def texts(self, count):
        """(nonces, webhooks) of so many new customers."""
        self.bench.tag += 1
        nonces, load, tried = [], [], 0
        while len(load) < count:
            tenant, id_ = self.tenants[tried % len(self.tenants)]
            address = self.desk.new_address()
            tried += 1
            key = f"{id_}:{address}".encode()
            if (murmur2(key) & 0x7FFFFFFF) % INBOUND_PARTITIONS != PARTITION:
                continue
            nonces.append(f"n-p{self.bench.tag:02x}x{len(load):06x}")
            load.append(self.bench.request(nonces[-1], address, tenant))
        return nonces, load


def check_partition(trial, nonces):
    """The texts are where they were to be: else the row says nothing."""
    wanted = set(nonces)
    where = {record.partition for record in trial.desk.kafka_records("inbound.sms", 60)
             if wanted & set(record.value.decode().replace('"', " ").split())}
    if where != {PARTITION}:
        raise Failure(f"the texts lie on partitions {sorted(where)}, not on {PARTITION} alone")


def stuck(trial):
    """E3: added p99 of the others on the partition while one session's model call hangs, against
    p99 of a bare HTTP echo at the same time; the peer is a consumer that answers in order."""
    others, rate = trial.size(10000), 50 if trial.small else 300
    stuck_ms = 8000 if trial.small else STUCK_MS
    bench = trial.start()
    partition = Partition(trial)
    warm, load = partition.texts(max(50, others // 20))
    bench.send(load)
    bench.settle(warm)
    check_partition(trial, warm)
    added, ratios = [], []
    for _ in range(min(PAIRS, bench.pairs)):
        alone, _ = window(trial, partition, others, rate, None)
        beside, echo = window(trial, partition, others, rate, stuck_ms)
        added.append(max(0, beside - alone))
        ratios.append(added[-1] / echo)
        trial.report.note(f"E3: p99 of {others} others {alone * 1e3:.1f} ms alone, "
                          f"{beside * 1e3:.1f} ms beside the stuck one; echo {echo * 1e3:.2f} ms")
    peer = in_order(trial, stuck_ms)
    bench.row("E3", statistics.median(added) * 1e3, f"ms_added_p99@{others}", 4.0, floor=ratios,
              peer=[each / peer for each in added], goal=2.0, peer_p99_ms=peer * 1e3)


def window(trial, partition, others, rate, stuck_ms):
    """(p99 from when a text was to be sent to its reply, p99 of an echo meanwhile), in seconds."""
    bench, desk = trial.bench, trial.desk
    held, first = partition.texts(1)
    if stuck_ms:
        desk.faults("model", {"match": held[0], "action": {"type": "delay", "ms": stuck_ms}})
        bench.send(first)
        desk.wait(lambda: desk.stats("model")["open"] == 1, 10, "the stuck call is open")
    nonces, load = partition.texts(others)
    echo = subprocess.Popen(["taskset", "-c", ",".join(map(str, LOAD_CPU)),
                             str(bench.floor_program), "http", desk.stand_url("model") + "/_stats",
                             str(int(50 * others / rate)), "50"], stdout=subprocess.PIPE, text=True)
    intended = paced(load, bench.port, rate)
    times = bench.settle(nonces)
    seen = json.loads(echo.communicate(timeout=120)[0])["p99_us"] / 1e6
    if stuck_ms and held[0] not in times:
        bench.settle(held)
    desk.faults("model")
    took = [times[nonce] - begin for nonce, begin in zip(nonces, intended)]
    return percentile(took, 0.99), seen


def in_order(trial, stuck_ms):
    """p99 in seconds of a plain consumer that answers one record after the other."""
    desk, count = trial.desk, 60 if trial.small else 500
    desk.faults("model", {"match": "n-stuck", "action": {"type": "delay", "ms": stuck_ms}})
    script = trial.bench.peer("plain_consumer.py")
    consumer = subprocess.Popen(
        [sys.executable, script, trial.bench.kafka, desk.topic("dlq"), "0",
         desk.stand_url("model") + PATH, str(count)], stdout=subprocess.PIPE, text=True)
    if consumer.stdout.readline() != "ready\n":
        raise Failure("the plain consumer did not start")
    producer = Producer({"bootstrap.servers": trial.bench.kafka})
    for number in range(count):
        producer.produce(desk.topic("dlq"), "n-stuck" if number == 0 else f"n-o{number:06x}",
                         partition=0)
    producer.flush(20)
    said = consumer.communicate(timeout=stuck_ms / 1000 + 120)[0]
    desk.faults("model")
    return json.loads(said)["p99_ms"] / 1000


# ---- E5 ----

MODEL_MS = range(1000, 3001, 250)  # how long a call may take: two places give one turn a second

# Would all calls take as long as each other, then the places that a flood fills at once would be
# free at once again, every two seconds for ever.
WORDS = {f"it may take {ms}.": ms for ms in MODEL_MS}
SLOW = [{"path": PATH, "match": words, "action": {"type": "delay", "ms": ms}}
        for words, ms in WORDS.items()]


def flood(trial):
    """E5: p99 of the others' wait for the model, from when their text was to be sent, while one
    tenant sends three times what the places can carry, against the same without it."""
    places = 100 if trial.small else 200
    capacity = places * 1000 * len(MODEL_MS) // sum(MODEL_MS)
    others_rate, seconds = capacity // 5, 10
    bench = trial.start(max_in_flight=places)
    warm, load = bench.fresh(2 * len(trial.desk.tenants))
    bench.send(load)
    bench.settle(warm)
    ratios, waits = [], []
    for pair in range(min(PAIRS, bench.pairs) + 2):
        calm = others_wait(trial, others_rate, 0, seconds)
        flooded = others_wait(trial, others_rate, 3 * capacity, seconds)
        if pair < 2:
            continue  # warm-up: Kafka's virtual machine still compiles in the first one
        waits.append(flooded)
        ratios.append(flooded / calm)
        trial.report.note(f"E5: p99 of the others' wait {calm * 1e3:.1f} ms without, "
                          f"{flooded * 1e3:.1f} ms beside a flood of {3 * capacity} texts a second")
    bench.row("E5", statistics.median(waits) * 1e3, f"ms_p99_wait@{places}_places", 4.0,
              floor=ratios, goal=2.0)


def others_wait(trial, others_rate, flood_rate, seconds):
    """p99 in seconds; all texts are answered when it returns."""
    bench, desk = trial.bench, trial.desk
    desk.faults("model", *SLOW)
    calls_before = desk.stats("model")["ledger"]
    count, every = others_rate * seconds, 1 + flood_rate // others_rate
    nonces, load = bench.fresh(count, desk.tenants[1:], list(WORDS))
    flood_nonces, flood_load = bench.fresh(count * (every - 1), desk.tenants[:1], list(WORDS))
    mixed, others = [], {}
    for number, text in enumerate(load):
        others[len(mixed)] = nonces[number]
        mixed += [text, *flood_load[number * (every - 1):(number + 1) * (every - 1)]]
    intended = paced(mixed, bench.port, others_rate * every)
    desk.wait(lambda: set(nonces) <= set(asked(desk, calls_before)), 30,
              "the model is asked about the others' texts")
    calls = asked(desk, calls_before)
    desk.faults("model")  # what the flood left behind need not be slow
    bench.settle(nonces + flood_nonces)
    return percentile([calls[nonce] - intended[at] for at, nonce in others.items()], 0.99)


def asked(desk, since):
    """{nonce: when the model was first asked about it}."""
    times = {}
    for entry in desk.ledger("model", since):
        for nonce in entry["params"]["nonces"]:
            times.setdefault(nonce, entry["time"] / 1000)
    return times
