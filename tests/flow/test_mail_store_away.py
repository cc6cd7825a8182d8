"""A mail server that gives no mail at all, as its store is away, and one that does not give some of them: a mail is passed by
only while the server gives another one (docs/MAIL.md).
"""

import re

from mailing import mail
from operating import good
from withholding import PATIENCE, QUICK, SILENCE, asks_for, failures, looks, mails, waiting

DEADLINE_S = 120
TRIES = 3
TWICE_TOO_OFTEN = 2 * TRIES + 2
TEXT = re.compile(rb"(BODY\[TEXT\]<0>) .*\)\r\n$", re.DOTALL)


def end(mailbox, way):
    """The next mailbox has another poller."""
    mailbox.remove()
    mailbox.desk.terminate("mailpoller-1")
    way.stop()


def listed(mailbox):
    return next(row for row in good(mailbox.desk, "mailbox", "list", "--json").json() if row["address"] == mailbox.address)


def wait_failures(mailbox, count=TWICE_TOO_OFTEN):
    """So many since the cursor moved."""
    mailbox.desk.wait(lambda: mailbox.row().failures >= count, 60, lambda: f"{count} failures: {mailbox.row()}")


def wait_said(mailbox, words):
    mailbox.desk.wait(lambda: words in (mailbox.row().last_error or ""), 20, lambda: f"{words}: {mailbox.row()}")


def test_a_store_that_is_away_has_no_mail_passed_by(desk):
    """For longer than any mail may be tried. When it is back all are read, whole. Guard: box_is_proven of
    mailpoller/box_probe.c."""
    for words, stays, says in (("NO [SERVERBUG] Internal error occurred.", lambda command: mails(command) or looks(command), "others"),
                               ("NO [SERVERBUG] Internal error occurred.", mails, "none of the others either"),
                               ("BAD Error in IMAP command", mails, "none of the others either"),
                               ("* BYE Internal error", mails, "asked for another mail than UID 1"),
                               (SILENCE, mails, "asked for another mail than UID 1")):
        away = [True]
        mailbox, way = waiting(desk, *"abcde", config={**QUICK, **PATIENCE},
                               instead=lambda command: words if away and stays(command) else None)
        wait_failures(mailbox)
        wait_said(mailbox, says)
        assert mailbox.skips() == [] and mailbox.row().last_uid == 0 and mailbox.events() == []
        assert listed(mailbox)["state"] == "failing"
        away.clear()
        mailbox.wait_cursor(5, 30)
        assert mailbox.skips() == [] and listed(mailbox)["state"] != "failing"
        assert {event.value["subject"]: event.value.get("cut", False) for event in mailbox.events()} == dict.fromkeys("abcde", False)
        mailbox.tell(f"a store that is away: {words or 'silence'}", *"abcde")
        end(mailbox, way)


test_a_store_that_is_away_has_no_mail_passed_by.deadline_s = 240


def test_headers_alone_prove_no_server(desk):
    """It has them in a cache, and tells NIL of each text. Guard: box_probe_came of mailpoller/box_probe.c."""
    away = [True]
    mailbox, way = waiting(desk, *"abc", instead=lambda command: "NO [SERVERBUG] no" if away and "BODY.PEEK[]" in command else None,
                           change=lambda command, response: TEXT.sub(rb"\1 NIL)\r\n", response) if away else response)
    wait_failures(mailbox)
    wait_said(mailbox, "none of the others either")
    assert mailbox.skips() == [] and mailbox.row().last_uid == 0 and mailbox.events() == []
    assert any("BODY.PEEK[HEADER]" in command for command in way.asked)
    away.clear()
    mailbox.wait_cursor(3, 30)
    assert mailbox.skips() == [] and {event.value["subject"] for event in mailbox.events()} == set("abc")
    mailbox.tell("a store that is away behind a cache of headers", *"abc")
    end(mailbox, way)


def test_a_mail_behind_all_others_is_passed_by(desk):
    """Those before it tell that the server gives mails: one of them may be asked for again."""
    mailbox, way = waiting(desk, *"abc", instead=lambda command: "NO [SERVERBUG] no" if mails(command) and asks_for(command, 3)
                           else None)
    mailbox.wait_cursor(3, 30)
    assert mailbox.skips() == [(3, "unreadable")] and failures(desk, mailbox) == ["mailbox.withheld"] * (TRIES - 1)
    assert {event.value["uid"] for event in mailbox.events()} == {1, 2}
    mailbox.tell("the last mail refused", *"abc", told="c")
    end(mailbox, way)


def test_a_mail_alone_waits_for_another_one(desk):
    """Nothing tells whether it is the mail or the server; when another one comes, that one does."""
    mailbox, way = waiting(desk, "a", instead=lambda command: "NO [SERVERBUG] no" if mails(command) and asks_for(command, 1)
                           else None)
    wait_failures(mailbox)
    assert mailbox.skips() == [] and mailbox.row().last_uid == 0
    wait_said(mailbox, "there is no other to tell whether it gives any")
    mailbox.deliver(mail("b", "text"))
    mailbox.wait_cursor(2, 30)
    assert mailbox.skips() == [(1, "unreadable")] and [event.value["subject"] for event in mailbox.events()] == ["b"]
    mailbox.tell("a mail alone refused, until another one comes", *"ab", told="a")
    end(mailbox, way)


def test_broken_mails_side_by_side_stop_no_mailbox(desk):
    """Two end the session: also when one is asked for to judge the other."""
    bad = (3, 4)
    mailbox, way = waiting(desk, *"abcde", instead=lambda command: "* BYE Internal error" if mails(command) and any(
        asks_for(command, uid) for uid in bad) else None)
    mailbox.wait_cursor(5, 60)
    assert mailbox.skips() == [(uid, "too_often") for uid in bad]
    assert {event.value["uid"] for event in mailbox.events()} == {1, 2, 5}
    mailbox.tell("two mails side by side that end the session", *"abcde", told="cd")
    end(mailbox, way)


def test_a_good_mail_beside_a_broken_one_is_read(desk):
    """It was refused once, and the only other one ends the session whenever it is asked for."""
    refused = []

    def instead(command):
        if mails(command) and asks_for(command, 2):
            return "* BYE Internal error"
        if mails(command) and len(refused) < 2:
            refused.append(command)
            return "NO [SERVERBUG] no"
        return None

    mailbox, way = waiting(desk, "good", "broken", instead=instead)
    mailbox.wait_cursor(2, 60)
    assert mailbox.skips() == [(2, "too_often")] and [event.value["subject"] for event in mailbox.events()] == ["good"]
    mailbox.tell("a mail refused for a while beside one that ends the session", "good", "broken", told=["broken"])
    end(mailbox, way)
