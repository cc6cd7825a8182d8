-- What a model call cost, in billionths of a US dollar: an estimate from the prices in the vendor's file when
-- the assistant's version was made. NULL: tokens or prices are not known.
ALTER TABLE llm_calls ADD COLUMN cost bigint;
