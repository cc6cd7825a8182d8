"""Calls and recordings that the provider has and the desk has not, because nothing could tell of them: the gap
audit and `deskctl reconcile` find them, once, and people are told."""

import json

from call_records import Call
from delivering import quiet
from operating import DIFFERENT, OK, expect, good, run
from recorded import audits, call_in, fetches, kept_bytes, leave_message, rest, ring_in, tasks, up, wait_state

SHARE = True
DEADLINE_S = 90
MISSED = "Somebody called while the desk could hear nothing, and left no message."


def begin(desk, count=1):
    up(desk, count, gap_audit_every_ms=3600000, call_audit_after_ms=0)
    audits(desk)
    audit_now(desk)
    wait_audited(desk)  # the next one is an hour away, or when a test wants it


def audit_job(desk):
    """The job of tenant 0's number for calls; its process is that of the worker that has it, or None."""
    return desk.value(
        "SELECT row_to_json(x) FROM (SELECT j.*, (SELECT w.process FROM workers w WHERE w.id = j.worker) AS process"
        " FROM jobs j JOIN channels c ON c.tenant_id = j.tenant_id AND c.id::text = j.subject"
        " WHERE j.kind = 'gap_audit' AND c.kind = 'voice' AND c.address = %s) x",
        desk.tenants[0]["numbers"]["sms"])


def audit_now(desk):
    desk.sql("UPDATE jobs SET due_at = clock_timestamp(), last_done_at = NULL, tries = 0 WHERE id = %s::uuid",
             audit_job(desk)["id"])


def wait_audited(desk):
    desk.wait(lambda: audit_job(desk)["last_done_at"] and not audit_job(desk)["worker"], 20,
              lambda: f"the audit to be over: {audit_job(desk)}")


def ids(desk, call_sid):
    return [record.headers["ce_id"].decode() for record in desk.kafka_records("inbound.voice")
            if record.value and record.json()["call_sid"] == call_sid]


def test_what_nobody_told_is_found_once(desk):
    begin(desk)
    talker, left, recording = call_in(desk, "please call me back")
    silent, missed, _ = call_in(desk)
    audit_now(desk)
    known = wait_state(desk, {"sid": recording}, "kept")
    assert known["call_back"] == talker and len(kept_bytes(desk, {"sid": recording})) == 1
    desk.wait(lambda: tasks(desk, silent), 20, "the missed call")
    assert tasks(desk, silent) == [(MISSED, False)]
    wait_audited(desk)
    desk.wait(lambda: desk.value("SELECT ended_at IS NOT NULL FROM channel_sessions WHERE call_sid = %s", left), 20,
              "the end of the other call")
    assert [has for _, has in tasks(desk, talker)] == [True], tasks(desk, talker)
    assert ids(desk, left) == [recording, f"{left}:ended"] and ids(desk, missed) == [f"{missed}:ended"]
    audit_now(desk)
    wait_audited(desk)
    assert len(ids(desk, left)) == 2 and len(ids(desk, missed)) == 1
    assert len(fetches(desk, {"sid": recording})) == 1


def test_an_end_that_was_lost_is_no_missed_call(desk):
    """The desk has talked to the caller: only the call's end is told."""
    begin(desk)
    caller, sid, _ = call_in(desk)
    call = Call(desk)
    call.sid, call.customer.address = sid, caller
    call.setup()
    nonce = call.prompt()
    call.pump(lambda: call.over and nonce in call.said, 20, "the answer")
    assert call.session()["ended_at"] is None
    audit_now(desk)
    desk.wait(lambda: call.session()["ended_at"], 20, "the end of the call")
    assert tasks(desk, caller) == []
    call.close()


def test_who_hung_up_while_it_rang_is_found(desk):
    """No ingress was there to answer: a task, where the business wants to hear of missed calls, and has not blocked
    him; elsewhere nothing is left of it. deskctl sees the same ones."""
    begin(desk)
    name = desk.tenants[0]["name"]
    blocked, friend, other = (desk.new_address() for _ in range(3))

    def phone(**settings):
        desk.sql("UPDATE assistant_versions v SET config = jsonb_set(config, '{phone}', coalesce(config->'phone', '{}')"
                 " || %s::jsonb) FROM assistants a WHERE a.tenant_id = v.tenant_id AND a.id = v.assistant_id"
                 " AND v.version = a.current_version AND v.tenant_id = (SELECT id FROM tenants WHERE name = %s)",
                 json.dumps(settings), name)
    try:
        phone(missed_calls=False, blocked=[blocked])
        sids = [ring_in(desk, caller)[1] for caller in (blocked, friend)]
        audit_now(desk)
        wait_audited(desk)
        assert [ids(desk, sid) for sid in sids] == [[], []]
        assert not {row["sid"] for row in run(desk, "reconcile", "--tenant", name, "--json").json()} & set(sids)
        phone(missed_calls=True)
        rows = expect(DIFFERENT, desk, "reconcile", "--tenant", name, "--json").json()
        assert {row["sid"] for row in rows} & set(sids) == {sids[1]}, rows
        _, later = ring_in(desk, other)
        for _ in range(2):
            audit_now(desk)
            wait_audited(desk)
        for caller, sid in ((friend, sids[1]), (other, later)):
            desk.wait(lambda who=caller: tasks(desk, who), 20, "the missed call")
            assert tasks(desk, caller) == [(MISSED, False)] and ids(desk, sid) == [f"{sid}:ended"], ids(desk, sid)
            assert desk.value("SELECT ended_at IS NOT NULL FROM channel_sessions WHERE call_sid = %s", sid)
        assert ids(desk, sids[0]) == [] and tasks(desk, blocked) == []
    finally:
        phone(missed_calls=False, blocked=[])


def test_what_was_left_in_a_call_that_we_placed_is_found(desk):
    """Once; of calls that nobody took there is nothing to be told, and nobody has missed one."""
    begin(desk)
    recording = leave_message(desk)
    taken, person = recording["call_sid"], rest(desk, f"Calls/{recording['call_sid']}.json")["to"]
    busy = desk.new_address()
    desk._call("twilio", "/_callees", {"number": busy, "answer": "busy"})
    alone = rest(desk, "Calls.json", To=busy, From=desk.tenants[0]["numbers"]["sms"], Twiml="<Response/>")["sid"]
    desk.wait(lambda: desk._call("twilio", f"/_calls/{alone}")["over"], 20, "the other call to be over")
    audit_now(desk)
    known = wait_state(desk, recording, "kept")
    assert known["call_back"] == person and len(kept_bytes(desk, recording)) == 1
    for _ in range(2):
        wait_audited(desk)
        audit_now(desk)
    wait_audited(desk)
    assert [has for _, has in tasks(desk, person)] == [True] and not tasks(desk, busy)
    assert ids(desk, taken).count(recording["sid"]) == 1 and ids(desk, alone) == []
    assert desk.value("SELECT count(*) FROM channel_sessions WHERE call_sid = %s AND ended_at IS NULL", taken) == 0


def test_the_lost_end_of_a_call_that_we_placed_ends_its_session(desk):
    begin(desk)
    call = Call(desk)
    desk._call("twilio", "/_callees", {"number": call.customer.address, "answer": "human", "ring_ms": 1})
    call.sid = rest(desk, "Calls.json", To=call.customer.address, From=desk.tenants[0]["numbers"]["sms"],
                    Twiml="<Response><Hangup/></Response>")["sid"]
    desk.wait(lambda: desk._call("twilio", f"/_calls/{call.sid}")["over"], 20, "the call to be over")
    call.setup()
    nonce = call.prompt()
    call.pump(lambda: call.over and nonce in call.said, 20, "the answer")
    assert call.session()["ended_at"] is None
    audit_now(desk)
    desk.wait(lambda: call.session()["ended_at"], 20, "the end of the call")
    assert tasks(desk, call.customer.address) == []
    call.close()


def test_reconcile_finds_them(desk):
    begin(desk)
    talker, left, recording = call_in(desk, "please call me back")
    placed = leave_message(desk)
    silent, missed, _ = call_in(desk)
    name = desk.tenants[0]["name"]
    rows = expect(DIFFERENT, desk, "reconcile", "--tenant", name, "--json").json()
    assert {row["sid"] for row in rows} >= {left, recording, missed, placed["sid"]}, rows
    assert {row["outcome"] for row in rows} == {"missing"} and not tasks(desk, silent)
    rows = good(desk, "reconcile", "--tenant", name, "--execute", "--json").json()
    assert {row["outcome"] for row in rows} == {"injected"}, rows
    wait_state(desk, {"sid": recording}, "kept")
    wait_state(desk, placed, "kept")
    desk.wait(lambda: tasks(desk, silent), 20, "the missed call")
    desk.wait(lambda: expect_nothing(desk, name), 20, "all of it to be known")
    assert tasks(desk, silent) == [(MISSED, False)] and len(tasks(desk, talker)) == 1


def expect_nothing(desk, name):
    return good(desk, "reconcile", "--tenant", name, "--execute", "--json").json() == []


def test_of_a_dead_responder_is_followed(desk):
    begin(desk, 2)
    _, _, recording = call_in(desk, "please call me back")
    desk.faults("twilio", {"method": "GET", "path": "Recordings.json", "count": 1, "action": {"type": "hang"}})
    audit_now(desk)
    holder = desk.wait(lambda: desk.fired("twilio")[0]["fired"] and audit_job(desk)["process"], 20,
                       "a responder to have the job")
    desk.kill(holder.split("/")[0])
    wait_state(desk, {"sid": recording}, "kept", deadline_s=40)
    desk.recording = None
    desk.faults("twilio")
    desk.revive(("responder",))


def test_what_the_provider_refuses_is_tried_again(desk):
    begin(desk)
    _, _, recording = call_in(desk, "please call me back")
    desk.faults("twilio", {"method": "GET", "path": "Calls.json", "count": 1, "action": {"type": "status", "status": 503}},
                {"method": "GET", "path": "Recordings.json", "count": 1, "action": {"type": "cut"}})
    audit_now(desk)
    wait_state(desk, {"sid": recording}, "kept", deadline_s=40)
    desk.faults("twilio")
    assert len(quiet(desk, 1, lambda: kept_bytes(desk, {"sid": recording}))) == OK + 1
