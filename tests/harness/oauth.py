"""The stand-in token endpoint (tests/stands/oauth) as a test drives it."""

import json
import secrets
import subprocess
import sys
import urllib.request
from urllib.parse import urlencode

from harness import CHECKOUT


class Tokens:
    """An endpoint for `users`; each has a refresh token."""

    def __init__(self, users, life_s=3600, rotate=False):
        self.client_id, self.client_secret = "frontdesk-client", secrets.token_hex(12)
        self.refresh = {user: "r-" + secrets.token_hex(12) for user in users}
        flags = ["--rotate"] if rotate else []
        self.process = subprocess.Popen(
            [sys.executable, str(CHECKOUT / "tests/stands/oauth/endpoint.py"), "--die-with-parent",
             "--client", f"{self.client_id}:{self.client_secret}", "--life", str(life_s), *flags,
             *(word for user, token in self.refresh.items() for word in ("--user", f"{user}:{token}"))],
            stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline().rpartition(":")[2])
        self.url = f"http://127.0.0.1:{self.port}"

    def stop(self):
        self.process.terminate()
        self.process.wait(10)
        self.process.stdout.close()

    def _post(self, path, body):
        with urllib.request.urlopen(self.url + path, body.encode(), timeout=10) as answer:
            return json.load(answer)

    def ledger(self):
        """What was asked of it: [{"grant_type", "status", "error"}]."""
        with urllib.request.urlopen(self.url + "/_ledger", timeout=10) as answer:
            return json.load(answer)

    def faults(self, *answers):
        self._post("/_faults", json.dumps(answers))

    def revoke(self, user):
        self._post("/_revoke", urlencode({"user": user}))

    def grant(self, user):
        """A person logs in anew: another refresh token."""
        return self._post("/_grant", urlencode({"user": user}))["refresh_token"]

    def forget(self):
        self._post("/_forget", "")
