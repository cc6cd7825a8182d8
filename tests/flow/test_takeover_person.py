"""A takeover is of a person: what of the assistant's is still to come in the conversations before the one that
is taken is covered by it (common/store/gather.c). "Yours" means that none of it leaves any more, and a
hand-back answers what is left, once.
"""

import time

from harness import Skip, oracle
from operating import good
from racing import met, start, wait_sent
from scripted import quiet, say
from test_merge import merge

SHARE = True
DEADLINE_S = 180

MODEL_MS = 15000  # of the slow one: a conversation ends, the next one opens and is taken meanwhile


def ends_it(desk, customer, *more):
    """The model ends the conversation with its answer to the returned text, which is not said yet."""
    said = customer.make("that is all")
    desk.faults("model", {"match": said.nonce, "count": 1, "action": {
        "type": "tool_call", "name": "end_conversation", "arguments": "{}"}}, *more)
    return said


def is_closed(desk, conversation):
    return desk.value("SELECT closed_at IS NOT NULL FROM conversations WHERE id = %s::uuid", conversation)


def open_one(desk, customer):
    """The person's conversation that is open; None."""
    return desk.value("SELECT max(c.id::text) FROM conversations c JOIN contact_addresses a"
                      " ON a.tenant_id = c.tenant_id AND a.contact_id = c.contact_id"
                      " WHERE a.tenant_id = %s::uuid AND a.address = %s AND c.closed_at IS NULL",
                      customer.tenant_id, customer.address)


def ended(desk, customer, said):
    """Says the goodbye, waits for the conversation's end, and has the next one opened by another text."""
    before = open_one(desk, customer)
    say(desk, said)
    desk.wait(lambda: is_closed(desk, before), 20, "the conversation's end")
    again = customer.text("one more thing")
    desk.wait(lambda: open_one(desk, customer), 20, "the next conversation")
    return again, open_one(desk, customer)


def times_answered(desk, customer, *texts):
    """How often each was, by what Twilio got; a summary of the conversation before quotes other ones."""
    nonces = [nonce for body in desk.sent_to(customer.address) for nonce in oracle.new_nonces(body)]
    return [nonces.count(text.nonce) for text in texts]


def release(desk):
    desk.installation.deskctl("release", "--yes", "--without-reconcile")


def test_reply_of_the_conversation_before(desk):
    """The goodbye has not left when the next conversation is taken. Guard: gather.c, its replies."""
    customer, _ = met(desk)
    said = ends_it(desk, customer)
    try:
        desk.installation.deskctl("hold", "a story")
        again, talk = ended(desk, customer, said)
        customer.wait_replies(3)
        taken = good(desk, "takeover", talk, "--json").json()
        assert (taken["state"], taken["suppressed"], taken["in_flight"]) == ("yours", 2, 0), taken
    finally:
        release(desk)
    quiet(desk, 2.0, lambda: desk.sent_to(customer.address))
    assert len(desk.sent_to(customer.address)) == 1, "a reply of the conversation before left"
    good(desk, "reply", talk, "A person speaking.")
    desk.wait(lambda: len(desk.sent_to(customer.address)) == 2, 20, "the operator's words")
    good(desk, "handback", talk)
    quiet(desk, 2.0, lambda: desk.sent_to(customer.address))
    assert desk.sent_to(customer.address)[1:] == ["A person speaking."]
    assert {customer.event(text)[0] for text in (said, again)} == {"answered"}


def test_reply_of_the_conversation_before_is_leaving(desk):
    """The goodbye is on its way to a provider that says "later" only when the next conversation was taken.
    Handed back without a word, both texts are answered, each once. Guard: the same; its epoch."""
    customer, _ = met(desk)
    said = ends_it(desk, customer)
    desk.faults("twilio", *({"path": "/Messages.json", "method": "POST", "match": said.nonce, "count": 1,
                             "action": action} for action in ({"type": "delay", "ms": 10000},
                                                              {"type": "status", "status": 429})))
    again, talk = ended(desk, customer, said)
    desk.wait(lambda: any(state == "sending" for _, _, state in customer.replies()), 10,
              lambda: f"the goodbye to be leaving: {customer.replies()}")
    taken = good(desk, "takeover", talk, "--json").json()
    assert (taken["state"], taken["in_flight"]) == ("yours", 1), taken
    quiet(desk, 3.0, lambda: desk.sent_to(customer.address))
    assert len(desk.sent_to(customer.address)) == 1, 'a reply left after "yours"'
    good(desk, "handback", talk)
    desk.wait(lambda: 0 not in times_answered(desk, customer, said, again), 30,
              lambda: f"both to be answered: {customer.replies()}")
    quiet(desk, 2.0, lambda: desk.sent_to(customer.address))
    assert times_answered(desk, customer, said, again) == [1, 1], customer.replies()


def second_number(desk, customer):
    """Another number of the same business, by the first one's keys."""
    number = desk.new_address()
    desk.sql("INSERT INTO channels (tenant_id, id, kind, address, account_sid, credentials, edge_keys,"
             " assistant_id, published_version) SELECT tenant_id, gen_random_uuid(), 'sms', %s, account_sid,"
             " credentials, edge_keys, assistant_id, 1 FROM channels WHERE kind = 'sms' AND removed_at IS NULL"
             " AND tenant_id = %s::uuid LIMIT 1", number, customer.tenant_id)
    return number


def test_turn_in_another_session_of_the_conversation_before(desk):
    """A model is slow with a text to the business's other number; meanwhile the conversation ends, and the next
    one is taken. The turn is refused, the person's holder sees the text, and a hand-back has it answered once.
    Guard: gather.c, its sessions."""
    customer, _ = met(desk)
    slow = customer.make("to the other number", to=second_number(desk, customer))
    said = ends_it(desk, customer, {"match": slow.nonce, "count": 1,
                                    "action": {"type": "delay", "ms": MODEL_MS}})
    say(desk, slow)
    asked = time.monotonic()
    desk.wait(lambda: any(entry["params"].get("last_user", "").startswith(slow.nonce)
                          for entry in desk.ledger("model")), 10, "the slow model to be asked")
    _, talk = ended(desk, customer, said)
    desk.wait(lambda: len(desk.sent_to(customer.address)) == 3, 10, "both other replies")
    good(desk, "takeover", talk)
    if time.monotonic() - asked > MODEL_MS / 1000:
        raise Skip("the machine was slower than the model")
    quiet(desk, MODEL_MS / 1000 + 2, lambda: desk.sent_to(customer.address))
    assert len(desk.sent_to(customer.address)) == 3, "a turn of the conversation before was sent"
    assert customer.event(slow) == ("open", None)
    assert slow.nonce in good(desk, "conversation", "show", talk).out, "nobody sees the text that is open"
    good(desk, "handback", talk)
    customer.wait_event(slow, "answered", 20)
    quiet(desk, 2.0, customer.replies)
    assert [slow.nonce in oracle.new_nonces(body) for body, _, _ in customer.replies()].count(True) == 1


def test_merge_with_somebody_whose_conversation_is_over(desk):
    """Both ways round: who is joined with a person whose conversation is held hears nothing of what was left
    over either. Guard: merge.c silence, its raises."""
    for holds_kept in (True, False):
        start(desk)
        kept, other = met(desk)[0], met(desk)[0]
        holder, left = (kept, other) if holds_kept else (other, kept)
        said = ends_it(desk, left)
        try:
            desk.installation.deskctl("hold", "a story")
            before = left.conversation()
            say(desk, said)
            desk.wait(lambda b=before: is_closed(desk, b), 20, "the conversation's end")
            good(desk, "takeover", holder.conversation())
            assert merge(kept, other)["held"] == "yes"
            assert left.replies()[1][2] == "suppressed", left.replies()
        finally:
            release(desk)
        quiet(desk, 2.0, lambda c=left: desk.sent_to(c.address))
        assert len(desk.sent_to(left.address)) == 1, "a reply left to a person who is held"
        good(desk, "handback", open_one(desk, holder))
        assert oracle.new_nonces(wait_sent(desk, left, 2)[1]) == [said.nonce]
