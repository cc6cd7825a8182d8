-- Phone calls (docs/VOICE.md). A call is a channel session of its own, in its caller's conversation: call_sid names it to
-- the provider, stream_partition is where the ingress that holds it reads, call_at is when anything was last heard of
-- it, ended_at when it was over: nothing is said into it any more.
ALTER TABLE channels DROP CONSTRAINT channels_kind_check,
    ADD CONSTRAINT channels_kind_check CHECK (kind IN ('sms', 'voice'));
ALTER TABLE inbox_events DROP CONSTRAINT inbox_events_channel_check,
    ADD CONSTRAINT inbox_events_channel_check CHECK (channel IN ('sms', 'voice')) NOT VALID;
ALTER TABLE channel_sessions DROP CONSTRAINT channel_sessions_kind_check,
    ADD CONSTRAINT channel_sessions_kind_check CHECK (kind IN ('sms', 'voice')) NOT VALID,
    ADD COLUMN call_sid text,
    ADD COLUMN stream_partition integer,
    ADD COLUMN call_at timestamptz,
    ADD COLUMN ended_at timestamptz;
CREATE INDEX channel_sessions_calls ON channel_sessions (call_at) WHERE call_at IS NOT NULL AND ended_at IS NULL;

-- How far a turn was spoken, as the ingress says it: of which fence, up to which frame, the words up to there, and
-- why it says so. heard_before: what another ingress had spoken, of which the one that holds the call now knows nothing. `anew`: its caller cut in before he heard any of it, and it begins anew under another number.
-- answers: the events that its newest start listed, so that whoever ends it in another's place settles these.
ALTER TABLE turns
    DROP CONSTRAINT turns_outcome_check,
    ADD CONSTRAINT turns_outcome_check CHECK (outcome IN ('reply', 'closed', 'fallback', 'degraded', 'budget_spent',
                                                          'interrupted')) NOT VALID,
    ADD COLUMN answers text[],
    ADD COLUMN heard_fence bigint,
    ADD COLUMN heard_seq bigint,
    ADD COLUMN heard text,
    ADD COLUMN heard_before text,
    ADD COLUMN heard_reason text CHECK (heard_reason IN ('last', 'interrupt', 'stall', 'open', 'close', 'stop',
                                                         'fallback', 'anew')),
    ADD COLUMN heard_at timestamptz;

-- What was heard of a spoken reply; body is what was said.
ALTER TABLE messages ADD COLUMN heard text;

-- A spoken reply leaves with its words; what became of it the newest word of the ingress decides, so that one that was
-- written to its end may turn out to have been cut off, or not heard at all.
ALTER TABLE deliveries DROP CONSTRAINT deliveries_via_check,
    ADD CONSTRAINT deliveries_via_check CHECK (via IN ('sms', 'stream')) NOT VALID;
CREATE OR REPLACE FUNCTION delivery_forward_only() RETURNS trigger
    LANGUAGE plpgsql
AS $$
BEGIN
    IF NEW.via <> 'stream' AND (delivery_rank(NEW.state) < delivery_rank(OLD.state)
       OR (delivery_rank(OLD.state) = 3 AND NEW.state <> OLD.state)) THEN
        RAISE EXCEPTION 'delivery % would go from % to %', OLD.id, OLD.state, NEW.state
            USING ERRCODE = '23514';
    END IF;
    RETURN NEW;
END $$;
