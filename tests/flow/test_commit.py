"""What was used by turns that end without a commit (docs/PROTOCOL.md, budgets)."""

import json

from scripted import Customer, engines, freeze_turn, hand_back, quiet, say, service_of, take_over

SHARE = True
DEADLINE_S = 60


def calls(desk, customer):
    """[(outcome, tokens)] of the model calls of the customer's turns, in their order."""
    return desk.sql(
        "SELECT c.outcome, coalesce(c.tokens_in + c.tokens_out, 0) FROM llm_calls c JOIN turns t"
        " ON t.tenant_id = c.tenant_id AND t.id = c.turn_id JOIN channel_sessions s"
        " ON s.tenant_id = t.tenant_id AND s.id = t.session_id WHERE s.tenant_id = %s::uuid"
        " AND s.remote_address = %s ORDER BY c.started_at", customer.tenant_id, customer.address)


def spent(desk, customer):
    return desk.value("SELECT coalesce(max(tokens), 0) FROM usage WHERE tenant_id = %s::uuid"
                      " AND period = 'month' AND since = (SELECT max(since) FROM usage"
                      " WHERE period = 'month')", customer.tenant_id)


def test_takeover_while_the_model_works(desk):
    """A person takes the conversation in a turn's second model call: both calls are stored, and what the
    first one used is counted once. Guard: leftovers_take in drop()."""
    engines(desk, turn_deadline_ms=20000)
    customer = Customer(desk)
    customer.text()
    customer.wait_replies(1)
    said, before = customer.make(), spent(desk, customer)
    desk.faults("model", {"match": said.nonce, "count": 1, "action": {
        "type": "tool_call", "name": "nothing", "arguments": json.dumps({})}},
        {"match": said.nonce, "after": 1, "action": {"type": "delay", "ms": 6000}})
    say(desk, said)
    desk.wait(lambda: len(customer.model_calls()) == 3, 15, "the second call")
    take_over(desk, customer)
    desk.wait(lambda: len(calls(desk, customer)) == 3, 15, "the calls to be stored")
    desk.faults("model")
    outcomes = calls(desk, customer)
    assert [outcome for outcome, _ in outcomes] == ["answered", "answered", "stopped"], outcomes
    assert spent(desk, customer) - before == outcomes[1][1] > 0
    hand_back(desk, customer)
    customer.wait_replies(2)
    used = quiet(desk, 0.5, lambda: sum(tokens for _, tokens in calls(desk, customer)[1:]))
    assert spent(desk, customer) - before == used


def test_takeover_before_the_commit(desk):
    """The model has answered and the engine stands still meanwhile: its commit is refused."""
    engines(desk, worker_lease_ms=10000)
    customer = Customer(desk)
    customer.text()
    customer.wait_replies(1)
    stop, before = freeze_turn(desk, customer, "engine.answered"), spent(desk, customer)
    customer.text()
    desk.wait(lambda: stop.hits, 15, "the freeze")
    take_over(desk, customer)
    desk.thaw(service_of(desk, stop.pid))
    desk.wait(lambda: len(calls(desk, customer)) == 2, 15, "the call to be stored")
    assert spent(desk, customer) - before == calls(desk, customer)[1][1] > 0
    assert len(customer.replies()) == 1
    hand_back(desk, customer)
    customer.wait_replies(2)
    used = quiet(desk, 0.5, lambda: sum(tokens for _, tokens in calls(desk, customer)[1:]))
    assert spent(desk, customer) - before == used
