"""Fair shares: one tenant's flood takes no place, no memory and no adoption from the others."""

from scripted import Customer, engines, say

SHARE = True
DEADLINE_S = 90

FLOOD = 40
PLACES, FLOODERS = 9, 7   # of which a flooder may have so many
PER_CENT = 300            # of what the flooder's turns take: three texts come for each that is answered
SERVED, STEP = 60, 20     # so many are answered meanwhile; the others write after each so many


def answered_among(desk, customers):
    """{address: when its turn was over} of those that are."""
    return dict(desk.sql(
        "SELECT s.remote_address, t.finished_at FROM turns t JOIN channel_sessions s"
        " ON s.tenant_id = t.tenant_id AND s.id = t.session_id WHERE s.remote_address = ANY (%s)"
        " AND t.finished_at IS NOT NULL", [customer.address for customer in customers]))


def test_flood_at_three_times_the_capacity(desk):
    """For some seconds three texts of one tenant come for each that is answered; others write a little, each
    within its share. All are answered, once; and whoever writes within his share passes most of the backlog that
    was there before him, while without fair shares he would pass none of it. Guard: shares_next."""
    engines(desk, max_in_flight=PLACES, turn_deadline_ms=60000)
    desk.faults("model", {"match": "flood", "action": {"type": "delay", "ms": 1000}})
    flood, others = [], []  # others: (customer, flood texts before it, of these answered)
    step, due = [Customer(desk, 0) for _ in range(PLACES * 2)], STEP
    while True:
        say(desk, *[customer.make("flood") for customer in step])
        flood += step
        served = len(answered_among(desk, flood))
        if served >= due:
            writers = [Customer(desk, tenant) for tenant in range(1, len(desk.tenants))]
            say(desk, *[customer.make() for customer in writers])
            others += [(customer, len(flood), served) for customer in writers]
            due += STEP
        if served >= SERVED:
            break
        desk.wait(lambda seen=served: len(answered_among(desk, flood)) > seen, 30, "the flood to be served")
        more = len(answered_among(desk, flood)) * PER_CENT // 100 + PLACES * 2 - len(flood)
        step = [Customer(desk, 0) for _ in range(max(more, 0))]
    writers = [customer for customer, *_ in others]
    assert len(writers) >= 3 * (len(desk.tenants) - 1) > 3
    desk.wait(lambda: len(answered_among(desk, writers)) == len(writers), 40, "the others to be answered")
    desk.faults("model")  # the rest of the flood need not take its time
    desk.wait(lambda: len(answered_among(desk, flood)) == len(flood), 60, "the flood to be answered")
    over, ends = answered_among(desk, flood), answered_among(desk, writers)
    for customer, before, served in others:
        passed = sum(over[one.address] > ends[customer.address] for one in flood[:before])
        assert passed > (before - served) / 2, (customer.known["name"], before, served, passed)
    assert [len(customer.replies()) for customer in flood + writers] == [1] * len(flood + writers)
    assert {customer.replies()[0][1] for customer in writers} == {"reply"}


def test_flooder_does_not_hold_up_others(desk):
    engines(desk, max_in_flight=PLACES, turn_deadline_ms=10000)
    desk.faults("model", {"match": "flood", "action": {"type": "delay", "ms": 1000}})
    flood = [Customer(desk, 0) for _ in range(FLOOD)]
    say(desk, *[customer.make("flood") for customer in flood])
    desk.wait(lambda: desk.service("engine-1").metrics()["frontdesk_turns_in_flight"] == FLOODERS,
              15, "the flood")
    other = Customer(desk, 1)
    other.text()
    other.wait_replies(1)
    # By the rows, whenever we look. The places of the flood are in use anew after a second; without fair
    # shares the other's turn comes when the whole flood's has.
    answered = desk.value(
        "SELECT count(*) FROM turns t JOIN channel_sessions s ON s.tenant_id = t.tenant_id"
        " AND s.id = t.session_id WHERE s.remote_address = ANY (%s) AND t.finished_at < %s::timestamptz",
        [customer.address for customer in flood], other.turns()[0]["finished_at"])
    assert answered < FLOOD // 2, answered
    for customer in flood:
        customer.wait_replies(1, 30)
    desk.faults("model")
