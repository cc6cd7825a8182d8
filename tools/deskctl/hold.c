/* `deskctl hold` and `deskctl release`: whether responders may send at all. */
#include "store/hold.h"
#include "command.h"

/* reason NULL: release. */
static int change(struct desk *desk, const char *reason, bool unreconciled,
                  struct hold_state *state, struct err *err)
{
    struct pg_session *session = NULL;
    if (desk_begin(desk, &session, err) != 0)
        return -1;
    int result =
        reason != NULL ? hold_set(session, reason, err) : hold_release(session, unreconciled, err);
    if (result != 0 || hold_read(session, state, err) != 0)
        return -1;
    return desk_commit(desk, err);
}

static int run(struct desk *desk, const char *reason, bool unreconciled)
{
    struct hold_state state;
    struct err err;
    if (change(desk, reason, unreconciled, &state, &err) != 0) {
        desk_rollback(desk);
        return desk_fail(&err);
    }
    if (state.released)
        desk_note("released: responders send (database %s)", state.identity);
    else
        desk_note("held: nothing is sent until `deskctl release`");
    const struct desk_fact facts[] = {{"state", state.released ? "released" : "held", 0},
                                      {"reason", state.reason, 0},
                                      {"database", state.identity, 0}};
    return desk_print_facts(desk, facts, sizeof facts / sizeof facts[0]);
}

static int run_hold(struct desk *desk, const struct words *words)
{
    return run(desk, words->operands[0], false);
}

static int run_release(struct desk *desk, const struct words *words)
{
    bool unreconciled = words_option(words, "without-reconcile") != NULL;
    const char *question =
        unreconciled ? "let responders send, though nobody asked the provider what was sent before?"
                     : "let responders send?";
    if (words_option(words, "yes") == NULL && !desk_confirm(desk, question))
        return desk_usage("nothing was changed; answer the question or add --yes");
    return run(desk, NULL, unreconciled);
}

static const struct option release_options[] = {
    {"without-reconcile", NULL, "the database lost nothing: it was held for another reason"},
    {"yes", NULL, "do not ask"},
    {NULL, NULL, NULL},
};

const struct command command_hold[] = {
    {"hold", "REASON", "stop every send of the installation", NULL, NULL, 1, 1, run_hold},
    {"release", "", "let responders send",
     "A database that was restored starts held, because it may not know what was sent. Then:\n"
     "replay (docs/PROTOCOL.md, Restore), `deskctl reconcile --execute`, `deskctl release`. It\n"
     "refuses when no reconcile of all numbers was completed since the hold.",
     release_options, 0, 0, run_release},
    {.words = NULL},
};
