"""Mail out: delivery rows and wake-ups in, mails at smtp-sink and at a server that fails as told. Killed at each
of its stop points the responder loses none, and makes a second copy only of one whose outcome is unknown."""

import re

from harness import smtp
from harness.stops import KILL
from delivering import quiet
from mail_sending import Mailbox, mail_responders
from procs import free_port

SHARE = True
USER = "desk@clinic.example"
SERVERS = {
    "ok": "plain", "login": f"starttls;user:{USER}:s3cret", "token": f"tls;user:{USER}:t0ken",
    "nobody": "plain;rcpt=550 5.1.1 no such user", "grey": "plain;rcpt*1=450 4.2.0 greylisted",
    "deaf": "plain;dot*1=drop", "mute": "plain;dot=drop", "strip": f"starttls;strip;user:{USER}:s3cret",
    "spam": "plain;dot=554 5.7.1 spam", "crash": "plain",
}


def servers(desk):
    if getattr(desk, "mail_servers", None) is None:
        desk.mail_servers = smtp.Faults(desk.folder / "mails", **SERVERS)
    return desk.mail_servers


def mailbox(desk, name, **options):
    return Mailbox(desk, f"smtp://127.0.0.1:{servers(desk).ports[name]}?tls=none", **options)


def start(desk, count=1, **config):
    return mail_responders(desk, count, mail_ca_file=str(servers(desk).ca), **config)


def mails_of(desk, name, box):
    return [mail for mail in servers(desk).mails(name) if mail.about["to"] == [box.address]]


def settled_mails(desk, name, box, seconds):
    """What arrived, once nothing more does."""
    quiet(desk, seconds, lambda: len(mails_of(desk, name, box)))
    return mails_of(desk, name, box)


# ---- the ordinary way


def test_sends_what_it_is_woken_for(desk):
    """Through postfix's own smtp-sink: every header that threads and marks it."""
    sink = smtp.Sink(desk.folder / "sink", free_port()).start()
    try:
        start(desk)
        box = Mailbox(desk, f"smtp://127.0.0.1:{sink.port}?tls=none")
        delivery = box.mail("Grüße,\n\nab 9 Uhr – ok?")
        row = box.wait_state(delivery, "sent")
        mail, = desk.wait(sink.mails, 10, "the mail")
    finally:
        sink.stop()
    assert mail.text == "Grüße,\n\nab 9 Uhr – ok?", mail.text
    assert mail["To"] == box.address and mail["From"] == f"Reception <{box.sender}>"
    assert mail["Subject"] == "Re: opening hours" and mail["In-Reply-To"] == "<m2@mail.example>"
    assert mail["References"].split() == ["<m1@mail.example>", "<d1@clinic.example>", "<m2@mail.example>"]
    assert mail["Auto-Submitted"] == "auto-replied" and mail["X-Loop"] == box.sender
    local, domain = box.sender.split("@")
    assert re.fullmatch(re.escape(local) + r"\+[a-z2-7]{40}@" + domain, mail["Reply-To"]), mail["Reply-To"]
    assert mail["Message-ID"] == f"<{box.message_id(delivery)}>"
    assert re.fullmatch(r"[a-z2-7]{40}@clinic\.example", box.message_id(delivery))
    assert row["provider_sid"] == box.message_id(delivery) and row["worker"] is None
    attempt, = box.tries(delivery)
    assert (attempt["outcome"], attempt["error_code"]) == ("accepted", None)


def test_finds_what_nobody_woke_it_for(desk):
    start(desk)
    box = mailbox(desk, "ok")
    box.wait_state(box.mail(wake=False), "sent")
    assert len(mails_of(desk, "ok", box)) == 1


def test_replayed_wake_ups_do_nothing(desk):
    start(desk, 2)
    box = mailbox(desk, "ok")
    delivery = box.mail()
    box.wait_state(delivery, "sent")
    for _ in range(20):
        box.wake_mail(delivery)
    box.wait_state(box.mail(), "sent")
    assert len(settled_mails(desk, "ok", box, 1.0)) == 2


def test_order_within_a_thread(desk):
    start(desk, 2)
    box = mailbox(desk, "ok")
    deliveries = [box.mail(wake=False) for _ in range(6)]
    for delivery in reversed(deliveries):
        box.wake_mail(delivery)
    for delivery in deliveries:
        box.wait_state(delivery, "sent", deadline_s=40)
    numbers = [int(re.search(r"mail (\d+)", mail.text)[1]) for mail in mails_of(desk, "ok", box)]
    assert numbers == list(range(1, 7)), numbers


def test_logs_in_with_the_secret_of_now(desk):
    """libesmtp with a password, libcurl with a token; a secret that was wrong and is mended counts at once."""
    start(desk)
    secret = desk.folder / "mailbox.secret"
    secret.write_text("wrong\n")
    ports, user = servers(desk).ports, USER.replace("@", "%40")
    box = Mailbox(desk, f"smtp://{user}@localhost:{ports['login']}", secret=f"file:{secret}")
    delivery = box.mail()
    row = box.wait_state(delivery, "deferred")
    assert row["error_code"] == "535 5.7.8", row
    secret.write_text("s3cret\n")
    box.come_again(delivery)
    box.wait_state(delivery, "sent")
    mail, = mails_of(desk, "login", box)
    assert mail.about["login"] == ["PLAIN", USER] and mail.about["tls"] == "TLSv1.2", mail.about
    assert mail.about["mail_parameters"][-1] == f"ENVID={delivery}", mail.about
    secret.write_text("t0ken")
    box = Mailbox(desk, f"smtps://{user}@localhost:{ports['token']}?auth=xoauth2", secret=f"file:{secret}")
    box.wait_state(box.mail(), "sent")
    mail, = mails_of(desk, "token", box)
    assert mail.about["login"] == ["XOAUTH2", USER] and mail.about["sni"] == "localhost", mail.about
    assert "s3cret" not in desk.log("responder-1") and box.address not in desk.log("responder-1")


def test_person_and_notice(desk):
    start(desk)
    box = mailbox(desk, "ok")
    for author in ("operator", "system"):
        box.wait_state(box.mail(author=author), "sent")
    person, notice = mails_of(desk, "ok", box)
    assert person["Auto-Submitted"] is None and notice["Auto-Submitted"] == "auto-generated"


# ---- refusals


def test_takeover_stops_it(desk):
    start(desk)
    box = mailbox(desk, "ok")
    desk.sql("UPDATE conversations SET epoch = 1, held_by = 'ops:test' WHERE id = %s::uuid", box.conversation)
    assert box.wait_state(box.mail(epoch=0), "suppressed")["reason"] == "epoch"
    assert settled_mails(desk, "ok", box, 1.0) == []


def test_refused_for_good(desk):
    start(desk)
    for name, code, reason in (("nobody", "550 5.1.1", "bad_address"), ("spam", "554 5.7.1", "refused")):
        box = mailbox(desk, name)
        row = box.wait_state(box.mail(), "failed")
        assert (row["error_code"], row["reason"]) == (code, reason), row
        assert mails_of(desk, name, box) == []


def test_greylisted(desk):
    """Not at once, and not never."""
    start(desk)
    box = mailbox(desk, "grey")
    delivery = box.mail()
    row = box.wait_state(delivery, "deferred")
    assert row["error_code"] == "450 4.2.0", row
    wait_s = desk.value("SELECT extract(epoch FROM next_at - clock_timestamp()) FROM deliveries WHERE id = %s::uuid",
                        delivery)
    assert 20 < wait_s <= 60, wait_s
    box.come_again(delivery)
    box.wait_state(delivery, "sent")
    assert len(mails_of(desk, "grey", box)) == 1


def test_no_tls_no_mail(desk):
    """Somebody took STARTTLS away: neither the password nor the mail leaves."""
    start(desk)
    secret = desk.folder / "strip.secret"
    secret.write_text("s3cret")
    box = Mailbox(desk, f"smtp://{USER.replace('@', '%40')}@localhost:{servers(desk).ports['strip']}",
                  secret=f"file:{secret}")
    before = desk.service("responder-1").metrics().get("frontdesk_provider_alerts_total", 0)
    row = box.wait_state(box.mail(), "deferred")
    assert row["error_code"] == "smtp.no_starttls" and row["first_attempt_at"] is None, row
    assert desk.service("responder-1").metrics()["frontdesk_provider_alerts_total"] == before + 1
    assert mails_of(desk, "strip", box) == []


def test_account_that_cannot_be_used(desk):
    """Its secret is not there, or it has no account: it waits for somebody to mend that."""
    start(desk)
    box = Mailbox(desk, "smtps://desk@localhost:1", secret=f"file:{desk.folder}/nowhere")
    assert box.wait_state(box.mail(), "deferred")["error_code"] == "smtp.credentials"
    box = mailbox(desk, "ok")
    desk.sql("DELETE FROM mail_accounts WHERE channel_id = %s::uuid", box.channel)
    assert box.wait_state(box.mail(), "deferred")["error_code"] == "smtp.account"


# ---- unknown


def test_unknown_is_the_same_mail_again(desk):
    start(desk)
    box = mailbox(desk, "deaf")
    delivery = box.mail()
    row = box.wait_state(delivery, "sent", deadline_s=40)
    first, second = mails_of(desk, "deaf", box)
    assert first.raw == second.raw and first["Message-ID"] == f"<{row['provider_sid']}>"
    assert [attempt["outcome"] for attempt in box.tries(delivery)] == ["unknown", "accepted"]


def test_unknown_three_times_is_for_a_person(desk):
    start(desk)
    box = mailbox(desk, "mute")
    delivery = box.mail()
    row = box.wait_state(delivery, "parked", deadline_s=60)
    assert row["reason"] == "unknown", row
    copies = settled_mails(desk, "mute", box, 3.0)
    assert len(copies) == 3 and len({copy.raw for copy in copies}) == 1


test_unknown_three_times_is_for_a_person.deadline_s = 120


# ---- crashes


def survive(desk, point, copies):
    """Kills a responder at the point, with another alive: the mail arrives, in so many copies, all the same; the
    next of the thread follows behind it."""
    start(desk, 2)
    box = mailbox(desk, "crash")
    stop = desk.stops.arm(point, action=KILL)
    delivery = box.mail()
    desk.wait(lambda: stop.hits, 15, f"the stop point {point}")
    follow = box.mail()
    row = box.wait_state(delivery, "sent", deadline_s=60)
    box.wait_state(follow, "sent", deadline_s=60)
    arrived = settled_mails(desk, "crash", box, 1.5)
    numbers = [int(re.search(r"mail (\d+)", mail.text)[1]) for mail in arrived]
    assert numbers == [1] * copies + [2], numbers
    assert len({mail.raw for mail in arrived}) == 2
    assert {mail["Message-ID"] for mail in arrived[:copies]} == {f"<{row['provider_sid']}>"}
    desk.responding = None
    desk.revive(("responder",))


def test_dies_after_the_claim(desk):
    survive(desk, "responder.claimed", 1)


def test_dies_before_the_first_byte(desk):
    survive(desk, "responder.sending", 1)


def test_dies_after_the_answer(desk):
    """Nobody knows what the server said: the one case of a second copy."""
    survive(desk, "responder.answered", 2)


def test_dies_after_settling(desk):
    survive(desk, "responder.settled", 1)


for test in (test_dies_after_the_claim, test_dies_before_the_first_byte, test_dies_after_the_answer,
             test_dies_after_settling):
    test.deadline_s = 120
