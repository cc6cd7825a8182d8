"""V5e: two contacts that are one person become one (store/merge.c), and apart again, while engines and responders
are at work: nothing is answered twice, nobody is lost, the order of each session stays."""

import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

from harness import oracle
from operating import FAILED, NOT_FOUND, USAGE, expect, good, run
from racing import background, held_back, met, start, wait_sent
from scripted import Customer, Held, hand_back, quiet, say, take_over

SHARE = True
DEADLINE_S = 240

PAIRS = 36                    # of the sweep
FROM_S, TO_S = -0.2, 2.2      # merges begin from so long before a pair's texts to so long after
MODEL_MS, PROVIDER_MS = 400, 400


def tenant_of(customer):
    return "--tenant", customer.known["name"]


def merge(kept, other):
    return good(kept.desk, "contact", "merge", kept.address, other.address, *tenant_of(kept), "--yes",
                "--json").json()


def split(other):
    return good(other.desk, "contact", "split", other.address, *tenant_of(other), "--yes", "--json").json()


def contact_of(customer):
    return customer.desk.value("SELECT contact_id::text FROM contact_addresses WHERE tenant_id = %s::uuid"
                               " AND address = %s", customer.tenant_id, customer.address)


def two(desk):
    """Two customers who have been answered once each."""
    return met(desk)[0], met(desk)[0]


def is_one(*customers):
    return len({contact_of(one) for one in customers}) == 1 == len({one.conversation() for one in customers})


def whole_thread(customer):
    """Texts of the conversation in order."""
    return [row[0] for row in customer.desk.sql(
        "SELECT body FROM messages WHERE tenant_id = %s::uuid AND conversation_id = %s::uuid ORDER BY position",
        customer.tenant_id, customer.conversation())]


def epoch_of(customer):
    return customer.desk.value("SELECT epoch FROM conversations WHERE id = %s::uuid", customer.conversation())


def release(desk):
    desk.installation.deskctl("release", "--yes", "--without-reconcile")


def test_v5e_pending_replies_of_both(desk):
    """Replies that were committed before the merge and had not left are refused at every claim: their epoch is
    the old one. Guard: store/merge.c raises, its first statement."""
    ann, bob = two(desk)
    take_over(desk, bob)
    hand_back(desk, bob)
    before = epoch_of(ann), epoch_of(bob)
    assert before == (0, 2)
    try:
        first = held_back(desk, ann)
        second = held_back(desk, bob)
        done = merge(ann, bob)
        assert done["state"] == "merged" and done["messages"] == 4, done
        assert is_one(ann, bob) and epoch_of(ann) == max(before) + 1
    finally:
        release(desk)
    assert oracle.new_nonces(wait_sent(desk, ann, 2)[1]) == [first.nonce]
    assert oracle.new_nonces(wait_sent(desk, bob, 2)[1]) == [second.nonce]
    quiet(desk, 1.5, lambda: desk.sent_to(ann.address) + desk.sent_to(bob.address))
    assert len(desk.sent_to(ann.address)) == len(desk.sent_to(bob.address)) == 2
    assert len(whole_thread(ann)) == 8
    assert merge(ann, bob)["state"] == "unchanged"


def test_v5e_turns_in_flight_of_both(desk):
    """Turns of both are computed from half of the thread: they are refused, begin anew with all of it, and count
    no try. Guard: the epoch, the highest of both + 1 (store/merge.c raises)."""
    ann, bob = two(desk)
    texts = [ann.make(), bob.make()]
    desk.faults("model", *({"match": said.nonce, "count": 1, "action": {"type": "delay", "ms": 6000}}
                           for said in texts))
    say(desk, *texts)
    desk.wait(lambda: len(ann.model_calls()) == len(bob.model_calls()) == 2, 15, "both turns to think")
    merge(ann, bob)
    for customer, said in zip((ann, bob), texts):
        assert oracle.new_nonces(wait_sent(desk, customer, 2)[1]) == [said.nonce]
        turn = customer.turns()[1]
        assert turn["outcome"] == "reply" and turn["tries"] == 0 and turn["epoch"] == 1, turn
        assert turn["conversation_id"] == ann.conversation()
    quiet(desk, 1.5, lambda: desk.sent_to(ann.address) + desk.sent_to(bob.address))
    assert len(desk.sent_to(ann.address)) == len(desk.sent_to(bob.address)) == 2


def test_v5e_one_is_held(desk):
    """A person holds one of them: he holds the whole thread, and what the assistant has not sent in the other
    never leaves; handed back it is answered, once. Guard: store/merge.c silence."""
    ann, bob = two(desk)
    try:
        said = held_back(desk, bob)
        take_over(desk, ann)
        done = merge(ann, bob)
        assert done["held"] == "yes" and is_one(ann, bob)
        assert bob.replies()[1][2] == "suppressed", bob.replies()
    finally:
        release(desk)
    later = bob.text()
    bob.wait_event(later, "open")
    quiet(desk, 2.0, lambda: desk.sent_to(bob.address))
    assert len(desk.sent_to(bob.address)) == 1 and bob.session()["due_at"] is None
    good(desk, "reply", done["conversation"], "A person speaking.")
    desk.wait(lambda: "A person speaking." in desk.sent_to(bob.address), 20, "the operator's words")
    hand_back(desk, ann)
    bob.wait_event(later, "human")
    quiet(desk, 1.5, lambda: desk.sent_to(bob.address))
    sent = desk.sent_to(bob.address)
    assert len(sent) == 2 and not any(said.nonce in body for body in sent), sent


def test_v5e_two_people_hold_one_each(desk):
    ann, bob = two(desk)
    for customer, person in ((ann, "ops:one"), (bob, "ops:two")):
        desk.sql("UPDATE conversations SET held_by = %s, held_at = clock_timestamp() WHERE id = %s::uuid", person,
                 customer.conversation())
    done = expect(FAILED, desk, "contact", "merge", ann.address, bob.address, *tenant_of(ann), "--yes")
    assert "two people hold" in done.said and not is_one(ann, bob)


def test_a_merge_keeps_the_flag_that_counts(desk):
    """`dmarc` is anybody's doing: it does not hide a lost turn or a loop of the other thread."""
    for kept, gone, joined in (("dmarc", "loop", "loop"), ("turn_failed", "dmarc", "turn_failed"),
                               ("dmarc", None, "dmarc"), (None, "dmarc", "dmarc")):
        ann, bob = two(desk)
        for customer, flag in ((ann, kept), (bob, gone)):
            desk.sql("UPDATE conversations SET flagged = %s WHERE id = %s::uuid", flag, customer.conversation())
        merge(ann, bob)
        assert desk.value("SELECT flagged FROM conversations WHERE id = %s::uuid",
                          ann.conversation()) == joined, (kept, gone)


def test_v5e_takeover_that_waits_for_the_merge(desk):
    """Who takes over the conversation that goes must not be told "yours" of what is empty.
    Guard: store/conversation.c merged_sql, behind the raise."""
    ann, bob = two(desk)
    old = bob.conversation()
    with Held(desk) as slow:
        slow.run("SELECT 1 FROM channel_sessions WHERE id = %s::uuid FOR UPDATE", bob.session()["id"])
        joining = background(merge, ann, bob)
        slow.wait_blocks("ops", what="the merge to wait for the session")
        taking = background(run, desk, "takeover", old)
        desk.wait(lambda: not taking.running() or desk.value(
            "SELECT count(*) FROM pg_stat_activity WHERE usename = 'frontdesk_ops' AND wait_event_type = 'Lock'"
            " AND datname = current_database()") >= 2, 10, "the takeover's move")
        slow.commit()
    joining()
    if taking().code != 0:
        good(desk, "takeover", old)
    holders = desk.sql("SELECT held_by FROM conversations WHERE id = ANY (%s::uuid[]) AND held_by IS NOT NULL",
                       [old, ann.conversation()])
    assert is_one(ann, bob) and len(holders) == 1
    assert desk.value("SELECT held_by IS NOT NULL FROM conversations WHERE id = %s::uuid", ann.conversation())
    good(desk, "handback", old)


def claim_meets_merge(desk, said, ann, bob, locked, *params):
    """The claim of bob's text waits for a row, with all else done, and a merge comes."""
    with Held(desk) as slow:
        slow.run(locked, *params)
        say(desk, said)
        slow.wait_blocks("engine", what="the claim to wait")
        joining = background(merge, ann, bob)
        desk.wait(lambda: not joining.running() or desk.value(
            "SELECT count(*) FROM pg_stat_activity WHERE usename = 'frontdesk_ops' AND wait_event_type = 'Lock'"
            " AND datname = current_database()"), 10, "the merge's move")
        slow.commit()
    joining()


def test_v5e_claim_at_the_same_moment(desk):
    """A claim that began before the merge puts its text into the conversation that goes.
    Guards: the locks of store/merge.c against those of store/inbox.c; here the session's alone would do."""
    ann, bob = two(desk)
    said = bob.make()
    claim_meets_merge(desk, said, ann, bob, "SELECT 1 FROM channel_sessions WHERE id = %s::uuid FOR UPDATE",
                      bob.session()["id"])
    assert oracle.new_nonces(wait_sent(desk, bob, 2)[1]) == [said.nonce]
    assert is_one(ann, bob) and any(said.nonce in body for body in whole_thread(ann))


def test_v5e_claim_that_opens_a_conversation(desk):
    """Somebody whose conversation was over writes to another number: what the claim opens nobody else sees yet, so that
    the merge would leave it to the contact that goes. Guards: of store/merge.c lock_addresses_sql, and behind it
    MERGE_LOCK_CONTACTS_SQL; without both of them the text is nobody's."""
    ann, bob = two(desk)
    desk.sql("UPDATE conversations SET closed_at = clock_timestamp() WHERE id = %s::uuid", bob.conversation())
    channel, number = str(uuid.uuid4()), desk.new_address()
    desk.sql("INSERT INTO channels (tenant_id, id, kind, address, account_sid, credentials, edge_keys, assistant_id,"
             " published_version) SELECT tenant_id, %s::uuid, kind, %s, account_sid, credentials, edge_keys, assistant_id, 1"
             " FROM channels WHERE tenant_id = %s::uuid AND kind = 'sms' AND removed_at IS NULL LIMIT 1", channel, number,
             bob.tenant_id)
    try:
        said = bob.make(to=number)
        claim_meets_merge(desk, said, ann, bob, "SELECT 1 FROM channels WHERE id = %s::uuid FOR UPDATE", channel)
        desk.wait(lambda: bob.event(said) == ("answered", None), 20, lambda: bob.event(said))
        talk = desk.value("SELECT conversation_id::text FROM channel_sessions WHERE channel_id = %s::uuid", channel)
        assert talk == ann.conversation() and any(said.nonce in body for body in whole_thread(ann))
        assert contact_of(ann) == contact_of(bob)
    finally:
        desk.sql("UPDATE channels SET removed_at = clock_timestamp() WHERE id = %s::uuid", channel)


def test_v5e_merges_that_cross(desk):
    """The same two from both sides at once, and three in a ring: one person comes of it, and every text is there."""
    people = [met(desk)[0] for _ in range(5)]
    ann, bob, one, other, third = people
    with ThreadPoolExecutor(8) as pool:
        jobs = [pool.submit(merge, *pair) for pair in
                ((ann, bob), (bob, ann), (one, other), (other, third), (third, one))]
        states = [job.result()["state"] for job in jobs]
    assert states[:2].count("merged") == 1 and states[2:].count("merged") == 2, states
    assert is_one(ann, bob) and is_one(one, other, third)
    assert len(whole_thread(ann)) == 4 and len(whole_thread(one)) == 6
    texts = [customer.text() for customer in people]
    for customer, said in zip(people, texts):
        assert oracle.new_nonces(wait_sent(desk, customer, 2)[1]) == [said.nonce]


def test_stop_at_one_address_counts_at_all(desk):
    """The stricter consent wins, a later START counts, and a split gives back what was."""
    ann, bob = two(desk)
    sender = ann.known["numbers"]["sms"]

    def consent(customer):
        return desk.value("SELECT max(state) FROM consents WHERE tenant_id = %s::uuid AND sender = %s AND address = %s",
                          customer.tenant_id, sender, customer.address)

    bob.wait_event(bob.text("STOP"), "ended")
    merge(ann, bob)
    assert consent(ann) == consent(bob) == "opted_out"
    refused = ann.text()
    ann.wait_event(refused, "ended")
    assert ann.event(refused) == ("ended", "no_consent")
    assert split(bob)["state"] == "split"
    assert consent(ann) is None and consent(bob) == "opted_out"
    merge(ann, bob)
    ann.wait_event(ann.text("START"), "ended")
    assert consent(ann) == "opted_in" and consent(bob) == "opted_out"
    split(bob)
    assert consent(ann) == "opted_in"


def test_split_gives_each_what_is_his(desk):
    """What was said before and since with the other's address goes with him; nobody's prompt holds the other's
    words any more, turns in flight included."""
    ann, bob = two(desk)
    talks = ann.conversation(), bob.conversation()
    merge(ann, bob)
    for customer in (ann, bob):
        customer.text()
        wait_sent(desk, customer, 2)
    texts = [ann.make(), bob.make()]
    desk.faults("model", *({"match": said.nonce, "count": 1, "action": {"type": "delay", "ms": 6000}}
                           for said in texts))
    say(desk, *texts)
    desk.wait(lambda: len(ann.model_calls()) == len(bob.model_calls()) == 3, 15, "both turns to think")
    assert split(bob)["conversations"] == 1
    assert (ann.conversation(), bob.conversation()) == talks and contact_of(ann) != contact_of(bob)
    for customer, other, said in zip((ann, bob), (bob, ann), texts):
        assert oracle.new_nonces(wait_sent(desk, customer, 3)[2]) == [said.nonce]
        turn = customer.turns()[2]
        assert turn["tries"] == 0 and turn["epoch"] == epoch_of(customer), turn
        mine = [body for body in whole_thread(customer)]
        assert len(mine) == 6, mine
        theirs = {nonce for body in whole_thread(other) for nonce in oracle.NONCE.findall(body)}
        last = customer.model_calls()[-1]
        assert not theirs & set(oracle.NONCE.findall(str(last["params"]))), last["params"]
    expect(NOT_FOUND, desk, "contact", "split", bob.address, *tenant_of(bob), "--yes")


def test_split_in_the_order_of_merges(desk):
    """Who has become part of somebody else is split from him first."""
    ann, bob, carl = met(desk)[0], met(desk)[0], met(desk)[0]
    ids = {customer: contact_of(customer) for customer in (ann, bob, carl)}
    merge(bob, carl)
    merge(ann, bob)
    assert is_one(ann, bob, carl)
    done = expect(FAILED, desk, "contact", "split", ids[carl], "--yes")
    assert "split that first" in done.said
    split(bob)
    assert is_one(bob, carl) and contact_of(ann) == ids[ann] and contact_of(bob) == ids[bob]
    good(desk, "contact", "split", ids[carl], "--yes")
    assert all(contact_of(customer) == ids[customer] for customer in ids)
    assert [len(whole_thread(customer)) for customer in ids] == [2, 2, 2]


def test_erasure_of_somebody_who_was_joined(desk):
    """Everything said with any of his addresses goes, and the rows that say who he was."""
    ann, bob = two(desk)
    before = [contact_of(ann), contact_of(bob)]
    merge(ann, bob)
    good(desk, "erase", *tenant_of(ann), "--address", ann.address, "--yes")
    assert desk.value("SELECT count(*) FROM contacts WHERE id = ANY (%s::uuid[])", before) == 0
    assert desk.value("SELECT count(*) FROM contact_merges WHERE kept_id = ANY (%s::uuid[])", before) == 0
    assert not ann.session() and not bob.session()
    again = bob.text()
    assert oracle.new_nonces(desk.wait_replies(bob.address, 2)[1]) == [again.nonce]


def test_words_of_the_command(desk):
    ann, bob = two(desk)
    for code, words, hint in [
            (USAGE, ["merge", ann.address], "usage: deskctl contact merge KEPT OTHER"),
            (NOT_FOUND, ["merge", ann.address, bob.address], "needs --tenant NAME"),
            (NOT_FOUND, ["merge", ann.address, "+15550000000", *tenant_of(ann)], "no contact"),
            (USAGE, ["merge", ann.address, bob.address, *tenant_of(ann)], "add --yes"),
            (USAGE, ["split", bob.address], "needs --tenant NAME"),
            (NOT_FOUND, ["split", bob.address, *tenant_of(bob), "--yes"], "not joined with anybody"),
            (USAGE, ["suggestions", "--limit", "0"], "from 1 to 1000")]:
        done = expect(code, desk, "contact", *words)
        assert hint in done.said, (words, done)
    assert not is_one(ann, bob)
    old = bob.conversation()
    good(desk, "contact", "merge", contact_of(ann), contact_of(bob), "--yes")
    listed = [row["id"] for row in good(desk, "conversation", "list", "--limit", "1000", "--json").json()]
    assert old not in listed and ann.conversation() in listed
    shown = good(desk, "conversation", "show", old, "--json").json()
    assert shown["id"] == ann.conversation() and len(shown["messages"]) == 4
    assert "conversation.merged" in [deed["action"] for deed in shown["people"]]


# Merges at many moments of running turns


def swept(desk):
    """Pairs of known customers: both write, and somewhere around that they are joined."""
    with ThreadPoolExecutor(8) as pool:
        people = [Customer(desk) for _ in range(2 * PAIRS)]
        say(desk, *[customer.make() for customer in people])
        desk.wait(lambda: desk.value(
            "SELECT count(*) FROM deliveries d JOIN channel_sessions s ON s.tenant_id = d.tenant_id"
            " AND s.id = d.session_id WHERE s.remote_address = ANY (%s) AND d.state IN ('sent', 'delivered')",
            [customer.address for customer in people]) == len(people), 90, "the first replies")
        desk.faults("model", {"action": {"type": "delay", "ms": MODEL_MS}})
        desk.faults("twilio", {"path": "/Messages.json", "method": "POST",
                               "action": {"type": "delay", "ms": PROVIDER_MS}})
        pairs = list(zip(people[::2], people[1::2]))
        texts = [(ann.make(), bob.make()) for ann, bob in pairs]
        begin, clock = time.monotonic() + 0.5, threading.Event()
        step, jobs = (TO_S - FROM_S) / (PAIRS - 1), []
        # Neighbours in time are at different moments of their turns.
        plan = sorted([(0.25 * at, at, "write") for at in range(PAIRS)]
                      + [(0.25 * at + FROM_S + at * 11 % PAIRS * step, at, "join") for at in range(PAIRS)])
        for when, at, what in plan:
            clock.wait(max(0, begin + when - time.monotonic()))
            if what == "join":
                jobs.append(pool.submit(merge, *pairs[at]))
            else:
                say(desk, *texts[at])
        for job in jobs:
            assert job.result()["state"] == "merged"
    return pairs, texts


def test_merges_at_many_moments_of_a_turn(desk):
    """Each text is answered by one reply at its own address, and nothing is sent twice."""
    start(desk)
    pairs, texts = swept(desk)
    everybody = [(customer, said) for pair, both in zip(pairs, texts) for customer, said in zip(pair, both)]
    for customer, _ in everybody:
        desk.wait_replies(customer.address, 2, 90)
    desk.settled(3, lambda: (len(desk.ledger("twilio")), desk.value(
        "SELECT count(*) FROM deliveries WHERE settled_at IS NULL")), 60)
    for customer, said in everybody:
        bodies = desk.sent_to(customer.address)
        assert len(bodies) == 2, (customer.address, bodies, customer.replies())
        assert oracle.new_nonces(bodies[1]) == [said.nonce], (bodies, said)
        assert customer.event(said)[0] == "answered"
        assert [turn["outcome"] for turn in customer.turns()] == ["reply", "reply"]
    for ann, bob in pairs:
        assert is_one(ann, bob) and len(whole_thread(ann)) >= 8
