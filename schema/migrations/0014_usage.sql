-- What a tenant's AI used (docs/PROTOCOL.md, budgets): a row for each day and each month of the tenant's own
-- calendar, written by the commit of its turns. cost is in billionths of a US dollar. The rows are written again and
-- again: half of each page stays free, so that a new version needs no entry in the index.
CREATE TABLE usage (
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    period text NOT NULL CHECK (period IN ('day', 'month')),
    since date NOT NULL,
    tokens bigint NOT NULL DEFAULT 0,
    cost bigint NOT NULL DEFAULT 0,
    segments bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant_id, period, since)
) WITH (fillfactor = 50);

-- What a running turn of a tenant with budgets may use at most, and the day whose budget it was taken from; without a
-- day nothing is reserved. It counts while the turn runs under its conversation's epoch and its session is due: so
-- nothing has to be given back, whatever becomes of the turn.
ALTER TABLE turns
    ADD COLUMN reserved_day date,
    ADD COLUMN reserved_tokens bigint,
    ADD COLUMN reserved_cost bigint,
    ADD COLUMN reserved_segments bigint;
CREATE INDEX turns_reserved ON turns (tenant_id, reserved_day) WHERE reserved_day IS NOT NULL;

ALTER TABLE turns
    DROP CONSTRAINT turns_outcome_check,
    ADD CONSTRAINT turns_outcome_check
        CHECK (outcome IN ('reply', 'fallback', 'degraded', 'budget_spent'));

ALTER TABLE usage ENABLE ROW LEVEL SECURITY;
ALTER TABLE usage FORCE ROW LEVEL SECURITY;
CREATE POLICY one_tenant ON usage TO frontdesk_console
    USING (tenant_id = current_tenant()) WITH CHECK (tenant_id = current_tenant());
CREATE POLICY every_tenant ON usage
    TO frontdesk_engine, frontdesk_responder, frontdesk_ops USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE ON usage TO frontdesk_engine;
GRANT SELECT, INSERT, UPDATE, DELETE ON usage TO frontdesk_ops;
GRANT SELECT ON usage TO frontdesk_console;
