"""Mail between scripted neighbours of the engine: records of inbound.email as the mailpoller writes them, replies
read from the rows."""

import hashlib
import itertools
import json
import secrets
import uuid
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace

from scripted import ENGINE, engines

MAIL_ENGINE = {"mail_burst_ms": 300, "mail_burst_max_ms": 1200, "mail_deadline_ms": 5000, "mail_loop_replies": 0}


def mail_engines(desk, count=1, **config):
    return engines(desk, count, **{**MAIL_ENGINE, **config})


class Mailbox:
    """A mailbox of the tenant with its channel; nobody reads it."""

    def __init__(self, desk, tenant=0):
        self.desk = desk
        self.known = desk.tenants[tenant]
        self.tenant_id = desk.value("SELECT id::text FROM tenants WHERE name = %s", self.known["name"])
        self.id, self.channel = str(uuid.uuid4()), str(uuid.uuid4())
        self.address = f"desk-{secrets.token_hex(4)}@clinic.example"
        self.uids = itertools.count(1)
        desk.sql("INSERT INTO mailboxes (tenant_id, id, address, host, port, user_name, secret_from, secret_name,"
                 " due_at) VALUES (%s::uuid, %s::uuid, %s, 'localhost', 1, 'nobody', 'env', 'NOBODY', 'infinity')",
                 self.tenant_id, self.id, self.address)
        assistant = desk.value("SELECT id::text FROM assistants WHERE tenant_id = %s::uuid LIMIT 1", self.tenant_id)
        desk.sql("INSERT INTO channels (tenant_id, id, kind, address, account_sid, credentials, edge_keys,"
                 " assistant_id, published_version) VALUES (%s::uuid, %s::uuid, 'mail', %s, '', '', '[]',"
                 " %s::uuid, 1)", self.tenant_id, self.channel, self.address, assistant)


class Correspondent:
    """Somebody who writes mails."""

    def __init__(self, desk, mailbox=None, address=None):
        self.desk = desk
        self.mailbox = mailbox or Mailbox(desk)
        self.tenant_id = self.mailbox.tenant_id
        self.address = address or f"ann-{secrets.token_hex(4)}@customer.example"

    def make(self, words="hello", mailbox=None, age_s=0, tenant=None, **more):
        """A mail as the mailpoller tells of it; keywords replace members. Its nonce stands first."""
        box = mailbox or self.mailbox
        nonce = self.desk.new_nonce()
        when = datetime.now(timezone.utc) - timedelta(seconds=age_s)
        value = {"mailbox": box.id, "uid_validity": 7, "uid": next(box.uids), "from": self.address,
                 "from_name": "Ann Example", "to": [box.address], "message_id": f"{secrets.token_hex(8)}@customer.example",
                 "subject": "Opening hours", "class": "person", "spf": "pass", "dkim": "pass", "dmarc": "pass",
                 "verified": True, "text": f"{nonce} {words}", "shape": "whole",
                 "content_hash": hashlib.sha256(nonce.encode()).hexdigest(), **more}
        value = {name: member for name, member in value.items() if member is not None}
        ident = f"{box.id}:7:{value['uid']}"
        headers = {"ce_specversion": "1.0", "ce_id": ident, "ce_source": "frontdesk/mailpoller",
                   "ce_type": "desk.mail.received.v1", "ce_time": when.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z",
                   "content-type": "application/json", "tenant": tenant or self.tenant_id,
                   "traceparent": f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"}
        return SimpleNamespace(id=ident, nonce=nonce, message_id=value.get("message_id", ""),
                               key=f"{self.tenant_id}:{self.address}", value=value, headers=headers)

    def mail(self, words="hello", **more):
        made = self.make(words, **more)
        send(self.desk, made)
        return made

    def answer(self, reply, words="and more", **more):
        """His answer to a mail of ours, as most programs write one."""
        more = {"in_reply_to": [reply.message_id], "references": [*reply.references, reply.message_id],
                "delivery": reply.delivery, "subject": f"Re: {reply.subject}", **more}
        return self.mail(words, **more)

    # What the rows say

    def replies(self):
        """In order, each with .body, .outcome, .state and what makes it a mail."""
        rows = self.desk.sql(
            "SELECT d.id::text, d.conversation_id::text, d.session_id::text, m.body, t.outcome, d.state, d.via,"
            " w.subject, w.in_reply_to, w.reference_ids, w.message_id, extract(epoch FROM d.answer_by - d.created_at)"
            " FROM deliveries d JOIN messages m ON m.tenant_id = d.tenant_id AND m.id = d.message_id"
            " LEFT JOIN delivery_mails w ON w.tenant_id = d.tenant_id AND w.delivery_id = d.id"
            " LEFT JOIN turns t ON t.tenant_id = d.tenant_id AND t.id = d.turn_id"
            " JOIN channel_sessions s ON s.tenant_id = d.tenant_id AND s.id = d.session_id"
            " WHERE d.tenant_id = %s::uuid AND s.remote_address = %s ORDER BY d.created_at, d.seq",
            self.tenant_id, self.address)
        names = ("delivery", "conversation", "session", "body", "outcome", "state", "via", "subject", "in_reply_to",
                 "chain", "message_id", "answer_by_s")
        replies = [SimpleNamespace(**dict(zip(names, row))) for row in rows]
        for reply in replies:
            reply.references = [*(reply.chain or []), *([reply.in_reply_to] if reply.in_reply_to else [])]
        return replies

    def wait_replies(self, count, deadline_s=15):
        self.desk.wait(lambda: len(self.replies()) >= count, deadline_s,
                       lambda: f"{count} replies to {self.address}, got {self.replies()}, {self.sessions()}")
        replies = self.replies()
        assert len(replies) == count, replies
        return replies

    def sent(self, reply):
        """As a responder leaves it: with a Message-ID, and settled."""
        reply.message_id = f"{secrets.token_hex(10)}@clinic.example"
        self.desk.sql("UPDATE delivery_mails SET message_id = %s WHERE delivery_id = %s::uuid", reply.message_id,
                      reply.delivery)
        self.desk.sql("UPDATE deliveries SET state = 'sent', settled_at = clock_timestamp() WHERE id = %s::uuid",
                      reply.delivery)
        return reply

    def event(self, mail):
        rows = self.desk.sql("SELECT state, reason FROM inbox_events WHERE tenant_id = %s::uuid AND channel = 'mail'"
                             " AND provider_id = %s", self.tenant_id, mail.id)
        return rows[0] if rows else None

    def wait_event(self, mail, state, deadline_s=15):
        self.desk.wait(lambda: (self.event(mail) or ("",))[0] == state, deadline_s,
                       lambda: f"{mail.id} to be {state}, is {self.event(mail)}")
        return self.event(mail)

    def sessions(self):
        return [row[0] for row in self.desk.sql(
            "SELECT row_to_json(s) FROM channel_sessions s WHERE tenant_id = %s::uuid AND kind = 'mail'"
            " AND remote_address = %s ORDER BY created_at", self.tenant_id, self.address)]

    def session_of(self, mail):
        return self.desk.value("SELECT session_id::text FROM inbox_events WHERE tenant_id = %s::uuid"
                               " AND channel = 'mail' AND provider_id = %s", self.tenant_id, mail.id)

    def conversation(self):
        return self.sessions()[-1]["conversation_id"]

    def prompts(self):
        """The prompts of his turns, the first of each."""
        return [entry for entry in self.desk.ledger("model") if entry["method"] == "POST"]

    def knows(self, phone):
        """The desk has learnt that a customer who texts is the same person."""
        self.desk.sql("INSERT INTO contact_addresses (tenant_id, kind, address, contact_id) SELECT tenant_id, 'mail', %s,"
                      " contact_id FROM contact_addresses WHERE tenant_id = %s::uuid AND kind = 'phone' AND address = %s",
                      self.address, self.tenant_id, phone)


def send(desk, *mails, times=1):
    for _ in range(times):
        for mail in mails:
            desk.produce("inbound.email", mail.key, json.dumps(mail.value), list(mail.headers.items()))


def wakes(desk, delivery):
    """Records that woke a responder for it, by topic."""
    return {topic: sum(record.json()["delivery"] == delivery for record in desk.kafka_records(topic))
            for topic in ("outbound.sms", "outbound.email")}


__all__ = ["Correspondent", "ENGINE", "Mailbox", "mail_engines", "send", "wakes"]
