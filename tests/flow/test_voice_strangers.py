"""Callers who may not be who their numbers say: what the carrier has found of the number decides what the
model is told of the number's person, and what it may do to his account (docs/adr/0010)."""

import contextlib
import json
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from call_records import CALLS, Call
from operating import good
from scripted import Customer, engines, say
from test_voice_tools import ask_for, calls_tool, clinic, results

SHARE = True
NOBODY = "Nobody has shown that the caller"
ATTESTATIONS = ({}, {"attestation": "full"}, {"attestation": "partial"}, {"attestation": "failed"},
                {"attestation": "of-tomorrow"})


@contextlib.contextmanager
def called(customer, **setup):
    call = Call(customer.desk, customer)
    call.setup(**setup)
    try:
        yield call
        call.ended()
        call.desk.wait(lambda: call.session()["ended_at"], 15, "the call's end in the rows")
    finally:
        call.close()
        call.desk.faults("model")


def told(call):
    """What the model was told in the call's last turn, as it was sent."""
    call.over = False
    call.prompt("what do I have?")
    call.wait_over()
    call.wait_settled(len(call.turns()))
    shown = good(call.desk, "prompt", "show", call.session()["conversation_id"], "--json").json()
    assert shown["exact"], shown
    return json.dumps(shown, ensure_ascii=False)


def check(customer, before, is_known, **setup):
    """In the call's first turn and in a later one, which another claim starts."""
    with called(customer, **setup) as call:
        for said in (told(call), told(call)):
            assert ("The customer has no appointment" in said) == is_known, (setup, said)
            assert ('"cancel"' in said) == is_known and ('"reschedule"' in said) == is_known, (setup, said)
            assert (before.nonce in said) == is_known and (NOBODY in said) != is_known, (setup, said)
            assert all(f'"{tool}"' in said for tool in ("take_message", "book", "transfer_call")), (setup, said)


def known_customer(desk):
    """Who wrote before, in the conversation that his calls go on."""
    engines(desk, 1, **CALLS)
    customer = Customer(desk)
    before = customer.text("I have a crown")
    customer.wait_replies(1)
    return customer, before


def test_number_that_failed_opens_no_account(desk):
    """Guards: stranger.c, `here` of the context, is_as_guessed in briefing_ahead.c (the second turn's briefing is asked
    for ahead, as of the person). A call that we have placed reached its number."""
    customer, before = known_customer(desk)
    for setup in ATTESTATIONS:
        check(customer, before, setup.get("attestation") != "failed", **setup)
    check(customer, before, True, attestation="failed", outbound=True)


def test_tenant_that_wants_attested_callers(desk):
    """Guard: attested_only in stranger.c."""
    customer, before = known_customer(desk)
    with clinic(desk) as document:
        phone = {**document["phone"], "caller_id": "attested"}
        with clinic(desk, phone=phone):
            for setup in ATTESTATIONS:
                check(customer, before, setup.get("attestation") == "full", **setup)
            check(customer, before, True, outbound=True)


def test_tool_of_the_account_is_refused_to_a_stranger(desk):
    """Whatever the model asks for. Guard: think_tools."""
    customer, _ = known_customer(desk)
    with called(customer, attestation="failed") as call:
        ask_for(call, "cancel", {"appointment": "0" * 8 + "-0000-7000-8000-" + "0" * 12})
        call.wait_over()
        (name, outcome, result), = results(call)
        assert outcome == "refused" and "nobody has shown" in result["error"], (name, outcome, result)


def filling(hour, **details):
    day = datetime.now(ZoneInfo("America/Los_Angeles")) + timedelta(days=20)
    return {"service": "Filling", "start": f"{day:%Y-%m-%d}T{hour:02}:00", "details": details}


def appointments(customer):
    """[(state, hour)] of the person, in the order in which they were made."""
    return customer.desk.sql(
        "SELECT a.state, extract(hour FROM a.starts_at AT TIME ZONE 'America/Los_Angeles')::int FROM appointments a"
        " JOIN contact_addresses c ON c.tenant_id = a.tenant_id AND c.contact_id = a.contact_id"
        " WHERE c.tenant_id = %s::uuid AND c.address = %s ORDER BY a.created_at", customer.tenant_id, customer.address)


def test_stranger_books_beside_the_account(desk):
    """What he books is new: the person's hold stays where it is, nothing is held in its place, it is not among the
    free times, and how many appointments the person has is not told. Guards: check_stranger, said_of and `nobody` in
    tool_booking.c; $24 of booking.c."""
    known, _ = known_customer(desk)
    name = {"full_name": "Mallory Doe", "date_of_birth": "1990-01-02"}
    with clinic(desk, hours={"mon-sun": "08:00-17:00"}, holidays=[], intents=[], resources=["Chair 1"], services=[{
            "name": "Filling", "duration": "60m", "step": "60m", "resources": ["Chair 1"],
            "intake": ["full_name", "date_of_birth"]}]):
        said = known.make("a filling, please")
        desk.faults("model", calls_tool(said.nonce, "book", filling(9)))
        say(desk, said)
        known.wait_replies(2)
        assert appointments(known) == [("held", 9)]
        day = filling(9)["start"][:10]
        asked = [("check_availability", {"service": "Filling", "from_day": day}),
                 ("book", filling(11)), ("book", filling(11, **name)), ("book", filling(13, **name))]
        with called(known, attestation="failed") as call:
            for tool, arguments in asked:
                ask_for(call, tool, arguments)
                call.wait_over()
                call.wait_settled(len(call.turns()))
            (_, _, free), (_, missing, told), (_, booked, _), (_, enough, why) = results(call)
        assert f"{day} 10:00" in str(free) and f"{day} 09:00" not in str(free), free
        assert missing == "refused" and "full_name, date_of_birth" in told["error"], told
        assert booked == "ok" and appointments(known) == [("held", 9), ("booked", 11)], appointments(known)
        assert enough == "refused" and why["result"] == "not booked: take a message instead", why


def test_another_socket_tells_nothing_new(desk):
    """What the first one told holds for the whole call. Guard: coalesce in places_sql."""
    customer, before = known_customer(desk)
    with called(customer, attestation="failed") as call:
        assert NOBODY in told(call)
        call.comes_back()
        call.listen(1)
        said = told(call)
        assert NOBODY in said and before.nonce not in said, said
