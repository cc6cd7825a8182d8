-- Who began the mail trying_uid and did not tell that he outlived it: ids of pollers' lives, and one of nobody's for each
-- failure that was the mail's own. So a restart or a database that was away does not count against a mail
-- (docs/MAIL.md). tries counted those, too: nothing reads it any more, and pollers of before this column still write it.
ALTER TABLE mailboxes ADD COLUMN tried_by uuid[] NOT NULL DEFAULT '{}';
GRANT UPDATE (tried_by) ON mailboxes TO frontdesk_mailpoller;
