"""PostgreSQL goes away for 10 s while turns are at work: the engine waits with what it has."""

import time

from harness import oracle
from scripted import Customer, engines, say

OWN_SERVERS = True
DEADLINE_S = 120


def test_database_away_with_turns_at_work(desk):
    """No model call repeats, no live worker loses a session, nothing is lost or answered twice."""
    engines(desk, 2, turn_deadline_ms=60000, adopter_deadline_ms=30000)
    customers = [Customer(desk, number % 4) for number in range(40)]
    for customer in customers:
        customer.nonces = []
    desk.faults("model", {"action": {"type": "delay", "ms": 3000}})
    texts = [customer.make() for customer in customers]
    say(desk, *texts)
    desk.wait(lambda: len(desk.ledger("model")) == len(customers), 20, "all turns to think")
    workers = desk.sql("SELECT id, process FROM workers WHERE NOT dead ORDER BY 1")
    desk.servers.postgres.kill()
    time.sleep(10)
    late = [customer.make() for customer in customers[:10]]
    say(desk, *late)
    desk.servers.postgres.start()
    desk.faults("model")
    for customer, text in zip(customers, texts):
        customer.wait_event(text, "answered", 40)
    for customer, text in zip(customers, late):
        customer.wait_event(text, "answered", 40)
    for place, customer in enumerate(customers):
        replies = customer.wait_replies(2 if place < 10 else 1, 20)
        assert oracle.new_nonces(replies[0][0]) == [texts[place].nonce], replies
        assert all(outcome == "reply" for _, outcome, _ in replies), replies
        assert all(turn["tries"] == 0 for turn in customer.turns()), customer.turns()
    assert len(desk.ledger("model")) == len(customers) + 10, "a model call was repeated"
    assert desk.sql("SELECT id, process FROM workers WHERE NOT dead ORDER BY 1") == workers, \
        "a live worker lost its name"
