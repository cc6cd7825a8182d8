"""Notices to a rota by mail: who is told how, and what a mail back does (docs/PROTOCOL.md, escalations)."""

import contextlib
import json
import secrets

from mail_talk import Correspondent, Mailbox, mail_engines, send, wakes
from operating import good
from scripted import quiet
from test_escalation import (GARAGE, NOBODY, WISH, answers, ask_for_a_person, business, escalation, nobody_accepts, notices,
                             of_nobody, wait_told)

SHARE = True
DEADLINE_S = 90


def mailbox(desk):
    """One of the garage's that sends."""
    mail_engines(desk)
    box = Mailbox(desk, GARAGE)
    desk.sql("INSERT INTO mail_accounts (tenant_id, channel_id, url) VALUES (%s::uuid, %s::uuid,"
             " 'smtp://mail.example?tls=none')", box.tenant_id, box.channel)
    return box


def member(name, **more):
    return {"name": name, "mail": f"{name}-{secrets.token_hex(4)}@staff.example", **more}


@contextlib.contextmanager
def told(desk, *rota, **escalation_fields):
    """A mailbox of a business whose customer asked by text for a person, and its first notice as a reply to whoever
    was told."""
    box = mailbox(desk)
    with business(desk, list(rota), run=mail_engines, **escalation_fields) as customer:
        try:
            ask_for_a_person(desk, customer)
            wait_told(customer, 1)
            yield box, customer
        finally:
            desk.sql("UPDATE channels SET removed_at = clock_timestamp() WHERE id = %s::uuid", box.channel)


def person(desk, box, somebody):
    return Correspondent(desk, box, somebody["mail"])


def mail_back(desk, who, notice, text, **more):
    """He answers a notice with exactly this; returns what became of it."""
    mail = who.answer(notice, text=text, conversation=notice.conversation, **more)
    desk.wait(lambda: who.event(mail) and who.event(mail)[0] != "open", 15, "the mail to be over")
    return who.event(mail)


def test_told_by_mail_and_accepted_by_mail(desk):
    ines, tom = member("ines"), member("tom")
    with told(desk, ines, tom) as (box, customer):
        (name, _, state, code, text, _), = notices(customer)
        assert (name, state) == ("ines", "open") and customer.address in text and f"OK {code}" in text
        who = person(desk, box, ines)
        notice = who.sent(who.replies()[0])
        assert notice.via == "mail" and notice.body == text and code in notice.subject and notice.in_reply_to == ""
        assert desk.wait(lambda: wakes(desk, notice.delivery)["outbound.email"], 15, "the wake-up") == 1
        assert mail_back(desk, who, notice, "ok.\n\n-- \nInes, front desk") == ("ended", "rota")
        wish = escalation(customer)
        assert (wish["state"], wish["accepted_by"], wish["due_at"]) == ("accepted", "ines", None), wish
        assert notices(customer)[0][2] == "accepted"
        answer = desk.wait(lambda: who.replies()[1:], 15, "an answer")[0]
        assert answer.body == f"{code} is yours, thank you. Nobody else is asked." and answer.via == "mail"
        assert answer.subject.endswith(notice.subject) and answer.session == notice.session
        assert desk.wait(lambda: wakes(desk, answer.delivery)["outbound.email"], 15, "the wake-up") == 1
        who.sent(answer)
        assert mail_back(desk, who, notice, f"OK {code}") == ("ended", "rota")
        assert answers(who)[-1] == f"{code} is yours already."


def test_what_does_not_accept(desk):
    """A mail that says something else, a program's, and a mail of somebody to whom the notice was forwarded."""
    ines = member("ines")
    with told(desk, ines) as (box, customer):
        who = person(desk, box, ines)
        notice = who.sent(who.replies()[0])
        assert mail_back(desk, who, notice, "OK but who is it?") == ("ended", "rota")
        assert mail_back(desk, who, notice, "OK", **{"class": "auto_reply", "rule": "header"}) == ("ended", "auto_reply")
        stranger = Correspondent(desk, box)
        forwarded = stranger.answer(notice, text="OK", conversation=notice.conversation)
        stranger.wait_event(forwarded, "answered")
        assert escalation(customer)["state"] == "open" and len(who.replies()) == 1


def test_another_codes_mail_accepts_nothing(desk):
    """A code in the thread of another one's notice; then the notice's own. Guard: NOTICE_SQL of store/rota_reply.c."""
    ines = member("ines")
    with told(desk, ines) as (box, customer):
        code = notices(customer)[0][3]
        wrong = "2C2C" if code != "2C2C" else "3C3C"
        who = person(desk, box, ines)
        notice = who.sent(who.replies()[0])
        assert mail_back(desk, who, notice, f"OK {wrong}") == ("ended", "rota_wrong")
        assert answers(who) == [f"{wrong} is not the code of this mail. Nothing was accepted."]
        assert escalation(customer)["state"] == "open"
        assert mail_back(desk, who, notice, f"OK {code}") == ("ended", "rota")
        assert escalation(customer)["accepted_by"] == "ines"


def test_a_text_is_first(desk):
    """By mail only who cannot be texted: without a number, or opted out."""
    both = member("ines", sms=desk.new_address())
    with told(desk, both) as (box, customer):
        assert person(desk, box, both).replies() == []
        desk.sql("INSERT INTO consents (tenant_id, sender, address, state, source, changed_at) VALUES (%s::uuid, %s, %s,"
                 " 'opted_out', 'customer', clock_timestamp())", customer.tenant_id, customer.known["numbers"]["sms"], both["sms"])
        desk.sql("UPDATE escalations SET state = 'closed', rota = 'over' WHERE id = %s::uuid", escalation(customer)["id"])
        ask_for_a_person(desk, customer)
        wait_told(customer, 2)
        assert [reply.via for reply in person(desk, box, both).replies()] == ["mail"]


def ask_by_mail(desk, who):
    """He mails, and the model calls `escalate`; returns the mail and the reply that promised people."""
    made = who.make("a person, please")
    desk.faults("model", {"match": made.nonce, "count": 1, "action": {
        "type": "tool_call", "name": "escalate", "arguments": json.dumps(WISH)}})
    before = len(who.replies())
    send(desk, made)
    return made, who.sent(who.wait_replies(before + 1)[-1])


@contextlib.contextmanager
def writing(desk, **escalation_fields):
    """Somebody who mails a business whose only person is told by mail."""
    box = mailbox(desk)
    with business(desk, [member("ines")], run=mail_engines, **escalation_fields):
        try:
            yield Correspondent(desk, box)
        finally:
            desk.sql("UPDATE channels SET removed_at = clock_timestamp() WHERE id = %s::uuid", box.channel)


def test_who_mailed_is_told_that_nobody_accepted(desk):
    """In the thread, once, whoever asks the rota again; an answer to it goes on with the thread, and the model knows.
    Guards: nobody_sql and delivery_mail_add_made of store/rota.c, .by_mail of services/engine/rota.c."""
    with writing(desk) as ann:
        mail, promise = ask_by_mail(desk, ann)
        nobody_accepts(ann)
        told = ann.wait_replies(2)[1]
        assert (told.body, told.via, told.state, told.session) == (NOBODY, "mail", "pending", promise.session), told
        assert (told.subject, told.in_reply_to) == ("Opening hours", mail.message_id), told
        assert told.delivery == escalation(ann)["id"] and 3.9 * 3600 < told.answer_by_s <= 4 * 3600
        assert desk.wait(lambda: wakes(desk, told.delivery)["outbound.email"], 15, "the wake-up") == 1
        assert wakes(desk, told.delivery)["outbound.sms"] == 0
        ann.sent(told)
        good(desk, "escalation", "retry", told.delivery)
        nobody_accepts(ann, 2)
        assert len(of_nobody(ann)) == 1
        more = ann.answer(told, "thank you")
        ann.wait_event(more, "answered")
        assert ann.session_of(more) == promise.session
        prompt = good(desk, "prompt", "show", ann.conversation(), "--json").json()
        assert any(NOBODY in said["text"] and said["role"] == "assistant" for said in prompt["messages"]), prompt


def test_who_mailed_is_told_nothing_that_is_not_true(desk):
    """Not who was promised nobody, who has opted out, or whose promise came back; not while a person holds the
    conversation, and not any more once somebody accepts."""
    def opted_out(ann, _):
        desk.sql("INSERT INTO consents (tenant_id, sender, address, state, source, changed_at) VALUES (%s::uuid, %s, %s,"
                 " 'opted_out', 'customer', clock_timestamp())", ann.tenant_id, ann.mailbox.address, ann.address)

    def bounced(_, promise):
        desk.sql("UPDATE deliveries SET state = 'bounced' WHERE id = %s::uuid", promise.delivery)

    def held(ann, _):
        desk.sql("UPDATE conversations SET held_by = 'ops:test', held_at = clock_timestamp() WHERE id = %s::uuid",
                 ann.conversation())

    for fields, change in (({"tell": None}, None), ({}, opted_out), ({}, bounced), ({}, held)):
        with writing(desk, **fields) as ann:
            _, promise = ask_by_mail(desk, ann)
            wait_told(ann, 1)
            if change:
                change(ann, promise)
            nobody_accepts(ann)
            assert not of_nobody(ann), change
    with writing(desk) as ann:
        ask_by_mail(desk, ann)
        nobody_accepts(ann)
        good(desk, "escalation", "accept", escalation(ann)["id"], "--as", "owner")
        quiet(desk, 0.5, lambda: of_nobody(ann))
        assert of_nobody(ann) == [(NOBODY, "suppressed")], of_nobody(ann)


def test_a_business_without_a_number(desk):
    """Its customers write mails, and its people are told by mail."""
    ines = member("ines", sms=desk.new_address())
    box = mailbox(desk)
    with business(desk, [ines], run=mail_engines):
        desk.sql("UPDATE channels SET removed_at = clock_timestamp() WHERE tenant_id = %s::uuid AND kind <> 'mail'"
                 " AND removed_at IS NULL", box.tenant_id)
        try:
            ann = Correspondent(desk, box)
            ask_by_mail(desk, ann)
            wait_told(ann, 1)
            who = person(desk, box, ines)
            notice = who.sent(who.replies()[0])
            assert notice.via == "mail" and ann.address in notice.body
            assert mail_back(desk, who, notice, "OK") == ("ended", "rota")
            assert escalation(ann)["accepted_by"] == "ines"
        finally:
            desk.sql("UPDATE channels SET removed_at = NULL WHERE tenant_id = %s::uuid AND kind <> 'mail'", box.tenant_id)
            desk.sql("UPDATE channels SET removed_at = clock_timestamp() WHERE id = %s::uuid", box.channel)
