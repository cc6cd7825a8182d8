"""A call that is put through to a person, comes back, or is ended by the desk; and a text sent meanwhile:
through all of Frontdesk, with a stand-in that rings people up, and people who answer, refuse, hang up or
are a machine."""

import contextlib
import json
import time

from callers import BYE, CLINIC, FAST, HELLO, PHONE, Caller, answer_to, calm, never_silent, say, up
from harness import oracle
from harness.deskctl import good
from harness.standstill import Standstill
from harness.stops import KILL
from operating import TENANTS, tenant_file

SHARE = True
DEADLINE_S = 150

TELL = CLINIC["escalation"]["tell"]
REACHING = "One moment, please. I am trying to reach somebody for you."
NOBODY = "I am sorry, nobody could take your call just now."
SUMMARY = "A patient with a broken crown."
INES = [{"wait_for": "gather"}, {"press": "1"}, {"wait_for": "bridged"}, {"say": "Ines here", "ms": 1500},
        {"hangup": True}]


def calls_tool(nonce, tool, arguments=None):
    return {"match": nonce, "count": 1, "action": {"type": "tool_call", "name": tool,
                                                   "arguments": json.dumps(arguments or {})}}


def wants_a_person(nonce):
    return calls_tool(nonce, "transfer_call", {"summary": SUMMARY, "to": "dentist on call"})


def person(desk, **behaviour):
    """Whoever is rung up behaves so."""
    desk._call("twilio", "/_callees", {"number": "*", "ring_ms": 300, **behaviour})


@contextlib.contextmanager
def asking(desk, *then, rules=wants_a_person, words="A person, please.", **behaviour):
    """A caller who asks for a person; `then` is what he does behind it."""
    up(desk)
    desk.reset("twilio")
    person(desk, **behaviour)
    nonce = desk.new_nonce()
    made = rules(nonce)
    desk.faults("model", *(made if isinstance(made, list) else [made]))
    with Standstill() as still:
        call = Caller(desk, [HELLO, say(f"{words} {nonce}"), *then], rate=FAST)
        yield call
        never_silent(call.story(), still)
    desk.faults("model")


def transfer(call):
    """(state, transfer, rota, accepted_by, promised) of the newest one."""
    rows = call.desk.sql(
        "SELECT e.state, e.transfer, e.rota, e.accepted_by, e.promised FROM escalations e"
        " JOIN turns t ON t.tenant_id = e.tenant_id AND t.id = e.turn_id JOIN channel_sessions s"
        " ON s.tenant_id = t.tenant_id AND s.id = t.session_id WHERE s.call_sid = %s"
        " AND e.transfer IS NOT NULL ORDER BY e.created_at DESC LIMIT 1", call.sid)
    return rows[0] if rows else None


def wait_transfer(call, *states):
    """Until it is one of these."""
    call.desk.wait(lambda: (transfer(call) or (None, None))[1] in states, 20,
                   lambda: f"{states}: {transfer(call)} {call.rows()}")
    return transfer(call)


def nobody_open(call):
    assert {state for state, _ in call.events()} <= {"answered"}, call.rows()


# Somebody takes it

def test_accepted(desk):
    """The person hears the briefing, presses 1, the two talk; the call ends with their talk."""
    with asking(desk, {"wait_for": "bridged"}, say("Thank you, goodbye.", ms=800), script=INES) as call:
        story = call.over(60)
        assert REACHING in story.heard() and NOBODY not in story.heard(), story.heard()
        assert len(story.of("dial")) == len(story.of("bridged")) == 1, story.of("dial")
        child = story.of("dial")[0]["child"]
        briefing = "".join(event["text"] for event in desk._call("twilio", f"/_calls/{child}")["events"]
                           if event["kind"] == "audible")
        assert SUMMARY in briefing and CLINIC["display_name"] in briefing and "Press 1" in briefing, briefing
        state, outcome, _, by, promised = wait_transfer(call, "accepted")
        assert (state, by, promised) == ("accepted", "dentist on call", None), transfer(call)
        call.wait_ended()
        nobody_open(call)


# Nobody does

def come_back(desk, **behaviour):
    """The caller is back with the desk, hears a promise that stands in the rows, and is answered again."""
    second = desk.new_nonce()
    with asking(desk, {"wait_for": "dial"}, HELLO, say(f"What now? {second}"), HELLO, BYE,
                **behaviour) as call:
        story = call.over(90)
        assert story.summary["script"] == "done", (story.summary["script"], story.heard())
        heard = story.heard().replace("|", "")  # words come in pieces, on a slow machine one by one
        assert heard.count(PHONE["greeting"]) == 1 and heard.count(NOBODY) == 1 and TELL in heard, heard
        assert oracle.new_nonces(answer_to(story, second)) == [second], heard
        state, outcome, rota, by, promised = transfer(call)
        assert (state, rota, by) == ("open", "running", None) and promised.startswith(NOBODY), transfer(call)
        replies = call.wait_replies(3)
        assert replies[1][2:4] == ("transfer", "delivered") and replies[1][0] == promised, replies
        nobody_open(call)
        call.wait_ended()
        talks = desk.sql("SELECT DISTINCT conversation_id FROM channel_sessions WHERE call_sid = %s", call.sid)
        assert len(talks) == 1, talks
        return outcome


def test_nobody_answers_the_phone(desk):
    assert come_back(desk, answer="no-answer") == "no_answer"


def test_the_line_is_busy(desk):
    assert come_back(desk, answer="busy") == "busy"


def test_a_machine_answers(desk):
    """Which presses no key: its greeting is nobody's consent, and what took the call is known."""
    assert come_back(desk, answer="machine", greeting_ms=1500) == "voicemail"


def test_a_person_is_taken_for_a_machine(desk):
    """And presses the key: that counts."""
    with asking(desk, {"wait_for": "bridged"}, say("Thank you, goodbye.", ms=800), amd="machine_start",
                script=INES) as call:
        assert NOBODY not in call.over(60).heard()
        assert wait_transfer(call, "accepted")[:2] == ("accepted", "accepted"), transfer(call)
        desk.wait(lambda: len(desk.sql("SELECT 1 FROM inbox_events WHERE provider_id LIKE %s",
                                       f"{call.sid}:dialled:%")) == 2, 20, "what Twilio took him for")
        assert transfer(call)[:2] == ("accepted", "accepted"), transfer(call)
        call.wait_ended()


@contextlib.contextmanager
def cold(desk):
    """Who or what answers has the call at once."""
    path = tenant_file(desk, "dental", ("\nescalation:\n", "\nescalation:\n  transfer: {mode: cold}\n"))
    good(desk, "tenant", "apply", path, "--yes")
    try:
        yield
    finally:
        good(desk, "tenant", "apply", TENANTS / "dental.yaml", "--yes")


BOX = {"answer": "machine", "amd_ms": 1500, "script": [
    {"wait_for": "bridged"}, {"say": "This is Ines. Please leave a message.", "ms": 3000}, {"silence": 60000}]}


def test_a_machine_answers_a_cold_transfer(desk):
    """Twilio knows it when the two are joined already: the caller is taken out, hears the promise and is
    answered again, as where nobody answers."""
    up(desk)
    with cold(desk):
        assert come_back(desk, **BOX) == "voicemail"


def test_responder_killed_as_it_takes_a_caller_out(desk):
    """Another one does it."""
    up(desk)
    with cold(desk):
        killed = desk.stops.arm("responder.bringing_back", action=KILL)
        second = desk.add("responder", 2)
        second.wait_ready()
        try:
            assert come_back(desk, **BOX) == "voicemail"
            assert killed.hits
        finally:
            desk.revive()
            second.stop(40)
            del desk.services["responder-2"]


def test_a_person_answers_a_cold_transfer(desk):
    """At once: no key, no briefing."""
    up(desk)
    with cold(desk), asking(desk, {"wait_for": "bridged"}, say("Thank you, goodbye.", ms=800),
                            script=INES[2:]) as call:
        assert NOBODY not in call.over(60).heard()
        assert wait_transfer(call, "accepted")[:2] == ("accepted", "accepted"), transfer(call)
        call.wait_ended()


def test_the_person_declines(desk):
    assert come_back(desk, script=[{"wait_for": "gather"}, {"press": "2"}]) == "refused"


def test_the_person_hangs_up_in_the_briefing(desk):
    assert come_back(desk, script=[{"wait_for": "gather"}, {"hangup": True}]) == "refused"


# The caller does not wait

def hang_up(desk, *then, outcomes=("hung_up", "refused"), **behaviour):
    """The call's end may be claimed before the record that says what became of the transfer."""
    with asking(desk, *then, BYE, **behaviour) as call:
        call.over(60)
        call.wait_ended()
        wait_transfer(call, *outcomes)
        nobody_open(call)
        return transfer(call)


def test_hang_up_at_every_point(desk):
    """While somebody is being tried, while it rings, in the briefing: people are asked about a caller who
    wanted one. In the talk: he was put through."""
    slow = [{"wait_for": "gather"}, {"silence": 6000}, {"press": "1"}]
    for then, behaviour in (
            (({"wait_for": "audible", "words": len(f"{PHONE['greeting']}".split()) + 3},), {}),
            (({"wait_for": "dial"}, {"silence": 600}), {"answer": "no-answer"}),
            (({"wait_for": "dial"}, {"silence": 2500}), {"script": slow})):
        state, outcome, rota, by, _ = hang_up(desk, *then, **behaviour)
        assert (state, outcome, rota, by) in ((("open", "hung_up", "running", None)),
                                              (("open", "refused", "running", None))), (then, outcome)
    talking = INES[:3] + [{"silence": 8000}, {"hangup": True}]
    state, outcome, _, by, _ = hang_up(desk, {"wait_for": "bridged"}, {"silence": 500}, script=talking,
                                       outcomes=["accepted"])
    assert (state, outcome, by) == ("accepted", "accepted", "dentist on call"), (state, outcome, by)


def test_barge_in_while_it_is_set_up(desk):
    """He stays with the desk, and nobody is rung up; asked again, somebody is."""
    second, third = desk.new_nonce(), desk.new_nonce()
    with asking(desk, {"interrupt": f"No, wait. {second}", "after_words": 3, "ms": 300}, HELLO,
                say(f"Well, yes, a person. {third}"), {"wait_for": "bridged"},
                rules=lambda nonce: [wants_a_person(nonce), wants_a_person(third)], script=INES) as call:
        story = call.over(60)
        assert oracle.new_nonces(answer_to(story, second)) == [second], story.heard()
        assert len(story.of("dial")) == 1 and NOBODY not in story.heard(), story.heard()
        assert wait_transfer(call, "accepted")[0] == "accepted"
        call.wait_ended()
        assert desk.sql("SELECT e.transfer, e.state FROM escalations e JOIN turns t ON t.tenant_id = e.tenant_id"
                        " AND t.id = e.turn_id JOIN channel_sessions s ON s.tenant_id = t.tenant_id"
                        " AND s.id = t.session_id WHERE s.call_sid = %s ORDER BY e.created_at", call.sid) == [
                            ("dropped", "closed"), ("accepted", "accepted")]


# Who holds the call dies meanwhile

def test_ingress_killed_while_it_rings(desk):
    """Nobody holds anything of the call then: the other one takes the person's key, the outcome and the
    caller who comes back."""
    for name, behaviour, outcome in (("ingress-1", {"answer": "no-answer", "ring_ms": 300}, "no_answer"),
                                     ("ingress-2", {"script": INES, "ring_ms": 4000}, "accepted")):
        with asking(desk, {"wait_for": "dial"}, *([HELLO, BYE] if outcome != "accepted" else []),
                    **behaviour) as call:
            desk.wait(lambda: call.story().of("dial"), 40, "the phone to ring")
            desk.kill(name)
            story = call.over(90)
            assert wait_transfer(call, outcome)[1] == outcome, story.heard()
            assert (NOBODY in story.heard()) == (outcome != "accepted"), story.heard()
            call.wait_ended()
        desk.revive()


def test_all_engines_frozen_while_it_rings(desk):
    """The caller who comes back hears a voice in time, and the outcome is not lost."""
    with asking(desk, {"wait_for": "dial"}, HELLO, BYE, answer="no-answer") as call:
        desk.wait(lambda: call.story().of("dial"), 40, "the phone to ring")
        for name in ("engine-1", "engine-2"):
            desk.freeze(name)
        try:
            desk.wait(lambda: call.now()["over"] or len(call.story().of("dial_over")) > 0, 40, "it to be over")
            end = time.monotonic() + 6
            desk.wait(lambda: time.monotonic() > end, 30, "six seconds")
        finally:
            for name in ("engine-1", "engine-2"):
                desk.thaw(name)
        story = call.over(90)
        assert PHONE["fillers"][0] in story.heard(), story.heard()
        assert wait_transfer(call, "no_answer")[:3] == ("open", "no_answer", "running"), transfer(call)
        call.wait_ended()
    calm(desk)


# The desk ends the call; a text meanwhile

def test_the_desk_hangs_up(desk):
    """Behind its goodbye; the caller's next call begins a new conversation."""
    with asking(desk, rules=lambda nonce: calls_tool(nonce, "end_conversation"), words="That is all.") as call:
        story = call.over(60)
        assert story.of("hangup") and story.of("end"), story.events[-5:]
        assert story.of("end")[-1]["handoffData"] == '{"do":"hangup"}', story.of("end")
        call.wait_ended()
        call.wait_replies(1)
        talk = call.session()["conversation_id"]
        desk.wait(lambda: desk.value("SELECT closed_at FROM conversations WHERE id = %s::uuid", talk), 10,
                  "the conversation to be closed")
        again = Caller(desk, [HELLO, say(f"Me again. {desk.new_nonce()}"), HELLO, BYE], from_=call.caller)
        again.over()
        assert again.session()["conversation_id"] != talk
        again.wait_ended()


def test_a_text_while_they_talk(desk):
    """It is in his pocket before he hangs up, from the number that he called, and in the same thread."""
    text = "Brightwater Dental, 12 Main Street, second floor."
    with asking(desk, HELLO, rules=lambda nonce: calls_tool(nonce, "send_text", {"text": text}),
                words="Can you text me your address?") as call:
        desk.wait_replies(call.caller, 1)
        assert desk.wait_replies(call.caller, 1) == [text]
        call.also(BYE)
        call.over(60)
        call.wait_ended()
        rows = desk.sql("SELECT s.kind, d.via, d.author, d.attempts, d.state FROM deliveries d"
                        " JOIN channel_sessions s ON s.tenant_id = d.tenant_id AND s.id = d.session_id"
                        " WHERE d.conversation_id = %s::uuid ORDER BY s.kind", call.session()["conversation_id"])
        assert [row[:4] for row in rows] == [("sms", "sms", "ai", 1), ("voice", "stream", "ai", 0)], rows
