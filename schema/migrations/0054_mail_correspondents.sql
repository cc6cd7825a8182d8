-- no transaction
-- Threads that were ever answered, by the address without a "+" and what is behind it in its local part. Built beside the
-- traffic, and without what a run that failed left of it. Engines of the release before find an address's threads by
-- channel_sessions_remote.
DROP INDEX CONCURRENTLY IF EXISTS channel_sessions_correspondent;
CREATE INDEX CONCURRENTLY channel_sessions_correspondent
    ON channel_sessions (tenant_id, (regexp_replace(remote_address, '^([^+@]+)[+].*@', '\1@')))
    WHERE kind = 'mail' AND delivery_seq > 0;
DROP INDEX CONCURRENTLY IF EXISTS channel_sessions_mail;
