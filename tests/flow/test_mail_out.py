"""Mail out: delivery rows and wake-ups in, mails at smtp-sink and at a server that fails as told. Killed at each
of its stop points the responder loses none, and makes a second copy only of one whose outcome is unknown."""

import re
import secrets
import uuid
from types import SimpleNamespace

from harness import mail_table, smtp
from harness.stops import FREEZE, KILL
from delivering import Customer, now, quiet
from mail_sending import Mailbox, mail_responders
from operating import good
from procs import free_port

SHARE = True
USER = "desk@clinic.example"
SERVERS = {
    "ok": "plain", "login": f"starttls;user:{USER}:s3cret", "token": f"tls;user:{USER}:t0ken",
    "nobody": "plain;rcpt=550 5.1.1 no such user", "grey": "plain;rcpt*1=450 4.2.0 greylisted",
    "deaf": "plain;dot*1=drop", "mute": "plain;dot=drop", "strip": f"starttls;strip;user:{USER}:s3cret",
    "wrong": f"starttls;wrongcert;user:{USER}:s3cret", "spam": "plain;dot=554 5.7.1 spam", "crash": "plain", "deaf2": "plain;dot*1=drop", "hang": "plain;dot=hang",
    "deaf3": "plain;dot*1=drop",
    "late": "plain;dot*1=hang", "silent": "plain;rcpt=hang",
    "small": "plain;size:300", "half": "plain;rcpt*1=550 5.1.1 no such user",
    "slow": "plain;greet=slow:0.02;mail=late:0.5;rcpt=late:0.5;data=slow:0.02;dot=late:1",
    "sloth": "plain;rcpt*1=late:7;dot*1=late:7",
    "again": "plain;rcpt*1=ok;rcpt*1=wait", "again2": "plain;rcpt*1=ok;rcpt*1=wait",
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


def tell(fault, *boxes_and_servers, told=()):
    """A line of the table of mails: each of these mailboxes sent one by that server; a further copy is the same mail.
    The rows of those of `told` say why they were not sent."""
    wanted = [box.address for _, box in boxes_and_servers]
    got = {(box.address, mail["Message-ID"]) for name, box in boxes_and_servers for mail in servers(box.desk).mails(name)
           if mail.about["to"] == [box.address]}
    mail_table.line(fault, mail_table.SENT, wanted, [address for address, _ in got], told=[box.address for box in told])


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
    token = box.message_id(delivery).partition("@")[0]
    assert mail.about["mail_parameters"][-1] == f"ENVID={token}", mail.about
    secret.write_text("t0ken")
    box = Mailbox(desk, f"smtps://{user}@localhost:{ports['token']}?auth=xoauth2", secret=f"file:{secret}")
    box.wait_state(box.mail(), "sent")
    mail, = mails_of(desk, "token", box)
    assert mail.about["login"] == ["XOAUTH2", USER] and mail.about["sni"] == "localhost", mail.about
    log = desk.log_of("responder-1").read_text()
    assert "s3cret" not in log and box.address not in log


def test_the_subject_is_the_thread_s(desk):
    """An answer has its prefix once, whatever the mail had; a notice has none."""
    start(desk)
    box = mailbox(desk, "ok")
    for subject in ("Prices", "AW: Prices", ""):
        box.wait_state(box.mail(subject=subject), "sent")
    box.wait_state(box.mail(subject="Prices", author="system"), "sent")
    assert [mail["Subject"] for mail in mails_of(desk, "ok", box)] == ["Re: Prices", "AW: Prices", "Re:", "Prices"]


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


PATIENT = {"mail_begin_ms": 120000, "mail_command_ms": 120000, "mail_dot_ms": 120000}  # as by default


def test_a_server_that_hangs_holds_up_nobody_else(desk):
    """As many mails as there are threads, of four mailboxes, wait behind the dot of one server for minutes."""
    start(desk, mail_threads=8, **PATIENT)
    hanging = [mailbox(desk, "hang") for _ in range(4)]
    hanging += [Mailbox(desk, box=SimpleNamespace(address=box.sender)) for box in hanging]
    waiting = [(box, box.mail()) for box in hanging]
    for box, delivery in waiting:
        box.wait_state(delivery, "sending")
    desk.wait(lambda: sum(len(mails_of(desk, "hang", box)) for box in hanging) >= 4, 20, "four at the dot")
    other = mailbox(desk, "ok")
    other.wait_state(other.mail(), "sent")
    assert {box.state(delivery) for box, delivery in waiting} == {"sending"}


def test_a_takeover_does_not_wait_for_a_silent_server(desk):
    """P4: of one that its server has not let begin nothing leaves any more; of one that has begun it is said."""
    start(desk, **PATIENT)
    box = mailbox(desk, "silent")
    delivery = box.mail()
    desk.wait(lambda: box.row(delivery)["state"] == "sending", 20, "the claim")
    facts = good(desk, "takeover", box.conversation, "--json").json()
    assert (facts["state"], facts["in_flight"], facts["begun"]) == ("yours", 1, 0), facts
    assert box.wait_state(delivery, "suppressed")["reason"] == "epoch"
    assert [attempt["error_code"] for attempt in box.tries(delivery)] == ["smtp.taken"]
    assert mails_of(desk, "silent", box) == []

    box = mailbox(desk, "hang")
    delivery = box.mail()
    desk.wait(lambda: mails_of(desk, "hang", box), 30, "the mail at its server")
    said = good(desk, "takeover", box.conversation, "--json")
    assert (said.json()["state"], said.json()["begun"]) == ("yours", 1), said.out
    assert "may still arrive" in said.said and box.row(delivery)["state"] == "sending"
    assert len(mails_of(desk, "hang", box)) == 1


def test_refused_for_good(desk):
    start(desk)
    for name, code, reason in (("nobody", "550 5.1.1", "bad_address"), ("spam", "554 5.7.1", "refused"),
                               ("small", "552 5.3.4", "refused")):
        box = mailbox(desk, name)
        row = box.wait_state(box.mail(), "failed")
        assert (row["error_code"], row["reason"]) == (code, reason), row
        assert mails_of(desk, name, box) == []
        tell(f"refused: {code}{' (its size)' if name == 'small' else ''}", (name, box), told=[box])


def test_one_of_two_customers_is_refused(desk):
    """By one server, of one mailbox: the other one's mail is not held up by it."""
    start(desk)
    first = mailbox(desk, "half")
    other = Mailbox(desk, box=SimpleNamespace(address=first.sender))
    assert first.wait_state(first.mail(), "failed")["reason"] == "bad_address"
    other.wait_state(other.mail(), "sent")
    tell("one of two customers refused", ("half", first), ("half", other), told=[first])
    assert len(servers(desk).mails("half")) == len(mails_of(desk, "half", other)) == 1


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
    tell("greylisted", ("grey", box))
    assert len(mails_of(desk, "grey", box)) == 1


def wait_for_a_person(desk, name, code, fault):
    """The server is not to be trusted: neither the password nor the mail leaves until somebody has mended it."""
    start(desk)
    secret = desk.folder / "strip.secret"
    secret.write_text("s3cret")
    urls = {name: f"smtp://{USER.replace('@', '%40')}@localhost:{servers(desk).ports[name]}" for name in (name, "login")}
    box = Mailbox(desk, urls[name], secret=f"file:{secret}")
    before = desk.service("responder-1").metrics().get("frontdesk_provider_alerts_total", 0)
    delivery = box.mail()
    row = box.wait_state(delivery, "deferred")
    assert row["error_code"] == code and row["first_attempt_at"] is None, row
    assert desk.service("responder-1").metrics()["frontdesk_provider_alerts_total"] == before + 1
    assert mails_of(desk, name, box) == []
    desk.sql("UPDATE mail_accounts SET url = %s WHERE channel_id = %s::uuid", urls["login"], box.channel)
    box.come_again(delivery)
    box.wait_state(delivery, "sent")
    tell(fault, ("login", box))
    assert mails_of(desk, name, box) == [] and len(mails_of(desk, "login", box)) == 1


def test_no_tls_no_mail(desk):
    """Somebody took STARTTLS away."""
    wait_for_a_person(desk, "strip", "smtp.no_starttls", "STARTTLS stripped, then mended")


def test_wrong_certificate_no_mail(desk):
    """It is for another name."""
    wait_for_a_person(desk, "wrong", "smtp.certificate", "wrong certificate, then mended")


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
    tell("dropped behind the dot, once", ("deaf", box))
    assert first.raw == second.raw and first["Message-ID"] == f"<{row['provider_sid']}>"
    assert [attempt["outcome"] for attempt in box.tries(delivery)] == ["unknown", "accepted"]


def test_unknown_three_times_is_for_a_person(desk):
    start(desk)
    box = mailbox(desk, "mute")
    delivery = box.mail()
    row = box.wait_state(delivery, "parked", deadline_s=60)
    assert row["reason"] == "unknown", row
    copies = settled_mails(desk, "mute", box, 3.0)
    tell("dropped behind the dot, always", ("mute", box))
    assert len(copies) == 3 and len({copy.raw for copy in copies}) == 1


test_unknown_three_times_is_for_a_person.deadline_s = 120


def about_to_leave_again(desk, name, action):
    """A mail whose first copy has left, and nobody knows; the second one waits for its server to let it begin. Returns
    mailbox, delivery, and the responder that stopped (`action`) behind the server's yes to the first."""
    start(desk, 2, **PATIENT)
    box = mailbox(desk, name)
    stop = desk.stops.arm("responder.answered", action=action)
    delivery = box.mail()
    desk.wait(lambda: stop.hits, 15, "the yes to the first copy")
    box.wait_state(delivery, "unknown", deadline_s=30)
    box.come_again(delivery)
    desk.wait(lambda: (box.state(delivery), len(box.tries(delivery))) == ("sending", 2), 30, "the second copy")
    first, = (service for service in ("responder-1", "responder-2") if desk.service(service).pid == stop.pid)
    return box, delivery, first


def taken_from_its_server(desk, name, box, delivery):
    """A takeover lists the copy that is about to leave, and it does not leave behind "yours"; the first one is what the
    customer has."""
    assert box.state(delivery) == "sending", "settled while a copy is about to leave"
    facts = good(desk, "takeover", box.conversation, "--json").json()
    assert (facts["state"], facts["in_flight"], facts["begun"]) == ("yours", 1, 0), facts
    row = box.wait_state(delivery, "sent")
    assert row["provider_sid"] == box.message_id(delivery) and row["worker"] is None
    assert [(attempt["outcome"], attempt["error_code"]) for attempt in box.tries(delivery)][1] == ("not_sent", "smtp.taken")
    servers(desk).let(name, "go")
    assert len(settled_mails(desk, name, box, 1.5)) == 1


def test_v4_late_yes_while_a_newer_attempt_is_about_to_leave(desk):
    """The first one's process was stopped, and tells what the server said when the second copy has its turn."""
    box, delivery, first = about_to_leave_again(desk, "again", FREEZE)
    desk.thaw(first)
    desk.wait(lambda: box.tries(delivery)[0]["outcome"] == "accepted", 15, "the late yes")
    taken_from_its_server(desk, "again", box, delivery)


def test_v4_a_report_while_a_newer_attempt_is_about_to_leave(desk):
    """The first one's process is dead; a mail server tells that the first copy arrived."""
    box, delivery, _ = about_to_leave_again(desk, "again2", KILL)
    report(desk, box, delivery, "delivered", status="2.0.0")
    desk.wait(lambda: any(attempt["outcome"] == "accepted" for attempt in box.tries(delivery)), 15, "the report")
    taken_from_its_server(desk, "again2", box, delivery)
    desk.responding = None
    desk.revive(("responder",))


# ---- what it quotes


ASKED = "When are you <open>?\n\nAnd on Saturday?\n> as you wrote"


def test_quotes_the_mail_that_it_answers(desk):
    """Once in the text and once in HTML, in the words of its row: the second copy of one whose outcome is unknown is
    the same mail, whatever the customer has written since."""
    start(desk)
    box = mailbox(desk, "deaf3")
    delivery = box.mail("Good morning.", quoted=box.came(ASKED), quoted_on="2026-11-02 10:15", language="de")
    desk.wait(lambda: mails_of(desk, "deaf3", box), 30, "the first copy")
    box.came("something else")
    box.wait_state(delivery, "sent", deadline_s=40)
    first, second = mails_of(desk, "deaf3", box)
    assert first.raw == second.raw
    intro = f"Am 02.11.2026 um 10:15 schrieb {box.address}:"
    assert first.whole == (f"Good morning.\n\n{intro}\n> When are you <open>?\n>\n> And on Saturday?\n"
                           ">> as you wrote"), first.whole
    html = first.html
    assert html.count("When are you &lt;open&gt;?") == html.count(intro) == html.count("<blockquote") == 1, html
    assert html.index("Good morning.") < html.index(intro) < html.index("<blockquote") < html.index("When are you")
    assert '<html lang="de">' in html


def give_turn(desk, box, asked, delivery):
    """The mail `asked` was answered by this delivery's turn, in which a tool was begun."""
    turn = desk.value(
        "INSERT INTO turns (tenant_id, id, session_id, conversation_id, number, state, fence, epoch, deadline_at, finished_at)"
        " VALUES (%s::uuid, gen_random_uuid(), %s::uuid, %s::uuid, 1, 'finished', 1, 0, now(), now()) RETURNING id::text",
        box.tenant, box.session, box.conversation)
    desk.sql("INSERT INTO inbox_events (tenant_id, channel, provider_id, session_id, message_id, address_hash, content_hash,"
             " state, turn_id, claim_id, event_time) VALUES (%s::uuid, 'mail', %s, %s::uuid, %s::uuid, gen_random_uuid(), '',"
             " 'answered', %s::uuid, gen_random_uuid(), now())", box.tenant, asked, box.session, asked, turn)
    desk.sql("INSERT INTO turn_rounds (tenant_id, turn_id, number, after_position, claimed, said)"
             " VALUES (%s::uuid, %s::uuid, 1, 1, 1, '')", box.tenant, turn)
    desk.sql("INSERT INTO tool_calls (tenant_id, id, turn_id, round, place, provider_id, name, arguments, started_at)"
             " VALUES (%s::uuid, gen_random_uuid(), %s::uuid, 1, 1, 'c', 'take_message', '{}', now())", box.tenant, turn)
    desk.sql("UPDATE deliveries SET turn_id = %s::uuid WHERE id = %s::uuid", turn, delivery)
    desk.sql("UPDATE channel_sessions SET delivery_seq = %s WHERE id = %s::uuid", box.seq, box.session)


def test_what_is_said_again_quotes_the_same(desk):
    """A takeover kept a reply from leaving, and after it the reply leaves as a mail of its own."""
    start(desk)
    box = mailbox(desk, "ok")
    asked = box.came(ASKED)
    desk.sql("UPDATE conversations SET epoch = 1, held_by = 'ops:test', held_at = now() WHERE id = %s::uuid", box.conversation)
    kept = box.mail("Good morning.", epoch=0, quoted=asked, quoted_on="2026-11-02 10:15", language="de")
    assert box.wait_state(kept, "suppressed")["reason"] == "epoch"
    give_turn(desk, box, asked, kept)
    good(desk, "handback", box.conversation)
    anew, *more = desk.sql("SELECT id::text FROM deliveries WHERE conversation_id = %s::uuid AND id <> %s::uuid",
                           box.conversation, kept)
    assert not more
    rows = desk.sql("SELECT subject, in_reply_to, reference_ids, quoted_id::text, quoted_on, language FROM delivery_mails"
                    " WHERE delivery_id = ANY (%s::uuid[])", [kept, anew[0]])
    assert rows == [rows[0]] * 2 and rows[0][3:] == (asked, "2026-11-02 10:15", "de"), rows
    box.wake_mail(anew[0])
    box.wait_state(anew[0], "sent")
    mail, = mails_of(desk, "ok", box)
    assert f"Am 02.11.2026 um 10:15 schrieb {box.address}:\n> When are you <open>?" in mail.whole, mail.whole


def test_quotes_no_more_than_a_bound(desk):
    """And nothing of a mail without words."""
    start(desk)
    box = mailbox(desk, "ok")
    for text in ("line of words\n" * 5000, " \n"):
        box.wait_state(box.mail(quoted=box.came(text), quoted_on="2026-11-02 10:15"), "sent")
    long, empty = mails_of(desk, "ok", box)
    assert long.quoted[1].endswith("\nline of words\n[...]"), long.quoted[1][-60:]
    assert 15000 < len(long.quoted[1]) < 17000, len(long.quoted[1])
    assert empty.quoted is None and "wrote:" not in empty.whole and "blockquote" not in empty.html


# ---- what servers tell later


def report(desk, box, delivery, action, number=0, **more):
    """What the mailpoller publishes of a server's report."""
    mailbox, uid = str(uuid.uuid4()), secrets.randbelow(1 << 30) + 1
    value = {"mailbox": mailbox, "uid_validity": 7, "uid": uid, "number": number, "delivery": delivery,
             "action": action, "fault": "none", **more}
    headers = {"ce_specversion": "1.0", "ce_id": f"{mailbox}:7:{uid}:{number}", "ce_source": "frontdesk/mailpoller",
               "ce_type": "desk.mail.reported.v1", "ce_time": now(), "content-type": "application/json",
               "tenant": box.tenant}
    desk.produce("receipts", f"{box.tenant}:{delivery}", value, headers)


def flagged(desk, box):
    return desk.value("SELECT flagged FROM conversations WHERE id = %s::uuid", box.conversation)


def test_bounce_settles_it(desk):
    """Not a dead letter: the delivery says so, a person is told, the next of the thread goes on. That somebody has
    written in the customer's name keeps nobody from being told."""
    start(desk)
    box = mailbox(desk, "ok")
    delivery = box.mail()
    desk.sql("UPDATE conversations SET flagged = 'dmarc' WHERE id = %s::uuid", box.conversation)
    box.wait_state(delivery, "sent")
    report(desk, box, delivery, "failed", fault="address", status="5.1.1", recipient=box.address,
           diagnostic="smtp; 550 5.1.1 no such user")
    row = box.wait_state(delivery, "bounced")
    assert (row["reason"], row["error_code"], row["provider_status"]) == ("bad_address", "5.1.1", "bounced"), row
    assert flagged(desk, box) == "bounced"
    report(desk, box, delivery, "delivered")  # comes too late to change anything
    box.wait_state(box.mail(), "sent")
    assert box.state(delivery) == "bounced"
    assert [r for r in desk.kafka_records("dlq") if delivery.encode() in (r.value or b"")] == []


def test_reports_move_it_forward(desk):
    start(desk)
    box = mailbox(desk, "ok")
    late, arrived = box.mail(), box.mail()
    for delivery in (late, arrived):
        box.wait_state(delivery, "sent")
    report(desk, box, late, "delayed", fault="temporary", status="4.4.1")
    report(desk, box, arrived, "delivered", status="2.0.0")
    box.wait_state(arrived, "delivered")
    assert box.state(late) == "sent" and flagged(desk, box) is None


def test_bounce_of_an_unknown_copy(desk):
    """The answer was lost, the mail came back: no further copy leaves."""
    start(desk, mail_again_after_ms=20000)
    box = mailbox(desk, "deaf2")
    delivery = box.mail()
    box.wait_state(delivery, "unknown")
    report(desk, box, delivery, "failed", fault="full", status="5.2.2")
    assert box.wait_state(delivery, "bounced")["reason"] == "full"
    box.come_again(delivery)
    assert len(settled_mails(desk, "deaf2", box, 1.5)) == 1


def test_who_complains_gets_nothing_more(desk):
    start(desk)
    box = mailbox(desk, "ok")
    delivery = box.mail()
    box.wait_state(delivery, "sent")
    report(desk, box, delivery, "unknown", feedback="abuse")
    desk.wait(lambda: flagged(desk, box) == "complaint", 15, "the flag")
    assert box.wait_state(box.mail(), "suppressed")["reason"] == "opt_out"


# ---- slow servers


def test_slow_server_delays_no_text(desk):
    """All places for mails are taken by a server that does not answer, and more wait: a text leaves at once, also one
    that nobody woke the responder for."""
    start(desk, mail_in_flight=2, max_in_flight=2, mail_dot_ms=20000)
    box = mailbox(desk, "hang")
    mails = [mailbox(desk, "hang").mail() for _ in range(6)]
    desk.wait(lambda: len(servers(desk).mails("hang")) >= 2, 20, "two mails to hang")
    customer = Customer(desk)
    customer.wait_state(customer.reply(), "sent", "delivered")
    customer.wait_state(customer.reply(wake=False), "sent", "delivered")
    states = [box.state(mail) for mail in mails]
    assert states.count("sending") == 2 and states.count("pending") == 4, states


def test_slow_servers_get_each_mail_once(desk):
    """One that is slow at everything, and one that is too slow: before the mail, and behind its end."""
    start(desk, mail_command_ms=4000, mail_dot_ms=4000)
    boxes = [mailbox(desk, "slow") for _ in range(3)]
    mails = [box.mail() for box in boxes]
    late = mailbox(desk, "sloth")
    mail = late.mail()
    for box, delivery in zip(boxes, mails):
        box.wait_state(delivery, "sent", deadline_s=40)
    tell("slow server", *(("slow", box) for box in boxes))
    assert late.wait_state(mail, "deferred")["error_code"] == "smtp.timeout"
    late.come_again(mail)
    late.wait_state(mail, "sent", deadline_s=60)
    tell("server too slow, before the mail and behind it", ("sloth", late))
    assert [attempt["outcome"] for attempt in late.tries(mail)] == ["not_sent", "unknown", "accepted"]
    assert all(len(mails_of(desk, "slow", box)) == 1 for box in boxes)
    assert len({copy.raw for copy in mails_of(desk, "sloth", late)}) == 1


test_slow_servers_get_each_mail_once.deadline_s = 150


def test_drain_does_not_wait_for_the_dot(desk):
    """The server has the whole mail and says nothing: the process ends in time, and another one sends the same again."""
    start(desk, mail_dot_ms=120000, mail_drain_ms=300, drain_ms=20000)
    box = mailbox(desk, "late")
    delivery = box.mail()
    desk.wait(lambda: mails_of(desk, "late", box), 20, "the first copy")
    assert desk.terminate("responder-1") == 0
    row = box.row(delivery)
    assert (row["state"], row["worker"]) == ("unknown", None), row
    desk.responding = None
    start(desk)
    box.wait_state(delivery, "sent", deadline_s=40)
    first, second = mails_of(desk, "late", box)
    tell("responder ends while the server thinks", ("late", box))
    assert first.raw == second.raw


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
