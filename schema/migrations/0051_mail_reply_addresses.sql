-- Whether the mailbox's server takes mail for its address with a "+" and more behind the local part: then answers go to
-- one that names the conversation, else to the mailbox's own (docs/MAIL.md).
ALTER TABLE mail_accounts ADD COLUMN plus_addresses boolean NOT NULL DEFAULT true;
