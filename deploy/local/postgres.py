"""PostgreSQL 15 of our own in a state folder: loopback TCP with passwords only, no socket file.

As root it runs as user postgres. Durable by default: fsync may be switched off only by a test that
never kills it.
"""

import base64
import hashlib
import hmac
import os
import secrets
import select
import signal
import time

import psycopg2

from procs import (Child, Failure, children_of, give_file, own_dir, port_open, run_tool, running,
                   server_user)

BIN = "/usr/lib/postgresql/15/bin"
HINT = "Another ./run may be using its folder; FRONTDESK_STATE names another one."

SETTINGS = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
port = {port}
max_connections = 500
shared_buffers = 64MB
max_wal_size = 512MB
fsync = {fsync}
password_encryption = 'scram-sha-256'
log_min_messages = warning
log_line_prefix = '%m [%p] %a %d '
jit = off
autovacuum_naptime = {naptime}
"""


def scram_secret(password):
    """What PostgreSQL keeps of a password (RFC 5802, section 3), with one iteration instead of 4096: those make a
    person's password slow to guess. Ours is 128 random bits, and each connection of each process pays for them."""
    salt = hashlib.sha256(password.encode()).digest()[:16]
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, 1)
    client, server = (hmac.digest(salted, word, "sha256") for word in (b"Client Key", b"Server Key"))
    salt, stored, server = (base64.b64encode(part).decode()
                            for part in (salt, hashlib.sha256(client).digest(), server))
    return f"SCRAM-SHA-256$1:{salt}${stored}:{server}"


class Postgres:
    def __init__(self, folder, port, durable=True):
        self.user = server_user("postgres")
        self.folder = own_dir(folder, self.user)
        self.data = self.folder / "data"
        self.port = port
        self.durable = durable
        self.password_file = self.folder / "password"
        self.child = Child("postgres", [f"{BIN}/postgres", "-D", self.data],
                           self.folder / "postgres.log", user=self.user,
                           stop_signal=signal.SIGINT, death_signal="INT")
        self._idle = {}  # database: connections that nobody uses now

    @property
    def password(self):
        return self.password_file.read_text().strip()

    @property
    def secret(self):
        return scram_secret(self.password)

    def url(self, database="postgres", role="postgres", password=None, port=None):
        return (f"postgresql://{role}:{password or self.password}@127.0.0.1:{port or self.port}"
                f"/{database}")

    def start(self):
        if not (self.data / "PG_VERSION").exists():
            self._init()
        give_file(self.data / "frontdesk.conf",
                  SETTINGS.format(port=self.port, fsync="on" if self.durable else "off",
                                  naptime="20s" if self.durable else "5min"), self.user)
        self.child.start()
        self.child.wait_ready(self._answers, 60, HINT)
        if self.sql("SELECT rolpassword FROM pg_authid WHERE rolname = 'postgres'") != [(self.secret,)]:
            self.sql("ALTER ROLE postgres PASSWORD %s", (self.secret,))
        return self

    def _init(self):
        give_file(self.password_file, secrets.token_hex(16) + "\n", self.user)
        run_tool([f"{BIN}/initdb", "-D", self.data, "-U", "postgres", "-A", "scram-sha-256",
                  "-E", "UTF8", "--locale=C.UTF-8", "-N", f"--pwfile={self.password_file}"],
                 "initdb", HINT, user=self.user)
        with open(self.data / "postgresql.conf", "a") as file:
            file.write("include = 'frontdesk.conf'\n")

    def _answers(self):
        if not port_open(self.port):
            return False
        try:
            psycopg2.connect(self.url(), connect_timeout=2).close()
            return True
        except psycopg2.OperationalError:
            return False

    def stop(self):
        return self.child.stop(20)

    def _freeze(self):
        """Stops the server and all its backends; returns the backends."""
        self.child.freeze()  # first: it must not fork while we look
        pids = children_of(self.child.pid) if self.child.alive() else []
        self._signal(pids, signal.SIGSTOP)
        return pids

    @staticmethod
    def _signal(pids, number):
        for pid in pids:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass

    def freeze(self):
        """SIGSTOP of the server and all its backends, until thaw()."""
        self._freeze()

    def thaw(self):
        self._signal(children_of(self.child.pid), signal.SIGCONT)
        self.child.thaw()

    def kill(self):
        """kill -9 of the server and all its backends, as the end of a machine would."""
        pids = self._freeze()
        self._signal(pids, signal.SIGKILL)
        self.child.kill()
        end = time.monotonic() + 10
        while any(running(pid) for pid in pids):
            if time.monotonic() > end:
                raise Failure("killed PostgreSQL backends do not go away")
            time.sleep(0.01)

    def connect(self, database="postgres", role="postgres", password=None):
        connection = psycopg2.connect(self.url(database, role, password), connect_timeout=10)
        connection.autocommit = True
        return connection

    def sql(self, text, params=None, database="postgres"):
        """Runs one statement as superuser; rows as tuples, [] for a statement without any. Its
        connection is kept for the next one: a new one costs 40 ms, and tests ask all the time."""
        connection = self._take(database)
        try:
            with connection.cursor() as cursor:
                cursor.execute(text, params)
                rows = cursor.fetchall() if cursor.description else []
        except BaseException:
            connection.close()
            raise
        self._idle[database].append(connection)
        return rows

    def _take(self, database):
        """An idle connection that the server has not ended meanwhile, or a new one."""
        idle = self._idle.setdefault(database, [])
        while idle:
            try:
                connection = idle.pop()
            except IndexError:  # another thread was quicker
                break
            silent = select.poll()
            silent.register(connection, select.POLLIN)
            if not silent.poll(0):
                return connection
            connection.close()  # who says something unasked says goodbye
        return self.connect(database)

    def create_database(self, name, template=None):
        if not self.sql("SELECT 1 FROM pg_database WHERE datname = %s", (name,)):
            self.sql(f'CREATE DATABASE "{name}" TEMPLATE "{template or "template1"}"')

    def drop_database(self, name):
        """With whoever is connected; one that is left over costs a worker of autovacuum now and then."""
        for connection in self._idle.pop(name, []):
            connection.close()
        self.sql(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def give_password(self, role):
        """Lets a role that a migration made log in; returns its password (one for all roles)."""
        if not self.sql("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,)):
            raise Failure(f"the migrations made no database role {role}")
        self.sql(f'ALTER ROLE "{role}" LOGIN PASSWORD %s', (self.secret,))
        return self.password
