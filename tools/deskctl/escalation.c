/* `deskctl escalation list|show|recording|accept|close|retry`: what waits for a person. */
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "command.h"
#include "store/call_back.h"
#include "store/escalation_admin.h"
#include "store/recording.h"
#include "json/json.h"

#define LIST_DEFAULT 100
#define ACTOR_MAX    100

static const struct table_column columns[] = {
    {"id", TABLE_TEXT},        {"created_at", TABLE_TEXT},   {"tenant", TABLE_TEXT},
    {"reason", TABLE_TEXT},    {"state", TABLE_TEXT},        {"accepted_by", TABLE_TEXT},
    {"rota", TABLE_TEXT},      {"told", TABLE_TEXT},         {"caller", TABLE_TEXT},
    {"call_back", TABLE_TEXT}, {"conversation", TABLE_TEXT}, {"summary", TABLE_TEXT},
};

static int no_id(const char *word)
{
    return desk_usage("\"%.60s\" is no id of an escalation; `deskctl escalation list` has them",
                      word);
}

/* ---- list ---- */

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
        const char *cells[] = {row->id,     row->created_at,  row->tenant,       row->reason,
                               row->state,  row->accepted_by, row->rota,         row->told,
                               row->caller, row->call_back,   row->conversation, row->summary};
        table_add(table, cells);
    }
    return desk_print_table(desk, table, "nothing waits for a person");
}

/* ---- show ---- */

static const char *text_of(const struct json *object, const char *name)
{
    const char *text = json_member_text(object, name);
    return text != NULL ? text : "";
}

static void add_line(const struct json *object, const char *name, const char *label,
                     struct strbuf *out)
{
    const char *text = json_member_text(object, name);
    if (text == NULL)
        return;
    strbuf_printf(out, "  %-14s", label);
    table_add_safe(out, text, true, 16);
    strbuf_add_char(out, '\n');
}

static const struct table_column notice_columns[] = {
    {"sent_at", TABLE_TEXT}, {"name", TABLE_TEXT},  {"sms", TABLE_TEXT},      {"round", TABLE_INT},
    {"until", TABLE_TEXT},   {"state", TABLE_TEXT}, {"delivery", TABLE_TEXT}, {"why", TABLE_TEXT},
};

static void add_notices(struct arena *arena, const struct json *notices, struct strbuf *out)
{
    struct table *table =
        table_new(arena, notice_columns, sizeof notice_columns / sizeof notice_columns[0]);
    for (const struct json *n = json_first(notices); n != NULL; n = json_next(n)) {
        int64_t round = 0;
        json_member_int(n, "round", 0, INT32_MAX, &round);
        const char *cells[] = {
            text_of(n, "sent_at"),  text_of(n, "name"),
            text_of(n, "sms"),      arena_printf(arena, "%lld", (long long)round),
            text_of(n, "until"),    text_of(n, "state"),
            text_of(n, "delivery"), json_member_text(n, "why")};
        table_add(table, cells);
    }
    table_print(table, false, "nobody was told", out);
}

static void add_whole(struct arena *arena, const struct json *whole, struct strbuf *out)
{
    static const char *const lines[][2] = {{"tenant", "tenant"},
                                           {"created_at", "opened"},
                                           {"caller", "from"},
                                           {"call_back", "call back"},
                                           {"promised", "promised"},
                                           {"transfer", "call put through"},
                                           {"recording", "recording"},
                                           {"transcript", "written down"},
                                           {"call_ordered", "call ordered"},
                                           {"called", "called back"},
                                           {"call_error", "not called"},
                                           {"rota", "rota"},
                                           {"next_at", "next"},
                                           {"error", "failed"},
                                           {"accepted_by", "accepted by"},
                                           {"accepted_at", "accepted"},
                                           {"closed_by", "closed by"},
                                           {"closed_at", "closed"},
                                           {"conversation", "conversation"},
                                           {"summary", "summary"}};
    strbuf_printf(out, "escalation %s (%s, %s)\n", text_of(whole, "id"), text_of(whole, "reason"),
                  text_of(whole, "state"));
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        add_line(whole, lines[i][0], lines[i][1], out);
    add_notices(arena, json_member(whole, "notices"), out);
}

static int print_whole(const struct desk *desk, const char *text, struct err *err)
{
    struct json *whole = NULL;
    struct strbuf out;
    strbuf_init(&out, DESK_OUTPUT_MAX);
    if (desk->json) {
        strbuf_printf(&out, "%s\n", text);
        return desk_print(&out);
    }
    if (json_parse(text, strlen(text), &whole, err) != 0)
        return -1;
    add_whole(desk->arena, whole, &out);
    json_free(&whole);
    return desk_print(&out);
}

static int run_show(struct desk *desk, const struct words *words)
{
    struct pg_session *session = NULL;
    const char *text = NULL;
    struct uuid id;
    struct err err;
    if (!uuid_parse(words->operands[0], &id))
        return no_id(words->operands[0]);
    if (desk_begin(desk, &session, &err) != 0 ||
        escalation_admin_show(session, desk->arena, &id, &text, &err) != 0) {
        desk_rollback(desk);
        return desk_fail(&err);
    }
    desk_rollback(desk);
    int code = print_whole(desk, text, &err);
    return code >= 0 ? code : desk_fail(&err);
}

/* ---- recording ---- */

/* Its bytes as they are, for a file or a player; in a document as base64. */
static int print_recording(const struct desk *desk, const char *id, const char *bytes,
                           size_t length)
{
    struct strbuf out, text;
    struct json_writer writer;
    strbuf_init(&out, 2 * length + 1024);
    if (!desk->json) {
        strbuf_add(&out, bytes, length);
        return desk_print(&out);
    }
    strbuf_init(&text, 2 * length + 8);
    text_add_base64(&text, bytes, length);
    json_writer_init(&writer, &out);
    json_open_object(&writer, NULL);
    json_add_text(&writer, "id", id);
    json_add_text(&writer, "content_type", RECORDING_TYPE);
    json_add_int(&writer, "size_bytes", (int64_t)length);
    json_add_text(&writer, "content_base64", text.data);
    json_close_object(&writer);
    strbuf_add_text(&out, "\n");
    strbuf_fini(&text);
    return desk_print(&out);
}

static int run_recording(struct desk *desk, const struct words *words)
{
    struct pg_session *session = NULL;
    const char *bytes = NULL;
    size_t length = 0;
    struct uuid id;
    struct err err;
    if (!uuid_parse(words->operands[0], &id))
        return no_id(words->operands[0]);
    if (!desk->json && isatty(STDOUT_FILENO))
        return desk_usage("sound is nothing for a terminal: write it to a file, > message.mp3");
    if (desk_begin(desk, &session, &err) != 0 ||
        recording_bytes(session, desk->arena, &id, &bytes, &length, &err) != 0) {
        desk_rollback(desk);
        return desk_fail(&err);
    }
    desk_rollback(desk);
    return print_recording(desk, words->operands[0], bytes, length);
}

/* ---- accept, close, call, retry ---- */

/* `--as` names who works it off when that is not who sits at the keyboard. 0, or the code of a
 * usage that was wrong. */
static int read_step(struct desk *desk, const struct words *words, struct uuid *id,
                     const char **actor)
{
    const char *as = words_option(words, "as");
    if (!uuid_parse(words->operands[0], id))
        return no_id(words->operands[0]);
    if (as != NULL && (as[0] == '\0' || strlen(as) > ACTOR_MAX || !text_is_utf8(as, strlen(as))))
        return desk_usage("--as must be a name of at most %d bytes", ACTOR_MAX);
    *actor = as != NULL ? as : desk_actor(desk);
    return 0;
}

static int step(struct desk *desk, const struct words *words, enum escalation_step which,
                const char *state)
{
    struct pg_session *session = NULL;
    const char *actor = NULL;
    struct uuid id;
    struct err err;
    int code = read_step(desk, words, &id, &actor);
    if (code != 0)
        return code;
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

static int run_retry(struct desk *desk, const struct words *words)
{
    return step(desk, words, ESCALATION_RETRY, "asked again");
}

static int run_call(struct desk *desk, const struct words *words)
{
    struct pg_session *session = NULL;
    struct uuid id;
    struct err err;
    const char *actor = NULL;
    int code = read_step(desk, words, &id, &actor);
    if (code != 0)
        return code;
    if (desk_begin(desk, &session, &err) != 0 || call_back_order(session, &id, actor, &err) != 0 ||
        desk_commit(desk, &err) != 0) {
        desk_rollback(desk);
        return desk_fail(&err);
    }
    const struct desk_fact facts[] = {{"state", "ordered", 0}, {"by", actor, 0}};
    desk_note("ordered by %s: placed within the calling hours; `deskctl escalation show` says what "
              "came of it",
              actor);
    return desk_print_facts(desk, facts, sizeof facts / sizeof facts[0]);
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
    {"escalation show", "ID", "who of the rota was told, and what came of it", NULL, NULL, 1, 1,
     run_show},
    {"escalation recording", "ID", "what the caller said, as an MP3 file on standard output",
     "For a message that was left as a recording, once it is fetched (show says whether).", NULL, 1,
     1, run_recording},
    {"escalation accept", "ID", "somebody works on it: nobody else needs to", NULL, step_options, 1,
     1, run_accept},
    {"escalation close", "ID", "it is settled", NULL, step_options, 1, 1, run_close},
    {"escalation call", "ID", "call the customer back about it, within the calling hours",
     "The assistant speaks to whoever answers; a machine hears that you called. The task stays "
     "with "
     "people.",
     step_options, 1, 1, run_call},
    {"escalation retry", "ID", "ask its rota again, from the first person on",
     "For one that is parked (show says why: mend that first), or that nobody has accepted.",
     step_options, 1, 1, run_retry},
    {.words = NULL},
};
