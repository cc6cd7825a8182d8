"""deskctl mailbox add for a mailbox that is or was at some place: what of its cursor is kept (docs/MAIL.md)."""

import time

from mailboxes import OK, Box, mail, pollers

DEADLINE_S = 90
DAY_S = 86400


def rescans(box):
    return [line for line in box.desk.log("mailpoller-1")
            if line["event"] == "mailbox.rescan" and line["mailbox"] == str(box.column("id"))]


def read(box, count):
    """A mailbox with mails that were read."""
    pollers(box.desk)
    box.add()
    box.desk.wait(lambda: box.listed()["state"] == "reading", 20, lambda: f"reading: {box.listed()}")
    box.dovecot.deliver(box.user, *(mail(f"mail {number}", "text") for number in range(1, count + 1)))
    box.wait_events(count)
    box.desk.wait(lambda: box.column("last_uid") == count, 20, lambda: f"all to be read: {box.listed()}")
    return box.column("id")


def subjects(box):
    return [event.value["subject"] for event in box.events()]


def make_folder(box, name):
    client = box.dovecot.connect(box.user)
    client.create(name)
    client.logout()


def paused(box, *words, **changes):
    """Changes it while nobody reads it."""
    box.deskctl(OK, "pause", box.address)
    box.desk.wait(lambda: box.column("worker") is None, 20, lambda: f"let go: {box.listed()}")
    done = box.add("--replace", *words, **changes)
    box.deskctl(OK, "resume", box.address)
    return done


def test_a_port_of_its_own_is_another_place(desk):
    """Two tunnels may end at the same host, and both providers count from UIDVALIDITY 1."""
    box = Box(desk)
    here = read(box, 2)
    done = paused(box, imap=f"imap://{box.user}@localhost:{box.dovecot.port}")
    assert "another place" in done.said and box.column("id") != here
    assert box.column("port || security") == f"{box.dovecot.port}starttls"
    box.dovecot.deliver(box.user, mail("three", "text"))
    box.wait_events(3)
    assert subjects(box) == ["mail 1", "mail 2", "three"] and len(rescans(box)) == 1
    done = paused(box)
    assert "was read there before" in done.said and box.column("id") == here
    desk.wait(lambda: box.column("last_uid") == 3, 20, lambda: f"the third to be read: {box.listed()}")
    assert len({event.value["content_hash"] for event in box.events()}) == 3
    box.remove()


def test_the_standard_ports_are_the_same_place(desk):
    """From TLS to STARTTLS. Nobody is there: what counts is which mailbox it is."""
    box = Box(desk)

    def there(port):
        scheme = "imap" if port == 143 else "imaps"
        box.add(*["--replace"] if seen else [], imap=f"{scheme}://{box.user}@localhost:{port}")
        desk.sql("UPDATE mailboxes SET uid_validity = 1, last_uid = 2 WHERE id = %s", box.column("id"))
        seen.append(box.column("id"))
        return seen[-1]

    seen = []
    here = there(993)
    assert there(143) == here and box.column("port || security") == "143starttls"
    tunnel, other = there(1993), there(2993)
    assert len({here, tunnel, other}) == 3
    assert (there(993), there(2993), there(143), there(1993)) == (here, other, here, tunnel)
    box.remove()


def test_back_at_a_place_it_is_read_on(desk):
    """The folder was mistyped, or the move was undone: what came there meanwhile is read, whatever its date."""
    box = Box(desk)
    here = read(box, 2)
    make_folder(box, "Support")
    done = paused(box, folder="Support")
    there = box.column("id")
    assert there != here and "another place" in done.said
    box.dovecot.deliver(box.user, mail("elsewhere", "text"), folder="Support")
    assert box.wait_events(1)[0].value["subject"] == "elsewhere"
    box.dovecot.deliver(box.user, mail("meanwhile", "text"), when=time.time() - 3 * DAY_S)

    done = paused(box)
    assert box.column("id") == here and "was read there before" in done.said
    desk.wait(lambda: box.column("last_uid") == 3, 20, lambda: f"the third to be read: {box.listed()}")
    assert subjects(box) == ["mail 1", "mail 2", "meanwhile"] and rescans(box) == []
    assert desk.value("SELECT count(*) FROM mail_credentials WHERE mailbox_id = %s", there) == 0
    # And there again, where the folder was made anew since.
    desk.wait(lambda: desk.value("SELECT worker FROM mailboxes WHERE id = %s", there) is None, 20, "the other place to be left")
    fresh = box.dovecot.renumber(box.user, "Support")
    paused(box, folder="Support")
    assert box.column("id") == there
    desk.wait(lambda: box.column("uid_validity") == fresh and box.column("since_at") is None, 20, "the new numbers")
    assert set(subjects(box)) == {"elsewhere"} and len(rescans(box)) == 2  # one was when it was new to us
    box.remove()


def test_a_mailbox_that_was_removed_is_read_on_when_it_is_added_again(desk):
    """It is the same one, so that customers' threads are; after a month it is new to us."""
    box = Box(desk)
    here = read(box, 1)
    desk.sql("UPDATE mailboxes SET removed_at = clock_timestamp() WHERE id = %s", here)
    desk.wait(lambda: desk.value("SELECT worker FROM mailboxes WHERE id = %s", here) is None, 20, "it to be left")
    box.dovecot.deliver(box.user, mail("meanwhile", "text"))
    done = box.add("--json")
    assert done.json()["result"] == "added" and "was read there before" in done.said and box.column("id") == here
    box.wait_events(2)
    assert subjects(box) == ["mail 1", "meanwhile"]

    desk.sql("UPDATE mailboxes SET removed_at = clock_timestamp() - interval '31 days' WHERE id = %s", here)
    done = box.add()
    assert box.column("id") != here and "before" not in done.said
    desk.wait(lambda: box.column("last_uid") == 2, 20, lambda: f"its beginning: {box.listed()}")
    assert box.events() == []
    box.remove()
