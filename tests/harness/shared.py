"""Kafka and PostgreSQL behind PgBouncer, started once for all suites of a ./test.

main.py starts them when the first file needs them and stops them at the end; a suite attaches by the
file shared.json, with its own database and topic prefix. Roles belong to the whole server and
PostgreSQL does not let two sessions alter one at once: they are made here, with a migrated template
database, and not again for every file.
"""

import json
import os
import re
import shutil
import threading
from pathlib import Path

import harness  # noqa: F401  (it sets the path to deploy/local)
from build import CHECKOUT, bin_dir
from procs import Failure, give_file, own_dir, private_root
from service import deskctl
from stack import ROLES, Servers, free_ports, state_root

TEMPLATE = "frontdesk_template"
MEMORY = "/dev/shm"
MEMORY_BYTES = 4 << 30  # ten times what has been seen in use


def memory_free():
    """Bytes that files in memory may take; 0 where there is no place for them."""
    if not os.path.ismount(MEMORY):
        return 0
    room = os.statvfs(MEMORY)
    available = re.search(r"^MemAvailable: +([0-9]+) kB", Path("/proc/meminfo").read_text(), re.M)
    return min(room.f_bavail * room.f_frsize, int(available[1]) << 10)


def prepare_state():
    """Chooses the folder for what tests write, and removes what is left in it of tests that were killed with -9. In
    memory if there is room: each database is more than a thousand files, each topic a dozen, and on a disk their
    making and removing took a quarter of the processor time of ./test. No test cuts the power."""
    if not os.environ.get("FRONTDESK_STATE") and memory_free() >= MEMORY_BYTES:
        os.environ["FRONTDESK_STATE"] = f"{MEMORY}/frontdesk-{os.geteuid()}"
    for folder in private_root(state_root()).glob("test-*-*"):
        pid = folder.name.rpartition("-")[2]
        if not os.path.exists(f"/proc/{pid}"):
            shutil.rmtree(folder, ignore_errors=True)


def start(folder, preset):
    """Servers that never survive a kill, with roles and template; `preset`: whose deskctl."""
    ports = {}

    def remember(name):
        ports[name] = free_ports(name)
        return ports[name]

    servers = Servers(folder, remember, durable=False)
    try:
        servers.start()
        servers.postgres.create_database(TEMPLATE)
        url = servers.postgres.url(TEMPLATE)
        deskctl(bin_dir(preset) / "deskctl",
                {"FRONTDESK_DATABASE_DIRECT_URL": url, "FRONTDESK_DATABASE_URL": url,
                 "FRONTDESK_SCHEMA_DIR": str(CHECKOUT / "schema")}, "db", "migrate")
        for role in ROLES.values():
            servers.postgres.give_password(role)
            servers.pgbouncer.add_role(role)
    except BaseException:
        servers.stop()
        raise
    servers.template = TEMPLATE
    give_file(servers.folder / "shared.json", json.dumps(ports))
    return servers


class Borrowed:
    """Stands where a server's process would be: whoever wants to stop or freeze it needs its own."""

    def __getattr__(self, name):
        raise Failure("these servers serve other tests too: say OWN_SERVERS = True in the file")


def attach(folder):
    """The servers that another process started there: addresses and SQL, nothing to kill."""
    folder = Path(folder)
    ports = json.loads((folder / "shared.json").read_text())
    servers = Servers(folder, ports.get, durable=False)
    servers.template = TEMPLATE
    for server in (servers.kafka, servers.postgres, servers.pgbouncer):
        server.child = Borrowed()
    servers.stop = lambda: None  # whoever started them does
    return servers


class Shared:
    """Started at the first get() of any thread."""

    def __init__(self, preset="debug"):
        self.preset = preset
        self.lock = threading.Lock()
        self.servers = None

    def get(self):
        """Their folder, for attach()."""
        with self.lock:
            if self.servers is None:
                self.folder = own_dir(private_root(state_root()) / f"test-servers-{os.getpid()}", mode=0o711)
                self.servers = start(self.folder / "servers", self.preset)
            return self.servers.folder

    def stop(self):
        with self.lock:
            if self.servers:
                self.servers.stop()
                shutil.rmtree(self.folder, ignore_errors=True)
                self.servers = None
