-- The last of the mails that each try of the mail trying_uid was one of, too: a server that lists many and tells of none. Who
-- came later has tries of its own (docs/MAIL.md). NULL in rows from before: none but that mail.
ALTER TABLE mailboxes ADD COLUMN trying_to bigint;
GRANT UPDATE (trying_to) ON mailboxes TO frontdesk_mailpoller;
