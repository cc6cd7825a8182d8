-- How often a call got another socket since its turn began, or began anew (docs/VOICE.md, engine): a commit that does not
-- know of the last one is not taken, since what that socket's caller has not heard is still to be said.
ALTER TABLE turns ADD COLUMN sockets integer NOT NULL DEFAULT 0;
