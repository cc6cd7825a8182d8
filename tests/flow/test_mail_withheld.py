"""A mail server that lists mails and does not give them: none is lost without a row that says so, none holds up those
behind it, and the server is not asked without end.
"""

from collections import Counter

from mailing import Mailbox, mail, pollers, server
from operating import good
from withholding import QUICK, Withholder, failures, looks, mails, several, waiting

DEADLINE_S = 90


def listed(desk, mailbox):
    return next(row for row in good(desk, "mailbox", "list", "--json").json() if row["address"] == mailbox.address)


def end(mailbox, way):
    mailbox.remove()
    way.stop()


def test_mails_that_are_listed_and_not_told_are_passed_by(desk):
    """In the middle, two in a row, and as the last one; each with a bounded number of tries."""
    hidden = {2, 3, 5}
    mailbox, way = waiting(desk, *"abcde", hide=lambda command, uid: looks(command) and uid in hidden)
    mailbox.wait_cursor(5, 30)
    assert mailbox.skips() == [(uid, "unreadable") for uid in sorted(hidden)]
    assert {event.value["uid"] for event in mailbox.events()} == {1, 4}
    mailbox.tell("mails listed and not told", *"abcde", told="bce")
    assert failures(desk, mailbox) == ["mailbox.withheld"] * 4  # two pauses for 2 and 3, two for 5
    asked = Counter(command.split()[2] for command in way.asked if looks(command))
    # Twice in each of three sessions; and before each second and third try others, until one is told.
    assert asked == {"1:5": 1, "2:5": 6, "4:5": 1, "5": 6 + 1, "4": 1 + 1 + 1, "3": 1, "2": 1, "1": 1}, asked
    row = listed(desk, mailbox)
    assert (row["skipped"], row["said"], row["error_code"]) == (3, "3 mails were passed by", None)
    desk.restart("mailpoller-1")
    mailbox.deliver(mail("f", "text"))
    mailbox.wait_cursor(6)
    assert len(mailbox.skips()) == 3 and mailbox.events()[-1].value["subject"] == "f"
    end(mailbox, way)


def test_a_mail_that_is_told_and_does_not_come_is_passed_by(desk):
    """The last try asks for the beginning alone."""
    mailbox, way = waiting(desk, *"abc", hide=lambda command, uid: mails(command) and uid == 2)
    mailbox.wait_cursor(3, 30)
    assert mailbox.skips() == [(2, "unreadable")]
    assert {event.value["uid"] for event in mailbox.events()} == {1, 3}
    mailbox.tell("a mail told and not given", *"abc", told="b")
    alone = [command for command, _ in way.hidden if not several(command)]
    assert 3 <= len(alone) <= 6 and "BODY.PEEK[HEADER]" in alone[-1], way.hidden
    assert set(failures(desk, mailbox)) == {"mailbox.withheld"} and len(failures(desk, mailbox)) <= 2
    end(mailbox, way)


def test_the_owner_sees_that_a_mail_is_withheld(desk):
    """While it is tried, as any other failure."""
    pollers(desk, retry_ms=600000, retry_max_ms=600000)
    way = Withholder(server(desk), lambda command, uid: looks(command))
    mailbox = Mailbox(desk, port=way.port)
    mailbox.wait_cursor(0)
    mailbox.deliver(mail("a", "text"))
    desk.wait(lambda: listed(desk, mailbox)["state"] == "failing", 20, lambda: f"failing: {listed(desk, mailbox)}")
    row = listed(desk, mailbox)
    assert row["error_code"] == "mailbox.withheld" and "lists the mail with UID 1" in row["said"], row
    assert mailbox.skips() == [] and mailbox.row().last_uid == 0
    end(mailbox, way)


def test_a_mail_that_is_told_late_is_read(desk):
    times = []

    def hide(command, uid):
        times.append(uid)
        return looks(command) and len(times) <= 3

    mailbox, way = waiting(desk, "late", hide=hide)
    mailbox.wait_cursor(1, 30)
    assert len(way.hidden) == 3 and failures(desk, mailbox) == ["mailbox.withheld"]
    assert mailbox.skips() == [] and [event.value["subject"] for event in mailbox.events()] == ["late"]
    mailbox.tell("a mail listed and told late", "late")
    end(mailbox, way)


def test_a_young_mail_has_tries_of_its_own(desk):
    """It came before the last try of an older one, and is not told then either: that one alone is passed by, as one behind both
    is told."""
    told = {1, 5}
    mailbox, way = waiting(desk, "first", "old", "as old", config={**QUICK, "retry_ms": 600000, "retry_max_ms": 600000},
                           hide=lambda command, uid: looks(command) and uid not in told)

    def again():
        desk.sql("UPDATE mailboxes SET due_at = clock_timestamp() WHERE id = %s", mailbox.id)

    for time in (1, 2):
        desk.wait(lambda: mailbox.row().failures == time, 20, lambda: f"failure {time}: {mailbox.row()}")
        if time == 2:
            mailbox.deliver(mail("young", "text"), mail("younger", "text"))
        again()
    mailbox.wait_cursor(3)
    desk.wait(lambda: mailbox.row().failures == 1, 20, lambda: f"its own failure: {mailbox.row()}")
    assert mailbox.skips() == [(2, "unreadable"), (3, "unreadable")]
    told.add(4)
    again()
    mailbox.wait_cursor(5)
    assert [event.value["subject"] for event in mailbox.events()] == ["first", "young", "younger"]
    assert len(mailbox.skips()) == 2
    mailbox.tell("a young mail told late, behind two never told", "first", "old", "as old", "young", "younger",
                 told=["old", "as old"])
    end(mailbox, way)


def test_a_mail_that_is_gone_at_the_next_look_leaves_no_row(desk):
    """It was withheld, and then somebody removed it."""
    def hide(command, uid):
        if looks(command) and uid == 1 and not way.hidden:
            server(desk).expunge(mailbox.user, 1)
            return True
        return False

    mailbox, way = waiting(desk, "gone", "stays", hide=hide)
    mailbox.wait_cursor(2, 30)
    assert mailbox.skips() == [] and [event.value["subject"] for event in mailbox.events()] == ["stays"]
    end(mailbox, way)


def test_a_mail_that_is_left_out_of_several_is_asked_for_alone(desk):
    """And comes then; a server may be short of memory for all of them."""
    mailbox, way = waiting(desk, *"abcd", hide=lambda command, uid: mails(command) and several(command) and uid in (1, 3))
    mailbox.wait_cursor(4, 30)
    assert {event.value["subject"] for event in mailbox.events()} == set("abcd")
    assert mailbox.skips() == [] and failures(desk, mailbox) == []
    given = [command for command in way.asked if command.startswith("UID")]
    assert [given[given.index(f"UID FETCH {uid}:4 (UID BODY.PEEK[])") + 1] for uid in (1, 3)] == [
        f"UID FETCH {uid} (UID BODY.PEEK[])" for uid in (1, 3)], given
    mailbox.tell("mails left out of several", *"abcd")
    end(mailbox, way)
