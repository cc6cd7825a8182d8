-- How many of a tenant's chunks have a word, by the configuration that made it (docs/KNOWLEDGE.md, search): what is
-- common is not looked up, so that a search costs the same however much a tenant knows. Kept by triggers, so that
-- whoever writes chunks need not know; an import holds the lock of its tenant's knowledge.
CREATE TABLE kb_words (
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    config text NOT NULL,
    word text NOT NULL,
    chunks bigint NOT NULL,
    PRIMARY KEY (tenant_id, config, word)
);

DO $$
DECLARE
    name text := 'kb_words';
BEGIN
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
    EXECUTE format('CREATE POLICY one_tenant ON %I TO frontdesk_console '
                   'USING (tenant_id = current_tenant()) '
                   'WITH CHECK (tenant_id = current_tenant())', name);
    EXECUTE format('CREATE POLICY every_tenant ON %I '
                   'TO frontdesk_engine, frontdesk_responder, frontdesk_ops '
                   'USING (true) WITH CHECK (true)', name);
END $$;
GRANT SELECT ON kb_words TO frontdesk_engine, frontdesk_console;
GRANT SELECT, INSERT, UPDATE, DELETE ON kb_words TO frontdesk_ops;

-- A chunk's configuration stands in the word that only its tenant's chunks have: #english#<tenant>.
CREATE FUNCTION kb_words_added() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO kb_words AS w (tenant_id, config, word, chunks)
        SELECT k.tenant_id, split_part(t.lexeme, '#', 2), u.lexeme, count(*)
        FROM added k CROSS JOIN LATERAL unnest(k.search) AS t CROSS JOIN LATERAL unnest(k.search) AS u
        WHERE t.lexeme LIKE '#%' AND u.lexeme NOT LIKE '#%' GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
        ON CONFLICT (tenant_id, config, word) DO UPDATE SET chunks = w.chunks + EXCLUDED.chunks;
    RETURN NULL;
END $$;

CREATE FUNCTION kb_words_gone() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    WITH less AS MATERIALIZED (
        SELECT k.tenant_id, split_part(t.lexeme, '#', 2) AS config, u.lexeme AS word, count(*) AS chunks
        FROM gone k CROSS JOIN LATERAL unnest(k.search) AS t CROSS JOIN LATERAL unnest(k.search) AS u
        WHERE t.lexeme LIKE '#%' AND u.lexeme NOT LIKE '#%' GROUP BY 1, 2, 3)
    UPDATE kb_words w SET chunks = w.chunks - l.chunks FROM less l
        WHERE w.tenant_id = l.tenant_id AND w.config = l.config AND w.word = l.word;
    DELETE FROM kb_words w WHERE w.chunks <= 0 AND w.tenant_id IN (SELECT k.tenant_id FROM gone k);
    RETURN NULL;
END $$;

CREATE TRIGGER kb_chunks_added AFTER INSERT ON kb_chunks REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION kb_words_added();
CREATE TRIGGER kb_chunks_gone AFTER DELETE ON kb_chunks REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION kb_words_gone();

INSERT INTO kb_words (tenant_id, config, word, chunks)
    SELECT k.tenant_id, d.search_config, u.lexeme, count(*) FROM kb_chunks k
    JOIN kb_documents d ON d.tenant_id = k.tenant_id AND d.id = k.document_id
    CROSS JOIN LATERAL unnest(k.search) AS u WHERE u.lexeme NOT LIKE '#%' GROUP BY 1, 2, 3;
