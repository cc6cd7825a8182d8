"""The conversation that ./run plays: three texts answered once, then a follow-up with memory.

Checked by what left and what arrived (the texts that got a 200, the messages that the Twilio
stand-in accepted); timed by what `deskctl conversation show` tells of each hop.
"""

import json
import secrets
import time
import urllib.request
from datetime import datetime

import webhook
from procs import Deadline, Failure, wait_for
from quotes import created, history_nonces, new_nonces

BURST = ("Hi! Do you have anything free on Thursday?", "Around 3 pm would be best.",
         "It is for a check-up.")
FOLLOW_UP = "And which day did I ask about?"
REPLY_DEADLINE_S = 60
QUIET_S = 2  # a doubled reply would come soon after the right one


def ledger(url, path="/_ledger"):
    with urllib.request.urlopen(url + path, timeout=10) as answer:
        return json.loads(answer.read())


def sent_to(url, address):
    """Messages that the Twilio stand-in accepted for this address, in order."""
    return [entry for entry in created(ledger(url)) if entry["params"].get("To") == address]


def callback_time(url, sid, status):
    """When the stand-in told us this status of this message, as seconds; None if not yet."""
    for entry in ledger(url, "/_callbacks"):
        params = entry["params"]
        if params.get("MessageSid") == sid and params.get("MessageStatus") == status \
                and entry["status"] // 100 == 2:
            return entry["time"] / 1000
    return None


def ms(begin, end):
    """Milliseconds between two times of deskctl (ISO 8601) or seconds since 1970, as text."""
    def seconds(at):
        return at if isinstance(at, float) else datetime.fromisoformat(at).timestamp()
    return f"{max(0, round((seconds(end) - seconds(begin)) * 1000))} ms"


class Play:
    """`deskctl(*words)` runs it on this installation and returns what it printed."""

    def __init__(self, endpoints, deskctl, nonces_expected, say):
        self.endpoints = endpoints
        self.deskctl = deskctl
        self.tenant = endpoints["tenants"][0]
        self.twilio = endpoints["twilio_stand_url"]
        self.nonces_expected = nonces_expected
        self.say = say
        self.address = f"+1555{secrets.randbelow(10**7):07d}"
        self.problems = []

    def text(self, words):
        """Sends one text through nginx and prints it."""
        nonce = "n-" + secrets.token_hex(4)
        body = f"{words} ({nonce})"
        sid, answer = webhook.send_sms(self.tenant, self.endpoints["public_url"], self.address,
                                       body, send_url=self.endpoints["ingress_url"])
        self.say(f"  {self.address} > {body}")
        self.say(f"      webhook answered {answer.status} in {answer.seconds * 1000:.0f} ms")
        if answer.status != 200:
            self.problems.append(f"the webhook of {sid} was answered {answer}")
        return nonce

    def reply(self, number):
        """Waits for the reply with this number and prints it with the time of each hop."""
        try:
            entries = wait_for(
                lambda: (found := sent_to(self.twilio, self.address)) and len(found) >= number
                and found, REPLY_DEADLINE_S, f"reply {number}", 0.05)
        except Deadline:
            self.problems.append(f"no reply {number} within {REPLY_DEADLINE_S} s")
            return None
        entry = entries[number - 1]
        body = entry["params"].get("Body", "").replace("\n", "\n      ")
        self.say(f"  {self.tenant['name']} < {body}")
        for line in self.hops(entry):
            self.say("      " + line)
        return entry

    def transcript(self):
        """deskctl's view of our conversation."""
        listed = json.loads(self.deskctl("conversation", "list", "--json"))
        mine = next((one for one in listed if one["address"] == self.address), None)
        if mine is None:
            raise Failure(f"deskctl lists no conversation with {self.address}")
        return json.loads(self.deskctl("conversation", "show", mine["id"], "--json"))

    def delivered(self, sid):
        """(transcript, its message with this provider id, its delivery) once it is delivered."""
        shown = self.transcript()
        for message in shown["messages"]:
            for delivery in message["deliveries"]:
                if delivery["provider_sid"] == sid \
                        and delivery.get("provider_status") == "delivered":
                    return shown, message, delivery
        return None

    def hops(self, entry):
        """Where the time of this reply went."""
        sid = entry["sid"]
        try:
            told = wait_for(lambda: callback_time(self.twilio, sid, "delivered"), 20, "told", 0.05)
            shown, reply, delivery = wait_for(lambda: self.delivered(sid), 20, "delivered", 0.1)
        except Deadline:
            self.problems.append(f"{sid} was sent but never became delivered")
            return []
        turn, attempts = reply["turn"], delivery["attempts"]
        if len(attempts) != 1:
            self.problems.append(f"{sid} took {len(attempts)} attempts")
        if not turn or not turn["calls"]:
            self.problems.append(f"{sid} is no answer of the model ({turn and turn['outcome']})")
            return []
        texts = [one for one in shown["messages"]
                 if one["inbox"] and one["inbox"]["turn"] == turn["id"]]
        last, call, attempt = texts[-1], turn["calls"][-1], attempts[-1]
        asked = datetime.fromisoformat(call["started_at"]).timestamp()
        answered = asked + call["total_ms"] / 1000
        return [
            f"last text -> Kafka -> claimed {ms(last['event_time'], last['inbox']['claimed_at'])}"
            f" | end of the burst {ms(last['inbox']['claimed_at'], turn['started_at'])}"
            f" | context {ms(turn['started_at'], asked)}",
            f"model: first word {call['first_token_ms']} ms, all {call['total_ms']} ms"
            f" | commit {ms(answered, reply['at'])}"
            f" | Kafka -> responder {ms(reply['at'], attempt['started_at'])}",
            f"Twilio accepted after {ms(attempt['started_at'], attempt['finished_at'])}"
            f" | told delivered {ms(entry['time'] / 1000, told)} later"
            f" | in all {ms(last['event_time'], entry['time'] / 1000)}",
        ]

    def play(self):
        self.say("")
        burst = [self.text(words) for words in BURST]
        first = self.reply(1)
        if first:
            self.check(first, burst, [])
            follow = self.text(FOLLOW_UP)
            second = self.reply(2)
            if second:
                self.check(second, [follow], burst)
        self.nothing_twice()
        self.nothing_lost(len(burst) + 1)
        return self.problems

    def nothing_lost(self, count):
        """Every text has ended as answered."""
        states = [one["inbox"]["state"] for one in self.transcript()["messages"] if one["inbox"]]
        if states != ["answered"] * count:
            self.problems.append(f"the {count} texts ended as {', '.join(states)}")

    def check(self, entry, new, old):
        """The reply answers exactly the texts `new`, and remembers one of `old` if there are any."""
        if not self.nonces_expected:
            return
        body = entry["params"].get("Body", "")
        answered, remembered = new_nonces(body), history_nonces(body)
        missing = [nonce for nonce in new if nonce not in answered]
        if missing:
            self.problems.append(f"the reply answers no text with {', '.join(missing)}")
        again = [nonce for nonce in answered if nonce in old]
        if again:
            self.problems.append(f"the reply answers {', '.join(again)} once more")
        elif not missing and answered != new:
            self.problems.append(f"the reply answers {', '.join(answered)}"
                                 f" where {', '.join(new)} was asked")
        if bool(old) != bool(remembered) or not set(remembered) <= set(old):
            self.problems.append(f"the reply remembers {', '.join(remembered) or 'nothing'}"
                                 f" of {', '.join(old) or 'no conversation'} before it")

    def nothing_twice(self):
        """Looks until all was quiet for a while."""
        quiet_until = time.monotonic() + QUIET_S
        count = 0
        while time.monotonic() < quiet_until:
            count = len(sent_to(self.twilio, self.address))
            if count > 2:
                break
            time.sleep(0.1)
        if count > 2:
            self.problems.append(f"{count} replies to 2 turns: something was answered twice")


def play(endpoints, deskctl, nonces_expected, say):
    """Plays and checks; prints the verdict and returns whether all was well."""
    show = Play(endpoints, deskctl, nonces_expected, say)
    try:
        problems = show.play()
    except (OSError, ValueError) as problem:
        raise Failure(f"the conversation could not be played: {problem}") from problem
    say("")
    for problem in problems:
        say(f"  PROBLEM: {problem}")
    if not problems:
        say("  4 texts sent, 2 turns, 2 replies delivered; none lost, none twice")
    return not problems
