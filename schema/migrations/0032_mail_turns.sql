-- Mail is answered (docs/MAIL.md): a mail is an event of the inbox, a thread of mails a channel session.
ALTER TABLE inbox_events DROP CONSTRAINT inbox_events_channel_check,
    ADD CONSTRAINT inbox_events_channel_check CHECK (channel IN ('sms', 'voice', 'mail')) NOT VALID;
-- The same mail in two mailboxes, or read anew, is one event. A recovery's has no content.
CREATE UNIQUE INDEX inbox_events_mail ON inbox_events (tenant_id, content_hash)
    WHERE channel = 'mail' AND content_hash <> '';

ALTER TABLE messages ADD COLUMN subject text;

-- What a mail that came in is besides its text, for the thread of its answers and for people. mail_id: its
-- Message-ID without angles. reference_ids: the chain before it, oldest first, as an answer goes on with it.
-- suggested_id: the conversation of somebody else whose signed address it was sent to, for a person to join.
-- whole: all of it, with quotes; NULL: the same as the message's text.
CREATE TABLE message_mails (
    tenant_id uuid NOT NULL,
    message_id uuid NOT NULL,
    mail_id text NOT NULL DEFAULT '',
    reference_ids text[] NOT NULL DEFAULT '{}',
    from_name text NOT NULL DEFAULT '',
    class text NOT NULL,
    rule text NOT NULL DEFAULT '',
    verified boolean NOT NULL,
    suggested_id uuid,
    whole text,
    PRIMARY KEY (tenant_id, message_id),
    FOREIGN KEY (tenant_id, message_id) REFERENCES messages (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX message_mails_mail ON message_mails (tenant_id, mail_id) WHERE mail_id <> '';
-- How often somebody was answered of late, over all his threads.
CREATE INDEX channel_sessions_mail ON channel_sessions (tenant_id, remote_address) WHERE kind = 'mail';

ALTER TABLE message_mails ENABLE ROW LEVEL SECURITY;
ALTER TABLE message_mails FORCE ROW LEVEL SECURITY;
CREATE POLICY one_tenant ON message_mails TO frontdesk_console
    USING (tenant_id = current_tenant()) WITH CHECK (tenant_id = current_tenant());
CREATE POLICY every_tenant ON message_mails TO frontdesk_engine, frontdesk_responder, frontdesk_ops
    USING (true) WITH CHECK (true);
GRANT SELECT, INSERT ON message_mails TO frontdesk_engine;
GRANT SELECT ON message_mails TO frontdesk_responder, frontdesk_console;
GRANT SELECT, INSERT, UPDATE, DELETE ON message_mails TO frontdesk_ops;
GRANT SELECT (tenant_id, id, address) ON mailboxes TO frontdesk_engine;
-- What came from somebody who was erased is swept with what nobody claimed.
GRANT SELECT (reason) ON inbox_events TO frontdesk_mailpoller;

-- Mails wait for slower servers than texts: neither kind's due ones are looked for among the other's.
CREATE INDEX deliveries_due_mail ON deliveries (next_at)
    WHERE state IN ('pending', 'deferred', 'unknown') AND worker IS NULL AND via = 'mail';
-- A mail that came back is for a person to see.
GRANT UPDATE (flagged) ON conversations TO frontdesk_responder;
