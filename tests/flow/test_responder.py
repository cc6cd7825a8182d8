"""The responder between scripted neighbours: delivery rows and wake-ups in, requests at the Twilio
stand-in out. What the engine would commit is inserted, what ingress would publish is produced."""

import json
import re
import urllib.parse
import uuid

from harness.stops import FREEZE, KILL
from delivering import Customer, QUICK, SETTLED, now, quiet, responders, wait_listening
from scripted import Held, refusals

SHARE = True  # the helper restarts the responders when a test needs others


# ---- the ordinary way


def test_sends_what_it_is_woken_for(desk):
    responders(desk)
    customer = Customer(desk)
    delivery = customer.reply("Grüße ab 9 Uhr – ok?")
    row = customer.wait_state(delivery, "sent")
    post, = customer.posts()
    params = post["params"]
    assert params["Body"] == "Grüße ab 9 Uhr – ok?" and params["To"] == customer.address
    assert params.get("From") == customer.sender or params.get("MessagingServiceSid")
    callback = urllib.parse.urlsplit(params["StatusCallback"])
    assert callback.path == "/twilio/status"
    assert urllib.parse.parse_qs(callback.query) == {
        "tenant": [customer.tenant], "delivery": [delivery], "attempt": ["1"]}
    assert params["StatusCallback"].startswith(desk.public_url)
    assert row["provider_sid"] == post["sid"] and row["provider_status"] in ("queued", "accepted")
    assert (row["segments"], row["encoding"]) == (1, "ucs2") and row["worker"] is None
    attempt, = customer.tries(delivery)
    assert attempt["outcome"] == "accepted" and attempt["http_status"] == 201


def test_service_or_sender_by_channel(desk):
    responders(desk)
    seen = set()
    for tenant, known in enumerate(desk.tenants):
        customer = Customer(desk, tenant)
        customer.wait_state(customer.reply(), "sent")
        params = customer.posts()[0]["params"]
        if known["messaging_service_sid"]:
            assert params["MessagingServiceSid"] == known["messaging_service_sid"]
            assert "From" not in params
            seen.add("service")
        else:
            assert params["From"] == known["numbers"]["sms"]
            seen.add("sender")
    assert "sender" in seen


def test_finds_what_nobody_woke_it_for(desk):
    responders(desk)
    customer = Customer(desk)
    delivery = customer.reply(wake=False)
    customer.wait_state(delivery, "sent")


def test_replayed_wake_ups_do_nothing(desk):
    responders(desk, 2)
    customer = Customer(desk)
    delivery = customer.reply()
    customer.wait_state(delivery, "sent")
    customer.wake(delivery, times=20)
    customer.wake(str(uuid.uuid4()))
    follow = customer.reply()
    customer.wait_state(follow, "sent")
    assert len(quiet(desk, 1.0, customer.posts)) == 2


def test_unreadable_wake_up_is_a_dead_letter(desk):
    responders(desk)
    customer = Customer(desk)
    before = len(desk.kafka_records("dlq"))
    customer.wake("x", value="no json")
    delivery = customer.reply()
    customer.wait_state(delivery, "sent")
    desk.wait(lambda: len(desk.kafka_records("dlq")) == before + 1, 10, "the dead letter")
    letter = desk.kafka_records("dlq")[-1]
    assert letter.value == b"no json" and letter.headers["dlq-service"] == b"responder"


def test_wake_up_too_large_for_a_dead_letter(desk):
    """The topics take more than a record of ours may have: such a one goes without its value, and the
    next one in its partition is read."""
    responders(desk)
    customer = Customer(desk)
    customer.wake("x", value=json.dumps({"padding": customer.address + "x" * 600_000}))
    wait_listening(desk, customer)
    letter, = desk.wait(lambda: [letter for letter in desk.kafka_records("dlq")
                                 if "dlq-dropped" in letter.headers], 20, "the letter")
    assert letter.headers["dlq-dropped"] == b"value" and not letter.value
    assert letter.headers["dlq-code"] == b"event.size"


def test_order_within_a_session(desk):
    responders(desk, 2)
    customer = Customer(desk)
    deliveries = [customer.reply(wake=False) for _ in range(8)]
    for delivery in reversed(deliveries):
        customer.wake(delivery)
    for delivery in deliveries:
        customer.wait_state(delivery, "sent")
    numbers = [int(re.match(r"reply (\d+)", body)[1]) for body in customer.sent()]
    assert numbers == list(range(1, 9)), numbers


def test_slow_session_delays_no_other(desk):
    responders(desk)
    slow, quick = Customer(desk), Customer(desk)
    slow.fault(type="hang")
    first, second = slow.reply(), slow.reply()
    desk.wait(slow.posts, 10, "the hanging request")
    customer_delivery = quick.reply()
    quick.wait_state(customer_delivery, "sent", deadline_s=3)
    assert slow.state(second) == "pending" and slow.state(first) in ("sending", "unknown")
    desk.faults("twilio")
    slow.wait_state(second, "sent", deadline_s=30)
    assert len(slow.sent()) == 2


# ---- refusals


def test_takeover_stops_it(desk):
    """V1c: the epoch rose before the claim: suppressed, and the operator's own reply leaves."""
    responders(desk)
    customer = Customer(desk)
    desk.sql("UPDATE conversations SET epoch = 1, held_by = 'ops:test' WHERE id = %s::uuid",
             customer.conversation)
    of_ai = customer.reply(epoch=0)
    of_operator = customer.reply(epoch=0, author="operator")
    row = customer.wait_state(of_ai, "suppressed")
    assert row["reason"] == "epoch"
    customer.wait_state(of_operator, "sent")
    assert len(customer.posts()) == 1


def test_accepted_notice_is_not_sent_again(desk):
    """It came back unsent after somebody else had accepted. Guard: `accepted` of the claim (store/delivery.c)."""
    responders(desk)
    customer = Customer(desk)
    deliveries = {state: customer.reply(author="system", wake=False) for state in ("open", "ended")}
    for state, delivery in deliveries.items():
        wish = str(uuid.uuid4())
        desk.sql("INSERT INTO escalations (tenant_id, id, conversation_id, reason, summary) VALUES (%s::uuid,"
                 " %s::uuid, %s::uuid, 'anger', 's')", customer.tenant, wish, customer.conversation)
        desk.sql("INSERT INTO escalation_notices (tenant_id, id, escalation_id, delivery_id, name, sms, round, code,"
                 " state, until_at) VALUES (%s::uuid, %s::uuid, %s::uuid, %s::uuid, 'desk', %s, 1, %s, %s,"
                 " clock_timestamp() + interval '5 min')", customer.tenant, wish, wish, delivery, customer.address,
                 wish[:4], state)
    for delivery in deliveries.values():
        customer.wake(delivery)
    customer.wait_state(deliveries["open"], "sent")
    assert customer.wait_state(deliveries["ended"], "suppressed")["reason"] == "accepted"
    assert len(customer.posts()) == 1


def test_claim_waits_for_a_takeover_under_way(desk):
    """V1b: a takeover that has raised the epoch and not committed holds the conversation's row."""
    from scripted import RAISE, SUPPRESS, Held
    responders(desk)
    customer = Customer(desk)
    with Held(desk) as takeover:
        takeover.run(RAISE, customer.tenant, customer.conversation)
        delivery = customer.reply()
        takeover.wait_blocks("responder")
        takeover.run(SUPPRESS, customer.tenant, customer.conversation)
        takeover.commit()
    customer.wait_state(delivery, "suppressed")
    assert quiet(desk, 1.0, customer.posts) == []


def test_opt_out_is_checked_at_each_send(desk):
    responders(desk)
    customer = Customer(desk)
    desk.sql("INSERT INTO consents VALUES (%s::uuid, %s, %s, 'opted_out', 'test',"
             " clock_timestamp())", customer.tenant, customer.sender, customer.address)
    delivery = customer.reply(author="operator")
    assert customer.wait_state(delivery, "suppressed")["reason"] == "opt_out"
    desk.sql("UPDATE consents SET state = 'opted_in' WHERE address = %s", customer.address)
    customer.wait_state(customer.reply(), "sent")
    assert len(customer.posts()) == 1


def test_provider_says_opted_out(desk):
    """21610 is final and recorded as consent: the next reply is not even tried."""
    responders(desk)
    customer = Customer(desk)
    customer.fault(type="status", status=400, code=21610)
    row = customer.wait_state(customer.reply(), "failed")
    assert (row["error_code"], row["reason"]) == ("21610", "opt_out")
    assert desk.value("SELECT state FROM consents WHERE address = %s", customer.address) == "opted_out"
    desk.faults("twilio")
    assert customer.wait_state(customer.reply(), "suppressed")["reason"] == "opt_out"
    assert len(customer.posts()) == 1


def test_provider_s_opt_out_is_as_old_as_the_request(desk):
    """START came while the answer was on its way: it is the newer word."""
    responders(desk)
    customer = Customer(desk)
    rule = {"match": customer.address, "method": "POST", "count": 1}
    desk.faults("twilio", {**rule, "action": {"type": "delay", "ms": 1000}},
                {**rule, "action": {"type": "status", "status": 400, "code": 21610}})
    delivery = customer.reply()
    desk.wait(customer.posts, 10, "the request")
    desk.sql("INSERT INTO consents VALUES (%s::uuid, %s, %s, 'opted_in', 'test',"
             " clock_timestamp())", customer.tenant, customer.sender, customer.address)
    customer.wait_state(delivery, "failed")
    customer.wait_state(customer.reply(), "sent")


def test_too_late_is_never_sent(desk):
    responders(desk)
    customer = Customer(desk)
    assert customer.wait_state(customer.reply(late=True), "suppressed")["reason"] == "late"
    assert customer.posts() == []


def test_held_installation_sends_nothing(desk):
    """V2: a database that is not released for what it is now."""
    responders(desk)
    customer = Customer(desk)
    desk.installation.deskctl("hold", "test")
    try:
        delivery = customer.reply()
        assert quiet(desk, 1.5, lambda: customer.posts()) == []
        assert customer.state(delivery) == "pending"
    finally:
        desk.sql("UPDATE installation SET released_for = database_identity(), hold_reason = NULL")
    customer.wait_state(delivery, "sent")


# ---- the provider's answers


def test_back_off_and_retry_after(desk):
    responders(desk)
    customer = Customer(desk)
    customer.fault(type="status", status=429, retry_after="2", count=1)
    delivery = customer.reply()
    customer.wait_state(delivery, "deferred")
    row = customer.wait_state(delivery, "sent")
    posts = customer.posts()
    assert len(posts) == 2 and row["attempts"] == 2
    assert [attempt["outcome"] for attempt in customer.tries(delivery)] == ["deferred", "accepted"]


def test_final_errors_fail_once(desk):
    responders(desk)
    for code in (21211, 21614, 21408, 99999):
        customer = Customer(desk)
        customer.fault(type="status", status=400, code=code)
        row = customer.wait_state(customer.reply(), "failed")
        assert row["error_code"] == str(code), row
        assert len(quiet(desk, 0.5, customer.posts)) == 1


def test_wrong_token_is_tried_seldom(desk):
    responders(desk)
    customer = Customer(desk)
    customer.fault(type="status", status=401, code=20003)
    delivery = customer.reply()
    customer.wait_state(delivery, "deferred")
    assert len(quiet(desk, 1.5, customer.posts)) == 1


def test_connect_refused_is_tried_again(desk):
    responders(desk)
    customer = Customer(desk)
    desk.refuse("twilio", 1500)
    delivery = customer.reply()
    customer.wait_state(delivery, "sent")
    assert len(customer.sent()) == 1
    assert customer.attempts(delivery)[0]["outcome"] in ("deferred", "accepted", "unknown")


def unknown_then(desk, customer, delivery):
    row = customer.wait_state(delivery, "unknown")
    assert customer.attempts(delivery)[-1]["outcome"] == "unknown"
    return row


def test_answer_lost_after_acceptance(desk):
    """P7: the message exists, the answer does not: the look-up finds it, nothing is sent again."""
    responders(desk, 2)
    customer = Customer(desk)
    customer.fault(type="accepted_but_answer_lost")
    delivery = customer.reply()
    unknown_then(desk, customer, delivery)
    desk.faults("twilio")
    row = customer.wait_state(delivery, "sent", "delivered")
    sent, = customer.sent()
    assert row["provider_sid"] == customer.posts()[0]["sid"]
    assert len(quiet(desk, 1.0, customer.posts)) == 1 and row["attempts"] == 1


def test_server_error_without_message_is_sent_again(desk):
    """A 500 may or may not have made the message: only a look-up that finds nothing sends again."""
    responders(desk)
    customer = Customer(desk)
    customer.fault(type="status", status=500, count=1)
    delivery = customer.reply()
    unknown_then(desk, customer, delivery)
    row = customer.wait_state(delivery, "sent")
    assert len(customer.sent()) == 1 and row["attempts"] == 2
    assert customer.lists(), desk.ledger("twilio")[-3:]


def test_time_out_is_unknown(desk):
    responders(desk)
    customer = Customer(desk)
    customer.fault(type="hang", count=1)
    delivery = customer.reply()
    unknown_then(desk, customer, delivery)
    customer.wait_state(delivery, "sent")
    assert len(customer.sent()) == 1


def test_look_up_waits_from_the_end_of_the_request(desk):
    """The provider may take the message as late as the request ends: the time that it needs to list
    one begins there, not at the claim."""
    responders(desk, request_timeout_ms=3000, lookup_after_ms=4000)
    customer = Customer(desk)
    customer.fault(type="hang", count=1)
    delivery = customer.reply()
    unknown_then(desk, customer, delivery)
    assert desk.value(
        "SELECT d.next_at >= a.finished_at + interval '3.9 s' FROM deliveries d"
        " JOIN delivery_attempts a ON a.tenant_id = d.tenant_id AND a.delivery_id = d.id"
        " WHERE d.id = %s::uuid", delivery), (customer.row(delivery), customer.attempts(delivery))
    customer.wait_state(delivery, "sent")
    assert len(customer.sent()) == 1


def test_nonsense_answer_is_unknown(desk):
    responders(desk)
    customer = Customer(desk)
    customer.fault(type="wrong_json", count=1)
    delivery = customer.reply()
    customer.wait_state(delivery, "unknown", "sent")
    customer.wait_state(delivery, "sent", "delivered")
    assert len(quiet(desk, 1.0, customer.sent)) == 1


def test_look_up_takes_no_other_delivery_s_message(desk):
    """Two replies with the same words: the second one's look-up must not take the first one's
    message for it."""
    responders(desk)
    customer = Customer(desk)
    first = customer.reply("The same words")
    customer.wait_state(first, "sent")
    customer.fault(type="status", status=500, count=1)
    second = customer.reply("The same words")
    unknown_then(desk, customer, second)
    row = customer.wait_state(second, "sent")
    assert len(customer.sent()) == 2 and row["provider_sid"] != customer.row(first)["provider_sid"]


def test_look_up_that_fails_is_repeated(desk):
    responders(desk)
    customer = Customer(desk)
    desk.faults("twilio", {"match": customer.address, "method": "POST", "count": 1,
                           "action": {"type": "accepted_but_answer_lost"}},
                {"method": "GET", "count": 1, "action": {"type": "status", "status": 503}})
    delivery = customer.reply()
    unknown_then(desk, customer, delivery)
    customer.wait_state(delivery, "sent", "delivered", deadline_s=30)
    assert len(customer.sent()) == 1


def lost_answer(desk, customer, body=None, redact=None):
    """A reply that the provider has without our having its answer, nor any callback; redact: how its
    lists show the message."""
    rules = [{"match": customer.address, "method": "POST", "action": action} for action in
             ({"type": "callbacks", "mode": "none"}, {"type": "accepted_but_answer_lost"})]
    if redact is not None:
        rules.append({"method": "GET", "action": {"type": "redact", **redact}})
    desk.faults("twilio", *rules)
    delivery = customer.reply(body)
    unknown_then(desk, customer, delivery)
    return delivery


def test_redacted_message_waits_for_a_person(desk):
    """The account keeps neither texts nor whole numbers (Message Redaction): the look-up cannot tell
    whether the message is ours, and what cannot be told is not sent again (P7)."""
    responders(desk, park_after_ms=4000)
    for redact in ({}, {"text": "[redacted]"}):
        customer = Customer(desk)
        delivery = lost_answer(desk, customer, redact=redact)
        row = customer.wait_state(delivery, *SETTLED, deadline_s=40)
        assert (row["state"], row["reason"], row["attempts"]) == ("parked", "waiting", 1), row
        assert customer.lists() and len(quiet(desk, 1.0, customer.posts)) == 1
    desk.faults("twilio")
    customer.wait_state(customer.reply(), "sent")  # and the next one need not wait


def test_smart_encoded_message_is_found(desk):
    """The messaging service writes typographic characters plainly: the text is ours all the same."""
    responders(desk)
    customer = Customer(desk)
    delivery = lost_answer(desk, customer, "We’re open – “9 to\u00a05”…",
                           {"text": "We're open - \"9 to 5\"..."})
    row = customer.wait_state(delivery, *SETTLED)
    assert row["state"] in ("sent", "delivered") and row["attempts"] == 1, row
    assert len(customer.posts()) == 1


def test_service_added_since_the_attempt(desk):
    """`tenant apply` gave the channel a messaging service while a delivery was unknown: its message
    was sent by the number alone."""
    responders(desk)
    tenant = next(number for number, known in enumerate(desk.tenants)
                  if not known["messaging_service_sid"])
    customer = Customer(desk, tenant)
    delivery = lost_answer(desk, customer)
    channel = desk.value("SELECT channel_id::text FROM channel_sessions WHERE id = %s::uuid",
                         customer.session)
    set_service = "UPDATE channels SET messaging_service_sid = %s WHERE id = %s::uuid"
    desk.sql(set_service, "MG" + uuid.uuid4().hex, channel)
    try:
        row = customer.wait_state(delivery, *SETTLED)
    finally:
        desk.sql(set_service, None, channel)
    assert row["state"] in ("sent", "delivered") and row["attempts"] == 1, row
    assert len(customer.posts()) == 1


def test_unknown_too_often_waits_for_a_person(desk):
    responders(desk, max_attempts=2)
    customer = Customer(desk)
    customer.fault(type="status", status=500)
    delivery = customer.reply()
    row = customer.wait_state(delivery, "parked", deadline_s=30)
    assert row["reason"] == "unknown" and len(customer.posts()) == 2
    desk.faults("twilio")
    customer.wait_state(customer.reply(), "sent")  # and the next one need not wait


def test_waiting_for_a_place_is_no_attempt(desk):
    """One place at the sender, which a slow request holds: the others are claimed and given back, for
    longer than a delivery may wait for the provider, and leave all the same."""
    responders(desk, max_per_channel=1, park_after_ms=4000, request_timeout_ms=8000)
    slow, waiting = Customer(desk), Customer(desk)
    slow.fault(type="delay", ms=6000)
    first = slow.reply()
    desk.wait(slow.posts, 10, "the slow request")
    second = waiting.reply()
    desk.wait(lambda: any(entry["outcome"] == "not_sent" for entry in waiting.attempts(second)),
              10, "the other to be given back")
    row = waiting.wait_state(second, *SETTLED, deadline_s=30)
    assert row["state"] == "sent", (row, waiting.attempts(second))
    assert {entry["outcome"] for entry in waiting.attempts(second)} == {"not_sent", "accepted"}
    slow.wait_state(first, "sent", "unknown")


def test_retry_after_is_bounded(desk):
    """The provider asks for a day: the delivery comes to a person when its time is over."""
    responders(desk, park_after_ms=2000)
    customer = Customer(desk)
    customer.fault(type="status", status=429, retry_after="86400", count=1)
    first = customer.reply()
    second = customer.reply()
    assert customer.wait_state(first, *SETTLED)["state"] == "parked"
    customer.wait_state(second, "sent")


def test_waits_too_long_and_parks(desk):
    """V4: parks itself, never while sending; the next delivery waits for that."""
    responders(desk, park_after_ms=2000)
    customer = Customer(desk)
    desk.faults("twilio", {"match": "the first", "action": {"type": "status", "status": 429}})
    first = customer.reply("the first")
    customer.wait_state(first, "deferred")
    second = customer.reply("the second")
    row = customer.wait_state(first, "parked", deadline_s=30)
    assert row["reason"] == "waiting"
    customer.wait_state(second, "sent")


# ---- receipts


def test_receipts_move_it_forward_only(desk):
    responders(desk)
    customer = Customer(desk)
    delivery = customer.reply()
    customer.wait_state(delivery, "sent")
    for status in ("delivered", "sent", "queued", "delivered"):
        customer.receipt(delivery, status)
    customer.wait_state(delivery, "delivered")
    assert quiet(desk, 1.0, lambda: customer.state(delivery)) == "delivered"
    assert customer.row(delivery)["provider_status"] == "delivered"
    customer.receipt(delivery, "failed", error=30008)
    assert quiet(desk, 1.0, lambda: customer.state(delivery)) == "delivered"


def test_failed_receipt_has_its_code(desk):
    responders(desk)
    customer = Customer(desk)
    delivery = customer.reply()
    customer.wait_state(delivery, "sent")
    customer.receipt(delivery, "undelivered", error=30003)
    row = customer.wait_state(delivery, "failed")
    assert row["error_code"] == "30003" and row["provider_status"] == "undelivered"


def test_receipts_wait_while_the_database_refuses(desk):
    """A migration or a GRANT is missing: that is no fault of the receipt's, which is not dropped."""
    responders(desk)
    customer = Customer(desk)
    delivery = customer.reply()
    customer.wait_state(delivery, "sent")
    desk.sql("REVOKE UPDATE ON deliveries FROM frontdesk_responder")
    try:
        since = len(desk.log("responder-1"))
        customer.receipt(delivery, "delivered")
        desk.wait(lambda: refusals(desk, "responder-1", "receipts.failed", since) > 7, 20,
                  "more refusals than an error of the receipt's own would get")
    finally:
        desk.sql("GRANT UPDATE ON deliveries TO frontdesk_responder")
    customer.wait_state(delivery, "delivered")


def test_receipt_that_no_row_takes_is_a_dead_letter(desk):
    responders(desk)
    customer, other = Customer(desk), Customer(desk)
    delivery, good = customer.reply(), other.reply()
    customer.wait_state(delivery, "sent")
    other.wait_state(good, "sent")
    desk.sql("ALTER TABLE deliveries ADD CONSTRAINT never CHECK (error_code <> '31313') NOT VALID")
    try:
        customer.receipt(delivery, "failed", error=31313)
        other.receipt(good, "delivered")
        other.wait_state(good, "delivered")
        desk.wait(lambda: [letter for letter in desk.kafka_records("dlq")
                           if delivery.encode() in letter.value], 20, "the letter")
    finally:
        desk.sql("ALTER TABLE deliveries DROP CONSTRAINT never")
    assert customer.state(delivery) == "sent"


def test_somebodys_lock_holds_up_one_conversation_only(desk):
    """A client that holds one conversation's row: the replies of all others leave."""
    responders(desk)
    stuck, others = Customer(desk), [Customer(desk) for _ in range(10)]
    with Held(desk) as held:
        held.run("SELECT 1 FROM conversations WHERE id = %s::uuid FOR NO KEY UPDATE",
                 stuck.conversation)
        waiting = stuck.reply()
        held.wait_blocks("responder")
        for other in others:
            other.wait_state(other.reply(), "sent", deadline_s=20)
        assert stuck.state(waiting) == "pending"
    stuck.wait_state(waiting, "sent", deadline_s=20)
    assert len(stuck.posts()) == 1


def test_lock_leaves_no_backlog(desk):
    """The line of a busy responder is never empty: what was in the unit that somebody's lock held up is
    claimed one by one, all others in batches as before."""
    responders(desk, claim_batch=8)
    first, stuck = Customer(desk), Customer(desk)
    others = [Customer(desk) for _ in range(48)]
    service = desk.service("responder-1")
    lock = "SELECT 1 FROM conversations WHERE id = %s::uuid FOR NO KEY UPDATE"
    with Held(desk) as held, Held(desk) as begun:
        held.run(lock, stuck.conversation)
        begun.run(lock, first.conversation)
        before = service.metrics()
        first.reply()
        begun.wait_blocks("responder")  # while the others line up, the stuck one before them
        waiting = stuck.reply(wake=False)
        deliveries = [(other, other.reply(wake=False)) for other in others]
        adopted = "frontdesk_deliveries_adopted_total"
        desk.wait(lambda: service.metrics()[adopted] - before[adopted] > len(others), 10, "the line")
        begun.commit()
        for other, delivery in deliveries:
            other.wait_state(delivery, "sent", deadline_s=40)
        assert stuck.state(waiting) == "pending"
        units = "frontdesk_claim_seconds_count"
        claims = service.metrics()[units] - before.get(units, 0)
    assert claims < 30, f"{claims} units claimed {len(others)} deliveries"
    stuck.wait_state(waiting, "sent", deadline_s=20)
    assert len(stuck.posts()) == 1


def test_lock_leaves_no_backlog_of_outcomes(desk):
    """The same of outcomes: while somebody holds one delivery's row, those of the others are written
    together."""
    responders(desk, request_timeout_ms=15000)
    stuck, others = Customer(desk), [Customer(desk) for _ in range(24)]
    desk.faults("twilio", {"match": stuck.address, "action": {"type": "delay", "ms": 1000}},
                {"match": "answered late", "action": {"type": "delay", "ms": 9000}})
    deliveries = [other.reply(f"answered late {number}") for number, other in enumerate(others)]
    desk.wait(lambda: all(other.posts() for other in others), 20, "the requests")
    waiting = stuck.reply()
    desk.wait(stuck.posts, 10, "the request that is answered first")
    with Held(desk) as held:
        held.run("SELECT 1 FROM deliveries WHERE id = %s::uuid FOR UPDATE", waiting)
        held.wait_blocks("responder")
        left = [delivery for other, delivery in zip(others, deliveries)
                if other.state(delivery) == "sending"]
        for other, delivery in zip(others, deliveries):
            other.wait_state(delivery, "sent", deadline_s=40)
    units = desk.value("SELECT count(DISTINCT xmin::text) FROM deliveries WHERE id = ANY (%s::uuid[])",
                       left)
    assert units < max(3, len(left) / 2), f"{units} units wrote {len(left)} outcomes"
    stuck.wait_state(waiting, "sent", deadline_s=20)


def test_check_config(desk):
    responders(desk)
    check = desk.services["responder-1"].check_config
    assert check() == (0, "configuration ok\n")
    for key, value in (("public_url", "https://desk.example.com?x"), ("twilio_base_url", "ftp://x"),
                       ("public_url", "https://desk.example.com/"), ("lookup_after_ms", 1)):
        code, text = check(**{key: value})
        assert code == 2 and key in text, (key, code, text)


def test_receipt_settles_an_unknown_send(desk):
    """A late yes: the callback names our attempt, so it is as good as the answer."""
    responders(desk, lookup_after_ms=60000)
    customer = Customer(desk)
    customer.fault(type="accepted_but_answer_lost", count=1)
    delivery = customer.reply()
    unknown_then(desk, customer, delivery)
    waiting = customer.reply()
    sid = customer.posts()[0]["sid"]
    customer.receipt(delivery, "sent", sid=sid)
    row = customer.wait_state(delivery, "sent", deadline_s=5)
    assert row["provider_sid"] == sid and row["attempts"] == 1
    customer.wait_state(waiting, "sent", deadline_s=5)
    assert len(customer.sent()) == 2


def sending_again(desk, customer, *actions):
    """A reply whose first attempt is unknown and was not found at the provider (as if it had not yet
    listed it), and whose second one the provider treats with `actions`; waits until that is under
    way."""
    lost = {"match": customer.address, "method": "POST", "count": 1}
    desk.faults("twilio", {**lost, "action": {"type": "cut"}},
                *({**lost, "after": int(action["type"] == "delay"), "action": action}
                  for action in actions))  # a rule that decided spares the first to the others
    delivery = customer.reply()
    desk.wait(lambda: len(customer.posts()) == 2, 20, "the second request")
    return delivery


def test_late_yes_while_a_newer_attempt_is_being_sent(desk):
    """The first attempt did make a message. The word comes while the second is on its way, which the
    provider then puts off: there is nothing left to send (P7)."""
    responders(desk, request_timeout_ms=8000)
    customer = Customer(desk)
    delivery = sending_again(desk, customer, {"type": "delay", "ms": 4000},
                             {"type": "status", "status": 429})
    sid = customer.receipt(delivery, "sent", attempt=1)
    desk.wait(lambda: customer.attempts(delivery)[0]["outcome"] == "accepted", 5, "the word kept")
    assert customer.state(delivery) == "sending"
    row = customer.wait_state(delivery, "sent")
    assert (row["provider_sid"], row["attempts"], row["reason"]) == (sid, 2, None), row
    assert [entry["outcome"] for entry in customer.tries(delivery)] == ["accepted", "deferred"]
    customer.wait_state(customer.reply(), "sent")
    assert len(customer.posts()) == 3, customer.posts()
    customer.receipt(delivery, "delivered", attempt=1, sid=sid)
    customer.wait_state(delivery, "delivered")


def test_failed_receipt_of_an_older_attempt(desk):
    """It says nothing about the newer attempt: neither ends it nor counts as something sent."""
    responders(desk)
    customer = Customer(desk)
    delivery = sending_again(desk, customer,
                             {"type": "status", "status": 429, "retry_after": "3"})
    customer.wait_state(delivery, "deferred")
    customer.receipt(delivery, "failed", attempt=1, error=30008)
    desk.wait(lambda: customer.attempts(delivery)[0]["outcome"] == "refused", 5, "the word kept")
    assert customer.state(delivery) == "deferred"
    row = customer.wait_state(delivery, "sent")
    assert row["attempts"] == 3 and len(customer.sent()) == 1


def test_older_attempt_fails_while_a_newer_one_is_being_sent(desk):
    """First seen on its way, then lost: what the newer attempt did not send either is sent again."""
    responders(desk, request_timeout_ms=8000)
    customer = Customer(desk)
    delivery = sending_again(desk, customer, {"type": "delay", "ms": 4000},
                             {"type": "status", "status": 429})
    sid = customer.receipt(delivery, "sent", attempt=1)
    customer.receipt(delivery, "failed", attempt=1, sid=sid, error=30008)
    desk.wait(lambda: customer.attempts(delivery)[0]["outcome"] == "refused", 5, "the word kept")
    row = customer.wait_state(delivery, "sent")
    assert row["attempts"] == 3 and row["provider_sid"] != sid
    assert len(customer.sent()) == 1


def test_failed_receipt_of_the_message_that_is_known(desk):
    """A late yes made the older attempt's message the delivery's: its end is the delivery's."""
    responders(desk)
    customer = Customer(desk)
    delivery = sending_again(desk, customer,
                             {"type": "status", "status": 429, "retry_after": "60"})
    customer.wait_state(delivery, "deferred")
    sid = customer.receipt(delivery, "sent", attempt=1)
    customer.wait_state(delivery, "sent")
    customer.receipt(delivery, "undelivered", attempt=1, sid=sid, error=30003)
    assert customer.wait_state(delivery, "failed")["error_code"] == "30003"


def test_receipt_before_the_answer(desk):
    responders(desk)
    customer = Customer(desk)
    customer.fault(type="delay", ms=800)
    delivery = customer.reply()
    desk.wait(lambda: customer.posts() and customer.posts()[0]["sid"], 10, "the message")
    customer.receipt(delivery, "delivered", sid=customer.posts()[0]["sid"])
    customer.wait_state(delivery, "delivered")
    desk.wait(lambda: customer.row(delivery)["segments"] == 1, 10, "what the answer tells")
    assert customer.state(delivery) == "delivered"


def lost_claim(desk, *statuses, attempt=1, error=None):
    """A fail-over lost the claim of a reply that the provider has: the row never was sent, the
    installation is held, and receipts name the attempt. Returns customer, delivery and sid once the
    receipts are applied."""
    responders(desk)
    customer = Customer(desk)
    desk.installation.deskctl("hold", "test")
    try:
        delivery = customer.reply(wake=False)
        sid = "SM" + uuid.uuid4().hex
        for status in statuses:
            customer.receipt(delivery, status, attempt=attempt, sid=sid, error=error)
        desk.wait(lambda: customer.row(delivery)["provider_status"] == statuses[-1], 10,
                  lambda: f"the receipts to be applied: {customer.row(delivery)}")
    finally:
        desk.sql("UPDATE installation SET released_for = database_identity(), hold_reason = NULL")
    return customer, delivery, sid


def test_receipt_of_a_lost_attempt(desk):
    customer, delivery, sid = lost_claim(desk, "sent", "delivered")
    customer.wake(delivery)
    assert quiet(desk, 1.5, customer.posts) == []
    row = customer.row(delivery)
    assert (row["state"], row["attempts"], row["provider_sid"]) == ("delivered", 1, sid)
    attempt, = customer.tries(delivery)
    assert (attempt["number"], attempt["outcome"], attempt["provider_sid"]) == (1, "accepted", sid)
    customer.wait_state(customer.reply(), "sent")  # and the next one need not wait


def test_failed_receipt_of_a_lost_attempt(desk):
    customer, delivery, _ = lost_claim(desk, "undelivered", attempt=3, error=30003)
    assert quiet(desk, 1.0, customer.posts) == []
    row, attempt = customer.row(delivery), customer.attempts(delivery)[-1]
    assert (row["state"], row["attempts"], row["error_code"]) == ("failed", 3, "30003")
    assert (attempt["number"], attempt["outcome"]) == (3, "refused")


def test_answer_to_a_lost_claim(desk):
    """The claim is lost while its request is under way: the answer settles the delivery, and it is
    not claimed anew."""
    responders(desk, request_timeout_ms=8000)
    customer = Customer(desk)
    customer.fault(type="delay", ms=4000)
    delivery = customer.reply()
    desk.wait(customer.posts, 10, "the request")
    # As `deskctl hold`, which may take longer to start than the request has.
    desk.sql("UPDATE installation SET released_for = NULL, hold_reason = 'test'")
    try:
        desk.sql("WITH a AS (DELETE FROM delivery_attempts WHERE delivery_id = %s::uuid)"
                 " UPDATE deliveries SET state = 'pending', attempts = 0, worker = NULL,"
                 " first_attempt_at = NULL, next_at = clock_timestamp() WHERE id = %s::uuid",
                 delivery, delivery)
        row = customer.wait_state(delivery, "sent")
    finally:
        desk.sql("UPDATE installation SET released_for = database_identity(), hold_reason = NULL")
    assert row["attempts"] == 1 and row["provider_sid"] == customer.posts()[0]["sid"]
    assert len(quiet(desk, 1.0, customer.posts)) == 1


def test_receipts_of_nothing_are_dropped(desk):
    responders(desk)
    customer = Customer(desk)
    delivery = customer.reply()
    customer.wait_state(delivery, "sent")
    customer.receipt(delivery, "delivered", attempt=1002)  # more than a fail-over could have lost
    customer.receipt(delivery, "delivered", sid="SM" + "0" * 32)
    other = str(uuid.uuid4())
    headers = {"ce_specversion": "1.0", "ce_id": "SM" + "1" * 32 + ":delivered",
               "ce_source": f"twilio/{customer.known['account_sid']}",
               "ce_type": "desk.delivery.receipt.v1", "ce_time": now(),
               "content-type": "application/json", "tenant": customer.tenant}
    desk.produce("receipts", f"{customer.tenant}:{other}",
                 {"delivery": other, "attempt": 1, "provider_sid": "SM" + "1" * 32,
                  "status": "delivered"}, headers)
    dropped = 'frontdesk_receipts_total{outcome="dropped"}'
    desk.wait(lambda: desk.service("responder-1").metrics()[dropped] >= 3, 10,
              lambda: str(desk.service("responder-1").metrics()))
    assert customer.state(delivery) == "sent"


# ---- crashes


def survive(desk, point, settled=("sent", "delivered"), **fault):
    """Kills a responder at the point, with another alive; the reply leaves exactly once. fault: of
    its first request."""
    responders(desk, 2)
    customer = Customer(desk)
    if fault:
        customer.fault(**fault, count=1)
    stop = desk.stops.arm(point, action=KILL)
    delivery = customer.reply()
    desk.wait(lambda: stop.hits, 15, f"the stop point {point}")
    follow = customer.reply()
    row = customer.wait_state(delivery, *settled, deadline_s=30)
    customer.wait_state(follow, *settled, deadline_s=30)
    assert len(quiet(desk, 1.5, customer.sent)) == 2, customer.sent()
    assert [body.split()[1] for body in customer.sent()] == ["1", "2"]
    desk.responding = None
    desk.revive(("responder",))
    return row


def test_dies_after_the_claim(desk):
    assert survive(desk, "responder.claimed")["attempts"] == 2


def test_dies_before_the_first_byte(desk):
    assert survive(desk, "responder.sending")["attempts"] == 2


def test_dies_after_the_answer(desk):
    assert survive(desk, "responder.answered")["attempts"] == 1


def test_dies_after_settling(desk):
    assert survive(desk, "responder.settled")["attempts"] == 1


def test_unknown_is_looked_up_after_a_long_outage(desk):
    """Killed during the request and away for longer than a delivery may wait: what became of it is
    asked first; it does not park unasked."""
    responders(desk, park_after_ms=3000)
    customer = Customer(desk)
    customer.fault(type="delay", ms=5000)
    delivery = customer.reply()
    desk.wait(lambda: customer.posts() and customer.posts()[0]["sid"], 10, "the message")
    desk.kill("responder-1")
    desk.wait(lambda: desk.value("SELECT first_attempt_at < clock_timestamp() - interval '4 s'"
                                 " FROM deliveries WHERE id = %s::uuid", delivery), 15, "the wait")
    desk.revive(("responder",))
    row = customer.wait_state(delivery, *SETTLED)
    assert row["state"] in ("sent", "delivered") and row["attempts"] == 1, row
    assert len(customer.sent()) == 1


def test_unknown_parks_when_nobody_can_tell(desk):
    """The provider's list fails for as long as a delivery may wait."""
    responders(desk, park_after_ms=4000)
    customer = Customer(desk)
    desk.faults("twilio", {"match": customer.address, "method": "POST", "action": {"type": "cut"}},
                {"method": "GET", "action": {"type": "status", "status": 503}})
    row = customer.wait_state(customer.reply(), *SETTLED, deadline_s=40)
    assert (row["state"], row["reason"]) == ("parked", "waiting"), row
    assert customer.lists(), "parked unasked"
    desk.faults("twilio")
    customer.wait_state(customer.reply(), "sent")


def test_dies_before_the_look_up(desk):
    assert survive(desk, "responder.looking", type="accepted_but_answer_lost")["attempts"] == 1


def test_dies_when_the_look_up_has_found_it(desk):
    assert survive(desk, "responder.found", type="accepted_but_answer_lost")["attempts"] == 1


def test_dies_when_the_look_up_has_found_nothing(desk):
    assert survive(desk, "responder.found", type="cut")["attempts"] == 2


def test_dies_before_a_receipt_is_applied(desk):
    responders(desk, 2)
    customer = Customer(desk)
    stop = desk.stops.arm("responder.receipt", action=KILL)
    delivery = customer.reply()
    customer.wait_state(delivery, "sent")
    customer.receipt(delivery, "delivered")
    desk.wait(lambda: stop.hits, 15, "the stop point")
    row = customer.wait_state(delivery, "delivered", deadline_s=30)
    assert row["attempts"] == 1 and len(customer.posts()) == 1
    desk.responding = None
    desk.revive(("responder",))


def frozen(desk, point):
    """A responder frozen at the point until its lease is over and the other one has settled the
    delivery; then it wakes."""
    responders(desk, 2)
    customer = Customer(desk)
    stop = desk.stops.arm(point, action=FREEZE)
    delivery = customer.reply()
    desk.wait(lambda: stop.hits, 15, f"the stop point {point}")
    name = next(name for name, service in desk.services.items() if service.pid == stop.pid)
    row = customer.wait_state(delivery, "sent", "delivered", deadline_s=30)
    desk.thaw(name)
    desk.wait(lambda: any(line.get("event") == "worker.lost" for line in desk.log(name)), 15,
              f"{name} to learn that it was given up")
    assert len(quiet(desk, 2.0, customer.sent)) == 1, customer.posts()
    assert customer.row(delivery)["provider_sid"] == row["provider_sid"]
    desk.responding = None


def test_frozen_before_the_first_byte(desk):
    """V3: the gate refuses what a zombie wants to send after its lease."""
    frozen(desk, "responder.sending")


def test_frozen_after_the_answer(desk):
    frozen(desk, "responder.answered")


def test_frozen_before_a_look_up(desk):
    """Who was given up over its look-up wakes when the delivery is at its next attempt: that its own
    look-up fails says nothing about that one, whose look-up comes when it is due."""
    responders(desk, 2, lookup_after_ms=6000)
    customer = Customer(desk)
    customer.fault(type="cut", count=2)
    delivery = customer.reply(wake=False)
    stop = desk.stops.arm("responder.looking", action=FREEZE, match=delivery)
    desk.wait(lambda: stop.hits, 30, "the look-up")
    name = next(name for name, service in desk.services.items() if service.pid == stop.pid)
    desk.wait(lambda: customer.row(delivery)["attempts"] == 2
              and customer.state(delivery) == "unknown", 20, "the next attempt")
    due, since = customer.row(delivery)["next_at"], len(desk.log(name))
    desk.faults("twilio", {"method": "GET", "count": 1, "action": {"type": "status", "status": 503}})
    desk.thaw(name)
    desk.wait(lambda: any(line.get("event") == "look_up.failed" for line in desk.log(name)[since:]),
              15, "its look-up to fail")
    assert quiet(desk, 1.0, lambda: customer.row(delivery)["next_at"]) == due
    row = customer.wait_state(delivery, "sent")
    assert row["attempts"] == 3 and len(customer.sent()) == 1
    desk.responding = None


def test_lost_commit_answer_is_found(desk):
    """V3a: the row names a live worker that does not know of it: unknown, looked up, sent."""
    responders(desk)
    customer = Customer(desk)
    delivery = customer.reply(wake=False, state="parked")
    worker = desk.value("SELECT id::text FROM workers WHERE kind = 'responder' AND NOT dead"
                        " ORDER BY started_at DESC LIMIT 1")
    desk.sql("WITH a AS (INSERT INTO delivery_attempts (tenant_id, delivery_id, number, worker)"
             " VALUES (%s::uuid, %s::uuid, 1, %s::uuid) RETURNING 1)"
             " SELECT * FROM a", customer.tenant, delivery, worker)
    desk.sql("ALTER TABLE deliveries DISABLE TRIGGER delivery_forward_only")
    desk.sql("UPDATE deliveries SET state = 'sending', attempts = 1, worker = %s::uuid,"
             " first_attempt_at = clock_timestamp(), settled_at = NULL,"
             " next_at = clock_timestamp() + interval '2.5 s' WHERE id = %s::uuid",
             worker, delivery)
    desk.sql("ALTER TABLE deliveries ENABLE TRIGGER delivery_forward_only")
    row = customer.wait_state(delivery, "sent", deadline_s=30)
    assert row["attempts"] == 2 and len(customer.sent()) == 1


def test_claims_nothing_without_a_lease(desk):
    """The lease is over by our own clock and renewals are late: the gate would refuse what is claimed
    now, so nothing is."""
    responders(desk)
    customer = Customer(desk)
    wait_listening(desk, customer)
    with Held(desk) as renewals:
        renewals.run("SELECT 1 FROM workers WHERE kind = 'responder' FOR UPDATE")
        desk.wait(lambda: desk.value("SELECT max(lease_until) < clock_timestamp() FROM workers"
                                     " WHERE kind = 'responder' AND NOT dead"), 10, "the end of the lease")
        delivery = customer.reply()
        assert quiet(desk, 1.5, lambda: len(customer.attempts(delivery))) == 0
    customer.wait_state(delivery, "sent")
    # a renewal that was late itself leaves little of the lease: the gate may refuse once
    outcomes = [attempt["outcome"] for attempt in customer.attempts(delivery)]
    assert outcomes[-1:] == ["accepted"] and outcomes.count("not_sent") == len(outcomes) - 1 <= 1, \
        outcomes


# ---- the process


def test_drain_finishes_what_is_under_way(desk):
    responders(desk)
    customer = Customer(desk)
    customer.fault(type="delay", ms=700)
    delivery = customer.reply()
    desk.wait(customer.posts, 10, "the request")
    assert desk.terminate("responder-1") == 0
    assert customer.state(delivery) == "sent"
    assert desk.value("SELECT count(*) FROM workers w JOIN deliveries d ON d.worker = w.id") == 0
    desk.responding = None


def test_gives_way_to_its_own_name(desk):
    """Another process takes its instance name: its consumers are dead for good, so it ends, with an
    exit code that has it started again."""
    responders(desk)
    customer = Customer(desk)
    delivery = customer.reply()
    customer.wait_state(delivery, "sent")
    customer.receipt(delivery, "delivered")
    customer.wait_state(delivery, "delivered")  # it has joined both groups
    wait_listening(desk, customer)
    first = desk.service("responder-1").child
    other = desk.add("responder", 2, {"responder": {**QUICK, "instance": "responder-1"}})
    desk.responding = None
    desk.wait(lambda: not first.alive(), 30, "the end of the first")
    assert first.process.returncode == 1, desk.last_words()
    assert any(line.get("event") == "consumer.fenced" for line in desk.log("responder-1"))
    other.wait_ready()
    customer.wait_state(customer.reply(), "sent")


def test_database_away_and_back(desk):
    """Outcomes of requests that ended while the database was away are not forgotten."""
    responders(desk)
    customer = Customer(desk)
    customer.fault(type="delay", ms=500)
    delivery = customer.reply()
    desk.wait(customer.posts, 10, "the request")
    desk.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
             " WHERE usename = 'frontdesk_responder' AND pid <> pg_backend_pid()")
    customer.wait_state(delivery, "sent", "delivered")
    assert len(quiet(desk, 1.0, customer.posts)) == 1


def test_many_in_batches(desk):
    responders(desk, 2)
    customers = [Customer(desk, number % len(desk.tenants)) for number in range(20)]
    deliveries = [(customer, customer.reply(wake=number == 2))
                  for customer in customers for number in range(3)]
    for customer, delivery in deliveries:
        customer.wait_state(delivery, *SETTLED, deadline_s=40)
    sent = desk.sent()
    for customer in customers:
        bodies = [entry["params"]["Body"] for entry in sent
                  if entry["params"]["To"] == customer.address]
        assert [body.split()[1] for body in bodies] == ["1", "2", "3"], bodies
