"""The whole of Frontdesk on one machine: servers, keys, schema, topics, tenants, services.

Servers are PostgreSQL, PgBouncer and Kafka; several installations (database, topic prefix, keys,
stand-ins, services) can share them: ./run has one of each, every file of tests an installation.
"""

import fcntl
import json
import os
import re
import signal
import threading
import time

from build import CHECKOUT
from kafka import Kafka, Runtime
from nginx import Nginx
from pgbouncer import PgBouncer
from postgres import Postgres
from procs import Failure, fixed_port, free_port, give_file, own_dir
from service import Service, Stand, deskctl
from tenants import load_tenants, with_chain, with_server

PORTS = {
    "public": 18080, "ingress": 18081, "admin": 18090, "kafka": 19092, "kafka_controller": 19093,
    "postgres": 15432, "pgbouncer": 16432, "twilio": 18100, "model": 18101,
    "tool": 18102, "relay": 18083,
}
ROLES = {"engine": "frontdesk_engine", "responder": "frontdesk_responder",
         "mailpoller": "frontdesk_mailpoller", "deskctl": "frontdesk_ops",
         "console": "frontdesk_console"}
SERVICES = ("ingress", "engine", "responder")
DRAIN_S = 4


def fixed_ports(what):
    """Ports of ./run: known ones, the next free if taken."""
    return fixed_port(PORTS[what])


def free_ports(_what):
    """Ports of tests: any."""
    return free_port()


class Servers:
    """PostgreSQL behind PgBouncer, and Kafka: small, or as in production, for what is measured."""

    def __init__(self, folder, ports, durable=True, say=lambda text: None, production=False):
        self.folder = own_dir(folder, mode=0o711)
        self.say = say
        self.postgres = Postgres(self.folder / "postgres", ports("postgres"), durable)
        self.pgbouncer = PgBouncer(self.folder / "pgbouncer", ports("pgbouncer"), self.postgres)
        self.kafka = Kafka(self.folder / "kafka", ports("kafka"), ports("kafka_controller"),
                           Runtime(), production=production)
        self.template = None  # a migrated database; then the roles are made and may log in

    def start(self):
        """Kafka takes longest, so the databases start beside it."""
        self.kafka.runtime.make(self.say)
        problems = []

        def databases():
            try:
                self.postgres.start()
                self.pgbouncer.start()
            except Failure as problem:
                problems.append(problem)

        beside = threading.Thread(target=databases)
        beside.start()
        try:
            self.kafka.start()
        finally:
            beside.join()
        if problems:
            raise problems[0]
        return self

    def stop(self):
        for server in (self.kafka, self.pgbouncer, self.postgres):
            server.stop()


class Installation:
    """One Frontdesk on some servers. `ports` gives a port for a name, `direct` by-passes PgBouncer,
    `partitions` is the most that a topic gets of those of schema/topics.yaml,
    `outside` holds what replaces a stand-in: twilio_base_url, model_base_url, public_url; and vendors,
    whose models then stand in the tenant files instead of the one that is there, or own_server: the
    model's address is no vendor's."""

    def __init__(self, servers, folder, bin_dir, ports, database="frontdesk", prefix="desk.",
                 direct=False, outside=None, partitions=None):
        self.servers = servers
        self.folder = own_dir(folder)
        self.bin = bin_dir
        self.ports = ports
        self.database = database
        self.prefix = prefix
        self.direct = direct
        self.outside = outside or {}
        self.keys = self.folder / "keys"
        self.schema = CHECKOUT / "schema" if partitions is None else self._schema_of_few(partitions)
        self.public_port = ports("public")
        self.stand_ports = {name: ports(name) for name in ("twilio", "model")
                            if f"{name}_base_url" not in self.outside}
        self.services = {}
        self.twilio = self.model = self.tool = self.nginx = None
        self.more_models = []
        self.tenants = []
        self.tenant_files = []
        self.secrets = {}
        self.vendors_dir = None  # other vendors than those of deploy/vendors

    def _schema_of_few(self, partitions):
        """The schema with fewer partitions: each costs the broker, and whoever reads it, all the time."""
        schema = own_dir(self.folder / "schema")
        for path in (CHECKOUT / "schema").iterdir():
            if path.name != "topics.yaml" and not (schema / path.name).exists():
                (schema / path.name).symlink_to(path)
        text = (CHECKOUT / "schema" / "topics.yaml").read_text()
        (schema / "topics.yaml").write_text(re.sub(
            r"partitions: (\d+)$", lambda found: f"partitions: {min(int(found[1]), partitions)}", text, flags=re.M))
        return schema

    # Addresses and configuration

    def database_url(self, role):
        if self.direct:
            return self.servers.postgres.url(self.database, role)
        return self.servers.pgbouncer.url(self.database, role)

    @property
    def public_url(self):
        """The base that Twilio signs."""
        return self.outside.get("public_url") or f"http://127.0.0.1:{self.public_port}"

    @property
    def twilio_url(self):
        return self.outside.get("twilio_base_url") or f"http://127.0.0.1:{self.stand_ports['twilio']}"

    @property
    def model_url(self):
        return (self.outside.get("model_base_url")
                or f"http://127.0.0.1:{self.stand_ports['model']}/v1")

    def common(self):
        return {"kafka_brokers": self.servers.kafka.address, "topic_prefix": self.prefix}

    def config_of(self, kind, port=None, relay_port=None):
        """The keys of one service; the one place that knows them (docs/CONFIGURATION.md)."""
        config = self.common()
        if kind == "ingress":
            config.update(listen=f"127.0.0.1:{port}", relay_listen=f"127.0.0.1:{relay_port}",
                          public_url=self.public_url,
                          edge_secret_key_file=self.keys / "edge.secret")
        elif kind == "engine":
            config.update(database_url=self.database_url(ROLES["engine"]),
                          id_key_file=self.keys / "id.key",
                          credentials_key_file=self.keys / "credentials.key")
        elif kind == "responder":
            config.update(database_url=self.database_url(ROLES["responder"]),
                          public_url=self.public_url, twilio_base_url=self.twilio_url,
                          credentials_key_file=self.keys / "credentials.key")
        elif kind == "mailpoller":
            config.update(database_url=self.database_url(ROLES["mailpoller"]),
                          mail_token_key_file=self.keys / "mail.key",
                          credentials_key_file=self.keys / "credentials.key")
        return config

    def deskctl_environment(self):
        config = self.common()
        config.update(database_direct_url=self.servers.postgres.url(self.database),
                      database_url=self.database_url(ROLES["deskctl"]),
                      edge_public_key_file=self.keys / "edge.public",
                      edge_secret_key_file=self.keys / "edge.secret",
                      credentials_key_file=self.keys / "credentials.key",
                      id_key_file=self.keys / "id.key", public_url=self.public_url,
                      twilio_base_url=self.twilio_url, schema_dir=self.schema)
        if self.vendors_dir:
            config["vendors_dir"] = self.vendors_dir
        own = {f"FRONTDESK_{key.upper()}": str(value) for key, value in config.items()}
        return {**own, **self.secrets}

    def deskctl(self, *words, **options):
        return deskctl(self.bin / "deskctl", self.deskctl_environment(), *words, **options)

    # Bringing up

    def start_stands(self, model_options=()):
        """The stand-ins that nothing real replaces. Needs the tenants (their accounts)."""
        logs = own_dir(self.folder / "log")
        if "twilio" in self.stand_ports and self.twilio is None:
            accounts = give_file(self.folder / "accounts.json", json.dumps(self.accounts()))
            self.twilio = Stand("stand-twilio", self.bin / "stand-twilio", logs,
                                self.stand_ports["twilio"], "--accounts", accounts,
                                "--relay-to", f"127.0.0.1:{self.public_port}", "--die-with-parent")
            self.twilio.start().wait_ready()
        self.start_first_model(model_options)

    def start_first_model(self, options=()):
        """The model that every tenant file asks unless it says otherwise."""
        if "model" in self.stand_ports and self.model is None:
            self.model = Stand("stand-model", self.bin / "stand-model",
                               own_dir(self.folder / "log"), self.stand_ports["model"], *options,
                               "--die-with-parent")
            self.model.start().wait_ready()

    def start_model(self):
        """One more stand-in of a model, for a chain of several; only who asks for it gets one."""
        number = len(self.more_models) + 2
        stand = Stand(f"stand-model-{number}", self.bin / "stand-model",
                      own_dir(self.folder / "log"), self.ports("model"), "--die-with-parent")
        self.more_models.append(stand)
        stand.start().wait_ready()
        return stand

    def start_tool(self, key):
        """The stand-in of a tenant's own tool, which demands signatures by this key; only who asks
        for it gets one."""
        if self.tool is None:
            self.tool = Stand("stand-tool", self.bin / "stand-tool", own_dir(self.folder / "log"),
                              self.ports("tool"), "--key", key, "--die-with-parent")
            self.tool.start().wait_ready()
        return self.tool

    def accounts(self):
        """The Twilio stand-in's accounts file."""
        return [{"account_sid": tenant["account_sid"], "auth_token": tenant["auth_token"],
                 "numbers": sorted(set(tenant["numbers"].values())),
                 "services": [tenant["messaging_service_sid"]]
                 if tenant["messaging_service_sid"] else []} for tenant in self.tenants]

    def load_tenants(self, files):
        """Reads the tenant files and makes up the secrets that they name and nobody has set, nor an
        earlier call made up."""
        if "vendors" in self.outside:
            files = with_chain(files, self.outside["vendors"], own_dir(self.folder / "tenants"))
        elif "own_server" in self.outside:
            files = with_server(files, own_dir(self.folder / "tenants"))
        self.tenant_files = files
        known = {**self.secrets, "OPENAI_BASE_URL": self.model_url}
        self.tenants, self.secrets = load_tenants(files, known, self.outside)

    def start_edge(self, ingresses=1):
        """Chooses ingress's ports and puts nginx before them: its address is the public one."""
        self.ingress_ports = [self.ports("ingress") for _ in range(ingresses)]
        self.relay_ports = [self.ports("relay") for _ in range(ingresses)]
        self.nginx = Nginx(self.folder.parent / f"{self.folder.name}-nginx", self.public_port,
                           self.ingress_ports, self.relay_ports)
        self.nginx.start()

    def prepare(self):
        """Keys, schema, roles, topics and tenants; every step may run again."""
        self.servers.postgres.create_database(self.database, self.servers.template)
        own_dir(self.folder / "log")
        if not self.keys.exists():
            self.deskctl("keys", "generate", "--dir", self.keys)
        if not self.servers.template:  # a copy of one is migrated, and its roles may log in
            self.deskctl("db", "migrate")
            for role in ROLES.values():
                self.servers.postgres.give_password(role)
                self.servers.pgbouncer.add_role(role)
        self._make_topics()
        self.deskctl("tenant", "apply", *self.tenant_files, "--yes")

    def _make_topics(self):
        """One installation after the other: a broker that makes those of many at once keeps each waiting
        for longer than deskctl does."""
        with open(self.servers.folder / "topics.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self.deskctl("topics", "apply")

    def publish_directory(self):
        self.deskctl("directory", "publish")

    def add(self, kind, number=1, config=None, environment=None):
        """Starts one more service process; wait_ready() is the caller's."""
        name = f"{kind}-{number}"
        ports = ([self.ingress_ports[number - 1], self.relay_ports[number - 1]]
                 if kind == "ingress" else [])
        keys = {**self.config_of(kind, *ports), "instance": name, **(config or {})}
        service = Service(name, self.bin / f"frontdesk-{kind}", own_dir(self.folder / "log"), keys,
                          self.ports("admin"), {**self.secrets, **(environment or {})})
        self.services[name] = service
        return service.start()

    def stop_services(self):
        """SIGTERM to all at once, then waits: they drain side by side. A second one, which ends a service
        where it is, comes to members of a group only after DRAIN_S: whoever leaves his group lets the next
        ones in at once, and not when his session is over. Ingress is in none; it has as long as they take."""
        for service in self.services.values():
            service.thaw()
            service.child.signal(signal.SIGTERM)
        end = time.monotonic() + DRAIN_S
        for name, service in self.services.items():
            if not name.startswith("ingress"):
                service.child.ended(max(0, end - time.monotonic()))
        codes = {name: service.stop() for name, service in self.services.items()}
        self.services.clear()
        return codes

    def stop(self):
        codes = self.stop_services()
        for part in (self.nginx, self.twilio, self.model, self.tool, *self.more_models):
            if part:
                part.stop()
        return codes

    # For people and tools

    def endpoints(self):
        admin = {name: f"http://127.0.0.1:{service.admin_port}"
                 for name, service in self.services.items()}
        return {
            "ingress_url": self.nginx.url,
            "public_url": self.public_url,
            "admin_url": admin.get("ingress-1"),
            "admin_urls": admin,
            "kafka": self.servers.kafka.address,
            "topic_prefix": self.prefix,
            "postgres": self.servers.postgres.url(self.database),
            "pgbouncer": self.servers.pgbouncer.url(self.database, "postgres"),
            "twilio_stand_url": self.twilio and self.twilio.url,
            "model_stand_url": self.model and self.model.url,
            "deskctl": self.deskctl_environment(),
            "state": str(self.folder),
            "tenants": self.tenants,
        }


def state_root():
    """The folder for everything that a run writes; outside the checkout."""
    return os.environ.get("FRONTDESK_STATE") or f"/var/tmp/frontdesk-{os.geteuid()}"
