"""A text's whole way: signed webhook, nginx, ingress, Kafka, engine, responder, Twilio, callback."""

import threading

from harness import oracle
from harness.stops import FREEZE

SHARE = True

CONFIG = {
    "engine": {"burst_ms": 400, "burst_max_ms": 1500},
    "responder": {"worker_lease_ms": 2000, "adopt_every_ms": 100, "lookup_after_ms": 2500,
                  "request_timeout_ms": 3000, "session_timeout_ms": 3000, "heartbeat_ms": 300},
}


def up(desk):
    desk.start(ingresses=2, engines=2, responders=2, config=CONFIG)
    desk.faults("model")
    desk.faults("twilio")
    return desk


def accepted(desk, customer, body, **options):
    answer = desk.webhook(customer, body, **options)
    assert answer.status == 200, answer
    return answer.sid


def delivery(desk, address):
    """The latest delivery to an address as a dict."""
    rows = desk.sql("SELECT row_to_json(d) FROM deliveries d JOIN channel_sessions s"
                    " ON s.tenant_id = d.tenant_id AND s.id = d.session_id"
                    " WHERE s.remote_address = %s ORDER BY d.seq DESC LIMIT 1", address)
    return rows[0][0] if rows else None


def wait_state(desk, address, *states, deadline_s=20):
    desk.wait(lambda: (delivery(desk, address) or {}).get("state") in states, deadline_s,
              lambda: f"{states}, got {delivery(desk, address)}")
    return delivery(desk, address)


def quiet(desk, address, seconds=1.5):
    return desk.settled(seconds, lambda: desk.sent_to(address))


def post_to(nonce, **more):
    """The match of a fault rule: the request that creates the message with this nonce."""
    return {"path": "/Messages.json", "method": "POST", "match": nonce, "count": 1, **more}


def test_text_is_answered_and_delivered(desk):
    up(desk)
    customer, nonce = desk.new_address(), desk.new_nonce()
    answer = desk.webhook(customer, f"hello {nonce}")
    assert answer.status == 200 and answer.seconds < 5
    assert b"<Message" not in answer.body, "the webhook's answer would itself be a reply"
    reply, = desk.wait_replies(customer, 1)
    assert oracle.new_nonces(reply) == [nonce]
    sent = next(entry for entry in desk.sent() if entry["params"]["To"] == customer)
    tenant = desk.tenant(0)
    assert sent["params"].get("From") == tenant.numbers["sms"] or \
        sent["params"].get("MessagingServiceSid") == tenant.messaging_service_sid
    assert sent["params"]["StatusCallback"].startswith(desk.public_url + "/twilio/status")
    row = wait_state(desk, customer, "delivered")
    assert row["provider_sid"] == sent["sid"] and row["attempts"] == 1
    assert row["encoding"] == "gsm7" and row["segments"] == 1
    callbacks = [call for call in desk.callbacks() if call["params"].get("MessageSid") ==
                 sent["sid"]]
    assert callbacks and all(200 <= call["status"] < 300 for call in callbacks), callbacks


def test_burst_is_answered_once_and_remembered(desk):
    up(desk)
    customer = desk.new_address()
    nonces = [desk.new_nonce() for _ in range(3)]
    for nonce in nonces:
        accepted(desk, customer, f"hello {nonce}")
    first, = desk.wait_replies(customer, 1)
    assert oracle.new_nonces(first) == nonces
    follow = desk.new_nonce()
    accepted(desk, customer, f"and {follow}")
    second = desk.wait_replies(customer, 2)[1]
    assert oracle.new_nonces(second) == [follow]
    assert oracle.history_nonces(second) and set(oracle.history_nonces(second)) <= set(nonces)
    assert len(quiet(desk, customer)) == 2


def test_same_webhook_five_times_and_again(desk):
    up(desk)
    customer, nonce = desk.new_address(), desk.new_nonce()
    sid = accepted(desk, customer, f"hello {nonce}")
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(
        desk.webhook(customer, f"hello {nonce}", sid=sid).status)) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [200] * 5, answers
    desk.wait_replies(customer, 1)
    # Twilio's own retries come within minutes, an operator's replay much later.
    desk.sql("UPDATE inbox_events SET claimed_at = claimed_at - interval '1 hour', event_time ="
             " event_time - interval '1 hour' WHERE provider_id = %s", sid)
    assert desk.webhook(customer, f"hello {nonce}", sid=sid).status == 200
    assert len(quiet(desk, customer)) == 1
    assert desk.value("SELECT count(*) FROM messages WHERE provider_id = %s", sid) == 1


def test_tenants_side_by_side(desk):
    """P5: the same customer writes to four businesses; nothing of one is seen by another: not in
    rows, prompts, replies or logs."""
    up(desk)
    customer = desk.new_address()
    nonces = {number: [] for number in range(4)}
    for _ in range(3):
        for number in range(4):
            nonce = desk.new_nonce()
            nonces[number].append(nonce)
            accepted(desk, customer, f"canary {nonce}", tenant=number)
        for number in range(4):
            known = desk.tenant(number)
            desk.wait(lambda k=known, n=nonces[number][-1]: desk.value(
                "SELECT count(*) FROM messages m JOIN tenants t ON t.id = m.tenant_id"
                " WHERE t.name = %s AND m.direction = 'out' AND m.body LIKE %s", k.name,
                f"%{n}%"), 20, f"the answer of {known.name}")
    all_nonces = {nonce for own in nonces.values() for nonce in own}
    for number in range(4):
        known = desk.tenant(number)
        rows = desk.sql("SELECT m.body FROM messages m JOIN tenants t ON t.id = m.tenant_id"
                        " WHERE t.name = %s", known.name)
        seen = {n for (body,) in rows for n in oracle.NONCE.findall(body)} & all_nonces
        assert seen == set(nonces[number]), (known.name, seen ^ set(nonces[number]))
    desk.wait(lambda: len(desk.sent_to(customer)) == 12, 20, "twelve replies")
    account = {desk.tenant(number).account_sid: number for number in range(4)}
    for entry in desk.sent():
        if entry["params"]["To"] == customer:
            number = next(n for sid, n in account.items() if sid in entry["path"])
            said = set(oracle.NONCE.findall(entry["params"]["Body"]))
            assert said <= set(nonces[number]), (number, said)
    for entry in desk.ledger("model"):
        held = set(entry["params"].get("nonces", [])) & all_nonces
        owners = {number for number, own in nonces.items() if held & set(own)}
        assert len(owners) <= 1, f"one prompt holds texts of tenants {owners}"
    for log in (desk.installation.folder / "log").glob("*-[0-9].log"):
        text = log.read_text("utf-8", "replace")
        assert not any(nonce in text for nonce in all_nonces), f"{log.name} holds what was said"
        assert customer not in text, f"{log.name} holds a customer's number"


def test_opt_out_and_back(desk):
    up(desk)
    customer = desk.new_address()
    nonce = desk.new_nonce()
    accepted(desk, customer, f"hello {nonce}")
    desk.wait_replies(customer, 1)
    accepted(desk, customer, "STOP", OptOutType="STOP")
    desk.wait(lambda: desk.value("SELECT state FROM consents WHERE address = %s", customer) ==
              "opted_out", 10, "the opt-out")
    sid = accepted(desk, customer, "are you there?")
    desk.wait(lambda: desk.value("SELECT reason FROM inbox_events WHERE provider_id = %s", sid) ==
              "no_consent", 10, "the text to end without consent")
    assert len(quiet(desk, customer)) == 1
    accepted(desk, customer, "START", OptOutType="START")
    desk.wait(lambda: desk.value("SELECT state FROM consents WHERE address = %s", customer) ==
              "opted_in", 10, "the opt-in")
    again = desk.new_nonce()
    accepted(desk, customer, f"hello {again}")
    assert again in oracle.new_nonces(desk.wait_replies(customer, 2)[1])


def test_opt_out_between_reply_and_send(desk):
    """Consent is checked at each send: a reply that was written before STOP came does not leave."""
    up(desk)
    customer = desk.new_address()
    nonce = desk.new_nonce()
    desk.installation.deskctl("hold", "a test")
    try:
        accepted(desk, customer, f"hello {nonce}")
        wait_state(desk, customer, "pending", "held")
        accepted(desk, customer, "STOP", OptOutType="STOP")
        desk.wait(lambda: desk.value("SELECT state FROM consents WHERE address = %s", customer),
                  10, "the opt-out")
    finally:
        desk.installation.deskctl("release", "--yes")
    row = wait_state(desk, customer, "suppressed")
    assert row["reason"] == "opt_out" and not quiet(desk, customer)


def test_opt_out_that_twilio_knows(desk):
    """21610: Twilio refuses; recorded as consent, never tried again."""
    up(desk)
    customer = desk.new_address()
    nonce = desk.new_nonce()
    tenant = desk.tenant(0)
    desk._call("twilio", "/_optouts", {"account_sid": tenant.account_sid, "opted_out": True,
                                       "from": tenant.numbers["sms"], "to": customer})
    accepted(desk, customer, f"hello {nonce}")
    row = wait_state(desk, customer, "failed", "suppressed")
    assert row["attempts"] == 1 and row["error_code"] == "21610", row
    desk.wait(lambda: desk.value("SELECT state FROM consents WHERE address = %s", customer) ==
              "opted_out", 10, "the consent to be recorded")


def test_twilio_says_429(desk):
    up(desk)
    customer, nonce = desk.new_address(), desk.new_nonce()
    desk.faults("twilio", {**post_to(nonce), "count": 2, "action": {
        "type": "status", "status": 429, "code": "20429", "retry_after": 1}})
    accepted(desk, customer, f"hello {nonce}")
    reply, = desk.wait_replies(customer, 1, 30)
    assert oracle.new_nonces(reply) == [nonce] and len(quiet(desk, customer)) == 1
    assert wait_state(desk, customer, "sent", "delivered")["attempts"] == 3


def ambiguous(desk, action, rules=(), deadline_s=30):
    """One reply whose first create meets the action: exactly one message must come out of it, and
    the provider must have been asked before anything was sent again (P7)."""
    up(desk)
    customer, nonce = desk.new_address(), desk.new_nonce()
    desk.faults("twilio", {**post_to(nonce), "action": action}, *rules)
    since = len(desk.ledger("twilio"))
    accepted(desk, customer, f"hello {nonce}")
    wait_state(desk, customer, "sent", "delivered", deadline_s=deadline_s)
    replies = quiet(desk, customer, 3)
    assert [oracle.new_nonces(reply) for reply in replies] == [[nonce]], replies
    entries = [entry for entry in desk.ledger("twilio", since)
               if nonce in str(entry["params"]) or entry["method"] == "GET"]
    creates = [n for n, entry in enumerate(entries) if entry["method"] == "POST"]
    for first, second in zip(creates, creates[1:]):
        assert any(entry["method"] == "GET" for entry in entries[first:second]), \
            "sent again without asking"
    return customer, len(creates)


def test_twilio_says_500(desk):
    _, creates = ambiguous(desk, {"type": "status", "status": 500})
    assert creates == 2


def test_twilio_cuts_before_it_accepts(desk):
    _, creates = ambiguous(desk, {"type": "cut"})
    assert creates == 2


def test_twilio_times_out(desk):
    _, creates = ambiguous(desk, {"type": "hang"})
    assert creates == 2


def test_answer_lost_after_acceptance(desk):
    """P7: the look-up finds the message; it is not sent again. No callback helps."""
    _, creates = ambiguous(desk, {"type": "accepted_but_answer_lost"},
                           [{"action": {"type": "callbacks", "mode": "none"}}])
    assert creates == 1


def test_500_after_acceptance(desk):
    _, creates = ambiguous(desk, {"type": "accepted_but_answer_lost", "status": 500},
                           [{"action": {"type": "callbacks", "mode": "none"}}])
    assert creates == 1


def test_answer_lost_and_the_callback_settles(desk):
    _, creates = ambiguous(desk, {"type": "accepted_but_answer_lost"})
    assert creates == 1


def test_look_up_fails_for_a_while(desk):
    """The list answers 500 at first: nothing is sent until it has been read."""
    _, creates = ambiguous(
        desk, {"type": "accepted_but_answer_lost"},
        [{"action": {"type": "callbacks", "mode": "none"}},
         {"path": "/Messages", "method": "GET", "count": 2,
          "action": {"type": "status", "status": 500}}], 60)
    assert creates == 1


def test_number_that_cannot_receive(desk):
    up(desk)
    customer, nonce = desk.new_address(), desk.new_nonce()
    desk.faults("twilio", {**post_to(nonce), "count": 9, "action": {
        "type": "status", "status": 400, "code": "21614", "message": "not a mobile number"}})
    accepted(desk, customer, f"hello {nonce}")
    row = wait_state(desk, customer, "failed")
    assert row["attempts"] == 1 and row["error_code"] == "21614"


def test_callbacks_in_every_order(desk):
    up(desk)
    for mode, expected in (("full", "delivered"), ("out_of_order", "delivered"),
                           ("doubled", "delivered"), ("unknown_sid", "delivered"),
                           ("sent_only", "sent"), ("failed", "failed"),
                           ("undelivered", "failed")):
        customer, nonce = desk.new_address(), desk.new_nonce()
        desk.faults("twilio", {"match": nonce, "action": {"type": "callbacks", "mode": mode}})
        accepted(desk, customer, f"hello {nonce}")
        desk.wait_replies(customer, 1)
        sid = next(entry["sid"] for entry in desk.sent() if entry["params"]["To"] == customer)
        desk.settled(1.0, lambda s=sid: len([c for c in desk.callbacks()
                                             if c["params"].get("MessageSid") == s]))
        row = desk.settled(1.0, lambda c=customer: delivery(desk, c)["state"])
        assert row == expected, (mode, row)
        assert len(desk.sent_to(customer)) == 1, mode


def test_late_callbacks(desk):
    up(desk)
    customer, nonce = desk.new_address(), desk.new_nonce()
    desk.faults("twilio", {"match": nonce, "action": {"type": "callbacks", "mode": "late",
                                                      "ms": 3000}})
    accepted(desk, customer, f"hello {nonce}")
    assert wait_state(desk, customer, "sent")["provider_sid"]
    wait_state(desk, customer, "delivered")


def test_callback_before_the_answer(desk):
    """Callbacks of a message whose 201 is still on its way."""
    up(desk)
    customer, nonce = desk.new_address(), desk.new_nonce()
    desk.faults("twilio", {**post_to(nonce), "action": {"type": "delay", "ms": 1500}})
    accepted(desk, customer, f"hello {nonce}")
    wait_state(desk, customer, "delivered")
    assert len(quiet(desk, customer, 2.5)) == 1
    assert delivery(desk, customer)["state"] == "delivered"


def test_callback_for_an_unknown_message(desk):
    up(desk)
    params = [("MessageSid", "SM" + "0" * 32), ("MessageStatus", "delivered"),
              ("AccountSid", desk.tenants[0]["account_sid"]), ("To", desk.new_address()),
              ("From", desk.tenants[0]["numbers"]["sms"])]
    tenant = desk.value("SELECT id::text FROM tenants WHERE name = %s", desk.tenants[0]["name"])
    answer = desk.post(f"/twilio/status?tenant={tenant}&attempt=1"
                       "&delivery=00000000-0000-4000-8000-000000000000", params)
    assert answer.status == 204, answer
    test_text_is_answered_and_delivered(desk)


def test_segments_are_counted(desk):
    up(desk)
    for text, encoding, segments in (
            ("a" * 160, "gsm7", 1), ("a" * 161, "gsm7", 2), ("€" * 80, "gsm7", 1),
            ("ж" * 70, "ucs2", 1), ("ж" * 71, "ucs2", 2), ("a" * 69 + "😀", "ucs2", 2)):
        customer = desk.new_address()
        nonce = desk.new_nonce()
        desk.faults("model", {"match": nonce, "action": {"type": "reply", "text": text}})
        accepted(desk, customer, f"hello {nonce}")
        row = wait_state(desk, customer, "sent", "delivered")
        assert (row["encoding"], row["segments"]) == (encoding, segments), (text[:5], row)


def test_trace_goes_the_whole_way(desk):
    up(desk)
    customer, nonce = desk.new_address(), desk.new_nonce()
    sid = accepted(desk, customer, f"hello {nonce}")
    desk.wait_replies(customer, 1)
    record = next(r for r in desk.kafka_records("inbound.sms")
                  if r.headers.get("ce_id", b"").decode() == sid)
    trace = record.headers["traceparent"].decode().split("-")[1]
    for table in ("inbox_events", "turns", "deliveries"):
        assert desk.value(f"SELECT count(*) FROM {table} WHERE traceparent LIKE %s",
                          f"%{trace}%") == 1, table
    desk.wait(lambda: [r for r in desk.kafka_records("outbound.sms")
                       if trace in r.headers.get("traceparent", b"").decode()], 10, "the wake-up")


def test_takeover_and_hand_back(desk):
    up(desk)
    customer, nonce = desk.new_address(), desk.new_nonce()
    accepted(desk, customer, f"hello {nonce}")
    desk.wait_replies(customer, 1)
    conversation = delivery(desk, customer)["conversation_id"]
    wait_state(desk, customer, "delivered")
    desk.installation.deskctl("takeover", conversation)
    held = desk.new_nonce()
    accepted(desk, customer, f"a person please {held}")
    assert len(quiet(desk, customer)) == 1
    desk.installation.deskctl("handback", conversation)
    assert oracle.new_nonces(desk.wait_replies(customer, 2)[1]) == [held]


def test_lost_webhook_is_found(desk):
    """Twilio has a text that never reached us: reconcile injects it, once."""
    up(desk)
    customer, nonce = desk.new_address(), desk.new_nonce()
    desk.inbound(customer, f"hello {nonce}", deliver=False)
    desk.installation.deskctl("reconcile", "--execute")
    reply, = desk.wait_replies(customer, 1)
    assert oracle.new_nonces(reply) == [nonce]
    desk.installation.deskctl("reconcile", "--execute")
    assert len(quiet(desk, customer)) == 1


def test_frozen_responder_is_followed(desk):
    """Frozen directly before the first byte for longer than its lease: another looks up and sends;
    thawed, it sends nothing."""
    up(desk)
    customer, nonce = desk.new_address(), desk.new_nonce()
    stop = desk.stops.arm("responder.claimed", action=FREEZE)
    accepted(desk, customer, f"hello {nonce}")
    desk.wait(lambda: stop.hits, 15, "the freeze")
    name = next(name for name, service in desk.services.items() if service.pid == stop.pid)
    try:
        desk.wait_replies(customer, 1, 30)
    finally:
        desk.thaw(name)
    assert len(quiet(desk, customer, 3)) == 1


def test_text_whose_webhook_was_lost_is_answered_once(desk):
    """No webhook came; the gap audit finds the text at the provider, again and again."""
    desk.start(config={**CONFIG, "responder": {**CONFIG.get("responder", {}),
                                               "gap_audit_every_ms": 300}})
    customer, nonce = desk.new_address(), desk.new_nonce()
    sid = desk.inbound(customer, f"hello {nonce}", deliver=False)["sid"]
    reply, = desk.wait_replies(customer, 1, 30)
    assert oracle.new_nonces(reply) == [nonce]
    runs = audits(desk)
    desk.wait(lambda: audits(desk) > runs + 4, 20, "further audits")
    assert len(desk.sent_to(customer)) == 1
    assert desk.value("SELECT count(*) FROM messages WHERE provider_id = %s", sid) == 1


def audits(desk):
    return sum(value for service in desk.services.values() if service.name.startswith("responder")
               for name, value in service.metrics().items()
               if name.startswith("frontdesk_gap_audits_total") and "done" in name)
