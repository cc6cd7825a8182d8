"""Row E4: an engine is added, and another one killed, with many turns in flight.

The ledgers judge: the Twilio stand-in's says whether a text was answered twice or not at all, the
model stand-in's how often each text was asked about. Only texts that the dead engine had in hand may
be asked about again, and none because partitions moved.
"""

import time
from collections import Counter

import webhook
from harness import oracle
from measure import SYSTEM_CPU, pin
from procs import wait_for
from rows_flight import CHUNK_MS, HOLD_MAX_MS, Waves

# Texts in sessions that a worker of this process holds; and those of them that nobody else has
# taken up yet.
WORKERS = "SELECT id::text FROM workers WHERE kind = 'engine' AND process = %s AND NOT dead"
IN_HAND = """SELECT e.provider_id FROM workers w
  JOIN channel_sessions s ON s.worker = w.id AND s.due_at IS NOT NULL
  JOIN inbox_events e ON e.tenant_id = s.tenant_id AND e.session_id = s.id AND e.state = 'open'
 WHERE w.id = ANY(%s::uuid[]) AND NOT w.dead"""
LEFT = """SELECT count(*) FROM channel_sessions
 WHERE due_at IS NOT NULL AND (worker IS NULL OR worker = ANY(%s::uuid[]))"""


class Flight:
    """One wave with an accident in its middle."""

    def __init__(self, trial, turns):
        self.desk = trial.desk
        self.bench = trial.bench
        self.turns = turns
        self.texts = {}  # nonce: MessageSid
        self.calls_before = self.desk.stats("model")["ledger"]

    def take_off(self, hold_ms):
        """Sends the wave and waits until all are in flight."""
        self.desk.faults("model", {"path": "/v1/chat/completions",
                                   "action": {"type": "delay", "ms": hold_ms}})
        self.bench.tag += 1
        load = []
        for number in range(self.turns):
            nonce, sid = f"n-e{self.bench.tag:02x}x{number:06x}", webhook.new_sid()
            tenant = self.desk.tenants[number % len(self.desk.tenants)]
            load.append(self.bench.request(nonce, self.desk.new_address(), tenant, sid))
            self.texts[nonce] = sid
        self.bench.send(load)
        self.desk.wait(lambda: self.desk.stats("model")["open"] >= self.turns * 0.95,
                       hold_ms / 1000 + 10, f"{self.turns} turns in flight at once")

    def land(self):
        """Waits for all replies. (texts answered more than once, {nonce: model calls})."""
        begin, wanted = self.bench.sent_before, set(self.texts)
        answers = Counter()

        def all_there():
            if self.desk.stats("twilio")["ledger"] < begin + len(wanted):
                return False
            answers.clear()
            for entry in oracle.created(self.desk.ledger("twilio", begin)):
                answers.update(oracle.new_nonces(entry["params"].get("Body", "")))
            return wanted <= set(answers)
        wait_for(all_there, 240, lambda: f"{len(wanted - set(answers))} texts are not answered", 0.5)
        self.bench.sent_before = self.desk.stats("twilio")["ledger"]
        calls = Counter()
        for entry in self.desk.ledger("model", self.calls_before):
            calls.update(nonce for nonce in entry["params"]["nonces"] if nonce in wanted)
        return sum(answers[nonce] > 1 for nonce in wanted), calls


def repeats(calls, nonces):
    """Model calls beyond the first of each."""
    return sum(max(0, calls[nonce] - 1) for nonce in nonces)


def crash(trial):
    turns = trial.size(10000)
    hold = min(HOLD_MAX_MS, 12000 + turns * 2)
    trial.start(engines=2)
    trial.desk.model_with("--delay-ms", CHUNK_MS)
    Waves(trial).wave(2 * len(trial.desk.tenants))
    doubled = rebalance(trial, turns, hold)
    doubled += kill(trial, turns, hold)
    trial.report.row("E4_doubled", doubled, f"texts_of_{2 * turns}", 0, goal=0)


def rebalance(trial, turns, hold):
    """A third engine joins with all turns in flight: partitions move, turns do not."""
    flight = Flight(trial, turns)
    flight.take_off(hold)
    since = time.monotonic()
    joined = trial.desk.add("engine", 3, trial.config)
    joined.wait_ready()
    took = time.monotonic() - since
    pin(joined.pid, SYSTEM_CPU)
    open_then = trial.desk.stats("model")["open"]
    doubled, calls = flight.land()
    trial.report.note(f"E4: an engine joined within {took:.1f} s, {open_then} calls were open then; "
                      f"{sum(calls.values())} model calls for {turns} texts, {doubled} doubled")
    trial.report.row("E4_rebalance", repeats(calls, flight.texts), "model_calls_repeated", 0, goal=0)
    return doubled


def kill(trial, turns, hold):
    """kill -9 of the first of three engines with all turns in flight. What it had in hand is read
    from then until its lease is over: it claimed up to its end."""
    desk = trial.desk
    flight = Flight(trial, turns)
    flight.take_off(hold)
    workers, held = [worker for worker, in desk.sql(WORKERS, "engine-1/0")], set()
    since = time.monotonic()
    desk.kill("engine-1")

    def all_adopted():
        held.update(sid for sid, in desk.sql(IN_HAND, workers))
        return desk.value(LEFT, workers) == 0
    wait_for(all_adopted, 60, "the dead engine's turns are adopted", 0.1)
    adopted = time.monotonic() - since
    doubled, calls = flight.land()
    victims = {nonce for nonce, sid in flight.texts.items() if sid in held}
    others = set(flight.texts) - victims
    trial.report.note(f"E4: {len(victims)} of {turns} texts were the dead engine's, adopted within "
                      f"{adopted:.1f} s; model calls repeated for {repeats(calls, victims)} of them "
                      f"and {repeats(calls, others)} of the others; {doubled} doubled")
    trial.report.row("E4_adopted", adopted, "s", 6.0, goal=6.0, victims=len(victims))
    trial.report.row("E4_others", repeats(calls, others), "model_calls_repeated", 0, goal=0)
    return doubled
