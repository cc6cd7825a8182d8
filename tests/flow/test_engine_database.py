"""The engine and a database that refuses, is out of order, or holds a lock."""

from harness import oracle
from scripted import Customer, Held, claim_by_hand, dead_worker, engines, letters, quiet, refusals

SHARE = True  # the helper restarts the engines when a test needs others


def test_texts_wait_while_the_database_refuses(desk):
    """A migration or a GRANT is missing: no text can help it, and none becomes a dead letter."""
    engines(desk)
    customer = Customer(desk)
    desk.sql("REVOKE INSERT ON messages FROM frontdesk_engine")
    try:
        since = len(desk.log("engine-1"))
        said = customer.text()
        desk.wait(lambda: refusals(desk, "engine-1", "claim.failed", since) > 7, 20,
                  "more refusals than an error of the text's own would get")
    finally:
        desk.sql("GRANT INSERT ON messages TO frontdesk_engine")
    (body, _, _), = customer.wait_replies(1, 20)
    assert oracle.new_nonces(body) == [said.nonce]
    assert not [letter for letter in desk.kafka_records("dlq")
                if said.nonce.encode() in letter.value]


def test_text_waits_while_the_database_is_out_of_order(desk):
    """A damaged page, or an error that nobody thought of, is not the text's fault: it is no dead
    letter while a moment may help."""
    engines(desk)
    customer = Customer(desk)
    customer.text()
    customer.wait_replies(1)
    for number, (code, seconds) in enumerate([("XX001", 4), ("38000", 0.3)]):
        desk.sql("CREATE FUNCTION out_of_order() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                 f" RAISE EXCEPTION 'out of order' USING ERRCODE = '{code}'; END $$")
        desk.sql("CREATE TRIGGER out_of_order BEFORE INSERT ON inbox_events"
                 " FOR EACH ROW EXECUTE FUNCTION out_of_order()")
        known = len(letters(desk))
        try:
            said = customer.text()
            service = next(iter(desk.services))
            desk.wait(lambda: any(line.get("event") == "claim.failed" and code in line["err"]["code"]
                                  for line in desk.log(service)), 10, "a failed claim")
            quiet(desk, seconds, lambda: len(letters(desk)))
        finally:
            desk.sql("DROP FUNCTION out_of_order() CASCADE")
        customer.wait_event(said, "answered", 30)
        assert len(letters(desk)) == known
        assert oracle.new_nonces(customer.wait_replies(2 + number)[-1][0]) == [said.nonce]


def test_row_that_nobody_was_told_of(desk):
    """Kafka wakes, PostgreSQL remembers: a claim whose process is gone is found by its row."""
    engines(desk)
    customer = Customer(desk)
    customer.text()
    customer.wait_replies(1)
    with Held(desk) as claim:
        nonce = claim_by_hand(claim, customer, dead_worker(desk))
        claim.commit()
    assert oracle.new_nonces(customer.wait_replies(2)[1][0]) == [nonce]


def lock(held, *customers):
    """Holds the conversations of these customers, once their first text is claimed."""
    for customer in customers:
        customer.desk.wait(customer.session, 10, "the claim")
        held.run("SELECT 1 FROM conversations WHERE id = %s::uuid FOR NO KEY UPDATE",
                 customer.conversation())


def test_lock_holds_up_one_batch_only(desk):
    """What shared a batch of starts with a conversation that a client holds is started without it the
    next time. Three more locks keep the two units busy, so that the others line up with it."""
    engines(desk, burst_ms=1500, burst_max_ms=3000)
    one, two, three, stuck, *others = (Customer(desk) for _ in range(10))

    def failed_batches():
        return [line for line in desk.log("engine-1")[since:]
                if line.get("event") == "statement.failed" and line.get("turns", 0) > 1]
    with Held(desk) as first, Held(desk) as second, Held(desk) as third, Held(desk) as held:
        for held_up, customer in ((first, one), (second, two)):  # each by itself, else they are a batch
            customer.text()
            lock(held_up, customer)
        for customer in (stuck, *others):
            customer.text()
        lock(held, stuck)
        first.wait_blocks("engine")
        second.wait_blocks("engine")
        desk.wait(lambda: all(customer.session() and desk.value(
            "SELECT due_at < clock_timestamp() FROM channel_sessions WHERE id = %s::uuid",
            customer.session()["id"]) for customer in others), 10, "the others to be due")
        since = len(desk.log("engine-1"))
        first.commit()
        held.wait_blocks("engine", what="the batch")
        three.text()
        lock(third, three)
        desk.wait(failed_batches, 10, "the batch to fail")
        quiet(desk, 0.5, lambda: len(failed_batches()))  # its sessions line up again
        second.commit()
        third.commit()
        for other in others:
            other.wait_replies(1)
        assert not stuck.replies()
    assert len(failed_batches()) == 1, failed_batches()
    stuck.wait_replies(1)
