"""The stories of docs/PROTOCOL.md that need a call: each is what the first wording of a rule let happen."""

from call_records import CALLS, Call
from scripted import Operator, engines
from test_voice_engine import ANSWER, prompt, stops

SHARE = True
DEADLINE_S = 90


def test_v5b_a_takeover_whose_stop_was_never_published(desk):
    """The console died behind its commit: the lease's renewal stops the speech all the same, within a
    second and what a busy machine makes of it, and no word of the turn is committed as the AI's."""
    engines(desk, **CALLS)
    call = Call(desk)
    prompt(call, lambda nonce: stops(nonce, 10, 6000))
    call.pump(lambda: len(call.spoken) >= 2, 10, "two pieces")
    session = call.session()
    with Operator(desk) as console:  # publishes nothing
        console.take_over(call.customer.tenant_id, session["conversation_id"])
    name = desk.value("SELECT process FROM workers WHERE id = %s::uuid", session["worker"]).split("/")[0]
    desk.wait(lambda: desk.services[name].metrics().get("frontdesk_turns_in_flight", 1) == 0, 10,
              "the turn to be dropped")
    spoken = list(call.spoken)
    call.listen(7)  # the model would have gone on by now
    assert call.spoken == spoken, call.spoken[len(spoken):]
    assert not [reply for reply in call.replies() if reply[0] == ANSWER], call.replies()
    desk.faults("model")
    call.close()


def test_v6_an_adopter_waits_for_what_was_heard(desk):
    """The stall of the dead engine's fence is still on its way when the next one takes up the turn: it asks,
    says nothing of the reply before it is told, and repeats no sentence."""
    engines(desk, 2, **CALLS)
    call = Call(desk)
    call.answers = False
    prompt(call, lambda nonce: stops(nonce, 12, 30000))
    call.pump(lambda: "weekdays." in call.said, 10, "two sentences")
    first = call.fence
    process = desk.value("SELECT process FROM workers WHERE id = %s::uuid", call.session()["worker"])
    desk.faults("model", {"match": "cut off in the middle", "action": {"type": "reply", "text": ANSWER}})
    desk.kill(process.split("/")[0])
    call.pump(lambda: call.fence > first, 20, "the next fence")
    said = call.said
    call.heard("stall", fence=first)  # as if it came only now
    call.listen(0.7)
    assert call.said == said, "nothing of the reply before the answer to `open`"
    call.answers = True
    call.heard("open", seq=-1)
    assert call.wait_over(20) == ANSWER, call.frames
    call.wait_settled(1)
    desk.faults("model")
    desk.revive()
    call.close()


def test_v6_interrupt_under_the_second_fence(desk):
    """The caller cuts in while the adopter speaks: the whole turn is dropped, whichever fence said it."""
    engines(desk, 2, **CALLS)
    call = Call(desk)
    prompt(call, lambda nonce: stops(nonce, 12, 30000))
    call.pump(lambda: "weekdays." in call.said, 10, "two sentences")
    first = call.fence
    process = desk.value("SELECT process FROM workers WHERE id = %s::uuid", call.session()["worker"])
    desk.faults("model", {"match": "cut off in the middle", "count": 1,
                          "action": {"type": "stall", "text": ANSWER, "chunks": 17, "ms": 30000}})
    desk.kill(process.split("/")[0])
    before = call.said
    call.pump(lambda: call.fence > first and len(call.said) > len(before), 30, "the adopter's words")
    heard = ANSWER[:ANSWER.index("On Saturdays") + len("On Saturdays")]
    call.interrupt(heard)
    desk.faults("model")
    nonce = call.prompt("and Saturday?")
    call.pump(lambda: call.over and nonce in call.said, 20, "the next turn")
    one, two = call.wait_settled(2)
    assert one[1:4] == (heard, "interrupted", "delivered") and two[2] == "reply", (one, two)
    assert call.events() == [("answered", None)] * 2
    desk.revive()
    call.close()
