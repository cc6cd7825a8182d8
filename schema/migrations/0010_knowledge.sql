-- What a business wants its customers to know (docs/KNOWLEDGE.md): documents, and the chunks that are found and
-- quoted. An import replaces a document's chunks in one transaction. search_config is the text search configuration
-- of the document's language, as a name: a regconfig column would be in the way of pg_upgrade.
CREATE TABLE kb_documents (
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    id uuid NOT NULL,
    name text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('text', 'faq')),
    language text NOT NULL,
    search_config text NOT NULL,
    content_hash bytea NOT NULL,
    size_bytes bigint NOT NULL,
    chunk_count integer NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, name)
);

-- search holds the words of heading (weight A) and body (weight D), and one that is made of configuration and tenant:
-- each query asks for that one too, so that the index gives a tenant's own chunks alone.
CREATE TABLE kb_chunks (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    document_id uuid NOT NULL,
    place integer NOT NULL,
    kind text NOT NULL CHECK (kind IN ('text', 'faq')),
    heading text NOT NULL,
    body text NOT NULL CHECK (body <> ''),
    search tsvector NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, document_id, place),
    FOREIGN KEY (tenant_id, document_id) REFERENCES kb_documents (tenant_id, id) ON DELETE CASCADE
);
-- Imports are rare and searches are not: without fastupdate no search reads a list of what is still to be indexed.
CREATE INDEX kb_chunks_search ON kb_chunks USING gin (search) WITH (fastupdate = off);
-- Ranking reads it of many rows, and body only of those that are found.
ALTER TABLE kb_chunks ALTER COLUMN search SET STORAGE MAIN;

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['kb_documents', 'kb_chunks']
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
GRANT SELECT ON kb_documents, kb_chunks TO frontdesk_engine, frontdesk_console;
GRANT SELECT, INSERT, UPDATE, DELETE ON kb_documents, kb_chunks TO frontdesk_ops;
