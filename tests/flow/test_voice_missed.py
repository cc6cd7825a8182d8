"""A caller who says nothing, presses nothing and leaves nothing, or whom nobody answers, is a task for people, where
the record of his call's end says that the business wants it (docs/VOICE.md): once, however often that comes, in both
modes."""

import secrets

from call_records import CALLS, Call
from harness import oracle
from harness.stops import KILL
from scripted import Customer, engines
from test_voice_steps import Steps

SHARE = True
DEADLINE_S = 90
MISSED = "Missed call: the caller said nothing, and left no message."
UNANSWERED = "Missed call: the caller was not answered, and left no message. The caller said: "
FOUND = "Somebody called while the desk could hear nothing, and left no message."


def up(desk, wait_ms=600000):
    """A missed call is told to the rota so much later: in ten minutes, if no test is about it."""
    engines(desk, 1, **CALLS, missed_call_wait_ms=wait_ms)
    desk.faults("model")


def over(call):
    """All that was told of the caller's calls so far is done: the records of one person come in their order."""
    behind = type(call)(call.desk, call.customer)
    behind.setup()
    call.desk.wait(behind.session, 20, "the next call of the same person")
    behind.close()
    call.close()


def tasks(call):
    """[(summary, state, rota, call back)] of the conversation that the call is in."""
    return call.desk.sql(
        "SELECT e.summary, e.state, e.rota, e.call_back FROM escalations e JOIN channel_sessions s"
        " ON s.tenant_id = e.tenant_id AND s.conversation_id = e.conversation_id WHERE s.call_sid = %s"
        " ORDER BY e.created_at", call.sid)


def leave(call):
    """The caller left a message, of which is told behind his call's end as a rule."""
    sid = "RE" + secrets.token_hex(16)
    call.tell("recorded", sid, recording_sid=sid, url="https://api.twilio.com/x", duration_s=12, why="fallback")


def notices(call):
    return call.desk.value("SELECT count(*) FROM escalation_notices n JOIN escalations e ON e.tenant_id = n.tenant_id"
                           " AND e.id = n.escalation_id WHERE e.call_back = %s", call.customer.address)


def test_a_hang_up_within_the_greeting_is_one_task(desk):
    up(desk)
    for kind in (Call, Steps):
        call = kind(desk)
        call.setup()
        call.ended(missed=True)
        call.ended(missed=True)
        over(call)
        assert tasks(call) == [(MISSED, "open", "running", call.customer.address)], (kind, tasks(call))
        assert call.session()["ended_at"] and call.events() == [], call.rows()
        assert call.desk.value("SELECT count(*) FROM jobs WHERE kind = 'escalation' AND subject = (SELECT id::text"
                               " FROM escalations WHERE call_back = %s)", call.customer.address) == 1


def test_one_who_hangs_up_before_anything_is_there(desk):
    """Within the line about consent: the end of his call is all that is ever told of it."""
    up(desk)
    call = Call(desk)
    call.ended(missed=True)
    over(call)
    assert tasks(call) == [(MISSED, "open", "running", call.customer.address)], tasks(call)
    assert call.session()["ended_at"], call.rows()


def test_nobody_is_told_where_the_business_does_not_want_it(desk):
    up(desk)
    call = Call(desk)
    call.setup()
    call.ended()
    over(call)
    assert tasks(call) == [] and call.session()["ended_at"], tasks(call)


def test_who_has_said_something_is_no_missed_call(desk):
    up(desk)
    spoke, pressed = Call(desk), Call(desk)
    for call, say in ((spoke, call_prompt), (pressed, lambda call: call.press("1"))):
        call.setup()
        say(call)
        call.wait_over()
        call.ended(missed=True)
        over(call)
        assert tasks(call) == [], tasks(call)
        assert call.session()["ended_at"] and [state for state, _ in call.events()] == ["answered"], call.rows()
    step = Steps(desk)
    step.setup()
    nonce = step.step()
    assert oracle.new_nonces(step.wait_answers(1)["text"]) == [nonce]
    step.ended(missed=True)
    over(step)
    assert tasks(step) == [], tasks(step)


def call_prompt(call):
    return call.prompt("hello")


def asks(desk, call, words):
    """The caller says this, and the model is still at it."""
    nonce = desk.new_nonce()
    desk.faults("model", {"match": nonce, "action": {"type": "delay", "ms": 20000}})
    turns = len(call.turns())
    call.prompt(words, nonce)
    desk.wait(lambda: len(call.turns()) > turns, 20, lambda: f"his turn: {call.rows()}")
    return f"{nonce} {words}"


def test_who_is_not_answered_is_one_task_with_his_words(desk):
    """He hears fillers, or a tape, and hangs up: in both modes."""
    up(desk)
    for mode in ("streaming", "webhook"):
        call = Call(desk) if mode == "streaming" else Steps(desk)
        call.setup()
        if mode == "streaming":
            said = asks(desk, call, "my crown came off")
        else:
            nonce = desk.new_nonce()
            desk.faults("model", {"match": nonce, "action": {"type": "delay", "ms": 20000}})
            call.step("my crown came off", nonce=nonce)
            said = f"{nonce} my crown came off"
            desk.wait(call.turns, 20, lambda: f"his turn: {call.rows()}")
        call.ended(missed=True)
        call.ended(missed=True)
        over(call)
        assert [state for state, _ in call.events()] == ["late"], (mode, call.rows())
        assert tasks(call) == [(UNANSWERED + said, "open", "running", call.customer.address)], (mode, tasks(call))
        desk.faults("model")


def test_who_is_answered_and_takes_his_leave_is_no_missed_call(desk):
    """A last word that nobody had the time to answer."""
    up(desk)
    call = Call(desk)
    call.setup()
    call.prompt("hello")
    call.wait_over()
    call.wait_settled(1)
    asks(desk, call, "thank you, goodbye")
    call.ended(missed=True, later_s=1)
    over(call)
    assert [state for state, _ in call.events()] == ["answered", "late"], call.rows()
    assert tasks(call) == [], tasks(call)
    desk.faults("model")


def test_who_was_answered_once_and_waits_in_vain_is_one_task(desk):
    up(desk)
    call = Call(desk)
    call.setup()
    call.prompt("hello")
    call.wait_over()
    call.wait_settled(1)
    said = asks(desk, call, "and my crown came off")
    call.ended(missed=True, later_s=5)  # he has heard a filler
    over(call)
    assert tasks(call) == [(UNANSWERED + said, "open", "running", call.customer.address)], tasks(call)
    desk.faults("model")


def test_who_is_not_answered_leaves_a_message(desk):
    """That is the task, told of before his end and behind it."""
    up(desk)
    for first in (True, False):
        call = Call(desk)
        call.setup()
        asks(desk, call, "my crown came off")
        if first:
            leave(call)
        call.ended(missed=True)
        if not first:
            leave(call)
        over(call)
        assert [row[:2] for row in tasks(call) if row[1] != "closed"] == [
            ("The caller left a spoken message (12 s).", "open")], (first, tasks(call))
        assert len(tasks(call)) == 1 + (not first), tasks(call)
        desk.faults("model")


def test_what_the_caller_heard_is_kept_as_by_any_end(desk):
    """An end that tells of a turn settles it, whatever else it says."""
    up(desk)
    call = Call(desk)
    call.setup()
    nonce = desk.new_nonce()
    desk.faults("model", {"match": nonce, "action": {
        "type": "reply", "text": "We are open from nine to five. We close at noon on Saturdays."}})
    call.prompt("hello", nonce)
    call.pump(lambda: call.spoken, 15, "a piece")
    heard = call.said.split(".")[0]
    call.ended(missed=True, heard_turn=call.turn, heard_fence=call.fence, heard_epoch=call.epoch,
               heard_seq=call.seq, heard=heard)
    desk.wait(lambda: call.session()["ended_at"], 20, "the end in the rows")
    (body, was, _, state, _), = call.replies()
    assert (was, state) == (heard, "delivered") and body.startswith(heard), call.rows()
    assert call.events() == [("answered", None)] and tasks(call) == [], (call.rows(), tasks(call))
    desk.faults("model")
    call.close()


def test_a_message_that_was_left_is_the_only_task(desk):
    """Told of before the call's end, and behind it."""
    up(desk)
    for first in (True, False):
        call = Call(desk)
        call.setup()
        if first:
            leave(call)
        call.ended(missed=True)
        if not first:
            leave(call)
        call.ended(missed=True)
        over(call)
        told = tasks(call)
        assert [row[:3] for row in told if row[1] != "closed"] == [
            ("The caller left a spoken message (12 s).", "open", "running")], (first, told)
        assert [row[:3] for row in told if row[1] == "closed"] == [(MISSED, "closed", "over")] * (not first), told
        assert notices(call) <= 1, "the rota was told of the missed call as well"


def test_the_rota_is_told_once(desk):
    up(desk, wait_ms=0)
    call = Call(desk)
    call.setup()
    call.ended(missed=True)
    desk.wait(lambda: notices(call), 20, lambda: f"somebody to be told: {tasks(call)}")
    call.ended(missed=True)
    leave(call)  # too late to take it back: both are theirs
    over(call)
    assert [row[:2] for row in tasks(call)] == [
        (MISSED, "open"), ("The caller left a spoken message (12 s).", "open")], tasks(call)
    said = desk.value("SELECT m.body FROM escalation_notices n JOIN escalations e ON e.tenant_id = n.tenant_id"
                      " AND e.id = n.escalation_id JOIN deliveries d ON d.tenant_id = n.tenant_id"
                      " AND d.id = n.delivery_id JOIN messages m ON m.tenant_id = d.tenant_id AND m.id = d.message_id"
                      " WHERE e.summary = %s AND e.call_back = %s ORDER BY n.sent_at LIMIT 1",
                      MISSED, call.customer.address)
    assert MISSED.rstrip(".") in said and call.customer.address in said, said


def test_who_withholds_his_number_cannot_be_called_back(desk):
    up(desk)
    customer = Customer(desk)
    customer.address = "anonymous"
    call = Call(desk, customer)
    call.setup()
    call.ended(missed=True)
    desk.wait(lambda: tasks(call), 20, "the task")
    assert tasks(call) == [(MISSED, "open", "running", None)], tasks(call)
    call.close()


def test_found_at_the_provider_as_well(desk):
    """The gap audit tells of the same end under the same id, before or behind: one task."""
    up(desk)
    for more in (("missed", "found"), ("found", "missed")):
        call = Call(desk)
        for word in more:
            call.ended(**{word: True})
        over(call)
        summary = MISSED if more[0] == "missed" else FOUND
        assert tasks(call) == [(summary, "open", "running", call.customer.address)], (more, tasks(call))


def test_the_end_of_a_call_that_we_placed_is_no_missed_call(desk):
    """Also where only the provider's list tells of it, of a business that wants to hear of missed calls."""
    up(desk)
    wanted = desk.sql("SELECT v.tenant_id, v.assistant_id, v.version, v.config::text FROM assistant_versions v"
                      " JOIN tenants t ON t.id = v.tenant_id WHERE t.name = %s", desk.tenants[0]["name"])
    desk.sql("UPDATE assistant_versions v SET config = jsonb_set(config, '{phone}', coalesce(config->'phone', '{}')"
             " || '{\"missed_calls\": true}') FROM tenants t WHERE t.id = v.tenant_id AND t.name = %s",
             desk.tenants[0]["name"])
    try:
        for more, summaries in (({"outbound": True}, []), ({}, [MISSED])):
            call = Call(desk)
            call.setup(**more)
            desk.wait(call.session, 20, "the call's session")
            call.ended(found=True, **more)
            over(call)
            assert [row[0].replace(FOUND, MISSED) for row in tasks(call)] == summaries, (more, tasks(call))
            assert call.session()["ended_at"], call.rows()
    finally:
        for tenant, assistant, version, config in wanted:
            desk.sql("UPDATE assistant_versions SET config = %s::jsonb WHERE tenant_id = %s::uuid"
                     " AND assistant_id = %s::uuid AND version = %s", config, tenant, assistant, version)


def test_the_end_of_a_call_whose_number_is_gone(desk):
    """It ends its session as any end does: nobody has to look at it."""
    up(desk)
    number = desk.tenants[0]["numbers"]["sms"]
    for more in ({}, {"missed": True}, {"found": True}):
        call = Call(desk)
        call.setup()
        desk.wait(call.session, 20, "the call's session")
        desk.sql("UPDATE channels SET removed_at = clock_timestamp() WHERE kind = 'voice' AND address = %s", number)
        try:
            call.ended(**more)
            desk.wait(lambda: call.session()["ended_at"], 20, "the end in the rows")
        finally:
            desk.sql("UPDATE channels SET removed_at = NULL WHERE kind = 'voice' AND address = %s", number)
        over(call)
        assert not [letter for letter in desk.kafka_records("dlq") if call.sid.encode() in (letter.value or b"")], more


def test_an_engine_that_dies_behind_the_claim(desk):
    up(desk)
    call = Call(desk)
    call.setup()
    desk.wait(call.session, 20, "the call's session")
    stop = desk.stops.arm("engine.claimed", action=KILL, match=f"{call.sid}:ended")
    call.ended(missed=True)
    desk.wait(lambda: stop.hits, 20, "the engine to die")
    desk.scripted = None
    desk.revive(("engine",))
    over(call)
    assert tasks(call) == [(MISSED, "open", "running", call.customer.address)], tasks(call)
