"""What comes behind a relay session: the test is Twilio, and tells how sessions ended as a real one does only now and then."""

import json
import time
import urllib.parse
import uuid
import xml.etree.ElementTree as xml

import phoning
from phoning import FALLBACK, GREETING, Call
from test_voice_ingress import assert_well_formed, at_work, relay_path
from test_voice_webhook import Hand
from webhook import new_sid

SHARE = True
HELLO = {"wait_for": "reply"}
CONSENT = "This call is recorded."  # 1.5 s, as ingress reckons
WHOLE = f"{CONSENT} {GREETING}"


class Session:
    """A document that begins a relay session of a call."""

    def __init__(self, hand, document):
        self.hand, self.document = hand, document
        connect = xml.fromstring(document).find("Connect")
        assert connect is not None, document
        self.action = connect.get("action").partition("#")[0].removeprefix(hand.desk.public_url)
        relay = connect.find("ConversationRelay")
        self.says, self.path = relay.get("welcomeGreeting"), urllib.parse.urlsplit(relay.get("url")).path

    def is_first(self):
        """Its path tells whoever gets the socket that the call had none before."""
        return self.path == relay_path(self.hand.desk, self.hand.tenant_id, self.hand.sid, self.path.split("/")[4])

    def ends(self, **how):
        """What is answered when it has ended so."""
        return self.hand.desk.post(self.action, self.hand.params + list(how.items())).body.decode()

    def fails(self, seconds, code="64105"):
        told = {"SessionDuration": str(seconds)} if seconds is not None else {}
        return self.ends(SessionStatus="failed", ErrorCode=code, **told)


def called(desk, tenant):
    """The first session of a new call."""
    hand = Hand(desk, tenant)
    return Session(hand, desk.post("/twilio/voice", hand.params).body.decode())


def test_a_greeting_that_nobody_heard_is_said_again(desk):
    """Whole, in a session that is the first for everybody; of one that was heard in part, the consent line."""
    with at_work(desk):
        for consent, seconds, code, says in (
                (CONSENT, None, "64102", WHOLE), (CONSENT, 0, "64105", WHOLE), (CONSENT, 2, "64105", CONSENT),
                (CONSENT, None, "64105", CONSENT), (CONSENT, 3, "64105", None),
                (None, None, "64102", GREETING), (None, 0, "64105", GREETING), (None, 1, "64105", None)):
            tenant = phoning.publish_number(desk, consent_line=consent)
            first = called(desk, tenant)
            assert first.is_first() and first.says == (WHOLE if consent else GREETING), first.document
            second = Session(first.hand, first.fails(seconds, code))
            assert second.says == says, (consent, seconds, code, second.document)
            assert second.is_first() == (says in (WHOLE, GREETING)), (consent, seconds, code, second.document)
            assert f"/relay-ended/{tenant}/1" in second.action, second.action


def test_who_was_greeted_is_not_greeted_again(desk):
    """Whatever fails later in the call; three in a row end in a message, greeted or not."""
    with at_work(desk, consent_line=CONSENT):
        tenant = phoning.publish_number(desk, consent_line=CONSENT)
        first = called(desk, tenant)
        later = Session(first.hand, first.fails(30))
        assert later.says is None and not later.is_first(), later.document
        assert Session(first.hand, later.fails(None, "64102")).says is None
        relay = json.dumps({"do": "relay"})
        moved = Session(first.hand, first.ends(SessionStatus="ended", SessionDuration="0", HandoffData=relay))
        assert moved.says == WHOLE and moved.is_first(), moved.document
        moved = Session(first.hand, first.ends(SessionStatus="ended", SessionDuration="9", HandoffData=relay))
        assert moved.says is None and not moved.is_first(), moved.document
        second = Session(first.hand, first.fails(None, "64102"))
        third = Session(first.hand, second.fails(None, "64102"))
        assert second.says == third.says == WHOLE, third.document
        document = third.fails(None, "64102")  # who has heard nothing of it hears now that he is recorded
        assert "<Record" in document and f"{CONSENT} {FALLBACK}" in document, document
        last = Session(first.hand, later.fails(9)).fails(9)
        assert "<Record" in last and FALLBACK in last and CONSENT not in last, last


def test_a_call_that_we_placed_begins_with_its_own_words_again(desk):
    with at_work(desk, consent_line=CONSENT):
        hand = Hand(desk, phoning.publish_number(desk, consent_line=CONSENT))
        ours, person = desk.tenant(0).numbers["sms"], desk.new_address()
        changed = {"From": ours, "To": person, "Direction": "outbound-api"}
        hand.params = [(name, changed.get(name, value)) for name, value in hand.params]
        words = "Grüße & Küsse: you asked for us."
        query = urllib.parse.urlencode({"delivery": str(uuid.uuid4()), "say": words}, quote_via=urllib.parse.quote)
        document = desk.post(f"/twilio/voice/back/{hand.tenant_id}/0?{query}",
                             [*hand.params, ("AnsweredBy", "human")]).body.decode()
        first = Session(hand, document)
        second = Session(hand, first.fails(None, "64102"))
        third = Session(hand, second.fails(0))
        assert first.says == second.says == third.says == f"{CONSENT} {words}", (document, third.document)


def dialled(desk, hand, told, query="", **how):
    """The outcome that is told of a transfer, and what its caller is answered."""
    dial = str(uuid.uuid4())
    document = desk.post(f"/twilio/voice/dialled/{hand.tenant_id}/0?dial={dial}{query}",
                         [*hand.params, ("DialCallSid", new_sid("CA")), *how.items()]).body.decode()
    return told.wait(hand.sid, "dialled", which=lambda r: r.value["dial"] == dial).value["outcome"], document


def test_who_is_not_told_to_be_joined_has_not_accepted(desk):
    """A whisper was hung up on, for all we know: the caller is back. Nobody presses a key in a cold transfer."""
    with at_work(desk) as told:
        hand = Hand(desk, phoning.publish_number(desk))
        took = {"DialCallStatus": "completed", "DialCallDuration": "12"}
        for query, how, outcome in (("", took, "refused"), ("", {**took, "DialBridged": "true"}, "accepted"),
                                    ("", {**took, "DialBridged": "false"}, "refused"),
                                    ("&cold=1", took, "accepted"), ("&cold=1", {**took, "DialBridged": "false"}, "refused"),
                                    ("&cold=1", {**took, "DialCallDuration": "0"}, "refused")):
            said, document = dialled(desk, hand, told, query, **how)
            assert said == outcome, (query, how, said)
            assert ("<Hangup" in document) == (outcome == "accepted"), (query, how, document)
            assert ("<ConversationRelay" in document) == (outcome == "refused"), (query, how, document)
        for cold in (False, True):
            call = called(desk, hand.tenant_id)
            handoff = {"do": "dial", "dial": str(uuid.uuid4()), "to": "+15559870003", "cold": cold}
            document = call.ends(SessionStatus="ended", SessionDuration="9", HandoffData=json.dumps(handoff))
            action = xml.fromstring(document).find("Dial").get("action")
            assert ("cold=1" in action) == cold, action


def test_a_socket_that_breaks_at_once(desk):
    """The caller is greeted, and the engines hear of a call that has just begun."""
    with at_work(desk, consent_line=CONSENT) as told:
        call = Call(desk, [{"wait_for": "relay"}, {"cut": "reset"}, {"silence": 500}, {"wait_for": "relay"}, HELLO,
                           {"hangup": True}])
        told.wait(call.sid, "ended")
        story = call.over()
        setups = told.of(call.sid, "setup")
        assert [setup.value.get("resumed", False) for setup in setups] == [False] * len(setups), setups
        assert story.heard().endswith(WHOLE), story.heard()


# What the carrier has found of the caller's number

def test_what_the_carrier_found_is_told(desk):
    """With each socket of the call, by the TwiML's Parameter; also where the first session never came, whose end
    tells what was to be told with it. Guards: the Parameter in answer_relay, the query in ended_url."""
    with at_work(desk) as told:
        for word, attestation in (("TN-Validation-Passed-A", "full"), ("TN-Validation-Failed-B", "failed"),
                                  ("No-TN-Validation", None)):
            call = Call(desk, [HELLO, {"hangup": True}], params={"StirVerstat": word})
            assert told.wait(call.sid, "setup").value.get("attestation") == attestation, word
            assert_well_formed(call.over())
        hand = Hand(desk, phoning.publish_number(desk))
        document = desk.post("/twilio/voice", hand.params + [("StirVerstat", "TN-Validation-Failed")]).body.decode()
        for _ in range(2):
            assert parameters(document)["attestation"] == "failed", document
            document = Session(hand, document).fails(0)


def parameters(document):
    return {parameter.get("name"): parameter.get("value") for parameter in xml.fromstring(document).iter("Parameter")}


def test_when_the_session_before_had_ended_is_told(desk):
    """Of the last one that can have spoken: not of one that was over at once. Guards: parted_ms of voice_step.c, the query
    in ended_url, gone_ms of calls.c."""
    with at_work(desk) as told:
        call = Call(desk, [HELLO, {"cut": "reset"}, {"silence": 300}, {"wait_for": "relay"}, {"silence": 500}, {"hangup": True}])
        told.wait(call.sid, "ended")
        call.over()
        first, second = told.of(call.sid, "setup")
        assert "gone_ms" not in first.value and 0 < second.value["gone_ms"] < 5000, (first.value, second.value)
        hand = Hand(desk, phoning.publish_number(desk))
        document = desk.post("/twilio/voice", hand.params).body.decode()
        assert "parted" not in parameters(document), document
        times = []
        for duration_s in (60, 0, 60):
            begin_ms = time.time() * 1000
            document = Session(hand, document).fails(duration_s)
            times.append(int(parameters(document)["parted"]))
        assert times[0] == times[1] and begin_ms - 1 <= times[2] <= time.time() * 1000, times
