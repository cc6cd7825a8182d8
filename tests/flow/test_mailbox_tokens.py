"""Mailboxes that log in with tokens: Dovecot takes those that the stand-in endpoint gave out, and no others."""

import itertools
import threading

from mailboxes import Courier, TokenBox, mail, pollers
from operating import FAILED, OK

DEADLINE_S = 90


VERSION = "(SELECT version FROM mail_credentials c WHERE c.mailbox_id = mailboxes.id AND c.way = 'in')"


def start(desk, box):
    box.add()
    begin_reading(desk, box)


def begin_reading(desk, box):
    pollers(desk, mail_ca_file=box.ca_file)
    desk.wait(lambda: box.listed()["state"] == "reading", 20, lambda: f"reading: {box.listed()}")


def unread(desk, **options):
    """A mailbox that nobody reads yet, and the version of its login."""
    for name in [name for name in desk.services if name.startswith("mailpoller")]:
        desk.kill(name)
    box = TokenBox(desk, **options)
    box.add()
    return box, box.column(VERSION)


def test_a_token_is_bought_once_and_kept(desk):
    box = TokenBox(desk)
    start(desk, box)
    box.read(1, "first")
    for number in (2, 3):  # the server goes and comes: the token is still good
        box.dovecot.kill()
        box.dovecot.start()
        box.read(number, f"mail {number}")
    assert box.bought() == [200]
    assert "xoauth2" == box.listed()["login"]
    box.remove()


def test_a_token_near_its_end_is_bought_anew(desk):
    box = TokenBox(desk, life_s=5)
    start(desk, box)
    for number in itertools.count(1):
        box.read(number, f"mail {number}")
        if len(box.bought()) > 1:
            break
        box.dovecot.kill()
        box.dovecot.start()
    assert set(box.bought()) == {200}
    assert box.listed()["state"] == "reading"
    box.remove()


def test_a_token_that_is_refused_is_not_used_again(desk):
    box = TokenBox(desk)
    start(desk, box)
    box.tokens.forget()
    box.dovecot.kill()
    box.dovecot.start()
    desk.wait(lambda: len(box.bought()) > 1, 20, "a second token")
    box.read(1, "first")
    assert box.bought() == [200, 200], box.bought()
    box.remove()


def test_an_endpoint_that_is_away_is_asked_again(desk):
    box = TokenBox(desk)
    box.tokens.faults({"status": 503, "count": 2}, {"status": 200, "body": {"token_type": "Bearer"}},
                      {"status": 429, "retry_after": 1})
    start(desk, box)
    assert box.bought() == [503, 503, 200, 429, 200]
    assert box.listed()["said"] is None
    box.remove()


def test_a_grant_that_is_taken_back_pauses_the_mailbox(desk):
    box = TokenBox(desk)
    start(desk, box)
    box.read(1, "first")
    box.tokens.revoke(box.user)
    box.dovecot.kill()
    box.dovecot.start()
    desk.wait(lambda: box.listed()["state"] == "paused", 30, lambda: f"paused: {box.listed()}")
    listed = box.listed()
    assert listed["error_code"] == "oauth.refused"
    assert "mailpoller paused it" in listed["said"] and "invalid_grant" in listed["said"]
    assert "--replace" in listed["said"]
    asked = len(box.bought())
    box.dovecot.deliver(box.user, mail("second", "text"))
    desk.settled(2, lambda: len(box.bought()))
    assert len(box.bought()) == asked

    steps = box.check(FAILED)
    assert steps["token"]["code"] == "oauth.refused" and "imap login" not in steps

    # A person logs in anew.
    (box.folder / "refresh").write_text(box.tokens.grant(box.user) + "\n")
    box.add("--replace")
    assert box.listed()["state"] == "paused"
    box.deskctl(OK, "resume", box.address)
    assert box.wait_events(2)[-1].value["subject"] == "second"
    box.remove()


def move(desk, box, **changes):
    """Returns the id that it has there."""
    box.deskctl(OK, "pause", box.address)
    desk.wait(lambda: box.column("worker") is None, 20, lambda: f"let go: {box.listed()}")
    box.add("--replace", **changes)
    box.deskctl(OK, "resume", box.address)
    return box.column("id")


def test_a_mailbox_that_comes_back_is_read_with_its_new_login(desk):
    """The mailpoller remembers the grant of before it was moved, which had been renewed often; the provider took that back."""
    box, _ = unread(desk)
    here = box.column("id")
    desk.sql("UPDATE mail_credentials SET version = 40 WHERE mailbox_id = %s", here)
    begin_reading(desk, box)
    box.read(1, "first")
    client = box.dovecot.connect(box.user)
    client.create("Support")
    client.logout()
    assert move(desk, box, folder="Support") != here
    box.tokens.revoke(box.user)
    (box.folder / "refresh").write_text(box.tokens.grant(box.user) + "\n")
    assert move(desk, box) == here and box.column(VERSION) > 40
    box.read(2, "second")
    assert box.listed()["state"] == "reading", box.listed()
    box.remove()


def test_a_wrong_client_pauses_the_mailbox(desk):
    box = TokenBox(desk)
    (box.folder / "client").write_text("wrong-secret\n")
    box.add()
    pollers(desk, mail_ca_file=box.ca_file)
    desk.wait(lambda: box.listed()["state"] == "paused", 30, lambda: f"paused: {box.listed()}")
    assert "401" in box.listed()["said"] and "invalid_client" in box.listed()["said"]
    (box.folder / "client").write_text(box.tokens.client_secret + "\n")
    box.add("--replace")
    box.deskctl(OK, "resume", box.address)
    desk.wait(lambda: box.listed()["state"] == "reading", 20, lambda: f"reading: {box.listed()}")
    box.remove()


def test_a_new_refresh_token_is_kept(desk):
    box, version = unread(desk, life_s=4, rotate=True)
    begin_reading(desk, box)
    desk.wait(lambda: box.column(VERSION) == version + 1, 20, "the second version")
    desk.restart("mailpoller-1")  # memory is gone, the first refresh token is void
    desk.wait(lambda: box.column(VERSION) > version + 1, 20, lambda: f"a third version: {box.bought()}")
    box.read(1, "first")
    assert set(box.bought()) == {200}
    box.remove()


def test_a_token_whose_refresh_token_was_renewed_is_kept(desk):
    """The new refresh token comes back with the next look, under another version: what it bought is still good."""
    box, version = unread(desk, rotate=True)
    begin_reading(desk, box)
    desk.wait(lambda: box.column(VERSION) == version + 1, 20, "the second version")
    for number in (1, 2):
        fence = box.column("fence")
        box.deskctl(OK, "pause", box.address)
        desk.wait(lambda: box.column("worker") is None, 20, lambda: f"let go: {box.listed()}")
        box.deskctl(OK, "resume", box.address)
        box.read(number, f"mail {number}")
        assert box.column("fence") > fence
    assert box.bought() == [200] and box.column(VERSION) == version + 1
    box.remove()




def test_a_new_refresh_token_of_check_is_kept(desk):
    """The endpoint takes the one that the command was given no more: the next who asks needs the new one."""
    box, version = unread(desk, rotate=True)
    for later in (1, 2):
        assert box.check(OK, "--no-mail")["token"]["result"] == "ok"
        assert box.column(VERSION) == version + later
    pollers(desk, mail_ca_file=box.ca_file)
    desk.wait(lambda: box.listed()["state"] == "reading", 20, lambda: f"reading: {box.listed()}")
    box.read(1, "first")
    assert box.bought() == [200] * 3 and box.column("paused_at") is None
    box.remove()


REFUSE = ("CREATE SEQUENCE test_refusals",
          "CREATE FUNCTION test_refuse() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN"
          " PERFORM nextval('test_refusals'); RAISE EXCEPTION 'away' USING ERRCODE = '57P01'; END $$",
          "CREATE TRIGGER test_refuse BEFORE UPDATE ON mail_credentials FOR EACH ROW EXECUTE FUNCTION test_refuse()")


def test_a_new_refresh_token_of_check_waits_for_the_database(desk):
    box, version = unread(desk, rotate=True)
    for statement in REFUSE:
        desk.sql(statement)
    done = []
    check = threading.Thread(target=lambda: done.append(box.deskctl(OK, "check", box.address, "--no-mail")), daemon=True)
    check.start()
    desk.wait(lambda: desk.value("SELECT last_value FROM test_refusals") > 1, 20, "two tries")
    desk.sql("DROP TRIGGER test_refuse ON mail_credentials")
    check.join(60)
    assert "waits for the database" in done[0].said and box.column(VERSION) == version + 1
    assert box.check(OK, "--no-mail")["token"]["result"] == "ok"
    box.remove()


def test_an_application_logs_in_by_itself(desk):
    box = TokenBox(desk)
    del box.fields["oauth"]["refresh_token"]
    box.fields["oauth"]["scope"] = "https://outlook.example/.default"
    start(desk, box)
    box.read(1, "first")
    assert [entry["grant_type"] for entry in box.tokens.ledger()] == ["client_credentials"]
    box.remove()


def test_check_logs_in_both_ways_with_a_token(desk):
    """The SMTP stand-in takes one token only: the endpoint is made to give that out, and Dovecot does not know it."""
    box = TokenBox(desk)
    box.fields.update(smtp_password=None, smtp=box.smtp("token"))
    box.tokens.faults({"status": 200, "body": {"access_token": box.sends_with, "expires_in": 60}})
    box.add()
    url = desk.value("SELECT a.url FROM mail_accounts a JOIN channels c ON c.id = a.channel_id"
                     " WHERE c.address = %s", box.address)
    assert url == box.smtp("token") + "?auth=xoauth2"
    steps = box.check(FAILED)
    assert steps["token"]["result"] == "ok" and steps["imap login"]["code"] == "imap.authentication"
    assert steps["smtp send"]["result"] == "ok" and steps["arrival"]["result"] == "skipped"
    assert box.faults.mails("token")[0].about["login"] == ["XOAUTH2", box.user]
    with Courier(box.faults, "ok", box.dovecot, box.user):
        box.add("--replace", smtp=box.smtp("ok"), smtp_password="file:password")
        assert {step["result"] for step in box.check(OK).values()} == {"ok"}
    box.remove()
