"""Twilio at its worst: refusals, doubtful answers, callbacks in every order, lost webhooks."""

import webhook
from harness import oracle
from texts import CONFIG, accepted, delivery, post_to, quiet, up, wait_state

SHARE = True


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


def silent(action):
    """The action, and no callback that would tell what became of the message."""
    return action, [{"action": {"type": "callbacks", "mode": "none"}}]


def test_spoilt_answers(desk):
    """The message was made and the 201 does not say so: stalled, cut, empty, too large."""
    for action in ({"type": "stall", "bytes": 40}, {"type": "cut", "bytes": 40},
                   {"type": "cut", "bytes": 40, "reset": 1}, {"type": "empty"},
                   {"type": "huge", "bytes": 8 << 20}):
        _, creates = ambiguous(desk, *silent(action))
        assert creates == 1, (action, creates)


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


MODES = {  # of the stand-in: the statuses it tells, and the state they leave
    "normal": (["sent", "delivered"], "delivered"),
    "full": (["sending", "sent", "delivered"], "delivered"),
    "out_of_order": (["delivered", "sent"], "delivered"),
    "doubled": (["sent", "sent", "delivered", "delivered"], "delivered"),
    "unknown_sid": (["sent", "delivered"], "delivered"),
    "late": (["sent", "delivered"], "delivered"),
    "sent_only": (["sent"], "sent"),
    "failed": (["failed"], "failed"),
    "undelivered": (["sent", "undelivered"], "failed"),
    "none": ([], "sent"),
}


def callbacks_of(desk, sid):
    return [call for call in desk.callbacks() if call["params"].get("MessageSid") == sid]


def check_callback(desk, call):
    """It was signed as Twilio signs, and we took it."""
    tenant = next(one for one in desk.tenants
                  if one["account_sid"] == call["params"]["AccountSid"])
    pairs = [pair for pair in call["params"].items() if pair[0] != "_signature"]
    assert call["params"]["_signature"] == webhook.signature(
        tenant["auth_token"], call["path"].partition("#")[0], pairs), call
    assert call["path"].startswith(desk.public_url + "/twilio/status?"), call
    assert 200 <= call["status"] < 300, call


def test_callbacks_in_every_order(desk):
    up(desk)
    for mode, (statuses, state) in MODES.items():
        customer, nonce = desk.new_address(), desk.new_nonce()
        desk.faults("twilio", {"match": nonce, "action": {"type": "callbacks", "mode": mode,
                                                          "ms": 1500 if mode == "late" else 0}})
        accepted(desk, customer, f"hello {nonce}")
        desk.wait_replies(customer, 1)
        sid = next(entry["sid"] for entry in desk.sent() if entry["params"]["To"] == customer)
        desk.wait(lambda s=sid, n=len(statuses): sum(
            call["status"] != 0 for call in callbacks_of(desk, s)) >= n, 15, f"callbacks: {mode}")
        wait_state(desk, customer, state)
        assert desk.settled(1.0, lambda c=customer: delivery(desk, c)["state"]) == state, mode
        calls = callbacks_of(desk, sid)
        assert [call["params"]["MessageStatus"] for call in calls] == statuses, (mode, calls)
        for call in calls:
            check_callback(desk, call)
        assert len(desk.sent_to(customer)) == 1, mode


def test_late_callbacks(desk):
    """Sent is known from the answer, long before anybody tells."""
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
    customer, nonce = desk.new_address(), desk.new_nonce()
    accepted(desk, customer, f"hello {nonce}")
    wait_state(desk, customer, "delivered")


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


def test_lost_picture_is_found_with_its_media(desk):
    """An MMS whose webhook was lost: the gap audit reads Media.json and the message has the same
    media as one that came by webhook."""
    desk.start(config={**CONFIG, "responder": {**CONFIG["responder"], "gap_audit_every_ms": 300}})
    types = ["image/jpeg", "application/pdf"]
    media = {}
    for deliver in (True, False):
        customer, nonce = desk.new_address(), desk.new_nonce()
        sid = desk.inbound(customer, f"see {nonce}", deliver=deliver, media=types)["sid"]
        assert sid.startswith("MM")
        reply, = desk.wait_replies(customer, 1, 30)
        assert oracle.new_nonces(reply) == [nonce]
        media[sid] = desk.value("SELECT media FROM messages WHERE provider_id = %s", sid)
    for sid, found in media.items():
        assert [one["type"] for one in found] == types, found
        assert all(f"/Messages/{sid}/Media/ME" in one["url"] for one in found), found
        assert all(one["url"].startswith(desk.stand_url("twilio")) for one in found), found
        assert not any(one["url"].endswith(".json") for one in found), found


def audits(desk):
    return sum(value for service in desk.services.values() if service.name.startswith("responder")
               for name, value in service.metrics().items()
               if name.startswith("frontdesk_gap_audits_total") and "done" in name)
