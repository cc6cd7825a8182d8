"""Whether the processors have room for one more file of tests: most files wait more than they work, some work
all the time, and how quick a machine is nobody knows before.
"""

import threading
import time

LOOK_S = 1.0
LATELY = 4         # looks
IDLE_SHARE = 0.25  # of all processors, on average over these looks
SETTLE_S = 2       # until what a file that began needs is seen: its installation starts first of all


def ticks():
    """(idle, all) since the machine began."""
    with open("/proc/stat", encoding="ascii") as file:
        spent = [int(word) for word in file.readline().split()[1:9]]
    return spent[3] + spent[4], sum(spent)


class Spent:
    """The time since it was made, and how much of it the processors worked, whoever they worked for."""

    def __init__(self):
        self.begin, self.ticks = time.monotonic(), ticks()

    def __str__(self):
        idle, everything = (now - then for now, then in zip(ticks(), self.ticks))
        busy = 100 * (everything - idle) // max(1, everything)
        return f"in {time.monotonic() - self.begin:.0f} s, processors {busy} % busy"


class Room:
    """take() by any thread."""

    def __init__(self):
        self.lock = threading.Lock()
        self.looks = [(time.monotonic(), ticks())]
        self.taken_at = 0

    def take(self):
        """Whether one more may begin now; who is told so has it."""
        with self.lock:
            now = time.monotonic()
            if now - self.looks[-1][0] >= LOOK_S:
                self.looks = [*self.looks[-LATELY:], (now, ticks())]
            (_, (idle, everything)), (_, (idle_now, everything_now)) = self.looks[0], self.looks[-1]
            if (len(self.looks) <= LATELY or now - self.taken_at < SETTLE_S
                    or idle_now - idle < IDLE_SHARE * (everything_now - everything)):
                return False
            self.taken_at = now
            return True
