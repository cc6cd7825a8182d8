/* The SQL of a turn's start: see turn.h and docs/PROTOCOL.md. Used by the engine only. The commit's
 * is in turn_commit.c. */
#include "store/turn.h"

#include "store/turn_inside.h"
#include "store/worker.h"

#include <string.h>

static const char moved_sql[] =
    "SELECT i.session_id, i.fence"
    " FROM unnest($2::uuid[], $3::bigint[], $4::bigint[], $5::uuid[])"
    " AS i (session_id, fence, epoch, tenant_id)"
    " LEFT JOIN (channel_sessions s JOIN conversations c"
    " ON c.tenant_id = s.tenant_id AND c.id = s.conversation_id)"
    " ON s.tenant_id = i.tenant_id AND s.id = i.session_id"
    " WHERE s.worker IS DISTINCT FROM $1::uuid OR (i.fence >= 0 AND s.fence <> i.fence)"
    " OR (i.epoch >= 0 AND c.epoch <> i.epoch)";

/* Whether a start was lost with its worker shows only once that worker is marked: those behind the
 * turns that are taken up here, and no others, who may just be coming back from an outage. Waits
 * for whoever is marking the same ones. */
static const char mark_before_sql[] =
    "UPDATE workers SET dead = true WHERE id IN (SELECT w.id FROM workers w WHERE NOT w.dead"
    " AND w.lease_until < clock_timestamp() AND w.id = ANY (ARRAY("
    "SELECT b.id FROM unnest($2::uuid[], $3::uuid[]) AS i (tenant_id, session_id)"
    " JOIN channel_sessions s ON s.tenant_id = i.tenant_id AND s.id = i.session_id"
    " JOIN turns t ON t.tenant_id = s.tenant_id AND t.id = s.turn_id AND t.state = 'running'"
    " CROSS JOIN unnest(t.overtaken || t.worker) AS b (id) WHERE b.id <> $1::uuid))"
    " ORDER BY w.id FOR UPDATE)";

static const char lock_conversations_sql[] =
    "SELECT 1 FROM conversations c WHERE (c.tenant_id, c.id) IN"
    " (SELECT * FROM unnest($1::uuid[], $2::uuid[]))"
    " ORDER BY c.tenant_id, c.id FOR SHARE";

static const char lock_sessions_sql[] =
    "SELECT 1 FROM channel_sessions s WHERE (s.tenant_id, s.id) IN"
    " (SELECT * FROM unnest($1::uuid[], $2::uuid[]))"
    " ORDER BY s.tenant_id, s.id FOR NO KEY UPDATE";

/* Of mails: nobody has shown that all that is to be answered is from whom it says; nor that the
 * last one is, where nothing new is (a recovery). */
#define VERIFIED_SQL                                                                               \
    "(SELECT coalesce(bool_and(w.verified), false) FROM (SELECT x.verified FROM messages m"        \
    " JOIN message_mails x ON x.tenant_id = m.tenant_id AND x.message_id = m.id"                   \
    " WHERE m.tenant_id = j.tenant_id AND m.conversation_id = j.now_conversation"                  \
    " AND m.session_id = j.session_id ORDER BY m.id = ANY (j.message_ids) DESC, m.position DESC"   \
    " LIMIT greatest(1, (SELECT count(*) FROM message_mails y WHERE y.tenant_id = j.tenant_id"     \
    " AND y.message_id = ANY (j.message_ids)))) AS w)"

/* A round is told again unless a newer text was claimed before any of its calls started. */
#define ROUND_STANDS                                                                               \
    "(r.claimed = j.claimed OR EXISTS (SELECT FROM tool_calls k WHERE k.tenant_id = r.tenant_id"   \
    " AND k.turn_id = r.turn_id AND k.round = r.number AND k.started_at IS NOT NULL))"

#define ROUNDS_SQL                                                                                 \
    "(SELECT json_agg(json_build_object('number', r.number, 'after', r.after_position, 'claimed'," \
    " r.claimed, 'said', r.said, 'calls', (SELECT "                                                \
    "json_agg(json_build_object("                                                                  \
    "'id', k.id, 'provider_id', k.provider_id, 'name', k.name, 'arguments', k.arguments,"          \
    " 'signature', k.signature, 'state', k.state, 'outcome', k.outcome, 'result', k.result)"       \
    " ORDER BY k.place) FROM tool_calls k WHERE k.tenant_id = r.tenant_id AND k.turn_id = "        \
    "r.turn_id"                                                                                    \
    " AND k.round = r.number)) ORDER BY r.number) FROM turn_rounds r"                              \
    " WHERE r.tenant_id = j.tenant_id AND r.turn_id = j.turn_id AND r.dropped_at IS NULL"          \
    " AND " ROUND_STANDS ")"

/* Workers whose start was overtaken while their lease ran (a record that came again names its
 * claimer over a live worker), with the lease as it was then. One that died without another renewal
 * was gone already: that start was lost. One that renewed was alive. The others are judged later.
 */
#define OVERTAKEN_SQL                                                                              \
    "(SELECT count(*) FILTER (WHERE w.dead) AS lost,"                                              \
    " array_agg(o.id) FILTER (WHERE NOT w.dead) AS ids,"                                           \
    " array_agg(o.lease) FILTER (WHERE NOT w.dead) AS leases"                                      \
    " FROM (SELECT * FROM unnest(t.overtaken, t.overtaken_leases) AS u (id, lease) WHERE id <> "   \
    "$1::uuid"                                                                                     \
    " UNION SELECT n.id, n.lease_until FROM workers n WHERE n.id = t.worker AND n.id <> $1::uuid"  \
    " AND NOT n.dead) AS o JOIN workers w ON w.id = o.id AND w.lease_until = o.lease)"

/* Something that the running turn was to answer is still to be answered. If all of it has become
 * too old, or was settled by somebody else, that turn is over: the next text has one of its own,
 * which does not go on with what the old one has begun. (A call's turn ends with the call. A turn
 * that an older engine started for a text does not say what it answers.) */
#define TURN_STANDS "(s.kind = 'voice' OR coalesce(t.answers && o.events, o.events IS NOT NULL))"

/* It becomes nobody's: what it has begun is not known (admin.c, HEARD_SQL). */
#define LEFT_BEHIND_SQL                                                                            \
    " over AS (UPDATE turns t SET state = 'finished', outcome = 'interrupted', worker = NULL,"     \
    " reserved_day = NULL, finished_at = clock_timestamp() FROM judged j"                          \
    " WHERE j.kind IN ('run', 'nothing') AND NOT j.again AND t.tenant_id = j.tenant_id"            \
    " AND t.id = j.turn_id AND t.state = 'running'),"

/* What a turn has reserved (store/usage.h) stays its own as long as it runs on: not after somebody
 * else had the conversation, nor when its session was not due for a time.
 *
 * Each row is looked up by its keys, and no list is joined with another one: two hundred starts
 * cost two hundred times one. What is behind OFFSET 0 is looked up so whatever the planner thinks
 * of an index of few rows, such as that of open events; `stale` keeps most starts from a second
 * look. */
static const char start_sql[] =
    "WITH input AS (SELECT * FROM unnest($2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[],"
    " $6::boolean[], $7::boolean[]) WITH ORDINALITY"
    " AS t (tenant_id, session_id, conversation_id, new_turn_id, recompute, suspect_slot, n)),"
    " seen AS (SELECT i.*, s.fence, s.claimed, s.turn_id, s.turn_number, s.worker AS owner,"
    " s.kind AS channel, s.call_sid, s.stream_partition, s.remote_address, ch.address AS ours,"
    " t.number, t.heard, t.heard_reason, t.answers,"
    " c.epoch, c.held_by, c.contact_id, s.conversation_id AS now_conversation, ch.assistant_id,"
    " a.current_version, o.events[1:50] AS events, o.message_ids[1:50] AS message_ids,"
    " o.traceparent, o.stale,"
    " t.deadline_at, t.worker AS turn_worker, t.recomputes, coalesce(t.tries, 0)"
    " + (t.id IS NOT NULL AND t.worker IS NOT NULL AND t.worker <> $1::uuid AND NOT EXISTS"
    " (SELECT FROM workers w WHERE w.id = t.worker AND NOT w.dead))::integer"
    " + coalesce(past.lost, 0)::integer AS tries, past.ids, past.leases,"
    " t.id IS NOT NULL AS again"
    " FROM input i JOIN channel_sessions s ON s.tenant_id = i.tenant_id AND s.id = i.session_id"
    " JOIN conversations c ON c.tenant_id = s.tenant_id AND c.id = s.conversation_id"
    " JOIN channels ch ON ch.tenant_id = s.tenant_id AND ch.id = s.channel_id"
    " JOIN assistants a ON a.tenant_id = ch.tenant_id AND a.id = ch.assistant_id"
    " CROSS JOIN LATERAL (SELECT array_agg(e.provider_id) FILTER (WHERE NOT e.late) AS events,"
    " array_agg(e.message_id) FILTER (WHERE NOT e.late) AS message_ids,"
    " min(e.traceparent) FILTER (WHERE NOT e.late) AS traceparent,"
    " coalesce(bool_or(e.late), false) AS stale"
    " FROM (SELECT x.provider_id, x.message_id, x.traceparent, x.event_time < " TURN_OLDEST_SQL(
        "$12") " AS late"
               " FROM inbox_events x WHERE x.tenant_id = i.tenant_id AND x.session_id = "
               "i.session_id"
               " AND x.state = 'open' ORDER BY x.claimed_at) AS e) AS o"
               " LEFT JOIN turns t ON t.tenant_id = s.tenant_id AND t.id = s.turn_id"
               " AND t.state = 'running' AND " TURN_STANDS " LEFT JOIN LATERAL " OVERTAKEN_SQL
               " AS past ON t.id IS NOT NULL),"
               " judged AS (SELECT s.*, CASE WHEN owner IS DISTINCT FROM $1::uuid THEN 'lost'"
               " WHEN now_conversation <> conversation_id THEN 'moved'"
               " WHEN held_by IS NOT NULL THEN 'held' WHEN events IS NULL THEN 'nothing'"
               " WHEN tries >= $10::integer THEN 'fail'"
               " WHEN tries >= $11::integer AND NOT suspect_slot THEN 'suspect'"
               " ELSE 'run' END AS kind FROM seen s),"
               " g AS (SELECT * FROM judged WHERE kind IN ('run', 'fail')),"
               " late AS (UPDATE inbox_events e SET state = 'late', reason = 'late',"
               " settled_at = clock_timestamp() FROM (SELECT x.* FROM judged j CROSS JOIN LATERAL ("
               "SELECT y.tenant_id, y.channel, y.provider_id, y.state FROM inbox_events y"
               " WHERE y.tenant_id = j.tenant_id AND y.session_id = j.session_id AND y.state = "
               "'open'"
               " AND y.event_time < " TURN_OLDEST_SQL(
                   "$12") " OFFSET 0) AS x"
                          " WHERE j.stale AND j.kind IN ('run', 'fail', 'nothing')) AS l"
                          " WHERE e.tenant_id = l.tenant_id AND e.channel = l.channel AND "
                          "e.provider_id = l.provider_id"
                          " AND e.state = l.state),"
                          " cleared AS (UPDATE channel_sessions s SET due_at = NULL, burst_at = "
                          "NULL FROM judged j"
                          " WHERE s.tenant_id = j.tenant_id AND s.id = j.session_id AND j.kind IN "
                          "('nothing', 'held')),"
                          " raised AS (UPDATE channel_sessions s SET fence = s.fence + 1,"
                          " turn_id = CASE WHEN g.again THEN g.turn_id ELSE g.new_turn_id END,"
                          " turn_number = s.turn_number + (NOT g.again)::integer"
                          " FROM g WHERE s.tenant_id = g.tenant_id AND s.id = g.session_id),"
                          " resumed AS (UPDATE turns t SET worker = CASE WHEN j.kind = 'suspect' "
                          "THEN NULL"
                          " ELSE $1::uuid END, fence = CASE WHEN j.kind = 'suspect' THEN t.fence "
                          "ELSE j.fence + 1 END,"
                          " overtaken = coalesce(j.ids, '{}'), overtaken_leases = "
                          "coalesce(j.leases, '{}'),"
                          " epoch = j.epoch, sockets = 0, tries = j.tries, recomputes = "
                          "t.recomputes + "
                          "j.recompute::integer,"
                          " conversation_id = j.now_conversation,"
                          " deadline_at = CASE WHEN t.worker IS NULL"
                          " THEN clock_timestamp() + $8::bigint * interval '1 ms'"
                          " ELSE greatest(t.deadline_at, clock_timestamp() + $9::bigint * interval "
                          "'1 ms') END,"
                          " reserved_day = CASE WHEN t.epoch = j.epoch THEN t.reserved_day END,"
                          " answers = CASE WHEN t.heard_reason = 'interrupt' OR (j.kind = "
                          "'suspect' AND j.channel <> 'voice') THEN t.answers ELSE j.events END,"
                          " heard_reason = CASE WHEN t.heard_reason <> 'anew' THEN t.heard_reason "
                          "END"
                          " FROM judged j WHERE j.kind IN ('run', 'fail', 'suspect') AND j.again"
                          " AND t.tenant_id = j.tenant_id AND t.id = j.turn_id),"
                          " let_go AS (UPDATE turns t SET reserved_day = NULL FROM judged j WHERE "
                          "j.kind = 'nothing'"
                          " AND j.again AND t.tenant_id = j.tenant_id AND t.id = "
                          "j.turn_id)," LEFT_BEHIND_SQL
                          " made AS (INSERT INTO turns (tenant_id, id, session_id, "
                          "conversation_id, number, state, "
                          "worker,"
                          " fence, epoch, assistant_id, assistant_version, deadline_at, "
                          "traceparent, answers)"
                          " SELECT tenant_id, new_turn_id, session_id, now_conversation, "
                          "turn_number + 1, 'running',"
                          " $1::uuid, fence + 1, epoch, assistant_id, current_version,"
                          " clock_timestamp() + $8::bigint * interval '1 ms', traceparent,"
                          " events FROM g WHERE NOT again),"
                          " dropped AS (UPDATE turn_rounds r SET dropped_at = clock_timestamp() "
                          "FROM (SELECT x.*"
                          " FROM judged j CROSS JOIN LATERAL (SELECT r.tenant_id, r.turn_id, "
                          "r.number"
                          " FROM turn_rounds r WHERE r.tenant_id = j.tenant_id AND r.turn_id = "
                          "j.turn_id"
                          " AND r.dropped_at IS NULL AND NOT " ROUND_STANDS " OFFSET 0) AS x"
                          " WHERE j.kind = 'run' AND j.again) AS d WHERE r.tenant_id = d.tenant_id"
                          " AND r.turn_id = d.turn_id AND r.number = d.number)"
                          " SELECT j.n, j.kind, CASE WHEN j.again THEN j.turn_id ELSE "
                          "j.new_turn_id END,"
                          " j.now_conversation, j.fence + 1, j.epoch, j.claimed,"
                          " CASE WHEN j.again AND j.turn_worker IS NOT NULL THEN "
                          "greatest($9::bigint,"
                          " (extract(epoch FROM j.deadline_at - clock_timestamp()) * 1000)::bigint)"
                          " ELSE $8::bigint END, j.tries, coalesce(j.recomputes, 0)"
                          " + (j.recompute AND j.again)::integer, j.events,"
                          " CASE WHEN j.kind IN ('run', 'fail') THEN " TURN_CONTEXT_SQL(
                              "$12") " END, j.assistant_id,"
                                     " j.current_version, j.traceparent,"
                                     " CASE WHEN j.again AND j.kind IN ('run', 'fail') "
                                     "THEN " ROUNDS_SQL " END,"
                                     " CASE WHEN j.again THEN (SELECT max(r.number) FROM "
                                     "turn_rounds r"
                                     " WHERE r.tenant_id = j.tenant_id AND r.turn_id = j.turn_id) "
                                     "END, j.contact_id,"
                                     " CASE WHEN j.kind = 'run' THEN " TURN_SUMMARY_SQL " END,"
                                     " CASE WHEN j.kind = 'run' THEN " TURN_EARLIER_SQL " END,"
                                     " CASE WHEN j.kind IN ('run', 'fail') THEN " TURN_RECEPTION_SQL
                                     " END,"
                                     " j.call_sid, j.stream_partition, CASE WHEN j.again THEN "
                                     "j.number ELSE j.turn_number + 1 END,"
                                     " j.again, j.heard, j.heard_reason, j.answers,"
                                     " EXISTS (SELECT FROM kb_documents d WHERE d.tenant_id = "
                                     "j.tenant_id),"
                                     " CASE WHEN j.channel = 'voice' THEN j.remote_address END,"
                                     " CASE WHEN j.channel = 'voice' THEN " TURN_OUR_NUMBER_SQL
                                     " END, CASE WHEN j.channel = 'voice' THEN " TURN_LANGUAGE_SQL
                                     " END,"
                                     " j.channel, CASE WHEN j.channel = 'mail' AND j.kind IN "
                                     "('run', 'fail') THEN " VERIFIED_SQL
                                     " END, CASE WHEN j.channel = 'voice' "
                                     "THEN " TURN_ATTESTATION_SQL " END"
                                     " FROM judged j ORDER BY j.n";

/* Locked in their order first: many at once, and others may be at some of them. */
static const char give_back_sql[] =
    "UPDATE channel_sessions s SET worker = NULL FROM (SELECT m.tenant_id, m.id"
    " FROM channel_sessions m WHERE m.worker = $1::uuid AND m.due_at IS NOT NULL"
    " ORDER BY m.tenant_id, m.id FOR NO KEY UPDATE) AS m"
    " WHERE s.tenant_id = m.tenant_id AND s.id = m.id";

void turn_add_moved(struct pg_unit *unit, const char *worker, const struct turn_held *held)
{
    struct pg_statement *statement = pg_add(unit, moved_sql);
    pg_param(statement, worker);
    pg_param(statement, held->sessions);
    pg_param(statement, held->fences);
    pg_param(statement, held->epochs);
    pg_param(statement, held->tenants);
}

/* ---- start ---- */

void turn_add_locks(struct pg_unit *unit, struct arena *arena, const struct column_rows *rows,
                    const struct column columns[3])
{
    const struct column conversation[] = {columns[0], columns[2]};
    const struct column session[] = {columns[0], columns[1]};
    columns_add(pg_add(unit, lock_conversations_sql), arena, rows, conversation, 2);
    columns_add(pg_add(unit, lock_sessions_sql), arena, rows, session, 2);
}

void turn_add_start(struct pg_unit *unit, struct arena *arena, const char *worker,
                    const struct turn_start *starts, size_t count, const struct turn_times *times)
{
    static const struct column kinds[] = {
        {offsetof(struct turn_start, tenant), COLUMN_TEXT},
        {offsetof(struct turn_start, session), COLUMN_UUID},
        {offsetof(struct turn_start, conversation), COLUMN_UUID},
        {offsetof(struct turn_start, turn), COLUMN_UUID},
        {offsetof(struct turn_start, recompute), COLUMN_BOOL},
        {offsetof(struct turn_start, suspect_slot), COLUMN_BOOL},
    };
    const struct column_rows rows = {starts, sizeof *starts, count};
    struct pg_statement *statement = pg_add(unit, mark_before_sql);
    pg_param(statement, worker);
    columns_add(statement, arena, &rows, kinds, 2);
    turn_add_locks(unit, arena, &rows, kinds);
    statement = pg_add(unit, start_sql);
    pg_param(statement, worker);
    columns_add(statement, arena, &rows, kinds, COLUMNS(kinds));
    pg_param(statement, arena_printf(arena, "%lld", (long long)times->deadline_ms));
    pg_param(statement, arena_printf(arena, "%lld", (long long)times->adopter_ms));
    pg_param(statement, arena_printf(arena, "%d", TURN_TRIES_MAX));
    pg_param(statement, arena_printf(arena, "%d", TURN_TRIES_SUSPECT));
    pg_param(statement, arena_printf(arena, "%lld", (long long)times->answer_within_ms));
}

/* Behind the mark and two locks. */
#define START_STATEMENT 3

int turn_word_index(const char *const *words, const char *word)
{
    int i = 0;
    while (words[i + 1] != NULL && strcmp(words[i], word) != 0)
        i++;
    return i;
}

bool turn_read_started(const struct pg_answer *answer, int row, struct turn_started *out)
{
    return turn_read_started_at(answer, START_STATEMENT, row, out);
}

bool turn_read_started_at(const struct pg_answer *answer, int s, int row, struct turn_started *out)
{
    static const char *const kinds[] = {"run",  "fail",  "suspect", "nothing",
                                        "held", "moved", "lost",    NULL};
    const struct pg_result *r = answer->results;
    if (row >= pg_rows(r, s))
        return false;
    *out = (struct turn_started){
        .index = (size_t)pg_int(r, s, row, 0) - 1,
        .kind = (enum turn_start_kind)turn_word_index(kinds, pg_text(r, s, row, 1)),
        .turn = pg_uuid(r, s, row, 2),
        .conversation = pg_uuid(r, s, row, 3),
        .fence = pg_int(r, s, row, 4),
        .epoch = pg_int(r, s, row, 5),
        .claimed = pg_int(r, s, row, 6),
        .deadline_ms = pg_int(r, s, row, 7),
        .tries = (int)pg_int(r, s, row, 8),
        .recomputes = (int)pg_int(r, s, row, 9),
        .events = pg_text(r, s, row, 10),
        .context = pg_text(r, s, row, 11),
        .assistant = pg_text(r, s, row, 12),
        .assistant_version = (int)pg_int(r, s, row, 13),
        .traceparent = pg_text(r, s, row, 14),
        .rounds = pg_text(r, s, row, 15),
        .last_round = (int)pg_int(r, s, row, 16),
        .contact = pg_uuid(r, s, row, 17),
        .summary = pg_text(r, s, row, 18),
        .earlier = pg_text(r, s, row, 19),
        .reception = pg_text(r, s, row, 20),
        .call_sid = pg_text(r, s, row, 21),
        .stream_partition = (int)pg_int(r, s, row, 22),
        .number = pg_int(r, s, row, 23),
        .again = pg_bool(r, s, row, 24),
        .heard = pg_text(r, s, row, 25),
        .heard_reason = pg_text(r, s, row, 26),
        .answers = pg_text(r, s, row, 27),
        .has_knowledge = pg_bool(r, s, row, 28),
        .caller = pg_text(r, s, row, 29),
        .text_number = pg_text(r, s, row, 30),
        .language = pg_text(r, s, row, 31),
        .is_mail = strcmp(pg_text(r, s, row, 32), "mail") == 0,
        .verified = pg_bool(r, s, row, 33),
        .attestation = pg_text(r, s, row, 34),
    };
    return true;
}

void turn_add_give_back(struct pg_unit *unit, const char *worker)
{
    pg_param(pg_add(unit, give_back_sql), worker);
    worker_add_retire(unit, worker);
}

const char *const turn_statements[] = {moved_sql, NULL};
const char *const turn_mark_statements[] = {mark_before_sql, NULL};
const char *const turn_lock_statements[] = {lock_conversations_sql, lock_sessions_sql, NULL};
const char *const turn_start_statements[] = {start_sql, NULL};
const char *const turn_commit_statements[] = {turn_commit_sql, NULL};
