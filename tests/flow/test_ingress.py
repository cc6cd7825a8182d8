"""ingress alone with a real Kafka: every answer that it gives, what it publishes and parks, and how
it stands slow, idle, malformed and dying clients. Outages of Kafka are in test_ingress_outage.py.
"""

import base64
import concurrent.futures
import json
import re
import secrets
import socket
import threading
import time
import uuid
from urllib.parse import urlencode

import webhook
from harness.standstill import Standstill

SHARE = True
CONFIG = {"ingress": {"quarantine_per_source": 500, "quarantine_per_number": 100,
                      "request_deadline_ms": 3000}}
FORM = "application/x-www-form-urlencoded"
TWIML = b'<?xml version="1.0" encoding="UTF-8"?><Response/>'


def edge(desk):
    return desk.start(engines=0, responders=0, config=CONFIG)


def params_of(desk, tenant=0, body="Hello", **extra):
    known = desk.tenants[tenant]
    return webhook.sms_params(known["account_sid"], desk.new_address(), known["numbers"]["sms"],
                              body, **extra)


def value_of(params, name):
    return next(value for key, value in params if key == name)


def signed_body(desk, body, target="/twilio/sms", tenant=0, pairs=()):
    """Headers for a body that no form encoder makes; `pairs` is what it decodes to."""
    token = desk.tenants[tenant]["auth_token"]
    return {"Content-Type": FORM,
            "X-Twilio-Signature": webhook.signature(token, desk.public_url + target, list(pairs))}


def records_with(desk, topic, sid):
    return [record for record in desk.kafka_records(topic) if record.headers["ce_id"] == sid.encode()
            or sid.encode() in (record.value or b"")]


def parked_with(desk, text):
    """Quarantined records whose body holds the text."""
    found = []
    for record in desk.kafka_records("quarantine"):
        value = record.json()
        if text.encode() in base64.b64decode(value["body_base64"]):
            found.append((record, value))
    return found


def assert_no_growth(desk, before_kb, most_kb=60000):
    after_kb = rss_kb(desk)
    assert after_kb < before_kb + most_kb, f"{before_kb} kB before, {after_kb} kB after"


def rss_kb(desk):
    with open(f"/proc/{desk.services['ingress-1'].pid}/status") as status:
        return int(re.search(r"VmRSS:\s+(\d+)", status.read()).group(1))


def raw(desk, data, timeout_s=8):
    """Sends bytes to ingress itself and returns all that comes back."""
    port = int(desk.ingress_url().rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=timeout_s) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while part := connection.recv(65536):
            answer += part
    return answer


def statuses(answer):
    return [int(code) for code in re.findall(rb"HTTP/1\.1 (\d{3}) ", answer)]


def request_bytes(desk, params, target="/twilio/sms", method="POST"):
    body, headers = webhook.signed_form(desk.public_url, target, desk.tenants[0]["auth_token"],
                                        params)
    lines = [f"{method} {target} HTTP/1.1", "Host: desk.example.com",
             f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


# What is published

def test_text_is_published(desk):
    edge(desk)
    tenant = desk.tenant(0)
    customer = desk.new_address()
    body = " Grüße 👋 & a+b=c% \n"
    begin = time.time()
    answer = desk.webhook(customer, body, MessagingServiceSid="MG" + "0" * 31 + "1",
                          NumSegments="2", OptOutType="HELP")
    assert answer.status == 200 and answer.body == TWIML, answer.body
    assert answer.headers["Content-Type"] == "text/xml"
    record, = records_with(desk, "inbound.sms", answer.sid)
    tenant_id = record.headers["tenant"].decode()
    assert tenant_id == str(desk.value("SELECT id FROM tenants WHERE name = %s", tenant.name))
    assert record.key.decode() == f"{tenant_id}:{customer}"
    head = {name: value.decode() for name, value in record.headers.items()}
    assert head["ce_id"] == answer.sid and head["ce_type"] == "desk.sms.received.v1"
    assert head["ce_source"] == f"twilio/{tenant.account_sid}"
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", head["traceparent"])
    assert abs(time.mktime(time.strptime(head["ce_time"][:19], "%Y-%m-%dT%H:%M:%S"))
               - time.mktime(time.gmtime(begin))) < 10
    value = record.json()
    assert value["body"] == body and value["from"] == customer and value["segments"] == 2
    assert value["to"] == tenant.numbers["sms"] and value["opt_out_type"] == "HELP"


def test_every_tenant_by_its_own_key(desk):
    edge(desk)
    for number in range(len(desk.tenants)):
        answer = desk.webhook(desk.new_address(), "hi", tenant=number)
        assert answer.status == 200, answer
        record, = records_with(desk, "inbound.sms", answer.sid)
        wanted = desk.value("SELECT id FROM tenants WHERE name = %s", desk.tenant(number).name)
        assert record.headers["tenant"].decode() == str(wanted)


def test_another_tenants_key_does_not_sign(desk):
    edge(desk)
    answer = desk.post("/twilio/sms", params_of(desk, tenant=0),
                       token=desk.tenants[1]["auth_token"])
    assert answer.status == 403


def test_duplicates_at_once(desk):
    """Each gets 2xx and the same ce_id on the same partition: the engine sees one event."""
    edge(desk)
    sid, customer = webhook.new_sid(), desk.new_address()
    with concurrent.futures.ThreadPoolExecutor(5) as pool:
        answers = list(pool.map(lambda _: desk.webhook(customer, "again", sid=sid), range(5)))
    assert [answer.status for answer in answers] == [200] * 5
    records = records_with(desk, "inbound.sms", sid)
    assert len(records) == 5
    assert len({(record.partition, record.key, record.headers["ce_id"])
                for record in records}) == 1


# Answers

def test_methods_types_and_paths(desk):
    edge(desk)
    params = params_of(desk)
    for direct in (False, True):
        for path in ("/twilio/sms", "/twilio/status"):
            for method in ("GET", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"):
                answer = desk.post(path, params, method=method, direct=direct)
                assert (answer.status, answer.headers.get("Allow")) == (405, "POST"), (path, method)
            for kind in (None, "", "application/json", "text/plain", "multipart/form-data; b=1",
                         "application/x-www-form-urlencodedx"):
                answer = desk.post(path, params, headers={"Content-Type": kind}, direct=direct)
                assert answer.status == 415, (path, kind, answer)
        for path in ("/", "/twilio", "/twilio/", "/twilio/sms/", "/twilio/smsx", "/twilio//sms",
                     "/twilio/SMS", "/Twilio/sms", "/twilio/sms%2F", "/twilio/%73ms", "/healthz",
                     "/readyz", "/metrics", "/twilio/sms/../sms", "/index.html", "/.git/config"):
            assert desk.post(path, params, direct=True).status == 404, path
    assert desk.post("/twilio/sms", params,
                     headers={"Content-Type": FORM + "; charset=utf-8"}).status == 200
    assert desk.post("/twilio/sms", params_of(desk),
                     headers={"Content-Type": FORM.upper()}).status == 200


def test_absent_signature_is_not_parked(desk):
    edge(desk)
    for given in (None, ""):
        params = params_of(desk)
        answer = desk.post("/twilio/sms", params, headers={"X-Twilio-Signature": given})
        assert answer.status == 403, answer
        assert parked_with(desk, value_of(params, "MessageSid")) == []
        assert records_with(desk, "inbound.sms", value_of(params, "MessageSid")) == []


def test_wrong_signature_is_parked_whole(desk):
    edge(desk)
    params = params_of(desk)
    sid = value_of(params, "MessageSid")
    answer = desk.post("/twilio/sms?a=1&b=%20", params, token="not the token")
    assert answer.status == 403
    (record, value), = parked_with(desk, sid)
    assert value["reason"] == "signature.wrong" and value["path"] == "/twilio/sms"
    assert value["url"] == desk.public_url + "/twilio/sms?a=1&b=%20"
    assert value["signature"] == webhook.signature("not the token", value["url"], params)
    assert base64.b64decode(value["body_base64"]) == urlencode(params).encode()
    assert value["address"] == desk.tenants[0]["numbers"]["sms"] and value["remote"] == "127.0.0.1"
    assert record.key.decode() == value["address"]
    assert records_with(desk, "inbound.sms", sid) == []


def test_altered_requests(desk):
    """The signature covers target and every parameter; header names count in any case."""
    edge(desk)
    params = params_of(desk)
    body, headers = webhook.signed_form(desk.public_url, "/twilio/sms",
                                        desk.tenants[0]["auth_token"], params)
    other = urlencode([(name, "x" if name == "Body" else value) for name, value in params]).encode()
    for target, sent in (("/twilio/sms", other), ("/twilio/sms", body + b"&New=1"),
                         ("/twilio/sms", body + b"&New="), ("/twilio/sms?", body),
                         ("/twilio/sms?x=1", body), ("/twilio/sms", body.replace(b"To=", b"to="))):
        assert webhook.post(desk.public_url, target, sent, headers).status == 403, (target, sent)
    lower = {name.lower(): value for name, value in headers.items()}
    assert webhook.post(desk.public_url, "/twilio/sms", body, lower).status == 200
    shuffled = urlencode(list(reversed(params))).encode()
    assert webhook.post(desk.public_url, "/twilio/sms", shuffled, headers).status == 200


def test_unknown_number_is_parked(desk):
    edge(desk)
    params = params_of(desk, To="+15005550006")
    assert desk.post("/twilio/sms", params).status == 403
    (_, value), = parked_with(desk, value_of(params, "MessageSid"))
    assert value["reason"] == "signature.uncheckable" and value["address"] == "+15005550006"


def test_signed_but_malformed(desk):
    """400, parked with the reason, nothing published."""
    edge(desk)
    sid = webhook.new_sid
    good = params_of(desk)

    def with_pairs(*extra, without=()):
        marker = sid()
        return marker, [(n, marker if n == "MessageSid" else v) for n, v in params_of(desk)
                        if n not in without] + list(extra)

    cases = [
        ("webhook.body", *with_pairs(("Body", "twice"))),
        ("webhook.from", *with_pairs(("From", "+15550009999"))),
        ("webhook.account_sid", *with_pairs(("AccountSid", desk.tenants[0]["account_sid"]))),
        ("webhook.to", *with_pairs(("To", desk.tenants[0]["numbers"]["sms"]))),
        ("webhook.message_sid", *with_pairs(("MessageSid", sid()))),
        ("webhook.from", *with_pairs(("From", "Pizza"), without=("From",))),
        ("webhook.from", *with_pairs(("From", "whatsapp:+15550001111"), without=("From",))),
        ("webhook.media", *with_pairs(("NumMedia", "2"), without=("NumMedia",))),
        ("webhook.body", *with_pairs(("Body", "x" * 8193), without=("Body",))),
    ]
    for reason, marker, params in cases:
        answer = desk.post("/twilio/sms", params)
        assert answer.status == 400, (reason, answer)
        (_, value), = parked_with(desk, marker)
        assert value["reason"] == reason
        assert records_with(desk, "inbound.sms", marker) == []
    # without a MessageSid there is nothing to name it by: found by the sender's number
    params = [pair for pair in good if pair[0] != "MessageSid"]
    assert desk.post("/twilio/sms", params).status == 400
    reasons = [value["reason"] for _, value in parked_with(desk, value_of(good, "From")[1:])]
    assert reasons == ["webhook.message_sid"]


def test_unreadable_forms(desk):
    """Bytes that no encoder makes. A form that cannot be read has no signature that could be
    checked: 403; bad UTF-8 that is signed: 400."""
    edge(desk)
    number = desk.tenants[0]["numbers"]["sms"]
    account = desk.tenants[0]["account_sid"]

    def form(marker, text):
        return (f"MessageSid={marker}&AccountSid={account}&From=%2B15550001111&To=%2B{number[1:]}"
                f"&Body={text}").encode()

    for reason, text, decoded in (
            ("webhook.body", "a%FF", "a\udcff"), ("webhook.body", "%C3", "\udcc3"),
            ("webhook.body", "%ED%A0%80", "\udced\udca0\udc80"), ("form.nul", "a%00b", None),
            ("form.escape", "a%zz", None), ("form.escape", "a%", None),
            ("form.pairs", "&a=1" * 300, None), ("form.name", "&=x", None)):
        marker = webhook.new_sid()
        pairs = [("MessageSid", marker), ("AccountSid", account), ("From", "+15550001111"),
                 ("To", number), ("Body", decoded or "")]
        body = form(marker, text)
        answer = webhook.post(desk.public_url, "/twilio/sms", body,
                              signed_body(desk, body, pairs=pairs))
        wanted = 403 if reason.startswith("form.") else 400
        assert answer.status == wanted, (reason, answer)
        (_, value), = parked_with(desk, marker)
        assert value["reason"] == reason, value["reason"]
        assert base64.b64decode(value["body_base64"]) == body
    marker = webhook.new_sid()  # a raw NUL and raw high bytes
    body = form(marker, "x").replace(b"=x", b"=\0\xff")
    assert webhook.post(desk.public_url, "/twilio/sms", body,
                        signed_body(desk, body)).status == 403
    (_, value), = parked_with(desk, marker)
    assert value["reason"] == "form.nul"


def test_large_bodies(desk):
    edge(desk)
    limit = 64 * 1024
    params = params_of(desk)
    room = limit - len(urlencode(params)) - len("&Pad=")
    for direct in (False, True):
        params = params_of(desk)
        answer = desk.post("/twilio/sms", params + [("Pad", "p" * room)], direct=direct)
        assert answer.status == 200, answer
        answer = desk.post("/twilio/sms", params + [("Pad", "p" * (room + 1))], direct=direct)
        assert answer.status == 413, answer
    answer = desk.post("/twilio/sms", params, body=b"x" * 500000, direct=True)
    assert answer.status in (413, 0), answer
    assert desk.webhook(desk.new_address(), "still here").status == 200


# Status callbacks

def status_target(tenant_id, delivery=None, attempt=1):
    return f"/twilio/status?tenant={tenant_id}&delivery={delivery or uuid.uuid4()}&attempt={attempt}"


def status_params(desk, status="delivered", **extra):
    tenant = desk.tenants[0]
    sid = webhook.new_sid()
    fields = {"MessageSid": sid, "SmsSid": sid, "MessageStatus": status, "SmsStatus": status,
              "AccountSid": tenant["account_sid"], "From": tenant["numbers"]["sms"],
              "To": desk.new_address(), "ApiVersion": "2010-04-01"}
    fields.update(extra)
    return [(name, value) for name, value in fields.items() if value is not None]


def tenant_id_of(desk, number=0):
    return str(desk.value("SELECT id FROM tenants WHERE name = %s", desk.tenant(number).name))


def test_receipts_are_published(desk):
    edge(desk)
    tenant_id, delivery = tenant_id_of(desk), str(uuid.uuid4())
    for status, code in (("sent", None), ("undelivered", "30003"), ("delivered", None),
                         ("partially_delivered", None), ("some-new-word", None)):
        params = status_params(desk, status, ErrorCode=code)
        answer = desk.post(status_target(tenant_id, delivery, 12), params)
        assert (answer.status, answer.body) == (204, b""), (status, answer)
        record, = records_with(desk, "receipts", value_of(params, "MessageSid"))
        assert record.key.decode() == f"{tenant_id}:{delivery}"
        assert record.headers["ce_id"].decode() == f"{value_of(params, 'MessageSid')}:{status}"
        value = record.json()
        assert value["delivery"] == delivery and value["attempt"] == 12
        assert value["status"] == status and value.get("error_code") == code


def test_status_answers(desk):
    edge(desk)
    own, foreign = tenant_id_of(desk, 0), tenant_id_of(desk, 1)
    wrong = [
        (400, "webhook.delivery", f"/twilio/status?tenant={own}&delivery=x&attempt=1", {}),
        (400, "webhook.delivery", f"/twilio/status?tenant={own}&attempt=1", {}),
        (400, "webhook.attempt", status_target(own, attempt=0), {}),
        (400, "webhook.attempt", status_target(own, attempt="1&attempt=2"), {}),
        (400, "webhook.attempt", status_target(own, attempt="99999999"), {}),
        (400, "webhook.message_status", status_target(own), {"MessageStatus": None}),
        (400, "webhook.message_status", status_target(own), {"MessageStatus": "Delivered"}),
        (400, "webhook.message_status", status_target(own), {"MessageStatus": "x" * 33}),
        (400, "webhook.message_sid", status_target(own), {"MessageSid": "nonsense"}),
        (400, "webhook.account_sid", status_target(own), {"AccountSid": "nonsense"}),
        (400, "webhook.error_code", status_target(own), {"ErrorCode": "3000x"}),
        (403, "signature.wrong", status_target(foreign), {}),
        (403, "signature.uncheckable", status_target(uuid.uuid4()), {}),
        (403, "signature.uncheckable", "/twilio/status", {}),
        (403, "signature.uncheckable", "/twilio/status?tenant=x", {}),
        (403, "signature.uncheckable", f"/twilio/status?tenant={own}&tenant={own}", {}),
        (403, "signature.uncheckable", "/twilio/status?tenant=%zz", {}),
    ]
    for status, reason, target, extra in wrong:
        params = status_params(desk, **extra)
        answer = desk.post(target, params)
        assert answer.status == status, (reason, target, answer)
        customer = value_of(params, "To")[1:]
        (_, value), = parked_with(desk, customer)
        assert value["reason"] == reason, (value["reason"], target)
    params = status_params(desk)
    answer = desk.post(status_target(own), params, headers={"X-Twilio-Signature": None})
    assert answer.status == 403 and parked_with(desk, value_of(params, "To")[1:]) == []


# Hostile and clumsy clients

def test_pipelined_requests(desk):
    edge(desk)
    first, second, third = (params_of(desk) for _ in range(3))
    answer = raw(desk, request_bytes(desk, first) + request_bytes(desk, second))
    assert statuses(answer) == [200, 200], answer
    for params in (first, second):
        assert len(records_with(desk, "inbound.sms", value_of(params, "MessageSid"))) == 1
    # behind a refused request nothing is read
    bad = request_bytes(desk, first).replace(b"Content-Length: ", b"Content-Length: +")
    answer = raw(desk, bad + request_bytes(desk, third))
    assert statuses(answer) == [400], answer
    answer = raw(desk, request_bytes(desk, first, method="PUT") + request_bytes(desk, third))
    assert statuses(answer) == [405], answer
    smuggled = (b"POST /twilio/sms HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n"
                b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
    assert statuses(raw(desk, smuggled + request_bytes(desk, third))) == [400]
    assert records_with(desk, "inbound.sms", value_of(third, "MessageSid")) == []


class Attack:
    """Connections that send `first`, then `more` every interval, until stopped."""

    def __init__(self, port, count, first=b"", more=b"", interval_s=0.5):
        self.port, self.count = port, count
        self.first, self.more, self.interval_s = first, more, interval_s
        self.sockets = []
        self.ended = threading.Event()

    def __enter__(self):
        for _ in range(self.count):
            self._open()
        self.thread = threading.Thread(target=self._run)
        self.thread.start()
        return self

    def _open(self):
        connection = socket.socket()
        connection.setblocking(False)
        try:
            connection.connect(("127.0.0.1", self.port))
        except BlockingIOError:
            pass
        self.sockets.append(connection)

    def _run(self):
        pending = set(self.sockets)
        while not self.ended.is_set():
            for connection in self.sockets:
                try:
                    if connection in pending and self.first:
                        connection.send(self.first)
                    elif self.more:
                        connection.send(self.more)
                    pending.discard(connection)
                except (BlockingIOError, OSError):
                    continue
            self.ended.wait(self.interval_s)

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()
        for connection in self.sockets:
            connection.close()


SLOW_HEAD = b"POST /twilio/sms HTTP/1.1\r\nHost: a\r\nX-Slow: "
SLOW_BODY = (b"POST /twilio/sms HTTP/1.1\r\nHost: a\r\nContent-Type: " + FORM.encode()
             + b"\r\nContent-Length: 60000\r\n\r\n")
ATTACKS = {"idle": (1000, b"", b""), "slow heads": (300, SLOW_HEAD, b"x"),
           "slow bodies": (300, SLOW_BODY, b"x")}


def good_for(desk, seconds, most_s, **options):
    """Webhooks one after the other, each answered in time, less what the machine stood still."""
    with Standstill() as still:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            begin = time.monotonic()
            answer = desk.webhook(desk.new_address(), "hello", **options)
            done = time.monotonic()
            assert answer.status == 200, answer
            time.sleep(0.02)  # the pace, in which the ticker sees the end of a standstill too
            stood_s = still.during(begin, done)
            assert answer.seconds - stood_s <= most_s, f"{answer.seconds:.3f} s, {stood_s:.3f} s still"


def test_bad_clients_end_at_nginx(desk):
    """Through nginx good webhooks take at most 1 s meanwhile."""
    edge(desk)
    for count, first, more in ATTACKS.values():
        with Attack(desk.installation.public_port, count, first, more):
            good_for(desk, 3, 1.0)


def test_bad_clients_directly(desk):
    """Without nginx: no crash, no growth, and while they still hang on, good ones get through
    again; afterwards all is as before."""
    edge(desk)
    port = int(desk.ingress_url().rpartition(":")[2])
    good_for(desk, 1, 1.0, direct=True)
    pid, before_kb = desk.services["ingress-1"].pid, rss_kb(desk)
    for name, (count, first, more) in ATTACKS.items():
        with Attack(port, count, first, more):
            begin = time.monotonic()
            answer = desk.webhook(desk.new_address(), "hello", direct=True, timeout_s=40)
            while answer.status != 200 and time.monotonic() - begin < 40:
                answer = desk.webhook(desk.new_address(), "hello", direct=True, timeout_s=40)
            assert answer.status == 200, (name, answer)
        desk.wait(lambda: desk.webhook(desk.new_address(), "x", direct=True, timeout_s=1).seconds
                  < 0.5, 20, f"quick answers after {name}")
        good_for(desk, 1, 1.0, direct=True)
        assert desk.services["ingress-1"].pid == pid
        assert_no_growth(desk, before_kb)


test_bad_clients_directly.deadline_s = 150


def test_noise(desk):
    """Random bytes and cut requests: never 2xx, never a crash."""
    edge(desk)
    good = request_bytes(desk, params_of(desk))
    before_kb = rss_kb(desk)
    for cut in range(0, len(good), 7):
        assert 200 not in statuses(raw(desk, good[:cut])) or cut == len(good)
    for _ in range(300):
        noise = secrets.token_bytes(secrets.randbelow(400))
        assert 200 not in statuses(raw(desk, noise + b"\r\n\r\n"))
        position = secrets.randbelow(len(good))
        changed = good[:position] + secrets.token_bytes(1) + good[position + 1:]
        raw(desk, changed)
    assert_no_growth(desk, before_kb)
    assert desk.webhook(desk.new_address(), "still here").status == 200


def test_quarantine_is_bounded(desk):
    """Above the bound: 403 all the same, not parked, counted. The window of a minute begins with the first
    one that a process sees."""
    edge(desk)
    desk.restart("ingress-1")
    params = params_of(desk, tenant=2)
    marker = value_of(params, "From")[1:]
    refused = 'frontdesk_ingress_quarantine_total{outcome="refused"}'
    before = desk.services["ingress-1"].metrics()[refused]
    begin = time.monotonic()
    for _ in range(250):
        assert desk.post("/twilio/sms", params, token="wrong").status == 403
    parked = len(parked_with(desk, marker))
    after = desk.services["ingress-1"].metrics()[refused]
    windows = 1 + int((time.monotonic() - begin) // 60)
    assert parked <= 100 * windows and after - before == 250 - parked, (parked, after - before)
    assert parked == 100 or windows > 1, parked
    assert desk.webhook(desk.new_address(), "a good one", tenant=2).status == 200


# The process

def test_metrics(desk):
    edge(desk)
    name = 'frontdesk_ingress_requests_total{route="sms",status="200"}'
    before = desk.services["ingress-1"].metrics()
    assert desk.webhook(desk.new_address(), "hi").status == 200
    after = desk.services["ingress-1"].metrics()
    assert after[name] == before[name] + 1
    assert after["frontdesk_ingress_in_flight"] == 0
    numbers = sum(len(tenant["numbers"]) for tenant in desk.tenants)
    assert after["frontdesk_ingress_directory_channels"] == numbers
    assert after["frontdesk_ingress_directory_version"] >= 1
    produced = "frontdesk_ingress_produce_seconds_count"
    assert after[produced] == before[produced] + 1


def test_no_secret_and_no_number_in_the_log(desk):
    edge(desk)
    params = params_of(desk, body="a very private text")
    desk.post("/twilio/sms", params, token="wrong")
    desk.post("/twilio/sms", params)
    text = desk.log_of("ingress-1").read_text()
    assert "webhook.refused" in text
    for secret in ("very private", value_of(params, "From"), desk.tenants[0]["auth_token"],
                   desk.tenants[0]["numbers"]["sms"]):
        assert secret not in text, secret


def test_directory_follows_changes(desk):
    """A removed channel is unknown at once; a stale version changes nothing."""
    edge(desk)
    number = desk.tenants[3]["numbers"]["sms"]
    record = next(r for r in reversed(desk.kafka_records("directory"))
                  if r.key == f"sms:{number}".encode() and r.value)
    desk.produce("directory", record.key, None)
    desk.wait(lambda: desk.webhook(desk.new_address(), "x", tenant=3).status == 403, 10, "removal")
    headers = {name: value.decode() for name, value in record.headers.items()}
    desk.produce("directory", record.key, record.value.decode(), headers=headers)
    desk.wait(lambda: desk.webhook(desk.new_address(), "x", tenant=3).status == 200, 10, "return")
    stale = {**record.json(), "version": 0, "sealed_keys": []}
    headers["ce_id"] = f"{stale['channel']}:0"
    desk.produce("directory", record.key, json.dumps(stale), headers=headers)
    desk.produce("directory", "sms:+15559990000", "not json", headers=headers)
    bad = "frontdesk_ingress_directory_bad_records_total"
    desk.wait(lambda: desk.services["ingress-1"].metrics()[bad] >= 1, 10, "the bad record's count")
    assert desk.webhook(desk.new_address(), "x", tenant=3).status == 200


def test_killed_at_each_step(desk):
    """No 2xx without the record; the sender's retry gives the same id."""
    edge(desk)
    for point in ("ingress.read", "ingress.verified", "ingress.acked"):
        sid, customer = webhook.new_sid(), desk.new_address()
        stop = desk.stops.arm(point, match=sid)
        answer = desk.webhook(customer, "hello", sid=sid)
        assert answer.status not in range(200, 300), (point, answer)
        assert stop.hits == 1 and stop.subject == sid
        desk.wait(lambda: not desk.services["ingress-1"].alive(), 5, "the death")
        assert desk.revive() == ["ingress-1"]
        before = len(records_with(desk, "inbound.sms", sid))
        assert before == (1 if point == "ingress.acked" else 0), (point, before)
        assert desk.webhook(customer, "hello", sid=sid).status == 200
        records = records_with(desk, "inbound.sms", sid)
        assert len(records) == before + 1 and len({r.headers["ce_id"] for r in records}) == 1


def test_check_config(desk):
    edge(desk)
    check = desk.services["ingress-1"].check_config
    assert check() == (0, "configuration ok\n")
    for key, value in (("edge_secret_key_file", "/nonexistent"), ("public_url", "desk.example.com"),
                       ("public_url", "https://desk.example.com/"), ("concurrency", 128),
                       ("status_concurrency", 120),
                       ("threads", 0), ("produce_deadline_ms", "soon")):
        code, text = check(**{key: value})
        assert code == 2 and (key in text or "key file" in text), (key, code, text)


def test_drains(desk):
    """SIGTERM under load: every request is answered, those after it with 503 or not at all, and
    whatever got 2xx is in the topic."""
    edge(desk)
    answers, ended = [], threading.Event()

    def send():
        while not ended.is_set():
            answers.append(desk.webhook(desk.new_address(), "hello", direct=True, timeout_s=10))

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    desk.wait(lambda: len(answers) > 50, 20, "a load")
    code = desk.terminate("ingress-1")
    ended.set()
    for thread in threads:
        thread.join()
    assert code == 0, code
    odd = [answer for answer in answers if answer.status not in (200, 503, 0)]
    assert not odd, [(answer.status, answer.body, answer.headers) for answer in odd]
    published = {record.headers["ce_id"].decode() for record in desk.kafka_records("inbound.sms")}
    lost = [a.sid for a in answers if a.status == 200 and a.sid not in published]
    assert not lost, lost
    desk.services["ingress-1"].start().wait_ready()
    assert desk.webhook(desk.new_address(), "back").status == 200
