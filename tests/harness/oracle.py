"""Compares what was accepted (the client's ledger) with what was sent (the Twilio stand-in's).

Neither ledger de-duplicates. The model stand-in quotes in each reply the nonce of every new text
and one of the history, so a reply says which texts it answers:
  lost       an accepted text whose nonce no reply names as new, and whose customer got no degraded
             reply for it
  doubled    a text that two replies name as new, or the same reply accepted twice by Twilio
  reordered  a reply that answers an earlier text than a reply before it to the same customer
  degraded   replies without any nonce (the tenant's fallback wording), which answer what was open
"""

import re
from collections import defaultdict
from dataclasses import dataclass, field

NONCE = re.compile(r"(?<![A-Za-z0-9_-])n-[0-9a-z]{4,32}(?![A-Za-z0-9_])")
HISTORY = "; earlier "  # how the model stand-in begins what it remembers


def created(ledger):
    """Entries of the Twilio stand-in's ledger that made a message, in order."""
    return [entry for entry in ledger
            if entry["method"] == "POST" and entry["path"].split("?")[0].endswith("/Messages.json")
            and (entry.get("sid") or "").startswith("SM")]


def new_nonces(body):
    """The nonces that a reply names as new, in its order; the history's stand behind a marker."""
    return NONCE.findall(body.partition(HISTORY)[0])


def history_nonces(body):
    """The nonces that a reply remembers from earlier turns."""
    return NONCE.findall(body.partition(HISTORY)[2])


@dataclass
class Verdict:
    accepted: int = 0
    answered: int = 0
    replies: int = 0
    lost: list = field(default_factory=list)
    doubled: list = field(default_factory=list)
    reordered: list = field(default_factory=list)
    degraded: int = 0

    def clean(self):
        return not (self.lost or self.doubled or self.reordered)

    def __str__(self):
        text = (f"accepted {self.accepted}, answered {self.answered}, replies {self.replies}, "
                f"lost {len(self.lost)}, doubled {len(self.doubled)}, "
                f"reordered {len(self.reordered)}, degraded {self.degraded}")
        for name in ("lost", "doubled", "reordered"):
            some = getattr(self, name)[:5]
            if some:
                text += f"\n  {name}: {some}"
        return text


def judge(texts, ledger):
    """`texts`: objects with nonce, address, number and accepted_at (0: not accepted), as Load keeps
    them, in the order sent per address. Texts of the ledger that nobody sent are `doubled` too when
    their nonce is known, else ignored."""
    by_nonce = {text.nonce: text for text in texts}
    verdict = Verdict(accepted=sum(1 for text in texts if text.accepted_at))
    answers = defaultdict(int)
    latest = {}
    degraded_to = defaultdict(int)
    for entry in created(ledger):
        address, body = entry["params"].get("To"), entry["params"].get("Body") or ""
        verdict.replies += 1
        known = [by_nonce[nonce] for nonce in new_nonces(body) if nonce in by_nonce]
        if not NONCE.search(body):
            verdict.degraded += 1
            degraded_to[address] += 1
        for text in known:
            answers[text.nonce] += 1
            if text.address != address:
                verdict.reordered.append(f"{text.nonce} answered to {address}")
        if known:
            first = min(text.number for text in known)
            if first < latest.get(address, -1):
                verdict.reordered.append(f"{known[0].nonce} after a later one")
            latest[address] = max(latest.get(address, -1), max(text.number for text in known))
    for text in texts:
        if answers[text.nonce] > 1:
            verdict.doubled.append(text.nonce)
        if answers[text.nonce]:
            verdict.answered += 1
        elif text.accepted_at and not degraded_to[text.address]:
            verdict.lost.append(text.nonce)
        elif text.accepted_at:
            verdict.answered += 1
    return verdict


def open_texts(texts, ledger):
    """Accepted texts that no reply has answered yet (degraded replies count as answers)."""
    answered, degraded = set(), set()
    for entry in created(ledger):
        body = entry["params"].get("Body") or ""
        answered.update(new_nonces(body))
        if not NONCE.search(body):
            degraded.add(entry["params"].get("To"))
    return [text for text in texts if text.accepted_at and text.nonce not in answered
            and text.address not in degraded]
