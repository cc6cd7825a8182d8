/* A private server and a pool that calls the frequent statements as functions, as the engine does
 * (docs/adr/0004). */
#ifndef DESK_TESTS_FUNCTION_RIG_H
#define DESK_TESTS_FUNCTION_RIG_H

#include "unit/common/store/schema.h"

#include "store/schema.h"
#include "store/statements.h"

static inline bool define_functions(void)
{
    struct pg_session *session = NULL;
    struct err err;
    size_t count = 0;
    int rc = pg_session_open(rig_server.url, "test", &session, &err);
    rc = rc == 0 ? statements_define(session, &count, &err) : rc;
    if (rc != 0)
        printf("    %s: %s\n", err.code, err.message);
    pg_session_close(&session);
    return rc == 0;
}

/* open_server with the functions. 0, or 1 as CUnit wants it. */
static inline int open_function_server(void)
{
    return open_server() == 0 && define_functions() ? 0 : 1;
}

/* Opens rig_pg as the engine's role. */
static inline void open_function_pool(int connections)
{
    char url[256];
    snprintf(url, sizeof url, "%s user=frontdesk_engine", rig_server.url);
    rig_pg = pg_new(&(struct pg_options){.loop = rig_loop,
                                         .url = url,
                                         .name = "unit-test",
                                         .connections = connections,
                                         .functions = statements_frequent()});
    CU_ASSERT_TRUE_FATAL(rig_until(rig_is_up));
}

#endif
