"""Calls among texts while processes are killed: what the files about calls share. A caller has been answered
once; what he says next meets the kill. Others are spoken to meanwhile, and texts come all the time. All that
was said and answered is compared with PostgreSQL, with what the callers heard, and with what was texted.
"""

import contextlib
import re
import urllib.error
from pathlib import Path

from callers import ANSWER, BYE, HELLO, PHONE, Caller, say, twice, without_asides
from harness.stops import KILL
from procs import Failure

DOCS = Path(__file__).resolve().parents[2] / "docs"
OTHERS = 2         # calls beside the one that is struck
TEXTS_A_SECOND = 3


def states(document):
    """Those of a printed table; "gone" is none."""
    found = re.findall(r"^\| (\w+) \| \w+ \| \w+ \|", (DOCS / document).read_text(), re.M)
    return [name for name in dict.fromkeys(found) if name != "state"]


@contextlib.contextmanager
def texts_beside(desk):
    """Texts come until the context ends; then each accepted one is answered, by one reply, in order."""
    load = desk.load(rate=TEXTS_A_SECOND, addresses=30, tries=40, pause_max_s=2).start(seconds=900)
    try:
        yield
    except BaseException:  # what went wrong is told, not what became of the texts
        load.stop()
        raise
    load.stop()
    texts = load.join(120).texts
    desk.wait_answers(texts, 60)
    verdict = desk.judge(texts)
    print(f"  texts: {verdict}")
    assert verdict.clean() and verdict.accepted == len(texts), verdict


class Talk:
    """A call whose first words have been answered."""

    def __init__(self, desk, **settings):
        self.desk = desk
        self.nonces = [desk.new_nonce()]
        self.call = Caller(desk, [HELLO, say(f"Hello? {self.nonces[0]}"), HELLO], **settings)

    def is_ready(self):
        return self.call.now()["script"] == "done"

    def next(self):
        self.nonces.append(self.desk.new_nonce())
        return self.nonces[-1]

    def say(self, nonce):
        self.call.also(say(f"When are you open? {nonce}"))

    def answers(self):
        """[(body, delivery's state)] of what was said since the first answer."""
        return [(reply[0], reply[3]) for reply in self.call.replies()[1:]]

    def is_answered(self):
        """In the rows: each of the caller's words has its end, and so has each reply."""
        events, answers = self.call.events(), self.answers()
        return (len(events) == len(self.nonces) and all(event[0] != "open" for event in events)
                and answers and all(state != "sending" for _, state in answers))

    def is_heard(self):
        answers = self.answers()
        return answers and twice(self.heard(), answers[-1][0]) is not None

    def hang_up_when_heard(self):
        """Lets him go: a caller who says nothing for long is asked whether he is there."""
        self.desk.wait(lambda: self.is_heard() or self.call.now()["over"], 60,
                       lambda: f"an answer to {self.nonces}: {self.call.rows()} {self.call.story().heard()}")
        try:
            self.call.also({"silence": 1500}, BYE)
        except Failure:
            if not self.call.now()["over"]:
                raise  # else what is judged says why it is: it may have ended just now

    def judge(self, struck, most=0, given_up=False, may_fail=False):
        """Of the last reply each sentence was heard, in order, and at most so many again. given_up: what he
        said second may be left to people. may_fail: his turn may have met three deaths of its own."""
        story = self.call.over()
        self.desk.wait(self.is_answered, 40, lambda: f"all to be settled: {self.call.rows()}")
        body, heard = self.answers()[-1][0], self.heard()
        struck.count(without_asides(heard), body)
        again = twice(heard, body)
        assert again is not None, (heard, body, self.call.rows())
        struck.over(story)  # who did not hear it all is not let go, and is asked whether he is there
        assert len(re.findall(r"[.?!]", again)) <= most, (again, heard, self.call.rows())
        assert given_up or PHONE["fallback"] not in story.heard(), story.heard()
        fates = [event[0] for event in self.call.events()]
        if given_up and fates[1] == "late":
            fates[1] = "answered"
        if may_fail and fates[-1] == "failed":
            fates[-1] = "answered"
        assert fates == ["answered"] * len(self.nonces), self.call.rows()
        self.call.wait_ended()

    def heard(self):
        """All that was heard since he said what he said last, for the last time."""
        story = self.call.story()
        begin = max((said["until"] for said in story.of("said") if self.nonces[-1] in said["text"]),
                    default=float("inf"))
        return "".join(event["text"] for event in story.of("audible") if event["from"] >= begin)


def says(nonce, **more):
    """What the model answers to a conversation in which this was said."""
    return {"match": nonce, **more, "action": {"type": "reply", "text": ANSWER}}


class Scene:
    """One kill: the call that it is about, the others, and the model's rules."""

    def __init__(self, desk, **settings):
        self.desk = desk
        self.talks = [Talk(desk, **settings) for _ in range(1 + OTHERS)]
        self.victim = self.talks[0]
        self.stop = None

    def begin(self, *rules):
        """The others are spoken to from now on, slowly; the model has these rules beside. Returns what the
        victim is to say."""
        self.desk.wait(lambda: all(talk.is_ready() for talk in self.talks), 40, "all first answers")
        nonce = self.victim.next()
        others = {talk: talk.next() for talk in self.talks[1:]}
        slow = [{"match": one, "count": 1, "action": {"type": "stall", "text": ANSWER, "chunks": 9,
                                                      "ms": 3000}} for one in others.values()]
        self.desk.faults("model", *[{**rule, "match": nonce} for rule in rules], says(nonce), *slow,
                         *map(says, others.values()))
        for talk, one in others.items():
            talk.say(one)
        return nonce

    def arm(self, point, match, times=1):
        self.stop = self.desk.stops.arm(point, action=KILL, times=times, match=match)

    def killed(self):
        self.desk.wait(lambda: self.stop.hits, 25, lambda: f"the kill at {self.stop.name}: "
                       f"{self.victim.call.rows()}")

    def judge(self, struck, most=0, given_up=False, others_may_fail=False):
        for talk in self.talks:
            talk.hang_up_when_heard()
        self.victim.judge(struck, most, given_up)
        for talk in self.talks[1:]:
            talk.judge(struck, most, may_fail=others_may_fail)

    def close(self):
        """Whoever is still there hangs up."""
        for talk in self.talks:
            with contextlib.suppress(urllib.error.HTTPError):  # it may end just now
                if not talk.call.now()["over"]:
                    self.desk._call("twilio", f"/_calls/{talk.call.sid}", {"hangup": True})
        self.desk.stops.clear()
        self.desk.faults("model")
        self.desk.revive()
