"""Escalations: who of the rota is told, who has accepted, and what the customer is told, whatever
dies meanwhile (docs/PROTOCOL.md, escalations). Minutes are not waited for: a timer is made due.
"""

import contextlib
import json
import re
import uuid
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import yaml

from harness.stops import KILL
from operating import OK, TENANTS, doctor, good, good_environment
from scripted import Customer, engines, hand_back, say, take_over
from tenants import read_document

SHARE = True
DEADLINE_S = 90

GARAGE = 1  # of desk.tenants, in the order of the files
ZONE = "America/Chicago"
TELL = "I have asked a colleague to look at this."
WISH = {"reason": "customer_asks", "summary": "wants a person"}


def member(desk, name, hours=None):
    """Somebody of a rota; his number is new."""
    return {"name": name, "sms": desk.new_address(), **({"hours": hours} if hours else {})}


@contextlib.contextmanager
def business(desk, rota, run=engines, sections=None, **escalation):
    """The garage with this rota, and other sections; afterwards its own again."""
    run(desk)
    document = {**read_document(TENANTS / "garage.yaml"), **(sections or {})}
    section = {"on": ["customer_asks"], "rota": rota, "accept_within": "5m", "rounds": 1,
               "tell": TELL, **escalation}
    section = {key: value for key, value in section.items() if value is not None}
    document.update(timezone=ZONE, escalation=section,
                    tools=["take_message", "escalate", "end_conversation"])
    path = desk.folder / "garage.yaml"
    path.write_text(yaml.safe_dump(document))
    good(desk, "tenant", "apply", path, "--yes")
    try:
        yield Customer(desk, GARAGE)
    finally:
        desk.faults("model")
        good(desk, "tenant", "apply", TENANTS / "garage.yaml", "--yes")


def two_engines(desk):
    desk.scripted = None
    engines(desk, 2)


def staff(desk, somebody):
    """Somebody of the rota as one who texts."""
    person = Customer(desk, GARAGE)
    person.address = somebody["sms"]
    return person


def ask_for_a_person(desk, customer, reason=WISH["reason"]):
    """The customer writes, and the model calls `escalate`, for that reason. Who has nobody left to tell may say so at once:
    that is no turn's reply."""
    def answered():
        return [reply for reply in customer.replies() if reply[1] is not None]
    said = customer.make("a person, please")
    desk.faults("model", {"match": said.nonce, "count": 1, "action": {
        "type": "tool_call", "name": "escalate", "arguments": json.dumps({**WISH, "reason": reason})}})
    count = len(answered()) + 1
    say(desk, said)
    desk.wait(lambda: len(answered()) >= count, 15, lambda: f"{count} replies, got {customer.replies()}")
    assert len(answered()) == count, answered()


def escalation(customer):
    """The newest escalation of the customer as a dict, with its timer; None if there is none."""
    rows = customer.desk.sql(
        "SELECT row_to_json(e)::jsonb || jsonb_build_object('due_at', j.due_at) FROM escalations e"
        " JOIN turns t ON t.tenant_id = e.tenant_id AND t.id = e.turn_id"
        " JOIN channel_sessions s ON s.tenant_id = t.tenant_id AND s.id = t.session_id"
        " LEFT JOIN jobs j ON j.tenant_id = e.tenant_id AND j.subject = e.id::text"
        " WHERE s.tenant_id = %s::uuid AND s.remote_address = %s ORDER BY e.created_at DESC LIMIT 1",
        customer.tenant_id, customer.address)
    return rows[0][0] if rows else None


def notices(customer):
    """[(name, round, state, code, text, delivery state)] of the customer's escalations, in order."""
    return customer.desk.sql(
        "SELECT n.name, n.round, n.state, n.code, m.body, d.state FROM escalation_notices n"
        " JOIN deliveries d ON d.tenant_id = n.tenant_id AND d.id = n.delivery_id"
        " JOIN messages m ON m.tenant_id = d.tenant_id AND m.id = d.message_id"
        " JOIN escalations e ON e.tenant_id = n.tenant_id AND e.id = n.escalation_id"
        " JOIN turns t ON t.tenant_id = e.tenant_id AND t.id = e.turn_id"
        " JOIN channel_sessions s ON s.tenant_id = t.tenant_id AND s.id = t.session_id"
        " WHERE s.tenant_id = %s::uuid AND s.remote_address = %s ORDER BY n.sent_at",
        customer.tenant_id, customer.address)


def wait_told(customer, count):
    customer.desk.wait(lambda: len(notices(customer)) >= count, 20,
                       lambda: f"{count} notices, got {notices(customer)} of {escalation(customer)}")
    told = notices(customer)
    assert len(told) == count, told
    return told


def answers(person):
    """What the desk answered to codes, in order."""
    return [body for (body,) in person.desk.sql(
        "SELECT m.body FROM deliveries d JOIN messages m ON m.tenant_id = d.tenant_id AND m.id = d.message_id"
        " JOIN channel_sessions s ON s.tenant_id = d.tenant_id AND s.id = d.session_id"
        " WHERE d.tenant_id = %s::uuid AND s.remote_address = %s AND d.author = 'system'"
        " AND NOT EXISTS (SELECT FROM escalation_notices n WHERE n.tenant_id = d.tenant_id"
        " AND n.delivery_id = d.id) ORDER BY d.seq", person.tenant_id, person.address)]


def text_back(desk, person, body):
    """The person texts exactly this; returns what the inbox says of it and the last answer."""
    said = person.make(body=body)
    say(desk, said)
    desk.wait(lambda: person.event(said) and person.event(said)[0] != "open", 15,
              lambda: f"{body} to be over, is {person.event(said)}")
    return person.event(said), (answers(person) or [None])[-1]


def time_is_over(customer):
    """What was told of the customer could have been accepted until now, and the timer is due."""
    wish = escalation(customer)["id"]
    customer.desk.sql("UPDATE escalation_notices SET until_at = clock_timestamp()"
                      " WHERE state = 'open' AND escalation_id = %s::uuid", wish)
    customer.desk.sql("UPDATE jobs SET due_at = clock_timestamp() WHERE kind = 'escalation'"
                      " AND due_at IS NOT NULL AND subject = %s", wish)


def stays_told(customer, count):
    """Nobody else is told, although the timer, if there is one, is due."""
    time_is_over(customer)
    customer.desk.settled(1.5, lambda: len(notices(customer)), 15)
    assert len(notices(customer)) == count, notices(customer)


def test_told_and_accepted_by_code(desk):
    one, two = member(desk, "front desk"), member(desk, "workshop")
    with business(desk, [one, two]) as customer:
        ask_for_a_person(desk, customer)
        (name, _, state, code, body, delivery), = wait_told(customer, 1)
        assert (name, state, delivery) == ("front desk", "open", "pending")
        assert customer.address in body and WISH["summary"] in body and f"OK {code}" in body, body
        person = staff(desk, one)
        assert text_back(desk, person, f" ok {code.lower()}. ") == (
            ("ended", "rota"), f"{code} is yours, thank you. Nobody else is asked.")
        held = escalation(customer)
        assert (held["state"], held["accepted_by"], held["due_at"]) == ("accepted", "front desk", None)
        stays_told(customer, 1)
        # His other texts are a customer's.
        said = person.make("do you have a free bay?")
        say(desk, said)
        desk.wait(lambda: person.event(said) == ("answered", None), 15, lambda: person.event(said))


def test_moves_on_until_nobody_accepts(desk):
    one, two = member(desk, "front desk"), member(desk, "workshop")
    with business(desk, [one, two], rounds=2) as customer:
        ask_for_a_person(desk, customer)
        wait_told(customer, 1)
        for count in (2, 3, 4):
            time_is_over(customer)
            wait_told(customer, count)
        assert [row[:3] for row in notices(customer)] == [
            ("front desk", 1, "passed"), ("workshop", 1, "passed"), ("front desk", 2, "passed"),
            ("workshop", 2, "open")]
        time_is_over(customer)
        desk.wait(lambda: escalation(customer)["rota"] == "nobody_accepted", 15,
                  lambda: escalation(customer))
        wish = escalation(customer)["id"]
        row = next(row for row in good(desk, "escalation", "list", "--json").json() if row["id"] == wish)
        assert (row["state"], row["rota"], row["told"]) == ("open", "nobody accepted", "workshop"), row
        whole = good(desk, "escalation", "show", wish, "--json").json()
        assert [notice["name"] for notice in whole["notices"]] == ["front desk", "workshop"] * 2
        shown = good(desk, "escalation", "show", wish).out
        assert "nobody accepted" in shown and one["sms"] in shown, shown


def test_wrong_and_expired_codes(desk):
    one, two = member(desk, "front desk"), member(desk, "workshop")
    with business(desk, [one, two]) as customer:
        ask_for_a_person(desk, customer)
        code = wait_told(customer, 1)[0][3]
        person = staff(desk, one)
        wrong = "2C2C" if code != "2C2C" else "3C3C"
        assert text_back(desk, person, wrong) == (
            ("ended", "rota_wrong"),
            f"{wrong} is no code that was sent to this number. Nothing was accepted.")
        # No day is a code, and who was told nothing has none: both are ordinary texts.
        assert text_back(desk, person, "Thanks, 24th")[0][0] == "answered"
        (state, _), answer = text_back(desk, Customer(desk, GARAGE), code)
        assert state == "answered" and answer is None
        time_is_over(customer)
        wait_told(customer, 2)
        event, answer = text_back(desk, person, f"OK {code}")
        assert event == ("ended", "rota") and f"The time for {code} is over" in answer, answer
        assert escalation(customer)["state"] == "open"
        # What may be a no accepts nothing, and does not go to the model as a customer's text.
        other = notices(customer)[1][3]
        assert text_back(desk, staff(desk, two), f"Sorry, not {other}, I am out") == (
            ("ended", "rota"), f"Nothing was accepted yet. To take it, text only OK {other}.")
        text_back(desk, staff(desk, two), f"OK {other}, thanks")
        assert escalation(customer)["accepted_by"] == "workshop"
        assert text_back(desk, person, code)[1] == f"{code} is taken: workshop has it."


def test_guesses_are_bounded(desk):
    """The sixth wrong code of an hour is answered so, later ones not at all, and the right one does not
    count among them. Guard: KIND_SQL of store/rota_reply.c."""
    one = member(desk, "front desk")
    with business(desk, [one]) as customer:
        ask_for_a_person(desk, customer)
        code = wait_told(customer, 1)[0][3]
        person = staff(desk, one)
        for guess in ("2C2C", "2C2D", "2C2F", "2C2G", "2C2H"):
            text_back(desk, person, guess if guess != code else "2C2J")
        _, answer = text_back(desk, person, code)
        assert answer.startswith("Too many wrong codes"), answer
        text_back(desk, person, code)
        assert len(answers(person)) == 6 and escalation(customer)["state"] == "open"


def test_kill_between_the_steps(desk):
    """Wherever the engine dies, another goes on: each is told once. Guard: one transaction for notice,
    delivery and timer (notice_sql of store/rota.c)."""
    for point in ("engine.notifying", "engine.notified"):
        one, two = member(desk, "front desk"), member(desk, "workshop")
        with business(desk, [one, two], run=two_engines) as customer:
            stop = desk.stops.arm(point, action=KILL)
            ask_for_a_person(desk, customer)
            desk.wait(lambda: stop.hits, 15, f"the kill at {point}")
            wait_told(customer, 1)
            desk.settled(2, lambda: len(notices(customer)), 15)
            desk.stops.clear()
            time_is_over(customer)
            wait_told(customer, 2)
            assert [row[0] for row in notices(customer)] == ["front desk", "workshop"], point
            sent = desk.value("SELECT count(*) FROM deliveries d JOIN channel_sessions s ON s.tenant_id ="
                              " d.tenant_id AND s.id = d.session_id WHERE s.remote_address IN (%s, %s)",
                              one["sms"], two["sms"])
            assert sent == 2, (point, sent)
    desk.scripted = None


test_kill_between_the_steps.deadline_s = 150


def test_on_duty_by_hours(desk):
    """The first who is on duty is told; when nobody is, it waits for the next hours by the tenant's
    clock, and is listed."""
    days = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    tomorrow = datetime.now(ZoneInfo(ZONE)) + timedelta(days=1)
    hours = {days[tomorrow.weekday()]: "10:30-11:00"}
    off, on = member(desk, "off duty", hours), member(desk, "on duty")
    with business(desk, [off, on]) as customer:
        ask_for_a_person(desk, customer)
        assert wait_told(customer, 1)[0][0] == "on duty"
    with business(desk, [off]) as customer:
        ask_for_a_person(desk, customer)
        desk.wait(lambda: escalation(customer)["due_at"] and datetime.fromisoformat(
            escalation(customer)["due_at"]) > datetime.now(ZoneInfo(ZONE)) + timedelta(minutes=1), 15,
            lambda: escalation(customer))
        due = datetime.fromisoformat(escalation(customer)["due_at"]).astimezone(ZoneInfo(ZONE))
        assert due.strftime("%H:%M") == "10:30" and due.date() == tomorrow.date(), due
        assert not notices(customer) and escalation(customer)["state"] == "open"


def test_policy_word(desk):
    """A tenant's word opens an escalation with the turn's commit, and the customer is told so once."""
    one = member(desk, "front desk")
    with business(desk, [one], on=["policy_word"], words=["lawyer", "small claims"]) as customer:
        customer.text("my lawyers are fine")
        customer.wait_replies(1)
        assert escalation(customer) is None
        customer.text("I will call my LAWYER!")
        body = customer.wait_replies(2)[-1][0]
        assert body.endswith(f"\n\n{TELL}"), body
        wish = escalation(customer)
        assert wish["reason"] == "policy_word" and "LAWYER" in wish["summary"], wish
        wait_told(customer, 1)
        customer.text("the lawyer again")
        body = customer.wait_replies(3)[-1][0]
        assert escalation(customer)["id"] == wish["id"]  # somebody is being asked already
        assert body.endswith(f"\n\n{TELL}"), body
        good(desk, "escalation", "accept", wish["id"], "--as", "owner")
        customer.text("and the lawyer")
        body = customer.wait_replies(4)[-1][0]
        assert TELL not in body and body.endswith("\n\nSomebody of our team is looking after this already."), body
        assert escalation(customer)["id"] == wish["id"]
    with business(desk, [], on=["policy_word"], words=["lawyer"]) as customer:
        customer.text("my lawyer")
        body = customer.wait_replies(1)[-1][0]
        assert TELL not in body and body.endswith("\n\nI have passed this on to our team."), body
        assert escalation(customer)["rota"] == "none"


def tool_results(customer):
    return [json.loads(result) for (result,) in customer.desk.sql(
        "SELECT k.result FROM tool_calls k JOIN turns t ON t.tenant_id = k.tenant_id AND t.id = k.turn_id"
        " JOIN channel_sessions s ON s.tenant_id = t.tenant_id AND s.id = t.session_id"
        " WHERE s.tenant_id = %s::uuid AND s.remote_address = %s ORDER BY t.number, k.round, k.place",
        customer.tenant_id, customer.address)]


def test_people_are_asked_once(desk):
    """The model calls `escalate` again and again. Guard: `other` of open_sql (store/escalation.c)."""
    with business(desk, [member(desk, "front desk")]) as customer:
        ask_for_a_person(desk, customer)
        ask_for_a_person(desk, customer)
        good(desk, "escalation", "accept", escalation(customer)["id"], "--as", "owner")
        ask_for_a_person(desk, customer)
        assert [list(result) for result in tool_results(customer)] == [
            ["tell_the_customer"], ["asked_already"], ["taken_already"]]
        assert desk.value("SELECT count(*) FROM escalations WHERE tenant_id = %s::uuid AND conversation_id ="
                          " %s::uuid", customer.tenant_id, customer.conversation()) == 1


def test_outage_and_repeated_failure(desk):
    one = member(desk, "front desk")
    with business(desk, [one], on=["provider_outage"]) as customer:
        desk.faults("model", {"action": {"type": "status", "status": 500}})
        customer.text()
        _, outcome, _ = customer.wait_replies(1)[0]
        assert outcome == "fallback"
        assert escalation(customer)["reason"] == "provider_outage"
        wait_told(customer, 1)
        other = Customer(desk, GARAGE)  # of one outage the rota is told once
        other.text()
        other.wait_replies(1)
        assert escalation(other)["rota"] == "none" and not notices(other)
    with business(desk, [one], on=["repeated_failure"]) as customer:
        desk.faults("model", {"action": {"type": "status", "status": 500}})
        customer.text()
        customer.wait_replies(1)
        assert escalation(customer) is None
        customer.text()
        customer.wait_replies(2)
        assert escalation(customer)["reason"] == "repeated_failure"


test_outage_and_repeated_failure.deadline_s = 150


def test_a_withheld_reply_is_no_outage(desk):
    """A model answered, and we or its provider did not let it out. Guard: is_declined in on_done."""
    with business(desk, [member(desk, "front desk")], on=["provider_outage"]) as customer:
        customer.text()
        customer.wait_replies(1)
        prompt = good(desk, "prompt", "show", customer.conversation(), "--json").json()
        for count, action in ((2, {"type": "reply", "text": prompt["messages"][0]["text"][:90]}),
                              (3, {"type": "reply", "text": "half", "finish_reason": "content_filter"})):
            desk.faults("model", {"match": "messages", "action": action})
            customer.text()
            assert customer.wait_replies(count)[-1][1] == "fallback"
        assert desk.value("SELECT count(*) FROM llm_calls WHERE outcome = 'withheld'") > 0
        assert escalation(customer) is None


def test_only_listed_triggers_call(desk):
    """A wish that the tenant did not list is recorded, and nobody is told; the rota is called for those that it
    listed, also by what only the model sees."""
    one = member(desk, "front desk")
    with business(desk, [one], on=["anger", "low_grounding"]) as customer:
        ask_for_a_person(desk, customer)
        assert escalation(customer)["rota"] == "none" and escalation(customer)["due_at"] is None
        for reason in ("anger", "low_grounding"):
            other = Customer(desk, GARAGE)
            ask_for_a_person(desk, other, reason)
            assert escalation(other)["reason"] == reason
            (name, _, state, code, text, _), = wait_told(other, 1)
            assert (name, state) == ("front desk", "open") and f"OK {code}" in text and other.address in text, text
            text_back(desk, staff(desk, one), code)
            assert escalation(other)["accepted_by"] == "front desk"
        desk.settled(1, lambda: len(notices(customer)), 10)
        assert not notices(customer)


def test_deskctl_stops_the_timer(desk):
    one, two = member(desk, "front desk"), member(desk, "workshop")
    with business(desk, [one, two]) as customer:
        ask_for_a_person(desk, customer)
        code = wait_told(customer, 1)[0][3]
        good(desk, "escalation", "accept", escalation(customer)["id"], "--as", "owner")
        stays_told(customer, 1)
        assert notices(customer)[0][2] == "ended" and notices(customer)[0][5] == "suppressed"
        assert text_back(desk, staff(desk, one), code)[1] == f"{code} is taken: owner has it."


def test_who_takes_over_has_accepted(desk):
    """The rota of that conversation stops, and is asked again after the hand-back."""
    one, two = member(desk, "front desk"), member(desk, "workshop")
    with business(desk, [one, two]) as customer:
        ask_for_a_person(desk, customer)
        code = wait_told(customer, 1)[0][3]
        take_over(desk, customer)
        stays_told(customer, 1)
        assert notices(customer)[0][2] == "ended" and notices(customer)[0][5] == "suppressed"
        wish = escalation(customer)
        shown = good(desk, "conversation", "show", customer.conversation()).out
        assert wish["state"] == "accepted" and f"accepted by {wish['accepted_by']}" in shown, shown
        assert "is taken" in text_back(desk, staff(desk, one), code)[1]
        hand_back(desk, customer)
        customer.wait_replies(2)  # what the takeover suppressed is answered anew
        ask_for_a_person(desk, customer)
        assert escalation(customer)["id"] != wish["id"]
        wait_told(customer, 2)


def test_failing_timers_hold_up_nobody(desk):
    """Timers that cannot be read, older than all others, are put off one by one, and parked in the end.
    Guard: `unreadable` of services/engine/rota.c."""
    def row_of(row):
        return desk.sql("SELECT tries, last_error, due_at > clock_timestamp() - interval '1 min', due_at IS NULL"
                        " FROM jobs WHERE id = %s::uuid", row)[0]

    with business(desk, [member(desk, "front desk"), member(desk, "workshop")]) as customer:
        ask_for_a_person(desk, customer)
        wait_told(customer, 1)
        bad = [str(uuid.uuid4()) for _ in range(20)]
        for number, row in enumerate(bad):  # of no escalation, and of no id at all
            desk.sql("INSERT INTO jobs (tenant_id, id, kind, subject, due_at) VALUES (%s::uuid, %s::uuid,"
                     " 'escalation', %s, clock_timestamp() - interval '1 h')", customer.tenant_id, row,
                     row if number % 2 else f"bad {row}")
        time_is_over(customer)
        wait_told(customer, 2)
        desk.wait(lambda: all(row_of(row)[0] > 0 and row_of(row)[2] for row in bad), 20,
                  lambda: [row_of(row) for row in bad])
        assert "no such escalation" in row_of(bad[1])[1] and "uuid" in row_of(bad[0])[1], row_of(bad[0])
        desk.sql("UPDATE jobs SET tries = 11, due_at = clock_timestamp() WHERE id = ANY (%s::uuid[])", bad)
        desk.wait(lambda: all(row_of(row)[3] for row in bad), 20, lambda: [row_of(row) for row in bad])
        desk.sql("DELETE FROM jobs WHERE id = ANY (%s::uuid[])", bad)


def test_a_rota_that_cannot_be_told_is_parked(desk):
    """Without a number nobody can be told: in the end a person sees why (`deskctl escalation`)."""
    numbers = ("UPDATE channels SET removed_at = %s::timestamptz WHERE tenant_id = %s::uuid AND kind = 'sms'"
               " AND removed_at IS NOT DISTINCT FROM %s::timestamptz")
    with business(desk, [member(desk, "front desk")]) as customer:
        ask_for_a_person(desk, customer)
        wait_told(customer, 1)
        wish = escalation(customer)["id"]
        desk.sql(numbers, "2026-01-01", customer.tenant_id, None)
        try:
            desk.sql("UPDATE jobs SET tries = 11 WHERE kind = 'escalation' AND subject = %s", wish)
            time_is_over(customer)
            desk.wait(lambda: escalation(customer)["rota"] == "parked", 15, lambda: escalation(customer))
        finally:
            desk.sql(numbers, None, customer.tenant_id, "2026-01-01")
        assert escalation(customer)["due_at"] is None and escalation(customer)["state"] == "open"
        row = next(row for row in good(desk, "escalation", "list", "--json").json() if row["id"] == wish)
        assert row["rota"] == "parked", row
        assert "the tenant has neither a number nor a mailbox" in good(desk, "escalation", "show", wish).out
        good(desk, "escalation", "retry", wish)  # the number is back
        assert [row[0] for row in wait_told(customer, 2)] == ["front desk"] * 2
        assert escalation(customer)["rota"] == "running"


def test_who_opted_out_is_not_texted(desk):
    one, two = member(desk, "front desk"), member(desk, "workshop")
    with business(desk, [one, two]) as customer:
        person = staff(desk, one)
        said = person.make("STOP")
        say(desk, said)
        person.wait_event(said, "ended")
        ask_for_a_person(desk, customer)
        assert wait_told(customer, 1)[0][0] == "workshop"
    with business(desk, [one]) as customer:
        ask_for_a_person(desk, customer)
        desk.wait(lambda: escalation(customer)["rota"] == "nobody_accepted", 15,
                  lambda: escalation(customer))
        assert not notices(customer)


NOBODY = "Nobody of our team could take this yet. Your message stands, and somebody will read it."


def of_nobody(customer):
    """[(text, delivery state)] of what the customer was told since nobody accepted."""
    return customer.desk.sql(
        "SELECT m.body, d.state FROM escalations e JOIN deliveries d ON d.tenant_id = e.tenant_id"
        " AND d.id = e.id JOIN messages m ON m.tenant_id = d.tenant_id AND m.id = d.message_id"
        " JOIN channel_sessions s ON s.tenant_id = d.tenant_id AND s.id = d.session_id"
        " WHERE s.tenant_id = %s::uuid AND s.remote_address = %s ORDER BY m.position",
        customer.tenant_id, customer.address)


def nobody_accepts(customer, told=1):
    """The rota of one is told and its time passes."""
    wait_told(customer, told)
    time_is_over(customer)
    customer.desk.wait(lambda: escalation(customer)["rota"] == "nobody_accepted", 15,
                       lambda: escalation(customer))


def test_customer_is_told_that_nobody_accepted(desk):
    """Once, whoever asks the rota again, and never after somebody has accepted; the model knows of it, the
    log, the counter and `deskctl doctor` tell it. Guards: nobody_sql of store/rota.c, silence_sql of
    store/escalation_admin.c, TURN_AUTHOR_SQL of store/turn_inside.h."""
    with business(desk, [member(desk, "front desk")]) as customer:
        ask_for_a_person(desk, customer)
        assert not of_nobody(customer)
        nobody_accepts(customer)
        assert of_nobody(customer) == [(NOBODY, "pending")], of_nobody(customer)
        wish = escalation(customer)["id"]
        line, = [line for line in desk.log("engine-1") if line.get("event") == "escalation.nobody_accepted"
                 and line.get("escalation") == wish]
        assert line["level"] == "warn" and line["customer_told"] is True, line
        assert desk.service("engine-1").metrics()["frontdesk_escalations_nobody_accepted_total"] >= 1
        row = doctor(desk, OK, environment=good_environment(desk))[f"escalations {customer.known['name']}"]
        assert row["result"] == "warn" and "nobody of the rota accepted" in row["what"], row
        good(desk, "escalation", "retry", wish)
        nobody_accepts(customer, 2)
        assert len(of_nobody(customer)) == 1
        customer.text("and now?")
        customer.wait_replies(3)
        prompt = good(desk, "prompt", "show", customer.conversation(), "--json").json()
        assert any(NOBODY in message["text"] and message["role"] == "assistant"
                   for message in prompt["messages"]), prompt
        good(desk, "escalation", "accept", wish, "--as", "owner")
        assert of_nobody(customer) == [(NOBODY, "suppressed")], of_nobody(customer)


def test_nobody_is_told_in_the_tenant_s_words(desk):
    """In the tenant's language, or in its own words. Guards: rota_plan_nobody, wording_read."""
    words = {"nobody": "Ainda ninguém da {business} pôde responder."}
    for sections, said in (({"language": "de-DE"}, "Aus unserem Team konnte sich noch niemand"),
                           ({"language": "pt-BR", "reception": {"words": words}},
                            "Ainda ninguém da Hillcrest Garage pôde responder.")):
        with business(desk, [member(desk, "front desk")], sections=sections) as customer:
            ask_for_a_person(desk, customer)
            nobody_accepts(customer)
            (body, _), = of_nobody(customer)
            assert body.startswith(said), body


def test_who_was_promised_nobody_is_told_nothing(desk):
    """Nor who has opted out, nor while a person holds the conversation."""
    with business(desk, [member(desk, "front desk")], tell=None) as customer:
        ask_for_a_person(desk, customer)
        nobody_accepts(customer)
        assert not of_nobody(customer)
    with business(desk, [member(desk, "front desk")]) as customer:
        ask_for_a_person(desk, customer)
        wait_told(customer, 1)
        said = customer.make("STOP")
        say(desk, said)
        customer.wait_event(said, "ended")
        nobody_accepts(customer)
        assert not of_nobody(customer)
    with business(desk, [member(desk, "front desk")]) as customer:
        ask_for_a_person(desk, customer)
        wait_told(customer, 1)
        desk.sql("UPDATE conversations SET held_by = 'ops:test', held_at = clock_timestamp()"
                 " WHERE id = %s::uuid", customer.conversation())
        nobody_accepts(customer)
        assert not of_nobody(customer)


def everybody(desk):
    desk.scripted = None
    desk.stop()
    desk.start(engines=1, responders=1, config={"engine": {"burst_ms": 300, "adopt_every_ms": 200}})


def test_by_real_texts(desk):
    """From the customer's webhook to the provider and back: the notice is sent as any delivery is."""
    one = member(desk, "front desk")
    with business(desk, [one], run=everybody) as customer:
        nonce = desk.new_nonce()
        desk.faults("model", {"match": nonce, "count": 1, "action": {
            "type": "tool_call", "name": "escalate", "arguments": json.dumps(WISH)}})
        assert desk.webhook(customer.address, f"{nonce} a person", tenant=GARAGE).status == 200
        desk.wait_replies(customer.address, 1)
        desk.wait(lambda: desk.sent_to(one["sms"]), 20, "the notice")
        code = re.search(r"Reply OK (\w{4}) within 5 min", str(desk.sent_to(one["sms"])[0])).group(1)
        assert desk.webhook(one["sms"], f"OK {code}", tenant=GARAGE).status == 200
        desk.wait(lambda: len(desk.sent_to(one["sms"])) == 2, 20, "the answer")
        assert f"{code} is yours" in str(desk.sent_to(one["sms"])[1])
        assert escalation(customer)["accepted_by"] == "front desk"


def test_nobody_by_real_texts(desk):
    """The customer has it once, behind the reply that promised a person."""
    with business(desk, [member(desk, "front desk")], run=everybody) as customer:
        nonce = desk.new_nonce()
        desk.faults("model", {"match": nonce, "count": 1, "action": {
            "type": "tool_call", "name": "escalate", "arguments": json.dumps(WISH)}})
        assert desk.webhook(customer.address, f"{nonce} a person", tenant=GARAGE).status == 200
        desk.wait_replies(customer.address, 1)
        nobody_accepts(customer)
        desk.wait(lambda: len(desk.sent_to(customer.address)) == 2, 20, lambda: desk.sent_to(customer.address))
        assert desk.sent_to(customer.address)[1] == NOBODY
        desk.wait(lambda: of_nobody(customer)[0][1] in ("sent", "delivered"), 20, lambda: of_nobody(customer))
        desk.settled(1.5, lambda: len(desk.sent_to(customer.address)), 15)
        assert len(desk.sent_to(customer.address)) == 2
