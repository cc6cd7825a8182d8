"""The tool stand-in: whom it believes, that it does a call once, and its ledger. The signature is
made here by the recipe of docs/HTTP_TOOLS.md, not by the product."""

import hashlib
import hmac
import http.client
import json
import tempfile
import time
import unittest
from pathlib import Path

from build import bin_dir
from procs import free_port
from service import Stand

KEY = "k-1"
CALL = "0193a5c2-7d10-7c44-9a51-3f0e6b7f2d18"
BODY = json.dumps({"call": CALL, "tool": "find_slot", "conversation": "c-1", "arguments": {"day": "x"}})


def signed(body, key=KEY, age_s=0, call=CALL):
    stamp = str(int(time.time()) - age_s)
    mac = hmac.new(key.encode(), f"{stamp}.{body}".encode(), hashlib.sha256).hexdigest()
    return {"Content-Type": "application/json", "Idempotency-Key": call,
            "Frontdesk-Timestamp": stamp, "Frontdesk-Signature": f"v1={mac}"}


class ToolTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.stand = Stand("stand-tool", bin_dir("debug") / "stand-tool", Path(cls.folder.name),
                          free_port(), "--key", KEY)
        cls.stand.start().wait_ready(10)

    @classmethod
    def tearDownClass(cls):
        code = cls.stand.stop()
        cls.folder.cleanup()
        assert code == 0, f"stand-tool ended with {code}"

    def setUp(self):
        self.send("POST", "/_reset", "")

    def send(self, method, path, body=None, headers=None):
        """(status, headers, body as JSON or None)."""
        connection = http.client.HTTPConnection("127.0.0.1", self.stand.port, timeout=20)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            text = answer.read()
            return answer.status, dict(answer.headers), json.loads(text) if text else None
        finally:
            connection.close()

    def post(self, body=BODY, **more):
        return self.send("POST", "/tools/find-slot", body, signed(body, **more))

    def ledger(self):
        return self.send("GET", "/_ledger")[2]

    def test_call_is_done_once(self):
        first = self.post()
        self.assertEqual((first[0], first[2]), (200, {"number": 1, "asked": {"day": "x"}}))
        self.assertEqual(self.post()[2], first[2])
        one, two = self.ledger()
        self.assertEqual((one["sid"], two["sid"]), (CALL, None))
        self.assertEqual([one["params"]["repeated"], two["params"]["repeated"]], [False, True])
        self.assertEqual(one["params"]["idempotency_key"], CALL)
        self.assertEqual(one["params"]["body"], BODY)
        self.assertTrue(one["params"]["signed"] and one["outcome"] == "answered", one)
        self.assertEqual(self.send("GET", "/_stats")[2]["done"], 1)

    def test_who_is_not_believed(self):
        changed = signed(BODY)
        for headers in (signed(BODY, key="another"), signed(BODY, age_s=301), signed(BODY, age_s=-330),
                        {**changed, "Frontdesk-Signature": ""}, {"Idempotency-Key": CALL},
                        {**changed, "Frontdesk-Timestamp": "0x1"}):
            self.assertEqual(self.send("POST", "/a", BODY, headers)[0], 401, headers)
        self.assertEqual(self.send("POST", "/a", BODY.replace("x", "y"), changed)[0], 401)
        self.assertEqual(self.send("GET", "/_stats")[2]["done"], 0)

    def test_what_is_no_call(self):
        self.assertEqual(self.post(call="another")[0], 400)
        for body in ("", "[]", "{\"call\":\"" + CALL + "\"}", "{\"tool\":\"a\"}"):
            self.assertEqual(self.post(body)[0], 400, body)
        self.assertEqual(self.send("GET", "/a", None, signed(""))[0], 405)

    def test_rules(self):
        def rule(**action):
            status, _, said = self.send("POST", "/_faults", json.dumps([{"action": action}]))
            self.assertIn(status, (200, 400), said)
            return status
        rule(type="reply", text="{\"state\":\"here\"}")
        self.assertEqual(self.post()[2], {"state": "here"})
        rule(type="status", status=302, message="http://127.0.0.1:1/x")
        status, headers, _ = self.post()
        self.assertEqual((status, headers["Location"]), (302, "http://127.0.0.1:1/x"))
        rule(type="status", status=503, retry_after="7")
        self.assertEqual(self.post()[1]["Retry-After"], "7")
        self.assertEqual(rule(type="tool_call"), 400)
        self.assertEqual(len([entry for entry in self.ledger() if entry["sid"]]), 1)


if __name__ == "__main__":
    unittest.main()
