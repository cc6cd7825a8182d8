"""How a mailpoller hears of new mail from servers that do not tell it, or not reliably: without IDLE, with one that they
refuse, and with one on which news get lost.
"""

from mailing import Mailbox, mail, pollers, server
from withholding import Withholder

DEADLINE_S = 90
QUICK = {"poll_every_ms": 100, "idle_ms": 300, "adopt_every_ms": 50}
FAR = {"poll_every_ms": 600000, "idle_ms": 600000, "adopt_every_ms": 50}


def hears(desk, fault, config, **meddling):
    """Three mails, each delivered when the one before was read; returns what the server was asked."""
    pollers(desk, **config)
    way = Withholder(server(desk), **meddling)
    mailbox = Mailbox(desk, port=way.port)
    mailbox.wait_cursor(0)
    for number in range(1, 4):
        mailbox.deliver(mail(f"mail {number}", "text"))
        mailbox.wait_cursor(number)
    names = [f"mail {number}" for number in range(1, 4)]
    assert [event.value["subject"] for event in mailbox.events()] == names
    assert mailbox.row().failures == 0 and mailbox.skips() == []
    mailbox.tell(fault, *names)
    sessions = [command for command in way.asked if command.startswith(("AUTHENTICATE", "LOGIN"))]
    assert len(sessions) == 1, way.asked
    mailbox.remove()
    desk.terminate("mailpoller-1")
    way.stop()
    return way.asked


def test_a_server_that_tells(desk):
    """It is asked to, and nothing else would find the mails in time."""
    assert "IDLE" in hears(desk, "a server that tells", FAR)


def test_a_server_without_idle_is_asked(desk):
    """Each poll_every_ms, on the connection that it has."""
    def change(_, response):
        return response.replace(b" IDLE", b"") if b"CAPABILITY" in response else response

    assert "IDLE" not in hears(desk, "a server without IDLE", {**QUICK, "idle_ms": 600000}, change=change)


def test_a_server_that_refuses_its_idle_is_asked(desk):
    for words in ("NO not now", "BAD Unknown command"):
        hears(desk, f"IDLE refused: {words}", {**QUICK, "idle_ms": 600000},
              instead=lambda command: words if command == "IDLE" else None)


def test_news_that_get_lost_are_found(desk):
    """A server, or a box in between, that forgets to tell: it is asked each idle_ms."""
    def change(command, response):
        return b"" if command == "IDLE" and b"EXISTS" in response else response

    assert "IDLE" in hears(desk, "news lost on IDLE", {**QUICK, "poll_every_ms": 600000}, change=change)
