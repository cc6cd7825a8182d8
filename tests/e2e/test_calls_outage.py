"""What was said on the telephone while Kafka was away, to an ingress that died with it: the gap audit finds it."""

from callers import BYE, HELLO, Caller, say
from recorded import kept_bytes, rest, tasks, wait_state

OWN_SERVERS = True
DEADLINE_S = 150


def test_a_message_is_found_after_kafka_and_ingress_were_gone(desk):
    desk.start(ingresses=1, engines=1, responders=1, config={"responder": {"gap_audit_every_ms": 1000, "call_audit_after_ms": 0}})
    desk.reset("twilio")
    desk.servers.kafka.kill()
    # what somebody says is what shows that Kafka is away: who calls later is asked for a message at once
    Caller(desk, [HELLO, say("Is anybody there?"), {"wait_for": "record", "timeout_ms": 60000}, BYE]).over()
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
