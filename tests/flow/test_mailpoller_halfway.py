"""Several mails that are on their way from the server: the mailpoller dies or freezes in the middle of one of them. None is
lost or comes twice.
"""

import re

from test_mailpoller_frozen import adopt, read_on, thaw
from withholding import mails, several, waiting

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
