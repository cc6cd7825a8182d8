"""P4: from the moment "yours" is said no reply of the assistant can start to leave. Takeovers at 200
moments of a turn, from before its text is claimed until after its reply was sent, of as many
conversations side by side, with the engine and the responder at work. Judged by the Twilio stand-in's
own clock: when each request came in.
"""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from confluent_kafka import Producer

from harness import tables
from scripted import Customer, Operator, say

SHARE = True
DEADLINE_S = 240

TAKEOVERS = 200
SAMPLES = 8                 # turns that show how long one takes here
FROM_S, BEHIND_S = -0.15, 0.6  # takeovers begin from so long before a text to so long after its reply,
SLOWER = 1.4                # which takes a little longer with all of them at work than by itself
PACE_S = 0.06               # between two conversations
BUCKETS = 12
LEAST, ROUNDS = 5, 4        # each fate is met so often, else the moments were badly spread: once more
# A turn of about one and a half seconds: burst, model, commit, claim of the delivery, request to the
# provider, which takes a moment.
MODEL_MS, PROVIDER_MS = 500, 500
CONFIG = {
    "engine": {"burst_ms": 300, "burst_max_ms": 1200, "worker_lease_ms": 4000, "adopt_every_ms": 200,
               "turn_deadline_ms": 20000},
    "responder": {"worker_lease_ms": 4000, "adopt_every_ms": 200, "request_timeout_ms": 8000,
                  "lookup_after_ms": 6000},
}

@dataclass
class Moment:
    """One conversation and its takeover; times in seconds of the wall clock, which all share."""
    customer: Customer
    conversation: str = ""
    said: object = None
    written: float = 0  # its text was handed to Kafka
    began: float = 0    # its takeover was
    yours: float = 0
    in_flight: bool = False  # a reply was leaving when the takeover had committed
    sends: list = field(default_factory=list)  # when its second reply was asked to be sent
    states: list = field(default_factory=list)  # of the deliveries behind the first

    @property
    def before(self):
        return sum(at <= self.yours for at in self.sends)

    @property
    def after(self):
        return sum(at > self.yours for at in self.sends)


class Operators:
    """One operator a thread: a process for each takeover would begin too late to meet its moment."""

    def __init__(self, desk):
        self.desk = desk
        self.here = threading.local()
        self.opened = []

    def take_over(self, moment):
        if not hasattr(self.here, "operator"):
            self.here.operator = Operator(self.desk)
            self.opened.append(self.here.operator)
        moment.began = time.time()
        moment.yours, moment.in_flight = self.here.operator.take_over(moment.customer.tenant_id,
                                                                      moment.conversation)

    def close(self):
        for operator in self.opened:
            operator.close()


def known_customers(desk, count):
    """Customers who have been answered once, so that their conversations exist."""
    moments = [Moment(Customer(desk)) for _ in range(count)]
    say(desk, *[moment.customer.make() for moment in moments])
    addresses = [moment.customer.address for moment in moments]
    desk.wait(lambda: desk.value(
        "SELECT count(*) FROM deliveries d JOIN channel_sessions s ON s.tenant_id = d.tenant_id"
        " AND s.id = d.session_id WHERE s.remote_address = ANY(%s) AND d.state IN ('sent',"
        " 'delivered')", addresses) == len(moments), 90, "the first replies")
    found = dict(desk.sql("SELECT remote_address, conversation_id::text FROM channel_sessions"
                          " WHERE remote_address = ANY(%s)", addresses))
    for moment in moments:
        moment.conversation = found[moment.customer.address]
        moment.said = moment.customer.make("and another question")
    return moments


def turn_seconds(desk, samples):
    """How long a turn takes on this machine at most: from the text to the request to the provider."""
    since = len(desk.ledger("twilio"))
    for moment in samples:
        moment.written = time.time()
        say(desk, moment.said)
    desk.wait(lambda: sum(entry["method"] == "POST" for entry in desk.ledger("twilio", since)) >= len(samples),
              60, "the sampled replies")  # a slow one may be looked up beside
    note_what_came(desk, samples, since)
    return max(moment.sends[0] - moment.written for moment in samples)


def play(desk, moments, last_s):
    """Each text and each takeover at its time."""
    step = (last_s - FROM_S) / (len(moments) - 1)
    producer = Producer({"bootstrap.servers": desk.servers.kafka.address, "acks": "all", "linger.ms": 0,
                         "partitioner": "murmur2_random"})
    # Neighbours in time are at different moments of their turns.
    offsets = [FROM_S + (number * 37 % len(moments)) * step for number in range(len(moments))]
    plan = sorted([(number * PACE_S, number, "write") for number in range(len(moments))]
                  + [(number * PACE_S + offset, number, "take") for number, offset in enumerate(offsets)])
    clock, begin = threading.Event(), time.monotonic() + 0.5
    operators = Operators(desk)
    with ThreadPoolExecutor(16) as pool:
        jobs = []
        for at, number, what in plan:
            clock.wait(max(0, begin + at - time.monotonic()))
            moment = moments[number]
            if what == "take":
                jobs.append(pool.submit(operators.take_over, moment))
                continue
            moment.written = time.time()
            producer.produce(desk.topic("inbound.sms"), moment.said.value, moment.said.key,
                             headers=list(moment.said.headers.items()))
            producer.poll(0)
        assert not producer.flush(20)
        for job in jobs:
            job.result()
    operators.close()


def note_what_came(desk, moments, since):
    by_address = {moment.customer.address: moment for moment in moments}
    for entry in desk.ledger("twilio", since):
        moment = by_address.get((entry["params"] or {}).get("To"))
        if moment and entry["method"] == "POST":
            moment.sends.append(entry["time"] / 1000)
    for address, state in desk.sql(
            "SELECT s.remote_address, d.state FROM deliveries d JOIN channel_sessions s"
            " ON s.tenant_id = d.tenant_id AND s.id = d.session_id WHERE d.seq > 1"
            " AND s.remote_address = ANY(%s)", list(by_address)):
        by_address[address].states.append(state)


def rows_of(moments):
    """Rows of equally many takeovers, by the moment at which they really began."""
    moments = sorted(moments, key=lambda moment: moment.began - moment.written)
    size = -(-len(moments) // BUCKETS)
    for at in range(0, len(moments), size):
        some = moments[at:at + size]
        waits = sorted(moment.yours - moment.began for moment in some)
        first, last = (moment.began - moment.written for moment in (some[0], some[-1]))
        yield (f"{first:+.2f} to {last:+.2f} s", len(some), sum(moment.before for moment in some),
               sum(moment.states.count("suppressed") for moment in some),
               sum(not moment.states for moment in some),
               sum(moment.in_flight for moment in some), f"{waits[len(waits) // 2]:.2f} s",
               sum(moment.after for moment in some))


def fates(moments):
    """How many were sent before, were leaving meanwhile, were never computed. (A suppressed reply is rare:
    between its commit and its claim lies only a moment.)"""
    return (sum(m.before for m in moments), sum(m.in_flight for m in moments),
            sum(not m.states for m in moments))


def takeovers(desk, last_s):
    """A takeover of each of so many turns, the last one begun last_s after its text."""
    moments = known_customers(desk, TAKEOVERS)
    since = len(desk.ledger("twilio"))
    play(desk, moments, last_s)
    # Whatever would leave too late does so within a turn and an adoption.
    desk.settled(5, lambda: (len(desk.ledger("twilio", since)), desk.value(
        "SELECT count(*) FROM deliveries WHERE settled_at IS NULL")), 60)
    note_what_came(desk, moments, since)
    return moments


def test_takeover_at_every_moment_of_a_turn(desk):
    """Guards: the epoch in the claim of a delivery (store/delivery.c), in a commit (store/turn.c), the
    suppression by takeover, and its wait for what is being sent (store/conversation.c)."""
    desk.start(ingresses=0, engines=1, responders=1, config=CONFIG, directory=False)
    samples = known_customers(desk, SAMPLES)
    desk.faults("model", {"action": {"type": "delay", "ms": MODEL_MS}})
    desk.faults("twilio", {"path": "/Messages.json", "method": "POST",
                           "action": {"type": "delay", "ms": PROVIDER_MS}})
    last_s, moments = SLOWER * turn_seconds(desk, samples) + BEHIND_S, []
    for _ in range(ROUNDS):
        moments += takeovers(desk, last_s)
        if min(fates(moments)) >= LEAST:
            break
        last_s *= SLOWER  # turns took longer than the samples told
    tables.show(f"{len(moments)} takeovers of {len(moments)} turns", (
        "begun after the text", "takeovers", "sent before", "suppressed", "never computed",
        "leaving meanwhile", "yours after (median)", "sends after"), rows_of(moments))
    late = [(m.customer.address, f"begun {m.began - m.written:+.3f} s, sent {at - m.yours:+.3f} s after yours")
            for m in moments for at in m.sends if at > m.yours]
    assert not late, f"{len(late)} replies started to leave after \"yours\": {late[:5]}"
    assert all(moment.yours for moment in moments)
    assert all(len(moment.sends) <= 1 for moment in moments), "a reply was sent twice"
    assert min(fates(moments)) >= LEAST, f"sent, leaving meanwhile, never computed: {fates(moments)}"
