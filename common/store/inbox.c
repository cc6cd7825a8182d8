/* The claim's SQL. Used by the engine's intake only. The statements of one claim run as one
 * transaction; each has a snapshot of its own, so what a statement locks the next one reads as it
 * is. Lock order: address (advisory), inbox row, contact, conversation, session. */
#include "store/inbox.h"

#include "base/clock.h"
#include "base/text.h"
#include "store/inbox_inside.h"

#include <stdio.h>
#include <string.h>

/* Erasure takes the same lock exclusively: a claim is either before it, and erased with the rest,
 * or after it, and sees its row in `erasures`. */
const char inbox_lock_addresses_sql[] =
    "SELECT pg_advisory_xact_lock_shared(k)::text"
    " FROM (SELECT DISTINCT k FROM unnest($1::bigint[]) AS t (k) ORDER BY k) AS keys";

/* The inbox row decides what is new; an event that ends at once never arms a session. A loop is a
 * text from one of our own numbers, and a session in which the last so many replies were all ours
 * and all recent: another machine answers, and a person is told (flagged). Nothing was written
 * later than now: whoever took it in has a wrong clock. */
static const char insert_sql[] =
    "WITH input AS (SELECT t.tenant_id, t.provider_id, t.sender, t.address, t.session_id,"
    " t.contact_id, t.message_id, t.address_hash, t.content_hash,"
    " least(t.at, clock_timestamp()) AS event_time, t.word, t.traceparent, t.place, t.channel,"
    " t.code"
    " FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[],"
    " $6::uuid[], $7::uuid[], $8::uuid[], $9::uuid[], $10::bytea[], $11::timestamptz[],"
    " $12::text[], $13::text[], $15::bigint[], $18::text[], $19::text[]) AS t (tenant_id, "
    "provider_id, sender,"
    " address, session_id, contact_id, message_id, address_hash, content_hash, at, word,"
    " traceparent, place, channel, code)),"
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
    " WHEN word = 'within' AND " ROTA_CODE_SQL " THEN 'rota'"
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

static const char lock_contacts_sql[] = INBOX_LOCK_CONTACTS_SQL("phone");
static const char touch_conversations_sql[] = INBOX_TOUCH_SQL("phone");
static const char arm_sql[] = INBOX_ARM_SQL("phone", "k.sender", "", "", "");

const char inbox_report_sql[] =
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
        [INBOX_HELP] = "help", [INBOX_CODE] = "code", [INBOX_CODE_WITHIN] = "within",
        [INBOX_NOTE] = "note"};
    strbuf_add_text(out, words[event->consent]);
}

static void make_place(struct strbuf *out, const struct inbox_event *event)
{
    strbuf_printf(out, "%lld", (long long)event->place);
}

static void make_replay(struct strbuf *out, const struct inbox_event *event)
{
    strbuf_add_char(out, event->replay ? 't' : 'f');
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
static int64_t lock_key(const struct inbox_event *event)
{
    int64_t key;
    memcpy(&key, event->address_hash.bytes, sizeof key);
    return key;
}

static void make_lock(struct strbuf *out, const struct inbox_event *event)
{
    strbuf_printf(out, "%lld", (long long)lock_key(event));
}

const char *inbox_lock_key(struct arena *arena, const struct inbox_event *event)
{
    return inbox_number(arena, lock_key(event));
}

#define TEXT_COLUMN(member) text_column(arena, events, count, offsetof(struct inbox_event, member))
#define UUID_COLUMN(member) uuid_column(arena, events, count, offsetof(struct inbox_event, member))

struct inbox_columns inbox_make_columns(struct arena *arena, const struct inbox_event *events,
                                        size_t count)
{
    return (struct inbox_columns){
        .tenant = TEXT_COLUMN(tenant),
        .channel = TEXT_COLUMN(channel),
        .provider_id = TEXT_COLUMN(provider_id),
        .sender = TEXT_COLUMN(sender),
        .address = TEXT_COLUMN(address),
        .body = TEXT_COLUMN(body),
        .media = TEXT_COLUMN(media_json),
        .traceparent = TEXT_COLUMN(traceparent),
        .code = TEXT_COLUMN(code),
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
        .replay = made_column(arena, events, count, make_replay),
    };
}

struct pg_statement *inbox_add(struct pg_unit *unit, const char *sql, const char *const *params)
{
    struct pg_statement *statement = pg_add(unit, sql);
    for (; *params != NULL; params++)
        pg_param(statement, *params);
    return statement;
}

const char *inbox_number(struct arena *arena, int64_t value)
{
    return arena_printf(arena, "%lld", (long long)value);
}

size_t inbox_add_codes(struct pg_unit *unit, struct arena *arena, const char *claim,
                       const struct inbox_event *events, size_t count, struct rota_code **out)
{
    struct rota_code *codes = NULL; /* most claims have none */
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        if (events[i].consent != INBOX_CODE && events[i].consent != INBOX_CODE_WITHIN)
            continue;
        if (codes == NULL)
            codes = arena_alloc(arena, (count - i) * sizeof *codes);
        codes[used++] = (struct rota_code){.tenant = events[i].tenant,
                                           .channel = events[i].channel,
                                           .provider_id = events[i].provider_id,
                                           .address = events[i].address,
                                           .code = events[i].code,
                                           .within = events[i].consent == INBOX_CODE_WITHIN,
                                           .message = uuid_new(),
                                           .delivery = uuid_new(),
                                           .audit = uuid_new(),
                                           .place = events[i].place};
    }
    if (used > 0)
        rota_add_replies(unit, arena, claim, codes, used);
    *out = codes;
    return used;
}

void inbox_add_claim(struct pg_unit *unit, struct arena *arena, const char *worker,
                     const struct inbox_event *events, size_t count,
                     const struct inbox_timing *timing)
{
    struct inbox_columns c = inbox_make_columns(arena, events, count);
    struct uuid id = uuid_new();
    const char *claim = uuid_format(&id, arena_alloc(arena, UUID_TEXT_SIZE));
    const char *late = inbox_number(arena, timing->answer_within_ms);
    const char *quiet = inbox_number(arena, timing->quiet_ms);
    const char *burst = inbox_number(arena, timing->burst_ms);
    const char *replies = inbox_number(arena, timing->loop_replies);
    const char *window = inbox_number(arena, timing->loop_window_ms);
    const char *burst_max = inbox_number(arena, timing->burst_max_ms);
    inbox_add(unit, inbox_lock_addresses_sql, (const char *[]){c.lock, NULL});
    inbox_add(unit, insert_sql,
              (const char *[]){claim,     c.tenant,  c.provider_id, c.sender,       c.address,
                               c.session, c.contact, c.message,     c.address_hash, c.content_hash,
                               c.time,    c.word,    c.traceparent, late,           c.place,
                               replies,   window,    c.channel,     c.code,         NULL});
    inbox_add(unit, lock_contacts_sql, (const char *[]){c.tenant, c.address, NULL});
    inbox_add(unit, touch_conversations_sql,
              (const char *[]){claim, c.tenant, c.provider_id, quiet, c.address, c.channel, NULL});
    inbox_add(unit, arm_sql,
              (const char *[]){claim, c.tenant, c.provider_id, c.sender, c.address, c.body, c.media,
                               c.session, c.conversation, c.word, worker, burst, burst_max, c.place,
                               c.channel, c.replay, NULL});
    inbox_add(unit, inbox_report_sql,
              (const char *[]){claim, c.tenant, c.provider_id, worker, c.channel, NULL});
    struct rota_code *codes;
    inbox_add_codes(unit, arena, claim, events, count, &codes);
}

bool inbox_read_answer(const struct pg_answer *answer, int row, struct rota_answer *out)
{
    return rota_read_answer(answer, REPORT_STATEMENT + 1, row, out);
}

bool inbox_read_claim(const struct pg_answer *answer, int row, struct inbox_claimed *out)
{
    const struct pg_result *r = answer->results;
    const int s = REPORT_STATEMENT;
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
    inbox_lock_addresses_sql, insert_sql, lock_contacts_sql, touch_conversations_sql, arm_sql,
    inbox_report_sql,         NULL};
