"""The responder and receipts: they move a delivery forward only, whatever the database does meanwhile."""

import uuid

from delivering import Customer, now, quiet, responders, unknown_then
from scripted import Held, refusals

SHARE = True  # the helper restarts the responders when a test needs others


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
    together. Its answer comes later than a busy machine needs to hold it."""
    responders(desk, request_timeout_ms=15000)
    stuck, others = Customer(desk), [Customer(desk) for _ in range(24)]
    desk.faults("twilio", {"match": stuck.address, "action": {"type": "delay", "ms": 3000}},
                {"match": "answered late", "action": {"type": "delay", "ms": 11000}})
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
    responders(desk, request_timeout_ms=12000)
    customer = Customer(desk)
    delivery = sending_again(desk, customer, {"type": "delay", "ms": 5000},
                             {"type": "status", "status": 429})
    first = customer.numbers(delivery)[0]
    sid = customer.receipt(delivery, "sent", attempt=first)
    desk.wait(lambda: customer.tries(delivery)[0]["outcome"] == "accepted", 5, "the word kept")
    row = customer.wait_state(delivery, "sent")
    assert (row["provider_sid"], row["attempts"], row["reason"]) == (sid, 2, None), row
    assert [entry["outcome"] for entry in customer.tries(delivery)] == ["accepted", "deferred"]
    customer.wait_state(customer.reply(), "sent")
    assert len(customer.posts()) == 3, customer.posts()
    customer.receipt(delivery, "delivered", attempt=first, sid=sid)
    customer.wait_state(delivery, "delivered")


def test_failed_receipt_of_an_older_attempt(desk):
    """It says nothing about the newer attempt: neither ends it nor counts as something sent."""
    responders(desk)
    customer = Customer(desk)
    delivery = sending_again(desk, customer,
                             {"type": "status", "status": 429, "retry_after": "60"})
    customer.wait_state(delivery, "deferred")
    customer.receipt(delivery, "failed", attempt=customer.numbers(delivery)[0], error=30008)
    desk.wait(lambda: customer.tries(delivery)[0]["outcome"] == "refused", 5, "the word kept")
    assert customer.state(delivery) == "deferred"
    desk.sql("UPDATE deliveries SET next_at = clock_timestamp() WHERE id = %s::uuid", delivery)
    row = customer.wait_state(delivery, "sent")
    assert row["attempts"] == 3 and len(customer.sent()) == 1


def test_older_attempt_fails_while_a_newer_one_is_being_sent(desk):
    """First seen on its way, then lost: what the newer attempt did not send either is sent again."""
    responders(desk, request_timeout_ms=12000)
    customer = Customer(desk)
    delivery = sending_again(desk, customer, {"type": "delay", "ms": 5000},
                             {"type": "status", "status": 429})
    first = customer.numbers(delivery)[0]
    sid = customer.receipt(delivery, "sent", attempt=first)
    customer.receipt(delivery, "failed", attempt=first, sid=sid, error=30008)
    desk.wait(lambda: customer.tries(delivery)[0]["outcome"] == "refused", 5, "the word kept")
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
    first = customer.numbers(delivery)[0]
    sid = customer.receipt(delivery, "sent", attempt=first)
    customer.wait_state(delivery, "sent")
    customer.receipt(delivery, "undelivered", attempt=first, sid=sid, error=30003)
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
    responders(desk, request_timeout_ms=12000)
    customer = Customer(desk)
    customer.fault(type="delay", ms=4000)
    delivery = customer.reply()
    desk.wait(customer.posts, 10, "the request")
    number = customer.numbers(delivery)[-1]
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
    assert row["attempts"] == number and row["provider_sid"] == customer.posts()[0]["sid"]
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
