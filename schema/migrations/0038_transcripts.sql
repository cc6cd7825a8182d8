-- What the provider wrote down of a message that a caller left (docs/VOICE.md), where the business asks for it.
--
-- transcript_state: NULL none has come; completed: transcript has its text; failed: nothing was understood.
ALTER TABLE recordings ADD COLUMN transcript text, ADD COLUMN transcript_state text;
ALTER TABLE recordings ADD CONSTRAINT recordings_transcript_state_check
    CHECK (transcript_state IN ('completed', 'failed')) NOT VALID;
GRANT UPDATE (transcript, transcript_state) ON recordings TO frontdesk_engine;
