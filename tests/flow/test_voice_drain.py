"""An ingress ends while it holds phone calls: they go on with another one, and if there is none the caller
leaves a message. The test plays the engine."""

import threading

import phoning
from phoning import FALLBACK, GREETING, Call, Engine, Told, metric

SHARE = True
HELLO = {"wait_for": "reply"}


def voice(value):
    """What Twilio says when the caller begins and ceases to speak."""
    return {"frame": {"type": "info", "name": "clientSpeaking", "value": value, "ts": 1}}


def test_a_call_moves_when_its_ingress_drains(desk):
    """Two ingresses on one partition of the stream; the one that has the call ends: the other goes on."""
    desk.start(ingresses=2, engines=0, responders=0,
               config={"ingress": {"stream_partition": 3}})
    desk.reset("twilio")
    phoning.publish_number(desk)
    told = Told(desk)
    try:
        call = Call(desk, [{"wait_for": "relay"}, HELLO, {"silence": 6000}, {"wait_for": "relay"},
                           {"say": "Still there?", "ms": 200}, HELLO, {"hangup": True}])
        setup = told.wait(call.sid, "setup")
        assert setup.value["stream_partition"] == 3
        desk.wait(lambda: sum(metric(desk, "calls", name) for name in desk.services) == 1, 10, "the call")
        holder, = [name for name in desk.services if metric(desk, "calls", name) == 1]
        assert desk.terminate(holder) == 0
        again = told.wait(call.sid, "setup", 2)
        assert again.value["resumed"], again.value
        engine = Engine.of(desk, again).begin().say("Here I am.")
        told.wait(call.sid, "prompt")
        engine.begin().say("Yes, still.")
        story = call.over()
        assert story.heard().count(GREETING) == 1 and story.heard().endswith("Yes, still."), story.heard()
        assert "Here I am." in story.heard() and story.errors() == [], story.errors()
    finally:
        told.close()


def test_a_caller_who_speaks_is_not_moved(desk):
    """The ingress ends while he is in the middle of a sentence: it hears him out, and lets him be answered."""
    desk.start(ingresses=2, engines=0, responders=0,
               config={"ingress": {"stream_partition": 3}})
    desk.reset("twilio")
    phoning.publish_number(desk)
    told, taken = Told(desk), 'relay_frames_total{outcome="taken"}'
    before = {name: metric(desk, taken, name) for name in desk.services}
    try:
        call = Call(desk, [{"wait_for": "relay"}, HELLO, voice("on"), {"silence": 6000}, voice("off"),
                           {"say": "Long words.", "ms": 200}, HELLO, {"silence": 6000},
                           {"wait_for": "relay"}, {"hangup": True}])
        setup = told.wait(call.sid, "setup")
        holder, = [name for name in desk.services if metric(desk, "calls", name) == 1]
        desk.wait(lambda: metric(desk, taken, holder) >= before[holder] + 2, 10, "his voice")
        codes = []
        ending = threading.Thread(target=lambda: codes.append(desk.terminate(holder)))
        ending.start()
        prompt = told.wait(call.sid, "prompt")
        assert prompt.value["relay_session"] == setup.value["relay_session"], told.of(call.sid)
        Engine.of(desk, prompt).begin().say("I hear.")
        again = told.wait(call.sid, "setup", 2)
        assert again.value["relay_session"] != setup.value["relay_session"] and again.value["resumed"]
        ending.join()
        assert codes == [0] and "I hear." in call.over().heard()
    finally:
        told.close()


def test_the_only_ingress_ends(desk):
    """Nobody else can have the call: the caller hears so, and his message is recorded."""
    desk.start(engines=0, responders=0)
    desk.reset("twilio")
    phoning.publish_number(desk)
    call = Call(desk, [{"wait_for": "relay"}, HELLO, {"wait_for": "record"}, {"hangup": True}])
    desk.wait(lambda: metric(desk, "calls", "ingress-1") == 1 and call.story().of("audible"), 15, "the call")
    assert desk.terminate("ingress-1") == 0
    story = call.over()
    assert story.heard().startswith(GREETING) and FALLBACK in story.heard(), story.heard()
    assert story.errors() == [] and "<Record" in story.documents()[-1], (story.errors(), story.documents())


def test_a_first_request_in_a_drain(desk):
    """It is left to another ingress; when Twilio has nobody else to ask, the caller leaves a message."""
    desk.start(engines=0, responders=0)
    desk.reset("twilio")
    phoning.publish_number(desk)
    first = Call(desk, [{"wait_for": "relay"}, HELLO, voice("on"), {"silence": 60000}])
    desk.wait(lambda: metric(desk, 'relay_frames_total{outcome="taken"}', "ingress-1") == 2, 15, "his voice")
    ending = threading.Thread(target=lambda: desk.terminate("ingress-1"))
    ending.start()
    desk.wait(lambda: desk.webhook(desk.new_address(), "hello").status == 503, 10, "texts to be refused")
    second = Call(desk, [{"wait_for": "record"}, {"hangup": True}],
                  fallback_url=desk.public_url + "/twilio/voice").over()
    assert [event["http_status"] for event in second.of("answer")][:2] == [503, 200], second.of("answer")
    assert second.heard().startswith(FALLBACK), second.heard()
    desk._call("twilio", f"/_calls/{first.sid}", {"hangup": True})
    first.over()
    ending.join()
