-- What the reception without a model has noted in a session of a conversation (docs/RECEPTION.md): the question that
-- was asked last and how often, and the answers. escalation_id is the id of the task for people that the notes are, or
-- will be: it is given with the first note, before the row is there, so that whoever makes the task first makes the
-- only one. read_position is the newest message that was read: a text whose reply was suppressed by a takeover is not
-- noted twice. due_at is when notes that nobody goes on with become a task.
CREATE TABLE receptions (
    tenant_id uuid NOT NULL,
    conversation_id uuid NOT NULL,
    session_id uuid NOT NULL,
    asked text NOT NULL CHECK (asked IN ('nothing', 'name', 'reason', 'call_back', 'done')),
    tries integer NOT NULL,
    caller text,
    reason text,
    call_back text,
    escalation_id uuid,
    read_position bigint NOT NULL,
    due_at timestamptz,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant_id, conversation_id, session_id),
    FOREIGN KEY (tenant_id, conversation_id) REFERENCES conversations (tenant_id, id),
    FOREIGN KEY (tenant_id, session_id) REFERENCES channel_sessions (tenant_id, id)
);
CREATE INDEX receptions_session ON receptions (tenant_id, session_id);
CREATE INDEX receptions_due ON receptions (due_at) WHERE due_at IS NOT NULL;

ALTER TABLE receptions ENABLE ROW LEVEL SECURITY;
ALTER TABLE receptions FORCE ROW LEVEL SECURITY;
CREATE POLICY one_tenant ON receptions TO frontdesk_console
    USING (tenant_id = current_tenant()) WITH CHECK (tenant_id = current_tenant());
CREATE POLICY every_tenant ON receptions
    TO frontdesk_engine, frontdesk_responder, frontdesk_ops USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE ON receptions TO frontdesk_engine;
GRANT SELECT, INSERT, UPDATE, DELETE ON receptions TO frontdesk_ops;
GRANT SELECT ON receptions TO frontdesk_console;

-- What `deskctl recover` lists: turns that ended without a model.
CREATE INDEX turns_without_model ON turns (finished_at) WHERE outcome IN ('fallback', 'degraded', 'budget_spent');
