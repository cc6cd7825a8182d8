"""What ./run shows of a reception: an answer from the business's notes, one time that two customers want,
phone calls (phone_stories.py), a customer who wants a person, mails of somebody who phoned and texted
(mail_story.py), a provider that is killed while it answers, a business whose providers are all away, and
what is on record of each afterwards.

Each story prints what was texted, what came back with the time of each hop, and what the desk recorded,
and checks it (judge.py). The stand-in models are told what to say (script.py); where a real model
answers, stories that need a stand-in are left out, and no wording is demanded.
"""

import json
import random
import re
import threading
import time
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import judge
from build import CHECKOUT
from mail_story import Mails
from phone import HURRY
from phone_stories import EngineKilled, NoModel, PhoneCall, PutThrough, Webhooks
from procs import Deadline, own_dir, wait_for
from quotes import history_nonces, new_nonces
from script import Providers, calls, result, says, stalls
from story import Scene, Story  # noqa: F401  (others say stories.Scene)
from talk import sent
from tenants import asks_stand_in, read_document, stand_chain, with_models

CLINIC, GARAGE = "brightwater-dental", "hillcrest-garage"
NOTES = CHECKOUT / "deploy" / "knowledge" / "dental.md"
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
QUIET_S = 2  # a doubled reply would come soon after the right one

CROWN = "Crown, porcelain | from 1,150"  # a line of the notes, and of no tenant file
CROWN_REPLY = ("A porcelain crown starts at 1,150 dollars, with the examination included. You get a "
               "written estimate before we begin.")
SERVICE = "Whitening"  # one chair can do it, so that two customers cannot have one time
BY_PHONE = "Filling"  # two chairs can: whoever has the whitening leaves one of them free
TAKEN_REPLY = "I am sorry, that time has just been taken. Which other time would suit you?"
PERSON_REPLY = "This is the front desk. Please bring the estimate; I have put a note in your file."


# ---- an answer from the notes, and the provider that dies in the same conversation

class Notes(Story):
    title = "a question, answered from the clinic's own notes"

    def lacks(self):
        return None if self.document.get("knowledge") else "knowledge"

    def play(self):
        self.deskctl("kb", "import", self.name, NOTES)
        self.script(says(CROWN, CROWN_REPLY))
        customer = self.customer = self.talk()
        customer.text("Hi, what would a porcelain crown cost me?")
        entry = customer.reply()
        if entry is None or customer.message is None:
            return
        self.blame(judge.answered_from(customer.message, NOTES.name))
        for passage in (customer.message["turn"] or {}).get("passages") or []:
            self.show_passage(passage)
        if self.providers:
            self.blame(judge.says_exactly(entry, CROWN_REPLY))
        self.recorded_turn(customer.message)
        self.wanted.append((customer, "the price of a crown", 1, {
            "said": "the customer", "channel": "sms", "knowledge": NOTES.name, "model": "answered"}))

    def show_passage(self, passage):
        """The line about crowns, if this passage has one."""
        chunks = json.loads(self.scene.deskctl("kb", "show", self.name, passage["document"],
                                               "--json"))["chunks"]
        lines = [line for chunk in chunks if chunk["heading"] == passage["heading"]
                 for line in chunk["text"].splitlines() if "crown" in line.lower()]
        quoted = f": \"{lines[0].strip('| ')}\"" if lines else ""
        self.say(f"      passage: {passage['document']}, {passage['heading']}{quoted}")


class Failover(Story):
    """Goes on in the conversation of another story."""

    title = "the provider is killed in the middle of an answer: the next one answers"
    by_script = True

    def __init__(self, scene, tenant, say, notes):
        super().__init__(scene, tenant, say)
        self.notes = notes

    def lacks(self):
        return self.notes.lacks()

    def play(self):
        customer = self.notes.customer
        customer.problems = self.problems
        self.script()
        self.providers.script(stalls("a night guard"), only=0)
        nonce = customer.text("Thank you. And a night guard?")
        try:
            self.providers.wait_stalled(0, nonce)
        except Deadline as problem:
            self.problems.append(str(problem))
        self.say(f"  openai is in the middle of its answer: kill -9 {self.providers.kill(0)}")
        entry = customer.reply()
        self.providers.revive()
        if entry is None or customer.message is None:
            return
        body = judge.words_of(entry)
        if new_nonces(body) != [nonce] or not history_nonces(body):
            self.problems.append(f"the reply does not answer {nonce} with a memory of what was"
                                 f" before: {body}")
        self.blame(judge.by_the_next(customer.message, ["openai"], "gemini"))
        self.recorded_turn(customer.message)
        self.notes.wanted[:] = [
            (who, "the price of a crown, and the provider that died", 2, {**wants, "model": "gemini"})
            for who, _, _, wants in self.notes.wanted]


# ---- two customers, one time

def free_time(document, service):
    """Some time by the business's clock at which its file allows the service to begin: a day of opening
    hours from two days on, never a holiday. Random, so that a kept database has hardly given it away."""
    rules = next(one for one in document["services"] if one["name"] == service)
    holidays = {str(one["day"]) for one in document.get("holidays", [])}
    today = datetime.now(ZoneInfo(document["timezone"])).replace(minute=0, second=0, microsecond=0)
    step, length = minutes(rules.get("step", "30m")), minutes(rules["duration"])
    times = []
    for ahead in range(2, 50):
        day = today + timedelta(days=ahead)
        span = spans(document["hours"]).get(DAYS[day.weekday()])
        if span is None or str(day.date()) in holidays:
            continue
        begin, end = (int(at[:2]) * 60 + int(at[3:]) for at in span)
        times += [day.replace(hour=at // 60, minute=at % 60)
                  for at in range(begin, end - length + 1, step)]
    return random.choice(times)


def minutes(text):
    """"90m", "1h" or "1d" as minutes."""
    return int(text[:-1]) * {"m": 1, "h": 60, "d": 1440}[text[-1]]


def spans(hours):
    """{day: (from, to)} of those days of a tenant file that open once."""
    found = {}
    for days, span in hours.items():
        first, _, last = days.partition("-")
        for day in DAYS[DAYS.index(first):DAYS.index(last or first) + 1]:
            if isinstance(span, str) and "-" in span:
                found[day] = tuple(span.split("-"))
    return found


class Booking(Story):
    title = "two customers want the same time: one gets it"
    by_script = True

    def lacks(self):
        services = [one["name"] for one in self.document.get("services", [])]
        return None if SERVICE in services else f"service {SERVICE}"

    def play(self):
        start = free_time(self.document, SERVICE)
        spoken = f"{start:%A, %B} {start.day}, at {start:%H:%M}"
        booked = f"You are booked: {SERVICE} on {spoken}. See you then."
        people = [("patient 2041", "1990-04-12", f"Could I have a {SERVICE.lower()} on {spoken}?"),
                  ("patient 2077", "1985-11-30", f"I would like a {SERVICE.lower()} on {spoken}.")]
        customers = [self.talk() for _ in people]
        self.script(says(result('{"result":"booked"'), booked),
                    says(result("that time is taken"), TAKEN_REPLY),
                    *(calls(f"I am {name}", "book", {
                        "service": SERVICE, "start": f"{start:%Y-%m-%dT%H:%M}",
                        "details": {"full_name": name, "date_of_birth": born}})
                      for name, born, _ in people))
        for customer, (name, born, words) in zip(customers, people):
            customer.text(f"{words} I am {name}, born {born}.")
        for customer in customers:
            if customer.reply() is None or customer.message is None:
                return
            self.judge_reply(customer, booked)
        self.blame(judge.one_of_two(*(customer.shown for customer in customers)))

    def judge_reply(self, customer, booked):
        came = judge.bookings({"messages": [customer.message]})
        appointments = [tool["result"]["appointment"] for tool in
                        judge.tools_of({"messages": [customer.message]})
                        if tool["result"].get("appointment")]
        got = came == ["booked"]
        self.recorded(f"tool book: {'; '.join(came)}" + "".join(
            f" ({one['service']}, {one['with']}, {one['start']})" for one in appointments))
        self.blame(judge.says_exactly(customer.entry, booked if got else TAKEN_REPLY))
        self.wanted.append((customer, "a time, booked" if got else "the same time, refused", 1, {
            "said": "the assistant", "channel": "sms", "model": "answered", "cost": "$",
            "tools": "book ok" if got else "book refused"}))


# ---- a person

class Person(Story):
    title = "a customer wants a person"

    def lacks(self):
        return None if self.document.get("escalation", {}).get("rota") else "rota"

    def play(self):
        reason = "customer_asks"
        tell = self.document["escalation"]["tell"].strip()
        self.before = sent(self.scene.endpoints["twilio_stand_url"])
        customer = self.talk()
        self.script(says(result('{"tell_the_customer"'), tell),
                    calls("talk to a person", "escalate", {
                        "reason": reason, "summary": "Has an estimate of another dentist and wants "
                        "to talk to a person about it"}))
        # With a real model the tenant's own word makes it certain.
        customer.text("I have an estimate of another dentist. Can I talk to a person, please?"
                      + ("" if self.providers else " I have a complaint."))
        entry = customer.reply()
        if entry is None or customer.message is None:
            return
        if self.providers:
            self.blame(judge.says_exactly(entry, tell))
        self.recorded_turn(customer.message)
        wish, problems = judge.escalated(customer.shown, [reason] if self.providers else
                                         [reason, "policy_word", "anger", "low_grounding"])
        self.blame(problems)
        if wish and self.accept(wish["id"]):
            self.step_in(customer, wish["reason"])

    def whole(self, wish):
        return json.loads(self.scene.deskctl("escalation", "show", wish, "--json"))

    def accept(self, wish):
        """The notice reaches somebody of the rota, who texts its code back."""
        try:
            notices = wait_for(lambda: self.whole(wish)["notices"], 20, "a notice", 0.1)
        except Deadline:
            self.problems.append("nobody of the rota was told within 20 s")
            return False
        notice = notices[0]
        self.say(f"  to {notice['name']} of the rota, {notice['sms']}:")
        person = self.talk(notice["sms"])
        person.received = sum(entry["params"].get("To") == notice["sms"] for entry in self.before)
        entry = person.reply(by="system")
        code = re.search(r"Reply OK (\w{4}) within", judge.words_of(entry) if entry else "")
        if not code:
            self.problems.append("the notice has no code to reply with")
            return False
        person.concerning = code.group(1)  # who is on call may be told of other customers
        self.wanted.append((person, None, 2, None))
        person.text(f"OK {code.group(1)}", marked=False)
        answer = person.reply(by="system")
        if answer:
            self.blame(judge.says_exactly(answer, f"{code.group(1)} is yours, thank you."
                                                  " Nobody else is asked."))
        escalation = self.whole(wish)
        self.recorded(f"escalation {escalation['reason']}, {escalation['state']} by "
                      f"{escalation['accepted_by']}")
        self.blame(judge.accepted(escalation, notice["name"]))
        return True

    def step_in(self, customer, reason):
        """The person answers in the assistant's place, and gives the conversation back."""
        conversation = customer.conversation()
        self.deskctl("takeover", conversation)
        self.deskctl("reply", conversation, PERSON_REPLY)
        entry = customer.reply(by="operator")
        if entry:
            self.blame(judge.says_exactly(entry, PERSON_REPLY))
        self.deskctl("handback", conversation)
        self.script()
        nonce = customer.text("Great, see you then!")
        entry = customer.reply()
        if entry and self.providers and new_nonces(judge.words_of(entry)) != [nonce]:
            self.problems.append(f"after the hand-back {nonce} was not answered")
        if customer.message:
            self.recorded_turn(customer.message)
        self.wanted.append((customer, "a person", 3, {
            "said": "1 by a person", "channel": "sms", "model": "answered", "escalated": reason,
            "people": "conversation.replied", **({"tools": "escalate ok"} if self.providers else {})}))


# ---- no provider at all

class Outage(Story):
    title = "meanwhile at the garage: all providers are killed, the desk takes a message by itself"
    by_script = True
    REASON, CALLER, CALL_BACK = "My brakes squeal since this morning.", "The blue van", "here, after 5 pm"

    def play(self):
        try:
            customer = self.leave_a_message()
        finally:
            self.providers.revive()
        if customer:
            self.come_back(customer)

    def leave_a_message(self):
        """The customer, whose message is recorded; None if it went wrong."""
        pids = [self.providers.kill(number) for number in range(2)]
        self.say(f"  both providers of {self.name}: kill -9 {pids[0]}, kill -9 {pids[1]}")
        customer = self.talk()
        for words in (self.REASON, self.CALLER, self.CALL_BACK):
            customer.text(words, marked=False)
            if customer.reply(by="reception") is None or customer.message is None:
                return None
            self.blame(judge.all_away(customer.message, ("openai", "gemini")))
        self.blame(judge.task_taken(customer.shown, self.CALLER, self.REASON, self.CALL_BACK))
        for one in customer.shown["escalations"]:
            if one["reason"] == "message":
                self.recorded(f"task {one['id']} ({one['state']}): {one['summary']} From "
                              f"{one['caller']}, reach: {one['call_back']}")
        return customer

    def come_back(self, customer):
        self.say("  both providers run again")
        nonce = customer.text("Any chance that you look at them tomorrow?")
        entry = customer.reply()
        if entry is None or customer.message is None:
            return
        if new_nonces(judge.words_of(entry))[-1:] != [nonce]:
            self.problems.append(f"after the outage {nonce} was not answered")
        self.recorded_turn(customer.message)
        self.wanted.append((customer, "a message taken without a model", 4, {
            "said": "3 by the reception without a model", "channel": "sms", "model": "answered",
            "escalated": "message, open"}))


# ---- all of them

def play_one(story):
    """Whatever stops a story is a problem of its own."""
    try:
        story.play()
    except Exception as problem:  # pylint: disable=broad-except
        story.problems.append(f"the story could not go on: {problem!r}")


class Beside(threading.Thread):
    """Plays a story while others are shown; what it says is kept until it is asked for."""

    def __init__(self, story):
        super().__init__(daemon=True)
        self.story = story
        self.lines = []
        story.say = self.lines.append

    def run(self):
        begin = time.monotonic()
        play_one(self.story)
        self.lines.append(f"      all of it took {time.monotonic() - begin:.1f} s, beside the others")

    def show(self, say):
        self.join()
        for line in self.lines:
            say(line)


def left_out(scene, story):
    """Why a story cannot be shown here; None: it can."""
    if story.tenant is None:
        return f"left out: deploy/tenants has no {story.name}"
    if story.lacks():
        return f"left out: the file of {story.name} has no {story.lacks()}"
    if story.by_script and story.providers is None:
        return (f"left out: it needs the stand-in models, and {story.name} has a real one; "
                "try it with `./run send`")
    return None


class Stage:
    """All stories. The outage of the garage plays from the beginning on, beside whatever else is shown until
    the engine is killed."""

    def __init__(self, scene, say):
        self.scene = scene
        self.say = say
        notes = Notes(scene, CLINIC, say)
        self.outage = Outage(scene, GARAGE, say)
        self.stories = [notes, Booking(scene, CLINIC, say), Person(scene, CLINIC, say),
                        Failover(scene, CLINIC, say, notes), self.outage,
                        PhoneCall(scene, CLINIC, say, BY_PHONE, free_time), PutThrough(scene, CLINIC, say),
                        EngineKilled(scene, CLINIC, say), Webhooks(scene, CLINIC, say),
                        NoModel(scene, CLINIC, say)]
        self.beside = None if left_out(scene, self.outage) else Beside(self.outage)
        if self.beside:
            self.beside.start()

    def add_mail(self, servers):
        """Played last: whoever waits for mails waits longer."""
        self.stories.append(Mails(self.scene, CLINIC, self.say, servers))

    def show_one(self, story):
        why = left_out(self.scene, story)
        if why:
            self.say(f"  {why}")
        elif story is self.outage:
            self.beside.show(self.say)
        else:
            play_one(story)

    def show(self, step, first=None):
        """Each story by step(title, action), then what is on record of them, and of the conversation
        that was played before; says the verdict and returns whether all was well."""
        for story in self.stories:
            step(story.title, lambda story=story: self.show_one(story))
        problems = [problem for story in self.stories for problem in story.problems]
        step("what is on record of it",
             lambda: problems.extend(show_records(
                 self.scene, [first, *self.stories] if first else self.stories, self.say)))
        self.say("")
        for problem in problems:
            self.say(f"  PROBLEM: {problem}")
        played = [story for story in self.stories if not left_out(self.scene, story)]
        if not problems:
            self.say(f"  {len(played)} stories: every text and call answered, nothing twice, all of it on record")
        return not problems


def show_records(scene, stories, say):
    """Each conversation's record as answers, one as `conversation show` prints it; the problems."""
    problems = []
    settle(stories)
    if scene.providers:
        say("  (stand-ins answered: a cost is what the vendor's price list says of the tokens)")
    for story in stories:
        for talk, about, count, wants in story.wanted:
            problems += judge.told_once(talk.address, talk.counted(), count)
            if not about:
                continue
            answers = judge.record(talk.transcript())
            problems += judge.recorded(answers, wants)
            say(f"  $ deskctl conversation show {talk.conversation()}   ({about})")
            for question, words in answers.items():
                if words:
                    say(f"      {question:10}{words}")
    whole = next((talk for story in stories for talk, _, _, wants in story.wanted
                  if "people" in (wants or {})), None)
    if whole:
        conversation = whole.conversation()
        say(f"  one of them as it is printed, {conversation}:")
        for line in scene.deskctl("conversation", "show", conversation).splitlines():
            say("      " + line)
    return problems


def settle(stories):
    """Waits until nothing more has come for a while."""
    def counts():
        return [len(talk.sent()) for story in stories for talk, *_ in story.wanted]
    quiet_until, before = time.monotonic() + QUIET_S, counts()
    while time.monotonic() < quiet_until and before == counts():
        time.sleep(0.2)


def give_chains(installation, files):
    """Gives clinic and garage a chain of two model stand-ins each, whose processes can be killed: (the
    tenant files to use, {tenant: its Providers}). A file whose models are elsewhere stays as it is."""
    installation.start_first_model()
    documents = [read_document(path) for path in files]
    providers = {}
    for name in (CLINIC, GARAGE):
        if any(document["name"] == name and asks_stand_in(document) for document in documents):
            first = installation.start_model() if providers else installation.model
            providers[name] = Providers(first, installation.start_model())

    def models_of(document):
        chain = providers.get(document["name"])
        return chain and stand_chain(*(stand.url for stand in chain.stands))
    return with_models(files, models_of, own_dir(installation.folder / "tenants"), HURRY), providers
