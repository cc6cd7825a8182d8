-- Mail as a way out: channels of kind 'mail' (their address is the mailbox's), sessions and deliveries beside
-- the texts'. A mail channel has no Twilio account: its account_sid is '', its credentials are empty and its
-- edge keys '[]', and nothing of it is published to the edge.
ALTER TABLE channels DROP CONSTRAINT channels_kind_check,
    ADD CONSTRAINT channels_kind_check CHECK (kind IN ('sms', 'voice', 'mail'));
ALTER TABLE channel_sessions DROP CONSTRAINT channel_sessions_kind_check,
    ADD CONSTRAINT channel_sessions_kind_check CHECK (kind IN ('sms', 'voice', 'mail')) NOT VALID;
ALTER TABLE deliveries DROP CONSTRAINT deliveries_via_check,
    ADD CONSTRAINT deliveries_via_check CHECK (via IN ('sms', 'stream', 'mail')) NOT VALID;

-- How a mailbox sends. url: see common/mail/smtp_account.h, never with a password; secret: where the
-- responder finds the password or access token, read anew for each mail; '' for a relay that wants none.
CREATE TABLE mail_accounts (
    tenant_id uuid NOT NULL,
    channel_id uuid NOT NULL,
    url text NOT NULL CHECK (url ~ '^smtps?://' AND url !~ '://[^@/?]*:[^@/?]*@'),
    secret text NOT NULL DEFAULT '' CHECK (secret = '' OR secret ~ '^(file|env):.+'),
    from_name text NOT NULL DEFAULT '',
    PRIMARY KEY (tenant_id, channel_id),
    FOREIGN KEY (tenant_id, channel_id) REFERENCES channels (tenant_id, id)
);

-- What a delivery by mail says besides its message's text: written with the delivery, never changed, so that
-- a second copy is the same mail. reference_ids: the chain without the mail that is answered, oldest first.
-- message_id is set by the first claim and stays, whatever key signs by then.
CREATE TABLE delivery_mails (
    tenant_id uuid NOT NULL,
    delivery_id uuid NOT NULL,
    subject text NOT NULL,
    in_reply_to text NOT NULL DEFAULT '',
    reference_ids text[] NOT NULL DEFAULT '{}',
    message_id text,
    PRIMARY KEY (tenant_id, delivery_id),
    FOREIGN KEY (tenant_id, delivery_id) REFERENCES deliveries (tenant_id, id) ON DELETE CASCADE
);
-- A bounce names the mail that it is about.
CREATE INDEX delivery_mails_message_id ON delivery_mails (tenant_id, message_id)
    WHERE message_id IS NOT NULL;

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['mail_accounts', 'delivery_mails']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY one_tenant ON %I TO frontdesk_console '
                       'USING (tenant_id = current_tenant()) '
                       'WITH CHECK (tenant_id = current_tenant())', name);
        EXECUTE format('CREATE POLICY every_tenant ON %I '
                       'TO frontdesk_engine, frontdesk_responder, frontdesk_ops '
                       'USING (true) WITH CHECK (true)', name);
    END LOOP;
END $$;
GRANT SELECT ON mail_accounts TO frontdesk_responder, frontdesk_console;
GRANT SELECT, INSERT, UPDATE, DELETE ON mail_accounts, delivery_mails TO frontdesk_ops;
GRANT SELECT, INSERT ON delivery_mails TO frontdesk_engine, frontdesk_console;
GRANT SELECT, UPDATE (message_id) ON delivery_mails TO frontdesk_responder;
