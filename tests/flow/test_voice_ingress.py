"""ingress answers phone calls: the stand-in calls it, the test plays the engine. What callers hear, how
long they hear nothing, what engines are told and in which order, and who is not let in.
"""

import contextlib
import hashlib
import hmac
import http.client
import json
import secrets
import time
import uuid

import phoning
import webhook
from phoning import FALLBACK, FILLERS, GOODBYE, GREETING, Call, Engine, Told, metric
from harness import twiml
from struck import Struck

SHARE = True
CONFIG = {"ingress": {"quarantine_per_source": 500, "quarantine_per_number": 100}}
HELLO = {"wait_for": "reply"}


@contextlib.contextmanager
def at_work(desk, **changes):
    """ingress with a number that takes calls, and what it tells."""
    desk.start(engines=0, responders=0, config=CONFIG)
    desk.reset("twilio")
    phoning.publish_number(desk, **changes)
    told = Told(desk)
    try:
        yield told
    finally:
        told.close()


def assert_well_formed(story):
    for document in story.documents():
        if document:
            assert not twiml.problems_of(document.encode()), document


# A call that goes well

def test_answered_and_heard_in_order(desk):
    with at_work(desk) as told:
        call = Call(desk, [HELLO, {"say": "When do you open?", "ms": 300}, HELLO, {"hangup": True}])
        setup = told.wait(call.sid, "setup")
        assert setup.key == f"{setup.tenant}:{call.caller}"
        value = setup.value
        assert value["from"] == call.caller and value["to"] == desk.tenant(0).numbers["sms"]
        assert not value.get("resumed") and not value.get("outbound"), value
        assert setup.id == f"{call.sid}:{value['relay_session']}:0"
        prompt = told.wait(call.sid, "prompt")
        assert prompt.value["text"] == "When do you open?" and prompt.value["number"] == 1
        engine = Engine.of(desk, prompt).begin().say("We open ", "at nine, ", "every day.")
        last = told.wait(call.sid, "heard", which=lambda r: r.value["reason"] == "last")
        assert last.value["text"] == "We open at nine, every day." and last.value["turn"] == engine.turn
        assert last.value["seq"] == 2 and last.value["fence"] == 1
        ended = told.wait(call.sid, "ended")
        assert ended.value["reason"] in ("hung_up", "completed"), ended.value  # the socket or the report is first
        story = call.over()
        assert story.heard().replace("|", "") == GREETING + "We open at nine, every day."
        assert story.errors() == [] and story.summary["script"] == "done", story.summary
        assert_well_formed(story)
        records = told.of(call.sid)
        assert len({(record.partition, record.key) for record in records}) == 1
        assert [record.type for record in records][:3] == ["setup", "prompt", "heard"]
        desk.wait(lambda: metric(desk, "calls") == 0 and metric(desk, "relay_sockets") == 0, 10,
                  "the call to be forgotten")


def test_the_relay_is_as_the_tenant_wants_it(desk):
    with at_work(desk, consent_line="This call is recorded.", interruptible="speech") as told:
        call = Call(desk, [HELLO, {"hangup": True}])
        told.wait(call.sid, "ended")
        document, = [text for text in call.over().documents() if "ConversationRelay" in text]
        for wanted in ('language="en-US"', 'voice="Joanna-Neural"', 'ttsProvider="Amazon"',
                       'transcriptionProvider="Deepgram"', 'speechModel="nova-3-general"',
                       'hints="crown,Invisalign"', 'interruptible="speech"', 'dtmfDetection="true"',
                       'interruptSensitivity="medium"', 'events="speaker-events"',
                       f'welcomeGreeting="This call is recorded. {GREETING}"',
                       '<Language code="es-US" ttsProvider="Amazon" voice="Lupe-Neural"/>',
                       f'url="wss://{desk.public_url.partition("://")[2]}/relay/'):
            assert wanted in document, (wanted, document)


def test_names_that_twilio_would_refuse(desk):
    """An older record may have them: the caller is answered in the provider's own voice."""
    names = {"voice": "Joanna:Neural", "speech_model": "nova 3",
             "languages": [{"code": "es-US", "voice": "Lupe+", "tts_provider": "Amazon"}]}
    with at_work(desk, **names) as told:
        call = Call(desk, [HELLO, {"hangup": True}])
        told.wait(call.sid, "ended")
        story = call.over()
        document, = [text for text in story.documents() if "ConversationRelay" in text]
        assert GREETING in story.heard() and 'language="en-US"' in document, story.documents()
        assert "voice=" not in document and "speechModel=" not in document, document
        phoning.publish_number(desk, mode="gather", **names)
        story = Call(desk, [{"wait_for": "gather"}, {"hangup": True}]).over()
        assert story.heard() == GREETING and "voice=" not in story.documents()[0], story.documents()


def test_first_request_that_failed(desk):
    """Twilio asks the fallback URL: nobody has greeted the caller yet, nor told him that he is recorded."""
    with at_work(desk, consent_line="This call is recorded.") as told:
        call = Call(desk, [HELLO, {"hangup": True}], path="/nothing",
                    fallback_url=desk.public_url + "/twilio/voice")
        setup = told.wait(call.sid, "setup")
        assert not setup.value.get("resumed"), setup.value
        heard = call.over().heard()
        assert heard.count(f"This call is recorded. {GREETING}") == 1, heard
        # in mid-call he was greeted
        params = [("CallSid", webhook.new_sid("CA")), ("AccountSid", desk.tenant(0).account_sid),
                  ("From", "+15551230001"), ("To", desk.tenant(0).numbers["sms"]), ("ApiVersion", "2010-04-01"),
                  ("CallStatus", "in-progress"), ("Direction", "inbound"), ("ErrorCode", "11200")]
        body = desk.post("/twilio/voice", params).body
        body = body.decode() if isinstance(body, bytes) else body
        assert "ConversationRelay" in body and 'welcomeGreeting="' not in body, body


def test_barge_in(desk):
    """The interrupt is told before the prompt, with what was heard; nothing of the turn sounds after it."""
    words = "One two three four five six seven eight nine ten eleven twelve thirteen fourteen"
    with at_work(desk) as told:
        call = Call(desk, [HELLO, {"say": "Count, please.", "ms": 200},
                           {"interrupt": "Stop that", "after_words": 4, "ms": 200}, HELLO, {"hangup": True}])
        prompt = told.wait(call.sid, "prompt")
        engine = Engine.of(desk, prompt).begin()
        engine.say(*[word + " " for word in words.split()], last=False)
        second = told.wait(call.sid, "prompt", 2)
        engine.say("fifteen ", "sixteen.")
        dropped = 'stream_frames_total{verdict="interrupted"}'
        desk.wait(lambda: metric(desk, dropped) >= 2, 10, "the rest of the turn to be dropped")
        engine.begin().say("I am quiet.")
        story = call.over()
        heard = [r for r in told.of(call.sid, "heard") if r.value["reason"] == "interrupt"]
        assert len(heard) == 1 and heard[0].offset < second.offset, told.of(call.sid)
        text = heard[0].value["text"]
        assert text.startswith("One two three four") and words.startswith(text.strip()), text
        assert second.value["text"] == "Stop that"
        assert "fifteen" not in story.heard() and story.heard().endswith("I am quiet."), story.heard()


def test_keys_and_languages(desk):
    with at_work(desk) as told:
        call = Call(desk, [HELLO, {"press": "12#", "gap_ms": 50}, HELLO, {"hangup": True}])
        prompt = told.wait(call.sid, "prompt")
        assert prompt.value["keys"] == "12#" and "text" not in prompt.value
        engine = Engine.of(desk, prompt).begin()
        engine.frame("text", text="Hola. ", lang="es-US")
        engine.frame("keys", keys="1w2")
        engine.frame("language", lang="en-US")
        engine.say("Hello again.")
        story = call.over()
        kinds = [event["frame"]["type"] if isinstance(event.get("frame"), dict) else event.get("type")
                 for event in story.of("frame")]
        assert "sendDigits" in kinds and "language" in kinds, story.of("frame")
        assert "Hello again." in story.heard()


# Nobody answers

def test_nobody_answers(desk):
    """Filler, another filler, the fallback, a message that is recorded; and no silence that is too long."""
    with at_work(desk) as told, Struck("nobody answers: a message is recorded") as struck:
        before = metric(desk, "call_fallbacks_total")
        call = Call(desk, [HELLO, {"say": "Is anybody there?", "ms": 400}, {"wait_for": "record"},
                           {"say": "My crown is broken. Please call me.", "ms": 2000}, {"press": "#"}])
        recorded = told.wait(call.sid, "recorded", deadline_s=40)
        assert recorded.value["why"] == "fallback" and recorded.value["from"] == call.caller
        assert recorded.key == f"{recorded.tenant}:{call.caller}"
        assert recorded.id == recorded.value["recording_sid"] and recorded.value["url"].startswith("http")
        told.wait(call.sid, "ended")
        story = call.over()
        heard = story.heard()
        places = [heard.find(words) for words in (GREETING, *sorted(FILLERS, key=heard.find), FALLBACK, GOODBYE)]
        assert places == sorted(places) and -1 not in places, heard
        struck.over(story)
        assert_well_formed(story)
        assert metric(desk, "call_fallbacks_total") == before + 1


def test_an_engine_that_goes_silent_in_mid_turn(desk):
    """Long words at a rate that ingress takes for slower: the filler comes in time all the same."""
    words = "I am looking for a time that suits you, and I see that there is one, but not before next week. "
    with at_work(desk) as told, Struck("an engine falls silent in mid-answer") as struck:
        call = Call(desk, [HELLO, {"say": "A cleaning, please.", "ms": 300}, {"wait_for": "record"},
                           {"hangup": True}])
        prompt = told.wait(call.sid, "prompt")
        engine = Engine.of(desk, prompt).begin().say(words, last=False)
        stall = told.wait(call.sid, "heard", which=lambda r: r.value["reason"] == "stall")
        assert stall.value["turn"] == engine.turn and words.startswith(stall.value["text"]), stall.value
        told.wait(call.sid, "heard", deadline_s=40, which=lambda r: r.value["reason"] == "fallback")
        engine.say("too late.")
        story = call.over()
        assert "too late" not in story.heard() and FALLBACK in story.heard(), story.heard()
        struck.over(story)


def test_an_adopter_goes_on(desk):
    """A new fence asks, hears what was spoken, and the older one's frames are dropped."""
    with at_work(desk) as told:
        call = Call(desk, [HELLO, {"say": "Well?", "ms": 200}, HELLO, {"hangup": True}])
        prompt = told.wait(call.sid, "prompt")
        engine = Engine.of(desk, prompt).begin().say("The first half, ", last=False)
        older = (engine.fence, engine.seq)
        engine.adopt()
        answer = told.wait(call.sid, "heard", which=lambda r: r.value["reason"] == "open")
        assert answer.value["text"] == "The first half, " and answer.value["fence"] == 2, answer.value
        newer = (engine.fence, engine.seq)
        engine.fence, engine.seq = older
        engine.say("said twice, ", last=False)
        engine.fence, engine.seq = newer
        engine.say("and the second.")
        assert call.over().heard().replace("|", "").endswith("The first half, and the second.")


def test_a_takeover_stops_what_is_older(desk):
    with at_work(desk) as told:
        call = Call(desk, [HELLO, {"say": "Well?", "ms": 200}, HELLO, {"hangup": True}])
        prompt = told.wait(call.sid, "prompt")
        engine = Engine.of(desk, prompt).begin().say("A beginning. ", last=False)
        told.wait(call.sid, "heard", which=lambda r: r.value["reason"] == "stall")
        stale = engine.seq
        engine.epoch = 2
        engine.frame("stop")
        stopped = told.wait(call.sid, "heard", which=lambda r: r.value["reason"] == "stop")
        assert stopped.value["epoch"] == 1, stopped.value
        engine.epoch, engine.seq = 1, stale
        engine.say("Nobody hears this.")
        engine.epoch = 2
        engine.begin().say("A person speaks.")
        story = call.over()
        assert "Nobody hears" not in story.heard() and "A person speaks." in story.heard(), story.heard()


def test_another_tenants_frames_are_not_spoken(desk):
    with at_work(desk) as told:
        other = phoning.publish_number(desk, tenant=1)
        call = Call(desk, [HELLO, {"say": "Well?", "ms": 200}, HELLO, {"hangup": True}])
        prompt = told.wait(call.sid, "prompt")
        before = metric(desk, 'stream_frames_total{verdict="not_held"}')
        engine = Engine.of(desk, prompt).begin()
        engine.frame("text", tenant=other, text="Another business.", last=True)
        desk.wait(lambda: metric(desk, 'stream_frames_total{verdict="not_held"}') > before, 10,
                  "the frame to be dropped")
        engine.begin().say("Ours.")
        heard = call.over().heard()
        assert "Another" not in heard and heard.endswith("Ours."), heard


# How a relay session ends

def test_a_message_that_was_asked_for(desk):
    with at_work(desk) as told:
        call = Call(desk, [HELLO, {"say": "A message, please.", "ms": 200}, {"wait_for": "record"},
                           {"say": "Call me.", "ms": 800}, {"press": "#"}])
        engine = Engine.of(desk, told.wait(call.sid, "prompt")).begin().say("Gladly.")
        engine.end(do="record", why="asked")
        recorded = told.wait(call.sid, "recorded")
        assert recorded.value["why"] == "asked", recorded.value
        heard = call.over().heard()
        assert "Gladly.|Please leave a message after the tone." in heard, heard


def test_hang_up_by_the_desk(desk):
    with at_work(desk) as told:
        call = Call(desk, [HELLO, {"say": "That was all.", "ms": 200}])
        Engine.of(desk, told.wait(call.sid, "prompt")).begin().say("Goodbye then.").end(do="hangup")
        ended = told.wait(call.sid, "ended")
        assert ended.value["reason"] in ("completed", "hung_up"), ended.value
        assert call.over().summary["ended_by"] == "Hangup"


def test_silent_caller_is_asked_and_let_go(desk):
    with at_work(desk, silence_ms=1500) as told:
        call = Call(desk, [HELLO])
        told.wait(call.sid, "ended", deadline_s=40)
        heard = call.over().heard()
        assert phoning.STILL_THERE in heard and GOODBYE in heard, heard


def test_transfer_accepted(desk):
    person = "+15559870001"
    with at_work(desk) as told:
        desk._call("twilio", "/_callees", {"number": person, "ring_ms": 200, "script": [
            {"wait_for": "gather"}, {"press": "1"}, {"wait_for": "bridged"}, {"say": "Ines here", "ms": 1200},
            {"hangup": True}]})
        call = Call(desk, [HELLO, {"say": "A person, please.", "ms": 200}])
        dial = str(uuid.uuid4())
        Engine.of(desk, told.wait(call.sid, "prompt")).begin().say("I put you through.").end(
            do="dial", dial=dial, to=person, timeout_s=20, briefing="A caller & a broken crown. Press 1.")
        dialled = told.wait(call.sid, "dialled")
        assert dialled.value["dial"] == dial and dialled.value["outcome"] == "accepted", dialled.value
        assert dialled.id == f"{call.sid}:dialled:{dial}"
        told.wait(call.sid, "ended")
        assert call.over().errors() == []


def test_cold_transfer(desk):
    """Who answers is put through at once: nothing is asked of him."""
    person = "+15559870002"
    with at_work(desk) as told:
        desk._call("twilio", "/_callees", {"number": person, "ring_ms": 200, "script": [
            {"wait_for": "bridged"}, {"say": "Ines here", "ms": 1200}, {"hangup": True}]})
        call = Call(desk, [HELLO, {"say": "A person, please.", "ms": 200}])
        Engine.of(desk, told.wait(call.sid, "prompt")).begin().say("I put you through.").end(
            do="dial", dial=str(uuid.uuid4()), to=person, timeout_s=20, cold=True)
        assert told.wait(call.sid, "dialled").value["outcome"] == "accepted"
        story = call.over()
        child = desk._call("twilio", f"/_calls/{story.of('dial')[0]['child']}")
        assert not [event for event in child["events"] if event["kind"] in ("ask", "gather")], child["events"]
        assert story.errors() == []
        assert len(told.of(call.sid, "dialled")) == 1, "that a person took it is not told besides"


def test_a_machine_takes_a_transfer(desk):
    """Who answered comes beside the call, and is told under an id of its own: of a cold one while the two are
    joined; of a warm one before the caller is back."""
    greeting = [{"say": "This is Ines, leave a message.", "ms": 2000}]
    for cold, script in ((True, [{"wait_for": "bridged"}, *greeting, {"hangup": True}]), (False, greeting)):
        person, dial = desk.new_address(), str(uuid.uuid4())
        with at_work(desk) as told:
            desk._call("twilio", "/_callees", {"number": person, "answer": "machine", "ring_ms": 200,
                                               "amd_ms": 500, "speed": 5, "script": script})
            call = Call(desk, [HELLO, {"say": "A person, please.", "ms": 200}])
            Engine.of(desk, told.wait(call.sid, "prompt")).begin().say("I put you through.").end(
                do="dial", dial=dial, to=person, timeout_s=20, briefing="A caller. Press 1.", cold=cold)
            first, second = told.wait(call.sid, "dialled"), told.wait(call.sid, "dialled", 2, 40)
            assert (first.id, first.value["outcome"], first.value["dial"]) == (
                f"{call.sid}:dialled:{dial}:voicemail", "voicemail", dial), first.value
            assert first.value["from"] == call.caller and first.value["duration_s"] == 0, first.value
            assert second.value["outcome"] == ("accepted" if cold else "refused"), second.value
            desk._call("twilio", f"/_calls/{call.sid}", {"hangup": True}) if not call.now()["over"] else None
            assert call.over().errors() == []


def test_transfer_that_nobody_takes(desk):
    """The call comes back to the desk, which is to speak first and greets nobody again."""
    for answer, outcome in (("human", "refused"), ("no-answer", "no_answer"), ("busy", "busy")):
        person = desk.new_address()
        with at_work(desk) as told:
            desk._call("twilio", "/_callees", {"number": person, "answer": answer, "ring_ms": 200,
                                               "script": [{"wait_for": "gather"}, {"press": "2"}]})
            call = Call(desk, [HELLO, {"say": "A person, please.", "ms": 200}, 
                               {"wait_for": "tokens", "count": 2}, HELLO, {"hangup": True}])
            dial = str(uuid.uuid4())
            engine = Engine.of(desk, told.wait(call.sid, "prompt")).begin().say("I put you through.")
            engine.end(do="dial", dial=dial, to=person, timeout_s=5, briefing="A caller. Press 1.")
            assert told.wait(call.sid, "dialled").value["outcome"] == outcome
            again = told.wait(call.sid, "setup", 2)
            assert again.value["resumed"] and again.value["heard"] == "I put you through.", again.value
            engine.begin().say("Nobody is there.")
            story = call.over()
            assert story.heard().count(GREETING) == 1 and "Nobody is there." in story.heard(), story.heard()


def test_a_socket_that_breaks_comes_back(desk):
    with at_work(desk) as told:
        call = Call(desk, [HELLO, {"say": "Well?", "ms": 200}, {"wait_for": "audible", "chars": 12},
                           {"cut": "reset"}, {"wait_for": "tokens", "count": 2}, HELLO, {"hangup": True}])
        engine = Engine.of(desk, told.wait(call.sid, "prompt")).begin().say(
            "One two three four five six seven eight nine ten.")
        close = told.wait(call.sid, "heard", which=lambda r: r.value["reason"] == "close")
        assert "One two three four five".startswith(close.value["text"].strip()[:10]), close.value
        again = told.wait(call.sid, "setup", 2)
        assert again.value["resumed"] and again.value["relay_session"] != close.value["relay_session"]
        engine.begin().say("As I said.")
        story = call.over()
        assert story.heard().count(GREETING) == 1 and "As I said." in story.heard(), story.heard()


def test_failed_sessions_in_a_row(desk):
    """The third one ends in a message, unless one of them lasted."""
    with at_work(desk):
        tenant = phoning.publish_number(desk)

        def after(failures, seconds):
            params = [("CallSid", webhook.new_sid("CA")), ("AccountSid", desk.tenant(0).account_sid),
                      ("From", "+15551230001"), ("To", desk.tenant(0).numbers["sms"]), ("ApiVersion", "2010-04-01"),
                      ("CallStatus", "in-progress"), ("Direction", "inbound"), ("SessionStatus", "failed"),
                      ("SessionDuration", str(seconds)), ("ErrorCode", "64105")]
            return str(desk.post(f"/twilio/voice/relay-ended/{tenant}/{failures}", params).body)
        assert f"/relay-ended/{tenant}/1" in after(0, 2)
        assert f"/relay-ended/{tenant}/2" in after(1, 29)
        assert "<Record" in after(2, 29)
        assert f"/relay-ended/{tenant}/1" in after(2, 30)


# Who is not let in

def test_blocked_and_unknown_numbers(desk):
    with at_work(desk, blocked=["+15551230009"]) as told:
        call = Call(desk, [], from_="+15551230009")
        story = call.over()
        assert "<Reject" in story.documents()[0] and not story.heard(), story.documents()
        params = [("CallSid", webhook.new_sid("CA")), ("AccountSid", desk.tenant(0).account_sid),
                  ("From", "+15551230001"), ("To", "+15559999999"), ("CallStatus", "ringing"),
                  ("Direction", "inbound"), ("ApiVersion", "2010-04-01")]
        assert desk.post("/twilio/voice", params).status == 403
        ours = [(name, desk.tenant(0).numbers["sms"] if name == "To" else value) for name, value in params]
        assert desk.post("/twilio/voice", ours, token="another").status == 403
        assert desk.post("/twilio/voice", ours).status == 200
        assert desk.post("/twilio/voice/unknown/" + uuid.uuid4().hex, params).status == 404
        assert not told.of(call.sid, "setup", "prompt")


def relay_key(desk):
    """As ingress derives it from the edge's key."""
    edge = bytes.fromhex((desk.installation.keys / "edge.secret").read_text().strip())
    return hmac.new(edge, b"frontdesk relay key 1", hashlib.sha256).digest()


def relay_path(desk, tenant, sid, expires, key=None):
    fields = f"{tenant}/{sid}/{expires}/"
    mac = hmac.new(key or relay_key(desk), b"frontdesk relay path 1\n" + fields.encode(), hashlib.sha256)
    return f"/relay/{fields}{mac.hexdigest()}"


def knock(desk, path, token, signed_path=None):
    """The status of a handshake."""
    url = "wss://" + desk.public_url.partition("://")[2] + (signed_path or path)
    headers = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
               "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
    if token:
        headers["X-Twilio-Signature"] = webhook.signature(token, url, [])
    connection = http.client.HTTPConnection("127.0.0.1", desk.installation.relay_ports[0], timeout=10)
    try:
        connection.request("GET", path, headers=headers)
        return connection.getresponse().status
    finally:
        connection.close()


def test_tokens(desk):
    with at_work(desk):
        tenant, other = phoning.publish_number(desk), phoning.publish_number(desk, tenant=1)
        token, stranger = desk.tenants[0]["auth_token"], desk.tenants[1]["auth_token"]
        sid, soon = webhook.new_sid("CA"), int(time.time()) + 60
        good = relay_path(desk, tenant, sid, soon)
        assert knock(desk, good, token) == 101
        assert knock(desk, good, token) == 403, "a second time"
        good = relay_path(desk, tenant, sid, soon - 1)  # of the same call, and not used yet
        assert knock(desk, good, None) == 403, "a stolen path, without Twilio's signature"
        assert knock(desk, good, stranger) == 403, "signed by another tenant's account"
        assert knock(desk, relay_path(desk, other, sid, soon), token) == 403, "of another tenant"
        assert knock(desk, good, token, signed_path=good + "x") == 403
        assert knock(desk, relay_path(desk, tenant, sid, int(time.time()) - 5), token) == 403, "expired"
        assert knock(desk, relay_path(desk, tenant, sid, soon + 2 * 86400), token) == 403, "from the future"
        assert knock(desk, relay_path(desk, tenant, sid, soon, b"k" * 32), token) == 403, "another key"
        assert knock(desk, good[:-1] + ("0" if good[-1] != "0" else "1"), token) == 403
        assert knock(desk, good + "?a=1", token) == 403
        assert knock(desk, good, token) == 101, "who was not let in has not used it"
        assert knock(desk, "/relay/", token) == 403
        assert knock(desk, "/other", token) == 404


def hostile(desk, told, step, closes):
    """A call whose relay session gets a hostile step; the caller is answered after it all the same."""
    call = Call(desk, [{"wait_for": "relay"}, HELLO, step, *([{"silence": 1500}, {"wait_for": "relay"}] if closes else []),
                       {"say": "Still there?", "ms": 200}, HELLO, {"hangup": True}])
    prompt = told.wait(call.sid, "prompt", which=lambda r: r.value.get("text") == "Still there?")
    Engine.of(desk, prompt).begin().say("Yes.")
    story = call.over()
    assert "Yes." in story.heard(), (step, story.heard(), story.summary)
    return call, story


def test_hostile_frames(desk):
    """What cannot be read is passed over; what a peer may not send ends its session, not the call."""
    passed_over = [
        {"frame": {"type": "setup", "callSid": "CA" + "0" * 32}}, {"frame": {"type": "news", "x": 1}},
        {"raw": "{"}, {"raw": '{"type":"prompt"}'}, {"raw": '{"type":"dtmf","digit":"99"}'},
    ]
    closing = [
        ({"raw": "b", "binary": True}, "binary"), ({"raw": "x", "repeat": 65537}, "too_large"),
        ({"hex": "22c32822"}, "not_utf8"), ({"raw": '{"type":"x"}', "times": 1000, "per_second": 1000}, "too_many"),
    ]
    with at_work(desk) as told:
        for step in passed_over:
            call, story = hostile(desk, told, step, closes=False)
            assert len(told.of(call.sid, "setup")) == 1, step
        for step, cause in closing:
            name = f'relay_closed_total{{cause="{cause}"}}'
            before = metric(desk, name)
            call, story = hostile(desk, told, step, closes=True)
            assert [r.value.get("resumed", False) for r in told.of(call.sid, "setup")] == [False, True], step
            desk.wait(lambda: metric(desk, name) > before, 10, name)


def test_a_setup_of_another_call(desk):
    with at_work(desk) as told:
        call = Call(desk, [{"wait_for": "relay"}, {"frame": {
            "type": "setup", "sessionId": "VX" + secrets.token_hex(16), "callSid": webhook.new_sid("CA"),
            "accountSid": desk.tenant(0).account_sid, "from": "+15551230001",
            "to": desk.tenant(0).numbers["sms"], "direction": "inbound", "callStatus": "RINGING"}},
            {"wait_for": "record"}, {"hangup": True}], setup="none")
        story = call.over()
        assert not told.of(call.sid, "setup"), told.of(call.sid)
        assert FALLBACK in story.heard(), story.heard()


def test_setup_twice(desk):
    """A second one on the socket of a call changes nothing, also where it is whole and of that very call with
    another session: the call keeps the session that it began with, and is answered."""
    with at_work(desk) as told:
        for own in (True, False):
            call = Call(desk, [{"wait_for": "relay"}, HELLO])
            first = told.wait(call.sid, "setup").value["relay_session"]
            desk.wait(lambda: call.now()["script"] == "done", 20, "the greeting")
            call.also({"frame": {
                "type": "setup", "sessionId": "VX" + secrets.token_hex(16),
                "callSid": call.sid if own else webhook.new_sid("CA"), "accountSid": desk.tenant(0).account_sid,
                "from": call.caller, "to": desk.tenant(0).numbers["sms"], "direction": "inbound",
                "callStatus": "RINGING"}}, {"say": "Still there?", "ms": 200}, HELLO, {"hangup": True})
            prompt = told.wait(call.sid, "prompt")
            assert prompt.value["relay_session"] == first and prompt.id == f"{call.sid}:{first}:1", prompt.value
            Engine.of(desk, prompt).begin().say("Yes.")
            story = call.over()
            assert "Yes." in story.heard() and story.errors() == [], (story.heard(), story.errors())
            told.wait(call.sid, "ended")
            assert [record.value["relay_session"] for record in told.of(call.sid, "setup")] == [first]


def test_hang_up_at_any_point(desk):
    """Whatever was going on, the engines hear that it is over, once."""
    with at_work(desk) as told:
        points = [[{"wait_for": "relay"}], [HELLO], [HELLO, {"say": "Hello?", "ms": 200}],
                  [HELLO, {"say": "Hello?", "ms": 100}, {"silence": 4300}]]
        calls = [Call(desk, [*script, {"hangup": True}]) for script in points]
        for call in calls:
            ended = told.wait(call.sid, "ended")
            assert ended.value["reason"] in ("hung_up", "completed") and ended.id == f"{call.sid}:ended"
            call.over()
        desk.wait(lambda: metric(desk, "calls") == 0, 15, "the calls to be forgotten")


def test_withheld_numbers_are_contacts_of_their_own(desk):
    with at_work(desk) as told:
        for who in ("anonymous", "+266696687"):
            call = Call(desk, [HELLO, {"hangup": True}], from_=who)
            setup = told.wait(call.sid, "setup")
            assert setup.key == f"{setup.tenant}:{call.sid}", setup.key
            call.over()


# Many

def test_more_calls_than_there_is_room_for(desk):
    """The first is answered, the second is asked for a message."""
    desk.start(engines=0, responders=0, config={"ingress": {**CONFIG["ingress"], "max_calls": 1}})
    desk.reset("twilio")
    phoning.publish_number(desk)
    first = Call(desk, [{"wait_for": "relay"}, HELLO, {"silence": 20000}])
    desk.wait(lambda: metric(desk, "relay_sockets") == 1, 15, "the first call's socket")
    second = Call(desk, [{"wait_for": "record"}, {"hangup": True}]).over()
    assert FALLBACK in second.heard() and "<Record" in second.documents()[0], second.documents()
    desk._call("twilio", f"/_calls/{first.sid}", {"hangup": True})
    first.over()


def test_the_partition_follows_from_the_name(desk):
    desk.start(engines=0, responders=0, config=CONFIG)
    lines = [line for line in desk.log("ingress-1") if line.get("event") == "stream.reading"]
    wanted = int.from_bytes(hashlib.sha256(b"ingress-1").digest()[:4], "big") % 6
    assert lines and lines[-1]["partition"] == wanted, lines


def test_configuration_is_checked(desk):
    desk.start(engines=0, responders=0, config=CONFIG)
    ingress = desk.services["ingress-1"]
    for key, value in (("max_calls", 0), ("stream_partition", 1000)):
        code, said = ingress.check_config(**{key: value})
        assert code == 2 and key in said, (key, code, said)


def test_metrics_are_there_from_the_start(desk):
    desk.start(engines=0, responders=0, config=CONFIG)
    names = desk.services["ingress-1"].metrics()
    for name in ("calls", "relay_sockets", "call_fallbacks_total", "call_messages_total", "voice_late_total",
                 "voice_failed_total", 'stream_frames_total{verdict="taken"}', 'relay_frames_total{outcome="bad"}',
                 'relay_closed_total{cause="peer"}', 'relay_refused_total{reason="full"}',
                 "relay_frames_sent_total", "relay_frames_dropped_total"):
        assert "frontdesk_ingress_" + name in names, name
    assert json.dumps(names)
