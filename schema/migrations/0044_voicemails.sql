-- A person's voicemail (docs/VOICE.md, transfer): Twilio says, beside the call, that a machine took it. Only what the model
-- told the caller, and whether the two were joined at once, says what that means: so the transfer keeps its mode.
ALTER TABLE escalations
    ADD COLUMN transfer_cold boolean NOT NULL DEFAULT false,
    DROP CONSTRAINT escalations_transfer_check,
    ADD CONSTRAINT escalations_transfer_check CHECK (transfer IN ('asked', 'dropped', 'accepted', 'refused', 'no_answer',
                                                                  'busy', 'failed', 'hung_up', 'voicemail')) NOT VALID;

-- The responder takes the caller out of it.
GRANT SELECT (turn_id, transfer, transfer_cold, promised) ON escalations TO frontdesk_responder;
