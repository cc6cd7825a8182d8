-- A program that answers our mails from another address each time is one correspondent all the same (docs/MAIL.md).
-- hops: how many threads of other addresses, each the answer to the one before, led to this one.
ALTER TABLE channel_sessions ADD COLUMN hops integer NOT NULL DEFAULT 0;

-- Threads that were ever answered, by the address without a "+" and what is behind it in its local part.
DROP INDEX channel_sessions_mail;
CREATE INDEX channel_sessions_mail
    ON channel_sessions (tenant_id, (regexp_replace(remote_address, '^([^+@]+)[+].*@', '\1@')))
    WHERE kind = 'mail' AND delivery_seq > 0;
