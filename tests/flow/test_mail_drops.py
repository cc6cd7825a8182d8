"""Mail servers that break off: IMAP at any byte of a session, SMTP at each command. No mail is lost or comes twice."""

import os
import socket
import threading

from harness import mail_table, smtp
from mail_sending import Mailbox as Sender
from mail_sending import mail_responders
from mailing import Mailbox, mail, pollers, server

LONG = os.environ.get("FRONTDESK_LONG") == "1"
SESSION_BYTES = 6000  # what a server says from TLS's first byte until a mail is read, and more
STEP = 1 if LONG else 211
DEADLINE_S = 3000 if LONG else 180
QUICK = {"retry_ms": 20, "retry_max_ms": 20, "adopt_every_ms": 50, "idle_ms": 1000}
STAGES = ("greet", "ehlo", "mail", "rcpt", "data", "body", "dot")


class Cutter:
    """A way to a port on which connection n carries `cuts[n]` bytes back, and then ends; later ones are whole. Before
    each, `before(n)` is called."""

    def __init__(self, port, cuts, before):
        self.port, self.cuts, self.before, self.count = port, cuts, before, 0
        self.socket = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self.accept, daemon=True).start()

    @property
    def own_port(self):
        return self.socket.getsockname()[1]

    def accept(self):
        while True:
            try:
                near, _ = self.socket.accept()
            except OSError:
                return
            number, self.count = self.count, self.count + 1
            if number < len(self.cuts):
                self.before(number)
            far = socket.create_connection(("127.0.0.1", self.port))
            left = self.cuts[number] if number < len(self.cuts) else None
            threading.Thread(target=self.carry, args=(near, far, None), daemon=True).start()
            threading.Thread(target=self.carry, args=(far, near, left), daemon=True).start()

    @staticmethod
    def carry(source, to, left):
        try:
            while left is None or left > 0:
                data = source.recv(65536 if left is None else min(left, 65536))
                if not data:
                    break
                to.sendall(data)
                left = None if left is None else left - len(data)
        except OSError:
            pass
        for end in (source, to):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def stop(self):
        self.socket.close()


def test_imap_drops_at_any_byte(desk):
    """With a new mail waiting each time, so that every session has something to read."""
    pollers(desk, **QUICK)
    subjects = []

    def before(number):
        subjects.append(f"mail {number}")
        server(desk).deliver(mailbox.user, mail(subjects[-1], "text " * 100))

    mailbox = Mailbox(desk)
    mailbox.wait_cursor(0)
    cuts = list(range(1, SESSION_BYTES, STEP))
    cutter = Cutter(server(desk).tls_port, cuts, before)
    desk.sql("UPDATE mailboxes SET port = %s WHERE id = %s", cutter.own_port, mailbox.id)
    desk.terminate("mailpoller-1")
    pollers(desk, **QUICK)
    desk.wait(lambda: cutter.count > len(cuts), DEADLINE_S - 60, lambda: f"{len(cuts)} cuts, at {cutter.count}")
    mailbox.wait_cursor(len(cuts), 30)
    mailbox.tell(f"IMAP drops after {cuts[0]} to {cuts[-1]} bytes", *subjects)
    ids = {event.id for event in mailbox.events()}
    assert len(ids) == len(cuts) and mailbox.skips() == [], (len(ids), len(cuts), mailbox.skips())
    mailbox.remove()
    cutter.stop()


def test_smtp_drops_at_every_command(desk):
    """Once each: the mail comes when its time has come again, and once."""
    mail_responders(desk)
    servers = smtp.Faults(desk.folder / "drops", **{stage: f"plain;{stage}*1=drop" for stage in STAGES})
    for stage in STAGES:
        box = Sender(desk, f"smtp://127.0.0.1:{servers.ports[stage]}?tls=none")
        delivery = box.mail()
        first = box.wait_state(delivery, "deferred", "unknown", "sent")
        if first["state"] == "deferred":
            box.come_again(delivery)
        box.wait_state(delivery, "sent", deadline_s=60)
        came = servers.mails(stage)
        mail_table.line(f"SMTP drops at {stage}", mail_table.SENT, [box.address],
                        [box.address for _ in {mail["Message-ID"] for mail in came}])
        assert len(came) == (2 if stage == "dot" else 1), (stage, len(came))
        assert len({mail.raw for mail in came}) == 1, stage
    servers.stop()
