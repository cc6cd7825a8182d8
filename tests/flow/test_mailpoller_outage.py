"""The mailpoller without Kafka and without PostgreSQL: the cursor stands until a mail is safe, and
everything goes on by itself.
"""

import os
import signal
import uuid
from contextlib import contextmanager

from harness.stops import FREEZE
from mailboxes import TokenBox
from mailing import Mailbox, mail, pollers
from test_mailpoller import with_file

OWN_SERVERS = True
DEADLINE_S = 120
RESTARTS = 5  # more than a mail may be tried


def test_kafka_is_away(desk):
    pollers(desk)
    mailbox = Mailbox(desk)
    mailbox.wait_cursor(0)
    mailbox.deliver(mail("before", "text"))
    mailbox.wait_cursor(1)
    desk.servers.kafka.kill()
    mailbox.deliver(mail("meanwhile", "text"))
    desk.wait(lambda: mailbox.row().trying_uid == 2, 20, "the mail in hand")
    desk.wait(lambda: not desk.services["mailpoller-1"].ready(), 60, "that it is not ready")
    assert mailbox.row().last_uid == 1
    desk.servers.kafka.start()
    mailbox.wait_cursor(2, 60)
    mailbox.deliver(mail("after", "text"))
    mailbox.wait_cursor(3)
    assert {event.value["subject"] for event in mailbox.events()} == {"before", "meanwhile", "after"}
    mailbox.tell("Kafka away for a while", "before", "meanwhile", "after")
    desk.wait(desk.services["mailpoller-1"].ready, 20, "that it is ready again")


def test_postgres_is_away(desk):
    pollers(desk)
    mailbox = Mailbox(desk)
    mailbox.wait_cursor(0)
    desk.servers.postgres.kill()
    mailbox.deliver(mail("meanwhile", "text"))
    desk.wait(lambda: any(line["event"] in ("mailbox.unit_failed", "poll.failed")
                          for line in desk.log("mailpoller-1")), 20, "a unit that fails")
    desk.servers.postgres.start()
    mailbox.wait_cursor(1, 60)
    assert len({event.id for event in mailbox.events()}) == 1
    mailbox.tell("PostgreSQL away for a while", "meanwhile")


def test_a_mail_outlives_restarts(desk):
    """Pollers are stopped as an update stops them, one after the other, while Kafka is silent and the mail stays in hand:
    it is not the mail that ended them."""
    pollers(desk, drain_ms=9000)
    mailbox = Mailbox(desk)
    mailbox.wait_cursor(0)
    begun = desk.stops.watch("mailpoller.stored")
    with silent_kafka(desk):
        mailbox.deliver(mail("meanwhile", "text"))
        for time in range(1, RESTARTS + 1):
            desk.wait(lambda: begun.passed == time, 30, f"the mail in hand {time}")
            assert desk.terminate("mailpoller-1") == 0
            assert mailbox.row().worker is None and tries(mailbox) == 0
            desk.services["mailpoller-1"].start()
    mailbox.wait_cursor(1, 60)
    assert len({event.id for event in mailbox.events()}) == 1 and mailbox.skips() == []
    mailbox.tell("pollers stopped one after the other, Kafka silent", "meanwhile")
    mailbox.remove()


test_a_mail_outlives_restarts.deadline_s = 240


def test_a_mail_outlives_the_database(desk):
    """PostgreSQL dies more often than a mail may be tried, each time with the mail in hand."""
    pollers(desk)
    mailbox = Mailbox(desk)
    mailbox.wait_cursor(0)
    stop = desk.stops.arm("mailpoller.fetched", action=FREEZE, times=RESTARTS)
    mailbox.deliver(with_file("a.png", uuid.uuid4().bytes))
    for time in range(1, RESTARTS + 1):
        desk.wait(lambda: stop.hits == time, 40, f"the mail in hand {time}")
        desk.servers.postgres.kill()
        desk.thaw("mailpoller-1")
        desk.wait(lambda: failed_units(desk, mailbox) >= time, 30, "a unit that fails")
        desk.servers.postgres.start()
    mailbox.wait_cursor(1, 60)
    assert len(mailbox.events()) == 1 and mailbox.skips() == []
    mailbox.tell("PostgreSQL away again and again", "a picture")
    mailbox.remove()


test_a_mail_outlives_the_database.deadline_s = 240


def test_a_drain_outlives_the_database(desk):
    """A poller is stopped while PostgreSQL is away with a mail in hand: when it is back within the drain, it is told that
    the mail ended nobody."""
    pollers(desk, drain_ms=120000)
    mailbox = Mailbox(desk)
    mailbox.wait_cursor(0)
    stop = desk.stops.arm("mailpoller.fetched", action=FREEZE)
    mailbox.deliver(with_file("a.png", uuid.uuid4().bytes))
    desk.wait(lambda: stop.hits, 40, "the mail in hand")
    desk.servers.postgres.kill()
    poller = desk.services["mailpoller-1"]
    os.kill(poller.pid, signal.SIGTERM)
    desk.thaw("mailpoller-1")
    desk.wait(lambda: any(line["event"] == "worker.not_retired" for line in desk.log("mailpoller-1")), 30,
              "a try to say so")
    desk.servers.postgres.start()
    desk.wait(lambda: not poller.alive(), 40, "the end of the drain")
    assert tries(mailbox) == 0
    poller.start()
    mailbox.wait_cursor(1, 60)
    assert len(mailbox.events()) == 1 and mailbox.skips() == []
    mailbox.remove()


test_a_drain_outlives_the_database.deadline_s = 240


def test_a_mail_outlives_lost_leases(desk):
    """Two pollers are cut off in turn, and each takes the mail over from the other: both live, and say so when they are
    back."""
    pollers(desk, 2)
    mailbox = Mailbox(desk)
    mailbox.wait_cursor(0)
    begun = desk.stops.watch("mailpoller.stored")
    with silent_kafka(desk):
        mailbox.deliver(mail("meanwhile", "text"))
        desk.wait(lambda: begun.passed == 1, 30, "the mail in hand")
        for time in range(2, RESTARTS + 2):
            name = holder(desk, mailbox)
            desk.freeze(name)
            desk.wait(lambda: begun.passed == time, 40, f"the mail in the other's hand {time}")
            desk.thaw(name)
            desk.wait(lambda: tries(mailbox) == 1, 30, "that it is told who lives")
    mailbox.wait_cursor(1, 60)
    assert len({event.id for event in mailbox.events()}) == 1 and mailbox.skips() == []
    mailbox.tell("two pollers lose their leases in turn", "meanwhile")
    mailbox.remove()


test_a_mail_outlives_lost_leases.deadline_s = 240


@contextmanager
def silent_kafka(desk):
    desk.servers.kafka.freeze()
    try:
        yield
    finally:
        desk.servers.kafka.thaw()


def tries(mailbox):
    return mailbox.desk.value("SELECT cardinality(tried_by) FROM mailboxes WHERE id = %s", mailbox.id)


def failed_units(desk, mailbox):
    return sum(line["event"] == "mailbox.unit_failed" and line["mailbox"] == mailbox.id
               for line in desk.log("mailpoller-1"))


def holder(desk, mailbox):
    """The poller whose worker has it."""
    worker = str(mailbox.row().worker)
    for name in ("mailpoller-1", "mailpoller-2"):
        if any(line["event"] == "worker.registered" and line["worker"] == worker for line in desk.log(name)):
            return name
    raise AssertionError(f"nobody is worker {worker}")


def test_a_new_refresh_token_outlives_the_database(desk):
    """The endpoint voids the old refresh token with its answer, PostgreSQL dies before the new one is kept, and the
    process with its memory ends soon after: nobody has to log in anew."""
    box = TokenBox(desk, life_s=3, rotate=True)
    box.add()
    version = "(SELECT version FROM mail_credentials c WHERE c.mailbox_id = mailboxes.id AND c.way = 'in')"
    first = box.column(version)
    pollers(desk, mail_ca_file=box.ca_file)
    desk.wait(lambda: box.column(version) == first + 1, 20, "the first new token")
    desk.wait(lambda: box.listed()["state"] == "reading", 20, "the first login")
    desk.settled(3, lambda: 0)  # the access token's life
    fence, asked = box.column("fence"), len(box.bought())
    box.tokens.process.send_signal(signal.SIGSTOP)
    box.dovecot.kill()
    box.dovecot.start()
    desk.wait(lambda: box.column("fence") > fence, 20, "the next claim, which asks for a token")
    desk.servers.postgres.kill()
    box.tokens.process.send_signal(signal.SIGCONT)
    desk.wait(lambda: len(box.bought()) > asked, 20, "the second new token")
    desk.wait(lambda: any(line["event"].startswith("mailbox.token_") and line["level"] != "info"
                          for line in desk.log("mailpoller-1")), 30, "a try to keep it that fails")
    desk.servers.postgres.start()
    desk.wait(lambda: box.column(version) == first + 2, 30, lambda: f"the token to be kept: {box.bought()}")
    desk.restart("mailpoller-1")
    box.read(1, "first")
    assert set(box.bought()) == {200} and box.column("paused_at") is None
    box.remove()
