"""Scripted neighbours of the responder: delivery rows and wake-ups as engine and ingress make them,
and what the Twilio stand-in was asked.
"""

import json
import secrets
import urllib.parse
import uuid
from datetime import datetime, timezone
from itertools import groupby

# A request has more time than a busy machine stands still: one that times out is looked up, whatever its
# answer would have been.
QUICK = {"worker_lease_ms": 1500, "adopt_every_ms": 600, "lookup_after_ms": 2500,
         "request_timeout_ms": 4000, "session_timeout_ms": 6000, "heartbeat_ms": 600,
         "gap_audit_every_ms": 0}
REFUSED_MOST = 2  # by the gate, of one delivery
SETTLED = ("parked", "suppressed", "sent", "delivered", "failed", "bounced")


# Every state that a delivery enters, by whomever and for however short.
NOTE_STATES = (
    "CREATE TABLE test_states (id bigserial, delivery_id uuid, state text)",
    "CREATE FUNCTION test_note_state() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN"
    " INSERT INTO test_states (delivery_id, state) VALUES (NEW.id, NEW.state); RETURN NULL; END $$",
    "CREATE TRIGGER test_note_state AFTER INSERT OR UPDATE OF state ON deliveries FOR EACH ROW"
    " EXECUTE FUNCTION test_note_state()")


def note_states(desk):
    if desk.value("SELECT to_regclass('test_states') IS NULL"):
        for statement in NOTE_STATES:
            desk.sql(statement)


def responders(desk, count=1, **config):
    """Brings up so many responders and nothing else; those that already run so are kept."""
    keys = {**QUICK, **config}
    wanted = (count, tuple(sorted(keys.items())))
    running = [service for service in desk.services.values() if service.alive()]
    desk.faults("twilio") if desk.installation.twilio else None
    if getattr(desk, "responding", None) == wanted and len(running) == count:
        return desk
    desk.stop()
    desk.prepare()
    for number in range(1, count + 1):
        desk.add("responder", number, {"responder": keys})
    for service in desk.services.values():
        service.wait_ready()
    desk.responding = wanted
    return desk


class Customer:
    """A conversation with one session, and replies in it."""

    LANE = "outbound.sms"

    def __init__(self, desk, tenant=0):
        note_states(desk)
        self.desk = desk
        self.known = desk.tenants[tenant]
        self.sender = self.known["numbers"]["sms"]
        self.address = desk.new_address()
        self.tenant = desk.value("SELECT id::text FROM tenants WHERE name = %s", self.known["name"])
        self.contact, self.conversation, self.session = (str(uuid.uuid4()) for _ in range(3))
        channel = desk.value("SELECT id::text FROM channels WHERE tenant_id = %s::uuid"
                             " AND kind = 'sms' AND removed_at IS NULL", self.tenant)
        desk.sql("INSERT INTO contacts (tenant_id, id) VALUES (%s::uuid, %s::uuid)", self.tenant,
                 self.contact)
        desk.sql("INSERT INTO conversations (tenant_id, id, contact_id)"
                 " VALUES (%s::uuid, %s::uuid, %s::uuid)", self.tenant, self.conversation,
                 self.contact)
        desk.sql("INSERT INTO channel_sessions (tenant_id, id, conversation_id, channel_id, kind,"
                 " remote_address) VALUES (%s::uuid, %s::uuid, %s::uuid, %s::uuid, 'sms', %s)",
                 self.tenant, self.session, self.conversation, channel, self.address)
        self.seq = 0

    def reply(self, body=None, wake=True, author="ai", epoch=0, late=False, state="pending"):
        """One committed reply and, if wanted, its wake-up; returns the delivery's id."""
        delivery, message = str(uuid.uuid4()), str(uuid.uuid4())
        self.seq += 1
        body = body or f"reply {self.seq} {self.desk.new_nonce()}"
        self.desk.sql(
            "WITH m AS (INSERT INTO messages (tenant_id, id, conversation_id, session_id,"
            " direction, author, body, event_time) VALUES (%s::uuid, %s::uuid, %s::uuid, %s::uuid,"
            " 'out', %s, %s, clock_timestamp()) RETURNING 1)"
            " INSERT INTO deliveries (tenant_id, id, conversation_id, session_id, seq, message_id,"
            " author, via, epoch, state, answer_by) SELECT %s::uuid, %s::uuid, %s::uuid, %s::uuid,"
            " %s, %s::uuid, %s, 'sms', %s, %s, clock_timestamp() + %s * interval '1 s' FROM m",
            self.tenant, message, self.conversation, self.session, author, body,
            self.tenant, delivery, self.conversation, self.session, self.seq, message, author,
            epoch, state, -5 if late else 86400)
        if wake:
            self.wake(delivery)
        return delivery

    def wake(self, delivery, times=1, value=None):
        headers = {"ce_specversion": "1.0", "ce_id": delivery, "ce_source": "frontdesk/test",
                   "ce_type": "desk.delivery.requested.v1", "ce_time": now(),
                   "content-type": "application/json", "tenant": self.tenant}
        for _ in range(times):
            self.desk.produce(self.LANE, f"{self.tenant}:{self.session}",
                              value or {"delivery": delivery, "session": self.session}, headers)

    def receipt(self, delivery, status, attempt=None, sid=None, error=None):
        """What ingress publishes of the provider's word; attempt: by default the last one that left."""
        attempt = attempt or ([1] + self.numbers(delivery))[-1]
        sid = sid or self.row(delivery)["provider_sid"] or "SM" + secrets.token_hex(16)
        headers = {"ce_specversion": "1.0", "ce_id": f"{sid}:{status}",
                   "ce_source": f"twilio/{self.known['account_sid']}",
                   "ce_type": "desk.delivery.receipt.v1", "ce_time": now(),
                   "content-type": "application/json", "tenant": self.tenant}
        value = {"delivery": delivery, "attempt": attempt, "provider_sid": sid, "status": status}
        if error:
            value["error_code"] = str(error)
        self.desk.produce("receipts", f"{self.tenant}:{delivery}", value, headers)
        return sid

    def row(self, delivery):
        """The delivery; `attempts` without those that the gate refused, few of one delivery (see tries)."""
        row, refused = self.desk.sql(
            "SELECT row_to_json(d), (SELECT count(*) FROM delivery_attempts a"
            " WHERE a.delivery_id = d.id AND a.error_code = 'http.gate')"
            " FROM deliveries d WHERE id = %s::uuid", delivery)[0]
        assert refused <= REFUSED_MOST, self.attempts(delivery)
        return {**row, "attempts": row["attempts"] - refused}

    def state(self, delivery):
        return self.row(delivery)["state"]

    def states(self, delivery):
        """All that it has been in, in order; of a state that is only written again, once."""
        seen = [row[0] for row in self.desk.sql(
            "SELECT state FROM test_states WHERE delivery_id = %s::uuid ORDER BY id", delivery)]
        return [state for state, _ in groupby(seen)]

    def attempts(self, delivery):
        return [row[0] for row in self.desk.sql(
            "SELECT row_to_json(a) FROM delivery_attempts a WHERE delivery_id = %s::uuid"
            " ORDER BY number", delivery)]

    def tries(self, delivery):
        """Without what the gate refused: on a machine that stands still a short lease ends before
        the first byte, and the delivery comes again."""
        every = self.attempts(delivery)
        tries = [attempt for attempt in every if attempt["error_code"] != "http.gate"]
        assert len(every) - len(tries) <= REFUSED_MOST, every
        return tries

    def numbers(self, delivery):
        """The attempts' numbers of its tries."""
        return [attempt["number"] for attempt in self.tries(delivery)]

    def wait_state(self, delivery, *states, deadline_s=20):
        """What is sent may have arrived as well where a look-up tells so: it says what the provider says
        of it by then."""
        def reached():
            state = self.state(delivery)
            return state in states or ("sent" in states and state == "delivered"
                                       and self.states(delivery)[-2:] == ["unknown", "delivered"])
        self.desk.wait(reached, deadline_s,
                       lambda: f"{delivery} to be {states}, was {self.states(delivery)}, is {self.row(delivery)}")
        return self.row(delivery)

    def sent(self):
        """Bodies that Twilio took for this customer."""
        return self.desk.sent_to(self.address)

    def posts(self):
        """Every create request for this customer, also refused ones."""
        return [entry for entry in self.desk.ledger("twilio") if entry["method"] == "POST"
                and entry["params"].get("To") == self.address]

    def lists(self):
        return [entry for entry in self.desk.ledger("twilio") if entry["method"] == "GET"
                and urllib.parse.quote(self.address) in json.dumps(entry)
                or entry["method"] == "GET" and self.address in json.dumps(entry)]

    def fault(self, **action):
        rule = {"match": self.address, "method": "POST",
                "action": {key: value for key, value in action.items() if key != "count"}}
        if "count" in action:
            rule["count"] = action["count"]
        self.desk.faults("twilio", rule)


def wait_listening(desk, customer, deadline_s=30):
    """Until the one responder takes wake-ups: one of nothing is dropped."""
    dropped = "frontdesk_wake_ups_dropped_total"
    before = desk.service("responder-1").metrics().get(dropped, 0)
    customer.wake(str(uuid.uuid4()))
    desk.wait(lambda: desk.service("responder-1").metrics().get(dropped, 0) > before, deadline_s,
              "a wake-up to be taken")


def now():
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def quiet(desk, seconds, check):
    return desk.settled(seconds, check, 30)


def unknown_then(desk, customer, delivery):
    """Waits until nobody knows, or knew, what became of it."""
    desk.wait(lambda: "unknown" in customer.states(delivery), 20,
              lambda: f"{delivery} to be unknown, was {customer.states(delivery)}")
