"""Mail servers for tests: smtp-sink of Debian's postfix, which takes whatever comes (the master cannot
run without root, and it would deliver), and the stand-in that fails as it is told (tests/stands/smtp)."""

import email
import email.policy
import json
import os
import subprocess
import sys

from harness import CHECKOUT
from procs import Child, own_dir, port_open, wait_for

SINK = "/usr/sbin/smtp-sink"  # not in everybody's PATH


class Mail:
    """A mail as it arrived: its bytes, and its headers as they are read."""

    def __init__(self, raw, about=None):
        self.raw = raw
        self.about = about or {}
        self.message = email.message_from_bytes(raw, policy=email.policy.default)

    def __getitem__(self, name):
        return self.message[name]

    @property
    def text(self):
        """The text that was sent, with lines ended as the sender's rows have them."""
        return self.message.get_body(("plain",)).get_content().replace("\r\n", "\n").rstrip("\n")


class Sink:
    """smtp-sink: one file for each mail, in the order of their names."""

    def __init__(self, folder, port):
        self.folder, self.port = own_dir(folder), port
        user = ["-u", "root"] if os.geteuid() == 0 else []
        self.child = Child("smtp-sink", [SINK, *user, "-d", f"{self.folder}/%Y%m%d%H%M%S.",
                                         f"127.0.0.1:{port}", "100"], folder / "log", cwd=self.folder)

    def start(self):
        self.child.start()
        self.child.wait_ready(lambda: port_open(self.port), 20, "Is postfix installed?")
        return self

    def stop(self):
        self.child.stop()

    def mails(self):
        """smtp-sink writes four lines of its own before the mail's (X-Client-Addr ... Received)."""
        found = []
        for path in sorted(self.folder.glob("2*")):
            head, _, rest = path.read_bytes().partition(b"\nDate: ")
            about = dict(line.split(b": ", 1) for line in head.split(b"\n") if b": " in line)
            found.append(Mail(b"Date: " + rest, {key.decode(): value.decode() for key, value in about.items()}))
        return found


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

    def wait(self, name, count, deadline_s=30):
        wait_for(lambda: len(self.mails(name)) >= count, deadline_s, f"{count} mails at {name}")
        return self.mails(name)
