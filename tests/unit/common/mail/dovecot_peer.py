"""Dovecot for imap_dovecot_test.c and sent_copy_test.c. Prints "<name> <value>" lines, then "ready 0"; then obeys a word a
line on its standard input ("deliver", "expunge", "renumber", "flags", "sent"), each answered by a line, and
ends with it.
"""

import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
sys.dont_write_bytecode = True

import harness  # noqa: E402,F401  (it sets the path to deploy/local)
from harness.dovecot import Dovecot, mail  # noqa: E402

HOSTILE = ("Subject: hostile\r\n\r\n)\r\nA1 OK done\r\n* BYE\r\n* 1 EXPUNGE\r\n{5}\r\n"
           + "x" * 2000000 + "\r\n").encode()


def flags(dovecot, name, folder="INBOX"):
    """How many mails are marked as seen."""
    client = dovecot.connect(name)
    try:
        client.select(folder, readonly=True)
        return len(client.search(None, "SEEN")[1][0].split())
    finally:
        client.logout()


def main():
    folder = tempfile.TemporaryDirectory(prefix="frontdesk-dovecot-", dir=os.environ.get("FRONTDESK_STATE", "/var/tmp"))
    os.chmod(folder.name, 0o711)
    dovecot = Dovecot(Path(folder.name) / "dovecot").start()
    name, password = dovecot.add_user()
    dovecot.deliver(name, mail("one", "the first"), HOSTILE, mail("three", "the third"))
    for key, value in (("port", dovecot.port), ("tls_port", dovecot.tls_port),
                       ("ca", dovecot.ca_file), ("user", name), ("password", password),
                       ("size", len(HOSTILE)), ("ready", 0)):
        print(key, value, flush=True)
    for line in sys.stdin:
        word = line.strip()
        if word == "deliver":
            dovecot.deliver(name, mail("new", "came later"))
            print("done 0", flush=True)
        elif word == "expunge":
            dovecot.expunge(name, 1)
            print("done 0", flush=True)
        elif word == "renumber":
            print("done", dovecot.renumber(name), flush=True)
        elif word == "flags":
            print("done", flags(dovecot, name), flush=True)
        elif word == "sent":
            print("done", flags(dovecot, name, "Gesendet"), flush=True)
    dovecot.stop()
    folder.cleanup()


main()
