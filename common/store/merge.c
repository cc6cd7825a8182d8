/* SQL of a merge: see merge.h. It holds the addresses' locks exclusively, as erasure does, and then
 * contacts, conversations, sessions and deliveries in the order of all locks; what is decided and
 * written comes behind, in later statements. deskctl calls it. */
#include "store/merge.h"

#include <string.h>

#include "store/delivery_state.h"
#include "store/merge_inside.h"

/* ---- running ---- */

const char *merge_text(struct arena *arena, const struct uuid *id)
{
    return uuid_format(id, arena_alloc(arena, UUID_TEXT_SIZE));
}

static const char *word_of(const struct merge_words *words, char letter)
{
    const struct {
        char letter;
        const char *text;
    } all[] = {{'t', words->tenant},   {'k', words->kept},  {'g', words->gone},
               {'f', words->from},     {'o', words->to},    {'s', words->sessions},
               {'m', words->merge},    {'e', words->epoch}, {'c', words->actor},
               {'i', words->audit},    {'h', words->held},  {'a', words->kept_talk},
               {'b', words->gone_talk}};
    for (size_t i = 0; i < MERGE_COUNT(all); i++)
        if (all[i].letter == letter)
            return all[i].text;
    return NULL;
}

int merge_step(struct pg_session *session, const char *sql, const char *params,
               const struct merge_words *words, struct pg_result **result, struct err *err)
{
    struct pg_statement statement = {.sql = sql};
    struct pg_result *own = NULL;
    for (const char *letter = params; *letter != '\0'; letter++)
        statement.params[statement.param_count++] = word_of(words, *letter);
    if (pg_session_query(session, &statement, &own, err) != 0)
        return -1;
    if (result != NULL)
        *result = own;
    else
        pg_result_free(&own);
    return 0;
}

int merge_steps(struct pg_session *session, const struct merge_step *steps, size_t count,
                const struct merge_words *words, struct err *err)
{
    for (size_t i = 0; i < count; i++)
        if (merge_step(session, steps[i].sql, steps[i].params, words, NULL, err) != 0)
            return -1;
    return 0;
}

/* ---- what moves with sessions ---- */

static const char move_messages_sql[] =
    "UPDATE messages SET conversation_id = $3::uuid WHERE tenant_id = $1::uuid"
    " AND conversation_id = $2::uuid AND ($4::uuid[] IS NULL OR session_id = ANY ($4::uuid[]))";

/* Notes first: who makes a task of them holds their row, and that task is there by the time that
 * escalations are looked for. Summaries are made anew: neither tells of the whole thread. */
static const struct merge_step moves[] = {
    {"UPDATE receptions SET conversation_id = $3::uuid WHERE tenant_id = $1::uuid"
     " AND conversation_id = $2::uuid AND ($4::uuid[] IS NULL OR session_id = ANY ($4::uuid[]))",
     "tfos"},
    {"UPDATE channel_sessions SET conversation_id = $3::uuid WHERE tenant_id = $1::uuid"
     " AND conversation_id = $2::uuid AND ($4::uuid[] IS NULL OR id = ANY ($4::uuid[]))",
     "tfos"},
    {"UPDATE deliveries SET conversation_id = $3::uuid WHERE tenant_id = $1::uuid"
     " AND conversation_id = $2::uuid AND ($4::uuid[] IS NULL OR session_id = ANY ($4::uuid[]))",
     "tfos"},
    {"UPDATE turns SET conversation_id = $3::uuid WHERE tenant_id = $1::uuid"
     " AND conversation_id = $2::uuid AND ($4::uuid[] IS NULL OR session_id = ANY ($4::uuid[]))",
     "tfos"},
    {"UPDATE appointments SET conversation_id = $3::uuid WHERE tenant_id = $1::uuid"
     " AND conversation_id = $2::uuid AND ($4::uuid[] IS NULL OR contact_id = $5::uuid)",
     "tfosg"},
    {"UPDATE escalations e SET conversation_id = $3::uuid WHERE e.tenant_id = $1::uuid"
     " AND e.conversation_id = $2::uuid AND ($4::uuid[] IS NULL"
     " OR EXISTS (SELECT FROM turns u WHERE u.tenant_id = e.tenant_id AND u.id = e.turn_id"
     " AND u.session_id = ANY ($4::uuid[])) OR (e.turn_id IS NULL AND EXISTS (SELECT"
     " FROM contact_merges m WHERE m.tenant_id = e.tenant_id AND m.id = $5::uuid"
     " AND e.id = ANY (m.escalations))))",
     "tfosm"},
    {"DELETE FROM summary_claims WHERE tenant_id = $1::uuid"
     " AND conversation_id IN ($2::uuid, $3::uuid)",
     "tfo"},
    {"DELETE FROM summaries WHERE tenant_id = $1::uuid"
     " AND conversation_id IN ($2::uuid, $3::uuid)",
     "tfo"},
};

int merge_move(struct pg_session *session, const struct merge_words *words, int64_t *messages,
               struct err *err)
{
    struct pg_result *result = NULL;
    if (merge_steps(session, moves, MERGE_COUNT(moves), words, err) != 0 ||
        merge_step(session, move_messages_sql, "tfos", words, &result, err) != 0)
        return -1;
    *messages += pg_affected(result, 0);
    pg_result_free(&result);
    return 0;
}

/* ---- locking ---- */

static const char lock_addresses_sql[] =
    "SELECT pg_advisory_xact_lock(k)::text"
    " FROM (SELECT DISTINCT k FROM unnest($1::bigint[]) AS t (k) ORDER BY k) AS keys";

int merge_lock(struct pg_session *session, struct arena *arena, const int64_t *keys, size_t count,
               struct err *err)
{
    struct pg_array array;
    struct pg_result *result = NULL;
    pg_array_init(&array);
    for (size_t i = 0; i < count; i++)
        pg_array_add_int(&array, keys[i]);
    const struct pg_statement statement = {
        .sql = lock_addresses_sql, .params = {pg_array_take(&array, arena)}, .param_count = 1};
    pg_array_fini(&array);
    int rc = pg_session_query(session, &statement, &result, err);
    pg_result_free(&result);
    return rc;
}

/* All of both: in each of gone's a turn may know the contact, and where one is held, what is still
 * to come in any of them is the holder's (gather.h). */
#define WHICH_SQL "c.tenant_id = $1::uuid AND c.contact_id = ANY (ARRAY[$2::uuid, $3::uuid])"
#define TALKS_SQL "(SELECT c.id FROM conversations c WHERE " WHICH_SQL ")"

static const struct merge_step locks[] = {
    {MERGE_LOCK_CONTACTS_SQL, "tkg"},
    {"SELECT 1 FROM conversations c WHERE " WHICH_SQL " ORDER BY c.id FOR NO KEY UPDATE", "tkg"},
    {"SELECT 1 FROM channel_sessions s WHERE s.tenant_id = $1::uuid"
     " AND s.conversation_id IN " TALKS_SQL " ORDER BY s.id FOR NO KEY UPDATE",
     "tkg"},
    {"SELECT 1 FROM deliveries d WHERE d.tenant_id = $1::uuid AND d.conversation_id IN " TALKS_SQL
     " AND d.state = ANY ('" DELIVERY_UNSETTLED "') ORDER BY d.id FOR NO KEY UPDATE",
     "tkg"},
};

/* ---- deciding ---- */

static const char open_sql[] =
    "SELECT a.id, b.id, a.held_by, b.held_by,"
    " (SELECT coalesce(max(o.epoch), 0) + 1 FROM conversations o WHERE o.tenant_id = $1::uuid"
    " AND o.contact_id = ANY (ARRAY[$2::uuid, $3::uuid]))"
    " FROM (VALUES (1)) AS one LEFT JOIN conversations a ON a.tenant_id = $1::uuid"
    " AND a.contact_id = $2::uuid AND a.closed_at IS NULL"
    " LEFT JOIN conversations b ON b.tenant_id = $1::uuid AND b.contact_id = $3::uuid"
    " AND b.closed_at IS NULL";

/* Kept's open one is touched only if gone has one, too, or it is held: else nothing changes in it.
 */
#define TOUCHED_SQL                                                                                \
    "c.tenant_id = $1::uuid AND (c.contact_id = $3::uuid OR (c.contact_id = $2::uuid"              \
    " AND c.closed_at IS NULL AND ($4::uuid IS NOT NULL OR $6::boolean)))"
#define RAISED_SQL "CASE WHEN c.closed_at IS NULL THEN $5::bigint ELSE c.epoch + 1 END"

static const char note_sql[] =
    "INSERT INTO contact_merges (tenant_id, id, kept_id, gone_id, kept_conversation,"
    " gone_conversation, addresses, conversations, appointments, escalations, merged_by)"
    " SELECT $1::uuid, $4::uuid, $2::uuid, $3::uuid,"
    " CASE WHEN $6::uuid IS NOT NULL THEN $5::uuid END,"
    " CASE WHEN $5::uuid IS NOT NULL THEN $6::uuid END,"
    " coalesce((SELECT jsonb_agg(jsonb_build_object('kind', a.kind, 'address', a.address))"
    " FROM contact_addresses a WHERE a.tenant_id = $1::uuid AND a.contact_id = $3::uuid), '[]'),"
    " ARRAY(SELECT c.id FROM conversations c WHERE c.tenant_id = $1::uuid"
    " AND c.contact_id = $3::uuid),"
    " ARRAY(SELECT p.id FROM appointments p WHERE p.tenant_id = $1::uuid"
    " AND p.contact_id = $3::uuid),"
    " ARRAY(SELECT e.id FROM escalations e JOIN conversations c ON c.tenant_id = e.tenant_id"
    " AND c.id = e.conversation_id WHERE e.tenant_id = $1::uuid AND c.contact_id = $3::uuid),"
    " $7::text";

/* What is under an older epoch already was refused for good, and stays so. In front of the raise:
 * it compares with the epoch as it was. Where a person holds the thread nothing of the assistant's
 * may leave. */
static const struct merge_step raises[] = {
    {"UPDATE deliveries d SET epoch = " RAISED_SQL " FROM conversations c WHERE " TOUCHED_SQL
     " AND d.tenant_id = c.tenant_id AND d.conversation_id = c.id AND d.epoch = c.epoch"
     " AND d.state = ANY ('" DELIVERY_UNSETTLED "')"
     " AND NOT $6::boolean",
     "tkgbeh"},
    {"UPDATE conversations c SET epoch = " RAISED_SQL " WHERE " TOUCHED_SQL, "tkgbeh"},
};

/* `dmarc`, which keeps nothing from being recovered, hides no other flag. */
static const struct merge_step join[] = {
    {"UPDATE conversations a SET held_by = coalesce(a.held_by, b.held_by),"
     " held_at = coalesce(a.held_at, b.held_at),"
     " flagged = coalesce(nullif(a.flagged, 'dmarc'), b.flagged, a.flagged),"
     " last_activity_at = greatest(a.last_activity_at, b.last_activity_at)"
     " FROM conversations b WHERE a.tenant_id = $1::uuid AND a.id = $3::uuid"
     " AND b.tenant_id = $1::uuid AND b.id = $2::uuid",
     "tfo"},
    {"UPDATE conversations SET closed_at = clock_timestamp(), held_by = NULL, held_at = NULL"
     " WHERE tenant_id = $1::uuid AND id = $2::uuid",
     "tf"},
    {"INSERT INTO audit_log (tenant_id, id, actor, action, subject)"
     " VALUES ($1::uuid, gen_random_uuid(), $3::text, 'conversation.merged', $2::text)",
     "toc"},
};

/* One live hold per contact and service: kept's stays. */
static const struct merge_step contact[] = {
    {"UPDATE appointments p SET state = 'expired', changed_at = clock_timestamp()"
     " WHERE p.tenant_id = $1::uuid AND p.contact_id = $3::uuid AND p.state = 'held'"
     " AND EXISTS (SELECT FROM appointments o WHERE o.tenant_id = p.tenant_id"
     " AND o.contact_id = $2::uuid AND o.service = p.service AND o.state = 'held')",
     "tkg"},
    {"UPDATE appointments SET contact_id = $2::uuid WHERE tenant_id = $1::uuid"
     " AND contact_id = $3::uuid",
     "tkg"},
    {"UPDATE conversations SET contact_id = $2::uuid WHERE tenant_id = $1::uuid"
     " AND contact_id = $3::uuid",
     "tkg"},
    {"UPDATE contact_addresses SET contact_id = $2::uuid WHERE tenant_id = $1::uuid"
     " AND contact_id = $3::uuid",
     "tkg"},
    {"UPDATE contacts k SET display_name = g.display_name FROM contacts g"
     " WHERE k.tenant_id = $1::uuid AND k.id = $2::uuid AND k.display_name IS NULL"
     " AND g.tenant_id = $1::uuid AND g.id = $3::uuid",
     "tkg"},
    /* Who said stop to a sender at one address has said so at all that it may reach him at. Only a
     * later start counts again. */
    {"WITH strict AS (SELECT DISTINCT n.sender, a.kind FROM contact_addresses a"
     " JOIN consents n ON n.tenant_id = a.tenant_id AND n.address = a.address"
     " WHERE a.tenant_id = $1::uuid AND a.contact_id = $2::uuid AND n.state = 'opted_out'),"
     " less AS MATERIALIZED (SELECT s.sender, a.address, o.state, o.source, o.changed_at"
     " FROM strict s"
     " JOIN contact_addresses a ON a.tenant_id = $1::uuid AND a.contact_id = $2::uuid"
     " AND a.kind = s.kind LEFT JOIN consents o ON o.tenant_id = a.tenant_id"
     " AND o.sender = s.sender AND o.address = a.address"
     " WHERE o.state IS DISTINCT FROM 'opted_out'),"
     " noted AS (UPDATE contact_merges m SET consents = (SELECT jsonb_agg(to_jsonb(l)) FROM less l)"
     " WHERE m.tenant_id = $1::uuid AND m.id = $3::uuid AND EXISTS (SELECT FROM less))"
     " INSERT INTO consents AS c (tenant_id, sender, address, state, source, changed_at)"
     " SELECT $1::uuid, l.sender, l.address, 'opted_out', 'merge', clock_timestamp() FROM less l"
     " ORDER BY 2, 3 ON CONFLICT (tenant_id, sender, address) DO UPDATE SET"
     " state = EXCLUDED.state, source = EXCLUDED.source, changed_at = EXCLUDED.changed_at",
     "tkm"},
    {"INSERT INTO audit_log (tenant_id, id, actor, action, subject, detail)"
     " VALUES ($1::uuid, $5::uuid, $4::text, 'contact.merged', $2::text,"
     " jsonb_build_object('gone', $3::text))",
     "tkgci"},
};

struct talks {
    bool has_kept, has_gone;
    struct uuid kept, gone;
    const char *holder; /* NULL: nobody */
};

static int read_talks(struct pg_session *session, struct arena *arena, struct merge_words *words,
                      struct talks *talks, struct err *err)
{
    struct pg_result *r = NULL;
    if (merge_step(session, open_sql, "tkg", words, &r, err) != 0)
        return -1;
    *talks = (struct talks){.has_kept = !pg_is_null(r, 0, 0, 0),
                            .has_gone = !pg_is_null(r, 0, 0, 1),
                            .kept = pg_uuid(r, 0, 0, 0),
                            .gone = pg_uuid(r, 0, 0, 1)};
    const bool both = !pg_is_null(r, 0, 0, 2) && !pg_is_null(r, 0, 0, 3) &&
                      strcmp(pg_text(r, 0, 0, 2), pg_text(r, 0, 0, 3)) != 0;
    for (int column = 2; column <= 3; column++)
        if (talks->holder == NULL && !pg_is_null(r, 0, 0, column))
            talks->holder = arena_strdup(arena, pg_text(r, 0, 0, column));
    words->kept_talk = talks->has_kept ? merge_text(arena, &talks->kept) : NULL;
    words->gone_talk = talks->has_gone ? merge_text(arena, &talks->gone) : NULL;
    words->epoch = arena_strdup(arena, pg_text(r, 0, 0, 4));
    words->held = talks->holder != NULL ? "t" : "f";
    pg_result_free(&r);
    return both ? err_set(err, ERR_PERMANENT, "contact.held_by_two",
                          "two people hold a conversation of them: one hands back first")
                : 0;
}

static int join_talks(struct pg_session *session, struct merge_words *words,
                      const struct talks *talks, struct merge *merge, struct err *err)
{
    words->from = words->gone_talk;
    words->to = words->kept_talk;
    merge->joined = talks->has_kept && talks->has_gone;
    merge->conversation = talks->has_kept ? talks->kept : talks->gone;
    merge->is_held = talks->holder != NULL;
    if (!merge->joined)
        return 0;
    if (merge_steps(session, join, MERGE_COUNT(join), words, err) != 0)
        return -1;
    return merge_move(session, words, &merge->messages, err);
}

/* The holder of one is the holder of all. */
static int silence(struct pg_session *session, const struct talks *talks, struct merge *merge,
                   struct err *err)
{
    const struct conversation_ref ref = {merge->tenant, merge->conversation, talks->holder};
    return talks->holder != NULL ? conversation_silence(session, &ref, &merge->silent, err) : 0;
}

int merge_run(struct pg_session *session, struct arena *arena, struct merge *merge, struct err *err)
{
    const struct uuid id = uuid_new(), audit = uuid_new();
    struct talks talks;
    struct merge_words words = {.tenant = merge_text(arena, &merge->tenant),
                                .kept = merge_text(arena, &merge->kept),
                                .gone = merge_text(arena, &merge->gone),
                                .merge = merge_text(arena, &id),
                                .audit = merge_text(arena, &audit),
                                .actor = merge->actor};
    if (merge_steps(session, locks, MERGE_COUNT(locks), &words, err) != 0 ||
        read_talks(session, arena, &words, &talks, err) != 0 ||
        merge_step(session, note_sql, "tkgmabc", &words, NULL, err) != 0 ||
        merge_steps(session, raises, MERGE_COUNT(raises), &words, err) != 0 ||
        join_talks(session, &words, &talks, merge, err) != 0 ||
        merge_steps(session, contact, MERGE_COUNT(contact), &words, err) != 0)
        return -1;
    return silence(session, &talks, merge, err);
}
