"""What `./run --once` calls a problem: conversations that went wrong, and one that did not."""

import os
import subprocess
import sys
import unittest
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import play
import talk
from quotes import new_nonces

MAIN = Path(play.__file__).with_name("main.py")
ENDPOINTS = {"tenants": [{"name": "a-dentist"}], "public_url": "", "ingress_url": "",
             "twilio_stand_url": "http://twilio"}


class Scene:
    """A ledger that grows as the script says: replies(after the burst), replies(after the rest).
    A reply is a function of the nonces sent so far that gives its words."""

    def __init__(self, first, second):
        self.script = {len(play.BURST): first, len(play.BURST) + 1: second}
        self.nonces = []
        self.entries = []

    def send_sms(self, _tenant, _public_url, from_, body, send_url=None):
        self.nonces += new_nonces(body)
        for words in self.script.get(len(self.nonces), []):
            self.entries.append({"method": "POST", "path": "/Messages.json",
                                 "sid": f"SM{len(self.entries)}",
                                 "params": {"To": from_, "Body": words(self.nonces)}})
        return "SM", SimpleNamespace(status=200, seconds=0.0)

    def ledger(self, _url, _path="/_ledger"):
        return self.entries


class Play(play.Play):
    """Without the hops' times, which come from a database."""

    def hops(self, _entry, _by):
        return []

    def transcript(self):
        return {"messages": [{"inbox": {"state": "answered"}}] * 4}


def said(*new, old=None):
    """The words of a reply that answers the texts with these numbers and remembers one."""
    def words(nonces):
        quoted = " and ".join(nonces[number] for number in new) or "nothing"
        return f"You wrote {quoted}" + (f"; earlier {nonces[old]}." if old is not None else ".")
    return words


GOOD = said(0, 1, 2)
FOLLOW = said(3, old=0)

# name, replies to the burst, replies to the follow-up, words of a problem (None: none)
CASES = [
    ("clean", [GOOD], [FOLLOW], None),
    ("no reply", [], [], "no reply 1"),
    ("no second reply", [GOOD], [], "no reply 2"),
    ("a text of the burst was lost", [said(0, 2)], [FOLLOW], "answers no text"),
    ("the follow-up was lost", [GOOD], [said(old=0)], "answers no text"),
    ("sent twice", [GOOD], [FOLLOW, FOLLOW], "answered twice"),
    ("the burst was answered again", [GOOD, GOOD], [FOLLOW], "once more"),
    ("the follow-up answers the burst too", [GOOD], [said(0, 1, 2, 3)], "once more"),
    ("a text quoted twice", [said(0, 1, 2, 2)], [FOLLOW], "was asked"),
    ("out of order", [said(2, 0, 1)], [FOLLOW], "was asked"),
    ("no memory", [GOOD], [said(3)], "remembers nothing"),
    ("a memory of itself", [GOOD], [said(3, old=3)], "remembers"),
    ("the fallback wording", [lambda nonces: "We will call you back."], [FOLLOW],
     "answers no text"),
]


class PlayTest(unittest.TestCase):
    def problems(self, first, second):
        scene = Scene(first, second)
        with mock.patch.object(talk, "ledger", scene.ledger), \
                mock.patch.object(talk.webhook, "send_sms", scene.send_sms), \
                mock.patch.object(talk, "REPLY_DEADLINE_S", 0.1), \
                mock.patch.object(play, "QUIET_S", 0.15):
            show = Play(ENDPOINTS, None, True, True, lambda _text: None)
            problems = show.play()
        self.wanted = show.wanted
        return problems

    def test_it_is_on_record_too(self):
        """Guard: `first` of Stage.show. What was answered is told by `deskctl conversation show`."""
        self.problems([GOOD], [FOLLOW])
        (_, _, count, wants), = self.wanted
        self.assertEqual((count, wants["said"], wants["cost"]),
                         (2, "4 by the customer, 2 by the assistant", "$"))
        self.problems([GOOD], [])
        self.assertEqual(self.wanted, [])

    def test_what_is_a_problem(self):
        for name, first, second, words in CASES:
            with self.subTest(name):
                problems = self.problems(first, second)
                if words is None:
                    self.assertEqual(problems, [])
                else:
                    self.assertIn(words, "\n".join(problems))

    def test_once_with_a_real_twilio_is_refused(self):
        environment = {**os.environ, "TWILIO_ACCOUNT_SID": "AC" + "0" * 32,
                       "TWILIO_AUTH_TOKEN": "0", "TWILIO_NUMBER": "+15550000000",
                       "FRONTDESK_PUBLIC_URL": "https://desk.example"}
        done = subprocess.run([sys.executable, MAIN, "--once"], env=environment, timeout=30,
                              capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 2, done.stdout + done.stderr)
        self.assertIn("--once", done.stderr)


if __name__ == "__main__":
    unittest.main()
