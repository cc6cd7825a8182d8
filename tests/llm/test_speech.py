"""A model that breaks off while a caller hears it, and the next one of the chain: each sentence once, and
between the two a word that the answer goes on (docs/MODELS.md, docs/VOICE.md).
"""

import contextlib

from call_records import CALLS, Call
from operating import TENANTS, good
from scripted import engines
from test_chain import GARAGE, PATHS, UNHURRIED, apply, calls, entry

SHARE = True
DEADLINE_S = 90

ANSWER = ("Good morning, this is the garage. We are open from nine to five on weekdays. On Saturdays we"
          " close at noon. Would you like to bring your car in?")
BRIDGE = "Sorry, let me go on."


@contextlib.contextmanager
def phone(desk, *entries):
    """A call of the garage, whose chain these are; afterwards its own again."""
    engines(desk, **{**UNHURRIED, **CALLS})
    apply(desk, *entries)
    call = Call(desk, tenant=GARAGE)
    desk.sql("UPDATE channels SET removed_at = NULL WHERE kind = 'voice'")  # which no tenant's file names
    call.setup()
    try:
        yield call
    finally:
        desk.faults("model")
        call.close()
        good(desk, "tenant", "apply", TENANTS / "garage.yaml", "--yes")


def kinds(call):
    """What came, in order: "said" for words of the reply, the text of an aside."""
    return [frame["text"] if frame.get("aside") else "said" for frame in call.frames
            if frame["kind"] == "text" and frame.get("text")]


def told(call):
    """The rows of the call's model calls, each row once."""
    return list(dict.fromkeys(calls(call.customer)))


def test_next_model_goes_on_behind_a_bridge(desk):
    """The first model's stream is cut in the middle of its third sentence, as often as it is asked. The second is
    told what was heard and goes on; the caller hears once that it does. Guard: voice_asked."""
    with phone(desk, entry(desk, "openai"), entry(desk, "gemini")) as call:
        nonce = desk.new_nonce()
        desk.faults("model", {"path": PATHS["openai"], "match": nonce,
                              "action": {"type": "truncate", "text": ANSWER, "chunks": 13}},
                    {"path": PATHS["gemini"], "match": "cut off in the middle",
                     "action": {"type": "reply", "text": ANSWER}})
        call.prompt(nonce=nonce)
        assert call.wait_over() == ANSWER, call.frames
        assert call.asides == [BRIDGE], call.asides
        heard = kinds(call)
        at = heard.index(BRIDGE)
        assert "said" in heard[:at] and "said" in heard[at + 1:], heard
        (body, _, outcome, state, _), = call.wait_settled(1)
        assert (body, outcome, state) == (ANSWER, "reply", "delivered")
        assert told(call) == [("openai", "failed", "llm.truncated"), ("gemini", "answered", "")]


def test_model_that_fails_before_its_first_word_needs_no_bridge(desk):
    with phone(desk, entry(desk, "openai"), entry(desk, "gemini")) as call:
        nonce = desk.new_nonce()
        desk.faults("model", {"path": PATHS["openai"], "action": {"type": "cut"}},
                    {"path": PATHS["gemini"], "action": {"type": "reply", "text": ANSWER}})
        call.prompt(nonce=nonce)
        assert call.wait_over() == ANSWER, call.frames
        assert call.asides == [], call.asides
        call.wait_settled(1)
        assert told(call)[-1] == ("gemini", "answered", "")
