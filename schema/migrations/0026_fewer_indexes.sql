-- What every text writes is written into fewer indexes.
-- Nothing reads conversations or events by these: lists of conversations are sorted over all tenants,
-- and what is looked for among a person's events is narrowed below. Without the first, the touch of a
-- conversation by each text changes no indexed column and can stay on its page (HOT).
DROP INDEX conversations_recent;
DROP INDEX inbox_events_claimed;
ALTER TABLE conversations SET (fillfactor = 80);

-- By a person's address are looked up: what erasure must end, and wrong codes of a rota. An event that
-- is settled as usual does not stand in it any more.
CREATE INDEX inbox_events_person ON inbox_events (tenant_id, address_hash)
    WHERE state IN ('open', 'late') OR reason = 'rota_wrong';
DROP INDEX inbox_events_address;
