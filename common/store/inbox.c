/* The claim's SQL. Used by the engine's intake only. The statements of one claim run as one
 * transaction; each has a snapshot of its own, so what a statement locks the next one reads as it
 * is. Lock order: address (advisory), inbox row, contact, conversation, session. */
#include "store/inbox.h"

#include "base/clock.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

/* Erasure takes the same lock exclusively: a claim is either before it, and erased with the rest,
 * or after it, and sees its row in `erasures`. */
static const char lock_addresses_sql[] =
    "SELECT pg_advisory_xact_lock_shared(k)::text"
    " FROM (SELECT DISTINCT k FROM unnest($1::bigint[]) AS t (k) ORDER BY k) AS keys";

/* The inbox row decides what is new; an event that ends at once never arms a session. A loop is a
 * text from one of our own numbers, and a session in which the last so many replies were all ours
 * and all recent: another machine answers, and a person is told (flagged). */
static const char insert_sql[] =
    "WITH input AS (SELECT * FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[],"
    " $6::uuid[], $7::uuid[], $8::uuid[], $9::uuid[], $10::bytea[], $11::timestamptz[],"
    " $12::text[], $13::text[], $15::bigint[], $18::text[]) AS t (tenant_id, provider_id, sender,"
    " address, session_id, contact_id, message_id, address_hash, content_hash, event_time, word,"
    " traceparent, place, channel)),"
    /* The words of this batch that are new: mostly none, so that each text asks an empty list. */
    " words AS MATERIALIZED (SELECT w.tenant_id, w.sender, w.address, w.place, CASE w.word"
    " WHEN 'stop' THEN 'opted_out' ELSE 'opted_in' END AS consent FROM input w"
    " WHERE w.word IN ('stop', 'start')"
    " AND NOT EXISTS (SELECT FROM inbox_events x WHERE x.tenant_id = w.tenant_id"
    " AND x.channel = w.channel AND x.provider_id = w.provider_id)),"
    " judged AS MATERIALIZED (SELECT i.*, coalesce((SELECT w.consent FROM words w"
    " WHERE w.tenant_id = i.tenant_id AND w.sender = i.sender AND w.address = i.address"
    " AND w.place < i.place ORDER BY w.place DESC LIMIT 1), c.state) AS consent,"
    " e.erased_at IS NOT NULL AS erased"
    " FROM input i"
    " JOIN channels ch ON ch.tenant_id = i.tenant_id AND ch.kind = i.channel"
    " AND ch.address = i.sender AND ch.removed_at IS NULL"
    " LEFT JOIN consents c ON c.tenant_id = i.tenant_id AND c.sender = i.sender"
    " AND c.address = i.address AND i.channel = 'sms'"
    " LEFT JOIN erasures e ON e.tenant_id = i.tenant_id AND e.address_hash = i.address_hash"
    " AND e.erased_at >= i.event_time),"
    " reasoned AS (SELECT j.*, CASE WHEN erased THEN 'erased'"
    " WHEN word = 'stop' THEN 'opted_out'"
    " WHEN word = 'start' AND consent = 'opted_out' THEN 'opted_in'"
    " WHEN word = 'help' THEN 'help'"
    " WHEN word = 'code' AND " ROTA_SENDER_SQL " THEN 'rota'"
    " WHEN word = 'note' THEN 'note'"
    " WHEN consent = 'opted_out' THEN 'no_consent'"
    " WHEN event_time < clock_timestamp() - $14::bigint * interval '1 ms' THEN 'late'"
    /* A call that is over is nobody's to answer any more. */
    " WHEN j.channel = 'voice' AND EXISTS (SELECT FROM channel_sessions s"
    " WHERE s.tenant_id = j.tenant_id AND s.id = j.session_id AND s.ended_at IS NOT NULL)"
    " THEN 'late'"
    " WHEN j.channel = 'sms' AND EXISTS (SELECT FROM channels o WHERE o.kind = 'sms'"
    " AND o.address = j.address AND o.removed_at IS NULL) THEN 'loop'"
    " WHEN $16::bigint > 0 AND $16::bigint = (SELECT count(*) FROM (SELECT d.author, d.created_at"
    " FROM deliveries d WHERE d.tenant_id = j.tenant_id AND d.session_id = j.session_id"
    " ORDER BY d.seq DESC LIMIT $16::bigint) n WHERE n.author = 'ai'"
    " AND n.created_at > clock_timestamp() - $17::bigint * interval '1 ms') THEN 'loop'"
    " END AS reason"
    " FROM judged j),"
    " made AS (INSERT INTO inbox_events (tenant_id, channel, provider_id, session_id, message_id,"
    " address_hash, content_hash, state, reason, claim_id, event_time, settled_at, traceparent)"
    " SELECT tenant_id, channel, provider_id, session_id, message_id, address_hash, content_hash,"
    " CASE WHEN reason IS NULL THEN 'open' WHEN reason = 'late' THEN 'late' ELSE 'ended' END,"
    " reason, $1::uuid, event_time, CASE WHEN reason IS NOT NULL THEN clock_timestamp() END,"
    " nullif(traceparent, '')"
    " FROM reasoned ORDER BY tenant_id, provider_id"
    " ON CONFLICT DO NOTHING RETURNING tenant_id, provider_id, reason),"
    /* CASE: a list that is looked into by hash, instead of a join of two lists. */
    " people AS (SELECT DISTINCT ON (i.tenant_id, i.contact_id) i.* FROM input i"
    " WHERE CASE WHEN (i.tenant_id, i.provider_id) IN (SELECT m.tenant_id, m.provider_id FROM made "
    "m"
    " WHERE m.reason IS DISTINCT FROM 'erased') THEN true END"
    " ORDER BY i.tenant_id, i.contact_id),"
    " contact AS (INSERT INTO contacts (tenant_id, id) SELECT tenant_id, contact_id FROM people"
    " WHERE NOT EXISTS (SELECT FROM contact_addresses a WHERE a.tenant_id = people.tenant_id"
    " AND a.kind = 'phone' AND a.address = people.address)"
    " ORDER BY tenant_id, contact_id ON CONFLICT DO NOTHING)"
    " INSERT INTO contact_addresses (tenant_id, kind, address, contact_id)"
    " SELECT tenant_id, 'phone', address, contact_id FROM people"
    " ORDER BY tenant_id, contact_id ON CONFLICT DO NOTHING";

/* One claim at a time per contact: two claims cannot both open its next conversation. */
static const char lock_contacts_sql[] =
    "SELECT 1 FROM contacts c WHERE (c.tenant_id, c.id) IN ("
    " SELECT a.tenant_id, a.contact_id FROM unnest($1::uuid[], $2::text[])"
    " AS i (tenant_id, address) CROSS JOIN LATERAL (SELECT x.tenant_id, x.contact_id"
    " FROM contact_addresses x WHERE x.tenant_id = i.tenant_id AND x.kind = 'phone'"
    " AND x.address = i.address OFFSET 0) AS a)"
    " ORDER BY c.tenant_id, c.id FOR NO KEY UPDATE";

/* Locks the open conversations of those who wrote, in their order, and touches them; one that was
 * quiet too long ends here, unless a person holds it. What is decided is decided by columns of the
 * locked row, which are read again if somebody had it. */
static const char touch_conversations_sql[] =
    "WITH mine AS MATERIALIZED (SELECT a.tenant_id, a.contact_id,"
    " CASE WHEN e.reason = 'loop' THEN e.session_id END AS looping"
    " FROM unnest($2::uuid[], $3::text[], $5::text[], $6::text[])"
    " AS i (tenant_id, provider_id, address, channel)"
    " CROSS JOIN LATERAL (SELECT x.tenant_id, x.contact_id FROM contact_addresses x"
    " WHERE x.tenant_id = i.tenant_id AND x.kind = 'phone' AND x.address = i.address OFFSET 0)"
    " AS a"
    " CROSS JOIN LATERAL (SELECT x.reason, x.session_id FROM inbox_events x"
    " WHERE x.tenant_id = i.tenant_id AND x.channel = i.channel"
    " AND x.provider_id = i.provider_id AND x.claim_id = $1::uuid"
    " AND x.reason IS DISTINCT FROM 'erased' OFFSET 0) AS e),"
    " locked AS MATERIALIZED (SELECT c.tenant_id, c.id FROM conversations c"
    " WHERE c.closed_at IS NULL AND (c.tenant_id, c.contact_id) IN"
    " (SELECT m.tenant_id, m.contact_id FROM mine m)"
    " ORDER BY c.tenant_id, c.id FOR NO KEY UPDATE)"
    " UPDATE conversations c SET"
    " closed_at = CASE WHEN c.held_by IS NULL AND"
    " c.last_activity_at < clock_timestamp() - $4::bigint * interval '1 ms'"
    " THEN clock_timestamp() END,"
    " last_activity_at = CASE WHEN c.held_by IS NULL AND"
    " c.last_activity_at < clock_timestamp() - $4::bigint * interval '1 ms'"
    " THEN c.last_activity_at ELSE clock_timestamp() END,"
    " flagged = CASE WHEN (c.tenant_id, c.id) IN (SELECT s.tenant_id, s.conversation_id"
    " FROM mine m JOIN channel_sessions s ON s.tenant_id = m.tenant_id AND s.id = m.looping"
    " WHERE m.looping IS NOT NULL) THEN 'loop' ELSE c.flagged END"
    " FROM locked l WHERE c.tenant_id = l.tenant_id AND c.id = l.id";

/* Everything else, with contact and conversation locked. A start word is recorded although it opts
 * nobody in again: the provider may just be telling us of an opt-out that is older. A conversation
 * that a person holds keeps its events open but arms no session: hand-back does. A redelivered
 * event that is still open re-arms its session and names us. What insert_sql took is finished also
 * if its channel has been removed since: the reply is suppressed at its claim, and the text can be
 * read. */
static const char arm_sql[] =
    "WITH input AS (SELECT * FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[],"
    " $6::text[], $7::jsonb[], $8::uuid[], $9::uuid[], $10::text[], $14::bigint[], $15::text[])"
    " WITH ORDINALITY AS t (tenant_id, provider_id, sender, address, body, media, session_id,"
    " conversation_id, word, place, channel, n)),"
    " known AS MATERIALIZED (SELECT i.*, e.state, e.reason, e.message_id, e.event_time,"
    " e.session_id AS claimed_session, e.claim_id = $1::uuid AS fresh FROM input i"
    " JOIN inbox_events e ON e.tenant_id = i.tenant_id AND e.channel = i.channel"
    " AND e.provider_id = i.provider_id),"
    /* talk: the contact's open conversation, or the one that the first of its texts opens. */
    " mine AS MATERIALIZED (SELECT k.*, a.contact_id, ch.id AS channel_id,"
    " c.id IS NULL AS opens, c.held_by, coalesce(c.id, first_value(k.conversation_id)"
    " OVER (PARTITION BY k.tenant_id, a.contact_id ORDER BY k.n)) AS talk FROM known k"
    " CROSS JOIN LATERAL (SELECT x.contact_id FROM contact_addresses x"
    " WHERE x.tenant_id = k.tenant_id AND x.kind = 'phone' AND x.address = k.address OFFSET 0)"
    " AS a"
    " CROSS JOIN LATERAL (SELECT c.id FROM channels c WHERE c.tenant_id = k.tenant_id"
    " AND c.kind = k.channel AND c.address = k.sender"
    " ORDER BY c.removed_at DESC NULLS FIRST LIMIT 1) ch"
    " LEFT JOIN conversations c ON c.tenant_id = k.tenant_id AND c.contact_id = a.contact_id"
    " AND c.closed_at IS NULL"
    " WHERE k.fresh AND k.reason IS DISTINCT FROM 'erased'),"
    " opened AS (INSERT INTO conversations (tenant_id, id, contact_id)"
    " SELECT DISTINCT m.tenant_id, m.talk, m.contact_id FROM mine m WHERE m.opens"
    " ORDER BY m.tenant_id, m.contact_id),"
    " per_session AS (SELECT m.tenant_id, m.session_id, (array_agg(m.talk))[1] AS conversation_id,"
    " (array_agg(m.channel_id))[1] AS channel_id, min(m.address) AS address,"
    " min(m.channel) AS kind,"
    " bool_or(m.state = 'open') AND bool_and(m.held_by IS NULL) AS arm"
    " FROM mine m GROUP BY m.tenant_id, m.session_id),"
    " armed AS (INSERT INTO channel_sessions AS s (tenant_id, id, conversation_id, channel_id, "
    "kind,"
    " remote_address, claimed, worker, burst_at, due_at)"
    " SELECT tenant_id, session_id, conversation_id, channel_id, kind, address, 1,"
    " CASE WHEN arm THEN $11::uuid END, CASE WHEN arm THEN clock_timestamp() END,"
    " CASE WHEN arm THEN clock_timestamp()"
    " + least($12::bigint, $13::bigint) * interval '1 ms' END"
    " FROM per_session ORDER BY tenant_id, session_id"
    " ON CONFLICT (tenant_id, id) DO UPDATE SET conversation_id = EXCLUDED.conversation_id,"
    " claimed = s.claimed + CASE WHEN EXCLUDED.due_at IS NULL THEN 0 ELSE 1 END,"
    " worker = coalesce(EXCLUDED.worker, s.worker),"
    " burst_at = CASE WHEN EXCLUDED.due_at IS NULL THEN s.burst_at"
    " WHEN s.due_at IS NULL THEN EXCLUDED.burst_at"
    " ELSE coalesce(s.burst_at, EXCLUDED.burst_at) END,"
    " due_at = CASE WHEN EXCLUDED.due_at IS NULL THEN s.due_at"
    " WHEN s.due_at IS NULL THEN EXCLUDED.due_at"
    " ELSE least(EXCLUDED.due_at, coalesce(s.burst_at, EXCLUDED.burst_at)"
    " + $13::bigint * interval '1 ms') END),"
    /* Locked in their order first: a start locks many without a contact. */
    " again AS MATERIALIZED (SELECT s.tenant_id, s.id FROM channel_sessions s"
    " WHERE (s.tenant_id, s.id) IN (SELECT k.tenant_id, k.claimed_session FROM known k"
    " WHERE NOT k.fresh AND k.state = 'open')"
    " AND NOT EXISTS (SELECT FROM per_session p WHERE p.tenant_id = s.tenant_id"
    " AND p.session_id = s.id)"
    " AND NOT EXISTS (SELECT FROM conversations c WHERE c.tenant_id = s.tenant_id"
    " AND c.id = s.conversation_id AND c.held_by IS NOT NULL)"
    " ORDER BY s.tenant_id, s.id FOR NO KEY UPDATE OF s),"
    " rearmed AS (UPDATE channel_sessions s SET worker = $11::uuid,"
    " due_at = greatest(coalesce(s.due_at, clock_timestamp()),"
    " (SELECT w.lease_until FROM workers w WHERE w.id = s.worker AND w.id <> $11::uuid"
    " AND NOT w.dead))"
    " FROM again a WHERE s.tenant_id = a.tenant_id AND s.id = a.id),"
    " consent AS (INSERT INTO consents AS c (tenant_id, sender, address, state, source, changed_at)"
    " SELECT DISTINCT ON (tenant_id, sender, address) tenant_id, sender, address,"
    " CASE word WHEN 'stop' THEN 'opted_out' ELSE 'opted_in' END,"
    " 'customer', event_time FROM mine WHERE word IN ('stop', 'start')"
    " ORDER BY tenant_id, sender, address, event_time DESC, place DESC"
    " ON CONFLICT (tenant_id, sender, address) DO UPDATE SET state = EXCLUDED.state,"
    " source = EXCLUDED.source, changed_at = EXCLUDED.changed_at"
    " WHERE c.changed_at <= EXCLUDED.changed_at)"
    " INSERT INTO messages (tenant_id, id, conversation_id, session_id, direction, author, body,"
    " media, provider_id, event_time)"
    " SELECT m.tenant_id, m.message_id, m.talk, m.session_id, 'in',"
    " CASE WHEN m.word = 'note' THEN 'system' ELSE 'contact' END, m.body, m.media,"
    " m.provider_id, m.event_time FROM mine m WHERE m.word <> 'note' OR m.body <> ''"
    " ORDER BY m.place, m.n ON CONFLICT DO NOTHING";

static const char report_sql[] =
    "SELECT i.n, e.state, e.claim_id = $1::uuid, e.session_id, s.conversation_id, s.claimed,"
    " coalesce(s.worker = $4::uuid AND s.due_at IS NOT NULL AND e.state = 'open', false),"
    " coalesce(ceil(extract(epoch FROM s.due_at - clock_timestamp()) * 1000), 0)::bigint"
    " FROM unnest($2::uuid[], $3::text[], $5::text[]) WITH ORDINALITY"
    " AS i (tenant_id, provider_id, channel, n)"
    " JOIN inbox_events e ON e.tenant_id = i.tenant_id AND e.channel = i.channel"
    " AND e.provider_id = i.provider_id"
    " LEFT JOIN channel_sessions s ON s.tenant_id = e.tenant_id AND s.id = e.session_id"
    " ORDER BY i.n";

static const char unknown_sql[] =
    "SELECT i.provider_id FROM unnest($3::text[]) AS i (provider_id) WHERE NOT EXISTS ("
    "SELECT FROM inbox_events e WHERE e.tenant_id = $1::uuid AND e.channel = $2::text"
    " AND e.provider_id = i.provider_id)";

enum { REPORT_STATEMENT = 5 };

/* The columns of a batch as array literals. */
struct columns {
    const char *tenant, *provider_id, *sender, *address, *body, *media, *word, *traceparent;
    const char *session, *contact, *message, *address_hash, *conversation, *content_hash, *time;
    const char *lock, *place, *channel;
};

/* Text columns are read by offset, so that one loop serves them all. */
static const char *text_column(struct arena *arena, const struct inbox_event *events, size_t count,
                               size_t offset)
{
    struct pg_array array;
    pg_array_init(&array);
    for (size_t i = 0; i < count; i++) {
        const char *text;
        memcpy(&text, (const char *)&events[i] + offset, sizeof text);
        pg_array_add(&array, text);
    }
    const char *literal = pg_array_take(&array, arena);
    pg_array_fini(&array);
    return literal;
}

static const char *uuid_column(struct arena *arena, const struct inbox_event *events, size_t count,
                               size_t offset)
{
    struct pg_array array;
    pg_array_init(&array);
    for (size_t i = 0; i < count; i++) {
        struct uuid id;
        memcpy(&id, (const char *)&events[i] + offset, sizeof id);
        pg_array_add_uuid(&array, &id);
    }
    const char *literal = pg_array_take(&array, arena);
    pg_array_fini(&array);
    return literal;
}

/* Columns whose text is computed per event. */
static const char *made_column(struct arena *arena, const struct inbox_event *events, size_t count,
                               void (*make)(struct strbuf *out, const struct inbox_event *event))
{
    struct pg_array array;
    struct strbuf text;
    strbuf_init(&text, 256);
    pg_array_init(&array);
    for (size_t i = 0; i < count; i++) {
        strbuf_clear(&text);
        make(&text, &events[i]);
        pg_array_add(&array, text.data);
    }
    const char *literal = pg_array_take(&array, arena);
    pg_array_fini(&array);
    strbuf_fini(&text);
    return literal;
}

static void make_word(struct strbuf *out, const struct inbox_event *event)
{
    static const char *const words[] = {
        [INBOX_NO_WORD] = "",  [INBOX_STOP] = "stop", [INBOX_START] = "start",
        [INBOX_HELP] = "help", [INBOX_CODE] = "code", [INBOX_NOTE] = "note"};
    strbuf_add_text(out, words[event->consent]);
}

static void make_place(struct strbuf *out, const struct inbox_event *event)
{
    strbuf_printf(out, "%lld", (long long)event->place);
}

static void make_time(struct strbuf *out, const struct inbox_event *event)
{
    char text[CLOCK_RFC3339_SIZE];
    clock_format_rfc3339(event->event_time_ms, text);
    strbuf_add_text(out, text);
}

static void make_content_hash(struct strbuf *out, const struct inbox_event *event)
{
    strbuf_add_text(out, "\\x");
    text_add_hex(out, event->content_hash, sizeof event->content_hash);
}

/* The advisory lock's key: the first 8 bytes of the keyed address hash. */
static void make_lock(struct strbuf *out, const struct inbox_event *event)
{
    int64_t key;
    memcpy(&key, event->address_hash.bytes, sizeof key);
    strbuf_printf(out, "%lld", (long long)key);
}

#define TEXT_COLUMN(member) text_column(arena, events, count, offsetof(struct inbox_event, member))
#define UUID_COLUMN(member) uuid_column(arena, events, count, offsetof(struct inbox_event, member))

static struct columns make_columns(struct arena *arena, const struct inbox_event *events,
                                   size_t count)
{
    return (struct columns){
        .tenant = TEXT_COLUMN(tenant),
        .channel = TEXT_COLUMN(channel),
        .provider_id = TEXT_COLUMN(provider_id),
        .sender = TEXT_COLUMN(sender),
        .address = TEXT_COLUMN(address),
        .body = TEXT_COLUMN(body),
        .media = TEXT_COLUMN(media_json),
        .traceparent = TEXT_COLUMN(traceparent),
        .session = UUID_COLUMN(session),
        .contact = UUID_COLUMN(contact),
        .message = UUID_COLUMN(message),
        .address_hash = UUID_COLUMN(address_hash),
        .conversation = UUID_COLUMN(conversation),
        .word = made_column(arena, events, count, make_word),
        .time = made_column(arena, events, count, make_time),
        .content_hash = made_column(arena, events, count, make_content_hash),
        .lock = made_column(arena, events, count, make_lock),
        .place = made_column(arena, events, count, make_place),
    };
}

static void add(struct pg_unit *unit, const char *sql, const char *const *params)
{
    struct pg_statement *statement = pg_add(unit, sql);
    for (; *params != NULL; params++)
        pg_param(statement, *params);
}

static void add_codes(struct pg_unit *unit, struct arena *arena, const char *claim,
                      const struct inbox_event *events, size_t count)
{
    struct rota_code *codes = NULL; /* most claims have none */
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        if (events[i].consent != INBOX_CODE)
            continue;
        if (codes == NULL)
            codes = arena_alloc(arena, (count - i) * sizeof *codes);
        codes[used++] = (struct rota_code){.tenant = events[i].tenant,
                                           .provider_id = events[i].provider_id,
                                           .address = events[i].address,
                                           .code = events[i].code,
                                           .session = events[i].session,
                                           .message = uuid_new(),
                                           .delivery = uuid_new(),
                                           .audit = uuid_new(),
                                           .place = events[i].place};
    }
    if (used > 0)
        rota_add_replies(unit, arena, claim, codes, used);
}

void inbox_add_claim(struct pg_unit *unit, struct arena *arena, const char *worker,
                     const struct inbox_event *events, size_t count,
                     const struct inbox_timing *timing)
{
    struct columns c = make_columns(arena, events, count);
    struct uuid id = uuid_new();
    const char *claim = uuid_format(&id, arena_alloc(arena, UUID_TEXT_SIZE));
    const char *late = arena_printf(arena, "%lld", (long long)timing->answer_within_ms);
    const char *quiet = arena_printf(arena, "%lld", (long long)timing->quiet_ms);
    const char *burst = arena_printf(arena, "%lld", (long long)timing->burst_ms);
    const char *replies = arena_printf(arena, "%lld", (long long)timing->loop_replies);
    const char *window = arena_printf(arena, "%lld", (long long)timing->loop_window_ms);
    const char *burst_max = arena_printf(arena, "%lld", (long long)timing->burst_max_ms);
    add(unit, lock_addresses_sql, (const char *[]){c.lock, NULL});
    add(unit, insert_sql,
        (const char *[]){claim, c.tenant, c.provider_id, c.sender, c.address, c.session, c.contact,
                         c.message, c.address_hash, c.content_hash, c.time, c.word, c.traceparent,
                         late, c.place, replies, window, c.channel, NULL});
    add(unit, lock_contacts_sql, (const char *[]){c.tenant, c.address, NULL});
    add(unit, touch_conversations_sql,
        (const char *[]){claim, c.tenant, c.provider_id, quiet, c.address, c.channel, NULL});
    add(unit, arm_sql,
        (const char *[]){claim, c.tenant, c.provider_id, c.sender, c.address, c.body, c.media,
                         c.session, c.conversation, c.word, worker, burst, burst_max, c.place,
                         c.channel, NULL});
    add(unit, report_sql,
        (const char *[]){claim, c.tenant, c.provider_id, worker, c.channel, NULL});
    add_codes(unit, arena, claim, events, count);
}

bool inbox_read_answer(const struct pg_answer *answer, int row, struct rota_answer *out)
{
    return rota_read_answer(answer, REPORT_STATEMENT + 1, row, out);
}

bool inbox_read_claim(const struct pg_answer *answer, int row, struct inbox_claimed *out)
{
    return inbox_read_claim_behind(answer, 0, row, out);
}

bool inbox_read_claim_behind(const struct pg_answer *answer, int first, int row,
                             struct inbox_claimed *out)
{
    const struct pg_result *r = answer->results;
    const int s = first + REPORT_STATEMENT;
    if (row >= pg_rows(r, s))
        return false;
    *out = (struct inbox_claimed){
        .index = (size_t)pg_int(r, s, row, 0) - 1,
        .state = pg_text(r, s, row, 1),
        .fresh = pg_bool(r, s, row, 2),
        .session = pg_uuid(r, s, row, 3),
        .conversation = pg_uuid(r, s, row, 4),
        .claimed = pg_int(r, s, row, 5),
        .mine = pg_bool(r, s, row, 6),
        .due_in_ms = pg_int(r, s, row, 7),
    };
    return true;
}

void inbox_add_unknown(struct pg_unit *unit, const char *tenant, const char *channel,
                       const char *provider_ids)
{
    struct pg_statement *statement = pg_add(unit, unknown_sql);
    pg_param(statement, tenant);
    pg_param(statement, channel);
    pg_param(statement, provider_ids);
}

const char *const inbox_statements[] = {
    lock_addresses_sql, insert_sql, lock_contacts_sql, touch_conversations_sql, arm_sql,
    report_sql,         NULL};
