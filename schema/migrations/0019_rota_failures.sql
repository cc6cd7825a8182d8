-- Due timers of rotas are taken fairly by tenant (docs/PROTOCOL.md, escalations): the tenants that have some are found
-- by skipping through this index.
CREATE INDEX jobs_of_rotas ON jobs (tenant_id, due_at) WHERE kind = 'escalation' AND due_at IS NOT NULL;

-- parked: its timer failed too often; nobody is told until a person looks. Not validated: the rows that are there
-- passed the narrower one.
ALTER TABLE escalations DROP CONSTRAINT escalations_rota_check;
ALTER TABLE escalations ADD CONSTRAINT escalations_rota_check
    CHECK (rota IN ('none', 'running', 'nobody_accepted', 'parked', 'over')) NOT VALID;

-- A notice that was being sent when somebody accepted, and came back unsent, is not sent again.
GRANT SELECT ON escalation_notices TO frontdesk_responder;
