-- What a model call was made for. Not validated: the rows that are there have the default, and those of summaries
-- before this one keep it.
ALTER TABLE llm_calls ADD COLUMN purpose text NOT NULL DEFAULT 'turn';
ALTER TABLE llm_calls ADD CONSTRAINT llm_calls_purpose_check
    CHECK (purpose IN ('turn', 'summary')) NOT VALID;

-- Who makes a conversation's summary (docs/PROTOCOL.md, summaries): until until_at nobody else does. While the model
-- is asked, claim is the id of that call, and reserved_* is what it may use at most of the tenant's budget; after a
-- failure nothing is reserved, and until_at is when it may be tried again. Without a row nobody makes one.
CREATE TABLE summary_claims (
    tenant_id uuid NOT NULL,
    conversation_id uuid NOT NULL,
    claim uuid NOT NULL,
    tries integer NOT NULL,
    until_at timestamptz NOT NULL,
    reserved_day date,
    reserved_tokens bigint NOT NULL,
    reserved_cost bigint NOT NULL,
    PRIMARY KEY (tenant_id, conversation_id),
    FOREIGN KEY (tenant_id, conversation_id) REFERENCES conversations (tenant_id, id)
);
CREATE INDEX summary_claims_reserved ON summary_claims (tenant_id, reserved_day)
    WHERE reserved_day IS NOT NULL;

ALTER TABLE summary_claims ENABLE ROW LEVEL SECURITY;
ALTER TABLE summary_claims FORCE ROW LEVEL SECURITY;
CREATE POLICY one_tenant ON summary_claims TO frontdesk_console
    USING (tenant_id = current_tenant()) WITH CHECK (tenant_id = current_tenant());
CREATE POLICY every_tenant ON summary_claims
    TO frontdesk_engine, frontdesk_responder, frontdesk_ops USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON summary_claims TO frontdesk_engine;
GRANT SELECT, INSERT, UPDATE, DELETE ON summary_claims TO frontdesk_ops;
GRANT SELECT ON summary_claims TO frontdesk_console;
