"""PostgreSQL goes away for 10 s while turns are at work: the engine waits with what it has."""

import time

from harness import oracle
from scripted import Customer, engines, say

OWN_SERVERS = True
DEADLINE_S = 120
# Production's lease: all have it once to be back before anybody adopts.
LEASE_MS = 4000


def test_database_away_with_turns_at_work(desk):
    """No model call repeats, no live worker loses a session, nothing is lost or answered twice."""
    engines(desk, 2, turn_deadline_ms=60000, adopter_deadline_ms=30000,
            worker_lease_ms=LEASE_MS)
    customers = [Customer(desk, number % 4) for number in range(40)]
    others = [Customer(desk) for _ in range(10)]
    desk.faults("model", {"action": {"type": "delay", "ms": 3000}})
    texts = [customer.make() for customer in customers]
    say(desk, *texts)
    desk.wait(lambda: len(desk.ledger("model")) == len(customers), 20, "all turns to think")
    workers = desk.sql("SELECT id, process FROM workers WHERE NOT dead ORDER BY 1")
    desk.servers.postgres.kill()
    time.sleep(10)
    late = [customer.make() for customer in others]
    say(desk, *late)
    desk.servers.postgres.start()
    desk.faults("model")
    for customer, text in zip(customers + others, texts + late):
        customer.wait_event(text, "answered", 40)
        (body, outcome, _), = customer.wait_replies(1)
        assert oracle.new_nonces(body) == [text.nonce] and outcome == "reply", body
        assert all(turn["tries"] == 0 for turn in customer.turns()), customer.turns()
    assert len(desk.ledger("model")) == len(customers) + 10, "a model call was repeated"
    assert desk.sql("SELECT id, process FROM workers WHERE NOT dead ORDER BY 1") == workers, \
        "a live worker lost its name"
