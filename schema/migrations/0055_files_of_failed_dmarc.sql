-- Files of a mail that is spam by its DMARC alone are not swept (docs/MAIL.md): the mailpoller sees which rule a mail ended by.
CREATE POLICY every_tenant_mail ON message_mails FOR SELECT TO frontdesk_mailpoller USING (true);
GRANT SELECT (tenant_id, message_id, rule) ON message_mails TO frontdesk_mailpoller;
GRANT SELECT (message_id) ON inbox_events TO frontdesk_mailpoller;
