"""Calls and recordings that the stand-in of Twilio has, made without any ingress: what the responder finds
at the provider."""

import base64
import contextlib
import json
import threading
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from call_records import CALLS, PARTITIONS, with_voice
from confluent_kafka import Consumer, KafkaException, TopicPartition
from delivering import QUICK
from scripted import ENGINE


def up(desk, count=1, **config):
    """An engine and so many responders."""
    wanted = ("recordings", count, tuple(sorted(config.items())))
    desk.faults("twilio") if desk.installation.twilio else None
    if getattr(desk, "recording", None) == wanted and len(desk.services) == count + 1 \
            and all(service.alive() for service in desk.services.values()):
        return
    desk.stop()
    desk.prepare()
    desk.scripted = desk.responding = None
    desk.add("engine", 1, {"engine": {**ENGINE, **CALLS}})
    for number in range(1, count + 1):
        desk.add("responder", number, {"responder": {**QUICK, **config}})
    for service in desk.services.values():
        service.wait_ready()
    desk.wait(lambda: leaders(desk), 30, "a leader for each partition of voice.stream")
    desk.recording = wanted


def leaders(desk):
    """Whether a Call can begin to listen: a topic that was just made may have none yet."""
    listener = Consumer({"bootstrap.servers": desk.servers.kafka.address, "group.id": "leaders"})
    try:
        return [listener.get_watermark_offsets(TopicPartition(desk.topic("voice.stream"), part), 5)
                for part in range(PARTITIONS)]
    except KafkaException:
        return None
    finally:
        listener.close()


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


def row(desk, recording):
    """Its row with the task's, or None."""
    rows = desk.sql("SELECT row_to_json(r)::jsonb || jsonb_build_object('summary', e.summary, 'rota', e.rota,"
                    " 'reason', e.reason, 'call_back', e.call_back, 'due', j.due_at IS NOT NULL)"
                    " FROM recordings r JOIN escalations e ON e.tenant_id = r.tenant_id AND e.id = r.id"
                    " LEFT JOIN jobs j ON j.tenant_id = r.tenant_id AND j.kind = 'recording'"
                    " AND j.subject = r.id::text WHERE r.recording_sid = %s", recording["sid"])
    assert len(rows) <= 1, rows
    return rows[0][0] if rows else None


def wait_state(desk, recording, *states, deadline_s=30):
    desk.wait(lambda: (row(desk, recording) or {}).get("state") in states, deadline_s,
              lambda: f"the recording to be {states}: {row(desk, recording)}")
    return row(desk, recording)


def kept_bytes(desk, recording):
    return [bytes(r[0]) for r in desk.sql("SELECT content FROM attachments WHERE channel = 'voice'"
                                          " AND event_id = %s", recording["sid"])]


@contextlib.contextmanager
def edge(twiml):
    """Answers every webhook with this document, in the place of an ingress that has no Kafka; its URL. None: it
    answers nothing, so that the call goes on to ring."""
    over = threading.Event()

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if twiml is None:
                over.wait(60)
                return
            body = twiml.encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/xml")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/voice"
    finally:
        over.set()
        server.shutdown()
        thread.join()
        server.server_close()


def ring_in(desk, caller=None):
    """Somebody calls tenant 0 while nothing answers, and hangs up while it rings; (caller, call's sid)."""
    known, caller = desk.tenants[0], caller or desk.new_address()
    with edge(None) as url:
        sid = desk._call("twilio", "/_calls", {"account_sid": known["account_sid"], "from": caller,
                                               "to": known["numbers"]["sms"], "url": url,
                                               "script": [{"silence": 300}, {"hangup": True}]})["sid"]
        desk.wait(lambda: desk._call("twilio", f"/_calls/{sid}")["over"], 20, "the call to be over")
    assert rest(desk, f"Calls/{sid}.json")["status"] == "no-answer"
    return caller, sid


def call_in(desk, words=None, caller=None):
    """Somebody calls tenant 0 while the desk hears nothing; with words he leaves them as a message. Returns
    (caller, call's sid, recording's sid or None)."""
    known, caller = desk.tenants[0], caller or desk.new_address()
    twiml = "<Record playBeep='false'/>" if words else "<Say>We cannot help you just now.</Say>"
    script = [{"wait_for": "record"}, {"say": words, "ms": 300}] if words else [{"wait_for": "audible"}]
    with edge(f"<Response>{twiml}</Response>") as url:
        sid = desk._call("twilio", "/_calls", {"account_sid": known["account_sid"], "from": caller,
                                               "to": known["numbers"]["sms"], "url": url,
                                               "script": [*script, {"hangup": True}]})["sid"]
        desk.wait(lambda: desk._call("twilio", f"/_calls/{sid}")["over"], 20, "the call to be over")
    recordings = rest(desk, f"Calls/{sid}/Recordings.json")["recordings"]
    return caller, sid, recordings[0]["sid"] if words else None


def tasks(desk, caller):
    """[(summary, whether there is a recording)] of what waits for people because of the caller."""
    return desk.sql("SELECT e.summary, r.id IS NOT NULL FROM escalations e LEFT JOIN recordings r"
                    " ON r.tenant_id = e.tenant_id AND r.id = e.id WHERE e.call_back = %s ORDER BY e.created_at",
                    caller)


def audits(desk):
    """Every number for calls has its job, as a tenant's file would have it."""
    with_voice(desk)
    desk.sql("INSERT INTO jobs (tenant_id, id, kind, subject, due_at, since) SELECT tenant_id, gen_random_uuid(),"
             " 'gap_audit', id::text, NULL, '2020-01-01' FROM channels WHERE kind = 'voice' ON CONFLICT DO NOTHING")
