-- A call whose effect may have happened and was not heard of ends as `unknown` (docs/PROTOCOL.md, rounds and tools).
-- Not validated: all rows that are there passed the narrower one.
ALTER TABLE tool_calls DROP CONSTRAINT tool_calls_outcome_check;
ALTER TABLE tool_calls ADD CONSTRAINT tool_calls_outcome_check
    CHECK (outcome IN ('ok', 'refused', 'failed', 'unknown')) NOT VALID;
