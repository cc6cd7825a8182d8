"""Arms the stop points of the debug build: the file that common/base/stop.h maps.

Slots are written so that a process never sees half of one: the name goes in last and out first.
"""

import mmap
import struct

SLOTS = 128
SLOT_BYTES = 256
KILL, FREEZE, ABORT = 1, 2, 3

NAME_AT, ACTION_AT, ARMED_AT, SKIP_AT, PASSED_AT, HITS_AT, PID_AT = 0, 64, 68, 72, 76, 80, 84
MATCH_AT, SUBJECT_AT = 88, 152


class Stop:
    """One armed point. The counters are live: the services write them."""

    def __init__(self, stops, slot):
        self._stops = stops
        self._slot = slot

    def _get(self, at):
        return struct.unpack_from("<i", self._stops.memory, self._slot * SLOT_BYTES + at)[0]

    @property
    def name(self):
        return self._stops.text(self._slot, NAME_AT)

    @property
    def action(self):
        return self._get(ACTION_AT)

    @property
    def armed(self):
        return self._get(ARMED_AT)

    @property
    def passed(self):
        return self._get(PASSED_AT)

    @property
    def hits(self):
        return self._get(HITS_AT)

    @property
    def pid(self):
        return self._get(PID_AT)

    @property
    def subject(self):
        return self._stops.text(self._slot, SUBJECT_AT)

    def disarm(self):
        """No further hit; the counters stay readable until the slot is used again."""
        struct.pack_into("<i", self._stops.memory, self._slot * SLOT_BYTES + ARMED_AT, 0)


class Stops:
    def __init__(self, path):
        self.path = path
        with open(path, "wb") as file:
            file.write(bytes(SLOTS * SLOT_BYTES))
        with open(path, "r+b") as file:
            self.memory = mmap.mmap(file.fileno(), SLOTS * SLOT_BYTES)
        self._used = self._next = 0

    def text(self, slot, at):
        start = slot * SLOT_BYTES + at
        return self.memory[start:start + 64].split(b"\0", 1)[0].decode("utf-8", "replace")

    def arm(self, name, action=KILL, times=1, skip=0, match=""):
        """The next `times` passes of point `name` after `skip` others act; only those whose subject
        contains `match`, if given."""
        encoded, wanted = name.encode(), match.encode()
        if len(encoded) > 63 or len(wanted) > 63:
            raise ValueError("a stop point's name or match has more than 63 bytes")
        slot = self._free_slot()
        start = slot * SLOT_BYTES
        self.memory[start:start + 64] = bytes(64)
        self.memory[start + 64:start + SLOT_BYTES] = bytes(SLOT_BYTES - 64)
        struct.pack_into("<iii", self.memory, start + ACTION_AT, action, times, skip)
        self.memory[start + MATCH_AT:start + MATCH_AT + len(wanted)] = wanted
        self.memory[start:start + len(encoded)] = encoded
        return Stop(self, slot)

    def _free_slot(self):
        if self._used < SLOTS:
            self._used += 1
            return self._used - 1
        # The longest unused first: the hits of one that just acted may not have been read yet.
        for turn in range(SLOTS):
            slot = (self._next + turn) % SLOTS
            if Stop(self, slot).armed <= 0:
                self._next = (slot + 1) % SLOTS
                return slot
        raise ValueError("all stop slots are armed")

    def watch(self, name):
        """Only counts passes of a point."""
        return self.arm(name, times=0)

    def clear(self):
        """Frees every slot."""
        for slot in range(self._used):
            self.memory[slot * SLOT_BYTES:slot * SLOT_BYTES + 64] = bytes(64)
        self._used = self._next = 0

    def struck(self):
        """The pids that a point has killed, or is about to: a hit is counted before the process is gone."""
        slots = [Stop(self, slot) for slot in range(self._used)]
        return {stop.pid for stop in slots if stop.hits and stop.action in (KILL, ABORT)}

    def hits(self):
        """[(name, hits, pid, subject)] of every slot that acted."""
        slots = [Stop(self, slot) for slot in range(self._used)]
        return [(stop.name, stop.hits, stop.pid, stop.subject) for stop in slots if stop.hits]
