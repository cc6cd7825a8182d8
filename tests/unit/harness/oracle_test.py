"""The oracle, shown ledgers with every kind of wrong, and without."""

import unittest
from types import SimpleNamespace

from harness import oracle
from harness.oracle import DegradedTurn

ANNA, BEN = "+15550000001", "+15550000002"
SORRY = "Thank you, we will call you back."


def text(number, address=ANNA, accepted=True):
    return SimpleNamespace(number=number, address=address, sid=f"SM{number}", nonce=f"n-000{number}",
                           accepted_at=1.0 if accepted else 0.0)


def message(body, to=ANNA, delivery="d0", sid="SM9", method="POST", path="/Messages.json"):
    return {"method": method, "path": "/2010-04-01/Accounts/AC1" + path, "sid": sid, "time": 5000,
            "params": {"To": to, "Body": body, "StatusCallback":
                       f"http://desk/twilio/status?tenant=t&delivery={delivery}&attempt=1"}}


def answer(*nonces, old=None, **more):
    quoted = " and ".join(f"n-000{number}" for number in nonces)
    return message(f"You wrote {quoted}" + (f"; earlier n-000{old}." if old else "."), **more)


def sorry(delivery, **more):
    return message(SORRY, delivery=delivery, **more)


# name, texts, ledger, degraded turns, (lost, doubled, reordered, degraded, answered)
CASES = [
    ("a burst and a follow-up", [text(1), text(2), text(3)], [answer(1, 2), answer(3, old=1)], [],
     (0, 0, 0, 0, 3)),
    ("two customers side by side", [text(1), text(2, BEN), text(3)],
     [answer(2, to=BEN), answer(1), answer(3)], [], (0, 0, 0, 0, 3)),
    ("a text that was never accepted needs no reply", [text(1, accepted=False)], [], [],
     (0, 0, 0, 0, 0)),
    ("what made no message is no reply", [text(1)],
     [answer(1, sid=""), answer(1, method="GET"), answer(1)], [], (0, 0, 0, 0, 1)),
    ("a reply to somebody who is not of the load", [text(1)], [answer(7, to=BEN), answer(1)], [],
     (0, 0, 0, 0, 1)),

    ("somebody of the business is told", [text(1)],
     [message("Desk: n-0001 needs you.\nReply OK 7K3F within 5 min to take it.", to=BEN), answer(1)], [],
     (0, 0, 0, 0, 1)),
    ("a customer is told so instead", [text(1)],
     [answer(1), message("Desk: needs you.\nReply OK 7K3F within 5 min to take it.")], [],
     (0, 1, 0, 1, 1)),

    ("no reply", [text(1), text(2)], [answer(1)], [], (1, 0, 0, 0, 1)),
    ("remembered is not answered", [text(1), text(2)], [answer(2, old=1)], [], (1, 0, 0, 0, 1)),

    ("the same reply twice", [text(1)], [answer(1), answer(1)], [], (0, 1, 0, 0, 1)),
    ("answered anew with the next text", [text(1), text(2)], [answer(1), answer(1, 2)], [],
     (0, 1, 0, 0, 2)),
    ("quotes only the history", [text(1)], [answer(1), message("You wrote; earlier n-0001.")], [],
     (0, 1, 0, 0, 1)),
    ("quotes what this customer never wrote", [text(1)], [answer(1), answer(7)], [],
     (0, 1, 0, 0, 1)),

    ("the later text first", [text(1), text(2)], [answer(2), answer(1)], [], (0, 0, 1, 0, 2)),
    ("to another customer", [text(1), text(2, BEN)], [answer(1, to=BEN), answer(2, to=BEN)], [],
     (0, 0, 1, 0, 2)),

    ("degraded, and its turn settled both", [text(1), text(2)], [sorry("d1")],
     [DegradedTurn("d1", ["SM1", "SM2"])], (0, 0, 0, 1, 2)),
    ("degraded once, answered after", [text(1), text(2)], [sorry("d1"), answer(2)],
     [DegradedTurn("d1", ["SM1"])], (0, 0, 0, 1, 2)),
    ("degraded in two turns", [text(1), text(2)], [sorry("d1"), sorry("d2")],
     [DegradedTurn("d2", ["SM2"]), DegradedTurn("d1", ["SM1"])], (0, 0, 0, 2, 2)),
    ("a degraded reply hides no lost text", [text(1), text(2)], [sorry("d1")],
     [DegradedTurn("d1", ["SM1"])], (1, 0, 0, 1, 1)),
    ("nor one of the same customer before it", [text(1), text(2), text(3)],
     [answer(1), sorry("d1")], [DegradedTurn("d1", ["SM3"])], (1, 0, 0, 1, 2)),
    ("a degraded reply that was never sent", [text(1)], [], [DegradedTurn("d1", ["SM1"])],
     (1, 0, 0, 0, 0)),
    ("a degraded reply sent twice", [text(1)], [sorry("d1"), sorry("d1")],
     [DegradedTurn("d1", ["SM1"])], (0, 1, 0, 2, 1)),
    ("sent twice instead of the next one", [text(1), text(2)], [sorry("d1"), sorry("d1")],
     [DegradedTurn("d1", ["SM1"]), DegradedTurn("d2", ["SM2"])], (1, 1, 0, 2, 1)),
    ("a degraded reply without a turn", [text(1)], [answer(1), sorry("d1")], [], (0, 1, 0, 1, 1)),
    ("degraded and answered", [text(1)], [answer(1), sorry("d1")], [DegradedTurn("d1", ["SM1"])],
     (0, 1, 0, 1, 1)),
    ("a degraded reply after a later text's", [text(1), text(2)], [answer(2), sorry("d1")],
     [DegradedTurn("d1", ["SM1"])], (0, 0, 1, 1, 2)),
    ("a degraded reply to another customer", [text(1)], [sorry("d1", to=BEN)],
     [DegradedTurn("d1", ["SM1"])], (0, 0, 1, 1, 1)),
]


class Oracle(unittest.TestCase):
    def test_verdicts(self):
        for name, texts, ledger, turns, expected in CASES:
            with self.subTest(name):
                verdict = oracle.judge(texts, ledger, turns)
                found = (len(verdict.lost), len(verdict.doubled), len(verdict.reordered),
                         verdict.degraded, verdict.answered)
                self.assertEqual(found, expected, verdict)
                self.assertEqual(verdict.clean(), expected[:3] == (0, 0, 0))

    def test_open_texts_are_those_that_would_be_lost(self):
        for name, texts, ledger, turns, expected in CASES:
            with self.subTest(name):
                left = oracle.open_texts(texts, ledger, turns)
                self.assertEqual(len(left), expected[0])


if __name__ == "__main__":
    unittest.main()
