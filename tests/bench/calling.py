"""Many calls at once for the rows of phone calls: webhooks that Twilio would send, and the program
that holds their sockets and is the model as well (voice.c), so that one clock sees both ends of a turn.
"""

import html
import json
import re
import subprocess
import threading
import time

import webhook
from measure import LOAD_CPU
from procs import Failure

URL = re.compile(r'<ConversationRelay[^>]* url="([^"]+)"')


def voice_params(tenant, address, sid):
    return [("CallSid", sid), ("AccountSid", tenant["account_sid"]), ("From", address),
            ("To", tenant["numbers"]["voice"]), ("CallStatus", "ringing"), ("Direction", "inbound"),
            ("ApiVersion", "2010-04-01")]


def ring(desk, tenant, address):
    """(CallSid, the relay's URL): somebody calls, and ingress answers."""
    sid = webhook.new_sid("CA")
    body, headers = webhook.signed_form(desk.public_url, "/twilio/voice", tenant["auth_token"],
                                        voice_params(tenant, address, sid))
    answer = webhook.post(desk.ingress_url(), "/twilio/voice", body, headers)
    found = URL.search(answer.body.decode())
    if not found:
        raise Failure(f"a call was answered {answer.status} {answer.body[:300]!r}")
    return sid, html.unescape(found.group(1))


class Sockets:
    """The process with the sockets of these lines, open; it lives until it is closed."""

    def __init__(self, desk, lines, relay, model_port=0):
        self.desk = desk
        path = desk.folder / "calls"
        path.write_text("".join(line + "\n" for line in lines))
        self.child = subprocess.Popen(
            ["taskset", "-c", ",".join(map(str, LOAD_CPU)), str(desk.bin / "bench-voice"), str(path),
             relay, str(model_port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._expect("open")

    def _expect(self, wanted):
        """The lines before the wanted one."""
        lines = []
        for line in self.child.stdout:
            if line.strip() == wanted:
                return lines
            if line.startswith("failed"):
                raise Failure(f"{line.strip()}; no speed is reported")
            lines.append(line)
        raise Failure(f"bench-voice ended with {self.child.wait()}: {lines[-1:]}")

    def run(self, command):
        """The turns of a command, as voice.c prints them."""
        self.child.stdin.write(command + "\n")
        self.child.stdin.flush()
        return [json.loads(line) for line in self._expect("done")]

    def close(self):
        self.child.stdin.close()
        self.child.wait(20)

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        self.close()


class Calls(Sockets):
    """So many calls of new customers, over all businesses in turn; `asks`: their process is the model."""

    def __init__(self, desk, count, asks=True):
        self.sids = []
        lines = []
        for number in range(count):
            tenant, address = desk.tenants[number % len(desk.tenants)], desk.new_address()
            sid, url = ring(desk, tenant, address)
            self.sids.append(sid)
            lines.append(" ".join((sid, url, webhook.signature(tenant["auth_token"], url, []),
                                   tenant["account_sid"], address, tenant["numbers"]["voice"])))
        here = desk.installation
        super().__init__(desk, lines, f"127.0.0.1:{here.relay_ports[0]}",
                         here.stand_ports["model"] if asks else 0)

    def settled(self, turns, outcome):
        """Waits until PostgreSQL has so many turns of these calls, each with this outcome, heard and
        its words answered; else the run counts for nothing."""
        def counts():
            return self.desk.sql(
                "SELECT count(*), count(*) FILTER (WHERE t.outcome = %s), (SELECT count(*) FROM"
                " inbox_events e JOIN channel_sessions c ON c.tenant_id = e.tenant_id"
                " AND c.id = e.session_id WHERE c.call_sid = ANY(%s) AND e.state = 'answered'),"
                " count(d.id) FILTER (WHERE d.state = 'delivered') FROM channel_sessions s JOIN turns t"
                " ON t.tenant_id = s.tenant_id AND t.session_id = s.id LEFT JOIN deliveries d"
                " ON d.tenant_id = t.tenant_id AND d.turn_id = t.id WHERE s.call_sid = ANY(%s)",
                outcome, self.sids, self.sids)[0]
        self.desk.wait(lambda: set(counts()) == {turns}, 20, lambda: (
            f"{turns} turns; turns, those that are {outcome}, answered prompts and heard replies are "
            f"{counts()}: no speed is reported"))


class Bystander:
    """When each prompt, and each turn's first words, could be read from Kafka by somebody who does
    nothing else: a reader of both topics, which begins at their ends."""

    def __init__(self, desk):
        from confluent_kafka import Consumer, TopicPartition
        self.prompts, self.frames, self.ended = {}, {}, threading.Event()
        self.consumer = Consumer({"bootstrap.servers": desk.servers.kafka.address,
                                  "group.id": "bystander", "enable.auto.commit": False})
        ends = []
        for topic in (desk.topic("inbound.voice"), desk.topic("voice.stream")):
            for number in self.consumer.list_topics(topic, 10).topics[topic].partitions:
                end = self.consumer.get_watermark_offsets(TopicPartition(topic, number), 10)[1]
                ends.append(TopicPartition(topic, number, end))
        self.consumer.assign(ends)
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        while not self.ended.is_set():
            message = self.consumer.poll(0.1)
            if message is None or message.error():
                continue
            at, value = time.time_ns() // 1000, json.loads(message.value())
            mark = re.search(r"n-v[0-9a-f]{14}", value.get("text") or "")
            if "number" in value and mark:
                self.prompts[mark.group()] = at
            elif value.get("kind") == "text":
                self.frames.setdefault(value["call_sid"], at)

    def close(self):
        self.ended.set()
        self.thread.join()
        self.consumer.close()
