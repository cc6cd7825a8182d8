"""The mailpoller between a real IMAP server, Kafka and PostgreSQL: every mail of a person is published
once, what must not be answered says so, and nothing of before is touched.
"""

import os
import uuid
from email.message import EmailMessage

import yaml

from harness import CHECKOUT
from mailing import Mailbox, mail, pollers, published, reports, server, tenant_id, token
from operating import good
from withholding import CLOSED, QUICK, Withholder


LONG = os.environ.get("FRONTDESK_LONG") == "1"
FILM_BYTES = 20 * 1024 * 1024  # 27 MB in base64: more than is read of a mail


def with_file(name, content, *behind):
    """`behind`: (name, content) of further files."""
    made = EmailMessage()
    made["From"] = "Ann <ann@customer.example>"
    made["To"] = "desk@clinic.example"
    made["Subject"] = "a picture"
    made["Message-ID"] = f"<{uuid.uuid4()}@customer.example>"
    made.set_content("see the picture")
    made.add_attachment(content, maintype="image", subtype="png", filename=name)
    for other, data in behind:
        made.add_attachment(data, maintype="application", subtype="pdf", filename=other)
    return made.as_bytes().replace(b"\n", b"\r\n")


def report_on(message_id, status="5.1.1"):
    """A bounce as Postfix writes it."""
    boundary = "b.12345"
    return f"""From: MAILER-DAEMON@customer.example (Mail Delivery System)
Subject: Undelivered Mail Returned to Sender
To: desk@clinic.example
Message-ID: <{uuid.uuid4()}@customer.example>
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="{boundary}"

--{boundary}
Content-Type: text/plain; charset=us-ascii

I'm sorry to have to inform you that your message could not be delivered.

--{boundary}
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.customer.example

Final-Recipient: rfc822; gone@customer.example
Action: failed
Status: {status}
Diagnostic-Code: smtp; 550 {status} no such user

--{boundary}
Content-Type: text/rfc822-headers

From: desk@clinic.example
To: gone@customer.example
Message-ID: <{message_id}>
Subject: Re: Friday

--{boundary}--
""".encode().replace(b"\n", b"\r\n")


def test_a_mail_arrives_once(desk):
    pollers(desk, idle_ms=600000)
    mailbox = Mailbox(desk)
    mailbox.wait_cursor(0)
    body = ("Do you have time on Friday?\n\n"
            "On Mon, 23 Nov 2026 at 10:00, Desk <desk@clinic.example> wrote:\n> Call us.\n")
    mailbox.deliver(mail("Re: Friday", body, sender="Ann Example <Ann@Customer.Example>",
                         to=mailbox.address, message_id="<one@customer.example>",
                         In_Reply_To="<zero@clinic.example>"))
    event, = mailbox.wait_events(1)
    value = event.value
    assert event.key == f"{tenant_id(desk)}:ann@customer.example"
    assert event.id == f"{mailbox.id}:{value['uid_validity']}:1"
    assert value["from"] == "ann@customer.example" and value["from_name"] == "Ann Example"
    assert value["class"] == "person" and "rule" not in value
    assert value["subject"] == "Re: Friday" and value["message_id"] == "one@customer.example"
    assert value["in_reply_to"] == ["zero@clinic.example"]
    assert value["text"].strip() == "Do you have time on Friday?", value
    assert "Call us." in value["body"], value
    mailbox.wait_cursor(1)
    mailbox.deliver(mail("two", "another"))  # by IDLE: the next look is ten minutes away
    mailbox.wait_events(2)
    assert mailbox.dovecot.status(mailbox.user)["UNSEEN"] == 2, "something was marked as seen"
    assert desk.services["mailpoller-1"].metrics()[
        'frontdesk_mails_published_total{class="person"}'] == 2
    assert desk.terminate("mailpoller-1") == 0
    assert mailbox.row().worker is None and mailbox.row().failures == 0
    desk.restart("mailpoller-1")  # which looks by SELECT
    mailbox.deliver(mail("three", "one more"))
    mailbox.wait_cursor(3)
    assert len(mailbox.events()) == 3
    mailbox.remove()


def test_over_starttls(desk):
    pollers(desk)
    mailbox = Mailbox(desk, security="starttls")
    mailbox.wait_cursor(0)
    mailbox.deliver(mail("one", "text"))
    assert len(mailbox.wait_events(1)) == 1
    mailbox.remove()


def test_what_is_not_to_be_answered_says_so(desk):
    pollers(desk)
    mailbox = Mailbox(desk)
    mailbox.wait_cursor(0)
    mailbox.deliver(
        mail("Out of office", "I am away", Auto_Submitted="auto-replied"),
        mail("News", "buy", List_Id="<news.shop.example>", List_Unsubscribe="<https://x.example>"),
        mail("ours", "came back", sender=f"Desk <{mailbox.address}>"),
        report_on("nobody-knows@clinic.example"),
        b"Subject: nobody\r\n\r\nno sender at all\r\n",
        mail("hello", "a person"))
    events = mailbox.wait_events(5)
    classes = [event.value["class"] for event in events]
    by_uid = {event.value["uid"]: event.value["class"] for event in events}
    assert by_uid == {1: "auto_reply", 2: "list", 3: "own", 4: "bounce", 6: "person"}, classes
    mailbox.wait_cursor(6)
    assert mailbox.skips() == [(5, "no_sender")]
    mailbox.remove()


def test_a_report_finds_its_delivery(desk):
    pollers(desk)
    mailbox = Mailbox(desk)
    mailbox.wait_cursor(0)
    delivery = str(uuid.uuid4())
    mailbox.deliver(report_on(token(desk, "delivery", delivery) + "@clinic.example"))
    mailbox.wait_cursor(1)
    report, = [r for r in reports(desk) if r.value["mailbox"] == mailbox.id]
    assert report.key == f"{tenant_id(desk)}:{delivery}"
    assert report.value["delivery"] == delivery and report.value["action"] == "failed"
    assert report.value["fault"] == "address" and report.value["status"] == "5.1.1"
    assert report.value["recipient"] == "gone@customer.example"
    assert mailbox.events() == [], "a report is no customer's mail"
    mailbox.remove()


def test_an_answer_finds_its_conversation(desk):
    pollers(desk)
    mailbox = Mailbox(desk)
    mailbox.wait_cursor(0)
    conversation, delivery = str(uuid.uuid4()), str(uuid.uuid4())
    local, _, domain = mailbox.address.partition("@")
    mailbox.deliver(
        mail("Re: x", "yes", to=f"{local}+{token(desk, 'conversation', conversation)}@{domain}",
             References=f"<a@x.example> <{token(desk, 'delivery', delivery)}@{domain}>"),
        mail("Re: y", "no", to=f"{local}+{token(desk, 'delivery', conversation)}@{domain}"))
    first, second = mailbox.wait_events(2)
    assert first.value["conversation"] == conversation and first.value["delivery"] == delivery
    assert "conversation" not in second.value, "a token of another kind was taken"
    mailbox.remove()


def test_attachments_are_kept(desk):
    pollers(desk)
    mailbox = Mailbox(desk)
    mailbox.wait_cursor(0)
    content = bytes(range(256)) * 5000
    mailbox.deliver(with_file("x-ray.png", content))
    event, = mailbox.wait_events(1)
    file, = event.value["files"]
    assert file["name"] == "x-ray.png" and file["type"] == "image/png" and file["stored"]
    assert file["size_bytes"] == len(content)
    rows = desk.sql("SELECT number, name, content_type, size_bytes, content FROM attachments"
                    " WHERE event_id = %s", event.id)
    assert [(number, name, kind, size) for number, name, kind, size, _ in rows] == [
        (file["number"], "x-ray.png", "image/png", len(content))]
    assert bytes(rows[0][4]) == content
    mailbox.remove()


def test_attachments_outlive_their_event(desk):
    """An event that engines have not claimed yet may be read, be parked as a dead letter at its end, and be read again
    from there; only then are its attachments nobody's. Those of a robot go then, too; those of a customer do not, nor of who may be one
    and failed DMARC."""
    server(desk)
    desk.prepare()
    topics = yaml.safe_load((CHECKOUT / "schema" / "topics.yaml").read_text())["topics"]
    kept_s = sum(topic["config"]["retention.ms"] + topic["config"]["segment.ms"] for topic in topics
                 if topic["name"] in ("inbound.email", "dlq")) / 1000
    for name, age_s, reason in (("old", kept_s + 3600, None), ("young", kept_s - 3600, None),
                                ("claimed", 2 * kept_s, "no_consent"), ("erased", 25 * 3600, "erased"),
                                ("junk", kept_s + 3600, "spam"), ("dmarc", kept_s + 3600, "spam"),
                                ("list", kept_s - 3600, "list")):
        desk.sql("INSERT INTO attachments (tenant_id, channel, event_id, number, kind, name,"
                 " content_type, size_bytes, content, created_at) VALUES (%s, 'mail', %s, 1, 'file',"
                 " 'x', 'text/plain', 1, 'x', clock_timestamp() - %s * interval '1 s')",
                 tenant_id(desk), name, age_s)
        if reason:
            desk.sql("INSERT INTO inbox_events (tenant_id, channel, provider_id, session_id, message_id, address_hash,"
                     " content_hash, state, reason, claim_id, event_time) VALUES (%s, 'mail', %s, gen_random_uuid(),"
                     " gen_random_uuid(), gen_random_uuid(), '', 'ended', %s, gen_random_uuid(), clock_timestamp())",
                     tenant_id(desk), name, reason)
    desk.sql("DO $$ BEGIN SET LOCAL session_replication_role = replica;"  # without the messages that they belong to
             " INSERT INTO message_mails (tenant_id, message_id, class, rule, verified) SELECT tenant_id, message_id,"
             " 'spam', CASE provider_id WHEN 'dmarc' THEN 'dmarc' ELSE 'header' END, false FROM inbox_events"
             " WHERE provider_id IN ('junk', 'dmarc'); END $$")
    pollers(desk)
    desk.wait(lambda: len(left(desk)) <= 4, 20, "the sweep")
    assert left(desk) == ["claimed", "dmarc", "list", "young"]


def left(desk):
    return [name for name, in desk.sql("SELECT event_id FROM attachments WHERE event_id IN"
                                       " ('old', 'young', 'claimed', 'erased', 'junk', 'dmarc', 'list') ORDER BY 1")]


def test_a_large_mail_comes_in_part(desk):
    pollers(desk)
    mailbox = Mailbox(desk)
    mailbox.wait_cursor(0)
    mailbox.deliver(with_file("film.png", bytes(FILM_BYTES), ("Rechnung März.pdf", b"%PDF-"), ("b.pdf", b"%PDF-")),
                    mail("after", "it"))
    large, after = mailbox.wait_events(2, 60)
    assert large.value["cut"] and large.value["text"].strip() == "see the picture"
    assert [(file["name"], file["type"], file["size_bytes"], file.get("stored", False)) for file in large.value["files"]] == [
        ("film.png", "image/png", 0, False), ("Rechnung März.pdf", "application/pdf", 0, False),
        ("b.pdf", "application/pdf", 0, False)]
    assert len({file["number"] for file in large.value["files"]}) == 3
    assert desk.sql("SELECT count(*) FROM attachments WHERE event_id = %s", large.id) == [(0,)]
    assert after.value["subject"] == "after"
    mailbox.remove()


test_a_large_mail_comes_in_part.deadline_s = 120


def test_a_large_mail_whose_parts_are_not_told(desk):
    """The server fails at them: it refuses the mail with them, ends the session, or is said to be busy. The mail is read
    without."""
    pollers(desk, **QUICK)
    for answer in ("NO [SERVERBUG] Internal error", "* BYE out of sorts", "NO Server Unavailable. 15", CLOSED):
        way = Withholder(server(desk), instead=lambda command, said=answer: said if "BODYSTRUCTURE" in command else None)
        mailbox = Mailbox(desk, port=way.port)
        mailbox.wait_cursor(0)
        mailbox.deliver(with_file("film.png", bytes(FILM_BYTES), ("b.pdf", b"%PDF-")))
        mailbox.wait_cursor(1, 60)
        large, = mailbox.events()
        assert large.value["cut"] and [file["name"] for file in large.value["files"]] == ["film.png"]
        assert len(way.meddled) == 1 and mailbox.skips() == [], (way.meddled, mailbox.skips())
        mailbox.tell(f"a large mail whose parts are not told: {answer}", "a picture")
        mailbox.remove()
        way.stop()
    desk.terminate("mailpoller-1")


test_a_large_mail_whose_parts_are_not_told.deadline_s = 120


def test_long_texts_are_cut_with_a_mark(desk):
    pollers(desk)
    mailbox = Mailbox(desk)
    mailbox.wait_cursor(0)
    line = '"' * 70 + "\n"  # two bytes each in JSON
    mailbox.deliver(mail("long", line * 20000))
    event, = mailbox.wait_events(1)
    assert event.value["cut"] and event.value["text"].endswith("\n[...]")
    assert len(event.value["text"]) > 30000 and len(event.value["body"]) > 100000
    mailbox.remove()


def test_old_mails_stay_unread(desk):
    """However many a mailbox has when it is connected for the first time."""
    old = 10000 if LONG else 1000
    pollers(desk)
    mailbox = Mailbox(desk, old=old)
    mailbox.wait_cursor(old, 120)
    mailbox.deliver(mail("new", "the first that counts"))
    mailbox.wait_cursor(old + 1, 60)
    mailbox.tell(f"{old} old mails in a new mailbox", "new")
    assert [event.value["uid"] for event in mailbox.events()] == [old + 1]
    mailbox.remove()


test_old_mails_stay_unread.deadline_s = 300


def test_numbers_that_change_lose_and_repeat_nothing(desk):
    """What came while nobody looked, and the mailbox was made anew meanwhile, is read; what was read
    before is the same by content; what was there before us stays unread."""
    pollers(desk)
    mailbox = Mailbox(desk, old=30)
    mailbox.wait_cursor(30)
    mailbox.deliver(mail("one", "before"), mail("two", "before"))
    before = mailbox.wait_events(2)
    mailbox.wait_cursor(32)
    desk.terminate("mailpoller-1")
    mailbox.deliver(mail("three", "in between"))
    mailbox.deliver(mail("moved", "an old one, moved here today", Date="Tue, 1 Apr 2025 10:00:00 +0000"),
                    mail("undated", "moved here today, and who knows how old", Date=None))
    fresh = mailbox.dovecot.renumber(mailbox.user)
    pollers(desk)
    desk.wait(lambda: mailbox.row().uid_validity == fresh, 20, "the new numbers")
    mailbox.wait_cursor(35)
    after = [event for event in mailbox.events() if event.value["uid_validity"] == fresh]
    assert [event.value["subject"] for event in after] == ["one", "two", "three"]
    assert [event.value["content_hash"] for event in after[:2]] == [
        event.value["content_hash"] for event in before]
    assert len({event.value["content_hash"] for event in mailbox.events()}) == 3
    assert mailbox.skips() == [(34, "old"), (35, "old")]
    desk.wait(lambda: mailbox.row().since_at is None, 10, "the end of the rescan")
    mailbox.deliver(mail("four", "as usual"))
    mailbox.wait_cursor(36)
    mailbox.tell("UIDVALIDITY changes", "one", "two", "three", "four")
    mailbox.remove()


def test_numbers_that_change_at_a_server_that_tells_no_end(desk):
    """Without UIDNEXT, a new mailbox begins behind its last mail, and one that was made anew is read again no further
    back than any other."""
    pollers(desk)
    way = Withholder(server(desk), change=lambda command, response: b"" if b"[UIDNEXT" in response else response)
    mailbox = Mailbox(desk, old=30, port=way.port)
    mailbox.wait_cursor(30)
    mailbox.deliver(mail("one", "before"))
    mailbox.wait_cursor(31)
    desk.terminate("mailpoller-1")
    mailbox.deliver(mail("two", "in between"))
    fresh = mailbox.dovecot.renumber(mailbox.user)
    pollers(desk)
    desk.wait(lambda: mailbox.row().uid_validity == fresh and mailbox.row().since_at is None, 20, "the end of the rescan")
    mailbox.wait_cursor(32)
    after = [event.value["subject"] for event in mailbox.events() if event.value["uid_validity"] == fresh]
    assert after == ["one", "two"]
    mailbox.deliver(mail("three", "as usual"))
    mailbox.wait_cursor(33)
    mailbox.tell("UIDVALIDITY changes, and no UIDNEXT is told", "one", "two", "three")
    assert mailbox.skips() == []
    mailbox.remove()
    desk.terminate("mailpoller-1")
    way.stop()


def test_two_pollers_share_mailboxes(desk):
    pollers(desk, 2, max_mailboxes=3)
    mailboxes = [Mailbox(desk) for _ in range(4)]
    for mailbox in mailboxes:
        mailbox.wait_cursor(0)
    for number in range(3):
        for mailbox in mailboxes:
            mailbox.deliver(mail(f"mail {number}", "text"))
    for mailbox in mailboxes:
        mailbox.wait_cursor(3)
    assert len({mailbox.row().worker for mailbox in mailboxes}) == 2, "one has them all"
    desk.kill("mailpoller-1")
    desk.kill("mailpoller-2")
    pollers(desk, 2)
    for mailbox in mailboxes:
        mailbox.deliver(mail("after", "the crash"))
    for mailbox in mailboxes:
        mailbox.wait_cursor(4)
    mine = {mailbox.id for mailbox in mailboxes}
    ids = [event.id for event in published(desk) if event.value["mailbox"] in mine]
    assert len(ids) == len(set(ids)) == 16, ids
    for mailbox in mailboxes:
        mailbox.tell("two pollers, both killed", "mail 0", "mail 1", "mail 2", "after")
        mailbox.remove()


def test_a_refused_login_waits_and_recovers(desk):
    pollers(desk)
    mailbox = Mailbox(desk)
    mailbox.wait_cursor(0)
    desk.terminate("mailpoller-1")
    good = mailbox.secret.read_text()
    mailbox.secret.write_text("wrong\n")
    pollers(desk)
    desk.wait(lambda: mailbox.row().failures >= 1, 20, "the refusal")
    assert "imap.authentication" in mailbox.row().last_error
    assert good.strip() not in desk.log_of("mailpoller-1").read_text()
    mailbox.deliver(mail("one", "waits"))
    mailbox.secret.write_text(good)
    mailbox.wait_cursor(1)
    assert mailbox.row().failures == 0 and mailbox.row().last_error is None
    assert len(mailbox.events()) == 1
    mailbox.tell("login refused for a while", "one")
    mailbox.remove()


def test_a_server_that_comes_back_is_read_on(desk):
    pollers(desk)
    mailbox = Mailbox(desk)
    mailbox.wait_cursor(0)
    server(desk).stop()
    desk.wait(lambda: mailbox.row().failures >= 1, 20, "the failure")
    server(desk).start()
    mailbox.deliver(mail("one", "text"))
    mailbox.wait_cursor(1)
    assert len(mailbox.events()) == 1
    mailbox.tell("IMAP server away for a while", "one")
    mailbox.remove()


def test_a_folder_that_is_gone_is_told_and_read_on(desk):
    """Somebody renamed it, and back; then it was removed and made anew. What came meanwhile is read."""
    server(desk)
    desk.prepare()
    mailbox = Mailbox(desk, folder="Desk")
    folders(mailbox, "create", "Desk")
    pollers(desk, idle_ms=200, retry_ms=50, retry_max_ms=50, adopt_every_ms=50)
    mailbox.wait_cursor(0)
    mailbox.deliver(mail("one", "before"))
    mailbox.wait_cursor(1)
    folders(mailbox, "rename", "Desk", "Old")
    wait_folder_gone(desk, mailbox)
    mailbox.dovecot.deliver(mailbox.user, mail("two", "meanwhile"), folder="Old")
    assert mailbox.row().last_uid == 1 and mailbox.skips() == []
    folders(mailbox, "rename", "Old", "Desk")
    mailbox.wait_events(2)
    desk.wait(lambda: listed(desk, mailbox)["state"] == "reading", 20, lambda: f"reading: {listed(desk, mailbox)}")
    assert (listed(desk, mailbox)["said"], listed(desk, mailbox)["error_code"]) == (None, None)

    folders(mailbox, "delete", "Desk")
    wait_folder_gone(desk, mailbox)
    folders(mailbox, "create", "Desk")
    mailbox.deliver(mail("three", "in the new one"))
    mailbox.wait_events(3)
    mailbox.tell("the mailbox's folder away for a while", "one", "two", "three")
    assert [event.value["subject"] for event in mailbox.events()] == ["one", "two", "three"] and mailbox.skips() == []
    mailbox.remove()


def folders(mailbox, verb, *names):
    client = mailbox.dovecot.connect(mailbox.user)
    try:
        status, said = getattr(client, verb)(*names)
        assert status == "OK", said
    finally:
        client.logout()


def listed(desk, mailbox):
    return next(row for row in good(desk, "mailbox", "list", "--json").json() if row["address"] == mailbox.address)


def wait_folder_gone(desk, mailbox):
    """Until its owner is told so."""
    desk.wait(lambda: listed(desk, mailbox)["error_code"] == "mailbox.folder", 20,
              lambda: f"the folder is gone: {listed(desk, mailbox)}")
    row = listed(desk, mailbox)
    assert row["state"] == "failing" and 'does not open the folder "Desk"' in row["said"], row


def test_mails_that_vanish_hold_nothing_up(desk):
    pollers(desk)
    mailbox = Mailbox(desk)
    mailbox.wait_cursor(0)
    desk.terminate("mailpoller-1")
    mailbox.deliver(*(mail(f"mail {number}", "text") for number in range(4)))
    stop = desk.stops.arm("mailpoller.begun", action=2)  # frozen when it knows of them
    pollers(desk)
    desk.wait(lambda: stop.hits, 20, "the first look")
    mailbox.dovecot.expunge(mailbox.user, 2)
    mailbox.dovecot.expunge(mailbox.user, 4)
    desk.thaw("mailpoller-1")
    mailbox.deliver(mail("last", "text"))
    mailbox.wait_cursor(5, 30)
    mailbox.tell("mails removed while others are read", "mail 0", "mail 2", "last")
    assert {event.value["uid"] for event in mailbox.events()} == {1, 3, 5}
    failed = [line for line in desk.log("mailpoller-1") if (line["event"], line.get("mailbox")) == ("mailbox.failed", mailbox.id)]
    assert mailbox.skips() == [] and failed == []
    mailbox.remove()


def test_settings_are_checked(desk):
    pollers(desk)
    service = desk.services["mailpoller-1"]
    assert service.check_config()[0] == 0
    for key, value in (("mail_networks", "everywhere"), ("mail_token_key_file", "/nowhere/key"),
                       ("retry_max_ms", "100"), ("database_url", "")):
        code, said = service.check_config(**{key: value})
        assert code == 2 and key in said or "key" in said, (key, code, said)
