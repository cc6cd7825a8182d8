"""Whole calls over a line as a real one is: it takes 600 ms until the caller's words are known to be at their
end, and 300 ms until a text sounds."""

from callers import BYE, HELLO, PHONE, Caller, answer_to, say, up
from struck import Struck

SHARE = True
LINE = {"endpoint_ms": 600, "tts_ms": 300, "speaker": "told"}


def test_a_slow_model(desk):
    """Its first word takes longer than a caller may hear nothing."""
    up(desk)
    nonce = desk.new_nonce()
    desk.faults("model", {"match": nonce, "action": {"type": "delay", "ms": 7000}})
    with Struck("a slow model, over a slow line") as struck:
        call = Caller(desk, [HELLO, say(f"Are you open on Friday? {nonce}", ms=1600), HELLO, BYE], **LINE)
        story = call.over(60)
        struck.over(story)
    heard = answer_to(story, nonce)
    assert any(filler in heard for filler in PHONE["fillers"]) and nonce in heard, heard
    assert story.summary["script"] == "done", story.summary
    call.wait_ended()
