"""Mail for the tests of the mailpoller: a real IMAP server beside the desk, mailboxes of the first
tenant on it, and what was published of their mails.
"""

import base64
import hmac
import importlib.machinery
import importlib.util
import json
import uuid
from types import SimpleNamespace

from harness import CHECKOUT, mail_table
from harness.dovecot import Dovecot, mail
from procs import give_file, own_dir

__all__ = ["Mailbox", "mail", "pollers", "server", "published", "reports", "tenant_id", "token"]


def tenant_id(desk):
    """The first tenant's."""
    return desk.value("SELECT id::text FROM tenants WHERE name = %s", desk.tenants[0]["name"])


def server(desk):
    """The file's Dovecot; ends with the process of the tests."""
    if not hasattr(desk, "dovecot"):
        folder = desk.folder.parent / f"{desk.folder.name}-dovecot"
        desk.dovecot = Dovecot(folder).start()
    return desk.dovecot


def pollers(desk, count=1, **config):
    """Starts mailpollers, without any other service, and waits until they are ready."""
    dovecot = server(desk)
    desk.prepare()
    given = {"mail_ca_file": dovecot.ca_file, "mail_networks": "127.0.0.0/8,::1/128", **config}
    for number in range(1, count + 1):
        desk.add("mailpoller", number, {"mailpoller": given})
    for number in range(1, count + 1):
        desk.services[f"mailpoller-{number}"].wait_ready()


class Mailbox:
    """A mailbox of the first tenant, with a row and a user of its own."""

    def __init__(self, desk, old=0, security="tls", folder="INBOX", **columns):
        self.desk = desk
        self.dovecot = server(desk)
        self.folder = folder
        self.id = str(uuid.uuid4())
        self.user, password = self.dovecot.add_user()
        self.address = f"{self.user}@clinic.example"
        if old:
            self.dovecot.fill(self.user, old)
        secrets = own_dir(desk.folder / "mailboxes")
        self.secret = give_file(secrets / self.user, password + "\n")
        port = self.dovecot.tls_port if security == "tls" else self.dovecot.port
        row = {"tenant_id": tenant_id(desk), "id": self.id, "address": self.address,
               "host": "localhost", "port": port, "security": security, "user_name": self.user,
               "secret_from": "file", "secret_name": str(self.secret), "folder": folder, **columns}
        desk.sql(f"INSERT INTO mailboxes ({', '.join(row)}) VALUES"
                 f" ({', '.join(['%s'] * len(row))})", *row.values())

    def deliver(self, *mails, **options):
        self.dovecot.deliver(self.user, *mails, folder=self.folder, **options)

    def row(self):
        names = ("uid_validity", "last_uid", "since_at", "worker", "fence", "failures",
                 "last_error", "alert", "tries", "trying_uid")
        found = self.desk.sql(f"SELECT {', '.join(names)} FROM mailboxes WHERE id = %s", self.id)
        return SimpleNamespace(**dict(zip(names, found[0])))

    def wait_cursor(self, last_uid, deadline_s=20):
        self.desk.wait(lambda: self.row().last_uid == last_uid and self.row().uid_validity,
                       deadline_s, lambda: f"the cursor at {last_uid}: {self.row()}")

    def events(self):
        """Its events, oldest first."""
        return [event for event in published(self.desk) if event.value["mailbox"] == self.id]

    def wait_events(self, count, deadline_s=20):
        self.desk.wait(lambda: len({event.id for event in self.events()}) >= count, deadline_s,
                       lambda: f"{count} events: {[e.id for e in self.events()]}, {self.row()}")
        return self.events()

    def tell(self, fault, *subjects, told=()):
        """A line of the table of mails: these were to be read, by their subjects; `told` are listed as skipped."""
        came = {event.value["content_hash"]: event.value["subject"] for event in self.events()}
        ids = {event.id: event.value["subject"] for event in self.events()
               if event.value["uid_validity"] == self.row().uid_validity}
        mail_table.line(fault, mail_table.READ, subjects, max(came.values(), ids.values(), key=len), told=told)

    def skips(self):
        return self.desk.sql("SELECT uid, reason FROM mailbox_skips WHERE mailbox_id = %s"
                             " ORDER BY uid", self.id)

    def remove(self):
        """No poller takes it up again; the next test shall not meet it."""
        self.desk.sql("UPDATE mailboxes SET removed_at = clock_timestamp() WHERE id = %s", self.id)


def _load_checker():
    path = str(CHECKOUT / "tests" / "checks" / "events")
    loader = importlib.machinery.SourceFileLoader("event_checks", path)
    spec = importlib.util.spec_from_loader("event_checks", loader)
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


CHECKER = _load_checker()
EVENTS = CHECKOUT / "schema" / "events"


def _read(desk, topic, kind):
    schema = json.loads((EVENTS / f"{kind}.schema.json").read_text())
    heads = json.loads((EVENTS / "headers.schema.json").read_text())
    found = []
    for record in desk.kafka_records(topic):
        headers = {name: value.decode() for name, value in record.headers.items()}
        if headers["ce_type"] != kind:
            continue
        value = record.json()
        wrong = (CHECKER.problems_of(schema, value, "value")
                 + CHECKER.problems_of(heads, headers, "headers"))
        assert not wrong, wrong
        assert len(record.value) <= 512 * 1024, len(record.value)
        found.append(SimpleNamespace(id=headers["ce_id"], time=headers["ce_time"], value=value,
                                     key=record.key.decode(), headers=headers))
    return found


def published(desk):
    """Every mail that was published, checked against its schema."""
    return _read(desk, "inbound.email", "desk.mail.received.v1")


def reports(desk):
    return _read(desk, "receipts", "desk.mail.reported.v1")


def token(desk, kind, of):
    """A token of ours, made by another hand than the product's (common/mail/token.h)."""
    key = bytes.fromhex((desk.installation.keys / "mail.key").read_text().strip())
    signed = (f"frontdesk mail {kind} 1\n".encode() + uuid.UUID(tenant_id(desk)).bytes
              + uuid.UUID(of).bytes)
    mac = hmac.digest(key, signed, "sha256")[:9]
    return base64.b32encode(uuid.UUID(of).bytes + mac).decode().lower()
