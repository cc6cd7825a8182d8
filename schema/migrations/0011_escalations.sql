-- What waits for a person (docs/PROTOCOL.md, escalations): somebody asked for one, or left a message. Its id is the
-- one of the tool call that opened it, so that a repeated call opens nothing twice.
CREATE TABLE escalations (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    conversation_id uuid NOT NULL,
    turn_id uuid,
    reason text NOT NULL CHECK (reason IN ('message', 'customer_asks', 'assistant', 'policy_word',
                                           'repeated_failure', 'low_grounding', 'anger',
                                           'provider_outage')),
    summary text NOT NULL,
    caller text,
    call_back text,
    promised text,
    state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'accepted', 'closed')),
    accepted_by text,
    accepted_at timestamptz,
    closed_by text,
    closed_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, conversation_id) REFERENCES conversations (tenant_id, id),
    FOREIGN KEY (tenant_id, turn_id) REFERENCES turns (tenant_id, id)
        DEFERRABLE INITIALLY DEFERRED
);
CREATE INDEX escalations_conversation ON escalations (tenant_id, conversation_id);
CREATE INDEX escalations_turn ON escalations (tenant_id, turn_id) WHERE turn_id IS NOT NULL;
CREATE INDEX escalations_id ON escalations (id);
CREATE INDEX escalations_waiting ON escalations (tenant_id, created_at) WHERE state <> 'closed';

ALTER TABLE escalations ENABLE ROW LEVEL SECURITY;
ALTER TABLE escalations FORCE ROW LEVEL SECURITY;
CREATE POLICY one_tenant ON escalations TO frontdesk_console
    USING (tenant_id = current_tenant()) WITH CHECK (tenant_id = current_tenant());
CREATE POLICY every_tenant ON escalations
    TO frontdesk_engine, frontdesk_responder, frontdesk_ops USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE ON escalations TO frontdesk_engine;
GRANT SELECT, INSERT, UPDATE, DELETE ON escalations TO frontdesk_ops;
GRANT SELECT ON escalations TO frontdesk_console;
GRANT UPDATE (state, accepted_by, accepted_at, closed_by, closed_at) ON escalations
    TO frontdesk_console;
