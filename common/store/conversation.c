/* SQL of takeover, reply and hand-back. deskctl calls it. */
#include "store/conversation.h"

#include <stdio.h>
#include <string.h>

#include "contract/segments.h"
#include "store/delivery_mail.h"
#include "store/delivery_state.h"
#include "store/escalation.h"
#include "store/escalation_admin.h"
#include "store/gather.h"
#include "store/merge.h"
#include "store/turn_inside.h"

/* Above the epochs of the person's other conversations, too: what moves from these (gather.h) is
 * refused, and a call's ingress has seen no higher one. */
static const char raise_sql[] =
    "UPDATE conversations c SET epoch = 1 + (SELECT max(o.epoch) FROM conversations o"
    " WHERE o.tenant_id = c.tenant_id AND o.contact_id = c.contact_id),"
    " held_by = $3::text, held_at = clock_timestamp()"
    " WHERE c.tenant_id = $1::uuid AND c.id = $2::uuid"
    " AND (c.held_by IS NULL OR c.held_by = $3::text) RETURNING c.epoch";

/* Behind the raise: who waited for a merge's lock sees now that there is nothing here any more. */
static const char merged_sql[] = "SELECT count(*) FROM contact_merges WHERE tenant_id = $1::uuid"
                                 " AND gone_conversation = $2::uuid AND split_at IS NULL";

static const char epoch_sql[] =
    "SELECT epoch FROM conversations WHERE tenant_id = $1::uuid AND id = $2::uuid";

static const char holder_sql[] =
    "SELECT held_by FROM conversations WHERE tenant_id = $1::uuid AND id = $2::uuid";

/* The conversation's deliveries that fit, locked in the order in which a responder locks those that
 * it writes an outcome of, which it does without their conversations. */
#define IN_ORDER_SQL(which)                                                                        \
    "(SELECT m.tenant_id, m.id FROM deliveries m WHERE m.tenant_id = $1::uuid"                     \
    " AND m.conversation_id = $2::uuid AND m.author = 'ai' AND " which                             \
    " ORDER BY m.id FOR NO KEY UPDATE)"

#define UNSENT_SQL IN_ORDER_SQL("m.state = ANY ('" DELIVERY_UNSENT "')")

/* A later statement than the lock: a claim of a delivery that committed just before is seen. */
static const char suppress_sql[] =
    "UPDATE deliveries d SET state = 'suppressed', reason = 'takeover', worker = NULL,"
    " settled_at = clock_timestamp()"
    " FROM " UNSENT_SQL " AS m WHERE d.tenant_id = m.tenant_id AND d.id = m.id";

static const char in_flight_sql[] =
    "SELECT count(*) FROM deliveries WHERE tenant_id = $1::uuid AND conversation_id = $2::uuid"
    " AND author = 'ai' AND via <> 'stream' AND state = ANY ('" DELIVERY_IN_FLIGHT "')";

/* Locked in their order first: an engine that drains gives many back without their conversations.
 */
static const char rest_sql[] =
    "UPDATE channel_sessions s SET due_at = NULL, burst_at = NULL, worker = NULL"
    " FROM (SELECT m.tenant_id, m.id FROM channel_sessions m WHERE m.tenant_id = $1::uuid"
    " AND m.conversation_id = $2::uuid ORDER BY m.id FOR NO KEY UPDATE) AS m"
    " WHERE s.tenant_id = m.tenant_id AND s.id = m.id";

/* The turn that was running is nobody's: no start of it was lost, and it begins anew when it is due
 * again. */
static const char rest_turns_sql[] =
    "UPDATE turns SET worker = NULL WHERE tenant_id = $1::uuid AND conversation_id = $2::uuid"
    " AND state = 'running'";

static const char audit_sql[] = "INSERT INTO audit_log (tenant_id, id, actor, action, subject)"
                                " VALUES ($1::uuid, $4::uuid, $3::text, $5::text, $2::text)";

static const char mark_dead_sql[] =
    "UPDATE workers SET dead = true WHERE id IN (SELECT w.id FROM workers w JOIN deliveries d"
    " ON d.worker = w.id WHERE d.tenant_id = $1::uuid AND d.conversation_id = $2::uuid"
    " AND d.state = 'sending' AND NOT w.dead AND w.lease_until < clock_timestamp()"
    " ORDER BY w.id FOR UPDATE OF w SKIP LOCKED)";

/* Somebody dead was sending them. What is spoken is nobody's to send. */
#define ABANDONED_SQL                                                                              \
    IN_ORDER_SQL("m.via <> 'stream' AND m.state = 'sending'"                                       \
                 " AND NOT EXISTS (SELECT FROM workers w WHERE w.id = m.worker AND NOT w.dead)")

static const char expire_sql[] =
    "WITH expired AS (UPDATE deliveries d SET state = 'unknown', worker = NULL"
    " FROM " ABANDONED_SQL " AS m WHERE d.tenant_id = m.tenant_id AND d.id = m.id"
    " RETURNING d.tenant_id, d.id, d.attempts)"
    " UPDATE delivery_attempts a SET outcome = 'unknown', finished_at = clock_timestamp()"
    " FROM expired e"
    " WHERE a.tenant_id = e.tenant_id AND a.delivery_id = e.id AND a.number = e.attempts"
    " AND a.outcome IS NULL";

/* What is spoken has no sender to wait for: its frames are refused once the call has heard of the
 * new epoch. */
#define SENDING_SQL                                                                                \
    "SELECT count(*) FROM deliveries d WHERE d.tenant_id = $1::uuid"                               \
    " AND d.conversation_id = $2::uuid AND d.author = 'ai' AND d.via <> 'stream'"                  \
    " AND d.state = 'sending'"

/* A mail whose responder says so had begun before: its server may take minutes for it. */
#define BEGUN_SQL                                                                                  \
    "EXISTS (SELECT FROM delivery_mails w WHERE w.tenant_id = d.tenant_id"                         \
    " AND w.delivery_id = d.id AND w.began_attempt = d.attempts)"

static const char leaving_sql[] = SENDING_SQL " AND NOT " BEGUN_SQL;
static const char begun_sql[] = SENDING_SQL " AND " BEGUN_SQL;

static const char free_sql[] =
    "UPDATE conversations SET epoch = epoch + 1, held_by = NULL, held_at = NULL,"
    " last_activity_at = clock_timestamp()"
    " WHERE tenant_id = $1::uuid AND id = $2::uuid AND held_by IS NOT NULL RETURNING epoch";

/* Replies that a takeover kept from leaving and that no person has answered since: of delivery d,
 * its message m and an event e of its turn. */
#define UNANSWERED_SQL                                                                             \
    " d.tenant_id = $1::uuid AND d.conversation_id = $2::uuid AND d.state = 'suppressed'"          \
    " AND d.reason IN ('takeover', 'epoch') AND e.tenant_id = d.tenant_id"                         \
    " AND e.turn_id = d.turn_id AND e.state IN ('answered', 'failed')"                             \
    " AND NOT EXISTS (SELECT FROM messages o WHERE o.tenant_id = d.tenant_id"                      \
    " AND o.conversation_id = d.conversation_id AND o.author = 'operator'"                         \
    " AND o.position > m.position)"

/* A tool of such a reply's turn changed something, or may have: a new turn would have it done once
 * more. The reply is sent after all, as a message of its own, since a delivery's state never goes
 * back. */
static const char say_again_sql[] =
    "WITH back AS MATERIALIZED (SELECT d.*, gen_random_uuid() AS new_id,"
    " gen_random_uuid() AS new_message, m.subject, m.body,"
    " row_number() OVER (PARTITION BY d.session_id ORDER BY d.seq) AS n"
    " FROM deliveries d JOIN messages m ON m.tenant_id = d.tenant_id AND m.id = d.message_id"
    " WHERE d.id IN (SELECT d.id FROM deliveries d JOIN messages m ON m.tenant_id = d.tenant_id"
    " AND m.id = d.message_id JOIN inbox_events e ON" UNANSWERED_SQL
    ") AND d.tenant_id = $1::uuid AND EXISTS (SELECT FROM tool_calls k"
    " WHERE k.tenant_id = d.tenant_id AND k.turn_id = d.turn_id AND k.started_at IS NOT NULL)),"
    " place AS (UPDATE channel_sessions s SET delivery_seq = s.delivery_seq + b.count"
    " FROM (SELECT session_id, count(*) AS count FROM back GROUP BY session_id) AS b"
    " WHERE s.tenant_id = $1::uuid AND s.id = b.session_id"
    " RETURNING s.id, s.delivery_seq - b.count AS before),"
    " said AS (INSERT INTO messages (tenant_id, id, conversation_id, session_id, direction, author,"
    " subject, body, turn_id, event_time) SELECT tenant_id, new_message, conversation_id,"
    " session_id, 'out', 'ai', subject, body, turn_id, clock_timestamp() FROM back ORDER BY seq),"
    " due AS (INSERT INTO deliveries (tenant_id, id, conversation_id, session_id, seq, message_id,"
    " turn_id, author, via, epoch, state, answer_by, traceparent) SELECT b.tenant_id, b.new_id,"
    " b.conversation_id, b.session_id, p.before + b.n, b.new_message, b.turn_id, 'ai', b.via,"
    " c.epoch, 'pending', b.answer_by, b.traceparent FROM back b JOIN place p ON"
    " p.id = b.session_id JOIN conversations c ON c.tenant_id = b.tenant_id"
    " AND c.id = b.conversation_id),"
    " thread AS (INSERT INTO delivery_mails (tenant_id, delivery_id, subject, in_reply_to,"
    " reference_ids, quoted_id, quoted_on, language) SELECT b.tenant_id, b.new_id, w.subject,"
    " w.in_reply_to, w.reference_ids, w.quoted_id, w.quoted_on, w.language FROM back b"
    " JOIN delivery_mails w ON w.tenant_id = b.tenant_id AND w.delivery_id = b.id)"
    " UPDATE deliveries d SET reason = 'said_again' FROM back b"
    " WHERE d.tenant_id = b.tenant_id AND d.id = b.id";

/* Behind that: the others are made anew. */
static const char reopen_sql[] =
    "UPDATE inbox_events e SET state = 'open', reason = NULL, turn_id = NULL, settled_at = NULL"
    " FROM deliveries d JOIN messages m ON m.tenant_id = d.tenant_id AND m.id = d.message_id"
    " WHERE" UNANSWERED_SQL;

/* What may have left, or comes back from the provider only later, keeps its event: the reply itself
 * is allowed again. Else its next claim, or the one after a look-up that finds nothing, would
 * suppress it when nobody re-opens anything any more. */
static const char restamp_sql[] =
    "UPDATE deliveries d SET epoch = c.epoch FROM conversations c, " IN_ORDER_SQL(
        "m.state = ANY ('" DELIVERY_UNSETTLED "') AND NOT EXISTS (SELECT FROM messages s"
        " JOIN messages o ON o.tenant_id = s.tenant_id"
        " AND o.conversation_id = m.conversation_id AND o.author = 'operator'"
        " AND o.position > s.position"
        " WHERE s.tenant_id = m.tenant_id AND s.id = m.message_id)") " AS m"
                                                                     " WHERE d.tenant_id = "
                                                                     "m.tenant_id AND d.id = m.id"
                                                                     " AND c.tenant_id = "
                                                                     "d.tenant_id AND c.id = "
                                                                     "d.conversation_id";

/* What an operator answered is the operator's: it is not answered again. The turn that was at it is
 * over, too: a later text would take it up, and what it has begun outside would be asked for once
 * more, behind the person's back. */
static const char answered_sql[] =
    "WITH human AS (UPDATE inbox_events e SET state = 'human', settled_at = clock_timestamp()"
    " FROM messages i WHERE i.tenant_id = $1::uuid AND i.conversation_id = $2::uuid"
    " AND e.tenant_id = i.tenant_id AND e.message_id = i.id AND e.state = 'open'"
    " AND EXISTS (SELECT FROM messages o WHERE o.tenant_id = i.tenant_id"
    " AND o.conversation_id = i.conversation_id AND o.author = 'operator'"
    " AND o.position > i.position) RETURNING e.session_id),"
    " call AS MATERIALIZED (SELECT s.* FROM channel_sessions s WHERE s.tenant_id = $1::uuid"
    " AND s.id IN (SELECT session_id FROM human))," TURN_RUNNING_SQL("") TURN_INTERRUPT_SQL
    " over AS (" TURN_FREED_SQL
    ") " TURN_UNHEARD_SQL("(SELECT t.tenant_id, t.id AS turn_id FROM turn t)");

static const char rearm_sql[] =
    "UPDATE channel_sessions s SET due_at = clock_timestamp(), burst_at = clock_timestamp(),"
    " worker = NULL, claimed = s.claimed + 1"
    " WHERE s.tenant_id = $1::uuid AND s.conversation_id = $2::uuid"
    " AND EXISTS (SELECT FROM inbox_events e WHERE e.tenant_id = s.tenant_id"
    " AND e.session_id = s.id AND e.state = 'open')";

/* A person was here: the reception without a model begins again, with what it knows. A message that
 * it has taken stands. */
static const char forget_question_sql[] =
    "UPDATE receptions SET asked = 'nothing', tries = 0 WHERE tenant_id = $1::uuid"
    " AND conversation_id = $2::uuid AND asked <> 'done'";

/* Who takes over has accepted what people are asked about, and who hands back has settled it, and
 * what somebody of a rota had accepted before: what is accepted stands in the way of asking anybody
 * again. Tasks of their own stay whose they are. */
static const char asked_sql[] =
    "SELECT id FROM escalations WHERE tenant_id = $1::uuid AND conversation_id = $2::uuid"
    " AND state = 'open' AND reason NOT IN " ESCALATION_TASKS " ORDER BY id FOR NO KEY UPDATE";

static const char settled_sql[] =
    "SELECT id FROM escalations WHERE tenant_id = $1::uuid AND conversation_id = $2::uuid"
    " AND state = 'accepted' AND reason NOT IN " ESCALATION_TASKS " ORDER BY id FOR NO KEY UPDATE";

static const char calls_sql[] =
    "SELECT call_sid, stream_partition FROM channel_sessions WHERE tenant_id = $1::uuid"
    " AND conversation_id = $2::uuid AND kind = 'voice' AND ended_at IS NULL"
    " AND call_sid IS NOT NULL ORDER BY call_at DESC LIMIT 8";

/* In the order of all locks: the conversation, then the session. */
static const char hold_sql[] =
    "SELECT held_by = $3::text FROM conversations WHERE tenant_id = $1::uuid AND id = $2::uuid"
    " FOR NO KEY UPDATE";

static const char where_sql[] =
    "SELECT s.id, s.kind = 'mail', EXISTS (SELECT FROM consents n WHERE n.tenant_id = s.tenant_id"
    " AND n.sender = ch.address AND n.address = s.remote_address AND n.state = 'opted_out')"
    " FROM channel_sessions s JOIN channels ch ON ch.tenant_id = s.tenant_id"
    " AND ch.id = s.channel_id AND ch.removed_at IS NULL"
    " WHERE s.tenant_id = $1::uuid AND s.conversation_id = $2::uuid AND s.kind <> 'voice'"
    " AND s.id = (SELECT m.session_id FROM messages m WHERE m.tenant_id = $1::uuid"
    " AND m.conversation_id = $2::uuid AND m.direction = 'in' AND EXISTS (SELECT"
    " FROM channel_sessions q WHERE q.tenant_id = m.tenant_id AND q.id = m.session_id"
    " AND q.kind <> 'voice') ORDER BY m.position DESC LIMIT 1)"
    " FOR NO KEY UPDATE OF s";

static const char say_sql[] =
    "WITH place AS (UPDATE channel_sessions SET delivery_seq = delivery_seq + 1"
    " WHERE tenant_id = $1::uuid AND id = $3::uuid RETURNING delivery_seq, kind),"
    " said AS (INSERT INTO messages (tenant_id, id, conversation_id, session_id, direction, author,"
    " body, event_time) VALUES ($1::uuid, $4::uuid, $2::uuid, $3::uuid, 'out', 'operator',"
    " $6::text, clock_timestamp())),"
    " active AS (UPDATE conversations SET last_activity_at = clock_timestamp()"
    " WHERE tenant_id = $1::uuid AND id = $2::uuid RETURNING epoch)"
    " INSERT INTO deliveries (tenant_id, id, conversation_id, session_id, seq, message_id, author,"
    " via, epoch, state, answer_by) SELECT $1::uuid, $5::uuid, $2::uuid, $3::uuid,"
    " p.delivery_seq, $4::uuid, 'operator', p.kind, a.epoch, 'pending',"
    " clock_timestamp() + interval '24 hours' FROM place p, active a";

struct step {
    const char *sql;
    int params;      /* of: tenant, conversation, actor, fresh id, action */
    int64_t *number; /* first column of the first row, or the touched rows for an UPDATE */
    bool *found;     /* whether there was a row */
};

struct texts {
    char tenant[UUID_TEXT_SIZE], conversation[UUID_TEXT_SIZE], id[UUID_TEXT_SIZE];
    const char *params[5];
};

static void make_texts(const struct conversation_ref *ref, const char *action, struct texts *texts)
{
    struct uuid id = uuid_new();
    texts->params[0] = uuid_format(&ref->tenant, texts->tenant);
    texts->params[1] = uuid_format(&ref->conversation, texts->conversation);
    texts->params[2] = ref->actor;
    texts->params[3] = uuid_format(&id, texts->id);
    texts->params[4] = action;
}

static int run_step(struct pg_session *session, const struct step *step, const struct texts *texts,
                    struct err *err)
{
    struct pg_statement statement = {.sql = step->sql, .param_count = step->params};
    struct pg_result *result = NULL;
    memcpy(statement.params, texts->params, sizeof texts->params);
    if (pg_session_query(session, &statement, &result, err) != 0)
        return -1;
    bool rows = pg_columns(result, 0) > 0;
    if (step->found != NULL)
        *step->found = pg_rows(result, 0) > 0;
    if (step->number != NULL && rows && pg_rows(result, 0) > 0)
        *step->number = pg_int(result, 0, 0, 0);
    else if (step->number != NULL && !rows)
        *step->number = pg_affected(result, 0);
    pg_result_free(&result);
    return 0;
}

/* Stops at the first step that finds nothing it needs. */
static int run(struct pg_session *session, const struct step *steps, size_t count,
               const struct texts *texts, struct err *err)
{
    for (size_t i = 0; i < count; i++) {
        if (run_step(session, &steps[i], texts, err) != 0)
            return -1;
        if (steps[i].found != NULL && !*steps[i].found)
            return 0;
    }
    return 0;
}

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static int refused(struct pg_session *session, const struct texts *texts, struct err *err)
{
    bool found = false;
    const struct step steps[] = {{holder_sql, 2, NULL, &found}};
    if (run_step(session, steps, texts, err) != 0)
        return -1;
    return found ? err_set(err, ERR_PERMANENT, "conversation.held",
                           "another person holds the conversation")
                 : err_set(err, ERR_PERMANENT, "conversation.missing", "no such conversation");
}

static int step_wishes(struct pg_session *session, const struct texts *texts, const char *sql,
                       enum escalation_step step, struct err *err)
{
    const struct pg_statement statement = {
        .sql = sql, .params = {texts->params[0], texts->params[1]}, .param_count = 2};
    struct pg_result *wishes = NULL;
    if (pg_session_query(session, &statement, &wishes, err) != 0)
        return -1;
    int rc = 0;
    for (int row = 0; rc == 0 && row < pg_rows(wishes, 0); row++) {
        const struct uuid id = pg_uuid(wishes, 0, row, 0);
        rc = escalation_admin_step(session, &id, texts->params[2], step, err);
    }
    pg_result_free(&wishes);
    return rc;
}

static int find_calls(struct pg_session *session, const struct texts *texts,
                      struct conversation_takeover *taken, struct err *err)
{
    const struct pg_statement statement = {
        .sql = calls_sql, .params = {texts->params[0], texts->params[1]}, .param_count = 2};
    struct pg_result *calls = NULL;
    if (pg_session_query(session, &statement, &calls, err) != 0)
        return -1;
    for (int row = 0; row < pg_rows(calls, 0) && row < CONVERSATION_CALLS_MAX; row++) {
        struct conversation_call *call = &taken->calls[taken->call_count++];
        snprintf(call->call_sid, sizeof call->call_sid, "%s", pg_text(calls, 0, row, 0));
        call->partition = (int)pg_int(calls, 0, row, 1);
    }
    pg_result_free(&calls);
    return 0;
}

static int silence(struct pg_session *session, const struct conversation_ref *ref,
                   const struct texts *texts, struct conversation_takeover *taken, struct err *err)
{
    const struct step steps[] = {
        {epoch_sql, 2, &taken->epoch, NULL},
        {suppress_sql, 2, &taken->suppressed, NULL},
        {rest_sql, 2, NULL, NULL},
        {rest_turns_sql, 2, NULL, NULL},
        {in_flight_sql, 2, &taken->in_flight, NULL},
    };
    if (gather_run(session, &ref->tenant, &ref->conversation, err) != 0 ||
        run(session, steps, COUNT(steps), texts, err) != 0 ||
        step_wishes(session, texts, asked_sql, ESCALATION_ACCEPT, err) != 0)
        return -1;
    return find_calls(session, texts, taken, err);
}

int conversation_silence(struct pg_session *session, const struct conversation_ref *ref,
                         struct conversation_takeover *out, struct err *err)
{
    struct texts texts;
    struct conversation_takeover taken = {0};
    make_texts(ref, "", &texts);
    if (silence(session, ref, &texts, &taken, err) != 0)
        return -1;
    *out = taken;
    return 0;
}

int conversation_take_over(struct pg_session *session, const struct conversation_ref *ref,
                           struct conversation_takeover *out, struct err *err)
{
    struct texts texts;
    struct conversation_takeover taken = {0};
    int64_t merged = 0;
    bool raised = false;
    make_texts(ref, "conversation.taken", &texts);
    const struct step steps[] = {
        {raise_sql, 3, &taken.epoch, &raised},
        {merged_sql, 2, &merged, NULL},
        {audit_sql, 5, NULL, NULL},
    };
    if (gather_lock(session, &ref->tenant, &ref->conversation, err) != 0 ||
        run(session, steps, COUNT(steps), &texts, err) != 0)
        return -1;
    if (!raised)
        return refused(session, &texts, err);
    if (merged > 0)
        return err_set(err, ERR_RETRY_NOW, "conversation.merged",
                       "it has just become part of another conversation: try again");
    if (silence(session, ref, &texts, &taken, err) != 0)
        return -1;
    *out = taken;
    return 0;
}

int conversation_is_yours(struct pg_session *session, const struct conversation_ref *ref,
                          bool *yours, int64_t *begun, struct err *err)
{
    struct texts texts;
    struct conversation_ref whole = *ref;
    int64_t leaving = 0;
    if (merge_find_conversation(session, &ref->tenant, &whole.conversation, err) != 0)
        return -1;
    make_texts(&whole, "", &texts);
    const struct step steps[] = {
        {mark_dead_sql, 2, NULL, NULL},
        {expire_sql, 2, NULL, NULL},
        {leaving_sql, 2, &leaving, NULL},
        {begun_sql, 2, begun, NULL},
    };
    if (run(session, steps, COUNT(steps), &texts, err) != 0)
        return -1;
    *yours = leaving == 0;
    return 0;
}

int conversation_hand_back(struct pg_session *session, const struct conversation_ref *ref,
                           int64_t *due, struct err *err)
{
    struct texts texts;
    int64_t armed = 0;
    bool freed = false, found = false;
    make_texts(ref, "conversation.handed_back", &texts);
    const struct step steps[] = {
        {holder_sql, 2, NULL, &found},  {free_sql, 2, NULL, &freed},
        {restamp_sql, 2, NULL, NULL},   {answered_sql, 2, NULL, NULL},
        {say_again_sql, 2, NULL, NULL}, {reopen_sql, 2, NULL, NULL},
        {rearm_sql, 2, &armed, NULL},   {forget_question_sql, 2, NULL, NULL},
        {audit_sql, 5, NULL, NULL},
    };
    if (run(session, steps, COUNT(steps), &texts, err) != 0)
        return -1;
    if (freed) {
        if (step_wishes(session, &texts, settled_sql, ESCALATION_CLOSE, err) != 0)
            return -1;
        *due = armed;
        return 0;
    }
    return found ? err_set(err, ERR_PERMANENT, "conversation.not_held", "nobody holds it")
                 : err_set(err, ERR_PERMANENT, "conversation.missing", "no such conversation");
}

/* ---- reply ---- */

static int check_holder(struct pg_session *session, const struct texts *texts, struct err *err)
{
    const struct pg_statement statement = {
        .sql = hold_sql,
        .params = {texts->params[0], texts->params[1], texts->params[2]},
        .param_count = 3};
    struct pg_result *result = NULL;
    if (pg_session_query(session, &statement, &result, err) != 0)
        return -1;
    bool found = pg_rows(result, 0) > 0, yours = found && pg_bool(result, 0, 0, 0);
    pg_result_free(&result);
    if (!found)
        return err_set(err, ERR_PERMANENT, "conversation.missing", "no such conversation");
    return yours ? 0
                 : err_set(err, ERR_PERMANENT, "conversation.not_yours",
                           "you do not hold the conversation; `deskctl takeover` makes it yours");
}

static int find_way(struct pg_session *session, const struct texts *texts,
                    struct conversation_reply *reply, struct err *err)
{
    const struct pg_statement statement = {
        .sql = where_sql, .params = {texts->params[0], texts->params[1]}, .param_count = 2};
    struct pg_result *result = NULL;
    if (pg_session_query(session, &statement, &result, err) != 0)
        return -1;
    bool found = pg_rows(result, 0) > 0, out_of_bounds = found && pg_bool(result, 0, 0, 2);
    if (found) {
        reply->session = pg_uuid(result, 0, 0, 0);
        reply->by_mail = pg_bool(result, 0, 0, 1);
    }
    pg_result_free(&result);
    if (!found)
        return err_set(err, ERR_PERMANENT, "conversation.no_channel",
                       "the number or mailbox that the customer wrote to is not this business's "
                       "any more");
    if (!reply->by_mail && reply->characters > SEGMENTS_CHARACTERS_MAX)
        return err_set(err, ERR_PERMANENT, "conversation.too_long",
                       "a text message has at most %d characters", SEGMENTS_CHARACTERS_MAX);
    return out_of_bounds ? err_set(err, ERR_PERMANENT, "conversation.opted_out",
                                   "the customer has opted out: nothing may be sent")
                         : 0;
}

/* The rest of what the delivery is, behind it: nothing if it is a text. */
static int add_mail(struct pg_session *session, const struct texts *texts, const char *delivery,
                    struct err *err)
{
    char ids[2][UUID_TEXT_SIZE + 2];
    snprintf(ids[0], sizeof ids[0], "{%s}", texts->params[0]);
    snprintf(ids[1], sizeof ids[1], "{%s}", delivery);
    const struct pg_statement statement = {
        .sql = delivery_mail_made_sql, .params = {ids[0], ids[1]}, .param_count = 2};
    struct pg_result *result = NULL;
    int rc = pg_session_query(session, &statement, &result, err);
    pg_result_free(&result);
    return rc;
}

int conversation_reply(struct pg_session *session, const struct conversation_ref *ref,
                       struct conversation_reply *reply, struct err *err)
{
    struct texts texts;
    char text[3][UUID_TEXT_SIZE];
    make_texts(ref, "conversation.replied", &texts);
    const struct step steps[] = {{audit_sql, 5, NULL, NULL}};
    if (check_holder(session, &texts, err) != 0 || find_way(session, &texts, reply, err) != 0)
        return -1;
    const struct pg_statement say = {
        .sql = say_sql,
        .params = {texts.params[0], texts.params[1], uuid_format(&reply->session, text[0]),
                   uuid_format(&reply->message, text[1]), uuid_format(&reply->delivery, text[2]),
                   reply->body},
        .param_count = 6};
    struct pg_result *result = NULL;
    if (pg_session_query(session, &say, &result, err) != 0)
        return -1;
    pg_result_free(&result);
    if (add_mail(session, &texts, text[2], err) != 0)
        return -1;
    return run(session, steps, COUNT(steps), &texts, err);
}
