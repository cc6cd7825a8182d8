"""Calls that the desk had placed before its database went back: `deskctl reconcile` finds them at the provider, and the
release places none a second time."""

import json
import re
from contextlib import contextmanager

from delivering import quiet
from operating import good, run, services
from recorded import rest
from ringing import ALWAYS, Callee, calling_hours

SHARE = True
DEADLINE_S = 90


@contextmanager
def held(desk):
    services(desk)
    desk.faults("twilio")
    for row in desk.sql("SELECT id::text FROM tenants"):
        calling_hours(desk, row[0], json.dumps(ALWAYS))
    good(desk, "hold", "a restore")
    try:
        yield
    finally:  # whatever happened: the tests that follow need their calls placed
        good(desk, "release", "--yes", "--without-reconcile")


def ordered(desk, **answers):
    """Somebody who is to be called about a task, by order."""
    callee = Callee(desk, **answers)
    desk.sql("INSERT INTO contact_addresses (tenant_id, kind, address, contact_id)"
             " VALUES (%s::uuid, 'phone', %s, %s::uuid)", callee.tenant, callee.address, callee.contact)
    desk.sql("UPDATE escalations SET call_ordered_at = clock_timestamp() - interval '1 min' WHERE id = %s::uuid",
             callee.task)
    return callee


def placed_before(desk, callee):
    """A call that was placed before the database went back, and is over: no row of ours knows it."""
    sid = rest(desk, "Calls.json", To=callee.address, From=callee.sender,
               Timeout="1", Twiml="<Response><Hangup/></Response>")["sid"]
    desk.wait(lambda: desk._call("twilio", f"/_calls/{sid}")["over"], 10, "the earlier call")
    return sid


def job(desk, callee):
    return desk.sql("SELECT due_at IS NOT NULL, last_error FROM jobs WHERE tenant_id = %s::uuid AND subject = %s",
                    callee.tenant, callee.task)[0]


def test_what_was_placed_is_not_placed_again(desk):
    """Settled by what came of it, as its own last word would have; whose was not placed is placed now. Before the
    release nothing leaves, and a look alone changes nothing."""
    with held(desk):
        busy, taken, asked = ordered(desk, answer="busy"), ordered(desk), Callee(desk, purpose="rota", answer="no-answer")
        other = ordered(desk)
        wanted = {busy: ("failed", "busy"), taken: ("delivered", "completed"), asked: ("failed", "no-answer")}
        deliveries = {callee: callee.call(wake=False) for callee in (*wanted, other)}
        sids = {callee: placed_before(desk, callee) for callee in wanted}
        done = run(desk, "reconcile")
        assert re.search(r"\b3 calls would be settled as placed before", done.said), done
        assert {callee.row(deliveries[callee])["state"] for callee in deliveries} == {"pending"}
        done = good(desk, "reconcile", "--execute")
        assert re.search(r"\b3 calls were settled as placed before", done.said), done
        for callee, (state, word) in wanted.items():
            row = callee.row(deliveries[callee])
            assert (row["state"], row["provider_status"], row["provider_sid"], row["reason"], row["attempts"]) == (
                state, word, sids[callee], "reconciled", 1), row
            attempt, = callee.tries(deliveries[callee])
            assert attempt["outcome"] == "accepted", attempt
            assert callee.timer_s() <= 0, "whoever waits for the end looks at once"
        assert other.row(deliveries[other])["state"] == "pending"
        assert "calls were settled" not in good(desk, "reconcile", "--execute").said, "known by now"
        good(desk, "release", "--yes")
        other.wait_state(deliveries[other], "sent", "delivered", deadline_s=30)
        assert [len(quiet(desk, 1.5, callee.placed)) for callee in (*wanted, other)] == [1] * 4


def test_one_call_stands_for_one_delivery(desk):
    """Of two that wait for one person the older one was placed; the other one is another call."""
    with held(desk):
        callee = Callee(desk, purpose="rota")
        # Whoever waits for the older one's end would go on with the rota, and end the other one's notice.
        desk.sql("DELETE FROM jobs WHERE tenant_id = %s::uuid AND subject = %s", callee.tenant, callee.task)
        older, newer = callee.call(wake=False), callee.call(wake=False)
        sid = placed_before(desk, callee)
        good(desk, "reconcile", "--execute")
        assert callee.row(older)["provider_sid"] == sid and callee.row(newer)["state"] == "pending"
        good(desk, "release", "--yes")
        callee.wait_state(newer, "sent", "delivered", deadline_s=30)
        assert len(quiet(desk, 1.5, callee.placed)) == 2


def test_whose_row_is_lost_is_not_called_by_itself(desk):
    """The order came back, and the delivery that an engine had made of it did not: it makes no other. Of one for which
    no call left it does."""
    with held(desk):
        lost, other = ordered(desk), ordered(desk)
        placed_before(desk, lost)
        for callee in (lost, other):
            desk.sql("UPDATE jobs SET due_at = clock_timestamp() WHERE tenant_id = %s::uuid AND subject = %s",
                     callee.tenant, callee.task)
        good(desk, "reconcile", "--execute")
        due, why = job(desk, lost)
        assert not due and "placed a call that this database has lost" in why, (due, why)
        good(desk, "release", "--yes")
        desk.wait(other.placed, 30, "the call that nobody had placed")
        assert len(quiet(desk, 1.5, lost.placed)) == 1 and "placed a call" in good(
            desk, "escalation", "show", lost.task).out


def test_it_looks_back_as_far_as_calls_wait(desk):
    """A call that waited for its hour is hours old, and so may be the one that was placed of it."""
    with held(desk):
        callee = ordered(desk)
        delivery = callee.call(wake=False)
        sid = placed_before(desk, callee)
        created = desk.value("UPDATE deliveries SET created_at = clock_timestamp() - interval '5 h' WHERE id = %s::uuid"
                             " RETURNING to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS')", delivery)
        done = good(desk, "reconcile", "--execute", "--since", "10m")
        assert re.search(r"what left since (\S+) was", done.said).group(1) < created, done
        assert callee.row(delivery)["provider_sid"] == sid
