"""The engine claims what comes: which texts arm a turn, which end at once, and what becomes of those that
cannot be claimed."""

import struct

from harness import oracle
from scripted import Customer, ENGINE, Held, engines, letters, quiet, say

SHARE = True  # the helper restarts the engines when a test needs others


def test_late_event_is_stored_only(desk):
    engines(desk)
    customer = Customer(desk)
    late = customer.text(age_s=25 * 3600)
    customer.wait_event(late, "late")
    fresh = customer.text()
    (body, _, _), = customer.wait_replies(1)
    # What came late is part of what was said, so the stand-in quotes it too.
    assert fresh.nonce in oracle.new_nonces(body) and len(customer.model_calls()) == 1
    assert customer.event(late) == ("late", "late")


def test_stop_and_start_words(desk):
    engines(desk)
    customer = Customer(desk)
    steps = [("yes", ("answered", None)), ("STOP", ("ended", "opted_out")),
             ("hello", ("ended", "no_consent")), ("yes", ("ended", "opted_in")),
             ("Stop.", ("ended", "opted_out")), ("START", ("ended", "opted_in")),
             ("hello", ("answered", None))]
    for words, expected in steps:
        said = customer.text(words)
        customer.wait_event(said, expected[0])
        assert customer.event(said) == expected, (words, customer.event(said))
    quiet(desk, 1.0, customer.replies)
    assert len(customer.replies()) == 2, customer.replies()
    assert desk.sql("SELECT state FROM consents WHERE address = %s", customer.address) == \
        [("opted_in",)]


def test_start_word_is_recorded_without_an_opt_out(desk):
    """The provider may be about to tell us of an older opt-out: then the word was newer."""
    engines(desk)
    customer = Customer(desk)
    said = customer.text("START")
    customer.wait_event(said, "answered")
    assert desk.sql("SELECT state FROM consents WHERE address = %s AND changed_at > now()"
                    " - interval '1 minute'", customer.address) == [("opted_in",)]


def test_stop_word_that_comes_again_is_an_old_one(desk):
    """A copy of a STOP that was followed by START, in one batch with a new text."""
    engines(desk)
    customer = Customer(desk)
    stop = customer.text("STOP")
    customer.wait_event(stop, "ended")
    customer.wait_event(customer.text("START"), "ended")
    fresh = customer.make()
    say(desk, stop, fresh)
    customer.wait_event(fresh, "answered")
    assert desk.sql("SELECT state FROM consents WHERE address = %s", customer.address) == \
        [("opted_in",)]


def test_opt_out_type_of_twilio_counts(desk):
    engines(desk)
    customer = Customer(desk)
    said = customer.text("enough", opt_out_type="STOP")
    customer.wait_event(said, "ended")
    assert customer.event(said) == ("ended", "opted_out")


def dead(desk, said, code):
    """Waits for the dead letter of a record and checks everything that a viewer needs."""
    def found():
        return [letter for letter in letters(desk)
                if letter.headers.get("ce_id") == said.headers.get("ce_id").encode()]
    desk.wait(found, 15, f"the dead letter of {said.sid}")
    letter, = found()
    assert letter.key == said.key.encode()
    assert letter.value == (said.value if isinstance(said.value, bytes) else said.value.encode())
    headers = letter.headers
    for name, value in said.headers.items():
        assert headers[name] == value.encode(), name
    assert headers["kafka_dlt-original-topic"] == desk.topic("inbound.sms").encode()
    partition, = struct.unpack(">i", headers["kafka_dlt-original-partition"])
    offset, = struct.unpack(">q", headers["kafka_dlt-original-offset"])
    original = next(record for record in desk.kafka_records("inbound.sms")
                    if (record.partition, record.offset) == (partition, offset))
    assert original.value == letter.value
    assert headers["dlq-service"] == b"engine" and int(headers["dlq-attempts"]) >= 1
    assert headers["dlq-code"].decode() == code or code is None, headers["dlq-code"]
    assert headers["dlq-trace"]
    return headers["dlq-code"].decode()


def test_what_cannot_be_claimed_is_a_dead_letter(desk):
    """Garbage, an unknown major, an unknown channel, a foreign tenant: each goes to the dead
    letters as it came, and the partition moves on to the good text behind it."""
    engines(desk)
    customer = Customer(desk)
    garbage, major, channel = customer.make(), customer.make(type_="desk.sms.received.v2"), \
        customer.make(to="+15559999999")
    garbage.value = b'{"message_sid": "\xff\x00'
    big = customer.make()
    big.value = b'{"body":"' + b"x" * 400_000 + b'"}'
    deep = customer.make()
    deep.value = b"[" * 20_000
    stranger = customer.make()
    stranger.headers["tenant"] = "018f9c3e-2b7a-7c1d-9e4f-5a6b7c8d9e0f"
    stranger.key = f"{stranger.headers['tenant']}:{customer.address}"
    good = customer.make()
    say(desk, garbage, major, channel, big, deep, stranger, good)
    (body, _, _), = customer.wait_replies(1)
    assert oracle.new_nonces(body) == [good.nonce]
    codes = {name: dead(desk, said, None) for name, said in
             (("garbage", garbage), ("major", major), ("channel", channel), ("big", big),
              ("deep", deep), ("stranger", stranger))}
    assert codes["channel"] == codes["stranger"] == "claim.no_channel", codes
    assert "major" in codes["major"] or "version" in codes["major"], codes
    assert desk.value("SELECT count(*) FROM inbox_events WHERE provider_id = ANY (%s)",
                      [s.sid for s in (garbage, major, channel, big, deep, stranger)]) == 0


def test_too_large_for_a_dead_letter(desk):
    """The topics take more than a record of ours may have: such a one must not stop the engine."""
    engines(desk)
    customer = Customer(desk)
    big = customer.make()
    big.value = '{"body":"' + "x" * 600_000 + '"}'
    say(desk, big)
    desk.wait(lambda: any(letter.headers["ce_id"] == big.sid.encode() for letter in letters(desk)),
              15, "the letter")
    letter, = [letter for letter in letters(desk) if letter.headers["ce_id"] == big.sid.encode()]
    assert letter.headers["dlq-dropped"] == b"value" and not letter.value
    assert letter.headers["dlq-code"] == b"event.size"
    good = customer.text()
    (body, _, _), = customer.wait_replies(1)
    assert oracle.new_nonces(body) == [good.nonce]


def test_what_takes_too_long_is_in_nobodys_way(desk):
    """Claims that the database always cuts off for one sender's data, while it answers all others: what came with
    them is claimed, and they are dead letters. Guard: slow_is_own in claim_failed; without it the lane stands."""
    engines(desk)
    slow, other = Customer(desk), Customer(desk)
    desk.sql("CREATE FUNCTION test_slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
             " RAISE EXCEPTION USING ERRCODE = '57014', MESSAGE = 'too slow'; END $$")
    desk.sql("CREATE TRIGGER test_slow BEFORE INSERT ON messages FOR EACH ROW"
             " WHEN (NEW.body LIKE '%treacle%') EXECUTE FUNCTION test_slow()")
    try:
        first, second, behind, fine = slow.make("treacle"), slow.make("treacle too"), slow.make("hello"), other.make()
        say(desk, first, second, behind, fine)
        desk.wait(lambda: any(line.get("slow") for line in desk.log("engine-1")), 15, "a claim to be cut off")
        later = other.text()
        other.wait_event(later, "answered")
        told = [nonce for body, _, _ in other.replies() for nonce in oracle.new_nonces(body)]
        assert sorted(told) == sorted([fine.nonce, later.nonce]), told
        assert {dead(desk, said, None) for said in (first, second)} == {"claim.slow"}
        (body, _, _), = slow.wait_replies(1)
        assert oracle.new_nonces(body) == [behind.nonce]
    finally:
        desk.sql("DROP TRIGGER test_slow ON messages")
        desk.sql("DROP FUNCTION test_slow")


def test_offsets_follow_the_claims(desk):
    """When all is quiet the group's offsets are the ends of the partitions that have records."""
    from confluent_kafka import Consumer, TopicPartition
    engines(desk)
    customer = Customer(desk)
    customer.text()
    customer.wait_replies(1)
    consumer = Consumer({"bootstrap.servers": desk.servers.kafka.address,
                         "group.id": desk.topic("engine.sms"), "enable.auto.commit": False})
    try:
        topic = desk.topic("inbound.sms")
        parts = [TopicPartition(topic, n) for n in consumer.list_topics(topic, 10).topics[topic].partitions]

        def behind():
            return [p for p in consumer.committed(parts, 10)
                    if (high := consumer.get_watermark_offsets(
                        TopicPartition(topic, p.partition), 10)[1]) and p.offset != high]
        desk.wait(lambda: not behind(), 15, lambda: f"offsets at the ends: {behind()}")
    finally:
        consumer.close()


def test_gives_way_to_its_own_name(desk):
    """Another process takes its instance name: its consumer is dead for good, so it ends, with an
    exit code that has it started again."""
    engines(desk)
    desk.scripted = None
    first = desk.service("engine-1").child
    other = desk.add("engine", 2, {"engine": {**ENGINE, "instance": "engine-1"}})
    desk.wait(lambda: not first.alive(), 30, "the end of the first")
    assert first.process.returncode == 1, desk.last_words()
    other.wait_ready()
    customer = Customer(desk)
    customer.text()
    customer.wait_replies(1)


def test_channel_removed_in_the_middle_of_a_claim(desk):
    """The claim has taken the text, waits for a lock, and the number is removed meanwhile: no text
    is left that is open and cannot be read."""
    engines(desk)
    customer = Customer(desk, 3)
    customer.text()
    customer.wait_replies(1)
    removed = ("UPDATE channels SET removed_at = %s WHERE address = %s",
               customer.known["numbers"]["sms"])
    try:
        with Held(desk) as other:
            other.run("SELECT 1 FROM conversations WHERE id = %s::uuid FOR UPDATE",
                      customer.conversation())
            said = customer.text("when do you open?")
            other.wait_blocks("engine", what="the claim to wait for the conversation")
            desk.sql(removed[0], "now", removed[1])
            other.commit()
        customer.wait_event(said, "answered")
        assert desk.value("SELECT count(*) FROM messages WHERE body LIKE %s",
                          f"{said.nonce} %") == 1
        assert oracle.new_nonces(customer.wait_replies(2)[1][0]) == [said.nonce]
    finally:
        desk.sql(removed[0], None, removed[1])


def test_text_from_our_own_number_ends(desk):
    """Two businesses of one installation must not keep each other talking."""
    engines(desk)
    customer = Customer(desk)
    customer.address = desk.tenants[2]["numbers"]["sms"]
    said = customer.text()
    customer.wait_event(said, "ended")
    assert customer.event(said) == ("ended", "loop") and customer.replies() == []


def test_machine_that_answers_us_is_left_alone(desk):
    """After so many replies in a row without a person between, a text ends as a loop and a person is
    told; another customer is answered as always."""
    engines(desk, loop_replies=3, loop_window_ms=600000)
    machine, other = Customer(desk), Customer(desk)
    for count in range(3):
        machine.text()
        machine.wait_replies(count + 1)
    said = machine.text()
    machine.wait_event(said, "ended")
    assert machine.event(said) == ("ended", "loop") and len(machine.replies()) == 3
    assert desk.value("SELECT flagged FROM conversations WHERE id = %s::uuid",
                      machine.conversation()) == "loop"
    other.text()
    other.wait_replies(1)
    desk.sql("UPDATE deliveries SET author = 'operator' WHERE session_id = %s::uuid AND seq ="
             " (SELECT max(seq) FROM deliveries WHERE session_id = %s::uuid)",
             machine.session()["id"], machine.session()["id"])
    machine.text()
    machine.wait_replies(4)


def test_words_for_help_are_twilios_to_answer(desk):
    engines(desk)
    customer = Customer(desk)
    said = customer.text("HELP")
    customer.wait_event(said, "ended")
    assert customer.event(said) == ("ended", "help") and customer.replies() == []
    customer.text("help me with a booking")
    customer.wait_replies(1)
