/* SQL of erasure. It holds the address lock exclusively: claims hold it shared, so each is either
 * before it, and its rows go, or after it, and sees the row in erasures. */
#include "store/erasure.h"

#include "store/job.h"

#include <stdio.h>
#include <string.h>

#define PERSON                                                                                     \
    "(SELECT contact_id FROM contact_addresses WHERE tenant_id = $1::uuid"                         \
    " AND kind IN ('phone', 'mail') AND address = $2::text)"
#define TALKS                                                                                      \
    "(SELECT id FROM conversations WHERE tenant_id = $1::uuid AND contact_id IN " PERSON ")"
#define WISHES                                                                                     \
    "(SELECT id FROM escalations WHERE tenant_id = $1::uuid AND conversation_id IN " TALKS ")"
/* Deliveries of what others were told of this person, and this person of others. */
#define NOTICED                                                                                    \
    "SELECT delivery_id FROM escalation_notices WHERE tenant_id = $1::uuid AND sms = $2::text"     \
    " UNION SELECT delivery_id FROM escalation_notices WHERE tenant_id = $1::uuid"                 \
    " AND escalation_id IN " WISHES
#define TURNS "(SELECT id FROM turns WHERE tenant_id = $1::uuid AND conversation_id IN " TALKS ")"

/* `params` are the statement's parameters in order: t tenant, a address, h address hash, k lock
 * key, c actor, i fresh id. */
static const struct step {
    const char *sql, *params;
} steps[] = {
    {"SELECT pg_advisory_xact_lock($1::bigint)", "k"},
    /* Not FOR UPDATE: who holds a conversation may still make an appointment of its contact, whose
     * foreign key locks the contact for as long as we wait for that conversation. */
    {"SELECT 1 FROM contacts WHERE tenant_id = $1::uuid AND id IN " PERSON " FOR NO KEY UPDATE",
     "ta"},
    {"SELECT 1 FROM conversations WHERE tenant_id = $1::uuid AND contact_id IN " PERSON
     " ORDER BY id FOR UPDATE",
     "ta"},
    {"SELECT 1 FROM appointments WHERE tenant_id = $1::uuid AND contact_id IN " PERSON
     " ORDER BY id FOR UPDATE",
     "ta"},
    {"SELECT 1 FROM escalations WHERE tenant_id = $1::uuid AND id IN (SELECT * FROM " WISHES
     " AS w UNION SELECT escalation_id FROM escalation_notices WHERE tenant_id = $1::uuid"
     " AND sms = $2::text) ORDER BY id FOR UPDATE",
     "ta"},
    /* A responder may be at one, and has it locked before its attempts. */
    {"SELECT 1 FROM deliveries WHERE tenant_id = $1::uuid AND id IN (SELECT id FROM deliveries"
     " WHERE tenant_id = $1::uuid AND conversation_id IN " TALKS " UNION " NOTICED
     ") ORDER BY id FOR UPDATE",
     "ta"},
    {"INSERT INTO erasures (tenant_id, address_hash, erased_at)"
     " VALUES ($1::uuid, $2::uuid, clock_timestamp())"
     " ON CONFLICT (tenant_id, address_hash) DO UPDATE SET erased_at = EXCLUDED.erased_at",
     "th"},
    {"UPDATE inbox_events SET state = 'ended', reason = 'erased', settled_at = clock_timestamp()"
     " WHERE tenant_id = $1::uuid AND address_hash = $2::uuid AND state IN ('open', 'late')",
     "th"},
    /* Nor does `deskctl dead` list what no turn will ever answer. By itself, so that each of the
     * two finds its rows in an index of few. */
    {"UPDATE inbox_events SET state = 'ended', reason = 'erased', settled_at = clock_timestamp()"
     " WHERE tenant_id = $1::uuid AND address_hash = $2::uuid AND state = 'failed'"
     " AND turn_id IS NULL",
     "th"},
    /* What others were told of this person, and what this person was told of others. */
    {"WITH gone AS (DELETE FROM escalation_notices WHERE tenant_id = $1::uuid AND id IN ("
     "SELECT id FROM escalation_notices WHERE tenant_id = $1::uuid AND sms = $2::text UNION"
     " SELECT id FROM escalation_notices WHERE tenant_id = $1::uuid AND escalation_id IN " WISHES
     ") RETURNING delivery_id),"
     " tried AS (DELETE FROM delivery_attempts WHERE tenant_id = $1::uuid"
     " AND delivery_id IN (SELECT delivery_id FROM gone)),"
     " sent AS (DELETE FROM deliveries WHERE tenant_id = $1::uuid"
     " AND id IN (SELECT delivery_id FROM gone) RETURNING message_id)"
     " DELETE FROM messages WHERE tenant_id = $1::uuid"
     " AND id IN (SELECT message_id FROM sent)",
     "ta"},
    {"DELETE FROM jobs WHERE tenant_id = $1::uuid AND kind IN ('" JOB_ESCALATION
     "', '" JOB_RECORDING "', '" JOB_CALL_BACK "', '" JOB_TRANSFER_BACK "')"
     " AND subject IN (SELECT w.id::text FROM " WISHES " AS w)",
     "ta"},
    {"DELETE FROM delivery_attempts WHERE tenant_id = $1::uuid AND delivery_id IN"
     " (SELECT id FROM deliveries WHERE tenant_id = $1::uuid AND conversation_id IN " TALKS ")",
     "ta"},
    {"DELETE FROM deliveries WHERE tenant_id = $1::uuid AND conversation_id IN " TALKS, "ta"},
    {"DELETE FROM appointment_changes WHERE tenant_id = $1::uuid AND appointment_id IN"
     " (SELECT id FROM appointments WHERE tenant_id = $1::uuid AND contact_id IN " PERSON ")",
     "ta"},
    {"DELETE FROM appointments WHERE tenant_id = $1::uuid AND contact_id IN " PERSON, "ta"},
    {"DELETE FROM receptions WHERE tenant_id = $1::uuid AND conversation_id IN " TALKS, "ta"},
    {"DELETE FROM recordings WHERE tenant_id = $1::uuid AND id IN " WISHES, "ta"},
    {"DELETE FROM escalations WHERE tenant_id = $1::uuid AND conversation_id IN " TALKS, "ta"},
    {"DELETE FROM tool_calls WHERE tenant_id = $1::uuid AND turn_id IN " TURNS, "ta"},
    {"DELETE FROM turn_rounds WHERE tenant_id = $1::uuid AND turn_id IN " TURNS, "ta"},
    {"DELETE FROM summary_claims WHERE tenant_id = $1::uuid AND conversation_id IN " TALKS, "ta"},
    {"DELETE FROM summaries WHERE tenant_id = $1::uuid AND conversation_id IN " TALKS, "ta"},
    {"DELETE FROM llm_calls WHERE tenant_id = $1::uuid AND turn_id IN " TURNS, "ta"},
    {"DELETE FROM turns WHERE tenant_id = $1::uuid AND conversation_id IN " TALKS, "ta"},
    {"DELETE FROM attachments WHERE tenant_id = $1::uuid AND channel IN ('mail', 'voice') AND "
     "event_id IN"
     " (SELECT m.provider_id FROM messages m WHERE m.tenant_id = $1::uuid"
     " AND m.provider_id IS NOT NULL AND m.conversation_id IN " TALKS ")",
     "ta"},
    {"DELETE FROM messages WHERE tenant_id = $1::uuid AND conversation_id IN " TALKS, "ta"},
    {"DELETE FROM channel_sessions WHERE tenant_id = $1::uuid AND conversation_id IN " TALKS, "ta"},
    {"DELETE FROM conversations WHERE tenant_id = $1::uuid AND contact_id IN " PERSON, "ta"},
    /* With those who became part of the person, and the rows that say so. An array, since nobody
     * knows beforehand that they are few. */
    {"WITH RECURSIVE whole (id) AS (SELECT p.contact_id FROM " PERSON " AS p UNION"
     " SELECT m.gone_id FROM whole w JOIN contact_merges m ON m.tenant_id = $1::uuid"
     " AND m.kept_id = w.id AND m.split_at IS NULL),"
     " gone AS (DELETE FROM contact_addresses WHERE tenant_id = $1::uuid"
     " AND contact_id IN " PERSON ")"
     " DELETE FROM contacts WHERE tenant_id = $1::uuid"
     " AND id = ANY (ARRAY(SELECT w.id FROM whole w))",
     "ta"},
    {"DELETE FROM consents WHERE tenant_id = $1::uuid AND address = $2::text"
     " AND state = 'opted_in'",
     "ta"},
    {"INSERT INTO audit_log (tenant_id, actor, id, action, subject)"
     " VALUES ($1::uuid, $2::text, $3::uuid, 'contact.erased', $4::text)",
     "tcih"},
};
enum { MESSAGES_STEP = 25 };

struct texts {
    char tenant[UUID_TEXT_SIZE], hash[UUID_TEXT_SIZE], id[UUID_TEXT_SIZE], lock[24];
    const char *address, *actor;
};

static void make_texts(const struct erasure *erasure, struct texts *texts)
{
    struct uuid id = uuid_new();
    int64_t key; /* the same bytes as the claim's lock */
    memcpy(&key, erasure->address_hash.bytes, sizeof key);
    snprintf(texts->lock, sizeof texts->lock, "%lld", (long long)key);
    uuid_format(&erasure->tenant, texts->tenant);
    uuid_format(&erasure->address_hash, texts->hash);
    uuid_format(&id, texts->id);
    texts->address = erasure->address;
    texts->actor = erasure->actor;
}

static const char *param(const struct texts *texts, char letter)
{
    switch (letter) {
    case 't':
        return texts->tenant;
    case 'a':
        return texts->address;
    case 'h':
        return texts->hash;
    case 'k':
        return texts->lock;
    case 'c':
        return texts->actor;
    default:
        return texts->id;
    }
}

static int run_step(struct pg_session *session, const struct step *step, const struct texts *texts,
                    int64_t *affected, struct err *err)
{
    struct pg_statement statement = {.sql = step->sql};
    struct pg_result *result = NULL;
    for (const char *letter = step->params; *letter != '\0'; letter++)
        statement.params[statement.param_count++] = param(texts, *letter);
    if (pg_session_query(session, &statement, &result, err) != 0)
        return -1;
    *affected = pg_affected(result, 0);
    pg_result_free(&result);
    return 0;
}

int erasure_list(struct pg_session *session, struct arena *arena, const struct uuid *tenant,
                 const char *address, struct erasure_address **list, size_t *count, struct err *err)
{
    char text[UUID_TEXT_SIZE];
    const struct pg_statement statement = {
        .sql = "SELECT kind, address FROM contact_addresses WHERE tenant_id = $1::uuid"
               " AND contact_id IN " PERSON " ORDER BY address <> $2::text, kind, address",
        .params = {uuid_format(tenant, text), address},
        .param_count = 2};
    struct pg_result *result = NULL;
    if (pg_session_query(session, &statement, &result, err) != 0)
        return -1;
    *count = (size_t)pg_rows(result, 0);
    *list = arena_alloc(arena, (*count + 1) * sizeof **list);
    for (size_t i = 0; i < *count; i++)
        (*list)[i] = (struct erasure_address){arena_strdup(arena, pg_text(result, 0, (int)i, 0)),
                                              arena_strdup(arena, pg_text(result, 0, (int)i, 1))};
    pg_result_free(&result);
    return 0;
}

int erasure_run(struct pg_session *session, const struct erasure *erasure, int64_t *messages,
                struct err *err)
{
    struct texts texts;
    int64_t erased = 0, affected;
    make_texts(erasure, &texts);
    for (int i = 0; i < (int)(sizeof steps / sizeof steps[0]); i++) {
        if (run_step(session, &steps[i], &texts, &affected, err) != 0)
            return -1;
        if (i == MESSAGES_STEP)
            erased = affected;
    }
    *messages = erased;
    return 0;
}
