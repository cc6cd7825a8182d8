-- no transaction
-- Every worker renews its lease about each second. With the lease's end in an index each renewal was a new entry in both indexes of
-- the table, and each look for lapsed ones read all that no vacuum had taken away yet. Without it a renewal touches the row's page only.
DROP INDEX CONCURRENTLY IF EXISTS workers_of_kind;
CREATE INDEX CONCURRENTLY workers_of_kind ON workers (kind) WHERE NOT dead;
DROP INDEX CONCURRENTLY IF EXISTS workers_alive;
ALTER TABLE workers SET (fillfactor = 50);
