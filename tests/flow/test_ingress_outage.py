"""ingress while the directory is not read and while Kafka is away: no 2xx without Kafka, ingress
stays up and recovers alone."""

import json
import re
import threading
import time
import uuid

import webhook
from harness.standstill import Standstill
from service import get

OWN_SERVERS = True
DEADLINE_S = 120
CONFIG = {"produce_deadline_ms": 2000}
CUT = re.compile(r"timed out: disconnect \(after (\d+)ms in state ")


def begin(desk):
    """ingress alone, its directory published."""
    return desk.start(engines=0, responders=0, config={"ingress": CONFIG})


class Stream:
    """Webhooks from several senders until stopped; each answer with the time it came."""

    def __init__(self, desk, senders=6):
        self.desk = desk
        self.answers = []
        self.ended = threading.Event()
        self.threads = [threading.Thread(target=self._send) for _ in range(senders)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def _send(self):
        while not self.ended.is_set():
            answer = self.desk.webhook(self.desk.new_address(), "hello")
            answer.ended_at = time.monotonic()
            answer.began_at = answer.ended_at - answer.seconds
            self.answers.append(answer)
            self.ended.wait(0.02)

    def __exit__(self, *_):
        self.ended.set()
        for thread in self.threads:
            thread.join()

    def good(self, since=0.0):
        return [a for a in list(self.answers) if a.status == 200 and a.began_at >= since]


def published(desk):
    return {record.headers["ce_id"].decode() for record in desk.kafka_records("inbound.sms")}


def test_waits_for_the_directory(desk):
    """Unready and 503 until a full publication was read; what is unsigned is 403 all the same."""
    desk.prepare()
    desk.installation.start_edge(1)
    service = desk.add("ingress", 1, {"ingress": CONFIG})
    desk.wait(lambda: get(service.admin_port, "/healthz")[0] == 200, 20, "life")
    desk.wait(lambda: any(line.get("event") == "ingress.listening" for line in desk.log("ingress-1")), 20,
              "its listener")

    def waiting_for():
        status, body = get(service.admin_port, "/readyz")
        return status == 503 and json.loads(body)["waiting_for"] == ["directory"]

    desk.wait(waiting_for, 20, "all but the directory")
    answer = desk.webhook(desk.new_address(), "early")
    assert (answer.status, answer.headers.get("Retry-After")) == (503, "5"), answer
    target = "/twilio/sms"
    assert desk.post(target, [("A", "b")], headers={"X-Twilio-Signature": None}).status == 403
    assert desk.post(target, [("A", "b")], method="GET").status == 405
    desk.installation.publish_directory()
    service.wait_ready()
    assert desk.webhook(desk.new_address(), "now").status == 200


def kafka_gone(desk, take_away, bring_back, away_s):
    """Under load Kafka goes away for a while. Returns nothing; raises when a promise breaks."""
    begin(desk)
    pid = desk.services["ingress-1"].pid
    with Standstill() as still, Stream(desk) as stream:
        desk.wait(lambda: len(stream.good()) > 30, 30, "a load")
        take_away()
        gone_at = time.monotonic()
        desk.wait(lambda: any(a.status == 503 and a.began_at > gone_at for a in stream.answers), 15,
                  "an honest 503")
        while time.monotonic() - gone_at < away_s:
            assert not stream.good(gone_at), "2xx without Kafka"
            time.sleep(0.1)
        refused = [a for a in stream.answers if a.began_at > gone_at]
        assert {a.status for a in refused} == {503}
        assert {a.headers.get("Retry-After") for a in refused} <= {"5", "1"}
        took = max(a.seconds - still.during(a.began_at, a.ended_at) for a in refused)
        assert took < 4, took
        assert get(desk.services["ingress-1"].admin_port, "/healthz")[0] == 200
        bring_back()
        back_at = time.monotonic()
        desk.wait(lambda: len(stream.good(back_at)) > 30, 45, "recovery")
    assert desk.services["ingress-1"].pid == pid, "it was restarted"
    accepted = [a.sid for a in stream.good()]
    missing = set(accepted) - published(desk)
    assert not missing, f"{len(missing)} of {len(accepted)} accepted texts are not in Kafka"


def test_kafka_killed_under_load(desk):
    kafka = desk.servers.kafka
    kafka_gone(desk, kafka.kill, kafka.start, 6)


def test_kafka_frozen_under_load(desk):
    """The broker takes bytes and answers nothing: no 2xx, whatever the socket says."""
    kafka = desk.servers.kafka
    kafka_gone(desk, kafka.freeze, kafka.thaw, 8)


class SlowBroker:
    """Kafka as on a machine that has no time for it: it runs for a moment and then not."""

    def __init__(self, kafka, runs_s, rests_s):
        self.kafka, self.runs_s, self.rests_s = kafka, runs_s, rests_s
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._run)

    def __enter__(self):
        self.thread.start()
        return self

    def _run(self):
        while not self.ended.wait(self.runs_s):
            self.kafka.freeze()
            self.ended.wait(self.rests_s)
            self.kafka.thaw()

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()


def test_kafka_is_back_and_slow(desk):
    """A broker that needs some 100 ms for each request after an outage gets the time it needs: its
    connection is not cut, with all that is in flight, because some records have waited long."""
    begin(desk)
    kafka = desk.servers.kafka
    with Stream(desk, senders=24) as stream:
        desk.wait(lambda: len(stream.good()) > 30, 30, "a load")
        kafka.freeze()
        time.sleep(3)
        kafka.thaw()
        with SlowBroker(kafka, 0.05, 0.5):
            back_at = time.monotonic()
            desk.wait(lambda: len(stream.good(back_at)) > 150, 60, "texts accepted by a slow broker")
    # A request may take the client's own 6 s, so a connection that a slow machine cuts has lasted as long;
    # the rest of a webhook's time cut each new one within 2 s. One may fall to a record at the end of its 30 s.
    cuts = [line["message"] for line in desk.log("ingress-1")
            if line.get("event") == "kafka.client" and line["message"].startswith("[thrd:")
            and "timed out: disconnect" in line["message"]]
    lasted_ms = [int(CUT.search(cut)[1]) for cut in cuts]
    assert sum(ms < 5000 for ms in lasted_ms) <= 1, lasted_ms


def test_started_without_kafka(desk):
    """Comes up unready, answers, and is ready by itself when Kafka is there."""
    begin(desk)
    desk.servers.kafka.kill()
    try:
        service = desk.services["ingress-1"]
        desk.terminate("ingress-1")
        since = len(desk.log("ingress-1"))
        service.start()
        desk.wait(lambda: get(service.admin_port, "/healthz")[0] == 200, 20, "life")
        # The admin listener is there first: until the other one is, nginx answers 502 by itself.
        desk.wait(lambda: any(line.get("event") == "ingress.listening"
                              for line in desk.log("ingress-1")[since:]), 20, "its listener")
        assert get(service.admin_port, "/readyz")[0] == 503
        assert desk.webhook(desk.new_address(), "early").status == 503
    finally:
        desk.servers.kafka.start()
    service.wait_ready(60)
    assert desk.webhook(desk.new_address(), "now").status == 200


def test_many_requests_while_kafka_is_frozen(desk):
    """More requests than concurrency at once: each gets 503 within its deadline, none hangs, and
    the process does not grow."""
    begin(desk)
    kafka = desk.servers.kafka
    assert desk.webhook(desk.new_address(), "before").status == 200
    kafka.freeze()
    try:
        answers = []

        def send():
            answers.append(desk.webhook(desk.new_address(), "hello", timeout_s=15))

        threads = [threading.Thread(target=send) for _ in range(200)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(answers) == 200
        # nginx answers 502 or 504 for a connection that ingress closed or did not take
        assert {a.status for a in answers} <= {503, 502, 504}, {a.status for a in answers}
        assert max(a.seconds for a in answers) < 12
    finally:
        kafka.thaw()
    desk.wait(lambda: desk.webhook(desk.new_address(), "after").status == 200, 30, "recovery")


def test_ends_soon_while_kafka_is_frozen(desk):
    """Records that nobody waits for any more do not hold up the end of the process."""
    begin(desk)
    desk.servers.kafka.freeze()
    try:
        statuses = []  # nginx answers 502 for a connection that the ingress of the test before left behind

        def taken_in():
            statuses.append(desk.webhook(desk.new_address(), "hello").status)
            return statuses[-1] == 503
        desk.wait(taken_in, 20, lambda: f"a text that waits for Kafka: {statuses}")
        begun = time.monotonic()
        desk.terminate("ingress-1")
        took = time.monotonic() - begun
    finally:
        desk.servers.kafka.thaw()
    assert took < 15, f"it took {took:.1f} s of the drain's 25"
    desk.services["ingress-1"].start()
    desk.services["ingress-1"].wait_ready(60)
    desk.wait(lambda: desk.webhook(desk.new_address(), "after").status == 200, 30, "recovery")


def test_statuses_leave_room_for_texts(desk):
    """A flood of status callbacks takes its share of the places and no more: texts that come in the
    middle of it are let in."""
    desk.start(engines=0, responders=0, config={"ingress": {
        "produce_deadline_ms": 12000, "threads": 64, "concurrency": 56, "status_concurrency": 28}})
    tenant = desk.tenants[0]
    tenant_id = desk.value("SELECT id FROM tenants WHERE name = %s", tenant["name"])
    assert desk.webhook(desk.new_address(), "before").status == 200

    def status():
        sid = webhook.new_sid()
        fields = {"MessageSid": sid, "MessageStatus": "sent", "AccountSid": tenant["account_sid"],
                  "From": tenant["numbers"]["sms"], "To": desk.new_address()}
        target = f"/twilio/status?tenant={tenant_id}&delivery={uuid.uuid4()}&attempt=1"
        statuses.append(desk.post(target, list(fields.items())).status)

    def text():
        texts.append(desk.webhook(desk.new_address(), "hello").status)

    statuses, texts = [], []
    desk.servers.kafka.freeze()
    try:
        flood = [threading.Thread(target=status) for _ in range(45)]
        for thread in flood:
            thread.start()
        desk.wait(lambda: len(statuses) == 45 - 28, 5, lambda: f"refusals: {statuses}")
        people = [threading.Thread(target=text) for _ in range(20)]
        for thread in people:
            thread.start()
        desk.wait(lambda: desk.services["ingress-1"].metrics()["frontdesk_ingress_in_flight"] == 48,
                  5, "28 statuses and 20 texts inside")
    finally:
        desk.servers.kafka.thaw()
    for thread in flood + people:
        thread.join()
    assert sorted(statuses) == [204] * 28 + [503] * 17, statuses
    assert texts == [200] * 20, texts


def test_missing_topics_are_named(desk):
    """Without its topics ingress is not ready, as without a broker; its log says which it is."""
    desk.prepare()
    desk.installation.start_edge(1)
    desk.add("ingress", 1, {"ingress": {**CONFIG, "topic_prefix": "nowhere."}})
    try:
        desk.wait(lambda: [line for line in desk.log("ingress-1") if line.get("facility") == "TOPIC"
                           and "nowhere.inbound.sms" in line["message"]], 15, "the topic's name")
    finally:
        desk.stop()


def test_unverifiable_while_kafka_is_away(desk):
    """What should be parked and cannot be is refused with 503: the sender tries again."""
    begin(desk)
    desk.servers.kafka.kill()
    try:
        params = webhook.sms_params(desk.tenants[0]["account_sid"], desk.new_address(),
                                    desk.tenants[0]["numbers"]["sms"], "hi")
        answer = desk.post("/twilio/sms", params, token="wrong")
        assert (answer.status, answer.headers.get("Retry-After")) == (503, "5"), answer
    finally:
        desk.servers.kafka.start()
    desk.wait(lambda: desk.post("/twilio/sms", params, token="wrong").status == 403, 45, "recovery")
