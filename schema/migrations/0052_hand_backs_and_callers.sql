-- A hand-back ends the turns whose texts the person has answered, with what they have begun (docs/PROTOCOL.md, takeover): as a
-- call's end does, with what the caller heard as their reply.
GRANT UPDATE (state, outcome, reserved_day, finished_at) ON turns TO frontdesk_console;
GRANT UPDATE (fence, turn_id) ON channel_sessions TO frontdesk_console;
GRANT UPDATE (state, outcome, result, finished_at) ON tool_calls TO frontdesk_console;

-- What a caller's carrier has found of his number (docs/VOICE.md, who calls): full, partial or failed; null: nobody has told.
-- Written with the claim of the call's setup, read by each start of a turn. Not validated: the rows that are there have none.
ALTER TABLE channel_sessions
    ADD COLUMN attestation text,
    ADD CONSTRAINT channel_sessions_attestation_check CHECK (attestation IN ('full', 'partial', 'failed')) NOT VALID;
