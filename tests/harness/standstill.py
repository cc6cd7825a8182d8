"""What of a time was the machine's, not the product's: a ticker of 10 ms in this process that came late
stood still for so long, and so may everything else on the machine have."""

import threading
import time

TICK_S = 0.01


class Standstill:
    """A context; during(begin, end), on time.monotonic(), may be asked until its end."""

    def __enter__(self):
        self.gaps, self.ended = [], threading.Event()
        self.thread = threading.Thread(target=self._tick, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *failure):
        self.ended.set()
        self.thread.join()

    def _tick(self):
        last = time.monotonic()
        while not self.ended.wait(TICK_S):
            now = time.monotonic()
            if now - last > 2 * TICK_S:
                self.gaps.append((last + TICK_S, now))
            last = now

    def during(self, begin, end):
        """Seconds of standing still between the two moments."""
        return sum(max(0, min(end, late) - max(begin, early)) for early, late in list(self.gaps))
