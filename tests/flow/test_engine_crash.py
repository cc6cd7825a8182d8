"""Engines that are drained, killed, frozen or joined by others: every text is answered once."""

from harness import oracle
from harness.stops import KILL
from scripted import (Customer, add_engine, answered, engines, freeze_turn, hold_model, letters,
                      quiet, say, service_of, wait_gone, worker_of)

SHARE = True  # the helper restarts the engines when a test needs others

DEGRADED = "Thank you for your message. We have noted it"


def test_drain_gives_back(desk):
    """SIGTERM: exit code 0, the session is nobody's, another engine takes it up at once."""
    engines(desk, burst_ms=4000, burst_max_ms=8000, worker_lease_ms=20000, adopt_every_ms=100)
    customer = Customer(desk)
    said = customer.text()
    customer.wait_event(said, "open")
    worker = customer.session()["worker"]
    assert desk.terminate("engine-1") == 0
    assert customer.session()["worker"] is None and customer.session()["due_at"]
    assert desk.value("SELECT dead FROM workers WHERE id = %s::uuid", worker)
    engines(desk)
    (body, _, _), = customer.wait_replies(1, 15)
    assert oracle.new_nonces(body) == [said.nonce] and customer.turns()[0]["tries"] == 0


def test_drain_finishes_what_it_works_at(desk):
    engines(desk)
    hold_model(desk, 1000)
    try:
        customer = Customer(desk)
        said = customer.text()
        desk.wait(customer.model_calls, 10, "the model to be asked")
        assert desk.terminate("engine-1") == 0
    finally:
        desk.faults("model")
    (body, _, _), = customer.wait_replies(1, 1)
    assert oracle.new_nonces(body) == [said.nonce] and len(customer.model_calls()) == 1


def test_killed_engine_is_followed(desk):
    """An event claimed by a process that died before its turn ended is taken up again."""
    for point in ("engine.claiming", "engine.claimed", "engine.started", "engine.answered",
                  "engine.committing", "engine.committed"):
        engines(desk, 2)
        customer = Customer(desk)
        first = customer.text()
        customer.wait_replies(1)
        said = customer.make()
        subject = said.sid if point.startswith("engine.claim") else customer.session()["id"]
        stop = desk.stops.arm(point, action=KILL, match=subject)
        say(desk, said)
        desk.wait(lambda: stop.hits, 10, f"{point} to kill")
        wait_gone(desk, stop.pid)
        bodies = [body for body, _, _ in customer.wait_replies(2, 20)]
        assert [oracle.new_nonces(body) for body in bodies] == [[first.nonce], [said.nonce]]
        desk.revive()


def test_frozen_engine_is_followed_and_writes_nothing(desk):
    """Frozen for longer than its lease in the middle of a turn: another one adopts and answers;
    thawed, the first registers under a new name and changes nothing."""
    engines(desk, 2)
    customer = Customer(desk)
    customer.text()
    customer.wait_replies(1)
    stop = freeze_turn(desk, customer, "engine.answered")
    said = customer.text()
    desk.wait(lambda: stop.hits, 10, "the freeze")
    frozen = service_of(desk, stop.pid)
    old = worker_of(desk, frozen)
    replies = customer.wait_replies(2, 20)
    assert oracle.new_nonces(replies[1][0]) == [said.nonce]
    before = customer.session()
    assert before["worker"] != old
    assert desk.value("SELECT dead FROM workers WHERE id = %s::uuid", old)
    desk.thaw(frozen)
    desk.wait(lambda: desk.value("SELECT count(*) FROM workers WHERE process = %s AND NOT dead"
                                 " AND lease_until > clock_timestamp()", f"{frozen}/0") == 1, 10,
              "the thawed engine to register anew")
    quiet(desk, 1.0, customer.replies)
    assert customer.session() == before and len(customer.replies()) == 2
    assert desk.value("SELECT dead FROM workers WHERE id = %s::uuid", old)
    last = customer.text()
    assert oracle.new_nonces(customer.wait_replies(3)[2][0]) == [last.nonce]


def test_two_engines_share_and_a_third_joins(desk):
    """A rebalance under way loses nothing and answers nothing twice."""
    engines(desk, 2, turn_deadline_ms=20000)
    customers = [Customer(desk) for _ in range(20)]
    said = {customer.address: [] for customer in customers}
    for round_ in range(6):
        texts = [customer.make() for customer in customers]
        for customer, text in zip(customers, texts):
            said[customer.address].append(text.nonce)
        say(desk, *texts)
        if round_ == 2:
            add_engine(desk, 3, turn_deadline_ms=20000)
        if round_ == 4:
            assert desk.terminate("engine-3") == 0
    for customer in customers:
        desk.wait(lambda c=customer: len(answered(c)) >= 6, 30,
                  lambda c=customer: f"six answers to {c.address}: {answered(c)}")
        assert answered(customer) == said[customer.address], customer.replies()
    del desk.services["engine-3"]


def unanswered(desk):
    """What the rows say of up to three texts without an answer."""
    return desk.sql(
        "SELECT to_jsonb(e) - 'content_hash', to_jsonb(s), to_jsonb(t), to_jsonb(w),"
        " clock_timestamp() FROM inbox_events e LEFT JOIN channel_sessions s"
        " ON s.tenant_id = e.tenant_id AND s.id = e.session_id LEFT JOIN turns t"
        " ON t.tenant_id = s.tenant_id AND t.id = s.turn_id LEFT JOIN workers w ON w.id = s.worker"
        " WHERE e.state <> 'answered' AND e.claimed_at > clock_timestamp() - interval '5 min'"
        " LIMIT 3")


def astray(desk, texts):
    """Where the first texts are that have no answer: in the topic, a dead letter, an event."""
    states = dict(desk.sql("SELECT provider_id, state FROM inbox_events WHERE provider_id = ANY (%s)",
                           [text.sid for text in texts]))
    left = [text for text in texts if states.get(text.sid) != "answered"][:3]
    records = desk.kafka_records("inbound.sms")
    dead = letters(desk)
    return "; ".join(
        f"{text.sid} {states.get(text.sid)} in"
        f" {[f'{r.partition}/{r.offset}' for r in records if text.nonce.encode() in r.value]},"
        f" {sum(text.nonce.encode() in (r.value or b'') for r in dead)} dead letters"
        for text in left)


def test_turn_that_kills_its_engine(desk):
    """One poisoned turn among a thousand: its customer gets the degraded wording, after three
    processes died of it; all others get real replies. Their turns have the time that a busy machine
    needs for a thousand: what a turn's deadline does is another test's."""
    engines(desk, 2, turn_deadline_ms=20000, adopter_deadline_ms=20000)
    poison = Customer(desk)
    poison.text()
    poison.wait_replies(1)
    stop = desk.stops.arm("engine.thinking", action=KILL, times=50, match=poison.session()["id"])
    others = [Customer.__new__(Customer) for _ in range(999)]
    for other in others:
        other.desk, other.known, other.tenant_id = desk, poison.known, poison.tenant_id
        other.address = desk.new_address()
    texts = [other.make() for other in others]
    poisoned = poison.make()
    say(desk, *texts[:200], poisoned, *texts[200:600])
    rest = [texts[600 + 50 * n:650 + 50 * n] for n in range(8)]

    def over():
        desk.revive(("engine",), wait=False)
        if rest:
            say(desk, *rest.pop())
        return len(poison.replies()) == 2 and not rest
    desk.wait(over, 60, lambda: f"the degraded reply: {poison.replies()} {poison.turns()}")
    body, outcome, _ = poison.replies()[1]
    assert outcome == "degraded" and body.startswith(DEGRADED), (outcome, body)
    assert stop.hits == 3, stop.hits
    stop.disarm()
    assert desk.value("SELECT flagged FROM conversations WHERE id = %s::uuid",
                      poison.conversation()) == "turn_failed"
    addresses = [other.address for other in others]

    def outcomes():
        return dict(desk.sql(
            "SELECT t.outcome, count(*) FROM turns t JOIN channel_sessions s ON s.id = t.session_id"
            " AND s.tenant_id = t.tenant_id WHERE s.remote_address = ANY (%s) GROUP BY 1",
            addresses))
    desk.wait(lambda: outcomes() == {"reply": 999}, 60,
              lambda: f"999 replies: {outcomes()}, open: {unanswered(desk)}; {astray(desk, texts)}")
    last = poison.text()
    assert oracle.new_nonces(poison.wait_replies(3, 20)[2][0])[-1] == last.nonce


test_turn_that_kills_its_engine.deadline_s = 150
