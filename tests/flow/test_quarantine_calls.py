"""Webhooks of calls that ingress could not verify: released, a call that came in is a missed one for people, and what
tells of a call's end ends it."""

import contextlib
import uuid

from call_records import Call
from operating import FAILED, expect, good, services, tenant_file
from test_deskctl_dead import parked
from webhook import new_sid

SHARE = True
DEADLINE_S = 90
ROTATED = "c" * 32  # nobody told us of it
FOUND = "Somebody called while the desk could hear nothing, and left no message."
VOUCHED = ("--force-unverified", "we know who sent it")


def form(desk, sid, caller, status="ringing", direction="inbound", **more):
    known = desk.tenants[0]
    ours = known["numbers"]["sms"]
    ends = (caller, ours) if direction == "inbound" else (ours, caller)
    return [("CallSid", sid), ("AccountSid", known["account_sid"]), ("From", ends[0]), ("To", ends[1]),
            ("CallStatus", status), ("Direction", direction), *more.items()]


def park(desk, path, params, sid, before=()):
    """The webhook as the quarantine lists it; `before`: ids of those that were parked already."""
    assert desk.post(path, params, token=ROTATED).status == 403
    return desk.wait(lambda: [row for row in parked(desk, sid) if row["id"] not in before], 20, "the webhook")[0]


@contextlib.contextmanager
def known_key(desk):
    """The number for calls has this signing key as well."""
    path = tenant_file(desk, "dental", ("  - kind: voice", "  - signing_keys: [env:ROTATED]\n    kind: voice"))
    good(desk, "tenant", "apply", path, "--yes", environment={"ROTATED": ROTATED})
    try:
        yield
    finally:
        good(desk, "tenant", "apply", tenant_file(desk, "dental"), "--yes")
        desk.wait(lambda: desk.post("/twilio/voice/status", form(desk, new_sid("CA"), desk.new_address(), "completed"),
                                    token=ROTATED).status == 403, 20, "ingress to know that it has not")


def tasks(desk, caller):
    return [row[0] for row in desk.sql("SELECT summary FROM escalations WHERE call_back = %s", caller)]


def told(desk, sid, topic="inbound.voice"):
    return [record.json() for record in desk.kafka_records(topic) if record.value and sid in str(record.json())]


def test_a_call_that_nobody_could_take_is_a_missed_one(desk):
    services(desk)
    caller, sid = desk.new_address(), new_sid("CA")
    row = park(desk, "/twilio/voice", form(desk, sid, caller), sid)
    assert row["path"] == "/twilio/voice" and not row["known"], row
    assert "quarantine.signature" in expect(FAILED, desk, "quarantine", "release", row["id"]).said
    assert told(desk, sid) == []
    end = park(desk, "/twilio/voice/status", form(desk, sid, caller, "completed", CallDuration="3"), sid, (row["id"],))
    with known_key(desk):
        good(desk, "quarantine", "release", row["id"])
        desk.wait(lambda: tasks(desk, caller), 20, "the task")
        good(desk, "quarantine", "release", end["id"], row["id"])  # of the same call, and once more
    assert {r["known"] for r in desk.wait(lambda: parked(desk, sid), 20, "the list")} == {True}
    ends = [(record.get("found"), record["reason"], record.get("duration_s")) for record in told(desk, sid)]
    assert sorted(ends, key=str) == [(None, "completed", 3), *[(True, "completed", None)] * 2], ends
    after(desk, caller)
    assert tasks(desk, caller) == [FOUND], tasks(desk, caller)
    audit = desk.sql("SELECT detail FROM audit_log WHERE action = 'quarantine.release' AND subject = %s", sid)
    assert len(audit) == 3 and all(detail["verified"] for detail, in audit), audit


def after(desk, caller):
    """The records of one person are done in their order."""
    call = Call(desk)
    call.customer.address = caller
    call.setup()
    desk.wait(call.session, 20, "a later call of the same person")
    call.close()


def test_the_end_of_a_call_ends_it(desk):
    services(desk)
    call = Call(desk)
    call.setup()
    desk.wait(call.session, 20, "the call's session")
    caller = call.customer.address
    goes_on = park(desk, "/twilio/voice", form(desk, call.sid, caller), call.sid)
    said = expect(FAILED, desk, "quarantine", "release", goes_on["id"], *VOUCHED).said
    assert "quarantine.call" in said and "after all" in said, said
    ringing = park(desk, "/twilio/voice/status", form(desk, call.sid, caller, "in-progress"), call.sid, (goes_on["id"],))
    assert "quarantine.call" in expect(FAILED, desk, "quarantine", "release", ringing["id"], *VOUCHED).said
    row = park(desk, "/twilio/voice/status", form(desk, call.sid, caller, "no-answer"), call.sid,
               (goes_on["id"], ringing["id"]))
    assert not row["known"] and call.session()["ended_at"] is None
    good(desk, "quarantine", "release", row["id"], *VOUCHED)
    desk.wait(lambda: call.session()["ended_at"], 20, "the call's end")
    assert parked(desk, call.sid)[-1]["known"] and tasks(desk, caller) == []
    assert told(desk, call.sid)[-1]["reason"] == "no_answer"
    call.close()


def test_an_end_is_a_missed_call_where_the_business_wants_it(desk):
    services(desk)
    blocked = desk.new_address()
    path = tenant_file(desk, "dental", ("\nphone:\n", f"\nphone:\n  missed_calls: task\n  blocked: [\"{blocked}\"]\n"))
    good(desk, "tenant", "apply", path, "--yes")
    try:
        for caller, missed in ((desk.new_address(), True), (blocked, None)):
            sid = new_sid("CA")
            row = park(desk, "/twilio/voice/status", form(desk, sid, caller, "completed"), sid)
            good(desk, "quarantine", "release", row["id"], *VOUCHED)
            assert [end.get("missed") for end in told(desk, sid)] == [missed], told(desk, sid)
            desk.wait(lambda: bool(tasks(desk, caller)) == bool(missed), 20, "the task")
        sid = new_sid("CA")
        row = park(desk, "/twilio/voice", form(desk, sid, blocked), sid)
        assert "blocked" in expect(FAILED, desk, "quarantine", "release", row["id"], *VOUCHED).said
        assert told(desk, sid) == [] and tasks(desk, blocked) == []
    finally:
        good(desk, "tenant", "apply", tenant_file(desk, "dental"), "--yes")


def test_what_is_no_call_of_ours(desk):
    services(desk)
    caller, sid = desk.new_address(), new_sid("CA")
    placed = park(desk, "/twilio/voice", form(desk, sid, caller, "in-progress", "outbound-api"), sid)
    said = expect(FAILED, desk, "quarantine", "release", placed["id"], *VOUCHED).said
    assert "quarantine.call" in said and "the desk placed" in said, said
    other = [(name, "AC" + "9" * 32 if name == "AccountSid" else value) for name, value in form(desk, sid, caller)]
    row = park(desk, "/twilio/voice", other, sid, (placed["id"],))
    assert "quarantine.account" in expect(FAILED, desk, "quarantine", "release", row["id"], *VOUCHED).said
    number = [(name, "+15559990000" if name == "To" else value) for name, value in form(desk, sid, caller)]
    row = park(desk, "/twilio/voice", number, sid, (placed["id"], row["id"]))
    assert "quarantine.number" in expect(FAILED, desk, "quarantine", "release", row["id"], *VOUCHED).said
    assert told(desk, sid) == []


def test_the_status_of_a_call_that_we_placed_tells_both(desk):
    """What became of the delivery, and that the call is over."""
    services(desk)
    tenant = desk.value("SELECT id::text FROM tenants WHERE name = %s", desk.tenants[0]["name"])
    target = f"/twilio/status?tenant={tenant}&delivery={uuid.uuid4()}&attempt=1"
    for status, ends in (("completed", 1), ("busy", 0)):
        caller, sid = desk.new_address(), new_sid("CA")
        row = park(desk, target, form(desk, sid, caller, status, "outbound-api"), sid)
        good(desk, "quarantine", "release", row["id"], *VOUCHED)
        receipts = told(desk, sid, "receipts")
        assert [receipt["status"] for receipt in receipts] == [status], receipts
        assert [(end["from"], end.get("missed")) for end in told(desk, sid)] == [(caller, None)] * ends
