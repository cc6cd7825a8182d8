"""kill -9 of an engine once in each state of the turn (docs/TURN.md): what was accepted is answered, by one
reply. The engine dies when the session enters the state, before anything of it is done; behind each
state's statements it dies at the stop points of test_kills.py.
"""

import json
import re
from pathlib import Path

import yaml

from harness import oracle, tables
from harness.stops import KILL
from operating import TENANTS, good
from scripted import Customer, engines, refused, say
from tenants import read_document

SHARE = True
DEADLINE_S = 240

GARAGE = 1  # of desk.tenants, in the order of the files
TABLE = Path(__file__).resolve().parents[2] / "docs" / "TURN.md"
MESSAGE = json.dumps({"message": "please call"})
CALL = {"type": "tool_call", "name": "take_message", "arguments": MESSAGE}
# The deadline is long but for the state that it ends in.
LONG = {"turn_deadline_ms": 20000, "adopter_deadline_ms": 10000}
SHORT = {"turn_deadline_ms": 4500, "adopter_deadline_ms": 10000}


def states():
    """Those of the printed table; "gone" is none."""
    found = re.findall(r"^\| (\w+) \| \w+ \| \w+ \|", TABLE.read_text(), re.M)
    return list(dict.fromkeys(name for name in found if name != "state"))


class Turn:
    """The second turn of a customer, whose engine dies in a state."""

    def __init__(self, desk, state):
        self.desk, self.state = desk, state
        self.customer = Customer(desk, GARAGE)
        first = self.customer.text()
        self.customer.wait_replies(1)
        self.nonces = [first.nonce]
        self.session = self.customer.session()["id"]
        self.stop = desk.stops.arm("engine.state", action=KILL, match=f"{state} {self.session}")

    def say(self, *actions):
        """One more text; the model does these with it, each once, and then answers. A call it asks for
        whenever it is asked and no tool has answered."""
        said = self.customer.make()
        self.nonces.append(said.nonce)
        self.desk.faults("model", *[{"match": said.nonce, "action": action,
                                     **({} if action is CALL else {"count": 1})}
                                    for action in actions])
        say(self.desk, said)

    def wait_kill(self):
        self.desk.wait(lambda: self.stop.hits, 25, f"the kill in {self.state}")

    def judge(self):
        """Every accepted text is in one reply, and each reply is one."""
        said = [nonce for body, _, _ in self.customer.wait_replies(2, 30)
                for nonce in oracle.new_nonces(body)]
        outcome = self.customer.replies()[-1][1]
        assert said == self.nonces and outcome == "reply", (self.state, outcome, said, self.nonces)
        assert self.customer.open_events() == 0, self.state
        self.desk.settled(1, lambda: len(self.customer.replies()), 15)
        assert len(self.customer.replies()) == 2, (self.state, self.customer.replies())


def plain(turn):
    turn.say()


def with_newer(turn):
    """A text while the model works, which it would do for long: the turn goes back to wait for the
    burst."""
    turn.say({"type": "delay", "ms": 8000})
    turn.desk.wait(lambda: [entry for entry in turn.desk.ledger("model")
                            if turn.nonces[-1] in entry["params"].get("last_user", "")], 15, "the model")
    turn.say()


def lost_twice(turn):
    """Two engines die at its start: the third lets it wait for the suspect place, and dies there."""
    turn.desk.stops.arm("engine.started", action=KILL, times=2, match=turn.session)
    turn.say()


def never_starts(turn):
    """The database takes no start of it until the kill; the adopter's passes."""
    with refused(turn.desk, "turns", f"TG_OP = 'INSERT' AND NEW.session_id = '{turn.session}'",
                 "22021"):
        turn.say()
        turn.wait_kill()


def model_away(turn):
    turn.say({"type": "status", "status": 503, "retry_after": "0"})


def with_tool(turn):
    turn.say(CALL)


def out_of_time(turn):
    """The tool's effect waits for a lock until the turn's time is over."""
    lock = turn.desk.servers.postgres.connect(turn.desk.installation.database)
    lock.autocommit = False
    try:
        with lock.cursor() as cursor:
            cursor.execute("LOCK TABLE escalations IN SHARE ROW EXCLUSIVE MODE")
            turn.say(CALL)
            turn.wait_kill()
    finally:
        lock.close()


WAYS = {"waiting": with_newer, "queued": plain, "suspect": lost_twice, "starting": plain,
        "giving_up": never_starts, "thinking": plain, "paused": model_away, "storing": with_tool,
        "acting": with_tool, "ending": out_of_time, "committing": plain}


def effects(customer):
    return customer.desk.value(
        "SELECT count(*) FROM escalations e JOIN channel_sessions s ON s.tenant_id = e.tenant_id"
        " AND s.conversation_id = e.conversation_id WHERE s.tenant_id = %s::uuid"
        " AND s.remote_address = %s", customer.tenant_id, customer.address)


def use_garage(desk):
    document = read_document(TENANTS / "garage.yaml")
    document.pop("greeting", None)
    document.pop("escalation", None)
    path = desk.folder / "garage.yaml"
    path.write_text(yaml.safe_dump(document))
    good(desk, "tenant", "apply", path, "--yes")


def test_kill_in_each_state(desk):
    assert sorted(WAYS) == sorted(states()), "a state of docs/TURN.md has no kill here"
    rows = []
    desk.scripted = None
    try:
        for state, way in WAYS.items():
            engines(desk, 4, **(SHORT if state == "ending" else LONG))
            use_garage(desk)
            turn = Turn(desk, state)
            way(turn)
            turn.wait_kill()
            turn.judge()
            done = effects(turn.customer)
            assert done == (way in (with_tool, out_of_time)), (state, done)
            rows.append((state, turn.stop.hits, len(turn.nonces) - 1, 1, done))
            desk.stops.clear()
            desk.faults("model")
            desk.revive()
    finally:
        desk.scripted = None
        desk.stops.clear()
        desk.faults("model")
        good(desk, "tenant", "apply", TENANTS / "garage.yaml", "--yes")
        tables.show("kill -9 in each state", ("state", "kills", "texts", "replies", "effects"), rows)
