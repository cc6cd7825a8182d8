"""The responder between scripted neighbours: delivery rows and wake-ups in, requests at the Twilio
stand-in out. What the engine would commit is inserted, what ingress would publish is produced."""

import json
import re
import urllib.parse
import uuid

from delivering import Customer, QUICK, SETTLED, quiet, responders, wait_listening
from scripted import RAISED, Held, Operator

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
    attempt, = customer.tries(delivery)
    assert urllib.parse.parse_qs(callback.query) == {
        "tenant": [customer.tenant], "delivery": [delivery], "attempt": [str(attempt["number"])]}
    assert params["StatusCallback"].startswith(desk.public_url)
    assert row["provider_sid"] == post["sid"] and row["provider_status"] in ("queued", "accepted")
    assert (row["segments"], row["encoding"]) == (1, "ucs2") and row["worker"] is None
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
    letter, = [letter for letter in desk.kafka_records("dlq") if letter.value == b"no json"]
    assert letter.headers["dlq-service"] == b"responder"


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
    """The other's reply has left before the request that hangs is over."""
    responders(desk)
    slow, quick = Customer(desk), Customer(desk)
    slow.fault(type="hang")
    first, second = slow.reply(), slow.reply()
    desk.wait(slow.posts, 10, "the hanging request")
    other = quick.reply()
    quick.wait_state(other, "sent")
    assert slow.state(second) == "pending" and slow.sent() == []
    desk.faults("twilio")
    desk.wait(lambda: slow.tries(first)[0]["finished_at"], 20, "the end of the hanging request")
    assert quick.tries(other)[0]["finished_at"] < slow.tries(first)[0]["finished_at"]
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
    responders(desk)
    customer = Customer(desk)
    with Operator(desk) as takeover:
        takeover.begin(customer.tenant, customer.conversation, RAISED)
        delivery = customer.reply()
        takeover.wait_blocks("responder")
        takeover.go_on()
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
    desk.faults("twilio", {**rule, "action": {"type": "delay", "ms": 2000}},
                {**rule, "action": {"type": "status", "status": 400, "code": 21610}})
    delivery = customer.reply()
    desk.wait(customer.posts, 10, "the request")
    desk.sql("INSERT INTO consents VALUES (%s::uuid, %s, %s, 'opted_in', 'test', clock_timestamp())"
             " ON CONFLICT (tenant_id, sender, address) DO UPDATE SET state = excluded.state,"
             " changed_at = excluded.changed_at", customer.tenant, customer.sender, customer.address)
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
    desk.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
             " AND usename = 'frontdesk_responder' AND pid <> pg_backend_pid()")  # the server is shared
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
