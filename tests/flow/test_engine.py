"""The engine between scripted neighbours: records of inbound.sms in, delivery rows out."""

import struct
import time

from harness import oracle
from harness.stops import FREEZE, KILL
from scripted import (ENGINE, Customer, Held, add_engine, claim_by_hand, dead_worker, engines,
                      fallback_of, freeze_turn, hand_back, quiet, refusals, say, service_of,
                      take_over, wait_gone)

SHARE = True  # the helper restarts the engines when a test needs others

DEGRADED = "Thank you for your message. We have noted it"


def hold_model(desk, ms, **more):
    """Every answer of the model takes so long."""
    desk.faults("model", {"action": {"type": "delay", "ms": ms}, **more})


def test_answers_a_text_once(desk):
    engines(desk)
    customer = Customer(desk)
    said = customer.text()
    (body, outcome, state), = customer.wait_replies(1)
    assert oracle.new_nonces(body) == [said.nonce] and outcome == "reply" and state == "pending"
    assert customer.event(said) == ("answered", None)
    session = customer.session()
    assert session["due_at"] is None and session["turn_id"] is None and session["fence"] == 1


def test_copies_are_claimed_once(desk):
    """Five copies each of three texts, in different orders and batches."""
    engines(desk)
    customer = Customer(desk)
    texts = [customer.make() for _ in range(3)]
    for order in ((0, 1, 2), (2, 1, 0), (1, 0, 2), (1, 2, 0), (2, 0, 1)):
        say(desk, *[texts[index] for index in order])
    customer.wait_replies(1)
    quiet(desk, 1.0, customer.replies)
    assert sorted(answered(customer)) == sorted(text.nonce for text in texts), customer.replies()
    assert desk.value("SELECT count(*) FROM messages m JOIN channel_sessions s ON"
                      " s.id = m.session_id WHERE s.remote_address = %s AND m.direction = 'in'",
                      customer.address) == 3


def test_finished_event_redelivered_does_nothing(desk):
    engines(desk)
    customer = Customer(desk)
    said = customer.text()
    customer.wait_replies(1)
    before, calls = customer.session(), len(customer.model_calls())
    say(desk, said, times=5)
    follow = customer.text("second")
    customer.wait_replies(2)
    quiet(desk, 1.0, customer.replies)
    assert len(customer.replies()) == 2 and len(customer.model_calls()) == calls + 1
    assert customer.session()["claimed"] == before["claimed"] + 1
    assert customer.event(said) == customer.event(follow) == ("answered", None)


def test_open_event_redelivered_is_armed_again(desk):
    """An event that is open while its session rests: only its redelivery can wake it."""
    engines(desk)
    customer = Customer(desk)
    said = customer.text()
    customer.wait_replies(1)
    desk.sql("UPDATE inbox_events SET state = 'open', turn_id = NULL, settled_at = NULL"
             " WHERE provider_id = %s", said.sid)
    quiet(desk, 1.0, customer.replies)
    assert len(customer.replies()) == 1 and customer.session()["due_at"] is None
    say(desk, said)
    customer.wait_replies(2)
    customer.wait_event(said, "answered")


def test_burst_is_one_turn(desk):
    engines(desk, burst_ms=3000, burst_max_ms=12000)
    customer = Customer(desk)
    texts = [customer.text() for _ in range(3)]
    (body, _, _), = customer.wait_replies(1)
    assert oracle.new_nonces(body) == [text.nonce for text in texts]
    assert len(customer.model_calls()) == 1 and len(customer.turns()) == 1


def test_burst_ends_at_its_longest(desk):
    """A customer who never pauses is answered all the same."""
    engines(desk, burst_ms=1000, burst_max_ms=2000)
    customer = Customer(desk)
    begin = time.monotonic()
    while not customer.replies():
        assert time.monotonic() - begin < 8, "the burst window moves for ever"
        customer.text()
        time.sleep(0.3)
    assert time.monotonic() - begin > 1.5


def test_text_while_the_model_works(desk):
    """Each of two texts that come while the model works starts the turn anew; the fourth text is
    the next turn."""
    engines(desk, turn_deadline_ms=20000)
    hold_model(desk, 3000)  # longer than a busy machine needs to produce the next text
    try:
        customer = Customer(desk)
        texts = []
        for number in range(1, 5):
            texts.append(customer.text())
            if number < 4:
                desk.wait(lambda n=number: len(customer.model_calls()) >= n, 10,
                          f"model call {number}")
        (first, _, _), (second, _, _) = customer.wait_replies(2, 20)
    finally:
        desk.faults("model")
    nonces = [text.nonce for text in texts]
    assert oracle.new_nonces(first) == nonces[:3], first
    assert oracle.new_nonces(second) == nonces[3:], second
    assert [turn["recomputes"] for turn in customer.turns()] == [2, 0]
    assert all(customer.event(text) == ("answered", None) for text in texts)


def test_history_is_remembered(desk):
    engines(desk)
    customer = Customer(desk)
    first = customer.text()
    customer.wait_replies(1)
    second = customer.text()
    body = customer.wait_replies(2)[1][0]
    assert oracle.new_nonces(body) == [second.nonce]
    assert oracle.history_nonces(body) == [first.nonce]


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


def letters(desk):
    return desk.kafka_records("dlq")


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
        parts = [TopicPartition(topic, n) for n in range(24)]

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


def test_held_conversation_arms_nothing(desk):
    engines(desk)
    customer = Customer(desk)
    customer.text()
    customer.wait_replies(1)
    take_over(desk, customer)
    calls = len(customer.model_calls())
    said = customer.text("is a person there?")
    customer.wait_event(said, "open")
    quiet(desk, 1.0, customer.replies)
    assert customer.session()["due_at"] is None and len(customer.replies()) == 1
    hand_back(desk, customer)
    # The reply from before the takeover was never sent: the text it answered is open again too.
    customer.wait_event(said, "answered")
    assert said.nonce in oracle.new_nonces(customer.replies()[-1][0])
    assert len(customer.model_calls()) == calls + 1


def test_text_that_grew_old_while_a_person_had_it(desk):
    """At hand-back the old text ends as late and the new one is answered: were both answered by one
    reply, it would be as late as the older."""
    engines(desk)
    customer = Customer(desk)
    customer.text()
    customer.wait_replies(1)
    desk.sql("UPDATE deliveries SET state = 'sent', settled_at = now() WHERE session_id = %s::uuid",
             customer.session()["id"])
    take_over(desk, customer)
    old, fresh = customer.text("is somebody there?"), customer.text("hello?")
    for said in (old, fresh):
        customer.wait_event(said, "open")
    desk.sql("UPDATE inbox_events SET event_time = event_time - interval '25 h'"
             " WHERE provider_id = %s", old.sid)
    hand_back(desk, customer)
    customer.wait_event(fresh, "answered")
    assert customer.event(old) == ("late", "late")
    body, _, _ = customer.wait_replies(2)[1]
    assert fresh.nonce in oracle.new_nonces(body) and old.nonce in body  # read, as what was said
    assert desk.value("SELECT answer_by > now() FROM deliveries WHERE session_id = %s::uuid"
                      " ORDER BY seq DESC LIMIT 1", customer.session()["id"])


def test_quiet_conversation_is_closed(desk):
    engines(desk)
    customer = Customer(desk)
    customer.text()
    customer.wait_replies(1)
    old = customer.conversation()
    desk.sql("UPDATE conversations SET last_activity_at = clock_timestamp() - interval '8 days'"
             " WHERE id = %s::uuid", old)
    said = customer.text()
    body = customer.wait_replies(2)[1][0]
    assert oracle.new_nonces(body) == [said.nonce] and not oracle.history_nonces(body)
    assert customer.conversation() != old
    assert desk.value("SELECT closed_at IS NOT NULL FROM conversations WHERE id = %s::uuid", old)


def test_model_that_fails_gets_the_tenants_wording(desk):
    """Whatever the model does, the customer reads the tenant's fallback, never what it said."""
    engines(desk)
    actions = ("hang", "cut", "cut chunks=2", "stall chunks=3", "empty", "huge", "nonsense",
               "wrong_json", "error_in_stream chunks=2", "truncate chunks=4",
               "status status=429", "status status=429 retry_after=1", "status status=500",
               "status status=503", "status status=401", "status status=400")
    customers = []
    for number, action in enumerate(actions):
        customer = Customer(desk, number % len(desk.tenants))
        customers.append((action, customer, customer.text("{{stand action=%s}}" % action)))
    wrong = []
    for action, customer, said in customers:
        (body, outcome, _), = customer.wait_replies(1, 20)
        if outcome != "fallback" or not body.startswith(fallback_of(desk, customer)):
            wrong.append(f"{action}: {outcome} {body[:200]}")
        customer.wait_event(said, "answered")
    assert not wrong, "\n".join(wrong)
    calls = desk.sql("SELECT outcome, error_code FROM llm_calls WHERE outcome = 'failed'")
    assert calls and all(code for _, code in calls), calls


def test_model_that_recovers_is_asked_again(desk):
    desk.scripted = None  # engines whose breakers are closed
    engines(desk)
    customer = Customer(desk)
    said = customer.make()
    desk.faults("model", {"match": said.nonce, "count": 1,
                          "action": {"type": "status", "status": 503}})
    say(desk, said)
    (body, outcome, _), = customer.wait_replies(1)
    assert outcome == "reply" and oracle.new_nonces(body) == [said.nonce]
    assert desk.sql("SELECT c.outcome FROM llm_calls c JOIN turns t ON t.id = c.turn_id"
                    " WHERE t.id = %s::uuid ORDER BY c.started_at", customer.turns()[0]["id"]) == \
        [("failed",), ("answered",)]


def test_deadline_of_a_turn_holds(desk):
    """A model that hangs costs the turn's deadline, not more; others are not kept waiting."""
    engines(desk)
    slow, quick = Customer(desk), Customer(desk)
    begin = time.monotonic()
    slow.text("{{stand action=hang}}")
    quick.text()
    quick.wait_replies(1, 3)
    slow.wait_replies(1, 8)
    assert time.monotonic() - begin < 0.3 + 3 + 2


def test_model_that_refuses_connections(desk):
    engines(desk)
    customer = Customer(desk)
    desk.refuse("model", 6000)
    customer.text()
    (body, outcome, _), = customer.wait_replies(1, 10)
    assert outcome == "fallback" and body.startswith(fallback_of(desk, customer))
    desk.wait(desk.installation.model.ready, 15, "the stand-in to listen again")


def test_key_is_sent_as_bearer(desk):
    """The stand-in lets in only who brings the tenant's key."""
    engines(desk)
    here = desk.installation

    def restart(*options):
        here.model.stop()
        here.model = None
        here.start_stands(model_options=options)
    try:
        restart("--key", here.secrets["OPENAI_API_KEY"])
        known = Customer(desk)
        known.text()
        assert known.wait_replies(1)[0][1] == "reply"
        restart("--key", "another")
        stranger = Customer(desk)
        stranger.text()
        assert stranger.wait_replies(1)[0][1] == "fallback"
    finally:
        restart()


def test_drain_gives_back(desk):
    """SIGTERM: exit code 0, the session is nobody's, another engine takes it up at once."""
    engines(desk, burst_ms=1500, burst_max_ms=3000, worker_lease_ms=20000, adopt_every_ms=100)
    customer = Customer(desk)
    said = customer.text()
    customer.wait_event(said, "open")
    worker = customer.session()["worker"]
    assert desk.terminate("engine-1") == 0
    assert customer.session()["worker"] is None and customer.session()["due_at"]
    assert desk.value("SELECT dead FROM workers WHERE id = %s::uuid", worker)
    engines(desk)
    (body, _, _), = customer.wait_replies(1, 15)
    assert oracle.new_nonces(body) == [said.nonce] and customer.turns()[0]["tries"] == 0


def test_drain_finishes_what_it_works_at(desk):
    engines(desk)
    hold_model(desk, 1000)
    try:
        customer = Customer(desk)
        said = customer.text()
        desk.wait(customer.model_calls, 10, "the model to be asked")
        assert desk.terminate("engine-1") == 0
    finally:
        desk.faults("model")
    (body, _, _), = customer.wait_replies(1, 1)
    assert oracle.new_nonces(body) == [said.nonce] and len(customer.model_calls()) == 1


def test_killed_engine_is_followed(desk):
    """An event claimed by a process that died before its turn ended is taken up again."""
    for point in ("engine.claiming", "engine.claimed", "engine.started", "engine.answered",
                  "engine.committing", "engine.committed"):
        engines(desk, 2)
        customer = Customer(desk)
        first = customer.text()
        customer.wait_replies(1)
        said = customer.make()
        subject = said.sid if point.startswith("engine.claim") else customer.session()["id"]
        stop = desk.stops.arm(point, action=KILL, match=subject)
        say(desk, said)
        desk.wait(lambda: stop.hits, 10, f"{point} to kill")
        wait_gone(desk, stop.pid)
        bodies = [body for body, _, _ in customer.wait_replies(2, 20)]
        assert [oracle.new_nonces(body) for body in bodies] == [[first.nonce], [said.nonce]]
        desk.revive()


def test_frozen_engine_is_followed_and_writes_nothing(desk):
    """Frozen for longer than its lease in the middle of a turn: another one adopts and answers;
    thawed, the first registers under a new name and changes nothing."""
    engines(desk, 2)
    customer = Customer(desk)
    customer.text()
    customer.wait_replies(1)
    stop = freeze_turn(desk, customer, "engine.answered")
    said = customer.text()
    desk.wait(lambda: stop.hits, 10, "the freeze")
    frozen = service_of(desk, stop.pid)
    old = customer.session()["worker"]
    replies = customer.wait_replies(2, 20)
    assert oracle.new_nonces(replies[1][0]) == [said.nonce]
    before = customer.session()
    assert before["worker"] != old
    assert desk.value("SELECT dead FROM workers WHERE id = %s::uuid", old)
    desk.thaw(frozen)
    desk.wait(lambda: desk.value("SELECT count(*) FROM workers WHERE process = %s AND NOT dead",
                                 f"{frozen}/0") == 1, 10, "the thawed engine to register anew")
    quiet(desk, 1.0, customer.replies)
    assert customer.session() == before and len(customer.replies()) == 2
    assert desk.value("SELECT dead FROM workers WHERE id = %s::uuid", old)
    last = customer.text()
    assert oracle.new_nonces(customer.wait_replies(3)[2][0]) == [last.nonce]


def answered(customer):
    """The nonces that the replies name as new, in order."""
    return [nonce for body, _, _ in customer.replies() for nonce in oracle.new_nonces(body)]


def test_two_engines_share_and_a_third_joins(desk):
    """A rebalance under way loses nothing and answers nothing twice."""
    engines(desk, 2)
    customers = [Customer(desk) for _ in range(20)]
    said = {customer.address: [] for customer in customers}
    for round_ in range(6):
        texts = [customer.make() for customer in customers]
        for customer, text in zip(customers, texts):
            said[customer.address].append(text.nonce)
        say(desk, *texts)
        if round_ == 2:
            add_engine(desk, 3)
        if round_ == 4:
            assert desk.terminate("engine-3") == 0
    for customer in customers:
        desk.wait(lambda c=customer: len(answered(c)) >= 6, 30,
                  lambda c=customer: f"six answers to {c.address}: {answered(c)}")
        assert answered(customer) == said[customer.address], customer.replies()
    del desk.services["engine-3"]


def unanswered(desk):
    """What the rows say of up to three texts without an answer."""
    return desk.sql(
        "SELECT to_jsonb(e) - 'content_hash', to_jsonb(s), to_jsonb(t), to_jsonb(w),"
        " clock_timestamp() FROM inbox_events e LEFT JOIN channel_sessions s"
        " ON s.tenant_id = e.tenant_id AND s.id = e.session_id LEFT JOIN turns t"
        " ON t.tenant_id = s.tenant_id AND t.id = s.turn_id LEFT JOIN workers w ON w.id = s.worker"
        " WHERE e.state <> 'answered' AND e.claimed_at > clock_timestamp() - interval '5 min'"
        " LIMIT 3")


def astray(desk, texts):
    """Where the first texts are that have no answer: in the topic, a dead letter, an event."""
    states = dict(desk.sql("SELECT provider_id, state FROM inbox_events WHERE provider_id = ANY (%s)",
                           [text.sid for text in texts]))
    left = [text for text in texts if states.get(text.sid) != "answered"][:3]
    records = desk.kafka_records("inbound.sms")
    dead = letters(desk)
    return "; ".join(
        f"{text.sid} {states.get(text.sid)} in"
        f" {[f'{r.partition}/{r.offset}' for r in records if text.nonce.encode() in r.value]},"
        f" {sum(text.nonce.encode() in (r.value or b'') for r in dead)} dead letters"
        for text in left)


def test_turn_that_kills_its_engine(desk):
    """One poisoned turn among a thousand: its customer gets the degraded wording, after three
    processes died of it; all others get real replies. Their turns have the time that a busy machine
    needs for a thousand: what a turn's deadline does is another test's."""
    engines(desk, 2, turn_deadline_ms=20000, adopter_deadline_ms=20000)
    poison = Customer(desk)
    poison.text()
    poison.wait_replies(1)
    stop = desk.stops.arm("engine.thinking", action=KILL, times=50, match=poison.session()["id"])
    others = [Customer.__new__(Customer) for _ in range(999)]
    for other in others:
        other.desk, other.known, other.tenant_id = desk, poison.known, poison.tenant_id
        other.address = desk.new_address()
    texts = [other.make() for other in others]
    poisoned = poison.make()
    say(desk, *texts[:200], poisoned, *texts[200:600])
    rest = [texts[600 + 50 * n:650 + 50 * n] for n in range(8)]

    def over():
        desk.revive(("engine",), wait=False)
        if rest:
            say(desk, *rest.pop())
        return len(poison.replies()) == 2 and not rest
    desk.wait(over, 60, lambda: f"the degraded reply: {poison.replies()} {poison.turns()}")
    body, outcome, _ = poison.replies()[1]
    assert outcome == "degraded" and body.startswith(DEGRADED), (outcome, body)
    assert stop.hits == 3, stop.hits
    stop.disarm()
    assert desk.value("SELECT flagged FROM conversations WHERE id = %s::uuid",
                      poison.conversation()) == "turn_failed"
    addresses = [other.address for other in others]

    def outcomes():
        return dict(desk.sql(
            "SELECT t.outcome, count(*) FROM turns t JOIN channel_sessions s ON s.id = t.session_id"
            " AND s.tenant_id = t.tenant_id WHERE s.remote_address = ANY (%s) GROUP BY 1",
            addresses))
    desk.wait(lambda: outcomes() == {"reply": 999}, 60,
              lambda: f"999 replies: {outcomes()}, open: {unanswered(desk)}; {astray(desk, texts)}")
    last = poison.text()
    assert oracle.new_nonces(poison.wait_replies(3, 20)[2][0])[-1] == last.nonce


test_turn_that_kills_its_engine.deadline_s = 150


def test_texts_wait_while_the_database_refuses(desk):
    """A migration or a GRANT is missing: no text can help it, and none becomes a dead letter."""
    engines(desk)
    customer = Customer(desk)
    desk.sql("REVOKE INSERT ON messages FROM frontdesk_engine")
    try:
        since = len(desk.log("engine-1"))
        said = customer.text()
        desk.wait(lambda: refusals(desk, "engine-1", "claim.failed", since) > 7, 20,
                  "more refusals than an error of the text's own would get")
    finally:
        desk.sql("GRANT INSERT ON messages TO frontdesk_engine")
    (body, _, _), = customer.wait_replies(1, 20)
    assert oracle.new_nonces(body) == [said.nonce]
    assert not [letter for letter in desk.kafka_records("dlq")
                if said.nonce.encode() in letter.value]


def test_text_waits_while_the_database_is_out_of_order(desk):
    """A damaged page, or an error that nobody thought of, is not the text's fault: it is no dead
    letter while a moment may help."""
    engines(desk)
    customer = Customer(desk)
    customer.text()
    customer.wait_replies(1)
    for number, (code, seconds) in enumerate([("XX001", 4), ("38000", 0.3)]):
        desk.sql("CREATE FUNCTION out_of_order() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                 f" RAISE EXCEPTION 'out of order' USING ERRCODE = '{code}'; END $$")
        desk.sql("CREATE TRIGGER out_of_order BEFORE INSERT ON inbox_events"
                 " FOR EACH ROW EXECUTE FUNCTION out_of_order()")
        known = len(letters(desk))
        try:
            said = customer.text()
            service = next(iter(desk.services))
            desk.wait(lambda: any(line.get("event") == "claim.failed" and code in line["err"]["code"]
                                  for line in desk.log(service)), 10, "a failed claim")
            quiet(desk, seconds, lambda: len(letters(desk)))
        finally:
            desk.sql("DROP FUNCTION out_of_order() CASCADE")
        customer.wait_event(said, "answered", 30)
        assert len(letters(desk)) == known
        assert oracle.new_nonces(customer.wait_replies(2 + number)[-1][0]) == [said.nonce]


def test_row_that_nobody_was_told_of(desk):
    """Kafka wakes, PostgreSQL remembers: a claim whose process is gone is found by its row."""
    engines(desk)
    customer = Customer(desk)
    customer.text()
    customer.wait_replies(1)
    with Held(desk) as claim:
        nonce = claim_by_hand(claim, customer, dead_worker(desk))
        claim.commit()
    assert oracle.new_nonces(customer.wait_replies(2)[1][0]) == [nonce]


def lock(held, *customers):
    """Holds the conversations of these customers, once their first text is claimed."""
    for customer in customers:
        customer.desk.wait(customer.session, 10, "the claim")
        held.run("SELECT 1 FROM conversations WHERE id = %s::uuid FOR NO KEY UPDATE",
                 customer.conversation())


def test_lock_holds_up_one_batch_only(desk):
    """What shared a batch of starts with a conversation that a client holds is started without it the
    next time. Three more locks keep the two units busy, so that the others line up with it."""
    engines(desk, burst_ms=1500, burst_max_ms=3000)
    since = len(desk.log("engine-1"))
    one, two, three, stuck, *others = (Customer(desk) for _ in range(10))

    def failed_batches():
        return [line for line in desk.log("engine-1")[since:]
                if line.get("event") == "statement.failed" and line["turns"] > 1]
    with Held(desk) as first, Held(desk) as second, Held(desk) as third, Held(desk) as held:
        one.text()
        two.text()
        lock(first, one)
        lock(second, two)
        for customer in (stuck, *others):
            customer.text()
        lock(held, stuck)
        first.wait_blocks("engine")
        second.wait_blocks("engine")
        desk.wait(lambda: all(customer.session() and desk.value(
            "SELECT due_at < clock_timestamp() FROM channel_sessions WHERE id = %s::uuid",
            customer.session()["id"]) for customer in others), 10, "the others to be due")
        first.commit()
        held.wait_blocks("engine", what="the batch")
        three.text()
        lock(third, three)
        desk.wait(failed_batches, 10, "the batch to fail")
        quiet(desk, 0.5, lambda: len(failed_batches()))  # its sessions line up again
        second.commit()
        third.commit()
        for other in others:
            other.wait_replies(1)
        assert not stuck.replies()
    assert len(failed_batches()) == 1, failed_batches()
    stuck.wait_replies(1)


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


def test_relay_publishes_a_changed_channel(desk):
    engines(desk)
    number = desk.tenants[0]["numbers"]["sms"]
    version = desk.value("UPDATE channels SET directory_version = directory_version + 1"
                         " WHERE address = %s RETURNING directory_version", number)
    desk.wait(lambda: desk.value("SELECT published_version FROM channels WHERE address = %s",
                                 number) == version, 10, "the channel to be published")
    records = [record for record in desk.kafka_records("directory")
               if number in (record.key or b"").decode()]
    assert records and records[-1].json().get("version") == version, records
    token = desk.tenants[0]["auth_token"].encode()
    assert not any(token in (record.value or b"") for record in records), "a key travels in clear"


def test_relay_that_was_overtaken_puts_it_right(desk):
    """An engine stops between reading a channel and publishing it; meanwhile the number is removed
    and added anew, and another engine publishes that. The old record lands last: the newest one must
    come behind it again, for an ingress that starts later reads the last record only."""
    engines(desk, 2)
    number = desk.tenants[1]["numbers"]["sms"]
    stop = desk.stops.arm("engine.directory", action=FREEZE, match=number)
    desk.sql("UPDATE channels SET removed_at = clock_timestamp(),"
             " directory_version = directory_version + 1 WHERE address = %s", number)
    desk.wait(lambda: stop.hits, 10, "an engine to hold the tombstone")
    version = desk.value("UPDATE channels SET removed_at = NULL,"
                         " directory_version = directory_version + 1 WHERE address = %s"
                         " RETURNING directory_version", number)
    desk.wait(lambda: published(desk, number) == version, 10, "the other engine to publish")
    frozen = next(name for name, service in desk.services.items() if service.pid == stop.pid)
    before = len(desk.kafka_records("directory"))
    desk.thaw(frozen)
    desk.wait(lambda: len(desk.kafka_records("directory")) > before, 10, "the tombstone")
    desk.wait(lambda: published(desk, number) == version and last_version(desk, number) == version,
              10, lambda: f"version {version} behind it, last is {last_version(desk, number)}")


def published(desk, number):
    return desk.value("SELECT published_version FROM channels WHERE address = %s", number)


def last_version(desk, number):
    """Of the newest record of the number; None for a tombstone."""
    records = [r for r in desk.kafka_records("directory") if number in (r.key or b"").decode()]
    return records[-1].json()["version"] if records[-1].value else None


def test_traceparent_travels(desk):
    engines(desk)
    customer = Customer(desk)
    said = customer.text()
    customer.wait_replies(1)
    trace = said.headers["traceparent"].split("-")[1]
    for table in ("inbox_events", "turns", "deliveries"):
        assert trace in (desk.value(
            f"SELECT string_agg(traceparent, ' ') FROM {table} WHERE traceparent LIKE %s",
            f"%{trace}%") or ""), table
    desk.wait(lambda: [r for r in desk.kafka_records("outbound.sms")
                       if trace in r.headers.get("traceparent", b"").decode()], 10, "the wake-up")


def test_tenants_do_not_mix(desk):
    """Four tenants at once with the same customer's number: each prompt, row and reply holds only
    its own."""
    engines(desk)
    customers = [Customer(desk, tenant) for tenant in range(4)]
    for customer in customers:
        customer.address = customers[0].address
    said = [[customer.text(), None] for customer in customers]
    for customer in customers:
        customer.wait_replies(1)
    for place, customer in enumerate(customers):
        said[place][1] = customer.text()
    for place, customer in enumerate(customers):
        bodies = " ".join(body for body, _, _ in customer.wait_replies(2))
        own = {text.nonce for text in said[place]}
        assert set(oracle.NONCE.findall(bodies)) == own, (place, bodies)


def test_nothing_secret_is_logged(desk):
    engines(desk)
    customer = Customer(desk)
    customer.text("my card is 4111-1111-1111-1111 canary-zebra {{stand action=status status=400}}")
    customer.wait_replies(1)
    text = "".join(log.read_text("utf-8", "replace")
                   for log in (desk.installation.folder / "log").glob("engine-*.log"))
    for secret in (desk.installation.secrets["OPENAI_API_KEY"], desk.tenants[0]["auth_token"],
                   "canary-zebra", customer.address):
        assert secret not in text, f"{secret} is in a log"
