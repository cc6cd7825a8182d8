"""The responder and what the provider answers: refusals, silence, and the look-up of what it may have
taken."""

import uuid

from delivering import Customer, SETTLED, quiet, responders, unknown_then
from operating import TENANTS, good, tenant_file

GARAGE = 1  # of desk.tenants, in the order of the files

SHARE = True  # the helper restarts the responders when a test needs others


# ---- the provider's answers


def test_back_off_and_retry_after(desk):
    responders(desk)
    customer = Customer(desk)
    customer.fault(type="status", status=429, retry_after="2", count=1)
    delivery = customer.reply()
    row = customer.wait_state(delivery, "sent")
    posts = customer.posts()
    assert len(posts) == 2 and row["attempts"] == 2
    assert posts[1]["time"] - posts[0]["time"] > 1990, posts  # in ms
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
    assert customer.tries(delivery)[0]["outcome"] in ("deferred", "accepted", "unknown")


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


def test_database_clock_that_is_wrong(desk):
    """By our database the attempt was made two minutes after the provider's message, or before it: that one may
    be ours all the same (P7). Guard: our_text in judge_message."""
    responders(desk, park_after_ms=4000)
    for off in ("2 minutes", "-5 minutes"):
        customer = Customer(desk)
        delivery = lost_answer(desk, customer)
        desk.sql("UPDATE delivery_attempts SET started_at = started_at + %s::interval WHERE delivery_id = %s::uuid",
                 off, delivery)
        row = customer.wait_state(delivery, *SETTLED, deadline_s=40)
        assert len(quiet(desk, 1.0, customer.posts)) == 1, customer.posts()
        assert (row["state"], row["reason"], row["attempts"]) == ("parked", "waiting", 1), row


def test_smart_encoded_message_is_found(desk):
    """The messaging service writes typographic characters plainly: the text is ours all the same."""
    responders(desk)
    customer = Customer(desk)
    delivery = lost_answer(desk, customer, "We’re open – “9 to\u00a05”…",
                           {"text": "We're open - \"9 to 5\"..."})
    row = customer.wait_state(delivery, *SETTLED)
    assert row["state"] in ("sent", "delivered") and row["attempts"] == 1, row
    assert len(customer.posts()) == 1


def test_account_changed_since_the_attempt(desk):
    """`tenant apply` gave the number to another account while a delivery was unknown: that account's list is
    empty, which says nothing of what the first one took (P7). Guard: moved in look_up.c."""
    responders(desk, park_after_ms=4000)
    customer = Customer(desk, GARAGE)
    other = desk.tenants[0]
    path = tenant_file(desk, "garage", ("env:GARAGE_TWILIO_ACCOUNT_SID:-AC00000000000000000000000000000202",
                                        other["account_sid"]),
                       ("env:GARAGE_TWILIO_AUTH_TOKEN", "env:OTHER_AUTH_TOKEN"))
    delivery = lost_answer(desk, customer)
    try:
        good(desk, "tenant", "apply", path, "--yes", environment={"OTHER_AUTH_TOKEN": other["auth_token"]})
        row = customer.wait_state(delivery, *SETTLED, deadline_s=40)
    finally:
        good(desk, "tenant", "apply", TENANTS / "garage.yaml", "--yes")
    assert len(quiet(desk, 1.0, customer.posts)) == 1, customer.posts()
    assert (row["state"], row["reason"], row["attempts"]) == ("parked", "waiting", 1), row


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
    customer.wait_state(first, "deferred", "parked")
    second = customer.reply("the second")
    row = customer.wait_state(first, "parked", deadline_s=30)
    assert row["reason"] == "waiting"
    customer.wait_state(second, "sent")
