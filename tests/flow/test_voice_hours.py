"""A call outside the opening hours: the caller hears that the business is closed without a model being asked, or
leaves who he is and what he wants, and nothing else is done for him. The test is the ingress."""

import contextlib
import json
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import yaml

from call_records import CALLS, Call
from harness import oracle
from operating import TENANTS, good
from scripted import engines
from tenants import read_document
from test_voice_steps import Steps

SHARE = True
DEADLINE_S = 90
ZONE = "America/Los_Angeles"
ALWAYS = {"mon-sun": "00:00-24:00"}
ASLEEP = "We are closed now. We are here again on weekdays from eight."
REASON = "My crown came off this morning."
NAME = "Lena Keller"


def never():
    """Hours that begin in two days: closed now, whenever the test runs."""
    day = datetime.now(ZoneInfo(ZONE)) + timedelta(days=2)
    return {day.strftime("%a").lower(): "08:00-09:00"}


@contextlib.contextmanager
def clinic(desk, hours, mode):
    """The clinic with these hours and mode; afterwards its own again."""
    engines(desk, 1, **CALLS)
    document = read_document(TENANTS / "dental.yaml")
    document.update(timezone=ZONE, hours=hours, holidays=[], after_hours={"mode": mode, "say": ASLEEP})
    path = desk.folder / "dental.yaml"
    path.write_text(yaml.safe_dump(document))
    desk.faults("model")
    good(desk, "tenant", "apply", path, "--yes")
    try:
        yield
    finally:
        desk.faults("model")
        good(desk, "tenant", "apply", TENANTS / "dental.yaml", "--yes")


def asked(desk, nonce):
    """What models were asked of this."""
    return [entry for entry in desk.ledger("model") if nonce in str(entry["params"])]


def tools(call):
    return [(name, outcome, json.loads(result)) for name, outcome, result in call.desk.sql(
        "SELECT k.name, k.outcome, k.result FROM tool_calls k JOIN turns t ON t.tenant_id = k.tenant_id"
        " AND t.id = k.turn_id JOIN channel_sessions s ON s.tenant_id = t.tenant_id AND s.id = t.session_id"
        " WHERE s.call_sid = %s ORDER BY t.number, k.round, k.place", call.sid)]


def tasks(call):
    return call.desk.sql("SELECT e.reason, e.caller, e.summary, e.call_back FROM escalations e JOIN channel_sessions s"
                         " ON s.tenant_id = e.tenant_id AND s.conversation_id = e.conversation_id"
                         " WHERE s.call_sid = %s ORDER BY e.created_at", call.sid)


def say(call, words, *calls):
    """The caller says it, and the model answers with these tools one after the other, then with words."""
    nonce = call.desk.new_nonce()
    call.desk.faults("model", *[{"match": nonce, "count": 1, "action": {
        "type": "tool_call", "name": name, "arguments": json.dumps(arguments)}} for name, arguments in calls])
    call.over = False
    call.prompt(words, nonce)
    return nonce, call.wait_over()


def test_closed_text_is_heard_without_a_model(desk):
    with clinic(desk, never(), "closed_text"):
        call = Call(desk)
        call.setup()
        for count in (1, 2):  # who goes on hears it again
            nonce, said = say(call, "Are you open?")
            assert said == ASLEEP and asked(desk, nonce) == [], said
            assert call.wait_settled(count)[-1] == (ASLEEP, ASLEEP, "closed", "delivered", None)
        assert call.events() == [("answered", None)] * 2 and tasks(call) == [], call.rows()
        call.close()
        step = Steps(desk)
        step.setup()
        nonce = step.step("Are you open?")
        assert step.wait_answers(1)["text"] == ASLEEP and asked(desk, nonce) == []
        step.close()
    with clinic(desk, ALWAYS, "closed_text"):
        call = Call(desk)
        call.setup()
        nonce, said = say(call, "Are you open?")
        assert oracle.new_nonces(said) == [nonce] and ASLEEP not in said and asked(desk, nonce), said
        call.close()


def test_a_message_is_all_that_is_taken(desk):
    """Whatever the model calls: it is not shown the other tools, and they are refused."""
    booking = ("check_availability", {"service": "Filling", "from_day": "2026-12-01", "to_day": "2026-12-03"})
    message = ("take_message", {"message": REASON, "name": NAME, "call_back": "after 5 pm"})
    with clinic(desk, never(), "take_message"):
        call = Call(desk)
        call.setup()
        first, said = say(call, "I want an appointment.", booking)
        assert oracle.new_nonces(said) == [first], said
        (name, outcome, result), = tools(call)
        assert (name, outcome) == ("check_availability", "refused") and "take_message" in str(result), result
        call.wait_settled(1)
        say(call, f"This is {NAME}. {REASON}", message)
        assert [row[:2] for row in tools(call)][1:] == [("take_message", "ok")], tools(call)
        assert tasks(call) == [("message", NAME, REASON, "after 5 pm")], tasks(call)
        prompt = good(desk, "prompt", "show", call.session()["conversation_id"], "--json").json()
        assert set(prompt["tools"]) == {"end_conversation", "take_message"}, prompt["tools"]
        moment, = [m["text"] for m in prompt["messages"] if m["text"].startswith("<desk>")]
        assert ASLEEP in moment and "you only take messages" in moment, moment
        call.close()
    with clinic(desk, ALWAYS, "take_message"):
        call = Call(desk)
        call.setup()
        say(call, "I want an appointment.", booking)
        assert tools(call)[0][1] != "refused", tools(call)
        call.close()


def test_a_message_is_taken_without_a_model(desk):
    """Outside the hours, and no model answers: the desk asks for name and reason itself."""
    with clinic(desk, never(), "take_message"):
        call = Call(desk)
        call.setup()
        heard = []
        for words in (REASON, NAME, "here, after 5 pm"):
            desk.faults("model", {"match": "messages", "action": {"type": "reply", "text": "half",
                                                                  "finish_reason": "content_filter"}})
            call.over = False
            call.say(words)
            heard.append(call.wait_over())
            call.wait_settled(len(heard))
        assert "your name?" in heard[0] and "reach you" in heard[1] and NAME in heard[2], heard
        assert [row for row in tasks(call) if row[0] == "message"] == [
            ("message", NAME, REASON, "here, after 5 pm")], tasks(call)
        call.close()
