-- What is kept of the last prompt of a turn, so that it can be shown again (common/prompt/record.h): which messages
-- and rounds it held, what it told of the moment, the tools, the version, and a digest of what was sent.
ALTER TABLE turns ADD COLUMN prompt jsonb;

-- A reply of the business's own words outside its opening hours, without a model. Not validated: all rows that are
-- there passed the narrower one.
ALTER TABLE turns DROP CONSTRAINT turns_outcome_check;
ALTER TABLE turns ADD CONSTRAINT turns_outcome_check
    CHECK (outcome IN ('reply', 'closed', 'fallback', 'degraded', 'budget_spent')) NOT VALID;

-- What the model made of the messages of a conversation that no longer fit into a prompt, up to the one of position
-- up_to (docs/PROTOCOL.md, summaries). A newer one tells what the older one did, and more.
CREATE TABLE summaries (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    conversation_id uuid NOT NULL,
    up_to bigint NOT NULL,
    body text NOT NULL CHECK (body <> ''),
    assistant_version integer NOT NULL,
    call_id uuid NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, conversation_id, up_to),
    FOREIGN KEY (tenant_id, conversation_id) REFERENCES conversations (tenant_id, id),
    FOREIGN KEY (tenant_id, call_id) REFERENCES llm_calls (tenant_id, id)
);
CREATE INDEX summaries_call ON summaries (tenant_id, call_id);

ALTER TABLE summaries ENABLE ROW LEVEL SECURITY;
ALTER TABLE summaries FORCE ROW LEVEL SECURITY;
CREATE POLICY one_tenant ON summaries TO frontdesk_console
    USING (tenant_id = current_tenant()) WITH CHECK (tenant_id = current_tenant());
CREATE POLICY every_tenant ON summaries
    TO frontdesk_engine, frontdesk_responder, frontdesk_ops USING (true) WITH CHECK (true);
GRANT SELECT, INSERT ON summaries TO frontdesk_engine;
GRANT SELECT, INSERT, DELETE ON summaries TO frontdesk_ops;
GRANT SELECT ON summaries TO frontdesk_console;
