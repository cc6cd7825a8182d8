"""Mail servers that break off: IMAP at any byte of a session, SMTP at each command. No mail is lost or comes twice."""

import os
import socket
import threading
import time

from harness import mail_table, smtp
from mail_sending import Mailbox as Sender
from mail_sending import mail_responders
from mailing import Mailbox, mail, pollers, server
from procs import give_file

LONG = os.environ.get("FRONTDESK_LONG") == "1"
STEP = 1 if LONG else 211
END_BYTES, END_STEP = 400, 1 if LONG else 40  # what comes behind the mail itself; it is little
DEADLINE_S = 2 * 3600 if LONG else 180
QUICK = {"retry_ms": 20, "retry_max_ms": 20, "adopt_every_ms": 50, "idle_ms": 600000}
QUIET_S = 1.0


# ---- IMAP


class Line:
    """One connection through: carries `most` bytes of the server's, and then ends; None: all of them."""

    def __init__(self, near, port, most):
        self.ends = near, socket.create_connection(("127.0.0.1", port))
        self.most, self.bytes, self.at, self.ended = most, 0, time.monotonic(), threading.Event()
        threading.Thread(target=self.carry, args=(*self.ends, False), daemon=True).start()
        threading.Thread(target=self.carry, args=(*reversed(self.ends), True), daemon=True).start()

    def carry(self, source, to, counts):
        try:
            while data := source.recv(65536):
                if counts:
                    data = data[:None if self.most is None else self.most - self.bytes]
                    self.bytes, self.at = self.bytes + len(data), time.monotonic()
                to.sendall(data)
                if self.bytes == self.most:
                    break
        except OSError:
            pass
        self.end()

    def end(self):
        self.ended.set()
        for end in self.ends:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def is_over(self):
        """It has ended, or the server has nothing more to say: it told in fewer bytes what it told before in more."""
        return self.ended.is_set() or time.monotonic() - self.at > QUIET_S


class Sweep:
    """A mailbox whose connections come through here, one by one, each with a new mail waiting if so wanted."""

    def __init__(self, desk):
        self.desk, self.dovecot, self.subjects = desk, server(desk), []
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.socket.settimeout(60)
        self.mailbox = Mailbox(desk, port=self.socket.getsockname()[1])

    def next(self, most=None, deliver=False):
        near, _ = self.socket.accept()
        if deliver:
            self.subjects.append(f"mail {len(self.subjects) + 1}")
            self.mailbox.deliver(mail(self.subjects[-1], "text " * 100))
        return Line(near, self.dovecot.tls_port, most)

    def wait_read(self):
        self.mailbox.wait_cursor(len(self.subjects), 30)

    def whole_session(self):
        """Bytes of one in which a mail is read, up to its IDLE."""
        line = self.next(deliver=True)
        self.wait_read()
        self.desk.wait(line.is_over, 20, "the IDLE")
        line.end()
        return line.bytes

    def cut_session(self, most):
        """What it has done of its mail: whether its record is with the brokers, and whether the cursor is behind it. A whole
        session follows."""
        def published():
            return self.desk.service("mailpoller-1").metrics().get('frontdesk_mails_published_total{class="person"}', 0)

        before = published()
        line = self.next(most, deliver=True)
        self.desk.wait(line.is_over, 30, f"the end at {most} bytes")
        line.end()
        near, _ = self.socket.accept()  # nothing is answered yet: whatever is kept, the other one has kept
        done = published() > before, self.mailbox.row().last_uid == len(self.subjects)
        line = Line(near, self.dovecot.tls_port, None)
        self.wait_read()
        line.end()
        return done


def test_imap_drops_at_any_byte(desk):
    """A session that reads a mail and goes idle, cut off at each of its bytes; the one behind it is whole."""
    pollers(desk, **QUICK)
    sweep = Sweep(desk)
    line = sweep.next()
    sweep.mailbox.wait_cursor(0)
    line.end()
    whole = min(sweep.whole_session() for _ in range(2))
    cuts = sorted({*range(1, whole, STEP), *range(whole - END_BYTES, whole, END_STEP)})
    done = {most: sweep.cut_session(most) for most in cuts}
    sweep.mailbox.tell(f"IMAP drops at {len(cuts)} places of {whole} bytes", *sweep.subjects)
    read = [most for most in cuts if done[most] == (True, True)]
    assert set(done.values()) == {(False, False), (True, True)}, done
    assert len(read) >= 2 and cuts.index(read[0]) > 2, read
    ids = {event.id for event in sweep.mailbox.events()}
    assert len(ids) == len(sweep.subjects) and sweep.mailbox.skips() == [], (len(ids), sweep.mailbox.skips())
    sweep.mailbox.remove()
    desk.terminate("mailpoller-1")
    sweep.socket.close()


# ---- SMTP

DROPS = {**{stage: f"{stage}*1=drop" for stage in ("greet", "ehlo", "starttls", "auth", "mail", "rcpt", "data", "body", "dot")},
         "ehlo2": "ehlo*1=ok;ehlo*1=drop"}
TRUSTING = [stage for stage in DROPS if stage not in ("starttls", "auth", "ehlo2")]
WAYS = {  # a way: its server, the account's URL, where the server drops
    "no TLS": ("plain", "smtp://127.0.0.1:%d?tls=none", TRUSTING),
    "STARTTLS": ("starttls;user:desk:s3cret", "smtp://desk@localhost:%d", DROPS),
    "TLS": ("tls;user:desk:s3cret", "smtps://desk@localhost:%d", [*TRUSTING, "auth"]),  # by libcurl
}


def test_smtp_drops_at_every_command(desk):
    """Once each: the mail comes when its time has come again, and once; by each library, and with a login."""
    names = {(way, stage): f"{rules.partition(';')[0]}_{stage}" for way, (rules, _, stages) in WAYS.items() for stage in stages}
    servers = smtp.Faults(desk.folder / "drops", **{
        name: f"{WAYS[way][0]};{DROPS[stage]}" for (way, stage), name in names.items()})
    mail_responders(desk, mail_ca_file=str(servers.ca))
    secret = give_file(desk.folder / "drops.secret", "s3cret\n")
    sent = {}
    for (way, stage), name in names.items():
        box = Sender(desk, WAYS[way][1] % servers.ports[name], secret="" if way == "no TLS" else f"file:{secret}")
        sent[way, stage] = box, box.mail()
    for (way, stage), (box, delivery) in sent.items():
        if box.wait_state(delivery, "deferred", "unknown", "sent", deadline_s=40)["state"] == "deferred":
            box.come_again(delivery)
    for (way, stage), (box, delivery) in sent.items():
        box.wait_state(delivery, "sent", deadline_s=60)
        came = servers.mails(names[way, stage])
        mail_table.line(f"SMTP ({way}) drops at {stage}", mail_table.SENT, [box.address],
                        [mail.about["to"][0] for mail in {mail["Message-ID"]: mail for mail in came}.values()])
        assert len(came) == (2 if stage == "dot" else 1), (way, stage, len(came))
        assert len({mail.raw for mail in came}) == 1, (way, stage)
        assert {"deferred", "unknown"} & set(box.states(delivery)), (way, stage)
        assert {mail.about["login"] and mail.about["login"][1] for mail in came} == {None if way == "no TLS" else "desk"}
    servers.stop()
