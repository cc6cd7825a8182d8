-- Due work is adopted fairly by tenant (docs/PROTOCOL.md, workers): the tenants that have some are found by
-- skipping through these indexes, and each one's oldest first.
CREATE INDEX channel_sessions_idle ON channel_sessions (tenant_id, due_at)
    WHERE due_at IS NOT NULL AND worker IS NULL;
CREATE INDEX channel_sessions_owned ON channel_sessions (worker, tenant_id, due_at)
    WHERE due_at IS NOT NULL;
DROP INDEX channel_sessions_due;
DROP INDEX channel_sessions_worker;
