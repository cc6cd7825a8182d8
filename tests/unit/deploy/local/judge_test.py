"""What the checks of ./run's stories call a problem: each is shown what is right, and ways to be wrong."""

import copy
import json
import unittest

import judge


def entry(body):
    return {"params": {"Body": body}}


def call(provider="openai", outcome="answered", cost=None):
    return {"provider": provider, "model": "m-1", "outcome": outcome, "cost": cost}


def tool(name, outcome, result):
    return {"name": name, "outcome": outcome, "result": json.dumps(result)}


def reply(calls=(), tools=(), passages=None, outcome="reply", author="ai"):
    return {"direction": "out", "author": author, "channel": "sms", "number": "+15550100101",
            "turn": {"calls": list(calls), "tools": list(tools), "passages": passages,
                     "outcome": outcome}}


def asked():
    return {"direction": "in", "author": "contact", "channel": "sms", "number": "+15550100101",
            "turn": None}


def talk(*messages, escalations=(), people=()):
    return {"messages": list(messages), "escalations": list(escalations), "people": list(people)}


def booking(result, outcome="refused"):
    return talk(asked(), reply([call()], [tool("book", outcome, {"result": result})]))


BOOKED = booking("booked", "ok")
TAKEN = booking("that time is taken: offer another one")
TASK = {"reason": "message", "state": "open", "accepted_by": None, "caller": "The blue van",
        "summary": "brakes", "call_back": "here"}
WISH = {"reason": "customer_asks", "state": "accepted", "accepted_by": "front desk"}
NOTES = [{"document": "dental.md", "heading": "Prices"}]
DEAD = [call("openai", "failed"), call("openai", "failed"), call("gemini")]


class Judge(unittest.TestCase):
    def good(self, problems):
        self.assertEqual(problems, [])

    def bad(self, problems, words):
        self.assertIn(words, "\n".join(problems))

    def test_told_once(self):
        self.good(judge.told_once("+1", [entry("a"), entry("b")], 2))
        self.bad(judge.told_once("+1", [entry("a"), entry("b"), entry("c")], 2), "3 messages")
        self.bad(judge.told_once("+1", [entry("a")], 2), "1 messages")
        self.bad(judge.told_once("+1", [entry("a"), entry("a")], 2), "told twice: a")

    def test_passage(self):
        self.good(judge.answered_from(reply(passages=NOTES), "dental.md"))
        self.bad(judge.answered_from(reply(passages=None), "dental.md"), "nothing")
        self.bad(judge.answered_from(reply(passages=NOTES), "other.md"), "but dental.md")

    def test_words(self):
        self.good(judge.says_exactly(entry("Hello.\nFrom 1,150."), "From 1,150."))
        self.bad(judge.says_exactly(entry("You wrote n-aaaa."), "From 1,150."), "n-aaaa")

    def test_one_of_two(self):
        self.good(judge.one_of_two(BOOKED, TAKEN))
        self.good(judge.one_of_two(TAKEN, BOOKED))
        self.bad(judge.one_of_two(BOOKED, BOOKED), "not refused")
        self.bad(judge.one_of_two(TAKEN, TAKEN), "two asked")
        self.bad(judge.one_of_two(BOOKED, talk(asked(), reply([call()]))), "two asked")
        self.bad(judge.one_of_two(BOOKED, booking("that time cannot be had")), "cannot be had")

    def test_escalation(self):
        shown = talk(escalations=[TASK, WISH])
        self.assertEqual(judge.escalated(shown, ["customer_asks"]), (WISH, []))
        self.bad(judge.escalated(talk(escalations=[TASK]), ["customer_asks"])[1], "nobody was asked")
        self.good(judge.accepted(WISH, "front desk"))
        self.bad(judge.accepted(WISH, "dentist on call"), "front desk")
        self.bad(judge.accepted({**WISH, "state": "open", "accepted_by": None}, "front desk"), "nobody")

    def test_next_of_the_chain(self):
        self.good(judge.by_the_next(reply(DEAD), ["openai"], "gemini"))
        self.bad(judge.by_the_next(reply([call("openai")]), ["openai"], "gemini"), "none")
        self.bad(judge.by_the_next(reply(DEAD[:2]), ["openai"], "gemini"), "not gemini")
        self.bad(judge.by_the_next(reply([call("gemini")]), ["openai"], "gemini"), "failed are none")

    def test_all_away(self):
        away = reply([call("openai", "failed"), call("gemini", "failed")], outcome="fallback")
        self.good(judge.all_away(away, ("openai", "gemini")))
        self.bad(judge.all_away(reply(DEAD, outcome="fallback"), ("openai", "gemini")), "answered in")
        self.bad(judge.all_away(reply(DEAD[:2]), ("openai", "gemini")), "ended as reply")
        self.bad(judge.all_away(away, ("openai",)), "none of the chain")

    def test_task(self):
        wanted = ("The blue van", "brakes", "here")
        self.good(judge.task_taken(talk(escalations=[WISH, TASK]), *wanted))
        self.bad(judge.task_taken(talk(escalations=[WISH]), *wanted), "0 tasks")
        self.bad(judge.task_taken(talk(escalations=[TASK, TASK]), *wanted), "2 tasks")
        for name in ("caller", "summary", "call_back"):
            task = {**TASK, name: None}
            self.bad(judge.task_taken(talk(escalations=[task]), *wanted), f"the task's {name}")

    def test_record(self):
        shown = talk(asked(), reply([call(cost=1_000_000), call(cost=2_000_000)],
                                    [tool("escalate", "ok", {})], NOTES),
                     escalations=[WISH], people=[{"actor": "deskctl:x", "action": "conversation.taken"}])
        wanted = {"said": "1 by the customer, 1 by the assistant", "channel": "sms", "knowledge": "dental.md: Prices",
                  "model": "2 x openai m-1 answered", "cost": "$0.003000", "tools": "escalate ok",
                  "escalated": "customer_asks, accepted by front desk", "people": "taken"}
        self.good(judge.recorded(judge.record(shown), wanted))
        lacking = {
            "knowledge": lambda one: one["messages"][1]["turn"].update(passages=None),
            "model": lambda one: one["messages"][1]["turn"].update(calls=[]),
            "cost": lambda one: [c.update(cost=None) for c in one["messages"][1]["turn"]["calls"]],
            "tools": lambda one: one["messages"][1]["turn"].update(tools=[]),
            "escalated": lambda one: one.update(escalations=[]),
            "people": lambda one: one.update(people=[]),
            "channel": lambda one: [m.update(channel="mail") for m in one["messages"]],
        }
        for question, take_away in lacking.items():
            with self.subTest(question):
                less = copy.deepcopy(shown)
                take_away(less)
                self.bad(judge.recorded(judge.record(less), wanted), question)


if __name__ == "__main__":
    unittest.main()
