-- What a model asked for before its last word (docs/PROTOCOL.md, rounds and tools). A round is stored as the model
-- said it before any of its calls has an effect; a rerun goes on from the stored rounds. after_position is the
-- newest message that the round's prompt held, so that a later prompt tells both in the order in which they came;
-- claimed is the session's counter then: once a newer text was claimed, a round of which no call has started is
-- dropped.
CREATE TABLE turn_rounds (
    tenant_id uuid NOT NULL,
    turn_id uuid NOT NULL,
    number integer NOT NULL,
    after_position bigint NOT NULL,
    claimed bigint NOT NULL,
    said text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    dropped_at timestamptz,
    PRIMARY KEY (tenant_id, turn_id, number),
    FOREIGN KEY (tenant_id, turn_id) REFERENCES turns (tenant_id, id)
);

-- A call is `asked`, `started` (under worker, fence and epoch, before its effect) and `done`. Its id is the effect's
-- idempotency key. arguments are the model's own text, which may be no JSON at all; signature is what its provider
-- wants back with it.
CREATE TABLE tool_calls (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    turn_id uuid NOT NULL,
    round integer NOT NULL,
    place integer NOT NULL,
    provider_id text NOT NULL,
    name text NOT NULL,
    arguments text NOT NULL,
    signature text,
    state text NOT NULL DEFAULT 'asked' CHECK (state IN ('asked', 'started', 'done')),
    outcome text CHECK (outcome IN ('ok', 'refused', 'failed')),
    result text,
    worker uuid,
    fence bigint,
    epoch bigint,
    started_at timestamptz,
    finished_at timestamptz,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, turn_id, round, place),
    FOREIGN KEY (tenant_id, turn_id, round) REFERENCES turn_rounds (tenant_id, turn_id, number),
    CHECK (state <> 'done' OR (outcome IS NOT NULL AND result IS NOT NULL))
);

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['turn_rounds', 'tool_calls']
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
GRANT SELECT, INSERT, UPDATE ON turn_rounds, tool_calls TO frontdesk_engine;
GRANT SELECT, INSERT, UPDATE, DELETE ON turn_rounds, tool_calls TO frontdesk_ops;
GRANT SELECT ON turn_rounds, tool_calls TO frontdesk_console;

-- What a turn's last prompt held of the tenant's knowledge: [{"document","heading","text"}].
ALTER TABLE turns ADD COLUMN passages jsonb;
