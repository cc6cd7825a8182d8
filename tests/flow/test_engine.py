"""The engine between scripted neighbours: records of inbound.sms in, delivery rows out."""

import time

from harness import oracle
from harness.standstill import Standstill
from harness.stops import FREEZE
from scripted import Customer, answered, engines, hand_back, hold_model, quiet, say, take_over

SHARE = True  # the helper restarts the engines when a test needs others


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
    """Five copies each of three texts, in different orders and batches, are the texts of one burst, and
    of one turn."""
    engines(desk, burst_ms=3000, burst_max_ms=12000)
    customer = Customer(desk)
    texts = [customer.make() for _ in range(3)]
    for order in ((0, 1, 2), (2, 1, 0), (1, 0, 2), (1, 2, 0), (2, 0, 1)):
        say(desk, *[texts[index] for index in order])
    customer.wait_replies(1)
    quiet(desk, 1.0, customer.replies)
    assert sorted(answered(customer)) == sorted(text.nonce for text in texts), customer.replies()
    turn, = customer.turns()
    assert turn["recomputes"] == 0 and len(customer.model_calls()) == 1, turn
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
    with Standstill() as still:
        begin = last = time.monotonic()
        longest = 0
        while not customer.replies():
            now = time.monotonic()
            assert now - begin - still.during(begin, now) < 8, "the burst window moves for ever"
            customer.text()
            longest, last = max(longest, time.monotonic() - last), time.monotonic()
            time.sleep(0.3)
    # A machine that stood still made a pause, which ends a burst as well.
    assert time.monotonic() - begin > 1.5 or longest > 0.7


def test_text_while_the_model_works(desk):
    """Each of two texts that come while the model works starts the turn anew; the fourth text is
    the next turn."""
    engines(desk, turn_deadline_ms=20000)
    hold_model(desk, 6000)  # longer than a busy machine needs to produce the next text
    try:
        customer = Customer(desk)
        texts = []
        for number in range(1, 5):
            texts.append(customer.text())
            if number < 4:
                desk.wait(lambda n=number: len(customer.model_calls()) >= n, 10,
                          f"model call {number}")
        desk.wait(lambda: customer.event(texts[3]), 10, "the claim of the fourth")
        desk.faults("model")
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


def test_relay_publishes_a_changed_channel(desk):
    engines(desk)
    number = desk.tenants[0]["numbers"]["sms"]
    version = desk.value("UPDATE channels SET directory_version = directory_version + 1"
                         " WHERE kind = 'sms' AND address = %s RETURNING directory_version", number)
    desk.wait(lambda: published(desk, number) == version, 10, "the channel to be published")
    records = [record for record in desk.kafka_records("directory")
               if record.key == f"sms:{number}".encode()]
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
    return desk.value("SELECT published_version FROM channels WHERE kind = 'sms' AND address = %s", number)


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


def test_settings_that_would_say_a_reply_twice(desk):
    """An engine does not start that would go on with a dead one's spoken reply before anybody can know what
    was heard of it; the words say what to set."""
    engines(desk)
    check = desk.services["engine-1"].check_config
    assert check() == (0, "configuration ok\n")
    given = {"worker_lease_ms": 2000, "voice_session_timeout_ms": 6000, "voice_heartbeat_ms": 500}
    code, text = check(**given, voice_heard_wait_ms=4999)
    assert code == 2 and "voice_heard_wait_ms must be at least 5000" in text, (code, text)
    assert check(**given, voice_heard_wait_ms=5000)[0] == 0
    assert check(worker_lease_ms=4000, voice_heard_wait_ms=6000)[0] == 0, "what production runs with"
