"""The calls of a business that does without sockets: webhook, nginx, ingress, Kafka, engine, model, PostgreSQL and
back to the caller's ear, one request a step; and who is slow, away or killed meanwhile."""

import json

from callers import (ANSWER, BYE, FAST, HELLO, PHONE, Caller, answer_to, never_silent, say, twice, up)
from harness import oracle
from harness.standstill import Standstill
from operating import good, tenant_file
from recorded import kept_bytes, rest, wait_state

SHARE = True
DEADLINE_S = 120
FILLERS = PHONE["fillers"]


WEBHOOK = ("\nphone:\n", "\nphone:\n  mode: webhook\n")


def webhooks(desk):
    """All is up, and the clinic's number is in webhook mode: asked again only of ingresses that are new."""
    up(desk)
    ingresses = {service.pid for name, service in desk.services.items() if name.startswith("ingress")}
    if getattr(desk, "webhook_ingresses", None) == ingresses:
        return desk
    path = tenant_file(desk, "dental", WEBHOOK)
    good(desk, "tenant", "apply", path, "--yes")

    def known():
        calls = [Caller(desk, [HELLO, BYE]) for _ in range(2)]
        return all("<Gather" in call.over().documents()[0] for call in calls)
    desk.wait(known, 30, "all ingresses to know the mode")
    desk.webhook_ingresses = ingresses
    return desk


def replies(nonce, **more):
    return {"match": nonce, **more, "action": {"type": "reply", "text": ANSWER}}


def stalls(nonce, **ms):
    """The same, once, but its stream stops in the middle, for so long or for ever."""
    return {"match": nonce, "count": 1, "action": {"type": "stall", "text": ANSWER, "chunks": 9, **ms}}


def calls_tool(nonce, tool, **arguments):
    return {"match": nonce, "count": 1, "action": {"type": "tool_call", "name": tool,
                                                   "arguments": json.dumps(arguments)}}


def asked(desk, nonce):
    desk.wait(lambda: nonce in str(desk.ledger("model")), 30, "the model to be asked")


def tasks(desk, call):
    return desk.sql("SELECT e.reason, e.summary FROM escalations e JOIN channel_sessions s ON s.tenant_id = e.tenant_id"
                    " AND s.conversation_id = e.conversation_id WHERE s.call_sid = %s", call.sid)


def over(call, still, deadline_s=60):
    story = call.over(deadline_s)
    assert story.errors() == [] and story.summary["script"] == "done", (story.summary, story.heard(), call.rows())
    never_silent(story, still)
    call.wait_ended()
    return story


def fillers_in(story):
    return sum(story.heard().count(filler) for filler in FILLERS)


def heard_once(story, nonce, answer=ANSWER):
    said = answer_to(story, nonce)
    assert twice(said.replace("|", ""), answer) == "", said
    assert PHONE["fallback"] not in story.heard(), story.heard()


def test_a_whole_call(desk):
    webhooks(desk)
    texted, first, second, third = [desk.new_nonce() for _ in range(4)]
    customer = desk.new_address()
    assert desk.webhook(customer, f"hello {texted}").status == 200
    desk.wait_replies(customer, 1)
    desk.faults("model", replies(third))
    with Standstill() as still:
        call = Caller(desk, [HELLO, say(f"Do you do crowns? {first}"), HELLO, say(f"What did I ask? {second}"), HELLO,
                             say(f"When are you open? {third}"), HELLO, BYE], from_=customer, rate=FAST)
        story = over(call, still)
    assert story.heard().startswith(PHONE["greeting"]) and story.heard().count(PHONE["greeting"]) == 1
    said = answer_to(story, second)
    assert oracle.new_nonces(said) == [second] and oracle.history_nonces(said)[0] in (texted, first), said
    heard_once(story, third)
    settled = call.wait_replies(3)
    assert [reply[3] for reply in settled] == ["delivered"] * 3, settled
    assert settled[0][0] == settled[0][1] and settled[1][0] == settled[1][1], "a further step proves it"
    assert settled[2][0] == ANSWER and settled[2][1] and ANSWER.startswith(settled[2][1]), settled[2]
    assert call.events() == [("answered", None)] * 3
    talks = desk.sql("SELECT DISTINCT conversation_id FROM channel_sessions WHERE remote_address = %s", customer)
    assert len(talks) == 1, talks


def test_keys_reach_the_model(desk):
    webhooks(desk)
    nonce = desk.new_nonce()
    with Standstill() as still:
        call = Caller(desk, [HELLO, say(f"Hello {nonce}"), HELLO, {"press": "12#"}, HELLO, BYE], rate=FAST)
        over(call, still)
    assert "[keys pressed: 12]" in str(desk.ledger("model")), "the keys"
    call.wait_replies(2)


def test_a_slow_model(desk):
    """The wait URL: whoever gets it says the rest."""
    webhooks(desk)
    nonces = [desk.new_nonce() for _ in range(4)]
    with Standstill() as still:
        desk.faults("model", *(stalls(nonce, ms=6000) for nonce in nonces), *(replies(nonce) for nonce in nonces))
        calls = [Caller(desk, [HELLO, say(f"When are you open? {nonce}"), HELLO, BYE], rate=FAST) for nonce in nonces]
        for call, nonce in zip(calls, nonces):
            story = over(call, still)
            heard_once(story, nonce)
            assert fillers_in(story) >= 1, story.heard()
            assert call.events() == [("answered", None)]
            call.wait_replies(1)


def test_a_transfer_that_nobody_takes_and_a_goodbye(desk):
    webhooks(desk)
    desk._call("twilio", "/_callees", {"number": "*", "answer": "busy", "ring_ms": 300})
    nonce, last = desk.new_nonce(), desk.new_nonce()
    desk.faults("model", calls_tool(nonce, "transfer_call", summary="A broken crown.", to="dentist on call"),
                calls_tool(last, "end_conversation"))
    with Standstill() as still:
        call = Caller(desk, [HELLO, say(f"A person, please. {nonce}"), {"wait_for": "dial"}, {"wait_for": "gather"},
                             say(f"That is all, goodbye. {last}"), {"silence": 20000}], rate=FAST)
        story = call.over(60)
        assert story.errors() == [] and story.summary["ended_by"] == "Hangup", story.summary
        never_silent(story, still)
    heard = story.heard()
    assert "I am trying to reach somebody" in heard and "nobody could take your call" in heard, heard
    assert PHONE["fallback"] not in heard, heard
    call.wait_ended()
    assert desk.value("SELECT closed_at IS NOT NULL FROM conversations WHERE id = %s::uuid",
                      call.session()["conversation_id"])


def test_a_machine_takes_a_cold_transfer(desk):
    """The caller is taken out of it, to the step behind the one that put him through."""
    cold = ("\nescalation:\n", "\nescalation:\n  transfer: {mode: cold}\n")
    webhooks(desk)
    good(desk, "tenant", "apply", tenant_file(desk, "dental", WEBHOOK, cold), "--yes")
    try:
        desk._call("twilio", "/_callees", {
            "number": "*", "answer": "machine", "ring_ms": 300, "amd_ms": 1500, "script": [
                {"wait_for": "bridged"}, {"say": "This is Ines.", "ms": 2000}, {"silence": 60000}]})
        nonce, last = desk.new_nonce(), desk.new_nonce()
        desk.faults("model", calls_tool(nonce, "transfer_call", summary="A broken crown.", to="dentist on call"))
        with Standstill() as still:
            call = Caller(desk, [HELLO, say(f"A person, please. {nonce}"), {"wait_for": "bridged"},
                                 {"wait_for": "gather"}, say(f"When are you open? {last}"), HELLO, BYE], rate=FAST)
            story = over(call, still)
        assert "nobody could take your call" in story.heard(), story.heard()
        assert oracle.new_nonces(answer_to(story, last)) == [last], story.heard()
        desk.wait(lambda: desk.sql(
            "SELECT e.transfer FROM escalations e JOIN channel_sessions s ON s.tenant_id = e.tenant_id AND"
            " s.conversation_id = e.conversation_id WHERE s.call_sid = %s AND e.promised IS NOT NULL",
            call.sid) == [("voicemail",)], 20, lambda: call.rows())
        call.wait_ended()
    finally:
        desk.faults("model")
        good(desk, "tenant", "apply", tenant_file(desk, "dental", WEBHOOK), "--yes")


def test_model_down(desk):
    webhooks(desk)
    desk.faults("model", {"action": {"type": "status", "status": 503}})
    with Standstill() as still:
        call = Caller(desk, [HELLO, say("My crown came off."), HELLO, say("The patient of Tuesday"), HELLO,
                             say("Here, after five"), HELLO, BYE], rate=FAST)
        story = over(call, still, 90)
    desk.wait(lambda: any(reason == "message" for reason, _ in tasks(desk, call)), 15,
              lambda: f"a task; {story.heard()} {call.rows()}")
    summary, = [summary for reason, summary in tasks(desk, call) if reason == "message"]
    assert "My crown came off." in summary, summary
    assert set(call.events()) == {("answered", None)}, call.events()


def test_all_engines_frozen(desk):
    """A voice in time, a message that is taken, and when the engines are back a task, and the message fetched."""
    webhooks(desk)
    with Standstill() as still:
        call = Caller(desk, [HELLO, {"silence": 1000}, say("Is anybody there?"),
                             {"wait_for": "record", "timeout_ms": 60000}, say("My crown came off.", ms=2000),
                             {"press": "#"}], rate=FAST)
        desk.wait(lambda: call.story().of("audible"), 15, "the greeting")
        for name in ("engine-1", "engine-2"):
            desk.freeze(name)
        try:
            story = call.over(90)
        finally:
            for name in ("engine-1", "engine-2"):
                desk.thaw(name)
        never_silent(story, still)
    assert PHONE["fallback"] in story.heard() and story.of("recording"), story.heard()
    desk.wait(lambda: tasks(desk, call), 30, lambda: f"a task; {call.rows()}")
    assert [reason for reason, _ in tasks(desk, call)] == ["message"], tasks(desk, call)
    recording, = rest(desk, f"Calls/{call.sid}/Recordings.json")["recordings"]
    assert wait_state(desk, recording, "kept")["call_back"] == call.caller
    content, = kept_bytes(desk, recording)
    assert content.startswith(b"RIFF"), content[:8]
    call.wait_ended()


def test_engine_killed(desk):
    """While the model works, and after its answer was committed."""
    webhooks(desk)
    nonce = desk.new_nonce()
    desk.faults("model", stalls(nonce), replies(nonce))
    with Standstill() as still:
        call = Caller(desk, [HELLO, say(f"Hello? {desk.new_nonce()}"), HELLO, say(f"Open? {nonce}"),
                             {**HELLO, "timeout_ms": 60000}, BYE], rate=FAST)
        asked(desk, nonce)
        desk.kill(call.holder())
        story = over(call, still)
    heard_once(story, nonce)
    assert call.events() == [("answered", None)] * 2
    call.wait_replies(2)
    desk.revive()


def test_ingress_killed(desk):
    """In the middle of a request, and between two: the other one goes on, greets nobody and repeats nothing."""
    webhooks(desk)
    for name in ("ingress-1", "ingress-2"):
        nonce, last = desk.new_nonce(), desk.new_nonce()
        desk.faults("model", stalls(nonce, ms=3000), replies(nonce), replies(last))
        with Standstill() as still:
            call = Caller(desk, [HELLO, say(f"Open? {nonce}"), {**HELLO, "timeout_ms": 60000}, {"silence": 500},
                                 say(f"Sure? {last}"), HELLO, BYE], rate=FAST)
            asked(desk, nonce)
            desk.kill(name)
            story = over(call, still)
        heard_once(story, nonce)
        heard_once(story, last)
        assert story.heard().count(PHONE["greeting"]) == 1, story.heard()
        assert call.events() == [("answered", None)] * 2
        call.wait_replies(2)
        desk.revive()
