"""Suite mail: what mails cost. R1 is a mail's way in, R2 what a mailbox costs in which nothing happens, with a connection
of its own or looked into in turn (R2_polled), R3 how many mails leave over one connection.

The servers are a real Dovecot and the SMTP stand-in. The rows are explained in docs/BENCHMARKS.md.
"""

import collections
import json
import os
import statistics
import subprocess
import sys
import time
from email.message import EmailMessage
from types import SimpleNamespace

from bench import PRODUCTION
from harness import smtp
from harness.dovecot import Dovecot
from mail_sending import Mailbox as Sender
from mail_sending import mail_responders
from mailing import Mailbox
from measure import LOAD_CPU, SYSTEM_CPU, exact_cpu_seconds, pin, rss_bytes
from procs import Failure, give_file, own_dir
from rows_engine import Trial, run_groups

KIB = 1024
MAIL_BYTES = 6000
LOOK_EVERY_MS = 5000  # R2
POLL_EVERY_MS = 30000  # R2_polled: 50 a second are begun at most
POLLER = {"log_level": "warn", "worker_lease_ms": 4000, "adopt_every_ms": 1000, "poll_every_ms": 60000,
          "idle_ms": 300000, "mail_networks": "127.0.0.0/8,::1/128"}


class MailTrial(Trial):
    def start_poller(self, **keys):
        """A new mailpoller and nothing else of ours; returns its process."""
        desk = self.desk
        desk.stop()
        desk.prepare()
        if not hasattr(desk, "dovecot"):
            desk.dovecot = Dovecot(self.root / "dovecot", clients=2000).start()
        desk.add("mailpoller", 1, {"mailpoller": {**POLLER, "mail_ca_file": desk.dovecot.ca_file, **keys}})
        service = desk.services["mailpoller-1"]
        service.wait_ready()
        pin(service.pid, SYSTEM_CPU)
        os.sched_setaffinity(0, LOAD_CPU if os.cpu_count() > 1 else {0})
        return service.pid

    def finish(self):
        if hasattr(self.desk, "dovecot"):
            self.desk.dovecot.stop()
        super().finish()


# ---- R1


def mail_of(nonce):
    """As a mail program writes an answer: plain and HTML, with what was said before below."""
    made = EmailMessage()
    for hop in range(3):
        made["Received"] = f"from mx{hop}.customer.example by mx{hop + 1}.clinic.example with ESMTPS id {nonce}{hop}"
    made["From"], made["To"], made["Subject"] = "Ann Lee <ann@customer.example>", "desk@clinic.example", "Re: Tuesday"
    made["Date"], made["Message-ID"] = "Mon, 02 Nov 2026 09:00:00 +0100", f"<{nonce}@customer.example>"
    made["In-Reply-To"] = made["References"] = "<one@clinic.example>"
    said = "Could we make it Thursday at nine instead? I have to be at work by eleven.\n" * 10
    before = "> We open at eight on weekdays, and at nine on Saturdays.\n" * 16
    made.set_content(f"{nonce}\n\n{said}\nOn Monday the clinic wrote:\n{before}")
    made.add_alternative(f"<html><body><p>{nonce}</p><p>{said}</p><blockquote>{before}</blockquote></body></html>"
                         .ljust(3200), "html")
    return made.as_bytes().replace(b"\n", b"\r\n")


def fill(dovecot, user, nonces):
    """New mails at once, as a delivery agent puts them there: a file is in "new" when it is whole."""
    base = own_dir(dovecot.folder / "mail" / user, dovecot.user, 0o700)
    for part in ("cur", "new", "tmp"):
        own_dir(base / part, dovecot.user, 0o700)
    sizes = []
    for number, nonce in enumerate(nonces):
        data = mail_of(nonce)
        sizes.append(len(data))
        path = give_file(base / "tmp" / f"{1700000000 + number}.{number}.new", data.decode(), dovecot.user)
        path.rename(base / "new" / path.name)
    if not 0.9 * MAIL_BYTES < statistics.fmean(sizes) < 1.1 * MAIL_BYTES:
        raise Failure(f"a mail has {statistics.fmean(sizes):.0f} bytes")


def read_by_us(trial, pid, nonces):
    """(microseconds a mail of the mailpoller's, mails a second); each was published once."""
    desk = trial.desk
    mailbox = Mailbox(desk)
    mailbox.wait_cursor(0, 30)
    desk.freeze("mailpoller-1")
    fill(desk.dovecot, mailbox.user, nonces)
    used, began_s = exact_cpu_seconds([pid]), time.monotonic()
    desk.thaw("mailpoller-1")
    mailbox.wait_cursor(len(nonces), trial.bench.deadline_s)
    used, took_s = exact_cpu_seconds([pid]) - used, time.monotonic() - began_s
    values = [record.json() for record in desk.kafka_records("inbound.email")]
    came = collections.Counter(value["message_id"].partition("@")[0] for value in values
                               if value["mailbox"] == mailbox.id)
    if came != collections.Counter(nonces):
        raise Failure(f"{len(nonces)} mails were published as {len(came)}, {came.total()} in all")
    mailbox.remove()
    return used * 1e6 / len(nonces), len(nonces) / took_s


def read_by_peer(trial, nonces):
    """Microseconds a mail of a script that does the same with imaplib and email."""
    desk = trial.desk
    user, password = desk.dovecot.add_user()
    fill(desk.dovecot, user, nonces)
    words = (trial.bench.peer("plain_mailbox.py"), "localhost", desk.dovecot.tls_port, desk.dovecot.ca_file, user,
             password, trial.bench.kafka, desk.topic("quarantine"), len(nonces))
    done = subprocess.run([sys.executable, *map(str, words)], capture_output=True, text=True, check=False,
                          timeout=300, preexec_fn=lambda: os.sched_setaffinity(0, SYSTEM_CPU))
    if done.returncode != 0:
        raise Failure(f"the peer: {done.stderr.strip()}")
    return json.loads(done.stdout)["cpu_us"] / len(nonces)


def reading(trial):
    """R1: mails that came while nobody looked."""
    count = trial.size(1000)
    pid = trial.start_poller()
    ours, rates, ratios = [], [], []
    for pair in range(trial.pairs + 1):
        nonces = [f"r{pair}x{number}" for number in range(count)]
        spent, rate = read_by_us(trial, pid, nonces)
        peer = read_by_peer(trial, nonces)
        if pair == 0:
            continue  # warm-up
        ours.append(spent)
        rates.append(rate)
        ratios.append(peer / spent)
    trial.report.note(f"R1: {statistics.median(rates):.0f} mails a second from one mailbox, one behind the other")
    trial.report.row("R1", statistics.median(ours), "us_cpu/mail", 10, peer=ratios, goal=25, at_least=True)


# ---- R2


def known(trial, boxes):
    trial.desk.wait(lambda: trial.desk.value(
        "SELECT count(*) FROM mailboxes WHERE uid_validity IS NOT NULL AND id = ANY(%s::uuid[])",
        [box.id for box in boxes]) == len(boxes), 300, f"{len(boxes)} mailboxes to be looked into")


def idle(trial):
    """R2: a connection each, a look every so often; memory for one more, and whether a look costs more among many."""
    count = trial.size(1000)
    desk, looks = trial.desk, 2 if trial.small else 6
    pid = trial.start_poller(max_mailboxes=2 * count, idle_max=2 * count, idle_ms=LOOK_EVERY_MS)
    boxes, points, held = [], [], []
    for size in (count // 10, count):
        boxes += [Mailbox(desk) for _ in range(size - len(boxes))]
        known(trial, boxes)
        used = exact_cpu_seconds([pid])
        time.sleep(looks * LOOK_EVERY_MS / 1000)
        points.append((size, (exact_cpu_seconds([pid]) - used) * 1e6 / looks / size))
        held.append(rss_bytes(pid))
    trial.report.row("R2", (held[1] - held[0]) / KIB / (points[1][0] - points[0][0]), f"KiB/idle_mailbox@{count}", 128,
                     goal=128)
    trial.report.growth("R2_look", "us CPU a look", points, 1.2)
    for box in boxes:
        box.remove()


def looks(trial, boxes):
    """How many there were of all: each claims its mailbox."""
    return trial.desk.value("SELECT sum(fence)::bigint FROM mailboxes WHERE id = ANY(%s::uuid[])", [box.id for box in boxes])


def polled(trial):
    """R2_polled: nobody keeps a connection. What a look costs (a connection, a login, a SELECT), and memory in between."""
    count = trial.size(1000)
    rounds, every_ms = 3, LOOK_EVERY_MS if trial.small else POLL_EVERY_MS
    pid = trial.start_poller(max_mailboxes=100, idle_max=0, poll_every_ms=every_ms)
    boxes, points, held = [], [], []
    for size in (count // 10, count):
        boxes += [Mailbox(trial.desk) for _ in range(size - len(boxes))]
        known(trial, boxes)
        before, used = looks(trial, boxes), exact_cpu_seconds([pid])
        time.sleep(rounds * every_ms / 1000)
        looked, used = looks(trial, boxes) - before, exact_cpu_seconds([pid]) - used
        if looked < rounds * size / 2:
            raise Failure(f"{size} mailboxes were looked into {looked} times in {rounds * every_ms / 1000:.0f} s")
        trial.report.note(f"R2_polled: {looked} looks into {size} mailboxes")
        points.append((size, used * 1e6 / looked))
        held.append(rss_bytes(pid))
    trial.report.row("R2_polled", (held[1] - held[0]) / KIB / (points[1][0] - points[0][0]), f"KiB/polled_mailbox@{count}", 2,
                     goal=2)
    trial.report.row("R2_polled_look", points[1][1], f"us_cpu/look@{count}", points=points)
    for box in boxes:
        box.remove()


# ---- R3


def connections(trial, name, url, servers):
    """How many connections carried the mails that many customers of one mailbox are sent; each came once."""
    desk, count = trial.desk, trial.size(400)
    first = Sender(desk, url, f"file:{desk.folder / 'smtp.secret'}")
    senders = [first] + [Sender(desk, box=SimpleNamespace(address=first.sender)) for _ in range(count - 1)]
    deliveries = [sender.mail() for sender in senders]
    desk.wait(lambda: desk.value("SELECT count(*) FROM deliveries WHERE state = 'sent' AND id = ANY(%s::uuid[])",
                                 deliveries) == count, 300, f"{count} mails to be sent")
    came = servers.mails(name)
    if sorted(mail.about["to"] for mail in came) != sorted([sender.address] for sender in senders):
        raise Failure(f"{count} mails came as {len(came)}")
    return len({mail.about["connection"] for mail in came})


def sending(trial):
    """R3: TLS from the first byte, by libcurl; behind STARTTLS, by libesmtp."""
    desk, count = trial.desk, trial.size(400)
    desk.stop()
    desk.prepare()
    user = "desk@clinic.example"
    servers = smtp.Faults(trial.root / "smtp", kept=f"tls;user:{user}:s3cret", fresh=f"starttls;user:{user}:s3cret")
    give_file(desk.folder / "smtp.secret", "s3cret")
    try:
        mail_responders(desk, mail_ca_file=str(servers.ca), **PRODUCTION["responder"])
        mark = user.replace("@", "%40")
        kept = connections(trial, "kept", f"smtps://{mark}@localhost:{servers.ports['kept']}", servers)
        fresh = connections(trial, "fresh", f"smtp://{mark}@localhost:{servers.ports['fresh']}", servers)
    finally:
        desk.stop()
        servers.stop()
    trial.report.row("R3", count / kept, "mails/connection_tls", 10, goal=50, at_least=True, connections=kept)
    trial.report.row("R3_starttls", count / fresh, "mails/connection_starttls", connections=fresh)


GROUPS = ((("R1",), reading), (("R2",), idle), (("R2_polled",), polled), (("R3",), sending))
ROWS = tuple(row for rows, _ in GROUPS for row in rows)


def run(servers, root, report, wanted, small, is_long):
    """The wanted rows."""
    run_groups(MailTrial(servers, root, report, wanted, small, is_long), GROUPS)
