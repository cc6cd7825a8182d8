"""kill -9 at every stop point of the three services, again and again, under a load of texts.

Judged by the client's ledger and the Twilio stand-in's, which never de-duplicate. A kill
counts when the process that died held a text that was accepted and not yet answered, while at least
two others of its kind were alive. A round is a load with its kills; --long has many rounds.
"""

import os
import time
from collections import defaultdict
from dataclasses import dataclass, field

import webhook
from harness import oracle
from harness.load import Load
from harness.stops import KILL
from procs import tail

POINTS = {
    "ingress": ("ingress.read", "ingress.verified", "ingress.acked"),
    "engine": ("engine.claiming", "engine.claimed", "engine.started", "engine.thinking",
               "engine.answered", "engine.committing", "engine.committed"),
    "responder": ("responder.claimed", "responder.sending", "responder.answered",
                  "responder.settled"),
}
COUNTS = {"ingress": 3, "engine": 4, "responder": 4}
ALIVE_MIN = 2
EACH_MIN = 3
LONG = os.environ.get("FRONTDESK_LONG") == "1"
KILLS_WANTED = 10000 if LONG else 200
# Some kills of a round do not count: the process held nothing, or too few others lived.
ROUND_KILLS = 250 if LONG else 235
ROUND_S = 400 if LONG else 165
ROUNDS_MAX = 200 if LONG else 2
DEGRADED_MAX = 0.01

# Leases of a second, so that what a dead process held is taken up at once; deadlines of the model
# long, so that a busy machine does not make fallback replies.
CONFIG = {
    "engine": {"worker_lease_ms": 1000, "adopt_every_ms": 100, "burst_ms": 150,
               "burst_max_ms": 500, "turn_deadline_ms": 20000, "adopter_deadline_ms": 10000,
               "session_timeout_ms": 6000, "heartbeat_ms": 500},
    "responder": {"worker_lease_ms": 1000, "adopt_every_ms": 100, "lookup_after_ms": 1500,
                  "request_timeout_ms": 5000, "session_timeout_ms": 6000, "heartbeat_ms": 500},
    "ingress": {},
}


class Texts(Load):
    """Texts whose sids differ from those of our own messages, so that a stop point can be armed for
    webhooks of texts and not for status callbacks."""

    def _next_text(self, number, customer):
        text = super()._next_text(number, customer)
        text.sid = webhook.new_sid("MM")
        return text


@dataclass
class Kill:
    point: str
    at: float
    process: str
    subject: str
    others: int
    held: set = field(default_factory=set)  # sids of the texts in its hands


class Killer:
    """Keeps a point of each kind armed, starts again what died, and notes what it held."""

    def __init__(self, desk):
        self.desk = desk
        self.kills = []
        self.armed = {}  # kind -> Stop
        self.tried = defaultdict(int)
        self.starting = set()
        self.pids = {service.pid: name for name, service in desk.services.items()}
        self.counted = 0
        self.own_deaths = []  # what ended without having been killed

    def step(self):
        for kind, stop in list(self.armed.items()):
            if stop.hits:
                self._died(kind, stop)
                del self.armed[kind]
        self._restart()
        for kind in POINTS:
            if kind not in self.armed and self._alive(kind) > ALIVE_MIN:
                self._arm(kind)

    def stop(self):
        for stop in self.armed.values():
            stop.disarm()
        for kind, stop in list(self.armed.items()):
            if stop.hits:
                self._died(kind, stop)
        self.armed.clear()
        self.desk.revive()

    def enough(self, wanted):
        return self.counted >= wanted and all(
            self._count(point) >= EACH_MIN for points in POINTS.values() for point in points)

    def _count(self, point):
        return sum(kill.point == point and bool(kill.held) for kill in self.kills)

    def _alive(self, kind):
        """Those of a kind that serve: started ones count when they are ready."""
        return sum(self._serves(kind, name) for name in self.desk.services)

    def _serves(self, kind, name):
        return (name.startswith(kind) and name not in self.starting
                and self.desk.services[name].alive())

    def _arm(self, kind):
        point = min(POINTS[kind], key=lambda name: (self._count(name), self.tried[name]))
        self.tried[point] += 1
        match = "MM" if kind == "ingress" else ""
        self.armed[kind] = self.desk.stops.arm(point, action=KILL, match=match)

    def _died(self, kind, stop):
        name = self.pids.get(stop.pid, "?")
        others = sum(self._serves(kind, other) for other in self.desk.services if other != name)
        kill = Kill(stop.name, time.time(), name, stop.subject, others)
        kill.held = self._held(kind, name, stop.subject)
        self.kills.append(kill)
        self.counted += bool(kill.held)

    def _held(self, kind, name, subject):
        """Sids of texts that the process had in its hands: by the subject of the stop point and by
        the rows that name its worker."""
        if kind == "ingress":
            return {subject}
        if subject.startswith("MM"):
            return {subject}
        if kind == "engine":
            rows = self.desk.sql(
                "SELECT e.provider_id FROM inbox_events e WHERE e.state = 'open'"
                " AND (e.session_id = %s::uuid OR e.session_id IN (SELECT s.id FROM"
                " channel_sessions s JOIN workers w ON w.id = s.worker WHERE s.due_at IS NOT NULL"
                " AND w.process = %s AND NOT w.dead))"
                " UNION SELECT e.provider_id FROM inbox_events e JOIN deliveries d"
                " ON d.tenant_id = e.tenant_id AND d.turn_id = e.turn_id"
                " WHERE e.session_id = %s::uuid AND d.settled_at IS NULL",
                subject, f"{name}/0", subject)
        else:
            rows = self.desk.sql(
                "SELECT e.provider_id FROM inbox_events e JOIN deliveries d"
                " ON d.tenant_id = e.tenant_id AND d.turn_id = e.turn_id"
                " WHERE (d.id = %s::uuid AND d.settled_at IS NULL) OR d.worker IN"
                " (SELECT id FROM workers WHERE process = %s AND NOT dead)", subject, f"{name}/0")
        return {row[0] for row in rows}

    def _restart(self):
        for name, service in self.desk.services.items():
            if not service.alive():
                if service.child.process.returncode != -9:
                    self.own_deaths.append(f"{name} ended with {service.child.process.returncode}:"
                                           f"\n{tail(self.desk.log_of(name), 25)}")
                service.start()
                self.pids[service.pid] = name
                self.starting.add(name)
            elif name in self.starting and service.ready():
                self.starting.discard(name)


class Table:
    """One line a stop point, over all rounds."""

    COLUMNS = ("killed", "accepted", "answered", "lost", "doubled", "reordered", "degraded")

    def __init__(self):
        self.lines = {point: dict.fromkeys(self.COLUMNS, 0)
                      for points in POINTS.values() for point in points}
        self.total = dict.fromkeys(self.COLUMNS, 0)
        self.idle = self.alone = 0

    def add(self, kills, texts, ledger, degraded_turns):
        """Counts a round and returns its verdict."""
        verdict = oracle.judge(texts, ledger, degraded_turns)
        by_sid = {text.sid: text for text in texts}
        answered, degraded = answers(ledger)
        lost, doubled = set(verdict.lost), set(verdict.doubled)
        reordered = {nonce for line in verdict.reordered for nonce in oracle.NONCE.findall(line)}
        for point, line in self.lines.items():
            held = set()
            for kill in kills:
                if kill.point != point:
                    continue
                texts_held = self._counting(kill, by_sid, answered)
                line["killed"] += bool(texts_held)
                held |= texts_held
            self._count(line, held, answered, lost, doubled, reordered, degraded, by_sid)
        everything = {text.sid for text in texts if text.accepted_at}
        self._count(self.total, everything, answered, lost, doubled, reordered, degraded, by_sid)
        self.total["killed"] = sum(line["killed"] for line in self.lines.values())
        return verdict

    def _counting(self, kill, by_sid, answered):
        """The accepted texts that the dead process held and that Twilio had no answer to; for a
        point behind Twilio's answer, those whose answer we had not written down yet."""
        behind = kill.point in ("responder.answered", "responder.settled", "engine.committed")
        held = {sid for sid in kill.held if sid in by_sid and by_sid[sid].accepted_at and (
            behind or answered.get(by_sid[sid].nonce, 1e12) > kill.at - 0.5)}
        if held and kill.others < ALIVE_MIN:
            self.alone += 1
            return set()
        self.idle += not held
        return held

    @staticmethod
    def _count(line, sids, answered, lost, doubled, reordered, degraded, by_sid):
        for sid in sids:
            text = by_sid[sid]
            line["accepted"] += 1
            line["answered"] += text.nonce in answered
            line["lost"] += text.nonce in lost
            line["doubled"] += text.nonce in doubled
            line["reordered"] += text.nonce in reordered
            line["degraded"] += text.nonce not in answered and text.address in degraded

    def print(self):
        print("  " + f"{'stop point':22}" + "".join(f"{name:>10}" for name in self.COLUMNS))
        for point, line in [*self.lines.items(), ("all texts", self.total)]:
            print("  " + f"{point:22}" + "".join(f"{line[name]:>10}" for name in self.COLUMNS))
        print(f"  not counted: {self.idle} kills of a process that held nothing, {self.alone} with"
              f" fewer than {ALIVE_MIN} others alive")


def answers(ledger):
    """({nonce: when Twilio accepted its answer}, addresses that got a reply without any nonce)."""
    answered, degraded = {}, set()
    for entry in oracle.created(ledger):
        body = entry["params"].get("Body") or ""
        for nonce in oracle.new_nonces(body):
            answered.setdefault(nonce, entry["time"] / 1000)
        if not oracle.NONCE.search(body):
            degraded.add(entry["params"].get("To"))
    return answered, degraded


def play_round(desk, table, wanted):
    """One load with its kills; returns how many counted."""
    desk.reset()
    # Requests to the provider last a moment, so that a responder holds some at any time.
    desk.faults("twilio", {"path": "/Messages.json", "method": "POST",
                           "action": {"type": "delay", "ms": 150}})
    load = Texts(desk.public_url, desk.tenants, rate=24, addresses=120, tenant_count=4,
                 connections=40, tries=9)
    load.start(seconds=ROUND_S)
    killer = Killer(desk)
    while load.running() and not killer.enough(wanted):
        killer.step()
        time.sleep(0.01)
    load.stop()
    killer.stop()
    texts = load.join(150).texts
    desk.wait_answers(texts)
    # Whatever would be sent twice has been looked up and sent again by then.
    desk.settled(3, lambda: len(desk.sent()), 30)
    verdict = table.add(killer.kills, texts, desk.ledger("twilio"), desk.degraded_turns())
    assert not killer.own_deaths, "\n".join(killer.own_deaths[:3])
    assert verdict.clean(), verdict
    unanswered = [text for text in texts if not text.accepted_at]
    assert not unanswered, f"{len(unanswered)} texts were never accepted"
    return verdict


def test_kills_at_every_stop_point(desk):
    desk.start(ingresses=COUNTS["ingress"], engines=COUNTS["engine"],
               responders=COUNTS["responder"], config=CONFIG)
    table = Table()
    begin = time.monotonic()
    replies = degraded = rounds = 0
    try:
        while table.total["killed"] < KILLS_WANTED and rounds < ROUNDS_MAX:
            short = KILLS_WANTED - table.total["killed"]
            verdict = play_round(desk, table, min(ROUND_KILLS, short + 35))
            replies += verdict.replies
            degraded += verdict.degraded
            rounds += 1
    finally:
        print(f"  {table.total['killed']} kills in {time.monotonic() - begin:.0f} s, {replies}"
              f" replies, {degraded} of them degraded")
        table.print()
    few = [point for point, line in table.lines.items() if line["killed"] < EACH_MIN]
    assert not few, f"fewer than {EACH_MIN} kills at {', '.join(few)}"
    assert table.total["killed"] >= KILLS_WANTED, table.total["killed"]
    assert degraded <= DEGRADED_MAX * replies, f"{degraded} of {replies} replies are degraded"


test_kills_at_every_stop_point.deadline_s = 5 * 3600 if LONG else 420
