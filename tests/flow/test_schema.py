"""The catalogue: walls between tenants are there for every table, and hold for the console's role."""

import re
import uuid
from contextlib import contextmanager

import psycopg2

SHARE = True

# Tables without a tenant, each for a reason: the installation's own state, the workers of its
# processes, and the migrations' ledger.
WITHOUT_TENANT = {"installation", "workers", "schema_migrations"}

# What a frequent statement may read from its first row to its last, for the reason that is given.
WHOLE = {
    "workers": "a row per process", "workers_pkey": "a row per process",
    "workers_of_kind": "a row per process",
    "installation": "one row",
    "channels_pkey": "the numbers of a tenant, when it is called: few",
    "channels_unpublished": "only what is to be published",
    "jobs_tenant_id_kind_subject_key": "periodic work: few a tenant",
    "kb_documents_pkey": "500 documents of a tenant at most",
    "kb_documents_tenant_id_name_key": "500 documents of a tenant at most",
}


def tables(desk):
    return [
        row[0]
        for row in desk.sql(
            "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p', 'f', 'm', 'v')"
            " AND relnamespace = 'public'::regnamespace ORDER BY 1"
        )
    ]


def test_every_table_has_its_walls(desk):
    wrong = []
    for name in tables(desk):
        if name in WITHOUT_TENANT:
            continue
        kind, enabled, forced = desk.sql(
            "SELECT relkind, relrowsecurity, relforcerowsecurity FROM pg_class"
            " WHERE oid = %s::regclass",
            name,
        )[0]
        if kind != "r":
            wrong.append(f"{name}: a view or foreign table would not be walled")
        if not (enabled and forced):
            wrong.append(f"{name}: ENABLE and FORCE ROW LEVEL SECURITY")
        policies = desk.sql(
            "SELECT polname, polqual IS NOT NULL, polwithcheck IS NOT NULL,"
            " ARRAY(SELECT rolname::text FROM pg_roles WHERE oid = ANY (polroles))"
            " FROM pg_policy WHERE polrelid = %s::regclass",
            name,
        )
        console = [p for p in policies if "frontdesk_console" in p[3]]
        if len(console) != 1 or not (console[0][1] and console[0][2]):
            wrong.append(f"{name}: one policy with USING and WITH CHECK for frontdesk_console")
        if name == "tenants":
            continue
        column = desk.sql(
            "SELECT attnotnull, format_type(atttypid, atttypmod) FROM pg_attribute"
            " WHERE attrelid = %s::regclass AND attname = 'tenant_id'",
            name,
        )
        if column != [(True, "uuid")]:
            wrong.append(f"{name}: tenant_id uuid NOT NULL")
        for (keys,) in desk.sql(
            "SELECT ARRAY(SELECT attname::text FROM pg_attribute WHERE attrelid = conrelid"
            " AND attnum = ANY (conkey)) FROM pg_constraint"
            " WHERE conrelid = %s::regclass AND contype IN ('f', 'p', 'u')",
            name,
        ):
            if "tenant_id" not in keys:
                wrong.append(f"{name}: a key without tenant_id: {keys}")
    assert not wrong, "\n".join(wrong)


def test_a_tenant_looks_like_a_tenth_of_every_table(desk):
    """As migration 0048 says why; a table that is made later needs it too."""
    found = {name: (target, options) for name, target, options in desk.sql(
        "SELECT c.relname::text, a.attstattarget::int, array_to_string(a.attoptions, ',')"
        " FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id'"
        " WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'")}
    assert len(found) > 20, found
    other = {name for name, told in found.items() if told != (1, "n_distinct=10")}
    assert not other, f"ALTER tenant_id SET (n_distinct = 10), SET STATISTICS 1 is missing: {other}"


def test_a_renewal_writes_no_index(desk):
    """Every worker renews its lease each second, and each look reads what the last vacuum left."""
    renewal = "UPDATE workers SET lease_until = clock_timestamp() WHERE process = 'of a test';"
    (updated, in_place), = desk.sql(
        "INSERT INTO workers (id, kind, process, lease_until)"
        " VALUES (gen_random_uuid(), 'engine', 'of a test', clock_timestamp());" + 5 * renewal +
        "SELECT pg_stat_get_xact_tuples_updated('workers'::regclass),"
        " pg_stat_get_xact_tuples_hot_updated('workers'::regclass)")
    desk.sql("DELETE FROM workers WHERE process = 'of a test' RETURNING 1")
    assert (updated, in_place) == (5, 5)


def test_nobody_serves_as_owner(desk):
    bad = desk.sql(
        "SELECT r.rolname FROM pg_roles r WHERE r.rolname LIKE 'frontdesk%%'"
        " AND (r.rolsuper OR r.rolbypassrls OR EXISTS (SELECT FROM pg_class c"
        " WHERE c.relowner = r.oid AND c.relnamespace = 'public'::regnamespace))"
    )
    assert bad == [], bad


def test_no_function_runs_as_its_owner(desk):
    bad = desk.sql(
        "SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prosecdef"
    )
    assert bad == [], bad


# Columns that name a row elsewhere, or seem to, without a key; each for a reason.
WITHOUT_KEY = {
    ("inbox_events", "session_id"): "the ledger outlives erasure",
    ("inbox_events", "message_id"): "the ledger outlives erasure",
    ("inbox_events", "turn_id"): "the ledger outlives erasure",
    ("inbox_events", "claim_id"): "marks one claim, names no row",
    ("inbox_events", "provider_id"): "the provider's",
    ("messages", "provider_id"): "the provider's",
    ("delivery_mails", "message_id"): "the mail's own, as its header says it",
    ("delivery_mails", "quoted_id"): "of the same conversation: both are erased at once",
    ("message_mails", "mail_id"): "the mail's own, as its header says it",
    ("message_mails", "suggested_id"): "a hint for people; that conversation may be erased",
    ("attachments", "event_id"): "the ce_id, written before the event",
    ("llm_calls", "request_id"): "the provider's",
    ("tool_calls", "provider_id"): "the provider's",
    ("receptions", "escalation_id"): "given before the task is made",
}


def test_every_reference_is_a_key_with_its_tenant(desk):
    """A row that names another one cannot name one of another tenant, nor one that is gone."""
    found = desk.sql(
        "SELECT c.relname::text, a.attname::text, EXISTS (SELECT FROM pg_constraint f"
        " JOIN pg_attribute t ON t.attrelid = c.oid AND t.attname = 'tenant_id'"
        " WHERE f.conrelid = c.oid AND f.contype = 'f' AND f.convalidated"
        " AND f.conkey @> ARRAY[a.attnum, t.attnum])"
        " FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid"
        " WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'"
        " AND a.attname LIKE '%%\\_id' AND a.attname <> 'tenant_id' AND NOT a.attisdropped"
    )
    assert len(found) > 20, found
    without = {(table, column) for table, column, keyed in found if not keyed}
    assert without == set(WITHOUT_KEY), without ^ set(WITHOUT_KEY)


# One row of each table for two tenants, in a transaction that is rolled back.

OF_TYPE = {"text": "x", "bigint": 1, "integer": 1, "boolean": False, "jsonb": "{}", "bytea": b"x",
           "timestamp with time zone": "2026-11-23T00:00:00Z", "tsvector": "x",
           "tstzrange": "[2026-11-23T00:00:00Z,2026-11-24T00:00:00Z)",
           "date": "2026-11-23", "uuid[]": "{}", "text[]": "{}", "timestamp with time zone[]": "{}"}


# Where a CHECK asks for a shape, or for columns that are only there together.
SHAPED = {"mail_accounts": {"url": "smtp://mail.example", "secret": "env:NAME"},
          "mailboxes": {"paused_at": None, "paused_by": None}}


def allowed_words(cursor, name):
    """Column to a word that its CHECK allows."""
    cursor.execute("SELECT pg_get_constraintdef(oid) FROM pg_constraint"
                   " WHERE conrelid = %s::regclass AND contype = 'c'", (name,))
    found = [re.search(r"\(\(?(\w+) = (?:ANY \(\(?ARRAY\[)?'(\w+)'", text)
             for (text,) in cursor.fetchall()]
    return {**{match[1]: match[2] for match in found if match}, **SHAPED.get(name, {})}


def columns_of(cursor, name):
    cursor.execute("SELECT attname::text, format_type(atttypid, atttypmod) FROM pg_attribute"
                   " WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped"
                   " AND attidentity = '' AND attgenerated = '' ORDER BY attnum", (name,))
    return cursor.fetchall()


def insert_row(cursor, name, tenant):
    """Every column filled; every id is the tenant's own, so that rows of a tenant belong together."""
    words = allowed_words(cursor, name)
    columns = columns_of(cursor, name)
    values = [tenant if kind == "uuid" else words[column] if column in words
              else f"wall-{tenant}" if column == "name" else OF_TYPE[kind]
              for column, kind in columns]
    names = ", ".join(column for column, _ in columns)
    marks = ", ".join(["%s"] * len(values))
    cursor.execute(f"INSERT INTO {name} ({names}) VALUES ({marks})", values)


@contextmanager
def two_tenants(desk):
    """A cursor as the console's role of the first of two tenants, both with a row in each table;
    the role may do everything, so that only the policies stand before the other's rows."""
    connection = psycopg2.connect(desk.servers.postgres.url(desk.installation.database))
    own, foreign = str(uuid.uuid4()), str(uuid.uuid4())
    try:
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL session_replication_role = replica")  # no order of tables
            for name in walled(desk):
                for tenant in (own, foreign):
                    insert_row(cursor, name, tenant)
            cursor.execute("GRANT ALL ON ALL TABLES IN SCHEMA public TO frontdesk_console")
            cursor.execute("SET LOCAL ROLE frontdesk_console")
            cursor.execute("SELECT set_config('frontdesk.tenant', %s, true)", (own,))
            yield cursor, own, foreign
    finally:
        connection.rollback()
        connection.close()


def walled(desk):
    return [name for name in tables(desk) if name not in WITHOUT_TENANT]


def key_of(name):
    return "id" if name == "tenants" else "tenant_id"


def touched(cursor, text, *params):
    """How many rows the statement touched; it is undone."""
    cursor.execute("SAVEPOINT s")
    cursor.execute(text, params)
    count = cursor.rowcount
    cursor.execute("ROLLBACK TO SAVEPOINT s")
    return count


def is_refused(cursor, text, *params):
    cursor.execute("SAVEPOINT s")
    try:
        cursor.execute(text, params)
        return False
    except psycopg2.errors.InsufficientPrivilege:
        return True
    finally:
        cursor.execute("ROLLBACK TO SAVEPOINT s")


def test_the_console_reads_nothing_of_a_foreign_tenant(desk):
    desk.prepare()
    with two_tenants(desk) as (cursor, own, foreign):
        for name in walled(desk):
            cursor.execute(f"SELECT count(*), count(*) FILTER (WHERE {key_of(name)} = %s),"
                           f" count(*) FILTER (WHERE {key_of(name)} = %s) FROM {name}",
                           (own, foreign))
            seen, mine, others = cursor.fetchone()
            assert mine > 0 and others == 0 and seen == mine, (name, seen, mine, others)
        for nobody in ("", None):
            cursor.execute("SELECT set_config('frontdesk.tenant', %s, true)", (nobody,))
            for name in walled(desk):
                assert is_refused(cursor, f"SELECT count(*) FROM {name}"), name


def test_the_console_writes_nothing_of_a_foreign_tenant(desk):
    desk.prepare()
    with two_tenants(desk) as (cursor, own, foreign):
        for name in walled(desk):
            key = key_of(name)
            update = f"UPDATE {name} SET {key} = {key} WHERE {key} = %s"
            delete = f"DELETE FROM {name} WHERE {key} = %s"
            for text in (update, delete):
                assert touched(cursor, text, own) > 0, text
                assert touched(cursor, text, foreign) == 0, text
            assert is_refused(cursor, f"UPDATE {name} SET {key} = %s WHERE {key} = %s",
                              str(uuid.uuid4()), own), f"{name}: a row was given away"
            columns = [column for column, _ in columns_of(cursor, name)]
            values = ", ".join("%s" if column == key else column for column in columns)
            assert is_refused(cursor, f"INSERT INTO {name} ({', '.join(columns)})"
                                      f" SELECT {values} FROM {name} WHERE {key} = %s",
                              str(uuid.uuid4()), own), f"{name}: a foreign row was inserted"


def of_row(column, kind, needed, words):
    """SQL for a column of the n-th of many rows. What may be missing mostly is: rows are open, not
    removed, and nobody's."""
    if column == "tenant_id":
        return "md5('tenant' || n % 200)::uuid"
    if column in words:
        return "NULL" if words[column] is None else f"'{words[column]}'"
    if not needed and kind in ("uuid", "timestamp with time zone", "date"):
        return f"CASE WHEN n % 8 = 0 THEN {of_row(column, kind, True, words)} END"
    return {"uuid": f"md5('{column}' || n)::uuid", "text": "'x' || n", "bigint": "n",
            "integer": "n % 1000", "boolean": "false", "jsonb": "'{}'", "bytea": "md5('' || n)::bytea",
            "timestamp with time zone": "now() - n * interval '1 s'",
            "uuid[]": "'{}'::uuid[]", "text[]": "'{}'::text[]", "timestamp with time zone[]": "'{}'::timestamptz[]",
            "date": "current_date - n % 1000", "tsvector": "to_tsvector('simple', 'x' || n % 500)",
            "tstzrange": "tstzrange(now() - n * interval '1 h', now() - (n - 1) * interval '1 h')",
            }[kind]


def fill(cursor, name, rows):
    """Many rows of 200 tenants that hang together in nothing but their tenants."""
    words = allowed_words(cursor, name)
    columns = columns_of(cursor, name)
    cursor.execute("SELECT attname::text FROM pg_attribute WHERE attrelid = %s::regclass"
                   " AND attnotnull", (name,))
    needed = {column for (column,) in cursor.fetchall()}
    values = ", ".join(of_row(column, kind, column in needed, words) for column, kind in columns)
    names = ", ".join(column for column, _ in columns)
    cursor.execute(f"INSERT INTO {name} ({names}) SELECT {values} FROM generate_series(1, {rows})"
                   " AS n ON CONFLICT DO NOTHING")
    cursor.execute(f"ANALYZE {name}")


def scans(node):
    """(table or index, whether a condition bounds it) of everything that a plan reads."""
    if node["Node Type"] == "Seq Scan":
        yield node["Relation Name"], ""
    elif node["Node Type"] in ("Index Scan", "Index Only Scan", "Bitmap Index Scan"):
        yield node["Index Name"], node.get("Index Cond", "")
    for child in node.get("Plans", ()):
        yield from scans(child)


def plan_of(cursor, name, types, body):
    """Its generic plan."""
    cursor.execute(f"PREPARE {name}{f' ({types})' if types else ''} AS {body}")
    count = len(types.split(",")) if types else 0
    given = f" ({', '.join(['NULL'] * count)})" if count else ""
    cursor.execute(f"EXPLAIN (FORMAT JSON) EXECUTE {name}{given}")
    plan = cursor.fetchone()[0][0]["Plan"]
    cursor.execute(f"DEALLOCATE {name}")
    return plan


def reference_plans(cursor):
    """(text, plan) of the look-ups that PostgreSQL keeps for foreign keys; those of rows that a
    function writes are planned with its settings."""
    cursor.execute("SELECT DISTINCT confrelid::regclass::text, ARRAY(SELECT a.attname::text FROM"
                   " unnest(confkey) AS k JOIN pg_attribute a ON a.attrelid = confrelid"
                   " AND a.attnum = k), ARRAY(SELECT format_type(a.atttypid, a.atttypmod) FROM"
                   " unnest(confkey) AS k JOIN pg_attribute a ON a.attrelid = confrelid"
                   " AND a.attnum = k) FROM pg_constraint WHERE contype = 'f'"
                   " AND connamespace = 'public'::regnamespace")
    for table, columns, types in cursor.fetchall():
        wanted = " AND ".join(f"{column} = ${n}" for n, column in enumerate(columns, 1))
        body = f"SELECT 1 FROM ONLY {table} x WHERE {wanted} FOR KEY SHARE OF x"
        yield body, plan_of(cursor, "reference", ",".join(types), body)


def kept_plans(cursor):
    """(text, plan) of every function of adr 0004, as it would be planned now; then those of the
    references, with the settings of the functions."""
    cursor.execute("SELECT proname, prosrc, proconfig, array_to_string(ARRAY("
                   "SELECT format_type(t, NULL) FROM unnest(proargtypes) AS t), ',')"
                   " FROM pg_proc WHERE proname LIKE 'desk\\_statement\\_%'")
    functions = cursor.fetchall()
    assert len(functions) >= 25, len(functions)
    for name, source, settings, types in functions:
        for setting in settings:
            cursor.execute("SELECT set_config(%s, %s, true)", setting.split("=", 1))
        body = re.search(r"BEGIN (?:RETURN QUERY )?(.*); END", source, re.S).group(1)
        yield body, plan_of(cursor, name, types, body)
    yield from reference_plans(cursor)


# What many rows of a tenant have in common: an index that is asked for nothing else gives them all.
COMMON = {"tenant_id", "kind", "channel", "state"}


# Of these a plan that was made while a tenant has a few rows takes all of them: few to a tenant for
# ever, or looked at for a list of keys that may be longer than they are.
FEW = {"resources_tenant_id_name_key", "resources_pkey", "appointments_pkey", "message_mails_pkey",
       "message_mails_mail", "deliveries_provider", "channel_sessions_turn"}
YOUNG = 1000
FIRST = {"inbox_events_pkey"}  # likewise while a tenant has one row


def reads_whole(bound):
    asked = set(re.findall(r"\(\(*(\w+)\)? (?:=|>|<|IS|&&|@@)", bound))
    asked |= set(re.findall(r"\(\w+\((\w+),[^=]*\) =", bound))  # what an index makes of a column
    return asked <= COMMON


def test_no_frequent_statement_reads_a_table_whole(desk):
    """The plans that the functions of adr 0004 keep find their rows by an index, and not by the
    tenant alone: with tables that have grown, and with young ones, since a plan that was made then
    is used until the next ANALYZE (migration 0048). So do the look-ups for foreign keys. So do those of a quiet hour, in which no event is open: thousands
    are when such a plan is used under load."""
    desk.prepare()
    connection = psycopg2.connect(desk.servers.postgres.url(desk.installation.database))
    wrong = []
    try:
        cursor = connection.cursor()
        cursor.execute("SET LOCAL session_replication_role = replica")
        for rows in (200, 400, 1000, 4000, 12000):  # 1 to 60 a tenant
            for name in walled(desk):
                fill(cursor, name, rows)
            for body, plan in kept_plans(cursor):
                wrong += [f"{rows} rows: {read} by {bound or 'nothing'} in {body[:300]}"
                          for read, bound in scans(plan) if read not in WHOLE and reads_whole(bound)
                          and not (rows <= YOUNG and read in FEW)
                          and not (rows == 200 and read in FIRST)]
        cursor.execute("CREATE TEMP TABLE kept AS SELECT * FROM inbox_events;"
                       "UPDATE kept SET state = 'answered'; TRUNCATE inbox_events;"
                       "INSERT INTO inbox_events SELECT * FROM kept; ANALYZE inbox_events")
        for body, plan in kept_plans(cursor):
            wrong += [f"quiet: {read} in {body[:300]}" for read, bound in scans(plan)
                      if read == "inbox_events_open" and not bound]
    finally:
        connection.close()
    assert not wrong, "\n".join(wrong)
