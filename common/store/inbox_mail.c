/* The claim's SQL for mails: see inbox_mail.h. Used by the engine's lane of mails only. Its own
 * statements decide what is new and where it belongs; the rest is that of texts (inbox_inside.h),
 * in the same order of locks. */
#include "store/inbox_mail.h"

#include "store/columns.h"
#include "store/delivery_mail.h"
#include "store/inbox_inside.h"

#define ANSWERS_STATEMENT 7 /* behind the claim's own, if it has codes */

#define NIL "'00000000-0000-0000-0000-000000000000'::uuid"

/* The thread that a mail `i` goes on, of this sender and of a mailbox that is still ours: what it
 * answers says it better than the token, which names the conversation alone, but a token of another
 * conversation is stronger. Threads are looked up one by one: a sender may have very many. */
#define THREAD_SQL                                                                                 \
    "SELECT s.id FROM (SELECT d.session_id, CASE WHEN d.conversation_id = i.talk_id THEN 0"        \
    " ELSE 2 END AS rank, 0::bigint AS position FROM deliveries d"                                 \
    " WHERE d.tenant_id = i.tenant_id AND d.id = nullif(i.delivery_id, " NIL ")"                   \
    " UNION ALL SELECT m.session_id, 1, m.position FROM messages m"                                \
    " WHERE m.tenant_id = i.tenant_id AND m.conversation_id = nullif(i.talk_id, " NIL ")"          \
    " UNION ALL SELECT m.session_id, 3, m.position FROM message_mails w"                           \
    " JOIN messages m ON m.tenant_id = w.tenant_id AND m.id = w.message_id"                        \
    " WHERE w.tenant_id = i.tenant_id AND w.mail_id <> '' AND w.mail_id = ANY (i.known_ids)) AS t" \
    " CROSS JOIN LATERAL (SELECT x.tenant_id, x.id, x.channel_id FROM channel_sessions x"          \
    " WHERE x.tenant_id = i.tenant_id AND x.id = t.session_id AND x.kind = 'mail'"                 \
    " AND x.remote_address = i.address OFFSET 0) AS s"                                             \
    " JOIN channels o ON o.tenant_id = s.tenant_id AND o.id = s.channel_id"                        \
    " AND o.removed_at IS NULL ORDER BY t.rank, t.position DESC LIMIT 1"

/* Behind "regexp_replace(" and an address: without a "+" and what follows it in the local part.
 * They are one correspondent's, as a desk of tickets has one for each, or those of all customers
 * behind one relay: as a family they have a bound of their own. An index is made of it. */
#define WITHOUT_PLUS ", '^([^+@]+)[+].*@', '\\1@')"

/* How many threads of other addresses led to a mail `i`: 0 unless it answers what was sent to
 * another one. A program with an address for each mail is one further with each answer; people who
 * answer a forwarded mail are all one further, however many. A thread that began more than seven
 * windows (`span`, ms) ago leads nowhere. */
#define HOPS_SQL                                                                                   \
    "(SELECT coalesce(1 + max(x.hops), 0) FROM (SELECT coalesce(nullif(i.talk_id, " NIL "),"       \
    " (SELECT d.conversation_id FROM deliveries d WHERE d.tenant_id = i.tenant_id"                 \
    " AND d.id = nullif(i.delivery_id, " NIL "))) AS id OFFSET 0) AS t"                            \
    " JOIN channel_sessions x ON x.tenant_id = i.tenant_id AND x.conversation_id = t.id"           \
    " AND x.kind = 'mail' AND x.remote_address <> i.address"                                       \
    " AND x.created_at > clock_timestamp() - 7 * i.span * interval '1 ms')"

/* Whether answering a mail `f` would go round in a circle: so many answers, given or on their way,
 * to its sender of late, over all threads, with no person between, or three times as many to his
 * family; or so many threads that led to it. A robot that begins a thread with each mail is none
 * the less one: most of his threads have no answer, and are not read. Of what was answered, only
 * the mails of a sender who was verified count for one who is, and for one who is not the others:
 * who writes in somebody's name does not use up his answers. What was answered to the former is
 * quoted, and nothing else of the AI's is. */
#define LOOP_SQL                                                                                   \
    "(SELECT f.hops >= $16::bigint OR n.day + w.waiting + f.before >= $16::bigint"                 \
    " OR n.week + w.waiting + f.before >= 3 * $16::bigint"                                         \
    " OR n.family + w.waiting + f.family_before >= 3 * $16::bigint"                                \
    " FROM (SELECT coalesce(sum(a.day) FILTER (WHERE s.remote_address = f.address), 0) AS day,"    \
    " coalesce(sum(a.week) FILTER (WHERE s.remote_address = f.address), 0) AS week,"               \
    " coalesce(sum(a.day), 0) AS family"                                                           \
    " FROM channel_sessions s"                                                                     \
    " CROSS JOIN LATERAL (SELECT count(*) FILTER (WHERE d.created_at > clock_timestamp()"          \
    " - $17::bigint * interval '1 ms') AS day, count(*) AS week FROM deliveries d"                 \
    " LEFT JOIN delivery_mails q ON q.tenant_id = d.tenant_id AND q.delivery_id = d.id"            \
    " WHERE d.tenant_id = s.tenant_id AND d.session_id = s.id AND d.author = 'ai'"                 \
    " AND (q.quoted_id IS NOT NULL) = f.verified"                                                  \
    " AND d.created_at > clock_timestamp() - 7 * $17::bigint * interval '1 ms'"                    \
    " AND NOT EXISTS (SELECT FROM deliveries p WHERE p.tenant_id = d.tenant_id"                    \
    " AND p.session_id = d.session_id AND p.seq > d.seq AND p.author = 'operator')) AS a"          \
    " WHERE s.tenant_id = f.tenant_id AND s.kind = 'mail' AND s.delivery_seq > 0"                  \
    " AND regexp_replace(s.remote_address" WITHOUT_PLUS " = regexp_replace(f.address" WITHOUT_PLUS \
    ") AS n,"                                                                                      \
    " (SELECT count(DISTINCT o.session_id) AS waiting FROM inbox_events o"                         \
    " JOIN message_mails q ON q.tenant_id = o.tenant_id AND q.message_id = o.message_id"           \
    " AND q.verified = f.verified"                                                                 \
    " WHERE o.tenant_id = f.tenant_id AND o.address_hash = f.address_hash"                         \
    " AND o.state = 'open') AS w)"

#define EARLIER " ORDER BY i.place ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING"

/* What is known, by its place in a mailbox or by its content, needs no second look; who loses a
 * race for either ends at the unique index. `before`, `family_before`: mails of the same sender and
 * of his family in this batch, which may all be answered. Senders are looked for among our own
 * addresses one by one: of those there may be very many. */
static const char insert_sql[] =
    "WITH input AS (SELECT t.*, $17::bigint AS span,"
    " ARRAY(SELECT jsonb_array_elements_text(t.ids::jsonb)) AS known_ids"
    " FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::uuid[], $7::uuid[],"
    " $8::uuid[], $9::uuid[], $10::bytea[], $11::timestamptz[], $12::text[], $13::text[],"
    " $15::bigint[], $18::uuid[], $19::uuid[], $20::text[], $21::boolean[]) AS t (tenant_id,"
    " provider_id, mailbox_id, address, session_id, contact_id, message_id, address_hash,"
    " content_hash, event_time, traceparent, reason, place, talk_id, delivery_id, ids, verified)),"
    " found AS MATERIALIZED (SELECT i.*, c.state AS consent, e.erased_at IS NOT NULL AS erased,"
    " coalesce((" THREAD_SQL "), i.session_id) AS thread_id,"
    " " HOPS_SQL " AS hops, count(*) FILTER (WHERE i.reason = '') OVER (PARTITION BY i.tenant_id,"
    " i.verified, i.address" EARLIER ") AS before, count(*) FILTER (WHERE i.reason = '')"
    " OVER (PARTITION BY i.tenant_id, i.verified, regexp_replace(i.address" WITHOUT_PLUS EARLIER
    ") AS family_before"
    " FROM input i JOIN mailboxes b ON b.tenant_id = i.tenant_id AND b.id = i.mailbox_id::uuid"
    " JOIN channels ch ON ch.tenant_id = i.tenant_id AND ch.kind = 'mail'"
    " AND ch.address = b.address AND ch.removed_at IS NULL"
    " LEFT JOIN consents c ON c.tenant_id = i.tenant_id AND c.sender = ch.address"
    " AND c.address = i.address"
    " LEFT JOIN erasures e ON e.tenant_id = i.tenant_id AND e.address_hash = i.address_hash"
    " AND e.erased_at >= i.event_time"
    " WHERE NOT EXISTS (SELECT FROM inbox_events x WHERE x.tenant_id = i.tenant_id"
    " AND x.channel = 'mail' AND x.provider_id = i.provider_id OFFSET 0)"
    " AND NOT EXISTS (SELECT FROM inbox_events y WHERE y.tenant_id = i.tenant_id"
    " AND y.channel = 'mail' AND y.content_hash <> '' AND y.content_hash = i.content_hash"
    " OFFSET 0)),"
    " reasoned AS (SELECT f.*, CASE WHEN erased THEN 'erased' WHEN f.reason <> '' THEN f.reason"
    " WHEN consent = 'opted_out' THEN 'no_consent'"
    " WHEN event_time < clock_timestamp() - $14::bigint * interval '1 ms' THEN 'late'"
    " WHEN EXISTS (SELECT FROM channels o WHERE o.kind = 'mail' AND o.address = f.address"
    " AND o.removed_at IS NULL OFFSET 0) THEN 'loop'"
    " WHEN " ROTA_THREAD_SQL " THEN 'rota'"
    " WHEN $16::bigint > 0 AND " LOOP_SQL " THEN 'loop' END AS ends FROM found f),"
    " made AS (INSERT INTO inbox_events (tenant_id, channel, provider_id, session_id, message_id,"
    " address_hash, content_hash, state, reason, claim_id, event_time, settled_at, traceparent)"
    " SELECT tenant_id, 'mail', provider_id, thread_id, message_id, address_hash, content_hash,"
    " CASE WHEN ends IS NULL THEN 'open' WHEN ends = 'late' THEN 'late' ELSE 'ended' END,"
    " ends, $1::uuid, event_time, CASE WHEN ends IS NOT NULL THEN clock_timestamp() END,"
    " nullif(traceparent, '') FROM reasoned ORDER BY tenant_id, provider_id"
    " ON CONFLICT DO NOTHING RETURNING tenant_id, provider_id, reason),"
    " people AS (SELECT DISTINCT ON (f.tenant_id, f.contact_id) f.* FROM found f"
    " WHERE (f.tenant_id, f.provider_id) IN (SELECT m.tenant_id, m.provider_id FROM made m"
    " WHERE m.reason IS DISTINCT FROM 'erased') ORDER BY f.tenant_id, f.contact_id),"
    " contact AS (INSERT INTO contacts (tenant_id, id) SELECT tenant_id, contact_id FROM people"
    " WHERE NOT EXISTS (SELECT FROM contact_addresses a WHERE a.tenant_id = people.tenant_id"
    " AND a.kind = 'mail' AND a.address = people.address)"
    " ORDER BY tenant_id, contact_id ON CONFLICT DO NOTHING)"
    " INSERT INTO contact_addresses (tenant_id, kind, address, contact_id)"
    " SELECT tenant_id, 'mail', address, contact_id FROM people"
    " ORDER BY tenant_id, contact_id ON CONFLICT DO NOTHING";

static const char lock_contacts_sql[] = INBOX_LOCK_CONTACTS_SQL("mail");
static const char touch_conversations_sql[] = INBOX_TOUCH_SQL("mail");
static const char arm_sql[] = INBOX_ARM_SQL("mail",
                                            "(SELECT b.address FROM mailboxes b"
                                            " WHERE b.tenant_id = k.tenant_id"
                                            " AND b.id = k.sender::uuid)",
                                            ", $17::text[]", ", subject", ", m.subject");

/* As inbox_report_sql, but a mail that another mailbox has brought is known by its content. */
static const char report_sql[] =
    "SELECT i.n, e.state, e.claim_id = $1::uuid AND e.provider_id = i.provider_id, e.session_id,"
    " s.conversation_id, s.claimed,"
    " coalesce(s.worker = $4::uuid AND s.due_at IS NOT NULL AND e.state = 'open', false),"
    " coalesce(ceil(extract(epoch FROM s.due_at - clock_timestamp()) * 1000), 0)::bigint"
    " FROM unnest($2::uuid[], $3::text[], $5::bytea[]) WITH ORDINALITY"
    " AS i (tenant_id, provider_id, content_hash, n)"
    " CROSS JOIN LATERAL (SELECT u.* FROM (SELECT x.* FROM inbox_events x"
    " WHERE x.tenant_id = i.tenant_id AND x.channel = 'mail' AND x.provider_id = i.provider_id"
    " UNION ALL SELECT y.* FROM inbox_events y WHERE y.tenant_id = i.tenant_id"
    " AND y.channel = 'mail' AND y.content_hash <> '' AND y.content_hash = i.content_hash) AS u"
    " ORDER BY u.provider_id = i.provider_id DESC LIMIT 1) AS e"
    " LEFT JOIN channel_sessions s ON s.tenant_id = e.tenant_id AND s.id = e.session_id"
    " ORDER BY i.n";

/* Whose conversation it is that the token names is asked of the rows that were written before. A
 * thread that this claim began is told what led to it. A mail that only its DMARC keeps from being
 * answered may be a person's all the same: people are to look. */
static const char mails_sql[] =
    "WITH made AS MATERIALIZED (SELECT m.tenant_id, m.id AS message_id, m.conversation_id,"
    " m.session_id, i.talk_id, i.delivery_id, i.mail_id, i.chain, i.from_name, i.class, i.rule,"
    " i.verified, i.whole FROM unnest($2::uuid[], $3::text[], $4::uuid[], $5::text[], $6::text[],"
    " $7::text[], $8::text[], $9::text[], $10::boolean[], $11::text[], $12::uuid[])"
    " AS i (tenant_id, provider_id, talk_id, mail_id, chain, from_name, class, rule, verified,"
    " whole, delivery_id)"
    " CROSS JOIN LATERAL (SELECT x.tenant_id, x.message_id FROM inbox_events x"
    " WHERE x.tenant_id = i.tenant_id AND x.channel = 'mail' AND x.provider_id = i.provider_id"
    " AND x.claim_id = $1::uuid OFFSET 0) AS e"
    " JOIN messages m ON m.tenant_id = e.tenant_id AND m.id = e.message_id),"
    " led AS (SELECT i.tenant_id, i.session_id, max(" HOPS_SQL ") AS hops FROM (SELECT n.*,"
    " $13::bigint AS span, y.remote_address AS address FROM made n"
    " CROSS JOIN LATERAL (SELECT z.remote_address FROM channel_sessions z"
    " WHERE z.tenant_id = n.tenant_id AND z.id = n.session_id"
    " AND z.created_at >= transaction_timestamp() OFFSET 0) AS y) AS i"
    " GROUP BY i.tenant_id, i.session_id),"
    " told AS (UPDATE channel_sessions s SET hops = l.hops FROM led l"
    " WHERE s.tenant_id = l.tenant_id AND s.id = l.session_id AND l.hops > 0),"
    " flag AS (UPDATE conversations c SET flagged = 'dmarc' FROM (SELECT DISTINCT x.tenant_id,"
    " x.conversation_id FROM made x WHERE x.class = 'spam' AND x.rule = 'dmarc' OFFSET 0) AS x"
    " WHERE c.tenant_id = x.tenant_id AND c.id = x.conversation_id AND c.flagged IS NULL)"
    " INSERT INTO message_mails (tenant_id, message_id, mail_id, reference_ids, from_name, class,"
    " rule, verified, suggested_id, whole) SELECT i.tenant_id, i.message_id, i.mail_id,"
    " ARRAY(SELECT jsonb_array_elements_text(i.chain::jsonb)), i.from_name, i.class, i.rule,"
    " i.verified, t.id, nullif(i.whole, '') FROM made i"
    " JOIN conversations c ON c.tenant_id = i.tenant_id AND c.id = i.conversation_id"
    " LEFT JOIN conversations t ON t.tenant_id = i.tenant_id AND t.id = nullif(i.talk_id, " NIL ")"
    " AND t.contact_id <> c.contact_id ON CONFLICT DO NOTHING";

#define MEMBER(name, kind)                                                                         \
    {                                                                                              \
        offsetof(struct inbox_mail, name), kind                                                    \
    }

static void add_insert(struct pg_unit *unit, struct arena *arena, const char *claim,
                       const struct inbox_columns *c, const struct column_rows *mails,
                       const struct inbox_timing *timing)
{
    static const struct column reasons[] = {MEMBER(reason, COLUMN_TEXT)};
    static const struct column threads[] = {MEMBER(talk, COLUMN_UUID),
                                            MEMBER(delivery, COLUMN_UUID), MEMBER(ids, COLUMN_TEXT),
                                            MEMBER(verified, COLUMN_BOOL)};
    struct pg_statement *statement =
        inbox_add(unit, insert_sql,
                  (const char *[]){claim, c->tenant, c->provider_id, c->sender, c->address,
                                   c->session, c->contact, c->message, c->address_hash,
                                   c->content_hash, c->time, c->traceparent, NULL});
    columns_add(statement, arena, mails, reasons, COLUMNS(reasons));
    pg_param(statement, inbox_number(arena, timing->answer_within_ms));
    pg_param(statement, c->place);
    pg_param(statement, inbox_number(arena, timing->loop_replies));
    pg_param(statement, inbox_number(arena, timing->loop_window_ms));
    columns_add(statement, arena, mails, threads, COLUMNS(threads));
}

static void add_mails(struct pg_unit *unit, struct arena *arena, const char *claim,
                      const struct inbox_columns *c, const struct column_rows *mails,
                      const struct inbox_timing *timing)
{
    static const struct column members[] = {
        MEMBER(talk, COLUMN_UUID),     MEMBER(mail_id, COLUMN_TEXT),
        MEMBER(chain, COLUMN_TEXT),    MEMBER(from_name, COLUMN_TEXT),
        MEMBER(class, COLUMN_TEXT),    MEMBER(rule, COLUMN_TEXT),
        MEMBER(verified, COLUMN_BOOL), MEMBER(whole, COLUMN_TEXT),
        MEMBER(delivery, COLUMN_UUID)};
    struct pg_statement *statement =
        inbox_add(unit, mails_sql, (const char *[]){claim, c->tenant, c->provider_id, NULL});
    columns_add(statement, arena, mails, members, COLUMNS(members));
    pg_param(statement, inbox_number(arena, timing->loop_window_ms));
}

/* Each answer is a mail in the thread of the one that it answers. */
static void add_answers(struct pg_unit *unit, struct arena *arena, const char *claim,
                        const struct inbox_event *events, size_t count)
{
    struct rota_code *codes = NULL;
    size_t used = inbox_add_codes(unit, arena, claim, events, count, &codes);
    struct delivery_mail_of *made = arena_alloc(arena, (used + 1) * sizeof *made);
    for (size_t i = 0; i < used; i++)
        made[i] = (struct delivery_mail_of){codes[i].tenant, codes[i].delivery};
    if (used > 0)
        delivery_mail_add_made(unit, arena, made, used);
}

void inbox_mail_add_claim(struct pg_unit *unit, struct arena *arena, const char *worker,
                          const struct inbox_event *events, const struct inbox_mail *mails,
                          size_t count, const struct inbox_timing *timing)
{
    static const struct column subjects[] = {MEMBER(subject, COLUMN_TEXT)};
    const struct column_rows rows = {mails, sizeof *mails, count};
    const struct inbox_columns c = inbox_make_columns(arena, events, count);
    struct uuid id = uuid_new();
    const char *claim = uuid_format(&id, arena_alloc(arena, UUID_TEXT_SIZE));
    inbox_add(unit, inbox_lock_addresses_sql, (const char *[]){c.lock, NULL});
    add_insert(unit, arena, claim, &c, &rows, timing);
    inbox_add(unit, lock_contacts_sql, (const char *[]){c.tenant, c.address, NULL});
    inbox_add(unit, touch_conversations_sql,
              (const char *[]){claim, c.tenant, c.provider_id,
                               inbox_number(arena, timing->quiet_ms), c.address, c.channel, NULL});
    struct pg_statement *arm =
        inbox_add(unit, arm_sql,
                  (const char *[]){claim, c.tenant, c.provider_id, c.sender, c.address, c.body,
                                   c.media, c.session, c.conversation, c.word, worker,
                                   inbox_number(arena, timing->burst_ms),
                                   inbox_number(arena, timing->burst_max_ms), c.place, c.channel,
                                   c.replay, NULL});
    columns_add(arm, arena, &rows, subjects, COLUMNS(subjects));
    inbox_add(unit, report_sql,
              (const char *[]){claim, c.tenant, c.provider_id, worker, c.content_hash, NULL});
    add_mails(unit, arena, claim, &c, &rows, timing);
    add_answers(unit, arena, claim, events, count);
}

bool inbox_mail_read_answer(const struct pg_answer *answer, int row, struct rota_answer *out)
{
    return rota_read_answer(answer, ANSWERS_STATEMENT, row, out);
}

const char *const inbox_mail_statements[] = {
    insert_sql, lock_contacts_sql, touch_conversations_sql, arm_sql, report_sql, mails_sql, NULL};
