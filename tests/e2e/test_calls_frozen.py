"""Many calls while something stands still (SIGSTOP): each caller hears a voice within 4.5 s and leaves a
message, and when it goes on again all that was said is in PostgreSQL, once. --long has 200 calls at a time.
"""

import os

from callers import BYE, FAST, HELLO, PHONE, Caller, say
from struck import Struck

OWN_SERVERS = True
DEADLINE_S = 240
LONG = os.environ.get("FRONTDESK_LONG") == "1"
BUILD = "stops" if LONG else "debug"  # 200 calls are too many for sanitizers
CALLS = 200 if LONG else 20

# Production's times, where the harness is quicker: what stood still comes back to many calls.
CONFIG = {"engine": {"worker_lease_ms": 4000, "adopt_every_ms": 500, "voice_heard_wait_ms": 6000},
          "ingress": {"max_calls": 1000}}


class Scene:
    """So many people on the telephone, who have been greeted."""

    def __init__(self, desk, struck):
        desk.revive()
        desk.start(ingresses=2, engines=2, responders=1, config=CONFIG)
        desk.reset()
        self.desk, self.struck = desk, struck
        self.calls = {desk.new_nonce(): Caller(desk, [HELLO], rate=FAST) for _ in range(CALLS)}
        desk.wait(lambda: all(call.now()["script"] == "done" for call in self.calls.values()), 60,
                  "all to be greeted")

    def go_on(self, script):
        """Each does what script(nonce) says. Returns how it went for each, once all have hung up."""
        for nonce, call in self.calls.items():
            call.also(*script(nonce))
        self.desk.wait(lambda: all(call.now()["over"] for call in self.calls.values()), 90,
                       lambda: f"{sum(not call.now()['over'] for call in self.calls.values())} calls to end")
        stories = [call.story() for call in self.calls.values()]
        for story in stories:
            assert story.summary["script"] == "done", (story.heard(), story.summary)
            self.struck.over(story)
        return stories

    def count(self, text, *params):
        return self.desk.value(text, [call.sid for call in self.calls.values()], *params)

    def in_database(self):
        """Each call is over, each of its words has its end, and there is a message for people of each."""
        ended = self.count("SELECT count(*) FROM channel_sessions WHERE call_sid = ANY(%s)"
                           " AND ended_at IS NOT NULL")
        still_open = self.count(
            "SELECT count(*) FROM inbox_events e JOIN channel_sessions s ON s.tenant_id = e.tenant_id"
            " AND s.id = e.session_id WHERE s.call_sid = ANY(%s) AND e.state = 'open'")
        told = self.count(
            "SELECT count(DISTINCT s.id) FROM escalations e JOIN channel_sessions s ON s.tenant_id ="
            " e.tenant_id AND s.conversation_id = e.conversation_id WHERE s.call_sid = ANY(%s)"
            " AND e.reason = 'message'")
        return ended, still_open, told

    def times(self):
        """How often each caller's words are in PostgreSQL."""
        said = [body for body, in self.desk.sql(
            "SELECT m.body FROM messages m JOIN channel_sessions s ON s.tenant_id = m.tenant_id AND"
            " s.id = m.session_id WHERE s.call_sid = ANY(%s) AND m.direction = 'in'",
            [call.sid for call in self.calls.values()])]
        return [sum(nonce in body for body in said) for nonce in self.calls]

    def settle(self):
        """What each caller said is there exactly once; what is not, or twice, is counted. A call's end and message
        may come by another ingress than its words, and sooner: all of it is waited for."""
        def there():
            return self.in_database() == (CALLS, 0, CALLS) and 0 not in self.times()
        try:
            self.desk.wait(there, 60, lambda: f"all of {CALLS} calls in PostgreSQL: {self.in_database()} {self.times()}")
        finally:
            times = self.desk.settled(1.0, self.times)
            self.struck.lost += times.count(0)
            self.struck.doubled += sum(number > 1 for number in times)
        assert set(times) == {1}, times


def asks(nonce):
    """Nobody answers: the caller is asked for a message, and leaves one."""
    return [say(f"Is anybody there? {nonce}"), {"wait_for": "record"},
            say("My crown came off, please call me.", ms=2000), {"press": "#"}]


def tells(nonce):
    """The desk's own dialogue takes the message."""
    return [say(f"My crown came off. {nonce}"), HELLO, say("The patient of Tuesday"), HELLO,
            say("Here, after five"), HELLO, BYE]


def stand_still(desk, what, freeze, thaw, script=asks):
    with Struck(f"{what} frozen") as struck:
        scene = Scene(desk, struck)
        freeze()
        try:
            stories = scene.go_on(script)
        finally:
            thaw()
        heard = [story.heard() for story in stories]
        if script is asks:
            assert all(PHONE["fallback"] in one for one in heard), heard
            assert all(story.of("recording") for story in stories)
        scene.settle()


def each(desk, action, *names):
    for name in names:
        action(name)


def test_engines_frozen(desk):
    names = ("engine-1", "engine-2")
    stand_still(desk, "engines", lambda: each(desk, desk.freeze, *names),
                lambda: each(desk, desk.thaw, *names))


def test_postgres_frozen(desk):
    stand_still(desk, "PostgreSQL", desk.servers.postgres.freeze, desk.servers.postgres.thaw)


def test_kafka_frozen(desk):
    stand_still(desk, "Kafka", desk.servers.kafka.freeze, desk.servers.kafka.thaw)


def test_model_frozen(desk):
    desk.prepare()
    stand = desk.installation.model
    stand_still(desk, "model", stand.freeze, stand.thaw, tells)
