"""The catalogue: walls between tenants are there for every table, and hold for the console's role."""

import uuid

import psycopg2

SHARE = True

# Tables without a tenant, each for a reason: the installation's own state, the workers of its
# processes, and the migrations' ledger.
WITHOUT_TENANT = {"installation", "workers", "schema_migrations"}


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


def sessions(desk):
    """A connection as the console's role."""
    connection = psycopg2.connect(desk.servers.postgres.url(desk.installation.database))
    connection.autocommit = False
    return connection


def as_console(cursor, tenant):
    cursor.execute("SET LOCAL ROLE frontdesk_console")
    if tenant is not None:
        cursor.execute("SELECT set_config('frontdesk.tenant', %s, true)", (str(tenant),))


def test_the_console_reads_nothing_of_a_foreign_tenant(desk):
    desk.start()
    customer = desk.new_address()
    nonce = desk.new_nonce()
    assert desk.webhook(customer, f"hello {nonce}").status == 200
    desk.wait_replies(customer, 1)
    tenant = desk.value("SELECT tenant_id FROM messages LIMIT 1")
    filled = 0
    with sessions(desk) as connection:
        for name in tables(desk):
            if name in WITHOUT_TENANT:
                continue
            column = "id" if name == "tenants" else "tenant_id"
            for foreign in (uuid.uuid4(), None, ""):
                with connection.cursor() as cursor:
                    as_console(cursor, foreign)
                    try:
                        cursor.execute(f"SELECT count(*) FROM {name}")
                        assert cursor.fetchone()[0] == 0, f"{name} leaks to {foreign!r}"
                        assert foreign not in (None, ""), f"{name} readable without a tenant"
                    except psycopg2.errors.InsufficientPrivilege:
                        pass
                connection.rollback()
            with connection.cursor() as cursor:
                as_console(cursor, tenant)
                try:
                    cursor.execute(
                        f"SELECT count(*), count(*) FILTER (WHERE {column} = %s) FROM {name}",
                        (tenant,),
                    )
                    seen, own = cursor.fetchone()
                    assert seen == own
                    filled += seen > 0
                except psycopg2.errors.InsufficientPrivilege:
                    pass
            connection.rollback()
    assert filled >= 8, "the test saw too few rows to mean anything"


def test_the_console_writes_nothing_of_a_foreign_tenant(desk):
    desk.start()
    tenant = desk.value("SELECT id FROM tenants LIMIT 1")
    with sessions(desk) as connection:
        for name in tables(desk):
            if name in WITHOUT_TENANT:
                continue
            columns = desk.sql(
                "SELECT attname::text FROM pg_attribute WHERE attrelid = %s::regclass"
                " AND attnum > 0 AND NOT attisdropped AND attidentity = '' AND attgenerated = ''",
                name,
            )
            with connection.cursor() as cursor:
                cursor.execute("GRANT ALL ON ALL TABLES IN SCHEMA public TO frontdesk_console")
                as_console(cursor, uuid.uuid4())
                for text in (f"DELETE FROM {name}",
                             f"UPDATE {name} SET {columns[0][0]} = {columns[0][0]}"):
                    cursor.execute("SAVEPOINT s")
                    cursor.execute(text)
                    assert cursor.rowcount == 0, f"{text} touched a foreign row"
                    cursor.execute("ROLLBACK TO SAVEPOINT s")
                if name == "tenants":
                    continue
                names = ", ".join(c for (c,) in columns)
                values = ", ".join(
                    "%s" if c == "tenant_id" else f"(SELECT {c} FROM {name} LIMIT 1)"
                    for (c,) in columns
                )
                try:
                    cursor.execute(f"INSERT INTO {name} ({names}) VALUES ({values})", (tenant,))
                    raise AssertionError(f"{name}: a row of a foreign tenant was inserted")
                except psycopg2.errors.InsufficientPrivilege:
                    pass
            connection.rollback()
