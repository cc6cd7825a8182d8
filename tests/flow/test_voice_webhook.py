"""ingress answers phone calls without sockets: the stand-in calls it, the test plays the engine. Each thing
that the caller says is a step of the call, told under the number in ingress's own URL, and answered whole."""

import contextlib
import re
import threading
import time
import uuid
import xml.etree.ElementTree as xml

import phoning
import webhook
from callers import never_silent
from phoning import FALLBACK, FILLERS, GOODBYE, GREETING, STILL_THERE, Call, Engine, Told, metric
from harness import twiml
from harness.standstill import Standstill

SHARE = True
DEADLINE_S = 120
HELLO = {"wait_for": "reply"}
BYE = {"hangup": True}
ASKS_AGAIN = "Sorry, could you say it again?"
WAITS = 3           # requests that wait on for one answer
QUIET_MS = 3000     # of a Gather
CONFIG = {"ingress": {"quarantine_per_source": 500, "quarantine_per_number": 100}}


def publish(desk, **changes):
    """The number in webhook mode; speech is understood by the provider's default model."""
    return phoning.publish_number(desk, **{"mode": "gather", "not_understood": ASKS_AGAIN,
                                           "transcription_provider": None, "speech_model": None, **changes})


@contextlib.contextmanager
def at_work(desk, ingresses=1, **changes):
    """ingress with a number in webhook mode, and what it tells."""
    desk.start(ingresses=ingresses, engines=0, responders=0, config=CONFIG)
    desk.reset("twilio")
    publish(desk, **changes)
    told = Told(desk)
    try:
        yield told
    finally:
        told.close()


def say(words, **more):
    return {"say": words, "ms": 300, **more}


def spoken(story):
    """All that the caller heard, as one text."""
    return story.heard().replace("|", " ").strip()


def well(story, script="done"):
    assert story.errors() == [] and story.summary["script"] == script, (story.summary, story.errors())
    for document in story.documents():
        assert not document or not twiml.problems_of(document.encode()), document
        assert "ConversationRelay" not in document, document


# A call that goes well

def test_a_whole_call(desk):
    with at_work(desk) as told, Standstill() as still:
        call = Call(desk, [HELLO, say("When do you open?", confidence=0.87), HELLO, {"press": "12#"}, HELLO, BYE],
                    params={"StirVerstat": "TN-Validation-Failed"})
        setup = told.wait(call.sid, "setup")
        assert setup.value["attestation"] == "failed", setup.value
        assert setup.id == f"{call.sid}:0" and setup.key == f"{setup.tenant}:{call.caller}", setup
        assert "relay_session" not in setup.value and not setup.value.get("resumed"), setup.value
        first = told.wait(call.sid, "prompt")
        assert first.id == f"{call.sid}:1" and first.value["number"] == 1, first
        assert (first.value["text"], first.value["confidence_pm"]) == ("When do you open?", 870), first.value
        engine = Engine.of(desk, first).answer(first, "We open at nine.")
        heard = told.wait(call.sid, "heard")
        assert (heard.value["reason"], heard.value["text"], heard.value["turn"], heard.value["fence"]) == (
            "last", "We open at nine.", engine.turn, 1), heard.value
        second = told.wait(call.sid, "prompt", 2)
        assert second.value["keys"] == "12" and "text" not in second.value, second.value
        assert second.id == f"{call.sid}:{second.value['number']}" and second.value["number"] > 1
        engine.answer(second, "Twelve it is.")
        assert told.wait(call.sid, "ended").value["reason"] in ("completed", "hung_up")
        story = call.over()
        well(story)
        never_silent(story, still)
        assert spoken(story) == f"{GREETING} We open at nine. Twelve it is.", spoken(story)
        records = told.of(call.sid)
        assert len({(record.partition, record.key) for record in records}) == 1
        assert [record.type for record in records] == ["setup", "prompt", "heard", "prompt", "heard", "ended"]


def gather_of(document):
    return xml.fromstring(document).find("Gather")


def test_the_documents_are_as_the_tenant_wants_them(desk):
    with at_work(desk, consent_line="This call is recorded.") as told:
        call = Call(desk, [HELLO, BYE])
        told.wait(call.sid, "ended")
        document, = [text for text in call.over().documents() if "<Gather" in text]
        gather = gather_of(document)
        say_, = gather.findall("Say")
        assert say_.text == f"This call is recorded. {GREETING}" and say_.get("voice") == "Polly.Joanna-Neural"
        assert gather.get("input") == "dtmf speech" and gather.get("language") == "en-US"
        assert gather.get("hints") == "crown,Invisalign" and gather.get("speechTimeout") == "auto"
        assert re.fullmatch(re.escape(desk.public_url) + r"/twilio/voice/step/[0-9a-f-]{36}/1.*", gather.get("action"))
    with at_work(desk, interruptible="none", transcription_provider="Deepgram", speech_model="nova-3-general"):
        document = Call(desk, [HELLO, BYE]).over().documents()[0]
        gather = gather_of(document)
        assert xml.fromstring(document)[0].tag == "Say" and not len(gather), "it cannot be cut into"
        assert gather.get("speechModel") == "deepgram_nova-3" and gather.get("speechTimeout") == "1"


def test_a_long_answer_in_another_language(desk):
    """A Say takes 3,000 characters, 4,500 when they are encoded: the answer is said in several."""
    answer = ("Öffnungszeiten über Übergänge. " * 58).strip()
    assert len(answer.encode()) <= 2048
    with at_work(desk, languages=[{"code": "de-DE", "voice": "Vicki-Neural", "tts_provider": "Amazon"}]) as told:
        call = Call(desk, [HELLO, say("Auf Deutsch, bitte"), HELLO, BYE], rate=2000)
        first = told.wait(call.sid, "prompt")
        Engine.of(desk, first).begin().frame("step", step=1, text=answer, lang="de-DE")
        story = call.over()
        well(story)
        gather = gather_of(next(text for text in story.documents() if "Polly.Vicki-Neural" in text))
        said = gather.findall("Say")
        assert len(said) > 1 and " ".join(one.text.strip() for one in said) == answer, [one.text for one in said]
        assert gather.get("language") == "de-DE" and "lang=de-DE" in gather.get("action")


# An answer that takes its time

def test_a_slow_answer(desk):
    with at_work(desk) as told, Standstill() as still:
        call = Call(desk, [HELLO, say("When do you open?"), HELLO, BYE])
        waits = told.wait(call.sid, "setup", 2)
        assert waits.id == f"{call.sid}:1:wait:1" and waits.value["resumed"], waits
        assert (waits.value["step"], waits.value["wait"]) == (1, 1), waits.value
        Engine.of(desk, waits).answer(waits, "We open at nine.")
        story = call.over()
        well(story)
        never_silent(story, still)
        assert re.fullmatch(f"{GREETING} ({'|'.join(FILLERS)}) We open at nine.", spoken(story)), spoken(story)
        assert len(told.of(call.sid, "prompt")) == 1


def test_nobody_answers(desk):
    with at_work(desk) as told, Standstill() as still:
        before = metric(desk, "call_fallbacks_total")
        call = Call(desk, [HELLO, say("Is anybody there?"), {"wait_for": "record", "timeout_ms": 60000},
                           say("Please call me back.", ms=1500), {"press": "#"}])
        story = call.over(90)
        well(story)
        never_silent(story, still)
        assert spoken(story).count(FALLBACK) == 1 and GOODBYE in spoken(story), spoken(story)
        assert sum(spoken(story).count(filler) for filler in FILLERS) == WAITS, spoken(story)
        assert told.wait(call.sid, "recorded").value["why"] == "fallback"
        assert [r.value["wait"] for r in told.of(call.sid, "setup") if r.value.get("step")] == [1, 2, 3]
        assert metric(desk, "call_fallbacks_total") == before + 1


# Requests that come twice, late, or to another ingress

class Hand:
    """A call of which the test is Twilio as well."""

    def __init__(self, desk, tenant_id):
        self.desk, self.tenant_id, self.sid = desk, tenant_id, webhook.new_sid("CA")
        known = desk.tenant(0)
        self.params = [("CallSid", self.sid), ("AccountSid", known.account_sid), ("From", desk.new_address()),
                       ("To", known.numbers["sms"]), ("CallStatus", "in-progress"), ("Direction", "inbound")]

    def ask(self, what, step, ingress=1, query="", token=None, **more):
        target = f"/twilio/voice/{what}/{self.tenant_id}/{step}{query}"
        body, headers = webhook.signed_form(self.desk.public_url, target, token or self.desk.tenants[0]["auth_token"],
                                            self.params + list(more.items()))
        return webhook.post(self.desk.ingress_url(ingress), target, body, headers)

    def start(self, *args, **more):
        """The same beside the test; returns what gives the answer."""
        answers = []
        thread = threading.Thread(target=lambda: answers.append(self.ask(*args, **more)))
        thread.start()

        def answer():
            thread.join()
            return answers[0]
        return answer


def test_a_step_that_comes_twice(desk):
    """At once and later: the same document each time, and one event."""
    with at_work(desk) as told:
        hand = Hand(desk, publish(desk))
        both = [hand.start("step", 1, SpeechResult="When do you open?", Confidence="0.9") for _ in range(2)]
        first = told.wait(hand.sid, "prompt", 2)
        Engine.of(desk, first).answer(first, "We open at nine.")
        one, two = [answer() for answer in both]
        assert one.status == two.status == 200 and one.body == two.body, (one.body, two.body)
        assert b"We open at nine." in one.body and b"/2" in one.body, one.body
        later = hand.start("step", 1, SpeechResult="When do you open?", Confidence="0.9")
        again = told.wait(hand.sid, "prompt", 3)
        Engine.of(desk, again).answer(again, "We open at nine.")
        assert later().body == one.body, later().body
        assert {record.id for record in told.of(hand.sid, "prompt")} == {f"{hand.sid}:1"}


def test_steps_out_of_order(desk):
    with at_work(desk) as told:
        hand = Hand(desk, publish(desk))
        second = hand.start("step", 2, SpeechResult="And on Sundays?")
        late = hand.start("step", 1, SpeechResult="When do you open?")
        prompts = {phoning.step_of(record): record for record in (told.wait(hand.sid, "prompt"),
                                                                  told.wait(hand.sid, "prompt", 2))}
        engine = Engine.of(desk, prompts[1])
        engine.answer(prompts[1], "At nine.").answer(prompts[2], "Not at all.")
        assert b"At nine." in late().body and b"/2" in late().body, late().body
        assert b"Not at all." in second().body and b"/3" in second().body, second().body


def test_another_ingress_waits_on(desk):
    """The wait names its own partition, and says the rest."""
    with at_work(desk, ingresses=2) as told:
        hand = Hand(desk, publish(desk))
        asked = hand.ask("step", 1, SpeechResult="When do you open?")
        assert b"<Redirect" in asked.body and b"<Gather" not in asked.body, asked.body
        redirect = xml.fromstring(asked.body).find("Redirect").text
        waits = hand.start("wait", 1, ingress=2, query="?" + redirect.partition("?")[2].partition("#")[0])
        prompt, setup = told.wait(hand.sid, "prompt"), told.wait(hand.sid, "setup")
        assert prompt.value["stream_partition"] != setup.value["stream_partition"], "told by two"
        Engine.of(desk, setup).answer(setup, "We open at nine.")
        assert b"We open at nine." in waits().body, waits().body


def reader_of(desk, partition):
    """The ingress that is told of by this partition."""
    name, = [name for name in ("ingress-1", "ingress-2") if partition == [
        line for line in desk.log(name) if line.get("event") == "stream.reading"][-1]["partition"]]
    return name


def test_the_ingress_that_waits_is_killed(desk):
    """The proxy asks the other one, which knows for how long the caller has been silent."""
    with at_work(desk, ingresses=2) as told, Standstill() as still:
        call = Call(desk, [HELLO, say("When do you open?"), HELLO, BYE])
        first = told.wait(call.sid, "prompt")
        silent_ms = call.story().of("said")[-1]["until"]
        desk.wait(lambda: time.time() * 1000 >= silent_ms + 2500, 10, "most of his patience to be gone")
        desk.kill(reader_of(desk, first.value["stream_partition"]))
        try:
            second = told.wait(call.sid, "prompt", 2)
            assert second.id == first.id and second.value["stream_partition"] != first.value["stream_partition"]
            waits = told.wait(call.sid, "setup", 2)
            Engine.of(desk, waits).answer(waits, "We open at nine.")
            story = call.over()
        finally:
            desk.revive()
        well(story)
        never_silent(story, still)
        assert re.fullmatch(f"{GREETING} ({'|'.join(FILLERS)}) We open at nine.", spoken(story)), spoken(story)


def test_who_is_not_answered(desk):
    """Another tenant's frame, an older epoch after a takeover, a request of another tenant's, no number."""
    with at_work(desk) as told:
        tenant, other = publish(desk), phoning.publish_number(desk, tenant=1)
        hand = Hand(desk, tenant)
        answer = hand.start("step", 1, SpeechResult="When do you open?")
        prompt = told.wait(hand.sid, "prompt")
        engine = Engine.of(desk, prompt).begin()
        engine.frame("step", step=1, text="A stranger's.", tenant=other)
        engine.epoch = 3
        engine.frame("stop")
        engine.epoch = 2
        engine.begin().frame("step", step=1, text="Of before the takeover.")
        engine.epoch = 3
        engine.begin().frame("step", step=1, text="Of after it.")
        assert b"Of after it." in answer().body, answer().body
        stranger = desk.tenants[1]["auth_token"]
        assert hand.ask("step", 2, SpeechResult="Hello", token=stranger).status == 403
        assert Hand(desk, other).ask("step", 1, SpeechResult="Hello").status == 403
        assert Hand(desk, str(uuid.uuid4())).ask("step", 1, SpeechResult="Hello").status == 403
        for what, step, query in (("step", 0, ""), ("wait", 1, ""), ("wait", 1, "?wait=0"), ("wait", 1, "?wait=4"),
                                  ("wait", 0, "?wait=1"), ("step", 1000000, "")):
            refused = hand.ask(what, step, query=query, SpeechResult="Hello")
            assert b"<Record" in refused.body and refused.status == 200, (what, step, refused.body)
        assert [record.id for record in told.of(hand.sid, "prompt")] == [f"{hand.sid}:1"]


# What is not said, or not clearly

def test_a_caller_who_says_nothing(desk):
    """He is asked whether he is there, then for a message."""
    with at_work(desk, silence_ms=2 * QUIET_MS) as told, Standstill() as still:
        call = Call(desk, [{"wait_for": "record", "timeout_ms": 60000}, {"silence": 1000}, BYE], speed=3)
        story = call.over(60)
        well(story)
        never_silent(story, still)
        record = phoning.VOICE["record_prompt"]
        assert spoken(story) == f"{GREETING} {STILL_THERE} {record}", spoken(story)
        assert not told.of(call.sid, "prompt")
        late = Call(desk, [{"wait_for": "gather"}, {"wait_for": "audible", "chars": 5},
                           say("Here I am."), HELLO, BYE], speed=3)
        prompt = told.wait(late.sid, "prompt")
        Engine.of(desk, prompt).answer(prompt, "Good.")
        story = late.over()
        well(story)
        assert STILL_THERE[:5] in spoken(story) and spoken(story).endswith("Good."), spoken(story)
        assert prompt.value["number"] > 1, prompt.value


def test_a_caller_who_is_not_understood(desk):
    """Once he is asked to say it again; then it is for the engine, however unclear."""
    with at_work(desk) as told:
        call = Call(desk, [HELLO, say("mumble", confidence=0.1), HELLO, say("mumble more", confidence=0.2), HELLO,
                           say("clear", confidence=0.9), HELLO, BYE])
        first = told.wait(call.sid, "prompt")
        assert (first.value["text"], first.value["confidence_pm"], first.value["number"]) == ("mumble more", 200, 2)
        engine = Engine.of(desk, first).answer(first, "I see.")
        second = told.wait(call.sid, "prompt", 2)
        assert (second.value["text"], second.value["number"]) == ("clear", 3), second.value
        engine.answer(second, "Thank you.")
        story = call.over()
        well(story)
        assert spoken(story) == f"{GREETING} {ASKS_AGAIN} I see. Thank you.", spoken(story)


def test_hang_up_at_every_step(desk):
    """However early: the end is told, nothing else is left."""
    scripts = {
        "in the greeting": [{"wait_for": "audible", "chars": 5}, BYE],
        "instead of a word": [{"wait_for": "gather"}, BYE],
        "while his answer is made": [HELLO, say("Hello?"), {"silence": 500}, BYE],
        "in the filler": [HELLO, say("Hello?"), {"wait_for": "audible", "chars": 3}, BYE],
        "while it is waited for": [HELLO, say("Hello?"), {"wait_for": "audible", "chars": 3}, {"silence": 3000}, BYE],
    }
    with at_work(desk) as told:
        for when, script in scripts.items():
            call = Call(desk, script)
            story = call.over()
            assert story.summary["script"] == "done" and story.errors() == [], (when, story.summary)
            ended = told.wait(call.sid, "ended")
            assert not ended.value.get("heard_turn"), (when, ended.value)
            prompts = told.of(call.sid, "prompt")
            assert len(prompts) == (0 if "greeting" in when or "word" in when else 1), (when, prompts)
            assert not told.of(call.sid, "heard"), when
        call = Call(desk, [HELLO, say("Hello?"), {"wait_for": "audible", "chars": 10}, BYE])
        prompt = told.wait(call.sid, "prompt")
        Engine.of(desk, prompt).answer(prompt, "We open at nine, and we close at five.")
        story = call.over()
        told.wait(call.sid, "ended")
        assert [record.type for record in told.of(call.sid)] == ["setup", "prompt", "heard", "ended"]


# What an answer does with the call

def test_handoffs(desk):
    with at_work(desk) as told:
        call = Call(desk, [HELLO, say("That is all."), HELLO])
        prompt = told.wait(call.sid, "prompt")
        Engine.of(desk, prompt).answer(prompt, "Goodbye, then.", do="hangup")
        story = call.over()
        assert spoken(story).endswith("Goodbye, then.") and story.summary["ended_by"] == "Hangup", story.summary
        call = Call(desk, [HELLO, say("I leave a message."), {"wait_for": "record"}, say("Call me.", ms=1000),
                           {"press": "#"}])
        prompt = told.wait(call.sid, "prompt")
        Engine.of(desk, prompt).answer(prompt, "Of course.", do="record", why="asked")
        story = call.over()
        well(story)
        assert f"Of course. {phoning.VOICE['record_prompt']}" in spoken(story), spoken(story)
        assert told.wait(call.sid, "recorded").value["why"] == "asked"


def test_a_transfer(desk):
    """Taken by a person, it ends; taken by nobody, the engine has a word for the caller."""
    colleague, busy = "+15559870001", "+15559870002"
    with at_work(desk) as told:
        desk._call("twilio", "/_callees", {"number": colleague, "answer": "human", "ring_ms": 100, "script": [
            {"wait_for": "gather"}, {"press": "1"}, {"wait_for": "bridged"}, say("Ines here"), BYE]})
        desk._call("twilio", "/_callees", {"number": busy, "answer": "busy"})
        for number, outcome in ((colleague, "accepted"), (busy, "busy")):
            call = Call(desk, [HELLO, say("A person, please."), *(
                [{"wait_for": "bridged"}] if outcome == "accepted" else [{"wait_for": "gather"}, BYE])])
            prompt, dial = told.wait(call.sid, "prompt"), str(uuid.uuid4())
            engine = Engine.of(desk, prompt).answer(prompt, "I put you through.", do="dial", dial=dial, to=number,
                                                    timeout_s=10, briefing="A caller. Press 1.")
            dialled = told.wait(call.sid, "dialled")
            assert (dialled.value["dial"], dialled.value["outcome"]) == (dial, outcome), dialled.value
            if outcome == "busy":
                back = told.wait(call.sid, "setup", 2)
                assert (back.value["step"], back.value["wait"], back.id) == (2, 1, f"{call.sid}:2:wait:1"), back
                engine.answer(back, "Nobody could take your call.")
            story = call.over()
            assert "I put you through." in spoken(story) and story.errors() == [], (spoken(story), story.errors())
            assert ("Nobody could take your call." in spoken(story)) == (outcome == "busy"), spoken(story)


def test_the_fallback_url(desk):
    """Twilio could not get a step: its answer is waited for; what failed otherwise ends in a message."""
    with at_work(desk) as told:
        tenant = publish(desk)
        step = f"{desk.public_url}/twilio/voice/step/{tenant}/3?lang=en-US"
        for url, wanted in ((step, f"/twilio/voice/wait/{tenant}/3?wait=1"), (step.replace("step", "wait"), "<Record"),
                            (desk.public_url + "/twilio/voice", GREETING), ("", GREETING)):
            hand = Hand(desk, tenant)
            params = [*hand.params, ("ErrorCode", "11200"), ("ErrorUrl", url)]
            document = desk.post("/twilio/voice", params).body.decode()
            assert wanted in document.replace("&amp;", "&"), (url, document)
        assert not told.of(hand.sid, "prompt")
