"""The mailpoller killed at each step between fetch and cursor: the mail is published under one id, its
attachments are kept once, and the next mail follows.
"""

import uuid

from mailing import Mailbox, mail, pollers
from test_mailpoller import with_file


def survive(desk, point):
    pollers(desk)
    mailbox = Mailbox(desk)
    mailbox.wait_cursor(0)
    stop = desk.stops.arm(point)
    mailbox.deliver(with_file("a.png", uuid.uuid4().bytes), mail("next", "one"))
    desk.wait(lambda: stop.hits, 20, f"the stop point {point}")
    desk.wait(lambda: not desk.services["mailpoller-1"].alive(), 10, "its end")
    desk.revive(("mailpoller",))
    mailbox.wait_cursor(2, 30)
    events = mailbox.events()
    assert {event.value["uid"] for event in events} == {1, 2}, events
    by_id = {event.id: event.value for event in events}
    assert len(by_id) == 2, "one mail under two ids"
    for event in events:
        assert event.value == by_id[event.id], "one id, two contents"
    first = next(event for event in events if event.value["uid"] == 1)
    assert desk.value("SELECT count(*) FROM attachments WHERE event_id = %s", first.id) == 1
    mailbox.tell(f"poller killed at {point}", "a picture", "next")
    assert mailbox.skips() == []
    mailbox.remove()
    return events


def test_dies_before_the_fetch(desk):
    assert len(survive(desk, "mailpoller.begun")) == 2


def test_dies_after_the_fetch(desk):
    assert len(survive(desk, "mailpoller.fetched")) == 2


def test_dies_after_the_attachments(desk):
    assert len(survive(desk, "mailpoller.stored")) == 2


def test_dies_after_publishing(desk):
    assert len(survive(desk, "mailpoller.published")) in (3, 4)  # the same events again, one or both


def test_dies_after_the_cursor(desk):
    assert len(survive(desk, "mailpoller.moved")) == 2


def test_a_mail_that_kills_is_passed_by(desk):
    """Three times is enough: it is listed for a person, and the others come."""
    pollers(desk)
    mailbox = Mailbox(desk)
    mailbox.wait_cursor(0)
    stop = desk.stops.arm("mailpoller.fetched", times=3, match=":1")
    mailbox.deliver(mail("deadly", "text"))
    for time in range(1, 4):
        desk.wait(lambda: stop.hits == time, 30, f"death {time}")
        desk.wait(lambda: not desk.services["mailpoller-1"].alive(), 10, "its end")
        desk.revive(("mailpoller",))
    mailbox.wait_cursor(1, 30)
    assert mailbox.skips() == [(1, "too_often")] and mailbox.events() == []
    mailbox.deliver(mail("harmless", "text"))
    mailbox.wait_events(1)
    mailbox.tell("a mail that kills its poller three times", "deadly", "harmless", told=["deadly"])
    mailbox.remove()


test_a_mail_that_kills_is_passed_by.deadline_s = 120
