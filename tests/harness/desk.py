"""What a test gets: one installation of Frontdesk and hands to drive, watch and break it."""

import contextlib
import json
import secrets
import time
import urllib.request
from types import SimpleNamespace

from harness import CHECKOUT, oracle
from harness.load import Load, addresses_of
from harness.stops import Stops

import webhook
from build import bin_dir
from procs import Deadline, Failure, own_dir, tail, wait_for
from stack import Installation, free_ports

# How much longer than usual a condition may take to come, on a machine that many share.
PATIENCE = 3
PATIENT_FROM_S = 5

# Times that production counts in seconds; short, so that a test of a lapsed lease is quick. adopt_every_ms stays as it
# is: a look is ten statements of each worker, and most work is told of.
QUICK = {
    "ingress": {},
    "engine": {"worker_lease_ms": 2000, "burst_ms": 300, "burst_max_ms": 1200,
               "turn_deadline_ms": 10000, "adopter_deadline_ms": 5000,
               "session_timeout_ms": 3000, "heartbeat_ms": 600,
               "voice_heard_wait_ms": 6000,  # these leases are over long before the group misses an engine
               "loop_replies": 0},  # a load texts faster than people
    "responder": {"worker_lease_ms": 2000, "lookup_after_ms": 3000,
                  "request_timeout_ms": 5000, "session_timeout_ms": 3000, "heartbeat_ms": 600,
                  "gap_audit_every_ms": 0},  # it would find what a test keeps from the inbox
    "mailpoller": {"worker_lease_ms": 2000, "adopt_every_ms": 200, "poll_every_ms": 300,
                   "idle_ms": 2000, "retry_ms": 200, "retry_max_ms": 1000, "login_retry_ms": 1000,
                   "command_timeout_ms": 10000},
}


def patient(deadline_s):
    return deadline_s * PATIENCE if deadline_s >= PATIENT_FROM_S else deadline_s


class Desk:
    """`options` is what the test file says about itself (harness/__init__.py)."""

    def __init__(self, servers, folder, name, options):
        self.servers = servers
        self.name = name
        self.options = options
        self.folder = own_dir(folder)
        self._addresses = addresses_of("+1555")
        self.bin = bin_dir(options["BUILD"])
        mark = f"{name}-{secrets.token_hex(3)}"
        self.installation = Installation(
            servers, self.folder, self.bin, free_ports, database=mark.replace("-", "_"),
            prefix=f"{mark}.", direct=options["DIRECT"], partitions=options["PARTITIONS"])
        self.stops = Stops(self.folder / "stops")
        self._prepared = False
        self._running = None
        self._kept_producer = None

    # Starting

    def prepare(self):
        """Stand-ins, keys, schema, topics, tenants; once for a file."""
        if self._prepared:
            return
        here = self.installation
        here.load_tenants(sorted((CHECKOUT / "deploy" / "tenants").glob("*.yaml")))
        here.start_stands()
        here.prepare()
        self._prepared = True

    def start(self, ingresses=1, engines=2, responders=2, config=None, directory=True):
        """Brings the services up and waits until all are ready. config: {kind or name: {key:
        value}}. Under SHARE a second call with the same arguments does nothing. ingresses=0 leaves
        out nginx too."""
        wanted = (ingresses, engines, responders, json.dumps(config or {}, sort_keys=True))
        if self._running == wanted and all(s.alive() for s in self.services.values()):
            return self
        self.stop()
        self.prepare()
        here = self.installation
        if ingresses:
            here.start_edge(ingresses)
        counts = {"engine": engines, "responder": responders, "ingress": ingresses}
        for kind, count in counts.items():
            for number in range(1, count + 1):
                self.add(kind, number, config)
        if directory:
            here.publish_directory()
        for service in self.services.values():
            service.wait_ready()
        self._running = wanted
        return self

    def add(self, kind, number, config=None):
        """Starts one more service (engine-3 is add("engine", 3)) without waiting for it."""
        given = config or {}
        keys = {**QUICK[kind], **given.get(kind, {}), **given.get(f"{kind}-{number}", {})}
        return self.installation.add(kind, number, keys, {
            "FRONTDESK_STOP_FILE": str(self.stops.path),
            "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0:exitcode=99",
            "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1:exitcode=99",
            # A second signal ends a service at once, with its threads at work.
            "TSAN_OPTIONS": "exitcode=99:report_thread_leaks=0:"
                            f"suppressions={CHECKOUT / 'tests' / 'tsan.supp'}",
        })

    def stop(self):
        """Drains the services. A sanitizer's exit code is a failure of the test that caused it."""
        self._running = None
        codes = self.installation.stop_services()
        if self.installation.nginx:
            self.installation.nginx.stop()
        bad = [name for name, code in codes.items() if code == 99]
        if bad:
            raise Failure("a sanitizer spoke up in " + "; ".join(
                f"{name}:\n{tail(self.log_of(name), 40)}" for name in bad))

    def finish(self):
        """Ends everything that belongs to this file."""
        try:
            self.stop()
        finally:
            self.installation.stop()
            if self._prepared and not self.options["OWN_SERVERS"]:
                self._delete_topics()
                self.servers.postgres.drop_database(self.installation.database)

    def _delete_topics(self):
        """The Kafka that all files share would fill up: each file has some 50 partitions."""
        from confluent_kafka import KafkaException
        from confluent_kafka.admin import AdminClient
        try:
            admin = AdminClient({"bootstrap.servers": self.servers.kafka.address, "log_level": 2})
            names = [name for name in admin.list_topics(timeout=20).topics
                     if name.startswith(self.installation.prefix)]
            for deleted in admin.delete_topics(names, operation_timeout=20).values():
                deleted.result()
        except (KafkaException, ValueError):
            pass  # only tidiness: no test asks for it

    # Services

    @property
    def services(self):
        return self.installation.services

    def service(self, name):
        return self.services[name]

    def kill(self, name):
        """kill -9; returns the process id that died."""
        pid = self.services[name].pid
        self.services[name].kill()
        return pid

    def freeze(self, name):
        self.services[name].freeze()

    def thaw(self, name):
        self.services[name].thaw()

    def terminate(self, name):
        """SIGTERM and the exit code, -9 if it has not ended long after its drain must have."""
        return self.services[name].stop(40)

    def restart(self, name, wait=True):
        return self.services[name].restart(wait)

    def revive(self, kinds=("ingress", "engine", "responder"), wait=True):
        """Starts again what has died, or is dying of a stop point; returns the names."""
        struck = self.stops.struck()

        def dying():
            return [name for name, service in self.services.items() if service.alive() and service.pid in struck]
        with contextlib.suppress(Deadline):  # who lives on has got the process id of somebody dead
            wait_for(lambda: not dying(), 10, "")
        dead = [name for name, service in self.services.items()
                if name.rpartition("-")[0] in kinds and not service.alive()]
        for name in dead:
            self.services[name].start()
        if wait:
            for name in dead:
                self.services[name].wait_ready()
        return dead

    def log_of(self, name):
        return self.installation.folder / "log" / f"{name}.log"

    def log(self, name):
        """A service's log as a list of dicts (its lines are JSON); other lines are left out."""
        lines = []
        for line in self.log_of(name).read_text("utf-8", "replace").splitlines():
            try:
                lines.append(json.loads(line))
            except ValueError:
                continue
        return lines

    def last_words(self):
        """The ends of all logs, for the report of a failed test."""
        logs = sorted((self.installation.folder / "log").glob("*.log")) + [self.servers.kafka.log]
        return "\n".join(f"  {log.name}:\n{tail(log, 12)}" for log in logs)

    # Customers

    @property
    def tenants(self):
        return self.installation.tenants

    def tenant(self, which=0):
        """A tenant by number or name."""
        if isinstance(which, int):
            return SimpleNamespace(**self.tenants[which])
        return SimpleNamespace(**next(t for t in self.tenants if t["name"] == which))

    @property
    def public_url(self):
        return self.installation.public_url

    def ingress_url(self, number=1):
        """Ingress itself, without nginx."""
        return f"http://127.0.0.1:{self.installation.ingress_ports[number - 1]}"

    def new_address(self):
        return next(self._addresses)

    def new_nonce(self):
        return "n-" + secrets.token_hex(5)

    def webhook(self, from_, body, tenant=0, sid=None, direct=False, timeout_s=15, **extra):
        """A text to the tenant's number, signed like Twilio. direct: by-passing nginx. Extra
        keywords replace parameters. Returns the Answer, with .sid."""
        sid, answer = webhook.send_sms(
            self.tenants[tenant], self.public_url, from_, body, sid=sid, timeout_s=timeout_s,
            send_url=self.ingress_url() if direct else None, **extra)
        answer.sid = sid
        return answer

    def post(self, target, params, token=None, direct=False, headers=None, **options):
        """Any form to any path, signed with `token` (default: the first tenant's; headers may
        replace the signature, None removes one)."""
        body, signed = webhook.signed_form(self.public_url, target,
                                           token or self.tenants[0]["auth_token"], params)
        signed.update(headers or {})
        signed = {name: value for name, value in signed.items() if value is not None}
        base = self.ingress_url() if direct else self.public_url
        return webhook.post(base, target, options.pop("body", body), signed, **options)

    def load(self, **options):
        """A load client (harness/load.py) aimed at this desk's nginx."""
        return Load(self.public_url, self.tenants, **options)

    # Stand-ins

    def start_tool(self):
        """Brings up the stand-in of a tenant's own tool; a tenant file names its secret as
        env:TOOL_SECRET. Returns its URL."""
        self.prepare()
        here = self.installation
        return here.start_tool(here.secrets.setdefault("TOOL_SECRET", secrets.token_hex(16))).url

    def stand_url(self, stand):
        here = self.installation
        return {"twilio": here.twilio, "model": here.model, "tool": here.tool}[stand].url

    def _call(self, stand, path, data=None):
        body = None if data is None else json.dumps(data).encode()
        request = urllib.request.Request(self.stand_url(stand) + path, body,
                                         {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            text = answer.read()
        return json.loads(text) if text.strip() else None

    def ledger(self, stand, since=0):
        """What the stand-in accepted, oldest first; without the first `since` entries."""
        return self._call(stand, f"/_ledger?since={since}")

    def faults(self, stand, *rules):
        """Replaces the stand-in's fault rules (tests/stands/lib/faults.h); none: no faults."""
        return self._call(stand, "/_faults", {"rules": list(rules)})

    def fired(self, stand):
        """[{"matched", "fired", "type"}] of the stand-in's rules: how often each struck."""
        return self._call(stand, "/_faults")

    def callbacks(self, since=0):
        """What the Twilio stand-in sent to us: status callbacks and webhooks, with our answers."""
        return self._call("twilio", f"/_callbacks?since={since}")

    def inbound(self, from_, body, tenant=0, deliver=True, **more):
        """A text that Twilio itself has on record (`deskctl reconcile` finds it there); deliver:
        also as a webhook, else it is lost on the way. Returns {"sid", "http_status", ...}."""
        known = self.tenants[tenant]
        request = {"account_sid": known["account_sid"], "from": from_,
                   "to": known["numbers"]["sms"], "body": body, **more}
        if deliver:
            request["url"] = self.public_url + "/twilio/sms"
        return self._call("twilio", "/_inbound", request)

    def date_back(self, sid, ms):
        """As if Twilio had made that message at this time (epoch ms)."""
        return self._call("twilio", "/_dates", {"sid": sid, "date": ms})

    def refuse(self, stand, ms):
        """Closes the stand-in's listening socket for so long."""
        return self._call(stand, "/_refuse", {"ms": ms})

    def reset(self, stand=None):
        """Empties ledger and faults of one stand-in, or of all that are up."""
        tool = ["tool"] if self.installation.tool else []
        for name in [stand] if stand else ["twilio", "model", *tool]:
            self._call(name, "/_reset", {})

    def sent_to(self, address):
        """Bodies that the Twilio stand-in accepted for this address, in order."""
        return [entry["params"].get("Body", "") for entry in self.sent()
                if entry["params"].get("To") == address]

    def sent(self):
        """Ledger entries of messages that Twilio accepted, also those whose answer got lost."""
        return oracle.created(self.ledger("twilio"))

    # The verdict (harness/oracle.py)

    def degraded_turns(self):
        """Turns that ended without the model, with the texts that they settled."""
        rows = self.sql(
            "SELECT d.id::text, array_remove(array_agg(e.provider_id), NULL),"
            " u.outcome || ', lost ' || u.tries || ' times' FROM turns u"
            " JOIN deliveries d ON d.tenant_id = u.tenant_id AND d.turn_id = u.id"
            " LEFT JOIN inbox_events e ON e.tenant_id = u.tenant_id AND e.turn_id = u.id"
            " WHERE u.outcome IN ('fallback', 'degraded', 'budget_spent') GROUP BY d.id,"
            " u.outcome, u.tries")
        return [oracle.DegradedTurn(*row) for row in rows]

    def _evidence(self):
        """The stand-in's ledger, and only if it holds what quotes nothing, the rows behind it."""
        ledger = self.ledger("twilio")
        quoted = all(oracle.NONCE.search(entry["params"].get("Body") or "")
                     for entry in oracle.created(ledger))
        return ledger, [] if quoted else self.degraded_turns()

    def judge(self, texts):
        """The oracle's verdict about the texts of a load."""
        return oracle.judge(texts, *self._evidence())

    def open_texts(self, texts):
        """Accepted texts of a load that no reply has answered yet."""
        return oracle.open_texts(texts, *self._evidence())

    def fates(self, texts):
        """What the rows say of some texts, for a complaint."""
        return self.sql(
            "SELECT e.provider_id, e.state, e.reason, u.state, u.outcome, u.tries, d.id::text,"
            " d.state, d.reason, d.attempts, d.provider_sid, s.due_at::text, s.worker::text"
            " FROM inbox_events e JOIN channel_sessions s ON s.tenant_id = e.tenant_id"
            " AND s.id = e.session_id LEFT JOIN turns u ON u.tenant_id = e.tenant_id"
            " AND u.id = e.turn_id LEFT JOIN deliveries d ON d.tenant_id = u.tenant_id"
            " AND d.turn_id = u.id WHERE e.provider_id = ANY(%s)", [text.sid for text in texts])

    def wait_answers(self, texts, deadline_s=60, more=lambda: ""):
        """Waits until no text is open; `more()` is added to the complaint."""
        def complaint():
            left = self.open_texts(texts)
            rows = "".join(f"\n  {row}" for row in self.fates(left[:5]))
            return f"answers to {len(left)} texts, as {left[:2]}{rows}{more()}"
        self.wait(lambda: not self.open_texts(texts), deadline_s, complaint)

    # Database and Kafka

    def sql(self, text, *params):
        """Rows as tuples, as superuser."""
        self.prepare()
        return self.servers.postgres.sql(text, params or None, self.installation.database)

    def value(self, text, *params):
        """The one value of a query; None without a row."""
        rows = self.sql(text, *params)
        return rows[0][0] if rows else None

    def topic(self, name):
        return self.installation.prefix + name

    def produce(self, topic, key, value, headers=None, partition=None):
        """One record, acknowledged by the broker. value: bytes, str or something for JSON."""
        producer = self.producer()
        if not isinstance(value, (bytes, str, type(None))):
            value = json.dumps(value)
        where = {} if partition is None else {"partition": partition}
        problems = []
        producer.produce(self.topic(topic), value, key, headers=headers,
                         on_delivery=lambda error, _: error and problems.append(error), **where)
        if producer.flush(20) or problems:
            raise Failure(f"producing to {topic}: {problems or 'no answer from Kafka'}")

    def producer(self):
        """One for the file: each new one asks the broker for its metadata first."""
        if self._kept_producer is None:
            from confluent_kafka import Producer
            self._kept_producer = Producer({
                "bootstrap.servers": self.servers.kafka.address, "acks": "all", "linger.ms": 5,
                "partitioner": "murmur2_random", "reconnect.backoff.max.ms": 500,
                "log_level": 2})  # a test may kill its broker
        return self._kept_producer

    def kafka_records(self, topic, deadline_s=15 * PATIENCE):
        """Every record that the topic holds now, partition by partition."""
        from confluent_kafka import Consumer, TopicPartition
        consumer = Consumer({"bootstrap.servers": self.servers.kafka.address,
                             "group.id": f"reader-{secrets.token_hex(4)}",
                             "enable.auto.commit": False})
        try:
            full = self.topic(topic)
            ends = wait_for(lambda: self._ends(consumer, full), deadline_s, f"all leaders of {full}")
            left = {number: high for number, (low, high) in ends.items() if high > low}
            consumer.assign([TopicPartition(full, n, ends[n][0]) for n in left])
            return self._read_until(consumer, left, deadline_s)
        finally:
            consumer.close()

    @staticmethod
    def _ends(consumer, topic):
        """{partition: (first, behind the last)}; None while a broker that has just come back leads not all of them."""
        from confluent_kafka import KafkaError, KafkaException, TopicPartition
        try:
            return {number: consumer.get_watermark_offsets(TopicPartition(topic, number), 10)
                    for number in consumer.list_topics(topic, 10).topics[topic].partitions}
        except KafkaException as problem:
            if problem.args[0].code() not in (KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.LEADER_NOT_AVAILABLE,
                                              KafkaError._UNKNOWN_PARTITION):
                raise
            return None

    @staticmethod
    def _read_until(consumer, left, deadline_s):
        records, end = [], time.monotonic() + deadline_s
        while left:
            if time.monotonic() > end:
                raise Deadline(f"records still missing at {left}")
            message = consumer.poll(0.2)
            if message is None or message.error():
                continue
            records.append(SimpleNamespace(
                partition=message.partition(), offset=message.offset(), key=message.key(),
                value=message.value(), headers=dict(message.headers() or []),
                json=lambda data=message.value(): json.loads(data)))
            if message.offset() + 1 >= left.get(message.partition(), 1 << 62):
                del left[message.partition()]
        return sorted(records, key=lambda record: (record.partition, record.offset))

    # Waiting

    def wait(self, condition, deadline_s=20, what="the condition of the test"):
        """Polls until condition() is true and returns its value; a dead service is no reason to
        stop waiting (tests kill them). What should come soon is given longer: a busy machine is no
        fault of ours. Less than PATIENT_FROM_S is meant as it is said."""
        return wait_for(condition, patient(deadline_s), what, 0.05)

    def wait_replies(self, address, count, deadline_s=30):
        """Waits until the address got `count` messages and returns their bodies."""
        self.wait(lambda: len(self.sent_to(address)) >= count, deadline_s,
                  lambda: f"{count} replies to {address}, got {self.sent_to(address)}")
        return self.sent_to(address)

    def settled(self, window_s, check, deadline_s=60, what="a quiet state"):
        """Waits until check() gives the same value for window_s: for "and nothing more came"."""
        seen = [check(), time.monotonic()]

        def quiet():
            now = check()
            if now != seen[0]:
                seen[:] = [now, time.monotonic()]
            return time.monotonic() - seen[1] >= window_s
        wait_for(quiet, patient(deadline_s), what, 0.1)
        return seen[0]
