"""Mail through everything: read from a real mailbox, answered in its thread, whoever dies in between; and never an answer
to what a program wrote."""

import time

from callers import BYE, HELLO, Caller, say
from harness import oracle
from harness.deskctl import good
from mails import CONFIG, Mailbox, Writer, answers, settled, tell, thread_of, up
from phoning import Call  # noqa: F401

SHARE = True
DEADLINE_S = 120


def test_mail_in_reply_out_and_the_thread_goes_on(desk):
    """What the customer's mail program sees: one thread, our mails marked as automatic, answerable at an address of
    this conversation's."""
    up(desk)
    ann = Writer(Mailbox(desk))
    first = ann.write("when are you open?")
    reply, = ann.wait_mails(1)
    assert answers([reply]) == [first] and reply["Subject"] == "Re: Opening hours"
    assert reply["From"] == f"Reception <{ann.mailbox.address}>" and reply["To"] == ann.address
    assert reply["Auto-Submitted"] == "auto-replied" and reply["In-Reply-To"] == reply["References"]
    assert oracle.new_nonces(reply.quoted[1]) == [first] and ann.address in reply.quoted[0]
    second = ann.reply_to(reply, "and on Saturday?")
    mails = ann.wait_mails(2)
    assert answers(mails) == [first, second] and thread_of(mails) == {reply["In-Reply-To"]}
    assert mails[1]["Subject"] == "Re: Opening hours" and mails[1]["References"].split()[1] == reply["Message-ID"]
    # A program that keeps neither ids nor subject: the address is enough.
    third = ann.write("my own words", subject="hello again", to=reply["Reply-To"])
    assert answers(ann.wait_mails(3)) == [first, second, third]
    session, = ann.sessions()
    shown = good(desk, "conversation", "show", desk.value(
        "SELECT conversation_id::text FROM channel_sessions WHERE id = %s::uuid", session)).out
    assert shown.count("subject: Re: Opening hours") == 1 and "mail on " in shown and reply.text.split()[0] in shown


def test_out_of_office_gets_no_answer(desk):
    """Nor do lists, bounces and our own mail; a person who writes behind them does."""
    up(desk)
    ann = Writer(Mailbox(desk))
    ann.write("a question")
    reply, = ann.wait_mails(1)
    away = ann.reply_to(reply, "I am away until Monday.", Auto_Submitted="auto-replied")
    news = ann.write("our offers", subject="News", List_Id="<news.customer.example>")
    assert ann.wait_event(away, "ended") == ("ended", "auto_reply")
    assert ann.wait_event(news, "ended") == ("ended", "list")
    ann.mailbox.deliver(reply.raw)  # our own mail, come back by a forward
    back = ann.write("and another one")
    mails = ann.wait_mails(2)
    tell("out of office, list, our own mail back", [answers(mails)[0], back], settled(desk, ann), [away, news])
    assert answers(mails)[1:] == [back] and len(settled(desk, ann)) == 2


def test_a_lists_copy_that_comes_first_is_not_the_persons(desk):
    """Written to the desk and to a list that it is on: the list's copy gets no answer, his own does, once."""
    up(desk)
    ann = Writer(Mailbox(desk))
    nonce, raw = ann.make("to you and to the list")
    ann.mailbox.deliver(b"List-Id: <all.clinic.example>\r\n" + raw)
    assert ann.wait_event(nonce, "ended") == ("ended", "list")
    ann.mailbox.deliver(raw, raw)
    mails = ann.wait_mails(1)
    tell("a list's copy before the person's own, and that twice", [nonce], settled(desk, ann))
    assert answers(mails) == [nonce] and len(settled(desk, ann)) == 1


def test_two_robots_stop_at_the_limit(desk):
    """A program that hides what it is answers each of our mails, with a subject of its own."""
    up(desk)
    limit = CONFIG["engine"]["mail_loop_replies"]
    robot = Writer(Mailbox(desk))
    robot.write("Your ticket was received.")
    last = None
    for count in range(1, limit + 1):
        mails = robot.wait_mails(count)
        last = robot.write(f"Thank you for your mail. Your ticket is {count}.", subject=f"Ticket {count}",
                           to=mails[-1]["Reply-To"])
    assert robot.wait_event(last, "ended") == ("ended", "loop")
    came = settled(desk, robot)
    tell(f"two robots answer each other (limit {limit})", answers(came), came, robots=answers(came))
    assert len(came) == limit


def test_one_mail_in_two_mailboxes_is_answered_once(desk):
    up(desk)
    one, other = Mailbox(desk), Mailbox(desk)
    ann = Writer(one)
    nonce, raw = ann.make("to both of you", to=f"{one.address}, {other.address}")
    one.deliver(raw)
    other.deliver(raw)
    assert answers(ann.wait_mails(1)) == [nonce]
    for box in (one, other):
        desk.wait(lambda box=box: desk.value("SELECT last_uid FROM mailboxes WHERE id = %s::uuid", box.id), 30,
                  "both mailboxes to be read")
    came = settled(desk, ann)
    tell("one mail in two mailboxes", [nonce], came)
    assert len(came) == 1


def test_bounce_is_settled_and_told(desk):
    """The customer's server takes our mail and sends it back later."""
    up(desk)
    ann = Writer(Mailbox(desk))
    ann.write("a question")
    reply, = ann.wait_mails(1)
    ann.mailbox.deliver(bounce(reply, ann.address, ann.mailbox.address))
    delivery = desk.wait(lambda: desk.sql(
        "SELECT d.state, d.reason, d.error_code, c.flagged FROM deliveries d JOIN channel_sessions s ON s.id = d.session_id"
        " JOIN conversations c ON c.id = d.conversation_id WHERE s.remote_address = %s AND d.state = 'bounced'",
        ann.address), 30, lambda: f"the bounce: {ann.fates()}")
    assert delivery == [("bounced", "bad_address", "5.1.1", "bounced")], delivery


def bounce(mail, failed, to):
    """What a server sends back (RFC 3464)."""
    lines = ["From: MAILER-DAEMON@mx.customer.example", f"To: {to}", "Subject: Undelivered Mail Returned to Sender",
             "Auto-Submitted: auto-replied", f"Message-ID: <bounce-{time.time_ns()}@mx.customer.example>", "MIME-Version: 1.0",
             'Content-Type: multipart/report; report-type=delivery-status; boundary="b"', "", "--b",
             "Content-Type: text/plain", "", "I could not deliver your mail.", "", "--b",
             "Content-Type: message/delivery-status", "", "Reporting-MTA: dns; mx.customer.example", "",
             f"Final-Recipient: rfc822; {failed}", "Action: failed", "Status: 5.1.1",
             "Diagnostic-Code: smtp; 550 5.1.1 no such user", "", "--b", "Content-Type: text/rfc822-headers", "",
             f"From: {mail['From']}", f"To: {mail['To']}", f"Subject: {mail['Subject']}",
             f"Message-ID: {mail['Message-ID']}", "", "--b--", ""]
    return "\r\n".join(lines).encode()


# ---- stories of reference/protocol.md


def test_v4_mail_copy_1_in_flight(desk):
    """Copy 1 is still on its way when the server's yes to it is lost, and copy 2 will be refused, by which the mail is
    settled: before copy 1 has landed nothing of the thread may leave, or the customer gets the answers in the wrong order."""
    up(desk, mail_again_after_ms=600000)
    ann = Writer(Mailbox(desk, server="flight"))
    first = ann.write("a question", message_id="<first@customer.example>")
    desk.wait(lambda: deliveries(ann) == ["unknown"], 30, lambda: f"copy 1 to be unknown: {ann.fates()}")
    second = ann.write("one more", In_Reply_To="<first@customer.example>", References="<first@customer.example>")
    desk.wait(lambda: deliveries(ann) == ["unknown", "pending"], 30, lambda: f"the next one to wait: {ann.fates()}")
    assert ann.copies() == 0 and len(ann.sessions()) == 1
    desk.mail_servers.let("flight", "land")
    ann.wait_mails(1)
    desk.sql("UPDATE deliveries d SET next_at = clock_timestamp() FROM channel_sessions s WHERE s.id = d.session_id"
             " AND s.remote_address = %s AND d.state = 'unknown'", ann.address)  # the ten minutes are over
    desk.wait(lambda: deliveries(ann) == ["failed", "sent"], 30, lambda: f"copy 2 and the next one: {ann.fates()}")
    mails = ann.wait_mails(2)
    tell("copy 1 in flight, copy 2 refused", [first, second], mails)
    assert answers(mails) == [first, second] and ann.copies() == 2


def deliveries(writer):
    """The states of the mails to him, in order."""
    return [state for state, in writer.desk.sql(
        "SELECT d.state FROM deliveries d JOIN channel_sessions s ON s.id = d.session_id WHERE s.remote_address = %s"
        " ORDER BY d.seq", writer.address)]


# ---- one person


def test_a_call_a_text_and_a_mail_of_one_person(desk):
    up(desk, ingresses=1)
    call = Caller(desk, [HELLO, say("Hello, a question."), HELLO, BYE])
    call.over()
    call.wait_ended()
    ann = Writer(Mailbox(desk))
    desk.sql("INSERT INTO contact_addresses (tenant_id, kind, address, contact_id) SELECT tenant_id, 'mail', %s, contact_id"
             " FROM contact_addresses WHERE kind = 'phone' AND address = %s", ann.address, call.caller)
    text = desk.new_nonce()
    desk.webhook(call.caller, f"{text} by text")
    desk.wait(lambda: desk.sent_to(call.caller), 30, "the answer to the text")
    mail = ann.write("by mail")
    assert answers(ann.wait_mails(1)) == [mail]
    rows = desk.sql("SELECT DISTINCT m.conversation_id, s.kind FROM messages m JOIN channel_sessions s ON s.id = m.session_id"
                    " WHERE s.remote_address IN (%s, %s) AND m.direction = 'out'", ann.address, call.caller)
    assert sorted(kind for _, kind in rows) == ["mail", "sms", "voice"] and len({talk for talk, _ in rows}) == 1, rows
    assert mail in desk.value("SELECT string_agg(body, ' ') FROM messages WHERE conversation_id = %s::uuid", rows[0][0])
