/* `deskctl hold` and `deskctl release`: whether responders may send at all. */
#include "store/hold.h"
#include "command.h"

static int change(struct desk *desk, const char *reason, struct hold_state *state, struct err *err)
{
    struct pg_session *session = NULL;
    if (desk_begin(desk, &session, err) != 0)
        return -1;
    int result = reason != NULL ? hold_set(session, reason, err) : hold_release(session, err);
    if (result != 0 || hold_read(session, state, err) != 0)
        return -1;
    return desk_commit(desk, err);
}

static int run(struct desk *desk, const char *reason)
{
    struct hold_state state;
    struct err err;
    if (change(desk, reason, &state, &err) != 0) {
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
    return run(desk, words->operands[0]);
}

static int run_release(struct desk *desk, const struct words *words)
{
    if (words_option(words, "yes") == NULL &&
        !desk_confirm(desk, "let responders send? after a restore: replay and reconcile first"))
        return desk_usage("nothing was changed; answer the question or add --yes");
    return run(desk, NULL);
}

static const struct option release_options[] = {
    {"yes", NULL, "do not ask"},
    {NULL, NULL, NULL},
};

const struct command command_hold[] = {
    {"hold", "REASON", "stop every send of the installation", NULL, NULL, 1, 1, run_hold},
    {"release", "", "let responders send",
     "A database that was restored starts held, because it may not know what was sent. Then:\n"
     "replay (docs/PROTOCOL.md, Restore), `deskctl reconcile --execute`, `deskctl release`.",
     release_options, 0, 0, run_release},
    {.words = NULL},
};
