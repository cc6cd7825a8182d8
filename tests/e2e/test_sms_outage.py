"""Kafka or PostgreSQL away: nothing accepted is lost, and all of it comes back by itself."""

import time

from harness import oracle
from harness.desk import PATIENCE
from harness.standstill import Standstill

OWN_SERVERS = True
DEADLINE_S = 150

CONFIG = {"ingress": {"produce_deadline_ms": 2000},
          "responder": {"worker_lease_ms": 2000, "adopt_every_ms": 600, "lookup_after_ms": 2500}}


def answered(desk, texts, deadline_s=60):
    desk.wait_answers(texts, deadline_s)
    desk.settled(3, lambda: len(desk.sent()))
    verdict = desk.judge(texts)
    assert verdict.clean(), verdict
    return verdict


def test_kafka_down(desk):
    """No webhook gets 2xx meanwhile; ingress stays up, answers 503 with Retry-After and recovers
    alone; texts that Twilio repeats are answered once."""
    desk.start(engines=2, responders=2, config=CONFIG)
    desk.reset()
    pid = desk.service("ingress-1").pid
    desk.servers.kafka.kill()
    refused = []
    for _ in range(8):
        customer, nonce = desk.new_address(), desk.new_nonce()
        answer = desk.webhook(customer, f"hello {nonce}")
        assert answer.status == 503, answer
        assert "retry-after" in {name.lower() for name in answer.headers}, answer.headers
        refused.append((customer, nonce, answer.sid))
    assert desk.service("ingress-1").alive() and desk.service("ingress-1").pid == pid
    desk.servers.kafka.start()
    begin = time.monotonic()
    for customer, nonce, sid in refused:
        desk.wait(lambda c=customer, n=nonce, s=sid: desk.webhook(
            c, f"hello {n}", sid=s).status == 200, 30, "ingress to accept again")
    assert time.monotonic() - begin < 40 * PATIENCE
    for customer, nonce, sid in refused:
        reply, = desk.wait_replies(customer, 1, 40)
        assert oracle.new_nonces(reply) == [nonce]
    desk.settled(3, lambda: len(desk.sent()))
    assert len(desk.sent()) == len(refused)
    assert desk.service("ingress-1").pid == pid, "ingress was restarted"


def test_postgres_down(desk):
    """Ingress keeps accepting; engine and responder wait and then work it all off."""
    desk.start(engines=2, responders=2, config=CONFIG)
    desk.reset()
    pids = {name: service.pid for name, service in desk.services.items()}
    load = desk.load(rate=15, addresses=60, tenant_count=4, tries=10).start(seconds=18)
    desk.wait(lambda: len(load.result.accepted) >= 40, 30, "texts before the outage")
    desk.servers.postgres.kill()
    before = len(load.result.accepted)
    desk.wait(lambda: len(load.result.accepted) >= before + 120, 30, "texts during the outage")
    with Standstill() as still:
        desk.servers.postgres.start()
        result, begin = load.join(), time.monotonic()
        desk.wait_answers(result.texts)
        end = time.monotonic()
        took_s = end - begin - still.during(begin, end)
    assert took_s < 30, f"{took_s:.1f} s after the last text"
    answered(desk, result.texts)
    unheard = [text.sid for text in result.texts if not text.accepted_at]
    assert not unheard, [a for a in result.attempts if a.sid in unheard]
    assert {name: service.pid for name, service in desk.services.items()} == pids
