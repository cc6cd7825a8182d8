-- The provider's account that an attempt asked (docs/PROTOCOL.md, deliveries): `tenant apply` may give the number to
-- another one, whose lists say nothing of what was sent before. NULL: an attempt from before this column, or a mail.
ALTER TABLE delivery_attempts ADD COLUMN account_sid text;

-- Threads of a sender that were ever answered: whoever begins one with each mail has many without.
DROP INDEX channel_sessions_mail;
CREATE INDEX channel_sessions_mail ON channel_sessions (tenant_id, remote_address)
    WHERE kind = 'mail' AND delivery_seq > 0;
