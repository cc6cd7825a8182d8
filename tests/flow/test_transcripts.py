"""What Twilio writes down of a message that a caller left: asked for where the business wants it and Twilio
can, told by a signed webhook, kept once beside the recording, said to people."""

import yaml

import phoning
from call_records import Call
from delivering import quiet
from harness.deskctl import good
from operating import TENANTS
from phoning import Call as Caller
from phoning import Engine, Told
from recorded import leave_message, row, up
from tenants import read_document

SHARE = True
DEADLINE_S = 120
HELLO = {"wait_for": "reply"}
SAID = "My crown came off this morning, please call me back."
LEAVES = [HELLO, {"say": "A message, please.", "ms": 200}, {"wait_for": "record"}, {"say": SAID, "ms": 2500},
          {"press": "#"}]


# What the engine makes of it


def recorded(desk, call, recording, **more):
    call.tell("recorded", recording["sid"], recording_sid=recording["sid"], url="https://api.twilio.com/x",
              duration_s=int(recording["duration"]), why="fallback", **more)


def transcribed(desk, call, recording, text=None):
    words = {} if text is None else {"text": text}
    call.tell("transcribed", f"{recording['sid']}:transcript", recording_sid=recording["sid"], **words)


def wait_written(desk, recording, state):
    desk.wait(lambda: (row(desk, recording) or {}).get("transcript_state") == state, 20,
              lambda: f"the transcript to be {state}: {row(desk, recording)}")
    return row(desk, recording)


def notes(desk, call):
    return [body for body, in desk.sql(
        "SELECT m.body FROM messages m JOIN channel_sessions s ON s.tenant_id = m.tenant_id AND"
        " s.id = m.session_id WHERE s.call_sid = %s AND m.body <> '' ORDER BY m.created_at, m.body", call.sid)]


def test_is_kept_once_and_said(desk):
    up(desk)
    recording, call = leave_message(desk), Call(desk)
    recorded(desk, call, recording)
    for _ in range(2):  # Twilio may tell it twice, and a replay does
        transcribed(desk, call, recording, SAID)
    known = wait_written(desk, recording, "completed")
    assert known["transcript"] == SAID and known["summary"].endswith(f"It says: {SAID}"), known
    transcribed(desk, call, recording, "something else")
    assert quiet(desk, 1, lambda: row(desk, recording)["transcript"]) == SAID
    assert row(desk, recording)["summary"].count("It says:") == 1
    assert notes(desk, call).count(f"The caller's spoken message: {SAID}") == 1, notes(desk, call)
    shown = good(desk, "escalation", "show", known["id"])
    assert f"written down {SAID}" in " ".join(shown.out.split()), shown.out
    call.close()


def test_comes_before_the_recording(desk):
    """Callbacks have no order: the task is opened by the first, and there is one."""
    up(desk)
    recording, call = leave_message(desk), Call(desk)
    transcribed(desk, call, recording, SAID)
    known = wait_written(desk, recording, "completed")
    recorded(desk, call, recording, transcript_follows=True)
    desk.wait(lambda: (row(desk, recording) or {}).get("state") == "kept", 20, "the recording to be fetched")
    desk.wait(lambda: len(notes(desk, call)) == 2, 20, lambda: notes(desk, call))
    after = row(desk, recording)
    assert after["id"] == known["id"] and after["transcript"] == SAID and SAID in after["summary"], after
    tasks = desk.value("SELECT count(*) FROM escalations e JOIN channel_sessions s ON s.tenant_id = e.tenant_id"
                       " AND s.conversation_id = e.conversation_id WHERE s.call_sid = %s", call.sid)
    assert tasks == 1
    call.close()


def test_nothing_was_understood(desk):
    up(desk)
    recording, call = leave_message(desk), Call(desk)
    recorded(desk, call, recording, transcript_follows=True)
    transcribed(desk, call, recording)
    known = wait_written(desk, recording, "failed")
    assert known["transcript"] == "" and "It says" not in known["summary"], known
    assert "could not be written down" in good(desk, "escalation", "show", known["id"]).out
    call.close()


def test_a_long_one_is_kept_whole_and_said_in_part(desk):
    up(desk)
    recording, call = leave_message(desk), Call(desk)
    text = ("é" * 2048)[:2048]
    recorded(desk, call, recording)
    transcribed(desk, call, recording, text)
    known = wait_written(desk, recording, "completed")
    assert known["transcript"] == text and known["summary"].count("é") == 500, len(known["summary"])
    dead = len(desk.kafka_records("dlq"))
    other = leave_message(desk)
    transcribed(desk, call, other, text + "!")
    desk.wait(lambda: len(desk.kafka_records("dlq")) > dead, 20, "what is too long for the contract to be put aside")
    assert row(desk, other) is None
    call.close()


def with_rota(desk, colleague):
    document = read_document(TENANTS / "dental.yaml")
    document.update(escalation={"on": ["customer_asks"], "rota": [{"name": "Ines", "sms": colleague,
                                                                     "phone": desk.new_address()}],
                                "accept_within": "5m", "rounds": 1, "tell": "A colleague looks at it."})
    path = desk.folder / "transcribed.yaml"
    path.write_text(yaml.safe_dump(document))
    good(desk, "tenant", "apply", path, "--yes")


def test_the_rota_waits_for_it(desk):
    """Who is told is told what the message says; without a word of the provider he is told all the same."""
    up(desk)
    colleague = desk.new_address()
    with_rota(desk, colleague)
    try:
        recording, call = leave_message(desk), Call(desk)
        recorded(desk, call, recording, transcript_follows=True)
        desk.wait(lambda: row(desk, recording), 20, "the task")
        assert not quiet(desk, 1.5, lambda: desk.sent_to(colleague)), "nobody is told yet"
        transcribed(desk, call, recording, SAID)
        desk.wait(lambda: desk.sent_to(colleague), 20, "the notice")
        text, = desk.sent_to(colleague)
        assert SAID in text and call.customer.address in text, text
        other = leave_message(desk)
        recorded(desk, call, other, transcript_follows=True)
        desk.wait(lambda: row(desk, other), 20, "the task")
        due_s = desk.value("SELECT extract(epoch FROM due_at - clock_timestamp())::float FROM jobs"
                           " WHERE kind = 'escalation' AND subject = %s", row(desk, other)["id"])
        assert 0 < due_s <= 60, due_s
        desk.sql("UPDATE jobs SET due_at = clock_timestamp() WHERE kind = 'escalation' AND subject = %s",
                 row(desk, other)["id"])
        desk.wait(lambda: len(desk.sent_to(colleague)) == 2, 20, "the notice without a transcript")
        transcribed(desk, call, other, SAID)  # late: it is in the task, and nobody is told a second time
        wait_written(desk, other, "completed")
        assert len(quiet(desk, 1.5, lambda: desk.sent_to(colleague))) == 2
        call.close()
    finally:
        good(desk, "tenant", "apply", TENANTS / "dental.yaml", "--yes")


def test_erasure_takes_it(desk):
    up(desk)
    recording, call = leave_message(desk), Call(desk)
    recorded(desk, call, recording)
    transcribed(desk, call, recording, SAID)
    wait_written(desk, recording, "completed")
    good(desk, "erase", "--tenant", desk.tenants[0]["name"], "--address", call.customer.address, "--yes")
    transcribed(desk, call, recording, SAID)
    assert not quiet(desk, 2, lambda: row(desk, recording))
    assert notes(desk, call) == []
    call.close()


# What ingress asks for and is told


def left(desk, told, **settings):
    """A call that ends in a message. Returns it and its story."""
    call = Caller(desk, LEAVES, **settings)
    Engine.of(desk, told.wait(call.sid, "prompt")).begin().say("Gladly.").end(do="record", why="asked")
    told.wait(call.sid, "recorded", deadline_s=60)
    told.wait(call.sid, "ended")
    return call, call.over()


def at_work(desk, **changes):
    desk.start(engines=0, responders=0)
    desk.recording = None
    desk.reset("twilio")
    phoning.publish_number(desk, **changes)
    return Told(desk)


def record_of(story):
    document, = [one for one in story.documents() if "<Record" in one]
    return document


def test_twilio_is_asked_and_tells(desk):
    told = at_work(desk, transcribe=True)
    try:
        call, story = left(desk, told)
        document = record_of(story)
        assert 'transcribe="true"' in document and 'maxLength="120"' in document, document
        record = told.wait(call.sid, "recorded")
        assert record.value["transcript_follows"] is True, record.value
        written = told.wait(call.sid, "transcribed")
        assert written.value["text"] == SAID, written.value
        assert written.id == f"{record.value['recording_sid']}:transcript" and written.key == record.key
        asked, = [entry for entry in desk.callbacks() if "/transcript/" in entry["path"]]
        assert asked["status"] == 204, asked
        call, _ = left(desk, told, transcription="failed")
        assert "text" not in told.wait(call.sid, "transcribed").value
    finally:
        told.close()


def test_it_is_not_asked_what_it_does_not_understand(desk):
    for changes in ({}, {"transcribe": True, "language": "de-DE"}):
        told = at_work(desk, **changes)
        try:
            call, story = left(desk, told)
            document = record_of(story)
            assert "transcri" not in document and 'maxLength="180"' in document, document
            assert "transcript_follows" not in told.wait(call.sid, "recorded").value
            assert not told.of(call.sid, "transcribed")
        finally:
            told.close()


def test_a_transcript_that_is_not_twilios(desk):
    """Unsigned, or of no recording: refused, and nothing is told."""
    told = at_work(desk, transcribe=True)
    try:
        call, story = left(desk, told, transcription="none")
        url = record_of(story).split('transcribeCallback="')[1].split('"')[0].replace("&amp;", "&").split("#")[0]
        path = url[len(desk.public_url):]
        recording = told.wait(call.sid, "recorded").value["recording_sid"]
        params = [("AccountSid", desk.tenants[0]["account_sid"]), ("CallSid", call.sid),
                  ("RecordingSid", recording), ("TranscriptionStatus", "completed"), ("TranscriptionText", "Hi")]
        token = desk.tenant(0).auth_token
        assert desk.post(path, params, token="0" * 32).status == 403
        assert desk.post(path, [pair for pair in params if pair[0] != "RecordingSid"], token=token).status == 400
        assert not told.of(call.sid, "transcribed")
        long = [pair for pair in params if pair[0] != "TranscriptionText"] + [("TranscriptionText", "é" * 5000)]
        assert desk.post(path, long, token=token).status == 204
        assert told.wait(call.sid, "transcribed").value["text"] == "é" * 2048
    finally:
        told.close()
