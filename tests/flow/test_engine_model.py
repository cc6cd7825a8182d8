"""The engine and its model: failing, slow, away."""

import time

from harness import oracle
from scripted import Customer, engines, fallback_of, say

SHARE = True  # the helper restarts the engines when a test needs others


def test_model_that_fails_gets_the_tenants_wording(desk):
    """Whatever the model does, the customer reads the tenant's fallback, never what it said."""
    engines(desk, turn_deadline_ms=3000)
    actions = ("hang", "cut", "cut chunks=2", "stall chunks=3", "empty", "huge", "nonsense",
               "wrong_json", "error_in_stream chunks=2", "truncate chunks=4",
               "status status=429", "status status=429 retry_after=1", "status status=500",
               "status status=503", "status status=401", "status status=400")
    customers = []
    for number, action in enumerate(actions):
        customer = Customer(desk, number % len(desk.tenants))
        customers.append((action, customer, customer.text("{{stand action=%s}}" % action)))
    wrong = []
    for action, customer, said in customers:
        (body, outcome, _), = customer.wait_replies(1, 20)
        if outcome != "fallback" or not body.startswith(fallback_of(desk, customer)):
            wrong.append(f"{action}: {outcome} {body[:200]}")
        customer.wait_event(said, "answered")
    assert not wrong, "\n".join(wrong)
    calls = desk.sql("SELECT outcome, error_code FROM llm_calls WHERE outcome = 'failed'")
    assert calls and all(code for _, code in calls), calls


def test_model_that_recovers_is_asked_again(desk):
    desk.scripted = None  # engines whose breakers are closed
    engines(desk)
    customer = Customer(desk)
    said = customer.make()
    desk.faults("model", {"match": said.nonce, "count": 1,
                          "action": {"type": "status", "status": 503}})
    say(desk, said)
    (body, outcome, _), = customer.wait_replies(1)
    assert outcome == "reply" and oracle.new_nonces(body) == [said.nonce]
    assert desk.sql("SELECT c.outcome FROM llm_calls c JOIN turns t ON t.id = c.turn_id"
                    " WHERE t.id = %s::uuid ORDER BY c.started_at", customer.turns()[0]["id"]) == \
        [("failed",), ("answered",)]


def test_model_that_refuses_connections(desk):
    engines(desk)
    customer = Customer(desk)
    desk.refuse("model", 6000)
    customer.text()
    (body, outcome, _), = customer.wait_replies(1, 10)
    assert outcome == "fallback" and body.startswith(fallback_of(desk, customer))
    desk.wait(desk.installation.model.ready, 15, "the stand-in to listen again")


def test_key_is_sent_as_bearer(desk):
    """The stand-in lets in only who brings the tenant's key."""
    engines(desk)
    here = desk.installation

    def restart(*options):
        here.model.stop()
        here.model = None
        here.start_stands(model_options=options)
    try:
        restart("--key", here.secrets["OPENAI_API_KEY"])
        known = Customer(desk)
        known.text()
        assert known.wait_replies(1)[0][1] == "reply"
        restart("--key", "another")
        stranger = Customer(desk)
        stranger.text()
        assert stranger.wait_replies(1)[0][1] == "fallback"
    finally:
        restart()


def test_deadline_of_a_turn_holds(desk):
    """A model that hangs costs the turn's deadline, not the 8 s that its first token may take; others are
    not kept waiting."""
    engines(desk, turn_deadline_ms=3000)
    slow, quick = Customer(desk), Customer(desk)
    begin = time.monotonic()
    slow.text("{{stand action=hang}}")
    quick.text()
    slow.wait_replies(1, 8)
    assert time.monotonic() - begin < 7.5
    quick.wait_replies(1)
    assert quick.turns()[0]["finished_at"] < slow.turns()[0]["finished_at"], (quick.turns(), slow.turns())
