"""The conversation that ./run plays: three texts answered once, then a follow-up with memory.

Checked by what left and what arrived, not by what the services say of themselves: the texts that
got a 200 and the messages that the Twilio stand-in accepted.
"""

import json
import re
import secrets
import time
import urllib.request

import webhook
from procs import Deadline, Failure, wait_for

BURST = ("Hi! Do you have anything free on Thursday?", "Around 3 pm would be best.",
         "It is for a check-up.")
FOLLOW_UP = "And which day did I ask about?"
NONCE = re.compile(r"n-[0-9a-f]{6,}")
REPLY_DEADLINE_S = 60


def ledger(url, path="/_ledger"):
    with urllib.request.urlopen(url + path, timeout=10) as answer:
        return json.loads(answer.read())


def sent_to(url, address):
    """Messages that the Twilio stand-in accepted for this address, in order."""
    return [entry for entry in ledger(url)
            if entry["method"] == "POST" and entry["path"].split("?")[0].endswith("/Messages.json")
            and (entry.get("sid") or "").startswith("SM") and entry["params"].get("To") == address]


def callback_time(url, sid, status):
    """When the stand-in told us this status of this message, as seconds; None if not yet."""
    for entry in ledger(url, "/_callbacks"):
        params = entry["params"]
        if params.get("MessageSid") == sid and params.get("MessageStatus") == status \
                and entry["status"] // 100 == 2:
            return entry["time"] / 1000
    return None


class Play:
    def __init__(self, endpoints, nonces_expected, say):
        self.endpoints = endpoints
        self.tenant = endpoints["tenants"][0]
        self.twilio = endpoints["twilio_stand_url"]
        self.model = endpoints["model_stand_url"]
        self.nonces_expected = nonces_expected
        self.say = say
        self.address = f"+1555{secrets.randbelow(10**7):07d}"
        self.problems = []
        self.sent = []

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
        self.sent.append((nonce, answer.sent_at))
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
        self.say(f"  {self.tenant['name']} < {entry['params'].get('Body', '')}")
        self.say("      " + self.hops(entry))
        return entry

    def hops(self, entry):
        last_text = self.sent[-1][1]
        accepted = entry["time"] / 1000
        asked = [call["time"] / 1000 for call in (ledger(self.model) if self.model else [])
                 if call["method"] == "POST" and last_text <= call["time"] / 1000 <= accepted]
        parts = []
        if asked:
            parts.append(f"last text -> model asked {asked[-1] - last_text:.3f} s "
                         "(burst window included)")
            parts.append(f"model asked -> Twilio accepted {accepted - asked[-1]:.3f} s")
        else:
            parts.append(f"last text -> Twilio accepted {accepted - last_text:.3f} s")
        try:
            done = wait_for(lambda: callback_time(self.twilio, entry["sid"], "delivered"), 20,
                            "delivered", 0.05)
            parts.append(f"accepted -> delivered {done - accepted:.3f} s")
        except Deadline:
            self.problems.append(f"{entry['sid']} was never reported delivered")
        return ", ".join(parts)

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
        return self.problems

    def check(self, entry, new, old):
        """The model stand-in quotes a nonce of each new text and one of the history."""
        if not self.nonces_expected:
            return
        quoted = set(NONCE.findall(entry["params"].get("Body", "")))
        missing = [nonce for nonce in new if nonce not in quoted]
        if missing:
            self.problems.append(f"the reply answers no text with {', '.join(missing)}")
        if old and not quoted & set(old):
            self.problems.append("the reply remembers nothing of the conversation before it")

    def nothing_twice(self):
        """A doubled reply would come soon after the right one: looks until 2 s were quiet."""
        quiet_until = time.monotonic() + 2
        count = 0
        while time.monotonic() < quiet_until:
            count = len(sent_to(self.twilio, self.address))
            if count > 2:
                break
            time.sleep(0.1)
        if count > 2:
            self.problems.append(f"{count} replies to 2 turns: something was answered twice")


def play(endpoints, nonces_expected, say):
    """Plays and checks; prints the verdict and returns whether all was well."""
    show = Play(endpoints, nonces_expected, say)
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
