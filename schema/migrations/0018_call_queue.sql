-- How long a turn was held up before the call: from when it was due, its tools had answered or it came back to
-- the model after a failure, until the request left. NULL: from before it was kept, or a call beside the turns.
ALTER TABLE llm_calls ADD COLUMN queue_ms integer;
