-- The responder opens the logins of mailboxes and puts copies into their folders of sent mails (docs/MAIL.md).
GRANT SELECT ON mailboxes TO frontdesk_responder;
-- A copy is tried once: this is set before it is.
ALTER TABLE delivery_mails ADD COLUMN copied_at timestamptz;
GRANT UPDATE (copied_at) ON delivery_mails TO frontdesk_responder;
-- The attempt that had begun to leave when its responder heard that a person took the conversation over: who takes over
-- does not wait for its end (docs/PROTOCOL.md, takeover).
ALTER TABLE delivery_mails ADD COLUMN began_attempt integer;
GRANT UPDATE (began_attempt) ON delivery_mails TO frontdesk_responder;
-- Of a rota's people who are told by mail (docs/PROTOCOL.md, escalations) `sms` is the mail address, and the notice's
-- thread is a channel session of its own, as of texts.
GRANT SELECT (tenant_id, channel_id) ON mail_accounts TO frontdesk_engine;
