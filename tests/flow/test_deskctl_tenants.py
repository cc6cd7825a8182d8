"""deskctl against real servers: tenants, their channels, and the directory."""

import base64
import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import psycopg2

from harness import CHECKOUT
from operating import (DIFFERENT, FAILED, NOT_FOUND, OK, TENANTS, USAGE, answer_on_terminal, expect,
                       good, run, tenant_file, tenant_row)

SHARE = True
DEADLINE_S = 90


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


def test_sections_of_the_examples(desk):
    """What the files say of the reception is in the version, and nothing secret is shown."""
    desk.prepare()
    config = tenant_row(desk, "brightwater-dental")["config"]
    assert config["hours"]["fri"] == [["08:00", "14:00"]] and "sat" not in config["hours"]
    assert config["resources"] == ["Chair 1", "Chair 2"]
    assert {service["name"]: service["duration_min"] for service in config["services"]} == {
        "Check-up with cleaning": 60, "Filling": 45, "Whitening": 90}
    assert [turn["sms"] for turn in config["escalation"]["rota"]] == ["+15550100901", "+15550100902"]
    assert "services" not in tenant_row(desk, "northpine-outfitters")["config"]


def test_history_and_the_way_back(desk):
    desk.prepare()
    name = "hillcrest-garage"
    before = tenant_row(desk, name)
    path = tenant_file(desk, "garage", ("duration: 30m", "duration: 40m"))
    done = good(desk, "tenant", "apply", path, "--yes", "--json").json()
    assert done["changes"] == [{"tenant": name, "action": "change", "what": "services",
                                "field": "Oil change duration", "before": "30 min",
                                "after": "40 min"}]
    newest, older = good(desk, "tenant", "history", name, "--limit", "2", "--json").json()
    assert newest["version"] == before["assistant_version"] + 1 == older["version"] + 1
    assert newest["changes"] == "~ services Oil change duration"
    assert newest["current"] and not older["current"]
    assert newest["created_by"].startswith("deskctl:") and newest["created_at"].endswith("Z")

    done = expect(DIFFERENT, desk, "tenant", "rollback", name)
    assert "~ services Oil change duration: 40 min -> 30 min" in done.said and "--yes" in done.said
    expect(DIFFERENT, desk, "tenant", "rollback", name, "--dry-run", "--yes")
    assert tenant_row(desk, name)["assistant_version"] == newest["version"]
    done = good(desk, "tenant", "rollback", name, str(older["version"]), "--yes", "--json").json()
    assert (done["result"], done["from"], done["version"]) == (
        "applied", older["version"], newest["version"] + 1)
    after = tenant_row(desk, name)
    assert after["assistant_version"] == newest["version"] + 1
    assert after["config"] == before["config"] and after["channels"] == before["channels"]
    assert desk.value("SELECT detail->>'from' FROM audit_log WHERE action = 'tenant.rollback'"
                      " AND subject = %s", name) == str(older["version"])
    again = good(desk, "tenant", "rollback", name, str(older["version"]), "--yes", "--json").json()
    assert again["result"] == "unchanged" and again["changes"] == []
    done = good(desk, "tenant", "apply", TENANTS / "garage.yaml", "--yes", "--json").json()
    assert done["result"] == "unchanged"

    expect(NOT_FOUND, desk, "tenant", "rollback", name, "9999", "--yes")
    expect(NOT_FOUND, desk, "tenant", "history", "nobody")
    expect(USAGE, desk, "tenant", "rollback", name, "first")


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


def test_businesses_of_the_benchmarks_are_taken(desk):
    """They are made of the dental clinic's file, which grows: with the channels that a suite measures."""
    desk.prepare()
    sys.path.append(str(CHECKOUT / "tests" / "bench"))
    from measure import own_of, write_tenants
    desk.installation.secrets[own_of(1)["token"]] = "a-token"
    for number, kinds in enumerate((("sms",), ("sms", "voice"))):
        file, = write_tenants(desk.folder / f"bench-{number}", TENANTS / "dental.yaml", 1, None, kinds)
        assert answer_on_terminal(desk, b"n\n", "tenant", "apply", file) == DIFFERENT, kinds


def test_number_of_another_tenant_is_refused(desk):
    desk.prepare()
    number = tenant_row(desk, "northpine-outfitters")["channels"][0]["address"]
    path = tenant_file(desk, "medspa", ("env:MEDSPA_TWILIO_NUMBER:-+15550100303", f'"{number}"'))
    before = tenant_row(desk, "lumen-medspa")
    line = path.read_text().splitlines().index(f'    number: "{number}"')  # of the entry's "- kind", from 1
    for option in ("--dry-run", "--yes"):
        done = expect(FAILED, desk, "tenant", "apply", path, option)
        said = f"number: {number} belongs to another tenant, northpine-outfitters; remove it there"
        assert f"{path}:{line}: {said}" in done.said, done.said
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
    answers_only_what_came_after(desk, number)
    # No tombstone of the former owner may follow.
    assert desk.value("SELECT count(*) FROM channels WHERE address = %s AND removed_at IS NOT NULL"
                      " AND published_version < directory_version", number) == 0
    moved_back = desk.value("SELECT clock_timestamp()")
    good(desk, "tenant", "apply", TENANTS / "medspa.yaml", TENANTS / "shop.yaml", "--yes")
    good(desk, "directory", "publish")
    # Its former row is alive again, and what came while another had the number is not its business,
    # though no audit has seen it away.
    job = desk.sql("SELECT j.since, j.due_at FROM jobs j JOIN channels c ON c.id::text = j.subject"
                   " WHERE c.address = %s AND c.removed_at IS NULL", number)[0]
    assert job[0] > moved_back and job[1], job


def answers_only_what_came_after(desk, number):
    """A text from before the number moved to the second tenant is nothing to inject."""
    which = [t["name"] for t in desk.tenants].index("lumen-medspa")
    now_ms = int(time.time() * 1000)
    before, after = (desk.inbound(desk.new_address(), "hello", tenant=which, to=number,
                                  deliver=False, date_sent=now_ms - age_s * 1000)["sid"]
                     for age_s in (60, 0))
    missing = run(desk, "reconcile", "--tenant", "lumen-medspa", "--since", "1d", "--json").json()
    assert [row["sid"] for row in missing if row["number"] == number] == [after], (before, missing)


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
                     " assistant_id, 1 FROM channels WHERE kind = 'sms' AND address = %s", added[4:],
                     changed[4:])
            desk.sql("UPDATE channels SET directory_version = directory_version + 1,"
                     " published_version = directory_version + 1,"
                     " removed_at = CASE WHEN address = %s THEN now() END"
                     " WHERE kind = 'sms' AND address IN (%s, %s) AND removed_at IS NULL",
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
