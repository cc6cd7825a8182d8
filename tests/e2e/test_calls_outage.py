"""What was said on the telephone while Kafka was away, to an ingress that died with it: the gap audit finds it. And what
came of a call that was placed before Kafka went away."""

from callers import BYE, HELLO, Caller, say
from delivering import quiet
from harness.deskctl import good
from recorded import kept_bytes, rest, tasks, wait_state
from test_calls_back import clinic, rows, task, wait_rows
from test_calls_rota import calls, wait_over

FOUND = "Somebody called while the desk could hear nothing, and left no message."

OWN_SERVERS = True
DEADLINE_S = 150


def test_a_message_is_found_after_kafka_and_ingress_were_gone(desk):
    desk.start(ingresses=1, engines=1, responders=1, config={"responder": {"gap_audit_every_ms": 1000, "call_audit_after_ms": 0}})
    desk.reset("twilio")
    greeted = Caller(desk, [HELLO])
    desk.wait(greeted.session, 30, "the call to be known")
    desk.servers.kafka.kill()
    # what somebody says is what shows that Kafka is away: who calls later is asked for a message at once
    greeted.also(say("Is anybody there?"), {"wait_for": "record", "timeout_ms": 60000}, BYE)
    greeted.over()
    desk.wait(lambda: "<Record" in Caller(desk, [{"wait_for": "answered"}, BYE]).over().documents()[0], 30,
              "an answer that knows")
    call = Caller(desk, [{"wait_for": "record"}, {"say": "Please call me about the crown.", "ms": 800}, BYE])
    call.over()
    recording, = rest(desk, f"Calls/{call.sid}/Recordings.json")["recordings"]
    desk.kill("ingress-1")
    desk.servers.kafka.start()
    desk.revive()
    known = wait_state(desk, recording, "kept", deadline_s=90)
    assert known["call_back"] == call.caller and len(kept_bytes(desk, recording)) == 1
    call.wait_ended()
    assert [has for _, has in tasks(desk, call.caller)] == [True], tasks(desk, call.caller)
    # his words died with the ingress; nobody has to ask for missed calls to hear that he was not answered
    greeted.wait_ended()
    desk.wait(lambda: tasks(desk, greeted.caller), 60, lambda: f"a task of the other caller: {greeted.rows()}")
    assert tasks(desk, greeted.caller) == [(FOUND, False)], tasks(desk, greeted.caller)


def test_what_came_of_a_placed_call_arrives_after_kafka_was_away(desk):
    """It is busy while no event can be kept: Twilio is refused and tells again, and what came of it counts once: it is
    tried again, once."""
    with clinic(desk, tries=2, again="10m"):
        customer, id_ = task(desk, answer="busy", ring_ms=8000)
        good(desk, "escalation", "call", id_)
        desk.wait(lambda: rows(desk, id_) and rows(desk, id_)[0][:2] == ("sent", "ringing"), 60,
                  lambda: f"it to ring: {rows(desk, id_)}")
        desk.servers.kafka.kill()
        call, = wait_over(desk, customer)

        def last():
            return [entry["status"] for entry in desk.callbacks() if entry["params"].get("CallSid") == call["sid"]
                    and entry["params"].get("CallStatus") == "busy"]
        desk.wait(lambda: 503 in last(), 30, lambda: f"its last word to be refused: {last()}")
        assert rows(desk, id_)[0][:2] == ("sent", "ringing"), rows(desk, id_)
        desk.servers.kafka.start()
        wait_rows(desk, id_, ("failed", "busy", None, None), ("deferred", None, None, "again"), deadline_s=90)
        assert quiet(desk, 3, lambda: (len(rows(desk, id_)), len(calls(desk, customer)))) == (2, 1)
