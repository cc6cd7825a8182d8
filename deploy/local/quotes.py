"""What the Twilio stand-in accepted, and what the model stand-in quoted in it.

The model stand-in quotes in each reply the nonce of every new text and one of the history, behind a
marker: so a reply says which texts it answers. ./run and the tests judge by it.
"""

import re

NONCE = re.compile(r"(?<![A-Za-z0-9_-])n-[0-9a-z]{4,32}(?![A-Za-z0-9_])")
HISTORY = "; earlier "  # how the model stand-in begins what it remembers


def created(ledger):
    """Entries of the Twilio stand-in's ledger that made a message, in order."""
    return [entry for entry in ledger
            if entry["method"] == "POST" and entry["path"].split("?")[0].endswith("/Messages.json")
            and (entry.get("sid") or "").startswith("SM")]


def new_nonces(body):
    """The nonces that a reply names as new, in its order."""
    return NONCE.findall(body.partition(HISTORY)[0])


def history_nonces(body):
    """The nonces that a reply remembers from earlier turns."""
    return NONCE.findall(body.partition(HISTORY)[2])
