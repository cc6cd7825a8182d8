"""A call's whole way: webhook, nginx, ingress, relay socket, Kafka, engine, model, PostgreSQL and back to the
caller's ear; and who dies meanwhile. The stand-in of Twilio calls, and keeps what was heard and when."""

import contextlib
import os

from callers import (ANSWER, BYE, CONFIG, FAST, HELLO, PHONE, Caller, answer_to, calm,
                     calls_held, holder_of_the_only_call, judged, say, twice, up, wait_no_call)
from harness import Skip, oracle
from procs import Deadline, Failure
from struck import Struck, squeezed

SHARE = True
LONG = os.environ.get("FRONTDESK_LONG") == "1"
DEADLINE_S = 900 if LONG else 240


def says(nonce, **more):
    """What the model answers to a conversation in which this was said."""
    return {"match": nonce, **more, "action": {"type": "reply", "text": ANSWER}}


def stalls(nonce, chunks, **times):
    """The same, once, but its stream of 20 pieces stops behind so many, for so long or for ever; and goes on slowly."""
    return {"match": nonce, "count": 1,
            "action": {"type": "stall", "text": ANSWER, "chunks": chunks, **times}}


def nonces_of(desk, count):
    return [desk.new_nonce() for _ in range(count)]


def wait_stalled(desk, nonces, outcome="stalled"):
    """The model stands still in the middle of its answers to all of them: for ever, or, "open", for a while."""
    def stalled():
        return {nonce for entry in desk.ledger("model") if entry["outcome"] == outcome
                for nonce in entry["params"].get("nonces", [])}
    desk.wait(lambda: set(nonces) <= stalled(), 30, lambda: f"{set(nonces) - stalled()} to stall")


# A call that goes well

def test_asked_twice_and_remembered(desk):
    up(desk)
    first, second, third = nonces_of(desk, 3)
    desk.faults("model", says(third))
    with Struck("nothing") as struck:
        call = Caller(desk, [HELLO, say(f"Do you do crowns? {first}"), HELLO,
                             say(f"And what did I ask? {second}"), HELLO,
                             say(f"When are you open? {third}"), HELLO, BYE], rate=FAST)
        story = call.over()
        struck.over(story)
        struck.count(answer_to(story, third), ANSWER)
    assert story.errors() == [] and story.summary["script"] == "done", story.summary
    assert story.heard().startswith(PHONE["greeting"]) and story.heard().count(PHONE["greeting"]) == 1
    said = answer_to(story, first)
    assert oracle.new_nonces(said) == [first] and not oracle.history_nonces(said), said
    said = answer_to(story, second)
    assert oracle.new_nonces(said) == [second] and oracle.history_nonces(said) == [first], said
    assert twice(answer_to(story, third), ANSWER) == "", answer_to(story, third)
    tokens = [event["text"] for event in story.of("token")]
    pieces = [token for token in tokens if token.strip() and token.strip() in ANSWER]
    assert len(pieces) >= 3 and "".join(pieces) == ANSWER, tokens
    call.wait_ended()
    replies = call.wait_replies(3)
    assert [reply[2:] for reply in replies] == [("reply", "delivered", None)] * 3, replies
    body, heard = replies[2][:2]  # he hangs up sooner than a voice of the usual rate would be done
    assert body == ANSWER and heard and ANSWER.startswith(heard), replies[2]
    assert call.events() == [("answered", None)] * 3


def test_barge_in(desk):
    """The row keeps what was heard; the next turn knows no more of it."""
    up(desk)
    first, second = nonces_of(desk, 2)
    desk.faults("model", says(first, count=1))
    call = Caller(desk, [HELLO, say(f"When are you open? {first}"),
                         {"interrupt": f"Only Saturday, please. {second}", "after_words": 9, "ms": 300},
                         HELLO, BYE])
    story = call.over()
    assert story.summary["script"] == "done", story.summary
    heard = story.of("interrupt")[-1]["heard"].strip()
    assert ANSWER.startswith(heard) and 9 <= len(heard.split()) <= 14, heard
    assert "visit" not in story.heard(), story.heard()
    said = answer_to(story, second)
    assert oracle.new_nonces(said) == [second] and oracle.history_nonces(said) == [first], said
    one, two = call.wait_replies(2)
    assert one[1].strip(" .,?") == heard.strip(" .,?") and one[3] == "delivered", (one, heard)
    assert two[2:4] == ("reply", "delivered"), two
    assert call.events() == [("answered", None)] * 2
    call.wait_ended()


def test_a_text_and_a_call_are_one_conversation(desk):
    up(desk)
    customer, (texted, called, again) = desk.new_address(), nonces_of(desk, 3)
    assert desk.webhook(customer, f"hello {texted}").status == 200
    desk.wait_replies(customer, 1)
    call = Caller(desk, [HELLO, say(f"I have texted you. {called}"), HELLO, BYE], from_=customer)
    said = answer_to(call.over(), called)
    assert oracle.new_nonces(said) == [called] and oracle.history_nonces(said) == [texted], said
    call.wait_ended()
    assert desk.webhook(customer, f"and now {again}").status == 200
    reply = desk.wait_replies(customer, 2)[1]
    assert oracle.new_nonces(reply) == [again] and oracle.history_nonces(reply), reply
    talks = desk.sql("SELECT DISTINCT conversation_id FROM channel_sessions WHERE remote_address = %s",
                     customer)
    kinds = desk.sql("SELECT kind FROM channel_sessions WHERE remote_address = %s ORDER BY kind", customer)
    assert len(talks) == 1 and kinds == [("sms",), ("voice",)], (talks, kinds)


def test_hang_up_in_the_middle(desk):
    """The call is over, what he heard of the reply is known, nothing stays open. The status callback may reach the other
    ingress: its record of the end then may come before the one of what was heard."""
    up(desk)
    nonce = desk.new_nonce()
    desk.faults("model", says(nonce))
    call = Caller(desk, [HELLO, say(f"When are you open? {nonce}"), {"wait_for": "audible", "words": 8}, BYE])
    call.over()
    call.wait_ended()
    desk.wait(lambda: call.wait_replies(1)[0][1] != ANSWER, 10, lambda: f"what was heard: {call.rows()}")
    (body, heard, _, state, _), = call.wait_replies(1)
    assert state == "delivered" and heard and body.startswith(heard) and len(heard) < len(ANSWER), heard
    session = call.session()
    assert session["due_at"] is None and session["turn_id"] is None and session["ended_at"]
    assert call.events() == [("answered", None)]


# Who speaks dies

PIECES = 20  # of the answer; behind the last one it is all there
OFFSETS = tuple(range(PIECES + 1)) if LONG else (0, 3, 8, 13, 18, PIECES)
AT_ONCE = 7  # calls that are struck together


def batches(places):
    return [places[at:at + AT_ONCE] for at in range(0, len(places), AT_ONCE)]


class Many:
    """Calls of several people at once: each has asked something that was answered; then the test asks."""

    def __init__(self, desk, count):
        nonces = nonces_of(desk, count)
        self.calls = [Caller(desk, [HELLO, say(f"Hello? {nonce}"), HELLO]) for nonce in nonces]
        desk.wait(lambda: all(map(self.is_answered, self.calls, nonces)), 40, lambda: [
            (call.story().events, call.rows()) for call, nonce in zip(self.calls, nonces)
            if not self.is_answered(call, nonce)])

    @staticmethod
    def is_answered(call, nonce):
        """With his own words, that is to say: a fallback is none."""
        return nonce in answer_to(call.story(), nonce)

    def of_one_engine(self, count):
        """An engine that holds at least so many of the calls, and these; the others hang up."""
        held = {call: call.holder() for call in self.calls}
        name = max(held.values(), key=list(held.values()).count)
        calls = [call for call in self.calls if held[call] == name][:count]
        assert len(calls) == count, held
        for call in self.calls:
            if call not in calls:
                call.also(BYE)
        return name, calls


def heard_behind(call, nonce):
    """What a caller who waits for an answer hears instead, and what is known of it."""
    return answer_to(call.story(), nonce), call.events(), call.rows()


def stalled_at(desk, calls, offsets, **times):
    """Each of the calls is in the middle of its answer, of which so many pieces were given out, or all are.
    Returns {call: its nonce}."""
    nonces = {call: desk.new_nonce() for call in calls}
    cut = [(nonces[call], offset) for call, offset in zip(calls, offsets) if offset < PIECES]
    desk.faults("model", *(stalls(*one, **times) for one in cut), *(says(nonce) for nonce in nonces.values()))
    for call, nonce in nonces.items():
        call.also(say(f"When are you open? {nonce}"))
    wait_stalled(desk, [nonce for nonce, _ in cut], "open" if times else "stalled")
    whole = [call for call, offset in zip(calls, offsets) if offset == PIECES]
    desk.wait(lambda: all(call.answering() for call in whole), 20, lambda:
              f"the whole answers to sound: {[heard_behind(call, nonces[call]) for call in whole]}")
    return nonces


def records_late(desk):
    """How many records of calls Kafka has not confirmed in time."""
    return sum(desk.services[name].metrics().get("frontdesk_ingress_voice_late_total", 0) for name in calls_held(desk))


def in_mid_answers(desk, offsets):
    """Calls that one engine holds, in the middle of their answers: its name, the calls and their nonces. On a
    machine so busy that Kafka takes 3 s for a record its caller is sent away (VOICE.md): then others call."""
    for left in (2, 1, 0):
        before = records_late(desk)
        name, calls = Many(desk, 2 * len(offsets) + 2).of_one_engine(len(offsets))
        try:
            return name, calls, stalled_at(desk, calls, offsets)
        except Deadline:
            if left == 0 or records_late(desk) == before:
                raise
        for call in calls:
            with contextlib.suppress(Failure):  # who was sent away has hung up
                call.also(BYE)
        wait_no_call(desk)
    return None


def table_of(calls, offsets, nonces, struck, most):
    table = [(offset, judged(call, nonces[call], struck, most)) for call, offset in zip(calls, offsets)]
    print("offset: said again", table)
    return table


def test_engine_killed_while_it_speaks(desk):
    """kill -9 at several offsets of the answer at once, with --long at each: each sentence is heard once, in
    order. One of which only the beginning had been given to the voice begins anew."""
    up(desk)
    with Struck(f"engine killed at {len(OFFSETS)} places of an answer") as struck:
        for offsets in batches(OFFSETS):
            name, calls, nonces = in_mid_answers(desk, offsets)
            desk.kill(name)
            table = table_of(calls, offsets, nonces, struck, 1)
            assert not [again for _, again in table if again.endswith((".", "?"))], table
            calm(desk)
            desk.revive()


def in_mid_answer(call, nonce):
    """Whether the end of ANSWER has not been given to the voice."""
    tokens = "".join(event["text"] for event in call.story().of("token"))
    return squeezed(ANSWER)[-12:] not in squeezed(tokens) and nonce in str(call.story().of("said"))


def test_rebalance_in_the_middle(desk):
    """A third engine joins while answers are spoken, and leaves in the middle of the same ones: nobody hears
    of it. No answer may stand still for longer than 5 s: it goes on slowly, so that there is time for both on a slow
    machine too; where that was not enough they are done again."""
    up(desk)
    places = OFFSETS[:-1] if LONG else (9,) * 6  # of an answer that is all there nothing is in its middle
    with Struck(f"an engine joins and leaves at {len(set(places))} places of an answer") as struck:
        left = batches(places)
        for _ in range(2 * len(left)):
            if not left:
                break
            calls = Many(desk, len(left[0])).calls
            nonces = stalled_at(desk, calls, left[0], ms=5000, every_ms=1000)
            third = desk.add("engine", 3, CONFIG)
            try:
                third.wait_ready()  # has its part of the group's partitions
            finally:
                third.stop(40)
                del desk.services["engine-3"]
            middle = [in_mid_answer(call, nonces[call]) for call in calls]
            table_of(calls, left[0], nonces, struck, 0)
            left = left[1:] if all(middle) else left
        assert not left, f"no engine joined and left within one answer at {left}"
    calm(desk)


def test_socket_cut_while_it_is_spoken_into(desk):
    """The relay's socket breaks, with --long behind each word: the call goes on over another, and at most the
    sentence is said again that was being spoken."""
    up(desk)
    places = tuple(range(1, len(ANSWER.split()))) if LONG else (3, 11, 20, 26)
    with Struck(f"socket cut at {len(places)} places of an answer") as struck:
        for batch in batches(places):
            calls = {}
            for words in batch:
                nonce = desk.new_nonce()
                calls[nonce] = Caller(desk, [HELLO, say(f"Hello? {desk.new_nonce()}"), HELLO,
                                             say(f"Open? {nonce}"), {"wait_for": "audible", "words": words},
                                             {"cut": "reset"}])
            desk.faults("model", *(says(nonce) for nonce in calls))
            again = [judged(call, nonce, struck, most=1) for nonce, call in calls.items()]
            print("words: said again", list(zip(batch, again)))


def test_ingress_killed_while_it_speaks(desk):
    """The call goes on with the other ingress: nothing is lost, and the greeting is not said again. Nobody
    can tell how far the words sounded: the sentence that was being spoken is said again, and the one before
    it if that was over for less than a second."""
    up(desk)
    for after_ms, stall in ((800, None), (5000, None), (2500, 9), (None, 0)):
        nonce = desk.new_nonce()
        desk.faults("model", *([] if stall is None else [stalls(nonce, stall, ms=6000)]), says(nonce))
        wait_no_call(desk)
        where = "before an answer" if after_ms is None else f"{after_ms} ms into an answer"
        with Struck(f"ingress killed {where}") as struck:
            call = Caller(desk, [HELLO, say(f"Hello? {desk.new_nonce()}"), HELLO, say(f"Open? {nonce}")])
            if after_ms is None:  # the model is asked, and has not begun to answer
                desk.wait(lambda: nonce in str(desk.ledger("model")), 40, "the model to be asked")
            else:
                desk.wait(lambda: call.answering(after_ms), 40, "the answer to sound")
            desk.kill(holder_of_the_only_call(desk))
            judged(call, nonce, struck, most=2)
            assert call.story().heard().count(PHONE["greeting"]) == 1
        desk.revive()


def test_ingress_killed_at_every_token(desk):
    """The same at each offset of the answer: one of two ingresses dies again and again until each place was
    struck; who was not has the other one and hears nothing of it."""
    if not LONG:
        raise Skip("takes minutes: ./test e2e --long")
    up(desk)
    left = list(OFFSETS)
    with Struck(f"ingress killed at {len(left)} places of an answer") as struck:
        while left:
            offsets = left[:AT_ONCE]
            wait_no_call(desk)
            calls = Many(desk, len(offsets)).calls
            held = calls_held(desk)
            nonces = stalled_at(desk, calls, offsets, ms=6000)
            desk.kill(max(held, key=held.get))
            table_of(calls, offsets, nonces, struck, 2)
            for call, offset in zip(calls, offsets):
                story = call.story()
                assert story.heard().count(PHONE["greeting"]) == 1, story.heard()
                if [event["state"] for event in story.of("relay")].count("open") > 1:
                    left.remove(offset)
            desk.revive()


# Nobody is there

def tasks(desk, call):
    return desk.sql("SELECT e.reason, e.summary, e.state FROM escalations e JOIN channel_sessions s"
                    " ON s.tenant_id = e.tenant_id AND s.conversation_id = e.conversation_id"
                    " WHERE s.call_sid = %s", call.sid)


def test_model_down(desk):
    """The desk takes a message by itself, and people find it as a task."""
    up(desk)
    desk.faults("model", {"action": {"type": "status", "status": 503}})
    with Struck("model down: a message is taken") as struck:
        call = Caller(desk, [HELLO, say("My crown came off."), HELLO, say("The patient of Tuesday"), HELLO,
                             say("Here, after five"), HELLO, BYE], rate=FAST)
        story = call.over(60)
        struck.over(story)
        assert story.summary["script"] == "done", story.heard()
        desk.wait(lambda: tasks(desk, call), 15, lambda: f"a task; {story.heard()} {call.rows()}")
        (summary, state), = [task[1:] for task in tasks(desk, call) if task[0] == "message"]
        struck.count(summary, "My crown came off.")
    assert "My crown came off." in summary and state == "open", tasks(desk, call)
    call.wait_ended()
    assert {event for event in call.events()} == {("answered", None)}, call.events()


def test_all_engines_frozen(desk):
    """A voice within 4.5 s, a message that is taken, and a task when the engines are back."""
    up(desk)
    with Struck("engines frozen: a message is recorded") as struck:
        call = Caller(desk, [HELLO, {"silence": 1000}, say("Is anybody there?"), {"wait_for": "record"},
                             say("My crown came off, please call me.", ms=2000), {"press": "#"}],
                      rate=FAST)
        desk.wait(lambda: call.story().of("audible"), 15, "the greeting")
        for name in ("engine-1", "engine-2"):
            desk.freeze(name)
        try:
            story = call.over(60)
        finally:
            for name in ("engine-1", "engine-2"):
                desk.thaw(name)
        struck.over(story)
    heard = story.heard()
    assert PHONE["fillers"][0] in heard and PHONE["fallback"] in heard and story.of("recording"), heard
    desk.wait(lambda: tasks(desk, call), 30, lambda: f"a task; {call.rows()}")
    reasons = [reason for reason, _, _ in tasks(desk, call)]
    assert reasons == ["message"], tasks(desk, call)
    call.wait_ended()
    calm(desk)
