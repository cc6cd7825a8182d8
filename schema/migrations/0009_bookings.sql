-- Resources and appointments (docs/PROTOCOL.md, bookings). Services, opening hours and holidays are data of the
-- assistant's version, not rows. A resource that left the tenant's file keeps its row: appointments name it.
CREATE TABLE resources (
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    id uuid NOT NULL,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    removed_at timestamptz,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, name)
);

-- busy is starts_at to ends_at with the service's buffers around it. call_id is the tool call that made the row, NULL
-- when a person did. A hold that ran out stays `held` until somebody wants its time.
CREATE TABLE appointments (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    resource_id uuid NOT NULL,
    contact_id uuid NOT NULL,
    conversation_id uuid,
    call_id uuid,
    service text NOT NULL,
    starts_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    busy tstzrange NOT NULL,
    state text NOT NULL CHECK (state IN ('booked', 'held', 'cancelled', 'expired')),
    hold_until timestamptz,
    details jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    changed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, call_id),
    FOREIGN KEY (tenant_id, resource_id) REFERENCES resources (tenant_id, id),
    FOREIGN KEY (tenant_id, contact_id) REFERENCES contacts (tenant_id, id),
    FOREIGN KEY (tenant_id, conversation_id) REFERENCES conversations (tenant_id, id),
    FOREIGN KEY (tenant_id, call_id) REFERENCES tool_calls (tenant_id, id),
    CHECK (state <> 'held' OR hold_until IS NOT NULL),
    CHECK (busy @> tstzrange(starts_at, ends_at)),
    -- The last line of defence against a double booking, and the index by resource and time.
    CONSTRAINT appointments_apart EXCLUDE USING gist
        (resource_id WITH =, busy WITH &&, tenant_id WITH =) WHERE (state IN ('held', 'booked'))
);
CREATE UNIQUE INDEX appointments_hold ON appointments (tenant_id, contact_id, service)
    WHERE state = 'held';
CREATE INDEX appointments_contact ON appointments (tenant_id, contact_id, starts_at);
CREATE INDEX appointments_time ON appointments (tenant_id, starts_at);
CREATE INDEX appointments_conversation ON appointments (tenant_id, conversation_id)
    WHERE conversation_id IS NOT NULL;

-- What later tool calls did to an appointment: the same call again finds its row here.
CREATE TABLE appointment_changes (
    tenant_id uuid NOT NULL,
    call_id uuid NOT NULL,
    appointment_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('booked', 'held', 'moved', 'cancelled')),
    was_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant_id, call_id),
    FOREIGN KEY (tenant_id, call_id) REFERENCES tool_calls (tenant_id, id),
    FOREIGN KEY (tenant_id, appointment_id) REFERENCES appointments (tenant_id, id)
);
-- By the appointment first: where the table is young, looking for a call must not seem as good here.
CREATE INDEX appointment_changes_appointment ON appointment_changes (appointment_id, tenant_id);

-- ---- time: the statements on bookings share these; none reads a table

CREATE FUNCTION zone_offset(moment timestamptz, zone text) RETURNS interval
    LANGUAGE sql STABLE
AS $$
    SELECT (moment AT TIME ZONE zone) - (moment AT TIME ZONE 'UTC')
$$;

-- 'Tuesday 2026-12-01T09:00:00+01:00'
CREATE FUNCTION local_moment(moment timestamptz, zone text) RETURNS text
    LANGUAGE sql STABLE
AS $$
    SELECT to_char(moment AT TIME ZONE zone, 'FMDay YYYY-MM-DD"T"HH24:MI:SS')
        || CASE WHEN o.ahead < interval '0' THEN '-' ELSE '+' END
        || to_char(greatest(o.ahead, -o.ahead), 'HH24:MI')
      FROM (SELECT zone_offset(moment, zone) AS ahead) AS o
$$;

-- True where the local time, read back, is that moment: of an hour that comes twice only the second passes, so that no
-- wording names two moments.
CREATE FUNCTION is_said_once(moment timestamptz, zone text) RETURNS boolean
    LANGUAGE sql STABLE
AS $$
    SELECT (moment AT TIME ZONE zone) AT TIME ZONE zone = moment
$$;

-- The first moment from one to another at which the local clock shows that time or a later one.
CREATE FUNCTION first_shown(since timestamptz, until timestamptz, clock timestamp, zone text)
    RETURNS timestamptz
    LANGUAGE sql STABLE
AS $$
    SELECT min(m) FROM generate_series(since, until, interval '1 minute') AS m
     WHERE m AT TIME ZONE zone >= clock
$$;

-- When it is open on that day; hours and holidays as in common/store/booking_rules.h. A time that the clock jumps over is
-- the moment of the jump, so an opening inside the gap is empty. Of a time that comes twice an opening begins with the
-- second, as PostgreSQL reads it, and ends with the first that it meets: it is never open while one of two readings says
-- closed.
CREATE FUNCTION openings(day date, hours jsonb, holidays jsonb, zone text)
    RETURNS TABLE (begins timestamptz, ends timestamptz)
    LANGUAGE sql STABLE
AS $$
    WITH holiday AS (
        SELECT h -> 'hours' AS hours FROM jsonb_array_elements(holidays) AS h
         WHERE h ->> 'day' = to_char(day, 'YYYY-MM-DD') LIMIT 1),
    clock AS (
        SELECT day + (pair ->> 0)::time AS opens, day + (pair ->> 1)::time AS closes
          FROM jsonb_array_elements(CASE WHEN EXISTS (SELECT FROM holiday)
                                         THEN (SELECT d.hours FROM holiday d)
                                         ELSE hours -> to_char(day, 'dy') END) AS pair),
    moment AS (
        SELECT c.*, c.opens AT TIME ZONE zone AS opening, c.closes AT TIME ZONE zone AS closing
          FROM clock c),
    begun AS (
        SELECT m.*, CASE WHEN m.opening AT TIME ZONE zone = m.opens THEN m.opening
                    ELSE first_shown(m.opening - interval '24 h', m.opening, m.opens, zone)
                    END AS start
          FROM moment m)
    SELECT b.start, CASE WHEN b.closing AT TIME ZONE zone = b.closes
                          AND zone_offset(b.start, zone) = zone_offset(b.closing, zone)
                    THEN b.closing
                    ELSE first_shown(b.start, b.closing, b.closes, zone) END
      FROM begun b
$$;

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['resources', 'appointments', 'appointment_changes']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY one_tenant ON %I TO frontdesk_console '
                       'USING (tenant_id = current_tenant()) '
                       'WITH CHECK (tenant_id = current_tenant())', name);
        EXECUTE format('CREATE POLICY every_tenant ON %I '
                       'TO frontdesk_engine, frontdesk_responder, frontdesk_ops '
                       'USING (true) WITH CHECK (true)', name);
    END LOOP;
END $$;
GRANT SELECT ON resources TO frontdesk_engine;
-- A row lock needs UPDATE on at least one column.
GRANT UPDATE (created_at) ON resources TO frontdesk_engine;
GRANT SELECT, INSERT, UPDATE ON appointments, appointment_changes TO frontdesk_engine;
GRANT SELECT, INSERT, UPDATE, DELETE ON resources, appointments, appointment_changes
    TO frontdesk_ops;
GRANT SELECT ON resources, appointments, appointment_changes TO frontdesk_console;
