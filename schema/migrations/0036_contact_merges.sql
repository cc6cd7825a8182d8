-- Two contacts that turned out to be one person (docs/PROTOCOL.md, merge): what was gone_id's is kept_id's, until it is
-- split again. While split_at is NULL, gone_id and gone_conversation stand for kept_id and kept_conversation. The
-- conversations are those that were open and became one thread; without two there are none. The rest is what belonged
-- to gone_id then: addresses [{"kind","address"}], and consents [{"sender","address","state","source","changed_at"}]
-- as they were before the stricter one counted for all (state null: there was none).
CREATE TABLE contact_merges (
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    id uuid NOT NULL,
    kept_id uuid NOT NULL,
    gone_id uuid NOT NULL,
    kept_conversation uuid,
    gone_conversation uuid,
    addresses jsonb NOT NULL,
    conversations uuid[] NOT NULL,
    appointments uuid[] NOT NULL,
    escalations uuid[] NOT NULL,
    consents jsonb NOT NULL DEFAULT '[]',
    merged_by text NOT NULL,
    merged_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    split_by text,
    split_at timestamptz,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, kept_id) REFERENCES contacts (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, gone_id) REFERENCES contacts (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, kept_conversation) REFERENCES conversations (tenant_id, id)
        ON DELETE SET NULL (kept_conversation),
    FOREIGN KEY (tenant_id, gone_conversation) REFERENCES conversations (tenant_id, id)
        ON DELETE SET NULL (gone_conversation)
);
-- Nobody is part of two others at once.
CREATE UNIQUE INDEX contact_merges_gone ON contact_merges (tenant_id, gone_id) WHERE split_at IS NULL;
CREATE INDEX contact_merges_gone_ever ON contact_merges (tenant_id, gone_id);
CREATE INDEX contact_merges_kept ON contact_merges (tenant_id, kept_id);
CREATE INDEX contact_merges_talk ON contact_merges (gone_conversation, tenant_id) WHERE gone_conversation IS NOT NULL;
CREATE INDEX contact_merges_thread ON contact_merges (tenant_id, kept_conversation)
    WHERE kept_conversation IS NOT NULL;

ALTER TABLE contact_merges ENABLE ROW LEVEL SECURITY;
ALTER TABLE contact_merges FORCE ROW LEVEL SECURITY;
CREATE POLICY one_tenant ON contact_merges TO frontdesk_console
    USING (tenant_id = current_tenant()) WITH CHECK (tenant_id = current_tenant());
CREATE POLICY every_tenant ON contact_merges
    TO frontdesk_engine, frontdesk_responder, frontdesk_ops USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON contact_merges TO frontdesk_ops;
GRANT SELECT ON contact_merges TO frontdesk_engine, frontdesk_console;

-- What is suggested to be joined is looked for among all mails.
CREATE INDEX message_mails_suggested ON message_mails (tenant_id, message_id) WHERE suggested_id IS NOT NULL;
