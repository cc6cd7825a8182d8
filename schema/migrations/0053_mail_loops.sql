-- A program that answers our mails from another address each time is one correspondent all the same (docs/MAIL.md).
-- hops: how many threads of other addresses, each the answer to the one before, led to this one.
ALTER TABLE channel_sessions ADD COLUMN hops integer NOT NULL DEFAULT 0;
