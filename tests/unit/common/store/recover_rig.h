/* What the tests of recovery stand on: texts answered without a model, the list, and recoveries
 * that end one way or another. */
#ifndef DESK_TESTS_RECOVER_RIG_H
#define DESK_TESTS_RECOVER_RIG_H

#include "unit/common/store/turn_rig.h"

#include "store/recover.h"
#include "store/schema.h"

static struct pg_session *ops;

static inline void begin_recovery(const char *config)
{
    struct err err;
    begin_test();
    run(arena_printf(arena,
                     "INSERT INTO assistant_versions (tenant_id, assistant_id, version, config,"
                     " created_by) VALUES ('" TENANT "', '00000000-0000-7000-8000-0000000000a1', 1,"
                     " '%s', 'test')",
                     config));
    CU_ASSERT_EQUAL_FATAL(pg_session_open(rig_server.url, "ops", &ops, &err), 0);
}

static inline void end_recovery(void)
{
    pg_session_close(&ops);
    end_test();
}

#define ALLOWED "{\"recover\":{\"answer\":true}}"

/* The only row of the list; `turn` is NULL when there is none. */
static inline struct recover_row listed(const char *tenant)
{
    struct recover_row *rows = NULL;
    size_t count = 0;
    struct err err;
    CU_ASSERT_EQUAL_FATAL(schema_begin_as_ops(ops, &err), 0);
    CU_ASSERT_EQUAL_FATAL(recover_list(ops, arena, tenant, 10, &rows, &count, &err), 0);
    CU_ASSERT_EQUAL(pg_session_script(ops, "ROLLBACK", &err), 0);
    CU_ASSERT(count <= 1);
    return count > 0 ? rows[0] : (struct recover_row){.turn = NULL};
}

static inline bool answer(const struct recover_row *row)
{
    bool armed = false;
    struct err err;
    CU_ASSERT_EQUAL_FATAL(schema_begin_as_ops(ops, &err), 0);
    CU_ASSERT_EQUAL_FATAL(recover_answer(ops, row, "staff", &armed, &err), 0);
    CU_ASSERT_EQUAL(pg_session_script(ops, "COMMIT", &err), 0);
    return armed;
}

/* Text `n` of customer `who`, answered without a model. */
static inline struct inbox_claimed fallback_to(int who, int n)
{
    struct claims claimed = claim_one(WORKER_A, who, n, "are you open?");
    struct turn_started turn = start(WORKER_A, &claimed.rows[0]);
    struct turn_commit ended = commit_of(&claimed.rows[0], &turn);
    ended.outcome = "fallback";
    CU_ASSERT_EQUAL(commit(WORKER_A, &ended).kind, TURN_COMMITTED);
    return claimed.rows[0];
}

static inline struct inbox_claimed fallback(void)
{
    return fallback_to(1, 1);
}

/* An engine takes the session up. */
static inline struct turn_started begun(const struct inbox_claimed *claimed)
{
    run("UPDATE channel_sessions SET worker = '" WORKER_A "'");
    struct turn_started turn = start(WORKER_A, claimed);
    CU_ASSERT_EQUAL_FATAL(turn.kind, TURN_START_RUN);
    CU_ASSERT_PTR_NOT_NULL(strstr(turn.events, RECOVER_EVENT));
    CU_ASSERT_PTR_NOT_NULL(strstr(turn.context, "\"author\":\"system\""));
    return turn;
}

/* The turn ends with this body and outcome; its model call failed with this code, "": none did. */
static inline void ended(const struct inbox_claimed *claimed, const struct turn_started *turn,
                         const char *body, const char *outcome, const char *code)
{
    struct turn_commit commits = commit_of(claimed, turn);
    struct turn_llm_call call = commits.calls[0];
    if (code[0] != '\0')
        call.outcome = "failed";
    call.error_code = code;
    commits.calls = &call;
    commits.body = body;
    commits.outcome = outcome;
    commits.event_state = body[0] != '\0' ? "answered" : "ended";
    CU_ASSERT_EQUAL(commit(WORKER_A, &commits).kind, TURN_COMMITTED);
}

#define AWAY "llm.unavailable"

static inline void taken_up(const struct inbox_claimed *claimed, const char *body)
{
    struct turn_started turn = begun(claimed);
    bool said = body[0] != '\0';
    ended(claimed, &turn, body, said ? "reply" : "fallback", said ? "" : AWAY);
}

#define RECOVERIES "provider_id LIKE '" RECOVER_EVENT "%'"

#endif
