"""Who works while a turn is waited for: the processors' own record of who had them (perf, sched_switch), cut into the
hops of the turns. Without perf (Debian's linux-perf), or a user who may read such records, there is none.
"""

import bisect
import os
import re
import shutil
import signal
import statistics
import subprocess
import time
from pathlib import Path

BEGIN_S = 1
LONGEST_US = 1e6  # that somebody had a processor at once
SWITCH = re.compile(r"\[(\d+)\] +([0-9.]+): .*?prev_pid=(\d+) .*==> .*next_pid=(\d+) ")
NAMES = {"frontdesk-ingre": "ingress", "frontdesk-engin": "engine", "java": "Kafka", "postgres": "PostgreSQL",
         "pgbouncer": "PgBouncer", "bench-voice": "caller and model", "python3": "bystander"}
OTHERS = "others"  # the kernel's own threads, perf, whoever else is on the machine


def threads():
    """{thread: name of its process} of all that live."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            name = NAMES.get((process / "comm").read_text().strip(), OTHERS)
            found.update({int(task): name for task in os.listdir(process / "task")})
        except OSError:
            continue
    return found


class Where:
    """A context around the turns. `spans` after it: [(begin, end, name)] in µs since the epoch, each time in which somebody
    had a processor; None if nobody may know."""

    def __init__(self, folder):
        self.path, self.spans, self.child = folder / "switches", None, None

    def __enter__(self):
        if shutil.which("perf"):
            self.child = subprocess.Popen(["perf", "record", "-q", "-a", "-k", "CLOCK_MONOTONIC", "-e", "sched:sched_switch",
                                           "-o", self.path], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(BEGIN_S)
        return self

    def __exit__(self, *failure):
        if self.child is None or self.child.poll() is not None:
            return
        known, epoch_us = threads(), (time.time() - time.monotonic()) * 1e6
        self.child.send_signal(signal.SIGINT)
        self.child.wait(60)
        self.spans = []
        script = subprocess.Popen(["perf", "script", "--ns", "-F", "cpu,time,trace", "-i", self.path],
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, errors="replace")
        since = {}
        for line in script.stdout:
            switch = SWITCH.search(line)
            if not switch:
                continue
            cpu, at, before, behind = switch[1], float(switch[2]) * 1e6 + epoch_us, int(switch[3]), int(switch[4])
            if before != 0 and cpu in since:
                self.spans.append((since[cpu], at, known.get(before, OTHERS)))
            since[cpu] = at
            known.setdefault(behind, OTHERS)
        script.wait()
        self.path.unlink()
        self.spans.sort()

    def of(self, windows):
        """{name: µs}, medians over the windows [(begin, end)] in µs; "nobody" is what none of those with a name of their own
        worked in, on no processor."""
        each = [self._in(begin, end) for begin, end in windows]
        names = {name for spent in each for name in spent}
        return {name: statistics.median(spent.get(name, 0) for spent in each) for name in names}

    def _in(self, begin, end):
        spent, nobody, until = {}, 0, begin
        first = bisect.bisect_left(self.spans, (begin - LONGEST_US,))
        for start, stop, name in self.spans[first:]:
            if start >= end:
                break
            start, stop = max(start, begin), min(stop, end)
            if start >= stop:
                continue
            spent[name] = spent.get(name, 0) + stop - start
            if name != OTHERS:
                nobody += max(0, start - until)
                until = max(until, stop)
        return {**spent, "nobody": nobody + max(0, end - until)}
