-- Messages that callers left as recordings (docs/VOICE.md): the responder fetches each from the provider into
-- attachments (channel voice, event_id the recording's sid) by a job of kind `recording`, whose subject is the task.
--
-- id is the task's. waiting: to be fetched, or tried again; kept: in attachments; gone: the provider has it no
-- longer; too_large, failed: it was given up, and stays there.
ALTER TABLE attachments DROP CONSTRAINT attachments_channel_check,
    ADD CONSTRAINT attachments_channel_check CHECK (channel IN ('mail', 'voice')) NOT VALID;

CREATE TABLE recordings (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    channel_id uuid NOT NULL,
    recording_sid text NOT NULL,
    account_sid text NOT NULL,
    duration_s bigint NOT NULL,
    state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'kept', 'gone', 'too_large', 'failed')),
    tries integer NOT NULL DEFAULT 0,
    last_error text,
    size_bytes bigint,
    settled_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, id) REFERENCES escalations (tenant_id, id),
    FOREIGN KEY (tenant_id, channel_id) REFERENCES channels (tenant_id, id)
);
CREATE INDEX recordings_left ON recordings (tenant_id) WHERE state IN ('waiting', 'too_large', 'failed');

ALTER TABLE recordings ENABLE ROW LEVEL SECURITY;
ALTER TABLE recordings FORCE ROW LEVEL SECURITY;
CREATE POLICY one_tenant ON recordings TO frontdesk_console
    USING (tenant_id = current_tenant()) WITH CHECK (tenant_id = current_tenant());
CREATE POLICY every_tenant ON recordings
    TO frontdesk_engine, frontdesk_responder, frontdesk_ops USING (true) WITH CHECK (true);
GRANT SELECT, INSERT ON recordings TO frontdesk_engine;
GRANT SELECT, UPDATE ON recordings TO frontdesk_responder;
GRANT SELECT, UPDATE, DELETE ON recordings TO frontdesk_ops;
GRANT SELECT ON recordings TO frontdesk_console;
GRANT SELECT, INSERT ON attachments TO frontdesk_responder;
-- What became of a recording is said in its task.
GRANT SELECT (tenant_id, id, summary), UPDATE (summary) ON escalations TO frontdesk_responder;

-- Calls that the provider lists are looked for by its id.
CREATE INDEX channel_sessions_call_sid ON channel_sessions (tenant_id, call_sid) WHERE call_sid IS NOT NULL;

-- Those whose address was kept so far. Their message has the task's id.
WITH old AS (
    INSERT INTO recordings (tenant_id, id, channel_id, recording_sid, account_sid, duration_s)
    SELECT e.tenant_id, e.id, s.channel_id, m.provider_id, c.account_sid, 0
      FROM escalations e
      JOIN messages m ON m.tenant_id = e.tenant_id AND m.id = e.id
      JOIN channel_sessions s ON s.tenant_id = m.tenant_id AND s.id = m.session_id AND s.kind = 'voice'
      JOIN channels c ON c.tenant_id = s.tenant_id AND c.id = s.channel_id
     WHERE e.reason = 'message' AND m.provider_id LIKE 'RE%'
    RETURNING tenant_id, id
)
INSERT INTO jobs (tenant_id, id, kind, subject, due_at)
SELECT tenant_id, gen_random_uuid(), 'recording', id::text, clock_timestamp() FROM old
ON CONFLICT DO NOTHING;

-- Numbers for calls are audited as well.
INSERT INTO jobs (tenant_id, id, kind, subject, due_at)
SELECT tenant_id, gen_random_uuid(), 'gap_audit', id::text, clock_timestamp()
  FROM channels WHERE kind = 'voice' AND removed_at IS NULL
ON CONFLICT DO NOTHING;
