/* SQL of the undoing of a merge: see merge.h. Everything follows the addresses that go: their
 * sessions, what was said in them, and what came of that. deskctl calls it. */
#include <string.h>

#include "store/delivery_state.h"
#include "store/merge_inside.h"

static const char find_sql[] =
    "SELECT m.tenant_id, m.id, m.kept_id, m.gone_id FROM contact_merges m"
    " JOIN tenants t ON t.id = m.tenant_id WHERE m.split_at IS NULL"
    " AND ($1::text IS NULL OR t.name = $1::text) AND (m.gone_id = $2::uuid OR ($2::uuid IS NULL"
    " AND m.addresses @> jsonb_build_array(jsonb_build_object('address', $3::text))))"
    " ORDER BY m.merged_at DESC LIMIT 1";

int merge_split_find(struct pg_session *session, const char *tenant_name, const char *word,
                     struct merge_split *split, bool *found, struct err *err)
{
    struct uuid id;
    struct pg_result *result = NULL;
    const struct pg_statement statement = {
        .sql = find_sql,
        .params = {tenant_name, uuid_parse(word, &id) ? word : NULL, word},
        .param_count = 3};
    if (pg_session_query(session, &statement, &result, err) != 0)
        return -1;
    *found = pg_rows(result, 0) > 0;
    if (*found) {
        split->tenant = pg_uuid(result, 0, 0, 0);
        split->id = pg_uuid(result, 0, 0, 1);
        split->kept = pg_uuid(result, 0, 0, 2);
        split->gone = pg_uuid(result, 0, 0, 3);
    }
    pg_result_free(&result);
    return 0;
}

#define TALKS_SQL                                                                                  \
    "(SELECT c.id FROM conversations c WHERE c.tenant_id = $1::uuid AND c.contact_id = $2::uuid)"

static const struct merge_step locks[] = {
    {MERGE_LOCK_CONTACTS_SQL, "tkg"},
    {"SELECT 1 FROM conversations c WHERE c.tenant_id = $1::uuid AND c.contact_id = $2::uuid"
     " ORDER BY c.id FOR NO KEY UPDATE",
     "tk"},
    {"SELECT 1 FROM channel_sessions s WHERE s.tenant_id = $1::uuid"
     " AND s.conversation_id IN " TALKS_SQL " ORDER BY s.id FOR NO KEY UPDATE",
     "tk"},
    {"SELECT 1 FROM deliveries d WHERE d.tenant_id = $1::uuid AND d.conversation_id IN " TALKS_SQL
     " AND d.state = ANY ('" DELIVERY_UNSETTLED "') ORDER BY d.id FOR NO KEY UPDATE",
     "tk"},
};

/* Behind the lock of both contacts, which each merge and split takes. */
static const char stands_sql[] =
    "SELECT EXISTS (SELECT FROM contact_merges m WHERE m.tenant_id = $1::uuid AND m.id = $3::uuid"
    " AND m.split_at IS NULL), EXISTS (SELECT FROM contact_merges n WHERE n.tenant_id = $1::uuid"
    " AND n.gone_id = $2::uuid AND n.split_at IS NULL)";

static const char addresses_sql[] =
    "UPDATE contact_addresses x SET contact_id = $3::uuid FROM contact_merges m"
    " CROSS JOIN LATERAL jsonb_to_recordset(m.addresses) AS j (kind text, address text)"
    " WHERE m.tenant_id = $1::uuid AND m.id = $4::uuid AND x.tenant_id = m.tenant_id"
    " AND x.kind = j.kind AND x.address = j.address AND x.contact_id = $2::uuid";

/* Of the addresses that go. */
static const char sessions_sql[] =
    "SELECT coalesce(array_agg(s.id ORDER BY s.id), '{}')::text FROM channel_sessions s"
    " WHERE s.tenant_id = $1::uuid AND EXISTS (SELECT FROM contact_addresses a"
    " WHERE a.tenant_id = s.tenant_id AND a.contact_id = $2::uuid AND a.address = s.remote_address"
    " AND a.kind = CASE s.kind WHEN 'mail' THEN 'mail' ELSE 'phone' END)";

static const char appointments_sql[] =
    "UPDATE appointments p SET contact_id = $3::uuid FROM contact_merges m"
    " WHERE m.tenant_id = $1::uuid AND m.id = $4::uuid AND p.tenant_id = m.tenant_id"
    " AND p.contact_id = $2::uuid AND (p.id = ANY (m.appointments) OR EXISTS (SELECT"
    " FROM tool_calls k JOIN turns u ON u.tenant_id = k.tenant_id AND u.id = k.turn_id"
    " WHERE k.tenant_id = p.tenant_id AND k.id = p.call_id AND u.session_id = ANY ($5::uuid[])))";

#define SAID_SQL(which)                                                                            \
    "(EXISTS (SELECT FROM messages o WHERE o.tenant_id = c.tenant_id AND o.conversation_id = c.id" \
    " AND o.session_id " which " ($4::uuid[])) OR EXISTS (SELECT FROM channel_sessions o"          \
    " WHERE o.tenant_id = c.tenant_id AND o.conversation_id = c.id AND o.id " which                \
    " ($4::uuid[])))"

/* Conversations with sessions of gone's: his alone, or of both; the one that he had then, and which
 * has been empty since, takes what is his of the thread again. */
static const char plan_sql[] = "SELECT c.id, " SAID_SQL(
    "<> ALL") " AS is_both,"
              " CASE WHEN c.id = m.kept_conversation THEN m.gone_conversation END,"
              " greatest(c.epoch, g.epoch) + 1 FROM contact_merges m JOIN conversations c"
              " ON c.tenant_id = m.tenant_id AND c.contact_id = $2::uuid"
              " AND c.id IS DISTINCT FROM m.gone_conversation"
              " LEFT JOIN conversations g ON g.tenant_id = m.tenant_id AND g.id = "
              "m.gone_conversation"
              " AND c.id = m.kept_conversation"
              " WHERE m.tenant_id = $1::uuid AND m.id = $3::uuid AND (" SAID_SQL(
                  "= ANY") " OR (c.id = ANY (m.conversations) AND NOT " SAID_SQL("<> ALL") ")) "
                                                                                           "ORDER "
                                                                                           "BY "
                                                                                           "c.id";

static const char back_sql[] =
    "UPDATE conversations c SET contact_id = $3::uuid FROM contact_merges m"
    " WHERE m.tenant_id = $1::uuid AND m.id = $2::uuid AND c.tenant_id = m.tenant_id"
    " AND c.id = m.gone_conversation";

/* What is under an older epoch was refused already. Whoever is at a turn of either does it anew,
 * without what the other one said. */
static const struct merge_step raise[] = {
    {"UPDATE deliveries d SET epoch = $3::bigint FROM conversations c WHERE c.tenant_id = $1::uuid"
     " AND c.id = $2::uuid AND d.tenant_id = c.tenant_id AND d.conversation_id = c.id"
     " AND d.epoch = c.epoch AND d.state = ANY ('" DELIVERY_UNSETTLED "')",
     "tfe"},
    {"UPDATE conversations SET epoch = $3::bigint WHERE tenant_id = $1::uuid AND id = $2::uuid",
     "tfe"},
};

static const char whole_sql[] =
    "UPDATE conversations SET contact_id = $3::uuid WHERE tenant_id = $1::uuid AND id = $2::uuid";

/* Who holds the thread holds both halves. */
static const char twin_sql[] =
    "INSERT INTO conversations AS t (tenant_id, id, contact_id, epoch, held_by, held_at, flagged,"
    " opened_at, last_activity_at, closed_at) SELECT x.tenant_id, $3::uuid, $4::uuid, x.epoch,"
    " x.held_by, x.held_at, x.flagged, x.opened_at, x.last_activity_at, x.closed_at"
    " FROM conversations x WHERE x.tenant_id = $1::uuid AND x.id = $2::uuid"
    " ON CONFLICT (tenant_id, id) DO UPDATE SET contact_id = EXCLUDED.contact_id,"
    " epoch = EXCLUDED.epoch, held_by = EXCLUDED.held_by, held_at = EXCLUDED.held_at,"
    " last_activity_at = EXCLUDED.last_activity_at, closed_at = EXCLUDED.closed_at";

static const struct merge_step end[] = {
    {"WITH was AS MATERIALIZED (SELECT m.tenant_id, o.* FROM contact_merges m"
     " CROSS JOIN LATERAL jsonb_to_recordset(m.consents)"
     " AS o (sender text, address text, state text, source text, changed_at timestamptz)"
     " WHERE m.tenant_id = $1::uuid AND m.id = $2::uuid),"
     " made AS (DELETE FROM consents c USING was w WHERE w.state IS NULL"
     " AND c.tenant_id = w.tenant_id AND c.sender = w.sender AND c.address = w.address"
     " AND c.source = 'merge')"
     " UPDATE consents c SET state = w.state, source = w.source, changed_at = w.changed_at"
     " FROM was w WHERE w.state IS NOT NULL AND c.tenant_id = w.tenant_id"
     " AND c.sender = w.sender AND c.address = w.address AND c.source = 'merge'",
     "tm"},
    {"UPDATE contact_merges SET split_by = $3::text, split_at = clock_timestamp()"
     " WHERE tenant_id = $1::uuid AND id = $2::uuid",
     "tmc"},
    {"INSERT INTO audit_log (tenant_id, id, actor, action, subject, detail)"
     " VALUES ($1::uuid, $5::uuid, $4::text, 'contact.split', $2::text,"
     " jsonb_build_object('gone', $3::text))",
     "tkgci"},
};

static int check_stands(struct pg_session *session, const struct merge_words *words,
                        struct err *err)
{
    struct pg_result *result = NULL;
    if (merge_step(session, stands_sql, "tkm", words, &result, err) != 0)
        return -1;
    const bool stands = pg_bool(result, 0, 0, 0), goes_on = pg_bool(result, 0, 0, 1);
    pg_result_free(&result);
    if (!stands)
        return err_set(err, ERR_RETRY_NOW, "contact.split", "somebody has just split them");
    return goes_on ? err_set(err, ERR_PERMANENT, "contact.joined_on",
                             "they have become part of somebody else since: split that first")
                   : 0;
}

static int read_text(struct pg_session *session, struct arena *arena, const char *sql,
                     const char *params, const struct merge_words *words, const char **text,
                     struct err *err)
{
    struct pg_result *result = NULL;
    if (merge_step(session, sql, params, words, &result, err) != 0)
        return -1;
    *text = arena_strdup(arena, pg_text(result, 0, 0, 0));
    pg_result_free(&result);
    return 0;
}

/* One conversation of the plan: $f is it, $e its new epoch. */
static int part(struct pg_session *session, struct merge_words *words, bool is_both,
                struct err *err)
{
    int64_t messages = 0;
    if (merge_steps(session, raise, MERGE_COUNT(raise), words, err) != 0)
        return -1;
    if (!is_both)
        return merge_step(session, whole_sql, "tfg", words, NULL, err);
    if (merge_step(session, twin_sql, "tfog", words, NULL, err) != 0)
        return -1;
    return merge_move(session, words, &messages, err);
}

static int part_all(struct pg_session *session, struct arena *arena, struct merge_words *words,
                    int64_t *count, struct err *err)
{
    struct pg_result *plan = NULL;
    int rc = merge_step(session, plan_sql, "tkms", words, &plan, err);
    for (int row = 0; rc == 0 && row < pg_rows(plan, 0); row++) {
        const struct uuid fresh = uuid_new();
        words->from = arena_strdup(arena, pg_text(plan, 0, row, 0));
        words->to = pg_is_null(plan, 0, row, 2) ? merge_text(arena, &fresh)
                                                : arena_strdup(arena, pg_text(plan, 0, row, 2));
        words->epoch = arena_strdup(arena, pg_text(plan, 0, row, 3));
        rc = part(session, words, pg_bool(plan, 0, row, 1), err);
        *count += 1;
    }
    pg_result_free(&plan);
    return rc;
}

int merge_split_run(struct pg_session *session, struct arena *arena, struct merge_split *split,
                    struct err *err)
{
    const struct uuid audit = uuid_new();
    struct merge_words words = {.tenant = merge_text(arena, &split->tenant),
                                .kept = merge_text(arena, &split->kept),
                                .gone = merge_text(arena, &split->gone),
                                .merge = merge_text(arena, &split->id),
                                .audit = merge_text(arena, &audit),
                                .actor = split->actor};
    split->conversations = 0;
    if (merge_steps(session, locks, MERGE_COUNT(locks), &words, err) != 0 ||
        check_stands(session, &words, err) != 0 ||
        merge_step(session, addresses_sql, "tkgm", &words, NULL, err) != 0 ||
        read_text(session, arena, sessions_sql, "tg", &words, &words.sessions, err) != 0 ||
        merge_step(session, appointments_sql, "tkgms", &words, NULL, err) != 0 ||
        part_all(session, arena, &words, &split->conversations, err) != 0 ||
        merge_step(session, back_sql, "tmg", &words, NULL, err) != 0)
        return -1;
    return merge_steps(session, end, MERGE_COUNT(end), &words, err);
}
