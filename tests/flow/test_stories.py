"""The stories of docs/PROTOCOL.md: races that once broke a promise, each under the name it has there.

Each test drives the one interleaving that its guard is for; without the guard it fails. "Guard" names
the file and the statement. Slow parties are played by a transaction that the test holds open, or by
a process that is frozen at a stop point.
"""

import re
import time

from harness import oracle
from harness.stops import FREEZE, KILL
from procs import Failure
from racing import (background, blocked_or, conversation_key, held_back, met, slow_model, start,
                    wait_sent)
from scripted import (RAISED, SUPPRESSED, Customer, Held, Operator, claim_by_hand, dead_worker, hand_back,
                      quiet, say, service_of, take_over, wait_gone, worker_of)

SHARE = True

# V1: one statement is not enough


def test_v1a_claim_between_snapshot_and_lock_of_a_commit(desk):
    """A commit reads "no other open event", a claim that holds the session commits, the commit
    clears due_at: nobody ever works on the text. The claimer dies right after.
    Guard: store/turn.c lock_sessions_sql, a statement of its own before commit_sql."""
    customer, _ = met(desk)
    said = customer.make()
    slow_model(desk, said.nonce)
    say(desk, said)
    desk.wait(lambda: len(customer.model_calls()) == 2, 10, "the model to be asked")
    with Held(desk) as claim:
        nonce = claim_by_hand(claim, customer, dead_worker(desk))
        blocked_or(desk, claim, "engine", lambda: len(customer.replies()) > 1)
        claim.commit()
    desk.wait(lambda: customer.open_events() == 0, 15,
              lambda: f"both texts to be answered: {customer.session()} {customer.replies()}")
    answered = [n for body, _, _ in customer.replies()[1:] for n in oracle.new_nonces(body)]
    assert answered == [said.nonce, nonce], customer.replies()


def test_v1b_commit_during_a_takeover(desk):
    """Takeover has raised the epoch and suppressed what it saw; a commit that reads the old epoch
    inserts a reply behind it: P4, and a reply that pends for ever.
    Guard: store/turn.c lock_conversations_sql, before commit_sql."""
    customer, _ = met(desk)
    said = customer.make()
    slow_model(desk, said.nonce)
    say(desk, said)
    desk.wait(lambda: len(customer.model_calls()) == 2, 10, "the model to be asked")
    key = conversation_key(customer)
    with Operator(desk) as takeover:
        takeover.begin(*key, SUPPRESSED)
        blocked_or(desk, takeover, "engine", lambda: len(customer.replies()) > 1)
        takeover.go_on()
    quiet(desk, 1.5, customer.replies)
    assert len(customer.replies()) == 1, customer.replies()
    assert customer.event(said) == ("open", None) and len(desk.sent_to(customer.address)) == 1
    hand_back(desk, customer)
    assert oracle.new_nonces(wait_sent(desk, customer, 2)[1]) == [said.nonce]


def test_v1c_delivery_claim_during_a_takeover(desk):
    """As V1b for the responder's claim: none passes a takeover in progress.
    Guard: store/delivery.c lock_conversations_sql, before claim_sql."""
    customer, _ = met(desk)
    key = conversation_key(customer)
    try:
        held_back(desk, customer)
        with Operator(desk) as takeover:
            takeover.begin(*key, RAISED)
            background(desk.installation.deskctl, "release", "--yes", "--without-reconcile")()
            blocked_or(desk, takeover, "responder", lambda: len(desk.sent_to(customer.address)) > 1)
            takeover.go_on()
    finally:
        desk.installation.deskctl("release", "--yes", "--without-reconcile")
    quiet(desk, 1.5, lambda: desk.sent_to(customer.address))
    assert len(desk.sent_to(customer.address)) == 1, "a reply passed the takeover"
    assert customer.replies()[1][2] == "suppressed", customer.replies()


def test_v1d_takeover_lists_what_is_being_claimed(desk):
    """A claim commits while takeover waits for it: the delivery must be suppressed or listed as
    leaving, and "yours" must wait.
    Guard: store/conversation.c suppress_sql and in_flight_sql are statements after raise_sql."""
    customer, _ = met(desk)
    tenant, conversation = conversation_key(customer)
    try:
        held_back(desk, customer)
        delivery, = desk.sql("SELECT id::text FROM deliveries WHERE conversation_id = %s::uuid"
                             " AND state = 'pending'", conversation)[0]
        desk.sql("INSERT INTO workers (id, kind, process, lease_until) VALUES"
                 " ('00000000-0000-4000-8000-00000000001d', 'responder', 'by hand',"
                 " clock_timestamp() + interval '4 s')")
        with Held(desk) as claim:
            claim.run("SELECT 1 FROM conversations WHERE id = %s::uuid FOR SHARE", conversation)
            claim.run("UPDATE deliveries SET state = 'sending', attempts = attempts + 1, worker ="
                      " '00000000-0000-4000-8000-00000000001d', first_attempt_at ="
                      " clock_timestamp() WHERE id = %s::uuid", delivery)
            claim.run("INSERT INTO delivery_attempts (tenant_id, delivery_id, number, worker)"
                      " VALUES (%s::uuid, %s::uuid, 1,"
                      " '00000000-0000-4000-8000-00000000001d')", tenant, delivery)
            takeover = background(take_over_said, desk, conversation)
            claim.wait_blocks("ops")
            claim.run("UPDATE workers SET lease_until = clock_timestamp() + interval '4 s'"
                      " WHERE process = 'by hand'")
            claim.commit()
        said = takeover()
        assert re.search(r"\b1 may be leaving", said), said
        assert desk.value("SELECT lease_until <= clock_timestamp() FROM workers WHERE process = 'by hand'"), \
            '"yours" did not wait for what was being sent'
    finally:
        desk.installation.deskctl("release", "--yes", "--without-reconcile")
        desk.sql("UPDATE workers SET dead = true WHERE process = 'by hand'")


def take_over_said(desk, conversation):
    """What takeover notes, which goes to standard error."""
    import subprocess
    from service import clean_environment
    here = desk.installation
    done = subprocess.run([here.bin / "deskctl", "takeover", conversation], capture_output=True,
                          text=True, timeout=30, check=False,
                          env=clean_environment(here.deskctl_environment()))
    if done.returncode != 0:
        raise Failure(done.stdout + done.stderr)
    return done.stdout + done.stderr


def test_v1e_commit_answers_only_what_its_prompt_held(desk):
    """A commit that marks "all open events" answers a text unseen: the last commit of a turn
    (after two recomputes) runs while a newer text is open.
    Guard: store/turn.c commit_sql, e.provider_id = ANY (g.answered)."""
    customer, _ = met(desk)
    desk.faults("model", {"match": customer_mark(customer), "count": 3,
                          "action": {"type": "delay", "ms": 4500}})
    texts = []
    for number in range(1, 5):
        texts.append(customer.text(customer_mark(customer)))
        if number < 4:
            desk.wait(lambda n=number: len(customer.model_calls()) >= n + 1, 10, f"call {number}")
    customer.wait_event(texts[0], "answered", 15)
    replies = [oracle.new_nonces(body) for body in wait_sent(desk, customer, 3)]
    assert replies[1:] == [[t.nonce for t in texts[:3]], [texts[3].nonce]], replies


def customer_mark(customer):
    return "mark-" + customer.address.lstrip("+")


def test_v1f_redelivered_event_of_an_answered_session(desk):
    """A redelivered event arms an answered session, the next start sees nothing and replies again.
    Guards: store/inbox.c arm_sql (rearmed: e.state = 'open'); store/turn.c start_sql (nothing)."""
    customer, said = met(desk)
    calls = len(customer.model_calls())
    say(desk, said, times=3)
    # And as if the first guard were out: due although nothing is open.
    desk.sql("UPDATE channel_sessions SET due_at = clock_timestamp(), worker = NULL"
             " WHERE id = %s::uuid", customer.session()["id"])
    desk.wait(lambda: customer.session()["due_at"] is None, 10, "the start to clear due_at")
    say(desk, said)
    quiet(desk, 1.5, customer.replies)
    assert len(customer.replies()) == 1 and len(customer.model_calls()) == calls
    assert len(customer.turns()) == 1 and len(desk.sent_to(customer.address)) == 1


def test_v1g_unknown_settled_during_a_takeover(desk):
    """An `unknown` becomes `pending` between takeover's second statement and its COMMIT: refused
    at every claim, for ever. It must end: suppressed or settled.
    Guard: store/delivery.c claim_sql: a claim refused for its 'epoch' suppresses."""
    customer, _ = met(desk)
    key = conversation_key(customer)
    said = customer.make()
    desk.faults("twilio", {"path": "/Messages.json", "method": "POST", "match": said.nonce,
                           "count": 1, "action": {"type": "cut"}}, late_look_up(2500))
    say(desk, said)
    desk.wait(lambda: customer.replies()[-1][2] == "unknown" and len(customer.replies()) == 2, 10,
              "the outcome to be unknown")
    # A look-up that has not begun passes over what the takeover has locked.
    desk.wait(lambda: desk.fired("twilio")[1]["fired"] == 1, 12, "the look-up to be on its way")
    with Operator(desk) as takeover:
        takeover.begin(*key, SUPPRESSED)
        blocked_or(desk, takeover, "responder",
                   lambda: customer.replies()[1][2] != "unknown", 4)
        takeover.go_on()
    desk.wait(lambda: customer.replies()[1][2] in ("suppressed", "parked", "failed"), 15,
              lambda: f"the delivery to end: {customer.replies()}")
    assert len(desk.sent_to(customer.address)) == 1, "a reply left after the takeover"


# V2: a restored database


def gone_back(desk):
    """What every process sees after a restore: another timeline than the one that was released."""
    desk.sql("UPDATE installation SET released_for = '1:1'")


def test_v2_restored_database_sends_nothing(desk):
    """Turn committed, backup, reply sent, restore: the pending row must not leave again by itself.
    Guard: store/delivery.c claim_sql and due_sql, released_for = database_identity()."""
    customer, _ = met(desk)
    gone_back(desk)
    try:
        said = customer.text()
        customer.wait_replies(2)
        quiet(desk, 2.0, lambda: (desk.sent_to(customer.address), customer.replies()))
        assert len(desk.sent_to(customer.address)) == 1, "sent before anybody released it"
        assert customer.replies()[1][2] in ("pending", "held"), customer.replies()
    finally:
        desk.installation.deskctl("release", "--yes", "--without-reconcile")
    assert oracle.new_nonces(wait_sent(desk, customer, 2)[1]) == [said.nonce]


def test_v2_release_after_reconcile_answers_nothing_twice(desk):
    """The rows of a text and of its reply are lost with the restore; the text is replayed and gets
    other words. Reconcile sees at the provider that the customer got an answer after it, and
    release sends no second one.
    Guard: deskctl reconcile settles by address and time (docs/PROTOCOL.md, restore)."""
    customer, _ = met(desk)
    said = customer.text()
    wait_sent(desk, customer, 2)
    desk.stop()
    gone_back(desk)
    session = customer.session()["id"]
    reply = ("SELECT id FROM deliveries WHERE session_id = %s::uuid AND seq = 2")
    for text in (f"DELETE FROM delivery_attempts WHERE delivery_id IN ({reply})",
                 "DELETE FROM deliveries WHERE session_id = %s::uuid AND seq = 2",
                 "DELETE FROM messages WHERE session_id = %s::uuid AND direction = 'out' AND"
                 " turn_id IN (SELECT id FROM turns WHERE session_id = messages.session_id"
                 " AND number = 2)",
                 "DELETE FROM llm_calls WHERE turn_id IN (SELECT id FROM turns"
                 " WHERE session_id = %s::uuid AND number = 2)",
                 "DELETE FROM turns WHERE session_id = %s::uuid AND number = 2",
                 "UPDATE channel_sessions SET turn_number = 1, delivery_seq = 1"
                 " WHERE id = %s::uuid"):
        desk.sql(text, session)
    desk.sql("DELETE FROM inbox_events WHERE provider_id = %s", said.sid)
    desk.sql("DELETE FROM messages WHERE provider_id = %s AND direction = 'in'", said.sid)
    start(desk)
    try:
        say(desk, said)
        customer.wait_replies(2)
        desk.installation.deskctl("reconcile", "--execute")
        desk.installation.deskctl("release", "--yes")
    finally:
        desk.installation.deskctl("release", "--yes", "--without-reconcile")
    quiet(desk, 2.0, lambda: desk.sent_to(customer.address))
    assert len(desk.sent_to(customer.address)) == 2, desk.sent_to(customer.address)


# V3: a worker that lives but does not know


def test_v3_claim_whose_answer_was_lost(desk):
    """A's COMMIT succeeded, the answer was lost: the row names a live worker that does not hold it
    and nobody adopts it.
    Guard: store/turn.c mine_sql (what names the adopter without being in its memory)."""
    customer, said = met(desk)
    worker = desk.value("SELECT id::text FROM workers WHERE kind = 'engine' AND NOT dead"
                        " AND lease_until > clock_timestamp() LIMIT 1")
    with Held(desk) as claim:
        nonce = claim_by_hand(claim, customer, worker)
        claim.commit()
    assert oracle.new_nonces(wait_sent(desk, customer, 2)[1]) == [nonce]
    assert desk.value("SELECT NOT dead FROM workers WHERE id = %s::uuid", worker), \
        "adopted only because the worker died"


def test_v3_worker_that_was_given_up_stays_dead(desk):
    """A zombie wakes, renews its lapsed lease and sends what another looked up, did not find and
    sent again: two copies.
    Guards: store/worker.c renew_sql (NOT dead) with mark_dead_sql at every adoption; the
    responder's check of its lease before the first byte (services/responder/send.c)."""
    customer, _ = met(desk)
    stop = desk.stops.arm("responder.claimed", action=FREEZE)
    said = customer.text()
    desk.wait(lambda: stop.hits, 15, "the freeze")
    frozen = service_of(desk, stop.pid)
    old = worker_of(desk, frozen)
    bodies = wait_sent(desk, customer, 2, 30)
    assert oracle.new_nonces(bodies[1]) == [said.nonce]
    assert desk.value("SELECT dead FROM workers WHERE id = %s::uuid", old)
    desk.thaw(frozen)
    desk.wait(lambda: desk.value("SELECT count(*) FROM workers WHERE process = %s AND NOT dead"
                                 " AND lease_until > clock_timestamp()", f"{frozen}/0") == 1, 10,
              "the thawed responder to register under a new name")
    quiet(desk, 2.0, lambda: desk.sent_to(customer.address))
    assert len(desk.sent_to(customer.address)) == 2, "two copies"
    assert desk.value("SELECT dead FROM workers WHERE id = %s::uuid", old), "the dead renewed"


# V4: the waiting rule


def test_v4_a_message_in_flight_is_never_parked(desk):
    """The time to wait is over while bytes of d1 are on the way: parking it lets d2 pass it (P3).
    Guard: store/delivery.c park_sql and claim_sql (kind 'waiting') leave `sending` alone, and
    claim_sql 'not_in_order' waits for it."""
    customer, _ = met(desk)
    first = customer.make()
    # The answer is slow and the callbacks are slower: nothing settles it meanwhile.
    rule = {"path": "/Messages.json", "method": "POST", "match": first.nonce, "count": 1}
    desk.faults("twilio", {**rule, "action": {"type": "delay", "ms": 5000}},
                {**rule, "action": {"type": "callbacks", "mode": "late", "ms": 8000}})
    say(desk, first)
    desk.wait(lambda: len(customer.replies()) == 2 and customer.replies()[1][2] == "sending", 10,
              "the first reply to be on its way")
    desk.sql("UPDATE deliveries SET first_attempt_at = clock_timestamp() - interval '11 min',"
             " next_at = clock_timestamp() - interval '1 min'"
             " WHERE session_id = %s::uuid AND state = 'sending'", customer.session()["id"])
    second = customer.text()
    customer.wait_replies(3)
    begin = time.monotonic()
    while time.monotonic() - begin < 1.5:
        states = [state for _, _, state in customer.replies()]
        assert states[1] in ("sending", "sent", "delivered"), states
        if states[1] != "sending":
            break
        assert states[2] == "pending", states
        time.sleep(0.1)
    bodies = wait_sent(desk, customer, 3)
    assert [oracle.new_nonces(body) for body in bodies[1:]] == [[first.nonce], [second.nonce]]
    assert all(state in ("sent", "delivered") for _, _, state in customer.replies())


# V5: takeover and hand-back


def test_v5a_yours_waits_for_what_may_be_leaving(desk):
    """A send claimed before takeover's COMMIT leaves after it. "Yours" waits for its end or for
    the sender's lease; from then on nothing leaves, also not from a process that wakes up.
    Guard: store/conversation.c conversation_is_yours (leaving_sql); the responder's lease check."""
    customer, _ = met(desk)
    stop = desk.stops.arm("responder.claimed", action=FREEZE)
    customer.text()
    desk.wait(lambda: stop.hits, 15, "the freeze")
    frozen = service_of(desk, stop.pid)
    worker = worker_of(desk, frozen)
    # Longer than deskctl may need to start; the frozen process knows of its own, shorter one only.
    desk.sql("UPDATE workers SET lease_until = clock_timestamp() + interval '5 s' WHERE id = %s::uuid", worker)
    said = take_over_said(desk, customer.conversation())
    assert "yours" in said and re.search(r"\b1 may be leaving", said), said
    assert desk.value("SELECT dead OR lease_until <= clock_timestamp() FROM workers WHERE id = %s::uuid",
                      worker), '"yours" did not wait for the lease'
    sent = len(desk.sent_to(customer.address))
    desk.thaw(frozen)
    quiet(desk, 3.0, lambda: desk.sent_to(customer.address))
    assert len(desk.sent_to(customer.address)) == sent == 1, 'an AI reply left after "yours"'
    hand_back(desk, customer)


def test_v5c_hand_back_with_open_events(desk):
    """Texts that came while a person had the conversation are due at hand-back.
    Guard: store/conversation.c rearm_sql."""
    customer, _ = met(desk)
    take_over(desk, customer)
    said = customer.text()
    customer.wait_event(said, "open")
    quiet(desk, 1.0, customer.replies)
    assert customer.session()["due_at"] is None
    hand_back(desk, customer)
    assert oracle.new_nonces(wait_sent(desk, customer, 2)[1]) == [said.nonce]


def test_v5d_reply_suppressed_and_handed_back(desk):
    """A reply that takeover suppressed, handed back without a word of the operator: "answered",
    and the customer waits for ever. With a word of the operator nothing is answered again.
    Guard: store/conversation.c reopen_sql."""
    for spoke in (False, True):
        customer, _ = met(desk)
        try:
            said = held_back(desk, customer)
            take_over(desk, customer)
            assert customer.replies()[1][2] == "suppressed"
            if spoke:
                desk.sql("INSERT INTO messages (tenant_id, id, conversation_id, session_id,"
                         " direction, author, body, event_time) VALUES (%s::uuid,"
                         " gen_random_uuid(), %s::uuid, %s::uuid, 'out', 'operator', 'We will"
                         " call you.', clock_timestamp())", *conversation_key(customer),
                         customer.session()["id"])
            hand_back(desk, customer)
        finally:
            desk.installation.deskctl("release", "--yes", "--without-reconcile")
        if spoke:
            quiet(desk, 2.0, customer.replies)
            assert len(desk.sent_to(customer.address)) == 1 and len(customer.replies()) == 2
        else:
            assert oracle.new_nonces(wait_sent(desk, customer, 2)[1]) == [said.nonce]


def late_look_up(ms):
    """The provider's next list takes so long, so that what is unknown stays so for longer than a busy
    machine, or the start of deskctl, takes."""
    return {"path": "/Messages.json", "method": "GET", "count": 1, "action": {"type": "delay", "ms": ms}}


def handed_back_in_the_air(desk, customer, said, *actions):
    """Takes over while the reply to `said` is in the air (the provider does `actions` to its
    request, and lists it late) and hands back without a word; returns the delivery's state directly before."""
    desk.faults("twilio", *({"path": "/Messages.json", "method": "POST", "match": said.nonce,
                             "count": 1, "action": action} for action in actions), late_look_up(4000))
    posts = len(desk.ledger("twilio"))
    say(desk, said)
    desk.wait(lambda: any(entry["method"] == "POST" for entry in desk.ledger("twilio", posts)), 10,
              "the request")
    takeover = background(take_over, desk, customer)
    desk.wait(lambda: desk.value("SELECT held_by FROM conversations WHERE id = %s::uuid",
                                 customer.conversation()), 10, "the takeover")
    state = customer.replies()[1][2]
    hand_back(desk, customer)
    takeover()
    return state


def test_v5d_reply_unknown_at_hand_back(desk):
    """The POST was cut before the provider made anything: unknown at takeover and at hand-back, and
    the look-up finds nothing only afterwards. As V1g with a hand-back in between.
    Guard: store/conversation.c restamp_sql."""
    customer, _ = met(desk)
    said = customer.make()
    state = handed_back_in_the_air(desk, customer, said, {"type": "cut"})
    assert state in ("sending", "unknown"), state
    assert oracle.new_nonces(wait_sent(desk, customer, 2)[1]) == [said.nonce]
    quiet(desk, 1.5, lambda: desk.sent_to(customer.address))
    assert len(desk.sent_to(customer.address)) == 2, desk.sent_to(customer.address)


def test_v5d_reply_being_sent_at_hand_back(desk):
    """The provider says "later" only when the conversation was taken over and handed back.
    Guard: store/conversation.c restamp_sql."""
    customer, _ = met(desk)
    said = customer.make()
    state = handed_back_in_the_air(desk, customer, said, {"type": "delay", "ms": 7000},
                                   {"type": "status", "status": 429})
    assert state == "sending", state
    assert oracle.new_nonces(wait_sent(desk, customer, 2)[1]) == [said.nonce]
    quiet(desk, 1.5, lambda: desk.sent_to(customer.address))
    assert len(desk.sent_to(customer.address)) == 2


def test_v5g_refusals_are_not_tries(desk):
    """One takeover and two crashes must not make the degraded reply.
    Guard: store/turn.c start_sql counts a try only for a start that was lost with its worker."""
    customer, _ = met(desk)
    session = customer.session()["id"]
    kill = desk.stops.arm("engine.thinking", action=KILL, match=session)
    said = customer.make()
    # The model is asked by the adopter only. That start is refused by a takeover, not lost: it takes longer
    # than deskctl starts.
    slow_model(desk, said.nonce, 8000)
    say(desk, said)
    for crash in (1, 2):
        desk.wait(lambda c=crash: kill.hits >= c, 20, f"crash {crash}")
        wait_gone(desk, kill.pid)
        if crash == 1:
            desk.wait(lambda: len(customer.model_calls()) >= 2, 20, "the adopter to ask the model")
            take_over(desk, customer)
            desk.revive(("engine",))
            kill = desk.stops.arm("engine.thinking", action=KILL, times=1, match=session)
            crash_before = kill.hits
            assert crash_before == 0
            hand_back(desk, customer)
            desk.wait(lambda: kill.hits, 20, "the second crash")
            wait_gone(desk, kill.pid)
            desk.revive(("engine",))
            break
    bodies = wait_sent(desk, customer, 2, 30)
    assert oracle.new_nonces(bodies[1]) == [said.nonce], bodies
    assert [turn["outcome"] for turn in customer.turns()] == ["reply", "reply"]
    assert customer.turns()[1]["tries"] == 2, customer.turns()[1]


# V8: erasure


def erase(desk, customer):
    return desk.installation.deskctl("erase", "--tenant", customer.known["name"], "--address",
                                     customer.address, "--yes")


def traces(desk, customer):
    """Rows that still hold something of the customer."""
    return desk.value(
        "SELECT (SELECT count(*) FROM contact_addresses WHERE address = %s)"
        " + (SELECT count(*) FROM channel_sessions WHERE remote_address = %s)"
        " + (SELECT count(*) FROM messages WHERE body LIKE %s)",
        customer.address, customer.address, f"%{customer.address.lstrip('+')}%")


def test_v8_claim_that_began_before_the_erasure(desk):
    """A claim under way when the erasure runs inserts its rows after it: the contact is written to.
    Guard: store/inbox.c lock_addresses_sql against store/erasure.c pg_advisory_xact_lock."""
    known, _ = met(desk)
    stranger = Customer(desk)
    mark = customer_mark(stranger)
    engines = [name for name in desk.services if name.startswith("engine")]
    for name in engines:
        desk.freeze(name)
    texts = [known.make(), stranger.make(mark)]
    slow_model(desk, texts[1].nonce, 3000)  # an erasure that was delayed is there before the answer
    try:
        say(desk, *texts, partition=0)
        with Held(desk) as slow:
            slow.run("SELECT 1 FROM channel_sessions WHERE id = %s::uuid FOR UPDATE",
                     known.session()["id"])
            for name in engines:
                desk.thaw(name)
            slow.wait_blocks("engine", what="the claim to wait for the known customer's session")
            erasure = background(erase, desk, stranger)
            desk.wait(lambda: not erasure.running() or desk.value(
                "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database ="
                " (SELECT oid FROM pg_database WHERE datname = current_database())"), 10,
                "the erasure's move")
            slow.commit()
        erasure()
    finally:
        for name in engines:
            desk.thaw(name)
    quiet(desk, 4.0, lambda: traces(desk, stranger))
    assert traces(desk, stranger) == 0, "rows of an erased customer"
    assert not desk.sent_to(stranger.address), "an erased customer was written to"
    assert stranger.event(texts[1]) == ("ended", "erased")
    assert oracle.new_nonces(wait_sent(desk, known, 2)[1]) == [texts[0].nonce]


def test_v8_replay_after_erasure_and_a_new_text(desk):
    """What is older than the erasure is refused, also when it was never claimed; who writes again
    later is an ordinary customer.
    Guard: store/inbox.c insert_sql, e.erased_at >= i.event_time."""
    customer, said = met(desk)
    unclaimed = customer.make(customer_mark(customer))
    erase(desk, customer)
    assert traces(desk, customer) == 0
    say(desk, said, unclaimed)
    customer.wait_event(unclaimed, "ended")
    assert customer.event(unclaimed) == ("ended", "erased")
    quiet(desk, 1.0, lambda: traces(desk, customer))
    assert traces(desk, customer) == 0 and len(desk.sent_to(customer.address)) == 1
    again = customer.text()
    bodies = desk.wait_replies(customer.address, 2)
    assert oracle.new_nonces(bodies[1]) == [again.nonce] and not oracle.history_nonces(bodies[1])
