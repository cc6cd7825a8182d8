/* The SQL of `deskctl prompt show`: see prompt_admin.h. It gives context and rounds in the form of
 * the start's statement (store/turn.c), so that the same code builds the prompt. */
#include "store/prompt_admin.h"

#include "store/turn_inside.h"

#define ISO "'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'"

#define NUMBERS_OF(name)                                                                           \
    "(SELECT x.value::bigint FROM jsonb_array_elements_text(u.prompt->'" name "') AS x)"

static const char read_sql[] =
    "SELECT u.id, u.state, to_char(u.started_at AT TIME ZONE 'UTC', " ISO "), u.outcome, u.number,"
    " t.display_name, t.timezone, t.language, v.config, u.prompt, u.passages,"
    " (SELECT json_agg(json_build_object('position', m.position, 'author', " TURN_AUTHOR_SQL
    ", 'subject', m.subject, 'text', m.body, 'media', m.media, 'open', m.position IN " NUMBERS_OF(
        "open") ") ORDER BY m.position)"
                " FROM messages m WHERE m.tenant_id = u.tenant_id AND m.conversation_id = "
                "u.conversation_id"
                " AND (m.position IN " NUMBERS_OF("past") " OR m.position IN " NUMBERS_OF(
                    "open") ")),"
                            " (SELECT json_agg(json_build_object('number', r.number, 'after', "
                            "r.after_position, 'claimed',"
                            " r.claimed, 'said', r.said, 'calls', (SELECT "
                            "json_agg(json_build_object('id', k.id,"
                            " 'provider_id', k.provider_id, 'name', k.name, 'arguments', "
                            "k.arguments, 'signature',"
                            " k.signature, 'state', k.state, 'outcome', k.outcome, 'result', "
                            "k.result) ORDER BY k.place)"
                            " FROM tool_calls k WHERE k.tenant_id = r.tenant_id AND k.turn_id = "
                            "r.turn_id"
                            " AND k.round = r.number)) ORDER BY r.number) FROM turn_rounds r"
                            " WHERE r.tenant_id = u.tenant_id AND r.turn_id = u.id AND r.number "
                            "IN " NUMBERS_OF(
                                "rounds") "),"
                                          " (SELECT l.provider || ' ' || l.model FROM llm_calls l "
                                          "WHERE l.tenant_id = u.tenant_id"
                                          " AND l.turn_id = u.id AND l.purpose = 'turn' AND "
                                          "(u.finished_at IS NULL OR "
                                          "l.started_at <= u.finished_at) ORDER BY l.started_at "
                                          "DESC, l.id "
                                          "DESC LIMIT 1)"
                                          " FROM conversations c JOIN turns u ON u.tenant_id = "
                                          "c.tenant_id AND u.conversation_id = c.id"
                                          " JOIN tenants t ON t.id = u.tenant_id"
                                          " LEFT JOIN assistant_versions v ON v.tenant_id = "
                                          "u.tenant_id"
                                          " AND v.assistant_id = u.assistant_id"
                                          " AND v.version = "
                                          "coalesce((u.prompt->>'version')::integer, "
                                          "u.assistant_version)"
                                          " WHERE c.id = $1::uuid AND ($2::uuid IS NULL OR u.id = "
                                          "$2::uuid)"
                                          " ORDER BY u.started_at DESC, u.number DESC LIMIT 1";

static const char *cell(const struct pg_result *result, struct arena *arena, int column)
{
    return pg_is_null(result, 0, 0, column) ? NULL
                                            : arena_strdup(arena, pg_text(result, 0, 0, column));
}

int prompt_admin_read(struct pg_session *session, struct arena *arena,
                      const struct uuid *conversation, const struct uuid *turn,
                      struct prompt_row *row, bool *found, struct err *err)
{
    char ids[2][UUID_TEXT_SIZE];
    const struct pg_statement statement = {
        .sql = read_sql,
        .params = {uuid_format(conversation, ids[0]),
                   turn != NULL ? uuid_format(turn, ids[1]) : NULL},
        .param_count = 2};
    struct pg_result *result = NULL;
    if (pg_session_query(session, &statement, &result, err) != 0)
        return -1;
    *found = pg_rows(result, 0) > 0;
    if (*found)
        *row = (struct prompt_row){.turn = cell(result, arena, 0),
                                   .state = cell(result, arena, 1),
                                   .started_at = cell(result, arena, 2),
                                   .outcome = cell(result, arena, 3),
                                   .number = pg_int(result, 0, 0, 4),
                                   .business = cell(result, arena, 5),
                                   .timezone = cell(result, arena, 6),
                                   .language = cell(result, arena, 7),
                                   .config = cell(result, arena, 8),
                                   .record = cell(result, arena, 9),
                                   .passages = cell(result, arena, 10),
                                   .context = cell(result, arena, 11),
                                   .rounds = cell(result, arena, 12),
                                   .model = cell(result, arena, 13)};
    pg_result_free(&result);
    return 0;
}
