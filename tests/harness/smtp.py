"""Mail servers for tests: smtp-sink of Debian's postfix, which takes whatever comes (the master cannot
run without root, and it would deliver), and the stand-in that fails as it is told (tests/stands/smtp)."""

import json
import subprocess
import sys

from harness import CHECKOUT
from procs import own_dir, wait_for
from sink import Mail, Sink  # noqa: F401

class Faults:
    """tests/stands/smtp/faults.py with one server for each keyword: Faults(folder, ok="plain")."""

    def __init__(self, folder, **servers):
        self.folder = own_dir(folder)
        self.ca = self.folder / "ca.pem"
        self.process = subprocess.Popen(
            [sys.executable, str(CHECKOUT / "tests/stands/smtp/faults.py"), "--die-with-parent",
             "--mails", str(self.folder), "--ca", str(self.ca),
             *(f"{name}={rules}" for name, rules in servers.items())], stdout=subprocess.PIPE, text=True)
        words = self.process.stdout.readline().split()[1:]
        self.ports = {name: int(port) for name, port in (word.split("=") for word in words)}

    def stop(self):
        self.process.terminate()
        self.process.wait(10)
        self.process.stdout.close()

    def mails(self, name):
        """What a server took, in the order in which it did."""
        notes = sorted(self.folder.glob(f"{name}-*.json"), key=lambda path: int(path.stem.rpartition("-")[2]))
        return [Mail(note.with_suffix(".eml").read_bytes(), json.loads(note.read_text())) for note in notes]

    def let(self, name, word):
        """What that server waits for: "go" on, "land" the mail that is in flight."""
        (self.folder / f"{name}.{word}").touch()

    def wait(self, name, count, deadline_s=30):
        wait_for(lambda: len(self.mails(name)) >= count, deadline_s, f"{count} mails at {name}")
        return self.mails(name)
