"""What a caller said after the tone: a task for people, the rota told, its bytes fetched from the provider
once, whoever dies meanwhile; and what is said when they cannot be had."""

import json
import subprocess

import yaml

from call_records import Call
from delivering import quiet
from harness import CHECKOUT
from harness.deskctl import FAILED, good, run
from harness.stops import KILL
from operating import TENANTS
from recorded import fetches, kept_bytes, leave_message, rest, row, up, wait_state
from service import clean_environment
from tenants import read_document

SHARE = True
DEADLINE_S = 90


def tell(desk, recording, call=None, **more):
    """What ingress publishes of it."""
    call = call or Call(desk)
    call.tell("recorded", recording["sid"], recording_sid=recording["sid"], url="https://api.twilio.com/x",
              duration_s=int(recording["duration"]), why="fallback", **more)
    return call


def show(desk, task):
    return good(desk, "escalation", "show", task).out


def due_now(desk):
    """As if the wait until the next try were over."""
    desk.sql("UPDATE jobs SET due_at = clock_timestamp() WHERE kind = 'recording' AND due_at IS NOT NULL")


def older(desk, recording):
    """As if we had known of it for seven hours."""
    desk.sql("UPDATE recordings SET created_at = created_at - interval '7 hours' WHERE recording_sid = %s",
             recording["sid"])


def wait_tries(desk, recording, count):
    """So many, or none is left."""
    def tried():
        known = row(desk, recording) or {"tries": 0, "state": ""}
        return known["tries"] >= count or known["state"] not in ("", "waiting")
    desk.wait(tried, 40, lambda: f"{count} tries: {row(desk, recording)}")


def test_a_message_is_fetched_once(desk):
    up(desk)
    recording = leave_message(desk)
    call = tell(desk, recording)
    known = wait_state(desk, recording, "kept")
    content, = kept_bytes(desk, recording)
    assert content.startswith(b"RIFF") and known["size_bytes"] == len(content), (known, content[:8])
    assert known["reason"] == "message" and known["call_back"] == call.customer.address, known
    assert "http" not in known["summary"] and not known["due"], known
    tell(desk, recording, call)  # the record again, as a replay brings it
    assert len(quiet(desk, 1, lambda: fetches(desk, recording))) == 1
    assert f"kept, {recording['duration']} s, {len(content)} bytes" in show(desk, known["id"])
    here = desk.installation
    played = subprocess.run([here.bin / "deskctl", "escalation", "recording", known["id"]], cwd=CHECKOUT,
                            env=clean_environment(here.deskctl_environment()), capture_output=True, check=True)
    assert played.stdout == content
    call.close()


def test_the_rota_is_told(desk):
    up(desk)
    colleague = desk.new_address()
    document = read_document(TENANTS / "dental.yaml")
    document.update(escalation={"on": ["customer_asks"], "rota": [{"name": "Ines", "sms": colleague, "phone": desk.new_address()}],
                                "accept_within": "5m", "rounds": 1, "tell": "A colleague looks at it."})
    path = desk.folder / "recorded.yaml"
    path.write_text(yaml.safe_dump(document))
    good(desk, "tenant", "apply", path, "--yes")
    try:
        recording = leave_message(desk)
        call = tell(desk, recording)
        desk.wait(lambda: desk.sent_to(colleague), 20, "the notice")
        text, = desk.sent_to(colleague)
        assert call.customer.address in text and "spoken message" in text and "Reply OK" in text, text
        assert wait_state(desk, recording, "kept")["rota"] == "running"
        call.close()
    finally:
        good(desk, "tenant", "apply", TENANTS / "dental.yaml", "--yes")


def test_what_fails_is_seen_and_tried_again(desk):
    up(desk)
    recording = leave_message(desk)
    desk.faults("twilio", {"path": recording["sid"], "count": 1, "action": {"type": "cut"}},
                {"path": recording["sid"], "count": 1, "action": {"type": "status", "status": 429,
                                                                   "retry_after": "3600"}},
                {"path": recording["sid"], "count": 1, "action": {"type": "status", "status": 401}},
                {"path": recording["sid"], "count": 1, "action": {"type": "status", "status": 503}})
    call = tell(desk, recording)
    # a connection that was used before and is cut is not even told of: curl asks again by itself
    desk.wait(lambda: "answered 429" in ((row(desk, recording) or {}).get("last_error") or ""), 20,
              lambda: row(desk, recording))
    known = row(desk, recording)
    tried = known["tries"]
    assert known["state"] == "waiting" and tried in (1, 2), known
    assert f"tried {tried} times" in show(desk, known["id"]), show(desk, known["id"])
    assert run(desk, "escalation", "recording", known["id"]).code == FAILED
    left_s = desk.value("SELECT extract(epoch FROM due_at - clock_timestamp())::float FROM jobs"
                        " WHERE kind = 'recording' AND subject = %s", known["id"])
    assert 3000 < left_s <= 3600, left_s
    due_now(desk)
    desk.wait(lambda: row(desk, recording)["tries"] > tried, 20, lambda: row(desk, recording))
    desk.wait(lambda: "401" in row(desk, recording)["last_error"] or row(desk, recording)["tries"] > tried + 1, 10,
              lambda: row(desk, recording))
    due_now(desk)
    known = wait_state(desk, recording, "kept", deadline_s=40)
    assert known["last_error"] is None and known["tries"] == tried + 3 and len(kept_bytes(desk, recording)) == 1
    assert "no longer" not in known["summary"], known
    call.close()


def test_gone_at_the_provider(desk):
    """The task says so, once; what only is not there yet is waited for."""
    up(desk)
    late = leave_message(desk, recording_delay_ms=4000)
    gone = leave_message(desk)
    rest(desk, f"Recordings/{gone['sid']}.json", method="DELETE")
    calls = [tell(desk, late), tell(desk, gone)]
    failed = leave_message(desk, recording_status="failed")
    calls.append(tell(desk, failed))
    known = wait_state(desk, failed, "gone")
    assert known["tries"] == 1, known
    wait_tries(desk, gone, 4)
    older(desk, gone)
    due_now(desk)
    known = wait_state(desk, gone, "gone")
    assert known["summary"].count("no longer has the recording") == 1, known
    assert "gone" in show(desk, known["id"])
    known = wait_state(desk, late, "kept", deadline_s=60)
    assert known["tries"] > 1 and "no longer" not in known["summary"], known
    for call in calls:
        call.close()


def test_nothing_is_gone_at_once(desk):
    """The provider's parts may not agree for a while that it is there: however often it says that it knows
    of no such recording, and whatever went wrong before."""
    up(desk)
    unknown, failing, old = (leave_message(desk) for _ in range(3))
    desk.faults("twilio", {"path": unknown["sid"], "action": {"type": "status", "status": 404}},
                {"path": failing["sid"], "count": 2, "action": {"type": "status", "status": 503}},
                {"path": failing["sid"], "count": 2, "action": {"type": "status", "status": 404}},
                {"path": old["sid"], "count": 3, "action": {"type": "status", "status": 503}},
                {"path": old["sid"], "count": 2, "action": {"type": "status", "status": 404}})
    calls = [tell(desk, recording) for recording in (unknown, failing, old)]
    wait_tries(desk, old, 1)
    older(desk, old)  # once is not enough, however late
    wait_state(desk, failing, "kept", "gone")
    wait_state(desk, old, "kept", "gone", deadline_s=40)
    wait_tries(desk, unknown, 4)
    desk.faults("twilio")
    due_now(desk)
    wait_state(desk, unknown, "kept", "gone")
    for recording in (unknown, failing, old):
        known = row(desk, recording)
        assert known["state"] == "kept" and "no longer" not in known["summary"], known
    for call in calls:
        call.close()


def test_too_large_and_given_up(desk):
    up(desk, recording_max_bytes=20000, recording_tries=2)
    large = leave_message(desk, recording_bytes=30000)
    dark = leave_message(desk)
    desk.faults("twilio", {"path": dark["sid"], "action": {"type": "status", "status": 500}})
    calls = [tell(desk, large), tell(desk, dark)]
    known = wait_state(desk, large, "too_large")
    assert "too large" in known["summary"] and not known["due"] and not kept_bytes(desk, large), known
    known = wait_state(desk, dark, "failed")
    assert "could not be fetched" in known["summary"] and known["tries"] == 2, known
    line = json.loads(run(desk, "doctor", "--json").out)
    assert ["2 were given up" in row["what"] for row in line if row["check"] == "recordings"] == [True], line
    desk.sql("UPDATE escalations SET state = 'closed', closed_at = clock_timestamp() WHERE state = 'open'")
    for call in calls:
        call.close()


def die(desk, point):
    """A responder dies at the point, and another goes on. Returns how often the bytes were asked for."""
    up(desk, 2)
    recording = leave_message(desk)
    stop = desk.stops.arm(point, action=KILL)
    call = tell(desk, recording)
    desk.wait(lambda: stop.hits, 20, f"the stop point {point}")
    known = wait_state(desk, recording, "kept")
    assert len(kept_bytes(desk, recording)) == 1 and known["tries"] == 1, known
    asked = len(quiet(desk, 1, lambda: fetches(desk, recording)))
    desk.recording = None
    desk.revive(("responder",))
    call.close()
    return asked


def test_dies_before_it_asks(desk):
    assert die(desk, "responder.recording") == 1


def test_dies_with_the_bytes_in_hand(desk):
    assert die(desk, "responder.recorded") == 2


def test_erasure_takes_the_recording(desk):
    up(desk)
    kept, waiting = leave_message(desk), leave_message(desk)
    desk.faults("twilio", {"path": waiting["sid"], "action": {"type": "status", "status": 503}})
    call = Call(desk)
    for recording in (kept, waiting):
        tell(desk, recording, call)
    wait_state(desk, kept, "kept")
    desk.wait(lambda: (row(desk, waiting) or {}).get("tries"), 20, "a try")
    good(desk, "erase", "--tenant", desk.tenants[0]["name"], "--address", call.customer.address, "--yes")
    assert row(desk, kept) is None and row(desk, waiting) is None
    assert not kept_bytes(desk, kept)
    desk.faults("twilio")
    assert not quiet(desk, 2, lambda: kept_bytes(desk, waiting))
    call.close()
