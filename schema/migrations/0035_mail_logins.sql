-- The responder opens the logins of mailboxes and puts copies into their folders of sent mails (docs/MAIL.md).
GRANT SELECT ON mailboxes TO frontdesk_responder;
-- A copy is tried once: this is set before it is.
ALTER TABLE delivery_mails ADD COLUMN copied_at timestamptz;
GRANT UPDATE (copied_at) ON delivery_mails TO frontdesk_responder;
