"""A mail server that lies about a mail: its size, or how many of its bytes come. The mail is read, if need be in part, and so
are those beside it. What came whole although it was asked for in part is not said to be cut.
"""

import re

from mailing import mail, pollers
from test_mailpoller import with_file
from withholding import PATIENCE, QUICK, failures, looks, mails, waiting

DEADLINE_S = 120
FILM_BYTES = 20 * 1024 * 1024  # 27 MB in base64: more than is taken of a mail
SIZE = re.compile(rb"RFC822\.SIZE \d+")


def is_of(response, uid):
    return re.match(rb"\* \d+ FETCH \(UID %d " % uid, response)


def told(uid, size):
    """This is told as the size of the mail."""
    def change(command, response):
        return SIZE.sub(b"RFC822.SIZE %d" % size, response) if looks(command) and is_of(response, uid) else response
    return change


def whole(uid, into):
    """This becomes of the mail as it is fetched whole; `into` takes its literal's head, its bytes and what is behind."""
    def change(command, response):
        if not mails(command) or "BODY.PEEK[HEADER]" in command or not is_of(response, uid):
            return response
        head, length, rest = re.match(rb"(.*?)\{(\d+)\}\r\n(.*)$", response, re.DOTALL).groups()
        return head + into(int(length), rest[:int(length)], rest[int(length):])
    return change


def read(desk, fault, change, cut, *middle, **config):
    """Three mails, of which the second one is lied about: all are read. Returns the failures on the way."""
    mailbox, way = waiting(desk, "a", config={**QUICK, **config}, change=change)
    mailbox.wait_cursor(1)
    desk.terminate("mailpoller-1")
    mailbox.deliver(*(middle or [mail("b", "text")]), mail("c", "text"))
    pollers(desk, **QUICK, **config)
    mailbox.wait_cursor(3, 60)
    by_uid = {event.value["uid"]: event.value for event in mailbox.events()}
    assert mailbox.skips() == [] and {uid: value.get("cut", False) for uid, value in by_uid.items()} == {
        1: False, 2: cut, 3: False}
    assert any("BODY.PEEK[HEADER]" in command for command in way.asked)
    mailbox.tell(fault, *(by_uid[uid]["subject"] for uid in (1, 2, 3)))
    came = failures(desk, mailbox)
    mailbox.remove()
    desk.terminate("mailpoller-1")
    way.stop()
    return came


def test_a_large_mail_that_is_told_as_small(desk):
    """More comes than is taken of one mail: twice whole, then in part, like any large one."""
    came = read(desk, "a mail of 27 MB told as 10 bytes", told(2, 10), True, with_file("film.png", bytes(FILM_BYTES)))
    assert came == ["imap.literal"] * 2


def test_a_small_mail_that_is_told_as_large(desk):
    assert read(desk, "a small mail told as 1 GB", told(2, 1 << 30), True) == []


def test_a_literal_that_ends_too_early(desk):
    """The server says no more, as it has said all."""
    came = read(desk, "a literal that is cut", whole(2, lambda length, data, rest: b"{%d}\r\n" % (length + 9000) + data + rest), False,
                **PATIENCE)
    assert came == ["imap.timeout"] * 2


def test_a_literal_that_goes_on(desk):
    """What is behind it is no answer."""
    came = read(desk, "a literal with more behind it", whole(2, lambda length, data, rest: b"{10}\r\n" + data + rest), False)
    assert set(came) <= {"imap.syntax", "imap.line", "imap.literal", "imap.protocol", "imap.timeout"}, came
