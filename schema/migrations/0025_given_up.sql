-- Texts whose turn the database would never start (docs/PROTOCOL.md, turn) are listed by `deskctl dead` as late ones
-- are. Its condition is that of admin.c; one that asks for late ones only finds them here, too.
CREATE INDEX inbox_events_dead ON inbox_events (message_id)
    WHERE state = 'late' OR (state = 'failed' AND turn_id IS NULL);
DROP INDEX inbox_events_late;
