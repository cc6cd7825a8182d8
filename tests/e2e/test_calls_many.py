"""Five ingresses read three partitions of the stream: calls of all of them at once, each hears its own answer
and nobody else's; and one of two that share a partition dies."""

from callers import ANSWER, CONFIG, HELLO, Caller, hang_up_when_heard, say, verdict
from struck import Struck

DEADLINE_S = 180
INGRESSES, PARTITIONS, CALLS = 5, 3, 15


def names():
    return [f"ingress-{number}" for number in range(1, INGRESSES + 1)]


def held(desk, name):
    return desk.services[name].metrics().get("frontdesk_ingress_calls", 0)


def ask(desk):
    """{call: nonce}: each has been answered once, and asks now."""
    calls = {Caller(desk, [HELLO, say(f"Hello? {desk.new_nonce()}"), HELLO]): desk.new_nonce()
             for _ in range(CALLS)}
    desk.wait(lambda: all(call.now()["script"] == "done" for call in calls), 60, "all first answers")
    action = {"type": "stall", "text": ANSWER, "chunks": 9, "ms": 3000}
    desk.faults("model", *({"match": nonce, "count": 1, "action": action} for nonce in calls.values()),
                *({"match": nonce, "action": {"type": "reply", "text": ANSWER}} for nonce in calls.values()))
    for call, nonce in calls.items():
        call.also(say(f"When are you open? {nonce}"))
    return calls


def judge(calls, struck, most=0):
    """Of each; none waits for the others, or it would be asked whether it is still there."""
    for call, nonce in calls.items():
        hang_up_when_heard(call, nonce)
    for call, nonce in calls.items():
        verdict(call, nonce, struck, most)


def test_five_ingresses_on_three_partitions(desk):
    shares = {name: {"stream_partition": place % PARTITIONS} for place, name in enumerate(names())}
    desk.start(ingresses=INGRESSES, engines=2, responders=1, config={**CONFIG, **shares})
    with Struck("five ingresses on three partitions") as struck:
        calls = ask(desk)
        spread = {name: held(desk, name) for name in names()}
        assert sum(spread.values()) == CALLS and min(spread.values()) >= 1, spread
        judge(calls, struck)
    others = [desk.services[name].metrics()['frontdesk_ingress_stream_frames_total{verdict="not_held"}']
              for name in names()]
    assert sum(number > 0 for number in others) >= 2 * (INGRESSES - PARTITIONS), others
    partitions = {call.session()["stream_partition"] for call in calls}
    assert partitions == set(range(PARTITIONS)), partitions
    with Struck("one of five ingresses killed in mid-answer") as struck:
        calls = ask(desk)
        desk.wait(lambda: all(call.answering() for call in calls), 30, "all to be spoken to")
        desk.kill("ingress-1")
        judge(calls, struck, most=2)
