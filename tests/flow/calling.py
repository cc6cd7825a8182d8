<<<<<<< HEAD
"""A phone call for the engine, without its ingress: the test produces what the ingress would tell on
inbound.voice, reads the frames of voice.stream and answers them as the call's filter does (docs/VOICE.md)."""

import json
import secrets
from datetime import datetime, timezone

from confluent_kafka import Consumer, TopicPartition

from procs import Failure
from scripted import Customer, now

CALLS = {"voice_session_timeout_ms": 3000, "voice_heartbeat_ms": 300}
PARTITIONS = 32


def with_voice(desk):
    """Every number of the tenants takes calls. Nothing is published: no ingress runs."""
    desk.sql("INSERT INTO channels (tenant_id, id, kind, address, account_sid, credentials, edge_keys,"
             " assistant_id, published_version) SELECT tenant_id, gen_random_uuid(), 'voice', address,"
             " account_sid, credentials, edge_keys, assistant_id, 1 FROM channels c WHERE kind = 'sms'"
             " AND removed_at IS NULL AND NOT EXISTS (SELECT FROM channels v WHERE v.kind = 'voice'"
             " AND v.address = c.address)")


class Call:
    """One call of a customer; what the ingress that holds it would know."""

    def __init__(self, desk, customer=None, tenant=0):
        with_voice(desk)
        self.desk = desk
        self.customer = customer or Customer(desk, tenant)
        self.sid = "CA" + secrets.token_hex(16)
        self.relay = "VX" + secrets.token_hex(16)
        self.partition = int(secrets.token_hex(2), 16) % PARTITIONS
        self.number = 0
        self.frames = []      # all that came, taken or not
        self.dropped = []
        self.epoch, self.fence, self.turn, self.turn_number = 0, 0, None, 0
        self.said = ""        # of the turn, over all its fences
        self.seq = -1
        self.cut = self.over = False
        self.answers = True   # to `open` and to the last frame
        self.spoken = []      # (turn, text) of each taken frame that belongs to a reply
        self.asides = []
        self.consumer = Consumer({"bootstrap.servers": desk.servers.kafka.address,
                                  "group.id": f"call-{secrets.token_hex(4)}",
                                  "enable.auto.commit": False})
        part = TopicPartition(desk.topic("voice.stream"), self.partition)
        part.offset = self.consumer.get_watermark_offsets(part, 20)[1]
        self.consumer.assign([part])

    # What the ingress tells

    def tell(self, type_, id_, **value):
        known = self.customer.known
        value = {"call_sid": self.sid, "account_sid": known["account_sid"],
                 "from": self.customer.address, "to": known["numbers"]["sms"],
                 "relay_session": self.relay, "stream_partition": self.partition, **value}
        when = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
        headers = {"ce_specversion": "1.0", "ce_id": id_, "ce_source": f"twilio/{known['account_sid']}",
                   "ce_type": f"desk.voice.{type_}.v1", "ce_time": when,
                   "content-type": "application/json", "tenant": self.customer.tenant_id}
        problems = []
        producer = self.desk.producer()
        producer.produce(self.desk.topic("inbound.voice"), json.dumps(value),
                         f"{self.customer.tenant_id}:{self.contact()}",
                         headers=list(headers.items()),
                         on_delivery=lambda error, _: error and problems.append(error))
        if producer.flush(20) or problems:
            raise Failure(f"producing: {problems or 'no answer from Kafka'}")

    def contact(self):
        """Who withholds his number is a person of his own per call."""
        address = self.customer.address
        return address if address.startswith("+") else self.sid

    def setup(self, **more):
        self.tell("setup", f"{self.sid}:{self.relay}:0", **more)

    def prompt(self, words="hello", nonce=None):
        """The caller says something; returns its nonce, which stands first."""
        nonce = nonce or self.desk.new_nonce()
        self.number += 1
        self.tell("prompt", f"{self.sid}:{self.relay}:{self.number}", number=self.number,
                  text=f"{nonce} {words}", lang="en-US")
        return nonce

    def heard(self, reason, text=None, fence=None, seq=None):
        text = self.said if text is None else text
        fence = self.fence if fence is None else fence
        seq = self.seq if seq is None else seq
        self.tell("heard", f"{self.sid}:{self.turn}:{fence}:{reason}:{seq}", turn=self.turn,
                  fence=fence, epoch=self.epoch, seq=seq, reason=reason, spoken_ms=1000, text=text)

    def interrupt(self, text):
        self.cut = True
        self.heard("interrupt", text)

    def ended(self, **more):
        self.tell("ended", f"{self.sid}:ended", reason="hung_up", duration_s=20, **more)

    # What it hears

    def take(self, frame):
        """The filter's rows, for frames that come in order."""
        if frame["call_sid"] != self.sid:
            return
        self.frames.append(frame)
        if frame["epoch"] < self.epoch:
            self.dropped.append(frame)
            return
        if frame["kind"] == "stop":
            self.epoch = frame["epoch"]
            self.over = True
            if self.turn:
                self.heard("stop")
            return
        self.epoch = frame["epoch"]
        if frame["fence"] < self.fence or frame["turn_number"] < self.turn_number:
            self.dropped.append(frame)
            return
        if frame["fence"] > self.fence:
            again = (frame["turn"], frame["turn_number"]) == (self.turn, self.turn_number)
            assert not again or frame["kind"] == "open", f"a heard turn goes on without asking: {frame}"
            self.fence, self.seq = frame["fence"], -1
            if not again:
                self.turn, self.turn_number = frame["turn"], frame["turn_number"]
                self.said, self.cut, self.over = "", False, False
        assert frame["seq"] == self.seq + 1, f"seq {frame['seq']} behind {self.seq}"
        self.seq = frame["seq"]
        if frame["kind"] == "open":
            if self.answers:
                self.heard("open", seq=-1)
            return
        if self.cut or self.over:
            self.dropped.append(frame)
            return
        text = frame.get("text", "")
        if frame.get("aside"):
            self.asides.append(text)
        elif text:
            self.said += text
            self.spoken.append((frame["turn"], text))
        if frame.get("last"):
            self.over = True
            if self.answers:
                self.heard("last")

    def pump(self, until, deadline_s=15, what="the call"):
        """Takes frames until the condition holds."""
        end = now() + 3 * deadline_s
        while not until():
            if now() > end:
                raise Failure(f"{what}: {self.frames} {self.rows()}")
            message = self.consumer.poll(0.05)
            if message is not None and not message.error():
                self.take(json.loads(message.value()))

    def wait_over(self, deadline_s=15):
        """The turn's last frame; returns what the turn said."""
        self.pump(lambda: self.over, deadline_s, "the last frame")
        return self.said

    def listen(self, seconds):
        """Takes what comes in so long."""
        end = now() + seconds
        self.pump(lambda: now() > end)

    def close(self):
        self.consumer.close()

    # What the rows say

    def session(self):
        rows = self.desk.sql("SELECT row_to_json(s) FROM channel_sessions s WHERE call_sid = %s", self.sid)
        return rows[0][0] if rows else None

    def turns(self):
        return [row[0] for row in self.desk.sql(
            "SELECT row_to_json(t) FROM turns t JOIN channel_sessions s ON s.tenant_id = t.tenant_id"
            " AND s.id = t.session_id WHERE s.call_sid = %s ORDER BY t.number", self.sid)]

    def replies(self):
        """[(body, heard, outcome, delivery state, reason)] in order."""
        return self.desk.sql(
            "SELECT m.body, m.heard, t.outcome, d.state, d.reason FROM deliveries d"
            " JOIN messages m ON m.tenant_id = d.tenant_id AND m.id = d.message_id"
            " LEFT JOIN turns t ON t.tenant_id = d.tenant_id AND t.id = d.turn_id"
            " JOIN channel_sessions s ON s.tenant_id = d.tenant_id AND s.id = d.session_id"
            " WHERE s.call_sid = %s AND d.via = 'stream' ORDER BY d.seq", self.sid)

    def events(self):
        """[(state, reason)] of what the caller said, in order."""
        return self.desk.sql(
            "SELECT e.state, e.reason FROM inbox_events e JOIN channel_sessions s"
            " ON s.tenant_id = e.tenant_id AND s.id = e.session_id WHERE s.call_sid = %s"
            " AND e.reason IS DISTINCT FROM 'note' ORDER BY e.claimed_at", self.sid)

    def rows(self):
        return {"session": self.session(), "replies": self.replies(), "events": self.events(),
                "turns": [(t["number"], t["state"], t["outcome"], t["heard_reason"], t["heard"])
                          for t in self.turns()]}

    def wait_settled(self, count, deadline_s=10):
        """So many replies of which it is known what became of them."""
        def settled():
            replies = self.replies()
            return len(replies) == count and all(r[3] != "sending" for r in replies)
        self.pump(settled, deadline_s, f"{count} settled replies")
        return self.replies()
=======
"""Phone calls against the real ingress: a number in the directory, the stand-in that calls it, what
ingress tells the engines, and an engine's frames made by hand.

Nothing else runs. The record of the directory is what deskctl would publish: its sealed keys are those of
the tenant's number for texts, which is the same number here.
"""

import json
import secrets
import threading
import time
import uuid
from datetime import datetime, timezone
from types import SimpleNamespace

GREETING = "Bright Smiles, good morning."
FILLERS = ["One moment, please.", "I am still looking."]
FALLBACK = "I cannot help you just now. Please leave a message after the tone."
STILL_THERE = "Are you still there?"
GOODBYE = "Thank you. Goodbye."
RATE = 20           # characters a second that the caller hears
RECKONED = 150      # tenths of a character a second: ingress thinks that it takes longer
SILENCE_MS = 4500   # P6

VOICE = {"mode": "relay", "language": "en-US", "voice": "Joanna-Neural", "tts_provider": "Amazon",
         "transcription_provider": "Deepgram", "speech_model": "nova-3-general",
         "languages": [{"code": "es-US", "voice": "Lupe-Neural", "tts_provider": "Amazon"}],
         "hints": "crown,Invisalign", "interruptible": "any", "interrupt_sensitivity": "medium",
         "greeting": GREETING, "fillers": FILLERS, "fallback": FALLBACK,
         "record_prompt": "Please leave a message after the tone.", "still_there": STILL_THERE,
         "goodbye": GOODBYE, "silence_ms": 600000, "speaking_rate": RECKONED}

VERSIONS = iter(range(1_000_000, 2_000_000))


def now_text():
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def headers_of(type_, id_, source, tenant):
    return {"ce_specversion": "1.0", "ce_id": id_, "ce_source": source, "ce_type": type_, "ce_time": now_text(),
            "content-type": "application/json", "tenant": tenant}


def publish_number(desk, tenant=0, **changes):
    """The tenant's number takes calls from now on; waits until every ingress knows. Changes replace
    members of its record. Returns the tenant's id."""
    known = desk.tenants[tenant]
    number = known["numbers"]["sms"]
    texts = next(record for record in reversed(desk.kafka_records("directory"))
                 if record.key == f"sms:{number}".encode() and record.value)
    tenant_id = texts.headers["tenant"].decode()
    channel, version = str(uuid.uuid4()), next(VERSIONS)
    value = {"version": version, "channel": channel, "kind": "voice", "address": number,
             "account_sid": known["account_sid"], "sealed_keys": texts.json()["sealed_keys"],
             "voice": {**VOICE, **changes}}
    desk.produce("directory", f"voice:{number}", value,
                 headers_of("desk.directory.channel.v1", f"{channel}:{version}", "frontdesk/test", tenant_id))
    edges = [service for name, service in desk.services.items() if name.startswith("ingress")]
    desk.wait(lambda: all(edge.metrics().get("frontdesk_ingress_directory_version", 0) >= version
                          for edge in edges), 10, "the number's record to be read")
    return tenant_id


class Told:
    """What ingress tells the engines, as it comes: a reader of all of inbound.voice."""

    def __init__(self, desk):
        from confluent_kafka import Consumer, TopicPartition
        full = desk.topic("inbound.voice")
        self.desk, self.records, self.ended = desk, [], threading.Event()
        self.consumer = Consumer({"bootstrap.servers": desk.servers.kafka.address,
                                  "group.id": f"told-{secrets.token_hex(4)}", "enable.auto.commit": False,
                                  "auto.offset.reset": "earliest"})
        parts = self.consumer.list_topics(full, 10).topics[full].partitions
        self.consumer.assign([TopicPartition(full, number, 0) for number in parts])
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        while not self.ended.is_set():
            message = self.consumer.poll(0.1)
            if message is None or message.error():
                continue
            headers = {name: value.decode() for name, value in message.headers() or []}
            self.records.append(SimpleNamespace(
                at=time.monotonic(), partition=message.partition(), offset=message.offset(),
                key=message.key().decode(), type=headers["ce_type"].split(".")[2], id=headers["ce_id"],
                tenant=headers["tenant"], **{"value": json.loads(message.value())}))

    def close(self):
        self.ended.set()
        self.thread.join()
        self.consumer.close()

    def of(self, sid, *types):
        return [record for record in list(self.records) if record.value["call_sid"] == sid
                and (not types or record.type in types)]

    def wait(self, sid, type_, count=1, deadline_s=20, which=lambda record: True):
        """The count-th record of the type of that call."""
        def found():
            return [record for record in self.of(sid, type_) if which(record)]
        self.desk.wait(lambda: len(found()) >= count, deadline_s,
                       lambda: f"{count} {type_} of {sid}; told were "
                               f"{[(r.type, r.value) for r in self.of(sid)]}")
        return found()[count - 1]


class Engine:
    """Frames into one call, as an engine produces them."""

    def __init__(self, desk, tenant, sid, partition):
        self.desk, self.tenant, self.sid, self.partition = desk, tenant, sid, partition
        self.turn, self.number, self.fence, self.epoch, self.seq = None, 0, 0, 1, 0

    @classmethod
    def of(cls, desk, record):
        """For the call that a record of ingress names."""
        return cls(desk, record.tenant, record.value["call_sid"], record.value["stream_partition"])

    def begin(self):
        self.turn, self.number, self.fence, self.seq = str(uuid.uuid4()), self.number + 1, self.fence + 1, 0
        return self

    def adopt(self):
        """Another engine takes the turn over and asks what was heard."""
        self.fence, self.seq = self.fence + 1, 0
        self.frame("open")
        return self

    def frame(self, kind, tenant=None, **members):
        value = {"call_sid": self.sid, "kind": kind, "turn": self.turn, "turn_number": self.number,
                 "epoch": self.epoch, "fence": self.fence, "seq": self.seq, **members}
        id_ = f"{self.turn}:{self.fence}:{value['seq']}"
        if kind == "stop":
            value = {"call_sid": self.sid, "kind": "stop", "turn_number": 0, "epoch": self.epoch, "fence": 0,
                     "seq": 0}
            id_ = f"{self.sid}:stop:{self.epoch}"
        self.desk.produce("voice.stream", self.sid, value,
                          headers_of("desk.voice.frame.v1", id_, "frontdesk/engine", tenant or self.tenant),
                          partition=self.partition)
        self.seq += 1

    def say(self, *pieces, last=True):
        """A turn's words, piece by piece; the last one ends them."""
        for number, piece in enumerate(pieces):
            end = {"last": True} if last and number == len(pieces) - 1 else {}
            self.frame("text", text=piece, **end)
        return self

    def end(self, **handoff):
        self.frame("end", handoff=json.dumps(handoff))


class Call:
    """A call that the stand-in places."""

    def __init__(self, desk, script, tenant=0, path="/twilio/voice", **settings):
        known = desk.tenants[tenant]
        self.desk, self.caller = desk, settings.pop("from_", desk.new_address())
        order = {"account_sid": known["account_sid"], "from": self.caller, "to": known["numbers"]["sms"],
                 "url": desk.public_url + path, "status_callback": desk.public_url + "/twilio/voice/status",
                 "rate": RATE, "fillers": FILLERS, "script": script, **settings}
        self.sid = desk._call("twilio", "/_calls", order)["sid"]

    def now(self):
        return self.desk._call("twilio", f"/_calls/{self.sid}")

    def also(self, *script):
        self.desk._call("twilio", f"/_calls/{self.sid}", {"script": list(script)})

    def over(self, deadline_s=40):
        self.desk.wait(lambda: self.now()["over"], deadline_s, lambda: f"the call to be over: {self.now()}")
        return Story(self.now())

    def story(self):
        return Story(self.now())


class Story:
    """What happened in a call."""

    def __init__(self, summary):
        self.summary = summary
        self.events = summary["events"]

    def of(self, kind):
        return [event for event in self.events if event["kind"] == kind]

    def heard(self):
        """All that the caller heard, in order."""
        return "|".join(event["text"] for event in self.of("audible"))

    def errors(self):
        return [(event["code"], event["message"]) for event in self.of("error")]

    def documents(self):
        return [event.get("body", "") for event in self.of("answer")]

    def longest_silence_ms(self, standstill, epoch):
        """Of our silences, less what the machine stood still meanwhile. `epoch`: time.time() less
        time.monotonic()."""
        def less(event):
            begin, end = event["from"] / 1000 - epoch, event["until"] / 1000 - epoch
            still_ms = max(standstill.during(begin, end) * 1000, event["stalled_ms"])
            return event["until"] - event["from"] - still_ms
        silences = self.of("silence") + self.of("gap")
        return max((less(event) for event in silences), default=0)
>>>>>>> a335039
