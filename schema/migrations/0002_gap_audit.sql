-- Each channel has a job that compares the provider's list of inbound messages with the inbox
-- (docs/PROTOCOL.md, jobs). New channels get theirs with `deskctl tenant apply`; these are the others.
-- What came before a job's `since` is not its business: a number's history is not answered when the
-- number moves in.
ALTER TABLE jobs ADD COLUMN since timestamptz NOT NULL DEFAULT clock_timestamp();
INSERT INTO jobs (tenant_id, id, kind, subject, due_at)
SELECT tenant_id, gen_random_uuid(), 'gap_audit', id::text, clock_timestamp()
  FROM channels WHERE removed_at IS NULL
ON CONFLICT DO NOTHING;
