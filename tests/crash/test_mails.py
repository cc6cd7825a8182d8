"""Mails through everything while whoever is at a stop point dies there: each is answered once, in its thread, and so is
the next one.
"""

from harness.stops import KILL
from mails import Mailbox, Writer, answers, revive, settled, tell, thread_of, up

SHARE = True
DEADLINE_S = 120


def survive(desk, point, kind, copies=1):
    """Whoever is at the point dies there: the mail is answered once all the same, and so is the next one of the thread."""
    up(desk)
    ann = Writer(Mailbox(desk))
    stop = desk.stops.arm(point, action=KILL)
    first = ann.write("a question")
    desk.wait(lambda: stop.hits, 30, f"the stop point {point}")
    reply, = ann.wait_mails(1, deadline_s=60)
    second = ann.reply_to(reply, "one more")
    mails = ann.wait_mails(2, deadline_s=60)
    assert answers(mails) == [first, second] and thread_of(mails) == {reply["In-Reply-To"]}
    came = settled(desk, ann)
    tell(f"{kind} killed at {point}", [first, second], came)
    assert len(came) == 2 and ann.copies() <= 2 + copies - 1
    assert len(ann.sessions()) == 1
    assert [name for name in desk.services if not desk.services[name].alive()][0].startswith(kind)
    revive(desk)


def test_mailpoller_dies_behind_the_fetch(desk):
    survive(desk, "mailpoller.fetched", "mailpoller")


def test_mailpoller_dies_before_the_record(desk):
    survive(desk, "mailpoller.stored", "mailpoller")


def test_mailpoller_dies_behind_the_record(desk):
    survive(desk, "mailpoller.published", "mailpoller")


def test_mailpoller_dies_behind_the_cursor(desk):
    survive(desk, "mailpoller.moved", "mailpoller")


def test_engine_dies_behind_the_claim(desk):
    survive(desk, "engine.claimed", "engine")


def test_engine_dies_before_the_commit(desk):
    survive(desk, "engine.committing", "engine")


def test_engine_dies_behind_the_commit(desk):
    survive(desk, "engine.committed", "engine")


def test_responder_dies_before_the_first_byte(desk):
    survive(desk, "responder.sending", "responder")


def test_responder_dies_behind_the_answer(desk):
    """Nobody knows what the server said: the same mail once more, which the customer's program shows once."""
    survive(desk, "responder.answered", "responder", copies=2)
