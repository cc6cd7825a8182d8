/* An operator for the tests of takeovers: takes conversations over by the product's own functions
 * (common/store/conversation.c), on a connection that is open already, since a deskctl for each
 * would begin too late to meet its moment; and, like one who is slow, stops in front of a statement
 * of theirs until told to go on. Told by lines, answers by lines:
 *
 *   take TENANT CONVERSATION [BEGINNING]   a statement that begins so, or COMMIT, waits for "go"
 *     paused PID                           the backend that holds the transaction
 *     yours SECONDS ASKED                  since that time (of the wall clock) no reply can start
 * to leave; asked for so often failed CODE MESSAGE
 *
 * The URL is deskctl's (FRONTDESK_DATABASE_URL). Ends with its input. Linked with
 * --wrap=pg_session_query, so that nothing in the product knows of it. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "store/conversation.h"
#include "store/schema.h"

#define LINE_MAX_BYTES 512
#define AGAIN_MS       20

int __real_pg_session_query(struct pg_session *session, const struct pg_statement *statement,
                            struct pg_result **result, struct err *err);
int __wrap_pg_session_query(struct pg_session *session, const struct pg_statement *statement,
                            struct pg_result **result, struct err *err);

static const char *pause_before = ""; /* beginning of a statement; "": none */

static bool read_line(char line[LINE_MAX_BYTES])
{
    if (fgets(line, LINE_MAX_BYTES, stdin) == NULL)
        return false;
    line[strcspn(line, "\n")] = '\0';
    return true;
}

/* Stops, once, where it was told to. */
static int pause_at(struct pg_session *session, const char *sql, struct err *err)
{
    char line[LINE_MAX_BYTES];
    struct pg_result *pid = NULL;
    if (pause_before[0] == '\0' || strncmp(sql, pause_before, strlen(pause_before)) != 0)
        return 0;
    pause_before = "";
    const struct pg_statement ask = {.sql = "SELECT pg_backend_pid()"};
    if (__real_pg_session_query(session, &ask, &pid, err) != 0)
        return -1;
    printf("paused %lld\n", (long long)pg_int(pid, 0, 0, 0));
    pg_result_free(&pid);
    return read_line(line) ? 0 : err_set(err, ERR_PERMANENT, "operator.gone", "nobody said go");
}

int __wrap_pg_session_query(struct pg_session *session, const struct pg_statement *statement,
                            struct pg_result **result, struct err *err)
{
    return pause_at(session, statement->sql, err) != 0
               ? -1
               : __real_pg_session_query(session, statement, result, err);
}

static int commit(struct pg_session *session, struct err *err)
{
    return pause_at(session, "COMMIT", err) != 0 ? -1 : pg_session_script(session, "COMMIT", err);
}

static int take_over(struct pg_session *session, const struct conversation_ref *ref, int *asked,
                     struct err *err)
{
    struct conversation_takeover taken;
    bool yours = false;
    int64_t begun = 0;
    if (schema_begin_as_ops(session, err) != 0 ||
        conversation_take_over(session, ref, &taken, err) != 0 || commit(session, err) != 0)
        return -1;
    for (*asked = 0; !yours; (*asked)++) {
        if (*asked > 0)
            poll(NULL, 0, AGAIN_MS);
        if (schema_begin_as_ops(session, err) != 0 ||
            conversation_is_yours(session, ref, &yours, &begun, err) != 0 ||
            commit(session, err) != 0)
            return -1;
    }
    return 0;
}

static void take(struct pg_session *session, char *line)
{
    static const char begins[] = "take ";
    struct conversation_ref ref = {.actor = "ops:test"};
    struct err err, ignored;
    char *rest = line + strlen(begins);
    const char *tenant = strsep(&rest, " "), *conversation = strsep(&rest, " ");
    int asked = 0;
    pause_before = rest != NULL ? rest : "";
    if (strncmp(line, begins, strlen(begins)) != 0 || conversation == NULL ||
        !uuid_parse(tenant, &ref.tenant) || !uuid_parse(conversation, &ref.conversation)) {
        printf("failed operator.line what is that?\n");
    } else if (take_over(session, &ref, &asked, &err) != 0) {
        (void)pg_session_script(session, "ROLLBACK", &ignored);
        printf("failed %s %s\n", err.code, err.message);
    } else {
        printf("yours %.6f %d\n", (double)clock_wall_ms() / 1000, asked);
    }
}

int main(void)
{
    struct pg_session *session = NULL;
    struct err err;
    char line[LINE_MAX_BYTES];
    const char *url = getenv("FRONTDESK_DATABASE_URL");
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (url == NULL || pg_session_open(url, "test-operator", &session, &err) != 0) {
        fprintf(stderr, "operator: %s\n", url != NULL ? err.message : "no URL");
        return 1;
    }
    while (read_line(line))
        take(session, line);
    pg_session_close(&session);
    return 0;
}
