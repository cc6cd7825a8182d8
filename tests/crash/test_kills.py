"""kill -9 at every stop point of the three services, again and again, under a load of texts.

Judged by the client's ledger and the Twilio stand-in's, which never de-duplicate. A kill counts when
the process that died held a text that was accepted and not yet answered, while at least two other
engines and two other responders were alive. A round is a load with its kills; --long has many.
"""

import os
import time

import webhook
from harness.load import Load
from killing import ALL_POINTS, Killer, Table

COUNTS = {"ingress": 4, "engine": 5, "responder": 5}
EACH_MIN = 3
LONG = os.environ.get("FRONTDESK_LONG") == "1"
BUILD = "stops" if LONG else "debug"  # many kills need quick starts, so no sanitizers
KILLS_WANTED = 10000 if LONG else 200
# Some kills of a round do not count: the process held nothing, or too few others lived.
ROUND_KILLS = 400 if LONG else 230
ROUND_S = 400 if LONG else 165
ROUNDS_MAX = 200 if LONG else 4  # one or two; a busy machine starts again slowly what was killed
DEGRADED_MAX = 0.01

# Short leases, so that what a dead process held is taken up soon; deadlines of the model long, so that a busy machine does not make fallback replies.
CONFIG = {
    "engine": {"worker_lease_ms": 1500, "adopt_every_ms": 600, "burst_ms": 150,
               "burst_max_ms": 500, "turn_deadline_ms": 20000, "adopter_deadline_ms": 10000,
               "session_timeout_ms": 6000, "heartbeat_ms": 500},
    "responder": {"worker_lease_ms": 1500, "adopt_every_ms": 600, "lookup_after_ms": 2000,
                  "request_timeout_ms": 5000, "session_timeout_ms": 6000, "heartbeat_ms": 500},
    "ingress": {},
}


class Texts(Load):
    """Texts whose sids differ from those of our own messages, so that a stop point can be armed for
    webhooks of texts and not for status callbacks."""

    def _next_text(self, number, customer):
        text = super()._next_text(number, customer)
        text.sid = webhook.new_sid("MM")
        return text


def judge_tools(desk):
    """Each call that went well has its effect, and no effect is without its call. Of a call that the
    turn's last worker took with it the effect's row says what became of it: none is `unknown`. Only
    of one that has begun in a turn that goes on nothing is written yet."""
    begun = dict(desk.sql("SELECT id::text, coalesce(outcome, state) FROM tool_calls"
                          " WHERE name = 'take_message' AND started_at IS NOT NULL"))
    done = {call for call, outcome in begun.items() if outcome == "ok"}
    going_on = {call for call, outcome in begun.items() if outcome == "started"}
    effects = {row[0] for row in desk.sql("SELECT id::text FROM escalations WHERE reason = 'message'")}
    print(f"  {len(done)} calls of a tool and {len(going_on)} not heard of yet, {len(effects)} effects")
    assert done <= effects <= done | going_on, (len(done - effects), len(effects - done - going_on))
    assert begun.keys() == done | going_on, sorted(set(begun.values()))


def play_round(desk, table, killer, wanted):
    """One load with its kills."""
    desk.reset()
    # Requests to the provider last a moment, so that a responder holds some at any time; the answers
    # to some are lost, so that there is something to look up.
    request = {"path": "/Messages.json", "method": "POST"}
    desk.faults("twilio", {**request, "probability": 0.04, "seed": 11,
                           "action": {"type": "accepted_but_answer_lost"}},
                {**request, "action": {"type": "delay", "ms": 300}})
    # A part of the answers asks for a tool first; its call may be made again, its effect not.
    desk.faults("model", {"probability": 0.3, "seed": 7, "action": {
        "type": "tool_call", "name": "take_message", "arguments": '{"message": "please call"}'}})
    load = Texts(desk.public_url, desk.tenants, rate=24, addresses=120, tenant_count=4,
                 connections=40, tries=40, pause_max_s=2)  # until the killing is over
    load.start(seconds=ROUND_S)
    while load.running() and not killer.enough(wanted):
        killer.step()
        time.sleep(0.01)
    load.stop()
    killer.stop()
    texts = load.join(300).texts
    desk.wait_answers(texts, 150)
    # Whatever would be sent twice has been looked up and sent again by then.
    desk.settled(3, lambda: len(desk.sent()), 30)
    judge_tools(desk)
    verdict = table.add(killer.kills, texts, desk.ledger("twilio"), desk.degraded_turns())
    assert not killer.own_deaths, "\n".join(killer.own_deaths[:3])
    assert verdict.clean(), verdict
    unheard = {text.sid for text in texts if not text.accepted_at}
    assert not unheard, [(a.sid, a.try_number, a.status, a.error)
                         for a in load.result.attempts if a.sid in unheard]


def lapsed(desk):
    """Leases that ran out without a kill, because the machine was busy: each is a lost start too."""
    return sum(line.get("event") == "worker.lost" for name in desk.services
               if not name.startswith("ingress") for line in desk.log(name))


def rate(table, begin, killers):
    """How quick the kills were, and what they waited for."""
    seconds = time.monotonic() - begin
    starts = sorted(second for killer in killers for second in killer.start_seconds) or [0]
    done = sum(len(killer.kills) for killer in killers)
    return (f"  {done} kills, {table.killed} of them counted, in {seconds:.0f} s:"
            f" {table.killed / seconds:.2f} a second;"
            f" a killed process serves again after {starts[len(starts) // 2]:.1f} s (median);"
            f" fire held {sum(killer.held_fire for killer in killers)} times for work"
            " that was lost often")


def few(table):
    return [point for point in ALL_POINTS if table.lines[point]["killed"] < EACH_MIN]


def test_kills_at_every_stop_point(desk):
    desk.start(ingresses=COUNTS["ingress"], engines=COUNTS["engine"],
               responders=COUNTS["responder"], config=CONFIG)
    table = Table()
    begin = time.monotonic()
    killers = []
    try:
        while (table.killed < KILLS_WANTED or few(table)) and len(killers) < ROUNDS_MAX:
            short = max(0, KILLS_WANTED - table.killed)
            killers.append(Killer(desk, few(table)))
            play_round(desk, table, killers[-1], min(ROUND_KILLS, short + 35))
    finally:
        print(rate(table, begin, killers))
        print(f"  {lapsed(desk)} leases lapsed without a kill")
        table.print()
    assert not few(table), f"fewer than {EACH_MIN} kills at {', '.join(few(table))}"
    assert table.killed >= KILLS_WANTED, table.killed
    assert table.total["answered"] == table.total["accepted"], table.total
    degraded = table.total["degraded"]
    assert degraded <= DEGRADED_MAX * table.replies, f"{degraded} of {table.replies} are degraded"


test_kills_at_every_stop_point.deadline_s = 5 * 3600 if LONG else 540
