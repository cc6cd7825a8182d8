/* `deskctl escalation list|accept|close`: what waits for a person. */
#include <string.h>

#include "base/text.h"
#include "command.h"
#include "store/escalation_admin.h"

#define LIST_DEFAULT 100
#define ACTOR_MAX    100

static const struct table_column columns[] = {
    {"id", TABLE_TEXT},      {"created_at", TABLE_TEXT}, {"tenant", TABLE_TEXT},
    {"reason", TABLE_TEXT},  {"state", TABLE_TEXT},      {"accepted_by", TABLE_TEXT},
    {"caller", TABLE_TEXT},  {"call_back", TABLE_TEXT},  {"conversation", TABLE_TEXT},
    {"summary", TABLE_TEXT},
};

static int run_list(struct desk *desk, const struct words *words)
{
    struct pg_session *session = NULL;
    struct escalation_row *rows = NULL;
    struct err err;
    size_t count = 0;
    int64_t limit = LIST_DEFAULT;
    const char *most = words_option(words, "limit");
    if (most != NULL && !text_parse_int(most, 1, ESCALATION_ROWS_MAX, &limit))
        return desk_usage("--limit must be a number from 1 to %d", ESCALATION_ROWS_MAX);
    if (desk_begin(desk, &session, &err) != 0 ||
        escalation_admin_list(session, desk->arena, words_option(words, "tenant"),
                              words_option(words, "all") != NULL, limit, &rows, &count,
                              &err) != 0) {
        desk_rollback(desk);
        return desk_fail(&err);
    }
    desk_rollback(desk);
    struct table *table = table_new(desk->arena, columns, sizeof columns / sizeof columns[0]);
    for (size_t i = 0; i < count; i++) {
        const struct escalation_row *row = &rows[i];
        const char *cells[] = {row->id,           row->created_at,  row->tenant, row->reason,
                               row->state,        row->accepted_by, row->caller, row->call_back,
                               row->conversation, row->summary};
        table_add(table, cells);
    }
    return desk_print_table(desk, table, "nothing waits for a person");
}

/* `--as` names who works it off when that is not who sits at the keyboard. */
static int step(struct desk *desk, const struct words *words, enum escalation_step which,
                const char *state)
{
    struct pg_session *session = NULL;
    struct uuid id;
    struct err err;
    const char *actor = words_option(words, "as");
    if (!uuid_parse(words->operands[0], &id))
        return desk_usage("\"%.60s\" is no id of an escalation; `deskctl escalation list` has them",
                          words->operands[0]);
    if (actor != NULL &&
        (actor[0] == '\0' || strlen(actor) > ACTOR_MAX || !text_is_utf8(actor, strlen(actor))))
        return desk_usage("--as must be a name of at most %d bytes", ACTOR_MAX);
    actor = actor != NULL ? actor : desk_actor(desk);
    if (desk_begin(desk, &session, &err) != 0 ||
        escalation_admin_step(session, &id, actor, which, &err) != 0 ||
        desk_commit(desk, &err) != 0) {
        desk_rollback(desk);
        return desk_fail(&err);
    }
    const struct desk_fact facts[] = {{"state", state, 0}, {"by", actor, 0}};
    desk_note("%s by %s", state, actor);
    return desk_print_facts(desk, facts, sizeof facts / sizeof facts[0]);
}

static int run_accept(struct desk *desk, const struct words *words)
{
    return step(desk, words, ESCALATION_ACCEPT, "accepted");
}

static int run_close(struct desk *desk, const struct words *words)
{
    return step(desk, words, ESCALATION_CLOSE, "closed");
}

static const struct option list_options[] = {
    {"tenant", "NAME", "only of this tenant"},
    {"all", NULL, "also those that are closed"},
    {"limit", "N", "at most so many, 1-1000 (default 100)"},
    {NULL, NULL, NULL},
};
static const struct option step_options[] = {
    {"as", "NAME", "who does it (default: who sits at the keyboard)"},
    {NULL, NULL, NULL},
};

const struct command command_escalation[] = {
    {"escalation list", "", "what waits for a person, the oldest first", NULL, list_options, 0, 0,
     run_list},
    {"escalation accept", "ID", "somebody works on it: nobody else needs to", NULL, step_options, 1,
     1, run_accept},
    {"escalation close", "ID", "it is settled", NULL, step_options, 1, 1, run_close},
    {.words = NULL},
};
