"""Texts under load: rebalances, replays, and everything killed once."""

from confluent_kafka import Producer

DEADLINE_S = 120

# The time of a turn is long, so that a busy machine does not make fallback replies.
CONFIG = {"engine": {"turn_deadline_ms": 30000, "adopter_deadline_ms": 15000},
          "responder": {"worker_lease_ms": 2000, "adopt_every_ms": 600, "lookup_after_ms": 2500,
                        "session_timeout_ms": 3000, "heartbeat_ms": 600}}


def all_answered(desk, result, deadline_s=60):
    texts = result.texts
    refused = [(a.sid, a.try_number, a.status, a.error, round(a.seconds, 2))
               for a in result.attempts if not 200 <= a.status < 300]
    unheard = {text.sid for text in texts if not text.accepted_at}
    assert not unheard, [attempt for attempt in refused if attempt[0] in unheard]
    desk.wait_answers(texts, deadline_s)
    desk.settled(2, lambda: (len(desk.sent()), len(desk.ledger("model"))))
    verdict = desk.judge(texts)
    assert verdict.clean(), verdict
    assert verdict.degraded == 0, verdict
    return verdict


def test_rebalance_under_load(desk):
    """Two engines, then three, then two; the same with responders."""
    desk.start(engines=2, responders=2, config=CONFIG)
    desk.reset()
    load = desk.load(rate=20, addresses=80, tenant_count=4, tries=10).start(seconds=20)

    def after(count):
        desk.wait(lambda: len(load.result.accepted) >= count, 40, f"{count} texts")
    after(80)
    desk.add("engine", 3, CONFIG).wait_ready()
    desk.add("responder", 3, CONFIG).wait_ready()
    after(220)
    assert desk.terminate("engine-1") == 0
    assert desk.terminate("responder-1") == 0
    all_answered(desk, load.join())


def replay(desk, records, topic):
    """Produces records again, byte for byte."""
    producer = Producer({"bootstrap.servers": desk.servers.kafka.address, "acks": "all"})
    for record in records:
        producer.produce(desk.topic(topic), record.value, record.key,
                         partition=record.partition, headers=list(record.headers.items()))
        producer.poll(0)
    assert producer.flush(30) == 0


def lag(desk, group, topic):
    """Records that the group has not committed yet."""
    from confluent_kafka import Consumer, TopicPartition
    consumer = Consumer({"bootstrap.servers": desk.servers.kafka.address,
                         "group.id": desk.topic(group), "enable.auto.commit": False})
    try:
        name = desk.topic(topic)
        count = len(consumer.list_topics(name, 10).topics[name].partitions)
        left = 0
        for part in consumer.committed([TopicPartition(name, n) for n in range(count)], 10):
            low, high = consumer.get_watermark_offsets(TopicPartition(name, part.partition), 10)
            left += high - (part.offset if part.offset >= 0 else low)
        return left
    finally:
        consumer.close()


def test_replays_have_no_effect(desk):
    """P8: 2,000 inbound and 2,000 outbound records again: nothing more is said to anybody."""
    desk.start(engines=2, responders=2, config=CONFIG)
    desk.reset()
    load = desk.load(rate=60, addresses=200, tenant_count=4, tries=10).start(count=600)
    all_answered(desk, load.join())
    sent, calls = len(desk.sent()), len(desk.ledger("model"))
    rows = desk.value("SELECT count(*) FROM messages")
    for topic, group in (("inbound.sms", "engine.sms"), ("outbound.sms", "responder.sms")):
        records = desk.kafka_records(topic)
        assert records
        again = (records * (2000 // len(records) + 1))[:2000]
        replay(desk, again, topic)
        desk.wait(lambda g=group, t=topic: lag(desk, g, t) == 0, 40,
                  lambda g=group, t=topic: f"{g} to read {t}: {lag(desk, g, t)} left")
    desk.settled(3, lambda: (len(desk.sent()), len(desk.ledger("model"))))
    assert len(desk.sent()) == sent, "a replay was sent"
    assert len(desk.ledger("model")) == calls, "a replay asked the model"
    assert desk.value("SELECT count(*) FROM messages") == rows
    verdict = desk.judge(load.result.texts)
    assert verdict.clean(), verdict
