-- A reply quotes the mail that it answers (docs/MAIL.md). Written with the delivery and never changed, so that a second
-- copy is the same mail: quoted_id, the message, NULL if none is quoted; quoted_on, when it came, as the line above the
-- quote says it (in the tenant's zone of then); language, of that line and of the mail. NULL in rows from before.
ALTER TABLE delivery_mails ADD COLUMN quoted_id uuid, ADD COLUMN quoted_on text, ADD COLUMN language text;
