-- A database that went back does not know what was sent meanwhile: responders send again only after a
-- whole reconcile, of this very database and since it was held last (docs/PROTOCOL.md, restore).
ALTER TABLE installation ADD COLUMN reconciled_for text;
