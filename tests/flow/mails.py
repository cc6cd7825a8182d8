"""Customers' mails through all of Frontdesk: a real Dovecot that mailpollers read, engines, responders, and an SMTP
server that takes what they send. What this suite's files on mail share."""

import email.utils
import re
import secrets
import uuid
from email.message import EmailMessage

from harness import mail_table, oracle, smtp
from harness.dovecot import Dovecot
from procs import give_file, own_dir

CONFIG = {
    "engine": {"mail_burst_ms": 400, "mail_burst_max_ms": 1500, "mail_deadline_ms": 10000, "mail_loop_replies": 5},
    "responder": {"worker_lease_ms": 2000, "adopt_every_ms": 600, "session_timeout_ms": 3000, "heartbeat_ms": 600,
                  "mail_begin_ms": 6000, "mail_data_ms": 1500, "mail_command_ms": 5000, "mail_dot_ms": 5000,
                  "mail_again_after_ms": 1000},
}
SERVERS = {"ok": "plain", "flight": "plain;dot*1=fly;dot*1=550 5.1.1 no such user"}


def up(desk, ingresses=0, pollers=2, **responder):
    """All services that a mail meets; those of another file's test as well, if it wants calls and texts. `responder`:
    settings of the responders' own."""
    if not hasattr(desk, "mail_servers"):
        desk.dovecot = Dovecot(desk.folder.parent / f"{desk.folder.name}-dovecot").start()
        desk.mail_servers = smtp.Faults(desk.folder / "smtp", **SERVERS)
    desk.prepare()
    here = desk.installation
    own = {"mail_token_key_file": str(here.keys / "mail.key"), "mail_hello": "desk.example"}
    config = {**CONFIG, "responder": {**CONFIG["responder"], **own, **responder}}
    wanted = (ingresses, pollers, responder)
    if getattr(desk, "mailing", None) == wanted and all(s.alive() for s in desk.services.values()):
        return desk
    desk.start(ingresses=ingresses, engines=2, responders=2, config=config, directory=bool(ingresses))
    given = {"mail_ca_file": str(desk.dovecot.ca_file), "mail_networks": "127.0.0.0/8,::1/128"}
    for number in range(1, pollers + 1):
        desk.add("mailpoller", number, {"mailpoller": given})
    for number in range(1, pollers + 1):
        desk.services[f"mailpoller-{number}"].wait_ready()
    desk.mailing = wanted
    return desk


def revive(desk):
    desk.revive(("engine", "responder", "mailpoller", "ingress"))


class Mailbox:
    """A mailbox of the first tenant that the desk reads and answers from."""

    def __init__(self, desk, server="ok"):
        self.desk = desk
        self.user, password = desk.dovecot.add_user()
        self.address = f"{self.user}@clinic.example"
        self.tenant_id = desk.value("SELECT id::text FROM tenants WHERE name = %s", desk.tenants[0]["name"])
        self.id, self.channel = str(uuid.uuid4()), str(uuid.uuid4())
        secret = give_file(own_dir(desk.folder / "mailboxes") / self.user, password + "\n")
        desk.sql("INSERT INTO channels (tenant_id, id, kind, address, account_sid, credentials, edge_keys,"
                 " assistant_id, published_version) SELECT %s::uuid, %s::uuid, 'mail', %s, '', '', '[]', id, 1"
                 " FROM assistants WHERE tenant_id = %s::uuid LIMIT 1", self.tenant_id, self.channel, self.address,
                 self.tenant_id)
        desk.sql("INSERT INTO mail_accounts (tenant_id, channel_id, url, from_name) VALUES (%s::uuid, %s::uuid, %s,"
                 " 'Reception')", self.tenant_id, self.channel,
                 f"smtp://127.0.0.1:{desk.mail_servers.ports[server]}?tls=none")
        desk.sql("INSERT INTO mailboxes (tenant_id, id, address, host, port, user_name, secret_from, secret_name,"
                 " trusted_servers) VALUES (%s::uuid, %s::uuid, %s, 'localhost', %s, %s, 'file', %s,"
                 " '[\"mx.clinic.example\"]')", self.tenant_id, self.id, self.address, desk.dovecot.tls_port, self.user,
                 str(secret))
        self.server = server
        desk.wait(lambda: desk.value("SELECT uid_validity FROM mailboxes WHERE id = %s::uuid", self.id), 30,
                  "the mailbox to be read")

    def deliver(self, *mails):
        self.desk.dovecot.deliver(self.user, *mails)


class Writer:
    """A customer and his mail program."""

    def __init__(self, mailbox, address=None):
        self.desk, self.mailbox = mailbox.desk, mailbox
        self.address = address or f"ann-{secrets.token_hex(4)}@customer.example"

    def make(self, words, subject="Opening hours", to=None, **headers):
        """(nonce, the mail's bytes); headers by name with _ for -."""
        nonce = self.desk.new_nonce()
        made = EmailMessage()
        made["From"] = f"Ann Example <{self.address}>"
        made["To"] = to or self.mailbox.address
        made["Subject"] = subject
        made["Date"] = email.utils.formatdate()
        made["Message-ID"] = headers.pop("message_id", f"<{secrets.token_hex(8)}@customer.example>")
        made["Authentication-Results"] = (
            f"mx.clinic.example; dmarc=pass header.from=customer.example; dkim=pass header.d=customer.example")
        for name, value in headers.items():
            made[name.replace("_", "-")] = value
        made.set_content(f"{nonce} {words}\n")
        return nonce, made.as_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")

    def write(self, words, **more):
        nonce, raw = self.make(words, **more)
        self.mailbox.deliver(raw)
        return nonce

    def reply_to(self, mail, words, **more):
        """As a mail program answers: to Reply-To, in the thread."""
        before = (mail["References"] or "").split()
        subject = mail["Subject"]
        return self.write(words, **{"subject": subject if subject.startswith("Re:") else f"Re: {subject}", "to": mail["Reply-To"],
                                    "In_Reply_To": mail["Message-ID"],
                                    "References": " ".join([*before, mail["Message-ID"]]), **more})

    def mails(self):
        """What he got, in order; a further copy of the same mail as his program shows it, once."""
        found = {}
        for mail in self.desk.mail_servers.mails(self.mailbox.server):
            if mail.about["to"] == [self.address]:
                found.setdefault(mail["Message-ID"], mail)
        return list(found.values())

    def copies(self):
        return sum(mail.about["to"] == [self.address] for mail in self.desk.mail_servers.mails(self.mailbox.server))

    def wait_mails(self, count, deadline_s=30):
        self.desk.wait(lambda: len(self.mails()) >= count, deadline_s,
                       lambda: f"{count} mails for {self.address}, got {len(self.mails())}: {self.fates()}")
        mails = self.mails()
        assert len(mails) == count, [mail.text for mail in mails]
        return mails

    def fates(self):
        return self.desk.sql(
            "SELECT e.provider_id, e.state, e.reason, d.state, d.reason, d.error_code, d.attempts FROM messages m"
            " JOIN channel_sessions s ON s.id = m.session_id LEFT JOIN inbox_events e ON e.message_id = m.id"
            " LEFT JOIN deliveries d ON d.message_id = m.id WHERE s.remote_address = %s ORDER BY m.position", self.address)

    def event(self, nonce):
        """(state, reason) of his mail; None while it is not claimed."""
        rows = self.desk.sql("SELECT e.state, e.reason FROM inbox_events e JOIN messages m ON m.tenant_id = e.tenant_id"
                             " AND m.id = e.message_id WHERE m.body LIKE %s", nonce + "%")
        return rows[0] if rows else None

    def wait_event(self, nonce, state, deadline_s=30):
        self.desk.wait(lambda: (self.event(nonce) or ("",))[0] == state, deadline_s,
                       lambda: f"{nonce} to be {state}: {self.event(nonce)}")
        return self.event(nonce)

    def sessions(self):
        return [row[0] for row in self.desk.sql(
            "SELECT id::text FROM channel_sessions WHERE kind = 'mail' AND remote_address = %s", self.address)]


def answers(mails):
    """The nonces that the mails answer, in order."""
    return [nonce for mail in mails for nonce in oracle.new_nonces(mail.text)]


def thread_of(mails):
    """What a mail program goes by: the first id of the references."""
    return {re.findall(r"<[^>]+>", mail["References"] or "")[0] for mail in mails}


def settled(desk, writer, seconds=2.0):
    desk.settled(seconds, writer.copies)
    return writer.mails()


def tell(fault, wanted, mails, robots=()):
    """A line of the table of mails: these nonces were to be answered, those are of programs' mails."""
    came = answers(mails)
    mail_table.line(fault, mail_table.WHOLE, wanted, came, sum(nonce in robots for nonce in came))
