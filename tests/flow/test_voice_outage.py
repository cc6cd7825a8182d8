"""Phone calls while Kafka is away: the caller is never left alone, his message is recorded, and what he
said is told when Kafka is back."""

import json
import uuid
from urllib.parse import quote

import phoning
import webhook
from confluent_kafka.admin import AdminClient
from phoning import FALLBACK, GREETING, Call, Told
from harness import oracle
from service import get
from struck import Struck

OWN_SERVERS = True
DEADLINE_S = 150
HELLO = {"wait_for": "reply"}
CONSENT = "This call is recorded."
AT_ONCE = f"{CONSENT} {FALLBACK}"  # to who has heard nothing yet and is recorded now


def begin(desk):
    desk.start(engines=0, responders=0)
    desk.reset("twilio")
    phoning.publish_number(desk, consent_line=CONSENT)


def told_after(desk, calls, kinds, deadline_s=60):
    """The records of the calls once Kafka is back: all kinds of all of them."""
    told = Told(desk)
    try:
        for call in calls:
            for kind in kinds:
                told.wait(call.sid, kind, deadline_s=deadline_s)
        return {call.sid: told.of(call.sid) for call in calls}
    finally:
        told.close()


def out(desk, what, take_away, bring_back):
    begin(desk)
    message = [{"wait_for": "record"}, {"say": "Please call me.", "ms": 1500}, {"press": "#"}]
    with Struck(what) as struck:
        during = Call(desk, [{"wait_for": "relay"}, HELLO, {"silence": 3000},
                             {"say": "Is anybody there?", "ms": 300}, *message])
        desk.wait(lambda: during.story().of("audible"), 15, "the greeting")
        take_away()
        try:
            story = during.over()
            assert GREETING in story.heard() and FALLBACK in story.heard(), story.heard()
            assert story.heard().count(CONSENT) == 1, story.heard()
            struck.over(story)
            edge = desk.services["ingress-1"]
            assert edge.metrics()["frontdesk_ingress_call_fallbacks_total"] == 1
            desk.wait(lambda: "<Record" in Call(desk, [{"wait_for": "answered"}, {"hangup": True}])
                      .over().documents()[0], 15, "an answer that knows")
            after = Call(desk, message)
            story = after.over()
            struck.over(story)
            assert story.heard().startswith(AT_ONCE) and len(story.of("recording")) >= 1, story.heard()
            assert story.errors() == [], story.errors()
        finally:
            bring_back()
        records = told_after(desk, [during, after], ["recorded", "ended"])
        # One that Kafka took without saying so is sent again under its id (docs/KAFKA.md): the engine knows it by that.
        prompts = [record for record in records[during.sid] if record.type == "prompt"]
        said = list({record.id: record.value["text"] for record in prompts}.values())
        struck.count("".join(said), "Is anybody there?")
    assert said == ["Is anybody there?"], said
    assert len({record.value["text"] for record in prompts}) == 1, prompts
    assert records[during.sid][-1].type in ("ended", "recorded")
    desk.wait(lambda: "ConversationRelay" in Call(desk, [{"wait_for": "relay"}, {"hangup": True}])
              .over().documents()[0], 30, "calls to be answered again")


def test_kafka_killed(desk):
    kafka = desk.servers.kafka
    out(desk, "Kafka killed: a message is recorded", kafka.kill, kafka.start)


def test_kafka_frozen(desk):
    kafka = desk.servers.kafka
    out(desk, "Kafka frozen: a message is recorded", kafka.freeze, kafka.thaw)


def test_callbacks_are_answered_when_they_are_kept(desk):
    """A recording, and a call's end: 503 while Kafka does not confirm them, told on all the same."""
    begin(desk)
    tenant = phoning.publish_number(desk)
    ours, caller = desk.tenant(0).numbers["sms"], desk.new_address()

    def tell(sid):
        known = [("CallSid", sid), ("AccountSid", desk.tenant(0).account_sid), ("ApiVersion", "2010-04-01")]
        who = f"from={quote(caller, safe='')}&to={quote(ours, safe='')}"
        recording = [*known, ("RecordingSid", "RE" + sid[2:]), ("RecordingUrl", "https://api.example.com/rec"),
                     ("RecordingStatus", "completed"), ("RecordingDuration", "7")]
        ended = [*known, ("From", caller), ("To", ours), ("Direction", "inbound"), ("CallStatus", "completed")]
        return [desk.post(f"/twilio/voice/recording/{tenant}/0?{who}", recording).status,
                desk.post("/twilio/voice/status", ended).status]
    well, frozen = webhook.new_sid("CA"), webhook.new_sid("CA")
    assert tell(well) == [204, 204]
    desk.servers.kafka.freeze()
    try:
        assert tell(frozen) == [503, 503]
    finally:
        desk.servers.kafka.thaw()
    told = Told(desk)
    try:
        for sid in (well, frozen):
            told.wait(sid, "recorded", deadline_s=60)
            told.wait(sid, "ended", deadline_s=60)
    finally:
        told.close()


def waiting_for(edge):
    status, body = get(edge.admin_port, "/readyz")
    return json.loads(body)["waiting_for"] if status == 503 else []


def test_not_ready_without_kafka(desk):
    """Nobody is sent here before Kafka was reached once; calls are answered then, too."""
    kafka = desk.servers.kafka
    begin(desk)
    kafka.freeze()
    try:
        desk.services["ingress-1"].kill()
        edge = desk.services["ingress-1"].start()
        desk.wait(lambda: {"bus", "directory"} <= set(waiting_for(edge)), 15, "Kafka to be waited for")
    finally:
        kafka.thaw()
    edge.wait_ready()
    desk.wait(lambda: "ConversationRelay" in Call(desk, [{"wait_for": "answered"}, {"hangup": True}])
              .over().documents()[0], 30, "calls to be answered")


def delete_topics(desk, *names):
    admin = AdminClient({"bootstrap.servers": desk.servers.kafka.address})
    for deleted in admin.delete_topics([desk.topic(name) for name in names], operation_timeout=20).values():
        deleted.result()


def test_texts_do_not_wait_for_the_topics_of_calls(desk):
    """They are missing: texts are answered, a caller is asked for a message, and calls are answered again
    when the topics are there, without a restart."""
    desk.start(engines=1, responders=1)
    desk.stop()
    delete_topics(desk, "inbound.voice", "voice.stream")
    try:
        desk.start(engines=1, responders=1)
        desk.reset()
        customer, nonce = desk.new_address(), desk.new_nonce()
        assert desk.webhook(customer, f"hello {nonce}").status == 200
        assert oracle.new_nonces(desk.wait_replies(customer, 1)[0]) == [nonce]
        phoning.publish_number(desk)
        story = Call(desk, [{"wait_for": "record"}, {"hangup": True}]).over()
        assert "<Record" in story.documents()[0] and story.heard().startswith(FALLBACK), story.documents()
    finally:
        desk.installation.deskctl("topics", "apply")
    desk.wait(lambda: "ConversationRelay" in Call(desk, [{"wait_for": "answered"}, {"hangup": True}])
              .over().documents()[0], 60, "calls to be answered again")


def test_without_sockets_callers_leave_a_message(desk):
    """relay_listen is empty: texts come in, callers are asked for a message, also whom we call, and all hear that
    they are recorded."""
    desk.start(engines=0, responders=0, config={"ingress": {"relay_listen": ""}})
    desk.reset("twilio")
    tenant = phoning.publish_number(desk, consent_line=CONSENT)
    assert desk.webhook(desk.new_address(), "hello").status == 200
    call = Call(desk, [{"wait_for": "record"}, {"say": "Call me.", "ms": 800}, {"press": "#"}])
    heard = call.over().heard()
    assert heard.startswith(AT_ONCE), heard
    told_after(desk, [call], ["recorded", "ended"])
    number, person = desk.tenant(0).numbers["sms"], desk.new_address()
    placed = [("CallSid", webhook.new_sid("CA")), ("AccountSid", desk.tenant(0).account_sid), ("ApiVersion", "2010-04-01"),
              ("From", number), ("To", person), ("CallStatus", "in-progress"), ("Direction", "outbound-api"),
              ("AnsweredBy", "human")]
    document = desk.post(f"/twilio/voice/back/{tenant}/0?delivery={uuid.uuid4()}&say=Hello", placed).body.decode()
    assert AT_ONCE in document and "<Record" in document, document
    assert desk.terminate("ingress-1") == 0
