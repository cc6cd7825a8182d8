"""Many mails at once, and many mailboxes: mails go together, and one among them that kills its poller stops no other;
of the mailboxes only so many keep a connection, and all are read.
"""

from mailing import Mailbox, mail, pollers, server
from withholding import SILENCE, Withholder


def test_a_deadly_mail_among_many(desk):
    """They were fetched together when it killed: then one at a time, until it is found and listed."""
    pollers(desk)
    mailbox = Mailbox(desk)
    mailbox.wait_cursor(0)
    desk.freeze("mailpoller-1")
    names = [f"mail {number}" for number in range(1, 151)]
    mailbox.deliver(*[mail(name, "text") for name in names])
    stop = desk.stops.arm("mailpoller.fetched", times=4, match=":77")
    desk.thaw("mailpoller-1")
    for time in range(1, 5):
        desk.wait(lambda: stop.hits == time, 30, f"death {time}")
        desk.wait(lambda: not desk.services["mailpoller-1"].alive(), 10, "its end")
        desk.revive(("mailpoller",))
    mailbox.wait_cursor(150, 30)
    assert mailbox.skips() == [(77, "too_often")]
    events = mailbox.events()
    assert {event.value["subject"] for event in events} == set(names) - {"mail 77"}
    assert len({event.id for event in events}) == 149
    mailbox.tell("a mail among 150 that kills its poller", *names, told=["mail 77"])
    mailbox.remove()


test_a_deadly_mail_among_many.deadline_s = 150


def test_many_at_once_in_order(desk):
    """Mails, mails that nobody is to answer, and large ones, that came while nobody looked: each once, in the mailbox's
    order."""
    pollers(desk)
    mailbox = Mailbox(desk)
    mailbox.wait_cursor(0)
    desk.freeze("mailpoller-1")
    mails = []
    for number in range(1, 131):
        if number % 25 == 0:
            mails.append(b"Subject: nobody\r\n\r\nno sender at all\r\n")
        else:
            mails.append(mail(f"mail {number}", "text " * (60000 if number % 40 == 0 else 10)))
    mailbox.deliver(*mails)
    desk.thaw("mailpoller-1")
    mailbox.wait_cursor(130, 60)
    uids = [event.value["uid"] for event in sorted(mailbox.events(), key=lambda event: event.value["uid"])]
    assert uids == [number for number in range(1, 131) if number % 25 != 0]
    assert mailbox.skips() == [(number, "no_sender") for number in range(25, 131, 25)]
    mailbox.remove()


def test_only_some_keep_their_connection(desk):
    pollers(desk, idle_max=2, poll_every_ms=1000)
    mailboxes = [Mailbox(desk) for _ in range(5)]
    for mailbox in mailboxes:
        mailbox.wait_cursor(0)
    for look in range(1, 4):
        for mailbox in mailboxes:
            mailbox.deliver(mail(f"mail {look}", "text"))
        for mailbox in mailboxes:
            mailbox.wait_cursor(look)
        assert [mailbox.row().failures for mailbox in mailboxes] == [0] * 5
    desk.wait(lambda: desk.services["mailpoller-1"].metrics()["frontdesk_mailboxes_connected"] == 2, 20,
              "two that keep their connection")
    for mailbox in mailboxes:
        assert [event.value["subject"] for event in mailbox.events()] == [f"mail {look}" for look in range(1, 4)]
        mailbox.remove()


def test_a_server_that_hangs_holds_up_no_other(desk):
    """It is silent behind TLS, and three times as many of its mailboxes are due as there are places. Guard: claim_sql of
    store/mailbox.c."""
    dovecot = server(desk)
    desk.prepare()
    way = Withholder(dovecot, instead=lambda command: SILENCE)
    hanging = [Mailbox(desk, port=way.port) for _ in range(12)]
    good = Mailbox(desk)
    pollers(desk, max_mailboxes=4, idle_max=0, poll_every_ms=200, command_timeout_ms=600000)
    good.wait_cursor(0)
    for number in range(1, 4):
        good.deliver(mail(f"mail {number}", "text"))
        good.wait_cursor(number)
    good.tell("another server hangs, with more mailboxes than places", *(f"mail {number}" for number in range(1, 4)))
    assert len(way.asked) == 2, way.asked  # one command each: half of the places
    desk.terminate("mailpoller-1")
    for mailbox in [*hanging, good]:
        mailbox.remove()
    way.stop()


def test_a_look_at_what_has_not_changed_searches_nothing(desk):
    """Where the server tells mod-sequences: a look asks for more only when one has risen, be it by a flag."""
    pollers(desk, idle_ms=100)
    way = Withholder(server(desk), lambda command, uid: False)
    mailbox = Mailbox(desk, port=way.port)
    mailbox.wait_cursor(0)
    mailbox.deliver(mail("one", "text"))
    mailbox.wait_events(1)

    def searches():
        return sum(command.startswith("UID SEARCH") for command in way.asked)

    def looks_without_search(count):
        """So many looks, one behind the other, none of which searched."""
        last = max(number for number, command in enumerate(way.asked) if command.startswith("UID SEARCH"))
        return sum(command.startswith("SELECT") for command in way.asked[last:]) >= count

    desk.wait(lambda: looks_without_search(5), 20, lambda: f"looks without a search: {way.asked[-20:]}")
    before = searches()
    client = mailbox.dovecot.connect(mailbox.user)
    client.select("INBOX")
    client.store("1", "+FLAGS", "(\\Flagged)")
    client.logout()
    desk.wait(lambda: searches() > before, 20, "a search")
    desk.wait(lambda: looks_without_search(5), 20, lambda: f"looks without a search: {way.asked[-20:]}")
    mailbox.deliver(mail("two", "text"))
    assert [event.value["subject"] for event in mailbox.wait_events(2)] == ["one", "two"]
    mailbox.remove()
    way.stop()
