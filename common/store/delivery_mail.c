/* A mail's own SQL: see delivery_mail.h. The responder's claims read it in their transaction, after
 * the claim, so that it is seen what was claimed; the delivery's row is locked by then. Commits and
 * people's replies write it in theirs. */
#include "store/delivery_mail.h"

#include <string.h>

#include "store/columns.h"
#include "store/delivery_inside.h"

/* Each row by its key, one after the other (OFFSET 0): docs/adr/0004. Of what is quoted somewhat
 * more than MAIL_QUOTE_MAX (mail/quote.h), so that it is seen to be longer. */
static const char mail_sql[] =
    "UPDATE delivery_mails w SET message_id = coalesce(w.message_id, d.token || '@'"
    " || split_part(d.address, '@', 2)) FROM (SELECT d.tenant_id, d.id, d.conversation_id,"
    " d.author, d.created_at, i.token, t.language, ch.address, a.url, a.secret, a.from_name,"
    " a.plus_addresses, b.id AS mailbox_id, b.sent_folder IS NOT NULL AS wants_copy,"
    " l.way, encode(l.wrapped, 'hex') AS wrapped, l.version"
    " FROM unnest($2::uuid[], $3::uuid[], $4::text[]) AS i (tenant_id, id, token)"
    " JOIN deliveries d ON d.tenant_id = i.tenant_id AND d.id = i.id"
    " JOIN tenants t ON t.id = d.tenant_id CROSS JOIN LATERAL (SELECT x.tenant_id, x.channel_id"
    " FROM channel_sessions x WHERE x.tenant_id = d.tenant_id AND x.id = d.session_id OFFSET 0)"
    " AS s JOIN channels ch ON ch.tenant_id = s.tenant_id AND ch.id = s.channel_id"
    " LEFT JOIN mail_accounts a ON a.tenant_id = ch.tenant_id AND a.channel_id = ch.id"
    " LEFT JOIN mailboxes b ON b.tenant_id = ch.tenant_id AND b.address = ch.address"
    " AND b.removed_at IS NULL LEFT JOIN LATERAL (SELECT c.way, c.wrapped, c.version"
    " FROM mail_credentials c WHERE c.tenant_id = b.tenant_id AND c.mailbox_id = b.id"
    " AND a.secret = 'sealed' ORDER BY c.way DESC LIMIT 1) AS l ON true"
    " WHERE d.via = 'mail' AND d.state = 'sending' AND d.worker = $1::uuid OFFSET 0) AS d"
    " WHERE w.tenant_id = d.tenant_id AND w.delivery_id = d.id"
    " RETURNING d.tenant_id, d.id, d.conversation_id, d.author,"
    " (extract(epoch FROM d.created_at) * 1000)::bigint, coalesce(w.language, d.language),"
    " coalesce(d.url, ''),"
    " coalesce(d.secret, ''), coalesce(d.from_name, ''), w.subject, w.in_reply_to,"
    " array_to_string(w.reference_ids, ' '), w.message_id, d.mailbox_id, coalesce(d.way, ''),"
    " coalesce(d.wrapped, ''), coalesce(d.version, 0),"
    " coalesce(d.wants_copy AND w.copied_at IS NULL, false), coalesce(w.quoted_on, ''),"
    " coalesce((SELECT left(m.body, 20000) FROM messages m"
    " WHERE m.tenant_id = w.tenant_id AND m.id = w.quoted_id), ''),"
    " coalesce(d.plus_addresses, true)";

const char delivery_mail_made_sql[] =
    "INSERT INTO delivery_mails (tenant_id, delivery_id, subject, in_reply_to, reference_ids,"
    " quoted_id, quoted_on, language)"
    " SELECT d.tenant_id, d.id, coalesce(a.subject, ''), coalesce(a.mail_id, ''),"
    " coalesce(a.reference_ids, '{}'), CASE WHEN a.quotes THEN a.id END,"
    " CASE WHEN a.quotes THEN to_char(a.event_time AT TIME ZONE t.timezone, 'YYYY-MM-DD HH24:MI')"
    " END, t.language FROM unnest($1::uuid[], $2::uuid[]) AS i (tenant_id, id)"
    " JOIN deliveries d ON d.tenant_id = i.tenant_id AND d.id = i.id AND d.via = 'mail'"
    " JOIN tenants t ON t.id = d.tenant_id"
    " LEFT JOIN LATERAL (SELECT m.id, m.event_time, m.subject, w.mail_id, w.reference_ids,"
    " d.author = 'operator' OR d.author = 'ai' AND w.verified AS quotes FROM messages m"
    " JOIN message_mails w ON w.tenant_id = m.tenant_id AND w.message_id = m.id"
    " LEFT JOIN inbox_events e ON e.tenant_id = m.tenant_id AND e.channel = 'mail'"
    " AND e.provider_id = m.provider_id AND e.turn_id = d.turn_id"
    " WHERE m.tenant_id = d.tenant_id AND m.conversation_id = d.conversation_id"
    " AND m.session_id = d.session_id AND w.class = 'person'"
    " ORDER BY e.turn_id IS NOT NULL DESC, m.position DESC LIMIT 1) AS a ON true"
    " ORDER BY d.tenant_id, d.id ON CONFLICT DO NOTHING";

/* The last statement of the claim's unit. */
static int statement_of(const struct pg_answer *answer)
{
    return (int)answer->count - 1;
}

void delivery_mail_add(struct pg_unit *unit, struct arena *arena, const char *worker,
                       const struct delivery_ref *refs, const char *const *tokens, size_t count)
{
    struct pg_array columns[3];
    for (int i = 0; i < 3; i++)
        pg_array_init(&columns[i]);
    for (size_t i = 0; i < count; i++) {
        pg_array_add_uuid(&columns[0], &refs[i].tenant);
        pg_array_add_uuid(&columns[1], &refs[i].id);
        pg_array_add(&columns[2], tokens[i]);
    }
    struct pg_statement *statement = pg_add(unit, mail_sql);
    pg_param(statement, worker);
    for (int i = 0; i < 3; i++) {
        pg_param(statement, pg_array_take(&columns[i], arena));
        pg_array_fini(&columns[i]);
    }
}

void delivery_mail_add_made(struct pg_unit *unit, struct arena *arena,
                            const struct delivery_mail_of *mails, size_t count)
{
    static const struct column columns[] = {
        {offsetof(struct delivery_mail_of, tenant), COLUMN_TEXT},
        {offsetof(struct delivery_mail_of, delivery), COLUMN_UUID},
    };
    columns_add(pg_add(unit, delivery_mail_made_sql), arena,
                &(struct column_rows){mails, sizeof *mails, count}, columns, COLUMNS(columns));
}

static struct delivery_mail read_row(const struct pg_answer *answer, int statement, int row)
{
    const struct pg_result *r = answer->results;
    struct delivery_mail mail = {
        .conversation = pg_uuid(r, statement, row, 2),
        .author = pg_text(r, statement, row, 3),
        .created_ms = pg_int(r, statement, row, 4),
        .language = pg_text(r, statement, row, 5),
        .url = pg_text(r, statement, row, 6),
        .secret = pg_text(r, statement, row, 7),
        .from_name = pg_text(r, statement, row, 8),
        .subject = pg_text(r, statement, row, 9),
        .in_reply_to = pg_text(r, statement, row, 10),
        .references = pg_text(r, statement, row, 11),
        .message_id = pg_text(r, statement, row, 12),
        .login = {.mailbox = pg_uuid(r, statement, row, 13),
                  .way = pg_text(r, statement, row, 14),
                  .hex = pg_text(r, statement, row, 15),
                  .version = pg_int(r, statement, row, 16)},
        .wants_copy = pg_bool(r, statement, row, 17),
        .quoted_on = pg_text(r, statement, row, 18),
        .quoted = pg_text(r, statement, row, 19),
        .plus_addresses = pg_bool(r, statement, row, 20),
    };
    delivery_read_ref(answer, statement, row, &mail.ref);
    return mail;
}

bool delivery_mail_find(const struct pg_answer *answer, const struct uuid *id,
                        struct delivery_mail *out)
{
    int statement = statement_of(answer);
    for (int row = 0; row < pg_rows(answer->results, statement); row++) {
        struct uuid found = pg_uuid(answer->results, statement, row, 1);
        if (memcmp(found.bytes, id->bytes, sizeof found.bytes) == 0) {
            *out = read_row(answer, statement, row);
            return true;
        }
    }
    return false;
}

const char *const delivery_mail_statements[] = {mail_sql, delivery_mail_made_sql, NULL};
