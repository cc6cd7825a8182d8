"""Calls of a business whose voice speaks slower than most, as its file says: how far words have sounded when an ingress
dies is judged by that rate."""

from callers import HELLO, PHONE, Caller, holder_of_the_only_call, judged, say, wait_no_call
from struck import Struck
from test_calls import says, stalls
from test_calls_missed import wants

SHARE = True
DEADLINE_S = 150
SLOW = 8  # characters a second


def test_ingress_killed_while_a_slow_voice_speaks(desk):
    """Nothing is lost, also of a turn that still runs; of what was heard no more is said again than with any voice."""
    wants(desk, f"speaking_rate: {SLOW}")
    for after_ms, stall in ((8500, None), (7000, 14)):
        nonce = desk.new_nonce()
        desk.faults("model", *([] if stall is None else [stalls(nonce, stall, ms=15000)]), says(nonce))
        wait_no_call(desk)
        with Struck(f"ingress killed {after_ms} ms into an answer of a slow voice") as struck:
            call = Caller(desk, [HELLO, say(f"Hello? {desk.new_nonce()}"), HELLO, say(f"Open? {nonce}")], rate=SLOW)
            desk.wait(lambda: call.answering(after_ms), 60, "the answer to sound")
            desk.kill(holder_of_the_only_call(desk))
            judged(call, nonce, struck, most=2)
            assert call.story().heard().count(PHONE["greeting"]) == 1
        desk.revive()
