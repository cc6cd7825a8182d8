"""A standby is promoted: the database that went on there may lack the last outcomes, so it is held
from its first moment on, and by nobody's hand."""

import subprocess

from postgres import BIN, Postgres
from procs import free_port

OWN_SERVERS = True
DEADLINE_S = 120


class Standby(Postgres):
    """A copy that follows a primary."""

    def __init__(self, folder, primary):
        super().__init__(folder, free_port())
        self.primary = primary
        self.password_file = primary.password_file

    def _init(self):
        command = ["setpriv"]
        if self.user:
            command += ["--reuid", self.user, "--regid", self.user, "--init-groups"]
        done = subprocess.run(
            [*command, f"{BIN}/pg_basebackup", "-D", self.data, "-R", "-X", "stream", "-c", "fast",
             "-d", self.primary.url()], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr

    def promote(self):
        assert self.sql("SELECT pg_promote()")[0][0]


def test_promoted_standby_is_held_at_once(desk):
    desk.prepare()
    name = desk.installation.database
    primary = desk.servers.postgres
    released = primary.sql("SELECT released_for, database_identity() FROM installation",
                           database=name)[0]
    assert released[0] == released[1]
    standby = Standby(desk.servers.folder / "standby", primary)
    standby.start()
    try:
        # a checkpoint that would tell the control file must not be what saves us
        standby.sql("ALTER SYSTEM SET checkpoint_timeout = '1h'")
        standby.sql("ALTER SYSTEM SET checkpoint_completion_target = 0.9")
        standby.sql("SELECT pg_reload_conf()")
        standby.promote()
        identity, released_for = standby.sql(
            "SELECT database_identity(), released_for FROM installation", database=name)[0]
        assert released_for == released[0]
        assert identity != released_for, "the promoted database passes for the released one"
        assert identity.split(":")[0] == released_for.split(":")[0]
    finally:
        standby.stop()
    assert primary.sql("SELECT released_for = database_identity() FROM installation",
                       database=name)[0][0], "the former primary is held"
