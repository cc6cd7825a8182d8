"""Calls and recordings that the stand-in of Twilio has, made without any ingress: what the responder finds
at the provider."""

import base64
import json
import urllib.parse
import urllib.request


def rest(desk, path, tenant=0, method=None, **form):
    """Twilio's REST interface as the tenant; JSON, or None without a body."""
    known = desk.tenants[tenant]
    account = known["account_sid"]
    token = base64.b64encode(f"{account}:{known['auth_token']}".encode()).decode()
    body = urllib.parse.urlencode(form).encode() if form else None
    request = urllib.request.Request(f"{desk.stand_url('twilio')}/2010-04-01/Accounts/{account}/{path}", body,
                                     {"Authorization": f"Basic {token}"}, method=method)
    with urllib.request.urlopen(request, timeout=10) as answer:
        text = answer.read()
    return json.loads(text) if text else None


def leave_message(desk, tenant=0, words="please call me back about the crown", **settings):
    """A message after a tone; its resource at the provider."""
    person = desk.new_address()
    desk._call("twilio", "/_callees", {"number": person, "answer": "human", "ring_ms": 1, "script": [
        {"wait_for": "record"}, {"say": words, "ms": 300}, {"hangup": True}], **settings})
    sid = rest(desk, "Calls.json", tenant, To=person, From=desk.tenants[tenant]["numbers"]["sms"],
               Twiml="<Response><Record playBeep='false' finishOnKey='#'/></Response>")["sid"]
    desk.wait(lambda: desk._call("twilio", f"/_calls/{sid}")["over"], 20, "the message to be left")
    recording, = rest(desk, f"Calls/{sid}/Recordings.json", tenant)["recordings"]
    return recording


def fetches(desk, recording, ending=".mp3"):
    """Requests for it, as the stand-in saw them."""
    return [entry for entry in desk.ledger("twilio") if entry["method"] == "GET"
            and entry["path"].endswith(f"/Recordings/{recording['sid']}{ending}")]
