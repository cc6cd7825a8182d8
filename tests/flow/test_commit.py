"""Commits that the database will never take, and what was used by turns that end without a commit
(docs/PROTOCOL.md, turn and budgets)."""

import json

from harness import oracle
from harness.deskctl import good
from scripted import (Customer, engines, fallback_of, freeze_turn, hand_back, quiet, refused, say,
                      service_of, take_over)

SHARE = True
DEADLINE_S = 60


def unfit(desk, since):
    """What the engine's log says became of commits, after so many lines."""
    return [line["then"] for line in desk.log("engine-1")[since:]
            if line.get("event") == "commit.unfit"]


def counted(desk, then):
    name = 'frontdesk_commits_unfit_total{then="%s"}' % then
    return desk.service("engine-1").metrics()[name]


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


def test_reply_that_the_database_refuses(desk):
    """Its customer gets the tenant's wording, what shared its batch its replies, and the conversation goes
    on. Guard: EVENT_UNFIT; without it the commit is sent for ever."""
    engines(desk)
    poison, *others = [Customer(desk) for _ in range(6)]
    since, before = len(desk.log("engine-1")), counted(desk, "fallback")
    said = poison.make()
    with refused(desk, "messages", f"NEW.direction = 'out' AND strpos(NEW.body, '{said.nonce}') > 0"):
        say(desk, said, *[other.make() for other in others])
        (body, outcome, _), = poison.wait_replies(1)
        assert outcome == "fallback" and body == fallback_of(desk, poison), (outcome, body)
        for other in others:
            assert other.wait_replies(1)[0][1] == "reply"
        poison.wait_event(said, "answered")
    turn, = poison.turns()
    assert turn["error_code"] == "commit.unfit" and turn["prompt"] is None, turn
    (call, tokens), = calls(desk, poison)
    assert call == "answered" and tokens > 0
    assert unfit(desk, since) == ["fallback"] and counted(desk, "fallback") == before + 1
    last = poison.text()
    assert oracle.new_nonces(poison.wait_replies(2)[1][0])[-1] == last.nonce


def test_record_that_the_database_refuses(desk):
    """A prompt record, and a value of a model call: the customer is answered by the wording."""
    engines(desk)
    for table, condition in (("turns", "NEW.prompt IS NOT NULL"),
                             ("llm_calls", "NEW.request_id IS NOT NULL")):
        customer = Customer(desk)
        with refused(desk, table, condition, "22021"):
            said = customer.text()
            assert customer.wait_replies(1)[0][1] == "fallback"
            customer.wait_event(said, "answered")
        assert [outcome for outcome, _ in calls(desk, customer)] == ["answered"], table


def test_turn_of_which_nothing_is_taken(desk):
    """Not even the wording can be stored, for a reason that nobody thought of: the turn is failed, people
    see it, and the next text is answered. Guard: EVENT_UNFIT_TOO."""
    engines(desk)
    customer = Customer(desk)
    customer.text()
    customer.wait_replies(1)
    before = spent(desk, customer)
    since, session = len(desk.log("engine-1")), customer.session()["id"]
    with refused(desk, "messages", f"NEW.direction = 'out' AND NEW.session_id = '{session}'", "38000"):
        said = customer.text()
        customer.wait_event(said, "failed", 20)
    turn = customer.turns()[1]
    assert (turn["state"], turn["outcome"], turn["error_code"]) == ("failed", "degraded", "commit.unfit")
    assert unfit(desk, since) == ["fallback", "failed"]
    assert desk.value("SELECT flagged FROM conversations WHERE id = %s::uuid",
                      customer.conversation()) == "turn_failed"
    assert len(customer.replies()) == 1
    desk.wait(lambda: len(calls(desk, customer)) == 2, 10, "its model call to be stored")
    assert spent(desk, customer) - before == calls(desk, customer)[1][1] > 0
    last = customer.text()
    assert oracle.new_nonces(customer.wait_replies(2)[1][0])[-1] == last.nonce


def test_turn_that_the_database_never_starts(desk):
    """Its text is given to people, and the next one is answered. Guard: unfit_start; without it the start is
    sent for ever, and the conversation stands still."""
    engines(desk)
    customer = Customer(desk)
    customer.text()
    customer.wait_replies(1)
    session = customer.session()["id"]
    name = "frontdesk_starts_unfit_total"
    before = desk.service("engine-1").metrics()[name]
    with refused(desk, "turns", f"TG_OP = 'INSERT' AND NEW.session_id = '{session}'", "22021"):
        said = customer.text()
        customer.wait_event(said, "failed", 30)
    assert desk.value("SELECT flagged FROM conversations WHERE id = %s::uuid",
                      customer.conversation()) == "turn_failed"
    assert desk.service("engine-1").metrics()[name] == before + 1
    dead = [row for row in good(desk, "dead", "list", "--json").json()
            if row["code"] == "start.unfit"]
    assert len(dead) == 1 and dead[0]["kind"] == "event", dead
    last = customer.text()
    assert oracle.new_nonces(customer.wait_replies(2)[1][0]) == [last.nonce]


def test_takeover_while_the_model_works(desk):
    """A person takes the conversation in a turn's second model call: both calls are stored, and what they
    used is counted once, of the stopped one what its question is reckoned to be. Guard: leftovers_take in
    drop()."""
    engines(desk, turn_deadline_ms=20000)
    customer = Customer(desk)
    customer.text()
    customer.wait_replies(1)
    said, before = customer.make(), spent(desk, customer)
    desk.faults("model", {"match": said.nonce, "count": 1, "action": {
        "type": "tool_call", "name": "nothing", "arguments": json.dumps({})}},
        {"match": said.nonce, "after": 1, "action": {"type": "delay", "ms": 12000}})
    say(desk, said)
    desk.wait(lambda: len(customer.model_calls()) == 3, 15, "the second call")
    take_over(desk, customer)
    desk.wait(lambda: len(calls(desk, customer)) == 3, 15, "the calls to be stored")
    desk.faults("model")
    outcomes = calls(desk, customer)
    assert [outcome for outcome, _ in outcomes] == ["answered", "answered", "stopped"], outcomes
    assert min(tokens for _, tokens in outcomes[1:]) > 0, outcomes
    assert spent(desk, customer) - before == sum(tokens for _, tokens in outcomes[1:]), outcomes
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
