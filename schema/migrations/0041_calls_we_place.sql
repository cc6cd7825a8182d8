-- Calls that the desk places (docs/CALLING.md): a delivery by way of 'call', whose session stands for that one
-- call until somebody takes it.
ALTER TABLE deliveries DROP CONSTRAINT deliveries_via_check,
    ADD CONSTRAINT deliveries_via_check CHECK (via IN ('sms', 'stream', 'mail', 'call')) NOT VALID;

-- Where somebody is, if that is known: calls to them keep the hours of that zone. NULL: the business's.
ALTER TABLE contacts ADD COLUMN timezone text;

-- What a delivery by call says besides its message's text, which is what who answers hears: written with the
-- delivery. purpose: rota, somebody of the business is asked to take an escalation; back, a customer is called back
-- about a task (an escalation too). ring_s: how long it rings. leave: what an answering machine hears. answered_by is
-- told by the ingress: the call may be over before its word comes.
CREATE TABLE delivery_calls (
    tenant_id uuid NOT NULL,
    delivery_id uuid NOT NULL,
    escalation_id uuid NOT NULL,
    purpose text NOT NULL CHECK (purpose IN ('rota', 'back')),
    ring_s integer NOT NULL CHECK (ring_s >= 0),
    leave text NOT NULL DEFAULT '',
    answered_by text CHECK (answered_by IN ('human', 'machine')),
    answered_at timestamptz,
    PRIMARY KEY (tenant_id, delivery_id),
    FOREIGN KEY (tenant_id, delivery_id) REFERENCES deliveries (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, escalation_id) REFERENCES escalations (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX delivery_calls_escalation ON delivery_calls (tenant_id, escalation_id);

ALTER TABLE delivery_calls ENABLE ROW LEVEL SECURITY;
ALTER TABLE delivery_calls FORCE ROW LEVEL SECURITY;
CREATE POLICY one_tenant ON delivery_calls TO frontdesk_console
    USING (tenant_id = current_tenant()) WITH CHECK (tenant_id = current_tenant());
CREATE POLICY every_tenant ON delivery_calls TO frontdesk_engine, frontdesk_responder, frontdesk_ops
    USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE ON delivery_calls TO frontdesk_engine;
GRANT SELECT ON delivery_calls TO frontdesk_responder, frontdesk_console;
GRANT SELECT, INSERT, UPDATE, DELETE ON delivery_calls TO frontdesk_ops;

-- When a customer was to be called back about a task, and by whose word (NULL: the tenant's file has it so); the job
-- of kind call_back does it.
ALTER TABLE escalations
    ADD COLUMN call_ordered_at timestamptz,
    ADD COLUMN call_ordered_by text;
-- A task that is closed, or that a person has taken, is not called about any more.
GRANT SELECT (state, call_ordered_by) ON escalations TO frontdesk_responder;

-- The first moment from `at` on that lies within the hours ({"mon": [["09:00", "17:00"]]}), by the clock of the zone;
-- NULL: none within a week.
CREATE FUNCTION calling_opens(hours jsonb, zone text, at timestamptz) RETURNS timestamptz
    LANGUAGE sql STABLE
AS $$
    SELECT min(greatest(s.opens, at))
      FROM generate_series(0, 7) AS n (ahead)
     CROSS JOIN LATERAL (SELECT (at AT TIME ZONE zone)::date + n.ahead AS day) d
     CROSS JOIN LATERAL jsonb_array_elements(hours -> lower(to_char(d.day, 'dy'))) AS h (span)
     CROSS JOIN LATERAL (SELECT (d.day + (h.span ->> 0)::time) AT TIME ZONE zone AS opens,
                                (d.day + (h.span ->> 1)::time) AT TIME ZONE zone AS closes) s
     WHERE s.closes > at
$$;
