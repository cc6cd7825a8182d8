"""An SMTP server that takes whatever comes: smtp-sink of Debian's postfix (the master cannot run without root, and it
would deliver), and the mails that it took."""

import email
import email.policy
import os
import re

from procs import Child, own_dir, port_open

SINK = "/usr/sbin/smtp-sink"  # not in everybody's PATH
QUOTE = re.compile(r"\n\n([^\n>][^\n]*:)\n((?:>[^\n]*(?:\n|\Z))+)\Z")  # its intro, and its lines


class Mail:
    """A mail as it arrived: its bytes, and its headers as they are read."""

    def __init__(self, raw, about=None):
        self.raw = raw
        self.about = about or {}
        self.message = email.message_from_bytes(raw, policy=email.policy.default)

    def __getitem__(self, name):
        return self.message[name]

    @property
    def whole(self):
        """The text that was sent, with lines ended as the sender's rows have them."""
        return self.message.get_body(("plain",)).get_content().replace("\r\n", "\n").rstrip("\n")

    @property
    def text(self):
        """Of that what is not quoted."""
        return QUOTE.sub("", self.whole)

    @property
    def quoted(self):
        """(intro, text) of the mail that this one quotes; None if it quotes none."""
        found = QUOTE.search(self.whole)
        return found and (found[1], re.sub(r"^> ?", "", found[2], flags=re.M))

    @property
    def html(self):
        return self.message.get_body(("html",)).get_content().replace("\r\n", "\n")


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
