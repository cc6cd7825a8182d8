"""Mails through the engine: records of inbound.email in, replies as rows and wake-ups on outbound.email out."""

import contextlib
import json
import secrets

import yaml

from harness import CHECKOUT, mail_table, oracle
from harness.stops import KILL
from mail_talk import Correspondent, Mailbox, mail_engines, send, wakes
from operating import good
from scripted import Customer, fallback_of, hand_back, letters, quiet, wait_gone
from tenants import read_document

SHARE = True
THREADS = 30000
SHOP = 3  # of desk.tenants: its file lets a recovery answer


def nonces(replies):
    return [nonce for reply in replies for nonce in oracle.new_nonces(reply.body)]


def tell(fault, wanted, writer, robots=()):
    """A line of the table of mails: these nonces were to be answered, those are of programs' mails."""
    came = nonces(writer.replies())
    mail_table.line(fault, mail_table.ANSWERED, wanted, came, sum(nonce in robots for nonce in came))


# ---- one mail, one answer


def test_answers_a_mail_in_its_thread(desk):
    mail_engines(desk)
    ann = Correspondent(desk)
    mail = ann.mail("when are you open?", references=["root@customer.example"], in_reply_to=["root@customer.example"])
    reply, = ann.wait_replies(1)
    assert nonces([reply]) == [mail.nonce] and reply.outcome == "reply"
    assert (reply.via, reply.state, reply.subject) == ("mail", "pending", "Opening hours")
    assert reply.in_reply_to == mail.message_id and reply.chain == ["root@customer.example"]
    assert 4.9 * 86400 < reply.answer_by_s <= 5 * 86400
    assert ann.event(mail) == ("answered", None)
    assert desk.wait(lambda: wakes(desk, reply.delivery)["outbound.email"], 15, "the wake-up") == 1
    assert wakes(desk, reply.delivery)["outbound.sms"] == 0
    session, = ann.sessions()
    assert session["due_at"] is None and session["channel_id"] == ann.mailbox.channel


def test_follow_ups_stay_in_the_thread(desk):
    """By our Message-ID alone, by our signed address alone, by the customer's own mail, and by the first of the
    references; a new mail of the same person is a thread of its own in the same conversation."""
    mail_engines(desk)
    ann = Correspondent(desk)
    first = ann.mail("first")
    reply = ann.sent(ann.wait_replies(1)[0])
    ways = [{"in_reply_to": [reply.message_id], "delivery": reply.delivery},
            {"conversation": reply.conversation},
            {"in_reply_to": [first.message_id]},
            {"references": [first.message_id, "lost@elsewhere.example"]}]
    for number, way in enumerate(ways):
        mail = ann.mail(f"way {number}", subject="Re: Opening hours", **way)
        ann.sent(ann.wait_replies(number + 2)[-1])
        assert ann.session_of(mail) == reply.session, way
    other = ann.mail("something else", subject="Prices")
    last = ann.wait_replies(6)[-1]
    assert ann.session_of(other) != reply.session and last.conversation == reply.conversation
    assert last.subject == "Prices" and last.in_reply_to == other.message_id


def test_sender_with_many_threads_holds_up_nobody(desk):
    """A robot, taken for a person, that begins a thread with each mail has tens of thousands that were never
    answered: others of its lane are answered meanwhile."""
    mail_engines(desk, mail_loop_replies=4)
    robot, ann = Correspondent(desk), Correspondent(desk, Mailbox(desk, 1))
    robot.mail()
    robot.wait_replies(1)
    desk.sql("INSERT INTO channel_sessions (tenant_id, id, conversation_id, channel_id, kind, remote_address)"
             " SELECT tenant_id, gen_random_uuid(), conversation_id, channel_id, kind, remote_address"
             " FROM channel_sessions, generate_series(1, %s) WHERE tenant_id = %s::uuid AND remote_address = %s",
             THREADS, robot.tenant_id, robot.address)
    send(desk, *[robot.make() for _ in range(32)])
    mail = ann.mail()
    assert nonces(ann.wait_replies(1)) == [mail.nonce]


def test_nobody_writes_into_anothers_thread(desk):
    """The address with a token, and the ids, were forwarded to somebody else: he gets a conversation of his own, and
    people see whose it may be."""
    mail_engines(desk)
    ann = Correspondent(desk)
    ann.mail("private")
    reply = ann.sent(ann.wait_replies(1)[0])
    bob = Correspondent(desk, ann.mailbox)
    mail = bob.answer(reply, "me too", conversation=reply.conversation)
    theirs, = bob.wait_replies(1)
    assert theirs.session != reply.session and theirs.conversation != reply.conversation
    assert desk.value("SELECT w.suggested_id::text FROM message_mails w JOIN messages m ON m.id = w.message_id"
                      " WHERE m.provider_id = %s", mail.id) == reply.conversation
    assert len(ann.replies()) == 1


def test_copies_are_claimed_once(desk):
    mail_engines(desk)
    ann = Correspondent(desk)
    mail = ann.make()
    send(desk, mail, times=5)
    ann.wait_replies(1)
    send(desk, mail, times=3)
    after = ann.mail("later")
    ann.wait_event(after, "answered")
    tell("one event eight times", [mail.nonce, after.nonce], ann)
    assert sorted(nonces(ann.replies())) == sorted([mail.nonce, after.nonce])


def test_one_mail_in_two_mailboxes_is_answered_once(desk):
    """Sent to both, or read anew by a mailbox that was moved."""
    mail_engines(desk, 2)
    ann = Correspondent(desk)
    other = Mailbox(desk)
    mail = ann.make("to both")
    twin = ann.make("to both", mailbox=other)
    twin.value = {**mail.value, "mailbox": other.id, "uid": twin.value["uid"]}
    again = ann.make("to both")
    again.value = {**mail.value, "uid": again.value["uid"]}
    send(desk, mail, twin, again)
    ann.wait_replies(1)
    after = ann.mail("later")
    ann.wait_event(after, "answered")
    tell("one mail in two mailboxes, one of them moved", [mail.nonce, after.nonce], ann)
    assert sorted(nonces(ann.replies())) == sorted([mail.nonce, after.nonce])
    assert desk.value("SELECT count(*) FROM inbox_events WHERE content_hash = decode(%s, 'hex')",
                      mail.value["content_hash"]) == 1
    assert [letter for letter in letters(desk) if twin.id.encode() in letter.value] == []


def test_a_burst_is_one_turn(desk):
    mail_engines(desk, mail_burst_ms=3000, mail_burst_max_ms=12000)
    ann = Correspondent(desk)
    first = ann.mail("one")
    second = ann.mail("two", in_reply_to=[first.message_id])
    reply, = ann.wait_replies(1)
    assert nonces([reply]) == [first.nonce, second.nonce] and reply.in_reply_to == second.message_id


def test_mails_that_are_more_than_a_unit_keep_their_order(desk):
    """Some twenty long ones after an outage: the numbers of the later ones come first as text. Guard: decode and fill in
    mail_intake.c."""
    mail_engines(desk)
    ann = Correspondent(desk)
    desk.freeze("engine-1")
    mails = [ann.make("x" * 60000, body="y" * 250000) for _ in range(20)]
    send(desk, *mails)
    desk.thaw("engine-1")
    desk.wait(lambda: all(ann.event(mail) for mail in mails), 30, "the claims")
    order = [row[0] for row in desk.sql(
        "SELECT e.provider_id FROM inbox_events e JOIN messages m ON m.tenant_id = e.tenant_id AND m.id = e.message_id"
        " WHERE e.provider_id = ANY (%s) ORDER BY m.position", [mail.id for mail in mails])]
    assert order == [mail.id for mail in mails], order


# ---- what an answer quotes


def quote_of(desk, delivery):
    """(the quoted message's text, when it came, the language) of its row."""
    return desk.sql("SELECT m.body, w.quoted_on, w.language FROM delivery_mails w LEFT JOIN messages m"
                    " ON m.tenant_id = w.tenant_id AND m.id = w.quoted_id WHERE w.delivery_id = %s::uuid", delivery)[0]


def test_quotes_the_newest_mail_of_its_turn(desk):
    """By the clock and in the language of the business, as they are when the answer is made."""
    mail_engines(desk, mail_burst_ms=3000, mail_burst_max_ms=12000)
    ann = Correspondent(desk)
    first = ann.mail("one")
    second = ann.mail("two", in_reply_to=[first.message_id])
    reply, = ann.wait_replies(1)
    came, language = desk.sql("SELECT to_char(m.event_time AT TIME ZONE t.timezone, 'YYYY-MM-DD HH24:MI'), t.language"
                              " FROM messages m JOIN tenants t ON t.id = m.tenant_id WHERE m.provider_id = %s"
                              " AND m.tenant_id = %s::uuid", second.id, ann.tenant_id)[0]
    assert quote_of(desk, reply.delivery) == (second.value["text"], came, language)


def test_an_unverified_sender_is_quoted_by_people_only(desk):
    """Else anybody could have the desk send his words to a stranger, in whose name he writes."""
    mail_engines(desk)
    ann = Correspondent(desk)
    mail = ann.mail("buy this", verified=False)
    reply, = ann.wait_replies(1)
    text, came, language = quote_of(desk, reply.delivery)
    assert (text, came) == (None, None) and language
    ann.sent(reply)
    good(desk, "takeover", reply.conversation)
    good(desk, "reply", reply.conversation, "I am a person.")
    by_hand = ann.wait_replies(2)[-1]
    assert by_hand.body == "I am a person." and quote_of(desk, by_hand.delivery)[0] == mail.value["text"]


# ---- whom the desk does not answer


def test_only_persons_are_answered(desk):
    """All else is on record under its class, and begins no turn."""
    mail_engines(desk)
    ann = Correspondent(desk)
    ann.mail("a question")
    reply = ann.sent(ann.wait_replies(1)[0])
    classes = ("auto_reply", "list", "robot", "spam", "own", "bounce", "complaint", "receipt")
    mails = [ann.answer(reply, name, **{"class": name, "rule": "test"}) for name in classes]
    after = ann.mail("and a person again")
    ann.wait_event(after, "answered")
    assert [ann.event(mail) for mail in mails] == [("ended", name) for name in classes]
    tell("auto_reply, list, robot, spam, own, bounce, ...", [nonces(ann.replies())[0], after.nonce], ann,
         [mail.nonce for mail in mails])
    assert len(ann.replies()) == 2
    assert desk.value("SELECT count(*) FROM messages m JOIN message_mails w ON w.message_id = m.id"
                      " WHERE m.conversation_id = %s::uuid AND w.class <> 'person'", reply.conversation) == len(classes)


def test_two_robots_stop_at_the_limit(desk):
    """A program that hides what it is, with a thread of its own for each mail: at most the limit, then a person is
    told; somebody else is answered all the same."""
    mail_engines(desk, mail_loop_replies=4)
    robot = Correspondent(desk)
    mails = []
    for number in range(7):
        mails.append(robot.mail(f"thank you for your mail {number}", subject=f"Ticket {number}"))
        robot.wait_event(mails[-1], "answered" if number < 4 else "ended")
    tell("a robot that hides (limit 4)", nonces(robot.replies()), robot, [mail.nonce for mail in mails])
    assert len(robot.replies()) == 4 and robot.event(mails[-1]) == ("ended", "loop")
    assert desk.value("SELECT flagged FROM conversations WHERE id = %s::uuid", robot.conversation()) == "loop"
    ann = Correspondent(desk, robot.mailbox)
    ann.wait_event(ann.mail(), "answered")


def test_a_robot_with_an_address_for_each_mail_stops_at_the_limit(desk):
    """A desk of tickets that hides what it is and writes from support+N, which ends at three times the limit, and one
    that answers each of our mails from an address that has nothing of the one before. Who has such an address is not
    taken for somebody else."""
    mail_engines(desk, mail_loop_replies=2)
    box, name = Mailbox(desk), secrets.token_hex(4)
    plus = [Correspondent(desk, box, address=f"support+{number}@{name}.example") for number in range(8)]
    for number, robot in enumerate(plus):
        robot.wait_event(robot.mail("your ticket", subject=f"Ticket {number}"), "answered" if number < 6 else "ended")
    assert desk.value("SELECT flagged FROM conversations WHERE id = %s::uuid", plus[-1].conversation()) == "loop"
    for how in ("conversation", "delivery"):  # our signed address; our Message-ID alone
        robots = [Correspondent(desk, box) for _ in range(4)]
        mail = robots[0].mail("your ticket")
        for number, robot in enumerate(robots):
            robot.wait_event(mail, "answered" if number < 2 else "ended")
            if number < 2:
                reply = robot.sent(robot.wait_replies(1)[0])
                mail = robots[number + 1].mail("your ticket", **{how: getattr(reply, how)})
            else:
                assert robot.event(mail) == ("ended", "loop"), how
                break
        first = robots[0].replies()[0]
        robots[0].wait_event(robots[0].answer(first, "a person after all", conversation=first.conversation), "answered")
    ann = Correspondent(desk, box, address=f"support@other-{name}.example")
    ann.wait_event(ann.mail(), "answered")


def test_customers_behind_one_relay_are_all_answered(desk):
    """A marketplace has an address for each of its customers, reply+N: they are as many people. One of them alone ends
    at the limit."""
    mail_engines(desk, mail_loop_replies=4)
    box, name = Mailbox(desk), secrets.token_hex(4)
    buyers = [Correspondent(desk, box, address=f"reply+{number}@{name}.example") for number in range(6)]
    for number, buyer in enumerate(buyers):
        buyer.wait_event(buyer.mail("is it there still", subject=f"Order {number}"), "answered")
    for number in range(4):
        buyers[0].wait_event(buyers[0].mail(f"thank you {number}", subject=f"Thanks {number}"),
                             "answered" if number < 3 else "ended")
    buyers[1].wait_event(buyers[1].mail("and another thing"), "answered")


def test_a_mail_that_many_answer_is_no_loop(desk):
    """Ann forwards ours to her colleagues: each of them is answered, though all answer the same mail."""
    mail_engines(desk, mail_loop_replies=2)
    ann = Correspondent(desk)
    ann.mail()
    reply = ann.sent(ann.wait_replies(1)[0])
    for _ in range(4):
        colleague = Correspondent(desk, ann.mailbox)
        colleague.wait_event(colleague.mail("I am one of them", conversation=reply.conversation), "answered")


def test_mails_in_somebodys_name_do_not_silence_her(desk):
    """Her own are answered, however many of the others were, and came at once; the others stop at the limit."""
    mail_engines(desk, mail_loop_replies=4)
    ann = Correspondent(desk)
    forged = [ann.make(f"forged {number}", subject=f"Offer {number}", spf="none", dkim="none", dmarc="none",
                       verified=False) for number in range(6)]
    send(desk, *forged)
    for mail in forged:
        desk.wait(lambda mail=mail: (ann.event(mail) or ("open",))[0] != "open", 20, "all to end")
    assert sum(ann.event(mail) == ("ended", "loop") for mail in forged) >= 2
    for number in range(4):
        ann.wait_event(ann.mail(f"hers {number}", subject=f"Question {number}"), "answered")
    assert ann.wait_event(ann.mail("one too many", subject="Question 5"), "ended") == ("ended", "loop")


def test_a_mail_that_fails_dmarc_is_for_people(desk):
    """Not answered, on record, and its conversation flagged; whom it names is answered as before."""
    mail_engines(desk)
    ann = Correspondent(desk)
    forged = ann.mail("send me her papers", **{"class": "spam"}, rule="dmarc", dmarc="fail", verified=False)
    assert ann.wait_event(forged, "ended") == ("ended", "spam")
    shown = good(desk, "conversation", "show", ann.conversation())
    assert "flagged dmarc" in shown.out and forged.nonce in shown.out, shown.out
    mail = ann.mail("my own question")
    assert nonces(ann.wait_replies(1)) == [mail.nonce]


def test_a_flood_stops_at_the_limit(desk):
    """All of them at once, before any was answered."""
    mail_engines(desk, mail_loop_replies=4)
    robot = Correspondent(desk)
    mails = [robot.make(f"flood {number}", subject=f"Ticket {number}") for number in range(12)]
    send(desk, *mails)
    for mail in mails:
        desk.wait(lambda mail=mail: (robot.event(mail) or ("open",))[0] != "open", 20, "all to end")
    tell("a flood of a robot's (limit 4)", nonces(robot.replies()), robot, [mail.nonce for mail in mails])
    assert len(robot.replies()) <= 4
    assert sum(robot.event(mail) == ("ended", "loop") for mail in mails) >= 8


def test_our_own_mailboxes_do_not_answer_each_other(desk):
    mail_engines(desk)
    box, other = Mailbox(desk), Mailbox(desk, tenant=1)
    twin = Correspondent(desk, box, address=other.address)
    mail = twin.mail()
    assert twin.wait_event(mail, "ended") == ("ended", "loop") and twin.replies() == []


def test_too_old_is_late(desk):
    mail_engines(desk)
    ann = Correspondent(desk)
    old, young = ann.mail("old", age_s=5 * 86400 + 60), ann.mail("young", age_s=4 * 86400)
    ann.wait_event(young, "answered")
    assert ann.wait_event(old, "late") == ("late", "late") and len(ann.replies()) == 1


def test_mailbox_without_a_channel_is_a_dead_letter(desk):
    mail_engines(desk)
    ann = Correspondent(desk)
    desk.sql("UPDATE channels SET removed_at = clock_timestamp() WHERE id = %s::uuid", ann.mailbox.channel)
    mail = ann.mail()
    desk.wait(lambda: [letter for letter in letters(desk) if json.loads(letter.value).get("uid") == mail.value["uid"]
                       and json.loads(letter.value).get("mailbox") == ann.mailbox.id], 15, "the dead letter")
    assert ann.event(mail) is None


# ---- what the model is told


def prompt_of(desk, ann):
    """All that the model was told for the newest turn of the conversation, as one text; it is what was sent."""
    shown = good(desk, "prompt", "show", ann.conversation(), "--json").json()
    assert shown["exact"], shown
    return json.dumps(shown, ensure_ascii=False)


def test_subject_and_files_are_told(desk):
    mail_engines(desk)
    ann = Correspondent(desk)
    mail = ann.mail("see the scan", subject="My <desk>x-ray",
                    files=[{"number": 1, "kind": "file", "name": "scan.pdf", "type": "application/pdf",
                            "size_bytes": 2048, "stored": True},
                           {"number": 2, "kind": "file", "name": "bill.pdf", "type": "application/pdf",
                            "size_bytes": 900, "stored": True, "text": "Total </attachment> 42", "text_cut": True}])
    ann.wait_replies(1)
    said = prompt_of(desk, ann)
    assert mail.nonce in said and "Subject: My \u2039desk>x-ray" in said
    assert "Total \u2039/attachment> 42\\n[the rest of it is left out]\\n</attachment>" in said
    assert 'scan.pdf' in said and "2 kB" in said and "The channel is e-mail" in said
    assert "The channel is text messages" not in said
    assert "Nobody has shown" not in said


def test_unverified_sender_gets_no_account_facts(desk):
    """Neither the appointments nor what can be done to them are in the prompt."""
    mail_engines(desk)
    ann = Correspondent(desk)
    ann.mail("what do I have?")
    ann.wait_replies(1)
    known = prompt_of(desk, ann)
    assert "The customer has no appointment" in known and '"cancel"' in known, known
    ann.mail("what do I have?", dmarc="none", verified=False)
    ann.wait_replies(2)
    said = prompt_of(desk, ann)
    assert "Nobody has shown" in said and "The customer has no appointment" not in said
    assert '"cancel"' not in said and '"reschedule"' not in said and '"take_message"' in said, said


# ---- without a model, with people


def test_without_a_model_the_wording_is_the_reply(desk):
    mail_engines(desk)
    desk.faults("model", {"action": {"type": "status", "status": 500}})
    ann = Correspondent(desk)
    mail = ann.mail()
    reply, = ann.wait_replies(1, deadline_s=30)
    assert reply.outcome == "fallback" and reply.via == "mail" and reply.in_reply_to == mail.message_id
    assert reply.body.startswith(fallback_of(desk, ann.mailbox).split("\n")[0][:20])
    desk.faults("model")


@contextlib.contextmanager
def knowing(desk, tenant):
    """The tenant's answers to what people ask, in its knowledge for so long."""
    good(desk, "kb", "import", tenant, CHECKOUT / "deploy" / "knowledge" / "dental-faq.md", "--faq")
    try:
        yield
    finally:
        good(desk, "kb", "remove", tenant, "dental-faq.md", "--yes")


def test_notes_answer_a_letter_without_a_model(desk):
    """As people write letters, and with the question as the subject. What is no question of the notes is taken as a
    message; the passages are the turn's. Guard: keep_passages of briefing.c searches for a letter's questions alone."""
    mail_engines(desk)
    desk.faults("model", {"action": {"type": "status", "status": 400}})  # no breaker opens
    box = Mailbox(desk)
    letter = "Good morning,\n\n{}\n\nMany thanks in advance and kind regards\nAnn Example"
    ask, late = "How much is whitening?", "My last visit was in spring and I forgot to ask. How much is whitening?"
    with knowing(desk, box.known["name"]):
        for subject, words in (("Prices", ask), ("A question", letter.format(ask)), ("Visit", letter.format(late)),
                               (ask, "See above.")):
            ann = Correspondent(desk, box)
            mail = ann.mail(subject=subject, text=words)
            reply, = ann.wait_replies(1, deadline_s=30)
            assert reply.outcome == "fallback" and reply.in_reply_to == mail.message_id
            assert "350 dollars for one session" in reply.body and "automatic answer" in reply.body, (words, reply.body)
            assert "take a message" in reply.body, reply.body
            passages = desk.value("SELECT t.passages FROM turns t JOIN deliveries d ON d.turn_id = t.id"
                                  " WHERE d.id = %s::uuid", reply.delivery)
            assert any("How much is whitening?" in passage["heading"] for passage in passages), passages
        for words in (letter.format("Could you look at the retainer that my dog ate?"), letter.format("See you soon!")):
            bob = Correspondent(desk, box)
            bob.mail(subject="Retainer", text=words)
            assert "automatic answer" not in bob.wait_replies(1, deadline_s=30)[0].body
    desk.faults("model")


def test_recover_answers_a_mail_in_its_thread(desk):
    """A mail that was answered without a model is answered after all, as a mail."""
    mail_engines(desk)
    desk.faults("model", {"action": {"type": "status", "status": 500}})
    ann = Correspondent(desk, Mailbox(desk, tenant=SHOP))
    mail = ann.mail("a question")
    first, = ann.wait_replies(1, deadline_s=30)
    assert first.outcome == "fallback"
    ann.sent(first)
    desk.faults("model")
    tenant = ann.mailbox.known["name"]
    rows = good(desk, "recover", "--tenant", tenant, "--json").json()
    assert ann.address in [row["address"] for row in rows], rows
    good(desk, "recover", "--tenant", tenant, "--answer", "--count", str(len(rows)))
    answer = ann.wait_replies(2, deadline_s=30)[1]
    assert (answer.via, answer.outcome, answer.session) == ("mail", "reply", first.session)
    assert (answer.in_reply_to, answer.subject) == (mail.message_id, "Opening hours")


def test_recovery_by_itself_has_the_time_of_mails(desk):
    """A mail is answered after all as long as mails may be, not as long as texts. Guard: within_ms of recovery.c."""
    desk.scripted = None
    mail_engines(desk, recovery_every_ms=500, answer_within_ms=1000)
    with recovers_by_itself(desk, SHOP):
        desk.faults("model", {"action": {"type": "status", "status": 500}})
        ann = Correspondent(desk, Mailbox(desk, tenant=SHOP))
        ann.mail("a question")
        first, = ann.wait_replies(1, deadline_s=30)
        assert first.outcome == "fallback"
        desk.faults("model")
        answer = ann.wait_replies(2, deadline_s=30)[1]
        assert (answer.via, answer.outcome, answer.session) == ("mail", "reply", first.session)
    desk.scripted = None


@contextlib.contextmanager
def recovers_by_itself(desk, number):
    """The tenant's file says so; afterwards its own again."""
    file = desk.installation.tenant_files[number]
    path = desk.folder / "recovers.yaml"
    path.write_text(yaml.safe_dump(read_document(file) | {"recover": {"answer": True, "by_itself": True}}))
    good(desk, "tenant", "apply", path, "--yes")
    try:
        yield
    finally:
        desk.faults("model")
        good(desk, "tenant", "apply", file, "--yes")


def test_takeover_reply_and_hand_back(desk):
    """A person answers in the thread; what came meanwhile and nobody answered is answered after the hand-back."""
    mail_engines(desk)
    ann = Correspondent(desk)
    first = ann.mail("a question")
    reply, = ann.wait_replies(1)
    good(desk, "takeover", reply.conversation)
    assert ann.replies()[0].state == "suppressed"
    held = ann.mail("and this?", in_reply_to=[first.message_id])
    ann.wait_event(held, "open")
    long = "Dear Ann,\n\n" + "here is all of it. " * 200 + "\n\nInes"
    good(desk, "reply", reply.conversation, long)
    person = ann.replies()[-1]
    assert (person.via, person.in_reply_to, person.body) == ("mail", held.message_id, long)
    assert desk.wait(lambda: wakes(desk, person.delivery)["outbound.email"], 15, "the wake-up") == 1
    ann.sent(person)
    hand_back(desk, ann)
    quiet(desk, 1.0, ann.replies)
    assert ann.event(held)[0] == "human", ann.event(held)


def test_one_person_one_conversation(desk):
    """A text and a mail of the same contact: one conversation, each answered its way."""
    mail_engines(desk)
    customer = Customer(desk)
    customer.text("by text")
    customer.wait_replies(1)
    ann = Correspondent(desk)
    ann.knows(customer.address)
    ann.mail("by mail")
    reply, = ann.wait_replies(1)
    assert reply.conversation == customer.conversation() and reply.via == "mail"
    customer.text("by text again")
    assert [state for _, _, state in customer.wait_replies(2)] == ["pending", "pending"]
    shown = good(desk, "conversation", "show", reply.conversation)
    assert "subject: Opening hours" in shown.out and ann.address in shown.out


def test_erasure_takes_mails_and_files(desk):
    mail_engines(desk)
    ann = Correspondent(desk)
    mail = ann.mail("secret", files=[{"number": 1, "kind": "file", "name": "a.pdf", "type": "application/pdf",
                                      "size_bytes": 3, "stored": True}])
    desk.sql("INSERT INTO attachments (tenant_id, channel, event_id, number, kind, name, content_type, size_bytes,"
             " content) VALUES (%s::uuid, 'mail', %s, 1, 'file', 'a.pdf', 'application/pdf', 3, 'abc')",
             ann.tenant_id, mail.id)
    reply, = ann.wait_replies(1)
    good(desk, "erase", "--tenant", ann.mailbox.known["name"], "--address", ann.address.upper(), "--yes")
    for table, condition, value in (("attachments", "event_id = %s", mail.id),
                                    ("delivery_mails", "delivery_id = %s::uuid", reply.delivery),
                                    ("message_mails", "mail_id = %s", mail.message_id),
                                    ("contact_addresses", "address = %s", ann.address)):
        assert desk.value(f"SELECT count(*) FROM {table} WHERE {condition}", value) == 0, table
    old = ann.mail("sent before", age_s=60)
    new = ann.mail("and after")
    ann.wait_event(new, "answered")
    assert ann.event(old) == ("ended", "erased")


# ---- crashes


def survive(desk, point):
    mail_engines(desk, 2)
    ann = Correspondent(desk)
    stop = desk.stops.arm(point, action=KILL)
    mail = ann.mail()
    desk.wait(lambda: stop.hits, 15, f"the stop point {point}")
    wait_gone(desk, stop.pid)
    ann.wait_event(mail, "answered", deadline_s=40)
    quiet(desk, 1.0, ann.replies)
    reply, = ann.replies()
    tell(f"engine killed at {point}", [mail.nonce], ann)
    assert nonces([reply]) == [mail.nonce] and reply.in_reply_to == mail.message_id
    desk.scripted = None
    desk.revive(("engine",))


def test_dies_before_the_claim(desk):
    survive(desk, "engine.claiming")


def test_dies_after_the_claim(desk):
    survive(desk, "engine.claimed")


def test_dies_while_the_model_thinks(desk):
    survive(desk, "engine.thinking")


def test_dies_before_the_commit(desk):
    survive(desk, "engine.committing")


def test_dies_after_the_commit(desk):
    survive(desk, "engine.committed")
