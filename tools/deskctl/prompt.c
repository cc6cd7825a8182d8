/* `deskctl prompt show`: what the model saw of a turn, built again from rows with the engine's own
 * code (common/prompt) and compared with the digest of what was sent. */
#include <inttypes.h>
#include <string.h>

#include "command.h"
#include "prompt/record.h"
#include "store/prompt_admin.h"
#include "json/json.h"

#define DIFFERENCES_MAX 4

/* A prompt as it was built again. */
struct shown {
    const struct prompt_row *row;
    struct record record;
    struct prompt prompt;
    bool exact;
    const char *differences[DIFFERENCES_MAX];
    size_t difference_count;
};

/* ---- building it again ---- */

static int read_version(struct arena *arena, const struct prompt_row *row,
                        struct prompt_fixed *fixed, struct err *err)
{
    struct json *config = NULL;
    struct workflow workflow;
    if (row->config == NULL)
        return err_set(err, ERR_PERMANENT, "prompt.version", "the assistant's version is gone");
    if (json_parse(row->config, strlen(row->config), &config, err) != 0)
        return -1;
    struct profile profile = {
        .business = row->business, .timezone = row->timezone, .language = row->language};
    profile_read(arena, config, &profile);
    workflow_read(arena, config, row->timezone, &workflow);
    prompt_fix(arena, &profile, &workflow, fixed);
    json_free(&config);
    return 0;
}

static int read_rounds(struct arena *arena, const struct prompt_row *row,
                       const struct record *record, struct rounds *rounds, struct err *err)
{
    *rounds = (struct rounds){.count = 0};
    if (row->rounds != NULL && rounds_read(arena, row->rounds, rounds, err) != 0)
        return -1;
    (void)rounds_next(rounds, record->claimed); /* those passed over end as the engine told it */
    return 0;
}

static void differ(struct shown *shown, const char *what)
{
    shown->differences[shown->difference_count++] = what;
}

static void compare(struct arena *arena, struct shown *shown, size_t round_count)
{
    char digest[RECORD_DIGEST_SIZE];
    const struct record *record = &shown->record;
    size_t had = record->past_count + record->open_count;
    size_t has = shown->prompt.past_count + shown->prompt.open_count;
    record_digest(&shown->prompt, digest);
    shown->exact = strcmp(digest, record->digest) == 0;
    if (shown->exact)
        return;
    if (has < had)
        differ(shown, arena_printf(arena, "%zu of its messages are gone", had - has));
    if (round_count < record->round_count)
        differ(shown, arena_printf(arena, "%zu of its rounds are gone",
                                   record->round_count - round_count));
    if (shown->difference_count == 0)
        differ(shown, "the business's name, zone or language, or the rules of the release that "
                      "made it, were others");
}

static int build(struct arena *arena, struct shown *shown, struct err *err)
{
    const struct prompt_row *row = shown->row;
    struct prompt_fixed fixed;
    struct rounds rounds;
    if (record_read(arena, row->record, &shown->record, err) != 0 ||
        read_version(arena, row, &fixed, err) != 0 ||
        read_rounds(arena, row, &shown->record, &rounds, err) != 0)
        return -1;
    const struct prompt_parts parts = {.fixed = &fixed,
                                       .channel = shown->record.channel,
                                       .context = row->context != NULL ? row->context : "[]",
                                       .rounds = &rounds,
                                       .summary = shown->record.summary,
                                       .earlier = shown->record.earlier,
                                       .told = shown->record.told,
                                       .passages = row->passages};
    if (prompt_build(arena, &parts, &shown->prompt, err) != 0)
        return -1;
    compare(arena, shown, rounds.count);
    return 0;
}

/* ---- showing ---- */

static void add_json(const struct shown *shown, struct json_writer *w)
{
    const struct record *record = &shown->record;
    json_add_int(w, "assistant_version", record->version);
    json_add_int(w, "tokens_estimated", record->tokens);
    json_open_array(w, "tools");
    for (size_t i = 0; i < record->tool_count; i++)
        json_add_text(w, NULL, record->tools[i]);
    json_close_array(w);
    json_add_bool(w, "no_more_tools", record->no_more_tools);
    json_add_bool(w, "exact", shown->exact);
    json_open_array(w, "differences");
    for (size_t i = 0; i < shown->difference_count; i++)
        json_add_text(w, NULL, shown->differences[i]);
    json_close_array(w);
    record_add_messages(w, "messages", &shown->prompt);
}

static void print_json(const struct shown *shown, struct strbuf *out)
{
    const struct prompt_row *row = shown->row;
    struct json_writer w;
    json_writer_init(&w, out);
    json_open_object(&w, NULL);
    json_add_text(&w, "turn", row->turn);
    json_add_int(&w, "number", row->number);
    json_add_text(&w, "state", row->state);
    json_add_text(&w, "outcome", row->outcome);
    json_add_text(&w, "started_at", row->started_at);
    json_add_text(&w, "model", row->model);
    json_add_bool(&w, "recorded", row->record != NULL);
    if (row->record != NULL)
        add_json(shown, &w);
    json_close_object(&w);
    strbuf_add_char(out, '\n');
}

static void print_message(const struct llm_message *message, struct strbuf *out)
{
    static const char *const names[] = {[LLM_SYSTEM] = "system",
                                        [LLM_USER] = "user",
                                        [LLM_ASSISTANT] = "assistant",
                                        [LLM_TOOL] = "result of "};
    strbuf_printf(out, "\n--- %s", names[message->role]);
    if (message->role == LLM_TOOL)
        table_add_safe(out, message->tool_name, false, 0);
    strbuf_printf(out, "%s\n", message->is_error ? " (no success)" : "");
    table_add_safe(out, message->text, true, 0);
    strbuf_add_char(out, '\n');
    for (size_t i = 0; i < message->call_count; i++) {
        strbuf_add_text(out, "calls ");
        table_add_safe(out, message->calls[i].name, false, 0);
        strbuf_add_char(out, ' ');
        table_add_safe(out, message->calls[i].arguments, false, 0);
        strbuf_add_char(out, '\n');
    }
}

static void print_text(const struct shown *shown, struct strbuf *out)
{
    const struct prompt_row *row = shown->row;
    const struct record *record = &shown->record;
    strbuf_printf(out, "turn %" PRId64 " (%s), begun %s, %s%s", row->number, row->turn,
                  row->started_at, row->outcome != NULL ? row->outcome : row->state,
                  row->model != NULL ? ", asked last: " : "");
    if (row->model != NULL)
        table_add_safe(out, row->model, false, 0);
    strbuf_add_char(out, '\n');
    if (row->record == NULL) {
        strbuf_add_text(out, "nothing is kept of a prompt: the turn is at work, asked no model, or "
                             "is of an older release\n");
        return;
    }
    strbuf_printf(out, "version %" PRId64 ", some %" PRId64 " tokens, tools%s:", record->version,
                  record->tokens, record->no_more_tools ? " (not to be called any more)" : "");
    for (size_t i = 0; i < record->tool_count; i++)
        strbuf_printf(out, " %s", record->tools[i]);
    strbuf_add_text(out, record->tool_count == 0 ? " none\n" : "\n");
    strbuf_add_text(out, shown->exact ? "built again from rows: the same as what was sent\n"
                                      : "built again from rows, and not the same as what was sent");
    for (size_t i = 0; i < shown->difference_count; i++)
        strbuf_printf(out, "%s%s", i == 0 ? ": " : "; ", shown->differences[i]);
    if (!shown->exact)
        strbuf_add_char(out, '\n');
    strbuf_add_text(out, "it is the turn's last prompt; what a recomputed turn asked before is not "
                         "kept\n");
    for (size_t i = 0; i < shown->prompt.count; i++)
        print_message(&shown->prompt.messages[i], out);
}

static int show(struct desk *desk, const struct uuid *conversation, const struct uuid *turn,
                struct err *err)
{
    struct pg_session *session = NULL;
    struct prompt_row row;
    struct strbuf out;
    bool found = false;
    if (desk_begin(desk, &session, err) != 0 ||
        prompt_admin_read(session, desk->arena, conversation, turn, &row, &found, err) != 0)
        return -1;
    desk_rollback(desk);
    struct shown shown = {.row = &row};
    if (!found)
        return err_set(err, ERR_PERMANENT, "turn.not_found",
                       "the conversation has no such turn; `deskctl conversation show` has them");
    if (row.record != NULL && build(desk->arena, &shown, err) != 0)
        return -1;
    strbuf_init(&out, DESK_OUTPUT_MAX);
    if (desk->json)
        print_json(&shown, &out);
    else
        print_text(&shown, &out);
    return desk_print(&out);
}

static int run_show(struct desk *desk, const struct words *words)
{
    const char *given = words_option(words, "turn");
    struct uuid conversation, turn;
    struct err err;
    if (!uuid_parse(words->operands[0], &conversation))
        return desk_usage("\"%.60s\" is no conversation id; `deskctl conversation list` shows them",
                          words->operands[0]);
    if (given != NULL && !uuid_parse(given, &turn))
        return desk_usage("--turn must be an id; `deskctl conversation show --json` has them");
    int code = show(desk, &conversation, given != NULL ? &turn : NULL, &err);
    if (code >= 0)
        return code;
    desk_rollback(desk);
    return desk_fail(&err);
}

static const struct option show_options[] = {
    {"turn", "ID", "of this turn (default: the newest)"},
    {NULL, NULL, NULL},
};

const struct command command_prompt[] = {
    {"prompt show", "CONVERSATION", "what the model saw",
     "It is built again from rows and compared with what was sent.", show_options, 1, 1, run_show},
    {.words = NULL},
};
