"""Callers who may not be who their numbers say: what the carrier has found of the number decides what the
model is told of the number's person, and what it may do to his account (docs/adr/0010)."""

import contextlib
import json

from call_records import CALLS, Call
from operating import good
from scripted import Customer, engines
from test_voice_tools import ask_for, clinic, results

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


def test_another_socket_tells_nothing_new(desk):
    """What the first one told holds for the whole call. Guard: coalesce in places_sql."""
    customer, before = known_customer(desk)
    with called(customer, attestation="failed") as call:
        assert NOBODY in told(call)
        call.comes_back()
        call.listen(1)
        said = told(call)
        assert NOBODY in said and before.nonce not in said, said
