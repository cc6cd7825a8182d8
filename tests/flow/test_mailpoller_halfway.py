"""Several mails that are on their way from the server: the mailpoller dies or freezes in the middle of one of them, and
somebody removes some before they have come. None of those that stay is lost or comes twice.
"""

import re

from mailing import server
from test_mailpoller_frozen import adopt, read_on, thaw
from withholding import failures, mails, several, waiting

DEADLINE_S = 90
NAMES = "abcde"


def in_the_middle(desk):
    """mailpoller-1 has the first of five mails, which it fetches together, and half of the second one."""
    mailbox, way = waiting(desk, *NAMES, halfway=lambda command, response: mails(command) and several(command)
                           and re.match(rb"\* \d+ FETCH \(UID 2 .*\{\d+\}\r\n", response))
    desk.wait(way.held.is_set, 20, "half of a mail")
    assert mailbox.row().trying_uid == 1 and mailbox.row().last_uid == 0
    return mailbox, way


def test_dies_in_the_middle_of_a_mail(desk):
    mailbox, way = in_the_middle(desk)
    desk.kill("mailpoller-1")
    way.let_go.set()
    desk.revive(("mailpoller",))
    mailbox.wait_cursor(len(NAMES), 30)
    mailbox.tell("poller killed in the middle of a mail that comes", *NAMES)
    assert [event.value["uid"] for event in mailbox.events()] == [1, 2, 3, 4, 5] and mailbox.skips() == []
    mailbox.remove()
    desk.terminate("mailpoller-1")
    way.stop()


def test_freezes_in_the_middle_of_a_mail(desk):
    """Another one has all of them meanwhile; the rest of the answer is there when it wakes."""
    mailbox, way = in_the_middle(desk)
    desk.freeze("mailpoller-1")
    adopt(desk, mailbox)
    mailbox.wait_cursor(len(NAMES))
    way.let_go.set()
    thaw(desk, mailbox)
    read_on(desk, mailbox, "poller frozen in the middle of a mail that comes", *NAMES)
    desk.terminate("mailpoller-1")
    way.stop()


test_freezes_in_the_middle_of_a_mail.deadline_s = 240


def test_mails_are_removed_while_several_are_fetched(desk):
    """Dovecot has said that they are there, was asked for them with others, and has sent the first."""
    removed = []

    def between():
        for uid in (3, 5):
            server(desk).expunge(mailbox.user, uid)
            removed.append(uid)

    mailbox, way = waiting(desk, *NAMES, between=between)
    mailbox.wait_cursor(len(NAMES), 30)
    assert removed == [3, 5] and "UID FETCH 1:5 (UID BODY.PEEK[])" in way.asked, way.asked
    mailbox.tell("mails removed while they are fetched", *"abd")
    assert {event.value["uid"] for event in mailbox.events()} == {1, 2, 4}
    assert mailbox.skips() == [] and failures(desk, mailbox) == []
    mailbox.remove()
    desk.terminate("mailpoller-1")
    way.stop()
