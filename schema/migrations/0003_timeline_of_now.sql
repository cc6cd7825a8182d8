-- The control file learns a promotion's timeline only with the next checkpoint, which may come minutes
-- later; until then a promoted standby, which may have lost the last outcomes, passed for the database
-- that was released, and sent again. The timeline that is written to now is known at once.
CREATE OR REPLACE FUNCTION database_identity() RETURNS text
    LANGUAGE sql STABLE
AS $$
    SELECT s.system_identifier || ':'
           || ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int
      FROM pg_control_system() s
$$;
