-- A function keeps the plan that was made first until the next ANALYZE, and so does a reference. While a tenant has a row or two of a
-- table, its rows look as few as the one that a key finds, and any index that begins with the tenant as good as the key: thousands are
-- read that way before the plan is made anew (docs/adr/0004-frequent-statements-are-functions.md). The planner is told that a tenant has a
-- tenth of every table, and is left no list of tenants to know better from.
DO $$
DECLARE
    t regclass;
BEGIN
    FOR t IN SELECT c.oid FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attname = 'tenant_id' AND NOT a.attisdropped
    LOOP
        EXECUTE format('ALTER TABLE %s ALTER tenant_id SET (n_distinct = 10), ALTER tenant_id SET STATISTICS 1', t);
    END LOOP;
END $$;
