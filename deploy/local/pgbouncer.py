"""PgBouncer with transaction pooling before our PostgreSQL: what production (Neon) looks like."""

import signal

import psycopg2

from procs import Child, give_file, own_dir, port_open, server_user

CONFIG = """[databases]
* = host=127.0.0.1 port={postgres_port}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {userlist}
pool_mode = transaction
max_client_conn = 5000
default_pool_size = {pool_size}
server_login_retry = 1
server_idle_timeout = 60
log_connections = 0
log_disconnections = 0
stats_period = 600
"""


class PgBouncer:
    def __init__(self, folder, port, postgres, pool_size=20):
        self.user = server_user("postgres")
        self.folder = own_dir(folder, self.user)
        self.port = port
        self.postgres = postgres
        self.userlist = self.folder / "userlist.txt"
        self.config = self.folder / "pgbouncer.ini"
        self.pool_size = pool_size
        self.roles = {"postgres"}
        # The first SIGINT waits for clients; SIGTERM ends at once.
        self.child = Child("pgbouncer", ["/usr/sbin/pgbouncer", self.config],
                           self.folder / "pgbouncer.log", user=self.user,
                           stop_signal=signal.SIGTERM)

    def start(self):
        give_file(self.config, CONFIG.format(postgres_port=self.postgres.port, port=self.port,
                                             userlist=self.userlist, pool_size=self.pool_size),
                  self.user)
        self._write_users()
        self.child.start()
        self.child.wait_ready(self._answers, 20, "Is PostgreSQL up?")
        return self

    def _answers(self):
        if not port_open(self.port):
            return False
        try:
            psycopg2.connect(self.url("postgres", "postgres"), connect_timeout=2).close()
            return True
        except psycopg2.OperationalError:
            return False

    def _write_users(self):
        # The server's own secrets: a client's login gives what a login at the server takes, and no more is
        # computed. Of plain passwords PgBouncer makes new secrets, of 4096 iterations, at each login.
        lines = [f'"{role}" "{self.postgres.secret}"\n' for role in sorted(self.roles)]
        give_file(self.userlist, "".join(lines), self.user)

    def add_role(self, role):
        if role not in self.roles:
            self.roles.add(role)
            self._write_users()
            self.child.signal(signal.SIGHUP)

    def url(self, database, role):
        return self.postgres.url(database, role, port=self.port)

    def freeze(self):
        """Services are cut off from PostgreSQL, and see no error; until thaw()."""
        self.child.freeze()

    def thaw(self):
        self.child.thaw()

    def stop(self):
        return self.child.stop()
