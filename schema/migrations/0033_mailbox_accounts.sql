-- Mailboxes that `deskctl mailbox add` makes (docs/MAIL.md): their secrets are wrapped in a table of their own,
-- which the console's role cannot read, and they can be paused.
ALTER TABLE mailboxes DROP CONSTRAINT mailboxes_secret_from_check,
    ADD CONSTRAINT mailboxes_secret_from_check CHECK (secret_from IN ('file', 'env', 'sealed'));
-- paused_by: who paused it, 'mailpoller' if its provider takes its account away for good; paused_why: in words.
-- sent_folder: where copies of sent mails go; NULL: nowhere; '': the folder that the server calls \Sent.
ALTER TABLE mailboxes
    ADD COLUMN paused_at timestamptz,
    ADD COLUMN paused_by text,
    ADD COLUMN paused_why text,
    ADD COLUMN sent_folder text,
    ADD CONSTRAINT mailboxes_paused_check CHECK ((paused_at IS NULL) = (paused_by IS NULL));
-- secret 'sealed': in mail_credentials. The limits are the provider's, 0: unknown.
ALTER TABLE mail_accounts DROP CONSTRAINT mail_accounts_secret_check,
    ADD CONSTRAINT mail_accounts_secret_check CHECK (secret IN ('', 'sealed') OR secret ~ '^(file|env):.+');
ALTER TABLE mail_accounts
    ADD COLUMN per_minute integer NOT NULL DEFAULT 0 CHECK (per_minute >= 0),
    ADD COLUMN per_day integer NOT NULL DEFAULT 0 CHECK (per_day >= 0);

-- What a mailbox logs in with (common/mail/login.h), wrapped under the credentials key. `way`: 'in' for IMAP, and for
-- SMTP unless there is a row 'out'. version rises with each change, so that of two processes that were given a new
-- refresh token one only writes.
CREATE TABLE mail_credentials (
    tenant_id uuid NOT NULL,
    mailbox_id uuid NOT NULL,
    way text NOT NULL CHECK (way IN ('in', 'out')),
    wrapped bytea NOT NULL,
    version bigint NOT NULL DEFAULT 1,
    changed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant_id, mailbox_id, way),
    FOREIGN KEY (tenant_id, mailbox_id) REFERENCES mailboxes (tenant_id, id)
);
ALTER TABLE mail_credentials ENABLE ROW LEVEL SECURITY;
ALTER TABLE mail_credentials FORCE ROW LEVEL SECURITY;
CREATE POLICY one_tenant ON mail_credentials TO frontdesk_console
    USING (tenant_id = current_tenant()) WITH CHECK (tenant_id = current_tenant());
CREATE POLICY every_tenant ON mail_credentials
    TO frontdesk_responder, frontdesk_mailpoller, frontdesk_ops USING (true) WITH CHECK (true);
GRANT SELECT, UPDATE (wrapped, version, changed_at) ON mail_credentials
    TO frontdesk_responder, frontdesk_mailpoller;
GRANT SELECT, INSERT, UPDATE, DELETE ON mail_credentials TO frontdesk_ops;
GRANT UPDATE (paused_at, paused_by, paused_why) ON mailboxes TO frontdesk_mailpoller;
