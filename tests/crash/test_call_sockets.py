"""kill -9 of the ingress that holds a call once in each of its states (docs/CALL.md), with other calls and
texts beside: the call goes on at another ingress, nothing that was answered is lost, and at most the sentence
that was being spoken is said again, and the one before it if that was over for less than a second. The ingress
dies when the call enters the state, before anything of it is done.
"""

import uuid

import phoning
from calling import ANSWER, Scene, states, texts_beside
from struck import Struck

SHARE = True
DEADLINE_S = 420

SLOW = {"count": 2, "action": {"type": "delay", "ms": 15000}}  # asked again after 8 s
STALL = {"count": 1, "action": {"type": "stall", "text": ANSWER, "chunks": 9, "ms": 4000}}
ENGINE = {"worker_lease_ms": 4000, "adopt_every_ms": 500, "voice_deadline_ms": 60000,
          "turn_deadline_ms": 60000}


def plain(scene):
    scene.victim.say(scene.begin())


def stalled(scene):
    scene.victim.say(scene.begin(STALL))


def cut(scene):
    """The socket breaks in the middle of the answer."""
    scene.victim.say(scene.begin())
    scene.victim.call.also({"wait_for": "audible", "words": 11}, {"cut": "reset"})


def fallback(scene):
    """The model is so slow that the ingress gives up."""
    scene.victim.say(scene.begin(SLOW))


def ended(scene):
    """A turn ends the relay session: its frame is made by hand, behind the first answer."""
    scene.begin()
    session = scene.victim.call.session()
    tenant, epoch = scene.desk.sql(
        "SELECT s.tenant_id::text, c.epoch FROM channel_sessions s JOIN conversations c ON c.tenant_id ="
        " s.tenant_id AND c.id = s.conversation_id WHERE s.id = %s::uuid", session["id"])[0]
    engine = phoning.Engine(scene.desk, tenant, scene.victim.call.sid, session["stream_partition"])
    engine.epoch, engine.fence, engine.number = epoch, session["fence"], session["turn_number"]
    engine.begin()
    engine.turn = str(uuid.uuid4())
    engine.end(do="relay")


def wait_voice(scene):
    """Until the caller hears something over the next socket."""
    def heard():
        story = scene.victim.call.story()
        opened = [event for event in story.of("relay") if event["state"] == "open"]
        return len(opened) >= 2 and any(event["time"] >= opened[1]["time"] for event in story.of("token"))
    scene.desk.wait(heard, 30, lambda: f"a voice over the next socket: {scene.victim.call.story().events}")


def says_it_again(scene):
    """What the caller said last died with the ingress: he hears that somebody is there, and repeats it."""
    wait_voice(scene)
    scene.victim.say(scene.victim.nonces[-1])


def says_more(scene):
    """What he said last was given up: people are told."""
    wait_voice(scene)
    scene.victim.say(scene.victim.next())


def nothing(scene):
    """What was said is on its way, or answered."""


# State: how it is entered, what the caller does then.
WAYS = {"waiting": (cut, nothing), "listening": (plain, nothing), "asked": (plain, says_it_again),
        "speaking": (plain, nothing), "stalled": (stalled, nothing), "leaving": (ended, says_it_again),
        "over": (fallback, nothing), "parted": (fallback, says_more)}
GIVEN_UP = ("parted",)


def test_kill_in_each_state_of_the_call(desk):
    assert sorted(WAYS) == sorted(states("CALL.md")), "a state of docs/CALL.md has no kill here"
    desk.start(ingresses=3, engines=2, responders=2, config={"engine": ENGINE})
    with texts_beside(desk):
        for state, (way, after) in WAYS.items():
            with Struck(f"ingress killed in {state}") as struck:
                kill_in(desk, state, way, after, struck)


def kill_in(desk, state, way, after, struck):
    scene = Scene(desk)
    try:
        desk.wait(scene.victim.is_ready, 30, "the first answer")
        scene.arm("ingress.state", f"{state} {scene.victim.call.sid}")
        way(scene)
        scene.killed()
        after(scene)
        scene.judge(struck, most=2, given_up=state in GIVEN_UP)
    finally:
        scene.close()
