"""A rota that is asked by phone, through all of Frontdesk: a stand-in of Twilio that rings people up, and people who
press keys, refuse, hang up, do not answer, or are machines. Exactly one has the escalation in the end."""

import contextlib

import yaml

from callers import CLINIC, up
from delivering import quiet
from harness.deskctl import good
from harness.stops import KILL
from operating import TENANTS
from phoning import Story
from struck import Struck

SHARE = True
DEADLINE_S = 150

WORD = "manager"
LISTEN = {"wait_for": "gather"}


@contextlib.contextmanager
def rota(desk, *people, **escalation):
    """The clinic asks these, in this order, by phone. Each is (name, how they behave) or a whole entry; their numbers
    are new. Yields {name: number}."""
    up(desk)
    desk.reset("twilio")
    numbers = {name: desk.new_address() for name, _ in people}
    for name, behaviour in people:
        desk._call("twilio", "/_callees", {"number": numbers[name], "answer": "human", "ring_ms": 200, "rate": 30,
                                           **behaviour})
    document = {**CLINIC, "escalation": {"on": ["policy_word"], "words": [WORD], "accept_within": "5m", "rounds": 1,
                                         "rota": [{"name": name, "call": numbers[name], "phone": "+15550100901"} for name, _ in people],
                                         "tell": "Somebody calls you back.", **escalation}}
    path = desk.folder / "rota.yaml"
    path.write_text(yaml.safe_dump(document))
    good(desk, "tenant", "apply", path, "--yes")
    try:
        yield numbers
    finally:
        good(desk, "tenant", "apply", TENANTS / "dental.yaml", "--yes")


def ask(desk):
    """A customer texts for a manager; their number."""
    customer = desk.new_address()
    assert desk.webhook(customer, f"Your {WORD}, please. {desk.new_nonce()}").status == 200
    desk.wait(lambda: row(desk, customer), 30, "the escalation")
    return customer


def row(desk, customer):
    """(state, rota, accepted_by, id) of the customer's escalation."""
    rows = desk.sql("SELECT e.state, e.rota, e.accepted_by, e.id::text FROM escalations e"
                    " JOIN turns t ON t.tenant_id = e.tenant_id AND t.id = e.turn_id JOIN channel_sessions s"
                    " ON s.tenant_id = t.tenant_id AND s.id = t.session_id WHERE s.remote_address = %s", customer)
    return rows[0] if rows else None


def wait_state(desk, customer, state, by=None, rota=None, deadline_s=60):
    desk.wait(lambda: row(desk, customer)[0] == state and row(desk, customer)[2] == by
              and rota in (None, row(desk, customer)[1]), deadline_s,
              lambda: f"{state} by {by}: {row(desk, customer)} {told(desk, customer)}")


def told(desk, customer):
    """[(name, notice's state, delivery's state, provider's word, answered by)] in order."""
    return desk.sql("SELECT n.name, n.state, d.state, d.provider_status, k.answered_by FROM escalation_notices n"
                    " JOIN deliveries d ON d.tenant_id = n.tenant_id AND d.id = n.delivery_id"
                    " LEFT JOIN delivery_calls k ON k.tenant_id = d.tenant_id AND k.delivery_id = d.id"
                    " WHERE n.escalation_id = %s::uuid ORDER BY n.sent_at", row(desk, customer)[3])


def calls(desk, number=None):
    """What Twilio was told to place, each with what happened in it."""
    return [desk._call("twilio", f"/_calls/{call['sid']}") for call in desk._call("twilio", "/_calls")
            if call["direction"] == "outbound-api" and number in (None, call["to"])]


def heard(call):
    return "".join(event["text"] for event in call["events"] if event["kind"] == "audible")


def wait_over(desk, number, count=1):
    desk.wait(lambda: len(calls(desk, number)) >= count and all(call["over"] for call in calls(desk, number)), 40,
              lambda: f"{count} calls to be over: {calls(desk, number)}")
    return calls(desk, number)


def wait_dead(desk):
    """Who reached a stop point is gone: before that nobody would start it again."""
    desk.wait(lambda: any(not service.alive() for service in desk.services.values()), 20, "somebody to be dead")


def presses(key, *then):
    return {"script": [LISTEN, {"press": key}, *then]}


def test_accepted_with_a_key(desk):
    """She hears what it is about, presses 1, and hears that it is hers; nobody else is called."""
    with rota(desk, ("Ines", presses("1")), ("Tom", presses("1"))) as numbers:
        customer = ask(desk)
        wait_state(desk, customer, "accepted", "Ines", "over")
        call, = wait_over(desk, numbers["Ines"])
        said = heard(call)
        assert f"{CLINIC['display_name']}: A customer used one of your words." in said, said
        assert " ".join(customer[1:]) in said and "Press 1 to take it, or 2" in said, said
        assert "It is yours, thank you." in said and call["ended_by"] == "Hangup", (said, call["ended_by"])
        assert not [event for event in call["events"] if event["kind"] == "error"], call["events"]
        desk.wait(lambda: told(desk, customer) == [("Ines", "accepted", "delivered", "completed", "human")], 20,
                  lambda: told(desk, customer))
        assert quiet(desk, 2, lambda: len(calls(desk))) == 1
        shown = good(desk, "escalation", "show", row(desk, customer)[3]).out
        assert "Ines" in shown and numbers["Ines"] in shown and "delivered" in shown, shown


def test_who_takes_it_and_says_nothing_hears_a_voice_soon(desk):
    """Twilio listens before it asks us what to say; P6 holds all the same."""
    with rota(desk, ("Ines", {"speech_ms": 0, **presses("1")})) as numbers, \
            Struck("a call that we place: whoever takes it is silent") as struck:
        customer = ask(desk)
        wait_state(desk, customer, "accepted", "Ines", "over")
        call, = wait_over(desk, numbers["Ines"])
        found, = [event for event in call["events"] if event["kind"] == "detected"]
        assert found["answered_by"] == "unknown" and "Press 1 to take it" in heard(call), call["events"]
        struck.over(Story(call))


def test_nobody_is_waited_for_who_cannot_come(desk):
    """Busy, no answer, a machine, a refusal and a hang-up: each lets the next one be called at once, although each
    would have had five minutes."""
    with rota(desk, ("Busy", {"answer": "busy"}), ("Away", {"answer": "no-answer", "speed": 20}),
              ("Box", {"answer": "machine", "greeting_ms": 800}), ("No", presses("2")),
              ("Gone", {"script": [LISTEN, {"hangup": True}]}), ("Wrong", presses("3", LISTEN, {"press": "4"})),
              ("Yes", presses("1"))) as numbers:
        customer = ask(desk)
        wait_state(desk, customer, "accepted", "Yes", "over", deadline_s=120)
        desk.wait(lambda: told(desk, customer)[-1][2] == "delivered", 20, lambda: told(desk, customer))
        assert told(desk, customer) == [
            ("Busy", "passed", "failed", "busy", None), ("Away", "passed", "failed", "no-answer", None),
            ("Box", "passed", "delivered", "completed", "machine"), ("No", "passed", "delivered", "completed", "human"),
            ("Gone", "passed", "delivered", "completed", "human"), ("Wrong", "passed", "delivered", "completed", "human"),
            ("Yes", "accepted", "delivered", "completed", "human")], told(desk, customer)
        assert [len(calls(desk, number)) for number in numbers.values()] == [1] * 7
        assert heard(calls(desk, numbers["Box"])[0]) == "", "a machine is told nothing of customers"


def test_a_voicemail_never_accepts(desk):
    """Neither one that Twilio knows for a machine nor one that it takes for a person."""
    with rota(desk, ("Box", {"answer": "machine", "greeting_ms": 500}),
              ("Sly", {"answer": "machine", "amd": "human", "greeting_ms": 500, "speed": 10}),
              ("Odd", {"answer": "machine", "amd": "unknown", "greeting_ms": 500, "speed": 10})) as numbers:
        customer = ask(desk)
        wait_state(desk, customer, "open", rota="nobody_accepted", deadline_s=90)
        assert {by for *_, by in told(desk, customer)} == {"machine", "human"}, told(desk, customer)
        assert len(calls(desk)) == 3


def test_pressed_twice_and_told_late(desk):
    """The words of Twilio come late and doubled: one accepts, once."""
    with rota(desk, ("Ines", {**presses("1"), "callbacks": "doubled"}),
              ("Tom", presses("1"))) as numbers:
        customer = ask(desk)
        wait_state(desk, customer, "accepted", "Ines", "over")
        wait_over(desk, numbers["Ines"])
        assert quiet(desk, 2, lambda: len(calls(desk))) == 1
        assert desk.value("SELECT count(*) FROM audit_log WHERE action = 'escalation.accept' AND subject = %s",
                          row(desk, customer)[3]) == 1


def test_two_press_1_and_one_has_it(desk):
    """While Ines thinks, her time is over and Tom is called: both press 1. Whoever was later hears who has it."""
    with rota(desk, ("Ines", {"script": [LISTEN, {"silence": 4000}, {"press": "1"}]}), ("Tom", presses("1"))) as numbers:
        customer = ask(desk)
        desk.wait(lambda: [event for call in calls(desk, numbers["Ines"]) for event in call["events"]
                           if event["kind"] == "gather" or event["kind"] == "verb"], 40, "Ines to be asked")
        desk.sql("UPDATE jobs SET due_at = clock_timestamp() WHERE kind = 'escalation' AND subject = %s",
                 row(desk, customer)[3])
        wait_over(desk, numbers["Tom"])
        first, = wait_over(desk, numbers["Ines"])
        second, = calls(desk, numbers["Tom"])
        state, _, by, _ = row(desk, customer)
        assert state == "accepted" and by in ("Ines", "Tom"), row(desk, customer)
        winner, loser = (first, second) if by == "Ines" else (second, first)
        assert "It is yours" in heard(winner), heard(winner)
        assert f"{by} has it already" in heard(loser), heard(loser)
        assert desk.value("SELECT count(*) FROM audit_log WHERE action = 'escalation.accept' AND subject = %s",
                          row(desk, customer)[3]) == 1


def test_the_engine_dies_when_the_key_is_pressed(desk):
    """The key waits for the next engine: it is hers, and she hears so or a goodbye, never a lie."""
    with rota(desk, ("Ines", presses("1"))) as numbers:
        stop = desk.stops.arm("engine.call_answered", action=KILL)
        customer = ask(desk)
        desk.wait(lambda: stop.hits, 60, "the stop point")
        wait_dead(desk)
        desk.revive()
        wait_state(desk, customer, "accepted", "Ines", "over", deadline_s=90)
        call, = wait_over(desk, numbers["Ines"])
        said = heard(call)
        assert "is over and it was not accepted" not in said, said
        assert len(calls(desk)) == 1
