-- Workers whose start of this turn was overtaken while their lease ran, with the lease as it was then: if they died
-- without another renewal, the turn was lost with them (docs/PROTOCOL.md, tries).
ALTER TABLE turns ADD COLUMN overtaken uuid[] NOT NULL DEFAULT '{}';
ALTER TABLE turns ADD COLUMN overtaken_leases timestamptz[] NOT NULL DEFAULT '{}';
