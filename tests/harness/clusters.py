"""PostgreSQL clusters that are ready to be copied: making one, and the schema in it, takes two seconds of a core,
and some sixty unit programs want one of their own (tests/unit/common/pg/server.h).
"""

import signal

import psycopg2

from harness import CHECKOUT
from postgres import BIN
from procs import Child, own_dir, run_tool, server_user

HINT = "Is postgresql-15 installed?"


def answers(folder):
    try:
        psycopg2.connect(host=str(folder), user="postgres", dbname="postgres", connect_timeout=2).close()
        return True
    except psycopg2.OperationalError:
        return False


def make(folder):
    """Writes the folders "empty" and "migrated": no password, a socket file only."""
    user = server_user("postgres")
    own_dir(folder, user)
    empty, migrated = folder / "empty", folder / "migrated"
    run_tool([f"{BIN}/initdb", "-D", empty, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N"],
             "initdb", HINT, user=user)
    run_tool(["cp", "-r", empty, migrated], "copying a cluster", HINT, user=user)
    server = Child("postgres", [f"{BIN}/postgres", "-D", migrated, "-k", folder, "-c", "listen_addresses=",
                                "-c", "fsync=off"],
                   folder / "log", user=user, stop_signal=signal.SIGINT, death_signal="INT")
    server.start()
    try:
        server.wait_ready(lambda: answers(folder), 60, HINT)
        files = [word for path in sorted((CHECKOUT / "schema" / "migrations").glob("*.sql")) for word in ("-f", path)]
        run_tool([f"{BIN}/psql", "-q", "-v", "ON_ERROR_STOP=1", "-h", folder, "-U", "postgres", *files],
                 "migrating a cluster", HINT)
    finally:
        server.stop(20)
    return folder
