"""What the tests of `deskctl mailbox` share: a mailbox's file, its servers, and a courier between them."""

import threading

from harness.dovecot import Dovecot, mail
from harness.oauth import Tokens
from harness.smtp import Faults
from mailing import pollers, published, server
from operating import DIFFERENT, FAILED, NOT_FOUND, OK, USAGE, expect, good, run  # noqa: F401
from procs import give_file, own_dir

__all__ = ["Box", "Courier", "Dovecot", "Faults", "TokenBox", "mail", "pollers", "published", "server"]

NETWORKS = "127.0.0.0/8,::1/128"


class Courier(threading.Thread):
    """Carries what an SMTP stand-in took into the mailbox on Dovecot, as a mail server behind both would."""

    def __init__(self, faults, name, dovecot, user):
        super().__init__(daemon=True)
        self.faults, self.name_of, self.dovecot, self.user = faults, name, dovecot, user
        self.ended = threading.Event()

    def run(self):
        carried = 0
        while not self.ended.wait(0.1):
            for taken in self.faults.mails(self.name_of)[carried:]:
                self.dovecot.deliver(self.user, taken.raw)
                carried += 1

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.join(20)


class Box:
    """A user of a Dovecot, and the file of a mailbox for it. `smtp`: rules of servers by name; %s in them is
    "user:NAME:SECRET"."""

    def __init__(self, desk, dovecot=None, tenant=0, user=None, **smtp):
        self.desk = desk
        desk.prepare()
        self.dovecot = dovecot or server(desk)
        self.user, self.password = self.dovecot.add_user(user)
        self.address = f"{self.user}@clinic.example"
        self.tenant = desk.tenants[tenant]["name"]
        self.folder = own_dir(desk.folder / f"box-{self.user}")
        rules = {"ok": "starttls;%s", **smtp}
        self.faults = Faults(self.folder / "smtp", **{
            name: rule.replace("%s", f"user:{self.user}:{self.password}") for name, rule in rules.items()})
        give_file(self.folder / "password", self.password + "\n")
        self.ca_file = give_file(self.folder / "ca.pem",
                                 self.dovecot.ca_file.read_text() + self.faults.ca.read_text())
        self.fields = {"tenant": self.tenant, "address": self.address, "name": "Reception",
                       "imap": f"imaps://{self.user}@localhost:{self.dovecot.tls_port}",
                       "smtp": self.smtp("ok"), "password": "file:password"}

    def smtp(self, name, scheme="smtp"):
        return f"{scheme}://{self.user}@localhost:{self.faults.ports[name]}"

    def file(self, **changes):
        """The path of its file with some fields changed; None leaves one out, a dict is a block."""
        lines = []
        for key, value in {**self.fields, **changes}.items():
            if isinstance(value, dict):
                lines += [f"{key}:", *(f"  {name}: {text}" for name, text in value.items())]
            elif value is not None:
                lines.append(f"{key}: {value}")
        return give_file(self.folder / "mailbox.yaml", "\n".join(lines) + "\n")

    def deskctl(self, code, *words, networks=NETWORKS, **options):
        return expect(code, self.desk, "mailbox", *words, f"--mail_ca_file={self.ca_file}",
                      f"--mail_networks={networks}", **options)

    def add(self, *words, **changes):
        return self.deskctl(OK, "add", self.file(**changes), *words)

    def listed(self):
        rows = good(self.desk, "mailbox", "list", "--json").json()
        return next(row for row in rows if row["address"] == self.address)

    def check(self, code, *words, wait=30, **options):
        """The steps by name."""
        rows = self.deskctl(code, "check", self.address, "--json", "--wait", wait, *words, **options).json()
        return {row["step"]: row for row in rows}

    def audits(self):
        return [action for (action,) in self.desk.sql(
            "SELECT action FROM audit_log WHERE subject = %s ORDER BY at, action", self.address)]

    def column(self, name):
        return self.desk.value(f"SELECT {name} FROM mailboxes WHERE address = %s AND removed_at IS NULL",
                               self.address)

    def events(self):
        mailbox = str(self.column("id"))
        return [event for event in published(self.desk) if event.value["mailbox"] == mailbox]

    def wait_events(self, count, deadline_s=20):
        self.desk.wait(lambda: len({event.id for event in self.events()}) >= count, deadline_s,
                       lambda: f"{count} events: {self.listed()}")
        return self.events()

    def remove(self):
        """No poller takes it up again; the next test shall not meet it."""
        self.desk.sql("UPDATE mailboxes SET removed_at = clock_timestamp() WHERE address = %s", self.address)
        self.faults.stop()


class TokenBox(Box):
    """A mailbox on a Dovecot of its own that knows the endpoint's tokens."""

    def __init__(self, desk, **options):
        user = f"box-{desk.new_nonce()}"
        self.tokens = Tokens([user], **options)
        folder = desk.folder.parent / f"{desk.folder.name}-{user}"
        dovecot = Dovecot(folder, tokens=self.tokens.url).start()
        self.sends_with = f"t-{desk.new_nonce()}"  # the one token that the SMTP stand-in takes
        super().__init__(desk, dovecot, user=user, token=f"starttls;user:{user}:{self.sends_with}")
        (self.folder / "refresh").write_text(self.tokens.refresh[user] + "\n")
        (self.folder / "client").write_text(self.tokens.client_secret + "\n")
        self.fields.update(password=None, smtp_password="file:password", oauth={
            "token_url": self.tokens.url + "/token", "client_id": self.tokens.client_id,
            "client_secret": "file:client", "refresh_token": "file:refresh"})

    def bought(self):
        return [entry["status"] for entry in self.tokens.ledger()]

    def read(self, count, subject):
        self.dovecot.deliver(self.user, mail(subject, "text"))
        assert self.wait_events(count)[-1].value["subject"] == subject

    def remove(self):
        super().remove()
        self.tokens.stop()
        self.dovecot.stop()
