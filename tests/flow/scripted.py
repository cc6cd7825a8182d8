"""Scripted neighbours of the engine: ingress's records made by hand, replies read from the rows.

The engine is the only service that runs. What ingress would write is produced to inbound.sms; what
the responder would send is the delivery row.
"""

import contextlib
import json
import secrets
import subprocess
import time
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

import psycopg2
import yaml

import webhook
from harness import oracle
from procs import Failure
from service import clean_environment

# Everything that a turn waits for is short; a lease is two seconds. A turn has more time than a busy
# machine stands still, else the wording without a model is right; too little to wait for a breaker that
# its own failures have opened.
ENGINE = {"burst_ms": 300, "burst_max_ms": 1200, "turn_deadline_ms": 5000,
          "adopter_deadline_ms": 5000, "worker_lease_ms": 2000, "adopt_every_ms": 600}


def engines(desk, count=1, **config):
    """Brings up so many engines and nothing else; those that already run so are kept."""
    keys = {**ENGINE, **config}
    wanted = ("engines", count, tuple(sorted(keys.items())))
    running = [service for service in desk.services.values() if service.alive()]
    if getattr(desk, "scripted", None) == wanted and len(running) == count:
        return desk
    desk.stop()
    desk.prepare()
    for number in range(1, count + 1):
        desk.add("engine", number, {"engine": keys})
    for service in desk.services.values():
        service.wait_ready()
    desk.scripted = wanted
    return desk


def add_engine(desk, number, **config):
    """One more engine, ready."""
    desk.scripted = None
    desk.add("engine", number, {"engine": {**ENGINE, **config}}).wait_ready()
    return f"engine-{number}"


@dataclass
class Said:
    """One text of a customer as a record of inbound.sms."""
    sid: str
    nonce: str
    key: str
    value: str
    headers: dict


class Customer:
    def __init__(self, desk, tenant=0):
        self.desk = desk
        self.address = desk.new_address()
        self.known = desk.tenants[tenant]
        ids = desk.__dict__.setdefault("tenant_ids", {})  # they never change
        name = self.known["name"]
        if name not in ids:
            ids[name] = desk.value("SELECT id::text FROM tenants WHERE name = %s", name)
        self.tenant_id = ids[name]

    def text(self, words="hello", **options):
        """Makes one record and produces it; returns what was said. Its nonce stands first."""
        said = self.make(words, **options)
        say(self.desk, said)
        return said

    def make(self, words="hello", sid=None, age_s=0, to=None, type_="desk.sms.received.v1", **more):
        sid = sid or webhook.new_sid()
        nonce = self.desk.new_nonce()
        value = {"message_sid": sid, "account_sid": self.known["account_sid"],
                 "from": self.address, "to": to or self.known["numbers"]["sms"],
                 "body": f"{nonce} {words}" if words not in WORDS else words, **more}
        when = datetime.now(timezone.utc) - timedelta(seconds=age_s)
        headers = {"ce_specversion": "1.0", "ce_id": sid,
                   "ce_source": f"twilio/{self.known['account_sid']}", "ce_type": type_,
                   "ce_time": when.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z",
                   "content-type": "application/json", "tenant": self.tenant_id,
                   "traceparent": f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"}
        return Said(sid, nonce, f"{self.tenant_id}:{self.address}", json.dumps(value), headers)

    # What the rows say

    def replies(self):
        """[(body, outcome, delivery state)] in order."""
        return self.desk.sql(
            "SELECT m.body, t.outcome, d.state FROM (SELECT d.* FROM channel_sessions s JOIN deliveries d"
            " ON d.tenant_id = s.tenant_id AND d.session_id = s.id WHERE s.tenant_id = %s::uuid"
            " AND s.remote_address = %s OFFSET 0) AS d"
            " JOIN messages m ON m.tenant_id = d.tenant_id AND m.id = d.message_id"
            " LEFT JOIN turns t ON t.tenant_id = d.tenant_id AND t.id = d.turn_id ORDER BY d.seq",
            self.tenant_id, self.address)

    def wait_replies(self, count, deadline_s=15):
        self.desk.wait(lambda: len(self.replies()) >= count, deadline_s,
                       lambda: f"{count} replies to {self.address}, got {self.replies()}, "
                               f"session {self.session()}")
        replies = self.replies()
        assert len(replies) == count, replies
        return replies

    def event(self, said):
        """(state, reason) of an inbox row; None when there is none."""
        rows = self.desk.sql("SELECT state, reason FROM inbox_events WHERE tenant_id = %s::uuid"
                             " AND provider_id = %s", self.tenant_id, said.sid)
        return rows[0] if rows else None

    def wait_event(self, said, state, deadline_s=10):
        self.desk.wait(lambda: (self.event(said) or ("",))[0] == state, deadline_s,
                       lambda: f"{said.sid} to be {state}, is {self.event(said)}")

    def session(self):
        """The session's row as a dict; None before the first text."""
        rows = self.desk.sql(
            "SELECT row_to_json(s) FROM channel_sessions s WHERE tenant_id = %s::uuid"
            " AND remote_address = %s", self.tenant_id, self.address)
        return rows[0][0] if rows else None

    def turns(self):
        return [row[0] for row in self.desk.sql(
            "SELECT row_to_json(t) FROM turns t JOIN channel_sessions s"
            " ON s.tenant_id = t.tenant_id AND s.id = t.session_id"
            " WHERE s.tenant_id = %s::uuid AND s.remote_address = %s ORDER BY t.number",
            self.tenant_id, self.address)]

    def conversation(self):
        return self.session()["conversation_id"]

    def open_events(self):
        return self.desk.value(
            "SELECT count(*) FROM inbox_events e JOIN channel_sessions s"
            " ON s.tenant_id = e.tenant_id AND s.id = e.session_id"
            " WHERE e.state = 'open' AND s.tenant_id = %s::uuid AND s.remote_address = %s",
            self.tenant_id, self.address)

    def model_calls(self):
        """Requests at the model stand-in whose last text is one of this customer's."""
        sids = {row[0].split(" ")[0] for row in self.desk.sql(
            "SELECT m.body FROM messages m JOIN channel_sessions s ON s.tenant_id = m.tenant_id"
            " AND s.id = m.session_id WHERE s.remote_address = %s AND m.direction = 'in'",
            self.address)}
        return [entry for entry in self.desk.ledger("model") if entry["method"] == "POST"
                and entry["params"].get("last_user", "").split(" ")[0] in sids]


def fallback_of(desk, customer):
    """The wording in the file of the customer's own tenant."""
    number = [tenant["name"] for tenant in desk.tenants].index(customer.known["name"])
    file = yaml.safe_load(desk.installation.tenant_files[number].read_text())
    return file["assistant"]["fallback"].strip()


WORDS = ("STOP", "Stop.", "START", "yes", "HELP", "unsubscribe")


def say(desk, *texts, partition=None, times=1):
    """Produces records in this order, `times` copies of each, and waits for the broker."""
    producer = desk.producer()
    problems = []
    where = {} if partition is None else {"partition": partition}
    for _ in range(times):
        for said in texts:
            producer.produce(desk.topic("inbound.sms"), said.value, said.key,
                             headers=list(said.headers.items()),
                             on_delivery=lambda error, _: error and problems.append(error),
                             **where)
    if producer.flush(20) or problems:
        raise Failure(f"producing: {problems or 'no answer from Kafka'}")


def blocked_by(desk, pid, role):
    """Statements of this role that wait for a lock of that backend."""
    return [row[0] for row in desk.sql(
        "SELECT query FROM pg_stat_activity WHERE %s = ANY (pg_blocking_pids(pid)) AND usename = %s",
        pid, f"frontdesk_{role}")]


class Held:
    """A transaction that the test holds open: the party of a race that is slow."""

    def __init__(self, desk):
        self.desk = desk
        self.connection = psycopg2.connect(
            desk.servers.postgres.url(desk.installation.database), connect_timeout=5)
        self.cursor = self.connection.cursor()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.rollback()
        self.connection.close()

    def run(self, text, *params):
        """Runs one statement; returns the rows, if it gives any, else the number of touched ones."""
        self.cursor.execute(text, params or None)
        return self.cursor.fetchall() if self.cursor.description else self.cursor.rowcount

    def commit(self):
        self.connection.commit()

    def blocks(self, role):
        """Statements of this role that wait for a lock of this transaction."""
        return blocked_by(self.desk, self.connection.info.backend_pid, role)

    def wait_blocks(self, role, deadline_s=10, what="somebody to wait for the held lock"):
        self.desk.wait(lambda: self.blocks(role), deadline_s, what)


class Operator:
    """Somebody at the desk who takes conversations over: a process that runs the product's own functions on a
    connection that is open already (tests/takeover/operator.c)."""

    def __init__(self, desk):
        self.desk, self.pid = desk, None
        self.process = subprocess.Popen(
            [desk.bin / "test-operator"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
            env=clean_environment(desk.installation.deskctl_environment()))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.process.stdin.close()
        self.process.wait(20)

    def _say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def _hear(self, wanted):
        line = self.process.stdout.readline().split()
        if not line or line[0] != wanted:
            raise Failure(f"the operator said {line}")
        return line[1:]

    def take_over(self, tenant, conversation):
        """Returns since when no reply can start to leave (time.time()), and whether one was leaving."""
        self._say(f"take {tenant} {conversation}")
        at, asked = self._hear("yours")
        return float(at), int(asked) > 1

    def begin(self, tenant, conversation, before):
        """The same up to the statement that begins so, which waits, as does whoever comes meanwhile."""
        self._say(f"take {tenant} {conversation} {before}")
        self.pid = int(self._hear("paused")[0])

    def go_on(self):
        self._say("go")
        self._hear("yours")

    def blocks(self, role):
        """Statements of this role that wait for a lock of the takeover."""
        return blocked_by(self.desk, self.pid, role)

    def wait_blocks(self, role, deadline_s=10, what="somebody to wait for the takeover"):
        self.desk.wait(lambda: self.blocks(role), deadline_s, what)


# Where a slow takeover waits (common/store/conversation.c): it has raised the epoch, and suppressed nothing
# yet; or has suppressed what it saw, and is not over.
RAISED, SUPPRESSED = "UPDATE deliveries", "UPDATE channel_sessions"


def claim_by_hand(held, customer, worker, due_ms=0):
    """What a claim writes for one more text of a known customer, in the held transaction: the
    session names `worker`. Returns the text's nonce."""
    nonce, sid = customer.desk.new_nonce(), webhook.new_sid()
    session = customer.session()
    tenant = customer.tenant_id
    held.run("UPDATE channel_sessions SET claimed = claimed + 1, worker = %s::uuid,"
             " due_at = clock_timestamp() + %s * interval '1 ms', burst_at = clock_timestamp()"
             " WHERE tenant_id = %s::uuid AND id = %s::uuid", worker, due_ms, tenant, session["id"])
    held.run(
        "WITH m AS (INSERT INTO messages (tenant_id, id, conversation_id, session_id, direction,"
        " author, body, provider_id, event_time) VALUES (%s::uuid, gen_random_uuid(), %s::uuid,"
        " %s::uuid, 'in', 'contact', %s, %s, clock_timestamp()) RETURNING tenant_id, id)"
        " INSERT INTO inbox_events (tenant_id, channel, provider_id, session_id, message_id,"
        " address_hash, content_hash, state, claim_id, event_time)"
        " SELECT m.tenant_id, 'sms', %s, %s::uuid, m.id, e.address_hash, '\\x00', 'open',"
        " gen_random_uuid(), clock_timestamp() FROM m, inbox_events e"
        " WHERE e.tenant_id = m.tenant_id AND e.session_id = %s::uuid LIMIT 1",
        tenant, session["conversation_id"], session["id"], nonce, sid, sid, session["id"],
        session["id"])
    return nonce


def dead_worker(desk):
    """The name of an engine that was marked dead."""
    return desk.value("INSERT INTO workers (id, kind, process, lease_until, dead) VALUES"
                      " (gen_random_uuid(), 'engine', 'gone', clock_timestamp(), true)"
                      " RETURNING id::text")


def take_over(desk, customer):
    return desk.installation.deskctl("takeover", customer.conversation())


def hand_back(desk, customer):
    return desk.installation.deskctl("handback", customer.conversation())


def freeze_turn(desk, customer, point="engine.thinking"):
    """Arms a freeze at a point of the customer's next turn; the returned stop knows who froze."""
    from harness.stops import FREEZE
    return desk.stops.arm(point, action=FREEZE, match=customer.session()["id"])


@contextlib.contextmanager
def refused(desk, table, condition, code="23514"):
    """PostgreSQL takes no new row of the table for which the condition holds."""
    desk.sql("CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
             f" IF {condition} THEN RAISE EXCEPTION 'refused' USING ERRCODE = '{code}'; END IF;"
             " RETURN NEW; END $$")
    desk.sql(f"CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW"
             " EXECUTE FUNCTION refuse()")
    try:
        yield
    finally:
        desk.sql("DROP FUNCTION refuse() CASCADE")


def service_of(desk, pid):
    """The name of the service with this process id."""
    return next(name for name, service in desk.services.items() if service.pid == pid)


def worker_of(desk, name):
    """The worker of a frozen service: it cannot register anew, whatever others have made of its work."""
    return desk.value("SELECT id::text FROM workers WHERE process = %s ORDER BY started_at DESC LIMIT 1",
                      f"{name}/0")


def quiet(desk, seconds, check, deadline_s=30):
    """The value of check() once it has stayed the same for so long."""
    return desk.settled(seconds, check, deadline_s)


def refusals(desk, name, event, since):
    """How often a service has logged that event after so many lines of its log."""
    return sum(line.get("event") == event for line in desk.log(name)[since:])


def wait_gone(desk, pid, deadline_s=10):
    """Waits until the service that ran as this process has been seen to be dead."""
    name = service_of(desk, pid)
    desk.wait(lambda: not desk.services[name].alive(), deadline_s, f"{name} to die")
    return name


def now():
    return time.monotonic()


def hold_model(desk, ms, **more):
    """Every answer of the model takes so long."""
    desk.faults("model", {"action": {"type": "delay", "ms": ms}, **more})


def letters(desk):
    return desk.kafka_records("dlq")


def answered(customer):
    """The nonces that the replies name as new, in order."""
    return [nonce for body, _, _ in customer.replies() for nonce in oracle.new_nonces(body)]
