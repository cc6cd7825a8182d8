"""deskctl against real servers: what it changes, what it refuses, what its exit codes say."""

import base64
import contextlib
import json
import os
import re
import shutil
import stat
import subprocess
import time
import urllib.parse
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psycopg2
from confluent_kafka.admin import AdminClient, ConfigResource

from harness import CHECKOUT
from service import clean_environment

SHARE = True
DEADLINE_S = 90

OK, FAILED, USAGE, DIFFERENT, NOT_FOUND = range(5)
TENANTS = CHECKOUT / "deploy" / "tenants"


class Done:
    def __init__(self, code, out, said):
        self.code = code
        self.out = out
        self.said = said

    def json(self):
        return json.loads(self.out)

    def __repr__(self):
        return f"<exit {self.code}\n{self.out}\n{self.said}>"


def run(desk, *words, stdin="", environment=None, binary=None):
    """One deskctl from its start to its end. No secret of the installation may be printed."""
    here = desk.installation
    known = {**here.deskctl_environment(), **(environment or {})}
    done = subprocess.run([binary or here.bin / "deskctl", *map(str, words)], input=stdin,
                          env=clean_environment(known), capture_output=True, text=True,
                          timeout=60, cwd=CHECKOUT)
    for name, value in here.secrets.items():
        if "TOKEN" in name or "KEY" in name:
            assert value not in done.stdout + done.stderr, f"{name} was printed by {words}"
    assert done.returncode != 99, done.stderr
    return Done(done.returncode, done.stdout, done.stderr)


def good(desk, *words, **options):
    done = run(desk, *words, **options)
    assert done.code == OK, (words, done)
    return done


def expect(code, desk, *words, **options):
    done = run(desk, *words, **options)
    assert done.code == code, (words, done)
    return done


def tenant_file(desk, name, *changes):
    """A tenant file of the examples with some texts replaced, in the test's own folder."""
    text = (TENANTS / f"{name}.yaml").read_text()
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    path = desk.folder / f"{name}.yaml"
    path.write_text(text)
    return path


def tenant_row(desk, name):
    return good(desk, "tenant", "show", name, "--json").json()


# The command line


def test_usage(desk):
    desk.prepare()
    assert "tenant apply" in run(desk).out
    assert run(desk).code == USAGE
    for words, hint in [
        (["tenent", "list"], 'did you mean "tenant list"'),
        (["tenant", "lst"], 'did you mean "tenant list"'),
        (["db", "migrat"], 'did you mean "db migrate"'),
        (["reconsile"], 'did you mean "reconcile"'),
        (["tenant"], "needs one more word"),
        (["xyzzy"], "deskctl help"),
        (["topics", "diff", "--flie", "x"], "did you mean --file"),
        (["topics", "diff", "--topic_prefx=x"], "did you mean --topic_prefix"),
        (["topics", "diff", "--topic_prefix"], "needs a value"),
        (["topics", "diff", "--file"], "needs a value"),
        (["tenant", "show"], "usage: deskctl tenant show NAME"),
        (["tenant", "show", "a", "b"], "usage: deskctl tenant show NAME"),
        (["tenant", "list", "--json=1"], "unknown option --json"),
        (["conversation", "list", "--limit", "0"], "from 1 to 1000"),
        (["conversation", "show", "7"], "no conversation id"),
        (["reconcile", "--since", "2 weeks"], "like 90m"),
        (["quarantine", "release"], "name ids"),
        (["erase", "--tenant", "a"], "needs --tenant NAME and --address"),
    ]:
        done = expect(USAGE, desk, *words)
        assert hint in done.said, (words, done)


def test_help_is_there_for_every_command(desk):
    desk.prepare()
    overview = good(desk, "help").out
    commands = re.findall(r"^  ([a-z]+(?: [a-z]+)?)   +\S", overview, re.M)
    assert {"db migrate", "tenant apply", "doctor", "quarantine release"} <= set(commands)
    for command in commands:
        if command.startswith("help "):
            continue
        assert f"usage: deskctl {command}" in good(desk, "help", *command.split()).out
    assert "3  differences" in good(desk, "help", "exit-codes").out
    assert "database_url" in good(desk, "help", "configuration").out
    expect(USAGE, desk, "help", "nonsense")


def test_unreachable_servers_are_named(desk):
    desk.prepare()
    nowhere = "postgresql://postgres@127.0.0.1:1/x"
    done = expect(FAILED, desk, "tenant", "list", environment={"FRONTDESK_DATABASE_URL": nowhere})
    assert "cannot connect" in done.said
    done = expect(FAILED, desk, "db", "status", environment={"FRONTDESK_DATABASE_DIRECT_URL": ""})
    assert "database_direct_url" in done.said


def test_endpoints_of_a_running_desk_are_found(desk):
    desk.prepare()
    folder = desk.folder / "beside"
    (folder / ".run").mkdir(parents=True)
    file = folder / ".run" / "endpoints.json"
    file.write_text(json.dumps({"deskctl": desk.installation.deskctl_environment()}))

    def beside(*words, **environment):
        return subprocess.run([desk.installation.bin / "deskctl", *words], cwd=folder, text=True,
                              env=clean_environment(environment), capture_output=True, timeout=60)

    done = beside("tenant", "list", "--json")
    assert done.returncode == OK, done.stderr
    assert {row["name"] for row in json.loads(done.stdout)} >= {"brightwater-dental"}
    same = desk.installation.deskctl_environment()["FRONTDESK_TOPIC_PREFIX"]
    assert beside("tenant", "list", FRONTDESK_TOPIC_PREFIX=same).returncode == OK
    # Two installations never mix: who names a part of another one names all of it.
    done = beside("tenant", "list", FRONTDESK_TOPIC_PREFIX="other.")
    assert done.returncode == FAILED and "no database is configured" in done.stderr
    file.chmod(0o666)
    done = beside("tenant", "list")
    assert done.returncode == FAILED and "anybody may write it" in done.stderr
    file.chmod(0o600)
    file.write_text('{"deskctl": ')
    done = beside("tenant", "list")
    assert done.returncode == FAILED and "endpoints.json" in done.stderr


# keys


def test_keys_are_made_once(desk):
    desk.prepare()
    folder = desk.folder / "more-keys"
    good(desk, "keys", "generate", "--dir", folder)
    names = ["credentials.key", "edge.public", "edge.secret", "id.key"]
    assert sorted(path.name for path in folder.iterdir()) == names
    before = {path.name: path.read_text() for path in folder.iterdir()}
    for path in folder.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o400
        assert re.fullmatch(r"[0-9a-f]{64}\n", before[path.name])
    assert len(set(before.values())) == 4
    assert "never replaced" in expect(FAILED, desk, "keys", "generate", "--dir", folder).said
    (folder / "edge.public").unlink()
    expect(FAILED, desk, "keys", "generate", "--dir", folder)
    assert {path.name: path.read_text() for path in folder.iterdir()} == {
        name: text for name, text in before.items() if name != "edge.public"}


# db


def own_migrations(desk, name, **files):
    """A copy of the migrations with more files; returns the folder."""
    folder = desk.folder / name
    shutil.copytree(CHECKOUT / "schema" / "migrations", folder)
    number = len(list(folder.iterdir()))
    for label, text in files.items():
        number += 1
        (folder / f"{number:04d}_{label}.sql").write_text(text)
    return folder


def fresh_database(desk, name):
    """The environment for an empty database beside the test's own."""
    full = f"{desk.installation.database}_{name}"
    desk.servers.postgres.create_database(full)
    url = desk.servers.postgres.url(full)
    return full, {"FRONTDESK_DATABASE_DIRECT_URL": url, "FRONTDESK_DATABASE_URL": url}


def test_migrate_twice_changes_nothing(desk):
    desk.prepare()
    before = desk.sql("SELECT * FROM schema_migrations ORDER BY number")
    good(desk, "db", "migrate")
    good(desk, "db", "migrate", "--dry-run")
    assert desk.sql("SELECT * FROM schema_migrations ORDER BY number") == before
    rows = good(desk, "db", "status", "--json").json()
    assert [row["state"] for row in rows] == ["applied"] * len(before)
    assert [row["checksum"] for row in rows] == [row[2] for row in before]


def test_two_migrations_at_once_apply_each_file_once(desk):
    desk.prepare()
    name, environment = fresh_database(desk, "race")
    assert expect(DIFFERENT, desk, "db", "status", environment=environment)
    with ThreadPoolExecutor(3) as pool:
        runs = [pool.submit(run, desk, "db", "migrate", environment=environment) for _ in range(3)]
        done = [one.result() for one in runs]
    assert [one.code for one in done] == [OK] * 3, done
    files = len(list((CHECKOUT / "schema" / "migrations").iterdir()))
    assert sum(one.said.count("applied 0") for one in done) == files
    assert desk.servers.postgres.sql("SELECT count(*) FROM schema_migrations", None, name) == [
        (files,)]


def test_failed_migration_leaves_nothing(desk):
    desk.prepare()
    name, environment = fresh_database(desk, "fail")
    folder = own_migrations(desk, "fail-sql", good="CREATE TABLE one (a int);",
                            bad="CREATE TABLE two (a int);\nSELECT 1 / 0;")
    done = expect(FAILED, desk, "db", "migrate", "--migrations", folder, environment=environment)
    assert "_bad.sql" in done.said and "division by zero" in done.said
    sql = desk.servers.postgres.sql
    assert sql("SELECT to_regclass('one') IS NOT NULL, to_regclass('two') IS NULL", None, name) == [
        (True, True)]
    bad = next(folder.glob("*_bad.sql"))
    bad.write_text("-- no transaction\nCREATE INDEX CONCURRENTLY one_a ON one (a);\n"
                   "COMMENT ON TABLE one IS 'semi;colon';\n")
    good(desk, "db", "migrate", "--migrations", folder, environment=environment)
    assert sql("SELECT to_regclass('one_a') IS NOT NULL", None, name) == [(True,)]
    expect(OK, desk, "db", "status", "--migrations", folder, environment=environment)
    # The release before this one must not touch it, and a changed file is refused.
    done = expect(FAILED, desk, "db", "migrate", environment=environment)
    assert "newer" in done.said
    next(folder.glob("*_good.sql")).write_text("CREATE TABLE one (a bigint);")
    done = expect(FAILED, desk, "db", "migrate", "--migrations", folder, environment=environment)
    assert "migrations.changed" in done.said and "_good.sql" in done.said


# topics


def test_topics_drift_is_found_and_mended(desk):
    desk.prepare()
    good(desk, "topics", "diff")
    text = (CHECKOUT / "schema" / "topics.yaml").read_text()
    other = desk.folder / "topics.yaml"
    other.write_text(text.replace("partitions: 3\n", "partitions: 5\n", 1)
                     .replace("segment.ms: 86400000", "segment.ms: 86000000", 1))
    rows = expect(DIFFERENT, desk, "topics", "diff", "--file", other, "--json").json()
    assert sum(row["state"] == "drifted" for row in rows) == 2
    good(desk, "topics", "apply", "--file", other)
    good(desk, "topics", "diff", "--file", other)
    done = expect(DIFFERENT, desk, "topics", "apply")
    assert "never shrunk" in done.out
    rows = expect(DIFFERENT, desk, "topics", "diff", "--json").json()
    assert [row["differences"] for row in rows if row["state"] != "same"] == [
        "partitions: 5, wanted 3 (never shrunk)"]


def test_missing_topic_is_made(desk):
    desk.prepare()
    admin = AdminClient({"bootstrap.servers": desk.servers.kafka.address})
    prefix = desk.installation.prefix + "second."
    rows = good(desk, "topics", "apply", f"--topic_prefix={prefix}", "--json").json()
    assert {row["outcome"] for row in rows} == {"created"}
    names = set(admin.list_topics(timeout=10).topics)
    assert {prefix + "inbound.sms", prefix + "dlq"} <= names
    good(desk, "topics", "diff", f"--topic-prefix={prefix}")


# tenant


def test_tenant_apply_twice_changes_nothing(desk):
    desk.prepare()
    before = desk.sql("SELECT xmin::text, id FROM tenants UNION ALL"
                      " SELECT xmin::text, id FROM channels UNION ALL"
                      " SELECT xmin::text, id FROM assistants ORDER BY 2")
    done = good(desk, "tenant", "apply", *sorted(TENANTS.glob("*.yaml")), "--yes", "--json")
    assert done.json() == {"result": "unchanged", "changes": []}
    assert before == desk.sql("SELECT xmin::text, id FROM tenants UNION ALL"
                              " SELECT xmin::text, id FROM channels UNION ALL"
                              " SELECT xmin::text, id FROM assistants ORDER BY 2")


def test_tenant_change_is_shown_asked_and_applied(desk):
    desk.prepare()
    path = tenant_file(desk, "garage", ("short, practical", "long, practical"))
    before = tenant_row(desk, "hillcrest-garage")
    done = expect(DIFFERENT, desk, "tenant", "apply", path)
    assert "assistant tone: short, practical" in done.said and "--yes" in done.said
    assert expect(DIFFERENT, desk, "tenant", "apply", path, "--dry-run", "--yes")
    assert tenant_row(desk, "hillcrest-garage") == before
    done = good(desk, "tenant", "apply", path, "--yes", "--json").json()
    assert done["changes"] == [{
        "tenant": "hillcrest-garage", "action": "change", "what": "assistant", "field": "tone",
        "before": "short, practical, first names", "after": "long, practical, first names"}]
    after = tenant_row(desk, "hillcrest-garage")
    assert after["assistant_version"] == before["assistant_version"] + 1
    assert after["channels"] == before["channels"]
    good(desk, "tenant", "apply", TENANTS / "garage.yaml", "--yes")
    assert desk.value("SELECT count(*) FROM audit_log WHERE action = 'tenant.apply'"
                      " AND subject = 'hillcrest-garage'") == 3


def answer_on_terminal(desk, answer, *words, after_s=0):
    """The exit code of a deskctl that asks a person, who takes so long to answer."""
    here = desk.installation
    master, slave = os.openpty()
    try:
        child = subprocess.Popen([here.bin / "deskctl", *map(str, words)], stdin=slave,
                                 stderr=slave, stdout=subprocess.DEVNULL, cwd=CHECKOUT,
                                 env=clean_environment(here.deskctl_environment()))
        if after_s:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(after_s)
        os.write(master, answer)
        return child.wait(60)
    finally:
        os.close(slave)
        os.close(master)


def test_tenant_apply_asks_a_person(desk):
    desk.prepare()
    path = tenant_file(desk, "garage", ("display_name: Hillcrest", "display_name: Hilltop"))
    for answer in (b"n\n", b"\n", b"maybe\n"):
        assert answer_on_terminal(desk, answer, "tenant", "apply", path) == DIFFERENT
        assert tenant_row(desk, "hillcrest-garage")["display_name"] == "Hillcrest Garage"
    # longer than the server lets a silent deskctl hold rows of customers
    assert answer_on_terminal(desk, b"y\n", "tenant", "apply", path, after_s=12) == OK
    assert tenant_row(desk, "hillcrest-garage")["display_name"] == "Hilltop Garage"
    good(desk, "tenant", "apply", TENANTS / "garage.yaml", "--yes")


def test_bad_tenant_file_changes_nothing(desk):
    desk.prepare()
    before = desk.sql("SELECT count(*) FROM assistant_versions")
    fine = tenant_file(desk, "garage", ("short, practical", "never applied"))
    bad = tenant_file(desk, "shop", ("temperature: 0.3", "temperature: 3"),
                      ("America/Chicago", "America/Nowhere"))
    done = expect(FAILED, desk, "tenant", "apply", fine, bad, "--yes")
    lines = (bad).read_text().splitlines()
    hot = next(n for n, line in enumerate(lines, 1) if "temperature" in line)
    assert f"{bad}:{hot}: temperature" in done.said and "from 0.00 to 2.00" in done.said
    assert "America/Nowhere" in done.said and "nothing was changed" in done.said
    assert desk.sql("SELECT count(*) FROM assistant_versions") == before


def test_number_of_another_tenant_is_refused(desk):
    desk.prepare()
    number = tenant_row(desk, "northpine-outfitters")["channels"][0]["address"]
    path = tenant_file(desk, "medspa", ("env:MEDSPA_TWILIO_NUMBER:-+15550100303", f'"{number}"'))
    before = tenant_row(desk, "lumen-medspa")
    done = expect(FAILED, desk, "tenant", "apply", path, "--yes")
    assert number in done.said and "another tenant" in done.said
    assert tenant_row(desk, "lumen-medspa") == before


def directory(desk):
    """What a new ingress would know: the last record of each key."""
    known = {}
    for record in desk.kafka_records("directory"):
        known[record.key.decode()] = record.value and json.loads(record.value)
    return known


def test_directory_follows_the_channels(desk):
    desk.prepare()
    good(desk, "directory", "publish")
    row = tenant_row(desk, "lumen-medspa")
    key = "sms:" + row["channels"][0]["address"]
    known = directory(desk)
    assert known[key]["account_sid"] == row["channels"][0]["account_sid"]
    assert "complete" in known
    assert all(base64.b64decode(sealed) for sealed in known[key]["sealed_keys"])
    records = desk.kafka_records("directory")
    assert records[-1].key == b"complete"

    number = "+15550109999"
    path = tenant_file(desk, "medspa", ("env:MEDSPA_TWILIO_NUMBER:-+15550100303", f'"{number}"'))
    good(desk, "tenant", "apply", path, "--yes")
    good(desk, "directory", "publish")
    known = directory(desk)
    assert known[key] is None and known["sms:" + number] is not None
    states = {c["address"]: c["removed"] for c in tenant_row(desk, "lumen-medspa")["channels"]}
    assert states == {key[4:]: True, number: False}

    good(desk, "tenant", "apply", TENANTS / "medspa.yaml", "--yes")
    good(desk, "directory", "publish")
    known = directory(desk)
    assert known["sms:" + number] is None
    after = next(c for c in tenant_row(desk, "lumen-medspa")["channels"]
                 if "sms:" + c["address"] == key)
    assert after["id"] == row["channels"][0]["id"]
    assert after["directory_version"] > row["channels"][0]["directory_version"]
    assert known[key]["version"] == after["directory_version"] == after["published_version"]


def test_number_moves_between_tenants_in_one_go(desk):
    desk.prepare()
    number = tenant_row(desk, "northpine-outfitters")["channels"][0]["address"]
    taker = tenant_file(desk, "medspa", ("env:MEDSPA_TWILIO_NUMBER:-+15550100303", f'"{number}"'))
    giver = tenant_file(desk, "shop",
                        ("env:SHOP_TWILIO_NUMBER:-+15550100404", '"+15550108888"'))
    version = directory_version(desk, number)
    good(desk, "tenant", "apply", taker, giver, "--yes")
    owner = desk.value("SELECT t.name FROM channels c JOIN tenants t ON t.id = c.tenant_id"
                       " WHERE c.address = %s AND c.removed_at IS NULL", number)
    assert owner == "lumen-medspa"
    assert directory_version(desk, number) > version
    # No tombstone of the former owner may follow.
    assert desk.value("SELECT count(*) FROM channels WHERE address = %s AND removed_at IS NOT NULL"
                      " AND published_version < directory_version", number) == 0
    good(desk, "tenant", "apply", TENANTS / "medspa.yaml", TENANTS / "shop.yaml", "--yes")
    good(desk, "directory", "publish")


def directory_version(desk, number):
    return desk.value("SELECT max(directory_version) FROM channels WHERE address = %s", number)


class GatedReads:
    """Reading the channels stops, for deskctl alone, when its snapshot is taken and before its rows
    come: what happens inside the block happens between reading and writing."""

    def __init__(self, desk):
        self.desk = desk

    def __enter__(self):
        self.desk.sql("CREATE FUNCTION gate() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN"
                      " WHILE EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory'"
                      " AND objid = 4711) LOOP PERFORM pg_sleep(0.02); END LOOP;"
                      " RETURN true; END $$")
        self.desk.sql("ALTER POLICY every_tenant ON channels"
                      " USING (current_user <> 'frontdesk_ops' OR gate())")
        self.lock = psycopg2.connect(
            self.desk.servers.postgres.url(self.desk.installation.database))
        self.lock.cursor().execute("SELECT pg_advisory_lock(4711)")
        return self

    def wait_reader(self):
        self.desk.wait(lambda: self.desk.value(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND wait_event = 'PgSleep' AND query LIKE '%%FROM channels%%'"), 30, "the reader")

    def open(self):
        self.lock.close()

    def __exit__(self, *error):
        self.open()
        self.desk.sql("ALTER POLICY every_tenant ON channels USING (true)")
        self.desk.sql("DROP FUNCTION gate()")


def relayed(desk, key, value, **changes):
    """What an engine's relay would write."""
    text = value and json.dumps({**value, **changes})
    headers = None
    if value:
        record = next(r for r in reversed(desk.kafka_records("directory")) if r.value and
                      r.key.decode().startswith("sms:"))
        headers = {**record.headers, "ce_id": f"{key}:{json.loads(text)['version']}"}
    desk.produce("directory", key, text, headers=headers)


def test_directory_is_published_while_it_changes(desk):
    """Between reading the rows and writing them a channel is added, another changed, a third
    removed, and a relay has published all that already."""
    desk.stop()
    desk.prepare()
    good(desk, "directory", "publish")
    before = directory(desk)
    changed, removed = sorted(key for key in before if key.startswith("sms:"))[:2]
    added = "sms:" + desk.new_address()
    with GatedReads(desk) as gate, ThreadPoolExecutor(1) as pool:
        command = pool.submit(run, desk, "directory", "publish")
        try:
            gate.wait_reader()
            desk.sql("INSERT INTO channels (tenant_id, id, kind, address, account_sid, credentials,"
                     " edge_keys, assistant_id, published_version) SELECT tenant_id,"
                     " gen_random_uuid(), kind, %s, account_sid, credentials, edge_keys,"
                     " assistant_id, 1 FROM channels WHERE address = %s", added[4:], changed[4:])
            desk.sql("UPDATE channels SET directory_version = directory_version + 1,"
                     " published_version = directory_version + 1,"
                     " removed_at = CASE WHEN address = %s THEN now() END"
                     " WHERE address IN (%s, %s) AND removed_at IS NULL",
                     removed[4:], removed[4:], changed[4:])
            identity = desk.value("SELECT id::text FROM channels WHERE address = %s", added[4:])
            relayed(desk, added, before[changed], address=added[4:], channel=identity, version=1)
            relayed(desk, changed, before[changed], version=before[changed]["version"] + 1)
            relayed(desk, removed, None)
        finally:
            gate.open()
        done = command.result()
    try:
        assert done.code == OK, done
        after = directory(desk)
        assert after[added] and after[added]["channel"] == identity
        assert after[changed]["version"] == before[changed]["version"] + 1
        assert after[removed] is None
        records = desk.kafka_records("directory")
        assert records[-1].key == b"complete" and records[-1].json()["channels"] == desk.value(
            "SELECT count(*) FROM channels WHERE removed_at IS NULL")
        assert desk.value("SELECT count(*) FROM channels"
                          " WHERE published_version <> directory_version") == 0
    finally:
        desk.sql("UPDATE channels SET removed_at = now() WHERE address = %s", added[4:])
        good(desk, "tenant", "apply", *sorted(TENANTS.glob("*.yaml")), "--yes")
        good(desk, "directory", "publish")
    assert directory(desk)[added] is None and directory(desk)[removed]


# doctor


def doctor(desk, code, **options):
    return {row["check"]: row for row in expect(code, desk, "doctor", "--json", **options).json()}


def test_doctor(desk):
    desk.prepare()
    good(desk, "topics", "apply", f"--topic_prefix={desk.installation.prefix}doctor.")
    fine = {"FRONTDESK_TOPIC_PREFIX": desk.installation.prefix + "doctor.",
            "FRONTDESK_PUBLIC_URL": "https://desk.example.com"}
    checks = doctor(desk, OK, environment=fine)
    assert all(row["result"] in ("ok", "warn") for row in checks.values()), checks
    assert {"edge pair", "tenant walls", "database clock", "migrations"} <= set(checks)

    desk.sql("ALTER TABLE consents NO FORCE ROW LEVEL SECURITY")
    checks = doctor(desk, FAILED, environment=fine)
    desk.sql("ALTER TABLE consents FORCE ROW LEVEL SECURITY")
    assert "consents" in checks["tenant walls"]["what"] and checks["tenant walls"]["do"]

    keys = Path(desk.folder / "other-keys")
    good(desk, "keys", "generate", "--dir", keys)
    checks = doctor(desk, FAILED, environment={
        **fine, "FRONTDESK_EDGE_SECRET_KEY_FILE": str(keys / "edge.secret"),
        "FRONTDESK_CREDENTIALS_KEY_FILE": str(keys / "credentials.key")})
    assert checks["edge pair"]["result"] == "FAIL"
    assert any("does not open" in row["what"] for row in checks.values())

    checks = doctor(desk, FAILED, environment={
        **fine, "FRONTDESK_TOPIC_PREFIX": desk.installation.prefix + "none."})
    row = checks[desk.installation.prefix + "none.dlq"]
    assert row["result"] == "FAIL" and "topics apply" in row["do"]

    checks = doctor(desk, FAILED, environment={
        **fine, "FRONTDESK_DATABASE_URL": "postgresql://postgres@127.0.0.1:1/x",
        "FRONTDESK_KAFKA_BROKERS": "127.0.0.1:1"})
    assert checks["database"]["result"] == "FAIL"
    away = [row for name, row in checks.items() if name.startswith(desk.installation.prefix)]
    assert len(away) == 1 and away[0]["result"] == "FAIL" and "start Kafka" in away[0]["do"]


def good_environment(desk):
    """What doctor finds nothing wrong with, whatever other tests did to the desk's own topics."""
    prefix = desk.installation.prefix + "doctor."
    good(desk, "topics", "apply", f"--topic_prefix={prefix}")
    return {"FRONTDESK_TOPIC_PREFIX": prefix, "FRONTDESK_PUBLIC_URL": "https://desk.example.com"}


def diagnosis(desk, check, code=FAILED, **environment):
    """What doctor says of one check in a good installation with one thing wrong."""
    known = {**good_environment(desk), **environment}
    row = doctor(desk, code, environment=known)[check]
    assert row["do"] in expect(code, desk, "doctor", environment=known).out
    return row["result"], row["what"], row["do"]


def is_fine(desk, check):
    return doctor(desk, OK, environment=good_environment(desk))[check]["result"] == "ok"


def test_doctor_looks_at_the_public_url(desk):
    desk.prepare()
    for bad in ("desk.example.com", "https://", "https://desk.example.com/",
                "https://desk.example.com?x", "https://a:b@desk.example.com"):
        result, what, remedy = diagnosis(desk, "config", FRONTDESK_PUBLIC_URL=bad)
        assert result == "FAIL" and what == bad and "https://desk.example.com" in remedy
    for plain in ("http://desk.example.com", ""):
        assert diagnosis(desk, "config", OK, FRONTDESK_PUBLIC_URL=plain)[0] == "warn"


def test_doctor_looks_at_the_keys(desk):
    desk.prepare()
    known = desk.installation.deskctl_environment()
    for setting, check in (("CREDENTIALS", "credentials.key"), ("ID", "id.key"),
                           ("EDGE_SECRET", "edge.secret")):
        name = f"FRONTDESK_{setting}_KEY_FILE"
        copy = desk.folder / f"copy-{check}"
        copy.write_bytes(Path(known[name]).read_bytes())
        copy.chmod(0o440)
        result, what, remedy = diagnosis(desk, check, **{name: str(copy)})
        assert result == "FAIL" and "others can read" in what and remedy == f"chmod 400 {copy}"
        copy.unlink()
        needed = check != "edge.secret"
        result, what, remedy = diagnosis(desk, check, FAILED if needed else OK,
                                         **{name: str(copy)})
        assert result == ("FAIL" if needed else "warn") and str(copy) in what and remedy


def test_doctor_looks_at_migrations_and_hold(desk):
    desk.prepare()
    schema = desk.folder / "newer-schema"
    schema.mkdir()
    shutil.copy(CHECKOUT / "schema" / "topics.yaml", schema)
    own_migrations(desk, "newer-schema/migrations", more="SELECT 1;")
    result, what, remedy = diagnosis(desk, "migrations", FRONTDESK_SCHEMA_DIR=str(schema))
    assert (result, what, remedy) == ("FAIL", "1 not applied", "deskctl db migrate")
    good(desk, "hold", "looked at by doctor")
    try:
        result, what, remedy = diagnosis(desk, "release")
        assert result == "FAIL" and "held" in what and "deskctl release" in remedy
    finally:
        good(desk, "release", "--yes")


def test_doctor_looks_at_channels_and_their_audits(desk):
    desk.stop()  # an engine would publish, a responder audit
    desk.prepare()
    good(desk, "directory", "publish")
    number = desk.tenants[0]["numbers"]["sms"]
    where = " WHERE id = (SELECT id FROM channels WHERE address = %s AND removed_at IS NULL)"
    job = ("UPDATE jobs SET {} WHERE kind = 'gap_audit' AND subject = (SELECT id::text FROM channels"
           " WHERE address = %s AND removed_at IS NULL)")
    desk.sql("UPDATE channels SET published_version = 0" + where, number)
    result, what, remedy = diagnosis(desk, f"channel {number}", OK)
    assert result == "warn" and "not published" in what and "directory publish" in remedy
    good(desk, "directory", "publish")
    assert is_fine(desk, f"channel {number}")

    check = f"gap audit {number}"
    desk.sql(job.format("due_at = now(), last_done_at = NULL, last_error = NULL, tries = 0"), number)
    assert is_fine(desk, check)
    desk.sql(job.format("due_at = now() - interval '44 min'"), number)
    assert is_fine(desk, check)
    desk.sql(job.format("due_at = now() - interval '46 min'"), number)
    result, what, remedy = diagnosis(desk, check, OK)
    assert result == "warn" and what == "not done for 46 min" and "start a responder" in remedy
    desk.sql(job.format("last_done_at = now() - interval '1 min'"), number)
    assert is_fine(desk, check)
    desk.sql(job.format("last_error = 'gap_audit.status: the list answered 401', tries = 3"), number)
    result, what, remedy = diagnosis(desk, check)
    assert result == "FAIL" and "failed 3 times" in what and "401" in what
    assert "deskctl reconcile" in remedy
    desk.sql(job.format("last_error = NULL, tries = 0, due_at = now()"), number)


def test_json_of_every_command_is_one_document(desk):
    desk.prepare()
    fine = good_environment(desk)
    prefix = f"--topic_prefix={fine['FRONTDESK_TOPIC_PREFIX']}"
    row = add_history(desk, 1, desk.new_address(), "parked", "unknown")
    desk.sql("UPDATE conversations SET closed_at = NULL WHERE id = %s", row["talk"])
    name = desk.tenants[0]["name"]
    seen = {}
    for code, words in [
            (OK, ["keys", "generate", "--dir", desk.folder / "json-keys"]),
            (OK, ["db", "migrate"]), (OK, ["db", "status"]), (OK, ["topics", "apply", prefix]),
            (OK, ["topics", "diff", prefix]), (OK, ["tenant", "apply", TENANTS / "dental.yaml", "--yes"]),
            (OK, ["tenant", "list"]), (OK, ["tenant", "show", name]), (OK, ["directory", "publish"]),
            (OK, ["conversation", "list"]), (OK, ["conversation", "show", row["talk"]]),
            (OK, ["takeover", row["talk"]]), (OK, ["handback", row["talk"]]), (OK, ["dead", "list"]),
            (OK, ["dead", "show", row["delivery"]]), (OK, ["quarantine", "list"]),
            (NOT_FOUND, ["quarantine", "release", "0:999999"]), (OK, ["reconcile"]),
            (OK, ["hold", "for a test"]), (OK, ["release", "--yes"]),
            (OK, ["erase", "--tenant", name, "--address", desk.new_address(), "--yes"]),
            (OK, ["doctor", prefix, f"--public_url={fine['FRONTDESK_PUBLIC_URL']}"])]:
        seen[" ".join(map(str, words))] = expect(code, desk, *words, "--json").json()
    commands = re.findall(r"^  ([a-z]+(?: [a-z]+)?)   +\S", good(desk, "help").out, re.M)
    missing = [command for command in commands if not command.startswith("help ")
               and not any(f"{words} ".startswith(f"{command} ") for words in seen)]
    assert not missing, missing
    assert seen["db migrate"]["applied"] == 0 and seen["db migrate"]["schema"] >= 3
    assert seen["directory publish"]["channels"] >= len(desk.tenants)
    assert seen["quarantine release 0:999999"] == {
        "released": 0, "refused": 0, "missing": 1, "left": 0}
    assert seen["hold for a test"]["state"] == "held"
    assert seen["hold for a test"]["reason"] == "for a test"
    assert seen["release --yes"]["state"] == "released"
    assert seen[f"takeover {row['talk']}"]["state"] == "yours"
    assert seen[f"handback {row['talk']}"]["sessions_due"] == 0


# What was said


def services(desk):
    return desk.start(engines=1, responders=1, config={"engine": {"burst_ms": 300}})


def conversation_of(desk, address):
    rows = good(desk, "conversation", "list", "--limit", "1000", "--json").json()
    return next(row for row in rows if row["address"] == address)


def test_transcript(desk):
    services(desk)
    customer, nonce = desk.new_address(), desk.new_nonce()
    assert desk.webhook(customer, f"hello {nonce}\x1b[31m\u202e red").status == 200
    desk.wait_replies(customer, 1)
    desk.wait(lambda: "delivered" in good(desk, "conversation", "show",
                                          conversation_of(desk, customer)["id"]).out,
              30, "the receipt")
    row = conversation_of(desk, customer)
    assert row["tenant"] == desk.tenants[0]["name"] and row["messages"] == 2
    assert row["open_events"] == 0 and row["state"] == "open"
    whole = good(desk, "conversation", "show", row["id"], "--json").json()
    asked, replied = whole["messages"]
    assert asked["direction"] == "in" and nonce in asked["body"]
    assert asked["inbox"]["state"] == "answered"
    assert nonce in replied["body"] and replied["turn"]["outcome"] == "reply"
    call = replied["turn"]["calls"][0]
    assert call["model"] and call["tokens_in"] > 0 and call["total_ms"] >= 0
    delivery = replied["deliveries"][0]
    assert delivery["state"] == "delivered" and delivery["segments"] >= 1
    assert delivery["provider_sid"] and delivery["attempts"][0]["outcome"] == "accepted"
    text = good(desk, "conversation", "show", row["id"]).out
    assert nonce in text and "tokens" in text and delivery["provider_sid"] in text
    # A customer's text cannot steer the operator's terminal.
    assert "\x1b" not in text and "\u202e" not in text and "\\x1b[31m" in text
    only = good(desk, "conversation", "list", "--tenant", "hillcrest-garage", "--json").json()
    assert customer not in [one["address"] for one in only]
    expect(NOT_FOUND, desk, "conversation", "list", "--tenant", "nobody")
    expect(NOT_FOUND, desk, "conversation", "show", "00000000-0000-7000-8000-000000000001")


def test_takeover_and_handback(desk):
    services(desk)
    customer = desk.new_address()
    assert desk.webhook(customer, "first").status == 200
    desk.wait_replies(customer, 1)
    conversation = conversation_of(desk, customer)["id"]
    assert "yours" in good(desk, "takeover", conversation).said
    assert conversation_of(desk, customer)["state"] == "held"
    assert desk.webhook(customer, "second").status == 200
    desk.wait(lambda: conversation_of(desk, customer)["open_events"] == 1, 20, "the claim")
    desk.settled(2, lambda: len(desk.sent_to(customer)))
    assert len(desk.sent_to(customer)) == 1
    good(desk, "handback", conversation)
    desk.wait_replies(customer, 2)
    expect(NOT_FOUND, desk, "takeover", "00000000-0000-7000-8000-000000000001")


def test_hold_and_release(desk):
    services(desk)
    good(desk, "hold", "testing the hold")
    try:
        customer = desk.new_address()
        assert desk.webhook(customer, "held").status == 200
        desk.wait(lambda: desk.value(
            "SELECT count(*) FROM deliveries d JOIN channel_sessions s ON s.tenant_id = d.tenant_id"
            " AND s.id = d.session_id WHERE s.remote_address = %s", customer), 30, "a delivery")
        desk.settled(2, lambda: len(desk.sent_to(customer)))
        assert desk.sent_to(customer) == []
        assert expect(USAGE, desk, "release")
    finally:
        good(desk, "release", "--yes")
    desk.wait_replies(customer, 1)


def test_erase(desk):
    services(desk)
    customer, nonce = desk.new_address(), desk.new_nonce()
    assert desk.webhook(customer, nonce).status == 200
    desk.wait_replies(customer, 1)
    name = desk.tenants[0]["name"]
    assert expect(USAGE, desk, "erase", "--tenant", name, "--address", customer)
    done = good(desk, "erase", "--tenant", name, "--address", customer, "--yes")
    assert "erased 2 messages" in done.said
    assert desk.value("SELECT count(*) FROM messages WHERE body LIKE %s", f"%{nonce}%") == 0
    rows = good(desk, "conversation", "list", "--limit", "1000", "--json").json()
    assert customer not in [row["address"] for row in rows]
    expect(NOT_FOUND, desk, "erase", "--tenant", "nobody", "--address", customer, "--yes")


def test_dead_records(desk):
    services(desk)
    tenant = desk.value("SELECT id::text FROM tenants WHERE name = %s", desk.tenants[0]["name"])
    mark = desk.new_nonce()
    desk.produce("inbound.sms", f"{tenant}:+15551230000", f'{{"broken": "{mark}"', headers={
        "ce_specversion": "1.0", "ce_id": "SM" + "0" * 32, "ce_source": "test",
        "ce_type": "desk.sms.received.v1", "ce_time": "2026-11-23T00:00:00Z", "ce_subject": "",
        "content-type": "application/json", "tenant": tenant})

    def letters():
        rows = good(desk, "dead", "list", "--json").json()
        return [row for row in rows if row["kind"] == "record"]

    row = desk.wait(letters, 30, "the dead letter")[-1]
    assert row["code"] and row["origin"].startswith(desk.topic("inbound.sms"))
    assert mark in good(desk, "dead", "show", row["id"]).out
    shown = good(desk, "dead", "show", row["id"], "--json").json()
    assert mark.encode() in base64.b64decode(shown["value_base64"])
    assert shown["headers"]["ce_id"] == "SM" + "0" * 32
    expect(NOT_FOUND, desk, "dead", "show", "0:999999")
    expect(NOT_FOUND, desk, "dead", "show", "00000000-0000-7000-8000-000000000001")


def add_history(desk, count, address, state="delivered", reason=None, turn="finished",
                event="answered"):
    """Rows of `count` customers of the first tenant, the first one at `address`: each a text, its
    turn, and the reply's delivery. Returns the ids of turn, delivery and text of the first."""
    tenant = desk.value("SELECT id::text FROM tenants WHERE name = %s", desk.tenants[0]["name"])
    mark = desk.new_nonce()
    rows = ("(SELECT n, %s::uuid AS tenant, %s || '-' || n AS mark, CASE n WHEN 0 THEN %s"
            " ELSE %s || '-' || n END AS address FROM generate_series(0, %s) AS n) r")

    def insert(table, columns, values):
        desk.sql(f"INSERT INTO {table} (tenant_id, {columns}) SELECT tenant, {values} FROM {rows}",
                 tenant, mark, address, mark, count - 1)

    def of(kind):
        return f"md5(mark || '{kind}')::uuid"
    insert("contacts", "id", of("contact"))
    insert("contact_addresses", "kind, address, contact_id", f"'phone', address, {of('contact')}")
    insert("conversations", "id, contact_id, closed_at",
           f"{of('talk')}, {of('contact')}, clock_timestamp()")
    insert("channel_sessions", "id, conversation_id, channel_id, kind, remote_address",
           f"{of('session')}, {of('talk')}, (SELECT c.id FROM channels c WHERE c.tenant_id = tenant"
           " LIMIT 1), 'sms', address")
    insert("turns", "id, session_id, conversation_id, number, state, fence, epoch, tries,"
           " error_code, deadline_at, finished_at", f"{of('turn')}, {of('session')}, {of('talk')},"
           f" 1, '{turn}', 1, 0, 3, 'engine.lost', now(), clock_timestamp()")
    insert("llm_calls", "id, turn_id, provider, model, outcome, started_at",
           f"{of('call')}, {of('turn')}, 'openai', 'm', 'ok', now()")
    insert("messages", "id, conversation_id, session_id, direction, author, body, provider_id,"
           " event_time", f"{of('text')}, {of('talk')}, {of('session')}, 'in', 'contact',"
           " 'text ' || mark, mark, now()")
    insert("messages", "id, conversation_id, session_id, direction, author, body, turn_id,"
           " event_time", f"{of('reply')}, {of('talk')}, {of('session')}, 'out', 'ai', 'yes',"
           f" {of('turn')}, now()")
    insert("inbox_events", "channel, provider_id, session_id, message_id, address_hash,"
           " content_hash, state, turn_id, claim_id, event_time", f"'sms', mark, {of('session')},"
           f" {of('text')}, {of('address')}, '', '{event}', {of('turn')}, {of('claim')}, now()")
    insert("deliveries", "id, conversation_id, session_id, seq, message_id, turn_id, author, via,"
           " epoch, state, reason, attempts, answer_by, settled_at",
           f"{of('delivery')}, {of('talk')}, {of('session')}, 1, {of('reply')}, {of('turn')}, 'ai',"
           f" 'sms', 0, '{state}', {repr(reason) if reason else 'NULL'}, 1, now(),"
           " clock_timestamp()")
    insert("delivery_attempts", "delivery_id, number, worker, outcome",
           f"{of('delivery')}, 1, {of('worker')}, 'unknown'")
    return {kind: desk.value("SELECT md5(%s || '-0' || %s)::uuid::text", mark, kind)
            for kind in ("turn", "delivery", "text", "talk")} | {"mark": mark + "-0"}


def test_dead_turns_deliveries_and_texts(desk):
    desk.prepare()
    turn = add_history(desk, 1, desk.new_address(), turn="failed")["turn"]
    parked = add_history(desk, 1, desk.new_address(), "parked", "unknown")["delivery"]
    late = add_history(desk, 1, desk.new_address(), "suppressed", "late")["delivery"]
    taken = add_history(desk, 1, desk.new_address(), "suppressed", "takeover")["delivery"]
    text = add_history(desk, 1, desk.new_address(), event="late")
    listed = {row["id"]: row for row in good(desk, "dead", "list", "--json").json()}
    assert taken not in listed
    people = good(desk, "dead", "list").out
    for dead, kind, code, inside in [
            (turn, "turn", "engine.lost", ("turn", "error_code", "engine.lost")),
            (parked, "delivery", "unknown", ("delivery", "state", "parked")),
            (late, "delivery", "late", ("delivery", "reason", "late")),
            (text["text"], "event", "late", ("message", "body", f"text {text['mark']}"))]:
        row = listed[dead]
        assert (row["kind"], row["code"]) == (kind, code)
        assert row["tenant"] == desk.tenants[0]["name"] and row["at"] and dead in people
        shown = good(desk, "dead", "show", dead, "--json").json()
        assert shown["kind"] == kind and shown[inside[0]][inside[1]] == inside[2]
        conversation = row["origin"].removeprefix("conversation ")
        assert shown["conversation"] == conversation
        words = good(desk, "dead", "show", dead).out
        assert words.startswith(f"{kind} of conversation {conversation}") and inside[2] in words
    only = good(desk, "dead", "list", "--tenant", "hillcrest-garage", "--json").json()
    assert not {turn, parked, late, text["text"]} & {row["id"] for row in only}
    expect(NOT_FOUND, desk, "dead", "show", taken)


def rows_read(desk):
    """Entries and rows that scans have read, when the counters of ended sessions are in."""
    return desk.settled(1.5, lambda: desk.value(
        "SELECT (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes)"
        " + (SELECT sum(seq_tup_read) FROM pg_stat_user_tables WHERE relname NOT IN"
        " ('tenants', 'channels', 'assistants', 'assistant_versions', 'installation',"
        " 'schema_migrations'))"))


def test_nothing_reads_the_whole_history(desk):
    """Each looks at one customer among thousands: what it reads must not grow with the others."""
    desk.stop()
    desk.prepare()
    address, other = desk.new_address(), desk.new_address()
    known = add_history(desk, 3000, address)
    dead = add_history(desk, 1, other, "parked", "unknown")["delivery"]
    desk.sql("INSERT INTO consents (tenant_id, sender, address, state, source, changed_at)"
             " SELECT tenant_id, 'x', address, 'opted_in', 'x', now() FROM contact_addresses")
    for table in ("contacts", "contact_addresses", "conversations", "channel_sessions", "turns",
                  "llm_calls", "messages", "inbox_events", "deliveries", "delivery_attempts",
                  "consents"):
        desk.sql(f"ANALYZE {table}")
    direct = {"FRONTDESK_DATABASE_URL": desk.installation.deskctl_environment()[
        "FRONTDESK_DATABASE_DIRECT_URL"]}
    name = desk.tenants[0]["name"]
    for words in (["conversation", "show", known["talk"]], ["dead", "list"],
                  ["dead", "show", dead],
                  ["erase", "--tenant", name, "--address", address, "--yes"]):
        before = rows_read(desk)
        done = good(desk, *words, environment=direct)
        read = rows_read(desk) - before
        assert 0 < read < 1000, (words, read, done)
    assert desk.value("SELECT count(*) FROM messages WHERE body = %s", f"text {known['mark']}") == 0


# What ingress could not verify, and what never reached it


def parked(desk, sid):
    return [row for row in good(desk, "quarantine", "list", "--json").json() if row["sid"] == sid]


@contextmanager
def further_key(desk, token):
    """The first tenant's account has this signing key too."""
    path = next(p for p in TENANTS.glob("*.yaml")
                if f"name: {desk.tenants[0]['name']}\n" in p.read_text())
    also = tenant_file(desk, path.stem, ("    auth_token:", "    signing_keys: [env:ROTATED]\n"
                                                            "    auth_token:"))
    done = good(desk, "tenant", "apply", also, "--yes", environment={"ROTATED": token})
    assert "signing_keys" in done.said and token not in done.said + done.out
    try:
        yield
    finally:
        good(desk, "tenant", "apply", path, "--yes")
        good(desk, "directory", "publish")


def test_quarantined_status_is_released(desk):
    """The provider's word that a reply arrived was signed with a key that nobody told us."""
    services(desk)
    customer, nonce = desk.new_address(), desk.new_nonce()
    desk.faults("twilio", {"match": nonce, "method": "POST",
                           "action": {"type": "callbacks", "mode": "sent_only"}})
    assert desk.webhook(customer, f"hello {nonce}").status == 200

    def delivery():
        rows = desk.sql("SELECT d.tenant_id::text, d.id::text, d.attempts, d.provider_sid, d.state"
                        " FROM deliveries d JOIN channel_sessions s ON s.tenant_id = d.tenant_id"
                        " AND s.id = d.session_id WHERE s.remote_address = %s", customer)
        return rows and rows[0]
    desk.wait(lambda: delivery() and delivery()[4] == "sent", 30, "the reply")
    desk.faults("twilio")
    tenant, identity, attempt, sid, _ = delivery()
    target = f"/twilio/status?tenant={tenant}&delivery={identity}&attempt={attempt}"
    params = [("MessageSid", sid), ("MessageStatus", "delivered"), ("To", customer),
              ("AccountSid", desk.tenants[0]["account_sid"]),
              ("From", desk.tenants[0]["numbers"]["sms"])]
    rotated = "e" * 32
    assert desk.post(target, params, token=rotated).status == 403
    row = desk.wait(lambda: parked(desk, sid), 20, "the parked status")[0]
    assert row["path"] == "/twilio/status"
    assert "quarantine.signature" in expect(FAILED, desk, "quarantine", "release", row["id"]).said
    assert delivery()[4] == "sent"
    with further_key(desk, rotated):
        done = good(desk, "quarantine", "release", row["id"], "--json").json()
        assert done == {"released": 1, "refused": 0, "missing": 0, "left": 0}
    desk.wait(lambda: delivery()[4] == "delivered", 20, "the receipt")
    assert desk.value("SELECT count(*) FROM audit_log WHERE action = 'quarantine.release'"
                      " AND subject = %s AND tenant_id::text = %s", sid, tenant) == 1
    # Another tenant's address, vouched for: still judged by the account.
    other = desk.value("SELECT id::text FROM tenants WHERE name = %s", desk.tenants[1]["name"])
    moved = target.replace(tenant, other)
    assert desk.post(moved, params, token=rotated).status == 403
    row = desk.wait(lambda: [r for r in parked(desk, sid) if r["id"] != row["id"]], 20,
                    "the second parked status")[0]
    done = expect(FAILED, desk, "quarantine", "release", row["id"], "--force-unverified",
                  "somebody said so")
    assert "quarantine.account" in done.said


def test_no_release_without_its_row(desk):
    """Kafka refuses the record when the release is already written down."""
    services(desk)
    customer, nonce = desk.new_address(), desk.new_nonce()
    sid = "SM" + nonce[2:].ljust(32, "1")
    params = [("MessageSid", sid), ("From", customer), ("To", desk.tenants[0]["numbers"]["sms"]),
              ("Body", nonce), ("AccountSid", desk.tenants[0]["account_sid"]), ("NumMedia", "0")]
    assert desk.post("/twilio/sms", params, token="d" * 32).status == 403
    row = desk.wait(lambda: parked(desk, sid), 20, "the parked webhook")[0]
    release = ("quarantine", "release", row["id"], "--force-unverified", "we know who sent it")

    def written():
        return desk.value("SELECT count(*) FROM audit_log WHERE action = 'quarantine.release'"
                          " AND subject = %s", sid)
    admin = AdminClient({"bootstrap.servers": desk.servers.kafka.address})
    topic = ConfigResource(ConfigResource.Type.TOPIC, desk.topic("inbound.sms"),
                           set_config={"max.message.bytes": "10"})
    for future in admin.alter_configs([topic]).values():
        future.result(20)
    try:
        done = expect(FAILED, desk, *release)
        assert "not released" in done.said and written() == 1, done
        assert desk.sent_to(customer) == []
    finally:
        run(desk, "topics", "apply")
    good(desk, *release)
    assert written() == 2
    desk.wait_replies(customer, 1)


def test_quarantine_is_verified_again(desk):
    """The account has a second token that nobody told us: no text is lost."""
    services(desk)
    customer, nonce = desk.new_address(), desk.new_nonce()
    rotated = "f" * 32
    params = [("MessageSid", "SM" + nonce[2:].ljust(32, "0")), ("From", customer),
              ("To", desk.tenants[0]["numbers"]["sms"]), ("Body", f"parked {nonce}"),
              ("AccountSid", desk.tenants[0]["account_sid"]), ("NumMedia", "0"),
              ("NumSegments", "1")]
    sid = params[0][1]
    answer = desk.post("/twilio/sms", params, token=rotated)
    assert answer.status == 403
    row = desk.wait(lambda: parked(desk, sid), 20, "the parked webhook")[0]
    assert row["path"] == "/twilio/sms" and not row["known"]
    assert row["address"] == desk.tenants[0]["numbers"]["sms"]

    done = expect(FAILED, desk, "quarantine", "release", row["id"])
    assert "quarantine.signature" in done.said and "tenant apply" in done.said
    assert desk.sent_to(customer) == []

    with further_key(desk, rotated):
        good(desk, "quarantine", "release", row["id"])
    desk.wait_replies(customer, 1)
    assert parked(desk, sid)[0]["known"]
    audit = desk.sql("SELECT detail FROM audit_log WHERE action = 'quarantine.release'"
                     " AND subject = %s", sid)
    assert len(audit) == 1 and audit[0][0]["verified"] is True
    # Vouched for by a person this time, and still not answered twice.
    expect(USAGE, desk, "quarantine", "release", row["id"], "--force-unverified", "because")
    good(desk, "quarantine", "release", row["id"], "--force-unverified", "seen in the console")
    desk.settled(3, lambda: len(desk.sent_to(customer)))
    assert len(desk.sent_to(customer)) == 1
    expect(NOT_FOUND, desk, "quarantine", "release", "0:999999")


def test_reconcile_finds_what_no_webhook_brought(desk):
    services(desk)
    customer, nonce = desk.new_address(), desk.new_nonce()
    seen = desk.new_address()
    assert desk.inbound(seen, "came through")["sid"]
    desk.wait_replies(seen, 1)
    sids = [desk.inbound(customer, f"lost {nonce} {n}", deliver=False)["sid"] for n in range(3)]
    name = desk.tenants[0]["name"]
    done = expect(DIFFERENT, desk, "reconcile", "--tenant", name, "--json")
    assert sorted(row["sid"] for row in done.json()) == sorted(sids), done
    assert desk.sent_to(customer) == []
    done = good(desk, "reconcile", "--execute", "--json")
    assert sorted(row["sid"] for row in done.json() if row["tenant"] == name) == sorted(sids)
    desk.wait(lambda: desk.value("SELECT count(*) FROM inbox_events WHERE provider_id = ANY (%s)"
                                 " AND state = 'answered'", sids) == 3, 30, "the answers")
    assert nonce in desk.wait_replies(customer, 1)[0]
    # The event's time is the provider's, its id the MessageSid.
    records = [r for r in desk.kafka_records("inbound.sms") if r.headers["ce_id"].decode() in sids]
    assert len(records) == 3
    assert {r.headers["ce_source"].decode() for r in records} == {
        "twilio/" + desk.tenants[0]["account_sid"]}
    assert good(desk, "reconcile", "--json").json() == []


def test_reconcile_brings_lost_texts_in_their_order(desk):
    """The provider lists the newest first; the model must read them as they were written."""
    services(desk)
    customer = desk.new_address()
    now_ms = int(time.time() * 1000)
    sids = [desk.inbound(customer, f"lost {n}", deliver=False,
                         date_sent=now_ms - 60000 + 5000 * n)["sid"] for n in range(3)]
    good(desk, "reconcile", "--execute")
    desk.wait(lambda: desk.value("SELECT count(*) FROM inbox_events WHERE provider_id = ANY (%s)"
                                 " AND state = 'answered'", sids) == 3, 30, "the answers")
    rows = desk.sql("SELECT provider_id FROM messages WHERE provider_id = ANY (%s)"
                    " ORDER BY position", sids)
    assert [sid for (sid,) in rows] == sids


def twilio_takes(desk, tenant, to, body, **sender):
    """A message that left before the database went back: no row of ours knows it. It stays queued,
    so it has no date of sending; one of a messaging service has no number either."""
    known = desk.tenant(tenant)
    desk.faults("twilio", {"match": body, "method": "POST",
                           "action": {"type": "callbacks", "mode": "late", "ms": 120000}})
    form = {"To": to, "Body": body, **sender}
    request = urllib.request.Request(
        f"{desk.stand_url('twilio')}/2010-04-01/Accounts/{known.account_sid}/Messages.json",
        urllib.parse.urlencode(form).encode(), {"Authorization": "Basic " + base64.b64encode(
            f"{known.account_sid}:{known.auth_token}".encode()).decode()})
    with urllib.request.urlopen(request, timeout=10) as answer:
        message = json.loads(answer.read())
    desk.faults("twilio")
    assert message["date_sent"] is None
    return message


def wait_held_reply(desk, customer):
    """The delivery that waits for the release."""
    def row():
        found = desk.sql("SELECT d.id::text, d.state, d.reason FROM deliveries d"
                         " JOIN channel_sessions s ON s.tenant_id = d.tenant_id"
                         " AND s.id = d.session_id WHERE s.remote_address = %s", customer)
        return found and found[0]
    return desk.wait(row, 30, "a delivery")


def test_reconcile_of_a_held_database_sees_what_is_still_queued(desk):
    services(desk)
    dental, spa = "brightwater-dental", "lumen-medspa"
    number = desk.tenant(dental).numbers["sms"]
    service = desk.tenant(spa).messaging_service_sid
    which = {name: [t["name"] for t in desk.tenants].index(name) for name in (dental, spa)}
    good(desk, "hold", "a restore")
    try:
        plain, pooled = desk.new_address(), desk.new_address()
        for customer, tenant in ((plain, dental), (pooled, spa)):
            assert desk.webhook(customer, "hello", which[tenant]).status == 200
            wait_held_reply(desk, customer)
        twilio_takes(desk, dental, plain, "an answer", From=number)
        message = twilio_takes(desk, spa, pooled, "an answer", MessagingServiceSid=service)
        assert message["from"] is None
        good(desk, "reconcile", "--execute")
        for customer in (plain, pooled):
            assert wait_held_reply(desk, customer)[1:] == ("suppressed", "reconciled"), customer
    finally:
        good(desk, "release", "--yes")
    desk.settled(2, lambda: len(desk.sent()))
    assert [desk.sent_to(customer) for customer in (plain, pooled)] == [["an answer"]] * 2


def test_reconcile_takes_the_turn_that_thinks(desk):
    """What was answered before the restore is being answered again: the turn loses its place, and
    does not try to commit for ever what is ended."""
    services(desk)
    dental = "brightwater-dental"
    which = [t["name"] for t in desk.tenants].index(dental)
    customer = desk.new_address()
    good(desk, "hold", "a restore")
    desk.faults("model", {"match": "think", "action": {"type": "delay", "ms": 4000}})
    try:
        assert desk.webhook(customer, "think", which).status == 200
        desk.wait(lambda: desk.sql("SELECT 1 FROM turns u JOIN channel_sessions s"
                                   " ON s.tenant_id = u.tenant_id AND s.id = u.session_id"
                                   " WHERE s.remote_address = %s AND u.state = 'running'",
                                   customer), 15, "a turn")
        twilio_takes(desk, dental, customer, "an answer", From=desk.tenant(dental).numbers["sms"])
        good(desk, "reconcile", "--execute")
        desk.settled(5, lambda: desk.value("SELECT count(*) FROM deliveries d JOIN"
                                           " channel_sessions s ON s.tenant_id = d.tenant_id AND"
                                           " s.id = d.session_id WHERE s.remote_address = %s",
                                           customer))
    finally:
        desk.faults("model")
        good(desk, "release", "--yes")
    failed = [line for line in desk.log("engine-1") if line.get("event") == "statement.failed"]
    assert not failed, failed
    assert desk.sent_to(customer) == ["an answer"]
    nonce = desk.new_nonce()
    assert desk.webhook(customer, f"and {nonce}", which).status == 200
    desk.wait(lambda: nonce in "".join(desk.sent_to(customer)), 20, "the next answer")


def test_reconcile_says_when_the_provider_refuses(desk):
    services(desk)
    desk.faults("twilio", {"method": "GET", "count": 1,
                           "action": {"type": "status", "status": 503}})
    good(desk, "reconcile", "--tenant", desk.tenants[0]["name"])
    desk.faults("twilio")
    done = expect(FAILED, desk, "reconcile", "--tenant", desk.tenants[0]["name"],
                  environment={"FRONTDESK_TWILIO_BASE_URL": "http://127.0.0.1:1"})
    assert "http.connect" in done.said
    expect(NOT_FOUND, desk, "reconcile", "--tenant", "nobody")
