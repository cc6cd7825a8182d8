"""Calls that the desk places, for the responder: rows and wake-ups as the engine makes them, receipts as ingress
publishes them, and the calls that the stand-in of Twilio was told to place."""

import secrets
import uuid

import delivering

ALWAYS = {day: [["00:00", "24:00"]] for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")}


class Callee(delivering.Customer):
    """Somebody who is to be called, in a conversation with a session of its own for each call. About a task, as a
    customer ("back"), or as one of the rota ("rota")."""

    LANE = "outbound.voice"

    def __init__(self, desk, tenant=0, purpose="back", **answers):
        super().__init__(desk, tenant)
        self.purpose = purpose
        self.channel = desk.value("SELECT id::text FROM channels WHERE tenant_id = %s::uuid AND kind = 'voice'"
                                  " AND removed_at IS NULL", self.tenant)
        self.sender = self.known["numbers"]["sms"]
        self.task = str(uuid.uuid4())
        desk.sql("INSERT INTO escalations (tenant_id, id, conversation_id, reason, summary, call_back)"
                 " VALUES (%s::uuid, %s::uuid, %s::uuid, 'message', 'wants to be called', %s)",
                 self.tenant, self.task, self.conversation, self.address)
        desk.sql("INSERT INTO jobs (tenant_id, id, kind, subject, due_at) VALUES (%s::uuid, gen_random_uuid(),"
                 " %s, %s, clock_timestamp() + interval '1 h')", self.tenant,
                 "escalation" if purpose == "rota" else "call_back", self.task)
        self.answers(**{"answer": "human", "ring_ms": 50, **answers})

    def answers(self, **behaviour):
        """How the person takes it when it rings."""
        self.desk._call("twilio", "/_callees", {"number": self.address, **behaviour})

    def call(self, wake=True, author=None, epoch=0, late=False, body=None, leave="", name="Ines"):
        """One committed call and, if wanted, its wake-up; returns the delivery's id."""
        delivery, message, session, notice = (str(uuid.uuid4()) for _ in range(4))
        author = author or ("system" if self.purpose == "rota" else "ai")
        body = body or f"This is your dentist. {self.desk.new_nonce()}"
        self.session = session
        self.desk.sql(
            "WITH s AS (INSERT INTO channel_sessions (tenant_id, id, conversation_id, channel_id, kind,"
            " remote_address, delivery_seq, ended_at) VALUES (%s::uuid, %s::uuid, %s::uuid, %s::uuid, 'voice', %s, 1,"
            " clock_timestamp()) RETURNING 1),"
            " m AS (INSERT INTO messages (tenant_id, id, conversation_id, session_id, direction, author, body,"
            " event_time) SELECT %s::uuid, %s::uuid, %s::uuid, %s::uuid, 'out', %s, %s, clock_timestamp() FROM s"
            " RETURNING 1),"
            " d AS (INSERT INTO deliveries (tenant_id, id, conversation_id, session_id, seq, message_id, author, via,"
            " epoch, state, answer_by) SELECT %s::uuid, %s::uuid, %s::uuid, %s::uuid, 1, %s::uuid, %s, 'call', %s,"
            " 'pending', clock_timestamp() + %s * interval '1 s' FROM m RETURNING 1)"
            " INSERT INTO delivery_calls (tenant_id, delivery_id, escalation_id, purpose, ring_s, leave)"
            " SELECT %s::uuid, %s::uuid, %s::uuid, %s, 20, %s FROM d",
            self.tenant, session, self.conversation, self.channel, self.address,
            self.tenant, message, self.conversation, session, author, body,
            self.tenant, delivery, self.conversation, session, message, author, epoch, -5 if late else 86400,
            self.tenant, delivery, self.task, self.purpose, leave)
        if self.purpose == "rota":
            self.desk.sql("INSERT INTO escalation_notices (tenant_id, id, escalation_id, delivery_id, name, sms, round,"
                          " code, until_at) VALUES (%s::uuid, %s::uuid, %s::uuid, %s::uuid, %s, %s, 1, %s,"
                          " clock_timestamp() + interval '5 min')", self.tenant, notice, self.task, delivery, name,
                          self.address, secrets.token_hex(2))
        if wake:
            self.wake(delivery)
        return delivery

    def receipt(self, delivery, status, attempt=None, sid=None, error=None):
        return super().receipt(delivery, status, attempt, sid or self.row(delivery)["provider_sid"]
                               or "CA" + secrets.token_hex(16), error)

    def placed(self):
        """Calls that Twilio has placed to this person, whatever came of them."""
        return [call for call in self.desk._call("twilio", "/_calls") if call["to"] == self.address
                and call["direction"] == "outbound-api"]

    def timer_s(self):
        """Seconds until whoever waits for the call's end looks again; negative: it is due."""
        return self.desk.value("SELECT extract(epoch FROM due_at - clock_timestamp())::float FROM jobs"
                               " WHERE tenant_id = %s::uuid AND subject = %s", self.tenant, self.task)


def calling_hours(desk, tenant_id, hours):
    """The tenant's file says so from now on; None: nothing of it."""
    desk.sql("UPDATE assistant_versions v SET config = CASE WHEN %s::jsonb IS NULL THEN v.config - 'calls'"
             " ELSE v.config || jsonb_build_object('calls', coalesce(v.config->'calls', '{}')"
             " || jsonb_build_object('hours', %s::jsonb)) END FROM assistants a"
             " WHERE a.tenant_id = v.tenant_id AND a.id = v.assistant_id AND v.version = a.current_version"
             " AND v.tenant_id = %s::uuid", hours, hours, tenant_id)
