-- Whether a number has a newer record than the one to be published (the directory's relay) is asked
-- of removed channels too, which channels_address leaves out.
CREATE INDEX channels_place ON channels (kind, address, directory_version);
