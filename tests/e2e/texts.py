"""Sends texts and watches their deliveries: what the files of this suite share."""

CONFIG = {
    "engine": {"burst_ms": 400, "burst_max_ms": 1500},
    "responder": {"worker_lease_ms": 2000, "adopt_every_ms": 600, "lookup_after_ms": 2500,
                  "request_timeout_ms": 3000, "session_timeout_ms": 3000, "heartbeat_ms": 600},
}


REFUSED_MOST = 2  # by the gate, of one delivery


def up(desk):
    desk.start(ingresses=2, engines=2, responders=2, config=CONFIG)
    desk.faults("model")
    desk.faults("twilio")
    return desk


def accepted(desk, customer, body, **options):
    answer = desk.webhook(customer, body, **options)
    assert answer.status == 200, answer
    return answer.sid


def delivery(desk, address):
    """The latest delivery to an address as a dict; `attempts` without those that the gate refused: on
    a machine that stands still a lease ends before the first byte, and the delivery comes again."""
    rows = desk.sql("SELECT row_to_json(d), (SELECT count(*) FROM delivery_attempts a WHERE"
                    " a.delivery_id = d.id AND a.outcome = 'not_sent') FROM deliveries d"
                    " JOIN channel_sessions s ON s.tenant_id = d.tenant_id AND s.id = d.session_id"
                    " WHERE s.remote_address = %s ORDER BY d.seq DESC LIMIT 1", address)
    assert not rows or rows[0][1] <= REFUSED_MOST, rows
    return {**rows[0][0], "attempts": rows[0][0]["attempts"] - rows[0][1]} if rows else None


def wait_state(desk, address, *states, deadline_s=20):
    desk.wait(lambda: (delivery(desk, address) or {}).get("state") in states, deadline_s,
              lambda: f"{states}, got {delivery(desk, address)}")
    return delivery(desk, address)


def quiet(desk, address, seconds=1.5):
    return desk.settled(seconds, lambda: desk.sent_to(address))


def post_to(nonce, **more):
    """The match of a fault rule: the request that creates the message with this nonce."""
    return {"path": "/Messages.json", "method": "POST", "match": nonce, "count": 1, **more}
