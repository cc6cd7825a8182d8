-- The language that a call is held in since one of its turns switched to it (docs/VOICE.md, switch_language); null: the
-- usual one. Another socket of the call begins in that again.
ALTER TABLE channel_sessions ADD COLUMN language text;
