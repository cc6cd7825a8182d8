"""A phone call for the engine, without its ingress: the test produces what the ingress would tell on
inbound.voice, reads the frames of voice.stream and answers them as the call's filter does (docs/VOICE.md)."""

import json
import secrets
from datetime import datetime, timedelta, timezone

from confluent_kafka import Consumer, TopicPartition

from procs import Failure
from scripted import Customer, now

CALLS = {"voice_session_timeout_ms": 3000, "voice_heartbeat_ms": 300, "voice_heard_wait_ms": 4000}
PARTITIONS = 6  # as few as the tests have: harness/suite.py


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
        self.turn_epoch = 0
        self.said = ""        # of the turn, over all its fences
        self.seq = -1
        self.cut = self.over = False
        self.answers = True   # to `open` and to the last frame
        self.spoken = []      # (turn, text) of each taken frame that belongs to a reply
        self.asides = []
        self.handoff = None   # of the turn's `end`
        self.languages = []
        self.consumer = Consumer({"bootstrap.servers": desk.servers.kafka.address,
                                  "group.id": f"call-{secrets.token_hex(4)}",
                                  "enable.auto.commit": False})
        part = TopicPartition(desk.topic("voice.stream"), self.partition)
        part.offset = self.consumer.get_watermark_offsets(part, 20)[1]
        self.consumer.assign([part])

    # What the ingress tells

    def tell(self, type_, id_, later_s=0, **value):
        """So much later by the clock of the ingress."""
        known = self.customer.known
        value = {"call_sid": self.sid, "account_sid": known["account_sid"],
                 "from": self.customer.address, "to": known["numbers"]["sms"],
                 "relay_session": self.relay, "stream_partition": self.partition, **value}
        when = (datetime.now(timezone.utc) + timedelta(seconds=later_s)).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
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

    def setup(self, later_s=0, **more):
        self.tell("setup", f"{self.sid}:{self.relay}:0", later_s=later_s, **more)

    def prompt(self, words="hello", nonce=None):
        """The caller says something; returns its nonce, which stands first."""
        nonce = nonce or self.desk.new_nonce()
        self.say(f"{nonce} {words}")
        return nonce

    def say(self, text):
        """The caller says exactly this."""
        self.number += 1
        self.tell("prompt", f"{self.sid}:{self.relay}:{self.number}", number=self.number, text=text, lang="en-US")

    def press(self, keys):
        self.number += 1
        self.tell("prompt", f"{self.sid}:{self.relay}:{self.number}", number=self.number, keys=keys)

    def dialled(self, outcome, **more):
        """What became of the transfer that the last `end` asked for."""
        dial = self.handoff["dial"]
        beside = ":voicemail" if outcome == "voicemail" else ""
        self.tell("dialled", f"{self.sid}:dialled:{dial}{beside}", dial=dial, outcome=outcome, duration_s=0, **more)

    def comes_back(self):
        """Another relay socket of the call, at the same ingress."""
        self.relay, self.number = "VX" + secrets.token_hex(16), 0
        told = {"heard_turn": self.turn, "heard_fence": self.fence, "heard_epoch": self.turn_epoch,
                "heard_seq": self.seq, "heard": self.said} if self.turn else {}
        self.over = False
        self.setup(resumed=True, **told)

    def heard(self, reason, text=None, fence=None, seq=None):
        text = self.said if text is None else text
        fence = self.fence if fence is None else fence
        seq = self.seq if seq is None else seq
        self.tell("heard", f"{self.sid}:{self.turn}:{fence}:{reason}:{seq}", turn=self.turn,
                  fence=fence, epoch=self.turn_epoch, seq=seq, reason=reason, spoken_ms=1000, text=text)

    def interrupt(self, text):
        self.cut = True
        self.heard("interrupt", text)

    def ended(self, **more):
        self.tell("ended", f"{self.sid}:ended", **{"reason": "hung_up", "duration_s": 20, **more})

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
        if frame["epoch"] > self.epoch and self.turn and not self.over and not self.cut:
            self.heard("stop")
        self.epoch = frame["epoch"]
        if frame["fence"] < self.fence or frame["turn_number"] < self.turn_number:
            self.dropped.append(frame)
            return
        if frame["fence"] > self.fence:
            again = (frame["turn"], frame["turn_number"]) == (self.turn, self.turn_number)
            assert not again or frame["kind"] == "open", f"a heard turn goes on without asking: {frame}"
            self.fence, self.turn_epoch, self.seq = frame["fence"], frame["epoch"], -1
            if not again:
                self.turn, self.turn_number = frame["turn"], frame["turn_number"]
                self.said, self.cut, self.over, self.handoff = "", False, False, None
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
        if frame["kind"] == "language":
            self.languages.append(frame["lang"])
        if frame["kind"] == "end":
            self.handoff = json.loads(frame["handoff"])
        if frame.get("aside"):
            self.asides.append(text)
        elif text:
            self.said += text
            self.spoken.append((frame["turn"], text))
        if frame.get("last") or frame["kind"] == "end":
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
