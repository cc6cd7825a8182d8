"""What the stand-in models of ./run are told to say, and their ends and returns.

A business of the demo has two providers, one stand-in process each. A rule of a stand-in (tests/stands)
says what it answers to a request that holds a text: so it can only speak of a passage, or of a tool's
result, that the desk put before it.
"""

import json
import urllib.request

from procs import wait_for
from talk import ledger


def says(mark, text, **more):
    """A request that holds the mark is answered with the text; count=1: only the first."""
    return {"match": mark, **more, "action": {"type": "reply", "text": text}}


def pauses(mark, text, pieces, ms):
    """The first request that holds the mark gets the text, which pauses once behind so many of 20 pieces."""
    return {"match": mark, "count": 1,
            "action": {"type": "stall", "text": text, "chunks": pieces, "ms": ms}}


def calls(mark, tool, arguments, **more):
    """A request that holds the mark is answered with a call of the tool; count=1: only the first."""
    return {"match": mark, **more, "action": {"type": "tool_call", "name": tool,
                                              "arguments": json.dumps(arguments)}}


def stalls(mark, text=None, pieces=3, **more):
    """The answer to a request that holds the mark begins with so many of 20 pieces and does not go on;
    count=1: only the first."""
    return {"match": mark, **more, "action": {"type": "stall", "chunks": pieces,
                                              **({"text": text} if text else {})}}


def result(text):
    """How a result of a tool, JSON in JSON, stands in a request: says(result('{"held"'), ...)."""
    return json.dumps(text)[1:-1]


class Providers:
    """The stand-ins that a business's chain of models leads to, in its order."""

    def __init__(self, *stands):
        self.stands = stands

    def script(self, *rules, only=None):
        """Replaces the rules of all of them, or of the one with this number; none: it quotes the marks
        that it was asked."""
        body = json.dumps({"rules": list(rules)}).encode()
        for stand in self.stands if only is None else [self.stands[only]]:
            request = urllib.request.Request(stand.url + "/_faults", body, method="POST")
            with urllib.request.urlopen(request, timeout=10) as answer:
                answer.read()

    def wait_stalled(self, number, mark, deadline_s=30):
        """Waits until that one stands still in the middle of its answer to the mark."""
        url = self.stands[number].url
        wait_for(lambda: any(entry["outcome"] == "stalled"
                             and mark in entry["params"].get("nonces", [])
                             for entry in ledger(url)),
                 deadline_s, f"the provider at {url} to be asked", 0.02)

    def kill(self, number):
        """kill -9; returns the process id that it had."""
        stand = self.stands[number]
        pid = stand.pid
        stand.kill()
        return pid

    def revive(self):
        """Starts those that are dead; they know no rules."""
        for stand in self.stands:
            if not stand.alive():
                stand.start().wait_ready()
