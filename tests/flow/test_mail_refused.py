"""A mail server that refuses a mail, ends the session for it or says no more: the mail is tried in three sessions and listed
for a person, also if the mailpoller ends in between, and those behind it are read. What is the server's trouble and not
the mail's counts against none.
"""

import re

from mailing import server
from operating import good
from withholding import PATIENCE, QUICK, SILENCE, asks_for, failures, looks, mails, several, waiting

DEADLINE_S = 120
TRIES = 3
BAD_MAIL = 3


def end(mailbox, way):
    """The next mailbox has another poller."""
    mailbox.remove()
    mailbox.desk.terminate("mailpoller-1")
    way.stop()


def passed_by(mailbox, way, reason, fault):
    """All of five mails are read but the third, which is listed."""
    mailbox.wait_cursor(5, 30)
    assert mailbox.skips() == [(BAD_MAIL, reason)]
    assert {event.value["uid"] for event in mailbox.events()} == {1, 2, 4, 5}
    mailbox.tell(fault, *"abcde", told="c")
    row = next(row for row in good(mailbox.desk, "mailbox", "list", "--json").json() if row["address"] == mailbox.address)
    assert (row["skipped"], row["error_code"]) == (1, None), row
    end(mailbox, way)


def alone(way):
    return [command for command in way.meddled if not several(command)]


def refuse(asks, words, uid=BAD_MAIL):
    return lambda command: words if asks(command) and asks_for(command, uid) else None


def test_a_mail_that_is_refused_is_passed_by(desk):
    """What it is refused with says nothing, or that the server has a bug: what Dovecot says of a mail that it cannot read."""
    for words in ("NO [SERVERBUG] Internal error occurred.", "NO System Error (Failure)", "BAD Error in IMAP command"):
        mailbox, way = waiting(desk, *"abcde", instead=refuse(mails, words))
        passed_by(mailbox, way, "unreadable", f"a mail refused: {words}")
        assert failures(desk, mailbox) == ["mailbox.withheld"] * (TRIES - 1)
        assert TRIES <= len(alone(way)) <= 2 * TRIES and "BODY.PEEK[HEADER]" in alone(way)[-1], way.meddled


def test_a_mail_of_which_the_server_refuses_to_tell_is_passed_by(desk):
    mailbox, way = waiting(desk, *"abcde", instead=refuse(looks, "NO [SERVERBUG] Internal error occurred."))
    passed_by(mailbox, way, "unreadable", "a look refused")
    assert failures(desk, mailbox) == ["mailbox.withheld"] * (TRIES - 1)
    assert len(alone(way)) == 2 * TRIES, way.meddled  # twice in each of three sessions


def test_a_mail_among_many_of_which_the_server_refuses_to_tell(desk):
    """It is found by halves: not each of the others is asked for alone."""
    names = [f"mail {uid}" for uid in range(1, 65)]
    mailbox, way = waiting(desk, *names, instead=refuse(looks, "NO [SERVERBUG] Internal error occurred.", 33))
    mailbox.wait_cursor(64, 60)
    assert mailbox.skips() == [(33, "unreadable")]
    mailbox.tell("a look refused for one of 64", *names, told=["mail 33"])
    asked = [command.split()[2] for command in way.asked if looks(command)]
    assert len(asked) <= 36, asked
    end(mailbox, way)


def test_a_refused_mail_that_is_gone_leaves_no_row(desk):
    def instead(command):
        if mails(command) and asks_for(command, 1) and not way.meddled:
            server(desk).expunge(mailbox.user, 1)
            return "NO [EXPUNGEISSUED] Some of the messages no longer exist."
        return None

    mailbox, way = waiting(desk, "gone", "stays", instead=instead)
    mailbox.wait_cursor(2, 30)
    assert mailbox.skips() == [] and failures(desk, mailbox) == []
    assert [event.value["subject"] for event in mailbox.events()] == ["stays"]
    end(mailbox, way)


def test_the_owner_sees_with_what_a_mail_is_refused(desk):
    mailbox, way = waiting(desk, "a", config={**QUICK, "retry_ms": 600000, "retry_max_ms": 600000},
                           instead=lambda command: "NO [SERVERBUG] no" if mails(command) else None)
    desk.wait(lambda: mailbox.row().last_error, 20, "the failure")
    assert mailbox.row().last_error == ("mailbox.withheld: the mail server lists the mail with UID 1 and does not give it"
                                        " (SERVERBUG)")
    end(mailbox, way)


def test_a_mail_for_which_the_server_ends_the_session_is_passed_by(desk):
    """It says BYE, also that it has a bug, or nothing any more."""
    for words in ("* BYE Internal error", "* BYE [SERVERBUG] Internal error occurred.", SILENCE):
        mailbox, way = waiting(desk, *"abcde", config={**QUICK, **PATIENCE}, instead=refuse(mails, words))
        passed_by(mailbox, way, "too_often", f"a mail that ends its session: {words or 'silence'}")
        code = "imap.timeout" if words == SILENCE else "imap.bye"
        assert failures(desk, mailbox) == [code] * (TRIES + 1)  # once with others, at which none is to blame yet
        assert len(alone(way)) == TRIES and "BODY.PEEK[HEADER]" in alone(way)[-1], way.meddled


def test_tries_are_far_apart(desk):
    """A server whose store is away refuses one mail after the other: the first try waits for the longest pause at once, for
    a refusal as for silence. Guard: is_refused of mailpoller/box_write.c."""
    for words, fault in (("NO [SERVERBUG] Internal error.", "mailbox.withheld"), (SILENCE, "imap.timeout")):
        mailbox, way = waiting(desk, *"abcde", config={**QUICK, "retry_max_ms": 600000, **PATIENCE},
                               instead=lambda command: words if mails(command) else None)
        desk.wait(lambda: failures(desk, mailbox) == [fault], 20, lambda: f"{fault}: {failures(desk, mailbox)}")
        desk.wait(lambda: desk.value("SELECT due_at > clock_timestamp() + interval '5 min' FROM mailboxes WHERE id = %s",
                                     mailbox.id), 5, "the longest pause")
        assert mailbox.skips() == []
        end(mailbox, way)


def test_a_restart_keeps_the_tries(desk):
    """As many sessions as a mail may have, each of another process."""
    slow = {**QUICK, "retry_ms": 600000, "retry_max_ms": 600000}
    mailbox, way = waiting(desk, "a", "b", config=slow,
                           instead=lambda command: "* BYE Internal error" if mails(command) and asks_for(command, 1) else None)
    for time in range(1, TRIES + 1):
        desk.wait(lambda: mailbox.row().failures == time, 20, lambda: f"failure {time}: {mailbox.row()}")
        assert len(way.meddled) == time
        desk.restart("mailpoller-1")
        desk.sql("UPDATE mailboxes SET due_at = clock_timestamp() WHERE id = %s", mailbox.id)
    mailbox.wait_cursor(2)
    assert mailbox.skips() == [(1, "too_often")] and len(way.meddled) == TRIES
    end(mailbox, way)


def test_a_server_that_is_busy_is_not_the_mails_doing(desk):
    """Nor one that shuts down, or found its session idle, however often it says so and whatever else it gives: the mail is read
    when it has time again. Guard: imap_session_bye_is_passing of mail/imap_passing.c."""
    for words in ("NO [UNAVAILABLE] later", "* BYE [UNAVAILABLE] later", "NO [ALERT] Too many simultaneous connections.",
                  "* BYE Server shutting down.", "* BYE System shutdown", "* BYE Disconnected for inactivity."):
        mailbox, way = waiting(desk, "a", "b", instead=lambda command: words if mails(command) and asks_for(command, 1)
                               and len(way.meddled) < 2 * TRIES else None)
        mailbox.wait_cursor(2, 30)
        assert len(way.meddled) == 2 * TRIES and mailbox.skips() == []
        assert {event.value["subject"] for event in mailbox.events()} == set("ab")
        mailbox.tell(f"a server that is busy: {words}", *"ab")
        end(mailbox, way)


def emptied(times, empty):
    """None of the bytes of the third mail come, so often."""
    def change(command, response):
        if not mails(command) or not re.match(rb"\* \d+ FETCH \(UID 3 ", response) or len(empty) >= times:
            return response
        empty.append(command)
        return re.sub(rb"\{\d+\}\r\n.*\)\r\n$", rb"{0}\r\n)\r\n", response, flags=re.DOTALL)
    return change


def test_a_mail_that_comes_without_its_bytes_is_passed_by(desk):
    """Its size is told, and none of it is given."""
    empty = []
    mailbox, way = waiting(desk, *"abcde", change=emptied(99, empty))
    passed_by(mailbox, way, "unreadable", "a mail without its bytes")
    assert failures(desk, mailbox) == ["mailbox.withheld"] * (TRIES - 1) and "BODY.PEEK[HEADER]" in empty[-1], empty


def test_a_mail_whose_bytes_come_late_is_read(desk):
    empty = []
    mailbox, way = waiting(desk, *"abcde", change=emptied(5, empty))
    mailbox.wait_cursor(5, 30)
    assert len(empty) == 5 and failures(desk, mailbox) == ["mailbox.withheld"] and mailbox.skips() == [], empty
    assert {event.value["subject"] for event in mailbox.events()} == set("abcde")
    mailbox.tell("a mail without its bytes for a while", *"abcde")
    end(mailbox, way)
