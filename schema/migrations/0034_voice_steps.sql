-- Calls in webhook mode (docs/VOICE.md): the newest step that a request was told of, and for how many times its answer is
-- waited for; stream_partition is that request's. 0: a call in streaming mode, or none yet.
ALTER TABLE channel_sessions
    ADD COLUMN step integer NOT NULL DEFAULT 0,
    ADD COLUMN step_wait integer NOT NULL DEFAULT 0;

-- What goes with the reply to a step, which is given out again to whoever asks again: what the ingress is to do with the
-- call then (JSON), and the language in which it is held from there on.
ALTER TABLE turns
    ADD COLUMN handoff text,
    ADD COLUMN lang text;
