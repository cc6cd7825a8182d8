"""What the rows of all suites stand on: an installation with many businesses, signed webhooks ready
to be sent, and the ledgers that tell whether each was answered once.
"""

import json
import os
import secrets
import subprocess
from pathlib import Path

import webhook
from harness import oracle
from harness.desk import Desk
from harness.suite import DEFAULTS
from measure import LOAD_CPU, SYSTEM_CPU, cpu_seconds, fire, own_of, pin, write_tenants
from procs import Failure

CHECKOUT = Path(__file__).resolve().parents[2]
TENANTS = 200
CLIENTS = 48
HOT = 0   # a floor as fast as it goes
QUARANTINE_PARTITIONS, INBOUND_PARTITIONS = 3, 24
# The harness shortens times for tests; here they are production's, but for the burst window.
PRODUCTION = {
    "engine": {"burst_ms": 0, "burst_max_ms": 0, "log_level": "warn", "worker_lease_ms": 4000,
               "adopt_every_ms": 1000, "turn_deadline_ms": 30000, "adopter_deadline_ms": 5000,
               "session_timeout_ms": 30000, "heartbeat_ms": 3000},
    "ingress": {"log_level": "warn"},
    "responder": {"log_level": "warn", "worker_lease_ms": 4000, "adopt_every_ms": 1000,
                  "lookup_after_ms": 0, "request_timeout_ms": 30000, "session_timeout_ms": 30000,
                  "heartbeat_ms": 3000},
}


class BenchDesk(Desk):
    """An installation with `tenant_count` businesses, which have channels of these kinds; `model`
    replaces settings of their model."""

    def __init__(self, servers, folder, name, tenant_count=TENANTS, model=None, kinds=("sms",)):
        super().__init__(servers, folder, name, {**DEFAULTS, "BUILD": "release", "PARTITIONS": None})
        self.tenant_count = tenant_count
        self.model_settings = model or {}
        self.kinds = kinds

    def prepare(self):
        if self._prepared:
            return
        here = self.installation
        self.files = write_tenants(self.folder / "tenants",
                                   CHECKOUT / "deploy" / "tenants" / "dental.yaml",
                                   self.tenant_count, self.model_settings, self.kinds)
        here.load_tenants(self.files)
        here.start_stands()
        here.tenant_files = self.files[:50]  # as many as a command line of deskctl takes
        here.prepare()
        self.apply(self.files[50:])
        self._prepared = True

    def grow(self, count):
        """As many businesses as that, at least; services start anew afterwards. The accounts of all are known
        to the stand-in of Twilio from its start."""
        here, folder = self.installation, self.folder / "tenants"
        self.prepare()
        if count <= len(self.files):
            return
        files = write_tenants(folder, CHECKOUT / "deploy" / "tenants" / "dental.yaml", count, self.model_settings)
        for number in range(len(self.files) + 1, count + 1):
            own = own_of(number)
            here.secrets[own["token"]] = secrets.token_hex(16)
            here.tenants.append({**here.tenants[0], "name": own["name"], "account_sid": own["account_sid"],
                                 "auth_token": here.secrets[own["token"]], "numbers": {"sms": own["number"]}})
        self.stop()
        here.twilio.stop()
        here.twilio = None
        here.start_stands()
        self.apply(files[len(self.files):])
        self.files = files

    def apply(self, files):
        for first in range(0, len(files), 50):
            self.installation.deskctl("tenant", "apply", *files[first:first + 50], "--yes")

    def model_with(self, *options):
        """The model stand-in anew, with these options of its command line; same address."""
        here = self.installation
        here.model.stop()
        here.model = None
        here.start_stands(model_options=options)
        pin(here.model.pid, LOAD_CPU)

    def stats(self, stand):
        return self._call(stand, "/_stats")


class Bench:
    def __init__(self, desk, report, pairs=5, deadline_s=180):
        self.desk = desk
        self.report = report
        self.row = report.row
        self.pairs = pairs
        self.deadline_s = deadline_s
        self.floor_program = desk.bin / "bench-floor"
        self.kafka = desk.servers.kafka.address
        self.sent_before = self.read = 0  # entries of the Twilio stand-in's ledger
        self.tag = 0

    @property
    def port(self):
        """Of ingress itself, without nginx."""
        return int(self.desk.ingress_url().rsplit(":", 1)[1])

    def floor(self, *words, cpus=None, program="bench-floor", deadline_s=300):
        """One floor measurement as a dictionary."""
        command = [str(self.desk.bin / program), *map(str, words)]
        if cpus and os.cpu_count() > 1:
            command = ["taskset", "-c", ",".join(map(str, cpus)), *command]
        done = subprocess.run(command, capture_output=True, text=True, timeout=deadline_s,
                              check=False)
        if done.returncode != 0:
            raise Failure(f"{words[0]}: {done.stderr.strip()}")
        return json.loads(done.stdout)

    @staticmethod
    def peer(name):
        return str(CHECKOUT / "tests" / "bench" / "peers" / name)

    def pids(self, kinds=("ingress", "engine", "responder")):
        return [service.pid for name, service in self.desk.services.items()
                if name.split("-")[0] in kinds]

    def pin_all(self):
        for service in self.desk.services.values():
            pin(service.pid, SYSTEM_CPU)
        for stand in (self.desk.installation.twilio, self.desk.installation.model):
            pin(stand.pid, LOAD_CPU)
        os.sched_setaffinity(0, LOAD_CPU if os.cpu_count() > 1 else {0})

    def unpin_all(self):
        """Everything on every core."""
        everywhere = set(range(os.cpu_count()))
        for service in self.desk.services.values():
            pin(service.pid, everywhere)
        for stand in (self.desk.installation.twilio, self.desk.installation.model):
            pin(stand.pid, everywhere)
        os.sched_setaffinity(0, everywhere)

    @staticmethod
    def cpu_of(pids, work):
        """Microseconds of these processes while work() runs."""
        begin = cpu_seconds(pids)
        work()
        return (cpu_seconds(pids) - begin) * 1e6

    # Texts

    def request(self, nonce, address, tenant, sid=None, words="hello"):
        """One signed webhook as bytes."""
        params = webhook.sms_params(tenant["account_sid"], address, tenant["numbers"]["sms"],
                                    f"{words} {nonce}", sid)
        body, headers = webhook.signed_form(self.desk.public_url, "/twilio/sms",
                                            tenant["auth_token"], params)
        head = "".join(f"{key}: {value}\r\n" for key, value in headers.items())
        return (f"POST /twilio/sms HTTP/1.1\r\nHost: desk\r\n{head}"
                f"Content-Length: {len(body)}\r\n\r\n").encode() + body

    def requests(self, count, addresses, tag, tenants=None, words=("hello",)):
        """Ready-made signed webhooks as bytes, and their nonces; they say these words in turn."""
        tenants = tenants or self.desk.tenants
        nonces = [f"n-{tag}{number:06x}" for number in range(count)]
        return nonces, [self.request(nonce, addresses[number % len(addresses)],
                                     tenants[number % len(tenants)],
                                     words=words[number % len(words)])
                        for number, nonce in enumerate(nonces)]

    def fresh(self, count, tenants=None, words=("hello",)):
        """The same for so many customers who have never written."""
        self.tag += 1
        addresses = [self.desk.new_address() for _ in range(count)]
        return self.requests(count, addresses, f"w{self.tag:02x}x", tenants, words)

    def send(self, load):
        return fire(load, CLIENTS, self.port)

    def answered(self):
        """{nonce: when Twilio took the reply to it} of all since the last settle(); a nonce that was
        answered twice ends the run."""
        times, ledger = {}, self.desk.ledger("twilio", self.sent_before)
        self.read = len(ledger)
        for entry in oracle.created(ledger):
            for nonce in oracle.new_nonces(entry["params"].get("Body", "")):
                if nonce in times:
                    raise Failure(f"{nonce} was answered twice; no speed is reported")
                times[nonce] = entry["time"] / 1000
        return times

    def settle(self, nonces):
        """Waits until each nonce is in exactly one message that left; returns when they did. Looks
        at the ledger only when it may hold all: reading it takes the time of those under load."""
        wanted, begin = set(nonces), self.sent_before

        def all_there():
            return (self.desk.stats("twilio")["ledger"] >= begin + len(wanted)
                    and wanted <= set(self.answered()))
        self.desk.wait(all_there, self.deadline_s, "all texts answered; else no speed is reported")
        times = self.answered()
        self.sent_before += self.read
        return times
