"""P6 for the ear, over a line as a real one is: some time passes until it knows that the caller has come to
his words, and until a text sounds. The test plays the engine."""

from phoning import FALLBACK, FILLERS, SILENCE_MS, Call, Engine
from struck import Struck
from test_voice_ingress import HELLO, at_work

SHARE = True
LINE = {"endpoint_ms": 600, "tts_ms": 300, "speaker": "told"}


def test_nobody_answers(desk):
    """Two fillers and the fallback, each in its time."""
    with at_work(desk) as told, Struck("nobody answers, over a slow line") as struck:
        call = Call(desk, [HELLO, {"say": "Is anybody there?", "ms": 1400}, {"wait_for": "record"}, {"hangup": True}],
                    **LINE)
        told.wait(call.sid, "ended", deadline_s=40)
        story = call.over()
        heard = story.heard()
        assert all(words in heard for words in (*FILLERS, FALLBACK)), heard
        struck.over(story)


def test_who_cuts_in_waits_no_longer(desk):
    """His words cut an answer off, and nobody answers those."""
    with at_work(desk) as told, Struck("he cuts in and nobody answers, over a slow line") as struck:
        call = Call(desk, [HELLO, {"say": "When do you open?", "ms": 900},
                           {"interrupt": "No, when do you close?", "after_words": 4, "ms": 1400},
                           {"wait_for": "record"}, {"hangup": True}], **LINE)
        Engine.of(desk, told.wait(call.sid, "prompt")).begin().say("We open at nine in the morning on every day of the week.")
        told.wait(call.sid, "ended", deadline_s=40)
        story = call.over()
        assert "every day" not in story.heard() and FALLBACK in story.heard(), story.heard()
        struck.over(story)
