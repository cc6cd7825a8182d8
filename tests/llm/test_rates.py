"""What holds a turn up before a model is asked, above all limits of a tenant's models, per minute and of calls
at once: who waits for a place, who asks the next model, and what is kept of the wait. A model is counted by its
name, so each test has one of its own.
"""

import contextlib

from operating import TENANTS, good
from scripted import Customer, engines, say
from test_chain import GARAGE, PATHS, UNHURRIED, apply, calls, entry, status

SHARE = True
DEADLINE_S = 150

MINUTE_S = 60


@contextlib.contextmanager
def limited(desk, *entries, on=None, **config):
    engines(desk, **{**UNHURRIED, **config})
    apply(desk, *entries, on=on)
    try:
        yield
    finally:
        good(desk, "tenant", "apply", TENANTS / "garage.yaml", "--yes")


def asked(desk, customers):
    """[(address, when it was asked in seconds, queue_ms)] in the order of the model calls. Places are
    given by the second: those of one come at once, and stand as their turns began."""
    return desk.sql(
        "SELECT s.remote_address, extract(epoch FROM l.started_at)::double precision, l.queue_ms"
        " FROM llm_calls l JOIN turns t ON t.tenant_id = l.tenant_id AND t.id = l.turn_id"
        " JOIN channel_sessions s ON s.tenant_id = t.tenant_id AND s.id = t.session_id"
        " WHERE s.remote_address = ANY(%s) ORDER BY date_trunc('second', l.started_at), t.id",
        [customer.address for customer in customers])


def reasons(customer):
    """Of the customer's escalations."""
    return [reason for (reason,) in customer.desk.sql(
        "SELECT reason FROM escalations WHERE tenant_id = %s::uuid AND conversation_id = %s::uuid",
        customer.tenant_id, customer.conversation())]


def test_wait_for_a_place_among_the_turns_is_kept(desk):
    """One turn at a time: the second's row says how long it was held up, from its own text on, which may
    have come in a little later. Guard: act_queue."""
    with limited(desk, entry(desk, "openai", model="one-at-a-time"), max_in_flight=1):
        desk.faults("model", {"count": 1, "action": {"type": "delay", "ms": 2200}})
        customers = [Customer(desk, GARAGE) for _ in range(2)]
        say(desk, *[customer.make() for customer in customers])
        for customer in customers:
            customer.wait_replies(1)
        desk.faults("model")
        first, second = [ms for *_, ms in asked(desk, customers)]
        assert second - first >= 800, (first, second)


def test_next_model_is_asked_when_the_place_comes_late(desk):
    """Requests and tokens: the second turn would wait for most of a minute, longer than the model's first
    word may take. Guard: patience_for."""
    for limit in ({"requests_per_minute": 1}, {"tokens_per_minute": 300}):
        model = "-".join(["next", *limit])
        with limited(desk, entry(desk, "openai", model=model, **limit), entry(desk, "gemini")):
            customer = Customer(desk, GARAGE)
            for count in (1, 2):
                customer.text()
                assert customer.wait_replies(count)[-1][1] == "reply", calls(customer)
            assert calls(customer) == [("openai", "answered", ""), ("gemini", "answered", "")], limit


def test_place_after_the_turn_is_not_waited_for(desk):
    """With no other model the customer gets the wording at once, nothing is asked, and nobody is told of an
    outage. Guard: `failed` in note_failure."""
    with limited(desk, entry(desk, "openai", model="late", requests_per_minute=1), on=["provider_outage"]):
        first, second = Customer(desk, GARAGE), Customer(desk, GARAGE)
        for customer in (first, second):
            customer.text()
            customer.wait_replies(1)
        assert [customer.replies()[0][1] for customer in (first, second)] == ["reply", "fallback"]
        assert calls(second) == [] and reasons(second) == []


def test_outage_behind_a_limit_is_told(desk):
    """The first model is away, and the one behind it has no place: that is an outage. Guard: `failed` of the
    session."""
    with limited(desk, entry(desk, "openai"), entry(desk, "gemini", model="behind", requests_per_minute=1),
                 on=["provider_outage"]):
        desk.faults("model", {"path": PATHS["openai"], "action": status(500)})
        first, second = Customer(desk, GARAGE), Customer(desk, GARAGE)
        for customer in (first, second):
            customer.text()
            customer.wait_replies(1)
        desk.faults("model")
        assert [customer.replies()[0][1] for customer in (first, second)] == ["reply", "fallback"]
        assert reasons(first) == [] and reasons(second) == ["provider_outage"]


def test_turn_waits_for_its_place(desk):
    """Two requests a minute, four customers: the last two wait for a minute, first come, first served, are
    answered, and it is told how long they waited. Guard: rate_take."""
    with limited(desk, entry(desk, "openai", model="patient", requests_per_minute=2),
                 turn_deadline_ms=100000):
        customers = [Customer(desk, GARAGE) for _ in range(4)]
        for customer in customers[:2]:
            customer.text()
            customer.wait_replies(1)
        for customer in customers[2:]:
            customer.text()
            desk.wait(lambda: customer.session() and desk.value(
                "SELECT count(*) FROM turns WHERE session_id = %s::uuid", customer.session()["id"]),
                15, "the turn that waits")
        desk.wait(lambda: all(customer.replies() for customer in customers), 80,
                  lambda: f"four replies, got {[customer.replies() for customer in customers]}")
        assert [customer.replies()[0][1] for customer in customers] == ["reply"] * 4
        rows = asked(desk, customers)
        assert [address for address, *_ in rows] == [customer.address for customer in customers]
        when = [at for _, at, _ in rows]
        assert when[2] - when[0] >= MINUTE_S and when[3] - when[1] >= MINUTE_S, when
        queued = [ms for *_, ms in rows]
        assert max(queued[:2]) < 20000 < min(queued[2:]), queued
        metrics = desk.service("engine-1").metrics()
        assert metrics["frontdesk_model_queue_seconds_count"] >= 4
        shown = good(desk, "conversation", "show", customers[3].conversation()).out
        assert f"queued {queued[3]} ms" in shown, shown


def most_at_once(desk, customers):
    """How many of the model calls for them were at work at a time."""
    spans = desk.sql(
        "SELECT extract(epoch FROM l.started_at) * 1000, extract(epoch FROM l.started_at) * 1000 + l.total_ms"
        " FROM llm_calls l JOIN turns t ON t.tenant_id = l.tenant_id AND t.id = l.turn_id"
        " JOIN channel_sessions s ON s.tenant_id = t.tenant_id AND s.id = t.session_id"
        " WHERE s.remote_address = ANY(%s)", [customer.address for customer in customers])
    return max(sum(begin <= at < end for begin, end in spans) for at, _ in spans)


def hold(desk, vendor, customer, ms=6000):
    """The model of that vendor has a call for the customer, which takes so long."""
    said = customer.make()
    desk.faults("model", {"path": PATHS[vendor], "match": said.nonce, "action": {"type": "delay", "ms": ms}})
    say(desk, said)
    desk.wait(lambda: desk.fired("model")[0]["fired"] >= 1, 15, "the call that takes its time")


def test_calls_at_once_are_bounded(desk):
    """Two calls at once, six customers: the others wait in line, all are answered. Guard: crowd_take."""
    with limited(desk, entry(desk, "openai", model="few", concurrent=2)):
        desk.faults("model", {"action": {"type": "delay", "ms": 700}})
        customers = [Customer(desk, GARAGE) for _ in range(6)]
        say(desk, *[customer.make() for customer in customers])
        for customer in customers:
            assert customer.wait_replies(1, 20)[0][1] == "reply", calls(customer)
        desk.faults("model")
        assert most_at_once(desk, customers) == 2
        metrics = desk.service("engine-1").metrics()
        assert metrics["frontdesk_models_crowded_total"] >= 4
        desk.wait(lambda: desk.service("engine-1").metrics()["frontdesk_model_calls_waiting"] == 0, 10,
                  "nobody to wait any more")


def test_crowded_model_is_passed_over(desk):
    """With another model in the chain nobody waits in a line: a slow one holds up the turn that it has."""
    with limited(desk, entry(desk, "openai", model="one", concurrent=1), entry(desk, "gemini")):
        first, second = Customer(desk, GARAGE), Customer(desk, GARAGE)
        hold(desk, "openai", first)
        second.text()
        assert second.wait_replies(1)[0][1] == "reply"
        assert calls(second) == [("gemini", "answered", "")] and first.replies() == []
        assert first.wait_replies(1)[0][1] == "reply"
        assert calls(first) == [("openai", "answered", "")]
        desk.faults("model")


def test_slow_provider_does_not_take_all_turns(desk):
    """A provider has as many turns as it may: whoever comes then is asked of the next model, or answered without
    one, at once and without an outage to tell of. Guard: provider_in_flight."""
    with limited(desk, entry(desk, "openai", model="slow"), entry(desk, "gemini"), provider_in_flight=1):
        first, second = Customer(desk, GARAGE), Customer(desk, GARAGE)
        hold(desk, "openai", first)
        second.text()
        assert second.wait_replies(1)[0][1] == "reply"
        assert calls(second) == [("gemini", "answered", "")]
        apply(desk, entry(desk, "openai", model="slow"), on=["provider_outage"])
        third = Customer(desk, GARAGE)
        third.text()
        assert third.wait_replies(1)[0][1] == "fallback"
        assert calls(third) == [] and reasons(third) == [] and first.replies() == []
        first.wait_replies(1)
        desk.faults("model")
