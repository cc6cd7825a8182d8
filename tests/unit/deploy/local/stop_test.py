"""Services that are stopped together: one signal each, as long as they end by themselves."""

import sys
import tempfile
import unittest
from pathlib import Path

from procs import Child, wait_for
from service import Service
from stack import Installation

# Ends so long after the first signal, with ten and the number of signals that came.
DRAINS = """
import signal, sys, time
came = []
signal.signal(signal.SIGTERM, lambda *_: came.append(1))
print("ready", flush=True)
while not came:
    time.sleep(0.01)
end = time.monotonic() + float(sys.argv[1])
while time.monotonic() < end:
    time.sleep(0.01)
sys.exit(10 + len(came))
"""


class Stop(unittest.TestCase):
    def test_members_drain_undisturbed(self):
        with tempfile.TemporaryDirectory() as folder:
            here = Installation.__new__(Installation)
            here.services = {}
            for name, seconds in (("engine-1", 0.2), ("engine-2", 0.8), ("responder-1", 0.5)):
                service = Service(name, "", Path(folder), {}, 0)
                service.child = Child(name, [sys.executable, "-c", DRAINS, seconds], Path(folder) / name)
                here.services[name] = service
                service.child.start()
                wait_for(lambda log=service.child.log: "ready" in log.read_text(), 30, name)
            self.assertEqual(here.stop_services(), {"engine-1": 11, "engine-2": 11, "responder-1": 11})


if __name__ == "__main__":
    unittest.main()
