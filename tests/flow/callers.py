"""Calls somebody, through all of Frontdesk: what the tests of whole calls share. A caller's
script is the stand-in's; what he heard is compared with what he was to hear, sentence by sentence."""

import re
import time

import phoning
from call_records import Call as Rows
from harness import CHECKOUT
from struck import sentences, squeezed
from tenants import read_document

CLINIC = read_document(CHECKOUT / "deploy" / "tenants" / "dental.yaml")
PHONE = CLINIC["phone"]
SILENCE_MS = phoning.SILENCE_MS
RATE = 15  # as the tenant file says by being silent: what is judged by the time is judged rightly
FAST = 20  # where nothing is: the fastest voice that ingress reckons with
HELLO = {"wait_for": "reply"}
BYE = {"hangup": True}

# What an engine says to cover a wait (common/prompt/phone_words.c), beside the tenant's own fillers.
COVERS = ("Sorry, let me go on.", "One moment, I am looking that up.")
ASIDES = (*PHONE["fillers"], *COVERS)

ANSWER = ("Good morning, this is the desk. We are open from nine to five on weekdays. On Saturdays we"
          " close at noon. Would you like to come in for a visit?")

# What production runs with, where the harness is quicker: a busy machine stands still for longer.
CONFIG = {"engine": {"worker_lease_ms": 4000, "adopt_every_ms": 500, "voice_heard_wait_ms": 6000}}


def up(desk, ingresses=2):
    desk.revive()
    desk.start(ingresses=ingresses, engines=2, responders=1, config=CONFIG)
    desk.faults("model")
    desk.faults("twilio")
    return desk


def say(words, ms=300):
    return {"say": words, "ms": ms}


class Caller(phoning.Call):
    """One call. `over()` and `story()` tell how it went, the rest what PostgreSQL has of it."""

    def __init__(self, desk, script, **settings):
        super().__init__(desk, script, **{"rate": RATE, "fillers": PHONE["fillers"], **settings})

    session, turns, replies, events = Rows.session, Rows.turns, Rows.replies, Rows.events

    def wait_replies(self, count, deadline_s=20):
        """So many replies of which it is known what became of them."""
        def settled():
            replies = self.replies()
            return len(replies) >= count and all(reply[3] != "sending" for reply in replies)
        self.desk.wait(settled, deadline_s, lambda: f"{count} settled replies: {self.rows()}")
        replies = self.replies()
        assert len(replies) == count, replies
        return replies

    def rows(self):
        return Rows.rows(self)

    def wait_ended(self, deadline_s=30):
        """The call is over in the rows as well."""
        self.desk.wait(lambda: (self.session() or {}).get("ended_at"), deadline_s,
                       lambda: f"the end of the call: {self.rows()}")

    def holder(self):
        """The engine that has its session; None while nobody does."""
        worker = (self.session() or {}).get("worker")
        process = worker and self.desk.value("SELECT process FROM workers WHERE id = %s::uuid", worker)
        return process and process.split("/")[0]

    def answering(self, after_ms=0):
        """Whether the first words of ANSWER came at least so long ago."""
        first = next((event for event in self.story().of("token")
                      if event["text"].strip() and ANSWER.startswith(event["text"].strip())), None)
        return first is not None and time.time() * 1000 >= first["time"] + after_ms


def answer_to(story, nonce):
    """All that was heard between the caller's words with this nonce and his next ones."""
    said = story.of("said")
    at = next((i for i, event in enumerate(said) if nonce in event["text"]), None)
    if at is None:
        return ""
    begin = said[at]["until"]
    end = said[at + 1]["from"] if at + 1 < len(said) else float("inf")
    return "".join(event["text"] for event in story.of("audible") if begin <= event["from"] < end)


def without_asides(words):
    for aside in ASIDES:
        words = words.replace(aside, "")
    return words


def twice(words, answer):
    """What of the answer was heard a second time; None: it was not said from its beginning to its end in
    order. The end of what was said before a break may be said again, from the beginning of its sentence."""
    heard, whole = squeezed(without_asides(words)), squeezed(answer)
    begins = [0, *(len(squeezed(answer[:m.end()])) for m in re.finditer(r"[.?!] ", answer))]
    for at in range(len(whole) + 1):
        if heard[:at] != whole[:at]:
            break
        for begin in begins:
            if begin <= at and heard[at:] == whole[begin:]:
                return whole[begin:at] if heard[at:] else ""
    return None


def never_silent(story, still):
    """P6, less what the machine stood still."""
    longest_ms = story.longest_silence_ms(still, time.time() - time.monotonic())
    assert longest_ms <= SILENCE_MS, (longest_ms, story.of("silence"), story.of("gap"))


def hang_up_when_heard(call, nonce):
    """Lets the caller go once he heard all of ANSWER to what he said with this nonce."""
    def heard():
        return twice(answer_to(call.story(), nonce), ANSWER) is not None
    call.desk.wait(lambda: heard() or call.now()["over"], 40,
                   lambda: f"the answer: {answer_to(call.story(), nonce)} {call.rows()}")
    call.also({"silence": 2000}, BYE)


def verdict(call, nonce, struck, most=0):
    """ANSWER was heard in order, and of its sentences at most so many again. Returns what was said twice."""
    story = call.over()
    said = answer_to(story, nonce)
    again = twice(said, ANSWER)
    struck.count(without_asides(said), ANSWER)
    struck.over(story)
    assert again is not None and len(sentences(again)) <= most, (said, again, call.rows())
    assert PHONE["fallback"] not in story.heard(), story.heard()
    call.wait_ended()
    replies = call.wait_replies(2)
    assert squeezed(replies[1][0]) == squeezed(ANSWER) and replies[1][3] == "delivered", replies
    assert call.events() == [("answered", None)] * 2, call.rows()
    return again


def judged(call, nonce, struck, most=0):
    """Both of these for one call."""
    hang_up_when_heard(call, nonce)
    return verdict(call, nonce, struck, most)


def calm(desk):
    """Waits until a caller is answered as usual: who was killed or frozen has its work again."""
    def answered():
        nonce = desk.new_nonce()
        call = Caller(desk, [HELLO, say(f"Hello? {nonce}"), HELLO, BYE])
        return nonce in answer_to(call.over(), nonce)
    desk.wait(answered, 60, "a caller to be answered")


def calls_held(desk):
    """By each of the two ingresses."""
    return {name: desk.services[name].metrics().get("frontdesk_ingress_calls")
            for name in ("ingress-1", "ingress-2")}


def wait_no_call(desk):
    """The calls of before are over for ingress as well, so that the next one is the only one."""
    desk.wait(lambda: set(calls_held(desk).values()) == {0}, 30,
              lambda: f"no call to be held: {calls_held(desk)}")


def holder_of_the_only_call(desk):
    held = calls_held(desk)
    assert sorted(held.values()) == [0, 1], held
    return next(name for name, calls in held.items() if calls)
