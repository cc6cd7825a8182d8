"""The phone call that ./run plays: somebody calls the business, asks, hears the answer while the model still
writes it, cuts into the next one, and is answered by a desk that remembers what he asked first.

The Twilio stand-in is the telephone; what its caller heard is checked sentence by sentence (judge_call), what
is on record of it as for the other stories.
"""

import json
import re
import secrets
import urllib.request

from procs import Deadline, wait_for
from quotes import history_nonces, new_nonces
from script import pauses, says
from story import Story
from talk import ledger

RATE = 30  # characters a second: a voice that is in a hurry, for a demo that is short
SILENCE_MS = 4500  # docs/PROMISES.md, P6
CALL_DEADLINE_S = 90

HOURS = ("We are open from eight to five, Monday to Thursday. On Fridays we close at two. At weekends nobody "
         "is here. Shall I look for a time?")
PARKING = ("The parking lot is behind the building. From there you take the stairs to the first floor. Our "
           "door is the second one on the left.")


class Heard:
    """What the stand-in tells of a call: who said what, who heard what, and when."""

    def __init__(self, summary):
        self.summary = summary
        self.said = [event for event in summary["events"] if event["kind"] == "said"]

    def of(self, kind, place):
        """Events between the caller's words of this place and his next ones; -1: before the first."""
        begin = self.said[place]["until"] if place >= 0 else 0
        end = self.said[place + 1]["from"] if place + 1 < len(self.said) else float("inf")
        return [event for event in self.summary["events"] if event["kind"] == kind
                and begin <= event.get("from", event["time"]) < end]

    def words(self, place):
        return "".join(event["text"] for event in self.of("audible", place)).strip()

    def pieces(self, place):
        """[(text, ms since the caller's words)] as they came to be spoken."""
        begin = self.said[place]["until"] if place >= 0 else 0
        return [(event["text"].strip(), round(event["time"] - begin))
                for event in self.of("token", place) if event["text"].strip()]


def sentences(text):
    return [part.strip() for part in re.findall(r"[^.?!]+[.?!]*", text) if part.strip()]


def told_in_full(heard, answer):
    """Each sentence of the answer was heard, once and in order, and nothing else."""
    wanted, got = sentences(answer), sentences(heard)
    if got == wanted:
        return []
    problems = [f"lost in the call: {one}" for one in wanted if one not in got]
    problems += [f"said {got.count(one)} times in the call: {one}" for one in dict.fromkeys(got)
                 if got.count(one) > 1]
    problems += [f"nobody was to say in the call: {one}" for one in dict.fromkeys(got)
                 if one not in wanted]
    return problems or [f"not in order: {heard}"]


def cut_short(heard, kept, answer):
    """Only a beginning of the answer was heard, and the record keeps just that."""
    def bare(text):
        return re.sub(r"\W+", " ", text or "").strip()
    problems = []
    if not bare(heard) or not bare(answer).startswith(bare(heard)) or bare(heard) == bare(answer):
        problems.append(f"of \"{answer}\" the caller, who cut in, heard \"{heard}\"")
    if bare(kept) != bare(heard):
        problems.append(f"the record keeps \"{kept}\" where \"{heard}\" was heard")
    return problems


class PhoneCall(Story):
    title = "a phone call: asked, answered while the model writes, cut into, remembered"
    by_script = True

    def lacks(self):
        return None if self.document.get("phone") else "phone"

    def play(self):
        caller = self.talk()
        marks = ["n-" + secrets.token_hex(4) for _ in range(3)]
        self.script(pauses(marks[0], HOURS, 9, 1200), says(marks[1], PARKING, count=1))
        try:
            heard = self.call(caller, marks)
        except Deadline as problem:
            self.problems.append(str(problem))
            return
        self.show(caller, heard)
        if len(heard.said) == len(marks):
            self.judge(caller, heard, marks)
        else:
            self.problems.append(f"the caller said {len(heard.said)} things, and not {len(marks)}")

    def call(self, caller, marks):
        """Places the call and waits for its end."""
        reply = {"wait_for": "reply"}
        script = [reply, {"say": f"When are you open? ({marks[0]})", "ms": 900}, reply,
                  {"say": f"And where do I park? ({marks[1]})", "ms": 900},
                  {"interrupt": f"Wait, what did I ask first? ({marks[2]})", "after_words": 9, "ms": 900},
                  reply, {"hangup": True}]
        public = self.scene.endpoints["public_url"]
        order = {"account_sid": self.tenant["account_sid"], "from": caller.address,
                 "to": self.tenant["numbers"]["voice"], "url": public + "/twilio/voice",
                 "status_callback": public + "/twilio/voice/status", "rate": RATE,
                 "fillers": self.document["phone"]["fillers"], "script": script}
        request = urllib.request.Request(caller.twilio + "/_calls", json.dumps(order).encode(),
                                         {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            sid = json.loads(answer.read())["sid"]
        self.say(f"  {caller.address} calls {self.tenant['numbers']['voice']}")
        wait_for(lambda: ledger(caller.twilio, f"/_calls/{sid}")["over"], CALL_DEADLINE_S,
                 "the end of the call", 0.1)
        return Heard(ledger(caller.twilio, f"/_calls/{sid}"))

    def show(self, caller, heard):
        """Who said what, with the time since the caller's words of each piece that was given to the voice."""
        self.say(f"  {self.name} < {heard.words(-1)}")
        for place, said in enumerate(heard.said):
            cuts_in = any(event["kind"] == "interrupt" and said["from"] <= event["time"] <= said["until"] + 500
                          for event in heard.summary["events"])
            self.say(f"  {caller.address} > {said['text']}{'   (cuts in)' if cuts_in else ''}")
            for text, ms in heard.pieces(place):
                self.say(f"  {self.name} < {f'{ms} ms':>8}  {text}")
            words = heard.words(place)
            if words != " ".join(text for text, _ in heard.pieces(place)):
                self.say(f"      heard of it: \"{words}\"")
        self.say(f"      the longest silence of the desk: {heard.summary['silence_max_ms']:.0f} ms")

    def judge(self, caller, heard, marks):
        if heard.words(-1) != self.document["phone"]["greeting"]:
            self.problems.append(f"the caller was greeted with \"{heard.words(-1)}\"")
        self.blame(told_in_full(heard.words(0), HOURS))
        last = heard.words(2)
        if new_nonces(last) != [marks[2]] or history_nonces(last) != [marks[0]]:
            self.problems.append(f"what was asked last was not answered with a memory: {last}")
        if heard.summary["silence_max_ms"] > SILENCE_MS:
            self.problems.append(f"the caller heard nothing for {heard.summary['silence_max_ms']} ms")
        try:
            shown = wait_for(lambda: self.settled(caller), 20, "the call's replies to be settled", 0.2)
        except Deadline as problem:
            self.problems.append(str(problem))
            return
        replies = [message for message in shown["messages"] if message["direction"] == "out"]
        self.blame(cut_short(heard.words(1), replies[1].get("heard"), PARKING))
        self.recorded(f"heard of the second reply: \"{replies[1].get('heard')}\"")
        self.wanted.append((caller, "a phone call", 0, {
            "said": "3 by the customer, 3 by the assistant", "channel": "voice", "model": "answered"}))

    def settled(self, caller):
        """The transcript, once it is known of each of the three replies what became of it."""
        if not caller.conversations():
            return None
        shown = caller.transcript()
        replies = [message for message in shown["messages"] if message["direction"] == "out"]
        known = all(delivery["state"] == "delivered" for message in replies
                    for delivery in message["deliveries"])
        return shown if len(replies) == 3 and known else None
