"""Scripted neighbours of the responder for mail: a mailbox with its account, a customer's thread, and
deliveries in it as the engine and the console will commit them."""

import secrets
import uuid

from delivering import Customer, now, responders

# begin: from the claim to the first byte; a lost mail is sent again after begin + lease + twice data + again
QUICK_MAIL = {"mail_begin_ms": 6000, "mail_data_ms": 1500, "mail_command_ms": 5000, "mail_dot_ms": 5000,
              "mail_again_after_ms": 1000}


def mail_responders(desk, count=1, **config):
    """Responders that can send mail; their certificates are the stand-in's, if there is one."""
    desk.prepare()
    key = desk.folder / "mail-token.key"
    if not key.exists():
        key.write_text(secrets.token_hex(32))
    return responders(desk, count, mail_token_key_file=str(key), mail_hello="desk.example",
                      **{**QUICK_MAIL, **config})


class Mailbox(Customer):
    """A thread between one customer and one mailbox of the tenant."""

    def __init__(self, desk, url=None, secret="", tenant=0, from_name="Reception", box=None):
        """`box`: the mailbox that `deskctl mailbox add` made (mailboxes.Box), instead of one of its own."""
        super().__init__(desk, tenant)
        mark = secrets.token_hex(4)
        self.sender, self.address = f"desk-{mark}@clinic.example", f"customer-{mark}@mail.example"
        self.channel, self.session = str(uuid.uuid4()), str(uuid.uuid4())
        if box is None:
            self._make_channel(url, secret, from_name)
        else:
            self.sender = box.address
            self.channel = desk.value("SELECT id::text FROM channels WHERE kind = 'mail' AND address = %s"
                                      " AND removed_at IS NULL", box.address)
        desk.sql("INSERT INTO channel_sessions (tenant_id, id, conversation_id, channel_id, kind, remote_address)"
                 " VALUES (%s::uuid, %s::uuid, %s::uuid, %s::uuid, 'mail', %s)", self.tenant, self.session,
                 self.conversation, self.channel, self.address)

    def _make_channel(self, url, secret, from_name):
        desk = self.desk
        assistant = desk.value("SELECT id::text FROM assistants WHERE tenant_id = %s::uuid LIMIT 1", self.tenant)
        desk.sql("INSERT INTO channels (tenant_id, id, kind, address, account_sid, credentials, edge_keys,"
                 " assistant_id, published_version) VALUES (%s::uuid, %s::uuid, 'mail', %s, '', '', '[]',"
                 " %s::uuid, 1)", self.tenant, self.channel, self.sender, assistant)
        desk.sql("INSERT INTO mail_accounts (tenant_id, channel_id, url, secret, from_name) VALUES (%s::uuid,"
                 " %s::uuid, %s, %s, %s)", self.tenant, self.channel, url, secret, from_name)

    def came(self, body):
        """A mail of the customer's; returns the message's id."""
        return self.desk.value(
            "INSERT INTO messages (tenant_id, id, conversation_id, session_id, direction, author, body, event_time)"
            " VALUES (%s::uuid, gen_random_uuid(), %s::uuid, %s::uuid, 'in', 'contact', %s, clock_timestamp())"
            " RETURNING id::text", self.tenant, self.conversation, self.session, body)

    def mail(self, body=None, wake=True, author="ai", epoch=0, subject="Re: opening hours",
             in_reply_to="m2@mail.example", references=("m1@mail.example", "d1@clinic.example"),
             quoted=None, quoted_on=None, language=None):
        """One committed mail and, if wanted, its wake-up; returns the delivery's id. `quoted`: of came()."""
        delivery, message = str(uuid.uuid4()), str(uuid.uuid4())
        self.seq += 1
        body = body or f"Good morning,\n\nmail {self.seq} {self.desk.new_nonce()}"
        self.desk.sql(
            "WITH m AS (INSERT INTO messages (tenant_id, id, conversation_id, session_id, direction, author, body,"
            " event_time) VALUES (%s::uuid, %s::uuid, %s::uuid, %s::uuid, 'out', %s, %s, clock_timestamp())"
            " RETURNING 1), d AS (INSERT INTO deliveries (tenant_id, id, conversation_id, session_id, seq, message_id,"
            " author, via, epoch, state, answer_by) SELECT %s::uuid, %s::uuid, %s::uuid, %s::uuid, %s, %s::uuid, %s,"
            " 'mail', %s, 'pending', clock_timestamp() + interval '5 d' FROM m RETURNING 1)"
            " INSERT INTO delivery_mails (tenant_id, delivery_id, subject, in_reply_to, reference_ids, quoted_id,"
            " quoted_on, language) SELECT %s::uuid, %s::uuid, %s, %s, %s, %s::uuid, %s, %s FROM d",
            self.tenant, message, self.conversation, self.session, author, body,
            self.tenant, delivery, self.conversation, self.session, self.seq, message, author, epoch,
            self.tenant, delivery, subject, in_reply_to, list(references), quoted, quoted_on, language)
        if wake:
            self.wake_mail(delivery)
        return delivery

    def wake_mail(self, delivery):
        headers = {"ce_specversion": "1.0", "ce_id": delivery, "ce_source": "frontdesk/test",
                   "ce_type": "desk.delivery.requested.v1", "ce_time": now(),
                   "content-type": "application/json", "tenant": self.tenant}
        self.desk.produce("outbound.email", f"{self.tenant}:{self.session}",
                          {"delivery": delivery, "session": self.session}, headers)

    def message_id(self, delivery):
        return self.desk.value("SELECT message_id FROM delivery_mails WHERE delivery_id = %s::uuid", delivery)

    def come_again(self, delivery):
        """The back-off is over."""
        self.desk.sql("UPDATE deliveries SET next_at = clock_timestamp() WHERE id = %s::uuid", delivery)
