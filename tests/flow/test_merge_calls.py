"""V5f: one of the two who are joined is on the phone. The call goes on: its turn is given back and begun anew under
the new epoch, by the rule for a turn that somebody adopts, so that no sentence is lost or said twice."""

from call_records import CALLS, Call
from harness import oracle
from scripted import Customer, engines, hand_back, take_over
from test_merge import contact_of, epoch_of, merge, split
from test_voice_engine import ANSWER, plain, prompt, stops

SHARE = True
DEADLINE_S = 90

GOES_ON = {"match": "cut off in the middle", "action": {"type": "reply", "text": ANSWER}}


def texted(desk):
    """Somebody whose text was answered."""
    engines(desk, **CALLS)
    desk.faults("model")
    customer = Customer(desk)
    customer.text()
    customer.wait_replies(1)
    return customer


def speaking(call, mark="weekdays."):
    """The desk says ANSWER and has got so far; its model stands still."""
    before = call.turn_number
    prompt(call, lambda nonce: stops(nonce, 12, 30000))
    call.pump(lambda: call.turn_number > before and mark in call.said, 10, "the first sentences")


def test_v5f_a_call_of_a_higher_epoch(desk):
    """The caller's conversation was taken over and handed back, so its ingress has seen epoch 2; the one that is
    kept has 0. With 1 ingress would refuse every later frame, and the caller hear silence.
    Guard: store/merge.c open_sql, the highest of both + 1."""
    ann = texted(desk)
    call = Call(desk)
    bob = call.customer
    prompt(call, plain)
    call.wait_over()
    call.wait_settled(1)
    take_over(desk, bob)
    call.pump(lambda: call.epoch == 1, 15, "the stop")  # which an ingress tells of as it comes
    hand_back(desk, bob)
    prompt(call, plain)
    call.pump(lambda: call.turn_number == 2 and call.over, 15, "the second answer")
    call.wait_settled(2)
    assert call.epoch == 2 and epoch_of(ann) == 0
    merge(ann, bob)
    said = call.prompt("and now?")
    call.pump(lambda: call.turn_number == 3 and call.over, 15, "the third answer")
    assert oracle.new_nonces(call.said) == [said] and call.epoch == 3 == epoch_of(ann), call.frames
    assert call.session()["conversation_id"] == ann.conversation() and not call.dropped
    call.wait_settled(3)
    call.close()


def test_stop_that_is_told_behind_the_next_words(desk):
    """A take-over and a hand-back within the way of one frame: the caller's next words are here before it is told what
    was heard at the take-over. The turn that answers them is nobody else's. Guard: voice_is_stopped."""
    engines(desk, **CALLS)
    call = Call(desk)
    prompt(call, plain)
    call.wait_over()
    call.wait_settled(1)
    take_over(desk, call.customer)
    hand_back(desk, call.customer)
    prompt(call, lambda nonce: {"match": nonce, "count": 1, "action": {"type": "delay", "ms": 1500}})
    desk.wait(lambda: len(call.turns()) == 2, 10, "the second turn")
    call.pump(lambda: call.turn_number == 2 and call.over, 15, "the second answer")
    assert [frame["kind"] for frame in call.frames].count("stop") == 1 and not call.asides, call.frames
    call.wait_settled(2)
    assert [turn["fence"] - call.turns()[0]["fence"] for turn in call.turns()] == [0, 1], call.turns()
    desk.faults("model")
    call.close()


def test_v5f_in_the_middle_of_speech(desk):
    """Each sentence once, in order, and the turn counts no try; the same again when they are parted."""
    ann = texted(desk)
    call = Call(desk)
    bob = call.customer
    for number, act in enumerate((lambda: merge(ann, bob), lambda: split(bob)), 1):
        speaking(call)
        desk.faults("model", GOES_ON)
        act()
        call.pump(lambda: call.turn_number == number and call.over, 20, "the rest of the answer")
        assert call.said == ANSWER and call.epoch == number and not call.dropped, call.frames
        body, heard, outcome, state, _ = call.wait_settled(number)[-1]
        assert (body, heard, outcome, state) == (ANSWER, ANSWER, "reply", "delivered")
        turn = call.turns()[-1]
        assert turn["tries"] == 0 and turn["epoch"] == number, turn
        desk.faults("model")
    assert contact_of(ann) != contact_of(bob) and call.events() == [("answered", None)] * 2
    call.close()


def test_v5f_a_person_holds_the_other(desk):
    """Then he holds the call as well: it is told at once, as by a takeover, and the assistant says no more.
    Guard: tools/deskctl/contact.c settle_merge; store/merge.c silence."""
    ann = texted(desk)
    call = Call(desk)
    take_over(desk, ann)
    speaking(call)
    done = merge(ann, call.customer)
    assert done["held"] == "yes", done
    call.pump(lambda: call.epoch == 2, 10, "the stop frame")
    spoken = list(call.spoken)
    desk.faults("model", GOES_ON)
    call.listen(3)
    assert call.spoken == spoken and [f["kind"] for f in call.frames].count("stop") == 1, call.frames
    (body, heard, outcome, state, _), = call.wait_settled(1)
    assert (body, heard, outcome, state) == (call.said, call.said, "interrupted", "delivered")
    desk.faults("model")
    before = len(call.frames)
    call.prompt("is somebody there?")
    call.listen(2)
    assert len(call.frames) == before and call.events()[-1] == ("open", None)
    call.close()
