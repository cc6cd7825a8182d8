"""Calls that something happens to, and what became of them: each context is a line of the table of calls
(harness/call_table.py)."""

import re
import time

from harness import call_table
from harness.standstill import Standstill
from phoning import SILENCE_MS


def squeezed(text):
    return re.sub(r"\s+", "", text)


def sentences(text):
    """The sentences of a text, begun ones as well."""
    return [one.strip() for one in re.findall(r"[^.?!]+[.?!]*", text) if one.strip()]


class Struck:
    """What struck them, in words, and what is counted: calls, the longest silence of ours, the sentences
    that somebody said and the other side never got, and those that it got more than once. The line is
    printed when the context ends, however it does."""

    def __init__(self, fault):
        self.fault = fault
        self.calls = self.silence_ms = self.lost = self.doubled = 0
        self.still = Standstill()
        self.epoch = time.time() - time.monotonic()

    def __enter__(self):
        self.still.__enter__()
        return self

    def __exit__(self, *failure):
        self.still.__exit__(*failure)
        call_table.line(self.fault, self.calls, self.silence_ms, self.lost, self.doubled)

    def over(self, story, silence_max_ms=SILENCE_MS):
        """One call has ended: P6, less what the machine stood still."""
        longest_ms = story.longest_silence_ms(self.still, self.epoch)
        self.calls += 1
        self.silence_ms = max(self.silence_ms, longest_ms)
        assert longest_ms <= silence_max_ms, (longest_ms, story.of("silence"), story.of("gap"))

    def count(self, got, said):
        """Of the sentences of a text: (those that are not whole in what came, those more than once)."""
        whole = squeezed(got)
        times = [whole.count(squeezed(one)) for one in sentences(said)]
        lost, doubled = times.count(0), sum(number > 1 for number in times)
        self.lost += lost
        self.doubled += doubled
        return lost, doubled
