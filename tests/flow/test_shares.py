"""Fair shares: one tenant's flood takes no place, no memory and no adoption from the others."""

from scripted import Customer, engines, say

SHARE = True
DEADLINE_S = 60

FLOOD = 40
PLACES = 9  # of which a flooder may have eight


def test_flooder_does_not_hold_up_others(desk):
    engines(desk, max_in_flight=PLACES, turn_deadline_ms=10000)
    desk.faults("model", {"match": "flood", "action": {"type": "delay", "ms": 1000}})
    flood = [Customer(desk, 0) for _ in range(FLOOD)]
    say(desk, *[customer.make("flood") for customer in flood])
    desk.wait(lambda: desk.service("engine-1").metrics()["frontdesk_turns_in_flight"] == PLACES - 1,
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
