"""deskctl against real servers: keys, migrations, topics, and what doctor finds wrong."""

import re
import shutil
import stat
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

from confluent_kafka.admin import AdminClient

from harness import CHECKOUT
from operating import DIFFERENT, FAILED, OK, USAGE, doctor, expect, good, good_environment, run

SHARE = True
DEADLINE_S = 90


def test_keys_are_made_once(desk):
    desk.prepare()
    folder = desk.folder / "more-keys"
    good(desk, "keys", "generate", "--dir", folder)
    names = ["credentials.key", "edge.public", "edge.secret", "id.key", "mail.key"]
    assert sorted(path.name for path in folder.iterdir()) == names
    before = {path.name: path.read_text() for path in folder.iterdir()}
    for path in folder.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o400
        assert re.fullmatch(r"[0-9a-f]{64}\n", before[path.name])
    assert len(set(before.values())) == 5
    assert "never replaced" in expect(FAILED, desk, "keys", "generate", "--dir", folder).said
    (folder / "edge.public").unlink()
    expect(FAILED, desk, "keys", "generate", "--dir", folder)
    assert {path.name: path.read_text() for path in folder.iterdir()} == {
        name: text for name, text in before.items() if name != "edge.public"}


def test_a_new_key_for_mails_says_how_services_change_over(desk):
    folder = desk.folder / "mail-keys"
    folder.mkdir()
    done = good(desk, "keys", "mail", "--dir", folder, "--json")
    first = folder / "mail.key"
    assert done.json() == {"file": str(first), "mail_token_key_file": str(first)}
    assert "--rotate" in expect(USAGE, desk, "keys", "mail", "--dir", folder).said
    before = first.read_text()
    for number in range(2, 9):
        done = good(desk, "keys", "mail", "--dir", folder, "--rotate", "--json")
        new = folder / f"mail-{number}.key"
        assert stat.S_IMODE(new.stat().st_mode) == 0o400 and new.read_text() != before
        listed = done.json()["mail_token_key_file"].split(",")
        assert listed == [str(new), *(str(folder / f"mail-{n}.key") for n in range(number - 1, 1, -1)), str(first)]
        # The mailpoller is given the new key before anybody signs with it.
        words = done.said
        reads, signs = f"{','.join(listed[1:])},{new}", ",".join(listed)
        assert words.index(reads) < words.index("2. responder") < words.index(signs)
        assert "new conversations" in words
    assert first.read_text() == before
    expect(USAGE, desk, "keys", "mail", "--dir", folder, "--rotate")
    expect(USAGE, desk, "keys", "mail", "--dir", desk.folder / "none", "--rotate")


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


# The first migration that is held to reading no whole table under its lock; those before are released as they are.
FIRST_QUICK = 52
STEPWISE = "-- no transaction\n"
READ_SQL = "SELECT relname::text, seq_scan FROM pg_stat_xact_user_tables"


def test_no_migration_reads_a_table_under_its_lock(desk):
    """It would be read as long as it is, and no turn would run meanwhile."""
    desk.prepare()
    name, _ = fresh_database(desk, "quick")
    with closing(desk.servers.postgres.connect(name)) as connection, connection.cursor() as cursor:
        for path in sorted((CHECKOUT / "schema" / "migrations").iterdir()):
            text = path.read_text()
            if text.startswith(STEPWISE):
                for statement in text.split(";\n")[:-1]:
                    cursor.execute(statement)
                continue
            cursor.execute("BEGIN")
            cursor.execute(READ_SQL)  # counts of statements before this transaction may be among them
            before = dict(cursor.fetchall())
            cursor.execute(text)
            cursor.execute(READ_SQL)
            read = [name for name, count in cursor.fetchall() if count > before.get(name, count)]
            cursor.execute("COMMIT")
            assert int(path.name[:4]) < FIRST_QUICK or read == [], (path.name, read)


def test_an_index_is_built_beside_a_claim(desk):
    """Other claims go on while it waits for an open one. What a run that died left of it is in nobody's way."""
    desk.prepare()
    name, environment = fresh_database(desk, "beside")
    good(desk, "db", "migrate", environment=environment)
    text = (CHECKOUT / "schema" / "migrations" / "0054_mail_correspondents.sql").read_text()
    folder = own_migrations(desk, "beside-sql", again=text)
    sql = desk.servers.postgres.sql
    sql("DROP INDEX channel_sessions_correspondent;"
        " CREATE INDEX channel_sessions_mail ON channel_sessions (tenant_id, remote_address)", None, name)
    sql("SET session_replication_role = replica; INSERT INTO channel_sessions (tenant_id, id, conversation_id,"
        " channel_id, kind, remote_address, delivery_seq) SELECT gen_random_uuid(), gen_random_uuid(), gen_random_uuid(),"
        " gen_random_uuid(), 'mail', 'ann+' || n || '@a.example', 1 FROM generate_series(1, 1000) n;"
        " RESET session_replication_role", None, name)

    def waiting():
        found = sql("SELECT pid FROM pg_stat_activity WHERE datname = %s AND wait_event_type = 'Lock'"
                    " AND query LIKE '%%INDEX%%'", (name,), name)
        return found and found[0][0]

    def valid(index):
        return sql("SELECT i.indisvalid FROM pg_class c JOIN pg_index i ON i.indexrelid = c.oid WHERE c.relname = %s",
                   (index,), name)

    update = "UPDATE channel_sessions SET claimed = claimed + 1 WHERE remote_address "
    for dies in (True, False):
        with ThreadPoolExecutor(1) as pool, closing(desk.servers.postgres.connect(name)) as claim:
            claim.autocommit = False
            claim.cursor().execute(update + "= 'ann+1@a.example'")
            done = pool.submit(run, desk, "db", "migrate", "--migrations", folder, environment=environment)
            pid = desk.wait(waiting, what="the migration to wait for the claim")
            assert sql("SELECT DISTINCT mode FROM pg_locks WHERE pid = %s AND relation = 'channel_sessions'::regclass",
                       (pid,), name) == [("ShareUpdateExclusiveLock",)]
            sql(update + "<> 'ann+1@a.example'", None, name)
            if dies:
                sql("SELECT pg_terminate_backend(%s)", (pid,), name)
                assert done.result().code == FAILED
                assert valid("channel_sessions_correspondent") == [(False,)]
                assert valid("channel_sessions_mail") == [(True,)]
            claim.commit()
            assert dies or done.result().code == OK, done.result()
    assert valid("channel_sessions_correspondent") == [(True,)] and valid("channel_sessions_mail") == []


def test_topics_drift_is_found_and_mended(desk):
    desk.prepare()
    good(desk, "topics", "diff")
    text = (desk.installation.schema / "topics.yaml").read_text()
    other = desk.folder / "topics.yaml"
    other.write_text(text.replace("partitions: 3\n", "partitions: 5\n", 1)
                     .replace("segment.ms: 86400000", "segment.ms: 86000000", 1))
    rows = expect(DIFFERENT, desk, "topics", "diff", "--file", other, "--json").json()
    assert sum(row["state"] == "drifted" for row in rows) == 2
    good(desk, "topics", "apply", "--file", other)
    # A broker tells of a new setting a moment after it took it.
    desk.wait(lambda: run(desk, "topics", "diff", "--file", other).code == OK, 15, "no difference")
    done = expect(DIFFERENT, desk, "topics", "apply")
    assert "never shrunk" in done.out

    def differences():
        rows = expect(DIFFERENT, desk, "topics", "diff", "--json").json()
        return [row["differences"] for row in rows if row["state"] != "same"]
    desk.wait(lambda: differences() == ["partitions: 5, wanted 3 (never shrunk)"], 15,
              lambda: f"what cannot be shrunk and nothing else: {differences()}")


def test_missing_topic_is_made(desk):
    desk.prepare()
    admin = AdminClient({"bootstrap.servers": desk.servers.kafka.address})
    prefix = desk.installation.prefix + "second."
    rows = good(desk, "topics", "apply", f"--topic_prefix={prefix}", "--json").json()
    assert {row["outcome"] for row in rows} == {"created"}
    names = set(admin.list_topics(timeout=10).topics)
    assert {prefix + "inbound.sms", prefix + "dlq"} <= names
    good(desk, "topics", "diff", f"--topic-prefix={prefix}")


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
        good(desk, "release", "--yes", "--without-reconcile")


def test_doctor_looks_at_channels_and_their_audits(desk):
    desk.stop()  # an engine would publish, a responder audit
    desk.prepare()
    good(desk, "directory", "publish")
    number = desk.tenants[0]["numbers"]["sms"]
    where = " WHERE kind = 'sms' AND address = %s AND removed_at IS NULL"
    job = ("UPDATE jobs SET {} WHERE kind = 'gap_audit' AND subject = (SELECT id::text FROM channels"
           " WHERE kind = 'sms' AND address = %s AND removed_at IS NULL)")
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
