"""A poller that is stopped with a mail in hand, while another one adopts its mailbox and reads on: what it still had to
write when it wakes changes nothing, no mail is read twice and none is lost.
"""

import os

from harness.stops import FREEZE
from mailing import Mailbox, mail, pollers, server

LONG = os.environ.get("FRONTDESK_LONG") == "1"
HALF_A_BATCH = "text " * 130000  # two of them are not fetched together


def freeze_at(desk, mailbox, point, *mails):
    """mailpoller-1 stops at the point, with the first of the mails in hand."""
    stop = desk.stops.arm(point, action=FREEZE, match=mailbox.id)
    mailbox.deliver(*mails)
    desk.wait(lambda: stop.hits, 20, f"the stop point {point}")


def adopt(desk, mailbox):
    """Another poller comes, and has the mailbox."""
    before = mailbox.row()
    desk.add("mailpoller", 2, {"mailpoller": {
        "mail_ca_file": server(desk).ca_file, "mail_networks": "127.0.0.0/8,::1/128"}})
    desk.services["mailpoller-2"].wait_ready()
    desk.wait(lambda: mailbox.row().fence > before.fence, 20, lambda: f"the adoption: {mailbox.row()}")
    assert mailbox.row().worker not in (None, before.worker)


def everything_of(mailbox):
    return mailbox.desk.value("SELECT to_jsonb(m)::text FROM mailboxes m WHERE id = %s", mailbox.id)


def thaw(desk, mailbox):
    """The first one wakes, knows that it is lost, and has nothing in hand or on its way any more; it has changed nothing."""
    if LONG:
        desk.settled(60, lambda: everything_of(mailbox), 90)
    before = everything_of(mailbox)
    desk.thaw("mailpoller-1")
    desk.wait(lambda: any(line["event"] == "worker.lost" for line in desk.log("mailpoller-1")), 20, "that it is lost")
    desk.wait(lambda: desk.services["mailpoller-1"].metrics()["frontdesk_mailboxes_in_hand"] == 0, 20, "its hands to be empty")
    assert everything_of(mailbox) == before


def read_on(desk, mailbox, fault, *subjects):
    """The first poller takes the mailbox up anew when the other one ends, and nothing is missing or doubled."""
    assert desk.terminate("mailpoller-2") == 0
    mailbox.deliver(mail("last", "text"))
    desk.wait(lambda: any(event.value["subject"] == "last" for event in mailbox.events()), 20, "the next mail")
    mailbox.tell(fault, *subjects, "last")
    by_id = {}
    for event in mailbox.events():
        assert by_id.setdefault(event.id, event.value) == event.value, "one id, two contents"
    contents = {value["content_hash"]: value["subject"] for value in by_id.values()}
    assert sorted(contents.values()) == sorted([*subjects, "last"]), contents
    assert mailbox.skips() == [] and mailbox.row().failures == 0
    mailbox.remove()


def test_a_frozen_poller_moves_no_cursor(desk):
    """Its mail is published, and the cursor that it is about to keep is one of UIDs that are void by now."""
    pollers(desk)
    mailbox = Mailbox(desk)
    mailbox.wait_cursor(0)
    mailbox.deliver(mail("zero", "text"))
    mailbox.wait_cursor(1)
    freeze_at(desk, mailbox, "mailpoller.published", mail("one", "text"))
    fresh = mailbox.dovecot.renumber(mailbox.user)
    mailbox.deliver(mail("two", "text"))
    adopt(desk, mailbox)
    desk.wait(lambda: mailbox.row().uid_validity == fresh and mailbox.row().since_at is None, 20, "the end of the rescan")
    mailbox.wait_cursor(3)
    thaw(desk, mailbox)
    read_on(desk, mailbox, "poller frozen before its cursor, UIDVALIDITY changes", "zero", "one", "two")


test_a_frozen_poller_moves_no_cursor.deadline_s = 240


def test_a_frozen_poller_begins_no_mail(desk):
    """Its first mail is done, and the second one, which it is about to begin, is the other's and done as well: it must
    not stand in the row as begun."""
    pollers(desk)
    mailbox = Mailbox(desk)
    mailbox.wait_cursor(0)
    freeze_at(desk, mailbox, "mailpoller.moved", mail("one", HALF_A_BATCH), mail("two", HALF_A_BATCH))
    assert mailbox.row().last_uid == 1
    adopt(desk, mailbox)
    mailbox.wait_cursor(2)
    thaw(desk, mailbox)
    read_on(desk, mailbox, "poller frozen between two mails", "one", "two")


test_a_frozen_poller_begins_no_mail.deadline_s = 240


def test_a_frozen_poller_drops_what_it_fetched(desk):
    """Its mail is read, and not published yet. Whether it still publishes it, under the same id, or not: the other has
    it, and what came behind it."""
    pollers(desk)
    mailbox = Mailbox(desk)
    mailbox.wait_cursor(0)
    freeze_at(desk, mailbox, "mailpoller.fetched", mail("one", "text"))
    mailbox.deliver(mail("two", "text"))
    adopt(desk, mailbox)
    mailbox.wait_cursor(2)
    thaw(desk, mailbox)
    read_on(desk, mailbox, "poller frozen with a fetched mail", "one", "two")


test_a_frozen_poller_drops_what_it_fetched.deadline_s = 240
