"""The engine answers calls in webhook mode: steps of inbound.voice in, whole answers of voice.stream out; the test
is the ingress, or several of them."""

import json

from call_records import CALLS, Call
from harness import oracle
from scripted import Customer, engines, fallback_of

SHARE = True
DEADLINE_S = 90
ANSWER = "We are open from nine to five. On Saturdays we close at noon."


class Steps(Call):
    """A call of which each word of the caller is a step."""

    def __init__(self, desk, customer=None, tenant=0):
        super().__init__(desk, customer, tenant)
        self.answers = []  # frames, in order

    def tell(self, type_, id_, **value):
        super().tell(type_, id_, **{"relay_session": None, **value})

    def setup(self):
        self.tell("setup", f"{self.sid}:0")

    def step(self, words="hello", step=None, nonce=None):
        """The caller says something; returns its nonce."""
        nonce = nonce or self.desk.new_nonce()
        self.number = step or self.number + 1
        self.tell("prompt", f"{self.sid}:{self.number}", number=self.number, text=f"{nonce} {words}",
                  confidence_pm=900)
        return nonce

    def wait_on(self, step, wait):
        self.tell("setup", f"{self.sid}:{step}:wait:{wait}", resumed=True, step=step, wait=wait)

    def take(self, frame):
        if frame["call_sid"] == self.sid:
            self.answers.append(frame)

    def wait_answers(self, count, deadline_s=15):
        self.pump(lambda: len(self.answers) >= count, deadline_s, f"{count} answers, not {self.answers}")
        assert len(self.answers) == count, self.answers
        return self.answers[-1]

    def put_into_a_document(self, frame):
        """Twilio has got it."""
        self.tell("heard", f"{self.sid}:{frame['turn']}:{frame['fence']}:last:0", turn=frame["turn"],
                  fence=frame["fence"], epoch=frame["epoch"], seq=0, reason="last", spoken_ms=0, text=frame["text"])


def beside(call):
    """The same call at an ingress that reads another partition."""
    other = Steps(call.desk, call.customer)
    while other.partition == call.partition:
        other.close()
        other = Steps(call.desk, call.customer)
    other.sid = call.sid
    return other


def replies(nonce, text=ANSWER, **more):
    return {"match": nonce, **more, "action": {"type": "reply", "text": text}}


def stalls(nonce, ms, text=ANSWER):
    return {"match": nonce, "count": 1, "action": {"type": "stall", "text": text, "chunks": 3, "ms": ms}}


def settled(call, count):
    """[(heard, state, reason)] of so many replies."""
    call.desk.wait(lambda: len(call.replies()) == count and all(r[3] != "sending" for r in call.replies()), 15,
                   lambda: f"{count} settled replies: {call.rows()}")
    return [(heard, state, reason) for _, heard, _, state, reason in call.replies()]


def test_steps_are_answered_whole(desk):
    """One frame an answer, after its commit; a further step proves that the one before was heard."""
    engines(desk, **CALLS)
    call = Steps(desk)
    call.setup()
    nonce = desk.new_nonce()
    desk.faults("model", replies(nonce, count=1))
    call.step("When are you open?", nonce=nonce)
    frame = call.wait_answers(1)
    assert (frame["kind"], frame["step"], frame["seq"], frame["text"]) == ("step", 1, 0, ANSWER), frame
    assert call.replies() == [(ANSWER, None, "reply", "sending", None)], call.replies()
    session = call.session()
    assert (session["step"], session["step_wait"], session["stream_partition"]) == (1, 0, call.partition)
    second = call.step("And on Sundays?", step=2)
    frame = call.wait_answers(2)
    assert frame["step"] == 2 and frame["turn_number"] == 2, frame
    assert oracle.new_nonces(frame["text"]) == [second] and oracle.history_nonces(frame["text"]) == [nonce]
    assert call.replies()[0] == (ANSWER, ANSWER, "reply", "delivered", None), call.replies()
    call.put_into_a_document(frame)
    assert settled(call, 2)[1] == (frame["text"], "delivered", None), call.replies()
    assert call.events() == [("answered", None)] * 2
    call.close()


def test_a_call_of_each_mode_and_texts_are_one_conversation(desk):
    engines(desk, **CALLS)
    desk.faults("model")
    customer = Customer(desk)
    text = customer.text()
    customer.wait_replies(1)
    one = Steps(desk, customer)
    said = one.step()
    frame = one.wait_answers(1)
    assert oracle.history_nonces(frame["text"]) == [text.nonce], frame
    one.put_into_a_document(frame)
    settled(one, 1)
    other = Call(desk, customer)
    again = other.prompt()
    words = other.wait_over()
    assert oracle.new_nonces(words) == [again] and oracle.history_nonces(words)[0] in (text.nonce, said), words
    talks = desk.sql("SELECT DISTINCT conversation_id FROM channel_sessions WHERE remote_address = %s", customer.address)
    assert len(talks) == 1, talks
    one.close()
    other.close()


def test_an_answer_that_is_too_long_for_a_document_ends_early(desk):
    """Behind the sentence that has no room nothing is said, however short: what was said is a beginning of the answer,
    and whole sentences."""
    engines(desk, **CALLS)
    first = " ".join(f"Of our treatments number {number} is one that takes most of a morning, and it can be booked by phone."
                     for number in range(100, 122))[:2000].rpartition(". ")[0] + "."
    answer = f"{first} {'And whoever wants it is welcome ' + 'at any time of the day ' * 6}to the desk. Come at five."
    assert 1850 < len(first) <= 2000 and len(answer) > 2048, (len(first), len(answer))
    call = Steps(desk)
    nonce = desk.new_nonce()
    desk.faults("model", replies(nonce, answer))
    call.step("What do you do?", nonce=nonce)
    said = call.wait_answers(1)["text"]
    assert said == first, said
    assert call.replies()[0][0] == said, call.replies()
    call.close()


def test_a_step_that_comes_twice(desk):
    """One turn; who asks again is told again, at the place where he asks."""
    engines(desk, **CALLS)
    desk.faults("model")
    call = Steps(desk)
    nonce = call.step()
    first = call.wait_answers(1)
    call.step(step=1, nonce=nonce)
    again = call.wait_answers(2)
    assert (again["text"], again["turn"], again["fence"]) == (first["text"], first["turn"], first["fence"]), again
    elsewhere = beside(call)
    elsewhere.wait_on(1, 1)
    assert elsewhere.wait_answers(1)["text"] == first["text"]
    assert call.session()["stream_partition"] == elsewhere.partition
    call.step(step=1, nonce=nonce)  # an older request changes nothing
    call.wait_answers(3)
    assert call.session()["stream_partition"] == elsewhere.partition
    assert len(call.turns()) == 1 and call.events() == [("answered", None)]
    elsewhere.wait_on(2, 1)
    elsewhere.listen(1)
    assert len(elsewhere.answers) == 1, "of a step that nobody has said"
    call.close()
    elsewhere.close()


def test_another_ingress_waits_for_a_slow_model(desk):
    engines(desk, **CALLS)
    call = Steps(desk)
    nonce = desk.new_nonce()
    desk.faults("model", stalls(nonce, 2500), replies(nonce))
    call.step(nonce=nonce)
    desk.wait(lambda: nonce in str(desk.ledger("model")), 15, "the model to be asked")
    other = beside(call)
    other.wait_on(1, 1)
    assert other.wait_answers(1)["text"] == ANSWER
    assert not call.answers, call.answers
    assert len(call.turns()) == 1
    call.close()
    other.close()


def test_out_of_order(desk):
    """A step that comes late moves nothing back; both are answered."""
    engines(desk, **CALLS)
    desk.faults("model")
    call = Steps(desk)
    second = call.step(step=2)
    assert call.wait_answers(1)["step"] == 2
    late = call.step(step=1)
    call.wait_answers(2)
    assert call.session()["step"] == 2, call.session()
    assert call.answers[1]["step"] == 1 and oracle.new_nonces(call.answers[1]["text"]) == [late], (second, call.answers)
    assert call.events() == [("answered", None)] * 2
    call.close()


def calls_tool(nonce, tool, **arguments):
    return {"match": nonce, "count": 1, "action": {"type": "tool_call", "name": tool,
                                                   "arguments": json.dumps(arguments)}}


def test_a_goodbye(desk):
    """What the call is to do then goes with the answer, also with one that is given out again."""
    engines(desk, **CALLS)
    call = Steps(desk)
    nonce = desk.new_nonce()
    desk.faults("model", calls_tool(nonce, "end_conversation"))
    call.step("That is all.", nonce=nonce)
    frame = call.wait_answers(1)
    assert json.loads(frame["handoff"]) == {"do": "hangup"} and frame["text"], frame
    other = beside(call)
    other.wait_on(1, 1)
    again = other.wait_answers(1)
    assert (again["handoff"], again["text"]) == (frame["handoff"], frame["text"]), again
    other.put_into_a_document(again)
    call.ended()
    desk.wait(lambda: desk.value("SELECT closed_at IS NOT NULL FROM conversations WHERE id = %s::uuid",
                                 call.session()["conversation_id"]), 15, "the conversation to close with the call")
    call.close()
    other.close()


def test_a_transfer_that_nobody_takes(desk):
    """The caller who is back waits for a step in which nobody says anything: he is told, and not before."""
    engines(desk, **CALLS)
    call = Steps(desk)
    nonce = desk.new_nonce()
    desk.faults("model", calls_tool(nonce, "transfer_call", summary="A broken crown.", to="dentist on call"))
    call.step("A person, please.", nonce=nonce)
    frame = call.wait_answers(1)
    handoff = json.loads(frame["handoff"])
    assert handoff["do"] == "dial" and frame["text"], frame
    call.wait_on(1, 1)  # the same answer again, and no word of a failure
    assert json.loads(call.wait_answers(2)["handoff"]) == handoff, call.answers
    call.put_into_a_document(frame)
    call.tell("dialled", f"{call.sid}:dialled:{handoff['dial']}", dial=handoff["dial"], outcome="busy", duration_s=0)
    call.wait_on(2, 1)
    back = call.wait_answers(3)
    assert back["step"] == 2 and "nobody could take your call" in back["text"] and "handoff" not in back, back
    call.wait_on(2, 2)
    assert call.wait_answers(4)["text"] == back["text"]
    call.put_into_a_document(back)
    third = call.step("Then tell him that I called.", step=3)
    assert oracle.new_nonces(call.wait_answers(5)["text"]) == [third]
    assert desk.value("SELECT transfer FROM escalations WHERE id = %s::uuid", handoff["dial"]) == "busy"
    assert [reply[3] for reply in call.replies()[:2]] == ["delivered"] * 2, call.replies()
    call.close()


def test_hang_up(desk):
    """What was in no document was not heard; of what was, so much as has sounded."""
    engines(desk, **CALLS)
    long = "We open at nine. " * 20
    waits, soon, later, unsaid = [Steps(desk) for _ in range(4)]
    nonces = {call: desk.new_nonce() for call in (waits, soon, later, unsaid)}
    desk.faults("model", stalls(nonces[waits], 20000), *(replies(nonces[call], long) for call in (soon, later, unsaid)))
    for call, nonce in nonces.items():
        call.step(nonce=nonce)
    for call in (soon, later, unsaid):
        call.wait_answers(1)
    desk.wait(lambda: nonces[waits] in str(desk.ledger("model")), 15, "the model to be asked")
    for call in (soon, later):
        call.put_into_a_document(call.answers[0])
        settled(call, 1)
    for call, seconds in ((soon, 4), (later, 60)):
        desk.sql("UPDATE turns SET heard_at = heard_at - %s * interval '1 s' WHERE id = %s::uuid", seconds,
                 call.answers[0]["turn"])
    for call in nonces:
        call.ended()
    desk.wait(lambda: all(call.session()["ended_at"] for call in nonces), 15, "the ends")
    assert waits.replies() == [] and waits.events() == [("late", "call_over")], waits.rows()
    (heard, state, _), = settled(soon, 1)
    assert state == "delivered" and len(heard) < len(long) // 2 and long.startswith(heard), soon.replies()
    assert settled(later, 1)[0][1] == "delivered" and later.replies()[0][1] == later.answers[0]["text"]
    assert settled(unsaid, 1) == [("", "suppressed", "unheard")], unsaid.replies()
    before = soon.rows()
    soon.put_into_a_document(soon.answers[0])  # written for somebody who is gone
    unsaid.put_into_a_document(unsaid.answers[0])
    unsaid.step(step=2)
    unsaid.desk.wait(lambda: len(unsaid.events()) == 2, 15, "the last word")
    assert soon.rows()["replies"] == before["replies"], soon.rows()
    assert settled(unsaid, 1) == [("", "suppressed", "unheard")] and unsaid.events()[1][0] == "late"
    for call in nonces:
        call.close()


def test_no_model(desk):
    """The reception's dialogue, one step after the other."""
    engines(desk, **CALLS)
    desk.faults("model", {"action": {"type": "status", "status": 503}})
    call = Steps(desk)
    call.step("My crown came off.")
    first = call.wait_answers(1, 30)
    assert first["text"].startswith(fallback_of(desk, call.customer)[:20]), first
    call.step("The patient of Tuesday", step=2)
    assert call.wait_answers(2, 30)["step"] == 2
    call.close()


def test_taken_over(desk):
    """No answer of before it is given out any more, asked for or not."""
    engines(desk, **CALLS)
    desk.faults("model")
    call = Steps(desk)
    call.step()
    call.wait_answers(1)
    desk.sql("UPDATE conversations SET epoch = epoch + 1 WHERE id = (SELECT conversation_id FROM channel_sessions"
             " WHERE call_sid = %s)", call.sid)
    call.wait_on(1, 1)
    call.listen(1.5)
    assert len(call.answers) == 1, call.answers
    call.close()
