"""Whoever hangs up within the greeting, or is not answered, of a business that wants to hear of missed calls: from the telephone to the
task that people see, in both modes."""

from callers import BYE, FAST, HELLO, PHONE, Caller, answer_to, calm, say, up
from harness import oracle
from operating import good, tenant_file

SHARE = True
DEADLINE_S = 120
MISSED = "Missed call: the caller said nothing, and left no message."
UNANSWERED = "Missed call: the caller was not answered, and left no message. The caller said: "
QUICK = [{"wait_for": "audible", "words": 2}, BYE]  # he has heard who it is


def wants(desk, *lines):
    """The clinic's file with these lines in `phone:`; asked until each ingress answers by it."""
    up(desk)
    path = tenant_file(desk, "dental", ("\nphone:\n", "\nphone:\n" + "".join(f"  {line}\n" for line in lines)))
    good(desk, "tenant", "apply", path, "--yes")
    version = desk.value("SELECT max(directory_version) FROM channels WHERE kind = 'voice'")
    edges = [service for name, service in desk.services.items() if name.startswith("ingress")]
    desk.wait(lambda: all(edge.metrics()["frontdesk_ingress_directory_version"] >= version for edge in edges), 30,
              "all ingresses to know the file")


def tasks(desk, caller):
    return desk.sql("SELECT e.summary, e.state FROM escalations e WHERE e.call_back = %s ORDER BY e.created_at", caller)


def ends(desk, sid):
    """The records of the call's end."""
    return [record.json() for record in desk.kafka_records("inbound.voice")
            if record.value and record.headers["ce_id"].decode() == f"{sid}:ended"]


def hang_up(desk, mode, blocked):
    """Who hangs up is one task; who says something, or is blocked, is none."""
    wants(desk, f"mode: {mode}", "missed_calls: task", f"blocked: [\"{blocked}\"]")
    nonce = desk.new_nonce()
    silent = Caller(desk, QUICK)
    silent.over()
    desk.wait(lambda: tasks(desk, silent.caller), 30, lambda: f"the missed call: {silent.rows()}")
    refused = Caller(desk, QUICK, from_=blocked)
    refused.over()
    spoke = Caller(desk, [HELLO, say(f"When are you open? {nonce}"), HELLO, BYE], rate=FAST)
    story = spoke.over()
    assert oracle.new_nonces(answer_to(story, nonce)) == [nonce], story.heard()
    spoke.wait_ended()
    silent.wait_ended()
    desk.wait(lambda: ends(desk, refused.sid), 30, "the end of the blocked caller's call")
    assert not any(end.get("missed") for end in ends(desk, refused.sid)), ends(desk, refused.sid)
    assert tasks(desk, silent.caller) == [(MISSED, "open")], tasks(desk, silent.caller)
    assert tasks(desk, spoke.caller) == [] and tasks(desk, blocked) == []
    assert silent.session()["ended_at"] and silent.replies() == [], silent.rows()


def test_streaming(desk):
    hang_up(desk, "streaming", desk.new_address())


def test_webhook_mode(desk):
    hang_up(desk, "webhook", desk.new_address())


def not_answered(desk, mode):
    """The engines are away: he asks, hears that somebody is looking, and gives up."""
    wants(desk, f"mode: {mode}", "missed_calls: task")
    nonce = desk.new_nonce()
    call = Caller(desk, [HELLO, {"silence": 500}, say(f"My crown came off. {nonce}"), {"silence": 6500}, BYE], rate=FAST)
    desk.wait(lambda: call.story().of("audible"), 20, "the greeting")
    for name in ("engine-1", "engine-2"):
        desk.freeze(name)
    try:
        heard = call.over(60).heard()
    finally:
        for name in ("engine-1", "engine-2"):
            desk.thaw(name)
    assert any(filler in heard for filler in PHONE["fillers"]), heard
    desk.wait(lambda: tasks(desk, call.caller), 40, lambda: f"the missed call: {call.rows()}")
    (summary, state), = tasks(desk, call.caller)
    assert summary.startswith(UNANSWERED) and nonce in summary and state == "open", (summary, state)
    calm(desk)


def test_nobody_answers_a_streamed_call(desk):
    not_answered(desk, "streaming")


def test_nobody_answers_in_webhook_mode(desk):
    not_answered(desk, "webhook")


def test_nobody_asked_for_it(desk):
    wants(desk, "mode: streaming")
    silent = Caller(desk, QUICK)
    silent.over()
    desk.wait(lambda: ends(desk, silent.sid), 30, "the end of the call")
    silent.wait_ended()
    assert tasks(desk, silent.caller) == []
