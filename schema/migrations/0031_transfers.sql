-- Calls that are put through (docs/VOICE.md): the escalation that a transfer opens says whom it rings up and how that
-- ended. asked: nothing is known yet; dropped: the caller said something before anybody was rung; the others are what
-- the ingress told. transfer_words is what the caller hears if nobody takes the call (then `promised` has it),
-- transfer_calls whether the rota is then told.
ALTER TABLE escalations
    ADD COLUMN transfer text CHECK (transfer IN ('asked', 'dropped', 'accepted', 'refused', 'no_answer', 'busy', 'failed',
                                                 'hung_up')),
    ADD COLUMN transfer_to text,
    ADD COLUMN transfer_words text,
    ADD COLUMN transfer_calls boolean NOT NULL DEFAULT false;

-- transfer: the words to a caller whom nobody took, which no model was asked for.
ALTER TABLE turns
    DROP CONSTRAINT turns_outcome_check,
    ADD CONSTRAINT turns_outcome_check CHECK (outcome IN ('reply', 'closed', 'fallback', 'degraded', 'budget_spent',
                                                          'interrupted', 'transfer')) NOT VALID;
