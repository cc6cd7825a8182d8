"""What the stories of races share: a desk whose leases are short, customers who were answered once, and
parties that act at the same time."""

import threading

from scripted import Customer

CONFIG = {
    "engine": {"burst_ms": 200, "burst_max_ms": 800, "turn_deadline_ms": 15000,
               "adopter_deadline_ms": 10000, "worker_lease_ms": 2000, "adopt_every_ms": 100},
    "responder": {"worker_lease_ms": 1500, "adopt_every_ms": 100, "lookup_after_ms": 2000,
                  "request_timeout_ms": 12000, "session_timeout_ms": 3000, "heartbeat_ms": 600},
}


def start(desk):
    desk.start(ingresses=1, engines=2, responders=2, config=CONFIG)
    desk.faults("model")
    desk.faults("twilio")


def met(desk):
    """A customer who has been answered once: session and conversation exist."""
    start(desk)
    customer = Customer(desk)
    said = customer.text()
    customer.wait_replies(1)
    wait_sent(desk, customer, 1)
    return customer, said


def wait_sent(desk, customer, count, deadline_s=20):
    """Waits until Twilio accepted so many messages for the customer and the rows know it."""
    bodies = desk.wait_replies(customer.address, count, deadline_s)
    desk.wait(lambda: sum(state in ("sent", "delivered") for _, _, state in customer.replies())
              >= count, 10, lambda: f"{count} settled deliveries: {customer.replies()}")
    return bodies


def slow_model(desk, nonce, ms=3000):
    """Longer than a busy machine needs for what has to happen while the model works."""
    desk.faults("model", {"match": nonce, "count": 1, "action": {"type": "delay", "ms": ms}})


def conversation_key(customer):
    return customer.tenant_id, customer.conversation()


def background(action, *args):
    """Runs action on a thread; join() gives its value or raises what it raised."""
    box = {}

    def run():
        try:
            box["value"] = action(*args)
        except Exception as problem:
            box["problem"] = problem
    thread = threading.Thread(target=run, daemon=True)
    thread.start()

    def join(deadline_s=60):
        thread.join(deadline_s)
        if "problem" in box:
            raise box["problem"]
        assert not thread.is_alive(), "still running"
        return box["value"]
    join.running = thread.is_alive
    return join


def blocked_or(desk, held, role, condition, deadline_s=10):
    """Waits until the role waits for the held transaction, or takeover, (the guard), or the condition is true
    (it went past)."""
    desk.wait(lambda: held.blocks(role) or condition(), deadline_s, "the other party's move")


def held_back(desk, customer):
    """A reply whose delivery row is pending and that no responder has claimed; it is due when the
    installation is released again."""
    desk.installation.deskctl("hold", "a story")
    said = customer.text()
    customer.wait_replies(2)
    return said
