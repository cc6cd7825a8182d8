"""Compares what was accepted (the client's ledger) with what was sent (the Twilio stand-in's).

Neither ledger de-duplicates. The model stand-in quotes in each reply the nonce of every new text
and one of the history, so a reply says which texts it answers. A degraded reply (the tenant's
wording for when no model answered) quotes nothing: the delivery that its StatusCallback names leads
to a turn, whose rows say which texts it settled. Each such turn explains one reply; rows explain
nothing else.
  lost       an accepted text that no reply names as new and no degraded reply was sent for
  doubled    a text that two replies answer, and every reply that answers nothing: it quotes no new
             text of ours and no degraded turn accounts for it
  reordered  a reply that answers an earlier text than a reply before it to the same customer
  degraded   replies without any nonce
"""

import re
from collections import defaultdict
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

import harness  # noqa: F401  (it sets the path to deploy/local)
from quotes import NONCE, created, history_nonces, new_nonces  # noqa: F401  (tests say oracle.x)

# What somebody of a rota is told quotes a customer and answers nobody (services/engine/rota_plan.c).
NOTICE = re.compile(r"\nReply OK \w{4} within \d+ min to take it\.$")


def delivery_of(entry):
    """The id of our delivery behind a message, from the URL that it gave for its status."""
    query = parse_qs(urlsplit(entry["params"].get("StatusCallback") or "").query)
    return query.get("delivery", [""])[0]


@dataclass
class DegradedTurn:
    """A turn that ended with the fallback or the degraded wording, as its rows tell."""
    delivery: str  # id of its reply's delivery
    sids: list  # provider ids of the texts that it settled
    outcome: str = "degraded"


@dataclass
class Reply:
    """One message that Twilio accepted; `texts` are those of the load that it answers."""
    address: str
    at: float
    texts: list
    degraded: bool
    explained: bool  # it answers something that was asked
    words: str


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


def replies_of(texts, ledger, degraded_turns=()):
    """Every message of the ledger as a Reply, in order."""
    by_nonce = {text.nonce: text for text in texts}
    by_sid = {text.sid: text for text in texts}
    customers = {text.address for text in texts}
    turns = {turn.delivery: turn for turn in degraded_turns}
    replies = []
    for entry in created(ledger):
        address, body = entry["params"].get("To"), entry["params"].get("Body") or ""
        if NOTICE.search(body) and address not in customers:
            continue
        named = new_nonces(body)
        known = [by_nonce[nonce] for nonce in named if nonce in by_nonce]
        degraded = not NONCE.search(body)
        # A text of before the load, to somebody who is not of it, is nothing of ours.
        explained = bool(known) or (bool(named) and address not in customers)
        turn = turns.pop(delivery_of(entry), None) if degraded else None
        if turn:
            known = [by_sid[sid] for sid in turn.sids if sid in by_sid]
            explained = True
        replies.append(Reply(address, entry.get("time", 0) / 1000, known, degraded, explained,
                             body[:60]))
    return replies


def judge(texts, ledger, degraded_turns=()):
    """`texts`: objects with sid, nonce, address, number and accepted_at (0: not accepted), as Load
    keeps them, in the order sent per address. `degraded_turns`: DegradedTurn of every such turn."""
    verdict = Verdict(accepted=sum(1 for text in texts if text.accepted_at))
    answers = defaultdict(int)
    latest = {}
    for reply in replies_of(texts, ledger, degraded_turns):
        verdict.replies += 1
        verdict.degraded += reply.degraded
        if not reply.explained:
            verdict.doubled.append(f"to {reply.address}, answers nothing: {reply.words}")
        for text in reply.texts:
            answers[text.nonce] += 1
            if text.address != reply.address:
                verdict.reordered.append(f"{text.nonce} answered to {reply.address}")
        _judge_order(verdict, latest, reply)
    for text in texts:
        if answers[text.nonce] > 1:
            verdict.doubled.append(text.nonce)
        if answers[text.nonce]:
            verdict.answered += 1
        elif text.accepted_at:
            verdict.lost.append(text.nonce)
    return verdict


def _judge_order(verdict, latest, reply):
    """`latest` maps an address to the number of the latest text answered to it."""
    numbers = [text.number for text in reply.texts]
    if not numbers:
        return
    if min(numbers) < latest.get(reply.address, -1):
        verdict.reordered.append(f"{reply.texts[0].nonce} after a later one")
    latest[reply.address] = max(latest.get(reply.address, -1), *numbers)


def open_texts(texts, ledger, degraded_turns=()):
    """Accepted texts that no reply has answered yet."""
    answered = {text.nonce for reply in replies_of(texts, ledger, degraded_turns)
                for text in reply.texts}
    return [text for text in texts if text.accepted_at and text.nonce not in answered]
