"""Kills services at stop points again and again, and counts what came of what they held."""

import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field

from harness import oracle
from harness.stops import KILL
from procs import tail
from service import get

POINTS = {
    "ingress": ("ingress.read", "ingress.verified", "ingress.acked"),
    "engine": ("engine.claiming", "engine.claimed", "engine.started", "engine.thinking",
               "engine.answered", "engine.tool_begun", "engine.tool_done", "engine.committing",
               "engine.committed"),
    "responder": ("responder.claimed", "responder.sending", "responder.answered",
                  "responder.settled", "responder.looking", "responder.found",
                  "responder.receipt"),
}
ALL_POINTS = [point for points in POINTS.values() for point in points]
# Twilio has accepted the reply there, or may have, and the row does not know it yet. (Who dies at a
# receipt holds others that are on their way.)
BEHIND_THE_ANSWER = ("responder.answered", "responder.settled", "responder.looking",
                     "responder.found", "responder.receipt")
ALIVE_MIN = 2
EACH_WANTED = 6  # not all of them count: the ledgers tell later
NEEDED = ("engine", "responder")  # so many of both must live whatever is killed

OPEN_OF_ENGINE = """
SELECT e.provider_id FROM inbox_events e WHERE e.state = 'open' AND (e.session_id = %s::uuid
    OR e.session_id IN (SELECT s.id FROM channel_sessions s JOIN workers w ON w.id = s.worker
        WHERE s.due_at IS NOT NULL AND w.process = %s AND NOT w.dead))
UNION SELECT e.provider_id FROM inbox_events e JOIN deliveries d
    ON d.tenant_id = e.tenant_id AND d.turn_id = e.turn_id
    WHERE e.session_id = %s::uuid AND d.settled_at IS NULL"""

OPEN_OF_RESPONDER = """
SELECT e.provider_id FROM deliveries d JOIN inbox_events e
    ON e.tenant_id = d.tenant_id AND e.turn_id = d.turn_id
    WHERE d.id = %s::uuid AND d.settled_at IS NULL
UNION SELECT e.provider_id FROM workers w JOIN deliveries d ON d.worker = w.id
    JOIN inbox_events e ON e.tenant_id = d.tenant_id AND e.turn_id = d.turn_id
    WHERE w.process = %s AND NOT w.dead"""

WORKERS_OF = "SELECT id::text FROM workers WHERE process = %s AND NOT dead"

# A turn lost with three workers gets the degraded reply, a delivery is parked for a person when its
# attempts are used up, and rightly so: work that has been lost so often already is left alone.
LOST_OFTEN = {
    # By the sessions at work: a look at all turns grows with those that are over.
    "engine": """SELECT count(*) FROM channel_sessions s
        JOIN turns u ON u.tenant_id = s.tenant_id AND u.id = s.turn_id
        WHERE s.turn_id IS NOT NULL AND u.state = 'running'
        AND u.tries + (u.worker::text = ANY(%s))::integer >= 2""",
    # A claim counts at once; the fifth attempt is the last, and those before it back off long.
    "responder": """SELECT count(*) FROM deliveries WHERE attempts >= 3
        AND state IN ('pending', 'sending', 'deferred', 'unknown', 'held')""",
}


@dataclass
class Kill:
    point: str
    at: float  # when it was noticed: a little after the death
    process: str
    subject: str
    alive: dict  # kind -> how many others served
    held: set = field(default_factory=set)  # sids of the texts in its hands

    def alone(self):
        kind = self.point.partition(".")[0]
        return any(self.alive[needed] < ALIVE_MIN for needed in {kind, *NEEDED})


class Killer:
    """Keeps a point of each kind armed, starts again what died, and notes what it held."""

    def __init__(self, desk, wanted_points):
        self.desk = desk
        self.wanted_points = wanted_points  # what the round must strike, whatever else it strikes
        self.kills = []
        self.armed = {}  # kind -> Stop
        self.tried = defaultdict(int)
        self.started = {}  # name -> when, of what is not ready yet
        self.start_seconds = []
        self.held_fire = 0
        self.looked = dict.fromkeys(LOST_OFTEN, (0, False))  # kind -> (when, what was seen)
        self.lost_workers = []
        self.connection = desk.servers.postgres.connect(desk.installation.database)
        self.counted = 0
        self.pids = {service.pid: name for name, service in desk.services.items()}
        self.own_deaths = []  # what ended without having been killed

    def step(self):
        self._collect()
        self._restart()
        for kind in POINTS:
            if kind in LOST_OFTEN and self._spares(kind):
                self._disarm(kind)
            else:
                self._arm(kind)

    def stop(self):
        for stop in self.armed.values():
            stop.disarm()
        self._collect()
        self.armed.clear()
        self.connection.close()
        self.desk.revive()

    def enough(self, wanted):
        return self.counted >= wanted and all(
            self._count(point) >= EACH_WANTED for point in self.wanted_points)

    def _count(self, point):
        return sum(kill.point == point and bool(kill.held) for kill in self.kills)

    def _collect(self):
        for kind, stop in list(self.armed.items()):
            if stop.hits:
                del self.armed[kind]
                self._died(kind, stop)

    def _serving(self, kind):
        """Those of a kind that serve: started ones count when they are ready."""
        return {name for name, service in self.desk.services.items()
                if name.startswith(kind) and name not in self.started and service.alive()}

    def _arm(self, kind):
        """One point, if one process can die and leave enough of every kind. Never two: before the
        next one dies, what this one has lost must be known."""
        alive = {one: len(self._serving(one)) for one in {kind, *NEEDED}}
        if kind in self.armed or alive[kind] <= ALIVE_MIN or min(alive.values()) < ALIVE_MIN:
            return
        # nginx sends one that is starting its share of the texts, and it answers 503: were several
        # out at a time, a text could use up its tries.
        if kind == "ingress" and any(name.startswith(kind) for name in self.started):
            return
        point = min(POINTS[kind], key=lambda name: (self._count(name), self.tried[name]))
        self.tried[point] += 1
        match = "MM" if kind == "ingress" else ""
        self.armed[kind] = self.desk.stops.arm(point, action=KILL, match=match)

    def _spares(self, kind):
        """Whether the kind has work that was lost so often that it is left alone now. Looks before
        each arming and on and on while armed: a start that the server was at when its engine died
        shows a little later, and is adopted a lease later at the soonest."""
        looked_at, often = self.looked[kind]
        wait_s = 0.1 if often or kind in self.armed else 0
        if time.monotonic() - looked_at >= wait_s:
            text = LOST_OFTEN[kind]
            often = self._sql(text, *[self.lost_workers] * text.count("%s"))[0][0] > 0
            self.held_fire += often
            self.looked[kind] = (time.monotonic(), often)
        return often

    def _disarm(self, kind):
        if kind in self.armed:
            self.armed[kind].disarm()
            self._collect()
            self.armed.pop(kind, None)

    def _died(self, kind, stop):
        name = self.pids.get(stop.pid, "?")
        alive = {one: len(self._serving(one) - {name}) for one in POINTS}
        kill = Kill(stop.name, time.time(), name, stop.subject, alive)
        if kind == "engine":
            self.lost_workers += [row[0] for row in self._sql(WORKERS_OF, f"{name}/0")]
        kill.held = self._held(kind, name, stop.subject)
        self.kills.append(kill)
        self.counted += bool(kill.held) and not kill.alone()

    def _held(self, kind, name, subject):
        """Sids of texts that the process had in its hands: by the subject of the stop point and by
        the rows that name its worker. Ingress: the text whose webhook it would have answered."""
        if kind == "ingress" or subject.startswith("MM"):
            return {subject}
        if kind == "engine":
            rows = self._sql(OPEN_OF_ENGINE, subject, f"{name}/0", subject)
        else:
            rows = self._sql(OPEN_OF_RESPONDER, subject, f"{name}/0")
        return {row[0] for row in rows}

    def _sql(self, text, *params):
        with self.connection.cursor() as cursor:
            cursor.execute(text, params)
            return cursor.fetchall()

    def _restart(self):
        for name, service in self.desk.services.items():
            if not service.alive():
                if service.child.process.returncode != -9:
                    self.own_deaths.append(f"{name} ended with {service.child.process.returncode}:"
                                           f"\n{tail(self.desk.log_of(name), 25)}")
                service.start()
                self.pids[service.pid] = name
                self.started[name] = time.monotonic()
            elif name in self.started and get(service.admin_port, "/readyz", 0.2)[0] == 200:
                self.start_seconds.append(time.monotonic() - self.started.pop(name))


class Table:
    """One line a stop point, over all rounds."""

    COLUMNS = ("killed", "accepted", "answered", "lost", "doubled", "reordered", "degraded")

    def __init__(self):
        self.lines = {point: dict.fromkeys(self.COLUMNS, 0) for point in ALL_POINTS}
        self.total = dict.fromkeys(self.COLUMNS, 0)
        self.replies = self.idle = self.alone = 0
        self.outcomes = Counter()  # of turns behind the degraded replies

    @property
    def killed(self):
        return self.total["killed"]

    def add(self, kills, texts, ledger, degraded_turns):
        """Counts a round and returns its verdict."""
        verdict = oracle.judge(texts, ledger, degraded_turns)
        by_sid = {text.sid: text for text in texts}
        replies = oracle.replies_of(texts, ledger, degraded_turns)
        answered_at = {}
        for reply in replies:
            for text in reply.texts:
                answered_at.setdefault(text.nonce, reply.at)
        for point, line in self.lines.items():
            held = set()
            for kill in kills:
                if kill.point == point:
                    texts_held = self._counting(kill, by_sid, answered_at)
                    line["killed"] += bool(texts_held)
                    self.total["killed"] += bool(texts_held)
                    held |= texts_held
            self._count(line, [by_sid[sid] for sid in held], replies, answered_at, verdict)
        self._count(self.total, [text for text in texts if text.accepted_at], replies, answered_at,
                    verdict)
        self.replies += len(replies)
        named = {oracle.delivery_of(entry) for entry in oracle.created(ledger)}
        self.outcomes.update(turn.outcome for turn in degraded_turns if turn.delivery in named)
        return verdict

    def _counting(self, kill, by_sid, answered_at):
        """The accepted texts that the dead process held and that had no answer when it died; at a
        point behind Twilio's answer, those whose answer we had not written down yet."""
        behind = kill.point in BEHIND_THE_ANSWER
        held = {sid for sid in kill.held if sid in by_sid and by_sid[sid].accepted_at and (
            behind or answered_at.get(by_sid[sid].nonce, kill.at) >= kill.at)}
        if held and kill.alone():
            self.alone += 1
            return set()
        self.idle += not held
        return held

    @staticmethod
    def _count(line, texts, replies, answered_at, verdict):
        """`degraded` counts replies, every other column texts."""
        nonces = {text.nonce for text in texts}
        line["accepted"] += len(nonces)
        line["answered"] += len(nonces & answered_at.keys())
        for name in ("lost", "doubled", "reordered"):
            named = {nonce for entry in getattr(verdict, name)
                     for nonce in oracle.NONCE.findall(entry)}
            line[name] += len(nonces & named)
        line["degraded"] += sum(reply.degraded and any(text.nonce in nonces for text in reply.texts)
                                for reply in replies)

    def print(self):
        print("  " + f"{'stop point':22}" + "".join(f"{name:>10}" for name in self.COLUMNS))
        for point, line in [*self.lines.items(), ("all texts", self.total)]:
            print("  " + f"{point:22}" + "".join(f"{line[name]:>10}" for name in self.COLUMNS))
        why = "".join(f"; {count} {outcome}" for outcome, count in self.outcomes.items())
        print(f"  degraded: {self.total['degraded']} of {self.replies} replies{why}")
        print(f"  not counted: {self.idle} kills of a process that held nothing, {self.alone} with"
              f" fewer than {ALIVE_MIN} others of its kind, engines or responders alive")
