"""The responder while Kafka hangs: it sends without it, and ends in order."""

import signal

from harness.stops import FREEZE
from delivering import Customer, responders

OWN_SERVERS = True


def test_sends_without_kafka(desk):
    """A responder that has never reached a broker finds, sends and looks up what is due."""
    responders(desk)
    desk.terminate("responder-1")
    desk.responding = None
    customer = Customer(desk)
    customer.fault(type="accepted_but_answer_lost", count=1)
    first, second = customer.reply(wake=False), customer.reply(wake=False)
    desk.servers.kafka.freeze()
    try:
        desk.revive(("responder",), wait=False)
        customer.wait_state(first, "sent", "delivered")
        customer.wait_state(second, "sent")
        assert len(customer.sent()) == 2
    finally:
        desk.servers.kafka.thaw()
    desk.service("responder-1").wait_ready()
    third = customer.reply()
    customer.wait_state(third, "sent")


def test_drain_waits_for_a_dead_letter(desk):
    """SIGTERM while a dead letter is on its way to a Kafka that hangs: the letter's report still finds
    whoever sent it, and the record's offset waits for it."""
    responders(desk)
    customer = Customer(desk)
    stop = desk.stops.arm("responder.letter", action=FREEZE)
    customer.wake("x", value=f"no json {customer.address}")
    desk.wait(lambda: stop.hits, 15, "the letter")
    child, kafka = desk.service("responder-1").child, desk.servers.kafka
    kafka.freeze()
    try:
        child.thaw()
        child.signal(signal.SIGTERM)
        desk.wait(lambda: any(line.get("event") == "service.draining"
                              for line in desk.log("responder-1")), 10, "the drain to begin")
        assert desk.settled(1.5, child.alive), "ended before the letter was confirmed"
    finally:
        kafka.thaw()
    desk.wait(lambda: not child.alive(), 20, "the end")
    assert child.process.returncode == 0, desk.last_words()
    letters = [record for record in desk.kafka_records("dlq")
               if record.value.decode() == f"no json {customer.address}"]
    assert len(letters) == 1, letters
    desk.responding = None
