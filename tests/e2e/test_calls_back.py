"""Customers who are called back about a task, through all of Frontdesk: a person goes on with the desk in the same
conversation, a machine hears that they were called, and who places the call may die at every step: it rings once."""

import contextlib

import yaml

from call_records import Call as Record
from callers import CLINIC, FAST, HELLO, say, up
from delivering import quiet
from harness import oracle
from harness.deskctl import FAILED, good, run
from harness.stops import KILL
from operating import TENANTS
from phoning import Story
from struck import Struck
from test_calls_rota import calls, heard, wait_dead, wait_over

SHARE = True
DEADLINE_S = 150

WORD = "manager"
GREETED = f"Hello, this is {CLINIC['display_name']}. You asked us to call you back. How can I help you?"
LEFT = f"Hello, this is {CLINIC['display_name']}. You asked us to call you back. Please call us again. Goodbye."
ALWAYS = {"mon-sun": "00:00-24:00"}


@contextlib.contextmanager
def clinic(desk, phone=None, **section):
    """It calls at any hour, and tells nobody of a rota."""
    up(desk)
    desk.reset("twilio")
    document = {**CLINIC, "calls": {"hours": ALWAYS, **section}, "phone": {**CLINIC["phone"], **(phone or {})},
                "escalation": {**CLINIC["escalation"], "on": ["policy_word"], "words": [WORD]}}
    del document["escalation"]["rota"]
    document["tools"] = [tool for tool in CLINIC["tools"] if tool != "transfer_call"]
    path = desk.folder / "back.yaml"
    path.write_text(yaml.safe_dump(document))
    good(desk, "tenant", "apply", path, "--yes")
    try:
        yield desk
    finally:
        good(desk, "tenant", "apply", TENANTS / "dental.yaml", "--yes")


def task(desk, **behaviour):
    """A customer has asked for the manager by text; (their number, the task's id). They behave so when called."""
    customer = desk.new_address()
    desk._call("twilio", "/_callees", {"number": customer, "answer": "human", "ring_ms": 200, "rate": FAST,
                                       "fillers": CLINIC["phone"]["fillers"], **behaviour})
    assert desk.webhook(customer, f"Your {WORD} shall call me. {desk.new_nonce()}").status == 200
    desk.wait_replies(customer, 1)
    id_ = desk.value("SELECT e.id::text FROM escalations e JOIN turns t ON t.tenant_id = e.tenant_id"
                     " AND t.id = e.turn_id JOIN channel_sessions s ON s.tenant_id = t.tenant_id"
                     " AND s.id = t.session_id WHERE s.remote_address = %s", customer)
    assert id_, "no task"
    return customer, id_


def rows(desk, id_):
    """[(delivery's state, provider's word, answered by, reason)] of its calls."""
    return desk.sql("SELECT d.state, d.provider_status, k.answered_by, d.reason FROM delivery_calls k"
                    " JOIN deliveries d ON d.tenant_id = k.tenant_id AND d.id = k.delivery_id"
                    " WHERE k.escalation_id = %s::uuid ORDER BY d.created_at", id_)


def wait_rows(desk, id_, *wanted, deadline_s=60):
    desk.wait(lambda: rows(desk, id_) == list(wanted), deadline_s, lambda: f"{wanted}: {rows(desk, id_)}")


def talk(desk, customer):
    """The conversations in which they texted and were called."""
    return desk.sql("SELECT DISTINCT conversation_id::text FROM channel_sessions WHERE remote_address = %s", customer)


def goes_on(desk):
    """A person answers, hears who calls and why, and talks with the desk about what they had texted."""
    nonce = desk.new_nonce()
    customer, id_ = task(desk, script=[HELLO, say(f"When are you open? {nonce}"), HELLO, {"hangup": True}])
    good(desk, "escalation", "call", id_, "--as", "Mara")
    desk.wait(lambda: calls(desk, customer), 40, "the call")
    again = run(desk, "escalation", "call", id_)
    call, = wait_over(desk, customer)
    assert again.code == FAILED and "on its way" in again.said, again
    said = heard(call)
    assert said.startswith(GREETED) and said.count(GREETED) == 1, said
    assert oracle.new_nonces(said.replace(GREETED, "")) == [nonce], said
    assert call["script"] == "done" and not [e for e in call["events"] if e["kind"] == "error"], call["events"]
    wait_rows(desk, id_, ("delivered", "completed", "human", None))
    conversation, = talk(desk, customer)
    desk.wait(lambda: desk.value("SELECT count(*) FROM channel_sessions WHERE call_sid = %s AND ended_at IS NOT NULL",
                                 call["sid"]) == 1, 30, "the end of the call in the rows")
    shown = good(desk, "escalation", "show", id_).out
    assert "a person answered" in shown and "by Mara" in shown and "open" in shown, shown
    transcript = good(desk, "conversation", "show", conversation[0]).out
    assert GREETED in transcript and "a person answered" in transcript and nonce in transcript, transcript


def test_a_person_goes_on_with_the_desk(desk):
    with clinic(desk):
        goes_on(desk)


def test_who_takes_it_and_says_nothing_hears_a_voice_soon(desk):
    """Also where a machine would be waited for to its beep."""
    with clinic(desk), Struck("a customer whom we call is silent") as struck:
        customer, id_ = task(desk, speech_ms=0, script=[HELLO, {"hangup": True}])
        good(desk, "escalation", "call", id_)
        call, = wait_over(desk, customer)
        found, = [event for event in call["events"] if event["kind"] == "detected"]
        assert found["answered_by"] == "unknown" and heard(call).startswith(GREETED), call["events"]
        struck.over(Story(call))


def test_the_same_without_sockets(desk):
    with clinic(desk, phone={"mode": "webhook"}):
        desk.wait(lambda: all(edge.metrics().get("frontdesk_ingress_directory_version", 0)
                              for name, edge in desk.services.items() if name.startswith("ingress")), 20, "it")
        goes_on(desk)


def test_a_machine_hears_who_called(desk):
    with clinic(desk):
        customer, id_ = task(desk, answer="machine", greeting_ms=800)
        good(desk, "escalation", "call", id_)
        call, = wait_over(desk, customer)
        assert heard(call) == LEFT, heard(call)
        wait_rows(desk, id_, ("delivered", "completed", "machine", None))
        shown = good(desk, "escalation", "show", id_).out
        assert "a machine answered" in shown and "(policy_word, open)" in shown, shown
        assert desk.value("SELECT count(*) FROM channel_sessions WHERE call_sid = %s", call["sid"]) == 0
        assert quiet(desk, 2, lambda: len(calls(desk, customer))) == 1


def test_busy_is_tried_again_as_often_as_the_file_says(desk):
    with clinic(desk, tries=3, again="10m"):
        customer, id_ = task(desk, answer="busy")
        good(desk, "escalation", "call", id_)
        wait_rows(desk, id_, ("failed", "busy", None, None), ("deferred", None, None, "again"))
        assert "is tried again" in good(desk, "escalation", "show", id_).out
        left_s = desk.value("SELECT extract(epoch FROM max(next_at) - clock_timestamp())::float FROM deliveries"
                            " WHERE via = 'call' AND state = 'deferred'")
        assert 500 < left_s <= 600, left_s
        desk.sql("UPDATE deliveries SET next_at = clock_timestamp() WHERE via = 'call' AND state = 'deferred'")
        wait_rows(desk, id_, ("failed", "busy", None, None), ("failed", "busy", None, None),
                  ("deferred", None, None, "again"))
        desk.sql("UPDATE deliveries SET next_at = clock_timestamp() WHERE via = 'call' AND state = 'deferred'")
        wait_rows(desk, id_, *[("failed", "busy", None, None)] * 3)
        assert quiet(desk, 2, lambda: len(calls(desk, customer))) == 3
        assert desk.value("SELECT due_at FROM jobs WHERE kind = 'call_back' AND subject = %s", id_) is None


def test_busy_whose_word_got_lost_is_tried_again(desk):
    """No callback of the call ever comes: the provider is asked about its end (minutes later; here the clock is moved),
    and the task is called about again as after the word."""
    with clinic(desk, tries=2, again="10m"):
        customer, id_ = task(desk, answer="busy")
        desk.faults("twilio", {"match": customer, "method": "POST", "action": {"type": "callbacks", "mode": "none"}})
        good(desk, "escalation", "call", id_)
        desk.wait(lambda: [row[0] for row in rows(desk, id_)] == ["sent"], 60, lambda: f"a call: {rows(desk, id_)}")
        wait_over(desk, customer)
        assert quiet(desk, 2, lambda: rows(desk, id_))[0][0] == "sent", "somebody told"
        desk.sql("UPDATE deliveries d SET next_at = clock_timestamp() - interval '1 h' FROM delivery_calls k"
                 " WHERE k.escalation_id = %s::uuid AND d.tenant_id = k.tenant_id AND d.id = k.delivery_id", id_)
        wait_rows(desk, id_, ("failed", "busy", None, None), ("deferred", None, None, "again"))
        assert quiet(desk, 2, lambda: len(calls(desk, customer))) == 1
        desk.faults("twilio")


def test_who_must_not_be_called(desk):
    with clinic(desk):
        (out, first), (held, second), (_, closed) = task(desk), task(desk), task(desk)
        assert desk.webhook(out, "STOP").status == 200
        desk.wait(lambda: desk.value("SELECT count(*) FROM consents WHERE address = %s AND state = 'opted_out'", out),
                  20, "the opt-out")
        good(desk, "takeover", talk(desk, held)[0][0])
        good(desk, "escalation", "close", closed)
        for id_, words in ((first, "opted out"), (second, "has the conversation"), (closed, "has closed it")):
            done = run(desk, "escalation", "call", id_)
            assert done.code == FAILED and words in done.said, done
        assert calls(desk) == []


def test_taken_over_before_it_rings(desk):
    """The call waits for its hour; somebody takes the conversation: it is not placed."""
    with clinic(desk, hours={"mon-sun": "closed"}):
        customer, id_ = task(desk)
        good(desk, "escalation", "call", id_)
        wait_rows(desk, id_, ("deferred", None, None, "hours"))
        assert "waits for the calling hours" in good(desk, "escalation", "show", id_).out
        good(desk, "takeover", talk(desk, customer)[0][0])
        wait_rows(desk, id_, ("suppressed", None, None, "takeover"))
        assert calls(desk) == []


def test_a_spoken_message_orders_it_by_itself(desk):
    """Where the file says so, once; a person who takes the task meanwhile keeps it."""
    with clinic(desk, back="auto"):
        call = Record(desk)
        desk._call("twilio", "/_callees", {"number": call.customer.address, "answer": "machine", "greeting_ms": 500})
        recording = "RE" + call.sid[2:]
        for _ in range(2):
            call.tell("recorded", recording, recording_sid=recording, url="https://api.twilio.com/x", duration_s=7,
                      why="fallback")
        placed, = wait_over(desk, call.customer.address)
        id_ = desk.value("SELECT id::text FROM recordings WHERE recording_sid = %s", recording)
        wait_rows(desk, id_, ("delivered", "completed", "machine", None))
        assert heard(placed) == LEFT and quiet(desk, 2, lambda: len(calls(desk, call.customer.address))) == 1
        call.close()


def test_whoever_dies_it_rings_once(desk):
    with clinic(desk):
        for point in ("engine.called_back", "responder.claimed", "responder.sending", "responder.answered"):
            customer, id_ = task(desk, answer="machine", greeting_ms=500)
            stop = desk.stops.arm(point, action=KILL)
            good(desk, "escalation", "call", id_)
            desk.wait(lambda: stop.hits, 60, point)
            wait_dead(desk)
            desk.revive()
            desk.wait(lambda: rows(desk, id_) and rows(desk, id_)[0][0] == "delivered", 170,
                      lambda: f"{point}: {rows(desk, id_)}")
            assert len(calls(desk, customer)) == 1, point
