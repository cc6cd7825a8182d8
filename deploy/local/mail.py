"""The mail servers of ./run: Dovecot with the mailbox of a business, and an SMTP server that takes what is sent."""

import secrets

from dovecot import Dovecot
from procs import free_port, give_file, own_dir
from sink import Sink

TENANT, USER, DOMAIN = "brightwater-dental", "desk", "brightwater.example"
PROVIDER = f"mx.{DOMAIN}"  # says of each mail whether its sender is its sender
# A mail waits for the rest of a burst, by default 20 s: nobody shall look at that.
BURST = {"mail_burst_ms": 2000, "mail_burst_max_ms": 6000}


class MailServers:
    address = f"{USER}@{DOMAIN}"

    def __init__(self, folder):
        self.folder = own_dir(folder, mode=0o711)
        self.dovecot = Dovecot(self.folder / "dovecot")
        self.sink = Sink(self.folder / "sink", free_port())

    def start(self):
        self.dovecot.config.unlink(missing_ok=True)  # of an earlier run, with its ports
        self.dovecot.add_user(USER)
        self.dovecot.start()
        self.sink.start()
        return self

    def stop(self):
        self.sink.stop()
        self.dovecot.stop()

    def add_mailbox(self, installation):
        """As an owner does: a file, and the password beside it."""
        folder = own_dir(self.folder / "box")
        give_file(folder / "password", self.dovecot.users[USER] + "\n")
        path = give_file(folder / "mailbox.yaml", "\n".join((
            f"tenant: {TENANT}", f"address: {self.address}", "name: Brightwater Dental",
            f"imap: imaps://{USER}@localhost:{self.dovecot.tls_port}",
            f"smtp: smtp://127.0.0.1:{self.sink.port}?tls=none", "password: file:password",
            "sent_folder: auto", f"trusted_servers: [{PROVIDER}]")) + "\n")
        installation.deskctl("mailbox", "add", path, "--replace")

    def config_of(self, kind, keys):
        """What a service is to know of these servers besides its own settings."""
        here = {"mail_ca_file": self.dovecot.ca_file, "mail_networks": "127.0.0.0/8,::1/128"}
        return {"engine": BURST, "mailpoller": here,
                "responder": {**here, "mail_token_key_file": keys / "mail.key", "mail_hello": PROVIDER}}.get(kind)

    def deliver(self, raw):
        self.dovecot.deliver(USER, raw)

    def sent_to(self, address):
        """What the desk sent to an address, in order."""
        return [mail for mail in self.sink.mails() if mail["To"] == address]

    def copies(self):
        """How many mails are in the mailbox's folder of sent ones."""
        return self.dovecot.status(USER, "Gesendet")["MESSAGES"]


def new_address():
    return f"ann-{secrets.token_hex(3)}@customer.example"
