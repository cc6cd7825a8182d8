"""A Twilio of the local machine as far as its webhooks go: parameters, signature, delivery."""

import base64
import hashlib
import hmac
import http.client
import secrets
import time
from urllib.parse import urlencode, urlsplit


def signature(token, url, params):
    """X-Twilio-Signature of a form POST: HMAC-SHA1 over the URL and the pairs sorted by name.
    `params` is a list of pairs; a repeated name counts each distinct value once, sorted."""
    text = url + "".join(name + value for name, value in sorted(set(params)))
    digest = hmac.new(token.encode(), text.encode("utf-8", "surrogateescape"), hashlib.sha1)
    return base64.b64encode(digest.digest()).decode()


def new_sid(kind="SM"):
    return kind + secrets.token_hex(16)


def sms_params(account_sid, from_, to, body, sid=None, **extra):
    """The pairs of an inbound text as Twilio sends them. Extra keywords add or replace; None
    removes one."""
    sid = sid or new_sid()
    fields = {
        "ToCountry": "US", "ToState": "CA", "SmsMessageSid": sid, "NumMedia": "0", "ToCity": "",
        "FromZip": "", "SmsSid": sid, "FromState": "CA", "SmsStatus": "received", "FromCity": "",
        "Body": body, "FromCountry": "US", "To": to, "ToZip": "", "NumSegments": "1",
        "MessageSid": sid, "AccountSid": account_sid, "From": from_, "ApiVersion": "2010-04-01",
    }
    fields.update(extra)
    return [(name, value) for name, value in fields.items() if value is not None]


class Answer:
    """What came back: status (0: no answer), headers, body and the time it took."""

    def __init__(self, status, headers, body, sent_at, seconds, error=None):
        self.status = status
        self.headers = headers
        self.body = body
        self.sent_at = sent_at
        self.seconds = seconds
        self.error = error

    def __repr__(self):
        return f"<{self.status} {self.error or ''} {self.seconds:.3f} s>"


def post(base_url, target, body, headers, timeout_s=15, method="POST"):
    """One request on a connection of its own; Twilio's own time limit by default."""
    parts = urlsplit(base_url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port or 80, timeout=timeout_s)
    sent_at, begin = time.time(), time.monotonic()
    try:
        connection.request(method, target, body, headers)
        answer = connection.getresponse()
        data = answer.read()
        return Answer(answer.status, dict(answer.getheaders()), data, sent_at,
                      time.monotonic() - begin)
    except (OSError, http.client.HTTPException) as error:
        return Answer(0, {}, b"", sent_at, time.monotonic() - begin, repr(error))
    finally:
        connection.close()


def signed_form(public_url, target, token, params):
    """(body, headers) of a form POST to public_url + target, signed with the account's token."""
    body = urlencode(params).encode()
    headers = {
        "Content-Type": "application/x-www-form-urlencoded; charset=utf-8",
        "X-Twilio-Signature": signature(token, public_url.rstrip("/") + target, params),
        "I-Twilio-Idempotency-Token": secrets.token_hex(16),
        "User-Agent": "TwilioProxy/1.1",
        "Accept": "*/*",
    }
    return body, headers


def send_sms(tenant, public_url, from_, body, send_url=None, sid=None, timeout_s=15, **extra):
    """Delivers one text to the tenant's number as Twilio would. Returns (sid, Answer).
    `tenant` is an entry of endpoints.json; send_url: where the bytes go, if not to public_url."""
    sid = sid or new_sid()
    params = sms_params(tenant["account_sid"], from_, tenant["numbers"]["sms"], body, sid, **extra)
    data, headers = signed_form(public_url, "/twilio/sms", tenant["auth_token"], params)
    return sid, post(send_url or public_url, "/twilio/sms", data, headers, timeout_s)
