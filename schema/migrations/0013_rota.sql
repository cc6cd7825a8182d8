-- Who is told of an escalation, and until when each may accept it (docs/PROTOCOL.md, escalations). The timer is the
-- job of kind `escalation` whose subject is the escalation: due when the next of the rota is to be told.
--
-- rota: none (nobody is told), running, nobody_accepted (all rounds are over, it still waits), over (somebody took it
-- or closed it). steps: places of the rota, round after round, that had their turn.
ALTER TABLE escalations ADD COLUMN rota text NOT NULL DEFAULT 'none'
    CHECK (rota IN ('none', 'running', 'nobody_accepted', 'over'));
ALTER TABLE escalations ADD COLUMN steps integer NOT NULL DEFAULT 0;
GRANT UPDATE (rota) ON escalations TO frontdesk_console;

-- A notice and its delivery are written in one transaction. `open`: its code accepts until until_at; `passed`: its
-- time was over and the next was told; `ended`: somebody else took the escalation. A code is never given twice to one
-- number.
CREATE TABLE escalation_notices (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    escalation_id uuid NOT NULL,
    delivery_id uuid NOT NULL,
    name text NOT NULL,
    sms text NOT NULL,
    round integer NOT NULL,
    code text NOT NULL,
    state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'accepted', 'passed', 'ended')),
    sent_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    until_at timestamptz NOT NULL,
    ended_at timestamptz,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, sms, code),
    FOREIGN KEY (tenant_id, escalation_id) REFERENCES escalations (tenant_id, id),
    FOREIGN KEY (tenant_id, delivery_id) REFERENCES deliveries (tenant_id, id)
);
CREATE INDEX escalation_notices_escalation ON escalation_notices (tenant_id, escalation_id);
CREATE INDEX escalation_notices_delivery ON escalation_notices (tenant_id, delivery_id);

ALTER TABLE escalation_notices ENABLE ROW LEVEL SECURITY;
ALTER TABLE escalation_notices FORCE ROW LEVEL SECURITY;
CREATE POLICY one_tenant ON escalation_notices TO frontdesk_console
    USING (tenant_id = current_tenant()) WITH CHECK (tenant_id = current_tenant());
CREATE POLICY every_tenant ON escalation_notices
    TO frontdesk_engine, frontdesk_responder, frontdesk_ops USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE ON escalation_notices TO frontdesk_engine;
GRANT SELECT, INSERT, UPDATE, DELETE ON escalation_notices TO frontdesk_ops;
GRANT SELECT ON escalation_notices TO frontdesk_console;
GRANT UPDATE (state, ended_at) ON escalation_notices TO frontdesk_console;
