"""What ./run shows of the telephone: a call in which somebody asks, cuts in, books and is texted, beside his texts
in one conversation; one that is put through to a person; one whose engine is killed while it speaks; one to
the same business without sockets; and one that no model answers.
"""

import secrets
from pathlib import Path

import yaml

import judge
from phone import BYE, COVERS, REPLY, Phone, cut_short, gone_on, told_in_full, utters, without
from procs import own_dir, wait_for
from quotes import history_nonces, new_nonces
from script import calls, pauses, result, says, stalls
from tenants import read_document

HOURS = ("We are open from eight to five, Monday to Thursday. On Fridays we close at two. At weekends nobody "
         "is here. Shall I look for a time?")
PARKING = ("The parking lot is behind the building. From there you take the stairs to the first floor. Our "
           "door is the second one on the left.")
SLOW_MS = 6000  # longer than a request of webhook mode waits for its answer (step_wait_ms)
MODE_S = 30  # until every ingress knows of a business's new settings


def marks(count):
    return ["n-" + secrets.token_hex(4) for _ in range(count)]


class PhoneCall(Phone):
    """With `service` and the time that the business has free for it (free_time)."""

    title = "a phone call: answered while the model writes, cut into, booked, texted; the texts are in its conversation"
    SENT = "It is on its way to you."

    def __init__(self, scene, tenant, say, service, free_time):
        super().__init__(scene, tenant, say)
        self.service = service
        self.free_time = free_time

    def lacks(self):
        services = [one["name"] for one in self.document.get("services", [])]
        return super().lacks() or (None if self.service in services else f"service {self.service}")

    def play_call(self):
        caller, (hours, park, first, book, text) = self.talk(), marks(5)
        start = self.free_time(self.document, self.service)
        spoken = f"{start:%A, %B} {start.day}, at {start:%H:%M}"
        booked, note = f"You are booked: {self.service} on {spoken}.", f"{self.service}, {spoken}."
        name, born = "patient 2093", "1979-05-02"
        self.script(pauses(hours, HOURS, 9, 1200), says(park, PARKING, count=1),
                    says(result('{"result":"booked"'), booked, count=1),
                    calls(book, "book", {"service": self.service, "start": f"{start:%Y-%m-%dT%H:%M}",
                                         "details": {"full_name": name, "date_of_birth": born}}, count=1),
                    says(result('{"sent"'), self.SENT, count=1),
                    calls(text, "send_text", {"text": note}, count=1))
        heard = self.call(caller, [
            REPLY, utters(f"When are you open? ({hours})"), REPLY, utters(f"And where do I park? ({park})"),
            {"interrupt": f"Wait, what did I ask first? ({first})", "after_words": 9, "ms": 900}, REPLY,
            utters(f"Then a {self.service.lower()} on {spoken}. I am {name}, born {born}. ({book})"), REPLY,
            utters(f"Could you text me that? ({text})"), REPLY, BYE])
        if heard is None:
            return
        self.blame(told_in_full(heard.words(0), HOURS))
        self.remembers(heard.words(2), first, hours)
        for place, words in ((3, booked), (4, self.SENT)):
            self.blame(told_in_full(without(heard.words(place), COVERS), words))
        _, replies = self.settled(caller, 5)
        self.blame(cut_short(heard.words(1), replies[1].get("heard"), PARKING))
        self.recorded(f"heard of the second reply: \"{replies[1].get('heard')}\"")
        self.go_on_by_text(caller, note, hours)

    def go_on_by_text(self, caller, note, first):
        """What was texted during the call is there; what he texts back belongs to it."""
        entry = caller.reply()
        if entry:
            self.blame(judge.says_exactly(entry, note))
        again = caller.text("Thank you! Is that the day I asked about?")
        entry = caller.reply()
        if entry is None:
            return
        body = judge.words_of(entry)
        if new_nonces(body) != [again] or history_nonces(body) != [first]:
            self.problems.append(f"the text behind the call was not answered with a memory of it: {body}")
        listed = self.scene.deskctl("conversation", "list", "--tenant", self.name).splitlines()
        self.say(f"  $ deskctl conversation list --tenant {self.name}")
        mine = [line for line in listed if caller.address in line]
        for line in listed[:1] + mine:
            self.say("      " + line.rstrip())
        if len(mine) != 1:
            self.problems.append(f"{caller.address} has {len(mine)} conversations, and not one")
        number = self.tenant["numbers"]
        self.wanted.append((caller, "a phone call, and the texts of the same person", 2, {
            "said": "6 by the customer, 7 by the assistant", "model": "answered",
            "channel": f"voice {number['voice']}, sms {number['sms']}", "tools": "book ok; send_text ok"}))


class PutThrough(Phone):
    title = "a caller wants a person: put through to somebody who takes the call"
    SUMMARY = "Has an estimate of another dentist and wants to talk about it."

    def person(self):
        """Somebody who may be rung up at any hour."""
        rota = self.document.get("escalation", {}).get("rota", [])
        return next((one["name"] for one in rota if one.get("phone") and not one.get("hours")), None)

    def lacks(self):
        return super().lacks() or (None if self.person() else "person who takes calls at any hour")

    def play_call(self):
        caller, (mark,) = self.talk(), marks(1)
        self.script(calls(mark, "transfer_call", {"summary": self.SUMMARY, "to": self.person()}, count=1))
        self.post("/_callees", {"number": "*", "count": 1, "answer": "human", "ring_ms": 800, "script": [
            {"wait_for": "gather"}, {"press": "1"}, {"wait_for": "bridged"},
            {"say": "Good morning, what can I do for you?", "ms": 1200}, {"silence": 2000}, {"hangup": True}]})
        heard = self.call(caller, [REPLY, utters(f"May I talk to somebody, please? ({mark})"),
                                   {"wait_for": "bridged"}, utters("It is about an estimate.")])
        if heard is None:
            return
        briefing = self.words_to(self.child(heard))
        if self.SUMMARY not in briefing or "Press 1" not in briefing:
            self.problems.append(f"the person who was rung up heard \"{briefing}\"")
        if not any(event["kind"] == "bridged" for event in heard.summary["events"]):
            self.problems.append("the two never talked")
        wish = wait_for(lambda: self.accepted(caller), 20, "the transfer to be on record", 0.2)
        self.recorded(f"escalation {wish['reason']}, {wish['state']} by {wish['accepted_by']}")
        self.blame(judge.accepted(wish, self.person()))
        self.wanted.append((caller, "a caller who was put through", 0, {
            "said": "1 by the customer", "channel": "voice", "tools": "transfer_call ok",
            "escalated": f"accepted by {self.person()}"}))

    def accepted(self, caller):
        found = caller.transcript()["escalations"] if caller.conversations() else []
        return found[-1] if found and found[-1]["state"] != "open" else None

    def child(self, heard):
        """The leg to the person."""
        sid = next((event["child"] for event in heard.summary["events"] if event["kind"] == "dial"), None)
        return self.heard(sid) if sid else None

    @staticmethod
    def words_to(leg):
        return leg.words(-1) if leg else ""

    def show_beside(self, place, heard):
        leg = self.child(heard)
        if place > 0 or leg is None:
            return
        self.say(f"  {self.person()} is rung up, and hears: {self.words_to(leg)}")
        for event in leg.summary["events"]:
            if event["kind"] == "dtmf":
                self.say(f"  {self.person()} presses {event['digit']}: the two are put through")
            elif event["kind"] == "said":
                self.say(f"  {self.person()} > {event['text']}")


class EngineKilled(Phone):
    title = "the engine is killed while it speaks to a caller: the answer goes on, nothing of it is lost"

    def lacks(self):
        return super().lacks() or (None if self.scene.engine else "engine that may be killed")

    def play_call(self):
        caller, (hours, last) = self.talk(), marks(2)
        self.script(stalls(hours, HOURS, 9, count=1), says(hours, HOURS, count=1))
        heard = self.call(caller, [REPLY, utters(f"When are you open? ({hours})"), {**REPLY, "timeout_ms": 60000},
                                   utters(f"And what did I ask before? ({last})"), REPLY, BYE],
                          lambda sid: self.kill(sid, hours))
        if heard is None:
            return
        again, problems = gone_on(without(heard.words(0), (*COVERS, *self.document["phone"]["fillers"])), HOURS)
        self.blame(problems)
        self.remembers(without(heard.words(1), COVERS), last, hours)
        shown, _ = self.settled(caller, 2)
        events = [one["inbox"]["state"] for one in shown["messages"] if one["inbox"]]
        self.recorded(f"of the answer was lost: nothing; said again: {again or 'nothing'}; both of his sentences "
                      f"{' and '.join(events)}")
        self.wanted.append((caller, "a call whose engine was killed", 0, {
            "said": "2 by the customer, 2 by the assistant", "channel": "voice", "model": "answered"}))

    def kill(self, sid, mark):
        """When the caller has heard a beginning of the answer."""
        self.providers.wait_stalled(0, mark)
        wait_for(lambda: self.heard(sid).words(0), 30, "the beginning of the answer", 0.05)
        engine = self.scene.engine
        self.say(f"  {engine.name} is in the middle of its answer: kill -9 {engine.pid}, and it is started again")
        engine.restart(wait=False)


class Webhooks(Phone):
    title = "the same business in webhook mode: no sockets, a request for each thing that is said"

    def play_call(self):
        path = self.scene.files[self.name]
        document = read_document(path)
        document["phone"]["mode"] = "webhook"
        copy = own_dir(Path(self.scene.endpoints["state"]) / "tenants") / f"{self.name}-webhook.yaml"
        copy.write_text(yaml.safe_dump(document, sort_keys=False))
        caller = self.talk()
        self.say("  phone: {mode: webhook}; deskctl tenant apply")
        self.apply(copy, caller, "<Gather")
        try:
            self.three_steps(caller)
        finally:
            self.apply(path, self.talk(), "<ConversationRelay")

    def apply(self, path, caller, verb):
        """Until a call is answered so."""
        self.scene.deskctl("tenant", "apply", path, "--yes")

        def answered():
            return verb in self.until_over(self.place(caller, REPLY, BYE)).documents()[0]
        wait_for(answered, MODE_S, "the business's calls to be answered otherwise", 0.2)

    def three_steps(self, caller):
        hours, park, last = marks(3)
        self.script(says(hours, HOURS, count=1), pauses(park, PARKING, 9, SLOW_MS))
        heard = self.call(caller, [REPLY, utters(f"When are you open? ({hours})"), REPLY,
                                   utters(f"And where do I park? ({park})"), {**REPLY, "timeout_ms": 60000},
                                   utters(f"What did I ask first? ({last})"), REPLY, BYE])
        if heard is None:
            return
        fillers = self.document["phone"]["fillers"]
        self.blame(told_in_full(heard.words(0), HOURS))
        self.blame(told_in_full(without(heard.words(1), fillers), PARKING))
        if not any(filler in heard.words(1) for filler in fillers):
            self.problems.append("a model that is slow was not covered by a filler")
        self.remembers(heard.words(2), last, hours)
        if any("<ConversationRelay" in document for document in heard.documents()):
            self.problems.append("a socket was opened for the call")
        self.settled(caller, 3)
        self.wanted.append((caller, "a call in webhook mode", 0, {
            "said": "3 by the customer, 3 by the assistant", "channel": "voice", "model": "answered"}))


class NoModel(Phone):
    title = "a phone call while no model answers: the desk takes a message by itself"
    REASON, CALLER, CALL_BACK = "My crown came off this morning.", "The patient of Tuesday", "Here, after five"

    def play_call(self):
        pids = [self.providers.kill(number) for number in range(2)]
        self.say(f"  both providers of {self.name}: kill -9 {pids[0]}, kill -9 {pids[1]}")
        try:
            self.leave_a_message()
        finally:
            self.providers.revive()

    def leave_a_message(self):
        caller, script = self.talk(), [REPLY]
        for words in (self.REASON, self.CALLER, self.CALL_BACK):
            script += [utters(words), REPLY]
        if self.call(caller, script + [BYE]) is None:
            return
        shown, replies = self.settled(caller, 3)
        for reply in replies:
            self.blame(judge.all_away(reply, ("openai", "gemini")))
        self.blame(judge.task_taken(shown, self.CALLER, self.REASON, self.CALL_BACK))
        for one in shown["escalations"]:
            if one["reason"] == "message":
                self.recorded(f"task {one['id']} ({one['state']}): {one['summary']} From {one['caller']}, "
                              f"reach: {one['call_back']}")
        self.wanted.append((caller, "a message taken over the telephone", 0, {
            "said": "3 by the reception without a model", "channel": "voice", "escalated": "message, open"}))
