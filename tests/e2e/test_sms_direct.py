"""The same without PgBouncer: services talk to PostgreSQL directly. A release build runs it."""

DIRECT = True
BUILD = "release"


def test_load_is_answered_once(desk):
    # A busy machine is no reason for a fallback.
    desk.start(engines=2, responders=2, config={"engine": {"turn_deadline_ms": 30000}})
    desk.reset()
    load = desk.load(rate=60, addresses=100, tenant_count=4, tries=10).start(count=600)
    texts = load.join().texts
    desk.wait_answers(texts)
    desk.settled(1.5, lambda: len(desk.sent()))
    verdict = desk.judge(texts)
    assert verdict.clean() and verdict.accepted == 600 and not verdict.degraded, verdict
