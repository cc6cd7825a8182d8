"""Phone calls against the real ingress: a number in the directory, the stand-in that calls it, what
ingress tells the engines, and an engine's frames made by hand.

Nothing else runs. The record of the directory is what deskctl would publish: its sealed keys are those of
the tenant's number for texts, which is the same number here.
"""

import json
import secrets
import threading
import time
import urllib.error
import uuid
from datetime import datetime, timezone
from types import SimpleNamespace

from procs import Failure

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


def metric(desk, name, ingress="ingress-1"):
    return desk.services[ingress].metrics().get("frontdesk_ingress_" + name, 0)


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

    def answer(self, record, text=None, **handoff):
        """The whole answer to a step of webhook mode, to the request that the record tells of."""
        self.partition = record.value["stream_partition"]
        more = {"text": text} if text else {}
        if handoff:
            more["handoff"] = json.dumps(handoff)
        self.begin().frame("step", step=step_of(record), **more)
        return self


def step_of(record):
    """Which step of webhook mode a record of ingress names."""
    return record.value.get("step") or record.value["number"]


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
        try:
            self.desk._call("twilio", f"/_calls/{self.sid}", {"script": list(script)})
        except urllib.error.HTTPError as problem:  # it is over, most likely: how, says what happened
            raise Failure(f"no more of a script is taken: {problem.read().decode()}"
                          f"{[self.now()[name] for name in ('script', 'ended_by', 'silence_max_ms')]}"
                          f" {self.story().heard()}") from None

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
