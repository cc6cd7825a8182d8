"""A phone call that ./run plays: the Twilio stand-in is the telephone, and tells what its caller heard and when.

What was heard is checked sentence by sentence; the stories that are told over the telephone are in
phone_stories.py.
"""

import json
import re
import urllib.request

from procs import Deadline, wait_for
from quotes import history_nonces, new_nonces
from story import Story
from talk import ledger

RATE = 15  # characters a second, where a business's file does not say (docs/TENANT_FILE.md)
HURRY = 30  # a voice for a demo that is short; the files of its businesses say so (stories.py)
SILENCE_MS = 4500  # docs/PROMISES.md, P6
CALL_DEADLINE_S = 90
REPLY = {"wait_for": "reply"}
BYE = {"hangup": True}
COVERS = ("Sorry, let me go on.", "One moment, I am looking that up.")  # common/prompt/phone_words.c


def utters(words, ms=900):
    return {"say": words, "ms": ms}


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
        return " ".join(event["text"].strip() for event in self.of("audible", place)).strip()

    def pieces(self, place):
        """[(text, ms since the caller's words)] as they came to be spoken; in webhook mode as they were."""
        begin = self.said[place]["until"] if place >= 0 else 0
        return [(event["text"].strip(), round(event.get("from", event["time"]) - begin))
                for event in self.of("token", place) or self.of("audible", place) if event["text"].strip()]

    def documents(self):
        return [event.get("body", "") for event in self.summary["events"] if event["kind"] == "answer"]


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


def without(heard, asides):
    """Less what covers a wait."""
    for aside in asides:
        heard = heard.replace(aside, " ")
    return " ".join(heard.split())


def gone_on(heard, answer):
    """(what of the answer was heard twice, problems), of an answer whose speaker died in its midst: it is
    said to its end, and again is at most what was begun of one sentence."""
    def bare(text):
        return "".join(text.split())
    got, whole = bare(heard), bare(answer)
    begins = [0, *(len(bare(answer[:mark.end()])) for mark in re.finditer(r"[.?!] ", answer))]
    for at in range(len(whole) + 1):
        if got[:at] != whole[:at]:
            break
        for begin in begins + [at]:
            if begin <= at and got[at:] == whole[begin:]:
                again = whole[begin:at] if got[at:] else ""
                return again, [f"said twice in the call: {again}"] if re.search(r"[.?!]", again) else []
    return "", told_in_full(heard, answer) or [f"not in order: {heard}"]


class Phone(Story):
    """A story that is told over the telephone."""

    by_script = True

    def lacks(self):
        return None if self.document.get("phone") else "phone"

    def play(self):
        try:
            self.play_call()
        except Deadline as problem:
            self.problems.append(str(problem))

    def play_call(self):
        """What happens, and what is wrong with it."""
        raise NotImplementedError

    # The call

    def place(self, caller, *script):
        """Somebody calls; the call's sid."""
        public = self.scene.endpoints["public_url"]
        order = {"account_sid": self.tenant["account_sid"], "from": caller.address,
                 "to": self.tenant["numbers"]["voice"], "url": public + "/twilio/voice",
                 "status_callback": public + "/twilio/voice/status",
                 "rate": self.document["phone"].get("speaking_rate", RATE),
                 "fillers": self.document["phone"]["fillers"], "script": script}
        return self.post("/_calls", order)["sid"]

    def post(self, path, order):
        request = urllib.request.Request(self.scene.endpoints["twilio_stand_url"] + path,
                                         json.dumps(order).encode(), {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read())

    def heard(self, sid):
        """What has happened so far."""
        return Heard(ledger(self.scene.endpoints["twilio_stand_url"], f"/_calls/{sid}"))

    def until_over(self, sid):
        wait_for(lambda: self.heard(sid).summary["over"], CALL_DEADLINE_S, "the end of the call", 0.1)
        return self.heard(sid)

    def call(self, caller, script, meanwhile=lambda _sid: None):
        """A whole call, shown, in which something happens meanwhile; None if it broke off."""
        self.say(f"  {caller.address} calls {self.tenant['numbers']['voice']}")
        sid = self.place(caller, *script)
        meanwhile(sid)
        heard = self.until_over(sid)
        self.show(caller, heard)
        wanted = sum("say" in step or "interrupt" in step for step in script)
        if len(heard.said) != wanted:
            self.problems.append(f"the caller said {len(heard.said)} things, and not {wanted}")
            return None
        if heard.words(-1) != self.document["phone"]["greeting"]:
            self.problems.append(f"the caller was greeted with \"{heard.words(-1)}\"")
        if heard.summary["silence_max_ms"] > SILENCE_MS:
            self.problems.append(f"the caller heard nothing for {heard.summary['silence_max_ms']} ms")
        return heard

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
            self.show_beside(place, heard)
        self.say(f"      the longest silence of the desk: {heard.summary['silence_max_ms']:.0f} ms")

    def show_beside(self, place, heard):
        """What happened behind the caller's words of this place, but to him."""

    # What is on record

    def remembers(self, words, new, first):
        """The desk's answer is to `new`, and knows what was asked first."""
        if new_nonces(words) != [new] or history_nonces(words) != [first]:
            self.problems.append(f"what was asked last was not answered with a memory: {words}")

    def settled(self, caller, count):
        """(the transcript, its spoken replies), once it is known of each of so many what became of it."""
        def spoken():
            shown = caller.transcript() if caller.conversations() else {"messages": []}
            return shown, [message for message in shown["messages"]
                           if message["direction"] == "out" and message["channel"] == "voice"]

        def states(replies):
            return [delivery["state"] for message in replies for delivery in message["deliveries"]]

        def known():
            shown, replies = spoken()
            return (shown, replies) if states(replies) == ["delivered"] * count else None
        return wait_for(known, 20, lambda: f"{count} spoken replies to be settled, which are "
                        f"{', '.join(states(spoken()[1])) or 'none'}", 0.2)
