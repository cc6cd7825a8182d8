"""How a call's turn starts: the model is asked before the claim is committed, and nothing is said before
it; what its prompt needs is read meanwhile, and is that of the turn as it started."""

import contextlib

from operating import good
from test_prompt import OPEN, shown
from test_voice_engine import prompt, says
from test_voice_tools import calling, clinic

SHARE = True
DEADLINE_S = 120

# What a call's new turn does at the end of its transaction; others' turns go on.
AT_COMMIT = """
CREATE FUNCTION at_commit() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
  IF EXISTS (SELECT FROM channel_sessions s WHERE s.id = NEW.session_id AND s.call_sid = '%s') THEN
    %s
  END IF;
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON turns DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW EXECUTE FUNCTION at_commit();
"""
SLOW = "PERFORM pg_sleep(2);"
FAILS = "PERFORM pg_sleep(2); RAISE EXCEPTION 'not now' USING ERRCODE = '57P03';"  # the model has time to be asked


@contextlib.contextmanager
def at_commit(desk, call, what):
    desk.sql(AT_COMMIT % (call.sid, what))
    try:
        yield
    finally:
        gone(desk)


def gone(desk):
    desk.sql("DROP TRIGGER IF EXISTS at_commit ON turns")
    desk.sql("DROP FUNCTION IF EXISTS at_commit")


def asked(desk, nonce):
    return sum(entry["params"].get("last_user", "").startswith(nonce) for entry in desk.ledger("model"))


def test_model_is_asked_before_the_commit(desk):
    """And its answer, which is there before the commit, is spoken and stored behind it: needs pg's early
    results, the frames that voice.c holds back, and the commit that session.c does."""
    with calling(desk) as call:
        with at_commit(desk, call, SLOW):
            nonce = prompt(call, lambda nonce: says(desk, nonce, "Good morning. We open at nine."))
            desk.wait(lambda: asked(desk, nonce) > 0, 10, "the model to be asked")
            call.listen(0.5)
            assert call.turns() == [] and call.frames == [], (call.turns(), call.frames)
            assert call.wait_over() == "Good morning. We open at nine."
        assert asked(desk, nonce) == 1
        call.wait_settled(1)
        assert call.events() == [("answered", None)] and call.session()["fence"] == 1


def test_a_commit_that_fails_says_nothing(desk):
    """The turn in memory goes with its start; it is not begun so early again, which would pay a model each
    time: needs the failures that fill() of voice_intake.c looks at."""
    with calling(desk) as call:
        prompt(call, lambda nonce: says(desk, nonce))  # the engine reads the assistant's version
        call.wait_over()
        call.wait_settled(1)
        call.over = False
        with at_commit(desk, call, FAILS):
            nonce = prompt(call, lambda nonce: says(desk, nonce, "Good morning. We open at nine."))
            desk.wait(lambda: asked(desk, nonce) > 0, 10, "the model to be asked")
            before = len(call.frames)
            call.listen(1.5)
            assert asked(desk, nonce) == 1 and len(call.frames) == before, (asked(desk, nonce), call.frames)
            gone(desk)
            assert call.wait_over() == "Good morning. We open at nine."
        assert asked(desk, nonce) == 2
        call.wait_settled(2)
        assert call.events() == [("answered", None)] * 2


def told(desk, customer):
    prompt_now = shown(desk, customer)
    assert prompt_now["exact"], prompt_now
    return "\n".join(m["text"] for m in prompt_now["messages"]
                     if m["role"] == "user" and m["text"].startswith("<"))


def briefed(desk):
    """How many turns read theirs behind their start, and how many ahead of it."""
    metrics = desk.services["engine-1"].metrics()
    return [metrics.get(f'frontdesk_voice_briefings_total{{read="{read}"}}', 0) for read in ("behind", "ahead")]


def test_briefing_is_of_the_turn_that_started(desk):
    """Each turn is told what answers its own question, also where it has more than the record that it
    started with: needs the comparison in briefing_ahead.c."""
    papers = desk.folder / "papers.md"
    papers.write_text("# Wipers\nWiper blades are 19 dollars.\n# Tyres\nTyres are 80 dollars.\n")
    with (clinic(desk, hours=OPEN, holidays=[], knowledge={"passages": 4}), calling(desk) as call):
        customer = call.customer
        good(desk, "kb", "import", customer.known["name"], papers)
        desk.faults("model")
        behind, ahead = briefed(desk)
        turns = [("what do wiper blades cost", "19"), ("what do tyres cost", "80"),
                 ("may I bring my dog", None)]
        for count, (words, wanted) in enumerate(turns, 1):
            call.over = False
            call.prompt(words)
            call.wait_over()
            call.wait_settled(count)
            text = told(desk, customer)
            assert text.count("It is now") == 1, text
            for price in ("19", "80"):
                assert (f"{price} dollars" in text) is (price == wanted), (words, text)
        # The version is new to the engine.
        assert briefed(desk) == [behind + 1, ahead + 2], (behind, ahead, briefed(desk))
        call.over = False
        # A fetch that waits at the broker is answered with the first record alone.
        desk.freeze("engine-1")
        for words in ("good morning", "what do wiper blades cost", "and what do tyres cost"):
            call.prompt(words)
        desk.thaw("engine-1")
        call.pump(lambda: call.events() == [("answered", None)] * 6, what="all answers")
        text = told(desk, customer)
        assert "19 dollars" in text and "80 dollars" in text, text
        good(desk, "kb", "remove", customer.known["name"], "papers.md", "--yes")
