"""kill -9 of the engine whose model has said all, while what it says cannot get to Kafka: whoever takes the turn
over says what was not heard, in order, and nothing twice. So does an engine that lives and whose words were lost.
"""

from callers import ANSWER, HELLO, Caller, judged, say
from harness.stops import FREEZE
from link import links
from struck import Struck

OWN_SERVERS = True
DEADLINE_S = 120

# The adopter has asked what was heard before the ingress gives up.
ENGINE = {"worker_lease_ms": 4000, "adopt_every_ms": 200, "voice_session_timeout_ms": 3000,
          "voice_heartbeat_ms": 300, "voice_heard_wait_ms": 4000}
SLOW = {"count": 1, "action": {"type": "stall", "text": ANSWER, "chunks": 9, "ms": 1500}}


class Scene:
    """A caller who has been greeted, and the engine that answers him."""

    def __init__(self, desk, engines=2):
        if not hasattr(desk, "links"):
            desk.links = links(desk.servers.kafka, 2)
        for way in desk.links:
            if not way.open.is_set():  # a test before ended with it
                way.cut()
        ways = {f"engine-{number}": {"kafka_brokers": way.address} for number, way in enumerate(desk.links, 1)}
        desk.revive()
        desk.start(ingresses=1, engines=engines, responders=1, config={"engine": ENGINE, **ways})
        self.desk, self.nonce, first = desk, desk.new_nonce(), desk.new_nonce()
        self.call = Caller(desk, [HELLO, say(f"Hello? {first}"), HELLO])
        desk.wait(lambda: self.call.now()["script"] == "done", 30, "the first answer")
        self.engine = self.call.holder()
        self.link = desk.links[int(self.engine.rpartition("-")[2]) - 1]
        session = self.call.session()["id"]
        self.thinking = desk.stops.arm("engine.thinking", FREEZE, match=session)
        self.answered = desk.stops.arm("engine.answered", times=0, match=session)

    def frames(self, kind="frames"):
        return self.desk.services[self.engine].metrics()[f"frontdesk_voice_{kind}_total"]

    def ask(self, *rules):
        """The caller asks, and the engine stands still before it asks the model."""
        plain = {"action": {"type": "reply", "text": ANSWER}}
        self.desk.faults("model", *[{**rule, "match": self.nonce} for rule in (*rules, plain)])
        self.call.also(say(f"When are you open? {self.nonce}"))
        self.desk.wait(lambda: self.thinking.hits, 20, "the engine to ask the model")

    def go_on(self):
        self.desk.thaw(self.engine)

    def all_said(self):
        """The model has ended, what it said has left the engine, and the rest that an engine does is done."""
        self.desk.wait(lambda: self.answered.passed, 20, "the model's end")
        self.desk.settled(1.0, self.frames)

    def die(self, struck):
        self.desk.kill(self.engine)
        self.link.cut()
        judged(self.call, self.nonce, struck)


def test_no_word_has_left(desk):
    scene = Scene(desk)
    with Struck("engine killed, no frame sent") as struck:
        scene.ask()
        scene.link.hold()
        scene.go_on()
        scene.all_said()
        scene.die(struck)


def test_the_rest_has_not_left(desk):
    scene = Scene(desk)
    with Struck("engine killed, last frames not sent") as struck:
        scene.ask(SLOW)
        scene.go_on()
        desk.wait(scene.call.answering, 20, "the first words")
        sent = scene.frames()
        scene.link.hold()
        desk.wait(lambda: scene.frames() > sent, 20, "further words")
        scene.all_said()
        scene.die(struck)


def test_the_words_are_lost(desk):
    """Kafka is away from the only engine for longer than a frame waits. Guard: voice_repeats; without it the turn
    is committed, and the caller hears the fallback."""
    scene = Scene(desk, engines=1)
    with Struck("engine alive, its frames lost") as struck:
        lost = scene.frames("frames_lost")
        scene.ask()
        scene.link.hold()
        scene.go_on()
        scene.all_said()
        desk.wait(lambda: scene.frames("frames_lost") > lost, 20, "the frames to be lost")
        scene.link.cut()
        judged(scene.call, scene.nonce, struck)
