"""Calls that the desk places: the same ledger as that of texts. One delivery is one call, whoever dies and whatever
Twilio does; hours, consent and takeovers are asked when it would be placed."""

import json
import urllib.parse
import uuid

from delivering import SETTLED, quiet, responders, unknown_then
from harness.stops import FREEZE, KILL
from ringing import ALWAYS, Callee, calling_hours

SHARE = True  # the helper restarts the responders when a test needs others


def begin(desk, count=1, hours=ALWAYS, **config):
    responders(desk, count, **config)
    for row in desk.sql("SELECT id::text FROM tenants"):
        calling_hours(desk, row[0], json.dumps(hours) if hours is not None else None)


# ---- the ordinary way


def test_places_what_it_is_woken_for(desk):
    begin(desk)
    callee = Callee(desk)
    delivery = callee.call(body="Grüße & Küsse: rufen Sie uns an?", leave="Please call us.")
    row = callee.wait_state(delivery, "sent")
    post, = callee.posts()
    params = post["params"]
    assert post["path"].endswith("/Calls.json") and params["From"] == callee.sender, post
    assert params["Timeout"] == "20" and params["MachineDetection"] == "DetectMessageEnd", params
    url = urllib.parse.urlsplit(params["Url"])
    assert params["Url"].startswith(desk.public_url) and url.path == f"/twilio/voice/back/{callee.tenant}/0", url
    assert urllib.parse.parse_qs(url.query) == {"delivery": [delivery], "leave": ["Please call us."],
                                                "say": ["Grüße & Küsse: rufen Sie uns an?"]}
    callback = urllib.parse.urlsplit(params["StatusCallback"])
    attempt, = callee.tries(delivery)
    assert callback.path == "/twilio/status" and urllib.parse.parse_qs(callback.query) == {
        "tenant": [callee.tenant], "delivery": [delivery], "attempt": [str(attempt["number"])]}, callback
    assert row["provider_sid"] == post["sid"] and row["segments"] is None, row
    assert (attempt["outcome"], attempt["http_status"]) == ("accepted", 201), attempt
    call, = callee.placed()
    assert call["sid"] == post["sid"], call


def test_finds_what_nobody_woke_it_for(desk):
    begin(desk)
    callee = Callee(desk)
    callee.wait_state(callee.call(wake=False), "sent")


def test_a_rota_is_asked_without_a_message(desk):
    begin(desk)
    callee = Callee(desk, purpose="rota")
    callee.wait_state(callee.call(), "sent")
    params = callee.posts()[0]["params"]
    assert params["MachineDetection"] == "Enable" and "/twilio/voice/asked/" in params["Url"], params


def test_replayed_wake_ups_place_no_second_call(desk):
    begin(desk, 2)
    callee = Callee(desk)
    delivery = callee.call()
    callee.wait_state(delivery, "sent")
    callee.wake(delivery, times=20)
    callee.wake(str(uuid.uuid4()))
    other = Callee(desk)
    other.wait_state(other.call(), "sent")
    assert len(quiet(desk, 1.0, callee.posts)) == 1


# ---- whether it may be placed


def refused(desk, callee, delivery, reason):
    row = callee.wait_state(delivery, "suppressed")
    assert row["reason"] == reason and callee.posts() == [] and callee.attempts(delivery) == [], row


def test_what_must_not_be_placed_never_is(desk):
    begin(desk)
    taken, late, blocked, closed, out = (Callee(desk) for _ in range(5))
    refused(desk, taken, taken.call(epoch=-1), "epoch")
    refused(desk, late, late.call(late=True), "late")
    desk.sql("UPDATE assistant_versions SET config = jsonb_set(config, '{phone,blocked}', jsonb_build_array(%s::text))"
             " WHERE tenant_id = %s::uuid", blocked.address, blocked.tenant)
    refused(desk, blocked, blocked.call(), "blocked")
    desk.sql("UPDATE escalations SET state = 'closed' WHERE id = %s::uuid", closed.task)
    refused(desk, closed, closed.call(), "closed")
    desk.sql("INSERT INTO consents (tenant_id, sender, address, state, source, changed_at)"
             " VALUES (%s::uuid, %s, %s, 'opted_out', 'test', clock_timestamp())", out.tenant, out.sender, out.address)
    refused(desk, out, out.call(), "opt_out")


def test_taken_over_or_opted_out_between_commit_and_claim(desk):
    """Both happen while nobody claims; what was committed before is not placed then."""
    begin(desk)
    taken, out, free = Callee(desk), Callee(desk), Callee(desk)
    desk.freeze("responder-1")
    deliveries = [callee.call() for callee in (taken, out, free)]
    desk.sql("UPDATE conversations SET epoch = epoch + 1, held_by = 'ines', held_at = clock_timestamp()"
             " WHERE id = %s::uuid", taken.conversation)
    desk.sql("INSERT INTO consents (tenant_id, sender, address, state, source, changed_at)"
             " VALUES (%s::uuid, %s, %s, 'opted_out', 'test', clock_timestamp())", out.tenant, out.sender, out.address)
    desk.thaw("responder-1")
    refused(desk, taken, deliveries[0], "epoch")
    refused(desk, out, deliveries[1], "opt_out")
    free.wait_state(deliveries[2], "sent", deadline_s=30)


def test_outside_the_hours_it_waits_for_their_opening(desk):
    """The hours move, not the clock: closed, it is put off and no attempt is counted; open, it is placed."""
    begin(desk, hours={})
    callee = Callee(desk)
    delivery = callee.call()
    row = callee.wait_state(delivery, "deferred")
    assert row["reason"] == "hours" and callee.attempts(delivery) == [] and row["first_attempt_at"] is None, row
    assert len(quiet(desk, 1.0, callee.posts)) == 0
    opens = desk.value("SELECT to_char(clock_timestamp() AT TIME ZONE t.timezone + interval '1 day', 'dy')"
                       " FROM tenants t WHERE t.id = %s::uuid", callee.tenant)
    calling_hours(desk, callee.tenant, json.dumps({opens: [["09:30", "11:00"]]}))
    desk.sql("UPDATE deliveries SET next_at = clock_timestamp() WHERE id = %s::uuid", delivery)
    desk.wait(lambda: desk.value(
        "SELECT to_char(d.next_at AT TIME ZONE t.timezone, 'dy HH24:MI') = %s || ' 09:30' FROM deliveries d"
        " JOIN tenants t ON t.id = d.tenant_id WHERE d.id = %s::uuid", opens, delivery), 15,
        lambda: f"the opening of {opens}: {callee.row(delivery)}")
    calling_hours(desk, callee.tenant, json.dumps(ALWAYS))
    desk.sql("UPDATE deliveries SET next_at = clock_timestamp() WHERE id = %s::uuid", delivery)
    callee.wait_state(delivery, "sent")
    assert len(callee.posts()) == 1


def test_the_hours_are_those_of_the_persons_zone(desk):
    """An hour that is now in one zone and not in the other."""
    begin(desk)
    here, there = Callee(desk), Callee(desk)
    day, hour = desk.sql("SELECT lower(to_char(t.now, 'dy')), to_char(t.now, 'HH24') FROM"
                         " (SELECT clock_timestamp() AT TIME ZONE 'Asia/Tokyo' AS now) t")[0]
    calling_hours(desk, here.tenant, json.dumps({day: [[f"{hour}:00", f"{int(hour) + 1:02}:00"]]}))
    desk.sql("UPDATE contacts SET timezone = 'Asia/Tokyo' WHERE id = %s::uuid", there.contact)
    away, home = there.call(), here.call()
    there.wait_state(away, "sent")
    assert here.wait_state(home, "deferred")["reason"] == "hours" and here.posts() == []


def test_a_rota_has_hours_of_its_own(desk):
    begin(desk, hours={})
    callee = Callee(desk, purpose="rota")
    callee.wait_state(callee.call(), "sent")


# ---- what becomes of it


def test_words_move_it_forward_only(desk):
    begin(desk)
    callee = Callee(desk)
    delivery = callee.call()
    sid = callee.wait_state(delivery, "sent")["provider_sid"]
    for status in ("initiated", "ringing", "in-progress", "ringing", "ringing"):
        callee.receipt(delivery, status, sid=sid)
    callee.receipt(delivery, "completed", sid=sid)
    callee.wait_state(delivery, "delivered")
    assert callee.timer_s() <= 0, "whoever waits for the end looks at once"
    for status in ("ringing", "no-answer", "busy", "completed", "failed"):
        callee.receipt(delivery, status, sid=sid)
    marker = Callee(desk)
    other = marker.call()
    marker.wait_state(other, "sent")
    marker.receipt(other, "completed")
    marker.wait_state(other, "delivered")
    row = quiet(desk, 1.0, lambda: callee.row(delivery))
    assert (row["state"], row["provider_status"]) == ("delivered", "completed"), row
    assert set(callee.states(delivery)) <= {"pending", "sending", "sent", "delivered"}, callee.states(delivery)


def test_the_end_may_be_the_first_word(desk):
    begin(desk)
    callee = Callee(desk)
    delivery = callee.call()
    sid = callee.wait_state(delivery, "sent")["provider_sid"]
    for status in ("no-answer", "in-progress", "ringing", "initiated"):
        callee.receipt(delivery, status, sid=sid)
    row = callee.wait_state(delivery, "failed")
    assert quiet(desk, 1.0, lambda: callee.row(delivery))["provider_status"] == "no-answer", row


def test_nobody_takes_it(desk):
    """The rota goes on at once, and so does a task's job; a call that rings leaves them alone."""
    begin(desk)
    for purpose in ("rota", "back"):
        for status in ("busy", "no-answer", "failed", "canceled"):
            callee = Callee(desk, purpose=purpose)
            delivery = callee.call()
            callee.wait_state(delivery, "sent")
            callee.receipt(delivery, "ringing")
            desk.wait(lambda: callee.row(delivery)["provider_status"] == "ringing", 10, "the word")
            assert callee.timer_s() > 3000, (purpose, status)
            callee.receipt(delivery, status)
            assert callee.wait_state(delivery, "failed")["provider_status"] == status
            assert callee.timer_s() <= 0, (purpose, status)


def test_the_end_of_a_call_that_was_passed_changes_no_rota(desk):
    begin(desk)
    callee = Callee(desk, purpose="rota")
    delivery = callee.call()
    callee.wait_state(delivery, "sent")
    desk.sql("UPDATE escalation_notices SET state = 'passed' WHERE delivery_id = %s::uuid", delivery)
    callee.receipt(delivery, "no-answer")
    callee.wait_state(delivery, "failed")
    assert callee.timer_s() > 3000


def test_twilio_says_no(desk):
    begin(desk)
    for code, state in ((21211, "failed"), (21215, "failed"), (10004, "deferred")):
        callee = Callee(desk)
        callee.fault(type="status", status=400, code=code)
        assert callee.wait_state(callee.call(), state)["error_code"] == str(code)
    assert callee.placed() == []


# ---- nobody knows


def test_faults_place_no_second_call(desk):
    """A stall, a 5xx, an answer that is lost or cut: looked up; what Twilio placed is what the delivery knows."""
    begin(desk, request_timeout_ms=2000)
    faults = [{"type": "accepted_but_answer_lost"}, {"type": "hang"}, {"type": "cut"},
              {"type": "status", "status": 503}, {"type": "status", "status": 429}]
    callees = [(fault, Callee(desk)) for fault in faults]
    desk.faults("twilio", *({"match": callee.address, "method": "POST", "count": 1, "action": fault}
                            for fault, callee in callees))
    calls = [(fault, callee, callee.call()) for fault, callee in callees]
    for fault, callee, delivery in calls:
        row = callee.wait_state(delivery, "sent", "delivered", "failed", deadline_s=40)
        call, = callee.placed()
        assert row["provider_sid"] == call["sid"], (fault, row)
        was_unknown = "unknown" in callee.states(delivery)
        assert was_unknown == (fault.get("status") != 429), (fault, callee.states(delivery))
        assert len(callee.posts()) == (1 if fault["type"] == "accepted_but_answer_lost" else 2), (fault, callee.posts())


def test_a_look_up_takes_no_other_deliverys_call(desk):
    """Two calls to one person: the one that is known is not taken for the one that is not."""
    begin(desk)
    callee = Callee(desk)
    first = callee.call()
    callee.wait_state(first, "sent")
    callee.fault(type="cut", count=1)
    second = callee.call()
    unknown_then(desk, callee, second)
    callee.wait_state(second, "sent", "delivered", "failed", deadline_s=30)
    rows = [callee.row(delivery)["provider_sid"] for delivery in (first, second)]
    assert sorted(rows) == sorted(call["sid"] for call in callee.placed()) and len(set(rows)) == 2, rows


def test_a_word_settles_what_nobody_knew(desk):
    begin(desk, lookup_after_ms=60000)
    callee = Callee(desk)
    callee.fault(type="accepted_but_answer_lost", count=1)
    delivery = callee.call()
    unknown_then(desk, callee, delivery)
    sid = callee.posts()[0]["sid"]
    callee.receipt(delivery, "initiated", sid=sid)
    row = callee.wait_state(delivery, "sent", deadline_s=10)
    assert row["provider_sid"] == sid and len(callee.placed()) == 1


def test_what_cannot_be_found_parks_in_the_end(desk):
    begin(desk, max_attempts=2)
    callee = Callee(desk)
    callee.fault(type="cut")
    row = callee.wait_state(callee.call(), *SETTLED, deadline_s=40)
    assert (row["state"], row["reason"]) == ("parked", "unknown") and callee.placed() == [], row
    assert callee.lists() and all("/Calls.json" in entry["path"] for entry in callee.lists()), callee.lists()
    assert callee.timer_s() <= 0


# ---- nobody tells of its end


ASKED = {"call_look_up_after_ms": 300}  # after the 5.5 s in which its outcome could be unknown


def ended(callee, delivery, state):
    """Its row once the provider was asked, after no word of it has come."""
    row = callee.wait_state(delivery, state, deadline_s=30)
    assert callee.timer_s() <= 0, "whoever waits for the end looks at once"
    return row


def test_an_end_that_nobody_told_is_asked_about(desk):
    """The last word is lost, as all others were: the delivery is what the word would have made of it, and who waits for
    that goes on. A refusal is asked about once more."""
    begin(desk, **ASKED)
    calls = []
    for purpose in ("rota", "back"):
        for answer, state, word in (("busy", "failed", "busy"), ("no-answer", "failed", "no-answer"),
                                    ("failed", "failed", "failed"), ("human", "delivered", "completed")):
            callee = Callee(desk, purpose=purpose, answer=answer)
            calls.append((callee, callee.call(), state, word))
    refused, delivery, *_ = calls[0]
    sid = refused.wait_state(delivery, "sent")["provider_sid"]
    desk.faults("twilio", {"method": "GET", "path": f"/Calls/{sid}.json", "count": 1,
                           "action": {"type": "status", "status": 503}})
    for callee, delivery, state, word in calls:
        row = ended(callee, delivery, state)
        assert row["provider_status"] == word and len(callee.placed()) == 1, row
        assert set(callee.states(delivery)) <= {"pending", "sending", "sent", state}, callee.states(delivery)
    assert desk.fired("twilio")[0]["fired"] == 1, desk.fired("twilio")


def test_whoever_asks_and_dies_is_followed(desk):
    begin(desk, 2, **ASKED)
    callee = Callee(desk, answer="busy")
    delivery = callee.call()
    stop = desk.stops.arm("responder.asking", action=KILL)
    desk.wait(lambda: stop.hits, 20, "a responder to ask")
    assert ended(callee, delivery, "failed")["provider_status"] == "busy"
    desk.responding = None
    desk.revive(("responder",))


def test_what_nobody_can_tell_of_is_over_after_a_day(desk):
    """The provider knows nothing of it: it is asked again and again, until no call lasts so long."""
    begin(desk, **ASKED)
    callee = Callee(desk, answer="busy")
    delivery = callee.call()
    sid = callee.wait_state(delivery, "sent")["provider_sid"]
    desk.faults("twilio", {"method": "GET", "path": f"/Calls/{sid}.json", "action": {"type": "status", "status": 404}})
    desk.wait(lambda: desk.fired("twilio")[0]["fired"] >= 2, 20, "it to be asked about twice")
    assert callee.row(delivery)["state"] == "sent" and callee.timer_s() > 3000
    desk.sql("UPDATE deliveries SET first_attempt_at = first_attempt_at - interval '25 h' WHERE id = %s::uuid", delivery)
    assert ended(callee, delivery, "failed")["reason"] == "unknown"
    desk.faults("twilio")


# ---- whoever places it dies


def survive(desk, point, **fault):
    begin(desk, 2)
    callee = Callee(desk)
    if fault:
        callee.fault(**fault, count=1)
    stop = desk.stops.arm(point, action=KILL)
    delivery = callee.call()
    desk.wait(lambda: stop.hits, 15, f"the stop point {point}")
    row = callee.wait_state(delivery, "sent", "delivered", "failed", deadline_s=40)
    call, = quiet(desk, 1.5, callee.placed)
    assert call["sid"] == row["provider_sid"], (call, row)
    desk.responding = None
    desk.revive(("responder",))
    return row


def test_dies_after_the_claim(desk):
    assert survive(desk, "responder.claimed")["attempts"] == 2


def test_dies_before_the_first_byte(desk):
    assert survive(desk, "responder.sending")["attempts"] == 2


def test_dies_after_the_answer(desk):
    assert survive(desk, "responder.answered")["attempts"] == 1


def test_dies_after_settling(desk):
    assert survive(desk, "responder.settled")["attempts"] == 1


def test_dies_before_and_after_the_look_up(desk):
    assert survive(desk, "responder.looking", type="accepted_but_answer_lost")["attempts"] == 1
    assert survive(desk, "responder.found", type="accepted_but_answer_lost")["attempts"] == 1
    assert survive(desk, "responder.found", type="cut")["attempts"] == 2


def test_killed_while_twilio_works_on_it(desk):
    """After the bytes of the request, before its answer."""
    begin(desk)
    callee = Callee(desk)
    callee.fault(type="delay", ms=3000)
    delivery = callee.call()
    desk.wait(lambda: callee.posts() and callee.posts()[0]["sid"], 10, "the call")
    desk.kill("responder-1")
    desk.responding = None
    desk.revive(("responder",))
    row = callee.wait_state(delivery, "sent", "delivered", "failed", deadline_s=30)
    call, = callee.placed()
    assert row["provider_sid"] == call["sid"] and row["attempts"] == 1, row


def test_frozen_before_the_first_byte(desk):
    """It wakes when its lease is over and the other one has placed the call."""
    begin(desk, 2)
    callee = Callee(desk)
    stop = desk.stops.arm("responder.sending", action=FREEZE)
    delivery = callee.call()
    desk.wait(lambda: stop.hits, 15, "the stop point")
    name = next(name for name, service in desk.services.items() if service.pid == stop.pid)
    callee.wait_state(delivery, "sent", "delivered", "failed", deadline_s=30)
    desk.thaw(name)
    desk.wait(lambda: any(line.get("event") == "worker.lost" for line in desk.log(name)), 15, "it to learn so")
    assert len(quiet(desk, 2.0, callee.placed)) == 1, callee.posts()
