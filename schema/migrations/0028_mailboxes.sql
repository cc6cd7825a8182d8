-- Mail comes in (docs/MAIL.md): mailboxes that are read over IMAP, how far each was read, and what
-- their mails bring besides text.
DO $$
BEGIN
    CREATE ROLE frontdesk_mailpoller NOLOGIN NOBYPASSRLS;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL;
END $$;
ALTER ROLE frontdesk_mailpoller SET lock_timeout = '3s';
ALTER ROLE frontdesk_mailpoller SET idle_in_transaction_session_timeout = '5s';
ALTER ROLE frontdesk_mailpoller SET statement_timeout = '15s';

ALTER TABLE workers DROP CONSTRAINT workers_kind_check;
ALTER TABLE workers ADD CONSTRAINT workers_kind_check
    CHECK (kind IN ('engine', 'responder', 'mailpoller'));

-- The secret itself is never here: secret_from and secret_name say where the mailpoller finds it, at
-- each login. Only ops writes these columns: a name of a file that a tenant could choose would be
-- sent to a server that he chooses.
-- uid_validity, last_uid, since_at, rescan_to, newest_at and started_at are the cursor
-- (common/mail/imap_cursor.h). fence rises with each claim: what an earlier holder writes is refused.
-- trying_uid and tries count how often one mail was begun, so that none can stop its mailbox.
CREATE TABLE mailboxes (
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    id uuid NOT NULL,
    address text NOT NULL,
    host text NOT NULL,
    port integer NOT NULL CHECK (port BETWEEN 0 AND 65535),
    security text NOT NULL DEFAULT 'tls' CHECK (security IN ('tls', 'starttls', 'plain')),
    auth text NOT NULL DEFAULT 'password' CHECK (auth IN ('password', 'xoauth2')),
    user_name text NOT NULL,
    secret_from text NOT NULL CHECK (secret_from IN ('file', 'env')),
    secret_name text NOT NULL,
    folder text NOT NULL DEFAULT 'INBOX',
    trusted_servers jsonb NOT NULL DEFAULT '[]',
    uid_validity bigint,
    last_uid bigint NOT NULL DEFAULT 0,
    since_at timestamptz,
    rescan_to bigint NOT NULL DEFAULT 0,
    newest_at timestamptz,
    started_at timestamptz,
    trying_uid bigint,
    tries integer NOT NULL DEFAULT 0,
    worker uuid,
    fence bigint NOT NULL DEFAULT 0,
    due_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    failures integer NOT NULL DEFAULT 0,
    last_error text,
    alert text,
    read_at timestamptz,
    removed_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant_id, id)
);
-- As of channels: an address belongs to one tenant of an installation.
CREATE UNIQUE INDEX mailboxes_address ON mailboxes (address) WHERE removed_at IS NULL;
CREATE INDEX mailboxes_due ON mailboxes (due_at) WHERE removed_at IS NULL;
CREATE INDEX mailboxes_worker ON mailboxes (worker) WHERE worker IS NOT NULL;

-- A mail that was passed by without an event, for a person to look at: no address to answer, unreadable, of before
-- the mailbox moved.
CREATE TABLE mailbox_skips (
    tenant_id uuid NOT NULL,
    mailbox_id uuid NOT NULL,
    uid_validity bigint NOT NULL,
    uid bigint NOT NULL,
    reason text NOT NULL CHECK (reason IN ('no_sender', 'unreadable', 'too_often', 'old')),
    skipped_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant_id, mailbox_id, uid_validity, uid),
    FOREIGN KEY (tenant_id, mailbox_id) REFERENCES mailboxes (tenant_id, id)
);

-- What a message brings besides text, by the event's ce_id: written before the event is, and swept
-- after a day if no event was claimed.
CREATE TABLE attachments (
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    channel text NOT NULL CHECK (channel IN ('mail')),
    event_id text NOT NULL,
    number integer NOT NULL,
    kind text NOT NULL,
    name text NOT NULL,
    content_type text NOT NULL,
    size_bytes bigint NOT NULL,
    content bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant_id, channel, event_id, number)
);
-- Files are compressed already.
ALTER TABLE attachments ALTER COLUMN content SET STORAGE EXTERNAL;
CREATE INDEX attachments_age ON attachments (created_at);

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['mailboxes', 'mailbox_skips', 'attachments']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY one_tenant ON %I TO frontdesk_console '
                       'USING (tenant_id = current_tenant()) '
                       'WITH CHECK (tenant_id = current_tenant())', name);
        EXECUTE format('CREATE POLICY every_tenant ON %I '
                       'TO frontdesk_engine, frontdesk_responder, frontdesk_mailpoller, frontdesk_ops '
                       'USING (true) WITH CHECK (true)', name);
    END LOOP;
    -- What the mailpoller asks of other tables: whose work a dead worker still has, and which events
    -- were claimed.
    FOREACH name IN ARRAY ARRAY['channel_sessions', 'deliveries', 'inbox_events']
    LOOP
        EXECUTE format('CREATE POLICY every_tenant_mail ON %I FOR SELECT '
                       'TO frontdesk_mailpoller USING (true)', name);
    END LOOP;
END $$;

GRANT SELECT, INSERT, UPDATE, DELETE ON workers TO frontdesk_mailpoller;
GRANT SELECT ON installation TO frontdesk_mailpoller;
GRANT SELECT (worker, due_at) ON channel_sessions TO frontdesk_mailpoller;
GRANT SELECT (worker) ON deliveries TO frontdesk_mailpoller;
GRANT SELECT (tenant_id, channel, provider_id) ON inbox_events TO frontdesk_mailpoller;
GRANT SELECT ON mailboxes TO frontdesk_mailpoller;
GRANT UPDATE (uid_validity, last_uid, since_at, rescan_to, newest_at, started_at, trying_uid, tries,
    worker, fence, due_at, failures, last_error, alert, read_at) ON mailboxes TO frontdesk_mailpoller;
GRANT SELECT, INSERT ON mailbox_skips TO frontdesk_mailpoller;
GRANT SELECT, INSERT, DELETE ON attachments TO frontdesk_mailpoller;
GRANT SELECT ON attachments TO frontdesk_engine;
GRANT SELECT ON mailboxes, mailbox_skips, attachments TO frontdesk_console;
GRANT SELECT, INSERT, UPDATE ON mailboxes TO frontdesk_ops;
GRANT SELECT, DELETE ON mailbox_skips, attachments TO frontdesk_ops;
