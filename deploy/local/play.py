"""The conversation that ./run plays first: three texts answered once, then a follow-up with memory.

Checked by what left and what arrived: the texts that got a 200, the messages that the Twilio stand-in
accepted.
"""

import time

from procs import Failure
from quotes import history_nonces, new_nonces
from talk import Talk

BURST = ("Hi! Do you have anything free on Thursday?", "Around 3 pm would be best.",
         "It is for a check-up.")
FOLLOW_UP = "And which day did I ask about?"
QUIET_S = 2  # a doubled reply would come soon after the right one


class Play(Talk):
    """`wanted` is as a story's (story.py): what its record must tell."""

    def __init__(self, endpoints, deskctl, nonces_expected, priced, say):
        super().__init__(endpoints, deskctl, say)
        self.nonces_expected = nonces_expected
        self.priced = priced
        self.wanted = []

    def play(self):
        self.say("")
        burst = [self.text(words) for words in BURST]
        first = self.reply()
        if first:
            self.check(first, burst, [])
            follow = self.text(FOLLOW_UP)
            second = self.reply()
            if second:
                self.check(second, [follow], burst)
                self.wanted.append((self, "three texts in a burst, and a follow-up", 2, {
                    "said": "4 by the customer, 2 by the assistant", "channel": "sms",
                    "model": "answered", **({"cost": "$"} if self.priced else {})}))
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
            count = len(self.sent())
            if count > 2:
                break
            time.sleep(0.1)
        if count > 2:
            self.problems.append(f"{count} replies to 2 turns: something was answered twice")


def play(endpoints, deskctl, nonces_expected, priced, say):
    """Plays and checks, prints the verdict, returns the conversation with its problems. priced: its
    model has a price."""
    show = Play(endpoints, deskctl, nonces_expected, priced, say)
    try:
        problems = show.play()
    except (OSError, ValueError) as problem:
        raise Failure(f"the conversation could not be played: {problem}") from problem
    say("")
    for problem in problems:
        say(f"  PROBLEM: {problem}")
    if not problems:
        say("  4 texts sent, 2 turns, 2 replies delivered; none lost, none twice")
    return show
