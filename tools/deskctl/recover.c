/* `deskctl recover`: who was answered without a model, and, if asked for in so many words, a
 * model's answer after all (docs/RECEPTION.md). */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "command.h"
#include "store/recover.h"

#define LIST_DEFAULT 100

static const struct table_column columns[] = {
    {"conversation", TABLE_TEXT}, {"tenant", TABLE_TEXT},     {"address", TABLE_TEXT},
    {"outcome", TABLE_TEXT},      {"at", TABLE_TEXT},         {"answer_by", TABLE_TEXT},
    {"task", TABLE_TEXT},         {"may_answer", TABLE_TEXT},
};

static int list(struct desk *desk, const struct words *words, int64_t limit,
                struct recover_row **rows, size_t *count, struct err *err)
{
    struct pg_session *session = NULL;
    int result = desk_begin(desk, &session, err);
    if (result == 0)
        result = recover_list(session, desk->arena, words_option(words, "tenant"), limit, rows,
                              count, err);
    desk_rollback(desk);
    return result;
}

static int print(const struct desk *desk, const struct recover_row *rows, size_t count)
{
    struct table *table = table_new(desk->arena, columns, sizeof columns / sizeof columns[0]);
    for (size_t i = 0; i < count; i++) {
        const char *cells[] = {rows[i].conversation, rows[i].tenant,
                               rows[i].address,      rows[i].outcome,
                               rows[i].at,           rows[i].answer_by,
                               rows[i].task,         rows[i].allowed ? "yes" : "no"};
        table_add(table, cells);
    }
    return desk_print_table(desk, table, "every conversation was answered by a model or a person");
}

/* ---- --answer ---- */

/* Whoever asks for a visible effect says how large it is: on the terminal, or with --count. */
static bool is_confirmed(const struct desk *desk, const char *count_option, size_t count)
{
    char answer[16] = "";
    int64_t number = -1;
    if (count_option == NULL && desk->interactive) {
        fprintf(stderr,
                "%zu conversations get one more answer. Type their number to go on: ", count);
        if (fgets(answer, sizeof answer, stdin) == NULL)
            return false;
        answer[strcspn(answer, "\n")] = '\0';
        count_option = answer;
    }
    return count_option != NULL && text_parse_int(count_option, 0, RECOVER_ROWS_MAX, &number) &&
           (size_t)number == count;
}

/* One transaction each, so that no conversation is locked while others wait. */
static int arm(struct desk *desk, const struct recover_row *row, size_t *done, struct err *err)
{
    struct pg_session *session = NULL;
    bool armed = false;
    if (desk_begin(desk, &session, err) != 0 ||
        recover_answer(session, row, desk_actor(desk), &armed, err) != 0 ||
        desk_commit(desk, err) != 0) {
        desk_rollback(desk);
        return -1;
    }
    *done += armed;
    return 0;
}

static int answer(struct desk *desk, const struct words *words, const struct recover_row *rows,
                  size_t count)
{
    size_t allowed = 0, done = 0;
    struct err err;
    for (size_t i = 0; i < count; i++)
        allowed += rows[i].allowed;
    if (allowed < count)
        desk_note("%zu are left out: their tenants' files have no `recover: {answer: true}`",
                  count - allowed);
    if (allowed > 0 && !is_confirmed(desk, words_option(words, "count"), allowed))
        return desk_usage("nothing was changed: %zu conversations would be answered; type that "
                          "number, or add --count %zu",
                          allowed, allowed);
    for (size_t i = 0; i < count; i++)
        if (rows[i].allowed && arm(desk, &rows[i], &done, &err) != 0) {
            desk_note("%zu of %zu were made due before this", done, allowed);
            return desk_fail(&err);
        }
    desk_note("%zu of %zu conversations are due: the engines answer them with a model, or not at "
              "all",
              done, allowed);
    const struct desk_fact facts[] = {{"answered", NULL, (int64_t)done},
                                      {"changed_meanwhile", NULL, (int64_t)(allowed - done)},
                                      {"not_allowed", NULL, (int64_t)(count - allowed)}};
    return desk_print_facts(desk, facts, sizeof facts / sizeof facts[0]);
}

static int run_recover(struct desk *desk, const struct words *words)
{
    struct recover_row *rows = NULL;
    struct err err;
    size_t count = 0;
    int64_t limit = LIST_DEFAULT;
    const char *most = words_option(words, "limit");
    if (most != NULL && !text_parse_int(most, 1, RECOVER_ROWS_MAX, &limit))
        return desk_usage("--limit must be a number from 1 to %d", RECOVER_ROWS_MAX);
    if (words_option(words, "count") != NULL && words_option(words, "answer") == NULL)
        return desk_usage("--count goes with --answer");
    if (list(desk, words, limit, &rows, &count, &err) != 0)
        return desk_fail(&err);
    return words_option(words, "answer") != NULL ? answer(desk, words, rows, count)
                                                 : print(desk, rows, count);
}

static const struct option recover_options[] = {
    {"tenant", "NAME", "only of this tenant"},
    {"limit", "N", "at most so many, the oldest first, 1-1000 (default 100)"},
    {"answer", NULL, "let the engines answer them, where the tenant's file allows it"},
    {"count", "N", "how many will be answered, instead of typing it"},
    {NULL, NULL, NULL},
};

const struct command command_recover[] = {
    {"recover", "", "who was last answered without a model, and may still be answered",
     "After an outage of the models. Each is a conversation whose last reply was the fallback or\n"
     "the degraded wording (docs/RECEPTION.md), within its answer-by time, that no person holds,\n"
     "answered or closed the task of. --answer makes the engines answer again, once: customers\n"
     "get one more text each. Where still no model answers, nothing is sent, and they stay here.\n"
     "Where the tenant's file has `recover: {by_itself: true}`, the engines do it without this.",
     recover_options, 0, 0, run_recover},
    {.words = NULL},
};
