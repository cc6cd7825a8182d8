"""kill -9 of an engine once in each state of a call's turn (docs/TURN.md), with other calls and texts beside:
each sentence of the answer is heard once, in order, nobody hears silence, and all of it is in PostgreSQL.
The engine dies when the call's session enters the state, before anything of it is done.
"""

import contextlib
import json
import os

from calling import Scene, states, texts_beside
from harness import Skip
from harness.stops import KILL
from scripted import refused
from struck import Struck

SHARE = True
DEADLINE_S = 420

CALL = {"action": {"type": "tool_call", "name": "take_message",
                   "arguments": json.dumps({"message": "please call"})}}
AWAY = {"count": 1, "action": {"type": "status", "status": 503, "retry_after": "0"}}
SLOW = {"count": 1, "action": {"type": "delay", "ms": 8000}}

# A lease is short enough for three engines to die one behind the other before the ingress gives up.
ENGINE = {"worker_lease_ms": 2000, "adopt_every_ms": 100, "turn_deadline_ms": 20000,
          "adopter_deadline_ms": 10000, "voice_deadline_ms": 6000,
          "voice_session_timeout_ms": 3000, "voice_heartbeat_ms": 300, "voice_heard_wait_ms": 4000}


def plain(scene, session):
    scene.victim.say(scene.begin())


def wait_for_model(scene, session):
    """He has said something, and the model works on it, which it would do for long."""
    working = scene.desk.stops.arm("engine.thinking", times=0, match=session)
    scene.victim.say(scene.begin(SLOW))
    scene.desk.wait(lambda: working.passed, 15, "the model")


def with_newer(scene, session):
    """He says more while the model works: the turn starts anew with both."""
    wait_for_model(scene, session)
    scene.victim.say(scene.victim.next())


def lost_twice(scene, session):
    """Two engines die as they begin to think: the third lets it wait for the suspect place, and dies there."""
    scene.desk.stops.arm("engine.state", action=KILL, times=2, match=f"thinking {session}")
    scene.victim.say(scene.begin())


def never_starts(scene, session):
    """The database does not take that it starts anew, until the kill; the adopter's start passes."""
    wait_for_model(scene, session)
    with refused(scene.desk, "turns", f"TG_OP = 'UPDATE' AND NEW.session_id = '{session}'", "22021"):
        scene.victim.say(scene.victim.next())
        scene.killed()


def model_away(scene, session):
    scene.victim.say(scene.begin(AWAY))


def with_tool(scene, session):
    scene.victim.say(scene.begin(CALL))


@contextlib.contextmanager
def locked(desk):
    """No effect of a tool is written."""
    lock = desk.servers.postgres.connect(desk.installation.database)
    lock.autocommit = False
    try:
        with lock.cursor() as cursor:
            cursor.execute("LOCK TABLE escalations IN SHARE ROW EXCLUSIVE MODE")
        yield
    finally:
        lock.close()


def out_of_time(scene, session):
    """The tool's effect waits for a lock until the turn's time is over."""
    with locked(scene.desk):
        scene.victim.say(scene.begin(CALL))
        scene.killed()


WAYS = {"waiting": with_newer, "queued": with_newer, "suspect": lost_twice, "starting": plain,
        "giving_up": never_starts, "thinking": plain, "paused": model_away, "storing": with_tool,
        "acting": with_tool, "ending": out_of_time, "committing": plain}
TOOLS = (with_tool, out_of_time)


def effects(session, desk):
    return desk.value("SELECT count(*) FROM escalations e JOIN channel_sessions s ON s.tenant_id ="
                      " e.tenant_id AND s.conversation_id = e.conversation_id WHERE s.id = %s::uuid",
                      session)


def test_kill_in_each_state_of_the_turn(desk):
    """Eleven times up to three engines: some minutes."""
    if not os.environ.get("FRONTDESK_LONG"):
        raise Skip("takes minutes: ./test crash --long")
    assert sorted(WAYS) == sorted(states("TURN.md")), "a state of docs/TURN.md has no kill here"
    desk.start(ingresses=2, engines=4, responders=2, config={"engine": ENGINE})
    with texts_beside(desk):
        for state, way in WAYS.items():
            with Struck(f"engine killed in {state}") as struck:
                kill_in(desk, state, way, struck)


def kill_in(desk, state, way, struck):
    scene = Scene(desk)
    try:
        desk.wait(lambda: scene.victim.call.session(), 30, "the call's session")
        desk.wait(scene.victim.is_ready, 30, "the first answer")
        session = scene.victim.call.session()["id"]
        scene.arm("engine.state", f"{state} {session}")
        way(scene, session)
        scene.killed()
        # Another call may have been in the suspect place when its engine died for the third time.
        scene.judge(struck, others_may_fail=way is lost_twice)
        assert effects(session, desk) == (way in TOOLS), state
    finally:
        scene.close()
